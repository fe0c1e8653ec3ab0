/*
 * actors/durable/postgres_batch.h - a batch of operations.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_BATCH_H
#define COPI_ACTORS_DURABLE_POSTGRES_BATCH_H

#include "actors/durable/postgres_link.h"
#include "actors/durable/postgres_news.h"

struct copi_postgres_item;
struct copi_postgres_question;

/* Zeroed, it is empty. Its memory is kept for the next batch. */
struct copi_postgres_batch {
    /* `count`, in the order of ids, those of one id in the batch's */
    struct copi_postgres_item *items;
    struct copi_postgres_item **members;      /* of the questions, one behind the other */
    struct copi_postgres_question *questions; /* under way */
    size_t count, room, asked, used;
    unsigned turns;
    bool was_sent;                             /* some of it, over any connection: it may be done */
    PGresult *rows;                            /* of the answer that is being read */
    struct copi_postgres_news settled, queues; /* for others */
};

/* -ENOMEM */
int copi_postgres_batch_begin(struct copi_postgres_batch *batch, cop_store_op *const *ops,
                              size_t count);

/* Have done what is not yet done. 0: all of it is, and durable. On -EREMOTEIO, -ECANCELED the connection is lost, and
 * the same may be called with another, until the caller gives up. -EIO: the table is not what it should be.
 * -ENOMEM: where something was sent before, that may be done. Exit point: yes. */
int copi_postgres_batch_run(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
                            cop_time until);

void copi_postgres_batch_free(struct copi_postgres_batch *batch);

#endif
