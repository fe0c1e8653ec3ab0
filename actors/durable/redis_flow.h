/*
 * actors/durable/redis_flow.h - a key that is not in the cache: who computes it, and who waits.
 *
 * Room: actors/durable/, libcoppice-redis.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_FLOW_H
#define COPI_ACTORS_DURABLE_REDIS_FLOW_H

#include "actors/durable/redis_ask.h"
#include "actors/durable/redis_lease.h"

/* The argument of copi_redis_flow. The computation's own argument follows, and then the key. */
struct copi_redis_job {
    cop_shared_opts opts; /* filled in */
    cop_task_fn compute;
    bool is_gone;    /* Redis has been found so: compute here */
    size_t arg, key; /* sizes */
};

/* One run of it; its own process only. */
struct copi_redis_flow {
    const struct copi_redis_job *job;
    struct copi_redis_names names;
    bool has_subscribed; /* or tried to */
    bool may_hold;       /* the lock may be this token's */
    /* of the lock: */
    struct copi_redis_token token;
    uint64_t number;
    struct copi_redis_lease lease;
    bool is_lost; /* or must be taken for it */
    /* A value that was computed under a lock which was lost: not to be computed again. */
    bool has_value;
    struct copi_redis_outcome value;
    struct copi_redis_outcome out;
};

/* A task's function, of a job; its result is a struct copi_redis_outcome, whose data is the flight's to free. It
 * fails only if it was cancelled. */
int copi_redis_flow(cop_bytes arg, void *result);

/* The lock was taken: compute, settle. false: it was lost, and flow->out is not there. (redis_hold.c) */
bool copi_redis_hold(struct copi_redis_flow *flow);

/* The computation without a lock, for this program only: flow->out. */
void copi_redis_compute_alone(struct copi_redis_flow *flow);

void copi_redis_trace(const struct copi_redis_flow *flow, const char *step);

#endif
