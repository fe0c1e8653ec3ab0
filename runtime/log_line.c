/*
 * runtime/log_line.c - a line that fills, and in which nothing can be mistaken for another.
 *
 * Room: runtime/. Any thread. Takes no memory and no lock.
 * Touch freely: how much is looked at together. Ask first: what is escaped, and how.
 */
#include "runtime/log_line.h"

#include "runtime/utf8.h"

#include <stdio.h>
#include <string.h>

void
copi_line_put_bytes(struct copi_line *line, const char *bytes, size_t size)
{
    line->is_full = line->is_full || (size_t)(line->end - line->at) < size;
    if (!line->is_full) {
        memcpy(line->at, bytes, size);
        line->at += size;
    }
}

void
copi_line_put(struct copi_line *line, const char *words)
{
    copi_line_put_bytes(line, words, strlen(words));
}

/* ---------------------------------------------------------------- characters */

/* Also those that terminals take for commands: U+0080 to U+009F. */
static bool
is_control(const unsigned char *at, size_t size)
{
    return size == 1 ? at[0] < ' ' || at[0] == 0x7f : size == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

static void
put_byte_in_hex(struct copi_line *line, enum copi_line_style style, unsigned char byte)
{
    char escape[sizeof "\\u0000"];
    (void)snprintf(escape, sizeof escape, style == COPI_LINE_JSON ? "\\u%04x" : "\\x%02x", byte);
    copi_line_put(line, escape);
}

static void
put_control(struct copi_line *line, enum copi_line_style style, const unsigned char *at,
            size_t size)
{
    static const char named[] = "\n\t\r", names[] = "ntr";
    const char *name = at[0] && size == 1 ? strchr(named, at[0]) : NULL;
    if (name) {
        const char escape[] = {'\\', names[name - named], '\0'};
        copi_line_put(line, escape);
    } else if (style == COPI_LINE_JSON) {
        put_byte_in_hex(line, style, at[size - 1]); /* of two bytes, the second is the number */
    } else {
        for (size_t i = 0; i < size; i++) {
            put_byte_in_hex(line, style, at[i]);
        }
    }
}

/* Returns how many bytes of the text that was: a character, or a byte that is none. */
static size_t
put_character(struct copi_line *line, enum copi_line_style style, const unsigned char *at,
              size_t left)
{
    size_t size = copi_utf8_size(at, left);
    if (size == 0 && style == COPI_LINE_JSON) {
        copi_line_put(line, "\\ufffd");
    } else if (size == 0) {
        put_byte_in_hex(line, style, at[0]);
    } else if (is_control(at, size)) {
        put_control(line, style, at, size);
    } else {
        if (style != COPI_LINE_PLAIN && (at[0] == '"' || at[0] == '\\')) {
            copi_line_put(line, "\\");
        }
        copi_line_put_bytes(line, (const char *)at, size);
    }
    return size ? size : 1;
}

/* ---------------------------------------------------------------- texts */

/* How many bytes from here on are characters that stand for themselves in any style. */
static size_t
plain_part(const unsigned char *at, size_t most)
{
    size_t size = 0;
    while (size < most && at[size] >= ' ' && at[size] < 0x7f && at[size] != '"'
           && at[size] != '\\') {
        size++;
    }
    return size;
}

void
copi_line_put_text(struct copi_line *line, enum copi_line_style style, cop_bytes text, size_t room)
{
    const unsigned char *bytes = text.data;
    size_t done = 0;
    for (const char *end = line->at + room; done < text.size && !line->is_full && line->at < end;) {
        size_t left = text.size - done, here = (size_t)(end - line->at);
        size_t plain = plain_part(bytes + done, left < here ? left : here);
        copi_line_put_bytes(line, (const char *)bytes + done, plain);
        done += plain ? plain : put_character(line, style, bytes + done, left);
    }
    if (done < text.size) {
        char cut[COPI_LINE_CUT];
        (void)snprintf(cut, sizeof cut, "...(+%zu bytes)", text.size - done);
        copi_line_put(line, cut);
    }
}

void
copi_line_put_string(struct copi_line *line, cop_bytes text, size_t room)
{
    copi_line_put(line, "\"");
    copi_line_put_text(line, line->is_json ? COPI_LINE_JSON : COPI_LINE_QUOTED, text, room);
    copi_line_put(line, "\"");
}
