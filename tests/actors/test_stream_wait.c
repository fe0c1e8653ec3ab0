/*
 * tests/actors/test_stream_wait.c - processes that wait for a change of something that a lock guards.
 *
 * Room: tests/.
 */
#include "actors/stream_wait.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "tests/support/support.h"

#include <errno.h>

static copi_lock lock = COPI_LOCK_INIT;
static struct copi_stream_waiters waiters;
static bool there; /* guarded by the lock */

static bool
is_there(const void *env)
{
    return *(const bool *)env;
}

static int
wait_once(cop_time timeout)
{
    struct copi_wait wait = COPI_WAIT("test", timeout);
    cop_self();
    return copi_stream_wait(&waiters, &lock, is_there, &there, &wait);
}

static unsigned
count_waiters(void)
{
    unsigned count = 0;
    copi_lock_take(&lock);
    for (struct copi_message *one = waiters.newest; one; one = one->next) {
        count++;
    }
    copi_lock_give(&lock);
    return count;
}

static void
wake_all(bool it_is_there)
{
    copi_lock_take(&lock);
    there = it_is_there;
    struct copi_message *all = copi_stream_waiters_take_locked(&waiters);
    copi_lock_give(&lock);
    copi_stream_wake(all);
}

TEST(without_memory_nobody_waits)
{
    cop_self();
    cop_trim();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(wait_once(COP_FOREVER), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_uint_eq(count_waiters(), 0);
}

TEST(what_is_there_is_not_waited_for)
{
    there = true;
    ck_assert_int_eq(wait_once(COP_FOREVER), 0);
    ck_assert_uint_eq(count_waiters(), 0);
}

TEST(who_gives_up_leaves_nothing_behind)
{
    cop_time began = cop_now();
    ck_assert_int_eq(wait_once(COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - began, COP_MS(20));
    ck_assert_uint_eq(count_waiters(), 0);
    ck_assert_int_eq(wait_once(0), -ETIMEDOUT);
}

static atomic_uint woken;

static int
wait_for_it(cop_bytes arg)
{
    (void)arg;
    int r = wait_once(COP_FOREVER);
    woken += r == 0;
    return r;
}

TEST(all_who_wait_are_woken)
{
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_spawn(NULL, wait_for_it), 0);
    }
    EVENTUALLY(count_waiters() == 5);
    ck_assert_uint_eq(woken, 0);
    wake_all(true);
    EVENTUALLY(woken == 5);
}

TEST_TIMES(2, who_is_asked_to_stop_leaves_and_others_go_on_to_wait)
{
    cop_pid pids[2];
    cop_ref monitors[2];
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_spawn(&pids[i], wait_for_it, .monitor = &monitors[i]), 0);
        EVENTUALLY(count_waiters() == i + 1);
    }
    cop_exit_signal(pids[_i], COP_REASON_SHUTDOWN);
    test_down(monitors[_i]);
    ck_assert_uint_eq(count_waiters(), 1);
    wake_all(true);
    ck_assert_int_eq(test_down(monitors[!_i]).kind, COP_NORMAL);
    ck_assert_uint_eq(woken, 1);
}

TEST(who_has_ended_is_woken_in_vain)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_it, .monitor = &monitor), 0);
    EVENTUALLY(count_waiters() == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    wake_all(true);
    ck_assert_uint_eq(woken, 0);
    ck_assert_uint_eq(count_waiters(), 0);
}

TEST(messages_that_come_meanwhile_stay)
{
    cop_send(cop_self(), COP_TAG(7));
    ck_assert_int_eq(wait_once(COP_MS(1)), -ETIMEDOUT);
    test_receive(7);
}

SUITE("stream wait")
