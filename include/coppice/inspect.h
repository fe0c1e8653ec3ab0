/*
 * coppice/inspect.h - what a process is doing, seen without its help: stuck ones, too.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_INSPECT_H
#define COPPICE_INSPECT_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_process_info {
    char name[64];        /* empty: none */
    char label[64];       /* what it was started with; empty: none */
    const char *callback; /* in which callback; NULL: waiting for a message */
    cop_time since;       /* in this state since: to a few milliseconds; 0: not known */
    /* false: of slow callbacks behind quick ones this is one of the first, and `since` may be the beginning of
     * those. Whoever must know looks again: it is in the same one if messages_handled has not moved */
    bool since_is_exact;
    cop_time oldest; /* an upper bound of the oldest message's age; 0: the mailbox is empty */
    size_t mailbox;  /* messages waiting; exact to a million not yet looked at */
    size_t messages_handled, owned_bytes;
    size_t dropped;    /* by a full mailbox */
    cop_pid waits_for; /* whom it waits for in a call, a start, a stop or a blocking send */
    cop_pid parent;    /* who started it with .link; COP_NOBODY: nobody did */
    bool traps_exits;
    const char *kind; /* "process", "genserver", "state machine", "agent", "task", "supervisor", or
                          "thread", which the library did not start, and others of its own */
    /* "receive", "call", "start", "stop", "send", "sleep", "await", "descriptor", "socket", "stream",
     * "suspended" and so on; NULL: it runs, or still looks whether what it wants is coming */
    const char *waits_in;
    bool is_suspended;    /* cop_sys_suspend */
    cop_time started;     /* when, by cop_now, to a few milliseconds */
    const char *strategy; /* a supervisor's: "one_for_one" and so on; NULL: it is none */
    /* Whose child it is; COP_NOBODY: nobody's. It stays when that one ends first */
    cop_pid supervisor;
    char child_id[64];     /* as that child; empty: it is nobody's, or of a dynamic kind's */
    uint64_t child_number; /* its place among them, in the order in which they were added */
    size_t restarts;       /* how often it was restarted as that child, siblings' sake included */
    size_t links,
        monitors;        /* until the other's end has been taken in from the mailbox; waits in the
                               library, for a start or a stop, hold monitors, too */
    size_t monitored_by; /* monitors that others hold */
} cop_process_info;

/*
 * Look at a process; Process.info. The figures are read one after the other while it runs. What it has
 * put into its dictionary is its own affair. The words in it are there for good, but for a callback's, which
 * are the server's.
 *
 * -ESRCH   no such process, or a name that nobody has; *out is as it was
 *
 * Threads: any.  Does not block, whatever the process is doing.  Exit point: no.
 */
COP_API int cop_inspect(cop_pid pid, cop_process_info *out);

/* "<7.1>": a pid as people read it, a name's holder for the name; pid_to_list. COP_NOBODY: "<0.0>". */
enum {
    COP_PID_TEXT = sizeof "<4294967295.4294967295>"
};
COP_API char *cop_pid_text(cop_pid pid, char out[COP_PID_TEXT]);

/*
 * The reverse; list_to_pid. Whether that process lives is not asked.
 *
 * -EINVAL   it is no pid; *out is as it was
 */
COP_API int cop_pid_parse(const char *text, cop_pid *out);

/*
 * The processes that live now; Process.list.
 *
 *   out, capacity   where their pids go, as many as fit
 *
 * Returns how many there are.
 */
COP_API size_t cop_processes(cop_pid *out, size_t capacity);

typedef struct cop_live_count {
    const char *kind; /* a word, there for good */
    size_t count;
} cop_live_count;

/*
 * How many objects of each kind the library keeps or has given out, and has not yet got back; as
 * :erlang.memory, in objects instead of bytes. Something leaks that grows and grows, or that is not 0 when all
 * handles have been given back, after cop_shutdown: but for the calling thread's own process and what
 * lies in its mailbox.
 *
 *   processes       and threads that are one because they have used the library
 *   messages        sent and not let go, the library's own, too
 *   watches         a monitor is one, a link is two, until their end has been told
 *   timers, intervals
 *   requests for readiness   that have not been answered
 *   sockets and ports        those that linger after a close, too
 *   contexts        while anybody holds or is in them, or in one below
 *   futures         while a handle is held, or what stands behind them works
 *   resolvers       that have not been freed
 *   continuations   registered, and not through
 *   groups, flights, computations (for a flight's keys), async streams, pipelines
 *   pipeline items  submitted, and not through
 *   streams         each stage of them, until nobody holds it
 *   subscriptions   that are not over, or of which a handle is held
 *
 *   out, capacity   where they go, as many kinds as fit; later versions may know more
 *
 * Returns how many kinds there are; 0 in the child of a fork. The counts are exact for what happened before
 * the call; of what goes on meanwhile some is counted.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API size_t cop_live(cop_live_count *out, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
