/*
 * tests/actors/durable/asking.h - operations, asked of a store one at a time.
 *
 * Room: tests/. Knows actors/durable/ask.h, which workers stand on.
 */
#ifndef COPI_TESTS_ASKING_H
#define COPI_TESTS_ASKING_H

#include "actors/durable/ask.h"
#include "tests/actors/durable/stored.h"

/* The operation with what came of it, result and all; copi_asked_over gives it back. */
UNUSED static struct copi_ask *
asked(cop_pid store, cop_store_op op)
{
    struct copi_ask *answer;
    int r = copi_ask_and_wait(&answer, store, &op, &(struct copi_ask_opts){0}, SOON);
    ck_assert_msg(answer != NULL, "no answer: %s", cop_strerror(r));
    answer->op.result = r; /* also of what was refused before it was asked */
    return answer;
}

UNUSED static void
over(struct copi_ask *answer)
{
    cop_future_release(&answer->future);
}

/* Only its result. */
UNUSED static int
result_of(cop_pid store, cop_store_op op)
{
    struct copi_ask *answer = asked(store, op);
    int r = answer->op.result;
    over(answer);
    return r;
}

#define OWNER(c) ((cop_owner){{(c), 1}})
#define ASK(...) ((cop_store_op){__VA_ARGS__})

#endif
