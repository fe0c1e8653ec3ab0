/*
 * actors/stream_wait.c - processes that wait for a change of something that a lock guards: room in a
 * queue, or elements.
 *
 * Room: actors/.
 *
 * Who waits hangs a notice into the list (runtime/notice.h), under the lock, after another look. Who
 * changes something takes the whole list, under the lock, and sends the notices when it has given the lock
 * back; all who get one look again. So no change is missed, and it does not matter if one of those who are
 * woken has ended meanwhile.
 *
 * Who gives up waiting takes its notice out. A process that ends while it waits leaves it there, and it is
 * sent in vain.
 */
#include "actors/stream_wait.h"

#include "runtime/notice.h"
#include "runtime/process.h"

#include <errno.h>

struct copi_message *
copi_stream_waiters_take_locked(struct copi_stream_waiters *waiters)
{
    struct copi_message *all = waiters->newest;
    waiters->newest = NULL;
    return all;
}

void
copi_stream_wake(struct copi_message *taken)
{
    while (taken) {
        struct copi_message *next = taken->next;
        copi_notice_post(taken->from, taken);
        taken = next;
    }
}

static struct copi_message *
take_out_locked(struct copi_stream_waiters *waiters, cop_ref ref)
{
    struct copi_message **link = &waiters->newest;
    while (*link && (*link)->ref.id != ref.id) {
        link = &(*link)->next;
    }
    struct copi_message *found = *link;
    if (found) {
        *link = found->next;
    }
    return found;
}

static void
leave(struct copi_stream_waiters *waiters, copi_lock *lock, cop_ref ref)
{
    copi_lock_take(lock);
    struct copi_message *mine = take_out_locked(waiters, ref);
    copi_lock_give(lock);
    if (mine) {
        copi_message_free(mine);
    }
}

static bool
join(struct copi_stream_waiters *waiters, copi_lock *lock, bool (*is_there)(const void *env),
     const void *env, struct copi_message *node)
{
    copi_lock_take(lock);
    bool joins = !is_there(env);
    if (joins) {
        node->next = waiters->newest;
        waiters->newest = node;
    }
    copi_lock_give(lock);
    return joins;
}

int
copi_stream_wait(struct copi_stream_waiters *waiters, copi_lock *lock,
                 bool (*is_there)(const void *env), const void *env, struct copi_wait *wait)
{
    struct copi_process *self = copi_here.process;
    struct copi_message *notice = NULL, *node = copi_message_new(COPI_NOTE, 0, 0);
    if (!node) {
        return copi_fail(-ENOMEM);
    }
    cop_ref ref = copi_make_ref(self, self->index);
    node->ref = ref;
    node->from = self->pid;
    copi_notices_begin(self, ref);
    if (!join(waiters, lock, is_there, env, node)) {
        copi_notices_end(self);
        copi_message_free(node);
        return 0;
    }
    int r = copi_notices_next(self, wait, &notice);
    copi_notices_end(self);
    if (r) {
        leave(waiters, lock, ref);
    }
    return r;
}
