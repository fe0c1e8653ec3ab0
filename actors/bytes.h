/*
 * actors/bytes.h - bytes that wait: put in at the end, taken out at the beginning.
 *
 * Room: actors/. Knows alloc. Whoever shares them guards them.
 */
#ifndef COPI_ACTORS_BYTES_H
#define COPI_ACTORS_BYTES_H

#include <coppice/base.h>

/* Zeroed: none, and no memory. */
struct copi_waiting_bytes {
    unsigned char *memory;
    size_t begin, used, capacity; /* begin: of those that wait; used: how many they are */
};

static inline cop_bytes
copi_bytes_view(const struct copi_waiting_bytes *bytes)
{
    return (cop_bytes){bytes->memory ? bytes->memory + bytes->begin : NULL, bytes->used};
}

/* Room for `size` more behind those that wait; NULL: out of memory. */
unsigned char *copi_bytes_reserve(struct copi_waiting_bytes *bytes, size_t size);

/* So many have been written there. */
void copi_bytes_added(struct copi_waiting_bytes *bytes, size_t size);

/* Put in a copy. -ENOMEM. */
int copi_bytes_add(struct copi_waiting_bytes *bytes, cop_bytes more);

/* Take out the first `size`. */
void copi_bytes_remove(struct copi_waiting_bytes *bytes, size_t size);

/* Give back the memory that is not needed for what waits. */
void copi_bytes_fit(struct copi_waiting_bytes *bytes);

/* Forget them all. */
void copi_bytes_clear(struct copi_waiting_bytes *bytes);

#endif
