/*
 * runtime/live.c - how many objects of each kind are alive.
 *
 * Room: runtime/. Any thread.
 * Touch freely: nothing. Ask first: who writes a cell.
 *
 * Messages and futures are made and freed by the million, on all cores. One counter for all would be a line
 * that every core fights for. So each thread counts for itself, in a cell of its own, with a plain load, an
 * addition and a store; who wants to know adds the cells up.
 *
 * An object may be freed by another thread than the one that has made it: then one cell says one more and the
 * other one less. A single cell means nothing, and wraps around below zero; only the sum is a number of
 * objects. It is exact for what has happened before the question. What goes on meanwhile may be seen in one
 * cell and missed in another, so a sum may even be below zero for a moment: that is told as 0.
 *
 * Cells are thread-local and hang in a list while their thread lives. Who enters the list has to leave it, so
 * only those do whose end the library sees: its own threads and those that were adopted. A foreign thread that
 * is no process, say one that only ever releases futures, and one that has left already, use the common
 * cell, by an atomic addition. It is also where the count of an ended thread goes.
 *
 *   count          of a listed cell: its thread writes, others read. All relaxed: no count leads to an object,
 *                  and who must see that one is gone learns of it by other means, a join or a message, which
 *                  order these stores, too.
 *   common.count   any thread, by fetch-and-add
 *   the list       under the lock, and so is a thread's leaving: its count is in its cell or in the common
 *                  one, and never in both, for whoever adds up.
 */
#include "runtime/live.h"

#include <coppice/inspect.h>

static struct copi_live_cell common;

static struct {
    copi_lock lock;
    struct copi_live_cell *first; /* guarded by it */
} cells = {.lock = COPI_LOCK_INIT};

static const char *const words_of[] = {
#define XX(name, words) [COPI_LIVE_##name] = (words),
    COPI_LIVE_KINDS(XX)
#undef XX
};

static bool
has_end_that_is_seen(void)
{
    return copi_here.thread || copi_here.is_library || copi_here.process;
}

static void
enter_list(struct copi_live_cell *mine)
{
    copi_lock_take(&cells.lock);
    mine->next = cells.first;
    mine->link = &cells.first;
    if (cells.first) {
        cells.first->link = &mine->next;
    }
    cells.first = mine;
    copi_lock_give(&cells.lock);
    mine->state = COPI_CELL_LISTED;
}

void
copi_live_change_slow(enum copi_live_kind kind, uint64_t change)
{
    struct copi_live_cell *mine = &copi_here.live;
    if (mine->state == COPI_CELL_NEW && has_end_that_is_seen() && !copi_is_forked()) {
        enter_list(mine);
        copi_live_change(kind, change);
    } else {
        copi_fetch_add_64(&common.count[kind], change);
    }
}

void
copi_live_leave(void)
{
    struct copi_live_cell *mine = &copi_here.live;
    if (mine->state == COPI_CELL_LISTED) {
        copi_lock_take(&cells.lock);
        *mine->link = mine->next;
        if (mine->next) {
            mine->next->link = mine->link;
        }
        for (int kind = 0; kind < COPI_LIVE_COUNT; kind++) {
            copi_fetch_add_64(&common.count[kind], copi_load_relaxed_64(&mine->count[kind]));
        }
        copi_lock_give(&cells.lock);
    }
    mine->state = COPI_CELL_LEFT;
}

static size_t
sum_locked(enum copi_live_kind kind)
{
    uint64_t sum = copi_load_relaxed_64(&common.count[kind]);
    for (const struct copi_live_cell *cell = cells.first; cell; cell = cell->next) {
        sum += copi_load_relaxed_64(&cell->count[kind]);
    }
    return (int64_t)sum > 0 ? (size_t)sum : 0;
}

size_t
cop_live(cop_live_count *out, size_t capacity)
{
    if (copi_is_forked()) {
        return 0; /* the lock may be held by a thread that is not here */
    }
    copi_lock_take(&cells.lock);
    for (size_t i = 0; i < COPI_LIVE_COUNT && i < capacity; i++) {
        out[i] = (cop_live_count){words_of[i], sum_locked((enum copi_live_kind)i)};
    }
    copi_lock_give(&cells.lock);
    return COPI_LIVE_COUNT;
}
