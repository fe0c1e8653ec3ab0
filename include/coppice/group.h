/*
 * coppice/group.h - tasks that succeed together: Go's errgroup.
 *
 * A group has a context of its own, below the one that was current when it was made. The first member
 * that fails cancels it, so that the others see it in whatever they wait for, and what they have started
 * in their turn does. A group may have a limit of how many members run at a time; who adds one more
 * waits for a place.
 *
 *                 the producer ends when          await returns when          it leaks if
 *   member        its function returns, or it     cop_group_wait: all         a member never returns
 *                 crashes, or is killed           members have ended
 *   group         its last member has ended                                   cop_group_free is not called
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_GROUP_H
#define COPPICE_GROUP_H

#include <coppice/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_group cop_group;

/*
 * A group without members.
 *
 *   limit   how many may run at a time; 0: any number
 *
 * NULL when out of memory (cop_why).
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_group *cop_group_new(size_t limit);

/*
 * Run a function as a member, on a process of its own. Its `result` is NULL. A member may add members;
 * in a group with a limit it should use cop_group_try_go, as its own place is not free while it waits.
 *
 *   arg   copied
 *
 * -EAGAIN      cop_group_try_go: no place is free. Otherwise, and with a report: no thread
 * -ECANCELED   the group was cancelled, by a failure of a member say: nothing was started. Or the
 *              caller's context was, or the caller was asked to stop
 * -ETIMEDOUT   the caller's context ended before there was a place
 * -EINVAL      no function
 * -ENOMEM
 *
 * Threads: any.  cop_group_go blocks for a place, and is an exit point then; cop_group_try_go does
 * neither.
 */
COP_API int cop_group_go(cop_group *group, cop_task_fn fn, cop_bytes arg);
COP_API int cop_group_try_go(cop_group *group, cop_task_fn fn, cop_bytes arg);

/*
 * Wait until all members have ended, whatever becomes of them.
 *
 *   first_failure   the reason of the one that failed first, in the order of time; NULL: not wanted.
 *                   Written when one did
 *
 * 0, or the first failure's code. Those that were cancelled because of it do not count. Then the group is
 * over: its context is cancelled, for whatever members have started and left behind. Waiting again gives
 * the same. When the caller's own wait ends early (-ECANCELED, -ETIMEDOUT) members go on.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_group_wait(cop_group *group, cop_reason *first_failure);

/* Cancel all members, and have the group cancelled for those to come. The first cause stays. */
COP_API void cop_group_cancel(cop_group *group, cop_reason cause);

/* Give the group back. Members that still run are cancelled, and end by themselves. NULL does nothing. */
COP_API void cop_group_free(cop_group *group);

#ifdef __cplusplus
}
#endif
#endif
