/*
 * tests/actors/test_future_manners.c - futures keep the rules of the library: where a process can end,
 * what a drop function is, threads that are no process, who is called how often.
 *
 * Room: tests/.
 */
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>

enum {
    SETTLED = 1
};

static cop_future *future;
static cop_resolver *resolver;

static void
make(size_t size)
{
    ck_assert_int_eq(cop_promise_new(&future, &resolver, size), 0);
}

static void
let_go(void)
{
    cop_resolver_free(resolver);
    cop_future_release(future);
}

/* ---------------------------------------------------------------- who is told of a cancellation */

static atomic_uint calls;

static void
tell(cop_reason why, void *env)
{
    (void)why, (void)env;
    calls++;
}

TEST(a_second_function_is_refused_also_when_the_first_has_been_called)
{
    make(0);
    ck_assert_int_eq(cop_resolver_on_cancel(resolver, tell, NULL), 0);
    cop_future_cancel(future, COP_REASON_SHUTDOWN);
    ck_assert_uint_eq(calls, 1);
    ck_assert_int_eq(cop_resolver_on_cancel(resolver, tell, NULL), -EALREADY);
    ck_assert_uint_eq(calls, 1);
    let_go();
}

TEST(a_second_function_is_refused_also_when_the_promise_was_cancelled_before)
{
    make(0);
    cop_future_cancel(future, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(cop_resolver_on_cancel(resolver, tell, NULL), 0);
    ck_assert_int_eq(cop_resolver_on_cancel(resolver, tell, NULL), -EALREADY);
    ck_assert_uint_eq(calls, 1);
    let_go();
}

/* ---------------------------------------------------------------- threads that are no process */

static void *
settle(void *arg)
{
    (void)arg;
    cop_resolver_free(resolver);
    return NULL;
}

static int
subscribe_and_end(cop_bytes arg)
{
    (void)arg;
    return cop_future_notify(future, SETTLED).id ? 0 : -EIO;
}

TEST(a_thread_that_only_settles_leaves_nothing_behind)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        cop_ref monitor;
        make(0);
        ck_assert_int_eq(cop_spawn(NULL, subscribe_and_end, .monitor = &monitor), 0);
        test_down(monitor);
        ck_assert_int_eq(pthread_create(&thread, NULL, settle, NULL), 0);
        pthread_join(thread, NULL);
        cop_future_release(future);
    }
}

/* ---------------------------------------------------------------- drop functions */

static void
drop(void *data)
{
    cop_checkpoint();
    calls++;
    free(data);
}

static int
release_when_killed(cop_bytes arg)
{
    (void)arg;
    cop_exit_signal(cop_self(), COP_REASON_KILLED);
    cop_future_release(future);
    return 0;
}

TEST(a_process_does_not_end_in_the_drop_function_of_a_value)
{
    cop_ref monitor;
    make(8);
    ck_assert_int_eq(cop_resolve_move(resolver, malloc(8), 8, drop), 0);
    cop_resolver_free(resolver);
    ck_assert_int_eq(cop_spawn(NULL, release_when_killed, .monitor = &monitor), 0);
    test_down(monitor);
    ck_assert_uint_eq(calls, 1);
}

static void
exit_in_drop(void *data)
{
    free(data);
    cop_exit(cop_failed(-EIO, "in drop"));
}

static int
release_it(cop_bytes arg)
{
    (void)arg;
    cop_future_release(future);
    return cop_sleep(COP_FOREVER);
}

TEST(an_exit_in_the_drop_function_comes_at_the_next_exit_point)
{
    cop_ref monitor;
    make(8);
    ck_assert_int_eq(cop_resolve_move(resolver, malloc(8), 8, exit_in_drop), 0);
    cop_resolver_free(resolver);
    ck_assert_int_eq(cop_spawn(NULL, release_it, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

/* ---------------------------------------------------------------- what a failure says */

TEST(a_rejection_is_told_whatever_the_size)
{
    uint32_t small;
    make(8);
    cop_reject(resolver, cop_failed(-EIO, "no"));
    ck_assert_int_eq(cop_await(future, COP_OUT(small), 0), -EIO);
    let_go();
}

TEST(why_a_wait_for_outcomes_timed_out_is_not_hidden_by_a_size)
{
    cop_future *any, *both[2];
    cop_resolver *other;
    uint64_t numbers[2];
    int status[2];
    make(8);
    ck_assert_int_eq(cop_promise_new(&any, &other, COP_ANY), 0);
    cop_resolve(other, COP_STR("three"));
    both[0] = future;
    both[1] = any;
    ck_assert_int_eq(cop_await_settled(both, 2, numbers, 8, status, 0), -ETIMEDOUT);
    ck_assert_int_eq(status[1], -EMSGSIZE);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    cop_resolver_free(resolver);
    cop_resolver_free(other);
    cop_future_release(future);
    cop_future_release(any);
}

static int
must(cop_bytes arg)
{
    (void)arg;
    cop_must_await(future, NULL, 0);
    return 0;
}

TEST(who_must_have_a_value_crashes_also_when_the_reason_is_normal)
{
    cop_ref monitor;
    make(0);
    cop_reject(resolver, COP_REASON_NORMAL);
    ck_assert_int_eq(cop_spawn(NULL, must, .monitor = &monitor), 0);
    ck_assert(cop_is_crash(test_down(monitor)));
    let_go();
}

TEST(who_must_have_a_value_crashes_also_when_the_future_was_cancelled)
{
    cop_ref monitor;
    make(0);
    cop_future_cancel(future, cop_failed(-EIO, "enough"));
    ck_assert_int_eq(cop_spawn(NULL, must, .monitor = &monitor), 0);
    ck_assert(cop_is_crash(test_down(monitor)));
    let_go();
}

/* ---------------------------------------------------------------- exit points */

static atomic_bool runs;

static int
await_on_and_on(cop_bytes arg)
{
    int how = *(const int *)arg.data;
    uint64_t number;
    cop_bytes bytes;
    int status;
    while (future) {
        runs = true;
        switch (how) {
        case 0:
            cop_await(future, COP_OUT(number), COP_FOREVER);
            break;
        case 1:
            cop_await_bytes(future, &bytes, COP_FOREVER);
            break;
        case 2:
            cop_await_all(&future, 1, COP_OUT(number), COP_FOREVER);
            break;
        case 3:
            cop_await_all(NULL, 0, NULL, 0, COP_FOREVER);
            break;
        case 4:
            cop_await_settled(NULL, 0, NULL, 0, NULL, COP_FOREVER);
            break;
        case 5:
            cop_await_settled(&future, 1, COP_OUT(number), &status, COP_FOREVER);
            break;
        default:
            cop_must_await(future, COP_OUT(number));
        }
    }
    return 0;
}

TEST_TIMES(7, a_wait_for_what_is_settled_is_an_exit_point)
{
    uint64_t number = 1;
    cop_ref monitor;
    cop_pid pid;
    make(8);
    cop_resolve(resolver, COP_BYTES(number));
    ck_assert_int_eq(cop_spawn(&pid, await_on_and_on, .arg = COP_BYTES(_i), .monitor = &monitor),
                     0);
    EVENTUALLY(runs);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_uint_eq(cop_disowned(), 0); /* it has ended by itself */
    let_go();
}

SUITE("future_manners")
