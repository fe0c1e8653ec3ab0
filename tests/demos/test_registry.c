/*
 * tests/demos/test_registry.c - names of buckets, while buckets and the registry itself crash.
 *
 * Room: tests/. Linked with demos/kv's objects but main.o.
 */
#include "demos/kv/registry.h"

#include <check.h>
#include <stdio.h>

#define PATIENCE COP_SEC(20)

static cop_pid tree;

static int
start_tree(void)
{
    const cop_child_spec fruit = bucket_child("fruit");
    const cop_supervisor_spec buckets = {
        .name = BUCKET_SUPERVISOR,
        .children = &fruit,
        .child_count = 1,
        .max_restarts = 20,
        .max_seconds = 60,
    };
    const cop_supervisor_spec root = {
        .strategy = COP_REST_FOR_ONE,
        COP_CHILDREN({.id = "buckets", .supervisor = &buckets},
                     {.id = "registry", .name = REGISTRY, .genserver = &registry}),
    };
    return cop_supervisor_start(&tree, &root);
}

static void
setup(void)
{
    ck_assert_int_eq(start_tree(), 0);
}

static void
teardown(void)
{
    ck_assert_int_eq(cop_supervisor_stop(tree, PATIENCE), 0);
    ck_assert_int_eq(cop_shutdown(PATIENCE), 0);
}

static cop_pid
lookup(const char *name, cop_pid stale)
{
    cop_pid pid = COP_NOBODY;
    ck_assert_int_eq(registry_lookup(name, stale, &pid, PATIENCE), 0);
    ck_assert(!cop_pid_eq(pid, COP_NOBODY));
    ck_assert(!cop_pid_eq(pid, stale));
    return pid;
}

static cop_pid
create(const char *name)
{
    cop_pid pid = COP_NOBODY;
    ck_assert_int_eq(registry_create(name, COP_NOBODY, &pid, PATIENCE), 0);
    return pid;
}

static void
put(cop_pid bucket, const char *key, const char *value)
{
    struct bucket_visit v = {0};
    size_t done = 0;
    bucket_visit_add(&v, BUCKET_PUT, 2);
    bucket_visit_arg(&v, (cop_bytes){key, strlen(key)});
    bucket_visit_arg(&v, (cop_bytes){value, strlen(value)});
    ck_assert_int_eq(bucket_visit(bucket, &v, &done, PATIENCE), 0);
    bucket_visit_free(&v);
}

static int64_t
size_of(cop_pid bucket)
{
    struct bucket_visit v = {0};
    size_t done = 0;
    bucket_visit_add(&v, BUCKET_SIZE, 0);
    ck_assert_int_eq(bucket_visit(bucket, &v, &done, PATIENCE), 0);
    struct bucket_answer answer = bucket_visit_answer(&v);
    bucket_visit_free(&v);
    return answer.number;
}

/* Kill the registry and wait until there is another. */
static void
kill_registry(void)
{
    cop_pid old = cop_whereis(REGISTRY), now;
    cop_time until = cop_now() + PATIENCE;
    ck_assert_int_eq(cop_exit_signal(old, COP_REASON_KILLED), 0);
    do {
        cop_sleep(COP_MS(1));
        now = cop_whereis(REGISTRY);
    } while ((cop_pid_eq(now, COP_NOBODY) || cop_pid_eq(now, old)) && cop_now() < until);
    ck_assert(!cop_pid_eq(now, COP_NOBODY));
    ck_assert(!cop_pid_eq(now, old));
}

START_TEST(knows_no_bucket_that_was_not_created)
{
    cop_pid pid = COP_NOBODY;
    ck_assert_int_eq(registry_lookup("nobody", COP_NOBODY, &pid, PATIENCE), -ENOENT);
    ck_assert(cop_pid_eq(pid, COP_NOBODY));
}
END_TEST

START_TEST(says_try_again_when_no_registry_comes_back)
{
    cop_pid pid = COP_NOBODY;
    cop_time before = cop_now();
    ck_assert_int_eq(cop_supervisor_terminate_child(tree, "registry"), 0);
    ck_assert_int_eq(registry_lookup("fruit", COP_NOBODY, &pid, COP_MS(50)), -EAGAIN);
    ck_assert_int_ge(cop_now() - before, COP_MS(50));
}
END_TEST

START_TEST(says_try_again_when_a_bucket_does_not_come_back)
{
    cop_pid pid = COP_NOBODY, fruit = lookup("fruit", COP_NOBODY);
    ck_assert_int_eq(cop_supervisor_terminate_child(cop_named(BUCKET_SUPERVISOR), "fruit"), 0);
    ck_assert_int_eq(registry_lookup("fruit", fruit, &pid, COP_MS(50)), -EAGAIN);
    /* One that asked and left does no harm to the others when it does come back. */
    ck_assert_int_eq(cop_supervisor_restart_child(cop_named(BUCKET_SUPERVISOR), "fruit", NULL), 0);
    ck_assert(!cop_pid_eq(lookup("fruit", fruit), COP_NOBODY));
}
END_TEST

START_TEST(finds_the_next_incarnation_of_a_crashed_bucket)
{
    cop_pid fruit = lookup("fruit", COP_NOBODY), other = create("other");
    put(fruit, "apple", "1");
    put(other, "b", "2");
    for (int i = 0; i < 5; i++) {
        cop_pid old = fruit;
        ck_assert_int_eq(bucket_crash(old, PATIENCE), 0);
        fruit = lookup("fruit", old); /* asked while the old one's DOWN may be on its way */
        ck_assert_int_eq(size_of(fruit), 0);
        put(fruit, "apple", "1");
    }
    ck_assert_int_eq(size_of(other), 1);
    ck_assert(cop_pid_eq(lookup("other", COP_NOBODY), other));
}
END_TEST

START_TEST(comes_back_with_all_names_when_it_crashes)
{
    cop_pid other = create("other");
    put(other, "b", "2");
    kill_registry();
    ck_assert(cop_pid_eq(lookup("other", COP_NOBODY), other));
    ck_assert(cop_pid_eq(create("other"), other));
    ck_assert_int_eq(size_of(other), 1);

    cop_pid old = other; /* and it watches them as before */
    ck_assert_int_eq(bucket_crash(old, PATIENCE), 0);
    other = lookup("other", old);
    ck_assert_int_eq(size_of(other), 0);
}
END_TEST

START_TEST(starts_anew_when_the_bucket_supervisor_does)
{
    cop_pid fruit = lookup("fruit", COP_NOBODY), pid = COP_NOBODY;
    create("other");
    cop_ref ref = cop_monitor(fruit);
    cop_msg msg;
    ck_assert(ref.id != 0);
    ck_assert_int_eq(cop_exit_signal(cop_named(BUCKET_SUPERVISOR), COP_REASON_KILLED), 0);
    ck_assert_int_eq(cop_receive(&msg, PATIENCE), 0);
    fruit = lookup("fruit", fruit);
    ck_assert_int_eq(size_of(fruit), 0);
    ck_assert_int_eq(registry_lookup("other", COP_NOBODY, &pid, PATIENCE), -ENOENT);
    ck_assert_int_eq(size_of(create("other")), 0);
}
END_TEST

START_TEST(creates_a_bucket_once)
{
    cop_pid other = create("other");
    ck_assert(cop_pid_eq(create("other"), other));
    ck_assert(cop_pid_eq(lookup("other", COP_NOBODY), other));
}
END_TEST

static int
create_many(cop_bytes arg)
{
    (void)arg;
    char name[BUCKET_NAME_ARG];
    cop_pid pid;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "b%02d", i);
        int error = registry_create(name, COP_NOBODY, &pid, PATIENCE);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

START_TEST(creates_a_bucket_once_for_many_at_a_time)
{
    cop_ref refs[8];
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(cop_spawn(NULL, create_many, .monitor = &refs[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        cop_msg msg;
        ck_assert_int_eq(cop_receive(&msg, PATIENCE), 0);
        ck_assert_int_eq(COP_BODY(msg, struct cop_down)->reason.kind, COP_NORMAL);
    }
    cop_child_counts counts;
    ck_assert_int_eq(cop_supervisor_count(cop_named(BUCKET_SUPERVISOR), &counts), 0);
    ck_assert_uint_eq(counts.active, 21);
}
END_TEST

START_TEST(lists_all_buckets_by_name)
{
    static const char *const names[] = {"apple", "fruit", "zebra"};
    cop_msg list = {0};
    const struct registry_bucket *buckets = NULL;
    size_t count = 0;
    create("zebra");
    create("apple");
    ck_assert_int_eq(registry_list(&list, &buckets, &count, PATIENCE), 0);
    ck_assert_uint_eq(count, 3);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(buckets[i].name, names[i]);
        ck_assert(cop_alive(buckets[i].pid));
    }
    cop_msg_release(&list);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("registry");
    TCase *tests = tcase_create("registry");
    tcase_add_checked_fixture(tests, setup, teardown);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, knows_no_bucket_that_was_not_created);
    tcase_add_test(tests, says_try_again_when_no_registry_comes_back);
    tcase_add_test(tests, says_try_again_when_a_bucket_does_not_come_back);
    tcase_add_test(tests, finds_the_next_incarnation_of_a_crashed_bucket);
    tcase_add_test(tests, comes_back_with_all_names_when_it_crashes);
    tcase_add_test(tests, starts_anew_when_the_bucket_supervisor_does);
    tcase_add_test(tests, creates_a_bucket_once);
    tcase_add_test(tests, creates_a_bucket_once_for_many_at_a_time);
    tcase_add_test(tests, lists_all_buckets_by_name);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
