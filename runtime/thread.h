/*
 * runtime/thread.h - the seam: all that the library asks of the machine.
 *
 * Room: runtime/. Knows nobody; what runs on a thread is a job, and the current process is an opaque
 * pointer that it keeps.
 * Touch freely: nothing above it needs to change when this does. Ask first: what another part wants
 * to do itself. Nothing else in the library starts a thread, blocks, tells time, draws randomness or
 * knows how the current process is found, so that light threads or a simulated machine can be put
 * under all actors here.
 *
 * Seven files behind it: thread.c (threads and their cache), thread_stack.c (what they run on),
 * thread_clean.c (what a job starts from), thread_park.c (waiting), thread_look.c (looking before
 * waiting), thread_keep.c (keeping a core awake) and thread_clock.c (clocks, randomness, cores).
 */
#ifndef COPI_RUNTIME_THREAD_H
#define COPI_RUNTIME_THREAD_H

#include "runtime/atomic.h"
#include "runtime/live_kinds.h"

#include <coppice/base.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

struct copi_process;
struct copi_pool;
struct copi_thread;

/* ---------------------------------------------------------------- where we are */

/* What did not pay is tried less and less often: after `rest` more waits. */
struct copi_trial {
    uint32_t failed, rest;
};

/* What a thread remembers of how looking before parking paid. All zero: nothing yet. */
struct copi_spin {
    cop_time most;   /* that may pay; 0: what a wake-up takes */
    cop_time budget; /* how long to look */
    uint32_t looks;
    uint32_t shared; /* yields that led to somebody else, since a moment's look has paid */
    struct copi_trial glance, yield; /* while too many are awake */
};

/* What belongs to the calling kernel thread. Read it anew after every wait. */
struct copi_here {
    struct copi_process
        *process;               /* running here; NULL: a thread not adopted, or the library's own */
    struct copi_pool *pool;     /* of messages; NULL: none yet */
    struct copi_thread *thread; /* NULL: not started by the library */
    bool is_library;            /* one of the library's own */
    bool is_nameless;           /* shows no process's name: process.c */
    struct copi_spin spin;      /* of waits for messages, whoever runs here */
    struct copi_spin spin_for_others; /* of waits for a start or an end */
    struct copi_live_cell live;       /* what it has made and freed: live.c */
};
extern _Thread_local struct copi_here copi_here;

/* The child of a fork has one thread, and locks that nobody will give: everything is refused there. */
extern copi_atomic32 copi_forked;
static inline bool
copi_is_forked(void)
{
    return copi_load_relaxed_32(&copi_forked) != 0;
}

/* Say that the calling foreign thread has a process, whose end is the thread's. */
int copi_thread_adopt(struct copi_process *process);

/* ---------------------------------------------------------------- locks */

/*
 * For what is rare and short. Lock order: see runtime/process.h. Never held while user code runs.
 *
 * Who finds it taken looks for a moment before he sleeps, where libc can do that: it is held for less
 * time than it takes to fall asleep, and who gives it back to a sleeper has to wake him.
 */
typedef struct copi_lock {
    pthread_mutex_t mutex;
} copi_lock;
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
# define COPI_LOCK_INIT                  \
  {                                      \
   PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP \
  }
#else
# define COPI_LOCK_INIT      \
  {                          \
   PTHREAD_MUTEX_INITIALIZER \
  }
#endif
void copi_lock_init(copi_lock *lock);
void copi_lock_take(copi_lock *lock);
void copi_lock_give(copi_lock *lock);

/* ---------------------------------------------------------------- clocks, chance, cores */

cop_time copi_clock(void);        /* CLOCK_MONOTONIC */
cop_time copi_clock_coarse(void); /* the same to a few milliseconds, for a quarter of the price */
cop_time copi_clock_wall(void);
bool copi_ticks_are_time(void); /* the kernel itself keeps its time by copi_ticks */

/* The processor's own counter. */
static inline uint64_t
copi_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return 0;
#endif
}

uint64_t copi_random(void);
int copi_random_bytes(void *to, size_t size); /* -EAGAIN: the system has none yet */
unsigned copi_cores(void);

/* timeout, from now, as a point in time; saturates. */
cop_time copi_deadline(cop_time timeout);

/* ---------------------------------------------------------------- waiting */

/*
 * A place where one thread sleeps and any thread wakes it. A wake-up that comes first is kept: the
 * next park returns at once. Parks may return for no reason.
 */
struct copi_parker {
    copi_atomic32 state;
    int wake_fd; /* an eventfd, made when the thread first waits for a descriptor; -1: none */
};
void copi_parker_init(struct copi_parker *parker);
void copi_parker_fini(struct copi_parker *parker);
bool copi_park(struct copi_parker *parker, cop_time deadline); /* whether by a wake-up */
void copi_unpark(struct copi_parker *parker);

/* As copi_park, and also until the descriptor is ready: 1 ready, 0 woken or past the deadline, or a
 * negative errno value. */
int copi_park_fd(struct copi_parker *parker, int fd, short events, cop_time deadline);

/* Whether it is ready now: 1, 0 or a negative errno value. */
int copi_poll_fd(int fd, short events);

/* What is ready of an epoll set, at most `most`; waits until something is. How many: 0 if it was
 * interrupted. */
struct epoll_event;
int copi_park_set(int epoll_fd, struct epoll_event *ready, int most);

/* Whether somebody has unparked it since it last parked. */
static inline bool
copi_parker_notified(const struct copi_parker *parker)
{
    return copi_load_relaxed_32(&parker->state) != 0;
}

/* Its thread only, for whoever spins: the same, and then the wake-up is used, as by a park. */
static inline bool
copi_parker_use(struct copi_parker *parker)
{
    return copi_parker_notified(parker)
           && copi_exchange_32(&parker->state, 0) != 0; /* pairs with copi_unpark's */
}

#define COPI_LOOK_FOR_THREAD COP_US(100) /* `most`, of who waits for a thread to begin, or to end */

/* Look whether it is there, for a moment that depends on whether a core is free and on how it paid
 * before. false: park. */
bool copi_spin_for(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg);

/* No more threads are awake than there are cores, the caller included. */
bool copi_spin_allowed(void);
uint32_t copi_threads_awake(void);

/* As many as there were at the first look; 0: nobody is to look. */
uint32_t copi_spin_cores(void);

/* From here on nobody looks. */
void copi_spin_decline(void);

/* Let others go first that are ready to run. */
void copi_thread_yield(void);

/* Around a system call that may block, so that others know that a core is free. */
void copi_blocking_begin(void);
void copi_blocking_end(void);

/* ---------------------------------------------------------------- threads */

/* Something to run on a thread: embedded in whatever it is. */
struct copi_job {
    void (*run)(struct copi_job *job);
    size_t stack_size; /* 0: the default */
    bool fresh;        /* on a new thread, which ends with it */
};

/*
 * Run a job on a cached thread or a new one.
 *
 * -EAGAIN   the limit is reached, or the system has no thread; -ENOMEM. The job was not taken.
 */
int copi_thread_run(struct copi_job *job);

/* Put a thread that has nothing to do into the cache, if there is one to be had. copi_thread_run does that in
 * a rush. */
void copi_thread_make_spare(void);

/* Starts that come quickly one after another. All zero: none yet. */
struct copi_rush {
    cop_time last;
    unsigned in_a_row;
};
bool copi_rush_goes_on(struct copi_rush *rush, cop_time now); /* once for each */

/* The calling thread, which runs a job, must not be used for another: memory that it can still reach
 * is suspect. */
void copi_thread_retire(void);

/* The job that runs here is about to end: a start may wait a moment for this thread. */
void copi_thread_finishing(void);

/* Show the process's name in the system's tools; cut to 15 characters. */
void copi_thread_name(const char *name);

/* Make a blocking system call of this thread return EINTR. The caller sees to it that it is alive. */
void copi_thread_interrupt(struct copi_thread *thread);

/* The bounds of the calling thread's stack and its guard; false: not one of ours. */
bool copi_thread_guard(const void **low, const void **high);

/* The pages below the calling thread's frames, but for a few, go back to the system. Not of threads that
 * are not ours. */
void copi_thread_trim_stack(void);

/* How many threads the library has, busy and cached, library threads not counted. */
unsigned copi_thread_count(void);

/* What each of the library's threads does last, and what an adopted one does: set once, before the
 * first. */
void copi_thread_hooks(void (*at_end)(void), void (*foreign_ended)(struct copi_process *process));

/* The signal that interrupts, when it is not the default. */
void copi_thread_set_interrupt(int signal);

/* End the cached threads and join them. */
void copi_thread_trim(void);

/* Wait until every thread that runs a job has ended or is one of `left`, at most until the deadline. */
bool copi_thread_drained(unsigned left, cop_time deadline);

/* A thread of the library's own: runs no user code, waits for no actor, blocks all signals. */
struct copi_library_thread {
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
    char name[16];
};
int copi_library_thread_start(struct copi_library_thread *thread, const char *name,
                              void (*run)(void *arg), void *arg);
void copi_library_thread_join(struct copi_library_thread *thread);

/* ---------------------------------------------------------------- jumps */

/* Where a process goes when it ends from any depth. Without the signal mask: that is a system call. */
struct copi_jump {
    sigjmp_buf buffer;
};
#define copi_jump_here(jump) (sigsetjmp((jump)->buffer, 0))
void copi_jump_to(struct copi_jump *jump) __attribute__((noreturn));

#endif
