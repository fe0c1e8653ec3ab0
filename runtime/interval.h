/*
 * runtime/interval.h - a message that is sent again and again.
 *
 * Room: runtime/. The timer thread ticks, any thread cancels.
 */
#ifndef COPI_RUNTIME_INTERVAL_H
#define COPI_RUNTIME_INTERVAL_H

#include <coppice/message.h>

struct copi_interval;

/* One that the caller holds. -EINVAL: a reserved tag, a moved body, bytes without data. -ENOMEM. */
int copi_interval_new(struct copi_interval **out, const cop_msg *msg, cop_pid from,
                      cop_time period);

struct copi_interval *copi_interval_hold(struct copi_interval *interval);

/* When the next tick is due after the one of `last`: a whole number of periods later, and after now. */
cop_time copi_interval_next(const struct copi_interval *interval, cop_time last, cop_time now);

/* Send it once, unless it is cancelled or the receiver does not keep up. Gives the hold back. */
void copi_interval_tick(struct copi_interval *interval, cop_pid to);

/* When this returns, nothing more is sent. Gives the hold back. */
void copi_interval_cancel(struct copi_interval *interval);

#endif
