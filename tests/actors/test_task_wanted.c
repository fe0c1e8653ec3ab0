/*
 * tests/actors/test_task_wanted.c - tasks that begin when somebody wants them, and end when nobody has the
 * time.
 *
 * Room: tests/. Case ids (LZ01) are those of the list of futures' cases.
 */
#include "tests/support/support.h"

#include <errno.h>

static atomic_int calls, ended, code_seen;
static _Atomic(cop_time) ended_at;

static int
answer(cop_bytes arg, void *result)
{
    calls++;
    *(int *)result = 2 * *(const int *)arg.data;
    return 0;
}

static int
say_no(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    return -EHOSTDOWN;
}

static int
sleep_long(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    int r = cop_sleep(COP_SEC(60));
    code_seen = r;
    ended_at = cop_now();
    ended++;
    return r;
}

static cop_future *
make_lazy(cop_task_fn fn)
{
    int arg = 21;
    return cop_async(fn, .arg = COP_BYTES(arg), .result_size = sizeof(int), .lazy = true);
}

static cop_future *
make_patient(void)
{
    return cop_async(sleep_long, .awaiters_set_deadline = true);
}

/* ---------------------------------------------------------------- lazy */

TEST(a_lazy_task_cannot_be_linked)
{
    cop_future *f = cop_async(sleep_long, .lazy = true, .link = true);
    ck_assert_int_eq(cop_future_state(f, NULL), -EINVAL);
    cop_future_release(f);
}

TEST(a_lazy_task_that_nobody_wants_never_runs) /* LZ03 */
{
    cop_future *f = make_lazy(answer);
    cop_sleep(COP_MS(2));
    ck_assert_int_eq(cop_future_state(f, NULL), -EINPROGRESS);
    ck_assert(cop_pid_eq(cop_future_pid(f), COP_NOBODY));
    cop_future_release(f);
    ck_assert_int_eq(calls, 0);
}

static int
await_lazy(cop_bytes arg)
{
    int n = 0;
    int r = cop_await(*(cop_future *const *)arg.data, COP_OUT(n), SOON);
    return r ? r : n == 42 ? 0 : -EINVAL;
}

TEST(many_who_want_a_lazy_task_have_it_run_once) /* LZ01 */
{
    cop_future *f = make_lazy(answer);
    cop_ref monitors[64];
    for (int i = 0; i < 64; i++) {
        cop_spawn(NULL, await_lazy, .arg = COP_BYTES(f), .monitor = &monitors[i]);
    }
    for (int i = 0; i < 64; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(calls, 1);
    cop_future_release(f);
}

TEST(a_failure_of_a_lazy_task_stays) /* LZ02 */
{
    cop_future *f = make_lazy(say_no);
    int n;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), -EHOSTDOWN);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), -EHOSTDOWN);
    ck_assert_int_eq(calls, 1);
    cop_future_release(f);
}

TEST(who_wants_to_be_told_of_a_lazy_task_starts_it)
{
    cop_future *f = make_lazy(answer);
    ck_assert_uint_ne(cop_future_notify(f, 7).id, 0);
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, 0);
    cop_future_release(f);
}

TEST(several_lazy_tasks_start_when_they_are_awaited_together)
{
    cop_future *fs[] = {make_lazy(answer), make_lazy(answer), make_lazy(answer)};
    int out[3];
    ck_assert_int_eq(cop_await_all(fs, 3, out, sizeof out[0], SOON), 0);
    ck_assert_int_eq(out[2], 42);
    ck_assert_int_eq(calls, 3);
    for (int i = 0; i < 3; i++) {
        cop_future_release(fs[i]);
    }
}

static int
await_a_moment(cop_bytes arg)
{
    int n;
    return cop_await(*(cop_future *const *)arg.data, COP_OUT(n), COP_MS(1)) == -ETIMEDOUT ? 0
                                                                                          : -EINVAL;
}

TEST(a_lazy_task_does_not_run_in_the_context_of_who_wants_it_first)
{
    cop_future *f = make_lazy(sleep_long);
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_ref monitor;
    cop_spawn(NULL, await_a_moment, .arg = COP_BYTES(f), .context = context, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_context_cancel(context, cop_failed(-EIO, NULL));
    cop_context_free(context);
    EVENTUALLY(calls == 1);
    int n;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), COP_MS(2)), -ETIMEDOUT); /* it goes on */
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    cop_future_release(f);
}

static atomic_bool gate;

static int
answer_at_gate(cop_bytes arg, void *result)
{
    int r = 0;
    while (r == 0 && !gate) {
        r = cop_sleep(COP_US(200));
    }
    return r ? r : answer(arg, result);
}

/* In two ways: its context is cancelled, or it is killed. */
TEST_TIMES(2, when_who_began_a_lazy_task_gives_up_the_others_get_its_value)
{
    cop_future *f = make_lazy(answer_at_gate);
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_ref first, others[4];
    cop_pid pid;
    cop_spawn(&pid, await_lazy, .arg = COP_BYTES(f), .context = context, .monitor = &first);
    EVENTUALLY(cop_alive(cop_future_pid(f)));
    for (int i = 0; i < 4; i++) {
        cop_spawn(NULL, await_lazy, .arg = COP_BYTES(f), .monitor = &others[i]);
    }
    if (_i == 0) {
        cop_context_cancel(context, cop_failed(-EIO, NULL));
    } else {
        cop_exit_signal(pid, COP_REASON_KILLED);
    }
    ck_assert_int_eq(cop_reason_error(test_down(first)), -ECANCELED);
    cop_context_free(context);
    gate = true;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(test_down(others[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(calls, 1);
    cop_future_release(f);
}

static _Atomic(cop_future *) own;

static int
force_oneself(cop_bytes arg, void *result)
{
    (void)arg;
    EVENTUALLY(own);
    return cop_await(own, result, sizeof(int), SOON);
}

TEST(a_lazy_task_that_forces_itself_is_refused)
{
    own = make_lazy(force_oneself);
    int n;
    ck_assert_int_eq(cop_await(own, COP_OUT(n), SOON), -EDEADLK);
    cop_future_release(own);
}

static int
begin_and_leave(cop_bytes arg)
{
    cop_future_notify(*(cop_future *const *)arg.data, 7);
    return 0;
}

/* Also when it is being started by another just then, and has no pid yet. */
TEST(a_lazy_task_can_be_shut_down_at_any_time)
{
    for (int i = 0; i < 300; i++) {
        cop_future *f = make_lazy(sleep_long);
        cop_ref monitor;
        cop_spawn(NULL, begin_and_leave, .arg = COP_BYTES(f), .monitor = &monitor);
        for (volatile int spin = 0; spin < i * 50; spin++) {
        }
        ck_assert_int_eq(cop_task_shutdown(f, i % 2 ? COP_FOREVER : COP_BRUTAL_KILL), -ECANCELED);
        test_down(monitor);
        cop_future_release(f);
    }
}

TEST(a_lazy_task_that_is_cancelled_or_shut_down_before_it_begins_never_runs)
{
    cop_future *f = make_lazy(answer), *g = make_lazy(answer);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "not needed")), 0);
    ck_assert_int_eq(cop_task_shutdown(g, SOON), -ECANCELED);
    int n;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), -ECANCELED);
    ck_assert_int_eq(cop_await(g, COP_OUT(n), SOON), -ECANCELED);
    ck_assert_int_eq(calls, 0);
    cop_future_release(f);
    cop_future_release(g);
}

static int
try_lazy(void *arg)
{
    (void)arg;
    cop_future *f = make_lazy(answer);
    int n, r = cop_await(f, COP_OUT(n), SOON);
    cop_future_release(f);
    return r;
}

TEST(without_memory_a_lazy_task_is_a_rejection_and_nothing_is_left)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_lazy, NULL, &r), 1);
    ck_assert_int_eq(r, 0);
}

/* ---------------------------------------------------------------- deadlines */

TEST(who_awaits_sets_the_deadline_of_a_task_that_wants_that) /* GO08 */
{
    cop_future *f = make_patient();
    EVENTUALLY(calls == 1);
    cop_time asked = cop_now();
    ck_assert_int_eq(cop_await(f, NULL, 0, COP_MS(20)), -ETIMEDOUT);
    EVENTUALLY(cop_future_state(f, NULL) == -ETIMEDOUT);
    ck_assert_int_eq(code_seen, -ETIMEDOUT);
    ck_assert_int_ge(ended_at - asked, COP_MS(20));
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ETIMEDOUT); /* looser, and too late */
    cop_future_release(f);
}

TEST(a_looser_wait_changes_nothing)
{
    cop_future *f = make_patient();
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_await(f, NULL, 0, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ETIMEDOUT);
    ck_assert_int_eq(ended, 1);
    cop_future_release(f);
}

TEST(the_context_of_who_awaits_counts_as_well)
{
    cop_future *f = make_patient();
    cop_context *context = cop_context_new(COP_MS(3));
    cop_context_enter(context);
    ck_assert_int_eq(cop_await(f, NULL, 0, COP_FOREVER), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    EVENTUALLY(cop_future_state(f, NULL) == -ETIMEDOUT);
    cop_future_release(f);
}

TEST(who_awaits_several_sets_the_deadline_of_each)
{
    cop_future *fs[] = {make_patient(), make_patient()};
    ck_assert_int_eq(cop_await_all(fs, 2, NULL, 0, COP_MS(3)), -ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        EVENTUALLY(cop_future_state(fs[i], NULL) == -ETIMEDOUT);
        cop_future_release(fs[i]);
    }
}

TEST(without_the_option_a_wait_is_nobody_elses_affair)
{
    cop_future *f = cop_async(sleep_long);
    ck_assert_int_eq(cop_await(f, NULL, 0, COP_MS(3)), -ETIMEDOUT);
    cop_sleep(COP_MS(5));
    ck_assert_int_eq(ended, 0);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    cop_future_release(f);
}

static cop_future *inner;

static int
start_another(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    inner = cop_async(sleep_long);
    int r = cop_await(inner, NULL, 0, COP_FOREVER);
    return r;
}

TEST(a_tightened_deadline_reaches_what_the_task_has_started) /* DL01 */
{
    cop_future *f = cop_async(start_another, .awaiters_set_deadline = true);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_await(f, NULL, 0, COP_MS(3)), -ETIMEDOUT);
    EVENTUALLY(cop_future_state(f, NULL) == -ETIMEDOUT);
    EVENTUALLY(cop_future_state(inner, NULL) == -ETIMEDOUT);
    ck_assert_int_eq(code_seen, -ETIMEDOUT);
    cop_future_release(inner);
    cop_future_release(f);
}

SUITE("task_wanted")
