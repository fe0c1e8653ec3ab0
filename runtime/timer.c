/*
 * runtime/timer.c - what happens later.
 *
 * Room: runtime/. Any thread; one library thread of its own.
 * Touch freely: the heap. Ask first: what is done under which lock.
 *
 * Pending timers form a pairing heap, ordered by deadline and then by the order in which they were
 * set. Whoever sets one puts it into a list of those that are new; the timer thread puts them into the
 * heap, sleeps until the earliest deadline, and is woken only by a timer that is earlier. A timer's
 * message or signal is made when it is armed, so firing needs no memory. An interval stays in the heap,
 * with its next time; what it sends is interval.c's.
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
 * Timers lie in chunks, and a reference is a place in them and a count, as a pid is: a timer that is gone
 * is not found. A place is given back under the lock that takes its timer out, so what is to be done is
 * copied, and done outside. Chunks are kept for the timers to come, until they are trimmed.
 *
 * What cost most was waiting for the lock: 1,400 ns to set a timer while others were due, when there was
 * one for all and who waited for it slept; 800 when he waited awake (thread.h); 500 now that the heap has its
 * own. Memory is asked for once in a chunk.
 *
 * Falling asleep and being woken costs the thread some 10 us, in which it could have looked whether the next
 * one is due. Where they come every microsecond, it would do nothing else. So it does not sleep for less
 * than NAP: a timer may come that much later than it could, and a handful go off together.
 *
 * What the library itself wants called later must not be lost for want of memory: a stop that nobody goes on
 * with would never end. For such there are a few places that cost none, in use only while there is no other. Nor
 * for want of a thread: who may need it makes sure of it before (copi_timer_ready).
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

/* What is to be done when, and nothing of where the timer is. */
struct plan {
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

struct copi_timer {
    /* guarded by heap_lock; by lock while it is new */
    struct copi_timer *child, *sibling, **link; /* the heap; link: what points here */
    /* written under both */
    uint64_t order;
    struct plan plan;
    /* guarded by lock */
    struct copi_timer *next_of_process, **process_link;
    uint64_t count; /* with the place, the reference */
    uint32_t place;
    bool is_set;
    struct copi_timer *next_free;
};

enum {
    PLACE_BITS = 24,
    COUNT_BITS = 40,
    CHUNK = 64, /* timers */
    BATCH = 8,  /* that are taken out together */
    SPARE = 64, /* calls, when there is no memory */
};
#define NAP COP_US(20)

static struct {
    copi_lock heap_lock, lock;
    /* guarded by heap_lock */
    struct copi_timer *first;
    /* guarded by lock */
    struct copi_timer *new;
    uint64_t order, count; /* count: of all references ever, also over a stop */
    struct copi_timer **chunks, *free;
    uint32_t chunk_count, chunk_room;
    struct copi_timer spare[SPARE], *free_spare;
    uint32_t spare_count; /* that have been used yet */
    bool running, stopping;
    cop_time sleeping_until;
    struct copi_library_thread thread;
    /* any thread */
    struct copi_parker parker;
    copi_atomic32 is_ready; /* as running */
} timers = {.heap_lock = COPI_LOCK_INIT, .lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- the heap */

static bool
is_before(const struct copi_timer *a, const struct copi_timer *b)
{
    cop_time earlier = a->plan.deadline, later = b->plan.deadline;
    return earlier != later ? earlier < later : a->order < b->order;
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

/* Who holds heap_lock. */
static void
set_first(struct copi_timer *first)
{
    timers.first = first;
    if (first) {
        first->link = &timers.first;
        first->sibling = NULL;
    }
}

/* From the heap or from among the new. Both locks are held; if it is the first, heap_lock is enough. */
static void
unlink_timer(struct copi_timer *timer)
{
    struct copi_timer *rest = meld_children(timer->child);
    timer->child = NULL;
    if (timer == timers.first) {
        set_first(rest);
        return;
    }
    *timer->link = timer->sibling;
    if (timer->sibling) {
        timer->sibling->link = timer->link;
    }
    set_first(meld(timers.first, rest));
}

static void
add_new_locked(struct copi_timer *timer)
{
    timer->order = timers.order++;
    timer->sibling = timers.new;
    if (timers.new) {
        timers.new->link = &timer->sibling;
    }
    timers.new = timer;
    timer->link = &timers.new;
}

/* ---------------------------------------------------------------- places and processes */

static int
make_room_for_chunk_locked(void)
{
    if (timers.chunk_count < timers.chunk_room) {
        return 0;
    }
    uint32_t room = timers.chunk_room ? timers.chunk_room * 2 : 16;
    if (room > (1u << PLACE_BITS) / CHUNK) {
        return -EAGAIN;
    }
    struct copi_timer **chunks = copi_realloc(timers.chunks, room * sizeof *chunks);
    if (!chunks) {
        return -ENOMEM;
    }
    timers.chunks = chunks;
    timers.chunk_room = room;
    return 0;
}

static int
add_chunk_locked(void)
{
    int r = make_room_for_chunk_locked();
    struct copi_timer *chunk = r ? NULL : copi_alloc(CHUNK * sizeof *chunk);
    if (!chunk) {
        return r ? r : -ENOMEM;
    }
    for (uint32_t i = CHUNK; i-- > 0;) {
        chunk[i].place = timers.chunk_count * CHUNK + i;
        chunk[i].is_set = false;
        chunk[i].next_free = timers.free;
        timers.free = &chunk[i];
    }
    timers.chunks[timers.chunk_count++] = chunk;
    return 0;
}

/* Only when no timer is set. */
static void
free_chunks_locked(void)
{
    for (uint32_t i = 0; i < timers.chunk_count; i++) {
        free(timers.chunks[i]);
    }
    free(timers.chunks);
    timers.chunks = NULL;
    timers.free = NULL;
    timers.chunk_count = timers.chunk_room = 0;
}

static struct copi_timer *
take_spare_locked(void)
{
    struct copi_timer *timer = timers.free_spare;
    if (timer) {
        timers.free_spare = timer->next_free;
    } else if (timers.spare_count < SPARE) {
        timer = &timers.spare[timers.spare_count++];
    }
    return timer;
}

static bool
is_spare(const struct copi_timer *timer)
{
    return timer >= timers.spare && timer < timers.spare + SPARE;
}

static int
take_place_locked(const struct plan *plan, struct copi_timer **out)
{
    int r = timers.free ? 0 : add_chunk_locked();
    struct copi_timer *timer = timers.free;
    if (r == 0) {
        timers.free = timer->next_free;
    } else if (!plan->fn || !(timer = take_spare_locked())) { /* no reference to it is given out */
        return r;
    }
    timer->plan = *plan;
    timer->child = NULL;
    timer->sibling = NULL;
    timer->process_link = NULL;
    timer->count = ++timers.count & ((UINT64_C(1) << COUNT_BITS) - 1);
    timer->is_set = true;
    *out = timer;
    return 0;
}

static void
give_place_locked(struct copi_timer *timer)
{
    struct copi_timer **free = is_spare(timer) ? &timers.free_spare : &timers.free;
    timer->is_set = false;
    timer->next_free = *free;
    *free = timer;
}

static cop_ref
reference(const struct copi_timer *timer)
{
    return (cop_ref){((uint64_t)(timer->place + 1) << COUNT_BITS) | timer->count};
}

static struct copi_timer *
find_locked(cop_ref ref)
{
    uint64_t place = (ref.id >> COUNT_BITS) - 1; /* 0 becomes none */
    if (place >= (uint64_t)timers.chunk_count * CHUNK) {
        return NULL;
    }
    struct copi_timer *timer = &timers.chunks[place / CHUNK][place % CHUNK];
    return timer->is_set && reference(timer).id == ref.id ? timer : NULL;
}

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
static struct plan
forget_locked(struct copi_timer *timer)
{
    leave_process_locked(timer);
    give_place_locked(timer);
    return timer->plan;
}

/* Both locks are held. */
static struct plan
take_out_both_locked(struct copi_timer *timer)
{
    unlink_timer(timer);
    return forget_locked(timer);
}

static void
discard(const struct plan *plan)
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
    struct plan plan;
    bool is_tick;
};

static void
fire(struct due *due)
{
    struct plan *plan = &due->plan;
    if (due->is_tick) {
        copi_interval_tick(plan->interval, copi_resolve(plan->to));
        return;
    }
    if (plan->fn) {
        plan->fn(plan->arg.number);
    } else if (plan->later) {
        plan->later(plan->arg.object, false);
    } else if (plan->message && plan->message->kind == COPI_SIGNAL) {
        copi_signals_send(copi_resolve(plan->to), plan->message);
    } else if (plan->message) {
        copi_post(copi_resolve(plan->to), plan->message);
    }
    plan->message = NULL;
    discard(plan);
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
    struct plan *plan = &timer->plan;
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
    set_first(meld(timers.first, meld_children(new)));
}

/* heap_lock is held. */
static unsigned
unlink_due(struct copi_timer *due[BATCH], cop_time now)
{
    unsigned count = 0;
    while (count < BATCH && timers.first && timers.first->plan.deadline <= now) {
        due[count] = timers.first;
        unlink_timer(due[count++]);
    }
    return count;
}

/* Not if there are new ones: whoever set them believed that it is awake. */
static void
fall_asleep_locked(cop_time *until)
{
    if (!timers.new) {
        *until = timers.first ? timers.first->plan.deadline : COP_FOREVER;
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
    if (ref) {
        *ref = reference(timer);
    }
    if (timer->plan.tells_itself) {
        memcpy(timer->plan.message->body, ref, sizeof *ref);
    }
    add_new_locked(timer);
    join_process_locked(timer);
}

/* What it is to send is taken, or on an error still the caller's. */
static int
set(const struct plan *plan, cop_ref *ref)
{
    struct copi_timer *timer;
    bool is_earlier = false;
    copi_live_born(COPI_LIVE_TIMER); /* before it may go off */
    copi_lock_take(&timers.lock);
    int r = start_locked();
    if (r == 0 && (r = take_place_locked(plan, &timer)) == 0) {
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
    return set(&(struct plan){.deadline = deadline, .fn = fn, .arg.number = arg}, NULL);
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
    return set(&(struct plan){.deadline = deadline, .later = fn, .arg.object = arg}, timer);
}

/* false: it has fired, was cancelled, or never was. */
static bool
take_out(cop_ref ref, struct plan *plan)
{
    lock_both();
    struct copi_timer *timer = find_locked(ref);
    if (timer) {
        *plan = take_out_both_locked(timer);
    }
    unlock_both();
    return timer != NULL;
}

bool
copi_timer_cancel(cop_ref ref)
{
    struct plan plan;
    bool was_set = !copi_is_forked() && take_out(ref, &plan);
    if (was_set) {
        discard(&plan);
    }
    return was_set;
}

static bool
take_out_of(struct copi_process *process, struct plan *plan)
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
    struct plan plan;
    while (has_timers(process) && take_out_of(process, &plan)) {
        discard(&plan);
    }
}

static bool
take_out_first(struct plan *plan)
{
    lock_both();
    struct copi_timer *timer = timers.first ? timers.first : timers.new;
    if (timer) {
        *plan = take_out_both_locked(timer);
    } else {
        free_chunks_locked();
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
    struct plan plan;
    while (take_out_first(&plan)) {
        if (plan.later) {
            plan.later(plan.arg.object, true);
        }
        discard(&plan);
    }
}

void
copi_timer_trim(void)
{
    lock_both();
    if (!timers.first && !timers.new) {
        free_chunks_locked();
    }
    unlock_both();
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
    r = set(&(struct plan){.deadline = deadline, .to = to, .message = message}, ref);
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
    const struct plan plan = {
        .deadline = deadline,
        .to = to,
        .message = message,
        .tells_itself = true,
    };
    int r = set(&plan, ref);
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
    int r = set(&(struct plan){.deadline = deadline, .to = to, .message = signal}, ref);
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
    const struct plan plan = {
        .deadline = copi_deadline(period),
        .to = to,
        .interval = interval,
    };
    r = set(&plan, ref);
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
    struct plan plan;
    if (!take_out(ref, &plan)) {
        return copi_fail(-ENOENT);
    }
    cop_time rest = plan.deadline - copi_clock();
    discard(&plan);
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
    cop_time deadline = timer ? timer->plan.deadline : 0;
    copi_lock_give(&timers.lock);
    if (!timer) {
        return copi_fail(-ENOENT);
    }
    cop_time rest = deadline - copi_clock();
    *left = rest > 0 ? rest : 0;
    return 0;
}
