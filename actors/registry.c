/*
 * actors/registry.c - registries: what one asks of them.
 *
 * Room: actors/. Any thread. What they are made of: registry_partition.c.
 * Touch freely: all of it, inside the contracts of coppice/registry.h.
 *
 * Every question is: find the place, take a picture under its lock, and look at the picture without.
 */
#include "actors/registry.h"

#include "actors/registry_holding.h"
#include "actors/registry_partition.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "runtime/via.h"

#include <coppice/registry.h>

#include <errno.h>

static int
told(const char *word, int code)
{
    cop_reason why = cop_failed(code, "%s", word);
    return copi_fail_why(&why, code);
}

/* ---------------------------------------------------------------- registering */

int
cop_registry_register(const char *registry, cop_bytes key, cop_bytes value)
{
    struct copi_holding holding = {.value = value};
    int r = copi_place_find(&holding.place, registry, key);
    if (r) {
        return r;
    }
    holding.process = copi_here.process;
    r = copi_holding_add(&holding);
    return r == -EEXIST ? told("already_registered", r) : r;
}

int
cop_registry_unregister(const char *registry, cop_bytes key)
{
    struct copi_place place;
    size_t removed;
    int r = copi_place_find(&place, registry, key);
    return r ? r : copi_holding_remove(&place, COPI_HELD, SIZE_MAX, &removed);
}

static int
set_value_locked(const struct copi_place *place, struct copi_blob *value)
{
    struct copi_partition *partition = place->partition;
    if (partition->kind != COP_REGISTRY_UNIQUE) {
        return -EOPNOTSUPP;
    }
    struct copi_key *key = copi_registrations_key(&partition->held, place->hash, place->key);
    struct copi_registration *one = key ? copi_first_under(key) : NULL;
    if (!one || !cop_pid_eq(one->holder->pid, copi_here.process->pid)) {
        return -ENOENT;
    }
    copi_blob_release(one->value); /* pictures hold it for themselves */
    copi_blob_hold(value);
    one->value = value;
    return 0;
}

int
cop_registry_update_value(const char *registry, cop_bytes key, cop_bytes value)
{
    struct copi_place place;
    int r = copi_place_find(&place, registry, key);
    if (r) {
        return r;
    }
    if (value.size > 0 && !value.data) {
        return copi_fail(-EINVAL);
    }
    struct copi_blob *blob = copi_blob_new(value);
    if (!blob) {
        return copi_fail(-ENOMEM);
    }
    r = copi_place_enter(&place);
    if (r == 0) {
        r = set_value_locked(&place, blob);
        copi_place_leave(&place);
        r = r ? copi_fail(r) : 0;
    }
    copi_blob_release(blob);
    return r;
}

/* ---------------------------------------------------------------- as names */

static int
claim(struct copi_process *process, const cop_via *via, cop_pid *holder)
{
    struct copi_holding holding = {
        .value = via->value,
        .process = process,
        .only_unique = true,
    };
    int r = copi_place_find(&holding.place, via->registry, via->key);
    if (r == 0) {
        r = copi_holding_add(&holding);
    }
    if (r == -EEXIST) {
        *holder = holding.holder;
        told("already_started", r);
    } else if (r == -EOPNOTSUPP) {
        told("a key of a duplicate registry is no name", r);
    }
    return r;
}

void
copi_registry_serve(void)
{
    copi_via_serve(claim);
}

/* ---------------------------------------------------------------- the one under a key */

/* The live one's value, held, and pid. */
static int
find_unique_locked(const struct copi_place *place, cop_pid *pid, struct copi_blob **value)
{
    if (place->partition->kind != COP_REGISTRY_UNIQUE) {
        return -EOPNOTSUPP;
    }
    const struct copi_key *key =
        copi_registrations_key(&place->partition->held, place->hash, place->key);
    const struct copi_registration *one = key ? copi_first_under(key) : NULL;
    if (!one || !copi_table_find(one->holder->pid)) {
        return -ENOENT;
    }
    *pid = one->holder->pid;
    if (value) {
        *value = one->value;
        copi_blob_hold(one->value);
    }
    return 0;
}

static int
find_unique(const char *registry, cop_bytes key, cop_pid *pid, struct copi_blob **value)
{
    struct copi_place place;
    int r = copi_place_find(&place, registry, key);
    if (r == 0) {
        r = copi_place_enter(&place);
    }
    if (r) {
        return r;
    }
    r = find_unique_locked(&place, pid, value);
    copi_place_leave(&place);
    if (r) {
        copi_fail(r);
    }
    return r;
}

cop_pid
cop_registry_whereis(const char *registry, cop_bytes key)
{
    cop_pid pid;
    return find_unique(registry, key, &pid, NULL) == 0 ? pid : COP_NOBODY;
}

int
cop_registry_value(const char *registry, cop_bytes key, void *out, size_t size)
{
    struct copi_blob *value;
    cop_pid pid;
    int r = find_unique(registry, key, &pid, &value);
    if (r == 0) {
        r = copi_blob_copy(value, out, size);
        copi_blob_release(value);
    }
    return r;
}

/* ---------------------------------------------------------------- pictures */

/* A user's function looks at it, and may not come back. */
static int
keep(struct copi_picture *picture, int r)
{
    if (r == 0) {
        r = cop_defer(copi_picture_release, picture);
    }
    if (r) {
        copi_picture_release(picture);
    }
    return r;
}

static void
done(struct copi_picture *picture)
{
    cop_undefer(copi_picture_release, picture, true);
}

/* Of one key; `pid`: COP_NOBODY: everybody's. */
static int
take_key(struct copi_picture *picture, const char *registry, cop_bytes bytes, cop_pid pid)
{
    struct copi_place place;
    int r = copi_place_find(&place, registry, bytes);
    if (r == 0) {
        r = copi_place_enter(&place);
    }
    if (r) {
        return r;
    }
    const struct copi_key *key =
        copi_registrations_key(&place.partition->held, place.hash, place.key);
    r = key ? copi_picture_add_key(picture, key, pid) : 0;
    copi_place_leave(&place);
    return r ? copi_fail(r) : 0;
}

static int
look_at_key(struct copi_picture *picture, const char *registry, cop_bytes key, cop_pid pid)
{
    copi_picture_init(picture);
    return keep(picture, take_key(picture, registry, key, pid));
}

/* What is wanted of a partition. */
typedef int take_fn(struct copi_partition *partition, cop_pid pid, void *into);

static int
of_each_partition(const char *registry, take_fn *take, cop_pid pid, void *into)
{
    struct copi_place place;
    int r;
    for (unsigned i = 0; (r = copi_place_at(&place, registry, i)) == 0; i++) {
        r = copi_place_enter(&place);
        if (r) {
            return r;
        }
        r = take(place.partition, pid, into);
        copi_place_leave(&place);
        if (r) {
            return copi_fail(r);
        }
    }
    return r == -ENOENT ? 0 : r;
}

static int
take_all_of(struct copi_partition *partition, cop_pid pid, void *picture)
{
    const struct copi_holder *holder = copi_registrations_holder(&partition->held, pid);
    return holder ? copi_picture_add_holder(picture, holder) : 0;
}

static int
take_all(struct copi_partition *partition, cop_pid pid, void *picture)
{
    struct copi_set_cursor cursor = {0};
    const struct copi_key *key;
    int r = 0;
    while (r == 0 && (key = copi_registrations_next(&partition->held, &cursor))) {
        r = copi_picture_add_key(picture, key, pid);
    }
    return r;
}

static int
count_living(struct copi_partition *partition, cop_pid pid, void *count)
{
    (void)pid;
    struct copi_set_cursor cursor = {0};
    const struct copi_holder *holder;
    while ((holder = copi_registrations_next_holder(&partition->held, &cursor))) {
        *(size_t *)count += copi_table_find(holder->pid) ? holder->count : 0;
    }
    return 0;
}

static int
look_at_all(struct copi_picture *picture, const char *registry, take_fn *take, cop_pid pid)
{
    copi_picture_init(picture);
    return keep(picture, of_each_partition(registry, take, pid, picture));
}

static void
visit_all(const struct copi_picture *picture, cop_registry_fn visit, void *env)
{
    for (size_t i = 0; i < picture->count && visit(&picture->entries[i], env); i++) {
    }
}

static size_t
count_matching(const struct copi_picture *picture, cop_registry_fn matches, void *env)
{
    size_t count = 0;
    for (size_t i = 0; i < picture->count; i++) {
        count += matches(&picture->entries[i], env);
    }
    return count;
}

/* ---------------------------------------------------------------- looking up */

/* As those who are registered have it. Nobody is nobody, and not everybody. */
static cop_pid
one_process(cop_pid pid)
{
    cop_pid resolved = copi_resolve(pid);
    return resolved.id ? resolved : (cop_pid){COPI_NAME_BIT};
}

int
cop_registry_lookup(const char *registry, cop_bytes key, cop_pid *out, size_t capacity,
                    size_t *count)
{
    struct copi_picture picture;
    copi_picture_init(&picture);
    int r = take_key(&picture, registry, key, COP_NOBODY);
    for (size_t i = 0; r == 0 && i < picture.count && i < capacity; i++) {
        out[i] = picture.entries[i].pid;
    }
    if (r == 0 && count) {
        *count = picture.count;
    }
    copi_picture_release(&picture);
    return r;
}

static int
visit_key(const char *registry, cop_bytes key, cop_pid pid, cop_registry_fn visit, void *env)
{
    struct copi_picture picture;
    int r = look_at_key(&picture, registry, key, pid);
    if (r == 0) {
        visit_all(&picture, visit, env);
        done(&picture);
    }
    return r;
}

int
cop_registry_each(const char *registry, cop_bytes key, cop_registry_fn visit, void *env)
{
    return visit_key(registry, key, COP_NOBODY, visit, env);
}

int
cop_registry_values(const char *registry, cop_bytes key, cop_pid pid, cop_registry_fn visit,
                    void *env)
{
    return visit_key(registry, key, one_process(pid), visit, env);
}

int
cop_registry_keys(const char *registry, cop_pid pid, cop_registry_fn visit, void *env)
{
    struct copi_picture picture;
    int r = look_at_all(&picture, registry, take_all_of, one_process(pid));
    if (r == 0) {
        visit_all(&picture, visit, env);
        done(&picture);
    }
    return r;
}

int
cop_registry_select(const char *registry, cop_registry_fn visit, void *env)
{
    struct copi_picture picture;
    int r = look_at_all(&picture, registry, take_all, COP_NOBODY);
    if (r == 0) {
        visit_all(&picture, visit, env);
        done(&picture);
    }
    return r;
}

int
cop_registry_count(const char *registry, size_t *count)
{
    size_t living = 0;
    int r = of_each_partition(registry, count_living, COP_NOBODY, &living);
    if (r == 0) {
        *count = living;
    }
    return r;
}

int
cop_registry_count_match(const char *registry, cop_bytes key, cop_registry_fn matches, void *env,
                         size_t *count)
{
    struct copi_picture picture;
    int r = look_at_key(&picture, registry, key, COP_NOBODY);
    if (r == 0) {
        *count = count_matching(&picture, matches, env);
        done(&picture);
    }
    return r;
}

int
cop_registry_count_select(const char *registry, cop_registry_fn matches, void *env, size_t *count)
{
    struct copi_picture picture;
    int r = look_at_all(&picture, registry, take_all, COP_NOBODY);
    if (r == 0) {
        *count = count_matching(&picture, matches, env);
        done(&picture);
    }
    return r;
}

static bool
is_that_value(const struct copi_blob *value, const void *view)
{
    return value == copi_blob_of(*(const cop_bytes *)view);
}

/* Each value is its registration's own, and held by the picture: it says which one is meant, also after
 * the predicate has unregistered some itself. */
int
cop_registry_unregister_match(const char *registry, cop_bytes key, cop_registry_fn matches,
                              void *env)
{
    struct copi_place place;
    struct copi_picture picture;
    size_t removed;
    int r = copi_place_find(&place, registry, key);
    if (r == 0) {
        r = look_at_key(&picture, registry, key, copi_here.process->pid);
    }
    if (r) {
        return r;
    }
    for (size_t i = 0; r == 0 && i < picture.count; i++) {
        if (matches(&picture.entries[i], env)) {
            r = copi_holding_remove_value(&place, COPI_HELD, is_that_value,
                                          &picture.entries[i].value, &removed);
        }
    }
    done(&picture);
    return r;
}

/* ---------------------------------------------------------------- telling */

int
cop_registry_dispatch(const char *registry, cop_bytes key,
                      void (*fn)(const cop_registry_entry *entries, size_t count, void *env),
                      void *env)
{
    struct copi_picture picture;
    int r = look_at_key(&picture, registry, key, COP_NOBODY);
    if (r == 0) {
        if (picture.count > 0) {
            fn(picture.entries, picture.count, env);
        }
        done(&picture);
    }
    return r;
}

/* One whose mailbox is full loses it; all else concerns the sender. */
static int
send_to_all(const struct copi_picture *picture, cop_msg msg)
{
    int r = 0;
    for (size_t i = 0; i < picture->count && (r == 0 || r == -EAGAIN); i++) {
        r = cop_send(picture->entries[i].pid, msg);
    }
    return r == -EAGAIN ? 0 : r;
}

int
cop_registry_broadcast(const char *registry, cop_bytes key, cop_msg msg)
{
    struct copi_picture picture;
    struct copi_place place;
    int r = copi_place_find(&place, registry, key);
    if (r == 0 && (msg.drop || msg.tag >= COP_MSG_RESERVED || (msg.body.size && !msg.body.data))) {
        r = copi_fail(-EINVAL);
    }
    if (r == 0) {
        r = look_at_key(&picture, registry, key, COP_NOBODY);
    }
    if (r == 0) {
        r = send_to_all(&picture, msg);
        done(&picture);
    }
    return r;
}
