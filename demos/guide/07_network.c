/*
 * demos/guide/07_network.c - a network daemon: one accepts, and each connection has a process.
 *
 * Room: demos/. Beside it: 07_network.md. With an address it is a daemon; alone it visits itself, and ends.
 */
#include <coppice.h>

#include <stdio.h>
#include <unistd.h>

/* What a connection is for: a line comes, and goes back in capitals. It was not written for "crash". */
static void
answer(cop_socket client, char *line, size_t size)
{
    cop_assert(size < 5 || memcmp(line, "crash", 5) != 0);
    for (size_t i = 0; i < size; i++) {
        line[i] = (char)(line[i] >= 'a' && line[i] <= 'z' ? line[i] - 'a' + 'A' : line[i]);
    }
    (void)cop_send_bytes(client, (cop_bytes){line, size}, COP_SEC(5));
}

static int
talk(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    char line[256];
    size_t size = 0;
    int r = cop_receive(&msg, COP_SEC(5)); /* its socket */
    while (r == 0) {
        cop_socket client = *COP_BODY(msg, cop_socket);
        r = cop_receive_bytes(client, line, sizeof line, &size, COP_FOREVER);
        if (r == 0) {
            answer(client, line, size);
        }
    }
    return r == -ENODATA || r == -ECONNRESET ? 0 : r; /* that peers go is no crash */
}

static void
admit(cop_socket client)
{
    const cop_child_spec connection = {.worker = talk, .restart = COP_TEMPORARY};
    cop_pid pid;
    int r = cop_supervisor_start_child(cop_named("connections"), &connection, &pid);
    r = r ? r : cop_socket_give(client, pid);
    r = r ? r : cop_send(pid, COP_MSG_OF(0, client));
    if (r < 0) {
        (void)cop_socket_close(client); /* no room for him; the others go on */
    }
}

static int
accept_all(cop_bytes arg)
{
    cop_socket listener, client;
    int r = cop_listen(&listener, arg.data, .framing = COP_FRAME_LINE);
    while (r == 0 && (r = cop_accept(listener, &client, COP_FOREVER)) == 0) {
        admit(client);
    }
    return r;
}

/* Who talks to it here in place of a stranger. When he has ended, so does the daemon. */
static int
visit(cop_bytes arg)
{
    const char *const lines[] = {"hello\n", "crash\n", "still there?\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[256] = "";
        size_t size = 0;
        cop_socket server;
        while (cop_connect(&server, arg.data, COP_SEC(5)) < 0 && cop_sleep(COP_MS(1)) == 0) {
        } /* the listener is on its way */
        (void)cop_send_bytes(server, COP_TEXT(lines[i]), COP_SEC(5));
        (void)cop_receive_bytes(server, line, sizeof line - 1, &size, COP_SEC(5));
        printf("%.*s -> %s", (int)strlen(lines[i]) - 1, lines[i], size ? line : "(hung up)\n");
        (void)cop_socket_close(server);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    char at[128];
    (void)snprintf(at, sizeof at, "unix:@guide-%d", (int)getpid());
    const cop_supervisor_spec connections = {.name = "connections", .strategy = COP_DYNAMIC};
    const cop_child_spec children[] = {
        {.id = "connections", .supervisor = &connections},
        {.id = "acceptor", .worker = accept_all, .arg = COP_STR(argc > 1 ? argv[1] : at)},
        {.id = "visitor", .worker = visit, .arg = COP_STR(at), .significant = true},
    };
    return cop_run(&(cop_supervisor_spec){.strategy = COP_REST_FOR_ONE,
                                          .auto_shutdown = COP_ANY_SIGNIFICANT,
                                          .children = children,
                                          .child_count = argc > 1 ? 2 : 3}); /* no visitor */
}
