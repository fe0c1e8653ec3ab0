/*
 * actors/registry_picture.c - what a registry held at one moment, to be looked at without its lock.
 *
 * Room: actors/. The owner thread only; what is added is guarded by its partition's lock.
 *
 * Keys and values never change, so a picture holds them instead of copying them: the lock is kept for a
 * few additions, however large the values are. Who has ended is left out: its pid has stopped finding
 * it before anybody is told of its end.
 */
#include "actors/registry_picture.h"

#include "runtime/alloc.h"
#include "runtime/table.h"

#include <errno.h>
#include <stdlib.h>

void
copi_picture_init(struct copi_picture *picture)
{
    picture->entries = picture->inside;
    picture->capacity = COPI_PICTURE_INSIDE;
    picture->count = 0;
}

void
copi_picture_release(void *arg)
{
    struct copi_picture *picture = arg;
    for (size_t i = 0; i < picture->count; i++) {
        copi_blob_release(copi_blob_of(picture->entries[i].key));
        copi_blob_release(copi_blob_of(picture->entries[i].value));
    }
    if (picture->entries != picture->inside) {
        free(picture->entries);
    }
    copi_picture_init(picture);
}

static int
make_room(struct copi_picture *picture)
{
    if (picture->count < picture->capacity) {
        return 0;
    }
    bool is_inside = picture->entries == picture->inside;
    size_t capacity = picture->capacity * 2;
    cop_registry_entry *entries =
        copi_realloc(is_inside ? NULL : picture->entries, capacity * sizeof *entries);
    if (!entries) {
        return -ENOMEM;
    }
    if (is_inside) {
        memcpy(entries, picture->inside, sizeof picture->inside);
    }
    picture->entries = entries;
    picture->capacity = capacity;
    return 0;
}

static int
add(struct copi_picture *picture, const struct copi_registration *registration)
{
    int r = make_room(picture);
    if (r == 0) {
        struct copi_blob *key = registration->key->bytes, *value = registration->value;
        copi_blob_hold(key);
        copi_blob_hold(value);
        picture->entries[picture->count++] = (cop_registry_entry){
            .pid = registration->holder->pid,
            .key = copi_blob_view(key),
            .value = copi_blob_view(value),
        };
    }
    return r;
}

int
copi_picture_add_key(struct copi_picture *picture, const struct copi_key *key, cop_pid pid)
{
    int r = 0;
    const struct copi_registration *one = copi_first_under(key);
    for (; one && r == 0; one = copi_next_under(one)) {
        bool is_wanted = pid.id == 0 || cop_pid_eq(one->holder->pid, pid);
        if (is_wanted && copi_table_find(one->holder->pid)) {
            r = add(picture, one);
        }
    }
    return r;
}

int
copi_picture_add_holder(struct copi_picture *picture, const struct copi_holder *holder)
{
    int r = 0;
    bool lives = copi_table_find(holder->pid) != NULL;
    const struct copi_registration *one = lives ? copi_first_of(holder) : NULL;
    for (; one && r == 0; one = copi_next_of(one)) {
        r = add(picture, one);
    }
    return r;
}
