/*
 * actors/durable/redis_reply.h - what Redis says, from bytes.
 *
 * Room: actors/durable/, libcoppice-redis. Pure functions over bytes.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_REPLY_H
#define COPI_ACTORS_DURABLE_REDIS_REPLY_H

#include <coppice/base.h>

#include <hiredis/hiredis.h>

struct copi_redis_reader;

/* NULL: out of memory. */
struct copi_redis_reader *copi_redis_reader_new(void);
void copi_redis_reader_free(struct copi_redis_reader *reader); /* NULL does nothing */

/* More bytes. 0; -ENOMEM; -EMSGSIZE: a reply longer than any that is asked for. */
int copi_redis_feed(struct copi_redis_reader *reader, cop_bytes bytes);

/* 1: the next reply, the caller's to freeReplyObject; 0: it is not complete. -EBADMSG: this is not Redis, or
 * there is no memory: nothing more can be read from here on. */
int copi_redis_next(struct copi_redis_reader *reader, redisReply **out);

/*
 * A reply in the one form in which it is handed on. A flat block, freed with free().
 *
 *   nil            code 0, number 0
 *   an integer     code 0, that number
 *   text, bytes    code 0, number 1, the bytes
 *   an array       code 0, the number of its first element; of its second the bytes, or `left`
 *   an error       its code, its words
 */
struct copi_redis_answer {
    int code;
    int64_t number, left;
    cop_time sent; /* the question; set by the client */
    size_t size;
    char bytes[]; /* and a 0, if there are any */
};

/* NULL: out of memory. */
struct copi_redis_answer *copi_redis_answer(const redisReply *reply);
struct copi_redis_answer *copi_redis_refusal(int code, const char *words);

/* Its bytes as words; NULL: none. */
const char *copi_redis_words(const struct copi_redis_answer *answer);

/* The code for the words of an error: -EACCES, -ENOSPC, -EROFS; -EAGAIN: it passes; else -EIO. */
int copi_redis_error(const char *words);

/* Whether it is an error that begins with this word. */
bool copi_redis_is_error(const redisReply *reply, const char *word);

#endif
