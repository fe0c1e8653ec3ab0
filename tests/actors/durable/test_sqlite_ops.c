/*
 * tests/actors/durable/test_sqlite_ops.c - operations as statements: by which index they find what they change,
 * and what they make of rows that nobody here has written.
 *
 * What they do is in test_sqlite.c.
 */
#include "tests/actors/durable/file.h"

#include <errno.h>
#include <sqlite3.h>

static sqlite3 *db;

static char plan[4096];

static int
note(void *env, int count, char **values, char **names)
{
    (void)env, (void)count, (void)names;
    size_t used = strlen(plan);
    (void)snprintf(plan + used, sizeof plan - used, "%s\n", values[3]);
    return 0;
}

/* That the condition is looked up in that index, and nothing is scanned. */
static void
check_plan(const char *condition, const char *index)
{
    char sql[1024];
    plan[0] = 0;
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN SELECT rowid FROM promise WHERE %s",
                   condition);
    ck_assert_int_eq(sqlite3_exec(db, sql, note, NULL, NULL), SQLITE_OK);
    ck_assert_msg(strstr(plan, index) != NULL, "%s:\n%s", condition, plan);
    ck_assert_msg(strstr(plan, "SCAN") == NULL, "%s:\n%s", condition, plan);
}

TEST(each_question_has_an_index)
{
    stop(a_store_with((cop_store_opts){0}));
    ck_assert_int_eq(sqlite3_open(a_path(), &db), SQLITE_OK);
    check_plan("id='a'", "sqlite_autoindex_promise_1");
    check_plan("state=0 AND id>'a' ORDER BY id LIMIT 9", "promise_pending");
    check_plan("state=0 AND expires_at IS NOT NULL AND expires_at<=7 LIMIT 9", "promise_due");
    check_plan("state<>0 AND settled_at<7 LIMIT 9", "promise_gc");
    check_plan("queue='q' AND state=0 AND owner IS NULL ORDER BY ready_at,id LIMIT 9",
               "promise_ready");
    check_plan("queue='q' AND state=0 AND owner IS NOT NULL AND lease_until<=7"
               " ORDER BY ready_at,id LIMIT 9",
               "promise_leased");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---------------------------------------------------------------- rows that are not ours */

/* A store whose one promise has been changed by somebody else. */
static cop_pid
a_store_after(const char *sql)
{
    cop_pid store = a_store_with((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    stop(store);
    ck_assert_int_eq(sqlite3_open(a_path(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return a_store_with((cop_store_opts){0});
}

TEST(a_clock_at_the_end_of_time_is_damage)
{
    cop_durable_record record;
    cop_pid store = a_store_after("UPDATE clock SET mark=9223372036854775807");
    ck_assert_int_eq(cop_durable_get(store, ID, &record, SOON), -EIO);
    ck_assert_str_eq(cop_why().text, "database disk image is malformed");
    stop(store);
}

TEST(a_lease_to_the_end_of_time_lasts_as_long)
{
    cop_pid store =
        a_store_after("UPDATE promise SET owner=x'01', lease_until=9223372036854775807");
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.lease_left, COP_FOREVER);
    cop_durable_release(&record);
    stop(store);
}

SUITE("sqlite_ops")
