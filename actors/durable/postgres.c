/*
 * actors/durable/postgres.c - durable promises in PostgreSQL: the backend.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 * Ask first: when a batch is asked again.
 *
 * A batch is asked until it is answered, or its time is over: a connection that is lost is made anew, with
 * pauses that grow, and what has no answer is asked again, since whatever was done already says so then
 * (postgres_batch.c). Other messages of the store wait meanwhile: without a server there is nothing that it could do
 * with them.
 *
 *   postgres_link.c        a connection: every wait has a deadline and ends with the process
 *   postgres_value.c       parameters, in binary
 *   postgres_statements.c  what is asked, and why in those words
 *   postgres_schema.c      the table's versions
 *   postgres_batch.c       what is asked together, in which order, and again
 *   postgres_question.c    operations as a statement and its parameters
 *   postgres_answer.c      rows as records, and what they say of the operations
 *   postgres_news.c        what others may wait for
 *   postgres_hints.c       the process that tells them, and listens
 */
#include "actors/durable/postgres_batch.h"
#include "actors/durable/postgres_hints.h"
#include "actors/durable/postgres_schema.h"
#include "actors/durable/postgres_statements.h"

#include <coppice-postgres.h>
#include <errno.h>

#define CALL_TIMEOUT COP_SEC(10)
#define POLL         COP_SEC(1)

struct postgres {
    cop_postgres_opts opts;
    struct copi_postgres_link link;
    struct copi_postgres_batch batch;
    cop_pid hints;
};

static void
close_all(void *state)
{
    struct postgres *postgres = state;
    copi_postgres_hints_stop(postgres->hints);
    postgres->hints = COP_NOBODY;
    copi_postgres_batch_free(&postgres->batch);
    copi_postgres_close(&postgres->link);
}

/* Whether what has failed so may succeed over another connection. */
static bool
may_ask_again(int error)
{
    return error == -EREMOTEIO || error == -ECONNREFUSED;
}

static int
connect_and_migrate(struct postgres *postgres, cop_time until)
{
    int error;
    do {
        error = copi_postgres_connect(&postgres->link, until);
        error = error ? error
                      : copi_postgres_migrate(&postgres->link, copi_postgres_migrations,
                                              copi_postgres_version, until);
    } while (error == -EREMOTEIO && cop_now() < until);
    return error;
}

/* What the server said, where it was the server. */
static int
with_reason(const struct postgres *postgres, int error, cop_reason *why)
{
    if (error && (postgres->link.why.code == error || may_ask_again(error))) {
        *why = postgres->link.why;
        why->code = error;
    }
    return error;
}

static int
open_all(void *state, const cop_store_opts *opts, cop_reason *why)
{
    struct postgres *postgres = state;
    const cop_postgres_opts *ours = opts->at;
    if (ours) {
        postgres->opts = *ours;
    }
    if (postgres->opts.call_timeout == 0) {
        postgres->opts.call_timeout = CALL_TIMEOUT;
    }
    postgres->link = (struct copi_postgres_link){
        .where = postgres->opts.where,
        .call_timeout = postgres->opts.call_timeout,
    };
    int error = connect_and_migrate(postgres, cop_now() + postgres->opts.call_timeout);
    if (error == 0 && !postgres->opts.quiet) {
        error = copi_postgres_hints_start(&postgres->hints, &postgres->opts);
    }
    if (error) {
        (void)with_reason(postgres, error, why);
        close_all(postgres);
    }
    return error;
}

static int
run_until(struct postgres *postgres, cop_time until)
{
    int error;
    do {
        error = copi_postgres_connect(&postgres->link, until);
        error =
            error ? error : copi_postgres_prepare(&postgres->link, copi_postgres_get_one, until);
        error = error ? error : copi_postgres_batch_run(&postgres->batch, &postgres->link, until);
    } while (may_ask_again(error) && cop_now() < until);
    bool is_in_doubt = postgres->batch.was_sent && (may_ask_again(error) || error == -ENOMEM);
    return is_in_doubt ? -EREMOTEIO : error;
}

static int
run(void *state, cop_store_op *const ops[], size_t count, cop_reason *why)
{
    struct postgres *postgres = state;
    int error = copi_postgres_batch_begin(&postgres->batch, ops, count);
    if (error == 0) {
        error = run_until(postgres, cop_now() + postgres->opts.call_timeout);
    }
    copi_postgres_hints_tell(postgres->hints, &postgres->batch.settled, &postgres->batch.queues);
    return with_reason(postgres, error, why);
}

const cop_store_backend cop_postgres = {
    .name = "postgres",
    .state_size = sizeof(struct postgres),
    .open = open_all,
    .close = close_all,
    .run = run,
    .poll = POLL,
};
