/*
 * actors/durable/redis_record.h - an outcome as it is stored.
 *
 * Room: actors/durable/, libcoppice-redis. Pure functions over bytes.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_RECORD_H
#define COPI_ACTORS_DURABLE_REDIS_RECORD_H

#include <coppice/base.h>

enum {
    COPI_REDIS_TOKEN = 32 /* characters */
};

struct copi_redis_token {
    char text[COPI_REDIS_TOKEN];
};

struct copi_redis_record {
    int code;                      /* 0: a value; negative: a failure */
    struct copi_redis_token token; /* whose lock it was computed under */
    cop_bytes body;                /* the value, or the failure's words */
};

/* A fresh one, random. */
struct copi_redis_token copi_redis_token_new(void);

/* A block of *size bytes, to be freed with free(). NULL: out of memory. */
void *copi_redis_record_write(const struct copi_redis_record *record, size_t *size);

/* record->body is borrowed from `bytes`. 0, or -EBADMSG: it is none, and nothing is written. */
int copi_redis_record_read(struct copi_redis_record *record, cop_bytes bytes);

#endif
