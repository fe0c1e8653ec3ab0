/*
 * tests/actors/test_handlers.c - what is said beforehand of an outcome: one of two functions, once.
 *
 * Room: tests/. Handlers of tasks; those of any future (cop_on_settled) are the same, and are in
 * test_continuation.c, too. Of tasks that are fired: test_fire.c.
 */
#include "runtime/alloc.h"
#include "tests/actors/tasks.h"
#include "tests/support/support.h"

#include <errno.h>

/* ---------------------------------------------------------------- handlers that count */

static atomic_int successes, failures, envs, value_seen;
static cop_reason reason_seen;

static void
see_value(const void *value, void *env)
{
    ck_assert_ptr_eq(env, &envs);
    ck_assert_int_eq(envs, 0);
    value_seen = value ? *(const int *)value : -1;
    successes++;
}

static void
see_failure(cop_reason reason, void *env)
{
    ck_assert_ptr_eq(env, &envs);
    ck_assert_int_eq(envs, 0);
    reason_seen = reason;
    failures++;
}

static void
drop_env(void *env)
{
    ck_assert_ptr_eq(env, &envs);
    envs++;
}

static cop_task_opts
told(void)
{
    return (cop_task_opts){
        .on_success = see_value, .on_failure = see_failure, .env = &envs, .drop_env = drop_env};
}

/* Exactly one of the two has run, or will. */
static void
assert_one(int succeeded)
{
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(successes, succeeded);
    ck_assert_int_eq(failures, !succeeded);
}

static void
assert_failure(int code)
{
    assert_one(0);
    ck_assert_int_eq(cop_reason_error(reason_seen), code);
}

/* ---------------------------------------------------------------- what the tasks do */

static atomic_int running;

static int
answer(cop_bytes arg, void *result)
{
    (void)arg;
    if (result) {
        *(int *)result = 42;
    }
    return 0;
}

static int
sleep_until_asked(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    return cop_sleep(COP_FOREVER);
}

/* ---------------------------------------------------------------- what cannot start */

TEST(what_cannot_be_a_task_is_a_failure_that_is_told)
{
    cop_task_opts opts = told();
    cop_future_release(cop_async_with(NULL, &opts));
    assert_failure(-EINVAL);
    ck_assert_str_eq(reason_seen.text, "a task without a function");
}

TEST(a_task_whose_name_is_taken_is_a_failure_that_is_told)
{
    cop_task_opts opts = told();
    opts.name = "taken";
    ck_assert_int_eq(cop_register("taken", cop_self()), 0);
    cop_future_release(cop_async_with(answer, &opts));
    assert_failure(-EEXIST);
}

TEST(what_stands_on_a_lazy_task_that_cannot_be_is_rejected_so)
{
    cop_future *f = cop_async(NULL, .lazy = true);
    cop_future *child = cop_finally(f, drop_env, &envs);
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), -EINVAL);
    ck_assert_int_eq(envs, 1);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -EINVAL);
    cop_future_release(child);
    cop_future_release(f);
}

static int
try_told(void *arg)
{
    cop_task_opts opts = told();
    bool is_lazy = *(bool *)arg;
    envs = successes = failures = 0;
    opts.lazy = is_lazy;
    cop_future *f = cop_async_with(answer, &opts);
    int r = cop_await(f, NULL, 0, SOON);
    cop_future_release(f);
    copi_alloc_fail_after(-1);
    nudge_workers();
    EVENTUALLY(envs == 1);
    ck_assert_int_le(successes + failures, 1);
    return r;
}

TEST_TIMES(2, without_memory_the_environment_is_dropped_once_all_the_same)
{
    int r;
    bool is_lazy = _i;
    ck_assert_uint_gt(test_out_of_memory(try_told, &is_lazy, &r), 2);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(successes, 1);
}

/* ---------------------------------------------------------------- failures */

TEST_TIMES(2, a_code_is_a_failure_that_is_told)
{
    int code = _i ? 3 : -EACCES;
    test_catch_stderr();
    cop_task_opts opts = told();
    opts.arg = COP_BYTES(code);
    cop_future_release(cop_async_with(fail_with, &opts));
    assert_failure(_i ? -EINVAL : -EACCES);
    free(test_caught_stderr());
}

TEST_TIMES(3, an_exit_is_a_failure_that_is_told)
{
    const cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, cop_failed(-EIO, "lost")};
    cop_task_opts opts = told();
    test_catch_stderr();
    opts.arg = COP_BYTES(reasons[_i]);
    cop_future_release(cop_async_with(exit_with, &opts));
    assert_failure(cop_reason_error(reasons[_i]));
    ck_assert_str_eq(reason_seen.text, reasons[_i].text);
    free(test_caught_stderr());
}

enum end {
    CANCELLED,
    SHUT_DOWN,
    KILLED,
    ENDS,
};

TEST_TIMES(ENDS, a_task_that_others_end_is_a_failure_that_is_told)
{
    cop_task_opts opts = told();
    cop_future *f = cop_async_with(sleep_until_asked, &opts);
    EVENTUALLY(running == 1);
    switch ((enum end)_i) {
    case CANCELLED:
        ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "not needed")), 0);
        break;
    case SHUT_DOWN:
        ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
        break;
    case KILLED:
    case ENDS:
        cop_exit_signal(cop_future_pid(f), COP_REASON_KILLED);
        break;
    }
    cop_future_release(f);
    assert_failure(-ECANCELED);
}

TEST_TIMES(2, a_lazy_task_that_is_ended_before_it_begins_is_a_failure_that_is_told)
{
    cop_task_opts opts = told();
    opts.lazy = true;
    cop_future *f = cop_async_with(sleep_until_asked, &opts);
    if (_i) {
        ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, NULL)), 0);
    } else {
        ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    }
    cop_future_release(f);
    assert_failure(-ECANCELED);
    ck_assert_int_eq(running, 0);
}

static int
spin_for_ever(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    for (running++; running;) {
    }
    return 0;
}

static atomic_bool is_over;

static void
say_that_it_is_over(cop_reason reason, void *env)
{
    (void)reason, (void)env;
    is_over = true;
}

TEST(a_disowned_task_is_a_failure_that_is_told_and_its_environment_is_left_alone)
{
    test_leaves_things_behind(); /* its thread, and its block of memory */
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    cop_task_opts opts = told();
    cop_future *f = cop_async_with(spin_for_ever, &opts);
    EVENTUALLY(running == 1);
    cop_exit_signal(cop_future_pid(f), COP_REASON_KILLED);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(cop_on_settled(f, NULL, say_that_it_is_over, NULL), 0);
    EVENTUALLY(is_over); /* what was registered before is, too */
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(envs, 0);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- crashes of handlers */

static void
crash_with_value(const void *value, void *env)
{
    see_value(value, env);
    cop_exit(cop_failed(-EIO, "handled badly"));
}

static void
crash_with_failure(cop_reason reason, void *env)
{
    see_failure(reason, env);
    cop_exit(cop_failed(-EIO, "handled badly"));
}

TEST_TIMES(2, a_handler_that_crashes_is_reported_and_harms_nobody)
{
    int code = _i ? -EACCES : 0;
    test_catch_stderr();
    cop_task_opts opts = told();
    opts.on_success = crash_with_value;
    opts.on_failure = crash_with_failure;
    opts.arg = COP_BYTES(code);
    cop_future *f = cop_async_with(fail_with, &opts);
    assert_one(code == 0);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), code);
    cop_future_release(f);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "a handler of a task crashed: handled badly"), 1);
    free(said);
}

TEST(a_handler_of_any_future_that_crashes_is_reported)
{
    cop_future *f;
    cop_resolver *resolver;
    test_catch_stderr();
    ck_assert_int_eq(cop_promise_new(&f, &resolver, 0), 0);
    ck_assert_int_eq(cop_on_settled(f, NULL, crash_with_failure, &envs), 0);
    cop_resolver_free(resolver);
    cop_future_release(f);
    EVENTUALLY(failures == 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "a handler of cop_on_settled crashed: handled badly"), 1);
    free(said);
}

static int
try_on_settled(void *future)
{
    return cop_on_settled(future, see_value, see_failure, &envs);
}

TEST(without_memory_nothing_is_registered_with_any_future)
{
    int r;
    cop_future *f = cop_async(NULL);
    ck_assert_uint_eq(test_out_of_memory(try_on_settled, f, &r), 1);
    ck_assert_int_eq(r, 0);
    nudge_workers();
    EVENTUALLY(failures == 1);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- successes */

TEST_TIMES(2, a_value_is_told_once_whoever_else_awaits_it)
{
    cop_task_opts opts = told();
    int n = 0;
    opts.result_size = sizeof n;
    opts.lazy = _i;
    cop_future *f = cop_async_with(answer, &opts);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), 0);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), 0);
    assert_one(1);
    ck_assert_int_eq(value_seen, 42);
    cop_future_release(f);
    ck_assert_int_eq(envs, 1);
}

TEST(a_task_without_a_result_has_a_success_without_a_value)
{
    cop_task_opts opts = told();
    cop_future_release(cop_async_with(answer, &opts));
    assert_one(1);
}

static int
give_words(cop_bytes arg, void *result)
{
    (void)arg;
    *(cop_bytes *)result = (cop_bytes){strdup("owned"), 6};
    return 0;
}

static void
see_words(const void *value, void *env)
{
    const cop_bytes *bytes = value;
    ck_assert_uint_eq(bytes->size, 6);
    ck_assert_str_eq(bytes->data, "owned");
    ck_assert_int_eq(drops, 0);
    see_value(NULL, env);
}

TEST(a_value_that_owns_memory_is_there_while_it_is_told_and_dropped_once)
{
    cop_task_opts opts = told();
    opts.result_size = COP_ANY;
    opts.drop = drop_words;
    opts.on_success = see_words;
    cop_future_release(cop_async_with(give_words, &opts));
    assert_one(1);
    EVENTUALLY(drops == 1);
}

TEST_TIMES(2, a_handler_that_is_not_there_is_not_missed)
{
    int code = _i ? -EACCES : 0;
    cop_task_opts opts = {.arg = COP_BYTES(code), .env = &envs, .drop_env = drop_env};
    if (_i) {
        opts.on_success = see_value;
    } else {
        opts.on_failure = see_failure;
    }
    cop_future_release(cop_async_with(fail_with, &opts));
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(successes + failures, 0);
}

TEST(an_environment_without_handlers_is_dropped_when_the_task_has_ended)
{
    cop_task_opts opts = {.env = &envs, .drop_env = drop_env};
    cop_future *f = cop_async_with(sleep_until_asked, &opts);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(envs, 0);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    EVENTUALLY(envs == 1);
    cop_future_release(f);
}

TEST(the_environment_of_a_lazy_task_that_nobody_wants_is_dropped_with_it) /* LZ03 */
{
    cop_task_opts opts = told();
    opts.lazy = true;
    cop_future *f = cop_async_with(answer, &opts);
    ck_assert_int_eq(envs, 0);
    cop_future_release(f);
    ck_assert_int_eq(envs, 1);
    ck_assert_int_eq(successes + failures, 0);
}

/* ---------------------------------------------------------------- where and when they run */

static _Atomic(uint64_t) handled_by;

static void
see_where(const void *value, void *env)
{
    handled_by = cop_self().id;
    see_value(value, env);
}

TEST(handlers_run_neither_in_the_task_nor_in_who_has_started_it)
{
    cop_task_opts opts = told();
    opts.on_success = see_where;
    cop_future *f = cop_async_with(answer, &opts);
    assert_one(1);
    ck_assert_uint_ne(handled_by, cop_self().id);
    ck_assert_uint_ne(handled_by, cop_future_pid(f).id);
    cop_future_release(f);
}

static _Atomic(cop_future *) whose;

/* A handler may look at, and wait for, the future that it belongs to. */
static void
await_it(const void *value, void *env)
{
    EVENTUALLY(whose);
    ck_assert(!cop_alive(cop_future_pid(whose)));
    ck_assert_int_eq(cop_await(whose, NULL, 0, SOON), 0);
    see_value(value, env);
}

TEST(the_task_has_ended_and_its_future_is_settled_when_a_handler_runs)
{
    cop_task_opts opts = told();
    opts.on_success = await_it;
    whose = cop_async_with(answer, &opts);
    assert_one(1);
    cop_future_release(whose);
}

SUITE("handlers")
