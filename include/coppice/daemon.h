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
 * Handles SIGTERM, SIGINT, SIGHUP and SIGUSR1 (the last two are taken and ignored for now) and
 * ignores SIGPIPE while it runs; the dispositions from before are put back.
 *
 * Returns the exit status: 0 after a shutdown, 1 when the tree did not start or gave up.
 *
 * Threads: one that the library did not start, once at a time.  Blocks.
 */
COP_API int cop_run(const cop_supervisor_spec *root);

#ifdef __cplusplus
}
#endif
#endif
