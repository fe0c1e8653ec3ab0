/*
 * actors/workers.h - the library's own processes that run what is due, such as continuations.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_WORKERS_H
#define COPI_ACTORS_WORKERS_H

#include <coppice/message.h>
#include <coppice/reason.h>

struct copi_process;

/* Something to do for a worker: a part of whatever it is done for. */
struct copi_work {
    struct copi_work *next; /* in the workers' queue */
    const struct copi_work_kind {
        /* In a worker, once for each time that it was submitted. It may be submitted again meanwhile,
         * and it may free the work. */
        void (*run)(struct copi_work *work);
        /* By who disowns this worker, which is in `run` and may never come out of it. */
        void (*give_up)(struct copi_work *work, cop_pid worker, const cop_reason *why);
    } * kind;
};

/*
 * Zeroed memory for what holds a work; free() gives it back. NULL: there is none, or no thread by which a
 * worker could be started later, should there be no room for one when the work is due.
 */
void *copi_workers_alloc(size_t size);

/* Have one of them run it, soon. It must not be in the queue. */
void copi_workers_submit(struct copi_work *work);

/* What the calling process is running as a worker; NULL: nothing, or it is none. */
struct copi_work *copi_worker_current(void);

/*
 * In a worker: call fn(arg), which is a user's or calls what is. false: it was left by a cop_exit, and
 * *why is that.
 */
bool copi_worker_call(struct copi_process *self, const char *what, void (*fn)(void *arg), void *arg,
                      cop_reason *why);

/* After it: what it has done to its process is no affair of the next one: contexts that it has not left,
 * memory, a shield, signals to it. Not in a worker that was disowned. */
void copi_worker_begin_anew(struct copi_process *self);

#endif
