/*
 * actors/future.c - the cell of a future: who settles it, who waits for it, who holds it.
 *
 * Room: actors/. Any thread.
 * Touch freely: when nodes are swept. Ask first: the order of claiming, publishing and closing.
 *
 * A cell has one word of state and one list of who waits.
 *
 *   settling      CLAIMED is taken from PENDING by one compare-and-swap; who wins is alone with the
 *                 value and the reason, writes them, and stores RESOLVED or REJECTED (release; pairs
 *                 with the acquire in copi_future_outcome). Then it closes the list, by exchanging
 *                 its head for a mark, and sends each node that it took.
 *   subscribing   pushes a node by compare-and-swap on the head. Whoever finds the mark instead
 *                 knows that the state has been stored before: the exchange that put it there is a
 *                 full barrier, and so is the failed swap.
 *
 * So a node is either in the list that the settler takes, or its owner is told that there is nothing
 * to wait for. No lock, and the node is the reply: settling needs no memory and cannot fail.
 *
 * A wait that has ended early leaves its node behind (see notice.c). So that a future that is never
 * settled does not collect the nodes of everyone who was ever tired of it, every so many pushes the
 * pusher sweeps: it takes the whole list, in exchange for an empty one, lets go of what nobody waits
 * for, and pushes the rest again, one by one. Should the list have been closed meanwhile, the sweeper
 * sends them itself. The number of pushes to the next sweep is that of the nodes that are left, and at
 * least SWEEP: the cost of a sweep is paid by the pushes before it.
 *
 * tests/model/settle.pml is searched for every order in which these steps can come.
 *
 * A node that is a notice holds the cell: whoever gets it can still read the value, whatever others
 * have released meanwhile.
 */
#include "actors/future.h"

#include "actors/continuation.h"
#include "actors/track.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/notice.h"
#include "runtime/process.h"
#include "runtime/send.h"
#include "runtime/table.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SWEEP = 64
};

/* ---------------------------------------------------------------- a cell */

static struct copi_message closed; /* the mark; only its address counts */

static cop_future no_memory = {
    .holds = 1,
    .state = COPI_REJECTED,
    .waiters = &closed,
    .value_size = COP_ANY,
    .why = {.kind = COP_FAILED, .code = -ENOMEM},
};

cop_future *
copi_future_no_memory(void)
{
    copi_fail(-ENOMEM);
    return &no_memory;
}

void
copi_future_init_part(cop_future *future, const struct copi_future_init *how)
{
    *future = (cop_future){
        .source = how->source,
        .file = how->file,
        .line = how->line,
        .holds = 1,
        .state = COPI_PENDING,
        .until_sweep = SWEEP,
        .value_size = how->value_size,
    };
    copi_live_born(COPI_LIVE_FUTURE);
}

void
copi_future_init(cop_future *future, const struct copi_future_init *how)
{
    copi_future_init_part(future, how);
    copi_track_begin(future);
}

cop_future *
cop_future_retain(cop_future *future)
{
    if (future->source) {
        copi_fetch_add_32(&future->holds, 1);
    }
    return future;
}

bool
copi_future_retain_held(cop_future *future)
{
    uint32_t holds = copi_load_relaxed_32(&future->holds);
    while (holds > 0) {
        if (copi_cas_32(&future->holds, &holds, holds + 1)) {
            return true;
        }
    }
    return false;
}

static void
free_value(cop_future *future)
{
    if (copi_load_relaxed_32(&future->state) == COPI_RESOLVED && future->drop) {
        union {
            const void *in;
            void *out;
        } value = {.in = future->value.data};
        copi_run_drop(future->drop, value.out);
    }
    free(future->outside);
    cop_future_release(future->shown);
}

void
cop_future_release(cop_future *future)
{
    if (!future || !future->source) {
        return;
    }
    if (copi_fetch_add_32(&future->holds, (uint32_t)-1) == 1) {
        if (copi_is_tracked(future)) {
            copi_track_end(future);
        }
        free_value(future);
        copi_live_gone(COPI_LIVE_FUTURE);
        future->source->free(future);
    }
}

/* ---------------------------------------------------------------- who waits */

static void
release(void *future)
{
    cop_future_release(future);
}

static struct copi_outside *
body_of(struct copi_message *node)
{
    return (struct copi_outside *)(void *)node->body;
}

/* A notice takes a hold with it. */
static void
load(cop_future *future, struct copi_message *node)
{
    if (node->kind == COPI_NOTE) {
        node->flags |= COPI_OUTSIDE;
        *body_of(node) = (struct copi_outside){.data = cop_future_retain(future), .drop = release};
    }
}

static void
send(const cop_future *future, struct copi_message *node)
{
    cop_pid to = node->from;
    node->from = COP_NOBODY;
    if (node->kind == COPI_NOTE) {
        copi_notice_post(to, node);
    } else {
        struct cop_settled *settled = (struct cop_settled *)(void *)node->body;
        settled->code = copi_future_outcome(future);
        copi_post(to, node);
    }
}

static bool
is_wanted(const struct copi_message *node)
{
    return node->kind == COPI_NOTE ? copi_notice_is_wanted(node->from, node->ref)
                                   : copi_table_find(node->from) != NULL;
}

/* In the order of subscribing. */
static struct copi_message *
reverse(struct copi_message *newest)
{
    struct copi_message *oldest = NULL;
    while (newest) {
        struct copi_message *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

static bool
push(cop_future *future, struct copi_message *node)
{
    void *head = copi_load_acquire_ptr(&future->waiters);
    do {
        if (head == &closed) {
            return false;
        }
        node->next = head;
    } while (!copi_cas_ptr(&future->waiters, &head, node)); /* pairs with close_list's exchange */
    return true;
}

static void
sweep(cop_future *future)
{
    /* Only if it is open: an exchange would open it again. */
    void *head = copi_load_acquire_ptr(&future->waiters);
    do {
        if (head == &closed) {
            return;
        }
    } while (!copi_cas_ptr(&future->waiters, &head, NULL));
    uint32_t left = 0;
    struct copi_message *node = reverse(head);
    while (node) {
        struct copi_message *next = node->next;
        if (!is_wanted(node)) {
            copi_message_free(node);
        } else if (push(future, node)) {
            left++;
        } else {
            send(future, node);
        }
        node = next;
    }
    copi_store_relaxed_32(&future->until_sweep, left > SWEEP ? left : SWEEP);
}

void
copi_future_subscribe(cop_future *future, cop_pid to, struct copi_message *node)
{
    node->from = to;
    load(future, node);
    if (!push(future, node)) {
        send(future, node);
    } else if (copi_fetch_add_32(&future->until_sweep, (uint32_t)-1) == 1) {
        sweep(future);
    }
}

/* ---------------------------------------------------------------- settling */

bool
copi_future_claim(cop_future *future)
{
    uint32_t pending = COPI_PENDING;
    return copi_cas_32(&future->state, &pending, COPI_CLAIMED);
}

static void
publish(cop_future *future, enum copi_future_state state)
{
    if (copi_is_tracked(future)) {
        copi_track_settled(future);
    }
    copi_store_release_32(&future->state, state); /* pairs with copi_future_outcome */
    struct copi_message *node = reverse(copi_exchange_ptr(&future->waiters, &closed));
    while (node) {
        struct copi_message *next = node->next;
        send(future, node);
        node = next;
    }
    copi_continuations_due(future);
}

void
copi_future_publish_value(cop_future *future, const void *data, size_t size)
{
    future->value = (cop_bytes){data, size};
    publish(future, COPI_RESOLVED);
}

void
copi_future_publish_reason(cop_future *future, const cop_reason *reason)
{
    future->why = *reason;
    publish(future, COPI_REJECTED);
}

int
copi_future_reject(cop_future *future, const cop_reason *reason)
{
    if (!copi_future_claim(future)) {
        return -EALREADY;
    }
    copi_future_publish_reason(future, reason);
    return 0;
}

static int
resolve_copy(cop_future *future, cop_bytes value, void *inside)
{
    if (!copi_future_claim(future)) {
        return -EALREADY;
    }
    if (value.size > 0) {
        memcpy(inside, value.data, value.size);
    }
    copi_future_publish_value(future, inside, value.size);
    return 0;
}

int
copi_future_resolve(cop_future *future, cop_bytes value, void *inside)
{
    if (future->value_size != COP_ANY) {
        return value.size == future->value_size ? resolve_copy(future, value, inside) : -EMSGSIZE;
    }
    void *copy = copi_alloc(value.size ? value.size : 1);
    if (!copy) {
        return -ENOMEM;
    }
    if (!copi_future_claim(future)) {
        free(copy);
        return -EALREADY;
    }
    if (value.size > 0) {
        memcpy(copy, value.data, value.size);
    }
    future->outside = copy;
    copi_future_publish_value(future, copy, value.size);
    return 0;
}

int
copi_future_resolve_move(cop_future *future, void *data, size_t size, void (*drop)(void *data))
{
    if (future->value_size != COP_ANY && future->value_size != size) {
        return -EMSGSIZE;
    }
    if (!copi_future_claim(future)) {
        return -EALREADY;
    }
    future->drop = drop;
    copi_future_publish_value(future, data, size);
    return 0;
}

/* Who has the bytes that it shows: were each held by the next, they would go by a call in a call. */
static cop_future *
owner_of_value(cop_future *settled)
{
    return settled->shown ? settled->shown : settled;
}

int
copi_future_adopt(cop_future *future, cop_future *settled)
{
    const cop_reason another_size = cop_failed(-EMSGSIZE, NULL);
    size_t size = future->value_size;
    if (copi_future_outcome(settled) != 0) {
        return copi_future_reject(future, &settled->why);
    }
    if (size != COP_ANY && size != settled->value.size) {
        return copi_future_reject(future, &another_size);
    }
    if (!copi_future_claim(future)) {
        return -EALREADY;
    }
    future->shown = cop_future_retain(owner_of_value(settled));
    copi_future_publish_value(future, settled->value.data, settled->value.size);
    return 0;
}

/* ---------------------------------------------------------------- what it says */

void
copi_future_observed(cop_future *future)
{
    if (copi_is_tracked(future)) {
        copi_track_observed(future);
    }
}

cop_future *
copi_future_wanted(cop_future *future, cop_time timeout)
{
    const struct copi_source *source = future->source;
    copi_future_observed(future);
    cop_future *instead = source && source->wanted ? source->wanted(future, timeout) : NULL;
    return instead ? instead : cop_future_retain(future);
}

int
copi_future_outcome(const cop_future *future)
{
    switch (copi_load_acquire_32(&future->state)) { /* pairs with publish */
    case COPI_RESOLVED:
        return 0;
    case COPI_REJECTED:
        return cop_reason_error(future->why);
    default:
        return -EINPROGRESS;
    }
}

int
cop_future_state(cop_future *future, cop_reason *reason)
{
    int r = copi_future_outcome(future);
    copi_future_observed(future);
    if (reason && r != 0 && r != -EINPROGRESS) {
        *reason = future->why;
    }
    return r;
}

cop_pid
cop_future_pid(cop_future *future)
{
    return future->source && future->source->pid ? future->source->pid(future) : COP_NOBODY;
}

int
cop_future_cancel(cop_future *future, cop_reason cause)
{
    if (!future->source || copi_future_outcome(future) != -EINPROGRESS) {
        return -EALREADY;
    }
    cop_reason why = {.kind = COP_SHUTDOWN, .code = -ECANCELED};
    cop_reason_string(cause, why.text, sizeof why.text);
    return future->source->cancel ? future->source->cancel(future, &why)
                                  : copi_future_reject(future, &why);
}

cop_ref
cop_future_notify(cop_future *future, uint32_t tag)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r == 0 && tag >= COP_MSG_RESERVED) {
        r = -EINVAL;
    }
    struct copi_message *node =
        r ? NULL : copi_message_new(COPI_SEND, tag, sizeof(struct cop_settled));
    if (!node) {
        copi_fail(r ? r : -ENOMEM);
        return (cop_ref){0};
    }
    cop_future *awaited = copi_future_wanted(future, -1);
    cop_ref ref = copi_make_ref(self, self->index);
    memcpy(node->body, &(struct cop_settled){.ref = ref}, sizeof(struct cop_settled));
    copi_future_subscribe(awaited, self->pid, node);
    cop_future_release(awaited);
    return ref;
}
