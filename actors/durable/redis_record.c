/*
 * actors/durable/redis_record.c - an outcome as it is stored.
 *
 * Room: actors/durable/, libcoppice-redis.
 * Touch freely: nothing. Ask first: the form: programs of several versions share a server.
 *
 *   "COP1"   which form it is
 *   1 byte   'v' a value, 'f' a failure
 *   8        the failure's code without its sign, in decimal digits; of a value "00000000"
 *   32       the token
 *   …        the value, or the failure's words
 *
 * So a failure, an empty value and nothing at all are three things, it can be read with redis-cli, and no
 * machine's order of bytes is in it.
 */
#include "actors/durable/redis_record.h"

#include <coppice/random.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char magic[4] = {'C', 'O', 'P', '1'};

enum {
    DIGITS = 8,
    KIND_AT = sizeof magic,
    CODE_AT = KIND_AT + 1,
    TOKEN_AT = CODE_AT + DIGITS,
    HEADER = TOKEN_AT + COPI_REDIS_TOKEN,
    MOST_CODE = 99999999,
};

/* Chance will do: it has to be nobody else's, and is no secret. Who may ask the server may remove the lock, too. */
struct copi_redis_token
copi_redis_token_new(void)
{
    char text[COPI_REDIS_TOKEN + 1];
    struct copi_redis_token token;
    (void)snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, cop_random(), cop_random());
    memcpy(token.text, text, sizeof token.text);
    return token;
}

static void
write_code(char *digits, int code)
{
    for (size_t i = DIGITS; i > 0; i--, code /= 10) {
        digits[i - 1] = (char)('0' + code % 10);
    }
}

void *
copi_redis_record_write(const struct copi_redis_record *record, size_t *size)
{
    char *bytes = malloc(HEADER + record->body.size + 1);
    if (!bytes) {
        return NULL;
    }
    memcpy(bytes, magic, sizeof magic);
    bytes[KIND_AT] = record->code ? 'f' : 'v';
    write_code(bytes + CODE_AT, record->code < -MOST_CODE ? MOST_CODE : -record->code);
    memcpy(bytes + TOKEN_AT, record->token.text, COPI_REDIS_TOKEN);
    if (record->body.size > 0) {
        memcpy(bytes + HEADER, record->body.data, record->body.size);
    }
    *size = HEADER + record->body.size;
    return bytes;
}

/* -1: it is no number. */
static int
read_code(const char *digits)
{
    int code = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return -1;
        }
        code = 10 * code + (digits[i] - '0');
    }
    return code;
}

int
copi_redis_record_read(struct copi_redis_record *record, cop_bytes bytes)
{
    const char *data = bytes.data;
    if (bytes.size < HEADER || memcmp(data, magic, sizeof magic) != 0) {
        return -EBADMSG;
    }
    int code = read_code(data + CODE_AT);
    bool is_value = data[KIND_AT] == 'v' && code == 0,
         is_failure = data[KIND_AT] == 'f' && code > 0;
    if (!is_value && !is_failure) {
        return -EBADMSG;
    }
    record->code = -code;
    memcpy(record->token.text, data + TOKEN_AT, COPI_REDIS_TOKEN);
    record->body = (cop_bytes){data + HEADER, bytes.size - HEADER};
    return 0;
}
