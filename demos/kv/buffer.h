/*
 * demos/kv/buffer.h - bytes that grow.
 *
 * Room: demos/. Knows libc only. One owner at a time, no locks.
 *
 * Running out of memory is remembered instead of returned: whoever fills a buffer does it in many
 * small steps and looks once at the end, and from the first failure on nothing more is added, so
 * that what is there is never a message with a hole in it.
 */
#ifndef DEMOS_KV_BUFFER_H
#define DEMOS_KV_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
    char *data;
    size_t used, capacity;
    bool failed;
};

/* Room for `more` bytes behind those in use. On false the buffer is as it was, but failed. */
static inline bool
buffer_reserve(struct buffer *b, size_t more)
{
    if (b->capacity - b->used >= more && !b->failed) {
        return true;
    }
    size_t capacity = b->capacity < 256 ? 256 : b->capacity;
    while (capacity - b->used < more && capacity <= SIZE_MAX / 2) {
        capacity *= 2;
    }
    char *data = b->failed || capacity - b->used < more ? NULL : realloc(b->data, capacity);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

static inline void
buffer_append(struct buffer *b, const void *data, size_t size)
{
    if (buffer_reserve(b, size) && size > 0) {
        memcpy(b->data + b->used, data, size);
        b->used += size;
    }
}

static inline void
buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

/* Empty it; memory beyond `keep` bytes is given back, so that one large value is not for ever. */
static inline void
buffer_clear(struct buffer *b, size_t keep)
{
    if (b->capacity > keep) {
        buffer_free(b);
    }
    b->used = 0;
    b->failed = false;
}

#endif
