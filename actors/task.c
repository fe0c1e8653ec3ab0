/*
 * actors/task.c - a function on a process of its own, and its result as a future.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: when the future is settled.
 *
 * The cell, the result and the argument are one block of memory, which the process holds while it
 * lives. The function writes its result in place; nobody looks at it before the future is settled, and
 * that happens when the process has ended, by copi_behaviour's `ended`: after the pid has stopped to
 * find it, before its links and monitors are told.
 *
 * A task whose thread was disowned may still write into the block, any time: so its hold is never given
 * back, and the block is never freed.
 *
 * Cancelling goes through the task's context, so that what the task has started in its turn learns of
 * it, too. It does not settle the future: the task does, by ending. But whatever it returns then, the
 * future is rejected. The word `cancelled` says how far a canceller is: the cause may be read when it
 * is CANCELLED (acquire, pairs with the store in cancel).
 *
 * The handlers of the options lie in the block, too, so that no memory can be missing when there is
 * something to be told. They are registered once: when the task is started, or when that fails, or when
 * it is abandoned. If none of these comes, because nobody has wanted a lazy task, their environment is
 * dropped with the block.
 *
 * A task may be an attempt for another future (actors/lazy.c), its origin. Then it settles that one with
 * its value before itself: whoever hears of the value finds it there, too.
 */
#include "actors/task.h"

#include "actors/future.h"
#include "actors/handlers.h"
#include "actors/lazy.h"
#include "actors/result.h"
#include "runtime/block.h"
#include "runtime/context.h"
#include "runtime/process.h"
#include "runtime/wait.h"

#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

enum {
    NOT_CANCELLED,
    BEING_CANCELLED,
    CANCELLED,
};

enum {
    LONGEST_NAME = 64 /* with its terminator */
};

struct copi_task {
    cop_future future;
    cop_task_fn fn;
    cop_context *context;
    cop_bytes arg;           /* in this block, behind the result */
    char name[LONGEST_NAME]; /* empty: none */
    bool contain_faults;
    size_t stack_size;
    copi_atomic64 pid; /* noted by who starts it, and by itself; before that a wish, or 0 */
    cop_pid owner;     /* to be linked to, or COP_NOBODY */
    bool awaiters_set_deadline, is_lazy;
    copi_atomic32 begun; /* a lazy one is started, or will never be */
    copi_atomic32 cancelled;
    cop_reason cause;
    bool returned; /* with a result */
    struct copi_result result;
    struct copi_handlers handlers;
    void (*drop_env)(void *env); /* theirs; NULL: nothing */
    bool is_told;                /* they are registered, or there are none */
    bool was_disowned;           /* it may still be in its function, and use what that knows */
    cop_future *origin;          /* whose attempt it is, held while it runs; NULL: nobody's */
    _Alignas(max_align_t) unsigned char room[];
};

static struct copi_task *
of(cop_future *future)
{
    return (struct copi_task *)(void *)future;
}

/* ---------------------------------------------------------------- in its process */

cop_reason
copi_task_failure(struct copi_process *self, int code)
{
    if (code > 0) {
        return cop_failed(-EINVAL, "{bad_return_value,%d}", code);
    }
    if (code == -ECANCELED && self->pending != COPI_NONE) {
        return self->reasons->pending;
    }
    if ((code == -ECANCELED || code == -ETIMEDOUT) && cop_cancelled() == code) {
        cop_reason why = cop_failed(code, NULL); /* it has stopped as its context wants */
        why.kind = code == -ECANCELED ? COP_SHUTDOWN : COP_FAILED;
        cop_reason_string(self->reasons->why, why.text, sizeof why.text);
        return why;
    }
    return cop_failed(code, NULL);
}

/* Whoever shuts it down while it is being started finds no pid, and leaves a wish in its place, which the
 * task itself sees when it notes its own. No pid is that small. */
enum wish {
    NO_WISH,
    TO_BE_ASKED,
    TO_BE_KILLED,
};

static cop_reason
wished(enum wish wish)
{
    return wish == TO_BE_KILLED ? COP_REASON_KILLED : COP_REASON_SHUTDOWN;
}

/* Whether it may go on: it may not, when it cannot even be asked to stop. */
static bool
note_own_pid(struct copi_task *task, cop_pid pid)
{
    uint64_t before = copi_exchange_64(&task->pid, pid.id); /* pairs with ask */
    bool is_wish = before == TO_BE_ASKED || before == TO_BE_KILLED;
    return !is_wish || cop_exit_signal(pid, wished((enum wish)before)) == 0;
}

static cop_reason
run(struct copi_process *self)
{
    union {
        const void *in;
        struct copi_task *out;
    } what = {.in = self->what};
    struct copi_task *task = what.out;
    if (!note_own_pid(task, self->pid)) {
        return COP_REASON_SHUTDOWN;
    }
    if (task->owner.id && cop_link(task->owner) != 0) {
        return cop_why();
    }
    copi_callback_begin(self, "task");
    int code = task->fn(task->arg, copi_result_place(&task->result, &task->future));
    copi_callback_end(self);
    if (code == 0 && (code = copi_result_keep(&task->result, &task->future)) == 0) {
        task->returned = true;
        return COP_REASON_NORMAL;
    }
    self->quiet = code < 0; /* who awaits it learns of it; it is no crash */
    return copi_task_failure(self, code);
}

/* ---------------------------------------------------------------- when that has ended */

/* The origin shows the value, of which this block stays the owner. */
static void
publish_in_origin(struct copi_task *task)
{
    if (task->origin && copi_future_claim(task->origin)) {
        cop_bytes value = copi_result_value(&task->result, &task->future);
        copi_future_publish_value(task->origin, value.data, value.size);
    }
}

static void
settle(struct copi_task *task, const cop_reason *reason, bool has_result)
{
    bool is_cancelled = copi_load_acquire_32(&task->cancelled) == CANCELLED; /* pairs with cancel */
    (void)copi_future_claim(&task->future); /* nobody else settles what has run */
    if (has_result && !is_cancelled) {
        publish_in_origin(task);
        copi_result_publish(&task->result, &task->future);
        return;
    }
    if (has_result) {
        copi_result_drop(&task->result, &task->future);
    }
    copi_future_publish_reason(&task->future, is_cancelled ? &task->cause : reason);
}

static void
ended(struct copi_process *process, const cop_reason *reason, bool was_disowned)
{
    union {
        const void *in;
        struct copi_task *out;
    } what = {.in = process->what};
    struct copi_task *task = what.out;
    task->was_disowned = was_disowned;
    settle(task, reason, task->returned && !was_disowned);
    cop_future_release(task->origin);
    if (!was_disowned) {
        cop_future_release(&task->future);
    }
}

static const struct copi_behaviour behaviour = {.kind = "task", .run = run, .ended = ended};

/* The handlers have run, or never will. */
static void
drop_env(struct copi_handlers *handlers)
{
    struct copi_task *task =
        (struct copi_task *)(void *)((char *)handlers - offsetof(struct copi_task, handlers));
    if (task->drop_env && !task->was_disowned) {
        copi_run_drop(task->drop_env, handlers->env);
    }
}

/* ---------------------------------------------------------------- as a future's source */

/* Whether the caller is the one who starts a lazy task, or sees to it that nobody does. */
static bool
take_start(struct copi_task *task)
{
    uint32_t not_yet = 0;
    bool is_mine = task->is_lazy && copi_cas_32(&task->begun, &not_yet, 1);
    if (is_mine) { /* the start's holds: one that is never started needs none */
        cop_future_retain(&task->future);
        if (task->origin) {
            cop_future_retain(task->origin);
        }
    }
    return is_mine;
}

static int
cancel(cop_future *future, const cop_reason *why)
{
    struct copi_task *task = of(future);
    if (take_start(task)) {
        copi_task_abandon(task, why);
        return 0;
    }
    uint32_t cancelled = NOT_CANCELLED;
    if (copi_cas_32(&task->cancelled, &cancelled, BEING_CANCELLED)) {
        task->cause = *why;
        copi_store_release_32(&task->cancelled, CANCELLED); /* pairs with settle */
        cop_context_cancel(task->context, *why);
    }
    return 0;
}

static cop_pid
pid_of(cop_future *future)
{
    uint64_t id = copi_load_relaxed_64(&of(future)->pid);
    return (cop_pid){id > TO_BE_KILLED ? id : COP_NOBODY.id};
}

/* The tightest of those who await it; one who waits without limit says nothing. */
static void
set_deadline(struct copi_task *task, cop_time timeout)
{
    cop_time deadline = copi_deadline(timeout),
             context = copi_context_deadline(copi_context_current());
    copi_context_tighten(task->context, deadline < context ? deadline : context);
}

static cop_future *
wanted(cop_future *future, cop_time timeout)
{
    struct copi_task *task = of(future);
    if (task->awaiters_set_deadline && timeout >= 0) {
        set_deadline(task, timeout);
    }
    if (take_start(task)) {
        cop_pid pid;
        copi_task_start(task, false, COP_NOBODY, &pid); /* an error is the rejection */
    }
    return NULL;
}

static int
ask(struct copi_task *task, enum wish wish)
{
    uint64_t id = copi_load_relaxed_64(&task->pid);
    while (id <= TO_BE_KILLED) {
        if (id >= wish || copi_cas_64(&task->pid, &id, wish)) { /* pairs with note_own_pid */
            return 0;
        }
    }
    return cop_exit_signal((cop_pid){id}, wished(wish));
}

static int
ask_and_wait(cop_future *future, enum wish wish, cop_time timeout)
{
    cop_bytes value;
    int r = ask(of(future), wish);
    return r ? r : cop_await_bytes(future, &value, timeout);
}

static int
shut_down(cop_future *future, cop_time timeout)
{
    const cop_reason never = {.kind = COP_SHUTDOWN, .code = -ECANCELED};
    if (cop_pid_eq(pid_of(future), cop_self())) {
        return copi_fail(-EDEADLK);
    }
    if (take_start(of(future))) {
        copi_task_abandon(of(future), &never);
    }
    cop_unlink(pid_of(future)); /* how it ends now is no news to the caller */
    bool asks = timeout >= 0 || copi_future_outcome(future) != -EINPROGRESS;
    int r = asks ? ask_and_wait(future, TO_BE_ASKED, timeout) : -ETIMEDOUT;
    if (r == -ETIMEDOUT && copi_future_outcome(future) == -EINPROGRESS) {
        r = ask_and_wait(future, TO_BE_KILLED, COP_FOREVER);
    }
    return r;
}

static void
free_task(cop_future *future)
{
    struct copi_task *task = of(future);
    if (!task->is_told) {
        drop_env(&task->handlers);
    }
    cop_context_free(task->context);
    copi_block_free(task);
}

static const struct copi_source source = {
    .cancel = cancel,
    .pid = pid_of,
    .wanted = wanted,
    .shutdown = shut_down,
    .free = free_task,
};

/* ---------------------------------------------------------------- making */

static size_t
size_of_result(const cop_task_opts *opts)
{
    return opts->result_size == COP_ANY ? 0 : opts->result_size;
}

/* NULL also when there is no such size. */
static struct copi_task *
allocate(const cop_task_opts *opts)
{
    size_t most = SIZE_MAX / 4, room = size_of_result(opts);
    size_t align = _Alignof(max_align_t);
    if (room > most || opts->arg.size > most) {
        return NULL;
    }
    room = (room + align - 1) / align * align;
    struct copi_task *task = copi_block_new(sizeof *task + room + opts->arg.size);
    if (task) {
        memset(task, 0, sizeof *task + room);
    }
    if (task && opts->arg.size > 0) {
        memcpy(task->room + room, opts->arg.data, opts->arg.size);
        task->arg = (cop_bytes){task->room + room, opts->arg.size};
    }
    return task;
}

/* NULL: nothing is. */
static const char *
what_is_wrong(cop_task_fn fn, const cop_task_opts *opts)
{
    return !fn                                                ? "a task without a function"
           : opts->arg.size > 0 && !opts->arg.data            ? "an argument without data"
           : opts->lazy && opts->link                         ? "a lazy task with a link"
           : opts->retry && !opts->lazy                       ? ".retry without .lazy"
           : opts->name && strlen(opts->name) >= LONGEST_NAME ? "a name that is too long"
                                                              : NULL;
}

int
copi_task_check(cop_task_fn fn, const cop_task_opts *opts)
{
    const char *wrong = what_is_wrong(fn, opts);
    if (!wrong) {
        return 0;
    }
    const cop_reason why = cop_failed(-EINVAL, "%s", wrong);
    return copi_fail_why(&why, -EINVAL);
}

/* NULL: no memory; what is in the options is still whose it was. */
static struct copi_task *
make(cop_task_fn fn, const cop_task_opts *opts, cop_context *above, cop_future *origin)
{
    struct copi_task *task = allocate(opts);
    cop_context *context = task ? copi_context_below(above) : NULL;
    if (!context) {
        copi_block_free(task);
        return NULL;
    }
    const struct copi_future_init how = {&source, opts->result_size, opts->file, opts->line};
    (origin ? copi_future_init_part : copi_future_init)(&task->future, &how);
    task->fn = fn;
    task->origin = origin;
    task->context = context;
    task->handlers = (struct copi_handlers){
        .on_success = opts->on_success,
        .on_failure = opts->on_failure,
        .env = opts->env,
        .over = drop_env,
        .whose = "a task",
    };
    task->drop_env = opts->drop_env;
    task->result = (struct copi_result){
        .drop = opts->drop,
        .inside = size_of_result(opts) ? task->room : NULL,
    };
    task->awaiters_set_deadline = opts->awaiters_set_deadline;
    task->is_lazy = opts->lazy;
    task->contain_faults = opts->contain_faults;
    task->stack_size = opts->stack_size;
    if (opts->name) {
        memccpy(task->name, opts->name, '\0', sizeof task->name);
    }
    return task;
}

/* The same, but the environment is dropped. */
static struct copi_task *
make_or_drop(cop_task_fn fn, const cop_task_opts *opts, cop_context *above, cop_future *origin)
{
    struct copi_task *task = make(fn, opts, above, origin);
    if (!task && opts->drop_env) {
        copi_run_drop(opts->drop_env, opts->env);
    }
    return task;
}

cop_future *
copi_task_attempt(cop_task_fn fn, const cop_task_opts *opts, cop_context *above, cop_future *origin)
{
    struct copi_task *task = make_or_drop(fn, opts, above, origin);
    return task ? &task->future : NULL;
}

/* ---------------------------------------------------------------- starting */

/* Its handlers are to be called. */
static void
tell(struct copi_task *task)
{
    const struct copi_handlers *handlers = &task->handlers;
    task->is_told = true;
    if (handlers->on_failure) {
        copi_future_observed(&task->future);
    }
    if (handlers->on_success || handlers->on_failure || task->drop_env) {
        copi_handlers_register(&task->future, &task->handlers);
    }
}

static void
reject(struct copi_task *task, const cop_reason *why)
{
    copi_future_reject(&task->future, why);
    cop_future_release(task->origin);
    cop_future_release(&task->future);
}

void
copi_task_abandon(struct copi_task *task, const cop_reason *why)
{
    tell(task);
    reject(task, why);
}

cop_future *
copi_task_refused(const cop_task_opts *opts, const cop_reason *why)
{
    cop_task_opts bare = *opts; /* what is wrong may be with the rest */
    bare.arg = (cop_bytes){0};
    bare.name = NULL;
    bare.lazy = false; /* nobody is to start it */
    struct copi_task *task = make_or_drop(NULL, &bare, copi_context_current(), NULL);
    if (!task) {
        return copi_future_no_memory();
    }
    cop_future_retain(&task->future);
    copi_task_abandon(task, why);
    return &task->future;
}

cop_future *
copi_task_new(struct copi_task **out, cop_task_fn fn, const cop_task_opts *opts)
{
    if (copi_task_check(fn, opts) != 0) {
        const cop_reason why = cop_why();
        *out = NULL;
        return copi_task_refused(opts, &why);
    }
    struct copi_task *task = *out = make_or_drop(fn, opts, copi_context_current(), NULL);
    if (!task) {
        return copi_future_no_memory();
    }
    if (!opts->lazy) {
        cop_future_retain(&task->future); /* the start's */
    }
    return &task->future;
}

/* An error is one of cop_spawn_with, and the start's hold is still there. */
static int
spawn(struct copi_task *task, bool link, cop_pid owner, cop_pid *out)
{
    cop_start_opts opts = {
        .size = sizeof opts,
        .name = task->name[0] ? task->name : NULL,
        .link = link,
        .stack_size = task->stack_size,
        .contain_faults = task->contain_faults,
        .context = task->context,
    };
    const struct copi_spawn how = {.behaviour = &behaviour, .what = task, .opts = &opts};
    cop_pid pid;
    task->owner = owner;
    cop_future_retain(&task->future); /* its pid is still to be noted */
    int r = copi_spawn(&pid, NULL, &how);
    if (r == 0) {
        uint64_t nobody = NO_WISH;
        copi_cas_64(&task->pid, &nobody, pid.id); /* a wish is for the task to see */
        *out = pid;
    }
    cop_future_release(&task->future);
    return r;
}

int
copi_task_start(struct copi_task *task, bool link, cop_pid owner, cop_pid *out)
{
    tell(task);
    int r = spawn(task, link, owner, out);
    if (r) {
        const cop_reason why = copi_here.is_library ? cop_failed(r, NULL) : cop_why();
        reject(task, &why);
    }
    return r;
}

int
copi_task_fire(cop_task_fn fn, const cop_task_opts *opts)
{
    struct copi_task *task = make(fn, opts, copi_context_current(), NULL);
    cop_pid pid;
    if (!task) {
        return copi_fail(-ENOMEM);
    }
    cop_future_retain(&task->future); /* the start's */
    int r = spawn(task, opts->link, COP_NOBODY, &pid);
    if (r == 0) {
        tell(task);
    } else {
        task->is_told = true; /* of nothing: it has never been */
        cop_future_release(&task->future);
    }
    cop_future_release(&task->future);
    return r;
}

cop_future *
cop_async_with(cop_task_fn fn, const cop_task_opts *opts)
{
    static const cop_task_opts none;
    const cop_task_opts *how = opts ? opts : &none;
    struct copi_task *task;
    cop_pid pid;
    if (how->retry && copi_task_check(fn, how) == 0) {
        return copi_lazy_new(fn, how);
    }
    cop_future *future = copi_task_new(&task, fn, how);
    if (task && !how->lazy) {
        copi_task_start(task, how->link, COP_NOBODY, &pid);
    }
    return future;
}

/* ---------------------------------------------------------------- stopping */

int
cop_task_shutdown(cop_future *future, cop_time timeout)
{
    const struct copi_source *its = future->source;
    return its && its->shutdown ? its->shutdown(future, timeout) : copi_fail(-EINVAL);
}
