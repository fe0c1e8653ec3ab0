/*
 * tests/actors/durable/jobs.h - what the suites of workers share: a store in memory, workers, what they compute.
 *
 * Room: tests/. Functions that not every suite uses are static inline.
 */
#ifndef COPI_TESTS_JOBS_H
#define COPI_TESTS_JOBS_H

#include "actors/durable/ask.h"
#include "tests/actors/durable/stored.h"

#include <coppice/worker.h>

#define SHORT COP_MS(300) /* a lease that a test waits for the end of */

static cop_pid store, tree;
static _Atomic unsigned running, most, runs, stale;
static _Atomic bool may_return;

static inline void
begin(void)
{
    ck_assert_int_eq(cop_store_start(&store, .name = "jobs"), 0);
}

static inline cop_pid
start_worker(const char *name, cop_worker_opts opts)
{
    opts.size = sizeof opts;
    opts.name = name;
    opts.store = "jobs";
    opts.queue = "q";
    cop_child_spec child = cop_worker_spec_with(name, &opts);
    if (cop_pid_eq(tree, COP_NOBODY)) {
        ck_assert_int_eq(cop_supervisor_start(&tree, &(cop_supervisor_spec){.max_restarts = 0,
                                                                            .max_seconds = 1}),
                         0);
    }
    cop_pid pid;
    ck_assert_int_eq(cop_supervisor_start_child(tree, &child, &pid), 0);
    return pid;
}

static inline void
end(void)
{
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    stop(store);
}

static inline const char *
number(int i)
{
    static char id[32];
    (void)snprintf(id, sizeof id, "order-%d", i);
    return id;
}

static inline void
create(const char *id)
{
    ck_assert_int_eq(cop_durable_create(store, id, .param = COP_STR("3"), .queue = "q"), 0);
}

static inline cop_worker_counts
counts_of(cop_pid worker)
{
    cop_worker_counts counts;
    ck_assert_int_eq(cop_worker_count(worker, &counts, SOON), 0);
    return counts;
}

static inline int
triple(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    int *result = cop_alloc(sizeof *result);
    *result = 3 * (int)strtol(lease->param.data, NULL, 10);
    *value = COP_BYTES(*result);
    runs++;
    return 0;
}

static inline int
wait_inside(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    unsigned now = ++running;
    runs++;
    if (now > most) {
        most = now;
    }
    int error = 0;
    while (!may_return && error == 0) {
        error = cop_sleep(COP_MS(1));
    }
    if (error && cop_why().code == -ESTALE) {
        stale++;
    }
    running--;
    *value = COP_STR(lease->attempts == 1 ? "first" : "again");
    return error;
}

#endif
