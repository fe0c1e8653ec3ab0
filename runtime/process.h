/*
 * runtime/process.h - what a process is, and its life: spawned, run, ended.
 *
 * Room: runtime/. Every file of the runtime shares the record; who may touch which field stands in it.
 * Touch freely: cold fields. Ask first: the order in which a process ends (process.c).
 *
 * Lock order: none of the runtime's locks is held while another is taken, but that timer.c has two of its
 * own, that ladder.c arms a timer and interrupts a thread under a record's lock, that interval.c sends a
 * message under its own, that whoever holds context.c's or a record's may unpark, and that slab.c's is taken
 * under any, by whoever makes a message. Above them all are two of actors/: the lock of a registry's
 * partition, under which messages are posted, and that of a pipeline, whose holder may unpark. No lock is
 * held while user code runs (the observer of cop_config apart, which must not call back), a message is freed,
 * or a thread is started.
 */
#ifndef COPI_RUNTIME_PROCESS_H
#define COPI_RUNTIME_PROCESS_H

#include "runtime/defer.h"
#include "runtime/mailbox.h"
#include "runtime/thread.h"

#include <coppice/context.h>
#include <coppice/message.h>
#include <coppice/process.h>
#include <coppice/reason.h>

struct copi_process;
struct copi_watch;
struct copi_timer;
struct copi_belonging;
struct copi_memory;
struct copi_dictionary;
struct copi_trace;
struct copi_entered;

/* A FIFO of messages that its owner has taken in. */
struct copi_list {
    struct copi_message *first, **end;
    size_t count;
};

/* What runs in a process. */
struct copi_behaviour {
    const char *kind; /* "process", "genserver": for reports */
    cop_reason (*run)(struct copi_process *self);
    /* After `run` was left by the process's own cop_exit: may replace the reason. NULL: nothing. */
    void (*finish)(struct copi_process *self, cop_reason *reason);
    /* It has ended, and no pid finds it; before links and monitors are told. By its own thread, or by
     * who disowns it: then `was_disowned`, and its thread may still be in `run`. NULL: nothing. */
    void (*ended)(struct copi_process *process, const cop_reason *reason, bool was_disowned);
    /* It waits in the library (begins), or does so no longer. NULL: nothing. */
    void (*waits)(struct copi_process *self, bool begins);
    bool is_server; /* takes requests and casts */
    bool collects;  /* receives answers as messages, to requests that others have sent for it */
};

/* Of a function that holds a reason and is rarely called: inlined, its frame would lie below every callback
 * and every wait, and take each idle process a page of its stack. */
#define COPI_COLD __attribute__((cold, noinline))

enum {
    COPI_LABEL_ITSELF = 64 /* with its terminator; what reports show is longer: inspect.h */
};

/* Where it stands in a tree, for cop_inspect: written by its supervisor. */
struct copi_position {
    cop_pid supervisor; /* COP_NOBODY: it has none */
    char id[COPI_LABEL_ITSELF];
    uint64_t number;
    size_t restarts;
};

/* What people see of it. Guarded by its `lock`. In memory like that of copi_reasons, below: many have neither. */
struct copi_title {
    char label
        [COPI_LABEL_ITSELF]; /* constant while it lives, and terminated always: fault.c peeks */
    struct copi_position position; /* among a supervisor's children */
};

enum copi_life {
    COPI_FREE,
    COPI_ALIVE,
    COPI_ENDED,    /* by its own thread, which is on its way out */
    COPI_DISOWNED, /* by another; its thread is still somewhere */
};

enum copi_pending {
    COPI_NONE,
    COPI_ASKED,     /* to stop: blocking calls return -ECANCELED */
    COPI_EXITING,   /* by an exit signal: at the next exit point */
    COPI_KILLED_BY, /* the same, and it cannot be refused */
};

/*
 * A reason has room for a text, and most processes never have one. So these are not in the record but in
 * memory of the system's that costs nothing before it is written: a process that only runs does not.
 * Owner thread only.
 */
struct copi_reasons {
    cop_reason why; /* cop_why(); COP_REASON_NORMAL in a record that is free */
    /* written before they are read, in each process anew */
    cop_reason pending; /* goes with `pending` */
    cop_reason end;     /* why it ends */
    cop_reason step;    /* cop_stop's */
    struct copi_recorded {
        uint64_t in_hand,
            began;     /* the record of what it has in hand, plus 1, and when; 0: nothing */
        uint64_t idle; /* how many records there were when it last found nothing to do */
        int32_t verdict;
        uint32_t
            wait_in; /* of the last wait, if it is the last record: its number plus 1, and so on */
        uint64_t wait, wait_began;
        cop_pid wait_for;
    } recorded; /* recorder.c's; written before it is read in each process that is recorded */
};

struct copi_process {
    /* --- any thread, atomic: what senders write. Each send takes this line away from its owner, who must
     * therefore need nothing of it while he has messages: reading one field here for each of them made
     * a cast 15 ns dearer for him, and as much for the sender. Nor does a sender read anything here before he
     * sends: who waits for a message looks here all the time, and the line would come twice */
    _Alignas(64) struct copi_mailbox mailbox;
    struct copi_parker parker;
    copi_atomic64 counted; /* application messages in a bounded mailbox: see send.c */

    /* --- any thread, atomic: written when it asks, and by whoever answers. Not where it looks for the
     * answer, so that who is about to answer can have the line by then. With it, what is rarely written */
    _Alignas(64) copi_atomic64
        waits_for; /* the reference it waits under, which names the other; 0: nobody */
    copi_atomic64 waits_for_pid; /* by the owner */
    copi_atomic64 noticed;       /* the reference under which notices are waited for: notice.c */
    copi_atomic64 longest;       /* mailbox that was reported */
    copi_atomic64 asked_to_end;  /* the pid of the tenant that cop_shutdown has asked */

    /* --- any thread, atomic: read for each message and seldom written. News that is not in the mailbox,
     * and what a sender has to know */
    _Alignas(64) copi_atomic64 id; /* its pid; 0: nobody lives here */
    uint32_t limit; /* 0: unbounded. Written before the id; the owner has evicts_at */
    uint32_t when_full;
    copi_atomic32 signals; /* signals are in the mailbox: take in before the next message */
    copi_atomic32 blocked_senders;
    copi_atomic32 life;               /* enum copi_life */
    copi_atomic32 traps, uncancelled; /* set by the owner; the ladder looks */
    copi_atomic32 generation;         /* written before the id */
    uint32_t index;                   /* of the slot: constant */
    copi_atomic32 nature;             /* COPI_IS_FOREIGN and so on; written before the id */
    cop_pid pid; /* its own, also when nobody finds it any more; written before the id */
    struct copi_reasons *reasons; /* of the slot, constant */
    struct copi_title *title;     /* the same */

    /* --- any thread, atomic; written before the id, but for the last */
    copi_atomic64 parent;     /* the pid of who started it, if linked */
    copi_atomic64 started;    /* when */
    copi_atomic_ptr strategy; /* a supervisor's, in words; NULL: it is none. Written by the owner */

    /* --- read by anybody, written under signal.c's lock: cop_inspect */
    copi_atomic32 links, monitors, monitored_by;

    /* --- written by the owner, read by anybody: cop_inspect */
    copi_atomic32 is_suspended;
    copi_atomic_ptr callback, waits_in; /* words; NULL: in none */
    copi_atomic64 since, dated;         /* and what `handled` was when that was written */
    copi_atomic64 handled, inside, inside_since, owned_bytes, dropped;
    copi_atomic_ptr ring; /* of the flight recorder; NULL: it is not recorded */

    /* --- owner thread only */
    struct copi_list inbox;        /* taken in, not yet received */
    struct copi_message *received; /* cop_receive's, until the next one */
    struct copi_message *current;  /* the callback's */
    struct copi_list_head {
        struct copi_message *first, *last;
    } deferred_requests;           /* whose callbacks have returned without an answer */
    cop_ref awaited;               /* the reference whose answer is wanted */
    struct copi_message *answer;   /* it */
    struct copi_list notices;      /* those that have come */
    struct copi_message *outgoing; /* waits for room in a mailbox */
    uint64_t next_ref, last_ref;   /* a block of references */
    unsigned pace, patience;       /* how long messages are let gather, and when next: inbox.c */
    unsigned not_dated;            /* so many of its next callbacks: copi_callback_next */
    uint32_t evicts_at;            /* its limit, if it drops the oldest; 0: it does not */
    enum copi_pending pending;
    bool has_gathered;
    bool is_waiter; /* in its context's list of those who wait */
    bool shielded, contained, in_user_code, left_by_exit, finished, declined;
    bool quiet;       /* its failure is told to who asked for it: no report of a crash */
    bool awaits_down; /* of a monitor, and not an answer */
    unsigned held;    /* > 0: inside a deferred call, terminate, a drop function, a predicate */
    struct copi_jump *jump;
    struct copi_trace *trace; /* where it left, of one that is to be reported; NULL: not known */
    struct copi_defers callback_defers, process_defers;
    struct copi_block {
        void *start; /* NULL: none */
        size_t size;
    } first_owned;              /* most have no other: their state */
    struct copi_memory *memory; /* the others that it owns */
    struct copi_dictionary *dictionary;
    cop_context *context;
    struct copi_entered *entered;
    void *state;                     /* of the behaviour */
    struct copi_message *held_reply; /* cop_reply_stop's */
    cop_pid held_reply_to;           /* its reference is in the message */
    struct copi_message *token;      /* cop_ok_continue's */
    struct copi_shown {
        void *data;
        size_t size;
        bool hidden;
        const char *type, *state_name; /* a state machine's; NULL: none */
        size_t postponed;              /* its events, when it ends */
    } shown;                           /* what is seen of a server from outside */
    struct copi_debug *debug;          /* who watches its messages; NULL: nobody */
    struct copi_in_hand {
        cop_pid from; /* COP_NOBODY: nobody */
        uint32_t tag;
        bool is_known;
    } in_hand; /* what it was handling when it decided to end */

    /* --- written before the id, constant while it lives, but for copi_process_become: the owner
     * writes under `lock`, and others read under it */
    const struct copi_behaviour *behaviour;
    const void *what; /* the behaviour's: a function, a cop_genserver */

    /* --- written before the id, constant while it lives */
    cop_bytes arg;
    void *arg_copy;
    struct copi_job job;
    bool contain_faults, is_nameless; /* nameless: it was started with neither a name nor a label */

    /* --- guarded by `lock` */
    copi_lock lock;
    struct copi_thread *thread;       /* while it runs on one of ours */
    struct copi_message *started_ack; /* tells the starter; NULL: told, or nobody waits */
    cop_pid starter;
    unsigned stop_phase; /* ladder.c's */
    cop_time stop_deadline, stop_step;
    struct copi_process *blocked;      /* senders that wait for room: send.c's */
    struct copi_belonging *belongings; /* what ends with it */

    /* --- guarded by the lock of whom it wants to send to */
    struct copi_process *next_blocked;

    /* --- guarded by signal.c's lock */
    struct copi_watch *watchers, *watching;
    bool telling, buried; /* its watchers are being told; have been: who comes now finds nobody */

    /* --- guarded by name.c's lock */
    struct copi_name *name;

    /* --- guarded by timer.c's lock */
    struct copi_timer *timers; /* addressed to it */

    /* --- guarded by context.c's lock */
    struct copi_process *next_waiter, **waiter_link; /* if is_waiter */

    /* --- guarded by table.c's lock */
    uint32_t next_free;
};

enum {
    COPI_IS_FOREIGN = 1,
    COPI_IS_SERVER = 2,
    COPI_COLLECTS_ANSWERS = 4,
};

static inline bool
copi_is(const struct copi_process *process, uint32_t nature)
{
    return (copi_load_relaxed_32(&process->nature) & nature) != 0;
}

static inline cop_pid
copi_parent(const struct copi_process *process)
{
    return (cop_pid){copi_load_relaxed_64(&process->parent)};
}

static inline cop_pid
copi_pid(const struct copi_process *process)
{
    return (cop_pid){copi_load_relaxed_64(&process->id)};
}

/*
 * The calling process. Adopts the thread if it must.
 *
 * -EPERM in the child of a fork; -ECANCELED when it is disowned; -EAGAIN, -ENOMEM: no place for it.
 */
int copi_enter_slow(struct copi_process **out);
static inline int
copi_enter(struct copi_process **out)
{
    struct copi_process *self = copi_here.process;
    if (self && copi_load_relaxed_32(&self->life) == COPI_ALIVE) {
        *out = self;
        return 0;
    }
    return copi_enter_slow(out);
}

/* The same at an exit point: a disowned process ends here. */
int copi_enter_exit_point(struct copi_process **out);

/* Note why a call fails, and return its code. */
int copi_fail(int code);
int copi_fail_why(const cop_reason *why, int code);

/* A fresh reference that names `target` (a table index), for messages to come back under. */
cop_ref copi_make_ref(struct copi_process *self, uint32_t target);
enum {
    COPI_REF_SEQUENCE_BITS = 44
};
static inline uint32_t
copi_ref_target(cop_ref ref)
{
    return (uint32_t)(ref.id >> COPI_REF_SEQUENCE_BITS);
}

/* The options as this library knows them: the caller may be compiled against an older, shorter struct.
 * NULL: the defaults. */
cop_start_opts copi_start_opts(const cop_start_opts *given);

struct copi_spawn {
    const struct copi_behaviour *behaviour;
    const void *what;
    const cop_start_opts *opts;
    size_t state_size; /* of its `state`, which it owns, zeroed; 0: it has none yet */
    bool acknowledged; /* the caller waits for copi_started() or the end */
};

/*
 * Start a process. With `acknowledged`, *ref is the reference of the answer: a COPI_REPLY whose body
 * is struct copi_started, from copi_acknowledge or from its end.
 *
 * A library thread may start one, too, that it neither links to, nor monitors, nor waits for.
 *
 * Errors as cop_spawn_with.
 */
int copi_spawn(cop_pid *out, cop_ref *ref, const struct copi_spawn *spawn);

/* The body of an acknowledgement. code 0: it is up; COPI_DECLINED: it does not want to, and has ended;
 * else an error. */
struct copi_started {
    int code;
    cop_reason reason;
};

enum {
    COPI_DECLINED = 1
};

/*
 * The calling process, a plain one, runs another behaviour from now on. What it has deferred stays
 * until its end. -EPERM: it is not plain; -ENOMEM. Then nothing has changed.
 */
int copi_process_become(struct copi_process *self, const struct copi_behaviour *behaviour,
                        const void *what);

/* Tell whoever waits for the start; once. */
void copi_acknowledge(struct copi_process *self, int code, const cop_reason *reason);

/* Before it first sleeps, if copi_here.is_nameless: from here on its thread shows what it is called. */
void copi_process_show_name(struct copi_process *self);

/* The thread of an adopted process ends. */
void copi_process_foreign_ended(struct copi_process *self);

/* End `process` from outside: its thread will not. How many are disowned now; 0: it has ended by itself. Only
 * ladder.c. */
unsigned copi_process_disown(struct copi_process *process, cop_pid pid);

/* In a callback of the user's from here to copi_callback_end: for cop_inspect and for containment. */
static inline void
copi_callback_show(struct copi_process *self, const char *name)
{
    union {
        const char *in;
        void *out;
    } text = {.in = name};
    copi_store_relaxed_ptr(&self->callback, text.out);
    self->in_user_code = name != NULL;
}

static inline void
copi_callback_date(struct copi_process *self, uint64_t now)
{
    copi_store_relaxed_64(&self->since, now);
    copi_store_relaxed_64(&self->dated, copi_load_relaxed_64(&self->handled));
}

static inline void
copi_callback_begin(struct copi_process *self, const char *name)
{
    copi_callback_date(self, (uint64_t)copi_clock_coarse());
    copi_callback_show(self, name);
}

/*
 * The same for one of many messages that a server has taken in together. To ask what time it is costs as much
 * as to send a small message. So where the clock has stood still since it was asked last, because callbacks
 * are quick, the next few are not dated, and count as begun when that one did; but the first after each
 * taking is. Of slow callbacks behind quick ones the first few are so shown as longer, by those before them.
 * `since` is never later than it should be, and it is this callback's if nothing has been handled since it was
 * written. Where it is not, whoever must be sure looks twice (watchdog.c).
 */
static inline void
copi_callback_next(struct copi_process *self, const char *name)
{
    enum {
        NOT_DATED = 7
    };
    if (self->not_dated > 0) {
        self->not_dated--;
    } else {
        uint64_t now = (uint64_t)copi_clock_coarse();
        self->not_dated = now == copi_load_relaxed_64(&self->since) ? NOT_DATED : 0;
        copi_callback_date(self, now);
    }
    copi_callback_show(self, name);
}

static inline void
copi_callback_end(struct copi_process *self)
{
    copi_store_relaxed_ptr(&self->callback, NULL);
    self->in_user_code = false;
}

/* It ends in the callback of its current message, if it has one: for the report, which comes when the
 * message has gone. */
void copi_note_in_hand(struct copi_process *self);

/* A callback is over: its deferred calls run, its message goes. */
void copi_callback_over_slow(struct copi_process *self);
static inline void
copi_callback_over(struct copi_process *self)
{
    struct copi_message *message = self->current;
    if (!message || message->kind == COPI_CALL || self->callback_defers.count > 0) {
        copi_callback_over_slow(self);
    } else {
        self->current = NULL;
        copi_message_free(message);
    }
}

/* Run a user's function inside which the process does not end: a cop_exit in it comes later. */
void copi_run_held(struct copi_process *self, void (*fn)(void *arg), void *arg);

/* The same, but a cop_exit in it ends fn alone: false, and *reason is what it left with. */
bool copi_run_caught(struct copi_process *self, void (*fn)(void *arg), void *arg,
                     cop_reason *reason);

#endif
