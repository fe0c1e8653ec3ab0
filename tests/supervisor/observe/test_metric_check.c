/*
 * tests/supervisor/observe/test_metric_check.c - what a metric may be.
 *
 * Room: tests/.
 */
#include "supervisor/observe/metric_check.h"
#include "tests/support/support.h"

#define OPTS(...) (&(cop_metric_opts){.help = "Help.", __VA_ARGS__})

static void
is_refused(enum copi_metric_kind kind, const cop_metric_opts *opts, const char *part)
{
    cop_reason why = {0};
    ck_assert_int_eq(copi_metric_check(kind, opts, &why), -EINVAL);
    ck_assert_int_eq(why.code, -EINVAL);
    ck_assert_msg(strstr(why.text, part), "%s", why.text);
}

static void
passes(enum copi_metric_kind kind, const cop_metric_opts *opts)
{
    cop_reason why = {0};
    ck_assert_msg(copi_metric_check(kind, opts, &why) == 0, "%s", why.text);
}

TEST(names_that_prometheus_cannot_read_are_refused)
{
    static const char *const names[] = {"", "1st_total", "a-b_total", "a b_total",
                                        "\xC3\xA4_total"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        is_refused(COPI_COUNTER, OPTS(.name = names[i]), "letters");
    }
    is_refused(COPI_COUNTER, OPTS(.name = NULL), "(none)");
}

TEST(a_counter_says_by_its_name_that_it_is_one)
{
    is_refused(COPI_COUNTER, OPTS(.name = "kv_hits"), "_total");
    is_refused(COPI_COUNTER, OPTS(.name = "total"), "_total");
    passes(COPI_COUNTER, OPTS(.name = "kv_hits_total"));
}

TEST(no_other_takes_a_name_that_ends_as_a_counters_or_a_histograms)
{
    is_refused(COPI_GAUGE, OPTS(.name = "kv_keys_total"), "such an end");
    is_refused(COPI_GAUGE, OPTS(.name = "kv_keys_count"), "such an end");
    is_refused(COPI_HISTOGRAM, OPTS(.name = "kv_keys_sum"), "such an end");
    is_refused(COPI_HISTOGRAM, OPTS(.name = "kv_keys_bucket"), "such an end");
    passes(COPI_GAUGE, OPTS(.name = "kv:keys"));
}

TEST(the_librarys_own_names_are_refused)
{
    is_refused(COPI_GAUGE, OPTS(.name = "coppice_processes"), "own");
    is_refused(COPI_GAUGE, OPTS(.name = "process_open_fds"), "own");
}

TEST(help_is_wanted)
{
    is_refused(COPI_GAUGE, &(cop_metric_opts){.name = "kv_keys"}, "help");
    is_refused(COPI_GAUGE, &(cop_metric_opts){.name = "kv_keys", .help = ""}, "help");
}

TEST(labels_that_cannot_be_are_refused)
{
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("a-b", "c")), "label");
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("a:b", "c")), "label");
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("", "c")), "label");
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("__a", "c")), "label");
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("le", "1")), "le");
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("a", "1", "a", "2")), "twice");
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("a", "1", "b")), "no value");
    passes(COPI_GAUGE, OPTS(.name = "g", COP_LABELS("a", "", "b", "<script>\n")));
}

TEST(bounds_rise_and_are_a_histograms)
{
    static const int64_t many[COPI_METRIC_BOUNDS + 1];
    is_refused(COPI_GAUGE, OPTS(.name = "g", COP_BOUNDS(1, 2)), "histogram");
    is_refused(COPI_HISTOGRAM, OPTS(.name = "h", COP_BOUNDS(1, 1)), "rise");
    is_refused(COPI_HISTOGRAM, OPTS(.name = "h", COP_BOUNDS(2, 1)), "rise");
    is_refused(COPI_HISTOGRAM,
               OPTS(.name = "h", .bounds = many, .bound_count = COPI_METRIC_BOUNDS + 1),
               "too many");
    is_refused(COPI_HISTOGRAM, OPTS(.name = "h", .bound_count = 2), "bounds");
    passes(COPI_HISTOGRAM, OPTS(.name = "h", COP_BOUNDS(-1, 0, 5)));
}

SUITE("metric_check")
