/*
 * runtime/backoff.h - how long to pause before another attempt.
 *
 * Room: runtime/. Arithmetic only. Any thread.
 */
#ifndef COPI_RUNTIME_BACKOFF_H
#define COPI_RUNTIME_BACKOFF_H

#include <coppice/base.h>

struct copi_backoff {
    cop_time min, max; /* 0 <= min <= max; 0: no pauses */
};

/* The pause before the attempt that follows `attempts` others; `chance` is any number. */
cop_time copi_backoff_pause(const struct copi_backoff *backoff, unsigned attempts, uint64_t chance);

/* Whether who has lived so long starts from the beginning. */
bool copi_backoff_is_healthy(const struct copi_backoff *backoff, cop_time lifetime);

#endif
