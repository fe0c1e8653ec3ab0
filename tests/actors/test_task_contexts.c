/*
 * tests/actors/test_task_contexts.c - tasks, and what waits for tasks, in contexts that end.
 *
 * Room: tests/. Case ids (CB15) are those of the list of futures' cases. Time is checked from below only.
 */
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static const cop_bytes nothing;

static atomic_int running, gate, calls, waits;

static int
wait_at_the_gate(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    int r = 0;
    running++;
    while (!gate && r == 0) {
        r = cop_sleep(COP_US(200));
    }
    return r;
}

static int
count(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    return 0;
}

static cop_reason
cause(void)
{
    return cop_failed(-EDOM, "the house is on fire");
}

/* ---------------------------------------------------------------- some of many */

TEST(of_sixteen_tasks_the_eight_that_are_cancelled_end_so_and_the_others_complete) /* CB15 */
{
    enum {
        MANY = 16
    };
    cop_future *tasks[MANY];
    int status[MANY], cancelled = 0, completed = 0;
    for (int i = 0; i < MANY; i++) {
        tasks[i] = cop_async(wait_at_the_gate);
    }
    EVENTUALLY(running == MANY);
    for (int i = 1; i < MANY; i += 2) {
        ck_assert_int_eq(cop_future_cancel(tasks[i], cause()), 0);
    }
    for (int i = 1; i < MANY; i += 2) {
        ck_assert_int_eq(cop_await(tasks[i], NULL, 0, SOON), -ECANCELED);
    }
    gate = 1;
    ck_assert_int_eq(cop_await_settled(tasks, MANY, NULL, 0, status, SOON), 0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(status[i], i % 2 ? -ECANCELED : 0);
        cancelled += status[i] == -ECANCELED;
        completed += status[i] == 0;
        cop_future_release(tasks[i]);
    }
    ck_assert_int_eq(cancelled, 8);
    ck_assert_int_eq(completed, 8);
}

/* ---------------------------------------------------------------- down the tree */

static cop_future *started[3];

/* Each starts the next, below itself. */
static int
start_another(cop_bytes arg, void *result)
{
    int depth;
    memcpy(&depth, arg.data, sizeof depth);
    if (depth < 3) {
        int next = depth + 1;
        started[depth] = cop_async(start_another, .arg = COP_BYTES(next));
    }
    return wait_at_the_gate(nothing, result);
}

TEST(a_cancelled_task_takes_all_that_it_has_started_with_it_and_nobody_else) /* CB16 */
{
    int depth = 1;
    cop_future *sibling = cop_async(wait_at_the_gate);
    started[0] = cop_async(start_another, .arg = COP_BYTES(depth));
    EVENTUALLY(running == 4);
    ck_assert_int_eq(cop_future_cancel(started[1], cause()), 0);
    ck_assert_int_eq(cop_await(started[1], NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(cop_await(started[2], NULL, 0, SOON), -ECANCELED);
    ck_assert_str_eq(cop_why().text, cause().text);
    ck_assert_int_eq(cop_future_state(started[0], NULL), -EINPROGRESS); /* above */
    ck_assert_int_eq(cop_future_state(sibling, NULL), -EINPROGRESS);    /* beside */
    gate = 1;
    ck_assert_int_eq(cop_await(started[0], NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_await(sibling, NULL, 0, SOON), 0);
    cop_future_release(sibling);
    for (int i = 0; i < 3; i++) {
        cop_future_release(started[i]);
    }
}

static int
say_whether_cancelled(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    int r = cop_cancelled();
    ck_assert_str_eq(cop_why().text, cause().text);
    return r;
}

TEST(a_task_that_is_made_after_the_cancellation_is_born_cancelled) /* CB16 */
{
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    cop_context_cancel(context, cause());
    cop_future *task = cop_async(say_whether_cancelled);
    cop_context_leave(context);
    ck_assert_int_eq(cop_await(task, NULL, 0, SOON), -ECANCELED);
    cop_future_release(task);
    cop_context_free(context);
}

static int
say_what_is_left(cop_bytes arg, void *result)
{
    (void)arg;
    *(cop_time *)result = cop_time_left();
    return 0;
}

TEST(a_task_has_what_is_left_when_it_begins) /* DL02 */
{
    cop_time left, passed;
    cop_context *context = cop_context_new(COP_SEC(60));
    cop_time begun = cop_now();
    cop_context_enter(context);
    cop_future *task = cop_async(say_what_is_left, .result_size = sizeof left, .lazy = true);
    cop_sleep(COP_MS(20)); /* until somebody wants it */
    passed = cop_now() - begun;
    ck_assert_int_eq(cop_await(task, COP_OUT(left), SOON), 0);
    cop_context_leave(context);
    ck_assert_int_gt(left, 0);
    ck_assert_int_le(left, COP_SEC(60) - passed);
    cop_future_release(task);
    cop_context_free(context);
}

/* ---------------------------------------------------------------- every wait */

enum wait {
    AWAIT,
    AWAIT_BYTES,
    AWAIT_ALL,
    AWAIT_FIRST,
    AWAIT_SETTLED,
    AWAIT_LAZY,
    GROUP_GO,
    GROUP_WAIT,
    FLIGHT,
    MULTI_CALL,
    STREAM,
    TASK_SHUTDOWN,
    WAITS,
};

static cop_future *task, *lazy;
static cop_group *group;
static cop_flight *flight;
static cop_pid silent;

static bool
give_one(cop_bytes *item, void *env)
{
    bool *given = env, is_first = !*given;
    *given = true;
    *item = nothing;
    return is_first;
}

static int
take_from_a_stream(void)
{
    bool given = false;
    cop_async_item item;
    cop_async_stream *stream;
    int r = cop_async_stream_new(
        &stream, wait_at_the_gate,
        &(cop_async_stream_opts){.next = give_one, .env = &given, .timeout = COP_FOREVER});
    r = r ? r : cop_async_stream_next(stream, &item);
    if (r == 0) { /* its element has ended in the context, and was faster */
        ck_assert_str_eq(item.why.text, cause().text);
        r = item.code;
    }
    cop_async_stream_free(stream);
    return r;
}

static int
wait_in(enum wait wait)
{
    int status;
    cop_bytes bytes;
    switch (wait) {
    case AWAIT:
        return cop_await(task, NULL, 0, COP_FOREVER);
    case AWAIT_BYTES:
        return cop_await_bytes(task, &bytes, COP_FOREVER);
    case AWAIT_ALL:
        return cop_await_all(&task, 1, NULL, 0, COP_FOREVER);
    case AWAIT_FIRST:
        return cop_await_first(&task, 1, NULL, 0, NULL, COP_FOREVER);
    case AWAIT_SETTLED:
        return cop_await_settled(&task, 1, NULL, 0, &status, COP_FOREVER);
    case AWAIT_LAZY:
        return cop_await(lazy, NULL, 0, COP_FOREVER);
    case GROUP_GO:
        return cop_group_go(group, count, nothing);
    case GROUP_WAIT:
        return cop_group_wait(group, NULL);
    case FLIGHT:
        return cop_flight_do(flight, "key", wait_at_the_gate, nothing, NULL, NULL, COP_FOREVER);
    case MULTI_CALL:
        return cop_multi_call(&silent, 1, COP_TAG(1), NULL, 0, &status, COP_FOREVER);
    case STREAM:
        return take_from_a_stream();
    case TASK_SHUTDOWN:
        return cop_task_shutdown(task, COP_FOREVER);
    case WAITS:
        break;
    }
    return -EINVAL;
}

static int
ignore_all(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    cop_shield(true);
    cop_context *detached = cop_context_detached(COP_FOREVER);
    cop_context_enter(detached);
    running++;
    while (!gate) {
        usleep(200);
    }
    cop_context_leave(detached);
    cop_context_free(detached);
    return 0;
}

static cop_step
never_answer(void *state, cop_from from, cop_msg msg)
{
    (void)state, (void)from, (void)msg;
    return cop_ok();
}

static const cop_genserver silent_server = {.type = "silent", .handle_call = never_answer};

static void
start_what_is_waited_for(enum wait wait)
{
    task = cop_async(wait == TASK_SHUTDOWN ? ignore_all : wait_at_the_gate);
    lazy = cop_async(wait_at_the_gate, .lazy = true);
    group = cop_group_new(1);
    flight = cop_flight_new(0);
    ck_assert_int_eq(cop_group_go(group, wait_at_the_gate, nothing), 0);
    ck_assert_int_eq(cop_genserver_start(&silent, &silent_server, .link = false), 0);
    EVENTUALLY(running == 2);
}

static void
end_what_is_waited_for(void)
{
    gate = 1;
    cop_exit_signal(silent, COP_REASON_KILLED);
    ck_assert_int_eq(cop_await(task, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_future_release(task);
    cop_future_release(lazy);
    cop_group_free(group);
    cop_flight_free(flight);
}

static struct waiter {
    cop_context *context;
    enum wait wait;
    int r;
    cop_reason why;
    cop_time woken;
} waiter;

static int
wait_in_context(cop_bytes arg)
{
    (void)arg;
    waits++;
    waiter.r = wait_in(waiter.wait);
    waiter.why = cop_why();
    waiter.woken = cop_now();
    return 0;
}

/* A lazy task and a stream's begin when they are waited for, and a flight's computation does. */
static int
to_begin(enum wait wait)
{
    return wait == AWAIT_LAZY || wait == FLIGHT || wait == STREAM ? 3 : 2;
}

TEST_TIMES(WAITS, a_cancelled_context_frees_who_waits) /* DL05 */
{
    cop_ref monitor;
    start_what_is_waited_for((enum wait)_i);
    waiter = (struct waiter){.context = cop_context_new(COP_FOREVER), .wait = (enum wait)_i};
    ck_assert_int_eq(
        cop_spawn(NULL, wait_in_context, .context = waiter.context, .monitor = &monitor), 0);
    EVENTUALLY(waits == 1 && running == to_begin((enum wait)_i));
    cop_sleep(COP_MS(5)); /* and sleeps now, most likely */
    cop_time begun = cop_now();
    cop_context_cancel(waiter.context, cause());
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(waiter.r, -ECANCELED);
    ck_assert(_i == STREAM || strcmp(waiter.why.text, cause().text) == 0);
    printf("wait %d: freed after %lld us\n", _i, (long long)((waiter.woken - begun) / COP_US(1)));
    ck_assert_int_eq(calls, 0);
    cop_context_free(waiter.context);
    end_what_is_waited_for();
}

TEST_TIMES(2 * WAITS, in_a_context_that_is_over_nothing_is_waited_for_nor_begun) /* DL03, DL04 */
{
    bool is_late = _i >= WAITS;
    enum wait wait = (enum wait)(_i % WAITS);
    start_what_is_waited_for(wait);
    cop_context *context = cop_context_new(is_late ? 0 : COP_FOREVER);
    cop_context_enter(context);
    if (!is_late) {
        cop_context_cancel(context, cause());
    }
    ck_assert_int_eq(wait_in(wait), is_late ? -ETIMEDOUT : -ECANCELED);
    if (!is_late) {
        ck_assert_str_eq(cop_why().text, cause().text);
    }
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_int_eq(running, 2);
    ck_assert_int_eq(calls, 0);
    end_what_is_waited_for();
}

SUITE("task_contexts")
