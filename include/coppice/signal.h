/*
 * coppice/signal.h - links and monitors: how one process learns that another has ended.
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_SIGNAL_H
#define COPPICE_SIGNAL_H

#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The body of COP_MSG_DOWN. */
struct cop_down {
    cop_ref ref;
    cop_pid pid;
    cop_reason reason;
};

/* The body of COP_MSG_EXIT. */
struct cop_exited {
    cop_pid pid;
    cop_reason reason;
};

/*
 * Link the caller and another process; Process.link. Either one's crash is then an exit signal to
 * the other. Linking twice, or to oneself, changes nothing. To a process that is gone: 0, and the
 * caller gets an exit signal NOPROC.
 *
 * -ESRCH    a name that nobody has
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_link(cop_pid pid);

/*
 * Remove a link; Process.unlink. Afterwards no exit signal of the other takes effect, one that is
 * already in the mailbox included. Without a link: 0.
 *
 * -ENOMEM   the calling thread was no process yet, and could not be made one; it has no links
 */
COP_API int cop_unlink(cop_pid pid);

/*
 * Whether exit signals of others arrive as COP_MSG_EXIT instead of ending the caller;
 * Process.flag(:trap_exit). Returns the old setting.
 */
COP_API bool cop_trap_exits(bool on);

/*
 * Watch a process; Process.monitor. When it ends, one COP_MSG_DOWN with this reference arrives, with
 * NOPROC and at once if it is gone already. A name is watched as its holder of now. Only processes of
 * this program are watched: there are no nodes, ports or clocks to monitor.
 *
 * Returns {0} when out of memory (cop_why).
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_ref cop_monitor(cop_pid pid);

/*
 * Stop watching; Process.demonitor with :flush. Its DOWN, if already queued, is removed.
 *
 * -ENOENT   no such monitor of the caller's: it fired and was received, was removed before, or is
 *           another's. Nothing changed.
 */
COP_API int cop_demonitor(cop_ref ref);

#ifdef __cplusplus
}
#endif
#endif
