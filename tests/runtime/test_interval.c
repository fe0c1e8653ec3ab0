/*
 * tests/runtime/test_interval.c - a message that is sent again and again.
 *
 * Room: tests/. Case ids are those of the conformance list. Time is checked from below only.
 */
#include "runtime/alloc.h"
#include "runtime/interval.h"
#include "runtime/message.h"
#include "runtime/table.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <unistd.h>

enum {
    TICK = 1,
    OTHER,
};

/* ---------------------------------------------------------------- helpers */

static cop_ref
set(cop_pid to, cop_time period)
{
    cop_ref timer = cop_send_interval(to, COP_TAG(TICK), period);
    ck_assert_uint_ne(timer.id, 0);
    return timer;
}

static bool
is_cancelled(cop_ref timer)
{
    cop_time left;
    return cop_read_timer(timer, &left) == -ENOENT;
}

static size_t
mailbox_of(cop_pid pid)
{
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    return info.mailbox;
}

static struct copi_interval *
new_interval(cop_time period)
{
    struct copi_interval *interval;
    cop_msg msg = COP_TAG(TICK);
    ck_assert_int_eq(copi_interval_new(&interval, &msg, COP_NOBODY, period), 0);
    return interval;
}

/* ---------------------------------------------------------------- what is refused */

static void
must_not_run(void *data)
{
    (void)data;
    abort();
}

TEST(periods_that_are_none_and_messages_that_cannot_be_repeated_are_refused) /* TMR-012, TMR-018 */
{
    static int body;
    const cop_msg refused[] = {
        COP_TAG(COP_MSG_DOWN),
        COP_MSG_MOVE(TICK, &body, sizeof body, must_not_run),
        {.tag = TICK, .body = {NULL, 1}},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_uint_eq(cop_send_interval(cop_self(), refused[i], COP_MS(1)).id, 0);
        ck_assert_int_eq(cop_why().code, -EINVAL);
    }
    const cop_time periods[] = {0, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        ck_assert_uint_eq(cop_send_interval(cop_self(), COP_TAG(TICK), periods[i]).id, 0);
        ck_assert_int_eq(cop_why().code, -EINVAL);
    }
}

static int
try_to_set(void *timer)
{
    *(cop_ref *)timer = cop_send_interval(cop_self(), COP_TAG(TICK), COP_SEC(3600));
    return ((cop_ref *)timer)->id ? 0 : cop_why().code;
}

TEST(without_memory_no_interval_is_set)
{
    cop_ref timer;
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(try_to_set, &timer, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

TEST(without_memory_a_tick_is_left_out_and_the_next_one_comes)
{
    cop_ref timer = set(cop_self(), COP_MS(2));
    test_receive(TICK);
    cop_sleep(COP_MS(10)); /* those that are out are with us */
    copi_alloc_fail_after(0);
    while (test_has_mail()) {
    }
    cop_sleep(COP_MS(10));
    ck_assert(!test_has_mail());
    copi_alloc_fail_after(-1);
    test_receive(TICK);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

static atomic_bool has_no_messages;

struct copi_message *real_lent(enum copi_kind kind, uint32_t tag, struct copi_outside body)
    REAL(copi_message_lent);
struct copi_message *fail_lent(enum copi_kind kind, uint32_t tag, struct copi_outside body)
    WRAP(copi_message_lent);
struct copi_message *
fail_lent(enum copi_kind kind, uint32_t tag, struct copi_outside body)
{
    return has_no_messages ? NULL : real_lent(kind, tag, body);
}

TEST(a_tick_that_no_message_can_carry_is_left_out_and_not_counted)
{
    struct copi_interval *interval = new_interval(1);
    has_no_messages = true;
    for (int i = 0; i < 5; i++) {
        copi_interval_tick(copi_interval_hold(interval), cop_self());
    }
    has_no_messages = false;
    ck_assert(!test_has_mail());
    for (int i = 0; i < 2; i++) { /* as many as may be out */
        copi_interval_tick(copi_interval_hold(interval), cop_self());
    }
    test_receive(TICK);
    test_receive(TICK);
    copi_interval_cancel(interval);
}

TEST(a_message_that_no_memory_could_hold_is_not_repeated)
{
    static char one;
    cop_msg msg = {.tag = TICK, .body = {&one, SIZE_MAX}};
    ck_assert_uint_eq(cop_send_interval(cop_self(), msg, COP_SEC(1)).id, 0);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
}

/* ---------------------------------------------------------------- when it is due */

TEST(the_next_tick_is_a_whole_number_of_periods_later_and_not_yet_over)
{
    struct copi_interval *ten = new_interval(10);
    ck_assert_int_eq(copi_interval_next(ten, 100, 100), 110);
    ck_assert_int_eq(copi_interval_next(ten, 100, 109), 110);
    ck_assert_int_eq(copi_interval_next(ten, 100, 110), 120); /* that one was missed */
    ck_assert_int_eq(copi_interval_next(ten, 100, 1234), 1240);
    ck_assert_int_eq(copi_interval_next(ten, 100, 90), 110);
    copi_interval_cancel(ten);
}

TEST(a_next_tick_that_no_clock_shows_is_never)
{
    struct copi_interval *rare = new_interval(COP_FOREVER - 1);
    ck_assert_int_eq(copi_interval_next(rare, 0, 0), COP_FOREVER - 1);
    ck_assert_int_eq(copi_interval_next(rare, 2, 2), COP_FOREVER);
    copi_interval_cancel(rare);
    ck_assert_int_eq(cop_cancel_timer(set(cop_self(), COP_FOREVER), NULL), 0);
}

/* ---------------------------------------------------------------- ticking */

TEST(ticks_come_again_and_again_and_none_early) /* TMR-018 */
{
    cop_time begun = cop_now(), period = COP_MS(3);
    cop_ref timer = set(cop_self(), period);
    for (int i = 1; i <= 10; i++) {
        cop_msg msg = test_receive(TICK);
        ck_assert_int_ge(cop_now() - begun, i * period);
        ck_assert(cop_pid_eq(msg.from, cop_self()));
        ck_assert_uint_eq(msg.body.size, 0);
    }
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

/* When its next tick is due, to less than a tenth of a millisecond. */
static cop_time
next_tick(cop_ref timer)
{
    cop_time before, after, left;
    do {
        before = cop_now();
        ck_assert_int_eq(cop_read_timer(timer, &left), 0);
        after = cop_now();
    } while (after - before > COP_US(100) || left == 0); /* 0: it is late */
    return before + left;
}

TEST(ticks_do_not_drift)
{
    const cop_time period = COP_MS(5), slack = COP_US(200);
    cop_ref timer = set(cop_self(), period);
    cop_time first = next_tick(timer);
    for (int i = 0; i < 60; i++) {
        test_receive(TICK);
    }
    cop_time off = (next_tick(timer) - first + slack) % period;
    ck_assert_int_le(off, 2 * slack);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

struct shape {
    int number;
    char text[3000];
};

TEST_TIMES(2, each_tick_has_the_message_as_it_was) /* TMR-018 */
{
    static struct shape shape = {.number = 17, .text = "circle"};
    cop_bytes body = {&shape, _i == 0 ? sizeof shape.number : sizeof shape};
    cop_ref timer = cop_send_interval(cop_self(), (cop_msg){.tag = TICK, .body = body}, COP_MS(1));
    shape.number = 0; /* it was copied */
    for (int i = 0; i < 5; i++) {
        cop_msg msg = test_receive(TICK);
        ck_assert_uint_eq(msg.body.size, body.size);
        ck_assert_uint_eq((uintptr_t)msg.body.data % 8, 0);
        ck_assert_int_eq(*(const int *)msg.body.data, 17);
        ck_assert_ptr_null(cop_msg_take(&msg));
    }
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

TEST(a_receiver_that_does_not_keep_up_is_not_flooded) /* TMR-018 */
{
    cop_ref timer = set(cop_self(), COP_US(100));
    EVENTUALLY(mailbox_of(cop_self()) == 2);
    cop_sleep(COP_MS(20));
    ck_assert_uint_eq(mailbox_of(cop_self()), 2);
    test_receive(TICK);
    cop_sleep(COP_MS(10));
    ck_assert_uint_eq(mailbox_of(cop_self()), 1); /* and one is in hand */
    test_receive(TICK);
    EVENTUALLY(mailbox_of(cop_self()) == 1);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

TEST(intervals_do_not_disturb_each_other_nor_single_timers)
{
    enum {
        INTERVALS = 20
    };
    cop_ref timers[INTERVALS];
    unsigned ticks[INTERVALS] = {0}, least = 0;
    for (int i = 0; i < INTERVALS; i++) {
        timers[i] =
            cop_send_interval(cop_self(), COP_MSG_OF(TICK, i), COP_US((cop_time)500 + i * 37));
    }
    cop_send_after(cop_self(), COP_TAG(OTHER), COP_MS(5));
    bool single = false;
    while (least < 5 || !single) {
        cop_msg msg;
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        if (msg.tag == OTHER) {
            single = true;
        } else {
            ticks[*COP_BODY(msg, int)]++;
        }
        least = ticks[0];
        for (int i = 1; i < INTERVALS; i++) {
            least = ticks[i] < least ? ticks[i] : least;
        }
    }
    for (int i = 0; i < INTERVALS; i++) {
        ck_assert_int_eq(cop_cancel_timer(timers[i], NULL), 0);
    }
}

/* ---------------------------------------------------------------- cancelling and reading */

TEST(no_tick_comes_after_cancel) /* TMR-018 */
{
    for (int i = 0; i < 500; i++) {
        cop_ref timer = set(cop_self(), COP_US(20));
        for (volatile int pause = 0; pause < i % 100 * 50; pause++) {
        }
        ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
        while (test_has_mail()) {
        }
        if (i % 50 == 0) {
            cop_sleep(COP_US(200));
        }
        ck_assert(!test_has_mail());
        ck_assert_int_eq(cop_cancel_timer(timer, NULL), -ENOENT);
    }
}

/* As when the timer thread has found it due just before. */
TEST(a_tick_that_is_under_way_when_its_interval_is_cancelled_is_not_sent)
{
    struct copi_interval *interval = new_interval(1);
    copi_interval_tick(copi_interval_hold(interval), cop_self());
    test_receive(TICK);
    copi_interval_hold(interval);
    copi_interval_cancel(interval);
    copi_interval_tick(interval, cop_self());
    ck_assert(!test_has_mail());
}

TEST(cancel_and_read_tell_the_time_to_the_next_tick) /* TMR-022 */
{
    cop_time first, second, third;
    cop_ref timer = set(cop_self(), COP_SEC(3600));
    ck_assert_int_eq(cop_read_timer(timer, &first), 0);
    ck_assert_int_eq(cop_read_timer(timer, &second), 0);
    ck_assert_int_eq(cop_cancel_timer(timer, &third), 0);
    ck_assert_int_le(first, COP_SEC(3600));
    ck_assert_int_le(second, first);
    ck_assert_int_le(third, second);
    ck_assert_int_gt(third, 0);
    ck_assert(is_cancelled(timer));
}

static int
cancel_anothers(cop_bytes arg)
{
    return cop_cancel_timer(*(const cop_ref *)arg.data, NULL);
}

TEST(an_interval_can_be_cancelled_by_another_process)
{
    cop_ref monitor, timer = set(cop_self(), COP_SEC(3600));
    ck_assert_int_eq(cop_spawn(NULL, cancel_anothers, .arg = COP_BYTES(timer), .monitor = &monitor),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(is_cancelled(timer));
}

/* ---------------------------------------------------------------- receivers */

TEST(an_interval_ends_with_its_receiver) /* TMR-018 */
{
    for (int i = 0; i < 50; i++) {
        cop_ref monitor;
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
        cop_ref fast = set(pid, COP_US(50)), slow = set(pid, COP_SEC(3600));
        cop_sleep(COP_US(i * 10));
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
        ck_assert(is_cancelled(fast));
        ck_assert(is_cancelled(slow));
    }
}

TEST(an_interval_to_the_dead_ends_at_its_first_tick)
{
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    cop_ref timer = set(pid, COP_MS(1)), nobodys = set(COP_NOBODY, COP_MS(1));
    EVENTUALLY(is_cancelled(timer));
    EVENTUALLY(is_cancelled(nobodys));
}

TEST(an_interval_outlives_who_set_it)
{
    cop_pid setter;
    ck_assert_int_eq(cop_spawn(&setter, test_wait_for_end, .name = "setter"), 0);
    cop_ref timer = set(cop_self(), COP_MS(1));
    ck_assert_int_eq(cop_stop_process(setter, COP_REASON_SHUTDOWN, SOON), 0);
    test_receive(TICK);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

TEST(an_interval_to_a_name_goes_on_with_each_holder)
{
    cop_ref timer = set(cop_named("clock"), COP_US(200));
    for (int i = 0; i < 5; i++) {
        cop_process_info info;
        cop_ref monitor;
        cop_pid pid;
        cop_sleep(COP_MS(1)); /* with nobody to hear it */
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .name = "clock", .monitor = &monitor),
                         0);
        EVENTUALLY(cop_inspect(pid, &info) == 0 && info.messages_handled >= 5);
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
    }
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

static int *volatile nowhere;

/* A sanitizer would find the fault before the kernel does. */
__attribute__((noinline, no_sanitize("undefined"), no_sanitize("address"))) static int
hold_a_tick_and_fault(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    int r = cop_receive(&msg, COP_FOREVER);
    *nowhere = r;
    return 0;
}

/* What they had in hand is kept, and never let go. */
TEST(holders_of_a_name_that_fault_with_a_tick_in_hand_do_not_stop_it)
{
    test_leaves_objects_behind(); /* those ticks, and the interval that they hold */
    test_catch_stderr();
    cop_ref timer = set(cop_named("clock"), COP_US(200));
    for (int i = 0; i < 4; i++) {
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(NULL, hold_a_tick_and_fault, .name = "clock",
                                   .monitor = &monitor, .contain_faults = true),
                         0);
        ck_assert_int_eq(test_down(monitor).kind, COP_FAULTED);
    }
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
    free(test_caught_stderr());
}

TEST(a_shutdown_ends_intervals)
{
    cop_ref timer = set(cop_self(), COP_MS(1));
    test_receive(TICK);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert(is_cancelled(timer));
    while (test_has_mail()) {
    }
    cop_sleep(COP_MS(5));
    ck_assert(!test_has_mail());
}

SUITE("interval")
