/*
 * actors/registry_partition.h - the parts of which registries are made, and how they are found.
 *
 * Room: actors/.
 */
#ifndef COPI_ACTORS_REGISTRY_PARTITION_H
#define COPI_ACTORS_REGISTRY_PARTITION_H

#include "actors/registrations.h"
#include "actors/registry_picture.h"
#include "runtime/thread.h"

#include <coppice/genserver.h>
#include <coppice/registry.h>

struct copi_registry;

/* A part of a registry: which keys are in it their hash says. */
struct copi_partition {
    copi_lock lock;
    /* guarded by lock */
    cop_pid owner;  /* its process; COP_NOBODY: it is closed, and the rest is empty */
    unsigned count; /* of partitions, its owner's registry */
    cop_registry_kind kind;
    struct copi_registrations held;
    struct copi_registrations watching; /* a group: who is told of its members (pg) */
    struct copi_set meta;               /* of the first partition */
    struct copi_blob *listeners;        /* names, each with its terminator; NULL: none */
};

/* A key, and the partition that has it. */
struct copi_place {
    struct copi_partition *partition;
    unsigned count; /* of partitions, as it was found */
    const char *registry;
    cop_bytes key;
    uint64_t hash;
};

/*
 * Where a key belongs. The caller becomes a process, if it is none yet.
 *
 * -EINVAL, -ESRCH; cop_why() is set, here and below
 */
int copi_place_find(struct copi_place *out, const char *registry, cop_bytes key);

/* The same for each partition in turn: first with `i` = 0, then 1, and so on. -ENOENT after the last. */
int copi_place_at(struct copi_place *out, const char *registry, unsigned i);

/* Take the partition's lock. -ESRCH: it is closed, and not locked. */
int copi_place_enter(const struct copi_place *place);
void copi_place_leave(const struct copi_place *place);

/* Those who are told hear of a registration: added, or about to be removed. */
void copi_partition_announce_locked(struct copi_partition *partition,
                                    const struct copi_registration *registration, bool is_new);

/* ---------------------------------------------------------------- the process of a partition */

/* What such a process is started with; the listeners' names follow, each with its terminator. */
struct copi_partition_start {
    struct copi_registry *registry;
    uint32_t index, count;
    cop_registry_kind kind;
};
extern const cop_genserver copi_partition_server;

/* The place of a registry of that name, with room for so many partitions, made if need be. It stays
 * for good. NULL: out of memory. */
struct copi_registry *copi_registry_make(const char *name, unsigned partitions);

#endif
