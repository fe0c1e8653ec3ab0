/*
 * tests/supervisor/observe/test_escape.c - what anybody may have named, inside a text that others parse.
 *
 * Room: tests/.
 */
#include "supervisor/observe/escape.h"
#include "tests/support/support.h"

#define INSTEAD "\xEF\xBF\xBD"

static void
becomes(const char *given, enum copi_escape how, const char *expected)
{
    struct copi_text text = {0};
    char *out;
    size_t size;
    copi_text_escaped(&text, given, how);
    ck_assert_int_eq(copi_text_take(&text, &out, &size), 0);
    ck_assert_str_eq(out, expected);
    free(out);
}

TEST(quotes_backslashes_and_line_ends_do_not_end_a_label)
{
    becomes("a\"b\\c\nd", COPI_ESCAPE_LABEL, "a\\\"b\\\\c\\nd");
}

TEST(a_help_keeps_its_quotes)
{
    becomes("a\"b\\c\nd", COPI_ESCAPE_HELP, "a\"b\\\\c\\nd");
}

TEST(characters_of_every_length_stay)
{
    becomes("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\xB3", COPI_ESCAPE_LABEL,
            "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\xB3");
}

TEST(what_is_no_utf_8_is_replaced_byte_by_byte)
{
    becomes("\xFF", COPI_ESCAPE_LABEL, INSTEAD);
    becomes("a\x80z", COPI_ESCAPE_LABEL, "a" INSTEAD "z");
    becomes("\xC3", COPI_ESCAPE_LABEL, INSTEAD);                         /* cut */
    becomes("\xE2\x82", COPI_ESCAPE_LABEL, INSTEAD INSTEAD);             /* cut */
    becomes("\xC0\xAF", COPI_ESCAPE_LABEL, INSTEAD INSTEAD);             /* overlong */
    becomes("\xE0\x80\xAF", COPI_ESCAPE_LABEL, INSTEAD INSTEAD INSTEAD); /* overlong */
    becomes("\xED\xA0\x80", COPI_ESCAPE_LABEL, INSTEAD INSTEAD INSTEAD); /* half of a pair */
    becomes("\xF4\x90\x80\x80", COPI_ESCAPE_LABEL, INSTEAD INSTEAD INSTEAD INSTEAD);
}

SUITE("escape")
