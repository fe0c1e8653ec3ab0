/*
 * tests/actors/test_stream_rs.c - the rules of Reactive Streams, for a source alone and through each
 * stage that changes nothing.
 *
 * Room: tests/. Case ids (RS01) are those of the list of futures' cases; each test runs once for every
 * pipeline (RS21).
 */
#include "tests/actors/stream.h"

#include <pthread.h>

enum {
    ALONE,
    MAP,
    FILTER,
    TAKE,
    BATCH,
    BUFFER,
    MERGE,
    SHARE,
    PIPELINES,
};

static int
only_item(void *element, void *result, void *env)
{
    const cop_batch *batch = element;
    (void)env;
    ck_assert_uint_eq(batch->count, 1);
    memcpy(result, batch->items, sizeof(int));
    return 0;
}

static cop_stream *
through(int pipeline, cop_stream *stream)
{
    switch (pipeline) {
    case MAP:
        return cop_stream_map(stream, same_int, NULL, sizeof(int));
    case FILTER:
        return cop_stream_filter(stream, every, NULL);
    case TAKE:
        return cop_stream_take(stream, UINT64_MAX);
    case BATCH:
        return cop_stream_map(cop_stream_batch(stream, 1), only_item, NULL, sizeof(int));
    case BUFFER:
        return cop_stream_buffer(stream, 0, 0);
    case MERGE:
        return cop_stream_merge(&stream, 1);
    case SHARE:
        return cop_stream_share(stream);
    default:
        return stream;
    }
}

static struct source source;
static struct record record;

static cop_subscription *
subscribe_to(int pipeline, int count)
{
    source.count = count;
    return record_subscribe(&record, through(pipeline, source_stream(&source)));
}

/* Whether the source is asked for nothing but what the subscriber asks for; else there is a queue between
 * them. */
static bool
is_direct(int pipeline)
{
    return pipeline <= BATCH;
}

static void
expect_elements(int pipeline, cop_subscription *subscription, unsigned count)
{
    EVENTUALLY(record.elements >= count && is_at_rest(subscription));
    ck_assert_uint_eq(record.elements, count);
    if (is_direct(pipeline)) {
        ck_assert_int_eq(source.asked, (int)count);
    }
}

TEST_TIMES(PIPELINES, as_many_elements_come_as_were_asked_for) /* RS01 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    static const unsigned asks[] = {1, 1, 2}, sums[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_subscription_request(subscription, asks[i]), 0);
        expect_elements(_i, subscription, sums[i]);
    }
    record_cancel(&record, subscription);
    ck_assert(record.in_order);
    ck_assert_uint_eq(record_ends(&record), 0);
}

TEST_TIMES(PIPELINES, a_source_with_less_than_was_asked_for_completes) /* RS02 */
{
    cop_subscription *subscription = subscribe_to(_i, 3);
    cop_subscription_request(subscription, 10);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 3);
    ck_assert_uint_eq(record.completes, 1);
    ck_assert_uint_eq(record.errors, 0);
}

TEST_TIMES(PIPELINES, a_source_that_fails_signals_one_error_and_nothing_after_it) /* RS03 */
{
    source.fails_at = 2;
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, 10);
    ck_assert_int_eq(record_await(&record, subscription), -EIO);
    ck_assert_uint_eq(record.elements, 2);
    ck_assert_uint_eq(record.errors, 1);
    ck_assert_int_eq(record.why.code, -EIO);
    ck_assert_uint_eq(source.closed, 1);
}

TEST_TIMES(PIPELINES, an_empty_source_completes_without_any_demand) /* RS04 */
{
    source.open_code = -ENODATA;
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.completes, 1);
    ck_assert_int_eq(source.asked, 0);
    ck_assert_uint_eq(source.closed, 0);
}

TEST_TIMES(PIPELINES, a_source_that_fails_at_its_start_fails_without_any_demand) /* RS05 */
{
    source.open_code = -ENXIO;
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    ck_assert_int_eq(record_await(&record, subscription), -ENXIO);
    ck_assert_uint_eq(record.errors, 1);
    ck_assert_int_eq(source.asked, 0);
}

TEST_TIMES(PIPELINES, nothing_follows_the_completion) /* RS06 */
{
    cop_subscription *subscription = subscribe_to(_i, 1);
    cop_subscription_request(subscription, 2);
    EVENTUALLY(record.completes == 1);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(cop_subscription_request(subscription, 5), 0);
    }
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 1);
    ck_assert_uint_eq(record_ends(&record), 1);
}

TEST_TIMES(PIPELINES, after_a_cancellation_no_element_comes) /* RS07 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, UINT64_MAX);
    EVENTUALLY(record.elements > 1000);
    cop_subscription_cancel(subscription);
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0);
    unsigned count = record.elements;
    int asked = source.asked;
    cop_sleep(COP_MS(100));
    ck_assert_uint_eq(record.elements, count);
    ck_assert_int_eq(source.asked, asked);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_uint_eq(record_ends(&record), 0);
}

TEST_TIMES(PIPELINES, without_a_subscriber_the_caller_is_refused) /* RS08 */
{
    cop_subscription *subscription = NULL;
    int r = cop_stream_subscribe_with(&subscription, through(_i, source_stream(&source)), NULL);
    ck_assert_int_eq(r, -EINVAL);
    r = cop_stream_subscribe(&subscription, through(_i, source_stream(&source)), .env = &record,
                             .drop_env = record_drop_env);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_ptr_null(subscription);
    ck_assert_uint_eq(record.env_dropped, 1);
    ck_assert_uint_eq(source.env_dropped, 2); /* the streams were taken over */
}

/* But of one that is shared. */
TEST_TIMES(SHARE, a_second_subscriber_is_refused_and_the_first_is_undisturbed) /* RS10, RS08 */
{
    struct record second = {0};
    source.count = ENDLESS;
    cop_stream *stream = through(_i, source_stream(&source));
    cop_subscription *first = record_subscribe(&record, cop_stream_retain(stream));
    cop_subscription *refused = record_subscribe(&second, stream);
    ck_assert_int_eq(record_await(&second, refused), -EBUSY);
    ck_assert_uint_eq(second.errors, 1);
    ck_assert_uint_eq(second.elements, 0);
    cop_subscription_request(first, 2);
    expect_elements(_i, first, 2);
    record_cancel(&record, first);
}

TEST_TIMES(PIPELINES, a_subscriber_without_demand_gets_nothing) /* RS11 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_sleep(COP_MS(200));
    ck_assert_uint_eq(record.elements, 0);
    cop_subscription_request(subscription, 7);
    expect_elements(_i, subscription, 7);
    record_cancel(&record, subscription);
}

/* ---------------------------------------------------------------- a second subscription */

static void
keep_the_first(cop_subscription *subscription, void *env)
{
    struct record *keeper = env;
    if (keeper->subscribed > 0) {
        cop_subscription_cancel(subscription);
    } else {
        record_subscribed(subscription, env);
    }
}

TEST_TIMES(PIPELINES, a_subscriber_that_has_a_subscription_may_refuse_another) /* RS12, adapted */
{
    struct source other = {.count = ENDLESS};
    cop_subscriber is = record_subscriber(&record, true);
    cop_subscription *first, *second;
    source.count = ENDLESS;
    is.on_subscribed = keep_the_first;
    is.drop_env = NULL;
    cop_stream_subscribe_with(&first, through(_i, source_stream(&source)), &is);
    EVENTUALLY(record.subscribed == 1);
    cop_stream_subscribe_with(&second, through(_i, source_stream(&other)), &is);
    ck_assert_int_eq(cop_subscription_request(second, 5), 0);
    ck_assert_int_eq(cop_subscription_cancel_wait(second, SOON), 0);
    ck_assert_int_eq(other.asked, 0);
    ck_assert_uint_eq(record.elements, 0);
    cop_subscription_request(first, 3);
    expect_elements(_i, first, 3);
    ck_assert_int_eq(cop_subscription_cancel_wait(first, SOON), 0);
    cop_subscription_release(first);
    cop_subscription_release(second);
}

/* ---------------------------------------------------------------- cancelling */

TEST_TIMES(PIPELINES, a_cancellation_reaches_the_source) /* RS13 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, 1);
    expect_elements(_i, subscription, 1);
    ck_assert_uint_eq(source.closed, 0);
    cop_time began = cop_now();
    cop_subscription_cancel(subscription);
    EVENTUALLY(source.closed == 1);
    printf("the source has learned of it in %lld us\n", (long long)(cop_now() - began) / 1000);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_uint_eq(source.opened, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST_TIMES(PIPELINES, a_cancellation_from_inside_an_element_lets_no_other_come)
{
    record.cancel_at = 3;
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, UINT64_MAX);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_uint_eq(record.elements, 3);
    ck_assert_uint_eq(source.closed, 1);
}

TEST_TIMES(PIPELINES, more_is_asked_for_from_inside_the_callbacks) /* RS14, RS19 */
{
    record.request_first = 1;
    record.request_each = 1;
    cop_subscription *subscription = subscribe_to(_i, 5000); /* a deep stack would show */
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 5000);
    ck_assert(record.in_order); /* and never was one inside another: broken_rules */
}

enum {
    THREADS = 8
};

static pthread_barrier_t together;

static void *
cancel_together(void *subscription)
{
    pthread_barrier_wait(&together);
    cop_subscription_cancel(subscription);
    cop_subscription_cancel(subscription);
    return NULL;
}

static void *
cancel_and_wait_together(void *subscription)
{
    pthread_barrier_wait(&together);
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0);
    return NULL;
}

TEST_TIMES(2 * PIPELINES, many_threads_cancel_and_all_is_cleaned_up_once) /* RS15 */
{
    pthread_t threads[THREADS];
    cop_subscription *subscription = subscribe_to(_i / 2, ENDLESS);
    cop_subscription_request(subscription, UINT64_MAX);
    ck_assert_int_eq(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int t = 0; t < THREADS; t++) {
        pthread_create(&threads[t], NULL, _i % 2 ? cancel_together : cancel_and_wait_together,
                       subscription);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
    }
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_uint_eq(source.closed, source.opened); /* it may not have come to that */
    ck_assert_uint_eq(source.env_dropped, 1);
    pthread_barrier_destroy(&together);
}

/* ---------------------------------------------------------------- demand */

TEST_TIMES(PIPELINES, a_request_after_a_cancellation_does_nothing) /* RS16 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_cancel(subscription);
    ck_assert_int_eq(cop_subscription_request(subscription, 3), 0);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_uint_eq(record.elements, 0);
}

TEST_TIMES(PIPELINES, demand_adds_up) /* RS17 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, 1);
    cop_subscription_request(subscription, 2);
    cop_subscription_request(subscription, 3);
    expect_elements(_i, subscription, 6);
    record_cancel(&record, subscription);
}

TEST_TIMES(PIPELINES, a_request_for_nothing_ends_the_subscription) /* RS18 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    ck_assert_int_eq(cop_subscription_request(subscription, 0), -EINVAL);
    ck_assert_int_eq(record_await(&record, subscription), -EINVAL);
    ck_assert_uint_eq(record.errors, 1);
    ck_assert_int_eq(record.why.code, -EINVAL);
    ck_assert_uint_eq(source.closed, source.opened); /* it may not have come to that */
}

TEST_TIMES(PIPELINES, the_largest_demand_is_without_bound) /* RS20 */
{
    cop_subscription *subscription = subscribe_to(_i, 3000);
    cop_subscription_request(subscription, UINT64_MAX - 1);
    cop_subscription_request(subscription, UINT64_MAX - 1);
    cop_subscription_request(subscription, 5);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 3000);
    ck_assert(record.in_order);
}

TEST_TIMES(PIPELINES, a_demand_without_bound_is_never_used_up) /* RS20 */
{
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, UINT64_MAX);
    EVENTUALLY(record.elements > 100);
    ck_assert_uint_eq(copi_load_relaxed_64(&subscription->demand), UINT64_MAX);
    record_cancel(&record, subscription);
}

TEST_TIMES(PIPELINES, a_crash_of_the_subscriber_is_its_streams_error)
{
    record.crash_at = 2;
    cop_subscription *subscription = subscribe_to(_i, ENDLESS);
    cop_subscription_request(subscription, 10);
    ck_assert_int_eq(record_await(&record, subscription), -EPROTO);
    ck_assert_uint_eq(record.elements, 2);
    ck_assert_uint_eq(record.errors, 1);
    ck_assert_str_eq(record.why.text, "{crashed,here}");
    ck_assert_uint_eq(source.closed, 1);
}

SUITE("stream rules")
