/*
 * actors/durable/sqlite.h - the store in a file, as its parts know it.
 *
 * Room: actors/durable/, libcoppice-sqlite. The store's process.
 */
#ifndef COPI_ACTORS_DURABLE_SQLITE_H
#define COPI_ACTORS_DURABLE_SQLITE_H

#include <coppice-sqlite.h>
#include <sqlite3.h>
#include <sys/types.h>

/* ---------------------------------------------------------------- sqlite_side.c: the file beside it */

struct copi_sqlite_side {
    int file;   /* locked around writes and checkpoints; what is written to it is of no meaning */
    int events; /* inotify's; -1: none */
};

/* Of the database of that path. -EOPNOTSUPP: on a network. */
int copi_sqlite_side_open(struct copi_sqlite_side *side, const char *path);
void copi_sqlite_side_close(struct copi_sqlite_side *side);

/* Wait for one's turn. -ECANCELED: interrupted, as a process is that does not end in time. */
int copi_sqlite_side_lock(const struct copi_sqlite_side *side);
bool copi_sqlite_side_try_lock(const struct copi_sqlite_side *side);
void copi_sqlite_side_unlock(const struct copi_sqlite_side *side);

/* Tell the others that something has changed. */
void copi_sqlite_side_tell(const struct copi_sqlite_side *side);

/* Take what was told. */
void copi_sqlite_side_hear(const struct copi_sqlite_side *side);

/* ---------------------------------------------------------------- the store */

enum copi_sqlite_statement {
    COPI_SQLITE_BEGIN_READ,
    COPI_SQLITE_BEGIN_WRITE,
    COPI_SQLITE_COMMIT,
    COPI_SQLITE_ROLLBACK,
    COPI_SQLITE_VERSION,
    COPI_SQLITE_MARK,
    COPI_SQLITE_SET_MARK,
    COPI_SQLITE_CREATE,
    COPI_SQLITE_GET,
    COPI_SQLITE_SETTLE,
    COPI_SQLITE_OVERDUE,
    COPI_SQLITE_LIST,
    COPI_SQLITE_ACQUIRE,
    COPI_SQLITE_CLAIM,
    COPI_SQLITE_INHERIT,
    COPI_SQLITE_RENEW,
    COPI_SQLITE_RELEASE,
    COPI_SQLITE_EXPIRE,
    COPI_SQLITE_ABANDON,
    COPI_SQLITE_NEXT,
    COPI_SQLITE_PRUNE,
    COPI_SQLITE_STATEMENTS,
};

struct copi_sqlite {
    const cop_store_opts *opts;
    sqlite3 *db;
    pid_t pid; /* who opened it: a child of a fork must not touch it */
    struct copi_sqlite_side side;
    sqlite3_stmt *statements[COPI_SQLITE_STATEMENTS]; /* NULL: not needed yet */
    int64_t now_ms, mark_ms;                          /* the time, and what is stored of it */
    int64_t version;                                  /* of the data, as seen last */
    int log_pages, checkpoint_at;
};

/* What an error of SQLite is here; 0 for none. *why (NULL: not wanted) gets its words. */
int copi_sqlite_error(struct copi_sqlite *sqlite, int error, cop_reason *why);

/* ---------------------------------------------------------------- sqlite_schema.c */

/* Refuse what is not ours, before anything is changed. Under the lock. Errors as of opening. */
int copi_sqlite_schema_check(struct copi_sqlite *sqlite, cop_reason *why);

/* Bring it up to date. */
int copi_sqlite_schema_migrate(struct copi_sqlite *sqlite, cop_reason *why);

/* ---------------------------------------------------------------- sqlite_ops.c */

/* These return SQLite's codes, and SQLITE_NOMEM for what is ours. */

/* Run a statement that has neither parameters nor results. */
int copi_sqlite_do(struct copi_sqlite *sqlite, enum copi_sqlite_statement which);

/* A statement with one result that is a number. */
int copi_sqlite_number(struct copi_sqlite *sqlite, enum copi_sqlite_statement which, int64_t *out);

/* Read the clock; store it, if it is time to. In a transaction. */
int copi_sqlite_read_clock(struct copi_sqlite *sqlite);
int copi_sqlite_store_clock(struct copi_sqlite *sqlite);

/* An operation, in a transaction. */
int copi_sqlite_run(struct copi_sqlite *sqlite, cop_store_op *op);

#endif
