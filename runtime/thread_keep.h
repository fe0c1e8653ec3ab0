/*
 * runtime/thread_keep.h - keeping a core awake while a chain of wake-ups is on.
 *
 * Room: runtime/, behind the seam. Any thread.
 */
#ifndef COPI_RUNTIME_THREAD_KEEP_H
#define COPI_RUNTIME_THREAD_KEEP_H

#include "runtime/thread.h"

/* Somebody who slept is woken. */
void copi_keep_count(void);

/* By who is about to park, who then looks at its parker once more: it returns when somebody has unparked it, when
 * there is nothing to keep any more, and in time for the deadline. */
void copi_keep_core(const struct copi_parker *parker, cop_time deadline);

/* How many keep a core, and how often somebody has begun to. */
uint32_t copi_keepers(void);
uint32_t copi_keeps(void);

/* ---------------------------------------------------------------- what it is made of */

/* Whether wake-ups follow each other closely. All zero: none has been counted. */
struct copi_chain {
    copi_atomic64 since;
    copi_atomic32 counted; /* until then */
};
bool copi_chain_is_on(struct copi_chain *chain, uint32_t wakes, cop_time now);

/* How long one keeps: each wake-up adds to it. */
struct copi_keep {
    cop_time until;
    uint32_t wakes;
};
void copi_keep_begin(struct copi_keep *keep, uint32_t wakes, cop_time now);
bool copi_keep_goes_on(struct copi_keep *keep, uint32_t wakes, cop_time now);

#endif
