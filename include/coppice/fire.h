/*
 * coppice/fire.h - fire and forget: a function, and what is to be done with its outcome, said beforehand.
 *
 * Nothing is returned that could be awaited, and nothing has to be released. The function runs as a task
 * (coppice/task.h); then one of two handlers is called with what came of it.
 *
 * The producer ends when its function returns; nobody awaits it; it leaks if its function, or its
 * handler, never returns.
 */
#ifndef COPPICE_FIRE_H
#define COPPICE_FIRE_H

#include <coppice/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Run a function as a task, and then .on_success or .on_failure; Task.start, with an end to it.
 *
 * The options are only read: the same may be fired any number of times, also by several threads at once.
 * Each firing is a task of its own, with its own copy of .arg. They share .env, and .drop_env is called
 * once for each that was started: with NULL, .env is the caller's to keep as long as any may run; else
 * .drop_env gives back one of as many references. A handler may fire in its turn.
 *
 * opts NULL: the defaults.
 *
 * 0, or a code; then nothing was started, no handler will run, and .env is still the caller's:
 *
 * -EINVAL   no function, an argument or a name that cannot be, or .lazy, .retry: nobody would begin it
 * -EEXIST   the name is taken
 * -EAGAIN   the system's limit of threads is reached
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_fire_with(cop_task_fn fn, const cop_task_opts *opts);
/* cop_fire(fn, options...) */
#define cop_fire(...)      COP_FIRE_(__VA_ARGS__, .line = __LINE__)
#define COP_FIRE_(fn, ...) cop_fire_with((fn), &(cop_task_opts){.file = __FILE__, __VA_ARGS__})

/*
 * A kind of job: what is to be executed, and what follows, for any object. One such type serves for as
 * many objects and as many executions as one likes.
 *
 *   execute    on a process of its own, as a task's function: 0, or a negative code; a positive one, a
 *              cop_exit and a failed cop_assert are failures, too
 *   success    then, in a worker of the library's: `value` is what execute has written, borrowed (with
 *              COP_ANY a const cop_bytes *)
 *   failure    or this, with why
 *   drop_self  last, once: for an object that the execution has taken over, or a reference to it. Any
 *              thread; it may not block
 *
 * All but execute may be NULL. For one execution they come one after the other. Those of several with the
 * same object run side by side.
 */
typedef struct cop_job {
    int (*execute)(void *self, void *result); /* result: as of a cop_task_fn */
    void (*success)(void *self, const void *value);
    void (*failure)(void *self, cop_reason reason);
    void (*drop_self)(void *self);
    size_t result_size;         /* or COP_ANY */
    void (*drop)(void *result); /* for a result that owns memory, after success */
    void *reserved[4];
} cop_job;

/*
 * Execute a job for an object. `job` is copied.
 *
 * 0, or a code as of cop_fire_with; then none of its functions will run, and `self` is still the caller's.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_fire_job_at(const cop_job *job, void *self, const char *file, int line);
#define cop_fire_job(job, self) cop_fire_job_at((job), (self), __FILE__, __LINE__)

#ifdef __cplusplus
}
#endif
#endif
