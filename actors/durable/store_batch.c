/*
 * actors/durable/store_batch.c - a batch of operations: run, published, answered.
 *
 * Room: actors/durable/. The store's process.
 * Touch freely: how much is in a batch. Ask first: the order of the steps below.
 *
 * The order is the whole point of a durable promise:
 *
 *   1. the backend runs the batch and returns: what it says is on the disk
 *   2. futures are settled ("published")
 *   3. those who asked are answered
 *
 * Whatever this process shows, by get, by a future, by an answer, is 2 or later. Operations are looked
 * at in the order in which they were run: a recovery that has found a promise pending makes its future before
 * the settle behind it, in the same batch, settles it; one behind it finds it settled. So none is
 * missed, and there is nothing to be compared.
 *
 * A promise whose deadline has passed is settled, but this may not be on the disk yet. Who finds it so
 * (is_overdue) gets his answer when it is: it is settled by an operation in a batch that follows at once.
 *
 * When run() fails, nothing of the batch is believed, and all of it gets that error. A failed sync closes
 * the store to writes, too, and it is never tried again: the kernel may have dropped what it could not write,
 * and say yes next time. The data is opened anew, and believed as it is then.
 */
#include "actors/durable/store.h"

#include <coppice/log.h>
#include <coppice/worker.h>

#include <errno.h>

enum {
    AT_ONCE = 32 /* operations of our own, on the stack */
};

/* ---------------------------------------------------------------- overdue */

static int
run(struct copi_store *store, cop_store_op *const ops[], size_t count, cop_reason *why)
{
    *why = COP_REASON_NORMAL;
    copi_store_trace(store, "begin");
    int r = store->backend->run(store->data, ops, count, why);
    if (r == 0) {
        copi_store_trace(store, "committed");
    }
    return r;
}

static bool
is_overdue(const cop_store_op *op)
{
    return op->first && op->first->is_overdue;
}

/* On the disk, it is what the records say already. */
static int
store_overdue(struct copi_store *store, cop_store_op *const found[], size_t count)
{
    cop_store_op settles[AT_ONCE] = {0}, *ops[AT_ONCE] = {0};
    cop_reason why;
    for (size_t i = 0; i < count; i++) {
        settles[i] = (cop_store_op){
            .kind = COP_STORE_SETTLE,
            .id = found[i]->first->id,
            .state = COP_DURABLE_REJECTED,
            .cause = COP_DURABLE_DEADLINE,
            .code = -ETIME,
        };
        ops[i] = &settles[i];
    }
    int r = store->closed ? -EROFS : run(store, ops, count, &why);
    for (size_t i = 0; i < count; i++) {
        cop_store_forget(&settles[i]);
        if (r) {
            cop_store_forget(found[i]);
            found[i]->result = r;
        } else {
            found[i]->first->is_overdue = false;
        }
    }
    return r;
}

static void
store_all_overdue(struct copi_store *store, cop_store_op *const ops[], size_t count)
{
    cop_store_op *found[AT_ONCE];
    size_t many = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_overdue(ops[i])) {
            found[many++] = ops[i];
        }
        if (many == AT_ONCE || (many > 0 && i == count - 1)) {
            copi_store_failed(store, store_overdue(store, found, many));
            many = 0;
        }
    }
}

/* ---------------------------------------------------------------- publishing */

/* What an operation has done and not shown: a settle that was the first. */
static void
publish_settle(struct copi_store *store, const cop_store_op *op)
{
    copi_awaited_settle(&store->awaited, &(cop_durable_record){
                                             .id = op->id,
                                             .state = op->state,
                                             .cause = op->cause,
                                             .code = op->code,
                                             .text = op->text,
                                             .value = op->value,
                                         });
}

/* Work for somebody. What was given back names no queue. */
static void
publish_work(const cop_store_op *op)
{
    if (op->result != 0 || op->is_duplicate) {
        return;
    }
    if (op->kind == COP_STORE_CREATE && op->queue && *op->queue) {
        cop_worker_wake(op->queue);
    } else if (op->kind == COP_STORE_RELEASE) {
        cop_worker_wake(NULL);
    }
}

/* Nobody may wait for ever for what will not be settled any more, or cannot be read. */
static void
give_up(struct copi_store *store, const char *id, int code, const char *words)
{
    copi_awaited_settle(&store->awaited, &(cop_durable_record){
                                             .id = id,
                                             .state = COP_DURABLE_REJECTED,
                                             .cause = COP_DURABLE_FAILED,
                                             .code = code,
                                             .text = words,
                                         });
}

static void
give_up_damaged(struct copi_store *store, const char *id)
{
    give_up(store, id, -EBADMSG, "what is stored of it is damaged");
}

/* Who has asked for many is not told of it: it is passed over. */
static void
publish_damage(struct copi_store *store, const char *id)
{
    cop_log(COP_LOG_ERROR, "a stored promise is damaged", COP_KV("store", store->backend->name),
            COP_KV("id", id));
    give_up_damaged(store, id);
}

static void
publish(struct copi_store *store, const cop_store_op *op)
{
    publish_work(op);
    if (op->kind == COP_STORE_SETTLE && op->result == 0 && !op->is_duplicate) {
        publish_settle(store, op);
    }
    for (const cop_durable_record *record = op->first; record; record = record->next) {
        if (record->is_damaged) {
            publish_damage(store, record->id);
        } else {
            copi_awaited_settle(&store->awaited, record);
        }
    }
}

static void
make_future(struct copi_store *store, struct copi_ask *ask)
{
    if (ask->is_recovery && ask->op.result == 0) {
        ask->cell =
            copi_awaited_future(&store->awaited, store->self, ask->op.first, ask->file, ask->line);
        ask->op.result = ask->cell ? 0 : -ENOMEM;
    }
}

/* ---------------------------------------------------------------- a batch */

bool
copi_store_has_room(const struct copi_store *store, const struct copi_ask *ask)
{
    return store->count == 0
           || (store->count < COPI_BATCH_OPS && store->bytes + ask->size <= COPI_BATCH_BYTES);
}

void
copi_store_add(struct copi_store *store, struct copi_ask *ask)
{
    store->asks[store->count] = ask;
    store->ops[store->count] = &ask->op;
    store->count++;
    store->bytes += ask->size;
}

static void
publish_all(struct copi_store *store, size_t own)
{
    store_all_overdue(store, store->ops, store->count);
    for (size_t i = 0; i < store->count; i++) {
        publish(store, store->ops[i]);
        make_future(store, store->asks[i]);
        copi_duties_note(store, store->asks[i]);
    }
    for (size_t i = 0; i < own; i++) {
        publish(store, store->ops[store->count + i]);
    }
    copi_store_trace(store, "published");
}

static void
answer_all(struct copi_store *store, cop_time lasted)
{
    size_t count = store->count, waited = 0;
    store->count = store->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        waited += copi_ask_is_awaited(store->asks[i]);
        copi_ask_answer(store->asks[i]);
    }
    copi_gather_answered(&store->gather, waited, lasted, cop_now());
    copi_store_trace(store, "answered");
}

static void
refuse_all(struct copi_store *store, int error, const cop_reason *why)
{
    size_t count = store->count;
    store->count = store->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        copi_ask_refuse(store->asks[i], error, why->text);
    }
}

static int
tidy(struct copi_store *store)
{
    cop_reason why = COP_REASON_NORMAL;
    return store->backend->tidy ? store->backend->tidy(store->data, &why) : 0;
}

void
copi_store_commit(struct copi_store *store)
{
    cop_reason why = cop_failed(-EROFS, "the store is closed");
    if (!store->is_open) {
        refuse_all(store, -EROFS, &why);
        return;
    }
    size_t own = copi_duties_begin(store, &store->ops[store->count]);
    if (store->count + own == 0) {
        return;
    }
    for (size_t i = 0; i < store->count; i++) {
        store->asks[i]->is_taken = true;
    }
    cop_time begin = cop_now();
    int r = run(store, store->ops, store->count + own, &why);
    cop_time lasted = cop_now() - begin;
    if (r == 0) {
        publish_all(store, own);
        answer_all(store, lasted);
    } else {
        refuse_all(store, r, &why);
    }
    copi_duties_end(store, own, r);
    copi_store_failed(store, r ? r : tidy(store));
}

/* ---------------------------------------------------------------- looking again */

static void
note_seen(struct copi_store *store, const cop_store_op *op)
{
    if (op->result == -ENOENT) {
        give_up(store, op->id, -ENOENT, "it was forgotten");
    } else if (op->result == -EBADMSG) {
        give_up_damaged(store, op->id);
    } else if (op->result) {
        copi_awaited_hint(&store->awaited, op->id);
    } else {
        publish(store, op);
    }
}

static int
look_at(struct copi_store *store, const char *const ids[], size_t count)
{
    cop_store_op gets[AT_ONCE] = {0}, *ops[AT_ONCE] = {0};
    cop_reason why;
    for (size_t i = 0; i < count; i++) {
        gets[i] = (cop_store_op){.kind = COP_STORE_GET, .id = ids[i]};
        ops[i] = &gets[i];
    }
    int r = run(store, ops, count, &why);
    if (r == 0) {
        store_all_overdue(store, ops, count);
    }
    for (size_t i = 0; i < count; i++) {
        gets[i].result = r ? r : gets[i].result;
        note_seen(store, &gets[i]);
        cop_store_forget(&gets[i]);
    }
    copi_store_failed(store, r);
    return r;
}

/* Each at most once: what is hinted at again meanwhile waits for the next time. */
void
copi_store_look(struct copi_store *store)
{
    size_t left = copi_awaited_count(&store->awaited);
    const char *ids[AT_ONCE];
    int r = 0;
    while (r == 0 && left > 0 && store->is_open && copi_awaited_is_hinted(&store->awaited)) {
        size_t count = copi_awaited_take(&store->awaited, ids, left < AT_ONCE ? left : AT_ONCE);
        r = look_at(store, ids, count);
        left -= count;
    }
}
