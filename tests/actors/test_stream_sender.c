/*
 * tests/actors/test_stream_sender.c - a stream with a sender: waiting for room, what is dropped for want of
 * it, and the ends of either side.
 *
 * Room: tests/. Case ids (RS28) are those of the list of futures' cases.
 */
#include "tests/actors/stream.h"

#include <pthread.h>

static cop_stream *stream;
static cop_sender *sender;
static struct record record;

static void
begin(size_t bound, cop_stream_full when_full)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int), .bound = bound,
                                    .when_full = when_full),
                     0);
}

static void
begin_owners(size_t bound, cop_stream_full when_full)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int *), .bound = bound,
                                    .drop = owner_drop, .when_full = when_full),
                     0);
}

static int
send(int n)
{
    return cop_stream_send(sender, COP_BYTES(n), SOON);
}

static int
try_send(int n)
{
    return cop_stream_try_send(sender, COP_BYTES(n));
}

static struct source numbers = {.count = ENDLESS};

static int
try_send_owner(void)
{
    int *own;
    owner_next(&own, &numbers);
    int r = cop_stream_try_send(sender, COP_BYTES(own));
    if (r) {
        owner_drop(&own); /* it is still ours */
    }
    return r;
}

/* ---------------------------------------------------------------- failures */

static int
make(void *arg)
{
    (void)arg;
    return cop_stream_new(&stream, &sender, .size = sizeof(int));
}

static bool
nothing_is_sent(void)
{
    return cop_stream_send(sender, COP_BYTES((int){0}), SOON) == -EPERM;
}

TEST(in_the_child_of_a_fork_nothing_is_sent)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int)), 0);
    cop_self();
    ck_assert(test_in_child(nothing_is_sent));
    cop_sender_free(sender);
    cop_stream_release(stream);
}

TEST(without_memory_there_is_neither_end)
{
    int r;
    ck_assert_uint_eq(test_out_of_memory(make, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

TEST(a_bound_that_is_too_large_is_refused)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = 8, .bound = SIZE_MAX / 8), -EINVAL);
}

TEST(an_element_of_another_size_is_refused)
{
    begin(1, COP_STREAM_BLOCK);
    const char wrong = 'x';
    ck_assert_int_eq(cop_stream_send(sender, COP_BYTES(wrong), SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_stream_try_send(sender, COP_BYTES(wrong)), -EMSGSIZE);
    ck_assert_int_eq(try_send(1), 0);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

TEST(without_room_a_try_is_refused_and_a_wait_ends_in_time)
{
    begin(2, COP_STREAM_BLOCK);
    ck_assert_int_eq(try_send(0), 0);
    ck_assert_int_eq(send(1), 0);
    ck_assert_int_eq(try_send(2), -EAGAIN);
    cop_time began = cop_now();
    const int two = 2;
    ck_assert_int_eq(cop_stream_send(sender, COP_BYTES(two), COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - began, COP_MS(20));
    ck_assert_int_eq(cop_stream_send(sender, COP_BYTES(two), 0), -ETIMEDOUT);
    cop_stream_release(stream);
    ck_assert_int_eq(send(2), -EPIPE);
    ck_assert_int_eq(try_send(2), -EPIPE);
    cop_sender_free(sender);
}

TEST(a_wait_ends_with_the_context)
{
    begin(1, COP_STREAM_BLOCK);
    send(0);
    cop_context *context = cop_context_new(COP_MS(10));
    cop_context_enter(context);
    ck_assert_int_eq(send(1), -ETIMEDOUT);
    cop_context_cancel(context, cop_failed(-ECANCELED, "enough"));
    ck_assert_int_eq(send(1), -ECANCELED);
    cop_context_leave(context);
    cop_context_free(context);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

TEST(a_sender_that_is_freed_without_an_end_is_an_error)
{
    begin(4, COP_STREAM_BLOCK);
    send(0);
    cop_subscription *subscription = record_all(&record, stream);
    EVENTUALLY(record.elements == 1);
    cop_sender_free(sender);
    cop_sender_free(NULL);
    ck_assert_int_eq(record_await(&record, subscription), -EPIPE);
}

TEST(it_ends_once)
{
    begin(4, COP_STREAM_BLOCK);
    ck_assert_int_eq(cop_stream_close(sender), 0);
    ck_assert_int_eq(cop_stream_close(sender), -EALREADY);
    ck_assert_int_eq(cop_stream_fail(sender, cop_failed(-EIO, NULL)), -EALREADY);
    ck_assert_int_eq(send(1), -EALREADY);
    ck_assert_int_eq(try_send(1), -EALREADY);
    ck_assert_int_eq(record_await(&record, record_all(&record, stream)), 0);
    cop_sender_free(sender);
}

TEST_TIMES(2, what_is_queued_comes_before_an_error_unless_that_is_eager)
{
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int *), .drop = owner_drop,
                                    .eager_error = _i == 1),
                     0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(try_send_owner(), 0);
    }
    cop_stream_fail(sender, cop_failed(-EBADMSG, "{these,words}"));
    unsigned seen = 0;
    int *own, r;
    while ((r = cop_stream_next(stream, COP_OUT(own), SOON)) == 0) {
        ck_assert_int_eq(*own, (int)seen++);
        owner_drop(&own);
    }
    ck_assert_int_eq(r, -EBADMSG);
    ck_assert_str_eq(cop_why().text, "{these,words}");
    ck_assert_uint_eq(seen, _i == 1 ? 0 : 5);
    cop_stream_release(stream);
    cop_sender_free(sender);
    EVENTUALLY(unmade == 5);
}

TEST(an_end_without_demand_is_told)
{
    begin(4, COP_STREAM_BLOCK);
    cop_subscription *subscription = record_subscribe(&record, stream);
    EVENTUALLY(is_at_rest(subscription));
    cop_stream_close(sender);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    cop_sender_free(sender);
}

/* ---------------------------------------------------------------- waiting for room */

static int
send_many(cop_bytes arg)
{
    int count = *(const int *)arg.data, r = 0;
    for (int i = 0; i < count && r == 0; i++) {
        r = send(i);
    }
    return r;
}

static cop_ref
start_sending(int count)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, send_many, .arg = COP_BYTES(count), .monitor = &monitor), 0);
    return monitor;
}

TEST(who_waits_goes_on_when_there_is_room)
{
    begin(4, COP_STREAM_BLOCK);
    cop_ref monitor = start_sending(1000);
    cop_subscription *subscription = record_all(&record, stream);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_stream_close(sender);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 1000);
    ck_assert(record.in_order);
    cop_sender_free(sender);
}

TEST(who_waits_goes_on_as_soon_as_one_was_taken)
{
    begin(8, COP_STREAM_BLOCK);
    for (int i = 0; i < 8; i++) {
        send(i);
    }
    cop_ref monitor = start_sending(1);
    cop_subscription *subscription = record_subscribe(&record, stream);
    cop_subscription_request(subscription, 1); /* far from half empty */
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    record_cancel(&record, subscription);
    cop_sender_free(sender);
}

TEST(who_waits_is_told_when_nobody_will_get_it)
{
    begin(1, COP_STREAM_BLOCK);
    cop_ref first = start_sending(10), second = start_sending(10);
    cop_subscription *subscription = record_subscribe(&record, stream);
    cop_sleep(COP_MS(5));
    cop_subscription_cancel(subscription);
    ck_assert_int_eq(test_down(first).code, -EPIPE);
    ck_assert_int_eq(test_down(second).code, -EPIPE);
    (void)record_await(&record, subscription);
    cop_sender_free(sender);
}

TEST(who_waits_is_told_when_another_ends_the_stream)
{
    begin(1, COP_STREAM_BLOCK);
    cop_ref monitor = start_sending(10);
    cop_sleep(COP_MS(5));
    cop_stream_close(sender);
    ck_assert_int_eq(test_down(monitor).code, -EALREADY);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

static int
send_text_for_ever(cop_bytes arg)
{
    (void)arg;
    while (cop_stream_send(sender, COP_STR("a text that is copied"), COP_FOREVER) == 0) {
    }
    return 0;
}

TEST_TIMES(2, who_waits_may_be_killed)
{
    cop_pid pid;
    cop_ref monitor;
    const int count = 10;
    cop_stream_new(&stream, &sender, .size = _i == 0 ? sizeof(int) : COP_ANY, .bound = 1);
    cop_spawn(&pid, _i == 0 ? send_many : send_text_for_ever, .arg = COP_BYTES(count),
              .monitor = &monitor);
    cop_sleep(COP_MS(5)); /* if it does not wait yet, the better */
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

/* ---------------------------------------------------------------- many senders */

static void *
send_from_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq(send(i), 0);
    }
    return NULL;
}

TEST_TIMES(3, many_senders_and_a_small_bound_lose_no_element_and_no_wake_up)
{
    pthread_t threads[4];
    begin((size_t)_i + 1, COP_STREAM_BLOCK);
    cop_subscription *subscription = record_all(&record, stream);
    for (int t = 0; t < 4; t++) {
        pthread_create(&threads[t], NULL, send_from_thread, NULL);
    }
    for (int t = 0; t < 4; t++) {
        pthread_join(threads[t], NULL);
    }
    cop_stream_close(sender);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements, 2000);
    cop_sender_free(sender);
}

/* ---------------------------------------------------------------- no room */

enum {
    PRODUCED = 1000
};

TEST(the_oldest_are_dropped_where_the_stream_says_so) /* RS31 */
{
    begin_owners(4, COP_STREAM_DROP_OLD);
    for (int i = 0; i < PRODUCED; i++) {
        ck_assert_int_eq(try_send_owner(), 0);
    }
    ck_assert_uint_eq(cop_sender_dropped(sender), PRODUCED - 4);
    ck_assert_uint_eq(unmade, PRODUCED - 4);
    cop_stream_close(sender);
    int *own;
    for (int i = PRODUCED - 4; i < PRODUCED; i++) {
        ck_assert_int_eq(cop_stream_next(stream, COP_OUT(own), SOON), 0);
        ck_assert_int_eq(*own, i);
        owner_drop(&own);
    }
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(own), SOON), -ENODATA);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

TEST(the_newest_are_dropped_where_the_stream_says_so) /* RS31 */
{
    begin_owners(4, COP_STREAM_DROP_NEW);
    for (int i = 0; i < PRODUCED; i++) {
        ck_assert_int_eq(try_send_owner(), 0);
    }
    ck_assert_uint_eq(cop_sender_dropped(sender), PRODUCED - 4);
    ck_assert_uint_eq(unmade, PRODUCED - 4);
    int *own;
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(own), SOON), 0);
    ck_assert_int_eq(*own, 0);
    owner_drop(&own);
    cop_stream_release(stream);
    cop_sender_free(sender);
    EVENTUALLY(unmade == PRODUCED);
}

TEST(it_fails_for_want_of_room_where_the_stream_says_so) /* RS31 */
{
    begin_owners(4, COP_STREAM_FAIL);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(try_send_owner(), 0);
    }
    ck_assert_int_eq(try_send_owner(), -EOVERFLOW);
    ck_assert_int_eq(try_send_owner(), -EALREADY);
    int *own, seen = 0, r;
    while ((r = cop_stream_next(stream, COP_OUT(own), SOON)) == 0) {
        ck_assert_int_eq(*own, seen++);
        owner_drop(&own);
    }
    ck_assert_int_eq(r, -EOVERFLOW);
    ck_assert_int_eq(seen, 4);
    cop_stream_release(stream);
    cop_sender_free(sender);
    ck_assert_uint_eq(made, unmade);
}

static void
be_slow(void *element, void *env)
{
    cop_sleep(COP_MS(1));
    record_element(element, env);
}

/* A tenth of the time and of the count: the slow suite may have all. */
TEST_TIMES(2, what_cannot_be_slowed_is_delivered_or_dropped_and_nothing_else) /* RS31 */
{
    cop_subscriber is = record_subscriber(&record, false);
    cop_subscription *subscription;
    is.on_element = be_slow;
    begin(16, _i == 0 ? COP_STREAM_DROP_OLD : COP_STREAM_DROP_NEW);
    ck_assert_int_eq(cop_stream_subscribe_with(&subscription, stream, &is), 0);
    for (int i = 0; i < PRODUCED; i++) {
        ck_assert_int_eq(try_send(i), 0);
        if (i % 16 == 0) {
            cop_sleep(COP_US(100));
        }
    }
    cop_stream_close(sender);
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(record.elements + cop_sender_dropped(sender), PRODUCED);
    ck_assert_uint_gt(cop_sender_dropped(sender), 0);
    cop_sender_free(sender);
}

/* ---------------------------------------------------------------- any size */

TEST(bytes_of_any_size_are_copied)
{
    static const char *words[] = {"", "a", "somewhat longer than the others"};
    char buffer[64];
    cop_bytes got;
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = COP_ANY, .bound = 3), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(buffer, sizeof buffer, "%s", words[i]);
        ck_assert_int_eq(cop_stream_send(sender, COP_STR(buffer), SOON), 0);
        memset(buffer, 'x', sizeof buffer);
    }
    cop_stream_close(sender);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_stream_next(stream, COP_OUT(got), SOON), 0);
        ck_assert_str_eq(got.data, words[i]);
        ck_assert_uint_eq(got.size, strlen(words[i]) + 1);
    }
    ck_assert_int_eq(cop_stream_next(stream, COP_OUT(got), SOON), -ENODATA);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

static int
send_text(void *arg)
{
    (void)arg;
    return cop_stream_try_send(sender, COP_STR("text"));
}

TEST_TIMES(2, without_memory_bytes_are_refused)
{
    int r;
    cop_self();
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = COP_ANY, .bound = 1,
                                    .when_full = COP_STREAM_DROP_OLD),
                     0);
    if (_i == 1) {
        ck_assert_int_eq(send_text(NULL), 0); /* full: another is dropped */
    }
    ck_assert_uint_eq(test_out_of_memory(send_text, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
    cop_stream_release(stream);
    cop_sender_free(sender);
}

SUITE("stream sender")
