/*
 * coppice-postgres.h - durable promises in PostgreSQL: shared by many processes, on many machines.
 *
 * This is the store for correctness: each promise has exactly one transition out of pending, whoever dies, as
 * long as what one primary server has committed survives. (With asynchronous replication a failover may lose
 * it.) A computation is done at least once: coppice/worker.h.
 *
 * A library of its own, on libpq: link with `pkg-config --libs coppice-postgres`. A store of it is a child like
 * others:
 *
 *     cop_store_spec("orders", .name = "orders",
 *                    COP_POSTGRES(.where = "host=db.example dbname=orders"))
 *
 * The database has to be there; its table, cop_future, is made and brought up to date by whoever comes first.
 * Any number of processes may open it. Time is the database's: nobody's own clock is asked.
 *
 * Who awaits a promise in another process hears of its end by a notification, some milliseconds after it was
 * committed; behind that stands a poll. So a store has two connections: one for statements, and one on which it
 * listens, and tells the others. When the server is gone it connects anew, again and again, with pauses that
 * grow, and awaiters stay pending.
 *
 * Poolers that give each transaction another session can be used; nothing is heard through them, which is
 * logged once, and left to the poll. The statement that reads one promise is prepared, once for each
 * connection; a pooler that cannot pass that on (PgBouncer before 1.21, or with max_prepared_statements = 0)
 * costs a round trip after connecting, and then it is planned each time, which takes the server a few tenths of
 * a millisecond.
 */
#ifndef COPPICE_POSTGRES_H
#define COPPICE_POSTGRES_H

#include <coppice.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_postgres_opts {
    /* libpq's connection string: "host=… dbname=…", or "postgresql://…". Of several hosts the one that takes
     * writes is used. A password is better kept in a file (passfile=…). NULL: what the environment says
     * (PGHOST and others). */
    const char *where;
    /* How long a batch of operations may take, with connecting anew where that is needed. 0: 10 s. Then they
     * have failed: -ECONNREFUSED, nothing was done; -EREMOTEIO, it may have been done: repeat the same. The
     * resolver of names has limits of its own. */
    cop_time call_timeout;
    /* Neither listen nor notify: one connection less, and what others do is found by the poll alone. */
    bool quiet;
    void *reserved[4];
} cop_postgres_opts;

/*
 * The backend, for cop_store_opts.backend; its .at is a const cop_postgres_opts *, which must be there for as
 * long as the store is.
 *
 * Its open fails with -ECONNREFUSED, when there is no server, or it does not let us in (cop_why() has its
 * words); -EINVAL, when `where` is no connection string; -EPROTO, when the table is of a newer library;
 * -EACCES, when the user may not make it.
 *
 * A copy of it with another .poll is one that looks more often, or less: it is 1 s.
 */
extern COP_API const cop_store_backend cop_postgres;

/* Both options, as cop_store_spec and cop_store_start take them; they are in the calling block. */
#define COP_POSTGRES(...)                                   \
 .backend = &cop_postgres, .at = &(const cop_postgres_opts) \
 {                                                          \
  __VA_ARGS__                                               \
 }

#ifdef __cplusplus
}
#endif
#endif
