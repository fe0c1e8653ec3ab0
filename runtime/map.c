/*
 * runtime/map.c - a table from numbers to pointers.
 *
 * Room: runtime/. Whoever owns the map, one thread at a time.
 * Touch freely: the first size.
 *
 * Concurrency Kit's hash table, in the mode that expects keys to be removed as often as they are put:
 * what a supervisor does with the pids of its children.
 *
 * A key that is removed leaves a mark in its place, which every search passes on its way, and few of these
 * are ever used again. So when as many keys have been removed as there were at most, the table is made anew
 * from what is left: the cost of that is paid by the removals. Without memory for it the old one goes on.
 */
#include "runtime/map.h"

#include "runtime/alloc.h"

#include <ck_ht.h>

#include <stdlib.h>

enum {
    FIRST_CAPACITY = 16
};

struct copi_map_table {
    ck_ht_t entries;
    uint64_t count, most; /* keys; and how many there were at most */
    uint64_t removed;     /* since it was made */
};

/* The other two mean an empty place and one that was emptied. */
static bool
is_key(uint64_t key)
{
    return key != CK_HT_KEY_EMPTY && key != CK_HT_KEY_TOMBSTONE;
}

/* With room for so many, and some. */
static struct copi_map_table *
new_table(uint64_t count)
{
    struct copi_map_table *table = copi_zalloc(sizeof *table);
    uint64_t capacity = count < FIRST_CAPACITY / 2 ? FIRST_CAPACITY : 2 * count;
    if (table
        && !ck_ht_init(&table->entries, CK_HT_MODE_DIRECT | CK_HT_WORKLOAD_DELETE, NULL,
                       &copi_alloc_for_tables, capacity, 1)) {
        free(table);
        table = NULL;
    }
    return table;
}

static void
free_table(struct copi_map_table *table)
{
    ck_ht_destroy(&table->entries);
    free(table);
}

static bool
put(struct copi_map_table *table, uint64_t key, uintptr_t value)
{
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &table->entries, key);
    ck_ht_entry_set_direct(&entry, hash, key, value);
    if (!ck_ht_put_spmc(&table->entries, hash, &entry)) {
        return false;
    }
    table->count++;
    table->most = table->count > table->most ? table->count : table->most;
    return true;
}

bool
copi_map_put(struct copi_map *map, uint64_t key, void *value)
{
    if (!is_key(key) || (!map->table && !(map->table = new_table(0)))) {
        return false;
    }
    return put(map->table, key, (uintptr_t)value);
}

static bool
put_all(struct copi_map_table *to, struct copi_map_table *from)
{
    ck_ht_iterator_t at = CK_HT_ITERATOR_INITIALIZER;
    ck_ht_entry_t *entry;
    bool ok = true;
    while (ok && ck_ht_next(&from->entries, &at, &entry)) {
        ok = put(to, ck_ht_entry_key_direct(entry), ck_ht_entry_value_direct(entry));
    }
    return ok;
}

static void
make_anew(struct copi_map *map)
{
    struct copi_map_table *old = map->table, *fresh = new_table(old->count);
    old->removed = 0;
    if (fresh && put_all(fresh, old)) {
        map->table = fresh;
        fresh = old;
    }
    if (fresh) {
        free_table(fresh);
    }
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

static bool
remove_from(struct copi_map_table *table, uint64_t key)
{
    ck_ht_hash_t hash;
    ck_ht_entry_t entry;
    ck_ht_hash_direct(&hash, &table->entries, key);
    ck_ht_entry_key_set_direct(&entry, key);
    return ck_ht_remove_spmc(&table->entries, hash, &entry);
}

void
copi_map_remove(struct copi_map *map, uint64_t key)
{
    struct copi_map_table *table = map->table;
    if (!table || !is_key(key) || !remove_from(table, key)) {
        return;
    }
    table->count--;
    if (++table->removed > table->most + FIRST_CAPACITY) {
        make_anew(map);
    }
}

void
copi_map_clear(struct copi_map *map)
{
    if (map->table) {
        free_table(map->table);
        map->table = NULL;
    }
}
