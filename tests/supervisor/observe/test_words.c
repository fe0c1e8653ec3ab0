/*
 * tests/supervisor/observe/test_words.c - lines of words, as the observer says them.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/words.h"
#include "tests/support/support.h"

/* Compares, and forgets them. */
static void
are(struct copi_words *words, const char *text)
{
    ck_assert(!words->failed);
    ck_assert_uint_eq(words->size, strlen(text));
    ck_assert_int_eq(memcmp(words->text, text, words->size), 0);
    copi_words_clear(words);
    ck_assert_uint_eq(words->size, 0);
}

TEST(without_memory_nothing_more_is_put_in_and_it_is_known)
{
    struct copi_words words = {0};
    cop_self();
    copi_words_put(&words, "a");
    size_t size = words.size;
    char *long_word = malloc(10000);
    memset(long_word, 'x', 9999);
    long_word[9999] = '\0';
    copi_alloc_fail_after(0);
    copi_words_put(&words, long_word);
    copi_alloc_fail_after(-1);
    free(long_word);
    ck_assert(words.failed);
    ck_assert_uint_eq(words.size, size);
    copi_words_put(&words, "b");
    copi_words_end_line(&words);
    ck_assert_uint_eq(words.size, size);
    copi_words_clear(&words);
    ck_assert(!words.failed);
}

TEST(words_stand_in_lines_with_a_tab_between_them)
{
    struct copi_words words = {0};
    copi_words_put(&words, "one");
    copi_words_put(&words, "");
    copi_words_put(&words, NULL);
    copi_words_put_number(&words, UINT64_MAX);
    copi_words_end_line(&words);
    copi_words_put_number(&words, 0);
    copi_words_end_line(&words);
    copi_words_end_line(&words);
    are(&words, "one\t\t\t18446744073709551615\n0\n\n");
}

TEST(what_controls_a_terminal_or_a_line_is_escaped)
{
    static const struct {
        const char *word, *line;
    } cases[] = {
        {"a\tb", "a\\tb"},
        {"a\nb", "a\\nb"},
        {"a\\b", "a\\\\b"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f\r", "\\x7f\\x0d"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b"
         "2J"}, /* CSI, of Latin 1 */
        {"\xc2", "\xc2"},
        {"gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac",
         "gr\xc3\xbc\xc3\x9f"
         "e \xe2\x82\xac"},
        {"\xc2\xa0", "\xc2\xa0"},
    };
    struct copi_words words = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copi_words_put(&words, cases[i].word);
        are(&words, cases[i].line);
    }
}

TEST(there_is_room_for_many)
{
    struct copi_words words = {0};
    for (unsigned i = 0; i < 10000; i++) {
        copi_words_put_number(&words, 1000000 + i);
        copi_words_end_line(&words);
    }
    ck_assert_uint_eq(words.size, 80000);
    ck_assert_int_eq(memcmp(words.text + 8L * 9999, "1009999\n", 8), 0);
    copi_words_clear(&words);
}

SUITE("words")
