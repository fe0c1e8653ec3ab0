/*
 * actors/statem.c - state machines: the genserver that each is, and its start.
 *
 * Room: actors/. Knows the runtime, and stands on the genserver.
 * Touch freely: the words of the report. Ask first: what a start promises; it is gen_statem's.
 *
 * A machine is a genserver with a state block of its own, in front of the user's data. Its parts:
 *
 *   statem            its callbacks and its start
 *   statem_step       one event: the state's functions, and what follows from them
 *   statem_actions    what these functions return and ask for
 *   statem_timeouts   timeouts, from the wish to the event
 *   statem_events     events that are kept, and their bodies
 *
 * init runs inside the genserver's; the first state is entered in the handle_continue that comes next,
 * when the starter has its answer.
 */
#include "actors/statem.h"

#include "actors/genserver.h"
#include "actors/statem_step.h"
#include "actors/sys.h"
#include "runtime/alloc.h"
#include "runtime/inspect.h"
#include "runtime/memory.h"
#include "runtime/report.h"

#include <errno.h>

/* The start of the genserver's argument; the machine's follows. */
struct start {
    const cop_statem *on;
    size_t arg_size;
};

/* ---------------------------------------------------------------- init */

static void
release(void *machine)
{
    copi_machine_release(machine);
}

static int
set_up(struct copi_machine *machine, const cop_statem *on)
{
    copi_machine_init(machine, on);
    if (on->data_size > 0 && !(machine->data = copi_memory_new(copi_here.process, on->data_size))) {
        return -ENOMEM;
    }
    copi_sys_show_machine(on->type, machine->data, on->data_size);
    return cop_at_exit(release, machine);
}

static cop_transition
run_init(struct copi_machine *machine, const struct start *start)
{
    if (!machine->on->init) {
        return cop_statem_keep_state();
    }
    const void *arg = start->arg_size ? start + 1 : NULL;
    machine->place = COPI_IN_INIT;
    cop_transition to = machine->on->init(machine->data, (cop_bytes){arg, start->arg_size});
    machine->place = COPI_ELSEWHERE;
    return to;
}

/* Where it starts, as init has said. */
static const cop_state *
first_state(const struct copi_machine *machine, cop_transition to)
{
    switch (to.next) {
    case COPI_NEXT_STATE:
        return to.state;
    case COPI_KEEP_STATE:
        return machine->on->initial;
    default:
        return NULL;
    }
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct copi_machine *machine = state;
    const struct start *start = arg.data;
    int r = set_up(machine, start->on);
    if (r) {
        return cop_stop(cop_failed(r, "no memory for the data"));
    }
    cop_transition to = run_init(machine, start);
    if (to.next == COPI_IGNORE_START) {
        return cop_ignore();
    }
    if (to.next == COPI_STOP_MACHINE) {
        machine->has_failed = false; /* it has a reason of its own */
        return copi_machine_stop(machine);
    }
    const cop_state *first = first_state(machine, to);
    if (!first) {
        copi_machine_fail(machine, cop_failed(-EINVAL, "{bad_return_from_init,%d}", to.next));
    }
    copi_machine_set_state(machine, first);
    return machine->has_failed ? copi_machine_stop(machine) : cop_ok_continue(COP_TAG(0));
}

/* ---------------------------------------------------------------- the other callbacks */

static cop_step
handle_message(struct copi_machine *machine, cop_statem_kind kind, cop_from from, cop_msg msg)
{
    msg.drop = copi_is_moved(&msg) ? msg.drop : NULL;
    return copi_machine_handle(machine,
                               &(cop_statem_event){.kind = kind, .msg = msg, .from = from});
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    return handle_message(state, COP_STATEM_CALL, from, request);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    return handle_message(state, COP_STATEM_CAST, (cop_from){0}, msg);
}

/* Nothing comes of a timeout that was ended after its timer had fired. */
static cop_step
handle_tick(struct copi_machine *machine, const cop_msg *tick)
{
    struct copi_kept_event *timeout = copi_timeouts_fired(&machine->timeouts, tick);
    if (timeout) {
        copi_events_append(&machine->next, timeout);
    }
    return copi_machine_go_on(machine);
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct copi_machine *machine = state;
    if (copi_timeouts_is_tick(&machine->timeouts, &msg)) {
        return handle_tick(machine, &msg);
    }
    return handle_message(machine, COP_STATEM_INFO, (cop_from){0}, msg);
}

/* The first one is the start: the first state is entered. */
static cop_step
handle_continue(void *state, cop_msg token)
{
    struct copi_machine *machine = state;
    cop_checkpoint(); /* a machine that feeds itself is to be reached by a kill */
    if (!machine->current) {
        return copi_machine_begin(machine);
    }
    cop_statem_event event = machine->current->is;
    event.msg.drop = token.drop;
    return copi_machine_handle(machine, &event);
}

static void
terminate(void *state, cop_reason reason)
{
    struct copi_machine *machine = state;
    machine->place = COPI_ELSEWHERE;
    copi_here.process->shown.postponed = copi_events_count(&machine->postponed);
    if (machine->on->terminate) {
        machine->on->terminate(machine->data, machine->state, reason);
    }
}

static const cop_genserver server = {
    .state_size = sizeof(struct copi_machine),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .handle_continue = handle_continue,
    .terminate = terminate,
};

static const struct copi_behaviour behaviour = COPI_GENSERVER_CALLED("state machine");

struct copi_machine *
copi_machine_here(void)
{
    const struct copi_process *self = copi_here.process;
    struct copi_machine *machine = self && self->what == &server ? self->state : NULL;
    return machine && machine->place != COPI_ELSEWHERE ? machine : NULL;
}

/* ---------------------------------------------------------------- starting */

static struct start *
pack(const cop_statem *machine, cop_bytes arg, size_t *size)
{
    *size = sizeof(struct start) + arg.size;
    struct start *start = copi_alloc(*size);
    if (start) {
        *start = (struct start){machine, arg.size};
        if (arg.size > 0) {
            memcpy(start + 1, arg.data, arg.size);
        }
    }
    return start;
}

int
cop_statem_start_with(cop_pid *out, const cop_statem *machine, const cop_start_opts *opts)
{
    cop_bytes arg = copi_start_opts(opts).arg;
    if (!machine || (!machine->initial && !machine->init) || (arg.size > 0 && !arg.data)) {
        return copi_fail(-EINVAL);
    }
    size_t size;
    struct start *start = pack(machine, arg, &size);
    return start ? copi_genserver_start(out, &behaviour, &server, start, size, opts)
                 : copi_fail(-ENOMEM);
}
