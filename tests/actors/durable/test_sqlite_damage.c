/*
 * tests/actors/durable/test_sqlite_damage.c - rows in a file that no store has written.
 */
#include "tests/actors/durable/file.h"

#include <sqlite3.h>

static cop_pid
a_store(void)
{
    return a_store_with((cop_store_opts){0});
}

static void
execute(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(a_path(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(db, 4000), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void
damage(const char *id, const char *so)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "UPDATE promise SET %s WHERE id='%s'", so, id);
    execute(sql);
}

static const char *const damages[] = {
    "state=7",
    "state=-1",
    "state=4294967296",
    "state=2, cause=1, code=0, settled_at=1",
    "state=2, cause=9, code=-5, settled_at=1",
    "state=1, cause=1, code=-5, settled_at=1",
    "cause=1, code=-5",
    "code=-5",
    "attempts=-1",
    "max_attempts=-1",
    "epoch=-1",
    "queue=printf('%0300d', 1)",
    "tags=printf('%0300d', 1)",
    "text=printf('%01025d', 1)",
    "create_key=zeroblob(1025)",
    "settle_key=zeroblob(1025)",
    "created_at=9223372036854775807",
    "settled_at=-9223372036854775807",
    "expires_at=9223372036854775807",
};

#include "tests/actors/durable/damage.h"

/* As a page that is about to end there would be read again and again. */
TEST(an_id_behind_which_nothing_can_be_found_ends_a_recovery)
{
    int seen = 0;
    cop_pid store = a_store_with_three();
    execute("UPDATE promise SET id='p'||char(0)||'q' WHERE id='" ID "'");
    test_catch_stderr();
    ck_assert_int_eq(cop_durable_recover_all(store, see, &seen, .page = 1), -EBADMSG);
    ck_assert_int_eq(cop_why().code, -EBADMSG);
    free(test_caught_stderr());
    stop(store);
}

/* An id that is too long is shown to nobody; what comes behind it is. */
TEST(a_damaged_id_is_passed_over_like_any_other)
{
    int seen = 0;
    cop_pid store = a_store_with_three();
    execute("UPDATE promise SET id='order'||printf('%0300d', 1) WHERE id='" ID "'");
    test_catch_stderr();
    ck_assert_int_eq(cop_durable_recover_all(store, see, &seen, .page = 1), 0);
    free(test_caught_stderr());
    ck_assert_int_eq(seen, 2);
    stop(store);
}

TEST(more_attempts_than_a_number_has_room_for_are_no_damage)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    damage(ID, "max_attempts=4294967295, attempts=5000000000");
    cop_durable_record record = stored(store, ID);
    ck_assert_uint_eq(record.max_attempts, INT32_MAX);
    cop_durable_release(&record);
    stop(store);
}

TEST(who_awaits_one_that_another_removes_is_told)
{
    cop_reason why;
    cop_pid store = a_store_with_three();
    cop_future *future = recovered(store, ID);
    execute("DELETE FROM promise WHERE id='" ID "'");
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ENOENT);
    ck_assert_int_eq(cop_future_state(future, &why), -ENOENT);
    ck_assert_str_eq(why.text, "it was forgotten");
    cop_future_release(future);
    stop(store);
}

SUITE("sqlite_damage")
