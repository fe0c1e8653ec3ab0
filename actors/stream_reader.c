/*
 * actors/stream_reader.c - a queue between a subscription and who takes elements from it: another
 * subscription, or a process.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: who wakes whom.
 *
 * The subscription pushes what it is asked for, and is asked for no more than there is room: `most` at the
 * beginning, and then, as soon as `least` are used, for as many as were used. So the queue never
 * overflows, and the source is not asked for each element singly.
 *
 * Under the lock: the queue, how it ended, and `is_hungry`: somebody has looked and found nothing. Who
 * pushes wakes only then. Nothing of a user's is called under it.
 *
 * The end is in the same order as the elements: it is told when the queue is empty. With eager_error an
 * error is told at once.
 */
#include "actors/stream_reader.h"

#include "actors/future.h"
#include "actors/stream_queue.h"
#include "actors/stream_wait.h"
#include "runtime/alloc.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

struct copi_reader {
    cop_subscription subscription;
    /* constant */
    size_t least;
    bool eager_error;
    cop_subscription *feeds; /* held as long as the subscription runs */
    copi_lock lock;
    /* guarded by it */
    struct copi_queue queue;
    struct copi_stream_waiters waiters;
    size_t used; /* since elements were last asked for */
    bool is_hungry, is_over, is_failed, is_closed;
    cop_reason why;
    /* who takes */
    void *lent; /* the bytes of the last element */
};

static struct copi_reader *
of(cop_subscription *subscription)
{
    return (struct copi_reader *)(void *)subscription;
}

/* ---------------------------------------------------------------- the subscription's side */

static struct copi_message *
feed_locked(struct copi_reader *reader, bool *wakes)
{
    *wakes = reader->is_hungry && reader->feeds;
    reader->is_hungry = false;
    return copi_stream_waiters_take_locked(&reader->waiters);
}

static void
wake(struct copi_reader *reader, struct copi_message *waiters, bool wakes)
{
    copi_stream_wake(waiters);
    if (wakes) {
        copi_subscription_wake(reader->feeds);
    }
}

static void
ask_for_first(cop_subscription *subscription)
{
    copi_subscription_ask(subscription, of(subscription)->queue.bound);
}

static int
push(cop_subscription *subscription, void *room)
{
    struct copi_reader *reader = of(subscription);
    int r = copi_element_keep(&reader->queue.elements, room);
    bool wakes;
    if (r) {
        return r;
    }
    copi_taken(subscription);
    copi_lock_take(&reader->lock);
    bool is_wanted = !reader->is_closed;
    if (is_wanted) {
        copi_queue_push(&reader->queue, room);
    }
    struct copi_message *waiters = feed_locked(reader, &wakes);
    copi_lock_give(&reader->lock);
    wake(reader, waiters, wakes);
    if (!is_wanted) {
        copi_element_let_go(&reader->queue.elements, room);
    }
    return 0;
}

static void
end(cop_subscription *subscription, const cop_reason *why)
{
    struct copi_reader *reader = of(subscription);
    bool wakes;
    copi_lock_take(&reader->lock);
    reader->is_over = true;
    reader->is_hungry = true; /* it may be waiting for the end, without demand */
    if (why) {
        reader->is_failed = true;
        reader->why = *why;
    }
    struct copi_message *waiters = feed_locked(reader, &wakes);
    copi_lock_give(&reader->lock);
    wake(reader, waiters, wakes);
}

static void
closed(cop_subscription *subscription)
{
    if (of(subscription)->feeds) {
        copi_subscription_branch_closed(subscription);
    }
}

static void
free_reader(cop_subscription *subscription)
{
    struct copi_reader *reader = of(subscription);
    copi_stream_wake(copi_stream_waiters_take_locked(&reader->waiters)); /* of who ended waiting */
    copi_queue_fini(&reader->queue);
    free(reader->lent);
    free(reader);
}

/* ---------------------------------------------------------------- who takes */

/* What is taken makes room: so many are to be asked for. */
static size_t
take_locked(struct copi_reader *reader, void *room)
{
    copi_queue_pop(&reader->queue, room);
    size_t asks = ++reader->used >= reader->least ? reader->used : 0;
    reader->used -= asks;
    return asks;
}

static bool
has_element(const struct copi_reader *reader)
{
    return reader->queue.count > 0 && !(reader->is_failed && reader->eager_error);
}

static enum copi_pulled
what_there_is_locked(struct copi_reader *reader, bool is_wanted)
{
    if (has_element(reader)) {
        return is_wanted ? COPI_ELEMENT : COPI_NOT_YET;
    }
    if (reader->is_over) {
        return reader->is_failed ? COPI_BROKEN : COPI_COMPLETE;
    }
    reader->is_hungry = reader->is_hungry || is_wanted;
    return COPI_NOT_YET;
}

enum copi_pulled
copi_reader_take(struct copi_reader *reader, void *room, cop_reason *why)
{
    size_t asks = 0;
    copi_lock_take(&reader->lock);
    enum copi_pulled there_is = what_there_is_locked(reader, room != NULL);
    if (there_is == COPI_ELEMENT) {
        asks = take_locked(reader, room);
    }
    copi_lock_give(&reader->lock);
    if (there_is == COPI_ELEMENT) {
        copi_element_lend(&reader->queue.elements, &reader->lent, room);
    } else if (there_is == COPI_BROKEN) {
        *why = reader->why; /* it has ended: nobody writes it any more */
    }
    if (asks > 0) {
        copi_subscription_ask(&reader->subscription, asks);
    }
    return there_is;
}

bool
copi_reader_has_element(struct copi_reader *reader)
{
    copi_lock_take(&reader->lock);
    bool has = has_element(reader);
    copi_lock_give(&reader->lock);
    return has;
}

static bool
is_there(const void *env)
{
    const struct copi_reader *reader = env;
    return reader->queue.count > 0 || reader->is_over;
}

int
copi_reader_next(struct copi_reader *reader, void *room, struct copi_wait *wait)
{
    cop_reason why;
    int r = 0;
    while (r == 0) {
        switch (copi_reader_take(reader, room, &why)) {
        case COPI_ELEMENT:
            return 0;
        case COPI_COMPLETE:
            return -ENODATA;
        case COPI_BROKEN:
            return copi_fail_why(&why, cop_reason_error(why));
        case COPI_NOT_YET:
            r = copi_stream_wait(&reader->waiters, &reader->lock, is_there, reader, wait);
            break;
        }
    }
    return r;
}

static void
drop_queued(struct copi_reader *reader)
{
    copi_lock_take(&reader->lock);
    reader->is_closed = true;
    struct copi_queue queued = reader->queue;
    reader->queue.count = 0;
    copi_lock_give(&reader->lock);
    copi_queue_clear(&queued); /* nothing is pushed any more: the rooms are ours */
}

void
copi_reader_close(struct copi_reader *reader)
{
    cop_subscription_cancel(&reader->subscription);
    drop_queued(reader);
}

void
copi_reader_release(struct copi_reader *reader)
{
    cop_subscription_release(&reader->subscription);
}

void
copi_reader_abandon(struct copi_reader *reader)
{
    copi_reader_close(reader);
    copi_reader_release(reader);
}

/* ---------------------------------------------------------------- made */

int
copi_reader_new(struct copi_reader **out, cop_stream *claimed, const struct copi_reader_init *how)
{
    static const struct copi_sink sink = {.subscribed = ask_for_first,
                                          .element = push,
                                          .over = end,
                                          .closed = closed,
                                          .free = free_reader};
    struct copi_reader *reader = copi_zalloc(sizeof *reader);
    int r = reader ? copi_queue_init(&reader->queue, &claimed->elements, how->most) : -ENOMEM;
    if (r) {
        copi_stage_let_go(claimed);
        free(reader);
        return copi_fail(r);
    }
    r = copi_subscription_init(&reader->subscription, &sink, claimed, how->file, how->line);
    if (r) {
        copi_queue_fini(&reader->queue);
        free(reader);
        return r;
    }
    copi_lock_init(&reader->lock);
    reader->least = how->least;
    reader->eager_error = how->eager_error;
    *out = reader;
    return 0;
}

void
copi_reader_start(struct copi_reader *reader, cop_subscription *feeds)
{
    reader->feeds = feeds;
    if (feeds) {
        copi_subscription_branch(&reader->subscription, feeds);
    }
    copi_subscription_start(&reader->subscription);
}

cop_subscription *
copi_reader_subscription(struct copi_reader *reader)
{
    return &reader->subscription;
}

const struct copi_elements *
copi_reader_elements(const struct copi_reader *reader)
{
    return &reader->queue.elements;
}

size_t
copi_reader_most(struct copi_reader *reader)
{
    copi_lock_take(&reader->lock);
    size_t most = reader->queue.most;
    copi_lock_give(&reader->lock);
    return most;
}
