/*
 * actors/durable/memory_versions.c - promises in the order of their ids, and what a batch has changed of them.
 *
 * Room: actors/durable/. The store's process.
 *
 * A version of a promise is never changed: a change puts another in its place, and the old one is kept until the
 * batch is over. So a batch for which there was no memory half-way is undone by putting the old versions back, in
 * reverse; that needs no memory.
 */
#include "actors/durable/memory_versions.h"

#include "actors/durable/record.h"
#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

/* What a batch has put in whose place; NULL: nothing was there, or is. */
struct copi_change {
    struct copi_promise *old, *new;
};

static void
free_version(struct copi_promise *version)
{
    if (version) {
        free(version->record);
        free(version);
    }
}

struct copi_promise *
copi_version_new(const cop_durable_record *record, int64_t lease_until_ms, int64_t ready_ms)
{
    struct copi_promise *version = copi_alloc(sizeof *version);
    cop_durable_record *copy = version ? copi_record_copy(record) : NULL;
    if (!copy) {
        free(version);
        return NULL;
    }
    *version = (struct copi_promise){copy, lease_until_ms, ready_ms};
    return version;
}

/* ---------------------------------------------------------------- the array */

size_t
copi_versions_position(const struct copi_versions *versions, const char *id)
{
    size_t first = 0, end = versions->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (strcmp(versions->all[middle]->record->id, id) < 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

struct copi_promise *
copi_versions_find(const struct copi_versions *versions, const char *id)
{
    size_t at = copi_versions_position(versions, id);
    bool is_there = at < versions->count && strcmp(versions->all[at]->record->id, id) == 0;
    return is_there ? versions->all[at] : NULL;
}

/* There is room. */
static void
insert(struct copi_versions *versions, struct copi_promise *promise)
{
    size_t at = copi_versions_position(versions, promise->record->id);
    memmove(&versions->all[at + 1], &versions->all[at],
            (versions->count - at) * sizeof *versions->all);
    versions->all[at] = promise;
    versions->count++;
}

static void
erase(struct copi_versions *versions, const struct copi_promise *promise)
{
    size_t at = copi_versions_position(versions, promise->record->id);
    versions->count--;
    memmove(&versions->all[at], &versions->all[at + 1],
            (versions->count - at) * sizeof *versions->all);
}

static void
exchange(struct copi_versions *versions, struct copi_promise *old, struct copi_promise *new)
{
    if (!new) {
        erase(versions, old);
    } else if (!old) {
        insert(versions, new);
    } else {
        versions->all[copi_versions_position(versions, new->record->id)] = new;
    }
}

static bool
reserve(void **array, size_t *capacity, size_t count, size_t each)
{
    if (count < *capacity) {
        return true;
    }
    size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = copi_realloc(*array, more * each);
    if (grown) {
        *array = grown;
        *capacity = more;
    }
    return grown != NULL;
}

static bool
make_room(struct copi_versions *versions)
{
    void *all = versions->all, *changes = versions->changes;
    bool has_room = reserve(&all, &versions->capacity, versions->count, sizeof *versions->all)
                    && reserve(&changes, &versions->change_capacity, versions->change_count,
                               sizeof(struct copi_change));
    versions->all = all;
    versions->changes = changes;
    return has_room;
}

int
copi_versions_change(struct copi_versions *versions, struct copi_promise *old,
                     struct copi_promise *new)
{
    if ((!old && !new) || !make_room(versions)) {
        free_version(new);
        return -ENOMEM;
    }
    versions->changes[versions->change_count++] = (struct copi_change){old, new};
    exchange(versions, old, new);
    return 0;
}

void
copi_versions_commit(struct copi_versions *versions)
{
    for (size_t i = 0; i < versions->change_count; i++) {
        free_version(versions->changes[i].old);
    }
    versions->change_count = 0;
}

void
copi_versions_roll_back(struct copi_versions *versions)
{
    while (versions->change_count > 0) {
        struct copi_change last = versions->changes[--versions->change_count];
        exchange(versions, last.new, last.old);
        free_version(last.new);
    }
}

void
copi_versions_free(struct copi_versions *versions)
{
    for (size_t i = 0; i < versions->count; i++) {
        free_version(versions->all[i]);
    }
    free(versions->all);
    free(versions->changes);
}
