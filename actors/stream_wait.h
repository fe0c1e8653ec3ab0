/*
 * actors/stream_wait.h - processes that wait for a change of something that a lock guards.
 *
 * Room: actors/.
 */
#ifndef COPI_ACTORS_STREAM_WAIT_H
#define COPI_ACTORS_STREAM_WAIT_H

#include "runtime/message.h"
#include "runtime/thread.h"
#include "runtime/wait.h"

/* Zeroed: nobody waits. Guarded by the lock. */
struct copi_stream_waiters {
    struct copi_message *newest;
};

/*
 * Wait, once, as copi_pause does. `is_there` is asked under the lock; if it says that there is nothing to
 * wait for, or the list is woken later, 0: the caller looks again. -ENOMEM.
 *
 * An exit point, without the lock.
 */
int copi_stream_wait(struct copi_stream_waiters *waiters, copi_lock *lock,
                     bool (*is_there)(const void *env), const void *env, struct copi_wait *wait);

/* All who wait, to be woken when the lock has been given back. */
struct copi_message *copi_stream_waiters_take_locked(struct copi_stream_waiters *waiters);
void copi_stream_wake(struct copi_message *taken);

#endif
