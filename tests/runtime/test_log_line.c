/*
 * tests/runtime/test_log_line.c - a line that fills, and in which nothing can be mistaken for another.
 *
 * Room: tests/. In whole entries: test_log_text.c.
 */
#include "runtime/log_line.h"
#include "runtime/utf8.h"
#include "tests/support/support.h"

static char room[256];
static struct copi_line line;

static void
begin(size_t size)
{
    memset(room, 0, sizeof room);
    line = (struct copi_line){.at = room, .end = room + size};
}

/* What becomes of a text, in a style. */
static const char *
shown(enum copi_line_style style, const char *text, size_t size)
{
    begin(sizeof room - 1);
    copi_line_put_text(&line, style, (cop_bytes){text, size}, sizeof room);
    ck_assert(!line.is_full);
    return room;
}

/* ---------------------------------------------------------------- filling */

TEST(what_does_not_fit_is_left_out_as_a_whole_and_so_is_what_follows)
{
    begin(5);
    copi_line_put(&line, "abc");
    copi_line_put(&line, "def");
    copi_line_put(&line, "g");
    ck_assert(line.is_full);
    ck_assert_str_eq(room, "abc");
}

TEST(a_line_may_be_filled_to_its_end)
{
    begin(3);
    copi_line_put(&line, "abc");
    ck_assert(!line.is_full);
    copi_line_put(&line, "d");
    ck_assert(line.is_full);
    ck_assert_str_eq(room, "abc");
}

TEST(a_text_is_cut_at_its_room_and_says_how_much_is_missing)
{
    begin(sizeof room - 1);
    copi_line_put_text(&line, COPI_LINE_PLAIN, COP_TEXT("abcdefgh"), 3);
    ck_assert_str_eq(room, "abc...(+5 bytes)");
}

TEST(a_cut_is_not_inside_a_character_nor_an_escape)
{
    begin(sizeof room - 1);
    copi_line_put_text(&line, COPI_LINE_PLAIN,
                       COP_TEXT("ab\xe2\x82\xac"
                                "c"),
                       3);
    ck_assert_str_eq(room, "ab\xe2\x82\xac...(+1 bytes)");
    begin(sizeof room - 1);
    copi_line_put_text(&line, COPI_LINE_JSON,
                       COP_TEXT("a\x01"
                                "c"),
                       3);
    ck_assert_str_eq(room, "a\\u0001...(+1 bytes)");
}

TEST(of_a_text_that_does_not_fit_into_the_line_the_rest_is_no_part)
{
    begin(4);
    copi_line_put_text(&line, COPI_LINE_PLAIN, COP_TEXT("ab\ncdef"), sizeof room);
    ck_assert(line.is_full);
    ck_assert_str_eq(room, "ab\\n");
}

/* ---------------------------------------------------------------- characters */

TEST(each_style_escapes_what_would_break_it)
{
    static const char text[] = "\"\\ a=b\n\t\r\x1b\x7f";
    ck_assert_str_eq(shown(COPI_LINE_PLAIN, text, sizeof text - 1), "\"\\ a=b\\n\\t\\r\\x1b\\x7f");
    ck_assert_str_eq(shown(COPI_LINE_QUOTED, text, sizeof text - 1),
                     "\\\"\\\\ a=b\\n\\t\\r\\x1b\\x7f");
    ck_assert_str_eq(shown(COPI_LINE_JSON, text, sizeof text - 1),
                     "\\\"\\\\ a=b\\n\\t\\r\\u001b\\u007f");
}

TEST(a_zero_is_a_character_like_any_other)
{
    ck_assert_str_eq(shown(COPI_LINE_PLAIN, "a\0b", 3), "a\\x00b");
    ck_assert_str_eq(shown(COPI_LINE_JSON, "a\0b", 3), "a\\u0000b");
}

TEST(commands_of_terminals_in_two_bytes_are_escaped)
{
    ck_assert_str_eq(shown(COPI_LINE_PLAIN, "\xc2\x9b", 2), "\\xc2\\x9b");
    ck_assert_str_eq(shown(COPI_LINE_JSON, "\xc2\x9b", 2), "\\u009b");
}

TEST(a_string_is_quoted_as_the_line_is)
{
    begin(sizeof room - 1);
    copi_line_put_string(&line, COP_TEXT("a\"\x01"), sizeof room);
    line.is_json = true;
    copi_line_put_string(&line, COP_TEXT("a\"\x01"), sizeof room);
    ck_assert_str_eq(room, "\"a\\\"\\x01\"\"a\\\"\\u0001\"");
}

/* The first and the last character of each size, and what is beside them. */
TEST(a_character_is_known_by_the_rules_of_UTF8)
{
    static const struct {
        const char *text;
        size_t size; /* 0: it is none */
    } cases[] = {
        {"\x7f", 1},
        {"\x80", 0},
        {"\xc1\xbf", 0},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\x9f\xbf", 0},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc2", 0},
        {"\xe2\x82", 0},
        {"\xf0\x9f\x98", 0},
        {"\xc2"
         "a",
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned char *text = (const unsigned char *)cases[i].text;
        ck_assert_uint_eq(copi_utf8_size(text, SIZE_MAX), cases[i].size);
        ck_assert_uint_eq(copi_utf8_size(text, strlen(cases[i].text)), cases[i].size);
        if (cases[i].size > 1) {
            ck_assert_uint_eq(copi_utf8_size(text, cases[i].size - 1), 0);
        }
    }
}

SUITE("log_line")
