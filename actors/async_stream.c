/*
 * actors/async_stream.c - a function over many elements, so many at a time.
 *
 * Room: actors/. The process that takes the results.
 * Touch freely: nothing. Ask first: who stops what still runs.
 *
 * A stream is a ring of tasks, oldest first. Taking a result starts as many elements as there is room
 * for, and then waits: for the oldest, or for any. Nothing runs before the first result is asked for,
 * and nothing runs on its own: the stream has no process.
 *
 * It belongs to the process that takes from it first. Should that end, the stream ends with it: its
 * tasks are asked to stop, and its memory is freed, by a call deferred to the process's end.
 *
 * Each element has its own end of time, from its start. While one is waited for, others may be late;
 * so a wait ends at the earliest end of time of all that run.
 */
#include "actors/future.h"
#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/process.h"
#include "runtime/thread.h"

#include <coppice/context.h>
#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

#define PATIENCE COP_SEC(5) /* Elixir's, with an element, and with a task that is asked to stop */

struct running {
    cop_future *future;
    size_t index;
    cop_time deadline;
    bool late; /* and killed */
};

struct cop_async_stream {
    cop_task_fn fn;
    cop_async_stream_opts opts;
    copi_starter start;
    cop_pid supervisor; /* the starter's */
    cop_pid owner;
    size_t taken; /* elements of the input */
    bool input_over, is_over;
    cop_future *last;     /* what was handed out, borrowed */
    cop_future **waiting; /* room for limit of them, behind `running` */
    size_t count;
    struct running running[]; /* limit of them, oldest first */
};

/* ---------------------------------------------------------------- the input */

static void
close_input(cop_async_stream *stream)
{
    if (!stream->input_over) {
        stream->input_over = true;
        if (stream->opts.close) {
            stream->opts.close(stream->opts.env);
        }
    }
}

static bool
ask_for_element(const cop_async_stream *stream, cop_bytes *item)
{
    if (stream->opts.next) {
        return stream->opts.next(item, stream->opts.env);
    }
    if (stream->taken == stream->opts.count) {
        return false;
    }
    *item = stream->opts.items[stream->taken];
    return true;
}

static bool
next_element(cop_async_stream *stream, cop_bytes *item)
{
    if (stream->input_over) {
        return false;
    }
    bool more = ask_for_element(stream, item);
    if (!more) {
        close_input(stream);
    }
    return more;
}

static void
start_more(cop_async_stream *stream)
{
    cop_task_opts opts = stream->opts.task;
    opts.link = false; /* see pass_on */
    opts.lazy = false;
    while (stream->count < stream->opts.limit && next_element(stream, &opts.arg)) {
        stream->running[stream->count++] = (struct running){
            .future = stream->start(stream->fn, &opts, stream->supervisor),
            .index = stream->taken++,
            .deadline = copi_deadline(stream->opts.timeout),
        };
    }
}

/* ---------------------------------------------------------------- the end */

static void
ask_all_to_stop(cop_async_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        cop_exit_signal(cop_future_pid(stream->running[i].future), COP_REASON_SHUTDOWN);
    }
}

static void
let_go_of_all(cop_async_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        cop_future_release(stream->running[i].future);
    }
    stream->count = 0;
    cop_future_release(stream->last);
    stream->last = NULL;
    close_input(stream);
}

static void
free_stream(cop_async_stream *stream)
{
    copi_live_gone(COPI_LIVE_ASYNC_STREAM);
    free(stream);
}

/* The process that takes from it ends. */
static void
abandon(void *arg)
{
    cop_async_stream *stream = arg;
    ask_all_to_stop(stream);
    let_go_of_all(stream);
    free_stream(stream);
}

/* All at the same time, so that it does not take long. */
static void
stop_all(cop_async_stream *stream)
{
    bool was = cop_shield(true);
    ask_all_to_stop(stream);
    for (size_t i = 0; i < stream->count; i++) {
        cop_task_shutdown(stream->running[i].future, PATIENCE);
    }
    let_go_of_all(stream);
    cop_shield(was);
}

/* ---------------------------------------------------------------- waiting */

static cop_time
earliest_deadline(const cop_async_stream *stream)
{
    cop_time earliest = COP_FOREVER;
    for (size_t i = 0; i < stream->count; i++) {
        const struct running *element = &stream->running[i];
        if (!element->late && element->deadline < earliest) {
            earliest = element->deadline;
        }
    }
    return earliest;
}

static bool
is_settled(const struct running *element)
{
    return copi_future_outcome(element->future) != -EINPROGRESS;
}

/* What the caller is to get next: its place, or count: nothing yet. */
static size_t
find_ready(const cop_async_stream *stream)
{
    size_t looked_at = stream->opts.unordered ? stream->count : 1;
    for (size_t i = 0; i < looked_at; i++) {
        if (is_settled(&stream->running[i])) {
            return i;
        }
    }
    return stream->count;
}

/* -ETIMEDOUT: one is late, and that ends the stream. */
static int
kill_late(cop_async_stream *stream)
{
    cop_time now = copi_clock();
    for (size_t i = 0; i < stream->count; i++) {
        struct running *element = &stream->running[i];
        if (element->deadline > now || element->late || is_settled(element)) {
            continue;
        }
        if (!stream->opts.kill_on_timeout) {
            return copi_fail(-ETIMEDOUT);
        }
        element->late = true;
        cop_exit_signal(cop_future_pid(element->future), COP_REASON_KILLED);
    }
    return 0;
}

static int
await_one(cop_async_stream *stream)
{
    size_t n = stream->opts.unordered ? stream->count : 1;
    for (size_t i = 0; i < n; i++) {
        stream->waiting[i] = stream->running[i].future;
    }
    cop_time deadline = earliest_deadline(stream), now = copi_clock();
    cop_time left = deadline == COP_FOREVER ? COP_FOREVER : deadline > now ? deadline - now : 0;
    int r = copi_await_any(stream->waiting, n, left);
    if (r != -ETIMEDOUT) {
        return r;
    }
    r = cop_cancelled(); /* the caller's context, or only an element's time? */
    return r ? r : kill_late(stream);
}

static void
hand_out(cop_async_stream *stream, size_t place, cop_async_item *out)
{
    struct running element = stream->running[place];
    stream->count--;
    memmove(&stream->running[place], &stream->running[place + 1],
            (stream->count - place) * sizeof element);
    stream->last = element.future;

    *out = (cop_async_item){.index = element.index};
    out->code = cop_future_state(element.future, &out->why);
    if (out->code == 0) {
        out->value = element.future->value;
    } else if (element.late) {
        out->code = -ETIMEDOUT;
        out->why = cop_failed(-ETIMEDOUT, "timeout");
    }
}

/* What a link would do: the tasks have none, so that nothing of theirs reaches the mailbox. */
static void
pass_on(const cop_async_stream *stream, const cop_async_item *item)
{
    const struct copi_process *self = copi_here.process;
    bool traps = copi_is(self, COPI_IS_FOREIGN) || copi_load_relaxed_32(&self->traps);
    if (stream->opts.task.link && !traps && item->code != 0 && cop_is_crash(item->why)) {
        cop_exit(item->why);
    }
}

static int
take(cop_async_stream *stream, cop_async_item *out)
{
    cop_future_release(stream->last);
    stream->last = NULL;
    int over = cop_cancelled(); /* nothing is begun for who cannot wait */
    if (over == 0) {
        start_more(stream);
    } else if (stream->count == 0) {
        return over;
    }
    while (stream->count > 0) {
        size_t place = find_ready(stream);
        if (place < stream->count) {
            hand_out(stream, place, out);
            pass_on(stream, out);
            return 0;
        }
        int r = await_one(stream);
        if (r) {
            return r;
        }
    }
    return -ENODATA;
}

static int
own(cop_async_stream *stream)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r || cop_pid_eq(stream->owner, self->pid)) {
        return r;
    }
    if (stream->owner.id != 0) {
        return copi_fail(-EPERM);
    }
    r = cop_at_exit(abandon, stream);
    if (r == 0) {
        stream->owner = self->pid;
    }
    return r;
}

int
cop_async_stream_next(cop_async_stream *stream, cop_async_item *out)
{
    int r = own(stream);
    if (r == 0 && stream->is_over) {
        r = -ENODATA;
    }
    if (r) {
        return r;
    }
    r = take(stream, out);
    if (r == -ENODATA || (r == -ETIMEDOUT && cop_cancelled() == 0)) {
        stream->is_over = true;
        stop_all(stream);
    }
    return r;
}

void
cop_async_stream_free(cop_async_stream *stream)
{
    if (stream) {
        cop_undefer(abandon, stream, false);
        stop_all(stream);
        free_stream(stream);
    }
}

/* ---------------------------------------------------------------- made */

static cop_future *
start_plain(cop_task_fn fn, const cop_task_opts *opts, cop_pid supervisor)
{
    (void)supervisor;
    return cop_async_with(fn, opts);
}

/* Each result is taken, and there is one environment for all: handlers have no place here. */
static const char *
what_is_refused(const cop_task_opts *task)
{
    return task->on_success || task->on_failure || task->env || task->drop_env
               ? "the tasks of a stream have no handlers"
           : task->retry ? "the tasks of a stream are not tried again"
                         : NULL;
}

static bool
is_valid(cop_task_fn fn, const cop_async_stream_opts *opts)
{
    bool list = opts->items != NULL || opts->count > 0;
    return fn && opts->timeout >= 0 && !(list && opts->next) && (opts->count == 0 || opts->items)
           && opts->limit < SIZE_MAX / sizeof(struct running) / 4;
}

int
copi_async_stream_new(cop_async_stream **out, cop_task_fn fn, const cop_async_stream_opts *opts,
                      copi_starter start, cop_pid supervisor)
{
    if (!opts || !is_valid(fn, opts)) {
        return copi_fail(-EINVAL);
    }
    const char *refused = what_is_refused(&opts->task);
    if (refused) {
        const cop_reason why = cop_failed(-EINVAL, "%s", refused);
        return copi_fail_why(&why, -EINVAL);
    }
    size_t limit = opts->limit ? opts->limit : copi_cores();
    cop_async_stream *stream = copi_zalloc(
        sizeof *stream + limit * (sizeof stream->running[0] + sizeof stream->waiting[0]));
    if (!stream) {
        return copi_fail(-ENOMEM);
    }
    copi_live_born(COPI_LIVE_ASYNC_STREAM);
    stream->fn = fn;
    stream->opts = *opts;
    stream->opts.limit = limit;
    stream->opts.timeout = opts->timeout ? opts->timeout : PATIENCE;
    stream->start = start;
    stream->supervisor = supervisor;
    stream->waiting = (cop_future **)(void *)&stream->running[limit];
    *out = stream;
    return 0;
}

int
cop_async_stream_new(cop_async_stream **out, cop_task_fn fn, const cop_async_stream_opts *opts)
{
    return copi_async_stream_new(out, fn, opts, start_plain, COP_NOBODY);
}
