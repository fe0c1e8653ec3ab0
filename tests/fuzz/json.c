/*
 * tests/fuzz/json.c - whether a text is JSON.
 *
 * Room: tests/. Pure. Written from the grammar of RFC 8259, and not after what writes JSON here.
 */
#include "tests/fuzz/json.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct text {
    const char *at, *end;
    unsigned depth;
};

enum {
    DEEPEST = 64
};

static bool take_value(struct text *text);

static bool
take(struct text *text, char wanted)
{
    bool is_there = text->at < text->end && *text->at == wanted;
    text->at += is_there;
    return is_there;
}

static bool
take_word(struct text *text, const char *word)
{
    size_t length = strlen(word);
    bool is_there = (size_t)(text->end - text->at) >= length && memcmp(text->at, word, length) == 0;
    text->at += is_there ? length : 0;
    return is_there;
}

static size_t
take_digits(struct text *text)
{
    const char *first = text->at;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        text->at++;
    }
    return (size_t)(text->at - first);
}

static bool
take_number(struct text *text)
{
    (void)take(text, '-');
    bool is_zero = take(text, '0');
    if (!is_zero && take_digits(text) == 0) {
        return false;
    }
    if (take(text, '.') && take_digits(text) == 0) {
        return false;
    }
    if (take(text, 'e') || take(text, 'E')) {
        (void)(take(text, '+') || take(text, '-'));
        return take_digits(text) > 0;
    }
    return true;
}

static bool
take_escape(struct text *text)
{
    if (!take(text, 'u')) {
        bool is_known = text->at < text->end && *text->at && strchr("\"\\/bfnrt", *text->at);
        text->at += is_known;
        return is_known;
    }
    for (int i = 0; i < 4; i++, text->at++) {
        if (text->at == text->end || !*text->at || !strchr("0123456789abcdefABCDEF", *text->at)) {
            return false;
        }
    }
    return true;
}

/* A character above ASCII, as the definition of UTF-8 has it: by its number. */
static bool
take_wide(struct text *text)
{
    unsigned first = (unsigned char)*text->at;
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    unsigned long number = first & (0x3fU >> more);
    static const unsigned long least[] = {0, 0x80, 0x800, 0x10000};
    if (first < 0xc0 || first > 0xf7 || (size_t)(text->end - text->at) <= more) {
        return false;
    }
    for (size_t i = 1; i <= more; i++) {
        unsigned byte = (unsigned char)text->at[i];
        if ((byte & 0xc0) != 0x80) {
            return false;
        }
        number = number << 6 | (byte & 0x3f);
    }
    text->at += more + 1;
    return number >= least[more] && number <= 0x10ffff && !(number >= 0xd800 && number <= 0xdfff);
}

static bool
take_string(struct text *text)
{
    if (!take(text, '"')) {
        return false;
    }
    while (text->at < text->end && *text->at != '"') {
        unsigned char byte = (unsigned char)*text->at;
        if (byte < ' ') {
            return false;
        }
        if (byte >= 0x80) {
            if (!take_wide(text)) {
                return false;
            }
        } else {
            text->at++;
            if (byte == '\\' && !take_escape(text)) {
                return false;
            }
        }
    }
    return take(text, '"');
}

static bool
take_member(struct text *text, bool is_object)
{
    return (!is_object || (take_string(text) && take(text, ':'))) && take_value(text);
}

static bool
take_many(struct text *text, bool is_object)
{
    char closes = '}';
    if (!is_object) {
        closes = ']';
    }
    if (take(text, closes)) {
        return true;
    }
    do {
        if (!take_member(text, is_object)) {
            return false;
        }
    } while (take(text, ','));
    return take(text, closes);
}

static bool
take_value(struct text *text)
{
    if (text->at == text->end || text->depth == DEEPEST) {
        return false;
    }
    if (*text->at == '{' || *text->at == '[') {
        bool is_object = *text->at++ == '{';
        text->depth++;
        bool is_fine = take_many(text, is_object);
        text->depth--;
        return is_fine;
    }
    if (*text->at == '"') {
        return take_string(text);
    }
    return take_word(text, "null") || take_word(text, "true") || take_word(text, "false")
           || take_number(text);
}

bool
is_json(const char *text, size_t size)
{
    struct text rest = {.at = text, .end = text + size};
    return take_value(&rest) && rest.at == rest.end;
}
