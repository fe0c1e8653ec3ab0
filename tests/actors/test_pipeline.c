/*
 * tests/actors/test_pipeline.c - items through stages: what is made, what comes out, and how it ends.
 *
 * Room: tests/. Case ids (BP01) are those of the list of futures' cases.
 */
#include "runtime/alloc.h"
#include "tests/actors/outcome.h"
#include "tests/actors/pipeline.h"
#include "tests/support/support.h"

#include <coppice/track.h>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static cop_pipeline *pipeline;

#define NEW(...) \
 ck_assert_int_eq(cop_pipeline_new(&pipeline, .item_size = sizeof(uint64_t), __VA_ARGS__), 0)
#define ADD_ONE                                  \
 {                                               \
  .fn = add_one, .result_size = sizeof(uint64_t) \
 }

/* ---------------------------------------------------------------- what is refused */

static void
assert_invalid(const cop_pipeline_opts *opts)
{
    cop_pipeline *untouched = NULL;
    ck_assert_int_eq(cop_pipeline_new_with(&untouched, opts), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_ptr_null(untouched);
}

TEST(what_makes_no_pipeline_is_refused)
{
    char long_name[65];
    memset(long_name, 'n', 64);
    long_name[64] = '\0';
    assert_invalid(NULL);
    assert_invalid(&(cop_pipeline_opts){.stage_count = 1});
    assert_invalid(&(cop_pipeline_opts){.stages = &(cop_stage){.fn = swallow}});
    assert_invalid(&(cop_pipeline_opts){COP_STAGES({.fn = swallow}, {.fn = NULL})});
    assert_invalid(&(cop_pipeline_opts){COP_STAGES({.fn = swallow}), .item_size = SIZE_MAX / 2});
    assert_invalid(&(cop_pipeline_opts){COP_STAGES({.fn = swallow, .result_size = SIZE_MAX})});
    assert_invalid(&(cop_pipeline_opts){COP_STAGES({.fn = swallow, .width = SIZE_MAX / 2})});
    assert_invalid(&(cop_pipeline_opts){COP_STAGES({.fn = swallow, .name = long_name})});
    assert_invalid(&(cop_pipeline_opts){COP_STAGES({.fn = swallow}), .when_full = 4});
    cop_pipeline_free(NULL);
}

static int
make_and_use(void *arg)
{
    (void)arg;
    int r = cop_pipeline_new(&pipeline, COP_STAGES(ADD_ONE, {.fn = swallow, .width = 3}),
                             .item_size = sizeof(uint64_t));
    if (r == 0) {
        copi_alloc_fail_after(-1);
        close_and_free(pipeline);
    }
    return r;
}

TEST(without_memory_there_is_no_pipeline_and_nothing_is_left)
{
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(make_and_use, NULL, &r), 6);
    ck_assert_int_eq(r, 0);
}

static void
forget_env(void *env)
{
    (*(atomic_int *)env)++;
}

TEST(without_threads_there_is_no_pipeline_and_its_environment_is_the_callers)
{
    static atomic_int forgotten;
    cop_spawn(NULL, test_wait_for_end); /* one is there already */
    test_catch_stderr();
    test_refuse_system_call(SYS_clone3, EAGAIN);
#if !defined(__SANITIZE_ADDRESS__) /* whose look for leaks needs the old one */
    test_refuse_system_call(SYS_clone, EAGAIN);
#endif
    int r = cop_pipeline_new(
        &pipeline,
        COP_STAGES({.fn = swallow, .width = 8, .env = &forgotten, .drop_env = forget_env}));
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_int_eq(cop_why().code, -EAGAIN);
    free(test_caught_stderr()); /* which limit it was */
    cop_shutdown(SOON);
    ck_assert_int_eq(forgotten, 0);
}

/* ---------------------------------------------------------------- what comes out */

TEST(an_item_goes_through_all_stages)
{
    NEW(COP_STAGES(ADD_ONE, ADD_ONE, ADD_ONE));
    assert_value(submitted(pipeline, 39), 42);
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.submitted, 1);
    ck_assert_uint_eq(counts.failed + counts.dropped, 0);
    close_and_free(pipeline);
}

TEST(an_item_may_be_nothing)
{
    ck_assert_int_eq(cop_pipeline_new(&pipeline, COP_STAGES({.fn = swallow})), 0);
    cop_future *outcome;
    ck_assert_int_eq(cop_pipeline_submit(pipeline, &outcome, NULL, SOON), 0);
    ck_assert_int_eq(cop_await(outcome, NULL, 0, SOON), 0);
    cop_future_release(outcome);
    close_and_free(pipeline);
    ck_assert_int_eq(finished, 1);
}

struct large {
    uint64_t words[100];
};

static int
grow(void *item, void *result, void *env)
{
    (void)env;
    struct large *large = result;
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(large->words[i], 0);
        large->words[i] = *(uint64_t *)item + i;
    }
    return 0;
}

static int
shrink(void *item, void *result, void *env)
{
    (void)env;
    *(uint16_t *)result = (uint16_t)((struct large *)item)->words[99];
    return 0;
}

TEST(results_may_have_any_sizes_and_are_zeroed)
{
    NEW(COP_STAGES({.fn = grow, .result_size = sizeof(struct large)},
                   {.fn = shrink, .result_size = sizeof(uint16_t)},
                   {.fn = swallow, .result_size = sizeof(struct large)}));
    cop_future *outcome = submitted(pipeline, 1);
    struct large large;
    ck_assert_int_eq(cop_await(outcome, COP_OUT(large), SOON), 0);
    ck_assert_uint_eq(large.words[7], 0);
    cop_future_release(outcome);
    close_and_free(pipeline);
}

TEST(what_an_item_owns_goes_with_it_and_is_dropped_once)
{
    ck_assert_int_eq(
        cop_pipeline_new(
            &pipeline,
            COP_STAGES({.fn = move_on, .result_size = 8, .drop = drop_owned},
                       {.fn = add_one_owned, .result_size = 8, .drop = drop_owned, .width = 3},
                       {.fn = move_on, .result_size = 8, .drop = drop_owned}),
            .item_size = 8, .drop = drop_owned),
        0);
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t *thing = own(i);
        cop_future *outcome = NULL;
        bool is_wanted = i % 2;
        ck_assert_int_eq(cop_pipeline_submit(pipeline, is_wanted ? &outcome : NULL, &thing, SOON),
                         0);
        if (is_wanted) {
            ck_assert_int_eq(cop_await(outcome, COP_OUT(thing), SOON), 0);
            ck_assert_uint_eq(*thing, i + 1); /* the future's, as long as it is held */
        }
        cop_future_release(outcome);
    }
    close_and_free(pipeline);
    ck_assert_int_eq(owned, 0);
    ck_assert_int_eq(dropped, 200);
}

TEST(a_future_keeps_what_it_has_when_the_pipeline_is_gone)
{
    ck_assert_int_eq(
        cop_pipeline_new(&pipeline,
                         COP_STAGES({.fn = move_on, .result_size = 8, .drop = drop_owned}),
                         .item_size = 8, .drop = drop_owned),
        0);
    uint64_t *thing = own(4711);
    cop_future *outcome;
    ck_assert_int_eq(cop_pipeline_submit(pipeline, &outcome, &thing, SOON), 0);
    close_and_free(pipeline);
    thing = NULL;
    ck_assert_int_eq(cop_await(outcome, COP_OUT(thing), SOON), 0);
    ck_assert_uint_eq(*thing, 4711);
    ck_assert_int_eq(dropped, 0);
    cop_future_release(outcome);
    ck_assert_int_eq(dropped, 1);
}

/* ---------------------------------------------------------------- bounds */

TEST(a_stage_that_stalls_stalls_those_before_it_after_the_sum_of_the_bounds) /* BP03 */
{
    NEW(COP_STAGES({.fn = add_one, .result_size = 8, .width = 2, .bound = 4},
                   {.fn = wait_at_gate, .result_size = 8, .width = 3, .bound = 5},
                   {.fn = swallow, .bound = 6}),
        .when_full = COP_PIPELINE_REJECT);
    const unsigned fits = 4 + 2 + 5 + 3;
    unsigned accepted = 0;
    EVENTUALLY((accepted += submit(pipeline, 1, 0) == 0) == fits);
    EVENTUALLY(look_at(pipeline, 0).queued == 4 && look_at(pipeline, 0).inside == 2);
    size_t before = test_allocated();
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(submit(pipeline, 1, 0), -EAGAIN);
    }
    ck_assert_uint_le(test_allocated(), before + TEST_POOLS_GROW);
    ck_assert_uint_eq(look_at(pipeline, 1).queued, 5);
    ck_assert_uint_eq(look_at(pipeline, 1).inside, 3);
    ck_assert_uint_eq(look_at(pipeline, 2).queued, 0);
    ck_assert_uint_eq(look(pipeline).in_flight, fits);
    gate = 1;
    close_and_free(pipeline);
    ck_assert_int_eq(started, fits);
}

static atomic_bool is_over;

static void *
watch_bounds(void *arg)
{
    static const size_t width[] = {2, 3, 1}, bound[] = {4, 1, 2};
    while (!is_over) {
        cop_pipeline_counts counts;
        cop_stage_counts stages[3];
        cop_pipeline_inspect(pipeline, &counts, stages, 3);
        ck_assert_uint_eq(counts.submitted,
                          counts.delivered + counts.failed + counts.dropped + counts.in_flight);
        for (size_t i = 0; i < 3; i++) {
            ck_assert_uint_le(stages[i].most_queued, bound[i]);
            ck_assert_uint_le(stages[i].queued, bound[i]);
            ck_assert_uint_le(stages[i].inside, width[i]);
        }
    }
    return arg;
}

TEST(at_every_instant_all_items_are_somewhere_and_no_queue_is_above_its_bound)
{
    pthread_t watcher;
    NEW(COP_STAGES({.fn = add_one, .result_size = 8, .width = 2, .bound = 4},
                   {.fn = add_one, .result_size = 8, .width = 3, .bound = 1, .unordered = true},
                   {.fn = add_one, .result_size = 8, .bound = 2}),
        .when_full = COP_PIPELINE_DROP_OLD);
    ck_assert_int_eq(pthread_create(&watcher, NULL, watch_bounds, NULL), 0);
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    }
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    is_over = true;
    pthread_join(watcher, NULL);
    cop_pipeline_free(pipeline);
}

/* ---------------------------------------------------------------- order */

enum {
    SUBMITTERS = 8
};

static struct {
    unsigned out_of_order;
    uint64_t count, sum, next[SUBMITTERS];
} seen;

static int
add_one_later(void *item, void *result, void *env)
{
    (void)env;
    uint64_t value = *(uint64_t *)item;
    cop_sleep(COP_US((value * 7919) % 300));
    *(uint64_t *)result = value;
    return 0;
}

/* In the only worker of an ordered stage. */
static int
collect(void *item, void *result, void *env)
{
    (void)result, (void)env;
    uint64_t value = *(uint64_t *)item;
    seen.out_of_order += value != seen.count;
    seen.count++;
    seen.sum += value;
    return 0;
}

/* _i: whether it is unordered. */
TEST_TIMES(2, items_leave_as_they_came_or_as_they_are_done) /* BP05 */
{
    enum {
        MANY = 400
    };
    NEW(COP_STAGES({.fn = add_one_later, .result_size = 8, .width = 8, .unordered = _i != 0},
                   {.fn = collect}));
    for (uint64_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(submit(pipeline, i, SOON), 0);
    }
    close_and_free(pipeline);
    ck_assert_uint_eq(seen.count, MANY);
    ck_assert_uint_eq(seen.sum, MANY * (MANY - 1) / 2);
    ck_assert(_i || seen.out_of_order == 0);
}

static cop_future *outcomes[200];

static void *
watch_order(void *arg)
{
    while (!is_over) {
        for (unsigned i = 200; i-- > 1;) {
            if (cop_future_state(outcomes[i], NULL) == 0) {
                ck_assert_int_eq(cop_future_state(outcomes[i - 1], NULL), 0);
            }
        }
    }
    return arg;
}

TEST(futures_are_settled_in_the_order_of_an_ordered_last_stage) /* BP05 */
{
    pthread_t watcher;
    NEW(COP_STAGES({.fn = add_one_later, .result_size = 8, .width = 8, .bound = 200}));
    for (uint64_t i = 0; i < 200; i++) {
        outcomes[i] = submitted(pipeline, i);
    }
    ck_assert_int_eq(pthread_create(&watcher, NULL, watch_order, NULL), 0);
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    is_over = true;
    pthread_join(watcher, NULL);
    for (uint64_t i = 0; i < 200; i++) {
        assert_value(outcomes[i], i);
    }
    cop_pipeline_free(pipeline);
}

static int
pass(void *item, void *result, void *env)
{
    (void)env;
    *(uint64_t *)result = *(uint64_t *)item;
    return 0;
}

static atomic_int dropping;

static void
drop_slowly(void *item)
{
    (void)item;
    dropping++;
    while (gate == 0) {
        usleep(200);
    }
}

TEST(a_future_is_not_settled_before_the_item_ahead_has_left) /* BP05 */
{
    NEW(COP_STAGES({.fn = pass, .result_size = 8, .drop = drop_slowly, .width = 2}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(dropping == 1);
    cop_future *second = submitted(pipeline, 2);
    EVENTUALLY(look_at(pipeline, 0).inside == 2);
    cop_sleep(COP_MS(10)); /* it could be, by now */
    ck_assert_int_eq(cop_future_state(second, NULL), -EINPROGRESS);
    gate = 1;
    assert_value(second, 2);
    close_and_free(pipeline);
}

static int
check_order(void *item, void *result, void *env)
{
    (void)result, (void)env;
    uint64_t value = *(uint64_t *)item;
    uint64_t *next = &seen.next[value >> 32];
    seen.out_of_order += (value & UINT32_MAX) != *next;
    ++*next;
    return 0;
}

enum {
    EACH = 1000 /* a tenth of the case's number */
};

static int
submit_many(cop_bytes arg)
{
    uint64_t who = *(const uint64_t *)arg.data;
    for (uint64_t i = 0; i < EACH; i++) {
        cop_assert(submit(pipeline, who << 32 | i, COP_FOREVER) == 0);
    }
    return 0;
}

TEST(items_of_each_submitter_stay_in_order) /* BP07 */
{
    cop_ref monitors[SUBMITTERS];
    NEW(COP_STAGES({.fn = pass, .result_size = 8, .width = 3},
                   {.fn = pass, .result_size = 8, .width = 2}, {.fn = check_order}));
    for (uint64_t who = 0; who < SUBMITTERS; who++) {
        cop_spawn(NULL, submit_many, .arg = COP_BYTES(who), .monitor = &monitors[who]);
    }
    for (int who = 0; who < SUBMITTERS; who++) {
        ck_assert_int_eq(test_down(monitors[who]).kind, COP_NORMAL);
    }
    close_and_free(pipeline);
    for (int who = 0; who < SUBMITTERS; who++) {
        ck_assert_uint_eq(seen.next[who], EACH);
    }
    ck_assert_uint_eq(seen.out_of_order, 0);
}

/* ---------------------------------------------------------------- failures */

static int
fail_at_ten(void *item, void *result, void *env)
{
    uint64_t value = *(uint64_t *)item;
    return value == 10 ? -EBADMSG : pass(item, result, env);
}

TEST(the_first_failure_ends_the_pipeline_and_is_its_outcome) /* BP04 */
{
    NEW(COP_STAGES({.fn = pass, .result_size = 8, .width = 2},
                   {.fn = fail_at_ten, .result_size = 8}, {.fn = pass, .result_size = 8}));
    cop_future *futures[40];
    unsigned accepted = 0;
    while (accepted < 40) {
        uint64_t value = accepted;
        int r = cop_pipeline_submit(pipeline, &futures[accepted], &value, SOON);
        if (r) {
            ck_assert_int_eq(r, -EBADMSG);
            break;
        }
        accepted++;
    }
    cop_reason why = end_of(pipeline);
    ck_assert_int_eq(why.kind, COP_FAILED);
    ck_assert_int_eq(why.code, -EBADMSG);
    ck_assert_int_eq(submit(pipeline, 1, SOON), -EBADMSG);
    ck_assert_int_eq(cop_why().code, -EBADMSG);
    for (unsigned i = 0; i < accepted; i++) {
        int r = cop_future_state(futures[i], NULL);
        ck_assert(i < 10 ? r == 0 || r == -EBADMSG : r == -EBADMSG);
        cop_future_release(futures[i]);
    }
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.failed, 1);
    ck_assert_uint_eq(counts.submitted, accepted);
    ck_assert_uint_eq(counts.in_flight, 0);
    cop_pipeline_free(pipeline);
}

TEST(a_failure_cancels_those_that_run_and_drops_what_is_queued) /* BP04 */
{
    ck_assert_int_eq(
        cop_pipeline_new(
            &pipeline,
            COP_STAGES({.fn = move_on, .result_size = 8, .drop = drop_owned, .bound = 64},
                       {.fn = wait_at_gate, .width = 4, .bound = 8}),
            .item_size = 8, .drop = drop_owned),
        0);
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(submit_owned(pipeline, 1, SOON), 0);
    }
    EVENTUALLY(started == 4);
    cop_pipeline_cancel(pipeline, cop_failed(-EIO, "enough"));
    cop_pipeline_cancel(pipeline, cop_failed(-EIO, "again"));
    cop_reason why = end_of(pipeline);
    ck_assert_int_eq(why.kind, COP_SHUTDOWN);
    ck_assert_int_eq(why.code, -ECANCELED);
    ck_assert_str_eq(why.text, "enough");
    ck_assert_int_eq(cancelled, 4);
    ck_assert_int_eq(owned, 0);
    ck_assert_int_eq(dropped, 40);
    ck_assert_uint_eq(look(pipeline).dropped, 40);
    cop_pipeline_free(pipeline);
}

TEST(with_keep_going_a_failure_is_that_of_the_item_alone)
{
    NEW(COP_STAGES({.fn = pass, .result_size = 8, .width = 3},
                   {.fn = fail_at_ten, .result_size = 8, .width = 3}, {.fn = collect}),
        .keep_going = true);
    for (uint64_t i = 0; i < 20; i++) {
        cop_future *outcome = submitted(pipeline, i);
        if (i == 10) {
            assert_code(outcome, -EBADMSG);
        } else {
            ck_assert_int_eq(cop_await(outcome, NULL, 0, SOON), 0);
            cop_future_release(outcome);
        }
    }
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.failed, 1);
    close_and_free(pipeline);
    ck_assert_uint_eq(seen.count, 19);
}

TEST(an_item_whose_future_was_cancelled_goes_no_further)
{
    NEW(COP_STAGES({.fn = wait_at_gate, .result_size = 8}, {.fn = swallow}));
    cop_future *first = submitted(pipeline, 1), *second = submitted(pipeline, 2);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(cop_future_cancel(first, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(cop_future_cancel(second, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(submit(pipeline, 3, SOON), 0);
    gate = 1;
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    ck_assert_int_eq(started, 2); /* not the second */
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.delivered, 1);
    ck_assert_uint_eq(counts.dropped, 2);
    cop_future_release(first);
    cop_future_release(second);
    cop_pipeline_free(pipeline);
}

TEST(an_item_whose_future_was_cancelled_in_the_last_stage_is_not_delivered)
{
    NEW(COP_STAGES({.fn = wait_at_gate}));
    cop_future *outcome = submitted(pipeline, 1);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(cop_future_cancel(outcome, cop_failed(-EIO, "enough")), 0);
    gate = 1;
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    ck_assert_uint_eq(look(pipeline).delivered, 0);
    ck_assert_uint_eq(look(pipeline).dropped, 1);
    cop_future_release(outcome);
    cop_pipeline_free(pipeline);
}

/* ---------------------------------------------------------------- the end */

TEST(what_was_accepted_is_drained_by_a_close) /* BP06 */
{
    NEW(COP_STAGES({.fn = add_one_later, .result_size = 8, .bound = 64},
                   {.fn = collect, .bound = 64}));
    for (uint64_t i = 0; i < 60; i++) {
        ck_assert_int_eq(submit(pipeline, i, SOON), 0);
    }
    ck_assert_int_eq(cop_pipeline_stop(pipeline, SOON), 0);
    ck_assert_uint_eq(seen.count, 60);
    ck_assert_uint_eq(look(pipeline).delivered, 60);
    cop_pipeline_free(pipeline);
}

TEST(a_stop_returns_when_its_time_is_over_and_drops_what_is_left) /* BP06 */
{
    NEW(COP_STAGES({.fn = wait_at_gate}));
    for (uint64_t i = 0; i < 10; i++) {
        ck_assert_int_eq(submit(pipeline, i, SOON), 0);
    }
    cop_time before = cop_now();
    ck_assert_int_eq(cop_pipeline_stop(pipeline, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(5));
    printf("it returned after %.3f ms of 5\n", (double)(cop_now() - before) / 1e6);
    ck_assert_str_eq(end_of(pipeline).text, "it was stopped");
    ck_assert_uint_eq(look(pipeline).dropped, 10);
    ck_assert_int_eq(cop_pipeline_stop(pipeline, SOON), -ECANCELED);
    cop_pipeline_free(pipeline);
}

static int
never_stop(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    for (started++; !gate;) {
    }
    return 0;
}

TEST(a_stop_returns_in_time_also_when_a_stage_heeds_nothing) /* BP06 */
{
    test_leaves_things_behind(); /* its thread */
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    NEW(COP_STAGES({.fn = never_stop}));
    cop_future *outcome = submitted(pipeline, 1);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(cop_pipeline_stop(pipeline, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(end_of(pipeline).kind, COP_SHUTDOWN); /* it was disowned */
    ck_assert_int_eq(cop_await(outcome, NULL, 0, SOON), -ECANCELED);
    cop_future_release(outcome);
    ck_assert_uint_eq(look(pipeline).in_flight, 0);
    cop_pipeline_free(pipeline);
}

static int
heed_nothing(void *item, void *result, void *env)
{
    (void)env;
    started++;
    EVENTUALLY(gate);
    return move_on(item, result, NULL);
}

TEST(a_function_that_heeds_no_cancellation_is_waited_for_and_its_result_is_dropped) /* BP04 */
{
    ck_assert_int_eq(
        cop_pipeline_new(&pipeline,
                         COP_STAGES({.fn = heed_nothing, .result_size = 8, .drop = drop_owned}),
                         .item_size = 8, .drop = drop_owned),
        0);
    cop_future *future = cop_pipeline_future(pipeline);
    ck_assert_int_eq(submit_owned(pipeline, 1, SOON), 0);
    EVENTUALLY(started == 1);
    cop_pipeline_cancel(pipeline, cop_failed(-EIO, "enough"));
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    ck_assert_int_eq(owned, 1);
    gate = 1;
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(owned, 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert_uint_eq(look(pipeline).dropped, 1);
    cop_future_release(future);
    cop_pipeline_free(pipeline);
}

TEST(the_own_context_of_who_stops_it_is_no_reason_to_kill)
{
    NEW(COP_STAGES({.fn = wait_at_gate}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    cop_context *context = cop_context_new(COP_MS(5));
    cop_context_enter(context);
    ck_assert_int_eq(cop_pipeline_stop(pipeline, SOON), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    gate = 1;
    close_and_free(pipeline);
    ck_assert_int_eq(finished, 1);
    ck_assert_int_eq(cancelled, 0);
}

static int
stop_myself(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    finished = cop_pipeline_stop(pipeline, COP_FOREVER);
    return 0;
}

TEST(a_stage_does_not_wait_for_the_end_of_its_own_pipeline)
{
    NEW(COP_STAGES({.fn = stop_myself}));
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(finished == -EDEADLK);
    close_and_free(pipeline);
}

TEST(its_own_future_is_settled_when_all_has_ended)
{
    NEW(COP_STAGES({.fn = wait_at_gate}));
    cop_future *future = cop_pipeline_future(pipeline);
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    cop_pipeline_close(pipeline);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    gate = 1;
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_future_cancel(future, COP_REASON_SHUTDOWN), -EALREADY);
    cop_pipeline_cancel(pipeline, COP_REASON_SHUTDOWN);
    cop_future_release(future);
    cop_pipeline_free(pipeline);
}

TEST(who_cancels_its_future_cancels_the_pipeline)
{
    NEW(COP_STAGES({.fn = wait_at_gate}));
    cop_future *future = cop_pipeline_future(pipeline);
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(started == 1);
    ck_assert_int_eq(cop_future_cancel(future, cop_failed(-EIO, "enough")), 0);
    cop_pipeline_free(pipeline);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(cancelled, 1);
    cop_future_release(future);
}

TEST(a_pipeline_that_is_given_back_ends_by_itself)
{
    static atomic_int forgotten;
    NEW(COP_STAGES({.fn = wait_at_gate, .width = 3, .env = &forgotten, .drop_env = forget_env}));
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    }
    EVENTUALLY(started == 3);
    cop_pipeline_free(pipeline);
    EVENTUALLY(forgotten == 1);
    ck_assert_int_eq(cancelled, 3);
}

TEST(a_context_above_that_is_cancelled_ends_the_pipeline)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    NEW(COP_STAGES({.fn = wait_at_gate}, {.fn = swallow}));
    cop_context_leave(context);
    cop_context_cancel(context, cop_failed(-EIO, "the house is on fire"));
    ck_assert_int_eq(submit(pipeline, 1, SOON), -ECANCELED);
    cop_reason why = end_of(pipeline);
    ck_assert_int_eq(cop_reason_error(why), -ECANCELED);
    ck_assert_str_eq(why.text, "the house is on fire");
    cop_context_free(context);
    cop_pipeline_free(pipeline);
}

TEST(a_deadline_above_ends_the_pipeline)
{
    cop_context *context = cop_context_new(COP_MS(5));
    cop_context_enter(context);
    NEW(COP_STAGES({.fn = wait_at_gate}));
    cop_context_leave(context);
    ck_assert_int_eq(cop_reason_error(end_of(pipeline)), -ETIMEDOUT);
    cop_context_free(context);
    cop_pipeline_free(pipeline);
}

/* ---------------------------------------------------------------- whose it is */

static cop_future *end_of_theirs;

static int
make_and_end(cop_bytes arg)
{
    (void)arg;
    NEW(COP_STAGES({.fn = wait_at_gate}));
    end_of_theirs = cop_pipeline_future(pipeline);
    cop_assert(submit(pipeline, 1, SOON) == 0);
    EVENTUALLY(started == 1);
    cop_sleep(gate ? 0 : COP_FOREVER);
    return 0;
}

TEST(a_pipeline_ends_with_the_process_that_made_it)
{
    cop_pid pid;
    cop_spawn(&pid, make_and_end);
    EVENTUALLY(started == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(cancelled == 1);
    assert_rejected(end_of_theirs, (cop_reason){.kind = COP_SHUTDOWN,
                                                .code = -ECANCELED,
                                                .text = "its maker has ended"});
}

static void *
make_in_thread(void *arg)
{
    NEW(COP_STAGES({.fn = wait_at_gate}));
    end_of_theirs = cop_pipeline_future(pipeline);
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    EVENTUALLY(started == 1);
    return arg;
}

TEST(a_pipeline_of_a_plain_thread_ends_with_that)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_in_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_rejected(end_of_theirs, (cop_reason){.kind = COP_SHUTDOWN,
                                                .code = -ECANCELED,
                                                .text = "its maker has ended"});
    ck_assert_int_eq(cancelled, 1);
}

TEST(who_holds_its_future_may_use_a_pipeline_whose_maker_has_ended)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_in_thread, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(submit(pipeline, 1, SOON), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "its maker has ended");
    ck_assert_int_eq(end_of(pipeline).kind, COP_SHUTDOWN);
    ck_assert_uint_eq(look(pipeline).in_flight, 0);
    cop_future_release(end_of_theirs);
}

TEST(only_its_maker_gives_a_pipeline_back)
{
    cop_pid pid;
    cop_spawn(&pid, make_and_end);
    EVENTUALLY(started == 1);
    cop_pipeline_free(pipeline);
    ck_assert_int_eq(submit(pipeline, 1, SOON), 0);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(cancelled == 1);
    cop_future_release(end_of_theirs);
}

/* ---------------------------------------------------------------- nothing is left */

static void
load_and_cancel(int round)
{
    cop_future *futures[10];
    ck_assert_int_eq(
        cop_pipeline_new(
            &pipeline,
            COP_STAGES(
                {.fn = move_on, .result_size = 8, .drop = drop_owned, .width = 2, .bound = 2},
                {.fn = add_one_owned, .result_size = 8, .drop = drop_owned, .width = 2},
                {.fn = move_on, .result_size = 8, .drop = drop_owned, .unordered = true},
                {.fn = add_one_owned, .result_size = 8, .drop = drop_owned, .bound = 1},
                {.fn = move_on, .result_size = 8, .drop = drop_owned, .width = 2}),
            .item_size = 8, .drop = drop_owned),
        0);
    for (int i = 0; i < 30; i++) {
        uint64_t *thing = own(1);
        cop_future **outcome = i % 3 == 0 ? &futures[i / 3] : NULL;
        ck_assert_int_eq(cop_pipeline_submit(pipeline, outcome, &thing, SOON), 0);
    }
    cop_future *room = cop_pipeline_room(pipeline);
    if (round % 2) {
        cop_pipeline_cancel(pipeline, cop_failed(-EIO, "enough"));
    }
    cop_pipeline_free(pipeline);
    cop_future_release(room);
    for (int i = 0; i < 10; i++) {
        cop_future_release(futures[i]);
    }
}

static size_t
alive(const char *kind)
{
    cop_live_count counts[32];
    size_t n = cop_live(counts, 32);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(counts[i].kind, kind) == 0) {
            return counts[i].count;
        }
    }
    ck_abort_msg("nothing of the kind %s", kind);
}

TEST(a_hundred_pipelines_that_are_cancelled_midway_leave_nothing) /* GO10 */
{
    unsigned descriptors = test_descriptors();
    size_t bytes = 0;
    cop_self();
    for (int round = 0; round < 100; round++) {
        load_and_cancel(round);
        EVENTUALLY(owned == 0);
        if (round == 10) {
            EVENTUALLY(cop_processes(NULL, 0) == 1); /* this one */
            bytes = test_allocated();
        }
    }
    EVENTUALLY(cop_processes(NULL, 0) == 1);
    EVENTUALLY(alive("pipelines") + alive("pipeline items") == 0);
    EVENTUALLY(alive("futures") + alive("contexts") + alive("messages") == 0);
    cop_shutdown(SOON);
    cop_trim();
    ck_assert_uint_eq(test_descriptors(), descriptors);
    ck_assert_uint_le(test_allocated(), bytes + TEST_POOLS_GROW);
}

TEST(a_pipeline_that_nobody_ends_is_among_the_unsettled)
{
    cop_leak leaks[8];
    cop_track_futures(true);
    NEW(COP_STAGES({.fn = wait_at_gate}));
    cop_future *outcome = submitted(pipeline, 1);
    EVENTUALLY(cop_unsettled(leaks, 8, 0) == 2);
    ck_assert_ptr_nonnull(strstr(leaks[0].file, "test_pipeline.c"));
    ck_assert_ptr_nonnull(strstr(leaks[1].file, "pipeline.h")); /* where submitted() is */
    gate = 1;
    ck_assert_int_eq(cop_await(outcome, NULL, 0, SOON), 0);
    cop_future_release(outcome);
    close_and_free(pipeline);
    EVENTUALLY(cop_unsettled(NULL, 0, 0) == 0);
}

SUITE("pipeline")
