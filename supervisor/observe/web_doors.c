/*
 * supervisor/observe/web_doors.c - the sockets that listen.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 * Touch freely: how often a free port is looked for. Ask first: what is listened to by default.
 *
 * This machine has two names for itself, and a browser may use either for "localhost". So there are two
 * sockets with one port; where the second is impossible, for there is no IPv6, one does.
 */
#include "supervisor/observe/web_doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

struct name {
    struct sockaddr_storage address;
    socklen_t size;
};

/* ---------------------------------------------------------------- names */

static int
name_of(const char *text, unsigned port, struct name *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&out->address, &v4, sizeof v4);
        out->size = sizeof v4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(&out->address, &v6, sizeof v6);
        out->size = sizeof v6;
        return 0;
    }
    return -EINVAL;
}

static int
port_of(int fd, unsigned *out)
{
    struct name name = {.size = sizeof name.address};
    if (getsockname(fd, (struct sockaddr *)&name.address, &name.size)) {
        return -errno;
    }
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, &name.address, sizeof v4);
    memcpy(&v6, &name.address, sizeof v6);
    *out = ntohs(name.address.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
    return 0;
}

/* ---------------------------------------------------------------- opening */

/* A descriptor, or a negative errno value. */
static int
listen_at(const struct name *name)
{
    const int on = 1;
    int fd = socket(name->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    /* "::" is to mean what it says, and a second door not to be in the first one's way. */
    bool is_v6 = name->address.ss_family == AF_INET6;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)
        || (is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
        || bind(fd, (const struct sockaddr *)&name->address, name->size) || listen(fd, SOMAXCONN)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int
add(struct copi_web_doors *doors, const char *address, unsigned port)
{
    struct name name;
    int r = name_of(address, port, &name);
    int fd = r ? r : listen_at(&name);
    if (fd < 0) {
        return fd;
    }
    doors->fds[doors->count++] = fd;
    return port_of(fd, &doors->port);
}

static bool
is_want_of_v6(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL || error == -EPROTONOSUPPORT;
}

/* Both names of this machine. */
static int
open_both(struct copi_web_doors *doors, unsigned port)
{
    int r = add(doors, "127.0.0.1", port);
    if (r == 0) {
        r = add(doors, "::1", doors->port);
    }
    return doors->count == 1 && is_want_of_v6(r) ? 0 : r;
}

int
copi_web_doors_open(struct copi_web_doors *doors, const char *address, unsigned port)
{
    enum {
        ATTEMPTS = 16 /* what is free for one name need not be free for the other */
    };
    int r = -EADDRINUSE;
    for (int i = 0; r == -EADDRINUSE && i < (port == 0 ? ATTEMPTS : 1); i++) {
        *doors = (struct copi_web_doors){0};
        r = address ? add(doors, address, port) : open_both(doors, port);
        if (r) {
            copi_web_doors_close(doors);
        }
    }
    return r;
}

void
copi_web_doors_close(struct copi_web_doors *doors)
{
    while (doors->count > 0) {
        close(doors->fds[--doors->count]);
    }
}

/* ---------------------------------------------------------------- accepting */

bool
copi_web_doors_is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/* Many may have left again, one after the other; but an error that stays is the door's. */
int
copi_web_doors_accept(int door, struct sockaddr_storage *address, socklen_t *size)
{
    enum {
        PASSED_OVER = 32
    };
    int fd = -1;
    for (int i = 0; fd < 0 && i < PASSED_OVER; i++) {
        *size = sizeof *address;
        fd = accept4(door, (struct sockaddr *)address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || copi_web_doors_is_shortage(-errno))) {
            break;
        }
    }
    return fd >= 0 ? fd : -errno;
}
