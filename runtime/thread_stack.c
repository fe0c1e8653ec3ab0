/*
 * runtime/thread_stack.c - the stacks that threads run on.
 *
 * Room: runtime/, behind the seam. Any thread: what is mapped ahead, under the lock.
 * Touch freely: sizes.
 *
 * Stacks are our own mappings: 64 KiB of guard, the stack, and above it, out of reach of an
 * overflow, the record of its thread and the alternate stack on which faults are looked at. An idle process touches
 * two pages of it: libc's record and the thread-local variables are at the top, 4.4 KiB with what libc keeps free for
 * libraries to come, and below them some 2 KiB of frames. What else a thread needs for as long as it is there has
 * room on the first, beside libc's record. Where the kernel can mark pages as a guard
 * (6.13), neighbouring stacks are one mapping to it; else each is two. Measured: to map a stack, guard it
 * and touch it costs 4.7 us instead of 7.5, a tenth of a thread's start.
 *
 * Those of the usual size are mapped several at once. Each mmap grows the mapping in which other threads are just
 * touching their first pages, and these wait for it meanwhile: mapped one by one, the same starts took 39 to 100
 * us beside 29 to 37.
 */
#include "runtime/thread_stack.h"

#include "runtime/alloc.h"
#include "runtime/thread.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    GUARD_SIZE = 64 * 1024,
    ALTERNATE_SIZE = 64 * 1024,
    LEAST_STACK = 64 * 1024,
    KEPT_STACK = 16 * 1024, /* of a sleeper's stack, what is not given back */
    AHEAD = 15,             /* stacks that are mapped together with one */
};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define SANITIZER_STACK (512 * 1024) /* frames are larger */
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#  define SANITIZER_STACK (512 * 1024)
# endif
#endif
#ifndef SANITIZER_STACK
# define SANITIZER_STACK 0
#endif

_Static_assert(COPI_STACK_ROOM % 64 == 0, "the stack below it is aligned as one needs it");

static struct {
    copi_lock lock;
    char *mapping; /* for stacks of the usual size that nobody has used yet */
    size_t size;
} ahead = {.lock = COPI_LOCK_INIT};

static size_t static_tls; /* what libc takes of each stack for thread-local variables */

static int
add_tls(struct dl_phdr_info *info, size_t size, void *sum)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            *(size_t *)sum += info->dlpi_phdr[i].p_memsz + info->dlpi_phdr[i].p_align;
        }
    }
    return 0;
}

void
copi_stack_remember(void)
{
    dl_iterate_phdr(add_tls, &static_tls);
}

#ifndef MADV_GUARD_INSTALL
# define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static bool
make_guard(void *mapping)
{
    return madvise(mapping, GUARD_SIZE, MADV_GUARD_INSTALL) == 0
           || mprotect(mapping, GUARD_SIZE, PROT_NONE) == 0;
}

/* The system asks for more on some machines. */
static size_t
least_stack(void)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);
    return least > (long)LEAST_STACK ? (size_t)least : LEAST_STACK;
}

static char *
map_pages(size_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg ; without a file it has to be -1 */
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    return pages;
}

/* The highest of those that are there, as the kernel would. */
static char *
take_ahead(size_t size)
{
    char *mapping = NULL;
    copi_lock_take(&ahead.lock);
    if (ahead.size > 0) {
        ahead.size -= size;
        mapping = ahead.mapping + ahead.size;
    }
    copi_lock_give(&ahead.lock);
    return mapping;
}

/* In place of what is there; with 0 bytes, in place of everything. */
static void
keep_ahead(char *mapping, size_t size)
{
    copi_lock_take(&ahead.lock);
    char *before = ahead.mapping;
    size_t size_before = ahead.size;
    ahead.mapping = mapping;
    ahead.size = size;
    copi_lock_give(&ahead.lock);
    if (size_before > 0) {
        munmap(before, size_before);
    }
}

static char *
map_usual(size_t size)
{
    char *mapping = take_ahead(size);
    if (!mapping && (mapping = map_pages(size * (AHEAD + 1)))) {
        keep_ahead(mapping, size * AHEAD);
        mapping += size * AHEAD;
    }
    return mapping ? mapping : map_pages(size);
}

static void
measure(struct copi_stack *stack, size_t wanted)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    stack->is_small = wanted < COPI_STACK_USUAL;
    size_t size = wanted + static_tls + SANITIZER_STACK + COPI_STACK_ROOM;
    size = (size + page - 1) & ~(page - 1);
    stack->size = size - COPI_STACK_ROOM;
    stack->mapping_size = GUARD_SIZE + size + ALTERNATE_SIZE;
}

int
copi_stack_map(struct copi_stack *stack, size_t wanted)
{
    if (!copi_alloc_may()) {
        return -ENOMEM;
    }
    if (wanted > SIZE_MAX / 4) {
        return -EAGAIN;
    }
    size_t least = least_stack();
    bool is_usual = wanted == 0 || wanted == COPI_STACK_USUAL;
    measure(stack, is_usual ? COPI_STACK_USUAL : wanted < least ? least : wanted);
    stack->mapping = (is_usual ? map_usual : map_pages)(stack->mapping_size);
    if (!stack->mapping) {
        return -EAGAIN;
    }
    if (!make_guard(stack->mapping)) {
        copi_stack_unmap(stack);
        return -EAGAIN;
    }
    return 0;
}

void
copi_stack_unmap(const struct copi_stack *stack)
{
    munmap(stack->mapping, stack->mapping_size);
}

void
copi_stack_unmap_ahead(void)
{
    keep_ahead(NULL, 0);
}

void *
copi_stack_room(const struct copi_stack *stack)
{
    return stack->mapping + GUARD_SIZE + stack->size;
}

int
copi_stack_describe(const struct copi_stack *stack, pthread_attr_t *attributes)
{
    return pthread_attr_setstack(attributes, stack->mapping + GUARD_SIZE, stack->size);
}

void
copi_stack_guard(const struct copi_stack *stack, const void **low, const void **high)
{
    *low = stack->mapping;
    *high = stack->mapping + GUARD_SIZE;
}

void
copi_stack_use_alternate(const struct copi_stack *stack, stack_t *before)
{
    stack_t alternate = {
        .ss_sp = stack->mapping + stack->mapping_size - ALTERNATE_SIZE,
        .ss_size = ALTERNATE_SIZE,
    };
    sigaltstack(&alternate, before);
}

void
copi_stack_trim(const struct copi_stack *stack)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t low = (uintptr_t)stack->mapping + GUARD_SIZE;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t keep = (here - KEPT_STACK) & ~(page - 1);
    if (here > low && here < low + stack->size && keep > low && keep < here) {
        madvise((void *)low, keep - low, MADV_DONTNEED);
    }
}
