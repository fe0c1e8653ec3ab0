/*
 * runtime/timer_plan.h - what is set, and taken out again: for those who make timers of it.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_TIMER_PLAN_H
#define COPI_RUNTIME_TIMER_PLAN_H

#include "runtime/timer.h"

struct copi_message;
struct copi_interval;

/* What is to be done when, and nothing of where the timer is. */
struct copi_timer_plan {
    cop_time deadline;
    /* either a call */
    void (*fn)(uint64_t arg);
    /* or a call that can be cancelled */
    void (*later)(void *arg, bool is_stop);
    union {
        uint64_t number;
        void *object;
    } arg;
    /* or to somebody: a message or an exit signal, or an interval's messages */
    cop_pid to;
    struct copi_message *message;
    struct copi_interval *interval; /* held */
    bool tells_itself;              /* the message's body is the timer's reference */
};

/*
 * What it is to send is taken, or on an error still the caller's: -EAGAIN, -ENOMEM. The reference is written
 * before it can go off; NULL: it is not wanted, which a call alone may say.
 */
int copi_timer_set(const struct copi_timer_plan *plan, cop_ref *ref);

/* What was to be done, which is now the caller's to discard; false: it has been done, was cancelled, or never
 * was there. */
bool copi_timer_take_out(cop_ref ref, struct copi_timer_plan *plan);
void copi_timer_discard(const struct copi_timer_plan *plan);

/* When it is due; false: as above. */
bool copi_timer_is_set(cop_ref ref, cop_time *deadline);

#endif
