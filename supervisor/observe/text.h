/*
 * supervisor/observe/text.h - a text that grows.
 *
 * Room: supervisor/observe/. Whoever owns it, one thread at a time.
 *
 * Without memory it stops growing and says so at the end, once: who writes a page of lines need not look
 * after each.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TEXT_H
#define COPI_SUPERVISOR_OBSERVE_TEXT_H

#include <coppice/base.h>

/* Zeroed: empty. */
struct copi_text {
    char *data;
    size_t size, capacity;
    bool failed; /* for want of memory */
};

void copi_text_put(struct copi_text *text, cop_bytes bytes);
void copi_text_string(struct copi_text *text, const char *string);
void copi_text_char(struct copi_text *text, char character);
void copi_text_format(struct copi_text *text, const char *format, ...) COP_PRINTF(2, 3);

/* The text, terminated; the caller's, to free. -ENOMEM: there is none. Either way it is empty afterwards. */
int copi_text_take(struct copi_text *text, char **out, size_t *size);
void copi_text_free(struct copi_text *text);

#endif
