/*
 * actors/wire.c - the life of a descriptor that the library reads and writes for a process.
 *
 * Room: actors/. Any thread.
 * Touch freely: nothing. Ask first: who may make a record free.
 *
 * Wires are records in chunks that are never freed, found by an id that is index and generation, so
 * that a stale handle, a late call of the reactor's and a late timer find either the same life or see
 * that it is over. All that is done with a descriptor is done under the lock of its wire, and it never
 * blocks there: so it can be closed by whoever ends its owner, a disowned one included.
 *
 *   open      found by its id; belongs to its owner
 *   lingers   closed, but with bytes that were sent and have not gone: found by nobody, belongs to
 *             nobody. Until they have gone, the connection breaks or the time is up. Where the peer has
 *             said what nobody has read, it is heard out until its end, too: a close would make the
 *             system break the connection, and what was sent last would be lost on the way
 *   free      in the list
 *
 * Who closes it takes it out of its owner's belongings first. Who finds that it is not there any more is
 * late: the owner's end is on its way, and closes it.
 *
 * Lock order: a wire's lock, then one of the runtime's, or the table's; never two wires.
 */
#include "actors/wire.h"

#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "runtime/timer.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    INDEX_BITS = 20,
    CHUNK = 128, /* records */
    CHUNKS = (1 << INDEX_BITS) / CHUNK,
};

static copi_atomic_ptr chunks[CHUNKS];

static struct {
    copi_lock lock;
    /* guarded by lock */
    uint32_t end, first_free; /* first_free: an index + 1; 0: none */
} table = {.lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- records */

static struct copi_wire *
wire_at(uint32_t index)
{
    struct copi_wire *chunk =
        copi_load_acquire_ptr(&chunks[index / CHUNK]); /* pairs with add_chunk */
    return chunk ? &chunk[index % CHUNK] : NULL;
}

static void be_orphaned(struct copi_belonging *belonging, const cop_reason *reason);

static int
add_chunk_locked(void)
{
    uint32_t first = table.end;
    if (first == CHUNK * CHUNKS) {
        return -EAGAIN;
    }
    struct copi_wire *chunk = copi_zalloc(CHUNK * sizeof *chunk);
    if (!chunk) {
        return -ENOMEM;
    }
    for (uint32_t i = CHUNK; i-- > 0;) {
        copi_lock_init(&chunk[i].lock);
        chunk[i].index = first + i;
        chunk[i].belonging.orphaned = be_orphaned;
        chunk[i].readable.ready = copi_wire_be_readable;
        chunk[i].writable.ready = copi_wire_be_writable;
        chunk[i].next_free = table.first_free;
        table.first_free = first + i + 1;
    }
    copi_store_release_ptr(&chunks[first / CHUNK], chunk); /* pairs with wire_at */
    table.end = first + CHUNK;
    return 0;
}

int
copi_wire_take(struct copi_wire **record)
{
    copi_lock_take(&table.lock);
    int r = table.first_free ? 0 : add_chunk_locked();
    if (r == 0) {
        *record = wire_at(table.first_free - 1);
        table.first_free = (*record)->next_free;
    }
    copi_lock_give(&table.lock);
    return r;
}

void
copi_wire_put_back(struct copi_wire *wire)
{
    copi_lock_take(&table.lock);
    wire->next_free = table.first_free;
    table.first_free = wire->index + 1;
    copi_lock_give(&table.lock);
}

/* ---------------------------------------------------------------- opening */

static void
begin_life(struct copi_wire *wire, const struct copi_wire_start *start)
{
    uint64_t generation = (wire->id >> INDEX_BITS) + 1;
    wire->id = generation << INDEX_BITS | wire->index;
    wire->kind = start->kind;
    wire->options = *start->options;
    wire->owner = start->owner;
    wire->fd = start->fd;
    wire->is_open = true;
    wire->in_error = wire->out_error = 0;
    wire->at_end = wire->is_flushing = wire->shuts_out = wire->is_shut_out = false;
    wire->is_dry = wire->is_awaited = wire->pauses = wire->has_reported = false;
    wire->device = start->path ? start->path->st_dev : 0;
    wire->inode = start->path ? start->path->st_ino : 0;
    wire->port = start->port;
}

int
copi_wire_begin(uint64_t *id, struct copi_wire *wire, const struct copi_wire_start *start)
{
    copi_lock_take(&wire->lock);
    begin_life(wire, start);
    int r = copi_belonging_join(&wire->belonging, start->owner);
    if (r) {
        wire->is_open = false;
        copi_wire_put_back(wire);
    } else {
        copi_live_born(COPI_LIVE_SOCKET);
        *id = wire->id;
    }
    copi_lock_give(&wire->lock);
    return r ? -ECANCELED : 0;
}

int
copi_wire_open(uint64_t *id, const struct copi_wire_start *start)
{
    struct copi_wire *wire;
    int r = copi_wire_take(&wire);
    return r ? r : copi_wire_begin(id, wire, start);
}

/* ---------------------------------------------------------------- finding */

static struct copi_wire *
lock_record(uint64_t id)
{
    struct copi_wire *wire = wire_at((uint32_t)(id & ((UINT64_C(1) << INDEX_BITS) - 1)));
    if (wire) {
        copi_lock_take(&wire->lock);
    }
    return wire;
}

struct copi_wire *
copi_wire_lock(uint64_t id)
{
    struct copi_wire *wire = lock_record(id);
    if (wire && !(wire->is_open && wire->id == id)) {
        copi_lock_give(&wire->lock);
        wire = NULL;
    }
    return wire;
}

struct copi_wire *
copi_wire_lock_lingering(uint64_t id)
{
    struct copi_wire *wire = lock_record(id);
    if (wire && !((wire->is_open || wire->lingers) && wire->id == id)) {
        copi_lock_give(&wire->lock);
        wire = NULL;
    }
    return wire;
}

void
copi_wire_unlock(struct copi_wire *wire)
{
    copi_lock_give(&wire->lock);
}

void
copi_wire_relock(struct copi_wire *wire)
{
    copi_lock_take(&wire->lock);
}

int
copi_wire_enter(struct copi_wire **wire, uint64_t id, bool is_port)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    *wire = copi_wire_lock(id);
    if (!*wire) {
        return copi_fail(-EBADF);
    }
    return (*wire)->kind->is_port == is_port ? 0 : copi_wire_leave(*wire, -EBADF);
}

int
copi_wire_enter_own(struct copi_wire **wire, uint64_t id, bool is_port)
{
    int r = copi_wire_enter(wire, id, is_port);
    if (r == 0 && !cop_pid_eq((*wire)->owner, copi_here.process->pid)) {
        r = copi_wire_leave(*wire, -EPERM);
    }
    return r;
}

int
copi_wire_leave(struct copi_wire *wire, int result)
{
    copi_wire_unlock(wire);
    return result ? copi_fail(result) : 0;
}

/* ---------------------------------------------------------------- closing */

static void
end_life(struct copi_wire *wire)
{
    copi_reactor_disarm(&wire->readable);
    copi_reactor_disarm(&wire->writable);
    if (wire->kind->closes) {
        wire->kind->closes(wire);
    }
    close(wire->fd);
    wire->fd = -1;
    wire->lingers = false;
    copi_live_gone(COPI_LIVE_SOCKET);
    copi_bytes_clear(&wire->in);
    copi_bytes_clear(&wire->out);
    copi_wire_put_back(wire);
}

void
copi_wire_linger_ends(struct copi_wire *wire)
{
    if (wire->lingers) {
        copi_timer_cancel(wire->linger_timer);
        end_life(wire);
    }
}

void
copi_wire_settle(struct copi_wire *wire)
{
    if (wire->out_error || (wire->out.used == 0 && !wire->drains)) {
        copi_wire_linger_ends(wire);
    }
}

/* A late call may find the next life, which has a time of its own. */
static void
time_is_up(void *arg, bool is_stop)
{
    struct copi_wire *wire = arg;
    copi_lock_take(&wire->lock);
    if (is_stop || copi_clock() >= wire->lingers_until) {
        copi_wire_linger_ends(wire);
    }
    copi_lock_give(&wire->lock);
}

static int
set_time(struct copi_wire *wire)
{
    wire->lingers_until = copi_deadline(wire->options.linger);
    return copi_timer_call_later(&wire->linger_timer, wire->lingers_until, time_is_up, wire);
}

static bool
has_unread(const struct copi_wire *wire)
{
    int size = 0;
    return wire->in.used > 0
           || (!wire->kind->listens && ioctl(wire->fd, FIONREAD, &size) == 0 && size > 0);
}

static void
linger(struct copi_wire *wire)
{
    wire->drains = !wire->at_end && has_unread(wire);
    bool has_more = wire->out_error == 0 && (wire->out.used > 0 || wire->drains);
    if (has_more && wire->options.linger > 0 && set_time(wire) == 0) {
        wire->lingers = true;
        copi_wire_shut_out(wire); /* it may be over with this */
        copi_wire_drain(wire);
    } else {
        end_life(wire);
    }
}

/* It is nobody's already. */
static void
close_wire(struct copi_wire *wire, bool at_once)
{
    wire->is_open = false;
    copi_wire_unwant(wire);
    copi_wire_wake_reader(wire);
    if (wire->answer) {
        copi_message_free(wire->answer);
        wire->answer = NULL;
    }
    if (wire->room) {
        copi_message_free(wire->room);
        wire->room = NULL;
    }
    copi_wire_wake_blocked(wire);
    if (at_once) {
        end_life(wire);
    } else {
        linger(wire);
    }
}

/* Who crashes says nothing more, and who is killed neither. */
static void
be_orphaned(struct copi_belonging *belonging, const cop_reason *reason)
{
    struct copi_wire *wire =
        (struct copi_wire *)(void *)((char *)belonging - offsetof(struct copi_wire, belonging));
    copi_lock_take(&wire->lock);
    close_wire(wire, cop_is_crash(*reason));
    copi_lock_give(&wire->lock);
}

int
copi_wire_close(struct copi_wire *wire)
{
    bool is_ours = copi_belonging_leave(&wire->belonging);
    if (is_ours) {
        close_wire(wire, false);
    }
    copi_lock_give(&wire->lock);
    return is_ours ? 0 : -EBADF;
}

/* ---------------------------------------------------------------- another owner */

int
copi_wire_give(struct copi_wire *wire, cop_pid to)
{
    if (!copi_belonging_leave(&wire->belonging)) {
        return -EBADF;
    }
    if (copi_belonging_join(&wire->belonging, to) == 0) {
        wire->owner = to;
        return 0;
    }
    if (copi_belonging_join(&wire->belonging, wire->owner) != 0) { /* disowned meanwhile */
        close_wire(wire, true);
        return -EBADF;
    }
    return -ESRCH;
}
