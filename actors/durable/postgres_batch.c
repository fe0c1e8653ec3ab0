/*
 * actors/durable/postgres_batch.c - a batch of operations: what is asked together, in which order, and again.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. The store's process only.
 * Ask first: what is asked with what, and in which order.
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
 * What the server would not let be done, because of a lock say, is asked again, until its answer does not come in time.
 * When the connection is lost on the way, those that are not DONE are asked again over another. Each may have been
 * done already; then it says the same as before, and is a duplicate. Only a claim names nothing: what its
 * owner, which is drawn for each, holds already is looked for before.
 */
#include "actors/durable/postgres_batch.h"

#include "actors/durable/postgres_answer.h"
#include "actors/durable/postgres_question.h"

#include <errno.h>
#include <stdlib.h>

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
    batch->was_sent = false;
    batch->settled.size = batch->queues.size = 0;
    for (size_t i = 0; i < count; i++) {
        batch->items[i] = (struct copi_postgres_item){.op = ops[i], .position = i};
    }
    qsort(batch->items, count, sizeof *batch->items, by_id);
    give_turns(batch);
    return 0;
}

void
copi_postgres_batch_free(struct copi_postgres_batch *batch)
{
    PQclear(batch->rows);
    free(batch->items);
    free(batch->members);
    free(batch->questions);
    copi_postgres_news_free(&batch->settled);
    copi_postgres_news_free(&batch->queues);
    *batch = (struct copi_postgres_batch){0};
}

/* ---------------------------------------------------------------- what is asked together */

static bool
belongs(const struct copi_postgres_item *item, cop_store_kind kind, unsigned turn)
{
    return item->progress == COPI_POSTGRES_TO_DO && item->turn == turn && item->op->kind == kind
           && !item->alone;
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
    for (size_t kind = 0; kind <= COP_STORE_PRUNE; kind++) {
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
        if (item->progress == COPI_POSTGRES_TO_DO && item->turn == turn && item->alone) {
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
        if (batch->items[i].progress == COPI_POSTGRES_UNSURE) {
            put_into(question, &batch->items[i]);
        }
    }
    close_question(batch, question);
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
        batch->items[i].asked |= batch->items[i].progress == COPI_POSTGRES_TO_DO;
    }
}

static int
ask_and_hear(struct copi_postgres_batch *batch, struct copi_postgres_link *link, cop_time until)
{
    int error = 0;
    for (size_t i = 0; i < batch->asked && error == 0; i++) {
        forget(&batch->questions[i]);
        error = copi_postgres_question_ask(&batch->questions[i], link);
    }
    batch->was_sent |= link->unanswered > 0 || error == -EREMOTEIO;
    for (size_t i = 0; i < batch->asked && error == 0; i++) {
        error = copi_postgres_hear(batch, link, &batch->questions[i], until);
    }
    if (error == -EREMOTEIO) {
        remember_asked(batch);
    } else if (error) {
        copi_postgres_close(link); /* with answers that nobody will read */
    }
    return error;
}

static bool
has_any(const struct copi_postgres_batch *batch, enum copi_postgres_progress progress,
        unsigned turn)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].progress == progress && batch->items[i].turn == turn) {
            return true;
        }
    }
    return false;
}

int
copi_postgres_batch_run(struct copi_postgres_batch *batch, struct copi_postgres_link *link,
                        cop_time until)
{
    int error = 0;
    for (unsigned turn = 0; turn < batch->turns && error == 0; turn++) {
        while (error == 0
               && (has_any(batch, COPI_POSTGRES_TO_DO, turn)
                   || has_any(batch, COPI_POSTGRES_UNSURE, turn))) {
            plan(batch, turn);
            error = ask_and_hear(batch, link, until);
            if (error == 0) {
                plan_second_look(batch);
                error = ask_and_hear(batch, link, until);
            }
        }
    }
    return error;
}
