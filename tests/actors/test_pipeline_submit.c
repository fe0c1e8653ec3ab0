/*
 * tests/actors/test_pipeline_submit.c - how items come into a pipeline: a full queue, who waits for a place,
 * who is told of one.
 *
 * Room: tests/. Case ids (BP01) are those of the list of futures' cases.
 */
#include "actors/pipeline.h"
#include "runtime/alloc.h"
#include "tests/actors/outcome.h"
#include "tests/actors/pipeline.h"
#include "tests/support/support.h"

#include <unistd.h>

static cop_pipeline *pipeline;

/* One stage that waits at the gate, with an item in it and a queue that is full. */
static void
fill(size_t bound, cop_pipeline_full when_full)
{
    ck_assert_int_eq(cop_pipeline_new(&pipeline, COP_STAGES({.fn = wait_at_gate, .bound = bound}),
                                      .item_size = sizeof(uint64_t), .when_full = when_full),
                     0);
    ck_assert_int_eq(submit(pipeline, 0, SOON), 0);
    EVENTUALLY(started == 1);
    for (size_t i = 0; i < bound; i++) {
        ck_assert_int_eq(submit(pipeline, i, SOON), 0);
    }
    ck_assert_uint_eq(look_at(pipeline, 0).queued, bound);
}

static void
open_and_free(void)
{
    gate = 1;
    close_and_free(pipeline);
}

/* ---------------------------------------------------------------- what is refused */

TEST(no_item_is_refused)
{
    fill(1, COP_PIPELINE_BLOCK);
    ck_assert_int_eq(cop_pipeline_submit(pipeline, NULL, NULL, 0), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    open_and_free();
}

TEST(a_full_queue_refuses_at_once_if_asked_to) /* BP02 */
{
    fill(8, COP_PIPELINE_REJECT);
    ck_assert_int_eq(submit(pipeline, 9, COP_FOREVER), -EAGAIN);
    ck_assert_int_eq(cop_why().code, -EAGAIN);
    ck_assert_uint_eq(look(pipeline).submitted, 9);
    open_and_free();
}

TEST(who_waits_for_a_place_waits_no_longer_than_its_time_and_has_submitted_nothing) /* BP01 */
{
    fill(8, COP_PIPELINE_BLOCK);
    uint64_t value = 9;
    cop_future *untouched = NULL;
    cop_time before = cop_now();
    ck_assert_int_eq(cop_pipeline_submit(pipeline, &untouched, &value, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(5));
    ck_assert_ptr_null(untouched);
    ck_assert_int_eq(submit(pipeline, 9, 0), -ETIMEDOUT);
    ck_assert_uint_eq(look(pipeline).submitted, 9);
    open_and_free();
    ck_assert_int_eq(started, 9);
}

TEST(who_waits_for_a_place_waits_no_longer_than_its_context) /* BP01 */
{
    fill(2, COP_PIPELINE_BLOCK);
    cop_context *context = cop_context_new(COP_MS(5));
    cop_context_enter(context);
    ck_assert_int_eq(submit(pipeline, 9, COP_FOREVER), -ETIMEDOUT);
    ck_assert_int_eq(submit(pipeline, 9, COP_FOREVER), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_uint_eq(look(pipeline).submitted, 3);
    open_and_free();
}

TEST(a_closed_pipeline_takes_nothing_in)
{
    fill(1, COP_PIPELINE_BLOCK);
    cop_pipeline_close(pipeline);
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(submit(pipeline, 9, COP_FOREVER), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EPIPE);
    open_and_free();
}

TEST(what_an_item_owns_is_the_callers_when_it_is_refused)
{
    ck_assert_int_eq(cop_pipeline_new(&pipeline, COP_STAGES({.fn = swallow}),
                                      .item_size = sizeof(uint64_t *), .drop = drop_owned),
                     0);
    cop_pipeline_close(pipeline);
    uint64_t *thing = own(1);
    ck_assert_int_eq(cop_pipeline_submit(pipeline, NULL, &thing, 0), -EPIPE);
    ck_assert_int_eq(dropped, 0);
    free(thing);
    close_and_free(pipeline);
}

static int
submit_one(void *arg)
{
    cop_future *outcome;
    uint64_t *thing = own(1);
    int r = cop_pipeline_submit(arg, &outcome, &thing, SOON);
    if (r) {
        owned--;
        free(thing);
        return r;
    }
    copi_alloc_fail_after(-1);
    assert_value(outcome, 2);
    return 0;
}

static int
add_and_forget(void *item, void *result, void *env)
{
    (void)env;
    *(uint64_t *)result = **(uint64_t **)item + 1;
    return 0;
}

TEST(without_memory_nothing_is_submitted)
{
    int r;
    cop_self();
    ck_assert_int_eq(
        cop_pipeline_new(&pipeline,
                         COP_STAGES({.fn = add_and_forget, .result_size = sizeof(uint64_t)}),
                         .item_size = sizeof(uint64_t *), .drop = drop_owned),
        0);
    ck_assert_uint_ge(test_out_of_memory(submit_one, pipeline, &r), 2);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(look(pipeline).submitted, 1);
    close_and_free(pipeline);
    ck_assert_int_eq(owned, 0);
    ck_assert_int_eq(dropped, 1);
}

TEST(without_memory_nobody_waits_for_a_place)
{
    fill(1, COP_PIPELINE_BLOCK);
    bool has_failed = false;
    for (long n = 0; n < 8; n++) {
        copi_alloc_fail_after(n);
        int r = submit(pipeline, 9, COP_MS(1));
        copi_alloc_fail_after(-1);
        ck_assert(r == -ENOMEM || r == -ETIMEDOUT);
        has_failed = has_failed || r == -ENOMEM;
    }
    ck_assert(has_failed);
    ck_assert_uint_eq(look(pipeline).submitted, 2);
    open_and_free();
}

/* ---------------------------------------------------------------- who waits for a place */

static atomic_int waiting;
static int returned[32];

static int
submit_and_say(cop_bytes arg)
{
    int which = *(const int *)arg.data;
    uint64_t value = 100;
    cop_future *outcome = NULL;
    waiting++;
    returned[which] = cop_pipeline_submit(pipeline, &outcome, &value, COP_FOREVER);
    cop_future_release(outcome);
    return returned[which];
}

static void
start_submitters(int count, cop_pid pids[], cop_ref monitors[])
{
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(
            cop_spawn(&pids[i], submit_and_say, .arg = COP_BYTES(i), .monitor = &monitors[i]), 0);
    }
    EVENTUALLY(waiting == count);
}

TEST(who_waits_for_a_place_goes_on_when_there_is_one) /* BP01 */
{
    cop_pid pid;
    cop_ref monitor;
    fill(8, COP_PIPELINE_BLOCK);
    start_submitters(1, &pid, &monitor);
    ck_assert_uint_eq(look(pipeline).submitted, 9);
    cop_time before = cop_now();
    gate = 1;
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    printf("it went on after %.3f ms\n", (double)(cop_now() - before) / 1e6);
    close_and_free(pipeline);
    ck_assert_int_eq(started, 10);
}

TEST(all_who_wait_for_a_place_get_one_each)
{
    cop_pid pids[20];
    cop_ref monitors[20];
    fill(2, COP_PIPELINE_BLOCK);
    start_submitters(20, pids, monitors);
    gate = 1;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    cop_stage_counts stage = look_at(pipeline, 0);
    ck_assert_uint_eq(stage.most_queued, 2);
    close_and_free(pipeline);
    ck_assert_int_eq(started, 23);
}

TEST(a_place_is_passed_on_when_who_waited_for_it_is_gone)
{
    cop_pid pids[20];
    cop_ref monitors[20];
    fill(2, COP_PIPELINE_BLOCK);
    start_submitters(20, pids, monitors);
    for (int i = 0; i < 20; i += 2) {
        cop_exit_signal(pids[i], COP_REASON_KILLED); /* while they are woken, perhaps */
        gate = i >= 10;
    }
    for (int i = 0; i < 20; i++) {
        test_down(monitors[i]);
    }
    ck_assert_uint_ge(look(pipeline).submitted, 13);
    close_and_free(pipeline);
}

static atomic_int tokens;

static int
wait_for_token(void *item, void *result, void *env)
{
    (void)item, (void)result, (void)env;
    int has;
    while ((has = tokens) == 0 || !atomic_compare_exchange_weak(&tokens, &has, has - 1)) {
        if (cop_sleep(COP_US(50)) != 0) {
            return -ECANCELED;
        }
    }
    return 0;
}

static size_t
waiting_for_place(void)
{
    copi_pipeline_enter(pipeline);
    size_t count = pipeline->for_place.count;
    copi_pipeline_leave(pipeline);
    return count;
}

static atomic_int leaving, may_leave;

static void
leave_slowly(void *arg)
{
    (void)arg;
    leaving = 1;
    while (may_leave == 0) {
        usleep(200);
    }
}

static int
submit_and_linger(cop_bytes arg)
{
    (void)arg;
    cop_assert(cop_defer(leave_slowly, NULL) == 0);
    return submit(pipeline, 1, COP_FOREVER);
}

TEST(a_place_is_passed_on_by_one_who_is_woken_on_its_way_out)
{
    int second = 1;
    cop_pid first;
    cop_ref monitor;
    ck_assert_int_eq(cop_pipeline_new(&pipeline, COP_STAGES({.fn = wait_for_token, .bound = 1}),
                                      .item_size = sizeof(uint64_t)),
                     0);
    ck_assert_int_eq(submit(pipeline, 0, SOON), 0);
    ck_assert_int_eq(submit(pipeline, 0, SOON), 0);
    cop_spawn(&first, submit_and_linger);
    EVENTUALLY(waiting_for_place() == 1);
    cop_exit_signal(first, COP_REASON_KILLED);
    EVENTUALLY(leaving);
    cop_spawn(NULL, submit_and_say, .arg = COP_BYTES(second), .monitor = &monitor);
    EVENTUALLY(waiting_for_place() == 2);
    tokens++;
    EVENTUALLY(waiting_for_place() == 1); /* it was woken, and will not take the place */
    may_leave = 1;
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    tokens += 2;
    close_and_free(pipeline);
}

TEST(who_waits_for_a_place_learns_that_it_was_cancelled)
{
    cop_pid pid;
    cop_ref monitor;
    fill(1, COP_PIPELINE_BLOCK);
    start_submitters(1, &pid, &monitor);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    ck_assert_int_eq(returned[0], -ECANCELED);
    ck_assert_uint_eq(look(pipeline).submitted, 2);
    open_and_free();
}

static int
submit_in_context(cop_bytes arg)
{
    cop_context *context = *(cop_context *const *)arg.data;
    cop_context_enter(context);
    waiting++;
    returned[0] = submit(pipeline, 100, COP_FOREVER);
    cop_reason why = cop_why();
    cop_context_leave(context);
    ck_assert_str_eq(why.text, "enough");
    return 0;
}

TEST(who_waits_for_a_place_learns_that_its_context_was_cancelled) /* BP01 */
{
    cop_ref monitor;
    cop_context *context = cop_context_new(COP_FOREVER);
    fill(1, COP_PIPELINE_BLOCK);
    cop_spawn(NULL, submit_in_context, .arg = COP_BYTES(context), .monitor = &monitor);
    EVENTUALLY(waiting == 1);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(returned[0], -ECANCELED);
    cop_context_free(context);
    open_and_free();
}

TEST(who_waits_for_a_place_learns_that_there_will_be_none)
{
    cop_pid pids[3];
    cop_ref monitors[3];
    fill(1, COP_PIPELINE_BLOCK);
    start_submitters(3, pids, monitors);
    cop_pipeline_close(pipeline);
    for (int i = 0; i < 3; i++) {
        test_down(monitors[i]);
        ck_assert_int_eq(returned[i], -EPIPE);
    }
    open_and_free();
    ck_assert_int_eq(started, 2);
}

TEST(who_waits_for_a_place_learns_of_a_failure) /* BP04 */
{
    cop_pid pids[3];
    cop_ref monitors[3];
    fill(1, COP_PIPELINE_BLOCK);
    start_submitters(3, pids, monitors);
    cop_pipeline_cancel(pipeline, cop_failed(-EIO, "enough"));
    for (int i = 0; i < 3; i++) {
        test_down(monitors[i]);
        ck_assert_int_eq(returned[i], -ECANCELED);
    }
    ck_assert_str_eq(end_of(pipeline).text, "enough");
    cop_pipeline_free(pipeline);
}

/* ---------------------------------------------------------------- dropping */

TEST(the_newest_is_dropped_if_that_was_asked_for) /* BP02 */
{
    fill(8, COP_PIPELINE_DROP_NEW);
    for (int i = 0; i < 10; i++) {
        assert_rejected(submitted(pipeline, 9), cop_failed(-EAGAIN, "the queue was full"));
    }
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.submitted, 19);
    ck_assert_uint_eq(counts.dropped, 10);
    open_and_free();
    ck_assert_int_eq(finished, 9);
}

TEST(the_oldest_is_dropped_if_that_was_asked_for) /* BP02 */
{
    ck_assert_int_eq(cop_pipeline_new(&pipeline, COP_STAGES({.fn = wait_at_gate, .bound = 2}),
                                      .item_size = sizeof(uint64_t),
                                      .when_full = COP_PIPELINE_DROP_OLD),
                     0);
    cop_future *outcomes[6];
    for (unsigned i = 0; i < 6; i++) {
        outcomes[i] = submitted(pipeline, i);
        EVENTUALLY(started == 1);
    }
    for (unsigned i = 1; i < 4; i++) {
        assert_rejected(outcomes[i], cop_failed(-EAGAIN, "the queue was full"));
    }
    gate = 1;
    ck_assert_int_eq(cop_await(outcomes[0], NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_await(outcomes[4], NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_await(outcomes[5], NULL, 0, SOON), 0);
    cop_future_release(outcomes[0]);
    cop_future_release(outcomes[4]);
    cop_future_release(outcomes[5]);
    close_and_free(pipeline);
}

/* _i: the policy. */
TEST_TIMES(2, what_is_dropped_is_dropped_once_and_the_rest_is_delivered) /* BP02 */
{
    enum {
        MANY = 2000
    };
    ck_assert_int_eq(
        cop_pipeline_new(
            &pipeline,
            COP_STAGES({.fn = move_on, .bound = 4, .result_size = 8, .drop = drop_owned},
                       {.fn = swallow, .bound = 1}),
            .item_size = sizeof(uint64_t *), .drop = drop_owned,
            .when_full = _i ? COP_PIPELINE_DROP_OLD : COP_PIPELINE_DROP_NEW),
        0);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_int_eq(submit_owned(pipeline, i, SOON), 0);
    }
    cop_pipeline_close(pipeline);
    ck_assert_int_eq(end_of(pipeline).kind, COP_NORMAL);
    cop_pipeline_counts counts = look(pipeline);
    ck_assert_uint_eq(counts.submitted, MANY);
    ck_assert_uint_eq(counts.delivered + counts.dropped, MANY);
    ck_assert_int_eq(dropped, MANY);
    ck_assert_int_eq(owned, 0);
    ck_assert_uint_eq(counts.delivered, (unsigned)finished);
    cop_pipeline_free(pipeline);
}

/* ---------------------------------------------------------------- from inside */

static cop_pipeline *theirs;
static atomic_int inside_result;

static int
submit_more(void *item, void *result, void *env)
{
    (void)result, (void)env;
    uint64_t value = *(uint64_t *)item;
    if (value == 0) {
        EVENTUALLY(gate);
        inside_result = submit(theirs, 1, COP_FOREVER);
    }
    finished++;
    return 0;
}

TEST(a_stage_does_not_wait_for_its_own_pipeline)
{
    ck_assert_int_eq(cop_pipeline_new(&theirs, COP_STAGES({.fn = submit_more, .bound = 1}),
                                      .item_size = sizeof(uint64_t)),
                     0);
    ck_assert_int_eq(submit(theirs, 0, SOON), 0);
    EVENTUALLY(look_at(theirs, 0).inside == 1);
    ck_assert_int_eq(submit(theirs, 2, SOON), 0);
    inside_result = 1;
    gate = 1;
    EVENTUALLY(inside_result != 1);
    ck_assert_int_eq(inside_result, -EAGAIN);
    close_and_free(theirs);
    ck_assert_int_eq(finished, 2);
}

TEST(a_stage_may_submit_to_its_own_pipeline_when_there_is_a_place)
{
    ck_assert_int_eq(cop_pipeline_new(&theirs, COP_STAGES({.fn = submit_more, .bound = 1}),
                                      .item_size = sizeof(uint64_t)),
                     0);
    inside_result = 1;
    gate = 1;
    ck_assert_int_eq(submit(theirs, 0, SOON), 0);
    EVENTUALLY(finished == 2);
    ck_assert_int_eq(inside_result, 0);
    close_and_free(theirs);
}

/* ---------------------------------------------------------------- futures that wait for a place */

TEST(room_is_there_at_once_when_there_is_a_place)
{
    fill(2, COP_PIPELINE_REJECT);
    cop_future *room = cop_pipeline_room(pipeline);
    ck_assert_int_eq(cop_future_state(room, NULL), -EINPROGRESS);
    gate = 1;
    ck_assert_int_eq(cop_await(room, NULL, 0, SOON), 0);
    cop_future_release(room);
    EVENTUALLY(look(pipeline).in_flight == 0);
    room = cop_pipeline_room(pipeline);
    ck_assert_int_eq(cop_future_state(room, NULL), 0);
    cop_future_release(room);
    open_and_free();
}

TEST(all_who_asked_for_room_are_told)
{
    cop_future *rooms[10];
    fill(2, COP_PIPELINE_REJECT);
    for (int i = 0; i < 10; i++) {
        rooms[i] = cop_pipeline_room(pipeline);
    }
    gate = 1;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(cop_await(rooms[i], NULL, 0, SOON), 0);
        cop_future_release(rooms[i]);
    }
    open_and_free();
}

TEST(who_asks_for_room_again_and_again_leaves_nothing_behind)
{
    fill(2, COP_PIPELINE_REJECT);
    cop_future_release(cop_pipeline_room(pipeline));
    size_t before = test_allocated();
    for (int i = 0; i < 10000; i++) {
        cop_future *room = cop_pipeline_room(pipeline);
        if (i % 2) {
            cop_future_cancel(room, cop_failed(-EIO, "enough"));
        }
        cop_future_release(room);
    }
    ck_assert_uint_le(test_allocated(), before + TEST_POOLS_GROW);
    open_and_free();
}

TEST(who_asks_for_room_learns_that_there_will_be_none)
{
    fill(1, COP_PIPELINE_BLOCK);
    cop_future *before = cop_pipeline_room(pipeline);
    cop_pipeline_close(pipeline);
    assert_code(before, -EPIPE);
    assert_code(cop_pipeline_room(pipeline), -EPIPE);
    cop_pipeline_cancel(pipeline, cop_failed(-EIO, "enough"));
    cop_reason why = end_of(pipeline);
    ck_assert_str_eq(why.text, "enough");
    assert_rejected(cop_pipeline_room(pipeline), why);
    cop_pipeline_free(pipeline);
}

TEST(who_asks_for_room_learns_of_a_failure)
{
    fill(1, COP_PIPELINE_BLOCK);
    cop_future *room = cop_pipeline_room(pipeline);
    cop_pipeline_cancel(pipeline, cop_failed(-EIO, "enough"));
    assert_rejected(room, end_of(pipeline));
    cop_pipeline_free(pipeline);
}

TEST(without_memory_room_is_a_future_that_has_failed)
{
    fill(1, COP_PIPELINE_BLOCK);
    copi_alloc_fail_after(0);
    cop_future *room = cop_pipeline_room(pipeline);
    copi_alloc_fail_after(-1);
    assert_code(room, -ENOMEM);
    open_and_free();
}

SUITE("pipeline_submit")
