/*
 * tests/bench/count.c - the counters of `make bench COUNT=1`. Any thread.
 *
 * Room: tests/. Knows the seam.
 * Touch freely: what is counted; the Makefile reads the names from here.
 *
 * The linker puts these functions before those whose names they carry (--wrap), for every object of
 * the library and of the bench; so the library that is counted is, to the byte, the one that is
 * measured. What libc does inside is not seen; nor are calls within one object of the library.
 *
 *   parks      sleeps on a futex: a system call, and usually a context switch
 *   wakes      wake-ups of a sleeper: a system call
 *   looks      times that somebody who had nothing to do looked about before it slept
 *   paid       looks that found something
 *   locks      mutexes taken
 *   threads    that were made
 *
 * A look that is not allowed (the machine is busy) counts, too, and does not pay.
 */
#include "tests/bench/count.h"

#include "runtime/thread.h"
#include "tests/support/wrap.h"

#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>

enum {
    MALLOCS,
    FREES,
    PARKS,
    WAKES,
    LOOKS,
    PAID,
    LOCKS,
    THREADS,
    KINDS,
};

static const char *const names[KINDS] = {
    [MALLOCS] = "mallocs", [FREES] = "frees", [PARKS] = "parks", [WAKES] = "wakes",
    [LOOKS] = "looks",     [PAID] = "paid",   [LOCKS] = "locks", [THREADS] = "threads",
};

static _Atomic(int64_t) counts[KINDS];
static double kept[KINDS]; /* of one operation; by the client */

static void
count(int kind)
{
    atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

void
count_begin(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        atomic_store(&counts[kind], 0);
    }
}

void
count_end(int64_t operations)
{
    for (int kind = 0; kind < KINDS; kind++) {
        kept[kind] = (double)atomic_load(&counts[kind]) / (double)operations;
    }
}

void
count_tell(void (*tell)(const char *what, double count))
{
    for (int kind = 0; kind < KINDS; kind++) {
        tell(names[kind], kept[kind]);
    }
}

/* ---------------------------------------------------------------- memory */

void *real_malloc(size_t size) REAL(malloc);
void *count_malloc(size_t size) WRAP(malloc);
void *
count_malloc(size_t size)
{
    count(MALLOCS);
    return real_malloc(size);
}

void *real_calloc(size_t n, size_t size) REAL(calloc);
void *count_calloc(size_t n, size_t size) WRAP(calloc);
void *
count_calloc(size_t n, size_t size)
{
    count(MALLOCS);
    return real_calloc(n, size);
}

void *real_realloc(void *memory, size_t size) REAL(realloc);
void *count_realloc(void *memory, size_t size) WRAP(realloc);
void *
count_realloc(void *memory, size_t size)
{
    count(MALLOCS);
    return real_realloc(memory, size);
}

void *real_aligned_alloc(size_t alignment, size_t size) REAL(aligned_alloc);
void *count_aligned_alloc(size_t alignment, size_t size) WRAP(aligned_alloc);
void *
count_aligned_alloc(size_t alignment, size_t size)
{
    count(MALLOCS);
    return real_aligned_alloc(alignment, size);
}

void real_free(void *memory) REAL(free);
void count_free(void *memory) WRAP(free);
void
count_free(void *memory)
{
    if (memory) {
        count(FREES);
    }
    real_free(memory);
}

/* ---------------------------------------------------------------- waiting */

/* The seam's futex calls go through this one. */
long real_syscall(long number, ...) REAL(syscall);
long count_syscall(long number, ...) WRAP(syscall);
long
count_syscall(long number, ...)
{
    long argument[6];
    va_list arguments;
    va_start(arguments, number);
    for (size_t i = 0; i < sizeof argument / sizeof *argument; i++) {
        argument[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (number == SYS_futex) {
        count((argument[1] & FUTEX_CMD_MASK) == FUTEX_WAKE ? WAKES : PARKS);
    }
    return real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                        argument[5]);
}

bool real_spin_for(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
    REAL(copi_spin_for);
bool count_spin_for(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
    WRAP(copi_spin_for);
bool
count_spin_for(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
{
    count(LOOKS);
    bool paid = real_spin_for(spin, is_there, arg);
    if (paid) {
        count(PAID);
    }
    return paid;
}

int real_mutex_lock(pthread_mutex_t *mutex) REAL(pthread_mutex_lock);
int count_mutex_lock(pthread_mutex_t *mutex) WRAP(pthread_mutex_lock);
int
count_mutex_lock(pthread_mutex_t *mutex)
{
    count(LOCKS);
    return real_mutex_lock(mutex);
}

int real_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                       void *arg) REAL(pthread_create);
int count_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                        void *(*run)(void *arg), void *arg) WRAP(pthread_create);
int
count_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                    void *arg)
{
    count(THREADS);
    return real_thread_create(thread, attributes, run, arg);
}
