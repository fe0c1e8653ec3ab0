/*
 * tests/runtime/test_backoff.c - how long to pause before another attempt.
 *
 * Room: tests/.
 */
#include "runtime/backoff.h"
#include "tests/support/support.h"

static const struct copi_backoff backoff = {COP_MS(10), COP_MS(1000)};

TEST(is_never_shorter_than_the_minimum_nor_longer_than_the_maximum)
{
    for (unsigned attempts = 0; attempts < 100; attempts++) {
        for (uint64_t i = 0; i < 1000; i++) {
            cop_time pause =
                copi_backoff_pause(&backoff, attempts, i * UINT64_C(0x9e3779b97f4a7c15));
            ck_assert_int_ge(pause, backoff.min);
            ck_assert_int_le(pause, backoff.max);
        }
    }
}

TEST(the_ceiling_doubles_with_each_attempt)
{
    cop_time ceiling = COP_MS(20);
    for (unsigned attempts = 0; attempts < 5; attempts++, ceiling *= 2) {
        uint64_t longest = (uint64_t)(ceiling - backoff.min);
        ck_assert_int_eq(copi_backoff_pause(&backoff, attempts, longest), ceiling);
        ck_assert_int_eq(copi_backoff_pause(&backoff, attempts, longest + 1), backoff.min);
    }
}

TEST(stays_at_the_maximum_however_many_attempts)
{
    uint64_t longest = (uint64_t)(backoff.max - backoff.min);
    ck_assert_int_eq(copi_backoff_pause(&backoff, 7, longest), backoff.max);
    ck_assert_int_eq(copi_backoff_pause(&backoff, UINT32_MAX - 1, longest), backoff.max);
}

TEST(a_maximum_without_end_does_not_overflow)
{
    const struct copi_backoff endless = {1, COP_FOREVER};
    ck_assert_int_ge(copi_backoff_pause(&endless, 1000, UINT64_MAX), 1);
    ck_assert_int_eq(copi_backoff_pause(&endless, 1000, INT64_MAX - 1), COP_FOREVER);
}

TEST(without_room_there_is_no_jitter)
{
    const struct copi_backoff fixed = {COP_MS(5), COP_MS(5)};
    ck_assert_int_eq(copi_backoff_pause(&fixed, 3, 123456789), COP_MS(5));
}

TEST(a_life_as_long_as_the_longest_pause_is_healthy)
{
    ck_assert(!copi_backoff_is_healthy(&backoff, backoff.max - 1));
    ck_assert(copi_backoff_is_healthy(&backoff, backoff.max));
}

SUITE("backoff")
