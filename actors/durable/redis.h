/*
 * actors/durable/redis.h - what is said to the client, the process that has the connections.
 *
 * Room: actors/durable/, libcoppice-redis.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_H
#define COPI_ACTORS_DURABLE_REDIS_H

#include <coppice-redis.h>

enum {
    COPI_REDIS_COMMAND =
        0x636f7030, /* a struct copi_redis_request, moved. As a call: answered; as a cast: not */
    COPI_REDIS_SUBSCRIBE, /* struct copi_redis_interest: answered when it is confirmed; then hints come */
    COPI_REDIS_LEAVE,  /* a cast: a channel's name */
    COPI_REDIS_ANSWER, /* a struct copi_redis_answer and its bytes */
    COPI_REDIS_HINT,   /* to who has subscribed: something may have happened */
    COPI_REDIS_LOOK,   /* to itself: some time is over */
};

struct copi_redis_interest {
    cop_time until; /* after which it is answered in any case */
    size_t size;
    char name[COP_SHARED_KEY_MAX + 3]; /* the channel's */
};

#endif
