/*
 * actors/receive.c - waiting for bytes, as others read.
 *
 * Room: actors/. The owner's thread.
 * Touch freely: nothing. Ask first: what is waited for without the lock.
 *
 * Who has nothing else to do than to hear one peer waits at the descriptor itself: the reactor's thread
 * stays out of it, the bytes go straight into his memory, and a mailbox is not needed for them. His mailbox
 * ends the wait, too, as signals come there, and so does whoever closes the socket: `is_awaited` tells him
 * that somebody is to be woken. The number of a descriptor that was closed meanwhile may be another's; then
 * this looks once in vain.
 *
 * For the wait a process has a descriptor of its own. If none is to be had, the reactor tells.
 */
#include "actors/wire.h"
#include "runtime/inbox.h"
#include "runtime/process.h"
#include "runtime/wait.h"

#include <errno.h>
#include <poll.h>

struct receiving {
    uint64_t id;
    void *buffer;
    size_t size, received;
    bool looks_at_once; /* there may be something: it was told, or must not wait */
    int fd;
};

/* -EAGAIN: it is to wait. After a read that took all, the peer has to think first. */
static int
receive_now(struct receiving *receiving)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, receiving->id, false);
    if (r) {
        return r;
    }
    bool waits_first =
        wire->is_dry && !receiving->looks_at_once && wire->in.used == 0 && wire->in_error == 0;
    r = wire->kind->listens ? -EOPNOTSUPP
        : wire->is_wanted   ? -EALREADY
        : waits_first
            ? -EAGAIN
            : copi_wire_receive(wire, receiving->buffer, receiving->size, &receiving->received);
    wire->is_awaited = r == -EAGAIN;
    receiving->fd = wire->fd;
    copi_wire_unlock(wire);
    return r;
}

static int
wait_for_the_reactor(struct copi_process *self, struct copi_wait *wait, uint64_t id)
{
    struct copi_wire *wire;
    int r = copi_wire_enter_own(&wire, id, false);
    if (r) {
        return r;
    }
    wire->is_awaited = true;
    r = copi_reactor_arm(&wire->readable, wire->fd, COP_IO_READ);
    copi_wire_unlock(wire);
    return r ? r : copi_pause(self, wait);
}

/* 0: there may be something. */
static int
wait_for_more(struct copi_process *self, struct copi_wait *wait, struct receiving *receiving)
{
    int r = copi_pause_fd(self, wait, receiving->fd, POLLIN);
    if (r == -EMFILE || r == -ENFILE) {
        r = wait_for_the_reactor(self, wait, receiving->id);
    }
    receiving->looks_at_once = true;
    return r > 0 || r == -EBADF ? 0 : r; /* closed: looking tells */
}

static int
receive(struct copi_process *self, struct receiving *receiving, cop_time timeout)
{
    struct copi_wait wait = COPI_WAIT("socket", timeout);
    int r;
    do {
        copi_take_in(self);
        r = receive_now(receiving);
        if (r != -EAGAIN) {
            return r;
        }
        r = wait_for_more(self, &wait, receiving);
    } while (r == 0);
    return r;
}

int
cop_receive_bytes(cop_socket socket, void *buffer, size_t size, size_t *received, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    if (timeout < 0 || !buffer || size == 0) {
        return copi_fail(-EINVAL);
    }
    struct receiving receiving = {socket.id, buffer, size, .looks_at_once = timeout == 0};
    r = receive(self, &receiving, timeout);
    if (r == 0 || r == -ENOBUFS) {
        *received = receiving.received;
    }
    return r && r != -ECANCELED ? copi_fail(r) : r;
}
