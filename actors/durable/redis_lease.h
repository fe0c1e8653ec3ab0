/*
 * actors/durable/redis_lease.h - when to renew a lock, when to stop trusting it, how long to wait for another's.
 *
 * Room: actors/durable/, libcoppice-redis. Arithmetic: no clock, no chance; both are arguments.
 */
#ifndef COPI_ACTORS_DURABLE_REDIS_LEASE_H
#define COPI_ACTORS_DURABLE_REDIS_LEASE_H

#include <coppice/base.h>

struct copi_redis_lease {
    cop_time ttl;
    cop_time renew_at;    /* the next time that this is tried */
    cop_time trust_until; /* from then on it may be another's */
};

/* It was taken, or renewed, by what was sent at `sent`. */
void copi_redis_lease_begin(struct copi_redis_lease *lease, cop_time ttl, cop_time sent);

/* It could not be renewed at `now`, and nobody says that it is lost. */
void copi_redis_lease_missed(struct copi_redis_lease *lease, cop_time now);

/* How long to wait for a lock that is said to have `left_ms` (negative: it is not known), with `chance` of 0 to
 * UINT32_MAX. */
cop_time copi_redis_lease_wait(int64_t left_ms, cop_time poll, uint32_t chance);

#endif
