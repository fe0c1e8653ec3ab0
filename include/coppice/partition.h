/*
 * coppice/partition.h - one server as many equal ones: Elixir's PartitionSupervisor.
 *
 * A server that everybody calls is a bottleneck. A partition supervisor runs N of it, 0 to N-1, and each
 * key belongs to one of them:
 *
 *     cop_partition_supervisor_start(NULL, &(cop_partition_spec){
 *         .name = "counters", .child = &(cop_child_spec){.genserver = &counter}});
 *     cop_call(cop_partition("counters", COP_STR(user)), add_msg(&add), COP_OUT(sum), COP_SEC(1));
 *
 * It is a supervisor like any other, of the strategy one_for_one: its children have the ids "0" to "N-1",
 * and the names "counters/0" to "counters/N-1". cop_supervisor_stop, cop_supervisor_count and
 * cop_supervisor_children are used with it; its children are its own to add, delete and stop.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_PARTITION_H
#define COPPICE_PARTITION_H

#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_partition_spec {
    const char *name;            /* so short that "name/N" has at most 63 bytes */
    const cop_child_spec *child; /* what each of them is. Its id is not looked at. No name, and not
                                    `start`, whose process cannot be named by others */
    unsigned partitions;         /* to 65,536; 0: as many as there are processors */
    /* The arg of partition `number`, where they are to differ; NULL: child->arg for all. Called once for
     * each, in the caller; what it returns is copied at once. */
    cop_bytes (*with_arguments)(cop_bytes arg, unsigned number, void *env);
    void *env;
    /* As in cop_supervisor_spec. */
    unsigned max_restarts, max_seconds;
    cop_time backoff_min, backoff_max;
    cop_give_up give_up;
    bool link; /* to the caller */
} cop_partition_spec;

/*
 * Start a partition supervisor and its partitions; PartitionSupervisor.start_link (with .link). Copies
 * the spec, and ends and fails, as cop_supervisor_start; besides:
 *
 * -EINVAL   no name, or one that is too long; no child; a child with a name, or by `start`; too many
 *           partitions. cop_why() says which
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_partition_supervisor_start(cop_pid *out, const cop_partition_spec *spec);

/*
 * The same as a child, for the list of another supervisor: its id is its name. `link` is not looked at.
 *
 *   out   what it points to is the calling process's, until cop_partition_supervisor_child_free or the
 *         end of the process. A supervisor that is started with it copies it.
 *
 * Errors as above. Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_partition_supervisor_child(cop_child_spec *out, const cop_partition_spec *spec);
COP_API void cop_partition_supervisor_child_free(cop_child_spec *child);

/*
 * Who a key belongs to: {:via, PartitionSupervisor, {name, key}}. The pid stands for the partition's
 * name and is resolved at each use, so that it outlives restarts of the partition; for as long as there
 * are as many partitions, it stays the key's.
 *
 *   key   any bytes; the same bytes are the same key
 *
 * COP_NOBODY: no partition supervisor has the name.
 * Threads: any; no lock is taken, and no memory.  Does not block.  Exit point: no.
 */
COP_API cop_pid cop_partition(const char *name, cop_bytes key);

/* The same by number; COP_NOBODY for one that there is not. (In Elixir a number is a key like any other,
 * and taken modulo how many there are.) */
COP_API cop_pid cop_partition_at(const char *name, unsigned number);

/* How many there are; PartitionSupervisor.partitions. 0: no partition supervisor has the name. */
COP_API unsigned cop_partition_count(const char *name);

/*
 * Have fewer partitions, or as many again as it was started with; PartitionSupervisor.resize!. The upper
 * ones are stopped and started again, one by one, and keys belong to those that are there: most belong
 * to another than before. With 0 there are none, and no key belongs to anybody. After a restart of the
 * supervisor itself there are as many as in the beginning.
 *
 * By one process at a time.
 *
 * -EINVAL   more than it was started with
 * -ESRCH    no partition supervisor has the name, or it has ended meanwhile
 * another   a partition did not start, and there are as many as run; or as the requests of supervisor.h
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_partition_resize(const char *name, unsigned count);

#ifdef __cplusplus
}
#endif
#endif
