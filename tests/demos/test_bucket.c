/*
 * tests/demos/test_bucket.c - errands and their answers, with a bucket that nobody supervises.
 *
 * Room: tests/. Linked with demos/kv's objects but main.o.
 */
#include "demos/kv/bucket.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE COP_SEC(20)

static cop_pid bucket;
static struct bucket_visit v;

static void
start_bucket(void)
{
    cop_child_spec child = bucket_child("box");
    cop_start_opts opts = {.size = sizeof opts, .arg = child.arg};
    ck_assert_int_eq(cop_agent_start_spec(&bucket, child.agent, &opts), 0);
}

/* Everything ends: the bucket's table, the visit's buffers, the library's threads. */
static void
stop_bucket(void)
{
    bucket_visit_free(&v);
    ck_assert_int_eq(cop_agent_stop(bucket, PATIENCE), 0);
    ck_assert_int_eq(cop_shutdown(PATIENCE), 0);
}

static cop_bytes
bytes(const char *text)
{
    return (cop_bytes){text, strlen(text)};
}

static void
add(enum bucket_verb verb, size_t count, const char *const *args)
{
    bucket_visit_add(&v, verb, count);
    for (size_t i = 0; i < count; i++) {
        bucket_visit_arg(&v, bytes(args[i]));
    }
}

#define ADD(verb, ...) \
 add((verb), sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

/* Make one visit, which must do all errands. */
static void
visit(void)
{
    size_t done = 0, pending = v.pending;
    ck_assert_int_eq(bucket_visit(bucket, &v, &done, PATIENCE), 0);
    ck_assert_uint_eq(done, pending);
    ck_assert_uint_eq(v.pending, 0);
}

static struct bucket_answer
expect_number(int64_t number)
{
    struct bucket_answer answer = bucket_visit_answer(&v);
    ck_assert_int_eq(answer.error, 0);
    ck_assert_int_eq(answer.number, number);
    return answer;
}

static void
expect_value(const char *text)
{
    cop_bytes value;
    ck_assert(bucket_visit_value(&v, &value));
    ck_assert_uint_eq(value.size, strlen(text));
    ck_assert_mem_eq(value.data, text, value.size);
}

START_TEST(says_when_the_bucket_is_gone)
{
    size_t done = 0;
    ck_assert_int_eq(cop_agent_stop(bucket, PATIENCE), 0);
    bucket_visit_add(&v, BUCKET_SIZE, 0);
    ck_assert_int_eq(bucket_visit(bucket, &v, &done, PATIENCE), -ESRCH);
    ck_assert_uint_eq(v.pending, 1);
    ck_assert_int_eq(bucket_crash(bucket, PATIENCE), -ESRCH);
}
END_TEST

START_TEST(crashes_when_asked_to)
{
    cop_ref ref = cop_monitor(bucket);
    cop_msg msg;
    ck_assert_int_eq(bucket_crash(bucket, PATIENCE), 0);
    ck_assert_int_eq(cop_receive(&msg, PATIENCE), 0);
    const struct cop_down *down = COP_BODY(msg, struct cop_down);
    ck_assert_uint_eq(down->ref.id, ref.id);
    ck_assert(cop_is_crash(down->reason));
}
END_TEST

START_TEST(refuses_to_count_what_is_no_number)
{
    static const char *const none[] = {
        "", " 1", "1 ", "+1", "01", "-0", "1.0", "0x1", "9223372036854775808", "a"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        bucket_visit_clear(&v);
        ADD(BUCKET_PUT, "n", none[i]);
        ADD(BUCKET_INCREMENT, "n");
        ADD(BUCKET_GET, "n");
        visit();
        expect_number(0);
        ck_assert_int_eq(bucket_visit_answer(&v).error, -EINVAL);
        expect_number(0);
        expect_value(none[i]);
    }
}
END_TEST

START_TEST(does_not_count_beyond_the_largest_number)
{
    ADD(BUCKET_PUT, "n", "9223372036854775806");
    ADD(BUCKET_INCREMENT, "n");
    ADD(BUCKET_INCREMENT, "n");
    ADD(BUCKET_GET, "n");
    visit();
    expect_number(0);
    expect_number(INT64_MAX);
    ck_assert_int_eq(bucket_visit_answer(&v).error, -ERANGE);
    expect_number(0);
    expect_value("9223372036854775807");
}
END_TEST

START_TEST(refuses_an_answer_that_is_too_large)
{
    /* One value of a megabyte, asked for more often than one answer may carry. */
    size_t size = (size_t)1 << 20, times = BUCKET_MAX_ANSWER / size;
    char *value = calloc(1, size);
    ck_assert_ptr_nonnull(value);
    bucket_visit_add(&v, BUCKET_PUT, 2);
    bucket_visit_arg(&v, bytes("k"));
    bucket_visit_arg(&v, (cop_bytes){value, size});
    bucket_visit_add(&v, BUCKET_GET, times);
    for (size_t i = 0; i < times; i++) {
        bucket_visit_arg(&v, bytes("k"));
    }
    ADD(BUCKET_EXISTS, "k");
    visit();
    expect_number(0);
    ck_assert_int_eq(bucket_visit_answer(&v).error, -EMSGSIZE);
    expect_number(1);
    free(value);
}
END_TEST

START_TEST(does_errands_in_order)
{
    ADD(BUCKET_PUT, "a", "1", "b", "2");
    ADD(BUCKET_GET, "a", "none", "b");
    ADD(BUCKET_INCREMENT, "a");
    ADD(BUCKET_EXISTS, "a", "a", "none");
    ADD(BUCKET_DELETE, "a", "a", "none");
    bucket_visit_add(&v, BUCKET_SIZE, 0);
    bucket_visit_add(&v, BUCKET_CLEAR, 0);
    bucket_visit_add(&v, BUCKET_SIZE, 0);
    visit();
    cop_bytes value;
    expect_number(0);
    ck_assert_uint_eq(expect_number(0).values, 3);
    expect_value("1");
    ck_assert(!bucket_visit_value(&v, &value));
    expect_value("2");
    expect_number(2);
    expect_number(2);
    expect_number(1);
    expect_number(1);
    expect_number(0);
    expect_number(0);
}
END_TEST

START_TEST(lists_the_keys_of_a_pattern_in_order)
{
    ADD(BUCKET_PUT, "b1", "", "a2", "", "b0", "", "a1", "");
    ADD(BUCKET_KEYS, "b*");
    visit();
    expect_number(0);
    ck_assert_uint_eq(expect_number(0).values, 2);
    expect_value("b0");
    expect_value("b1");
}
END_TEST

/* The answers of a first visit have little room; every errand must be done once all the same. */
START_TEST(comes_back_for_answers_that_have_no_room)
{
    char *large = malloc(300001);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', 300000);
    large[300000] = '\0';
    ADD(BUCKET_PUT, "large", large, "n", "0");
    visit();
    bucket_visit_clear(&v);

    for (int i = 0; i < 10; i++) {
        ADD(BUCKET_INCREMENT, "n");
        ADD(BUCKET_GET, "large");
    }
    int64_t counted = 0;
    size_t read = 0;
    while (v.pending > 0) {
        size_t done = 0;
        ck_assert_int_eq(bucket_visit(bucket, &v, &done, PATIENCE), 0);
        ck_assert_uint_gt(done, 0);
        for (; done > 0; done--) {
            if (read++ % 2 == 0) {
                expect_number(++counted);
            } else {
                ck_assert_uint_eq(expect_number(0).values, 1);
                expect_value(large);
            }
        }
    }
    ck_assert_uint_eq(read, 20);
    free(large);
}
END_TEST

START_TEST(does_thousands_of_errands)
{
    char key[32];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        ADD(BUCKET_PUT, key, key);
        ADD(BUCKET_GET, key);
    }
    size_t left = v.pending, read = 0;
    while (left > 0) {
        size_t done = 0;
        ck_assert_int_eq(bucket_visit(bucket, &v, &done, PATIENCE), 0);
        for (size_t i = 0; i < done; i++, read++) {
            expect_number(0);
            if (read % 2 == 1) {
                (void)snprintf(key, sizeof key, "k%zu", read / 2);
                expect_value(key);
            }
        }
        left -= done;
    }
    ck_assert_uint_eq(read, 10000);
}
END_TEST

START_TEST(takes_names_that_fit_a_line)
{
    ck_assert(bucket_name_valid(bytes("a")));
    ck_assert(bucket_name_valid(bytes("shopping-list_2.old:x")));
    ck_assert(!bucket_name_valid(bytes("")));
    ck_assert(!bucket_name_valid(bytes("two words")));
    ck_assert(!bucket_name_valid(bytes("a\n")));
    ck_assert(!bucket_name_valid(bytes("\xff")));
    ck_assert(!bucket_name_valid((cop_bytes){"a\0b", 3}));
    char name[BUCKET_NAME_MAX + 1];
    memset(name, 'a', sizeof name);
    ck_assert(bucket_name_valid((cop_bytes){name, BUCKET_NAME_MAX}));
    ck_assert(!bucket_name_valid((cop_bytes){name, BUCKET_NAME_MAX + 1}));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("bucket");
    TCase *tests = tcase_create("bucket");
    tcase_add_checked_fixture(tests, start_bucket, stop_bucket);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, says_when_the_bucket_is_gone);
    tcase_add_test(tests, crashes_when_asked_to);
    tcase_add_test(tests, refuses_to_count_what_is_no_number);
    tcase_add_test(tests, does_not_count_beyond_the_largest_number);
    tcase_add_test(tests, refuses_an_answer_that_is_too_large);
    tcase_add_test(tests, does_errands_in_order);
    tcase_add_test(tests, lists_the_keys_of_a_pattern_in_order);
    tcase_add_test(tests, comes_back_for_answers_that_have_no_room);
    tcase_add_test(tests, does_thousands_of_errands);
    tcase_add_test(tests, takes_names_that_fit_a_line);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
