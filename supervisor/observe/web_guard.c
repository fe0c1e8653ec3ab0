/*
 * supervisor/observe/web_guard.c - who may ask: the parts that are only looking at text.
 *
 * Room: supervisor/observe/, libcoppice-web. Pure functions.
 * Touch freely: nothing. Ask first: each rule is there against an attack.
 *
 * Host. A stranger's page may have a name that leads here on its second look-up ("DNS rebinding"): for the
 * browser it is that page's own server then. But the browser tells the name, which is the stranger's. An
 * address cannot be rebound, so addresses are let pass, whatever the port: people forward ports.
 *
 * Origin. A browser sends it with what a page asks of another server, and with every POST. It is let pass
 * only if it is the page that this server has served itself: same scheme, name and port.
 *
 * Token. Compared to the end, whatever differs: so time tells nothing but the length of what was sent.
 */
#include "supervisor/observe/web_guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    LONGEST = 255 /* of a name in the DNS */
};

/* Of "name:80", "[::1]:80" or "name" the name, without brackets; false: it is none of these. */
static bool
name_of(const char *host, char out[LONGEST + 1])
{
    bool is_bracketed = host[0] == '[';
    const char *begin = host + is_bracketed;
    size_t size = strcspn(begin, is_bracketed ? "]" : ":");
    const char *rest = begin + size + (is_bracketed && begin[size] == ']');
    if (size == 0 || size > LONGEST || (is_bracketed && begin[size] != ']')) {
        return false;
    }
    if (*rest == ':') {
        rest++;
        rest += strspn(rest, "0123456789");
    }
    memcpy(out, begin, size);
    out[size] = '\0';
    return *rest == '\0';
}

static bool
is_address(const char *name, bool is_bracketed)
{
    struct in6_addr address;
    return inet_pton(is_bracketed ? AF_INET6 : AF_INET, name, &address) == 1;
}

bool
copi_web_is_our_host(const char *host, const char *const *hosts)
{
    char name[LONGEST + 1];
    if (!name_of(host, name)) {
        return false;
    }
    bool is_ours = is_address(name, host[0] == '[') || strcasecmp(name, "localhost") == 0;
    for (; !is_ours && hosts && *hosts; hosts++) {
        is_ours = strcasecmp(name, *hosts) == 0;
    }
    return is_ours;
}

bool
copi_web_is_our_origin(const char *origin, const char *host)
{
    static const char *const schemes[] = {"http://",
                                          "https://"}; /* a proxy may have encrypted it */
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], size) == 0) {
            return strcasecmp(origin + size, host) == 0;
        }
    }
    return false;
}

bool
copi_web_has_token(const char *authorization, const char *token)
{
    static const char scheme[] = "Bearer ";
    size_t size = strlen(token);
    if (size == 0 || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *given = authorization + sizeof scheme - 1;
    size_t given_size = strlen(given);
    unsigned char differ = given_size != size;
    for (size_t i = 0; i < given_size; i++) {
        differ |= (unsigned char)given[i] ^ (unsigned char)token[i % size];
    }
    return differ == 0;
}
