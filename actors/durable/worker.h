/*
 * actors/durable/worker.h - a worker of a queue, as its files share it.
 *
 * Room: actors/durable/. The worker's process, where nothing else is said.
 */
#ifndef COPI_ACTORS_DURABLE_WORKER_H
#define COPI_ACTORS_DURABLE_WORKER_H

#include "actors/durable/ask.h"

#include <coppice/context.h>
#include <coppice/future.h>
#include <coppice/genserver.h>
#include <coppice/worker.h>

/* What it is sent. */
enum copi_worker_message {
    COPI_WORKER_COUNT = 1,
    COPI_WORKER_WAKE,
    COPI_WORKER_TICK,
    COPI_WORKER_TAKEN,
    COPI_WORKER_RENEWED,
    COPI_WORKER_ENDED,
};

struct copi_worker {
    cop_worker_opts opts; /* filled in */
    cop_worker_counts counts;
    struct copi_held *held; /* a lease each */
    cop_time renew_at;      /* all of them */
    /* worker_take.c */
    cop_future *take; /* held; NULL: none is under way */
    cop_ref taken;
    cop_time asked;
    bool inherits; /* the take does */
    bool wants;    /* there may be more to claim */
    cop_time claim_at, inherit_at;
    /* guarded by the list's lock */
    struct copi_worker *next, **link;
    cop_pid self;
};

/* ---------------------------------------------------------------- asking: worker.c */

cop_pid copi_worker_store(const struct copi_worker *worker);

/* A future whose end comes as a message with this tag, under *ref; NULL: not even that could be had. */
cop_future *copi_worker_ask(struct copi_worker *worker, const cop_store_op *op, uint32_t tag,
                            cop_ref *ref);

/* ---------------------------------------------------------------- who can be woken: worker_list.c, any thread */

void copi_worker_enter_list(struct copi_worker *worker); /* as the calling process */
void copi_worker_leave_list(struct copi_worker *worker);

/* ---------------------------------------------------------------- taking: worker_take.c */

unsigned copi_worker_free_places(const struct copi_worker *worker);

/* Where it is time, there is room, and none is under way. */
void copi_worker_begin_take(struct copi_worker *worker, cop_time now);

/* A COPI_WORKER_TAKEN has come: what was got is held. */
void copi_worker_end_take(struct copi_worker *worker, const struct cop_settled *settled);

/* ---------------------------------------------------------------- leases and their jobs: worker_held.c */

/* Begin to compute, and to renew. 0, or an error: it cannot be worked on now, and is still the caller's. */
int copi_worker_hold(struct copi_worker *worker, const cop_durable_record *record);

/* A lease that cannot be worked on is given back; if that is lost, too, it runs out. */
void copi_worker_give_back(struct copi_worker *worker, const cop_durable_record *record);

/* Renew all of them. */
void copi_worker_renew(struct copi_worker *worker, cop_time now);

/* Cancel the jobs whose leases are not to be trusted any more; when there will be another, or COP_FOREVER. */
void copi_worker_distrust(struct copi_worker *worker, cop_time now);
cop_time copi_worker_trusted_until(const struct copi_worker *worker);

/* A COPI_WORKER_RENEWED or COPI_WORKER_ENDED has come. */
void copi_worker_heard(struct copi_worker *worker, uint32_t tag, const struct cop_settled *settled);

/* A stop: waits for the jobs, and gives back what they leave. */
void copi_worker_stop_jobs(struct copi_worker *worker);

/* Of the memory, at the end. */
void copi_worker_let_go(struct copi_worker *worker);

/* ---------------------------------------------------------------- times: worker_times.c, arithmetic only */

/* How long after it was asked for a lease is trusted. */
cop_time copi_lease_trust(cop_time ttl, cop_time lease);

/* When to renew: a third of the time that a lease has. */
cop_time copi_lease_renewal(cop_time ttl);

/* The pause before the next look for leases that are over, when this one took so long. */
cop_time copi_lease_inheriting(cop_time took);

/* ---------------------------------------------------------------- a job: worker_job.c */

enum copi_job_end {
    COPI_JOB_SETTLED = 1,
    COPI_JOB_STALE,      /* somebody else has it, or has settled it otherwise */
    COPI_JOB_UNFINISHED, /* it was cancelled, and has not been settled */
    COPI_JOB_CRASHED,    /* a positive number is one, too */
};

/* Start computing, in `context`, which the caller is not in. The future is resolved with an int, an enum copi_job_end,
 * when the function has returned and its outcome is stored, or the attempt to store it was given up; rejected
 * when it crashed. Never NULL but when out of memory. Linked to the caller. */
cop_future *copi_job_start(const cop_worker_opts *opts, const cop_durable_record *record,
                           cop_context *context);

#endif
