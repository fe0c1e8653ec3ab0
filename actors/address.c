/*
 * actors/address.c - addresses of sockets, as text and as the system has them.
 *
 * Room: actors/. Any thread.
 * Touch freely: all of it, inside the contract of coppice/socket.h.
 */
#include "actors/address.h"

#include "runtime/process.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const char unix_prefix[] = "unix:";

/* ---------------------------------------------------------------- from text */

/* A name that begins with 0 is none of the file system; it ends where its size says. */
static int
find_unix(struct copi_addresses *addresses, const char *path)
{
    size_t length = strlen(path);
    bool is_abstract = path[0] == '@';
    if (length == 0 || (is_abstract && length == 1)) {
        return copi_fail(-EINVAL);
    }
    if (length >= sizeof addresses->unix_name.sun_path) {
        return copi_fail(-ENAMETOOLONG);
    }
    addresses->unix_name.sun_family = AF_UNIX;
    memcpy(addresses->unix_name.sun_path, path, length);
    if (is_abstract) {
        addresses->unix_name.sun_path[0] = '\0';
    }
    addresses->unix_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    return 0;
}

/* "host:port" or "[host]:port" in its two parts. */
static int
split(const char *text, char host[NI_MAXHOST], char port[NI_MAXSERV])
{
    const char *colon = strrchr(text, ':');
    if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) >= NI_MAXSERV) {
        return -EINVAL;
    }
    size_t length = (size_t)(colon - text);
    if (length > 1 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    } else if (memchr(text, ':', length)) {
        return -EINVAL; /* an IPv6 address needs its brackets */
    }
    if (length >= NI_MAXHOST) {
        return -EINVAL;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return 0;
}

static int
error_of_resolver(int status)
{
    switch (status) {
    case EAI_SYSTEM:
        return errno ? -errno : -EADDRNOTAVAIL;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_AGAIN:
        return -EAGAIN;
    default:
        return -EADDRNOTAVAIL;
    }
}

static int
fail_to_resolve(const char *text, int status)
{
    int error = error_of_resolver(status);
    cop_reason why = cop_failed(error, "%s: %s", text, gai_strerror(status));
    return copi_fail_why(&why, error);
}

static bool
is_number(const char *host)
{
    return strchr(host, ':') || (host[0] && host[strspn(host, "0123456789.")] == '\0');
}

static int
find_inet(struct copi_addresses *addresses, const char *text, bool to_listen)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int r = split(text, host, port);
    if (r) {
        return copi_fail(r);
    }
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = to_listen ? AI_PASSIVE : AI_ADDRCONFIG,
    };
    bool is_any = host[0] == '\0' || strcmp(host, "*") == 0;
    if (is_number(host)) {
        hints.ai_flags = AI_NUMERICHOST; /* nobody is asked, and nobody waited for */
    }
    copi_blocking_begin();
    int status = getaddrinfo(is_any ? NULL : host, port, &hints, &addresses->found);
    copi_blocking_end();
    return status ? fail_to_resolve(text, status) : 0;
}

int
copi_addresses_find(struct copi_addresses *addresses, const char *text, bool to_listen)
{
    *addresses = (struct copi_addresses){0};
    if (!text) {
        return copi_fail(-EINVAL);
    }
    size_t prefix = sizeof unix_prefix - 1;
    return strncmp(text, unix_prefix, prefix) == 0 ? find_unix(addresses, text + prefix)
                                                   : find_inet(addresses, text, to_listen);
}

void
copi_addresses_free(struct copi_addresses *addresses)
{
    if (addresses->found) {
        freeaddrinfo(addresses->found);
        addresses->found = NULL;
    }
}

int
copi_addresses_try(const struct copi_addresses *addresses,
                   int (*attempt)(const struct sockaddr *address, socklen_t size, void *env),
                   void *env)
{
    if (!addresses->found) {
        return attempt((const struct sockaddr *)&addresses->unix_name, addresses->unix_size, env);
    }
    int r = -EADDRNOTAVAIL;
    for (const struct addrinfo *a = addresses->found; a; a = a->ai_next) {
        r = attempt(a->ai_addr, a->ai_addrlen, env);
        if (r == 0 || r == -ECANCELED) {
            break;
        }
    }
    return r;
}

/* ---------------------------------------------------------------- to text */

/* A path may fill its room without a terminator; the system counts one then, all the same. */
static int
unix_text(const struct sockaddr *address, socklen_t size, char *out, size_t out_size)
{
    struct sockaddr_un name = {0};
    memcpy(&name, address, size < sizeof name ? size : sizeof name);
    size_t length = size - offsetof(struct sockaddr_un, sun_path);
    length = length < sizeof name.sun_path ? length : sizeof name.sun_path;
    const char *mark = "";
    const char *path = name.sun_path;
    if (size <= offsetof(struct sockaddr_un, sun_path)) {
        length = 0; /* a peer that has no name */
    } else if (name.sun_path[0] == '\0') {
        mark = "@";
        path++;
        length--;
    } else {
        length = strnlen(path, length);
    }
    int written =
        snprintf(out, out_size, "%s%s%.*s", unix_prefix, mark, (int)length, length ? path : "");
    return written >= 0 && (size_t)written < out_size ? 0 : -ENOSPC;
}

static int
inet_text(const struct sockaddr *address, socklen_t size, char *out, size_t out_size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const char *before = "", *after = "";
    if (getnameinfo(address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV)
        != 0) {
        return -EAFNOSUPPORT;
    }
    if (address->sa_family == AF_INET6) {
        before = "[";
        after = "]";
    }
    int written = snprintf(out, out_size, "%s%s%s:%s", before, host, after, port);
    return written >= 0 && (size_t)written < out_size ? 0 : -ENOSPC;
}

int
copi_address_text(const struct sockaddr *address, socklen_t size, char *out, size_t out_size)
{
    char text[NI_MAXHOST + NI_MAXSERV];
    int r = address->sa_family == AF_UNIX ? unix_text(address, size, text, sizeof text)
                                          : inet_text(address, size, text, sizeof text);
    if (r == 0 && strlen(text) >= out_size) {
        r = -ENOSPC;
    }
    if (r == 0) {
        memcpy(out, text, strlen(text) + 1);
    }
    return r;
}
