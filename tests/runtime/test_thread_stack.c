/*
 * tests/runtime/test_thread_stack.c - the stacks that threads run on.
 *
 * Room: tests/. What threads do with them: test_thread.c.
 */
#include "runtime/alloc.h"
#include "runtime/thread_stack.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct copi_stack
map(size_t wanted)
{
    struct copi_stack stack;
    ck_assert_int_eq(copi_stack_map(&stack, wanted), 0);
    return stack;
}

static void
give_back(struct copi_stack stack)
{
    copi_stack_unmap(&stack);
    copi_stack_unmap_ahead();
}

static bool
is_mapped(const char *at)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    union {
        uintptr_t number;
        void *page;
    } begin = {(uintptr_t)at & ~(page - 1)};
    unsigned char resident;
    return mincore(begin.page, 1, &resident) == 0;
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_stack_of_absurd_size_is_refused)
{
    struct copi_stack stack;
    ck_assert_int_eq(copi_stack_map(&stack, SIZE_MAX), -EAGAIN);
    ck_assert_int_eq(copi_stack_map(&stack, (size_t)1 << 48),
                     -EAGAIN); /* no address reaches there */
}

TEST(without_memory_there_is_no_stack)
{
    struct copi_stack stack;
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_stack_map(&stack, 0), -ENOMEM);
    copi_alloc_fail_after(-1);
}

#if !TEST_SANITIZED /* they map and protect memory of their own */
TEST(a_stack_that_cannot_be_guarded_is_none)
{
    struct copi_stack stack;
    test_refuse_system_call(SYS_madvise, EINVAL);
    test_refuse_system_call(SYS_mprotect, ENOMEM);
    ck_assert_int_eq(copi_stack_map(&stack, 0), -EAGAIN);
    copi_stack_unmap_ahead();
}

static size_t
address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1); /* NOLINT(cert-err34-c) */
    ck_assert_int_eq(fclose(file), 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(where_there_is_room_for_one_stack_only_one_is_mapped)
{
    struct rlimit limit = {.rlim_cur = address_space() + (1 << 20), .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    struct copi_stack stack = map(0), another;
    int r = 0;
    while (r == 0) { /* the rest of the megabyte */
        r = copi_stack_map(&another, 0);
    }
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert(is_mapped(stack.mapping));
}
#endif

/* ---------------------------------------------------------------- what it is like */

TEST(a_stack_is_as_large_as_is_wanted_or_as_the_system_needs)
{
    struct copi_stack usual = map(0), least = map(1), large = map((size_t)1 << 20);
    ck_assert_uint_ge(usual.size, COPI_STACK_USUAL);
    ck_assert(!usual.is_small && !large.is_small);
    ck_assert_int_ge((long)least.size, sysconf(_SC_THREAD_STACK_MIN));
    ck_assert(least.is_small);
    ck_assert_uint_ge(large.size, (size_t)1 << 20);
    give_back(usual);
    give_back(least);
    give_back(large);
}

/* The kernel cannot read its first byte for us, nor its last, but the one above: how many are so. */
static int
look_at_guard(const struct copi_stack *stack)
{
    const void *low, *high;
    int pipe_ends[2];
    copi_stack_guard(stack, &low, &high);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    int as_promised = write(pipe_ends[1], low, 1) < 0 && errno == EFAULT;
    as_promised += write(pipe_ends[1], (const char *)high - 1, 1) < 0 && errno == EFAULT;
    as_promised += write(pipe_ends[1], high, 1) == 1;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return as_promised;
}

TEST(nothing_can_be_reached_in_the_guard)
{
    struct copi_stack stack = map(0);
    ck_assert_int_eq(look_at_guard(&stack), 3);
    give_back(stack);
}

TEST(a_kernel_that_knows_no_guard_pages_protects_them)
{
    test_refuse_system_call(SYS_madvise, EINVAL);
    struct copi_stack stack = map(0);
    ck_assert_int_eq(look_at_guard(&stack), 3);
    give_back(stack);
}

TEST(the_stack_of_a_thread_lies_between_the_guard_and_the_room_below_the_alternate_one)
{
    struct copi_stack stack = map(0);
    pthread_attr_t attributes;
    const void *low, *high;
    void *at;
    size_t size;
    copi_stack_guard(&stack, &low, &high);
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(copi_stack_describe(&stack, &attributes), 0);
    ck_assert_int_eq(pthread_attr_getstack(&attributes, &at, &size), 0);
    ck_assert_ptr_eq(at, high);
    ck_assert_uint_eq(size, stack.size);
    stack_t before, alternate;
    copi_stack_use_alternate(&stack, &before);
    sigaltstack(&before, &alternate);
    ck_assert(copi_stack_room(&stack) == (char *)at + size);
    ck_assert(alternate.ss_sp == (char *)at + size + COPI_STACK_ROOM);
    ck_assert((char *)alternate.ss_sp + alternate.ss_size == stack.mapping + stack.mapping_size);
    pthread_attr_destroy(&attributes);
    give_back(stack);
}

TEST(the_room_for_a_record_is_empty_and_on_the_page_of_the_top_of_the_stack)
{
    static const char nothing[COPI_STACK_ROOM];
    struct copi_stack stack = map(0);
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
                    room = (uintptr_t)copi_stack_room(&stack);
    ck_assert_mem_eq(copi_stack_room(&stack), nothing, sizeof nothing);
    ck_assert_uint_eq((room + COPI_STACK_ROOM) % page, 0);
    give_back(stack);
}

/* ---------------------------------------------------------------- ahead */

TEST(the_next_stacks_are_mapped_with_the_first_and_lie_below_it)
{
    struct copi_stack first = map(0), second = map(0);
    ck_assert_ptr_eq(second.mapping + second.mapping_size, first.mapping);
    ck_assert(is_mapped(second.mapping - 1));
    copi_stack_unmap(&first);
    give_back(second);
}

TEST(who_wants_another_size_has_a_mapping_of_its_own)
{
    struct copi_stack usual = map(0), other = map((size_t)1 << 20), next = map(0);
    ck_assert_ptr_eq(next.mapping + next.mapping_size, usual.mapping);
    copi_stack_unmap(&usual);
    copi_stack_unmap(&other);
    give_back(next);
}

TEST(what_was_mapped_ahead_goes_back_and_what_is_used_stays)
{
    struct copi_stack stack = map(0);
    ck_assert(is_mapped(stack.mapping - 1));
    copi_stack_unmap_ahead();
    ck_assert(!is_mapped(stack.mapping - 1));
    ck_assert(is_mapped(stack.mapping));
    copi_stack_unmap_ahead(); /* nothing is there */
    give_back(stack);
}

SUITE("thread stack")
