/*
 * coppice/message.h - what processes say to each other, and how they hear it.
 *
 * Order: what one process sends to another arrives in the order in which it was sent, signals
 * included. Between two senders nothing is promised.
 *
 * Bodies: bytes are copied when they are sent, or moved. A moved body has a drop function, which
 * runs exactly once, whoever ends up with the message, the dead included: on any thread, so it
 * must neither block nor call back into the library; cop_exit in it takes effect at the process's
 * next exit point. A received body is 8-aligned and lives until the callback that got it returns,
 * or, in a plain process, until its next cop_receive; a call or a sleep in between does not end it.
 */
#ifndef COPPICE_MESSAGE_H
#define COPPICE_MESSAGE_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A process, or a name that is resolved at each use. A value; a stale one is safe to use. */
typedef struct cop_pid {
    uint64_t id;
} cop_pid;
#define COP_NOBODY ((cop_pid){0})
static inline bool
cop_pid_eq(cop_pid a, cop_pid b)
{
    return a.id == b.id;
}

/* A monitor, a timer or a request; 0 is none. */
typedef struct cop_ref {
    uint64_t id;
} cop_ref;

typedef struct cop_msg {
    uint32_t tag; /* the application's own; COP_MSG_RESERVED and up are the library's */
    cop_bytes body;
    void (*drop)(void *data); /* set: the message owns body.data and drops it when released */
    cop_pid from;             /* set by the library on what is received */
} cop_msg;

/* Tags from here on are the library's; a user's message with one is refused with -EINVAL. */
#define COP_MSG_RESERVED 0xffff0000u
#define COP_MSG_DOWN     0xffff0001u /* struct cop_down: a monitored process ended */
#define COP_MSG_EXIT     0xffff0002u /* struct cop_exited: to a process that traps exits */
#define COP_MSG_TIMEOUT  0xffff0003u /* a genserver's idle timeout */
#define COP_MSG_IO       0xffff0004u /* struct cop_io_ready */

#define COP_TAG(t) \
 ((cop_msg){       \
     .tag = (t),   \
 })
#define COP_MSG(t, type, ...)                      \
 ((cop_msg){                                       \
     .tag = (t),                                   \
     .body = {&(type){__VA_ARGS__}, sizeof(type)}, \
 })
#define COP_MSG_OF(t, lvalue)             \
 ((cop_msg){                              \
     .tag = (t),                          \
     .body = {&(lvalue), sizeof(lvalue)}, \
 })
#define COP_MSG_MOVE(t, pointer, bytes, dropper) \
 ((cop_msg){                                     \
     .tag = (t),                                 \
     .body = {(pointer), (bytes)},               \
     .drop = (dropper),                          \
 })

/*
 * The body as a `const type *`. A body of another size is a bug in the sender and crashes the
 * receiver with -EMSGSIZE. A type that needs more than 8-alignment does not compile.
 *
 * Exit point: when the size is wrong, and then only.
 */
#ifdef __cplusplus
# define COP_BODY(msg, type) ((type const *)cop_body((msg), sizeof(type)))
#else
# define COP_BODY(msg, type)                                                    \
  ((type const *)cop_body((msg), sizeof(type) + 0 * sizeof(struct {             \
                                        _Static_assert(_Alignof(type) <= 8,     \
                                                       "bodies are 8-aligned"); \
                                        int unused;                             \
                                                })))
#endif
COP_API inline const void *cop_body(cop_msg msg, size_t size);

/*
 * Keep a moved body: it is the caller's from now on, to drop. NULL, and nothing changed, when the
 * body was copied and not moved.
 *
 * Threads: the receiver, while the message lives.  Does not block.  Exit point: no.
 */
COP_API void *cop_msg_take(cop_msg *msg);

/*
 * Let go of a message that the caller owns, such as cop_call_any's answer. The struct is zeroed, so
 * twice is safe.
 */
COP_API void cop_msg_release(cop_msg *msg);

/*
 * Typed messages: COP_MESSAGE(add, ADD, struct add) makes add_msg(const struct add *), a message to
 * send, and add_of(msg), a const struct add *, or NULL when the message has another tag.
 */
#define COP_MESSAGE(name, tag_, type)                    \
 static inline cop_msg name##_msg(const type *body)      \
 {                                                       \
  cop_msg msg;                                           \
  memset(&msg, 0, sizeof msg);                           \
  msg.tag = (tag_);                                      \
  msg.body.data = body;                                  \
  msg.body.size = sizeof *body;                          \
  return msg;                                            \
 }                                                       \
 static inline const type *name##_of(cop_msg msg)        \
 {                                                       \
  return msg.tag == (tag_) ? COP_BODY(msg, type) : NULL; \
 }

/*
 * Send a message; Erlang's `!`, Elixir's send/2.
 *
 * To a process that is gone: 0, and the body is dropped, as in OTP. A genserver gets it in
 * handle_info.
 *
 *   to    any pid
 *   msg   bytes are copied before this returns; a moved body is taken on 0 and stays the sender's
 *         on any error
 *
 * -ESRCH       a name that nobody has
 * -EAGAIN      the mailbox is full (COP_FULL_REJECT)
 * -EINVAL      a reserved tag, bytes without data, a moved body without data
 * -EDEADLK     COP_FULL_BLOCK, and the receiver waits, directly or through others, for the caller
 * -ECANCELED, -ETIMEDOUT   the context ended while waiting for room (COP_FULL_BLOCK)
 * -ENOMEM
 *
 * Threads: any.  Blocks only on a full COP_FULL_BLOCK mailbox.  Exit point: only there.
 */
COP_API inline int cop_send(cop_pid to, cop_msg msg);

/*
 * The next message, oldest first; `receive` without a pattern. In a callback of a server only what
 * handle_info would get: requests, casts and stops wait for the callbacks that are theirs.
 *
 *   out       valid until this process receives again
 *   timeout   0 looks without waiting; COP_FOREVER waits
 *
 * -ETIMEDOUT   nothing came in time, or the context's deadline passed
 * -ECANCELED   the context was cancelled, or the process was asked to stop; a timeout of 0 still takes
 *              what is there
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_receive(cop_msg *out, cop_time timeout);

/*
 * The oldest message that `wanted` accepts; `receive` with a pattern. The others stay, in order. In a
 * server as cop_receive.
 *
 *   wanted    called for each message, oldest first; it must not call the library. The process does
 *             not end in it.
 *
 * Errors as cop_receive. Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_receive_match(cop_msg *out, bool (*wanted)(const cop_msg *msg, void *env),
                              void *env, cop_time timeout);

/* What happens to a message for which a bounded mailbox has no room. */
typedef enum cop_when_full {
    COP_FULL_REJECT,   /* the sender gets -EAGAIN */
    COP_FULL_BLOCK,    /* the sender waits */
    COP_FULL_DROP_NEW, /* it is dropped and counted; a request gets -EAGAIN */
    COP_FULL_DROP_OLD, /* the receiver drops the oldest when it next looks, and counts it; a request
                          that is dropped gets -EAGAIN */
} cop_when_full;

/*
 * A bound counts the application's messages: sends, casts and requests. Signals, replies, DOWN,
 * timers and readiness are never refused and never dropped.
 */
typedef struct cop_mailbox_opts {
    size_t limit; /* messages; 0: unbounded, as in OTP */
    cop_when_full when_full;
} cop_mailbox_opts;

/* ------------------------------------------------------------ by reference
 *
 * A message has five words, which are copied where it is passed by value. So what is called for each message
 * is `inline`: the compiler writes the message where the caller has it, and a function below gets its
 * address. cop_send and the others are functions of the library all the same, with an address of their own.
 */

/* The same as cop_send; the message is borrowed for the call, its body as there. */
COP_API int cop_send_by(cop_pid to, const cop_msg *msg);

/*
 * End the calling process, as COP_BODY does, whose message has a body of another size.
 *
 * Threads: any.  Does not return.  Exit point: yes.
 */
COP_API void cop_body_mismatch(uint32_t tag, size_t size, size_t wanted) __attribute__((noreturn));

inline int
cop_send(cop_pid to, cop_msg msg)
{
    return cop_send_by(to, &msg);
}

inline const void *
cop_body(cop_msg msg, size_t size)
{
    if (msg.body.size != size) {
        cop_body_mismatch(msg.tag, msg.body.size, size);
    }
    return msg.body.data;
}

#ifdef __cplusplus
}
#endif
#endif
