/*
 * actors/durable/postgres_question.c - operations as a statement, and its parameters.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 * Touch freely: how parameters are gathered. Ask first: what is asked with what.
 *
 * Operations of one kind that name an id are one statement over arrays, an element each; each of the others is one of
 * its own. What users say is never part of a statement's text: all of it is a parameter.
 *
 * Nothing here waits, so nothing can leave from here: the parameters are freed where they were made.
 */
#include "actors/durable/postgres_question.h"

#include "actors/durable/postgres_statements.h"

enum {
    VALUES_MOST = 9,           /* of a statement */
    MICROSECONDS_OF_ONE = 1000 /* millisecond */
};

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
    copi_postgres_add_number(&values[6], op->max_attempts);
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

/* ---------------------------------------------------------------- statements */

/* Those over arrays: the first is the ids. */
static const struct form {
    const char *statement;
    void (*add)(struct copi_postgres_value values[], const cop_store_op *op);
    int count;
    Oid types[VALUES_MOST];
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
ask_for_all(struct copi_postgres_value values[], struct copi_postgres_link *link,
            const struct copi_postgres_question *question)
{
    const struct form *form = &forms[question->kind];
    for (int i = 0; i < form->count; i++) {
        copi_postgres_array(&values[i], form->types[i]);
    }
    for (size_t i = 0; i < question->count; i++) {
        copi_postgres_add_bytes(&values[0], COP_TEXT(question->members[i]->op->id));
        form->add(values, question->members[i]->op);
    }
    return copi_postgres_ask(link, form->statement, values, form->count);
}

static int
ask_for_one(struct copi_postgres_value values[], struct copi_postgres_link *link,
            const cop_store_op *op)
{
    copi_postgres_bytes(&values[0], COPI_POSTGRES_TEXT, COP_TEXT(op->id));
    return copi_postgres_ask(link, copi_postgres_get_one, values, 1);
}

static int
ask_for_work(struct copi_postgres_value values[], struct copi_postgres_link *link,
             const struct copi_postgres_item *item)
{
    const cop_store_op *op = item->op;
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
ask_for_list(struct copi_postgres_value values[], struct copi_postgres_link *link,
             const cop_store_op *op)
{
    copi_postgres_bytes(&values[0], COPI_POSTGRES_TEXT, text_or_empty(op->id));
    copi_postgres_bytes(&values[1], COPI_POSTGRES_TEXT, text_or_null(op->queue));
    copi_postgres_bytes(&values[2], COPI_POSTGRES_TEXT, text_or_null(op->tags));
    copi_postgres_number(&values[3], (int64_t)op->limit);
    return copi_postgres_ask(link, copi_postgres_list, values, 4);
}

/* Two statements, two answers. */
static int
ask_to_expire(struct copi_postgres_value values[], struct copi_postgres_link *link,
              const cop_store_op *op)
{
    copi_postgres_number(&values[0], (int64_t)op->limit);
    int error = copi_postgres_ask(link, copi_postgres_expire, values, 1);
    return error ? error : copi_postgres_ask(link, copi_postgres_next, NULL, 0);
}

static int
ask_to_prune(struct copi_postgres_value values[], struct copi_postgres_link *link,
             const cop_store_op *op)
{
    copi_postgres_number(&values[0], microseconds(op->time));
    copi_postgres_number(&values[1], (int64_t)op->limit);
    return copi_postgres_ask(link, copi_postgres_prune, values, 2);
}

static int
ask(struct copi_postgres_value values[], struct copi_postgres_link *link,
    const struct copi_postgres_question *question)
{
    const struct copi_postgres_item *first = question->members[0];
    switch (question->kind) {
    case COP_STORE_GET:
        return question->count == 1 ? ask_for_one(values, link, first->op)
                                    : ask_for_all(values, link, question);
    case COP_STORE_CLAIM:
    case COP_STORE_INHERIT:
        return ask_for_work(values, link, first);
    case COP_STORE_LIST:
        return ask_for_list(values, link, first->op);
    case COP_STORE_EXPIRE:
        return ask_to_expire(values, link, first->op);
    case COP_STORE_PRUNE:
        return ask_to_prune(values, link, first->op);
    default:
        return ask_for_all(values, link, question);
    }
}

int
copi_postgres_question_ask(const struct copi_postgres_question *question,
                           struct copi_postgres_link *link)
{
    struct copi_postgres_value values[VALUES_MOST] = {0};
    int error = ask(values, link, question);
    copi_postgres_values_free(values, VALUES_MOST);
    return error;
}
