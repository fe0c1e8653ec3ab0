/*
 * coppice-redis.h - futures shared over Redis: cache and duplicate suppression, not correctness.
 *
 * What is expensive to compute and asked for by many processes, on one machine or many, is computed by one of
 * them, and kept in Redis for a while:
 *
 *     static int load(cop_bytes arg, void *result);    // a task's function: a cop_bytes to fill in
 *
 *     cop_shared_get(prices, "price:42", load, COP_BYTES(id), &value, COP_SEC(3));
 *     ... value.body ...
 *     cop_msg_release(&value);
 *
 * Promised: at most one computation of a key at a time as long as Redis neither loses data nor fails over, one
 * stored result until its time is over, whoever waits is woken, and nobody hangs because somebody died. Not
 * promised: exactly once. The lock has a time after which others may take it, on a server that answers
 * before it has copied anything: it saves work, and guards nothing. Who needs it guarded passes
 * cop_shared_number() on to a store that compares it, or uses durable promises.
 *
 * A library of its own, on hiredis: link with `pkg-config --libs coppice-redis`. The connection is a child in
 * the tree:
 *
 *     cop_run(&(cop_supervisor_spec){COP_CHILDREN(cop_redis_spec(.address = "unix:/run/redis.sock"))});
 *
 * All of a process's waiters share its two connections: one for commands, which are sent without waiting
 * for the answers of those before, and one for news.
 *
 * In Redis a key has {key}v, its result; {key}l, the lock; {key}e, who took that last; and the channel {key}c.
 * Each has a time to live: one that is not asked for any more leaves nothing behind. Policies of eviction that
 * may remove such keys end locks early: `noeviction` is best.
 */
#ifndef COPPICE_REDIS_H
#define COPPICE_REDIS_H

#include <coppice.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- the connection */

typedef struct cop_redis_opts {
    size_t size;          /* set by the macro */
    const char *address;  /* as cop_connect's: "host:port", "unix:/path". NULL: "127.0.0.1:6379" */
    const char *name;     /* under which it is registered; NULL: "coppice_redis" */
    const char *user;     /* NULL: Redis's default user */
    const char *password; /* NULL: none is sent */
    unsigned database;
    /* How long an answer may take, and connecting may. Past it the connection is thrown away, as nobody could
     * tell a late answer from the next one. 0: 1 s */
    cop_time command_timeout;
    /* How long what could not be sent, or was not answered, is tried again before it fails. When Redis has not
     * been there for as long, the next attempt to connect decides. 0: 2 s */
    cop_time gone_after;
    /* A connection that is silent for so long is asked for a sign of life. 0: 5 s */
    cop_time heartbeat;
    /* The pause before it connects again, as cop_retry_pause has it. 0: 20 ms; 0: 1 s */
    cop_time backoff_min, backoff_max;
    void *reserved[4];
} cop_redis_opts;

/*
 * The connection as a child of a supervisor, permanent, with the id "redis". cop_redis_spec(options...)
 *
 * The options themselves are copied when the supervisor starts; until then they are in the calling block.
 * Their strings must be there for as long as the tree is. It starts, and stays, also while there is no
 * server: who asks is told.
 *
 * opts NULL: the defaults.
 *
 * Its start fails with -EINVAL for a time that is negative or a range that is none; -EEXIST, the name is
 * taken; -ENOMEM.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_child_spec cop_redis_spec_with(const cop_redis_opts *opts);
#define cop_redis_spec(...) \
 cop_redis_spec_with(&(cop_redis_opts){.size = sizeof(cop_redis_opts), __VA_ARGS__})

/* ---------------------------------------------------------------- results that are shared */

typedef struct cop_shared cop_shared;

#define COP_SHARED_KEY_MAX    1024               /* bytes of a key */
#define COP_SHARED_RESULT_MAX (16 * 1024 * 1024) /* bytes of a result */

typedef struct cop_shared_opts {
    size_t size;   /* set by the macro */
    cop_pid redis; /* who is connected; COP_NOBODY: cop_named("coppice_redis") */
    cop_time ttl;  /* how long a result is kept; at least twice .poll. 0: 1 minute */
    /* How long a failure is kept, and told to others; at least twice .poll. 0: it is not kept: those who wait
     * for it in this program share it, and the next elsewhere computes at once. */
    cop_time negative_ttl;
    /* After which others may take over from a process that has died. Renewed at a third of it; a tenth before
     * the end of what was last renewed the computation is asked to stop. At least 100 ms. 0: 10 s */
    cop_time lock_ttl;
    /* How long who waits relies on being told; then it looks. 0: 1 s */
    cop_time poll;
    /* Compute here when Redis is gone, once for all who ask in this program. Such a result is not stored
     * later. */
    bool alone_if_gone;
    /* For tests, which stop, kill or lose something there: called in a process of the library's, with the name
     * of the step that was done: "looked" (it is neither there nor free), "subscribed", "locked", "computed",
     * "settled", "released", "fenced". It may block. */
    void (*trace)(const char *step, void *env);
    void *trace_env;
    void *reserved[4];
} cop_shared_opts;

/*
 * What is shared in one manner. One for all of a program's threads: callers of one key share a
 * computation, and what waits for others', if they call with the same handle.
 *
 *   out    the caller's, to be given back with cop_shared_free
 *   opts   NULL: the defaults
 *
 * -EINVAL   a time that is negative, too short or too long (10 years); a kept result shorter than two polls
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_shared_new_with(cop_shared **out, const cop_shared_opts *opts);
/* cop_shared_new(out, options...) */
#define cop_shared_new(...)       COP_SHARED_NEW_(__VA_ARGS__, .size = sizeof(cop_shared_opts))
#define COP_SHARED_NEW_(out, ...) cop_shared_new_with((out), &(cop_shared_opts){__VA_ARGS__})

/* Give it back; those who are in it finish. NULL does nothing.
 * Threads: any.  Does not block.  Exit point: no. */
COP_API void cop_shared_free(cop_shared *shared);

/*
 * The result of a key: what is stored, or else what the one computes who gets the lock.
 *
 * The computation runs as a task, in a context of its own, which ends when nobody in this program waits for it
 * any more, and, with the cause -ESTALE, when the lock is lost. What it returns all the same is offered, and
 * refused if another has taken the lock since: then that one's result is waited for; or, if the lock
 * was free again, stored without computing anew.
 *
 *   key       1 to COP_SHARED_KEY_MAX bytes
 *   compute   as a task's, with a cop_bytes to fill in
 *   arg       copied for it
 *   value     value->body is the result; the caller's, to cop_msg_release. It ends with the calling process.
 *             Nothing is written on an error
 *   timeout   of this call: others go on waiting
 *
 * what the computation failed with   here, or elsewhere if failures are kept; cop_why() has the words
 * -ECONNREFUSED, -EHOSTDOWN          not connected, for `gone_after`: nothing was asked
 * -EREMOTEIO    Redis does not answer, for `gone_after`
 * -EACCES       it refuses the user or the password, or a command to the user
 * -EIO, -ENOSPC, -EROFS   it refuses the command; cop_why() has its words
 * -EBADMSG      what is stored there is not a result
 * -EMSGSIZE     the result is longer than COP_SHARED_RESULT_MAX
 * -ETIMEDOUT    not in time, or the context's deadline passed
 * -ECANCELED    the context was cancelled, or the caller was asked to stop
 * -EDEADLK      from inside the computation of that key
 * -ESRCH        nobody is connected: the process of cop_redis_spec is not there
 * -EINVAL       no such key, no function
 * -ENOMEM, -EAGAIN
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_shared_get(cop_shared *shared, const char *key, cop_task_fn compute, cop_bytes arg,
                           cop_msg *value, cop_time timeout);

/*
 * The same as a future, of COP_ANY: cop_await_bytes, and every combinator. Never NULL but when out of memory;
 * what fails is a rejection with the code of cop_shared_get. Cancelling it leaves; `shared` must be there until
 * it is settled. It runs in a context below the caller's current one.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_future *cop_shared_start(cop_shared *shared, const char *key, cop_task_fn compute,
                                     cop_bytes arg, cop_time timeout);

/*
 * Remove what is stored for a key. A computation under way goes on, and stores what it finds.
 *
 * Errors as cop_shared_get's, of Redis.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_shared_forget(cop_shared *shared, const char *key, cop_time timeout);

/*
 * In a computation: the number that its lock was given. It grows by one with every lock of a key, for as long
 * as Redis loses nothing and the key is asked for once a day. A store that keeps the highest it has seen, and
 * refuses lower ones, is safe from a holder who has lost his lock and does not know. 0: elsewhere.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API uint64_t cop_shared_number(void);

#ifdef __cplusplus
}
#endif
#endif
