/*
 * actors/durable/redis_lease.c - when to renew a lock, when to stop trusting it, how long to wait for another's.
 *
 * Room: actors/durable/, libcoppice-redis. Arithmetic, so that a test can replay a bad day in a microsecond.
 * Touch freely: the jitter. Ask first: that trust is counted from sending.
 *
 * Redis counts a lock's time from when it has read the command; we know only that it was after it was
 * sent. Counted from then, our trust ends first, whatever the network did to the answer; a tenth of the time
 * more is for the difference between two clocks' speeds, and to stop in.
 *
 * Who waits for another's lock looks when its time is over, and a little later by chance, so that they do not
 * all come at once: one of them gets it, and the others have asked for nothing.
 */
#include "actors/durable/redis_lease.h"

#define JITTER COP_MS(25)

void
copi_redis_lease_begin(struct copi_redis_lease *lease, cop_time ttl, cop_time sent)
{
    lease->ttl = ttl;
    lease->renew_at = sent + ttl / 3;
    lease->trust_until = sent + ttl - ttl / 10;
}

void
copi_redis_lease_missed(struct copi_redis_lease *lease, cop_time now)
{
    lease->renew_at = now + lease->ttl / 20;
}

static cop_time
part_of(cop_time whole, uint32_t chance)
{
    return (cop_time)((double)whole * ((double)chance / (double)UINT32_MAX));
}

cop_time
copi_redis_lease_wait(int64_t left_ms, cop_time poll, uint32_t chance)
{
    cop_time look = poll - part_of(poll / 10, chance);
    if (left_ms < 0 || left_ms > look / COP_MS(1)) {
        return look;
    }
    cop_time free = COP_MS(left_ms + 1) + part_of(JITTER, chance);
    return free < look ? free : look;
}
