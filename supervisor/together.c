/*
 * supervisor/together.c - stopping all children at the same time.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: the words. Ask first: that reports come when all have ended: traces of real trees are
 * compared with OTP's.
 *
 * Every child is watched by a monitor and asked, or killed, before the first end is waited for. As when
 * one is stopped (child.c), the monitor tells of the end, and the link's EXIT, where it comes first, tells
 * why somebody ended whom the monitor found gone. So both are taken out of the mailbox as they come,
 * oldest first, which keeps ten thousand ends linear.
 *
 * There is one time to wait for, the earliest deadline of all. When it passes, those that are late are
 * killed and the next one is looked for; that an owner has ended meanwhile only makes it too early.
 *
 * Waiting for all of them is told to whoever looks for circles of calls, as waiting for one is: a child
 * that asks its supervisor for something while it is being stopped is refused.
 *
 * What is to be reported is kept until all have ended: of an instance of a template, that so many ended
 * for this reason, of others, who. Without memory for that it is reported at once.
 */
#include "supervisor/together.h"

#include "runtime/alloc.h"
#include "runtime/cycle.h"
#include "runtime/process.h"
#include "supervisor/child.h"
#include "supervisor/report.h"
#include "supervisor/strategy.h"
#include "supervisor/supervisor.h"

#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

struct complaint {
    struct complaint *next;
    const struct copi_child *child; /* the first of them */
    size_t count;
    cop_reason reason;
};

struct farewell {
    struct copi_supervisor *sup;
    size_t left;
    cop_time next; /* deadline to look at */
    struct complaint *first, **end;
};

/* ---------------------------------------------------------------- complaints */

static bool
is_template(const struct farewell *all)
{
    return all->sup->spec->strategy == COP_SIMPLE_ONE_FOR_ONE;
}

static void
report(const struct farewell *all, const struct complaint *one)
{
    const char *id = one->child->spec->id;
    if (is_template(all)) {
        copi_report_stops(id, one->count, &one->reason);
    } else {
        copi_report_child(COP_EVENT_SHUTDOWN_ERROR, id, one->child->pid, &one->reason);
    }
}

static bool
is_same(const cop_reason *a, const cop_reason *b)
{
    return a->kind == b->kind && a->code == b->code && strcmp(a->text, b->text) == 0;
}

static struct complaint *
find(const struct farewell *all, const cop_reason *reason)
{
    struct complaint *one = is_template(all) ? all->first : NULL;
    while (one && !is_same(&one->reason, reason)) {
        one = one->next;
    }
    return one;
}

static void
complain(struct farewell *all, const struct copi_child *child, const cop_reason *reason)
{
    struct complaint new = {.child = child, .count = 1, .reason = *reason};
    struct complaint *known = find(all, reason);
    if (known) {
        known->count++;
    } else if ((*all->end = copi_alloc(sizeof new))) {
        **all->end = new;
        all->end = &(*all->end)->next;
    } else {
        report(all, &new);
    }
}

static void
free_complaints(struct farewell *all)
{
    struct complaint *next;
    for (struct complaint *one = all->first; one; one = next) {
        next = one->next;
        free(one);
    }
}

/* ---------------------------------------------------------------- asking */

static cop_time
deadline_of(const struct copi_child *child, cop_time now)
{
    cop_time shutdown = child->spec->shutdown;
    bool has_none = shutdown == COP_BRUTAL_KILL || shutdown > COP_FOREVER - now;
    return has_none ? COP_FOREVER : now + shutdown;
}

static int
ask(struct farewell *all, struct copi_child *child)
{
    bool is_brutal = child->spec->shutdown == COP_BRUTAL_KILL;
    int r = copi_child_watch(child->pid, &child->monitor);
    if (r) {
        return r;
    }
    all->left++;
    child->deadline = deadline_of(child, cop_now());
    all->next = child->deadline < all->next ? child->deadline : all->next;
    return copi_child_signal(child->pid, is_brutal ? COP_REASON_KILLED : COP_REASON_SHUTDOWN);
}

static int
ask_all(struct farewell *all)
{
    int r = 0;
    struct copi_child *child = all->sup->children.youngest;
    for (; child && r == 0; child = child->older) {
        r = child->state == COPI_CHILD_RUNNING ? ask(all, child) : 0;
    }
    return r;
}

/* Those whose time is over; and when the next one's is. */
static int
kill_late(struct farewell *all)
{
    cop_time now = cop_now();
    all->next = COP_FOREVER;
    for (struct copi_child *child = all->sup->children.oldest; child; child = child->younger) {
        bool is_late = child->monitor.id && child->deadline <= now;
        if (is_late) {
            int r = copi_child_signal(child->pid, COP_REASON_KILLED);
            if (r) {
                return r;
            }
            child->deadline = COP_FOREVER;
        }
        if (child->monitor.id && child->deadline < all->next) {
            all->next = child->deadline;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- waiting */

static struct copi_child *
whose_down(const struct farewell *all, const cop_msg *msg)
{
    const struct cop_down *down = msg->body.data;
    struct copi_child *child = copi_siblings_find_running(&all->sup->children, down->pid);
    return child && child->monitor.id == down->ref.id ? child : NULL;
}

static struct copi_child *
whose_exit(const struct farewell *all, const cop_msg *msg)
{
    const struct cop_exited *exited = msg->body.data;
    return copi_siblings_find_running(&all->sup->children, exited->pid);
}

static bool
is_end(const cop_msg *msg, void *env)
{
    const struct farewell *all = env;
    return (msg->tag == COP_MSG_DOWN && whose_down(all, msg))
           || (msg->tag == COP_MSG_EXIT && whose_exit(all, msg));
}

static void
judge(struct farewell *all, struct copi_child *child, const cop_reason *reason)
{
    const struct copi_child_spec *spec = child->spec;
    if (!child->is_judged
        && !copi_is_stopped_as_asked(all->sup->spec->strategy, spec->restart, spec->shutdown,
                                     reason)) {
        complain(all, child, reason);
    }
    child->is_judged = true;
}

static void
take_end(struct farewell *all, const cop_msg *msg)
{
    if (msg->tag == COP_MSG_EXIT) {
        judge(all, whose_exit(all, msg), &((const struct cop_exited *)msg->body.data)->reason);
        return;
    }
    struct copi_child *child = whose_down(all, msg);
    cop_reason reason = ((const struct cop_down *)msg->body.data)->reason;
    if (reason.kind == COP_NOPROC) {
        copi_child_take_exit(child->pid, &reason);
    }
    judge(all, child, &reason);
    child->monitor = (cop_ref){0};
    all->left--;
}

static cop_time
time_left(const struct farewell *all)
{
    if (all->next == COP_FOREVER) {
        return COP_FOREVER;
    }
    cop_time now = cop_now();
    return all->next > now ? all->next - now : 0;
}

static int
await_all(struct farewell *all)
{
    int r = 0;
    while (all->left > 0 && r == 0) {
        cop_msg msg;
        r = cop_receive_match(&msg, is_end, all, time_left(all));
        if (r == 0) {
            take_end(all, &msg);
        } else if (r == -ETIMEDOUT) {
            r = kill_late(all);
        }
    }
    return r;
}

/* ---------------------------------------------------------------- all of it */

static int
ask_and_await(struct copi_process *self, struct farewell *all)
{
    uint32_t was = copi_load_relaxed_32(&self->uncancelled);
    copi_store_relaxed_32(&self->uncancelled, 1);
    copi_cycle_begin_children(self);
    int r = ask_all(all);
    r = r ? r : await_all(all);
    copi_cycle_end(self);
    copi_store_relaxed_32(&self->uncancelled, was);
    return r;
}

void
copi_stop_together(struct copi_supervisor *sup)
{
    struct farewell all = {.sup = sup, .next = COP_FOREVER, .end = &all.first};
    struct copi_process *self;
    if (copi_enter(&self) == 0 && ask_and_await(self, &all) == 0) {
        for (const struct complaint *one = all.first; one; one = one->next) {
            report(&all, one);
        }
    }
    free_complaints(&all);
}
