/*
 * supervisor/observe/escape.c - what anybody may have named, inside a text that others parse.
 *
 * Room: supervisor/observe/.
 * Touch freely: all of it. The rules are those of Prometheus' text format.
 */
#include "supervisor/observe/escape.h"

#include "runtime/utf8.h"

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
        size_t size = copi_utf8_size((const unsigned char *)string, SIZE_MAX);
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
