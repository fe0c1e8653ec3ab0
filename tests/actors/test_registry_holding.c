/*
 * tests/actors/test_registry_holding.c - how a process comes to be registered, and how it gives that up itself.
 *
 * Room: tests/. What it looks like from outside: test_registry.c.
 */
#include "actors/registry_holding.h"
#include "runtime/alloc.h"
#include "runtime/table.h"
#include "tests/actors/worker.h"

static struct copi_holding
holding_of(const char *key, enum copi_table_kind table)
{
    struct copi_holding holding = {.table = table};
    ck_assert_int_eq(copi_place_find(&holding.place, "r", COP_STR(key)), 0);
    holding.process = copi_here.process;
    return holding;
}

TEST(a_process_that_has_ended_is_not_registered)
{
    registry_start(COP_REGISTRY_UNIQUE, 0);
    struct copi_holding holding = holding_of("k", COPI_HELD);
    struct copi_process ended = {.pid = {(UINT64_C(77) << COPI_INDEX_BITS) | 1}};
    holding.process = &ended;
    ck_assert_int_eq(copi_holding_add(&holding), -ECANCELED);
    ck_assert_uint_eq(registry_count(), 0);
}

TEST(who_has_the_key_is_told)
{
    registry_start(COP_REGISTRY_UNIQUE, 0);
    cop_pid pid = worker_start();
    ck_assert_int_eq(worker_register(pid, "k", NULL), 0);
    struct copi_holding holding = holding_of("k", COPI_HELD);
    ck_assert_int_eq(copi_holding_add(&holding), -EEXIST);
    ck_assert(cop_pid_eq(holding.holder, pid));
    worker_kill(pid);
    ck_assert_int_eq(copi_holding_add(&holding), 0);
}

TEST(a_key_that_must_be_unique_is_refused_by_a_duplicate_registry)
{
    registry_start(COP_REGISTRY_DUPLICATE, 0);
    struct copi_holding holding = holding_of("k", COPI_HELD);
    holding.only_unique = true;
    ck_assert_int_eq(copi_holding_add(&holding), -EOPNOTSUPP);
    ck_assert_uint_eq(registry_count(), 0);
}

TEST(the_tables_do_not_know_each_other)
{
    size_t removed;
    registry_start(COP_REGISTRY_UNIQUE, 0);
    struct copi_holding holding = holding_of("k", COPI_WATCHING);
    ck_assert_int_eq(copi_holding_add(&holding), 0);
    ck_assert_int_eq(copi_holding_add(&holding), 0);
    ck_assert_uint_eq(registry_count(), 0);
    ck_assert_int_eq(copi_holding_remove(&holding.place, COPI_HELD, SIZE_MAX, &removed), 0);
    ck_assert_uint_eq(removed, 0);
    ck_assert_int_eq(copi_holding_remove(&holding.place, COPI_WATCHING, 1, &removed), 0);
    ck_assert_uint_eq(removed, 1);
    ck_assert_int_eq(copi_holding_remove(&holding.place, COPI_WATCHING, SIZE_MAX, &removed), 0);
    ck_assert_uint_eq(removed, 1);
}

TEST(the_picture_of_members_is_of_before)
{
    struct copi_picture members;
    registry_start(COP_REGISTRY_DUPLICATE, 0);
    struct copi_holding holding = holding_of("k", COPI_HELD);
    holding.members = &members;
    for (size_t i = 0; i < 3; i++) {
        copi_picture_init(&members);
        ck_assert_int_eq(copi_holding_add(&holding), 0);
        ck_assert_uint_eq(members.count, i);
        copi_picture_release(&members);
    }
}

static bool
is_seven(const struct copi_blob *value, const void *env)
{
    (void)env;
    return value->size == sizeof(int) && *(const int *)(const void *)value->bytes == 7;
}

TEST(one_is_removed_by_its_value)
{
    size_t removed;
    int six = 6, seven = 7;
    registry_start(COP_REGISTRY_DUPLICATE, 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("a"), COP_BYTES(six)), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("b"), COP_BYTES(seven)), 0);
    struct copi_place place = holding_of("any", COPI_HELD).place;
    ck_assert_int_eq(copi_holding_remove_value(&place, COPI_HELD, is_seven, NULL, &removed), 0);
    ck_assert_uint_eq(removed, 1);
    ck_assert_uint_eq(registry_under("b"), 0);
    ck_assert_int_eq(copi_holding_remove_value(&place, COPI_HELD, is_seven, NULL, &removed), 0);
    ck_assert_uint_eq(removed, 0);
    ck_assert_uint_eq(registry_under("a"), 1);
}

SUITE("registry_holding")
