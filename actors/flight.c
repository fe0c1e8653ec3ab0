/*
 * actors/flight.c - callers with the same key share one computation.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: when a call is taken out of the set.
 *
 * A call is a task, and those who wait for it. It is in the set while others may join: until one of them
 * has seen it settled, or the last of them has left before that, or it was forgotten. Whoever returns
 * from a call has taken it out first, so nobody gets what was computed before it called.
 *
 * A call is made outside the lock, and put into the set if nobody was faster; it is started when it is in
 * the set, outside the lock again. Those who join meanwhile wait for a task that has not begun, which is
 * no different from one that has.
 *
 * Who ends while it waits leaves by a deferred call.
 */
#include "actors/future.h"
#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/process.h"
#include "runtime/set.h"
#include "runtime/thread.h"

#include <coppice/context.h>
#include <coppice/flight.h>

#include <errno.h>
#include <stdlib.h>

struct cop_flight {
    size_t result_size;
    int (*share)(const void *result, void *out);
    void (*drop)(void *result);
    copi_atomic32 holds; /* the handle, and every call */
    copi_lock lock;
    struct copi_set calls; /* guarded by it */
};

struct call {
    struct copi_set_member member;
    cop_flight *flight;     /* held */
    cop_future *future;     /* held */
    struct copi_task *task; /* to be started */
    /* guarded by the flight's lock */
    size_t waiters;
    bool is_known; /* in the set */
    char key[];
};

/* ---------------------------------------------------------------- a flight */

cop_flight *
cop_flight_new_with(const cop_flight_opts *given)
{
    static const cop_flight_opts none;
    const cop_flight_opts *opts = given ? given : &none;
    bool is_valid = opts->result_size != COP_ANY;
    cop_flight *flight = is_valid ? copi_zalloc(sizeof *flight) : NULL;
    if (!flight) {
        copi_fail(is_valid ? -ENOMEM : -EINVAL);
        return NULL;
    }
    copi_live_born(COPI_LIVE_FLIGHT);
    flight->result_size = opts->result_size;
    flight->share = opts->share;
    flight->drop = opts->drop;
    copi_store_relaxed_32(&flight->holds, 1);
    copi_lock_init(&flight->lock);
    copi_set_init(&flight->calls);
    return flight;
}

cop_flight *
cop_flight_new(size_t result_size)
{
    return cop_flight_new_with(&(cop_flight_opts){.result_size = result_size});
}

void
cop_flight_free(cop_flight *flight)
{
    if (flight && copi_fetch_add_32(&flight->holds, (uint32_t)-1) == 1) {
        copi_set_clear(&flight->calls);
        copi_live_gone(COPI_LIVE_FLIGHT);
        free(flight);
    }
}

/* ---------------------------------------------------------------- a call */

static cop_bytes
bytes_of(const char *key)
{
    return (cop_bytes){key, strlen(key)};
}

static struct call *
find_locked(cop_flight *flight, const char *key, uint64_t hash)
{
    struct copi_set_member *member = copi_set_find(&flight->calls, hash, bytes_of(key));
    return (struct call *)(void *)member;
}

static void
forget_locked(struct call *call)
{
    if (call->is_known) {
        copi_set_remove(&call->flight->calls, &call->member);
        call->is_known = false;
    }
}

static void
free_call(struct call *call)
{
    cop_future_release(call->future);
    cop_flight_free(call->flight);
    copi_live_gone(COPI_LIVE_COMPUTATION);
    free(call);
}

/* A task in a context of its own, which has not started. */
static cop_future *
make_task(struct copi_task **task, const cop_flight *flight, cop_task_fn fn, cop_bytes arg)
{
    const cop_task_opts opts = {
        .arg = arg, .result_size = flight->result_size, .drop = flight->drop};
    cop_context *context = cop_context_detached(COP_FOREVER);
    if (!context || cop_context_enter(context) != 0) {
        cop_context_free(context);
        *task = NULL;
        return copi_future_no_memory();
    }
    cop_future *future = copi_task_new(task, fn, &opts);
    cop_context_leave(context);
    cop_context_free(context);
    return future;
}

static struct call *
make_call(cop_flight *flight, const char *key, uint64_t hash, cop_task_fn fn, cop_bytes arg)
{
    size_t size = strlen(key) + 1;
    struct call *call = copi_zalloc(sizeof *call + size);
    if (!call) {
        return NULL;
    }
    copi_live_born(COPI_LIVE_COMPUTATION);
    memcpy(call->key, key, size);
    call->member = (struct copi_set_member){hash, bytes_of(call->key)};
    call->flight = flight;
    copi_fetch_add_32(&flight->holds, 1);
    call->waiters = 1;
    call->future = make_task(&call->task, flight, fn, arg);
    return call;
}

/* It was not needed. */
static void
discard(struct call *call)
{
    if (call->task) {
        const cop_reason why = cop_failed(-ECANCELED, NULL);
        copi_task_abandon(call->task, &why);
    }
    free_call(call);
}

static struct call *
join(cop_flight *flight, const char *key, uint64_t hash)
{
    copi_lock_take(&flight->lock);
    struct call *call = find_locked(flight, key, hash);
    if (call) {
        call->waiters++;
    }
    copi_lock_give(&flight->lock);
    return call;
}

/* 0; -EEXIST: somebody was faster. -ENOMEM. */
static int
introduce(struct call *call)
{
    cop_flight *flight = call->flight;
    copi_lock_take(&flight->lock);
    int r = find_locked(flight, call->key, call->member.hash)
                ? -EEXIST
                : copi_set_add(&flight->calls, &call->member);
    call->is_known = r == 0;
    copi_lock_give(&flight->lock);
    return r;
}

/* ---------------------------------------------------------------- a caller */

static void
leave(void *arg)
{
    struct call *call = arg;
    cop_flight *flight = call->flight;
    bool is_settled = copi_future_outcome(call->future) != -EINPROGRESS;
    copi_lock_take(&flight->lock);
    bool is_last = --call->waiters == 0;
    if (is_last || is_settled) {
        forget_locked(call);
    }
    copi_lock_give(&flight->lock);
    if (is_last) {
        cop_future_cancel(call->future, cop_failed(-ECANCELED, "nobody waits for it"));
        free_call(call);
    }
}

static int
start(struct call *call)
{
    cop_pid pid;
    return call->task ? copi_task_start(call->task, false, COP_NOBODY, &pid) : 0;
}

/* The call of that key, or one that is made: then it is to be started. NULL: out of memory. */
static struct call *
enter(cop_flight *flight, const char *key, cop_task_fn fn, cop_bytes arg, bool *is_shared)
{
    uint64_t hash = copi_hash(bytes_of(key), 0);
    for (;;) {
        struct call *call = join(flight, key, hash);
        *is_shared = call != NULL;
        if (call) {
            return call;
        }
        call = make_call(flight, key, hash, fn, arg);
        int r = call ? introduce(call) : -ENOMEM;
        if (r == 0) {
            return call;
        }
        if (call) {
            discard(call);
        }
        if (r != -EEXIST) {
            return NULL;
        }
    }
}

static int
await(const struct call *call, void *out, cop_time timeout)
{
    const cop_flight *flight = call->flight;
    cop_bytes result;
    int r = cop_await_bytes(call->future, &result, timeout);
    if (r) {
        return r;
    }
    if (flight->share) {
        r = flight->share(result.data, out);
        return r ? copi_fail(r < 0 ? r : -EINVAL) : 0;
    }
    if (result.size > 0) {
        memcpy(out, result.data, result.size);
    }
    return 0;
}

int
cop_flight_do(cop_flight *flight, const char *key, cop_task_fn fn, cop_bytes arg, void *out,
              bool *shared, cop_time timeout)
{
    bool is_shared;
    if (!key || !fn) {
        return copi_fail(-EINVAL);
    }
    int over = cop_cancelled(); /* nothing is begun for who cannot wait */
    if (over) {
        return over;
    }
    struct call *call = enter(flight, key, fn, arg, &is_shared);
    if (!call) {
        return copi_fail(-ENOMEM);
    }
    int r = cop_defer(leave, call);
    if (!is_shared) {
        start(call); /* an error is the future's rejection */
    }
    if (r) {
        leave(call);
        return r;
    }
    r = await(call, out, timeout);
    cop_undefer(leave, call, true);
    if (r == 0 && shared) {
        *shared = is_shared;
    }
    return r;
}

void
cop_flight_forget(cop_flight *flight, const char *key)
{
    uint64_t hash = copi_hash(bytes_of(key), 0);
    copi_lock_take(&flight->lock);
    struct call *call = find_locked(flight, key, hash);
    if (call) {
        forget_locked(call);
    }
    copi_lock_give(&flight->lock);
}
