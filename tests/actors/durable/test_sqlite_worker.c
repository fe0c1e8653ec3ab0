/*
 * tests/actors/durable/test_sqlite_worker.c - workers over SQLite: they know nothing of what is below them.
 *
 * Room: tests/. What workers do is in test_worker_take.c and test_worker_held.c.
 */
#include "tests/actors/durable/stored.h"

#include <coppice/worker.h>

#include <coppice-sqlite.h>
#include <sqlite3.h>

static cop_pid store, tree;
static char folder[] = "/tmp/coppice-worker-XXXXXX", path[64];
static _Atomic unsigned running;
static _Atomic unsigned may_return; /* from this attempt on; 0: none may */

static int
wait_inside(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    running++;
    int error = 0;
    while ((may_return == 0 || lease->attempts < may_return) && error == 0) {
        error = cop_sleep(COP_MS(1));
    }
    *value = COP_STR(lease->attempts == 1 ? "first" : "again");
    return error;
}

static cop_pid
start_worker(const char *id)
{
    cop_pid worker;
    cop_child_spec child =
        cop_worker_spec_with(id, &(cop_worker_opts){.size = sizeof(cop_worker_opts),
                                                    .store = "jobs",
                                                    .queue = "q",
                                                    .work = wait_inside,
                                                    .places = 4,
                                                    .ttl = COP_MS(300)});
    ck_assert_int_eq(cop_supervisor_start_child(tree, &child, &worker), 0);
    return worker;
}

static void
begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/jobs.db", folder);
    ck_assert_int_eq(cop_sqlite_start(&store, path, .name = "jobs"), 0);
    ck_assert_int_eq(
        cop_supervisor_start(&tree, &(cop_supervisor_spec){.strategy = COP_ONE_FOR_ONE}), 0);
}

static void
end(void)
{
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    stop(store);
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

TEST(workers_compute_what_is_in_a_file)
{
    begin();
    may_return = 1;
    (void)start_worker("worker");
    static char ids[20][16];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "order-%d", i);
        ck_assert_int_eq(cop_durable_create(store, ids[i], .queue = "q"), 0);
    }
    for (int i = 0; i < 20; i++) {
        EVENTUALLY(state_of(store, ids[i]) == COP_DURABLE_RESOLVED);
    }
    end();
}

TEST(what_a_killed_worker_had_another_inherits)
{
    begin();
    may_return = 2; /* what the killed one computes may live a moment longer than it */
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q"), 0);
    cop_time since = cop_now();
    cop_pid worker = start_worker("worker");
    EVENTUALLY(running >= 1);
    ck_assert_int_eq(cop_exit_signal(worker, COP_REASON_KILLED), 0); /* it is restarted */
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    ck_assert_int_ge(cop_now() - since, COP_MS(298)); /* the store's clock counts milliseconds */
    check_resolved(store, ID, "again");
    end();
}

TEST(who_stops_gives_back)
{
    begin();
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q"), 0);
    (void)start_worker("worker");
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_supervisor_terminate_child(tree, "worker"), 0);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.state, COP_DURABLE_PENDING);
    ck_assert_uint_eq(record.attempts, 0);
    ck_assert_int_eq(record.lease_left, 0);
    cop_durable_release(&record);
    end();
}

TEST(what_is_damaged_is_passed_over_and_the_others_are_computed)
{
    begin();
    sqlite3 *db;
    may_return = 1;
    ck_assert_int_eq(cop_durable_create(store, "a", .queue = "q"), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q"), 0);
    ck_assert_int_eq(cop_durable_create(store, "z", .queue = "q"), 0);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(db, 4000), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE promise SET attempts=-7 WHERE id='" ID "'", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    cop_pid worker = start_worker("worker");
    EVENTUALLY(state_of(store, "a") == COP_DURABLE_RESOLVED);
    EVENTUALLY(state_of(store, "z") == COP_DURABLE_RESOLVED);
    cop_worker_counts counts;
    ck_assert_int_eq(cop_worker_count(worker, &counts, SOON), 0);
    ck_assert_uint_eq(counts.claimed, 2);
    ck_assert_uint_eq(running, 2);
    end();
}

SUITE("workers over SQLite")
