/*
 * coppice/task.h - tasks: a function on a process of its own, and its result as a future. Elixir's
 * Task.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_TASK_H
#define COPPICE_TASK_H

#include <coppice/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a task runs: 0 and the result is there, or a negative code, with which the future is rejected.
 * A positive one is a crash with -EINVAL, and cop_exit or a failed cop_assert is one with that reason.
 *
 *   arg      a copy, valid until the task has ended
 *   result   result_size zeroed bytes; NULL when that is 0. With COP_ANY a cop_bytes to fill in: its
 *            bytes are copied when the function has returned (memory of cop_alloc will do), or, with
 *            a drop function, taken over as they are
 */
typedef int (*cop_task_fn)(cop_bytes arg, void *result);

typedef struct cop_task_opts {
    cop_bytes arg;      /* copied */
    size_t result_size; /* or COP_ANY */
    /* For a result that owns memory: once, with the last handle, or when nobody gets it; on any thread, so
     * it may not block. With COP_ANY it gets the bytes' data: NULL if the function filled in none. */
    void (*drop)(void *result);
    bool link; /* to the caller: a crash of the task is a crash of the caller: Task.async */
    /* Started when somebody wants it: see below. Not with .link, nor below a supervisor. */
    bool lazy;
    bool retry; /* lazy: a failure is not kept, and who wants it next starts another run */
    /* It ends with -ETIMEDOUT when the tightest wait for it does; a later, looser wait changes nothing. */
    bool awaiters_set_deadline;
    const char *name;  /* registered */
    cop_time shutdown; /* below a supervisor: as in cop_child_spec */
    bool contain_faults;
    size_t stack_size;
    void (*on_success)(const void *value, void *env); /* handlers: see below */
    void (*on_failure)(cop_reason reason, void *env);
    void *env;                   /* theirs */
    void (*drop_env)(void *env); /* once, after them; NULL: nothing */
    void *reserved[4];
    const char *file; /* where it was made: set by the macros */
    int line;
} cop_task_opts;

/*
 * Start a task; Task.async (with .link), Task.start (when the future is released at once).
 *
 * There are no nodes, so no task is lost by a connection. A failed one is an event with fields
 * (cop_config.observe), not a text in a log.
 *
 * It runs in a context of its own below the caller's current one. Its future is settled when its
 * process has ended, and not before: no two await each other's leavings.
 *
 * opts NULL: the defaults.
 *
 * Never NULL: what cannot start is a future that is already rejected, with the codes of
 * cop_spawn_with; -EINVAL also for options that do not go together, and its reason says which. Give it
 * back with cop_future_release; the task goes on without.
 *
 * Lazy. It is started by the first who wants it: who awaits it, in whatever way, asks to be told by a
 * message, or chains something to it. All who want it meanwhile share that run, which is nobody's own: its
 * context is below the one in which the task was made, not that of who began it. When he gives up, or
 * ends, or his context does, nothing happens to the run, and the others get its outcome; only with
 * .awaiters_set_deadline may who awaits it end it. Awaiting it in its own function is refused: -EDEADLK.
 *
 * Its outcome is kept; with .retry, only a value is. Then who wants it after a failure starts another run,
 * which begins when the one before has ended; who had waited for that one has got its failure. A run that
 * cannot be started has failed, with the code, and the next may not. The argument, and a value that was
 * awaited, are there as long as the handle is held.
 *
 * Handlers. After the run one of them is called, once, whoever else awaits the task: .on_success with the
 * value (borrowed; with COP_ANY a const cop_bytes *), or .on_failure, also when the task crashes, is
 * cancelled or shut down, or cannot be started. Either may be NULL. They run as those of cop_on_settled do:
 * in a worker of the library's, in the root context; they may block, and start more tasks; a crash in one
 * is reported, and harms nobody. With .retry one is called after each run.
 *
 * .env is taken over in any case. .drop_env is called when no handler will be called any more; with .retry
 * that is when the last handle has gone and no run is under way. It may be on any thread, so it may not
 * block. Without memory for the future (-ENOMEM) it is all that is called. It is not called at all when
 * a run was disowned, whose thread may still use what it drops.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_future *cop_async_with(cop_task_fn fn, const cop_task_opts *opts);
/* cop_async(fn, options...). In two steps, so that no option at all is standard C, too. */
#define cop_async(...)      COP_ASYNC_(__VA_ARGS__, .line = __LINE__)
#define COP_ASYNC_(fn, ...) cop_async_with((fn), &(cop_task_opts){.file = __FILE__, __VA_ARGS__})

/*
 * Stop a task and wait until it has ended; Task.shutdown. It is asked with SHUTDOWN, and killed after
 * `timeout` (COP_BRUTAL_KILL: at once). The caller is no longer linked to it.
 *
 * 0: its result was there, or came meanwhile. Else how it ended, as from cop_await: -ECANCELED when it
 * did as it was asked, or was killed. A lazy one that nobody has wanted yet: -ECANCELED, and it never runs.
 * With .retry it is the latest run that is stopped; who awaits the task later starts another.
 *
 * -EINVAL   not a task
 * -EDEADLK  the caller itself, or who waits for it
 * -ENOMEM   with .retry: nothing was done
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_task_shutdown(cop_future *task, cop_time timeout);

/* ------------------------------------------------------------------ many elements, so many at a time */

/*
 * Task.async_stream: a function over the elements of a list, or of any input, with at most so many
 * tasks at a time. Elements are started as results are taken: an input without an end is no problem.
 *
 * A stream belongs to the process that takes from it first, and ends with it.
 */
typedef struct cop_async_stream cop_async_stream;

typedef struct cop_async_stream_opts {
    /* the input: a list, which must stay until the stream is freed, or a function */
    const cop_bytes *items;
    size_t count;
    bool (*next)(cop_bytes *item, void *env); /* false: that was all. *item need only last until the
                                                 next call */
    /* Once: at the end of the input, or when the stream is freed before */
    void (*close)(void *env);
    void *env;

    size_t limit;         /* tasks at a time; 0: as many as there are processors */
    bool unordered;       /* results as they come; else in the order of the input */
    cop_time timeout;     /* of each element; 0: 5 s */
    bool kill_on_timeout; /* a late element is stopped and fails; else the whole stream does */
    /* Of each; its .arg and .lazy are not used. With .link a failure is one of the process that takes the
     * results, unless it traps exits; it gets no signal. */
    cop_task_opts task;
    void *reserved[4];
} cop_async_stream_opts;

/*
 * The elements run as they are taken and cannot be suspended between two streams: there is no zip.
 *
 * -EINVAL   no options, no function, items without a list, or both a list and a function; handlers, an
 *           environment or .retry for the tasks: each result is taken, once
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_async_stream_new(cop_async_stream **out, cop_task_fn fn,
                                 const cop_async_stream_opts *opts);

typedef struct cop_async_item {
    size_t index; /* of the element */
    int code;     /* 0, or what its task was rejected with; -ETIMEDOUT: it was late */
    cop_reason why;
    cop_bytes value; /* borrowed until the next call with this stream */
} cop_async_item;

/*
 * The next result. A task that fails is a result, too, and the stream goes on.
 *
 * -ENODATA     that was all
 * -ETIMEDOUT   an element was late, without kill_on_timeout: the stream is over, and what ran is
 *              stopped; or the context's deadline has passed
 * -ECANCELED   as cop_await
 * -EPERM       the stream is another process's
 * -ENOMEM
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_async_stream_next(cop_async_stream *stream, cop_async_item *out);

/* Stop what still runs, wait for it, and let go of everything. Of its owner, or of anyone when it has
 * none. NULL does nothing. Blocks. Exit point: no. */
COP_API void cop_async_stream_free(cop_async_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
