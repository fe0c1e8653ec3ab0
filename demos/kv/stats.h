/*
 * demos/kv/stats.h - what the daemon counts of itself, for INFO and for Prometheus.
 *
 * Room: demos/. Any process.
 */
#ifndef DEMOS_KV_STATS_H
#define DEMOS_KV_STATS_H

#include <coppice.h>

struct stats {
    cop_time started;
    unsigned port;
    uint64_t connections, commands; /* since the start */
};

/* Begin: the daemon listens at this port. Before the tree, once. */
void stats_begin(unsigned port);

struct stats stats_read(void);

/* A client has come: the how-manieth it is. */
uint64_t stats_client_came(void);

/* So many commands were run. */
void stats_commands_ran(size_t commands);

/* A bucket was visited, and for how long. */
void stats_bucket_visited(cop_time took);

#endif
