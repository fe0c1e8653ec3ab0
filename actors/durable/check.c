/*
 * actors/durable/check.c - whether an operation is one.
 *
 * Room: actors/durable/. Arithmetic only.
 * Touch freely: the order. Ask first: what is refused.
 *
 * Whatever a backend would refuse is refused here, before it is sent: one that fails in the middle of a batch would
 * fail all that are with it.
 */
#include "actors/durable/check.h"

#include <errno.h>

/* ---------------------------------------------------------------- text */

/* How many bytes follow the first of a character; -1: it is no first one. */
static int
bytes_after(unsigned char first)
{
    return first < 0x80                    ? 0
           : first >= 0xc2 && first < 0xe0 ? 1
           : first >= 0xe0 && first < 0xf0 ? 2
           : first >= 0xf0 && first < 0xf5 ? 3
                                           : -1;
}

/* Neither longer than it need be, nor half of a pair, nor beyond the last character. */
static bool
is_in_range(unsigned char first, unsigned char second)
{
    return !((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)
             || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f));
}

/* What is stored as text by a server has to be UTF-8. */
static bool
is_text(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int after = bytes_after(*at);
        if (after < 0 || (after > 0 && !is_in_range(at[0], at[1]))) {
            return false;
        }
        at++;
        for (; after > 0; after--, at++) {
            if ((*at & 0xc0) != 0x80) {
                return false; /* the end, too */
            }
        }
    }
    return true;
}

static bool
is_word(const char *text)
{
    return !text || (strlen(text) <= COP_DURABLE_ID_MOST && is_text(text));
}

static bool
are_tags(const char *tags)
{
    return !tags
           || (is_word(tags) && tags[0] != ' ' && !strstr(tags, "  ")
               && (tags[0] == 0 || tags[strlen(tags) - 1] != ' '));
}

/* ---------------------------------------------------------------- operations */

static bool
is_lease(const cop_store_op *op)
{
    return op->kind == COP_STORE_ACQUIRE || op->kind == COP_STORE_CLAIM
           || op->kind == COP_STORE_INHERIT || op->kind == COP_STORE_RENEW;
}

static bool
are_bytes(cop_bytes bytes)
{
    return bytes.size == 0 || bytes.data;
}

static int
refuse(const char **what, int code, const char *words)
{
    *what = words;
    return code;
}

static int
check_settle(const cop_store_op *op, const char **what)
{
    bool is_rejected = op->state == COP_DURABLE_REJECTED;
    if (op->kind != COP_STORE_SETTLE) {
        return 0;
    }
    if (!is_rejected && op->state != COP_DURABLE_RESOLVED) {
        return refuse(what, -EINVAL, "a promise is resolved or rejected");
    }
    if (is_rejected != (op->code != 0) || is_rejected != (op->cause != COP_DURABLE_NONE)) {
        return refuse(what, -EINVAL, "a rejection has a code");
    }
    return 0;
}

int
copi_store_check(const cop_store_op *op, const char **what)
{
    bool is_of_one =
        cop_store_is_of_one(op); /* else its id is a place between others, which any bytes are */
    if (is_of_one && (!op->id || op->id[0] == 0)) {
        return refuse(what, -EINVAL, "an id is missing");
    }
    if ((is_of_one && !is_word(op->id)) || !is_word(op->queue) || !are_tags(op->tags)) {
        return refuse(what, -EINVAL, "an id, a queue and tags are UTF-8, and at most 255 bytes");
    }
    if (!are_bytes(op->param) || !are_bytes(op->value) || !are_bytes(op->key)) {
        return refuse(what, -EINVAL, "bytes without data");
    }
    if (op->key.size > COP_DURABLE_KEY_MOST
        || (op->text && strlen(op->text) > COP_DURABLE_TEXT_MOST)) {
        return refuse(what, -EMSGSIZE, "a key or a text is too long");
    }
    if (is_lease(op) && op->time <= 0) {
        return refuse(what, -EINVAL, "a lease has a time");
    }
    return check_settle(op, what);
}
