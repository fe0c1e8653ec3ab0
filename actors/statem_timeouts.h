/*
 * actors/statem_timeouts.h - the timeouts of a state machine.
 *
 * Room: actors/. State machines only; all of it in the machine's own process.
 */
#ifndef COPI_ACTORS_STATEM_TIMEOUTS_H
#define COPI_ACTORS_STATEM_TIMEOUTS_H

#include "actors/statem_events.h"

struct copi_timeouts {
    struct copi_event_queue asked;   /* for by the function that runs; start with the transition */
    struct copi_event_queue running; /* have a timer */
    struct copi_event_queue due; /* those of 0: they are the next events when there is no other */
    uint64_t last_number;        /* of a timer */
};

void copi_timeouts_init(struct copi_timeouts *timeouts);

/* However it ends: no timeout is left. */
void copi_timeouts_release(struct copi_timeouts *timeouts);

/* Start this one with the transition, after its `after`; of several for the same, the last counts. */
void copi_timeouts_ask(struct copi_timeouts *timeouts, struct copi_kept_event *event);

/* Start what was asked for. 0, or why a timer could not be had; cop_why has it, too. */
int copi_timeouts_start(struct copi_timeouts *timeouts);

/* It does not come any more, also if its timer has fired. `name`: of a COP_STATEM_TIMEOUT. */
void copi_timeouts_end(struct copi_timeouts *timeouts, cop_statem_kind kind, const char *name);

/* Whether the message is one of these timers', to be given to copi_timeouts_fired. */
bool copi_timeouts_is_tick(const struct copi_timeouts *timeouts, const cop_msg *msg);

/* The event that has come by it. NULL: it was ended after its timer had fired. */
struct copi_kept_event *copi_timeouts_fired(struct copi_timeouts *timeouts, const cop_msg *msg);

#endif
