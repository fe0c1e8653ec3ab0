/*
 * tests/runtime/test_exit.c - leaving a process from any depth: cop_exit, deferred calls, the shield.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "tests/support/support.h"

#include <limits.h>

enum {
    GO = 1,
    KEEP,
};

/* ---------------------------------------------------------------- helpers */

/* Marks that calls leave, in order. */
static struct {
    _Atomic unsigned count;
    _Atomic int mark[64];
} seen;

static void
leave(int mark)
{
    unsigned at = atomic_fetch_add(&seen.count, 1);
    ck_assert_uint_lt(at, 64);
    atomic_store(&seen.mark[at], mark);
}

static void
leave_mark(void *mark)
{
    leave(*(int *)mark);
}

static void
check_marks(unsigned count, const int *marks)
{
    ck_assert_uint_eq(atomic_load(&seen.count), count);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(atomic_load(&seen.mark[i]), marks[i]);
    }
}
#define SEEN(...) \
 check_marks(sizeof((const int[]){__VA_ARGS__}) / sizeof(int), (const int[]){__VA_ARGS__})

static int one = 1, two = 2, three = 3;
static _Atomic int result;

static cop_pid
start(cop_process_fn run, cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, run, .monitor = monitor), 0);
    return pid;
}

/* How a process ends that runs this. */
static cop_reason
end_of(cop_process_fn run)
{
    cop_ref monitor;
    start(run, &monitor);
    return test_down(monitor);
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_deferred_call_without_a_function_is_refused)
{
    ck_assert_int_eq(cop_defer(NULL, &one), -EINVAL);
    ck_assert_int_eq(cop_at_exit(NULL, &one), -EINVAL);
}

TEST(to_take_back_what_was_never_deferred_is_an_error)
{
    ck_assert_int_eq(cop_undefer(leave_mark, &one, true), -ENOENT);
    ck_assert_int_eq(cop_defer(leave_mark, &one), 0);
    ck_assert_int_eq(cop_undefer(leave_mark, &two, true), -ENOENT);
    ck_assert_int_eq(cop_undefer(leave_mark, &one, false), 0);
    ck_assert_int_eq(cop_undefer(leave_mark, &one, false), -ENOENT);
    ck_assert_uint_eq(atomic_load(&seen.count), 0);
}

static int
defer_without_memory(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < COPI_DEFERS_INSIDE; i++) {
        cop_defer(leave_mark, &one);
        cop_at_exit(leave_mark, &two);
    }
    copi_alloc_fail_after(0);
    int r = cop_defer(leave_mark, &three), s = cop_at_exit(leave_mark, &three);
    copi_alloc_fail_after(-1);
    return r == -ENOMEM && s == -ENOMEM && cop_why().code == -ENOMEM ? 0 : -EIO;
}

TEST(without_memory_nothing_is_deferred_and_what_was_still_runs)
{
    ck_assert_int_eq(end_of(defer_without_memory).kind, COP_NORMAL);
    SEEN(1, 1, 1, 1, 2, 2, 2, 2);
}

/* ---------------------------------------------------------------- cop_exit */

static void
exit_from_depth(int depth)
{
    volatile char frame[64] = {0};
    if (depth > 0) {
        exit_from_depth(depth - 1);
    } else if (frame[0] == 0) {
        cop_exit(cop_failed(-EXDEV, "%0247d", 7)); /* the longest that fits */
    }
    frame[1] = 1;
}

static int
exit_deep_down(cop_bytes arg)
{
    (void)arg;
    exit_from_depth(50);
    return 0;
}

TEST(cop_exit_ends_the_process_from_any_depth_with_the_whole_reason) /* LNK-016, PRL-006 */
{
    cop_reason reason = end_of(exit_deep_down);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EXDEV);
    ck_assert_uint_eq(strlen(reason.text), 247);
    ck_assert_int_eq(reason.text[246], '7');
}

static int line_of_assertion;

static int
fail_an_assertion(cop_bytes arg)
{
    cop_assert(arg.size == 0);
    line_of_assertion = __LINE__ + 1;
    cop_assert(arg.size == 42);
    return 0;
}

TEST(a_failed_assertion_names_file_line_and_condition)
{
    char expected[248];
    cop_reason reason = end_of(fail_an_assertion);
    (void)snprintf(expected, sizeof expected, "%s:%d: arg.size == 42", __FILE__, line_of_assertion);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ENOTRECOVERABLE);
    ck_assert_str_eq(reason.text, expected);
}

/* ---------------------------------------------------------------- deferred calls */

static int marks[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static int
defer_ten(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        cop_defer(leave_mark, &marks[i]);
    }
    return 0;
}

static int
defer_ten_for_the_end(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        cop_at_exit(leave_mark, &marks[i]);
    }
    cop_exit(COP_REASON_NORMAL);
}

TEST(deferred_calls_run_last_first_however_many)
{
    end_of(defer_ten);
    SEEN(9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

TEST(the_processes_deferred_calls_run_last_first_however_many)
{
    end_of(defer_ten_for_the_end);
    SEEN(9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

struct frame {
    int canary, times_two;
};

static void
use_frame(void *arg)
{
    struct frame *frame = arg;
    frame->times_two = frame->canary * 2;
    leave(frame->times_two);
}

static void
hold_frame(int depth)
{
    struct frame frame = {.canary = depth};
    cop_defer(use_frame, &frame);
    if (depth > 0) {
        hold_frame(depth - 1);
    } else {
        cop_msg msg;
        if (cop_receive(&msg, COP_FOREVER) == 0) {
            cop_exit(COP_REASON_NORMAL);
        }
    }
    ck_assert_int_eq(frame.canary, depth); /* keeps the frame alive */
}

static int
hold_frames(cop_bytes arg)
{
    (void)arg;
    hold_frame(8);
    return 0;
}

TEST(on_an_exit_deferred_calls_may_use_the_frames_below_them)
{
    cop_ref monitor;
    cop_pid pid = start(hold_frames, &monitor);
    cop_send(pid, COP_TAG(GO));
    test_down(monitor);
    SEEN(0, 2, 4, 6, 8, 10, 12, 14, 16);
}

TEST(on_an_exit_signal_deferred_calls_may_use_the_frames_below_them)
{
    cop_ref monitor;
    cop_pid pid = start(hold_frames, &monitor);
    cop_exit_signal(pid, cop_failed(-EIO, NULL));
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    SEEN(0, 2, 4, 6, 8, 10, 12, 14, 16);
}

TEST(on_a_kill_deferred_calls_may_use_the_frames_below_them)
{
    cop_ref monitor;
    cop_pid pid = start(hold_frames, &monitor);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    SEEN(0, 2, 4, 6, 8, 10, 12, 14, 16);
}

static void
defer_more(void *arg)
{
    leave_mark(arg);
    cop_defer(leave_mark, &two);
    cop_at_exit(leave_mark, &three);
}

static int
defer_what_defers(cop_bytes arg)
{
    (void)arg;
    cop_defer(defer_more, &one);
    return 0;
}

TEST(what_a_deferred_call_defers_runs_too)
{
    end_of(defer_what_defers);
    SEEN(1, 2, 3);
}

static void
exit_in_a_deferred_call(void *arg)
{
    leave_mark(arg);
    cop_exit(cop_failed(-ENOSPC, "second thoughts"));
}

static int
defer_an_exit(cop_bytes arg)
{
    (void)arg;
    cop_at_exit(leave_mark, &three);
    cop_at_exit(exit_in_a_deferred_call, &three);
    cop_defer(leave_mark, &two);
    cop_defer(exit_in_a_deferred_call, &two);
    cop_defer(leave_mark, &one);
    cop_exit(cop_failed(-EIO, "first"));
}

TEST(a_deferred_call_that_exits_keeps_no_other_from_running)
{
    ck_assert_str_eq(end_of(defer_an_exit).text, "second thoughts");
    SEEN(1, 2, 2, 3, 3);
}

static int
take_back(cop_bytes arg)
{
    (void)arg;
    int r = 0;
    cop_defer(leave_mark, &one);
    cop_defer(leave_mark, &two);
    cop_defer(leave_mark, &one);
    cop_at_exit(leave_mark, &three);
    r |= cop_undefer(leave_mark, &one, true); /* the newer of the two */
    r |= cop_undefer(leave_mark, &three, true);
    leave(0);
    r |= cop_undefer(leave_mark, &two, false);
    return r;
}

TEST(what_is_taken_back_runs_now_or_never)
{
    ck_assert_int_eq(end_of(take_back).kind, COP_NORMAL);
    SEEN(1, 3, 0, 1);
}

static int
take_back_from_many(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        cop_defer(leave_mark, &marks[i]);
    }
    for (int i = 1; i < 10; i += 2) {
        cop_undefer(leave_mark, &marks[i], false);
    }
    return 0;
}

static atomic_int taken_back;

static void
must_not_run(void *arg)
{
    (void)arg;
    abort();
}

static int
take_back_when_disowned(cop_bytes arg)
{
    int in_this_frame;
    (void)arg;
    cop_defer(must_not_run, &in_this_frame);
    cop_send(cop_named("main"), COP_TAG(1));
    while (cop_alive(cop_self())) { /* a loop that nothing interrupts */
    }
    taken_back = cop_undefer(must_not_run, &in_this_frame, false) == 0 ? 1 : -1;
    return 0;
}

TEST(a_disowned_process_takes_back_what_uses_its_frames)
{
    cop_config config = {.size = sizeof config, .kill_grace = COP_MS(20)};
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_configure(&config), 0);
    test_catch_stderr();
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_spawn(&pid, take_back_when_disowned, .monitor = &monitor), 0);
    test_receive(1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    EVENTUALLY(taken_back != 0);
    ck_assert_int_eq(taken_back, 1);
    EVENTUALLY(cop_disowned() == 0);
    free(test_caught_stderr());
}

TEST(taking_some_back_leaves_the_others_in_order)
{
    end_of(take_back_from_many);
    SEEN(8, 6, 4, 2, 0);
}

static cop_step
defer_in_a_callback(void *state, cop_msg msg)
{
    (void)state;
    leave(10);
    if (msg.tag == GO) {
        cop_defer(leave_mark, &one);
        cop_at_exit(leave_mark, &three);
    }
    leave(11);
    return cop_ok();
}

static const cop_genserver deferring_server = {
    .type = "deferring",
    .handle_info = defer_in_a_callback,
};

TEST(a_deferred_call_runs_when_its_callback_returns_and_not_after_the_next)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &deferring_server, .link = false), 0);
    cop_send(pid, COP_TAG(GO));
    cop_send(pid, COP_TAG(KEEP));
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    SEEN(10, 11, 1, 10, 11, 3);
}

/* ---------------------------------------------------------------- while it is held */

static _Atomic bool ready;

static int
wait_behind_a_shield(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    leave(cop_shield(true));
    leave(cop_shield(true));
    atomic_store(&ready, true);
    for (int r = 0; r == 0;) {
        r = cop_receive(&msg, COP_FOREVER);
        atomic_store(&result, r);
    }
    leave(cop_receive(&msg, COP_FOREVER));
    leave(cop_sleep(COP_FOREVER));
    leave(cop_shield(false));
    leave(100);
    cop_checkpoint();
    leave(101);
    return 0;
}

static void
try_behind_a_shield(cop_reason reason)
{
    cop_ref monitor;
    cop_pid pid = start(wait_behind_a_shield, &monitor);
    EVENTUALLY(atomic_load(&ready));
    cop_exit_signal(pid, reason);
    cop_reason was = test_down(monitor);
    ck_assert_int_eq(was.kind, reason.kind);
    ck_assert_int_eq(atomic_load(&result), -ECANCELED);
    SEEN(0, 1, -ECANCELED, -ECANCELED, 1, 100);
}

TEST(behind_a_shield_an_exit_signal_waits)
{
    try_behind_a_shield(cop_failed(-EIO, NULL));
}

TEST(behind_a_shield_a_kill_waits_and_every_blocking_call_returns_at_once)
{
    try_behind_a_shield(COP_REASON_KILLED);
}

static int
return_behind_a_shield(cop_bytes arg)
{
    (void)arg;
    cop_shield(true);
    cop_exit_signal(cop_self(), cop_failed(-EIO, NULL));
    cop_checkpoint();
    return 0;
}

TEST(who_returns_before_a_held_signal_acts_ends_with_it_all_the_same)
{
    ck_assert_int_eq(end_of(return_behind_a_shield).code, -EIO);
}

static int
fail_behind_a_shield(cop_bytes arg)
{
    (void)arg;
    cop_shield(true);
    cop_exit_signal(cop_self(), COP_REASON_KILLED); /* which nobody takes in */
    return -EIO;
}

TEST(who_is_killed_before_it_fails_was_killed)
{
    ck_assert_int_eq(end_of(fail_behind_a_shield).kind, COP_KILLED);
}

static int
exit_behind_a_shield(cop_bytes arg)
{
    (void)arg;
    cop_shield(true);
    cop_exit(cop_failed(-ENOSPC, NULL));
}

TEST(a_shield_does_not_stop_cop_exit)
{
    ck_assert_int_eq(end_of(exit_behind_a_shield).code, -ENOSPC);
}

static void
wait_for_ever(void *arg)
{
    leave_mark(arg);
    atomic_store(&ready, true);
    leave(cop_sleep(COP_FOREVER));
    cop_checkpoint();
    leave_mark(arg);
}

static int
wait_in_a_deferred_call(cop_bytes arg)
{
    (void)arg;
    cop_defer(wait_for_ever, &one);
    cop_exit(COP_REASON_NORMAL);
}

static int
wait_in_a_deferred_call_of_the_process(cop_bytes arg)
{
    (void)arg;
    cop_at_exit(wait_for_ever, &one);
    cop_exit(COP_REASON_NORMAL);
}

static void
kill_in_a_deferred_call(cop_process_fn run)
{
    cop_ref monitor;
    cop_pid pid = start(run, &monitor);
    EVENTUALLY(atomic_load(&ready));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    SEEN(1, -ECANCELED, 1);
}

TEST(a_kill_waits_for_a_deferred_call_which_cannot_block_any_more)
{
    kill_in_a_deferred_call(wait_in_a_deferred_call);
}

TEST(a_kill_waits_for_a_deferred_call_of_the_process)
{
    kill_in_a_deferred_call(wait_in_a_deferred_call_of_the_process);
}

static int
wait_after_two_signals(cop_bytes arg)
{
    (void)arg;
    cop_at_exit(wait_for_ever, &one);
    cop_shield(true);
    cop_exit_signal(cop_self(), cop_failed(-EIO, NULL));
    cop_exit_signal(cop_self(), COP_REASON_KILLED);
    cop_checkpoint();
    cop_shield(false);
    cop_checkpoint();
    return 0;
}

TEST(a_kill_behind_another_signal_is_a_kill_and_the_first_is_the_reason)
{
    ck_assert_int_eq(end_of(wait_after_two_signals).code, -EIO);
    SEEN(1, -ECANCELED, 1);
}

/* What is asked to stop cleans up: deferred calls are to work as if nobody had asked. */
static void
sleep_a_little(void *unused)
{
    (void)unused;
    leave(cop_sleep(COP_US(10)));
}

static int
clean_up_after_returning(cop_bytes arg)
{
    (void)arg;
    cop_defer(sleep_a_little, NULL);
    cop_at_exit(sleep_a_little, NULL);
    return cop_sleep(COP_FOREVER);
}

static int
clean_up_after_exiting(cop_bytes arg)
{
    (void)arg;
    cop_defer(sleep_a_little, NULL);
    cop_at_exit(sleep_a_little, NULL);
    cop_sleep(COP_FOREVER);
    cop_exit(COP_REASON_SHUTDOWN);
}

static void
ask_to_clean_up(cop_process_fn run)
{
    cop_ref monitor;
    cop_pid pid = start(run, &monitor);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    SEEN(0, 0);
}

TEST(deferred_calls_are_not_cancelled_when_the_function_returns_on_a_shutdown)
{
    ask_to_clean_up(clean_up_after_returning);
}

TEST(deferred_calls_are_not_cancelled_when_the_process_exits_on_a_shutdown)
{
    ask_to_clean_up(clean_up_after_exiting);
}

/* ---------------------------------------------------------------- in functions that it must not leave */

static bool
exit_in_a_predicate(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    cop_exit(cop_failed(-EDOM, "in a predicate"));
}

static int
match_by_exit(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_defer(leave_mark, &one);
    cop_send(cop_self(), COP_TAG(GO));
    cop_receive_match(&msg, exit_in_a_predicate, NULL, 0);
    cop_checkpoint();
    leave(99);
    return 0;
}

TEST(cop_exit_in_a_predicate_takes_effect_at_the_next_exit_point)
{
    ck_assert_str_eq(end_of(match_by_exit).text, "in a predicate");
    SEEN(1);
}

static void
exit_in_a_drop(void *data)
{
    leave_mark(data);
    cop_exit(cop_failed(-EDOM, "in a drop function"));
}

static int
drop_by_exit(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_send(cop_self(), COP_MSG_MOVE(GO, &one, sizeof one, exit_in_a_drop));
    cop_receive(&msg, 0);
    cop_receive(&msg, 0); /* here the first is dropped */
    cop_checkpoint();
    leave(99);
    return 0;
}

static int
drop_by_exit_when_sending(cop_bytes arg)
{
    (void)arg;
    cop_send(COP_NOBODY, COP_MSG_MOVE(GO, &one, sizeof one, exit_in_a_drop));
    leave(2);
    cop_checkpoint();
    leave(99);
    return 0;
}

TEST(cop_exit_in_a_drop_function_takes_effect_at_the_next_exit_point)
{
    ck_assert_str_eq(end_of(drop_by_exit).text, "in a drop function");
    SEEN(1);
}

TEST(cop_exit_in_a_drop_function_does_not_leave_a_call_that_is_no_exit_point)
{
    ck_assert_str_eq(end_of(drop_by_exit_when_sending).text, "in a drop function");
    SEEN(1, 2);
}

static int
drop_by_exit_at_the_end(cop_bytes arg)
{
    (void)arg;
    cop_at_exit(leave_mark, &two);
    cop_send(cop_self(), COP_MSG_MOVE(GO, &one, sizeof one, exit_in_a_drop));
    return 0;
}

TEST(cop_exit_in_a_drop_function_while_the_process_ends_changes_nothing)
{
    ck_assert_int_eq(end_of(drop_by_exit_at_the_end).kind, COP_NORMAL);
    SEEN(2, 1);
}

static void
defer_and_exit(void *mark)
{
    cop_defer(leave_mark, &two);
    leave_mark(mark);
    cop_exit(cop_failed(-EDOM, "in a caught function"));
}

static int
catch_it(cop_bytes arg)
{
    (void)arg;
    cop_reason why;
    cop_defer(leave_mark, &three);
    if (copi_run_caught(copi_here.process, defer_and_exit, &one, &why)) {
        leave(99);
    }
    ck_assert_str_eq(why.text, "in a caught function");
    cop_checkpoint();
    ck_assert(copi_run_caught(copi_here.process, leave_mark, &one, &why));
    ck_assert_int_eq(cop_sleep(COP_MS(1)), 0);
    return 0;
}

TEST(cop_exit_in_a_caught_function_ends_that_function_alone_with_what_it_deferred)
{
    ck_assert_int_eq(end_of(catch_it).kind, COP_NORMAL);
    SEEN(1, 2, 1, 3);
}

static void
leave_by_a_deferred_call(void *arg)
{
    cop_defer(exit_in_a_drop, arg);
}

static int
stay_cancellable(cop_bytes arg)
{
    (void)arg;
    cop_reason why;
    ck_assert(!copi_run_caught(copi_here.process, leave_by_a_deferred_call, &one, &why));
    int r = cop_sleep(COP_FOREVER);
    atomic_store(&result, r);
    return r;
}

TEST(after_a_deferred_call_of_a_caught_function_exits_the_process_can_be_cancelled)
{
    cop_ref monitor;
    cop_pid pid = start(stay_cancellable, &monitor);
    EVENTUALLY(atomic_load(&seen.count) == 1);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    ck_assert_int_eq(atomic_load(&result), -ECANCELED);
}

static void
wait_in_terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    wait_for_ever(&one);
}

static const cop_genserver slow_to_terminate = {
    .type = "slow",
    .terminate = wait_in_terminate,
};

TEST(a_kill_waits_for_terminate_which_cannot_block_any_more)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &slow_to_terminate, .link = false), 0);
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, COP_MS(1)), -ETIMEDOUT);
    EVENTUALLY(atomic_load(&ready));
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    SEEN(1, -ECANCELED, 1);
}

static void
exit_in_terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    leave(1);
    cop_exit(cop_failed(-EDOM, "in terminate"));
}

static const cop_genserver exits_in_terminate = {
    .type = "exits",
    .terminate = exit_in_terminate,
};

TEST(cop_exit_in_terminate_ends_it_and_gives_the_reason)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &exits_in_terminate, .link = false), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), -EDOM);
    ck_assert_str_eq(cop_why().text, "in terminate");
    SEEN(1);
}

SUITE("exit")
