/*
 * tests/supervisor/long_chain.h - a tree that is as deep as it is large.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_LONG_CHAIN_H
#define COPI_TESTS_LONG_CHAIN_H

#include "tests/support/support.h"

enum {
    LONG_CHAIN = 200 /* links */
};

static inline int
descend(cop_bytes arg)
{
    int depth = *(const int *)arg.data;
    if (depth > 0) {
        depth--;
        ck_assert_int_eq(cop_spawn(NULL, descend, .link = true, .arg = COP_BYTES(depth)), 0);
    }
    return test_wait_for_end((cop_bytes){0});
}

/* In a program that has the test's own process and no other. */
static inline void
start_long_chain(void)
{
    int depth = LONG_CHAIN;
    ck_assert_int_eq(cop_spawn(NULL, descend, .arg = COP_BYTES(depth)), 0);
    EVENTUALLY(cop_processes(NULL, 0) == LONG_CHAIN + 2);
}

#endif
