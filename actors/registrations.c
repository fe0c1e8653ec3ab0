/*
 * actors/registrations.c - who is registered under which key, both ways round.
 *
 * Room: actors/.
 *
 * A registration is in two lists, its key's and its holder's, so that a lookup and the end of a process
 * both cost what they find and no more. Keys and holders come with their first registration and go with
 * their last.
 */
#include "actors/registrations.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

void
copi_registrations_init(struct copi_registrations *all)
{
    copi_set_init(&all->keys);
    copi_set_init(&all->holders);
}

/* ---------------------------------------------------------------- keys and holders */

static struct copi_key *
as_key(struct copi_set_member *member)
{
    return (struct copi_key *)(void *)member; /* it comes first */
}

static struct copi_holder *
as_holder(struct copi_set_member *member)
{
    return (struct copi_holder *)(void *)member;
}

struct copi_key *
copi_registrations_key(struct copi_registrations *all, uint64_t hash, cop_bytes key)
{
    return as_key(copi_set_find(&all->keys, hash, key));
}

struct copi_holder *
copi_registrations_holder(struct copi_registrations *all, cop_pid pid)
{
    cop_bytes key = COP_BYTES(pid);
    return as_holder(copi_set_find(&all->holders, copi_hash(key, 0), key));
}

static struct copi_key *
add_key(struct copi_registrations *all, uint64_t hash, struct copi_blob *bytes)
{
    struct copi_key *key = copi_zalloc(sizeof *key);
    if (!key) {
        return NULL;
    }
    key->member = (struct copi_set_member){.hash = hash, .key = copi_blob_view(bytes)};
    key->bytes = bytes;
    TAILQ_INIT(&key->all);
    if (copi_set_add(&all->keys, &key->member)) {
        free(key);
        return NULL;
    }
    copi_blob_hold(bytes);
    return key;
}

static struct copi_holder *
add_holder(struct copi_registrations *all, cop_pid pid)
{
    struct copi_holder *holder = copi_zalloc(sizeof *holder);
    if (!holder) {
        return NULL;
    }
    holder->pid = pid;
    holder->member.key = COP_BYTES(holder->pid);
    holder->member.hash = copi_hash(holder->member.key, 0);
    TAILQ_INIT(&holder->all);
    if (copi_set_add(&all->holders, &holder->member)) {
        free(holder);
        return NULL;
    }
    return holder;
}

static void
drop_key_if_empty(struct copi_registrations *all, struct copi_key *key)
{
    if (key && key->count == 0) {
        copi_set_remove(&all->keys, &key->member);
        copi_blob_release(key->bytes);
        free(key);
    }
}

static void
drop_holder_if_empty(struct copi_registrations *all, struct copi_holder *holder)
{
    if (holder && holder->count == 0) {
        copi_set_remove(&all->holders, &holder->member);
        free(holder);
    }
}

/* ---------------------------------------------------------------- registrations */

static void
insert(struct copi_registration *registration, struct copi_key *key, struct copi_holder *holder)
{
    registration->key = key;
    registration->holder = holder;
    TAILQ_INSERT_TAIL(&key->all, registration, under_key);
    TAILQ_INSERT_TAIL(&holder->all, registration, of_holder);
    key->count++;
    holder->count++;
}

int
copi_registrations_add(struct copi_registrations *all, uint64_t hash, struct copi_blob *bytes,
                       cop_pid pid, struct copi_blob *value)
{
    struct copi_key *key = copi_registrations_key(all, hash, copi_blob_view(bytes));
    struct copi_holder *holder = copi_registrations_holder(all, pid);
    struct copi_registration *registration = copi_zalloc(sizeof *registration);
    if (registration && !key) {
        key = add_key(all, hash, bytes);
    }
    if (registration && !holder) {
        holder = add_holder(all, pid);
    }
    if (!registration || !key || !holder) {
        free(registration);
        drop_key_if_empty(all, key);
        drop_holder_if_empty(all, holder);
        return -ENOMEM;
    }
    registration->value = value;
    copi_blob_hold(value);
    insert(registration, key, holder);
    return 0;
}

void
copi_registrations_remove(struct copi_registrations *all, struct copi_registration *registration)
{
    struct copi_key *key = registration->key;
    struct copi_holder *holder = registration->holder;
    TAILQ_REMOVE(&key->all, registration, under_key);
    TAILQ_REMOVE(&holder->all, registration, of_holder);
    key->count--;
    holder->count--;
    copi_blob_release(registration->value);
    free(registration);
    drop_key_if_empty(all, key);
    drop_holder_if_empty(all, holder);
}

struct copi_registration *
copi_registrations_find(const struct copi_key *key, const struct copi_holder *holder)
{
    struct copi_registration *one;
    if (key->count < holder->count) {
        for (one = copi_first_under(key); one && one->holder != holder;) {
            one = copi_next_under(one);
        }
    } else {
        for (one = copi_first_of(holder); one && one->key != key;) {
            one = copi_next_of(one);
        }
    }
    return one;
}

/* ---------------------------------------------------------------- all of them */

struct copi_key *
copi_registrations_next(struct copi_registrations *all, struct copi_set_cursor *cursor)
{
    return as_key(copi_set_next(&all->keys, cursor));
}

struct copi_holder *
copi_registrations_next_holder(struct copi_registrations *all, struct copi_set_cursor *cursor)
{
    return as_holder(copi_set_next(&all->holders, cursor));
}

static void
forget_registrations(struct copi_key *key)
{
    for (struct copi_registration *one = copi_first_under(key), *next; one; one = next) {
        next = copi_next_under(one);
        copi_blob_release(one->value);
        free(one);
    }
}

void
copi_registrations_clear(struct copi_registrations *all)
{
    struct copi_set_cursor at_key = {0}, at_holder = {0};
    for (struct copi_key *key; (key = copi_registrations_next(all, &at_key));) {
        forget_registrations(key);
        copi_blob_release(key->bytes);
        free(key);
    }
    for (struct copi_holder *holder; (holder = copi_registrations_next_holder(all, &at_holder));) {
        free(holder);
    }
    copi_set_clear(&all->keys);
    copi_set_clear(&all->holders);
}
