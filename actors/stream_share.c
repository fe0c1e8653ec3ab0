/*
 * actors/stream_share.c - one stream for many consumers.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: who makes the source go on, and who ends it.
 *
 * What users hold is a hub. Each that consumes it gets a stage of its own, a listener, with a queue. The
 * stream that is shared runs in a subscription of its own, the feed, whose sink puts a copy of each element
 * into every queue. So each listener sees the same elements in the same order, at its own pace.
 *
 * The feed is asked for as many elements as there is room for: in every queue, if the slowest sets the pace;
 * in any, if elements are dropped for it, or it is disconnected. What was asked for and has not come is
 * counted. More is asked for when that is down to half a bound, so not for each element singly.
 *
 * One lock, the hub's, guards all queues, the list and how it ended. Copies are made and dropped without
 * it. The feed goes through a list of its own, of listeners that it holds, so that they may come and go
 * meanwhile; one that has left is passed over.
 *
 * Who holds whom: a listener and the feed hold the hub. The last listener to leave cancels the feed, and
 * does not end before it: the feed becomes a branch of its subscription.
 */
#include "actors/stream.h"
#include "actors/stream_queue.h"
#include "runtime/alloc.h"
#include "runtime/thread.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BOUND = 64
};

struct hub {
    cop_stream stage;
    /* constant */
    size_t bound, consumers;
    cop_stream_full when_full;
    int (*share)(const void *element, void *out);
    copi_lock lock;
    /* guarded by it */
    cop_stream *input;          /* held, until the feed runs */
    struct feed *feed;          /* held; NULL: it does not run yet, or could not be made */
    struct listener *listeners; /* that get what comes */
    size_t count;
    size_t open;    /* listeners that have not closed, whether they still get something or not */
    uint64_t asked; /* of the feed, and not come */
    bool has_begun, is_over, is_failed, has_closed;
    cop_reason why;
};

struct listener {
    cop_stream stage;
    struct hub *hub; /* held */
    /* guarded by the hub's lock */
    struct listener *next;
    struct copi_queue queue;
    cop_subscription *subscription;
    bool is_listening, is_hungry;
    bool is_over, is_failed;
    cop_reason why;
    /* in its subscription */
    void *lent;
};

struct feed {
    cop_subscription subscription;
    struct hub *hub; /* held */
    void *room;      /* for a copy */
    /* in the subscription */
    struct listener **going_to; /* held while an element goes to them */
    size_t capacity, count;
};

static struct hub *
hub_of(cop_stream *stage)
{
    return (struct hub *)(void *)stage;
}

static struct listener *
listener_of(cop_stream *stage)
{
    return (struct listener *)(void *)stage;
}

static struct feed *
feed_of(cop_subscription *subscription)
{
    return (struct feed *)(void *)subscription;
}

static void
hold(cop_stream *stage)
{
    copi_fetch_add_32(&stage->holds, 1);
}

/* ---------------------------------------------------------------- demand */

static size_t
room_in(const struct listener *listener)
{
    return listener->queue.bound - listener->queue.count;
}

static size_t
room_locked(const struct hub *hub)
{
    const struct listener *listener = hub->listeners;
    size_t room = listener ? room_in(listener) : 0;
    for (; listener; listener = listener->next) {
        size_t its = room_in(listener);
        bool decides = hub->when_full == COP_STREAM_BLOCK ? its < room : its > room;
        room = decides ? its : room;
    }
    return room;
}

/* How many more are to be asked for. They count as asked for from here on. */
static uint64_t
demand_locked(struct hub *hub)
{
    if (!hub->feed || hub->asked > hub->bound / 2) {
        return 0;
    }
    size_t room = room_locked(hub);
    uint64_t more = room > hub->asked ? room - hub->asked : 0;
    hub->asked += more;
    return more;
}

static void
ask(struct hub *hub, uint64_t n)
{
    if (n > 0) {
        copi_subscription_ask(&hub->feed->subscription, n); /* it is there as long as the hub is */
    }
}

/* ---------------------------------------------------------------- waking */

static cop_subscription *
whom_to_wake_locked(struct listener *listener, bool is_end)
{
    bool wakes = listener->subscription && (listener->is_hungry || is_end);
    listener->is_hungry = listener->is_hungry && !wakes;
    return wakes ? copi_subscription_retain(listener->subscription) : NULL;
}

static void
wake(cop_subscription *subscription)
{
    if (subscription) {
        copi_subscription_wake(subscription);
        cop_subscription_release(subscription);
    }
}

static void
end_locked(struct listener *listener, const cop_reason *why)
{
    listener->is_over = true;
    if (why) {
        listener->is_failed = true;
        listener->why = *why;
    }
}

static void
take_off_locked(struct hub *hub, struct listener *listener)
{
    struct listener **link = &hub->listeners;
    while (*link != listener) {
        link = &(*link)->next;
    }
    *link = listener->next;
    hub->count--;
    listener->is_listening = false;
}

/* ---------------------------------------------------------------- the feed */

/* A copy of the element, in the feed's room. */
static int
copy_element(const struct feed *feed, void *room)
{
    const struct copi_elements *elements = &feed->hub->stage.elements;
    if (elements->drop) {
        return feed->hub->share(room, feed->room);
    }
    memcpy(feed->room, room, copi_room_size(elements));
    return copi_element_keep(elements, feed->room);
}

/* Whether it went into the queue. */
static bool
put_locked(struct hub *hub, struct listener *listener, const void *copy)
{
    if (!listener->is_listening) {
        return false;
    }
    if (!copi_queue_is_full(&listener->queue)) {
        copi_queue_push(&listener->queue, copy);
        return true;
    }
    if (hub->when_full == COP_STREAM_FAIL) {
        const cop_reason why = cop_failed(-EOVERFLOW, "too slow a consumer of a shared stream");
        take_off_locked(hub, listener);
        end_locked(listener, &why);
    }
    return false;
}

/* Makes room by dropping the oldest, where that is the policy. */
static void
make_room(struct feed *feed, struct listener *listener)
{
    struct hub *hub = feed->hub;
    copi_lock_take(&hub->lock);
    bool drops = listener->is_listening && copi_queue_is_full(&listener->queue);
    if (drops) {
        copi_queue_pop(&listener->queue, feed->room);
    }
    copi_lock_give(&hub->lock);
    if (drops) {
        copi_element_let_go(&hub->stage.elements, feed->room);
    }
}

static int
give_to(struct feed *feed, struct listener *listener, void *room)
{
    struct hub *hub = feed->hub;
    if (hub->when_full == COP_STREAM_DROP_OLD) {
        make_room(feed, listener);
    }
    int r = copy_element(feed, room);
    if (r) {
        return r < 0 ? r : -EINVAL;
    }
    copi_lock_take(&hub->lock);
    bool was_put = put_locked(hub, listener, feed->room);
    cop_subscription *subscription = whom_to_wake_locked(listener, listener->is_over);
    copi_lock_give(&hub->lock);
    wake(subscription);
    if (!was_put) {
        copi_element_let_go(&hub->stage.elements, feed->room);
    }
    return 0;
}

static int
make_place(struct feed *feed, size_t wanted)
{
    if (wanted <= feed->capacity) {
        return 0;
    }
    void *more = copi_realloc(feed->going_to, wanted * sizeof feed->going_to[0]);
    if (!more) {
        return -ENOMEM;
    }
    feed->going_to = more;
    feed->capacity = wanted;
    return 0;
}

/* All who listen now, held. One that came while place was made has come a little later. */
static int
find_listeners(struct feed *feed)
{
    struct hub *hub = feed->hub;
    copi_lock_take(&hub->lock);
    size_t wanted = hub->count;
    copi_lock_give(&hub->lock);
    int r = make_place(feed, wanted);
    if (r) {
        return r;
    }
    copi_lock_take(&hub->lock);
    for (struct listener *at = hub->listeners; at && feed->count < feed->capacity; at = at->next) {
        hold(&at->stage);
        feed->going_to[feed->count++] = at;
    }
    copi_lock_give(&hub->lock);
    return 0;
}

static void
let_go_of_listeners(struct feed *feed)
{
    while (feed->count > 0) {
        copi_stage_let_go(&feed->going_to[--feed->count]->stage);
    }
}

/* So many have come. Until they are in all queues they count as asked for: else room that they will need
 * would be given away. */
static void
ask_for_more(struct hub *hub, uint64_t have_come)
{
    copi_lock_take(&hub->lock);
    hub->asked -= have_come;
    uint64_t more = demand_locked(hub);
    copi_lock_give(&hub->lock);
    ask(hub, more);
}

static int
spread(cop_subscription *subscription, void *room)
{
    struct feed *feed = feed_of(subscription);
    int r = find_listeners(feed);
    for (size_t i = 0; i < feed->count && r == 0; i++) {
        r = give_to(feed, feed->going_to[i], room);
    }
    let_go_of_listeners(feed);
    ask_for_more(feed->hub, 1);
    return r;
}

static void
subscribed(cop_subscription *subscription)
{
    ask_for_more(feed_of(subscription)->hub, 0);
}

/* Tell one of those who listen: false, if there is none any more. */
static bool
end_one(struct hub *hub, const cop_reason *why)
{
    cop_subscription *subscription = NULL;
    copi_lock_take(&hub->lock);
    struct listener *listener = hub->listeners;
    if (listener) {
        take_off_locked(hub, listener);
        end_locked(listener, why);
        subscription = whom_to_wake_locked(listener, true);
    }
    copi_lock_give(&hub->lock);
    wake(subscription);
    return listener != NULL;
}

static void
close_hub_locked(struct hub *hub, const cop_reason *why)
{
    hub->is_over = true;
    if (why) {
        hub->is_failed = true;
        hub->why = *why;
    }
}

static void
end_all(struct hub *hub, const cop_reason *why)
{
    copi_lock_take(&hub->lock);
    close_hub_locked(hub, why);
    copi_lock_give(&hub->lock);
    while (end_one(hub, why)) {
    }
}

static void
over(cop_subscription *subscription, const cop_reason *why)
{
    end_all(feed_of(subscription)->hub, why);
}

static void
closed(cop_subscription *subscription)
{
    struct feed *feed = feed_of(subscription);
    if (!copi_subscription_is_lost(subscription)) { /* in share(), it may be */
        let_go_of_listeners(feed);                  /* that share() has crashed in */
    }
    copi_lock_take(&feed->hub->lock);
    feed->hub->has_closed = true;
    bool is_branch = copi_load_relaxed_ptr(&subscription->feeds) != NULL;
    copi_lock_give(&feed->hub->lock);
    if (is_branch) {
        copi_subscription_branch_closed(subscription);
    }
    copi_stage_let_go(&feed->hub->stage);
}

static void
free_feed(cop_subscription *subscription)
{
    struct feed *feed = feed_of(subscription);
    let_go_of_listeners(feed);
    free(feed->going_to);
    free(feed->room);
    free(feed);
}

static struct feed *
make_feed(struct hub *hub)
{
    static const struct copi_sink sink = {subscribed, spread, over, closed, free_feed};
    size_t size = copi_room_size(&hub->stage.elements);
    struct feed *feed = copi_zalloc(sizeof *feed);
    void *room = feed ? copi_alloc(size ? size : 1) : NULL;
    cop_stream *input = hub->input; /* whoever begins is alone with it */
    hub->input = NULL;
    if (!room) {
        copi_stage_let_go(input);
        free(feed);
        return NULL;
    }
    if (copi_subscription_init_detached(&feed->subscription, &sink, input, hub->stage.file,
                                        hub->stage.line)
        != 0) {
        free(room);
        free(feed);
        return NULL;
    }
    feed->room = room;
    feed->hub = hub;
    hold(&hub->stage);
    return feed;
}

static void
begin(struct hub *hub)
{
    struct feed *feed = make_feed(hub);
    if (!feed) {
        const cop_reason why = cop_failed(-ENOMEM, NULL);
        end_all(hub, &why);
        return;
    }
    copi_lock_take(&hub->lock);
    hub->feed = feed;
    copi_lock_give(&hub->lock);
    copi_subscription_start(&feed->subscription);
}

/* ---------------------------------------------------------------- a listener */

/* Whether it is the one with whom the feed is to begin. */
static bool
join_locked(struct hub *hub, struct listener *listener, cop_subscription *subscription)
{
    if (hub->is_over) {
        end_locked(listener, hub->is_failed ? &hub->why : NULL);
        return false;
    }
    listener->subscription = subscription;
    listener->is_listening = true;
    listener->next = hub->listeners;
    hub->listeners = listener;
    hub->count++;
    hub->open++;
    bool begins = !hub->has_begun && hub->open >= hub->consumers;
    hub->has_begun = hub->has_begun || begins;
    return begins;
}

static void
open_listener(cop_stream *stage, cop_subscription *subscription)
{
    struct listener *listener = listener_of(stage);
    copi_lock_take(&listener->hub->lock);
    bool begins = join_locked(listener->hub, listener, subscription);
    copi_lock_give(&listener->hub->lock);
    if (begins) {
        begin(listener->hub);
    }
}

static enum copi_pulled
what_there_is_locked(struct listener *listener, bool is_wanted)
{
    if (listener->queue.count > 0) {
        return is_wanted ? COPI_ELEMENT : COPI_NOT_YET;
    }
    if (listener->is_over) {
        return listener->is_failed ? COPI_BROKEN : COPI_COMPLETE;
    }
    listener->is_hungry = is_wanted;
    return COPI_NOT_YET;
}

static enum copi_pulled
pull(cop_stream *stage, void *room, cop_reason *why)
{
    struct listener *listener = listener_of(stage);
    uint64_t more = 0;
    copi_lock_take(&listener->hub->lock);
    enum copi_pulled there_is = what_there_is_locked(listener, room != NULL);
    if (there_is == COPI_ELEMENT) {
        copi_queue_pop(&listener->queue, room);
        more = demand_locked(listener->hub);
    }
    copi_lock_give(&listener->hub->lock);
    ask(listener->hub, more);
    if (there_is == COPI_ELEMENT) {
        copi_element_lend(&listener->stage.elements, &listener->lent, room);
    } else if (there_is == COPI_BROKEN) {
        *why = listener->why; /* it has ended: nobody writes it any more */
    }
    return there_is;
}

/* The feed, if it was the last; which does not end before that. */
static struct feed *
leave_locked(struct hub *hub, struct listener *listener)
{
    cop_subscription *subscription = listener->subscription;
    listener->subscription = NULL;
    if (listener->is_listening) {
        take_off_locked(hub, listener);
    }
    if (!subscription || --hub->open > 0 || !hub->has_begun) {
        return NULL;
    }
    if (!hub->is_over) {
        const cop_reason why = cop_failed(-EPIPE, "the last consumer of a shared stream has left");
        close_hub_locked(hub, &why);
    }
    if (hub->feed && !hub->has_closed) {
        copi_subscription_branch(&hub->feed->subscription, subscription);
    }
    return hub->feed;
}

static void
close_listener(cop_stream *stage)
{
    struct listener *listener = listener_of(stage);
    struct hub *hub = listener->hub;
    copi_lock_take(&hub->lock);
    struct feed *feed = leave_locked(hub, listener);
    struct copi_queue queued = listener->queue;
    listener->queue.count = 0;
    uint64_t more = feed ? 0 : demand_locked(hub);
    copi_lock_give(&hub->lock);
    copi_queue_clear(&queued); /* nothing is put in any more: the rooms are ours */
    if (feed) {
        cop_subscription_cancel(&feed->subscription);
    } else {
        ask(hub, more);
    }
}

static void
free_listener(cop_stream *stage)
{
    struct listener *listener = listener_of(stage);
    struct hub *hub = listener->hub;
    copi_queue_fini(&listener->queue);
    free(listener->lent);
    free(listener);
    copi_stage_let_go(&hub->stage);
}

/* ---------------------------------------------------------------- the hub */

static cop_stream *
join(cop_stream *stage)
{
    static const struct copi_stage_kind kind = {
        .open = open_listener, .pull = pull, .close = close_listener, .free = free_listener};
    struct hub *hub = hub_of(stage);
    struct copi_queue queue;
    int r = copi_queue_init(&queue, &stage->elements, hub->bound);
    if (r) {
        return copi_stream_failed(cop_failed(r, NULL), stage->file, stage->line);
    }
    struct listener *listener =
        copi_stage_new(sizeof *listener, &(struct copi_stage_init){.kind = &kind,
                                                                   .elements = stage->elements,
                                                                   .file = stage->file,
                                                                   .line = stage->line});
    if (!listener) {
        copi_queue_fini(&queue);
        return copi_stream_no_memory();
    }
    listener->queue = queue;
    listener->hub = hub;
    hold(stage);
    return &listener->stage;
}

static void
free_hub(cop_stream *stage)
{
    struct hub *hub = hub_of(stage);
    copi_stage_let_go(hub->input);
    if (hub->feed) {
        cop_subscription_release(&hub->feed->subscription);
    }
    free(hub);
}

cop_stream *
cop_stream_share_with(cop_stream *stream, const cop_share_opts *opts)
{
    static const cop_share_opts none;
    const cop_share_opts *how = opts ? opts : &none;
    static const struct copi_stage_kind kind = {.free = free_hub, .join = join};
    cop_stream *input = copi_stream_claim(stream);
    struct copi_stage_init init = {
        .kind = &kind, .elements = input->elements, .file = how->file, .line = how->line};
    if (input->elements.drop && !how->share) {
        copi_stage_let_go(input);
        return copi_stage_refused(&init, cop_failed(-EINVAL, "elements that cannot be shared"));
    }
    struct hub *hub = copi_stage_new(sizeof *hub, &init);
    if (!hub) {
        copi_stage_let_go(input);
        return copi_stream_no_memory();
    }
    copi_lock_init(&hub->lock);
    hub->input = input;
    hub->bound = how->bound ? how->bound : BOUND;
    hub->when_full = how->when_full;
    hub->consumers = how->consumers;
    hub->share = how->share;
    return &hub->stage;
}
