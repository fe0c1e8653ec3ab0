/*
 * actors/genserver_start.c - how a process becomes a server: a new one, or one that already runs.
 *
 * Room: actors/. Whoever starts; who enters.
 * Touch freely: nothing. Ask first: who is told what of a start that fails.
 */
#include "actors/genserver.h"
#include "actors/genserver_step.h"
#include "actors/sys.h"
#include "runtime/exit.h"
#include "runtime/memory.h"
#include "runtime/request.h"
#include "runtime/stop.h"

#include <coppice/memory.h>
#include <coppice/name.h>

#include <errno.h>
#include <stdlib.h>

static const struct copi_behaviour genserver = COPI_GENSERVER_CALLED("genserver");

/* ---------------------------------------------------------------- starting */

static int
outcome_of_start(struct copi_message *answer, cop_pid pid, cop_pid *out)
{
    struct copi_started started;
    memcpy(&started, answer->body, sizeof started);
    copi_message_free(answer);
    if (started.code < 0) {
        return copi_fail_why(&started.reason, started.code);
    }
    if (out) {
        *out = started.code == COPI_DECLINED ? COP_NOBODY : pid;
    }
    return 0;
}

static int
await_start(struct copi_process *self, cop_pid pid, cop_ref ref, cop_time timeout, cop_pid *out)
{
    struct copi_message *answer;
    int r = copi_request_await(self, ref, timeout ? timeout : COP_FOREVER, &answer);
    if (r == 0) {
        return outcome_of_start(answer, pid, out);
    }
    if (r == -ETIMEDOUT || r == -ECANCELED) {
        cop_reason why = self->reasons->why;
        copi_kill_and_wait(self, pid);
        copi_fail_why(&why, r);
    }
    return r;
}

static int
start(cop_pid *out, const struct copi_behaviour *kind, const cop_genserver *server,
      const cop_start_opts *opts)
{
    struct copi_process *self;
    cop_pid pid;
    cop_ref ref;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    r = copi_spawn(&pid, &ref,
                   &(struct copi_spawn){
                       .behaviour = kind,
                       .what = server,
                       .opts = opts,
                       .state_size = server ? server->state_size : 0,
                       .acknowledged = true,
                   });
    if (r == -EEXIST && out) {
        *out = opts->name ? cop_whereis(opts->name) : pid;
    }
    return r ? r : await_start(self, pid, ref, opts->init_timeout, out);
}

int
cop_genserver_start_with(cop_pid *out, const cop_genserver *behaviour, const cop_start_opts *opts)
{
    const cop_start_opts mine = copi_start_opts(opts);
    return start(out, &genserver, behaviour, &mine);
}

int
copi_genserver_start(cop_pid *out, const struct copi_behaviour *kind, const cop_genserver *server,
                     void *arg, size_t size, const cop_start_opts *opts)
{
    cop_start_opts mine = copi_start_opts(opts);
    mine.arg = (cop_bytes){arg, size};
    /* The start is an exit point: then this goes by the deferred call. */
    int r = cop_defer(free, arg);
    if (r) {
        free(arg);
        return r;
    }
    r = start(out, kind, server, &mine);
    cop_undefer(free, arg, true);
    return r;
}

/* ---------------------------------------------------------------- entering */

/* Nothing is changed until all is there that can fail. */
static int
prepare_to_enter(struct copi_process *self, const cop_genserver *behaviour, cop_bytes state)
{
    void *block = NULL;
    if (behaviour->state_size > 0 && !(block = copi_memory_new(self, behaviour->state_size))) {
        return -ENOMEM;
    }
    int r = copi_process_become(self, &genserver, behaviour);
    if (r) {
        cop_free(block);
        return r;
    }
    if (block && state.size > 0) {
        memcpy(block, state.data, state.size);
    }
    self->state = block;
    copi_sys_show_state(block, behaviour->state_size);
    return 0;
}

int
cop_genserver_enter(const cop_genserver *behaviour, cop_bytes state, cop_step first)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    if (!self->jump || self->held > 0) {
        return copi_fail(-EPERM);
    }
    bool fits =
        behaviour && (state.size == 0 || (state.data && state.size == behaviour->state_size));
    r = fits && copi_step_goes_on(first) ? prepare_to_enter(self, behaviour, state) : -EINVAL;
    if (r) {
        return copi_fail(r);
    }
    copi_callback_end(self);
    self->reasons->end = copi_genserver_serve(self, first);
    copi_exit_now(self);
}
