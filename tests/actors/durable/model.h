/*
 * tests/actors/durable/model.h - random operations, on a backend and on the one in memory at once.
 *
 * Room: tests/. Included once by the suite of a backend, after it has defined
 *
 *     static const cop_store_backend *the_backend(void);
 *     static const void *its_place(void);                  a cop_store_opts' .at
 *
 * Without a store's process, which does things of its own at times of its own. Both have one clock, which the test
 * sets; so they must agree in every answer, times included, and in what is stored at the end.
 */
#ifndef COPI_TESTS_MODEL_H
#define COPI_TESTS_MODEL_H

#include "actors/durable/memory.h"
#include "tests/support/support.h"

enum {
    STEPS = TEST_SANITIZED ? 100 : 300,
    SEEDS = 10,
    MOST = 4, /* operations in a batch */
};

static _Atomic int64_t clock_ms;

static int64_t
the_clock(void *env)
{
    (void)env;
    return atomic_load(&clock_ms);
}

static unsigned
draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

static const char *
draw_text(unsigned *seed)
{
    static const char *const texts[] = {NULL, "", "a", "b", "longer than the others"};
    return texts[draw(seed, 5)];
}

static cop_bytes
draw_bytes(unsigned *seed)
{
    const char *text = draw_text(seed);
    return text ? COP_TEXT(text) : (cop_bytes){0};
}

/* The last lease that was given: one that is drawn would hardly ever be right. */
static struct {
    char id[8];
    uint64_t epoch;
    cop_owner owner;
} last;

static void
note_lease(const cop_store_op *op)
{
    bool is_lease = op->kind == COP_STORE_ACQUIRE || op->kind == COP_STORE_CLAIM
                    || op->kind == COP_STORE_INHERIT;
    if (is_lease && op->result == 0 && op->first) {
        (void)snprintf(last.id, sizeof last.id, "%s", op->first->id);
        last.epoch = op->first->epoch;
        last.owner = op->first->owner;
    }
}

static void
use_lease(cop_store_op *op)
{
    op->id = last.id;
    op->epoch = last.epoch;
    op->owner = last.owner;
}

static cop_store_op
draw_settle(unsigned *seed, cop_store_op op)
{
    bool is_rejected = draw(seed, 2);
    op.state = is_rejected ? COP_DURABLE_REJECTED : COP_DURABLE_RESOLVED;
    op.cause = is_rejected ? COP_DURABLE_FAILED : COP_DURABLE_NONE;
    op.code = is_rejected ? -(int)draw(seed, 2) - 1 : 0;
    op.text = is_rejected ? draw_text(seed) : NULL;
    op.value = is_rejected ? (cop_bytes){0} : draw_bytes(seed);
    if (draw(seed, 2)) {
        op.owner = (cop_owner){0};
    } else if (draw(seed, 2) && last.id[0]) {
        use_lease(&op);
    }
    return op;
}

static cop_store_op
draw_op(unsigned *seed)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "é", "z"};
    static const char *const queues[] = {"", "q", "r"};
    cop_store_op op = {
        .kind = (cop_store_kind)draw(seed, COP_STORE_PRUNE + 1),
        .id = ids[draw(seed, 7)],
        .queue = queues[draw(seed, 3)],
        .key = draw(seed, 3) ? (cop_bytes){0} : draw_bytes(seed),
        .time = COP_MS(1 + draw(seed, 40)),
        .epoch = draw(seed, 4),
        .owner = {{(unsigned char)('a' + draw(seed, 2))}},
        .max_attempts = draw(seed, 3),
        .limit = 1000, /* with less, which ones are taken is a backend's affair */
        .strict = draw(seed, 4) == 0,
    };
    switch (op.kind) {
    case COP_STORE_CREATE:
        op.param = draw_bytes(seed);
        op.tags = draw(seed, 2) ? "some" : NULL;
        op.time = draw(seed, 2) ? 0 : draw(seed, 5) == 0 ? -COP_MS(5) : op.time;
        break;
    case COP_STORE_SETTLE:
        return draw_settle(seed, op);
    case COP_STORE_LIST:
        op.id = draw(seed, 2) ? op.id : NULL;
        op.queue = draw(seed, 2) ? op.queue : NULL;
        op.tags = draw(seed, 2) ? "some" : NULL;
        break;
    case COP_STORE_RENEW:
    case COP_STORE_RELEASE:
        if (draw(seed, 2) && last.id[0]) {
            use_lease(&op);
        }
        break;
    default:
        break;
    }
    return op;
}

/* ---------------------------------------------------------------- comparing */

static void
check_same_bytes(cop_bytes one, cop_bytes other)
{
    ck_assert_uint_eq(one.size, other.size);
    ck_assert(one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static void
check_same_record(const cop_durable_record *one, const cop_durable_record *other)
{
    ck_assert_str_eq(one->id, other->id);
    ck_assert_str_eq(one->queue, other->queue);
    ck_assert_str_eq(one->tags, other->tags);
    ck_assert_int_eq(one->state, other->state);
    ck_assert_int_eq(one->cause, other->cause);
    ck_assert_int_eq(one->code, other->code);
    ck_assert_str_eq(one->text, other->text);
    check_same_bytes(one->param, other->param);
    check_same_bytes(one->value, other->value);
    check_same_bytes(one->create_key, other->create_key);
    check_same_bytes(one->settle_key, other->settle_key);
    ck_assert_int_eq(one->created_ms, other->created_ms);
    ck_assert_int_eq(one->settled_ms, other->settled_ms);
    ck_assert_int_eq(one->deadline_ms, other->deadline_ms);
    ck_assert_uint_eq(one->epoch, other->epoch);
    ck_assert_mem_eq(&one->owner, &other->owner, sizeof one->owner);
    ck_assert_int_eq(one->lease_left, other->lease_left);
    ck_assert_uint_eq(one->attempts, other->attempts);
    ck_assert_uint_eq(one->max_attempts, other->max_attempts);
    ck_assert(one->is_duplicate == other->is_duplicate);
}

static const cop_durable_record *
with_id(const cop_store_op *op, const char *id)
{
    const cop_durable_record *record = op->first;
    while (record && strcmp(record->id, id) != 0) {
        record = record->next;
    }
    return record;
}

/* In any order. */
static void
check_same_found(const cop_store_op *one, const cop_store_op *other)
{
    ck_assert_msg(one->count == other->count, "operation %d: %zu found, and not %zu",
                  (int)one->kind, one->count, other->count);
    for (const cop_durable_record *record = one->first; record; record = record->next) {
        const cop_durable_record *match = with_id(other, record->id);
        ck_assert_msg(match != NULL, "%s was found by one only", record->id);
        check_same_record(record, match);
    }
}

static void
check_same(const cop_store_op *one, const cop_store_op *other)
{
    ck_assert_msg(one->result == other->result, "operation %d on %s: %s, and not %s",
                  (int)one->kind, one->id, cop_strerror(one->result), cop_strerror(other->result));
    ck_assert(one->is_duplicate == other->is_duplicate);
    ck_assert_int_eq(one->left, other->left);
    check_same_found(one, other);
}

/* ---------------------------------------------------------------- running */

struct side {
    const cop_store_backend *backend;
    cop_store_opts opts;
    void *state;
};

static void
set_up(struct side *side, const cop_store_backend *backend, const void *at)
{
    cop_reason why;
    side->backend = backend;
    side->opts = (cop_store_opts){.at = at, .clock = the_clock};
    side->state = calloc(1, backend->state_size);
    ck_assert_int_eq(backend->open(side->state, &side->opts, &why), 0);
}

static void
take_down(struct side *side)
{
    side->backend->close(side->state);
    free(side->state);
}

static void
run_on(struct side *side, cop_store_op all[], size_t count)
{
    cop_store_op *ops[MOST];
    cop_reason why;
    for (size_t i = 0; i < count; i++) {
        ops[i] = &all[i];
    }
    int r = side->backend->run(side->state, ops, count, &why);
    ck_assert_msg(r == 0, "%s: %s", cop_strerror(r), why.text);
}

/* How often each kind of operation has succeeded: a sequence in which one never did shows nothing of it. */
static unsigned successes[COP_STORE_PRUNE + 1];

static void
run_on_both(struct side sides[], const cop_store_op batch[], size_t count)
{
    cop_store_op one[MOST], other[MOST];
    memcpy(one, batch, count * sizeof *batch);
    memcpy(other, batch, count * sizeof *batch);
    run_on(&sides[0], one, count);
    run_on(&sides[1], other, count);
    for (size_t i = 0; i < count; i++) {
        check_same(&one[i], &other[i]);
        successes[one[i].kind] += one[i].result == 0;
        note_lease(&one[i]);
        cop_store_forget(&one[i]);
        cop_store_forget(&other[i]);
    }
}

TEST_TIMES(SEEDS, a_random_sequence_has_the_outcome_that_the_store_in_memory_has)
{
    unsigned seed = 1 + (unsigned)_i;
    struct side sides[2];
    atomic_store(&clock_ms, 1700000000000);
    set_up(&sides[0], the_backend(), its_place());
    set_up(&sides[1], &copi_memory_backend, NULL);
    for (int step = 0; step < STEPS; step++) {
        cop_store_op batch[MOST];
        size_t count = 1 + draw(&seed, MOST);
        for (size_t i = 0; i < count; i++) {
            batch[i] = draw_op(&seed);
        }
        run_on_both(sides, batch, count);
        atomic_fetch_add(&clock_ms, draw(&seed, 20));
    }
    run_on_both(sides, &(cop_store_op){.kind = COP_STORE_LIST, .limit = 1000}, 1);
    for (unsigned kind = 0; kind <= COP_STORE_PRUNE; kind++) {
        ck_assert_msg(successes[kind] > 0, "seed %d: operation %u never succeeded", 1 + _i, kind);
    }
    take_down(&sides[0]);
    take_down(&sides[1]);
}

#endif
