/*
 * tests/demos/test_table.c - keys and their values.
 *
 * Room: tests/. Linked with demos/kv/table.c.
 */
#include "demos/kv/table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static cop_bytes
bytes(const char *text)
{
    return (cop_bytes){text, strlen(text)};
}

static void
expect_value(const struct table *t, const char *key, const char *value)
{
    cop_bytes found;
    ck_assert(table_get(t, bytes(key), &found));
    ck_assert_uint_eq(found.size, strlen(value));
    ck_assert_mem_eq(found.data, value, found.size);
}

START_TEST(finds_nothing_in_an_empty_table)
{
    struct table t = {0};
    cop_bytes found;
    ck_assert(!table_get(&t, bytes("a"), &found));
    ck_assert(!table_delete(&t, bytes("a")));
    table_clear(&t);
    ck_assert_uint_eq(t.count, 0);
}
END_TEST

START_TEST(tells_keys_apart_by_every_byte)
{
    struct table t = {0};
    cop_bytes found;
    ck_assert_int_eq(table_put(&t, (cop_bytes){"a\0b", 3}, bytes("1")), 0);
    ck_assert_int_eq(table_put(&t, (cop_bytes){"a\0c", 3}, bytes("2")), 0);
    ck_assert_int_eq(table_put(&t, (cop_bytes){"a", 1}, bytes("3")), 0);
    ck_assert_int_eq(table_put(&t, (cop_bytes){"", 0}, bytes("4")), 0);
    ck_assert_uint_eq(t.count, 4);
    ck_assert(table_get(&t, (cop_bytes){"a\0c", 3}, &found));
    ck_assert_mem_eq(found.data, "2", 1);
    expect_value(&t, "", "4");
    table_clear(&t);
}
END_TEST

START_TEST(keeps_the_last_value_of_a_key_whatever_its_size)
{
    struct table t = {0};
    char *large = malloc(100000);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', 99999);
    large[99999] = '\0';
    const char *values[] = {"1", "", large, "2", "a longer one", "", large};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        ck_assert_int_eq(table_put(&t, bytes("key"), bytes(values[i])), 0);
        expect_value(&t, "key", values[i]);
    }
    ck_assert_uint_eq(t.count, 1);
    table_clear(&t);
    free(large);
}
END_TEST

START_TEST(forgets_a_deleted_key_and_no_other)
{
    struct table t = {0};
    cop_bytes found;
    char key[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        ck_assert_int_eq(table_put(&t, bytes(key), bytes(key)), 0);
    }
    for (int i = 0; i < 1000; i += 2) {
        (void)snprintf(key, sizeof key, "%d", i);
        ck_assert(table_delete(&t, bytes(key)));
        ck_assert(!table_delete(&t, bytes(key)));
    }
    ck_assert_uint_eq(t.count, 500);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        ck_assert_int_eq(table_get(&t, bytes(key), &found), i % 2);
    }
    table_clear(&t);
}
END_TEST

static void
append_key(cop_bytes key, void *env)
{
    char *all = env;
    memcpy(all + strlen(all), key.data, key.size);
}

START_TEST(lists_its_keys_in_order)
{
    struct table t = {0};
    char all[16] = "";
    static const char *const keys[] = {"d", "a", "cc", "c", "b"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ck_assert_int_eq(table_put(&t, bytes(keys[i]), bytes("")), 0);
    }
    table_each_key(&t, append_key, all);
    ck_assert_str_eq(all, "abcccd");
    table_clear(&t);
    all[0] = '\0';
    table_each_key(&t, append_key, all);
    ck_assert_str_eq(all, "");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("table");
    TCase *tests = tcase_create("table");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, finds_nothing_in_an_empty_table);
    tcase_add_test(tests, tells_keys_apart_by_every_byte);
    tcase_add_test(tests, keeps_the_last_value_of_a_key_whatever_its_size);
    tcase_add_test(tests, forgets_a_deleted_key_and_no_other);
    tcase_add_test(tests, lists_its_keys_in_order);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
