/*
 * runtime/timer_heap.c - timers in the order in which they are due.
 *
 * Room: runtime/. Who holds the timers' heap_lock.
 * Touch freely: all of it, with the model in tests/model.
 */
#include "runtime/timer_heap.h"

#include <stddef.h>

static bool
is_before(const struct copi_timer *a, const struct copi_timer *b)
{
    cop_time earlier = a->plan.deadline, later = b->plan.deadline;
    return earlier != later ? earlier < later : a->order < b->order;
}

static struct copi_timer *
meld(struct copi_timer *a, struct copi_timer *b)
{
    if (!a || !b) {
        return a ? a : b;
    }
    if (is_before(b, a)) {
        struct copi_timer *swapped = a;
        a = b;
        b = swapped;
    }
    b->sibling = a->child;
    if (b->sibling) {
        b->sibling->link = &b->sibling;
    }
    a->child = b;
    b->link = &a->child;
    return a;
}

/* Two passes over the children: pairs from left to right, then all into one. */
static struct copi_timer *
meld_children(struct copi_timer *child)
{
    struct copi_timer *pairs = NULL;
    while (child) {
        struct copi_timer *a = child, *b = a->sibling;
        child = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b) {
            b->sibling = NULL;
        }
        struct copi_timer *pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    struct copi_timer *whole = NULL;
    while (pairs) {
        struct copi_timer *next = pairs->sibling;
        pairs->sibling = NULL;
        whole = meld(whole, pairs);
        pairs = next;
    }
    return whole;
}

static void
set_first(struct copi_timer_heap *heap, struct copi_timer *first)
{
    heap->first = first;
    if (first) {
        first->link = &heap->first;
        first->sibling = NULL;
    }
}

void
copi_timer_heap_add(struct copi_timer_heap *heap, struct copi_timer *list)
{
    set_first(heap, meld(heap->first, meld_children(list)));
}

void
copi_timer_heap_take_out(struct copi_timer_heap *heap, struct copi_timer *timer)
{
    struct copi_timer *rest = meld_children(timer->child);
    timer->child = NULL;
    if (timer == heap->first) {
        set_first(heap, rest);
        return;
    }
    *timer->link = timer->sibling;
    if (timer->sibling) {
        timer->sibling->link = timer->link;
    }
    set_first(heap, meld(heap->first, rest));
}
