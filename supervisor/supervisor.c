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
 *   check, spec    what it is told: whether it is right, and how that is kept
 *   offer          how it gets there
 *   init, view     what an init of the user's makes of it, and how that is shown it
 *   siblings       its children, in order
 *   strategy, intensity    what an end means, how often is too often
 *   child          starting and stopping one
 *   restart        the consequences of an end, for one and for many
 *   together       the end of all dynamic children at the same time
 *   ask, requests  what it is asked: by whom, and what comes of it
 *   report         what it says
 */
#include "supervisor/supervisor.h"

#include "actors/sys.h"
#include "runtime/alloc.h"
#include "runtime/inspect.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "supervisor/init.h"
#include "supervisor/offer.h"
#include "supervisor/report.h"
#include "supervisor/requests.h"
#include "supervisor/restart.h"

#include <coppice/memory.h>
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
    if (copi_strategy_is_dynamic(sup->spec->strategy)) {
        sup->children.nameless = true;
        return 0;
    }
    for (size_t i = 0; i < sup->spec->child_count; i++) {
        struct copi_child *child = copi_child_new(&sup->spec->children[i], NULL);
        if (!child) {
            return -ENOMEM;
        }
        copi_siblings_append(&sup->children, child);
    }
    return 0;
}

/* What a new supervisor gets: by which number to ask for its specification, and what for its init. */
struct birth {
    uint64_t number;
    char arg[];
};

static cop_bytes
arg_of(cop_bytes birth)
{
    size_t size = birth.size - sizeof(struct birth);
    return (cop_bytes){size ? ((const struct birth *)birth.data)->arg : NULL, size};
}

static int
take_spec(struct copi_supervisor *sup, cop_bytes birth)
{
    int r = cop_at_exit(give_back, sup);
    if (r == 0) {
        sup->spec = copi_offer_take(((const struct birth *)birth.data)->number);
        r = sup->spec ? 0 : -ECANCELED; /* who starts it has ended */
    }
    return r;
}

/* ---------------------------------------------------------------- its first children */

static cop_reason
say_why(const struct copi_failed_start *failed)
{
    char words[sizeof failed->why.text];
    cop_reason_string(failed->why, words, sizeof words);
    cop_reason reason = cop_failed(failed->code, FAILED_TO_START "%s,%s}}", failed->id, words);
    reason.kind = COP_SHUTDOWN;
    return reason;
}

/* All that needs memory comes before the first child starts. */
static cop_step
bring_up(struct copi_supervisor *sup)
{
    struct copi_failed_start failed;
    copi_show_strategy(copi_strategy_name(sup->spec->strategy));
    int r = set_up_intensity(sup);
    r = r ? r : set_up_children(sup);
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

static cop_step
init(void *state, cop_bytes birth)
{
    struct copi_supervisor *sup = state;
    cop_trap_exits(true);
    copi_sys_hide_state();
    int r = take_spec(sup, birth);
    if (r) {
        return cop_stop(cop_failed(r, NULL));
    }
    cop_reason why;
    r = copi_init_ask(&sup->spec, arg_of(birth), &why);
    if (r) {
        return r == COP_IGNORE ? cop_ignore() : cop_stop(why);
    }
    return bring_up(sup);
}

/* ---------------------------------------------------------------- its life */

/* To a parent a shutdown like any other; a daemon's main() tells it apart by the code. */
static cop_step
give_up(struct copi_supervisor *sup)
{
    cop_reason reason = cop_failed(-ENOTRECOVERABLE, "reached_max_restart_intensity");
    if (sup->spec->give_up == COP_GIVE_UP_SHUTDOWN) {
        reason = (cop_reason){.kind = COP_SHUTDOWN, .code = -ENOTRECOVERABLE};
    }
    sup->ends_program = sup->spec->give_up == COP_GIVE_UP_PROGRAM;
    return cop_stop(reason);
}

static cop_step
step(struct copi_supervisor *sup, enum copi_outcome outcome)
{
    switch (outcome) {
    case COPI_GO_ON:
        break;
    case COPI_AUTO_SHUTDOWN:
        return cop_stop(COP_REASON_SHUTDOWN);
    case COPI_GIVE_UP:
        return give_up(sup);
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
    if (msg.tag != COPI_TRY_AGAIN || msg.body.size != sizeof(uint64_t)) {
        return drop(msg);
    }
    return step(state, copi_try_again(state, *COP_BODY(msg, uint64_t)));
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    if (msg.tag == COP_MSG_EXIT) {
        const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
        return step(state, copi_process_ended(state, exited->pid, &exited->reason));
    }
    if (msg.tag == COPI_PAUSE_OVER && msg.body.size == sizeof(uint64_t)) {
        return step(state, copi_pause_is_over(state, *COP_BODY(msg, uint64_t)));
    }
    return drop(msg);
}

static void
terminate(void *state, cop_reason reason)
{
    struct copi_supervisor *sup = state;
    copi_stop_all(sup);
    if (sup->ends_program) {
        copi_report_fatal("a supervisor gave up", &reason);
    }
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

/* The process's memory, because the start is an exit point. */
static int
start_with(cop_pid *out, uint64_t number, const cop_start_opts *opts)
{
    size_t size = sizeof(struct birth) + opts->arg.size;
    struct birth *birth = cop_alloc(size);
    if (!birth) {
        return -ENOMEM;
    }
    birth->number = number;
    if (opts->arg.size) {
        memcpy(birth->arg, opts->arg.data, opts->arg.size);
    }
    cop_start_opts mine = *opts;
    mine.arg = (cop_bytes){birth, size};
    int r = cop_genserver_start_with(out, &supervisor, &mine);
    cop_free(birth);
    return r;
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
    r = start_with(out, offer.number, opts);
    cop_undefer(copi_offer_withdraw, &offer, true);
    return r ? code_of_start(r) : 0;
}

int
cop_supervisor_start(cop_pid *out, const cop_supervisor_spec *spec)
{
    struct copi_process *self;
    struct copi_spec *copy;
    /* First: a thread without a process would forget why a specification is refused. */
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
                                     .via = copy->via,
                                     .link = spec->link,
                                 });
}

int
cop_supervisor_stop(cop_pid supervisor_pid, cop_time timeout)
{
    return cop_stop_process(supervisor_pid, COP_REASON_SHUTDOWN, timeout);
}
