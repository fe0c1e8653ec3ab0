/*
 * actors/durable/redis_ask.h - asking the client, and waiting for what it says.
 *
 * Room: actors/durable/, libcoppice-redis. Any process.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_ASK_H
#define COPI_ACTORS_DURABLE_REDIS_ASK_H

#include "actors/durable/redis_record.h"
#include "actors/durable/redis_reply.h"
#include "actors/durable/redis_request.h"

#include <coppice-redis.h>

/* The names of a key's things in Redis. */
struct copi_redis_names {
    cop_bytes lock, value, epoch, channel; /* in here */
    char room[4][COP_SHARED_KEY_MAX + 3];
};
void copi_redis_names(struct copi_redis_names *names, const char *key, size_t size);

/* A number as a word. */
struct copi_redis_number {
    char text[24];
};
cop_bytes copi_redis_number(struct copi_redis_number *room, int64_t number);

/*
 * Ask and wait. 0: *answer is in *reply, which is the caller's to cop_msg_release; it is safe to release on an
 * error, too. Else the answer's code, with its words in *reply's answer if there is one, or as cop_call_any.
 *
 * Blocks until the client answers, which it does, or ends; no longer than `until`.  Exit point: yes.
 */
int copi_redis_ask(cop_pid client, enum copi_redis_script script, const cop_bytes words[],
                   size_t count, cop_time until, cop_msg *reply);
const struct copi_redis_answer *copi_redis_answer_of(const cop_msg *reply); /* NULL: none */

/* The same, and nobody waits.  Exit point: no. */
void copi_redis_tell(cop_pid client, enum copi_redis_script script, const cop_bytes words[],
                     size_t count);

/* How a computation, or what stands for one, has ended. */
struct copi_redis_outcome {
    int code;        /* 0: a value */
    char words[248]; /* of a failure */
    void *data;      /* of a value: `size` bytes, to be freed */
    size_t size;
};
void copi_redis_fail(struct copi_redis_outcome *out, int code, const char *words);
/* Copies; without memory it is a failure with -ENOMEM. */
void copi_redis_succeed(struct copi_redis_outcome *out, cop_bytes value);
/* What is stored; -EBADMSG is a failure like others. */
void copi_redis_take_record(struct copi_redis_outcome *out, cop_bytes bytes);

/* Whether it says that Redis is not there. */
bool copi_redis_is_gone(int code);

#endif
