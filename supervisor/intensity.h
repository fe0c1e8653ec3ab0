/*
 * supervisor/intensity.h - how many restarts are too many.
 *
 * Room: supervisor/. Arithmetic only. One thread.
 */
#ifndef COPI_SUPERVISOR_INTENSITY_H
#define COPI_SUPERVISOR_INTENSITY_H

#include <coppice/base.h>

struct copi_intensity {
    cop_time *times; /* borrowed: room for max_restarts */
    unsigned max_restarts;
    cop_time period;
    unsigned used, oldest; /* times[oldest] is the next to be overwritten once all are used */
};

/* Count a restart at `now`, of a clock that never goes back. false: it is one too many. */
bool copi_intensity_admit(struct copi_intensity *intensity, cop_time now);

/* How many restarts that were counted lie within the period before `now`. */
unsigned copi_intensity_recent(const struct copi_intensity *intensity, cop_time now);

#endif
