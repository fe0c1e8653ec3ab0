/*
 * tests/actors/sockets.h - a socket of the library's, and a peer that is none.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_ACTORS_SOCKETS_H
#define COPI_TESTS_ACTORS_SOCKETS_H

#include "tests/support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANY_PORT "127.0.0.1:0"

struct ends {
    cop_socket ours;
    int peer; /* a blocking descriptor */
};

static inline cop_socket
listening_at(const char *address, const cop_socket_opts *opts)
{
    cop_socket listener;
    ck_assert_int_eq(cop_listen_with(&listener, address, opts), 0);
    return listener;
}

static inline cop_socket
listening(const cop_socket_opts *opts)
{
    return listening_at(ANY_PORT, opts);
}

/* A read that does not come fails the test, and does not hang it. */
static inline int
connected_fd(const void *address, socklen_t size)
{
    const struct timeval limit = {.tv_sec = 15};
    int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ck_assert_int_eq(connect(fd, address, size), 0);
    return fd;
}

/* Of a listener at a port, or at an abstract name. */
static inline int
peer_of(cop_socket listener)
{
    char text[128];
    ck_assert_int_eq(cop_socket_address(listener, text, sizeof text), 0);
    if (strncmp(text, "unix:@", 6) == 0) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        size_t length = strlen(text + 6);
        memcpy(name.sun_path + 1, text + 6, length);
        return connected_fd(&name,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length));
    }
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(strrchr(text, ':') + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return connected_fd(&address, sizeof address);
}

static inline bool
tells_of_a_connection(const cop_msg *msg, void *unused)
{
    (void)unused;
    return msg->tag == COP_MSG_ACCEPTED;
}

static inline cop_socket
accepted(cop_socket listener)
{
    cop_msg msg;
    cop_socket connection;
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    ck_assert_int_eq(cop_receive_match(&msg, tells_of_a_connection, NULL, SOON), 0);
    ck_assert(cop_accepted_of(msg, &connection));
    return connection;
}

static inline struct ends
connected_at(const char *address, const cop_socket_opts *opts)
{
    cop_socket listener = listening_at(address, opts);
    struct ends ends = {.peer = peer_of(listener)};
    ends.ours = accepted(listener);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    return ends;
}

#define CONNECTED(...) \
 connected_at(ANY_PORT, &(cop_socket_opts){.size = sizeof(cop_socket_opts), __VA_ARGS__})

/* A Unix socket is full when it is full: TCP goes on to make room, as the system sees fit. */
static inline struct ends
connected_locally(const cop_socket_opts *opts)
{
    char name[64];
    (void)snprintf(name, sizeof name, "unix:@coppice-test-%d", (int)getpid());
    return connected_at(name, opts);
}

#define CONNECTED_LOCALLY(...) \
 connected_locally(&(cop_socket_opts){.size = sizeof(cop_socket_opts), __VA_ARGS__})

static inline void
close_ends(struct ends ends)
{
    close(ends.peer);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

static inline void
peer_says(struct ends ends, const void *bytes, size_t size)
{
    ck_assert_int_eq(send(ends.peer, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* So many bytes, or those before the end. */
static inline size_t
peer_hears(struct ends ends, void *bytes, size_t size)
{
    size_t n = 0;
    ssize_t more = 1;
    while (n < size && more > 0) { /* a program that was stopped hears less */
        more = TEMP_FAILURE_RETRY(recv(ends.peer, (char *)bytes + n, size - n, MSG_WAITALL));
        ck_assert_int_ge(more, 0);
        n += (size_t)more;
    }
    return n;
}

static inline void
peer_hears_text(struct ends ends, const char *text)
{
    char heard[256] = {0};
    ck_assert_uint_lt(strlen(text), sizeof heard);
    ck_assert_uint_eq(peer_hears(ends, heard, strlen(text)), strlen(text));
    ck_assert_str_eq(heard, text);
}

static inline void
peer_hears_the_end(struct ends ends)
{
    char c;
    ck_assert_uint_eq(peer_hears(ends, &c, 1), 0);
}

/* The next message of the socket; borrowed until the next one is received. */
static inline cop_bytes
data_that_comes(cop_socket from)
{
    cop_socket socket;
    cop_bytes bytes;
    ck_assert(cop_data_of(test_receive(COP_MSG_DATA), &socket, &bytes));
    ck_assert_uint_eq(socket.id, from.id);
    ck_assert_int_eq(((const char *)bytes.data)[bytes.size], '\0');
    return bytes;
}

static inline cop_bytes
next_data(cop_socket socket)
{
    ck_assert_int_eq(cop_socket_active_once(socket), 0);
    return data_that_comes(socket);
}

static inline void
next_text(cop_socket socket, const char *text)
{
    cop_bytes bytes = next_data(socket);
    ck_assert_uint_eq(bytes.size, strlen(text));
    ck_assert_str_eq(bytes.data, text);
}

static inline int
error_that_comes(cop_socket from)
{
    struct cop_closed closed = *COP_BODY(test_receive(COP_MSG_CLOSED), struct cop_closed);
    ck_assert_uint_eq(closed.socket.id, from.id);
    return closed.error;
}

static inline int
next_error(cop_socket socket)
{
    ck_assert_int_eq(cop_socket_active_once(socket), 0);
    return error_that_comes(socket);
}

/* Send until the bound is reached: how many bytes that were. */
static inline size_t
fill(cop_socket socket)
{
    static const char block[4096];
    size_t sent = 0;
    int r;
    while ((r = cop_send_bytes(socket, COP_BYTES(block), 0)) == 0) {
        sent += sizeof block;
    }
    ck_assert_int_eq(r, -EAGAIN);
    return sent;
}

/* A thread that takes all that comes to the peer, until that ends: how many bytes it was. */
static inline void *
hear_everything(void *arg)
{
    const struct ends *ends = arg;
    static _Thread_local char block[65536];
    size_t total = 0;
    ssize_t n;
    while ((n = recv(ends->peer, block, sizeof block, 0)) > 0) {
        total += (size_t)n;
    }
    return (void *)total; /* NOLINT(performance-no-int-to-ptr) */
}

#endif
