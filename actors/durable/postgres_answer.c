/*
 * actors/durable/postgres_answer.c - rows as records, and what they say of the operations that were asked.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 * Touch freely: what a record has. Ask first: what no row means.
 *
 * Where something was to be changed, a row says that it is; about whom there is none, that is unsure: what is stored is
 * read in another statement, and cop_store_judge says why. Where something was to be found, the rows are what
 * there is.
 *
 * When a statement over several is refused because of the bytes of one, each gets a statement of its own, so that
 * it harms nobody else.
 */
#include "actors/durable/postgres_answer.h"

#include "actors/durable/postgres_statements.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- rows */

static const char *
text_field(const PGresult *rows, int row, int column)
{
    return PQgetvalue(rows, row, COPI_POSTGRES_RECORD + column);
}

static int64_t
number_field(const PGresult *rows, int row, int column)
{
    return copi_postgres_field_number(rows, row, COPI_POSTGRES_RECORD + column);
}

static cop_time
time_field(const PGresult *rows, int row, int column)
{
    return copi_postgres_field_time(rows, row, COPI_POSTGRES_RECORD + column);
}

static cop_bytes
bytes_field(const PGresult *rows, int row, int column)
{
    return copi_postgres_field(rows, row, COPI_POSTGRES_RECORD + column);
}

/* It points into the rows. */
static cop_durable_record
record_of(const PGresult *rows, int row)
{
    cop_durable_record record = {
        .id = text_field(rows, row, COPI_COLUMN_ID),
        .queue = text_field(rows, row, COPI_COLUMN_QUEUE),
        .tags = text_field(rows, row, COPI_COLUMN_TAGS),
        .state = (cop_durable_state)number_field(rows, row, COPI_COLUMN_STATE),
        .cause = (cop_durable_cause)number_field(rows, row, COPI_COLUMN_CAUSE),
        .code = (int)number_field(rows, row, COPI_COLUMN_CODE),
        .text = text_field(rows, row, COPI_COLUMN_MESSAGE),
        .param = bytes_field(rows, row, COPI_COLUMN_PARAM),
        .value = bytes_field(rows, row, COPI_COLUMN_VALUE),
        .create_key = bytes_field(rows, row, COPI_COLUMN_CREATE_KEY),
        .settle_key = bytes_field(rows, row, COPI_COLUMN_SETTLE_KEY),
        .created_ms = number_field(rows, row, COPI_COLUMN_CREATED_MS),
        .settled_ms = number_field(rows, row, COPI_COLUMN_SETTLED_MS),
        .deadline_ms = number_field(rows, row, COPI_COLUMN_DEADLINE_MS),
        .epoch = (uint64_t)number_field(rows, row, COPI_COLUMN_EPOCH),
        .lease_left = time_field(rows, row, COPI_COLUMN_LEASE_LEFT_US),
        .attempts = (unsigned)number_field(rows, row, COPI_COLUMN_ATTEMPTS),
        .max_attempts = (unsigned)number_field(rows, row, COPI_COLUMN_MAX_ATTEMPTS),
        .is_overdue = number_field(rows, row, COPI_COLUMN_OVERDUE) != 0,
    };
    cop_bytes owner = bytes_field(rows, row, COPI_COLUMN_OWNER);
    if (owner.size == sizeof record.owner) {
        memcpy(&record.owner, owner.data, owner.size);
    }
    return record;
}

static int
member_by_id(const void *id, const void *member)
{
    const struct copi_postgres_item *const *item = member;
    return strcmp(id, (*item)->op->id);
}

/* The member that a row is about. What an INSERT returns cannot say which element it was. */
static struct copi_postgres_item *
member_of(const struct copi_postgres_question *question, const PGresult *rows, int row)
{
    if (question->kind == COP_STORE_CREATE) {
        struct copi_postgres_item **found =
            bsearch(text_field(rows, row, COPI_COLUMN_ID), question->members, question->count,
                    sizeof *question->members, member_by_id);
        return found ? *found : NULL;
    }
    int64_t element = copi_postgres_field_number(rows, row, COPI_POSTGRES_ELEMENT);
    return element < 1 || (size_t)element > question->count ? NULL : question->members[element - 1];
}

/* ---------------------------------------------------------------- answers */

static void
let_go(struct copi_postgres_batch *batch)
{
    PQclear(batch->rows);
    batch->rows = NULL;
}

/* A row: the statement has changed something for this one. */
static int
take_change(struct copi_postgres_batch *batch, struct copi_postgres_item *item, int row)
{
    cop_store_op *op = item->op;
    item->progress = COPI_POSTGRES_DONE;
    if (op->kind == COP_STORE_CREATE && op->queue && *op->queue) {
        copi_postgres_news_add(&batch->queues, op->queue);
    }
    if (op->kind == COP_STORE_CREATE && op->time < 0) {
        item->is_new = true; /* it is overdue already: what it is now is found */
        item->progress = COPI_POSTGRES_UNSURE;
    }
    if (op->kind == COP_STORE_SETTLE) {
        copi_postgres_news_add(&batch->settled, op->id);
        /* rejected by the deadline instead? */
        bool is_as_asked = number_field(batch->rows, row, 0) == (int64_t)op->cause;
        item->progress = is_as_asked ? COPI_POSTGRES_DONE : COPI_POSTGRES_UNSURE;
    }
    if (op->kind == COP_STORE_RELEASE && *text_field(batch->rows, row, 0)) {
        copi_postgres_news_add(&batch->queues, text_field(batch->rows, row, 0));
    }
    if (op->kind == COP_STORE_RENEW) {
        op->left = time_field(batch->rows, row, 0);
    }
    if (op->kind == COP_STORE_ACQUIRE) {
        cop_durable_record record = record_of(batch->rows, row);
        return cop_store_found(op, &record);
    }
    return 0;
}

static int
take_changes(struct copi_postgres_batch *batch, const struct copi_postgres_question *question)
{
    int error = 0;
    for (size_t i = 0; i < question->count; i++) {
        question->members[i]->progress = COPI_POSTGRES_UNSURE;
    }
    for (int row = 0; row < PQntuples(batch->rows) && error == 0; row++) {
        struct copi_postgres_item *item = member_of(question, batch->rows, row);
        error = item ? take_change(batch, item, row) : -EIO;
    }
    return error;
}

/* Of a settle whose answer was lost nobody else may have heard yet. */
static int
judge(struct copi_postgres_batch *batch, struct copi_postgres_item *item,
      const cop_durable_record *record)
{
    item->progress = COPI_POSTGRES_DONE;
    if (item->is_new && record) {
        return cop_store_found(item->op, record);
    }
    int error = cop_store_judge(item->op, record);
    if (item->asked && item->op->kind == COP_STORE_SETTLE && item->op->result == 0) {
        copi_postgres_news_add(&batch->settled, item->op->id);
    }
    return error;
}

static int
judge_all(struct copi_postgres_batch *batch, const struct copi_postgres_question *question)
{
    int error = 0;
    for (int row = 0; row < PQntuples(batch->rows) && error == 0; row++) {
        struct copi_postgres_item *item = member_of(question, batch->rows, row);
        cop_durable_record record = record_of(batch->rows, row);
        error = item ? judge(batch, item, &record) : -EIO;
    }
    for (size_t i = 0; i < question->count && error == 0; i++) {
        struct copi_postgres_item *item = question->members[i];
        if (item->progress == COPI_POSTGRES_DONE) {
            continue;
        }
        if (item->op->kind == COP_STORE_CREATE) {
            item->progress = COPI_POSTGRES_TO_DO; /* it was there, and has been pruned meanwhile */
        } else {
            error = judge(batch, item, NULL);
        }
    }
    return error;
}

static int
take_records(struct copi_postgres_batch *batch, struct copi_postgres_item *item)
{
    cop_store_op *op = item->op;
    int rows = PQntuples(batch->rows), error = 0;
    if (item->asked && rows == 0
        && (op->kind == COP_STORE_CLAIM || op->kind == COP_STORE_INHERIT)) {
        item->asked = false; /* that claim got nothing, or was never heard */
        return 0;
    }
    for (int row = 0; row < rows && error == 0; row++) {
        cop_durable_record record = record_of(batch->rows, row);
        error = cop_store_found(op, &record);
        if (op->kind == COP_STORE_EXPIRE) {
            copi_postgres_news_add(&batch->settled, record.id);
        }
    }
    item->progress = COPI_POSTGRES_DONE;
    return error;
}

static int
take_next(struct copi_postgres_batch *batch, struct copi_postgres_link *link, cop_store_op *op,
          cop_time until)
{
    let_go(batch);
    int error = copi_postgres_answer(link, &batch->rows, until);
    if (error == 0) {
        op->left = time_field(batch->rows, 0, 0);
    }
    return error;
}

static int
take(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
     const struct copi_postgres_question *question, cop_time until)
{
    struct copi_postgres_item *first = question->members[0];
    int error;
    switch (question->kind) {
    case COP_STORE_GET:
        return judge_all(batch, question);
    case COP_STORE_PRUNE:
        first->op->count = (size_t)PQntuples(batch->rows);
        first->progress = COPI_POSTGRES_DONE;
        return 0;
    case COP_STORE_EXPIRE:
        error = take_records(batch, first);
        return error ? error : take_next(batch, link, first->op, until);
    case COP_STORE_LIST:
    case COP_STORE_CLAIM:
    case COP_STORE_INHERIT:
        return take_records(batch, first);
    default:
        return take_changes(batch, question);
    }
}

/* ---------------------------------------------------------------- refusals */

static bool
ends_the_batch(int error)
{
    return error == -EREMOTEIO || error == -ECANCELED || error == -EIO || error == -ENOMEM;
}

/* A statement was refused, and has changed nothing. */
static void
bear(const struct copi_postgres_question *question, int error)
{
    for (size_t i = 0; i < question->count; i++) {
        struct copi_postgres_item *item = question->members[i];
        if (error == -EAGAIN) {
            item->progress = question->is_second_look ? COPI_POSTGRES_UNSURE : COPI_POSTGRES_TO_DO;
        } else if (question->count > 1) {
            item->alone = true;
        } else {
            item->op->result = error;
            item->progress = COPI_POSTGRES_DONE;
        }
    }
}

/* An answer is read also when an earlier one was bad: the next is behind it. The first failure counts. */
int
copi_postgres_hear(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
                   const struct copi_postgres_question *question, cop_time until)
{
    int error = copi_postgres_answer(link, &batch->rows, until);
    if (error == 0) {
        error = take(batch, link, question, until);
    } else if (!ends_the_batch(error)) {
        bear(question, error);
        if (question->kind == COP_STORE_EXPIRE) {
            error = copi_postgres_answer(link, &batch->rows, until);
        }
        error = ends_the_batch(error) ? error : 0;
    }
    let_go(batch);
    return error;
}
