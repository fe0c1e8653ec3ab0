/*
 * actors/wire_out.c - what goes: as much as the system takes, and the rest later.
 *
 * Room: actors/. Any thread; the reactor's.
 * Touch freely: nothing. Ask first: the bound, which is what a peer that does not read may cost.
 *
 * Who sends writes for himself; only what the system does not take is copied, and sent by the reactor's
 * thread as there is room. While something waits, all that is sent waits behind it.
 */
#include "actors/wire.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/send.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct copi_wire *
of_interest(struct copi_interest *interest)
{
    return (struct copi_wire *)(void *)((char *)interest - offsetof(struct copi_wire, writable));
}

static bool
has_room(const struct copi_wire *wire)
{
    return wire->out.used <= wire->options.send_limit / 2; /* none, if it is broken */
}

static void
tell_of_room(struct copi_wire *wire)
{
    if (!has_room(wire)) {
        return;
    }
    if (wire->room) {
        copi_post(wire->owner, wire->room);
        wire->room = NULL;
    }
    copi_wire_wake_blocked(wire);
}

/* ---------------------------------------------------------------- sending */

static void
break_off(struct copi_wire *wire, int error)
{
    wire->out_error = error;
    copi_bytes_clear(&wire->out);
}

/* How many bytes the system has taken; -EAGAIN: none. */
static ssize_t
write_some(const struct copi_wire *wire, struct iovec parts[], size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t size;
    do {
        size = sendmsg(wire->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

static struct iovec
as_part(const void *data, size_t size)
{
    union {
        const void *in;
        void *out;
    } bytes = {.in = data};
    return (struct iovec){bytes.out, size};
}

static void
arm(struct copi_wire *wire)
{
    if (!wire->is_flushing) {
        int r = copi_reactor_arm(&wire->writable, wire->fd, COP_IO_WRITE);
        if (r) {
            break_off(wire, r);
        }
        wire->is_flushing = r == 0;
    }
}

static void
write_waiting(struct copi_wire *wire)
{
    ssize_t size = 0;
    while (size >= 0 && wire->out.used > 0) {
        struct iovec part = as_part(copi_bytes_view(&wire->out).data, wire->out.used);
        size = write_some(wire, &part, 1);
        if (size > 0) {
            copi_bytes_remove(&wire->out, (size_t)size);
        }
    }
    if (size == -EAGAIN) {
        arm(wire);
    } else if (size < 0) {
        break_off(wire, (int)size);
    }
}

void
copi_wire_flush(struct copi_wire *wire)
{
    write_waiting(wire);
    if (wire->out.used == 0) {
        copi_bytes_clear(&wire->out);
        if (wire->shuts_out && !wire->is_shut_out) {
            wire->is_shut_out = true;
            shutdown(wire->fd, SHUT_WR);
        }
    }
    tell_of_room(wire);
    copi_wire_settle(wire);
}

/* What is left of two parts when so many bytes of them have gone. */
static int
keep_rest(struct copi_wire *wire, const struct iovec parts[2], size_t gone)
{
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++) {
        size_t of_this = gone < parts[i].iov_len ? gone : parts[i].iov_len;
        gone -= of_this;
        const unsigned char *rest = parts[i].iov_base;
        r = copi_bytes_add(&wire->out,
                           (cop_bytes){rest ? rest + of_this : NULL, parts[i].iov_len - of_this});
    }
    return r;
}

/* Nothing waits: it goes as it is, as far as the system takes it. */
static int
send_now(struct copi_wire *wire, struct iovec parts[2], size_t total)
{
    ssize_t size = write_some(wire, parts, 2);
    if (size < 0 && size != -EAGAIN) {
        break_off(wire, (int)size);
        return (int)size;
    }
    size_t gone = size > 0 ? (size_t)size : 0;
    if (gone == total) {
        return 0;
    }
    int r = keep_rest(wire, parts, gone);
    if (r && gone == 0) {
        copi_bytes_clear(&wire->out);
        return r;
    }
    if (r) {
        break_off(wire, r); /* the peer has a part of it */
        return r;
    }
    arm(wire);
    return wire->out_error;
}

/* All or nothing. */
static int
send_later(struct copi_wire *wire, const struct iovec parts[2], size_t total)
{
    if (!copi_bytes_reserve(&wire->out, total)) {
        return -ENOMEM;
    }
    return keep_rest(wire, parts, 0);
}

/* -EAGAIN: no room. */
static int
send_all(struct copi_wire *wire, cop_bytes bytes)
{
    unsigned char header[COPI_FRAME_HEADER];
    int length = copi_framing_header(&wire->options.framing, bytes.size, header);
    if (length < 0 || bytes.size > wire->options.send_limit
        || bytes.size + (size_t)length > wire->options.send_limit) {
        return -EMSGSIZE;
    }
    if (wire->out_error || wire->shuts_out) {
        return wire->out_error ? wire->out_error : -EPIPE;
    }
    size_t total = bytes.size + (size_t)length;
    struct iovec parts[2] = {as_part(header, (size_t)length), as_part(bytes.data, bytes.size)};
    if (wire->out.used == 0) {
        return total > 0 ? send_now(wire, parts, total) : 0;
    }
    if (total > wire->options.send_limit - wire->out.used) {
        arm(wire); /* as it is, but after a shutdown of the library */
        return wire->out_error ? wire->out_error : -EAGAIN;
    }
    return send_later(wire, parts, total);
}

/* ---------------------------------------------------------------- waiting for room */

struct sending {
    uint64_t id;
    bool is_port;
    cop_bytes bytes;
};

static int
try_to_send(void *env, struct copi_message **notice)
{
    const struct sending *sending = env;
    struct copi_wire *wire = copi_wire_lock(sending->id);
    if (!wire) {
        return -EBADF;
    }
    int r = wire->kind->is_port != sending->is_port ? -EBADF
            : wire->kind->listens                   ? -EOPNOTSUPP
                                                    : send_all(wire, sending->bytes);
    if (r == -EAGAIN) {
        copi_wire_await(wire, notice);
    }
    copi_wire_unlock(wire);
    return r;
}

int
copi_wire_send_or_wait(uint64_t id, bool is_port, cop_bytes bytes, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    if (timeout < 0 || (!bytes.data && bytes.size > 0)) {
        return copi_fail(-EINVAL);
    }
    struct sending sending = {id, is_port, bytes};
    r = copi_wire_try_or_wait(self, try_to_send, &sending, timeout);
    return r && r != -ECANCELED ? copi_fail(r) : r;
}

/* ---------------------------------------------------------------- the owner's requests */

int
copi_wire_tell_room(struct copi_wire *wire)
{
    if (wire->room) {
        return -EALREADY;
    }
    wire->room = copi_message_new(COPI_SEND, wire->kind->room_tag, sizeof wire->id);
    if (!wire->room) {
        return -ENOMEM;
    }
    memcpy(wire->room->body, &wire->id, sizeof wire->id);
    tell_of_room(wire);
    return 0;
}

void
copi_wire_shut_out(struct copi_wire *wire)
{
    wire->shuts_out = true;
    copi_wire_flush(wire);
}

void
copi_wire_be_writable(struct copi_interest *interest, int events)
{
    struct copi_wire *wire = of_interest(interest);
    copi_lock_take(&wire->lock);
    if (wire->is_open || wire->lingers) {
        wire->is_flushing = false;
        if (events != -ECANCELED) {
            copi_wire_flush(wire);
        } else {
            copi_wire_linger_ends(wire);
            copi_wire_wake_blocked(wire);
        }
    }
    copi_lock_give(&wire->lock);
}
