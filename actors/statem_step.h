/*
 * actors/statem_step.h - a state machine's record, and its step: one event.
 *
 * Room: actors/. State machines only; all of it in the machine's own process.
 */
#ifndef COPI_ACTORS_STATEM_STEP_H
#define COPI_ACTORS_STATEM_STEP_H

#include "actors/statem_timeouts.h"

/* A transition's `next`. Not small numbers: one that no function here has made is to be noticed. */
enum copi_statem_next {
    COPI_KEEP_STATE = 0x57a7e,
    COPI_NEXT_STATE,
    COPI_REPEAT_STATE,
    COPI_STOP_MACHINE,
    COPI_IGNORE_START,
};

/* Which function of the user's runs; decides what may be asked for. */
enum copi_statem_place {
    COPI_ELSEWHERE,
    COPI_IN_INIT,
    COPI_IN_HANDLE,
    COPI_IN_ENTER,
};

/* The genserver's state. */
struct copi_machine {
    const cop_statem *on;
    void *data;
    const cop_state *state;
    struct copi_event_queue postponed; /* wait for a change of state */
    struct copi_event_queue next;      /* are handled before any message */
    struct copi_timeouts timeouts;
    struct copi_kept_event *current; /* it is handled; NULL: a message is */
    /* of the function that runs, and of what it has asked for until the transition is done */
    enum copi_statem_place place;
    struct copi_event_queue inserted;
    bool postpone, has_failed;
    cop_reason failure;
};

void copi_machine_init(struct copi_machine *machine, const cop_statem *on);

/* However it ends: no event is left. */
void copi_machine_release(struct copi_machine *machine);

/* The state is another one now. */
void copi_machine_set_state(struct copi_machine *machine, const cop_state *state);

/* Enter the first state, and do what init has asked for. */
cop_step copi_machine_begin(struct copi_machine *machine);

/* Handle an event, which is a message, or machine->current with its body. */
cop_step copi_machine_handle(struct copi_machine *machine, const cop_statem_event *event);

/* On to the next event: one of ours, or else a message. */
cop_step copi_machine_go_on(struct copi_machine *machine);

/* The machine will stop when the function returns; of several failures, with the first. Returns the
 * reason's code, for the function. */
int copi_machine_fail(struct copi_machine *machine, cop_reason reason);

/* The same for an action that is wrong, or not allowed there. */
int copi_machine_fail_action(struct copi_machine *machine, const char *action);

/* Stop with the failure, if there is one, else with the reason of cop_statem_stop. */
cop_step copi_machine_stop(struct copi_machine *machine);

/* For people, whatever the user has given. */
const char *copi_state_name(const cop_state *state);

#endif
