/*
 * actors/durable/postgres_batch.c - a batch of operations as statements.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 * Touch freely: how parameters are gathered. Ask first: what is asked with what, and in which order.
 *
 * Operations of one kind that name an id are one statement over arrays; each of the others is one of its own. All
 * statements are sent before the first answer is read: one round trip. Each is a transaction, so two batches of
 * different processes never wait for each other in a circle: a statement takes its locks in the order of ids,
 * or waits for none.
 *
 * Of one id a statement can do one thing. So the operations of an id have turns: the first of each id, then the
 * second of each, and so on. In most batches there is one turn. Operations without an id have the last.
 *
 * An operation is
 *
 *   TO_DO    sent with its turn
 *   UNSURE   its statement has changed nothing: what is stored is read, in another statement, since the snapshot of
 *            the first may be older than what it found locked, and cop_store_judge says why
 *   DONE     it has its result, which is durable
 *
 * When the connection is lost on the way, those that are not DONE are asked again over another. Each may have been
 * done already; then it says the same as before, and is a duplicate. Only a claim names nothing: what its
 * owner, which is drawn for each, holds already is looked for before.
 *
 * When a statement over several is refused because of the bytes of one, each gets a statement of its own, so that
 * it harms nobody else.
 */
#include "actors/durable/postgres_batch.h"

#include "actors/durable/postgres_statements.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum {
    MICROSECONDS_OF_ONE = 1000 /* millisecond */
};

enum progress {
    TO_DO,
    UNSURE,
    DONE,
};

struct copi_postgres_item {
    cop_store_op *op;
    size_t position;
    unsigned turn;
    enum progress progress;
    bool alone;  /* a statement of its own */
    bool asked;  /* before: its answer was lost */
    bool is_new; /* a create that has created, and yet something is found */
};

/* A statement under way. */
struct copi_postgres_question {
    cop_store_kind kind;
    bool is_second_look;
    struct copi_postgres_item **members;
    size_t count;
};

/* ---------------------------------------------------------------- turns */

static const char *
key_of(const struct copi_postgres_item *item)
{
    return cop_store_is_of_one(item->op) ? item->op->id : "";
}

static int
by_id(const void *left, const void *right)
{
    const struct copi_postgres_item *a = left, *b = right;
    int order = strcmp(key_of(a), key_of(b));
    return order != 0 ? order : (a->position > b->position) - (a->position < b->position);
}

static void
give_turns(struct copi_postgres_batch *batch)
{
    struct copi_postgres_item *items = batch->items;
    batch->turns = 1;
    for (size_t i = 1; i < batch->count; i++) {
        bool is_same =
            cop_store_is_of_one(items[i].op) && strcmp(key_of(&items[i - 1]), items[i].op->id) == 0;
        items[i].turn = is_same ? items[i - 1].turn + 1 : 0;
        batch->turns = items[i].turn >= batch->turns ? items[i].turn + 1 : batch->turns;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!cop_store_is_of_one(items[i].op)) {
            items[i].turn = batch->turns;
            items[i].alone = true;
        }
    }
    batch->turns++;
}

static int
make_room(struct copi_postgres_batch *batch, size_t count)
{
    if (count <= batch->room) {
        return 0;
    }
    copi_postgres_batch_free(batch);
    batch->items = malloc(count * sizeof *batch->items);
    batch->members = malloc(count * sizeof *batch->members);
    batch->questions = malloc((count + 1) * sizeof *batch->questions); /* and one without members */
    if (!batch->items || !batch->members || !batch->questions) {
        copi_postgres_batch_free(batch);
        return -ENOMEM;
    }
    batch->room = count;
    return 0;
}

int
copi_postgres_batch_begin(struct copi_postgres_batch *batch, cop_store_op *const *ops, size_t count)
{
    int error = make_room(batch, count);
    if (error) {
        return error;
    }
    batch->count = count;
    batch->settled.size = batch->queues.size = 0;
    for (size_t i = 0; i < count; i++) {
        batch->items[i] = (struct copi_postgres_item){.op = ops[i], .position = i};
    }
    qsort(batch->items, count, sizeof *batch->items, by_id);
    give_turns(batch);
    return 0;
}

static void
let_go(struct copi_postgres_batch *batch)
{
    PQclear(batch->rows);
    batch->rows = NULL;
    copi_postgres_values_free(batch->values, COPI_POSTGRES_VALUES_MOST);
}

void
copi_postgres_batch_free(struct copi_postgres_batch *batch)
{
    let_go(batch);
    free(batch->items);
    free(batch->members);
    free(batch->questions);
    copi_postgres_news_free(&batch->settled);
    copi_postgres_news_free(&batch->queues);
    *batch = (struct copi_postgres_batch){0};
}

/* ---------------------------------------------------------------- parameters */

static cop_bytes
text_or_empty(const char *text)
{
    return COP_TEXT(text ? text : "");
}

static cop_bytes
text_or_null(const char *text)
{
    return text ? COP_TEXT(text) : (cop_bytes){0};
}

static cop_bytes
key_or_null(cop_bytes key)
{
    return key.size > 0 ? key : (cop_bytes){0};
}

static cop_bytes
owner_or_null(const cop_owner *owner)
{
    static const cop_owner nobody;
    return memcmp(owner, &nobody, sizeof nobody) != 0 ? COP_BYTES(*owner) : (cop_bytes){0};
}

static int64_t
microseconds(cop_time time)
{
    return time / COP_US(1);
}

static int64_t
at_most_an_int(unsigned number)
{
    return number < INT_MAX ? number : INT_MAX;
}

static void
add_create(struct copi_postgres_value values[], const cop_store_op *op)
{
    copi_postgres_add_bytes(&values[1], text_or_empty(op->queue));
    copi_postgres_add_bytes(&values[2], text_or_empty(op->tags));
    copi_postgres_add_bytes(&values[3], op->param);
    if (op->time == 0) {
        copi_postgres_add_bytes(&values[4], (cop_bytes){0});
    } else {
        copi_postgres_add_number(&values[4], cop_store_ms(op->time) * MICROSECONDS_OF_ONE);
    }
    copi_postgres_add_bytes(&values[5], key_or_null(op->key));
    copi_postgres_add_number(&values[6], at_most_an_int(op->max_attempts));
}

static void
add_fence(struct copi_postgres_value values[], const cop_store_op *op)
{
    copi_postgres_add_number(&values[1], (int64_t)op->epoch);
    copi_postgres_add_bytes(&values[2], owner_or_null(&op->owner));
}

static void
add_settle(struct copi_postgres_value values[], const cop_store_op *op)
{
    add_fence(values, op);
    copi_postgres_add_number(&values[3], op->state);
    copi_postgres_add_number(&values[4], op->cause);
    copi_postgres_add_number(&values[5], op->code);
    copi_postgres_add_bytes(&values[6], text_or_empty(op->text));
    copi_postgres_add_bytes(&values[7], op->value);
    copi_postgres_add_bytes(&values[8], key_or_null(op->key));
}

static void
add_acquire(struct copi_postgres_value values[], const cop_store_op *op)
{
    copi_postgres_add_bytes(&values[1], owner_or_null(&op->owner));
    copi_postgres_add_number(&values[2], microseconds(op->time));
}

static void
add_renew(struct copi_postgres_value values[], const cop_store_op *op)
{
    add_fence(values, op);
    copi_postgres_add_number(&values[3], microseconds(op->time));
}

static void
add_nothing(struct copi_postgres_value values[], const cop_store_op *op)
{
    (void)values;
    (void)op;
}

/* Those over arrays: the first is the ids. */
static const struct form {
    const char *statement;
    void (*add)(struct copi_postgres_value values[], const cop_store_op *op);
    int count;
    Oid types[COPI_POSTGRES_VALUES_MOST];
} forms[] = {
    [COP_STORE_CREATE] = {copi_postgres_create,
                          add_create,
                          7,
                          {COPI_POSTGRES_TEXT_ARRAY, COPI_POSTGRES_TEXT_ARRAY,
                           COPI_POSTGRES_TEXT_ARRAY, COPI_POSTGRES_BYTEA_ARRAY,
                           COPI_POSTGRES_INT8_ARRAY, COPI_POSTGRES_BYTEA_ARRAY,
                           COPI_POSTGRES_INT8_ARRAY}},
    [COP_STORE_GET] = {copi_postgres_get, add_nothing, 1, {COPI_POSTGRES_TEXT_ARRAY}},
    [COP_STORE_SETTLE] = {copi_postgres_settle,
                          add_settle,
                          9,
                          {COPI_POSTGRES_TEXT_ARRAY, COPI_POSTGRES_INT8_ARRAY,
                           COPI_POSTGRES_UUID_ARRAY, COPI_POSTGRES_INT8_ARRAY,
                           COPI_POSTGRES_INT8_ARRAY, COPI_POSTGRES_INT8_ARRAY,
                           COPI_POSTGRES_BYTEA_ARRAY, COPI_POSTGRES_BYTEA_ARRAY,
                           COPI_POSTGRES_BYTEA_ARRAY}},
    [COP_STORE_ACQUIRE] = {copi_postgres_acquire,
                           add_acquire,
                           3,
                           {COPI_POSTGRES_TEXT_ARRAY, COPI_POSTGRES_UUID_ARRAY,
                            COPI_POSTGRES_INT8_ARRAY}},
    [COP_STORE_RENEW] = {copi_postgres_renew,
                         add_renew,
                         4,
                         {COPI_POSTGRES_TEXT_ARRAY, COPI_POSTGRES_INT8_ARRAY,
                          COPI_POSTGRES_UUID_ARRAY, COPI_POSTGRES_INT8_ARRAY}},
    [COP_STORE_RELEASE] = {copi_postgres_release,
                           add_fence,
                           3,
                           {COPI_POSTGRES_TEXT_ARRAY, COPI_POSTGRES_INT8_ARRAY,
                            COPI_POSTGRES_UUID_ARRAY}},
};

static int
ask_for_all(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
            const struct copi_postgres_question *question)
{
    const struct form *form = &forms[question->kind];
    for (int i = 0; i < form->count; i++) {
        copi_postgres_array(&batch->values[i], form->types[i]);
    }
    for (size_t i = 0; i < question->count; i++) {
        copi_postgres_add_bytes(&batch->values[0], COP_TEXT(question->members[i]->op->id));
        form->add(batch->values, question->members[i]->op);
    }
    return copi_postgres_ask(link, form->statement, batch->values, form->count);
}

static int
ask_for_work(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
             const struct copi_postgres_item *item)
{
    const cop_store_op *op = item->op;
    struct copi_postgres_value *values = batch->values;
    copi_postgres_bytes(&values[0], COPI_POSTGRES_TEXT, text_or_empty(op->queue));
    copi_postgres_bytes(&values[1], COPI_POSTGRES_UUID, COP_BYTES(op->owner));
    if (item->asked) {
        return copi_postgres_ask(link, copi_postgres_held, values, 2);
    }
    copi_postgres_number(&values[2], microseconds(op->time));
    copi_postgres_number(&values[3], (int64_t)op->limit);
    return copi_postgres_ask(
        link, op->kind == COP_STORE_CLAIM ? copi_postgres_claim : copi_postgres_inherit, values, 4);
}

static int
ask_for_list(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
             const cop_store_op *op)
{
    copi_postgres_bytes(&batch->values[0], COPI_POSTGRES_TEXT, text_or_empty(op->id));
    copi_postgres_bytes(&batch->values[1], COPI_POSTGRES_TEXT, text_or_null(op->queue));
    copi_postgres_bytes(&batch->values[2], COPI_POSTGRES_TEXT, text_or_null(op->tags));
    copi_postgres_number(&batch->values[3], (int64_t)op->limit);
    return copi_postgres_ask(link, copi_postgres_list, batch->values, 4);
}

/* Two statements, two answers. */
static int
ask_to_expire(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
              const cop_store_op *op)
{
    copi_postgres_number(&batch->values[0], (int64_t)op->limit);
    int error = copi_postgres_ask(link, copi_postgres_expire, batch->values, 1);
    return error ? error : copi_postgres_ask(link, copi_postgres_next, NULL, 0);
}

static int
ask_to_prune(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
             const cop_store_op *op)
{
    copi_postgres_number(&batch->values[0], microseconds(op->time));
    copi_postgres_number(&batch->values[1], (int64_t)op->limit);
    return copi_postgres_ask(link, copi_postgres_prune, batch->values, 2);
}

static int
ask(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
    const struct copi_postgres_question *question)
{
    const struct copi_postgres_item *first = question->members[0];
    int error;
    switch (question->kind) {
    case COP_STORE_CLAIM:
    case COP_STORE_INHERIT:
        error = ask_for_work(batch, link, first);
        break;
    case COP_STORE_LIST:
        error = ask_for_list(batch, link, first->op);
        break;
    case COP_STORE_EXPIRE:
        error = ask_to_expire(batch, link, first->op);
        break;
    case COP_STORE_PRUNE:
        error = ask_to_prune(batch, link, first->op);
        break;
    default:
        error = ask_for_all(batch, link, question);
        break;
    }
    copi_postgres_values_free(batch->values, COPI_POSTGRES_VALUES_MOST);
    return error;
}

/* ---------------------------------------------------------------- what is asked together */

static bool
belongs(const struct copi_postgres_item *item, cop_store_kind kind, unsigned turn)
{
    return item->progress == TO_DO && item->turn == turn && item->op->kind == kind && !item->alone;
}

static struct copi_postgres_question *
open_question(struct copi_postgres_batch *batch, cop_store_kind kind, bool is_second_look)
{
    struct copi_postgres_question *question = &batch->questions[batch->asked];
    *question = (struct copi_postgres_question){.kind = kind, .is_second_look = is_second_look};
    question->members = batch->members + batch->used;
    return question;
}

static void
put_into(struct copi_postgres_question *question, struct copi_postgres_item *item)
{
    question->members[question->count++] = item;
}

static void
close_question(struct copi_postgres_batch *batch, const struct copi_postgres_question *question)
{
    batch->used += question->count;
    batch->asked += question->count > 0;
}

static void
plan(struct copi_postgres_batch *batch, unsigned turn)
{
    batch->asked = batch->used = 0;
    for (size_t kind = 0; kind < sizeof forms / sizeof forms[0]; kind++) {
        struct copi_postgres_question *question = open_question(batch, (cop_store_kind)kind, false);
        for (size_t i = 0; i < batch->count; i++) {
            if (belongs(&batch->items[i], (cop_store_kind)kind, turn)) {
                put_into(question, &batch->items[i]);
            }
        }
        close_question(batch, question);
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct copi_postgres_item *item = &batch->items[i];
        if (item->progress == TO_DO && item->turn == turn && item->alone) {
            struct copi_postgres_question *question = open_question(batch, item->op->kind, false);
            put_into(question, item);
            close_question(batch, question);
        }
    }
}

static void
plan_second_look(struct copi_postgres_batch *batch)
{
    batch->asked = batch->used = 0;
    struct copi_postgres_question *question = open_question(batch, COP_STORE_GET, true);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].progress == UNSURE) {
            put_into(question, &batch->items[i]);
        }
    }
    close_question(batch, question);
}

/* ---------------------------------------------------------------- answers */

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
        .lease_left = COP_US(number_field(rows, row, COPI_COLUMN_LEASE_LEFT_US)),
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

/* A row: the statement has changed something for this one. */
static int
take_change(struct copi_postgres_batch *batch, struct copi_postgres_item *item, int row)
{
    cop_store_op *op = item->op;
    item->progress = DONE;
    if (op->kind == COP_STORE_CREATE && op->queue && *op->queue) {
        copi_postgres_news_add(&batch->queues, op->queue);
    }
    if (op->kind == COP_STORE_CREATE && op->time < 0) {
        item->is_new = true; /* it is overdue already: what it is now is found */
        item->progress = UNSURE;
    }
    if (op->kind == COP_STORE_SETTLE) {
        copi_postgres_news_add(&batch->settled, op->id);
        /* rejected by the deadline instead? */
        bool is_as_asked = number_field(batch->rows, row, 0) == (int64_t)op->cause;
        item->progress = is_as_asked ? DONE : UNSURE;
    }
    if (op->kind == COP_STORE_RELEASE && *text_field(batch->rows, row, 0)) {
        copi_postgres_news_add(&batch->queues, text_field(batch->rows, row, 0));
    }
    if (op->kind == COP_STORE_RENEW) {
        op->left = COP_US(number_field(batch->rows, row, 0));
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
        question->members[i]->progress = UNSURE;
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
    item->progress = DONE;
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
        if (item->progress == DONE) {
            continue;
        }
        if (item->op->kind == COP_STORE_CREATE) {
            item->progress = TO_DO; /* it was there, and has been pruned meanwhile */
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
    item->progress = DONE;
    return error;
}

static int
take_next(struct copi_postgres_batch *batch, struct copi_postgres_link *link, cop_store_op *op,
          cop_time until)
{
    PQclear(batch->rows);
    batch->rows = NULL;
    int error = copi_postgres_answer(link, &batch->rows, until);
    if (error == 0) {
        bool is_any = !PQgetisnull(batch->rows, 0, COPI_POSTGRES_RECORD);
        op->left = is_any ? COP_US(number_field(batch->rows, 0, 0)) : COP_FOREVER;
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
        first->progress = DONE;
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
            item->progress = question->is_second_look ? UNSURE : TO_DO;
        } else if (question->count > 1) {
            item->alone = true;
        } else {
            item->op->result = error;
            item->progress = DONE;
        }
    }
}

/* An answer is read also when an earlier one was bad: the next is behind it. The first failure counts. */
static int
hear(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
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

/* ---------------------------------------------------------------- the whole */

static void
forget(const struct copi_postgres_question *question)
{
    for (size_t i = 0; i < question->count; i++) {
        cop_store_forget(question->members[i]->op);
    }
}

static void
remember_asked(const struct copi_postgres_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i].asked |= batch->items[i].progress == TO_DO;
    }
}

static int
ask_and_hear(struct copi_postgres_batch *batch, struct copi_postgres_link *link, cop_time until)
{
    int error = 0;
    for (size_t i = 0; i < batch->asked && error == 0; i++) {
        forget(&batch->questions[i]);
        error = ask(batch, link, &batch->questions[i]);
    }
    for (size_t i = 0; i < batch->asked && error == 0; i++) {
        error = hear(batch, link, &batch->questions[i], until);
    }
    if (error == -EREMOTEIO) {
        remember_asked(batch);
    } else if (error) {
        copi_postgres_close(link); /* with answers that nobody will read */
    }
    return error;
}

static bool
has_any(const struct copi_postgres_batch *batch, enum progress progress, unsigned turn)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].progress == progress && batch->items[i].turn == turn) {
            return true;
        }
    }
    return false;
}

/* What is still to be done, though nobody would let it, when the time is over. */
static int
give_up_waiting(const struct copi_postgres_batch *batch, cop_time until)
{
    if (cop_now() < until) {
        return 0;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].progress != DONE) {
            batch->items[i].op->result = -EAGAIN;
            batch->items[i].progress = DONE;
        }
    }
    return 0;
}

int
copi_postgres_batch_run(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
                        cop_time until)
{
    int error = 0;
    for (unsigned turn = 0; turn < batch->turns && error == 0; turn++) {
        while (error == 0 && (has_any(batch, TO_DO, turn) || has_any(batch, UNSURE, turn))) {
            plan(batch, turn);
            error = ask_and_hear(batch, link, until);
            if (error == 0) {
                plan_second_look(batch);
                error = ask_and_hear(batch, link, until);
            }
            error = error ? error : give_up_waiting(batch, until);
        }
    }
    return error;
}
