/*
 * runtime/message.h - messages as they lie in memory, and the pools they come from.
 *
 * Room: runtime/. Knows the seam.
 * Touch freely: class sizes. Ask first: the layout of the first 40 bytes; with 24 bytes of body it is
 * one cache line.
 */
#ifndef COPI_RUNTIME_MESSAGE_H
#define COPI_RUNTIME_MESSAGE_H

#include "runtime/atomic.h"

#include <coppice/message.h>
#include <coppice/reason.h>

/*
 * Tags of the library's own, by the second byte from the right, so that no two mean the same:
 *
 *   0xffff00..   what users receive (include/coppice/)
 *   0xffff01..   agents; 02 cop_sys; 03 locks of registries; 04 calls whose answer is a future; 05 what
 *                a supervisor is asked
 *   0xfffe....   of timers, and of what is sent by public functions, which refuse reserved ones: so
 *                anybody may send them, and whoever gets one looks at it before he believes it
 */

/* What a node in a mailbox is. Below KIND_SIGNAL: delivered, in order. From it on: taken in by the
 * process itself, before anything that waits. */
enum copi_kind {
    COPI_SEND, /* a plain message, a DOWN, an EXIT, a timer's */
    COPI_CAST, /* for handle_cast */
    COPI_CALL, /* a request: whoever releases it unanswered refuses it */
    COPI_STOP, /* cop_stop_process: the body is the reason */
    COPI_KIND_SIGNAL,
    COPI_REPLY,    /* to a request: the body is the answer */
    COPI_REFUSAL,  /* to a request: the body is struct copi_refusal */
    COPI_ANSWERED, /* a request of the reference was answered by somebody else */
    COPI_NOTE,     /* of something that is no process: see notice.c */
    COPI_DOWN,     /* embedded in a watch (runtime/signal.h) */
    COPI_EXIT,     /* the same */
    COPI_SIGNAL,   /* cop_exit_signal: the body is struct cop_exited */
};

enum {
    COPI_OUTSIDE = 1,   /* the body is struct copi_outside */
    COPI_COPIED = 2,    /* outside, but a copy of ours: the receiver may not keep it */
    COPI_COUNTED = 4,   /* in the count of a bounded mailbox */
    COPI_UNAWAITED = 8, /* a request whose caller goes on: a collector gets the answer */
    COPI_SYSTEM = 16, /* a request of the library's own: to the server's loop, and never refused for
                           want of room */
};

struct copi_message {
    struct copi_message *next;
    cop_pid from;
    cop_ref ref;         /* of a request and its answer */
    uint32_t generation; /* of the receiver: a slot's next tenant must not get it */
    uint32_t tag;
    uint8_t kind;
    uint8_t flags;
    uint16_t size;        /* of a body inside */
    int32_t code;         /* of a request: what its answer has failed with; 0: it has not */
    unsigned char body[]; /* 8-aligned */
};

struct copi_outside {
    void *data;
    size_t size;
    void (*drop)(void *data);
};

/* Why a request was not answered. */
struct copi_refusal {
    int code;
    cop_reason reason; /* of the server; NORMAL where there is none */
};

/*
 * A message with room for `size` bytes of body, which are not set. NULL: out of memory.
 */
struct copi_message *copi_message_new(enum copi_kind kind, uint32_t tag, size_t size);

/* The same for any size, and where the body is to be written: a large one lies outside the node. */
struct copi_message *copi_message_blank(enum copi_kind kind, uint32_t tag, size_t size,
                                        void **body);

/* The same with a body of the library's, which the receiver may not keep; `drop` hears when it is let
 * go. */
struct copi_message *copi_message_lent(enum copi_kind kind, uint32_t tag, struct copi_outside body);

/* A message as the user gave it: copied, or its body taken when *out is set. -EINVAL, -ENOMEM. */
int copi_message_from(struct copi_message **out, enum copi_kind kind, const cop_msg *msg);

/*
 * What the user sees of it. It is passed by value, which compilers do in pieces of sixteen bytes. A piece
 * that was written in two parts is not to be had before both have left the store buffer, so that each
 * callback would wait for the message's line: an eighth of what an item cost in a pipeline of servers. So it
 * is written in the same pieces.
 */
cop_msg copi_message_view_outside(const struct copi_message *message);
#ifdef __x86_64__
typedef uint64_t copi_words __attribute__((vector_size(16)));
union copi_in_words {
    cop_msg msg;
    copi_words words[2];
};
_Static_assert(offsetof(cop_msg, body.data) == 8 && offsetof(cop_msg, body.size) == 16
                   && offsetof(cop_msg, drop) == 24 && offsetof(cop_msg, from) == 32,
               "the words below are its fields");
#endif
static inline cop_msg
copi_message_view(const struct copi_message *message)
{
#ifdef __x86_64__
    union copi_in_words view;
    if (__builtin_expect(message->flags & COPI_OUTSIDE, 0)) {
        view.msg = copi_message_view_outside(message);
    } else {
        view.words[0] = (copi_words){message->tag, (uintptr_t)message->body};
        view.words[1] = (copi_words){message->size, 0};
        view.msg.from = message->from;
    }
    return view.msg;
#else
    if (message->flags & COPI_OUTSIDE) {
        return copi_message_view_outside(message);
    }
    return (cop_msg){
        .tag = message->tag,
        .body = {message->body, message->size},
        .from = message->from,
    };
#endif
}

/* Run a drop function: it is a user's, and we are in the middle of something, so the process does not end
 * in it. */
void copi_run_drop(void (*drop)(void *data), void *data);

/* Let the body go: drop it if it was moved. The message then has none. */
void copi_message_drop_body(struct copi_message *message);

/* Send the node home, whose body has gone. */
void copi_message_release(struct copi_message *node);

/* Let the body go and send the node home. */
static inline void
copi_message_free(struct copi_message *message)
{
    if (message->flags & COPI_OUTSIDE) {
        copi_message_drop_body(message);
    }
    copi_message_release(message);
}

/* Hand the message to a user who owns it from now on: cop_msg_release lets it go. */
cop_msg copi_message_give(struct copi_message *message);

/* Let go of what a user has sent, and was taken, and goes nowhere. */
void copi_message_let_go(const cop_msg *msg);

/* Whether such a message's body is a copy of ours, so that nobody can keep it. */
bool copi_message_is_copy(const cop_msg *msg);

/* Send what this thread has collected for others home. Before a long wait. */
void copi_pool_flush(void);

/* The calling thread's pool is for whoever comes next. At the end of a thread. */
void copi_pool_leave(void);

/* Free what no pool has in use. Only of pools that no thread uses, and the caller's. */
void copi_pool_trim(void);
void copi_pool_trim_own(void); /* the caller's only */

#endif
