/*
 * tests/actors/durable/killed.h - what the program that is killed and the suite that kills it agree on.
 *
 * Room: tests/.
 *
 *     peer_sqlite_killed FILE RUN POINT VISIT
 *
 * It opens the store, settles what an earlier run has left pending, and goes on to create and settle promises of its
 * own, run-number, until it is killed. What it knows it writes to standard output, a line each, which no kill can
 * cut in two. The n-th time (VISIT) that it comes to POINT it says so and stands still there, for ever.
 */
#ifndef COPI_TESTS_KILLED_H
#define COPI_TESTS_KILLED_H

#include <stdio.h>
#include <string.h>

/* A line's first letter; an id follows, but behind the last two. */
#define SAID_CREATED 'c' /* the answer has come */
#define SAID_SETTLED 's' /* the answer has come, or the future has */
#define SAID_FOUND   'f' /* the recovery has found it pending */
#define SAID_LOOKED  'l' /* the recovery has come to its end */
#define SAID_STOPPED '!' /* at the point */

/* Points that are no steps of the store's (opts.trace). */
#define POINT_NONE     "none"     /* it never stands still */
#define POINT_SYNC     "sync"     /* fdatasync was called, and has not begun */
#define POINT_RECOVERY "recovery" /* in the middle of recover_all */
/* As POINT "ran", but what is settled is said before the store is asked, and visits count from then on: the suite
 * has to notice. */
#define POINT_HASTY    "hasty"

enum {
    VALUE_SIZE = 3000,
    LEFT_PENDING = 4 /* every so many promises are left to the next run */
};

/* What every promise is resolved with: made of its id, and long enough to be cut by chance. */
static inline void
value_of(const char *id, char value[VALUE_SIZE])
{
    size_t length = strlen(id);
    for (size_t i = 0; i < VALUE_SIZE; i++) {
        value[i] = id[i % length];
    }
}

#endif
