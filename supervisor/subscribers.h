/*
 * supervisor/subscribers.h - processes that have asked to be thought of, each with a word of its own.
 *
 * Room: supervisor/. Any thread.
 */
#ifndef COPI_SUPERVISOR_SUBSCRIBERS_H
#define COPI_SUPERVISOR_SUBSCRIBERS_H

#include "runtime/thread.h"

#include <coppice/message.h>

struct copi_subscriber {
    cop_pid pid;
    int64_t word;
    /* what a visitor keeps of it; 0 at first */
    uint64_t handled;
    cop_time seen;
};

struct copi_subscribers {
    copi_lock lock;
    /* guarded by it */
    struct copi_subscriber *all;
    size_t count, capacity;
};
#define COPI_SUBSCRIBERS_INIT \
 {                            \
  .lock = COPI_LOCK_INIT,     \
 }

/* Note it, or its new word. -ENOMEM: nothing changed. */
int copi_subscribers_add(struct copi_subscribers *list, cop_pid pid, int64_t word);

void copi_subscribers_remove(struct copi_subscribers *list, cop_pid pid);

/* For each that lives; under the lock, so `visit` neither blocks nor comes back here. */
void copi_subscribers_visit(struct copi_subscribers *list,
                            void (*visit)(struct copi_subscriber *subscriber, void *env),
                            void *env);

#endif
