/*
 * runtime/exit.h - leaving a process from any depth.
 *
 * Room: runtime/. The owner thread only.
 */
#ifndef COPI_RUNTIME_EXIT_H
#define COPI_RUNTIME_EXIT_H

#include "runtime/process.h"

/* End the process with self->reason: its callback's deferred calls here, in place, then the jump. */
void copi_exit_now(struct copi_process *self) __attribute__((noreturn));

/* As cop_exit, with the reason that stands in an exit that no signal may hold back. */
void copi_exit_self(struct copi_process *self, const cop_reason *reason) __attribute__((noreturn));

/* The thread of a disowned process has come back to us: it ends. */
void copi_exit_disowned(struct copi_process *self) __attribute__((noreturn));

#endif
