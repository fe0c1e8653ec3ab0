/*
 * actors/workers.c - the library's own processes that run what is due: as many as are needed.
 *
 * Room: actors/.
 * Touch freely: the figures. Ask first: who wakes whom.
 *
 * There is one queue of work, under a lock, and a set of workers. A worker takes the
 * oldest, runs it, and takes the next; when there is none it waits, and ends after a second. What work is,
 * it does not know: the continuations of a future, say.
 *
 * How many: as many as there are processors may be at work at once. One that waits inside the library
 * does not count while it does, and if the queue is not empty then, another takes its place, so that a
 * continuation that blocks holds up nobody but its own future. One that blocks where the library does
 * not see it (in a read(2), say) is noticed by its effect: the queue has not moved for a while. As long
 * as it is not empty and all are at work, the timer thread looks at it after such a while.
 *
 * An idle worker is woken by its parker; it looks into the queue under the lock, so a wake-up too many
 * does no harm. What cannot be started, because there are no threads, is tried again by the timer thread,
 * which is made sure of before there is any work (copi_workers_alloc).
 *
 * A worker that was disowned counts no more from that moment: should its thread come back, it finds
 * `is_gone`, and ends.
 *
 * A shutdown asks the workers to end: they do, when the queue is empty. If there is none because it could not
 * be started, the shutdown is told that one is to come (copi_library_owes).
 */
#include "actors/workers.h"

#include "runtime/alloc.h"
#include "runtime/exit.h"
#include "runtime/inbox.h"
#include "runtime/library.h"
#include "runtime/memory.h"
#include "runtime/process.h"
#include "runtime/timer.h"
#include "runtime/wait.h"

#define PATIENCE   COP_SEC(1) /* of an idle worker */
#define STANDSTILL COP_MS(5)  /* of a queue, after which another is started all the same */

enum {
    MOST = 256
};

struct worker {
    struct copi_process *process;
    /* guarded by the pool's lock */
    struct copi_work *work; /* that it is at */
    struct worker *next_idle;
    bool is_idle;
    bool is_gone; /* disowned: it counts no more, whatever its thread does */
};

static struct {
    copi_lock lock;
    /* guarded by it */
    struct copi_work *first, **end;
    struct worker *idle;
    unsigned workers, at_work; /* not idle, and not waiting */
    cop_time moved;            /* when the queue last became shorter, or was empty */
    cop_time looked_at;        /* when the timer thread does next; in the past: it does not */
} pool = {.lock = COPI_LOCK_INIT, .end = &pool.first};

/* ---------------------------------------------------------------- who is to work */

static void
set_idle_locked(struct worker *worker)
{
    worker->is_idle = true;
    worker->next_idle = pool.idle;
    pool.idle = worker;
    pool.at_work--;
}

static void
set_at_work_locked(struct worker *worker)
{
    struct worker **link = &pool.idle;
    while (*link != worker) {
        link = &(*link)->next_idle;
    }
    *link = worker->next_idle;
    worker->is_idle = false;
    pool.at_work++;
}

/* What the queue needs: nothing, an idle worker or a new one, which both count from here on, or to be
 * looked at later. */
enum need {
    NOTHING,
    WAKE,
    START,
    LOOK,
};

static enum need
patience_locked(cop_time now)
{
    if (now < pool.looked_at) {
        return NOTHING;
    }
    pool.looked_at = now + STANDSTILL;
    return LOOK;
}

static enum need
need_locked(struct copi_process **wake)
{
    if (!pool.first) {
        return NOTHING;
    }
    if (pool.idle) {
        *wake = pool.idle->process;
        set_at_work_locked(pool.idle);
        return WAKE;
    }
    if (pool.at_work >= MOST) {
        return NOTHING;
    }
    cop_time now = copi_clock();
    if (pool.at_work >= copi_cores() && now - pool.moved < STANDSTILL) {
        return patience_locked(now);
    }
    pool.workers++;
    pool.at_work++;
    return START;
}

void *
copi_workers_alloc(size_t size)
{
    return copi_timer_ready() == 0 ? copi_zalloc(size) : NULL;
}

static void start_worker(void);
static void meet(enum need need, struct copi_process *wake);

/* The timer thread is to look again, should the queue stand still. */
static bool
has_to_look_locked(void)
{
    return pool.first && patience_locked(copi_clock()) == LOOK;
}

/* On the timer thread. One that is started may block in its turn, with more behind it. */
static void
look(uint64_t arg)
{
    struct copi_process *wake = NULL;
    (void)arg;
    copi_lock_take(&pool.lock);
    pool.looked_at = 0;
    enum need need = need_locked(&wake);
    bool again = need != LOOK && has_to_look_locked();
    copi_lock_give(&pool.lock);
    meet(need, wake);
    if (again) {
        meet(LOOK, NULL);
    }
}

static void
meet(enum need need, struct copi_process *wake)
{
    if (need == WAKE) {
        copi_unpark(&wake->parker);
    } else if (need == START) {
        start_worker();
    } else if (need == LOOK) {
        /* Should there be no memory for it, it is for who adds to the queue next. */
        (void)copi_timer_call(copi_deadline(STANDSTILL), look, 0);
    }
}

void
copi_workers_submit(struct copi_work *work)
{
    struct copi_process *wake = NULL;
    work->next = NULL;
    copi_lock_take(&pool.lock);
    if (!pool.first) {
        pool.moved = copi_clock();
    }
    *pool.end = work;
    pool.end = &work->next;
    enum need need = need_locked(&wake);
    copi_lock_give(&pool.lock);
    meet(need, wake);
}

/* ---------------------------------------------------------------- a worker */

static struct copi_work *
take_locked(struct worker *worker)
{
    struct copi_work *work = pool.first;
    if (work) {
        pool.first = work->next;
        pool.end = pool.first ? pool.end : &pool.first;
        pool.moved = copi_clock();
        if (worker->is_idle) {
            set_at_work_locked(worker);
        }
        worker->work = work;
    }
    return work;
}

static void
retire_locked(struct worker *worker)
{
    if (worker->is_gone) {
        return;
    }
    if (worker->is_idle) {
        set_at_work_locked(worker);
    }
    worker->is_gone = true;
    pool.workers--;
    pool.at_work--;
}

/* The next that is due; NULL: there has been none for a while, or it is to end. */
static struct copi_work *
next(struct copi_process *self, struct worker *worker)
{
    struct copi_wait wait = COPI_WAIT("work", PATIENCE);
    for (int r = 0;; r = copi_pause(self, &wait)) {
        copi_lock_take(&pool.lock);
        worker->work = NULL;
        bool is_over = r != 0 || worker->is_gone;
        struct copi_work *work = worker->is_gone ? NULL : take_locked(worker);
        if (!work && is_over) {
            retire_locked(worker);
        } else if (!work && !worker->is_idle) {
            set_idle_locked(worker);
        }
        copi_lock_give(&pool.lock);
        if (work || is_over) {
            return work;
        }
        copi_take_in(self);
    }
}

/* It does not end but here: not at a signal, nor by the exit of what it runs. */
static cop_reason
run(struct copi_process *self)
{
    struct worker me = {.process = self};
    struct copi_work *work;
    self->held++;
    self->state = &me;
    while ((work = next(self, &me))) {
        work->kind->run(work);
    }
    self->state = NULL;
    return COP_REASON_NORMAL;
}

/* ---------------------------------------------------------------- what it runs */

bool
copi_worker_call(struct copi_process *self, const char *what, void (*fn)(void *arg), void *arg,
                 cop_reason *why)
{
    copi_callback_begin(self, what);
    bool returned = copi_run_caught(self, fn, arg, why);
    copi_callback_end(self);
    return returned;
}

static bool
is_to_end(const struct copi_process *self)
{
    return self->pending == COPI_KILLED_BY
           || copi_load_relaxed_64(&self->asked_to_end) == self->pid.id;
}

void
copi_worker_begin_anew(struct copi_process *self)
{
    while (self->entered) {
        cop_context_leave(self->context);
    }
    copi_memory_free_all(self);
    self->shielded = false;
    if (copi_load_relaxed_32(&self->signals)) {
        copi_take_in_signals(self);
    }
    if (!is_to_end(self)) {
        self->pending = COPI_NONE;
    }
}

/* ---------------------------------------------------------------- as a process */

/* What it runs waits in the library, or goes on. */
static void
waits(struct copi_process *self, bool begins)
{
    const struct worker *me = self->state;
    struct copi_process *wake = NULL;
    if (!me || !me->work) {
        return; /* it waits for work */
    }
    copi_lock_take(&pool.lock);
    pool.at_work += begins ? -1U : 1U;
    enum need need = begins ? need_locked(&wake) : NOTHING;
    copi_lock_give(&pool.lock);
    meet(need, wake);
}

/* What it runs does not end, and somebody has killed the worker: another goes on behind it. The thread
 * may be in it still, so that nothing is freed. */
static void
ended(struct copi_process *process, const cop_reason *reason, bool was_disowned)
{
    struct worker *worker = process->state;
    if (!was_disowned || !worker) {
        return;
    }
    copi_lock_take(&pool.lock);
    struct copi_work *work = worker->work;
    retire_locked(worker);
    copi_lock_give(&pool.lock);
    if (work) {
        work->kind->give_up(work, process->pid, reason);
    }
}

static const struct copi_behaviour behaviour = {
    .kind = "worker", .run = run, .ended = ended, .waits = waits};

struct copi_work *
copi_worker_current(void)
{
    const struct copi_process *self = copi_here.process;
    const struct worker *me = self && self->behaviour == &behaviour ? self->state : NULL;
    return me ? me->work : NULL;
}

static void
start_worker(void)
{
    const cop_start_opts opts = {.size = sizeof opts};
    const struct copi_spawn spawn = {.behaviour = &behaviour, .what = &behaviour, .opts = &opts};
    bool failed = copi_spawn(NULL, NULL, &spawn) != 0;
    copi_lock_take(&pool.lock);
    pool.workers -= failed;
    pool.at_work -= failed;
    copi_library_owes(pool.first && pool.workers == 0);
    bool again = failed && has_to_look_locked();
    copi_lock_give(&pool.lock);
    if (again) {
        meet(LOOK, NULL);
    }
}
