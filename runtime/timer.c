/*
 * runtime/timer.c - what happens later.
 *
 * Room: runtime/. Any thread; one library thread of its own.
 * Touch freely: the heap. Ask first: what is done under the lock.
 *
 * Pending timers form a pairing heap, ordered by deadline and then by the order in which they were
 * set. Arming is a few pointers under the lock; the timer thread sleeps until the earliest deadline
 * and is woken only by a timer that is earlier. A timer's message or signal is made when it is armed,
 * so firing needs no memory. An interval stays in the heap, with its next time; what it sends is
 * interval.c's.
 *
 * A reference is a slot and a count, as a pid is: a timer that is gone is not found. What the library
 * itself does later has one only if it can be cancelled.
 *
 * A timer to a pid hangs in that process's list and is cancelled when it ends; one to a name does
 * not: the name may have another holder by then.
 */
#include "runtime/timer.h"

#include "runtime/alloc.h"
#include "runtime/inbox.h"
#include "runtime/interval.h"
#include "runtime/live.h"
#include "runtime/send.h"
#include "runtime/signals.h"
#include "runtime/table.h"

#include <errno.h>
#include <stdlib.h>

struct copi_timer {
    cop_time deadline;
    uint64_t order;
    struct copi_timer *child, *sibling, **link; /* the heap; link: what points here */
    struct copi_timer *next_of_process, **process_link;
    /* either a call */
    void (*fn)(uint64_t arg);
    uint64_t arg;
    /* or a call that can be cancelled */
    void (*later)(void *arg, bool is_stop);
    void *later_arg;
    /* or to somebody: a message or an exit signal, or an interval's messages */
    cop_pid to;
    struct copi_message *message;
    struct copi_interval *interval; /* held */
    bool tells_itself;              /* the message's body is the timer's reference */
    uint32_t slot;
};

enum {
    SLOT_BITS = 24,
    COUNT_BITS = 40
};

struct slot {
    struct copi_timer *timer;
    uint64_t count;
    uint32_t next_free;
};

static struct {
    copi_lock lock;
    /* guarded by lock */
    struct copi_timer *first;
    uint64_t order, count; /* count: of all references ever, also over a stop */
    struct slot *slots;
    uint32_t slot_count, free_slot; /* free_slot: an index + 1; 0: none */
    bool running, stopping;
    cop_time sleeping_until;
    struct copi_library_thread thread;
    /* any thread */
    struct copi_parker parker;
} timers = {.lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- the heap */

static bool
is_before(const struct copi_timer *a, const struct copi_timer *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static struct copi_timer *
meld(struct copi_timer *a, struct copi_timer *b)
{
    if (!a || !b) {
        return a ? a : b;
    }
    if (is_before(b, a)) {
        struct copi_timer *swapped = a;
        a = b;
        b = swapped;
    }
    b->sibling = a->child;
    if (b->sibling) {
        b->sibling->link = &b->sibling;
    }
    a->child = b;
    b->link = &a->child;
    return a;
}

/* Two passes over the children: pairs from left to right, then all into one. */
static struct copi_timer *
meld_children(struct copi_timer *child)
{
    struct copi_timer *pairs = NULL;
    while (child) {
        struct copi_timer *a = child, *b = a->sibling;
        child = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b) {
            b->sibling = NULL;
        }
        struct copi_timer *pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    struct copi_timer *whole = NULL;
    while (pairs) {
        struct copi_timer *next = pairs->sibling;
        pairs->sibling = NULL;
        whole = meld(whole, pairs);
        pairs = next;
    }
    return whole;
}

static void
set_first_locked(struct copi_timer *first)
{
    timers.first = first;
    if (first) {
        first->link = &timers.first;
        first->sibling = NULL;
    }
}

static void
remove_locked(struct copi_timer *timer)
{
    struct copi_timer *rest = meld_children(timer->child);
    timer->child = NULL;
    if (timer == timers.first) {
        set_first_locked(rest);
        return;
    }
    *timer->link = timer->sibling;
    if (timer->sibling) {
        timer->sibling->link = timer->link;
    }
    set_first_locked(meld(timers.first, rest));
}

/* ---------------------------------------------------------------- slots and processes */

static int
add_slots_locked(void)
{
    uint32_t count = timers.slot_count ? timers.slot_count * 2 : 64;
    if (count > 1u << SLOT_BITS) {
        return -EAGAIN;
    }
    struct slot *slots = copi_realloc(timers.slots, count * sizeof *slots);
    if (!slots) {
        return -ENOMEM;
    }
    timers.slots = slots;
    for (uint32_t i = timers.slot_count; i < count; i++) {
        slots[i] = (struct slot){.next_free = i + 1 < count ? i + 2 : 0};
    }
    timers.free_slot = timers.slot_count + 1;
    timers.slot_count = count;
    return 0;
}

static int
take_slot_locked(struct copi_timer *timer, cop_ref *ref)
{
    int r = timers.free_slot ? 0 : add_slots_locked();
    if (r) {
        return r;
    }
    timer->slot = timers.free_slot - 1;
    struct slot *slot = &timers.slots[timer->slot];
    timers.free_slot = slot->next_free;
    slot->timer = timer;
    slot->count = ++timers.count & ((UINT64_C(1) << COUNT_BITS) - 1);
    ref->id = ((uint64_t)(timer->slot + 1) << COUNT_BITS) | slot->count;
    return 0;
}

static void
give_slot_locked(struct copi_timer *timer)
{
    struct slot *slot = &timers.slots[timer->slot];
    slot->timer = NULL;
    slot->next_free = timers.free_slot;
    timers.free_slot = timer->slot + 1;
}

static struct copi_timer *
find_locked(cop_ref ref)
{
    uint64_t slot = ref.id >> COUNT_BITS;
    if (slot == 0 || slot > timers.slot_count) {
        return NULL;
    }
    const struct slot *at = &timers.slots[slot - 1];
    bool same = at->count == (ref.id & ((UINT64_C(1) << COUNT_BITS) - 1));
    return same ? at->timer : NULL;
}

static void
join_process_locked(struct copi_timer *timer)
{
    struct copi_process *process = copi_table_find(timer->to);
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

/* Out of everything: the caller has it to itself. */
static void
take_out_locked(struct copi_timer *timer)
{
    remove_locked(timer);
    leave_process_locked(timer);
    if (!timer->fn) {
        give_slot_locked(timer);
    }
}

static void
put_in_locked(struct copi_timer *timer)
{
    timer->order = timers.order++;
    set_first_locked(meld(timers.first, timer));
}

static void
discard(struct copi_timer *timer)
{
    if (timer->message) {
        copi_message_free(timer->message);
    }
    if (timer->interval) {
        copi_interval_cancel(timer->interval);
    }
    copi_live_gone(COPI_LIVE_TIMER);
    free(timer);
}

/* ---------------------------------------------------------------- the thread */

/* What is to be done outside the lock: with a timer that is out of everything, or one tick of an
 * interval that goes on. */
struct due {
    struct copi_timer *timer;
    struct copi_interval *interval; /* held */
    cop_pid to;
};

static void
fire(const struct due *due)
{
    struct copi_timer *timer = due->timer;
    if (!timer) {
        copi_interval_tick(due->interval, copi_resolve(due->to));
        return;
    }
    if (timer->fn) {
        timer->fn(timer->arg);
    } else if (timer->later) {
        timer->later(timer->later_arg, false);
    } else if (timer->message && timer->message->kind == COPI_SIGNAL) {
        copi_signals_send(copi_resolve(timer->to), timer->message);
    } else if (timer->message) {
        copi_post(copi_resolve(timer->to), timer->message);
    }
    timer->message = NULL;
    discard(timer);
}

/* Not if its receiver was gone before it was set: then it is in nobody's list. */
static bool
goes_on(const struct copi_timer *timer)
{
    return timer->interval && (timer->process_link || timer->to.id & COPI_NAME_BIT);
}

static struct due
take_due_locked(struct copi_timer *timer, cop_time now)
{
    if (!goes_on(timer)) {
        take_out_locked(timer);
        return (struct due){.timer = timer};
    }
    remove_locked(timer);
    timer->deadline = copi_interval_next(timer->interval, timer->deadline, now);
    put_in_locked(timer);
    return (struct due){.interval = copi_interval_hold(timer->interval), .to = timer->to};
}

/* Whether something is due; else when to look again. */
static bool
next_due(struct due *due, cop_time *until, bool *stopping)
{
    cop_time now = copi_clock();
    copi_lock_take(&timers.lock);
    struct copi_timer *timer = timers.first;
    bool is_due = timer && timer->deadline <= now;
    *stopping = timers.stopping;
    if (is_due) {
        *due = take_due_locked(timer, now);
    } else {
        *until = timers.sleeping_until = timer ? timer->deadline : COP_FOREVER;
    }
    copi_lock_give(&timers.lock);
    return is_due;
}

static void
run(void *unused)
{
    (void)unused;
    bool stopping = false;
    while (!stopping) {
        struct due due;
        cop_time until = COP_FOREVER;
        if (next_due(&due, &until, &stopping)) {
            fire(&due);
        } else if (!stopping) {
            copi_pool_flush();
            copi_park(&timers.parker, until);
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
    return r;
}

static int
arm(struct copi_timer *timer, cop_ref *ref)
{
    copi_lock_take(&timers.lock);
    int r = start_locked();
    if (r == 0 && ref) {
        r = take_slot_locked(timer, ref);
    }
    bool is_earlier = false;
    if (r == 0) {
        if (timer->tells_itself) {
            memcpy(timer->message->body, ref, sizeof *ref);
        }
        put_in_locked(timer);
        join_process_locked(timer);
        is_earlier = timer->deadline < timers.sleeping_until;
        if (is_earlier) {
            timers.sleeping_until = timer->deadline; /* one wake-up is enough */
        }
    }
    copi_lock_give(&timers.lock);
    if (is_earlier) {
        copi_unpark(&timers.parker);
    }
    return r;
}

/* What it is to send is taken, or on an error still the caller's. */
static int
set(const struct copi_timer *what, cop_ref *ref)
{
    struct copi_timer *timer = copi_alloc(sizeof *timer);
    if (!timer) {
        return -ENOMEM;
    }
    *timer = *what;
    copi_live_born(COPI_LIVE_TIMER); /* before it may go off */
    int r = arm(timer, ref);
    if (r) {
        copi_live_gone(COPI_LIVE_TIMER);
        free(timer);
    }
    return r;
}

/* ---------------------------------------------------------------- for the runtime */

int
copi_timer_call(cop_time deadline, void (*fn)(uint64_t arg), uint64_t arg)
{
    return set(&(struct copi_timer){.deadline = deadline, .fn = fn, .arg = arg}, NULL);
}

int
copi_timer_call_later(cop_ref *timer, cop_time deadline, void (*fn)(void *arg, bool is_stop),
                      void *arg)
{
    return set(&(struct copi_timer){.deadline = deadline, .later = fn, .later_arg = arg}, timer);
}

/* NULL: it has fired, was cancelled, or never was. */
static struct copi_timer *
take_out(cop_ref ref)
{
    copi_lock_take(&timers.lock);
    struct copi_timer *timer = find_locked(ref);
    if (timer) {
        take_out_locked(timer);
    }
    copi_lock_give(&timers.lock);
    return timer;
}

bool
copi_timer_cancel(cop_ref ref)
{
    struct copi_timer *timer = copi_is_forked() ? NULL : take_out(ref);
    if (timer) {
        discard(timer);
    }
    return timer != NULL;
}

void
copi_timer_process_ends(struct copi_process *process)
{
    struct copi_timer *gone = NULL;
    copi_lock_take(&timers.lock);
    for (struct copi_timer *timer; (timer = process->timers);) {
        take_out_locked(timer);
        timer->sibling = gone;
        gone = timer;
    }
    copi_lock_give(&timers.lock);
    while (gone) {
        struct copi_timer *next = gone->sibling;
        discard(gone);
        gone = next;
    }
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
    copi_lock_take(&timers.lock);
    struct copi_timer *timer;
    while ((timer = timers.first)) {
        take_out_locked(timer);
        copi_lock_give(&timers.lock);
        if (timer->later) {
            timer->later(timer->later_arg, true);
        }
        discard(timer);
        copi_lock_take(&timers.lock);
    }
    free(timers.slots);
    timers.slots = NULL;
    timers.slot_count = timers.free_slot = 0;
    timers.running = timers.stopping = false;
    copi_lock_give(&timers.lock);
}

/* ---------------------------------------------------------------- public */

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
    r = set(&(struct copi_timer){.deadline = deadline, .to = to, .message = message}, ref);
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
    const struct copi_timer timer = {
        .deadline = deadline,
        .to = to,
        .message = message,
        .tells_itself = true,
    };
    int r = set(&timer, ref);
    if (r) {
        copi_message_free(message);
    }
    return r;
}

static int
set_signal(struct copi_process *self, cop_pid to, const cop_reason *reason, cop_time deadline,
           cop_ref *ref)
{
    struct copi_message *signal = copi_signals_new(self, reason);
    if (!signal) {
        return -ENOMEM;
    }
    int r = set(&(struct copi_timer){.deadline = deadline, .to = to, .message = signal}, ref);
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
    const struct copi_timer timer = {
        .deadline = copi_deadline(period),
        .to = to,
        .interval = interval,
    };
    r = set(&timer, ref);
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
    struct copi_timer *timer = take_out(ref);
    if (!timer) {
        return copi_fail(-ENOENT);
    }
    cop_time rest = timer->deadline - copi_clock();
    discard(timer);
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
    copi_lock_take(&timers.lock);
    struct copi_timer *timer = find_locked(ref);
    cop_time deadline = timer ? timer->deadline : 0;
    copi_lock_give(&timers.lock);
    if (!timer) {
        return copi_fail(-ENOENT);
    }
    cop_time rest = deadline - copi_clock();
    *left = rest > 0 ? rest : 0;
    return 0;
}
