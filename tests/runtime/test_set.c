/*
 * tests/runtime/test_set.c - a set of objects that are found by a key of bytes.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/set.h"
#include "tests/support/support.h"

enum {
    MANY = 5000
};

struct object {
    struct copi_set_member member;
    int number;
    bool seen;
};

static struct object objects[MANY];
static struct copi_set set;

static struct object *
make(int number)
{
    struct object *object = &objects[number];
    object->number = number;
    object->member.key = COP_BYTES(object->number);
    object->member.hash = copi_hash(object->member.key, 1);
    return object;
}

static struct object *
find(int number)
{
    cop_bytes key = COP_BYTES(number);
    return (struct object *)copi_set_find(&set, copi_hash(key, 1), key);
}

TEST(an_empty_set_has_nothing)
{
    struct copi_set_cursor cursor = {0};
    copi_set_init(&set);
    ck_assert_ptr_null(find(1));
    ck_assert_ptr_null(copi_set_next(&set, &cursor));
    copi_set_clear(&set);
}

static int
add_one(void *object)
{
    return copi_set_add(&set, object);
}

TEST(without_memory_nothing_is_added)
{
    int result;
    copi_set_init(&set);
    ck_assert_uint_ge(test_out_of_memory(add_one, &make(1)->member, &result), 1);
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(set.count, 1);
    for (int i = 2; i < 100; i++) { /* it grows on the way */
        test_out_of_memory(add_one, &make(i)->member, &result);
        ck_assert_int_eq(result, 0);
    }
    for (int i = 1; i < 100; i++) {
        ck_assert_ptr_eq(find(i), &objects[i]);
    }
    copi_set_clear(&set);
    ck_assert_ptr_null(find(1));
}

TEST(members_come_and_go_and_are_told_apart)
{
    copi_set_init(&set);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            ck_assert_int_eq(copi_set_add(&set, &make(i)->member), 0);
        }
        for (int i = 0; i < MANY; i += 2) {
            copi_set_remove(&set, &objects[i].member);
        }
        ck_assert_uint_eq(set.count, MANY / 2);
        for (int i = 0; i < MANY; i++) {
            ck_assert_ptr_eq(find(i), i % 2 ? &objects[i] : NULL);
        }
        for (int i = 1; i < MANY; i += 2) {
            copi_set_remove(&set, &objects[i].member);
        }
        ck_assert_uint_eq(set.count, 0);
    }
}

TEST(keys_of_the_same_hash_are_told_apart)
{
    struct object same[4] = {{.number = 0}};
    copi_set_init(&set);
    for (int i = 0; i < 4; i++) {
        same[i].number = i;
        same[i].member = (struct copi_set_member){.hash = 1, .key = COP_BYTES(same[i].number)};
        ck_assert_int_eq(copi_set_add(&set, &same[i].member), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_eq(copi_set_find(&set, 1, COP_BYTES(i)), &same[i].member);
    }
    int longer[2] = {0};
    ck_assert_ptr_null(copi_set_find(&set, 1, COP_BYTES(longer)));
    ck_assert_ptr_null(copi_set_find(&set, 1, (cop_bytes){"", 0}));
    copi_set_clear(&set);
}

TEST(each_member_comes_once_and_may_be_removed_when_it_does)
{
    struct copi_set_cursor cursor = {0};
    copi_set_init(&set);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(copi_set_add(&set, &make(i)->member), 0);
    }
    unsigned count = 0;
    for (struct object *object; (object = (struct object *)copi_set_next(&set, &cursor));) {
        ck_assert(!object->seen);
        object->seen = true;
        count++;
        if (object->number % 2 && set.count > 1) {
            copi_set_remove(&set, &object->member);
        }
    }
    ck_assert_uint_eq(count, 100);
    ck_assert_uint_eq(set.count, 50);
    copi_set_clear(&set);
}

TEST(a_set_in_which_much_comes_and_goes_does_not_grow)
{
    copi_set_init(&set);
    ck_assert_int_eq(copi_set_add(&set, &make(0)->member), 0);
    for (int i = 0; i < 200000; i++) {
        struct object *object = make(1 + i % (MANY - 1));
        ck_assert_int_eq(copi_set_add(&set, &object->member), 0);
        copi_set_remove(&set, &object->member);
    }
    struct ck_hs_stat stat;
    ck_hs_stat(&set.table, &stat);
    ck_assert_uint_le(stat.probe_maximum, 64);
    ck_assert_ptr_eq(find(0), &objects[0]);
    copi_set_clear(&set);
}

TEST(a_search_does_not_pass_all_that_was_ever_removed)
{
    enum {
        LIVE = 2000
    };
    copi_set_init(&set);
    for (int i = 0; i < 200000; i++) {
        ck_assert_int_eq(copi_set_add(&set, &make(i % MANY)->member), 0);
        if (i >= LIVE) {
            copi_set_remove(&set, &objects[(i - LIVE) % MANY].member);
        }
    }
    struct ck_hs_stat stat;
    ck_hs_stat(&set.table, &stat);
    ck_assert_uint_eq(stat.n_entries, LIVE);
    ck_assert_uint_le(stat.probe_maximum, 24); /* 30, were it not made anew */
    copi_set_clear(&set);
}

TEST(another_seed_is_another_hash)
{
    ck_assert_uint_eq(copi_hash(COP_STR("k"), 1), copi_hash(COP_STR("k"), 1));
    ck_assert_uint_ne(copi_hash(COP_STR("k"), 1), copi_hash(COP_STR("k"), 2));
    ck_assert_uint_ne(copi_hash(COP_STR("k"), 1), copi_hash(COP_STR("l"), 1));
    ck_assert_uint_ne(copi_hash((cop_bytes){"\0", 1}, 1), copi_hash((cop_bytes){0}, 1));
}

SUITE("set")
