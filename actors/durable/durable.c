/*
 * actors/durable/durable.c - durable promises: what is asked of a store, one at a time.
 *
 * Room: actors/durable/. Whoever asks.
 * Touch freely: nothing. Ask first: what is written on which error.
 */
#include "actors/durable/ask.h"
#include "runtime/process.h"

#include <coppice/durable.h>

#include <errno.h>
#include <limits.h>

static cop_time
limit(cop_time timeout)
{
    return timeout ? timeout : COP_FOREVER;
}

/* ---------------------------------------------------------------- records */

void
cop_durable_release(cop_durable_record *record)
{
    cop_future *held = record->held;
    *record = (cop_durable_record){0};
    cop_future_release(held);
}

/* The answer's hold goes with what it has found. */
static void
give(struct copi_ask *answer, cop_durable_record *record)
{
    if (answer && record && answer->op.first) {
        *record = *answer->op.first;
        record->held = &answer->future;
        record->next = NULL;
    } else if (answer) {
        cop_future_release(&answer->future);
    }
}

int
cop_durable_get(cop_pid store, const char *id, cop_durable_record *record, cop_time timeout)
{
    struct copi_ask *answer;
    int r = copi_ask_and_wait(&answer, store, &(cop_store_op){.kind = COP_STORE_GET, .id = id},
                              &(struct copi_ask_opts){0}, timeout);
    give(answer, record);
    return r;
}

/* It was done. That what is there now could not be read must not look as if it had not been. */
static int
read_again(cop_pid store, const char *id, cop_durable_record *record, cop_time timeout)
{
    int r = cop_durable_get(store, id, record, timeout);
    if (r == 0 || r == -ETIMEDOUT || r == -ECANCELED) {
        return r;
    }
    const cop_reason why =
        cop_failed(-EREMOTEIO, "it was applied, but could not be read: %s", cop_strerror(r));
    return copi_fail_why(&why, -EREMOTEIO);
}

/* Do it, and say what is there now, if that is wanted: on these two errors, too. */
static int
ask_with_record(cop_pid store, const cop_store_op *op, cop_durable_record *record, cop_time timeout)
{
    struct copi_ask *answer;
    int r = copi_ask_and_wait(&answer, store, op, &(struct copi_ask_opts){0}, limit(timeout));
    bool is_told = answer && answer->op.first;
    give(answer, r == 0 || r == -EALREADY || r == -EEXIST ? record : NULL);
    return r || is_told || !record ? r : read_again(store, op->id, record, limit(timeout));
}

/* Nobody waits for it now. */
static cop_future *
ask_async(cop_pid store, const cop_store_op *op, const char *file, int line)
{
    return copi_ask(
        store, op,
        &(struct copi_ask_opts){.is_bare = true, .is_public = true, .file = file, .line = line});
}

/* ---------------------------------------------------------------- creating */

/* Who gives none. */
static const cop_durable_opts created_so;
static const cop_settle_opts settled_so;

static cop_store_op
create_op(const char *id, const cop_durable_opts *opts)
{
    return (cop_store_op){
        .kind = COP_STORE_CREATE,
        .id = id,
        .queue = opts->queue,
        .tags = opts->tags,
        .param = opts->param,
        .key = opts->key,
        .time = opts->expires_in == COP_FOREVER ? 0 : opts->expires_in,
        .max_attempts = opts->max_attempts < INT_MAX ? opts->max_attempts : INT_MAX,
        .strict = opts->strict,
    };
}

int
cop_durable_create_with(cop_pid store, const char *id, const cop_durable_opts *given)
{
    const cop_durable_opts *opts = given ? given : &created_so;
    const cop_store_op op = create_op(id, opts);
    return ask_with_record(store, &op, opts->record, opts->timeout);
}

cop_future *
cop_durable_create_async_with(cop_pid store, const char *id, const cop_durable_opts *given)
{
    const cop_durable_opts *opts = given ? given : &created_so;
    const cop_store_op op = create_op(id, opts);
    return ask_async(store, &op, opts->file, opts->line);
}

/* ---------------------------------------------------------------- settling */

static cop_store_op
settle_op(const char *id, cop_durable_state state, const cop_settle_opts *opts)
{
    return (cop_store_op){
        .kind = COP_STORE_SETTLE,
        .id = id,
        .state = state,
        .key = opts->key,
        .owner = opts->owner,
        .epoch = opts->epoch,
        .strict = opts->strict,
    };
}

static cop_store_op
resolve_op(const char *id, cop_bytes value, const cop_settle_opts *opts)
{
    cop_store_op op = settle_op(id, COP_DURABLE_RESOLVED, opts);
    op.value = value;
    return op;
}

/* A failure with its own code; any other end with what it means. */
static int
code_of(const cop_reason *reason)
{
    return reason->kind == COP_FAILED ? reason->code : cop_reason_error(*reason);
}

static cop_store_op
reject_op(const char *id, const cop_reason *reason, const cop_settle_opts *opts)
{
    cop_store_op op = settle_op(id, COP_DURABLE_REJECTED, opts);
    op.cause = COP_DURABLE_FAILED;
    op.code = code_of(reason);
    op.text = reason->text;
    return op;
}

int
cop_durable_resolve_with(cop_pid store, const char *id, cop_bytes value,
                         const cop_settle_opts *given)
{
    const cop_settle_opts *opts = given ? given : &settled_so;
    const cop_store_op op = resolve_op(id, value, opts);
    return ask_with_record(store, &op, opts->record, opts->timeout);
}

int
cop_durable_reject_with(cop_pid store, const char *id, cop_reason reason,
                        const cop_settle_opts *given)
{
    const cop_settle_opts *opts = given ? given : &settled_so;
    const cop_store_op op = reject_op(id, &reason, opts);
    return ask_with_record(store, &op, opts->record, opts->timeout);
}

int
cop_durable_cancel_with(cop_pid store, const char *id, const char *why,
                        const cop_settle_opts *given)
{
    const cop_settle_opts *opts = given ? given : &settled_so;
    cop_store_op op = settle_op(id, COP_DURABLE_REJECTED, opts);
    op.cause = COP_DURABLE_CANCELLED;
    op.code = -ECANCELED;
    op.text = why;
    return ask_with_record(store, &op, opts->record, opts->timeout);
}

cop_future *
cop_durable_resolve_async_with(cop_pid store, const char *id, cop_bytes value,
                               const cop_settle_opts *given)
{
    const cop_settle_opts *opts = given ? given : &settled_so;
    const cop_store_op op = resolve_op(id, value, opts);
    return ask_async(store, &op, opts->file, opts->line);
}

cop_future *
cop_durable_reject_async_with(cop_pid store, const char *id, cop_reason reason,
                              const cop_settle_opts *given)
{
    const cop_settle_opts *opts = given ? given : &settled_so;
    const cop_store_op op = reject_op(id, &reason, opts);
    return ask_async(store, &op, opts->file, opts->line);
}
