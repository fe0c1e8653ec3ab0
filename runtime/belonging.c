/*
 * runtime/belonging.c - things of the library's that end with a process.
 *
 * Room: runtime/. Any thread.
 * Touch freely: nothing. Ask first: when a record's pid is looked at.
 *
 * Each process has a list, under the lock of its record. A record is never freed and may be another's a
 * moment later: so whoever joins looks at its pid again, under the lock. A process that ends gives up
 * its pid before it empties its list: what has joined by then is found, and what comes later is
 * refused.
 */
#include "runtime/belonging.h"

#include "runtime/table.h"

#include <errno.h>

static void
unlink_locked(struct copi_belonging *owned)
{
    *owned->link = owned->next;
    if (owned->next) {
        owned->next->link = owned->link;
    }
    owned->link = NULL;
}

static void
link_locked(struct copi_belonging *owned, struct copi_process *owner)
{
    owned->owner = owner;
    owned->next = owner->belongings;
    owned->link = &owner->belongings;
    if (owned->next) {
        owned->next->link = &owned->next;
    }
    owner->belongings = owned;
}

int
copi_belonging_join(struct copi_belonging *owned, cop_pid pid)
{
    struct copi_process *owner = copi_table_find(pid);
    if (!owner) {
        return -ESRCH;
    }
    copi_lock_take(&owner->lock);
    bool is_there = cop_pid_eq(copi_pid(owner), pid);
    if (is_there) {
        link_locked(owned, owner);
    }
    copi_lock_give(&owner->lock);
    return is_there ? 0 : -ESRCH;
}

bool
copi_belonging_leave(struct copi_belonging *owned)
{
    struct copi_process *owner = owned->owner;
    copi_lock_take(&owner->lock);
    bool was_owned = owned->link != NULL;
    if (was_owned) {
        unlink_locked(owned);
    }
    copi_lock_give(&owner->lock);
    return was_owned;
}

static struct copi_belonging *
take_first(struct copi_process *process)
{
    copi_lock_take(&process->lock);
    struct copi_belonging *owned = process->belongings;
    if (owned) {
        unlink_locked(owned);
    }
    copi_lock_give(&process->lock);
    return owned;
}

void
copi_belongings_process_ends(struct copi_process *process, const cop_reason *reason)
{
    for (struct copi_belonging *owned; (owned = take_first(process));) {
        owned->orphaned(owned, reason);
    }
}
