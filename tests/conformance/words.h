/*
 * tests/conformance/words.h - the words of a scenario. What is none is told on standard error, with the
 * file and the line, and ends the program with status 1.
 */
#ifndef COPI_TESTS_CONFORMANCE_WORDS_H
#define COPI_TESTS_CONFORMANCE_WORDS_H

#include <coppice.h>

/* Which file is read, and which line of it. */
void words_of(const char *path);
void words_next_line(void);
unsigned words_line(void);

void refuse(const char *format, ...) __attribute__((noreturn)) COP_PRINTF(1, 2);
void refuse_at(unsigned number, const char *format, ...) __attribute__((noreturn)) COP_PRINTF(2, 3);

/* The first two return a copy that lives as long as the program. */
const char *word_name(const char *word);
const char *word_reason(const char *word);
/* One that is larger than `most` is `most`. */
unsigned word_number(const char *word, unsigned least, unsigned most);
cop_time word_milliseconds(const char *word);

/* One of a list that ends with NULL. */
struct choice {
    const char *word;
    int value;
};
int word_choice(const char *word, const struct choice *choices);

/* The text after `prefix`, or NULL if it does not begin with that. */
const char *text_after(const char *prefix, const char *text);

#endif
