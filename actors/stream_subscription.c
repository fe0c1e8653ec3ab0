/*
 * actors/stream_subscription.c - how a stream runs: demand, signals, cancellation, the end.
 *
 * Room: actors/. Workers, but for what any thread may ask.
 * Touch freely: how much is done before others have their turn. Ask first: all else.
 *
 * A subscription is a pipeline that runs: a sink at the bottom, and above it the stages, the last one
 * first, each of which pulls from the one before it. It has no thread. It is a step for a worker: while
 * there is demand, pull an element out of the last stage, and give it to the sink. Stages are plain
 * functions that call each other, in one worker at a time; so what they keep needs no lock, and elements
 * pass from stage to stage without being queued. A function that asks for more, or cancels, from inside
 * a callback changes a word that the step reads when the callback has returned: nothing is called inside
 * another.
 *
 * The step. `wakes` counts what has happened that the step has not looked at. Who has something new
 * writes it first, then adds one; whoever finds that it was 0 hands the subscription to the workers. The
 * worker reads the count, does all there is to do, and takes off as many as it had read: if others have
 * come meanwhile it goes on, else it is done, and has not touched the subscription since. Both are full
 * barriers, so what was written before a wake is seen by the step that it causes, and steps see each
 * other's work. A subscription that is over leaves a count behind, so that nobody hands it over again.
 *
 * What any thread may write:
 *
 *   demand         adding and taking off are compare-and-swaps; UINT64_MAX stays what it is
 *   is_cancelled, is_refused   set, once, for good
 *   branches       other subscriptions that feed this one (a merged stream's, say); see below
 *
 * The end goes through phases, each of which is entered before what it does is done, so that a crash in
 * a user's function goes on with the next one:
 *
 *   CLOSING    each stage is closed, from the last to the first: a cancellation travels up, and every
 *              element that is queued or in hand is dropped
 *   TELLING    error or complete is signalled; nothing, after a cancellation
 *   LINGERING  until the branches have closed: their functions are this stream's, too
 *   OVER       stages and contexts are let go of; `ended` is settled, last
 *
 * A crash. The step is called so that a cop_exit in it comes back. Where it was is lost, but not what it
 * had: whoever calls a user's function with an element that it owns notes that in `in_hand`, before, and
 * takes the note away, after. CLOSING drops what is noted.
 *
 * A stuck worker may be killed, and disowned: its thread is in some function of the user's, and may come
 * back one day. Meanwhile nobody may touch the stages. `grip` says who may signal:
 *
 *   IDLE -> PULLING -> IDLE        the step, around all that it does
 *   PULLING -> SIGNALLING -> PULLING   the step, around each call of the sink
 *   PULLING -> DONE                the step, when it is OVER
 *   PULLING, SIGNALLING -> LOST    who disowns the worker
 *
 * All are compare-and-swaps, so exactly one of the two goes on signalling. When it is LOST, another worker
 * signals the error, and settles `ended`; should the old one come back, it closes the stages, drops what
 * it had, and ends.
 *
 * Who holds it: the worker or whoever waits to wake it (one hold, until it is over; two, when it is lost),
 * each branch, and each handle.
 */
#include "actors/future.h"
#include "actors/stream.h"
#include "actors/workers.h"
#include "runtime/context.h"
#include "runtime/exit.h"
#include "runtime/live.h"
#include "runtime/process.h"
#include "runtime/report.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BUDGET = 256 /* elements, after which others have their turn */
};

enum phase {
    SUBSCRIBING,
    OPENING,
    FLOWING,
    CLOSING,
    TELLING,
    LINGERING,
    OVER,
};

enum grip {
    IDLE,
    PULLING,
    SIGNALLING,
    DONE,
    LOST,
};

static void run(struct copi_work *work);
static void give_up(struct copi_work *work, cop_pid worker, const cop_reason *why);

static const struct copi_work_kind work_kind = {run, give_up};

static cop_subscription *
of(struct copi_work *work)
{
    return (cop_subscription *)(void *)((char *)work - offsetof(cop_subscription, work));
}

/* ---------------------------------------------------------------- any thread */

cop_subscription *
copi_subscription_retain(cop_subscription *self)
{
    copi_fetch_add_32(&self->holds, 1);
    return self;
}

static void
let_go_of_stages(cop_subscription *self)
{
    copi_stage_let_go(self->top);
    self->top = NULL;
    free(self->room);
    self->room = NULL;
}

void
cop_subscription_release(cop_subscription *self)
{
    if (self && copi_fetch_add_32(&self->holds, (uint32_t)-1) == 1) {
        let_go_of_stages(self); /* if it never ran */
        cop_future_release(self->ended);
        cop_context_free(self->context);
        cop_resolver_free(self->resolver);
        self->sink->free(self);
        copi_live_gone(COPI_LIVE_SUBSCRIPTION);
    }
}

void
copi_subscription_wake(cop_subscription *self)
{
    if (copi_fetch_add_32(&self->wakes, 1) == 0) { /* pairs with is_done's */
        copi_workers_submit(&self->work);
    }
}

static void
add_demand(cop_subscription *self, uint64_t n)
{
    uint64_t before = copi_load_relaxed_64(&self->demand), after;
    do {
        after = n < UINT64_MAX - before ? before + n : UINT64_MAX;
    } while (!copi_cas_64(&self->demand, &before, after));
}

void
copi_subscription_ask(cop_subscription *self, uint64_t n)
{
    add_demand(self, n);
    copi_subscription_wake(self);
}

int
cop_subscription_request(cop_subscription *self, uint64_t n)
{
    if (n == 0) {
        copi_store_relaxed_32(&self->is_refused, 1);
        copi_subscription_wake(self);
        return copi_fail(-EINVAL);
    }
    copi_subscription_ask(self, n);
    return 0;
}

static bool
is_cancelled(const cop_subscription *self)
{
    return copi_load_relaxed_32(&self->is_cancelled) != 0;
}

void
cop_subscription_cancel(cop_subscription *self)
{
    if (copi_exchange_32(&self->is_cancelled, 1) == 0) {
        cop_context_cancel(self->context, cop_failed(-ECANCELED, "the stream was cancelled"));
        copi_subscription_wake(self);
    }
}

cop_future *
cop_subscription_ended(cop_subscription *self)
{
    return cop_future_retain(self->ended);
}

/* Whether the caller is in one of its functions, or in one of a branch of it. */
static bool
is_inside(const cop_subscription *self)
{
    struct copi_work *work = copi_worker_current();
    cop_subscription *at = work && work->kind == &work_kind ? of(work) : NULL;
    while (at && at != self) {
        at = copi_load_acquire_ptr(&at->feeds);
    }
    return at != NULL;
}

int
cop_subscription_cancel_wait(cop_subscription *self, cop_time timeout)
{
    cop_subscription_cancel(self);
    if (is_inside(self)) {
        return copi_fail(-EDEADLK);
    }
    int r = cop_await(self->ended, NULL, 0, timeout);
    return copi_future_outcome(self->ended) == -EINPROGRESS ? r : 0;
}

/* ---------------------------------------------------------------- who may signal */

static bool
change_grip(cop_subscription *self, enum grip from, enum grip to)
{
    uint32_t expected = from;
    return copi_cas_32(&self->grip, &expected, to);
}

bool
copi_subscription_is_lost(const cop_subscription *self)
{
    return copi_load_acquire_32(&self->grip) == LOST; /* pairs with give_up */
}

static void leave(cop_subscription *self) __attribute__((noreturn));

/* What only this worker does, unless it was disowned meanwhile. */
static void
pass_grip(cop_subscription *self, enum grip from, enum grip to)
{
    if (!change_grip(self, from, to)) {
        leave(self);
    }
}

/* The same inside a step: out of it first. */
static void
begin_signal(cop_subscription *self)
{
    if (!change_grip(self, PULLING, SIGNALLING)) {
        copi_exit_disowned(copi_here.process);
    }
}

static void
end_signal(cop_subscription *self)
{
    if (!change_grip(self, SIGNALLING, PULLING)) {
        copi_exit_disowned(copi_here.process);
    }
}

/* ---------------------------------------------------------------- the end, in phases */

static void
fail(cop_subscription *self, const cop_reason *why)
{
    self->is_failed = true;
    self->why = *why;
    self->phase = CLOSING;
}

/* All of them first: one may lie in the memory of a stage further down. */
static void
drop_in_hand(cop_subscription *self)
{
    if (self->in_hand) {
        self->in_hand = NULL;
        copi_element_drop(&self->top->elements, self->room);
    }
    for (cop_stream *stage = self->to_close; stage; stage = stage->up) {
        void *room = stage->in_hand;
        if (room) {
            stage->in_hand = NULL;
            copi_element_drop(&stage->up->elements, room);
        }
    }
}

static void
close_stages(cop_subscription *self)
{
    drop_in_hand(self);
    while (self->to_close) {
        cop_stream *stage = self->to_close;
        self->to_close = stage->up;
        if (stage->kind->close) {
            stage->kind->close(stage);
        }
    }
    self->phase = TELLING;
}

static void
tell(cop_subscription *self)
{
    self->phase = LINGERING;
    if (!self->is_failed && !self->is_complete) {
        return;
    }
    copi_store_relaxed_32(&self->is_told, 1);
    begin_signal(self);
    self->sink->over(self, self->is_failed ? &self->why : NULL);
    end_signal(self);
}

static void
linger(cop_subscription *self)
{
    uint32_t left = copi_load_acquire_32(&self->branches); /* pairs with branch_closed */
    if (left == 0) {
        self->phase = OVER;
    }
}

static void
settle(cop_subscription *self)
{
    if (self->is_complete && !self->is_failed) {
        cop_resolve(self->resolver, (cop_bytes){NULL, 0});
    } else {
        cop_reject(self->resolver, self->is_failed
                                       ? self->why
                                       : cop_failed(-ECANCELED, "the stream was cancelled"));
    }
}

static void
conclude(cop_subscription *self)
{
    pass_grip(self, PULLING, DONE);
    let_go_of_stages(self);
    self->sink->closed(self);
    settle(self);
    cop_subscription_release(self);
}

/* ---------------------------------------------------------------- a step */

static void
open_stages(cop_subscription *self)
{
    self->phase = FLOWING;
    for (cop_stream *stage = self->top; stage; stage = stage->up) {
        if (stage->kind->open && !is_cancelled(self)) {
            stage->kind->open(stage, self);
        }
    }
}

static void
subscribed(cop_subscription *self)
{
    self->phase = OPENING;
    begin_signal(self);
    self->sink->subscribed(self);
    end_signal(self);
}

static void
take_demand(cop_subscription *self)
{
    uint64_t before = copi_load_relaxed_64(&self->demand);
    while (before != UINT64_MAX && !copi_cas_64(&self->demand, &before, before - 1)) {
    }
}

static void
deliver(cop_subscription *self)
{
    int r = 0;
    take_demand(self);
    self->in_hand = self->room;
    if (!is_cancelled(self)) {
        begin_signal(self);
        r = self->sink->element(self, self->room);
        end_signal(self);
    }
    if (self->in_hand) {
        self->in_hand = NULL;
        copi_element_drop(&self->top->elements, self->room);
    }
    if (r) {
        const cop_reason why = cop_failed(r, NULL);
        fail(self, &why);
    }
}

/* Whether there may be more to do now. */
static bool
pull(cop_subscription *self)
{
    bool is_wanted = copi_load_relaxed_64(&self->demand) > 0;
    cop_reason why;
    switch (self->top->kind->pull(self->top, is_wanted ? self->room : NULL, &why)) {
    case COPI_ELEMENT:
        deliver(self);
        return true;
    case COPI_NOT_YET:
        return false;
    case COPI_COMPLETE:
        self->is_complete = true;
        self->phase = CLOSING;
        return false;
    case COPI_BROKEN:
        break;
    }
    fail(self, &why);
    return false;
}

/* Whether it was interrupted, so that others have their turn. */
static bool
flow(cop_subscription *self)
{
    for (int left = BUDGET; self->phase == FLOWING; left--) {
        if (is_cancelled(self)) {
            self->phase = CLOSING;
        } else if (copi_load_relaxed_32(&self->is_refused)) {
            const cop_reason why = cop_failed(-EINVAL, "no elements were requested");
            fail(self, &why);
        } else if (left == 0) {
            return true;
        } else if (!pull(self)) {
            break;
        }
    }
    return false;
}

struct step {
    cop_subscription *self;
    bool was_interrupted;
};

static void
take_step(void *arg)
{
    struct step *step = arg;
    cop_subscription *self = step->self;
    if (self->phase == SUBSCRIBING) {
        subscribed(self);
    }
    if (self->phase == OPENING) {
        open_stages(self);
    }
    if (self->phase == FLOWING) {
        step->was_interrupted = flow(self);
    }
    if (self->phase == CLOSING) {
        close_stages(self);
    }
    if (self->phase == TELLING) {
        tell(self);
    }
    if (self->phase == LINGERING) {
        linger(self);
    }
}

/* Of the stream, as long as it can tell anybody. */
static void
crashed(cop_subscription *self, const cop_reason *why)
{
    if (change_grip(self, SIGNALLING, PULLING) && self->phase > TELLING) {
        char words[sizeof why->text];
        copi_report(COPI_ERROR, "what is told of a stream's end crashed: %s",
                    cop_reason_string(*why, words, sizeof words));
    }
    if (copi_subscription_is_lost(self)) {
        leave(self);
    }
    if (self->phase < CLOSING) {
        fail(self, why);
    } else if (self->phase <= TELLING && !self->is_failed) {
        self->is_failed = true;
        self->why = *why;
    }
}

/* ---------------------------------------------------------------- in a worker */

static void
work_in_context(cop_subscription *self, struct copi_process *worker, struct step *step)
{
    cop_reason why;
    pass_grip(self, IDLE, PULLING);
    (void)cop_context_enter(self->context); /* without memory: not in it */
    while (!copi_worker_call(worker, "stream", take_step, step, &why)) {
        crashed(self, &why);
    }
    copi_worker_begin_anew(worker);
    if (step->was_interrupted && worker->pending != COPI_NONE) {
        const cop_reason shutdown = COP_REASON_SHUTDOWN; /* and it would go on for ever */
        fail(self, &shutdown);
    }
}

/* Nothing has come since the count was read: who comes next hands it over again, and it is not ours any
 * more. */
static bool
is_done(cop_subscription *self, uint32_t seen)
{
    copi_store_relaxed_64(&self->runner, 0);
    pass_grip(self, PULLING, IDLE);
    return copi_fetch_add_32(&self->wakes, -seen) == seen; /* pairs with copi_subscription_wake's */
}

static void run_lost(cop_subscription *self);

static void
run(struct copi_work *work)
{
    cop_subscription *self = of(work);
    struct copi_process *worker = copi_here.process;
    struct step step;
    uint32_t seen;
    if (copi_subscription_is_lost(self)) {
        run_lost(self);
        return;
    }
    do {
        step = (struct step){.self = self};
        copi_store_relaxed_64(&self->runner, worker->pid.id);
        seen = copi_load_acquire_32(&self->wakes);
        work_in_context(self, worker, &step);
        if (self->phase == OVER) {
            conclude(self);
            return;
        }
        if (step.was_interrupted) {
            copi_store_relaxed_64(&self->runner, 0);
            pass_grip(self, PULLING, IDLE);
            copi_workers_submit(work);
            return;
        }
    } while (!is_done(self, seen));
}

/* ---------------------------------------------------------------- a stuck worker */

static void
let_waiters_know(cop_subscription *self)
{
    for (cop_stream *stage = self->top; stage; stage = stage->up) {
        if (stage->kind->abandon) {
            stage->kind->abandon(stage);
        }
    }
}

static void
give_up(struct copi_work *work, cop_pid worker, const cop_reason *why)
{
    cop_subscription *self = of(work);
    if (copi_load_relaxed_64(&self->runner) != worker.id) {
        return; /* it was about to take the next */
    }
    self->lost_why = *why;
    if (change_grip(self, PULLING, LOST) || change_grip(self, SIGNALLING, LOST)) {
        copi_subscription_retain(self);
        let_waiters_know(self);
        copi_workers_submit(work);
    }
}

static void
tell_of_loss(void *arg)
{
    cop_subscription *self = arg;
    self->sink->over(self, &self->lost_why);
}

/* Another worker. Of the stages it knows nothing. */
static void
run_lost(cop_subscription *self)
{
    struct copi_process *worker = copi_here.process;
    cop_reason why;
    if (copi_exchange_32(&self->is_told, 1) == 0) {
        (void)copi_worker_call(worker, "stream", tell_of_loss, self, &why);
        copi_worker_begin_anew(worker);
    }
    self->sink->closed(self);
    cop_reject(self->resolver, self->lost_why);
    cop_subscription_release(self);
}

static void
close_what_is_left(void *arg)
{
    close_stages(arg);
}

/* The old one has come back. */
static void
leave(cop_subscription *self)
{
    struct copi_process *worker = copi_here.process;
    cop_reason why;
    while (!copi_worker_call(worker, "stream", close_what_is_left, self, &why)) {
    }
    let_go_of_stages(self);
    cop_subscription_release(self);
    copi_exit_disowned(worker);
}

/* ---------------------------------------------------------------- branches */

void
copi_subscription_branch(cop_subscription *branch, cop_subscription *self)
{
    copi_subscription_retain(self);
    copi_fetch_add_32(&self->branches, 1);
    copi_store_release_ptr(&branch->feeds, self); /* pairs with is_inside's, and with _closed */
}

void
copi_subscription_branch_closed(cop_subscription *branch)
{
    cop_subscription *self = copi_exchange_ptr(&branch->feeds, NULL);
    copi_fetch_add_32(&self->branches, (uint32_t)-1); /* pairs with linger */
    copi_subscription_wake(self);
    cop_subscription_release(self);
}

/* ---------------------------------------------------------------- made */

static int
init(cop_subscription *self, const struct copi_sink *sink, cop_stream *claimed, const char *file,
     int line)
{
    const char *place = file ? file : claimed->file;
    self->work.kind = &work_kind;
    self->sink = sink;
    self->top = self->to_close = claimed;
    size_t size = copi_room_size(&claimed->elements);
    self->room = copi_workers_alloc(size ? size : 1);
    bool is_made = self->room && self->context
                   && cop_promise_new_at(&self->ended, &self->resolver, 0, place ? place : "?",
                                         file ? line : claimed->line)
                          == 0;
    if (!is_made) {
        cop_context_free(self->context);
        let_go_of_stages(self);
        return copi_fail(-ENOMEM);
    }
    copi_future_observed(self->ended); /* its failure: who subscribes is told */
    copi_store_relaxed_32(&self->holds, 1);
    copi_live_born(COPI_LIVE_SUBSCRIPTION);
    return 0;
}

int
copi_subscription_init(cop_subscription *self, const struct copi_sink *sink, cop_stream *claimed,
                       const char *file, int line)
{
    self->context = cop_context_new(COP_FOREVER);
    return init(self, sink, claimed, file, line);
}

int
copi_subscription_init_detached(cop_subscription *self, const struct copi_sink *sink,
                                cop_stream *claimed, const char *file, int line)
{
    self->context = cop_context_detached(COP_FOREVER);
    return init(self, sink, claimed, file, line);
}

void
copi_subscription_start(cop_subscription *self)
{
    copi_subscription_retain(self);
    copi_subscription_wake(self);
}
