/*
 * demos/kv/server.h - the way in: a listening socket, and the process that accepts clients.
 *
 * Room: demos/.
 */
#ifndef DEMOS_KV_SERVER_H
#define DEMOS_KV_SERVER_H

#include <coppice.h>

#define CONNECTION_SUPERVISOR "kv.connection_supervisor"

/*
 * Listen; where the service manager has opened a socket for us, on that one. The listener is the calling
 * process's. Errors as cop_listen.
 */
int server_listen(const char *host, unsigned port, cop_socket *listener);

/* The acceptor: accepts from the listener that is its argument, a cop_socket, until it is stopped. */
int server_accept(cop_bytes arg);

#endif
