/*
 * tests/actors/durable/test_postgres_statements.c - how the server does what it is asked: the plans.
 *
 * Room: tests/. What the statements do is in test_postgres_batch.c. A plan that reads the whole table, or all leases
 * where one is meant, is correct, and the end of the service; so each statement's plan is looked at while the
 * table is empty, with 1,000 leases, with 20,000 settled ones, and when it is bloated.
 */
#include "actors/durable/postgres_link.h"
#include "actors/durable/postgres_schema.h"
#include "actors/durable/postgres_statements.h"
#include "tests/actors/durable/postgres.h"

static struct copi_postgres_link link;
static PGconn *other;

static void
make_table(const char *content)
{
    begin_anew();
    link = (struct copi_postgres_link){.where = server.url, .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, cop_now() + SOON), 0);
    ck_assert_int_eq(copi_postgres_migrate(&link, copi_postgres_migrations, copi_postgres_version,
                                           cop_now() + SOON),
                     0);
    other = look_in();
    (void)number_with(other, content);
}

static void
leave_table(void)
{
    copi_postgres_close(&link);
    PQfinish(other);
}

static const char *const contents[] = {
    "SELECT 0",

    "INSERT INTO cop_future (id, queue, owner, epoch, lease_until, max_attempts, expires_at) "
    "SELECT 'leased-' || n, 'q', gen_random_uuid(), 1, clock_timestamp() + interval '1 hour', n % 3, "
    "clock_timestamp() + interval '1 hour' FROM generate_series(1, 1000) n; SELECT 0",

    "INSERT INTO cop_future (id, queue, state, settled_at) "
    "SELECT 'settled-' || n, 'q', 1, clock_timestamp() FROM generate_series(1, 20000) n;"
    "INSERT INTO cop_future (id, queue) SELECT 'ready-' || n, 'q' FROM generate_series(1, 100) n;"
    "ANALYZE cop_future; SELECT 0",

    "ALTER TABLE cop_future SET (autovacuum_enabled = false);"
    "INSERT INTO cop_future (id, queue, expires_at) "
    "SELECT 'often-' || n, 'q', clock_timestamp() + interval '1 hour' FROM generate_series(1, 500) n;"
    "UPDATE cop_future SET attempts = 1; UPDATE cop_future SET attempts = 2;"
    "UPDATE cop_future SET ready_at = clock_timestamp(); UPDATE cop_future SET attempts = 3; SELECT 0",
};

enum {
    CONTENTS = sizeof contents / sizeof contents[0]
};

static const struct {
    const char *statement;
    const char *values[9];
    int count;
    const char *index; /* that it must go by */
} plans[] = {
    {copi_postgres_create, {"{a}", "{q}", "{\"\"}", "{x}", "{1000}", "{k}", "{0}"}, 7, "Insert"},
    {copi_postgres_get, {"{a,b}"}, 1, "cop_future_pkey"},
    {copi_postgres_get_one, {"a"}, 1, "cop_future_pkey"},
    {copi_postgres_settle,
     {"{a}", "{1}", "{11111111-1111-1111-1111-111111111111}", "{1}", "{0}", "{0}", "{\"\"}", "{v}",
      "{k}"},
     9,
     "cop_future_p"},
    {copi_postgres_acquire,
     {"{a}", "{11111111-1111-1111-1111-111111111111}", "{1000000}"},
     3,
     "cop_future_p"},
    {copi_postgres_renew,
     {"{a}", "{1}", "{11111111-1111-1111-1111-111111111111}", "{1000000}"},
     4,
     "cop_future_p"},
    {copi_postgres_release,
     {"{a}", "{1}", "{11111111-1111-1111-1111-111111111111}"},
     3,
     "cop_future_p"},
    {copi_postgres_list, {"a", NULL, NULL, "10"}, 4, "cop_future_p"},
    {copi_postgres_claim,
     {"q", "11111111-1111-1111-1111-111111111111", "1000000", "10"},
     4,
     "cop_future_ready"},
    {copi_postgres_inherit,
     {"q", "11111111-1111-1111-1111-111111111111", "1000000", "10"},
     4,
     "cop_future_leased"},
    {copi_postgres_held, {"q", "11111111-1111-1111-1111-111111111111"}, 2, "cop_future_leased"},
    {copi_postgres_expire, {"10"}, 1, "cop_future_due"},
    {copi_postgres_expire, {"10"}, 1, "cop_future_last"},
    {copi_postgres_next, {NULL}, 0, "cop_future_due"},
    {copi_postgres_next, {NULL}, 0, "cop_future_last"},
    {copi_postgres_prune, {"1000000", "10"}, 2, "cop_future_gc"},
};

/* As a session of ours plans it. */
static char *
plan_of(const char *statement, const char *const values[], int count)
{
    static char text[1 << 16];
    size_t size = strlen(statement) + 32;
    char *explain = malloc(size);
    (void)snprintf(explain, size, "EXPLAIN %s", statement);
    (void)PQexitPipelineMode(link.connection);
    (void)PQsetnonblocking(link.connection, 0);
    PGresult *rows = PQexecParams(link.connection, explain, count, NULL, values, NULL, NULL, 0);
    ck_assert_msg(PQresultStatus(rows) == PGRES_TUPLES_OK, "%s: %s", statement,
                  PQresultErrorMessage(rows));
    size_t length = 0;
    text[0] = 0;
    for (int i = 0; i < PQntuples(rows) && length < sizeof text; i++) {
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s\n", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    free(explain);
    return text;
}

/* The one plan that is kept: whatever was in the table when it was made. */
TEST_TIMES(CONTENTS, what_is_prepared_has_one_plan_for_good)
{
    make_table(contents[_i]);
    ck_assert_int_eq(copi_postgres_prepare(&link, copi_postgres_get_one, cop_now() + SOON), 0);
    char execute[64];
    (void)snprintf(execute, sizeof execute, "EXECUTE %s ('a')", link.name);
    for (int i = 0; i < 10; i++) { /* from the sixth on it is kept */
        const char *plan = plan_of(execute, NULL, 0);
        ck_assert_msg(strstr(plan, "cop_future_pkey") != NULL, "%s", plan);
        ck_assert_msg((strstr(plan, "$1") != NULL) == (i >= 5), "%d: %s", i, plan);
    }
    leave_table();
}

TEST_TIMES(CONTENTS, each_statement_goes_by_its_index)
{
    make_table(contents[_i]);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        const char *plan = plan_of(plans[i].statement, plans[i].values, plans[i].count);
        ck_assert_msg(strstr(plan, plans[i].index) != NULL, "%s\n%s", plans[i].statement, plan);
        ck_assert_msg(strstr(plan, "Seq Scan on cop_future") == NULL, "%s\n%s", plans[i].statement,
                      plan);
    }
    leave_table();
}

/* What it has to read, in blocks, as the server counts it. */
static long
blocks_of(const char *statement, const char *const values[], int count)
{
    size_t size = strlen(statement) + 64;
    char *explain = malloc(size);
    (void)snprintf(explain, size, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) %s", statement);
    (void)PQexitPipelineMode(link.connection);
    (void)PQsetnonblocking(link.connection, 0);
    PGresult *rows = PQexecParams(link.connection, explain, count, NULL, values, NULL, NULL, 0);
    ck_assert_msg(PQresultStatus(rows) == PGRES_TUPLES_OK, "%s", PQresultErrorMessage(rows));
    long blocks = -1;
    for (int i = 0; i < PQntuples(rows) && blocks < 0; i++) {
        const char *at = strstr(PQgetvalue(rows, i, 0), "shared hit=");
        blocks = at ? strtol(at + strlen("shared hit="), NULL, 10) : -1;
    }
    PQclear(rows);
    free(explain);
    return blocks;
}

TEST(an_idle_claim_does_not_read_the_leases_of_others)
{
    make_table(
        "INSERT INTO cop_future (id, queue, owner, epoch, lease_until) "
        "SELECT 'leased-' || n, 'q', gen_random_uuid(), 1, clock_timestamp() + interval '1 hour' "
        "FROM generate_series(1, 20000) n; ANALYZE cop_future; SELECT 0");
    long blocks = blocks_of(
        copi_postgres_claim,
        (const char *const[]){"q", "11111111-1111-1111-1111-111111111111", "1000000", "10"}, 4);
    ck_assert_int_le(blocks, 10);
    leave_table();
}

/* PG03: also with statistics from when the table was empty, and with nested loops only. */
TEST(a_claim_never_takes_more_than_it_asked_for)
{
    make_table("ANALYZE cop_future;"
               "INSERT INTO cop_future (id, queue) SELECT 'ready-' || n, 'q' "
               "FROM generate_series(1, 5000) n; SELECT 0");
    (void)PQexitPipelineMode(link.connection);
    (void)PQsetnonblocking(link.connection, 0);
    PQclear(PQexec(link.connection, "SET enable_hashjoin = off; SET enable_mergejoin = off;"
                                    "SET enable_material = off"));
    const char *const values[] = {"q", "11111111-1111-1111-1111-111111111111", "1000000", "7"};
    for (int i = 0; i < 20; i++) {
        PGresult *rows =
            PQexecParams(link.connection, copi_postgres_claim, 4, NULL, values, NULL, NULL, 0);
        ck_assert_msg(PQresultStatus(rows) == PGRES_TUPLES_OK, "%s", PQresultErrorMessage(rows));
        ck_assert_int_eq(PQntuples(rows), 7);
        PQclear(rows);
    }
    ck_assert_int_eq(number_with(other, "SELECT count(*) FROM cop_future WHERE owner IS NOT NULL"),
                     140);
    ck_assert_int_eq(number_with(other, "SELECT max(epoch) FROM cop_future"), 1);
    leave_table();
}

/* A renewal touches no index: what it leaves behind is taken back as the page is next looked at. */
TEST(renewals_do_not_make_the_table_grow)
{
    make_table("INSERT INTO cop_future (id, queue, owner, epoch, lease_until) "
               "SELECT 'leased-' || n, 'q', '11111111-1111-1111-1111-111111111111', 1, "
               "clock_timestamp() + interval '1 hour' FROM generate_series(1, 100) n; SELECT 0");
    long before = number_with(other, "SELECT pg_total_relation_size('cop_future')");
    (void)PQexitPipelineMode(link.connection);
    (void)PQsetnonblocking(link.connection, 0);
    for (int i = 0; i < 100; i++) {
        PGresult *rows =
            PQexecParams(link.connection, copi_postgres_renew, 4, NULL,
                         (const char *const[]){"{leased-1,leased-2,leased-3}", "{1,1,1}",
                                               "{11111111-1111-1111-1111-111111111111,"
                                               "11111111-1111-1111-1111-111111111111,"
                                               "11111111-1111-1111-1111-111111111111}",
                                               "{1000000,1000000,1000000}"},
                         NULL, NULL, 0);
        ck_assert_int_eq(PQntuples(rows), 3);
        PQclear(rows);
    }
    long after = number_with(other, "SELECT pg_total_relation_size('cop_future')");
    ck_assert_int_le(after, before + 3 * 8192);
    leave_table();
}

SUITE_AROUND("PostgreSQL's statements", start_server, end_server)
