/*
 * tests/actors/test_stream_for_each.c - consuming a stream in one's own process: each element, or the next.
 *
 * Room: tests/.
 */
#include "tests/actors/stream.h"

#include <pthread.h>
#include <unistd.h>

static struct source source = {.count = ENDLESS};
static cop_stream *stream;
static cop_sender *sender;

static void
begin_with_sender(void)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int)), 0);
}

struct seen {
    unsigned count, stop_at;
    int code;
};

static int
see(void *element, void *env)
{
    struct seen *seen = env;
    ck_assert_int_eq(*(int *)element, (int)seen->count);
    return ++seen->count == seen->stop_at ? seen->code : 0;
}

static int
count_tick(void *element, void *env)
{
    (void)element;
    ((struct seen *)env)->count++;
    return 0;
}

/* ---------------------------------------------------------------- each */

TEST(without_a_function_it_is_refused_and_the_stream_let_go_of)
{
    ck_assert_int_eq(cop_stream_for_each(source_stream(&source), NULL, NULL, SOON), -EINVAL);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST(without_a_stream_it_fails)
{
    struct seen seen = {0};
    ck_assert_int_eq(cop_stream_for_each(NULL, see, &seen, SOON), -EINVAL);
}

static int
for_each_of_five(void *arg)
{
    struct seen seen = {0};
    source = (struct source){.count = 5};
    int r = cop_stream_for_each(source_stream(&source), see, &seen, SOON);
    (void)arg;
    ck_assert_uint_eq(source.env_dropped, 1);
    ck_assert_uint_eq(seen.count, r == 0 ? 5 : seen.count);
    return r;
}

TEST(without_memory_it_fails_and_leaves_nothing_behind)
{
    int r;
    cop_self();
    ck_assert_int_eq(for_each_of_five(NULL), 0);
    /* Where a wait needs memory, it is the last to fail; the end is waited for all the same. */
    ck_assert_uint_ge(test_out_of_memory(for_each_of_five, NULL, &r), 6);
    ck_assert_int_eq(r, 0);
}

TEST(the_functions_failure_is_the_result_and_cancels_the_stream)
{
    struct seen seen = {.stop_at = 3, .code = -EDQUOT};
    ck_assert_int_eq(cop_stream_for_each(source_stream(&source), see, &seen, SOON), -EDQUOT);
    ck_assert_uint_eq(seen.count, 3);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
    ck_assert_int_le(source.asked, 64 + 32);
    ck_assert_int_eq(cop_why().code, -EDQUOT);
}

TEST(a_positive_return_is_a_mistake)
{
    struct seen seen = {.stop_at = 1, .code = 3};
    ck_assert_int_eq(cop_stream_for_each(source_stream(&source), see, &seen, SOON), -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_return_value,3}");
}

TEST(the_streams_error_is_the_result_after_all_elements)
{
    struct seen seen = {0};
    source.fails_at = 50;
    ck_assert_int_eq(cop_stream_for_each(source_stream(&source), see, &seen, SOON), -EIO);
    ck_assert_uint_eq(seen.count, 50);
    ck_assert_int_eq(cop_why().code, -EIO);
}

TEST(a_stream_that_is_consumed_is_busy)
{
    struct seen seen = {0};
    stream = source_stream(&source);
    cop_stream *taken = cop_stream_take(cop_stream_retain(stream), 1);
    ck_assert_int_eq(cop_stream_for_each(stream, see, &seen, SOON), -EBUSY);
    cop_stream_release(taken);
}

TEST(its_time_is_over_although_the_stream_is_not)
{
    struct seen seen = {0};
    begin_with_sender();
    cop_time began = cop_now();
    ck_assert_int_eq(cop_stream_for_each(stream, see, &seen, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - began, COP_MS(20));
    ck_assert_int_eq(cop_stream_try_send(sender, COP_BYTES((int){0})), -EPIPE);
    cop_sender_free(sender);
}

TEST(all_elements_of_a_long_stream_come_in_order)
{
    struct seen seen = {0};
    source.count = 20000;
    ck_assert_int_eq(cop_stream_for_each(source_stream(&source), see, &seen, SOON), 0);
    ck_assert_uint_eq(seen.count, 20000);
    ck_assert_int_eq(source.asked, 20001);
}

static int
take_owner(void *element, void *env)
{
    (void)env;
    owner_drop(element);
    return 0;
}

static int
look_at_owner(void *element, void *env)
{
    (void)env;
    ck_assert_int_ge(**(int **)element, 0);
    return 0;
}

TEST_TIMES(2, elements_are_dropped_once_whoever_does_it)
{
    source.count = 100;
    const cop_stream_opts opts = {.takes = _i == 1, .env = &source, .drop_env = source_drop_env};
    int r = cop_stream_for_each_with(owner_stream(&source), _i == 1 ? take_owner : look_at_owner,
                                     &opts, SOON);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(made, 100);
    ck_assert_uint_eq(unmade, 100);
    ck_assert_uint_eq(source.env_dropped, 2);
}

/* ---------------------------------------------------------------- in processes that end */

static atomic_int stage;

static int
slow_map(void *element, void *result, void *env)
{
    stage = 1;
    while (stage == 1) {
        usleep(100);
    }
    atomic_uint *on_stack = env; /* of the process that consumes */
    (*on_stack)++;
    return same_int(element, result, NULL);
}

static int
consume_slow(cop_bytes arg)
{
    struct seen seen = {0};
    atomic_uint calls = 0;
    (void)arg;
    stream = cop_stream_map(source_stream(&source), slow_map, &calls, sizeof(int));
    int r = cop_stream_for_each(stream, see, &seen, COP_FOREVER);
    stage = 3; /* not after a kill */
    return r;
}

static void *
let_map_return(void *arg)
{
    usleep(20000);
    stage = 2;
    return arg;
}

TEST_TIMES(2, a_process_that_is_ended_waits_for_the_functions_of_its_stream)
{
    cop_pid pid;
    cop_ref monitor;
    pthread_t thread;
    ck_assert_int_eq(cop_spawn(&pid, consume_slow, .monitor = &monitor), 0);
    EVENTUALLY(stage == 1);
    cop_exit_signal(pid, _i == 0 ? COP_REASON_KILLED : cop_failed(-EIO, "{by,a,signal}"));
    pthread_create(&thread, NULL, let_map_return, NULL);
    cop_reason why = test_down(monitor);
    ck_assert_int_eq(why.kind, _i == 0 ? COP_KILLED : COP_FAILED);
    ck_assert_int_eq(stage, 2);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

static int
leave_at_three(void *element, void *env)
{
    (void)env;
    if (**(int **)element == 3) {
        cop_exit(cop_failed(-EPROTO, "{left}"));
    }
    return 0;
}

static int
consume_and_leave(cop_bytes arg)
{
    (void)arg;
    return cop_stream_for_each(owner_stream(&source), leave_at_three, NULL, COP_FOREVER);
}

TEST(a_process_that_leaves_from_inside_drops_what_it_had)
{
    cop_ref monitor;
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, consume_and_leave, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EPROTO);
    free(test_caught_stderr());
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(made, unmade);
}

static int
consume_sent(cop_bytes arg)
{
    struct seen seen = {0};
    (void)arg;
    stage = 1;
    return cop_stream_for_each(stream, see, &seen, COP_FOREVER);
}

/* The stream is told to end, and does not before the test says so. */
static int
map_until_stage_3(void *element, void *result, void *env)
{
    (void)env;
    stage = 1;
    while (cop_cancelled() == 0) {
        usleep(100);
    }
    stage = 2;
    while (stage == 2) {
        usleep(100);
    }
    return same_int(element, result, NULL);
}

static int
consume_until_stage_3(cop_bytes arg)
{
    struct seen seen = {0};
    (void)arg;
    stream = cop_stream_map(source_stream(&source), map_until_stage_3, NULL, sizeof(int));
    int r = cop_stream_for_each(stream, see, &seen, COP_FOREVER);
    cop_checkpoint();
    stage = 4; /* not after a kill */
    return r;
}

TEST(a_process_that_is_killed_while_it_waits_for_its_streams_end_was_killed)
{
    cop_pid pid;
    cop_ref monitor;
    cop_process_info info;
    ck_assert_int_eq(cop_spawn(&pid, consume_until_stage_3, .monitor = &monitor), 0);
    EVENTUALLY(stage == 1);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    EVENTUALLY(stage == 2);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 0 && info.waits_in);
    stage = 3;
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert_int_eq(stage, 3);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST_TIMES(2, a_process_that_waits_for_elements_is_asked_to_stop)
{
    cop_pid pid;
    cop_ref monitor;
    begin_with_sender();
    ck_assert_int_eq(cop_spawn(&pid, consume_sent, .monitor = &monitor), 0);
    EVENTUALLY(stage == 1);
    if (_i == 0) {
        cop_exit_signal(pid, COP_REASON_SHUTDOWN);
        ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    } else {
        ck_assert_int_eq(cop_shutdown(SOON), 0);
    }
    ck_assert_int_eq(cop_stream_try_send(sender, COP_BYTES((int){0})), -EPIPE);
    cop_sender_free(sender);
}

static int
run_inner(void *element, void *result, void *env)
{
    struct seen seen = {0};
    struct source inner = {.count = 10};
    (void)env;
    int r = cop_stream_for_each(source_stream(&inner), see, &seen, SOON);
    memcpy(result, element, sizeof(int));
    return r;
}

TEST(a_stream_may_be_consumed_in_a_function_of_another)
{
    struct seen seen = {0};
    source.count = 20;
    stream = cop_stream_map(source_stream(&source), run_inner, NULL, sizeof(int));
    ck_assert_int_eq(cop_stream_for_each(stream, see, &seen, SOON), 0);
    ck_assert_uint_eq(seen.count, 20);
}

/* ---------------------------------------------------------------- the next */

TEST(the_next_comes_until_there_is_none)
{
    int n;
    source.count = 3;
    stream = source_stream(&source);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), SOON), 0);
        ck_assert_int_eq(n, i);
    }
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), SOON), -ENODATA);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), SOON), -ENODATA);
    cop_stream_release(stream);
    EVENTUALLY(source.env_dropped == 1);
}

TEST(elements_may_have_no_bytes)
{
    struct seen seen = {0};
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = 0), 0);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(cop_stream_try_send(sender, (cop_bytes){NULL, 0}), 0);
        }
        cop_stream_close(sender);
        cop_sender_free(sender);
        if (round == 0) {
            for (int i = 0; i < 3; i++) {
                ck_assert_int_eq(cop_stream_next(stream, NULL, 0, SOON), 0);
            }
            ck_assert_int_eq(cop_stream_next(stream, NULL, 0, SOON), -ENODATA);
            cop_stream_release(stream);
        } else {
            ck_assert_int_eq(cop_stream_for_each(stream, count_tick, &seen, SOON), 0);
            ck_assert_uint_eq(seen.count, 3);
        }
    }
}

TEST(the_next_of_another_size_is_refused_and_nothing_begins)
{
    char wrong;
    stream = source_stream(&source);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(wrong), SOON), -EMSGSIZE);
    cop_stream_release(stream);
    ck_assert_uint_eq(source.opened, 0);
}

TEST(the_next_that_does_not_come_may_be_asked_for_again)
{
    int n = 7;
    begin_with_sender();
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(cop_stream_try_send(sender, COP_BYTES(n)), 0);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), SOON), 0);
    ck_assert_int_eq(n, 7);
    cop_stream_release(stream);
    EVENTUALLY(cop_stream_try_send(sender, COP_BYTES(n)) == -EPIPE);
    cop_sender_free(sender);
}

TEST(the_next_of_a_stream_that_has_failed_is_why)
{
    int n;
    stream = cop_stream_generate(NULL, NULL, sizeof n);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(n), SOON), -EINVAL);
    cop_stream_release(stream);
    ck_assert_int_eq(cop_stream_next(copi_stream_no_memory(), COP_OUT(n), SOON), -ENOMEM);
}

TEST(to_release_what_is_read_cancels_it)
{
    int *own;
    stream = map_owner(owner_stream(&source));
    cop_stream_retain(stream);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(own), SOON), 0);
    owner_drop(&own);
    cop_stream_release(stream);
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(own), SOON), 0); /* there is a handle */
    owner_drop(&own);
    cop_stream_release(stream);
    EVENTUALLY(source.env_dropped == 1);
    ck_assert_uint_eq(source.closed, 1);
    EVENTUALLY(made == unmade);
}

SUITE("stream for each")
