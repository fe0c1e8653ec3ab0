/*
 * actors/durable/postgres_question.h - operations that are asked together, by one statement.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_QUESTION_H
#define COPI_ACTORS_DURABLE_POSTGRES_QUESTION_H

#include "actors/durable/postgres_link.h"

enum copi_postgres_progress {
    COPI_POSTGRES_TO_DO,
    COPI_POSTGRES_UNSURE,
    COPI_POSTGRES_DONE,
};

/* An operation of a batch. */
struct copi_postgres_item {
    cop_store_op *op;
    size_t position;
    unsigned turn;
    enum copi_postgres_progress progress;
    bool alone;  /* a statement of its own */
    bool asked;  /* before: its answer was lost */
    bool is_new; /* a create that has created, and yet something is found */
};

/* A statement under way. */
struct copi_postgres_question {
    cop_store_kind kind;
    bool is_second_look;
    struct copi_postgres_item **members; /* in the order of ids, where it is about those */
    size_t count;                        /* 1 at least */
};

/* Ask it: one statement; of COP_STORE_EXPIRE two, and there are two answers. As copi_postgres_ask. */
int copi_postgres_question_ask(const struct copi_postgres_question *question,
                               struct copi_postgres_link *link);

#endif
