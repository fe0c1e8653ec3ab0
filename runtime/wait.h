/*
 * runtime/wait.h - how a process waits, and where it can end.
 *
 * Room: runtime/. The owner thread only.
 */
#ifndef COPI_RUNTIME_WAIT_H
#define COPI_RUNTIME_WAIT_H

#include "runtime/process.h"

/* One wait of a process: `timeout` as the user gave it. The clock is read only when it must sleep. */
struct copi_wait {
    cop_time timeout, deadline;
    bool has_slept;
    const char *in;         /* what cop_inspect calls it: a word, there for good */
    struct copi_spin *spin; /* what is remembered of such waits; NULL: of waits for messages */
};
#define COPI_WAIT(word, t) \
 ((struct copi_wait){      \
     .timeout = (t),       \
     .in = (word),         \
 })

/*
 * Every blocking call is this loop:
 *
 *     struct copi_wait wait = COPI_WAIT("call", timeout);
 *     int r;
 *     do {
 *         copi_take_in(self);        an exit point
 *         if (what was waited for is there) return it;
 *     } while ((r = copi_pause(self, &wait)) == 0);
 *
 * copi_pause waits until there may be news: 0. -ECANCELED: the process was asked to stop, or its
 * context was cancelled. -ETIMEDOUT: the timeout or the context's deadline has passed.
 */
int copi_pause(struct copi_process *self, struct copi_wait *wait);

/* Note that a wait failed, for cop_why, when the caller is to be told: a timeout may be no failure. */
int copi_wait_failed(int r);

/* The same, and also until a descriptor is ready: 1. */
int copi_pause_fd(struct copi_process *self, struct copi_wait *wait, int fd, short events);

/* Whether blocking calls are refused now: 0, or -ECANCELED; cop_why() has the cause. */
int copi_interrupted(struct copi_process *self);

/* End here if an exit signal says so and nothing holds it back. */
void copi_exit_point(struct copi_process *self);

#endif
