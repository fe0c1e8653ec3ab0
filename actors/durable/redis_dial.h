/*
 * actors/durable/redis_dial.h - a connection that is made and introduced, in a process of its own.
 *
 * Room: actors/durable/, libcoppice-redis.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_DIAL_H
#define COPI_ACTORS_DURABLE_REDIS_DIAL_H

#include "actors/durable/redis_request.h"

#include <coppice-redis.h>

/* What came of it: the value of the future. */
struct copi_redis_dialled {
    int code; /* 0; -ECONNREFUSED, -EHOSTDOWN: not there; -EACCES; -EINVAL: no address */
    char words[200];
    cop_socket socket; /* the caller's, at 0 */
    struct copi_redis_shas shas;
};

/* Connect, log in, choose the database, load the scripts if they are wanted, and give the socket to the caller.
 * Copies what it needs. NULL: out of memory. */
cop_future *copi_redis_dial(const cop_redis_opts *opts, bool with_scripts);

#endif
