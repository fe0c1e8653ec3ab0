/*
 * coppice/context.h - cancellation and deadlines that no call forgets.
 *
 * Each process runs in a current context, kept in the process and not in the thread. Every blocking
 * call honours it: -ECANCELED when it was cancelled, -ETIMEDOUT when its deadline has passed.
 * Processes, servers, agents and supervisors start in the root context unless one is given; a
 * supervisor's children run in its scope.
 *
 * A context produces nothing and nobody awaits it. It is gone when its maker has freed it, every process has
 * left it, and those below it are gone; it leaks if it is not freed. Its end, by a cause or a deadline, frees
 * nothing: who works in it is told, and stops by itself.
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_CONTEXT_H
#define COPPICE_CONTEXT_H

#include <coppice/process.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A context below the current one: it ends when that one ends, when it is cancelled, or after
 * `timeout`. The caller frees it. NULL when out of memory (cop_why).
 *
 *   timeout   from now; COP_FOREVER: no deadline of its own. A parent's earlier deadline counts.
 */
COP_API cop_context *cop_context_new(cop_time timeout);

/* The same, below the root: for what must be done although the caller is cancelled. */
COP_API cop_context *cop_context_detached(cop_time timeout);

/*
 * Enter a context, until cop_context_leave. They nest; the process keeps the context alive.
 *
 * -EINVAL   NULL
 * -ENOMEM   nothing changed
 */
COP_API int cop_context_enter(cop_context *context);

/* Leave the innermost context, which must be `context`: else -EINVAL, and nothing changed. */
COP_API int cop_context_leave(cop_context *context);

/*
 * Cancel a context and all below it; what waits in them wakes up. The first cause stays.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_context_cancel(cop_context *context, cop_reason cause);

/* Give the caller's hold back. Neither cancels it nor lifts its deadline for those inside. */
COP_API void cop_context_free(cop_context *context);

/*
 * Whether the caller should stop: 0, -ECANCELED (the context was cancelled or the process asked to
 * stop; cop_why has the cause) or -ETIMEDOUT. For a loop that makes no blocking call.
 *
 * Exit point: no.
 */
COP_API int cop_cancelled(void);

/*
 * How long the current context still has: COP_FOREVER without a deadline, 0 when it has passed. A deadline
 * crosses to another process as data, as cop_now() and what is left: who gets it makes a context of what is
 * left then, so that its time in a queue counts.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_time cop_time_left(void);

#ifdef __cplusplus
}
#endif
#endif
