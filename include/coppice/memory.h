/*
 * coppice/memory.h - memory that a process owns: freed with it, however it ends.
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_MEMORY_H
#define COPPICE_MEMORY_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Memory that the calling process owns, aligned as malloc's, not zeroed. NULL when there is none.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void *cop_alloc(size_t size);

/* Free memory of cop_alloc that the calling process owns; NULL does nothing. */
COP_API void cop_free(void *memory);

/*
 * No longer the process's: the caller frees it with free(), or moves it in a message with `free` as
 * the drop function. Returns `memory`; NULL when the calling process does not own it.
 */
COP_API void *cop_disown(void *memory);

#ifdef __cplusplus
}
#endif
#endif
