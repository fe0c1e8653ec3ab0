/*
 * runtime/mailbox.h - a mailbox: many senders, one receiver.
 *
 * Room: runtime/. Knows messages.
 * Touch freely: nothing. Ask first: everything; each word below is part of the argument in mailbox.c.
 */
#ifndef COPI_RUNTIME_MAILBOX_H
#define COPI_RUNTIME_MAILBOX_H

#include "runtime/atomic.h"
#include "runtime/message.h"
#include "runtime/thread.h"

/* What senders and the receiver share: one word. See mailbox.c. */
struct copi_mailbox {
    copi_atomic64 word;
    copi_atomic64 since; /* when it last became non-empty: by that sender */
};

enum copi_push {
    COPI_PUSHED,        /* the receiver is awake, or was woken by an earlier message */
    COPI_PUSHED_ASLEEP, /* it sleeps: this sender, and no other, is to wake it */
    COPI_REFUSED,       /* closed: the message is still the sender's */
};

enum {
    COPI_MAILBOX_COUNT_BITS = 20,
    COPI_MAILBOX_ASLEEP = 1,
    COPI_MAILBOX_CLOSED = 2,
};
#define COPI_MAILBOX_COUNT_ONE  UINT64_C(4)
#define COPI_MAILBOX_COUNT_MAX  ((UINT64_C(1) << COPI_MAILBOX_COUNT_BITS) - 1)
#define COPI_MAILBOX_COUNT_MASK (COPI_MAILBOX_COUNT_MAX << 2)
#define COPI_MAILBOX_SHIFT      16 /* a node's address is 64-aligned and has 48 bits */
#define COPI_MAILBOX_NODE_MASK  (~(COPI_MAILBOX_COUNT_MASK | 3))

static inline struct copi_message *
copi_mailbox_node(uint64_t word)
{
    return (struct copi_message *)(uintptr_t)((word & COPI_MAILBOX_NODE_MASK)
                                              >> COPI_MAILBOX_SHIFT);
}

/* How many messages the word counts; COPI_MAILBOX_COUNT_MAX: that many or more. */
static inline uint64_t
copi_mailbox_count(uint64_t word)
{
    return (word & COPI_MAILBOX_COUNT_MASK) >> 2;
}

/*
 * Any thread. *count is how many wait now, this one included. Whoever finds the mailbox empty notes
 * the time, before the push, because afterwards the receiver has the line.
 */
static inline enum copi_push
copi_mailbox_push(struct copi_mailbox *mailbox, struct copi_message *message, uint64_t *count)
{
    copi_prefetch_to_write(mailbox); /* or it would come twice: to be read, and to be written */
    uint64_t old = copi_load_relaxed_64(&mailbox->word), new;
    do {
        if (old & COPI_MAILBOX_CLOSED) {
            return COPI_REFUSED;
        }
        if (!(old & COPI_MAILBOX_NODE_MASK)) {
            copi_store_relaxed_64(&mailbox->since, (uint64_t)copi_clock_coarse());
        }
        message->next = copi_mailbox_node(old);
        new =
            (old & COPI_MAILBOX_COUNT_MASK) | ((uint64_t)(uintptr_t)message << COPI_MAILBOX_SHIFT);
        if ((old & COPI_MAILBOX_COUNT_MASK) != COPI_MAILBOX_COUNT_MASK) {
            new += COPI_MAILBOX_COUNT_ONE;
        }
    } while (!copi_cas_64(&mailbox->word, &old, new)); /* pairs with copi_mailbox_take() */
    *count = copi_mailbox_count(new);
    return old & COPI_MAILBOX_ASLEEP ? COPI_PUSHED_ASLEEP : COPI_PUSHED;
}

/* Anybody: whether there is something to take. */
static inline bool
copi_mailbox_has_news(const struct copi_mailbox *mailbox)
{
    return (copi_load_relaxed_64(&mailbox->word) & COPI_MAILBOX_NODE_MASK) != 0;
}

/* Receiver only: the same. Where there is something, its lines are on their way while he comes to take it. */
static inline bool
copi_mailbox_look(struct copi_mailbox *mailbox)
{
    uint64_t word = copi_load_relaxed_64(&mailbox->word);
    if (!(word & COPI_MAILBOX_NODE_MASK)) {
        return false;
    }
    copi_prefetch_to_write(copi_mailbox_node(word));
    copi_prefetch_to_write(mailbox);
    return true;
}

/* What has been taken, and what was to be seen of it on the way. */
struct copi_taken {
    struct copi_message *first, *last; /* oldest first; NULL: nothing */
    size_t count;
    uint32_t kinds; /* a bit for each enum copi_kind that is among them */
    bool has_stale; /* one or more are for another generation */
};

/* Receiver only: all that was sent. */
struct copi_taken copi_mailbox_take_all(struct copi_mailbox *mailbox, uint32_t generation);

/* The same, for who looks at each anyway. */
struct copi_message *copi_mailbox_take(struct copi_mailbox *mailbox);

/* Receiver only: about to sleep. false: there is something to take. */
bool copi_mailbox_sleep(struct copi_mailbox *mailbox);

/* Receiver only: after a sleep, whoever ended it. */
void copi_mailbox_wake(struct copi_mailbox *mailbox);

/* Whoever ends the process: no message gets in any more. What was there, oldest first. */
struct copi_message *copi_mailbox_close(struct copi_mailbox *mailbox);

/* Before a new process lives here. */
void copi_mailbox_open(struct copi_mailbox *mailbox);

#endif
