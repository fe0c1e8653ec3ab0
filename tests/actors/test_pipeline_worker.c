/*
 * tests/actors/test_pipeline_worker.c - the processes behind a pipeline's stages: what functions may do in
 * them, and what happens when one ends.
 *
 * Room: tests/.
 */
#include "actors/pipeline.h"
#include "runtime/process.h"
#include "tests/actors/outcome.h"
#include "tests/actors/pipeline.h"
#include "tests/support/support.h"

static cop_pipeline *pipeline;

#define NEW(...) \
 ck_assert_int_eq(cop_pipeline_new(&pipeline, .item_size = sizeof(uint64_t), __VA_ARGS__), 0)

static atomic_ullong worker; /* a pid */

static cop_pid
its_pid(void)
{
    return (cop_pid){worker};
}

/* ---------------------------------------------------------------- functions that fail */

TEST(a_negative_code_is_a_failure)
{
    NEW(COP_STAGES({.fn = add_one, .result_size = 8}, {.fn = fail_always}));
    assert_code(submitted(pipeline, 1), -EBADMSG);
    cop_pipeline_free(pipeline);
}

static int
return_nonsense(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    return 7;
}

TEST(a_positive_code_is_a_failure_with_einval)
{
    NEW(COP_STAGES({.fn = return_nonsense}));
    assert_rejected(submitted(pipeline, 1), cop_failed(-EINVAL, "{bad_return_value,7}"));
    ck_assert_int_eq(end_of(pipeline).code, -EINVAL);
    cop_pipeline_free(pipeline);
}

TEST(a_crash_in_a_stage_is_a_failure_with_its_reason)
{
    NEW(COP_STAGES({.fn = crash_always}));
    assert_rejected(submitted(pipeline, 1), cop_failed(-EIO, "lost"));
    cop_reason why = end_of(pipeline);
    ck_assert_int_eq(why.code, -EIO);
    ck_assert_str_eq(why.text, "lost");
    cop_pipeline_free(pipeline);
}

static int
crash_at_odd(void *item, void *result, void *env)
{
    (void)result, (void)env;
    cop_assert(*(uint64_t *)item % 2 == 0);
    finished++;
    return 0;
}

TEST(with_keep_going_a_worker_outlives_a_crash)
{
    NEW(COP_STAGES({.fn = crash_at_odd}), .keep_going = true);
    for (uint64_t i = 0; i < 10; i++) {
        cop_future *outcome = submitted(pipeline, i);
        int r = cop_await(outcome, NULL, 0, SOON);
        ck_assert_int_eq(r, i % 2 ? -ENOTRECOVERABLE : 0);
        cop_future_release(outcome);
    }
    close_and_free(pipeline);
    ck_assert_int_eq(finished, 5);
}

TEST(what_a_failing_function_was_given_is_dropped_once)
{
    ck_assert_int_eq(
        cop_pipeline_new(
            &pipeline,
            COP_STAGES({.fn = crash_always, .result_size = 8, .drop = drop_owned, .width = 2}),
            .item_size = 8, .drop = drop_owned, .keep_going = true),
        0);
    for (uint64_t i = 0; i < 10; i++) {
        ck_assert_int_eq(submit_owned(pipeline, i, SOON), 0);
    }
    close_and_free(pipeline);
    ck_assert_int_eq(dropped, 10);
    ck_assert_int_eq(owned, 0);
}

/* ---------------------------------------------------------------- workers that end */

static int
say_who(void *item, void *result, void *env)
{
    worker = cop_self().id;
    return wait_at_gate(item, result, env);
}

static unsigned
count_idle(const struct copi_pipeline_worker **newest)
{
    unsigned count = 0;
    copi_lock_take(&pipeline->lock);
    *newest = pipeline->stages[0].idle;
    for (const struct copi_pipeline_worker *one = *newest; one; one = one->next_idle) {
        count++;
    }
    copi_lock_give(&pipeline->lock);
    return count;
}

/* The first to be idle is the last in the list of those that are. */
TEST(an_idle_worker_that_is_woken_for_nothing_goes_on_to_wait)
{
    enum {
        WIDTH = 3
    };
    const struct copi_pipeline_worker *newest;
    NEW(COP_STAGES({.fn = wait_at_gate, .width = WIDTH}));
    EVENTUALLY(count_idle(&newest) == WIDTH);
    for (int i = 0; i < WIDTH; i++) {
        struct copi_pipeline_worker *worker_i = &pipeline->stages[0].workers[i];
        copi_unpark(&worker_i->process->parker);
        EVENTUALLY(count_idle(&newest) == WIDTH && newest == worker_i);
    }
    for (uint64_t i = 0; i < WIDTH; i++) {
        ck_assert_int_eq(submit(pipeline, i, SOON), 0);
    }
    EVENTUALLY(started == WIDTH); /* each has one */
    gate = 1;
    close_and_free(pipeline);
    ck_assert_int_eq(finished, WIDTH);
}

TEST(who_kills_a_busy_worker_ends_the_pipeline)
{
    NEW(COP_STAGES({.fn = say_who}));
    cop_future *outcome = submitted(pipeline, 1);
    EVENTUALLY(started == 1);
    cop_exit_signal(its_pid(), COP_REASON_KILLED);
    ck_assert_int_eq(cop_await(outcome, NULL, 0, SOON), -ECANCELED);
    cop_future_release(outcome);
    ck_assert_int_eq(end_of(pipeline).kind, COP_KILLED);
    ck_assert_int_eq(cancelled, 1);
    ck_assert_uint_eq(look(pipeline).failed, 1);
    cop_pipeline_free(pipeline);
}

TEST(who_kills_an_idle_worker_ends_the_pipeline)
{
    gate = 1;
    NEW(COP_STAGES({.fn = say_who}, {.fn = swallow}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(look(pipeline).delivered == 1);
    cop_exit_signal(its_pid(), COP_REASON_KILLED);
    ck_assert_int_eq(end_of(pipeline).kind, COP_KILLED);
    ck_assert_int_eq(submit(pipeline, 1, SOON), -ECANCELED);
    ck_assert_int_eq(cop_why().kind, COP_KILLED);
    cop_pipeline_free(pipeline);
}

TEST(who_asks_a_worker_to_end_ends_the_pipeline)
{
    gate = 1;
    NEW(COP_STAGES({.fn = say_who, .width = 1}, {.fn = swallow, .width = 3}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(look(pipeline).delivered == 1);
    cop_exit_signal(its_pid(), COP_REASON_SHUTDOWN);
    ck_assert_int_eq(end_of(pipeline).kind, COP_SHUTDOWN);
    cop_pipeline_free(pipeline);
}

static int
never_stop(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    worker = cop_self().id;
    for (started++; !gate;) {
    }
    finished++;
    return 0;
}

TEST(a_worker_that_is_disowned_is_a_failure_and_keeps_its_item_until_it_comes_back)
{
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    ck_assert_int_eq(cop_pipeline_new(&pipeline, COP_STAGES({.fn = never_stop}), .item_size = 8,
                                      .drop = drop_owned),
                     0);
    uint64_t *thing = own(1);
    cop_future *outcome;
    ck_assert_int_eq(cop_pipeline_submit(pipeline, &outcome, &thing, SOON), 0);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(submit_owned(pipeline, 2, SOON), 0);
    cop_exit_signal(its_pid(), COP_REASON_KILLED);
    ck_assert_int_eq(end_of(pipeline).kind, COP_KILLED);
    ck_assert_int_eq(cop_await(outcome, NULL, 0, SOON), -ECANCELED);
    cop_future_release(outcome);
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.failed, 1);
    ck_assert_uint_eq(counts.dropped, 1);
    cop_pipeline_free(pipeline);
    ck_assert_int_eq(owned, 1); /* the function may be looking at it */
    gate = 1;
    EVENTUALLY(owned == 0);
    EVENTUALLY(cop_disowned() == 0);
    ck_assert_int_eq(dropped, 2);
}

TEST_TIMES(20, when_it_has_ended_so_have_its_workers)
{
    gate = 1;
    NEW(COP_STAGES({.fn = say_who, .width = 2}, {.fn = swallow, .width = 4}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    ck_assert(!cop_alive(its_pid()));
    ck_assert_uint_eq(cop_processes(NULL, 0), 1); /* this one */
    cop_pipeline_free(pipeline);
}

TEST(a_shutdown_ends_a_pipeline)
{
    NEW(COP_STAGES({.fn = wait_at_gate, .width = 2}, {.fn = swallow, .width = 2}));
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    }
    EVENTUALLY(started == 2);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(end_of(pipeline).kind, COP_SHUTDOWN);
    ck_assert_uint_eq(look(pipeline).in_flight, 0);
    cop_pipeline_free(pipeline);
}

/* ---------------------------------------------------------------- what functions may do */

static int
answer(cop_bytes arg, void *result)
{
    *(uint64_t *)result = *(const uint64_t *)arg.data * 2;
    return 0;
}

static int
ask_a_task(void *item, void *result, void *env)
{
    (void)env;
    cop_future *task =
        cop_async(answer, .arg = {item, sizeof(uint64_t)}, .result_size = sizeof(uint64_t));
    int r = cop_await(task, result, sizeof(uint64_t), SOON);
    cop_future_release(task);
    return r;
}

TEST(a_function_may_start_tasks_and_await_them)
{
    NEW(COP_STAGES({.fn = ask_a_task, .result_size = 8, .width = 4}));
    for (uint64_t i = 0; i < 20; i++) {
        assert_value(submitted(pipeline, i), 2 * i);
    }
    close_and_free(pipeline);
}

static void
count(void *arg)
{
    (void)arg;
    finished++;
}

static int
leave_things_behind(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    ck_assert_int_eq(cop_defer(count, NULL), 0);
    ck_assert_ptr_nonnull(cop_alloc(100000));
    cop_context *context = cop_context_new(0);
    cop_context_enter(context);
    cop_context_free(context);
    cop_shield(true);
    started++;
    return 0;
}

TEST(what_a_function_leaves_behind_is_gone_before_the_next_item)
{
    NEW(COP_STAGES({.fn = leave_things_behind}));
    size_t before = test_allocated();
    for (int i = 1; i <= 100; i++) {
        ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
        EVENTUALLY(look(pipeline).delivered == (unsigned)i);
        ck_assert_int_eq(finished, i);
    }
    ck_assert_uint_le(test_allocated(), before + 300000); /* of 10 MB; pools take some */
    close_and_free(pipeline);
}

TEST(workers_run_side_by_side)
{
    NEW(COP_STAGES({.fn = wait_at_gate, .width = 5}));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    }
    EVENTUALLY(started == 5);
    gate = 1;
    close_and_free(pipeline);
}

TEST(workers_carry_the_name_of_their_stage)
{
    cop_process_info info;
    NEW(COP_STAGES({.fn = say_who, .name = "parse"}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(cop_inspect(its_pid(), &info), 0);
    ck_assert_ptr_nonnull(strstr(info.label, "parse"));
    gate = 1;
    close_and_free(pipeline);
}

TEST(an_idle_worker_waits_and_is_woken)
{
    NEW(COP_STAGES({.fn = say_who, .width = 1}, {.fn = swallow, .width = 8}));
    gate = 1;
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(look(pipeline).delivered == 1);
    EVENTUALLY(test_is_waiting(its_pid()));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(look(pipeline).delivered == 2);
    close_and_free(pipeline);
}

SUITE("pipeline_worker")
