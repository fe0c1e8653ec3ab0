/*
 * runtime/wait.c - how a process waits.
 *
 * Room: runtime/. The owner thread only.
 * Touch freely: how long it looks before it sleeps (thread_look.c). Ask first: the order of the
 * checks: an exit before a cancellation, a cancellation before a deadline.
 *
 * A process that has nothing to do first looks for a moment, if a core is free, then says in the
 * mailbox's word that it sleeps, and parks. Whoever sends wakes it through that word. News that is
 * not a message (a context cancelled, room in a mailbox) wakes it through the parker alone.
 */
#include "runtime/wait.h"

#include "runtime/context.h"
#include "runtime/exit.h"
#include "runtime/inbox.h"
#include "runtime/recorder.h"

#include <errno.h>

void
copi_exit_point(struct copi_process *self)
{
    if (self->pending >= COPI_EXITING && self->held == 0 && !self->shielded) {
        self->reasons->end = self->reasons->pending;
        if (self->pending == COPI_EXITING) {
            self->pending = COPI_NONE; /* it has acted; a kill goes on to refuse blocking calls */
        }
        copi_exit_now(self);
    }
}

int
copi_interrupted(struct copi_process *self)
{
    if (self->pending >= COPI_EXITING) { /* and held back: do not make it wait */
        return copi_fail_why(&self->reasons->pending, -ECANCELED);
    }
    if (copi_load_relaxed_32(&self->uncancelled)) {
        return 0;
    }
    if (self->pending == COPI_ASKED) {
        return copi_fail_why(&self->reasons->pending, -ECANCELED);
    }
    return copi_context_check(self->context);
}

/*
 * A wake-up without a message is used here, or it would be news again at the next look, and for ever: a
 * sender that wakes a sleeper whose deadline has just passed leaves one behind that means nothing.
 */
static bool
has_news(void *process)
{
    struct copi_process *self = process;
    return copi_mailbox_look(&self->mailbox) || copi_parker_use(&self->parker);
}

/* What has to be so before it may wait: 0, or why not. */
static int
may_wait(struct copi_process *self, struct copi_wait *wait)
{
    copi_exit_point(self);
    int r = copi_interrupted(self);
    if (r) {
        return r;
    }
    if (wait->timeout <= 0) {
        return -ETIMEDOUT;
    }
    return wait->has_slept && copi_clock() >= wait->deadline ? -ETIMEDOUT : 0;
}

/* Again before each sleep: the context's may have become earlier. */
static void
set_deadline(struct copi_process *self, struct copi_wait *wait)
{
    if (!wait->has_slept) {
        wait->has_slept = true;
        wait->deadline = copi_deadline(wait->timeout);
    }
    cop_time context = copi_context_deadline(self->context);
    if (context < wait->deadline && !copi_load_relaxed_32(&self->uncancelled)) {
        wait->deadline = context;
    }
}

static void
tell_behaviour(struct copi_process *self, bool begins)
{
    if (self->behaviour->waits) {
        self->behaviour->waits(self, begins);
    }
}

/* Only of those who sleep: whoever is answered while it still looks pays nothing for being seen. */
static void
show_wait(struct copi_process *self, const char *in)
{
    union {
        const char *in;
        void *out;
    } word = {.in = in};
    copi_store_relaxed_ptr(&self->waits_in, word.out);
}

/* The common part of a sleep: `fd` < 0 is no descriptor. */
static int
sleep_for_news(struct copi_process *self, struct copi_wait *wait, int fd, short events)
{
    int ready = 0;
    copi_pool_flush();
    if (copi_here.is_nameless) {
        copi_process_show_name(self);
    }
    show_wait(self, wait->in);
    copi_record_wait_begin(self, wait->in);
    tell_behaviour(self, true);
    if (copi_context_wait_begin(self)) {
        set_deadline(self, wait);
        if (copi_mailbox_sleep(&self->mailbox)) {
            if (fd < 0) {
                copi_park(&self->parker, wait->deadline);
            } else {
                ready = copi_park_fd(&self->parker, fd, events, wait->deadline);
            }
            copi_mailbox_wake(&self->mailbox);
        }
        copi_context_wait_end(self);
    }
    tell_behaviour(self, false);
    copi_record_wait_end(self);
    show_wait(self, NULL);
    return ready;
}

int
copi_pause(struct copi_process *self, struct copi_wait *wait)
{
    int r = may_wait(self, wait);
    if (r || copi_spin_for(wait->spin ? wait->spin : &copi_here.spin, has_news, self)) {
        return r;
    }
    return sleep_for_news(self, wait, -1, 0);
}

int
copi_pause_fd(struct copi_process *self, struct copi_wait *wait, int fd, short events)
{
    int r = may_wait(self, wait);
    return r ? r : sleep_for_news(self, wait, fd, events);
}

int
copi_wait_failed(int r)
{
    return r == -ETIMEDOUT ? copi_fail(r) : r; /* a cancellation has noted its cause */
}

/* ---------------------------------------------------------------- public */

int
cop_sleep(cop_time duration)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    struct copi_wait wait = COPI_WAIT("sleep", duration);
    do {
        copi_take_in(self);
    } while ((r = copi_pause(self, &wait)) == 0);

    /* Its own end of time is success; the context's is not. */
    bool slept = r == -ETIMEDOUT
                 && (duration <= 0 || copi_context_deadline(self->context) > wait.deadline
                     || copi_load_relaxed_32(&self->uncancelled));
    return slept ? 0 : copi_wait_failed(r);
}

void
cop_checkpoint(void)
{
    struct copi_process *self;
    if (copi_enter_exit_point(&self) == 0) {
        copi_take_in(self);
    }
}

int
cop_wait_fd(int fd, int events, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    if (fd < 0) {
        return copi_fail(-EBADF);
    }
    struct copi_wait wait = COPI_WAIT("descriptor", timeout);
    copi_take_in(self);
    if (timeout <= 0) {
        r = copi_poll_fd(fd, (short)events);
        r = r ? r : copi_interrupted(self);
        r = r ? r : -ETIMEDOUT;
    } else {
        while ((r = copi_pause_fd(self, &wait, fd, (short)events)) == 0) {
            copi_take_in(self);
        }
    }
    return r > 0 ? 0 : r == -ECANCELED ? r : copi_fail(r);
}

int
cop_cancelled(void)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    copi_take_in_signals(self);
    r = copi_interrupted(self);
    if (r == 0 && copi_context_deadline(self->context) <= copi_clock()
        && !copi_load_relaxed_32(&self->uncancelled)) {
        r = copi_fail(-ETIMEDOUT);
    }
    return r;
}
