/*
 * tests/actors/durable/test_worker_times.c - how long a lease is trusted.
 *
 * Room: tests/.
 */
#include "actors/durable/worker.h"
#include "tests/support/support.h"

TEST(trust_ends_a_tenth_before_the_lease)
{
    ck_assert_int_eq(copi_lease_trust(COP_SEC(30), COP_SEC(30)), COP_SEC(27));
}

TEST(trust_ends_at_least_200_ms_before_the_lease)
{
    ck_assert_int_eq(copi_lease_trust(COP_SEC(1), COP_SEC(1)), COP_MS(800));
}

TEST(a_lease_that_is_shorter_than_that_is_trusted_for_most_of_its_time)
{
    ck_assert_int_eq(copi_lease_trust(COP_MS(200), COP_MS(200)), COP_MS(150));
}

/* PG21 */
TEST(a_lease_that_was_cut_at_the_deadline_is_trusted_for_less)
{
    ck_assert_int_eq(copi_lease_trust(COP_SEC(30), COP_SEC(10)), COP_SEC(7));
    ck_assert_int_eq(copi_lease_trust(COP_SEC(30), COP_SEC(1)), 0);
}

TEST(a_store_that_promises_more_than_was_asked_for_is_not_believed)
{
    ck_assert_int_eq(copi_lease_trust(COP_SEC(30), COP_FOREVER), COP_SEC(27));
}

TEST(a_lease_is_renewed_long_before_it_is_no_longer_trusted)
{
    for (cop_time ttl = COP_MS(10); ttl < COP_SEC(1000); ttl *= 2) {
        ck_assert_int_le(2 * copi_lease_renewal(ttl), copi_lease_trust(ttl, ttl));
    }
}

TEST(looking_for_leases_that_are_over_takes_a_fiftieth_of_the_time)
{
    ck_assert_int_eq(copi_lease_inheriting(0), COP_MS(100));
    ck_assert_int_eq(copi_lease_inheriting(COP_MS(1)), COP_MS(100));
    ck_assert_int_eq(copi_lease_inheriting(COP_MS(14)), COP_MS(700));
}

TEST(a_store_that_was_away_for_long_is_not_left_alone_for_fifty_times_as_long)
{
    ck_assert_int_eq(copi_lease_inheriting(COP_SEC(10)), COP_SEC(1));
}

SUITE("leases' times")
