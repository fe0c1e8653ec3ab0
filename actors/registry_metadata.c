/*
 * actors/registry_metadata.c - what is to be known of a registry as a whole.
 *
 * Room: actors/. Any thread.
 *
 * It lies in the first partition, whatever its keys hash to, under that one's lock.
 */
#include "actors/registry_metadata.h"

#include "actors/blob.h"
#include "actors/registry_partition.h"
#include "runtime/alloc.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

struct datum {
    struct copi_set_member member;
    struct copi_blob *key, *value;
};

static struct datum *
find_locked(struct copi_set *meta, cop_bytes key)
{
    return (struct datum *)(void *)copi_set_find(meta, copi_hash(key, 0), key);
}

static void
free_datum(struct datum *datum)
{
    copi_blob_release(datum->key);
    copi_blob_release(datum->value);
    free(datum);
}

void
copi_metadata_clear(struct copi_set *meta)
{
    struct copi_set_cursor cursor = {0};
    for (struct copi_set_member *member; (member = copi_set_next(meta, &cursor));) {
        free_datum((struct datum *)(void *)member);
    }
    copi_set_clear(meta);
}

static struct datum *
new_datum(cop_bytes key, cop_bytes value)
{
    struct datum *datum = copi_zalloc(sizeof *datum);
    if (!datum) {
        return NULL;
    }
    datum->key = copi_blob_new(key);
    datum->value = copi_blob_new(value);
    if (!datum->key || !datum->value) {
        free_datum(datum);
        return NULL;
    }
    datum->member.key = copi_blob_view(datum->key);
    datum->member.hash = copi_hash(datum->member.key, 0);
    return datum;
}

static bool
is_valid(cop_bytes bytes)
{
    return bytes.size == 0 || bytes.data;
}

/* The first partition. */
static int
find_place(struct copi_place *place, const char *registry, cop_bytes key)
{
    int r = copi_place_at(place, registry, 0);
    return r == 0 && !is_valid(key) ? copi_fail(-EINVAL) : r;
}

/* Of an old datum only the value changes, and `datum` becomes what is to be freed. */
static int
put_locked(struct copi_set *meta, struct datum **datum)
{
    struct datum *old = find_locked(meta, (*datum)->member.key);
    if (!old) {
        int r = copi_set_add(meta, &(*datum)->member);
        *datum = r ? *datum : NULL;
        return r;
    }
    struct copi_blob *value = old->value;
    old->value = (*datum)->value;
    (*datum)->value = value;
    return 0;
}

static int
put(const struct copi_place *place, struct datum **datum)
{
    int r = copi_place_enter(place);
    if (r == 0) {
        r = put_locked(&place->partition->meta, datum);
        copi_place_leave(place);
        r = r ? copi_fail(r) : 0;
    }
    return r;
}

int
cop_registry_put_meta(const char *registry, cop_bytes key, cop_bytes value)
{
    struct copi_place place;
    int r = find_place(&place, registry, key);
    if (r) {
        return r;
    }
    if (!is_valid(value)) {
        return copi_fail(-EINVAL);
    }
    struct datum *datum = new_datum(key, value);
    if (!datum) {
        return copi_fail(-ENOMEM);
    }
    r = put(&place, &datum);
    if (datum) {
        free_datum(datum);
    }
    return r;
}

/* The value, held; NULL: none. */
static int
get(struct copi_blob **value, const struct copi_place *place, cop_bytes key)
{
    int r = copi_place_enter(place);
    if (r) {
        return r;
    }
    const struct datum *datum = find_locked(&place->partition->meta, key);
    *value = datum ? datum->value : NULL;
    if (datum) {
        copi_blob_hold(datum->value);
    }
    copi_place_leave(place);
    if (!datum) {
        copi_fail(-ENOENT);
    }
    return datum ? 0 : -ENOENT;
}

int
cop_registry_meta(const char *registry, cop_bytes key, void *out, size_t size)
{
    struct copi_place place;
    struct copi_blob *value;
    int r = find_place(&place, registry, key);
    if (r == 0) {
        r = get(&value, &place, key);
    }
    if (r == 0) {
        r = copi_blob_copy(value, out, size);
        copi_blob_release(value);
    }
    return r;
}

int
cop_registry_delete_meta(const char *registry, cop_bytes key)
{
    struct copi_place place;
    int r = find_place(&place, registry, key);
    if (r == 0) {
        r = copi_place_enter(&place);
    }
    if (r) {
        return r;
    }
    struct datum *datum = find_locked(&place.partition->meta, key);
    if (datum) {
        copi_set_remove(&place.partition->meta, &datum->member);
        free_datum(datum);
    }
    copi_place_leave(&place);
    return 0;
}
