/*
 * coppice/future.h - one awaitable type: what will be known later.
 *
 * A future is pending until it is resolved with a value or rejected with a reason, once. Who awaits
 * it gets the outcome as a reply message: no thread stands behind a wait. A promise is a future with
 * a resolver; a task (coppice/task.h) is a future with a process behind it; a call whose answer is
 * awaited later is one, too.
 *
 *                 the producer ends when          await returns when          it leaks if
 *   promise       its resolver is freed           it is settled               the resolver is not freed, or
 *                                                                             its handle not released
 *   task          its function returns, or it     its process has ended, and  its handle is not released
 *                 is cancelled and sees that      not before
 *   lazy task     the same; before somebody       the same, of the run that   the same, begun or not
 *                 wants it there is none          it began or joined
 *   fired task    the same                        nobody awaits it            its function, or a
 *                                                                             handler, never returns
 *   async call    the server answers, ends, or    the same, or it is          its handle is not released
 *                 the time is over                cancelled: at once
 *   chained       see coppice/chain.h
 *   all, first,   none have a future of their own: they wait for those they are given, and end with the
 *   race, some    wait
 *
 * A future is counted: each handle that is returned is given back with cop_future_release. That
 * neither cancels it nor disturbs those who await it.
 *
 * No function of this header may be called from a signal handler.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_FUTURE_H
#define COPPICE_FUTURE_H

#include <coppice/process.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_future cop_future;
typedef struct cop_resolver cop_resolver;

/* A size of results: any, as large as what resolves it. */
#define COP_ANY SIZE_MAX

/* ------------------------------------------------------------------ promises */

/*
 * A future and its other end.
 *
 *   value_size   what it is resolved with, in bytes; COP_ANY: any size
 *
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_promise_new_at(cop_future **future, cop_resolver **resolver, size_t value_size,
                               const char *file, int line);
/* A macro, so that the place where it was made is known. */
#define cop_promise_new(future, resolver, value_size) \
 cop_promise_new_at((future), (resolver), (value_size), __FILE__, __LINE__)

/*
 * Settle a promise. However many try, from any threads, the first one does.
 *
 * cop_resolve copies the value. cop_resolve_move takes `data` over: `drop` runs once, when the last
 * handle is gone, on whichever thread lets go of it, so it may not block. On an error it is still the
 * caller's.
 *
 * -EALREADY   it is settled, or cancelled; nothing changed
 * -EMSGSIZE   not value_size bytes; nothing changed
 * -EINVAL     cop_resolve_move without data or drop
 * -ENOMEM     with COP_ANY only; nothing changed
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_resolve(cop_resolver *resolver, cop_bytes value);
COP_API int cop_resolve_move(cop_resolver *resolver, void *data, size_t size,
                             void (*drop)(void *data));
COP_API int cop_reject(cop_resolver *resolver, cop_reason reason);

/* Give a resolver back. A promise that it has not settled is rejected with -EPIPE: who awaits it does
 * not wait for ever. NULL does nothing. */
COP_API void cop_resolver_free(cop_resolver *resolver);

/*
 * Be told when the promise is cancelled from the other end: fn(why, env), with the rejection, once, on
 * the thread that cancels; at once, on this one, if that has happened already. It may not block. It is not
 * called when the promise is settled before. It may still be running when cop_resolver_free returns: `env`
 * must outlive it.
 *
 * -EALREADY   there is such a function
 */
COP_API int cop_resolver_on_cancel(cop_resolver *resolver, void (*fn)(cop_reason why, void *env),
                                   void *env);

/* ------------------------------------------------------------------ futures */

/* One more handle on it, for somebody else to release. Returns `future`. */
COP_API cop_future *cop_future_retain(cop_future *future);

/* Give a handle back. NULL does nothing. What is under way goes on; others may still await it. */
COP_API void cop_future_release(cop_future *future);

/* -EINPROGRESS, 0 when resolved, or the rejection's code; *reason (NULL: not wanted) is the
 * rejection's. Does not wait, nor does it start anything. A lazy task that is tried again is never
 * rejected: pending, until a run succeeds. */
COP_API int cop_future_state(cop_future *future, cop_reason *reason);

/* The process behind it, dead or alive, or COP_NOBODY. Of a lazy task that is tried again: its latest
 * run's. */
COP_API cop_pid cop_future_pid(cop_future *future);

/*
 * Wait for the value; Task.await and Task.yield. Any number of processes may, each as often as it
 * likes: the value stays the same.
 *
 *   out, size   where the value is copied, and its size. With a drop function what the bytes point
 *               to stays the future's, and is there as long as a handle is held
 *
 * A rejection's code   it was rejected; cop_why() has the reason
 * -EMSGSIZE    the value has, or will have, another size; nothing was written
 * -ETIMEDOUT   nothing yet: only this wait has ended. Also the code of the context's deadline
 * -EDEADLK     it is the caller's own task, or that of one who waits, directly or through others,
 *              for the caller
 * -ECANCELED   the context was cancelled, or the caller was asked to stop
 * -ENOMEM
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_await(cop_future *future, void *out, size_t size, cop_time timeout);

/* The same for a value of any size; *out is borrowed, until the caller's handle is released. */
COP_API int cop_await_bytes(cop_future *future, cop_bytes *out, cop_time timeout);

/* The same without a limit of time; a failure is a crash of the caller, with that reason, or in its words
 * where it is none for a crash. */
COP_API void cop_must_await(cop_future *future, void *out, size_t size);

/*
 * Wait for several, whose values have `each` bytes. All handles must be held until it returns.
 *
 *   all       all values, in the order of the futures: Task.await_many. Fails as soon as one does, in
 *             the order of time, and then nothing is written. None: 0
 *   first     the first value; *winner (NULL: not wanted) is whose. When all fail: the last failure.
 *             None: -EINVAL
 *   settled   every outcome, in place: Task.yield_many. status[i] is 0 or a code; when the time is
 *             over (-ETIMEDOUT) it is -EINPROGRESS for those that are pending. Values of those that
 *             are resolved are written; `out` may be NULL when each is 0
 *   some      the same, as soon as `limit` of them are settled
 *
 * cop_race is cop_await_first, and cancels the others when it returns 0.
 *
 * Errors else as cop_await; but of circles only the one of the caller's own task is refused.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_await_all(cop_future *const futures[], size_t n, void *out, size_t each,
                          cop_time timeout);
COP_API int cop_await_first(cop_future *const futures[], size_t n, void *out, size_t each,
                            size_t *winner, cop_time timeout);
COP_API int cop_race(cop_future *const futures[], size_t n, void *out, size_t each, size_t *winner,
                     cop_time timeout);
COP_API int cop_await_settled(cop_future *const futures[], size_t n, void *out, size_t each,
                              int status[], cop_time timeout);
COP_API int cop_await_some(cop_future *const futures[], size_t n, size_t limit, void *out,
                           size_t each, int status[], cop_time timeout);

/*
 * Cancel a future from the reading side.
 *
 * A promise is rejected with -ECANCELED and the cause's text, and its resolver's function is called.
 * A task is asked, through its context: its blocking calls return -ECANCELED, and the future is
 * rejected when the task has ended, whatever it returns; a value that it returns is dropped. A lazy task
 * that nobody has wanted yet is rejected, and never runs. An async call is forgotten: rejected at once.
 *
 * Of a lazy task that is tried again it is the run under way that is cancelled: who awaits that gets
 * -ECANCELED, and who awaits it later starts another.
 *
 * -EALREADY   it is settled, or no run is under way that could be cancelled; nothing changed. Cancelling
 *             twice is safe
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_future_cancel(cop_future *future, cop_reason cause);

/*
 * Be told of the settling by a message, for servers that must not block: `tag`, with a struct
 * cop_settled as its body, from nobody. At once, if it is settled.
 *
 * Returns the reference in the message; {0}: -EINVAL (a tag of the library's), -ENOMEM.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_ref cop_future_notify(cop_future *future, uint32_t tag);
struct cop_settled {
    cop_ref ref;
    int code; /* 0, or the rejection's */
};

/* ------------------------------------------------------------------ calls to be awaited later */

/*
 * A call whose answer is a future; :gen_server.send_request. Never NULL but when out of memory: what
 * cannot be asked is a rejected future, with the codes of cop_call.
 *
 *   reply_size   of the answer, in bytes; COP_ANY: any. An answer of another size: -EMSGSIZE
 *   timeout      after which it is rejected with -ETIMEDOUT, and a late answer is dropped
 *
 * Blocks, as an exit point, only where cop_cast would: at a bounded mailbox.
 *
 * Threads: any.
 */
COP_API cop_future *cop_call_async_at(cop_pid server, cop_msg request, size_t reply_size,
                                      cop_time timeout, const char *file, int line);
#define cop_call_async(server, request, reply_size, timeout) \
 cop_call_async_at((server), (request), (reply_size), (timeout), __FILE__, __LINE__)

/*
 * The same request to several servers at once; GenServer.multi_call, whose nodes are servers here.
 *
 *   out, each   the answers, in place, of `each` bytes; may be NULL when each is 0
 *   status      for each server 0 or a code, as of cop_call
 *
 * 0 when all have answered, or a code of one that did not; nothing else ends it early.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_multi_call(const cop_pid servers[], size_t n, cop_msg request, void *out,
                           size_t each, int status[], cop_time timeout);

#ifdef __cplusplus
}
#endif
#endif
