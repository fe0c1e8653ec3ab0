/*
 * tests/actors/test_stream_map.c - map, filter and take: what they change, what they drop, when they end.
 *
 * Room: tests/. Case ids (RS22) are those of the list of futures' cases; test_stream_rs.c has those that
 * hold for every stage.
 */
#include "tests/actors/stream.h"

static struct source source;
static struct record record;

static int
await_all(cop_stream *stream)
{
    return record_await(&record, record_all(&record, stream));
}

/* ---------------------------------------------------------------- functions */

static int
fail_at_three(void *element, void *result, void *env)
{
    (void)env;
    memcpy(result, element, sizeof(int));
    return *(int *)element == 3 ? -EILSEQ : 0;
}

static int
fail_owner_at_three(void *element, void *result, void *env)
{
    int *own;
    (void)env;
    memcpy(&own, element, sizeof own);
    memcpy(result, own, sizeof(int));
    return *own == 3 ? -EILSEQ : 0;
}

static int
crash_owner_at_three(void *element, void *result, void *env)
{
    int r = fail_owner_at_three(element, result, env);
    if (r) {
        cop_exit(cop_failed(-EOWNERDEAD, "{at,three}"));
    }
    return 0;
}

static bool
is_even(const void *element, void *env)
{
    (void)env;
    return *(const int *)element % 2 == 0;
}

static bool
owner_is_even(const void *element, void *env)
{
    int *own;
    (void)env;
    memcpy(&own, element, sizeof own);
    return *own % 2 == 0;
}

static bool
crash_owner_filter(const void *element, void *env)
{
    if (!owner_is_even(element, env)) {
        cop_exit(cop_failed(-EOWNERDEAD, "{not,even}"));
    }
    return true;
}

static cop_stream *
each_stage(cop_stream *stream)
{
    stream = cop_stream_map(stream, same_int, NULL, sizeof(int));
    return cop_stream_take(cop_stream_filter(stream, every, NULL), UINT64_MAX);
}

/* ---------------------------------------------------------------- failures */

TEST(an_error_passes_through_every_stage_and_ends_the_source_once) /* RS22 */
{
    source.fails_at = 4;
    source.count = ENDLESS;
    ck_assert_int_eq(await_all(each_stage(each_stage(source_stream(&source)))), -EIO);
    ck_assert_uint_eq(record.elements, 4);
    ck_assert_uint_eq(record.errors, 1);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST(a_map_that_fails_is_the_error_and_the_source_is_cancelled) /* RS23 */
{
    source.count = ENDLESS;
    ck_assert_int_eq(await_all(
                         cop_stream_map(source_stream(&source), fail_at_three, NULL, sizeof(int))),
                     -EILSEQ);
    ck_assert_uint_eq(record.elements, 3);
    ck_assert_int_eq(record.why.code, -EILSEQ);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_int_eq(source.asked, 4);
}

TEST_TIMES(2, what_a_failing_map_was_given_is_dropped) /* RS23 */
{
    source.count = ENDLESS;
    cop_stream_map_fn fn = _i == 0 ? fail_owner_at_three : crash_owner_at_three;
    ck_assert_int_eq(await_all(cop_stream_map(owner_stream(&source), fn, NULL, sizeof(int))),
                     _i == 0 ? -EILSEQ : -EOWNERDEAD);
    ck_assert_uint_eq(record.elements, 3);
    ck_assert_uint_eq(made, 4);
    ck_assert_uint_eq(unmade, 4);
}

TEST(what_a_filter_that_crashes_was_given_is_dropped)
{
    source.count = ENDLESS;
    cop_stream *stream = cop_stream_filter(owner_stream(&source), crash_owner_filter, NULL);
    ck_assert_int_eq(await_all(cop_stream_map(stream, fail_owner_at_three, NULL, sizeof(int))),
                     -EOWNERDEAD);
    ck_assert_uint_eq(record.elements, 1);
    ck_assert_uint_eq(made, 2);
    ck_assert_uint_eq(unmade, 2);
}

TEST(without_a_function_a_stage_fails_and_lets_go_of_what_it_was_given)
{
    const cop_stream_opts opts = {
        .env = &source, .drop_env = source_drop_env, .file = __FILE__, .line = __LINE__};
    ck_assert_int_eq(await_all(cop_stream_map_with(source_stream(&source), NULL, &opts)), -EINVAL);
    ck_assert_uint_eq(source.env_dropped, 2);
    record = (struct record){0};
    ck_assert_int_eq(await_all(cop_stream_filter_with(source_stream(&source), NULL, &opts)),
                     -EINVAL);
    ck_assert_uint_eq(source.env_dropped, 4);
}

TEST(the_defaults_will_do)
{
    source.count = 3;
    cop_stream *stream = cop_stream_filter_with(source_stream(&source), every, NULL);
    ck_assert_int_eq(await_all(stream), 0);
    ck_assert_uint_eq(record.elements, 3);
}

/* ---------------------------------------------------------------- filter */

TEST(a_filter_asks_for_one_more_for_each_that_it_drops) /* RS24 */
{
    source.count = 20;
    cop_subscription *subscription =
        record_subscribe(&record, cop_stream_filter(source_stream(&source), is_even, NULL));
    cop_subscription_request(subscription, 10);
    EVENTUALLY(record.elements == 10 && is_at_rest(subscription));
    ck_assert_int_eq(record.last, 18);
    ck_assert_int_eq(source.asked, 19); /* and for no more than it needs */
    record_cancel(&record, subscription);
}

TEST(what_a_filter_does_not_want_is_dropped)
{
    source.count = 20;
    cop_stream *stream = cop_stream_filter(owner_stream(&source), owner_is_even, NULL);
    stream = cop_stream_take(stream, 5);
    ck_assert_int_eq(cop_stream_for_each(stream, (cop_stream_each_fn)0, NULL, 0), -EINVAL);
    stream = cop_stream_filter(owner_stream(&source), owner_is_even, NULL);
    ck_assert_int_eq(await_all(cop_stream_map(stream, fail_owner_at_three, NULL, sizeof(int))), 0);
    ck_assert_uint_eq(record.elements, 10);
    ck_assert_uint_eq(made, 20);
    ck_assert_uint_eq(unmade, 20);
}

/* ---------------------------------------------------------------- take */

TEST(take_completes_with_the_last_that_it_gives_and_cancels_the_source) /* RS25 */
{
    source.count = ENDLESS;
    ck_assert_int_eq(await_all(cop_stream_take(source_stream(&source), 5)), 0);
    ck_assert_uint_eq(record.elements, 5);
    ck_assert_uint_eq(record.completes, 1);
    ck_assert_int_eq(source.asked, 5);
    ck_assert_uint_eq(source.closed, 1);
}

TEST(take_completes_with_the_last_also_without_more_demand)
{
    source.count = ENDLESS;
    cop_subscription *subscription =
        record_subscribe(&record, cop_stream_take(source_stream(&source), 2));
    cop_subscription_request(subscription, 2);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 2);
}

TEST(to_take_none_completes_at_once_and_asks_for_nothing) /* RS26 */
{
    source.count = ENDLESS;
    cop_subscription *subscription =
        record_subscribe(&record, cop_stream_take(source_stream(&source), 0));
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.completes, 1);
    ck_assert_int_eq(source.asked, 0);
    ck_assert_uint_eq(source.closed, 1);
}

/* ---------------------------------------------------------------- every element, once */

static int
owner_to_int(void *element, void *result, void *env)
{
    int *own;
    (void)env;
    memcpy(&own, element, sizeof own);
    memcpy(result, own, sizeof(int));
    return 0;
}

static cop_stream *
owners_through_all(void)
{
    cop_stream *stream = map_owner(owner_stream(&source));
    stream = cop_stream_filter(stream, every, NULL);
    stream = map_owner(cop_stream_take(stream, 20));
    return cop_stream_map(stream, owner_to_int, NULL, sizeof(int));
}

TEST(every_element_is_dropped_once_when_all_come) /* RS27 */
{
    source.count = ENDLESS;
    ck_assert_int_eq(await_all(owners_through_all()), 0);
    ck_assert_uint_eq(record.elements, 20);
    ck_assert_uint_eq(made, 20);
    ck_assert_uint_eq(unmade, 20);
}

TEST_TIMES(21, every_element_is_dropped_once_when_it_is_cancelled_at_one) /* RS27 */
{
    source.count = ENDLESS;
    record.cancel_at = (unsigned)_i;
    cop_subscription *subscription = record_all(&record, owners_through_all());
    if (_i == 0) {
        cop_subscription_cancel(subscription);
    }
    (void)record_await(&record, subscription);
    ck_assert_uint_eq(made, unmade);
}

TEST_TIMES(21, every_element_is_dropped_once_when_one_fails) /* RS27 */
{
    source.count = ENDLESS;
    source.fails_at = _i;
    int r = await_all(owners_through_all());
    ck_assert_int_eq(r, _i > 0 && _i < 20 ? -EIO : 0);
    ck_assert_uint_eq(record.elements, _i > 0 ? (unsigned)_i : 20);
    ck_assert_uint_eq(made, unmade);
}

TEST_TIMES(20, every_element_is_dropped_once_when_the_consumer_crashes) /* RS27 */
{
    source.count = ENDLESS;
    record.crash_at = (unsigned)_i + 1;
    ck_assert_int_eq(await_all(owners_through_all()), -EPROTO);
    ck_assert_uint_eq(made, unmade);
}

/* ---------------------------------------------------------------- demand */

TEST(what_is_not_asked_for_is_not_asked_of_the_source) /* RS30 */
{
    source.count = ENDLESS;
    cop_subscription *subscription = record_subscribe(&record, each_stage(source_stream(&source)));
    cop_subscription_request(subscription, 12);
    EVENTUALLY(record.elements == 12 && is_at_rest(subscription));
    cop_sleep(COP_MS(20));
    ck_assert_int_eq(source.asked, 12);
    cop_subscription_request(subscription, 1);
    EVENTUALLY(record.elements == 13 && is_at_rest(subscription));
    ck_assert_int_eq(source.asked, 13);
    record_cancel(&record, subscription);
}

SUITE("stream map")
