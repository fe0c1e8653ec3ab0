/*
 * actors/bytes.c - bytes that wait: put in at the end, taken out at the beginning.
 *
 * Room: actors/. Knows alloc. Whoever shares them guards them.
 */
#include "actors/bytes.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

static void
move_to_front(struct copi_waiting_bytes *bytes)
{
    if (bytes->begin > 0) {
        memmove(bytes->memory, bytes->memory + bytes->begin, bytes->used);
        bytes->begin = 0;
    }
}

/* By half of what waits, so that each byte is moved a few times at most, and no more is taken than
 * that. */
static bool
grow(struct copi_waiting_bytes *bytes, size_t size)
{
    size_t capacity = bytes->used + size + bytes->used / 2;
    unsigned char *memory = copi_alloc(capacity);
    if (!memory) {
        return false;
    }
    if (bytes->used > 0) {
        memcpy(memory, bytes->memory + bytes->begin, bytes->used);
    }
    free(bytes->memory);
    *bytes = (struct copi_waiting_bytes){memory, 0, bytes->used, capacity};
    return true;
}

static bool
has_room(const struct copi_waiting_bytes *bytes, size_t size)
{
    return bytes->capacity - bytes->begin - bytes->used >= size;
}

unsigned char *
copi_bytes_reserve(struct copi_waiting_bytes *bytes, size_t size)
{
    if (size > SIZE_MAX / 4 - bytes->used) {
        return NULL;
    }
    if (!has_room(bytes, size) && bytes->begin >= bytes->used) {
        move_to_front(bytes); /* of no more than have been taken out since the last time */
    }
    if (!has_room(bytes, size) && !grow(bytes, size)) {
        return NULL;
    }
    return bytes->memory + bytes->begin + bytes->used;
}

void
copi_bytes_added(struct copi_waiting_bytes *bytes, size_t size)
{
    bytes->used += size;
}

int
copi_bytes_add(struct copi_waiting_bytes *bytes, cop_bytes more)
{
    if (more.size == 0) {
        return 0;
    }
    unsigned char *end = copi_bytes_reserve(bytes, more.size);
    if (!end) {
        return -ENOMEM;
    }
    memcpy(end, more.data, more.size);
    bytes->used += more.size;
    return 0;
}

void
copi_bytes_remove(struct copi_waiting_bytes *bytes, size_t size)
{
    bytes->begin += size;
    bytes->used -= size;
    if (bytes->used == 0) {
        bytes->begin = 0;
    }
}

void
copi_bytes_fit(struct copi_waiting_bytes *bytes)
{
    if (bytes->used == 0) {
        copi_bytes_clear(bytes);
    } else if (bytes->capacity / 2 > bytes->used) {
        move_to_front(bytes);
        unsigned char *memory = copi_realloc(bytes->memory, bytes->used);
        if (memory) { /* or it stays as it is */
            bytes->memory = memory;
            bytes->capacity = bytes->used;
        }
    }
}

void
copi_bytes_clear(struct copi_waiting_bytes *bytes)
{
    free(bytes->memory);
    *bytes = (struct copi_waiting_bytes){0};
}
