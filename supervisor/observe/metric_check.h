/*
 * supervisor/observe/metric_check.h - what a metric may be.
 *
 * Room: supervisor/observe/. Pure functions.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_METRIC_CHECK_H
#define COPI_SUPERVISOR_OBSERVE_METRIC_CHECK_H

#include <coppice/metrics.h>
#include <coppice/reason.h>

enum copi_metric_kind {
    COPI_COUNTER,
    COPI_GAUGE,
    COPI_HISTOGRAM,
};

enum {
    COPI_METRIC_BOUNDS = 64, /* of a histogram */
};

/* 0, or -EINVAL and why. */
int copi_metric_check(enum copi_metric_kind kind, const cop_metric_opts *opts, cop_reason *why);

#endif
