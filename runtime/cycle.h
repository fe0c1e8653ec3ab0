/*
 * runtime/cycle.h - who waits for whom, and the refusal to close a circle.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_CYCLE_H
#define COPI_RUNTIME_CYCLE_H

#include "runtime/process.h"

/*
 * Say that the caller waits for `target` under `ref`, which names it. -EDEADLK: it waits, directly or
 * through others, for the caller; cop_why() shows the circle, and nothing has to be ended.
 */
int copi_cycle_begin(struct copi_process *self, cop_pid target, cop_ref ref);

/* Say that it waits for all of its children, whose parent it is. It is not refused itself; a child is that
 * now waits for it, or for somebody who does already. */
void copi_cycle_begin_children(struct copi_process *self);

void copi_cycle_end(struct copi_process *self);

/* Any thread: `waiter` waits under this reference no more, though it may not know yet. false: it had
 * given up already. */
bool copi_cycle_release(struct copi_process *waiter, cop_ref ref);

#endif
