/*
 * coppice/metrics.h - what a program counts of itself, for Prometheus to read.
 *
 * Three kinds: a counter only grows, a gauge goes up and down, a histogram says how values are
 * distributed. Any thread updates them, without a lock and without waiting; cop_metrics_text writes all
 * of them, and the library's own figures, as Prometheus expects them. coppice-web serves that over HTTP.
 *
 *     static cop_counter *hits;
 *
 *     static cop_step init(void *state, cop_bytes arg)
 *     {
 *         cop_counter_new(&hits, .name = "kv_hits_total", .help = "Keys that were found.");
 *         ...
 *         cop_counter_add(hits, 1);
 *
 * A metric is the program's, not that of the process that has made it: it lives until the program ends,
 * and who makes one that is there already, as the next incarnation of a server does, gets the same. Without
 * memory for it the pointer stays NULL, and updates of NULL do nothing: so nobody has to look.
 *
 * When not to use one: for what is different every time, such as a user or a key, as a label. Each set of
 * labels is a series of its own, kept for good here and in Prometheus.
 */
#ifndef COPPICE_METRICS_H
#define COPPICE_METRICS_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_counter cop_counter;
typedef struct cop_gauge cop_gauge;
typedef struct cop_histogram cop_histogram;

typedef struct cop_metric_opts {
    size_t size; /* set by the macros */
    /* Letters, digits, _ and :, no digit first. A counter's ends in _total, another's in none of _total,
     * _sum, _count, _bucket. "coppice_" and "process_" are the library's. */
    const char *name;
    const char *help; /* a sentence; not empty */
    /* Names and values by turns, then NULL: see COP_LABELS. NULL: none. */
    const char *const *labels;
    /* What is counted is a cop_time, in nanoseconds as everywhere, and told in seconds, as Prometheus wants
     * it. The name says so: kv_request_seconds. */
    bool seconds;
    /* A histogram's: the upper ends of its buckets, rising, 64 at most. None: from 10 us to 10 s if it is
     * seconds, else the powers of ten from 1 to 10^9. */
    const int64_t *bounds;
    size_t bound_count;
} cop_metric_opts;
#define COP_LABELS(...)          \
 .labels = (const char *const[]) \
 {                               \
  __VA_ARGS__, NULL              \
 }
#define COP_BOUNDS(...)                    \
 .bounds = (const int64_t[]){__VA_ARGS__}, \
 .bound_count = sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

/*
 * Make a metric, or find it: of the same name and labels there is one.
 *
 *   out   the metric, which is never freed
 *
 * -EINVAL   no options, a name, a label or bounds that cannot be: cop_why() names what
 * -EEXIST   the name is that of a metric with another kind, help, unit, bounds or names of labels
 * -ENOSPC   there are ten thousand series: a label's value is different every time
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_counter_new_with(cop_counter **out, const cop_metric_opts *opts);
COP_API int cop_gauge_new_with(cop_gauge **out, const cop_metric_opts *opts);
COP_API int cop_histogram_new_with(cop_histogram **out, const cop_metric_opts *opts);
/* cop_counter_new(out, options...) */
#define cop_counter_new(out, ...) \
 cop_counter_new_with((out), &(cop_metric_opts){.size = sizeof(cop_metric_opts), __VA_ARGS__})
#define cop_gauge_new(out, ...) \
 cop_gauge_new_with((out), &(cop_metric_opts){.size = sizeof(cop_metric_opts), __VA_ARGS__})
#define cop_histogram_new(out, ...) \
 cop_histogram_new_with((out), &(cop_metric_opts){.size = sizeof(cop_metric_opts), __VA_ARGS__})

/*
 * Updates: an atomic addition or store, two for a histogram. NULL: nothing.
 *
 * Threads: any, also from deferred calls and drop functions.  Do not block.  Exit point: no.
 */
COP_API void cop_counter_add(cop_counter *counter, int64_t n); /* n < 0: nothing */
COP_API void cop_gauge_add(cop_gauge *gauge, int64_t n);
COP_API void cop_gauge_set(cop_gauge *gauge, int64_t value);
COP_API void cop_histogram_observe(cop_histogram *histogram, int64_t value);

/*
 * All metrics in Prometheus' text format, version 0.0.4: the library's own, whose names begin with
 * "coppice_" and "process_", then the program's. Values that change meanwhile are read one after the
 * other. A named process has series of its own, the first COP_METRICS_NAMED of them.
 *
 *   out    the text, terminated; the caller's, to free()
 *   size   without the 0; NULL: not wanted
 *
 * -ENOMEM
 * -EPERM    in the child of a fork
 *
 * Threads: any.  Waits for no process.  Exit point: no.
 */
COP_API int cop_metrics_text(char **out, size_t *size);
#define COP_METRICS_NAMED 256

#ifdef __cplusplus
}
#endif
#endif
