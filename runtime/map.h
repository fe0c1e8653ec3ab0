/*
 * runtime/map.h - a table from numbers to pointers.
 *
 * Room: runtime/. Knows nobody. Whoever owns the map, one thread at a time.
 */
#ifndef COPI_RUNTIME_MAP_H
#define COPI_RUNTIME_MAP_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: empty. It takes memory with the first key. */
struct copi_map {
    struct copi_map_table *table;
};

/* false: the key is there already, or is 0 or UINT64_MAX, which never are, or out of memory; nothing
 * changed. */
bool copi_map_put(struct copi_map *map, uint64_t key, void *value);

/* NULL: there is no such key. In constant time, as the rest. */
void *copi_map_get(const struct copi_map *map, uint64_t key);
void copi_map_remove(struct copi_map *map, uint64_t key);

/* Empty it, and give its memory back. */
void copi_map_clear(struct copi_map *map);

#endif
