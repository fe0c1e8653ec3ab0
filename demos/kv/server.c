/*
 * demos/kv/server.c - the way in.
 *
 * Room: demos/. server_listen runs in main(), server_accept in the acceptor's process.
 *
 * The listener is main's: it is older than the tree and outlives every acceptor. So a port that is taken is
 * found out before anything has started, and when an acceptor crashes, clients wait in the backlog for the
 * next and notice nothing. The acceptor only accepts; it talks to nobody.
 *
 * Touch freely: nothing. Ask first: who owns a client's socket at every step; it is the acceptor's until it
 * was given.
 */
#include "demos/kv/server.h"

#include "demos/kv/connection.h"
#include "demos/kv/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- Listening --- */

/* What the service manager has opened, if it has: --host and --port are its affair then. */
static int
adopt_activated(cop_socket *listener)
{
    int fd;
    int error = cop_activated_fd(NULL, &fd);
    if (error == 0 && (error = cop_socket_adopt(listener, fd)) < 0) {
        close(fd);
    }
    return error;
}

int
server_listen(const char *host, unsigned port, cop_socket *listener)
{
    char address[256];
    int error = adopt_activated(listener);
    if (error == -ENOENT) {
        (void)snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                       port);
        error = cop_listen(listener, address);
    }
    if (error == 0) {
        error = cop_socket_address(*listener, address, sizeof address);
    }
    if (error == 0) {
        const char *colon = strrchr(address, ':');
        stats_begin((unsigned)strtoul(colon + 1, NULL, 10));
    }
    return error;
}

/* --- Accepting --- */

static int
start_connection(cop_pid *connection)
{
    char id[32];
    (void)snprintf(id, sizeof id, "client-%llu", (unsigned long long)stats_client_came());
    const cop_child_spec child = {
        .id = id,
        .worker = connection_run,
        .restart = COP_TEMPORARY,
        .shutdown = COP_SEC(2),
    };
    return cop_supervisor_start_child(cop_named(CONNECTION_SUPERVISOR), &child, connection);
}

/* The one thing that is said to a client for whom there is no room is not waited for. */
static void
admit(cop_socket client)
{
    cop_pid connection;
    int error = start_connection(&connection);
    if (error == 0 && (error = cop_socket_give(client, connection)) == 0) {
        (void)cop_send(connection, COP_MSG_OF(CONNECTION_SOCKET, client));
    }
    if (error < 0) {
        cop_log(COP_LOG_WARNING, "no room for a client", COP_KV("why", cop_strerror(error)));
        (void)cop_send_bytes(client, COP_TEXT("-ERR max number of clients reached\r\n"), 0);
        (void)cop_socket_close(client);
    }
}

int
server_accept(cop_bytes arg)
{
    cop_socket client;
    int error;
    while ((error = cop_accept(*(const cop_socket *)arg.data, &client, COP_FOREVER)) == 0) {
        admit(client);
    }
    return error;
}
