/*
 * runtime/live.h - how many objects of each kind are alive.
 *
 * Room: runtime/. Knows the seam. Any thread.
 * Touch freely: the kinds. One more is a line in live_kinds.h, a copi_live_born where its objects are made and a
 * copi_live_gone where they are freed. Ask first: who writes a cell.
 */
#ifndef COPI_RUNTIME_LIVE_H
#define COPI_RUNTIME_LIVE_H

#include "runtime/thread.h"

void copi_live_change_slow(enum copi_live_kind kind, uint64_t change);

static inline void
copi_live_change(enum copi_live_kind kind, uint64_t change)
{
    copi_atomic64 *count = &copi_here.live.count[kind];
    if (copi_here.live.state == COPI_CELL_LISTED) {
        copi_store_relaxed_64(count, copi_load_relaxed_64(count) + change);
    } else {
        copi_live_change_slow(kind, change);
    }
}

static inline void
copi_live_born(enum copi_live_kind kind)
{
    copi_live_change(kind, 1);
}

static inline void
copi_live_gone(enum copi_live_kind kind)
{
    copi_live_change(kind, (uint64_t)-1);
}

/* The calling thread ends. What it has counted stays; what it counts from here on costs more. */
void copi_live_leave(void);

#endif
