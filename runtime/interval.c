/*
 * runtime/interval.c - a message that is sent again and again.
 *
 * Room: runtime/.
 * Touch freely: how many ticks may be out. Ask first: what is done under the lock.
 *
 * Ticks come at whole periods after the start: being late once delays none of the others, and those
 * that the timer thread comes too late for altogether are left out.
 *
 * A receiver that does not keep up is not flooded. Ticks are counted while they are out: in its mailbox,
 * or in its hands and not yet let go. The next one is left out while there are two, so one may wait
 * while another is handled. Each tick has a copy of the message, which tells when it is let go.
 *
 * The count is for one receiver. A name may get another holder, and what the last one had, and perhaps
 * never let go (a contained fault keeps what it finds), is not that one's. So the count stands beside
 * the number of the receiver that it is for, in one word, and a tick that comes home late finds another
 * number there and counts nothing.
 *
 * The lock is held over a tick: whoever cancels waits for the one that is being sent, a push and a
 * wake-up, and knows that it was the last. Nobody takes it who holds another.
 *
 *   holds      the timer's, the tick's that is being sent, and one for each that is out. Who gives the
 *              last one back frees: full barriers.
 *   counted    the timer thread adds, who lets a tick go subtracts: compare-and-swap. Nothing is read by
 *              its leave, so it orders nothing.
 */
#include "runtime/interval.h"

#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/message.h"
#include "runtime/send.h"
#include "runtime/thread.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MOST_OUT = 2
};

struct copi_interval {
    /* any thread, atomic */
    copi_atomic32 holds;
    copi_atomic64 counted; /* the receiver's number, and how many ticks it has: 32 bits each */
    /* guarded by lock */
    bool is_cancelled;
    cop_pid to; /* of the last tick */
    /* constant */
    cop_time period;
    cop_pid from;
    uint32_t tag;
    size_t size;
    unsigned char body[];
};

/* What a tick's body lies in. */
struct tick {
    struct copi_interval *interval; /* held */
    uint32_t receiver;
    _Alignas(8) unsigned char body[];
};

static copi_lock lock = COPI_LOCK_INIT;

int
copi_interval_new(struct copi_interval **out, const cop_msg *msg, cop_pid from, cop_time period)
{
    if (msg->tag >= COP_MSG_RESERVED || msg->drop || (msg->body.size > 0 && !msg->body.data)) {
        return -EINVAL;
    }
    if (msg->body.size > SIZE_MAX / 2) {
        return -ENOMEM;
    }
    struct copi_interval *interval = copi_zalloc(sizeof *interval + msg->body.size);
    if (!interval) {
        return -ENOMEM;
    }
    copi_live_born(COPI_LIVE_INTERVAL);
    copi_store_relaxed_32(&interval->holds, 1);
    interval->period = period;
    interval->from = from;
    interval->tag = msg->tag;
    interval->size = msg->body.size;
    if (msg->body.size > 0) {
        memcpy(interval->body, msg->body.data, msg->body.size);
    }
    *out = interval;
    return 0;
}

struct copi_interval *
copi_interval_hold(struct copi_interval *interval)
{
    copi_fetch_add_32(&interval->holds, 1);
    return interval;
}

static void
release(struct copi_interval *interval)
{
    if (copi_fetch_add_32(&interval->holds, (uint32_t)-1) == 1) {
        copi_live_gone(COPI_LIVE_INTERVAL);
        free(interval);
    }
}

cop_time
copi_interval_next(const struct copi_interval *interval, cop_time last, cop_time now)
{
    cop_time late = now > last ? now - last : 0;
    cop_time periods = late / interval->period + 1;
    return periods > (COP_FOREVER - last) / interval->period ? COP_FOREVER
                                                             : last + periods * interval->period;
}

/* ---------------------------------------------------------------- ticks */

static uint32_t
receiver_of(uint64_t counted)
{
    return (uint32_t)(counted >> 32);
}

/* Whoever has let a tick go: any thread. */
static void
tick_let_go(void *body)
{
    struct tick *tick = (struct tick *)(void *)((char *)body - offsetof(struct tick, body));
    uint64_t counted = copi_load_relaxed_64(&tick->interval->counted);
    while (receiver_of(counted) == tick->receiver
           && !copi_cas_64(&tick->interval->counted, &counted, counted - 1)) {
    }
    release(tick->interval);
    free(tick);
}

static struct copi_message *
new_tick(struct copi_interval *interval, uint32_t receiver)
{
    /* A byte at least: a body at the block's end is in no block, for who looks for leaks. */
    struct tick *tick = copi_alloc(sizeof *tick + interval->size + 1);
    if (!tick) {
        return NULL;
    }
    struct copi_outside body = {tick->body, interval->size, tick_let_go};
    struct copi_message *message = copi_message_lent(COPI_SEND, interval->tag, body);
    if (!message) {
        free(tick);
        return NULL;
    }
    tick->interval = copi_interval_hold(interval);
    tick->receiver = receiver;
    memcpy(tick->body, interval->body, interval->size);
    message->from = interval->from;
    return message;
}

/* How many it has. Another receiver than the last time has none, whatever the last one still has. */
static uint64_t
counted_for_locked(struct copi_interval *interval, cop_pid to)
{
    uint64_t counted = copi_load_relaxed_64(&interval->counted);
    if (!cop_pid_eq(interval->to, to)) {
        interval->to = to;
        counted = (uint64_t)(receiver_of(counted) + 1) << 32;
        copi_exchange_64(&interval->counted, counted);
    }
    return counted;
}

static void
send_locked(struct copi_interval *interval, cop_pid to)
{
    if (to.id == 0) {
        return; /* a name that nobody has at the moment */
    }
    uint64_t counted = counted_for_locked(interval, to);
    if ((uint32_t)counted >= MOST_OUT) {
        return;
    }
    struct copi_message *message = new_tick(interval, receiver_of(counted));
    if (message) { /* without memory this one is left out, too */
        copi_fetch_add_64(&interval->counted, 1);
        copi_post(to, message);
    }
}

void
copi_interval_tick(struct copi_interval *interval, cop_pid to)
{
    copi_lock_take(&lock);
    if (!interval->is_cancelled) {
        send_locked(interval, to);
    }
    copi_lock_give(&lock);
    release(interval);
}

void
copi_interval_cancel(struct copi_interval *interval)
{
    copi_lock_take(&lock);
    interval->is_cancelled = true;
    copi_lock_give(&lock);
    release(interval);
}
