/*
 * demos/wordfreq/words.c - how often each word occurs.
 *
 * Room: demos/. One owner, no locks. The C library's search tree keeps them, and keeps them in
 * order.
 */
#include "demos/wordfreq/words.h"

#include <ctype.h>
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
compare(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static int
insert(struct words *words, const struct word *word)
{
    struct word *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return -ENOMEM;
    }
    *copy = *word;
    if (tsearch(copy, &words->tree, compare) == NULL) {
        free(copy);
        return -ENOMEM;
    }
    words->different++;
    return 0;
}

int
words_add(struct words *words, const struct word *word)
{
    struct word **known = tfind(word, &words->tree, compare);
    if (known != NULL) {
        (*known)->times += word->times;
    } else if (insert(words, word) != 0) {
        return -ENOMEM;
    }
    words->total += word->times;
    return 0;
}

/* ---------------------------------------------------------------- from a file */

static bool
is_letter(int c)
{
    return c >= 0x80 || isalpha(c);
}

/* The next letter, or what ends a word: then it is counted, unless it is empty or too long. */
static int
take(struct words *words, struct word *word, size_t *size, int c)
{
    if (c != EOF && is_letter(c)) {
        if (*size < WORD_MAX) {
            word->text[*size] = (char)tolower(c);
        }
        ++*size;
        return 0;
    }
    size_t length = *size;
    *size = 0;
    if (length == 0 || length > WORD_MAX) {
        return 0;
    }
    word->text[length] = '\0';
    return words_add(words, word);
}

static int
read_stream(struct words *words, FILE *file)
{
    struct word word = {.times = 1};
    size_t size = 0;
    for (;;) {
        int c = getc_unlocked(file); /* NOLINT(concurrency-mt-unsafe): nobody else has it */
        if (c == EOF && ferror(file)) {
            return -errno;
        }
        int r = c == '\0' ? -EILSEQ : take(words, &word, &size, c);
        if (r || c == EOF) {
            return r;
        }
    }
}

int
words_read(struct words *words, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    int r = read_stream(words, file);
    (void)fclose(file);
    return r;
}

/* ---------------------------------------------------------------- all, or the first few */

struct walk {
    struct word *out;
    size_t count, room;
};

static void
copy_one(const void *node, VISIT visit, void *env)
{
    struct walk *walk = env;
    if (visit == postorder || visit == leaf) {
        walk->out[walk->count++] = **(struct word *const *)node;
    }
}

void
words_copy(const struct words *words, struct word *out)
{
    struct walk walk = {.out = out};
    twalk_r(words->tree, copy_one, &walk);
}

/* Sift it up from the end, past those that are less frequent; equal ones keep their order. */
static void
rank_one(const void *node, VISIT visit, void *env)
{
    struct walk *walk = env;
    const struct word *word = *(struct word *const *)node;
    if (visit != postorder && visit != leaf) {
        return;
    }
    size_t place = walk->count < walk->room ? walk->count++ : walk->room;
    for (; place > 0 && walk->out[place - 1].times < word->times; place--) {
        if (place < walk->room) {
            walk->out[place] = walk->out[place - 1];
        }
    }
    if (place < walk->room) {
        walk->out[place] = *word;
    }
}

size_t
words_top(const struct words *words, struct word *out, size_t room)
{
    struct walk walk = {.out = out, .room = room};
    twalk_r(words->tree, rank_one, &walk);
    return walk.count;
}

void
words_clear(struct words *words)
{
    tdestroy(words->tree, free);
    *words = (struct words){0};
}
