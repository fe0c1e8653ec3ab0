/*
 * tests/conformance/words.c - the words of a scenario: names, reasons, numbers, and what is none.
 *
 * Room: tests/. One thread, before anything runs: so whatever is wrong ends the program at once.
 */
#include "tests/conformance/words.h"

#include "tests/conformance/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LONGEST_NAME = 63,
    LONGEST_REASON = 200, /* what a supervisor wraps round it has to fit into a cop_reason, too */
};

static const char *file;
static unsigned line;

void
words_of(const char *path)
{
    file = path;
    line = 0;
}

void
words_next_line(void)
{
    line++;
}

unsigned
words_line(void)
{
    return line;
}

static void tell(unsigned number, const char *format, va_list arguments) COP_PRINTF(2, 0);

static void
tell(unsigned number, const char *format, va_list arguments)
{
    (void)fprintf(stderr, "%s:%u: ", file, number);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
}

void
refuse_at(unsigned number, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(number, format, arguments);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void
refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(line, format, arguments);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

/* ---------------------------------------------------------------- words */

static size_t
length_of_name(const char *text)
{
    size_t length = 0;
    while (islower((unsigned char)text[length])
           || (length > 0 && (isdigit((unsigned char)text[length]) || text[length] == '_'))) {
        length++;
    }
    return length;
}

const char *
word_name(const char *word)
{
    size_t length = length_of_name(word);
    if (length == 0 || word[length] || length > LONGEST_NAME) {
        refuse("bad name %s", word);
    }
    return text_copy(word);
}

/* A name, or a tuple of reasons, of none, too; returns what follows it, or NULL. */
static const char *
after_reason(const char *text)
{
    if (*text != '{') {
        size_t length = length_of_name(text);
        return length ? text + length : NULL;
    }
    if (text[1] == '}') {
        return text + 2;
    }
    do {
        text = after_reason(text + 1);
    } while (text && *text == ',');
    return text && *text == '}' ? text + 1 : NULL;
}

const char *
word_reason(const char *word)
{
    const char *end = strlen(word) <= LONGEST_REASON ? after_reason(word) : NULL;
    if (!end || *end) {
        refuse("bad reason %s", word);
    }
    return text_copy(word);
}

unsigned
word_number(const char *word, unsigned least, unsigned most)
{
    unsigned long value = 0;
    for (const char *digit = word; *digit || digit == word; digit++) {
        if (!isdigit((unsigned char)*digit)) {
            refuse("bad number %s", word);
        }
        value = value * 10 + (unsigned long)(*digit - '0');
        value = value < most ? value : most;
    }
    if (value < least) {
        refuse("number %s is smaller than %u", word, least);
    }
    return (unsigned)value;
}

cop_time
word_milliseconds(const char *word)
{
    return COP_MS(word_number(word, 0, UINT32_MAX)); /* the original's own limit */
}

int
word_choice(const char *word, const struct choice *choices)
{
    while (choices->word && !same(word, choices->word)) {
        choices++;
    }
    if (!choices->word) {
        refuse("bad value %s", word);
    }
    return choices->value;
}

const char *
text_after(const char *prefix, const char *text)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}
