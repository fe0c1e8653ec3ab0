/*
 * runtime/thread.c - threads, and the cache of idle ones.
 *
 * Room: runtime/, behind the seam. Any thread.
 * Touch freely: sizes. Ask first: the order in which a thread ends.
 *
 * A thread runs one job after another. Between two it makes itself clean, waits in the cache for the
 * next, and ends when the cache is full or is trimmed. Making a thread costs tens of microseconds,
 * waking one costs a few. A new thread is made clean before its first job, too: what a job starts from
 * must not hang on whether there was a thread in the cache.
 *
 * A thread's stack (thread_stack.c), with its record, is unmapped by whoever joins it: each thread that ends
 * joins the one that ended before it, so at most one ended thread waits to be joined, and nobody has to be
 * there to do it.
 *
 * When starts come quickly one after another and each needs a new thread, the next one is made ahead: whoever
 * starts a process gives it the spare thread, which is just being born on another core, and makes the next
 * spare while that one gets going. A start returns when init has, so without it a new thread is made, is born
 * and answers on one core after the other; with it both have something to do, and a start takes as long as
 * making a thread does: 28 to 37 us where it were 45 to 65, in the same minutes (bare threads: 22 to 32,
 * and 41 to 57). There is one spare, it is in the cache like any other that has nothing to do, and whoever
 * stops starting leaves it there. It does not count among those awake before it has something to do: nobody is
 * to park because of it. It looks for its job for as long as whoever waits for a thread does.
 *
 * What is left of a start is the kernel's. Of the time of who starts, one half is clone, and two fifths of that
 * to map and zero the stack that the thread has in the kernel; 7 % are page faults, 4 % the guard of the stack,
 * a tenth is waiting for the other core.
 *
 * A thread that comes into the cache looks about for its next job before it parks (thread_look.c). One
 * that is about to finish its job is counted (`finishing`), and whoever needs a thread then looks for it,
 * no longer than making one would take: a supervisor that restarts a child usually gets the thread that
 * the child has just left, and a task that is started when the one before has just been awaited needs no
 * wake-up. Before that (a parked thread was preferred to one that is about to finish) two threads took
 * turns, and each was woken for each task: 26 us a task instead of 5.4.
 *
 * tests/model/cache.pml is searched for every order in which a job can be handed over.
 *
 * The lock guards the cache and the counters. Nothing is called with it held.
 */
#include "runtime/thread.h"

#include "runtime/thread_clean.h"
#include "runtime/thread_stack.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    CACHE_MOST = 128,
    RUSH = 4, /* pauses in a row that were shorter than RUSH_PAUSE */
};
#define WAIT_FOR_FINISHING COP_US(10)
#define RUSH_PAUSE         COP_MS(2)
struct copi_thread {
    pthread_t id;
    struct copi_parker parker;
    struct copi_spin spin;     /* while it looks for its next job */
    struct copi_job *next_job; /* handed over while it is in the cache; NULL: end */
    struct copi_thread *below; /* in the cache */
    struct copi_stack stack;
    copi_atomic32 looks; /* in the cache, and has not parked yet */
    bool retired;
    bool is_finishing;
    bool is_spare; /* no job has been handed to it yet: for who takes it out of the cache */
};
_Static_assert(sizeof(struct copi_thread) <= COPI_STACK_ROOM, "it lies beside its stack");

_Thread_local struct copi_here copi_here;
copi_atomic32 copi_forked;

static struct {
    copi_lock lock;
    /* guarded by lock */
    struct copi_thread *idle; /* last in, first out: the warmest stack */
    unsigned idle_count, count;
    struct copi_thread *ended; /* waits to be joined */
    struct copi_rush rush;     /* of starts that needed a thread which had never run a job */
    /* any thread, atomic */
    copi_atomic32 finishing;
    copi_atomic32 interrupt_signal;
    /* written once, before the first thread */
    void (*at_end)(void);
    sigset_t job_signals;
} threads = {.lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- locks, jumps, adoption */

void
copi_lock_init(copi_lock *lock)
{
    static const copi_lock fresh = COPI_LOCK_INIT;
    memcpy(lock, &fresh, sizeof fresh);
}

void
copi_lock_take(copi_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

void
copi_lock_give(copi_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

void
copi_jump_to(struct copi_jump *jump)
{
    siglongjmp(jump->buffer, 1);
}

static struct {
    copi_lock lock;
    /* guarded by lock until there is one, then constant */
    pthread_key_t key;
    bool has_key;
    void (*ended)(struct copi_process *process); /* written once, before the first */
} foreign = {.lock = COPI_LOCK_INIT};

static void
foreign_thread_ended(void *process)
{
    foreign.ended(process);
    copi_here.process = NULL;
    copi_blocking_begin(); /* it is not awake any more */
}

/* Keys are scarce, and others give theirs back: who gets none now may get one at the next attempt. */
static int
make_foreign_key(void)
{
    copi_lock_take(&foreign.lock);
    int r = foreign.has_key ? 0 : -pthread_key_create(&foreign.key, foreign_thread_ended);
    foreign.has_key = r == 0;
    copi_lock_give(&foreign.lock);
    return r;
}

int
copi_thread_adopt(struct copi_process *process)
{
    int r = make_foreign_key();
    r = r ? r : -pthread_setspecific(foreign.key, process);
    if (r == 0) {
        copi_here.process = process;
        copi_blocking_end(); /* counts it among those awake */
    }
    return r;
}

/* ---------------------------------------------------------------- one thread */

static void
nothing(int signal)
{
    (void)signal; /* its arrival is what interrupts */
}

static int
interrupt_signal(void)
{
    uint32_t set = copi_load_relaxed_32(&threads.interrupt_signal);
    return set ? (int)set : SIGURG;
}

void
copi_thread_set_interrupt(int signal)
{
    copi_store_relaxed_32(&threads.interrupt_signal, (uint32_t)signal);
}

/* What every thread of ours starts from: read once, before the first. */
static void
remember_origin(void)
{
    copi_clean_remember();
    copi_stack_remember();

    sigfillset(&threads.job_signals);
    const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++) {
        sigdelset(&threads.job_signals, synchronous[i]);
    }
    sigdelset(&threads.job_signals, interrupt_signal());

    struct sigaction action = {.sa_handler = nothing}; /* without SA_RESTART */
    sigemptyset(&action.sa_mask);
    sigaction(interrupt_signal(), &action, NULL);
}

void
copi_thread_interrupt(struct copi_thread *thread)
{
    pthread_kill(thread->id, interrupt_signal());
}

void
copi_thread_name(const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0); /* cuts it to 15 characters */
}

void
copi_thread_hooks(void (*at_end)(void), void (*foreign_ended)(struct copi_process *process))
{
    threads.at_end = at_end;
    foreign.ended = foreign_ended;
}

bool
copi_thread_guard(const void **low, const void **high)
{
    const struct copi_thread *self = copi_here.thread;
    if (!self) {
        return false;
    }
    copi_stack_guard(&self->stack, low, high);
    return true;
}

/* And with its stack itself. */
static void
discard(const struct copi_thread *thread)
{
    struct copi_stack stack = thread->stack;
    copi_stack_unmap(&stack);
}

static void
join_and_discard(const struct copi_thread *thread)
{
    if (thread) {
        pthread_join(thread->id, NULL);
        discard(thread);
    }
}

/* A process may have changed any of these; the next one must not find it. What cannot be undone (a
 * niceness, without the right to lower it) ends the thread instead. */
static void
make_clean(struct copi_thread *self)
{
    pthread_sigmask(SIG_SETMASK, &threads.job_signals, NULL);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    copi_stack_use_alternate(&self->stack, NULL);
    if (!self->retired) { /* else nobody comes after */
        self->retired = !copi_clean_scheduling();
    }
    copi_clean_rest();
}

void
copi_thread_trim_stack(void)
{
    if (copi_here.thread) {
        copi_stack_trim(&copi_here.thread->stack);
    }
}

static void
count_finished(struct copi_thread *self)
{
    if (self->is_finishing) {
        self->is_finishing = false;
        copi_fetch_add_32(&threads.finishing, (uint32_t)-1);
    }
}

/* Once for each hand_over. */
static bool
is_called(void *thread)
{
    struct copi_thread *self = thread;
    return copi_parker_use(&self->parker);
}

static void
into_cache_locked(struct copi_thread *thread)
{
    thread->below = threads.idle;
    threads.idle = thread;
    threads.idle_count++;
}

static struct copi_job *
sleep_for_job(struct copi_thread *self)
{
    copi_store_relaxed_32(&self->looks, 0);
    copi_stack_trim(&self->stack); /* before a long sleep */
    while (!copi_park(&self->parker, COP_FOREVER)) {
    }
    return self->next_job;
}

/* Of one that was made ahead. It is among those awake from when it has been called, or has looked in vain. */
static struct copi_job *
first_job(struct copi_thread *self)
{
    self->spin.most = COPI_LOOK_FOR_THREAD;
    bool called = copi_spin_for(&self->spin, is_called, self);
    copi_blocking_end();
    self->spin = (struct copi_spin){0};
    return called ? self->next_job : sleep_for_job(self);
}

/* Into the cache, and the next job out of it; NULL: this thread is to end. */
static struct copi_job *
next_job(struct copi_thread *self)
{
    copi_lock_take(&threads.lock);
    bool room = !self->retired && threads.idle_count < CACHE_MOST;
    if (room) {
        copi_store_relaxed_32(&self->looks, 1);
        self->next_job = NULL;
        into_cache_locked(self);
    }
    count_finished(self);
    copi_lock_give(&threads.lock);

    if (!room) {
        return NULL;
    }
    return copi_spin_for(&self->spin, is_called, self) ? self->next_job : sleep_for_job(self);
}

static void
leave(void)
{
    if (threads.at_end) {
        threads.at_end();
    }
}

static void
run_jobs(struct copi_thread *self, struct copi_job *(*first)(struct copi_thread *self))
{
    copi_here.thread = self;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    stack_t before;
    copi_stack_use_alternate(&self->stack, &before);
    self->retired |=
        !copi_clean_scheduling(); /* not what whoever needed a thread has set for his own */
    copi_clean_rest();

    for (struct copi_job *job = first(self); job; job = next_job(self)) {
        bool fresh = job->fresh;
        job->run(job);
        self->retired |= fresh; /* the job may be gone by now */
        make_clean(self);
    }

    leave();
    sigaltstack(&before, NULL); /* a sanitizer unmaps its own here, and must find it */
    copi_blocking_begin();      /* not awake any more */
    copi_lock_take(&threads.lock);
    struct copi_thread *ended_before = threads.ended;
    threads.ended = self;
    threads.count--;
    copi_lock_give(&threads.lock);
    join_and_discard(ended_before);
}

static struct copi_job *
given_job(struct copi_thread *self)
{
    return self->next_job;
}

static void *
thread_main(void *self)
{
    run_jobs(self, given_job);
    return NULL;
}

static void *
spare_main(void *self)
{
    run_jobs(self, first_job);
    return NULL;
}

/* ---------------------------------------------------------------- starting */

static int
create(struct copi_thread *thread, void *(*main)(void *self))
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return -ENOMEM;
    }
    int r = copi_stack_describe(&thread->stack, &attributes);
    /* Born with its signals blocked, so that none is delivered before it is ready. */
    r = r ? r : pthread_attr_setsigmask_np(&attributes, &threads.job_signals);
    r = r ? r : pthread_create(&thread->id, &attributes, main, thread);
    pthread_attr_destroy(&attributes);
    return r == 0 ? 0 : -EAGAIN;
}

static void join_ended(void);

static void
prepare(void)
{
    remember_origin();
    (void)atexit(join_ended); /* so that a checker of threads finds none that nobody has joined */
}

static void
prepare_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}

/* With a stack; it does not run yet. */
static int
new_thread(struct copi_thread **out, size_t stack_size)
{
    prepare_once();
    struct copi_stack stack;
    int r = copi_stack_map(&stack, stack_size);
    if (r == 0) {
        struct copi_thread *thread = copi_stack_room(&stack);
        thread->stack = stack;
        thread->retired = stack.is_small;
        copi_parker_init(&thread->parker);
        *out = thread;
    }
    return r;
}

static void
count_thread(unsigned change)
{
    copi_lock_take(&threads.lock);
    threads.count += change;
    copi_lock_give(&threads.lock);
}

/* Or discards it. */
static int
let_run(struct copi_thread *thread, void *(*main)(void *self))
{
    count_thread(1);
    int r = create(thread, main);
    if (r) {
        count_thread(-1u);
        discard(thread);
    }
    return r;
}

static int
start_new(struct copi_job *job)
{
    struct copi_thread *thread;
    int r = new_thread(&thread, job->stack_size);
    if (r) {
        return r;
    }
    thread->next_job = job;
    copi_blocking_end(); /* it is awake from now on */
    r = let_run(thread, thread_main);
    if (r) {
        copi_blocking_begin();
    }
    return r;
}

/* The one that came last; if so asked, only if it looks for a job. */
static struct copi_thread *
take_idle(bool only_awake)
{
    copi_lock_take(&threads.lock);
    struct copi_thread *thread = threads.idle;
    if (thread && only_awake && !copi_load_relaxed_32(&thread->looks)) {
        thread = NULL;
    }
    if (thread) {
        threads.idle = thread->below;
        threads.idle_count--;
    }
    copi_lock_give(&threads.lock);
    return thread;
}

/* The wake-up is all that the thread waits for, and the last that we do to it: when it has been seen, the
 * thread may run the job, end and be freed before we go on. */
static void
hand_over(struct copi_thread *thread, struct copi_job *job)
{
    thread->next_job = job;
    copi_unpark(&thread->parker);
}

static bool
no_one_finishes(void *unused)
{
    (void)unused;
    return copi_load_relaxed_32(&threads.finishing) == 0;
}

/*
 * First one that is awake anyway; then one that is about to be, for which it waits a little; then one
 * that has to be woken.
 */
static struct copi_thread *
find_thread(void)
{
    struct copi_thread *thread = take_idle(true);
    if (!thread && !no_one_finishes(NULL)) {
        struct copi_spin spin = {.budget = WAIT_FOR_FINISHING, .glance.rest = 1};
        copi_spin_for(&spin, no_one_finishes, NULL);
    }
    return thread ? thread : take_idle(false);
}

/* Nobody has asked for it: what fails here is no error. */
void
copi_thread_make_spare(void)
{
    struct copi_thread *thread;
    if (new_thread(&thread, 0) != 0) {
        return;
    }
    thread->is_spare = true;
    copi_store_relaxed_32(&thread->looks, 1);
    if (let_run(thread, spare_main) == 0) {
        copi_lock_take(&threads.lock);
        into_cache_locked(thread);
        copi_lock_give(&threads.lock);
    }
}

bool
copi_rush_goes_on(struct copi_rush *rush, cop_time now)
{
    bool soon = now - rush->last < RUSH_PAUSE;
    rush->last = now;
    rush->in_a_row = soon ? rush->in_a_row + 1 : 0;
    return rush->in_a_row >= RUSH;
}

/* Somebody has needed a thread that had never run a job. */
static bool
wants_spare(void)
{
    cop_time now = copi_clock();
    copi_lock_take(&threads.lock);
    bool wants = copi_rush_goes_on(&threads.rush, now) && !threads.idle;
    copi_lock_give(&threads.lock);
    return wants;
}

int
copi_thread_run(struct copi_job *job)
{
    bool any = !job->fresh && job->stack_size <= COPI_STACK_USUAL;
    struct copi_thread *thread = any ? find_thread() : NULL;
    bool is_new = any && (!thread || thread->is_spare);
    int r = 0;
    if (thread) {
        thread->is_spare = false;
        hand_over(thread, job);
    } else {
        r = start_new(job);
    }
    if (is_new && r == 0 && wants_spare()) {
        copi_thread_make_spare();
    }
    return r;
}

/* ---------------------------------------------------------------- ending */

void
copi_thread_retire(void)
{
    if (copi_here.thread) {
        copi_here.thread->retired = true;
    }
}

void
copi_thread_finishing(void)
{
    struct copi_thread *self = copi_here.thread;
    if (self && !self->retired && !self->is_finishing) {
        self->is_finishing = true;
        copi_fetch_add_32(&threads.finishing, 1);
    }
}

unsigned
copi_thread_count(void)
{
    copi_lock_take(&threads.lock);
    unsigned count = threads.count;
    copi_lock_give(&threads.lock);
    return count;
}

static void
join_ended(void)
{
    if (copi_is_forked()) {
        return; /* at the exit of a fork's child: the thread is not there */
    }
    copi_lock_take(&threads.lock);
    struct copi_thread *ended = threads.ended;
    threads.ended = NULL;
    copi_lock_give(&threads.lock);
    join_and_discard(ended);
}

void
copi_thread_trim(void)
{
    for (struct copi_thread *thread; (thread = take_idle(false));) {
        hand_over(thread, NULL);
    }
    join_ended();
    copi_stack_unmap_ahead();
}

bool
copi_thread_drained(unsigned left, cop_time deadline)
{
    struct copi_parker pause;
    copi_parker_init(&pause);
    for (cop_time step = COP_US(50);; step = step < COP_MS(10) ? step * 2 : step) {
        copi_thread_trim();
        if (copi_thread_count() <= left) {
            join_ended(); /* the last one counts itself out before it is joined */
            return true;
        }
        if (copi_clock() >= deadline) {
            return false;
        }
        copi_park(&pause, copi_deadline(step));
    }
}

/* ---------------------------------------------------------------- the library's own */

static void *
library_thread_main(void *arg)
{
    struct copi_library_thread *self = arg;
    copi_here.is_library = true;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    copi_thread_name(self->name);
    copi_clean_scheduling();
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* timers are to be late by no more than a wake-up */
    self->run(self->arg);
    leave();
    copi_blocking_begin();
    return NULL;
}

int
copi_library_thread_start(struct copi_library_thread *thread, const char *name,
                          void (*run)(void *arg), void *arg)
{
    prepare_once();
    thread->run = run;
    thread->arg = arg;
    strncpy(thread->name, name, sizeof thread->name - 1);
    thread->name[sizeof thread->name - 1] = '\0';

    sigset_t all, mine;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mine);
    copi_blocking_end();
    int r = -pthread_create(&thread->id, NULL, library_thread_main, thread);
    if (r) {
        copi_blocking_begin();
    }
    pthread_sigmask(SIG_SETMASK, &mine, NULL);
    return r;
}

void
copi_library_thread_join(struct copi_library_thread *thread)
{
    pthread_join(thread->id, NULL);
}
