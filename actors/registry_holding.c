/*
 * actors/registry_holding.c - how a process comes to be registered, and how it gives that up itself.
 *
 * Room: actors/. The process itself, or who starts it.
 * Touch freely: nothing. Ask first: the order of link and entry (registry_partition.c says why).
 *
 * Only a process itself adds to and takes from what it holds, and a process that does not run yet holds
 * nothing. So between two looks under the lock nothing changes but by its end, or by the partition's.
 */
#include "actors/registry_holding.h"

#include "runtime/signals.h"
#include "runtime/table.h"

#include <errno.h>

enum {
    NOT_LINKED = 1
};

static struct copi_registrations *
table_of(struct copi_partition *partition, enum copi_table_kind table)
{
    return table == COPI_HELD ? &partition->held : &partition->watching;
}

static bool
knows_locked(struct copi_partition *partition, cop_pid pid)
{
    return copi_registrations_holder(&partition->held, pid)
           || copi_registrations_holder(&partition->watching, pid);
}

static void
remove_locked(struct copi_partition *partition, enum copi_table_kind table,
              struct copi_registration *registration)
{
    if (table == COPI_HELD) {
        copi_partition_announce_locked(partition, registration, false);
    }
    copi_registrations_remove(table_of(partition, table), registration);
}

/* ---------------------------------------------------------------- adding */

/* The one live process under the key of a unique registry. The dead make room. */
static cop_pid
holder_locked(struct copi_partition *partition, const struct copi_place *place)
{
    for (struct copi_key *key;
         (key = copi_registrations_key(&partition->held, place->hash, place->key));) {
        struct copi_registration *registration = copi_first_under(key);
        if (copi_table_find(registration->holder->pid)) {
            return registration->holder->pid;
        }
        remove_locked(partition, COPI_HELD, registration);
    }
    return COP_NOBODY;
}

static int
check_locked(struct copi_holding *holding)
{
    struct copi_partition *partition = holding->place.partition;
    if (!copi_table_find(holding->process->pid)) {
        return -ECANCELED;
    }
    if (holding->table == COPI_WATCHING) {
        return 0;
    }
    if (partition->kind != COP_REGISTRY_UNIQUE) {
        return holding->only_unique ? -EOPNOTSUPP : 0;
    }
    holding->holder = holder_locked(partition, &holding->place);
    return holding->holder.id ? -EEXIST : 0;
}

static int
picture_members_locked(const struct copi_holding *holding)
{
    const struct copi_place *place = &holding->place;
    struct copi_key *key =
        holding->members ? copi_registrations_key(&place->partition->held, place->hash, place->key)
                         : NULL;
    return key ? copi_picture_add_key(holding->members, key, COP_NOBODY) : 0;
}

static int
insert_locked(const struct copi_holding *holding, struct copi_blob *key, struct copi_blob *value)
{
    struct copi_partition *partition = holding->place.partition;
    struct copi_registrations *all = table_of(partition, holding->table);
    int r = picture_members_locked(holding);
    if (r == 0) {
        r = copi_registrations_add(all, holding->place.hash, key, holding->process->pid, value);
    }
    if (r == 0 && holding->table == COPI_HELD) {
        struct copi_holder *holder = copi_registrations_holder(all, holding->process->pid);
        copi_partition_announce_locked(partition, copi_newest_of(holder), true);
    }
    return r;
}

/* NOT_LINKED: *owner is whom the process is to be linked to first. */
static int
attempt(struct copi_holding *holding, struct copi_blob *key, struct copi_blob *value,
        cop_pid *owner)
{
    struct copi_partition *partition = holding->place.partition;
    int r = copi_place_enter(&holding->place);
    if (r) {
        return r;
    }
    r = check_locked(holding);
    if (r == 0 && !cop_pid_eq(*owner, partition->owner)
        && !knows_locked(partition, holding->process->pid)) {
        *owner = partition->owner;
        r = NOT_LINKED;
    }
    if (r == 0) {
        r = insert_locked(holding, key, value);
    }
    copi_place_leave(&holding->place);
    return r < 0 && r != -EEXIST ? copi_fail(r) : r;
}

static bool
is_caller(const struct copi_holding *holding)
{
    return holding->process == copi_here.process;
}

static int
link_to(const struct copi_holding *holding, cop_pid owner)
{
    if (is_caller(holding)) {
        return cop_link(owner);
    }
    struct copi_process *process = copi_table_find(owner);
    int r = process ? copi_signals_link_new(holding->process, process) : -ESRCH;
    return r ? copi_fail(r) : 0;
}

/* A process that does not run yet is abandoned, and its link with it. */
static void
unlink_from(const struct copi_holding *holding, cop_pid owner)
{
    if (is_caller(holding)) {
        cop_unlink(owner);
    }
}

static int
add(struct copi_holding *holding, struct copi_blob *key, struct copi_blob *value)
{
    cop_pid owner = COP_NOBODY;
    int r = attempt(holding, key, value, &owner);
    if (r != NOT_LINKED) {
        return r;
    }
    cop_pid linked = owner;
    r = link_to(holding, owner);
    if (r == 0 && (r = attempt(holding, key, value, &owner)) != 0) {
        unlink_from(holding, linked);
        /* NOT_LINKED: the partition has another process by now */
        r = r == NOT_LINKED ? copi_fail(-ESRCH) : r;
    }
    return r;
}

int
copi_holding_add(struct copi_holding *holding)
{
    if (holding->value.size > 0 && !holding->value.data) {
        return copi_fail(-EINVAL);
    }
    struct copi_blob *key = copi_blob_new(holding->place.key);
    struct copi_blob *value = copi_blob_new(holding->value);
    int r = key && value ? add(holding, key, value) : copi_fail(-ENOMEM);
    copi_blob_release(key);
    copi_blob_release(value);
    return r;
}

/* ---------------------------------------------------------------- giving up */

static struct copi_registration *
under_key_locked(const struct copi_place *place, struct copi_registrations *all, cop_pid pid)
{
    struct copi_key *key = copi_registrations_key(all, place->hash, place->key);
    struct copi_holder *holder = copi_registrations_holder(all, pid);
    return key && holder ? copi_registrations_find(key, holder) : NULL;
}

/* Leave the partition; who holds nothing there any more needs no link. */
static void
leave_and_unlink(const struct copi_place *place, cop_pid pid, size_t removed)
{
    cop_pid owner = place->partition->owner;
    bool is_unknown = removed > 0 && !knows_locked(place->partition, pid);
    copi_place_leave(place);
    if (is_unknown) {
        cop_unlink(owner);
    }
}

int
copi_holding_remove(const struct copi_place *place, enum copi_table_kind table, size_t most,
                    size_t *removed)
{
    cop_pid self = copi_here.process->pid;
    struct copi_registrations *all = table_of(place->partition, table);
    int r = copi_place_enter(place);
    if (r) {
        return r;
    }
    *removed = 0;
    for (struct copi_registration *one;
         *removed < most && (one = under_key_locked(place, all, self)); ++*removed) {
        remove_locked(place->partition, table, one);
    }
    leave_and_unlink(place, self, *removed);
    return 0;
}

static struct copi_registration *
of_value_locked(const struct copi_holder *holder,
                bool (*is_it)(const struct copi_blob *value, const void *env), const void *env)
{
    struct copi_registration *one = holder ? copi_first_of(holder) : NULL;
    while (one && !is_it(one->value, env)) {
        one = copi_next_of(one);
    }
    return one;
}

int
copi_holding_remove_value(const struct copi_place *place, enum copi_table_kind table,
                          bool (*is_it)(const struct copi_blob *value, const void *env),
                          const void *env, size_t *removed)
{
    cop_pid self = copi_here.process->pid;
    int r = copi_place_enter(place);
    if (r) {
        return r;
    }
    const struct copi_holder *holder =
        copi_registrations_holder(table_of(place->partition, table), self);
    struct copi_registration *registration = of_value_locked(holder, is_it, env);
    *removed = registration != NULL;
    if (registration) {
        remove_locked(place->partition, table, registration);
    }
    leave_and_unlink(place, self, *removed);
    return 0;
}
