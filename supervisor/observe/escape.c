/*
 * supervisor/observe/escape.c - what anybody may have named, inside a text that others parse.
 *
 * Room: supervisor/observe/.
 * Touch freely: all of it. The rules are those of Prometheus' text format.
 */
#include "supervisor/observe/escape.h"

static bool
continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many bytes the character has that begins here; 0: it is none. Overlong forms, surrogates and
 * what is above U+10FFFF are none. The terminator ends every look. */
static size_t
character_size(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        return continues(at[1]) ? 2 : 0;
    }
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        bool is_overlong = at[0] == 0xE0 && at[1] < 0xA0;
        bool is_surrogate = at[0] == 0xED && at[1] >= 0xA0;
        return continues(at[1]) && continues(at[2]) && !is_overlong && !is_surrogate ? 3 : 0;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        bool is_overlong = at[0] == 0xF0 && at[1] < 0x90;
        bool is_too_large = at[0] == 0xF4 && at[1] >= 0x90;
        bool is_whole = continues(at[1]) && continues(at[2]) && continues(at[3]);
        return is_whole && !is_overlong && !is_too_large ? 4 : 0;
    }
    return 0;
}

static const char *
escaped(char character, enum copi_escape how)
{
    switch (character) {
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '"':
        return how == COPI_ESCAPE_LABEL ? "\\\"" : NULL;
    default:
        return NULL;
    }
}

void
copi_text_escaped(struct copi_text *text, const char *string, enum copi_escape how)
{
    while (*string) {
        const char *instead = escaped(*string, how);
        size_t size = character_size((const unsigned char *)string);
        if (size == 0) {
            instead = "\xEF\xBF\xBD";
            size = 1;
        }
        if (instead) {
            copi_text_string(text, instead);
        } else {
            copi_text_put(text, (cop_bytes){string, size});
        }
        string += size;
    }
}
