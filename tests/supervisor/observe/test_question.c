/*
 * tests/supervisor/observe/test_question.c - what somebody outside asks the observer, in one line.
 *
 * Room: tests/.
 */
#include "supervisor/observe/answers.h"
#include "supervisor/observe/deeds.h"
#include "supervisor/observe/question.h"
#include "tests/support/support.h"

static struct copi_question
read_line(const char *line)
{
    return copi_question_read(COP_TEXT(line));
}

static void
is_nonsense(const char *line)
{
    ck_assert_msg(read_line(line).asked == COPI_ASKED_NONSENSE, "\"%s\" is a question", line);
}

TEST(what_is_no_question_is_nonsense)
{
    static const char *const lines[] = {"\n",
                                        " \t\r\n",
                                        "pictures\n",
                                        "Picture\n",
                                        "picture 1\n",
                                        "picture picture picture picture\n",
                                        "events\n",
                                        "events a 20 more\n",
                                        "crash\n",
                                        "crash a b\n",
                                        "crash a b c\n",
                                        "kill a\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        is_nonsense(lines[i]);
    }
    ck_assert_int_eq(copi_question_read((cop_bytes){"", 0}).asked, COPI_ASKED_NONSENSE);
    ck_assert_int_eq(copi_question_read((cop_bytes){"picture\0\n", 9}).asked, COPI_ASKED_NONSENSE);
}

TEST(a_picture_is_asked_for_with_any_space_around)
{
    ck_assert_int_eq(read_line("picture\n").asked, COPI_ASKED_PICTURE);
    ck_assert_int_eq(read_line("  picture \t\r\n").asked, COPI_ASKED_PICTURE);
}

TEST(events_are_of_one_by_its_pid_or_its_name)
{
    char line[64];
    ck_assert_int_eq(cop_register("me", cop_self()), 0);
    (void)snprintf(line, sizeof line, "events %s\n", "me");
    struct copi_question question = read_line(line);
    ck_assert_int_eq(question.asked, COPI_ASKED_EVENTS);
    ck_assert(cop_pid_eq(question.whom, cop_self()));
    ck_assert_uint_eq(question.count, 20);
    question = read_line("events <77.5> 1\n");
    ck_assert_int_eq(question.asked, COPI_ASKED_EVENTS);
    ck_assert_uint_ne(question.whom.id, 0);
    ck_assert_uint_eq(question.count, 1);
    question = read_line("events nobody 200\n");
    ck_assert_int_eq(question.asked, COPI_ASKED_EVENTS);
    ck_assert(cop_pid_eq(question.whom, COP_NOBODY));
    ck_assert_uint_eq(question.count, COPI_MOST_EVENTS);
}

TEST(a_number_of_events_that_is_none_is_nonsense)
{
    is_nonsense("events a 0\n");
    is_nonsense("events a -1\n");
    is_nonsense("events a 201\n");
    is_nonsense("events a 4294967297\n");
    is_nonsense("events a 1x\n");
}

TEST(each_deed_is_known_by_its_name)
{
    for (size_t i = 0; copi_deeds[i]; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "%s <77.5>\n", copi_deeds[i]);
        struct copi_question question = read_line(line);
        ck_assert_int_eq(question.asked, COPI_ASKED_DEED);
        ck_assert_str_eq(question.deed, copi_deeds[i]);
        ck_assert_uint_ne(question.whom.id, 0);
    }
}

TEST(the_longest_line_is_read_whole)
{
    char line[COPI_LONGEST_QUESTION + 1];
    memset(line, ' ', COPI_LONGEST_QUESTION);
    memcpy(line + COPI_LONGEST_QUESTION - 8, "picture\n", 9);
    ck_assert_int_eq(read_line(line).asked, COPI_ASKED_PICTURE);
}

SUITE("question")
