/*
 * tests/supervisor/observe/test_top_text.c - coppice-top: figures and words, as short as a table wants them.
 *
 * Room: tests/.
 */
#include "supervisor/observe/top_text.h"
#include "tests/support/support.h"

#include <locale.h>

#define SECOND UINT64_C(1000000000)

TEST(durations_get_coarser_as_they_grow)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0.0s"},
        {99999999, "0.0s"},
        {SECOND, "1.0s"},
        {59 * SECOND + 999999999, "59.9s"},
        {60 * SECOND, "1m00s"},
        {3599 * SECOND, "59m59s"},
        {3600 * SECOND, "1h00m"},
        {86399 * SECOND, "23h59m"},
        {86400 * SECOND, "1d00h"},
        {UINT64_MAX, "213503d23h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[TOP_SHORT];
        ck_assert_str_eq(top_duration(cases[i].ns, out), cases[i].text);
    }
}

TEST(counts_have_at_most_six_places)
{
    static const struct {
        uint64_t count;
        const char *text;
    } cases[] = {
        {0, "0"},          {9999, "9999"},       {10000, "10.0k"},      {999949, "999.9k"},
        {1000000, "1.0M"}, {1234567890, "1.2G"}, {UINT64_MAX, "18.4E"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[TOP_SHORT];
        ck_assert_str_eq(top_count(cases[i].count, out), cases[i].text);
    }
}

TEST(text_is_cut_or_filled_up_to_its_width)
{
    char out[TOP_CELL * 4];
    ck_assert_str_eq(top_fit("abc", 5, false, out), "abc  ");
    ck_assert_str_eq(top_fit("abc", 5, true, out), "  abc");
    ck_assert_str_eq(top_fit("abcdef", 5, false, out), "abcde");
    ck_assert_str_eq(top_fit("abc", 0, false, out), "");
    ck_assert_str_eq(top_fit("", 3, true, out), "   ");
    char *long_text = malloc(100001);
    memset(long_text, 'x', 100000);
    long_text[100000] = '\0';
    ck_assert_uint_lt(strlen(top_fit(long_text, 100000, false, out)), TOP_CELL * 4);
    ck_assert_uint_lt(strlen(top_fit("x", 100000, true, out)), TOP_CELL * 4);
    free(long_text);
}

TEST(what_is_no_character_is_a_question_mark)
{
    char out[TOP_CELL * 4];
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
    ck_assert_str_eq(top_fit("a\xff\x1b"
                             "b",
                             6, false, out),
                     "a??b  ");
    ck_assert_str_eq(top_fit("gr\xc3\xbcn", 5, false, out), "gr\xc3\xbcn ");
    ck_assert_str_eq(top_fit("gr\xc3\xbcn", 3, false, out), "gr\xc3\xbc");
    ck_assert_str_eq(top_fit("\xe6\x9c\xac\xe6\x9c\xac", 3, false, out),
                     "\xe6\x9c\xac "); /* two wide */
    ck_assert_str_eq(top_fit("\xc3", 2, false, out), "? ");
}

/* ---------------------------------------------------------------- states */

#define COLUMNS \
 "columns\tpid\tname\tkind\tcallback\tsince\twaits_in\twaits_for\tsuspended\trestarts\tstarted\n"

static struct top_picture
picture_of(const char *rows)
{
    char text[4096];
    struct top_picture picture;
    (void)snprintf(text, sizeof text, "ok\n" COLUMNS "%stotal\ttaken\t20000000000\n\n", rows);
    ck_assert_int_eq(top_picture_read(&picture, strdup(text)), 0);
    return picture;
}

TEST(a_state_is_said_in_a_few_words)
{
    static const struct {
        const char *row, *text;
        enum top_mood mood;
    } cases[] = {
        {"receive\t\t0\t0\t0", "waiting", TOP_IDLE},
        {"signals\t\t0\t0\t0", "waiting", TOP_IDLE},
        {"sleep\t\t0\t0\t0", "sleep", TOP_WAITS},
        {"\t\t0\t0\t0", "running", TOP_BUSY},
        {"receive\t\t1\t0\t0", "suspended", TOP_HELD},
        {"receive\t\t0\t1\t16000000000", "waiting", TOP_FRESH},
        {"receive\t\t0\t1\t14000000000", "waiting", TOP_IDLE},
        {"receive\t\t0\t0\t16000000000", "waiting", TOP_IDLE},
        {"call\t<1.1>\t0\t0\t0", "call me", TOP_WAITS},
        {"call\t<8.1>\t0\t0\t0", "call <8.1>", TOP_WAITS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char row[256], out[TOP_CELL];
        (void)snprintf(row, sizeof row, "process\t<1.1>\tme\tgenserver\t\t0\t%s\n", cases[i].row);
        struct top_picture picture = picture_of(row);
        ck_assert_int_eq(top_state(&picture.rows[0], &picture, out), cases[i].mood);
        ck_assert_str_eq(out, cases[i].text);
        top_picture_free(&picture);
    }
}

TEST(a_callback_is_said_with_its_time_and_a_plain_process_has_none)
{
    static const struct {
        const char *row, *text;
        enum top_mood mood;
    } cases[] = {
        {"handle_call\t19500000000\t\t", "handle_call 0.5s", TOP_BUSY},
        {"handle_call\t17000000000\t\t", "handle_call 3.0s", TOP_LONG_BUSY},
        {"handle_call\t0\t\t", "handle_call 0.0s", TOP_BUSY},
        {"handle_call\t99000000000\t\t", "handle_call 0.0s", TOP_BUSY},
        {"handle_call\t17000000000\tcall\t<1.1>", "call me, handle_call 3.0s", TOP_LONG_BUSY},
        {"run\t17000000000\t\t", "run 3.0s", TOP_BUSY},
        {"run\t17000000000\tsleep\t", "sleep", TOP_WAITS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char row[256], out[TOP_CELL];
        (void)snprintf(row, sizeof row, "process\t<1.1>\tme\tgenserver\t%s\t0\t0\t0\n",
                       cases[i].row);
        struct top_picture picture = picture_of(row);
        ck_assert_int_eq(top_state(&picture.rows[0], &picture, out), cases[i].mood);
        ck_assert_str_eq(out, cases[i].text);
        top_picture_free(&picture);
    }
}

/* ---------------------------------------------------------------- the table */

TEST(at_every_width_the_columns_find_room_and_the_name_is_there)
{
    for (int width = 1; width < 400; width++) {
        struct top_layout layout;
        top_lay_out(&layout, width);
        ck_assert_int_ge(layout.count, 1);
        ck_assert_int_eq(layout.places[0].field, TOP_F_NAME);
        int x = 0;
        for (int i = 0; i < layout.count; i++) {
            ck_assert_int_eq(layout.places[i].x, x);
            ck_assert_int_gt(layout.places[i].width, 0);
            x += layout.places[i].width + 1;
        }
        ck_assert_int_le(x - 1, width);
    }
}

TEST(the_least_important_is_left_out_first)
{
    struct top_layout layout;
    top_lay_out(&layout, 200);
    ck_assert_int_eq(layout.count, TOP_FIELDS);
    top_lay_out(&layout, 80);
    ck_assert_int_eq(layout.count, TOP_FIELDS - 1);
    ck_assert_int_eq(layout.places[2].field, TOP_F_STATE);
    top_lay_out(&layout, 40);
    ck_assert_int_eq(layout.count, 2);
    ck_assert_int_eq(layout.places[1].field, TOP_F_STATE);
    top_lay_out(&layout, 20);
    ck_assert_int_eq(layout.count, 1);
}

TEST(each_field_has_a_title_and_says_something_of_an_empty_row)
{
    struct top_picture picture = picture_of("process\n process\t\n");
    struct top_row row = {0};
    for (size_t i = 0; i < TOP_COLUMNS; i++) {
        row.words[i] = "";
    }
    for (int field = 0; field < TOP_FIELDS; field++) {
        char out[TOP_CELL];
        ck_assert(top_title((enum top_field)field)[0]);
        ck_assert_ptr_nonnull(top_cell((enum top_field)field, &row, &picture, true, out));
    }
    char out[TOP_CELL];
    int lines = 0;
    while (top_detail(lines, &row, &picture, out)) {
        lines++;
    }
    ck_assert_int_gt(lines, 5);
    ck_assert(!top_detail(-1, &row, &picture, out));
    top_picture_free(&picture);
}

TEST(in_the_tree_a_name_is_indented_but_not_for_ever)
{
    struct top_row row = {0};
    struct top_picture picture = {0};
    char out[TOP_CELL];
    for (size_t i = 0; i < TOP_COLUMNS; i++) {
        row.words[i] = "";
    }
    row.words[TOP_NAME] = "a";
    row.words[TOP_DEPTH] = "2";
    ck_assert_str_eq(top_cell(TOP_F_NAME, &row, &picture, true, out), "    a");
    ck_assert_str_eq(top_cell(TOP_F_NAME, &row, &picture, false, out), "a");
    row.words[TOP_DEPTH] = "18446744073709551615";
    ck_assert_uint_eq(strlen(top_cell(TOP_F_NAME, &row, &picture, true, out)), 65);
}

SUITE("top_text")
