/*
 * actors/genserver.c - servers: a state, and callbacks that own it.
 *
 * Room: actors/. Knows the runtime.
 * Touch freely: nothing. Ask first: when terminate runs.
 *
 * A server is a process whose function is the loop below. A callback returns a step
 * (genserver_step.c), which says how the loop goes on.
 *
 * A server that traps exits ends when its parent does, as in OTP: that exit is not shown to
 * handle_info. One that does not trap ends by the signal itself, without terminate.
 */
#include "actors/genserver.h"

#include "actors/debug.h"
#include "actors/genserver_step.h"
#include "actors/sys.h"
#include "runtime/inbox.h"
#include "runtime/inspect.h"
#include "runtime/recorder.h"
#include "runtime/report.h"
#include "runtime/request.h"
#include "runtime/wait.h"

#include <coppice/signal.h>

#include <errno.h>

/* ---------------------------------------------------------------- ending */

static const cop_genserver *
callbacks(const struct copi_process *self)
{
    return self->what;
}

static void
terminate(struct copi_process *self, const cop_reason *reason)
{
    self->finished = true;
    if (callbacks(self)->terminate) {
        copi_store_relaxed_32(&self->uncancelled, 1);
        self->held++;
        copi_callback_begin(self, "terminate");
        callbacks(self)->terminate(self->state, *reason);
        copi_callback_end(self);
        self->held--;
    }
}

static void
send_held_reply(struct copi_process *self)
{
    struct copi_message *reply = self->held_reply;
    self->held_reply = NULL;
    if (reply) {
        if (self->debug) {
            copi_note_reply(self, self->held_reply_to, reply);
        }
        copi_request_answer(self, self->held_reply_to, reply->ref, reply);
    }
}

static COPI_COLD cop_reason
stop(struct copi_process *self, cop_reason reason)
{
    self->reasons->end = reason; /* what waits for an answer learns of it */
    terminate(self, &reason);
    send_held_reply(self);
    return reason;
}

/* After a callback left by cop_exit. A start that failed has nothing to terminate. */
void
copi_genserver_finish(struct copi_process *self, cop_reason *reason)
{
    if (!self->started_ack) {
        terminate(self, reason);
    }
}

/* ---------------------------------------------------------------- one message */

static COPI_COLD cop_step
missing(struct copi_process *self, const char *callback)
{
    (void)self;
    return cop_stop(cop_failed(-ENOSYS, "{undef,%s}", callback));
}

static COPI_COLD cop_step
unexpected(struct copi_process *self, const struct copi_message *message)
{
    char name[COPI_LABEL_SIZE], from[COPI_LABEL_SIZE], tag[COPI_TAG_SIZE];
    copi_report(COPI_WARNING, "%s has no handle_info for message %s from %s",
                copi_label(self, name), copi_tag_in_words(message->tag, tag),
                copi_label_pid(message->from, from));
    return cop_ok();
}

static COPI_COLD void
tell_of_message(struct copi_process *self, cop_sys_event_kind kind,
                const struct copi_message *message)
{
    cop_msg msg = copi_message_view(message);
    copi_debug_note(self, kind, msg.from, &msg);
}

/* What is shown is made anew for the callback: kept across this, it would be copied there once more. */
static inline void
note_message(struct copi_process *self, cop_sys_event_kind kind, const struct copi_message *message)
{
    if (self->debug) {
        tell_of_message(self, kind, message);
    }
}

static inline cop_step
call(struct copi_process *self, const struct copi_message *message)
{
    const cop_genserver *on = callbacks(self);
    copi_request_begins(message);
    note_message(self, COP_SYS_CALL, message);
    if (!on->handle_call) {
        return missing(self, "handle_call");
    }
    copi_callback_next(self, "handle_call");
    return on->handle_call(self->state, (cop_from){message->from, message->ref},
                           copi_message_view(message));
}

static inline cop_step
cast(struct copi_process *self, const struct copi_message *message)
{
    const cop_genserver *on = callbacks(self);
    note_message(self, COP_SYS_CAST, message);
    if (!on->handle_cast) {
        return missing(self, "handle_cast");
    }
    copi_callback_next(self, "handle_cast");
    return on->handle_cast(self->state, copi_message_view(message));
}

static inline cop_step
info(struct copi_process *self, const struct copi_message *message)
{
    const cop_genserver *on = callbacks(self);
    note_message(self, COP_SYS_INFO, message);
    if (!on->handle_info) {
        return unexpected(self, message);
    }
    copi_callback_next(self, "handle_info");
    return on->handle_info(self->state, copi_message_view(message));
}

/* What there is no message for. */
static cop_step
timeout(struct copi_process *self)
{
    const cop_genserver *on = callbacks(self);
    cop_msg msg = COP_TAG(COP_MSG_TIMEOUT);
    if (self->debug) {
        copi_debug_note(self, COP_SYS_INFO, COP_NOBODY, &msg);
    }
    if (!on->handle_info) {
        return cop_ok();
    }
    copi_callback_begin(self, "handle_info");
    return on->handle_info(self->state, msg);
}

static cop_step
proceed(struct copi_process *self, const struct copi_message *token)
{
    const cop_genserver *on = callbacks(self);
    note_message(self, COP_SYS_CONTINUE, token);
    if (!on->handle_continue) {
        return missing(self, "handle_continue");
    }
    copi_callback_begin(self, "handle_continue");
    return on->handle_continue(self->state, copi_message_view(token));
}

static bool
is_end_of_parent(const struct copi_process *self, const struct copi_message *message)
{
    cop_pid parent = copi_parent(self);
    return message->kind == COPI_SEND && message->tag == COP_MSG_EXIT && parent.id != 0
           && cop_pid_eq(message->from, parent);
}

static COPI_COLD cop_step
stop_as_asked(const struct copi_message *message)
{
    cop_reason reason;
    memcpy(&reason, message->body, sizeof reason);
    return cop_stop(reason);
}

static COPI_COLD cop_step
stop_with_parent(const struct copi_message *message)
{
    struct cop_exited exited;
    memcpy(&exited, message->body, sizeof exited);
    return cop_stop(exited.reason);
}

static inline cop_step
handle(struct copi_process *self, const struct copi_message *message)
{
    switch ((enum copi_kind)message->kind) {
    case COPI_CAST:
        return cast(self, message);
    case COPI_CALL:
        return call(self, message);
    case COPI_STOP:
        return stop_as_asked(message);
    default:
        return is_end_of_parent(self, message) ? stop_with_parent(message) : info(self, message);
    }
}

static cop_verdict
verdict_of(const struct copi_process *self, cop_step step)
{
    if (!copi_step_goes_on(step)) {
        return COP_VERDICT_STOP;
    }
    if (step.next == COPI_CONTINUE) {
        return COP_VERDICT_CONTINUE;
    }
    bool was_asked = self->current && self->current->ref.id != 0;
    return was_asked && self->current->kind != COPI_CALL ? COP_VERDICT_REPLY : COP_VERDICT_NOREPLY;
}

/* Its message's body may be somebody else's by now. */
static void
note_handled(struct copi_process *self)
{
    const struct copi_message *message = self->current;
    cop_msg handled = COP_TAG(message ? message->tag : COP_MSG_TIMEOUT);
    copi_debug_note(self, COP_SYS_HANDLED, message ? message->from : COP_NOBODY, &handled);
}

/* The callback has returned. */
static inline cop_step
over(struct copi_process *self, cop_step step)
{
    copi_callback_end(self);
    if (copi_is_recorded(self)) {
        copi_recorder_verdict(self, verdict_of(self, step));
    }
    if (!copi_step_goes_on(step)) {
        copi_note_in_hand(self);
    } else if (self->debug) {
        note_handled(self);
    }
    copi_callback_over(self);
    return step;
}

/* The path of one message among many: nothing is asked of the loop itself. */
static inline struct copi_message *
at_hand(struct copi_process *self)
{
    const struct copi_message *first = self->inbox.first;
    bool is_plain = first && self->pending == COPI_NONE && !copi_sys_is_request(first);
    return is_plain ? copi_message_at_hand(self) : NULL;
}

/* What the callback has in hand is self->current, so that it is found whatever becomes of the
 * callback. */
static inline cop_step
take_one(struct copi_process *self, struct copi_message *message)
{
    self->current = message;
    copi_message_handled(self, message);
    return over(self, handle(self, message));
}

/* A message, and those at hand behind it, until a step says more than that the next may come. Most messages
 * come behind others, so this loop is what they cost; a function of its own, that nobody waits in. */
static __attribute__((noinline)) cop_step
take(struct copi_process *self, struct copi_message *message)
{
    cop_step step;
    do {
        step = take_one(self, message);
    } while ((step.next == COPI_GO_ON || step.next == COPI_GO_ON_TIMED)
             && (message = at_hand(self)));
    return step;
}

/* Of which there is one: the step before has said so. */
static struct copi_message *
take_token(struct copi_process *self)
{
    struct copi_message *token = self->token;
    self->current = token;
    self->token = NULL;
    return token;
}

static cop_step
take_continue(struct copi_process *self)
{
    const struct copi_message *token = take_token(self);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): see above */
    copi_record_event(self, COP_RECORD_CONTINUE, token->tag);
    return over(self, proceed(self, token));
}

static cop_step
take_timeout(struct copi_process *self)
{
    copi_record_event(self, COP_RECORD_TIMEOUT, 0);
    return over(self, timeout(self));
}

static cop_step
take_timeout_with(struct copi_process *self)
{
    take_token(self);
    copi_record_event(self, COP_RECORD_INFO, self->current->tag);
    return over(self, info(self, self->current));
}

/* ---------------------------------------------------------------- the loop */

/* What a suspended server still takes; as OTP's, which looks for nothing else. */
static bool
is_for_suspended(const struct copi_message *message, void *env)
{
    return copi_sys_is_request(message) || message->kind == COPI_STOP
           || is_end_of_parent(env, message);
}

static struct copi_message *
look(struct copi_process *self, struct copi_look *suspended)
{
    if (!suspended) {
        return copi_next_message(self);
    }
    copi_take_in(self);
    return copi_look_for(self, suspended, is_for_suspended, self);
}

/* 0 and a message; -ETIMEDOUT: nothing came within its time; -ECANCELED: it is to stop. `suspended`:
 * NULL when it is not. */
static int
next_message(struct copi_process *self, struct copi_wait *wait, struct copi_look *suspended,
             struct copi_message **message)
{
    int r;
    do {
        *message = look(self, suspended);
        if (self->pending != COPI_NONE && !*message) {
            copi_exit_point(self);
        }
        if (self->pending == COPI_ASKED) {
            if (*message) {
                copi_refuse(*message, -ESRCH);
            }
            return copi_fail_why(&self->reasons->pending, -ECANCELED);
        }
        if (*message) {
            return 0;
        }
        copi_record_idle(self);
    } while ((r = copi_pause(self, wait)) == 0);
    return r;
}

static COPI_COLD cop_step
stop_by_context(const struct copi_process *self)
{
    return cop_stop((cop_reason){.kind = COP_SHUTDOWN, .code = self->reasons->why.code});
}

static enum copi_sys_outcome
take_request(struct copi_process *self, struct copi_message *message, bool is_suspended,
             cop_reason *reason)
{
    self->current = message;
    copi_message_handled(self, message);
    enum copi_sys_outcome outcome = copi_sys_handle(self, is_suspended, reason);
    copi_callback_over(self);
    return outcome;
}

/* Until it is to resume, or to stop. */
static cop_step
serve_while_suspended(struct copi_process *self)
{
    struct copi_wait wait = COPI_WAIT("suspended", COP_FOREVER);
    struct copi_look from;
    struct copi_message *message;
    cop_reason reason;
    copi_look_begin(self, &from);
    while (next_message(self, &wait, &from, &message) == 0) {
        if (!copi_sys_is_request(message)) {
            return take(self, message);
        }
        switch (take_request(self, message, true, &reason)) {
        case COPI_SYS_AS_BEFORE:
        case COPI_SYS_SUSPEND:
            break;
        case COPI_SYS_RESUME:
            return cop_ok();
        case COPI_SYS_TERMINATE:
            return cop_stop(reason);
        }
    }
    return stop_by_context(self);
}

static cop_step
stay_suspended(struct copi_process *self)
{
    copi_store_relaxed_32(&self->is_suspended, 1);
    cop_step step = serve_while_suspended(self);
    copi_store_relaxed_32(&self->is_suspended, 0);
    return step;
}

/* A step that goes on: as if nothing had been asked. */
static COPI_COLD cop_step
serve_request(struct copi_process *self, struct copi_message *message)
{
    cop_reason reason;
    switch (take_request(self, message, false, &reason)) {
    case COPI_SYS_AS_BEFORE:
    case COPI_SYS_RESUME:
        break;
    case COPI_SYS_SUSPEND:
        return stay_suspended(self);
    case COPI_SYS_TERMINATE:
        return cop_stop(reason);
    }
    return cop_ok();
}

/*
 * One wait for the next message of the user's, whatever requests come between: they are no reason for
 * an idle timeout to come later. 0 and the message; -ETIMEDOUT; -ECANCELED: it is to stop, as *step
 * says.
 */
static int
wait_for_message(struct copi_process *self, cop_time idle, struct copi_message **message,
                 cop_step *step)
{
    struct copi_wait wait = COPI_WAIT("receive", idle);
    int r;
    while ((r = next_message(self, &wait, NULL, message)) == 0) {
        if (!copi_sys_is_request(*message)) {
            return 0;
        }
        *step = serve_request(self, *message);
        if (!copi_step_goes_on(*step)) {
            return -ECANCELED;
        }
    }
    if (r == -ETIMEDOUT && idle != COP_FOREVER) {
        return r;
    }
    *step = stop_by_context(self);
    return -ECANCELED;
}

static cop_step
wait_and_take(struct copi_process *self, cop_time idle)
{
    struct copi_message *message;
    cop_step step;
    int r = wait_for_message(self, idle, &message, &step);
    return r == 0 ? take(self, message) : r == -ETIMEDOUT ? take_timeout(self) : step;
}

/* The same with a message that is told in place of COP_MSG_TIMEOUT, or not at all. */
static cop_step
wait_with_token(struct copi_process *self, cop_time idle)
{
    struct copi_message *message;
    cop_step step;
    int r = wait_for_message(self, idle, &message, &step);
    if (r == -ETIMEDOUT) {
        return take_timeout_with(self);
    }
    copi_message_free(self->token);
    self->token = NULL;
    return r == 0 ? take(self, message) : step;
}

static cop_step
next_step(struct copi_process *self, cop_step last)
{
    switch (last.next) {
    case COPI_CONTINUE:
        return take_continue(self);
    case COPI_GO_ON_TIMED:
        return wait_and_take(self, last.timeout);
    case COPI_GO_ON_TIMED_WITH:
        return wait_with_token(self, last.timeout);
    default:
        return wait_and_take(self, COP_FOREVER);
    }
}

static COPI_COLD cop_reason
why_it_stops(const struct copi_process *self, cop_step step)
{
    return step.next == COPI_STOP_SERVER ? self->reasons->step
                                         : cop_failed(-EINVAL, "{bad_return_value,%d}", step.next);
}

cop_reason
copi_genserver_serve(struct copi_process *self, cop_step step)
{
    while (copi_step_goes_on(step)) {
        step = next_step(self, step);
        if (self->pending == COPI_ASKED && step.next == COPI_STOP_SERVER) {
            return self->reasons->pending; /* by a signal that it does not trap: no terminate */
        }
    }
    return stop(self, why_it_stops(self, step));
}

static COPI_COLD cop_step
init(struct copi_process *self)
{
    const cop_genserver *on = callbacks(self);
    copi_sys_show_state(self->state, on->state_size);
    if (!on->init) {
        return cop_ok();
    }
    copi_callback_begin(self, "init");
    cop_step step = on->init(self->state, self->arg);
    copi_callback_end(self);
    copi_callback_over(self);
    return step;
}

cop_reason
copi_genserver_run(struct copi_process *self)
{
    cop_step step = init(self);
    if (step.next == COPI_IGNORE) {
        self->declined = true;
        return COP_REASON_NORMAL;
    }
    if (!copi_step_goes_on(step)) {
        return why_it_stops(self, step);
    }
    copi_acknowledge(self, 0, &COP_REASON_NORMAL);
    copi_thread_yield(); /* who has started us may want to watch us before we make news */
    return copi_genserver_serve(self, step);
}
