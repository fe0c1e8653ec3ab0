/*
 * tests/runtime/test_alloc.c - the wrapper round malloc, and the failures that it makes.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <pthread.h>

TEST(none_succeeds_after_none_is_allowed)
{
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_alloc(1));
    ck_assert_ptr_null(copi_zalloc(1));
    ck_assert_ptr_null(copi_realloc(NULL, 1));
    ck_assert_ptr_null(copi_aligned_alloc(64, 64));
    ck_assert_ptr_null(copi_strdup("text"));
}

TEST(as_many_succeed_as_are_allowed_and_then_none)
{
    copi_alloc_fail_after(2);
    void *a = copi_alloc(1), *b = copi_zalloc(1);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(copi_alloc(1));
    ck_assert_ptr_null(copi_alloc(1));
    free(a);
    free(b);
}

TEST(a_failed_realloc_leaves_the_memory_as_it_was)
{
    char *text = copi_strdup("kept");
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_realloc(text, 4096));
    copi_alloc_fail_after(-1);
    ck_assert_str_eq(text, "kept");
    free(text);
}

TEST(a_negative_count_ends_the_failing)
{
    copi_alloc_fail_after(0);
    copi_alloc_fail_after(-1);
    void *memory = copi_alloc(1);
    ck_assert_ptr_nonnull(memory);
    free(memory);
}

enum {
    THREADS = 4,
    ATTEMPTS = 1000,
    ALLOWED = 1500
};

static void *
count_successes(void *arg)
{
    unsigned *successes = arg;
    for (int i = 0; i < ATTEMPTS; i++) {
        void *memory = copi_alloc(8);
        *successes += memory != NULL;
        free(memory);
    }
    return NULL;
}

TEST(the_count_is_exact_when_many_threads_allocate)
{
    pthread_t threads[THREADS];
    unsigned successes[THREADS] = {0}, sum = 0;
    copi_alloc_fail_after(ALLOWED);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_successes, &successes[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += successes[i];
    }
    ck_assert_uint_eq(sum, ALLOWED);
}

TEST(nothing_at_all_is_memory_too)
{
    void *a = copi_alloc(0), *b = copi_zalloc(0), *c = copi_realloc(NULL, 0);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_nonnull(c);
    free(a);
    free(b);
    free(c);
}

TEST(zeroed_memory_is_zero)
{
    enum {
        SIZE = 4096
    };
    unsigned char *memory = copi_zalloc(SIZE);
    for (int i = 0; i < SIZE; i++) {
        ck_assert(memory[i] == 0);
    }
    free(memory);
}

TEST(aligned_memory_is_aligned)
{
    void *memory = copi_aligned_alloc(65536, 65536);
    ck_assert_uint_eq((uintptr_t)memory % 65536, 0);
    free(memory);
}

SUITE("alloc")
