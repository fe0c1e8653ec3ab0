/*
 * tests/runtime/later.h - timers whose bodies are counted, and for whom they are.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_LATER_H
#define COPI_TESTS_LATER_H

#include "tests/support/support.h"

enum {
    TICK = 1,
    OTHER,
};

static _Atomic unsigned dropped;

static inline void
count_drop(void *data)
{
    (void)data;
    atomic_fetch_add(&dropped, 1);
}

static char body[] = "a body";

static inline cop_msg
moved(void)
{
    return COP_MSG_MOVE(TICK, body, sizeof body, count_drop);
}

static inline cop_pid
start_waiting(cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = monitor), 0);
    return pid;
}

static inline cop_ref
set(cop_time delay)
{
    cop_ref timer = cop_send_after(cop_self(), COP_TAG(TICK), delay);
    ck_assert_uint_ne(timer.id, 0);
    return timer;
}

#endif
