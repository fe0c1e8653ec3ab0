/*
 * runtime/stop.c - ending another process and waiting for it.
 *
 * Room: runtime/.
 *
 * The end is seen by a monitor, whose DOWN is waited for as an answer is. What is asked is a message in
 * the mailbox, so that a server does first what was asked of it before.
 */
#include "runtime/stop.h"

#include "runtime/cycle.h"
#include "runtime/ladder.h"
#include "runtime/request.h"
#include "runtime/send.h"
#include "runtime/signals.h"
#include "runtime/table.h"

#include <errno.h>

static int
await_down(struct copi_process *self, cop_ref monitor, cop_time timeout, cop_reason *reason)
{
    struct copi_message *answer;
    self->awaits_down = true;
    int r = copi_request_await(self, monitor, timeout, &answer);
    self->awaits_down = false;
    if (r) {
        copi_signals_demonitor(self, monitor);
        return r;
    }
    struct cop_down down;
    memcpy(&down, answer->body, sizeof down);
    copi_message_free(answer);
    *reason = down.reason;
    return 0;
}

void
copi_kill_and_wait(struct copi_process *self, cop_pid pid)
{
    cop_ref monitor = {0};
    cop_reason reason;
    if (cop_exit_signal(pid, COP_REASON_KILLED) == 0) {
        monitor = cop_monitor(pid); /* of who is gone by now, it fires at once */
    }
    if (monitor.id == 0) {
        return; /* no memory to kill it, or to wait with */
    }
    uint32_t was = copi_load_relaxed_32(&self->uncancelled);
    copi_store_relaxed_32(&self->uncancelled, 1);
    await_down(self, monitor, COP_FOREVER, &reason);
    copi_store_relaxed_32(&self->uncancelled, was);
}

int
copi_ask_to_stop(struct copi_process *self, cop_pid pid, const cop_reason *reason)
{
    struct copi_message *message = copi_message_new(COPI_STOP, 0, sizeof *reason);
    if (!message) {
        return -ENOMEM;
    }
    memcpy(message->body, reason, sizeof *reason);
    message->from = self->pid;
    const struct copi_process *process = copi_table_find(pid);
    if (process && copi_is(process, COPI_IS_SERVER)) {
        copi_post(pid, message);
        return 0;
    }
    copi_post_signal(pid, message); /* as cop_exit_signal does */
    if (!cop_is_crash(*reason)) {
        copi_ladder_begin(pid, false);
    }
    return 0;
}

static bool
is_as_asked(const cop_reason *asked, const cop_reason *was)
{
    if (was->kind == COP_NOPROC) {
        return true;
    }
    if (cop_is_crash(*asked)) {
        return asked->kind == was->kind && asked->code == was->code;
    }
    return !cop_is_crash(*was);
}

static int
stop(struct copi_process *self, cop_pid pid, const cop_reason *reason, cop_time timeout)
{
    cop_ref monitor = cop_monitor(pid);
    if (monitor.id == 0) {
        return self->reasons->why.code;
    }
    int r = copi_cycle_begin(self, pid, monitor);
    if (r == 0 && (r = copi_ask_to_stop(self, pid, reason))) {
        copi_cycle_end(self);
        copi_fail(r);
    }
    if (r) {
        copi_signals_demonitor(self, monitor);
        return r;
    }
    cop_reason was;
    r = await_down(self, monitor, timeout, &was);
    if (r == 0 && !is_as_asked(reason, &was)) {
        r = copi_fail_why(&was, cop_reason_error(was));
    }
    return r;
}

int
cop_stop_process(cop_pid pid, cop_reason reason, cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    if (timeout < 0 || reason.kind > COP_FAILED) {
        return copi_fail(-EINVAL);
    }
    cop_pid target = copi_resolve(pid);
    if (cop_pid_eq(target, self->pid)) {
        return copi_fail(-EDEADLK);
    }
    return copi_table_find(target) ? stop(self, target, &reason, timeout) : 0;
}
