/*
 * runtime/fault.h - what happens when a process hits a fault.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_FAULT_H
#define COPI_RUNTIME_FAULT_H

#include <signal.h>
#include <stdbool.h>

/* Take the handlers of SIGSEGV and its like, keeping those from before. Once. */
void copi_fault_install(void);

/* The name of the signal that a fault raises. */
static inline const char *
copi_fault_name(int signal)
{
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    default:
        return "a signal";
    }
}

/* Whether processes that start now contain their faults. */
bool copi_fault_contained_by_default(void);

#endif
