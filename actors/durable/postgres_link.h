/*
 * actors/durable/postgres_link.h - a connection to a PostgreSQL server, in a process that may end at any wait.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. Its owner's thread only.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_LINK_H
#define COPI_ACTORS_DURABLE_POSTGRES_LINK_H

#include "actors/durable/postgres_value.h"

struct copi_postgres_link {
    const char *where;     /* libpq's connection string */
    cop_time call_timeout; /* what the server gives a statement at most */
    PGconn *connection;    /* NULL: none */
    PGresult *half_read;   /* of an answer whose end has not come */
    unsigned unanswered;   /* statements */
    const char *prepared;  /* the statement that the session knows by a name; NULL: none */
    char name[16];         /* that */
    bool has_prepared;     /* it was tried once in this session */
    bool is_by_name;       /* one of those that are unanswered may be asked by it */
    unsigned failures;     /* attempts to connect, since one succeeded */
    cop_time next_attempt; /* not before */
    cop_reason why;        /* of the last failure */
};

/* Connect, and make the session one of ours, unless there is a connection that looks alive. `until` is a time
 * of cop_now(). 0, or a failure with its reason in link->why:
 *
 * -ECONNREFUSED   no server, none that lets us in and takes writes, or not in time: nothing was asked
 * -EINVAL         the connection string is none
 * -ECANCELED, -ENOMEM
 *
 * Exit point: yes. What is half built then is closed by copi_postgres_close. */
int copi_postgres_connect(struct copi_postgres_link *link, cop_time until);

/* Give the connection up, with whatever is under way in it. Waits for nobody. */
void copi_postgres_close(struct copi_postgres_link *link);

/* Have the statement read and planned once for this session, unless that has been tried; whoever asks it
 * asks as before. 0, also when the server would not have it; -EREMOTEIO, -ECANCELED: the connection is closed. Only
 * while nothing is unanswered. Exit point: yes. */
int copi_postgres_prepare(struct copi_postgres_link *link, const char *statement, cop_time until);

/* Ask one statement, with parameters in libpq's binary format; it is a transaction of its own. Several may be
 * asked before the first is answered. 0, or -ENOMEM, -EREMOTEIO: the connection is closed. */
int copi_postgres_ask(struct copi_postgres_link *link, const char *statement,
                      const struct copi_postgres_value values[], int count);

/* The answer to the oldest statement that was not answered: rows, or why it was refused (link->why has its words).
 *
 *   out   the rows, to PQclear; written on 0
 *
 * -EREMOTEIO   no answer, or not in time: it may have been done. The connection is closed
 * -ECANCELED   the same, because the caller was cancelled
 * -EAGAIN      nothing was done, and the same may succeed: a deadlock, a lock that did not come in time, a session
 *              that has forgotten what was prepared
 * -ENOSPC, -EINVAL, -EACCES, -EIO, -ENOMEM   nothing was done
 *
 * Exit point: yes. */
int copi_postgres_answer(struct copi_postgres_link *link, PGresult **out, cop_time until);

/* Text without parameters that the library itself has written, such as a migration; as ask and answer. */
int copi_postgres_run(struct copi_postgres_link *link, const char *statements, cop_time until);

#endif
