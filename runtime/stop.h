/*
 * runtime/stop.h - ending another process and waiting for it.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_STOP_H
#define COPI_RUNTIME_STOP_H

#include "runtime/process.h"

/* Kill it and wait until it has ended, or been disowned, whatever the caller's context says. */
void copi_kill_and_wait(struct copi_process *self, cop_pid pid);

/* What cop_stop_process sends, without waiting. -ENOMEM. */
int copi_ask_to_stop(struct copi_process *self, cop_pid pid, const cop_reason *reason);

#endif
