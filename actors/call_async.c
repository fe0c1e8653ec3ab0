/*
 * actors/call_async.c - calls whose answer is a future.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: the order of registering and asking.
 *
 * The caller goes on, and may end, before the answer comes. So the answer goes to another process: the
 * collector, of which there is one, started when it is first needed. It keeps the futures by the
 * reference of their request, and settles them. That is one hop more for an answer, and no thread for
 * a call.
 *
 * The request is sent by the caller itself, so that it arrives in the order of its other messages, and
 * a full mailbox slows down the caller, and not all. Before that, the caller posts the future to the
 * collector. The answer is sent after the request was, so it comes after the future: a mailbox keeps
 * what happens before in its place.
 *
 * That every request has an outcome is the affair of runtime/request.c: a server that ends refuses what
 * it owes. Beyond that there are an end of time, for which the collector has a timer; a cancellation,
 * which it is told of; its own end, at which it rejects all; and a registration that finds no
 * collector, which rejects its future when it is dropped.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/context.h"
#include "runtime/inbox.h"
#include "runtime/map.h"
#include "runtime/memory.h"
#include "runtime/process.h"
#include "runtime/request.h"
#include "runtime/send.h"
#include "runtime/table.h"
#include "runtime/wait.h"

#include <coppice/timer.h>

#include <errno.h>
#include <stdlib.h>

/* Reserved tags, so that nobody else can send the first two. A timer's cannot be one. */
#define REGISTER  0xffff0401u /* moved: the question */
#define FORGET    0xffff0402u /* under the reference */
#define TIMED_OUT 0xfffe0401u /* the reference is the body */

/* One that was asked. The collector has a hold on it. */
struct question {
    cop_future future;
    cop_pid server;
    cop_ref ref;      /* of the request */
    cop_time timeout; /* from its registration on */
    cop_ref timer;    /* {0}: none */
    struct question *next, **link;
    _Alignas(max_align_t) unsigned char value[];
};

static struct question *
of(cop_future *future)
{
    return (struct question *)(void *)future;
}

static copi_atomic64 collector; /* its pid: written by who has started it, read by all */

/* ---------------------------------------------------------------- what the collector keeps */

/* By the reference, and all of them. */
struct open {
    struct copi_map by_ref;
    struct question *first;
};

static bool
keep(struct open *open, struct question *question)
{
    if (!copi_map_put(&open->by_ref, question->ref.id, question)) {
        return false;
    }
    question->next = open->first;
    question->link = &open->first;
    if (open->first) {
        open->first->link = &question->next;
    }
    open->first = question;
    return true;
}

/* Take it out; NULL: settled, or never known. */
static struct question *
take(struct open *open, cop_ref ref)
{
    struct question *question = copi_map_get(&open->by_ref, ref.id);
    if (!question) {
        return NULL;
    }
    copi_map_remove(&open->by_ref, ref.id);
    *question->link = question->next;
    if (question->next) {
        question->next->link = question->link;
    }
    if (question->timer.id) {
        cop_cancel_timer(question->timer, NULL);
    }
    return question;
}

/* ---------------------------------------------------------------- settling */

static void
reject(struct question *question, cop_reason why)
{
    copi_future_reject(&question->future, &why);
    cop_future_release(&question->future);
}

/* With the code that a call would return, and the reason behind it in words. */
static cop_reason
as_failure(const struct copi_refusal *refusal)
{
    cop_reason why = cop_failed(refusal->code, NULL);
    if (refusal->reason.kind != COP_NORMAL) {
        cop_reason_string(refusal->reason, why.text, sizeof why.text);
    }
    return why;
}

static void
resolve(struct question *question, struct copi_message *answer)
{
    cop_bytes value = copi_message_view(answer).body;
    int r = copi_future_resolve(&question->future, value, question->value);
    if (r != 0 && r != -EALREADY) {
        reject(question, cop_failed(r, NULL));
    } else {
        cop_future_release(&question->future);
    }
}

static void
refuse_all_of(struct open *open, cop_pid server, const struct copi_refusal *refusal)
{
    struct question *next, *question = open->first;
    for (; question; question = next) {
        next = question->next;
        if (server.id == 0 || cop_pid_eq(question->server, server)) {
            reject(take(open, question->ref), as_failure(refusal));
        }
    }
}

/* ---------------------------------------------------------------- the collector */

/* A registration that nobody takes. */
static void
drop_question(void *question)
{
    reject(question, cop_failed(-ECANCELED, "the library is shutting down"));
}

static void
forget(struct open *open, cop_pid self, cop_ref ref, int code)
{
    struct question *question = take(open, ref);
    if (question) {
        copi_request_settled(self, ref); /* the server need not keep it */
        reject(question, cop_failed(code, NULL));
    }
}

/* Without a timer it might wait for ever: then it is over now. */
static void
start_timer(struct open *open, cop_pid self, struct question *question)
{
    cop_msg timeout = COP_MSG_OF(TIMED_OUT, question->ref);
    question->timer = cop_send_after(self, timeout, question->timeout);
    if (question->timer.id == 0) {
        forget(open, self, question->ref, cop_why().code);
    }
}

static void
add(struct open *open, cop_pid self, struct copi_message *message)
{
    cop_msg given = copi_message_view(message);
    struct question *question = cop_msg_take(&given);
    if (!keep(open, question)) {
        reject(question, cop_failed(-ENOMEM, NULL));
    } else if (question->timeout != COP_FOREVER) {
        start_timer(open, self, question);
    }
}

/* Anybody may send such a message. */
static void
forget_late(struct open *open, cop_pid self, cop_bytes body)
{
    cop_ref ref;
    if (body.size == sizeof ref) {
        memcpy(&ref, body.data, sizeof ref);
        forget(open, self, ref, -ETIMEDOUT);
    }
}

static void
answered(struct open *open, struct copi_message *answer)
{
    struct question *question = take(open, answer->ref);
    if (!question) {
        return;
    }
    if (answer->kind == COPI_REPLY) {
        resolve(question, answer);
    } else {
        struct copi_refusal refusal = copi_request_refusal(answer);
        reject(question, as_failure(&refusal));
    }
}

static void
handle(struct open *open, cop_pid self, struct copi_message *message)
{
    if (message->kind == COPI_REFUSAL && message->ref.id == 0) { /* a server was disowned */
        struct copi_refusal refusal = copi_request_refusal(message);
        refuse_all_of(open, message->from, &refusal);
    } else if (message->kind == COPI_REPLY || message->kind == COPI_REFUSAL) {
        answered(open, message);
    } else if (message->tag == REGISTER) {
        add(open, self, message);
    } else if (message->tag == FORGET) {
        forget(open, self, message->ref, -ECANCELED);
    } else if (message->tag == TIMED_OUT) {
        forget_late(open, self, copi_message_view(message).body);
    }
}

static void
close_all(void *arg)
{
    const struct copi_refusal refusal = {.code = -ECANCELED};
    struct open *open = arg;
    refuse_all_of(open, COP_NOBODY, &refusal);
    copi_map_clear(&open->by_ref);
}

static cop_reason
run(struct copi_process *self)
{
    struct open *open = copi_memory_new(self, sizeof *open);
    if (!open || cop_at_exit(close_all, open) != 0) {
        return cop_failed(-ENOMEM, NULL);
    }
    struct copi_wait wait = COPI_WAIT("receive", COP_FOREVER);
    do {
        while ((self->current = copi_next_message(self))) {
            copi_message_handled(self, self->current);
            handle(open, self->pid, self->current);
            copi_message_free(self->current);
            self->current = NULL;
        }
    } while (copi_pause(self, &wait) == 0);
    return self->pending == COPI_ASKED ? self->reasons->pending : COP_REASON_SHUTDOWN;
}

static const struct copi_behaviour behaviour = {.kind = "collector", .run = run, .collects = true};

/* Started by the first who needs it; should two be first, the one that is too much ends again. */
static int
find_collector(cop_pid *out)
{
    uint64_t known = copi_load_acquire_64(&collector); /* pairs with the swap below */
    *out = (cop_pid){known};
    if (copi_table_find(*out)) {
        return 0;
    }
    const cop_start_opts opts = {.size = sizeof opts};
    int r = copi_spawn(
        out, NULL,
        &(struct copi_spawn){.behaviour = &behaviour, .what = &behaviour, .opts = &opts});
    if (r == 0 && !copi_cas_64(&collector, &known, out->id)) {
        cop_exit_signal(*out, COP_REASON_SHUTDOWN);
        *out = (cop_pid){known};
    }
    return r;
}

/* ---------------------------------------------------------------- asking */

static int
post(cop_pid to, uint32_t tag, cop_ref ref, struct question *moved)
{
    struct copi_message *message =
        copi_message_new(COPI_SEND, tag, moved ? sizeof(struct copi_outside) : 0);
    if (!message) {
        return copi_fail(-ENOMEM);
    }
    message->ref = ref;
    if (moved) {
        cop_future_retain(&moved->future);
        message->flags |= COPI_OUTSIDE;
        *(struct copi_outside *)(void *)message->body =
            (struct copi_outside){.data = moved, .size = sizeof *moved, .drop = drop_question};
    }
    copi_post(to, message);
    return 0;
}

static int
cancel(cop_future *future, const cop_reason *why)
{
    int r = copi_future_reject(future, why);
    if (r == 0) {
        post((cop_pid){copi_load_acquire_64(&collector)}, FORGET, of(future)->ref, NULL);
    }
    return r;
}

static void
free_question(cop_future *future)
{
    free(of(future));
}

static const struct copi_source source = {.cancel = cancel, .free = free_question};

static void
release(void *future)
{
    cop_future_release(future);
}

/* At a bounded mailbox the caller may wait, and end. */
static int
submit(struct copi_process *self, struct copi_process *server, struct question *question,
       struct copi_message *request)
{
    struct copi_wait wait = COPI_WAIT("call", question->timeout);
    int r = server->limit ? cop_defer(release, &question->future) : 0;
    if (r == 0) {
        r = copi_request_submit(self, server, question->server, request, &wait);
    }
    if (server->limit) {
        cop_undefer(release, &question->future, false);
    }
    return r;
}

static void
refuse(struct question *question, int code)
{
    cop_reason why = cop_failed(code, NULL);
    copi_future_reject(&question->future, &why);
}

/* Takes the request. */
static int
ask(struct copi_process *self, struct question *question, struct copi_message *request)
{
    cop_pid to;
    struct copi_process *server = copi_table_find(question->server);
    int r = server ? find_collector(&to) : copi_fail(-ESRCH);
    if (r == 0) {
        request->from = to;
        request->ref = question->ref = copi_make_ref(self, server->index);
        request->flags |= COPI_UNAWAITED;
        r = post(to, REGISTER, request->ref, question);
    }
    if (r == 0 && (r = submit(self, server, question, request))) {
        copi_fail(r);
        refuse(question, r); /* before the collector does, without knowing why */
        post(to, FORGET, request->ref, NULL);
    }
    if (r) {
        copi_message_free(request);
    }
    return r;
}

static struct question *
new_question(size_t reply_size, cop_time timeout, const char *file, int line)
{
    size_t inside = reply_size == COP_ANY ? 0 : reply_size;
    struct question *question =
        inside > SIZE_MAX / 2 ? NULL : copi_zalloc(sizeof *question + inside);
    if (question) {
        copi_future_init(&question->future,
                         &(struct copi_future_init){&source, reply_size, file, line});
        question->timeout = timeout;
    }
    return question;
}

cop_future *
cop_call_async_at(cop_pid server, cop_msg request, size_t reply_size, cop_time timeout,
                  const char *file, int line)
{
    struct copi_process *self;
    struct copi_message *message;
    struct question *question = new_question(reply_size, timeout, file, line);
    if (!question) {
        cop_msg_release(&request);
        return copi_future_no_memory();
    }
    int r = copi_enter(&self);
    r = r ? r : copi_interrupted(self);
    if (r == 0) {
        question->server = copi_resolve(server);
        r = copi_message_from(&message, COPI_CALL, &request);
    }
    if (r) {
        cop_msg_release(&request);
    } else {
        r = ask(self, question, message);
    }
    if (r) {
        refuse(question, r);
    }
    return &question->future;
}

/* ---------------------------------------------------------------- several at once */

struct questions {
    size_t n;
    cop_future *futures[];
};

static void
release_all(void *arg)
{
    struct questions *all = arg;
    for (size_t i = 0; i < all->n; i++) {
        cop_future_release(all->futures[i]);
    }
    cop_free(all);
}

int
cop_multi_call(const cop_pid servers[], size_t n, cop_msg request, void *out, size_t each,
               int status[], cop_time timeout)
{
    if (request.drop || n > SIZE_MAX / sizeof(cop_future *) / 2) {
        cop_msg_release(&request);
        return copi_fail(-EINVAL);
    }
    struct questions *all = cop_alloc(sizeof *all + n * sizeof all->futures[0]);
    if (!all) {
        return copi_fail(-ENOMEM);
    }
    all->n = 0;
    int r = cop_defer(release_all, all);
    if (r) {
        cop_free(all);
        return r;
    }
    for (; all->n < n; all->n++) {
        all->futures[all->n] = cop_call_async(servers[all->n], request, each, timeout);
    }
    r = cop_await_settled(all->futures, n, out, each, status, COP_FOREVER);
    for (size_t i = 0; i < n && r == 0; i++) {
        r = status[i];
    }
    cop_undefer(release_all, all, true);
    return r;
}
