/*
 * actors/continuation.h - what is to be done when a future is settled.
 *
 * Room: actors/.
 */
#ifndef COPI_ACTORS_CONTINUATION_H
#define COPI_ACTORS_CONTINUATION_H

#include "actors/future.h"

/*
 * One thing to do. `run` is called once, in a worker, when `settled` is; a cop_exit in it comes back to
 * `failed`, instead. Afterwards `done` is called, in any case, and may free it.
 */
struct copi_continuation {
    struct copi_continuation *next;
    const struct copi_continuation_kind {
        void (*run)(struct copi_continuation *continuation, cop_future *settled);
        void (*failed)(struct copi_continuation *continuation, const cop_reason *why);
        void (*done)(struct copi_continuation *continuation, const cop_future *settled);
    } * kind;
    copi_atomic32 leavers; /* of its worker and who disowned that: continuation.c */
};

/* Any thread: let it run when the future is settled, after those that were registered before. */
void copi_future_continue(cop_future *future, struct copi_continuation *continuation);

/* The future is settled, and others see that: let what waits for that run. */
void copi_continuations_due(cop_future *future);

#endif
