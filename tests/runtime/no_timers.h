/*
 * tests/runtime/no_timers.h - the library's own timers, as if there were no memory for any; or when they are due.
 *
 * Room: tests/. Included once.
 */
#ifndef COPI_TESTS_NO_TIMERS_H
#define COPI_TESTS_NO_TIMERS_H

#include "runtime/timer.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool has_no_timers;
static atomic_llong last_deadline;

int real_timer(cop_time deadline, void (*fn)(uint64_t arg), uint64_t arg) REAL(copi_timer_call);
int fail_timer(cop_time deadline, void (*fn)(uint64_t arg), uint64_t arg) WRAP(copi_timer_call);
int
fail_timer(cop_time deadline, void (*fn)(uint64_t arg), uint64_t arg)
{
    atomic_store(&last_deadline, deadline);
    return has_no_timers ? -ENOMEM : real_timer(deadline, fn, arg);
}

#endif
