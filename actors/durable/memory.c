/*
 * actors/durable/memory.c - a store in memory: what the others are compared with.
 *
 * Room: actors/durable/. The store's process.
 * Touch freely: nothing for speed. Ask first: everything else; the other backends are tested against this one.
 *
 * What a batch has changed is undone when there is no memory half-way: memory_versions.c.
 *
 * The clock is the system's, but never goes back.
 */
#include "actors/durable/memory.h"

#include "actors/durable/memory_versions.h"
#include "actors/durable/record.h"
#include "runtime/thread.h"

#include <errno.h>

struct memory {
    const cop_store_opts *opts;
    int64_t now_ms;
    struct copi_versions versions;
};

/* ---------------------------------------------------------------- time */

static void
read_clock(struct memory *memory)
{
    const cop_store_opts *opts = memory->opts;
    int64_t now = opts->clock ? opts->clock(opts->clock_env) : copi_clock_wall() / COP_MS(1);
    memory->now_ms = now > memory->now_ms ? now : memory->now_ms;
}

static bool
is_pending(const struct copi_promise *promise)
{
    return promise->record->state == COP_DURABLE_PENDING;
}

static bool
is_overdue(const struct memory *memory, const struct copi_promise *promise)
{
    int64_t deadline = promise->record->deadline_ms;
    return is_pending(promise) && deadline != 0 && deadline <= memory->now_ms;
}

static bool
has_owner(const struct copi_promise *promise)
{
    const cop_owner nobody = {0};
    return memcmp(&promise->record->owner, &nobody, sizeof nobody) != 0;
}

static bool
is_held(const struct memory *memory, const struct copi_promise *promise)
{
    return has_owner(promise) && promise->lease_until_ms > memory->now_ms;
}

static bool
is_used_up(const struct copi_promise *promise)
{
    const cop_durable_record *record = promise->record;
    return record->max_attempts > 0 && record->attempts >= record->max_attempts;
}

/* As others see it. */
static cop_durable_record
view(const struct memory *memory, const struct copi_promise *promise)
{
    cop_durable_record record = *promise->record;
    record.is_overdue = is_overdue(memory, promise);
    record.lease_left =
        is_held(memory, promise) ? COP_MS(promise->lease_until_ms - memory->now_ms) : 0;
    return record;
}

/* ---------------------------------------------------------------- creating, settling */

/* Another version, with this record. */
static int
change_to(struct memory *memory, struct copi_promise *old, const cop_durable_record *record,
          int64_t lease_until_ms)
{
    struct copi_promise *new = copi_version_new(record, lease_until_ms, old->ready_ms);
    return new ? copi_versions_change(&memory->versions, old, new) : -ENOMEM;
}

static int
judge(struct memory *memory, cop_store_op *op, const struct copi_promise *promise)
{
    const cop_durable_record record = promise ? view(memory, promise) : (cop_durable_record){0};
    return cop_store_judge(op, promise ? &record : NULL);
}

static void
settle_by_deadline(cop_durable_record *record)
{
    record->is_overdue = true;
    copi_record_expire(record);
    record->is_overdue = false;
}

static int
create(struct memory *memory, cop_store_op *op)
{
    const struct copi_promise *promise = copi_versions_find(&memory->versions, op->id);
    if (promise) {
        return judge(memory, op, promise);
    }
    cop_durable_record record = {
        .id = op->id,
        .queue = op->queue,
        .tags = op->tags,
        .param = op->param,
        .create_key = op->key,
        .created_ms = memory->now_ms,
        .deadline_ms = op->time ? memory->now_ms + cop_store_ms(op->time) : 0,
        .max_attempts = op->max_attempts,
    };
    if (op->time < 0) {
        settle_by_deadline(&record);
    }
    struct copi_promise *new = copi_version_new(&record, 0, memory->now_ms);
    return new ? copi_versions_change(&memory->versions, NULL, new) : -ENOMEM;
}

static bool
is_under_lease(const cop_store_op *op)
{
    const cop_owner nobody = {0};
    return memcmp(&op->owner, &nobody, sizeof nobody) != 0;
}

static bool
has_lease(const cop_store_op *op, const cop_durable_record *record)
{
    return op->epoch == record->epoch && memcmp(&op->owner, &record->owner, sizeof op->owner) == 0;
}

static void
settle_as_asked(const struct memory *memory, cop_durable_record *record, const cop_store_op *op)
{
    record->state = op->state;
    record->cause = op->cause;
    record->code = op->code;
    record->text = op->text;
    record->value = op->value;
    record->settle_key = op->key;
    record->settled_ms = memory->now_ms;
    record->owner = (cop_owner){0};
}

static int
settle(struct memory *memory, cop_store_op *op)
{
    struct copi_promise *promise = copi_versions_find(&memory->versions, op->id);
    bool is_late = promise && is_overdue(memory, promise);
    bool is_fenced = promise && is_under_lease(op) && !has_lease(op, promise->record);
    if (!promise || !is_pending(promise) || (is_fenced && !is_late)) {
        return judge(memory, op, promise);
    }
    cop_durable_record record = *promise->record;
    if (is_late) {
        settle_by_deadline(&record);
    } else {
        settle_as_asked(memory, &record, op);
    }
    int r = change_to(memory, promise, &record, 0);
    return r || !is_late ? r : judge(memory, op, copi_versions_find(&memory->versions, op->id));
}

/* ---------------------------------------------------------------- finding */

static bool
has_tag(const char *tags, const char *tag)
{
    size_t size = strlen(tag);
    for (const char *word = tags; word; word = strchr(word, ' ')) {
        word += *word == ' ';
        if (strncmp(word, tag, size) == 0 && (word[size] == ' ' || word[size] == 0)) {
            return true;
        }
    }
    return false;
}

static bool
is_listed(const struct memory *memory, const cop_store_op *op, const struct copi_promise *promise)
{
    return is_pending(promise) && !is_overdue(memory, promise)
           && (!op->id || strcmp(promise->record->id, op->id) > 0)
           && (!op->queue || strcmp(promise->record->queue, op->queue) == 0)
           && (!op->tags || has_tag(promise->record->tags, op->tags));
}

static int
found(struct memory *memory, cop_store_op *op, const struct copi_promise *promise)
{
    const cop_durable_record record = view(memory, promise);
    return cop_store_found(op, &record);
}

static int
list(struct memory *memory, cop_store_op *op)
{
    size_t i = op->id ? copi_versions_position(&memory->versions, op->id) : 0;
    for (; i < memory->versions.count && op->count < op->limit; i++) {
        if (is_listed(memory, op, memory->versions.all[i])
            && found(memory, op, memory->versions.all[i]) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- leases */

static int64_t
lease_until(const struct memory *memory, const cop_store_op *op, const cop_durable_record *record)
{
    int64_t until = memory->now_ms + cop_store_ms(op->time);
    return record->deadline_ms != 0 && record->deadline_ms < until ? record->deadline_ms : until;
}

static int
lease(struct memory *memory, cop_store_op *op, struct copi_promise *promise)
{
    cop_durable_record record = *promise->record;
    record.owner = op->owner;
    record.epoch++;
    record.attempts++;
    int64_t until = lease_until(memory, op, &record);
    int r = change_to(memory, promise, &record, until);
    return r ? r : found(memory, op, copi_versions_find(&memory->versions, record.id));
}

static int
acquire(struct memory *memory, cop_store_op *op)
{
    struct copi_promise *promise = copi_versions_find(&memory->versions, op->id);
    bool is_free = promise && is_pending(promise) && !is_overdue(memory, promise)
                   && !is_held(memory, promise) && !is_used_up(promise);
    if (!is_free) {
        return judge(memory, op, promise);
    }
    int r = lease(memory, op, promise);
    op->left = r ? 0 : op->first->lease_left;
    return r;
}

static bool
is_claimed(const struct memory *memory, const cop_store_op *op, const struct copi_promise *promise)
{
    bool wants_lost = op->kind == COP_STORE_INHERIT;
    return is_pending(promise) && !is_overdue(memory, promise)
           && strcmp(promise->record->queue, op->queue ? op->queue : "") == 0
           && has_owner(promise) == wants_lost && !is_held(memory, promise)
           && !(wants_lost && is_used_up(promise));
}

/* What became ready first; of the same time, in the order of ids. */
static struct copi_promise *
first_to_claim(const struct memory *memory, const cop_store_op *op)
{
    struct copi_promise *first = NULL;
    for (size_t i = 0; i < memory->versions.count; i++) {
        if (is_claimed(memory, op, memory->versions.all[i])
            && (!first || memory->versions.all[i]->ready_ms < first->ready_ms)) {
            first = memory->versions.all[i];
        }
    }
    return first;
}

static int
claim(struct memory *memory, cop_store_op *op)
{
    int r = 0;
    for (struct copi_promise *next;
         r == 0 && op->count < op->limit && (next = first_to_claim(memory, op));) {
        r = lease(memory, op, next);
    }
    return r;
}

static int
renew(struct memory *memory, cop_store_op *op)
{
    struct copi_promise *promise = copi_versions_find(&memory->versions, op->id);
    if (!promise || !is_pending(promise) || is_overdue(memory, promise) || !is_held(memory, promise)
        || !has_lease(op, promise->record)) {
        return judge(memory, op, promise);
    }
    int64_t until = lease_until(memory, op, promise->record);
    op->left = COP_MS(until - memory->now_ms);
    return change_to(memory, promise, promise->record, until);
}

static int
release(struct memory *memory, cop_store_op *op)
{
    struct copi_promise *promise = copi_versions_find(&memory->versions, op->id);
    if (!promise || !is_pending(promise) || is_overdue(memory, promise) || !has_owner(promise)
        || !has_lease(op, promise->record)) {
        return judge(memory, op, promise);
    }
    cop_durable_record record = *promise->record;
    record.owner = (cop_owner){0};
    record.attempts--;
    struct copi_promise *new = copi_version_new(&record, 0, memory->now_ms);
    return new ? copi_versions_change(&memory->versions, promise, new) : -ENOMEM;
}

/* ---------------------------------------------------------------- in the background */

static bool
is_abandoned(const struct memory *memory, const struct copi_promise *promise)
{
    return is_pending(promise) && has_owner(promise) && !is_held(memory, promise)
           && is_used_up(promise);
}

static int
expire_one(struct memory *memory, cop_store_op *op, struct copi_promise *promise)
{
    cop_durable_record record = *promise->record;
    if (is_overdue(memory, promise)) {
        settle_by_deadline(&record);
    } else {
        settle_as_asked(memory, &record,
                        &(cop_store_op){
                            .state = COP_DURABLE_REJECTED,
                            .cause = COP_DURABLE_ATTEMPTS,
                            .code = -EOWNERDEAD,
                        });
    }
    int r = change_to(memory, promise, &record, 0);
    return r ? r : found(memory, op, copi_versions_find(&memory->versions, record.id));
}

/* Until it is to be looked at again. */
static void
note_next(const struct memory *memory, cop_store_op *op, const struct copi_promise *promise)
{
    int64_t next = INT64_MAX, deadline = promise->record->deadline_ms;
    if (is_pending(promise) && deadline != 0) {
        next = deadline;
    }
    if (is_pending(promise) && has_owner(promise) && is_used_up(promise)
        && promise->lease_until_ms < next) {
        next = promise->lease_until_ms;
    }
    if (next != INT64_MAX && (next - memory->now_ms) < op->left / COP_MS(1)) {
        op->left = COP_MS(next > memory->now_ms ? next - memory->now_ms : 0);
    }
}

static int
expire(struct memory *memory, cop_store_op *op)
{
    op->left = COP_FOREVER;
    for (size_t i = 0; i < memory->versions.count; i++) {
        struct copi_promise *promise = memory->versions.all[i];
        bool is_due = is_overdue(memory, promise) || is_abandoned(memory, promise);
        if (is_due && op->count < op->limit && expire_one(memory, op, promise) != 0) {
            return -ENOMEM;
        }
        note_next(memory, op, memory->versions.all[i]);
    }
    return 0;
}

static int
prune(struct memory *memory, cop_store_op *op)
{
    int64_t before = memory->now_ms - cop_store_ms(op->time);
    for (size_t i = 0; i < memory->versions.count && op->count < op->limit;) {
        struct copi_promise *promise = memory->versions.all[i];
        if (is_pending(promise) || promise->record->settled_ms >= before) {
            i++;
        } else if (copi_versions_change(&memory->versions, promise, NULL) != 0) {
            return -ENOMEM;
        } else {
            op->count++;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- the backend */

static int
run_one(struct memory *memory, cop_store_op *op)
{
    switch (op->kind) {
    case COP_STORE_CREATE:
        return create(memory, op);
    case COP_STORE_GET:
        return judge(memory, op, copi_versions_find(&memory->versions, op->id));
    case COP_STORE_SETTLE:
        return settle(memory, op);
    case COP_STORE_LIST:
        return list(memory, op);
    case COP_STORE_ACQUIRE:
        return acquire(memory, op);
    case COP_STORE_CLAIM:
    case COP_STORE_INHERIT:
        return claim(memory, op);
    case COP_STORE_RENEW:
        return renew(memory, op);
    case COP_STORE_RELEASE:
        return release(memory, op);
    case COP_STORE_EXPIRE:
        return expire(memory, op);
    case COP_STORE_PRUNE:
        break;
    }
    return prune(memory, op);
}

static int
run(void *state, cop_store_op *const ops[], size_t count, cop_reason *why)
{
    struct memory *memory = state;
    int r = 0;
    (void)why;
    read_clock(memory);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = run_one(memory, ops[i]);
    }
    if (r) {
        copi_versions_roll_back(&memory->versions);
    } else {
        copi_versions_commit(&memory->versions);
    }
    return r;
}

static int
open_memory(void *state, const cop_store_opts *opts, cop_reason *why)
{
    struct memory *memory = state;
    (void)why;
    memory->opts = opts;
    return 0;
}

static void
close_memory(void *state)
{
    struct memory *memory = state;
    copi_versions_free(&memory->versions);
}

const cop_store_backend copi_memory_backend = {
    .name = "memory",
    .state_size = sizeof(struct memory),
    .open = open_memory,
    .close = close_memory,
    .run = run,
};
