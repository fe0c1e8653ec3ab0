/*
 * runtime/alloc.c - where the library's own memory comes from.
 *
 * Room: runtime/. Any thread.
 */
#include "runtime/alloc.h"

#include "runtime/atomic.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* 0: never fail. Otherwise one more than how many allocations still succeed. */
static copi_atomic64 allowed;

void
copi_alloc_fail_after(long count)
{
    copi_store_relaxed_64(&allowed, count < 0 ? 0 : (uint64_t)count + 1);
}

bool
copi_alloc_may(void)
{
    uint64_t left = copi_load_relaxed_64(&allowed);
    while (left > 1) {
        if (copi_cas_64(&allowed, &left, left - 1)) {
            return true;
        }
    }
    return left == 0;
}

void *
copi_alloc(size_t size)
{
    return copi_alloc_may() ? malloc(size ? size : 1) : NULL;
}

void *
copi_zalloc(size_t size)
{
    return copi_alloc_may() ? calloc(1, size ? size : 1) : NULL;
}

void *
copi_realloc(void *memory, size_t size)
{
    return copi_alloc_may() ? realloc(memory, size ? size : 1) : NULL;
}

void *
copi_aligned_alloc(size_t alignment, size_t size)
{
    return copi_alloc_may() ? aligned_alloc(alignment, size) : NULL;
}

char *
copi_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = copi_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static void
free_of_a_table(void *memory, size_t size, bool defer)
{
    (void)size, (void)defer;
    free(memory);
}

struct ck_malloc copi_alloc_for_tables = {.malloc = copi_alloc, .free = free_of_a_table};
