/*
 * tests/runtime/test_map.c - a table from numbers to pointers.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/map.h"
#include "tests/support/support.h"

static struct copi_map map;
static int things[100000];

TEST(an_empty_one_has_nothing)
{
    ck_assert_ptr_null(copi_map_get(&map, 1));
    copi_map_remove(&map, 1);
    copi_map_clear(&map);
}

TEST(what_was_put_is_found_until_it_is_removed)
{
    ck_assert(copi_map_put(&map, 7, &things[7]));
    ck_assert(copi_map_put(&map, UINT64_MAX - 1, &things[8]));
    ck_assert_ptr_eq(copi_map_get(&map, 7), &things[7]);
    ck_assert_ptr_eq(copi_map_get(&map, UINT64_MAX - 1), &things[8]);
    copi_map_remove(&map, 7);
    copi_map_remove(&map, 9);
    ck_assert_ptr_null(copi_map_get(&map, 7));
    ck_assert_ptr_eq(copi_map_get(&map, UINT64_MAX - 1), &things[8]);
    copi_map_clear(&map);
    ck_assert_ptr_null(copi_map_get(&map, UINT64_MAX - 1));
}

TEST(a_key_is_put_once)
{
    ck_assert(copi_map_put(&map, 7, &things[7]));
    ck_assert(!copi_map_put(&map, 7, &things[8]));
    ck_assert_ptr_eq(copi_map_get(&map, 7), &things[7]);
    copi_map_clear(&map);
}

TEST(the_numbers_at_both_ends_are_no_keys)
{
    ck_assert(copi_map_put(&map, 7, &things[7]));
    copi_map_remove(&map, 7);
    for (uint64_t key = UINT64_MAX; key == UINT64_MAX || key == 0; key++) {
        ck_assert(!copi_map_put(&map, key, &things[7]));
        copi_map_remove(&map, key);
        ck_assert_ptr_null(copi_map_get(&map, key));
    }
    copi_map_clear(&map);
}

static int
put_a_thousand(void *arg)
{
    (void)arg;
    int r = 0;
    for (uint64_t key = 1; key <= 1000 && r == 0; key++) {
        r = copi_map_put(&map, key, &things[key]) ? 0 : -ENOMEM;
        for (uint64_t there = 1; there < key + (r == 0); there += 97) {
            ck_assert_ptr_eq(copi_map_get(&map, there), &things[there]);
        }
    }
    copi_map_clear(&map);
    return r;
}

TEST(without_memory_nothing_is_put_and_nothing_lost)
{
    int result;
    ck_assert_uint_ge(test_out_of_memory(put_a_thousand, NULL, &result), 2);
    ck_assert_int_eq(result, 0);
}

TEST(many_come_and_go)
{
    enum {
        AT_A_TIME = 1000
    };
    for (uint64_t key = 1; key < 100000; key++) {
        ck_assert(copi_map_put(&map, key << 20, &things[key]));
        if (key > AT_A_TIME) {
            copi_map_remove(&map, (key - AT_A_TIME) << 20);
        }
    }
    for (uint64_t key = 1; key < 100000; key++) {
        void *wanted = key >= 100000 - AT_A_TIME ? &things[key] : NULL;
        ck_assert_ptr_eq(copi_map_get(&map, key << 20), wanted);
    }
    copi_map_clear(&map);
}

TEST(what_was_large_gives_its_memory_back_when_its_keys_have_gone)
{
    enum {
        MOST = 50000
    };
    for (uint64_t key = 1; key < MOST; key++) {
        ck_assert(copi_map_put(&map, key << 20, &things[key]));
    }
    size_t large = test_allocated();
    for (uint64_t key = 1; key < MOST - 1; key++) {
        copi_map_remove(&map, key << 20);
    }
    for (uint64_t key = 1; key < 100; key++) { /* as many as there were have been removed */
        ck_assert(copi_map_put(&map, key << 20, &things[key]));
        copi_map_remove(&map, key << 20);
    }
    ck_assert_ptr_eq(copi_map_get(&map, (uint64_t)(MOST - 1) << 20), &things[MOST - 1]);
    if (!TEST_SANITIZED) {
        ck_assert_uint_lt(test_allocated(), large / 2);
    }
    copi_map_clear(&map);
}

TEST(without_memory_to_be_made_anew_it_goes_on_as_it_is)
{
    enum {
        LEFT = 100
    };
    for (uint64_t key = 1; key <= LEFT; key++) {
        ck_assert(copi_map_put(&map, key, &things[key]));
    }
    copi_alloc_fail_after(0);
    for (uint64_t key = LEFT + 1; key < 10000; key++) {
        copi_map_remove(&map, LEFT);
        ck_assert(copi_map_put(&map, LEFT, &things[key]));
        ck_assert_ptr_eq(copi_map_get(&map, LEFT), &things[key]);
    }
    copi_alloc_fail_after(-1);
    for (uint64_t key = 1; key < LEFT; key++) {
        ck_assert_ptr_eq(copi_map_get(&map, key), &things[key]);
    }
    copi_map_clear(&map);
}

SUITE("map")
