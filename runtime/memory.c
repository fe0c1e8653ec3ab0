/*
 * runtime/memory.c - memory that a process owns.
 *
 * Room: runtime/. The owner thread only.
 * Touch freely: the first size of the table. Ask first: putting a header before the block: what
 * cop_disown returns must be free()'s.
 *
 * The process has a set of what it owns, address to size, Concurrency Kit's hash table; made when it
 * first allocates.
 */
#include "runtime/memory.h"

#include "runtime/alloc.h"
#include "runtime/process.h"

#include <ck_ht.h>

#include <errno.h>
#include <stdlib.h>

struct copi_memory {
    ck_ht_t owned;
    struct copi_memory *kept_before;
};

static struct {
    copi_lock lock;
    struct copi_memory *last;
} kept = {.lock = COPI_LOCK_INIT};

static void *
table_malloc(size_t size)
{
    return copi_alloc(size);
}

static void
table_free(void *memory, size_t size, bool defer)
{
    (void)size, (void)defer; /* nobody else reads it */
    free(memory);
}

static struct ck_malloc table_allocator = {.malloc = table_malloc, .free = table_free};

static struct copi_memory *
memory_of(struct copi_process *self)
{
    enum {
        FIRST_CAPACITY = 16
    };
    if (!self->memory) {
        struct copi_memory *memory = copi_zalloc(sizeof *memory);
        if (memory
            && !ck_ht_init(&memory->owned, CK_HT_MODE_DIRECT, NULL, &table_allocator,
                           FIRST_CAPACITY, 1)) {
            free(memory);
            memory = NULL;
        }
        self->memory = memory;
    }
    return self->memory;
}

static void
count_owned(struct copi_process *self, size_t change)
{
    copi_store_relaxed_64(&self->owned_bytes, copi_load_relaxed_64(&self->owned_bytes) + change);
}

static bool
own(struct copi_process *self, void *block, size_t size)
{
    struct copi_memory *memory = memory_of(self);
    if (!memory) {
        return false;
    }
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &memory->owned, (uintptr_t)block);
    ck_ht_entry_set_direct(&entry, hash, (uintptr_t)block, size);
    if (!ck_ht_put_spmc(&memory->owned, hash, &entry)) {
        return false;
    }
    count_owned(self, size);
    return true;
}

static bool
disown(struct copi_process *self, void *block)
{
    struct copi_memory *memory = self->memory;
    if (!memory) {
        return false;
    }
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &memory->owned, (uintptr_t)block);
    ck_ht_entry_key_set_direct(&entry, (uintptr_t)block);
    if (!ck_ht_remove_spmc(&memory->owned, hash, &entry)) {
        return false;
    }
    count_owned(self, -(size_t)ck_ht_entry_value_direct(&entry));
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

void
copi_memory_free_all(struct copi_process *self)
{
    struct copi_memory *memory = self->memory;
    if (memory) {
        ck_ht_iterator_t at = CK_HT_ITERATOR_INITIALIZER;
        for (ck_ht_entry_t *entry; ck_ht_next(&memory->owned, &at, &entry);) {
            free((void *)ck_ht_entry_key_direct(entry));
        }
        ck_ht_destroy(&memory->owned);
        free(memory);
        self->memory = NULL;
        copi_store_relaxed_64(&self->owned_bytes, 0);
    }
}

void
copi_memory_keep_all(struct copi_process *self)
{
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
