/*
 * supervisor/observe/metric_check.c - what a metric may be.
 *
 * Room: supervisor/observe/. Pure functions.
 * Touch freely: the words. Ask first: the rules; what passes here is what `promtool check metrics` passes.
 */
#include "supervisor/observe/metric_check.h"

#include <errno.h>

/* As C's, but in every locale. */
static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_name(const char *name, const char *more)
{
    bool is_first = true;
    for (const char *at = name; *at; at++, is_first = false) {
        bool is_digit = *at >= '0' && *at <= '9';
        if (!is_letter(*at) && !strchr(more, *at) && (is_first || !is_digit)) {
            return false;
        }
    }
    return !is_first;
}

static bool
begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool
ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static const char *
wrong_name(enum copi_metric_kind kind, const char *name)
{
    if (!name || !is_name(name, ":")) {
        return "a name is letters, digits, _ and :";
    }
    if (begins_with(name, "coppice_") || begins_with(name, "process_")) {
        return "the library's own names begin like this";
    }
    if (kind == COPI_COUNTER) {
        return ends_in(name, "_total") ? NULL : "a counter's name ends in _total";
    }
    return ends_in(name, "_total") || ends_in(name, "_sum") || ends_in(name, "_count")
                   || ends_in(name, "_bucket")
               ? "such an end of a name is a counter's, or a histogram's own"
               : NULL;
}

static bool
is_before(const char *const *labels, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i += 2) {
        if (strcmp(labels[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *
wrong_labels(const char *const *labels)
{
    for (size_t i = 0; labels && labels[i]; i += 2) {
        if (!is_name(labels[i], "") || begins_with(labels[i], "__")) {
            return "a label's name is letters, digits and _";
        }
        if (strcmp(labels[i], "le") == 0) {
            return "the label le is a histogram's own";
        }
        if (is_before(labels, i, labels[i])) {
            return "a label is there twice";
        }
        if (!labels[i + 1]) {
            return "a label has no value";
        }
    }
    return NULL;
}

static const char *
wrong_bounds(enum copi_metric_kind kind, const cop_metric_opts *opts)
{
    if (opts->bound_count == 0) {
        return NULL;
    }
    if (kind != COPI_HISTOGRAM) {
        return "bounds are a histogram's";
    }
    if (!opts->bounds || opts->bound_count > COPI_METRIC_BOUNDS) {
        return "too many bounds";
    }
    for (size_t i = 1; i < opts->bound_count; i++) {
        if (opts->bounds[i - 1] >= opts->bounds[i]) {
            return "bounds rise";
        }
    }
    return NULL;
}

int
copi_metric_check(enum copi_metric_kind kind, const cop_metric_opts *opts, cop_reason *why)
{
    const char *wrong = wrong_name(kind, opts->name);
    if (!wrong && (!opts->help || !opts->help[0])) {
        wrong = "help is a sentence";
    }
    wrong = wrong ? wrong : wrong_labels(opts->labels);
    wrong = wrong ? wrong : wrong_bounds(kind, opts);
    if (!wrong) {
        return 0;
    }
    *why = cop_failed(-EINVAL, "metric %s: %s", opts->name ? opts->name : "(none)", wrong);
    return -EINVAL;
}
