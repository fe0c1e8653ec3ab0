/*
 * runtime/dictionary.c - the process dictionary.
 *
 * Room: runtime/. The owner thread only.
 * Touch freely: how it is searched. Ask first: the order in which it is dropped.
 *
 * A row of entries, in the order of their first put, made at the first one. An entry is out of the row,
 * or has its new value, before the old value is dropped: the drop function may look, and put.
 */
#include "runtime/dictionary.h"

#include "runtime/alloc.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
    const void *key;
    void *value;
    void (*drop)(void *value);
};

struct copi_dictionary {
    size_t count, capacity;
    struct entry entries[];
};

static struct entry *
find(const struct copi_process *self, const void *key)
{
    struct copi_dictionary *dictionary = self->dictionary;
    for (size_t i = 0; dictionary && i < dictionary->count; i++) {
        if (dictionary->entries[i].key == key) {
            return &dictionary->entries[i];
        }
    }
    return NULL;
}

static bool
has_room(const struct copi_dictionary *dictionary)
{
    return dictionary && dictionary->count < dictionary->capacity;
}

static int
add(struct copi_process *self, const struct entry *entry)
{
    enum {
        FIRST_CAPACITY = 8
    };
    if (!has_room(self->dictionary)) {
        size_t count = self->dictionary ? self->dictionary->count : 0;
        size_t capacity = count ? count * 2 : FIRST_CAPACITY;
        struct copi_dictionary *larger =
            copi_realloc(self->dictionary, sizeof *larger + capacity * sizeof larger->entries[0]);
        if (!larger) {
            return -ENOMEM;
        }
        larger->count = count;
        larger->capacity = capacity;
        self->dictionary = larger;
    }
    self->dictionary->entries[self->dictionary->count++] = *entry;
    return 0;
}

static void
take_out(struct copi_dictionary *dictionary, struct entry *entry)
{
    const struct entry *end = &dictionary->entries[dictionary->count];
    memmove(entry, entry + 1, (size_t)((const char *)end - (const char *)(entry + 1)));
    dictionary->count--;
}

/* A drop function is a user's: the process must not end in it, as in those of messages. */
static void
drop(struct copi_process *self, const struct entry *entry)
{
    if (!entry->drop) {
        return;
    }
    if (self->jump) {
        copi_run_held(self, entry->drop, entry->value);
    } else {
        entry->drop(entry->value); /* a thread that is not ours */
    }
}

static int
put(struct copi_process *self, const struct entry *entry)
{
    struct entry *there = find(self, entry->key);
    if (!there) {
        return add(self, entry);
    }
    struct entry replaced = *there;
    *there = *entry;
    if (replaced.value != entry->value) {
        drop(self, &replaced);
    }
    return 0;
}

void
copi_dictionary_end(struct copi_process *self)
{
    while (self->dictionary && self->dictionary->count > 0) {
        struct entry last = self->dictionary->entries[--self->dictionary->count];
        drop(self, &last);
    }
    free(self->dictionary);
    self->dictionary = NULL;
}

/* ---------------------------------------------------------------- public */

int
cop_put(const void *key, void *value, void (*drop_it)(void *value))
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    r = key && value ? put(self, &(struct entry){key, value, drop_it}) : -EINVAL;
    return r ? copi_fail(r) : 0;
}

void *
cop_get(const void *key)
{
    struct copi_process *self;
    const struct entry *entry = copi_enter(&self) == 0 ? find(self, key) : NULL;
    return entry ? entry->value : NULL;
}

void *
cop_erase(const void *key)
{
    struct copi_process *self;
    struct entry *entry = copi_enter(&self) == 0 ? find(self, key) : NULL;
    if (!entry) {
        return NULL;
    }
    void *value = entry->value;
    take_out(self->dictionary, entry);
    return value;
}
