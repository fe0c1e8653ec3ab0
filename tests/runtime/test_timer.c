/*
 * tests/runtime/test_timer.c - what happens later: when, in which order, and for whom not.
 *
 * Room: tests/. Case ids (TMR-001) are those of the conformance list. Time is checked from below only. What users
 * set and cancel: test_timer_send.c.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/timer.h"
#include "tests/runtime/later.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

/* ---------------------------------------------------------------- firing */

TEST(a_message_comes_once_and_not_before_its_time) /* TMR-001 */
{
    cop_time begun = cop_now();
    set(COP_MS(20));
    cop_msg msg = test_receive(TICK);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    ck_assert(cop_pid_eq(msg.from, cop_self()));
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
}

TEST(a_time_of_0_is_at_once_through_the_mailbox) /* TMR-002 */
{
    cop_send(cop_self(), COP_TAG(OTHER));
    set(0);
    test_receive(OTHER);
    test_receive(TICK);
}

TEST(an_earlier_timer_set_later_fires_first)
{
    cop_msg last = COP_MSG(TICK, int, 2), first = COP_MSG(TICK, int, 1);
    cop_ref later = cop_send_after(cop_self(), last, COP_SEC(3600));
    cop_send_after(cop_self(), first, COP_MS(1));
    ck_assert_int_eq(*COP_BODY(test_receive(TICK), int), 1);
    ck_assert_int_eq(cop_cancel_timer(later, NULL), 0);
}

TEST(timers_set_in_any_order_fire_in_the_order_of_their_times)
{
    enum {
        TIMERS = 300
    };
    const cop_time base = IN_TIME;
    for (int i = 0; i < TIMERS; i++) {
        int at = i * 7 % TIMERS; /* each once */
        cop_send_after(cop_self(), COP_MSG_OF(TICK, at), base + COP_MS(at) / 2);
    }
    /* Set within less than half a millisecond of each other they are in order; else nearly. */
    int received[TIMERS], late = 0;
    for (int i = 0; i < TIMERS; i++) {
        received[i] = *COP_BODY(test_receive(TICK), int);
    }
    for (int i = 1; i < TIMERS; i++) {
        late += received[i] < received[i - 1] - 100;
    }
    ck_assert_int_eq(late, 0);
}

TEST(ten_thousand_timers_with_one_time_all_fire_in_the_order_in_which_they_were_set) /* TMR-015 */
{
    enum {
        TIMERS = 10000
    };
    cop_time begun = cop_now();
    for (int i = 0; i < TIMERS; i++) {
        ck_assert_uint_ne(cop_send_after(cop_self(), COP_MSG_OF(TICK, i), COP_MS(50)).id, 0);
    }
    for (int i = 0; i < TIMERS; i++) {
        ck_assert_int_eq(*COP_BODY(test_receive(TICK), int), i);
    }
    ck_assert_int_ge(cop_now() - begun, COP_MS(50));
    ck_assert(!test_has_mail());
}

static uint64_t called[1000];
static _Atomic unsigned calls;

static void
note_call(uint64_t which)
{
    unsigned at = atomic_load(&calls);
    called[at] = which;
    atomic_store(&calls, at + 1);
}

/* The clock is too fine for two calls to get equal times from it, so these are given. */
TEST(equal_times_fire_in_the_order_in_which_they_were_set)
{
    enum {
        TIMERS = sizeof called / sizeof *called
    };
    cop_time deadline = cop_now() + IN_TIME, earlier = deadline - 1;
    for (unsigned i = 0; i < TIMERS; i++) {
        ck_assert_int_eq(copi_timer_call(i % 2 ? deadline : earlier, note_call, i), 0);
    }
    EVENTUALLY(atomic_load(&calls) == TIMERS);
    for (unsigned i = 0; i < TIMERS / 2; i++) {
        ck_assert_uint_eq(called[i], 2 * (size_t)i);
        ck_assert_uint_eq(called[TIMERS / 2 + i], 2 * i + 1);
    }
}

static void
do_nothing(uint64_t unused)
{
    (void)unused;
}

/* Some are in the heap by then and some are new, because the thread is kept at work. */
TEST(timers_that_are_taken_out_from_anywhere_leave_the_others_in_their_order)
{
    enum {
        TIMERS = 900,
        AGE = 10 /* of the one that is taken out */
    };
    static cop_ref refs[TIMERS];
    const cop_time base = cop_now() + IN_TIME;
    unsigned left = TIMERS, wrong = 0;
    for (int i = 0; i < TIMERS; i++) {
        int at = i * 7 % TIMERS; /* each once */
        refs[i] = cop_send_at(cop_self(), COP_MSG_OF(TICK, at), base + COP_US(at));
        ck_assert_int_eq(copi_timer_call(cop_now(), do_nothing, 0), 0);
        if (i >= AGE && i % 3 == 0) {
            left -= cop_cancel_timer(refs[i - AGE], NULL) == 0;
        }
    }
    bool is_in_time = cop_now() < base;
    int before = -1;
    for (unsigned i = 0; i < left; i++) {
        int at = *COP_BODY(test_receive(TICK), int);
        wrong += at < before;
        before = at;
    }
    ck_assert_uint_lt(left, TIMERS);
    ck_assert(wrong == 0 || !is_in_time);
    ck_assert(!test_has_mail());
}

static _Atomic unsigned made_so_far;

static void
add_one(uint64_t unused)
{
    (void)unused;
    atomic_fetch_add(&made_so_far, 1);
}

static bool
is_called_in_time(unsigned times)
{
    cop_time deadline = cop_now() + SOON;
    for (unsigned looks = 1; atomic_load(&made_so_far) != times; looks++) {
        if (looks % 1000 == 0) {
            sched_yield();
        }
        if (cop_now() > deadline) {
            return false;
        }
    }
    return true;
}

/* Each is set at about the time when the thread, which has nothing else to do, has made the call before. */
TEST(a_timer_that_is_set_while_the_thread_falls_asleep_is_not_forgotten)
{
    enum {
        TIMES = TEST_SANITIZED ? 500 : 5000
    };
    cop_self(); /* which a shutdown is for */
    for (unsigned i = 0; i < TIMES; i++) {
        for (volatile unsigned pause = 0; pause < i % 64; pause++) {
        }
        ck_assert_int_eq(copi_timer_call(cop_now(), add_one, 0), 0);
        ck_assert(is_called_in_time(i + 1));
    }
}

/* ---------------------------------------------------------------- calls that can be cancelled */

static _Atomic unsigned made, stopped;

static void
note_later(void *arg, bool is_stop)
{
    ck_assert_ptr_eq(arg, body);
    atomic_fetch_add(is_stop ? &stopped : &made, 1);
}

static cop_ref
call_later(cop_time delay)
{
    cop_ref timer;
    cop_self(); /* which a shutdown is for */
    ck_assert_int_eq(copi_timer_call_later(&timer, cop_now() + delay, note_later, body), 0);
    return timer;
}

static int
try_later(void *timer)
{
    return copi_timer_call_later(timer, cop_now() + COP_SEC(3600), note_later, body);
}

static atomic_uint called_without_memory;

static void
count_call(uint64_t unused)
{
    (void)unused;
    atomic_fetch_add(&called_without_memory, 1);
}

TEST(calls_of_the_librarys_own_have_a_few_places_that_need_no_memory)
{
    unsigned taken = 0;
    ck_assert_int_eq(copi_timer_ready(), 0);
    for (int round = 0; round < 2; round++) {
        copi_alloc_fail_after(0);
        cop_time later = cop_now() + COP_MS(1);
        while (taken < 10000 && copi_timer_call(later, count_call, 0) == 0) {
            taken++;
        }
        copi_alloc_fail_after(-1);
        ck_assert_uint_gt(taken, 8);
        EVENTUALLY(atomic_load(&called_without_memory) == taken);
    }
}

TEST(without_memory_no_call_is_set)
{
    cop_ref timer;
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(try_later, &timer, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert(copi_timer_cancel(timer));
    ck_assert_uint_eq(made + stopped, 0);
}

TEST(a_call_that_is_cancelled_is_not_made)
{
    cop_ref timer = call_later(COP_SEC(3600));
    ck_assert(copi_timer_cancel(timer));
    ck_assert(!copi_timer_cancel(timer));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(made + stopped, 0);
}

TEST(a_call_is_made_once_and_cannot_be_cancelled_any_more)
{
    cop_ref timer = call_later(COP_MS(1));
    EVENTUALLY(made == 1);
    ck_assert(!copi_timer_cancel(timer));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(made, 1);
    ck_assert_uint_eq(stopped, 0);
}

TEST(a_call_is_either_cancelled_or_made_and_never_both)
{
    unsigned cancelled = 0, set_so_far = 0;
    for (int i = 0; i < 500; i++, set_so_far++) {
        cop_ref timer = call_later(COP_US(i % 50));
        cop_sleep(COP_US(i % 7));
        cancelled += copi_timer_cancel(timer);
    }
    EVENTUALLY(made + cancelled == set_so_far);
    cop_sleep(COP_MS(1));
    ck_assert_uint_eq(made + cancelled, set_so_far);
}

TEST(a_shutdown_makes_the_calls_that_were_still_to_come_and_says_so)
{
    cop_ref timer = call_later(COP_SEC(3600));
    call_later(COP_SEC(3600));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(stopped, 2);
    ck_assert_uint_eq(made, 0);
    ck_assert(!copi_timer_cancel(timer));
}

static cop_pid receiver;

static void *
set_many(void *unused)
{
    for (int i = 0; i < 500; i++) {
        cop_send_after(receiver, COP_TAG(TICK), COP_US(i * 7 % 1000));
    }
    return unused;
}

TEST(timers_of_many_threads_all_fire)
{
    enum {
        THREADS = 4
    };
    pthread_t threads[THREADS];
    receiver = cop_self();
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, set_many, NULL), 0);
    }
    for (int i = 0; i < THREADS * 500; i++) {
        test_receive(TICK);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert(!test_has_mail());
}

TEST(a_large_message_is_delivered_whole) /* TMR-016 */
{
    static unsigned char large[100000];
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (unsigned char)(i % 251);
    }
    for (int i = 0; i < 5; i++) {
        cop_send_after(cop_self(), (cop_msg){.tag = TICK, .body = {large, sizeof large}},
                       COP_MS(i));
    }
    for (int i = 0; i < 5; i++) {
        cop_msg msg = test_receive(TICK);
        ck_assert_uint_eq(msg.body.size, sizeof large);
        ck_assert_mem_eq(msg.body.data, large, sizeof large);
    }
}

TEST(a_moved_body_reaches_its_receiver_and_is_dropped_once)
{
    cop_msg msg;
    cop_send_after(cop_self(), moved(), COP_MS(1));
    msg = test_receive(TICK);
    ck_assert_ptr_eq(msg.body.data, body);
    ck_assert_uint_eq(atomic_load(&dropped), 0);
    ck_assert(!test_has_mail()); /* the next receive lets it go */
    ck_assert_uint_eq(atomic_load(&dropped), 1);
}

/* Whether the name had its next holder before the time was over; `after` is that one. */
static bool
change_holder_meanwhile(cop_time delay, cop_pid *after)
{
    cop_ref first, second;
    cop_pid before = start_waiting(&first);
    *after = start_waiting(&second);
    cop_unregister("clock");
    ck_assert_int_eq(cop_register("clock", before), 0);
    cop_time begin = cop_now();
    cop_send_after(cop_named("clock"), COP_TAG(TICK), delay);
    cop_exit_signal(before, COP_REASON_KILLED);
    test_down(first);
    ck_assert_int_eq(cop_register("clock", *after), 0);
    return cop_now() - begin < delay;
}

TEST(a_timer_to_a_name_finds_the_holder_of_then)
{
    cop_process_info info;
    cop_pid after;
    for (cop_time delay = COP_MS(30); !change_holder_meanwhile(delay, &after); delay *= 4) {
    }
    EVENTUALLY(cop_inspect(after, &info) == 0 && info.messages_handled >= 1);
}

TEST(a_timer_to_a_name_that_nobody_has_drops_its_body)
{
    ck_assert_uint_ne(cop_send_after(cop_named("nobody"), moved(), 0).id, 0);
    EVENTUALLY(atomic_load(&dropped) == 1);
}

TEST(a_timer_without_end_never_fires)
{
    cop_time left;
    cop_ref timer = set(COP_FOREVER);
    set(COP_MS(1));
    test_receive(TICK);
    ck_assert_int_eq(cop_read_timer(timer, &left), 0);
    ck_assert_int_gt(left, COP_SEC(3600) * 24 * 365);
    ck_assert_int_eq(cop_cancel_timer(timer, NULL), 0);
}

/* ---------------------------------------------------------------- receivers that are gone */

TEST(a_timer_is_cancelled_when_its_receiver_ends)
{
    cop_ref monitor, timers[10];
    cop_time left;
    cop_pid pid = start_waiting(&monitor);
    for (int i = 0; i < 10; i++) {
        timers[i] = cop_send_after(pid, moved(), COP_SEC(3600));
    }
    ck_assert_int_eq(cop_cancel_timer(timers[4], NULL), 0);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_uint_eq(atomic_load(&dropped), 10);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(cop_read_timer(timers[i], &left), -ENOENT);
    }
}

static int
set_and_end(cop_bytes arg)
{
    return cop_send_after(*(const cop_pid *)arg.data, COP_TAG(TICK), COP_MS(20)).id ? 0 : -EIO;
}

TEST(a_timer_outlives_its_setter)
{
    cop_pid self = cop_self();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, set_and_end, .arg = COP_BYTES(self), .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    test_receive(TICK);
}

TEST(a_timer_to_the_dead_drops_its_body_once)
{
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_uint_ne(cop_send_after(pid, moved(), COP_MS(1)).id, 0);
    EVENTUALLY(atomic_load(&dropped) == 1);
    cop_sleep(COP_MS(2));
    ck_assert_uint_eq(atomic_load(&dropped), 1);
}

TEST(receivers_that_end_while_their_timers_fire_leave_nothing)
{
    unsigned set_so_far = 0;
    for (int i = 0; i < 100; i++) {
        cop_ref monitor;
        cop_pid pid = start_waiting(&monitor);
        for (int t = 0; t < 10; t++) {
            cop_send_after(pid, moved(), COP_US((cop_time)t * 10));
            set_so_far++;
        }
        cop_sleep(COP_US(i));
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
    }
    EVENTUALLY(atomic_load(&dropped) == set_so_far);
}

TEST(a_shutdown_drops_what_has_not_fired)
{
    for (int i = 0; i < 10; i++) {
        cop_send_after(cop_self(), moved(), COP_SEC(3600));
    }
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(atomic_load(&dropped), 10);
}

TEST(a_timer_takes_the_place_of_one_that_is_gone_and_needs_no_memory)
{
    cop_ref first = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600)), second = {0};
    ck_assert_int_eq(cop_cancel_timer(first, NULL), 0);
    copi_alloc_fail_after(0);
    for (int i = 0; i < 200; i++) {
        second = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600));
        ck_assert_int_eq(cop_cancel_timer(second, NULL), 0);
    }
    copi_alloc_fail_after(-1);
    ck_assert_uint_ne(first.id, second.id);
    ck_assert_int_eq(cop_cancel_timer(first, NULL), -ENOENT);
}

TEST(trimming_leaves_timers_that_are_set_alone)
{
    cop_msg msg;
    cop_time left;
    cop_ref other = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600));
    cop_send_after(cop_self(), COP_TAG(2), COP_MS(1));
    cop_trim();
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert_uint_eq(msg.tag, 2);
    cop_trim();
    ck_assert_int_eq(cop_read_timer(other, &left), 0);
    ck_assert_int_eq(cop_cancel_timer(other, NULL), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* their malloc is their own */
TEST(what_is_kept_for_timers_goes_back_when_none_is_set)
{
    enum {
        MANY = 1000
    };
    static cop_ref refs[MANY];
    for (int i = 0; i < MANY; i++) {
        refs[i] = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600));
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_cancel_timer(refs[i], NULL), 0);
    }
    copi_pool_trim();
    size_t kept = mallinfo2().uordblks;
    cop_trim();
    ck_assert_uint_lt(mallinfo2().uordblks + MANY * (size_t)64, kept);
    ck_assert_int_eq(cop_cancel_timer(refs[0], NULL), -ENOENT); /* and its place is there no more */
    refs[0] = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600));
    ck_assert_int_eq(cop_cancel_timer(refs[0], NULL), 0);
}
#endif

TEST(after_a_shutdown_timers_work_again)
{
    set(COP_SEC(3600));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    set(COP_MS(1));
    test_receive(TICK);
}

/* ---------------------------------------------------------------- sleeping */

TEST(a_sleep_lasts_at_least_as_long_as_asked) /* TMR-023 */
{
    for (int ms = 0; ms < 20; ms += 5) {
        cop_time begun = cop_now();
        ck_assert_int_eq(cop_sleep(COP_MS(ms)), 0);
        ck_assert_int_ge(cop_now() - begun, COP_MS(ms));
    }
    ck_assert_int_eq(cop_sleep(0), 0);
    ck_assert_int_eq(cop_sleep(-5), 0);
}

TEST(messages_neither_shorten_a_sleep_nor_get_lost_in_it)
{
    cop_time begun = cop_now();
    for (int i = 0; i < 5; i++) {
        set(COP_MS(i));
    }
    ck_assert_int_eq(cop_sleep(COP_MS(20)), 0);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    for (int i = 0; i < 5; i++) {
        test_receive(TICK);
    }
}

SUITE("timer")
