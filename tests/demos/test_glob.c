/*
 * tests/demos/test_glob.c - patterns for keys.
 *
 * Room: tests/. Linked with demos/kv/glob.c.
 */
#include "demos/kv/glob.h"

#include <check.h>
#include <stdlib.h>

static bool
matches(const char *pattern, const char *text)
{
    return glob_matches((cop_bytes){pattern, strlen(pattern)}, (cop_bytes){text, strlen(text)});
}

START_TEST(reads_nothing_behind_an_unfinished_pattern)
{
    static const char *const patterns[] = {"[", "[a", "[^", "[a-", "\\", "[\\", "[]", "*["};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        size_t size = strlen(patterns[i]);
        char *exact = malloc(size); /* so that a sanitizer sees a step too far */
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, patterns[i], size);
        (void)glob_matches((cop_bytes){exact, size}, (cop_bytes){"ab", 2});
        free(exact);
    }
    ck_assert(matches("[a", "a"));
    ck_assert(matches("\\", "\\"));
}
END_TEST

START_TEST(is_not_slowed_down_by_many_stars)
{
    char text[2001], pattern[401];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = "a*"[i % 2];
    }
    pattern[sizeof pattern - 2] = 'b';
    pattern[sizeof pattern - 1] = '\0';
    ck_assert(!matches(pattern, text)); /* the suite's time limit is the assertion */
}
END_TEST

START_TEST(matches_the_whole_text_only)
{
    ck_assert(matches("", ""));
    ck_assert(!matches("", "a"));
    ck_assert(!matches("a", ""));
    ck_assert(matches("milk", "milk"));
    ck_assert(!matches("milk", "milks"));
    ck_assert(!matches("milks", "milk"));
    ck_assert(!matches("?", ""));
    ck_assert(matches("m??k", "milk"));
}
END_TEST

START_TEST(lets_a_star_be_any_bytes)
{
    ck_assert(matches("*", ""));
    ck_assert(matches("**", "abc"));
    ck_assert(matches("a*c", "ac"));
    ck_assert(matches("a*c", "abcbc"));
    ck_assert(!matches("a*c", "abcb"));
    ck_assert(matches("*ab*ab*", "xabyabz"));
    ck_assert(!matches("*ab*ab*", "xabyz"));
    ck_assert(glob_matches((cop_bytes){"a*b", 3}, (cop_bytes){"a\0\xff\nb", 5}));
}
END_TEST

START_TEST(knows_sets_ranges_and_their_opposite)
{
    ck_assert(matches("[abc]", "b"));
    ck_assert(!matches("[abc]", "d"));
    ck_assert(matches("[a-c]x", "bx"));
    ck_assert(matches("[c-a]x", "bx"));
    ck_assert(!matches("[^a-c]", "b"));
    ck_assert(matches("[^a-c]", "d"));
    ck_assert(matches("[\\]]", "]"));
    ck_assert(matches("h[ae]llo*", "hallo you"));
    ck_assert(!matches("[]", "a"));
}
END_TEST

START_TEST(takes_an_escaped_character_as_itself)
{
    ck_assert(matches("\\*", "*"));
    ck_assert(!matches("\\*", "a"));
    ck_assert(matches("a\\?b", "a?b"));
    ck_assert(!matches("a\\?b", "axb"));
    ck_assert(matches("\\[a]", "[a]"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("glob");
    TCase *tests = tcase_create("glob");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, reads_nothing_behind_an_unfinished_pattern);
    tcase_add_test(tests, is_not_slowed_down_by_many_stars);
    tcase_add_test(tests, matches_the_whole_text_only);
    tcase_add_test(tests, lets_a_star_be_any_bytes);
    tcase_add_test(tests, knows_sets_ranges_and_their_opposite);
    tcase_add_test(tests, takes_an_escaped_character_as_itself);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
