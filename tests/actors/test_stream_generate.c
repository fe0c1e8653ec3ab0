/*
 * tests/actors/test_stream_generate.c - a source that is asked for each element.
 *
 * Room: tests/. What it does when asked, see test_stream_rs.c, too.
 */
#include "runtime/alloc.h"
#include "tests/actors/stream.h"

static struct source source;
static struct record record;

static int
await_all(cop_stream *stream)
{
    return record_await(&record, record_all(&record, stream));
}

TEST(without_a_function_it_fails)
{
    int r = await_all(cop_stream_generate_with(
        &(cop_generator){.env = &source, .drop_env = source_drop_env, .size = 4}));
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_uint_eq(source.env_dropped, 1);
}

static int
leave(void *element, void *env)
{
    (void)element, (void)env;
    cop_exit(cop_failed(-EDOM, "{left}"));
}

TEST(a_crash_in_it_is_the_streams_error_and_it_is_closed)
{
    int r = await_all(cop_stream_generate_with(&(cop_generator){.next = leave,
                                                                .close = source_close,
                                                                .drop_env = source_drop_env,
                                                                .env = &source,
                                                                .size = 4}));
    ck_assert_int_eq(r, -EDOM);
    ck_assert_str_eq(record.why.text, "{left}");
    ck_assert_uint_eq(source.closed, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

static int
leave_at_start(void *env)
{
    return leave(NULL, env);
}

TEST(a_crash_at_its_start_is_an_error_and_it_is_not_closed)
{
    int r = await_all(cop_stream_generate_with(&(cop_generator){.next = source_next,
                                                                .open = leave_at_start,
                                                                .close = source_close,
                                                                .env = &source,
                                                                .size = 4}));
    ck_assert_int_eq(r, -EDOM);
    ck_assert_uint_eq(source.closed, 0);
    ck_assert_int_eq(source.asked, 0);
}

static void
leave_at_end(void *env)
{
    source_close(env);
    leave(NULL, env);
}

TEST(a_crash_at_its_end_is_an_error_after_all_elements)
{
    source.count = 3;
    int r = await_all(cop_stream_generate_with(&(cop_generator){
        .next = source_next, .close = leave_at_end, .env = &source, .size = sizeof(int)}));
    ck_assert_int_eq(r, -EDOM);
    ck_assert_uint_eq(record.elements, 3);
    ck_assert_uint_eq(source.closed, 1);
}

static int
return_five(void *element, void *env)
{
    (void)element, (void)env;
    return 5;
}

TEST(a_positive_return_is_a_mistake)
{
    ck_assert_int_eq(await_all(cop_stream_generate(return_five, NULL, 4)), -EINVAL);
    ck_assert_str_eq(record.why.text, "{bad_return_value,5}");
}

/* ---------------------------------------------------------------- any size */

static int
next_text(void *element, void *env)
{
    static char text[8];
    unsigned *left = env;
    if (*left == 0) {
        return -ENODATA;
    }
    memset(text, 'a' + (int)*left, sizeof text); /* the last one is gone */
    *(cop_bytes *)element = (cop_bytes){text, *left};
    (*left)--;
    return 0;
}

static int
compare_text(void *element, void *env)
{
    const cop_bytes *bytes = element;
    unsigned *left = env;
    ck_assert_uint_eq(bytes->size, *left);
    for (size_t i = 0; i < bytes->size; i++) {
        ck_assert_int_eq(((const char *)bytes->data)[i], 'a' + (int)*left);
    }
    (*left)--;
    return 0;
}

TEST(elements_of_any_size_are_lent_and_copied_where_they_wait)
{
    unsigned generated = 8, seen = 8;
    cop_stream *stream = cop_stream_generate(next_text, &generated, COP_ANY);
    ck_assert_int_eq(cop_stream_for_each(stream, compare_text, &seen, SOON), 0);
    ck_assert_uint_eq(seen, 0);
}

static int
next_text_of_a_shortage(void *element, void *env)
{
    if (*(const unsigned *)env == 7) {
        copi_alloc_fail_after(0);
    }
    return next_text(element, env);
}

TEST(without_memory_to_copy_an_element_of_any_size_the_stream_fails)
{
    unsigned generated = 8, seen = 8;
    cop_stream *stream = cop_stream_generate(next_text_of_a_shortage, &generated, COP_ANY);
    int r = cop_stream_for_each(stream, compare_text, &seen, SOON);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_uint_ge(seen, 7);
}

/* ---------------------------------------------------------------- one that waits */

static int
wait_for_ever(void *element, void *env)
{
    (void)element;
    ((struct source *)env)->asked++;
    return cop_sleep(COP_FOREVER);
}

TEST(one_that_waits_is_told_of_the_cancellation)
{
    cop_subscription *subscription =
        record_all(&record,
                   cop_stream_generate_with(&(cop_generator){
                       .next = wait_for_ever, .close = source_close, .env = &source, .size = 4}));
    EVENTUALLY(source.asked == 1);
    record_cancel(&record, subscription);
    ck_assert_uint_eq(source.closed, 1);
}

TEST(endless_ones_take_turns)
{
    enum {
        MANY = 20
    };
    static struct source sources[MANY];
    static struct record records[MANY];
    cop_subscription *subscriptions[MANY];
    for (int i = 0; i < MANY; i++) {
        sources[i].count = ENDLESS;
        subscriptions[i] = record_all(&records[i], source_stream(&sources[i]));
    }
    for (int i = 0; i < MANY; i++) {
        EVENTUALLY(records[i].elements > 0);
    }
    for (int i = 0; i < MANY; i++) {
        record_cancel(&records[i], subscriptions[i]);
    }
}

TEST(a_shutdown_ends_an_endless_one)
{
    source.count = ENDLESS;
    cop_subscription *subscription = record_all(&record, source_stream(&source));
    EVENTUALLY(record.elements > 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(record_await(&record, subscription), -ECANCELED);
    ck_assert_int_eq(record.why.kind, COP_SHUTDOWN);
    ck_assert_uint_eq(source.closed, 1);
}

SUITE("stream generate")
