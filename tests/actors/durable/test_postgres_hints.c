/*
 * tests/actors/durable/test_postgres_hints.c - what others have done is heard, or found all the same.
 *
 * Room: tests/. Several stores of one program are as many clients of the server as several programs would be. Where
 * it matters that something was heard the poll is an hour away. The numbers (PG…) are those of the conformance
 * cases.
 */
#include "actors/durable/postgres_hints.h"
#include "tests/actors/durable/postgres.h"
#include "tests/actors/durable/stored.h"
#include "tests/support/wrap.h"

#include <coppice/worker.h>

/* With the polls that the test wants; a store that runs reads its own. */
static cop_store_backend backends[8];
static unsigned opened;

static cop_pid
open_store(const cop_postgres_opts *opts, cop_time poll)
{
    cop_store_backend *backend = &backends[opened++];
    *backend = cop_postgres;
    backend->poll = poll;
    cop_pid store;
    ck_assert_int_eq(cop_store_start(&store, .backend = backend, .at = opts), 0);
    return store;
}

static cop_postgres_opts loud, quiet;

static void
begin(void)
{
    begin_anew();
    loud = (cop_postgres_opts){.where = server.url};
    quiet = (cop_postgres_opts){.where = server.url, .quiet = true};
}

/* What a session has asked last is seen: it listens, or has told others since. */
#define LISTENS \
 "(query LIKE '%pg_listening_channels%' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid()"

static long
listeners(void)
{
    return number_of("SELECT count(*) FROM pg_stat_activity WHERE " LISTENS);
}

static void
create(cop_pid store, const char *id)
{
    ck_assert_int_eq(cop_durable_create(store, id, .queue = "q"), 0);
}

/* It is resolved so, for who awaits it. */
static void
expect(cop_future *future, const char *value)
{
    cop_bytes bytes;
    ck_assert_int_eq(cop_await_bytes(future, &bytes, SOON), 0);
    check_bytes(bytes, value);
    cop_future_release(future);
}

/* ---------------------------------------------------------------- heard */

static int
by_size(const void *left, const void *right)
{
    const cop_time *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

enum {
    AWAITERS = 4,
    ROUNDS = 4,
};

/* PG08 */
TEST(who_awaits_in_other_processes_hears_of_it)
{
    begin();
    static cop_time times[AWAITERS * ROUNDS];
    cop_pid settler = open_store(&loud, COP_SEC(3600)), awaiters[AWAITERS];
    for (int i = 0; i < AWAITERS; i++) {
        awaiters[i] = open_store(&loud, COP_SEC(3600));
    }
    EVENTUALLY(listeners() == AWAITERS + 1);
    for (int round = 0; round < ROUNDS; round++) {
        char id[32];
        (void)snprintf(id, sizeof id, "o-%d", round);
        create(settler, id);
        cop_future *futures[AWAITERS];
        for (int i = 0; i < AWAITERS; i++) {
            futures[i] = recovered(awaiters[i], id);
        }
        cop_time since = cop_now();
        ck_assert_int_eq(cop_durable_resolve(settler, id, COP_STR("x")), 0);
        for (int i = 0; i < AWAITERS; i++) {
            expect(futures[i], "x");
            times[round * AWAITERS + i] = cop_now() - since;
        }
    }
    qsort(times, AWAITERS * ROUNDS, sizeof times[0], by_size);
    size_t all = (size_t)AWAITERS * ROUNDS;
    cop_time median = times[all / 2], most = times[all * 99 / 100];
    printf("= heard by others after %.1f ms (median), %.1f ms (99 %%); the settle included\n",
           (double)median / 1e6, (double)most / 1e6);
    for (int i = 0; i < AWAITERS; i++) {
        stop(awaiters[i]);
    }
    stop(settler);
}

/* More than one payload has room for, all of one channel. */
TEST(many_that_are_settled_at_once_are_all_heard)
{
    begin();
    enum {
        MANY = 42
    };
    cop_pid settler = open_store(&loud, COP_SEC(3600)), awaiter = open_store(&loud, COP_SEC(3600));
    EVENTUALLY(listeners() == 2);
    static cop_future *futures[MANY], *settles[MANY];
    static char ids[MANY][COP_DURABLE_ID_MOST + 1];
    int tried = 0;
    for (int i = 0; i < MANY; i++) {
        do {
            (void)snprintf(ids[i], sizeof ids[i], "%0200d", tried++);
        } while (copi_postgres_channel(ids[i]) != 7);
        settles[i] = cop_durable_create_async(settler, ids[i]);
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_await(settles[i], NULL, 0, SOON), 0);
        cop_future_release(settles[i]);
        futures[i] = recovered(awaiter, ids[i]);
    }
    for (int i = 0; i < MANY; i++) {
        settles[i] = cop_durable_resolve_async(settler, ids[i], COP_STR("x"));
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_await(settles[i], NULL, 0, SOON), 0);
        cop_future_release(settles[i]);
        expect(futures[i], "x");
    }
    stop(awaiter);
    stop(settler);
}

static int
say_so(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)env;
    *value = COP_STR("done");
    return 0;
}

TEST(workers_of_other_processes_hear_of_work)
{
    begin();
    cop_pid creator = open_store(&loud, COP_SEC(3600)), jobs, tree;
    ck_assert_int_eq(cop_store_start(&jobs, .name = "jobs", .backend = &cop_postgres, .at = &loud),
                     0);
    EVENTUALLY(listeners() == 2);
    ck_assert_int_eq(
        cop_supervisor_start(&tree, &(cop_supervisor_spec){COP_CHILDREN(
                                        cop_worker_spec("worker", .store = "jobs", .queue = "q",
                                                        .work = say_so, .poll = COP_SEC(3600)))}),
        0);
    create(creator, ID);
    expect(recovered(creator, ID), "done");
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    stop(jobs);
    stop(creator);
}

/* ---------------------------------------------------------------- not heard */

/* PG09 */
TEST(what_nobody_was_told_of_is_found_by_the_poll)
{
    begin();
    cop_pid settler = open_store(&quiet, COP_SEC(3600));
    cop_pid awaiter = open_store(&loud, COP_MS(100));
    create(settler, ID);
    cop_future *future = recovered(awaiter, ID);
    ck_assert_int_eq(cop_durable_resolve(settler, ID, COP_STR("x")), 0);
    expect(future, "x");
    stop(awaiter);
    stop(settler);
}

static void
say(const char *channel, const char *payload)
{
    PGconn *other = look_in();
    PGresult *rows = PQexecParams(other, "SELECT pg_notify($1, $2)", 2, NULL,
                                  (const char *const[]){channel, payload}, NULL, NULL, 0);
    ck_assert_int_eq(PQresultStatus(rows), PGRES_TUPLES_OK);
    PQclear(rows);
    PQfinish(other);
}

/* What one store settles without a word, another waits for. */
static cop_future *
await_the_quiet(cop_pid *settler, cop_pid *awaiter)
{
    *settler = open_store(&quiet, COP_SEC(3600));
    *awaiter = open_store(&loud, COP_SEC(3600));
    EVENTUALLY(listeners() == 1);
    create(*settler, ID);
    return recovered(*awaiter, ID);
}

/* PG10 */
TEST(what_is_said_twice_or_too_early_or_is_rubbish_settles_nothing)
{
    begin();
    cop_pid settler, awaiter;
    cop_future *future = await_the_quiet(&settler, &awaiter);
    say("cop_future_3", "8:" ID ",");
    say("cop_future_3", "8:" ID ",8:" ID ",7:nothing,");
    say("cop_future_3", "");
    say("cop_future_3", "99999999999:x");
    say("cop_queue", "what?");
    say("cop_queue", "1:q,");
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    ck_assert_int_eq(cop_durable_resolve(settler, ID, COP_STR("x")), 0);
    say("cop_future_5", "8:" ID ",");
    say("cop_future_5", "8:" ID ",");
    expect(future, "x");
    stop(awaiter);
    stop(settler);
}

TEST(rubbish_makes_a_store_look_at_everything)
{
    begin();
    cop_pid settler, awaiter;
    cop_future *future = await_the_quiet(&settler, &awaiter);
    ck_assert_int_eq(cop_durable_resolve(settler, ID, COP_STR("x")), 0);
    say("cop_future_0", "something has changed");
    expect(future, "x");
    stop(awaiter);
    stop(settler);
}

/* ---------------------------------------------------------------- connections */

static void
end_listener(void)
{
    (void)number_of(
        "SELECT pg_terminate_backend(pid, 4000)::int FROM pg_stat_activity WHERE " LISTENS);
}

/* PG11 */
TEST(a_listener_that_was_cut_off_comes_back_and_has_missed_nothing)
{
    begin();
    cop_pid settler = open_store(&loud, COP_SEC(3600));
    cop_pid awaiter = open_store(&loud, COP_SEC(3600));
    for (int i = 0; i < 3; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "o-%d", i);
        create(settler, id);
        cop_future *future = recovered(awaiter, id);
        EVENTUALLY(listeners() == 2);
        end_listener();
        ck_assert_int_eq(cop_durable_resolve(settler, id, COP_STR("x")), 0);
        expect(future, "x");
    }
    stop(awaiter);
    stop(settler);
}

/* PG19 */
TEST(without_a_server_awaiters_stay_as_they_are_until_it_is_back)
{
    begin();
    cop_pid store = open_store(&loud, COP_MS(200));
    create(store, ID);
    cop_future *future = recovered(store, ID);
    EVENTUALLY(listeners() == 1);
    server_kill(&server);
    ck_assert_int_eq(cop_await_bytes(future, &(cop_bytes){0}, COP_MS(300)), -ETIMEDOUT);
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    server_start(&server);
    (void)number_of("UPDATE cop_future SET state = 1, value = 'x\\000', settled_at = now()");
    expect(future, "x");
    stop(store);
}

/* PG19 */
TEST(who_is_refused_comes_back_with_pauses)
{
    begin();
    static char through[256];
    struct proxy *line = line_to_server(through);
    cop_postgres_opts opts = {.where = through};
    cop_pid store = open_store(&opts, COP_MS(100));
    create(store, ID);
    cop_future *future = recovered(store, ID);
    EVENTUALLY(listeners() == 1);
    unsigned before = proxy_connections(line);
    cop_time since = cop_now();
    proxy_refuse(line, true);
    proxy_cut(line);
    while (cop_now() - since < COP_SEC(1)) {
        cop_sleep(COP_MS(10));
    }
    unsigned attempts = proxy_connections(line) - before;
    if (cop_now() - since
        < COP_SEC(1.4)) {                /* else the machine stood still, and they had more time */
        ck_assert_uint_le(attempts, 14); /* two connections, with pauses of 200 ms at the least */
    }
    proxy_refuse(line, false);
    (void)number_of("UPDATE cop_future SET state = 1, value = 'x\\000', settled_at = now()");
    expect(future, "x");
    stop(store);
    proxy_free(line);
}

/* ---------------------------------------------------------------- poolers */

static atomic_uint warnings;

void real_log_write(cop_log_level level, const char *message, const cop_field *fields)
    REAL(cop_log_write);
void our_log_write(cop_log_level level, const char *message, const cop_field *fields)
    WRAP(cop_log_write);
void
our_log_write(cop_log_level level, const char *message, const cop_field *fields)
{
    bool is_it = strstr(message, "notifications do not arrive") != NULL;
    real_log_write(is_it ? COP_LOG_DEBUG : level, message, fields);
    warnings += is_it;
}

/* The listener's clock, in the library's own calls, is so much ahead. */
static _Atomic cop_time ahead;
static cop_pid this_test;

cop_time real_now(void) REAL(cop_now);
cop_time our_now(void) WRAP(cop_now);
cop_time
our_now(void)
{
    cop_time more = atomic_load(&ahead);
    return real_now() + (more && !cop_pid_eq(cop_self(), this_test) ? more : 0);
}

/* As through a pooler: the session that is asked is not the one that listens; when it is, `ear` says. */
static const char *
a_place_with_an_ear(bool hears)
{
    static char where[256];
    (void)snprintf(where, sizeof where, "%s options='-c search_path=shim,public,pg_catalog'",
                   server.url);
    (void)number_of("SET client_min_messages = error; DROP SCHEMA IF EXISTS shim CASCADE;"
                    "CREATE SCHEMA shim; CREATE TABLE shim.ear (hears bool);"
                    "CREATE SEQUENCE shim.asked;"
                    "CREATE FUNCTION shim.pg_listening_channels() RETURNS SETOF text LANGUAGE sql "
                    "AS 'SELECT c FROM pg_catalog.pg_listening_channels() c, shim.ear, "
                    "nextval(''shim.asked'') WHERE hears'");
    (void)number_of(hears ? "INSERT INTO shim.ear VALUES (true)"
                          : "INSERT INTO shim.ear VALUES (false)");
    return where;
}

static void
settle_behind_its_back(void)
{
    (void)number_of("UPDATE shim.cop_future SET state = 1, value = 'x\\000', settled_at = now()");
}

TEST(where_nothing_can_be_heard_that_is_said_once_and_left_to_the_poll)
{
    begin();
    this_test = cop_self();
    cop_postgres_opts opts = {.where = a_place_with_an_ear(false)};
    cop_pid store = open_store(&opts, COP_MS(100));
    create(store, ID);
    cop_future *future = recovered(store, ID);
    EVENTUALLY(warnings == 1);
    settle_behind_its_back();
    expect(future, "x");
    end_listener();
    create(store, "another"); /* tells nobody, and asks no more who hears */
    stop(store);
    ck_assert_uint_eq(warnings, 1);
}

static long
times_asked(void)
{
    return number_of("SELECT last_value FROM shim.asked");
}

/* A heart-beat; what comes wakes who looks at the clock. */
static void
let_it_look(void)
{
    atomic_fetch_add(&ahead, COP_SEC(6));
    say("cop_queue", "1:q,");
}

TEST(who_hears_is_asked_again_now_and_then_and_goes_on)
{
    begin();
    this_test = cop_self();
    cop_postgres_opts opts = {.where = a_place_with_an_ear(true)};
    cop_pid store = open_store(&opts, COP_SEC(3600));
    create(store, ID);
    cop_future *future = recovered(store, ID);
    EVENTUALLY(listeners() == 1);
    long before = times_asked();
    let_it_look();
    EVENTUALLY(times_asked() > before);
    settle_behind_its_back();
    say("cop_future_0", "8:" ID ",");
    expect(future, "x");
    stop(store);
    ck_assert_uint_eq(warnings, 0);
}

/* Something has come over the connection, or nothing has: it is still watched then. */
TEST_TIMES(2, who_has_become_deaf_connects_anew_and_says_so_if_that_does_not_help)
{
    begin();
    this_test = cop_self();
    cop_postgres_opts opts = {.where = a_place_with_an_ear(true)};
    cop_pid store = open_store(&opts, COP_SEC(3600));
    EVENTUALLY(listeners() == 1);
    (void)number_of("UPDATE shim.ear SET hears = false");
    if (_i == 0) {
        let_it_look();
    } else {
        atomic_fetch_add(&ahead, COP_SEC(6));
        create(store, ID); /* whom the store has told that, looks at the clock */
    }
    EVENTUALLY(warnings == 1);
    stop(store);
}

static int
take_nothing(cop_bytes unused)
{
    (void)unused;
    return cop_sleep(COP_FOREVER);
}

TEST(what_does_not_go_into_its_mailbox_is_forgotten)
{
    static char text[4096];
    const struct copi_postgres_news settled = {.text = text, .size = sizeof text - 1}, none = {0};
    cop_pid full;
    ck_assert_int_eq(cop_spawn(&full, take_nothing, .mailbox = {.limit = 1}), 0);
    ck_assert_int_eq(cop_send(full, COP_TAG(1)), 0);
    ck_assert_int_eq(cop_send(full, COP_TAG(2)), -EAGAIN);
    size_t before = test_allocated();
    for (int i = 0; i < 1000; i++) {
        copi_postgres_hints_tell(full, &settled, &none);
    }
    ck_assert_uint_le(test_allocated(), before + TEST_POOLS_GROW);
    ck_assert_int_eq(cop_stop_process(full, COP_REASON_SHUTDOWN, SOON), 0);
}

TEST(a_store_that_stops_leaves_no_connection)
{
    begin();
    cop_pid store = open_store(&loud, COP_SEC(3600));
    stop(store);
    EVENTUALLY(number_of("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'coppice'")
               == 0);
}

TEST(a_store_that_is_killed_leaves_no_connection_and_no_listener)
{
    begin();
    cop_pid store = open_store(&loud, COP_SEC(3600));
    EVENTUALLY(listeners() == 1);
    cop_ref down = cop_monitor(store);
    ck_assert_int_eq(cop_exit_signal(store, COP_REASON_KILLED), 0);
    (void)test_down(down);
    EVENTUALLY(number_of("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'coppice'")
               == 0);
}

SUITE_AROUND("PostgreSQL's notifications", start_server, end_server)
