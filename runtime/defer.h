/*
 * runtime/defer.h - deferred calls: what runs when a callback or a process ends, last first.
 *
 * Room: runtime/. The owner thread only.
 */
#ifndef COPI_RUNTIME_DEFER_H
#define COPI_RUNTIME_DEFER_H

#include <stdbool.h>
#include <stddef.h>

struct copi_process;

struct copi_deferred {
    void (*fn)(void *arg);
    void *arg;
};

enum {
    COPI_DEFERS_INSIDE = 4
};

/* A stack that grows out of the record when it must. */
struct copi_defers {
    struct copi_deferred inside[COPI_DEFERS_INSIDE];
    struct copi_deferred *more;
    size_t count, capacity; /* capacity: of `more` */
};

/* Run and remove them all, those that they add included. */
void copi_defers_run(struct copi_process *self, struct copi_defers *defers);

/* What was deferred to the end of the callback is now to the end of the process. -ENOMEM: nothing
 * changed. */
int copi_defers_keep(struct copi_process *self);

#endif
