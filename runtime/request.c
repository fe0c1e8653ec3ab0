/*
 * runtime/request.c - requests and their answers.
 *
 * Room: runtime/.
 * Touch freely: how deferred requests are looked up. Ask first: who owes an answer.
 *
 * The caller makes a reference, publishes whom it waits for, sends a COPI_CALL and takes in its
 * mailbox until an answer under that reference is there. An answer under another reference, late or
 * stray, is let go when it is taken in and never seen.
 *
 * Nobody monitors anybody for a call. Instead a request is a debt of whoever holds its node:
 *
 *   in a mailbox or inbox     refused with -ESRCH when the server ends: it was not begun
 *   in the callback's hands   or deferred by it: -EPIPE, with the server's reason
 *   dropped on the way        -ESRCH, by whoever finds that nobody is there
 *
 * so that every request has an outcome, with two messages and without a lock. A deferred request
 * stays with the server, in a list, until it is answered; if another process answers it, that one
 * tells the server (the reference names it), which strikes it off; so does a caller that gives up.
 *
 * One that has to answer for another and has no memory for it asks that one to refuse, in the request's own
 * node. For that there must be memory some time; until then the timer thread tries again.
 *
 * What a call costs while both look for messages (thread_look.c) is two ways from core to core, and what
 * each does between: with the clock read at twenty places, 30 to 40 ns for each of the two ways and some 10
 * for each of a dozen steps, alike on both sides. So what can be fetched before it is needed is: the lines of
 * a message that is seen in the mailbox, of the mailbox that is written next, and of the edge that an answer
 * takes away. Each was waited for before, some of them twice, to be read and then to be written: 261 -> 222
 * ns a call (medians of 22 runs, in turns), and what is left of exchange and node is hardly to be seen.
 *
 * The list is searched from both ends: those who answer in order, or in reverse, find theirs at once.
 */
#include "runtime/request.h"

#include "runtime/cycle.h"
#include "runtime/inbox.h"
#include "runtime/recorder.h"
#include "runtime/report.h"
#include "runtime/send.h"
#include "runtime/table.h"
#include "runtime/timer.h"
#include "runtime/wait.h"

#include <errno.h>

#define TRY_AGAIN COP_MS(10)

/* The server holds nothing for this request any more: it has been answered by another, or the caller
 * has given up. Else it would keep a deferred one for ever. */
void
copi_request_settled(cop_pid pid, cop_ref ref)
{
    struct copi_process *server = copi_table_at(copi_ref_target(ref));
    struct copi_message *note = server ? copi_message_new(COPI_ANSWERED, 0, 0) : NULL;
    if (note) {
        note->from = pid;
        note->ref = ref;
        copi_post(copi_pid(server), note);
    }
}

/* ---------------------------------------------------------------- the caller */

struct copi_refusal
copi_request_refusal(const struct copi_message *message)
{
    struct copi_refusal refusal = {0};
    bool whole = message->size == sizeof refusal;
    memcpy(&refusal, message->body, whole ? sizeof refusal : sizeof refusal.code);
    return refusal;
}

static int
outcome(struct copi_message *message, struct copi_message **answer)
{
    if (message->kind != COPI_REFUSAL) {
        *answer = message;
        return 0;
    }
    struct copi_refusal refusal = copi_request_refusal(message);
    copi_message_free(message);
    if (refusal.reason.kind == COP_NORMAL) {
        return copi_fail(refusal.code);
    }
    return copi_fail_why(&refusal.reason, refusal.code);
}

static void
forget_answer(struct copi_process *self)
{
    if (self->answer) {
        copi_message_free(self->answer);
        self->answer = NULL;
    }
}

static int
await(struct copi_process *self, cop_ref ref, struct copi_wait *wait, struct copi_message **answer)
{
    int r;
    if (self->awaited.id != ref.id) {
        forget_answer(self);
        self->awaited = ref;
    }
    do {
        copi_take_in(self);
        if (self->answer) {
            struct copi_message *message = self->answer;
            self->answer = NULL;
            r = outcome(message, answer);
            break;
        }
    } while ((r = copi_pause(self, wait)) == 0);
    self->awaited.id = 0;
    copi_cycle_end(self);
    return copi_wait_failed(r);
}

int
copi_request_await(struct copi_process *self, cop_ref ref, cop_time timeout,
                   struct copi_message **answer)
{
    struct copi_wait wait = COPI_WAIT(self->awaits_down ? "stop" : "start", timeout);
    copi_here.spin_for_others.most = COPI_LOOK_FOR_THREAD;
    wait.spin = &copi_here.spin_for_others;
    return await(self, ref, &wait, answer);
}

int
copi_request_submit(struct copi_process *self, struct copi_process *server, cop_pid pid,
                    struct copi_message *message, struct copi_wait *wait)
{
    bool is_counted = server->limit > 0 && (message->flags & COPI_SYSTEM) == 0;
    int r = is_counted ? copi_send_admit(self, server, pid, message, wait) : 0;
    if (r == 0) {
        r = copi_deliver(server, copi_pid_generation(pid), message);
        if (r && message->flags & COPI_COUNTED) {
            copi_send_uncount(server, message);
        }
    }
    return r == -ENOBUFS ? -EAGAIN : r;
}

static int
ask(struct copi_process *self, cop_pid pid, struct copi_message *message, cop_time timeout,
    struct copi_message **answer)
{
    struct copi_process *server = copi_table_find(pid);
    if (!server) {
        copi_message_free(message);
        return copi_fail(-ESRCH);
    }
    forget_answer(self);
    message->from = copi_pid(self);
    message->ref = copi_make_ref(self, server->index);
    cop_ref ref = message->ref;
    int r = copi_interrupted(self);
    if (r == 0) {
        r = copi_cycle_begin(self, pid, ref);
    }
    if (r) {
        copi_message_free(message);
        return r;
    }
    self->awaited = ref;
    self->awaits_down = false; /* a wait that was left by an exit may have left it set */
    struct copi_wait wait = COPI_WAIT("call", timeout);
    r = copi_request_submit(self, server, pid, message, &wait);
    if (r) {
        self->awaited.id = 0;
        copi_cycle_end(self);
        copi_message_free(message);
        return r == -ECANCELED || r == -EDEADLK ? r : copi_fail(r);
    }
    r = await(self, ref, &wait, answer);
    if (r == -ETIMEDOUT || r == -ECANCELED) {
        copi_request_settled(self->pid, ref);
    }
    return r;
}

int
copi_request(struct copi_process *self, cop_pid to, struct copi_message *message, cop_time timeout,
             struct copi_message **answer)
{
    cop_pid pid = copi_resolve(to);
    copi_send_soon(pid);
    uint32_t tag = message->tag;
    int r = ask(self, pid, message, timeout, answer);
    if (r) {
        copi_record_note(self, COP_RECORD_CALL_FAILED, pid, tag, r, NULL);
    }
    return r;
}

int
copi_request_bytes(struct copi_process *self, cop_pid to, struct copi_message *message,
                   cop_time timeout, void *out, size_t size)
{
    struct copi_message *answer = NULL;
    int r = copi_request(self, to, message, timeout, &answer);
    if (!answer) { /* there is one, or there is an error */
        return r;
    }
    cop_bytes body = copi_message_view(answer).body;
    if (body.size != size) {
        r = copi_fail(-EMSGSIZE);
    } else if (size > 0) {
        memcpy(out, body.data, size);
    }
    copi_message_free(answer);
    return r;
}

/* ---------------------------------------------------------------- what the server owes */

/* While a request is deferred its body is gone, and its place holds the link back. */
static struct copi_message **
previous(struct copi_message *request)
{
    return (struct copi_message **)(void *)request->body;
}

static bool
is_request_of(const struct copi_message *request, cop_pid pid, cop_ref ref)
{
    return request->kind == COPI_CALL && request->ref.id == ref.id
           && (cop_pid_eq(request->from, pid) || cop_pid_eq(pid, COP_NOBODY)); /* whoever it is */
}

static struct copi_message *
find_deferred(struct copi_process *self, cop_pid pid, cop_ref ref)
{
    struct copi_message *old = self->deferred_requests.first, *new = self->deferred_requests.last;
    while (old) {
        if (is_request_of(old, pid, ref)) {
            return old;
        }
        if (is_request_of(new, pid, ref)) {
            return new;
        }
        if (old == new || old->next == new) {
            return NULL;
        }
        old = old->next;
        new = *previous(new);
    }
    return NULL;
}

static void
take_off(struct copi_process *self, struct copi_message *request)
{
    struct copi_list_head *list = &self->deferred_requests;
    struct copi_message *before = *previous(request), *after = request->next;
    *(before ? &before->next : &list->first) = after;
    *(after ? previous(after) : &list->last) = before;
}

static void
strike_off(struct copi_process *self, struct copi_message *request)
{
    take_off(self, request);
    copi_message_free(request);
}

void
copi_request_defer(struct copi_process *self)
{
    struct copi_message *request = self->current;
    struct copi_process *caller = copi_table_find(request->from);
    self->current = NULL;
    bool waits =
        request->flags & COPI_UNAWAITED || (caller && copi_cycle_release(caller, request->ref));
    if (!caller || !waits) {
        copi_message_free(request); /* it has given up: nobody is owed anything */
        return;
    }
    copi_message_drop_body(request);
    struct copi_list_head *list = &self->deferred_requests;
    request->next = NULL;
    *previous(request) = list->last;
    *(list->last ? &list->last->next : &list->first) = request;
    list->last = request;
}

static void
strike_off_answered(struct copi_process *self, const struct copi_message *note)
{
    if (note->code) {
        copi_request_fail(self, note->from, note->ref, note->code);
        return;
    }
    struct copi_message *request = find_deferred(self, note->from, note->ref);
    if (request) {
        strike_off(self, request);
    } else if (self->current && is_request_of(self->current, note->from, note->ref)) {
        self->current->kind = COPI_SEND; /* nothing is owed any more */
    }
}

void
copi_request_arrived(struct copi_process *self, struct copi_message *message)
{
    if (message->kind == COPI_ANSWERED) {
        strike_off_answered(self, message);
        copi_message_free(message);
    } else if (copi_is(self, COPI_COLLECTS_ANSWERS)) {
        copi_inbox_append(self, message);
    } else if (message->ref.id == self->awaited.id && !self->answer && !self->awaits_down) {
        self->answer = message;
    } else {
        copi_message_free(message);
    }
}

bool
copi_request_is_awaited(struct copi_process *self, struct copi_message *message)
{
    cop_ref ref;
    memcpy(&ref, message->body, sizeof ref);
    if (message->tag != COP_MSG_DOWN || ref.id != self->awaited.id || self->answer) {
        return false;
    }
    self->answer = message;
    return true;
}

/* ---------------------------------------------------------------- answers */

static void
send_answer(cop_pid pid, cop_ref ref, struct copi_message *answer)
{
    struct copi_process *caller = copi_table_find(pid);
    answer->ref = ref;
    if (caller) {
        copi_cycle_release(caller, ref);
    }
    copi_post_to(caller, copi_pid_generation(pid), answer);
}

void
copi_request_answer(struct copi_process *self, cop_pid pid, cop_ref ref,
                    struct copi_message *answer)
{
    struct copi_message *deferred = NULL;
    bool is_ours = copi_ref_target(ref) == self->index;
    if (self->current && is_request_of(self->current, pid, ref)) {
        self->current->kind = COPI_SEND; /* answered; its body lives until the callback returns */
    } else if ((deferred = find_deferred(self, pid, ref))) {
        strike_off(self, deferred);
    } else if (is_ours) {
        copi_message_free(answer); /* answered before */
        return;
    } else {
        copi_request_settled(pid, ref);
    }
    answer->from = copi_pid(self);
    send_answer(pid, ref, answer);
}

/* With the whole reason if there is memory for it, else in the request's own node. */
void
copi_request_refuse(struct copi_message *request, int code, const cop_reason *why)
{
    cop_pid pid = request->from;
    cop_ref ref = request->ref;
    struct copi_refusal refusal = {.code = code};
    struct copi_message *answer = NULL;
    copi_message_drop_body(request);
    if (why && (answer = copi_message_new(COPI_REFUSAL, 0, sizeof refusal))) {
        refusal.reason = *why;
        memcpy(answer->body, &refusal, sizeof refusal);
        request->kind = COPI_SEND;
        copi_message_free(request);
    } else {
        answer = request;
        answer->kind = COPI_REFUSAL;
        answer->size = sizeof refusal.code;
        memcpy(answer->body, &refusal.code, sizeof refusal.code);
    }
    send_answer(pid, ref, answer);
}

/* On the timer thread: whose request it was is for the server to know, the reference is the only one. */
static void
have_it_refused(uint64_t id)
{
    cop_ref ref = {id};
    struct copi_process *server = copi_table_at(copi_ref_target(ref));
    struct copi_message *note = copi_message_new(COPI_ANSWERED, 0, 0);
    if (note) { /* the server may have ended: then it has refused what it owed */
        note->ref = ref;
        note->code = -ENOMEM;
        copi_post(copi_pid(server), note);
    } else if (copi_timer_call(copi_deadline(TRY_AGAIN), have_it_refused, id) != 0) {
        copi_report(COPI_ERROR, "no memory to answer for another process: its caller waits on");
    }
}

void
copi_request_fail(struct copi_process *self, cop_pid pid, cop_ref ref, int code)
{
    struct copi_message *deferred = find_deferred(self, pid, ref);
    if (deferred) {
        take_off(self, deferred);
        copi_request_refuse(deferred, code, NULL);
    } else if (self->current && is_request_of(self->current, pid, ref)) {
        self->current->code = code; /* its body lives until the callback returns */
    } else if (copi_ref_target(ref) != self->index) {
        have_it_refused(ref.id);
    }
}

void
copi_request_refuse_in_hand(struct copi_process *self)
{
    if (self->current && self->current->kind == COPI_CALL) {
        copi_request_refuse(self->current, -EPIPE, &self->reasons->end);
        self->current = NULL;
    }
    struct copi_message *request = self->deferred_requests.first;
    self->deferred_requests = (struct copi_list_head){0};
    while (request) {
        struct copi_message *next = request->next;
        copi_request_refuse(request, -EPIPE, &self->reasons->end);
        request = next;
    }
}

/* Who collects answers does not wait, and is told of whom no answer will come. */
static void
tell_collector(struct copi_process *collector, struct copi_process *server,
               const struct copi_refusal *refusal)
{
    struct copi_message *answer = copi_message_new(COPI_REFUSAL, 0, sizeof *refusal);
    if (answer) {
        memcpy(answer->body, refusal, sizeof *refusal);
        answer->from = server->pid;
        copi_post(copi_pid(collector), answer);
    }
}

/* Its lists are its thread's, which is lost. But who waits for it has published that. */
void
copi_request_refuse_waiting_for(struct copi_process *server, const cop_reason *why)
{
    const struct copi_refusal refusal = {.code = -EPIPE, .reason = *why};
    for (uint32_t i = 1; i < copi_table_end(); i++) {
        struct copi_process *waiter = copi_table_at(i);
        if (copi_is(waiter, COPI_COLLECTS_ANSWERS)) {
            tell_collector(waiter, server, &refusal);
        }
        cop_ref ref = {copi_load_acquire_64(&waiter->waits_for)};
        if (ref.id == 0 || copi_ref_target(ref) != server->index) {
            continue;
        }
        struct copi_message *answer = copi_message_new(COPI_REFUSAL, 0, sizeof refusal);
        if (answer) {
            memcpy(answer->body, &refusal, sizeof refusal);
            send_answer(copi_pid(waiter), ref, answer);
        }
    }
}
