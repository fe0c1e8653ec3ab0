/*
 * tests/conformance/text.c - memory that is there, and text that grows.
 *
 * Room: tests/. Any thread.
 */
#include "tests/conformance/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *
checked(void *memory)
{
    if (!memory) {
        (void)fputs("scenario: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *
room_for_one_more(void *items, size_t count, size_t size)
{
    bool is_full = (count & (count - 1)) == 0;
    return is_full ? checked(realloc(items, (count ? count * 2 : 1) * size)) : items;
}

void *
room_for(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size));
}

char *
text_copy(const char *text)
{
    return checked(strdup(text));
}

static COP_PRINTF(1, 0) char *format_list(const char *format, va_list arguments)
{
    char *text;
    return vasprintf(&text, format, arguments) < 0 ? checked(NULL) : text;
}

char *
text_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_list(format, arguments);
    va_end(arguments);
    return text;
}

char *
text_append(char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *more = format_list(format, arguments);
    va_end(arguments);
    char *whole = text_format("%s%s", text ? text : "", more);
    free(text);
    free(more);
    return whole;
}
