/*
 * runtime/timer_heap.h - timers in the order in which they are due.
 *
 * Room: runtime/. Who holds the timers' heap_lock.
 *
 * A pairing heap: what is added costs a few steps, what is taken out a logarithm of them on average. Each timer
 * knows what points at it, so that one can be taken out from anywhere, and so can one of a list that is linked
 * as children are.
 */
#ifndef COPI_RUNTIME_TIMER_HEAP_H
#define COPI_RUNTIME_TIMER_HEAP_H

#include "runtime/timer_places.h"

/* Zeroed, empty. The earliest deadline comes first, and of equal ones what was set first. */
struct copi_timer_heap {
    struct copi_timer *first;
};

/* All of a list made by copi_timer_list. */
void copi_timer_heap_add(struct copi_timer_heap *heap, struct copi_timer *list);

/* From the heap, or from a list that is not in it yet. */
void copi_timer_heap_take_out(struct copi_timer_heap *heap, struct copi_timer *timer);

/* In front of a list; it has no children. */
static inline void
copi_timer_list(struct copi_timer **list, struct copi_timer *timer)
{
    timer->sibling = *list;
    if (*list) {
        (*list)->link = &timer->sibling;
    }
    *list = timer;
    timer->link = list;
}

#endif
