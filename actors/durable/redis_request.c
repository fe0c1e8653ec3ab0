/*
 * actors/durable/redis_request.c - what is asked of Redis, and the scripts that it runs.
 *
 * Room: actors/durable/, libcoppice-redis. hiredis's formatter and nothing else of it.
 * Touch freely: nothing. Ask first: the scripts. Each decides a race, in one step of the server's:
 *
 *   acquire   a result that was stored since somebody looked is found before the lock is taken; the lock has its
 *             time from the command that makes it; the same token again is told that it has the lock, because
 *             the answer before may have been lost
 *   renew     only the owner's. A lock that ran out is not renewed: that is for acquire to decide
 *   settle    a result is stored once. By who took the lock last, also when it has run out since: nobody has
 *             computed meanwhile. Telling is part of it, and is a hint: who hears it looks
 *   release   only the owner's; and tells, so that the next one need not wait for the time to pass
 *
 * The epoch outlives locks and results, for a day: its `t` is the token that may settle, its `n` the number
 * that is handed to computations.
 *
 * A script is called by its name (EVALSHA), which the server tells when a connection begins (SCRIPT LOAD);
 * where it tells none, or has forgotten, by its text (EVAL).
 */
#include "actors/durable/redis_request.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static const struct {
    const char *keys, *text;
} scripts[COPI_REDIS_SCRIPTS] = {
    [COPI_REDIS_ACQUIRE] = {"3",
                            "local v = redis.call('GET', KEYS[2])\n"
                            "if v then return {2, v} end\n"
                            "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then\n"
                            "  local n = redis.call('HINCRBY', KEYS[3], 'n', 1)\n"
                            "  redis.call('HSET', KEYS[3], 't', ARGV[1])\n"
                            "  redis.call('PEXPIRE', KEYS[3], ARGV[3])\n"
                            "  return {1, n}\n"
                            "end\n"
                            "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
                            "  redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
                            "  return {1, tonumber(redis.call('HGET', KEYS[3], 'n') or '0')}\n"
                            "end\n"
                            "return {0, redis.call('PTTL', KEYS[1])}\n"},
    [COPI_REDIS_RENEW] = {"1", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
                               "return redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"},
    [COPI_REDIS_SETTLE] =
        {"3", "local v = redis.call('GET', KEYS[2])\n"
              "if v then return {2, v} end\n"
              "if redis.call('HGET', KEYS[3], 't') ~= ARGV[1] then return {0, ''} end\n"
              "redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])\n"
              "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end\n"
              "redis.call('PUBLISH', ARGV[4], 'settled')\n"
              "return {1, ''}\n"},
    [COPI_REDIS_RELEASE] = {"1", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
                                 "redis.call('DEL', KEYS[1])\n"
                                 "redis.call('PUBLISH', ARGV[2], 'free')\n"
                                 "return 1\n"},
};

const char *
copi_redis_script_text(enum copi_redis_script script)
{
    return scripts[script].text;
}

static size_t
sum_of(const cop_bytes words[], size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += words[i].size;
    }
    return sum;
}

struct copi_redis_request *
copi_redis_request_new(enum copi_redis_script script, cop_time until, const cop_bytes words[],
                       size_t count)
{
    struct copi_redis_request *request = malloc(sizeof *request + sum_of(words, count));
    if (!request) {
        return NULL;
    }
    *request = (struct copi_redis_request){
        .script = script, .until = until, .sent = COP_FOREVER, .count = count};
    char *end = request->room;
    for (size_t i = 0; i < count; i++) {
        request->words[i] = (cop_bytes){end, words[i].size};
        if (words[i].size > 0) {
            memcpy(end, words[i].data, words[i].size);
        }
        end += words[i].size;
    }
    return request;
}

/* What stands before a script's own words. */
static size_t
begin(const struct copi_redis_request *request, const struct copi_redis_shas *shas,
      const char *words[])
{
    if (request->script == COPI_REDIS_PLAIN) {
        return 0;
    }
    const char *sha = shas->of[request->script];
    bool in_full = request->in_full || sha[0] == '\0';
    words[0] = in_full ? "EVAL" : "EVALSHA";
    words[1] = in_full ? scripts[request->script].text : sha;
    words[2] = scripts[request->script].keys;
    return 3;
}

int
copi_redis_format(const struct copi_redis_request *request, const struct copi_redis_shas *shas,
                  char **out, size_t *size)
{
    const char *words[3 + COPI_REDIS_WORDS];
    size_t sizes[3 + COPI_REDIS_WORDS], count = begin(request, shas, words);
    for (size_t i = 0; i < count; i++) {
        sizes[i] = strlen(words[i]);
    }
    for (size_t i = 0; i < request->count; i++, count++) {
        words[count] = request->words[i].data;
        sizes[count] = request->words[i].size;
    }
    long long length = redisFormatCommandArgv(out, (int)count, words, sizes);
    if (length < 0) {
        return -ENOMEM;
    }
    *size = (size_t)length;
    return 0;
}
