/*
 * actors/adopt.c - sockets that somebody else has opened.
 *
 * Room: actors/. Any thread.
 */
#include "actors/socket.h"
#include "runtime/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

static int
option_of(int fd, int option, int *value)
{
    socklen_t size = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, option, value, &size) == 0 ? 0 : -errno;
}

/* Which kind it is; -EINVAL: none of ours. */
static int
kind_of(int fd, const struct copi_wire_kind **kind)
{
    int type = 0, listens = 0;
    int r = option_of(fd, SO_TYPE, &type);
    r = r ? r : option_of(fd, SO_ACCEPTCONN, &listens);
    if (r == 0 && type != SOCK_STREAM) {
        r = -EINVAL;
    }
    *kind = listens ? &copi_wire_listener : &copi_wire_stream;
    return r;
}

static int
set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    bool is_set = flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0
                  && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
    return is_set ? 0 : -errno;
}

/* The path of a Unix socket stays whoever's it was. */
static int
adopt(cop_socket *out, int fd, const struct copi_wire_options *options)
{
    struct copi_wire_start start = {.options = options, .fd = fd, .owner = cop_self()};
    int r = kind_of(fd, &start.kind);
    r = r ? r : set_flags(fd);
    if (r) {
        return r;
    }
    if (!start.kind->listens) {
        copi_socket_tune(fd, options);
    }
    return copi_wire_open(&out->id, &start);
}

int
cop_socket_adopt_with(cop_socket *out, int fd, const cop_socket_opts *opts)
{
    struct copi_process *self;
    struct copi_wire_options options;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    r = copi_socket_options(&options, opts);
    r = r ? r : adopt(out, fd, &options);
    return r ? copi_fail(r) : 0;
}
