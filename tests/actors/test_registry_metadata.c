/*
 * tests/actors/test_registry_metadata.c - what is to be known of a registry as a whole.
 *
 * Room: tests/. Each test runs with a registry of one partition, and with one of eight.
 */
#include "runtime/alloc.h"
#include "tests/actors/worker.h"

TEST_TIMES(2, what_is_not_there_cannot_be_read)
{
    int out = 4711;
    ck_assert_int_eq(cop_registry_put_meta("r", COP_STR("k"), COP_BYTES(out)), -ESRCH);
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(out)), -ENOENT);
    ck_assert_int_eq(cop_registry_delete_meta("r", COP_STR("k")), 0);
    ck_assert_int_eq(cop_registry_put_meta("r", COP_STR("k"), COP_STR("v")), 0);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(out)), -EMSGSIZE);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("l"), COP_OUT(out)), -ENOENT);
    ck_assert_int_eq(cop_registry_put_meta("r", ((cop_bytes){NULL, 1}), COP_STR("v")), -EINVAL);
    ck_assert_int_eq(cop_registry_put_meta("r", COP_STR("k"), ((cop_bytes){NULL, 1})), -EINVAL);
    ck_assert_int_eq(cop_registry_put_meta(NULL, COP_STR("k"), COP_STR("v")), -EINVAL);
    ck_assert_int_eq(out, 4711);
}

static int
put(void *env)
{
    return cop_registry_put_meta("r", COP_STR("k"), COP_BYTES(*(int *)env));
}

TEST_TIMES(2, without_memory_the_old_value_stays)
{
    int first = 1, second = 2, out, result;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_uint_ge(test_out_of_memory(put, &first, &result), 4);
    ck_assert_int_eq(result, 0);
    copi_alloc_fail_after(1);
    ck_assert_int_eq(put(&second), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(out)), 0);
    ck_assert_int_eq(out, 1);
}

TEST_TIMES(2, metadata_is_put_read_replaced_and_deleted)
{
    int first = 1, second = 2, out;
    registry_start(COP_REGISTRY_DUPLICATE, _i);
    ck_assert_int_eq(put(&first), 0);
    ck_assert_int_eq(cop_registry_put_meta("r", COP_STR("l"), (cop_bytes){0}), 0);
    ck_assert_int_eq(put(&second), 0);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(out)), 0);
    ck_assert_int_eq(out, 2);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("l"), NULL, 0), 0);
    ck_assert_uint_eq(registry_count(), 0); /* it is no registration */
    ck_assert_uint_eq(registry_under("k"), 0);
    ck_assert_int_eq(cop_registry_delete_meta("r", COP_STR("k")), 0);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(out)), -ENOENT);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("l"), NULL, 0), 0);
}

TEST_TIMES(2, metadata_goes_with_the_registry)
{
    int one = 1;
    cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(put(&one), 0);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(one)), -ESRCH);
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_meta("r", COP_STR("k"), COP_OUT(one)), -ENOENT);
}

SUITE("registry_metadata")
