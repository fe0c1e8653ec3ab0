/*
 * runtime/thread_clean.h - what every thread of ours starts from, and comes back to between two jobs.
 *
 * Room: runtime/, behind the seam. The calling thread only.
 */
#ifndef COPI_RUNTIME_THREAD_CLEAN_H
#define COPI_RUNTIME_THREAD_CLEAN_H

#include <stdbool.h>

/* The calling thread's affinity and niceness are the program's. Once, before the first thread. */
void copi_clean_remember(void);

/* Back to these, and to the ordinary policy; false: it cannot be undone. */
bool copi_clean_scheduling(void);

/* Locale, floating-point environment, errno. */
void copi_clean_rest(void);

#endif
