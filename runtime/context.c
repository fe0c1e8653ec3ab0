/*
 * runtime/context.c - cancellation and deadlines.
 *
 * Room: runtime/. Any thread.
 * Touch freely: nothing depends on the list's order. Ask first: what is counted.
 *
 * Contexts form a tree. A child holds its parent; a process holds those that it has entered; the
 * creator holds its own until cop_context_free. So a context that somebody is in is there, whoever
 * has freed it, and its deadline and its cancellation keep their force.
 *
 * Holds are counted without the lock: every task takes and drops some, and the lock is one for all. Who
 * takes one has one, or has been given the pointer by somebody who has. Who drops the last one is alone with the context,
 * but for those who walk the tree under the lock: so it takes the lock to leave its parent's list, before
 * anything of it goes. A walk may still write a cancellation into it meanwhile, which nobody reads.
 *
 * A deadline is copied down at creation, and when it is tightened: the earliest above counts. Who sleeps
 * looks at it once it hangs in the list below, and again whenever it is woken; so an earlier one is either
 * seen, or comes with a wake-up. A cancellation is written into
 * every descendant, under the lock, and read without it: `cancelled` is set after `cause`, and
 * whoever reads it set reads the cause. Who sleeps in a context hangs in its list of waiters while it
 * sleeps; the cancellation unparks them. Who watches it hangs in another; the cancellation takes these
 * out, and tells them when it has given the lock back. The root context is NULL: it never ends, so nobody who waits
 * in it takes the lock.
 */
#include "runtime/context.h"

#include "runtime/alloc.h"
#include "runtime/block.h"
#include "runtime/live.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

struct cop_context {
    /* any thread, atomic */
    copi_atomic32 holds;
    copi_atomic32 cancelled;
    copi_atomic64 deadline; /* only ever earlier; read without the lock, written under it */
    /* constant */
    cop_context *parent;
    /* guarded by lock */
    cop_context *first_child, *next_sibling, **sibling_link;
    struct copi_process *waiters;
    struct copi_context_watch *watches;
    /* written before `cancelled`, once */
    cop_reason cause;
};

/* A stack of what a process has entered. */
struct copi_entered {
    struct copi_entered *below;
    cop_context *context; /* the one that was current before */
};

static copi_lock lock = COPI_LOCK_INIT;

/* ---------------------------------------------------------------- holds */

static void
leave_parent(cop_context *context)
{
    copi_lock_take(&lock);
    *context->sibling_link = context->next_sibling;
    if (context->next_sibling) {
        context->next_sibling->sibling_link = context->sibling_link;
    }
    copi_lock_give(&lock);
}

/* The last hold of a child's goes with its own hold of the parent. */
static void
let_go(cop_context *context)
{
    while (context && copi_fetch_add_32(&context->holds, (uint32_t)-1) == 1) {
        cop_context *parent = context->parent;
        if (parent) {
            leave_parent(context);
        }
        copi_live_gone(COPI_LIVE_CONTEXT);
        copi_block_free(context);
        context = parent;
    }
}

cop_context *
copi_context_retain(cop_context *context)
{
    if (context) {
        copi_fetch_add_32(&context->holds, 1);
    }
    return context;
}

static void
wake_locked(const cop_context *context)
{
    for (struct copi_process *p = context->waiters; p; p = p->next_waiter) {
        copi_unpark(&p->parker);
    }
}

struct cancellation {
    const cop_reason *cause;
    struct copi_context_watch **told; /* who is to be told afterwards */
};

static void
take_watches_locked(cop_context *context, struct copi_context_watch **told)
{
    struct copi_context_watch *watch;
    while ((watch = context->watches)) {
        context->watches = watch->next;
        watch->link = NULL;
        watch->next = *told;
        *told = watch;
    }
}

static void
cancel_locked(cop_context *context, const void *how)
{
    const struct cancellation *cancellation = how;
    if (!copi_load_relaxed_32(&context->cancelled)) {
        context->cause = *cancellation->cause;
        copi_store_release_32(&context->cancelled, 1); /* pairs with copi_context_cause */
        wake_locked(context);
        take_watches_locked(context, cancellation->told);
    }
}

static void
tighten_locked(cop_context *context, const void *deadline)
{
    cop_time earlier = *(const cop_time *)deadline;
    if (earlier < (cop_time)copi_load_relaxed_64(&context->deadline)) {
        copi_store_relaxed_64(&context->deadline, (uint64_t)earlier);
        wake_locked(context);
    }
}

/* Depth first, without a stack: contexts nest as deep as a program likes. */
static void
for_tree_locked(cop_context *top, void (*fn)(cop_context *context, const void *arg),
                const void *arg)
{
    cop_context *at = top;
    while (at) {
        fn(at, arg);
        if (at->first_child) {
            at = at->first_child;
            continue;
        }
        while (at != top && !at->next_sibling) {
            at = at->parent;
        }
        at = at == top ? NULL : at->next_sibling;
    }
}

static void
hang_below_locked(cop_context *context, cop_context *parent)
{
    copi_context_retain(parent);
    context->next_sibling = parent->first_child;
    context->sibling_link = &parent->first_child;
    if (parent->first_child) {
        parent->first_child->sibling_link = &context->next_sibling;
    }
    parent->first_child = context;
    if (copi_context_deadline(parent) < copi_context_deadline(context)) {
        copi_store_relaxed_64(&context->deadline, (uint64_t)copi_context_deadline(parent));
    }
    if (copi_load_relaxed_32(&parent->cancelled)) {
        struct copi_context_watch *nobody = NULL; /* it is new */
        cancel_locked(context, &(struct cancellation){&parent->cause, &nobody});
    }
}

static cop_context *
make(cop_context *parent, cop_time timeout)
{
    cop_context *context = copi_is_forked() ? NULL : copi_block_new(sizeof *context);
    if (!context) {
        copi_fail(-ENOMEM);
        return NULL;
    }
    copi_live_born(COPI_LIVE_CONTEXT);
    memset(context, 0, offsetof(struct cop_context, cause));
    copi_store_relaxed_32(&context->holds, 1);
    context->parent = parent;
    copi_store_relaxed_64(&context->deadline, (uint64_t)copi_deadline(timeout));
    if (parent) {
        copi_lock_take(&lock);
        hang_below_locked(context, parent);
        copi_lock_give(&lock);
    }
    return context;
}

/* ---------------------------------------------------------------- for the runtime */

const cop_reason *
copi_context_cause(const cop_context *context)
{
    bool is_cancelled =
        context && copi_load_acquire_32(&context->cancelled); /* pairs with cancel_locked */
    return is_cancelled ? &context->cause : NULL;
}

cop_context *
copi_context_below(cop_context *parent)
{
    return make(parent, COP_FOREVER);
}

int
copi_context_check(const cop_context *context)
{
    const cop_reason *cause = copi_context_cause(context);
    return cause ? copi_fail_why(cause, -ECANCELED) : 0;
}

cop_time
copi_context_deadline(const cop_context *context)
{
    return context ? (cop_time)copi_load_relaxed_64(&context->deadline) : COP_FOREVER;
}

void
copi_context_tighten(cop_context *context, cop_time deadline)
{
    if (context && deadline < copi_context_deadline(context)) {
        copi_lock_take(&lock);
        for_tree_locked(context, tighten_locked, &deadline);
        copi_lock_give(&lock);
    }
}

bool
copi_context_wait_begin(struct copi_process *self)
{
    cop_context *context = self->context;
    if (!context || copi_load_relaxed_32(&self->uncancelled)) {
        return true;
    }
    copi_lock_take(&lock);
    bool live = !copi_load_relaxed_32(&context->cancelled);
    if (live) {
        self->next_waiter = context->waiters;
        self->waiter_link = &context->waiters;
        if (context->waiters) {
            context->waiters->waiter_link = &self->next_waiter;
        }
        context->waiters = self;
        self->is_waiter = true;
    }
    copi_lock_give(&lock);
    return live;
}

void
copi_context_wait_end(struct copi_process *self)
{
    if (self->is_waiter) {
        self->is_waiter = false;
        copi_lock_take(&lock);
        *self->waiter_link = self->next_waiter;
        if (self->next_waiter) {
            self->next_waiter->waiter_link = self->waiter_link;
        }
        copi_lock_give(&lock);
    }
}

bool
copi_context_watch(cop_context *context, struct copi_context_watch *watch)
{
    copi_lock_take(&lock);
    bool live = !copi_load_relaxed_32(&context->cancelled);
    watch->link = live ? &context->watches : NULL;
    if (live) {
        watch->next = context->watches;
        if (watch->next) {
            watch->next->link = &watch->next;
        }
        context->watches = watch;
    }
    copi_lock_give(&lock);
    return live;
}

bool
copi_context_unwatch(struct copi_context_watch *watch)
{
    copi_lock_take(&lock);
    bool was_watching = watch->link != NULL;
    if (was_watching) {
        *watch->link = watch->next;
        if (watch->next) {
            watch->next->link = watch->link;
        }
        watch->link = NULL;
    }
    copi_lock_give(&lock);
    return was_watching;
}

void
copi_context_begin(struct copi_process *process, cop_context *context)
{
    process->context = copi_context_retain(context);
    process->entered = NULL;
}

void
copi_context_end(struct copi_process *process)
{
    while (process->entered) {
        cop_context_leave(process->context);
    }
    let_go(process->context);
    process->context = NULL;
}

cop_context *
copi_context_current(void)
{
    struct copi_process *self;
    return copi_enter(&self) == 0 ? self->context : NULL;
}

/* ---------------------------------------------------------------- public */

cop_context *
cop_context_new(cop_time timeout)
{
    return make(copi_context_current(), timeout);
}

cop_context *
cop_context_detached(cop_time timeout)
{
    return make(NULL, timeout);
}

void
cop_context_cancel(cop_context *context, cop_reason cause)
{
    if (!context || copi_is_forked()) {
        return;
    }
    struct copi_context_watch *told = NULL;
    copi_lock_take(&lock);
    for_tree_locked(context, cancel_locked, &(struct cancellation){&cause, &told});
    copi_lock_give(&lock);
    while (told) {
        struct copi_context_watch *next = told->next; /* it is theirs again when it is told */
        told->cancelled(told);
        told = next;
    }
}

void
cop_context_free(cop_context *context)
{
    if (!copi_is_forked()) {
        let_go(context);
    }
}

cop_time
cop_time_left(void)
{
    cop_time deadline = copi_context_deadline(copi_context_current());
    if (deadline == COP_FOREVER) {
        return COP_FOREVER;
    }
    cop_time left = deadline - copi_clock();
    return left > 0 ? left : 0;
}

int
cop_context_enter(cop_context *context)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r == 0 && !context) {
        r = -EINVAL;
    }
    struct copi_entered *entered = r ? NULL : copi_alloc(sizeof *entered);
    if (!entered) {
        return copi_fail(r ? r : -ENOMEM);
    }
    *entered = (struct copi_entered){.below = self->entered, .context = self->context};
    self->entered = entered;
    self->context = copi_context_retain(context);
    return 0;
}

int
cop_context_leave(cop_context *context)
{
    struct copi_process *self = copi_here.process;
    if (!self || !self->entered || self->context != context) {
        return copi_fail(-EINVAL);
    }
    struct copi_entered *entered = self->entered;
    self->context = entered->context;
    self->entered = entered->below;
    free(entered);
    let_go(context);
    return 0;
}
