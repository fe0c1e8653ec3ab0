/*
 * tests/actors/durable/test_postgres_shortage.c - each allocation of libcoppice-postgres fails once, and each call of libpq
 * that can.
 *
 * Room: tests/. While an allocation is to fail, nothing is asserted: tests/support/no_memory.h.
 */
#include "actors/durable/postgres_hints.h"
#include "tests/actors/durable/postgres.h"
#include "tests/actors/durable/stored.h"
#include "tests/support/no_memory.h"

#include <coppice/durable.h>

#include <errno.h>

/* ---------------------------------------------------------------- calls that fail */

static const char *failing; /* which; NULL: none */
static int calls_left;      /* until it does, once */

static bool
call_fails(const char *name)
{
    return failing && strcmp(failing, name) == 0 && calls_left-- == 0;
}

int real_flush(PGconn *connection) REAL(PQflush);
int our_flush(PGconn *connection) WRAP(PQflush);
int
our_flush(PGconn *connection)
{
    return call_fails("flush") ? -1 : real_flush(connection);
}

int real_consume(PGconn *connection) REAL(PQconsumeInput);
int our_consume(PGconn *connection) WRAP(PQconsumeInput);
int
our_consume(PGconn *connection)
{
    return call_fails("consume") ? 0 : real_consume(connection);
}

int real_sync(PGconn *connection) REAL(PQpipelineSync);
int our_sync(PGconn *connection) WRAP(PQpipelineSync);
int
our_sync(PGconn *connection)
{
    return call_fails("sync") ? 0 : real_sync(connection);
}

int real_enter(PGconn *connection) REAL(PQenterPipelineMode);
int our_enter(PGconn *connection) WRAP(PQenterPipelineMode);
int
our_enter(PGconn *connection)
{
    return call_fails("enter") ? 0 : real_enter(connection);
}

int real_nonblocking(PGconn *connection, int arg) REAL(PQsetnonblocking);
int our_nonblocking(PGconn *connection, int arg) WRAP(PQsetnonblocking);
int
our_nonblocking(PGconn *connection, int arg)
{
    return call_fails("nonblocking") ? -1 : real_nonblocking(connection, arg);
}

PGresult *real_result(PGconn *connection) REAL(PQgetResult);
PGresult *our_result(PGconn *connection) WRAP(PQgetResult);
PGresult *
our_result(PGconn *connection)
{
    return call_fails("result") ? NULL : real_result(connection);
}

PGconn *real_start(const char *const *names, const char *const *values, int expand)
    REAL(PQconnectStartParams);
PGconn *our_start(const char *const *names, const char *const *values, int expand)
    WRAP(PQconnectStartParams);
PGconn *
our_start(const char *const *names, const char *const *values, int expand)
{
    return call_fails("start") ? NULL : real_start(names, values, expand);
}

int real_query(PGconn *connection, const char *text) REAL(PQsendQuery);
int our_query(PGconn *connection, const char *text) WRAP(PQsendQuery);
int
our_query(PGconn *connection, const char *text)
{
    return call_fails("query") ? 0 : real_query(connection, text);
}

static const char *const calls[] = {"flush",       "consume", "sync",  "enter",
                                    "nonblocking", "result",  "start", "query"};

enum {
    CALLS = sizeof calls / sizeof calls[0]
};

/* ---------------------------------------------------------------- the backend without a store's process */

static cop_postgres_opts place;
static cop_store_opts opts = {.size = sizeof opts, .at = &place};
static void *data;
static cop_reason why;

static void
begin(void)
{
    begin_anew();
    place = (cop_postgres_opts){.where = server.url, .call_timeout = SOON, .quiet = true};
    data = calloc(1, cop_postgres.state_size);
    ck_assert_ptr_nonnull(data);
}

static int
open_it(void)
{
    memset(data, 0, cop_postgres.state_size);
    why = COP_REASON_NORMAL;
    return cop_postgres.open(data, &opts, &why);
}

static int
run(cop_store_op ops[], size_t count)
{
    cop_store_op *pointers[8];
    for (size_t i = 0; i < count; i++) {
        cop_store_forget(&ops[i]);
        pointers[i] = &ops[i];
    }
    why = COP_REASON_NORMAL;
    return cop_postgres.run(data, pointers, count, &why);
}

/* Of three kinds, so of three statements; the second settles what the database has. */
static void
fill(cop_store_op ops[3], char ids[2][32], long n)
{
    (void)snprintf(ids[0], sizeof ids[0], "new-%ld", n);
    (void)snprintf(ids[1], sizeof ids[1], "old-%ld", n);
    ops[0] = (cop_store_op){.kind = COP_STORE_CREATE, .id = ids[0], .queue = "q"};
    ops[1] = (cop_store_op){.kind = COP_STORE_SETTLE, .id = ids[1], .state = COP_DURABLE_RESOLVED};
    ops[2] = (cop_store_op){.kind = COP_STORE_EXPIRE, .limit = 10};
}

static long
applied(PGconn *other, const char *id_of_new, const char *id_of_old)
{
    char statement[160];
    (void)snprintf(statement, sizeof statement,
                   "SELECT count(*) FROM cop_future WHERE id = '%s' OR (id = '%s' AND state = 1)",
                   id_of_new, id_of_old);
    return number_with(other, statement);
}

enum {
    SHARES = 3 /* a statement has more parameters than that, so each sees both ends */
};

TEST_TIMES(SHARES, a_batch_that_finds_no_memory_was_not_applied_or_says_that_it_may_be)
{
    begin();
    ck_assert_int_eq(open_it(), 0);
    PGconn *other = look_in();
    (void)number_with(
        other, "INSERT INTO cop_future (id) SELECT 'old-' || n FROM generate_series(0, 500) n");
    unsigned refused = 0, in_doubt = 0;
    for (long n = _i; n == _i || has_failed; n += SHARES) {
        cop_store_op ops[3];
        char ids[2][32];
        fill(ops, ids, n);
        has_failed = false;
        allocations_left = n;
        int r = run(ops, 3);
        allocations_left = -1;
        ck_assert_msg(r == 0 || r == -ENOMEM || r == -EREMOTEIO, "%ld: %d", n, r);
        refused += r == -ENOMEM;
        in_doubt += r == -EREMOTEIO;
        ck_assert_msg(r != -ENOMEM || applied(other, ids[0], ids[1]) == 0, "%ld", n);
        ck_assert_int_eq(r ? run(ops, 3) : 0, 0);
        ck_assert_int_eq(ops[0].result, 0);
        ck_assert_int_eq(ops[1].result, 0);
        ck_assert_int_eq(applied(other, ids[0], ids[1]), 2);
        for (int i = 0; i < 3; i++) {
            cop_store_forget(&ops[i]);
        }
        cop_postgres.close(data);
        ck_assert_int_eq(open_it(), 0); /* what it has room for it does not allocate again */
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(in_doubt, 0);
    PQfinish(other);
    cop_postgres.close(data);
    free(data);
}

TEST(a_database_that_is_new_is_opened_without_memory_at_another_time)
{
    for (long n = 0; n == 0 || has_failed; n++) {
        begin();
        has_failed = false;
        allocations_left = n;
        int r = open_it();
        allocations_left = -1;
        ck_assert_msg(r == 0 || (r == -ENOMEM && has_failed), "%ld: %d", n, r);
        ck_assert_int_eq(r ? open_it() : 0, 0);
        cop_postgres.close(data);
        free(data);
    }
}

TEST_TIMES(CALLS, a_connection_on_which_a_call_fails_is_given_up_and_what_was_asked_is_asked_again)
{
    begin();
    int most = strcmp(calls[_i], "result") == 0 ? 24 : 6; /* of those there are many */
    for (int n = 0; n < most; n++) {
        char id[16];
        (void)snprintf(id, sizeof id, "n-%d", n);
        cop_store_op op = {.kind = COP_STORE_CREATE, .id = id};
        calls_left = n;
        failing = calls[_i];
        int opened = open_it();
        ck_assert_msg(opened == 0 || opened == -ECONNREFUSED || opened == -EREMOTEIO
                          || opened == -ENOMEM,
                      "%s, %d: %d", calls[_i], n, opened);
        ck_assert(opened == 0 || why.text[0]);
        ck_assert_int_eq(opened ? open_it() : 0, 0);
        int r = run(&op, 1);
        failing = NULL;
        ck_assert(n > 0 || calls_left < 0); /* it is called, and has failed */
        ck_assert_msg(r == 0, "%s, %d: %d %s", calls[_i], n, r, why.text);
        ck_assert_int_eq(op.result, 0);
        cop_store_forget(&op);
        cop_postgres.close(data);
    }
    free(data);
}

/* ---------------------------------------------------------------- a store that tells others */

TEST(news_that_find_no_memory_or_nobody_are_not_told)
{
    cop_pid gone;
    cop_ref ended;
    struct copi_postgres_news settled = {0}, queues = {0};
    copi_postgres_news_add(&settled, ID);
    copi_postgres_news_add(&queues, "q");
    allocations_left = 0;
    copi_postgres_hints_tell(cop_self(), &settled, &queues);
    allocations_left = -1;
    ck_assert(has_failed && !test_has_mail());
    ck_assert_int_eq(cop_spawn(&gone, test_wait_for_end, .monitor = &ended), 0);
    ck_assert_int_eq(cop_exit_signal(gone, COP_REASON_KILLED), 0);
    (void)test_down(ended);
    copi_postgres_hints_tell(gone, &settled, &queues); /* a leak would be seen */
    copi_postgres_hints_tell(cop_self(), &settled, &queues);
    ck_assert(test_has_mail());
    copi_postgres_news_free(&settled);
    copi_postgres_news_free(&queues);
}

enum {
    FIRST = 24
};

/* What is not told is found by the poll; what listens and cannot begin is missed by nobody. */
TEST_TIMES(FIRST, a_store_that_finds_no_memory_settles_and_is_heard_in_the_end)
{
    cop_pid one, other;
    begin_anew();
    cop_store_backend often = cop_postgres;
    often.poll = COP_MS(50);
    cop_postgres_opts loud = {.where = server.url, .call_timeout = SOON};
    ck_assert_int_eq(cop_store_start(&other, .backend = &often, .at = &loud), 0);
    allocations_left = _i;
    int started = cop_store_start(&one, .backend = &often, .at = &loud);
    int created = started ? started : cop_durable_create(one, ID);
    int settled = created ? created : cop_durable_resolve(one, ID, (cop_bytes){0});
    allocations_left = -1;
    if (started) {
        ck_assert_int_eq(started, -ENOMEM);
        ck_assert_int_eq(cop_store_start(&one, .backend = &often, .at = &loud), 0);
    }
    ck_assert_msg(settled == 0 || settled == -ENOMEM || settled == -EREMOTEIO, "%d", settled);
    ck_assert_int_eq(cop_durable_create(one, ID), 0);
    cop_future *future = recovered(other, ID);
    ck_assert_int_eq(cop_durable_resolve(one, ID, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    cop_future_release(future);
    stop(one);
    stop(other);
}

SUITE_AROUND("postgres_shortage", start_server, end_server)
