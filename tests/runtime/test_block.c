/*
 * tests/runtime/test_block.c - memory of the library's own that comes and goes by the million.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/block.h"
#include "tests/support/support.h"

#include <pthread.h>

static const size_t sizes[] = {0,   1,   8,   16,  24,   100,  300,   400,
                               900, 975, 976, 977, 1024, 5000, 100000};
enum {
    SIZES = sizeof sizes / sizeof *sizes,
    MANY = 1000
};

static size_t
alive(const char *what)
{
    cop_live_count counts[64];
    size_t n = cop_live(counts, 64);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(counts[i].kind, what) == 0) {
            return counts[i].count;
        }
    }
    ck_abort_msg("there is no such kind: %s", what);
}

TEST(a_test_can_make_a_block_fail)
{
    copi_alloc_fail_after(1);
    void *block = copi_block_new(100);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(copi_block_new(100));
    ck_assert_ptr_null(copi_block_new(5000));
    copi_alloc_fail_after(-1);
    copi_block_free(block);
}

#if !TEST_SANITIZED /* a sanitizer takes it for a mistake */
TEST(a_size_that_cannot_be_is_no_block)
{
    volatile size_t too_much = SIZE_MAX;
    for (size_t i = 0; i < 40; i++) {
        ck_assert_ptr_null(copi_block_new(too_much - i));
    }
}
#endif

TEST(nothing_may_be_freed)
{
    copi_block_free(NULL);
}

TEST(a_block_of_any_size_is_aligned_and_all_its_own)
{
    unsigned char *blocks[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        blocks[i] = copi_block_new(sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            ck_assert_uint_eq(blocks[i][at], i + 1);
        }
        copi_block_free(blocks[i]);
    }
}

TEST(a_block_is_no_message)
{
    cop_self();
    size_t messages = alive("messages");
    void *block = copi_block_new(100);
    ck_assert_uint_eq(alive("messages"), messages);
    copi_block_free(block);
    ck_assert_uint_eq(alive("messages"), messages);
}

static void *
free_many(void *blocks)
{
    for (int i = 0; i < MANY; i++) {
        copi_block_free(((void **)blocks)[i]);
    }
    return NULL;
}

TEST(blocks_that_another_thread_has_freed_are_used_again)
{
    void *blocks[MANY];
    uintptr_t lowest = UINTPTR_MAX, highest = 0;
    pthread_t thread;
    cop_self(); /* who is no process has no pool */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            blocks[i] = copi_block_new(100);
            uintptr_t at = (uintptr_t)blocks[i];
            if (round == 0) {
                lowest = at < lowest ? at : lowest;
                highest = at > highest ? at : highest;
            }
            ck_assert(at >= lowest && at <= highest);
        }
        ck_assert_int_eq(pthread_create(&thread, NULL, free_many, blocks), 0);
        pthread_join(thread, NULL);
    }
}

SUITE("block")
