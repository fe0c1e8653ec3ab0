/*
 * actors/retry.c - a task that is tried again until it succeeds.
 *
 * Room: actors/. Workers decide; the timer thread starts the attempts after the first.
 * Touch freely: the defaults. Ask first: who ends a pause.
 *
 * An attempt is a task, and a block that holds the retry. It is made before the pause that it follows, so
 * that nothing but a thread can be wanting when its time has come; it starts when the pause is over. When
 * it has ended, a worker decides what that means, by a continuation: the outcome, or a pause before another.
 *
 * A pause is no process. It is a timer and a watch over the context, each of which holds the retry, and can
 * be ended by one of four: the timer; a cancellation of the future, or of the context; the stop of the
 * timers. All of them take the lock and look at `is_pausing`: the first one finds it set, clears it, and
 * takes the other two away. Who comes later finds nothing to end. A hold goes with its timer or watch:
 * whoever takes one away before it was told gives its hold back; else it does itself, when it is told.
 *
 * After that the attempt is that first one's alone: the timer starts it. The others give up: they settle
 * the future, then and there, so that a shutdown leaves nothing to workers that it has ended.
 *
 * A cancellation while an attempt runs cancels that, and leaves the word that it was one: should the attempt
 * have a result all the same, it is dropped.
 *
 * The lock is held while timers, and the context's list, are changed, so it stands above theirs; never while
 * a future is settled or cancelled.
 */
#include "actors/continuation.h"
#include "actors/future.h"
#include "actors/task.h"
#include "actors/workers.h"
#include "runtime/alloc.h"
#include "runtime/backoff.h"
#include "runtime/context.h"
#include "runtime/process.h"
#include "runtime/thread.h"
#include "runtime/timer.h"

#include <coppice/retry.h>

#include <errno.h>
#include <stdlib.h>

#define DEFAULT_MIN COP_MS(100)
#define DEFAULT_MAX COP_SEC(60)

enum {
    DEFAULT_ATTEMPTS = 3
};

struct attempt {
    struct copi_continuation continuation; /* of its end */
    struct retry *retry;                   /* held */
    cop_future *future;                    /* held */
    struct copi_task *task;                /* while it has not started */
};

struct retry {
    cop_future future;
    /* constant */
    cop_task_fn fn;
    cop_task_opts task; /* what it points to is in this block */
    struct copi_backoff backoff;
    uint32_t most;
    bool (*again)(cop_reason why, uint32_t attempt, void *env);
    void *env;
    void (*drop_env)(void *env);
    cop_context *context; /* the attempts', below that of who made it */
    struct copi_context_watch watch;
    /* any thread, atomic */
    copi_atomic32 begun;
    /* guarded by it */
    copi_lock lock;
    struct attempt *current; /* or the next one, during a pause; NULL: it is over */
    unsigned attempts;       /* that are there: one, or two for a moment */
    bool is_pausing, is_cancelled;
    cop_reason cause;                           /* of the cancellation */
    cop_ref timer;                              /* of the pause */
    _Alignas(max_align_t) unsigned char room[]; /* the argument, and a name */
};

static struct retry *
of(cop_future *future)
{
    return (struct retry *)(void *)future;
}

static void
release(struct retry *retry, unsigned holds)
{
    while (holds-- > 0) {
        cop_future_release(&retry->future);
    }
}

/* ---------------------------------------------------------------- one attempt */

static void decide(struct copi_continuation *continuation, cop_future *settled);
static void failed(struct copi_continuation *continuation, const cop_reason *why);

static void
drop_env(struct retry *retry)
{
    if (retry->drop_env) {
        copi_run_drop(retry->drop_env, retry->env);
    }
}

static void
free_attempt(struct attempt *attempt)
{
    cop_future_release(attempt->future);
    release(attempt->retry, 1);
    free(attempt);
}

/* The last one there is, when it is over: nobody will be asked any more, nor is being asked. */
static void
leave(struct attempt *attempt)
{
    struct retry *retry = attempt->retry;
    copi_lock_take(&retry->lock);
    bool is_last = --retry->attempts == 0 && !retry->current;
    copi_lock_give(&retry->lock);
    if (is_last) {
        drop_env(retry);
    }
    free_attempt(attempt);
}

static void
done(struct copi_continuation *continuation, const cop_future *settled)
{
    (void)settled;
    leave((struct attempt *)(void *)continuation);
}

static int
make_task(struct attempt *attempt)
{
    const struct retry *retry = attempt->retry;
    int r = cop_context_enter(retry->context);
    if (r) {
        return r;
    }
    attempt->future = copi_task_new(&attempt->task, retry->fn, &retry->task);
    cop_context_leave(retry->context);
    copi_future_observed(attempt->future);
    return attempt->task ? 0 : copi_future_outcome(attempt->future);
}

/* One that has not started. */
static int
new_attempt(struct attempt **out, struct retry *retry)
{
    static const struct copi_continuation_kind kind = {decide, failed, done};
    struct attempt *attempt = copi_workers_alloc(sizeof *attempt);
    if (!attempt) {
        return -ENOMEM;
    }
    attempt->continuation.kind = &kind;
    attempt->retry = retry;
    cop_future_retain(&retry->future);
    int r = make_task(attempt);
    if (r) {
        free_attempt(attempt);
        return r;
    }
    copi_lock_take(&retry->lock);
    retry->attempts++;
    copi_lock_give(&retry->lock);
    *out = attempt;
    return 0;
}

/* It will not start. */
static void
discard(struct attempt *attempt)
{
    const cop_reason why = cop_failed(-ECANCELED, NULL);
    copi_task_abandon(attempt->task, &why);
    leave(attempt);
}

/* It may have ended, and be freed, before this returns. What cannot start has failed. */
static void
start(struct attempt *attempt)
{
    struct copi_task *task = attempt->task;
    cop_pid pid;
    copi_fetch_add_32(&attempt->retry->begun, 1);
    copi_future_continue(attempt->future, &attempt->continuation);
    copi_task_start(task, false, COP_NOBODY, &pid);
}

/* ---------------------------------------------------------------- the end of it all */

/* There is no current attempt any more: whether it was cancelled before. */
static bool
finish(struct retry *retry)
{
    copi_lock_take(&retry->lock);
    retry->current = NULL;
    bool is_cancelled = retry->is_cancelled;
    copi_lock_give(&retry->lock);
    return is_cancelled;
}

static void
end_with(struct retry *retry, const cop_reason *why)
{
    copi_future_reject(&retry->future, finish(retry) ? &retry->cause : why);
}

static void
end_as(struct retry *retry, cop_future *settled)
{
    if (finish(retry)) {
        copi_future_reject(&retry->future, &retry->cause);
    } else {
        copi_future_adopt(&retry->future, settled);
    }
}

/* ---------------------------------------------------------------- a pause and its end */

/* Whether the attempts' context is over: 0, or a code, and *why is what becomes of the future. */
static int
check_context(const struct retry *retry, cop_reason *why)
{
    const cop_reason *cause = copi_context_cause(retry->context);
    if (cause) {
        *why = (cop_reason){.kind = COP_SHUTDOWN, .code = -ECANCELED};
        cop_reason_string(*cause, why->text, sizeof why->text);
        return -ECANCELED;
    }
    if (copi_clock() >= copi_context_deadline(retry->context)) {
        *why = cop_failed(-ETIMEDOUT, NULL);
        return -ETIMEDOUT;
    }
    return 0;
}

/*
 * The caller is the first to end a pause, if there is one: it gets the attempt, and *holds to give
 * back when it has given back the lock. NULL: another was first.
 */
static struct attempt *
end_pause_locked(struct retry *retry, unsigned *holds)
{
    *holds = 0;
    if (!retry->is_pausing) {
        return NULL;
    }
    retry->is_pausing = false;
    *holds += copi_timer_cancel(retry->timer);
    *holds += copi_context_unwatch(&retry->watch);
    return retry->current;
}

static struct attempt *
end_pause(struct retry *retry)
{
    unsigned holds;
    copi_lock_take(&retry->lock);
    struct attempt *next = end_pause_locked(retry, &holds);
    copi_lock_give(&retry->lock);
    release(retry, holds); /* the attempt has one, or the caller */
    return next;
}

static void
give_up(struct attempt *next, const cop_reason *why)
{
    end_with(next->retry, why);
    discard(next);
}

/* On the timer thread, or by who stops that. */
static void
time_has_come(void *arg, bool is_stop)
{
    const cop_reason stop = {COP_SHUTDOWN, -ECANCELED, "the library is shutting down"};
    struct retry *retry = arg;
    struct attempt *next = end_pause(retry);
    cop_reason why;
    if (next && is_stop) {
        give_up(next, &stop);
    } else if (next && check_context(retry, &why) != 0) {
        give_up(next, &why);
    } else if (next) {
        start(next);
    }
    release(retry, 1);
}

static void
context_cancelled(struct copi_context_watch *watch)
{
    struct retry *retry = (struct retry *)(void *)((char *)watch - offsetof(struct retry, watch));
    struct attempt *next = end_pause(retry);
    cop_reason why;
    if (next) {
        check_context(retry, &why);
        give_up(next, &why);
    }
    release(retry, 1);
}

/* The end of the pause that begins now. */
static cop_time
end_of_pause(const struct retry *retry)
{
    uint32_t before = copi_load_relaxed_32(&retry->begun) - 1;
    cop_time end = copi_deadline(copi_backoff_pause(&retry->backoff, before, copi_random()));
    cop_time deadline = copi_context_deadline(retry->context);
    return end < deadline ? end : deadline;
}

/* The timer and the watch, with a hold each: 0, or neither. */
static int
begin_pause_locked(struct retry *retry)
{
    cop_future_retain(&retry->future);
    int r = copi_timer_call_later(&retry->timer, end_of_pause(retry), time_has_come, retry);
    if (r) {
        release(retry, 1); /* not the last */
        return r;
    }
    cop_future_retain(&retry->future);
    retry->is_pausing = true;
    if (copi_context_watch(retry->context, &retry->watch)) {
        return 0;
    }
    unsigned holds;
    end_pause_locked(retry, &holds);
    release(retry, holds + 1); /* the watch's, too */
    return -ECANCELED;
}

/* The next attempt waits for its time; a cancellation that was first is the end, and so is it when the
 * worker was given up meanwhile. */
static int
wait_with(struct retry *retry, struct attempt *next)
{
    copi_lock_take(&retry->lock);
    int r = retry->is_cancelled || !retry->current ? -ECANCELED : 0;
    if (r == 0) {
        retry->current = next;
        r = begin_pause_locked(retry);
    }
    copi_lock_give(&retry->lock);
    return r;
}

static void
pause_before_another(struct retry *retry)
{
    struct attempt *next = NULL;
    cop_reason why;
    int r = new_attempt(&next, retry);
    r = r ? r : wait_with(retry, next);
    if (r == 0) {
        return; /* the pause may be over by now, and the attempt, too */
    }
    if (check_context(retry, &why) == 0) {
        why = cop_failed(r, NULL);
    }
    if (next) {
        give_up(next, &why);
    } else {
        end_with(retry, &why);
    }
}

/* ---------------------------------------------------------------- an attempt has ended */

static bool
is_worth_another(const struct retry *retry, const cop_future *settled)
{
    uint32_t begun = copi_load_relaxed_32(&retry->begun);
    if (copi_future_outcome(settled) == -ECANCELED
        || (begun >= retry->most && retry->most != COP_RETRY_FOREVER)) {
        return false;
    }
    return !retry->again || retry->again(settled->why, begun, retry->env);
}

/* In a worker; its own block holds the retry. */
static void
decide(struct copi_continuation *continuation, cop_future *settled)
{
    struct retry *retry = ((struct attempt *)(void *)continuation)->retry;
    cop_reason why;
    int over = copi_future_outcome(settled) == 0 ? -EALREADY : check_context(retry, &why);
    if (over == -ECANCELED) {
        end_with(retry, &why);
    } else if (over == 0 && is_worth_another(retry, settled)) {
        pause_before_another(retry);
    } else {
        end_as(retry, settled);
    }
}

/* The function that was asked has crashed. */
static void
failed(struct copi_continuation *continuation, const cop_reason *why)
{
    end_with(((struct attempt *)(void *)continuation)->retry, why);
}

/* ---------------------------------------------------------------- as a future's source */

/* Of what runs; settled by that, when it has ended. */
static int
cancel_attempt(cop_future *attempt, const cop_reason *why)
{
    if (!attempt) {
        return -EALREADY;
    }
    cop_future_cancel(attempt, *why); /* if it has ended, the outcome is still to be seen to */
    cop_future_release(attempt);
    return 0;
}

static int
cancel(cop_future *future, const cop_reason *why)
{
    struct retry *retry = of(future);
    unsigned holds;
    copi_lock_take(&retry->lock);
    if (retry->current && !retry->is_cancelled) {
        retry->is_cancelled = true;
        retry->cause = *why;
    }
    struct attempt *next = end_pause_locked(retry, &holds);
    cop_future *running =
        !next && retry->current ? cop_future_retain(retry->current->future) : NULL;
    copi_lock_give(&retry->lock);
    release(retry, holds);
    if (!next) {
        return cancel_attempt(running, why);
    }
    give_up(next, why);
    return 0;
}

static cop_pid
pid_of(cop_future *future)
{
    struct retry *retry = of(future);
    copi_lock_take(&retry->lock);
    cop_pid pid = retry->current ? cop_future_pid(retry->current->future) : COP_NOBODY;
    copi_lock_give(&retry->lock);
    return pid;
}

static void
free_retry(cop_future *future)
{
    cop_context_free(of(future)->context);
    free(of(future));
}

static const struct copi_source source = {.cancel = cancel, .pid = pid_of, .free = free_retry};

uint32_t
cop_retry_attempts(cop_future *future)
{
    return future->source == &source ? copi_load_relaxed_32(&of(future)->begun) : 0;
}

/* ---------------------------------------------------------------- making */

static size_t
size_of_name(const cop_task_opts *task)
{
    return task->name ? strlen(task->name) + 1 : 0;
}

static void
copy_task(struct retry *retry, const cop_task_opts *task)
{
    retry->task = *task;
    if (task->arg.size > 0) {
        memcpy(retry->room, task->arg.data, task->arg.size);
        retry->task.arg.data = retry->room;
    }
    if (task->name) {
        char *name = (char *)retry->room + task->arg.size;
        memcpy(name, task->name, size_of_name(task));
        retry->task.name = name;
    }
}

static struct copi_backoff
backoff_of(cop_time min, cop_time max)
{
    min = min ? min : DEFAULT_MIN;
    if (max == 0) {
        max = min < DEFAULT_MAX ? DEFAULT_MAX : min;
    }
    return (struct copi_backoff){min, max};
}

/* What a task can do for itself is not looked at here. */
static bool
is_valid(const cop_retry_opts *opts)
{
    const cop_task_opts *task = &opts->task;
    struct copi_backoff backoff = backoff_of(opts->backoff_min, opts->backoff_max);
    bool goes_with_it =
        !task->link && !task->lazy && !task->awaiters_set_deadline && task->shutdown == 0;
    bool has_handlers = task->on_success || task->on_failure || task->env || task->drop_env;
    return goes_with_it && !has_handlers && (task->arg.size == 0 || task->arg.data)
           && opts->timeout >= 0 && backoff.min > 0 && backoff.max >= backoff.min;
}

static struct retry *
allocate(const cop_retry_opts *opts, bool valid)
{
    size_t name = size_of_name(&opts->task), arg = valid ? opts->task.arg.size : 0;
    return arg > SIZE_MAX / 4 ? NULL : copi_zalloc(sizeof(struct retry) + arg + name);
}

/* NULL: no memory. */
static struct retry *
make(cop_task_fn fn, const cop_retry_opts *opts, bool valid)
{
    struct retry *retry = allocate(opts, valid);
    cop_context *context =
        retry ? cop_context_new(opts->timeout > 0 ? opts->timeout : COP_FOREVER) : NULL;
    if (!context) {
        free(retry);
        return NULL;
    }
    copi_future_init(&retry->future, &(struct copi_future_init){&source, opts->task.result_size,
                                                                opts->file, opts->line});
    copi_lock_init(&retry->lock);
    retry->context = context;
    retry->fn = fn;
    retry->backoff = backoff_of(opts->backoff_min, opts->backoff_max);
    retry->most = opts->attempts ? opts->attempts : DEFAULT_ATTEMPTS;
    retry->again = opts->again;
    retry->env = opts->env;
    retry->drop_env = opts->drop_env;
    retry->watch.cancelled = context_cancelled;
    if (valid) {
        copy_task(retry, &opts->task);
        retry->task.file = opts->file;
        retry->task.line = opts->line;
    }
    return retry;
}

static void
begin(struct retry *retry, bool valid)
{
    cop_reason why = cop_failed(-EINVAL, NULL);
    struct attempt *first;
    int r = valid ? check_context(retry, &why) : -EINVAL;
    if (r == 0 && (r = new_attempt(&first, retry)) != 0) {
        why = cop_failed(r, NULL);
    }
    if (r) {
        copi_future_reject(&retry->future, &why);
        drop_env(retry);
    } else {
        retry->current = first;
        start(first);
    }
}

cop_future *
cop_retry_with(cop_task_fn fn, const cop_retry_opts *opts)
{
    static const cop_retry_opts none;
    const cop_retry_opts *how = opts ? opts : &none;
    bool valid = is_valid(how);
    struct retry *retry = make(fn, how, valid);
    if (!retry) {
        if (how->drop_env) {
            copi_run_drop(how->drop_env, how->env);
        }
        return copi_future_no_memory();
    }
    begin(retry, valid);
    return &retry->future;
}

cop_time
cop_retry_pause(cop_time min, cop_time max, uint32_t failures)
{
    struct copi_backoff backoff = backoff_of(min > 0 ? min : 0, max > 0 ? max : 0);
    if (failures == 0) {
        return 0;
    }
    backoff.max = backoff.max > backoff.min ? backoff.max : backoff.min;
    return copi_backoff_pause(&backoff, failures - 1, copi_random());
}
