/*
 * tests/actors/tasks.h - what tasks do in several suites, and what becomes of their results.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_TASKS_H
#define COPI_TESTS_TASKS_H

#include "tests/support/support.h"

static inline int
twice(cop_bytes arg, void *result)
{
    *(int *)result = 2 * *(const int *)arg.data;
    return 0;
}

static inline int
fail_with(cop_bytes arg, void *result)
{
    (void)result;
    return *(const int *)arg.data;
}

static inline int
exit_with(cop_bytes arg, void *result)
{
    (void)result;
    cop_exit(*(const cop_reason *)arg.data);
}

static atomic_int drops;

static inline void
drop_words(void *words)
{
    drops++;
    free(words);
}

static inline void
drop_pointer(void *result)
{
    drops++;
    free(*(char **)result);
}

/* What finds neither a worker nor a timer for want of memory runs with what comes next. */
static inline void
nudge_workers(void)
{
    cop_future *f = cop_async(NULL);
    ck_assert_int_eq(cop_on_settled(f, NULL, NULL, NULL), 0);
    cop_future_release(f);
}

#endif
