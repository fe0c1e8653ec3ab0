/*
 * supervisor/observe/metrics.c - what a program counts of itself.
 *
 * Room: supervisor/observe/. Any thread.
 * Touch freely: the limits, the bounds that are used where none are given. Ask first: that a series is
 * never freed.
 *
 * A series is a set of cells that everybody adds to by an atomic addition. On one core that is as cheap
 * as it can be, about five nanoseconds; where many cores count one thing all the time it costs them what
 * a line costs that moves between them, tens of nanoseconds, which a message between them costs, too. A cell for
 * each thread would spare that, at the price of a look-up at each update and of a walk over all threads
 * at each reading; who needs it counts in his own state and adds now and then.
 *
 *   cells       atomic, all relaxed in effect: a count leads to no object. Who reads sees each cell at some
 *               moment; a histogram's sum may be one observation ahead of its buckets, or behind
 *   families, series, their order    guarded by the lock, and only ever added to
 *   a pointer to a series            good for ever, so updates need neither the lock nor a reference
 *
 * A series is found by its text, "name{a="b"}": the same bytes are the same series. The lock is held while
 * memory is taken and while texts are compared, never while user code runs.
 */
#include "supervisor/observe/metrics.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/thread.h"
#include "supervisor/observe/escape.h"

#include <errno.h>
#include <stdlib.h>

static struct {
    copi_lock lock;
    struct copi_set series;
    struct copi_family *first, **last; /* guarded by it */
} metrics = {.lock = COPI_LOCK_INIT};

static const int64_t seconds_bounds[] = {
    COP_US(10), COP_US(100), COP_US(500), COP_MS(1),  COP_MS(5),  COP_MS(10),
    COP_MS(50), COP_MS(100), COP_MS(500), COP_SEC(1), COP_SEC(5), COP_SEC(10),
};
static const int64_t count_bounds[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
};

/* ---------------------------------------------------------------- updates */

void
cop_counter_add(cop_counter *counter, int64_t n)
{
    if (counter && n > 0) {
        copi_fetch_add_64(&counter->value, (uint64_t)n);
    }
}

void
cop_gauge_add(cop_gauge *gauge, int64_t n)
{
    if (gauge) {
        copi_fetch_add_64(&gauge->value, (uint64_t)n);
    }
}

void
cop_gauge_set(cop_gauge *gauge, int64_t value)
{
    if (gauge) {
        copi_store_relaxed_64(&gauge->value, (uint64_t)value);
    }
}

void
cop_histogram_observe(cop_histogram *histogram, int64_t value)
{
    if (!histogram) {
        return;
    }
    size_t bucket = 0;
    while (bucket < histogram->bound_count && value > histogram->bounds[bucket]) {
        bucket++;
    }
    copi_fetch_add_64(&histogram->buckets[bucket], 1);
    copi_fetch_add_64(&histogram->sum, (uint64_t)value);
}

/* ---------------------------------------------------------------- families */

static void
free_family(struct copi_family *family)
{
    if (family) {
        free(family->name);
        free(family->help);
        free(family->label_names);
        free(family);
    }
}

/* NULL: no memory. */
static char *
join_label_names(const cop_metric_opts *opts)
{
    struct copi_text text = {0};
    char *out = NULL;
    size_t size;
    for (size_t i = 0; opts->labels && opts->labels[i]; i += 2) {
        copi_text_string(&text, opts->labels[i]);
        copi_text_char(&text, ',');
    }
    return copi_text_take(&text, &out, &size) == 0 ? out : NULL;
}

static struct copi_family *
new_family(enum copi_metric_kind kind, const cop_metric_opts *opts)
{
    size_t size = opts->bound_count * sizeof *opts->bounds;
    struct copi_family *family = copi_zalloc(sizeof *family + size);
    if (!family) {
        return NULL;
    }
    family->kind = kind;
    family->seconds = opts->seconds;
    family->bound_count = opts->bound_count;
    if (size > 0) {
        memcpy(family->bounds, opts->bounds, size);
    }
    family->last = &family->first;
    family->name = copi_strdup(opts->name);
    family->help = copi_strdup(opts->help);
    family->label_names = join_label_names(opts);
    if (!family->name || !family->help || !family->label_names) {
        free_family(family);
        return NULL;
    }
    return family;
}

static struct copi_family *
find_family_locked(const char *name)
{
    struct copi_family *family = metrics.first;
    while (family && strcmp(family->name, name) != 0) {
        family = family->next;
    }
    return family;
}

/* Whether a series with these options belongs to it. */
static bool
is_of_family(const struct copi_family *family, const struct copi_family *wanted)
{
    return family->kind == wanted->kind && family->seconds == wanted->seconds
           && strcmp(family->help, wanted->help) == 0
           && strcmp(family->label_names, wanted->label_names) == 0
           && family->bound_count == wanted->bound_count
           && (wanted->bound_count == 0
               || memcmp(family->bounds, wanted->bounds,
                         wanted->bound_count * sizeof *wanted->bounds)
                      == 0);
}

static void
add_family_locked(struct copi_family *family)
{
    if (!metrics.last) {
        metrics.last = &metrics.first;
    }
    *metrics.last = family;
    metrics.last = &family->next;
}

/* ---------------------------------------------------------------- series */

static void
free_series(struct copi_series *series)
{
    if (series) {
        free(series->value);
        free(series->labels);
        free(series);
    }
}

/* a="b",c="d". NULL: no memory. */
static char *
labels_as_text(const cop_metric_opts *opts)
{
    struct copi_text text = {0};
    char *out = NULL;
    size_t size;
    for (size_t i = 0; opts->labels && opts->labels[i]; i += 2) {
        copi_text_string(&text, i > 0 ? "," : "");
        copi_text_string(&text, opts->labels[i]);
        copi_text_string(&text, "=\"");
        copi_text_escaped(&text, opts->labels[i + 1], COPI_ESCAPE_LABEL);
        copi_text_char(&text, '"');
    }
    return copi_text_take(&text, &out, &size) == 0 ? out : NULL;
}

static void *
new_value(const struct copi_family *family)
{
    size_t size = sizeof(cop_counter);
    if (family->kind == COPI_HISTOGRAM) {
        size = sizeof(cop_histogram) + (family->bound_count + 1) * sizeof(copi_atomic64);
        size = (size + COPI_CACHE_LINE - 1) / COPI_CACHE_LINE * COPI_CACHE_LINE;
    }
    void *value = copi_aligned_alloc(COPI_CACHE_LINE, size);
    return value ? memset(value, 0, size) : NULL;
}

/* With all but its family, which is known when it is found to be the first of its kind. */
static struct copi_series *
new_series(const struct copi_family *wanted, const cop_metric_opts *opts)
{
    char *labels = labels_as_text(opts);
    size_t name_size = strlen(wanted->name), size = labels ? strlen(labels) : 0;
    struct copi_series *series = labels ? copi_zalloc(sizeof *series + name_size + size + 2) : NULL;
    if (!series) {
        free(labels);
        return NULL;
    }
    series->labels = labels;
    memcpy(series->key, wanted->name, name_size);
    series->key[name_size] = '{';
    memcpy(series->key + name_size + 1, labels, size);
    series->member.key = (cop_bytes){series->key, name_size + 1 + size};
    series->member.hash = copi_hash(series->member.key, 0);
    series->value = new_value(wanted);
    if (!series->value) {
        free_series(series);
        return NULL;
    }
    return series;
}

static void
enter_series(struct copi_family *family, struct copi_series *series)
{
    if (family->kind == COPI_HISTOGRAM) {
        cop_histogram *histogram = series->value;
        histogram->bounds = family->bounds;
        histogram->bound_count = family->bound_count;
    }
    *family->last = series;
    family->last = &series->next;
}

/* ---------------------------------------------------------------- making */

/* What is not taken into the registry is NULL afterwards: the other two stay the caller's. */
static int
enter_locked(struct copi_family **wanted, struct copi_series **made, void **out)
{
    struct copi_family *family = find_family_locked((*wanted)->name);
    if (family && !is_of_family(family, *wanted)) {
        return -EEXIST;
    }
    struct copi_set_member *there =
        copi_set_find(&metrics.series, (*made)->member.hash, (*made)->member.key);
    if (there) {
        *out = ((struct copi_series *)there)->value;
        return 0;
    }
    if (metrics.series.count >= COPI_METRIC_SERIES) {
        return -ENOSPC;
    }
    int r = copi_set_add(&metrics.series, &(*made)->member);
    if (r) {
        return r;
    }
    if (!family) {
        family = *wanted;
        add_family_locked(family);
        *wanted = NULL;
    }
    enter_series(family, *made);
    *out = (*made)->value;
    *made = NULL;
    return 0;
}

static int
make(enum copi_metric_kind kind, const cop_metric_opts *opts, void **out)
{
    struct copi_family *family = new_family(kind, opts);
    struct copi_series *series = family ? new_series(family, opts) : NULL;
    int r = -ENOMEM;
    if (series) {
        copi_lock_take(&metrics.lock);
        r = enter_locked(&family, &series, out);
        copi_lock_give(&metrics.lock);
    }
    free_series(series);
    free_family(family);
    return r;
}

/* What a caller's struct of another size has not, is zero. */
static cop_metric_opts
filled_in(enum copi_metric_kind kind, const cop_metric_opts *given)
{
    cop_metric_opts opts = {0};
    if (given) {
        memcpy(&opts, given, given->size < sizeof opts ? given->size : sizeof opts);
    }
    if (kind == COPI_HISTOGRAM && opts.bound_count == 0) {
        opts.bounds = opts.seconds ? seconds_bounds : count_bounds;
        opts.bound_count = opts.seconds ? sizeof seconds_bounds / sizeof *seconds_bounds
                                        : sizeof count_bounds / sizeof *count_bounds;
    }
    return opts;
}

static int
new_metric(enum copi_metric_kind kind, const cop_metric_opts *given, void **out)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    cop_metric_opts opts = filled_in(kind, given);
    cop_reason why = {0};
    int r = copi_metric_check(kind, &opts, &why);
    if (r) {
        return copi_fail_why(&why, r);
    }
    r = make(kind, &opts, out);
    if (r == -EEXIST || r == -ENOSPC) {
        why = cop_failed(r, "metric %s: %s", opts.name,
                         r == -EEXIST ? "there is one of another kind" : "too many series");
        return copi_fail_why(&why, r);
    }
    return r ? copi_fail(r) : 0;
}

int
cop_counter_new_with(cop_counter **out, const cop_metric_opts *opts)
{
    void *made = NULL;
    int r = new_metric(COPI_COUNTER, opts, &made);
    if (r == 0) {
        *out = made;
    }
    return r;
}

int
cop_gauge_new_with(cop_gauge **out, const cop_metric_opts *opts)
{
    void *made = NULL;
    int r = new_metric(COPI_GAUGE, opts, &made);
    if (r == 0) {
        *out = made;
    }
    return r;
}

int
cop_histogram_new_with(cop_histogram **out, const cop_metric_opts *opts)
{
    void *made = NULL;
    int r = new_metric(COPI_HISTOGRAM, opts, &made);
    if (r == 0) {
        *out = made;
    }
    return r;
}

void
copi_metrics_visit(void (*visit)(const struct copi_family *family, void *env), void *env)
{
    copi_lock_take(&metrics.lock);
    for (const struct copi_family *family = metrics.first; family; family = family->next) {
        visit(family, env);
    }
    copi_lock_give(&metrics.lock);
}
