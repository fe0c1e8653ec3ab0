/*
 * runtime/set.h - a set of objects that are found by a key of bytes.
 *
 * Room: runtime/. Knows alloc. No thread of its own: whoever shares a set guards it with a lock.
 *
 * Objects lie where their owner put them, and have a member of the set in them. An empty set has no
 * memory.
 */
#ifndef COPI_RUNTIME_SET_H
#define COPI_RUNTIME_SET_H

#include <coppice/base.h>

#include <ck_hs.h>

struct copi_set_member {
    uint64_t hash; /* copi_hash of the key */
    cop_bytes key; /* borrowed from the object, and constant while it is in a set */
};

struct copi_set {
    ck_hs_t table;
    size_t count, most; /* members; and how many there were at most, since it was empty */
    size_t removed;     /* since the table was made, or made anew */
};

struct copi_set_cursor {
    ck_hs_iterator_t at;
};

/* Of the same bytes and the same seed always the same. */
uint64_t copi_hash(cop_bytes key, uint64_t seed);

void copi_set_init(struct copi_set *set);

/* Forget all members, which stay their owner's. */
void copi_set_clear(struct copi_set *set);

/* The member with that key; NULL: none. */
struct copi_set_member *copi_set_find(struct copi_set *set, uint64_t hash, cop_bytes key);

/* Its key must not be there yet. -ENOMEM. */
int copi_set_add(struct copi_set *set, struct copi_set_member *member);

/* It must be there. */
void copi_set_remove(struct copi_set *set, struct copi_set_member *member);

/* The next member, NULL after the last; begin with a zeroed cursor. What it has returned may be
 * removed; nothing may be added meanwhile. */
struct copi_set_member *copi_set_next(struct copi_set *set, struct copi_set_cursor *cursor);

#endif
