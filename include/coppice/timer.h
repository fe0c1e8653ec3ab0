/*
 * coppice/timer.h - messages that arrive later.
 */
#ifndef COPPICE_TIMER_H
#define COPPICE_TIMER_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Send a message after a delay, never earlier; Process.send_after. Equal times fire in the order in
 * which they were set. A timer whose receiver (by pid, not by name) ends is cancelled.
 *
 *   msg     copied, or taken when the result is not {0}
 *   delay   0: at once, through the mailbox
 *
 * Returns {0} on failure (cop_why): -EINVAL a reserved tag or a negative delay, -ENOMEM, -EAGAIN.
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_ref cop_send_after(cop_pid to, cop_msg msg, cop_time delay);

/*
 * Cancel; Process.cancel_timer. After 0 the message will not come.
 *
 *   left   how long it still had; NULL: not wanted
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
