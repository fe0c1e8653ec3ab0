/*
 * demos/kv/socket.c - a client's socket.
 *
 * Room: demos/. Runs in the process that has the socket.
 *
 * Touch freely: sizes and times. Ask first: the flags; a descriptor without CLOEXEC leaks into
 * children, a blocking one makes its process deaf, a write without MSG_NOSIGNAL kills the daemon.
 */
#include "demos/kv/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE ((size_t)16 << 10)
#define KEPT_SIZE ((size_t)64 << 10)

int
socket_accept(int listener, struct socket **out)
{
    struct socket *s = malloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (s->fd < 0) {
        int error = -errno;
        free(s);
        return error;
    }
    /* Replies are written whole, so waiting for more of them would only delay them; a peer that
     * lost its power is found out in the end. Neither is needed to serve. */
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    (void)setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    *out = s;
    return 0;
}

void
socket_drop(void *socket)
{
    struct socket *s = socket;
    close(s->fd);
    free(s);
}

int
socket_wait(int fd, int events, cop_time timeout)
{
    int error = cop_wait_fd(fd, events, timeout);
    if (error != -EMFILE && error != -ENFILE) {
        return error;
    }
    cop_time nap = COP_MS(20);
    if (timeout <= nap) {
        error = cop_sleep(timeout);
        return error < 0 ? error : -ETIMEDOUT;
    }
    return cop_sleep(nap);
}

ssize_t
socket_read(struct socket *s, struct buffer *in, cop_time timeout)
{
    cop_time deadline = timeout == COP_FOREVER ? COP_FOREVER : cop_now() + timeout;
    if (in->capacity - in->used < READ_SIZE / 2 && !buffer_reserve(in, READ_SIZE)) {
        return -ENOMEM;
    }
    for (;;) {
        /* Waiting first: after a reply a client thinks, and a read would find nothing. */
        cop_time left = deadline == COP_FOREVER ? COP_FOREVER : deadline - cop_now();
        int error = socket_wait(s->fd, POLLIN, left > 0 ? left : 0);
        if (error < 0) {
            return error;
        }
        ssize_t n = recv(s->fd, in->data + in->used, in->capacity - in->used, 0);
        if (n >= 0) {
            in->used += (size_t)n;
            return n;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
    }
}

int
socket_write(struct socket *s, struct buffer *out, cop_time patience)
{
    size_t sent = 0;
    if (out->failed) {
        return -ENOMEM;
    }
    while (sent < out->used) {
        ssize_t n = send(s->fd, out->data + sent, out->used - sent, MSG_NOSIGNAL);
        int error = 0;
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            error = socket_wait(s->fd, POLLOUT, patience);
        } else if (errno != EINTR) {
            error = -errno;
        }
        if (error < 0) {
            return error;
        }
    }
    buffer_clear(out, KEPT_SIZE);
    return 0;
}

void
socket_part(struct socket *s)
{
    char waste[4096];
    cop_time deadline = cop_now() + COP_MS(500);
    shutdown(s->fd, SHUT_WR);
    for (;;) {
        cop_time left = deadline - cop_now();
        if (left <= 0 || socket_wait(s->fd, POLLIN, left) < 0) {
            return;
        }
        ssize_t n = recv(s->fd, waste, sizeof waste, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return;
        }
    }
}
