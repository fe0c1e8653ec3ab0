/*
 * supervisor/observe/utf8.h - where one character ends and the next begins.
 *
 * Room: supervisor/observe/. Knows nobody; without symbols, so that the libraries beside the core may use it.
 */
#ifndef COPI_OBSERVE_UTF8_H
#define COPI_OBSERVE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool
copi_utf8_continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many bytes the character has that begins here; 0: it is none. Overlong forms, surrogates and
 * what is above U+10FFFF are none. The terminator ends every look. */
static inline size_t
copi_utf8_size(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        return copi_utf8_continues(at[1]) ? 2 : 0;
    }
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        bool is_overlong = at[0] == 0xE0 && at[1] < 0xA0;
        bool is_surrogate = at[0] == 0xED && at[1] >= 0xA0;
        return copi_utf8_continues(at[1]) && copi_utf8_continues(at[2]) && !is_overlong
                       && !is_surrogate
                   ? 3
                   : 0;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        bool is_overlong = at[0] == 0xF0 && at[1] < 0x90;
        bool is_too_large = at[0] == 0xF4 && at[1] >= 0x90;
        bool is_whole =
            copi_utf8_continues(at[1]) && copi_utf8_continues(at[2]) && copi_utf8_continues(at[3]);
        return is_whole && !is_overlong && !is_too_large ? 4 : 0;
    }
    return 0;
}

#endif
