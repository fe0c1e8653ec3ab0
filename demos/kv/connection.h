/*
 * demos/kv/connection.h - one client: a process for as long as it stays.
 *
 * Room: demos/.
 */
#ifndef DEMOS_KV_CONNECTION_H
#define DEMOS_KV_CONNECTION_H

#include <coppice.h>

/* The message that tells a connection of its socket, a cop_socket, which it has been given. */
#define CONNECTION_SOCKET 1

/* The connection's function. It ends when the client leaves, breaks the protocol, or stops reading;
 * none of these is a crash. */
int connection_run(cop_bytes arg);

#endif
