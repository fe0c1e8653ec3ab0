/*
 * runtime/memory.h - memory that a process owns.
 *
 * Room: runtime/. The owner thread only; before it runs, who starts it.
 */
#ifndef COPI_RUNTIME_MEMORY_H
#define COPI_RUNTIME_MEMORY_H

#include <coppice/memory.h>

struct copi_process;

/* As cop_alloc, zeroed. */
void *copi_memory_new(struct copi_process *self, size_t size);

/* The process ends: free all that it owns. */
void copi_memory_free_all(struct copi_process *self);

/* It ended by a contained fault: keep it, reachable, for good. */
void copi_memory_keep_all(struct copi_process *self);

#endif
