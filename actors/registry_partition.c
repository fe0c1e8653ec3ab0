/*
 * actors/registry_partition.c - the parts of which registries are made, and how they are found.
 *
 * Room: actors/. Knows the runtime. Any thread; the second half runs in a partition's process.
 * Touch freely: nothing. Ask first: who is linked when; the order in close_partition.
 *
 * A registry has partitions, each with a process, a lock and tables of its own; a key's hash says which
 * one has it. They share nothing, so each is a small registry by itself.
 *
 * Readers. Whoever looks something up takes the partition's lock, a mutex, for a search in a hash set
 * and a few additions to what it finds, which is then looked at without it (registry_picture.c). Concurrency
 * Kit's sets can be read without any lock, but then what is removed must outlive its readers: that is an
 * epoch record for every thread, of which there is one for every process, polled when it does not read.
 * A mutex that nobody else wants costs less than what it guards; where many want it, partitions are the
 * answer, as they are in Elixir. ck_rwlock spins, and with more threads than cores spins for somebody
 * who does not run.
 *
 * Places stay. A registry's name, once used, has a place for good, and so has each of its partitions:
 * only what they hold comes and goes. So finding a partition takes no lock and no count of users; who
 * has found one looks, under its lock, whether it is open, and for a registry of as many partitions as
 * it thought.
 *
 * Who is registered is linked to the partition's process, and the link is made before the entry. The
 * entry is added only if the process can still be found; a process stops being found before its end is
 * told (process.c), and the end of a link is told through the mailbox of the partition, which then takes
 * the lock to remove. So either the addition sees that the process is gone, or the removal comes after
 * it: no entry stays. Until the removal the entry is there, of a process that is not: every reader asks
 * the table of processes, and a unique key of the dead is free.
 *
 * The other way round, a partition that ends closes itself first, under the lock. A process that has
 * linked meanwhile finds it closed, adds nothing and unlinks; one that has added is linked, and goes
 * with it.
 *
 * A partition closes as the last thing its process does on its own thread. A process that was killed
 * and replaced may be late with that: then the partition has a new owner, and is not its to close.
 *
 * The lock is held while events are posted, so that they arrive in the order of what they tell. That
 * takes the locks of the message pools and of nothing else.
 */
#include "actors/registry_partition.h"

#include "actors/pg.h"
#include "actors/registry_lock.h"
#include "actors/registry_metadata.h"
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/name.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/request.h"
#include "runtime/send.h"

#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

struct copi_registry {
    struct copi_registry *next; /* constant */
    uint64_t seed;              /* constant; of its keys' hashes */
    copi_atomic32 count;        /* of partitions, of the last one started; 0: none yet */
    copi_atomic_ptr partitions[COP_REGISTRY_PARTITIONS_MAX];
    char name[];
};

static struct {
    copi_lock lock;        /* guards additions */
    copi_atomic_ptr first; /* struct copi_registry; read by anybody. A program has a handful */
} registries = {.lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- places */

static struct copi_registry *
find(const char *name)
{
    struct copi_registry *registry = copi_load_acquire_ptr(&registries.first); /* pairs with add */
    while (registry && strcmp(registry->name, name) != 0) {
        registry = registry->next;
    }
    return registry;
}

static struct copi_registry *
add_locked(const char *name)
{
    size_t size = strlen(name) + 1;
    struct copi_registry *registry = copi_zalloc(sizeof *registry + size);
    if (registry) {
        memcpy(registry->name, name, size);
        registry->seed = copi_random();
        registry->next = copi_load_relaxed_ptr(&registries.first);
        copi_store_release_ptr(&registries.first, registry); /* pairs with find */
    }
    return registry;
}

static bool
add_partitions_locked(struct copi_registry *registry, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (copi_load_relaxed_ptr(&registry->partitions[i])) {
            continue;
        }
        struct copi_partition *partition = copi_zalloc(sizeof *partition);
        if (!partition) {
            return false;
        }
        copi_lock_init(&partition->lock);
        copi_registrations_init(&partition->held);
        copi_registrations_init(&partition->watching);
        copi_set_init(&partition->meta);
        copi_store_release_ptr(&registry->partitions[i], partition); /* pairs with fill_in */
    }
    return true;
}

struct copi_registry *
copi_registry_make(const char *name, unsigned partitions)
{
    copi_lock_take(&registries.lock);
    struct copi_registry *registry = find(name);
    if (!registry) {
        registry = add_locked(name);
    }
    if (registry && !add_partitions_locked(registry, partitions)) {
        registry = NULL;
    }
    copi_lock_give(&registries.lock);
    return registry;
}

static int
unknown(const char *name)
{
    cop_reason why = cop_failed(-ESRCH, "unknown registry: %s", name);
    return copi_fail_why(&why, -ESRCH);
}

/* NULL: *error says why not. The count is a hint: copi_place_enter holds it against what the partition
 * says. */
static struct copi_registry *
find_registry(const char *name, unsigned *count, int *error)
{
    struct copi_process *self;
    *error = copi_enter(&self);
    if (*error) {
        return NULL;
    }
    if (!name) {
        *error = copi_fail(-EINVAL);
        return NULL;
    }
    struct copi_registry *registry = find(name);
    *count = registry ? copi_load_acquire_32(&registry->count) : 0; /* pairs with open_partition */
    if (*count == 0) {
        *error = unknown(name);
        return NULL;
    }
    return registry;
}

static void
fill_in(struct copi_place *out, struct copi_registry *registry, unsigned count, unsigned i)
{
    out->registry = registry->name;
    out->count = count;
    out->partition =
        copi_load_acquire_ptr(&registry->partitions[i]); /* pairs with add_partitions */
}

int
copi_place_find(struct copi_place *out, const char *registry, cop_bytes key)
{
    unsigned count;
    int error;
    struct copi_registry *found = find_registry(registry, &count, &error);
    if (!found) {
        return error;
    }
    if (key.size > 0 && !key.data) {
        return copi_fail(-EINVAL);
    }
    out->key = key;
    out->hash = copi_hash(key, found->seed);
    fill_in(out, found, count, (unsigned)(out->hash >> 32) % count);
    return 0;
}

int
copi_place_at(struct copi_place *out, const char *registry, unsigned i)
{
    unsigned count;
    int error;
    struct copi_registry *found = find_registry(registry, &count, &error);
    if (!found) {
        return error;
    }
    if (i >= count) {
        return -ENOENT;
    }
    fill_in(out, found, count, i);
    return 0;
}

int
copi_place_enter(const struct copi_place *place)
{
    struct copi_partition *partition = place->partition;
    copi_lock_take(&partition->lock);
    if (partition->owner.id != 0 && partition->count == place->count) {
        return 0;
    }
    copi_lock_give(&partition->lock);
    return unknown(place->registry);
}

void
copi_place_leave(const struct copi_place *place)
{
    copi_lock_give(&place->partition->lock);
}

/* ---------------------------------------------------------------- events */

static struct copi_message *
make_event(const struct copi_registration *registration, bool is_new)
{
    cop_bytes key = copi_blob_view(registration->key->bytes);
    cop_bytes value = copi_blob_view(registration->value);
    struct cop_registry_event event = {
        .pid = registration->holder->pid,
        .registered = is_new,
        .key_size = key.size,
        .value_size = value.size,
    };
    void *body;
    struct copi_message *message = copi_message_blank(COPI_SEND, COP_MSG_REGISTRY,
                                                      sizeof event + key.size + value.size, &body);
    if (message) {
        message->from = event.pid;
        memcpy(body, &event, sizeof event);
        memcpy((char *)body + sizeof event, key.data, key.size);
        memcpy((char *)body + sizeof event + key.size, value.data, value.size);
    }
    return message;
}

static void
tell_listeners(struct copi_blob *listeners, const struct copi_registration *registration,
               bool is_new)
{
    const char *names = (const char *)listeners->bytes, *end = names + listeners->size;
    for (; names < end; names += strlen(names) + 1) {
        cop_pid listener = cop_whereis(names);
        if (listener.id == 0) {
            continue;
        }
        struct copi_message *event = make_event(registration, is_new);
        if (event) {
            copi_post(listener, event);
        } else {
            copi_report(COPI_WARNING, "no memory for an event of a registry to %s", names);
        }
    }
}

void
copi_partition_announce_locked(struct copi_partition *partition,
                               const struct copi_registration *registration, bool is_new)
{
    if (partition->listeners) {
        tell_listeners(partition->listeners, registration, is_new);
    }
    copi_pg_tell_locked(&partition->watching, registration, is_new);
}

/* ---------------------------------------------------------------- opening and closing */

static void
empty_locked(struct copi_partition *partition)
{
    copi_registrations_clear(&partition->held);
    copi_registrations_clear(&partition->watching);
    copi_metadata_clear(&partition->meta);
    copi_blob_release(partition->listeners);
    partition->listeners = NULL;
    partition->owner = COP_NOBODY;
}

static void
close_partition(void *arg)
{
    struct copi_partition *partition = arg;
    copi_lock_take(&partition->lock);
    if (cop_pid_eq(partition->owner, copi_here.process->pid)) {
        empty_locked(partition);
    }
    copi_lock_give(&partition->lock);
}

static int
open_partition(const struct copi_partition_start *start, cop_bytes names,
               struct copi_partition *partition)
{
    struct copi_blob *listeners = NULL;
    int r = cop_at_exit(close_partition, partition);
    if (r == 0 && names.size > 0 && !(listeners = copi_blob_new(names))) {
        r = -ENOMEM;
    }
    if (r) {
        return r;
    }
    copi_lock_take(&partition->lock);
    empty_locked(partition); /* of whoever was late with closing */
    partition->owner = copi_here.process->pid;
    partition->count = start->count;
    partition->kind = start->kind;
    partition->listeners = listeners;
    copi_lock_give(&partition->lock);
    copi_store_release_32(&start->registry->count, start->count); /* pairs with find_registry */
    return 0;
}

/* ---------------------------------------------------------------- the process */

struct server {
    struct copi_partition *partition;
    struct copi_locks locks;
};

static cop_step
init(void *state, cop_bytes arg)
{
    struct server *server = state;
    const struct copi_partition_start *start = arg.data;
    cop_bytes names = {start + 1, arg.size - sizeof *start};
    server->partition = copi_load_acquire_ptr(&start->registry->partitions[start->index]);
    cop_trap_exits(true);
    copi_locks_init(&server->locks);
    int r = cop_at_exit(copi_locks_clear, &server->locks);
    if (r == 0) {
        r = open_partition(start, names, server->partition);
    }
    return r ? cop_stop(cop_failed(r, NULL)) : cop_ok();
}

static void
remove_all_of_locked(struct copi_partition *partition, struct copi_registrations *all, cop_pid pid)
{
    for (struct copi_holder *holder; (holder = copi_registrations_holder(all, pid));) {
        struct copi_registration *registration = copi_first_of(holder);
        if (all == &partition->held) {
            copi_partition_announce_locked(partition, registration, false);
        }
        copi_registrations_remove(all, registration);
    }
}

static void
forget(struct copi_partition *partition, cop_pid pid)
{
    copi_lock_take(&partition->lock);
    if (cop_pid_eq(partition->owner, copi_here.process->pid)) {
        remove_all_of_locked(partition, &partition->watching, pid);
        remove_all_of_locked(partition, &partition->held, pid);
    }
    copi_lock_give(&partition->lock);
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct server *server = state;
    if (!copi_locks_info(&server->locks, msg) && msg.tag == COP_MSG_EXIT) {
        forget(server->partition, COP_BODY(msg, struct cop_exited)->pid);
    }
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct server *server = state;
    if (!copi_locks_call(&server->locks, from, request)) {
        copi_request_fail(copi_here.process, from.pid, from.ref, -EOPNOTSUPP);
    }
    return cop_ok();
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct server *server = state;
    copi_locks_cast(&server->locks, msg); /* anything else is nobody's business */
    return cop_ok();
}

const cop_genserver copi_partition_server = {
    .type = "registry partition",
    .state_size = sizeof(struct server),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};
