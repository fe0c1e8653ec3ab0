/*
 * runtime/memory.c - memory that a process owns.
 *
 * Room: runtime/. The owner thread only.
 * Touch freely: how many a few are, the first size of the table. Ask first: putting a header before the
 * block: what cop_disown returns must be free()'s.
 *
 * The process has a set of what it owns, address to size. A server that has nothing but its state needs no table,
 * which would be larger than most states: one block stands in the record of the process, a few more in a set that is
 * made for them, and only when these are not enough there is Concurrency Kit's hash table for more.
 *
 * A server's state is made by who starts it. So a server that never allocates never enters malloc, which gives each
 * thread that does 650 bytes of its own.
 */
#include "runtime/memory.h"

#include "runtime/alloc.h"
#include "runtime/process.h"

#include <ck_ht.h>

#include <errno.h>
#include <stdlib.h>

enum {
    FEW = 4
};

struct copi_memory {
    struct copi_block few[FEW];
    ck_ht_t more;
    bool has_more;
    struct copi_memory *kept_before;
};

static struct {
    copi_lock lock;
    struct copi_memory *last;
} kept = {.lock = COPI_LOCK_INIT};

static struct copi_memory *
memory_of(struct copi_process *self)
{
    if (!self->memory) {
        self->memory = copi_zalloc(sizeof *self->memory);
    }
    return self->memory;
}

static void
count_owned(struct copi_process *self, size_t change)
{
    copi_store_relaxed_64(&self->owned_bytes, copi_load_relaxed_64(&self->owned_bytes) + change);
}

/* Where that block stands among the few; of NULL: a free place. NULL: nowhere. */
static struct copi_block *
find(struct copi_memory *memory, const void *start)
{
    for (struct copi_block *at = memory->few; at < memory->few + FEW; at++) {
        if (at->start == start) {
            return at;
        }
    }
    return NULL;
}

static bool
put_in_table(struct copi_memory *memory, void *start, size_t size)
{
    enum {
        FIRST_CAPACITY = 16
    };
    if (!memory->has_more
        && !ck_ht_init(&memory->more, CK_HT_MODE_DIRECT, NULL, &copi_alloc_for_tables,
                       FIRST_CAPACITY, 1)) {
        return false;
    }
    memory->has_more = true;
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &memory->more, (uintptr_t)start);
    ck_ht_entry_set_direct(&entry, hash, (uintptr_t)start, size);
    return ck_ht_put_spmc(&memory->more, hash, &entry);
}

static bool
take_from_table(struct copi_memory *memory, void *start, size_t *size)
{
    if (!memory->has_more) {
        return false;
    }
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &memory->more, (uintptr_t)start);
    ck_ht_entry_key_set_direct(&entry, (uintptr_t)start);
    if (!ck_ht_remove_spmc(&memory->more, hash, &entry)) {
        return false;
    }
    *size = ck_ht_entry_value_direct(&entry);
    return true;
}

static bool
own_one_more(struct copi_process *self, void *start, size_t size)
{
    struct copi_memory *memory = memory_of(self);
    struct copi_block *free_place = memory ? find(memory, NULL) : NULL;
    if (free_place) {
        *free_place = (struct copi_block){start, size};
    }
    return free_place || (memory && put_in_table(memory, start, size));
}

static bool
own(struct copi_process *self, void *start, size_t size)
{
    if (!self->first_owned.start) {
        self->first_owned = (struct copi_block){start, size};
    } else if (!own_one_more(self, start, size)) {
        return false;
    }
    count_owned(self, size);
    return true;
}

static bool
disown(struct copi_process *self, void *start)
{
    struct copi_memory *memory = self->memory;
    struct copi_block *among_few = self->first_owned.start == start ? &self->first_owned
                                   : memory                         ? find(memory, start)
                                                                    : NULL;
    size_t size;
    if (among_few) {
        size = among_few->size;
        *among_few = (struct copi_block){0};
    } else if (!memory || !take_from_table(memory, start, &size)) {
        return false;
    }
    count_owned(self, -size);
    return true;
}

static void *
allocate(struct copi_process *self, size_t size, void *(*from)(size_t size))
{
    void *block = from(size);
    if (!block || !own(self, block, size)) {
        free(block);
        copi_fail(-ENOMEM);
        return NULL;
    }
    return block;
}

void *
copi_memory_new(struct copi_process *self, size_t size)
{
    return allocate(self, size, copi_zalloc);
}

static void
free_table(struct copi_memory *memory)
{
    ck_ht_iterator_t at = CK_HT_ITERATOR_INITIALIZER;
    for (ck_ht_entry_t *entry; ck_ht_next(&memory->more, &at, &entry);) {
        free((void *)ck_ht_entry_key_direct(entry));
    }
    ck_ht_destroy(&memory->more);
}

static void
free_memory(struct copi_memory *memory)
{
    for (size_t i = 0; i < FEW; i++) {
        free(memory->few[i].start);
    }
    if (memory->has_more) {
        free_table(memory);
    }
    free(memory);
}

void
copi_memory_free_all(struct copi_process *self)
{
    free(self->first_owned.start);
    self->first_owned = (struct copi_block){0};
    if (self->memory) {
        free_memory(self->memory);
        self->memory = NULL;
    }
    copi_store_relaxed_64(&self->owned_bytes, 0);
}

void
copi_memory_keep_all(struct copi_process *self)
{
    struct copi_block first = self->first_owned;
    self->first_owned = (struct copi_block){0};
    if (first.start) {
        /* Without memory it is kept, but not reachable. */
        (void)own_one_more(self, first.start, first.size);
    }
    struct copi_memory *memory = self->memory;
    if (memory) {
        copi_lock_take(&kept.lock);
        memory->kept_before = kept.last;
        kept.last = memory;
        copi_lock_give(&kept.lock);
        self->memory = NULL;
    }
}

/* ---------------------------------------------------------------- public */

void *
cop_alloc(size_t size)
{
    struct copi_process *self;
    return copi_enter(&self) == 0 ? allocate(self, size, copi_alloc) : NULL;
}

void
cop_free(void *memory)
{
    free(cop_disown(memory));
}

void *
cop_disown(void *memory)
{
    struct copi_process *self;
    if (!memory || copi_enter(&self) != 0) {
        return NULL;
    }
    return disown(self, memory) ? memory : NULL;
}
