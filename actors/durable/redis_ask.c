/*
 * actors/durable/redis_ask.c - asking the client, and waiting for what it says.
 *
 * Room: actors/durable/, libcoppice-redis. Any process.
 * Touch freely: nothing. Ask first: how long a client that is being restarted is waited for.
 *
 * A client that has crashed is started again by its supervisor, in a moment; meanwhile there is nobody.
 * Whatever it had been asked may have been done, and may be asked again.
 */
#include "actors/durable/redis_ask.h"

#include "actors/durable/redis.h"

#include <stdio.h>
#include <stdlib.h>

#define RESTART COP_SEC(1)

/* ---------------------------------------------------------------- words */

static cop_bytes
name(char *room, const char *key, size_t size, char what)
{
    room[0] = '{';
    memcpy(room + 1, key, size);
    room[size + 1] = '}';
    room[size + 2] = what;
    return (cop_bytes){room, size + 3};
}

void
copi_redis_names(struct copi_redis_names *names, const char *key, size_t size)
{
    names->lock = name(names->room[0], key, size, 'l');
    names->value = name(names->room[1], key, size, 'v');
    names->epoch = name(names->room[2], key, size, 'e');
    names->channel = name(names->room[3], key, size, 'c');
}

cop_bytes
copi_redis_number(struct copi_redis_number *room, int64_t number)
{
    (void)snprintf(room->text, sizeof room->text, "%lld", (long long)number);
    return COP_TEXT(room->text);
}

/* ---------------------------------------------------------------- asking */

static void
free_request(void *request)
{
    free(request);
}

static cop_msg
message_of(struct copi_redis_request *request)
{
    return COP_MSG_MOVE(COPI_REDIS_COMMAND, request, sizeof *request, free_request);
}

const struct copi_redis_answer *
copi_redis_answer_of(const cop_msg *reply)
{
    return reply->body.data;
}

static cop_time
time_left(cop_time until)
{
    cop_time now = cop_now();
    return until == COP_FOREVER ? until : until > now ? until - now : 0;
}

static int
ask_once(cop_pid client, enum copi_redis_script script, const cop_bytes words[], size_t count,
         cop_time until, cop_msg *reply)
{
    /* So that who could not be asked says so before that. */
    cop_time left = time_left(until), early = left / 10 < COP_MS(50) ? left / 10 : COP_MS(50);
    struct copi_redis_request *request =
        copi_redis_request_new(script, until == COP_FOREVER ? until : until - early, words, count);
    if (!request) {
        return -ENOMEM;
    }
    int r = cop_call_any(client, message_of(request), reply, left);
    return r ? r : copi_redis_answer_of(reply)->code;
}

int
copi_redis_ask(cop_pid client, enum copi_redis_script script, const cop_bytes words[], size_t count,
               cop_time until, cop_msg *reply)
{
    cop_time begun = cop_now();
    int r;
    *reply = (cop_msg){0};
    while ((r = ask_once(client, script, words, count, until, reply)) == -EPIPE || r == -ESRCH) {
        bool was_there = r == -EPIPE || cop_now() - begun < RESTART;
        if (!was_there || cop_now() >= until || cop_sleep(COP_MS(5)) != 0) {
            break;
        }
    }
    return r;
}

void
copi_redis_tell(cop_pid client, enum copi_redis_script script, const cop_bytes words[],
                size_t count)
{
    struct copi_redis_request *request = copi_redis_request_new(script, COP_FOREVER, words, count);
    if (request && cop_cast(client, message_of(request)) != 0) {
        free(request);
    }
}

/* ---------------------------------------------------------------- outcomes */

void
copi_redis_fail(struct copi_redis_outcome *out, int code, const char *words)
{
    *out = (struct copi_redis_outcome){.code = code};
    (void)snprintf(out->words, sizeof out->words, "%s", words);
}

void
copi_redis_succeed(struct copi_redis_outcome *out, cop_bytes value)
{
    void *copy = malloc(value.size + 1);
    if (!copy) {
        copi_redis_fail(out, -ENOMEM, "");
        return;
    }
    if (value.size > 0) {
        memcpy(copy, value.data, value.size);
    }
    *out = (struct copi_redis_outcome){.data = copy, .size = value.size};
}

void
copi_redis_take_record(struct copi_redis_outcome *out, cop_bytes bytes)
{
    struct copi_redis_record record;
    if (copi_redis_record_read(&record, bytes) != 0) {
        copi_redis_fail(out, -EBADMSG, "what is stored there is not a result");
    } else if (record.code) {
        char words[sizeof out->words];
        (void)snprintf(words, sizeof words, "%.*s", (int)record.body.size,
                       (const char *)record.body.data);
        copi_redis_fail(out, record.code, words);
    } else {
        copi_redis_succeed(out, record.body);
    }
}

bool
copi_redis_is_gone(int code)
{
    return code == -ECONNREFUSED || code == -EHOSTDOWN || code == -EREMOTEIO || code == -ESRCH;
}
