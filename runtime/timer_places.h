/*
 * runtime/timer_places.h - where timers lie, and how they are found again.
 *
 * Room: runtime/. Who holds the timers' lock; test_timer_places.c has places of its own.
 *
 * Timers lie in chunks, and a reference is a place in them and a count, as a pid is: a timer that is gone is
 * not found. Chunks are kept for the timers to come, until they are trimmed. Beside them are a few places that
 * cost no memory, to which no reference is given out.
 *
 * What is done for each timer is inline here: it is done under a lock for which others wait.
 */
#ifndef COPI_RUNTIME_TIMER_PLACES_H
#define COPI_RUNTIME_TIMER_PLACES_H

#include "runtime/timer_plan.h"

#include <stddef.h>

struct copi_timer {
    /* guarded by heap_lock; by lock while it is new */
    struct copi_timer *child, *sibling, **link; /* the heap; link: what points here */
    /* written under both */
    uint64_t order;
    struct copi_timer_plan plan;
    /* guarded by lock */
    struct copi_timer *next_of_process, **process_link;
    uint64_t count; /* with the place, the reference */
    uint32_t place;
    bool is_set;
    struct copi_timer *next_free;
};

enum {
    COPI_TIMER_COUNT_BITS = 40, /* of a reference; the others are the place */
    COPI_TIMER_SPARE = 64,      /* places when there is no memory */
};

/* Zeroed, none. */
struct copi_timer_places {
    uint64_t count; /* of all references ever */
    struct copi_timer **chunks, *free;
    uint32_t chunk_count, chunk_room;
    struct copi_timer spare[COPI_TIMER_SPARE], *free_spare;
    uint32_t spare_count; /* that have been used yet */
};

/* One more than those that are free. -ENOMEM; -EAGAIN: there are too many. For a call without a reference it is a
 * spare one then, if one is left. */
int copi_timer_places_more(struct copi_timer_places *places, bool is_call, struct copi_timer **out);

/* A place for this plan, linked nowhere; the errors are those of copi_timer_places_more. */
static inline int
copi_timer_places_take(struct copi_timer_places *places, const struct copi_timer_plan *plan,
                       struct copi_timer **out)
{
    struct copi_timer *timer = places->free;
    if (timer) {
        places->free = timer->next_free;
    } else {
        int r = copi_timer_places_more(places, plan->fn != NULL, &timer);
        if (r) {
            return r;
        }
    }
    timer->plan = *plan;
    timer->child = NULL;
    timer->sibling = NULL;
    timer->process_link = NULL;
    timer->count = ++places->count & ((UINT64_C(1) << COPI_TIMER_COUNT_BITS) - 1);
    timer->is_set = true;
    *out = timer;
    return 0;
}

/* It is linked nowhere any more; what it was to do can be read until the next one is taken. */
static inline void
copi_timer_places_give(struct copi_timer_places *places, struct copi_timer *timer)
{
    bool is_spare = timer >= places->spare && timer < places->spare + COPI_TIMER_SPARE;
    struct copi_timer **free = is_spare ? &places->free_spare : &places->free;
    timer->is_set = false;
    timer->next_free = *free;
    *free = timer;
}

/* NULL: it is gone, or never was. */
struct copi_timer *copi_timer_places_find(const struct copi_timer_places *places, cop_ref ref);

/* The memory goes back: when no timer is set. */
void copi_timer_places_trim(struct copi_timer_places *places);

static inline cop_ref
copi_timer_reference(const struct copi_timer *timer)
{
    return (cop_ref){((uint64_t)(timer->place + 1) << COPI_TIMER_COUNT_BITS) | timer->count};
}

#endif
