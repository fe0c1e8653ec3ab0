/*
 * supervisor/supervisor.c - who restarts what.
 *
 * Room: supervisor/. Runs in the supervisor, but for the start.
 * Touch freely: nothing. Ask first: everything here is the order of things.
 *
 * A supervisor is a genserver that traps exits: requests are calls, ends of children are EXITs, and
 * both are handled one at a time, in order of arrival, as are the attempts to restart. This file is
 * its beginning, its end, and who handles what; the rest of the room says how:
 *
 *   spec, offer    what it is told, and how that reaches it
 *   siblings       its children, in order
 *   strategy, intensity, backoff    what an end means, how often is too often, how long to pause
 *   child          starting and stopping one
 *   restart        the consequences of an end, for one and for many
 *   requests       what it is asked
 *   report         what it says
 */
#include "supervisor/supervisor.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "supervisor/offer.h"
#include "supervisor/report.h"
#include "supervisor/requests.h"
#include "supervisor/restart.h"

#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

#define FAILED_TO_START "{shutdown,{failed_to_start_child,"

/* ---------------------------------------------------------------- its beginning */

/* However it ends, also when it is killed: what it owns is not the process's memory. */
static void
give_back(void *state)
{
    struct copi_supervisor *sup = state;
    copi_siblings_clear(&sup->children);
    free(sup->intensity.times);
    copi_spec_release(sup->spec);
}

static int
set_up_intensity(struct copi_supervisor *sup)
{
    sup->intensity = (struct copi_intensity){
        .times = copi_alloc(sup->spec->max_restarts * sizeof(cop_time)),
        .max_restarts = sup->spec->max_restarts,
        .period = sup->spec->period,
    };
    return sup->intensity.times ? 0 : -ENOMEM;
}

static int
set_up_children(struct copi_supervisor *sup)
{
    for (size_t i = 0; i < sup->spec->child_count; i++) {
        struct copi_child *child = copi_child_new(&sup->spec->children[i], NULL);
        if (!child) {
            return -ENOMEM;
        }
        copi_siblings_append(&sup->children, child);
    }
    return 0;
}

/* All that needs memory, before the first child starts. */
static int
set_up(struct copi_supervisor *sup, cop_bytes arg)
{
    int r = cop_at_exit(give_back, sup);
    if (r) {
        return r;
    }
    sup->spec = copi_offer_take(*(const uint64_t *)arg.data);
    if (!sup->spec) {
        return -ECANCELED;
    }
    r = set_up_intensity(sup);
    return r ? r : set_up_children(sup);
}

static cop_reason
say_why(const struct copi_failed_start *failed)
{
    char words[sizeof failed->why.text];
    cop_reason_string(failed->why, words, sizeof words);
    cop_reason reason = cop_failed(failed->code, FAILED_TO_START "%s,%s}}", failed->id, words);
    reason.kind = COP_SHUTDOWN;
    return reason;
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct copi_supervisor *sup = state;
    struct copi_failed_start failed;
    cop_trap_exits(true);
    int r = set_up(sup, arg);
    if (r) {
        return cop_stop(cop_failed(r, NULL));
    }
    if (copi_start_all(sup, &failed)) {
        return cop_ok();
    }
    cop_reason why = say_why(&failed);
    copi_stop_all(sup);
    return cop_stop(why);
}

/* ---------------------------------------------------------------- its life */

static cop_step
step(enum copi_outcome outcome)
{
    switch (outcome) {
    case COPI_GO_ON:
        break;
    case COPI_AUTO_SHUTDOWN:
        return cop_stop(COP_REASON_SHUTDOWN);
    case COPI_GIVE_UP: /* to a parent the same; a daemon's main() tells them apart by the code */
        return cop_stop((cop_reason){.kind = COP_SHUTDOWN, .code = -ENOTRECOVERABLE});
    }
    return cop_ok();
}

static cop_step
drop(cop_msg msg)
{
    copi_report_unexpected(msg);
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    return copi_requests_handle(state, from, request);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    if (msg.tag != COPI_TRY_AGAIN || msg.body.size != COPI_ID_SIZE) {
        return drop(msg);
    }
    return step(copi_try_again(state, msg.body.data));
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    if (msg.tag == COP_MSG_EXIT) {
        const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
        return step(copi_process_ended(state, exited->pid, &exited->reason));
    }
    if (msg.tag == COPI_PAUSE_OVER && msg.body.size == sizeof(struct copi_pause_over)) {
        return step(copi_pause_is_over(state, COP_BODY(msg, struct copi_pause_over)));
    }
    return drop(msg);
}

static void
terminate(void *state, cop_reason reason)
{
    (void)reason;
    copi_stop_all(state);
}

static const cop_genserver supervisor = {
    .type = "supervisor",
    .state_size = sizeof(struct copi_supervisor),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .terminate = terminate,
};

/* ---------------------------------------------------------------- starting, stopping */

/* A child that did not start is more than that something was cancelled. */
static int
code_of_start(int r)
{
    cop_reason why = cop_why();
    bool is_child = r == -ECANCELED && why.kind == COP_SHUTDOWN && why.code < 0
                    && strncmp(why.text, FAILED_TO_START, strlen(FAILED_TO_START)) == 0;
    return is_child ? why.code : r;
}

int
copi_supervisor_start(cop_pid *out, struct copi_spec *spec, const cop_start_opts *opts)
{
    struct copi_offer offer = {0};
    int r = cop_defer(copi_offer_withdraw, &offer); /* the start below is an exit point */
    if (r) {
        copi_spec_release(spec);
        return r;
    }
    copi_offer_make(&offer, spec);
    cop_start_opts mine = *opts;
    mine.arg = COP_BYTES(offer.number);
    r = cop_genserver_start_with(out, &supervisor, &mine);
    cop_undefer(copi_offer_withdraw, &offer, true);
    return r ? code_of_start(r) : 0;
}

int
cop_supervisor_start(cop_pid *out, const cop_supervisor_spec *spec)
{
    struct copi_process
        *self; /* a thread without one would forget why a specification is refused */
    struct copi_spec *copy;
    int r = copi_enter(&self);
    if (r == 0) {
        r = copi_spec_new(&copy, spec);
    }
    if (r) {
        return r;
    }
    return copi_supervisor_start(out, copy,
                                 &(cop_start_opts){
                                     .size = sizeof(cop_start_opts),
                                     .name = copy->name[0] ? copy->name : NULL,
                                     .link = spec->link,
                                 });
}

int
cop_supervisor_stop(cop_pid supervisor_pid, cop_time timeout)
{
    return cop_stop_process(supervisor_pid, COP_REASON_SHUTDOWN, timeout);
}
