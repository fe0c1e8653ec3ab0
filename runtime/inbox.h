/*
 * runtime/inbox.h - what a process has taken in from its mailbox, and how it receives.
 *
 * Room: runtime/. The owner thread only.
 */
#ifndef COPI_RUNTIME_INBOX_H
#define COPI_RUNTIME_INBOX_H

#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/send.h"

void copi_list_init(struct copi_list *list);
void copi_list_append(struct copi_list *list, struct copi_message *message);

/* Take out the message that *link points to. */
struct copi_message *copi_list_remove(struct copi_list *list, struct copi_message **link);

/* A message joins those that have been taken in. */
void copi_inbox_append(struct copi_process *self, struct copi_message *message);

/*
 * Take in what has been sent: signals act, answers reach who waits, messages join the inbox. An exit
 * point.
 */
void copi_take_in(struct copi_process *self);

/* The same where the process must not end. */
void copi_take_in_signals(struct copi_process *self);

/* The oldest message, out of the inbox, if nothing has to be looked at before; else NULL. */
static inline struct copi_message *
copi_message_at_hand(struct copi_process *self)
{
    struct copi_list *inbox = &self->inbox;
    struct copi_message *message = inbox->first;
    if (!message || self->evicts_at > 0 || copi_load_relaxed_32(&self->signals)) {
        return NULL;
    }
    inbox->first = message->next;
    if (!inbox->first) {
        inbox->end = &inbox->first;
    }
    inbox->count--;
    return message;
}

/* The oldest message, out of the inbox; NULL: none. Signals act first: an exit point. */
struct copi_message *copi_next_message(struct copi_process *self);

/* How far the inbox has been looked through, so that no message is asked about twice. */
struct copi_look {
    struct copi_message **link;
    uint64_t dropped;
};
void copi_look_begin(struct copi_process *self, struct copi_look *look);

/* The oldest message from there on that is wanted, out of the inbox; NULL: none. */
struct copi_message *copi_look_for(struct copi_process *self, struct copi_look *look,
                                   bool (*wanted)(const struct copi_message *message, void *env),
                                   void *env);

/* It is in the hands of the user from now on: bounds count it no more. */
static inline void
copi_message_handled(struct copi_process *self, struct copi_message *message)
{
    copi_store_relaxed_64(&self->handled, copi_load_relaxed_64(&self->handled) + 1);
    copi_store_relaxed_64(&self->inside, self->inbox.count);
    copi_record_message(self, message);
    if (message->flags & COPI_COUNTED) {
        copi_send_uncount(self, message);
    }
}

/* Let go of a message that nobody will get: a request is refused with `code`. */
void copi_refuse(struct copi_message *message, int code);

/* As copi_refuse for all in a chain; `why`: the process's reason, for those who asked; NULL: none. */
void copi_refuse_all(struct copi_message *chain, int code, const cop_reason *why);

#endif
