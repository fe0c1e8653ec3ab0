/*
 * tests/actors/durable/test_judge.c - what comes of an operation that has changed nothing.
 *
 * What is the same for a whole store is in promises.h and leases.h; here is what races make of it.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

static int
judged(cop_store_op op, const cop_durable_record *record)
{
    ck_assert_int_eq(cop_store_judge(&op, record), 0);
    int r = op.result;
    cop_store_forget(&op);
    return r;
}

static const cop_durable_record pending = {.id = "a", .epoch = 3};
static const cop_owner owner = {{1}};

TEST(what_is_not_there_is_unknown)
{
    for (unsigned kind = COP_STORE_GET; kind <= COP_STORE_RELEASE; kind++) {
        ck_assert_int_eq(judged((cop_store_op){.kind = (cop_store_kind)kind}, NULL), -ENOENT);
    }
}

TEST(what_is_free_and_was_not_taken_is_about_to_be_taken_by_another)
{
    cop_store_op op = {.kind = COP_STORE_ACQUIRE, .owner = owner};
    ck_assert_int_eq(judged(op, &pending), -EBUSY);
}

TEST(what_has_used_up_its_attempts_is_not_taken)
{
    cop_durable_record record = pending;
    record.attempts = record.max_attempts = 2;
    ck_assert_int_eq(judged((cop_store_op){.kind = COP_STORE_ACQUIRE, .owner = owner}, &record),
                     -EOWNERDEAD);
}

TEST(a_lease_that_nobody_has_is_not_renewed_and_its_release_is_a_duplicate)
{
    cop_store_op op = {.kind = COP_STORE_RENEW, .owner = owner, .epoch = 3};
    ck_assert_int_eq(judged(op, &pending), -ESTALE);
    op.kind = COP_STORE_RELEASE;
    ck_assert_int_eq(judged(op, &pending), 0);
    op.epoch = 2;
    ck_assert_int_eq(judged(op, &pending), -ESTALE);
}

TEST(nothing_says_the_same_as_a_deadline)
{
    cop_durable_record record = pending;
    record.is_overdue = true;
    record.deadline_ms = 1;
    cop_store_op op = {
        .kind = COP_STORE_SETTLE,
        .state = COP_DURABLE_REJECTED,
        .cause = COP_DURABLE_DEADLINE,
        .code = -ETIME,
    };
    ck_assert_int_eq(judged(op, &record), -EALREADY);
}

TEST(what_is_damaged_is_compared_with_nothing)
{
    cop_durable_record damaged = pending;
    damaged.code = -EIO;
    for (unsigned kind = COP_STORE_CREATE; kind <= COP_STORE_RELEASE; kind++) {
        ck_assert_int_eq(judged((cop_store_op){.kind = (cop_store_kind)kind}, &damaged), -EBADMSG);
    }
}

TEST(durations_are_rounded_up_to_milliseconds)
{
    ck_assert_int_eq(cop_store_ms(0), 0);
    ck_assert_int_eq(cop_store_ms(1), 1);
    ck_assert_int_eq(cop_store_ms(COP_MS(1)), 1);
    ck_assert_int_eq(cop_store_ms(COP_MS(1) + 1), 2);
    ck_assert_int_eq(cop_store_ms(-COP_MS(5)), -5);
}

TEST(without_memory_for_the_record_the_judgement_fails)
{
    cop_store_op op = {.kind = COP_STORE_GET};
    copi_alloc_fail_after(0);
    int r = cop_store_judge(&op, &pending);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
}

SUITE("judge")
