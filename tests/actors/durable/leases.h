/*
 * tests/actors/durable/leases.h - what holds of leases, whatever promises are kept in.
 *
 * Room: tests/. Included as promises.h is.
 */
#ifndef COPI_TESTS_LEASES_H
#define COPI_TESTS_LEASES_H

#include "tests/actors/durable/asking.h"

#define ALICE OWNER('a')
#define BOB   OWNER('b')
#define LONG  COP_SEC(100)

static cop_pid
a_store_with_one(unsigned max_attempts)
{
    cop_pid store = a_store_with((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q", .max_attempts = max_attempts), 0);
    return store;
}

static uint64_t
acquired(cop_pid store, cop_owner owner, cop_time time)
{
    struct copi_ask *answer =
        asked(store, ASK(.kind = COP_STORE_ACQUIRE, .id = ID, .owner = owner, .time = time));
    ck_assert_int_eq(answer->op.result, 0);
    ck_assert_uint_eq(answer->op.count, 1);
    uint64_t epoch = answer->op.first->epoch;
    over(answer);
    return epoch;
}

/* Wait until the lease is over. */
static void
let_lapse(cop_pid store)
{
    for (bool is_held = true; is_held; cop_sleep(COP_MS(1))) {
        cop_durable_record record = stored(store, ID);
        is_held = record.lease_left > 0;
        cop_durable_release(&record);
    }
}

TEST(one_at_a_time_has_the_lease)
{
    cop_pid store = a_store_with_one(0);
    ck_assert_uint_eq(acquired(store, ALICE, LONG), 1);
    struct copi_ask *refused =
        asked(store, ASK(.kind = COP_STORE_ACQUIRE, .id = ID, .owner = BOB, .time = LONG));
    ck_assert_int_eq(refused->op.result, -EBUSY);
    ck_assert_int_gt(refused->op.first->lease_left, 0);
    ck_assert_int_le(refused->op.first->lease_left, LONG);
    over(refused);
    ck_assert_uint_eq(acquired(store, ALICE, LONG), 1); /* an answer was lost */
    ck_assert_int_eq(
        result_of(store, ASK(.kind = COP_STORE_ACQUIRE, .id = "no", .owner = BOB, .time = LONG)),
        -ENOENT);
    stop(store);
}

TEST(a_lease_that_is_over_is_inherited_and_its_holder_is_fenced)
{
    cop_pid store = a_store_with_one(0);
    uint64_t first = acquired(store, ALICE, COP_MS(1));
    let_lapse(store);
    struct copi_ask *heir = asked(store, ASK(.kind = COP_STORE_INHERIT, .queue = "q", .owner = BOB,
                                             .time = LONG, .limit = 5));
    ck_assert_uint_eq(heir->op.count, 1);
    ck_assert_uint_eq(heir->op.first->epoch, first + 1);
    ck_assert_uint_eq(heir->op.first->attempts, 2);
    over(heir);
    ck_assert_int_eq(
        cop_durable_resolve(store, ID, COP_STR("late"), .owner = ALICE, .epoch = first), -ESTALE);
    ck_assert_int_eq(
        cop_durable_resolve(store, ID, COP_STR("heir"), .owner = BOB, .epoch = first + 1), 0);
    ck_assert_int_eq(
        cop_durable_resolve(store, ID, COP_STR("late"), .owner = ALICE, .epoch = first), -EALREADY);
    check_resolved(store, ID, "heir");
    stop(store);
}

TEST(who_was_late_and_not_missed_may_settle)
{
    cop_pid store = a_store_with_one(0);
    uint64_t epoch = acquired(store, ALICE, COP_MS(1));
    let_lapse(store);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .owner = ALICE, .epoch = epoch),
                     0);
    stop(store);
}

TEST(a_settle_under_a_lease_can_be_repeated_though_it_says_otherwise)
{
    cop_pid store = a_store_with_one(0);
    uint64_t epoch = acquired(store, ALICE, LONG);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .owner = ALICE, .epoch = epoch),
                     0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("b"), .owner = ALICE, .epoch = epoch),
                     0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EALREADY);
    check_resolved(store, ID, "a");
    ck_assert_int_eq(
        result_of(store, ASK(.kind = COP_STORE_ACQUIRE, .id = ID, .owner = BOB, .time = LONG)),
        -EALREADY);
    stop(store);
}

TEST(a_lease_is_renewed_by_who_has_it)
{
    cop_pid store = a_store_with_one(0);
    uint64_t epoch = acquired(store, ALICE, COP_SEC(10));
    cop_store_op renew =
        ASK(.kind = COP_STORE_RENEW, .id = ID, .owner = ALICE, .epoch = epoch, .time = LONG);
    struct copi_ask *renewed = asked(store, renew);
    ck_assert_int_eq(renewed->op.result, 0);
    ck_assert_int_gt(renewed->op.left, COP_SEC(10));
    over(renewed);
    renew.epoch++;
    ck_assert_int_eq(result_of(store, renew), -ESTALE);
    renew.epoch--;
    renew.owner = BOB;
    ck_assert_int_eq(result_of(store, renew), -ESTALE);
    renew.id = "no";
    ck_assert_int_eq(result_of(store, renew), -ENOENT);
    stop(store);
}

TEST(a_lease_that_is_over_is_not_renewed)
{
    cop_pid store = a_store_with_one(0);
    uint64_t epoch = acquired(store, ALICE, COP_MS(1));
    let_lapse(store);
    ck_assert_int_eq(result_of(store, ASK(.kind = COP_STORE_RENEW, .id = ID, .owner = ALICE,
                                          .epoch = epoch, .time = LONG)),
                     -ESTALE);
    stop(store);
}

TEST(what_is_released_is_claimed_again_and_was_no_attempt)
{
    cop_pid store = a_store_with_one(1);
    uint64_t epoch = acquired(store, ALICE, LONG);
    const cop_store_op release =
        ASK(.kind = COP_STORE_RELEASE, .id = ID, .owner = ALICE, .epoch = epoch);
    ck_assert_int_eq(result_of(store, release), 0);
    ck_assert_int_eq(result_of(store, release), 0); /* an answer was lost */
    const cop_store_op claim =
        ASK(.kind = COP_STORE_CLAIM, .queue = "q", .owner = BOB, .time = LONG, .limit = 5);
    struct copi_ask *claimed = asked(store, claim);
    ck_assert_uint_eq(claimed->op.count, 1);
    ck_assert_uint_eq(claimed->op.first->epoch, epoch + 1);
    ck_assert_uint_eq(claimed->op.first->attempts, 1);
    over(claimed);
    ck_assert_int_eq(result_of(store, release), -ESTALE);
    stop(store);
}

TEST(a_queue_gives_as_many_as_are_asked_for_and_each_once)
{
    cop_pid store = a_store_with((cop_store_opts){0});
    char id[16];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof id, "p%d", i);
        ck_assert_int_eq(cop_durable_create(store, id, .queue = i < 7 ? "q" : "other"), 0);
    }
    const cop_store_op claim =
        ASK(.kind = COP_STORE_CLAIM, .queue = "q", .owner = ALICE, .time = LONG, .limit = 4);
    static const size_t expected[] = {4, 3, 0};
    for (unsigned i = 0; i < 3; i++) {
        struct copi_ask *claimed = asked(store, claim);
        ck_assert_uint_eq(claimed->op.count, expected[i]);
        over(claimed);
    }
    stop(store);
}

TEST(a_promise_whose_attempts_are_used_up_is_rejected)
{
    cop_pid store = a_store_with_one(1);
    cop_future *future = recovered(store, ID);
    acquired(store, ALICE, COP_MS(20));
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -EOWNERDEAD);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.cause, COP_DURABLE_ATTEMPTS);
    ck_assert_int_eq(record.code, -EOWNERDEAD);
    cop_durable_release(&record);
    cop_future_release(future);
    stop(store);
}

TEST(a_lease_ends_with_the_deadline)
{
    cop_pid store = a_store_with((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q", .expires_in = COP_SEC(50)), 0);
    struct copi_ask *answer =
        asked(store, ASK(.kind = COP_STORE_ACQUIRE, .id = ID, .owner = ALICE, .time = LONG));
    ck_assert_int_le(answer->op.first->lease_left, COP_SEC(50));
    over(answer);
    stop(store);
}

#endif
