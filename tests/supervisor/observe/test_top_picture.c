/*
 * tests/supervisor/observe/test_top_picture.c - coppice-top: a picture, as the observer has told it.
 *
 * Room: tests/.
 */
#include "supervisor/observe/top_picture.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

static struct top_picture
read_text(const char *text)
{
    struct top_picture picture;
    ck_assert_int_eq(top_picture_read(&picture, strdup(text)), 0);
    return picture;
}

#define COLUMNS "columns\tdepth\tpid\tname\tid\tmailbox\trestarts\tstarted\thandled\n"
#define THREE                                              \
 "ok\n" COLUMNS "process\t0\t<2.1>\troot\t\t0\t0\t10\t0\n" \
 "process\t1\t<3.1>\t\ta\t5\t2\t30\t100\n"                 \
 "process\t1\t<4.1>\t\tb\t7\t0\t20\t900\n"                 \
 "total\ttaken\t1000000000\ntotal\trestarts\t2\ntotal\tdisowned\t1\n\n"

/* The pids' first digits, in order. */
static void
are(const struct top_picture *picture, const char *digits)
{
    ck_assert_uint_eq(picture->count, strlen(digits));
    for (size_t i = 0; i < picture->count; i++) {
        ck_assert_int_eq(picture->rows[i].words[TOP_PID][1], digits[i]);
    }
}

static bool has_no_memory;

void *real_calloc(size_t count, size_t size) REAL(calloc);
void *calloc_if_there_is_memory(size_t count, size_t size) WRAP(calloc);
void *
calloc_if_there_is_memory(size_t count, size_t size)
{
    return has_no_memory ? NULL : real_calloc(count, size);
}

TEST(without_memory_there_is_no_picture_and_its_text_stays_the_callers)
{
    struct top_picture picture;
    char *text = strdup(THREE);
    has_no_memory = true;
    int r = top_picture_read(&picture, text);
    has_no_memory = false;
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_str_eq(text, THREE);
    free(text);
}

TEST(what_is_no_picture_is_refused_and_stays_the_callers)
{
    static const char *const wrong[] = {"", "\n", "ok", "error\tno\n\n", "okay\n\n", "\n\nok\n\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct top_picture picture;
        char *text = strdup(wrong[i]);
        ck_assert_int_eq(top_picture_read(&picture, text), -EPROTO);
        free(text);
    }
}

TEST(lines_that_make_no_sense_are_passed_over)
{
    struct top_picture picture =
        read_text("ok\nnonsense\n\t\t\ncolumns\nprocess\ntotal\ntotal\ttaken\ntotal\ttaken\tx\n"
                  "process\t<1.1>\tbefore its columns\nnew\tthing\t7\n" COLUMNS
                  "process\t0\t<5.1>\nprocess\t0\t<6.1>\tn\ti\t1\t2\t3\t4\tand\tmore\n\nignored");
    ck_assert_uint_eq(picture.count, 3);
    ck_assert_str_eq(top_name(&picture.rows[0]), "?");
    ck_assert_str_eq(picture.rows[1].words[TOP_PID], "<5.1>");
    ck_assert_str_eq(picture.rows[1].words[TOP_NAME], "");
    ck_assert_uint_eq(top_number(&picture.rows[2], TOP_HANDLED), 4);
    ck_assert_uint_eq(picture.taken, 0);
    top_picture_free(&picture);
}

TEST(columns_are_known_by_name_and_new_ones_are_passed_over)
{
    struct top_picture picture = read_text("ok\ncolumns\tcolour\tname\tpid\tdepth\n"
                                           "process\tgreen\troot\t<2.1>\t0\n\n");
    ck_assert_str_eq(picture.rows[0].words[TOP_NAME], "root");
    ck_assert_str_eq(picture.rows[0].words[TOP_PID], "<2.1>");
    ck_assert_str_eq(picture.rows[0].words[TOP_MAILBOX], "");
    ck_assert_uint_eq(top_number(&picture.rows[0], TOP_MAILBOX), 0);
    top_picture_free(&picture);
}

TEST(more_columns_than_there_is_room_for_do_no_harm)
{
    enum {
        MANY = 200
    };
    char names[5 * MANY + 1], words[2 * MANY + 1], text[8192];
    for (size_t i = 0; i < MANY; i++) {
        memcpy(names + 5 * i, "\tname", 6);
        memcpy(words + 2 * i, "\tx", 3);
    }
    (void)snprintf(text, sizeof text, "ok\ncolumns%s\nprocess%s\n\n", names, words);
    struct top_picture picture = read_text(text);
    ck_assert_uint_eq(picture.count, 1);
    top_picture_free(&picture);
}

TEST(people_call_it_by_the_first_name_that_it_has)
{
    struct top_picture picture =
        read_text("ok\ncolumns\tname\tid\tlabel\tkind\nprocess\tn\ti\tl\tk\nprocess\t\ti\tl\tk\n"
                  "process\t\t\tl\tk\nprocess\t\t\t\tk\n\n");
    static const char *const names[] = {"n", "i", "l", "k"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(top_name(&picture.rows[i]), names[i]);
    }
    top_picture_free(&picture);
}

TEST(it_is_sorted_by_what_is_greatest_and_back_into_the_tree)
{
    struct top_picture picture = read_text(THREE);
    ck_assert_uint_eq(picture.taken, 1000000000);
    ck_assert_uint_eq(picture.restarts, 2);
    ck_assert_uint_eq(picture.disowned, 1);
    are(&picture, "234");
    top_picture_sort(&picture, TOP_BY_MAILBOX);
    are(&picture, "432");
    top_picture_sort(&picture, TOP_BY_RESTARTS);
    are(&picture, "324");
    top_picture_sort(&picture, TOP_BY_AGE);
    are(&picture, "342");
    top_picture_sort(&picture, TOP_BY_TREE);
    are(&picture, "234");
    top_picture_free(&picture);
}

TEST(a_rate_is_what_was_handled_since_the_picture_before)
{
    struct top_picture before = read_text(THREE);
    struct top_picture picture = read_text(
        "ok\n" COLUMNS "process\t0\t<2.1>\troot\t\t0\t0\t10\t0\n"
        "process\t1\t<9.1>\t\tnew\t5\t2\t30\t500\nprocess\t1\t<4.1>\t\tb\t7\t0\t20\t1000\n"
        "process\t1\t<3.1>\t\ta\t7\t0\t20\t50\ntotal\ttaken\t3000000000\n\n");
    top_picture_rate(&picture, &before);
    top_picture_sort(&picture, TOP_BY_RATE);
    ck_assert_str_eq(picture.rows[0].words[TOP_PID], "<4.1>");
    ck_assert(picture.rows[0].rate > 49.9 && picture.rows[0].rate < 50.1);
    for (size_t i = 1; i < 4; i++) { /* the others: nothing, unknown, and less than before */
        ck_assert(picture.rows[i].rate == 0);
    }
    struct top_picture none = {0};
    top_picture_rate(&picture, &none);
    top_picture_rate(&picture, &picture); /* of the same moment */
    top_picture_free(&picture);
    top_picture_free(&before);
    top_picture_free(&none);
}

TEST(who_is_not_there_is_not_found)
{
    struct top_picture picture = read_text(THREE);
    ck_assert_uint_eq(top_picture_find(&picture, "<3.1>"), 1);
    ck_assert_uint_eq(top_picture_find(&picture, "<3.2>"), 3);
    top_picture_free(&picture);
}

SUITE("top_picture")
