/*
 * supervisor/task_supervisor.c - tasks below a supervisor.
 *
 * Room: supervisor/. The caller, but for `start`, which the supervisor runs.
 * Touch freely: nothing. Ask first: who starts or abandons the task.
 *
 * The caller makes the task, so that its future is there whatever happens; the supervisor starts it,
 * so that it is a child. On the way it is an offer, which two hold and both may want to decide:
 *
 *   OFFERED -> TAKEN       the supervisor, which starts the task
 *   OFFERED -> WITHDRAWN   the caller, after an error or when it ends: it abandons the task, and the
 *                          supervisor, should it still come to it, finds nothing to start
 *
 * Whoever decides has the task; each gives its own hold on the offer back. The caller gives back the
 * supervisor's as well when it knows that that will not come to it: after every error but those that
 * ended only the caller's wait.
 */
#include "actors/future.h"
#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/process.h"

#include <coppice/task_supervisor.h>

#include <errno.h>
#include <stdlib.h>

enum {
    OFFERED,
    TAKEN,
    WITHDRAWN,
};

struct offer {
    copi_atomic32 holds, state;
    struct copi_task *task;
    cop_future *future; /* the caller's hold on it, until it is returned */
    cop_pid owner;      /* to be linked; or COP_NOBODY */
};

static void
let_go(struct offer *offer, uint32_t holds)
{
    if (copi_fetch_add_32(&offer->holds, -holds) == holds) {
        free(offer);
    }
}

/* ---------------------------------------------------------------- in the supervisor */

/* At the end of the argument: the supervisor may have an `extra` of its own before it. */
static struct offer *
offer_in(cop_bytes arg)
{
    struct offer *offer;
    memcpy(&offer, (const char *)arg.data + arg.size - sizeof offer, sizeof offer);
    return offer;
}

static int
start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    struct offer *offer = offer_in(arg);
    uint32_t offered = OFFERED;
    int r = -ECANCELED;
    if (copi_cas_32(&offer->state, &offered, TAKEN)) {
        r = copi_task_start(offer->task, true, offer->owner, out);
        if (r) {
            *why = cop_why();
        }
    }
    let_go(offer, 1);
    return r;
}

/* ---------------------------------------------------------------- in the caller */

static void
withdraw(struct offer *offer, const cop_reason *why, bool will_come)
{
    uint32_t offered = OFFERED;
    if (copi_cas_32(&offer->state, &offered, WITHDRAWN)) {
        copi_task_abandon(offer->task, why);
        let_go(offer, will_come ? 1 : 2);
    } else {
        let_go(offer, 1);
    }
}

/* The caller ends while it asks. */
static void
forsake(void *arg)
{
    struct offer *offer = arg;
    const cop_reason why = {.kind = COP_SHUTDOWN, .code = -ECANCELED};
    cop_future_release(offer->future);
    withdraw(offer, &why, true);
}

static int
ask(cop_pid supervisor, struct offer *offer, const cop_task_opts *opts, cop_pid *out)
{
    int r = cop_defer(forsake, offer);
    if (r) {
        return r;
    }
    r = cop_supervisor_start_child(supervisor,
                                   &(cop_child_spec){
                                       .id = opts->name,
                                       .start = start,
                                       .arg = COP_BYTES(offer),
                                       .restart = COP_TEMPORARY,
                                       .shutdown = opts->shutdown,
                                   },
                                   out);
    cop_undefer(forsake, offer, false);
    return r;
}

static struct offer *
make(struct copi_task *task, cop_future *future, bool link)
{
    struct offer *offer = copi_alloc(sizeof *offer);
    if (offer) {
        *offer = (struct offer){
            .holds = 2,
            .state = OFFERED,
            .task = task,
            .future = future,
            .owner = link ? cop_self() : COP_NOBODY,
        };
    }
    return offer;
}

static int
start_under(cop_pid supervisor, struct copi_task *task, cop_future *future,
            const cop_task_opts *opts, cop_pid *out)
{
    struct offer *offer = make(task, future, opts->link);
    if (!offer) {
        const cop_reason why = cop_failed(-ENOMEM, NULL);
        copi_task_abandon(task, &why);
        return copi_fail(-ENOMEM);
    }
    int r = ask(supervisor, offer, opts, out);
    if (r == 0) {
        let_go(offer, 1);
    } else {
        const cop_reason why = cop_failed(r, "%s", cop_why().text);
        withdraw(offer, &why, r == -ECANCELED || r == -ETIMEDOUT);
    }
    return r;
}

cop_future *
cop_async_under_with(cop_pid supervisor, cop_task_fn fn, const cop_task_opts *opts)
{
    static const cop_task_opts none;
    const cop_task_opts *how = opts ? opts : &none;
    struct copi_task *task;
    cop_pid pid;
    if (how->lazy) {
        const cop_reason why =
            cop_failed(-EINVAL, "a lazy task is started by who awaits it, and would be no child");
        return copi_task_refused(how, &why);
    }
    cop_future *future = copi_task_new(&task, fn, how);
    if (task) {
        start_under(supervisor, task, future, how, &pid);
    }
    return future;
}

int
cop_task_start_child(cop_pid supervisor, cop_task_fn fn, cop_bytes arg, cop_pid *out)
{
    cop_future *future = cop_async_under(supervisor, fn, .arg = arg);
    cop_pid pid = cop_future_pid(future);
    int r = 0;
    if (pid.id == 0) {
        cop_reason why = COP_REASON_NORMAL;
        r = cop_future_state(future, &why);
        copi_fail_why(&why, r);
    } else if (out) {
        *out = pid;
    }
    cop_future_release(future);
    return r;
}

static cop_future *
under(cop_task_fn fn, const cop_task_opts *opts, cop_pid supervisor)
{
    return cop_async_under_with(supervisor, fn, opts);
}

int
cop_async_stream_under(cop_async_stream **out, cop_pid supervisor, cop_task_fn fn,
                       const cop_async_stream_opts *opts)
{
    return copi_async_stream_new(out, fn, opts, under, supervisor);
}
