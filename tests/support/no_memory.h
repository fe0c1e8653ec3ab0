/*
 * tests/support/no_memory.h - an allocation of a library beside the core fails, as if there were no memory.
 *
 * Room: tests/. Included once. What the core allocates is told by the section of its own that its code has, and left
 * alone (copi_alloc_fail_after is for that), as are shared libraries. While an allocation is to fail nothing is
 * asserted: libcheck allocates, too.
 */
#ifndef COPI_TESTS_NO_MEMORY_H
#define COPI_TESTS_NO_MEMORY_H

#include "tests/support/wrap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

extern const char __start_coppice_text[], __stop_coppice_text[]; /* the linker's */

static atomic_long allocations_left = -1; /* until one fails, once; -1: none does */
static atomic_bool has_failed;

static bool
fails(const void *caller)
{
    const char *at = caller;
    bool is_core = at >= __start_coppice_text && at < __stop_coppice_text;
    if (is_core || allocations_left < 0 || allocations_left-- != 0) {
        return false;
    }
    has_failed = true;
    return true;
}

#define FAILS fails(__builtin_return_address(0))

void *real_malloc(size_t size) REAL(malloc);
void *fail_malloc(size_t size) WRAP(malloc);
void *
fail_malloc(size_t size)
{
    return FAILS ? NULL : real_malloc(size);
}

void *real_calloc(size_t n, size_t size) REAL(calloc);
void *fail_calloc(size_t n, size_t size) WRAP(calloc);
void *
fail_calloc(size_t n, size_t size)
{
    return FAILS ? NULL : real_calloc(n, size);
}

void *real_realloc(void *memory, size_t size) REAL(realloc);
void *fail_realloc(void *memory, size_t size) WRAP(realloc);
void *
fail_realloc(void *memory, size_t size)
{
    return FAILS ? NULL : real_realloc(memory, size);
}

void *real_alloc(size_t size) REAL(cop_alloc);
void *fail_alloc(size_t size) WRAP(cop_alloc);
void *
fail_alloc(size_t size)
{
    return FAILS ? NULL : real_alloc(size);
}

#endif
