/*
 * supervisor/intensity.c - how many restarts are too many.
 *
 * Room: supervisor/. Arithmetic only: no clock, no threads, no memory of its own, so that a test can
 * replay a year of crashes in a microsecond.
 * Touch freely: the bookkeeping. Ask first: the meaning of "too many"; it is OTP's, and users have
 * tuned their trees to it.
 *
 * Too many is more than max_restarts within the period, both ends included. So a restart is refused
 * when the one that lies max_restarts before it is still inside: nothing older can matter, and a ring
 * of max_restarts times is all there is to remember.
 */
#include "supervisor/intensity.h"

#include <assert.h>

static bool
is_inside(const struct copi_intensity *intensity, cop_time then, cop_time now)
{
    assert(now >= then); /* CLOCK_MONOTONIC, asked by one thread */
    return now - then <= intensity->period;
}

bool
copi_intensity_admit(struct copi_intensity *intensity, cop_time now)
{
    if (intensity->max_restarts == 0) {
        return false;
    }
    cop_time *oldest = &intensity->times[intensity->oldest];
    if (intensity->used == intensity->max_restarts) {
        if (is_inside(intensity, *oldest, now)) {
            return false; /* and not recorded: the supervisor is about to end */
        }
    } else {
        intensity->used++;
    }
    *oldest = now;
    intensity->oldest = (intensity->oldest + 1) % intensity->max_restarts;
    return true;
}

/* The i-th newest, from 0. */
static cop_time
newest(const struct copi_intensity *intensity, unsigned i)
{
    unsigned max = intensity->max_restarts;
    return intensity->times[(intensity->oldest + max - 1 - i) % max];
}

/* They are in order, so the first one outside is searched for by halves. */
unsigned
copi_intensity_recent(const struct copi_intensity *intensity, cop_time now)
{
    unsigned inside = 0, outside = intensity->used;
    while (inside < outside) {
        unsigned middle = inside + (outside - inside) / 2;
        if (is_inside(intensity, newest(intensity, middle), now)) {
            inside = middle + 1;
        } else {
            outside = middle;
        }
    }
    return inside;
}
