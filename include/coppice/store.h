/*
 * coppice/store.h - what durable promises are kept in: for whoever adds a store, or looks inside of one.
 *
 * Those who write applications want coppice/durable.h. Between the two stands the store's process: it takes
 * whatever its mailbox has, as one batch of operations, has the backend run that as one durable transaction,
 * and only then settles futures and answers. A backend is a few functions that run in that process, one at a
 * time.
 *
 * Time is the store's: the backend decides what is overdue, by the one clock that all who share its data
 * share, and durations only go in and out. In a record, times are that clock's, in milliseconds since 1970.
 *
 * What every backend promises, whatever it stands on:
 *
 *   - each operation is applied as a whole or not at all, those of one id in their order; 0 for a batch means
 *     that all of them survive the end of the program and, as far as the store can tell, of the machine
 *   - nobody sees one before that
 *   - per id there is one transition out of pending, whoever tries, in whatever process
 *   - a promise whose deadline has passed is settled by it, whether anybody has noticed or not: what comes
 *     later finds it rejected, with COP_DURABLE_DEADLINE and -ETIME
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_STORE_H
#define COPPICE_STORE_H

#include <coppice/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ a promise, as it is stored */

typedef enum cop_durable_state {
    COP_DURABLE_PENDING,
    COP_DURABLE_RESOLVED,
    COP_DURABLE_REJECTED,
} cop_durable_state;

typedef enum cop_durable_cause {
    COP_DURABLE_NONE,      /* it is not rejected */
    COP_DURABLE_FAILED,    /* code and text are the application's */
    COP_DURABLE_CANCELLED, /* -ECANCELED */
    COP_DURABLE_DEADLINE,  /* -ETIME: its own deadline passed; settled_ms is the deadline */
    COP_DURABLE_ATTEMPTS,  /* -EOWNERDEAD: so often was it begun, and its worker lost */
} cop_durable_cause;

enum {
    COP_DURABLE_ID_MOST = 255,    /* bytes of an id, a queue or all tags, without the terminator */
    COP_DURABLE_KEY_MOST = 1024,  /* bytes of a key */
    COP_DURABLE_TEXT_MOST = 1024, /* bytes of a rejection's text */
};

/* Who holds a lease: random, drawn anew for each. All zero: nobody. */
typedef struct cop_owner {
    unsigned char bytes[16];
} cop_owner;

typedef struct cop_durable_record {
    const char *id;
    const char *queue; /* "": none */
    const char *tags;  /* words with a space between any two; "": none */
    cop_durable_state state;
    cop_durable_cause cause;
    int code;         /* of a rejection: not 0 */
    const char *text; /* of a rejection; "": none */
    cop_bytes param, value;
    cop_bytes create_key, settle_key; /* of size 0: none */
    int64_t created_ms;
    int64_t settled_ms;  /* 0: it is pending */
    int64_t deadline_ms; /* 0: none */
    /* the lease; a settled promise has none */
    uint64_t epoch; /* grows with each lease, and is never reset; 0: there was none */
    cop_owner owner;
    cop_time lease_left;             /* 0: nobody holds it */
    unsigned attempts, max_attempts; /* 0: any number */
    /* Of a create or a settle: it said the same as one before, and changed nothing */
    bool is_duplicate;
    bool is_overdue; /* a backend's: pending in the data, and the deadline has passed */
    bool is_damaged; /* found beside others: nothing but `id` counts, and users never see it */
    void *held;      /* cop_durable_release's */
    struct cop_durable_record *next; /* of those that an operation has found */
} cop_durable_record;

/* ------------------------------------------------------------------ operations */

/*
 * What can be asked of a store. `result` is 0 or what stands below; of one whose stored record is damaged, or
 * another program's, -EBADMSG, unless it is changed without being looked at:
 *
 *   CREATE    a promise: id, queue, tags, param, key, time (to its deadline; 0: none; negative: that has
 *             passed, and it is created settled), max_attempts, strict. -EEXIST: another has the id. Found,
 *             unless it is new: what is there
 *   GET       id. -ENOENT. Found: it
 *   SETTLE    id, state, cause, code, text, value, key, strict; owner and epoch, if the owner is not zero:
 *             it is settled only while that is the last lease. -ENOENT; -EALREADY: settled otherwise, found;
 *             -ESTALE: another lease came after this one, or it was released. A duplicate is found, too
 *   LIST      pending ones in the order of ids (of bytes), after `id` (NULL: from the first), of that
 *             queue (NULL: any) and with that tag (`tags`, one word; NULL: any), at most `limit`. Overdue
 *             ones are left out. Found: each
 *   ACQUIRE   id, owner, time: a lease of one, whatever its queue. -ENOENT; -EALREADY, found: settled;
 *             -EBUSY, found: another has it, for lease_left. 0, found: epoch, attempts, lease_left. Again with
 *             the owner who has it: the same lease, as long as that, and a duplicate
 *   CLAIM     queue, owner, time, limit: leases of pending ones that nobody has had or that were released,
 *             oldest first. What others are about to take is passed over. Found: each
 *   INHERIT   the same of those whose lease is over, and attempts are left
 *   RENEW     id, owner, epoch, time: the lease ends so much from now, but not after the deadline.
 *             `left`. -ESTALE: it is over, released, or another's; -EALREADY: settled; -ENOENT
 *   RELEASE   id, owner, epoch: the lease ends, and it was no attempt. -ESTALE, -EALREADY, -ENOENT. Twice is a
 *             duplicate
 *   EXPIRE    settle what is overdue, and, with COP_DURABLE_ATTEMPTS, what has lost its last
 *             lease; at most `limit`. Found: each. `left`: until there is more to do; COP_FOREVER: nothing
 *             is waited for
 *   PRUNE     forget what was settled longer than `time` ago, at most `limit`. `count`: so many
 *
 * A lease that is over still counts until somebody else takes the promise: who was late and was not
 * missed may settle.
 */
typedef enum cop_store_kind {
    COP_STORE_CREATE,
    COP_STORE_GET,
    COP_STORE_SETTLE,
    COP_STORE_LIST,
    COP_STORE_ACQUIRE,
    COP_STORE_CLAIM,
    COP_STORE_INHERIT,
    COP_STORE_RENEW,
    COP_STORE_RELEASE,
    COP_STORE_EXPIRE,
    COP_STORE_PRUNE,
} cop_store_kind;

typedef struct cop_store_op {
    cop_store_kind kind;
    /* What is asked. A backend changes none of it. Strings that are not given are NULL. */
    const char *id, *queue, *tags;
    cop_durable_state state;
    cop_durable_cause cause;
    int code;
    const char *text;
    cop_bytes param, value, key;
    cop_time time;
    uint64_t epoch;
    cop_owner owner;
    unsigned max_attempts;
    size_t limit;
    bool strict;
    /* What has come of it: the backend's, all zero before */
    int result;
    bool is_duplicate;
    size_t count; /* how many were found, or forgotten */
    cop_time left;
    cop_durable_record *first, *last; /* what was found; by cop_store_found only */
} cop_store_op;

/* Whether it can change something. */
static inline bool
cop_store_writes(const cop_store_op *op)
{
    return op->kind != COP_STORE_GET && op->kind != COP_STORE_LIST;
}

/* Whether it is about one promise: the one that its id names. */
static inline bool
cop_store_is_of_one(const cop_store_op *op)
{
    switch (op->kind) {
    case COP_STORE_CREATE:
    case COP_STORE_GET:
    case COP_STORE_SETTLE:
    case COP_STORE_ACQUIRE:
    case COP_STORE_RENEW:
    case COP_STORE_RELEASE:
        return true;
    case COP_STORE_LIST:
    case COP_STORE_CLAIM:
    case COP_STORE_INHERIT:
    case COP_STORE_EXPIRE:
    case COP_STORE_PRUNE:
        break;
    }
    return false;
}

/* ------------------------------------------------------------------ backends */

typedef struct cop_store_opts cop_store_opts;

typedef struct cop_store_backend {
    const char *name; /* for people: "sqlite" */
    size_t state_size;
    /*
     * Open the data, and bring an older schema up to date. `state` is zeroed. On an error it is not closed:
     * nothing is left open. It may wait, as run; when the process ends in there, close finds the state as it is
     * then.
     *
     *   why   for the text, if there is more to say than the code
     *
     * -EPROTO   the data is of a newer schema, or another's
     * -EIO      it is damaged
     * others    what the system says
     */
    int (*open)(void *state, const cop_store_opts *opts, cop_reason *why);
    void (*close)(void *state);
    /*
     * Run a batch, and make it durable by as few syncs as can be. Fills in each operation's result, which is
     * its own: one that is refused harms no other. Does not return before the batch is durable. One without
     * operations that write (cop_store_writes) need not be a transaction that writes.
     *
     * It may wait by cop_wait_fd or cop_receive_match; that is an exit point, so what it holds is in `state`.
     *
     * An error is the whole batch's, and what the operations say does not count:
     *
     * -EIO         the disk's: the store is closed to writes, and opened anew
     * -EREMOTEIO   sent, and no answer: it may have been applied, or not
     * others       not applied
     *
     * After all but the first the store goes on; what is lost, such as a connection, run() finds again by
     * itself.
     */
    int (*run)(void *state, cop_store_op *const ops[], size_t count, cop_reason *why);
    /* After the answers to a batch were sent: what takes its time, such as moving a log into its place. Errors
     * as run's. NULL: nothing. */
    int (*tidy)(void *state, cop_reason *why);
    /*
     * A descriptor that becomes readable when others may have changed something; or -1. It is watched
     * while there are futures to be settled. NULL: there is none.
     */
    int (*descriptor)(void *state);
    /*
     * Whether others have changed anything since the last time, as far as it is known. Called when the
     * descriptor is readable, from which it takes what is there, and every `poll`. NULL: then what is awaited
     * is read again at every poll.
     */
    bool (*changed)(void *state);
    cop_time poll; /* 0: nobody else changes anything */
    void *reserved[4];
} cop_store_backend;

/*
 * For a backend's run(): the operation has found this. Everything is copied. A record that is overdue is made
 * what it is then: rejected. A backend need not look at what it has read: what cannot be a promise, such as one
 * in no state that there is, or with a key that is too long, becomes the result -EBADMSG of an operation about
 * one, and is found as damaged by one about many.
 *
 * -ENOMEM   the batch fails with it
 *
 * Threads: the store's process.  Does not block.  Exit point: no.
 */
COP_API int cop_store_found(cop_store_op *op, const cop_durable_record *record);

/*
 * For a backend's run(): judge an operation that its statement has not applied, by what is stored now. Sets
 * result and is_duplicate, and finds the record, as the rules above have it; this is where they are written
 * down.
 *
 *   record   what is stored under the id; NULL: nothing
 *   op       CREATE that found the id taken; SETTLE, ACQUIRE, RENEW and RELEASE that have changed nothing; GET
 *
 * -ENOMEM   the batch fails with it
 *
 * Threads: the store's process.  Does not block.  Exit point: no.
 */
COP_API int cop_store_judge(cop_store_op *op, const cop_durable_record *record);

/*
 * A duration in milliseconds, rounded up: as deadlines and leases are kept.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int64_t cop_store_ms(cop_time time);

/*
 * For a backend's run(): forget what an operation has found and said, before it is run again.
 *
 * Threads: the store's process.  Does not block.  Exit point: no.
 */
COP_API void cop_store_forget(cop_store_op *op);

/*
 * Tell a store's process that something may have changed: for a listener of a backend's own.
 *
 *   id   what; NULL: anything, and all that is awaited is read again
 *
 * Errors as cop_send. Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_store_hint(cop_pid store, const char *id);

/* ------------------------------------------------------------------ a store's process */

struct cop_store_opts {
    size_t size;                      /* set by the macros */
    const char *name;                 /* under which it is registered; NULL: none */
    const cop_store_backend *backend; /* NULL: in memory, and gone with the process */
    const void *at;                   /* the backend's own: where */
    cop_time keep_settled;            /* settled promises are forgotten so long after; 0: never */
    size_t value_most;                /* bytes of a value, or a param; 0: 16 MiB */
    /* The wall clock, in milliseconds since 1970, of stores that have no server: for tests. NULL: the system's */
    int64_t (*clock)(void *env);
    void *clock_env;
    /* After a failed sync it is opened anew: at first so much later, then after twice as long, up to a
     * minute. 0: 100 ms; COP_FOREVER: only by cop_store_reopen */
    cop_time reopen_after;
    /* For tests: told of each step, in the store's process, at the point where a kill would come between it
     * and the next: "begin", "ran", "committed", "published", "answered"; "pause", "checkpoint", "migrate". It
     * may block. */
    void (*trace)(const char *step, void *env);
    void *trace_env;
    bool link; /* of cop_store_start: to the caller */
    void *reserved[4];
};

#ifdef __cplusplus
}
#endif
#endif
