/*
 * tests/supervisor/observe/test_web_json.c - writing JSON.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_json.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

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

static bool has_no_memory;

int real_close(FILE *file) REAL(fclose);
int close_if_there_is_memory(FILE *file) WRAP(fclose);
int
close_if_there_is_memory(FILE *file)
{
    int r = real_close(file);
    return has_no_memory ? EOF : r;
}

TEST(without_memory_there_is_nothing_to_be_taken)
{
    struct copi_json json;
    char *out = NULL;
    size_t size = 7;
    ck_assert_int_eq(copi_json_begin(&json), 0);
    copi_json_string(&json, NULL, "text");
    has_no_memory = true;
    int r = copi_json_take(&json, &out, &size);
    has_no_memory = false;
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_ptr_null(out);
    ck_assert_uint_eq(size, 7);
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
