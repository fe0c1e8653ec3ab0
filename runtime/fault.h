/*
 * runtime/fault.h - what happens when a process hits a fault.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_FAULT_H
#define COPI_RUNTIME_FAULT_H

#include <stdbool.h>

/* Take the handlers of SIGSEGV and its like, keeping those from before. Once. */
void copi_fault_install(void);

/* Whether processes that start now contain their faults. */
bool copi_fault_contained_by_default(void);

#endif
