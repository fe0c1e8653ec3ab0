/*
 * actors/socket.c - TCP and Unix sockets: connecting, and what can be done with one.
 *
 * Room: actors/. Any thread. What lies behind it: wire.c. Those that listen: listener.c.
 * Touch freely: defaults. Ask first: the flags; a descriptor without CLOEXEC leaks into children, a
 * blocking one makes the library wait under a lock, a write without MSG_NOSIGNAL kills the program.
 */
#include "actors/socket.h"

#include "actors/address.h"
#include "runtime/process.h"
#include "runtime/table.h"

#include <coppice/process.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

/* ---------------------------------------------------------------- options */

#define DEFAULT_SEND_LIMIT ((size_t)256 * 1024)
#define DEFAULT_LINGER     COP_SEC(5)

enum {
    DEFAULT_BACKLOG = 511
};

int
copi_socket_options(struct copi_wire_options *options, const cop_socket_opts *given)
{
    cop_socket_opts known = {0};
    if (given) {
        memcpy(&known, given, given->size < sizeof known ? given->size : sizeof known);
    }
    if (known.backlog < 0 || known.send_limit > SIZE_MAX / 4 || known.mode > 0777) {
        return -EINVAL;
    }
    *options = (struct copi_wire_options){
        .send_limit = known.send_limit ? known.send_limit : DEFAULT_SEND_LIMIT,
        .linger = known.linger == 0  ? DEFAULT_LINGER
                  : known.linger > 0 ? known.linger
                                     : 0,
        .backlog = known.backlog ? known.backlog : DEFAULT_BACKLOG,
        .delay = known.delay,
        .mode = known.mode,
    };
    return copi_framing_set(&options->framing, known.framing, known.max_frame);
}

int
copi_socket_new(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    return fd;
}

/* Messages are sent whole, so waiting for more of them would only delay them; and a peer that lost its
 * power is found out in the end. Of no use to a Unix socket, which says so, and no harm. */
void
copi_socket_tune(int fd, const struct copi_wire_options *options)
{
    const int yes = 1, no_delay = !options->delay;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
}

/* ---------------------------------------------------------------- connecting */

/* On the stack of who connects, whose end may come at each wait. */
struct attempt {
    struct copi_addresses addresses;
    cop_time deadline;
    int fd; /* -1: none */
};

static void
close_attempt(struct attempt *attempt)
{
    if (attempt->fd >= 0) {
        close(attempt->fd);
        attempt->fd = -1;
    }
}

static void
give_up(void *arg)
{
    struct attempt *attempt = arg;
    close_attempt(attempt);
    copi_addresses_free(&attempt->addresses);
}

static cop_time
left(const struct attempt *attempt)
{
    cop_time rest = attempt->deadline == COP_FOREVER ? COP_FOREVER : attempt->deadline - cop_now();
    return rest > 0 ? rest : 0;
}

static int
error_of(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? -error : -errno;
}

/* A Unix listener whose backlog is full cannot be waited for, only asked again. */
static int
await_backlog(const struct attempt *attempt)
{
    cop_time rest = left(attempt), pause = COP_MS(5);
    return rest == 0 ? -ETIMEDOUT : cop_sleep(rest < pause ? rest : pause);
}

static int
connect_to(const struct sockaddr *address, socklen_t size, struct attempt *attempt)
{
    int r = 0;
    while (r == 0 && connect(attempt->fd, address, size) != 0) {
        int error = errno;
        if (error == EINPROGRESS) {
            r = cop_wait_fd(attempt->fd, POLLOUT, left(attempt));
            return r ? r : error_of(attempt->fd);
        }
        r = error == EAGAIN ? await_backlog(attempt) : -error;
    }
    return r;
}

static int
try_address(const struct sockaddr *address, socklen_t size, void *env)
{
    struct attempt *attempt = env;
    int fd = copi_socket_new(address->sa_family);
    if (fd < 0) {
        return fd;
    }
    attempt->fd = fd;
    int r = connect_to(address, size, attempt);
    if (r) {
        close_attempt(attempt);
    }
    return r;
}

static int
begin_attempt(struct attempt *attempt, const char *address)
{
    int r = copi_addresses_find(&attempt->addresses, address, false);
    if (r == 0 && (r = cop_defer(give_up, attempt))) {
        give_up(attempt);
    }
    return r;
}

static int
open_connection(struct attempt *attempt, cop_socket *out, const struct copi_wire_options *options)
{
    const struct copi_wire_start start = {
        .kind = &copi_wire_stream,
        .options = options,
        .fd = attempt->fd,
        .owner = cop_self(),
    };
    copi_socket_tune(attempt->fd, options);
    int r = copi_wire_open(&out->id, &start);
    if (r == 0) {
        attempt->fd = -1;
    }
    return r;
}

int
cop_connect_with(cop_socket *out, const char *address, cop_time timeout,
                 const cop_socket_opts *opts)
{
    struct copi_process *self;
    struct copi_wire_options options;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    r = timeout < 0 ? -EINVAL : copi_socket_options(&options, opts);
    if (r) {
        return copi_fail(r);
    }
    struct attempt attempt = {.deadline = copi_deadline(timeout), .fd = -1};
    r = begin_attempt(&attempt, address);
    if (r) {
        return r;
    }
    r = copi_addresses_try(&attempt.addresses, try_address, &attempt);
    if (r == 0) {
        r = open_connection(&attempt, out, &options);
    }
    cop_undefer(give_up, &attempt, true);
    return r && r != -ECANCELED ? copi_fail(r) : r;
}

/* ---------------------------------------------------------------- what is the owner's */

int
cop_socket_active_once(cop_socket socket)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, socket.id, false);
    return r ? r : copi_wire_leave(wire, copi_wire_want(wire));
}

int
cop_socket_set_framing(cop_socket socket, cop_framing framing, size_t max_frame)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, socket.id, false);
    if (r) {
        return r;
    }
    r = wire->kind->listens ? -EOPNOTSUPP
                            : copi_framing_set(&wire->options.framing, framing, max_frame);
    return copi_wire_leave(wire, r);
}

int
cop_socket_give(cop_socket socket, cop_pid to)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, socket.id, false);
    return r ? r : copi_wire_leave(wire, copi_wire_give(wire, copi_resolve(to)));
}

int
cop_socket_writable_once(cop_socket socket)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, socket.id, false);
    if (r) {
        return r;
    }
    return copi_wire_leave(wire, wire->kind->listens ? -EOPNOTSUPP : copi_wire_tell_room(wire));
}

/* ---------------------------------------------------------------- sending */

int
cop_send_bytes(cop_socket socket, cop_bytes bytes, cop_time timeout)
{
    return copi_wire_send_or_wait(socket.id, false, bytes, timeout);
}

int
cop_socket_shutdown_write(cop_socket socket)
{
    struct copi_wire *wire;
    int r = copi_wire_enter(&wire, socket.id, false);
    if (r) {
        return r;
    }
    if (wire->kind->listens) {
        r = -EOPNOTSUPP;
    } else {
        copi_wire_shut_out(wire);
    }
    return copi_wire_leave(wire, r);
}

/* ---------------------------------------------------------------- the rest */

int
cop_socket_close(cop_socket socket)
{
    struct copi_wire *wire;
    int r = copi_wire_enter(&wire, socket.id, false);
    if (r == 0 && (r = copi_wire_close(wire))) {
        copi_fail(r);
    }
    return r;
}

static int
address_of(cop_socket socket, int (*which)(int fd, struct sockaddr *address, socklen_t *size),
           char *out, size_t out_size)
{
    struct copi_wire *wire;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int r = copi_wire_enter(&wire, socket.id, false);
    if (r) {
        return r;
    }
    r = which(wire->fd, (struct sockaddr *)&address, &size) == 0 ? 0 : -errno;
    copi_wire_unlock(wire);
    r = r ? r : copi_address_text((struct sockaddr *)&address, size, out, out_size);
    return r ? copi_fail(r) : 0;
}

static int
own_name(int fd, struct sockaddr *address, socklen_t *size)
{
    return getsockname(fd, address, size);
}

static int
peers_name(int fd, struct sockaddr *address, socklen_t *size)
{
    return getpeername(fd, address, size);
}

int
cop_socket_address(cop_socket socket, char *out, size_t size)
{
    return address_of(socket, own_name, out, size);
}

int
cop_socket_peer(cop_socket socket, char *out, size_t size)
{
    return address_of(socket, peers_name, out, size);
}

bool
cop_data_of(cop_msg msg, cop_socket *socket, cop_bytes *bytes)
{
    if (msg.tag != COP_MSG_DATA) {
        return false;
    }
    if (socket) {
        memcpy(socket, msg.body.data, sizeof *socket);
    }
    bytes->data = (const char *)msg.body.data + sizeof *socket;
    bytes->size = msg.body.size - sizeof *socket - 1;
    return true;
}
