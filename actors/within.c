/*
 * actors/within.c - a future with the outcome of another, if that comes in time.
 *
 * Room: actors/. Any thread; the timer thread for the end of the time.
 * Touch freely: nothing. Ask first: who has a part of the block, and who holds the cell.
 *
 * Three know of a child: the source, by the continuation with which it is to be settled; the timer, which
 * is to reject it; and those who hold it. If all of them held it, nobody could give it up: its own timer
 * would keep it, for hours perhaps. So there are two counts. The cell's is that of the holders. The block's
 * `parts` is that of who may still look at it: the cell while it is held, the continuation, and the timer.
 * The latter two take a hold on the cell before they settle it, if anybody has one still.
 *
 *   settled     in whatever way: a continuation of its own, `aftermath`, lifts the limit in a worker. If it
 *               was not the source that settled it, that is cancelled: by a worker, and not by the timer
 *               thread, as this may call a function of the user's
 *   given up    the last hold goes while it is pending: nobody will look, so the limit is lifted, and the
 *               continuation will find nobody
 *
 * Lifting the limit is cancelling the timer, and giving up its part if that succeeds; else the timer's call
 * does, which is under way.
 *
 * What is registered with the child must be done even when all handles are released: who registers
 * announces that (`wanted`, without a time), and from then on the child holds itself, until it is
 * settled. Its `kept` says so: UNKEPT -> KEPT, by the first who announces; both -> OVER, by the aftermath,
 * which gives the hold back that it finds. All are full barriers. One that is settled when it is made has no
 * aftermath: OVER from the beginning.
 */
#include "actors/continuation.h"
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/process.h"
#include "runtime/timer.h"

#include <coppice/chain.h>

#include <errno.h>
#include <stdlib.h>

enum {
    OVER,
    UNKEPT,
    KEPT,
};

struct child {
    cop_future future;
    struct copi_continuation adoption;  /* of the source's outcome */
    struct copi_continuation aftermath; /* of its own settling */
    copi_atomic32 parts, kept;
    cop_future *limited; /* the source: held; NULL: settled when the child was made */
    cop_ref timer;       /* written before the continuations are registered */
};

static struct child *
of(cop_future *future)
{
    return (struct child *)(void *)future;
}

static void
give_parts(struct child *child, uint32_t parts)
{
    if (copi_fetch_add_32(&child->parts, 0 - parts) == parts) {
        free(child);
    }
}

/* How many parts the caller has to give for it: the timer's, or none. */
static uint32_t
lift_limit(struct child *child)
{
    cop_future *limited = child->limited;
    bool is_cancelled = limited && copi_timer_cancel(child->timer);
    child->limited = NULL;
    cop_future_release(limited);
    return is_cancelled ? 1 : 0;
}

/* ---------------------------------------------------------------- as a future's source */

static cop_future *
keep(cop_future *future, cop_time timeout)
{
    uint32_t unkept = UNKEPT;
    if (timeout < 0) {
        cop_future_retain(future);
        if (!copi_cas_32(&of(future)->kept, &unkept, KEPT)) {
            cop_future_release(future); /* the caller has another */
        }
    }
    return NULL;
}

/* Settled, and the limit is lifted; or given up. */
static void
free_child(cop_future *future)
{
    struct child *child = of(future);
    if (child->limited) {
        copi_live_gone(COPI_LIVE_CONTINUATION); /* the aftermath of what is given up */
    }
    give_parts(child, lift_limit(child) + 1);
}

static const struct copi_source source = {.wanted = keep, .free = free_child};

/* ---------------------------------------------------------------- the end of the time */

static const cop_reason *
too_late(void)
{
    static const cop_reason why = {.kind = COP_FAILED, .code = -ETIMEDOUT};
    return &why;
}

/* On the timer thread, or by who stops that. */
static void
time_is_over(void *arg, bool is_stop)
{
    struct child *child = arg;
    if (!is_stop && copi_future_retain_held(&child->future)) {
        copi_future_reject(&child->future, too_late());
        cop_future_release(&child->future);
    }
    give_parts(child, 1);
}

/* ---------------------------------------------------------------- the source is settled */

static struct child *
of_adoption(struct copi_continuation *adoption)
{
    return (struct child *)(void *)((char *)adoption - offsetof(struct child, adoption));
}

static void
run_adoption(struct copi_continuation *adoption, cop_future *settled)
{
    struct child *child = of_adoption(adoption);
    if (copi_future_retain_held(&child->future)) {
        copi_future_adopt(&child->future, settled);
        cop_future_release(&child->future);
    }
}

static void
adoption_failed(struct copi_continuation *adoption, const cop_reason *why)
{
    struct child *child = of_adoption(adoption);
    if (copi_future_retain_held(&child->future)) {
        copi_future_reject(&child->future, why);
        cop_future_release(&child->future);
    }
}

static void
adoption_done(struct copi_continuation *adoption, const cop_future *settled)
{
    (void)settled;
    give_parts(of_adoption(adoption), 1);
}

/* ---------------------------------------------------------------- the child is settled */

static void
run_aftermath(struct copi_continuation *aftermath, cop_future *settled)
{
    (void)aftermath;
    if (copi_future_outcome(of(settled)->limited) == -EINPROGRESS) {
        cop_future_cancel(of(settled)->limited, settled->why);
    }
}

/* Who is told of the cancellation has left by an exit. */
static void
aftermath_failed(struct copi_continuation *aftermath, const cop_reason *why)
{
    (void)aftermath, (void)why;
}

static void
aftermath_done(struct copi_continuation *aftermath, const cop_future *settled)
{
    struct child *child =
        (struct child *)(void *)((char *)aftermath - offsetof(struct child, aftermath));
    uint32_t parts = lift_limit(child);
    (void)settled;
    if (copi_exchange_32(&child->kept, OVER) == KEPT) {
        cop_future_release(&child->future); /* the worker has another */
    }
    give_parts(child, parts);
}

/* ---------------------------------------------------------------- making */

static struct child *
make(const cop_future *future, const char *file, int line)
{
    static const struct copi_continuation_kind adoption = {run_adoption, adoption_failed,
                                                           adoption_done};
    static const struct copi_continuation_kind aftermath = {run_aftermath, aftermath_failed,
                                                            aftermath_done};
    struct child *child = copi_zalloc(sizeof *child);
    if (child) {
        copi_future_init(&child->future,
                         &(struct copi_future_init){&source, future->value_size, file, line});
        child->adoption.kind = &adoption;
        child->aftermath.kind = &aftermath;
        copi_store_relaxed_32(&child->parts, 1);
    }
    return child;
}

/* The timer first: what is registered may run at once, and cancel it. */
static int
begin(struct child *child, cop_future *future, cop_time timeout)
{
    copi_store_relaxed_32(&child->parts, 3);
    copi_store_relaxed_32(&child->kept, UNKEPT);
    int r = copi_timer_call_later(&child->timer, copi_deadline(timeout), time_is_over, child);
    if (r) {
        copi_store_relaxed_32(&child->parts, 1);
        copi_store_relaxed_32(&child->kept, OVER);
        return r;
    }
    cop_future *awaited = copi_future_wanted(future, -1);
    child->limited = awaited;
    copi_future_continue(&child->future, &child->aftermath);
    copi_future_continue(awaited, &child->adoption);
    return 0;
}

/* The source is pending, and there is no time. */
static void
refuse(struct child *child, cop_future *future)
{
    copi_future_observed(future);
    copi_future_reject(&child->future, too_late());
    cop_future_cancel(future, *too_late());
}

static void
limit(struct child *child, cop_future *future, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    r = r ? r : begin(child, future, timeout);
    if (r) {
        const cop_reason why = cop_failed(r, NULL);
        copi_future_reject(&child->future, &why);
    }
}

cop_future *
cop_within_at(cop_future *future, cop_time timeout, const char *file, int line)
{
    if (timeout == COP_FOREVER) {
        return cop_future_retain(future);
    }
    struct child *child = make(future, file, line);
    if (!child) {
        return copi_future_no_memory();
    }
    if (copi_future_outcome(future) != -EINPROGRESS) {
        copi_future_observed(future);
        copi_future_adopt(&child->future, future);
    } else if (timeout <= 0) {
        refuse(child, future);
    } else {
        limit(child, future, timeout);
    }
    return &child->future;
}
