/*
 * actors/stream_sender.c - a stream with a sender: any process puts elements in, up to a bound.
 *
 * Room: actors/. Any thread, and the stream's subscription.
 * Touch freely: nothing. Ask first: who is woken when.
 *
 * Both ends are one block of memory: the stage, which the stream's holds keep, and the sender. Whichever
 * is let go of last frees it.
 *
 * Between them is a queue under a lock. Who sends wakes the subscription only if it has looked and found
 * the queue empty. Who waits for room is woken when the queue is half empty, so that not every element
 * costs a switch from one thread to another; or when the subscription stops asking, with room there.
 *
 * A sender that is blocked has its element still; what is in the queue is the queue's. When the stream is
 * over the queue is emptied, and `is_gone` refuses what comes later: so each element is dropped by exactly
 * one. Drop functions are called without the lock.
 */
#include "actors/stream.h"
#include "actors/stream_queue.h"
#include "actors/stream_wait.h"
#include "runtime/alloc.h"
#include "runtime/inbox.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BOUND = 64
};

struct cop_sender {
    cop_stream stage;
    copi_atomic32 sides; /* that are there */
    /* constant */
    cop_stream_full when_full;
    bool eager_error;
    copi_lock lock;
    /* guarded by it */
    struct copi_queue queue;
    struct copi_stream_waiters waiters;
    cop_subscription *subscription; /* NULL: none, or it is over */
    bool is_hungry, is_ended, is_failed, is_gone;
    cop_reason why;
    uint64_t dropped;
    /* in the subscription */
    void *lent; /* the bytes of the last element */
};

static cop_sender *
of(cop_stream *stage)
{
    return (cop_sender *)(void *)stage;
}

static void
leave(cop_sender *sender)
{
    if (copi_fetch_add_32(&sender->sides, (uint32_t)-1) == 1) {
        copi_queue_fini(&sender->queue);
        free(sender->lent);
        free(sender);
    }
}

/* Whom to wake when the lock has been given back: held. */
static cop_subscription *
whom_to_wake_locked(cop_sender *sender)
{
    sender->is_hungry = false;
    return sender->subscription ? copi_subscription_retain(sender->subscription) : NULL;
}

static void
wake(cop_subscription *subscription)
{
    if (subscription) {
        copi_subscription_wake(subscription);
        cop_subscription_release(subscription);
    }
}

/* ---------------------------------------------------------------- as a stage */

static void
open_source(cop_stream *stage, cop_subscription *subscription)
{
    cop_sender *sender = of(stage);
    copi_lock_take(&sender->lock);
    sender->subscription = subscription;
    copi_lock_give(&sender->lock);
}

static enum copi_pulled
what_there_is_locked(cop_sender *sender, bool is_wanted)
{
    if (sender->queue.count > 0 && !(sender->is_failed && sender->eager_error)) {
        return is_wanted ? COPI_ELEMENT : COPI_NOT_YET;
    }
    if (sender->is_ended) {
        return sender->is_failed ? COPI_BROKEN : COPI_COMPLETE;
    }
    sender->is_hungry = is_wanted;
    return COPI_NOT_YET;
}

/* Who waits for room, and gets it now. */
static struct copi_message *
who_gets_room_locked(cop_sender *sender, bool is_wanted)
{
    const struct copi_queue *queue = &sender->queue;
    bool is_time = is_wanted ? queue->count <= queue->bound / 2 : !copi_queue_is_full(queue);
    return is_time ? copi_stream_waiters_take_locked(&sender->waiters) : NULL;
}

static enum copi_pulled
pull(cop_stream *stage, void *room, cop_reason *why)
{
    cop_sender *sender = of(stage);
    copi_lock_take(&sender->lock);
    enum copi_pulled there_is = what_there_is_locked(sender, room != NULL);
    if (there_is == COPI_ELEMENT) {
        copi_queue_pop(&sender->queue, room);
    }
    struct copi_message *waiters = who_gets_room_locked(sender, room != NULL);
    copi_lock_give(&sender->lock);
    copi_stream_wake(waiters);
    if (there_is == COPI_ELEMENT) {
        copi_element_lend(&sender->queue.elements, &sender->lent, room);
    } else if (there_is == COPI_BROKEN) {
        *why = sender->why; /* it has ended: nobody writes it any more */
    }
    return there_is;
}

/* Nobody will get any more. */
static void
refuse_all(cop_sender *sender)
{
    copi_lock_take(&sender->lock);
    sender->is_gone = true;
    sender->subscription = NULL;
    struct copi_queue queued = sender->queue;
    sender->queue.count = 0;
    struct copi_message *waiters = copi_stream_waiters_take_locked(&sender->waiters);
    copi_lock_give(&sender->lock);
    copi_stream_wake(waiters);
    copi_queue_clear(&queued); /* nothing is pushed any more: the rooms are ours */
}

static void
close_source(cop_stream *stage)
{
    refuse_all(of(stage));
}

static void
free_source(cop_stream *stage)
{
    refuse_all(of(stage));
    leave(of(stage));
}

static const struct copi_stage_kind kind = {.open = open_source,
                                            .pull = pull,
                                            .close = close_source,
                                            .abandon = close_source,
                                            .free = free_source};

/* ---------------------------------------------------------------- sending */

/* An element on its way in, and another that makes room for it. */
struct passage {
    cop_bytes bytes; /* with COP_ANY the room is this */
    const void *room;
    void *oldest; /* room for one that has to be let go of; NULL: none has */
    bool drops_new, drops_old;
};

/* A thing without drop function and bytes of its own need not be looked at when it is dropped. */
static bool
needs_letting_go(const cop_sender *sender)
{
    return sender->queue.elements.drop || copi_are_lent(&sender->queue.elements);
}

static void
end_passage(cop_sender *sender, struct passage *passage, int r)
{
    if (passage->drops_old && passage->oldest) {
        copi_element_let_go(&sender->queue.elements, passage->oldest);
    }
    free(passage->oldest);
    if (passage->drops_new || (r != 0 && copi_are_lent(&sender->queue.elements))) {
        union {
            const void *given;
            void *to_drop;
        } room;
        room.given = passage->room;
        copi_element_let_go(&sender->queue.elements, room.to_drop);
    }
}

static int
begin_passage(const cop_sender *sender, struct passage *passage, cop_bytes element)
{
    const struct copi_elements *elements = &sender->queue.elements;
    bool has_any_size = elements->size == COP_ANY;
    if (!has_any_size && element.size != elements->size) {
        return -EMSGSIZE;
    }
    *passage = (struct passage){.bytes = element};
    passage->room = has_any_size ? &passage->bytes : element.data;
    if (sender->when_full == COP_STREAM_DROP_OLD && needs_letting_go(sender)) {
        passage->oldest = copi_alloc(sender->queue.room_size ? sender->queue.room_size : 1);
        if (!passage->oldest) {
            return -ENOMEM;
        }
    }
    if (has_any_size && copi_element_keep(elements, &passage->bytes) != 0) {
        free(passage->oldest);
        return -ENOMEM;
    }
    return 0;
}

static void
drop_oldest_locked(cop_sender *sender, struct passage *passage)
{
    if (passage->oldest) {
        copi_queue_pop(&sender->queue, passage->oldest);
    } else {
        copi_queue_skip(&sender->queue);
    }
    passage->drops_old = true;
    sender->dropped++;
}

static void
end_locked(cop_sender *sender, const cop_reason *why)
{
    sender->is_ended = true;
    if (why) {
        sender->is_failed = true;
        sender->why = *why;
    }
}

/* -EAGAIN: no room. */
static int
make_room_locked(cop_sender *sender, struct passage *passage)
{
    if (!copi_queue_is_full(&sender->queue)) {
        return 0;
    }
    switch (sender->when_full) {
    case COP_STREAM_BLOCK:
        return -EAGAIN;
    case COP_STREAM_DROP_OLD:
        drop_oldest_locked(sender, passage);
        return 0;
    case COP_STREAM_DROP_NEW:
        passage->drops_new = true;
        sender->dropped++;
        return 0;
    case COP_STREAM_FAIL:
        break;
    }
    const cop_reason why = cop_failed(-EOVERFLOW, "no room for a stream's element");
    end_locked(sender, &why);
    return -EOVERFLOW;
}

static int
put_locked(cop_sender *sender, struct passage *passage)
{
    if (sender->is_gone || sender->is_ended) {
        return sender->is_gone ? -EPIPE : -EALREADY;
    }
    int r = make_room_locked(sender, passage);
    if (r == 0 && !passage->drops_new) {
        copi_queue_push(&sender->queue, passage->room);
    }
    return r;
}

static int
put(cop_sender *sender, struct passage *passage)
{
    copi_lock_take(&sender->lock);
    int r = put_locked(sender, passage);
    bool is_news = r == -EOVERFLOW || (r == 0 && sender->is_hungry);
    cop_subscription *subscription = is_news ? whom_to_wake_locked(sender) : NULL;
    copi_lock_give(&sender->lock);
    wake(subscription);
    return r;
}

static bool
has_room(const void *env)
{
    const cop_sender *sender = env;
    return !copi_queue_is_full(&sender->queue) || sender->is_gone || sender->is_ended;
}

/* Nothing is left of it when there is no room: who waits for that may be ended. */
static int
attempt(cop_sender *sender, cop_bytes element)
{
    struct passage passage;
    int r = begin_passage(sender, &passage, element);
    if (r) {
        return r;
    }
    r = put(sender, &passage);
    end_passage(sender, &passage, r);
    return r;
}

int
cop_stream_try_send(cop_sender *sender, cop_bytes element)
{
    int r = attempt(sender, element);
    return r ? copi_fail(r) : 0;
}

int
cop_stream_send(cop_sender *sender, cop_bytes element, cop_time timeout)
{
    struct copi_process *self;
    struct copi_wait wait = COPI_WAIT("stream", timeout);
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    copi_take_in(self);
    while ((r = attempt(sender, element)) == -EAGAIN) {
        r = copi_stream_wait(&sender->waiters, &sender->lock, has_room, sender, &wait);
        if (r) {
            return copi_wait_failed(r);
        }
    }
    return r ? copi_fail(r) : 0;
}

/* ---------------------------------------------------------------- the end */

static int
end(cop_sender *sender, const cop_reason *why)
{
    cop_subscription *subscription = NULL;
    struct copi_message *waiters = NULL;
    copi_lock_take(&sender->lock);
    bool is_first = !sender->is_ended;
    if (is_first) {
        end_locked(sender, why);
        subscription = whom_to_wake_locked(sender);
        waiters = copi_stream_waiters_take_locked(&sender->waiters);
    }
    copi_lock_give(&sender->lock);
    copi_stream_wake(waiters);
    wake(subscription);
    return is_first ? 0 : copi_fail(-EALREADY);
}

int
cop_stream_close(cop_sender *sender)
{
    return end(sender, NULL);
}

int
cop_stream_fail(cop_sender *sender, cop_reason reason)
{
    return end(sender, &reason);
}

uint64_t
cop_sender_dropped(cop_sender *sender)
{
    copi_lock_take(&sender->lock);
    uint64_t dropped = sender->dropped;
    copi_lock_give(&sender->lock);
    return dropped;
}

void
cop_sender_free(cop_sender *sender)
{
    if (sender) {
        const cop_reason broken = cop_failed(-EPIPE, "the sender is gone");
        (void)end(sender, &broken);
        leave(sender);
    }
}

/* ---------------------------------------------------------------- made */

int
cop_stream_new_with(cop_stream **stream, cop_sender **out, const cop_sender_opts *given)
{
    static const cop_sender_opts none;
    const cop_sender_opts *opts = given ? given : &none;
    const struct copi_elements elements = {opts->size, opts->drop};
    struct copi_queue queue;
    int r = copi_queue_init(&queue, &elements, opts->bound ? opts->bound : BOUND);
    if (r) {
        return copi_fail(r);
    }
    cop_sender *sender =
        copi_stage_new(sizeof *sender, &(struct copi_stage_init){.kind = &kind,
                                                                 .elements = elements,
                                                                 .file = opts->file,
                                                                 .line = opts->line});
    if (!sender) {
        copi_queue_fini(&queue);
        return copi_fail(-ENOMEM);
    }
    sender->queue = queue;
    sender->when_full = opts->when_full;
    sender->eager_error = opts->eager_error;
    copi_store_relaxed_32(&sender->sides, 2);
    copi_lock_init(&sender->lock);
    *stream = &sender->stage;
    *out = sender;
    return 0;
}
