/*
 * tests/supervisor/observe/test_metrics_text.c - all metrics as Prometheus reads them.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/metrics_text.h"
#include "tests/support/support.h"

#include <locale.h>
#include <sys/wait.h>
#include <unistd.h>

static char *
text_now(void)
{
    char *text;
    size_t size;
    ck_assert_int_eq(cop_metrics_text(&text, &size), 0);
    ck_assert_uint_eq(strlen(text), size);
    return text;
}

static void
has_line(const char *line)
{
    char *text = text_now(), wanted[512];
    (void)snprintf(wanted, sizeof wanted, "\n%s\n", line);
    ck_assert_msg(test_count(text, wanted) == 1, "%s is not once in:\n%s", line, text);
    free(text);
}

static void
seconds_are(cop_time value, const char *expected)
{
    struct copi_text text = {0};
    char *out;
    size_t size;
    copi_metrics_value(&text, true, value);
    ck_assert_int_eq(copi_text_take(&text, &out, &size), 0);
    ck_assert_str_eq(out, expected);
    free(out);
}

static int
write_text(void *unused)
{
    (void)unused;
    char *text;
    int r = cop_metrics_text(&text, NULL);
    if (r == 0) {
        free(text);
    }
    return r;
}

TEST(without_memory_there_is_no_text)
{
    int result;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(write_text, NULL, &result), 2);
    ck_assert_int_eq(result, 0);
}

TEST(the_child_of_a_fork_gets_none)
{
    cop_self();
    pid_t child = fork();
    if (child == 0) {
        char *text;
        _exit(cop_metrics_text(&text, NULL) == -EPERM ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

TEST(seconds_are_exact_and_short)
{
    seconds_are(0, "0");
    seconds_are(COP_SEC(3), "3");
    seconds_are(COP_SEC(1.5), "1.5");
    seconds_are(COP_US(10), "0.00001");
    seconds_are(1, "0.000000001");
    seconds_are(-COP_MS(250), "-0.25");
    seconds_are(INT64_MIN, "-9223372036.854775808");
}

TEST(a_counter_is_told_with_its_labels_escaped)
{
    cop_counter *counter;
    ck_assert_int_eq(cop_counter_new(&counter, .name = "hits_total", .help = "Hits\nof all.",
                                     COP_LABELS("key", "a\"b\\\n", "store", "<script>")),
                     0);
    cop_counter_add(counter, 3);
    has_line("# HELP hits_total Hits\\nof all.");
    has_line("# TYPE hits_total counter");
    has_line("hits_total{key=\"a\\\"b\\\\\\n\",store=\"<script>\"} 3");
}

TEST(a_gauge_may_be_below_zero)
{
    cop_gauge *gauge, *seconds;
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "depth", .help = "Depth."), 0);
    ck_assert_int_eq(
        cop_gauge_new(&seconds, .name = "age_seconds", .help = "Age.", .seconds = true), 0);
    cop_gauge_set(gauge, -2);
    cop_gauge_add(gauge, -1);
    cop_gauge_set(seconds, COP_MS(20));
    has_line("# TYPE depth gauge");
    has_line("depth -3");
    has_line("age_seconds 0.02");
}

TEST(a_histograms_buckets_add_up)
{
    cop_histogram *histogram;
    ck_assert_int_eq(cop_histogram_new(&histogram, .name = "wait_seconds", .help = "Wait.",
                                       .seconds = true, COP_BOUNDS(COP_MS(1), COP_MS(5)),
                                       COP_LABELS("op", "get")),
                     0);
    cop_histogram_observe(histogram, COP_US(500));
    cop_histogram_observe(histogram, COP_MS(2));
    cop_histogram_observe(histogram, COP_SEC(2));
    has_line("# TYPE wait_seconds histogram");
    has_line("wait_seconds_bucket{op=\"get\",le=\"0.001\"} 1");
    has_line("wait_seconds_bucket{op=\"get\",le=\"0.005\"} 2");
    has_line("wait_seconds_bucket{op=\"get\",le=\"+Inf\"} 3");
    has_line("wait_seconds_sum{op=\"get\"} 2.0025");
    has_line("wait_seconds_count{op=\"get\"} 3");
}

TEST(a_histogram_without_bounds_has_some)
{
    cop_histogram *histogram;
    ck_assert_int_eq(cop_histogram_new(&histogram, .name = "size_bytes", .help = "Size."), 0);
    cop_histogram_observe(histogram, 1500);
    has_line("size_bytes_bucket{le=\"1000\"} 0");
    has_line("size_bytes_bucket{le=\"10000\"} 1");
    has_line("size_bytes_sum 1500");
}

TEST(series_of_one_name_stand_together)
{
    cop_gauge *gauge;
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "one", .help = "One.", COP_LABELS("n", "1")), 0);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "two", .help = "Two."), 0);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "one", .help = "One.", COP_LABELS("n", "2")), 0);
    has_line("one{n=\"1\"} 0\none{n=\"2\"} 0");
}

TEST(numbers_are_the_same_in_every_locale)
{
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"};
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        setlocale(
            LC_ALL,
            locales[i]); /* NOLINT(concurrency-mt-unsafe): as the program does; not there: C */
        seconds_are(COP_SEC(1234567.5), "1234567.5");
    }
}

SUITE("metrics_text")
