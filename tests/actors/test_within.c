/*
 * tests/actors/test_within.c - futures that have a limit of time.
 *
 * Room: tests/. Case ids (CB11) are those of the list of futures' cases. Time is checked from below only.
 */
#include "actors/future.h"
#include "tests/actors/outcome.h"
#include "tests/actors/source.h"
#include "tests/support/support.h"

#include <coppice/chain.h>

#include <sys/syscall.h>

#define HOUR COP_SEC(3600)

/* ---------------------------------------------------------------- helpers */

static atomic_uint cancellations;
static cop_reason cause;

static void
note_cancel(cop_reason why, void *env)
{
    (void)env;
    cause = why;
    cancellations++;
}

/* A source that is not settled, and tells of its cancellation. */
static void
begin_told(void)
{
    begin(LATER, false);
    ck_assert_int_eq(cop_resolver_on_cancel(source.resolver, note_cancel, NULL), 0);
}

static void
assert_goes_on(void)
{
    ck_assert_int_eq(cop_future_state(source.future, NULL), -EINPROGRESS);
    ck_assert_uint_eq(cancellations, 0);
}

static void
assert_ended(const char *words)
{
    EVENTUALLY(cancellations == 1);
    ck_assert_int_eq(cause.kind, COP_SHUTDOWN);
    ck_assert_int_eq(cause.code, -ECANCELED);
    ck_assert_str_eq(cause.text, words);
    ck_assert_int_eq(cop_future_state(source.future, NULL), -ECANCELED);
}

static atomic_uint drops;

static void
count_drop(void *data)
{
    free(data);
    drops++;
}

static int
move_value(void)
{
    uint64_t *owned = malloc(sizeof *owned);
    ck_assert_ptr_nonnull(owned);
    *owned = VALUE;
    int r = cop_resolve_move(source.resolver, owned, sizeof *owned, count_drop);
    if (r) {
        free(owned);
    }
    return r;
}

static int
copy_number(const void *value, void *result, void *env)
{
    (void)env;
    memcpy(result, value, sizeof(uint64_t));
    return 0;
}

/* A child is given up before its time; whether a timer of the same time that was set later has come. */
static void
let_time_pass(cop_time limit)
{
    cop_send_after(cop_self(), COP_TAG(1), limit);
    test_receive(1);
}

/* ---------------------------------------------------------------- what cannot be limited */

static int
try_within(void *arg)
{
    (void)arg;
    cop_future *child = cop_within(source.future, HOUR);
    int r = cop_future_state(child, NULL);
    cop_future_release(child);
    return r;
}

TEST(without_memory_it_is_rejected_already_and_the_source_goes_on)
{
    int r;
    begin_told();
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(try_within, NULL, &r), 2);
    ck_assert_int_eq(r, -EINPROGRESS);
    assert_goes_on();
    let_go();
}

TEST(without_a_thread_for_timers_it_is_rejected_already_and_the_source_goes_on)
{
    begin_told();
    test_refuse_system_call(SYS_clone3, EAGAIN);
#if !defined(__SANITIZE_ADDRESS__) /* whose look for leaks needs the old one */
    test_refuse_system_call(SYS_clone, EAGAIN);
#endif
    assert_code(cop_within(source.future, HOUR), -EAGAIN);
    assert_goes_on();
    let_go();
}

/* ---------------------------------------------------------------- the time is over */

TEST(what_is_never_settled_is_rejected_in_time_and_the_source_cancelled) /* CB11 */
{
    begin_told();
    cop_time begun = cop_now();
    cop_future *child = cop_within(source.future, COP_MS(20));
    assert_code(child, -ETIMEDOUT);
    cop_time took = cop_now() - begun;
    ck_assert_int_ge(took, COP_MS(20));
    printf("a limit of 20 ms took %lld us\n", (long long)(took / COP_US(1)));
    assert_ended(cop_strerror(-ETIMEDOUT));
    let_go();
}

static atomic_int task_saw;

static int
sleep_long(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    task_saw = cop_sleep(COP_SEC(60));
    return task_saw;
}

TEST(a_task_that_is_late_is_cancelled) /* CB11 */
{
    cop_future *task = cop_async(sleep_long);
    assert_code(cop_within(task, COP_MS(20)), -ETIMEDOUT);
    cop_bytes value;
    ck_assert_int_eq(cop_await_bytes(task, &value, SOON), -ECANCELED);
    ck_assert_int_eq(task_saw, -ECANCELED);
    cop_future_release(task);
}

TEST_TIMES(3, no_time_is_over_at_once_unless_the_source_is_settled)
{
    const cop_time none[] = {0, -1, INT64_MIN};
    begin_told();
    cop_future *child = cop_within(source.future, none[_i]);
    ck_assert_int_eq(cop_future_state(child, NULL), -ETIMEDOUT);
    assert_ended(cop_strerror(-ETIMEDOUT));
    cop_future_release(child);
    let_go();
    begin(BEFORE, false);
    child = cop_within(source.future, none[_i]);
    ck_assert_int_eq(cop_future_state(child, NULL), 0);
    assert_value(child, VALUE);
    let_go();
}

TEST(no_time_for_a_lazy_task_is_that_it_never_begins)
{
    cop_future *task = cop_async(sleep_long, .lazy = true);
    assert_code(cop_within(task, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_future_state(task, NULL), -ECANCELED);
    ck_assert_uint_eq(cop_future_pid(task).id, COP_NOBODY.id);
    cop_future_release(task);
}

static void
leave_by_exit(cop_reason why, void *env)
{
    (void)why, (void)env;
    cancellations++;
    cop_exit(cop_failed(-EDOM, "not here"));
}

TEST(who_leaves_by_an_exit_when_told_of_the_cancellation_harms_nobody)
{
    begin(LATER, false);
    ck_assert_int_eq(cop_resolver_on_cancel(source.resolver, leave_by_exit, NULL), 0);
    assert_code(cop_within(source.future, COP_MS(1)), -ETIMEDOUT);
    EVENTUALLY(cancellations == 1);
    let_go();
}

TEST(limits_in_limits_end_from_the_tightest_inwards)
{
    begin_told();
    cop_future *wide = cop_within(source.future, HOUR), *tight = cop_within(wide, COP_MS(5)),
               *around = cop_within(tight, HOUR);
    assert_code(around, -ETIMEDOUT);
    assert_code(tight, -ETIMEDOUT);
    assert_ended(cop_strerror(-ETIMEDOUT));
    ck_assert_int_eq(cop_future_state(wide, NULL), -ECANCELED);
    cop_future_release(wide);
    let_go();
}

TEST(a_thousand_limits_in_limits_are_cancelled_without_a_deep_stack)
{
    begin_told();
    cop_future *at = cop_within(source.future, HOUR);
    for (int i = 0; i < 1000; i++) {
        cop_future *next = cop_within(at, HOUR);
        cop_future_release(at);
        at = next;
    }
    ck_assert_int_eq(cop_future_cancel(at, cop_failed(-EDOM, "enough")), 0);
    assert_ended("enough");
    cop_future_release(at);
    let_go();
}

/* ---------------------------------------------------------------- in time */

TEST_TIMES(2 * ALL_THREE, any_outcome_that_comes_in_time_is_the_childs)
{
    begin(_i % ALL_THREE, _i >= ALL_THREE);
    cop_future *child = cop_within(source.future, HOUR);
    proceed();
    if (source.fails) {
        assert_rejected(child, failure());
    } else {
        assert_value(child, VALUE);
    }
    let_go();
}

TEST(a_settled_source_decides_at_once)
{
    for (int fails = 0; fails < 2; fails++) {
        begin(BEFORE, fails);
        cop_future *child = cop_within(source.future, HOUR);
        ck_assert_ptr_ne(child, source.future);
        ck_assert_int_eq(cop_future_state(child, NULL), fails ? -EBADMSG : 0);
        ck_assert_int_eq(cop_future_cancel(child, COP_REASON_SHUTDOWN), -EALREADY);
        cop_future_release(child);
        let_go();
    }
}

TEST_TIMES(ALL_THREE, the_value_is_shown_and_dropped_once)
{
    cop_bytes from, to;
    begin(LATER, false);
    if (_i == BEFORE) {
        ck_assert_int_eq(move_value(), 0);
    }
    cop_future *child = cop_within(source.future, HOUR), *again = cop_within(child, HOUR);
    if (_i != BEFORE) {
        ck_assert_int_eq(move_value(), 0);
    }
    ck_assert_int_eq(cop_await_bytes(again, &to, SOON), 0);
    ck_assert_int_eq(cop_await_bytes(source.future, &from, SOON), 0);
    ck_assert_ptr_eq(to.data, from.data);
    cop_future_release(child);
    let_go();
    ck_assert_uint_eq(drops, 0);
    assert_value(again, VALUE);
    EVENTUALLY(drops == 1);
}

TEST(without_an_end_of_time_it_is_the_source_itself)
{
    begin(LATER, false);
    cop_future *child = cop_within(source.future, COP_FOREVER);
    ck_assert_ptr_eq(child, source.future);
    settle();
    let_go();
    assert_value(child, VALUE);
}

TEST(a_value_of_any_size_passes)
{
    cop_bytes out;
    ck_assert_int_eq(cop_promise_new(&source.future, &source.resolver, COP_ANY), 0);
    cop_future *child = cop_within(source.future, HOUR);
    ck_assert_int_eq(cop_resolve(source.resolver, (cop_bytes){"coppice", 7}), 0);
    ck_assert_int_eq(cop_await_bytes(child, &out, SOON), 0);
    ck_assert_uint_eq(out.size, 7);
    ck_assert_mem_eq(out.data, "coppice", 7);
    cop_future_release(child);
    let_go();
}

static int
answer(cop_bytes arg, void *result)
{
    (void)arg;
    memcpy(result, &VALUE, sizeof VALUE);
    return 0;
}

TEST(a_lazy_task_is_started)
{
    cop_future *task = cop_async(answer, .result_size = sizeof VALUE, .lazy = true);
    assert_value(cop_within(task, HOUR), VALUE);
    cop_future_release(task);
}

TEST(a_source_and_the_end_of_time_race_and_one_of_them_decides)
{
    for (int i = 0; i < 300; i++) {
        cop_bytes value;
        begin(LATER, false);
        cop_future *child = cop_within(source.future, COP_US(i % 60));
        cop_sleep(COP_US(i % 13));
        bool was_moved = move_value() == 0;
        int r = cop_await_bytes(child, &value, SOON);
        ck_assert(r == 0 || r == -ETIMEDOUT);
        ck_assert(was_moved || r == -ETIMEDOUT);
        cop_future_release(child);
        let_go();
        unsigned expected = (unsigned)was_moved;
        EVENTUALLY(drops == expected);
        drops = 0;
    }
}

/* ---------------------------------------------------------------- cancelled */

TEST(cancelling_the_child_reaches_the_source)
{
    begin_told();
    cop_future *child = cop_within(source.future, HOUR);
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EDOM, "enough")), 0);
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EDOM, "again")), -EALREADY);
    assert_rejected(child, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    assert_ended("enough");
    let_go();
}

TEST(cancelling_the_source_is_an_outcome_like_any_other)
{
    begin_told();
    cop_future *child = cop_within(source.future, HOUR);
    ck_assert_int_eq(cop_future_cancel(source.future, cop_failed(-EDOM, "enough")), 0);
    assert_rejected(child, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    ck_assert_uint_eq(cancellations, 1);
    let_go();
}

/* ---------------------------------------------------------------- given up */

/* Whether it was early enough is the machine's affair. */
static bool
give_up_early(cop_time limit)
{
    cop_time begun = cop_now();
    begin_told();
    cop_future_release(cop_within(source.future, limit));
    return cop_now() - begun < limit;
}

TEST(a_child_that_is_released_early_limits_nothing)
{
    while (!give_up_early(COP_MS(50))) {
        let_go();
        cancellations = 0;
    }
    let_time_pass(COP_MS(50));
    assert_goes_on();
    settle();
    let_go();
}

TEST(a_child_that_is_released_early_leaves_no_timer_behind)
{
    enum {
        CHILDREN = 4000,
        LEAST = 100 /* bytes of one timer */
    };
    begin(LATER, false);
    cop_future_release(cop_within(source.future, HOUR)); /* what is made once is there */
    size_t before = test_allocated();
    for (int i = 0; i < CHILDREN; i++) {
        cop_future_release(cop_within(source.future, HOUR));
    }
    settle();
    let_go();
    EVENTUALLY(TEST_SANITIZED || test_allocated() < before + CHILDREN * LEAST);
}

static atomic_uint told;

static void
tell_failure(cop_reason why, void *env)
{
    (void)env;
    ck_assert_int_eq(why.code, -ETIMEDOUT);
    told++;
}

static cop_future *
then_limited(const void *value, void *env)
{
    (void)value, (void)env;
    cop_future *task = cop_async(sleep_long, .result_size = sizeof VALUE);
    cop_future *child = cop_within(task, COP_MS(5));
    cop_future_release(task);
    return child;
}

TEST(what_is_registered_keeps_the_limit_though_nobody_holds_the_child)
{
    enum {
        SETTLED = 1
    };
    begin_told();
    cop_future *child = cop_within(source.future, COP_MS(5));
    cop_future *mapped = cop_map(child, copy_number, NULL, sizeof VALUE);
    ck_assert_int_eq(cop_on_settled(child, NULL, tell_failure, NULL), 0);
    ck_assert_uint_ne(cop_future_notify(child, SETTLED).id, 0);
    cop_future_release(child);
    cop_msg msg = test_receive(SETTLED);
    ck_assert_int_eq(COP_BODY(msg, struct cop_settled)->code, -ETIMEDOUT);
    assert_code(mapped, -ETIMEDOUT);
    EVENTUALLY(told == 1);
    assert_ended(cop_strerror(-ETIMEDOUT));
    let_go();
}

TEST(what_is_registered_when_it_is_settled_keeps_nothing)
{
    begin(LATER, false);
    cop_future *child = cop_within(source.future, HOUR);
    settle();
    assert_value(cop_future_retain(child), VALUE);
    assert_value(cop_map(child, copy_number, NULL, sizeof VALUE), VALUE);
    cop_future_release(child);
    let_go();
}

TEST(what_is_registered_with_one_that_was_settled_when_it_was_made_keeps_nothing)
{
    enum {
        TOLD = 7
    };
    begin(BEFORE, false);
    cop_future *child = cop_within(source.future, HOUR);
    ck_assert_uint_ne(cop_future_notify(child, TOLD).id, 0);
    test_receive(TOLD);
    assert_value(cop_map(child, copy_number, NULL, sizeof VALUE), VALUE);
    cop_future_release(child);
    let_go();
    begin_told();
    child = cop_within(source.future, 0);
    assert_code(cop_map(child, copy_number, NULL, sizeof VALUE), -ETIMEDOUT);
    cop_future_release(child);
    assert_ended(cop_strerror(-ETIMEDOUT));
    let_go();
}

TEST(a_limited_future_can_be_what_then_makes)
{
    begin(BEFORE, false);
    assert_code(cop_then(source.future, then_limited, NULL, sizeof VALUE), -ETIMEDOUT);
    EVENTUALLY(task_saw == -ECANCELED);
    let_go();
}

TEST(a_wait_that_was_shorter_does_not_disturb_the_limit)
{
    uint64_t value;
    begin_told();
    cop_future *child = cop_within(source.future, COP_MS(30));
    ck_assert_int_eq(cop_await(child, COP_OUT(value), COP_US(1)), -ETIMEDOUT);
    assert_code(child, -ETIMEDOUT);
    assert_ended(cop_strerror(-ETIMEDOUT));
    let_go();
}

TEST(children_are_given_up_while_their_time_ends)
{
    for (int i = 0; i < 300; i++) {
        begin(LATER, false);
        cop_future *child = cop_within(source.future, COP_US(i % 60));
        cop_sleep(COP_US(i % 13));
        cop_future_release(child);
        let_go();
    }
}

TEST(a_shutdown_lifts_the_limit)
{
    begin_told();
    cop_future *child = cop_within(source.future, HOUR);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_future_state(child, NULL), -EINPROGRESS);
    assert_goes_on();
    settle();
    assert_value(child, VALUE);
    let_go();
}

TEST(it_is_known_where_a_child_was_made)
{
    begin(LATER, false);
    int line = __LINE__ + 1;
    cop_future *child = cop_within(source.future, HOUR);
    ck_assert_int_eq(child->line, line);
    ck_assert_str_eq(child->file, __FILE__);
    cop_future_release(child);
    let_go();
}

SUITE("within")
