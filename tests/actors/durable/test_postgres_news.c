/*
 * tests/actors/durable/test_postgres_news.c - words for others, and what comes of them.
 *
 * Room: tests/.
 */
#include "actors/durable/postgres_news.h"
#include "tests/support/support.h"

static struct copi_postgres_news news;
static char word[64];

static bool
next(const char **text)
{
    return copi_postgres_news_next(text, word, sizeof word);
}

TEST(words_come_back_as_they_were_whatever_is_in_them)
{
    copi_postgres_news_add(&news, "order-17");
    copi_postgres_news_add(&news, "");
    copi_postgres_news_add(&news, "3:a,,\n\"; DROP");
    const char *text = news.text;
    ck_assert(next(&text));
    ck_assert_str_eq(word, "order-17");
    ck_assert(next(&text));
    ck_assert_str_eq(word, "");
    ck_assert(next(&text));
    ck_assert_str_eq(word, "3:a,,\n\"; DROP");
    ck_assert(!next(&text));
    ck_assert_int_eq(*text, 0);
    copi_postgres_news_free(&news);
}

TEST(many_words_find_room)
{
    for (int i = 0; i < 10000; i++) {
        copi_postgres_news_add(&news, "order");
    }
    ck_assert_uint_eq(strlen(news.text), news.size);
    const char *text = news.text;
    unsigned count = 0;
    while (next(&text)) {
        count++;
    }
    ck_assert_uint_eq(count, 10000);
    copi_postgres_news_free(&news);
}

static void
expect_rubbish(const char *text)
{
    const char *at = text;
    ck_assert_msg(!next(&at), "%s", text);
    ck_assert_ptr_eq(at, text);
}

TEST(rubbish_is_seen_and_nothing_behind_it_is_read)
{
    expect_rubbish("");
    expect_rubbish("x");
    expect_rubbish(":");
    expect_rubbish("5");
    expect_rubbish("5:");
    expect_rubbish("5:abcd,");
    expect_rubbish("5:abcdef");
    expect_rubbish("-1:a,");
    expect_rubbish("99999999999999999999999999:a,");
    expect_rubbish("64:0123456789012345678901234567890123456789012345678901234567890123,");
}

TEST(a_word_that_just_fits_is_read)
{
    const char *text = "63:012345678901234567890123456789012345678901234567890123456789012,";
    ck_assert(next(&text));
    ck_assert_uint_eq(strlen(word), 63);
}

TEST(ids_are_spread_over_all_channels)
{
    unsigned counts[COPI_POSTGRES_CHANNELS] = {0};
    for (int i = 0; i < 1600; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "order-%d", i);
        counts[copi_postgres_channel(id)]++;
    }
    for (unsigned i = 0; i < COPI_POSTGRES_CHANNELS; i++) {
        ck_assert_uint_ge(counts[i], 50);
        ck_assert_uint_le(counts[i], 200);
    }
}

SUITE("PostgreSQL's news")
