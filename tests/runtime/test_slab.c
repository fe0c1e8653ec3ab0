/*
 * tests/runtime/test_slab.c - slabs: the memory that messages are cut from.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/slab.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    IN_REGION = 32,
    MANY = 100
};

struct held {
    unsigned char *slab;
    struct copi_region *of;
};

static struct held
take(bool in_bulk)
{
    struct held held;
    held.slab = copi_slab_take(in_bulk, &held.of);
    ck_assert_ptr_nonnull(held.slab);
    return held;
}

static void
give(struct held held)
{
    copi_slab_give(held.of, held.slab);
}

static uintptr_t
region_at(const void *at)
{
    return (uintptr_t)at / COPI_SLAB_SIZE / IN_REGION;
}

/* ---------------------------------------------------------------- none to be had */

TEST(a_test_can_make_a_slab_fail)
{
    struct held first = take(false);
    struct copi_region *of;
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_slab_take(false, &of)); /* though there are spare ones */
    ck_assert_ptr_null(copi_slab_take(true, &of));
    copi_alloc_fail_after(-1);
    ck_assert_uint_eq(copi_slabs_taken(), 1);
    give(first);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they map all they can */
TEST(where_the_system_has_no_memory_there_is_no_slab_and_later_there_is)
{
    struct rlimit before, none = {0};
    struct copi_region *of;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    void *ordinary = copi_slab_take(false, &of), *bulk = copi_slab_take(true, &of);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    ck_assert_ptr_null(ordinary);
    ck_assert_ptr_null(bulk);
    ck_assert_uint_eq(copi_slabs_taken(), 0);
    give(take(false));
    give(take(true));
}
#endif

/* ---------------------------------------------------------------- taken */

static void
check_many(bool in_bulk)
{
    struct held held[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        held[i] = take(in_bulk);
        ck_assert_uint_eq((uintptr_t)held[i].slab % COPI_SLAB_SIZE, 0);
        memset(held[i].slab, (int)i, COPI_SLAB_SIZE);
    }
    unsigned wrong = 0;
    for (unsigned i = 0; i < MANY; i++) {
        wrong += held[i].slab[0] != i || held[i].slab[COPI_SLAB_SIZE - 1] != i;
        give(held[i]);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(copi_slabs_taken(), 0);
}

TEST(each_slab_is_aligned_to_its_size_and_nobody_elses)
{
    check_many(false);
}

TEST(each_slab_in_bulk_too)
{
    check_many(true);
}

TEST(what_is_in_bulk_shares_no_region_with_what_is_not)
{
    struct held small = take(false), large = take(true), next = take(false), last = take(true);
    ck_assert_uint_eq(region_at(small.slab), region_at(next.slab));
    ck_assert_uint_eq(region_at(large.slab), region_at(last.slab));
    ck_assert_uint_ne(region_at(small.slab), region_at(large.slab));
    give(small), give(large), give(next), give(last);
}

/* ---------------------------------------------------------------- given back */

static bool
is_mapped(void *slab)
{
    unsigned char pages[COPI_SLAB_SIZE / 4096];
    return mincore(slab, COPI_SLAB_SIZE, pages) == 0;
}

static unsigned
resident_pages(void *slab)
{
    unsigned char pages[COPI_SLAB_SIZE / 4096] = {0};
    unsigned resident = 0;
    ck_assert_int_eq(mincore(slab, COPI_SLAB_SIZE, pages), 0);
    for (size_t i = 0; i < sizeof pages; i++) {
        resident += pages[i] & 1;
    }
    return resident;
}

static void
check_pages_of_one_that_is_given_back(bool in_bulk)
{
    struct held kept = take(in_bulk), given = take(in_bulk);
    memset(kept.slab, 1, COPI_SLAB_SIZE);
    memset(given.slab, 1, COPI_SLAB_SIZE);
    ck_assert_uint_gt(resident_pages(given.slab), 0);
    give(given);
    ck_assert_uint_eq(resident_pages(given.slab), 0);
    unsigned wrong = 0;
    for (unsigned i = 0; i < COPI_SLAB_SIZE; i++) {
        wrong += kept.slab[i] != 1;
    }
    ck_assert_uint_eq(wrong, 0);
    struct held again = take(in_bulk);
    ck_assert_ptr_eq(again.slab, given.slab);
    memset(again.slab, 2, COPI_SLAB_SIZE);
    give(again), give(kept);
}

TEST(the_pages_of_a_slab_that_is_given_back_are_the_systems)
{
    check_pages_of_one_that_is_given_back(false);
}

TEST(and_those_of_one_in_bulk)
{
    check_pages_of_one_that_is_given_back(true);
}

TEST(a_region_stays_while_one_of_its_slabs_is_taken_and_goes_with_the_last)
{
    struct held held[IN_REGION + 1];
    for (unsigned i = 0; i <= IN_REGION; i++) {
        held[i] = take(i % 2 == 0);
    }
    for (unsigned i = 1; i <= IN_REGION; i++) {
        give(held[i]);
    }
    ck_assert(is_mapped(held[0].slab));
    ck_assert(!is_mapped(held[1].slab));
    give(held[0]);
    ck_assert(!is_mapped(held[0].slab));
}

TEST(a_region_that_was_full_has_room_again)
{
    struct held held[IN_REGION];
    for (unsigned i = 0; i < IN_REGION; i++) {
        held[i] = take(false);
    }
    struct held beyond = take(false);
    ck_assert_uint_ne(region_at(beyond.slab), region_at(held[0].slab));
    give(held[7]);
    held[7] = take(false);
    ck_assert_uint_eq(region_at(held[7].slab), region_at(held[0].slab));
    give(beyond);
    for (unsigned i = 0; i < IN_REGION; i++) {
        give(held[i]);
    }
}

/* ---------------------------------------------------------------- by many at once */

enum {
    THREADS = 4,
    ROUNDS = 100,
    AT_ONCE = 20
};

static void *
take_and_give(void *arg)
{
    unsigned char mark = *(unsigned char *)arg;
    struct held held[AT_ONCE];
    unsigned wrong = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            held[i].slab = copi_slab_take(i % 3 == 0, &held[i].of);
            held[i].slab[i] = mark;
        }
        for (unsigned i = 0; i < AT_ONCE; i++) {
            wrong += held[i].slab[i] != mark;
            give(held[i]);
        }
    }
    *(unsigned char *)arg = wrong == 0;
    return NULL;
}

TEST(threads_take_and_give_at_once_and_each_has_its_own)
{
    pthread_t threads[THREADS];
    unsigned char marks[THREADS] = {11, 12, 13, 14};
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, &marks[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(marks[i], 1);
    }
    ck_assert_uint_eq(copi_slabs_taken(), 0);
}

SUITE("slab")
