/*
 * tests/actors/test_framing.c - where a message ends in a stream of bytes.
 *
 * Room: tests/.
 */
#include "actors/framing.h"
#include "tests/support/support.h"

static struct copi_framing
framing(cop_framing kind, size_t max)
{
    struct copi_framing made;
    ck_assert_int_eq(copi_framing_set(&made, kind, max), 0);
    return made;
}

/* The size of the first frame with its header, or why there is none. */
static int
first(cop_framing kind, size_t max, const char *bytes, size_t size, bool at_end)
{
    struct copi_framing how = framing(kind, max);
    struct copi_frame frame;
    int r = copi_framing_next(&how, (cop_bytes){bytes, size}, at_end, &frame);
    return r ? r : (int)(frame.header + frame.size);
}

#define FIRST(kind, max, bytes) first((kind), (max), (bytes), sizeof(bytes) - 1, false)
#define LAST(kind, max, bytes)  first((kind), (max), (bytes), sizeof(bytes) - 1, true)

TEST(what_a_framing_cannot_say_is_refused)
{
    struct copi_framing untouched = {.max = 17};
    ck_assert_int_eq(copi_framing_set(&untouched, (cop_framing)-1, 0), -EINVAL);
    ck_assert_int_eq(copi_framing_set(&untouched, (cop_framing)5, 0), -EINVAL);
    ck_assert_int_eq(copi_framing_set(&untouched, COP_FRAME_SIZE_1, 256), -EINVAL);
    ck_assert_int_eq(copi_framing_set(&untouched, COP_FRAME_SIZE_2, 65536), -EINVAL);
    ck_assert_int_eq(copi_framing_set(&untouched, COP_FRAME_SIZE_4, UINT64_C(1) << 32), -EINVAL);
    ck_assert_int_eq(copi_framing_set(&untouched, COP_FRAME_LINE, SIZE_MAX), -EINVAL);
    ck_assert_uint_eq(untouched.max, 17);
}

TEST(by_default_a_frame_has_64_KiB_or_what_its_header_can_say)
{
    ck_assert_uint_eq(framing(COP_FRAME_RAW, 0).max, 65536);
    ck_assert_uint_eq(framing(COP_FRAME_LINE, 0).max, 65536);
    ck_assert_uint_eq(framing(COP_FRAME_SIZE_1, 0).max, 255);
    ck_assert_uint_eq(framing(COP_FRAME_SIZE_2, 0).max, 65535);
    ck_assert_uint_eq(framing(COP_FRAME_SIZE_4, 0).max, 65536);
}

TEST(raw_bytes_are_as_many_as_there_are_up_to_the_limit)
{
    ck_assert_int_eq(FIRST(COP_FRAME_RAW, 4, ""), -EAGAIN);
    ck_assert_int_eq(LAST(COP_FRAME_RAW, 4, ""), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_RAW, 4, "ab"), 2);
    ck_assert_int_eq(FIRST(COP_FRAME_RAW, 4, "abcdef"), 4);
}

TEST(a_line_ends_with_its_newline)
{
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 8, ""), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 8, "ab"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 8, "\n"), 1);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 8, "ab\ncd\n"), 3);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 8, "a\0b\n"), 4);
}

TEST(the_last_line_may_be_without_a_newline)
{
    ck_assert_int_eq(LAST(COP_FRAME_LINE, 8, ""), -EAGAIN);
    ck_assert_int_eq(LAST(COP_FRAME_LINE, 8, "ab"), 2);
    ck_assert_int_eq(LAST(COP_FRAME_LINE, 8, "ab\ncd"), 3);
    ck_assert_int_eq(LAST(COP_FRAME_LINE, 2, "ab"), 2);
}

TEST(a_line_that_is_longer_than_its_limit_is_too_long)
{
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 4, "abc\n"), 4);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 4, "abc"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 4, "abcd"), -EMSGSIZE);
    ck_assert_int_eq(FIRST(COP_FRAME_LINE, 4, "abcd\n"), -EMSGSIZE);
    ck_assert_int_eq(LAST(COP_FRAME_LINE, 4, "abcde"), -EMSGSIZE);
}

TEST(a_sized_frame_comes_after_its_size)
{
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 0, ""), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 0, "\2"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 0, "\2a"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 0, "\2abc"), 3);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 0, "\0abc"), 1);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_2, 0, "\0"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_2, 0, "\0\2ab"), 4);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_2, 0, "\1\2ab"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_4, 0, "\0\0\0\1a"), 5);
}

TEST(a_frame_that_is_too_long_is_known_by_its_size)
{
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 4, "\5"), -EMSGSIZE);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_1, 4, "\377"), -EMSGSIZE);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_2, 0, "\377\377"), -EAGAIN);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_4, 0, "\377\377\377\377"), -EMSGSIZE);
    ck_assert_int_eq(FIRST(COP_FRAME_SIZE_4, UINT32_MAX, "\377\377\377\377"), -EAGAIN);
}

TEST(an_end_inside_a_frame_is_a_broken_one)
{
    ck_assert_int_eq(LAST(COP_FRAME_SIZE_2, 0, ""), -EAGAIN);
    ck_assert_int_eq(LAST(COP_FRAME_SIZE_2, 0, "\0"), -EBADMSG);
    ck_assert_int_eq(LAST(COP_FRAME_SIZE_2, 0, "\0\2"), -EBADMSG);
    ck_assert_int_eq(LAST(COP_FRAME_SIZE_2, 0, "\0\2a"), -EBADMSG);
    ck_assert_int_eq(LAST(COP_FRAME_SIZE_2, 0, "\0\2ab"), 4);
}

TEST(a_header_says_the_size_and_no_more_than_it_can)
{
    static const struct {
        cop_framing kind;
        size_t size;
        int length;
        unsigned char bytes[COPI_FRAME_HEADER];
    } cases[] = {
        {COP_FRAME_RAW, 1u << 20, 0, {0}},
        {COP_FRAME_LINE, 7, 0, {0}},
        {COP_FRAME_SIZE_1, 255, 1, {255}},
        {COP_FRAME_SIZE_1, 256, -EMSGSIZE, {0}},
        {COP_FRAME_SIZE_2, 258, 2, {1, 2}},
        {COP_FRAME_SIZE_2, 65536, -EMSGSIZE, {0}},
        {COP_FRAME_SIZE_4, 0x01020304, 4, {1, 2, 3, 4}},
        {COP_FRAME_SIZE_4, (size_t)1 << 32, -EMSGSIZE, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char header[COPI_FRAME_HEADER] = {0};
        struct copi_framing how = framing(cases[i].kind, 0);
        ck_assert_int_eq(copi_framing_header(&how, cases[i].size, header), cases[i].length);
        ck_assert_mem_eq(header, cases[i].bytes, COPI_FRAME_HEADER);
    }
}

SUITE("framing")
