/*
 * runtime/timer_send.c - messages and exit signals that come later.
 *
 * Room: runtime/. Any thread.
 * Touch freely: all of it. What is sent is made when the timer is set, so firing needs no memory.
 */
#include "runtime/alloc.h"
#include "runtime/exit_signal.h"
#include "runtime/inbox.h"
#include "runtime/interval.h"
#include "runtime/send.h"
#include "runtime/timer_plan.h"

#include <errno.h>

static int
set_message(struct copi_process *self, cop_pid to, const cop_msg *msg, cop_time deadline,
            cop_ref *ref)
{
    struct copi_message *message;
    int r = copi_message_from(&message, COPI_SEND, msg);
    if (r) {
        return r;
    }
    message->from = copi_pid(self);
    r = copi_timer_set(
        &(struct copi_timer_plan){.deadline = deadline, .to = to, .message = message}, ref);
    if (r) {
        message->flags &= (uint8_t)(msg->drop ? ~COPI_OUTSIDE : ~0);
        copi_message_free(message); /* a moved body stays the sender's */
    }
    return r;
}

static int
set_own_reference(struct copi_process *self, cop_pid to, uint32_t tag, cop_time deadline,
                  cop_ref *ref)
{
    struct copi_message *message = copi_message_new(COPI_SEND, tag, sizeof *ref);
    if (!message) {
        return -ENOMEM;
    }
    message->from = copi_pid(self);
    const struct copi_timer_plan plan = {
        .deadline = deadline,
        .to = to,
        .message = message,
        .tells_itself = true,
    };
    int r = copi_timer_set(&plan, ref);
    if (r) {
        copi_message_free(message);
    }
    return r;
}

static int
set_signal(struct copi_process *self, cop_pid to, const cop_reason *reason, cop_time deadline,
           cop_ref *ref)
{
    struct copi_message *signal = copi_exit_signal_new(self, reason);
    if (!signal) {
        return -ENOMEM;
    }
    int r =
        copi_timer_set(&(struct copi_timer_plan){.deadline = deadline, .to = to, .message = signal},
                       ref);
    if (r) {
        copi_message_free(signal);
    }
    return r;
}

static int
set_interval(struct copi_process *self, cop_pid to, const cop_msg *msg, cop_time period,
             cop_ref *ref)
{
    struct copi_interval *interval;
    int r = copi_interval_new(&interval, msg, copi_pid(self), period);
    if (r) {
        return r;
    }
    const struct copi_timer_plan plan = {
        .deadline = copi_deadline(period),
        .to = to,
        .interval = interval,
    };
    r = copi_timer_set(&plan, ref);
    if (r) {
        copi_interval_cancel(interval);
    }
    return r;
}

static cop_ref
answer(int r, cop_ref ref)
{
    if (r) {
        copi_fail(r);
        ref.id = 0;
    }
    return ref;
}

cop_ref
cop_send_after(cop_pid to, cop_msg msg, cop_time delay)
{
    struct copi_process *self;
    cop_ref ref = {0};
    if (copi_enter(&self) != 0) {
        return ref;
    }
    int r = delay < 0 ? -EINVAL : set_message(self, to, &msg, copi_deadline(delay), &ref);
    return answer(r, ref);
}

cop_ref
cop_send_at(cop_pid to, cop_msg msg, cop_time when)
{
    struct copi_process *self;
    cop_ref ref = {0};
    if (copi_enter(&self) != 0) {
        return ref;
    }
    int r = when < 0 ? -EINVAL : set_message(self, to, &msg, when, &ref);
    return answer(r, ref);
}

cop_ref
cop_start_timer(cop_pid to, uint32_t tag, cop_time delay)
{
    struct copi_process *self;
    cop_ref ref = {0};
    if (copi_enter(&self) != 0) {
        return ref;
    }
    bool is_valid = delay >= 0 && tag < COP_MSG_RESERVED;
    int r = is_valid ? set_own_reference(self, to, tag, copi_deadline(delay), &ref) : -EINVAL;
    return answer(r, ref);
}

cop_ref
cop_send_interval(cop_pid to, cop_msg msg, cop_time period)
{
    struct copi_process *self;
    cop_ref ref = {0};
    if (copi_enter(&self) != 0) {
        return ref;
    }
    int r = period <= 0 ? -EINVAL : set_interval(self, to, &msg, period, &ref);
    return answer(r, ref);
}

cop_ref
cop_exit_after(cop_pid to, cop_reason reason, cop_time delay)
{
    struct copi_process *self;
    cop_ref ref = {0};
    if (copi_enter(&self) != 0) {
        return ref;
    }
    int r = delay < 0 ? -EINVAL : set_signal(self, to, &reason, copi_deadline(delay), &ref);
    return answer(r, ref);
}

int
cop_cancel_timer(cop_ref ref, cop_time *left)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    struct copi_timer_plan plan;
    if (!copi_timer_take_out(ref, &plan)) {
        return copi_fail(-ENOENT);
    }
    cop_time rest = plan.deadline - copi_clock();
    copi_timer_discard(&plan);
    if (left) {
        *left = rest > 0 ? rest : 0;
    }
    return 0;
}

int
cop_read_timer(cop_ref ref, cop_time *left)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    cop_time deadline;
    if (!copi_timer_is_set(ref, &deadline)) {
        return copi_fail(-ENOENT);
    }
    cop_time rest = deadline - copi_clock();
    *left = rest > 0 ? rest : 0;
    return 0;
}
