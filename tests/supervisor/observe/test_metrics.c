/*
 * tests/supervisor/observe/test_metrics.c - what a program counts of itself.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/metrics.h"
#include "tests/support/support.h"

#include <sys/wait.h>
#include <unistd.h>

static uint64_t
value_of(const cop_counter *counter)
{
    return copi_load_relaxed_64(&counter->value);
}

/* ---------------------------------------------------------------- refused */

TEST(a_name_that_cannot_be_is_refused_and_nothing_is_made)
{
    cop_counter *counter = NULL;
    ck_assert_int_eq(cop_counter_new(&counter, .name = "hits", .help = "Hits."), -EINVAL);
    ck_assert_ptr_null(counter);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "metric hits: "));
}

TEST(one_name_is_one_kind_of_metric)
{
    cop_gauge *gauge = NULL;
    cop_histogram *histogram = NULL;
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "g", .help = "Help.", COP_LABELS("a", "1")), 0);
    ck_assert_int_eq(
        cop_histogram_new(&histogram, .name = "g", .help = "Help.", COP_LABELS("a", "1")), -EEXIST);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "g", .help = "Another.", COP_LABELS("a", "2")),
                     -EEXIST);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "g", .help = "Help.", COP_LABELS("b", "1")),
                     -EEXIST);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "g", .help = "Help."), -EEXIST);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "g", .help = "Help.", .seconds = true,
                                   COP_LABELS("a", "1")),
                     -EEXIST);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "another kind"));
    ck_assert_ptr_null(histogram);
}

TEST(bounds_belong_to_the_name)
{
    cop_histogram *one, *other = NULL;
    ck_assert_int_eq(cop_histogram_new(&one, .name = "h", .help = "Help.", COP_BOUNDS(1, 2)), 0);
    ck_assert_int_eq(cop_histogram_new(&other, .name = "h", .help = "Help.", COP_BOUNDS(1, 3)),
                     -EEXIST);
    ck_assert_int_eq(cop_histogram_new(&other, .name = "h", .help = "Help.", COP_BOUNDS(1, 2, 3)),
                     -EEXIST);
    ck_assert_int_eq(cop_histogram_new(&other, .name = "h", .help = "Help."), -EEXIST);
    ck_assert_ptr_null(other);
}

static int
make_with_labels(void *out)
{
    return cop_counter_new(out, .name = "made_total", .help = "Made.",
                           COP_LABELS("a", "1", "b", "2"));
}

TEST(without_memory_nothing_is_made)
{
    cop_counter *counter = NULL;
    int result;
    cop_self(); /* the thread is a process before memory runs out */
    ck_assert_uint_gt(test_out_of_memory(make_with_labels, &counter, &result), 3);
    ck_assert_int_eq(result, 0);
    ck_assert_ptr_nonnull(counter);
}

TEST(a_label_that_is_different_every_time_is_refused_one_day)
{
    char value[16];
    cop_counter *counter = NULL;
    for (int i = 0; i < COPI_METRIC_SERIES; i++) {
        (void)snprintf(value, sizeof value, "%d", i);
        ck_assert_int_eq(cop_counter_new(&counter, .name = "many_total", .help = "Many.",
                                         COP_LABELS("user", value)),
                         0);
    }
    ck_assert_int_eq(cop_counter_new(&counter, .name = "many_total", .help = "Many.",
                                     COP_LABELS("user", "one more")),
                     -ENOSPC);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "too many"));
    ck_assert_int_eq(cop_counter_new(&counter, .name = "many_total", .help = "Many.",
                                     COP_LABELS("user", "7")),
                     0); /* it is there already */
}

TEST(updates_of_nothing_do_nothing)
{
    cop_counter_add(NULL, 1);
    cop_gauge_add(NULL, 1);
    cop_gauge_set(NULL, 1);
    cop_histogram_observe(NULL, 1);
}

TEST(the_child_of_a_fork_makes_none)
{
    cop_self();
    pid_t child = fork();
    if (child == 0) {
        cop_counter *counter;
        _exit(cop_counter_new(&counter, .name = "a_total", .help = "A.") == -EPERM ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* ---------------------------------------------------------------- counted */

TEST(the_same_name_and_labels_are_the_same_metric)
{
    cop_counter *one, *same, *other;
    ck_assert_int_eq(cop_counter_new(&one, .name = "a_total", .help = "A.", COP_LABELS("x", "1")),
                     0);
    ck_assert_int_eq(cop_counter_new(&same, .name = "a_total", .help = "A.", COP_LABELS("x", "1")),
                     0);
    ck_assert_int_eq(cop_counter_new(&other, .name = "a_total", .help = "A.", COP_LABELS("x", "2")),
                     0);
    ck_assert_ptr_eq(one, same);
    ck_assert_ptr_ne(one, other);
}

TEST(a_counter_only_grows)
{
    cop_counter *counter;
    ck_assert_int_eq(cop_counter_new(&counter, .name = "a_total", .help = "A."), 0);
    cop_counter_add(counter, 2);
    cop_counter_add(counter, -5);
    cop_counter_add(counter, 0);
    ck_assert_uint_eq(value_of(counter), 2);
}

TEST(a_value_on_a_bound_is_in_the_bucket_below_it)
{
    cop_histogram *histogram;
    ck_assert_int_eq(cop_histogram_new(&histogram, .name = "h", .help = "H.", COP_BOUNDS(10, 20)),
                     0);
    static const int64_t values[] = {-3, 10, 11, 20, 21};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        cop_histogram_observe(histogram, values[i]);
    }
    ck_assert_uint_eq(copi_load_relaxed_64(&histogram->buckets[0]), 2);
    ck_assert_uint_eq(copi_load_relaxed_64(&histogram->buckets[1]), 2);
    ck_assert_uint_eq(copi_load_relaxed_64(&histogram->buckets[2]), 1);
    ck_assert_int_eq((int64_t)copi_load_relaxed_64(&histogram->sum), 59);
}

enum {
    THREADS = 4,
    EACH = 10000,
};

/* Makes what the others make, too, at the same time. */
static int
count(cop_bytes arg)
{
    (void)arg;
    cop_counter *counter;
    cop_gauge *gauge;
    ck_assert_int_eq(cop_counter_new(&counter, .name = "all_total", .help = "All."), 0);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "now", .help = "Now."), 0);
    for (int i = 0; i < EACH; i++) {
        cop_counter_add(counter, 1);
        cop_gauge_add(gauge, i % 2 ? 1 : -1);
    }
    return 0;
}

TEST(nothing_is_lost_between_threads)
{
    cop_ref monitors[THREADS];
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(cop_spawn(NULL, count, .monitor = &monitors[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    cop_counter *counter;
    cop_gauge *gauge;
    ck_assert_int_eq(cop_counter_new(&counter, .name = "all_total", .help = "All."), 0);
    ck_assert_int_eq(cop_gauge_new(&gauge, .name = "now", .help = "Now."), 0);
    ck_assert_uint_eq(value_of(counter), THREADS * EACH);
    ck_assert_int_eq((int64_t)copi_load_relaxed_64(&gauge->value), 0);
}

SUITE("metrics")
