/*
 * tests/stress/points.h - the points at which the library can fail, and how to make it fail at one.
 *
 * Room: tests/. Any thread.
 *
 * A point is an allocation, the start of a thread, or a call of the system by the library itself: calls by
 * whoever uses it are left alone. They are counted in the order in which they are reached; one of them fails,
 * alone, or it and all calls of the same function that follow in a fifth of a second: a shortage.
 *
 * For programs that are linked with --wrap for each name of points.c: the Makefile reads them there.
 */
#ifndef COPI_TESTS_STRESS_POINTS_H
#define COPI_TESTS_STRESS_POINTS_H

#include <stdatomic.h>
#include <stdbool.h>

enum point_kind {
    POINT_MEMORY,
    POINT_THREAD,
    POINT_CALL,
    POINT_KINDS
};
extern const char *const point_kind_names[POINT_KINDS];

struct point {
    enum point_kind kind;
    unsigned long number; /* from 0 */
    unsigned way;         /* in which of its ways it fails; from 0 */
    unsigned long second; /* another fails so many points later; 0: none does */
};

/* What became of it; in memory that two programs may share. */
struct points_seen {
    atomic_ulong reached; /* points of the kind */
    atomic_bool hit;      /* the point was reached, and has failed */
    /* valid when it was hit */
    const char *call;
    const void *caller;
    int error;
    bool lasts;    /* it was a shortage */
    unsigned ways; /* in which it could have failed */
};

/* From here on the point fails; */
void points_arm(const struct point *point, struct points_seen *seen);

/* until here. */
void points_disarm(void);

#endif
