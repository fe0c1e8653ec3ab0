/*
 * actors/durable/redis_reply.c - what Redis says, from bytes.
 *
 * Room: actors/durable/, libcoppice-redis. hiredis's reader and nothing else of it; any one thread at a time.
 * Touch freely: the codes. Ask first: the limits; each bounds what a stranger in Redis's place can make us
 * store.
 *
 * hiredis makes room for an array as soon as it has read how many elements it is said to have. Nothing that
 * we ask for has more than three, nor arrays inside, so others are refused before that. A string has
 * room made for it as its bytes come.
 */
#include "actors/durable/redis_reply.h"

#include <coppice-redis.h>
#include <stdlib.h>

enum {
    MOST_ELEMENTS = 8,
    LONGEST = COP_SHARED_RESULT_MAX + 64 * 1024,
};

/* hiredis has changed what it counts elements with. */
#if HIREDIS_MAJOR > 0
typedef size_t elements;
#else
typedef int elements;
#endif

struct copi_redis_reader {
    redisReader *inner;
    redisReplyObjectFunctions functions;
    void *(*create_array)(const redisReadTask *task, elements count);
};

static void *
create_array(const redisReadTask *task, elements count)
{
    const struct copi_redis_reader *reader = task->privdata;
    return task->parent || count > MOST_ELEMENTS ? NULL : reader->create_array(task, count);
}

struct copi_redis_reader *
copi_redis_reader_new(void)
{
    struct copi_redis_reader *reader = calloc(1, sizeof *reader);
    if (!reader || !(reader->inner = redisReaderCreate())) {
        free(reader);
        return NULL;
    }
    reader->functions = *reader->inner->fn;
    reader->create_array = reader->functions.createArray;
    reader->functions.createArray = create_array;
    reader->inner->fn = &reader->functions;
    reader->inner->privdata = reader;
    return reader;
}

void
copi_redis_reader_free(struct copi_redis_reader *reader)
{
    if (reader) {
        redisReaderFree(reader->inner);
        free(reader);
    }
}

int
copi_redis_feed(struct copi_redis_reader *reader, cop_bytes bytes)
{
    if (reader->inner->len - reader->inner->pos + bytes.size > LONGEST) {
        return -EMSGSIZE;
    }
    return redisReaderFeed(reader->inner, bytes.data, bytes.size) == REDIS_OK ? 0 : -ENOMEM;
}

int
copi_redis_next(struct copi_redis_reader *reader, redisReply **out)
{
    void *reply = NULL;
    if (redisReaderGetReply(reader->inner, &reply) != REDIS_OK) {
        return -EBADMSG;
    }
    if (reply) {
        *out = reply;
    }
    return reply ? 1 : 0;
}

/* ---------------------------------------------------------------- errors */

static bool
begins_with(const char *words, const char *word)
{
    size_t size = strlen(word);
    return strncmp(words, word, size) == 0 && (words[size] == ' ' || words[size] == '\0');
}

int
copi_redis_error(const char *words)
{
    static const struct {
        const char *word;
        int code;
    } known[] = {
        {"NOAUTH", -EACCES},     {"WRONGPASS", -EACCES},  {"NOPERM", -EACCES},
        {"OOM", -ENOSPC},        {"READONLY", -EROFS},    {"LOADING", -EAGAIN},
        {"BUSY", -EAGAIN},       {"TRYAGAIN", -EAGAIN},   {"MISCONF", -EROFS},
        {"MASTERDOWN", -EAGAIN}, {"NOREPLICAS", -EAGAIN},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (begins_with(words, known[i].word)) {
            return known[i].code;
        }
    }
    return -EIO;
}

bool
copi_redis_is_error(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_ERROR && begins_with(reply->str, word);
}

/* ---------------------------------------------------------------- answers */

static struct copi_redis_answer *
make(int code, int64_t number, const char *bytes, size_t size)
{
    struct copi_redis_answer *answer = malloc(sizeof *answer + size + 1);
    if (!answer) {
        return NULL;
    }
    *answer = (struct copi_redis_answer){.code = code, .number = number, .size = size};
    if (size > 0) {
        memcpy(answer->bytes, bytes, size);
    }
    answer->bytes[size] = '\0';
    return answer;
}

struct copi_redis_answer *
copi_redis_refusal(int code, const char *words)
{
    return make(code, 0, words, strlen(words));
}

const char *
copi_redis_words(const struct copi_redis_answer *answer)
{
    return answer && answer->size > 0 ? answer->bytes : "";
}

static struct copi_redis_answer *
of_array(const redisReply *array)
{
    const redisReply *first = array->elements > 0 ? array->element[0] : NULL;
    const redisReply *second = array->elements > 1 ? array->element[1] : NULL;
    if (!first || first->type != REDIS_REPLY_INTEGER) {
        return copi_redis_refusal(-EBADMSG, "an answer that is none");
    }
    if (second && second->type == REDIS_REPLY_STRING) {
        return make(0, first->integer, second->str, second->len);
    }
    struct copi_redis_answer *answer = make(0, first->integer, NULL, 0);
    if (answer && second && second->type == REDIS_REPLY_INTEGER) {
        answer->left = second->integer;
    }
    return answer;
}

struct copi_redis_answer *
copi_redis_answer(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_NIL:
        return make(0, 0, NULL, 0);
    case REDIS_REPLY_INTEGER:
        return make(0, reply->integer, NULL, 0);
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return make(0, 1, reply->str, reply->len);
    case REDIS_REPLY_ARRAY:
        return of_array(reply);
    case REDIS_REPLY_ERROR:
        return copi_redis_refusal(copi_redis_error(reply->str), reply->str);
    default:
        return copi_redis_refusal(-EBADMSG, "an answer that is none");
    }
}
