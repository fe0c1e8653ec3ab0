/*
 * actors/genserver_step.c - what a callback says: how its server goes on, and what its callers are
 * answered.
 *
 * Room: actors/. Runs in callbacks; answers in any process.
 * Touch freely: nothing. Ask first: what becomes of a body that was moved.
 *
 * A step is small, because it is returned for every message; a reason, a token or an answer to be sent
 * later waits in the process.
 */
#include "actors/genserver_step.h"

#include "actors/debug.h"
#include "runtime/process.h"
#include "runtime/request.h"

#include <errno.h>

void
copi_note_reply(struct copi_process *self, cop_pid to, const struct copi_message *reply)
{
    cop_msg view = copi_message_view(reply);
    copi_debug_note(self, COP_SYS_REPLY, to, &view);
}

/* ---------------------------------------------------------------- steps */

cop_step
cop_ok(void)
{
    return (cop_step){.next = COPI_GO_ON};
}

cop_step
cop_ok_timeout(cop_time idle)
{
    return (cop_step){.next = COPI_GO_ON_TIMED, .timeout = idle};
}

cop_step
cop_ignore(void)
{
    return (cop_step){.next = COPI_IGNORE};
}

cop_step
cop_stop(cop_reason reason)
{
    struct copi_process *self = copi_here.process;
    if (self) {
        self->reasons->step = reason;
    }
    return (cop_step){.next = COPI_STOP_SERVER};
}

/* The token waits in the process; the step says for what. */
static cop_step
with_token(cop_step step, cop_msg token, const char *what)
{
    struct copi_process *self = copi_here.process;
    struct copi_message *message = NULL;
    int r = self ? copi_message_from(&message, COPI_SEND, &token) : -EPERM;
    if (r) {
        cop_msg_release(&token);
        return cop_stop(cop_failed(r, "%s", what));
    }
    if (self->token) {
        copi_message_free(self->token);
    }
    self->token = message;
    return step;
}

cop_step
cop_ok_continue(cop_msg token)
{
    return with_token((cop_step){.next = COPI_CONTINUE}, token, "continue");
}

cop_step
cop_ok_timeout_with(cop_time idle, cop_msg msg)
{
    return with_token((cop_step){.next = COPI_GO_ON_TIMED_WITH, .timeout = idle}, msg, "timeout");
}

cop_step
cop_ok_timeout_at(cop_time when, cop_msg msg)
{
    cop_time now = copi_clock();
    return cop_ok_timeout_with(when == COP_FOREVER ? when : when > now ? when - now : 0, msg);
}

/* ---------------------------------------------------------------- answers */

/* The answer as a message; one that cannot be made is a refusal that says why. NULL: no memory. */
static struct copi_message *
make_reply(const cop_msg *reply)
{
    struct copi_message *message = NULL;
    int r = copi_message_from(&message, COPI_REPLY, reply);
    if (r) {
        copi_message_let_go(reply);
        message = copi_message_new(COPI_REFUSAL, 0, sizeof r);
        if (message) {
            memcpy(message->body, &r, sizeof r);
        }
    }
    return message;
}

extern inline cop_step cop_reply(cop_from from, cop_msg reply);

cop_step
cop_reply_by(cop_from from, const cop_msg *reply)
{
    struct copi_process *self;
    struct copi_message *message = make_reply(reply);
    if (copi_enter(&self) != 0) {
        if (message) {
            copi_message_free(message);
        }
    } else if (message) {
        if (self->debug) {
            copi_note_reply(self, from.pid, message);
        }
        copi_request_answer(self, from.pid, from.ref, message);
    } else {
        copi_request_fail(self, from.pid, from.ref, -ENOMEM);
    }
    return cop_ok();
}

cop_step
cop_reply_stop(cop_from from, cop_msg reply, cop_reason reason)
{
    struct copi_process *self = copi_here.process;
    struct copi_message *message = make_reply(&reply);
    if (message && self && !self->held_reply) {
        message->ref = from.ref;
        self->held_reply = message;
        self->held_reply_to = from.pid;
    } else if (message) {
        copi_message_free(message);
    }
    return cop_stop(reason);
}
