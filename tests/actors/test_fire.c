/*
 * tests/actors/test_fire.c - fire and forget: what is done is said beforehand, and nothing is left to be
 * released.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/actors/tasks.h"
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>

/* ---------------------------------------------------------------- what is fired, and what follows */

static atomic_int calls, successes, failures, envs, code_seen, running;

static int
answer(cop_bytes arg, void *result)
{
    calls++;
    *(int *)result = 2 * *(const int *)arg.data;
    return 0;
}

static int
count_and_fail_with(cop_bytes arg, void *result)
{
    (void)result;
    calls++;
    return *(const int *)arg.data;
}

static int
sleep_until_asked(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    return cop_sleep(COP_FOREVER);
}

static void
see_value(const void *value, void *env)
{
    ck_assert_int_eq(*(const int *)value, 42);
    ck_assert_ptr_eq(env, &envs);
    successes++;
}

static void
see_failure(cop_reason reason, void *env)
{
    ck_assert_ptr_eq(env, &envs);
    code_seen = cop_reason_error(reason);
    failures++;
}

static void
drop_env(void *env)
{
    ck_assert_ptr_eq(env, &envs);
    envs++;
}

static const int twenty_one = 21;

static cop_task_opts
told(void)
{
    return (cop_task_opts){.arg = COP_BYTES(twenty_one),
                           .result_size = sizeof(int),
                           .on_success = see_value,
                           .on_failure = see_failure,
                           .env = &envs,
                           .drop_env = drop_env};
}

/* ---------------------------------------------------------------- what is not started */

static void
assert_nothing_happened(void)
{
    cop_sleep(COP_MS(2));
    ck_assert_int_eq(calls + successes + failures + envs, 0);
}

TEST(what_cannot_be_fired_is_refused_and_its_environment_stays_the_callers)
{
    cop_task_opts opts = told();
    ck_assert_int_eq(cop_fire_with(NULL, NULL), -EINVAL);
    ck_assert_int_eq(cop_fire_with(NULL, &opts), -EINVAL);
    opts.arg.data = NULL;
    ck_assert_int_eq(cop_fire_with(answer, &opts), -EINVAL);
    opts = told();
    opts.retry = true;
    ck_assert_int_eq(cop_fire_with(answer, &opts), -EINVAL);
    opts.lazy = true;
    ck_assert_int_eq(cop_fire_with(answer, &opts), -EINVAL);
    ck_assert_str_eq(cop_why().text, "nobody would begin a lazy task that is fired");
    assert_nothing_happened();
}

TEST(what_cannot_start_is_refused_and_its_environment_stays_the_callers)
{
    cop_task_opts opts = told();
    opts.name = "taken";
    ck_assert_int_eq(cop_register("taken", cop_self()), 0);
    ck_assert_int_eq(cop_fire_with(answer, &opts), -EEXIST);
    opts = told();
    opts.result_size = SIZE_MAX - 1;
    ck_assert_int_eq(cop_fire_with(answer, &opts), -ENOMEM);
    assert_nothing_happened();
}

static int
try_to_fire(void *arg)
{
    (void)arg;
    cop_task_opts opts = told();
    int r = cop_fire_with(answer, &opts);
    if (r) {
        ck_assert_int_eq(calls + successes + failures + envs, 0);
    }
    return r;
}

TEST(without_memory_nothing_is_fired_and_nothing_is_left)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_to_fire, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
    nudge_workers();
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(successes + failures, 1);
    ck_assert_int_eq(calls, 1);
}

/* ---------------------------------------------------------------- failures */

TEST(a_failure_is_told_once)
{
    int code = -EACCES;
    cop_task_opts opts = told();
    opts.arg = COP_BYTES(code);
    ck_assert_int_eq(cop_fire_with(count_and_fail_with, &opts), 0);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(successes, 0);
    ck_assert_int_eq(code_seen, -EACCES);
}

TEST(it_runs_in_a_context_below_that_of_who_fires)
{
    cop_task_opts opts = told();
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    ck_assert_int_eq(cop_fire_with(sleep_until_asked, &opts), 0);
    cop_context_leave(context);
    EVENTUALLY(running == 1);
    cop_context_cancel(context, cop_failed(-EIO, NULL));
    cop_context_free(context);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(code_seen, -ECANCELED);
}

static int
fire_linked(cop_bytes arg)
{
    ck_assert_int_eq(cop_fire(count_and_fail_with, .arg = arg, .link = true), 0);
    return cop_sleep(COP_FOREVER);
}

TEST(a_crash_of_what_is_fired_with_a_link_is_a_crash_of_who_fires)
{
    int code = -EIO;
    cop_ref monitor;
    cop_spawn(NULL, fire_linked, .arg = COP_BYTES(code), .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

static int
fire_and_end(cop_bytes arg)
{
    (void)arg;
    cop_task_opts opts = told();
    opts.name = "fired";
    return cop_fire_with(sleep_until_asked, &opts);
}

TEST(it_outlives_who_has_fired_it)
{
    cop_ref monitor;
    cop_spawn(NULL, fire_and_end, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    EVENTUALLY(running == 1);
    cop_exit_signal(cop_whereis("fired"), COP_REASON_SHUTDOWN);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(failures, 1);
}

TEST_TIMES(2, a_failure_without_a_handler_is_one_that_nobody_looked_at)
{
    int code = -EACCES;
    cop_track_futures(true);
    test_catch_stderr();
    ck_assert_int_eq(cop_fire(count_and_fail_with, .arg = COP_BYTES(code), .env = &envs,
                              .drop_env = drop_env, .on_failure = _i ? see_failure : NULL),
                     0);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "nobody looked at the failure"), !_i);
    ck_assert_uint_eq(test_count(said, "test_fire.c"), !_i);
    free(said);
}

/* ---------------------------------------------------------------- successes */

TEST(a_value_is_told_once)
{
    cop_task_opts opts = told();
    ck_assert_int_eq(cop_fire_with(answer, &opts), 0);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(successes, 1);
    ck_assert_int_eq(failures, 0);
}

TEST(nothing_has_to_be_said_beforehand)
{
    int code = 0;
    ck_assert_int_eq(cop_fire(count_and_fail_with, .arg = COP_BYTES(code)), 0);
    EVENTUALLY(calls == 1);
}

/* ---------------------------------------------------------------- many */

enum {
    THREADS = 4,
    TIMES = 250, /* each */
};

static void *
fire_many(void *opts)
{
    for (int i = 0; i < TIMES; i++) {
        ck_assert_int_eq(cop_fire_with(answer, opts), 0);
    }
    return NULL;
}

TEST(the_same_options_may_be_fired_a_thousand_times_by_several_threads)
{
    pthread_t threads[THREADS];
    cop_task_opts opts = told();
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fire_many, &opts), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EVENTUALLY(envs == THREADS * TIMES);
    ck_assert_int_eq(calls, THREADS * TIMES);
    ck_assert_int_eq(successes, THREADS * TIMES);
    ck_assert_int_eq(failures, 0);
}

/* The result of one is what the next begins with. */
static int
add_one(cop_bytes arg, void *result)
{
    *(int *)result = *(const int *)arg.data + 1;
    return 0;
}

static atomic_int total;

static void
fire_next(const void *value, void *env)
{
    int n = *(const int *)value;
    if (n == 100) {
        total = n;
        return;
    }
    ck_assert_int_eq(cop_fire(add_one, .arg = COP_BYTES(n), .result_size = sizeof n,
                              .on_success = fire_next, .env = env),
                     0);
}

TEST(a_handler_may_fire_in_its_turn)
{
    int n = 0;
    ck_assert_int_eq(cop_fire(add_one, .arg = COP_BYTES(n), .result_size = sizeof n,
                              .on_success = fire_next),
                     0);
    EVENTUALLY(total == 100);
}

/* ---------------------------------------------------------------- jobs */

struct counter {
    int start;
    int code; /* 0: it succeeds */
    atomic_int executed, succeeded, failed, dropped, value, why;
};

static int
execute(void *self, void *result)
{
    struct counter *counter = self;
    counter->executed++;
    *(int *)result = 2 * counter->start;
    return counter->code;
}

static int
execute_and_crash(void *self, void *result)
{
    (void)self, (void)result;
    cop_exit(cop_failed(-EIO, "lost the disk"));
}

static void
success(void *self, const void *value)
{
    struct counter *counter = self;
    ck_assert_int_eq(counter->dropped, 0);
    counter->value = *(const int *)value;
    counter->succeeded++;
}

static void
failure(void *self, cop_reason reason)
{
    struct counter *counter = self;
    ck_assert_int_eq(counter->dropped, 0);
    counter->why = reason.code;
    counter->failed++;
}

static void
drop_self(void *self)
{
    ((struct counter *)self)->dropped++;
}

static const cop_job doubling = {
    .execute = execute,
    .success = success,
    .failure = failure,
    .drop_self = drop_self,
    .result_size = sizeof(int),
};

TEST(a_job_without_a_function_to_execute_is_refused)
{
    struct counter counter = {0};
    cop_job none = doubling;
    none.execute = NULL;
    ck_assert_int_eq(cop_fire_job(NULL, &counter), -EINVAL);
    ck_assert_int_eq(cop_fire_job(&none, &counter), -EINVAL);
    ck_assert_int_eq(counter.dropped, 0);
}

static int
try_job(void *self)
{
    struct counter *counter = self;
    int r = cop_fire_job(&doubling, counter);
    if (r) {
        ck_assert_int_eq(counter->executed + counter->failed + counter->dropped, 0);
    }
    return r;
}

TEST(without_memory_no_job_is_executed_and_its_object_stays_the_callers)
{
    int r;
    struct counter counter = {.start = 21};
    ck_assert_uint_gt(test_out_of_memory(try_job, &counter, &r), 3);
    ck_assert_int_eq(r, 0);
    nudge_workers();
    EVENTUALLY(counter.dropped == 1);
}

TEST(a_job_that_fails_calls_failure_and_lets_go_of_its_object)
{
    struct counter counter = {.code = -EACCES};
    ck_assert_int_eq(cop_fire_job(&doubling, &counter), 0);
    EVENTUALLY(counter.dropped == 1);
    ck_assert_int_eq(counter.failed, 1);
    ck_assert_int_eq(counter.succeeded, 0);
    ck_assert_int_eq(counter.why, -EACCES);
}

TEST(a_job_that_crashes_calls_failure)
{
    struct counter counter = {0};
    cop_job crashing = doubling;
    test_catch_stderr();
    crashing.execute = execute_and_crash;
    ck_assert_int_eq(cop_fire_job(&crashing, &counter), 0);
    memset(&crashing, 0, sizeof crashing); /* it was copied */
    EVENTUALLY(counter.dropped == 1);
    ck_assert_int_eq(counter.failed, 1);
    ck_assert_int_eq(counter.why, -EIO);
    free(test_caught_stderr());
}

TEST(one_kind_of_job_serves_many_objects_and_each_many_times)
{
    enum {
        OBJECTS = 50,
        EACH = 3,
    };
    static struct counter counters[OBJECTS];
    cop_job kept = doubling;
    kept.drop_self = NULL;
    for (int i = 0; i < OBJECTS * EACH; i++) {
        counters[i % OBJECTS].start = i % OBJECTS;
        ck_assert_int_eq(cop_fire_job(&kept, &counters[i % OBJECTS]), 0);
    }
    for (int i = 0; i < OBJECTS; i++) {
        EVENTUALLY(counters[i].succeeded == EACH);
        ck_assert_int_eq(counters[i].value, 2 * i);
        ck_assert_int_eq(counters[i].executed, EACH);
        ck_assert_int_eq(counters[i].failed, 0);
    }
}

TEST_TIMES(2, a_job_may_have_nothing_but_a_function_to_execute)
{
    struct counter counter = {.code = _i ? -EACCES : 0};
    const cop_job bare = {.execute = execute, .result_size = sizeof(int)};
    ck_assert_int_eq(cop_fire_job(&bare, &counter), 0);
    EVENTUALLY(counter.executed == 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
}

static int
give_words(void *self, void *result)
{
    (void)self;
    *(cop_bytes *)result = (cop_bytes){strdup("owned"), 6};
    return 0;
}

static void
see_words(void *self, const void *value)
{
    const cop_bytes *words = value;
    struct counter *counter = self;
    ck_assert_str_eq(words->data, "owned");
    ck_assert_int_eq(drops, 0);
    counter->succeeded++;
}

TEST(what_a_job_makes_may_own_memory)
{
    struct counter counter = {0};
    const cop_job words = {
        .execute = give_words, .success = see_words, .result_size = COP_ANY, .drop = drop_words};
    ck_assert_int_eq(cop_fire_job(&words, &counter), 0);
    EVENTUALLY(drops == 1);
    ck_assert_int_eq(counter.succeeded, 1);
}

SUITE("fire")
