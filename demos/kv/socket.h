/*
 * demos/kv/socket.h - a client's socket: read what is there, write what there is, and wait
 * politely.
 *
 * Room: demos/. Knows <coppice.h>. A socket belongs to one process at a time; it travels from the
 * acceptor to the connection in a message.
 */
#ifndef DEMOS_KV_SOCKET_H
#define DEMOS_KV_SOCKET_H

#include "demos/kv/buffer.h"

#include <coppice.h>

struct socket {
    int fd; /* non-blocking, close-on-exec */
};

/*
 * Accept one client.
 *
 *   out   given: for socket_drop
 *
 * -EAGAIN   nobody waits
 * -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM   no room now; the client keeps waiting in the backlog
 */
int socket_accept(int listener, struct socket **out);

/* Close and free a socket. Fit for a moved message, and for cop_at_exit. */
void socket_drop(void *socket);

/* Say goodbye so that the last reply arrives: closing with unread input would destroy it on the
 * way. */
void socket_part(struct socket *s);

/*
 * Wait for input and append what there is.
 *
 * Returns how many bytes; 0 when the client is gone.
 * -ETIMEDOUT   nothing came in time
 * -ECANCELED   the process was asked to stop
 */
ssize_t socket_read(struct socket *s, struct buffer *in, cop_time timeout);

/*
 * Write all of `out` and empty it.
 *
 * -ETIMEDOUT   the client has taken nothing for `patience`
 * -ENOMEM      `out` is not complete; nothing was written
 */
int socket_write(struct socket *s, struct buffer *out, cop_time patience);

/* Wait until a descriptor is ready. With no descriptor left for the wait itself it is a short
 * sleep: look again. */
int socket_wait(int fd, int events, cop_time timeout);

#endif
