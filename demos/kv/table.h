/*
 * demos/kv/table.h - keys and their values, in order of the keys.
 *
 * Room: demos/. Knows libc only; no locks: a table belongs to one bucket. Keys and values are any
 * bytes, and are copied in.
 */
#ifndef DEMOS_KV_TABLE_H
#define DEMOS_KV_TABLE_H

#include <coppice.h>

struct table {
    void *root; /* private */
    size_t count;
};

/* -ENOMEM: the table is as it was. */
int table_put(struct table *t, cop_bytes key, cop_bytes value);

/* Whether the key is there; *value is valid until the table changes. */
bool table_get(const struct table *t, cop_bytes key, cop_bytes *value);

/* Whether the key was there. */
bool table_delete(struct table *t, cop_bytes key);

/* Call fn with every key, in order. It must not change the table. */
void table_each_key(const struct table *t, void (*fn)(cop_bytes key, void *env), void *env);

void table_clear(struct table *t);

#endif
