/*
 * coppice/chain.h - what is to be done with a value when it is there: map, then, recover, finally; and
 * within what time it is to be there.
 *
 * Each gives a future of its own, at once. The functions run later, in processes of the library's, never
 * on the stack of who registers them or settles the future: for one future one after the other, in the
 * order in which they were registered; for different futures side by side. They may block. A cop_exit
 * or a failed cop_assert in one rejects its own future, and harms nobody else; a fault is one of the
 * program.
 *
 * A lazy source is started; if it is one that is tried again, what comes of that run is what counts here.
 *
 * Releasing a source, or a child, does not stop what was registered: it runs all the same, once. A
 * child that has been cancelled is settled; its function is not called any more, but cop_finally's is.
 *
 * Functions that wait hold up nobody but their own future, outside the library (in read(2), say) up to 256
 * of them. One that awaits its own child, or what waits for that, waits for ever.
 *
 *                 the producer ends when          await returns when          it leaks if
 *   map,          its function has run, or its    it ends, or it is           its source is never settled,
 *   recover       source's outcome passes by it   cancelled: at once          or its handle not released
 *   then          the future is settled that      the same                    that, or the future that its
 *                 its function has given, or                                  function has given is never
 *                 as above                                                    settled
 *   finally       its function has run            the same                    as map
 *   on_settled    one of its functions has run    there is no future          its source is never settled
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_CHAIN_H
#define COPPICE_CHAIN_H

#include <coppice/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the functions are and get. `value` is borrowed for the call (a future of any size: what
 * cop_await_bytes gives); `result` is as a task's (coppice/task.h). They return 0, or a code with
 * which the child is rejected; a positive one is a crash with -EINVAL.
 */
typedef int (*cop_map_fn)(const void *value, void *result, void *env);
typedef cop_future *(*cop_then_fn)(const void *value, void *env);
typedef int (*cop_recover_fn)(cop_reason reason, void *result, void *env);

typedef struct cop_chain_opts {
    size_t result_size;         /* or COP_ANY */
    void (*drop)(void *result); /* for a result that owns memory, as a task's */
    void *env;
    void (*drop_env)(void *env); /* once, after the function, or when it is not called */
    void *reserved[4];
    const char *file; /* where it was made: set by the macros */
    int line;
} cop_chain_opts;

/*
 * The value, changed by a function. A failure of the source is the child's, unchanged.
 *
 *   opts   NULL: the defaults
 *
 * Never NULL: without memory, or without a function (-EINVAL), it is a future that is already rejected.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_future *cop_map_with(cop_future *future, cop_map_fn fn, const cop_chain_opts *opts);
#define cop_map(future, fn, env_, size) cop_map_with((future), (fn), COP_CHAIN_OPTS_(env_, size))

/*
 * The outcome of another future, which a function makes of the value. Its handle is taken over. NULL
 * rejects the child with -EINVAL; the child itself, or one that waits for it, with -EDEADLK; a value of
 * another size than result_size with -EMSGSIZE.
 */
COP_API cop_future *cop_then_with(cop_future *future, cop_then_fn fn, const cop_chain_opts *opts);
#define cop_then(future, fn, env_, size) cop_then_with((future), (fn), COP_CHAIN_OPTS_(env_, size))

/* A value for a failure, made by a function. A value of the source is the child's, unchanged; of
 * another size than result_size: -EMSGSIZE. */
COP_API cop_future *cop_recover_with(cop_future *future, cop_recover_fn fn,
                                     const cop_chain_opts *opts);
#define cop_recover(future, fn, env_, size) \
 cop_recover_with((future), (fn), COP_CHAIN_OPTS_(env_, size))

/* The outcome of the source, unchanged, after fn(env) has run, whatever the outcome. If fn exits, the
 * child is rejected with that. Of `opts` the result's size and drop are not looked at. */
COP_API cop_future *cop_finally_with(cop_future *future, void (*fn)(void *env),
                                     const cop_chain_opts *opts);
#define cop_finally(future, fn, env_) cop_finally_with((future), (fn), COP_CHAIN_OPTS_(env_, 0))

/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define COP_CHAIN_OPTS_(env_, size) \
 (&(cop_chain_opts){.result_size = (size), .env = (env_), .file = __FILE__, .line = __LINE__})

/*
 * The outcome of the source, unchanged, if it comes in time; else a rejection with -ETIMEDOUT, and then the
 * source is cancelled. What the time is for is done in vain when it is over.
 *
 *   timeout   from now on; 0 or less: it is over, unless the source is settled. COP_FOREVER: no limit, and
 *             what is returned is one more handle on the source itself
 *
 * A settled source decides at once. Cancelling the child is the end of its time, come early: it reaches
 * the source, which cancelling no other child does. A function that is told of that
 * (cop_resolver_on_cancel) may be called by one of the library's own processes. Others who await the
 * source see it end, too: it is for its owner to limit.
 *
 * When the last handle on the child is released before, and nothing was registered with it, the limit is
 * lifted: the source goes on, and no timer stays behind. Should the library be shut down before the time is
 * over, the limit is lifted, too.
 *
 * Never NULL: without memory, or a thread for timers, it is rejected already, and the source goes on.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_future *cop_within_at(cop_future *future, cop_time timeout, const char *file, int line);
#define cop_within(future, timeout) cop_within_at((future), (timeout), __FILE__, __LINE__)

/*
 * Fire and forget: exactly one of the two runs, once. Either may be NULL.
 *
 * -ENOMEM   neither will
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_on_settled(cop_future *future, void (*on_success)(const void *value, void *env),
                           void (*on_failure)(cop_reason reason, void *env), void *env);

#ifdef __cplusplus
}
#endif
#endif
