/*
 * runtime/block.h - memory of the library's own that comes and goes by the million.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_BLOCK_H
#define COPI_RUNTIME_BLOCK_H

#include <stddef.h>

/* Aligned as malloc's, and not set. NULL: out of memory. */
void *copi_block_new(size_t size);

/* NULL is nothing to free. */
void copi_block_free(void *block);

#endif
