/*
 * actors/statem_step.c - a state machine's step: one event, and what follows from it.
 *
 * Room: actors/. Knows the runtime, and the genserver's steps.
 * Touch freely: nothing. Ask first: the order in which events are handled; it is gen_statem's, as
 * coppice/statem.h tells it, and tests/actors/test_statem_model.c holds it against a model.
 *
 * A message goes to the state's function in the callback that brought it. What is handled later is a
 * record, which is in exactly one of these queues, oldest first:
 *
 *   postponed   waits for a change of state
 *   next        is handled before any message: inserted events, retried ones, a timeout that fired
 *   inserted    what the function that runs has asked for: it joins `next` when the transition is done
 *   timeouts    three queues of their own; those that are due come when `next` is empty
 *
 * The genserver looks at its mailbox only when `next` and those that are due are empty: as long as they
 * are not, each step asks for handle_continue. So an event of ours is a callback like any other, with
 * deferred calls of its own. Its token carries the body, if that was moved: the body is then the
 * genserver's message in hand, cop_msg_take finds it there, and nobody else drops it. A function that
 * postpones the event takes the body back from the token. So a moved body has one owner at any time:
 * the record, or the message in hand.
 *
 * A request that is not answered when its callback returns is a debt of the server in any case
 * (runtime/request.c), so a postponed call needs nothing more than its record.
 *
 * What fails in a function of the user's is remembered, and stops the machine when the function has
 * returned: an action cannot leave it in the middle, and the function's own stop has the last word.
 */
#include "actors/statem_step.h"

#include "actors/sys.h"
#include "runtime/message.h"
#include "runtime/process.h"

#include <errno.h>

void
copi_machine_init(struct copi_machine *machine, const cop_statem *on)
{
    copi_events_init(&machine->postponed);
    copi_events_init(&machine->next);
    copi_events_init(&machine->inserted);
    copi_timeouts_init(&machine->timeouts);
    machine->on = on;
}

static void
release_current(struct copi_machine *machine)
{
    if (machine->current) {
        copi_event_release(machine->current);
        machine->current = NULL;
    }
}

void
copi_machine_release(struct copi_machine *machine)
{
    machine->place = COPI_ELSEWHERE;
    release_current(machine);
    copi_events_release(&machine->postponed);
    copi_events_release(&machine->next);
    copi_events_release(&machine->inserted);
    copi_timeouts_release(&machine->timeouts);
}

const char *
copi_state_name(const cop_state *state)
{
    return state && state->name ? state->name : "state";
}

void
copi_machine_set_state(struct copi_machine *machine, const cop_state *state)
{
    machine->state = state;
    copi_sys_show_state_name(copi_state_name(state));
}

/* ---------------------------------------------------------------- failing */

int
copi_machine_fail(struct copi_machine *machine, cop_reason reason)
{
    if (!machine->has_failed) {
        machine->has_failed = true;
        machine->failure = reason;
    }
    return copi_fail_why(&reason, reason.code);
}

/* In OTP's words. */
static const char *
where(const struct copi_machine *machine)
{
    return machine->place == COPI_IN_ENTER ? "state_enter_" : "";
}

int
copi_machine_fail_action(struct copi_machine *machine, const char *action)
{
    return copi_machine_fail(machine, cop_failed(-EINVAL, "{bad_%saction_from_state_function,%s}",
                                                 where(machine), action));
}

cop_step
copi_machine_stop(struct copi_machine *machine)
{
    machine->place = COPI_ELSEWHERE;
    return cop_stop(machine->has_failed ? machine->failure : copi_here.process->reasons->step);
}

/* ---------------------------------------------------------------- the state's functions */

static void
begin_function(struct copi_machine *machine, enum copi_statem_place place)
{
    machine->place = place;
    copi_callback_begin(copi_here.process, copi_state_name(machine->state));
}

static cop_transition
run_handle(struct copi_machine *machine, const cop_statem_event *event)
{
    if (!machine->state->handle) {
        const char *name = copi_state_name(machine->state);
        copi_machine_fail(machine, cop_failed(-ENOSYS, "{undef,%s}", name));
        return cop_statem_keep_state();
    }
    begin_function(machine, COPI_IN_HANDLE);
    return machine->state->handle(machine->data, event);
}

static cop_transition
run_enter(struct copi_machine *machine, const cop_state *old)
{
    if (!machine->state->enter) {
        return cop_statem_keep_state();
    }
    begin_function(machine, COPI_IN_ENTER);
    return machine->state->enter(machine->data, old);
}

static bool
may_be_next(const struct copi_machine *machine, const cop_state *state)
{
    return state && (machine->place != COPI_IN_ENTER || state == machine->state);
}

/* Whether the machine goes on after a function has returned this. */
static bool
goes_on(struct copi_machine *machine, cop_transition to)
{
    switch (to.next) {
    case COPI_STOP_MACHINE:
        machine->has_failed = false; /* it has a reason of its own */
        return false;
    case COPI_NEXT_STATE:
        if (!may_be_next(machine, to.state)) {
            const char *name = to.state ? copi_state_name(to.state) : "NULL";
            copi_machine_fail(
                machine, cop_failed(-EINVAL, "{bad_%sreturn_from_state_function,{next_state,%s}}",
                                    where(machine), name));
        }
        break;
    case COPI_KEEP_STATE:
    case COPI_REPEAT_STATE:
        break;
    default:
        copi_machine_fail(machine, cop_failed(-EINVAL, "{bad_%sreturn_from_state_function,%d}",
                                              where(machine), to.next));
    }
    return !machine->has_failed;
}

/* Enter the state, as often as it wants. */
static bool
enter(struct copi_machine *machine, const cop_state *old)
{
    cop_transition to;
    do {
        to = run_enter(machine, old);
        if (!goes_on(machine, to)) {
            return false;
        }
    } while (to.next == COPI_REPEAT_STATE);
    return true;
}

/* ---------------------------------------------------------------- to the next event */

/* The record waits in the machine, its moved body in the genserver. */
static cop_step
continue_with(struct copi_machine *machine, struct copi_kept_event *event)
{
    cop_msg token = COP_TAG(0);
    if (event->is.msg.drop) {
        token.body = event->is.msg.body;
        token.drop = event->is.msg.drop;
        event->is.msg.drop = NULL;
    }
    machine->current = event;
    return cop_ok_continue(token);
}

cop_step
copi_machine_go_on(struct copi_machine *machine)
{
    struct copi_event_queue *queue = machine->next.first ? &machine->next : &machine->timeouts.due;
    return queue->first ? continue_with(machine, copi_events_take_off(queue, &queue->first))
                        : cop_ok();
}

/* Everything that comes after the functions. */
static cop_step
settle(struct copi_machine *machine, const cop_state *old)
{
    machine->place = COPI_ELSEWHERE;
    if (machine->state != old) {
        copi_events_put_before(&machine->next, &machine->postponed);
        copi_timeouts_end(&machine->timeouts, COP_STATEM_STATE_TIMEOUT, NULL);
    }
    copi_timeouts_end(&machine->timeouts, COP_STATEM_EVENT_TIMEOUT, NULL);
    if (copi_timeouts_start(&machine->timeouts)) {
        copi_machine_fail(machine, cop_why());
        return copi_machine_stop(machine);
    }
    copi_events_put_before(&machine->next, &machine->inserted);
    return copi_machine_go_on(machine);
}

/* ---------------------------------------------------------------- one event */

/* The event in hand, for later. A body that its function has taken is gone. */
static int
postpone(struct copi_machine *machine, const cop_statem_event *event)
{
    struct copi_kept_event *kept = machine->current;
    machine->current = NULL;
    if (event->msg.drop && !copi_message_view(copi_here.process->current).drop) {
        machine->current = kept;
        return copi_machine_fail_action(machine, "postpone");
    }
    if (!kept && !(kept = copi_event_keep(event))) {
        return copi_machine_fail(machine, cop_failed(-ENOMEM, "no memory to postpone"));
    }
    if (event->msg.drop) {
        copi_event_take_body(kept, &event->msg);
    }
    copi_events_append(&machine->postponed, kept);
    return 0;
}

static bool
is_entered(const struct copi_machine *machine, cop_transition to)
{
    return to.next == COPI_REPEAT_STATE
           || (to.next == COPI_NEXT_STATE && to.state != machine->state);
}

static bool
follow(struct copi_machine *machine, cop_transition to)
{
    const cop_state *old = machine->state;
    if (!goes_on(machine, to)) {
        return false;
    }
    if (!is_entered(machine, to)) {
        return true;
    }
    if (to.next == COPI_NEXT_STATE) {
        copi_machine_set_state(machine, to.state);
    }
    return enter(machine, old);
}

cop_step
copi_machine_handle(struct copi_machine *machine, const cop_statem_event *event)
{
    const cop_state *old = machine->state;
    machine->postpone = false;
    if (!follow(machine, run_handle(machine, event))
        || (machine->postpone && postpone(machine, event))) {
        return copi_machine_stop(machine);
    }
    release_current(machine);
    return settle(machine, old);
}

cop_step
copi_machine_begin(struct copi_machine *machine)
{
    return enter(machine, machine->state) ? settle(machine, machine->state)
                                          : copi_machine_stop(machine);
}
