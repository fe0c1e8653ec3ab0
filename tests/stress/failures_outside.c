/*
 * tests/stress/failures_outside.c - what stands between the library and the world, while something fails:
 * descriptors, sockets, programs, a daemon and its observers.
 *
 * Room: tests/. Uses the library as anybody would.
 */
#include "tests/stress/failures.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---------------------------------------------------------------- descriptors */

static void
wait_for_descriptors(void)
{
    int ends[2];
    char byte = 'x';
    cop_msg msg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return;
    }
    cop_ref watch = cop_io_watch(ends[0], COP_IO_READ);
    MUST(write(ends[1], &byte, 1) == 1);
    if (is_there(watch.id)) {
        MUST(cop_receive(&msg, PATIENCE) == 0 && msg.tag == COP_MSG_IO);
    }
    (void)went_well(cop_wait_fd(ends[0], POLLIN, PATIENCE));
    MUST(read(ends[0], &byte, 1) == 1);
    cop_ref never = cop_io_watch(ends[0], COP_IO_READ);
    if (is_there(never.id)) {
        MUST(cop_io_cancel(never) == 0);
    }
    close(ends[0]);
    close(ends[1]);
}

/* ---------------------------------------------------------------- sockets */

/* Sends each line back; ends with its peer, and with whatever goes wrong. */
static int
echo(cop_bytes unused)
{
    (void)unused;
    cop_socket socket;
    cop_msg msg;
    cop_bytes line;
    int r = cop_receive(&msg, PATIENCE);
    if (r || !COP_BODY(msg, cop_socket)) {
        return r;
    }
    socket = *COP_BODY(msg, cop_socket);
    while ((r = cop_socket_active_once(socket)) == 0 && (r = cop_receive(&msg, PATIENCE)) == 0
           && cop_data_of(msg, NULL, &line)) {
        r = cop_send_bytes(socket, line, PATIENCE);
        if (r) {
            return r;
        }
    }
    return r;
}

static int
serve(cop_bytes arg)
{
    cop_pid boss = *(const cop_pid *)arg.data, pid;
    cop_socket listener, client;
    char address[128] = "";
    int r = cop_listen(&listener, "127.0.0.1:0", .framing = COP_FRAME_LINE, .linger = COP_MS(100));
    if (r == 0) {
        r = cop_socket_address(listener, address, sizeof address);
    }
    int sent = cop_send(boss, COP_MSG_OF(1, address));
    while (r == 0 && sent == 0 && (r = cop_accept(listener, &client, COP_FOREVER)) == 0) {
        r = cop_spawn(&pid, echo, .link = true);
        if (r == 0) {
            r = cop_socket_give(client, pid);
        }
        if (r == 0) {
            r = cop_send(pid, COP_MSG_OF(1, client));
        }
    }
    return r;
}

static bool
is_news(const cop_msg *msg, void *unused)
{
    (void)unused;
    return msg->tag == 1 || msg->tag == COP_MSG_DOWN;
}

static void
say_and_hear(const char *address)
{
    cop_socket socket;
    char heard[64];
    size_t size = 0;
    if (!went_well(cop_connect(&socket, address, PATIENCE, .framing = COP_FRAME_LINE))) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (!went_well(cop_send_bytes(socket, COP_TEXT("hello\n"), PATIENCE))
            || !went_well(cop_receive_bytes(socket, heard, sizeof heard, &size, PATIENCE))) {
            break;
        }
        MUST(size == 6 && memcmp(heard, "hello\n", size) == 0);
    }
    (void)went_well(cop_socket_close(socket));
}

static void
talk_over_sockets(void)
{
    cop_pid server, self = cop_self();
    cop_ref watch = {0};
    cop_msg msg;
    if (!is_there(self.id)
        || !went_well(cop_spawn(&server, serve, .arg = COP_BYTES(self), .monitor = &watch))) {
        return;
    }
    MUST(cop_receive_match(&msg, is_news, NULL, PATIENCE) == 0);
    if (msg.tag == 1) {
        const char *address = msg.body.data;
        if (address[0] != '\0') {
            say_and_hear(address);
        }
    }
    INSIST(cop_exit_signal(server, COP_REASON_KILLED));
    await_end(server);
}

/* ---------------------------------------------------------------- programs */

static void
talk_to_program(void)
{
    const char *const argv[] = {"cat", NULL};
    cop_port port;
    cop_msg msg;
    cop_bytes line;
    if (!went_well(cop_port_open(&port, argv, .framing = COP_FRAME_LINE))) {
        return;
    }
    bool is_sent = went_well(cop_port_send(port, COP_TEXT("hello\n"), PATIENCE));
    if (is_sent && went_well(cop_port_close_input(port))) {
        while (went_well(cop_port_active_once(port))) {
            msg = (cop_msg){0};
            MUST(cop_receive(&msg, PATIENCE) == 0);
            if (!cop_port_data_of(msg, NULL, &line)) {
                break; /* its end */
            }
            MUST(line.size == 6);
        }
    }
    (void)went_well(cop_port_close(port));
}

static void
supervise_program(void)
{
    static const char *const sleeper[] = {"sleep", "1000", NULL};
    static const char *const no_one[] = {"true", NULL};
    cop_pid supervisor;
    if (!went_well(cop_supervisor_start(
            &supervisor,
            &(cop_supervisor_spec){
                .max_restarts = 100,
                COP_CHILDREN({.id = "sleeper", .command = sleeper},
                             {.id = "once", .command = no_one, .restart = COP_TRANSIENT}),
            }))) {
        return;
    }
    cop_child_counts counts;
    (void)went_well(cop_supervisor_count(supervisor, &counts));
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
    MUST(!cop_alive(supervisor));
}

/* ---------------------------------------------------------------- a daemon, seen from outside */

static atomic_int hangups;

static cop_step
hang_up(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    int r = cop_on_hangup(1);
    if (r == 0) {
        r = cop_watchdog(COP_SEC(100));
    }
    return r ? cop_stop(cop_failed(r, "no news")) : cop_ok_timeout(0);
}

/* When the tree is up it is loaded again, and then asked to stop, as from outside. */
static cop_step
raise_signals(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag == COP_MSG_TIMEOUT) {
        kill(getpid(), SIGHUP);
        return cop_ok();
    }
    atomic_fetch_add(&hangups, 1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGTERM);
    return cop_ok();
}

static const cop_genserver signaller = {
    .type = "signaller",
    .init = hang_up,
    .handle_info = raise_signals,
};

static void
be_a_daemon(void)
{
    int status = cop_run(&(cop_supervisor_spec){
        COP_CHILDREN({.id = "adder", .genserver = &adder},
                     {.id = "signaller", .genserver = &signaller}),
    });
    MUST(status == 0 || status == 1);
    if (status != 0) {
        (void)went_well(-EIO);
    }
}

static void
ask_observer(const char *address)
{
    cop_socket socket;
    char line[512];
    size_t size;
    if (!went_well(cop_connect(&socket, address, PATIENCE, .framing = COP_FRAME_LINE))) {
        return;
    }
    if (went_well(cop_send_bytes(socket, COP_TEXT("picture\n"), PATIENCE))) {
        while (went_well(cop_receive_bytes(socket, line, sizeof line, &size, PATIENCE))
               && size > 1) {
        }
    }
    (void)went_well(cop_socket_close(socket));
}

static void
be_observed(void)
{
    char path[64], address[80];
    (void)snprintf(path, sizeof path, "/tmp/failures-observer.%d", (int)getpid());
    (void)snprintf(address, sizeof address, "unix:%s", path);
    const cop_observer_spec observer = {.path = path};
    const cop_child_spec children[] = {cop_observer_child(&observer),
                                       {.id = "adder", .genserver = &adder}};
    cop_pid supervisor;
    if (!went_well(cop_supervisor_start(&supervisor, &(cop_supervisor_spec){.children = children,
                                                                            .child_count = 2}))) {
        unlink(path);
        return;
    }
    ask_observer(address);
    (void)went_well(cop_supervisor_stop(supervisor, PATIENCE));
    unlink(path);
}

const struct scenario outside_scenarios[] = {
    {"wait_for_descriptors", wait_for_descriptors, false},
    {"talk_over_sockets", talk_over_sockets, false},
    {"talk_to_program", talk_to_program, false},
    {"supervise_program", supervise_program, false},
    {"be_a_daemon", be_a_daemon, false},
    {"be_observed", be_observed, false},
    {NULL, NULL, false},
};
