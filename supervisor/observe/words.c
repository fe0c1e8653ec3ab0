/*
 * supervisor/observe/words.c - lines of words, as the observer says them.
 *
 * Room: supervisor/observe/. The process that writes them.
 *
 * Words come from anywhere: a process is called as its program likes, and what reads them may be a terminal.
 * So what controls one is escaped: of ASCII, and of Latin 1's upper half as UTF-8 has it. Other bytes above
 * ASCII are left as they are, because names are often UTF-8.
 */
#include "supervisor/observe/words.h"

#include <coppice/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 4096,
};

/* Room for so many more bytes; NULL: there is none. */
static char *
reserve(struct copi_words *words, size_t more)
{
    if (words->failed) {
        return NULL;
    }
    if (words->capacity - words->size < more) {
        size_t capacity = words->capacity ? words->capacity : FIRST_CAPACITY;
        while (capacity - words->size < more) {
            capacity *= 2;
        }
        char *text = cop_alloc(capacity);
        words->failed = !text;
        if (!text) {
            return NULL;
        }
        if (words->size) {
            memcpy(text, words->text, words->size);
        }
        cop_free(words->text);
        words->text = text;
        words->capacity = capacity;
    }
    return words->text + words->size;
}

static char *
escape(char *at, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    *at++ = '\\';
    switch (byte) {
    case '\t':
        *at++ = 't';
        break;
    case '\n':
        *at++ = 'n';
        break;
    case '\\':
        *at++ = '\\';
        break;
    default:
        *at++ = 'x';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    return at;
}

/* How many of the next bytes are to be escaped; 0: none. */
static unsigned
controls(const char *at)
{
    unsigned char byte = (unsigned char)at[0], next = (unsigned char)at[1];
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
        return 2;
    }
    return byte < ' ' || byte == '\\' || byte == 0x7f;
}

void
copi_words_put(struct copi_words *words, const char *word)
{
    enum {
        LONGEST_ESCAPE = 4
    };
    const char *from = word ? word : "";
    char *begin = reserve(words, 1 + strlen(from) * LONGEST_ESCAPE), *at = begin;
    if (!begin) {
        return;
    }
    if (words->in_line) {
        *at++ = '\t';
    }
    while (*from) {
        unsigned escaped = controls(from);
        if (escaped == 0) {
            *at++ = *from++;
        }
        for (; escaped > 0; escaped--) {
            at = escape(at, (unsigned char)*from++);
        }
    }
    words->size += (size_t)(at - begin);
    words->in_line = true;
}

void
copi_words_put_number(struct copi_words *words, uint64_t number)
{
    char text[sizeof "18446744073709551615"];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    copi_words_put(words, text);
}

void
copi_words_end_line(struct copi_words *words)
{
    char *at = reserve(words, 1);
    if (at) {
        *at = '\n';
        words->size++;
    }
    words->in_line = false;
}

void
copi_words_clear(struct copi_words *words)
{
    cop_free(words->text);
    *words = (struct copi_words){0};
}
