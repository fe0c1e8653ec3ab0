/*
 * runtime/reactor.c - the thread that knows which descriptors are ready.
 *
 * Room: runtime/. Any thread; one library thread of its own.
 * Touch freely: how many events are taken at a time. Ask first: when a generation changes.
 *
 * Each descriptor that was ever asked about has an entry, by its number, with those who wait for it. What
 * they want together is armed in one epoll set with EPOLLONESHOT: an event disarms it, those that it
 * concerns are told, and if others go on to wait it is armed again. So a descriptor that nobody asks
 * about costs nothing, however ready it is.
 *
 * A descriptor stays in the set between two requests: to arm it again is one system call, and the kernel
 * forgets it when the file is closed. Nobody tells us of that. So what the set holds may be out of date,
 * and three things make that harmless:
 *
 *   - the kernel knows its entries by number and file. If a number stands for another file by now,
 *     modifying says ENOENT: then the entry's next generation begins, and who waited under the last one
 *     will wait for ever, and is told so
 *   - an event carries number and generation: one from a file that lives on under a number that is not
 *     its own any more (a duplicate, a child that has not yet called exec) concerns nobody
 *   - that file, too, was armed for one event only
 *
 * Disarming is forgetting, without a system call: at most one event comes in vain.
 *
 * What is called is called without the lock. By then it may have been disarmed in vain, armed anew, or
 * have begun another life: it is for whoever embeds an interest to keep its memory until `ready` has
 * been called or disarming has said that it will not be, and to take a call that comes late for what it
 * is, a reason to look.
 */
#include "runtime/reactor.h"

#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS_AT_A_TIME = 64,
    FIRST_ENTRIES = 64,
};
#define TO_STOP UINT64_MAX /* the event that is no descriptor's */

struct entry {
    struct copi_interest *first;
    uint32_t generation;
    bool is_known; /* the set had this generation, when we last looked */
};

static struct {
    copi_lock lock;
    /* guarded by lock */
    struct entry *entries; /* by descriptor */
    int entry_count;
    uint32_t generation; /* of all entries ever, also over a stop */
    bool running;
    struct copi_library_thread thread;
    /* written before the thread starts, and after it has ended */
    int set, wake_fd;
} reactor = {.lock = COPI_LOCK_INIT};

/* ---------------------------------------------------------------- interests */

static void
append_locked(struct copi_interest **end, struct copi_interest *interest)
{
    while (*end) {
        end = &(*end)->next;
    }
    interest->next = NULL;
    interest->link = end;
    *end = interest;
}

static void
remove_locked(struct copi_interest *interest)
{
    *interest->link = interest->next;
    if (interest->next) {
        interest->next->link = interest->link;
    }
    interest->link = NULL;
}

static int
wanted_locked(const struct entry *entry)
{
    int events = 0;
    for (const struct copi_interest *i = entry->first; i; i = i->next) {
        events |= i->events;
    }
    return events;
}

/* An error is no event of its own: whoever waits reads or writes, and hears of it. */
static int
events_of(uint32_t of_epoll)
{
    if (of_epoll & (EPOLLERR | EPOLLHUP)) {
        return COP_IO_READ | COP_IO_WRITE;
    }
    return ((of_epoll & EPOLLIN) ? COP_IO_READ : 0) | ((of_epoll & EPOLLOUT) ? COP_IO_WRITE : 0);
}

/* Those that wait for one of these events join `told`, and can be disarmed until it is their turn; a
 * negative one concerns all. */
static void
take_locked(struct entry *entry, int events, struct copi_interest **told)
{
    while (*told) {
        told = &(*told)->next;
    }
    for (struct copi_interest *i = entry->first, *next; i; i = next) {
        next = i->next;
        i->come = events < 0 ? events : i->events & events;
        if (i->come != 0) {
            remove_locked(i);
            append_locked(told, i);
            told = &i->next;
        }
    }
}

static void
tell(struct copi_interest **told)
{
    struct copi_interest *interest;
    do {
        copi_lock_take(&reactor.lock);
        interest = *told;
        if (interest) {
            remove_locked(interest);
        }
        copi_lock_give(&reactor.lock);
        if (interest) {
            interest->ready(interest, interest->come);
        }
    } while (interest);
}

/* ---------------------------------------------------------------- the set */

static int
control_locked(int operation, int fd)
{
    const struct entry *entry = &reactor.entries[fd];
    int wanted = wanted_locked(entry);
    struct epoll_event event = {
        .events = EPOLLONESHOT | ((wanted & COP_IO_READ) ? EPOLLIN : 0u)
                  | ((wanted & COP_IO_WRITE) ? EPOLLOUT : 0u),
        .data.u64 = (uint64_t)entry->generation << 32 | (uint32_t)fd,
    };
    return epoll_ctl(reactor.set, operation, fd, &event) == 0 ? 0 : -errno;
}

static int
add_locked(int fd)
{
    struct entry *entry = &reactor.entries[fd];
    entry->generation = ++reactor.generation;
    int r = control_locked(EPOLL_CTL_ADD, fd);
    r = r == -EEXIST ? control_locked(EPOLL_CTL_MOD, fd) : r;
    entry->is_known = r == 0;
    return r;
}

/* Arm what is wanted of the descriptor. -ENOENT: what was known is another file's. */
static int
rearm_locked(int fd)
{
    return reactor.entries[fd].is_known ? control_locked(EPOLL_CTL_MOD, fd) : add_locked(fd);
}

static struct entry *
entry_locked(int fd)
{
    if (fd >= reactor.entry_count) {
        int count = reactor.entry_count ? reactor.entry_count : FIRST_ENTRIES;
        while (count <= fd) {
            count *= 2;
        }
        struct entry *entries = copi_realloc(reactor.entries, (size_t)count * sizeof *entries);
        if (!entries) {
            return NULL;
        }
        for (int i = 0; i < reactor.entry_count; i++) {
            if (entries[i].first) {
                entries[i].first->link = &entries[i].first; /* they have moved */
            }
        }
        for (int i = reactor.entry_count; i < count; i++) {
            entries[i] = (struct entry){0};
        }
        reactor.entries = entries;
        reactor.entry_count = count;
    }
    return &reactor.entries[fd];
}

/* ---------------------------------------------------------------- the thread */

static void
dispatch(const struct epoll_event *event)
{
    int fd = (int)(event->data.u64 & UINT32_MAX);
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);
    struct copi_interest *told = NULL;
    copi_lock_take(&reactor.lock);
    struct entry *entry = &reactor.entries[fd];
    if (entry->generation == generation) {
        take_locked(entry, events_of(event->events), &told);
        if (entry->first) {
            rearm_locked(fd); /* of a file that is closed by now, nothing more is to be heard */
        }
    }
    copi_lock_give(&reactor.lock);
    tell(&told);
}

static void
run(void *unused)
{
    (void)unused;
    for (bool stopping = false; !stopping;) {
        struct epoll_event events[EVENTS_AT_A_TIME];
        copi_pool_flush();
        int count = copi_park_set(reactor.set, events, EVENTS_AT_A_TIME);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 == TO_STOP) {
                stopping = true;
            } else {
                dispatch(&events[i]);
            }
        }
    }
}

static void
close_set(void)
{
    close(reactor.wake_fd);
    close(reactor.set);
}

static int
open_set(void)
{
    reactor.set = epoll_create1(EPOLL_CLOEXEC);
    if (reactor.set < 0) {
        return -errno;
    }
    struct epoll_event stop = {.events = EPOLLIN, .data.u64 = TO_STOP};
    reactor.wake_fd = eventfd(0, EFD_CLOEXEC);
    int r = reactor.wake_fd < 0 ? -errno : 0;
    if (r == 0 && epoll_ctl(reactor.set, EPOLL_CTL_ADD, reactor.wake_fd, &stop) != 0) {
        r = -errno;
        close(reactor.wake_fd);
    }
    if (r) {
        close(reactor.set);
    }
    return r;
}

static int
start_locked(void)
{
    if (reactor.running) {
        return 0;
    }
    int r = open_set();
    if (r) {
        return r;
    }
    r = copi_library_thread_start(&reactor.thread, "cop:reactor", run, NULL);
    if (r) {
        close_set();
    }
    reactor.running = r == 0;
    return r;
}

/* ---------------------------------------------------------------- for the library */

/* Whoever waited for the file that had the number before joins `stale`. */
static int
rearm_or_begin_locked(int fd, struct copi_interest *interest, struct copi_interest **stale)
{
    struct entry *entry = &reactor.entries[fd];
    append_locked(&entry->first, interest);
    int r = rearm_locked(fd);
    if (entry->is_known && (r == -ENOENT || r == -EPERM)) { /* EPERM: such a file never was in it */
        entry->is_known = false;
        remove_locked(interest);
        take_locked(entry, -EBADF, stale);
        append_locked(&entry->first, interest);
        r = rearm_locked(fd);
    }
    if (r) {
        remove_locked(interest);
    }
    return r;
}

static int
arm_locked(struct copi_interest *interest, int fd, int events, struct copi_interest **stale)
{
    if (interest->link) {
        remove_locked(interest);
    }
    interest->fd = fd;
    interest->events = events;
    int r = start_locked();
    if (r == 0 && !entry_locked(fd)) {
        r = -ENOMEM;
    }
    return r ? r : rearm_or_begin_locked(fd, interest, stale);
}

int
copi_reactor_arm(struct copi_interest *interest, int fd, int events)
{
    if (fd < 0) {
        return -EBADF;
    }
    struct copi_interest *stale = NULL;
    int kept = errno;
    copi_lock_take(&reactor.lock);
    int r = arm_locked(interest, fd, events, &stale);
    copi_lock_give(&reactor.lock);
    tell(&stale);
    errno = kept;
    return r;
}

bool
copi_reactor_disarm(struct copi_interest *interest)
{
    copi_lock_take(&reactor.lock);
    bool was_armed = interest->link != NULL;
    if (was_armed) {
        remove_locked(interest);
    }
    copi_lock_give(&reactor.lock);
    return was_armed;
}

struct copi_interest *
copi_reactor_disarm_one(int fd,
                        bool (*is_it)(const struct copi_interest *interest, const void *env),
                        const void *env)
{
    copi_lock_take(&reactor.lock);
    bool is_known = fd >= 0 && fd < reactor.entry_count;
    struct copi_interest *interest = is_known ? reactor.entries[fd].first : NULL;
    while (interest && !is_it(interest, env)) {
        interest = interest->next;
    }
    if (interest) {
        remove_locked(interest);
    }
    copi_lock_give(&reactor.lock);
    return interest;
}

static bool
stop_thread(void)
{
    copi_lock_take(&reactor.lock);
    bool was_running = reactor.running;
    copi_lock_give(&reactor.lock);
    if (was_running) {
        eventfd_write(reactor.wake_fd, 1);
        copi_library_thread_join(&reactor.thread);
    }
    return was_running;
}

void
copi_reactor_stop(void)
{
    struct copi_interest *told = NULL;
    if (!stop_thread()) {
        return;
    }
    copi_lock_take(&reactor.lock);
    for (int fd = 0; fd < reactor.entry_count; fd++) {
        take_locked(&reactor.entries[fd], -ECANCELED, &told);
    }
    close_set();
    free(reactor.entries);
    reactor.entries = NULL;
    reactor.entry_count = 0;
    reactor.running = false;
    copi_lock_give(&reactor.lock);
    tell(&told);
}
