/*
 * tests/actors/test_stream_reader.c - the queue between a subscription and who takes elements from it:
 * bounded, asked for in steps, emptied once.
 *
 * Room: tests/. Case ids (RS28) are those of the list of futures' cases.
 */
#include "actors/stream_reader.h"
#include "runtime/process.h"
#include "runtime/wait.h"
#include "tests/actors/stream.h"

static struct source source = {.count = ENDLESS};

static struct copi_reader *
read_owners(cop_stream *stream, size_t most, size_t least)
{
    struct copi_reader *reader;
    cop_self();
    ck_assert_int_eq(copi_reader_new(&reader, copi_stream_claim(stream),
                                     &(struct copi_reader_init){.most = most, .least = least}),
                     0);
    copi_reader_start(reader, NULL);
    return reader;
}

static int
next(struct copi_reader *reader)
{
    struct copi_wait wait = COPI_WAIT("test", SOON);
    int *own, n;
    ck_assert_int_eq(copi_reader_next(reader, &own, &wait), 0);
    n = *own;
    owner_drop(&own);
    return n;
}

static void
let_go(struct copi_reader *reader)
{
    cop_future *ended = cop_subscription_ended(copi_reader_subscription(reader));
    copi_reader_abandon(reader);
    EVENTUALLY(cop_future_state(ended, NULL) != -EINPROGRESS);
    cop_future_release(ended);
    ck_assert_uint_eq(made, unmade);
}

static bool
is_resting(struct copi_reader *reader)
{
    return is_at_rest(copi_reader_subscription(reader));
}

static int
make_one(void *arg)
{
    return copi_reader_new(arg, copi_stream_claim(owner_stream(&source)),
                           &(struct copi_reader_init){.most = 4, .least = 2});
}

TEST(without_memory_there_is_none)
{
    struct copi_reader *reader;
    int r;
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(make_one, &reader, &r), 5);
    ck_assert_int_eq(r, 0);
    copi_reader_release(reader); /* it never ran */
    ck_assert_uint_gt(source.env_dropped, 0);
}

TEST(more_is_asked_for_when_so_many_are_used) /* RS29 */
{
    struct copi_reader *reader = read_owners(owner_stream(&source), 10, 5);
    EVENTUALLY(source.asked == 10 && is_resting(reader));
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(next(reader), i);
    }
    EVENTUALLY(is_resting(reader));
    ck_assert_int_eq(source.asked, 10);
    ck_assert_int_eq(next(reader), 4);
    EVENTUALLY(source.asked == 15 && is_resting(reader));
    for (int i = 5; i < 10; i++) {
        ck_assert_int_eq(source.asked, 15);
        ck_assert_int_eq(next(reader), i);
    }
    EVENTUALLY(source.asked == 20 && is_resting(reader));
    let_go(reader);
}

TEST(what_nobody_takes_is_not_asked_for) /* RS30 */
{
    struct copi_reader *reader = read_owners(owner_stream(&source), 8, 4);
    EVENTUALLY(source.asked == 8 && is_resting(reader));
    cop_sleep(COP_MS(20));
    ck_assert_int_eq(source.asked, 8);
    ck_assert_uint_eq(copi_reader_most(reader), 8);
    let_go(reader);
}

static int
send_owners(cop_bytes arg)
{
    cop_sender *sender = *(cop_sender *const *)arg.data;
    int *own, r = 0;
    while (r == 0) {
        owner_next(&own, &source);
        r = source.asked > 10000 ? -ENODATA : cop_stream_send(sender, COP_BYTES(own), SOON);
    }
    owner_drop(&own);
    cop_stream_close(sender);
    return 0;
}

/* Every thousandth is slow: at each, the queues fill up. */
TEST(no_queue_grows_beyond_its_bound) /* RS28 */
{
    cop_stream *stream;
    cop_sender *sender;
    cop_ref monitor;
    cop_stream_new(&stream, &sender, .size = sizeof(int *), .drop = owner_drop, .bound = 16);
    struct copi_reader *reader = read_owners(stream, 16, 8);
    cop_spawn(NULL, send_owners, .arg = COP_BYTES(sender), .monitor = &monitor);
    for (int i = 0; i < 10000; i++) {
        unsigned alive = made - unmade;
        ck_assert_uint_le(alive, 16 + 16 + 3); /* and what passes from one to the other */
        if (i % 1000 == 0) {
            cop_sleep(COP_MS(1));
        }
        ck_assert_int_eq(next(reader), i);
    }
    test_down(monitor);
    ck_assert_uint_le(copi_reader_most(reader), 16);
    let_go(reader);
    cop_sender_free(sender);
}

TEST_TIMES(2, elements_that_wait_come_before_an_error_unless_that_is_eager)
{
    struct copi_reader *reader;
    struct copi_wait wait = COPI_WAIT("test", SOON);
    int *own;
    source.fails_at = 3;
    cop_self();
    copi_reader_new(&reader, copi_stream_claim(owner_stream(&source)),
                    &(struct copi_reader_init){.most = 10, .least = 5, .eager_error = _i == 1});
    copi_reader_start(reader, NULL);
    cop_future *ended = cop_subscription_ended(copi_reader_subscription(reader));
    EVENTUALLY(cop_future_state(ended, NULL) == -EIO);
    cop_future_release(ended);
    for (int i = 0; _i == 0 && i < 3; i++) {
        ck_assert_int_eq(next(reader), i);
    }
    ck_assert_int_eq(copi_reader_next(reader, &own, &wait), -EIO);
    ck_assert_int_eq(copi_reader_next(reader, &own, &wait), -EIO);
    let_go(reader);
}

SUITE("stream reader")
