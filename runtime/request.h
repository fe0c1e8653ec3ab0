/*
 * runtime/request.h - requests and their answers.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_REQUEST_H
#define COPI_RUNTIME_REQUEST_H

#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "runtime/wait.h"

/*
 * Send a request and wait for the answer. Takes `message` on every outcome. 0: *answer is the
 * caller's. Errors as cop_call. An exit point.
 */
int copi_request(struct copi_process *self, cop_pid to, struct copi_message *message,
                 cop_time timeout, struct copi_message **answer);

/*
 * Put a request into a server's mailbox, as its bounds allow. 0, or an error and the message is still
 * the caller's. An exit point where the mailbox makes senders wait.
 */
int copi_request_submit(struct copi_process *self, struct copi_process *server, cop_pid pid,
                        struct copi_message *message, struct copi_wait *wait);

/* What a COPI_REFUSAL says; its reason is NORMAL where it has none. */
struct copi_refusal copi_request_refusal(const struct copi_message *message);

/* The same, and the answer's bytes go to `out`. -EMSGSIZE: there are not exactly `size` of them. */
int copi_request_bytes(struct copi_process *self, cop_pid to, struct copi_message *message,
                       cop_time timeout, void *out, size_t size);

/* Wait for what comes under `ref`, for which an edge to `target` is published: as above, without the
 * sending. The reference may be a monitor's: then *answer is its DOWN. */
int copi_request_await(struct copi_process *self, cop_ref ref, cop_time timeout,
                       struct copi_message **answer);

/* The owner has taken in a COPI_REPLY, COPI_REFUSAL or COPI_ANSWERED. */
void copi_request_arrived(struct copi_process *self, struct copi_message *message);

/* Whether a DOWN is what copi_request_await waits for; then it is taken. */
bool copi_request_is_awaited(struct copi_process *self, struct copi_message *message);

/* A request is about to be handled: whatever an answer will touch of the caller's is asked for. A hint. */
static inline void
copi_request_begins(const struct copi_message *request)
{
    struct copi_process *caller = copi_table_at(copi_pid_index(request->from));
    if (caller) {
        copi_prefetch_to_write(&caller->waits_for);
        copi_prefetch_to_write(&caller->mailbox);
    }
}

/* Answer the request that `pid` waits for under `ref`. Takes `answer`. */
void copi_request_answer(struct copi_process *self, cop_pid pid, cop_ref ref,
                         struct copi_message *answer);

/* Answer with an error, which needs no memory: the request's own node, which this process has in hand or
 * has deferred, tells the caller `code`. */
void copi_request_fail(struct copi_process *self, cop_pid pid, cop_ref ref, int code);

/* Tell the server that `pid` waits under `ref` no more. */
void copi_request_settled(cop_pid pid, cop_ref ref);

/* Refuse a request, whose node is used up. `why`: the server's reason; NULL: none. */
void copi_request_refuse(struct copi_message *request, int code, const cop_reason *why);

/* The callback of self->current, a request, has returned without an answer: it is deferred. */
void copi_request_defer(struct copi_process *self);

/* The server ends: what it has in hand is refused. */
void copi_request_refuse_in_hand(struct copi_process *self);

/* Refuse what a disowned server has in hand, seen from outside. */
void copi_request_refuse_waiting_for(struct copi_process *server, const cop_reason *why);

#endif
