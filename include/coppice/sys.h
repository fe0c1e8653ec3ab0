/*
 * coppice/sys.h - looking at a server, and holding it still, while it lives. OTP's sys.
 *
 * A server is a genserver or what stands on one: agents, state machines, supervisors. What is asked here waits its
 * turn among the server's other messages; it is never refused for want of room, does not cancel an
 * idle timeout, and is itself neither traced nor counted.
 *
 * Suspended, a server takes nothing from its mailbox but what is asked here, requests to stop
 * (cop_stop_process), and the end of its parent if it traps exits; exit signals act as ever.
 * Everything else waits, in order: a call may time out in its caller, and is served after the
 * server resumes.
 *
 * These are for people who look for a fault, and for tests; a program's own questions belong into
 * its own messages.
 *
 * Errors of all: as cop_call's; -EOPNOTSUPP also for what is no server. Timeouts are the caller's to
 * choose; OTP's default is five seconds. Threads: any. Each blocks until the server has answered.
 * Exit point: yes.
 */
#ifndef COPPICE_SYS_H
#define COPPICE_SYS_H

#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- the state */

/*
 * A copy of the state's bytes; sys:get_state. Of a genserver, its state block; of an agent, its
 * state; of a state machine, its data (cop_sys_get_status has the state's name). What pointers in it
 * point to stays the server's.
 *
 * -EOPNOTSUPP   its state is not for users: a supervisor
 * -EMSGSIZE     the state has another size; nothing was written
 */
COP_API int cop_sys_get_state(cop_pid server, void *out, size_t size, cop_time timeout);

/* Change the state: 0, or what it has failed with: a negative code. */
typedef int (*cop_sys_replace_fn)(void *state, cop_bytes arg);

/*
 * Run fn on the state, in the server; sys:replace_state. If it fails, or leaves by cop_exit, the
 * bytes of the state are as they were before, and the server goes on. Of a state machine fn changes the
 * data, and not the state that it is in.
 *
 *   arg   copied
 *
 * fn's own code, or its reason's (cop_why has it)   it failed; a positive code is -EINVAL
 * -EOPNOTSUPP   its state is not for users: a supervisor
 * -ENOMEM       no memory to keep the old bytes in; fn did not run
 */
COP_API int cop_sys_replace_state(cop_pid server, cop_sys_replace_fn fn, cop_bytes arg,
                                  cop_time timeout);

/* ---------------------------------------------------------------- suspension */

/* Hold the server; sys:suspend. Twice is as once. After 0 no callback of its runs. */
COP_API int cop_sys_suspend(cop_pid server, cop_time timeout);

/* Let it go on; sys:resume. One that is not suspended: 0. */
COP_API int cop_sys_resume(cop_pid server, cop_time timeout);

/*
 * Stop it with `reason`, as if a callback had; sys:terminate. Returns when it has begun to end;
 * cop_stop_process waits until it has.
 *
 *   reason    NORMAL, SHUTDOWN or FAILED; another: -EINVAL
 */
COP_API int cop_sys_terminate(cop_pid server, cop_reason reason, cop_time timeout);

typedef struct cop_sys_status {
    cop_pid pid, parent; /* parent: COP_NOBODY when it was started without a link */
    char name[64];       /* empty: none */
    const char *kind;    /* "genserver", "agent", "state machine" */
    const char *type;    /* cop_genserver's, cop_statem's; NULL: none given */
    bool is_suspended, traps_exits;
    bool has_state;         /* one for users, of */
    size_t state_size;      /* bytes */
    const char *state_name; /* of the state in which a state machine is; NULL: no machine */
    size_t mailbox;         /* messages waiting */
    bool is_traced, has_statistics;
    size_t log_size, functions; /* the log's places; installed functions */
} cop_sys_status;

/* How it is; sys:get_status. */
COP_API int cop_sys_get_status(cop_pid server, cop_sys_status *out, cop_time timeout);

/* ---------------------------------------------------------------- its messages */

typedef enum cop_sys_event_kind {
    COP_SYS_CALL,     /* in: a request, before handle_call */
    COP_SYS_CAST,     /* in: before handle_cast */
    COP_SYS_INFO,     /* in: before handle_info; an idle timeout, too */
    COP_SYS_CONTINUE, /* before handle_continue, with its token */
    COP_SYS_REPLY,    /* out: an answer; by whatever callback, and after terminate */
    COP_SYS_HANDLED,  /* a callback returned, and the server goes on. For functions only */
} cop_sys_event_kind;

/* What a server sends by cop_send and cop_cast is not seen, as in OTP. */
typedef struct cop_sys_event {
    cop_sys_event_kind kind;
    uint32_t tag;    /* of the message */
    cop_pid peer;    /* in: from whom; out: to whom */
    cop_time when;   /* as cop_now */
    cop_bytes body;  /* valid during the call; in a log the data is NULL */
    cop_bytes state; /* as cop_sys_get_state has it, now; the same. Without data: not for users */
} cop_sys_event;

/* On: a line on standard error for each message in and out; sys:trace. */
COP_API int cop_sys_trace(cop_pid server, bool on, cop_time timeout);

/* Keep the last `events` messages in and out; 0: none any more. Already on: the newest stay; sys:log.
 * More than a million: -EINVAL. */
COP_API int cop_sys_log(cop_pid server, size_t events, cop_time timeout);

/*
 * The newest of what the log holds, oldest first.
 *
 *   out, capacity   where they go, as many as fit
 *   count           how many the log holds; none without a log
 */
COP_API int cop_sys_get_log(cop_pid server, cop_sys_event *out, size_t capacity, size_t *count,
                            cop_time timeout);

typedef struct cop_sys_counts {
    cop_time since, now; /* as cop_now */
    size_t messages_in, messages_out;
} cop_sys_counts;

/* Count from now on, or no more; sys:statistics. On when it is on: the counts go on. */
COP_API int cop_sys_statistics(cop_pid server, bool on, cop_time timeout);

/* -ENODATA: they are off. */
COP_API int cop_sys_get_statistics(cop_pid server, cop_sys_counts *out, cop_time timeout);

/*
 * Sees an event, in the server; false: it is done, and removed. `own` is its own state, 8-aligned. It
 * may call the library, but what it sends is no event; the process does not end in it. One that
 * leaves by cop_exit is removed, and the server goes on.
 */
typedef bool (*cop_sys_fn)(void *own, const cop_sys_event *event);

/*
 * Show every event to fn from now on; sys:install. Newer functions see it first. One that is
 * installed already stays as it is: 0.
 *
 *   own   copied: fn's own state
 */
COP_API int cop_sys_install(cop_pid server, cop_sys_fn fn, cop_bytes own, cop_time timeout);

/* sys:remove. One that is not installed: 0. */
COP_API int cop_sys_remove(cop_pid server, cop_sys_fn fn, cop_time timeout);

/* Trace, log, statistics and functions off; sys:no_debug. */
COP_API int cop_sys_no_debug(cop_pid server, cop_time timeout);

#ifdef __cplusplus
}
#endif
#endif
