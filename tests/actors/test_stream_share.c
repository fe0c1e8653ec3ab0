/*
 * tests/actors/test_stream_share.c - one stream for many consumers: the same elements, the pace of the
 * slowest or not, and the end for all.
 *
 * Room: tests/. The rules that hold for every stage: test_stream_rs.c. Case ids (RS09) are those of the list
 * of futures' cases.
 */
#include "tests/actors/stream.h"

#include <unistd.h>

enum {
    MANY = 5
};
static struct source source;
static struct record records[MANY];
static cop_subscription *subscriptions[MANY];

static int
share_owner(const void *element, void *out)
{
    int *own, *copy = malloc(sizeof *copy);
    ck_assert_ptr_nonnull(copy);
    memcpy(&own, element, sizeof own);
    *copy = *own;
    memcpy(out, &copy, sizeof copy);
    made++;
    return 0;
}

static void
subscribe(int i, cop_stream *shared)
{
    subscriptions[i] = record_subscribe(&records[i], cop_stream_retain(shared));
}

static void
request(int i, uint64_t n)
{
    cop_subscription_request(subscriptions[i], n);
}

static int
await_end(int i)
{
    return record_await(&records[i], subscriptions[i]);
}

/* ---------------------------------------------------------------- what cannot be shared */

TEST(elements_that_own_memory_need_a_function_to_be_shared)
{
    cop_stream *shared = cop_stream_share(owner_stream(&source));
    subscribe(0, shared);
    ck_assert_int_eq(await_end(0), -EINVAL);
    ck_assert_uint_eq(source.env_dropped, 1);
    cop_stream_release(shared);
}

static int
share_three(void *arg)
{
    memset(records, 0, sizeof records);
    source = (struct source){.count = 10};
    cop_stream *shared = cop_stream_share(owner_stream(&source), .share = share_owner, .bound = 4);
    cop_stream *numbers = cop_stream_map(shared, owner_number, NULL, sizeof(int));
    const cop_subscriber is = record_subscriber(&records[0], false);
    int r = cop_stream_subscribe_with(&subscriptions[0], numbers, &is);
    (void)arg;
    if (r == 0) {
        r = await_end(0);
    }
    ck_assert(r != 0 || records[0].elements == 10);
    EVENTUALLY(source.env_dropped == 1);
    ck_assert_uint_eq(made, unmade);
    return r;
}

TEST(without_memory_it_fails_and_drops_what_it_had)
{
    int r;
    cop_self();
    ck_assert_int_eq(share_three(NULL), 0);
    ck_assert_uint_ge(test_out_of_memory(share_three, NULL, &r), 12);
    ck_assert_int_eq(r, 0);
}

TEST(one_that_nobody_consumes_lets_go_of_its_source)
{
    cop_stream_release(cop_stream_share(source_stream(&source)));
    ck_assert_uint_eq(source.env_dropped, 1);
    ck_assert_uint_eq(source.opened, 0);
}

/* ---------------------------------------------------------------- the same for all */

TEST_TIMES(2, all_get_the_same_in_the_same_order) /* RS09 */
{
    source.count = 300;
    cop_stream *shared = cop_stream_share(source_stream(&source), .consumers = 2);
    subscribe(0, shared);
    ck_assert_int_eq(source.asked, 0);
    subscribe(1, shared);
    cop_stream_release(shared);
    for (int n = 0; _i == 0 && n < 301; n++) { /* one by one */
        request(0, 1);
        request(1, 1);
    }
    request(0, UINT64_MAX); /* in bulk */
    request(1, UINT64_MAX);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(await_end(i), 0);
        ck_assert_uint_eq(records[i].elements, 300);
        ck_assert(records[i].in_order);
        ck_assert_int_eq(records[i].last, 299);
    }
    ck_assert_uint_eq(source.opened, 1);
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST(elements_that_own_memory_are_shared_out_and_dropped_once_each)
{
    source.count = 100;
    cop_stream *shared = cop_stream_share(owner_stream(&source), .share = share_owner,
                                          .consumers = MANY, .bound = 3);
    for (int i = 0; i < MANY; i++) {
        cop_stream *numbers =
            cop_stream_map(cop_stream_retain(shared), owner_number, NULL, sizeof(int));
        subscriptions[i] = record_subscribe(&records[i], numbers);
        request(i, UINT64_MAX);
    }
    cop_stream_release(shared);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(await_end(i), 0);
        ck_assert_uint_eq(records[i].elements, 100);
        ck_assert(records[i].in_order);
    }
    EVENTUALLY(source.env_dropped == 1);
    ck_assert_uint_eq(made, 100 * (MANY + 1));
    ck_assert_uint_eq(made, unmade);
}

TEST(its_error_is_everybodys_after_what_is_queued)
{
    source.count = ENDLESS;
    source.fails_at = 5;
    cop_stream *shared = cop_stream_share(source_stream(&source), .consumers = 2);
    subscribe(0, shared);
    subscribe(1, shared);
    request(0, UINT64_MAX);
    ck_assert_int_eq(await_end(0), -EIO);
    ck_assert_uint_eq(records[1].elements + record_ends(&records[1]), 0);
    request(1, UINT64_MAX);
    ck_assert_int_eq(await_end(1), -EIO);
    ck_assert_uint_eq(records[1].elements, 5);
    subscribe(2, shared); /* too late */
    ck_assert_int_eq(await_end(2), -EIO);
    cop_stream_release(shared);
}

static int
refuse_to_share(const void *element, void *out)
{
    int *own;
    memcpy(&own, element, sizeof own);
    return *own == 3 ? -EMLINK : share_owner(element, out);
}

static int
crash_sharing(const void *element, void *out)
{
    if (refuse_to_share(element, out) != 0) {
        cop_exit(cop_failed(-EMLINK, NULL));
    }
    return 0;
}

TEST_TIMES(2, a_share_that_fails_is_everybodys_error)
{
    source.count = ENDLESS;
    cop_stream *shared =
        cop_stream_share(owner_stream(&source), .share = _i == 0 ? refuse_to_share : crash_sharing,
                         .consumers = 2);
    for (int i = 0; i < 2; i++) {
        cop_stream *numbers =
            cop_stream_map(cop_stream_retain(shared), owner_number, NULL, sizeof(int));
        subscriptions[i] = record_subscribe(&records[i], numbers);
        request(i, UINT64_MAX);
    }
    cop_stream_release(shared);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(await_end(i), -EMLINK);
        ck_assert_uint_eq(records[i].elements, 3);
    }
    EVENTUALLY(source.env_dropped == 1);
    ck_assert_uint_eq(made, unmade);
}

/* ---------------------------------------------------------------- the slow one */

TEST(the_slowest_sets_the_pace)
{
    source.count = ENDLESS;
    cop_stream *shared = cop_stream_share(source_stream(&source), .consumers = 2, .bound = 8);
    subscribe(0, shared);
    subscribe(1, shared);
    cop_stream_release(shared);
    request(0, UINT64_MAX);
    EVENTUALLY(records[0].elements == 8);
    cop_sleep(COP_MS(20));
    ck_assert_int_eq(source.asked, 8);
    request(1, 5);
    EVENTUALLY(records[0].elements > 8);
    ck_assert_int_le(source.asked, 8 + 5);
    record_cancel(&records[1], subscriptions[1]); /* it holds up nobody any more */
    EVENTUALLY(records[0].elements > 1000);
    ck_assert_uint_eq(source.closed, 0);
    record_cancel(&records[0], subscriptions[0]);
    ck_assert_uint_eq(source.closed, 1); /* with the last, and before its end */
    ck_assert(records[0].in_order);
}

TEST_TIMES(2, for_the_slow_one_elements_are_dropped_where_it_says_so)
{
    source.count = 1000;
    cop_stream *shared =
        cop_stream_share(source_stream(&source), .consumers = 2, .bound = 4,
                         .when_full = _i == 0 ? COP_STREAM_DROP_OLD : COP_STREAM_DROP_NEW);
    subscribe(0, shared);
    subscribe(1, shared);
    cop_stream_release(shared);
    request(1, UINT64_MAX);
    EVENTUALLY(record_ends(&records[1]) == 1);
    request(0, UINT64_MAX);
    ck_assert_int_eq(await_end(0), 0);
    ck_assert_int_eq(await_end(1), 0);
    ck_assert_uint_eq(records[0].elements, 4);
    ck_assert_int_eq(records[0].last, _i == 0 ? 999 : 3);
}

TEST(the_slow_one_is_disconnected_where_it_says_so)
{
    source.count = 1000;
    cop_stream *shared = cop_stream_share(source_stream(&source), .consumers = 2, .bound = 4,
                                          .when_full = COP_STREAM_FAIL);
    subscribe(0, shared);
    subscribe(1, shared);
    cop_stream_release(shared);
    request(1, UINT64_MAX);
    EVENTUALLY(records[1].elements > 4);
    request(0, UINT64_MAX);
    ck_assert_int_eq(await_end(0), -EOVERFLOW);
    ck_assert_uint_ge(records[0].elements, 4);
    ck_assert(records[0].in_order);
    ck_assert_int_eq(await_end(1), 0);
    ck_assert_uint_eq(source.closed, 1);
}

/* ---------------------------------------------------------------- coming and going */

TEST(who_comes_later_gets_what_comes_later)
{
    cop_stream *stream;
    cop_sender *sender;
    cop_stream_new(&stream, &sender, .size = sizeof(int));
    cop_stream *shared = cop_stream_share(stream);
    subscribe(0, shared);
    request(0, UINT64_MAX);
    cop_stream_send(sender, COP_BYTES((int){0}), SOON);
    EVENTUALLY(records[0].elements == 1);
    subscribe(1, shared);
    request(1, UINT64_MAX);
    EVENTUALLY(is_at_rest(subscriptions[1]));
    cop_stream_send(sender, COP_BYTES((int){1}), SOON);
    cop_stream_close(sender);
    ck_assert_int_eq(await_end(0), 0);
    ck_assert_int_eq(await_end(1), 0);
    ck_assert_uint_eq(records[0].elements, 2);
    ck_assert_uint_eq(records[1].elements, 1);
    ck_assert_int_eq(records[1].last, 1);
    cop_stream_release(shared);
    cop_sender_free(sender);
}

static atomic_bool is_inside, may_go_on;

static int
stay_inside(void *element, void *result, void *env)
{
    is_inside = true;
    while (!may_go_on) {
        usleep(100); /* no call of the library's: it is not told of a cancellation */
    }
    return same_int(element, result, env);
}

TEST(the_last_to_leave_does_not_end_before_what_is_shared)
{
    source.count = ENDLESS;
    cop_stream *shared =
        cop_stream_share(cop_stream_map(source_stream(&source), stay_inside, NULL, sizeof(int)));
    subscribe(0, shared);
    subscribe(1, shared);
    cop_stream_release(shared);
    EVENTUALLY(is_inside);
    record_cancel(&records[0], subscriptions[0]);
    ck_assert_int_eq(cop_subscription_cancel_wait(subscriptions[1], COP_MS(20)), -ETIMEDOUT);
    ck_assert_uint_eq(source.closed, 0);
    may_go_on = true;
    record_cancel(&records[1], subscriptions[1]);
    ck_assert_uint_eq(source.closed, 1);
}

TEST(who_comes_after_the_last_has_left_is_refused)
{
    source.count = ENDLESS;
    cop_stream *shared = cop_stream_share(source_stream(&source));
    subscribe(0, shared);
    request(0, 3);
    EVENTUALLY(records[0].elements == 3);
    record_cancel(&records[0], subscriptions[0]);
    ck_assert_uint_eq(source.closed, 1);
    subscribe(1, shared);
    ck_assert_int_eq(await_end(1), -EPIPE);
    cop_stream_release(shared);
}

TEST_TIMES(10, all_leave_at_once_and_nothing_is_left)
{
    source.count = ENDLESS;
    cop_stream *shared = cop_stream_share(owner_stream(&source), .share = share_owner,
                                          .consumers = (size_t)_i % MANY);
    for (int i = 0; i < MANY; i++) {
        cop_stream *numbers =
            cop_stream_map(cop_stream_retain(shared), owner_number, NULL, sizeof(int));
        subscriptions[i] = record_subscribe(&records[i], numbers);
        request(i, UINT64_MAX);
    }
    cop_stream_release(shared);
    for (int i = 0; i < MANY; i++) {
        cop_subscription_cancel(subscriptions[i]);
    }
    for (int i = 0; i < MANY; i++) {
        (void)await_end(i);
    }
    EVENTUALLY(source.env_dropped == 1);
    ck_assert_uint_eq(made, unmade);
}

SUITE("stream share")
