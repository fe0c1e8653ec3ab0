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
 * that the library started. A second SIGINT, a tenth of a second after the first or later, ends the program
 * at once, with status 130; what comes sooner is the first one, passed on by whoever started the program.
 *
 * A request that comes while the tree starts is kept until it is up; init_timeout is for what may
 * hang there. The tree is linked to the caller, and what is sent to the calling thread meanwhile is
 * dropped.
 *
 * While it runs it handles SIGTERM, SIGINT, SIGHUP (cop_on_hangup) and SIGUSR1 (cop_report_tree, and
 * cop_report_unsettled), also if they were blocked, ignores SIGPIPE, and ends the ignoring of SIGCHLD,
 * because that would hide how commands end. Dispositions and mask are put back.
 *
 * Where a service manager has started it (systemd's Type=notify or notify-reload), it is told when the
 * tree is up, that it is being stopped or why it has ended, and, at most once in a second, how many
 * processes there are, how many restarts there were, and how many threads had to be disowned. Its
 * watchdog is fed while cop_watchdog is content.
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
 * The program ends without returning here with status 130 (above), with 70 when too many threads had
 * to be disowned (cop_config.max_disowned), and by its signal when it faults.
 *
 * Threads: one that the library did not start, once at a time.  Blocks.  Exit point: no.
 */
COP_API int cop_run(const cop_supervisor_spec *root);

/*
 * Let the service manager's watchdog be fed only while the calling process makes progress: while no
 * callback of it lasts longer than `limit`, and no message to it waits for longer. Usually in init. It
 * is looked at from outside; it has nothing more to do. Its limit ends with the process. A process that
 * does not is named in a line on standard error, and the manager does what its unit says, once its own
 * time (WatchdogSec) is over: so a limit is to be shorter than that.
 *
 *   limit   0: not any more
 *
 * -EINVAL   a negative limit
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_watchdog(cop_time limit);

/*
 * Be sent a message without a body at each SIGHUP that cop_run takes: load what is to be loaded again. It
 * passes the mailbox's bounds. A second call changes the tag; it ends with the process.
 *
 * -EINVAL   a tag of the library's
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_on_hangup(uint32_t tag);

/*
 * A descriptor that the service manager has opened and passed to this program: socket activation.
 *
 *   name   its FileDescriptorName=; NULL: the first that nobody has asked for
 *
 * It is the caller's from then on, marked to be closed in commands; whether it blocks is as the manager
 * left it.
 *
 * -ENOENT   there is none, or all were given
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_activated_fd(const char *name, int *fd);

/*
 * Write all processes to standard error, as the tree in which they were started with .link, a line each:
 * what it does and for how long, for whom it waits, how many messages wait for it. Nobody is asked, so
 * it works when everybody is stuck. cop_run does so at SIGUSR1.
 *
 * Threads: any.  Blocks as standard error does.  Exit point: no.
 */
COP_API void cop_report_tree(void);

#ifdef __cplusplus
}
#endif
#endif
