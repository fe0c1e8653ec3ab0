/*
 * runtime/alloc.h - where the library's own memory comes from.
 *
 * Room: runtime/. Knows nobody. Any thread.
 * A thin wrapper, so that a test can make the n-th allocation fail. free() gives it back.
 */
#ifndef COPI_RUNTIME_ALLOC_H
#define COPI_RUNTIME_ALLOC_H

#include <ck_malloc.h>

#include <stdbool.h>
#include <stddef.h>

void *copi_alloc(size_t size);
void *copi_zalloc(size_t size);
void *copi_realloc(void *memory, size_t size);
void *copi_aligned_alloc(size_t alignment, size_t size);
char *copi_strdup(const char *text);

/* The same for a table of Concurrency Kit's that nobody reads but who holds it. */
extern struct ck_malloc copi_alloc_for_tables;

/* For what has its memory from elsewhere: whether a test lets this one succeed. */
bool copi_alloc_may(void);

/*
 * For tests: of the allocations from now on, all but the first `count` fail; a negative count: none.
 */
void copi_alloc_fail_after(long count);

#endif
