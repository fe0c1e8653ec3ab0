/*
 * tests/actors/test_registrations.c - who is registered under which key, both ways round.
 *
 * Room: tests/. The pids never lived.
 */
#include "actors/registrations.h"
#include "runtime/alloc.h"
#include "tests/support/support.h"

static struct copi_registrations all;

struct wish {
    const char *key;
    uint64_t pid;
    int value;
};

static uint64_t
hash_of(const char *key)
{
    return copi_hash(COP_STR(key), 7);
}

static int
add(void *env)
{
    const struct wish *wish = env;
    struct copi_blob *key = copi_blob_new(COP_STR(wish->key));
    struct copi_blob *value = copi_blob_new(COP_BYTES(wish->value));
    int r = key && value
                ? copi_registrations_add(&all, hash_of(wish->key), key, (cop_pid){wish->pid}, value)
                : -ENOMEM;
    copi_blob_release(key);
    copi_blob_release(value);
    return r;
}

static void
must_add(const char *key, uint64_t pid, int value)
{
    ck_assert_int_eq(add(&(struct wish){key, pid, value}), 0);
}

static struct copi_key *
key_of(const char *key)
{
    return copi_registrations_key(&all, hash_of(key), COP_STR(key));
}

static struct copi_holder *
holder_of(uint64_t pid)
{
    return copi_registrations_holder(&all, (cop_pid){pid});
}

static int
value_of(const struct copi_registration *registration)
{
    int value;
    memcpy(&value, registration->value->bytes, sizeof value);
    return value;
}

TEST(without_memory_nothing_changes)
{
    int result;
    copi_registrations_init(&all);
    unsigned failed = test_out_of_memory(add, &(struct wish){"k", 1, 1}, &result);
    ck_assert_uint_ge(failed, 6); /* two blobs, three records, two tables */
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(key_of("k")->count, 1);
    ck_assert_uint_ge(test_out_of_memory(add, &(struct wish){"k", 2, 2}, &result), 3);
    ck_assert_uint_ge(test_out_of_memory(add, &(struct wish){"l", 1, 3}, &result), 3);
    ck_assert_uint_eq(key_of("k")->count, 2);
    ck_assert_uint_eq(holder_of(1)->count, 2);
    copi_registrations_clear(&all);
    ck_assert_ptr_null(key_of("k"));
}

TEST(keys_and_holders_go_with_their_last_registration)
{
    copi_registrations_init(&all);
    must_add("k", 1, 1);
    must_add("k", 2, 2);
    must_add("l", 1, 3);
    copi_registrations_remove(&all, copi_registrations_find(key_of("k"), holder_of(1)));
    ck_assert_uint_eq(key_of("k")->count, 1);
    ck_assert_uint_eq(holder_of(1)->count, 1);
    copi_registrations_remove(&all, copi_registrations_find(key_of("k"), holder_of(2)));
    ck_assert_ptr_null(key_of("k"));
    ck_assert_ptr_null(holder_of(2));
    copi_registrations_remove(&all, copi_registrations_find(key_of("l"), holder_of(1)));
    ck_assert_ptr_null(holder_of(1));
    copi_registrations_clear(&all);
}

TEST(the_oldest_of_a_holder_under_a_key_is_found_by_either_list)
{
    copi_registrations_init(&all);
    must_add("k", 1, 10);
    must_add("k", 1, 11);
    for (uint64_t pid = 2; pid < 9; pid++) {
        must_add("k", pid, 0); /* a long key, a short holder */
    }
    ck_assert_int_eq(value_of(copi_registrations_find(key_of("k"), holder_of(1))), 10);
    const char *keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "m", "n"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        must_add(keys[i], 1, 0); /* and the other way round */
    }
    ck_assert_int_eq(value_of(copi_registrations_find(key_of("k"), holder_of(1))), 10);
    ck_assert_ptr_null(copi_registrations_find(key_of("a"), holder_of(2)));
    for (uint64_t pid = 2; pid < 4; pid++) {
        for (size_t i = 1; i < sizeof keys / sizeof *keys; i++) {
            must_add(keys[i], pid, (int)pid); /* not under the first key */
        }
    }
    ck_assert_int_eq(value_of(copi_registrations_find(key_of("b"), holder_of(3))), 3);
    ck_assert_ptr_null(copi_registrations_find(key_of("a"), holder_of(3)));
    ck_assert_ptr_null(
        copi_registrations_find(key_of("k"), &(struct copi_holder){.all = {NULL, NULL}}));
    copi_registrations_clear(&all);
}

TEST(registrations_come_oldest_first)
{
    copi_registrations_init(&all);
    int next = 0;
    for (int i = 0; i < 10; i++) {
        must_add("k", (uint64_t)(1 + i % 3), i);
    }
    for (const struct copi_registration *one = copi_first_under(key_of("k")); one;
         one = copi_next_under(one)) {
        ck_assert_int_eq(value_of(one), next++);
    }
    ck_assert_int_eq(next, 10);
    ck_assert_int_eq(value_of(copi_newest_of(holder_of(1))), 9);
    copi_registrations_clear(&all);
}

TEST(going_through_all_of_them_finds_each_once)
{
    struct copi_set_cursor keys = {0}, holders = {0};
    unsigned key_count = 0, holder_count = 0;
    copi_registrations_init(&all);
    ck_assert_ptr_null(copi_registrations_next(&all, &keys));
    must_add("a", 1, 0);
    must_add("b", 1, 0);
    must_add("b", 2, 0);
    for (keys = (struct copi_set_cursor){0}; copi_registrations_next(&all, &keys);) {
        key_count++;
    }
    while (copi_registrations_next_holder(&all, &holders)) {
        holder_count++;
    }
    ck_assert_uint_eq(key_count, 2);
    ck_assert_uint_eq(holder_count, 2);
    copi_registrations_clear(&all);
}

SUITE("registrations")
