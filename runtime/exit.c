/*
 * runtime/exit.c - leaving a process from any depth: cop_exit, deferred calls, the shield.
 *
 * Room: runtime/. The owner thread only.
 * Touch freely: nothing. Ask first: the order.
 *
 * A process is left in two steps. First, on the stack of whatever call ends it, the deferred calls of
 * the current callback run, last first, so that they may still use the frames below them. Then one
 * jump to where the process began (process.c), which does the rest on an almost empty stack. Never
 * pthread_exit and never pthread_cancel: what those clean up depends on how each object file was
 * compiled.
 *
 * Each deferred call is taken off before it runs, so one that ends the process itself goes on with
 * the rest. While they run the process is held and not cancelled: exit signals wait, and blocking
 * calls work, but after a kill.
 *
 * A user's function inside which the process must not end (a drop function, say: it runs in the
 * middle of ours) runs in copi_run_held. There is a jump point of its own round it: a cop_exit comes
 * back to us and becomes an exit signal that acts at the next exit point. Or it is caught for good
 * (copi_run_caught), where a failure is the function's and not the process's.
 */
#include "runtime/exit.h"

#include "runtime/alloc.h"
#include "runtime/inbox.h"
#include "runtime/report.h"
#include "runtime/trace.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- deferred calls */

static struct copi_deferred *
at(struct copi_defers *defers, size_t i)
{
    return i < COPI_DEFERS_INSIDE ? &defers->inside[i] : &defers->more[i - COPI_DEFERS_INSIDE];
}

static int
push(struct copi_defers *defers, struct copi_deferred call)
{
    if (defers->count >= COPI_DEFERS_INSIDE + defers->capacity) {
        size_t capacity = defers->capacity ? defers->capacity * 2 : COPI_DEFERS_INSIDE;
        struct copi_deferred *more = copi_realloc(defers->more, capacity * sizeof *more);
        if (!more) {
            return -ENOMEM;
        }
        defers->more = more;
        defers->capacity = capacity;
    }
    *at(defers, defers->count++) = call;
    return 0;
}

static bool
take_newest(struct copi_defers *defers, struct copi_deferred call)
{
    for (size_t i = defers->count; i-- > 0;) {
        if (at(defers, i)->fn == call.fn && at(defers, i)->arg == call.arg) {
            for (; i + 1 < defers->count; i++) {
                *at(defers, i) = *at(defers, i + 1);
            }
            defers->count--;
            return true;
        }
    }
    return false;
}

void
copi_defers_run(struct copi_process *self, struct copi_defers *defers)
{
    if (defers->count > 0) {
        uint32_t was = copi_load_relaxed_32(&self->uncancelled);
        copi_store_relaxed_32(&self->uncancelled, 1);
        self->held++;
        while (defers->count > 0) {
            struct copi_deferred call = *at(defers, --defers->count);
            call.fn(call.arg);
        }
        self->held--;
        copi_store_relaxed_32(&self->uncancelled, was);
    }
    free(defers->more);
    defers->more = NULL;
    defers->capacity = 0;
}

int
copi_defers_keep(struct copi_process *self)
{
    struct copi_defers *from = &self->callback_defers, *to = &self->process_defers;
    size_t before = to->count;
    for (size_t i = 0; i < from->count; i++) {
        if (push(to, *at(from, i)) != 0) {
            to->count = before;
            return -ENOMEM;
        }
    }
    free(from->more);
    *from = (struct copi_defers){0};
    return 0;
}

/* ---------------------------------------------------------------- the exit */

void
copi_exit_now(struct copi_process *self)
{
    copi_defers_run(self, &self->callback_defers);
    copi_jump_to(self->jump);
}

void
copi_exit_self(struct copi_process *self, const cop_reason *reason)
{
    copi_trace_take(self, reason);
    self->reasons->end = *reason;
    self->left_by_exit = true;
    copi_exit_now(self);
}

void
copi_exit_disowned(struct copi_process *self)
{
    self->reasons->end = COP_REASON_KILLED;
    self->left_by_exit = false;
    copi_exit_now(self);
}

bool
copi_run_caught(struct copi_process *self, void (*fn)(void *arg), void *arg, cop_reason *reason)
{
    struct copi_jump here, *outer = self->jump;
    unsigned held = self->held;
    struct copi_defers kept = self->callback_defers;
    cop_reason before = self->reasons->end;
    uint32_t uncancelled = copi_load_relaxed_32(&self->uncancelled);
    bool was_leaving = self->left_by_exit;
    volatile bool returned = false;                  /* changes after the jump point is set */
    self->callback_defers = (struct copi_defers){0}; /* they are the callback's, not fn's */
    self->jump = &here;
    self->held = held + 1;
    if (copi_jump_here(&here) == 0) {
        fn(arg);
        copi_defers_run(self, &self->callback_defers);
        returned = true;
    } else {
        *reason = self->reasons->end;
        self->reasons->end = before;
    }
    self->left_by_exit = was_leaving;
    copi_store_relaxed_32(&self->uncancelled, uncancelled); /* a deferred call that left set it */
    self->held = held;
    self->jump = outer;
    self->callback_defers = kept;
    return returned;
}

void
copi_run_held(struct copi_process *self, void (*fn)(void *arg), void *arg)
{
    cop_reason reason;
    if (!copi_run_caught(self, fn, arg, &reason) && self->pending < COPI_EXITING) {
        self->pending = COPI_EXITING;
        self->reasons->pending = reason;
        self->left_by_exit = true; /* its own decision, though it acts later */
    }
}

/* ---------------------------------------------------------------- public */

/* A thread that is not ours has no start to jump to. */
static void
end_program(const cop_reason *reason)
{
    copi_report_fatal("a thread that the library did not start called cop_exit", reason);
}

void
cop_exit(cop_reason reason)
{
    struct copi_process *self = copi_here.process;
    if (!self || !self->jump) {
        end_program(&reason);
    }
    copi_exit_self(self, &reason);
}

static int
defer(struct copi_defers *defers, void (*fn)(void *arg), void *arg)
{
    int r = fn ? push(defers, (struct copi_deferred){fn, arg}) : -EINVAL;
    return r ? copi_fail(r) : 0;
}

int
cop_defer(void (*fn)(void *arg), void *arg)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    return r ? r : defer(&self->callback_defers, fn, arg);
}

int
cop_at_exit(void (*fn)(void *arg), void *arg)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    return r ? r : defer(&self->process_defers, fn, arg);
}

/* Also of a disowned process: its thread runs what it has left deferred, and the frames that this uses
 * will be gone. */
int
cop_undefer(void (*fn)(void *arg), void *arg, bool run)
{
    struct copi_process *self = copi_here.process;
    int r = self ? 0 : copi_enter(&self);
    if (r) {
        return r;
    }
    struct copi_deferred call = {fn, arg};
    if (!take_newest(&self->callback_defers, call) && !take_newest(&self->process_defers, call)) {
        return copi_fail(-ENOENT);
    }
    if (run) {
        self->held++;
        fn(arg);
        self->held--;
    }
    return 0;
}

bool
cop_shield(bool on)
{
    struct copi_process *self;
    if (copi_enter(&self) != 0) {
        return false;
    }
    bool was = self->shielded;
    self->shielded = on;
    return was;
}
