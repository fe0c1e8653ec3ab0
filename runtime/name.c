/*
 * runtime/name.c - names for processes.
 *
 * Room: runtime/. Any thread.
 * Touch freely: the number of buckets. Ask first: that names are never forgotten.
 *
 * A name becomes an entry the first time it is used and stays one for good, as an Erlang atom does.
 * So whoever looks one up takes no lock: entries hang in buckets whose chains only grow at the front
 * (CK_SLIST's way of inserting under readers), and who holds the name is one word in the entry. A
 * pid of cop_named is the entry's number and leads to it through a table of the same kind.
 *
 * The lock guards insertion and who holds what; senders and lookups do without. Whoever ends takes it to give its
 * name back, so nobody may wait for an end under it.
 */
#include "runtime/name.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/table.h"

#include <errno.h>
#include <string.h>

enum {
    BUCKETS = 4096,
    CHUNK = 1024,
    CHUNKS = 1024,
};

struct copi_name {
    copi_atomic64 holder; /* a pid's id; 0: free */
    /* what goes with it for as long as it is `noted_by` that holds it: written before that */
    copi_atomic64 noted_by;
    copi_atomic32 noted;
    struct copi_name *next;
    uint32_t number;
    char text[];
};

static struct {
    copi_lock lock;
    uint32_t count; /* guarded by lock */
    /* read by anybody; written under the lock */
    copi_atomic_ptr buckets[BUCKETS]; /* struct copi_name */
    copi_atomic_ptr chunks[CHUNKS];   /* copi_atomic_ptr[CHUNK], of struct copi_name */
} names = {.lock = COPI_LOCK_INIT};

static uint32_t
bucket_of(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    }
    return (hash ^ (hash >> 16)) % BUCKETS;
}

static struct copi_name *
find(const char *text)
{
    /* Pairs with insert_locked: what is reached is complete. */
    struct copi_name *name = copi_load_acquire_ptr(&names.buckets[bucket_of(text)]);
    while (name && strcmp(name->text, text) != 0) {
        name = name->next;
    }
    return name;
}

static copi_atomic_ptr *
place_locked(uint32_t number)
{
    copi_atomic_ptr *chunk = copi_load_relaxed_ptr(&names.chunks[number / CHUNK]);
    if (!chunk && (chunk = copi_zalloc(CHUNK * sizeof *chunk))) {
        copi_store_release_ptr(&names.chunks[number / CHUNK], chunk); /* pairs with by_number */
    }
    return chunk ? &chunk[number % CHUNK] : NULL;
}

static struct copi_name *
insert_locked(const char *text)
{
    copi_atomic_ptr *place = names.count < CHUNK * CHUNKS ? place_locked(names.count) : NULL;
    size_t size = strlen(text) + 1;
    struct copi_name *name = place ? copi_zalloc(sizeof *name + size) : NULL;
    if (!name) {
        return NULL;
    }
    memcpy(name->text, text, size);
    name->number = names.count++;
    copi_atomic_ptr *bucket = &names.buckets[bucket_of(text)];
    name->next = copi_load_relaxed_ptr(bucket);
    copi_store_release_ptr(place, name);  /* pairs with by_number */
    copi_store_release_ptr(bucket, name); /* pairs with find */
    return name;
}

static struct copi_name *
find_or_insert(const char *text)
{
    struct copi_name *name = find(text);
    if (!name) {
        copi_lock_take(&names.lock);
        name = find(text);
        if (!name) {
            name = insert_locked(text);
        }
        copi_lock_give(&names.lock);
    }
    return name;
}

static struct copi_name *
by_number(cop_pid named)
{
    uint64_t number = named.id & ~COPI_NAME_BIT;
    if (number >= CHUNK * CHUNKS) {
        return NULL;
    }
    copi_atomic_ptr *chunk = copi_load_acquire_ptr(&names.chunks[number / CHUNK]);
    return chunk ? copi_load_acquire_ptr(&chunk[number % CHUNK]) : NULL;
}

int
copi_name_check(const char *name)
{
    if (!name) {
        return 0;
    }
    size_t length = strnlen(name, COPI_NAME_SIZE);
    return length == 0 || length == COPI_NAME_SIZE ? -EINVAL : 0;
}

cop_pid
copi_name_holder(cop_pid named)
{
    struct copi_name *name = by_number(named);
    return (cop_pid){name ? copi_load_acquire_64(&name->holder) : 0};
}

static int
claim(struct copi_process *process, cop_pid pid, const char *text)
{
    int r = text ? copi_name_check(text) : -EINVAL;
    if (r) {
        return r;
    }
    struct copi_name *name = find_or_insert(text);
    if (!name) {
        return -ENOMEM;
    }
    copi_lock_take(&names.lock);
    if (copi_load_relaxed_64(&process->id) != pid.id) {
        r = -ESRCH; /* it ended meanwhile: copi_name_release has been */
    } else if (copi_load_relaxed_64(&name->holder) != 0) {
        r = -EEXIST;
    } else if (process->name) {
        r = -EALREADY;
    } else {
        process->name = name;
        copi_store_release_64(&name->holder, pid.id);
        copi_recorder_name(process, name->text);
    }
    copi_lock_give(&names.lock);
    return r;
}

int
copi_name_claim(struct copi_process *process, const char *name)
{
    return claim(process, copi_pid(process), name);
}

/* The name may be another's by now: who takes it away from a process whose pid finds nobody any more does not find
 * the record, either. */
void
copi_name_release(struct copi_process *process)
{
    copi_lock_take(&names.lock);
    struct copi_name *name = process->name;
    if (name && copi_load_relaxed_64(&name->holder) == process->pid.id) {
        copi_store_release_64(&name->holder, 0);
    }
    process->name = NULL;
    copi_lock_give(&names.lock);
}

int
copi_name_note(const char *text, cop_pid holder, uint32_t number)
{
    struct copi_name *name = text ? find(text) : NULL;
    int r = -ESRCH;
    copi_lock_take(&names.lock);
    if (name && holder.id && copi_load_relaxed_64(&name->holder) == holder.id) {
        copi_store_relaxed_32(&name->noted, number);
        copi_store_release_64(&name->noted_by, holder.id); /* pairs with copi_name_noted */
        r = 0;
    }
    copi_lock_give(&names.lock);
    return r;
}

bool
copi_name_noted(const char *text, uint32_t *number)
{
    struct copi_name *name = text && !copi_is_forked() ? find(text) : NULL;
    uint64_t by = name ? copi_load_acquire_64(&name->noted_by) : 0; /* pairs with copi_name_note */
    if (by == 0 || by != copi_load_acquire_64(&name->holder)) {
        return false;
    }
    *number = copi_load_relaxed_32(&name->noted);
    return true;
}

void
copi_name_of(struct copi_process *process, char out[COPI_NAME_SIZE])
{
    copi_lock_take(&names.lock);
    strncpy(out, process->name ? process->name->text : "", COPI_NAME_SIZE - 1);
    out[COPI_NAME_SIZE - 1] = '\0';
    copi_lock_give(&names.lock);
}

void
copi_name_show(struct copi_process *process)
{
    copi_lock_take(&names.lock);
    if (process->name) {
        copi_recorder_name(process, process->name->text);
    }
    copi_lock_give(&names.lock);
}

const char *
copi_name_peek(const struct copi_process *process)
{
    const struct copi_name *name = process->name;
    return name ? name->text : NULL;
}

/* ---------------------------------------------------------------- public */

int
cop_register(const char *name, cop_pid pid)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    pid = copi_resolve(pid);
    struct copi_process *process = copi_table_find(pid);
    if (!process) {
        return copi_fail(-ESRCH);
    }
    int r = claim(process, pid, name);
    return r ? copi_fail(r) : 0;
}

int
cop_unregister(const char *text)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    struct copi_name *name = text ? find(text) : NULL;
    uint64_t holder = 0;
    if (name) {
        copi_lock_take(&names.lock);
        holder = copi_load_relaxed_64(&name->holder);
        struct copi_process *process = copi_table_find((cop_pid){holder});
        if (process && process->name == name) {
            process->name = NULL;
        }
        copi_store_release_64(&name->holder, 0);
        copi_lock_give(&names.lock);
    }
    return holder ? 0 : copi_fail(-ENOENT);
}

cop_pid
cop_whereis(const char *text)
{
    struct copi_name *name = text && !copi_is_forked() ? find(text) : NULL;
    return (cop_pid){name ? copi_load_acquire_64(&name->holder) : 0};
}

cop_pid
cop_named(const char *text)
{
    bool is_name = text && !copi_is_forked() && copi_name_check(text) == 0;
    struct copi_name *name = is_name ? find_or_insert(text) : NULL;
    return (cop_pid){name ? COPI_NAME_BIT | name->number : 0};
}
