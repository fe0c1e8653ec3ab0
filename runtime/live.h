/*
 * runtime/live.h - how many objects of each kind are alive.
 *
 * Room: runtime/. Knows the seam. Any thread.
 * Touch freely: the kinds. One more is a line in the list, a copi_live_born where its objects are made and a
 * copi_live_gone where they are freed. Ask first: who writes a cell.
 */
#ifndef COPI_RUNTIME_LIVE_H
#define COPI_RUNTIME_LIVE_H

#include "runtime/atomic.h"

#define COPI_LIVE_KINDS(XX)                                            \
 XX(PROCESS, "processes") /* and threads that were adopted */          \
 XX(MESSAGE, "messages")  /* out of their pools */                     \
 XX(WATCH, "watches")     /* a monitor is one, a link is two */        \
 XX(TIMER, "timers")                                                   \
 XX(INTERVAL, "intervals")                                             \
 XX(REQUEST, "requests for readiness")                                 \
 XX(SOCKET, "sockets and ports") /* those that linger, too */          \
 XX(CONTEXT, "contexts")                                               \
 XX(FUTURE, "futures")                                                 \
 XX(RESOLVER, "resolvers")                                             \
 XX(CONTINUATION, "continuations") /* that have not run, or run now */ \
 XX(GROUP, "groups")                                                   \
 XX(FLIGHT, "flights")                                                 \
 XX(COMPUTATION, "computations") /* of a flight's keys */              \
 XX(ASYNC_STREAM, "async streams")                                     \
 XX(PIPELINE, "pipelines")                                             \
 XX(PIPELINE_ITEM, "pipeline items")                                   \
 XX(STREAM, "streams") /* stages, each of them */                      \
 XX(SUBSCRIPTION, "subscriptions")

enum copi_live_kind {
#define XX(name, words) COPI_LIVE_##name,
    COPI_LIVE_KINDS(XX)
#undef XX
    COPI_LIVE_COUNT
};

/* What one thread has made, less what it has freed. */
struct copi_live_cell {
    copi_atomic64 count[COPI_LIVE_COUNT]; /* its thread writes, any reads */
    enum {
        COPI_CELL_NEW,
        COPI_CELL_LISTED,
        COPI_CELL_LEFT,
    } state; /* its thread only */
    /* guarded by the list's lock */
    struct copi_live_cell *next, **link;
};
extern _Thread_local struct copi_live_cell copi_live_mine;

void copi_live_change_slow(enum copi_live_kind kind, uint64_t change);

static inline void
copi_live_change(enum copi_live_kind kind, uint64_t change)
{
    copi_atomic64 *count = &copi_live_mine.count[kind];
    if (copi_live_mine.state == COPI_CELL_LISTED) {
        copi_store_relaxed_64(count, copi_load_relaxed_64(count) + change);
    } else {
        copi_live_change_slow(kind, change);
    }
}

static inline void
copi_live_born(enum copi_live_kind kind)
{
    copi_live_change(kind, 1);
}

static inline void
copi_live_gone(enum copi_live_kind kind)
{
    copi_live_change(kind, (uint64_t)-1);
}

/* The calling thread ends. What it has counted stays; what it counts from here on costs more. */
void copi_live_leave(void);

#endif
