/*
 * actors/registry_holding.h - how a process comes to be registered, and how it gives that up itself.
 *
 * Room: actors/. The process itself, or who starts it.
 */
#ifndef COPI_ACTORS_REGISTRY_HOLDING_H
#define COPI_ACTORS_REGISTRY_HOLDING_H

#include "actors/registry_partition.h"
#include "runtime/process.h"

/* Which of a partition's tables. */
enum copi_table_kind {
    COPI_HELD,
    COPI_WATCHING,
};

struct copi_holding {
    struct copi_place place;
    struct copi_process *process; /* the caller, or one that does not run yet */
    cop_bytes value;
    enum copi_table_kind table;
    bool only_unique;             /* -EOPNOTSUPP for a duplicate registry */
    struct copi_picture *members; /* gets who is registered under the key, at that moment; NULL: not
                                     wanted */
    cop_pid holder;               /* result, of -EEXIST: who has the key */
};

/*
 * Register the process.
 *
 * -EEXIST, -EOPNOTSUPP; -ESRCH it is closed; -ECANCELED the process has ended; -ENOMEM. cop_why() is
 * set, but for -EEXIST.
 */
int copi_holding_add(struct copi_holding *holding);

/* Remove what the calling process has under the key, the oldest first, `most` of them. *removed: how
 * many there were of those. -ESRCH. */
int copi_holding_remove(const struct copi_place *place, enum copi_table_kind table, size_t most,
                        size_t *removed);

/* Remove the one registration of the calling process whose value `is_it` says it is, under whatever
 * key. *removed: 1 or 0. -ESRCH. */
int copi_holding_remove_value(const struct copi_place *place, enum copi_table_kind table,
                              bool (*is_it)(const struct copi_blob *value, const void *env),
                              const void *env, size_t *removed);

#endif
