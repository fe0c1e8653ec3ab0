/*
 * tests/actors/durable/test_memory.c - the store in memory, which the others are compared with.
 */
#include "actors/durable/memory.h"
#include "tests/support/support.h"

static cop_pid
a_store_with(cop_store_opts opts)
{
    cop_pid store;
    opts.size = sizeof opts;
    ck_assert_int_eq(cop_store_start_with(&store, &opts), 0);
    return store;
}

#include "tests/actors/durable/leases.h"
#include "tests/actors/durable/promises.h"

SUITE("memory")
