/*
 * supervisor/subscribers.c - processes that have asked to be thought of.
 *
 * Room: supervisor/. Any thread.
 *
 * They are few, and asked for seldom: a list under a lock. Nobody is told of a process's end; who has
 * ended is forgotten whenever the list is gone through, and an empty list has no memory.
 */
#include "supervisor/subscribers.h"

#include "runtime/alloc.h"
#include "runtime/table.h"

#include <errno.h>
#include <stdlib.h>

static void
forget_dead_locked(struct copi_subscribers *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (copi_table_find(list->all[i].pid)) {
            list->all[kept++] = list->all[i];
        }
    }
    list->count = kept;
    if (kept == 0) {
        free(list->all);
        list->all = NULL;
        list->capacity = 0;
    }
}

static struct copi_subscriber *
find_locked(struct copi_subscribers *list, cop_pid pid)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->all[i].pid.id == pid.id) {
            return &list->all[i];
        }
    }
    return NULL;
}

/* Room for one more. */
static bool
grow_locked(struct copi_subscribers *list)
{
    if (list->count < list->capacity) {
        return true;
    }
    size_t capacity = list->capacity ? 2 * list->capacity : 8;
    struct copi_subscriber *all = copi_realloc(list->all, capacity * sizeof *all);
    if (all) {
        list->all = all;
        list->capacity = capacity;
    }
    return all != NULL;
}

int
copi_subscribers_add(struct copi_subscribers *list, cop_pid pid, int64_t word)
{
    copi_lock_take(&list->lock);
    forget_dead_locked(list);
    struct copi_subscriber *known = find_locked(list, pid);
    int r = known || grow_locked(list) ? 0 : -ENOMEM;
    if (known) {
        known->word = word;
    } else if (r == 0) {
        list->all[list->count++] = (struct copi_subscriber){.pid = pid, .word = word};
    }
    copi_lock_give(&list->lock);
    return r;
}

void
copi_subscribers_remove(struct copi_subscribers *list, cop_pid pid)
{
    copi_lock_take(&list->lock);
    struct copi_subscriber *known = find_locked(list, pid);
    if (known) {
        known->pid = COP_NOBODY;
    }
    forget_dead_locked(list);
    copi_lock_give(&list->lock);
}

void
copi_subscribers_visit(struct copi_subscribers *list,
                       void (*visit)(struct copi_subscriber *subscriber, void *env), void *env)
{
    copi_lock_take(&list->lock);
    forget_dead_locked(list);
    for (size_t i = 0; i < list->count; i++) {
        visit(&list->all[i], env);
    }
    copi_lock_give(&list->lock);
}
