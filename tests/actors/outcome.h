/*
 * tests/actors/outcome.h - what children come to: awaited, compared, and released.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_OUTCOME_H
#define COPI_TESTS_OUTCOME_H

#include "tests/support/support.h"

static inline void
assert_value(cop_future *child, uint64_t expected)
{
    uint64_t value = 0;
    ck_assert_int_eq(cop_await(child, COP_OUT(value), SOON), 0);
    ck_assert_uint_eq(value, expected);
    cop_future_release(child);
}

static inline void
assert_rejected(cop_future *child, cop_reason why)
{
    cop_bytes value;
    cop_reason got;
    int code = cop_reason_error(why);
    ck_assert_int_eq(cop_await_bytes(child, &value, SOON), code);
    ck_assert_int_eq(cop_future_state(child, &got), code);
    ck_assert_int_eq(got.kind, why.kind);
    ck_assert_int_eq(got.code, why.code);
    ck_assert_str_eq(got.text, why.text);
    cop_future_release(child);
}

static inline void
assert_code(cop_future *child, int code)
{
    assert_rejected(child, cop_failed(code, NULL));
}

#endif
