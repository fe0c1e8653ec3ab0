/*
 * demos/kv/stats.c - what the daemon counts of itself.
 *
 * Room: demos/. Any process; nothing here waits.
 *
 * Twice: in metrics, which Prometheus reads and this program cannot, and in two numbers for INFO.
 */
#include "demos/kv/stats.h"

#include <stdatomic.h>

static struct {
    cop_time started; /* these before the tree, once */
    unsigned port;
    cop_counter *connected, *ran;
    cop_histogram *visits;
    _Atomic uint64_t connections, commands; /* any process, atomic */
} counts;

/* Without memory for one it stays NULL, and is not counted. */
void
stats_begin(unsigned port)
{
    counts.started = cop_now();
    counts.port = port;
    (void)cop_counter_new(&counts.connected, .name = "kv_connections_total",
                          .help = "Clients that have come.");
    (void)cop_counter_new(&counts.ran, .name = "kv_commands_total",
                          .help = "Commands that were run.");
    (void)cop_histogram_new(&counts.visits, .name = "kv_visit_seconds",
                            .help = "How long it takes to have a bucket do what is asked.",
                            .seconds = true);
}

struct stats
stats_read(void)
{
    return (struct stats){
        .started = counts.started,
        .port = counts.port,
        .connections = atomic_load(&counts.connections),
        .commands = atomic_load(&counts.commands),
    };
}

uint64_t
stats_client_came(void)
{
    cop_counter_add(counts.connected, 1);
    return atomic_fetch_add(&counts.connections, 1) + 1;
}

void
stats_commands_ran(size_t commands)
{
    cop_counter_add(counts.ran, (int64_t)commands);
    atomic_fetch_add_explicit(&counts.commands, commands, memory_order_relaxed);
}

void
stats_bucket_visited(cop_time took)
{
    cop_histogram_observe(counts.visits, took);
}
