/*
 * actors/durable/postgres_link.c - a connection to a PostgreSQL server, in a process that may end at any wait.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. Its owner's thread only.
 * Touch freely: the session's settings that say nothing of correctness. Ask first: the others; when a
 * connection is given up.
 *
 * libpq never waits here: its socket is non-blocking, and every wait is a cop_wait_fd, with a deadline, ended by
 * a stop of the process. That is an exit point, so there is no frame of libpq's below it, and what it has is in
 * `struct copi_postgres_link`, which its owner closes when it ends. (Only the resolver of names blocks, as
 * everywhere.)
 *
 * A connection with an answer outstanding is never used again: who gives up waiting closes it, and the server
 * finds out. A statement may then have been done or not (-EREMOTEIO), and whoever asked it finds that out by
 * asking the same again over another connection.
 *
 * libpq is in pipeline mode: statements are sent one behind the other, each with a synchronisation point of its own, so
 * that each is a transaction of its own, and the refusal of one is none of the next. One statement, one
 * transaction: nothing is ever held between two statements, and there is nothing to roll back.
 *
 * The session:
 *
 *   enable_seqscan, jit                    no plan may read the whole table: postgres_statements.c has the indexes
 *   plan_cache_mode                        a plan that was made while the table was small must not be kept. What
 *                                          is sent as text is planned each time; the one statement that is
 *                                          prepared has one plan, which is kept
 *   statement_timeout, lock_timeout        where a lost connection has left something behind, it ends by itself
 *   synchronous_commit                     what is answered is on disk, whatever the server's default is
 *   target_session_attrs                   of several hosts the one that takes writes
 */
#include "actors/durable/postgres_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BINARY = 1,
    VALUES_MOST = 16,
    WORDS_MOST = 200,
};

#define PAUSE_LEAST COP_MS(200)
#define PAUSE_MOST  COP_SEC(2)

static const char *const session = "SET default_transaction_isolation = 'read committed';"
                                   "SET default_transaction_read_only = off;"
                                   "SET synchronous_commit = on;"
                                   "SET idle_in_transaction_session_timeout = '60s';"
                                   "SET client_min_messages = error;"
                                   "SET jit = off;"
                                   "SET enable_seqscan = off;"
                                   "SET plan_cache_mode = auto;"
                                   "SET bytea_output = hex;"
                                   "SET IntervalStyle = postgres;";

/* ---------------------------------------------------------------- failures */

/* What libpq says ends with a newline, and may have several lines. */
static int
fail(struct copi_postgres_link *link, int code, const char *what, const char *words)
{
    char text[WORDS_MOST] = "";
    size_t length = 0;
    for (; words && words[length] && words[length] != '\n' && length + 1 < sizeof text; length++) {
        text[length] = words[length];
    }
    text[length] = 0;
    link->why = cop_failed(code, "{postgres,%s,\"%s\"}", what, text);
    return code;
}

/* What a refusal means for whoever asked: by the class of its code, Appendix A of PostgreSQL's manual. */
static int
meaning_of(const char *state)
{
    static const struct {
        const char *begins;
        int code;
    } known[] = {
        {"40", -EAGAIN},     /* a deadlock, a failed serialization */
        {"55P03", -EAGAIN},  /* a lock that did not come in time */
        {"57014", -EAGAIN},  /* statement_timeout */
        {"57P", -EREMOTEIO}, /* the server is being shut down, or has crashed */
        {"08", -EREMOTEIO},  {"25006", -EREMOTEIO}, /* a primary that has become a standby */
        {"53100", -ENOSPC},  {"53", -ENOMEM},
        {"22", -EINVAL}, /* bytes that are no text in this encoding, a number out of range */
        {"23", -EINVAL},     {"42501", -EACCES},
    };
    for (size_t i = 0; state && i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(state, known[i].begins, strlen(known[i].begins)) == 0) {
            return known[i].code;
        }
    }
    return -EIO;
}

static int
lose(struct copi_postgres_link *link, int code, const char *what)
{
    (void)fail(link, code, what, link->connection ? PQerrorMessage(link->connection) : "");
    copi_postgres_close(link);
    return code;
}

void
copi_postgres_close(struct copi_postgres_link *link)
{
    PQclear(link->half_read);
    PQfinish(link->connection);
    link->half_read = NULL;
    link->connection = NULL;
    link->unanswered = 0;
    link->prepared = NULL;
    link->has_prepared = false;
}

/* ---------------------------------------------------------------- waiting */

static cop_time
left_until(cop_time until)
{
    cop_time now = cop_now();
    return until == COP_FOREVER ? COP_FOREVER : until > now ? until - now : 0;
}

/* What was not sent yet goes out, and what comes is read, until an answer is there. Both at once: a server that
 * cannot get rid of its answers reads no more statements. */
static int
wait_for_answer(struct copi_postgres_link *link, cop_time until)
{
    for (;;) {
        int unsent = PQflush(link->connection);
        if (unsent < 0 || !PQconsumeInput(link->connection)) {
            return -EREMOTEIO;
        }
        if (!PQisBusy(link->connection)) {
            return 0;
        }
        int error = cop_wait_fd(PQsocket(link->connection), unsent ? POLLIN | POLLOUT : POLLIN,
                                left_until(until));
        if (error) {
            return error;
        }
    }
}

/* ---------------------------------------------------------------- connecting */

/* What is no string of connection options will not become one by trying again. */
static int
check_where(struct copi_postgres_link *link)
{
    char *words = NULL;
    PQconninfoOption *options = PQconninfoParse(link->where ? link->where : "", &words);
    int error = options ? 0 : fail(link, words ? -EINVAL : -ENOMEM, "connect", words);
    PQconninfoFree(options);
    PQfreemem(words);
    return error;
}

static int
begin(struct copi_postgres_link *link)
{
    /* those before `dbname` are defaults, those behind it the connection string's masters */
    const char *const names[] = {
        "gssencmode", "application_name",     "tcp_user_timeout", "keepalives_idle",
        "dbname",     "target_session_attrs", "client_encoding",  NULL,
    };
    const char *const values[] = {
        "disable", "coppice", "10000", "10", link->where, "read-write", "UTF8", NULL,
    };
    link->connection = PQconnectStartParams(names, values, true);
    if (!link->connection) {
        return fail(link, -ENOMEM, "connect", "out of memory");
    }
    return PQstatus(link->connection) == CONNECTION_BAD ? lose(link, -ECONNREFUSED, "connect") : 0;
}

static int
shake_hands(struct copi_postgres_link *link, cop_time until)
{
    for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
        if (next == PGRES_POLLING_FAILED) {
            return -ECONNREFUSED;
        }
        int error =
            cop_wait_fd(PQsocket(link->connection),
                        next == PGRES_POLLING_READING ? POLLIN : POLLOUT, left_until(until));
        if (error) {
            return error == -ECANCELED || error == -ENOMEM ? error : -ECONNREFUSED;
        }
        next = PQconnectPoll(link->connection);
    }
    return 0;
}

/* To the end of what was asked outside the pipeline. */
static int
hear_all(struct copi_postgres_link *link, bool is_sent, cop_time until)
{
    int error = is_sent ? 0 : -EREMOTEIO, refused = 0;
    while (error == 0 && (error = wait_for_answer(link, until)) == 0) {
        PGresult *result = PQgetResult(link->connection);
        if (!result) {
            return refused;
        }
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && !refused) {
            refused = fail(link, meaning_of(PQresultErrorField(result, PG_DIAG_SQLSTATE)), "run",
                           PQresultErrorMessage(result));
        }
        PQclear(result);
    }
    return error;
}

/* Text of our own, without parameters: the simple protocol. */
static int
run_all(struct copi_postgres_link *link, const char *statements, cop_time until)
{
    return hear_all(link, PQsendQuery(link->connection, statements), until);
}

static int
settle_session(struct copi_postgres_link *link, cop_time until)
{
    char timeouts[160];
    long long limit_ms = link->call_timeout / COP_MS(1);
    (void)snprintf(timeouts, sizeof timeouts,
                   "SET statement_timeout = %lld; SET lock_timeout = %lld;", limit_ms, limit_ms);
    int error = run_all(link, session, until);
    error = error ? error : run_all(link, timeouts, until);
    if (error == 0
        && (PQsetnonblocking(link->connection, 1) != 0 || !PQenterPipelineMode(link->connection))) {
        error = -ECONNREFUSED;
    }
    return error;
}

/* A server that has gone has left its farewell in the socket: better seen before something is asked. */
static bool
is_up(const struct copi_postgres_link *link)
{
    return link->connection && link->unanswered == 0 && PQconsumeInput(link->connection)
           && PQstatus(link->connection) == CONNECTION_OK;
}

static int
wait_for_turn(struct copi_postgres_link *link, cop_time until)
{
    cop_time now = cop_now();
    if (link->next_attempt <= now) {
        return 0;
    }
    cop_time pause = link->next_attempt - now;
    if (pause > left_until(until)) {
        return -ECONNREFUSED; /* link->why has why the last attempt failed */
    }
    return cop_sleep(pause);
}

int
copi_postgres_connect(struct copi_postgres_link *link, cop_time until)
{
    if (is_up(link)) {
        return 0;
    }
    copi_postgres_close(link);
    int error = wait_for_turn(link, until);
    if (error) {
        return error == -ETIMEDOUT ? -ECONNREFUSED : error;
    }
    link->failures++;
    link->next_attempt = cop_now() + cop_retry_pause(PAUSE_LEAST, PAUSE_MOST, link->failures);
    error = check_where(link);
    error = error ? error : begin(link);
    if (error) {
        return error;
    }
    error = shake_hands(link, until);
    error = error ? error : settle_session(link, until);
    if (error) {
        return lose(link, error == -EREMOTEIO || error == -ETIMEDOUT ? -ECONNREFUSED : error,
                    "connect");
    }
    link->failures = 0;
    link->next_attempt = 0;
    return 0;
}

/* ---------------------------------------------------------------- statements */

int
copi_postgres_ask(struct copi_postgres_link *link, const char *statement,
                  const struct copi_postgres_value values[], int count)
{
    Oid types[VALUES_MOST];
    const char *data[VALUES_MOST];
    int sizes[VALUES_MOST], formats[VALUES_MOST];
    for (int i = 0; i < count; i++) {
        if (values[i].failed) {
            return fail(link, -ENOMEM, "ask", "out of memory");
        }
        types[i] = values[i].type;
        data[i] = values[i].data;
        sizes[i] = (int)values[i].size;
        formats[i] = BINARY;
    }
    link->is_by_name = statement == link->prepared || (link->is_by_name && link->unanswered > 0);
    link->unanswered++;
    bool is_sent =
        statement == link->prepared
            ? PQsendQueryPrepared(link->connection, link->name, count, data, sizes, formats, BINARY)
            : PQsendQueryParams(link->connection, statement, count, types, data, sizes, formats,
                                BINARY);
    if (!is_sent || !PQpipelineSync(link->connection)) {
        return lose(link, -EREMOTEIO, "ask");
    }
    return 0;
}

/* Of each statement there come its rows or its refusal, a NULL, and its synchronisation point. An exit may
 * leave from between them. */
static int
next_result(struct copi_postgres_link *link, PGresult **out, cop_time until)
{
    int error = wait_for_answer(link, until);
    if (error == 0) {
        *out = PQgetResult(link->connection);
    }
    return error;
}

static int
pass_end(struct copi_postgres_link *link, cop_time until)
{
    PGresult *end = NULL, *point = NULL;
    int error = next_result(link, &end, until);
    error = error ? error : end ? -EREMOTEIO : next_result(link, &point, until);
    if (error == 0 && PQresultStatus(point) != PGRES_PIPELINE_SYNC) {
        error = -EREMOTEIO;
    }
    PQclear(end);
    PQclear(point);
    return error;
}

static int
read_answer(struct copi_postgres_link *link, cop_time until)
{
    int error = next_result(link, &link->half_read, until);
    if (error == 0 && !link->half_read) {
        return -EREMOTEIO;
    }
    return error ? error : pass_end(link, until);
}

/* Another session answers than the one in which it was prepared: that of a pooler; or the table has been changed. */
static bool
is_forgotten(const struct copi_postgres_link *link, const char *state)
{
    return link->is_by_name && state
           && (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0);
}

/* What the answer is, now that it is there as a whole; it is the caller's. */
static int
judge(struct copi_postgres_link *link, PGresult **out)
{
    PGresult *answer = link->half_read;
    link->half_read = NULL;
    link->unanswered--;
    ExecStatusType status = PQresultStatus(answer);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = answer;
        return 0;
    }
    const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    int meaning = meaning_of(state);
    if (is_forgotten(link, state)) {
        link->prepared = NULL;
        meaning = -EAGAIN;
    }
    int error = fail(link, meaning, "refused", PQresultErrorMessage(answer));
    PQclear(answer);
    return error;
}

int
copi_postgres_answer(struct copi_postgres_link *link, PGresult **out, cop_time until)
{
    if (!link->connection) {
        return -EREMOTEIO; /* it was lost with an earlier answer */
    }
    int error = read_answer(link, until);
    if (error) {
        return lose(link, error == -ECANCELED || error == -ENOMEM ? error : -EREMOTEIO, "answer");
    }
    error = judge(link, out);
    if (error == -EREMOTEIO) {
        copi_postgres_close(link);
    }
    return error;
}

/* ---------------------------------------------------------------- outside the pipeline */

static void
leave_pipeline(struct copi_postgres_link *link)
{
    PQexitPipelineMode(link->connection);
    link->unanswered++;
}

static int
enter_pipeline(struct copi_postgres_link *link, int error)
{
    if (error == -EREMOTEIO || error == -ETIMEDOUT || error == -ECANCELED) {
        return lose(link, error == -ECANCELED ? error : -EREMOTEIO, "run");
    }
    link->unanswered--;
    PQenterPipelineMode(link->connection);
    return error;
}

int
copi_postgres_run(struct copi_postgres_link *link, const char *statements, cop_time until)
{
    leave_pipeline(link);
    return enter_pipeline(link, run_all(link, statements, until));
}

/* By its text: behind a pooler a session may have been another program's, with another version of the statement. */
static void
name_it(struct copi_postgres_link *link, const char *statement)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *at = statement; *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    (void)snprintf(link->name, sizeof link->name, "cop_%08x", (unsigned)hash);
}

int
copi_postgres_prepare(struct copi_postgres_link *link, const char *statement, cop_time until)
{
    if (link->has_prepared) {
        return 0;
    }
    name_it(link, statement);
    leave_pipeline(link);
    link->has_prepared = true;
    bool is_sent = PQsendPrepare(link->connection, link->name, statement, 0, NULL);
    int error = enter_pipeline(link, hear_all(link, is_sent, until));
    link->prepared = error ? NULL : statement;
    return link->connection ? 0 : error;
}
