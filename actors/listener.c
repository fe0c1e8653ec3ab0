/*
 * actors/listener.c - sockets that listen: where, and what becomes of a Unix socket's path.
 *
 * Room: actors/. Any thread. How they accept: accept.c.
 */
#include "actors/address.h"
#include "actors/socket.h"
#include "runtime/process.h"

#include <errno.h>
#include <unistd.h>

/* ---------------------------------------------------------------- Unix paths */

/* The path that a socket has in the file system; false: none. */
static bool
path_of(int fd, struct sockaddr_un *name)
{
    socklen_t size = sizeof *name;
    memset(name, 0, sizeof *name);
    return getsockname(fd, (struct sockaddr *)name, &size) == 0 && name->sun_family == AF_UNIX
           && size > offsetof(struct sockaddr_un, sun_path) && name->sun_path[0] != '\0';
}

/* Unless somebody has put something else there. */
static void
remove_path(struct copi_wire *wire)
{
    struct sockaddr_un name;
    struct stat status;
    if (wire->inode && path_of(wire->fd, &name) && lstat(name.sun_path, &status) == 0
        && status.st_ino == wire->inode && status.st_dev == wire->device) {
        unlink(name.sun_path);
    }
}

const struct copi_wire_kind copi_wire_listener = {
    .look = copi_accept_look,
    .tell_end = copi_accept_tell_broken,
    .closes = remove_path,
    .listens = true,
};

/* Before it is bound: the path begins with it, and nobody slips in between. */
static int
set_mode(int fd, int family, unsigned mode)
{
    return family == AF_UNIX && mode && fchmod(fd, mode) != 0 ? -errno : 0;
}

/* Whether it is a socket at which nobody listens: its last owner had no time to remove it. */
static bool
is_stale(const struct sockaddr *address, socklen_t size)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)address;
    struct stat status;
    if (name->sun_path[0] == '\0' || lstat(name->sun_path, &status) != 0
        || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int fd = copi_socket_new(AF_UNIX);
    bool is_refused = fd >= 0 && connect(fd, address, size) != 0 && errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return is_refused;
}

/* ---------------------------------------------------------------- listening */

static int
bind_to(int fd, const struct sockaddr *address, socklen_t size)
{
    if (bind(fd, address, size) == 0) {
        return 0;
    }
    int r = -errno;
    if (r == -EADDRINUSE && address->sa_family == AF_UNIX && is_stale(address, size)) {
        const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)address;
        unlink(name->sun_path);
        r = bind(fd, address, size) == 0 ? 0 : -errno;
    }
    return r;
}

struct listening {
    const struct copi_wire_options *options;
    int fd;
    struct stat path; /* inode 0: none */
};

static void
look_at_path(struct listening *listening)
{
    struct sockaddr_un name;
    if (!path_of(listening->fd, &name) || lstat(name.sun_path, &listening->path) != 0) {
        listening->path = (struct stat){0};
    }
}

static int
listen_at(const struct sockaddr *address, socklen_t size, void *env)
{
    struct listening *listening = env;
    const int yes = 1;
    int fd = copi_socket_new(address->sa_family);
    if (fd < 0) {
        return fd;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    int r = set_mode(fd, address->sa_family, listening->options->mode);
    r = r ? r : bind_to(fd, address, size);
    if (r == 0 && listen(fd, listening->options->backlog) != 0) {
        r = -errno;
    }
    if (r) {
        close(fd);
        return r;
    }
    listening->fd = fd;
    look_at_path(listening);
    return 0;
}

static int
open_listener(cop_socket *out, const struct listening *listening)
{
    const struct copi_wire_start start = {
        .kind = &copi_wire_listener,
        .options = listening->options,
        .fd = listening->fd,
        .owner = cop_self(),
        .path = &listening->path,
    };
    int r = copi_wire_open(&out->id, &start);
    if (r) {
        close(listening->fd);
    }
    return r;
}

int
cop_listen_with(cop_socket *out, const char *address, const cop_socket_opts *opts)
{
    struct copi_process *self;
    struct copi_wire_options options;
    struct copi_addresses addresses;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    r = copi_socket_options(&options, opts);
    if (r) {
        return copi_fail(r);
    }
    r = copi_addresses_find(&addresses, address, true);
    if (r) {
        return r;
    }
    struct listening listening = {.options = &options};
    r = copi_addresses_try(&addresses, listen_at, &listening);
    copi_addresses_free(&addresses);
    r = r ? r : open_listener(out, &listening);
    return r ? copi_fail(r) : 0;
}
