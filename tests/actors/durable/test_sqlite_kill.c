/*
 * tests/actors/durable/test_sqlite_kill.c - a store is killed at every point, and what it has acknowledged is there.
 *
 * Room: tests/. Starts peer_sqlite_killed, reads what it says, kills it, and looks into the file itself.
 *
 * After each kill:
 *
 *   lost       what was acknowledged, to whoever settled or to whoever waited, is in the file; and nothing
 *              that is in it is different from what was asked
 *   between    what was not acknowledged is pending, or settled with its whole value
 *   twice      a trigger counts each transition out of pending, and each change of what is settled
 *   recovered  the next run's recovery finds what is pending, each once, and nothing else
 *
 * The counters are the suite's, below all of its tests, and are told at its end. Two controls show that it would
 * see what it looks for.
 */
#include "tests/actors/durable/killed.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 6,                     /* tests for a point, each of which */
    KILLS = TEST_SANITIZED ? 4 : 6, /* kills so often */
    RANDOM_ROUNDS = TEST_SANITIZED ? 5 : 20,
    RANDOM_KILLS = 10,
    VISITS = 24, /* one of the first so many times that it comes to a point */
    CHECKPOINTS = 2,
    SAYINGS_MOST = 32768
};

/* ---------------------------------------------------------------- what is counted */

static struct counts {
    atomic_uint kills, acknowledged, recovered, lost, between, twice;
} * counts;

static void
begin_counting(void)
{
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(counts, MAP_FAILED);
}

static void
tell_counts(void)
{
    printf("= %u kills: %u acknowledged, %u lost, %u torn, %u settled twice; %u recovered\n",
           counts->kills, counts->acknowledged, counts->lost, counts->between, counts->twice,
           counts->recovered);
    munmap(counts, sizeof *counts);
}

/* ---------------------------------------------------------------- a store and its runs */

struct saying {
    char what, id[63];
};

struct store {
    char folder[64], file[80];
    int runs;
    struct saying said[SAYINGS_MOST]; /* by all runs */
    size_t count, of_this_run;
};

struct run {
    pid_t pid;
    FILE *says;
};

/* In memory, if possible: a kill takes nothing from the kernel, so a disk would only be slower. */
static struct store *
new_store(void)
{
    struct store *store = calloc(1, sizeof *store);
    ck_assert_ptr_nonnull(store);
    (void)snprintf(store->folder, sizeof store->folder, "%s/coppice-killed-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(store->folder));
    (void)snprintf(store->file, sizeof store->file, "%s/promises", store->folder);
    return store;
}

static void
remove_store(struct store *store)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-coppice"};
    char path[128];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(path, sizeof path, "%s%s", store->file, suffixes[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(store->folder), 0);
    free(store);
}

/* Beside this program. */
static void
path_of_peer(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    ck_assert_int_gt(length, 0);
    path[length] = '\0';
    char *name = strrchr(path, '/') + 1;
    (void)snprintf(name, size - (size_t)(name - path), "peer_sqlite_killed");
}

static struct run
start(struct store *store, const char *point, int visit)
{
    char path[512], run[16], nth[16];
    int ends[2];
    struct run started;
    posix_spawn_file_actions_t files;
    (void)snprintf(run, sizeof run, "%d", ++store->runs);
    (void)snprintf(nth, sizeof nth, "%d", visit);
    path_of_peer(path, sizeof path);
    char *words[] = {path, store->file, run, (char *)(uintptr_t)point, nth, NULL};
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    ck_assert_int_eq(posix_spawn(&started.pid, path, &files, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    started.says = fdopen(ends[0], "re");
    ck_assert_ptr_nonnull(started.says);
    store->of_this_run = store->count;
    return started;
}

/* The next that it says; false: no more comes. */
static bool
hear(struct store *store, struct run *run)
{
    char line[128];
    if (!fgets(line, sizeof line, run->says)) {
        return false;
    }
    struct saying *saying = &store->said[store->count++];
    ck_assert_uint_lt(store->count, SAYINGS_MOST);
    line[strcspn(line, "\n")] = '\0';
    saying->what = line[0];
    (void)snprintf(saying->id, sizeof saying->id, "%.62s", line + 1);
    return true;
}

static void
hear_until(struct store *store, struct run *run, char what)
{
    do {
        ck_assert_msg(hear(store, run), "it has ended by itself");
    } while (store->said[store->count - 1].what != what);
}

static void
kill_it(struct store *store, struct run *run)
{
    int status;
    kill(run->pid, SIGKILL);
    while (hear(store, run)) {
    }
    (void)fclose(run->says);
    ck_assert_int_eq(waitpid(run->pid, &status, 0), run->pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it has ended by itself");
    counts->kills++;
}

/* ---------------------------------------------------------------- looking into the file */

/* It leaves the log where it is, for the next run to find. */
static sqlite3 *
open_file(const struct store *store)
{
    sqlite3 *file;
    ck_assert_int_eq(sqlite3_open_v2(store->file, &file, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_db_config(file, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(file, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL),
                     SQLITE_OK);
    return file;
}

static void
execute(sqlite3 *file, const char *statement)
{
    char *why = NULL;
    int r = sqlite3_exec(file, statement, NULL, NULL, &why);
    ck_assert_msg(r == SQLITE_OK, "%s: %s", statement, why);
}

/* The audit: every transition out of pending, and every change of what is settled. */
static void
count_transitions(const struct store *store)
{
    sqlite3 *file = open_file(store);
    execute(
        file,
        "CREATE TABLE transition(id);"
        "CREATE TRIGGER out_of_pending AFTER UPDATE ON promise WHEN old.state=0 AND new.state<>0"
        " BEGIN INSERT INTO transition VALUES(new.id); END;"
        "CREATE TRIGGER again AFTER UPDATE ON promise WHEN old.state<>0"
        " BEGIN INSERT INTO transition VALUES(new.id); END;");
    sqlite3_close(file);
}

static sqlite3_stmt *
prepare(sqlite3 *file, const char *statement)
{
    sqlite3_stmt *prepared;
    ck_assert_msg(sqlite3_prepare_v2(file, statement, -1, &prepared, NULL) == SQLITE_OK, "%s: %s",
                  statement, sqlite3_errmsg(file));
    return prepared;
}

static unsigned
number(sqlite3 *file, const char *statement)
{
    sqlite3_stmt *prepared = prepare(file, statement);
    ck_assert_int_eq(sqlite3_step(prepared), SQLITE_ROW);
    unsigned result = (unsigned)sqlite3_column_int(prepared, 0);
    sqlite3_finalize(prepared);
    return result;
}

/* The columns state and value of a row: pending without one, or resolved with all of it. */
static bool
is_whole(sqlite3_stmt *row, const char *id)
{
    char wanted[VALUE_SIZE];
    value_of(id, wanted);
    int state = sqlite3_column_int(row, 0), size = sqlite3_column_bytes(row, 1);
    return state == 0 ? size == 0
                      : state == 1 && size == VALUE_SIZE
                            && memcmp(sqlite3_column_blob(row, 1), wanted, VALUE_SIZE) == 0;
}

static unsigned
look_for_acknowledged(const struct store *store, sqlite3 *file)
{
    unsigned lost = 0;
    sqlite3_stmt *row = prepare(file, "SELECT state, value FROM promise WHERE id=?1");
    for (size_t i = 0; i < store->count; i++) {
        const struct saying *saying = &store->said[i];
        if (saying->what != SAID_CREATED && saying->what != SAID_SETTLED) {
            continue;
        }
        sqlite3_bind_text(row, 1, saying->id, -1, SQLITE_STATIC);
        bool is_there = sqlite3_step(row) == SQLITE_ROW && is_whole(row, saying->id);
        bool is_settled = is_there && sqlite3_column_int(row, 0) == 1;
        lost += !is_there || (saying->what == SAID_SETTLED && !is_settled);
        sqlite3_reset(row);
    }
    sqlite3_finalize(row);
    return lost;
}

static unsigned
look_for_torn(sqlite3 *file)
{
    unsigned torn = 0;
    sqlite3_stmt *row = prepare(file, "SELECT state, value, id FROM promise");
    while (sqlite3_step(row) == SQLITE_ROW) {
        torn += !is_whole(row, (const char *)sqlite3_column_text(row, 2));
    }
    sqlite3_finalize(row);
    return torn;
}

static unsigned
count_said(const struct store *store, char what)
{
    unsigned count = 0;
    for (size_t i = store->of_this_run; i < store->count; i++) {
        count += store->said[i].what == what;
    }
    return count;
}

static struct found {
    unsigned lost, torn, twice;
} look(const struct store *store)
{
    sqlite3 *file = open_file(store);
    struct found found = {
        .lost = look_for_acknowledged(store, file),
        .torn = look_for_torn(file),
        .twice = number(file, "SELECT count(*) - count(DISTINCT id) FROM transition"),
    };
    ck_assert_uint_eq(
        number(file, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"), 1);
    sqlite3_close(file);
    return found;
}

static void
find_nothing(struct store *store)
{
    struct found found = look(store);
    counts->acknowledged += count_said(store, SAID_CREATED) + count_said(store, SAID_SETTLED);
    counts->recovered += count_said(store, SAID_FOUND);
    counts->lost += found.lost;
    counts->between += found.torn;
    counts->twice += found.twice;
    ck_assert_uint_eq(found.lost, 0);
    ck_assert_uint_eq(found.torn, 0);
    ck_assert_uint_eq(found.twice, 0);
}

/* ---------------------------------------------------------------- the recovery */

/* The ids of what is pending now, in their order. */
static size_t
pending(const struct store *store, struct saying *ids)
{
    size_t count = 0;
    sqlite3 *file = open_file(store);
    sqlite3_stmt *row = prepare(file, "SELECT id FROM promise WHERE state=0 ORDER BY id");
    while (sqlite3_step(row) == SQLITE_ROW) {
        (void)snprintf(ids[count++].id, sizeof ids->id, "%.62s",
                       (const char *)sqlite3_column_text(row, 0));
    }
    sqlite3_finalize(row);
    sqlite3_close(file);
    return count;
}

/* What this run's recovery has found is the beginning of that, or all of it if it has come to its end. */
static void
compare_recovered(const struct store *store, const struct saying *ids, size_t wanted)
{
    size_t found = 0;
    for (size_t i = store->of_this_run; i < store->count; i++) {
        const struct saying *saying = &store->said[i];
        if (saying->what == SAID_FOUND) {
            ck_assert_uint_lt(found, wanted);
            ck_assert_str_eq(saying->id, ids[found++].id);
        }
    }
    if (count_said(store, SAID_LOOKED) > 0) {
        ck_assert_uint_eq(found, wanted);
    }
}

/* ---------------------------------------------------------------- the tests */

/* A store with a first run behind it, which has left some pending, and with the audit in it. */
static struct store *
store_with_a_past(void)
{
    struct store *store = new_store();
    struct run first = start(store, "answered", 20);
    hear_until(store, &first, SAID_STOPPED);
    kill_it(store, &first);
    count_transitions(store);
    find_nothing(store);
    return store;
}

static void
run_and_kill(struct store *store, const char *point, int visit)
{
    static struct saying before[SAYINGS_MOST];
    size_t count = pending(store, before);
    struct run run = start(store, point, visit);
    hear_until(store, &run, SAID_STOPPED);
    kill_it(store, &run);
    compare_recovered(store, before, count);
    find_nothing(store);
}

static void
kill_again_and_again(const char *point, int visits, int round)
{
    struct store *store = store_with_a_past();
    unsigned dice = (unsigned)round;
    for (int i = 0; i < KILLS; i++) {
        run_and_kill(store, point, 1 + rand_r(&dice) % visits);
    }
    remove_store(store);
}

/* DP11 */
TEST_TIMES(ROUNDS, a_kill_before_the_transaction_leaves_what_it_would_have_settled_pending)
{
    kill_again_and_again("begin", VISITS, _i);
}

TEST_TIMES(ROUNDS, a_kill_between_the_statements_and_the_commit_undoes_them)
{
    kill_again_and_again("ran", VISITS, _i);
}

TEST_TIMES(ROUNDS, a_kill_during_the_sync_loses_nothing_that_was_acknowledged)
{
    kill_again_and_again(POINT_SYNC, VISITS, _i);
}

/* DP11 */
TEST_TIMES(ROUNDS, a_kill_after_the_sync_before_anybody_is_told_leaves_it_settled)
{
    kill_again_and_again("committed", VISITS, _i);
}

TEST_TIMES(ROUNDS, a_kill_after_those_who_wait_and_before_who_settled_are_told_leaves_it_settled)
{
    kill_again_and_again("published", VISITS, _i);
}

TEST_TIMES(ROUNDS, a_kill_during_a_checkpoint_loses_nothing)
{
    kill_again_and_again("checkpoint", CHECKPOINTS, _i);
}

/* There is always something to be recovered: each run leaves some. */
TEST_TIMES(ROUNDS, a_kill_during_the_recovery_of_all_leaves_the_rest_to_the_next)
{
    struct store *store = store_with_a_past();
    for (int i = 0; i < KILLS; i++) {
        run_and_kill(store, POINT_RECOVERY, 1);
        run_and_kill(store, "answered", 24);
    }
    remove_store(store);
}

/* GO09 */
TEST_TIMES(RANDOM_ROUNDS, a_kill_at_any_time_loses_nothing)
{
    static struct saying before[SAYINGS_MOST];
    struct store *store = store_with_a_past();
    unsigned dice = (unsigned)_i;
    for (int i = 0; i < RANDOM_KILLS; i++) {
        size_t count = pending(store, before);
        struct run run = start(store, POINT_NONE, 1);
        ck_assert(hear(store, &run));
        usleep((unsigned)rand_r(&dice) % 20000);
        kill_it(store, &run);
        compare_recovered(store, before, count);
        find_nothing(store);
    }
    remove_store(store);
}

/* The first syncs of all are those of the schema. */
TEST_TIMES(8, a_kill_while_the_file_is_made_leaves_one_that_can_be_opened)
{
    struct store *store = new_store();
    struct run first = start(store, POINT_SYNC, 1 + _i);
    hear_until(store, &first, SAID_STOPPED);
    kill_it(store, &first);
    struct run second = start(store, "answered", 20);
    hear_until(store, &second, SAID_STOPPED);
    kill_it(store, &second);
    count_transitions(store);
    find_nothing(store);
    remove_store(store);
}

/* A control: what is said before it is true is found to be lost. */
TEST(a_store_that_acknowledges_too_early_would_be_seen)
{
    struct store *store = store_with_a_past();
    struct run run = start(store, POINT_HASTY, 1);
    hear_until(store, &run, SAID_STOPPED);
    kill_it(store, &run);
    ck_assert_uint_gt(look(store).lost, 0);
    remove_store(store);
}

/* A control: the settling statement, without the condition that the promise is pending. */
TEST(a_store_that_settles_without_its_guard_would_be_seen)
{
    struct store *store = store_with_a_past();
    sqlite3 *file = open_file(store);
    execute(file,
            "UPDATE promise SET value=value WHERE id=(SELECT min(id) FROM promise WHERE state=0)");
    ck_assert_uint_eq(look(store).twice, 0);
    execute(file, "UPDATE promise SET value=value, settled_at=settled_at WHERE state=1");
    execute(file, "UPDATE promise SET value=value, settled_at=settled_at WHERE state=1");
    sqlite3_close(file);
    ck_assert_uint_gt(look(store).twice, 0);
    remove_store(store);
}

SUITE_AROUND("kill", begin_counting, tell_counts)
