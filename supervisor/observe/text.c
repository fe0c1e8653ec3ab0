/*
 * supervisor/observe/text.c - a text that grows.
 *
 * Room: supervisor/observe/.
 * Touch freely: all of it.
 */
#include "supervisor/observe/text.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_CAPACITY = 1024
};

/* Room for so many more bytes and a 0. */
static bool
make_room(struct copi_text *text, size_t more)
{
    if (text->failed || more >= SIZE_MAX / 4 - text->size) {
        text->failed = true;
        return false;
    }
    if (text->size + more < text->capacity) {
        return true;
    }
    size_t capacity = text->capacity ? text->capacity : FIRST_CAPACITY;
    while (capacity <= text->size + more) {
        capacity *= 2;
    }
    char *data = copi_realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void
copi_text_put(struct copi_text *text, cop_bytes bytes)
{
    if (bytes.size > 0 && make_room(text, bytes.size)) {
        memcpy(text->data + text->size, bytes.data, bytes.size);
        text->size += bytes.size;
    }
}

void
copi_text_string(struct copi_text *text, const char *string)
{
    copi_text_put(text, COP_TEXT(string));
}

void
copi_text_char(struct copi_text *text, char character)
{
    copi_text_put(text, COP_BYTES(character));
}

void
copi_text_format(struct copi_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length > 0 && make_room(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

int
copi_text_take(struct copi_text *text, char **out, size_t *size)
{
    if (!make_room(text, 0)) {
        copi_text_free(text);
        return -ENOMEM;
    }
    text->data[text->size] = '\0';
    *out = text->data;
    *size = text->size;
    *text = (struct copi_text){0};
    return 0;
}

void
copi_text_free(struct copi_text *text)
{
    free(text->data);
    *text = (struct copi_text){0};
}
