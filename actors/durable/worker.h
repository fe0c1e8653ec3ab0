/*
 * actors/durable/worker.h - a worker of a queue, as its files share it.
 *
 * Room: actors/durable/. The worker's process, where nothing else is said.
 */
#ifndef COPI_ACTORS_DURABLE_WORKER_H
#define COPI_ACTORS_DURABLE_WORKER_H

#include "actors/durable/ask.h"

#include <coppice/context.h>
#include <coppice/worker.h>

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
