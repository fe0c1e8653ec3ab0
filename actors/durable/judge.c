/*
 * actors/durable/judge.c - what comes of an operation that has changed nothing.
 *
 * Room: actors/durable/. Arithmetic only, for every backend the same: a statement has either done what it
 * was to do, or this says why it has not.
 * Touch freely: nothing. Ask first: the table in coppice/durable.h; people repeat calls because of it.
 */
#include "actors/durable/record.h"

#include <coppice/store.h>

#include <errno.h>

/* ---------------------------------------------------------------- whether two say the same */

static bool
is_equal(cop_bytes a, cop_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool
is_same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool
is_nobody(cop_owner owner)
{
    const cop_owner nobody = {0};
    return memcmp(&owner, &nobody, sizeof owner) == 0;
}

static bool
is_same_owner(cop_owner a, cop_owner b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* 1: equal keys; 0: there are none; -1: they differ, or one side has none. */
static int
compare_keys(cop_bytes a, cop_bytes b)
{
    return a.size == 0 && b.size == 0 ? 0 : is_equal(a, b) ? 1 : -1;
}

int64_t
cop_store_ms(cop_time time)
{
    const cop_time ms = COP_MS(1);
    return time / ms + (time % ms > 0); /* up: no deadline is early */
}

static bool
has_same_deadline(const cop_store_op *op, const cop_durable_record *record)
{
    bool has_one = record->deadline_ms != 0;
    return has_one == (op->time != 0)
           && (!has_one || record->deadline_ms - record->created_ms == cop_store_ms(op->time));
}

static bool
creates_the_same(const cop_store_op *op, const cop_durable_record *record)
{
    int keys = compare_keys(op->key, record->create_key);
    return keys != 0 ? keys > 0
                     : is_equal(op->param, record->param) && is_same_text(op->queue, record->queue)
                           && is_same_text(op->tags, record->tags) && has_same_deadline(op, record)
                           && op->max_attempts == record->max_attempts;
}

static bool
settles_the_same(const cop_store_op *op, const cop_durable_record *record)
{
    int keys = compare_keys(op->key, record->settle_key);
    if (record->cause == COP_DURABLE_DEADLINE || keys < 0) {
        return false;
    }
    if (keys > 0) {
        return !op->strict || op->state == record->state;
    }
    return op->state == record->state && op->cause == record->cause && op->code == record->code
           && is_same_text(op->text, record->text) && is_equal(op->value, record->value);
}

/* ---------------------------------------------------------------- judging */

static int
judge_create(const cop_store_op *op, const cop_durable_record *record, bool *is_duplicate)
{
    bool is_settled = record->state != COP_DURABLE_PENDING;
    *is_duplicate = creates_the_same(op, record) && !(is_settled && op->strict);
    return *is_duplicate ? 0 : -EEXIST;
}

static int
judge_settle(const cop_store_op *op, const cop_durable_record *record, bool *is_duplicate)
{
    if (record->state == COP_DURABLE_PENDING) {
        return -ESTALE; /* without a lease it would have been settled */
    }
    *is_duplicate = settles_the_same(op, record);
    return *is_duplicate ? 0 : -EALREADY;
}

static int
judge_acquire(const cop_store_op *op, const cop_durable_record *record, bool *is_duplicate)
{
    if (record->state != COP_DURABLE_PENDING) {
        return -EALREADY;
    }
    if (record->lease_left > 0) {
        *is_duplicate = is_same_owner(op->owner, record->owner);
        return *is_duplicate ? 0 : -EBUSY;
    }
    bool is_used_up = record->max_attempts > 0 && record->attempts >= record->max_attempts;
    return is_used_up ? -EOWNERDEAD : -EBUSY; /* else somebody is about to take it */
}

static int
judge_lease(const cop_store_op *op, const cop_durable_record *record, bool *is_duplicate)
{
    if (record->state != COP_DURABLE_PENDING) {
        return -EALREADY;
    }
    *is_duplicate =
        op->kind == COP_STORE_RELEASE && is_nobody(record->owner) && record->epoch == op->epoch;
    return *is_duplicate ? 0 : -ESTALE;
}

static int
judge(const cop_store_op *op, const cop_durable_record *record, bool *is_duplicate)
{
    switch (op->kind) {
    case COP_STORE_CREATE:
        return judge_create(op, record, is_duplicate);
    case COP_STORE_SETTLE:
        return judge_settle(op, record, is_duplicate);
    case COP_STORE_ACQUIRE:
        return judge_acquire(op, record, is_duplicate);
    case COP_STORE_RENEW:
    case COP_STORE_RELEASE:
        return judge_lease(op, record, is_duplicate);
    case COP_STORE_GET:
    case COP_STORE_LIST:
    case COP_STORE_CLAIM:
    case COP_STORE_INHERIT:
    case COP_STORE_EXPIRE:
    case COP_STORE_PRUNE:
        break;
    }
    return 0;
}

int
cop_store_judge(cop_store_op *op, const cop_durable_record *record)
{
    if (!record) {
        op->result = -ENOENT;
        return 0;
    }
    if (!copi_record_is_sound(record)) {
        op->result = -EBADMSG; /* nothing that it says can be compared with anything */
        return 0;
    }
    cop_durable_record now = *record;
    copi_record_expire(&now);
    op->result = judge(op, &now, &op->is_duplicate);
    now.is_duplicate = op->is_duplicate;
    op->left = now.lease_left;
    return cop_store_found(op, &now);
}
