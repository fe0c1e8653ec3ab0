/*
 * supervisor/observe/words.h - lines of words, as the observer says them.
 *
 * Room: supervisor/observe/. The process that writes them, whose memory they are.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WORDS_H
#define COPI_SUPERVISOR_OBSERVE_WORDS_H

#include <coppice/base.h>

/* Zeroed: none. */
struct copi_words {
    char *text; /* not terminated */
    size_t size, capacity;
    bool in_line; /* a word stands in the line already */
    bool failed;  /* there was no memory: something is missing, and nothing more is put in */
};

/* The next word of the line, with what is not printable escaped; it may be empty. NULL is as an empty one. */
void copi_words_put(struct copi_words *words, const char *word);
void copi_words_put_number(struct copi_words *words, uint64_t number);

/* The line ends; one without words is empty. */
void copi_words_end_line(struct copi_words *words);

void copi_words_clear(struct copi_words *words);

#endif
