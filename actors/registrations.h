/*
 * actors/registrations.h - who is registered under which key, both ways round.
 *
 * Room: actors/. Knows no thread and no process: a registry's partition guards it with a lock, and a
 * test can fill it with pids that never lived.
 * Touch freely: all of it.
 */
#ifndef COPI_ACTORS_REGISTRATIONS_H
#define COPI_ACTORS_REGISTRATIONS_H

#include "actors/blob.h"
#include "runtime/set.h"

#include <coppice/message.h>

#include <sys/queue.h>

struct copi_registration {
    struct copi_key *key;
    struct copi_holder *holder;
    struct copi_blob *value; /* its own: tells it from all others while somebody holds it */
    TAILQ_ENTRY(copi_registration) under_key, of_holder;
};
TAILQ_HEAD(copi_registered, copi_registration);

/* A key while somebody is registered under it, and those who are, oldest first. */
struct copi_key {
    struct copi_set_member member;
    struct copi_blob *bytes;
    struct copi_registered all;
    size_t count;
};

/* A process while it is registered, and under what, oldest first. */
struct copi_holder {
    struct copi_set_member member;
    cop_pid pid;
    struct copi_registered all;
    size_t count;
};

struct copi_registrations {
    struct copi_set keys, holders;
};

/* Its registrations, oldest first: the first one, and the one after; NULL: none. */
static inline struct copi_registration *
copi_first_under(const struct copi_key *key)
{
    return TAILQ_FIRST(&key->all);
}
static inline struct copi_registration *
copi_next_under(const struct copi_registration *one)
{
    return TAILQ_NEXT(one, under_key);
}
static inline struct copi_registration *
copi_first_of(const struct copi_holder *holder)
{
    return TAILQ_FIRST(&holder->all);
}
static inline struct copi_registration *
copi_next_of(const struct copi_registration *one)
{
    return TAILQ_NEXT(one, of_holder);
}
static inline struct copi_registration *
copi_newest_of(const struct copi_holder *holder)
{
    return TAILQ_LAST(&holder->all, copi_registered);
}

void copi_registrations_init(struct copi_registrations *all);

/* Forget everything. */
void copi_registrations_clear(struct copi_registrations *all);

/*
 * Add one. Holds `value` from then on, and `bytes`, the key, if it is new.
 *
 *   hash   copi_hash of the key
 *
 * -ENOMEM   nothing changed
 */
int copi_registrations_add(struct copi_registrations *all, uint64_t hash, struct copi_blob *bytes,
                           cop_pid pid, struct copi_blob *value);

/* Remove one. Its key and its holder are forgotten with their last. */
void copi_registrations_remove(struct copi_registrations *all,
                               struct copi_registration *registration);

/* The key; NULL: nobody is registered under it. */
struct copi_key *copi_registrations_key(struct copi_registrations *all, uint64_t hash,
                                        cop_bytes key);

/* The process; NULL: it is not registered. */
struct copi_holder *copi_registrations_holder(struct copi_registrations *all, cop_pid pid);

/* A registration of the holder under the key, the oldest; NULL: none. Looks through the shorter of the
 * two lists. */
struct copi_registration *copi_registrations_find(const struct copi_key *key,
                                                  const struct copi_holder *holder);

/* The next key; NULL after the last. As copi_set_next. */
struct copi_key *copi_registrations_next(struct copi_registrations *all,
                                         struct copi_set_cursor *cursor);

/* The next process, the same way. */
struct copi_holder *copi_registrations_next_holder(struct copi_registrations *all,
                                                   struct copi_set_cursor *cursor);

#endif
