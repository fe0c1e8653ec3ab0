/*
 * actors/pg.c - groups of processes.
 *
 * Room: actors/. Any thread.
 * Touch freely: all of it, inside the contracts of coppice/pg.h.
 *
 * Members are registrations in a duplicate registry. Who watches a group is registered, too, under the
 * same key and in the same partition, but in a table of its own; so watching and the list of members are
 * one step under one lock, changes are told in their order, and a watcher's end needs no further thought.
 */
#include "actors/pg.h"

#include "actors/registry_holding.h"
#include "runtime/inbox.h"
#include "runtime/message.h"
#include "runtime/name.h"
#include "runtime/report.h"
#include "runtime/send.h"

#include <coppice/pg.h>

#include <errno.h>

static const char *
scope_or_default(const char *scope)
{
    return scope ? scope : "pg";
}

/* ---------------------------------------------------------------- members */

int
cop_pg_join(const char *scope, cop_bytes group)
{
    int r = cop_registry_register(scope_or_default(scope), group, (cop_bytes){0});
    return r == -EEXIST ? copi_fail(-EOPNOTSUPP) : r;
}

int
cop_pg_leave(const char *scope, cop_bytes group)
{
    struct copi_place place;
    size_t left;
    int r = copi_place_find(&place, scope_or_default(scope), group);
    if (r == 0) {
        r = copi_holding_remove(&place, COPI_HELD, 1, &left);
    }
    if (r == 0 && left == 0) {
        cop_reason why = cop_failed(-ENOENT, "not_joined");
        r = copi_fail_why(&why, -ENOENT);
    }
    return r;
}

int
cop_pg_members(const char *scope, cop_bytes group, cop_pid *out, size_t capacity, size_t *count)
{
    return cop_registry_lookup(scope_or_default(scope), group, out, capacity, count);
}

struct visit {
    bool (*visit)(cop_bytes group, void *env);
    void *env;
    const void *last; /* members of a group come together, and have one key */
};

static bool
visit_once(const cop_registry_entry *entry, void *env)
{
    struct visit *visit = env;
    if (entry->key.data == visit->last) {
        return true;
    }
    visit->last = entry->key.data;
    return visit->visit(entry->key, visit->env);
}

int
cop_pg_groups(const char *scope, bool (*visit)(cop_bytes group, void *env), void *env)
{
    struct visit each = {.visit = visit, .env = env};
    return cop_registry_select(scope_or_default(scope), visit_once, &each);
}

int
cop_pg_broadcast(const char *scope, cop_bytes group, cop_msg msg)
{
    return cop_registry_broadcast(scope_or_default(scope), group, msg);
}

/* ---------------------------------------------------------------- watching */

static cop_ref
ref_of(const struct copi_blob *value)
{
    cop_ref ref;
    memcpy(&ref, value->bytes, sizeof ref);
    return ref;
}

static void
tell(const struct copi_registration *watcher, cop_pid pid, bool joined)
{
    struct cop_pg_change change = {.ref = ref_of(watcher->value), .pid = pid, .joined = joined};
    struct copi_message *message = copi_message_new(COPI_SEND, COP_MSG_PG, sizeof change);
    if (!message) {
        copi_report(COPI_WARNING, "no memory to tell of a change in a group");
        return;
    }
    message->from = pid;
    memcpy(message->body, &change, sizeof change);
    copi_post(watcher->holder->pid, message);
}

void
copi_pg_tell_locked(struct copi_registrations *watching, const struct copi_registration *changed,
                    bool joined)
{
    const struct copi_set_member *group = &changed->key->member;
    const struct copi_key *watched = copi_registrations_key(watching, group->hash, group->key);
    const struct copi_registration *watcher = watched ? copi_first_under(watched) : NULL;
    for (; watcher; watcher = copi_next_under(watcher)) {
        tell(watcher, changed->holder->pid, joined);
    }
}

static int
watch(struct copi_holding *holding, struct copi_picture *members, cop_pid *out, size_t capacity,
      size_t *count)
{
    int r = copi_holding_add(holding);
    for (size_t i = 0; r == 0 && i < members->count && i < capacity; i++) {
        out[i] = members->entries[i].pid;
    }
    if (r == 0 && count) {
        *count = members->count;
    }
    return r;
}

int
cop_pg_monitor(const char *scope, cop_bytes group, cop_ref *ref, cop_pid *out, size_t capacity,
               size_t *count)
{
    struct copi_picture members;
    struct copi_holding holding = {.table = COPI_WATCHING, .members = &members};
    int r = copi_place_find(&holding.place, scope_or_default(scope), group);
    if (r) {
        return r;
    }
    struct copi_process *self = copi_here.process;
    cop_ref made = copi_make_ref(self, self->index);
    holding.process = self;
    holding.value = COP_BYTES(made);
    copi_picture_init(&members);
    r = watch(&holding, &members, out, capacity, count);
    copi_picture_release(&members);
    if (r == 0) {
        *ref = made;
    }
    return r;
}

static bool
is_that_monitor(const struct copi_blob *value, const void *ref)
{
    return ref_of(value).id == ((const cop_ref *)ref)->id;
}

static bool
is_told_by(const struct copi_message *message, cop_ref ref)
{
    struct cop_pg_change change;
    if (message->kind != COPI_SEND || message->tag != COP_MSG_PG) {
        return false;
    }
    memcpy(&change, message->body, sizeof change);
    return change.ref.id == ref.id;
}

/* What was told under the lock that we have just had is in the mailbox by now. */
static void
remove_told(struct copi_process *self, cop_ref ref)
{
    copi_take_in_signals(self);
    for (struct copi_message **link = &self->inbox.first; *link;) {
        if (is_told_by(*link, ref)) {
            copi_message_free(copi_list_remove(&self->inbox, link));
        } else {
            link = &(*link)->next;
        }
    }
}

int
cop_pg_demonitor(const char *scope, cop_ref ref)
{
    struct copi_place place;
    size_t removed = 0;
    int r;
    for (unsigned i = 0;
         removed == 0 && (r = copi_place_at(&place, scope_or_default(scope), i)) == 0; i++) {
        r = copi_holding_remove_value(&place, COPI_WATCHING, is_that_monitor, &ref, &removed);
        if (r) {
            return r;
        }
    }
    if (removed == 0) {
        return r == -ENOENT ? copi_fail(r) : r;
    }
    remove_told(copi_here.process, ref);
    return 0;
}
