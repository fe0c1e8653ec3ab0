/*
 * runtime/inbox.c - what a process has taken in, and how it receives.
 *
 * Room: runtime/. The owner thread only.
 * Touch freely: nothing. Ask first: what acts at once and what waits its turn.
 *
 * The mailbox is taken whole and sorted here. Exit signals act when they are taken in, before the
 * messages that wait behind others, as in OTP; so a process that has messages left looks into the
 * mailbox again only when `signals` says that a signal was sent. An answer goes to who waits for its
 * reference, or nowhere. Everything else joins the inbox, in order.
 */
#include "runtime/inbox.h"

#include "runtime/exit.h"
#include "runtime/exit_signal.h"
#include "runtime/notice.h"
#include "runtime/recorder.h"
#include "runtime/request.h"
#include "runtime/send.h"
#include "runtime/signals.h"
#include "runtime/wait.h"

#include <errno.h>

void
copi_list_init(struct copi_list *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

void
copi_list_append(struct copi_list *list, struct copi_message *message)
{
    if (message->next) {
        message->next = NULL;
    }
    *list->end = message;
    list->end = &message->next;
    list->count++;
}

struct copi_message *
copi_list_remove(struct copi_list *list, struct copi_message **link)
{
    struct copi_message *message = *link;
    *link = message->next;
    if (list->end == &message->next) {
        list->end = link;
    }
    list->count--;
    return message;
}

/* ---------------------------------------------------------------- letting go */

static void
refuse(struct copi_message *message, int code, const cop_reason *why)
{
    if (message->kind == COPI_CALL) {
        copi_request_refuse(message, code, why);
    } else {
        copi_signals_discard(message);
    }
}

void
copi_refuse(struct copi_message *message, int code)
{
    refuse(message, code, NULL);
}

void
copi_refuse_all(struct copi_message *chain, int code, const cop_reason *why)
{
    while (chain) {
        struct copi_message *next = chain->next;
        refuse(chain, code, why);
        chain = next;
    }
}

/* ---------------------------------------------------------------- taking in */

static void
note_oldest(struct copi_process *self)
{
    if (self->inbox.count == 0) {
        copi_store_relaxed_64(&self->inside_since, copi_load_relaxed_64(&self->mailbox.since));
    }
}

void
copi_inbox_append(struct copi_process *self, struct copi_message *message)
{
    note_oldest(self);
    copi_list_append(&self->inbox, message);
}

/* Whether all of it joins the inbox, as it is. The line of each message was here when it was taken: to
 * ask each one again would fetch them anew when there are many. */
static bool
is_for_inbox(const struct copi_process *self, const struct copi_taken *taken)
{
    const uint32_t always = 1u << COPI_SEND | 1u << COPI_CAST;
    const uint32_t to_servers = always | 1u << COPI_CALL | 1u << COPI_STOP;
    uint32_t kinds = copi_is(self, COPI_IS_SERVER) ? to_servers : always;
    return (taken->kinds & ~kinds) == 0 && !taken->has_stale;
}

static void
append_all(struct copi_process *self, const struct copi_taken *taken)
{
    note_oldest(self);
    *self->inbox.end = taken->first;
    self->inbox.end = &taken->last->next;
    self->inbox.count += taken->count;
}

static void
sort(struct copi_process *self, struct copi_message *message)
{
    if (message->generation != copi_load_relaxed_32(&self->generation)) {
        copi_refuse(message, -ESRCH); /* it was for who lived here before */
        return;
    }
    switch ((enum copi_kind)message->kind) {
    case COPI_CALL:
        if (!copi_is(self, COPI_IS_SERVER)) {
            copi_request_refuse(message, -EOPNOTSUPP, NULL);
            return;
        }
        copi_inbox_append(self, message);
        return;
    case COPI_STOP:
        if (!copi_is(self, COPI_IS_SERVER)) {
            copi_exit_signal_stop(self, message);
            return;
        }
        copi_inbox_append(self, message);
        return;
    case COPI_SEND:
    case COPI_CAST:
    case COPI_KIND_SIGNAL:
        copi_inbox_append(self, message);
        return;
    case COPI_REPLY:
    case COPI_REFUSAL:
    case COPI_ANSWERED:
        copi_request_arrived(self, message);
        return;
    case COPI_NOTE:
        copi_notice_arrived(self, message);
        return;
    case COPI_DOWN:
    case COPI_EXIT:
    case COPI_SIGNAL: {
        struct copi_message *told = copi_signals_arrived(self, message);
        if (told && !copi_request_is_awaited(self, told)) {
            copi_inbox_append(self, told);
        }
        return;
    }
    }
}

static void
sort_all(struct copi_process *self, struct copi_message *message)
{
    while (message) {
        struct copi_message *next = message->next;
        sort(self, message);
        message = next;
    }
}

/* Only the receiver evicts, so that senders need nothing but a count. */
static void
evict_oldest(struct copi_process *self)
{
    struct copi_message **link = &self->inbox.first;
    while (*link && copi_send_counted(self) > self->evicts_at) {
        if ((*link)->flags & COPI_COUNTED) {
            struct copi_message *message = copi_list_remove(&self->inbox, link);
            copi_send_uncount(self, message);
            copi_send_count_dropped(self);
            copi_refuse(message, -EAGAIN);
        } else {
            link = &(*link)->next;
        }
    }
}

/*
 * A receiver that keeps up with a stream takes each message singly, and the line of the mailbox goes to
 * and fro for each. So it lets a few more come; less than half a microsecond, and not while somebody else
 * wants the core. Whether it is a stream shows in what it gets: who lets two gather and gets one has made
 * somebody wait who waits for him, and does not try again soon. Requests are never let wait.
 */
enum {
    FIRST_PACE = 8, /* rounds */
    MOST_PACE = 32,
    PATIENCE = 64, /* so many are taken singly before it tries again */
};

static void
let_gather(struct copi_process *self)
{
    if (self->pace > 0 && copi_spin_allowed()) {
        self->has_gathered = true;
        for (unsigned i = 0; i < self->pace; i++) {
            copi_spin_hint();
        }
    }
}

static void
set_pace(struct copi_process *self, const struct copi_taken *taken)
{
    bool has_gathered = self->has_gathered;
    self->has_gathered = false;
    if (taken->kinds & 1u << COPI_CALL || (has_gathered && taken->count == 1)) {
        self->pace = 0;
        self->patience = PATIENCE;
    } else if (has_gathered && taken->count > 1 && self->pace < MOST_PACE) {
        self->pace++;
    } else if (taken->count > 0 && self->pace == 0 && self->patience-- == 0) {
        self->pace = FIRST_PACE;
    }
}

void
copi_take_in_signals(struct copi_process *self)
{
    if (copi_load_relaxed_32(&self->signals)) {
        /* Cleared before the mailbox is looked at, by a full barrier: a signal that is pushed later
         * sets it again. Pairs with copi_send_signal's store. */
        copi_exchange_32(&self->signals, 0);
    }
    struct copi_taken taken =
        copi_mailbox_take_all(&self->mailbox, copi_load_relaxed_32(&self->generation));
    set_pace(self, &taken);
    self->not_dated = 0;
    if (taken.first && is_for_inbox(self, &taken)) {
        append_all(self, &taken);
    } else if (taken.first) {
        sort_all(self, taken.first);
    }
    if (self->evicts_at > 0) {
        evict_oldest(self);
    }
    copi_store_relaxed_64(&self->inside, self->inbox.count);
    copi_send_note_length(self, self->inbox.count);
}

void
copi_take_in(struct copi_process *self)
{
    copi_take_in_signals(self);
    if (copi_load_relaxed_32(&self->life) == COPI_DISOWNED) {
        copi_exit_disowned(self);
    }
    copi_exit_point(self);
}

static bool
has_to_evict(const struct copi_process *self)
{
    return self->evicts_at > 0 && copi_send_counted(self) > self->evicts_at;
}

struct copi_message *
copi_next_message(struct copi_process *self)
{
    struct copi_message *message = copi_message_at_hand(self);
    if (message) {
        return message;
    }
    if (self->inbox.count == 0) {
        let_gather(self);
    }
    if (self->inbox.count == 0 || copi_load_relaxed_32(&self->signals) || has_to_evict(self)) {
        copi_take_in(self);
    }
    if (!self->inbox.first) {
        return NULL;
    }
    return copi_list_remove(&self->inbox, &self->inbox.first);
}

void
copi_look_begin(struct copi_process *self, struct copi_look *look)
{
    look->link = &self->inbox.first;
    look->dropped = copi_load_relaxed_64(&self->dropped);
}

struct copi_message *
copi_look_for(struct copi_process *self, struct copi_look *look,
              bool (*wanted)(const struct copi_message *message, void *env), void *env)
{
    if (look->dropped != copi_load_relaxed_64(&self->dropped)) {
        copi_look_begin(self, look); /* the message that the link is in may be gone */
    }
    for (; *look->link; look->link = &(*look->link)->next) {
        if (wanted(*look->link, env)) {
            return copi_list_remove(&self->inbox, look->link);
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- public */

static void
receive(struct copi_process *self, struct copi_message *message, cop_msg *out)
{
    copi_message_handled(self, message);
    self->received = message;
    *out = copi_message_view(message);
}

static void
let_received_go(struct copi_process *self)
{
    struct copi_message *message = self->received;
    self->received = NULL;
    if (message) {
        copi_message_free(message);
    }
}

/* Whoever looks at a process that waits for a message sees it in no callback. */
static int
pause_receiving(struct copi_process *self, struct copi_wait *wait)
{
    const char *callback = copi_load_relaxed_ptr(&self->callback);
    copi_callback_begin(self, NULL);
    if (!copi_is(self, COPI_IS_SERVER)) {
        copi_record_idle(self);
    }
    int r = copi_pause(self, wait);
    copi_callback_begin(self, callback);
    return r;
}

/* A request that a callback's receive took would have no answer, and a stop no end: they are the
 * loop's. */
static bool
is_receivable(const struct copi_process *self, const struct copi_message *message)
{
    return message->kind == COPI_SEND || !copi_is(self, COPI_IS_SERVER);
}

static bool
is_plain(const struct copi_message *message, void *env)
{
    return is_receivable(env, message);
}

static struct copi_message *
next_to_receive(struct copi_process *self, struct copi_look *look)
{
    if (!copi_is(self, COPI_IS_SERVER)) {
        return copi_next_message(self);
    }
    copi_take_in(self);
    return copi_look_for(self, look, is_plain, self);
}

int
cop_receive(cop_msg *out, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    let_received_go(self);
    struct copi_wait wait = COPI_WAIT("receive", timeout);
    struct copi_look look;
    copi_look_begin(self, &look);
    do {
        if (copi_load_relaxed_32(&self->signals)) {
            copi_take_in(self);
        }
        copi_exit_point(self);
        if (timeout > 0 && (r = copi_interrupted(self))) {
            return r;
        }
        struct copi_message *message = next_to_receive(self, &look);
        if (message) {
            receive(self, message, out);
            return 0;
        }
    } while ((r = pause_receiving(self, &wait)) == 0);
    return copi_wait_failed(r);
}

struct predicate {
    struct copi_process *self;
    bool (*wanted)(const cop_msg *msg, void *env);
    void *env;
    const struct copi_message *message;
    bool accepted;
};

static void
ask(void *arg)
{
    struct predicate *predicate = arg;
    cop_msg view = copi_message_view(predicate->message);
    predicate->accepted = predicate->wanted(&view, predicate->env);
}

static bool
is_accepted(const struct copi_message *message, void *env)
{
    struct predicate *predicate = env;
    if (!is_receivable(predicate->self, message)) {
        return false;
    }
    predicate->message = message;
    if (predicate->self->jump) {
        copi_run_held(predicate->self, ask, predicate);
    } else {
        ask(predicate);
    }
    return predicate->accepted;
}

int
cop_receive_match(cop_msg *out, bool (*wanted)(const cop_msg *msg, void *env), void *env,
                  cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    let_received_go(self);
    struct predicate predicate = {.self = self, .wanted = wanted, .env = env};
    struct copi_wait wait = COPI_WAIT("receive", timeout);
    struct copi_look look;
    copi_look_begin(self, &look);
    do {
        copi_take_in(self);
        if (timeout > 0 && (r = copi_interrupted(self))) {
            return r;
        }
        struct copi_message *message = copi_look_for(self, &look, is_accepted, &predicate);
        if (message) {
            receive(self, message, out);
            return 0;
        }
    } while ((r = pause_receiving(self, &wait)) == 0);
    return copi_wait_failed(r);
}

extern inline const void *cop_body(cop_msg msg, size_t size);

void
cop_body_mismatch(uint32_t tag, size_t size, size_t wanted)
{
    cop_exit(
        cop_failed(-EMSGSIZE, "message %u has a body of %zu bytes, not %zu", tag, size, wanted));
}

static bool
is_body_of(const struct copi_message *message, const cop_msg *msg)
{
    return message && (message->flags & (COPI_OUTSIDE | COPI_COPIED)) == COPI_OUTSIDE
           && copi_message_view(message).body.data == msg->body.data;
}

void *
cop_msg_take(cop_msg *msg)
{
    if (!msg->drop || copi_message_is_copy(msg)) {
        return NULL;
    }
    struct copi_process *self = copi_here.process;
    struct copi_message *held[2] = {self ? self->current : NULL, self ? self->received : NULL};
    for (size_t i = 0; i < 2; i++) {
        if (is_body_of(held[i], msg)) {
            held[i]->flags &= (uint8_t)~COPI_OUTSIDE;
            held[i]->size = 0;
        }
    }
    union {
        const void *in;
        void *out;
    } data = {.in = msg->body.data};
    msg->drop = NULL;
    return data.out;
}
