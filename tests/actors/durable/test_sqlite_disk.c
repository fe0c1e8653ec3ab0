/*
 * tests/actors/durable/test_sqlite_disk.c - the store in a file, and what becomes of it: syncs that wait or fail, full
 * disks, other handles, large values, a clock that goes back.
 *
 * The sync that SQLite calls is this program's: it counts, fails, and waits.
 */
#include "tests/actors/durable/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

static atomic_uint syncs;
static atomic_int sync_fails;
static atomic_bool is_held, has_come;

static int
sync_or_not(int fd)
{
    atomic_fetch_add(&syncs, 1);
    while (atomic_load(&is_held)) {
        atomic_store(&has_come, true);
        struct timespec pause = {.tv_nsec = 100000};
        (void)nanosleep(&pause, NULL);
    }
    if (atomic_load(&sync_fails)) {
        errno = atomic_load(&sync_fails);
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* What SQLite calls. */
int fdatasync(int) __attribute__((alias("sync_or_not")));

static cop_pid
a_store(void)
{
    return a_store_with((cop_store_opts){.reopen_after = COP_FOREVER});
}

/* DP09 */
TEST(while_the_sync_is_held_nobody_sees_the_settle)
{
    cop_pid one = a_store(), other = a_store();
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_create(one, ID), 0);
    cop_future *here = recovered(one, ID), *there = recovered(other, ID);
    atomic_store(&is_held, true);
    cop_future *settle = cop_durable_resolve_async(one, ID, (cop_bytes){0});
    EVENTUALLY(atomic_load(&has_come));
    ck_assert_int_eq(cop_durable_get(one, ID, &record, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(state_of(other, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_future_state(here, NULL), -EINPROGRESS);
    ck_assert_int_eq(cop_future_state(settle, NULL), -EINPROGRESS);
    atomic_store(&is_held, false);
    ck_assert_int_eq(cop_await(settle, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_await(there, NULL, 0, SOON), 0);
    cop_future_release(settle);
    cop_future_release(here);
    cop_future_release(there);
    stop(one);
    stop(other);
}

/* DP10 */
TEST(a_sync_that_fails_once_closes_the_store_to_writes)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&sync_fails, EIO);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), -EIO);
    atomic_store(&sync_fails, 0);
    unsigned before = atomic_load(&syncs);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), -EROFS);
    ck_assert_uint_eq(atomic_load(&syncs), before); /* it was not tried again */
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_store_reopen(store, SOON), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    cop_future_release(future);
    stop(store);
}

/* DP18 */
TEST(a_thousand_settles_together_cost_at_most_twenty_syncs)
{
    enum {
        MANY = 1000
    };
    static cop_future *asks[MANY];
    static char ids[MANY][16];
    cop_pid store = a_store();
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "p%d", i);
        asks[i] = cop_durable_create_async(store, ids[i]);
    }
    ck_assert_int_eq(cop_await_all(asks, MANY, NULL, 0, SOON), 0);
    atomic_store(&is_held, true); /* so that they are together */
    for (int i = 0; i < MANY; i++) {
        cop_future_release(asks[i]);
        asks[i] = cop_durable_resolve_async(store, ids[i], COP_STR("x"));
    }
    unsigned before = atomic_load(&syncs);
    atomic_store(&is_held, false);
    ck_assert_int_eq(cop_await_all(asks, MANY, NULL, 0, SOON), 0);
    ck_assert_uint_le(atomic_load(&syncs) - before, 20);
    for (int i = 0; i < MANY; i++) {
        cop_future_release(asks[i]);
    }
    stop(store);
}

/* DP20: to a file that may not grow a disk is full. */
TEST(a_full_disk_is_an_error_after_which_the_store_goes_on)
{
    static char large[256 * 1024];
    cop_pid store = a_store();
    struct rlimit limit, none;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &none), 0);
    limit = none;
    limit.rlim_cur = 128 * 1024;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = cop_durable_resolve(store, ID, ((cop_bytes){large, sizeof large}));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_msg(r == -ENOSPC || r == -EIO, "%s", cop_strerror(r));
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_store_reopen(store, SOON), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, ((cop_bytes){large, sizeof large})), 0);
    stop(store);
}

/* DP21 */
TEST(values_of_all_sizes_come_back_after_it_is_opened_again)
{
    static const size_t sizes[] = {0, 1, 64 * 1024, 1024 * 1024};
    static char bytes[1024 * 1024];
    char id[16];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 7 + i / 251);
    }
    cop_pid store = a_store();
    for (unsigned i = 0; i < 4; i++) {
        const cop_bytes value = {bytes, sizes[i]};
        (void)snprintf(id, sizeof id, "p%u", i);
        ck_assert_int_eq(cop_durable_create(store, id, .param = value), 0);
        ck_assert_int_eq(cop_durable_resolve(store, id, value), 0);
    }
    stop(store);
    store = a_store();
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(id, sizeof id, "p%u", i);
        cop_durable_record record = stored(store, id);
        ck_assert_uint_eq(record.param.size, sizes[i]);
        ck_assert_uint_eq(record.value.size, sizes[i]);
        ck_assert(sizes[i] == 0 || memcmp(record.param.data, bytes, sizes[i]) == 0);
        ck_assert(sizes[i] == 0 || memcmp(record.value.data, bytes, sizes[i]) == 0);
        cop_durable_release(&record);
    }
    stop(store);
}

/* DP22 */
TEST(a_rejection_is_the_same_after_it_is_opened_again)
{
    cop_pid store = a_store();
    cop_reason why;
    ck_assert_int_eq(cop_durable_create(store, "failed"), 0);
    ck_assert_int_eq(cop_durable_create(store, "cancelled"), 0);
    ck_assert_int_eq(cop_durable_reject(store, "failed", cop_failed(-EPROTO, "bad address")), 0);
    ck_assert_int_eq(cop_durable_cancel(store, "cancelled", "not wanted"), 0);
    stop(store);
    store = a_store();
    cop_future *failed = recovered(store, "failed"), *cancelled = recovered(store, "cancelled");
    ck_assert_int_eq(cop_future_state(failed, &why), -EPROTO);
    ck_assert_int_eq(why.kind, COP_FAILED);
    ck_assert_str_eq(why.text, "bad address");
    ck_assert_int_eq(cop_future_state(cancelled, &why), -ECANCELED);
    ck_assert_int_eq(why.kind, COP_SHUTDOWN);
    ck_assert_str_eq(why.text, "not wanted");
    cop_future_release(failed);
    cop_future_release(cancelled);
    stop(store);
}

/* DP24; DP12 */
TEST(two_stores_of_one_file_see_each_others_settles)
{
    cop_pid one = a_store(), other = a_store();
    char id[16];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(id, sizeof id, "p%d", i);
        ck_assert_int_eq(cop_durable_create(i % 2 ? one : other, id), 0);
        cop_future *future = recovered(one, id), *same = recovered(other, id);
        ck_assert_int_eq(cop_durable_resolve(i % 3 ? one : other, id, (cop_bytes){0}), 0);
        ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
        ck_assert_int_eq(cop_await(same, NULL, 0, SOON), 0);
        cop_future_release(future);
        cop_future_release(same);
    }
    stop(one);
    stop(other);
}

enum {
    WRITERS = 4
};
static atomic_uint progress[WRITERS];
static atomic_bool is_over;

static int
write_until_it_is_over(cop_bytes arg)
{
    int me = *(const int *)arg.data;
    char id[32];
    cop_pid store = a_store();
    while (!atomic_load(&is_over)) {
        (void)snprintf(id, sizeof id, "w%d-%u", me, atomic_fetch_add(&progress[me], 1));
        int r = cop_durable_create(store, id);
        cop_assert(r == 0); /* busy, above all */
    }
    stop(store);
    return 0;
}

/* DP19, in short; their locks know nothing of processes */
TEST(several_that_write_to_one_file_wait_for_each_other_and_none_is_forgotten)
{
    cop_ref ended[WRITERS];
    cop_pid pid;
    a_path();
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(
            cop_spawn(&pid, write_until_it_is_over, .arg = COP_BYTES(i), .monitor = &ended[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        EVENTUALLY(atomic_load(&progress[i]) >= 20);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(test_down(ended[i]).kind, COP_NORMAL);
    }
    printf("of %d writers each has made %u, %u, %u, %u promises\n", WRITERS,
           atomic_load(&progress[0]), atomic_load(&progress[1]), atomic_load(&progress[2]),
           atomic_load(&progress[3]));
}

static int
count(const cop_durable_record *record, void *env)
{
    ck_assert_int_eq(record->state, COP_DURABLE_PENDING);
    ++*(size_t *)env;
    return 0;
}

/* DP13 */
TEST(a_hundred_thousand_pending_are_recovered_in_pages)
{
    static const char fill[] =
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<100000)"
        " INSERT INTO promise(id,created_at) SELECT printf('p%06d',i),1 FROM n";
    size_t seen = 0;
    sqlite3 *db;
    stop(a_store());
    ck_assert_int_eq(sqlite3_open(a_path(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, fill, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_cancel(store, "p000007", NULL), 0);
    cop_time began = cop_now();
    ck_assert_int_eq(cop_durable_recover_all(store, count, &seen), 0);
    printf("recovered %zu pending promises in %.0f ms\n", seen, (double)(cop_now() - began) / 1e6);
    ck_assert_uint_eq(seen, 100000 - 1);
    stop(store);
}

/* ---------------------------------------------------------------- other things that happen to files */

TEST(another_program_that_keeps_it_locked_makes_it_busy)
{
    sqlite3 *shell;
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(sqlite3_open(a_path(), &shell), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), -EBUSY);
    ck_assert_str_eq(cop_why().text, "database is locked");
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), 0);
    ck_assert_int_eq(sqlite3_close(shell), SQLITE_OK);
    stop(store);
}

TEST(a_damaged_file_is_refused)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    stop(store);
    static char rubbish[4096];
    memset(rubbish, 0x5a, sizeof rubbish);
    int fd = open(a_path(), O_RDWR);
    ck_assert_int_eq(pwrite(fd, rubbish, sizeof rubbish - 100, 100), sizeof rubbish - 100);
    close(fd);
    ck_assert_int_eq(cop_sqlite_start(&store, a_path()), -EIO);
    ck_assert_str_ne(cop_why().text, "");
}

TEST(places_where_no_file_can_be_are_refused)
{
    cop_pid store;
    ck_assert_int_eq(cop_sqlite_start(&store, NULL), -EINVAL);
    ck_assert_int_eq(cop_sqlite_start(&store, ""), -EINVAL);
    ck_assert_int_eq(cop_sqlite_start(&store, ":memory:"), -EINVAL);
    ck_assert_int_eq(cop_sqlite_start(&store, "/nowhere/at/all.db"), -ENOENT);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "/nowhere/at/all.db: "));
    ck_assert_ptr_nonnull(strstr(cop_why().text, cop_strerror(-ENOENT)));
}

/* The file begins, and what SQLite has beside it does not fit any more. */
TEST(a_disk_that_is_full_from_the_beginning_is_told_as_such)
{
    cop_pid store;
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &none), 0);
    limit = none;
    limit.rlim_cur = 16 * 1024;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = cop_sqlite_start(&store, a_path());
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(r, -ENOSPC);
    ck_assert_ptr_nonnull(strstr(cop_why().text, a_path()));
}

static _Atomic int64_t the_time = 1700000000000;

static int64_t
clock_of_test(void *env)
{
    (void)env;
    return atomic_load(&the_time);
}

TEST(a_clock_that_was_set_back_between_two_openings_revives_nobody)
{
    const cop_store_opts opts = {.clock = clock_of_test};
    cop_pid store = a_store_with(opts);
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = COP_SEC(1000)), 0);
    atomic_fetch_add(&the_time, 2000 * 1000);
    ck_assert_int_eq(cop_durable_create(store, "another"), 0); /* stores the time */
    stop(store);
    atomic_fetch_sub(&the_time, 2000 * 1000);
    store = a_store_with(opts);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), -EALREADY);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.cause, COP_DURABLE_DEADLINE);
    cop_durable_release(&record);
    stop(store);
}

static atomic_uint checkpoints;

static void
count_checkpoints(const char *step, void *env)
{
    (void)env;
    if (strcmp(step, "checkpoint") == 0) {
        atomic_fetch_add(&checkpoints, 1);
    }
}

TEST(the_log_is_moved_into_the_database_when_it_is_long)
{
    static char bytes[64 * 1024];
    char id[16];
    cop_pid store = a_store_with((cop_store_opts){.trace = count_checkpoints});
    for (int i = 0; i < 200; i++) {
        (void)snprintf(id, sizeof id, "p%d", i);
        ck_assert_int_eq(cop_durable_create(store, id, .param = {bytes, sizeof bytes}), 0);
    }
    ck_assert_uint_ge(atomic_load(&checkpoints), 2);
    stop(store);
    store = a_store();
    ck_assert_int_eq(state_of(store, "p199"), COP_DURABLE_PENDING);
    stop(store);
}

static atomic_bool is_last_batch;

static void
end_before_the_commit(const char *step, void *env)
{
    (void)env;
    if (strcmp(step, "ran") == 0 && atomic_load(&is_last_batch)) {
        cop_exit(cop_failed(-EINTR, "in the middle"));
    }
}

/* DP11, in one process; test_sqlite_kill.c kills whole ones */
TEST(a_store_that_ends_in_the_middle_of_a_batch_leaves_the_file_as_it_was)
{
    cop_pid store = a_store_with((cop_store_opts){.trace = end_before_the_commit});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&is_last_batch, true);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), -EREMOTEIO);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -EPIPE);
    cop_future_release(future);
    store = a_store();
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), 0);
    stop(store);
}

SUITE("sqlite_disk")
