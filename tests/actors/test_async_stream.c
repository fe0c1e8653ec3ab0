/*
 * tests/actors/test_async_stream.c - a function over many elements, so many at a time.
 *
 * Room: tests/. Case ids (TSK-033) are those of the conformance list.
 */
#include "runtime/process.h"
#include "tests/support/support.h"

#include <errno.h>

enum {
    MANY = 20
};

static int values[MANY];
static cop_bytes items[MANY];
static atomic_int running, most, started, ended, closed;

__attribute__((constructor)) static void
fill(void)
{
    for (int i = 0; i < MANY; i++) {
        values[i] = i;
        items[i] = COP_BYTES(values[i]);
    }
}

static int
twice(cop_bytes arg, void *result)
{
    int now = ++running, seen = most;
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {
    }
    started++;
    cop_sleep(COP_US(300));
    *(int *)result = 2 * *(const int *)arg.data;
    running--;
    return 0;
}

/* The first elements take longest. */
static int
first_slowest(cop_bytes arg, void *result)
{
    cop_sleep(COP_MS(1) * (MANY - *(const int *)arg.data) / 4);
    return twice(arg, result);
}

static int
fail_on_odd(cop_bytes arg, void *result)
{
    int n = *(const int *)arg.data;
    if (n % 2) {
        cop_exit(cop_failed(-EIO, "odd"));
    }
    return twice(arg, result);
}

/* Number 2 does not end. */
static int
hang_on_two(cop_bytes arg, void *result)
{
    if (*(const int *)arg.data == 2) {
        started++;
        int r = cop_sleep(COP_FOREVER);
        ended++;
        return r;
    }
    return twice(arg, result);
}

static cop_async_stream *
make(cop_task_fn fn, const cop_async_stream_opts *opts)
{
    cop_async_stream *stream;
    ck_assert_int_eq(cop_async_stream_new(&stream, fn, opts), 0);
    return stream;
}
#define STREAM(fn, ...) \
 make((fn), &(cop_async_stream_opts){.task.result_size = sizeof(int), __VA_ARGS__})

#define LIST .items = items, .count = MANY

static int
value_of(const cop_async_item *item)
{
    ck_assert_int_eq(item->code, 0);
    ck_assert_uint_eq(item->value.size, sizeof(int));
    return *(const int *)item->value.data;
}

static void
expect_all_in_order(cop_async_stream *stream)
{
    cop_async_item item = {0};
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
        ck_assert_uint_eq(item.index, i);
        ck_assert_int_eq(value_of(&item), 2 * (int)i);
    }
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ENODATA);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ENODATA);
    cop_async_stream_free(stream);
}

/* ---------------------------------------------------------------- what is refused */

static bool
never(cop_bytes *item, void *env)
{
    (void)item, (void)env;
    return false;
}

static void
handle_failure(cop_reason reason, void *env)
{
    (void)reason, (void)env;
}

TEST(the_tasks_of_a_stream_have_no_handlers_and_are_not_tried_again)
{
    cop_async_stream *stream;
    cop_async_stream_opts opts = {LIST, .task.on_failure = handle_failure};
    ck_assert_int_eq(cop_async_stream_new(&stream, twice, &opts), -EINVAL);
    ck_assert_str_eq(cop_why().text, "the tasks of a stream have no handlers");
    opts.task = (cop_task_opts){.drop_env = free};
    ck_assert_int_eq(cop_async_stream_new(&stream, twice, &opts), -EINVAL);
    opts.task = (cop_task_opts){.lazy = true, .retry = true};
    ck_assert_int_eq(cop_async_stream_new(&stream, twice, &opts), -EINVAL);
    ck_assert_str_eq(cop_why().text, "the tasks of a stream are not tried again");
}

TEST(what_is_no_stream_is_refused) /* TSK-046 */
{
    cop_async_stream *stream;
    ck_assert_int_eq(cop_async_stream_new(&stream, NULL, &(cop_async_stream_opts){0}), -EINVAL);
    ck_assert_int_eq(cop_async_stream_new(&stream, twice, NULL), -EINVAL);
    ck_assert_int_eq(cop_async_stream_new(&stream, twice, &(cop_async_stream_opts){.count = 1}),
                     -EINVAL);
    ck_assert_int_eq(cop_async_stream_new(&stream, twice,
                                          &(cop_async_stream_opts){LIST, .timeout = -1}),
                     -EINVAL);
    ck_assert_int_eq(cop_async_stream_new(&stream, twice,
                                          &(cop_async_stream_opts){LIST, .next = never}),
                     -EINVAL);
    ck_assert_int_eq(cop_async_stream_new(&stream, twice,
                                          &(cop_async_stream_opts){LIST, .limit = SIZE_MAX}),
                     -EINVAL);
}

static int
try_to_stream(void *arg)
{
    (void)arg;
    cop_async_stream *stream;
    cop_async_item item = {0};
    int r = cop_async_stream_new(
        &stream, twice,
        &(cop_async_stream_opts){.items = items, .count = 2, .task.result_size = 4});
    for (int i = 0; r == 0 && i < 2; i++) {
        r = cop_async_stream_next(stream, &item);
        r = r ? r : item.code;
        if (r) {
            cop_async_stream_free(stream);
        }
    }
    if (r == 0) {
        cop_async_stream_free(stream);
    }
    return r;
}

TEST(without_memory_a_stream_fails_and_leaves_nothing)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_to_stream, NULL, &r), 1);
    ck_assert_int_eq(r, 0);
}

/* ---------------------------------------------------------------- results */

TEST(results_come_in_the_order_of_the_input_with_any_limit) /* TSK-033 */
{
    size_t limits[] = {0, 1, 4, MANY, 10 * MANY};
    for (int i = 0; i < 5; i++) {
        most = 0;
        expect_all_in_order(STREAM(twice, LIST, .limit = limits[i]));
        if (limits[i]) {
            ck_assert_int_le(most, (int)limits[i]);
        }
        ck_assert_int_ge(most, 1);
    }
}

TEST(results_come_in_the_order_of_the_input_when_the_first_take_longest) /* TSK-034 */
{
    expect_all_in_order(STREAM(first_slowest, LIST, .limit = MANY));
}

static atomic_int taken;

/* The first comes when all others have. */
static int
first_last(cop_bytes arg, void *result)
{
    EVENTUALLY(*(const int *)arg.data > 0 || taken == MANY - 1);
    return twice(arg, result);
}

TEST(unordered_results_come_when_they_are_there)
{
    cop_async_stream *stream =
        STREAM(first_last, LIST, .limit = 2, .unordered = true, .timeout = COP_FOREVER);
    bool seen[MANY] = {false};
    cop_async_item item = {0};
    for (taken = 0; taken < MANY; taken++) {
        ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
        ck_assert(!seen[item.index]);
        seen[item.index] = true;
        ck_assert_int_eq(value_of(&item), 2 * (int)item.index);
    }
    ck_assert_uint_eq(item.index, 0);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ENODATA);
    cop_async_stream_free(stream);
}

TEST(an_element_that_fails_is_a_result_and_the_stream_goes_on) /* TSK-036 */
{
    cop_async_stream *stream = STREAM(fail_on_odd, LIST, .limit = 3);
    cop_async_item item = {0};
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
        ck_assert_uint_eq(item.index, i);
        if (i % 2) {
            ck_assert_int_eq(item.code, -EIO);
            ck_assert_str_eq(item.why.text, "odd");
        } else {
            ck_assert_int_eq(value_of(&item), 2 * (int)i);
        }
    }
    cop_async_stream_free(stream);
}

static int
take_linked(cop_bytes arg)
{
    cop_async_stream *stream = STREAM(fail_on_odd, LIST, .task.link = true);
    cop_async_item item = {0};
    cop_trap_exits(*(const bool *)arg.data);
    cop_assert(cop_async_stream_next(stream, &item) == 0 && item.code == 0);
    cop_assert(cop_async_stream_next(stream, &item) == 0 && item.code == -EIO);
    return 0;
}

TEST_TIMES(2, a_failure_of_a_linked_element_ends_who_takes_it_unless_it_traps) /* TSK-036 */
{
    bool traps = _i == 1;
    cop_ref monitor;
    cop_spawn(NULL, take_linked, .arg = COP_BYTES(traps), .monitor = &monitor);
    cop_reason why = test_down(monitor);
    ck_assert_int_eq(why.kind, traps ? COP_NORMAL : COP_FAILED);
    ck_assert_str_eq(why.text, traps ? "" : "odd");
}

static bool
count_up(cop_bytes *item, void *env)
{
    static int n, current;
    current = n;
    *item = COP_BYTES(current);
    return n++ < *(const int *)env;
}

static void
note_closed(void *env)
{
    (void)env;
    closed++;
}

TEST(an_input_that_ends_is_closed_once) /* TSK-042 */
{
    int limit = MANY;
    expect_all_in_order(
        STREAM(twice, .next = count_up, .close = note_closed, .env = &limit, .limit = 3));
    ck_assert_int_eq(closed, 1);
}

TEST(a_stream_that_is_freed_early_starts_no_more_than_was_needed_and_closes_its_input) /* TSK-042 */
{
    int limit = INT32_MAX; /* without an end, as good as */
    cop_async_stream *stream =
        STREAM(twice, .next = count_up, .close = note_closed, .env = &limit, .limit = 3);
    cop_async_item item = {0};
    ck_assert_int_eq(started, 0); /* nothing yet */
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    }
    ck_assert_int_eq(closed, 0);
    cop_async_stream_free(stream);
    ck_assert_int_eq(closed, 1);
    ck_assert_int_le(started, 7);
    ck_assert_int_eq(running, 0);
}

TEST(a_stream_that_was_never_taken_from_closes_its_input)
{
    int limit = 3;
    cop_async_stream_free(STREAM(twice, .next = count_up, .close = note_closed, .env = &limit));
    ck_assert_int_eq(closed, 1);
    cop_async_stream_free(NULL);
}

static bool
from_a_moving_place(cop_bytes *item, void *env)
{
    static int place, n;
    (void)env;
    place = n;
    *item = COP_BYTES(place); /* overwritten by the next call */
    return n++ < MANY;
}

TEST(an_element_need_only_last_until_the_next_one)
{
    expect_all_in_order(STREAM(first_slowest, .next = from_a_moving_place, .limit = MANY));
}

/* ---------------------------------------------------------------- late elements */

TEST(a_late_element_ends_the_stream) /* TSK-038 */
{
    cop_async_stream *stream = STREAM(hang_on_two, LIST, .limit = 4, .timeout = IN_TIME);
    cop_async_item item = {0};
    ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ETIMEDOUT);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ENODATA);
    cop_async_stream_free(stream);
}

TEST_TIMES(2, a_late_element_is_killed_and_the_others_come) /* TSK-038 */
{
    cop_async_stream *stream = STREAM(hang_on_two, LIST, .limit = 4, .timeout = 2 * IN_TIME,
                                      .kill_on_timeout = true, .unordered = _i == 1);
    cop_async_item item = {0};
    int late = 0;
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
        if (item.index == 2) {
            ck_assert_int_eq(item.code, -ETIMEDOUT);
            ck_assert_str_eq(item.why.text, "timeout");
            late++;
        } else {
            ck_assert_int_eq(value_of(&item), 2 * (int)item.index);
        }
    }
    ck_assert_int_eq(late, 1);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ENODATA);
    cop_async_stream_free(stream);
}

TEST(time_may_be_without_limit) /* TSK-038 */
{
    expect_all_in_order(STREAM(twice, LIST, .timeout = COP_FOREVER));
}

TEST(a_context_that_ends_ends_the_wait_and_not_the_stream)
{
    cop_async_stream *stream = STREAM(hang_on_two, LIST, .limit = 4, .timeout = COP_FOREVER);
    cop_async_item item = {0};
    ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    cop_context *context = cop_context_new(COP_MS(3));
    cop_context_enter(context);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_int_eq(ended, 0);
    cop_async_stream_free(stream);
    ck_assert_int_eq(ended, 1);
}

/* ---------------------------------------------------------------- whose it is */

static int
take_all(cop_bytes arg)
{
    expect_all_in_order(*(cop_async_stream *const *)arg.data);
    return 0;
}

TEST(another_process_may_take_than_the_one_that_made_it) /* TSK-044 */
{
    cop_async_stream *stream = STREAM(twice, LIST);
    cop_ref monitor;
    cop_spawn(NULL, take_all, .arg = COP_BYTES(stream), .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

static int
take_one(cop_bytes arg)
{
    cop_async_item item = {0};
    cop_assert(cop_async_stream_next(*(cop_async_stream *const *)arg.data, &item) == -EPERM);
    return 0;
}

TEST(only_one_process_may_take)
{
    cop_async_stream *stream = STREAM(twice, LIST);
    cop_async_item item = {0};
    ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    cop_ref monitor;
    cop_spawn(NULL, take_one, .arg = COP_BYTES(stream), .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_async_stream_free(stream);
}

static int
take_until_killed(cop_bytes arg)
{
    cop_async_stream *stream = *(cop_async_stream *const *)arg.data;
    cop_async_item item = {0};
    for (;;) {
        cop_assert(cop_async_stream_next(stream, &item) == 0);
    }
}

TEST(a_process_that_ends_while_it_takes_leaves_no_task_and_no_byte) /* TSK-041 */
{
    int limit = INT32_MAX;
    cop_async_stream *stream = STREAM(hang_on_two, .next = count_up, .close = note_closed,
                                      .env = &limit, .limit = 4, .timeout = COP_FOREVER);
    cop_pid pid;
    cop_ref monitor;
    cop_spawn(&pid, take_until_killed, .arg = COP_BYTES(stream), .monitor = &monitor);
    EVENTUALLY(started >= 6);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert_int_eq(closed, 1);
    EVENTUALLY(ended == 1);
}

TEST(after_the_last_result_nothing_is_left_in_the_mailbox) /* TSK-041 TSK-045 */
{
    cop_ref monitor = cop_monitor(COP_NOBODY); /* a notice of somebody else's stays */
    expect_all_in_order(STREAM(twice, LIST, .limit = 4));
    ck_assert_int_eq(test_down(monitor).kind, COP_NOPROC);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(1)), -ETIMEDOUT);
}

SUITE("async_stream")
