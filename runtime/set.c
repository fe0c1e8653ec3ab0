/*
 * runtime/set.c - a set of objects that are found by a key of bytes.
 *
 * Room: runtime/.
 * Touch freely: the first capacity, the hash. Ask first: nothing.
 *
 * Concurrency Kit's hash set, in its delete-heavy mode. It could be read without a lock, but then what
 * is removed would have to outlive its readers; those who use it here have a lock anyway.
 *
 * A member that is removed leaves a mark, which every search passes on its way. So when as many have been
 * removed as there were at most, the next that is added has the table made anew: then, and not at the
 * removal, because a cursor may be on its way through it. Without memory for it the old one goes on.
 */
#include "runtime/set.h"

#include "runtime/alloc.h"

#include <assert.h>
#include <errno.h>

enum {
    FIRST_CAPACITY = 8
};

static unsigned long
hash_of(const void *object, unsigned long seed)
{
    const struct copi_set_member *member = object;
    (void)seed; /* it is in the hash already */
    return member->hash;
}

static bool
is_same(const void *one, const void *other)
{
    const struct copi_set_member *a = one, *b = other;
    return a->hash == b->hash && a->key.size == b->key.size
           && (a->key.size == 0 || memcmp(a->key.data, b->key.data, a->key.size) == 0);
}

uint64_t
copi_hash(cop_bytes key, uint64_t seed)
{
    const unsigned char *bytes = key.data;
    uint64_t hash = UINT64_C(14695981039346656037) ^ seed; /* FNV-1a */
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd); /* murmur's way of mixing */
    return hash ^ (hash >> 33);
}

void
copi_set_init(struct copi_set *set)
{
    set->count = 0;
}

void
copi_set_clear(struct copi_set *set)
{
    if (set->count > 0) {
        ck_hs_destroy(&set->table);
        set->count = 0;
    }
}

struct copi_set_member *
copi_set_find(struct copi_set *set, uint64_t hash, cop_bytes key)
{
    struct copi_set_member wanted = {.hash = hash, .key = key};
    return set->count > 0 ? ck_hs_get(&set->table, hash, &wanted) : NULL;
}

static bool
begin(struct copi_set *set)
{
    set->most = set->removed = 0;
    return ck_hs_init(&set->table, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT | CK_HS_MODE_DELETE, hash_of,
                      is_same, &copi_alloc_for_tables, FIRST_CAPACITY, 0);
}

int
copi_set_add(struct copi_set *set, struct copi_set_member *member)
{
    if (set->count == 0 && !begin(set)) {
        return -ENOMEM;
    }
    if (set->removed > set->most + FIRST_CAPACITY) {
        set->removed = 0;
        ck_hs_rebuild(&set->table);
    }
    if (!ck_hs_put(&set->table, member->hash, member)) {
        assert(set->count > 0); /* the first needs no memory but begin's */
        return -ENOMEM;
    }
    set->count++;
    set->most = set->count > set->most ? set->count : set->most;
    return 0;
}

void
copi_set_remove(struct copi_set *set, struct copi_set_member *member)
{
    ck_hs_remove(&set->table, member->hash, member);
    set->removed++;
    if (--set->count == 0) {
        ck_hs_destroy(&set->table);
    }
}

struct copi_set_member *
copi_set_next(struct copi_set *set, struct copi_set_cursor *cursor)
{
    void *member;
    return set->count > 0 && ck_hs_next(&set->table, &cursor->at, &member) ? member : NULL;
}
