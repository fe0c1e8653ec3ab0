/*
 * runtime/map.c - a table from numbers to pointers.
 *
 * Room: runtime/. Whoever owns the map, one thread at a time.
 * Touch freely: the first size.
 *
 * Concurrency Kit's hash table, in the mode that expects keys to be removed as often as they are put:
 * what a supervisor does with the pids of its children.
 */
#include "runtime/map.h"

#include "runtime/alloc.h"

#include <ck_ht.h>

#include <stdlib.h>

struct copi_map_table {
    ck_ht_t entries;
};

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

/* The other two mean an empty place and one that was emptied. */
static bool
is_key(uint64_t key)
{
    return key != CK_HT_KEY_EMPTY && key != CK_HT_KEY_TOMBSTONE;
}

static ck_ht_t *
entries_of(struct copi_map *map)
{
    enum {
        FIRST_CAPACITY = 16
    };
    if (!map->table) {
        struct copi_map_table *table = copi_zalloc(sizeof *table);
        if (table
            && !ck_ht_init(&table->entries, CK_HT_MODE_DIRECT | CK_HT_WORKLOAD_DELETE, NULL,
                           &table_allocator, FIRST_CAPACITY, 1)) {
            free(table);
            table = NULL;
        }
        map->table = table;
    }
    return map->table ? &map->table->entries : NULL;
}

bool
copi_map_put(struct copi_map *map, uint64_t key, void *value)
{
    ck_ht_t *entries = is_key(key) ? entries_of(map) : NULL;
    if (!entries) {
        return false;
    }
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, entries, key);
    ck_ht_entry_set_direct(&entry, hash, key, (uintptr_t)value);
    return ck_ht_put_spmc(entries, hash, &entry);
}

void *
copi_map_get(const struct copi_map *map, uint64_t key)
{
    if (!map->table || !is_key(key)) {
        return NULL;
    }
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &map->table->entries, key);
    ck_ht_entry_key_set_direct(&entry, key);
    bool found = ck_ht_get_spmc(&map->table->entries, hash, &entry);
    return found ? (void *)ck_ht_entry_value_direct(&entry) : NULL;
}

void
copi_map_remove(struct copi_map *map, uint64_t key)
{
    if (map->table && is_key(key)) {
        ck_ht_hash_t hash;
        ck_ht_entry_t entry;
        ck_ht_hash_direct(&hash, &map->table->entries, key);
        ck_ht_entry_key_set_direct(&entry, key);
        ck_ht_remove_spmc(&map->table->entries, hash, &entry);
    }
}

void
copi_map_clear(struct copi_map *map)
{
    if (map->table) {
        ck_ht_destroy(&map->table->entries);
        free(map->table);
        map->table = NULL;
    }
}
