/*
 * actors/waiters.c - processes that wait for something which a lock guards.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: who wakes whom.
 *
 * Who waits leaves a node, and is woken by it. Waiting for a place is a race on purpose: what becomes free
 * wakes one, who then has to find it free. What if the one who is woken has gone meanwhile, because its
 * time was over, or because it was killed? The node owns a word for that: wherever it ends up, its drop
 * function may look whether there is still room, and wake the next. So a wake-up is never lost, and needs
 * no cleaning up by who waits.
 *
 * Nodes of waits that have ended lie in the list until their turn comes; those at its beginning are
 * dropped when another is added.
 */
#include "actors/waiters.h"

#include "runtime/inbox.h"
#include "runtime/notice.h"

#include <errno.h>

int
copi_waiters_wait(struct copi_process *self, cop_time timeout,
                  int (*try)(struct copi_process *self, void *env, cop_ref ref), void *env)
{
    struct copi_wait wait = COPI_WAIT("await", timeout);
    struct copi_message *notice = NULL;
    cop_ref ref = copi_make_ref(self, self->index);
    copi_notices_begin(self, ref);
    int r;
    while ((r = try(self, env, ref)) == -EAGAIN) {
        if ((r = copi_notices_next(self, &wait, &notice)) != 0) {
            break;
        }
    }
    copi_notices_end(self);
    return r;
}

static bool
is_stale(const struct copi_message *node)
{
    return !copi_notice_is_wanted(node->from, node->ref);
}

static void
drop_stale(struct copi_list *waiters)
{
    while (waiters->count > 0 && is_stale(waiters->first)) {
        copi_message_free(copi_list_remove(waiters, &waiters->first));
    }
}

int
copi_waiters_add(struct copi_list *waiters, struct copi_process *self, cop_ref ref)
{
    struct copi_message *node = copi_message_new(COPI_NOTE, 0, sizeof(struct copi_outside));
    if (!node) {
        return -ENOMEM;
    }
    node->from = self->pid;
    node->ref = ref;
    drop_stale(waiters);
    copi_list_append(waiters, node);
    return -EAGAIN;
}

struct copi_message *
copi_waiters_take_one(struct copi_list *waiters)
{
    drop_stale(waiters);
    struct copi_message *node =
        waiters->count > 0 ? copi_list_remove(waiters, &waiters->first) : NULL;
    if (node) {
        node->next = NULL;
    }
    return node;
}

struct copi_message *
copi_waiters_take_all(struct copi_list *waiters)
{
    struct copi_message *first = waiters->first;
    copi_list_init(waiters);
    return first;
}

void
copi_waiters_tell(struct copi_message *nodes, void *(*hold)(void *env), void (*drop)(void *held),
                  void *env)
{
    while (nodes) {
        struct copi_message *node = nodes;
        cop_pid to = node->from;
        nodes = node->next;
        node->from = COP_NOBODY;
        node->flags |= COPI_OUTSIDE;
        *(struct copi_outside *)(void *)node->body =
            (struct copi_outside){.data = hold(env), .drop = drop};
        copi_notice_post(to, node);
    }
}

void
copi_waiters_free(struct copi_list *waiters)
{
    while (waiters->count > 0) {
        copi_message_free(copi_list_remove(waiters, &waiters->first));
    }
}
