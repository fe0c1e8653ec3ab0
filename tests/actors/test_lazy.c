/*
 * tests/actors/test_lazy.c - lazy tasks that are tried again after a failure.
 *
 * Room: tests/. Case ids (LZ01) are those of the list of futures' cases. What a plain lazy task does is in
 * test_task_wanted.c.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "tests/actors/tasks.h"
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>

/* ---------------------------------------------------------------- what the tasks do */

static atomic_int calls, failures_left, running, most_running, gate;

static void
begin_run(void)
{
    int now = ++running, most = most_running;
    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now)) {
    }
    calls++;
}

/* Fails so many times, and then doubles its argument. */
static int
fail_first(cop_bytes arg, void *result)
{
    begin_run();
    *(int *)result = 2 * *(const int *)arg.data;
    bool fails = failures_left > 0;
    if (fails) {
        failures_left--;
    }
    running--;
    return fails ? -EHOSTDOWN : 0;
}

/* The same, when it is let. */
static int
fail_first_at_gate(cop_bytes arg, void *result)
{
    running++;
    int r = 0;
    while (r == 0 && !gate) {
        r = cop_sleep(COP_US(200));
    }
    running--;
    return r ? r : fail_first(arg, result);
}

static cop_future *
make(cop_task_fn fn)
{
    int arg = 21;
    return cop_async(fn, .arg = COP_BYTES(arg), .result_size = sizeof(int), .lazy = true,
                     .retry = true);
}

static int
value_of(cop_future *f)
{
    int n = 0;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), 0);
    return n;
}

static int
code_of(cop_future *f)
{
    int n = 7;
    int r = cop_await(f, COP_OUT(n), SOON);
    ck_assert_int_ne(r, 0);
    ck_assert_int_eq(n, 7);
    return r;
}

static void
assert_rejected(cop_future *f, int code, const char *text)
{
    cop_reason why = COP_REASON_NORMAL;
    ck_assert_int_eq(cop_future_state(f, &why), code);
    ck_assert_str_eq(why.text, text);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- what cannot be */

TEST(only_a_lazy_task_can_be_tried_again)
{
    assert_rejected(cop_async(fail_first, .retry = true), -EINVAL, ".retry without .lazy");
    assert_rejected(cop_async(fail_first, .lazy = true, .retry = true, .link = true), -EINVAL,
                    "a lazy task with a link");
    assert_rejected(cop_async(NULL, .lazy = true, .retry = true), -EINVAL,
                    "a task without a function");
    assert_rejected(cop_async(fail_first, .lazy = true, .retry = true, .arg = {.size = 3}), -EINVAL,
                    "an argument without data");
    ck_assert_int_eq(calls, 0);
}

TEST(a_result_larger_than_memory_fails_each_run)
{
    cop_future *f = cop_async(fail_first, .result_size = SIZE_MAX - 1, .lazy = true, .retry = true);
    cop_bytes value;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_await_bytes(f, &value, SOON), -ENOMEM);
        ck_assert_int_eq(cop_future_state(f, NULL), -EINPROGRESS);
    }
    cop_future_release(f);
}

static int
try_all(void *arg)
{
    (void)arg;
    cop_future *f = make(fail_first);
    int n, r = cop_await(f, COP_OUT(n), SOON);
    cop_future_release(f);
    return r;
}

TEST(without_memory_it_is_a_rejection_and_nothing_is_left)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_all, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
}

static int
try_once_more(void *handle)
{
    cop_future *f = handle;
    int n = 0;
    return cop_await(f, COP_OUT(n), SOON);
}

TEST(a_run_that_finds_no_memory_has_failed_and_the_next_may_not)
{
    int r;
    cop_future *f = make(fail_first);
    ck_assert_uint_gt(test_out_of_memory(try_once_more, f, &r), 1);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_int_eq(calls, 1);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- failures */

TEST(a_failure_is_not_kept_and_a_value_is) /* LZ02 */
{
    cop_future *f = make(fail_first);
    failures_left = 2;
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(code_of(f), -EHOSTDOWN);
        ck_assert_int_eq(cop_why().code, -EHOSTDOWN);
        ck_assert_int_eq(cop_future_state(f, NULL), -EINPROGRESS);
        ck_assert_int_eq(calls, i);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(value_of(f), 42);
        ck_assert_int_eq(cop_future_state(f, NULL), 0);
        ck_assert_int_eq(calls, 3);
    }
    cop_future_release(f);
}

static int
end_badly(cop_bytes arg, void *result)
{
    (void)arg;
    *(int *)result = 42;
    switch (calls++) {
    case 0:
        return -EINPROGRESS; /* a code like any other */
    case 1:
        return 3;
    case 2:
        cop_exit(cop_failed(-EIO, "lost the disk"));
    case 3:
        cop_exit(COP_REASON_NORMAL);
    case 4:
        cop_exit_signal(cop_self(), COP_REASON_KILLED);
        return cop_sleep(COP_FOREVER);
    default:
        return 0;
    }
}

TEST(however_a_run_ends_without_a_value_it_is_not_kept)
{
    const int codes[] = {-EINPROGRESS, -EINVAL, -EIO, -EPIPE, -ECANCELED};
    test_catch_stderr();
    cop_future *f = make(end_badly);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(code_of(f), codes[i]);
    }
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
    free(test_caught_stderr());
}

static int
spin_at_first(cop_bytes arg, void *result)
{
    (void)arg;
    if (calls++ == 0) {
        for (running++; running;) {
            *(volatile int *)result += 1; /* also when the handle is gone */
        }
    }
    *(int *)result = 42;
    return 0;
}

TEST(a_run_that_is_disowned_has_failed_and_another_may_begin)
{
    test_leaves_things_behind(); /* its thread, and its block of memory */
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    cop_future *f = make(spin_at_first);
    ck_assert_uint_ne(cop_future_notify(f, 7).id, 0);
    EVENTUALLY(running == 1);
    cop_exit_signal(cop_future_pid(f), COP_REASON_KILLED);
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, -ECANCELED);
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
}

static int
await_and_say(cop_bytes arg)
{
    int n;
    int r = cop_await(*(cop_future *const *)arg.data, COP_OUT(n), SOON);
    cop_exit(cop_failed(r ? r : -n, NULL));
}

static bool
waits_for_a_run(cop_pid pid, cop_future *f)
{
    cop_process_info info = {.waits_for = COP_NOBODY};
    cop_inspect(pid, &info);
    return info.waits_for.id != 0 && cop_pid_eq(info.waits_for, cop_future_pid(f));
}

/* One process more that waits for it. */
static cop_ref
start_waiter(cop_future *f)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, await_and_say, .arg = COP_BYTES(f), .monitor = &monitor), 0);
    EVENTUALLY(waits_for_a_run(pid, f));
    return monitor;
}

TEST(who_awaits_it_during_a_run_shares_its_failure)
{
    cop_ref monitors[10];
    test_catch_stderr();
    cop_future *f = make(fail_first_at_gate);
    failures_left = 1;
    for (int i = 0; i < 10; i++) {
        monitors[i] = start_waiter(f);
    }
    gate = 1;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(test_down(monitors[i]).code, -EHOSTDOWN);
    }
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- in every way */

static int
copy_number(const void *value, void *result, void *env)
{
    (void)env;
    *(int *)result = *(const int *)value;
    return 0;
}

static cop_future *
give_on(const void *value, void *env)
{
    (void)value;
    return cop_future_retain(env);
}

static int
give_code(cop_reason reason, void *result, void *env)
{
    (void)env;
    *(int *)result = reason.code;
    return 0;
}

static void
look(void *env)
{
    (void)env;
}

static _Atomic(int) heard;

static void
hear_value(const void *value, void *env)
{
    (void)env;
    heard = *(const int *)value;
}

static void
hear_failure(cop_reason reason, void *env)
{
    (void)env;
    heard = reason.code;
}

static int
of_child(cop_future *child)
{
    int n = 0, r = cop_await(child, COP_OUT(n), SOON);
    cop_future_release(child);
    return r ? r : n;
}

static int
must(cop_bytes arg)
{
    int n;
    cop_must_await(*(cop_future *const *)arg.data, COP_OUT(n));
    cop_exit(cop_failed(n, NULL));
}

/* Want it in one of many ways: the value, or the code of the failure. */
static int
want(int way, cop_future *f)
{
    cop_future *fs[] = {f, f};
    cop_bytes bytes = {0};
    cop_ref monitor;
    size_t winner;
    int n[2] = {0}, status[2] = {0}, r = 0;
    switch (way) {
    case 0:
        r = cop_await(f, COP_OUT(n[0]), SOON);
        break;
    case 1:
        r = cop_await_bytes(f, &bytes, SOON);
        return r ? r : *(const int *)bytes.data;
    case 2:
        cop_spawn(NULL, must, .arg = COP_BYTES(f), .monitor = &monitor);
        return test_down(monitor).code;
    case 3:
        r = cop_await_all(fs, 1, n, sizeof n[0], SOON);
        break;
    case 4:
        r = cop_await_first(fs, 1, n, sizeof n[0], &winner, SOON);
        break;
    case 5:
        r = cop_race(fs, 1, n, sizeof n[0], &winner, SOON);
        break;
    case 6:
        ck_assert_int_eq(cop_await_settled(fs, 1, n, sizeof n[0], status, SOON), 0);
        r = status[0];
        break;
    case 7:
        ck_assert_int_eq(cop_await_some(fs, 1, 1, n, sizeof n[0], status, SOON), 0);
        r = status[0];
        break;
    case 8:
        cop_future_notify(f, 7);
        r = COP_BODY(test_receive(7), struct cop_settled)->code;
        return r ? r : value_of(f);
    case 9:
        return of_child(cop_map(f, copy_number, NULL, sizeof(int)));
    case 10:
        return of_child(cop_then(f, give_on, f, sizeof(int)));
    case 11:
        return of_child(cop_recover(f, give_code, NULL, sizeof(int)));
    case 12:
        return of_child(cop_finally(f, look, NULL));
    case 13:
        heard = 0;
        ck_assert_int_eq(cop_on_settled(f, hear_value, hear_failure, NULL), 0);
        EVENTUALLY(heard != 0);
        return heard;
    default:
        ck_abort();
    }
    return r ? r : n[0];
}

enum {
    WAYS = 14
};

TEST_TIMES(WAYS, in_every_way_a_failure_is_told_and_the_next_wish_starts_another_run)
{
    test_catch_stderr();
    cop_future *f = make(fail_first);
    failures_left = 2;
    ck_assert_int_eq(want(_i, f), -EHOSTDOWN);
    ck_assert_int_eq(want(_i, f), -EHOSTDOWN);
    ck_assert_int_eq(want(_i, f), 42);
    ck_assert_int_eq(want(_i, f), 42);
    ck_assert_int_eq(calls, 3);
    ck_assert_int_eq(most_running, 1);
    cop_future_release(f);
    free(test_caught_stderr());
}

TEST_TIMES(3, who_must_have_it_crashes_with_the_failure_of_its_run)
{
    cop_ref monitor;
    test_catch_stderr();
    cop_future *f = make(end_badly);
    calls = (int[]){2, 3, 4}[_i]; /* failed, normal, killed */
    cop_spawn(NULL, must, .arg = COP_BYTES(f), .monitor = &monitor);
    cop_reason why = test_down(monitor);
    ck_assert(cop_is_crash(why));
    ck_assert_str_eq(why.text, ((const char *[]){"lost the disk", "normal", ""})[_i]);
    cop_future_release(f);
    free(test_caught_stderr());
}

TEST(a_wait_for_any_ends_with_its_failure_as_with_its_value)
{
    cop_future *f = make(fail_first);
    failures_left = 1;
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(copi_await_any(&f, 1, SOON), 0);
        ck_assert_int_eq(calls, i < 2 ? i : 2);
        ck_assert_int_eq(cop_future_state(f, NULL), i < 2 ? -EINPROGRESS : 0);
    }
    cop_future_release(f);
}

TEST(among_several_it_is_one_like_the_others)
{
    int out[3], status[3];
    cop_future *again = make(fail_first), *once = make(fail_first);
    cop_future *fs[] = {once, again, again};
    failures_left = 1;
    ck_assert_int_eq(cop_await(again, COP_OUT(out[0]), SOON), -EHOSTDOWN);
    failures_left = 3; /* two runs, or three: one may end before the next is asked for */
    ck_assert_int_eq(cop_await_settled(fs, 3, out, sizeof out[0], status, SOON), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(status[i], -EHOSTDOWN);
    }
    failures_left = 0;
    ck_assert_int_eq(cop_await_all(fs, 3, out, sizeof out[0], SOON), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(out[i], 42);
    }
    cop_future_release(again);
    cop_future_release(once);
}

TEST(a_race_that_it_loses_cancels_its_run_and_not_itself)
{
    cop_future *slow = make(fail_first_at_gate), *quick = make(fail_first);
    cop_future *fs[] = {slow, quick};
    size_t winner;
    int n;
    ck_assert_int_eq(cop_race(fs, 2, &n, sizeof n, &winner, SOON), 0);
    ck_assert_uint_eq(winner, 1);
    EVENTUALLY(running == 0);
    gate = 1;
    EVENTUALLY(!cop_alive(cop_future_pid(slow)));
    ck_assert_int_eq(value_of(slow), 42);
    cop_future_release(slow);
    cop_future_release(quick);
}

TEST(a_time_that_is_over_leaves_the_run_alone)
{
    cop_future *f = make(fail_first_at_gate);
    int n, status, out;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), COP_MS(2)), -ETIMEDOUT);
    ck_assert_int_eq(cop_await_settled(&f, 1, &out, sizeof out, &status, COP_MS(2)), -ETIMEDOUT);
    ck_assert_int_eq(status, -EINPROGRESS);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), 0), -ETIMEDOUT);
    EVENTUALLY(running == 1);
    gate = 1;
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_int_eq(calls, 1);
    cop_future_release(f);
}

TEST(a_value_of_another_size_is_refused_and_nothing_begins)
{
    cop_future *f = make(fail_first);
    char wrong[2];
    ck_assert_int_eq(cop_await(f, wrong, sizeof wrong, SOON), -EMSGSIZE);
    ck_assert_int_eq(calls, 0);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- cop_then */

static cop_future *
make_another(const void *value, void *env)
{
    (void)value;
    (void)env;
    return make(fail_first);
}

TEST(what_a_function_of_then_makes_is_started)
{
    cop_future *f = make(fail_first);
    ck_assert_int_eq(of_child(cop_then(f, make_another, NULL, sizeof(int))), 42);
    ck_assert_int_eq(calls, 2);
    cop_future_release(f);
}

static cop_future *
give_child(const void *value, void *env)
{
    (void)value;
    return cop_future_retain(*(cop_future **)env);
}

static int
copy_number_at_gate(const void *value, void *result, void *env)
{
    *(atomic_bool *)env = true;
    EVENTUALLY(gate);
    return copy_number(value, result, NULL);
}

/* What a child waits for is walked along when another is to wait for the child. */
TEST(a_child_may_be_waited_for_when_the_task_that_it_stands_on_is_gone)
{
    atomic_bool is_running = false;
    cop_future *f = make(fail_first), *quick = make(fail_first);
    cop_future *child = cop_map(f, copy_number_at_gate, &is_running, sizeof(int));
    EVENTUALLY(is_running);
    cop_future_release(f);
    cop_future *other = cop_then(quick, give_child, &child, sizeof(int));
    int n;
    ck_assert_int_eq(cop_await(other, COP_OUT(n), COP_MS(10)), -ETIMEDOUT);
    gate = 1;
    ck_assert_int_eq(of_child(other), 42);
    ck_assert_int_eq(of_child(child), 42);
    cop_future_release(quick);
}

/* ---------------------------------------------------------------- the value */

static int
give_words(cop_bytes arg, void *result)
{
    (void)arg;
    *(cop_bytes *)result = (cop_bytes){strdup("owned"), 6};
    calls++;
    while (!gate) {
        if (cop_sleep(COP_US(200)) != 0) {
            break; /* and it has a result all the same */
        }
    }
    return 0;
}

static int
give_pointer(cop_bytes arg, void *result)
{
    (void)arg;
    *(char **)result = strdup("owned");
    return 0;
}

TEST(bytes_that_were_lent_are_there_until_the_handle_goes)
{
    gate = 1;
    cop_future *f = cop_async(give_words, .result_size = COP_ANY, .drop = drop_words, .lazy = true,
                              .retry = true);
    cop_bytes first, second;
    ck_assert_int_eq(cop_await_bytes(f, &first, SOON), 0);
    EVENTUALLY(!cop_alive(cop_future_pid(f)));
    ck_assert_int_eq(cop_await_bytes(f, &second, SOON), 0);
    ck_assert_ptr_eq(first.data, second.data);
    ck_assert_str_eq(first.data, "owned");
    ck_assert_int_eq(drops, 0);
    cop_future_release(cop_future_retain(f));
    ck_assert_str_eq(first.data, "owned");
    cop_future_release(f);
    EVENTUALLY(drops == 1); /* the run's own hold may be the last */
    ck_assert_int_eq(calls, 1);
}

TEST(what_a_cancelled_run_returns_is_dropped_once_and_the_next_value_is_kept)
{
    cop_future *f = cop_async(give_words, .result_size = COP_ANY, .drop = drop_words, .lazy = true,
                              .retry = true);
    cop_future_notify(f, 7);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "not now")), 0);
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, -ECANCELED);
    ck_assert_int_eq(drops, 1);
    gate = 1;
    cop_bytes words;
    ck_assert_int_eq(cop_await_bytes(f, &words, SOON), 0);
    ck_assert_str_eq(words.data, "owned");
    cop_future_release(f);
    EVENTUALLY(drops == 2);
}

TEST(a_value_that_owns_memory_goes_with_the_last_who_shows_it)
{
    cop_future *f = cop_async(give_pointer, .result_size = sizeof(char *), .drop = drop_pointer,
                              .lazy = true, .retry = true);
    cop_future *same = cop_finally(f, look, NULL);
    char *words;
    ck_assert_int_eq(cop_await(same, COP_OUT(words), SOON), 0);
    ck_assert_int_eq(cop_await(f, COP_OUT(words), SOON), 0);
    cop_future_release(f);
    ck_assert_str_eq(words, "owned");
    ck_assert_int_eq(drops, 0);
    cop_future_release(same);
    EVENTUALLY(drops == 1);
}

static int
see_argument(cop_bytes arg, void *result)
{
    calls++;
    memcpy(result, arg.data, arg.size);
    return calls < 3 ? -EAGAIN : 0;
}

TEST(each_run_gets_the_argument_and_the_name_that_were_given)
{
    char arg[5] = "word", name[5] = "lazy", out[5];
    cop_future *f = cop_async(see_argument, .arg = COP_BYTES(arg), .result_size = sizeof out,
                              .name = name, .lazy = true, .retry = true);
    memset(arg, 'x', sizeof arg);
    memset(name, 'x', sizeof name);
    ck_assert_int_eq(cop_register("lazy", cop_self()), 0);
    ck_assert_int_eq(cop_await(f, COP_OUT(out), SOON), -EEXIST);
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(cop_unregister("lazy"), 0);
    ck_assert_int_eq(cop_await(f, COP_OUT(out), SOON), -EAGAIN);
    ck_assert_int_eq(cop_await(f, COP_OUT(out), SOON), -EAGAIN); /* the name is free again */
    ck_assert_int_eq(cop_await(f, COP_OUT(out), SOON), 0);
    ck_assert_str_eq(out, "word");
    cop_future_release(f);
}

/* ---------------------------------------------------------------- cancelled, shut down, released */

TEST(between_two_runs_there_is_nothing_to_cancel)
{
    cop_future *f = make(fail_first);
    cop_reason cause = cop_failed(-EIO, NULL);
    failures_left = 1;
    ck_assert_int_eq(cop_future_cancel(f, cause), -EALREADY);
    ck_assert_int_eq(code_of(f), -EHOSTDOWN);
    ck_assert_int_eq(cop_future_cancel(f, cause), -EALREADY);
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_int_eq(cop_future_cancel(f, cause), -EALREADY);
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
}

TEST(a_run_that_is_cancelled_has_failed_and_the_next_wish_starts_another)
{
    test_catch_stderr();
    cop_future *f = make(fail_first_at_gate);
    cop_ref monitor = start_waiter(f);
    EVENTUALLY(running == 1);
    cop_pid first = cop_future_pid(f);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "not needed")), 0);
    cop_future_cancel(f, cop_failed(-EIO, "twice")); /* it may have ended by now */
    ck_assert_int_eq(test_down(monitor).code, -ECANCELED);
    ck_assert(!cop_alive(first));
    gate = 1;
    ck_assert_int_eq(value_of(f), 42);
    ck_assert(!cop_pid_eq(cop_future_pid(f), first));
    cop_future_release(f);
    free(test_caught_stderr());
}

TEST(what_was_never_begun_can_be_shut_down_and_be_begun_later)
{
    cop_future *f = make(fail_first);
    ck_assert(cop_pid_eq(cop_future_pid(f), COP_NOBODY));
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    ck_assert_int_eq(calls, 0);
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_int_eq(cop_task_shutdown(f, COP_BRUTAL_KILL), 0);
    cop_future_release(f);
}

TEST_TIMES(2, a_run_that_is_shut_down_ends_and_the_next_wish_starts_another)
{
    cop_future *f = make(fail_first_at_gate);
    ck_assert_uint_ne(cop_future_notify(f, 7).id, 0);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_task_shutdown(f, _i ? SOON : COP_BRUTAL_KILL), -ECANCELED);
    ck_assert(!cop_alive(cop_future_pid(f)));
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, -ECANCELED);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED); /* how that ended */
    gate = 1;
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
}

static int
shut_down_for_ever(cop_bytes arg)
{
    return cop_task_shutdown(*(cop_future *const *)arg.data, COP_FOREVER);
}

static int
ignore_requests(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    for (running++; !gate;) {
        cop_sleep(COP_US(200)); /* refused when asked: it does not care */
    }
    running--;
    return -EIO;
}

TEST(who_ends_while_shutting_a_run_down_keeps_nothing)
{
    cop_pid pid;
    cop_ref monitor;
    cop_future *f = make(ignore_requests);
    cop_future_notify(f, 7);
    EVENTUALLY(running == 1);
    cop_spawn(&pid, shut_down_for_ever, .arg = COP_BYTES(f), .monitor = &monitor);
    EVENTUALLY(waits_for_a_run(pid, f));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    gate = 1;
    test_receive(7);
    cop_future_release(f);
}

/* What this thread has at hand for a signal, so that the next one needs memory. */
static struct copi_message *
take_all_signals(void)
{
    struct copi_message *taken = NULL, *next;
    while ((next = copi_message_new(COPI_SIGNAL, 0, sizeof(struct cop_exited)))) {
        next->next = taken;
        taken = next;
    }
    return taken;
}

static void
give_back(struct copi_message *taken)
{
    while (taken) {
        struct copi_message *next = taken->next;
        copi_message_free(taken);
        taken = next;
    }
}

TEST(without_memory_no_run_is_shut_down)
{
    cop_future *f = make(fail_first_at_gate);
    cop_future_notify(f, 7);
    EVENTUALLY(running == 1);
    copi_alloc_fail_after(0);
    struct copi_message *taken = take_all_signals();
    int r = cop_task_shutdown(f, SOON);
    copi_alloc_fail_after(-1);
    give_back(taken);
    ck_assert_int_eq(r, -ENOMEM);
    gate = 1;
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, 0);
    cop_future_release(f);
}

TEST(who_cannot_see_to_its_own_end_shuts_nothing_down)
{
    cop_future *f = make(fail_first_at_gate);
    cop_future_notify(f, 7);
    EVENTUALLY(running == 1);
    test_fill_deferred();
    copi_alloc_fail_after(0);
    int r = cop_task_shutdown(f, SOON);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    gate = 1;
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, 0);
    cop_future_release(f);
}

TEST(a_run_goes_on_when_the_handle_is_released)
{
    cop_future *f = cop_async(give_words, .result_size = COP_ANY, .drop = drop_words, .lazy = true,
                              .retry = true);
    cop_future_notify(f, 7);
    EVENTUALLY(calls == 1);
    cop_future_release(f);
    gate = 1;
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, 0);
    EVENTUALLY(drops == 1);
}

TEST(what_is_never_wanted_never_runs) /* LZ03 */
{
    cop_future_release(make(fail_first));
    ck_assert_int_eq(calls, 0);
}

/* ---------------------------------------------------------------- itself, contexts, deadlines */

static _Atomic(cop_future *) own;

static int
force_oneself(cop_bytes arg, void *result)
{
    (void)arg;
    int n, status;
    EVENTUALLY(own);
    cop_future *f = own;
    calls++;
    *(int *)result = 42;
    cop_assert(cop_await(f, COP_OUT(n), SOON) == -EDEADLK);
    cop_assert(cop_await_all(&f, 1, &n, sizeof n, SOON) == -EDEADLK);
    cop_assert(cop_await_settled(&f, 1, &n, sizeof n, &status, SOON) == -EDEADLK);
    cop_assert(cop_task_shutdown(f, SOON) == -EDEADLK);
    return calls < 3 ? -EDEADLK : 0;
}

TEST(a_run_that_forces_its_own_task_is_refused)
{
    own = make(force_oneself);
    ck_assert_int_eq(code_of(own), -EDEADLK);
    ck_assert_int_eq(code_of(own), -EDEADLK);
    ck_assert_int_eq(calls, 2);
    cop_future_release(own);
}

static int
await_a_moment(cop_bytes arg)
{
    int n;
    return cop_await(*(cop_future *const *)arg.data, COP_OUT(n), SOON);
}

TEST_TIMES(2, when_the_context_of_who_began_it_ends_the_others_get_the_value)
{
    cop_ref first, second;
    cop_pid pid;
    test_catch_stderr();
    cop_future *f = make(fail_first_at_gate);
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_spawn(&pid, await_a_moment, .arg = COP_BYTES(f), .context = context, .monitor = &first);
    EVENTUALLY(running == 1);
    second = start_waiter(f);
    if (_i == 0) {
        cop_context_cancel(context, cop_failed(-EIO, NULL));
        ck_assert_int_eq(test_down(first).code, -ECANCELED);
    } else {
        cop_exit_signal(pid, COP_REASON_KILLED);
        ck_assert_int_eq(test_down(first).kind, COP_KILLED);
    }
    cop_context_free(context);
    gate = 1;
    ck_assert_int_eq(test_down(second).code, -42);
    ck_assert_int_eq(calls, 1);
    cop_future_release(f);
    free(test_caught_stderr());
}

TEST(every_run_fails_when_the_context_in_which_it_was_made_is_cancelled)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    cop_future *f = make(fail_first_at_gate);
    cop_context_leave(context);
    cop_future_notify(f, 7);
    EVENTUALLY(running == 1);
    cop_context_cancel(context, cop_failed(-EIO, "all of it"));
    cop_context_free(context);
    ck_assert_int_eq(COP_BODY(test_receive(7), struct cop_settled)->code, -ECANCELED);
    ck_assert_int_eq(code_of(f), -ECANCELED);
    cop_future_release(f);
}

TEST(a_deadline_of_who_awaits_ends_one_run_and_not_the_next)
{
    int arg = 21;
    cop_future *f = cop_async(fail_first_at_gate, .arg = COP_BYTES(arg), .result_size = sizeof(int),
                              .lazy = true, .retry = true, .awaiters_set_deadline = true);
    int n;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), COP_MS(5)), -ETIMEDOUT);
    EVENTUALLY(!cop_alive(cop_future_pid(f)) && running == 0);
    gate = 1;
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- handlers */

static atomic_int successes, failures, last_code, envs;

static void
count_success(const void *value, void *env)
{
    ck_assert_int_eq(*(const int *)value, 42);
    ck_assert_ptr_eq(env, &envs);
    ck_assert_int_eq(envs, 0);
    successes++;
}

static void
count_failure(cop_reason reason, void *env)
{
    ck_assert_ptr_eq(env, &envs);
    ck_assert_int_eq(envs, 0);
    last_code = reason.code;
    failures++;
}

static void
count_env(void *env)
{
    ck_assert_ptr_eq(env, &envs);
    envs++;
}

static cop_future *
make_told(cop_task_fn fn)
{
    int arg = 21;
    return cop_async(fn, .arg = COP_BYTES(arg), .result_size = sizeof(int), .lazy = true,
                     .retry = true, .on_success = count_success, .on_failure = count_failure,
                     .env = &envs, .drop_env = count_env);
}

TEST(each_run_calls_a_handler_and_the_environment_is_dropped_at_the_end)
{
    cop_future *f = make_told(fail_first);
    failures_left = 2;
    ck_assert_int_eq(code_of(f), -EHOSTDOWN);
    ck_assert_int_eq(code_of(f), -EHOSTDOWN);
    EVENTUALLY(failures == 2);
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_int_eq(value_of(f), 42);
    EVENTUALLY(successes == 1);
    ck_assert_int_eq(last_code, -EHOSTDOWN);
    ck_assert_int_eq(envs, 0);
    cop_future_release(f);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(failures, 2);
}

TEST(the_environment_is_dropped_after_a_run_that_outlives_the_handle)
{
    cop_future *f = make_told(fail_first_at_gate);
    cop_future_notify(f, 7);
    EVENTUALLY(running == 1);
    cop_future_release(f);
    ck_assert_int_eq(envs, 0);
    gate = 1;
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(successes, 1);
    test_receive(7);
}

TEST(the_environment_of_what_nobody_wanted_is_dropped_and_no_handler_runs) /* LZ03 */
{
    cop_future_release(make_told(fail_first));
    ck_assert_int_eq(envs, 1);
    ck_assert_int_eq(successes + failures + calls, 0);
}

TEST(the_environment_alone_is_dropped_as_well)
{
    int arg = 21;
    cop_future *f = cop_async(fail_first, .arg = COP_BYTES(arg), .result_size = sizeof(int),
                              .lazy = true, .retry = true, .env = &envs, .drop_env = count_env);
    ck_assert_int_eq(value_of(f), 42);
    cop_future_release(f);
    EVENTUALLY(envs == 1);
}

static int
try_told(void *arg)
{
    (void)arg;
    envs = 0;
    cop_future *f = make_told(fail_first);
    int n, r = cop_await(f, COP_OUT(n), SOON);
    cop_future_release(f);
    copi_alloc_fail_after(-1);
    nudge_workers();
    EVENTUALLY(envs == 1);
    return r;
}

TEST(without_memory_the_environment_is_dropped_once_all_the_same)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_told, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
    ck_assert_int_ge(successes, 1);
}

/* ---------------------------------------------------------------- accounts */

TEST(it_is_one_future_for_who_keeps_account)
{
    cop_track_futures(true);
    test_catch_stderr();
    cop_future *f = make(fail_first_at_gate);
    ck_assert_uint_eq(cop_unsettled(NULL, 0, 0), 1);
    failures_left = 1;
    cop_future_notify(f, 7);
    EVENTUALLY(running == 1);
    ck_assert_uint_eq(cop_unsettled(NULL, 0, 0), 1);
    gate = 1;
    test_receive(7);
    ck_assert_uint_eq(cop_unsettled(NULL, 0, 0), 1); /* it may have a value yet */
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_uint_eq(cop_unsettled(NULL, 0, 0), 0);
    cop_future_release(f);
    f = make(fail_first);
    failures_left = 1;
    ck_assert_int_eq(code_of(f), -EHOSTDOWN);
    cop_future_release(f);
    EVENTUALLY(cop_unsettled(NULL, 0, 0) == 0); /* the run's own hold may be the last */
    char *said = test_caught_stderr();
    ck_assert_str_eq(said, "");
    free(said);
}

/* ---------------------------------------------------------------- races */

enum {
    THREADS = 50,
};

static atomic_int values, refusals;

static void *
force_until_there(void *handle)
{
    int n = 0, r;
    while ((r = cop_await((cop_future *)handle, COP_OUT(n), SOON)) == -EHOSTDOWN) {
        refusals++;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(n, 42);
    ck_assert_int_eq(cop_future_state(handle, NULL), 0); /* who has the value finds it settled */
    values++;
    return NULL;
}

static void
on_threads(int n, void *(*fn)(void *arg), void *arg)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, arg), 0);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
}

TEST_TIMES(5, fifty_threads_force_one_that_fails_a_few_times) /* LZ01 LZ02 */
{
    enum {
        TIMES = 20
    };
    cop_future *f = make(fail_first);
    failures_left = TIMES;
    on_threads(THREADS, force_until_there, f);
    ck_assert_int_eq(values, THREADS);
    ck_assert_int_eq(calls, TIMES + 1);
    ck_assert_int_eq(most_running, 1);
    ck_assert_int_ge(refusals, TIMES); /* each run had somebody who wanted it */
    cop_future_release(f);
}

static atomic_bool over;

static void *
cancel_meanwhile(void *handle)
{
    while (!over) {
        cop_future_cancel(handle, cop_failed(-EIO, NULL));
        cop_task_shutdown(handle, SOON);
        cop_future_pid(handle);
    }
    return NULL;
}

static void *
force_cancelled(void *handle)
{
    for (int i = 0; i < 50; i++) {
        int n, r = cop_await((cop_future *)handle, COP_OUT(n), SOON);
        ck_assert(r == 0 || r == -EHOSTDOWN || r == -ECANCELED);
    }
    return NULL;
}

TEST(runs_that_are_cancelled_and_shut_down_while_others_begin_them_never_hang)
{
    pthread_t canceller;
    cop_future *f = make(fail_first);
    failures_left = 1 << 30;
    ck_assert_int_eq(pthread_create(&canceller, NULL, cancel_meanwhile, f), 0);
    on_threads(4, force_cancelled, f);
    over = true;
    pthread_join(canceller, NULL);
    failures_left = 0;
    ck_assert_int_eq(value_of(f), 42);
    ck_assert_int_eq(most_running, 1);
    cop_future_release(f);
}

static void *
map_and_release(void *handle)
{
    cop_future *child = cop_map(handle, copy_number, NULL, sizeof(int));
    cop_future_release(handle);
    int r = of_child(child);
    ck_assert(r == 42 || r == -EHOSTDOWN);
    values++;
    return NULL;
}

TEST(many_who_chain_to_it_and_let_go_keep_nothing)
{
    for (int i = 0; i < 50; i++) {
        cop_future *f = make(fail_first);
        failures_left = i % 4;
        for (int j = 0; j < 3; j++) {
            cop_future_retain(f);
        }
        on_threads(4, map_and_release, f);
    }
    ck_assert_int_eq(values, 200);
}

SUITE("lazy")
