/*
 * tests/fuzz/fuzz_redis.c - what stands in Redis's place may say, and what may be stored there.
 *
 * Room: tests/. Linked with redis_reply.c and redis_record.c.
 *
 * The first byte says how the rest is cut. The replies must be those of the uncut stream; a record that was read
 * is written as it was.
 */
#include "actors/durable/redis_record.h"
#include "actors/durable/redis_reply.h"
#include "tests/fuzz/fuzz.h"

struct heard {
    uint64_t hash;
    int end; /* 0: nothing more has come; -EBADMSG */
};

static void
note(struct heard *heard, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        heard->hash = (heard->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
}

static void
take_reply(struct heard *heard, redisReply *reply)
{
    struct copi_redis_answer *answer = copi_redis_answer(reply);
    HOLDS(answer && answer->bytes[answer->size] == '\0' && answer->code <= 0);
    HOLDS(copi_redis_is_error(reply, "NOSCRIPT") <= (answer->code < 0));
    note(heard, &answer->code, sizeof answer->code);
    note(heard, &answer->number, sizeof answer->number);
    note(heard, &answer->left, sizeof answer->left);
    note(heard, answer->bytes, answer->size);
    free(answer);
    freeReplyObject(reply);
}

static struct heard
listen_to(struct input input, size_t piece)
{
    struct heard heard = {.hash = UINT64_C(0xcbf29ce484222325)};
    struct copi_redis_reader *reader = copi_redis_reader_new();
    HOLDS(reader);
    while (input.size > 0 && heard.end == 0) {
        size_t size = input.size < piece ? input.size : piece;
        void *bytes = copy_of(input.at, size);
        HOLDS(copi_redis_feed(reader, (cop_bytes){bytes, size}) == 0);
        free(bytes);
        input.at += size;
        input.size -= size;
        redisReply *reply = NULL;
        while ((heard.end = copi_redis_next(reader, &reply)) == 1) {
            take_reply(&heard, reply);
        }
    }
    copi_redis_reader_free(reader);
    return heard;
}

static void
check_record(struct input input)
{
    struct copi_redis_record record;
    void *bytes = copy_of(input.at, input.size);
    if (copi_redis_record_read(&record, (cop_bytes){bytes, input.size}) == 0) {
        size_t size;
        void *again = copi_redis_record_write(&record, &size);
        HOLDS(again && size == input.size && memcmp(again, bytes, size) == 0);
        free(again);
    }
    free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t piece = 1 + take_number(&input, 1);
    check_record(input);
    struct heard whole = listen_to(input, SIZE_MAX), cut = listen_to(input, piece);
    HOLDS(whole.hash == cut.hash && whole.end == cut.end);
    return 0;
}
