/*
 * tests/actors/durable/postgres_session.h - the backend without a store's process: operations over a connection.
 *
 * Room: tests/. Functions that not every suite uses are static inline.
 */
#ifndef COPI_TESTS_POSTGRES_SESSION_H
#define COPI_TESTS_POSTGRES_SESSION_H

#include "actors/durable/postgres_batch.h"
#include "actors/durable/postgres_schema.h"
#include "actors/durable/postgres_statements.h"
#include "tests/actors/durable/postgres.h"

#include <coppice/durable.h>

#define ID "order-17"

static const cop_owner us = {{1}}, them = {{2}};

struct session {
    struct copi_postgres_link link;
    struct copi_postgres_batch batch;
};

static struct session ours, theirs;

static inline void
open_session(struct session *session, const char *where)
{
    *session = (struct session){.link = {.where = where, .call_timeout = SOON}};
    ck_assert_int_eq(copi_postgres_connect(&session->link, cop_now() + SOON), 0);
    ck_assert_int_eq(copi_postgres_migrate(&session->link, copi_postgres_migrations,
                                           copi_postgres_version, cop_now() + SOON),
                     0);
}

static inline void
close_session(struct session *session)
{
    copi_postgres_batch_free(&session->batch);
    copi_postgres_close(&session->link);
}

static inline void
begin(void)
{
    begin_anew();
    open_session(&ours, server.url);
    open_session(&theirs, server.url);
}

static inline void
end(void)
{
    close_session(&ours);
    close_session(&theirs);
}

static inline int
try_all(struct session *session, cop_store_op ops[], size_t count)
{
    cop_store_op *pointers[2000];
    for (size_t i = 0; i < count; i++) {
        pointers[i] = &ops[i];
    }
    int error = copi_postgres_batch_begin(&session->batch, pointers, count);
    return error ? error
                 : copi_postgres_batch_run(&session->batch, &session->link, cop_now() + SOON);
}

static inline void
do_all(struct session *session, cop_store_op ops[], size_t count)
{
    ck_assert_int_eq(try_all(session, ops, count), 0);
}

static inline void
forget(cop_store_op ops[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cop_store_forget(&ops[i]);
    }
}

/* One operation; what it has found is forgotten. */
static inline int
result_of(struct session *session, cop_store_op op)
{
    do_all(session, &op, 1);
    int result = op.result;
    forget(&op, 1);
    return result;
}

static inline int
create(const char *id)
{
    return result_of(&ours, (cop_store_op){.kind = COP_STORE_CREATE, .id = id, .queue = "q"});
}

/* A lease of it for so long; its epoch, or 0. */
static inline uint64_t
acquire(struct session *session, const char *id, cop_owner owner, cop_time time)
{
    cop_store_op op = {.kind = COP_STORE_ACQUIRE, .id = id, .owner = owner, .time = time};
    do_all(session, &op, 1);
    uint64_t epoch = op.result == 0 ? op.first->epoch : 0;
    forget(&op, 1);
    return epoch;
}

static inline cop_store_op
settle_op(const char *id, cop_owner owner, uint64_t epoch, const char *value)
{
    return (cop_store_op){
        .kind = COP_STORE_SETTLE,
        .id = id,
        .owner = owner,
        .epoch = epoch,
        .state = COP_DURABLE_RESOLVED,
        .value = COP_TEXT(value),
        .key = {"key of the lease", epoch ? 15 + epoch % 2 : 0},
    };
}

static inline int
settle(struct session *session, const char *id, cop_owner owner, uint64_t epoch, const char *value)
{
    return result_of(session, settle_op(id, owner, epoch, value));
}

static inline int
lease_op(struct session *session, cop_store_kind kind, cop_owner owner, uint64_t epoch,
         cop_time time)
{
    return result_of(
        session,
        (cop_store_op){.kind = kind, .id = ID, .owner = owner, .epoch = epoch, .time = time});
}

/* How long the lease of ID lasts. */
static inline cop_time
lease_left(void)
{
    cop_store_op op = {.kind = COP_STORE_GET, .id = ID};
    do_all(&ours, &op, 1);
    cop_time left = op.first->lease_left;
    forget(&op, 1);
    return left;
}

static inline void
expect_value(const char *expected)
{
    cop_store_op op = {.kind = COP_STORE_GET, .id = ID};
    do_all(&ours, &op, 1);
    ck_assert_int_eq(op.first->state, COP_DURABLE_RESOLVED);
    ck_assert_uint_eq(op.first->value.size, strlen(expected));
    ck_assert_mem_eq(op.first->value.data, expected, strlen(expected));
    forget(&op, 1);
}

#endif
