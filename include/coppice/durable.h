/*
 * coppice/durable.h - durable promises: they outlive the program, and each is settled once.
 *
 * A durable promise has an id of the application's own, and is kept in a store. Whoever has the id, in this
 * process or another, before a crash or after it, finds it pending, resolved with bytes, or rejected with a
 * code and a text. A transition is on the disk before anybody can see it.
 *
 *     cop_supervisor_start(NULL, &(cop_supervisor_spec){COP_CHILDREN(
 *         cop_sqlite_spec("orders.db", .name = "orders"))});              coppice-sqlite.h
 *     cop_pid orders = cop_named("orders");
 *     cop_durable_create(orders, "order-17", .param = COP_STR("3 apples"));
 *     cop_durable_resolve(orders, "order-17", COP_STR("shipped"));
 *
 *     cop_future *shipped;                                                 here, or after a crash
 *     cop_durable_recover(orders, "order-17", &shipped, COP_SEC(5));
 *
 * Every call may be repeated, after a lost answer or a crash, and it changes nothing a second time. Two calls
 * say the same when both have a key and the keys are equal, or neither has and what they say is equal: of a
 * create param, queue, tags, deadline and max_attempts, of a settle state, code, text and bytes. What says the
 * same as one before is a duplicate, and succeeds; what says otherwise is refused:
 *
 *                    create              resolve, reject, cancel
 *     unknown        created             -ENOENT
 *     pending        0 or -EEXIST        settled
 *     settled        0 or -EEXIST        0 or -EALREADY; -EALREADY always, if its deadline has passed
 *
 * What is guaranteed is one transition, and not one computation: somebody who was slow may compute what
 * another has settled meanwhile. His settle is refused, and says what has won.
 *
 * The functions that ask a store wait for its process, without limit unless a timeout says so, and are exit
 * points; any thread may call them. What they point to is copied. Each of them may fail with:
 *
 * -ESRCH      the store is gone, or never was: not applied
 * -EREMOTEIO  it ended, or lost its server, with this in its hands: it may have been applied, or not. Or it was, and
 *             .record could not be read
 * -EIO        this was in a batch whose sync failed: nobody has seen it, and whether it is on the disk is found
 *             out when that is opened anew
 * -EROFS      the store is closed to writes since a sync failed: not applied
 * -EBADMSG    what is stored under this id is damaged, or another program's: not applied. Other promises are
 *             not harmed
 * -ENOSPC, -EBUSY, -ENOMEM   not applied
 * -EMSGSIZE   a value or a param is longer than the store takes, a key or text than any does: not applied
 * -EINVAL     an id, a queue or tags that are none: too long, empty, no UTF-8
 * -EAGAIN     its mailbox is full: not applied
 * -ETIMEDOUT, -ECANCELED   as cop_await: it may still be applied
 *
 * After -EREMOTEIO, -EIO and an end of time the answer is to repeat the same call.
 */
#ifndef COPPICE_DURABLE_H
#define COPPICE_DURABLE_H

#include <coppice/future.h>
#include <coppice/store.h>
#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ a store */

/*
 * A store as a child of a supervisor, permanent. cop_store_spec(id, options...)
 *
 *   id     NULL: its name, or, without one, its backend's
 *   opts   NULL: the defaults, in memory
 *
 * The options themselves are copied when the supervisor starts; until then they are in the calling block.
 * What they point to must be there for as long as the tree is. Of a backend with a library of its own there
 * is a function that is more to the point, such as cop_sqlite_spec.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_child_spec cop_store_spec_with(const char *id, const cop_store_opts *opts);
#define cop_store_spec(...)      COP_STORE_SPEC_(__VA_ARGS__, .size = sizeof(cop_store_opts))
#define COP_STORE_SPEC_(id, ...) cop_store_spec_with((id), &(cop_store_opts){__VA_ARGS__})

/*
 * Start one without a supervisor. cop_store_start(out, options...). It is closed by cop_stop_process, when what
 * is in its mailbox is done.
 *
 *   out    NULL: not wanted
 *   opts   NULL: the defaults, in memory
 *
 * -EINVAL   options that are none
 * -EEXIST   the name is taken; *out is who has it
 * -EPROTO   the data is of a newer schema, or somebody else's
 * -EIO      it is damaged
 * others    what the system says; cop_why() says more
 *
 * Threads: any.  Blocks until it is open.  Exit point: yes.
 */
COP_API int cop_store_start_with(cop_pid *out, const cop_store_opts *opts);
#define cop_store_start(...)       COP_STORE_START_(__VA_ARGS__, .size = sizeof(cop_store_opts))
#define COP_STORE_START_(out, ...) cop_store_start_with((out), &(cop_store_opts){__VA_ARGS__})

/*
 * Open the data of a store that is closed to writes (-EROFS) anew, now. 0: it is open; else as cop_store_start,
 * or as cop_call.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_store_reopen(cop_pid store, cop_time timeout);

/* ------------------------------------------------------------------ creating */

typedef struct cop_durable_opts {
    size_t size;       /* set by the macros */
    cop_bytes param;   /* copied: what is needed to do it again after a crash */
    const char *queue; /* by which workers find it */
    const char *tags;  /* words with a space between any two, by which it is found */
    /* Then it is rejected with -ETIME; 0: never; negative: at once. Kept in milliseconds, rounded up. */
    cop_time expires_in;
    cop_bytes key; /* of size 0: none */
    bool strict;   /* a promise that is settled is no duplicate: -EEXIST */
    /* Leases that may be lost; one more: rejected with -EOWNERDEAD. 0: any number */
    unsigned max_attempts;
    /* What is stored now, for the caller to release; NULL: not wanted */
    cop_durable_record *record;
    cop_time timeout; /* for the answer; 0: COP_FOREVER */
    const char *file; /* where, for coppice/track.h; set by the macros */
    int line;
} cop_durable_opts;

/*
 * Create a promise. cop_durable_create(store, id, options...)
 *
 *   id     1 to COP_DURABLE_ID_MOST bytes
 *   opts   NULL: the defaults
 *
 * 0         it is there and on the disk; .record->is_duplicate: it was before
 * -EEXIST   it is there, and was created otherwise; .record is written on this, too
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_durable_create_with(cop_pid store, const char *id, const cop_durable_opts *opts);
#define cop_durable_create(...) COP_DURABLE_CREATE_(__VA_ARGS__, .size = sizeof(cop_durable_opts))
#define COP_DURABLE_CREATE_(store, id, ...) \
 cop_durable_create_with((store), (id), &(cop_durable_opts){__VA_ARGS__})

/*
 * The same, and go on: as cop_durable_resolve_async.
 *
 * Threads: any.  Blocks, as an exit point, only at a bounded mailbox.
 */
COP_API cop_future *cop_durable_create_async_with(cop_pid store, const char *id,
                                                  const cop_durable_opts *opts);
#define cop_durable_create_async(...)                                                       \
 COP_DURABLE_CREATE_ASYNC_(__VA_ARGS__, .size = sizeof(cop_durable_opts), .file = __FILE__, \
                           .line = __LINE__)
#define COP_DURABLE_CREATE_ASYNC_(store, id, ...) \
 cop_durable_create_async_with((store), (id), &(cop_durable_opts){__VA_ARGS__})

/* ------------------------------------------------------------------ settling */

typedef struct cop_settle_opts {
    size_t size;   /* set by the macros */
    cop_bytes key; /* of size 0: none; under a lease: the lease */
    /* With an equal key, the state must be the one that is stored, too: else -EALREADY */
    bool strict;
    cop_owner owner; /* under a lease: whose, */
    uint64_t epoch;  /* and which */
    /* What is stored now, for the caller to release; NULL: not wanted */
    cop_durable_record *record;
    cop_time timeout; /* for the answer; 0: COP_FOREVER */
    const char *file; /* where, for coppice/track.h; set by the macros */
    int line;
} cop_settle_opts;

/*
 * Settle a promise: resolve it, reject it, or reject it with -ECANCELED.
 * cop_durable_resolve(store, id, value, options...), and so on.
 *
 *   reason   its code and text are kept; of a kind without a code, what cop_reason_error and cop_reason_string
 *            make of it
 *   why      a text; NULL: none
 *   opts     NULL: the defaults
 *
 * 0          it is settled so, and on the disk; .record->is_duplicate: it was before
 * -EALREADY  it was settled otherwise before, or its deadline has passed; .record is written on this, too
 * -ENOENT    unknown
 * -ESTALE    the lease is not the last one: another has it
 * -EINVAL    a rejection with code 0
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_durable_resolve_with(cop_pid store, const char *id, cop_bytes value,
                                     const cop_settle_opts *opts);
COP_API int cop_durable_reject_with(cop_pid store, const char *id, cop_reason reason,
                                    const cop_settle_opts *opts);
COP_API int cop_durable_cancel_with(cop_pid store, const char *id, const char *why,
                                    const cop_settle_opts *opts);
#define COP_SETTLE_(verb, store, id, what, ...) \
 cop_durable_##verb##_with((store), (id), (what), &(cop_settle_opts){__VA_ARGS__})
#define COP_SETTLE_SIZE_         .size = sizeof(cop_settle_opts), .file = __FILE__, .line = __LINE__
#define cop_durable_resolve(...) COP_SETTLE_(resolve, __VA_ARGS__, COP_SETTLE_SIZE_)
#define cop_durable_reject(...)  COP_SETTLE_(reject, __VA_ARGS__, COP_SETTLE_SIZE_)
#define cop_durable_cancel(...)  COP_SETTLE_(cancel, __VA_ARGS__, COP_SETTLE_SIZE_)

/*
 * The same, and go on: the future is resolved, with nothing, when it is on the disk, or rejected with the codes
 * above. A hundred of them are as quick as one, as they share a sync. Never NULL. Cancelling the future does
 * not take the settle back. .record and .timeout are not looked at.
 *
 * Blocks, as an exit point, only at a bounded mailbox.
 */
COP_API cop_future *cop_durable_resolve_async_with(cop_pid store, const char *id, cop_bytes value,
                                                   const cop_settle_opts *opts);
COP_API cop_future *cop_durable_reject_async_with(cop_pid store, const char *id, cop_reason reason,
                                                  const cop_settle_opts *opts);
#define cop_durable_resolve_async(...) COP_SETTLE_(resolve_async, __VA_ARGS__, COP_SETTLE_SIZE_)
#define cop_durable_reject_async(...)  COP_SETTLE_(reject_async, __VA_ARGS__, COP_SETTLE_SIZE_)

/* ------------------------------------------------------------------ finding */

/*
 * What is stored under an id.
 *
 *   record   given: cop_durable_release it
 *
 * -ENOENT   unknown
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_durable_get(cop_pid store, const char *id, cop_durable_record *record,
                            cop_time timeout);

/*
 * Let go of what a record points to. It is zeroed, so twice is safe.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_durable_release(cop_durable_record *record);

/*
 * The promise as a future, which every combinator takes. It is settled when the promise is, here or in another
 * process, and never before that is on the disk.
 *
 * Its value is the promise's bytes. A rejection has the promise's code and text: -ETIME, if its deadline
 * passed; -ECANCELED, as SHUTDOWN, if it was cancelled; -EOWNERDEAD, if all who tried were lost. When the
 * store's process ends, it is rejected with -EPIPE, and the promise is as it was: recover it again. The same is
 * true of -EBADMSG: what is stored is found damaged.
 *
 * cop_future_cancel cancels the promise itself, for all: the future is rejected when that is on the disk, or
 * settled as the promise was before. Releasing it does nothing to the promise.
 *
 *   future   given: cop_future_release it
 *
 * -ENOENT   unknown
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_durable_recover_at(cop_pid store, const char *id, cop_future **future,
                                   cop_time timeout, const char *file, int line);
/* A macro, so that the place where it was made is known. */
#define cop_durable_recover(store, id, future, timeout) \
 cop_durable_recover_at((store), (id), (future), (timeout), __FILE__, __LINE__)

/*
 * All pending promises, one by one, in the order of their ids; what was pending throughout is seen once,
 * whatever others create and settle meanwhile. One that is damaged is passed over, and logged.
 *
 *   queue, tag   only those; NULL: any
 *   page         so many are read at a time; 0: 1,000
 *   each         called in the calling process for each; the record is borrowed for the call. Anything but 0
 *                ends it, and is returned
 *   timeout      for each page; 0: COP_FOREVER
 *   opts         NULL: the defaults
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
typedef struct cop_recover_opts {
    size_t size; /* set by the macro */
    const char *queue, *tag;
    size_t page;
    cop_time timeout;
} cop_recover_opts;
COP_API int cop_durable_recover_all_with(cop_pid store,
                                         int (*each)(const cop_durable_record *record, void *env),
                                         void *env, const cop_recover_opts *opts);
#define cop_durable_recover_all(...) COP_RECOVER_ALL_(__VA_ARGS__, .size = sizeof(cop_recover_opts))
#define COP_RECOVER_ALL_(store, each, env, ...) \
 cop_durable_recover_all_with((store), (each), (env), &(cop_recover_opts){__VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
