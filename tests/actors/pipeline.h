/*
 * tests/actors/pipeline.h - what the suites of pipelines share: stages, things that are owned, looks inside.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_PIPELINE_H
#define COPI_TESTS_PIPELINE_H

#include "tests/support/support.h"

#include <errno.h>

static atomic_int gate, started, finished, cancelled, owned, dropped;

/* ---------------------------------------------------------------- things that are owned */

/* A value in memory of its own; how many there are, and how many were dropped. */
static inline uint64_t *
own(uint64_t value)
{
    uint64_t *thing = malloc(sizeof *thing);
    ck_assert_ptr_nonnull(thing);
    *thing = value;
    owned++;
    return thing;
}

/* Of a pointer that was moved out nothing is left. */
static inline void
drop_owned(void *item)
{
    uint64_t *thing = *(uint64_t **)item;
    if (thing) {
        owned--;
        dropped++;
        free(thing);
    }
}

/* ---------------------------------------------------------------- stages */

static inline int
add_one(void *item, void *result, void *env)
{
    (void)env;
    *(uint64_t *)result = *(uint64_t *)item + 1;
    return 0;
}

/* A new thing for the next stage. */
static inline int
add_one_owned(void *item, void *result, void *env)
{
    (void)env;
    *(uint64_t **)result = own(**(uint64_t **)item + 1);
    return 0;
}

/* The same thing for the next stage. */
static inline int
move_on(void *item, void *result, void *env)
{
    (void)env;
    uint64_t **from = item;
    *(uint64_t **)result = *from;
    *from = NULL;
    return 0;
}

static inline int
swallow(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    finished++;
    return 0;
}

/* Whatever it is, it waits until the gate is open, or until it is cancelled. */
static inline int
wait_at_gate(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    int r = 0;
    started++;
    while (gate == 0 && (r = cop_sleep(COP_US(200))) == 0) {
    }
    cancelled += r == -ECANCELED;
    finished++;
    return r;
}

static inline int
fail_always(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    return -EBADMSG;
}

static inline int
crash_always(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    cop_exit(cop_failed(-EIO, "lost"));
}

/* ---------------------------------------------------------------- submitting, looking */

static inline int
submit(cop_pipeline *pipeline, uint64_t value, cop_time timeout)
{
    return cop_pipeline_submit(pipeline, NULL, &value, timeout);
}

static inline cop_future *
submitted(cop_pipeline *pipeline, uint64_t value)
{
    cop_future *outcome = NULL;
    ck_assert_int_eq(cop_pipeline_submit(pipeline, &outcome, &value, SOON), 0);
    return outcome;
}

/* What is in memory of its own is taken when that succeeds. */
static inline int
submit_owned(cop_pipeline *pipeline, uint64_t value, cop_time timeout)
{
    uint64_t *thing = own(value);
    int r = cop_pipeline_submit(pipeline, NULL, &thing, timeout);
    if (r) {
        owned--;
        free(thing);
    }
    return r;
}

static inline cop_pipeline_counts
look(cop_pipeline *pipeline)
{
    cop_pipeline_counts counts;
    cop_pipeline_inspect(pipeline, &counts, NULL, 0);
    ck_assert_uint_eq(counts.submitted,
                      counts.delivered + counts.failed + counts.dropped + counts.in_flight);
    return counts;
}

static inline cop_stage_counts
look_at(cop_pipeline *pipeline, size_t stage)
{
    cop_stage_counts stages[8];
    ck_assert_uint_lt(stage, 8);
    cop_pipeline_inspect(pipeline, NULL, stages, stage + 1);
    return stages[stage];
}

/* Wait until it has ended; why. */
static inline cop_reason
end_of(cop_pipeline *pipeline)
{
    cop_bytes nothing;
    cop_reason why = COP_REASON_NORMAL;
    cop_future *future = cop_pipeline_future(pipeline);
    cop_await_bytes(future, &nothing, SOON);
    int r = cop_future_state(future, &why);
    ck_assert_int_ne(r, -EINPROGRESS);
    cop_future_release(future);
    return why;
}

static inline void
close_and_free(cop_pipeline *pipeline)
{
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    cop_pipeline_free(pipeline);
}

#endif
