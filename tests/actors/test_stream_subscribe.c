/*
 * tests/actors/test_stream_subscribe.c - consuming a stream by functions: which are called, and what they
 * take over.
 *
 * Room: tests/. What they are told and when: test_stream_rs.c.
 */
#include "tests/actors/stream.h"

static struct source source;
static struct record record;

static int
subscribe(void *arg)
{
    cop_subscription **out = arg;
    const cop_subscriber is = record_subscriber(&record, false);
    return cop_stream_subscribe_with(out, source_stream(&source), &is);
}

TEST(without_memory_nobody_is_told_anything_and_all_is_let_go_of)
{
    cop_subscription *subscription = NULL;
    int r;
    ck_assert_int_eq(subscribe(&subscription), 0); /* there is a worker: it is not what fails */
    (void)record_await(&record, subscription);
    record = (struct record){0};
    unsigned failures = test_out_of_memory(subscribe, &subscription, &r);
    ck_assert_uint_ge(failures, 4);
    ck_assert_int_eq(r, 0);
    cop_future *ended = cop_subscription_ended(subscription);
    ck_assert_int_eq(cop_await(ended, NULL, 0, SOON), 0);
    ck_assert_uint_eq(record.env_dropped, failures + 1);
    ck_assert_uint_eq(source.env_dropped, failures + 2);
    ck_assert_uint_eq(record.subscribed, 1);
    cop_future_release(ended);
    cop_subscription_release(subscription);
}

static void
count_element(void *element, void *env)
{
    (void)element;
    (*(atomic_uint *)env)++;
}

TEST_TIMES(2, one_function_is_enough_whatever_the_end_is)
{
    atomic_uint count = 0;
    cop_subscription *subscription;
    source.count = 7;
    source.fails_at = _i == 0 ? 0 : 3;
    cop_stream_subscribe(&subscription, source_stream(&source), .on_element = count_element,
                         .env = &count);
    cop_future *ended = cop_subscription_ended(subscription);
    ck_assert_int_eq(cop_await(ended, NULL, 0, SOON), _i == 0 ? 0 : -EIO);
    ck_assert_uint_eq(count, _i == 0 ? 7 : 3);
    cop_future_release(ended);
    cop_subscription_release(subscription);
}

TEST(without_a_handle_it_goes_on)
{
    source.count = 100;
    const cop_subscriber is = record_subscriber(&record, false);
    ck_assert_int_eq(cop_stream_subscribe_with(NULL, source_stream(&source), &is), 0);
    EVENTUALLY(record.env_dropped == 1);
    ck_assert_uint_eq(record.elements, 100);
    ck_assert_uint_eq(record.completes, 1);
}

static void
take_over(void *element, void *env)
{
    int *own;
    memcpy(&own, element, sizeof own);
    (*(atomic_uint *)env) += (unsigned)*own;
    owner_drop(&own);
}

TEST(one_that_takes_elements_drops_them_itself)
{
    atomic_uint sum = 0;
    cop_subscription *subscription;
    source.count = 10;
    cop_stream_subscribe(&subscription, owner_stream(&source), .on_element = take_over, .env = &sum,
                         .takes = true);
    cop_future *ended = cop_subscription_ended(subscription);
    ck_assert_int_eq(cop_await(ended, NULL, 0, SOON), 0);
    ck_assert_uint_eq(sum, 45);
    ck_assert_uint_eq(made, 10);
    ck_assert_uint_eq(unmade, 10);
    cop_future_release(ended);
    cop_subscription_release(subscription);
}

TEST(one_that_does_not_has_them_dropped)
{
    atomic_uint count = 0;
    cop_subscription *subscription;
    source.count = 10;
    cop_stream_subscribe(&subscription, owner_stream(&source), .on_element = count_element,
                         .env = &count);
    cop_future *ended = cop_subscription_ended(subscription);
    ck_assert_int_eq(cop_await(ended, NULL, 0, SOON), 0);
    ck_assert_uint_eq(unmade, 10);
    cop_future_release(ended);
    cop_subscription_release(subscription);
}

SUITE("stream subscribe")
