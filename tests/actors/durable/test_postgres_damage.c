/*
 * tests/actors/durable/test_postgres_damage.c - rows in PostgreSQL that no store has written.
 */
#include "tests/actors/durable/postgres.h"
#include "tests/actors/durable/stored.h"

#include <coppice/durable.h>

static cop_postgres_opts opts;
static cop_store_backend often; /* it looks */

static cop_pid
a_store(void)
{
    cop_pid store;
    begin_anew();
    opts = (cop_postgres_opts){.where = server.url, .quiet = true};
    often = cop_postgres;
    often.poll = COP_MS(50);
    ck_assert_int_eq(cop_store_start(&store, .backend = &often, .at = &opts), 0);
    return store;
}

static void
damage(const char *id, const char *so)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SET client_min_messages = error;"
                   "ALTER TABLE cop_future DROP CONSTRAINT IF EXISTS cop_future_state_check,"
                   " DROP CONSTRAINT IF EXISTS cop_future_check,"
                   " DROP CONSTRAINT IF EXISTS cop_future_check1,"
                   " DROP CONSTRAINT IF EXISTS cop_future_check2;"
                   "UPDATE cop_future SET %s WHERE id = '%s'",
                   so, id);
    (void)number_of(sql);
}

static const char *const damages[] = {
    "state = 7",
    "state = -1",
    "state = 2, cause = 1, code = 0, settled_at = now()",
    "state = 2, cause = 9, code = -5, settled_at = now()",
    "state = 1, cause = 1, code = -5, settled_at = now()",
    "cause = 1, code = -5",
    "code = -5",
    "attempts = -1",
    "max_attempts = -1",
    "epoch = -1",
    "queue = repeat('q', 300)",
    "tags = repeat('t', 300)",
    "message = repeat('m', 1025)::bytea",
    "create_key = repeat('k', 1025)::bytea",
    "settle_key = repeat('k', 1025)::bytea",
    "created_at = 'infinity'",
    "created_at = '-infinity'",
    "settled_at = 'infinity'",
};

#include "tests/actors/durable/damage.h"

/* What has no end is no number, and one refused statement would be everybody's. */
TEST(a_lease_to_the_end_of_time_lasts_as_long)
{
    static const char *const ends[] = {"infinity", "290000-01-01"};
    char sql[128];
    for (int i = 0; i < 2; i++) {
        cop_pid store = a_store_with_three();
        (void)snprintf(sql, sizeof sql, "owner = gen_random_uuid(), lease_until = '%s'", ends[i]);
        damage(ID, sql);
        cop_durable_record record = stored(store, ID);
        ck_assert_int_eq(record.lease_left, COP_FOREVER);
        cop_durable_release(&record);
        stop(store);
    }
}

TEST(deadlines_at_both_ends_of_time_are_kept)
{
    cop_pid store = a_store_with_three();
    cop_future *future = recovered(store, ID);
    damage("before", "expires_at = '290000-01-01'");
    damage("within", "expires_at = 'infinity'");
    damage(ID, "expires_at = '-infinity'");
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -EBADMSG);
    cop_future_release(future);
    ck_assert_int_eq(state_of(store, "before"), COP_DURABLE_PENDING);
    ck_assert_int_eq(state_of(store, "within"), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_durable_create(store, "another", .expires_in = COP_SEC(50)), 0);
    stop(store);
}

SUITE_AROUND("rows that PostgreSQL's store has not written", start_server, end_server)
