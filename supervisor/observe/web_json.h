/*
 * supervisor/observe/web_json.h - writing JSON.
 *
 * Room: supervisor/observe/, libcoppice-web. Whoever owns it, one thread at a time.
 *
 * A key of NULL: an element of an array. The caller closes what he opens; without memory nothing more is
 * written, and copi_json_take says so.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_JSON_H
#define COPI_SUPERVISOR_OBSERVE_WEB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct copi_json {
    FILE *file;
    char *data;
    size_t size;
    bool is_first; /* in what was opened last */
};

/* -ENOMEM. */
int copi_json_begin(struct copi_json *json);

/* All of it, not terminated; the caller's, to free. -ENOMEM: nothing. */
int copi_json_take(struct copi_json *json, char **out, size_t *size);

/* `bracket` is { or [ to open, } or ] to close. */
void copi_json_open(struct copi_json *json, const char *key, char bracket);
void copi_json_close(struct copi_json *json, char bracket);

void copi_json_string(struct copi_json *json, const char *key, const char *value); /* NULL: null */
void copi_json_number(struct copi_json *json, const char *key, int64_t value);
void copi_json_boolean(struct copi_json *json, const char *key, bool value);

#endif
