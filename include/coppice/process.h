/*
 * coppice/process.h - processes: a thread each, a mailbox, and an end that is always orderly.
 *
 * Where a process can end: in calls that can block, in cop_checkpoint and in cop_exit; each
 * declaration says "Exit point: yes" or "no". Not inside deferred calls, terminate, drop functions
 * and match predicates, and not between cop_shield(true) and cop_shield(false): there an exit
 * signal waits, and after a kill every blocking call returns -ECANCELED at once.
 *
 * How it ends, in this order: the deferred calls of the current callback, in place, last first;
 * terminate, where OTP would call it; the deferred calls of the process; what is in its dictionary;
 * its memory, timers, name and pending requests; then its links and monitors are told, and only then
 * may a supervisor act.
 *
 * SHUTDOWN asks: in a process that does not trap exits, blocking calls return -ECANCELED from then
 * on; returning 0 or -ECANCELED then counts as SHUTDOWN. A kill cannot be refused, and comes before
 * every other reason but that of an exit signal that came before it, until the last deferred call has
 * returned: also of terminate's. A thread that
 * reaches no exit point is interrupted (its system calls return EINTR), and past a grace it is
 * disowned: its process is dead to everybody, its memory is left alone, and it ends when it next
 * enters the library.
 *
 * There is no flag for a priority (Process.flag(:priority)): a process has a thread of its own, whose
 * niceness, scheduling class and processors it sets by the system's own calls (setpriority,
 * sched_setattr, sched_setaffinity). The next process on that thread starts from the program's.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_PROCESS_H
#define COPPICE_PROCESS_H

#include <coppice/base.h>
#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_context cop_context;

/*
 * A key of a registry as a name; {:via, Registry, {registry, key, value}}. Borrowed for the start.
 *
 * The key is the process's before it runs, as cop_registry_register has it, and until it ends.
 * cop_registry_whereis finds it. Not of a duplicate registry: -EOPNOTSUPP; unknown: -ESRCH.
 */
typedef struct cop_via {
    const char *registry;
    cop_bytes key, value; /* copied */
} cop_via;

typedef struct cop_start_opts {
    size_t size;      /* set by the macros: lets the struct grow without breaking callers */
    const char *name; /* registered before it runs; copied */
    cop_bytes arg;    /* copied; what init or the function gets. Valid until the process ends */
    bool link;        /* link to the caller, set before it runs */
    cop_ref *monitor; /* monitor from the caller, set before it runs */
    cop_mailbox_opts mailbox;
    size_t stack_size; /* bytes; 0: 256 KiB. Guarded by 64 KiB */
    /* Genservers, agents; 0: none. Past it the process is killed: -ETIMEDOUT */
    cop_time init_timeout;
    bool contain_faults;  /* see cop_contain_faults */
    bool fresh_thread;    /* not from the cache; thread-specific destructors run at its end */
    cop_context *context; /* the context it runs in; NULL: the root context */
    const cop_via *via;   /* instead of a name. Taken: -EEXIST, *out is who has it, and cop_why() is
                             "already_started" */
    /* For people, at most 63 bytes, copied: reports and cop_inspect have it where there is no name. A
     * supervisor's child has its id */
    const char *label;
} cop_start_opts;

/* 0: a normal end; negative: a crash with that code; positive: a crash with -EINVAL. Functions have no
 * names at run time, so there is no initial call; nor is there a group leader, or a label to change. */
typedef int (*cop_process_fn)(cop_bytes arg);

/*
 * Start a process that runs a function; spawn, spawn_link, spawn_monitor.
 *
 * Returns when the process has its thread; the function may not have begun.
 *
 *   out    the new process; NULL: not wanted
 *   opts   NULL: the defaults
 *
 * -EEXIST   the name is taken, or the key of .via
 * -EINVAL   no function, a name that is empty or longer than 63 bytes, a label that is longer, a name
 *           and a .via
 * -EAGAIN   the system's limit of threads is reached; a report names the limit
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_spawn_with(cop_pid *out, cop_process_fn run, const cop_start_opts *opts);
/* cop_spawn(out, run, options...). In two steps, so that no option at all is standard C, too. */
#define cop_spawn(out, ...)       COP_SPAWN_(out, __VA_ARGS__, .size = sizeof(cop_start_opts))
#define COP_SPAWN_(out, run, ...) cop_spawn_with((out), (run), &(cop_start_opts){__VA_ARGS__})

/*
 * The calling process; self(). COP_NOBODY when the calling thread cannot be made a process (see
 * cop_why).
 */
COP_API cop_pid cop_self(void);

/* Whether the process, or the holder of the name, has not ended; Process.alive?. Not an exit point. */
COP_API bool cop_alive(cop_pid pid);

/*
 * End the calling process, from any depth; exit/1. Deferred calls run.
 *
 * In a thread that the library did not start this is the end of the program, with a report and
 * status 1.
 *
 * Threads: any.  Does not return.  Exit point: yes.
 */
COP_API void cop_exit(cop_reason reason) __attribute__((noreturn));

/*
 * Send an exit signal; Process.exit/2.
 *
 * NORMAL is ignored by all but processes that trap exits. SHUTDOWN asks. KILLED cannot be trapped;
 * what the links of the killed process then receive is an ordinary reason. A process that traps
 * exits gets any other reason as COP_MSG_EXIT. Takes effect when the receiver next looks at its
 * mailbox, before messages that wait there. A thread that the library did not start gets every
 * signal as a message.
 *
 * -ESRCH    a name that nobody has (a process that is gone: 0)
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_exit_signal(cop_pid to, cop_reason reason);

/*
 * Run fn(arg) at the end of the current callback, however it ends; in a plain process at the end of
 * the process. Last first. On an exit it runs in place, on top of the frames that are being left,
 * so `arg` may point into them. When a function returns they are gone: take the call back with
 * cop_undefer before returning if it uses the frame.
 *
 * -ENOMEM   nothing was deferred
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_defer(void (*fn)(void *arg), void *arg);

/* The same, at the end of the whole process, after terminate. */
COP_API int cop_at_exit(void (*fn)(void *arg), void *arg);

/*
 * Take back the newest deferred fn(arg), of the callback or of the process.
 *
 *   run   true: run it now
 *
 * -ENOENT   there is none
 */
COP_API int cop_undefer(void (*fn)(void *arg), void *arg, bool run);

/*
 * On: the calling process cannot end here by a signal; it ends at the next exit point after the
 * shield is off. For code that holds a lock or half-built state across a blocking call. cop_exit
 * still ends it. Returns the old setting.
 */
COP_API bool cop_shield(bool on);

/* An exit point that does nothing else: for loops that make no blocking call. Exit point: yes. */
COP_API void cop_checkpoint(void);

/*
 * Before a long wait: give memory back that the calling process's thread has and does not use: the pages
 * of its stack below the calling function, to the system, and its idle messages, to malloc;
 * Process.hibernate, :erlang.hibernate. Nothing is lost, the function returns at once, and what is
 * needed again comes again, at the price of page faults. In a thread that the library did not start:
 * nothing.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_hibernate(void);

/* "Let it crash": the process fails with the condition, file and line. */
#define cop_assert(condition) \
 ((condition)                 \
      ? (void)0               \
      : cop_exit(cop_failed(-ENOTRECOVERABLE, "%s:%d: %s", __FILE__, __LINE__, #condition)))

/*
 * Ask a process to end with `reason` and wait until it has; GenServer.stop, :proc_lib.stop. A
 * genserver handles what is in its mailbox before; a plain process gets an exit signal.
 *
 * A process that is gone already: 0, so twice is safe. All processes are this program's: there are no
 * other nodes.
 *
 *   reason    NORMAL, SHUTDOWN or FAILED
 *
 * -ETIMEDOUT   it has not ended yet; it still may
 * -EDEADLK     it waits, directly or through others, for the caller; or it is the caller
 * -ECANCELED   the context was cancelled, or the caller was asked to stop
 * -EINVAL      a negative timeout
 * a reason's code   it ended with another reason (cop_why)
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_stop_process(cop_pid pid, cop_reason reason, cop_time timeout);

/*
 * Wait until a descriptor is ready; poll(2) for one.
 *
 *   events    POLLIN, POLLOUT; POLLERR and POLLHUP are always waited for
 *
 * Returns 0 when it is ready (or in error, or hung up: the next read or write tells).
 * -ETIMEDOUT, -ECANCELED   as cop_receive; messages do not end the wait
 * -EBADF                   not an open descriptor
 * -EMFILE, -ENFILE         no descriptor is left for the wait itself
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_wait_fd(int fd, int events, cop_time timeout);

/*
 * Containment of faults, for processes that are started from now on (or per process, by
 * .contain_faults). Default off: a fault writes a report and ends the program with a core.
 *
 * On, a synchronous fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL; never SIGABRT) in a user callback, with
 * the program counter in the application's own code, ends that process with COP_FAULTED. Its memory
 * is kept and never reused, its thread is not reused, and the program counts as tainted
 * (cop_tainted). This is a bridge to an orderly restart, not a boundary: what the process shared by
 * pointer is suspect. In libc, in the runtime, in a deferred call, or in a statically linked
 * program, a fault still ends the program.
 */
COP_API void cop_contain_faults(bool on);

/* How many faults were contained since the program began. */
COP_API unsigned cop_tainted(void);

#ifdef __cplusplus
}
#endif
#endif
