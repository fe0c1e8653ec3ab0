/*
 * tests/runtime/test_timer_send.c - messages and exit signals that come later: what is refused, at which time,
 * with which reference, cancelled and read.
 *
 * Room: tests/. Case ids (TMR-001) are those of the conformance list. Time is checked from below only.
 */
#include "runtime/alloc.h"
#include "tests/runtime/later.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what is refused */

TEST(negative_times_and_reserved_tags_are_refused) /* TMR-012 */
{
    ck_assert_uint_eq(cop_send_after(cop_self(), moved(), -1).id, 0);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_uint_eq(cop_send_after(cop_self(), moved(), INT64_MIN).id, 0);
    ck_assert_uint_eq(cop_send_after(cop_self(), COP_TAG(COP_MSG_DOWN), 1).id, 0);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_uint_eq(atomic_load(&dropped), 0); /* still the sender's */
}

TEST(no_kind_of_timer_has_a_negative_time_or_a_reserved_tag) /* TMR-012 */
{
    const cop_time none[] = {-1, INT64_MIN};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(cop_send_at(cop_self(), moved(), none[i]).id, 0);
        ck_assert_int_eq(cop_why().code, -EINVAL);
        ck_assert_uint_eq(cop_start_timer(cop_self(), TICK, none[i]).id, 0);
        ck_assert_int_eq(cop_why().code, -EINVAL);
        ck_assert_uint_eq(cop_exit_after(cop_self(), COP_REASON_KILLED, none[i]).id, 0);
        ck_assert_int_eq(cop_why().code, -EINVAL);
    }
    ck_assert_uint_eq(cop_start_timer(cop_self(), COP_MSG_RESERVED, 0).id, 0);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_uint_eq(atomic_load(&dropped), 0);
}

static int
try_to_set(void *timer)
{
    *(cop_ref *)timer = cop_send_after(cop_self(), moved(), COP_SEC(3600));
    return ((cop_ref *)timer)->id ? 0 : cop_why().code;
}

TEST(without_memory_no_timer_is_set_and_the_body_stays_the_senders)
{
    cop_ref timer;
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(try_to_set, &timer, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(atomic_load(&dropped), 0);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    ck_assert_uint_eq(atomic_load(&dropped), 1);
}

static int
try_to_start_one_with_its_reference(void *timer)
{
    *(cop_ref *)timer = cop_start_timer(cop_self(), TICK, COP_SEC(3600));
    return ((cop_ref *)timer)->id ? 0 : cop_why().code;
}

static int
try_to_set_an_exit(void *timer)
{
    *(cop_ref *)timer = cop_exit_after(cop_self(), COP_REASON_KILLED, COP_SEC(3600));
    return ((cop_ref *)timer)->id ? 0 : cop_why().code;
}

TEST_TIMES(2, without_memory_no_kind_of_timer_is_set)
{
    cop_ref timer;
    int r;
    cop_self();
    int (*attempt)(void *arg) = _i == 0 ? try_to_start_one_with_its_reference : try_to_set_an_exit;
    ck_assert_uint_gt(test_out_of_memory(attempt, &timer, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

TEST(what_is_no_timer_can_neither_be_cancelled_nor_read) /* TMR-007, TMR-022 */
{
    cop_time left = 17;
    cop_ref monitor, timer = set(COP_SEC(3600));
    start_waiting(&monitor);
    const cop_ref none[] = {{0}, {1}, {UINT64_MAX}, {timer.id + 1}, monitor};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_int_eq(cop_cancel_timer(none[i], &left), -ENOENT);
        ck_assert_int_eq(cop_why().code, -ENOENT);
        ck_assert_int_eq(cop_read_timer(none[i], &left), -ENOENT);
        ck_assert_int_eq(left, 17);
    }
    ck_assert_int_eq(cop_read_timer(timer, &left), 0);
}

TEST(a_timer_cannot_be_cancelled_twice) /* TMR-007 */
{
    cop_time left;
    cop_ref timer = set(COP_SEC(3600));
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), -ENOENT);
    ck_assert_int_eq(cop_read_timer(timer, &left), -ENOENT);
}

TEST(a_timer_that_has_fired_cannot_be_cancelled_and_its_message_is_not_lost) /* TMR-007 */
{
    cop_time left;
    cop_ref timer = set(0);
    EVENTUALLY(cop_read_timer(timer, &left) == -ENOENT);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), -ENOENT);
    test_receive(TICK);
}

TEST(a_used_up_reference_does_not_name_the_next_timer)
{
    cop_ref old = set(COP_SEC(3600));
    cop_cancel_timer(old, NULL);
    for (int i = 0; i < 100; i++) {
        cop_ref timer = set(COP_SEC(3600));
        ck_assert_int_eq(cop_cancel_timer(old, NULL), -ENOENT);
        ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    }
}

TEST(a_reference_from_before_a_shutdown_does_not_name_a_timer_from_after_it)
{
    cop_time left;
    cop_ref old = set(COP_SEC(3600));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    cop_ref timer = set(COP_SEC(3600));
    ck_assert_int_eq(cop_cancel_timer(old, NULL), -ENOENT);
    ck_assert_int_eq(cop_read_timer(timer, &left), 0);
}

/* ---------------------------------------------------------------- at a time, with a reference */

TEST(a_message_comes_when_the_clock_reaches_its_time) /* TMR-005 */
{
    cop_time when = cop_now() + COP_MS(200), left;
    cop_ref timer = cop_send_at(cop_self(), COP_TAG(TICK), when);
    ck_assert_int_eq(cop_read_timer(timer, &left), 0);
    ck_assert_int_le(left, COP_MS(200));
    test_receive(TICK);
    ck_assert_int_ge(cop_now(), when);
    ck_assert(!test_has_mail());
}

TEST(a_time_that_has_passed_is_at_once) /* TMR-005 */
{
    ck_assert_uint_ne(cop_send_at(cop_self(), COP_TAG(TICK), 0).id, 0);
    test_receive(TICK);
    ck_assert_uint_ne(cop_send_at(cop_self(), COP_TAG(OTHER), cop_now() - 1).id, 0);
    test_receive(OTHER);
}

TEST(messages_for_one_time_come_in_the_order_in_which_they_were_set) /* TMR-005 */
{
    cop_time when = cop_now() + IN_TIME;
    for (int i = 0; i < 1000; i++) {
        cop_send_at(cop_self(), COP_MSG_OF(TICK, i), when);
    }
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(*COP_BODY(test_receive(TICK), int), i);
    }
}

TEST(a_message_for_a_time_can_be_cancelled) /* TMR-005 */
{
    cop_ref timer = cop_send_at(cop_self(), moved(), cop_now() + COP_SEC(3600));
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    ck_assert_uint_eq(atomic_load(&dropped), 1);
}

TEST(a_timer_can_carry_its_own_reference) /* TMR-004 */
{
    cop_time begun = cop_now();
    for (int i = 0; i < 200; i++) { /* at once, too: the reference is in it before it fires */
        cop_time delay = i == 0 ? COP_MS(20) : 0;
        cop_ref timer = cop_start_timer(cop_self(), TICK, delay);
        ck_assert_uint_ne(timer.id, 0);
        ck_assert_uint_eq(COP_BODY(test_receive(TICK), cop_ref)->id, timer.id);
        ck_assert_int_ge(cop_now() - begun, COP_MS(20));
        ck_assert_int_eq(cop_cancel_timer(timer, NULL), -ENOENT);
    }
}

TEST(a_timer_that_carries_its_reference_can_be_cancelled) /* TMR-004, TMR-006 */
{
    cop_time left;
    cop_ref timer = cop_start_timer(cop_self(), TICK, COP_SEC(3600));
    ck_assert_int_eq(cop_cancel_timer(timer, &left), 0);
    ck_assert_int_gt(left, 0);
}

/* ---------------------------------------------------------------- exit signals */

TEST_TIMES(2, an_exit_signal_can_come_later_to_a_process_or_a_name) /* TMR-020 */
{
    cop_time begun = cop_now();
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    ck_assert_int_eq(cop_register("victim", pid), 0);
    cop_pid to = _i == 0 ? pid : cop_named("victim");
    ck_assert_uint_ne(cop_exit_after(to, cop_failed(-EIO, "late"), COP_MS(20)).id, 0);
    cop_reason reason = test_down(monitor);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "late");
}

static _Atomic bool computing;

static int
neither_wait_nor_listen(cop_bytes arg)
{
    (void)arg;
    cop_trap_exits(true);
    atomic_store(&computing, true);
    while (true) {
        sleep(3600); /* interrupted by what sees to a kill */
        cop_checkpoint();
    }
    return 0;
}

TEST(a_kill_can_come_later_and_is_seen_to) /* TMR-020 */
{
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, neither_wait_nor_listen, .monitor = &monitor), 0);
    EVENTUALLY(atomic_load(&computing));
    ck_assert_uint_ne(cop_exit_after(pid, COP_REASON_KILLED, COP_MS(1)).id, 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
}

static int
hear_of_exits(cop_bytes arg)
{
    cop_msg msg;
    cop_trap_exits(true);
    cop_send(*(const cop_pid *)arg.data, COP_TAG(OTHER));
    int r = cop_receive(&msg, COP_FOREVER);
    cop_assert(r == 0 && msg.tag == COP_MSG_EXIT);
    const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
    cop_assert(cop_pid_eq(exited->pid, *(const cop_pid *)arg.data));
    cop_assert(exited->reason.code == -EIO);
    return 0;
}

TEST(a_later_exit_signal_can_be_trapped_and_comes_from_who_set_it) /* TMR-020 */
{
    cop_ref monitor;
    cop_pid pid, self = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, hear_of_exits, .arg = COP_BYTES(self), .monitor = &monitor),
                     0);
    test_receive(OTHER);
    cop_exit_after(pid, cop_failed(-EIO, NULL), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(a_cancelled_exit_signal_does_not_come) /* TMR-020 */
{
    cop_time left;
    cop_pid pid = start_waiting(NULL);
    cop_ref kill = cop_exit_after(pid, COP_REASON_KILLED, IN_TIME);
    cop_ref later = cop_send_after(cop_self(), COP_TAG(TICK), IN_TIME + COP_MS(20));
    (void)later;
    ck_assert_int_eq(cop_read_timer(kill, &left), 0);
    ck_assert_int_eq(cop_cancel_timer(kill, NULL), 0);
    test_receive(TICK);
    ck_assert(cop_alive(pid));
}

TEST(an_exit_signal_to_a_name_that_nobody_has_is_lost) /* TMR-020 */
{
    cop_time left;
    cop_ref kill = cop_exit_after(cop_named("nobody"), COP_REASON_KILLED, 0);
    ck_assert_uint_ne(kill.id, 0);
    EVENTUALLY(cop_read_timer(kill, &left) == -ENOENT);
}

TEST(every_kind_of_timer_is_cancelled_when_its_receiver_ends)
{
    cop_ref monitor;
    cop_time left;
    cop_pid pid = start_waiting(&monitor);
    cop_ref set_for_it[] = {
        cop_send_at(pid, moved(), cop_now() + COP_SEC(3600)),
        cop_start_timer(pid, TICK, COP_SEC(3600)),
        cop_exit_after(pid, COP_REASON_KILLED, COP_SEC(3600)),
        cop_send_interval(pid, COP_TAG(TICK), COP_SEC(3600)),
    };
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_uint_eq(atomic_load(&dropped), 1);
    for (size_t i = 0; i < sizeof set_for_it / sizeof *set_for_it; i++) {
        ck_assert_uint_ne(set_for_it[i].id, 0);
        ck_assert_int_eq(cop_read_timer(set_for_it[i], &left), -ENOENT);
    }
}

/* ---------------------------------------------------------------- cancelling and reading */

TEST(cancel_gives_the_time_left_and_the_message_never_comes) /* TMR-006 */
{
    cop_time left = -1;
    cop_ref timer = set(IN_TIME), later = set(IN_TIME + COP_MS(20));
    (void)later;
    ck_assert_int_eq(cop_cancel_timer(timer, &left), 0);
    ck_assert_int_ge(left, 0);
    ck_assert_int_le(left, IN_TIME);
    test_receive(TICK); /* the later one, and no other */
    ck_assert(!test_has_mail());
}

TEST(the_result_of_cancel_need_not_be_wanted) /* TMR-009 */
{
    ck_assert_int_eq(cop_cancel_timer(set(COP_SEC(3600)), NULL), 0);
}

TEST(a_cancelled_moved_body_is_dropped_once)
{
    cop_ref timer = cop_send_after(cop_self(), moved(), COP_SEC(3600));
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    ck_assert_uint_eq(atomic_load(&dropped), 1);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), -ENOENT);
    ck_assert_uint_eq(atomic_load(&dropped), 1);
}

TEST(reading_a_timer_does_not_disturb_it) /* TMR-008 */
{
    cop_time first, second, third;
    cop_ref timer = set(COP_SEC(3600));
    ck_assert_int_eq(cop_read_timer(timer, &first), 0);
    ck_assert_int_eq(cop_read_timer(timer, &second), 0);
    ck_assert_int_eq(cop_cancel_timer(timer, &third), 0);
    ck_assert_int_le(first, COP_SEC(3600));
    ck_assert_int_le(second, first);
    ck_assert_int_le(third, second);
    ck_assert_int_gt(third, 0);
}

static int
cancel_anothers(cop_bytes arg)
{
    return cop_cancel_timer(*(const cop_ref *)arg.data, NULL);
}

TEST(a_timer_can_be_cancelled_by_another_process)
{
    cop_ref monitor, timer = set(COP_SEC(3600));
    ck_assert_int_eq(cop_spawn(NULL, cancel_anothers, .arg = COP_BYTES(timer), .monitor = &monitor),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), -ENOENT);
}

TEST(a_timer_is_either_cancelled_or_fires_and_never_both)
{
    unsigned fired = 0;
    for (int i = 0; i < 2000; i++) {
        cop_msg msg;
        cop_ref timer = cop_send_after(cop_self(), moved(), COP_US(i % 40));
        for (volatile int pause = 0; pause < i % 200 * 20; pause++) {
        }
        int r = cop_cancel_timer(timer, NULL);
        if (r == 0) {
            ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
        } else {
            ck_assert_int_eq(r, -ENOENT);
            test_receive(TICK);
            fired++;
        }
        ck_assert(!test_has_mail());
        ck_assert_uint_eq(atomic_load(&dropped), (unsigned)i + 1);
    }
    (void)fired; /* how many of each is the machine's affair */
}

SUITE("timer_send")
