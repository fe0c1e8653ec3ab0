/*
 * tests/conformance/text.h - memory that is there, and text that grows.
 *
 * Room: tests/. A runner that has no memory can only say so: every function here ends the program then.
 */
#ifndef COPI_TESTS_CONFORMANCE_TEXT_H
#define COPI_TESTS_CONFORMANCE_TEXT_H

#include <coppice.h>

/* `items` with room for one more of `size` bytes after `count`; it grows in powers of two. */
void *room_for_one_more(void *items, size_t count, size_t size);

/* Zeroed; at least one byte. */
void *room_for(size_t count, size_t size);

char *text_copy(const char *text);
char *text_format(const char *format, ...) COP_PRINTF(1, 2);

/* Adds to a text on the heap, or to NULL, and returns it. */
char *text_append(char *text, const char *format, ...) COP_PRINTF(2, 3);

static inline bool
same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

#endif
