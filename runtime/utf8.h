/*
 * runtime/utf8.h - where one character ends and the next begins.
 *
 * Room: runtime/. Knows nobody; without symbols, so that the libraries beside the core may use it.
 */
#ifndef COPI_RUNTIME_UTF8_H
#define COPI_RUNTIME_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool
copi_utf8_continues(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/*
 * How many bytes the character has that begins here; 0: none does. Overlong forms, surrogates and what is above
 * U+10FFFF are none.
 *
 *   left   so many bytes may be looked at; SIZE_MAX: a terminator ends them
 */
static inline size_t
copi_utf8_size(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    size_t size = first < 0x80                     ? 1
                  : first >= 0xc2 && first <= 0xdf ? 2
                  : first >= 0xe0 && first <= 0xef ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
    if (size == 0 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if (!copi_utf8_continues(at[i])) {
            return 0;
        }
    }
    bool is_overlong = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
    bool is_beyond = (first == 0xed && at[1] > 0x9f) || (first == 0xf4 && at[1] > 0x8f);
    return is_overlong || is_beyond ? 0 : size;
}

#endif
