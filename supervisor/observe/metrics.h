/*
 * supervisor/observe/metrics.h - the program's metrics, as they are kept.
 *
 * Room: supervisor/observe/. Any thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_METRICS_H
#define COPI_SUPERVISOR_OBSERVE_METRICS_H

#include "runtime/atomic.h"
#include "runtime/set.h"
#include "supervisor/observe/metric_check.h"
#include "supervisor/observe/text.h"

#include <stdalign.h>

enum {
    COPI_METRIC_SERIES = 10000, /* of the whole program */
    COPI_CACHE_LINE = 64,
};

/* What the caller gets is the value of a series, on lines of its own: neighbours do not fight for it. */
struct cop_counter {
    alignas(COPI_CACHE_LINE) copi_atomic64 value; /* any thread, atomic */
};

struct cop_gauge {
    alignas(COPI_CACHE_LINE) copi_atomic64 value; /* any thread, atomic; an int64_t */
};

struct cop_histogram {
    alignas(COPI_CACHE_LINE) copi_atomic64 sum; /* any thread, atomic; an int64_t */
    const int64_t *bounds;                      /* constant */
    size_t bound_count;
    copi_atomic64 buckets[]; /* one for each bound, and one for what is above them all; atomic */
};

struct copi_series {
    struct copi_set_member member; /* by family and labels */
    struct copi_series *next;      /* of its family, in the order in which they were made */
    void *value;                   /* a cop_counter, a cop_gauge or a cop_histogram */
    char *labels;                  /* as text: a="b",c="d"; empty: none */
    char key[];                    /* name{labels} */
};

struct copi_family {
    struct copi_family *next; /* guarded by the registry's lock */
    struct copi_series *first, **last;
    /* constant */
    enum copi_metric_kind kind;
    bool seconds;
    size_t bound_count;
    char *name, *help;
    char *label_names; /* joined by commas */
    int64_t bounds[];
};

/* Visit all families, under the lock: nothing is made meanwhile. Their values change. */
void copi_metrics_visit(void (*visit)(const struct copi_family *family, void *env), void *env);

#endif
