/*
 * supervisor/observe/web_json.c - writing JSON.
 *
 * Room: supervisor/observe/, libcoppice-web.
 * Touch freely: all of it.
 *
 * What a process can name may be anything. <, > and & are escaped, too: so the text is harmless also where
 * somebody puts it into a page as it is. What is no UTF-8 becomes U+FFFD, byte by byte, since a reader would
 * refuse the whole text for one such byte.
 */
#include "supervisor/observe/web_json.h"

#include "runtime/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

int
copi_json_begin(struct copi_json *json)
{
    *json = (struct copi_json){.is_first = true};
    json->file = open_memstream(&json->data, &json->size);
    return json->file ? 0 : -ENOMEM;
}

int
copi_json_take(struct copi_json *json, char **out, size_t *size)
{
    bool failed = ferror(json->file) != 0;
    failed = fclose(json->file) != 0 || failed;
    if (failed) {
        free(json->data);
        return -ENOMEM;
    }
    *out = json->data;
    *size = json->size;
    return 0;
}

/* ---------------------------------------------------------------- strings */

static bool
is_plain(unsigned char byte)
{
    return byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\' && byte != '<' && byte != '>'
           && byte != '&';
}

static void
put_string(FILE *file, const char *string)
{
    const unsigned char *at = (const unsigned char *)string;
    (void)fputc('"', file);
    while (*at) {
        size_t size = copi_utf8_size(at, SIZE_MAX);
        if (size > 1 || is_plain(*at)) {
            (void)fwrite(at, 1, size, file);
        } else {
            (void)fprintf(file, "\\u%04x", size == 0 ? 0xFFFDU : *at);
        }
        at += size ? size : 1;
    }
    (void)fputc('"', file);
}

/* ---------------------------------------------------------------- values */

static void
put_key(struct copi_json *json, const char *key)
{
    if (!json->is_first) {
        (void)fputc(',', json->file);
    }
    json->is_first = false;
    if (key) {
        put_string(json->file, key);
        (void)fputc(':', json->file);
    }
}

void
copi_json_open(struct copi_json *json, const char *key, char bracket)
{
    put_key(json, key);
    (void)fputc(bracket, json->file);
    json->is_first = true;
}

void
copi_json_close(struct copi_json *json, char bracket)
{
    (void)fputc(bracket, json->file);
    json->is_first = false;
}

void
copi_json_string(struct copi_json *json, const char *key, const char *value)
{
    put_key(json, key);
    if (value) {
        put_string(json->file, value);
    } else {
        (void)fputs("null", json->file);
    }
}

void
copi_json_number(struct copi_json *json, const char *key, int64_t value)
{
    put_key(json, key);
    (void)fprintf(json->file, "%" PRId64, value);
}

void
copi_json_boolean(struct copi_json *json, const char *key, bool value)
{
    put_key(json, key);
    (void)fputs(value ? "true" : "false", json->file);
}
