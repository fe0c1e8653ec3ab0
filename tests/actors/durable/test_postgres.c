/*
 * tests/actors/durable/test_postgres.c - durable promises in PostgreSQL: what holds of all stores.
 *
 * Room: tests/. What is PostgreSQL's own is in test_postgres_batch.c, _hints.c and _kills.c.
 */
#include "tests/actors/durable/postgres.h"

#include <coppice/durable.h>

static cop_postgres_opts opts;

static cop_pid
a_store_with(cop_store_opts store)
{
    cop_pid pid;
    begin_anew();
    opts = (cop_postgres_opts){.where = server.url};
    store.size = sizeof store;
    store.backend = &cop_postgres;
    store.at = &opts;
    ck_assert_int_eq(cop_store_start_with(&pid, &store), 0);
    return pid;
}

#define PROMISE_RACES (TEST_SANITIZED ? 20 : 50) /* 5,000 are in test_postgres_batch.c */
#include "tests/actors/durable/promises.h"

SUITE_AROUND("durable promises in PostgreSQL", start_server, end_server)
