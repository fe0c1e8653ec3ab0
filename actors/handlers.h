/*
 * actors/handlers.h - what is called with an outcome: one of two functions, once.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_HANDLERS_H
#define COPI_ACTORS_HANDLERS_H

#include "actors/continuation.h"

struct copi_handlers {
    struct copi_continuation continuation;
    void (*on_success)(const void *value, void *env); /* either may be NULL */
    void (*on_failure)(cop_reason reason, void *env);
    void *env;
    void (*over)(struct copi_handlers *handlers); /* after it: it may free them */
    const char *whose;                            /* for the report of a crash in one */
};

/* Have one of them called, in a worker, when the future is settled. */
void copi_handlers_register(cop_future *future, struct copi_handlers *handlers);
#endif
