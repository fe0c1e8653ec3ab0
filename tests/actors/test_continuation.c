/*
 * tests/actors/test_continuation.c - what is done when a future is settled: once, in order, never on
 * the stack of who settles it or registers it; as seen through cop_on_settled.
 *
 * Room: tests/. Cases that run three times have a source that is settled before the call, right after
 * it on the same thread, or later on another one.
 */
#include "actors/continuation.h"
#include "actors/future.h"
#include "tests/actors/source.h"
#include "tests/support/support.h"

#include <coppice/chain.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

/* ---------------------------------------------------------------- handlers that remember */

struct record {
    atomic_uint successes, failures;
    uint64_t value;
    cop_reason why;
    pthread_t thread;
};

static void
succeeded(const void *value, void *env)
{
    struct record *record = env;
    memcpy(&record->value, value, sizeof record->value);
    record->thread = pthread_self();
    record->successes++;
}

static void
failed(cop_reason why, void *env)
{
    struct record *record = env;
    record->why = why;
    record->thread = pthread_self();
    record->failures++;
}

static void
watch(struct record *record)
{
    ck_assert_int_eq(cop_on_settled(source.future, succeeded, failed, record), 0);
}

/* Whatever was registered before this has been run when it returns. */
static void
let_all_run(void)
{
    static struct record last;
    last.successes = last.failures = 0;
    watch(&last);
    EVENTUALLY(last.successes + last.failures == 1);
}

static void
assert_has_succeeded(struct record *record)
{
    EVENTUALLY(record->successes > 0);
    let_all_run();
    ck_assert_uint_eq(record->successes, 1);
    ck_assert_uint_eq(record->failures, 0);
    ck_assert_uint_eq(record->value, VALUE);
}

static void
assert_has_failed(struct record *record)
{
    const cop_reason why = failure();
    EVENTUALLY(record->failures > 0);
    let_all_run();
    ck_assert_uint_eq(record->failures, 1);
    ck_assert_uint_eq(record->successes, 0);
    ck_assert_int_eq(record->why.kind, why.kind);
    ck_assert_int_eq(record->why.code, why.code);
    ck_assert_str_eq(record->why.text, why.text);
}

/* ---------------------------------------------------------------- without memory */

static int
register_once(void *record)
{
    return cop_on_settled(source.future, succeeded, failed, record);
}

TEST(without_memory_neither_will_run)
{
    struct record record = {0};
    int r;
    begin(LATER, false);
    ck_assert_uint_eq(test_out_of_memory(register_once, &record, &r), 1);
    ck_assert_int_eq(r, 0);
    settle();
    assert_has_succeeded(&record);
    let_go();
}

TEST(why_nothing_was_registered_is_said)
{
    struct record record = {0};
    int r;
    cop_self(); /* so that the failure finds a place */
    begin(LATER, false);
    ck_assert_uint_eq(test_out_of_memory(register_once, &record, &r), 1);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    let_go();
    EVENTUALLY(record.failures == 1); /* its resolver is gone */
}

TEST(the_future_that_stands_for_no_memory_is_one_that_has_failed)
{
    struct record record = {0};
    cop_future *none = copi_future_no_memory();
    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_int_eq(cop_on_settled(none, succeeded, failed, &record), 0);
        EVENTUALLY(record.failures == i);
    }
    ck_assert_int_eq(record.why.code, -ENOMEM);
    ck_assert_uint_eq(record.successes, 0);
    cop_future_release(none);
}

/* ---------------------------------------------------------------- crashes */

static void
leave_with_success(const void *value, void *env)
{
    (void)value;
    cop_exit(*(cop_reason *)env);
}

static void
leave_with_failure(cop_reason why, void *env)
{
    (void)why;
    cop_exit(*(cop_reason *)env);
}

static void
watch_and_leave(cop_reason *with)
{
    ck_assert_int_eq(cop_on_settled(source.future, leave_with_success, leave_with_failure, with),
                     0);
}

TEST_TIMES(2, a_handler_that_crashes_is_reported_and_harms_nobody_else)
{
    struct record before = {0}, after = {0};
    cop_reason why = cop_failed(-EBADF, "{a,very,own,crash}");
    begin(LATER, _i == 1);
    watch(&before);
    watch_and_leave(&why);
    watch(&after);
    test_catch_stderr();
    settle();
    EVENTUALLY(after.successes + after.failures == 1);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "{a,very,own,crash}"), 1);
    free(said);
    ck_assert_uint_eq(before.successes + before.failures, 1);
    let_go();
}

TEST(a_handler_that_exits_without_a_crash_is_no_news)
{
    struct record after = {0};
    cop_reason normal = COP_REASON_NORMAL, shutdown = COP_REASON_SHUTDOWN;
    begin(LATER, false);
    watch_and_leave(&normal);
    watch_and_leave(&shutdown);
    watch(&after);
    test_catch_stderr();
    settle();
    assert_has_succeeded(&after);
    char *said = test_caught_stderr();
    ck_assert_str_eq(said, "");
    free(said);
    let_go();
}

static void
assert_false(const void *value, void *env)
{
    (void)env;
    cop_assert(value == NULL);
}

TEST(a_failed_assertion_is_a_crash_of_the_handler_alone)
{
    struct record after = {0};
    begin(BEFORE, false);
    test_catch_stderr();
    ck_assert_int_eq(cop_on_settled(source.future, assert_false, NULL, NULL), 0);
    watch(&after);
    assert_has_succeeded(&after);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "value == NULL"), 1);
    free(said);
    let_go();
}

static void
count(void *counter)
{
    (*(atomic_uint *)counter)++;
}

static void
defer_and_return(const void *value, void *env)
{
    (void)value;
    cop_defer(count, env);
}

static void
defer_and_crash(const void *value, void *env)
{
    defer_and_return(value, env);
    cop_exit(COP_REASON_NORMAL);
}

TEST(what_a_handler_defers_runs_at_its_end_however_it_ends)
{
    atomic_uint deferred = 0;
    begin(BEFORE, false);
    ck_assert_int_eq(cop_on_settled(source.future, defer_and_return, NULL, &deferred), 0);
    let_all_run();
    ck_assert_uint_eq(deferred, 1);
    ck_assert_int_eq(cop_on_settled(source.future, defer_and_crash, NULL, &deferred), 0);
    let_all_run();
    ck_assert_uint_eq(deferred, 2);
    let_go();
}

/* ---------------------------------------------------------------- which of the two */

TEST(the_handler_of_failures_runs_without_one_of_successes) /* PA07 */
{
    struct record record = {0};
    begin(BEFORE, true);
    ck_assert_int_eq(cop_on_settled(source.future, NULL, failed, &record), 0);
    assert_has_failed(&record);
    let_go();
}

TEST(the_handler_of_successes_runs_without_one_of_failures) /* PA08 */
{
    struct record record = {0};
    begin(BEFORE, false);
    ck_assert_int_eq(cop_on_settled(source.future, succeeded, NULL, &record), 0);
    assert_has_succeeded(&record);
    let_go();
}

TEST_TIMES(ALL_THREE, without_handlers_nothing_runs_and_later_ones_do) /* PA09 */
{
    struct record record = {0};
    begin(_i, false);
    ck_assert_int_eq(cop_on_settled(source.future, NULL, NULL, NULL), 0);
    ck_assert_int_eq(cop_on_settled(source.future, NULL, failed, &record), 0);
    watch(&record);
    proceed();
    assert_has_succeeded(&record);
    let_go();
}

TEST_TIMES(ALL_THREE, the_handler_gets_the_very_bytes) /* PA10 */
{
    struct record record = {0};
    begin(_i, false);
    watch(&record);
    proceed();
    assert_has_succeeded(&record);
    let_go();
}

TEST_TIMES(ALL_THREE, the_handler_gets_the_very_rejection) /* PA11 */
{
    struct record record = {0};
    begin(_i, true);
    watch(&record);
    proceed();
    assert_has_failed(&record);
    let_go();
}

TEST_TIMES(2, of_two_outcomes_the_handler_sees_the_first) /* PA01, PA04, PA16, PA18 */
{
    struct record record = {0};
    const uint64_t other = 1;
    begin(LATER, _i == 1);
    watch(&record);
    settle();
    ck_assert_int_eq(cop_reject(source.resolver, COP_REASON_SHUTDOWN), -EALREADY);
    ck_assert_int_eq(cop_resolve(source.resolver, COP_BYTES(other)), -EALREADY);
    if (source.fails) {
        assert_has_failed(&record);
    } else {
        assert_has_succeeded(&record);
    }
    let_go();
}

static void *
settle_again(void *arg)
{
    const uint64_t other = 1;
    usleep(50000);
    ck_assert_int_eq(cop_resolve(source.resolver, COP_BYTES(other)), -EALREADY);
    ck_assert_int_eq(cop_reject(source.resolver, COP_REASON_SHUTDOWN), -EALREADY);
    return arg;
}

TEST_TIMES(2, a_second_outcome_later_on_another_thread_runs_nothing) /* PA02, PA05, PA17 */
{
    struct record record = {0};
    pthread_t thread;
    begin(LATER, _i == 1);
    watch(&record);
    settle();
    ck_assert_int_eq(pthread_create(&thread, NULL, settle_again, NULL), 0);
    pthread_join(thread, NULL);
    if (source.fails) {
        assert_has_failed(&record);
    } else {
        assert_has_succeeded(&record);
    }
    let_go();
}

TEST(a_cancelled_future_has_failed)
{
    struct record record = {0};
    begin(LATER, false);
    watch(&record);
    ck_assert_int_eq(cop_future_cancel(source.future, cop_failed(-EBADF, "enough")), 0);
    EVENTUALLY(record.failures == 1);
    ck_assert_int_eq(record.why.code, -ECANCELED);
    ck_assert_str_eq(record.why.text, "enough");
    let_go();
}

/* ---------------------------------------------------------------- when, and how often */

static atomic_bool is_about_to_settle, was_early;

static void
look_whether_early(const void *value, void *env)
{
    was_early = was_early || !is_about_to_settle;
    succeeded(value, env);
}

static void
look_whether_failure_is_early(cop_reason why, void *env)
{
    was_early = was_early || !is_about_to_settle;
    failed(why, env);
}

TEST_TIMES(2, nothing_runs_before_the_outcome) /* PA12, PA13 */
{
    for (int round = 0; round < 300; round++) {
        struct record record = {0};
        is_about_to_settle = false;
        begin(LATER, _i == 1);
        ck_assert_int_eq(cop_on_settled(source.future, look_whether_early,
                                        look_whether_failure_is_early, &record),
                         0);
        is_about_to_settle = true;
        settle();
        EVENTUALLY(record.successes + record.failures == 1);
        let_go();
    }
    ck_assert(!was_early);
}

TEST(nothing_runs_while_the_future_is_pending) /* PA14 */
{
    struct record record = {0};
    begin(LATER, false);
    watch(&record);
    cop_sleep(COP_MS(200));
    ck_assert_uint_eq(record.successes + record.failures, 0);
    ck_assert_int_eq(cop_future_state(source.future, NULL), -EINPROGRESS);
    settle();
    assert_has_succeeded(&record);
    let_go();
}

TEST(a_handler_of_what_is_resolved_already_runs_once) /* PA15 */
{
    struct record record = {0};
    begin(BEFORE, false);
    watch(&record);
    assert_has_succeeded(&record);
    let_go();
}

TEST_TIMES(2, handlers_that_come_one_by_one_each_run_once) /* PA19, PA20 */
{
    struct record records[3] = {0};
    begin(LATER, _i == 1);
    for (int i = 0; i < 3; i++) {
        watch(&records[i]);
        cop_sleep(COP_MS(50));
    }
    settle();
    for (int i = 0; i < 3; i++) {
        if (source.fails) {
            assert_has_failed(&records[i]);
        } else {
            assert_has_succeeded(&records[i]);
        }
    }
    let_go();
}

TEST(the_environments_do_not_mix) /* PA25 */
{
    struct record first = {0}, second = {0};
    begin(LATER, false);
    ck_assert_int_eq(cop_on_settled(source.future, succeeded, NULL, &first), 0);
    ck_assert_int_eq(cop_on_settled(source.future, NULL, failed, &second), 0);
    settle();
    assert_has_succeeded(&first);
    ck_assert_uint_eq(second.successes + second.failures, 0);
    let_go();
}

TEST_TIMES(2 * ALL_THREE, three_handlers_of_one_future_each_run_once) /* PA26, PA27 */
{
    struct record records[3] = {0};
    begin(_i % ALL_THREE, _i >= ALL_THREE);
    for (int i = 0; i < 3; i++) {
        watch(&records[i]);
    }
    proceed();
    for (int i = 0; i < 3; i++) {
        if (source.fails) {
            assert_has_failed(&records[i]);
        } else {
            assert_has_succeeded(&records[i]);
        }
    }
    let_go();
}

/* ---------------------------------------------------------------- on whose stack */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void
succeed_with_mutex(const void *value, void *env)
{
    pthread_mutex_lock(&mutex);
    succeeded(value, env);
    pthread_mutex_unlock(&mutex);
}

static void
fail_with_mutex(cop_reason why, void *env)
{
    pthread_mutex_lock(&mutex);
    failed(why, env);
    pthread_mutex_unlock(&mutex);
}

static void
watch_with_mutex(struct record *record)
{
    ck_assert_int_eq(cop_on_settled(source.future, succeed_with_mutex, fail_with_mutex, record), 0);
}

TEST_TIMES(2, a_handler_does_not_run_inside_the_call_that_registers_it) /* PA21, PA23 */
{
    struct record record = {0};
    begin(BEFORE, _i == 1);
    pthread_mutex_lock(&mutex);
    watch_with_mutex(&record);
    ck_assert_uint_eq(record.successes + record.failures, 0);
    pthread_mutex_unlock(&mutex);
    EVENTUALLY(record.successes + record.failures == 1);
    ck_assert(!pthread_equal(record.thread, pthread_self()));
    let_go();
}

TEST_TIMES(2, a_handler_does_not_run_inside_the_call_that_settles) /* PA22 */
{
    struct record record = {0};
    begin(LATER, _i == 1);
    watch_with_mutex(&record);
    pthread_mutex_lock(&mutex);
    settle();
    ck_assert_uint_eq(record.successes + record.failures, 0);
    pthread_mutex_unlock(&mutex);
    EVENTUALLY(record.successes + record.failures == 1);
    ck_assert(!pthread_equal(record.thread, pthread_self()));
    let_go();
}

static void *
settle_and_wait(void *record)
{
    const struct record *seen = record;
    settle();
    while (seen->successes + seen->failures == 0) {
        usleep(200);
    }
    ck_assert(!pthread_equal(seen->thread, pthread_self()));
    return NULL;
}

TEST_TIMES(2, a_thread_that_settles_runs_no_handlers) /* PA24 */
{
    struct record record = {0};
    pthread_t thread;
    begin(LATER, _i == 1);
    watch(&record);
    ck_assert_int_eq(pthread_create(&thread, NULL, settle_and_wait, &record), 0);
    pthread_join(thread, NULL);
    let_go();
}

/* ---------------------------------------------------------------- in which order */

enum {
    MANY = 1000
};

static struct {
    int sequence[2 * MANY];
    atomic_int next;
    atomic_bool overlap;
    atomic_int inside;
} order;

static void
note(void *env)
{
    order.overlap = order.overlap || order.inside++ > 0;
    order.sequence[order.next] = *(const int *)env;
    order.inside--;
    order.next++; /* what is counted is there */
}

static void
note_success(const void *value, void *env)
{
    (void)value;
    note(env);
}

static void
note_failure(cop_reason why, void *env)
{
    (void)why;
    note(env);
}

TEST_TIMES(2 * ALL_THREE, handlers_run_in_the_order_of_registration) /* PA29, PA30 */
{
    int numbers[MANY];
    begin(_i % ALL_THREE, _i >= ALL_THREE);
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        ck_assert_int_eq(cop_on_settled(source.future, note_success, note_failure, &numbers[i]), 0);
    }
    proceed();
    EVENTUALLY(order.next == MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(order.sequence[i], i);
    }
    ck_assert(!order.overlap);
    let_go();
}

static int halves[2 * MANY];

static void *
register_half(void *first)
{
    int *numbers = first;
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_on_settled(source.future, note_success, note_failure, &numbers[i]), 0);
    }
    return NULL;
}

TEST_TIMES(10, what_is_registered_while_others_settle_runs_once_and_in_order)
{
    pthread_t threads[2];
    begin(LATER, false);
    for (int i = 0; i < 2 * MANY; i++) {
        halves[i] = i;
    }
    for (int t = 0; t < 2; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, register_half, &halves[t * MANY]), 0);
    }
    usleep((useconds_t)(_i * 20));
    settle();
    for (int t = 0; t < 2; t++) {
        pthread_join(threads[t], NULL);
    }
    EVENTUALLY(order.next == 2 * MANY);
    int next[2] = {0, MANY};
    for (int i = 0; i < 2 * MANY; i++) {
        ck_assert_int_eq(order.sequence[i], next[order.sequence[i] >= MANY]++);
    }
    ck_assert(!order.overlap);
    let_go();
}

static void
register_another(const void *value, void *env)
{
    (void)value;
    ck_assert_int_eq(cop_on_settled(source.future, succeeded, failed, env), 0);
    ck_assert_uint_eq(((struct record *)env)->successes, 0);
}

TEST(what_a_handler_registers_with_its_own_future_runs_after_it)
{
    struct record record = {0};
    begin(LATER, false);
    ck_assert_int_eq(cop_on_settled(source.future, register_another, NULL, &record), 0);
    settle();
    EVENTUALLY(record.successes == 1);
    let_go();
}

/* ---------------------------------------------------------------- what is held */

TEST_TIMES(ALL_THREE, a_handler_runs_although_all_handles_are_given_back)
{
    struct record record = {0};
    begin(_i, false);
    watch(&record);
    cop_future_release(source.future);
    proceed();
    cop_resolver_free(source.resolver);
    EVENTUALLY(record.successes == 1);
    ck_assert_uint_eq(record.value, VALUE);
}

static atomic_uint drops;

static void
drop(void *data)
{
    drops++;
    free(data);
}

static void
see_that_it_is_there(const void *value, void *env)
{
    ck_assert_uint_eq(drops, 0);
    succeeded(value, env);
}

TEST(a_moved_value_stays_until_the_last_handler_has_run)
{
    struct record records[3] = {0};
    uint64_t *number = malloc(sizeof *number);
    ck_assert_ptr_nonnull(number);
    *number = VALUE;
    begin(LATER, false);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_on_settled(source.future, see_that_it_is_there, NULL, &records[i]), 0);
    }
    cop_future_release(source.future);
    ck_assert_int_eq(cop_resolve_move(source.resolver, number, sizeof *number, drop), 0);
    cop_resolver_free(source.resolver);
    EVENTUALLY(drops == 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(records[i].successes, 1);
    }
}

static void
read_bytes(const void *value, void *env)
{
    const cop_bytes *bytes = value;
    ck_assert_uint_eq(bytes->size, 5);
    ck_assert_mem_eq(bytes->data, "bytes", 5);
    (*(atomic_uint *)env)++;
}

TEST(a_value_of_any_size_is_given_as_bytes)
{
    atomic_uint seen = 0;
    ck_assert_int_eq(cop_promise_new(&source.future, &source.resolver, COP_ANY), 0);
    ck_assert_int_eq(cop_on_settled(source.future, read_bytes, NULL, &seen), 0);
    ck_assert_int_eq(cop_resolve(source.resolver, (cop_bytes){"bytes", 5}), 0);
    EVENTUALLY(seen == 1);
    let_go();
}

/* ---------------------------------------------------------------- one left behind does no harm */

static void
enter_a_cancelled_context(const void *value, void *env)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    (void)value;
    cop_context_enter(context);
    cop_context_cancel(context, cop_failed(-EBADF, "of one handler"));
    cop_context_free(context);
    (*(atomic_uint *)env)++;
    cop_exit(COP_REASON_NORMAL);
}

static void
sleep_a_little(const void *value, void *env)
{
    (void)value;
    *(atomic_int *)env = cop_sleep(COP_US(1));
}

TEST(a_context_that_a_handler_leaves_entered_is_not_the_next_ones)
{
    atomic_uint entered = 0;
    atomic_int slept = 1;
    begin(LATER, false);
    ck_assert_int_eq(cop_on_settled(source.future, enter_a_cancelled_context, NULL, &entered), 0);
    ck_assert_int_eq(cop_on_settled(source.future, sleep_a_little, NULL, &slept), 0);
    settle();
    EVENTUALLY(slept != 1);
    ck_assert_uint_eq(entered, 1);
    ck_assert_int_eq(slept, 0);
    let_go();
}

static void
take_memory(const void *value, void *env)
{
    (void)value;
    (*(atomic_uint *)env) += cop_alloc(1000) != NULL;
}

static void
look_at_memory(const void *value, void *env)
{
    cop_process_info info;
    (void)value;
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    *(atomic_long *)env = (long)info.owned_bytes;
}

TEST(the_memory_of_a_handler_goes_with_it)
{
    atomic_uint taken = 0;
    atomic_long left = -1;
    begin(LATER, false);
    ck_assert_int_eq(cop_on_settled(source.future, take_memory, NULL, &taken), 0);
    ck_assert_int_eq(cop_on_settled(source.future, look_at_memory, NULL, &left), 0);
    settle();
    EVENTUALLY(left >= 0);
    ck_assert_uint_eq(taken, 1);
    ck_assert_int_eq(left, 0);
    let_go();
}

static void
put_up_a_shield(const void *value, void *env)
{
    (void)value;
    (*(atomic_uint *)env) += cop_shield(true);
}

TEST(a_shield_of_a_handler_is_not_the_next_ones)
{
    atomic_uint was_shielded = 0;
    struct record record = {0};
    begin(LATER, false);
    ck_assert_int_eq(cop_on_settled(source.future, put_up_a_shield, NULL, &was_shielded), 0);
    ck_assert_int_eq(cop_on_settled(source.future, put_up_a_shield, NULL, &was_shielded), 0);
    watch(&record);
    settle();
    assert_has_succeeded(&record);
    ck_assert_uint_eq(was_shielded, 0);
    let_go();
}

static void
be_asked_to_stop(const void *value, void *env)
{
    (void)value, (void)env;
    cop_exit_signal(cop_self(), COP_REASON_SHUTDOWN);
    cop_sleep(COP_SEC(1));
}

TEST(a_signal_to_a_handler_is_not_the_next_ones)
{
    atomic_int slept = 1;
    begin(LATER, false);
    ck_assert_int_eq(cop_on_settled(source.future, be_asked_to_stop, NULL, NULL), 0);
    ck_assert_int_eq(cop_on_settled(source.future, sleep_a_little, NULL, &slept), 0);
    settle();
    EVENTUALLY(slept != 1);
    ck_assert_int_eq(slept, 0);
    let_go();
}

SUITE("continuation")
