/*
 * supervisor/child.c - starting and stopping one child, of any kind.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: how each kind is started. Ask first: the order of the steps of a stop.
 *
 * A stop watches the child with a monitor and does not rely on the link: a child may have removed
 * that, and would then never be heard of. The link stays until the child is gone, because of the one
 * case that the monitor tells nothing of: the child had ended already, its EXIT waits in the mailbox,
 * and the DOWN says only that nobody was there.
 *
 * Waiting for a child is told to whoever looks for circles of calls, as a call would be: a child that
 * asks its supervisor for something while it is being stopped is refused, instead of both waiting for
 * the shutdown time. A child that had asked before is not in our way: it is asked to stop all the
 * same, and that ends its call.
 *
 * Signals and monitors need memory. A child must be stopped all the same, so without memory a stop
 * waits for some: what would the supervisor do with the failure?
 */
#include "supervisor/child.h"

#include "runtime/alloc.h"
#include "runtime/context.h"
#include "runtime/cycle.h"
#include "runtime/process.h"
#include "supervisor/command.h"
#include "supervisor/spec.h"
#include "supervisor/supervisor.h"

#include <coppice/memory.h>
#include <coppice/signal.h>

#include <stdlib.h>

#define PAUSE_WITHOUT_MEMORY COP_MS(1)

/* ---------------------------------------------------------------- a command's process */

/* What it gets: with the words in it, so that it needs nothing of the supervisor's, which may be
 * killed before it looks. */
struct packed_command {
    cop_time shutdown;
    char words[];
};

static size_t
count_words(const char *words, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += words[i] == '\0';
    }
    return count;
}

static int
run_command(cop_bytes arg)
{
    const struct packed_command *packed = arg.data;
    size_t count = count_words(packed->words, arg.size - sizeof *packed);
    const char **argv = cop_alloc((count + 1) * sizeof *argv);
    if (!argv) {
        return -ENOMEM;
    }
    const char *word = packed->words;
    for (size_t i = 0; i < count; i++) {
        argv[i] = word;
        word += strlen(word) + 1;
    }
    argv[count] = NULL;
    struct copi_command command = {.argv = argv, .shutdown = packed->shutdown};
    return copi_command_run(COP_BYTES(command));
}

/* Its words, and those in its argument. */
static int
start_command(cop_pid *out, const struct copi_child_spec *spec, cop_start_opts *opts)
{
    cop_bytes more = opts->arg;
    if (more.size && ((const char *)more.data)[more.size - 1] != '\0') {
        return copi_fail(-EINVAL);
    }
    size_t size = sizeof(struct packed_command) + spec->words.size + more.size;
    struct packed_command *packed = copi_alloc(size);
    if (!packed) {
        return copi_fail(-ENOMEM);
    }
    packed->shutdown = spec->shutdown;
    memcpy(packed->words, spec->words.data, spec->words.size);
    if (more.size) {
        memcpy(packed->words + spec->words.size, more.data, more.size);
    }
    opts->arg = (cop_bytes){packed, size};
    int r = cop_spawn_with(out, run_command, opts);
    free(packed);
    return r;
}

/* ---------------------------------------------------------------- starting */

static cop_bytes
borrow(const struct copi_owned *owned)
{
    return (cop_bytes){owned->data, owned->size};
}

static int
start_agent(cop_pid *out, const struct copi_child_spec *spec, const cop_start_opts *opts)
{
    cop_agent_spec agent = spec->agent;
    agent.initial = borrow(&spec->initial);
    return cop_agent_start_spec(out, &agent, opts);
}

static int
start_user(cop_pid *out, const struct copi_child_spec *spec, cop_bytes arg, cop_reason *why)
{
    int r = spec->start(out, arg, why);
    if (r > 0) {
        *why = cop_failed(-EINVAL, "{bad_return_value,%d}", r);
        return -EINVAL;
    }
    if (r < 0 && why->kind == COP_NORMAL && !why->text[0]) {
        *why = cop_failed(r, NULL);
    }
    return r;
}

static const cop_via *
via_of(const struct copi_child_spec *spec)
{
    return spec->kind == COPI_CHILD_SUPERVISOR && !spec->via ? spec->supervisor->via : spec->via;
}

static int
start_by_kind(cop_pid *out, const struct copi_child_spec *spec, cop_start_opts *opts,
              cop_reason *why)
{
    switch (spec->kind) {
    case COPI_CHILD_GENSERVER:
        return cop_genserver_start_with(out, spec->genserver, opts);
    case COPI_CHILD_STATEM:
        return cop_statem_start_with(out, spec->statem, opts);
    case COPI_CHILD_WORKER:
        return cop_spawn_with(out, spec->worker, opts);
    case COPI_CHILD_SUPERVISOR:
        return copi_supervisor_start(out, copi_spec_hold(spec->supervisor), opts);
    case COPI_CHILD_COMMAND:
        return start_command(out, spec, opts);
    case COPI_CHILD_AGENT:
        return start_agent(out, spec, opts);
    case COPI_CHILD_START:
        break;
    }
    return start_user(out, spec, opts->arg, why);
}

int
copi_child_start(const struct copi_child_spec *spec, cop_bytes arg, cop_pid *out, cop_reason *why)
{
    cop_pid pid = COP_NOBODY;
    *why = COP_REASON_NORMAL;
    int r = start_by_kind(&pid, spec,
                          &(cop_start_opts){
                              .size = sizeof(cop_start_opts),
                              .name = spec->name[0] ? spec->name : NULL,
                              .via = via_of(spec),
                              .label = spec->id,
                              .arg = arg,
                              .link = true,
                              .mailbox = spec->mailbox,
                              .stack_size = spec->stack_size,
                              .init_timeout = spec->init_timeout,
                              .contain_faults = spec->contain_faults,
                              .context = copi_context_current(),
                          },
                          why);
    if (r && spec->kind != COPI_CHILD_START) {
        *why = cop_why();
    }
    if (r == 0 || r == -EEXIST) {
        *out = pid;
    }
    return r;
}

/* ---------------------------------------------------------------- stopping */

/* 0 or -ECANCELED: the caller has been killed. */
static int
patiently(int r)
{
    return r == -ENOMEM ? cop_sleep(PAUSE_WITHOUT_MEMORY) : r;
}

int
copi_child_watch(cop_pid pid, cop_ref *monitor)
{
    int r = 0;
    while (r == 0 && (*monitor = cop_monitor(pid)).id == 0) {
        r = patiently(cop_why().code);
    }
    return r;
}

int
copi_child_signal(cop_pid pid, cop_reason reason)
{
    int r;
    while ((r = cop_exit_signal(pid, reason)) == -ENOMEM && patiently(r) == 0) {
    }
    return r == -ENOMEM ? -ECANCELED : 0;
}

static bool
is_down(const cop_msg *msg, void *env)
{
    const cop_ref *monitor = env;
    return msg->tag == COP_MSG_DOWN
           && ((const struct cop_down *)msg->body.data)->ref.id == monitor->id;
}

static bool
is_exit(const cop_msg *msg, void *env)
{
    const cop_pid *pid = env;
    return msg->tag == COP_MSG_EXIT
           && cop_pid_eq(((const struct cop_exited *)msg->body.data)->pid, *pid);
}

static int
await_down(cop_ref monitor, cop_time timeout, cop_reason *reason)
{
    cop_msg msg;
    int r = cop_receive_match(&msg, is_down, &monitor, timeout);
    if (r == 0) {
        *reason = ((const struct cop_down *)msg.body.data)->reason;
    }
    return r;
}

static int
signal_and_wait(cop_pid pid, cop_reason signal, cop_ref monitor, cop_time timeout,
                cop_reason *reason)
{
    int r = copi_child_signal(pid, signal);
    return r ? r : await_down(monitor, timeout, reason);
}

static int
ask_and_wait(struct copi_process *self, cop_pid pid, cop_ref monitor, cop_time shutdown,
             cop_reason *reason)
{
    bool is_circle = copi_cycle_begin(self, pid, monitor) != 0;
    int r = -ETIMEDOUT;
    if (shutdown != COP_BRUTAL_KILL) {
        r = signal_and_wait(pid, COP_REASON_SHUTDOWN, monitor, shutdown, reason);
    }
    if (r == -ETIMEDOUT) {
        r = signal_and_wait(pid, COP_REASON_KILLED, monitor, COP_FOREVER, reason);
    }
    if (!is_circle) {
        copi_cycle_end(self);
    }
    return r;
}

/* Its EXIT has come as well, and tells why it ended even if the DOWN does not. */
bool
copi_child_take_exit(cop_pid pid, cop_reason *reason)
{
    cop_msg msg;
    if (cop_receive_match(&msg, is_exit, &pid, 0) != 0) {
        return false;
    }
    *reason = ((const struct cop_exited *)msg.body.data)->reason;
    return true;
}

static int
stop(struct copi_process *self, cop_pid pid, cop_time shutdown, cop_reason *reason)
{
    cop_ref monitor;
    int r = copi_child_watch(pid, &monitor);
    if (r) {
        return r;
    }
    r = ask_and_wait(self, pid, monitor, shutdown, reason);
    if (r) {
        cop_demonitor(monitor);
        return r;
    }
    if (!copi_child_take_exit(pid, reason)) {
        cop_unlink(pid); /* it is still under way, or there is none */
    }
    return 0;
}

int
copi_child_stop(const struct copi_child_spec *spec, cop_pid pid, cop_reason *reason)
{
    struct copi_process *self = copi_here.process;
    uint32_t was = copi_load_relaxed_32(&self->uncancelled);
    copi_store_relaxed_32(&self->uncancelled, 1);
    int r = stop(self, pid, spec->shutdown, reason);
    copi_store_relaxed_32(&self->uncancelled, was);
    return r;
}
