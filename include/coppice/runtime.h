/*
 * coppice/runtime.h - the library as a whole: its settings, its events, its end.
 *
 * Nothing of the library starts a thread or touches the program before its first call.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_RUNTIME_H
#define COPPICE_RUNTIME_H

#include <coppice/log.h>
#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cop_event_kind {
    COP_EVENT_START,            /* a process is about to run */
    COP_EVENT_EXIT,             /* a process ended; its links and monitors do not know yet */
    COP_EVENT_CHILD_TERMINATED, /* and on: a supervisor's reports, with OTP's contexts */
    COP_EVENT_START_ERROR,
    COP_EVENT_SHUTDOWN_ERROR,
    COP_EVENT_GAVE_UP,
    COP_EVENT_UNEXPECTED_MESSAGE,
} cop_event_kind;

/* A report is an event with fields. OTP's layouts of report texts, with their limits of depth and length,
 * are for Erlang's terms; there is nothing here to format. */
typedef struct cop_event {
    cop_event_kind kind;
    cop_pid pid, supervisor;
    const char *child; /* its id; NULL: none. Valid during the call */
    cop_reason reason;
    /* COP_EVENT_SHUTDOWN_ERROR, when a simple_one_for_one supervisor ends: so many of its children
     * ended for this reason; pid is COP_NOBODY. Else 0. */
    size_t count;
} cop_event;

typedef struct cop_config {
    size_t size;            /* sizeof(cop_config) */
    unsigned max_processes; /* 0: what the system allows, to 1,000,000 */
    unsigned max_disowned;  /* 0: 8. One more ends the program with status 70 */
    cop_time kill_grace;    /* between a kill and the disowning; 0: 2 s */
    int interrupt_signal;   /* 0: SIGURG */
    /* 0: COP_LOG_INFO. The environment goes before these three: see log.h */
    cop_log_level log_level;
    bool log_json;
    unsigned log_limit;     /* lines of one kind in five seconds; 0: 100; COP_LOG_NO_LIMIT */
    bool no_fault_handlers; /* leave SIGSEGV and its like alone: no report, no containment */
    /*
     * Sees, at once and in order, every start, exit and supervisor report, on the thread where it
     * happens. It must not call the library, but for cop_now, and should be quick.
     */
    void (*observe)(const cop_event *event, void *env);
    void *observe_env;
    /* Where the flight recorder's file is to be: coppice/recorder.h; NULL: none */
    const char *recorder;
    unsigned recorder_rings;   /* so many processes are in it; 0: 1,024 */
    unsigned recorder_records; /* so many records of each, rounded up to a power of 2; 0: 64 */
    /*
     * A thread that has nothing to do sleeps at once. Otherwise it looks about while a core is free, for at
     * most 20 us, or 100 where a process is to begin or to end, and lets others that are ready go first, as
     * long as that saves wake-ups, which cost more. On two cores, while threads wake one another in a chain,
     * up to three that have nothing to do go on letting others go first for as long as the chain lasts. For a
     * battery, or a quota of processor time.
     */
    bool no_busy_waiting;
} cop_config;

/*
 * Set what the library goes by. Before the first process starts.
 *
 *   config   NULL: the defaults, but for what the environment says
 *
 * -EBUSY    the library is in use, or another program has the recorder's file
 * -EINVAL   a value out of range, or a recorder's path that is no plain file
 * -ENOSPC, -EFBIG, -EACCES, -ENOENT and so on   the recorder's file cannot be made. On any error nothing
 *           has changed.
 */
COP_API int cop_configure(const cop_config *config);

/*
 * End everything that the library started, and join its threads: supervisors first, in their order,
 * then the rest. Afterwards the library may be used again.
 *
 *   timeout   for the orderly part; what has not ended by then is killed
 *
 * -ETIMEDOUT   something had to be killed (all the same it is gone, or disowned)
 * -EDEADLK     called from a process that the library started
 * -EPERM       in the child of a fork
 *
 * Threads: those that the library did not start.  Blocks.  Exit point: no.
 */
COP_API int cop_shutdown(cop_time timeout);

/* Give caches back: idle threads, and pooled messages that nobody uses. */
COP_API void cop_trim(void);

/* How many threads had to be disowned and have not ended since. */
COP_API unsigned cop_disowned(void);

#ifdef __cplusplus
}
#endif
#endif
