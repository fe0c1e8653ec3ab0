/*
 * runtime/exit_signal.c - a reason that one process sends another, and what it does there.
 *
 * Room: runtime/. Any thread sends; the owner takes it in.
 * Touch freely: nothing. Ask first: what acts, and when.
 *
 * A signal is a message like any other, with the reason as its body, so it comes in its order behind what its
 * sender sent before. It acts when its receiver takes it in, before the callbacks of messages that wait: who traps
 * exits gets a message, SHUTDOWN asks, a kill and any other reason but NORMAL end the process at its next exit
 * point. Whom it reaches in a system call of his own, the ladder (ladder.h) fetches.
 */
#include "runtime/exit_signal.h"

#include "runtime/inbox.h"
#include "runtime/ladder.h"
#include "runtime/recorder.h"
#include "runtime/send.h"
#include "runtime/table.h"

#include <errno.h>
#include <string.h>

/* ---------------------------------------------------------------- sending */

struct copi_message *
copi_exit_signal_new(const struct copi_process *self, const cop_reason *reason)
{
    struct copi_message *message = copi_message_new(COPI_SIGNAL, 0, sizeof(struct cop_exited));
    if (message) {
        struct cop_exited exited = {.pid = copi_pid(self), .reason = *reason};
        memcpy(message->body, &exited, sizeof exited);
    }
    return message;
}

void
copi_exit_signal_send(cop_pid to, struct copi_message *message)
{
    struct cop_exited exited;
    memcpy(&exited, message->body, sizeof exited);
    copi_post_signal(to, message);
    if (exited.reason.kind == COP_KILLED || exited.reason.kind == COP_SHUTDOWN) {
        copi_ladder_begin(to, exited.reason.kind == COP_KILLED);
    } else if (exited.reason.kind != COP_NORMAL) {
        copi_ladder_tell(to);
    }
}

/* ---------------------------------------------------------------- arriving */

static struct copi_message *
as_exit_message(struct copi_message *message, cop_pid from, const cop_reason *reason)
{
    struct cop_exited exited = {.pid = from, .reason = *reason};
    memcpy(message->body, &exited, sizeof exited);
    message->kind = COPI_SEND;
    message->tag = COP_MSG_EXIT;
    message->size = sizeof exited;
    message->from = from;
    return message;
}

static void
set_pending(struct copi_process *self, enum copi_pending pending, const cop_reason *reason)
{
    if (self->pending < COPI_EXITING) { /* of two exit signals the first decides */
        self->reasons->pending = *reason;
    }
    if (self->pending < pending) { /* but after a kill nothing is to block any more */
        self->pending = pending;
    }
}

struct copi_message *
copi_exit_signal_act(struct copi_process *self, struct copi_message *message, cop_pid from,
                     cop_reason reason, bool is_kill)
{
    if (copi_is(self, COPI_IS_FOREIGN)) {
        return as_exit_message(message, from, &reason);
    }
    if (is_kill) {
        set_pending(self, COPI_KILLED_BY, &COP_REASON_KILLED);
    } else if (copi_load_relaxed_32(&self->traps)) {
        return as_exit_message(message, from, &reason);
    } else if (reason.kind == COP_SHUTDOWN) {
        if (self->pending == COPI_NONE) {
            set_pending(self, COPI_ASKED, &reason);
        }
    } else if (reason.kind != COP_NORMAL || cop_pid_eq(from, copi_pid(self))) {
        set_pending(self, COPI_EXITING, &reason);
    }
    if (self->pending != COPI_NONE) {
        copi_record_note(self, COP_RECORD_SIGNAL, from, (uint32_t)reason.kind, reason.code, NULL);
    }
    copi_message_free(message);
    return NULL;
}

struct copi_message *
copi_exit_signal_arrived(struct copi_process *self, struct copi_message *message)
{
    struct cop_exited exited;
    memcpy(&exited, message->body, sizeof exited);
    return copi_exit_signal_act(self, message, exited.pid, exited.reason,
                                exited.reason.kind == COP_KILLED);
}

void
copi_exit_signal_stop(struct copi_process *self, struct copi_message *message)
{
    cop_reason reason;
    memcpy(&reason, message->body, sizeof reason);
    if (reason.kind == COP_NORMAL) {
        reason.kind = COP_SHUTDOWN; /* an exit signal NORMAL would be ignored */
    }
    struct copi_message *told = copi_exit_signal_act(self, message, message->from, reason, false);
    if (told) {
        copi_list_append(&self->inbox, told);
    }
}

/* ---------------------------------------------------------------- public */

int
cop_exit_signal(cop_pid to, cop_reason reason)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    cop_pid pid = copi_resolve(to);
    if (pid.id == 0) {
        return to.id ? copi_fail(-ESRCH) : 0;
    }
    struct copi_message *message = copi_exit_signal_new(self, &reason);
    if (!message) {
        return copi_fail(-ENOMEM);
    }
    copi_exit_signal_send(pid, message);
    return 0;
}

bool
cop_trap_exits(bool on)
{
    struct copi_process *self;
    if (copi_enter(&self) != 0) {
        return false;
    }
    bool was = copi_load_relaxed_32(&self->traps);
    copi_store_relaxed_32(&self->traps, on);
    return was;
}
