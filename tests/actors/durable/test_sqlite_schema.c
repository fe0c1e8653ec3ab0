/*
 * tests/actors/durable/test_sqlite_schema.c - whose file it is, and of which version.
 */
#include "tests/actors/durable/file.h"

#include <sqlite3.h>

static void
execute(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(a_path(), &db), SQLITE_OK);
    int r = sqlite3_exec(db, sql, NULL, NULL, NULL);
    ck_assert_msg(r == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static int64_t
number(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(a_path(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void
check_refused(int code, const char *words)
{
    cop_pid store;
    ck_assert_int_eq(cop_sqlite_start(&store, a_path()), code);
    ck_assert_msg(strstr(cop_why().text, words) != NULL, "%s", cop_why().text);
}

TEST(a_new_file_is_ours_and_of_the_newest_version)
{
    stop(a_store_with((cop_store_opts){0}));
    ck_assert_int_eq(number("PRAGMA application_id"), 0x434f5050);
    ck_assert_int_eq(number("PRAGMA user_version"), 2);
}

TEST(a_newer_file_is_refused_and_left_as_it_is)
{
    stop(a_store_with((cop_store_opts){0}));
    execute("PRAGMA user_version=99");
    check_refused(-EPROTO, "newer");
    ck_assert_int_eq(number("PRAGMA user_version"), 99);
}

TEST(a_version_that_cannot_be_is_damage)
{
    stop(a_store_with((cop_store_opts){0}));
    execute("PRAGMA user_version=-1");
    check_refused(-EIO, "malformed");
}

TEST(another_programs_file_is_refused_and_left_as_it_is)
{
    execute("CREATE TABLE theirs(a)");
    check_refused(-EPROTO, "another program");
    ck_assert_int_eq(number("SELECT count(*) FROM sqlite_schema"), 1);
    execute("DROP TABLE theirs; PRAGMA application_id=7");
    check_refused(-EPROTO, "another program");
}

TEST(what_is_no_database_is_refused)
{
    FILE *file = fopen(a_path(), "w");
    for (int i = 0; i < 200; i++) {
        (void)fputs("this is a letter, and not a database\n", file);
    }
    ck_assert_int_eq(fclose(file), 0);
    check_refused(-EPROTO, "not a database");
}

/* As a file was before there were leases. */
static const char first_version[] =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE promise("
    " id TEXT NOT NULL PRIMARY KEY CHECK(length(CAST(id AS BLOB)) BETWEEN 1 AND 255),"
    " queue TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '',"
    " state INTEGER NOT NULL DEFAULT 0 CHECK(state IN (0,1,2)),"
    " cause INTEGER NOT NULL DEFAULT 0, code INTEGER NOT NULL DEFAULT 0, text TEXT,"
    " expires_at INTEGER, created_at INTEGER NOT NULL, settled_at INTEGER,"
    " create_key BLOB, settle_key BLOB, param BLOB, value BLOB,"
    " CHECK((state=0)=(settled_at IS NULL))) STRICT;"
    "CREATE INDEX promise_pending ON promise(id) WHERE state=0;"
    "CREATE INDEX promise_due ON promise(expires_at) WHERE state=0 AND expires_at IS NOT NULL;"
    "CREATE INDEX promise_gc ON promise(settled_at) WHERE state<>0;"
    "CREATE TABLE clock(one INTEGER PRIMARY KEY CHECK(one=1), mark INTEGER NOT NULL) STRICT;"
    "INSERT INTO clock VALUES(1,0);"
    "INSERT INTO promise(id,created_at) VALUES('waits',1000);"
    "INSERT INTO promise(id,state,value,created_at,settled_at) VALUES('done',1,x'7800',1000,2000);"
    "PRAGMA application_id=0x434f5050; PRAGMA user_version=1;";

TEST(a_file_of_the_first_version_is_brought_up_to_date)
{
    execute(first_version);
    cop_pid store = a_store_with((cop_store_opts){0});
    check_resolved(store, "done", "x");
    ck_assert_int_eq(cop_durable_resolve(store, "waits", COP_STR("y")), 0);
    stop(store);
    ck_assert_int_eq(number("PRAGMA user_version"), 2);
    ck_assert_int_eq(number("SELECT ready_at FROM promise WHERE id='waits'"), 1000);
}

static void
kill_there(const char *step, void *env)
{
    (void)env;
    if (strcmp(step, "migrate") == 0) {
        cop_exit(cop_failed(-EINTR, "killed in the middle"));
    }
}

TEST(a_migration_that_was_cut_short_has_not_begun)
{
    cop_pid store;
    execute(first_version);
    ck_assert_int_eq(cop_sqlite_start(&store, a_path(), .trace = kill_there), -EINTR);
    ck_assert_int_eq(number("PRAGMA user_version"), 1);
    stop(a_store_with((cop_store_opts){0}));
    ck_assert_int_eq(number("PRAGMA user_version"), 2);
}

SUITE("sqlite_schema")
