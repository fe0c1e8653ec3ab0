/*
 * tests/actors/test_stream_merge.c - several streams as one; and one with a queue between.
 *
 * Room: tests/. The rules that hold for every stage: test_stream_rs.c. Case ids (RS29) are those of the list
 * of futures' cases.
 */
#include "tests/actors/stream.h"

static struct record record;

enum {
    INPUTS = 4
};
static struct source sources[INPUTS];

static cop_stream *
merge_owners(const cop_stream_opts *opts)
{
    cop_stream *inputs[INPUTS];
    for (int i = 0; i < INPUTS; i++) {
        inputs[i] = owner_stream(&sources[i]);
    }
    return cop_stream_merge_with(inputs, INPUTS, opts);
}

static void
set_counts(int count)
{
    for (int i = 0; i < INPUTS; i++) {
        sources[i].count = count;
    }
}

static unsigned
closed_inputs(void)
{
    unsigned count = 0;
    for (int i = 0; i < INPUTS; i++) {
        count += sources[i].closed;
    }
    return count;
}

static int
count_owner(void *element, void *env)
{
    (void)element;
    (*(unsigned *)env)++;
    return 0;
}

/* ---------------------------------------------------------------- what cannot be merged */

TEST(streams_of_different_elements_are_refused_and_let_go_of)
{
    unsigned count = 0;
    cop_stream *inputs[] = {owner_stream(&sources[0]), source_stream(&sources[1])};
    int r = cop_stream_for_each(cop_stream_merge(inputs, 2), count_owner, &count, SOON);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_uint_eq(sources[0].env_dropped, 1);
    ck_assert_uint_eq(sources[1].env_dropped, 1);
}

TEST(one_that_fails_at_once_fails_all)
{
    unsigned count = 0;
    set_counts(ENDLESS);
    cop_stream *inputs[] = {owner_stream(&sources[0]),
                            copi_stream_failed(cop_failed(-EXDEV, NULL), NULL, 0), NULL};
    int r = cop_stream_for_each(cop_stream_merge(inputs, 2), count_owner, &count, SOON);
    ck_assert_int_eq(r, -EXDEV);
    ck_assert_uint_eq(sources[0].env_dropped, 1);
    ck_assert_uint_eq(made, unmade);
}

TEST(none_is_a_stream_that_completes)
{
    unsigned count = 0;
    ck_assert_int_eq(cop_stream_for_each(cop_stream_merge(NULL, 0), count_owner, &count, SOON), 0);
    ck_assert_uint_eq(count, 0);
}

static int
merge_all(void *arg)
{
    unsigned count = 0;
    memset(sources, 0, sizeof sources);
    set_counts(5);
    int r = cop_stream_for_each(merge_owners(NULL), count_owner, &count, SOON);
    (void)arg;
    ck_assert_uint_eq(made, unmade);
    for (int i = 0; i < INPUTS; i++) {
        ck_assert_uint_eq(sources[i].env_dropped, 1);
    }
    ck_assert(r != 0 || count == 5 * INPUTS);
    return r;
}

TEST(without_memory_it_fails_and_drops_what_it_had)
{
    int r;
    cop_self();
    ck_assert_int_eq(merge_all(NULL), 0);
    ck_assert_uint_ge(test_out_of_memory(merge_all, NULL, &r), 20);
    ck_assert_int_eq(r, 0);
}

/* ---------------------------------------------------------------- elements */

struct order {
    int next[2];
    unsigned count;
};

static int
next_tagged(void *element, void *env)
{
    int *state = env; /* whose, and which is next */
    if (state[1] == 500) {
        return -ENODATA;
    }
    memcpy(element, (int[]){state[0], state[1]++}, 2 * sizeof(int));
    return 0;
}

static int
check_order(void *element, void *env)
{
    const int *tagged = element;
    struct order *order = env;
    ck_assert_int_eq(tagged[1], order->next[tagged[0]]++);
    order->count++;
    return 0;
}

TEST(all_come_and_those_of_each_in_their_order)
{
    int states[2][2] = {{0, 0}, {1, 0}};
    struct order order = {0};
    cop_stream *inputs[] = {cop_stream_generate(next_tagged, states[0], 2 * sizeof(int)),
                            cop_stream_generate(next_tagged, states[1], 2 * sizeof(int))};
    ck_assert_int_eq(cop_stream_for_each(cop_stream_merge(inputs, 2), check_order, &order, SOON),
                     0);
    ck_assert_uint_eq(order.count, 1000);
}

TEST(one_that_waits_does_not_hold_up_the_others)
{
    cop_stream *inputs[2];
    cop_sender *sender;
    set_counts(100);
    cop_stream_new(&inputs[0], &sender, .size = sizeof(int));
    inputs[1] = source_stream(&sources[1]);
    cop_subscription *subscription = record_all(&record, cop_stream_merge(inputs, 2));
    EVENTUALLY(record.elements == 100);
    ck_assert_uint_eq(record_ends(&record), 0);
    cop_stream_try_send(sender, COP_BYTES((int){0}));
    EVENTUALLY(record.elements == 101);
    cop_stream_close(sender);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    cop_sender_free(sender);
}

TEST(inputs_take_turns)
{
    set_counts(ENDLESS);
    cop_stream *inputs[] = {source_stream(&sources[0]), source_stream(&sources[1])};
    cop_subscription *subscription = record_subscribe(&record, cop_stream_merge(inputs, 2));
    EVENTUALLY(sources[0].asked == 64 && sources[1].asked == 64);
    cop_subscription_request(subscription, 20);
    EVENTUALLY(record.elements == 20);
    ck_assert_int_le(record.last, 10); /* ten of each, or nearly */
    record_cancel(&record, subscription);
}

TEST(one_that_is_empty_leaves_the_others)
{
    unsigned count = 0;
    set_counts(10);
    sources[2].count = 0;
    ck_assert_int_eq(cop_stream_for_each(merge_owners(NULL), count_owner, &count, SOON), 0);
    ck_assert_uint_eq(count, 30);
}

/* ---------------------------------------------------------------- the end */

TEST_TIMES(2, one_that_fails_cancels_the_others)
{
    unsigned count = 0;
    set_counts(ENDLESS);
    sources[2].fails_at = 7;
    cop_stream *stream = merge_owners(&(cop_stream_opts){.eager_error = _i == 1});
    ck_assert_int_eq(cop_stream_for_each(stream, count_owner, &count, SOON), -EIO);
    for (int i = 0; i < INPUTS; i++) { /* one that had not begun is not closed, either */
        ck_assert(sources[i].closed == 1 || sources[i].asked == 0);
        ck_assert_uint_eq(sources[i].env_dropped, 1);
    }
    ck_assert_uint_eq(made, unmade);
}

TEST(what_is_queued_comes_before_the_error)
{
    cop_stream *inputs[2];
    cop_sender *sender;
    set_counts(ENDLESS);
    inputs[0] = source_stream(&sources[0]);
    cop_stream_new(&inputs[1], &sender, .size = sizeof(int));
    cop_subscription *subscription = record_subscribe(&record, cop_stream_merge(inputs, 2));
    EVENTUALLY(sources[0].asked == 64);
    cop_stream_fail(sender, cop_failed(-EBADMSG, NULL));
    EVENTUALLY(sources[0].closed == 1); /* also without demand */
    ck_assert_uint_eq(record_ends(&record), 0);
    cop_subscription_request(subscription, UINT64_MAX);
    ck_assert_int_eq(record_await(&record, subscription), -EBADMSG);
    ck_assert_uint_eq(record.elements, 64);
    ck_assert(record.in_order);
    cop_sender_free(sender);
}

static atomic_int waited;

static int
wait_for_the_merged(void *element, void *result, void *env)
{
    struct record *is = env;
    while (is->subscribed == 0) {
        cop_sleep(COP_US(100));
    }
    waited = cop_subscription_cancel_wait(is->subscription, SOON);
    return same_int(element, result, NULL);
}

TEST(to_wait_for_the_end_inside_an_input_is_refused)
{
    set_counts(ENDLESS);
    cop_stream *input =
        cop_stream_map(source_stream(&sources[0]), wait_for_the_merged, &record, sizeof(int));
    input = cop_stream_buffer(cop_stream_merge(&input, 1), 4, 2);
    cop_subscription *subscription = record_all(&record, input);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_int_eq(waited, -EDEADLK);
}

TEST(one_that_never_ran_lets_go_of_its_inputs)
{
    cop_stream_release(merge_owners(NULL));
    ck_assert_uint_eq(sources[0].env_dropped + sources[3].env_dropped, 2);
    ck_assert_uint_eq(closed_inputs(), 0);
}

TEST_TIMES(20, one_that_is_cancelled_leaves_nothing_behind) /* GO10 */
{
    set_counts(ENDLESS);
    cop_stream *stream = merge_owners(NULL);
    int *own;
    for (int i = 0; i < _i; i++) {
        ck_assert_int_eq(cop_stream_next(stream, COP_OUT(own), SOON), 0);
        owner_drop(&own);
    }
    cop_stream_release(stream);
    EVENTUALLY(sources[0].env_dropped == 1 && sources[3].env_dropped == 1);
    EVENTUALLY(made == unmade);
}

/* ---------------------------------------------------------------- a queue between */

TEST(a_buffer_that_cannot_be_is_refused)
{
    unsigned count = 0;
    int r = cop_stream_for_each(cop_stream_buffer(source_stream(&sources[0]), 4, 5), count_owner,
                                &count, SOON);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_uint_eq(sources[0].env_dropped, 1);
}

TEST(a_buffer_asks_ahead_and_then_in_steps) /* RS29 */
{
    set_counts(ENDLESS);
    cop_subscription *subscription =
        record_subscribe(&record, cop_stream_buffer(source_stream(&sources[0]), 10, 5));
    EVENTUALLY(sources[0].asked == 10);
    cop_subscription_request(subscription, 4);
    EVENTUALLY(record.elements == 4);
    cop_sleep(COP_MS(5));
    ck_assert_int_eq(sources[0].asked, 10);
    cop_subscription_request(subscription, 1);
    EVENTUALLY(sources[0].asked == 15);
    cop_subscription_request(subscription, 5);
    EVENTUALLY(sources[0].asked == 20);
    record_cancel(&record, subscription);
    ck_assert_int_eq(sources[0].asked, 20);
}

SUITE("stream merge")
