/*
 * runtime/live_kinds.h - the kinds of objects that are counted, and what a thread keeps of them.
 *
 * Room: runtime/. Knows nobody: it is a part of what belongs to a thread. How it is used: live.h.
 */
#ifndef COPI_RUNTIME_LIVE_KINDS_H
#define COPI_RUNTIME_LIVE_KINDS_H

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

#endif
