/*
 * tests/actors/durable/test_store_duties.c - what a store does by itself.
 */
#include "tests/actors/durable/faulty.h"

static bool
is_known(cop_pid store, const char *id)
{
    cop_durable_record record = {0};
    int r = cop_durable_get(store, id, &record, SOON);
    ck_assert(r == 0 || r == -ENOENT);
    cop_durable_release(&record);
    return r == 0;
}

/* DP23 */
TEST(settled_promises_are_forgotten_in_time_and_pending_ones_never)
{
    cop_pid store = a_faulty_store((cop_store_opts){.keep_settled = COP_MS(1)});
    cop_bytes value;
    cop_future *unknown;
    ck_assert_int_eq(cop_durable_create(store, "pending"), 0);
    ck_assert_int_eq(cop_durable_create(store, "settled"), 0);
    cop_future *future = recovered(store, "settled");
    ck_assert_int_eq(cop_durable_resolve(store, "settled", COP_STR("kept")), 0);
    EVENTUALLY(!is_known(store, "settled"));
    ck_assert_int_eq(cop_durable_recover(store, "settled", &unknown, SOON), -ENOENT);
    ck_assert_int_eq(cop_await_bytes(future, &value, 0), 0);
    check_bytes(value, "kept");
    ck_assert(is_known(store, "pending"));
    cop_future_release(future);
    stop(store);
    forget_data();
}

TEST(without_a_limit_nothing_is_forgotten)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_cancel(store, ID, NULL), 0);
    ck_assert(is_known(store, ID));
    unsigned before = atomic_load(&runs);
    cop_sleep(COP_MS(30));
    ck_assert_uint_eq(atomic_load(&runs), before); /* nor does an idle store do anything */
    stop(store);
    forget_data();
}

TEST(deadlines_come_while_nobody_asks_for_anything)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    cop_future *futures[3];
    static const char *const ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_durable_create(store, ids[i], .expires_in = COP_MS(30 - 10 * i)), 0);
        futures[i] = recovered(store, ids[i]);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_await(futures[i], NULL, 0, SOON), -ETIME);
        cop_future_release(futures[i]);
    }
    stop(store);
    forget_data();
}

TEST(deadlines_come_though_the_store_could_not_be_written_to_meanwhile)
{
    cop_pid store = a_faulty_store((cop_store_opts){.reopen_after = COP_MS(1)});
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = COP_MS(20)), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&run_fails, -EIO);
    ck_assert_int_lt(cop_durable_create(store, "other"), 0);
    EVENTUALLY(atomic_load(&opens) >= 3);
    atomic_store(&run_fails, 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ETIME);
    cop_future_release(future);
    stop(store);
    forget_data();
}

SUITE("store_duties")
