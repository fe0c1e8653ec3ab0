/*
 * actors/durable/postgres_statements.h - the statements, and the schema they are for.
 *
 * Room: actors/durable/, libcoppice-postgres. Constants only.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_STATEMENTS_H
#define COPI_ACTORS_DURABLE_POSTGRES_STATEMENTS_H

/* What a row of an answer has from its column `COPI_POSTGRES_RECORD` on, in this order. */
enum copi_postgres_column {
    COPI_COLUMN_ID,
    COPI_COLUMN_QUEUE,
    COPI_COLUMN_TAGS,
    COPI_COLUMN_STATE,
    COPI_COLUMN_CAUSE,
    COPI_COLUMN_CODE,
    COPI_COLUMN_MESSAGE,
    COPI_COLUMN_PARAM,
    COPI_COLUMN_VALUE,
    COPI_COLUMN_CREATE_KEY,
    COPI_COLUMN_SETTLE_KEY,
    COPI_COLUMN_CREATED_MS,
    COPI_COLUMN_SETTLED_MS,
    COPI_COLUMN_DEADLINE_MS,
    COPI_COLUMN_EPOCH,
    COPI_COLUMN_OWNER,
    COPI_COLUMN_LEASE_LEFT_US,
    COPI_COLUMN_ATTEMPTS,
    COPI_COLUMN_MAX_ATTEMPTS,
    COPI_COLUMN_OVERDUE,
};

/* The first column of every answer is which of the arrays' elements it is for; 0 where there are none. */
enum {
    COPI_POSTGRES_ELEMENT = 0,
    COPI_POSTGRES_RECORD = 1,
};

/* Of each kind of operation; arrays come first, then single values. */
extern const char copi_postgres_create[]; /* ids, queues, tags, params, times, keys, max_attempts */
extern const char copi_postgres_get[];    /* ids */
extern const char copi_postgres_get_one[]; /* id: the same for one, and the one that is prepared */
extern const char
    copi_postgres_settle[]; /* ids, epochs, owners, states, causes, codes, messages, values, keys */
extern const char copi_postgres_acquire[]; /* ids, owners, times */
extern const char
    copi_postgres_renew[]; /* ids, epochs, owners, times; left_us behind the element */
extern const char copi_postgres_release[]; /* ids, epochs, owners; the queue behind the element */
extern const char copi_postgres_list[];    /* after, queue, tag, limit */
extern const char copi_postgres_claim[];   /* queue, owner, time, limit */
extern const char copi_postgres_inherit[]; /* the same */
extern const char copi_postgres_held[];   /* queue, owner: what a claim whose answer was lost got */
extern const char copi_postgres_expire[]; /* limit */
extern const char copi_postgres_next[];   /* -: microseconds until there is more to expire */
extern const char copi_postgres_prune[];  /* age, limit */

/* What brings a schema from each version to the next, from none on; and how many there are. */
extern const char *const copi_postgres_migrations[];
extern const int copi_postgres_version;

#endif
