/*
 * demos/kv/table.c - keys and their values.
 *
 * Room: demos/. One owner, no locks.
 *
 * The C library's own search tree is enough: it is balanced, walks in order, so that KEYS
 * answers the same every time, and cannot be made slow by keys that a stranger chose, as a hash
 * table without a secret can. tsearch() hands out pointers to its nodes, whose first member is
 * ours.
 */
#include "demos/kv/table.h"

#include <search.h>
#include <stdlib.h>

/* A pair begins with the key as the tree compares it, so that a key on the stack can be looked for
 * without copying it. */
struct pair {
    cop_bytes key; /* key_bytes */
    unsigned char *value;
    size_t size, room; /* of the value; of the memory behind it */
    unsigned char key_bytes[];
};

static int
compare(const void *a, const void *b)
{
    const cop_bytes *x = a, *y = b;
    size_t shorter = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->data, y->data, shorter);
    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static struct pair *
find(const struct table *t, const cop_bytes *key)
{
    struct pair **node = tfind(key, &t->root, compare);
    return node != NULL ? *node : NULL;
}

static void
pair_free(void *memory)
{
    struct pair *e = memory;
    free(e->value);
    free(e);
}

/* The key lives behind the struct. */
static struct pair *
pair_new(cop_bytes key)
{
    struct pair *e = malloc(sizeof *e + key.size);
    if (e != NULL) {
        *e = (struct pair){.key = {e->key_bytes, key.size}};
        memcpy(e->key_bytes, key.data, key.size);
    }
    return e;
}

/* Values that keep their size, such as counters, are overwritten in place; one that shrinks by much
 * gives its memory back. */
static int
pair_set(struct pair *e, cop_bytes value)
{
    if (e->value == NULL || e->room < value.size || e->room / 4 > value.size + 64) {
        size_t room = value.size > 0 ? value.size : 1;
        unsigned char *bytes = realloc(e->value, room);
        if (bytes == NULL) {
            return -ENOMEM;
        }
        e->value = bytes;
        e->room = room;
    }
    memcpy(e->value, value.data, value.size);
    e->size = value.size;
    return 0;
}

int
table_put(struct table *t, cop_bytes key, cop_bytes value)
{
    struct pair *e = find(t, &key);
    if (e != NULL) {
        return pair_set(e, value);
    }
    e = pair_new(key);
    if (e == NULL) {
        return -ENOMEM;
    }
    if (pair_set(e, value) < 0 || tsearch(e, &t->root, compare) == NULL) {
        pair_free(e);
        return -ENOMEM;
    }
    t->count++;
    return 0;
}

bool
table_get(const struct table *t, cop_bytes key, cop_bytes *value)
{
    const struct pair *e = find(t, &key);
    if (e == NULL) {
        return false;
    }
    *value = (cop_bytes){e->value, e->size};
    return true;
}

bool
table_delete(struct table *t, cop_bytes key)
{
    struct pair *e = find(t, &key);
    if (e == NULL) {
        return false;
    }
    tdelete(e, &t->root, compare);
    pair_free(e);
    t->count--;
    return true;
}

struct walk {
    void (*fn)(cop_bytes key, void *env);
    void *env;
};

static void
walk_node(const void *node, VISIT which, void *closure)
{
    const struct walk *walk = closure;
    if (which == postorder || which == leaf) { /* libc's names for: in order */
        const struct pair *const *e = node;
        walk->fn((*e)->key, walk->env);
    }
}

void
table_each_key(const struct table *t, void (*fn)(cop_bytes key, void *env), void *env)
{
    struct walk walk = {fn, env};
    twalk_r(t->root, walk_node, &walk);
}

void
table_clear(struct table *t)
{
    tdestroy(t->root, pair_free);
    *t = (struct table){0};
}
