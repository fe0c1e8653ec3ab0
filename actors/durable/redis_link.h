/*
 * actors/durable/redis_link.h - one connection: what was sent on it and is not answered, and its ends.
 *
 * Room: actors/durable/, libcoppice-redis. The client's process only.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_LINK_H
#define COPI_ACTORS_DURABLE_REDIS_LINK_H

#include "actors/durable/redis_reply.h"
#include "actors/durable/redis_request.h"

#include <coppice-redis.h>

enum {
    COPI_REDIS_DIALLED = 0x636f7040 /* a message's tag */
};

enum copi_redis_link_state {
    COPI_REDIS_DOWN,
    COPI_REDIS_DIALLING,
    COPI_REDIS_UP,
};

struct copi_redis_link {
    const cop_redis_opts *opts; /* the client's, filled in */
    bool with_scripts;
    bool is_wanted; /* it is connected again when it is lost */
    enum copi_redis_link_state state;
    cop_future *dial; /* while dialling, held */
    cop_ref dialling;
    cop_socket socket;
    struct copi_redis_reader *reader;
    struct copi_redis_shas shas;
    struct copi_redis_requests sent; /* in the order of their answers */
    cop_time heard;                  /* when it last was, or was greeted */
    /* while it is not up */
    cop_time down_since, failed_at, retry_at;
    unsigned failures;
    int code; /* why; 0: it has never been tried */
    char words[200];
};

void copi_redis_link_init(struct copi_redis_link *link, const cop_redis_opts *opts,
                          bool with_scripts);

/* Lets go of everything, and answers nobody. */
void copi_redis_link_close(struct copi_redis_link *link);

/* Whether it has been down for so long that who asks is not to wait beyond the next attempt; or was
 * refused in a way that waiting does not change. */
bool copi_redis_link_is_gone(const struct copi_redis_link *link, cop_time now);

/* Somebody needs it: what is gone is tried at once, or nearly. */
void copi_redis_link_want(struct copi_redis_link *link, cop_time now);

/* A COPI_REDIS_DIALLED has come. Whether it is of this link; afterwards it is up, or down. */
bool copi_redis_link_dialled(struct copi_redis_link *link, const struct cop_settled *settled);

/* Takes the request on 0. -EAGAIN: no room, -ENOMEM; after another error the connection is lost. */
int copi_redis_link_send(struct copi_redis_link *link, struct copi_redis_request *request);

/* Bytes have come. Then copi_redis_next(link->reader, …) until there is none. */
int copi_redis_link_hear(struct copi_redis_link *link, cop_bytes bytes);

/* The connection is no good any more. What was sent is left in link->sent, for the client to answer. */
void copi_redis_link_lose(struct copi_redis_link *link, int code, const char *words);

/* What has to be done by now. The connection may be lost by it. Returns when to come again. */
cop_time copi_redis_link_look(struct copi_redis_link *link, cop_time now);

#endif
