/*
 * runtime/signals.h - links and monitors: what the rest of the runtime needs of them.
 *
 * Room: runtime/. (The public header of the same matter is coppice/signal.h.)
 */
#ifndef COPI_RUNTIME_SIGNALS_H
#define COPI_RUNTIME_SIGNALS_H

#include "runtime/process.h"

#include <coppice/signal.h>

/* Link or monitor a process that does not run yet. -ENOMEM. */
int copi_signals_link_new(struct copi_process *self, struct copi_process *child);
int copi_signals_monitor_new(struct copi_process *self, struct copi_process *child, cop_ref *ref);

/* Take such a link and monitor of the starter's back: the process was not started after all. Whoever
 * else found it meanwhile is told that nobody is there. */
void copi_signals_cancel_new(struct copi_process *child, cop_pid starter);

/* The owner has taken in a COPI_DOWN, COPI_EXIT or COPI_SIGNAL. What the user is to see of it, or
 * NULL. */
struct copi_message *copi_signals_arrived(struct copi_process *self, struct copi_message *message);

/* Let go of a message that may be a watch. */
void copi_signals_discard(struct copi_message *message);

/* A new process lives in the record: it can be watched. */
void copi_signals_begin(struct copi_process *process);

/* The process has ended, and everything else of it is done: who watches it is told, but not `unlinked`
 * by its link; it watches nobody any more. */
void copi_signals_tell(struct copi_process *process, const cop_reason *reason, cop_pid unlinked);

/* The monitor `ref` of the caller's is not wanted any more; its DOWN is removed. false: none. */
bool copi_signals_demonitor(struct copi_process *self, cop_ref ref);

#endif
