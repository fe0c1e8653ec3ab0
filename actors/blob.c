/*
 * actors/blob.c - bytes that many hold and nobody changes.
 *
 * Room: actors/. Any thread.
 */
#include "actors/blob.h"

#include "runtime/alloc.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(offsetof(struct copi_blob, bytes) % 16 == 0, "bytes are aligned as malloc's");

struct copi_blob *
copi_blob_new(cop_bytes bytes)
{
    struct copi_blob *blob = copi_alloc(sizeof *blob + bytes.size);
    if (blob) {
        copi_store_relaxed_32(&blob->holds, 1);
        blob->size = bytes.size;
        if (bytes.size > 0) {
            memcpy(blob->bytes, bytes.data, bytes.size);
        }
    }
    return blob;
}

void
copi_blob_hold(struct copi_blob *blob)
{
    copi_fetch_add_32(&blob->holds, 1);
}

/* A full barrier: whoever lets go last frees after all others have read. */
void
copi_blob_release(struct copi_blob *blob)
{
    if (blob && copi_fetch_add_32(&blob->holds, (uint32_t)-1) == 1) {
        free(blob);
    }
}

cop_bytes
copi_blob_view(struct copi_blob *blob)
{
    return (cop_bytes){blob->bytes, blob->size};
}

int
copi_blob_copy(const struct copi_blob *blob, void *out, size_t size)
{
    if (blob->size != size) {
        return copi_fail(-EMSGSIZE);
    }
    if (size > 0) {
        memcpy(out, blob->bytes, size);
    }
    return 0;
}

struct copi_blob *
copi_blob_of(cop_bytes view)
{
    union {
        const void *in;
        char *out;
    } bytes = {.in = view.data};
    return (struct copi_blob *)(void *)(bytes.out - offsetof(struct copi_blob, bytes));
}
