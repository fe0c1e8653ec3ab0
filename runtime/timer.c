/*
 * runtime/timer.c - what happens later.
 *
 * Room: runtime/. Any thread; one library thread of its own.
 * Ask first: what is done under which lock.
 *
 * Pending timers form a heap (timer_heap.h), ordered by deadline and then by the order in which they were
 * set. Whoever sets one puts it into a list of those that are new; the timer thread puts them into the
 * heap, sleeps until the earliest deadline, and is woken only by a timer that is earlier. An interval stays in
 * the heap, with its next time; what it sends is interval.c's.
 *
 *   heap_lock   the heap: what is linked in it, those included that were new. The timer thread has it for a
 *               few due timers at a time, and so has whoever takes a timer out.
 *   lock        the places and what is in them, the list of new ones, the lists of processes, and what the
 *               thread and those who set timers tell each other. It is taken after heap_lock.
 *
 * So setting a timer needs `lock` alone, and whoever holds that writes a few pointers: the heap, whose nodes
 * lie in cold memory, is not touched. The new ones are linked as children are, so taking out needs not know
 * where a timer is.
 *
 * Where they lie is timer_places.h's. A place is given back under the lock that takes its timer out, so what is
 * to be done is copied, and done outside.
 *
 * What cost most was waiting for the lock: 1,400 ns to set a timer while others were due, when there was
 * one for all and who waited for it slept; 800 when he waited awake (thread.h); 500 now that the heap has its
 * own.
 *
 * Falling asleep and being woken costs the thread some 10 us, in which it could have looked whether the next
 * one is due. Where they come every microsecond, it would do nothing else. So it does not sleep for less
 * than NAP: a timer may come that much later than it could, and a handful go off together.
 *
 * So where twenty are due within a third of a millisecond, the first is late by two wake-ups of halted cores, the
 * thread's and the receiver's (30 to 60 us), and the median by 37 us. To look for the next one instead, while a
 * core is free, made that 12 us. But the latest, which are the first of each such group, were as late as before, and
 * where timers are set and received meanwhile, they were later by a tenth: who looks has a core that the receiver
 * could have. What is above 100 us is the machine's: of a bare thread's sleeps of a millisecond 1 to 2 in a hundred
 * end more than half a millisecond late here.
 *
 * What the library itself wants called later must not be lost for want of memory: a stop that nobody goes on
 * with would never end. For such there are a few places that cost none, in use only while there is no other. Nor
 * for want of a thread: who may need it makes sure of it before (copi_timer_ready).
 *
 * A timer to a pid hangs in that process's list and is cancelled when it ends; one to a name does
 * not: the name may have another holder by then.
 */
#include "runtime/timer.h"

#include "runtime/exit_signal.h"
#include "runtime/inbox.h"
#include "runtime/interval.h"
#include "runtime/live.h"
#include "runtime/send.h"
#include "runtime/table.h"
#include "runtime/timer_heap.h"
#include "runtime/timer_places.h"
#include "runtime/timer_plan.h"

#include <string.h>

enum {
    BATCH = 8 /* that are taken out together */
};
#define NAP COP_US(20)

static struct {
    copi_lock heap_lock, lock;
    /* guarded by heap_lock */
    struct copi_timer_heap heap;
    /* guarded by lock */
    struct copi_timer *new;
    uint64_t order;
    struct copi_timer_places places; /* its count goes on over a stop */
    bool running, stopping;
    cop_time sleeping_until;
    struct copi_library_thread thread;
    /* any thread */
    struct copi_parker parker;
    copi_atomic32 is_ready; /* as running */
} timers = {.heap_lock = COPI_LOCK_INIT, .lock = COPI_LOCK_INIT};

static void
lock_both(void)
{
    copi_lock_take(&timers.heap_lock);
    copi_lock_take(&timers.lock);
}

static void
unlock_both(void)
{
    copi_lock_give(&timers.lock);
    copi_lock_give(&timers.heap_lock);
}

static void
add_new_locked(struct copi_timer *timer)
{
    timer->order = timers.order++;
    copi_timer_list(&timers.new, timer);
}

/* ---------------------------------------------------------------- processes */

static void
join_process_locked(struct copi_timer *timer)
{
    struct copi_process *process = copi_table_find(timer->plan.to);
    if (process) {
        timer->next_of_process = process->timers;
        timer->process_link = &process->timers;
        if (process->timers) {
            process->timers->process_link = &timer->next_of_process;
        }
        process->timers = timer;
    }
}

static void
leave_process_locked(struct copi_timer *timer)
{
    if (timer->process_link) {
        *timer->process_link = timer->next_of_process;
        if (timer->next_of_process) {
            timer->next_of_process->process_link = timer->process_link;
        }
        timer->process_link = NULL;
    }
}

/* It is out of the heap, and now of everything: the caller has what it was to do. */
static struct copi_timer_plan
forget_locked(struct copi_timer *timer)
{
    leave_process_locked(timer);
    copi_timer_places_give(&timers.places, timer);
    return timer->plan;
}

/* Both locks are held. */
static struct copi_timer_plan
take_out_both_locked(struct copi_timer *timer)
{
    copi_timer_heap_take_out(&timers.heap, timer);
    return forget_locked(timer);
}

void
copi_timer_discard(const struct copi_timer_plan *plan)
{
    if (plan->message) {
        copi_message_free(plan->message);
    }
    if (plan->interval) {
        copi_interval_cancel(plan->interval);
    }
    copi_live_gone(COPI_LIVE_TIMER);
}

/* ---------------------------------------------------------------- the thread */

/* What is to be done outside the lock: what a timer was for that is out of everything, or one tick of an
 * interval that goes on. */
struct due {
    struct copi_timer_plan plan;
    bool is_tick;
};

static void
fire(struct due *due)
{
    struct copi_timer_plan *plan = &due->plan;
    if (due->is_tick) {
        copi_interval_tick(plan->interval, copi_resolve(plan->to));
        return;
    }
    if (plan->fn) {
        plan->fn(plan->arg.number);
    } else if (plan->later) {
        plan->later(plan->arg.object, false);
    } else if (plan->message && plan->message->kind == COPI_SIGNAL) {
        copi_exit_signal_send(copi_resolve(plan->to), plan->message);
    } else if (plan->message) {
        copi_post(copi_resolve(plan->to), plan->message);
    }
    plan->message = NULL;
    copi_timer_discard(plan);
}

/* Not if its receiver was gone before it was set: then it is in nobody's list. */
static bool
goes_on(const struct copi_timer *timer)
{
    return timer->plan.interval && (timer->process_link || timer->plan.to.id & COPI_NAME_BIT);
}

/* One that goes on becomes a new one. */
static struct due
take_due_locked(struct copi_timer *timer, cop_time now)
{
    if (!goes_on(timer)) {
        return (struct due){.plan = forget_locked(timer)};
    }
    struct copi_timer_plan *plan = &timer->plan;
    struct due tick = {.plan = *plan, .is_tick = true};
    copi_interval_hold(plan->interval);
    plan->deadline = copi_interval_next(plan->interval, plan->deadline, now);
    add_new_locked(timer);
    return tick;
}

/* heap_lock is held. */
static void
sort_new_in(bool *stopping)
{
    copi_lock_take(&timers.lock);
    struct copi_timer *new = timers.new;
    timers.new = NULL;
    *stopping = timers.stopping;
    copi_lock_give(&timers.lock);
    copi_timer_heap_add(&timers.heap, new);
}

/* heap_lock is held. */
static unsigned
unlink_due(struct copi_timer *due[BATCH], cop_time now)
{
    unsigned count = 0;
    while (count < BATCH && timers.heap.first && timers.heap.first->plan.deadline <= now) {
        due[count] = timers.heap.first;
        copi_timer_heap_take_out(&timers.heap, due[count++]);
    }
    return count;
}

/* Not if there are new ones: whoever set them believed that it is awake. */
static void
fall_asleep_locked(cop_time *until)
{
    if (!timers.new) {
        *until = timers.heap.first ? timers.heap.first->plan.deadline : COP_FOREVER;
        timers.sleeping_until = *until;
    }
}

/* How many are due, a few at a time. *until is written if there are none, and it is to sleep. */
static unsigned
next_due(struct due due[BATCH], cop_time *until, bool *stopping)
{
    struct copi_timer *unlinked[BATCH];
    cop_time now = copi_clock();
    copi_lock_take(&timers.heap_lock);
    sort_new_in(stopping);
    unsigned count = unlink_due(unlinked, now);
    copi_lock_take(&timers.lock);
    for (unsigned i = 0; i < count; i++) {
        due[i] = take_due_locked(unlinked[i], now);
    }
    if (count == 0) {
        fall_asleep_locked(until);
    }
    unlock_both();
    return count;
}

static void
nap(cop_time until)
{
    cop_time least = copi_clock() + NAP;
    copi_pool_flush();
    copi_park(&timers.parker, until > least ? until : least);
}

static void
run(void *unused)
{
    (void)unused;
    bool stopping = false;
    while (!stopping) {
        struct due due[BATCH];
        cop_time until = 0; /* look again at once */
        unsigned count = next_due(due, &until, &stopping);
        for (unsigned i = 0; i < count; i++) {
            fire(&due[i]);
        }
        if (until > 0 && !stopping) {
            nap(until);
        }
    }
}

static int
start_locked(void)
{
    if (timers.running) {
        return 0;
    }
    copi_parker_init(&timers.parker);
    int r = copi_library_thread_start(&timers.thread, "cop-timer", run, NULL);
    timers.running = r == 0;
    copi_store_relaxed_32(&timers.is_ready, timers.running);
    return r;
}

static void
arm_locked(struct copi_timer *timer, cop_ref *ref)
{
    cop_ref made = copi_timer_reference(timer);
    if (ref) {
        *ref = made;
    }
    if (timer->plan.tells_itself) {
        memcpy(timer->plan.message->body, &made, sizeof made);
    }
    add_new_locked(timer);
    join_process_locked(timer);
}

int
copi_timer_set(const struct copi_timer_plan *plan, cop_ref *ref)
{
    struct copi_timer *timer;
    bool is_earlier = false;
    copi_live_born(COPI_LIVE_TIMER); /* before it may go off */
    copi_lock_take(&timers.lock);
    int r = start_locked();
    if (r == 0 && (r = copi_timer_places_take(&timers.places, plan, &timer)) == 0) {
        arm_locked(timer, ref);
        is_earlier = plan->deadline < timers.sleeping_until;
        if (is_earlier) {
            timers.sleeping_until = plan->deadline; /* one wake-up is enough */
        }
    }
    copi_lock_give(&timers.lock);
    if (is_earlier) {
        copi_unpark(&timers.parker);
    }
    if (r) {
        copi_live_gone(COPI_LIVE_TIMER);
    }
    return r;
}

/* ---------------------------------------------------------------- for the runtime */

int
copi_timer_call(cop_time deadline, void (*fn)(uint64_t arg), uint64_t arg)
{
    return copi_timer_set(
        &(struct copi_timer_plan){.deadline = deadline, .fn = fn, .arg.number = arg}, NULL);
}

int
copi_timer_ready(void)
{
    if (copi_load_relaxed_32(&timers.is_ready)) {
        return 0;
    }
    copi_lock_take(&timers.lock);
    int r = start_locked();
    copi_lock_give(&timers.lock);
    return r;
}

int
copi_timer_call_later(cop_ref *timer, cop_time deadline, void (*fn)(void *arg, bool is_stop),
                      void *arg)
{
    return copi_timer_set(
        &(struct copi_timer_plan){.deadline = deadline, .later = fn, .arg.object = arg}, timer);
}

bool
copi_timer_take_out(cop_ref ref, struct copi_timer_plan *plan)
{
    lock_both();
    struct copi_timer *timer = copi_timer_places_find(&timers.places, ref);
    if (timer) {
        *plan = take_out_both_locked(timer);
    }
    unlock_both();
    return timer != NULL;
}

bool
copi_timer_is_set(cop_ref ref, cop_time *deadline)
{
    copi_lock_take(&timers.lock);
    const struct copi_timer *timer = copi_timer_places_find(&timers.places, ref);
    if (timer) {
        *deadline = timer->plan.deadline;
    }
    copi_lock_give(&timers.lock);
    return timer != NULL;
}

bool
copi_timer_cancel(cop_ref ref)
{
    struct copi_timer_plan plan;
    bool was_set = !copi_is_forked() && copi_timer_take_out(ref, &plan);
    if (was_set) {
        copi_timer_discard(&plan);
    }
    return was_set;
}

static bool
take_out_of(struct copi_process *process, struct copi_timer_plan *plan)
{
    lock_both();
    struct copi_timer *timer = process->timers;
    if (timer) {
        *plan = take_out_both_locked(timer);
    }
    unlock_both();
    return timer != NULL;
}

/* Most have none, and need not wait for the heap. */
static bool
has_timers(const struct copi_process *process)
{
    copi_lock_take(&timers.lock);
    bool has = process->timers != NULL;
    copi_lock_give(&timers.lock);
    return has;
}

void
copi_timer_process_ends(struct copi_process *process)
{
    struct copi_timer_plan plan;
    while (has_timers(process) && take_out_of(process, &plan)) {
        copi_timer_discard(&plan);
    }
}

static bool
take_out_first(struct copi_timer_plan *plan)
{
    lock_both();
    struct copi_timer *timer = timers.heap.first ? timers.heap.first : timers.new;
    if (timer) {
        *plan = take_out_both_locked(timer);
    } else {
        copi_timer_places_trim(&timers.places);
        timers.running = timers.stopping = false;
        copi_store_relaxed_32(&timers.is_ready, 0);
    }
    unlock_both();
    return timer != NULL;
}

void
copi_timer_stop(void)
{
    copi_lock_take(&timers.lock);
    bool running = timers.running;
    timers.stopping = true;
    copi_lock_give(&timers.lock);
    if (running) {
        copi_unpark(&timers.parker);
        copi_library_thread_join(&timers.thread);
    }
    struct copi_timer_plan plan;
    while (take_out_first(&plan)) {
        if (plan.later) {
            plan.later(plan.arg.object, true);
        }
        copi_timer_discard(&plan);
    }
}

void
copi_timer_trim(void)
{
    lock_both();
    if (!timers.heap.first && !timers.new) {
        copi_timer_places_trim(&timers.places);
    }
    unlock_both();
}
