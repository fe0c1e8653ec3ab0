/*
 * actors/task.h - tasks, as those know them who start them in another way.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_TASK_H
#define COPI_ACTORS_TASK_H

#include "runtime/process.h"

#include <coppice/task.h>

struct copi_task;

/* -EINVAL, with its reason in words: they say what no task can be. */
int copi_task_check(cop_task_fn fn, const cop_task_opts *opts);

/*
 * A task that has not started, and its future, of which the caller has one hold. Another is the
 * start's: copi_task_start or copi_task_abandon takes it. *out is NULL when there is nothing to be
 * started: the future is rejected already, and the handlers of the options have been seen to.
 */
cop_future *copi_task_new(struct copi_task **out, cop_task_fn fn, const cop_task_opts *opts);

/* There will be no task of these options: a future that is rejected so. */
cop_future *copi_task_refused(const cop_task_opts *opts, const cop_reason *why);

/*
 * A lazy task as an attempt for another future, its origin, which gets the value before anybody else
 * hears of it. It runs in a context below `above`, and holds the origin while it does. The options were
 * checked. NULL: no memory.
 */
cop_future *copi_task_attempt(cop_task_fn fn, const cop_task_opts *opts, cop_context *above,
                              cop_future *origin);

/*
 * Start it, linked to the caller if `link`, and to `owner`, if that is somebody, from its own side. An
 * error is one of cop_spawn_with, and the future is rejected with it.
 */
int copi_task_start(struct copi_task *task, bool link, cop_pid owner, cop_pid *out);

/* It will not be started: its future is rejected, if it was not before. */
void copi_task_abandon(struct copi_task *task, const cop_reason *why);

/* Start a task of which nobody has a handle; the options were checked. After an error, one of
 * cop_spawn_with or -ENOMEM, nothing of it is left, and its `env` is still the caller's. */
int copi_task_fire(cop_task_fn fn, const cop_task_opts *opts);

/* In its process: what a function has said by a code other than 0. */
cop_reason copi_task_failure(struct copi_process *self, int code);

/* How the tasks of a stream are started, and under whom. */
typedef cop_future *(*copi_starter)(cop_task_fn fn, const cop_task_opts *opts, cop_pid supervisor);

int copi_async_stream_new(cop_async_stream **out, cop_task_fn fn, const cop_async_stream_opts *opts,
                          copi_starter start, cop_pid supervisor);

#endif
