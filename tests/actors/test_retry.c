/*
 * tests/actors/test_retry.c - tasks that are tried again until they succeed.
 *
 * Room: tests/. Case ids (CB13) are those of the list of futures' cases. Time is checked from below only.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "tests/actors/outcome.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <coppice/retry.h>

#include <errno.h>

static const uint64_t VALUE = 40;

#define HOUR    COP_SEC(3600)
#define AT_ONCE .backoff_min = 1, .backoff_max = 1
#define ASLEEP  .backoff_min = HOUR, .backoff_max = HOUR

/* ---------------------------------------------------------------- what comes between */

static atomic_bool refuses_timers;

int real_timer(cop_ref *out, cop_time deadline, void (*fn)(void *arg, bool is_stop), void *arg)
    REAL(copi_timer_call_later);
int refuse_timer(cop_ref *out, cop_time deadline, void (*fn)(void *arg, bool is_stop), void *arg)
    WRAP(copi_timer_call_later);
int
refuse_timer(cop_ref *out, cop_time deadline, void (*fn)(void *arg, bool is_stop), void *arg)
{
    return refuses_timers ? -ENOMEM : real_timer(out, deadline, fn, arg);
}

/* Cancelled when its last attempt has ended, and it is not yet settled. */
static cop_future *_Atomic to_cancel;
static atomic_int cancelling_said;

void real_adopt(cop_future *child, cop_future *settled) REAL(copi_future_adopt);
void cancel_and_adopt(cop_future *child, cop_future *settled) WRAP(copi_future_adopt);
void
cancel_and_adopt(cop_future *child, cop_future *settled)
{
    while (cancelling_said == -EINPROGRESS && !to_cancel) {
        cop_sleep(COP_US(200));
    }
    if (to_cancel) {
        cancelling_said = cop_future_cancel(to_cancel, COP_REASON_SHUTDOWN);
    }
    real_adopt(child, settled);
}

/* ---------------------------------------------------------------- what is tried */

enum {
    MOST = 64
};

static atomic_uint calls, at_a_time, most_at_a_time, drops, envs, asked;
static cop_time begun_at[MOST], ended_at[MOST];
static atomic_int saw;

static void
drop_env(void *env)
{
    ck_assert_ptr_eq(env, &asked);
    envs++;
}

static unsigned
enter(void)
{
    unsigned call = calls++, now = ++at_a_time;
    ck_assert_uint_lt(call, MOST);
    if (now > most_at_a_time) {
        most_at_a_time = now;
    }
    begun_at[call] = cop_now();
    return call + 1;
}

static int
leave(unsigned call, int code)
{
    ended_at[call - 1] = cop_now();
    at_a_time--;
    return code;
}

/* Succeeds at the call that its argument says; 0: never. */
static int
succeed_at(cop_bytes arg, void *result)
{
    unsigned call = enter(), wanted;
    memcpy(&wanted, arg.data, sizeof wanted);
    if (call == wanted) {
        memcpy(result, &VALUE, sizeof VALUE);
    }
    return leave(call, call == wanted ? 0 : -(int)call);
}

static unsigned never = 0, third = 3;

#define SUCCEEDS_AT(call) \
 .task = {.arg = COP_BYTES(call), .result_size = sizeof VALUE}, .env = &asked, .drop_env = drop_env

static int
crash(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    cop_exit(cop_failed(-EBADF, "{a,very,own,crash}"));
}

static int
stop(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    return -ECANCELED;
}

static int
sleep_long(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    saw = cop_sleep(COP_SEC(60));
    return saw;
}

/* Takes its time, and succeeds all the same. */
static int
succeed_when_cancelled(cop_bytes arg, void *result)
{
    (void)arg;
    calls++;
    saw = cop_sleep(COP_SEC(60));
    *(void **)result = malloc(1);
    return 0;
}

static void
drop_result(void *result)
{
    free(*(void **)result);
    drops++;
}

static cop_future *
start_and_pause(void)
{
    cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(never), ASLEEP);
    EVENTUALLY(at_a_time == 0 && calls == 1);
    return retry;
}

/* ---------------------------------------------------------------- what cannot start */

TEST(what_is_no_range_of_pauses_or_no_function_is_refused)
{
    const cop_retry_opts wrong[] = {
        {.backoff_min = -1},
        {.backoff_max = -1},
        {.backoff_min = 2, .backoff_max = 1},
        {.backoff_max = 1}, /* less than the default minimum */
        {.timeout = -1},
        {.task.link = true},
        {.task.lazy = true},
        {.task.awaiters_set_deadline = true},
        {.task.shutdown = 1},
        {.task.arg.size = 1},
        {.task.name = "a name that is longer than any that could be registered as one, by far"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_code(cop_retry_with(succeed_at, &wrong[i]), -EINVAL);
    }
    assert_code(cop_retry_with(NULL, NULL), -EINVAL);
    assert_code(cop_retry(NULL, .env = &asked, .drop_env = drop_env), -EINVAL);
    ck_assert_uint_eq(envs, 1);
    ck_assert_uint_eq(calls, 0);
}

static int
try_retry(void *arg)
{
    (void)arg;
    cop_future *retry = cop_retry(sleep_long, .task.result_size = 8, ASLEEP);
    int r = cop_future_state(retry, NULL);
    cop_future_cancel(retry, COP_REASON_SHUTDOWN);
    cop_future_release(retry);
    return r;
}

TEST(without_memory_it_is_rejected_already)
{
    int r;
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(try_retry, NULL, &r), 4);
    ck_assert(r == -EINPROGRESS || r == -EAGAIN); /* a thread is memory, too */
    assert_code(cop_retry(stop), -ECANCELED);     /* so is a worker: now there is one */
}

TEST(without_memory_the_environment_is_dropped)
{
    copi_alloc_fail_after(0);
    cop_future *retry = cop_retry(succeed_at, .env = &asked, .drop_env = drop_env);
    copi_alloc_fail_after(-1);
    assert_code(retry, -ENOMEM);
    ck_assert_uint_eq(envs, 1);
}

TEST(a_size_that_cannot_be_is_no_memory)
{
    assert_code(cop_retry(succeed_at, .task.result_size = COP_ANY - 1), -ENOMEM);
    assert_code(cop_retry(succeed_at, .task.arg = {&never, SIZE_MAX / 2}), -ENOMEM);
}

TEST_TIMES(2, in_a_context_that_is_over_nothing_is_tried) /* DL03 */
{
    cop_context *context = cop_context_new(_i ? 0 : COP_FOREVER);
    cop_context_enter(context);
    cop_context_cancel(_i ? NULL : context, cop_failed(-EDOM, "enough"));
    cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(third));
    cop_context_leave(context);
    cop_context_free(context);
    if (_i) {
        assert_code(retry, -ETIMEDOUT);
    } else {
        assert_rejected(retry, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    }
    ck_assert_uint_eq(calls, 0);
    ck_assert_uint_eq(envs, 1);
}

/* ---------------------------------------------------------------- attempts that fail */

TEST(the_last_failure_is_the_outcome) /* CB13 */
{
    cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 5, AT_ONCE);
    assert_code(cop_future_retain(retry), -5);
    ck_assert_uint_eq(calls, 5);
    ck_assert_uint_eq(cop_retry_attempts(retry), 5);
    ck_assert_uint_eq(most_at_a_time, 1);
    EVENTUALLY(envs == 1);
    cop_future_release(retry);
}

TEST(one_attempt_is_no_retry)
{
    assert_code(cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 1), -1);
    ck_assert_uint_eq(calls, 1);
}

TEST(three_attempts_are_the_default)
{
    assert_code(cop_retry(succeed_at, SUCCEEDS_AT(never), AT_ONCE), -3);
    ck_assert_uint_eq(calls, 3);
}

TEST(a_crash_is_a_failure)
{
    assert_rejected(cop_retry(crash, .attempts = 2, AT_ONCE),
                    cop_failed(-EBADF, "{a,very,own,crash}"));
    ck_assert_uint_eq(calls, 2);
}

TEST(what_was_stopped_has_not_failed)
{
    assert_code(cop_retry(stop, .attempts = 5, AT_ONCE), -ECANCELED);
    ck_assert_uint_eq(calls, 1);
    cop_future *retry = cop_retry(sleep_long, AT_ONCE);
    EVENTUALLY(calls == 2);
    cop_exit_signal(cop_future_pid(retry), COP_REASON_KILLED);
    cop_bytes value;
    ck_assert_int_eq(cop_await_bytes(retry, &value, SOON), -ECANCELED);
    ck_assert_uint_eq(calls, 2);
    cop_future_release(retry);
}

TEST(what_finds_no_thread_has_failed_like_any_other)
{
    test_catch_stderr(); /* it is reported */
    cop_future *retry = cop_retry(succeed_at, .task.stack_size = SIZE_MAX, AT_ONCE);
    assert_code(cop_future_retain(retry), -EAGAIN);
    ck_assert_uint_eq(cop_retry_attempts(retry), 3);
    ck_assert_uint_eq(calls, 0);
    cop_future_release(retry);
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- one that succeeds */

TEST(the_first_success_is_the_outcome) /* CB13 */
{
    cop_future *retry =
        cop_retry(succeed_at, SUCCEEDS_AT(third), .attempts = COP_RETRY_FOREVER, AT_ONCE);
    assert_value(cop_future_retain(retry), VALUE);
    ck_assert_uint_eq(calls, 3);
    ck_assert_uint_eq(cop_retry_attempts(retry), 3);
    ck_assert_int_eq(cop_future_cancel(retry, COP_REASON_SHUTDOWN), -EALREADY);
    EVENTUALLY(envs == 1);
    cop_future_release(retry);
}

static int
own_some(cop_bytes arg, void *result)
{
    (void)arg;
    *(void **)result = malloc(1);
    return calls++ < 2 ? (free(*(void **)result), -EIO) : 0;
}

TEST(a_result_that_owns_memory_is_dropped_once)
{
    void *value;
    cop_future *retry =
        cop_retry(own_some, .task = {.result_size = sizeof value, .drop = drop_result}, AT_ONCE);
    ck_assert_int_eq(cop_await(retry, COP_OUT(value), SOON), 0);
    ck_assert_uint_eq(drops, 0);
    cop_future_release(retry);
    EVENTUALLY(drops == 1);
}

static int
return_words(cop_bytes arg, void *result)
{
    *(cop_bytes *)result = arg;
    return calls++ < 1 ? -EIO : 0;
}

TEST(argument_name_and_any_size_are_every_attempts)
{
    char words[] = "these are the words", name[] = "tried";
    cop_bytes out;
    cop_future *retry =
        cop_retry(return_words,
                  .task = {.arg = COP_STR(words), .result_size = COP_ANY, .name = name},
                  .backoff_min = COP_MS(20));
    memset(words, 'x', sizeof words - 1);
    memset(name, 'x', sizeof name - 1);
    ck_assert_int_eq(cop_await_bytes(retry, &out, SOON), 0);
    ck_assert_str_eq(out.data, "these are the words");
    cop_future_release(retry);
}

TEST(what_nobody_holds_goes_on)
{
    cop_future_release(cop_retry(succeed_at, SUCCEEDS_AT(third), .attempts = 5, AT_ONCE));
    EVENTUALLY(envs == 1);
    ck_assert_uint_eq(calls, 3);
}

TEST(other_futures_are_no_retries)
{
    cop_future *task = cop_async(stop);
    ck_assert_uint_eq(cop_retry_attempts(task), 0);
    cop_future_release(task);
}

/* ---------------------------------------------------------------- who is asked */

static uint32_t numbers[MOST];
static int codes[MOST];

static bool
until_the_third(cop_reason why, uint32_t attempt, void *env)
{
    ck_assert_ptr_eq(env, &asked);
    numbers[asked] = attempt;
    codes[asked++] = why.code;
    return attempt < 3;
}

TEST(who_is_asked_decides_whether_a_failure_is_worth_another)
{
    assert_code(cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 9, .again = until_the_third,
                          AT_ONCE),
                -3);
    ck_assert_uint_eq(calls, 3);
    ck_assert_uint_eq(asked, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(numbers[i], i + 1);
        ck_assert_int_eq(codes[i], -(int)(i + 1));
    }
}

TEST(nobody_is_asked_about_the_last_attempt_nor_about_a_success)
{
    assert_code(cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 2, .again = until_the_third,
                          AT_ONCE),
                -2);
    ck_assert_uint_eq(asked, 1);
    calls = 2;
    assert_value(cop_retry(succeed_at, SUCCEEDS_AT(third), .again = until_the_third), VALUE);
    ck_assert_uint_eq(asked, 1);
}

static bool
crash_when_asked(cop_reason why, uint32_t attempt, void *env)
{
    (void)why, (void)attempt, (void)env;
    cop_exit(cop_failed(-EBADF, "{a,very,own,crash}"));
}

TEST(a_crash_of_who_is_asked_is_the_outcome)
{
    assert_rejected(cop_retry(succeed_at, SUCCEEDS_AT(never), .again = crash_when_asked, AT_ONCE),
                    cop_failed(-EBADF, "{a,very,own,crash}"));
    ck_assert_uint_eq(calls, 1);
    EVENTUALLY(envs == 1);
}

/* ---------------------------------------------------------------- pauses */

TEST(pauses_are_as_long_as_they_are_to_be_at_least) /* CB13 */
{
    assert_code(cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 4, .backoff_min = COP_MS(8)),
                -4);
    for (int i = 1; i < 4; i++) {
        cop_time pause = begun_at[i] - ended_at[i - 1];
        ck_assert_int_ge(pause, COP_MS(8));
        printf("pause %d: %lld us, of 8 ms to %d ms\n", i, (long long)(pause / COP_US(1)), 8 << i);
    }
}

TEST(a_range_of_one_length_is_no_affair_of_chance)
{
    assert_code(cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 4, .backoff_min = COP_MS(30),
                          .backoff_max = COP_MS(30)),
                -4);
    for (int i = 1; i < 4; i++) {
        ck_assert_int_ge(begun_at[i] - ended_at[i - 1], COP_MS(30));
    }
}

TEST(a_pause_holds_no_process_and_no_thread)
{
    unsigned before = test_threads();
    cop_future *retry = start_and_pause();
    EVENTUALLY(!cop_alive(cop_future_pid(retry)));
    ck_assert_int_eq(cop_future_state(retry, NULL), -EINPROGRESS);
    EVENTUALLY((cop_trim(), test_threads()) <= before + 1); /* the timers'; idle workers end */
    ck_assert_int_eq(cop_future_cancel(retry, COP_REASON_SHUTDOWN), 0);
    cop_future_release(retry);
}

/* ---------------------------------------------------------------- cancelled */

TEST(cancelling_during_a_pause_stops_at_once) /* CB13 */
{
    cop_future *retry = start_and_pause();
    cop_sleep(COP_MS(20)); /* it pauses now, most likely */
    cop_time begun = cop_now();
    ck_assert_int_eq(cop_future_cancel(retry, cop_failed(-EDOM, "enough")), 0);
    assert_rejected(cop_future_retain(retry), (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    printf("stopped after %lld us\n", (long long)((cop_now() - begun) / COP_US(1)));
    ck_assert_int_eq(cop_future_cancel(retry, cop_failed(-EDOM, "again")), -EALREADY);
    ck_assert_uint_eq(calls, 1);
    EVENTUALLY(envs == 1);
    cop_future_release(retry);
}

TEST(cancelling_during_an_attempt_cancels_that) /* CB13 */
{
    cop_future *retry = cop_retry(sleep_long, AT_ONCE);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_future_cancel(retry, cop_failed(-EDOM, "enough")), 0);
    cop_future_cancel(retry, cop_failed(-EDOM, "again"));
    assert_rejected(retry, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    ck_assert_int_eq(saw, -ECANCELED);
    ck_assert_uint_eq(calls, 1);
}

static atomic_bool may_answer, wants_another;

static bool
answer_when_told(cop_reason why, uint32_t attempt, void *env)
{
    (void)why, (void)attempt, (void)env;
    asked++;
    EVENTUALLY(may_answer);
    return wants_another;
}

TEST_TIMES(2, cancelling_while_somebody_is_asked_is_not_too_late)
{
    wants_another = _i;
    cop_future *retry =
        cop_retry(succeed_at, SUCCEEDS_AT(never), .again = answer_when_told, ASLEEP);
    EVENTUALLY(asked == 1);
    ck_assert_int_eq(cop_future_cancel(retry, cop_failed(-EDOM, "enough")), 0);
    ck_assert_int_eq(cop_future_cancel(retry, cop_failed(-EDOM, "again")), 0);
    may_answer = true;
    assert_rejected(retry, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    ck_assert_uint_eq(calls, 1);
}

static void
cancel_many_in_their_pauses(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        calls = 0;
        cop_future *retry = start_and_pause();
        EVENTUALLY(!cop_alive(cop_future_pid(retry)));
        cop_sleep(COP_US(500)); /* it pauses now, most likely */
        cop_future_cancel(retry, COP_REASON_SHUTDOWN);
        cop_future_release(retry);
    }
    EVENTUALLY(envs == count);
    envs = 0;
}

static bool
leave_much_behind(void)
{
    enum {
        RETRIES = 200,
        LEAST = 500 /* bytes of one of them */
    };
    size_t before = test_allocated(), most = before + RETRIES * LEAST / 2;
    cancel_many_in_their_pauses(RETRIES);
    for (int i = 0; i < 100 && test_allocated() >= most; i++) {
        cop_sleep(COP_MS(1)); /* the last of it is about to go */
    }
    return test_allocated() >= most;
}

/* A pool may grow now and then, but not each time. */
TEST(what_is_cancelled_in_a_pause_leaves_nothing_to_its_end)
{
    bool grows = true;
    for (int round = 0; round < 6 && grows; round++) {
        grows = leave_much_behind();
    }
    ck_assert(TEST_SANITIZED || !grows);
}

TEST(what_an_attempt_returns_when_it_is_cancelled_is_dropped)
{
    cop_future *retry = cop_retry(succeed_when_cancelled,
                                  .task = {.result_size = sizeof(void *), .drop = drop_result});
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_future_cancel(retry, cop_failed(-EDOM, "enough")), 0);
    assert_rejected(retry, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    EVENTUALLY(drops == 1);
}

TEST_TIMES(2, cancelling_the_context_is_the_same) /* CB13, DL05 */
{
    cop_context *outer = cop_context_new(COP_FOREVER);
    cop_context_enter(outer);
    cop_future *retry = _i ? start_and_pause() : cop_retry(sleep_long, AT_ONCE);
    cop_context_leave(outer);
    EVENTUALLY(calls == 1);
    cop_sleep(COP_MS(_i ? 20 : 0));
    cop_context_cancel(outer, cop_failed(-EDOM, "enough"));
    assert_rejected(retry, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    ck_assert_uint_eq(calls, 1);
    cop_context_free(outer);
}

TEST(a_freed_context_is_no_cancelled_one)
{
    cop_context *outer = cop_context_new(COP_FOREVER);
    cop_context_enter(outer);
    cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(third), AT_ONCE);
    cop_context_leave(outer);
    cop_context_free(outer);
    assert_value(retry, VALUE);
}

TEST(cancellations_and_the_ends_of_pauses_race)
{
    for (int i = 0; i < 200; i++) {
        cop_bytes value;
        cop_context *context = cop_context_new(COP_FOREVER);
        cop_context_enter(context);
        calls = 0;
        cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(never), .attempts = 40,
                                      .backoff_min = COP_US(20), .backoff_max = COP_US(60));
        cop_context_leave(context);
        cop_sleep(COP_US(i * 3));
        if (i % 2) {
            cop_future_cancel(retry, COP_REASON_SHUTDOWN);
        } else {
            cop_context_cancel(context, COP_REASON_SHUTDOWN);
        }
        int r = cop_await_bytes(retry, &value, SOON);
        ck_assert_msg(r == -ECANCELED || r == -40, "%d", r);
        ck_assert_uint_eq(at_a_time, 0);
        ck_assert_uint_eq(calls, cop_retry_attempts(retry));
        cop_future_release(retry);
        cop_context_free(context);
    }
    ck_assert_uint_eq(most_at_a_time, 1);
    EVENTUALLY(envs == 200);
}

/* ---------------------------------------------------------------- the end of time */

TEST_TIMES(2, a_pause_ends_with_the_time_of_all)
{
    cop_time begun = cop_now();
    cop_context *context = cop_context_new(_i ? COP_MS(150) : COP_FOREVER);
    cop_context_enter(context);
    cop_future *retry =
        cop_retry(succeed_at, SUCCEEDS_AT(never), ASLEEP, .timeout = _i ? 0 : COP_MS(150));
    cop_context_leave(context);
    assert_code(retry, -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begun, COP_MS(150));
    ck_assert_uint_eq(calls, 1);
    cop_context_free(context);
}

TEST(an_attempt_learns_that_the_time_of_all_is_over_and_is_the_last)
{
    cop_bytes value;
    cop_future *retry = cop_retry(sleep_long, AT_ONCE, .timeout = COP_MS(150));
    ck_assert_int_eq(cop_await_bytes(retry, &value, SOON), -ETIMEDOUT);
    ck_assert_int_eq(saw, -ETIMEDOUT);
    ck_assert_uint_eq(calls, 1);
    cop_future_release(retry);
}

static int
be_late(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    return calls++ < 2 ? -ETIMEDOUT : 0;
}

TEST(a_time_that_is_an_attempts_own_is_a_failure_like_any_other)
{
    cop_future *retry = cop_retry(be_late, AT_ONCE);
    ck_assert_int_eq(cop_await(retry, NULL, 0, SOON), 0);
    ck_assert_uint_eq(calls, 3);
    cop_future_release(retry);
}

TEST(a_shutdown_ends_a_pause)
{
    cop_future *retry = start_and_pause();
    cop_sleep(COP_MS(20));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_future_state(retry, NULL), -ECANCELED);
    ck_assert_uint_eq(envs, 1);
    cop_future_release(retry);
}

TEST(a_shutdown_ends_an_attempt_and_no_other_follows)
{
    cop_future *retry = cop_retry(sleep_long, AT_ONCE, .attempts = COP_RETRY_FOREVER);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    EVENTUALLY(cop_future_state(retry, NULL) == -ECANCELED);
    ck_assert_uint_eq(calls, 1);
    cop_future_release(retry);
}

/* ---------------------------------------------------------------- as a future */

static cop_future *own;

static int
await_itself(cop_bytes arg, void *result)
{
    cop_bytes value;
    (void)arg, (void)result;
    while (calls == 0) {
        cop_sleep(COP_US(200));
    }
    saw = cop_await_bytes(own, &value, SOON);
    return saw;
}

TEST(an_attempt_cannot_await_its_own_retry)
{
    own = cop_retry(await_itself, .attempts = 1);
    calls = 1;
    cop_bytes value;
    ck_assert_int_eq(cop_await_bytes(own, &value, SOON), -EDEADLK);
    ck_assert_int_eq(saw, -EDEADLK);
    cop_future_release(own);
}

static int
use_up_memory(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    copi_alloc_fail_after(0);
    return -EIO;
}

TEST(without_memory_for_another_attempt_there_is_none)
{
    cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(third), AT_ONCE);
    assert_value(retry, VALUE); /* the threads are there */
    retry = cop_retry(use_up_memory, ASLEEP);
    EVENTUALLY(cop_future_state(retry, NULL) != -EINPROGRESS);
    copi_alloc_fail_after(-1);
    assert_code(retry, -ENOMEM);
}

TEST(without_a_timer_for_the_pause_there_is_no_other_attempt)
{
    refuses_timers = true;
    cop_future *retry = cop_retry(succeed_at, SUCCEEDS_AT(third), ASLEEP);
    assert_code(retry, -ENOMEM);
    refuses_timers = false;
    ck_assert_uint_eq(calls, 1);
    EVENTUALLY(envs == 1);
}

TEST(a_cancellation_that_comes_after_the_last_attempt_is_late)
{
    cancelling_said = -EINPROGRESS;
    cop_future *retry = cop_retry(stop, AT_ONCE);
    to_cancel = retry;
    EVENTUALLY(cancelling_said != -EINPROGRESS);
    ck_assert_int_eq(cancelling_said, -EALREADY);
    ck_assert_int_eq(cop_await(retry, NULL, 0, SOON), -ECANCELED);
    cop_reason why;
    cop_future_state(retry, &why);
    ck_assert_int_eq(why.kind, COP_FAILED); /* as the attempt has ended, and not as was asked */
    cop_future_release(retry);
}

TEST(it_is_known_where_a_retry_was_made)
{
    int line = __LINE__ + 1;
    cop_future *retry = cop_retry(stop);
    ck_assert_int_eq(retry->line, line);
    ck_assert_str_eq(retry->file, __FILE__);
    cop_future_release(retry);
}

TEST(a_pause_of_ones_own_is_as_those_of_a_retry)
{
    for (int i = 0; i < 1000; i++) {
        for (uint32_t failures = 1; failures < 5; failures++) {
            cop_time pause = cop_retry_pause(COP_MS(10), COP_SEC(1), failures);
            ck_assert_int_ge(pause, COP_MS(10));
            ck_assert_int_le(pause, COP_MS(10) << failures);
        }
        ck_assert_int_le(cop_retry_pause(COP_MS(10), COP_SEC(1), UINT32_MAX), COP_SEC(1));
        ck_assert_int_ge(cop_retry_pause(0, 0, 1), COP_MS(100));
        ck_assert_int_le(cop_retry_pause(0, 0, 1), COP_MS(200));
        ck_assert_int_le(cop_retry_pause(0, 0, UINT32_MAX), COP_SEC(60));
    }
}

TEST(chance_decides_how_long_a_pause_is)
{
    cop_time first = cop_retry_pause(COP_MS(10), HOUR, 100), other = first;
    while (other == first) {
        other = cop_retry_pause(COP_MS(10), HOUR, 100);
    }
}

TEST(a_range_of_pauses_that_is_none_does_no_harm)
{
    ck_assert_int_eq(cop_retry_pause(HOUR, COP_MS(1), 3), HOUR);
    ck_assert_int_eq(cop_retry_pause(COP_MS(10), COP_SEC(1), 0), 0);
    ck_assert_int_ge(cop_retry_pause(-1, -1, 1), COP_MS(100));
    ck_assert_int_ge(cop_retry_pause(1, COP_FOREVER, UINT32_MAX), 1);
}

SUITE("retry")
