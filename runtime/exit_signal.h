/*
 * runtime/exit_signal.h - a reason that one process sends another, and what it does there.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_EXIT_SIGNAL_H
#define COPI_RUNTIME_EXIT_SIGNAL_H

#include "runtime/process.h"

#include <coppice/signal.h>

/* An exit signal from `self`: NULL, out of memory. And on its way, with the steps that see to it. */
struct copi_message *copi_exit_signal_new(const struct copi_process *self,
                                          const cop_reason *reason);
void copi_exit_signal_send(cop_pid to, struct copi_message *message);

/* The owner has taken in a COPI_SIGNAL. What the user is to see of it, or NULL. */
struct copi_message *copi_exit_signal_arrived(struct copi_process *self,
                                              struct copi_message *message);

/* The owner has taken in a COPI_STOP and is no server: it acts as an exit signal. */
void copi_exit_signal_stop(struct copi_process *self, struct copi_message *message);

/* A message that acts as one with this reason, a link's say: it is taken, and returned if the user is to see
 * it. */
struct copi_message *copi_exit_signal_act(struct copi_process *self, struct copi_message *message,
                                          cop_pid from, cop_reason reason, bool is_kill);

#endif
