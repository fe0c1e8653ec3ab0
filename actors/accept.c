/*
 * actors/accept.c - how a listener accepts: for its owner, who has asked, or for whoever waits.
 *
 * Room: actors/. Any thread; the reactor's.
 * Touch freely: how long it pauses. Ask first: which errors of accept are the listener's.
 *
 * A connection is accepted when somebody asks for one, and belongs to him at once: so it has an owner at
 * every moment, and a message that nobody reads costs no descriptor for longer than that owner lives.
 *
 * Who waits (cop_accept) leaves a notice at the listener, and the reactor is asked to tell. All that wait
 * are woken then, and the first of them is served: it may be that the one who came first has ended.
 *
 * Most of what accept reports is the peer's trouble, who has left again; that concerns nobody. A shortage
 * passes: the listener tries again after a pause, since a connection that waits would be ready at once,
 * and again and again.
 */
#include "actors/socket.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/send.h"
#include "runtime/timer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE COP_MS(100)

/* ---------------------------------------------------------------- shortages */

static void
try_again(uint64_t id)
{
    struct copi_wire *wire = copi_wire_lock(id);
    if (wire) {
        wire->pauses = false;
        copi_wire_look(wire);
        copi_wire_unlock(wire);
    }
}

/* One pause for all who find that there is a shortage. 0, or why it cannot even do that. */
static int
pause_listening(struct copi_wire *wire, int error)
{
    if (!wire->has_reported) {
        wire->has_reported = true;
        copi_report(COPI_WARNING, "a listener pauses: %s", cop_strerror(error));
    }
    int r = wire->pauses ? 0 : copi_timer_call(copi_deadline(PAUSE), try_again, wire->id);
    wire->pauses = r == 0;
    return r;
}

static bool
is_shortage(int error)
{
    switch (error) {
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
        return true;
    default:
        return false;
    }
}

/* That of a peer who has left before it was its turn, say, or whose network has: accept(2). Each takes one who
 * waits away; what stays, whatever it is, is the listener's, or this would never end. */
static bool
concerns_nobody(int error)
{
    switch (error) {
    case -EINTR:
    case -ECONNABORTED:
    case -ECONNRESET:
    case -ETIMEDOUT:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -ENONET:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
        return true;
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- accepting */

/* A descriptor, or a negative errno value; -EAGAIN: none is waiting. */
static int
accept_next(const struct copi_wire *wire)
{
    int fd;
    do {
        fd = accept4(wire->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && concerns_nobody(-errno));
    return fd >= 0 ? fd : -errno;
}

/* Until somebody may be there: now, or after a pause. 0: copi_wire_look will be called. */
static int
look_later(struct copi_wire *wire, int error)
{
    if (error == -EAGAIN) {
        return copi_reactor_arm(&wire->readable, wire->fd, COP_IO_READ);
    }
    return is_shortage(error) ? pause_listening(wire, error) : error;
}

/* A connection, and the record for it, which is taken in hand before: what is accepted cannot be put back. */
struct guest {
    struct copi_wire *record;
    int fd;
};

static int
meet(struct copi_wire *wire, struct guest *guest)
{
    int r = copi_wire_take(&guest->record);
    if (r) {
        return r == -EAGAIN ? -ENOBUFS : r; /* there are too many sockets, for now */
    }
    guest->fd = accept_next(wire);
    if (guest->fd < 0) {
        copi_wire_put_back(guest->record);
        return guest->fd;
    }
    wire->has_reported = false;
    return 0;
}

/* It is somebody's. The listener's lock is let go, as no wire is locked under another. -ECANCELED: he has
 * ended, and the connection is closed. */
static int
let_in(struct copi_wire *wire, const struct guest *guest, cop_pid owner, cop_socket *connection)
{
    const struct copi_wire_options options = wire->options;
    const struct copi_wire_start start = {
        .kind = &copi_wire_stream,
        .options = &options,
        .fd = guest->fd,
        .owner = owner,
    };
    copi_wire_unlock(wire);
    copi_socket_tune(guest->fd, &options);
    int r = copi_wire_begin(&connection->id, guest->record, &start);
    if (r) {
        close(guest->fd);
    }
    copi_wire_relock(wire);
    return r;
}

/* ---------------------------------------------------------------- for its owner, who has asked */

/* The body of COP_MSG_ACCEPTED. */
struct accepted {
    cop_socket listener, connection;
};

bool
cop_accepted_of(cop_msg msg, cop_socket *connection)
{
    if (msg.tag != COP_MSG_ACCEPTED) {
        return false;
    }
    struct accepted accepted;
    memcpy(&accepted, msg.body.data, sizeof accepted);
    *connection = accepted.connection;
    return true;
}

static void
hand_out(struct copi_wire *wire, const struct guest *guest)
{
    struct accepted accepted = {.listener.id = wire->id};
    struct copi_message *message = wire->answer;
    cop_pid owner = wire->owner;
    wire->answer = NULL;
    wire->is_wanted = false;
    if (let_in(wire, guest, owner, &accepted.connection)) {
        copi_message_free(message);
        return;
    }
    message->tag = COP_MSG_ACCEPTED;
    message->size = sizeof accepted;
    memcpy(message->body, &accepted, sizeof accepted);
    copi_post(owner, message);
}

int
copi_accept_look(struct copi_wire *wire)
{
    struct guest guest;
    copi_wire_wake_blocked(wire);
    if (!wire->is_wanted) {
        return 0;
    }
    int r = meet(wire, &guest);
    if (r) {
        return look_later(wire, r);
    }
    hand_out(wire, &guest);
    return 0;
}

void
copi_accept_tell_broken(struct copi_wire *wire)
{
    const struct cop_closed closed = {.socket.id = wire->id, .error = wire->in_error};
    copi_wire_tell(wire, COP_MSG_CLOSED, COP_BYTES(closed));
}

/* ---------------------------------------------------------------- for who waits */

struct waiting {
    cop_socket listener, *connection;
    cop_pid self;
};

static int
accept_or_leave_a_notice(struct copi_wire *wire, const struct waiting *waiting,
                         struct copi_message **notice)
{
    struct guest guest;
    int r = meet(wire, &guest);
    if (r == 0) {
        return let_in(wire, &guest, waiting->self, waiting->connection);
    }
    if (!*notice) {
        return is_shortage(r) ? -EAGAIN : r;
    }
    r = look_later(wire, r);
    if (r) {
        return r;
    }
    copi_wire_await(wire, notice);
    return -EAGAIN;
}

static int
try_to_accept(void *env, struct copi_message **notice)
{
    const struct waiting *waiting = env;
    struct copi_wire *wire = copi_wire_lock(waiting->listener.id);
    if (!wire) {
        return -EBADF;
    }
    int r = wire->kind->is_port    ? -EBADF
            : !wire->kind->listens ? -EOPNOTSUPP
                                   : accept_or_leave_a_notice(wire, waiting, notice);
    copi_wire_unlock(wire);
    return r;
}

int
cop_accept(cop_socket listener, cop_socket *connection, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    struct waiting waiting = {listener, connection, self->pid};
    r = timeout < 0 ? -EINVAL : copi_wire_try_or_wait(self, try_to_accept, &waiting, timeout);
    r = r == -EAGAIN && timeout == 0 ? -ETIMEDOUT : r;
    return r && r != -ECANCELED ? copi_fail(r) : r;
}
