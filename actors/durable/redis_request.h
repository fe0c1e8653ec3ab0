/*
 * actors/durable/redis_request.h - what is asked of Redis, and the scripts that it runs.
 *
 * Room: actors/durable/, libcoppice-redis.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_REQUEST_H
#define COPI_ACTORS_DURABLE_REDIS_REQUEST_H

#include <coppice/genserver.h>

#include <sys/queue.h>

enum copi_redis_script {
    COPI_REDIS_ACQUIRE, /* lock value epoch, token ttl_ms epoch_ttl_ms: {2,record} {1,number} {0,ms left} */
    COPI_REDIS_RENEW, /* lock, token ttl_ms: 1, 0 */
    COPI_REDIS_SETTLE, /* lock value epoch, token record ttl_ms channel: {1} {2,record} {0}: fenced */
    COPI_REDIS_RELEASE, /* lock, token channel: 1, 0 */
    COPI_REDIS_SCRIPTS,
    COPI_REDIS_PLAIN = COPI_REDIS_SCRIPTS, /* a command as it stands */
};

enum {
    COPI_REDIS_WORDS = 8,
    COPI_REDIS_SHA = 40,
};

/* The names by which the server knows the scripts; empty: it has not told. */
struct copi_redis_shas {
    char of[COPI_REDIS_SCRIPTS][COPI_REDIS_SHA + 1];
};

/* One block: free(). */
struct copi_redis_request {
    STAILQ_ENTRY(copi_redis_request) behind;
    enum copi_redis_script script;
    cop_time until;  /* after which it is not sent any more */
    bool was_sent;   /* on a connection that is lost: perhaps it was done */
    cop_time sent;   /* COP_FOREVER: not yet */
    cop_from from;   /* whom to answer; nobody, if its pid is nobody */
    uint64_t serial; /* of a subscription; 0: another command */
    bool in_full;    /* the script's text is sent: its name was not known */
    size_t count;
    cop_bytes words[COPI_REDIS_WORDS]; /* in this block */
    char room[];
};
STAILQ_HEAD(copi_redis_requests, copi_redis_request);

/* Copies the words: of a script its keys and arguments. NULL: out of memory. */
struct copi_redis_request *copi_redis_request_new(enum copi_redis_script script, cop_time until,
                                                  const cop_bytes words[], size_t count);

/* As bytes for the server: *out is to be freed with redisFreeCommand. 0 or -ENOMEM. */
int copi_redis_format(const struct copi_redis_request *request, const struct copi_redis_shas *shas,
                      char **out, size_t *size);

const char *copi_redis_script_text(enum copi_redis_script script);

#endif
