/*
 * actors/lazy.c - a lazy task that is tried again after a failure.
 *
 * Room: actors/. Any thread.
 * Touch freely: nothing. Ask first: who holds whom, and what is done under the lock.
 *
 * A cell is settled once. So what may fail and be tried again is several: one for the handle, which the
 * user has, and one for each attempt, which is a lazy task like any other. The handle is pending until an
 * attempt succeeds.
 *
 *   waiting      is waiting for an attempt: the handle gives whoever wants it, in its own place, the
 *                attempt that is under way, or a new one when there is none or the last one has failed.
 *                Who waits gets the outcome of that attempt, whatever comes after it.
 *   failing      settles the attempt, and nothing else. That it is settled means that its process has
 *                ended; so the next one begins after its end.
 *   succeeding   settles the handle first, and then the attempt, both in the attempt's end: whoever
 *                hears of the value finds it in the handle, too. From then on nothing is started.
 *
 * Who holds whom: the handle its latest attempt, in whose block the value lies, and which is therefore
 * there as long as the handle is; an attempt, while it is under way, the handle, which it may have to
 * settle. That circle opens when the attempt ends. An attempt's handlers call the user's, and hold the
 * handle for these until they have run: the environment is dropped with the handle's block, and never,
 * if an attempt was disowned and may be using it.
 *
 * The lock guards one pointer. An attempt is made before it is taken and put in its place under it, unless
 * somebody was faster. It is started after that, by the first who waits for it, as any lazy task is.
 */
#include "actors/lazy.h"

#include "actors/future.h"
#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/context.h"
#include "runtime/process.h"
#include "runtime/thread.h"

#include <errno.h>
#include <stdlib.h>

struct lazy {
    cop_future future;
    /* constant */
    cop_task_fn fn;
    cop_task_opts opts; /* of each attempt; what they point to is in this block */
    cop_context *above; /* the attempts' contexts; held */
    void (*on_success)(const void *value, void *env);
    void (*on_failure)(cop_reason reason, void *env);
    void *env;
    void (*drop_env)(void *env);

    copi_lock lock;
    cop_future *attempt; /* guarded by it: the latest; held. NULL: there was none */
    _Alignas(max_align_t) unsigned char room[];
};

static struct lazy *
of(cop_future *future)
{
    return (struct lazy *)(void *)future;
}

/* ---------------------------------------------------------------- its attempts */

/* By its state: a failure may have any code. */
static bool
has_failed(cop_future *attempt)
{
    return copi_load_acquire_32(&attempt->state) == COPI_REJECTED; /* pairs with its publishing */
}

/* The latest, held; NULL: there was none. */
static cop_future *
latest(struct lazy *lazy)
{
    copi_lock_take(&lazy->lock);
    cop_future *attempt = lazy->attempt ? cop_future_retain(lazy->attempt) : NULL;
    copi_lock_give(&lazy->lock);
    return attempt;
}

/* Takes the caller's hold on a new attempt, and returns what is to be waited for, held: it, or that of
 * somebody who was faster. */
static cop_future *
introduce(struct lazy *lazy, cop_future *attempt)
{
    copi_lock_take(&lazy->lock);
    cop_future *other = lazy->attempt;
    bool is_late = other && !has_failed(other);
    if (!is_late) {
        lazy->attempt = attempt;
    }
    cop_future *awaited = cop_future_retain(lazy->attempt);
    copi_lock_give(&lazy->lock);
    cop_future_release(is_late ? attempt : other);
    return awaited;
}

/* Without memory for one, this wait has failed, and nobody else's. */
static cop_future *
begin_attempt(struct lazy *lazy)
{
    if (lazy->opts.env) {
        cop_future_retain(&lazy->future); /* the handlers' */
    }
    cop_future *attempt = copi_task_attempt(lazy->fn, &lazy->opts, lazy->above, &lazy->future);
    return attempt ? introduce(lazy, attempt) : copi_future_no_memory();
}

static void
succeeded(const void *value, void *env)
{
    struct lazy *lazy = env;
    if (lazy->on_success) {
        lazy->on_success(value, lazy->env);
    }
}

static void
failed(cop_reason why, void *env)
{
    struct lazy *lazy = env;
    if (lazy->on_failure) {
        lazy->on_failure(why, lazy->env);
    }
}

static void
let_go(void *env)
{
    struct lazy *lazy = env;
    cop_future_release(&lazy->future);
}

/* ---------------------------------------------------------------- as a future's source */

static cop_future *
wanted(cop_future *future, cop_time timeout)
{
    struct lazy *lazy = of(future);
    cop_future *attempt = latest(lazy);
    if (!attempt || has_failed(attempt)) {
        cop_future_release(attempt);
        attempt = begin_attempt(lazy);
    }
    cop_future *awaited = copi_future_wanted(attempt, timeout); /* which starts it */
    cop_future_release(attempt);
    return awaited;
}

/* Of what is under way; there is always another attempt. */
static int
cancel(cop_future *future, const cop_reason *why)
{
    cop_future *attempt = latest(of(future));
    bool is_running = attempt && copi_future_outcome(attempt) == -EINPROGRESS;
    int r = is_running ? attempt->source->cancel(attempt, why) : -EALREADY;
    cop_future_release(attempt);
    return r;
}

static cop_pid
pid_of(cop_future *future)
{
    cop_future *attempt = latest(of(future));
    cop_pid pid = attempt ? cop_future_pid(attempt) : COP_NOBODY;
    cop_future_release(attempt);
    return pid;
}

static void
release(void *future)
{
    cop_future_release(future);
}

static int
shut_down(cop_future *future, cop_time timeout)
{
    cop_future *attempt = latest(of(future));
    if (!attempt) {
        return copi_fail(-ECANCELED);
    }
    int r = cop_defer(release, attempt); /* who waits may end */
    if (r) {
        cop_future_release(attempt);
        return r;
    }
    r = cop_task_shutdown(attempt, timeout);
    cop_undefer(release, attempt, true);
    return r;
}

static void
free_lazy(cop_future *future)
{
    struct lazy *lazy = of(future);
    cop_future_release(lazy->attempt);
    cop_context_free(lazy->above);
    if (lazy->drop_env) {
        copi_run_drop(lazy->drop_env, lazy->env);
    }
    free(lazy);
}

static const struct copi_source source = {
    .cancel = cancel,
    .pid = pid_of,
    .wanted = wanted,
    .shutdown = shut_down,
    .free = free_lazy,
};

/* ---------------------------------------------------------------- making */

/* With the bytes behind it: the argument, and the name. */
static struct lazy *
allocate(const cop_task_opts *opts)
{
    size_t arg = opts->arg.size, name = opts->name ? strlen(opts->name) + 1 : 0;
    struct lazy *lazy = arg > SIZE_MAX / 4 ? NULL : copi_zalloc(sizeof *lazy + arg + name);
    if (!lazy) {
        return NULL;
    }
    lazy->opts = *opts;
    lazy->opts.retry = false;
    if (arg > 0) {
        lazy->opts.arg.data = memcpy(lazy->room, opts->arg.data, arg);
    }
    if (name > 0) {
        lazy->opts.name = memcpy(lazy->room + arg, opts->name, name);
    }
    return lazy;
}

/* The attempts' handlers are ours, which call the user's. */
static void
take_handlers(struct lazy *lazy, const cop_task_opts *opts)
{
    bool has_any = opts->on_success || opts->on_failure || opts->drop_env;
    lazy->on_success = opts->on_success;
    lazy->on_failure = opts->on_failure;
    lazy->env = opts->env;
    lazy->drop_env = opts->drop_env;
    lazy->opts.on_success = has_any ? succeeded : NULL;
    lazy->opts.on_failure = has_any ? failed : NULL;
    lazy->opts.env = has_any ? lazy : NULL;
    lazy->opts.drop_env = has_any ? let_go : NULL;
}

cop_future *
copi_lazy_new(cop_task_fn fn, const cop_task_opts *opts)
{
    struct lazy *lazy = allocate(opts);
    if (!lazy) {
        if (opts->drop_env) {
            copi_run_drop(opts->drop_env, opts->env);
        }
        return copi_future_no_memory();
    }
    copi_future_init(&lazy->future, &(struct copi_future_init){&source, opts->result_size,
                                                               opts->file, opts->line});
    take_handlers(lazy, opts);
    lazy->fn = fn;
    lazy->above = copi_context_retain(copi_context_current());
    copi_lock_init(&lazy->lock);
    return &lazy->future;
}
