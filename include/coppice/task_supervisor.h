/*
 * coppice/task_supervisor.h - tasks below a supervisor: Elixir's Task.Supervisor.
 *
 * A task supervisor is a dynamic one, with nothing to it:
 *
 *     static const cop_supervisor_spec tasks = {.name = "tasks", .strategy = COP_DYNAMIC};
 *
 * Its tasks are temporary children: listed and counted while they run, stopped with it, and stopped
 * one by one with cop_supervisor_terminate.
 */
#ifndef COPPICE_TASK_SUPERVISOR_H
#define COPPICE_TASK_SUPERVISOR_H

#include <coppice/supervisor.h>
#include <coppice/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Start a task below a supervisor; Task.Supervisor.async_nolink, and with .link, to the caller,
 * Task.Supervisor.async. All else is as with cop_async, the context and the handlers too; but .lazy is
 * refused, and .retry with it: -EINVAL.
 *
 * Never NULL. What cannot start is a future that is already rejected, with the codes of cop_async and
 * of cop_supervisor_start_child: -EAGAIN when max_children are running, -ESRCH when there is no such
 * supervisor, -EINVAL or -EOPNOTSUPP when it is not a dynamic one.
 *
 * Threads: any.  Blocks, until the supervisor has started it.  Exit point: yes.
 */
COP_API cop_future *cop_async_under_with(cop_pid supervisor, cop_task_fn fn,
                                         const cop_task_opts *opts);
/* cop_async_under(supervisor, fn, options...) */
#define cop_async_under(supervisor, ...) COP_ASYNC_UNDER_(supervisor, __VA_ARGS__, .line = __LINE__)
#define COP_ASYNC_UNDER_(supervisor, fn, ...) \
 cop_async_under_with((supervisor), (fn), &(cop_task_opts){.file = __FILE__, __VA_ARGS__})

/*
 * Start a function whose result nobody waits for; Task.Supervisor.start_child. (One that is to be
 * restarted is a worker: cop_supervisor_start_child.) Arguments of a wrong type are the compiler's.
 *
 *   arg   copied
 *   out   the process; NULL: not wanted
 *
 * Errors as above, returned. Threads: any.  Blocks, until the supervisor has started it.  Exit point: yes.
 */
COP_API int cop_task_start_child(cop_pid supervisor, cop_task_fn fn, cop_bytes arg, cop_pid *out);

/* Task.Supervisor.async_stream: as cop_async_stream_new, with the tasks below a supervisor. */
COP_API int cop_async_stream_under(cop_async_stream **out, cop_pid supervisor, cop_task_fn fn,
                                   const cop_async_stream_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
