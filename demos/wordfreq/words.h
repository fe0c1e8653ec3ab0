/*
 * demos/wordfreq/words.h - how often each word occurs.
 *
 * Room: demos/. Knows neither processes nor messages; one owner, no locks.
 */
#ifndef WORDFREQ_WORDS_H
#define WORDFREQ_WORDS_H

#include <stddef.h>

#define WORD_MAX 39 /* bytes; what is longer is no word */

/* Of one size and without pointers, so that an array of them can be sent as it is. */
struct word {
    size_t times;
    char text[WORD_MAX + 1];
};

struct words { /* zeroed: none */
    void *tree;
    size_t different, total;
};

/* Count a word, so many times. -ENOMEM: nothing changed. */
int words_add(struct words *words, const struct word *word);

/*
 * Count the words of a file: its runs of letters, in lower case. All bytes beyond ASCII are
 * letters.
 *
 * -EILSEQ   it is no text: there is a zero byte in it
 * -ENOMEM, or an error of the system's; what was counted until then stays counted
 */
int words_read(struct words *words, const char *path);

/* All of them, in the order of the alphabet; `out` has room for words->different. */
void words_copy(const struct words *words, struct word *out);

/* The most frequent ones, at most `room`, the first one first. Returns how many. */
size_t words_top(const struct words *words, struct word *out, size_t room);

/* Forget all. */
void words_clear(struct words *words);

#endif
