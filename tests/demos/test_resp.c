/*
 * tests/demos/test_resp.c - the protocol's parser and its replies.
 *
 * Room: tests/. Linked with demos/kv/resp.c.
 */
#include "demos/kv/resp.h"

#include <check.h>
#include <stdio.h>

/* What came out of a stream: every frame as "<argument><argument>" and a line end, then how it
 * ended. */
struct outcome {
    struct buffer text;
    enum resp_status last;
    char error[80];
};

static void
record(struct outcome *o, const struct resp_parser *p, const char *frame)
{
    for (size_t i = 0; i < p->count; i++) {
        buffer_append(&o->text, "<", 1);
        buffer_append(&o->text, frame + p->args[i].at, p->args[i].size);
        buffer_append(&o->text, ">", 1);
    }
    buffer_append(&o->text, "\n", 1);
}

/* Feed a stream in pieces: its first `cut` bytes, then `step` at a time. The bytes lie at another
 * address at each call, as they may in a growing buffer. */
static struct outcome
feed(const char *stream, size_t size, size_t cut, size_t step)
{
    struct outcome o = {0};
    struct resp_parser p = {0};
    char *all = malloc(size + 1);
    ck_assert_ptr_nonnull(all);
    memcpy(all, stream, size);

    size_t frame = 0, there = cut < size ? cut : size;
    for (;;) {
        o.last = resp_parse(&p, all + frame, there - frame);
        if (o.last == RESP_COMPLETE) {
            record(&o, &p, all + frame);
            frame += p.at;
            resp_next(&p);
        } else if (o.last == RESP_BAD || there == size) {
            break;
        } else {
            there = size - there < step ? size : there + step;
            char *moved = malloc(size + 1);
            ck_assert_ptr_nonnull(moved);
            memcpy(moved, all, size);
            free(all);
            all = moved;
        }
    }
    memcpy(o.error, p.error, sizeof o.error);
    resp_free(&p);
    free(all);
    buffer_append(&o.text, "", 1);
    return o;
}

static void
expect(const char *stream, size_t size, const char *frames, enum resp_status last,
       const char *error)
{
    for (size_t cut = 0; cut <= size; cut++) {
        struct outcome o = feed(stream, size, cut, size);
        ck_assert_str_eq(o.text.data, frames);
        ck_assert_int_eq(o.last, last);
        ck_assert_str_eq(o.error, error);
        buffer_free(&o.text);
    }
    struct outcome o = feed(stream, size, 0, 1);
    ck_assert_str_eq(o.text.data, frames);
    ck_assert_int_eq(o.last, last);
    ck_assert_str_eq(o.error, error);
    buffer_free(&o.text);
}

#define EXPECT_FRAMES(stream, frames) expect((stream), sizeof(stream) - 1, (frames), RESP_MORE, "")
#define EXPECT_ERROR(stream, frames, error) \
 expect((stream), sizeof(stream) - 1, (frames), RESP_BAD, "Protocol error: " error)

/* --- What is refused --- */

START_TEST(refuses_a_gigabyte_from_its_header)
{
    EXPECT_ERROR("*2\r\n$3\r\nGET\r\n$1073741824\r\n", "", "invalid bulk length");
    EXPECT_ERROR("*1\r\n$67108865\r\n", "", "invalid bulk length");
}
END_TEST

START_TEST(refuses_lengths_that_are_no_numbers)
{
    EXPECT_ERROR("*1\r\n$-1\r\n", "", "invalid bulk length");
    EXPECT_ERROR("*1\r\n$\r\n", "", "invalid bulk length");
    EXPECT_ERROR("*1\r\n$3x\r\n", "", "invalid bulk length");
    EXPECT_ERROR("*1\r\n$ 3\r\n", "", "invalid bulk length");
    EXPECT_ERROR("*1\r\n$3\n", "", "invalid bulk length");
    EXPECT_ERROR("*x\r\n", "", "invalid multibulk length");
    EXPECT_ERROR("*\r\n", "", "invalid multibulk length");
    EXPECT_ERROR("*--1\r\n", "", "invalid multibulk length");
    EXPECT_ERROR("*99999999999999999999\r\n", "", "invalid multibulk length");
}
END_TEST

START_TEST(refuses_a_header_that_does_not_end)
{
    EXPECT_ERROR("*11111111111111111111111111111111111111111", "", "invalid multibulk length");
    EXPECT_ERROR("*1\r\n$1111111111111111111111111111111111111", "", "invalid bulk length");
}
END_TEST

START_TEST(refuses_more_arguments_than_a_request_may_have)
{
    EXPECT_ERROR("*1048577\r\n", "", "invalid multibulk length");
    EXPECT_ERROR("*2147483648\r\n", "", "invalid multibulk length");
}
END_TEST

START_TEST(refuses_what_is_no_bulk_string)
{
    EXPECT_ERROR("*1\r\n:3\r\n", "", "expected '$', got ':'");
    EXPECT_ERROR("*1\r\n\001", "", "expected '$', got '?'");
}
END_TEST

START_TEST(refuses_a_bulk_string_that_is_longer_than_it_says)
{
    EXPECT_ERROR("*1\r\n$3\r\nabcd\r\n", "", "bulk string without CRLF behind it");
    EXPECT_ERROR("*1\r\n$0\r\nx\r\n", "", "bulk string without CRLF behind it");
}
END_TEST

START_TEST(refuses_quotes_that_do_not_close)
{
    EXPECT_ERROR("set a \"b\r\n", "", "unbalanced quotes in request");
    EXPECT_ERROR("set a 'b\r\n", "", "unbalanced quotes in request");
    EXPECT_ERROR("set \"a\"b c\r\n", "", "unbalanced quotes in request");
    EXPECT_ERROR("set \"a\\\r\n", "", "unbalanced quotes in request");
}
END_TEST

START_TEST(refuses_a_line_that_is_too_long)
{
    size_t size = RESP_MAX_LINE;
    char *line = malloc(size);
    ck_assert_ptr_nonnull(line);
    memset(line, 'a', size);
    struct outcome o = feed(line, size, 0, 1000);
    ck_assert_int_eq(o.last, RESP_BAD);
    ck_assert_str_eq(o.error, "Protocol error: too big inline request");
    buffer_free(&o.text);

    line[size - 1] = '\n'; /* one byte less is a line */
    o = feed(line, size, 0, 1000);
    ck_assert_int_eq(o.last, RESP_MORE);
    ck_assert_uint_eq(o.text.used, size - 1 + 3 + 1);
    buffer_free(&o.text);
    free(line);
}
END_TEST

START_TEST(refuses_a_request_that_is_too_big_as_a_whole)
{
    /* Two arguments of the largest size fill the frame; the second one's header is one too many. */
    char head[] = "*3\r\n$67108864\r\n", next[] = "\r\n$67108864\r\n";
    size_t head_size = sizeof head - 1, size = head_size + RESP_MAX_BULK + sizeof next - 1;
    char *frame = calloc(1, size);
    ck_assert_ptr_nonnull(frame);
    memcpy(frame, head, head_size);
    memcpy(frame + head_size + RESP_MAX_BULK, next, sizeof next - 1);
    struct resp_parser p = {0};
    ck_assert_int_eq(resp_parse(&p, frame, size - 1), RESP_MORE);
    ck_assert_int_eq(resp_parse(&p, frame, size), RESP_BAD);
    ck_assert_str_eq(p.error, "Protocol error: too big request");
    resp_free(&p);
    free(frame);
}
END_TEST

START_TEST(keeps_the_frames_before_a_bad_one)
{
    EXPECT_ERROR("*1\r\n$4\r\nPING\r\nping\r\n*1\r\n!", "<PING>\n<ping>\n",
                 "expected '$', got '!'");
}
END_TEST

/* --- What is understood --- */

START_TEST(waits_for_the_rest_of_a_frame)
{
    EXPECT_FRAMES("", "");
    EXPECT_FRAMES("*", "");
    EXPECT_FRAMES("*2\r\n$3\r\nGET\r\n$4\r\nmil", "");
    EXPECT_FRAMES("*1\r\n$4\r\nPING\r", "");
    EXPECT_FRAMES("PIN", "");
}
END_TEST

START_TEST(reads_an_array_of_bulk_strings)
{
    EXPECT_FRAMES("*2\r\n$3\r\nGET\r\n$4\r\nmilk\r\n", "<GET><milk>\n");
    EXPECT_FRAMES("*1\r\n$0\r\n\r\n", "<>\n");
}
END_TEST

START_TEST(reads_pipelined_frames_of_both_kinds)
{
    EXPECT_FRAMES("*1\r\n$4\r\nPING\r\nping\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nping\n",
                  "<PING>\n<ping>\n<ECHO><hi>\n<ping>\n");
}
END_TEST

START_TEST(takes_empty_requests_for_nothing)
{
    EXPECT_FRAMES("\r\n\n  \r\n*0\r\n*-1\r\nping\r\n", "\n\n\n\n\n<ping>\n");
}
END_TEST

START_TEST(leaves_the_bytes_of_a_bulk_string_alone)
{
    static const char stream[] = "*2\r\n$4\r\necho\r\n$6\r\n\r\n\0*\"\xff\r\n";
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        struct outcome o = feed(stream, sizeof stream - 1, cut, 1);
        ck_assert_int_eq(o.last, RESP_MORE);
        ck_assert_mem_eq(o.text.data, "<echo><\r\n\0*\"\xff>\n", 15);
        buffer_free(&o.text);
    }
}
END_TEST

START_TEST(unquotes_inline_words)
{
    EXPECT_FRAMES("  set  a \"b c\"\t'd\"e' \r\n", "<set><a><b c><d\"e>\n");
    EXPECT_FRAMES("echo \"\\x41\\n\\t\\\"\\q\\xzz\"\r\n", "<echo><A\n\t\"qxzz>\n");
    EXPECT_FRAMES("echo 'it\\'s' '\\n' \"\" ''\r\n", "<echo><it's><\\n><><>\n");
    EXPECT_FRAMES("echo a\"b c\"\r\n", "<echo><ab c>\n");
}
END_TEST

START_TEST(holds_any_number_of_arguments)
{
    struct buffer stream = {0};
    char head[32];
    int size = snprintf(head, sizeof head, "*%d\r\n", 100000);
    buffer_append(&stream, head, (size_t)size);
    for (int i = 0; i < 100000; i++) {
        buffer_append(&stream, "$1\r\nx\r\n", 7);
    }
    struct resp_parser p = {0};
    ck_assert_int_eq(resp_parse(&p, stream.data, stream.used), RESP_COMPLETE);
    ck_assert_uint_eq(p.count, 100000);
    ck_assert_uint_eq(p.at, stream.used);
    resp_next(&p); /* a large list of arguments is not kept */
    ck_assert_uint_eq(p.count, 0);
    ck_assert_int_eq(resp_parse(&p, stream.data, 0), RESP_MORE);
    resp_free(&p);
    buffer_free(&stream);
}
END_TEST

START_TEST(survives_any_bytes)
{
    static const char alphabet[] = "*$10\r\n\"'\\x a-2";
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char stream[64];
        for (size_t i = 0; i < sizeof stream; i++) {
            seed = seed * 1103515245u + 12345u;
            stream[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        struct outcome whole = feed(stream, sizeof stream, sizeof stream, 1);
        struct outcome pieces = feed(stream, sizeof stream, 0, 1 + (seed >> 20) % 7);
        ck_assert_str_eq(whole.text.data, pieces.text.data);
        ck_assert_int_eq(whole.last, pieces.last);
        ck_assert_str_eq(whole.error, pieces.error);
        buffer_free(&whole.text);
        buffer_free(&pieces.text);
    }
}
END_TEST

/* --- Replies --- */

static void
expect_reply(struct buffer *out, const char *text)
{
    ck_assert(!out->failed);
    buffer_append(out, "", 1);
    ck_assert_str_eq(out->data, text);
    buffer_free(out);
}

START_TEST(keeps_an_error_on_one_line)
{
    struct buffer out = {0};
    resp_error(&out, "ERR unknown command '%s'", "a\r\n+OK\r\n");
    expect_reply(&out, "-ERR unknown command 'a  +OK  '\r\n");
}
END_TEST

START_TEST(cuts_an_error_that_is_too_long)
{
    char name[2000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct buffer out = {0};
    resp_error(&out, "ERR %s", name);
    ck_assert_uint_lt(out.used, 600);
    ck_assert_mem_eq(out.data + out.used - 2, "\r\n", 2);
    buffer_free(&out);
}
END_TEST

START_TEST(writes_every_kind_of_reply)
{
    struct buffer out = {0};
    resp_simple(&out, "OK");
    resp_array(&out, 4);
    resp_string(&out, "");
    resp_bulk(&out, (cop_bytes){"a\r\n", 3});
    resp_nil(&out);
    resp_integer(&out, 0);
    resp_integer(&out, -12);
    resp_integer(&out, INT64_MIN);
    resp_integer(&out, INT64_MAX);
    expect_reply(&out, "+OK\r\n*4\r\n$0\r\n\r\n$3\r\na\r\n\r\n$-1\r\n:0\r\n:-12\r\n"
                       ":-9223372036854775808\r\n:9223372036854775807\r\n");
}
END_TEST

START_TEST(adds_nothing_after_memory_ran_out)
{
    struct buffer out = {0};
    resp_simple(&out, "OK");
    ck_assert(!buffer_reserve(&out, SIZE_MAX / 2));
    resp_simple(&out, "OK");
    ck_assert(out.failed);
    ck_assert_uint_eq(out.used, 5);
    buffer_clear(&out, 0);
    ck_assert(!out.failed);
    buffer_free(&out);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("resp");
    TCase *tests = tcase_create("resp");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, refuses_a_gigabyte_from_its_header);
    tcase_add_test(tests, refuses_lengths_that_are_no_numbers);
    tcase_add_test(tests, refuses_a_header_that_does_not_end);
    tcase_add_test(tests, refuses_more_arguments_than_a_request_may_have);
    tcase_add_test(tests, refuses_what_is_no_bulk_string);
    tcase_add_test(tests, refuses_a_bulk_string_that_is_longer_than_it_says);
    tcase_add_test(tests, refuses_quotes_that_do_not_close);
    tcase_add_test(tests, refuses_a_line_that_is_too_long);
    tcase_add_test(tests, refuses_a_request_that_is_too_big_as_a_whole);
    tcase_add_test(tests, keeps_the_frames_before_a_bad_one);
    tcase_add_test(tests, waits_for_the_rest_of_a_frame);
    tcase_add_test(tests, reads_an_array_of_bulk_strings);
    tcase_add_test(tests, reads_pipelined_frames_of_both_kinds);
    tcase_add_test(tests, takes_empty_requests_for_nothing);
    tcase_add_test(tests, leaves_the_bytes_of_a_bulk_string_alone);
    tcase_add_test(tests, unquotes_inline_words);
    tcase_add_test(tests, holds_any_number_of_arguments);
    tcase_add_test(tests, survives_any_bytes);
    tcase_add_test(tests, keeps_an_error_on_one_line);
    tcase_add_test(tests, cuts_an_error_that_is_too_long);
    tcase_add_test(tests, writes_every_kind_of_reply);
    tcase_add_test(tests, adds_nothing_after_memory_ran_out);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
