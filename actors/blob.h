/*
 * actors/blob.h - bytes that many hold and nobody changes.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_BLOB_H
#define COPI_ACTORS_BLOB_H

#include "runtime/atomic.h"

#include <coppice/base.h>

struct copi_blob {
    copi_atomic32 holds; /* any thread, atomic; freed by whoever lets go last */
    size_t size;
    unsigned char bytes[]; /* aligned as malloc's */
};

/* A copy of the bytes, held by the caller. NULL: out of memory. */
struct copi_blob *copi_blob_new(cop_bytes bytes);

void copi_blob_hold(struct copi_blob *blob);

/* NULL: nothing. */
void copi_blob_release(struct copi_blob *blob);

/* Its bytes; data is never NULL. */
cop_bytes copi_blob_view(struct copi_blob *blob);

/* Its bytes to where there is room for just as many; -EMSGSIZE, and cop_why() is set. */
int copi_blob_copy(const struct copi_blob *blob, void *out, size_t size);

/* The blob that such a view is of. */
struct copi_blob *copi_blob_of(cop_bytes view);

#endif
