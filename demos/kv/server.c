/*
 * demos/kv/server.c - the way in.
 *
 * Room: demos/. server_listen runs in main(), server_accept in the acceptor's process.
 *
 * The listening socket is older than the tree and outlives every acceptor: a port that is taken is
 * found out before anything has started, and when an acceptor crashes, clients wait in the backlog
 * for the next and notice nothing. The acceptor only accepts; it talks to nobody.
 *
 * Touch freely: the pauses. Ask first: the owner of an accepted descriptor at every step.
 */
#include "demos/kv/server.h"

#include "demos/kv/connection.h"
#include "demos/kv/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 511

static struct {
    cop_time started; /* before the tree, once */
    unsigned port;
    _Atomic uint64_t connections, commands; /* any process, atomic */
} stats;

/* --- Listening --- */

static int
open_listener(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0
        || bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void
name_listener(int fd, char *address, size_t size)
{
    struct sockaddr_storage a = {0};
    socklen_t length = sizeof a;
    char host[INET6_ADDRSTRLEN] = "?", port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&a, &length) == 0) {
        (void)getnameinfo((struct sockaddr *)&a, length, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    }
    stats.port = (unsigned)strtoul(port, NULL, 10);
    (void)snprintf(address, size, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* What the service manager has opened, if it has: --host and --port are its affair then. */
static int
take_activated(void)
{
    int fd;
    int error = cop_activated_fd(NULL, &fd);
    if (error < 0) {
        return error;
    }
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : fd;
}

static int
listen_on(const char *host, unsigned port, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    int status = getaddrinfo(host, service, &hints, &found);
    if (status != 0) {
        *why = gai_strerror(status);
        return -EADDRNOTAVAIL;
    }
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = open_listener(a);
    }
    freeaddrinfo(found);
    if (fd < 0) {
        *why = cop_strerror(fd);
    }
    return fd;
}

int
server_listen(const char *host, unsigned port, char *address, size_t size, const char **why)
{
    int fd = take_activated();
    if (fd < 0) {
        fd = listen_on(host, port, why);
    }
    if (fd < 0) {
        return fd;
    }
    stats.started = cop_now();
    name_listener(fd, address, size);
    return fd;
}

/* --- Accepting --- */

/* The socket is the message's from here on, and its drop function closes it if the connection is
 * gone. */
static int
hand_over(cop_pid connection, struct socket **s)
{
    int error = cop_send(connection, COP_MSG_MOVE(CONNECTION_SOCKET, *s, sizeof **s, socket_drop));
    if (error == 0) {
        *s = NULL;
    }
    return error;
}

static int
start_connection(struct socket **s)
{
    char id[32];
    (void)snprintf(id, sizeof id, "client-%llu",
                   (unsigned long long)atomic_fetch_add(&stats.connections, 1) + 1);
    const cop_child_spec child = {
        .id = id,
        .worker = connection_run,
        .restart = COP_TEMPORARY,
        .shutdown = COP_SEC(2),
    };
    cop_pid connection;
    int error = cop_supervisor_start_child(cop_named(CONNECTION_SUPERVISOR), &child, &connection);
    return error < 0 ? error : hand_over(connection, s);
}

/* The one thing that is said to a client that there is no room for; it is not waited for. */
static void
refuse(const struct socket *s)
{
    static const char text[] = "-ERR max number of clients reached\r\n";
    (void)send(s->fd, text, sizeof text - 1, MSG_NOSIGNAL);
}

/* The acceptor's end may come while a socket is in its hands. */
static void
drop_if_any(void *arg)
{
    struct socket **s = arg;
    if (*s != NULL) {
        socket_drop(*s);
        *s = NULL;
    }
}

static int
admit(struct socket *s)
{
    int error = cop_defer(drop_if_any, &s);
    if (error < 0) {
        socket_drop(s);
        return error;
    }
    error = start_connection(&s);
    if (error < 0 && error != -ECANCELED) {
        refuse(s);
    }
    cop_undefer(drop_if_any, &s, true);
    return error;
}

/* Accept one client, or wait until there may be one. */
static int
accept_next(int listener)
{
    struct socket *s = NULL;
    int error = socket_accept(listener, &s);
    switch (error) {
    case 0:
        return admit(s);
    case -EAGAIN:
        return socket_wait(listener, POLLIN, COP_FOREVER);
    default:
        return error;
    }
}

/*
 * What accept reports is mostly the client's trouble (it left again, its network is gone) or a
 * shortage: of descriptors, of memory, of threads. The first concerns nobody, the second passes, so
 * the listener pauses and tries again instead of crashing in a circle. A listener that is none is a
 * bug, and a crash.
 */
int
server_accept(cop_bytes arg)
{
    int listener = *(const int *)arg.data;
    for (;;) {
        int error = accept_next(listener);
        switch (error) {
        case 0:
        case -EINTR:
        case -ECONNABORTED:
            break;
        case -ECANCELED:
            return 0;
        case -EBADF:
        case -EINVAL:
        case -ENOTSOCK:
            return error;
        default:
            if (cop_sleep(COP_MS(100)) < 0) {
                return 0;
            }
        }
    }
}

/* --- Counting --- */

struct server_stats
server_stats(void)
{
    return (struct server_stats){
        .started = stats.started,
        .port = stats.port,
        .connections = atomic_load(&stats.connections),
        .commands = atomic_load(&stats.commands),
    };
}

void
server_count_commands(size_t commands)
{
    atomic_fetch_add_explicit(&stats.commands, commands, memory_order_relaxed);
}
