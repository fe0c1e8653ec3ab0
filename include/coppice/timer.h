/*
 * coppice/timer.h - messages and exit signals that arrive later.
 *
 * A timer is cancelled when its receiver ends, if that is a process; one to a name goes to whoever has
 * the name when it fires, or nowhere. It outlives who set it. Equal times fire in the order in which
 * they were set, and none fires early. What has fired is a message like any other.
 *
 * Each function that sets one returns {0} on failure, with the reason in cop_why(): -EINVAL as it says,
 * -ENOMEM, or -EAGAIN when there is no thread for timers, or 16,777,216 of them are set.
 *
 * How much later than its time a message comes is the kernel's affair: there are no schedulers of our
 * own, and nothing to be seen of the timers' inside.
 *
 * Threads: any.  None of them blocks or is an exit point.
 *
 * To run a function later, send a message to the process that is to run it, or start one that sleeps.
 */
#ifndef COPPICE_TIMER_H
#define COPPICE_TIMER_H

#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Send a message after a delay; Process.send_after.
 *
 *   msg     copied, or taken when the result is not {0}
 *   delay   0: at once, through the mailbox
 *
 * -EINVAL   a negative delay, a reserved tag, bytes without data, a moved body without data
 */
COP_API cop_ref cop_send_after(cop_pid to, cop_msg msg, cop_time delay);

/*
 * Send a message when the clock of cop_now() reaches `when`; Process.send_after with :abs. A time that
 * has passed is at once.
 *
 * -EINVAL   as above
 */
COP_API cop_ref cop_send_at(cop_pid to, cop_msg msg, cop_time when);

/*
 * Send a message whose body is the timer's own cop_ref; :erlang.start_timer. By it a receiver tells a
 * timer that it still wants from one that fired just before it was cancelled.
 *
 * -EINVAL   a negative delay, a reserved tag
 */
COP_API cop_ref cop_start_timer(cop_pid to, uint32_t tag, cop_time delay);

/*
 * Send a message again and again; :timer.send_interval. First after one period, then at whole periods
 * from the start: being late once delays none of the others. Until it is cancelled.
 *
 * A receiver that does not keep up is not flooded, which is not as in OTP: a message is left out while
 * two are with the receiver, in its mailbox or in its hands. It is left out, too, when the system was
 * stopped over its time, or there is no memory for it.
 *
 *   msg      its bytes are copied, for each time anew
 *   period   more than 0
 *
 * -EINVAL   a period of 0 or less, a reserved tag, bytes without data, a moved body
 */
COP_API cop_ref cop_send_interval(cop_pid to, cop_msg msg, cop_time period);

/*
 * Send an exit signal after a delay; :timer.exit_after, and :timer.kill_after with COP_REASON_KILLED.
 * It acts as cop_exit_signal's, and comes from the caller.
 *
 * -EINVAL   a negative delay
 */
COP_API cop_ref cop_exit_after(cop_pid to, cop_reason reason, cop_time delay);

/*
 * Cancel a timer of any kind; Process.cancel_timer, :timer.cancel. After 0 its message or signal will
 * not come; what an interval has sent before stays in the mailbox.
 *
 *   left   how long it still had, an interval to its next message; NULL: not wanted
 *
 * -ENOENT   it has fired, was cancelled, or never was
 */
COP_API int cop_cancel_timer(cop_ref timer, cop_time *left);

/* How long a timer still has; Process.read_timer. -ENOENT as above. */
COP_API int cop_read_timer(cop_ref timer, cop_time *left);

#ifdef __cplusplus
}
#endif
#endif
