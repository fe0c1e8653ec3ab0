/*
 * demos/kv/server.h - the way in: a listening socket, and the process that accepts clients.
 *
 * Room: demos/.
 */
#ifndef DEMOS_KV_SERVER_H
#define DEMOS_KV_SERVER_H

#include <coppice.h>

#define CONNECTION_SUPERVISOR "kv.connection_supervisor"

struct server_stats {
    cop_time started;
    unsigned port;
    uint64_t connections, commands; /* since the start */
};

/*
 * Listen; where the service manager has opened a socket for us, on that one.
 *
 *   address   given: "127.0.0.1:7379", where it listens
 *   why       given: what failed, for people
 *
 * Returns the descriptor, or a negative errno value.
 */
int server_listen(const char *host, unsigned port, char *address, size_t size, const char **why);

/* The acceptor: accepts from the descriptor that is its argument, an int, until it is stopped. */
int server_accept(cop_bytes arg);

struct server_stats server_stats(void);

void server_count_commands(size_t commands);

#endif
