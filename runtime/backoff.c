/*
 * runtime/backoff.c - how long to pause before another attempt.
 *
 * Room: runtime/. Arithmetic only: chance is an argument, so that a test can try every pause.
 * Touch freely: the numbers. Ask first: the jitter; without it, those that fell together over a
 * database come back to it together, for ever.
 */
#include "runtime/backoff.h"

/* min * 2^(attempts + 1), at most max. */
static cop_time
ceiling(const struct copi_backoff *backoff, unsigned attempts)
{
    cop_time top = backoff->min;
    for (unsigned i = 0; i <= attempts && top < backoff->max; i++) {
        top = top > backoff->max / 2 ? backoff->max : top * 2;
    }
    return top;
}

cop_time
copi_backoff_pause(const struct copi_backoff *backoff, unsigned attempts, uint64_t chance)
{
    cop_time top = ceiling(backoff, attempts);
    uint64_t choices = (uint64_t)(top - backoff->min) + 1;
    return backoff->min + (cop_time)(chance % choices);
}

bool
copi_backoff_is_healthy(const struct copi_backoff *backoff, cop_time lifetime)
{
    return lifetime >= backoff->max;
}
