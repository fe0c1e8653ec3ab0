/*
 * actors/durable/worker_times.c - how long a lease is trusted, and when what is due.
 *
 * Room: actors/durable/. Arithmetic only.
 *
 * Trust is counted from before the request was sent, by this program's monotonic clock, so that a late answer cannot
 * make it longer than the lease. It ends a margin earlier: a tenth, and at least 200 ms, for a scheduler that
 * comes late; but of short leases, which only tests have, not more than a quarter.
 */
#include "actors/durable/worker.h"

enum {
    OF_A_LEASE = 10,     /* the margin: one of so many parts, */
    MOST_OF_A_LEASE = 4, /* and at most one of so many */
    RENEWALS = 3,
    TIMES_AS_LONG = 50,
};

#define MARGIN_LEAST     COP_MS(200)
#define INHERITING_LEAST COP_MS(100)
#define INHERITING_MOST  COP_SEC(1)

static cop_time
smaller(cop_time a, cop_time b)
{
    return a < b ? a : b;
}

static cop_time
larger(cop_time a, cop_time b)
{
    return a > b ? a : b;
}

cop_time
copi_lease_trust(cop_time ttl, cop_time lease)
{
    cop_time margin = smaller(larger(ttl / OF_A_LEASE, MARGIN_LEAST), ttl / MOST_OF_A_LEASE);
    return larger(0, smaller(ttl, lease) - margin);
}

cop_time
copi_lease_renewal(cop_time ttl)
{
    return ttl / RENEWALS;
}

/* A look reads all live leases of the queue: it may take a fiftieth of the time. But it may also have waited for a
 * store that was away. */
cop_time
copi_lease_inheriting(cop_time took)
{
    return took < INHERITING_MOST / TIMES_AS_LONG ? larger(INHERITING_LEAST, TIMES_AS_LONG * took)
                                                  : INHERITING_MOST;
}
