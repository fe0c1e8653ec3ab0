/*
 * actors/durable/memory_versions.h - promises in the order of their ids, and what a batch has changed of them.
 *
 * Room: actors/durable/. The store's process.
 */
#ifndef COPI_ACTORS_DURABLE_MEMORY_VERSIONS_H
#define COPI_ACTORS_DURABLE_MEMORY_VERSIONS_H

#include <coppice/store.h>

/* A version. It is never changed. */
struct copi_promise {
    cop_durable_record *record;
    int64_t lease_until_ms, ready_ms;
};

/* Zeroed, it is empty. */
struct copi_versions {
    struct copi_promise **all; /* in the order of their ids */
    size_t count, capacity;
    struct copi_change *changes; /* of the batch */
    size_t change_count, change_capacity;
};

void copi_versions_free(struct copi_versions *versions);

/* NULL: no memory. The record is copied. */
struct copi_promise *copi_version_new(const cop_durable_record *record, int64_t lease_until_ms,
                                      int64_t ready_ms);

/* Where the first id is that is not before this one. */
size_t copi_versions_position(const struct copi_versions *versions, const char *id);

/* NULL: none. */
struct copi_promise *copi_versions_find(const struct copi_versions *versions, const char *id);

/* Put the new version, which is taken on every outcome, in place of the old one; one of them may be NULL: it is created, or gone.
 * 0, or -ENOMEM, also when both are NULL: there was no memory for a new one. */
int copi_versions_change(struct copi_versions *versions, struct copi_promise *old,
                         struct copi_promise *new);

/* The batch is over. Neither needs memory. */
void copi_versions_commit(struct copi_versions *versions);
void copi_versions_roll_back(struct copi_versions *versions);

#endif
