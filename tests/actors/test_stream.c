/*
 * tests/actors/test_stream.c - stages: who holds them, who consumes them, what is left when there is no
 * memory.
 *
 * Room: tests/. Case ids (RS27) are those of the list of futures' cases.
 */
#include "runtime/alloc.h"
#include "tests/actors/stream.h"

static struct source source;
static struct record record;

static cop_stream *
five_stages(void)
{
    cop_stream *stream = owner_stream(&source);
    stream = map_owner(cop_stream_filter(stream, every, NULL));
    return cop_stream_take(cop_stream_filter(stream, every, NULL), 20);
}

/* ---------------------------------------------------------------- handles */

TEST(a_stream_that_nobody_consumes_is_let_go_of_with_its_last_handle)
{
    cop_stream *stream = five_stages();
    ck_assert_ptr_eq(cop_stream_retain(stream), stream);
    cop_stream_release(stream);
    ck_assert_uint_eq(source.env_dropped, 0);
    cop_stream_release(stream);
    ck_assert_uint_eq(source.env_dropped, 1);
    ck_assert_uint_eq(source.opened, 0);
    cop_stream_release(NULL);
}

TEST(a_stage_keeps_what_is_before_it)
{
    cop_stream *first = source_stream(&source);
    cop_stream *second = cop_stream_take(cop_stream_retain(first), 3);
    cop_stream_release(first);
    ck_assert_uint_eq(source.env_dropped, 0);
    ck_assert_int_eq(record_await(&record, record_all(&record, second)), 0);
    ck_assert_uint_eq(record.completes, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST(a_handle_may_outlive_the_run)
{
    source.count = 2;
    cop_stream *stream = source_stream(&source);
    cop_subscription *subscription = record_all(&record, cop_stream_retain(stream));
    ck_assert_int_eq(record_await(&record, subscription), 0);
    ck_assert_uint_eq(source.env_dropped, 0);
    cop_stream_release(stream);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST(a_stream_that_a_stage_consumes_cannot_be_consumed_again)
{
    cop_stream *stream = source_stream(&source);
    cop_stream *first = cop_stream_take(cop_stream_retain(stream), 1);
    cop_stream *second = cop_stream_take(stream, 1);
    ck_assert_int_eq(record_await(&record, record_all(&record, second)), -EBUSY);
    cop_stream_release(first);
    ck_assert_uint_eq(source.env_dropped, 1);
}

TEST(a_stage_without_a_stream_fails)
{
    ck_assert_int_eq(record_await(&record, record_all(&record, cop_stream_take(NULL, 1))), -EINVAL);
}

TEST(a_pipeline_of_a_thousand_stages_runs_and_is_let_go_of)
{
    source.count = 10;
    cop_stream *stream = source_stream(&source);
    for (int i = 0; i < 1000; i++) {
        stream = cop_stream_filter(stream, every, NULL);
    }
    ck_assert_int_eq(record_await(&record, record_all(&record, stream)), 0);
    ck_assert_uint_eq(record.elements, 10);
}

/* ---------------------------------------------------------------- without memory */

static int
run_pipeline(void *arg)
{
    cop_subscription *subscription = NULL;
    record = (struct record){0};
    source = (struct source){.count = 5};
    const cop_subscriber is = record_subscriber(&record, false);
    int r = cop_stream_subscribe_with(&subscription, five_stages(), &is);
    (void)arg;
    if (r == 0) {
        r = record_await(&record, subscription);
    }
    ck_assert_uint_eq(record.env_dropped, 1);
    ck_assert_uint_eq(source.env_dropped, 1);
    ck_assert_uint_eq(made, unmade);
    return r;
}

TEST(without_memory_a_pipeline_fails_and_leaves_nothing_behind)
{
    int r;
    cop_self();
    ck_assert_int_eq(run_pipeline(NULL), 0); /* there is a worker: it is not what fails */
    ck_assert_uint_ge(test_out_of_memory(run_pipeline, NULL, &r), 5 + 3);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(record.elements, 5);
}

TEST(a_stream_for_which_there_was_no_memory_may_be_held_and_consumed_by_many)
{
    cop_stream *none = copi_stream_no_memory();
    cop_stream_release(cop_stream_retain(none));
    for (int i = 0; i < 3; i++) {
        struct record one = {0};
        ck_assert_int_eq(record_await(&one, record_all(&one, cop_stream_take(none, 2))), -ENOMEM);
        ck_assert_uint_eq(one.errors, 1);
    }
}

/* ---------------------------------------------------------------- elements */

TEST(bytes_that_are_lent_are_copied_where_they_are_kept)
{
    const struct copi_elements any = {COP_ANY, NULL};
    char text[] = "text";
    cop_bytes room = {text, sizeof text};
    ck_assert_int_eq(copi_element_keep(&any, &room), 0);
    ck_assert_ptr_ne(room.data, text);
    ck_assert_str_eq(room.data, "text");
    copi_element_let_go(&any, &room);
    copi_alloc_fail_after(0);
    room.data = text;
    ck_assert_int_eq(copi_element_keep(&any, &room), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_ptr_eq(room.data, text);
}

TEST(what_a_function_returns_is_a_code_or_a_mistake)
{
    cop_reason why = COP_REASON_NORMAL;
    ck_assert_int_eq(copi_returned(0, &why), 0);
    ck_assert_int_eq(why.kind, COP_NORMAL);
    ck_assert_int_ne(copi_returned(-EACCES, &why), 0);
    ck_assert_int_eq(why.code, -EACCES);
    ck_assert_int_ne(copi_returned(7, &why), 0);
    ck_assert_int_eq(why.code, -EINVAL);
    ck_assert_str_eq(why.text, "{bad_return_value,7}");
}

SUITE("stream")
