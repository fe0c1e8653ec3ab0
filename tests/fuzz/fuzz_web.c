/*
 * tests/fuzz/fuzz_web.c - what a stranger may send the page in headers, and names in its JSON.
 *
 * Room: tests/. Linked with web_guard.c and web_json.c.
 *
 * Lines: a Host, an Origin, an Authorization; then what stands in JSON.
 */
#include "supervisor/observe/escape.h"
#include "supervisor/observe/web_guard.h"
#include "supervisor/observe/web_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json.h"

#include <strings.h>

enum {
    LONGEST = 255 /* of names */
};

static const char token[] = "timber";
static const char *const hosts[] = {"daemon.example", NULL};

/* Only the token is the token. */
static void
check_authorization(const char *authorization)
{
    bool is_it =
        strncasecmp(authorization, "Bearer ", 7) == 0 && strcmp(authorization + 7, token) == 0;
    HOLDS(copi_web_has_token(authorization, token) == is_it);
    HOLDS(!copi_web_has_token(authorization, ""));
}

/* A name is ours whatever its port, but none with anything else behind it. */
static void
check_host(const char *host, const char *origin)
{
    bool is_ours = copi_web_is_our_host(host, hosts);
    char with_port[LONGEST + sizeof ":80@"];
    if (is_ours && !strchr(host, ':')) {
        int size = snprintf(with_port, sizeof with_port, "%s:80", host);
        HOLDS(size > 0 && (size_t)size < sizeof with_port - 1);
        HOLDS(copi_web_is_our_host(with_port, hosts));
        with_port[size] = '@';
        with_port[size + 1] = '\0';
        HOLDS(!copi_web_is_our_host(with_port, hosts));
    }
    if (copi_web_is_our_origin(origin, host)) {
        const char *name = strstr(origin, "://");
        HOLDS(name && strcasecmp(name + 3, host) == 0);
    }
}

static void
check_json(struct input input)
{
    struct copi_json json;
    char *text;
    size_t size;
    HOLDS(copi_json_begin(&json) == 0);
    copi_json_open(&json, NULL, '{');
    while (input.size > 0) {
        char *key = take_line(&input), *value = take_line(&input);
        copi_json_string(&json, key, value);
        copi_json_number(&json, value, (int64_t)strlen(key));
        free(key);
        free(value);
    }
    copi_json_close(&json, '}');
    HOLDS(copi_json_take(&json, &text, &size) == 0);
    HOLDS(is_json(text, size));
    free(text);
}

/* A label's value stays between its quotes. */
static void
check_label(const char *value)
{
    struct copi_text text = {0};
    copi_text_escaped(&text, value, COPI_ESCAPE_LABEL);
    bool is_escaped = false;
    for (size_t i = 0; i < text.size; i++) {
        HOLDS(text.data[i] != '\n' && (is_escaped || text.data[i] != '"'));
        is_escaped = !is_escaped && text.data[i] == '\\';
    }
    HOLDS(!is_escaped);
    copi_text_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *host = take_line(&input), *origin = take_line(&input), *authorization = take_line(&input);
    check_host(host, origin);
    check_authorization(authorization);
    check_label(origin);
    check_json(input);
    free(host);
    free(origin);
    free(authorization);
    return 0;
}
