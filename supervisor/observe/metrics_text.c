/*
 * supervisor/observe/metrics_text.c - all metrics as Prometheus reads them.
 *
 * Room: supervisor/observe/. Any thread.
 * Touch freely: the layout. Ask first: names and types, which others have built their alarms on.
 *
 * Numbers are written as integers, and seconds as an integer with nine digits behind the point: that is
 * exact, and the same in every locale.
 */
#include "supervisor/observe/metrics_text.h"

#include "runtime/process.h"
#include "supervisor/observe/escape.h"
#include "supervisor/observe/figures.h"
#include "supervisor/observe/metrics.h"

#include <errno.h>
#include <inttypes.h>

/* ---------------------------------------------------------------- lines */

void
copi_metrics_head(struct copi_text *text, const char *name, const char *help, const char *type)
{
    copi_text_format(text, "# HELP %s ", name);
    copi_text_escaped(text, help, COPI_ESCAPE_HELP);
    copi_text_format(text, "\n# TYPE %s %s\n", name, type);
}

static void
put_begin(struct copi_text *text, const char *name, const char *labels)
{
    copi_text_string(text, name);
    if (labels[0]) {
        copi_text_char(text, '{');
        copi_text_string(text, labels);
        copi_text_char(text, '}');
    }
    copi_text_char(text, ' ');
}

/* "1.5", "0.00001", "-2". */
static void
put_seconds(struct copi_text *text, cop_time value)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t whole = size / (uint64_t)COP_SEC(1), rest = size % (uint64_t)COP_SEC(1);
    int digits = 9;
    while (digits > 0 && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    copi_text_format(text, "%s%" PRIu64, value < 0 ? "-" : "", whole);
    if (digits > 0) {
        copi_text_format(text, ".%0*" PRIu64, digits, rest);
    }
}

void
copi_metrics_value(struct copi_text *text, bool seconds, int64_t value)
{
    if (seconds) {
        put_seconds(text, value);
    } else {
        copi_text_format(text, "%" PRId64, value);
    }
}

static void
put_line(struct copi_text *text, const char *name, const char *labels, bool seconds, int64_t value)
{
    put_begin(text, name, labels);
    copi_metrics_value(text, seconds, value);
    copi_text_char(text, '\n');
}

void
copi_metrics_line(struct copi_text *text, const char *name, const char *labels, int64_t value)
{
    put_line(text, name, labels, false, value);
}

void
copi_metrics_seconds(struct copi_text *text, const char *name, const char *labels, cop_time value)
{
    put_line(text, name, labels, true, value);
}

/* ---------------------------------------------------------------- the program's own */

static void
put_bucket(struct copi_text *text, const struct copi_family *family,
           const struct copi_series *series, size_t bucket, uint64_t count)
{
    copi_text_format(text, "%s_bucket{%s%sle=\"", family->name, series->labels,
                     series->labels[0] ? "," : "");
    if (bucket < family->bound_count) {
        copi_metrics_value(text, family->seconds, family->bounds[bucket]);
    } else {
        copi_text_string(text, "+Inf");
    }
    copi_text_format(text, "\"} %" PRIu64 "\n", count);
}

static void
put_part(struct copi_text *text, const struct copi_family *family, const char *part,
         const struct copi_series *series, bool seconds, int64_t value)
{
    copi_text_string(text, family->name);
    put_line(text, part, series->labels, seconds, value);
}

static void
put_histogram(struct copi_text *text, const struct copi_family *family,
              const struct copi_series *series)
{
    const cop_histogram *histogram = series->value;
    uint64_t count = 0;
    for (size_t i = 0; i <= family->bound_count; i++) {
        count += copi_load_relaxed_64(&histogram->buckets[i]);
        put_bucket(text, family, series, i, count);
    }
    put_part(text, family, "_sum", series, family->seconds,
             (int64_t)copi_load_relaxed_64(&histogram->sum));
    put_part(text, family, "_count", series, false, (int64_t)count);
}

static int64_t
value_of(const struct copi_family *family, const struct copi_series *series)
{
    const cop_counter *counter = series->value;
    const cop_gauge *gauge = series->value;
    return (int64_t)copi_load_relaxed_64(family->kind == COPI_COUNTER ? &counter->value
                                                                      : &gauge->value);
}

static void
put_family(const struct copi_family *family, void *env)
{
    static const char *const types[] = {
        [COPI_COUNTER] = "counter",
        [COPI_GAUGE] = "gauge",
        [COPI_HISTOGRAM] = "histogram",
    };
    struct copi_text *text = env;
    copi_metrics_head(text, family->name, family->help, types[family->kind]);
    for (const struct copi_series *series = family->first; series; series = series->next) {
        if (family->kind == COPI_HISTOGRAM) {
            put_histogram(text, family, series);
        } else {
            put_line(text, family->name, series->labels, family->seconds, value_of(family, series));
        }
    }
}

int
cop_metrics_text(char **out, size_t *size)
{
    struct copi_text text = {0};
    size_t unwanted;
    if (copi_is_forked()) {
        return -EPERM;
    }
    int r = copi_figures_put(&text);
    if (r) {
        copi_text_free(&text);
        return copi_fail(r);
    }
    copi_metrics_visit(put_family, &text);
    r = copi_text_take(&text, out, size ? size : &unwanted);
    return r ? copi_fail(r) : 0;
}
