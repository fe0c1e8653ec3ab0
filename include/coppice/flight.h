/*
 * coppice/flight.h - callers with the same key share one computation: Go's singleflight.
 *
 * The first caller of a key starts the computation; those who call while it is under way get what it
 * gives. Nothing is kept: the next caller after that computes again.
 *
 * The computation runs on a process of its own, in a context of its own, which nobody's deadline ends
 * alone: it is cancelled when the last of those who wait for it has left. A crash of it reaches all.
 *
 *                 the producer ends when          await returns when          it leaks if
 *   computation   its function returns, which     cop_flight_do: it has       its function does not stop
 *                 it is asked to when nobody      ended, or the caller's      when it is cancelled
 *                 waits any more                  own time is over
 *   flight                                                                    cop_flight_free is not called
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_FLIGHT_H
#define COPPICE_FLIGHT_H

#include <coppice/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_flight cop_flight;

typedef struct cop_flight_opts {
    size_t result_size;
    /* For results that own memory: each caller gets a share of its own, made in its process by share(),
     * 0 or a code; the computation's own result is dropped by drop(), once. */
    int (*share)(const void *result, void *out);
    void (*drop)(void *result);
    void *reserved[4];
} cop_flight_opts;

/*
 * NULL when out of memory, or with COP_ANY (cop_why).
 *
 *   opts   NULL: the defaults, and no result
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_flight *cop_flight_new_with(const cop_flight_opts *opts);
COP_API cop_flight *cop_flight_new(size_t result_size);

/*
 * The result of the computation for a key.
 *
 *   fn, arg   the computation, as a task's; arg is copied. Used by the caller that is the first
 *   out       result_size bytes; nothing is written on an error
 *   shared    whether another caller's call has computed it; NULL: not wanted
 *
 * What the computation failed with   every caller gets it; cop_why() has the reason
 * -ETIMEDOUT   the caller's time, or its context's, is over: it leaves, alone
 * -ECANCELED   its context was cancelled, or it was asked to stop: the same
 * -EDEADLK     from inside the computation for that key
 * -EINVAL      no key, no function
 * -ENOMEM, -EAGAIN   nothing was started
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_flight_do(cop_flight *flight, const char *key, cop_task_fn fn, cop_bytes arg,
                          void *out, bool *shared, cop_time timeout);

/* Let the next caller of a key compute anew, also when a computation is under way: that one serves those
 * who wait for it. */
COP_API void cop_flight_forget(cop_flight *flight, const char *key);

/* Give it back; those who are in it finish. NULL does nothing. */
COP_API void cop_flight_free(cop_flight *flight);

#ifdef __cplusplus
}
#endif
#endif
