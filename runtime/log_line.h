/*
 * runtime/log_line.h - a line that fills, and in which nothing can be mistaken for another.
 *
 * Room: runtime/. Any thread. Takes no memory and no lock.
 */
#ifndef COPI_RUNTIME_LOG_LINE_H
#define COPI_RUNTIME_LOG_LINE_H

#include <coppice/base.h>

enum {
    COPI_LINE_CUT = sizeof "...(+18446744073709551615 bytes)" /* what is said at a cut, at most */
};

struct copi_line {
    char *at, *end;
    bool is_json, is_full;
};

enum copi_line_style {
    COPI_LINE_PLAIN,  /* a message: only what would break the line is escaped */
    COPI_LINE_QUOTED, /* a value between quotes */
    COPI_LINE_JSON,
};

/* As they are: all of them or nothing, and after that nothing more. */
void copi_line_put_bytes(struct copi_line *line, const char *bytes, size_t size);
void copi_line_put(struct copi_line *line, const char *words);

/*
 * Anybody's text: line ends, control characters and what is no UTF-8 are escaped.
 *
 *   room   in bytes as they are written, after which it is cut, not inside a character, and says how much is
 *          missing
 */
void copi_line_put_text(struct copi_line *line, enum copi_line_style style, cop_bytes text,
                        size_t room);

/* The same between quotes, as JSON if the line is. */
void copi_line_put_string(struct copi_line *line, cop_bytes text, size_t room);

#endif
