/*
 * tests/actors/test_pipeline_item.c - one item, and the future of its outcome: what it owns is dropped once,
 * whatever becomes of it.
 *
 * Room: tests/.
 */
#include "actors/pipeline_item.h"
#include "runtime/alloc.h"
#include "tests/actors/outcome.h"
#include "tests/actors/pipeline.h"
#include "tests/support/support.h"

static struct copi_pipeline_item *
make(uint64_t value)
{
    uint64_t *thing = own(value);
    struct copi_pipeline_item *item =
        copi_pipeline_item_new(&thing, sizeof thing, sizeof thing, drop_owned);
    ck_assert_ptr_nonnull(item);
    return item;
}

/* With a future, whose handle is the caller's. */
static struct copi_pipeline_item *
make_wanted(uint64_t value, cop_future **outcome)
{
    struct copi_pipeline_item *item = make(value);
    ck_assert_int_eq(copi_pipeline_item_promise(item, 8, __FILE__, __LINE__), 0);
    *outcome = item->outcome;
    return item;
}

static bool
work(struct copi_pipeline_item *item, cop_stage_fn fn, cop_reason *why)
{
    const cop_stage stage = {.fn = fn, .result_size = 8, .drop = drop_owned};
    return copi_pipeline_item_work(item, &stage, why);
}

static void
assert_nothing_is_left(int drops)
{
    ck_assert_int_eq(owned, 0);
    ck_assert_int_eq(dropped, drops);
}

/* In a process, where functions are called. */
static int (*to_do)(void);

static int
do_it(cop_bytes arg)
{
    (void)arg;
    return to_do();
}

static void
in_a_process(int (*fn)(void))
{
    cop_ref monitor;
    to_do = fn;
    ck_assert_int_eq(cop_spawn(NULL, do_it, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- without memory */

TEST(without_memory_there_is_no_item_and_no_future)
{
    uint64_t value = 1;
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_pipeline_item_new(&value, 8, 8, NULL));
    copi_alloc_fail_after(1);
    struct copi_pipeline_item *item = copi_pipeline_item_new(&value, 8, 8, NULL);
    ck_assert_int_eq(copi_pipeline_item_promise(item, 8, __FILE__, __LINE__), -ENOMEM);
    copi_alloc_fail_after(-1);
    copi_pipeline_item_free(item);
}

/* ---------------------------------------------------------------- in a stage */

static int
fail_with_every_stage(void)
{
    cop_reason why;
    struct copi_pipeline_item *item = make(1);
    ck_assert(!work(item, fail_always, &why));
    ck_assert_int_eq(why.code, -EBADMSG);
    ck_assert(!work(item, crash_always, &why));
    ck_assert_int_eq(why.code, -EIO);
    ck_assert_int_eq(dropped, 0); /* it has what it had */
    copi_pipeline_item_reject(item, &why);
    assert_nothing_is_left(1);
    return 0;
}

TEST(after_a_failure_it_has_what_it_had)
{
    in_a_process(fail_with_every_stage);
}

static int
work_twice(void)
{
    cop_reason why;
    struct copi_pipeline_item *item = make(1);
    ck_assert(work(item, add_one_owned, &why));
    ck_assert_int_eq(dropped, 1);
    ck_assert(work(item, move_on, &why));
    ck_assert_int_eq(dropped, 1); /* it was moved */
    ck_assert_uint_eq(**(uint64_t **)item->value, 2);
    ck_assert(copi_pipeline_item_deliver(item, 8));
    assert_nothing_is_left(2);
    return 0;
}

TEST(a_new_value_takes_the_place_of_the_old_one)
{
    in_a_process(work_twice);
}

/* ---------------------------------------------------------------- the end */

TEST(its_future_gets_what_it_has)
{
    cop_future *outcome;
    struct copi_pipeline_item *item = make_wanted(4711, &outcome);
    uint64_t *thing = NULL;
    ck_assert(copi_pipeline_item_is_wanted(item));
    ck_assert(copi_pipeline_item_deliver(item, 8));
    ck_assert_int_eq(cop_await(outcome, COP_OUT(thing), SOON), 0);
    ck_assert_uint_eq(*thing, 4711);
    ck_assert_int_eq(dropped, 0);
    cop_future_release(outcome);
    assert_nothing_is_left(1);
}

TEST(what_it_has_is_dropped_before_its_future_is_rejected)
{
    cop_future *outcome;
    const cop_reason why = cop_failed(-EIO, "lost");
    copi_pipeline_item_reject(make_wanted(1, &outcome), &why);
    assert_nothing_is_left(1);
    assert_rejected(outcome, why);
}

TEST(a_future_that_was_cancelled_gets_nothing)
{
    cop_future *outcome;
    struct copi_pipeline_item *item = make_wanted(1, &outcome);
    ck_assert_int_eq(cop_future_cancel(outcome, COP_REASON_SHUTDOWN), 0);
    ck_assert(!copi_pipeline_item_is_wanted(item));
    ck_assert(!copi_pipeline_item_deliver(item, 8));
    assert_nothing_is_left(1);
    cop_future_release(outcome);
}

TEST(a_future_that_nobody_holds_any_more_is_freed_with_its_value)
{
    cop_future *outcome;
    struct copi_pipeline_item *item = make_wanted(1, &outcome);
    cop_future_release(outcome);
    ck_assert(copi_pipeline_item_deliver(item, 8));
    assert_nothing_is_left(1);
}

TEST(one_that_was_never_submitted_keeps_nothing_and_drops_nothing)
{
    cop_future *outcome;
    struct copi_pipeline_item *item = make_wanted(1, &outcome);
    free(*(uint64_t **)item->value);
    copi_pipeline_item_free(item);
    cop_future_release(outcome);
    ck_assert_int_eq(dropped, 0);
}

SUITE("pipeline_item")
