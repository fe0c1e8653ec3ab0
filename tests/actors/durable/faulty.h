/*
 * tests/actors/durable/faulty.h - a store whose backend fails, or waits, when a test wants it to.
 *
 * Room: tests/. It is the one in memory, with a door before it.
 */
#ifndef COPI_TESTS_FAULTY_H
#define COPI_TESTS_FAULTY_H

#include "actors/durable/memory.h"
#include "tests/actors/durable/stored.h"

static atomic_int run_fails, open_fails; /* with these, from now on; 0: they do not */
static atomic_bool is_held;              /* run waits before it begins */
static atomic_uint runs, opens, held_runs;
static atomic_size_t largest; /* batch */
static void *kept;            /* the data outlives an opening, as a file's does */

static int
faulty_open(void *state, const cop_store_opts *opts, cop_reason *why)
{
    (void)state;
    atomic_fetch_add(&opens, 1);
    int r = atomic_load(&open_fails);
    if (r) {
        *why = cop_failed(r, "it will not open");
        return r;
    }
    if (!kept) {
        static cop_store_opts first;
        first = *opts; /* those of a store go with it */
        kept = calloc(1, copi_memory_backend.state_size);
        return copi_memory_backend.open(kept, &first, why);
    }
    return 0;
}

static void
faulty_close(void *state)
{
    (void)state;
}

static int
faulty_run(void *state, cop_store_op *const ops[], size_t count, cop_reason *why)
{
    (void)state;
    atomic_fetch_add(&runs, 1);
    if (count > atomic_load(&largest)) {
        atomic_store(&largest, count);
    }
    if (atomic_load(&is_held)) {
        atomic_fetch_add(&held_runs, 1);
    }
    while (atomic_load(&is_held)) {
        (void)cop_sleep(COP_US(100));
    }
    int r = atomic_load(&run_fails);
    if (r) {
        *why = cop_failed(r, "it fails");
        return r;
    }
    return copi_memory_backend.run(kept, ops, count, why);
}

static const cop_store_backend faulty = {
    .name = "faulty",
    .open = faulty_open,
    .close = faulty_close,
    .run = faulty_run,
};

UNUSED static void
forget_data(void)
{
    copi_memory_backend.close(kept);
    free(kept);
    kept = NULL;
}

UNUSED static cop_pid
a_faulty_store(cop_store_opts opts)
{
    cop_pid store;
    opts.size = sizeof opts;
    opts.backend = &faulty;
    ck_assert_int_eq(cop_store_start_with(&store, &opts), 0);
    return store;
}

/* Its process is in the backend, until let_go. */
UNUSED static void
hold(cop_pid store)
{
    unsigned before = atomic_load(&held_runs);
    atomic_store(&is_held, true);
    cop_future *kick = cop_durable_create_async(store, "kick");
    EVENTUALLY(atomic_load(&held_runs) > before);
    cop_future_release(kick);
}

UNUSED static void
let_go(void)
{
    atomic_store(&is_held, false);
}

#endif
