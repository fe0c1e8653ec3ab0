/*
 * tests/fuzz/fuzz_postgres.c - what somebody may send on PostgreSQL's channels, and what may stand in its fields.
 *
 * Room: tests/. Linked with postgres_news.c and postgres_value.c.
 *
 * The first byte is a field's size. News that were read are the same when they are written and read again.
 */
#include "actors/durable/postgres_news.h"
#include "actors/durable/postgres_value.h"
#include "tests/fuzz/fuzz.h"

enum {
    WORD_MOST = 256
};

static void
check_again(const struct copi_postgres_news *news, const char *text)
{
    char word[WORD_MOST], again[WORD_MOST];
    const char *at = news->text ? news->text : "";
    while (copi_postgres_news_next(&text, word, sizeof word)) {
        HOLDS(copi_postgres_news_next(&at, again, sizeof again));
        HOLDS(strcmp(word, again) == 0);
    }
    HOLDS(*at == '\0');
}

static void
check_news(struct input input)
{
    char word[WORD_MOST];
    struct copi_postgres_news news = {0};
    char *text = take_rest(&input);
    const char *at = text, *before = text;
    while (copi_postgres_news_next(&at, word, sizeof word)) {
        HOLDS(at > before && strlen(word) < sizeof word);
        HOLDS(copi_postgres_channel(word) < COPI_POSTGRES_CHANNELS);
        copi_postgres_news_add(&news, word);
        before = at;
    }
    check_again(&news, text);
    copi_postgres_news_free(&news);
    free(text);
}

/* An answer with one field, and a row that has it. */
static void
check_field(struct input input, size_t size)
{
    PGresAttDesc column = {.name = (char[]){"c"}, .format = 1};
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    size = size < input.size ? size : input.size;
    HOLDS(rows && PQsetResultAttrs(rows, 1, &column));
    void *bytes = copy_of(input.at, size);
    HOLDS(PQsetvalue(rows, 0, 0, bytes, (int)size));
    int64_t number = copi_postgres_field_number(rows, 0, 0);
    HOLDS(size > 0 || number == 0);
    cop_bytes field = copi_postgres_field(rows, 0, 0);
    HOLDS(field.size == size && memcmp(field.data, bytes, size) == 0);
    HOLDS(copi_postgres_field_number(rows, 1, 0) == 0 && copi_postgres_field(rows, 0, 1).size == 0);
    free(bytes);
    PQclear(rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t field = (size_t)take_number(&input, 1);
    check_field(input, field);
    check_news(input);
    return 0;
}
