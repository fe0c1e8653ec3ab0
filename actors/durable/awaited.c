/*
 * actors/durable/awaited.c - the futures of pending promises that somebody here awaits, by id.
 *
 * Room: actors/durable/. The store's process; a cancellation, in whatever thread.
 * Touch freely: when it is swept. Ask first: who may settle one.
 *
 * However many recover a promise, they share one future, a cell. The table holds it, and whoever recovered it. Only
 * the store's process settles cells, and only with what is on the disk: so a cancellation settles nothing. It
 * is sent to the store as what it is, a settle, and the cell has what comes of that.
 *
 * A cell that nobody else holds is of no use: it is let go when the table has grown to twice what was left
 * of it the last time. Nobody but this process hands out holds on a cell that has one left, so that does not change while
 * it looks. Handlers and waits hold what they wait for; a message that was asked for (cop_future_notify) does not,
 * so a cell with any of them stays.
 */
#include "actors/durable/awaited.h"

#include "actors/durable/ask.h"
#include "actors/durable/record.h"
#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SWEEP = 64
};

struct copi_cell {
    cop_future future;
    struct copi_set_member member;
    cop_pid store;
    bool is_hinted;
    TAILQ_ENTRY(copi_cell) in_hinted;
    char id[];
};

/* ---------------------------------------------------------------- a cell */

static struct copi_cell *
of(cop_future *future)
{
    return (struct copi_cell *)(void *)future;
}

static struct copi_cell *
of_member(struct copi_set_member *member)
{
    return member
               ? (struct copi_cell *)(void *)((char *)member - offsetof(struct copi_cell, member))
               : NULL;
}

/* The promise is cancelled, and with it, in due time, the future. */
static int
cancel(cop_future *future, const cop_reason *why)
{
    const struct copi_cell *cell = of(future);
    return copi_ask_post(cell->store, &(cop_store_op){
                                          .kind = COP_STORE_SETTLE,
                                          .id = cell->id,
                                          .state = COP_DURABLE_REJECTED,
                                          .cause = COP_DURABLE_CANCELLED,
                                          .code = -ECANCELED,
                                          .text = why->text,
                                      });
}

static void
free_cell(cop_future *future)
{
    free(of(future));
}

static const struct copi_source source = {.cancel = cancel, .free = free_cell};

static struct copi_cell *
new_cell(const char *id, cop_pid store, const char *file, int line)
{
    size_t size = strlen(id) + 1;
    struct copi_cell *cell = copi_zalloc(sizeof *cell + size);
    if (cell) {
        copi_future_init(&cell->future, &(struct copi_future_init){&source, COP_ANY, file, line});
        memcpy(cell->id, id, size);
        cell->member.key = (cop_bytes){cell->id, size - 1};
        cell->member.hash = copi_hash(cell->member.key, 0);
        cell->store = store;
    }
    return cell;
}

/* -ENOMEM: it is pending still. */
static int
settle(struct copi_cell *cell, const cop_durable_record *record)
{
    if (record->state == COP_DURABLE_RESOLVED) {
        return copi_future_resolve(&cell->future, record->value, NULL);
    }
    const cop_reason why = copi_record_reason(record);
    return copi_future_reject(&cell->future, &why);
}

/* ---------------------------------------------------------------- the table */

static struct copi_cell *
find(struct copi_awaited *awaited, const char *id)
{
    if (copi_awaited_count(awaited) == 0) {
        return NULL;
    }
    const cop_bytes key = {id, strlen(id)};
    return of_member(copi_set_find(&awaited->cells, copi_hash(key, 0), key));
}

static void
hint(struct copi_awaited *awaited, struct copi_cell *cell)
{
    if (!cell->is_hinted) {
        cell->is_hinted = true;
        TAILQ_INSERT_TAIL(&awaited->hinted, cell, in_hinted);
    }
}

static void
unhint(struct copi_awaited *awaited, struct copi_cell *cell)
{
    if (cell->is_hinted) {
        cell->is_hinted = false;
        TAILQ_REMOVE(&awaited->hinted, cell, in_hinted);
    }
}

static void
let_go(struct copi_awaited *awaited, struct copi_cell *cell)
{
    unhint(awaited, cell);
    copi_set_remove(&awaited->cells, &cell->member);
    cop_future_release(&cell->future);
}

static bool
is_of_use(const struct copi_cell *cell)
{
    return copi_load_acquire_32(&cell->future.holds) > 1 /* pairs with cop_future_release */
           || copi_load_acquire_ptr(&cell->future.waiters)
           || copi_load_acquire_ptr(&cell->future.continuations);
}

static void
sweep(struct copi_awaited *awaited)
{
    struct copi_set_cursor cursor = {0};
    for (struct copi_cell *cell; (cell = of_member(copi_set_next(&awaited->cells, &cursor)));) {
        if (!is_of_use(cell)) {
            let_go(awaited, cell);
        }
    }
    size_t left = copi_awaited_count(awaited);
    awaited->sweep_at = left > SWEEP / 2 ? 2 * left : SWEEP;
}

void
copi_awaited_init(struct copi_awaited *awaited)
{
    copi_set_init(&awaited->cells);
    awaited->sweep_at = SWEEP;
    TAILQ_INIT(&awaited->hinted);
}

/* ---------------------------------------------------------------- futures */

static cop_future *
share(struct copi_awaited *awaited, struct copi_cell *fresh)
{
    if (copi_awaited_count(awaited) >= awaited->sweep_at) {
        sweep(awaited);
    }
    if (copi_set_add(&awaited->cells, &fresh->member) != 0) {
        cop_future_release(&fresh->future);
        return NULL;
    }
    return cop_future_retain(&fresh->future);
}

cop_future *
copi_awaited_future(struct copi_awaited *awaited, cop_pid store, const cop_durable_record *record,
                    const char *file, int line)
{
    bool is_pending = record->state == COP_DURABLE_PENDING;
    struct copi_cell *known = is_pending ? find(awaited, record->id) : NULL;
    if (known) {
        return cop_future_retain(&known->future);
    }
    struct copi_cell *fresh = new_cell(record->id, store, file, line);
    if (!fresh) {
        return NULL;
    }
    if (is_pending) {
        return share(awaited, fresh);
    }
    if (settle(fresh, record) != 0) {
        cop_future_release(&fresh->future);
        return NULL;
    }
    return &fresh->future;
}

void
copi_awaited_settle(struct copi_awaited *awaited, const cop_durable_record *record)
{
    struct copi_cell *cell = find(awaited, record->id);
    if (!cell || record->state == COP_DURABLE_PENDING) {
        return;
    }
    if (settle(cell, record) == -ENOMEM) {
        hint(awaited, cell);
    } else {
        let_go(awaited, cell);
    }
}

/* ---------------------------------------------------------------- hints */

void
copi_awaited_hint(struct copi_awaited *awaited, const char *id)
{
    struct copi_set_cursor cursor = {0};
    struct copi_cell *cell = id ? find(awaited, id) : NULL;
    if (cell) {
        hint(awaited, cell);
    }
    while (!id && (cell = of_member(copi_set_next(&awaited->cells, &cursor)))) {
        hint(awaited, cell);
    }
}

bool
copi_awaited_is_hinted(const struct copi_awaited *awaited)
{
    return !TAILQ_EMPTY(&awaited->hinted);
}

size_t
copi_awaited_take(struct copi_awaited *awaited, const char *ids[], size_t most)
{
    size_t count = 0;
    for (struct copi_cell *cell; count < most && (cell = TAILQ_FIRST(&awaited->hinted));) {
        unhint(awaited, cell);
        ids[count++] = cell->id;
    }
    return count;
}

void
copi_awaited_clear(struct copi_awaited *awaited)
{
    const cop_reason gone = cop_failed(-EPIPE, "the store ended, and the promise is as it was");
    struct copi_set_cursor cursor = {0};
    for (struct copi_cell *cell; (cell = of_member(copi_set_next(&awaited->cells, &cursor)));) {
        copi_future_reject(&cell->future, &gone);
        let_go(awaited, cell);
    }
    copi_set_clear(&awaited->cells);
}
