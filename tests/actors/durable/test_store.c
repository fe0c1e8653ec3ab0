/*
 * tests/actors/durable/test_store.c - a store's process: it opens, fails, is opened anew, and closes.
 */
#include "tests/actors/durable/faulty.h"
#include "tests/support/wrap.h"

static atomic_bool exit_fails; /* the next cop_at_exit */

int real_at_exit(void (*fn)(void *), void *arg) REAL(cop_at_exit);
int our_at_exit(void (*fn)(void *), void *arg) WRAP(cop_at_exit);
int
our_at_exit(void (*fn)(void *), void *arg)
{
    return atomic_exchange(&exit_fails, false) ? -ENOMEM : real_at_exit(fn, arg);
}

TEST(options_that_are_none_start_nothing)
{
    cop_pid store;
    ck_assert_int_eq(cop_store_start(&store, .keep_settled = -1), -EINVAL);
    ck_assert_int_eq(cop_store_start(&store, .reopen_after = -1), -EINVAL);
}

TEST(a_store_whose_data_does_not_open_does_not_start_and_says_why)
{
    cop_pid store;
    atomic_store(&open_fails, -EPROTO);
    ck_assert_int_eq(cop_store_start(&store, .backend = &faulty), -EPROTO);
    ck_assert_str_eq(cop_why().text, "it will not open");
}

static int
start_one(void *out)
{
    return cop_store_start((cop_pid *)out, .name = "store");
}

TEST(without_memory_none_starts_and_nothing_is_left_of_it)
{
    cop_pid store;
    int r;
    ck_assert_uint_gt(test_out_of_memory(start_one, &store, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_durable_create(cop_named("store"), ID), 0);
    stop(store);
}

TEST(one_that_could_not_be_closed_at_its_end_is_not_opened)
{
    cop_pid store;
    atomic_store(&exit_fails, true);
    ck_assert_int_eq(cop_store_start(&store, .backend = &faulty), -ENOMEM);
    ck_assert(!atomic_load(&exit_fails));
    ck_assert_uint_eq(atomic_load(&opens), 0);
}

TEST(one_that_is_open_need_not_be_opened_anew)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_store_reopen(store, SOON), 0);
    ck_assert_uint_eq(atomic_load(&opens), 1);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    stop(store);
    forget_data();
}

/* DP10 */
TEST(after_a_failed_sync_it_is_closed_to_writes_until_it_is_opened_anew)
{
    cop_pid store = a_faulty_store((cop_store_opts){.reopen_after = COP_FOREVER});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&run_fails, -EIO);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EIO);
    ck_assert_str_eq(cop_why().text, "it fails");
    atomic_store(&run_fails, 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EROFS);
    ck_assert_int_eq(cop_durable_create(store, "other"), -EROFS);
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING); /* it reads */
    atomic_store(&open_fails, -EACCES);
    ck_assert_int_eq(cop_store_reopen(store, SOON), -EACCES);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EROFS);
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_get(store, ID, &record, SOON), -EROFS); /* nor that, now */
    atomic_store(&open_fails, 0);
    ck_assert_int_eq(cop_store_reopen(store, SOON), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), 0);
    ck_assert_int_eq(cop_future_state(future, NULL), 0);
    cop_future_release(future);
    stop(store);
    forget_data();
}

TEST(it_is_opened_anew_by_itself_as_often_as_it_takes)
{
    cop_pid store = a_faulty_store((cop_store_opts){.reopen_after = COP_MS(1)});
    ck_assert_int_eq(cop_durable_create(store, "other"), 0); /* after the first duty of its own */
    atomic_store(&open_fails, -EMFILE);
    atomic_store(&run_fails, -EIO);
    ck_assert_int_eq(cop_durable_create(store, ID), -EIO);
    EVENTUALLY(atomic_load(&opens) >= 4);
    atomic_store(&run_fails, 0);
    atomic_store(&open_fails, 0);
    EVENTUALLY(cop_durable_create(store, ID) == 0);
    stop(store);
    forget_data();
}

TEST(what_a_failed_batch_has_done_all_the_same_is_seen_when_it_is_opened_anew)
{
    cop_pid store = a_faulty_store((cop_store_opts){.reopen_after = COP_FOREVER});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&run_fails, -EIO);
    ck_assert_int_eq(cop_durable_cancel(store, ID, NULL), -EIO);
    atomic_store(&run_fails, 0);
    cop_store_op op = {.kind = COP_STORE_SETTLE, .id = ID, .state = COP_DURABLE_RESOLVED};
    cop_reason why;
    ck_assert_int_eq(copi_memory_backend.run(kept, (cop_store_op *[]){&op}, 1, &why), 0);
    ck_assert_int_eq(cop_store_reopen(store, SOON), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    cop_future_release(future);
    stop(store);
    forget_data();
}

/* DP20, the store's part */
TEST(another_failure_is_that_batchs_own)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    atomic_store(&run_fails, -ENOSPC);
    ck_assert_int_eq(cop_durable_create(store, ID), -ENOSPC);
    atomic_store(&run_fails, 0);
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_uint_eq(atomic_load(&opens), 1);
    stop(store);
    forget_data();
}

TEST(what_was_asked_before_a_stop_is_done)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    cop_future *asks[100];
    for (int i = 0; i < 100; i++) {
        asks[i] = cop_durable_create_async(store, ID);
    }
    stop(store);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_future_state(asks[i], NULL), 0);
        cop_future_release(asks[i]);
    }
    forget_data();
}

TEST(a_store_is_a_child_and_its_promises_outlive_its_process)
{
    cop_pid top, named = cop_named("orders");
    ck_assert_int_eq(cop_supervisor_start(&top, &(cop_supervisor_spec){COP_CHILDREN(cop_store_spec(
                                                    NULL, .backend = &faulty, .name = "orders"))}),
                     0);
    ck_assert_int_eq(cop_durable_create(named, ID), 0);
    cop_future *future = recovered(named, ID);
    cop_pid first = cop_whereis("orders");
    ck_assert_int_eq(cop_exit_signal(first, COP_REASON_KILLED), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -EPIPE);
    cop_future_release(future);
    EVENTUALLY(test_is_another(cop_whereis("orders"), first));
    future = recovered(named, ID);
    ck_assert_int_eq(cop_durable_resolve(named, ID, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    cop_future_release(future);
    ck_assert_int_eq(cop_supervisor_stop(top, SOON), 0);
    forget_data();
}

TEST(messages_of_strangers_do_no_harm)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    int answer;
    ck_assert_int_eq(cop_send(store, COP_TAG(1)), 0);
    ck_assert_int_eq(cop_cast(store, COP_TAG(2)), 0);
    ck_assert_int_eq(cop_call(store, COP_TAG(3), COP_OUT(answer), SOON), -EOPNOTSUPP);
    ck_assert_int_eq(cop_store_hint(store, "unknown"), 0);
    ck_assert_int_eq(cop_store_hint(store, NULL), 0);
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    stop(store);
    forget_data();
}

TEST(a_hint_has_what_others_settled_seen)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    cop_reason why;
    for (int i = 0; i < 2; i++) {
        const char *id = i ? "by-id" : "any";
        ck_assert_int_eq(cop_durable_create(store, id), 0);
        cop_future *future = recovered(store, id);
        cop_store_op op = {.kind = COP_STORE_SETTLE, .id = id, .state = COP_DURABLE_RESOLVED};
        ck_assert_int_eq(copi_memory_backend.run(kept, (cop_store_op *[]){&op}, 1, &why), 0);
        ck_assert_int_eq(cop_store_hint(store, i ? id : NULL), 0);
        ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
        cop_future_release(future);
    }
    stop(store);
    forget_data();
}

static int
whole_life(void *arg)
{
    const cop_pid store = *(const cop_pid *)arg;
    cop_future *future = NULL;
    int r = cop_durable_create(store, ID, .param = COP_STR("p"));
    r = r ? r : cop_durable_recover(store, ID, &future, SOON);
    r = r ? r : cop_durable_resolve(store, ID, COP_STR("v"));
    cop_future_release(future);
    return r;
}

TEST(without_memory_what_is_asked_fails_and_nothing_else_does)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    int r;
    ck_assert_uint_gt(test_out_of_memory(whole_life, &store, &r), 0);
    ck_assert_int_eq(r, 0);
    check_resolved(store, ID, "v");
    stop(store);
    forget_data();
}

SUITE("store")
