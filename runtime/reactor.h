/*
 * runtime/reactor.h - the thread that knows which descriptors are ready.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_REACTOR_H
#define COPI_RUNTIME_REACTOR_H

#include <coppice/io.h>

/*
 * Who wants to know of a descriptor, once. Embedded in whatever it is; zeroed but for `ready`.
 *
 *   ready   the library's own, and quick: called without a lock, on the reactor's thread or by who
 *           finds out. The events that have come, of those asked for; or
 *           -EBADF       the descriptor is another's now
 *           -ECANCELED   the reactor stops
 */
struct copi_interest {
    void (*ready)(struct copi_interest *interest, int events);
    /* guarded by the reactor's lock */
    struct copi_interest *next, **link; /* link: what points here; NULL: not armed */
    int fd, events, come;               /* asked for; told */
};

/*
 * Arm it: `ready` is called once, perhaps before this returns. One that is armed is armed anew, for what
 * is said now. Errors as cop_io_watch; then it is not armed, and `ready` is not called.
 */
int copi_reactor_arm(struct copi_interest *interest, int fd, int events);

/* true: it is armed no more, and `ready` will not be called. false: it was not armed; a call of `ready`
 * that began before may still be under way. */
bool copi_reactor_disarm(struct copi_interest *interest);

/* The same for the one of a descriptor's that `is_it` says it is; NULL: none. */
struct copi_interest *copi_reactor_disarm_one(
    int fd, bool (*is_it)(const struct copi_interest *interest, const void *env), const void *env);

/* End the thread; what is armed is told. It starts again when it is needed. */
void copi_reactor_stop(void);

#endif
