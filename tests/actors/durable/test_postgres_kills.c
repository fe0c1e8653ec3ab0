/*
 * tests/actors/durable/test_postgres_kills.c - workers are killed, paused and cut off, and each promise is settled once.
 *
 * Room: tests/. The numbers (PG…) are those of the conformance cases.
 *
 * Eight programs (peer_postgres_worker.c) compute what is in one queue. One of them is killed every 8 to 16 ms, and
 * replaced; now and then one is stopped for longer than its leases last, and goes on afterwards as if nothing had
 * happened. Each has a wall clock of its own: right, an hour ahead, or an hour behind (PG12).
 *
 * What happened is not inferred but counted, by a trigger in the database: every transition out of pending, and every
 * change of what was settled. The control is the same storm with workers whose settling statement compares nothing.
 *
 * A storm is cut into parts, so that each is a test with the limit of one; the table and the counts stay. On a machine that
 * is so slow that nothing gets done between two kills they become rarer.
 */
#include "tests/actors/durable/postgres.h"

#include <coppice/durable.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PARTS = 10,
    PEERS = 8,
    EACH = TEST_SANITIZED ? 20 : 300, /* promises of a part */
    PAUSE_EVERY = 8,                  /* of so many blows one is a pause */
};

#define PAUSED COP_MS(350) /* the leases are of 200 ms */

static struct peer {
    pid_t pid;
    cop_time goes_on; /* paused until then; 0: it runs */
} peers[PEERS];

static struct storm {
    const char *kind;
    unsigned kills, pauses, restarts;
    cop_time pace;
    long settled;
    cop_time progress; /* when something was settled last */
} storm;

static PGconn *other;

/* ---------------------------------------------------------------- peers */

static void
start_peer(struct peer *peer)
{
    static unsigned started;
    static const char *const wrong[] = {"0", "3600", "-3600"};
    char path[256];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    ck_assert_int_gt(length, 0);
    path[length] = 0;
    char *name = strrchr(path, '/') + 1;
    (void)snprintf(name, sizeof path - (size_t)(name - path), "peer_postgres_worker");
    char *const argv[] = {path, server.url, (char *)(uintptr_t)storm.kind,
                          (char *)(uintptr_t)wrong[started++ % 3], NULL};
    posix_spawn_file_actions_t actions;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    /* what they have to say when they lose the server is as expected as it is much */
    ck_assert_int_eq(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    ck_assert_int_eq(posix_spawn(&peer->pid, path, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    peer->goes_on = 0;
}

static void
kill_peer(struct peer *peer)
{
    ck_assert_int_eq(kill(peer->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(peer->pid, NULL, 0), peer->pid);
}

static void
go_on_after_pauses(cop_time now)
{
    for (int i = 0; i < PEERS; i++) {
        if (peers[i].goes_on != 0 && peers[i].goes_on <= now) {
            ck_assert_int_eq(kill(peers[i].pid, SIGCONT), 0);
            peers[i].goes_on = 0;
        }
    }
}

static void
strike(void)
{
    struct peer *peer = &peers[rand() % PEERS];
    if (peer->goes_on != 0) {
        return;
    }
    bool is_control = strcmp(storm.kind, "fenced") != 0;
    if (rand() % (is_control ? 2 : PAUSE_EVERY) == 0) {
        ck_assert_int_eq(kill(peer->pid, SIGSTOP), 0);
        peer->goes_on = cop_now() + PAUSED;
        storm.pauses++;
        return;
    }
    kill_peer(peer);
    start_peer(peer);
    storm.kills++;
}

/* ---------------------------------------------------------------- the table */

static void
make_table(void)
{
    begin_anew();
    cop_postgres_opts opts = {.where = server.url, .quiet = true};
    cop_pid store;
    ck_assert_int_eq(cop_store_start(&store, .backend = &cop_postgres, .at = &opts), 0);
    ck_assert_int_eq(cop_stop_process(store, COP_REASON_NORMAL, SOON), 0);
    (void)number_of(
        "CREATE TABLE audit (id text, overwritten bool);"
        "CREATE TABLE blows (kills int, pauses int, restarts int);"
        "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
        "IF OLD.state = 0 AND NEW.state <> 0 THEN INSERT INTO audit VALUES (NEW.id, false); END IF; "
        "IF OLD.state <> 0 AND (NEW.state, NEW.value) IS DISTINCT FROM (OLD.state, OLD.value) "
        "THEN INSERT INTO audit VALUES (NEW.id, true); END IF; RETURN NEW; END';"
        "CREATE TRIGGER note AFTER UPDATE ON cop_future FOR EACH ROW EXECUTE FUNCTION note()");
}

/* Those of the control make a connection for each. */
static long
count_of_part(void)
{
    return strcmp(storm.kind, "fenced") == 0 ? EACH : EACH / 5;
}

static void
add_promises(int part)
{
    char statement[200];
    (void)snprintf(statement, sizeof statement,
                   "INSERT INTO cop_future (id, queue) SELECT 'o-%d-' || n, 'q' "
                   "FROM generate_series(1, %ld) n",
                   part, count_of_part());
    (void)number_of(statement);
}

/* -1: nobody answers now. */
static long
count_settled(void)
{
    if (!other || PQstatus(other) != CONNECTION_OK) {
        PQfinish(other);
        other = PQconnectdb(server.url);
    }
    PGresult *rows = PQexec(other, "SELECT count(*) FROM cop_future WHERE state <> 0");
    long count =
        PQresultStatus(rows) == PGRES_TUPLES_OK ? strtol(PQgetvalue(rows, 0, 0), NULL, 10) : -1;
    PQclear(rows);
    return count;
}

/* ---------------------------------------------------------------- a storm */

/* So slow a machine that nobody lives long enough to do anything would never be done. */
static void
set_pace(cop_time now, long settled)
{
    if (settled > storm.settled) {
        storm.settled = settled;
        storm.progress = now;
        storm.pace = COP_MS(8);
    } else if (now - storm.progress > 32 * storm.pace) {
        storm.pace *= 2;
        storm.progress = now;
    }
}

static void
restart_server_sometimes(cop_time begin, bool restarts)
{
    static const cop_time when = COP_MS(300);
    if (restarts && storm.restarts == 0 && cop_now() - begin > when) {
        server_kill(&server);
        server_start(&server);
        storm.restarts++;
    }
}

static void
note_blows(void)
{
    char statement[200];
    (void)snprintf(statement, sizeof statement, "INSERT INTO blows VALUES (%u, %u, %u)",
                   storm.kills, storm.pauses, storm.restarts);
    (void)number_of(statement);
}

static void
rage(const char *kind, int part, bool restarts)
{
    storm = (struct storm){.kind = kind, .pace = COP_MS(8), .progress = cop_now()};
    srand((unsigned)part + 1);
    if (part == 0) {
        (void)number_of("DROP TABLE IF EXISTS blows");
        make_table();
    }
    add_promises(part);
    for (int i = 0; i < PEERS; i++) {
        start_peer(&peers[i]);
    }
    cop_time begin = cop_now();
    long all = count_of_part() * (part + 1);
    for (long settled = 0; settled < all; settled = count_settled()) {
        cop_time now = cop_now();
        set_pace(now, settled);
        go_on_after_pauses(now);
        restart_server_sometimes(begin, restarts);
        strike();
        cop_sleep(storm.pace + (cop_time)((unsigned)rand() % (unsigned)storm.pace));
    }
    go_on_after_pauses(COP_FOREVER);
    (void)cop_sleep(PAUSED / 2); /* those that were paused come late, with what they have */
    for (int i = 0; i < PEERS; i++) {
        kill_peer(&peers[i]);
    }
    PQfinish(other);
    other = NULL;
    note_blows();
}

static long
overwritten(void)
{
    return number_of("SELECT count(*) FROM audit WHERE overwritten");
}

static void
tell(const char *name)
{
    printf("= %s: %ld promises, %ld kills, %ld pauses, %ld restarts of the server, %ld takeovers, "
           "%ld duplicates, %ld overwritten\n",
           name, number_of("SELECT count(*) FROM cop_future"),
           number_of("SELECT sum(kills) FROM blows"), number_of("SELECT sum(pauses) FROM blows"),
           number_of("SELECT sum(restarts) FROM blows"),
           number_of("SELECT sum(epoch - 1) FROM cop_future WHERE epoch > 1"),
           number_of("SELECT count(*) - count(DISTINCT id) FROM audit WHERE NOT overwritten"),
           overwritten());
    (void)fflush(stdout);
}

static void
expect_each_once(int part)
{
    long all = (long)EACH * (part + 1);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future WHERE state = 1"), all);
    ck_assert_int_eq(number_of("SELECT count(*) FROM audit WHERE NOT overwritten"), all);
    ck_assert_int_eq(number_of("SELECT count(DISTINCT id) FROM audit"), all);
    ck_assert_int_eq(overwritten(), 0);
}

/* PG12 PG13 */
TEST_TIMES(PARTS, whoever_is_killed_or_paused_each_promise_is_settled_once)
{
    rage("fenced", _i, false);
    expect_each_once(_i);
    if (_i == PARTS - 1) {
        tell("workers killed");
        ck_assert_int_gt(number_of("SELECT sum(epoch - 1) FROM cop_future"), 0);
    }
}

enum {
    RESTARTS = 3
};

/* PG14 */
TEST_TIMES(RESTARTS, the_server_too_is_killed_and_each_promise_is_settled_once)
{
    rage("fenced", _i, true);
    expect_each_once(_i);
    if (_i == RESTARTS - 1) {
        tell("and the server");
    }
}

enum {
    CONTROLS = 3
};

/* PG13: the control. */
TEST_TIMES(CONTROLS, without_the_fence_the_same_storm_overwrites)
{
    if (TEST_SANITIZED) {
        return; /* too few promises for it to happen every time */
    }
    rage("unfenced", _i, false);
    if (_i == CONTROLS - 1) {
        tell("the control, without the fence");
        ck_assert_int_gt(overwritten(), 0);
    }
}

SUITE_AROUND("PostgreSQL's workers", start_server, end_server)
