/*
 * actors/wire_in.c - what comes: bytes, cut into messages, one for each request.
 *
 * Room: actors/. Any thread; the reactor's.
 * Touch freely: how much is read at a time. Ask first: reading what nobody has asked for.
 *
 * Whoever asks looks for himself first, and reads: so on a busy connection the work is done by its
 * owner's thread, and the reactor's has to do with the quiet ones. What was read beyond the message that
 * was asked for waits here: less than one read and one frame.
 */
#include "actors/wire.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/send.h"
#include "runtime/table.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 16 * 1024,
    READS_AT_A_TIME = 8, /* others wait for the reactor, too */
};

static struct copi_wire *
of_interest(struct copi_interest *interest)
{
    return (struct copi_wire *)(void *)((char *)interest - offsetof(struct copi_wire, readable));
}

/* ---------------------------------------------------------------- telling */

void
copi_wire_tell(struct copi_wire *wire, uint32_t tag, cop_bytes body)
{
    struct copi_message *message = wire->answer;
    message->tag = tag;
    message->size = (uint16_t)body.size;
    memcpy(message->body, body.data, body.size);
    wire->answer = NULL;
    wire->is_wanted = false;
    copi_post(wire->owner, message);
}

/* The handle, the bytes, and a 0. -ENOMEM. */
static int
tell_data(struct copi_wire *wire, const unsigned char *bytes, size_t size)
{
    void *body;
    struct copi_message *message =
        copi_message_blank(COPI_SEND, wire->kind->data_tag, sizeof wire->id + size + 1, &body);
    if (!message) {
        return -ENOMEM;
    }
    char *at = body;
    memcpy(at, &wire->id, sizeof wire->id);
    at += sizeof wire->id;
    if (bytes && size > 0) {
        memcpy(at, bytes, size);
    }
    at[size] = '\0';
    wire->is_wanted = false;
    copi_post(wire->owner, message);
    return 0;
}

/* ---------------------------------------------------------------- reading */

/* How many bytes, 0 at the end; -EAGAIN: there is nothing. */
static ssize_t
read_to(struct copi_wire *wire, void *memory, size_t room)
{
    ssize_t size;
    do {
        size = recv(wire->fd, memory, room, MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == ECONNRESET && wire->kind->is_port) {
        size = 0; /* it has ended before it had read everything, as a program may */
    }
    wire->at_end = size == 0;
    wire->is_dry = size > 0 && (size_t)size < room;
    return size < 0 ? -errno : size;
}

static int
read_some(struct copi_wire *wire)
{
    unsigned char *end = copi_bytes_reserve(&wire->in, READ_SIZE);
    if (!end) {
        return -ENOMEM;
    }
    ssize_t size = read_to(wire, end, READ_SIZE);
    if (size < 0) {
        return (int)size;
    }
    copi_bytes_added(&wire->in, (size_t)size);
    return 0;
}

/* -EAGAIN: what is here is not a whole one. */
static int
tell_next(struct copi_wire *wire)
{
    struct copi_frame frame;
    cop_bytes bytes = copi_bytes_view(&wire->in);
    int r = copi_framing_next(&wire->options.framing, bytes, wire->at_end, &frame);
    if (r == 0) {
        r = tell_data(wire, (const unsigned char *)bytes.data + frame.header, frame.size);
    }
    if (r == 0) {
        copi_bytes_remove(&wire->in, frame.header + frame.size);
    }
    return r;
}

int
copi_wire_answer(struct copi_wire *wire)
{
    int r = wire->in_error ? wire->in_error : tell_next(wire);
    for (int i = 0; r == -EAGAIN && !wire->at_end && i < READS_AT_A_TIME; i++) {
        r = read_some(wire);
        if (r) {
            break;
        }
        r = tell_next(wire);
    }
    if (r && (r != -EAGAIN || wire->at_end)) {
        wire->in_error = r == -EAGAIN ? 0 : r;
        copi_bytes_clear(&wire->in);
        wire->kind->tell_end(wire);
        r = 0;
    }
    copi_bytes_fit(&wire->in);
    return r;
}

static int
look(struct copi_wire *wire)
{
    int r = wire->is_wanted ? copi_wire_answer(wire) : 0;
    return r == -EAGAIN ? copi_reactor_arm(&wire->readable, wire->fd, COP_IO_READ) : r;
}

static void
tell_closed(struct copi_wire *wire)
{
    const struct cop_closed closed = {.socket.id = wire->id, .error = wire->in_error};
    copi_wire_tell(wire, COP_MSG_CLOSED, COP_BYTES(closed));
}

const struct copi_wire_kind copi_wire_stream = {
    .look = look,
    .tell_end = tell_closed,
    .data_tag = COP_MSG_DATA,
    .room_tag = COP_MSG_WRITABLE,
};

/* ---------------------------------------------------------------- for who waits */

/* Raw bytes of which none wait here go straight to where they are wanted. */
static int
receive_straight(struct copi_wire *wire, void *buffer, size_t size, size_t *received)
{
    ssize_t n = read_to(wire, buffer, size);
    if (n <= 0) {
        return n < 0 ? (int)n : -EAGAIN;
    }
    *received = (size_t)n;
    return 0;
}

static int
take_next(struct copi_wire *wire, void *buffer, size_t size, size_t *received)
{
    struct copi_frame frame;
    cop_bytes bytes = copi_bytes_view(&wire->in);
    int r = copi_framing_next(&wire->options.framing, bytes, wire->at_end, &frame);
    if (r) {
        return r;
    }
    bool is_cut = frame.size > size && wire->options.framing.kind == COP_FRAME_RAW;
    frame.size = is_cut ? size : frame.size;
    *received = frame.size;
    if (frame.size > size) {
        return -ENOBUFS;
    }
    if (frame.size > 0) {
        /* They are there. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        memcpy(buffer, (const unsigned char *)bytes.data + frame.header, frame.size);
    }
    copi_bytes_remove(&wire->in, frame.header + frame.size);
    return 0;
}

static int
receive_next(struct copi_wire *wire, void *buffer, size_t size, size_t *received)
{
    if (wire->options.framing.kind == COP_FRAME_RAW && wire->in.used == 0 && !wire->at_end) {
        return receive_straight(wire, buffer, size, received);
    }
    int r = take_next(wire, buffer, size, received);
    while (r == -EAGAIN && !wire->at_end && (r = read_some(wire)) == 0) {
        r = take_next(wire, buffer, size, received);
    }
    copi_bytes_fit(&wire->in);
    return r;
}

int
copi_wire_receive(struct copi_wire *wire, void *buffer, size_t size, size_t *received)
{
    int r = wire->in_error ? wire->in_error : receive_next(wire, buffer, size, received);
    if (r && r != -ENOBUFS && (r != -EAGAIN || wire->at_end)) {
        wire->in_error = r == -EAGAIN ? 0 : r;
        copi_bytes_clear(&wire->in);
        return wire->in_error ? wire->in_error : -ENODATA;
    }
    return r;
}

/* A wake-up in vain does no harm. */
void
copi_wire_wake_reader(struct copi_wire *wire)
{
    struct copi_process *owner = wire->is_awaited ? copi_table_find(wire->owner) : NULL;
    wire->is_awaited = false;
    if (owner) {
        copi_unpark(&owner->parker);
    }
}

/* ---------------------------------------------------------------- requests */

int
copi_wire_want(struct copi_wire *wire)
{
    if (wire->is_wanted) {
        return -EALREADY;
    }
    if (!wire->answer) {
        wire->answer = copi_message_new(COPI_SEND, 0, COPI_WIRE_ANSWER);
    }
    if (!wire->answer) {
        return -ENOMEM;
    }
    wire->is_wanted = true;
    int r = wire->kind->look(wire);
    if (r) {
        copi_wire_unwant(wire);
    }
    return r;
}

void
copi_wire_unwant(struct copi_wire *wire)
{
    wire->is_wanted = false;
}

void
copi_wire_look(struct copi_wire *wire)
{
    int r = wire->is_open ? wire->kind->look(wire) : 0;
    if (r) {
        wire->in_error = r;
        wire->kind->tell_end(wire);
    }
}

void
copi_wire_drain(struct copi_wire *wire)
{
    char unread[4096];
    ssize_t size = 1;
    if (!wire->lingers || !wire->drains) {
        return;
    }
    for (int i = 0; size > 0 && i < READS_AT_A_TIME; i++) {
        size = recv(wire->fd, unread, sizeof unread, MSG_DONTWAIT);
    }
    bool goes_on = size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
    wire->drains = goes_on && copi_reactor_arm(&wire->readable, wire->fd, COP_IO_READ) == 0;
    copi_wire_settle(wire);
}

/* It may come late, and to another life: then it is a reason to look, and no more. */
void
copi_wire_be_readable(struct copi_interest *interest, int events)
{
    struct copi_wire *wire = of_interest(interest);
    copi_lock_take(&wire->lock);
    if (events == -ECANCELED) {
        /* of a thread that goes on after cop_shutdown, and can ask again */
        copi_wire_unwant(wire);
        copi_wire_wake_blocked(wire);
        copi_wire_wake_reader(wire);
        copi_wire_linger_ends(wire);
    } else if (wire->lingers) {
        copi_wire_drain(wire);
    } else {
        copi_wire_wake_reader(wire);
        copi_wire_look(wire);
    }
    copi_lock_give(&wire->lock);
}
