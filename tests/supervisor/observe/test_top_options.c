/*
 * tests/supervisor/observe/test_top_options.c - coppice-top: what its command line says.
 *
 * Room: tests/. The program itself: test_top.sh.
 */
#include "supervisor/observe/top_options.h"
#include "supervisor/observe/top_text.h"
#include "tests/support/support.h"

#include <getopt.h>

static struct top_options options;

/* Words with a space between any two. */
static enum top_wish
read_words(const char *words)
{
    static char name[] = "coppice-top", text[256];
    char *arguments[16] = {name}, *rest = text;
    int count = 1;
    (void)snprintf(text, sizeof text, "%s", words);
    while ((arguments[count] = strtok_r(rest, " ", &rest))) {
        count++;
    }
    optind = 0;
    opterr = 0;
    return top_options_read(&options, count, arguments);
}

TEST(what_is_wrong_is_said_to_be)
{
    static const char *const lines[] = {
        "",
        "a b",
        "--what a",
        "--sort a",
        "--sort size a",
        "--sort a ",
        "--interval a",
        "--interval 0.05 a",
        "--interval 61 a",
        "--interval nan a",
        "--once",
        "--interval 1s a",
        "--interval inf a",
        "--interval -1 a",
        "--once=1 a",
    };
    unsetenv("COPPICE_OBSERVER");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ck_assert_msg(read_words(lines[i]) == TOP_WISH_WRONG, "\"%s\" is right", lines[i]);
    }
}

TEST(a_path_is_all_that_is_needed)
{
    ck_assert_int_eq(read_words("/a/path"), TOP_WISH_LOOK);
    ck_assert_str_eq(options.path, "/a/path");
    ck_assert(!options.once);
    ck_assert_int_eq(options.order, TOP_BY_TREE);
    ck_assert_int_eq(options.interval_ms, 1000);
}

TEST(the_environment_has_a_path_and_an_argument_goes_before_it)
{
    setenv("COPPICE_OBSERVER", "/there", 1);
    ck_assert_int_eq(read_words("--once"), TOP_WISH_LOOK);
    ck_assert_str_eq(options.path, "/there");
    ck_assert(options.once);
    ck_assert_int_eq(read_words("/here"), TOP_WISH_LOOK);
    ck_assert_str_eq(options.path, "/here");
}

TEST(each_order_has_its_name)
{
    for (enum top_order order = TOP_BY_TREE; order < TOP_ORDERS; order++) {
        char words[64];
        (void)snprintf(words, sizeof words, "--sort %s a", top_order_name(order));
        ck_assert_int_eq(read_words(words), TOP_WISH_LOOK);
        ck_assert_int_eq(options.order, order);
    }
}

TEST(an_interval_is_in_seconds)
{
    ck_assert_int_eq(read_words("a --interval 0.1"), TOP_WISH_LOOK);
    ck_assert_int_eq(options.interval_ms, 100);
    ck_assert_int_eq(read_words("--interval=60 a"), TOP_WISH_LOOK);
    ck_assert_int_eq(options.interval_ms, 60000);
}

TEST(who_asks_for_help_gets_it_whatever_else_he_says)
{
    ck_assert_int_eq(read_words("--help"), TOP_WISH_HELP);
    ck_assert_int_eq(read_words("--sort size -h a b"), TOP_WISH_HELP);
    ck_assert_ptr_nonnull(strstr(top_usage, "--interval"));
}

SUITE("top_options")
