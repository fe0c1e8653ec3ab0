/*
 * actors/durable/worker_list.c - the workers of this program that can be woken.
 *
 * Room: actors/durable/. Any thread.
 *
 * They stand in a list, under a lock that is held for a few stores and posts.
 */
#include "actors/durable/worker.h"
#include "runtime/thread.h"

static struct {
    copi_lock lock;
    struct copi_worker *first;
} all = {.lock = COPI_LOCK_INIT};

void
copi_worker_enter_list(struct copi_worker *worker)
{
    worker->self = cop_self();
    copi_lock_take(&all.lock);
    worker->next = all.first;
    worker->link = &all.first;
    if (worker->next) {
        worker->next->link = &worker->next;
    }
    all.first = worker;
    copi_lock_give(&all.lock);
}

void
copi_worker_leave_list(struct copi_worker *worker)
{
    copi_lock_take(&all.lock);
    *worker->link = worker->next;
    if (worker->next) {
        worker->next->link = worker->link;
    }
    copi_lock_give(&all.lock);
}

/* A worker that has no memory for the message has its poll. */
void
cop_worker_wake(const char *queue)
{
    copi_lock_take(&all.lock);
    for (struct copi_worker *worker = all.first; worker; worker = worker->next) {
        if (!queue || strcmp(worker->opts.queue, queue) == 0) {
            (void)cop_send(worker->self, COP_TAG(COPI_WORKER_WAKE));
        }
    }
    copi_lock_give(&all.lock);
}
