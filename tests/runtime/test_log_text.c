/*
 * tests/runtime/test_log_text.c - how an entry of the log reads: as a line, or as JSON.
 *
 * Room: tests/.
 */
#include "runtime/log_text.h"
#include "tests/support/support.h"

#include <locale.h>
#include <math.h>

#define FIELDS(...) ((const cop_field[]){__VA_ARGS__, cop_field_end_()})
#define ENTRY(...)  (&(const cop_log_entry){.message = __VA_ARGS__})

static const struct copi_log_shape as_text = {0}, as_json = {.is_json = true};
static char line[COP_LOG_LINE + 1];

/* By "a", at the level info, where nothing else is said. */
static const char *
shaped(const cop_log_entry *entry, struct copi_log_shape shape)
{
    cop_log_entry whole = *entry;
    whole.level = entry->level ? entry->level : COP_LOG_INFO;
    whole.actor = entry->actor ? entry->actor : "a";
    size_t length = copi_log_text(&whole, shape, line);
    ck_assert_uint_eq(length, strlen(line));
    ck_assert_uint_le(length, COP_LOG_LINE);
    return line;
}

static const char *
text(const cop_log_entry *entry)
{
    return shaped(entry, as_text);
}

/* Behind the time, which all have. */
static const char *
json(const cop_log_entry *entry)
{
    static const char head[] =
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"actor\":\"a\",";
    shaped(entry, as_json);
    ck_assert_int_eq(strncmp(line, head, sizeof head - 1), 0);
    return line + sizeof head - 1;
}

/* The value of a field alone. */
static const char *
value(cop_field field)
{
    static char shown[COP_LOG_LINE];
    text(ENTRY("m", .fields = FIELDS(field)));
    (void)snprintf(shown, sizeof shown, "%s", strchr(line, '=') + 1);
    shown[strlen(shown) - 1] = '\0';
    return shown;
}

static const char *
json_value(cop_field field)
{
    static char shown[COP_LOG_LINE];
    (void)snprintf(shown, sizeof shown, "%s", json(ENTRY("m", .fields = FIELDS(field))));
    shown[strlen(shown) - 2] = '\0';
    return strchr(shown, ',') + strlen(",\"k\":");
}

/* ---------------------------------------------------------------- what is hostile */

TEST(an_entry_without_anything_is_a_line_all_the_same)
{
    const cop_log_entry nothing = {.level = COP_LOG_INFO};
    copi_log_text(&nothing, as_text, line);
    ck_assert_str_eq(line, "test_log_text: info: (null)\n");
}

TEST(line_ends_and_control_characters_do_not_leave_as_such)
{
    ck_assert_str_eq(text(ENTRY("a\nb\tc\rd\x1b[2Je\x7f")),
                     "a: info: a\\nb\\tc\\rd\\x1b[2Je\\x7f\n");
    ck_assert_str_eq(json(ENTRY("a\nb\tc\rd\x1b[2Je\x7f")),
                     "\"message\":\"a\\nb\\tc\\rd\\u001b[2Je\\u007f\"}\n");
}

TEST(commands_of_terminals_in_two_bytes_do_not_either)
{
    ck_assert_str_eq(text(ENTRY("a\xc2\x9b"
                                "2J")),
                     "a: info: a\\xc2\\x9b2J\n");
    ck_assert_str_eq(json(ENTRY("a\xc2\x9b"
                                "2J")),
                     "\"message\":\"a\\u009b2J\"}\n");
}

TEST(a_name_with_a_line_end_is_no_second_line)
{
    ck_assert_str_eq(text(ENTRY("m", .actor = "x\ny: error: z")), "x\\ny: error: z: info: m\n");
}

TEST(a_zero_in_bytes_is_shown)
{
    const cop_bytes bytes = {"a\0b", 3};
    ck_assert_str_eq(value(COP_KV("k", bytes)), "\"a\\x00b\"");
    ck_assert_str_eq(json_value(COP_KV("k", bytes)), "\"a\\u0000b\"");
}

static const char *const no_utf8[] = {
    "\x80",         "\xc3",         "\xc3\xc3",         "\xe2\x82\xff",     "\xc0\xaf",
    "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
};

static void
append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, size - used, "%s", more);
}

TEST_TIMES(sizeof no_utf8 / sizeof *no_utf8, what_is_no_utf8_is_replaced_or_shown_in_hex)
{
    char expected[64] = "\"", replaced[64] = "\"";
    for (const char *at = no_utf8[_i]; *at; at++) {
        (void)snprintf(expected + strlen(expected), 5, "\\x%02x", (unsigned char)*at);
        append(replaced, sizeof replaced, "\\ufffd");
    }
    append(expected, sizeof expected, "\"");
    append(replaced, sizeof replaced, "\"");
    ck_assert_str_eq(value(COP_KV("k", no_utf8[_i])), expected);
    ck_assert_str_eq(json_value(COP_KV("k", no_utf8[_i])), replaced);
}

TEST(utf8_is_left_as_it_is)
{
    ck_assert_str_eq(text(ENTRY("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xb3")),
                     "a: info: gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\xb3\n");
    ck_assert_str_eq(json_value(COP_KV("k", "\xf0\x9f\x8c\xb3")), "\"\xf0\x9f\x8c\xb3\"");
}

TEST(keys_are_words)
{
    ck_assert_ptr_nonnull(
        strstr(text(ENTRY("m", .fields = FIELDS(COP_KV("a b=\"\n\xc3", 1)))), " a_b____=1\n"));
    ck_assert_ptr_nonnull(strstr(text(ENTRY("m", .fields = FIELDS(COP_KV("", 1)))), " _=1\n"));
    ck_assert_ptr_nonnull(strstr(text(ENTRY("m", .fields = FIELDS(COP_KV(NULL, 1)))), " _=1\n"));
}

TEST(a_key_of_a_hundred_letters_is_cut)
{
    char key[101] = "";
    memset(key, 'k', 100);
    text(ENTRY("m", .fields = FIELDS(COP_KV(key, 1))));
    ck_assert_uint_eq(test_count(line, "k"), 64);
}

TEST(keys_that_every_object_has_get_a_mark)
{
    ck_assert_str_eq(json(ENTRY("m", .fields = FIELDS(COP_KV("pid", 1), COP_KV("message", 2),
                                                      COP_KV("pids", 3)))),
                     "\"message\":\"m\",\"pid_\":1,\"message_\":2,\"pids\":3}\n");
}

/* ---------------------------------------------------------------- what is too long */

static char *
many(char c, size_t count)
{
    static char bytes[100000];
    memset(bytes, c, count);
    bytes[count] = '\0';
    return bytes;
}

TEST(a_long_value_is_cut_and_says_how_much_is_missing)
{
    const char *shown = value(COP_KV("k", many('v', 10000)));
    ck_assert_uint_eq(test_count(shown, "v"), 512);
    ck_assert_ptr_nonnull(strstr(shown, "...(+9488 bytes)"));
}

TEST(a_cut_is_not_inside_a_character)
{
    char euros[3 * 1000 + 1] = "";
    for (size_t i = 0; i < 1000; i++) {
        append(euros, sizeof euros, "\xe2\x82\xac");
    }
    const char *shown = value(COP_KV("k", euros));
    ck_assert_uint_eq(test_count(shown, "\xe2\x82\xac") * 3, test_count(shown, "\xe2") * 3);
    ck_assert_uint_eq(test_count(shown, "\\x"), 0);
    ck_assert_ptr_nonnull(strstr(shown, "...(+"));
}

TEST(a_long_message_leaves_room_for_fields)
{
    text(ENTRY(many('m', 50000), .fields = FIELDS(COP_KV("k", 7))));
    ck_assert_ptr_nonnull(strstr(line, " bytes) k=7\n"));
    ck_assert_uint_le(strlen(line), COP_LOG_LINE);
}

/* Each length of a value, so that the line's end falls on every one of its parts. */
TEST(fields_that_do_not_fit_are_left_out_and_counted)
{
    for (size_t length = 0; length < 512; length++) {
        cop_field all[20];
        for (size_t i = 0; i < 19; i++) {
            all[i] = COP_KV("key", (const char *)many('v', length));
        }
        all[19] = cop_field_end_();
        for (int is_json = 0; is_json <= 1; is_json++) {
            size_t size = strlen(shaped(ENTRY("m", .fields = all), is_json ? as_json : as_text));
            ck_assert_uint_le(size, COP_LOG_LINE);
            ck_assert_int_eq(line[size - 1], '\n');
            unsigned there = test_count(line, "key"), left_out = 0;
            const char *count = strstr(line, "fields_left_out");
            ck_assert(count || there == 19);
            ck_assert(!count
                      || sscanf(count, is_json ? "fields_left_out\":%u}" : "fields_left_out=%u",
                                &left_out)
                             == 1);
            ck_assert_uint_eq(there + left_out, 19);
        }
    }
}

TEST(a_line_of_nothing_but_escapes_fits)
{
    const cop_log_entry entry = {
        .level = COP_LOG_EMERGENCY,
        .actor = many('\x01', 5000),
        .message = many('\x01', 5000),
        .reason = many('\x01', 5000),
        .fields = FIELDS(COP_KV("k", (const char *)many('\x01', 5000))),
    };
    size_t size = copi_log_text(&entry, as_json, line);
    ck_assert_uint_le(size, COP_LOG_LINE);
    ck_assert_str_eq(line + size - 2, "}\n");
    ck_assert_ptr_nonnull(strstr(line, "\"reason\":\""));
}

TEST(a_line_goes_into_what_there_is_for_it)
{
    char small[8] = "1234567";
    ck_assert_uint_eq(cop_log_line(ENTRY("m"), false, small, sizeof small), 7);
    ck_assert_str_eq(small, "1970-01");
    ck_assert_uint_eq(cop_log_line(ENTRY("m"), false, small, 0), 0);
    ck_assert_str_eq(small, "1970-01");
}

COP_PRINTF(3, 4)
static void
print(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    copi_log_print(out, size, format, arguments);
    va_end(arguments);
}

TEST(a_formatted_text_that_is_too_long_says_how_much_is_missing)
{
    char out[64];
    for (int length = 0; length < 200; length++) {
        print(out, sizeof out, "%.*s", length, many('m', 200));
        unsigned missing = 0, there = test_count(out, "m");
        const char *cut = strstr(out, "...(+");
        ck_assert_int_eq(cut != NULL, length >= 64);
        if (cut) {
            missing = test_number_after(cut, "...(+");
            ck_assert_ptr_nonnull(strstr(cut, " bytes)"));
        }
        ck_assert_uint_eq(there + missing, (unsigned)length);
    }
}

TEST(a_text_that_cannot_be_formatted_is_empty)
{
    char out[64] = "before";
    const wchar_t no_character[] = {0x110000, 0};
    print(out, sizeof out, "as far as %ls", no_character);
    ck_assert_str_eq(out, "");
}

TEST(a_formatted_text_is_not_cut_inside_a_character)
{
    char out[64];
    for (int before = 0; before < 4; before++) {
        print(
            out, sizeof out, "%.*s%s", before, "xyz",
            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
        ck_assert_uint_eq(test_count(out, "\xe2"), test_count(out, "\xe2\x82\xac"));
        ck_assert_ptr_nonnull(strstr(out, "...(+"));
    }
}

/* ---------------------------------------------------------------- lines */

TEST(a_line_has_who_speaks_how_bad_it_is_what_and_with_what)
{
    const cop_pid pid = {(UINT64_C(1) << 20) + 7};
    ck_assert_str_eq(text(ENTRY("disk is full", .level = COP_LOG_WARNING, .actor = "store",
                                .pid = pid,
                                .fields = FIELDS(COP_KV("path", "/var"), COP_KV("free", 10)))),
                     "store<7.1>: warning: disk is full path=/var free=10\n");
    ck_assert_str_eq(
        json(ENTRY("disk is full", .pid = pid, .reason = "enospc",
                   .fields = FIELDS(COP_KV("path", "/var"), COP_KV("free", 10)))),
        "\"pid\":\"<7.1>\",\"message\":\"disk is full\",\"reason\":\"enospc\",\"path\":\"/var\",\"free\":10}\n");
}

TEST(an_actor_without_a_name_has_its_number)
{
    const cop_pid pid = {(UINT64_C(1) << 20) + 7};
    ck_assert_str_eq(text(ENTRY("m", .actor = "", .pid = pid)), "<7.1>: info: m\n");
}

TEST(the_librarys_lines_have_its_name_and_the_pid_where_the_message_has_not)
{
    const cop_pid pid = {(UINT64_C(1) << 20) + 7};
    ck_assert_str_eq(
        text(ENTRY("process x crashed", .is_library = true, .pid = pid, .reason = "boom")),
        "coppice: info: process x crashed: boom pid=<7.1>\n");
    ck_assert_str_eq(
        text(ENTRY("process <7.1> crashed", .is_library = true, .pid = pid, .reason = "boom")),
        "coppice: info: process <7.1> crashed: boom\n");
}

TEST(the_journal_gets_syslogs_number)
{
    const struct copi_log_shape journal = {.has_priority = true};
    shaped(ENTRY("m", .level = COP_LOG_EMERGENCY), journal);
    ck_assert_str_eq(line, "<0>a: emergency: m\n");
    shaped(ENTRY("m", .level = COP_LOG_DEBUG), journal);
    ck_assert_str_eq(line, "<7>a: debug: m\n");
}

TEST(every_level_has_its_word)
{
    static const char *const words[] = {"emergency", "alert",  "critical", "error",
                                        "warning",   "notice", "info",     "debug"};
    for (size_t i = 0; i < 8; i++) {
        ck_assert_str_eq(copi_log_level_in_words((cop_log_level)(i + 1)), words[i]);
    }
    ck_assert_str_eq(copi_log_level_in_words((cop_log_level)9), "");
}

static const struct {
    cop_time time;
    const char *words;
} times[] = {
    {0, "1970-01-01T00:00:00.000Z "},
    {-1, "1969-12-31T23:59:59.999Z "},
    {951782400 * COP_SEC(1), "2000-02-29T00:00:00.000Z "},
    {1078012799 * COP_SEC(1), "2004-02-28T23:59:59.000Z "},
    {4107542400 * COP_SEC(1), "2100-03-01T00:00:00.000Z "},
    {1795291501 * COP_SEC(1) + COP_MS(123), "2026-11-21T20:05:01.123Z "},
    {INT64_MAX, "2262-04-11T23:47:16.854Z "},
    {INT64_MIN, "1677-09-21T00:12:43.145Z "},
};

TEST_TIMES(sizeof times / sizeof *times, the_time_is_that_of_the_calendar)
{
    const struct copi_log_shape timed = {.has_time = true};
    shaped(ENTRY("m", .time = times[_i].time), timed);
    ck_assert_int_eq(strncmp(line, times[_i].words, strlen(times[_i].words)), 0);
}

/* ---------------------------------------------------------------- values */

TEST(values_are_quoted_where_they_need_to_be)
{
    ck_assert_str_eq(value(COP_KV("k", "plain/value-1.2,x")), "plain/value-1.2,x");
    ck_assert_str_eq(value(COP_KV("k", "two words")), "\"two words\"");
    ck_assert_str_eq(value(COP_KV("k", "a=b")), "\"a=b\"");
    ck_assert_str_eq(value(COP_KV("k", "")), "\"\"");
    ck_assert_str_eq(value(COP_KV("k", "say \"hi\" \\")), "\"say \\\"hi\\\" \\\\\"");
    ck_assert_str_eq(value(COP_KV("k", "a\nb")), "\"a\\nb\"");
    ck_assert_str_eq(json_value(COP_KV("k", "say \"hi\" \\")), "\"say \\\"hi\\\" \\\\\"");
}

TEST(no_text_is_shown_as_none)
{
    ck_assert_str_eq(value(COP_KV("k", (const char *)NULL)), "(null)");
}

TEST(whole_numbers_of_every_type_are_shown)
{
    ck_assert_str_eq(value(COP_KV("k", INT64_MIN)), "-9223372036854775808");
    ck_assert_str_eq(value(COP_KV("k", UINT64_MAX)), "18446744073709551615");
    ck_assert_str_eq(value(COP_KV("k", (size_t)7)), "7");
    ck_assert_str_eq(value(COP_KV("k", (short)-7)), "-7");
    ck_assert_str_eq(value(COP_KV("k", (unsigned char)7)), "7");
    ck_assert_str_eq(value(COP_KV("k", 7LL)), "7");
    ck_assert_str_eq(value(COP_KV("k", (bool)true)), "true");
    ck_assert_str_eq(json_value(COP_KV("k", (bool)false)), "false");
}

TEST(reals_are_as_short_as_they_can_be)
{
    ck_assert_str_eq(value(COP_KV("k", 1.5)), "1.5");
    ck_assert_str_eq(value(COP_KV("k", 0.1)), "0.1");
    ck_assert_str_eq(value(COP_KV("k", 0.1 + 0.2)), "0.30000000000000004");
    ck_assert_str_eq(value(COP_KV("k", 0.5F)), "0.5");
    ck_assert_str_eq(value(COP_KV("k", 1e300)), "1e+300");
}

TEST(what_is_no_number_is_no_number_in_json)
{
    ck_assert_str_eq(value(COP_KV("k", (double)NAN)), "nan");
    ck_assert_str_eq(json_value(COP_KV("k", (double)INFINITY)), "\"inf\"");
    ck_assert_str_eq(json_value(COP_KV("k", (double)-INFINITY)), "\"-inf\"");
}

TEST(the_programs_locale_changes_no_number)
{
    static const char *const foreign[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 3; i++) {
        (void)setlocale(LC_ALL, foreign[i]); /* where it is installed */
        ck_assert_str_eq(json_value(COP_KV("k", 1.5)), "1.5");
    }
}

TEST(durations_have_the_unit_that_fits)
{
    ck_assert_str_eq(value(COP_KV_TIME("k", 0)), "0s");
    ck_assert_str_eq(value(COP_KV_TIME("k", 7)), "7ns");
    ck_assert_str_eq(value(COP_KV_TIME("k", COP_US(1.5))), "1.5us");
    ck_assert_str_eq(value(COP_KV_TIME("k", COP_MS(20))), "20ms");
    ck_assert_str_eq(value(COP_KV_TIME("k", COP_SEC(3600) + COP_MS(1))), "3600.001s");
    ck_assert_str_eq(value(COP_KV_TIME("k", -COP_MS(1))), "-1ms");
    ck_assert_str_eq(value(COP_KV_TIME("k", COP_FOREVER)), "forever");
    ck_assert_str_eq(value(COP_KV_TIME("k", INT64_MIN)), "-9223372036.854775808s");
    ck_assert_str_eq(json_value(COP_KV_TIME("k", COP_MS(1.5))), "0.0015");
    ck_assert_str_eq(json_value(COP_KV_TIME("k", COP_FOREVER)), "null");
}

TEST(a_pid_is_shown_by_its_name_and_a_reason_in_words)
{
    const cop_reason boom = cop_failed(-EIO, "big boom");
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    ck_assert_str_eq(value(COP_KV("k", cop_self())), "teller");
    ck_assert_str_eq(value(COP_KV("k", COP_NOBODY)), "<nobody>");
    ck_assert_str_eq(value(COP_KV("k", boom)), "\"big boom\"");
    ck_assert_str_eq(value(COP_KV("k", &boom)), "\"big boom\"");
    ck_assert_str_eq(json_value(COP_KV("k", COP_REASON_SHUTDOWN)), "\"shutdown\"");
}

SUITE("log_text")
