/*
 * tests/actors/durable/test_redis_lease.c - when to renew, when to stop trusting, how long to wait.
 *
 * Room: tests/.
 */
#include "actors/durable/redis_lease.h"
#include "tests/support/support.h"

TEST(a_lease_is_renewed_at_a_third_and_trusted_for_nine_tenths_from_its_sending)
{
    struct copi_redis_lease lease;
    copi_redis_lease_begin(&lease, COP_SEC(30), COP_SEC(100));
    ck_assert_int_eq(lease.renew_at, COP_SEC(110));
    ck_assert_int_eq(lease.trust_until, COP_SEC(127));
}

TEST(a_renewal_that_was_missed_is_tried_again_and_prolongs_no_trust)
{
    struct copi_redis_lease lease;
    copi_redis_lease_begin(&lease, COP_SEC(30), COP_SEC(100));
    copi_redis_lease_missed(&lease, COP_SEC(111));
    ck_assert_int_eq(lease.renew_at, COP_SEC(112.5));
    ck_assert_int_eq(lease.trust_until, COP_SEC(127));
}

TEST(who_waits_looks_when_the_lock_is_free_or_at_the_next_poll)
{
    ck_assert_int_eq(copi_redis_lease_wait(200, COP_SEC(1), 0), COP_MS(201));
    ck_assert_int_eq(copi_redis_lease_wait(0, COP_SEC(1), 0), COP_MS(1));
    ck_assert_int_eq(copi_redis_lease_wait(5000, COP_SEC(1), 0), COP_SEC(1));
    ck_assert_int_eq(copi_redis_lease_wait(-1, COP_SEC(1), 0), COP_SEC(1)); /* for ever */
    ck_assert_int_eq(copi_redis_lease_wait(-2, COP_SEC(1), 0), COP_SEC(1)); /* gone: news comes */
    ck_assert_int_eq(copi_redis_lease_wait(INT64_MAX, COP_SEC(1), 0), COP_SEC(1));
}

TEST(chance_lies_within_limits)
{
    for (uint64_t chance = 0; chance <= UINT32_MAX; chance += UINT32_MAX / 64) {
        cop_time free = copi_redis_lease_wait(200, COP_SEC(1), (uint32_t)chance);
        ck_assert_int_ge(free, COP_MS(200));
        ck_assert_int_le(free, COP_MS(300));
        cop_time poll = copi_redis_lease_wait(-1, COP_SEC(1), (uint32_t)chance);
        ck_assert_int_ge(poll, COP_MS(900));
        ck_assert_int_le(poll, COP_SEC(1));
    }
}

SUITE("leases of locks")
