/*
 * runtime/timer.h - what happens later.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_TIMER_H
#define COPI_RUNTIME_TIMER_H

#include <coppice/timer.h>

struct copi_process;

/*
 * Call fn(arg) on the timer thread at `deadline`. It must be the library's own and quick. -EAGAIN: no
 * thread for timers; -ENOMEM, though a few are kept for when there is none. There is no cancelling: fn finds
 * out whether it still matters.
 */
int copi_timer_call(cop_time deadline, void (*fn)(uint64_t arg), uint64_t arg);

/*
 * The same, for what can be cancelled: copi_timer_cancel says whether fn will not be called. Else it is,
 * once, also when the timers are stopped before, with `is_stop`, and by who stops them: so what `arg`
 * stands for is given back by one of the two. *timer is written before fn can be called.
 */
int copi_timer_call_later(cop_ref *timer, cop_time deadline, void (*fn)(void *arg, bool is_stop),
                          void *arg);
bool copi_timer_cancel(cop_ref timer);

/*
 * See that there is a thread for timers, before something begins that may need it and could not say then that
 * there is none: a process that has to be interrupted, work that has to be tried again. -EAGAIN: there is
 * none.
 */
int copi_timer_ready(void);

/* The process ends: what is addressed to it is cancelled. */
void copi_timer_process_ends(struct copi_process *process);

/* What is kept for timers to come goes back, if none is set. */
void copi_timer_trim(void);

/* End the timer thread and drop what is pending. It starts again when it is needed. */
void copi_timer_stop(void);

#endif
