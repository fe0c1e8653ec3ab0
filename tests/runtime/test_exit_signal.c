/*
 * tests/runtime/test_exit_signal.c - a reason that one process sends another, and what it does there.
 *
 * Room: tests/. Case ids (LNK-003) are those of the conformance list.
 */
#include "tests/runtime/blocking.h"
#include "tests/runtime/partners.h"

#include <unistd.h>

TEST(a_signal_to_a_process_that_is_gone_is_no_error)
{
    ck_assert_int_eq(cop_exit_signal(test_start_dead(), crash()), 0);
    ck_assert_int_eq(cop_exit_signal(test_start_dead(), COP_REASON_KILLED), 0);
}

/* ---------------------------------------------------------------- what it does */

TEST(an_exit_signal_NORMAL_is_ignored) /* LNK-003 */
{
    cop_pid pid = start_waiting(NULL);
    cop_process_info info;
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_NORMAL), 0);
    cop_send(pid, COP_TAG(GO));
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.messages_handled == 1);
    ck_assert(cop_alive(pid));
}

TEST(a_process_that_traps_exits_gets_NORMAL_as_a_message)
{
    cop_pid pid = start_partner(COP_NOBODY, true, NULL);
    cop_exit_signal(pid, COP_REASON_NORMAL);
    struct cop_exited exited = told();
    ck_assert(cop_pid_eq(exited.pid, cop_self()));
    ck_assert_int_eq(exited.reason.kind, COP_NORMAL);
    kill_all();
}

TEST(an_exit_signal_ends_a_process_with_exactly_that_reason) /* LNK-006, LNK-016 */
{
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    cop_reason large = cop_failed(42, "%0247d", 5);
    cop_exit_signal(pid, large);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, large.kind);
    ck_assert_int_eq(reason.code, large.code);
    ck_assert_str_eq(reason.text, large.text);
}

TEST(an_exit_signal_reaches_the_holder_of_a_name)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .name = "target", .monitor = &monitor), 0);
    ck_assert_int_eq(cop_exit_signal(cop_named("target"), crash()), 0);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

static int
signal_oneself_and_trap(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_trap_exits(true);
    cop_exit_signal(cop_self(), crash());
    int r = cop_receive(&msg, 0);
    return r ? r : msg.tag == COP_MSG_EXIT ? 0 : -EINVAL;
}

TEST(who_traps_exits_and_signals_himself_gets_the_message) /* LNK-007 */
{
    ck_assert_int_eq(end_of(signal_oneself_and_trap).kind, COP_NORMAL);
}

static _Atomic bool came_through;

static int
signal_oneself(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_exit_signal(cop_self(), crash());
    atomic_store(&came_through, true);
    cop_receive(&msg, 0);
    return 0;
}

TEST(a_signal_to_oneself_acts_at_the_next_receive) /* LNK-008 */
{
    ck_assert_int_eq(end_of(signal_oneself).code, -EIO);
    ck_assert(atomic_load(&came_through));
}

static int
signal_oneself_twice(cop_bytes arg)
{
    (void)arg;
    cop_exit_signal(cop_self(), cop_failed(-EIO, "first"));
    cop_exit_signal(cop_self(), cop_failed(-ENOSPC, "second"));
    cop_exit_signal(cop_self(), COP_REASON_KILLED);
    cop_checkpoint();
    return 0;
}

TEST(of_two_exit_signals_the_first_decides) /* LNK-009 */
{
    ck_assert_str_eq(end_of(signal_oneself_twice).text, "first");
}

TEST(a_kill_cannot_be_trapped) /* LNK-010 */
{
    cop_ref monitor;
    cop_pid pid = start_partner(COP_NOBODY, true, &monitor);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
}

TEST(the_links_of_a_killed_process_get_an_ordinary_reason) /* LNK-010 */
{
    cop_ref monitor;
    cop_pid pid = start_waiting(NULL);
    start_partner(pid, true, NULL);
    start_partner(pid, false, &monitor);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(told().reason.kind, COP_KILLED); /* trapped */
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    kill_all();
}

static _Atomic bool go;

static int
time_out_with_a_signal_waiting(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (!atomic_load(&go)) {
        usleep(100);
    }
    cop_receive(&msg, COP_US(1));
    return 0;
}

TEST(an_exit_signal_wins_over_a_timeout) /* LNK-017 */
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, time_out_with_a_signal_waiting, .monitor = &monitor), 0);
    cop_exit_signal(pid, crash());
    atomic_store(&go, true);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

static _Atomic unsigned handled;

/* Has taken in all of its messages when it handles the first. */
static int
handle_slowly(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (!atomic_load(&go)) {
        usleep(100);
    }
    while (cop_receive(&msg, COP_FOREVER) == 0) {
        if (atomic_fetch_add(&handled, 1) == 0) {
            cop_process_info info;
            cop_pid self = cop_self();
            do {
                usleep(100);
                cop_inspect(self, &info);
            } while (info.mailbox < 3); /* two messages, and what comes behind them */
        }
    }
    return -ECANCELED;
}

static cop_pid
start_slow(cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, handle_slowly, .monitor = monitor), 0);
    for (int i = 0; i < 3; i++) {
        cop_send(pid, COP_TAG(GO));
    }
    atomic_store(&go, true);
    EVENTUALLY(atomic_load(&handled) == 1);
    return pid;
}

TEST(an_exit_signal_acts_before_messages_that_wait)
{
    cop_ref monitor;
    cop_pid pid = start_slow(&monitor);
    cop_exit_signal(pid, crash());
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert_uint_eq(atomic_load(&handled), 1);
}

TEST(a_links_signal_acts_before_messages_that_wait)
{
    cop_ref monitor;
    cop_pid pid = start_slow(&monitor);
    cop_pid partner = start_partner(pid, false, NULL);
    cop_exit_signal(partner, crash());
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert_uint_eq(atomic_load(&handled), 1);
}

/* ---------------------------------------------------------------- SHUTDOWN asks */

struct blocking {
    enum call call;
    int code; /* what it then returns; 1: what the call returned */
};
static _Atomic int returned;

static int
be_blocked(cop_bytes arg)
{
    const struct blocking *blocking = arg.data;
    int r = block_in(blocking->call);
    atomic_store(&returned, r);
    return blocking->code == 1 ? r : blocking->code;
}

static cop_reason
ask_to_stop(enum call call, int code)
{
    cop_pid pid;
    cop_ref monitor;
    struct blocking blocking = {call, code};
    atomic_store(&returned, 1);
    ck_assert_int_eq(cop_spawn(&pid, be_blocked, .arg = COP_BYTES(blocking), .monitor = &monitor),
                     0);
    cop_reason reason = {.kind = COP_SHUTDOWN, .text = "{shutdown,test}"};
    ck_assert_int_eq(cop_exit_signal(pid, reason), 0);
    return test_down(monitor);
}

TEST_TIMES(CALLS, a_process_that_is_asked_to_stop_gets_ECANCELED_from_every_blocking_call)
{
    start_what_blocks();
    ck_assert_int_eq(ask_to_stop((enum call)_i, 1).kind, COP_SHUTDOWN);
    ck_assert_int_eq(atomic_load(&returned), -ECANCELED);
    end_what_blocks();
    kill_all();
}

TEST_TIMES(CALLS, a_process_that_is_killed_returns_from_no_blocking_call)
{
    start_what_blocks();
    for (int i = 0; i < 20; i++) {
        cop_pid pid;
        cop_ref monitor;
        struct blocking blocking = {(enum call)_i, 1};
        atomic_store(&returned, 1);
        ck_assert_int_eq(
            cop_spawn(&pid, be_blocked, .arg = COP_BYTES(blocking), .monitor = &monitor), 0);
        cop_sleep(COP_US((cop_time)i * 50));
        cop_exit_signal(pid, COP_REASON_KILLED);
        ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
        ck_assert_int_eq(atomic_load(&returned), 1);
    }
    end_what_blocks();
    kill_all();
}

TEST(zero_after_having_been_asked_counts_as_SHUTDOWN_with_its_text)
{
    cop_reason reason = ask_to_stop(SLEEP, 0);
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    ck_assert_str_eq(reason.text, "{shutdown,test}");
}

TEST(another_code_after_having_been_asked_is_a_crash)
{
    cop_reason reason = ask_to_stop(SLEEP, -ENOSPC);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ENOSPC);
}

static int
see_why(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_exit_signal(cop_self(), (cop_reason){.kind = COP_SHUTDOWN, .text = "cause"});
    int r = cop_receive(&msg, COP_FOREVER);
    cop_reason why = cop_why();
    return r == -ECANCELED && why.kind == COP_SHUTDOWN && strcmp(why.text, "cause") == 0 ? 0
                                                                                         : -EINVAL;
}

TEST(who_is_asked_to_stop_finds_the_reason_in_cop_why)
{
    ck_assert_int_eq(end_of(see_why).kind, COP_SHUTDOWN);
}

static int
read_on(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_send(cop_self(), COP_TAG(GO));
    cop_exit_signal(cop_self(), COP_REASON_SHUTDOWN);
    int first = cop_receive(&msg, COP_SEC(1)), second = cop_receive(&msg, 0),
        third = cop_receive(&msg, 0);
    return first == -ECANCELED && second == 0 && third != 0 ? 0 : -EINVAL;
}

TEST(who_is_asked_to_stop_still_takes_what_is_there_with_a_timeout_of_0)
{
    ck_assert_int_eq(end_of(read_on).kind, COP_SHUTDOWN);
}

TEST(who_traps_exits_is_not_asked_but_told)
{
    cop_pid pid = start_partner(COP_NOBODY, true, NULL);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(told().reason.kind, COP_SHUTDOWN);
    cop_process_info info;
    cop_send(pid, COP_TAG(GO));
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.messages_handled == 2);
    kill_all();
}

SUITE("exit_signal")
