/*
 * tests/actors/test_stream_batch.c - so many elements at a time.
 *
 * Room: tests/. The rules that hold for every stage: test_stream_rs.c.
 */
#include "runtime/alloc.h"
#include "tests/actors/stream.h"

static struct source source;

struct sizes {
    size_t count, of[32];
    int next;
};

static int
note(void *element, void *env)
{
    const cop_batch *batch = element;
    struct sizes *sizes = env;
    sizes->of[sizes->count++] = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        ck_assert_int_eq(((const int *)batch->items)[i], sizes->next++);
    }
    return 0;
}

static int
note_owners(void *element, void *env)
{
    const cop_batch *batch = element;
    struct sizes *sizes = env;
    sizes->of[sizes->count++] = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        ck_assert_int_eq(*((int *const *)batch->items)[i], sizes->next++);
    }
    return 0;
}

TEST(batches_of_none_are_refused)
{
    struct sizes sizes = {0};
    int r = cop_stream_for_each(cop_stream_batch(source_stream(&source), 0), note, &sizes, SOON);
    ck_assert_int_eq(r, -EINVAL);
    r = cop_stream_for_each(cop_stream_batch(source_stream(&source), SIZE_MAX / 4), note, &sizes,
                            SOON);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_uint_eq(source.env_dropped, 2);
}

static int
batch_all(void *arg)
{
    struct sizes *sizes = arg;
    *sizes = (struct sizes){0};
    source = (struct source){.count = 10};
    int r =
        cop_stream_for_each(cop_stream_batch(owner_stream(&source), 4), note_owners, sizes, SOON);
    ck_assert_uint_eq(made, unmade);
    ck_assert_uint_eq(source.env_dropped, 1);
    return r;
}

TEST(without_memory_it_fails_and_drops_what_it_had)
{
    struct sizes sizes;
    int r;
    cop_self();
    ck_assert_int_eq(batch_all(&sizes), 0);
    ck_assert_uint_ge(test_out_of_memory(batch_all, &sizes, &r), 8);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(sizes.count, 3);
}

TEST(the_last_has_what_is_left)
{
    struct sizes sizes = {0};
    source.count = 10;
    int r = cop_stream_for_each(cop_stream_batch(source_stream(&source), 4), note, &sizes, SOON);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(sizes.count, 3);
    ck_assert_uint_eq(sizes.of[0], 4);
    ck_assert_uint_eq(sizes.of[1], 4);
    ck_assert_uint_eq(sizes.of[2], 2);
}

TEST(there_is_no_empty_one)
{
    struct sizes sizes = {0};
    source.count = 8;
    int r = cop_stream_for_each(cop_stream_batch(source_stream(&source), 4), note, &sizes, SOON);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(sizes.count, 2);
}

TEST_TIMES(2, what_is_left_comes_before_an_error_unless_that_is_eager)
{
    struct sizes sizes = {0};
    source.count = ENDLESS;
    source.fails_at = 6;
    cop_stream *stream =
        cop_stream_batch_with(owner_stream(&source), 4, &(cop_stream_opts){.eager_error = _i == 1});
    ck_assert_int_eq(cop_stream_for_each(stream, note_owners, &sizes, SOON), -EIO);
    ck_assert_uint_eq(sizes.count, _i == 1 ? 1 : 2);
    ck_assert_uint_eq(made, 6);
    ck_assert_uint_eq(unmade, 6);
}

static void
let_batch_go(void *element, void *env)
{
    (void)element, (void)env;
}

TEST(one_that_is_cancelled_half_full_drops_what_it_had)
{
    cop_stream *stream;
    cop_sender *sender;
    cop_subscription *subscription;
    cop_stream_new(&stream, &sender, .size = sizeof(int *), .drop = owner_drop);
    cop_stream_subscribe(&subscription, cop_stream_batch(stream, 10), .on_element = let_batch_go);
    source.count = ENDLESS;
    for (int i = 0; i < 5; i++) {
        int *own;
        owner_next(&own, &source);
        ck_assert_int_eq(cop_stream_send(sender, COP_BYTES(own), SOON), 0);
    }
    EVENTUALLY(is_at_rest(subscription));
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0);
    ck_assert_uint_eq(unmade, 5);
    cop_subscription_release(subscription);
    cop_sender_free(sender);
}

static bool
crash_at_five(const void *element, void *env)
{
    int *own;
    (void)env;
    memcpy(&own, element, sizeof own);
    if (*own == 5) {
        cop_exit(cop_failed(-EPROTO, "{five}"));
    }
    return true;
}

/* The filter has its element in the memory of the batch. */
TEST(a_crash_while_it_is_filled_drops_what_it_had)
{
    struct sizes sizes = {0};
    source.count = ENDLESS;
    cop_stream *stream = cop_stream_filter(owner_stream(&source), crash_at_five, NULL);
    stream = cop_stream_batch(stream, 4);
    ck_assert_int_eq(cop_stream_for_each(stream, note_owners, &sizes, SOON), -EPROTO);
    ck_assert_uint_eq(made, 6);
    ck_assert_uint_eq(unmade, 6);
}

/* ---------------------------------------------------------------- any size */

static int
next_word(void *element, void *env)
{
    static char word[16];
    int n = (*(int *)env)++;
    if (n == 5) {
        return -ENODATA;
    }
    *(cop_bytes *)element =
        (cop_bytes){word, (size_t)snprintf(word, sizeof word, "word %d", n) + 1};
    return 0;
}

static int
read_words(void *element, void *env)
{
    const cop_batch *batch = element;
    int *seen = env;
    for (size_t i = 0; i < batch->count; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "word %d", (*seen)++);
        ck_assert_str_eq(((const cop_bytes *)batch->items)[i].data, expected);
    }
    return 0;
}

TEST(bytes_that_are_lent_are_the_batchs_own)
{
    int n = 0, seen = 0;
    cop_stream *stream = cop_stream_batch(cop_stream_generate(next_word, &n, COP_ANY), 3);
    ck_assert_int_eq(cop_stream_for_each(stream, read_words, &seen, SOON), 0);
    ck_assert_int_eq(seen, 5);
}

TEST(what_is_left_waits_until_it_is_wanted)
{
    cop_stream *stream;
    cop_sender *sender;
    cop_batch batch;
    cop_reason why;
    ck_assert_int_eq(cop_stream_new(&stream, &sender, .size = sizeof(int)), 0);
    cop_stream *stage = copi_stream_claim(cop_stream_batch(stream, 4));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_stream_try_send(sender, COP_BYTES(i)), 0);
    }
    ck_assert_int_eq(stage->kind->pull(stage, &batch, &why), COPI_NOT_YET);
    ck_assert_int_eq(cop_stream_close(sender), 0);
    ck_assert_int_eq(stage->kind->pull(stage, NULL, &why), COPI_NOT_YET);
    ck_assert_int_eq(stage->kind->pull(stage, &batch, &why), COPI_ELEMENT);
    ck_assert_uint_eq(batch.count, 2);
    cop_batch_drop(&batch);
    ck_assert_int_eq(stage->kind->pull(stage, NULL, &why), COPI_COMPLETE);
    copi_stage_let_go(stage);
    cop_sender_free(sender);
}

static int
next_word_of_a_shortage(void *element, void *env)
{
    if (*(const int *)env == 1) {
        copi_alloc_fail_after(0);
    }
    return next_word(element, env);
}

TEST(without_memory_for_bytes_that_are_lent_it_fails)
{
    int n = 0, seen = 0;
    cop_stream *stream =
        cop_stream_batch(cop_stream_generate(next_word_of_a_shortage, &n, COP_ANY), 3);
    int r = cop_stream_for_each(stream, read_words, &seen, SOON);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_le(seen, 1);
}

SUITE("stream batch")
