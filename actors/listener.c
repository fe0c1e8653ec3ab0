/*
 * actors/listener.c - sockets that listen.
 *
 * Room: actors/. Any thread; the reactor's.
 * Touch freely: how long it pauses. Ask first: which errors of accept are the listener's.
 *
 * A connection is accepted when its listener's owner asks for one, and belongs to it at once: so it has
 * an owner at every moment, and a message that nobody reads costs no descriptor for longer than that
 * owner lives.
 *
 * Most of what accept reports is the peer's trouble, who has left again; that concerns nobody. A shortage
 * passes: the listener tries again after a pause, since a connection that waits would be ready at once,
 * and again and again.
 */
#include "actors/address.h"
#include "actors/socket.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/send.h"
#include "runtime/timer.h"

#include <errno.h>
#include <unistd.h>

#define PAUSE COP_MS(100)

/* ---------------------------------------------------------------- accepting */

/* The body of COP_MSG_ACCEPTED. */
struct accepted {
    cop_socket listener, connection;
};

bool
cop_accepted_of(cop_msg msg, cop_socket *connection)
{
    if (msg.tag != COP_MSG_ACCEPTED) {
        return false;
    }
    struct accepted accepted;
    memcpy(&accepted, msg.body.data, sizeof accepted);
    *connection = accepted.connection;
    return true;
}

static void
tell_accepted(struct copi_message *message, cop_pid owner, const struct accepted *accepted)
{
    message->tag = COP_MSG_ACCEPTED;
    message->size = sizeof *accepted;
    memcpy(message->body, accepted, sizeof *accepted);
    copi_post(owner, message);
}

static void
try_again(uint64_t id)
{
    struct copi_wire *wire = copi_wire_lock(id);
    if (wire) {
        copi_wire_look(wire);
        copi_wire_unlock(wire);
    }
}

/* 0, or why it cannot even do that. */
static int
pause_listening(struct copi_wire *wire, int error)
{
    if (!wire->has_reported) {
        wire->has_reported = true;
        copi_report(COPI_WARNING, "a listener pauses: %s", cop_strerror(error));
    }
    return copi_timer_call(copi_deadline(PAUSE), try_again, wire->id);
}

static bool
is_shortage(int error)
{
    switch (error) {
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
        return true;
    default:
        return false;
    }
}

static bool
is_listeners(int error)
{
    switch (error) {
    case -EBADF:
    case -EINVAL:
    case -ENOTSOCK:
    case -EOPNOTSUPP:
    case -EFAULT:
        return true;
    default:
        return false;
    }
}

/* That of a peer who has left before it was its turn, say. */
static bool
concerns_nobody(int error)
{
    return error != -EAGAIN && !is_shortage(error) && !is_listeners(error);
}

/* A descriptor, or a negative errno value; -EAGAIN: none is waiting. */
static int
accept_next(const struct copi_wire *wire)
{
    int fd;
    do {
        fd = accept4(wire->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && concerns_nobody(-errno));
    return fd >= 0 ? fd : -errno;
}

/* The lock is let go, as no wire is locked under another. */
static void
hand_out(struct copi_wire *wire, int fd, struct copi_wire *record)
{
    struct copi_message *message = wire->answer;
    const struct copi_wire_options options = wire->options;
    struct accepted accepted = {.listener.id = wire->id};
    const struct copi_wire_start start = {
        .kind = &copi_wire_stream,
        .options = &options,
        .fd = fd,
        .owner = wire->owner,
    };
    wire->answer = NULL;
    wire->is_wanted = wire->has_reported = false;
    copi_wire_unlock(wire);
    copi_socket_tune(fd, &options);
    if (copi_wire_begin(&accepted.connection.id, record, &start) == 0) {
        tell_accepted(message, start.owner, &accepted);
    } else { /* who asked has ended */
        close(fd);
        copi_message_free(message);
    }
    copi_wire_relock(wire);
}

/* With a record in hand before: a connection that is accepted cannot be put back. */
static int
accept_one(struct copi_wire *wire, struct copi_wire *record)
{
    int fd = accept_next(wire);
    if (fd >= 0) {
        hand_out(wire, fd, record);
        return 0;
    }
    copi_wire_put_back(record);
    if (fd == -EAGAIN) {
        return copi_reactor_arm(&wire->readable, wire->fd, COP_IO_READ);
    }
    return is_shortage(fd) ? pause_listening(wire, fd) : fd;
}

static int
look(struct copi_wire *wire)
{
    struct copi_wire *record;
    if (!wire->is_wanted) {
        return 0;
    }
    int r = copi_wire_take(&record);
    return r ? pause_listening(wire, r) : accept_one(wire, record);
}

static void
tell_broken(struct copi_wire *wire)
{
    const struct cop_closed closed = {.socket.id = wire->id, .error = wire->in_error};
    copi_wire_tell(wire, COP_MSG_CLOSED, COP_BYTES(closed));
}

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
    .look = look,
    .tell_end = tell_broken,
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
