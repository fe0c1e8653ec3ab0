/*
 * tests/actors/durable/test_sqlite_side.c - the file beside a database: a queue of writers, and a bell.
 */
#include "actors/durable/sqlite.h"
#include "tests/actors/durable/file.h"

static void
open_both(struct copi_sqlite_side *one, struct copi_sqlite_side *other)
{
    ck_assert_int_eq(copi_sqlite_side_open(one, a_path()), 0);
    ck_assert_int_eq(copi_sqlite_side_open(other, a_path()), 0);
}

static void
close_both(struct copi_sqlite_side *one, struct copi_sqlite_side *other)
{
    copi_sqlite_side_close(one);
    copi_sqlite_side_close(other);
}

TEST(one_at_a_time_has_the_lock_also_in_one_process)
{
    struct copi_sqlite_side one, other;
    open_both(&one, &other);
    ck_assert_int_eq(copi_sqlite_side_lock(&one), 0);
    ck_assert(!copi_sqlite_side_try_lock(&other));
    copi_sqlite_side_unlock(&one);
    ck_assert(copi_sqlite_side_try_lock(&other));
    close_both(&one, &other);
}

TEST(closing_gives_the_lock_back)
{
    struct copi_sqlite_side one, other;
    open_both(&one, &other);
    ck_assert_int_eq(copi_sqlite_side_lock(&one), 0);
    copi_sqlite_side_close(&one);
    ck_assert_int_eq(copi_sqlite_side_lock(&other), 0);
    close_both(&one, &other);
}

TEST(what_is_told_is_heard_until_it_was_taken)
{
    struct copi_sqlite_side one, other;
    open_both(&one, &other);
    ck_assert_int_eq(cop_wait_fd(other.events, COP_IO_READ, 0), -ETIMEDOUT);
    copi_sqlite_side_tell(&one);
    ck_assert_int_eq(cop_wait_fd(other.events, COP_IO_READ, SOON), 0);
    copi_sqlite_side_hear(&other);
    ck_assert_int_eq(cop_wait_fd(other.events, COP_IO_READ, 0), -ETIMEDOUT);
    close_both(&one, &other);
}

TEST(a_place_that_is_not_there_is_an_error)
{
    struct copi_sqlite_side side;
    ck_assert_int_eq(copi_sqlite_side_open(&side, "/nowhere/at/all"), -ENOENT);
    copi_sqlite_side_close(&side);
}

SUITE("sqlite_side")
