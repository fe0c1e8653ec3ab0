/*
 * actors/genserver.c - servers: a state, and callbacks that own it.
 *
 * Room: actors/. Knows the runtime.
 * Touch freely: nothing. Ask first: when terminate runs.
 *
 * A server is a process whose function is the loop below. A callback returns a step, which is small,
 * because it is returned for every message; a reason, a token or an answer to be sent later waits in
 * the process.
 *
 * A server that traps exits ends when its parent does, as in OTP: that exit is not shown to
 * handle_info. One that does not trap ends by the signal itself, without terminate.
 */
#include "runtime/inbox.h"
#include "runtime/inspect.h"
#include "runtime/memory.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/request.h"
#include "runtime/send.h"
#include "runtime/stop.h"
#include "runtime/wait.h"

#include <coppice/genserver.h>
#include <coppice/name.h>
#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

/* Not small numbers: a step that no function here has made is to be noticed. */
enum next {
    GO_ON = 0x5e1,
    GO_ON_TIMED,
    CONTINUE,
    STOP,
    IGNORE,
};

/* ---------------------------------------------------------------- steps */

cop_step
cop_ok(void)
{
    return (cop_step){.next = GO_ON};
}

cop_step
cop_ok_timeout(cop_time idle)
{
    return (cop_step){.next = GO_ON_TIMED, .timeout = idle};
}

cop_step
cop_ignore(void)
{
    return (cop_step){.next = IGNORE};
}

cop_step
cop_stop(cop_reason reason)
{
    struct copi_process *self = copi_here.process;
    if (self) {
        self->step_reason = reason;
    }
    return (cop_step){.next = STOP};
}

cop_step
cop_ok_continue(cop_msg token)
{
    struct copi_process *self = copi_here.process;
    struct copi_message *message = NULL;
    int r = self ? copi_message_from(&message, COPI_SEND, &token) : -EPERM;
    if (r) {
        cop_msg_release(&token);
        return cop_stop(cop_failed(r, "continue"));
    }
    if (self->token) {
        copi_message_free(self->token);
    }
    self->token = message;
    return (cop_step){.next = CONTINUE};
}

/* The answer as a message; one that cannot be made is a refusal that says why. NULL: no memory. */
static struct copi_message *
make_reply(cop_msg *reply)
{
    struct copi_message *message = NULL;
    int r = copi_message_from(&message, COPI_REPLY, reply);
    if (r) {
        cop_msg_release(reply);
        message = copi_message_new(COPI_REFUSAL, 0, sizeof r);
        if (message) {
            memcpy(message->body, &r, sizeof r);
        }
    }
    return message;
}

cop_step
cop_reply(cop_from from, cop_msg reply)
{
    struct copi_process *self;
    struct copi_message *message = make_reply(&reply);
    if (copi_enter(&self) != 0) {
        if (message) {
            copi_message_free(message);
        }
    } else if (message) {
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
        copi_request_answer(self, self->held_reply_to, reply->ref, reply);
    }
}

static cop_reason
stop(struct copi_process *self, cop_reason reason)
{
    self->reason = reason; /* what waits for an answer learns of it */
    terminate(self, &reason);
    send_held_reply(self);
    return reason;
}

/* After a callback left by cop_exit. A start that failed has nothing to terminate. */
static void
finish(struct copi_process *self, cop_reason *reason)
{
    if (!self->started_ack) {
        terminate(self, reason);
    }
}

/* ---------------------------------------------------------------- one message */

static cop_step
missing(struct copi_process *self, const char *callback)
{
    (void)self;
    return cop_stop(cop_failed(-ENOSYS, "{undef,%s}", callback));
}

static cop_step
unexpected(struct copi_process *self, cop_msg msg)
{
    if (msg.tag != COP_MSG_TIMEOUT) {
        char name[COPI_LABEL_SIZE], from[COPI_LABEL_SIZE];
        copi_report(COPI_WARNING, "%s has no handle_info for message %u from %s",
                    copi_label(self, name), msg.tag, copi_label_pid(msg.from, from));
    }
    return cop_ok();
}

static cop_step
call(struct copi_process *self, const struct copi_message *message)
{
    const cop_genserver *on = callbacks(self);
    if (!on->handle_call) {
        return missing(self, "handle_call");
    }
    copi_callback_begin(self, "handle_call");
    return on->handle_call(self->state, (cop_from){message->from, message->ref},
                           copi_message_view(message));
}

static cop_step
cast(struct copi_process *self, const struct copi_message *message)
{
    const cop_genserver *on = callbacks(self);
    if (!on->handle_cast) {
        return missing(self, "handle_cast");
    }
    copi_callback_begin(self, "handle_cast");
    return on->handle_cast(self->state, copi_message_view(message));
}

static cop_step
info(struct copi_process *self, cop_msg msg)
{
    const cop_genserver *on = callbacks(self);
    if (!on->handle_info) {
        return unexpected(self, msg);
    }
    copi_callback_begin(self, "handle_info");
    return on->handle_info(self->state, msg);
}

static cop_step
proceed(struct copi_process *self, const struct copi_message *token)
{
    const cop_genserver *on = callbacks(self);
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

static cop_step
handle(struct copi_process *self, const struct copi_message *message)
{
    switch ((enum copi_kind)message->kind) {
    case COPI_CALL:
        return call(self, message);
    case COPI_CAST:
        return cast(self, message);
    case COPI_STOP: {
        cop_reason reason;
        memcpy(&reason, message->body, sizeof reason);
        return cop_stop(reason);
    }
    default:
        break;
    }
    if (is_end_of_parent(self, message)) {
        struct cop_exited exited;
        memcpy(&exited, message->body, sizeof exited);
        return cop_stop(exited.reason);
    }
    return info(self, copi_message_view(message));
}

/* What the callback has in hand is self->current, so that it is found whatever becomes of the
 * callback. */
static cop_step
take_step(struct copi_process *self, struct copi_message *message)
{
    self->current = message;
    copi_message_handled(self, message);
    cop_step step = handle(self, message);
    copi_callback_end(self);
    copi_callback_over(self);
    return step;
}

static cop_step
take_continue(struct copi_process *self)
{
    self->current = self->token;
    self->token = NULL;
    cop_step step = proceed(self, self->current);
    copi_callback_end(self);
    copi_callback_over(self);
    return step;
}

static cop_step
take_timeout(struct copi_process *self)
{
    cop_step step = info(self, COP_TAG(COP_MSG_TIMEOUT));
    copi_callback_end(self);
    copi_callback_over(self);
    return step;
}

/* ---------------------------------------------------------------- the loop */

/* 0 and a message; -ETIMEDOUT: nothing came within `idle`; -ECANCELED: it is to stop. */
static int
next_message(struct copi_process *self, cop_time idle, struct copi_message **message)
{
    struct copi_wait wait = COPI_WAIT(idle);
    int r;
    do {
        *message = copi_next_message(self);
        if (self->pending != COPI_NONE && !*message) {
            copi_exit_point(self);
        }
        if (self->pending == COPI_ASKED) {
            if (*message) {
                copi_refuse(*message, -ESRCH);
            }
            return copi_fail_why(&self->pending_reason, -ECANCELED);
        }
        if (*message) {
            return 0;
        }
    } while ((r = copi_pause(self, &wait)) == 0);
    return r;
}

static cop_step
next_step(struct copi_process *self, cop_step last)
{
    if (last.next == CONTINUE) {
        return take_continue(self);
    }
    cop_time idle = last.next == GO_ON_TIMED ? last.timeout : COP_FOREVER;
    struct copi_message *message;
    int r = next_message(self, idle, &message);
    if (r == 0) {
        return take_step(self, message);
    }
    if (r == -ETIMEDOUT && idle != COP_FOREVER) {
        return take_timeout(self);
    }
    return cop_stop((cop_reason){.kind = COP_SHUTDOWN, .code = self->why.code}); /* its context */
}

static bool
goes_on(cop_step step)
{
    return step.next == GO_ON || step.next == GO_ON_TIMED || step.next == CONTINUE;
}

static cop_reason
why_it_stops(const struct copi_process *self, cop_step step)
{
    return step.next == STOP ? self->step_reason
                             : cop_failed(-EINVAL, "{bad_return_value,%d}", step.next);
}

static cop_reason
serve(struct copi_process *self, cop_step step)
{
    while (goes_on(step)) {
        step = next_step(self, step);
        if (self->pending == COPI_ASKED && step.next == STOP) {
            return self->pending_reason; /* by a signal that it does not trap: no terminate */
        }
    }
    return stop(self, why_it_stops(self, step));
}

static cop_step
init(struct copi_process *self)
{
    const cop_genserver *on = callbacks(self);
    if (on->state_size > 0 && !(self->state = copi_memory_new(self, on->state_size))) {
        return cop_stop(cop_failed(-ENOMEM, "no memory for the state"));
    }
    if (!on->init) {
        return cop_ok();
    }
    copi_callback_begin(self, "init");
    cop_step step = on->init(self->state, self->arg);
    copi_callback_end(self);
    copi_callback_over(self);
    return step;
}

static cop_reason
run(struct copi_process *self)
{
    cop_step step = init(self);
    if (step.next == IGNORE) {
        self->declined = true;
        return COP_REASON_NORMAL;
    }
    if (!goes_on(step)) {
        return why_it_stops(self, step);
    }
    copi_acknowledge(self, 0, &COP_REASON_NORMAL);
    copi_thread_yield(); /* who has started us may want to watch us before we make news */
    return serve(self, step);
}

static const struct copi_behaviour genserver = {
    .kind = "genserver",
    .run = run,
    .finish = finish,
    .is_server = true,
};

/* ---------------------------------------------------------------- starting */

static int
outcome_of_start(struct copi_message *answer, cop_pid pid, cop_pid *out)
{
    struct copi_started started;
    memcpy(&started, answer->body, sizeof started);
    copi_message_free(answer);
    if (started.code < 0) {
        return copi_fail_why(&started.reason, started.code);
    }
    if (out) {
        *out = started.code == COPI_DECLINED ? COP_NOBODY : pid;
    }
    return 0;
}

static int
await_start(struct copi_process *self, cop_pid pid, cop_ref ref, cop_time timeout, cop_pid *out)
{
    struct copi_message *answer;
    int r = copi_request_await(self, ref, timeout ? timeout : COP_FOREVER, &answer);
    if (r == 0) {
        return outcome_of_start(answer, pid, out);
    }
    if (r == -ETIMEDOUT || r == -ECANCELED) {
        cop_reason why = self->why;
        copi_kill_and_wait(self, pid);
        copi_fail_why(&why, r);
    }
    return r;
}

int
cop_genserver_start_with(cop_pid *out, const cop_genserver *behaviour, const cop_start_opts *opts)
{
    struct copi_process *self;
    cop_pid pid;
    cop_ref ref;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    r = copi_spawn(&pid, &ref,
                   &(struct copi_spawn){
                       .behaviour = &genserver,
                       .what = behaviour,
                       .opts = opts,
                       .acknowledged = true,
                   });
    if (r == -EEXIST && out) {
        *out = cop_whereis(opts->name);
    }
    return r ? r : await_start(self, pid, ref, opts ? opts->init_timeout : 0, out);
}

/* ---------------------------------------------------------------- asking */

/* The request as a message; a moved body is taken whatever happens. */
static int
make_request(struct copi_process **self, cop_msg *request, struct copi_message **message)
{
    int r = copi_enter_exit_point(self);
    if (r == 0 && (r = copi_message_from(message, COPI_CALL, request))) {
        copi_fail(r);
    }
    if (r) {
        cop_msg_release(request);
    }
    return r;
}

int
cop_call(cop_pid server, cop_msg request, void *reply, size_t reply_size, cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *message, *answer;
    int r = make_request(&self, &request, &message);
    if (r == 0) {
        r = copi_request(self, server, message, timeout, &answer);
    }
    if (r) {
        return r;
    }
    cop_bytes body = copi_message_view(answer).body;
    if (body.size != reply_size) {
        r = copi_fail(-EMSGSIZE);
    } else if (reply_size > 0) {
        memcpy(reply, body.data, reply_size);
    }
    copi_message_free(answer);
    return r;
}

int
cop_call_any(cop_pid server, cop_msg request, cop_msg *reply, cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *message, *answer;
    int r = make_request(&self, &request, &message);
    if (r == 0) {
        r = copi_request(self, server, message, timeout, &answer);
    }
    if (r == 0) {
        *reply = copi_message_give(answer);
    }
    return r;
}

int
cop_cast(cop_pid server, cop_msg msg)
{
    int r = copi_send(server, COPI_CAST, &msg);
    if (r == -ESRCH) {
        cop_msg_release(&msg); /* to nobody: as in OTP, not an error */
        r = 0;
    }
    return r;
}
