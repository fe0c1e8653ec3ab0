/*
 * runtime/belonging.h - things of the library's that end with a process.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_BELONGING_H
#define COPI_RUNTIME_BELONGING_H

#include <coppice/message.h>
#include <coppice/reason.h>

struct copi_process;

/* Embedded in what is owned. */
struct copi_belonging {
    /* Its owner has ended, and no pid finds it; its links and monitors do not know yet. By whoever ends
     * it, without a lock. */
    void (*orphaned)(struct copi_belonging *owned, const cop_reason *reason);
    /* guarded by the lock of the owner's record */
    struct copi_belonging *next, **link; /* link: what points here; NULL: nobody's */
    /* constant while it is somebody's */
    struct copi_process *owner;
};

/* It is the process's from now on. -ESRCH: that has ended. */
int copi_belonging_join(struct copi_belonging *owned, cop_pid pid);

/*
 * It is nobody's from now on. false: it was not any more, and `orphaned` has been called, is being
 * called or is about to be: what it needs must stay until then.
 */
bool copi_belonging_leave(struct copi_belonging *owned);

/* The process has ended: all that it owns is told. */
void copi_belongings_process_ends(struct copi_process *process, const cop_reason *reason);

#endif
