/*
 * tests/actors/durable/test_postgres_schema.c - the table is made once, and brought forward.
 *
 * Room: tests/.
 */
#include "actors/durable/postgres_schema.h"
#include "actors/durable/postgres_statements.h"
#include "tests/actors/durable/postgres.h"

#include <coppice/group.h>

static const char *const three[] = {
    "CREATE TABLE cop_future (id text)",
    "ALTER TABLE cop_future ADD COLUMN colour text; INSERT INTO cop_future VALUES ('a', 'red')",
    "UPDATE cop_future SET colour = 'green'",
};

static cop_time
soon(void)
{
    return cop_now() + SOON;
}

static int
migrate(struct copi_postgres_link *link, int count)
{
    *link = (struct copi_postgres_link){.where = server.url, .call_timeout = SOON};
    int error = copi_postgres_connect(link, soon());
    error = error ? error : copi_postgres_migrate(link, three, count, soon());
    copi_postgres_close(link);
    return error;
}

static struct copi_postgres_link link;

TEST(an_empty_database_gets_all_of_it)
{
    begin_anew();
    ck_assert_int_eq(migrate(&link, 3), 0);
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), 3);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future WHERE colour = 'green'"), 1);
}

TEST(who_does_not_get_the_lock_in_time_has_changed_nothing)
{
    begin_anew();
    PGconn *other = look_in();
    (void)number_with(other, "SELECT pg_advisory_lock(4861520)::text");
    link = (struct copi_postgres_link){.where = server.url, .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(copi_postgres_migrate(&link, three, 3, cop_now() + COP_MS(50)), -EREMOTEIO);
    copi_postgres_close(&link);
    ck_assert_int_eq(
        number_with(other, "SELECT count(*) FROM pg_class WHERE relname = 'cop_schema'"), 0);
    PQfinish(other);
    ck_assert_int_eq(migrate(&link, 3), 0);
}

TEST(an_older_schema_is_brought_forward_and_keeps_what_it_has)
{
    begin_anew();
    ck_assert_int_eq(migrate(&link, 1), 0);
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), 1);
    (void)number_of("INSERT INTO cop_future VALUES ('kept')");
    ck_assert_int_eq(migrate(&link, 3), 0);
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), 3);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future WHERE id = 'kept'"), 1);
    ck_assert_int_eq(migrate(&link, 3), 0);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future"), 2);
}

TEST(a_newer_schema_is_refused_and_left_as_it_is)
{
    begin_anew();
    ck_assert_int_eq(migrate(&link, 3), 0);
    ck_assert_int_eq(migrate(&link, 2), -EPROTO);
    ck_assert_ptr_nonnull(strstr(link.why.text, "{version,3,known,2}"));
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), 3);
}

TEST(a_step_that_fails_leaves_the_version_before_it)
{
    begin_anew();
    static const char *const broken[] = {"CREATE TABLE cop_future (id text)",
                                         "CREATE TABLE half (id text); SELECT nonsense"};
    link = (struct copi_postgres_link){.where = server.url, .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(copi_postgres_migrate(&link, broken, 2, soon()), -EIO);
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), 1);
    ck_assert_int_eq(number_of("SELECT count(*) FROM pg_class WHERE relname = 'half'"), 0);
    ck_assert_int_eq(copi_postgres_migrate(&link, three, 3, soon()), 0); /* the lock is free */
    copi_postgres_close(&link);
}

TEST(who_may_not_make_it_is_told_so)
{
    begin_anew();
    (void)number_of("REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
                    "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN");
    char where[256];
    (void)snprintf(where, sizeof where, "%s user=guest", server.url);
    link = (struct copi_postgres_link){.where = where, .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(copi_postgres_migrate(&link, three, 3, soon()), -EACCES);
    copi_postgres_close(&link);
}

static int
migrate_as_one_of_many(cop_bytes unused, void *result)
{
    (void)unused;
    (void)result;
    struct copi_postgres_link mine;
    return migrate(&mine, 3);
}

/* PG18 */
TEST(eight_at_the_same_moment_make_one_schema)
{
    begin_anew();
    cop_group *group = cop_group_new(0);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(cop_group_go(group, migrate_as_one_of_many, (cop_bytes){0}), 0);
    }
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_group_free(group);
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), 3);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_schema"), 1);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future"), 1);
}

TEST(our_own_schema_is_one_that_can_be_made)
{
    begin_anew();
    link = (struct copi_postgres_link){.where = server.url, .call_timeout = SOON};
    ck_assert_int_eq(copi_postgres_connect(&link, soon()), 0);
    ck_assert_int_eq(
        copi_postgres_migrate(&link, copi_postgres_migrations, copi_postgres_version, soon()), 0);
    copi_postgres_close(&link);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future"), 0);
    ck_assert_int_eq(number_of("SELECT version FROM cop_schema"), copi_postgres_version);
}

SUITE_AROUND("PostgreSQL's schema", start_server, end_server)
