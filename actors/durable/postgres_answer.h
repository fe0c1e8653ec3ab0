/*
 * actors/durable/postgres_answer.h - what the answer to a question says of its operations.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_ANSWER_H
#define COPI_ACTORS_DURABLE_POSTGRES_ANSWER_H

#include "actors/durable/postgres_batch.h"
#include "actors/durable/postgres_question.h"

/* Wait for the answer to the oldest question, `question`, and note it in its members. What others may wait for is added
 * to the batch's news. 0, also when the statement was refused; or why the batch cannot go on with this connection,
 * as copi_postgres_batch_run. Exit point: yes; what has been read then is in batch->rows. */
int copi_postgres_hear(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
                       const struct copi_postgres_question *question, cop_time until);

#endif
