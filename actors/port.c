/*
 * actors/port.c - a command's input and output as messages.
 *
 * Room: actors/. Any thread; the reactor's.
 * Touch freely: nothing. Ask first: who buries the program.
 *
 * A port is a wire (wire.c) whose other end a program has as its standard input and output. What it says
 * and how it ended are answers to the same requests: first all that was said, then the end. A program that
 * has ended says no more, whoever may still hold its output: what is left of its group is killed, and when
 * nothing is there to read, that is the end.
 *
 * The program has a record of its own, watched by the reactor until the program has ended. It is buried
 * by whoever finds it ended and nobody's:
 *
 *   the wire closes later   than the program ended: the closing does it
 *   the program ends later  than the wire closed, which has killed it: the reactor's call does it
 *
 * Both look under the lock of the wire, so it is one of them.
 */
#include "actors/socket.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/spawner.h"
#include "runtime/table.h"

#include <coppice/port.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct copi_port {
    struct copi_interest ended;
    uint64_t wire;               /* constant, once it is watched */
    struct copi_program program; /* buried by one, as above */
    /* guarded by the wire's lock */
    bool is_watched; /* `ended` is armed, or was and has not been heard of */
    bool has_ended;
    struct copi_program_end end;
    int lost; /* -ECHILD: nobody knows how it ended */
};

static void
bury(struct copi_port *port)
{
    copi_spawner_bury(&port->program);
    free(port);
}

/* ---------------------------------------------------------------- the program's end */

static int
watch_program(struct copi_port *port)
{
    int r = copi_reactor_arm(&port->ended, port->program.pidfd, COP_IO_READ);
    port->is_watched = r == 0;
    return r;
}

static void
note_end(struct copi_port *port)
{
    int r = copi_spawner_status(&port->program, &port->end);
    port->lost = r;
    port->has_ended = true;
    if (r == 0) { /* it is a zombie: the group's number is still its own */
        copi_spawner_signal(&port->program, SIGKILL);
    }
}

static void
be_ended(struct copi_interest *interest, int events)
{
    struct copi_port *port =
        (struct copi_port *)(void *)((char *)interest - offsetof(struct copi_port, ended));
    struct copi_wire *wire = copi_wire_lock_lingering(port->wire);
    bool is_nobodys = !wire || wire->port != port;
    if (!is_nobodys) {
        port->is_watched = false;
        if (events > 0) { /* else cop_shutdown: it is watched again with the next request */
            note_end(port);
            copi_wire_look(wire);
        }
    }
    if (wire) {
        copi_wire_unlock(wire);
    }
    if (is_nobodys) {
        bury(port);
    }
}

static void
kill_program(struct copi_wire *wire)
{
    struct copi_port *port = wire->port;
    wire->port = NULL;
    if (port->has_ended || !port->is_watched) {
        bury(port);
    } else {
        copi_spawner_signal(&port->program, SIGKILL);
    }
}

/* ---------------------------------------------------------------- what it says */

static int
look(struct copi_wire *wire)
{
    struct copi_port *port = wire->port;
    if (!wire->is_wanted) {
        return 0;
    }
    int r = port->has_ended || port->is_watched ? 0 : watch_program(port);
    r = r ? r : copi_wire_answer(wire);
    if (r == -EAGAIN && port->has_ended) {
        wire->at_end = true;
        r = copi_wire_answer(wire);
    }
    return r == -EAGAIN ? copi_reactor_arm(&wire->readable, wire->fd, COP_IO_READ) : r;
}

/* A program that has closed its output and runs is waited for: its end looks again. */
static void
tell_end(struct copi_wire *wire)
{
    const struct copi_port *port = wire->port;
    if (wire->in_error == 0 && !port->has_ended) {
        return;
    }
    const struct cop_port_end end = {
        .port.id = wire->id,
        .error = wire->in_error ? wire->in_error : port->lost,
        .status = port->end.status,
        .signal = port->end.signal,
    };
    _Static_assert(sizeof end <= COPI_WIRE_ANSWER, "it needs no memory");
    copi_wire_tell(wire, COP_MSG_PORT_END, COP_BYTES(end));
}

const struct copi_wire_kind copi_wire_port = {
    .look = look,
    .tell_end = tell_end,
    .closes = kill_program,
    .data_tag = COP_MSG_PORT_DATA,
    .room_tag = COP_MSG_PORT_WRITABLE,
    .is_port = true,
};

bool
cop_port_data_of(cop_msg msg, cop_port *port, cop_bytes *bytes)
{
    if (msg.tag != COP_MSG_PORT_DATA) {
        return false;
    }
    if (port) {
        memcpy(port, msg.body.data, sizeof *port);
    }
    bytes->data = (const char *)msg.body.data + sizeof *port;
    bytes->size = msg.body.size - sizeof *port - 1;
    return true;
}

/* ---------------------------------------------------------------- opening */

static int
options_of(struct copi_wire_options *options, bool *merges, const cop_port_opts *given)
{
    cop_port_opts known = {0};
    if (given) {
        memcpy(&known, given, given->size < sizeof known ? given->size : sizeof known);
    }
    const cop_socket_opts as_socket = {
        .size = sizeof as_socket,
        .framing = known.framing,
        .max_frame = known.max_frame,
        .send_limit = known.send_limit,
        .linger = -1,
    };
    *merges = known.merge_stderr;
    return copi_socket_options(options, &as_socket);
}

/* The program's end is above its standard descriptors, which it becomes. */
static int
make_pair(int *ours, int *theirs)
{
    enum {
        FIRST_PRIVATE_FD = STDERR_FILENO + 1
    };
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    int moved = pair[1];
    if (moved < FIRST_PRIVATE_FD) {
        moved = fcntl(pair[1], F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD);
        int r = -errno;
        close(pair[1]);
        if (moved < 0) {
            close(pair[0]);
            return r;
        }
    }
    *ours = pair[0];
    *theirs = moved;
    return 0;
}

/* Its descriptor; or a negative errno value. */
static int
run_program(struct copi_port *port, const char *const argv[], bool merges)
{
    int ours = -1, theirs = -1;
    int r = make_pair(&ours, &theirs);
    if (r) {
        return r;
    }
    const struct copi_program_io io = {theirs, theirs, merges ? theirs : 0};
    r = copi_spawner_run_with(argv, &io, &port->program);
    close(theirs);
    if (r) {
        close(ours);
    }
    return r ? r : ours;
}

/* From copi_wire_open on, the program and its record are the wire's. */
static int
open_port(uint64_t *id, struct copi_port *port, int fd, const struct copi_wire_options *options)
{
    const struct copi_wire_start start = {
        .kind = &copi_wire_port,
        .options = options,
        .fd = fd,
        .owner = cop_self(),
        .port = port,
    };
    int r = copi_wire_open(id, &start);
    if (r) {
        close(fd);
        bury(port);
        return r;
    }
    struct copi_wire *wire = copi_wire_lock(*id);
    if (!wire) {
        return -ECANCELED; /* its owner has been disowned meanwhile */
    }
    port->wire = *id;
    r = watch_program(port);
    if (r) {
        copi_wire_close(wire);
    } else {
        copi_wire_unlock(wire);
    }
    return r;
}

int
cop_port_open_with(cop_port *out, const char *const argv[], const cop_port_opts *opts)
{
    struct copi_process *self;
    struct copi_wire_options options;
    bool merges;
    uint64_t id;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    r = options_of(&options, &merges, opts);
    if (r) {
        return copi_fail(r);
    }
    struct copi_port *port = copi_zalloc(sizeof *port);
    if (!port) {
        return copi_fail(-ENOMEM);
    }
    port->ended.ready = be_ended;
    int fd = run_program(port, argv, merges);
    if (fd < 0) {
        free(port);
        return copi_fail(fd);
    }
    r = open_port(&id, port, fd, &options);
    if (r) {
        return copi_fail(r);
    }
    out->id = id;
    return 0;
}

/* ---------------------------------------------------------------- using it */

int
cop_port_active_once(cop_port port)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, port.id, true);
    return r ? r : copi_wire_leave(wire, copi_wire_want(wire));
}

int
cop_port_send(cop_port port, cop_bytes bytes, cop_time timeout)
{
    return copi_wire_send_or_wait(port.id, true, bytes, timeout);
}

int
cop_port_writable_once(cop_port port)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, port.id, true);
    return r ? r : copi_wire_leave(wire, copi_wire_tell_room(wire));
}

int
cop_port_close_input(cop_port port)
{
    struct copi_wire *wire;
    int r = copi_wire_enter(&wire, port.id, true);
    if (r == 0) {
        copi_wire_shut_out(wire);
        copi_wire_unlock(wire);
    }
    return r;
}

int
cop_port_give(cop_port port, cop_pid to)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, port.id, true);
    return r ? r : copi_wire_leave(wire, copi_wire_give(wire, copi_resolve(to)));
}

int
cop_port_signal(cop_port port, int signal)
{
    struct copi_wire *wire;
    int r = copi_wire_enter(&wire, port.id, true);
    if (r) {
        return r;
    }
    if (signal <= 0 || signal >= NSIG) {
        r = -EINVAL;
    } else if (wire->port->has_ended) {
        r = -ESRCH;
    } else {
        copi_spawner_signal(&wire->port->program, signal);
    }
    return copi_wire_leave(wire, r);
}

int
cop_port_os_pid(cop_port port, int *pid)
{
    struct copi_wire *wire;
    int r = copi_wire_enter(&wire, port.id, true);
    if (r) {
        return r;
    }
    if (wire->port->has_ended) {
        r = -ESRCH;
    } else {
        *pid = wire->port->program.pid;
    }
    return copi_wire_leave(wire, r);
}

int
cop_port_close(cop_port port)
{
    struct copi_wire *wire;
    int r = copi_wire_enter(&wire, port.id, true);
    if (r == 0 && (r = copi_wire_close(wire))) {
        copi_fail(r);
    }
    return r;
}
