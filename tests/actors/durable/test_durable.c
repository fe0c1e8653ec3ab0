/*
 * tests/actors/durable/test_durable.c - what is asked of a store, one at a time.
 *
 * What holds of every store is in promises.h; here is what combinators make of durable futures, and records.
 */
#include "tests/actors/durable/stored.h"

static cop_pid
a_store(void)
{
    cop_pid store;
    ck_assert_int_eq(cop_store_start(&store), 0);
    return store;
}

TEST(a_record_is_given_back_once_and_twice_is_safe)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_durable_record record = stored(store, ID);
    cop_durable_release(&record);
    cop_durable_release(&record);
    ck_assert_ptr_null(record.id);
    stop(store);
}

static int
add_one(const void *value, void *result, void *env)
{
    (void)env;
    const cop_bytes *bytes = value;
    ck_assert_uint_eq(bytes->size, sizeof(int));
    *(int *)result = *(const int *)bytes->data + 1;
    return 0;
}

TEST(combinators_take_durable_futures)
{
    cop_pid store = a_store();
    int values[2], one = 1, two = 2;
    size_t winner;
    ck_assert_int_eq(cop_durable_create(store, "one"), 0);
    ck_assert_int_eq(cop_durable_create(store, "two"), 0);
    cop_future *both[] = {recovered(store, "one"), recovered(store, "two")};
    cop_future *more = cop_map(both[0], add_one, NULL, sizeof(int));
    ck_assert_int_eq(cop_durable_resolve(store, "two", COP_BYTES(two)), 0);
    ck_assert_int_eq(cop_await_first(both, 2, values, sizeof(int), &winner, SOON), 0);
    ck_assert_uint_eq(winner, 1);
    ck_assert_int_eq(cop_durable_resolve(store, "one", COP_BYTES(one)), 0);
    ck_assert_int_eq(cop_await_all(both, 2, values, sizeof(int), SOON), 0);
    ck_assert_int_eq(values[0] * 10 + values[1], 12);
    ck_assert_int_eq(cop_await(more, COP_OUT(values[0]), SOON), 0);
    ck_assert_int_eq(values[0], 2);
    cop_future_release(more);
    cop_future_release(both[0]);
    cop_future_release(both[1]);
    stop(store);
}

TEST(a_deadline_of_forever_is_none)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = COP_FOREVER), 0);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.deadline_ms, 0);
    cop_durable_release(&record);
    stop(store);
}

TEST(reasons_without_a_code_have_that_of_their_kind)
{
    const cop_reason fault = {.kind = COP_FAULTED, .code = 11};
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_reject(store, ID, fault), 0);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.code, -EFAULT);
    cop_durable_release(&record);
    stop(store);
}

SUITE("durable")
