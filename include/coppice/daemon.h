/*
 * coppice/daemon.h - a daemon's main().
 */
#ifndef COPPICE_DAEMON_H
#define COPPICE_DAEMON_H

#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Start the tree, wait for its end or for SIGTERM or SIGINT, stop it in order, and end everything
 * that the library started. A second SIGINT ends the program at once, with status 130.
 *
 * A request that comes while the tree starts is kept until it is up; init_timeout is for what may
 * hang there. The tree is linked to the caller, and what is sent to the calling thread meanwhile is
 * dropped.
 *
 * While it runs it handles SIGTERM, SIGINT, SIGUSR1 (cop_report_unsettled) and SIGHUP (taken and
 * ignored for now), also if they were blocked, ignores SIGPIPE, and ends the ignoring of SIGCHLD,
 * because that would hide how commands end. Dispositions and mask are put back.
 *
 * As process 1, or as a subreaper (prctl(2)), it reaps the orphans that the system hands to it, which
 * takes SIGCHLD. Called from the main thread, as is usual, it then also reaps children that this
 * thread has forked itself.
 *
 * Returns the exit status:
 *
 *   0   it was asked to stop, by a signal or from inside (cop_supervisor_stop, auto_shutdown), or its
 *       init declined
 *   1   the tree did not start, gave up or crashed, or cop_run runs already or could not wait; a
 *       line on standard error has the reason
 *
 * Threads: one that the library did not start, once at a time.  Blocks.
 */
COP_API int cop_run(const cop_supervisor_spec *root);

#ifdef __cplusplus
}
#endif
#endif
