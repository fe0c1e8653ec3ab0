/*
 * tests/actors/test_task.c - a function on a process of its own, and its result as a future.
 *
 * Room: tests/. Case ids (TSK-001) are those of the conformance list.
 */
#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "tests/actors/tasks.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <coppice/memory.h>

#include <errno.h>

/* ---------------------------------------------------------------- what the tasks do */

/* Nobody can be linked, and a process cannot be asked by itself to stop. */
static atomic_bool refuses_signals;

int real_signal(cop_pid to, cop_reason reason) REAL(cop_exit_signal);
int refuse_signal(cop_pid to, cop_reason reason) WRAP(cop_exit_signal);
int
refuse_signal(cop_pid to, cop_reason reason)
{
    return refuses_signals && cop_pid_eq(to, cop_self()) ? -ENOMEM : real_signal(to, reason);
}

int real_link(cop_pid to) REAL(cop_link);
int refuse_link(cop_pid to) WRAP(cop_link);
int
refuse_link(cop_pid to)
{
    return refuses_signals ? copi_fail(-ENOMEM) : real_link(to);
}

static atomic_int running, ended;

static int
sleep_until_asked(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    int r = cop_sleep(COP_FOREVER);
    ended++;
    return r;
}

/* The answer comes although it is asked to stop. */
static int
answer_when_asked(cop_bytes arg, void *result)
{
    (void)arg;
    running++;
    cop_sleep(COP_FOREVER);
    *(int *)result = 7;
    return 0;
}

static int
never_ends(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    while (running) {
        cop_sleep(COP_MS(1)); /* refused when asked: it does not care */
    }
    return 0;
}

static int
say_hello(cop_bytes arg, void *result)
{
    (void)arg;
    char *words = cop_alloc(6);
    cop_assert(words);
    memcpy(words, "hello", 6);
    *(cop_bytes *)result = (cop_bytes){words, 6};
    return 0;
}

static int
give_words(cop_bytes arg, void *result)
{
    (void)arg;
    char *words = strdup("owned");
    *(cop_bytes *)result = (cop_bytes){words, 6};
    return 0;
}

static int
give_pointer(cop_bytes arg, void *result)
{
    (void)arg;
    *(char **)result = strdup("owned");
    return 0;
}

static int
answer_after_cancel(cop_bytes arg, void *result)
{
    (void)arg;
    running++;
    while (!cop_cancelled()) {
        cop_shield(false);
    }
    *(char **)result = strdup("too late");
    return 0;
}

static void
release(cop_future *future)
{
    cop_future_release(future);
}

#define ANSWER(r, value, ...)                              \
 do {                                                      \
  int n_ = 0;                                              \
  cop_future *f_ = (__VA_ARGS__);                          \
  ck_assert_int_eq(cop_await(f_, COP_OUT(n_), SOON), (r)); \
  ck_assert_int_eq(n_, (value));                           \
  release(f_);                                             \
 } while (0)

/* ---------------------------------------------------------------- what cannot start */

TEST(a_task_without_a_function_is_a_rejected_future)
{
    cop_future *f = cop_async_with(NULL, NULL);
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(cop_future_state(f, NULL), -EINVAL);
    ck_assert(cop_pid_eq(cop_future_pid(f), COP_NOBODY));
    release(f);
}

TEST(a_task_whose_name_is_taken_is_a_rejected_future)
{
    ck_assert_int_eq(cop_register("taken", cop_self()), 0);
    cop_future *f = cop_async(sleep_until_asked, .name = "taken");
    ck_assert_int_eq(cop_future_state(f, NULL), -EEXIST);
    release(f);
    char longer[100];
    memset(longer, 'x', sizeof longer);
    longer[99] = '\0';
    f = cop_async(sleep_until_asked, .name = longer);
    ck_assert_int_eq(cop_future_state(f, NULL), -EINVAL);
    release(f);
}

TEST(a_result_larger_than_memory_is_a_rejected_future)
{
    cop_future *f = cop_async(twice, .result_size = SIZE_MAX - 1);
    ck_assert_int_eq(cop_future_state(f, NULL), -ENOMEM);
    release(f);
}

static int
try_to_start(void *arg)
{
    (void)arg;
    int n = 4;
    cop_future *f = cop_async(twice, .arg = COP_BYTES(n), .result_size = sizeof n);
    int r = cop_future_state(f, NULL);
    if (r != -ENOMEM) {
        r = cop_await(f, COP_OUT(n), SOON);
    }
    release(f);
    return r;
}

TEST(without_memory_a_task_is_a_rejected_future_and_nothing_is_left)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_to_start, NULL, &r), 1);
    ck_assert_int_eq(r, 0);
}

TEST(without_memory_what_is_refused_says_so)
{
    copi_alloc_fail_after(0);
    cop_future *f = cop_async(NULL);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_future_state(f, NULL), -ENOMEM);
    release(f);
}

static int
shut_down(cop_bytes arg)
{
    return cop_task_shutdown(*(cop_future *const *)arg.data, SOON);
}

static bool
waits(cop_pid pid)
{
    cop_process_info info;
    return cop_inspect(pid, &info) == 0 && info.waits_in;
}

TEST(a_task_that_cannot_be_asked_to_stop_when_it_starts_does_not_run)
{
    struct copi_task *task;
    cop_pid pid, asker;
    cop_ref monitor;
    cop_future *f = copi_task_new(&task, sleep_until_asked, &(cop_task_opts){0});
    cop_spawn(&asker, shut_down, .arg = COP_BYTES(f), .monitor = &monitor);
    EVENTUALLY(waits(asker));
    refuses_signals = true;
    ck_assert_int_eq(copi_task_start(task, false, COP_NOBODY, &pid), 0);
    ck_assert_int_eq(test_down(monitor).code, -ECANCELED);
    refuses_signals = false;
    ck_assert_int_eq(running, 0);
    release(f);
}

TEST(a_task_that_cannot_be_linked_to_its_owner_does_not_run)
{
    struct copi_task *task;
    cop_pid pid;
    cop_future *f = copi_task_new(&task, sleep_until_asked, &(cop_task_opts){0});
    refuses_signals = true;
    ck_assert_int_eq(copi_task_start(task, false, cop_self(), &pid), 0);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ENOMEM);
    refuses_signals = false;
    ck_assert_int_eq(running, 0);
    release(f);
}

/* ---------------------------------------------------------------- results */

TEST(a_task_runs_its_function_and_the_future_has_its_result) /* TSK-001 TSK-007 */
{
    cop_future *f = cop_async(twice, .arg = COP_BYTES((int){21}), .result_size = sizeof(int));
    int n = 0;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), 0);
    ck_assert_int_eq(n, 42);
    ck_assert(!cop_pid_eq(cop_future_pid(f), COP_NOBODY));
    ck_assert(!cop_alive(cop_future_pid(f)));
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* nothing of it stays in the mailbox */
    release(f);
}

TEST(a_failure_is_a_rejection_with_its_code) /* TSK-011 PA46 */
{
    ANSWER(-EACCES, 0, cop_async(fail_with, .arg = COP_BYTES((int){-EACCES}), .result_size = 4));
    ANSWER(-EINVAL, 0, cop_async(fail_with, .arg = COP_BYTES((int){3}), .result_size = 4));
}

TEST(a_failure_is_told_to_who_awaits_and_not_reported_as_a_crash)
{
    test_catch_stderr();
    ANSWER(-EACCES, 0, cop_async(fail_with, .arg = COP_BYTES((int){-EACCES}), .result_size = 4));
    cop_reason crash = cop_failed(-EIO, "the disk is gone");
    ANSWER(-EIO, 0, cop_async(exit_with, .arg = COP_BYTES(crash), .result_size = 4));
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "crashed"), 1);
    ck_assert_uint_eq(test_count(said, "the disk is gone"), 1);
    free(said);
}

TEST(a_task_that_ends_without_a_result_is_a_rejection_with_its_reason) /* TSK-010 */
{
    cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, cop_failed(-EIO, "lost")};
    int codes[] = {-EPIPE, -ECANCELED, -EIO};
    for (int i = 0; i < 3; i++) {
        cop_reason why;
        cop_future *f = cop_async(exit_with, .arg = COP_BYTES(reasons[i]), .result_size = 4);
        int n;
        ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), codes[i]);
        ck_assert_int_eq(cop_future_state(f, &why), codes[i]);
        ck_assert_int_eq(why.kind, reasons[i].kind);
        ck_assert_str_eq(why.text, reasons[i].text);
        release(f);
    }
}

TEST(a_killed_task_is_a_rejection)
{
    cop_future *f = cop_async(sleep_until_asked);
    cop_exit_signal(cop_future_pid(f), COP_REASON_KILLED);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ECANCELED);
    cop_reason why;
    cop_future_state(f, &why);
    ck_assert_int_eq(why.kind, COP_KILLED);
    release(f);
}

static int
spin_for_ever(cop_bytes arg, void *result)
{
    (void)arg;
    for (running++; running;) {
        *(volatile int *)result += 1; /* it may write there after the future is released */
    }
    return 0;
}

TEST(a_task_that_reaches_no_exit_point_is_a_rejection_when_it_is_disowned)
{
    test_leaves_things_behind(); /* its thread, and its block of memory */
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    cop_future *f = cop_async(spin_for_ever, .result_size = 4);
    EVENTUALLY(running == 1);
    cop_exit_signal(cop_future_pid(f), COP_REASON_KILLED);
    int n;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), -ECANCELED);
    release(f);
}

TEST(a_result_of_any_size_is_copied_and_may_be_the_memory_of_the_task)
{
    cop_future *f = cop_async(say_hello, .result_size = COP_ANY);
    cop_bytes words;
    ck_assert_int_eq(cop_await_bytes(f, &words, SOON), 0);
    ck_assert_uint_eq(words.size, 6);
    ck_assert_str_eq(words.data, "hello");
    char copy[6], wrong[5];
    ck_assert_int_eq(cop_await(f, copy, sizeof copy, SOON), 0);
    ck_assert_int_eq(cop_await(f, wrong, sizeof wrong, SOON), -EMSGSIZE);
    release(f);
}

TEST(a_result_that_owns_memory_is_dropped_once_with_the_last_handle)
{
    cop_future *f = cop_async(give_words, .result_size = COP_ANY, .drop = drop_words);
    cop_future *g = cop_async(give_pointer, .result_size = sizeof(char *), .drop = drop_pointer);
    cop_bytes words;
    char *pointer;
    ck_assert_int_eq(cop_await_bytes(f, &words, SOON), 0);
    ck_assert_int_eq(cop_await(g, COP_OUT(pointer), SOON), 0);
    ck_assert_str_eq(words.data, "owned");
    ck_assert_str_eq(pointer, "owned");
    release(cop_future_retain(f));
    ck_assert_int_eq(drops, 0);
    release(f);
    release(g);
    EVENTUALLY(drops == 2); /* the task's own hold may be the last */
}

TEST(a_result_that_nobody_waited_for_is_dropped_once)
{
    release(cop_async(give_words, .result_size = COP_ANY, .drop = drop_words));
    release(cop_async(give_pointer, .result_size = sizeof(char *), .drop = drop_pointer));
    EVENTUALLY(drops == 2);
}

TEST(a_task_without_a_result_gets_no_place_for_one)
{
    ANSWER(-EMSGSIZE, 0, cop_async(sleep_until_asked));
}

static int
has_zeroes(cop_bytes arg, void *result)
{
    const char *bytes = result;
    for (int i = 0; i < 1000; i++) {
        cop_assert(bytes[i] == 0);
    }
    cop_assert((uintptr_t)result % _Alignof(max_align_t) == 0);
    cop_assert(arg.size == 3 && memcmp(arg.data, "abc", 3) == 0);
    return 0;
}

TEST(the_place_for_a_result_is_zeroed_and_the_argument_is_a_copy)
{
    char arg[3] = "abc", out[1000];
    cop_future *f = cop_async(has_zeroes, .arg = {arg, 3}, .result_size = sizeof out);
    memset(arg, 'x', sizeof arg);
    ck_assert_int_eq(cop_await(f, COP_OUT(out), SOON), 0);
    release(f);
}

/* ---------------------------------------------------------------- waiting */

TEST(an_await_whose_time_is_over_leaves_the_task_alone) /* TSK-008 TSK-019 TSK-021 CB12 */
{
    cop_future *f = cop_async(answer_when_asked, .result_size = 4);
    int n = 0;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), COP_MS(2)), -ETIMEDOUT);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), 0), -ETIMEDOUT);
    ck_assert(cop_alive(cop_future_pid(f)));
    EVENTUALLY(running == 1);
    cop_exit_signal(cop_future_pid(f), COP_REASON_SHUTDOWN);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), 0);
    ck_assert_int_eq(n, 7);
    release(f);
}

TEST(several_results_are_in_the_order_of_the_tasks) /* TSK-015 CB01 */
{
    cop_future *fs[50];
    int out[50];
    for (int i = 0; i < 50; i++) {
        fs[i] = cop_async(twice, .arg = COP_BYTES(i), .result_size = sizeof i);
    }
    ck_assert_int_eq(cop_await_all(fs, 50, out, sizeof out[0], SOON), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(out[i], 2 * i);
        release(fs[i]);
    }
    ck_assert_int_eq(cop_await_all(NULL, 0, NULL, 4, 0), 0);
}

TEST(one_time_counts_for_all_of_several) /* TSK-017 */
{
    int arg = 1, out[2] = {9, 9};
    cop_future *fs[] = {cop_async(twice, .arg = COP_BYTES(arg), .result_size = 4),
                        cop_async(answer_when_asked, .result_size = 4)};
    ck_assert_int_eq(cop_await_all(fs, 2, out, 4, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(out[0], 9);
    ck_assert_int_eq(cop_task_shutdown(fs[1], SOON), 0);
    release(fs[0]);
    release(fs[1]);
}

TEST(of_several_each_outcome_is_told_in_its_place) /* TSK-022 CB03 */
{
    int one = 1, denied = -EACCES, out[3] = {0}, status[3];
    cop_future *fs[] = {cop_async(twice, .arg = COP_BYTES(one), .result_size = 4),
                        cop_async(answer_when_asked, .result_size = 4),
                        cop_async(fail_with, .arg = COP_BYTES(denied), .result_size = 4)};
    EVENTUALLY(cop_future_state(fs[0], NULL) != -EINPROGRESS
               && cop_future_state(fs[2], NULL) != -EINPROGRESS);
    ck_assert_int_eq(cop_await_settled(fs, 3, out, 4, status, COP_MS(2)), -ETIMEDOUT);
    ck_assert_int_eq(status[0], 0);
    ck_assert_int_eq(status[1], -EINPROGRESS);
    ck_assert_int_eq(status[2], -EACCES);
    ck_assert_int_eq(out[0], 2);
    EVENTUALLY(running == 1);
    cop_exit_signal(cop_future_pid(fs[1]), COP_REASON_SHUTDOWN);
    ck_assert_int_eq(cop_await_settled(fs, 3, out, 4, status, COP_FOREVER), 0);
    ck_assert_int_eq(status[1], 0);
    ck_assert_int_eq(out[1], 7);
    for (int i = 0; i < 3; i++) {
        release(fs[i]);
    }
}

TEST(of_several_some_outcomes_may_be_enough) /* TSK-023 */
{
    int one = 1, out[3], status[3];
    cop_future *fs[] = {cop_async(answer_when_asked, .result_size = 4),
                        cop_async(twice, .arg = COP_BYTES(one), .result_size = 4),
                        cop_async(answer_when_asked, .result_size = 4)};
    ck_assert_int_eq(cop_await_some(fs, 3, 1, out, 4, status, SOON), 0);
    ck_assert_int_eq(status[0], -EINPROGRESS);
    ck_assert_int_eq(status[1], 0);
    ck_assert_int_eq(out[1], 2);
    ck_assert_int_eq(cop_await_some(fs, 3, 0, out, 4, status, 0), 0);
    ck_assert_int_eq(cop_await_some(fs, 3, 2, out, 4, status, COP_MS(2)), -ETIMEDOUT);
    EVENTUALLY(running == 2);
    ck_assert_int_eq(cop_task_shutdown(fs[0], SOON), 0); /* what is to become of the rest */
    ck_assert_int_eq(cop_await_some(fs, 3, 2, out, 4, status, 0), 0);
    ck_assert_int_eq(out[0], 7);
    ck_assert_int_eq(status[2], -EINPROGRESS);
    ck_assert_int_eq(cop_task_shutdown(fs[2], SOON), 0);
    ck_assert_int_eq(cop_await_some(fs, 3, 99, out, 4, status, SOON), 0); /* all there are */
    for (int i = 0; i < 3; i++) {
        release(fs[i]);
    }
}

TEST(a_settling_may_come_as_a_message_and_before_the_down) /* TSK-002 */
{
    cop_future *f = cop_async(answer_when_asked, .result_size = 4);
    EVENTUALLY(running == 1);
    cop_ref ref = cop_future_notify(f, 77);
    cop_ref monitor = cop_monitor(cop_future_pid(f));
    cop_exit_signal(cop_future_pid(f), COP_REASON_SHUTDOWN);
    cop_msg msg = test_receive(77);
    const struct cop_settled *settled = COP_BODY(msg, struct cop_settled);
    ck_assert_uint_eq(settled->ref.id, ref.id);
    ck_assert_int_eq(settled->code, 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    release(f);
}

static _Atomic(cop_future *) own;

static int
await_oneself(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    EVENTUALLY(own);
    int r = cop_await(own, NULL, 0, SOON);
    cop_future *both[] = {own};
    return r == -EDEADLK ? cop_await_all(both, 1, NULL, 0, SOON) : -ENOTRECOVERABLE;
}

TEST(a_task_that_awaits_itself_is_refused)
{
    own = cop_async(await_oneself);
    ck_assert_int_eq(cop_await(own, NULL, 0, SOON), -EDEADLK);
    release(own);
}

/* ---------------------------------------------------------------- links */

static cop_future *linked;

static int
start_linked(cop_bytes arg)
{
    linked = cop_async(fail_with, .arg = arg, .link = true);
    return cop_sleep(COP_FOREVER);
}

TEST(a_crash_of_a_linked_task_is_a_crash_of_the_caller) /* TSK-001 */
{
    cop_pid pid;
    cop_ref monitor;
    int code = -EIO;
    cop_spawn(&pid, start_linked, .arg = COP_BYTES(code), .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    release(linked);
}

static int
start_unlinked(cop_bytes arg)
{
    int code = -EIO;
    (void)arg;
    linked = cop_async(fail_with, .arg = COP_BYTES(code));
    return cop_await(linked, NULL, 0, SOON) == -EIO ? 0 : -EINVAL;
}

TEST(a_crash_of_a_task_without_a_link_is_the_affair_of_who_awaits_it) /* TSK-003 */
{
    cop_pid pid;
    cop_ref monitor;
    cop_spawn(&pid, start_unlinked, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    release(linked);
}

static int
start_and_end(cop_bytes arg)
{
    bool link = *(const bool *)arg.data;
    linked = cop_async(sleep_until_asked, .link = link);
    EVENTUALLY(running == 1);
    cop_exit(cop_failed(-EIO, NULL));
}

TEST(a_linked_task_ends_with_its_caller_and_another_does_not) /* TSK-003 */
{
    for (int link = 0; link < 2; link++) {
        cop_pid pid;
        cop_ref monitor;
        bool is_linked = link;
        running = 0;
        cop_spawn(&pid, start_and_end, .arg = COP_BYTES(is_linked), .monitor = &monitor);
        test_down(monitor);
        if (is_linked) {
            ck_assert_int_eq(cop_await(linked, NULL, 0, SOON), -EIO);
        } else {
            ck_assert_int_eq(cop_await(linked, NULL, 0, COP_MS(2)), -ETIMEDOUT);
            ck_assert_int_eq(cop_task_shutdown(linked, SOON), -ECANCELED);
        }
        release(linked);
    }
}

static int
must_await(cop_bytes arg)
{
    int n;
    cop_must_await(*(cop_future *const *)arg.data, COP_OUT(n));
    return 0;
}

TEST(a_failure_of_what_must_be_awaited_is_a_crash)
{
    int code = -EACCES;
    cop_future *f = cop_async(fail_with, .arg = COP_BYTES(code), .result_size = 4);
    cop_ref monitor;
    cop_spawn(NULL, must_await, .arg = COP_BYTES(f), .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).code, -EACCES);
    release(f);
}

/* ---------------------------------------------------------------- stopping */

TEST(what_is_no_task_cannot_be_shut_down)
{
    cop_future *f;
    cop_resolver *resolver;
    ck_assert_int_eq(cop_promise_new(&f, &resolver, 4), 0);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -EINVAL);
    cop_resolver_free(resolver);
    release(f);
}

TEST(a_task_that_is_shut_down_ends_as_it_is_asked) /* TSK-024 */
{
    cop_trap_exits(true);
    cop_future *f = cop_async(sleep_until_asked, .link = true);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    ck_assert(!cop_alive(cop_future_pid(f)));
    ck_assert_int_eq(ended, 1);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(1)), -ETIMEDOUT); /* its link is gone */
    cop_trap_exits(false);
    release(f);
}

TEST(a_task_that_is_shut_down_may_still_answer) /* TSK-025 */
{
    cop_future *f = cop_async(answer_when_asked, .result_size = 4);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), 0);
    int n = 0;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), 0), 0);
    ck_assert_int_eq(n, 7);
    ck_assert_int_eq(cop_task_shutdown(f, COP_BRUTAL_KILL), 0); /* it was there */
    release(f);
}

static int
shut_oneself_down(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    EVENTUALLY(own);
    int r = cop_task_shutdown(own, SOON);
    return r == -EDEADLK ? cop_sleep(COP_US(1)) : -ENOTRECOVERABLE; /* it was not asked to stop */
}

TEST(a_task_that_shuts_itself_down_is_refused_and_goes_on)
{
    own = cop_async(shut_oneself_down);
    ck_assert_int_eq(cop_await(own, NULL, 0, SOON), 0);
    release(own);
}

TEST(a_task_that_had_ended_by_itself_says_how_when_it_is_shut_down) /* TSK-026 */
{
    cop_reason reasons[] = {COP_REASON_NORMAL, cop_failed(-EIO, "lost")};
    int codes[] = {-EPIPE, -EIO};
    for (int i = 0; i < 2; i++) {
        cop_future *f = cop_async(exit_with, .arg = COP_BYTES(reasons[i]));
        cop_await(f, NULL, 0, SOON);
        ck_assert_int_eq(cop_task_shutdown(f, i ? SOON : COP_BRUTAL_KILL), codes[i]);
        release(f);
    }
    cop_future *f = cop_async(sleep_until_asked);
    cop_exit_signal(cop_future_pid(f), COP_REASON_KILLED);
    cop_await(f, NULL, 0, SOON);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    ck_assert_int_eq(cop_why().kind, COP_KILLED);
    release(f);
}

TEST(a_task_that_does_not_care_is_killed_after_its_time) /* TSK-024 */
{
    cop_future *f = cop_async(never_ends);
    EVENTUALLY(running == 1);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_task_shutdown(f, COP_MS(10)), -ECANCELED);
    ck_assert_int_ge(cop_now() - before, COP_MS(10));
    ck_assert_int_eq(cop_why().kind, COP_KILLED);
    release(f);
    f = cop_async(never_ends);
    ck_assert_int_eq(cop_task_shutdown(f, COP_BRUTAL_KILL), -ECANCELED);
    release(f);
}

TEST(a_task_that_could_not_start_is_shut_down_with_its_reason) /* TSK-030 */
{
    cop_future *f = cop_async_with(NULL, NULL);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -EINVAL);
    release(f);
}

TEST(a_task_that_is_given_up_goes_on_and_tells_nobody) /* TSK-031 */
{
    int code = -EIO;
    release(cop_async(answer_when_asked, .name = "given_up", .result_size = 4));
    release(cop_async(fail_with, .arg = COP_BYTES(code)));
    EVENTUALLY(running == 1);
    cop_pid pid = cop_whereis("given_up");
    ck_assert(cop_alive(pid));
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    EVENTUALLY(!cop_alive(pid));
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

/* ---------------------------------------------------------------- cancelling */

TEST(a_cancelled_task_sees_it_and_the_future_says_why)
{
    cop_future *f = cop_async(sleep_until_asked);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "not needed")), 0);
    cop_future_cancel(f, cop_failed(-EIO, "twice")); /* it may have ended by now */
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ECANCELED);
    cop_reason why;
    cop_future_state(f, &why);
    ck_assert_str_eq(why.text, "not needed");
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "late")), -EALREADY);
    release(f);
}

TEST(what_a_cancelled_task_returns_is_dropped_once) /* PA45 */
{
    cop_future *f =
        cop_async(answer_after_cancel, .result_size = sizeof(char *), .drop = drop_pointer);
    EVENTUALLY(running == 1);
    cop_future_cancel(f, cop_failed(-ECANCELED, NULL));
    char *words;
    ck_assert_int_eq(cop_await(f, COP_OUT(words), SOON), -ECANCELED);
    ck_assert_int_eq(drops, 1);
    release(f);
    ck_assert_int_eq(drops, 1);
}

static int
start_another(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    linked = cop_async(sleep_until_asked);
    return cop_sleep(COP_FOREVER);
}

TEST(what_a_cancelled_task_has_started_is_cancelled_with_it)
{
    cop_future *f = cop_async(start_another);
    EVENTUALLY(running == 1);
    cop_future_cancel(f, cop_failed(-EIO, "all of it"));
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(cop_await(linked, NULL, 0, SOON), -ECANCELED);
    cop_reason why;
    cop_future_state(linked, &why);
    ck_assert_str_eq(why.text, "all of it");
    release(f);
    release(linked);
}

TEST(a_task_runs_in_the_context_of_who_started_it)
{
    cop_context *context = cop_context_new(COP_MS(10));
    cop_context_enter(context);
    cop_future *f = cop_async(sleep_until_asked);
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -ETIMEDOUT);
    release(f);
}

/* ---------------------------------------------------------------- many */

TEST(many_tasks_at_once_settle_each_its_own_future)
{
    enum {
        MANY = 1000
    };
    static cop_future *fs[MANY];
    static int out[MANY];
    for (int i = 0; i < MANY; i++) {
        fs[i] = cop_async(twice, .arg = COP_BYTES(i), .result_size = sizeof i);
    }
    ck_assert_int_eq(cop_await_all(fs, MANY, out, sizeof out[0], SOON), 0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(out[i], 2 * i);
        release(fs[i]);
    }
}

SUITE("task")
