/*
 * supervisor/watchdog.h - whether those who asked to be watched make progress.
 *
 * Room: supervisor/. The thread of cop_run.
 */
#ifndef COPI_SUPERVISOR_WATCHDOG_H
#define COPI_SUPERVISOR_WATCHDOG_H

#include <coppice/base.h>

/* Whether all do. One that does not is reported, once until it does again. */
bool copi_watchdog_is_content(void);

#endif
