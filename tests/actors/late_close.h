/*
 * tests/actors/late_close.h - what belongs to a process is its own no more, as when that is just ending.
 *
 * Room: tests/. Included once.
 */
#ifndef COPI_TESTS_LATE_CLOSE_H
#define COPI_TESTS_LATE_CLOSE_H

#include "runtime/belonging.h"
#include "tests/support/wrap.h"

#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool is_about_to_end;

bool real_leave(struct copi_belonging *owned) REAL(copi_belonging_leave);
bool leave_late(struct copi_belonging *owned) WRAP(copi_belonging_leave);
bool
leave_late(struct copi_belonging *owned)
{
    return !is_about_to_end && real_leave(owned);
}

#endif
