/*
 * runtime/log_text.h - how an entry of the log reads: as a line, or as JSON.
 *
 * Room: runtime/. Any thread. Takes no memory and no lock but for the names of pids.
 */
#ifndef COPI_RUNTIME_LOG_TEXT_H
#define COPI_RUNTIME_LOG_TEXT_H

#include <coppice/log.h>

#include <stdarg.h>

struct copi_log_shape {
    bool is_json;
    bool has_time;     /* JSON always has */
    bool has_priority; /* "<4>" in front, for systemd's journal */
};

/* The entry with its '\n', and a terminator. Returns the length, at most COP_LOG_LINE. */
size_t copi_log_text(const cop_log_entry *entry, struct copi_log_shape shape,
                     char out[COP_LOG_LINE + 1]);

/* What a pid or a reason in a field is called; any other is as it is. `words` holds its text. */
enum {
    COPI_FIELD_WORDS = sizeof(((cop_reason *)NULL)->text)
};
cop_field copi_log_field_in_words(const cop_field *field, char words[COPI_FIELD_WORDS]);

/* "warning". */
const char *copi_log_level_in_words(cop_log_level level);

/* printf into a buffer; what does not fit is cut, and the text says so at its end. */
void copi_log_print(char *out, size_t size, const char *format, va_list arguments) COP_PRINTF(3, 0);

#endif
