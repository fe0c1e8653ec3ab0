/*
 * runtime/thread_park.c - how a thread waits, and how it is woken.
 *
 * Room: runtime/, behind the seam. Any thread.
 * Ask first: the order of the steps below.
 *
 * A parker is one word. EMPTY: nobody waits. NOTIFIED: a wake-up came, nobody has used it yet.
 * PARKED: its thread sleeps on the word. POLLING: its thread sleeps in poll, and wake_fd wakes it.
 *
 *   park     EMPTY -> PARKED by compare-and-swap, futex wait, exchange with EMPTY
 *   unpark   exchange with NOTIFIED; whoever got PARKED or POLLING back makes the system call
 *
 * Memory: what was written before unpark is seen after the park that it ends, because unpark's
 * exchange and the exchange at the end of park are full barriers on the same word. A wake-up is
 * never lost: it is in the word before the sleeper's compare-and-swap, which then fails, or after
 * it, and then unpark has seen PARKED.
 *
 * `awake` counts the threads that are not in a park. The waker counts the sleeper in, so that
 * whoever looks before it parks learns at once that its core is wanted: thread_look.c.
 *
 * What a wake-up costs is where it leads. The kernel looks for an idle core for whoever is woken. On a
 * virtual machine an idle core is halted, and it takes 12 us to get it going. So a chain, in which one
 * thread wakes the next and parks, pays that at each step: a ring of 100 bare threads needs 13.5 us a hop
 * on two cores and 3.7 us on one. What helps is that who parks keeps its core awake while a chain is on, which is
 * thread_keep.c. What else was tried to keep a chain on one core:
 *
 *   pipes, eventfds, sockets, whose wake-ups say that the waker is about to sleep   no difference
 *   a sleeper's affinity narrowed to its waker's core, and left so                  4.3 us a hop
 *   the same, and given back before user code runs                                  8.5 us
 *   a thread that does nothing but yield, or spin, on the other core                4 to 9 us
 *   a thread of SCHED_IDLE that spins, which the kernel takes for an idle core      6.7 us
 *   one on each core                                                                5.2 to 5.9 us
 *
 * An affinity that stays narrow is inherited by every thread and program that the user's code starts meanwhile,
 * where nobody could give it back; and setting it costs 2 us each time, which is half of what is to be saved.
 * Threads that keep cores busy have to be started and stopped between two chains, each by a wake-up of a halted core;
 * those of SCHED_IDLE helped in some hours only. A virtual machine whose host polls before it halts (or idle=poll)
 * has all of it, for every program.
 */
#include "runtime/thread.h"
#include "runtime/thread_keep.h"

#include <coppice/base.h>

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    EMPTY,
    NOTIFIED,
    PARKED,
    POLLING
};

static copi_atomic32 awake;

static void
count_awake(int by)
{
    copi_fetch_add_32(&awake, (uint32_t)by);
}

void
copi_thread_yield(void)
{
    sched_yield();
}

void
copi_blocking_begin(void)
{
    count_awake(-1);
}

void
copi_blocking_end(void)
{
    count_awake(1);
}

uint32_t
copi_threads_awake(void)
{
    return copi_load_relaxed_32(&awake);
}

void
copi_parker_init(struct copi_parker *parker)
{
    copi_store_relaxed_32(&parker->state, EMPTY);
    parker->wake_fd = -1;
}

void
copi_parker_fini(struct copi_parker *parker)
{
    if (parker->wake_fd >= 0) {
        close(parker->wake_fd);
        parker->wake_fd = -1;
    }
}

static struct timespec
as_timespec(cop_time t)
{
    return (struct timespec){.tv_sec = t / COP_SEC(1), .tv_nsec = t % COP_SEC(1)};
}

static void
futex_wait(copi_atomic32 *word, uint32_t value, cop_time deadline)
{
    struct timespec until = as_timespec(deadline > 0 ? deadline : 0);
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
            deadline == COP_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* false: a wake-up was there already and has been used. */
static bool
go_to_sleep(struct copi_parker *parker, uint32_t how)
{
    uint32_t state = EMPTY;
    if (!copi_cas_32(&parker->state, &state, how)) {
        copi_exchange_32(&parker->state, EMPTY); /* pairs with copi_unpark's */
        return false;
    }
    count_awake(-1);
    return true;
}

/* Whether somebody woke us; else it was a deadline, a signal, or a descriptor. */
static bool
get_up(struct copi_parker *parker)
{
    bool woken = copi_exchange_32(&parker->state, EMPTY) == NOTIFIED; /* pairs with copi_unpark's */
    if (!woken) {
        count_awake(1);
    }
    return woken;
}

bool
copi_park(struct copi_parker *parker, cop_time deadline)
{
    int kept = errno;
    bool woken = true;
    copi_keep_core(parker, deadline);
    if (go_to_sleep(parker, PARKED)) {
        futex_wait(&parker->state, PARKED, deadline);
        woken = get_up(parker);
    }
    errno = kept;
    return woken;
}

void
copi_unpark(struct copi_parker *parker)
{
    uint32_t was = copi_exchange_32(&parker->state, NOTIFIED); /* pairs with get_up's */
    if (was == PARKED || was == POLLING) {
        int kept = errno;
        count_awake(1);
        copi_keep_count();
        if (was == PARKED) {
            syscall(SYS_futex, &parker->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        } else {
            eventfd_write(parker->wake_fd, 1);
        }
        errno = kept;
    }
}

static int
poll_both(int fd, short events, int wake_fd, cop_time deadline)
{
    struct pollfd polled[2] = {
        {.fd = fd, .events = events},
        {.fd = wake_fd, .events = POLLIN},
    };
    cop_time left = deadline == COP_FOREVER ? COP_FOREVER : deadline - copi_clock();
    struct timespec wait = as_timespec(left > 0 ? left : 0);
    int n = ppoll(polled, 2, left == COP_FOREVER ? NULL : &wait, NULL);
    if (n < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    if (polled[0].revents & POLLNVAL) {
        return -EBADF;
    }
    return polled[0].revents != 0;
}

int
copi_park_fd(struct copi_parker *parker, int fd, short events, cop_time deadline)
{
    int kept = errno, ready = 0;
    if (parker->wake_fd < 0) {
        /* Look first: a closed descriptor's number could become the eventfd's. */
        ready = copi_poll_fd(fd, events);
        if (ready != 0) {
            return ready;
        }
        parker->wake_fd = eventfd(0, EFD_CLOEXEC);
        if (parker->wake_fd < 0) {
            ready = -errno;
            errno = kept;
            return ready;
        }
    }
    if (go_to_sleep(parker, POLLING)) {
        ready = poll_both(fd, events, parker->wake_fd, deadline);
        if (get_up(parker)) {
            /* Whoever woke us writes once, now or in a moment. Waiting for that here means that
             * nobody writes to wake_fd later, when its number may be somebody else's. */
            eventfd_t count;
            eventfd_read(parker->wake_fd, &count);
        }
    }
    errno = kept;
    return ready;
}

int
copi_poll_fd(int fd, short events)
{
    int kept = errno;
    struct pollfd polled = {.fd = fd, .events = events};
    int n = poll(&polled, 1, 0);
    int ready = n < 0 ? (errno == EINTR ? 0 : -errno) : (polled.revents & POLLNVAL) ? -EBADF : n;
    errno = kept;
    return ready;
}

int
copi_park_set(int epoll_fd, struct epoll_event *ready, int most)
{
    int kept = errno;
    copi_blocking_begin();
    int n = epoll_wait(epoll_fd, ready, most, -1);
    copi_blocking_end();
    errno = kept;
    return n > 0 ? n : 0;
}
