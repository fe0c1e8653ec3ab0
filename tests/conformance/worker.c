/*
 * tests/conformance/worker.c - the workers of a scenario.
 *
 * Room: tests/. Each worker is a process that traps exits, so that how it ends is its own decision: it
 * obeys its supervisor as its stop mode says, ignores exit signals of all others, and ends or unlinks
 * itself when main says so. Before it ends it is marked as leaving: between its decision and the end
 * nothing else would show that something is still going to happen.
 */
#include "tests/conformance/worker.h"

#include "tests/conformance/reason.h"
#include "tests/conformance/record.h"
#include "tests/conformance/text.h"

enum {
    READY = 901,
    END_YOURSELF,
    UNLINK_YOURSELF,
};

/* ---------------------------------------------------------------- in the worker */

static void
leave(struct player *self, cop_reason reason)
{
    cast_lock();
    self->is_leaving = true;
    cast_unlock();
    cop_exit(reason);
}

static void
leave_slowly(struct player *self, cop_reason reason)
{
    cast_lock();
    self->is_leaving = true;
    cast_unlock();
    (void)cop_sleep(self->as->stop.slow);
    cop_exit(reason);
}

static void
asked_to_stop(struct player *self, cop_reason reason)
{
    switch (self->as->stop.kind) {
    case STOP_OK:
        leave(self, reason);
        break;
    case STOP_SLOW:
        leave_slowly(self, reason);
        break;
    case STOP_EXIT:
        leave(self, reason_of(self->as->stop.reason));
        break;
    case STOP_NEVER:
        cast_lock();
        self->knows_orphaned = true;
        cast_unlock();
        break;
    }
}

static void
obey(struct player *self, const cop_msg *msg)
{
    const struct cop_exited *exited;
    switch (msg->tag) {
    case END_YOURSELF:
        leave(self, reason_of(msg->body.data));
        break;
    case UNLINK_YOURSELF:
        (void)cop_unlink(self->parent);
        cast_lock();
        self->is_unlinked = true;
        cast_unlock();
        break;
    case COP_MSG_EXIT:
        exited = COP_BODY(*msg, struct cop_exited);
        if (cop_pid_eq(exited->pid, self->parent)) {
            asked_to_stop(self, exited->reason);
        }
        break;
    }
}

static int
work(cop_bytes arg)
{
    struct player player;
    memcpy(&player, arg.data, sizeof player);
    player.pid = cop_self();
    (void)cop_trap_exits(true);
    struct player *self = record_worker(player);
    (void)cop_send(self->parent, COP_TAG(READY));
    cop_msg message;
    int r;
    while ((r = cop_receive(&message, COP_FOREVER)) == 0) {
        obey(self, &message);
    }
    return r;
}

/* ---------------------------------------------------------------- in its supervisor */

static bool
is_ready(const cop_msg *msg, void *env)
{
    return msg->tag == READY && cop_pid_eq(msg->from, *(const cop_pid *)env);
}

int
worker_start(struct player player, cop_pid *out, cop_reason *why)
{
    int r = cop_spawn(out, work, .arg = COP_BYTES(player), .link = true);
    if (r) {
        *why = cop_why();
        return r;
    }
    cop_msg message;
    return cop_receive_match(&message, is_ready, out, COP_FOREVER);
}

struct expected_exit {
    cop_pid pid;
    bool is_here;
};

/* Looks, and takes nothing: the signal is for the supervisor. */
static bool
is_exit_of(const cop_msg *msg, void *env)
{
    struct expected_exit *expected = env;
    if (msg->tag == COP_MSG_EXIT && msg->body.size == sizeof(struct cop_exited)) {
        struct cop_exited exited;
        memcpy(&exited, msg->body.data, sizeof exited);
        expected->is_here |= cop_pid_eq(exited.pid, expected->pid);
    }
    return false;
}

void
worker_die(cop_pid worker, const char *reason)
{
    struct expected_exit expected = {.pid = worker};
    worker_exit(worker, reason);
    while (!expected.is_here) {
        cop_msg message;
        (void)cop_receive_match(&message, is_exit_of, &expected, COP_US(200));
    }
}

/* ---------------------------------------------------------------- by main */

void
worker_exit(cop_pid worker, const char *reason)
{
    (void)cop_send(worker, (cop_msg){.tag = END_YOURSELF, .body = COP_STR(reason)});
}

void
worker_unlink(cop_pid worker)
{
    (void)cop_send(worker, COP_TAG(UNLINK_YOURSELF));
}
