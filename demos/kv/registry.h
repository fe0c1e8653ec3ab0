/*
 * demos/kv/registry.h - which process is the bucket of a name.
 *
 * Room: demos/. Knows <coppice.h> and buckets. All functions but the behaviour's callbacks run in
 * their caller's process.
 */
#ifndef DEMOS_KV_REGISTRY_H
#define DEMOS_KV_REGISTRY_H

#include "demos/kv/bucket.h"

#include <coppice.h>

#define REGISTRY          "kv.registry"
#define BUCKET_SUPERVISOR "kv.bucket_supervisor"

/* A bucket is a thread; what a stranger may create has an end. */
#define REGISTRY_MAX_BUCKETS 1000

struct registry_bucket {
    char name[BUCKET_NAME_ARG];
    cop_pid pid; /* COP_NOBODY: between two incarnations */
};

extern const cop_genserver registry;

/*
 * The bucket of a name, as it is now.
 *
 *   stale   an incarnation of it that the caller knows to be dead, or COP_NOBODY. While the bucket
 *           has no other, this waits for one.
 *
 * -ENOENT     there is no such bucket
 * -EAGAIN     it is being restarted, or the registry is, and `timeout` has passed
 * -ECANCELED  the caller was asked to stop
 */
int registry_lookup(const char *name, cop_pid stale, cop_pid *out, cop_time timeout);

/*
 * The same, and create it if there is none.
 *
 * -ENOSPC   there are REGISTRY_MAX_BUCKETS
 * Otherwise as cop_supervisor_start_child.
 */
int registry_create(const char *name, cop_pid stale, cop_pid *out, cop_time timeout);

/* All buckets, sorted by name: an array of `count`, in *list, which the caller releases with
 * cop_msg_release. */
int registry_list(cop_msg *list, const struct registry_bucket **buckets, size_t *count,
                  cop_time timeout);

/* "The calling process is the bucket of this name": each incarnation says so when it starts. */
int registry_announce(const char *name);

#endif
