/*
 * actors/durable/redis_channels.h - who in this program waits for news of which channel.
 *
 * Room: actors/durable/, libcoppice-redis. The client's process only.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_CHANNELS_H
#define COPI_ACTORS_DURABLE_REDIS_CHANNELS_H

#include <coppice/genserver.h>

#include <sys/queue.h>

struct copi_redis_waiter {
    TAILQ_ENTRY(copi_redis_waiter) beside;
    cop_ref monitor;
    cop_from from;  /* who, and his request, */
    bool is_asking; /* that has not been answered: */
    cop_time until; /* the subscription is not confirmed */
};

TAILQ_HEAD(copi_redis_waiters, copi_redis_waiter);

struct copi_redis_channel {
    TAILQ_ENTRY(copi_redis_channel) beside;
    struct copi_redis_waiters waiters;
    uint64_t serial; /* of the subscription that is to be confirmed, or was; 0: none was sent */
    bool is_confirmed;
    cop_bytes name; /* in this block */
    char room[];
};

TAILQ_HEAD(copi_redis_channel_list, copi_redis_channel);

struct copi_redis_channels {
    void *by_name; /* tsearch's */
    struct copi_redis_channel_list all;
    size_t asking;    /* waiters that are */
    uint64_t serials; /* that were given */
};

void copi_redis_channels_init(struct copi_redis_channels *channels);
void copi_redis_channels_close(struct copi_redis_channels *channels); /* answers nobody */

/* He waits for news of it from now on. A request that can be answered already is. NULL: out of memory. */
struct copi_redis_channel *copi_redis_channels_join(struct copi_redis_channels *channels,
                                                    cop_bytes name, cop_from from, cop_time until);

/* He does not wait any more. The channel that nobody waits for any more, to be freed; NULL: none. */
struct copi_redis_channel *copi_redis_channels_leave(struct copi_redis_channels *channels,
                                                     cop_bytes name, cop_pid pid);
/* The same, by his end. */
struct copi_redis_channel *copi_redis_channels_down(struct copi_redis_channels *channels,
                                                    cop_ref monitor);

/* The subscription with this serial is there: who has asked for it is answered, and who waits, looks. */
void copi_redis_channels_confirm(struct copi_redis_channels *channels, cop_bytes name,
                                 uint64_t serial);

/* There is news: who waits, looks. */
void copi_redis_channels_tell(struct copi_redis_channels *channels, cop_bytes name);

/* The connection is lost: nothing is confirmed, or will be. */
void copi_redis_channels_lose(struct copi_redis_channels *channels);

/* Who has asked, and whose time is over, is answered with a code. Returns when the next one's is. */
cop_time copi_redis_channels_look(struct copi_redis_channels *channels, cop_time now, int code);

#endif
