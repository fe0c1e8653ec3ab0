/*
 * tests/actors/durable/postgres.h - what the suites of PostgreSQL's store share: a server, and somebody who looks.
 *
 * Room: tests/. Functions that not every suite uses are static inline.
 */
#ifndef COPI_TESTS_POSTGRES_H
#define COPI_TESTS_POSTGRES_H

#include "tests/support/proxy.h"
#include "tests/support/server.h"
#include "tests/support/support.h"

#include <coppice-postgres.h>
#include <libpq-fe.h>

static struct server server;

static inline void
start_server(void)
{
    (void)setenv("PGGSSENCMODE", "disable",
                 1); /* looking for tickets takes longer than all the rest */
    server_postgres(&server, (const char *const[]){"-c", "max_connections=150", NULL});
}

static inline void
end_server(void)
{
    server_end(&server);
}

/* A line to the server, and how to connect through it. */
static inline struct proxy *
line_to_server(char where[256])
{
    struct proxy *line = proxy_new(server.port);
    (void)snprintf(where, 256, "%s host=127.0.0.1 port=%u", server.url, proxy_port(line));
    return line;
}

/* Somebody else's connection, who may wait as he likes. */
static inline PGconn *
look_in(void)
{
    PGconn *other = PQconnectdb(server.url);
    ck_assert_msg(PQstatus(other) == CONNECTION_OK, "%s", PQerrorMessage(other));
    return other;
}

static inline PGresult *
look_at(PGconn *other, const char *statement)
{
    PGresult *rows = PQexec(other, statement);
    ck_assert_msg(PQresultStatus(rows) == PGRES_TUPLES_OK
                      || PQresultStatus(rows) == PGRES_COMMAND_OK,
                  "%s: %s", statement, PQresultErrorMessage(rows));
    return rows;
}

/* The first number that a statement gives; 0: none. */
static inline long
number_with(PGconn *other, const char *statement)
{
    PGresult *rows = look_at(other, statement);
    long number =
        PQntuples(rows) > 0 && PQnfields(rows) > 0 ? strtol(PQgetvalue(rows, 0, 0), NULL, 10) : 0;
    PQclear(rows);
    return number;
}

static inline long
number_of(const char *statement)
{
    PGconn *other = look_in();
    long number = number_with(other, statement);
    PQfinish(other);
    return number;
}

/* The server runs, and the database is as empty as it was. */
static inline void
begin_anew(void)
{
    server_start(&server);
    (void)number_of(
        "SET client_min_messages = error; DROP TABLE IF EXISTS cop_future, cop_schema, audit CASCADE");
}

#endif
