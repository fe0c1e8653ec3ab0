/*
 * demos/kv/resp.c - the Redis protocol, version 2.
 *
 * Room: demos/. Pure functions over bytes; see resp.h.
 *
 * A request is an array of bulk strings,
 *
 *     *2 CRLF $3 CRLF GET CRLF $4 CRLF milk CRLF
 *
 * or, for people with a terminal, a line of words with shell-like quotes. The parser keeps what it
 * has understood of an unfinished frame, so that a large value that arrives in a thousand pieces is
 * looked at once and not a thousand times.
 *
 * Touch freely: the messages. Ask first: the limits; each bounds what a stranger can make us store.
 */
#include "demos/kv/resp.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    AT_START,
    IN_LINE,
    IN_COUNT,
    IN_BULKS
};

/* A length has at most 19 digits; a header line longer than this has none that we would accept. */
#define HEADER_MAX 32

static enum resp_status bad(struct resp_parser *p, const char *format, ...) COP_PRINTF(2, 3);

static enum resp_status
bad(struct resp_parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(p->error, sizeof p->error, format, args);
    va_end(args);
    return RESP_BAD;
}

static bool
add_arg(struct resp_parser *p, size_t at, size_t size)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 16;
        struct resp_arg *args = realloc(p->args, capacity * sizeof *args);
        if (args == NULL) {
            return false;
        }
        p->args = args;
        p->capacity = capacity;
    }
    p->args[p->count++] = (struct resp_arg){at, size};
    return true;
}

/* --- Arrays of bulk strings --- */

/*
 * The number of a header line, "*2 CRLF" or "$64 CRLF"; p->at is its first byte, and on COMPLETE
 * the byte behind it. BAD without a message: the caller knows what the number was for.
 */
static enum resp_status
take_number(struct resp_parser *p, const char *frame, size_t size, long *out)
{
    const char *line = frame + p->at + 1;
    size_t there = size - p->at - 1;
    const char *end = memchr(line, '\n', there < HEADER_MAX ? there : HEADER_MAX);
    if (end == NULL) {
        return there < HEADER_MAX ? RESP_MORE : RESP_BAD;
    }
    bool negative = *line == '-';
    const char *digit = line + negative;
    if (end - digit < 2 || end[-1] != '\r') {
        return RESP_BAD;
    }
    long n = 0;
    for (; digit < end - 1; digit++) {
        if (*digit < '0' || *digit > '9' || n > (LONG_MAX - 9) / 10) {
            return RESP_BAD;
        }
        n = 10 * n + (*digit - '0');
    }
    p->at += (size_t)(end + 1 - line) + 1;
    *out = negative ? -n : n;
    return RESP_COMPLETE;
}

/* An array of none, or of fewer than none as some clients send it, is a frame that asks nothing. */
static enum resp_status
parse_count(struct resp_parser *p, const char *frame, size_t size)
{
    long n = 0;
    enum resp_status status = take_number(p, frame, size, &n);
    if (status == RESP_BAD || n > (long)RESP_MAX_ARGS) {
        return bad(p, "Protocol error: invalid multibulk length");
    }
    if (status == RESP_COMPLETE) {
        p->wanted = n > 0 ? (size_t)n : 0;
        p->state = IN_BULKS;
    }
    return status;
}

static enum resp_status
parse_bulk_header(struct resp_parser *p, const char *frame, size_t size)
{
    if (p->at == size) {
        return RESP_MORE;
    }
    if (frame[p->at] != '$') {
        unsigned char got = (unsigned char)frame[p->at];
        return bad(p, "Protocol error: expected '$', got '%c'", isprint(got) ? got : '?');
    }
    long n = 0;
    enum resp_status status = take_number(p, frame, size, &n);
    if (status == RESP_BAD || n < 0 || n > (long)RESP_MAX_BULK) {
        return bad(p, "Protocol error: invalid bulk length");
    }
    if (status == RESP_COMPLETE) {
        if (p->at + (size_t)n + 2 > RESP_MAX_FRAME) {
            return bad(p, "Protocol error: too big request");
        }
        p->bulk = (size_t)n;
        p->in_bulk = true;
    }
    return status;
}

static enum resp_status
parse_bulk(struct resp_parser *p, const char *frame, size_t size)
{
    if (!p->in_bulk) {
        enum resp_status status = parse_bulk_header(p, frame, size);
        if (status != RESP_COMPLETE) {
            return status;
        }
    }
    if (size - p->at < p->bulk + 2) {
        return RESP_MORE;
    }
    if (memcmp(frame + p->at + p->bulk, "\r\n", 2) != 0) {
        return bad(p, "Protocol error: bulk string without CRLF behind it");
    }
    if (!add_arg(p, p->at, p->bulk)) {
        return bad(p, "out of memory");
    }
    p->at += p->bulk + 2;
    p->in_bulk = false;
    return RESP_COMPLETE;
}

/* --- Inline requests --- */

struct line {
    char *text;
    size_t read, write, end; /* write <= read: quotes and escapes only ever shrink */
};

static int
hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The character that an escape inside double quotes stands for; line->read is behind the
 * backslash. */
static char
unescape(struct line *line)
{
    static const char names[] = "nrtba", means[] = "\n\r\t\b\a";
    const char *rest = line->text + line->read;
    if (rest[0] == 'x' && line->end - line->read >= 3) {
        int high = hex_digit(rest[1]), low = hex_digit(rest[2]);
        if (high >= 0 && low >= 0) {
            line->read += 3;
            return (char)(16 * high + low);
        }
    }
    line->read++;
    const char *name = rest[0] ? strchr(names, rest[0]) : NULL;
    if (name != NULL) {
        return means[name - names];
    }
    return rest[0];
}

/* Up to the closing quote, which must end the word. Single quotes know one escape, \'. */
static bool
unquote(struct line *line, char quote)
{
    while (line->read < line->end) {
        char c = line->text[line->read++];
        if (c == quote) {
            return line->read == line->end || isspace((unsigned char)line->text[line->read]);
        }
        if (c == '\\' && line->read < line->end) {
            if (quote == '"') {
                c = unescape(line);
            } else if (line->text[line->read] == '\'') {
                c = line->text[line->read++];
            }
        }
        line->text[line->write++] = c;
    }
    return false;
}

/* One word, unquoted where it stands; line->read is its first byte. */
static bool
take_word(struct line *line)
{
    while (line->read < line->end && !isspace((unsigned char)line->text[line->read])) {
        char c = line->text[line->read++];
        if (c != '"' && c != '\'') {
            line->text[line->write++] = c;
        } else if (!unquote(line, c)) {
            return false;
        }
    }
    return true;
}

static enum resp_status
split_line(struct resp_parser *p, struct line *line)
{
    for (;;) {
        while (line->read < line->end && isspace((unsigned char)line->text[line->read])) {
            line->read++;
        }
        if (line->read == line->end) {
            return RESP_COMPLETE;
        }
        size_t start = line->write = line->read;
        if (!take_word(line)) {
            return bad(p, "Protocol error: unbalanced quotes in request");
        }
        if (!add_arg(p, start, line->write - start)) {
            return bad(p, "out of memory");
        }
    }
}

static enum resp_status
parse_line(struct resp_parser *p, char *frame, size_t size)
{
    size_t limit = size < RESP_MAX_LINE ? size : RESP_MAX_LINE;
    const char *end = memchr(frame + p->scanned, '\n', limit - p->scanned);
    p->scanned = limit;
    if (end == NULL) {
        return limit < RESP_MAX_LINE ? RESP_MORE : bad(p, "Protocol error: too big inline request");
    }
    struct line line = {.text = frame, .end = (size_t)(end - frame)};
    p->at = line.end + 1;
    return split_line(p, &line);
}

enum resp_status
resp_parse(struct resp_parser *p, char *frame, size_t size)
{
    if (p->state == AT_START) {
        if (size == 0) {
            return RESP_MORE;
        }
        p->state = frame[0] == '*' ? IN_COUNT : IN_LINE;
    }
    if (p->state == IN_LINE) {
        return parse_line(p, frame, size);
    }
    enum resp_status status = RESP_COMPLETE;
    if (p->state == IN_COUNT) {
        status = parse_count(p, frame, size);
    }
    while (status == RESP_COMPLETE && p->count < p->wanted) {
        status = parse_bulk(p, frame, size);
    }
    return status;
}

void
resp_next(struct resp_parser *p)
{
    struct resp_arg *args = p->args;
    size_t capacity = p->capacity;
    if (capacity > 1024) {
        free(args);
        args = NULL;
        capacity = 0;
    }
    *p = (struct resp_parser){.args = args, .capacity = capacity};
}

void
resp_free(struct resp_parser *p)
{
    free(p->args);
    *p = (struct resp_parser){0};
}

/* --- Replies --- */

/* printf is most of the cost of a short reply; this is the part of it that a length needs. */
static void
append_number(struct buffer *out, char mark, int64_t n)
{
    char text[24], *at = text + sizeof text;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0) {
        *--at = '-';
    }
    *--at = mark;
    buffer_append(out, at, (size_t)(text + sizeof text - at));
}

void
resp_simple(struct buffer *out, const char *text)
{
    buffer_append(out, "+", 1);
    buffer_append(out, text, strlen(text));
    buffer_append(out, "\r\n", 2);
}

void
resp_integer(struct buffer *out, int64_t n)
{
    append_number(out, ':', n);
}

void
resp_bulk(struct buffer *out, cop_bytes value)
{
    append_number(out, '$', (int64_t)value.size);
    buffer_append(out, value.data, value.size);
    buffer_append(out, "\r\n", 2);
}

void
resp_string(struct buffer *out, const char *value)
{
    resp_bulk(out, (cop_bytes){value, strlen(value)});
}

void
resp_nil(struct buffer *out)
{
    buffer_append(out, "$-1\r\n", 5);
}

void
resp_array(struct buffer *out, size_t count)
{
    append_number(out, '*', (int64_t)count);
}

void
resp_error(struct buffer *out, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\r' || *c == '\n') {
            *c = ' ';
        }
    }
    buffer_append(out, "-", 1);
    buffer_append(out, text, strlen(text));
    buffer_append(out, "\r\n", 2);
}
