/*
 * coppice/supervisor.h - who restarts what: OTP's supervisor, and Elixir's DynamicSupervisor.
 *
 * Children start in order, each when the one before it is up, and stop in reverse, each when the
 * one after it is gone. What ends is restarted as its restart rule and the strategy say, until more
 * than max_restarts happen within max_seconds: then the supervisor stops its children and ends with
 * SHUTDOWN (and the code -ENOTRECOVERABLE, by which it can be told from one that was asked to), and
 * its own supervisor decides; cop_give_up has other ways. Requests, child exits and restarts are
 * handled one at a time, in order of arrival. An attempt to restart that fails counts as a restart,
 * too, and the next one waits behind what has arrived meanwhile.
 *
 * The children of the two dynamic kinds are started by request only, any number of them, are known by
 * their pids, and forgotten when they are not started again. One that ends concerns no other, and when
 * the supervisor ends they are asked to stop all at the same time, each by its own rule.
 *
 * A supervisor traps exits. It ends when its parent does (with .link), when cop_supervisor_stop asks
 * it to, or by itself; exit signals of strangers are ignored, as in OTP, and messages that it does not
 * know are reported and dropped.
 */
#ifndef COPPICE_SUPERVISOR_H
#define COPPICE_SUPERVISOR_H

#include <coppice/agent.h>
#include <coppice/genserver.h>
#include <coppice/process.h>
#include <coppice/statem.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cop_strategy {
    COP_ONE_FOR_ONE,  /* only the one that ended */
    COP_ONE_FOR_ALL,  /* all are stopped and started again */
    COP_REST_FOR_ONE, /* it and those started after it */
    /* the dynamic kinds: */
    COP_SIMPLE_ONE_FOR_ONE, /* instances of one template, the only entry in children */
    COP_DYNAMIC,            /* each with a specification of its own; children is empty */
} cop_strategy;

typedef enum cop_restart {
    COP_RESTART_DEFAULT, /* workers: transient; all others: permanent */
    COP_PERMANENT,       /* always */
    COP_TRANSIENT,       /* after a crash: not after NORMAL or SHUTDOWN */
    COP_TEMPORARY,       /* never; and it is forgotten when it ends */
} cop_restart;

#define COP_BRUTAL_KILL ((cop_time)-1)

typedef enum cop_auto_shutdown {
    COP_NEVER,
    COP_ANY_SIGNIFICANT, /* a significant child that ends by itself ends the supervisor */
    COP_ALL_SIGNIFICANT, /* the last one does */
} cop_auto_shutdown;

/* What a supervisor does when a restart is one too many; it is reported first, whatever it is. */
typedef enum cop_give_up {
    /* OTP's: stop the children and end with SHUTDOWN and -ENOTRECOVERABLE. The supervisor above starts
     * it again if it is permanent, but not if it is transient. */
    COP_GIVE_UP_SHUTDOWN,
    /* The same, but end with FAILED, and a transient one is started again, too. */
    COP_GIVE_UP_CRASH,
    /* Leave that child down, as after a stop, and go on with the others; restart_child starts it again.
     * Not with strategies that restart siblings: those need one another. */
    COP_GIVE_UP_CHILD,
    /* Stop the children, then exit(1), for who watches the program. Other trees are not stopped;
     * atexit's functions run. */
    COP_GIVE_UP_PROGRAM,
} cop_give_up;

typedef struct cop_supervisor_spec cop_supervisor_spec;

/* The one syntax for a child: no maps and tuples, no module lists, no generated child_spec/1. Unknown
 * fields and wrong types are the compiler's. */
typedef struct cop_child_spec {
    /* Unique among its siblings; 1 to 63 bytes. Below COP_DYNAMIC it is for reports only, or NULL. */
    const char *id;
    /* what the child is: exactly one of these */
    const cop_genserver *genserver;
    const cop_statem *statem;
    cop_process_fn worker; /* 0: clean exit; negative: a crash */
    const cop_supervisor_spec *supervisor;
    /*
     * An operating-system process: argv, NULL-terminated; argv[0] is looked up in PATH. It leads a
     * process group of its own; stopping sends SIGTERM to the group, and SIGKILL after the shutdown
     * time. When the leader has ended, so has the child: what is left of the group is killed.
     *
     * Exit status 0 is NORMAL, another is FAILED with it as (positive) code and the text
     * "{exit_status,3}"; an end by a signal is FAILED with 128 plus its number and "{signal,11}", but
     * SHUTDOWN if it was asked to stop and SIGTERM ended it. One that cannot be started is FAILED
     * with the code of execve, such as -ENOENT, each time that it is tried. -ECHILD: the program
     * ignores SIGCHLD, or has reaped a child that is not its own.
     *
     * It inherits standard output and error, the environment and the working directory. Standard
     * input is /dev/null, signals are as in a fresh process, all other descriptors are closed.
     *
     * When the daemon itself is killed with SIGKILL, the kernel kills the command (PR_SET_PDEATHSIG),
     * but not what the command started in its turn, nor a command that the kernel lets change its
     * privileges at exec (set-user-ID, file capabilities). Needs Linux 5.9.
     */
    const char *const *command;
    const struct cop_agent_spec *agent;
    /* A start function of the user's own, run in the supervisor: it starts a process linked to the
     * caller and returns 0 and the pid, or 0 and COP_NOBODY (ignore), or a negative code, with *why
     * as the reason if it sets one. It gets `arg`. The supervisor does nothing else meanwhile, and a
     * cop_exit in it is the supervisor's own end. C has no exceptions: failure is what it returns. */
    int (*start)(cop_pid *out, cop_bytes arg, cop_reason *why);
    /* Copied. A supervisor's follows the arg of its own specification; a command's is further words,
     * each with its terminator. */
    cop_bytes arg;
    const char *name; /* registered, by each incarnation; not with start, which gives its own */
    /* Instead of a name: a key of a registry, taken by each incarnation. Copied, with all that it points
     * to. The registry has to run by then: as a sibling before it, say. */
    const cop_via *via;
    cop_restart restart;
    cop_time shutdown; /* 0: 5 s (a supervisor: for ever); COP_BRUTAL_KILL; COP_FOREVER */
    bool significant;  /* see cop_auto_shutdown; not of a permanent child, nor below COP_DYNAMIC */
    bool supervises;   /* what `start` starts is a supervisor: OTP's type */
    bool contain_faults;
    cop_mailbox_opts mailbox; /* not of a supervisor */
    cop_time init_timeout;
    size_t stack_size;
    void *reserved[4];
} cop_child_spec;

struct cop_supervisor_spec {
    const char *name;
    const cop_via *via; /* instead of a name; as a child's */
    cop_strategy strategy;
    const cop_child_spec *children;
    size_t child_count;
    /* How many restarts within max_seconds are allowed, to 1,000,000. Both 0: 3 in 5 s, as in Elixir
     * (Erlang: 1 in 5 s). 0 with max_seconds set: none, the first failure ends the supervisor. */
    unsigned max_restarts;
    unsigned max_seconds; /* 0 with max_restarts set: 5 */
    cop_auto_shutdown auto_shutdown;
    bool link; /* to the caller */
    void *reserved[4];
    /* Beyond OTP: before each restart a pause, of backoff_min to a ceiling that is twice as long at
     * first and doubles with every restart of that child, up to backoff_max (0: one minute); within
     * that, chance decides. A child that has run for backoff_max starts from the beginning. In the
     * pause it is `restarting`, and its siblings go on. 0 and 0: none. */
    cop_time backoff_min, backoff_max;
    cop_give_up give_up;
    /* Of the dynamic kinds: how many children may be known at a time. 0: no limit; COP_NO_CHILDREN */
    size_t max_children;
    /* Of COP_DYNAMIC: put before the arg of every child, whose own begins right behind it. A multiple
     * of 8 bytes keeps both parts aligned. Copied. */
    cop_bytes extra;
    /*
     * OTP's init: decides in the supervisor itself, at each start and restart of it, what it is to be.
     * It gets a copy of this specification, to change or to fill, and `arg`, followed by the arg of the
     * child specification that the supervisor is started by. NULL: it is what stands here.
     *
     * Name, via and link are settled by then; what init writes there is ignored. What it points to is copied
     * when it has returned, before its deferred calls run: static memory will do, and cop_alloc's, and
     * arg's, but not its own variables.
     *
     * It may block, and nothing else happens in the supervisor meanwhile; a cop_exit in it fails the
     * start.
     *
     * 0           go on
     * COP_IGNORE  do not start: the start gives 0 and COP_NOBODY; as a child, it declines
     * negative    the start fails with it
     * another     the start fails with -EINVAL, "{bad_return_value,2}"
     */
    int (*init)(cop_supervisor_spec *spec, cop_bytes arg);
    cop_bytes arg; /* copied */
};
#define COP_NO_CHILDREN ((size_t)-1)
#define COP_IGNORE      1
#define COP_CHILDREN(...)                           \
 .children = (const cop_child_spec[]){__VA_ARGS__}, \
 .child_count = sizeof((const cop_child_spec[]){__VA_ARGS__}) / sizeof(cop_child_spec)

/*
 * Start a supervisor and its children; Supervisor.start_link (with .link). Returns when the last
 * child is up. What it is to be is settled then: there is no change of code while it runs, so none of
 * its flags and specifications, and no callback module to ask for. Nor does it hibernate.
 *
 * Copies the spec, deeply: children, ids, names, keys, args, commands, nested specs. Only genservers,
 * state machines and functions stay the caller's and must outlive the tree. Nested specs are checked with it:
 * no child of a tree with a mistake in it is started.
 *
 *   out   the supervisor, or COP_NOBODY if its init declined; NULL: not wanted. Registered as
 *         spec->name or under spec->via, if one is set
 *
 * A child that fails to start stops those before it, in reverse, and fails the start with
 * "{shutdown,{failed_to_start_child,Id,Reason}}" in cop_why() and the child's own code.
 *
 * -EINVAL   a spec that is none: cop_why() names the child and the field
 * -EEXIST   the name is taken, or the key of .via; *out is who has it
 * -ESRCH, -EOPNOTSUPP   of .via: the registry is unknown, or a duplicate one
 * -EDEADLK, -ECANCELED, -EAGAIN, -ENOMEM   as cop_genserver_start_with
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_supervisor_start(cop_pid *out, const cop_supervisor_spec *spec);

/*
 * Whether that is a specification, all the way down: supervisor:check_childspecs, without any
 * supervisor. What an init will make of it is not known yet.
 *
 * -EINVAL   it is none: cop_why() names the child and the field
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_supervisor_check(const cop_supervisor_spec *spec);

/*
 * Stop a supervisor with SHUTDOWN; Supervisor.stop. Returns when every child is gone. Twice is safe.
 * Errors as cop_stop_process.
 */
COP_API int cop_supervisor_stop(cop_pid supervisor, cop_time timeout);

/*
 * The requests below are calls to the supervisor: -ESRCH when it is gone, -EPIPE when it ended
 * meanwhile, -EDEADLK from inside a child that it is starting or stopping, -ECANCELED and
 * -ETIMEDOUT when the caller's context ends, -ENOMEM when nothing was asked. They wait without limit
 * otherwise: it answers when the start or stop is done.
 *
 * Threads: any.  They block.  Exit point: yes.
 *
 * After a refusal cop_why() has OTP's word for it: "already_started", "already_present", "running",
 * "restarting", "not_found", "max_children".
 *
 * -EOPNOTSUPP: a supervisor of this strategy has no such request; cop_why() has the strategy, such as
 * "simple_one_for_one".
 */

/*
 * Add a child and start it; Supervisor.start_child, and with COP_DYNAMIC DynamicSupervisor.start_child.
 * The spec is copied, as above. Not of COP_SIMPLE_ONE_FOR_ONE.
 *
 *   out   the new process, or COP_NOBODY if it ignored (with COP_DYNAMIC it is not kept then); NULL:
 *         not wanted
 *
 * -EEXIST     it runs already, or its name is taken (*out is who)
 * -EALREADY   it is known and does not run
 * -EAGAIN     there are max_children: nothing was started. Or threads are lacking, and cop_why() says so
 * -EINVAL     a spec that is none: cop_why() names the field
 * another     its start failed with that; it is not kept. cop_why() is its reason
 */
COP_API int cop_supervisor_start_child(cop_pid supervisor, const cop_child_spec *child,
                                       cop_pid *out);

/*
 * Start an instance of the template; supervisor:start_child with simple_one_for_one, and only there.
 *
 *   arg   put behind the template's arg, at restarts, too. Copied
 *   out   the new process, or COP_NOBODY if it ignored and is not kept; NULL: not wanted
 *
 * Errors as cop_supervisor_start_child.
 */
COP_API int cop_supervisor_start_instance(cop_pid supervisor, cop_bytes arg, cop_pid *out);

/*
 * Stop and forget a child of a dynamic kind, by its shutdown rule; DynamicSupervisor.terminate_child,
 * and supervisor:terminate_child by pid. Between two attempts, when it has none, its last pid stands
 * for it.
 *
 * -ENOENT   it is not, or no longer, a child. As in OTP, COP_SIMPLE_ONE_FOR_ONE says 0 if it is dead
 */
COP_API int cop_supervisor_terminate(cop_pid supervisor, cop_pid child);

/* Of the three static strategies, also the next two: */

/* Stop a child, by its shutdown rule; a temporary one is forgotten. -ENOENT: unknown. Not running: 0.
 * Between two attempts: there will be no more of them. */
COP_API int cop_supervisor_terminate_child(cop_pid supervisor, const char *id);

/* Start a child that does not run. -ENOENT: unknown. -EBUSY: it runs. -EINPROGRESS: it is between two
 * attempts. Another: its start failed with that, and it stays as it is. `out` as above. */
COP_API int cop_supervisor_restart_child(cop_pid supervisor, const char *id, cop_pid *out);

/* Forget a child that does not run. -ENOENT, -EBUSY, -EINPROGRESS as above. */
COP_API int cop_supervisor_delete_child(cop_pid supervisor, const char *id);

typedef struct cop_child_counts {
    size_t specs, active;        /* known; running */
    size_t supervisors, workers; /* of those known, whether they run or not */
} cop_child_counts;

/* Supervisor.count_children. COP_SIMPLE_ONE_FOR_ONE knows one specification, its template. */
COP_API int cop_supervisor_count(cop_pid supervisor, cop_child_counts *out);

typedef struct cop_child_info {
    char id[64]; /* of a dynamic kind's: empty */
    cop_pid pid; /* COP_NOBODY: not running */
    bool is_supervisor;
    bool restarting;
    bool significant;
    cop_restart restart; /* no longer COP_RESTART_DEFAULT */
    cop_time shutdown;   /* no longer 0 */
    size_t restarts;     /* how often the supervisor has restarted it, siblings' sake included */
} cop_child_info;

/*
 * Supervisor.which_children: newest first.
 *
 *   out, capacity   where they go, as many as fit
 *   count           how many there are
 */
COP_API int cop_supervisor_children(cop_pid supervisor, cop_child_info *out, size_t capacity,
                                    size_t *count);

/*
 * One of them, by its id; supervisor:get_childspec. With COP_SIMPLE_ONE_FOR_ONE the template, which
 * never runs. Not of COP_DYNAMIC.
 *
 * -ENOENT   unknown
 */
COP_API int cop_supervisor_child(cop_pid supervisor, const char *id, cop_child_info *out);

/* One of a dynamic kind's that runs, by its pid; supervisor:which_child. -ENOENT: it is none. */
COP_API int cop_supervisor_instance(cop_pid supervisor, cop_pid child, cop_child_info *out);

#ifdef __cplusplus
}
#endif
#endif
