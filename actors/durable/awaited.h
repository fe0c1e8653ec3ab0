/*
 * actors/durable/awaited.h - the futures of pending promises that somebody here awaits, by id.
 *
 * Room: actors/durable/. The store's process.
 */
#ifndef COPI_ACTORS_DURABLE_AWAITED_H
#define COPI_ACTORS_DURABLE_AWAITED_H

#include "actors/future.h"
#include "runtime/set.h"

#include <coppice/store.h>

#include <sys/queue.h>

struct copi_cell;

struct copi_awaited {
    struct copi_set cells;
    size_t sweep_at; /* with so many, those that nobody holds are let go */
    TAILQ_HEAD(copi_hinted, copi_cell) hinted; /* to be read again */
};

void copi_awaited_init(struct copi_awaited *awaited);

/* How many there are. */
static inline size_t
copi_awaited_count(const struct copi_awaited *awaited)
{
    return awaited->cells.count;
}

/*
 * The future of a promise, as the record has it: one that is settled, or the one future of that id, which is
 * settled by copi_awaited_settle. NULL: out of memory. The caller gets a hold.
 *
 *   store   whom a cancellation is sent to
 */
cop_future *copi_awaited_future(struct copi_awaited *awaited, cop_pid store,
                                const cop_durable_record *record, const char *file, int line);

/*
 * The promise is settled, and that is on the disk: so is its future, if there is one. Out of memory for the value,
 * it stays, and is hinted at.
 */
void copi_awaited_settle(struct copi_awaited *awaited, const cop_durable_record *record);

/* Something may have become of this promise; NULL: of any. */
void copi_awaited_hint(struct copi_awaited *awaited, const char *id);

/* Whether any is to be read again. */
bool copi_awaited_is_hinted(const struct copi_awaited *awaited);

/*
 * Take the ids of at most `most` that are to be read again. They are borrowed until those are settled. The hints
 * on them are gone; when nothing came of reading, copi_awaited_hint says so.
 */
size_t copi_awaited_take(struct copi_awaited *awaited, const char *ids[], size_t most);

/* The store ends: reject them all, with -EPIPE. */
void copi_awaited_clear(struct copi_awaited *awaited);

#endif
