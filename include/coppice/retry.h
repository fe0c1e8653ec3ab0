/*
 * coppice/retry.h - a task that is tried again until it succeeds.
 *
 * Each attempt is a task of its own, and no two run at a time. Between two there is a pause, which holds no
 * thread. The last failure is the outcome.
 *
 * The producer ends when an attempt succeeds, or one fails that is not followed by another; await returns
 * then; it leaks if its handle is not released.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_RETRY_H
#define COPPICE_RETRY_H

#include <coppice/task.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COP_RETRY_FOREVER UINT32_MAX

typedef struct cop_retry_opts {
    cop_task_opts task; /* of each attempt: its arg is copied once, and drop is as a task's. Without
                           link, lazy, awaiters_set_deadline, shutdown and handlers */
    uint32_t attempts;  /* at most; 0: three; COP_RETRY_FOREVER */
    /* The pause before the next attempt: of backoff_min (0: 100 ms) to a ceiling that is twice as long
     * at first and doubles with every attempt, up to backoff_max (0: one minute, or backoff_min if that
     * is longer); within that, chance decides. */
    cop_time backoff_min, backoff_max;
    /* Whether a failure is worth another attempt; `attempt` counts from 1. In one of the library's own
     * processes; it may block. A crash in it is the outcome. NULL: each is. It is not asked of the last. */
    bool (*again)(cop_reason why, uint32_t attempt, void *env);
    void *env;
    void (*drop_env)(void *env); /* once, when nothing more will be asked; it may not block */
    cop_time timeout;            /* of all together; 0: no limit of its own */
    void *reserved[4];
    const char *file; /* where it was made: set by the macro */
    int line;
} cop_retry_opts;

/*
 * Start the first attempt. opts NULL: the defaults.
 *
 * The attempts run in a context below the caller's current one, whose deadline counts: when it has passed,
 * no other begins, and a pause ends with -ETIMEDOUT. An attempt that was stopped, by whomever, has not
 * failed: -ECANCELED is always the outcome. One for which there is no thread (-EAGAIN) has, like any other;
 * one for which there is no memory is not tried again.
 *
 * Cancelling the future, or the context, ends a pause at once, with -ECANCELED. During an attempt it
 * cancels that, as a task is, and the future is rejected with it when the attempt has ended; but a value
 * that comes though the context was cancelled is one. A shutdown of the library ends a pause, too.
 *
 * Releasing the handle stops nothing.
 *
 * Never NULL: what cannot start is a future that is already rejected:
 *
 * -EINVAL      no function, a range of pauses that is none, a negative timeout, an option of tasks that does
 *              not go with it
 * -ENOMEM
 * -ECANCELED, -ETIMEDOUT   the current context is over
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_future *cop_retry_with(cop_task_fn fn, const cop_retry_opts *opts);
/* cop_retry(fn, options...). In two steps, so that no option at all is standard C, too. */
#define cop_retry(...)      COP_RETRY_(__VA_ARGS__, .line = __LINE__)
#define COP_RETRY_(fn, ...) cop_retry_with((fn), &(cop_retry_opts){.file = __FILE__, __VA_ARGS__})

/* How many attempts have begun so far; 0 also for a future that is none of cop_retry's. Any thread. */
COP_API uint32_t cop_retry_attempts(cop_future *future);

/*
 * How long to pause before another attempt after `failures` others, for what tries again by itself: a server
 * that reconnects by cop_send_after, say. They are the pauses of cop_retry, and of a supervisor's restarts, so
 * those that fell together do not come back together.
 *
 *   min, max   as backoff_min and backoff_max; less than 0 is 0, and a maximum below the minimum is the minimum
 *   failures   in a row; 0: there has been none, and there is no pause
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_time cop_retry_pause(cop_time min, cop_time max, uint32_t failures);

#ifdef __cplusplus
}
#endif
#endif
