/*
 * runtime/slab.h - slabs: the memory that messages are cut from.
 *
 * Room: runtime/. Knows the seam. Any thread.
 */
#ifndef COPI_RUNTIME_SLAB_H
#define COPI_RUNTIME_SLAB_H

#include <stdbool.h>
#include <stddef.h>

struct copi_region;

enum {
    COPI_SLAB_SIZE = 64 * 1024
};

/*
 * Memory of COPI_SLAB_SIZE, aligned to it, with anything in it. NULL: there is none. *of goes back with it.
 *
 *   in_bulk   for who has many already: much faster to touch, and up to 2 MiB of it are resident at once
 */
void *copi_slab_take(bool in_bulk, struct copi_region **of);

/* It is nobody's any more, and its pages are the system's. */
void copi_slab_give(struct copi_region *of, void *slab);

/* For tests: how many are somebody's. */
size_t copi_slabs_taken(void);

#endif
