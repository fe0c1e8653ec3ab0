/*
 * tests/runtime/test_random.c - chance, and bytes that nobody can guess.
 *
 * Room: tests/.
 */
#include "tests/support/support.h"

#include <coppice/random.h>

#include <errno.h>
#include <sys/syscall.h>

TEST(bytes_are_refused_with_a_reason_while_the_system_has_none)
{
    char bytes[16];
    (void)cop_self();
    test_refuse_system_call(SYS_getrandom, EAGAIN);
    ck_assert_int_eq(cop_random_bytes(bytes, sizeof bytes), -EAGAIN);
    cop_reason why = cop_why();
    ck_assert_int_eq(why.code, -EAGAIN);
    ck_assert_str_eq(why.text, "low_entropy");
}

TEST(bytes_are_refused_where_the_program_may_not_ask)
{
    char bytes[16];
    test_refuse_system_call(SYS_getrandom, EPERM);
    ck_assert_int_eq(cop_random_bytes(bytes, sizeof bytes), -EPERM);
    ck_assert_int_eq(cop_why().code, -EPERM);
}

TEST(chance_never_fails)
{
    test_refuse_system_call(SYS_getrandom, EAGAIN);
    uint64_t one = cop_random(), other = cop_random();
    ck_assert(one != other);
    ck_assert_uint_lt(cop_random_below(6), 6);
}

TEST(all_bytes_are_drawn_and_none_behind_them)
{
    enum {
        SIZE = 1000, /* more than the system gives at once without a look at signals */
        TIMES = 20,
    };
    unsigned char bytes[SIZE + 1], seen[SIZE + 1] = {0};
    for (int i = 0; i < TIMES; i++) {
        memset(bytes, 0, sizeof bytes);
        ck_assert_int_eq(cop_random_bytes(bytes, SIZE), 0);
        for (size_t k = 0; k <= SIZE; k++) {
            seen[k] |= bytes[k];
        }
    }
    for (size_t k = 0; k < SIZE; k++) { /* one that is 0 twenty times: once in 2^150 runs */
        ck_assert_uint_ne(seen[k], 0);
    }
    ck_assert_uint_eq(seen[SIZE], 0);
}

TEST(a_number_below_a_limit_is_any_of_those)
{
    bool seen[6] = {false};
    unsigned kinds = 0;
    while (kinds < 6) { /* the test's own limit is the end */
        uint64_t number = cop_random_below(6);
        ck_assert_uint_lt(number, 6);
        kinds += !seen[number];
        seen[number] = true;
    }
    ck_assert_uint_eq(cop_random_below(1), 0);
    for (int i = 0; i < 100; i++) {
        ck_assert(cop_random_below(UINT64_MAX) < UINT64_MAX);
        ck_assert(cop_random_below((UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

TEST(a_limit_of_nothing_is_none)
{
    bool is_large = false;
    while (!is_large) {
        is_large = cop_random_below(0) > UINT32_MAX;
    }
}

SUITE("random")
