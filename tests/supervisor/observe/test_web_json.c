/*
 * tests/supervisor/observe/test_web_json.c - writing JSON.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_json.h"
#include "tests/support/support.h"

static void
is_written_as(const char *string, const char *expected)
{
    struct copi_json json;
    char *out;
    size_t size;
    ck_assert_int_eq(copi_json_begin(&json), 0);
    copi_json_string(&json, NULL, string);
    ck_assert_int_eq(copi_json_take(&json, &out, &size), 0);
    ck_assert_msg(size == strlen(expected) && memcmp(out, expected, size) == 0, "%.*s is not %s",
                  (int)size, out, expected);
    free(out);
}

TEST(markup_and_quotes_are_escaped)
{
    is_written_as("<b>&\"\\", "\"\\u003cb\\u003e\\u0026\\u0022\\u005c\"");
    is_written_as("\n\t\x01\x7F", "\"\\u000a\\u0009\\u0001\\u007f\"");
}

TEST(what_is_no_utf_8_is_replaced_byte_by_byte)
{
    is_written_as("a\xFFz", "\"a\\ufffdz\"");
    is_written_as("\xC3", "\"\\ufffd\"");
    is_written_as("\xE2\x82", "\"\\ufffd\\ufffd\"");
    is_written_as("\xC0\xAF", "\"\\ufffd\\ufffd\"");
    is_written_as("\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    is_written_as("\xF4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

TEST(characters_of_every_length_stay)
{
    is_written_as("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\xB3",
                  "\"a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\xB3\"");
    is_written_as("", "\"\"");
    is_written_as(NULL, "null");
}

TEST(members_are_parted_by_commas_at_every_depth)
{
    struct copi_json json;
    char *out;
    size_t size;
    ck_assert_int_eq(copi_json_begin(&json), 0);
    copi_json_open(&json, NULL, '{');
    copi_json_number(&json, "a", -1);
    copi_json_open(&json, "b", '[');
    copi_json_number(&json, NULL, INT64_MIN);
    copi_json_open(&json, NULL, '{');
    copi_json_close(&json, '}');
    copi_json_boolean(&json, NULL, true);
    copi_json_close(&json, ']');
    copi_json_string(&json, "c", "d");
    copi_json_close(&json, '}');
    ck_assert_int_eq(copi_json_take(&json, &out, &size), 0);
    static const char expected[] = "{\"a\":-1,\"b\":[-9223372036854775808,{},true],\"c\":\"d\"}";
    ck_assert_uint_eq(size, sizeof expected - 1);
    ck_assert_int_eq(memcmp(out, expected, size), 0);
    free(out);
}

SUITE("web_json")
