/*
 * runtime/library.h - the library as a whole: set up at its first call.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_LIBRARY_H
#define COPI_RUNTIME_LIBRARY_H

#include <coppice/base.h>

#include <stdbool.h>

/* Before the first process: handlers, hooks. Afterwards cop_configure says -EBUSY. */
void copi_library_begin(void);

/* When that was: now, perhaps. */
cop_time copi_library_since(void);

/* Whether there is work for which a process could not be started yet: a shutdown waits for it as for a process. */
void copi_library_owes(bool owes);

#endif
