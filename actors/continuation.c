/*
 * actors/continuation.c - what is done when a future is settled: in order, and never on the stack of
 * who settles it or registers it.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: when a future is handed to a worker, and how often.
 *
 * A future has a stack of continuations and a word, `is_scheduled`. Whoever turns that from 0 to 1
 * hands the future to a worker; the worker is then alone with it, takes the whole stack, runs it oldest
 * first, and again, until there is nothing left. So continuations of one future run in the order in
 * which they were registered, also those that are registered when it has long been settled; those of
 * different futures run side by side.
 *
 * Nothing is forgotten, because each of the two does its own before it looks for the other's, with a
 * full barrier between:
 *
 *   registering   pushes (a swap), then asks whether the future is settled
 *   settling      stores the state and closes the list of who waits (an exchange), then asks whether
 *                 there are continuations
 *   a worker      gives the word back (an exchange), then asks whether there are new ones
 *
 * A chain of a thousand is a thousand futures, each of which settles the next: by being handed to a
 * worker, not by a call in a call.
 */
#include "actors/continuation.h"

#include "actors/workers.h"
#include "runtime/exit.h"
#include "runtime/inbox.h"
#include "runtime/live.h"
#include "runtime/process.h"

static void run_all(struct copi_work *work);
static void give_up(struct copi_work *work, cop_pid worker, const cop_reason *why);

/* With a hold, which the worker gives back. */
static void
submit(cop_future *future)
{
    static const struct copi_work_kind kind = {run_all, give_up};
    cop_future_retain(future);
    future->work.kind = &kind;
    copi_workers_submit(&future->work);
}

static void
hand_over(cop_future *future)
{
    uint32_t not_yet = 0;
    if (copi_cas_32(&future->is_scheduled, &not_yet, 1)) {
        submit(future);
    }
}

void
copi_continuations_due(cop_future *future)
{
    if (copi_load_acquire_ptr(&future->continuations)) {
        hand_over(future);
    }
}

void
copi_future_continue(cop_future *future, struct copi_continuation *continuation)
{
    copi_live_born(COPI_LIVE_CONTINUATION);
    void *head = copi_load_relaxed_ptr(&future->continuations);
    do {
        continuation->next = head;
    } while (!copi_cas_ptr(&future->continuations, &head, continuation));
    if (copi_future_outcome(future) != -EINPROGRESS) {
        hand_over(future);
    }
}

/* ---------------------------------------------------------------- in a worker */

static struct copi_continuation *
take_all(cop_future *future)
{
    struct copi_continuation *newest = copi_exchange_ptr(&future->continuations, NULL);
    struct copi_continuation *oldest = NULL;
    while (newest) {
        struct copi_continuation *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

struct step {
    struct copi_continuation *continuation;
    cop_future *settled;
};

static void
run_step(void *arg)
{
    struct step *step = arg;
    step->continuation->kind->run(step->continuation, step->settled);
}

/* It has run, or never will; it may be gone when this returns. */
static void
finish(struct copi_continuation *continuation, const cop_future *settled)
{
    copi_live_gone(COPI_LIVE_CONTINUATION);
    continuation->kind->done(continuation, settled);
}

/* Of a worker that was disowned, should it ever come back, and of who has disowned it, the second ends
 * what it was at. */
static void
leave(struct copi_continuation *continuation, cop_future *settled)
{
    if (copi_fetch_add_32(&continuation->leavers, 1) == 1) {
        finish(continuation, settled);
        cop_future_release(settled); /* the worker's hold */
    }
}

/*
 * What is being run stands in `running` meanwhile. Who disowns the worker takes it from there, and the
 * worker, should it ever come back, finds that it has been taken, and ends: it may be another's by then.
 */
static void
run(struct copi_process *self, struct copi_continuation *continuation, cop_future *settled)
{
    struct step step = {continuation, settled};
    cop_reason why;
    copi_store_release_ptr(&settled->running, continuation);
    bool returned = copi_worker_call(self, "continuation", run_step, &step, &why);
    void *mine = continuation;
    if (!copi_cas_ptr(&settled->running, &mine, NULL)) { /* pairs with give_up */
        leave(continuation, settled);
        copi_exit_disowned(self);
    }
    copi_worker_begin_anew(self);
    if (!returned) {
        continuation->kind->failed(continuation, &why);
    }
    finish(continuation, settled);
}

static struct copi_continuation *
next_due(cop_future *future)
{
    if (!future->due) {
        future->due = take_all(future);
    }
    struct copi_continuation *continuation = future->due;
    future->due = continuation ? continuation->next : NULL;
    return continuation;
}

static cop_future *
of(struct copi_work *work)
{
    return (cop_future *)(void *)((char *)work - offsetof(cop_future, work));
}

static void
run_all(struct copi_work *work)
{
    cop_future *future = of(work);
    struct copi_process *self = copi_here.process;
    uint32_t not_yet;
    do {
        struct copi_continuation *continuation;
        while ((continuation = next_due(future))) {
            run(self, continuation, future);
        }
        copi_exchange_32(&future->is_scheduled, 0);
        not_yet = 0;
    } while (copi_load_acquire_ptr(&future->continuations)
             && copi_cas_32(&future->is_scheduled, &not_yet, 1));
    cop_future_release(future);
}

/* The worker that is at it will not come back: the continuation that does not end has failed, and the
 * others are for another worker. */
static void
give_up(struct copi_work *work, cop_pid worker, const cop_reason *why)
{
    (void)worker;
    cop_future *future = of(work);
    struct copi_continuation *stuck = copi_exchange_ptr(&future->running, NULL);
    if (stuck) {
        stuck->kind->failed(stuck, why);
        submit(future);
        leave(stuck, future);
    }
}
