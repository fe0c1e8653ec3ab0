/*
 * actors/durable/redis_channels.c - who in this program waits for news of which channel.
 *
 * Room: actors/durable/, libcoppice-redis. The client's process only.
 * Touch freely: nothing. Ask first: what a confirmation confirms.
 *
 * A subscription is confirmed, and only then is it safe to look: news from before would have been said to
 * nobody. Confirmations come in the order of the commands, but when all have left a channel and somebody
 * comes, the first confirmation is that of a subscription which has been ended since. So each has a serial, and
 * a channel knows which is its own.
 *
 * After the connection was lost it is subscribed again, and who waits is told to look when that is confirmed: what
 * was said meanwhile is lost.
 *
 * Who waits is watched: he may be killed.
 */
#include "actors/durable/redis_channels.h"

#include "actors/durable/redis.h"
#include "actors/durable/redis_reply.h"

#include <coppice/signal.h>

#include <search.h>
#include <stdlib.h>

void
copi_redis_channels_init(struct copi_redis_channels *channels)
{
    *channels = (struct copi_redis_channels){0};
    TAILQ_INIT(&channels->all);
}

static int
compare(const void *left, const void *right)
{
    const cop_bytes *a = left, *b = right;
    size_t size = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static struct copi_redis_channel *
find(const struct copi_redis_channels *channels, cop_bytes name)
{
    void *const *found = tfind(&name, &channels->by_name, compare);
    return found
               ? (struct copi_redis_channel *)(void *)((char *)*found
                                                       - offsetof(struct copi_redis_channel, name))
               : NULL;
}

static struct copi_redis_channel *
add(struct copi_redis_channels *channels, cop_bytes name)
{
    struct copi_redis_channel *channel = calloc(1, sizeof *channel + name.size);
    if (!channel) {
        return NULL;
    }
    memcpy(channel->room, name.data, name.size);
    channel->name = (cop_bytes){channel->room, name.size};
    TAILQ_INIT(&channel->waiters);
    if (!tsearch(&channel->name, &channels->by_name, compare)) {
        free(channel);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&channels->all, channel, beside);
    return channel;
}

/* The caller frees it. */
static struct copi_redis_channel *
take_out(struct copi_redis_channels *channels, struct copi_redis_channel *channel)
{
    tdelete(&channel->name, &channels->by_name, compare);
    TAILQ_REMOVE(&channels->all, channel, beside);
    return channel;
}

static void
dismiss(struct copi_redis_channels *channels, struct copi_redis_channel *channel,
        struct copi_redis_waiter *waiter)
{
    cop_demonitor(waiter->monitor);
    channels->asking -= waiter->is_asking;
    TAILQ_REMOVE(&channel->waiters, waiter, beside);
    free(waiter);
}

static void
free_channel(struct copi_redis_channel *channel)
{
    struct copi_redis_waiter *waiter = TAILQ_FIRST(&channel->waiters), *next;
    for (; waiter; waiter = next) {
        next = TAILQ_NEXT(waiter, beside);
        cop_demonitor(waiter->monitor);
        free(waiter);
    }
    free(channel);
}

void
copi_redis_channels_close(struct copi_redis_channels *channels)
{
    struct copi_redis_channel *channel = TAILQ_FIRST(&channels->all), *next;
    for (; channel; channel = next) {
        next = TAILQ_NEXT(channel, beside);
        free_channel(take_out(channels, channel));
    }
}

/* ---------------------------------------------------------------- coming */

static void
answer(struct copi_redis_channels *channels, struct copi_redis_waiter *waiter, int code)
{
    const struct copi_redis_answer answer = {.code = code};
    waiter->is_asking = false;
    channels->asking--;
    cop_reply(waiter->from, COP_MSG_OF(COPI_REDIS_ANSWER, answer));
}

static struct copi_redis_waiter *
add_waiter(struct copi_redis_channels *channels, struct copi_redis_channel *channel, cop_from from,
           cop_time until)
{
    struct copi_redis_waiter *waiter = calloc(1, sizeof *waiter);
    cop_ref monitor = waiter ? cop_monitor(from.pid) : (cop_ref){0};
    if (monitor.id == 0) {
        free(waiter);
        return NULL;
    }
    *waiter = (struct copi_redis_waiter){
        .monitor = monitor, .from = from, .is_asking = true, .until = until};
    TAILQ_INSERT_TAIL(&channel->waiters, waiter, beside);
    channels->asking++;
    return waiter;
}

struct copi_redis_channel *
copi_redis_channels_join(struct copi_redis_channels *channels, cop_bytes name, cop_from from,
                         cop_time until)
{
    struct copi_redis_channel *channel = find(channels, name);
    channel = channel ? channel : add(channels, name);
    struct copi_redis_waiter *waiter = channel ? add_waiter(channels, channel, from, until) : NULL;
    if (!waiter) {
        if (channel && TAILQ_EMPTY(&channel->waiters)) {
            free(take_out(channels, channel));
        }
        return NULL;
    }
    if (channel->is_confirmed) {
        answer(channels, waiter, 0);
    }
    return channel;
}

/* ---------------------------------------------------------------- going */

static struct copi_redis_channel *
dismissed(struct copi_redis_channels *channels, struct copi_redis_channel *channel,
          struct copi_redis_waiter *waiter)
{
    dismiss(channels, channel, waiter);
    return TAILQ_EMPTY(&channel->waiters) ? take_out(channels, channel) : NULL;
}

struct copi_redis_channel *
copi_redis_channels_leave(struct copi_redis_channels *channels, cop_bytes name, cop_pid pid)
{
    struct copi_redis_channel *channel = find(channels, name);
    struct copi_redis_waiter *waiter = channel ? TAILQ_FIRST(&channel->waiters) : NULL;
    while (waiter && !cop_pid_eq(waiter->from.pid, pid)) {
        waiter = TAILQ_NEXT(waiter, beside);
    }
    return waiter ? dismissed(channels, channel, waiter) : NULL;
}

struct copi_redis_channel *
copi_redis_channels_down(struct copi_redis_channels *channels, cop_ref monitor)
{
    struct copi_redis_channel *channel;
    struct copi_redis_waiter *waiter;
    for (channel = TAILQ_FIRST(&channels->all); channel; channel = TAILQ_NEXT(channel, beside)) {
        for (waiter = TAILQ_FIRST(&channel->waiters); waiter; waiter = TAILQ_NEXT(waiter, beside)) {
            if (waiter->monitor.id == monitor.id) {
                return dismissed(channels, channel, waiter);
            }
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- news */

/* He looks by himself, too, if this does not reach him. */
static void
hint(const struct copi_redis_waiter *waiter)
{
    cop_send(waiter->from.pid, COP_TAG(COPI_REDIS_HINT));
}

/* Who has asked looks next, anyway. */
static void
confirm(struct copi_redis_channels *channels, struct copi_redis_channel *channel)
{
    struct copi_redis_waiter *waiter = TAILQ_FIRST(&channel->waiters);
    channel->is_confirmed = true;
    for (; waiter; waiter = TAILQ_NEXT(waiter, beside)) {
        if (waiter->is_asking) {
            answer(channels, waiter, 0);
        } else {
            hint(waiter);
        }
    }
}

void
copi_redis_channels_confirm(struct copi_redis_channels *channels, cop_bytes name, uint64_t serial)
{
    struct copi_redis_channel *channel = find(channels, name);
    if (channel && channel->serial == serial) {
        confirm(channels, channel);
    }
}

void
copi_redis_channels_tell(struct copi_redis_channels *channels, cop_bytes name)
{
    const struct copi_redis_channel *channel = find(channels, name);
    const struct copi_redis_waiter *waiter = channel ? TAILQ_FIRST(&channel->waiters) : NULL;
    for (; waiter; waiter = TAILQ_NEXT(waiter, beside)) {
        hint(waiter);
    }
}

void
copi_redis_channels_lose(struct copi_redis_channels *channels)
{
    struct copi_redis_channel *channel;
    for (channel = TAILQ_FIRST(&channels->all); channel; channel = TAILQ_NEXT(channel, beside)) {
        channel->is_confirmed = false;
        channel->serial = 0;
    }
}

cop_time
copi_redis_channels_look(struct copi_redis_channels *channels, cop_time now, int code)
{
    struct copi_redis_channel *channel;
    struct copi_redis_waiter *waiter;
    cop_time when = COP_FOREVER;
    if (channels->asking == 0) {
        return when;
    }
    for (channel = TAILQ_FIRST(&channels->all); channel; channel = TAILQ_NEXT(channel, beside)) {
        for (waiter = TAILQ_FIRST(&channel->waiters); waiter; waiter = TAILQ_NEXT(waiter, beside)) {
            if (waiter->is_asking && now >= waiter->until) {
                answer(channels, waiter, code);
            } else if (waiter->is_asking && waiter->until < when) {
                when = waiter->until;
            }
        }
    }
    return when;
}
