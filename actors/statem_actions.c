/*
 * actors/statem_actions.c - what the functions of a state machine return, and what else they ask for.
 *
 * Room: actors/. Knows the runtime.
 * Touch freely: how an action is checked. Ask first: what becomes of a body; the words of a refusal,
 * which are OTP's.
 *
 * An action does nothing but note the wish in the machine's record: all happens when the function has
 * returned, in the order of statem_step.c. What it is given is the machine's from the call on, refused
 * or not, so that nobody needs to look at its result: a body that was moved is kept or dropped.
 */
#include "actors/statem.h"
#include "actors/statem_step.h"
#include "runtime/process.h"

#include <errno.h>

/* ---------------------------------------------------------------- transitions */

cop_transition
cop_statem_keep_state(void)
{
    return (cop_transition){.next = COPI_KEEP_STATE};
}

cop_transition
cop_statem_next_state(const cop_state *state)
{
    return (cop_transition){.next = COPI_NEXT_STATE, .state = state};
}

cop_transition
cop_statem_repeat_state(void)
{
    return (cop_transition){.next = COPI_REPEAT_STATE};
}

cop_transition
cop_statem_stop(cop_reason reason)
{
    (void)cop_stop(reason); /* which leaves it in the process */
    return (cop_transition){.next = COPI_STOP_MACHINE};
}

cop_transition
cop_statem_ignore(void)
{
    return (cop_transition){.next = COPI_IGNORE_START};
}

/* ---------------------------------------------------------------- an event that is asked for */

static bool
has_body(const cop_msg *msg)
{
    return msg->body.data || (msg->body.size == 0 && !msg->drop);
}

static bool
is_whole(const cop_statem_event *event)
{
    return event->kind >= COP_STATEM_CALL && event->kind <= COP_STATEM_TIMEOUT
           && (event->kind != COP_STATEM_TIMEOUT || event->name) && has_body(&event->msg);
}

/* Of the user's, or in the process's hands. */
static void
let_go(cop_msg content)
{
    cop_msg gone = content;
    if (copi_is_moved(&gone)) {
        cop_msg_take(&content);
    }
    if (gone.body.data) {
        cop_msg_release(&gone);
    }
}

/* Its body is taken in any case. NULL: no memory, and the machine fails. */
static struct copi_kept_event *
keep(struct copi_machine *machine, const cop_statem_event *event)
{
    struct copi_kept_event *kept = copi_event_keep(event);
    if (!kept) {
        copi_machine_fail(machine, cop_failed(-ENOMEM, "no memory for an event"));
    }
    if (!kept || !copi_is_moved(&event->msg)) {
        let_go(event->msg);
    }
    return kept;
}

static int
refuse(struct copi_machine *machine, const cop_statem_event *event, const char *action)
{
    let_go(event->msg);
    return machine ? copi_machine_fail_action(machine, action) : copi_fail(-EPERM);
}

/* ---------------------------------------------------------------- events */

int
cop_statem_postpone(void)
{
    struct copi_machine *machine = copi_machine_here();
    if (!machine) {
        return copi_fail(-EPERM);
    }
    if (machine->place == COPI_IN_ENTER) {
        return copi_machine_fail_action(machine, "postpone");
    }
    machine->postpone = true;
    return 0;
}

int
cop_statem_next_event_as(const cop_statem_event *event)
{
    struct copi_machine *machine = copi_machine_here();
    if (!machine || machine->place == COPI_IN_ENTER || !is_whole(event)) {
        return refuse(machine, event, "next_event");
    }
    struct copi_kept_event *kept = keep(machine, event);
    if (!kept) {
        return -ENOMEM;
    }
    copi_events_append(&machine->inserted, kept);
    return 0;
}

int
cop_statem_next_event(cop_msg content)
{
    return cop_statem_next_event_as(
        &(cop_statem_event){.kind = COP_STATEM_INTERNAL, .msg = content});
}

/* ---------------------------------------------------------------- timeouts */

static int
ask_for_timeout(const char *action, const cop_statem_event *event, cop_time after)
{
    struct copi_machine *machine = copi_machine_here();
    bool is_time = after >= 0 || after == COP_STATEM_UPDATE;
    if (!machine || !is_time || !is_whole(event)) {
        return refuse(machine, event, action);
    }
    struct copi_kept_event *kept = keep(machine, event);
    if (!kept) {
        return -ENOMEM;
    }
    kept->after = after;
    copi_timeouts_ask(&machine->timeouts, kept);
    return 0;
}

int
cop_statem_state_timeout(cop_time after, cop_msg content)
{
    return ask_for_timeout("state_timeout",
                           &(cop_statem_event){.kind = COP_STATEM_STATE_TIMEOUT, .msg = content},
                           after);
}

int
cop_statem_event_timeout(cop_time after, cop_msg content)
{
    return ask_for_timeout(
        "timeout", &(cop_statem_event){.kind = COP_STATEM_EVENT_TIMEOUT, .msg = content}, after);
}

int
cop_statem_timeout(const char *name, cop_time after, cop_msg content)
{
    return ask_for_timeout(
        "timeout", &(cop_statem_event){.kind = COP_STATEM_TIMEOUT, .msg = content, .name = name},
        after);
}
