/*
 * tests/actors/test_stream_subscription.c - how a stream runs and ends: waiting for the end, crashes where
 * it is told, workers that do not come back, what is left.
 *
 * Room: tests/. Case ids (GO10) are those of the list of futures' cases; test_stream_rs.c has the rules.
 */
#include "tests/actors/stream.h"

#include <coppice/track.h>

#include <pthread.h>
#include <unistd.h>

static struct source source;
static struct record record;
static cop_stream *stream;
static cop_sender *sender;

static void
begin_with_sender(void)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int)), 0);
}

/* ---------------------------------------------------------------- waiting for the end */

static atomic_int waited_inside;

static void
wait_inside(void *element, void *env)
{
    struct record *is = env;
    (void)element;
    waited_inside = cop_subscription_cancel_wait(is->subscription, SOON);
}

TEST(to_wait_for_the_end_inside_a_callback_is_refused_and_cancels_all_the_same)
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    source.count = ENDLESS;
    is.on_element = wait_inside;
    cop_stream_subscribe_with(&subscription, source_stream(&source), &is);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_int_eq(waited_inside, -EDEADLK);
    ck_assert_int_eq(source.asked, 1);
}

static atomic_bool is_inside, may_go_on;

static void
stay_inside(void *element, void *env)
{
    is_inside = true;
    while (!may_go_on) {
        usleep(100); /* no call of the library's: it is not told of a cancellation */
    }
    record_element(element, env);
}

static cop_subscription *
subscribe_staying(void)
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    source.count = ENDLESS;
    is.on_element = stay_inside;
    cop_stream_subscribe_with(&subscription, source_stream(&source), &is);
    EVENTUALLY(is_inside);
    return subscription;
}

TEST(a_wait_for_the_end_lasts_as_long_as_a_callback_runs)
{
    cop_subscription *subscription = subscribe_staying();
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, COP_MS(20)), -ETIMEDOUT);
    ck_assert_uint_eq(record.env_dropped, 0);
    may_go_on = true;
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0);
    ck_assert_uint_eq(record.elements, 1);
    ck_assert_uint_eq(record.env_dropped, 1);
    (void)record_await(&record, subscription);
}

TEST(the_end_may_be_waited_for_without_a_cancellation)
{
    source.count = 5;
    cop_subscription *subscription = record_all(&record, source_stream(&source));
    cop_future *ended = cop_subscription_ended(subscription);
    ck_assert_int_eq(cop_await(ended, NULL, 0, SOON), 0);
    ck_assert_uint_eq(record.elements, 5);
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0); /* too late: nothing */
    ck_assert_int_eq(cop_future_state(ended, NULL), 0);
    cop_future_release(ended);
    cop_subscription_release(subscription);
    cop_subscription_release(NULL);
}

/* ---------------------------------------------------------------- crashes where it is told */

static void
crash_subscribed(cop_subscription *subscription, void *env)
{
    record_subscribed(subscription, env);
    cop_exit(cop_failed(-EPROTO, "{at,first}"));
}

TEST(a_crash_when_it_is_subscribed_is_the_streams_error)
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    is.on_subscribed = crash_subscribed;
    cop_stream_subscribe_with(&subscription, source_stream(&source), &is);
    ck_assert_int_eq(record_await(&record, subscription), -EPROTO);
    ck_assert_uint_eq(record.errors, 1);
    ck_assert_uint_eq(source.opened, 0);
    ck_assert_uint_eq(source.env_dropped, 1);
}

static void
crash_complete(void *env)
{
    record_complete(env);
    cop_exit(cop_failed(-EPROTO, "{at,last}"));
}

TEST(a_crash_when_it_is_told_of_the_end_is_reported)
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    is.on_complete = crash_complete;
    test_catch_stderr();
    cop_stream_subscribe_with(&subscription, source_stream(&source), &is);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "{at,last}"), 1);
    free(said);
    ck_assert_uint_eq(record_ends(&record), 1);
}

TEST(what_a_crashed_callback_did_to_its_process_is_no_affair_of_others)
{
    record.crash_at = 1;
    source.count = ENDLESS;
    ck_assert_int_eq(record_await(&record, record_all(&record, source_stream(&source))), -EPROTO);
    for (int i = 0; i < 20; i++) {
        struct source other = {.count = 10};
        struct record told = {0};
        ck_assert_int_eq(record_await(&told, record_all(&told, source_stream(&other))), 0);
        ck_assert_uint_eq(told.elements, 10);
    }
}

/* ---------------------------------------------------------------- workers that do not come back */

static cop_pid stuck_in;
static int pipe_ends[2];
static atomic_bool came_back;

static void
get_stuck(void)
{
    char byte;
    stuck_in = cop_self();
    is_inside = true;
    while (read(pipe_ends[0], &byte, 1) < 0) {
    }
    came_back = true;
}

static void
stuck_element(void *element, void *env)
{
    get_stuck();
    (void)element;
    ((struct record *)env)->elements++;
}

static int
stuck_map(void *element, void *result, void *env)
{
    get_stuck();
    return same_int(element, result, env);
}

static void
come_back(void)
{
    ck_assert_int_eq(write(pipe_ends[1], "x", 1), 1);
    EVENTUALLY(came_back && cop_disowned() == 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST_TIMES(2, a_stream_whose_worker_is_disowned_fails_and_is_cleaned_up_when_that_comes_back)
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    ck_assert_int_eq(
        cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(50)}), 0);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    source.count = ENDLESS;
    cop_stream *numbers = cop_stream_map(owner_stream(&source), owner_number, NULL, sizeof(int));
    if (_i == 0) {
        is.on_element = stuck_element;
    } else {
        numbers = cop_stream_map(numbers, stuck_map, NULL, sizeof(int));
    }
    test_catch_stderr();
    cop_stream_subscribe_with(&subscription, numbers, &is);
    EVENTUALLY(is_inside);
    cop_exit_signal(stuck_in, COP_REASON_KILLED);
    EVENTUALLY(record.errors == 1);
    ck_assert_int_eq(record.why.kind, COP_KILLED);
    cop_future *ended = cop_subscription_ended(subscription);
    EVENTUALLY(cop_future_state(ended, NULL) == -ECANCELED);
    cop_future_release(ended);
    ck_assert_uint_eq(source.closed, 0); /* somebody may be in it */
    ck_assert_uint_eq(record.env_dropped, 0);
    cop_subscription_release(subscription);
    come_back();
    free(test_caught_stderr());
    EVENTUALLY(record.env_dropped == 1);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
    ck_assert_uint_eq(made, unmade);
    ck_assert_uint_eq(record_ends(&record), 1);
    ck_assert_uint_eq(record.elements, _i == 0 ? 1 : 0);
}

static int
send_until_refused(cop_bytes arg)
{
    const int n = 1;
    int r;
    (void)arg;
    while ((r = cop_stream_send(sender, COP_BYTES(n), SOON)) == 0) {
    }
    return r;
}

TEST(who_waits_for_a_stream_whose_worker_is_disowned_is_told)
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    cop_ref monitor;
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(50)});
    ck_assert_int_eq(pipe(pipe_ends), 0);
    begin_with_sender();
    is.on_element = stuck_element;
    test_catch_stderr();
    cop_stream_subscribe_with(&subscription, stream, &is);
    ck_assert_int_eq(cop_spawn(NULL, send_until_refused, .monitor = &monitor), 0);
    EVENTUALLY(is_inside);
    cop_exit_signal(stuck_in, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).code, -EPIPE);
    EVENTUALLY(record.errors == 1);
    come_back();
    free(test_caught_stderr());
    EVENTUALLY(cop_subscription_cancel_wait(subscription, SOON) == 0);
    cop_subscription_release(subscription);
    cop_sender_free(sender);
    EVENTUALLY(record.env_dropped == 1);
}

/* ---------------------------------------------------------------- what is told of leaks */

TEST(a_subscription_that_is_not_over_is_told_with_its_place) /* GO07 */
{
    cop_leak leaks[2];
    cop_subscription *subscription;
    cop_track_futures(true);
    begin_with_sender();
    int line = __LINE__ + 1;
    cop_stream_subscribe(&subscription, stream, .on_element = record_element, .env = &record);
    ck_assert_uint_eq(cop_unsettled(leaks, 2, 0), 1);
    ck_assert_int_eq(leaks[0].line, line);
    ck_assert_ptr_nonnull(strstr(leaks[0].file, "test_stream_subscription.c"));
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0);
    ck_assert_uint_eq(cop_unsettled(leaks, 2, 0), 0);
    test_catch_stderr();
    cop_subscription_release(subscription);
    cop_sender_free(sender);
    char *said = test_caught_stderr();
    ck_assert_str_eq(said, ""); /* its failure was told */
    free(said);
}

/* ---------------------------------------------------------------- nothing is left */

static cop_stream *
five_stages(cop_stream *from)
{
    cop_stream *made_of = map_owner(cop_stream_filter(from, every, NULL));
    made_of = cop_stream_take(map_owner(made_of), 1000000);
    return cop_stream_map(made_of, owner_number, NULL, sizeof(int));
}

static int
first_of_batch(void *element, void *result, void *env)
{
    const cop_batch *batch = element;
    return owner_number(batch->items, result, env);
}

/* The same with queues between. */
static cop_stream *
five_stages_in_lines(cop_stream *from)
{
    cop_stream *made_of = cop_stream_buffer(map_owner(from), 0, 0);
    made_of = cop_stream_merge(&made_of, 1);
    return cop_stream_map(cop_stream_batch(made_of, 3), first_of_batch, NULL, sizeof(int));
}

TEST_TIMES(2, a_pipeline_that_is_cancelled_half_way_leaves_nothing_behind) /* GO10 */
{
    size_t allocated = 0;
    cop_self();
    cop_sleep(1);
    cop_trim();
    unsigned threads = test_threads(), descriptors = test_descriptors();
    for (int round = 0; round < 100; round++) {
        struct source from = {.count = ENDLESS};
        struct record told = {0};
        cop_stream *from_it = owner_stream(&from);
        cop_subscription *subscription =
            record_all(&told, _i == 0 ? five_stages(from_it) : five_stages_in_lines(from_it));
        EVENTUALLY(told.elements > 10);
        record_cancel(&told, subscription);
        ck_assert_uint_eq(made, unmade);
        ck_assert_uint_eq(from.closed, 1);
        if (round == 10) { /* all that is made once has been made */
            allocated = test_allocated();
        }
    }
    EVENTUALLY((cop_trim(), test_threads() <= threads + 1)); /* the one that starts threads, say */
    ck_assert_uint_eq(test_descriptors(), descriptors);
#if !TEST_SANITIZED
    ck_assert_uint_le(test_allocated(), allocated + TEST_POOLS_GROW); /* nothing for each round */
#else
    (void)allocated;
#endif
}

static void *
cancel_later(void *subscription)
{
    cop_subscription_cancel(subscription);
    return NULL;
}

TEST_TIMES(20, a_cancellation_meets_the_end_and_the_beginning)
{
    pthread_t thread;
    source.count = 200 * _i;
    cop_subscription *subscription = record_all(&record, five_stages(owner_stream(&source)));
    pthread_create(&thread, NULL, cancel_later, subscription);
    pthread_join(thread, NULL);
    (void)record_await(&record, subscription);
    ck_assert_uint_eq(made, unmade);
    ck_assert_uint_le(record_ends(&record), 1);
}

SUITE("stream subscription")
