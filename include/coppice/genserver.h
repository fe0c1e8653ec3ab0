/*
 * coppice/genserver.h - servers: a state, and callbacks that own it. OTP's gen_server.
 *
 * A genserver handles one message at a time, on its own process. Its callbacks may block, and then
 * only its own mailbox waits. When not to use one: code without state needs a function, not a
 * process.
 *
 * Of gen_server's debugging, format_status is not here: a state is bytes of the application's.
 *
 * A callback that is not given: handle_info drops and reports; handle_call, handle_cast and
 * handle_continue fail the server when one is needed, as in OTP.
 *
 * terminate(state, reason) runs when a callback stopped the server or left it by cop_exit, when
 * cop_stop_process asked, and, if the server traps exits, when its parent ended or asked it to. It
 * does not run after any other exit signal, a kill or a contained fault. Blocking calls in it are
 * not cancelled; the supervisor's shutdown time bounds it.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_GENSERVER_H
#define COPPICE_GENSERVER_H

#include <coppice/message.h>
#include <coppice/process.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whom to answer. A value; it may be kept, and used from any process, once. */
typedef struct cop_from {
    cop_pid pid;
    cop_ref ref;
} cop_from;

/* What a callback wants to happen next. Made by the functions below; its members are private. */
typedef struct cop_step {
    int next;
    cop_time timeout;
} cop_step;

/* Go on. */
COP_API cop_step cop_ok(void);

/* Go on; if no message comes within `idle`, handle_info gets COP_MSG_TIMEOUT. 0: at once, if the
 * mailbox is empty. */
COP_API cop_step cop_ok_timeout(cop_time idle);

/* The same with a message of one's own in place of COP_MSG_TIMEOUT; it is copied or taken now, and
 * dropped if another comes first. Without memory for it the server stops with -ENOMEM. */
COP_API cop_step cop_ok_timeout_with(cop_time idle, cop_msg msg);

/* The same at a point in time, as cop_now has it; one that has passed: at once. */
COP_API cop_step cop_ok_timeout_at(cop_time when, cop_msg msg);

/* Go on; handle_continue(token) comes before any other message. The token is copied or taken now; if
 * that fails for want of memory the server stops with -ENOMEM. */
COP_API cop_step cop_ok_continue(cop_msg token);

/*
 * Answer now and go on; GenServer.reply. The bytes are copied, or the body taken, before this returns, whatever
 * comes of it; an answer that nobody waits for any more is dropped. May be called for several
 * callers in one callback, and in place of a step from any callback: `cop_reply(a, m);
 * return cop_ok_timeout(t);`
 *
 * Threads: any, also in a process other than the server.  Does not block.  Exit point: no.
 */
COP_API inline cop_step cop_reply(cop_from from, cop_msg reply);

/* Answer and stop: the answer is copied now and sent after terminate, as in OTP. */
COP_API cop_step cop_reply_stop(cop_from from, cop_msg reply, cop_reason reason);

/* Stop with a reason. In init: the start fails with it. */
COP_API cop_step cop_stop(cop_reason reason);

/* init only: not an error, but do not start. */
COP_API cop_step cop_ignore(void);

typedef struct cop_genserver {
    const char *type;  /* for people: reports, the tree. Static */
    size_t state_size; /* a zeroed block of this size is each incarnation's state */
    cop_step (*init)(void *state, cop_bytes arg); /* NULL: the zeroed state will do */
    cop_step (*handle_call)(void *state, cop_from from, cop_msg request);
    cop_step (*handle_cast)(void *state, cop_msg msg);
    cop_step (*handle_info)(void *state, cop_msg msg); /* plain sends, DOWN, EXIT, TIMEOUT, IO */
    cop_step (*handle_continue)(void *state, cop_msg token);
    void (*terminate)(void *state, cop_reason reason);
    void *reserved[4];
} cop_genserver;

/*
 * Start a server, and return when init has; GenServer.start, and start_link with .link = true. A
 * linked server's parent is the caller. There is no code generation (child_spec/1), no hibernation between
 * messages (a measure of Erlang's heaps; but see cop_hibernate) and no change of code while it runs.
 *
 *   out         the server; COP_NOBODY when init ignored (and 0 is returned); NULL: not wanted
 *   behaviour   borrowed for as long as the server lives
 *   opts        NULL: the defaults
 *
 * -EEXIST      the name is taken, or the key of .via; *out is who has it
 * -ETIMEDOUT   init took longer than .init_timeout and was killed
 * -EDEADLK     init waits, directly or through others, for the caller
 * -ECANCELED   the caller was cancelled or asked to stop meanwhile; the server is killed
 * a reason's code   init failed (cop_why has the reason); the process is gone when this returns
 * -EINVAL, -EAGAIN, -ENOMEM   as cop_spawn_with
 *
 * Threads: any.  Blocks until init returns.  Exit point: yes.
 */
COP_API int cop_genserver_start_with(cop_pid *out, const cop_genserver *behaviour,
                                     const cop_start_opts *opts);
/* cop_genserver_start(out, behaviour, options...) */
#define cop_genserver_start(out, ...) \
 COP_GENSERVER_START_(out, __VA_ARGS__, .size = sizeof(cop_start_opts))
#define COP_GENSERVER_START_(out, behaviour, ...) \
 cop_genserver_start_with((out), (behaviour), &(cop_start_opts){__VA_ARGS__})

/*
 * Make the calling process, which cop_spawn or a supervisor's worker began, a server for the rest of
 * its life; gen_server:enter_loop. init is not called: what it would have done is done. Name, links, context
 * and deferred calls stay; what was in the mailbox is handled now, but requests from before are
 * refused with -EOPNOTSUPP once the process has looked into its mailbox.
 *
 *   behaviour   borrowed for as long as the process lives
 *   state       the state's bytes, copied: of behaviour->state_size, or none: it is zeroed
 *   first       cop_ok(), cop_ok_timeout(…) or cop_ok_continue(…), as init would return
 *
 * Does not return, but for an error, and then nothing has changed:
 * -EINVAL   no behaviour, a state of another size, another step
 * -EPERM    called from a server or a task, from a thread that the library did not start, or from a
 *           deferred call, a drop function or a predicate
 * -ENOMEM
 *
 * Exit point: yes.
 */
COP_API int cop_genserver_enter(const cop_genserver *behaviour, cop_bytes state, cop_step first);

/*
 * Ask a server and wait for its answer; GenServer.call.
 *
 * The request is delivered at most once. A late answer is dropped, never handed to another call. How
 * requests and answers look inside is nobody's business (no aliases with payload), and the bare reason is
 * told, without the call. There are no nodes: no abcast, no nodedown, and cop_multi_call
 * asks several servers.
 *
 *   request      bytes are copied; a moved body is taken on every outcome, errors included
 *   reply        written on 0 only: exactly the answer's bytes
 *   reply_size   NULL and 0: the answer must be empty
 *   timeout      COP_FOREVER never gives up
 *
 * -ESRCH      no such process, or it ended before it took the request: safe to repeat
 * -EPIPE      it ended with the request in its hands (cop_why has its reason)
 * -ETIMEDOUT  no answer in time, or the context's deadline passed; it may still be working on it
 * -ECANCELED  the context was cancelled, or the caller was asked to stop
 * -EDEADLK    the server waits, directly or through others, for the caller: cop_why shows the
 *             circle; nothing was sent
 * -EMSGSIZE   an answer of another size came; nothing was written
 * -EAGAIN     its mailbox is full and it does not block senders
 * -EOPNOTSUPP the process is no server
 * -EINVAL     a reserved tag, or bytes without data
 * -ENOMEM     nothing was sent; or there was no memory for the answer, and what was asked may be done
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API inline int cop_call(cop_pid server, cop_msg request, void *reply, size_t reply_size,
                            cop_time timeout);

/* The same for an answer of any size: *reply is the caller's, to cop_msg_release. */
COP_API int cop_call_any(cop_pid server, cop_msg request, cop_msg *reply, cop_time timeout);

/*
 * Send a message to handle_cast and do not wait; GenServer.cast. To a process or a name that is
 * gone: 0, and the body is dropped. Otherwise as cop_send.
 */
COP_API inline int cop_cast(cop_pid server, cop_msg msg);

/* ------------------------------------------------------------ by reference, as in message.h */

/* The same as cop_call, cop_cast and cop_reply; the message is borrowed for the call, its body as there. */
COP_API int cop_call_by(cop_pid server, const cop_msg *request, void *reply, size_t reply_size,
                        cop_time timeout);
COP_API int cop_cast_by(cop_pid server, const cop_msg *msg);
COP_API cop_step cop_reply_by(cop_from from, const cop_msg *reply);

inline int
cop_call(cop_pid server, cop_msg request, void *reply, size_t reply_size, cop_time timeout)
{
    return cop_call_by(server, &request, reply, reply_size, timeout);
}

inline int
cop_cast(cop_pid server, cop_msg msg)
{
    return cop_cast_by(server, &msg);
}

inline cop_step
cop_reply(cop_from from, cop_msg reply)
{
    return cop_reply_by(from, &reply);
}

#ifdef __cplusplus
}
#endif
#endif
