/*
 * actors/durable/store_duties.c - what a store does by itself: deadlines, retention, looking at what others do.
 *
 * Room: actors/durable/. The store's process.
 * Touch freely: how often. Ask first: nothing.
 *
 * Times here are of the monotonic clock and only say when to look. What is overdue, and what is old, the
 * backend decides, by its own clock, when it is asked; and it says when there will be more. A time that is
 * too early costs an operation that finds nothing; one that is too late, a delay. So what others create is looked
 * for when a change of theirs is noticed, but not more often than once in OTHERS.
 */
#include "actors/durable/store.h"

#include <errno.h>

#define OTHERS      COP_SEC(1)
#define PRUNE_MIN   COP_MS(10)
#define PRUNE_MAX   COP_SEC(60)
#define AGAIN_AFTER COP_SEC(1) /* an error */
#define LOOK_AGAIN  COP_MS(100)

enum {
    AT_ONCE = 1000 /* promises that one operation settles or forgets */
};

static cop_time
after(cop_time delay)
{
    cop_time now = cop_now();
    return delay >= COP_FOREVER - now ? COP_FOREVER : now + delay;
}

static void
no_later(cop_time *due, cop_time when)
{
    *due = when < *due ? when : *due;
}

static cop_time
between_prunes(const struct copi_store *store)
{
    cop_time keep = store->opts.keep_settled / 4;
    return keep < PRUNE_MIN ? PRUNE_MIN : keep > PRUNE_MAX ? PRUNE_MAX : keep;
}

void
copi_duties_init(struct copi_store *store)
{
    cop_time now = cop_now();
    store->due = (struct copi_duties){
        .expire_at = now,
        .prune_at = store->opts.keep_settled ? now : COP_FOREVER,
        .expired = now,
        .poll_at = COP_FOREVER,
        .reopen_at = COP_FOREVER,
    };
}

/* ---------------------------------------------------------------- when */

static bool
is_anything_awaited(const struct copi_store *store)
{
    return copi_awaited_count(&store->awaited) > 0;
}

/* The poll runs while somebody waits; and what could not be looked at is looked at again. */
static void
arrange_poll(struct copi_store *store)
{
    struct copi_duties *due = &store->due;
    cop_time poll = store->backend->poll ? store->backend->poll : COP_FOREVER;
    if (!is_anything_awaited(store) || !store->is_open) {
        due->poll_at = COP_FOREVER;
    } else if (due->poll_at == COP_FOREVER) {
        due->poll_at = after(poll);
    }
    if (store->is_open && copi_awaited_is_hinted(&store->awaited)) {
        no_later(&due->poll_at, after(LOOK_AGAIN));
    }
}

cop_time
copi_duties_next(struct copi_store *store)
{
    const struct copi_duties *due = &store->due;
    arrange_poll(store);
    cop_time next = due->poll_at;
    no_later(&next, due->reopen_at);
    if (!store->closed) {
        no_later(&next, due->expire_at);
        no_later(&next, due->prune_at);
    }
    return next;
}

bool
copi_duties_poll(struct copi_store *store)
{
    bool is_due = cop_now() >= store->due.poll_at;
    if (is_due) {
        store->due.poll_at = COP_FOREVER;
    }
    return is_due;
}

/* ---------------------------------------------------------------- operations of the store's own */

size_t
copi_duties_begin(struct copi_store *store, cop_store_op **ops)
{
    cop_time now = cop_now();
    size_t count = 0;
    if (store->closed) {
        return 0;
    }
    if (now >= store->due.expire_at) {
        store->own[count++] = (cop_store_op){.kind = COP_STORE_EXPIRE, .limit = AT_ONCE};
    }
    if (now >= store->due.prune_at) {
        store->own[count++] = (cop_store_op){
            .kind = COP_STORE_PRUNE,
            .time = store->opts.keep_settled,
            .limit = AT_ONCE,
        };
    }
    for (size_t i = 0; i < count; i++) {
        ops[i] = &store->own[i];
    }
    return count;
}

static void
end(struct copi_store *store, const cop_store_op *op, int error)
{
    bool is_more = op->count >= op->limit;
    cop_time *due = op->kind == COP_STORE_EXPIRE ? &store->due.expire_at : &store->due.prune_at;
    cop_time pause = op->kind == COP_STORE_EXPIRE ? op->left : between_prunes(store);
    *due = after(error ? AGAIN_AFTER : is_more ? 0 : pause);
    if (op->kind == COP_STORE_EXPIRE) {
        store->due.expired = cop_now();
    }
}

void
copi_duties_end(struct copi_store *store, size_t count, int error)
{
    for (size_t i = 0; i < count; i++) {
        end(store, &store->own[i], error);
        cop_store_forget(&store->own[i]);
    }
}

/* ---------------------------------------------------------------- what the others mean for them */

static bool
is_last_lease(const cop_durable_record *record)
{
    return record->max_attempts > 0 && record->attempts >= record->max_attempts
           && record->lease_left > 0;
}

static void
note_leases(struct copi_store *store, const cop_store_op *op)
{
    for (const cop_durable_record *record = op->first; record; record = record->next) {
        if (is_last_lease(record)) {
            no_later(&store->due.expire_at, after(record->lease_left));
        }
    }
}

void
copi_duties_note(struct copi_store *store, const struct copi_ask *ask)
{
    const cop_store_op *op = &ask->op;
    if (op->kind == COP_STORE_CREATE && op->time > 0 && op->result == 0) {
        no_later(&store->due.expire_at, after(op->time));
    }
    if (op->kind == COP_STORE_ACQUIRE || op->kind == COP_STORE_CLAIM
        || op->kind == COP_STORE_INHERIT) {
        note_leases(store, op);
    }
    if (ask->is_recovery && op->result == 0 && op->first->deadline_ms != 0) {
        copi_duties_others(store); /* it may be others' */
    }
}

void
copi_duties_others(struct copi_store *store)
{
    if (store->backend->poll) {
        cop_time now = cop_now(), soonest = store->due.expired + OTHERS;
        no_later(&store->due.expire_at, soonest > now ? soonest : now);
    }
}
