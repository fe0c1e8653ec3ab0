/*
 * tests/actors/durable/test_sqlite_ops.c - operations as statements: by which index they find what they change.
 *
 * What they do is in test_sqlite.c.
 */
#include "tests/actors/durable/file.h"

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

SUITE("sqlite_ops")
