/*
 * tests/actors/durable/test_store_batch.c - a batch of operations: run, published, answered.
 */
#include "tests/actors/durable/faulty.h"

enum {
    MANY = 1000
};

static char id_of[MANY][16];
static cop_future *asks[MANY];

static void
create_many(cop_pid store)
{
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id_of[i], sizeof id_of[i], "p%d", i);
        asks[i] = cop_durable_create_async(store, id_of[i]);
    }
    ck_assert_int_eq(cop_await_all(asks, MANY, NULL, 0, SOON), 0);
    for (int i = 0; i < MANY; i++) {
        cop_future_release(asks[i]);
    }
}

/* DP18, the store's part */
TEST(a_thousand_settles_that_wait_together_are_a_few_batches)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    create_many(store);
    hold(store);
    unsigned before = atomic_load(&runs);
    for (int i = 0; i < MANY; i++) {
        asks[i] = cop_durable_resolve_async(store, id_of[i], COP_STR("x"));
    }
    let_go();
    ck_assert_int_eq(cop_await_all(asks, MANY, NULL, 0, SOON), 0);
    ck_assert_uint_le(atomic_load(&runs) - before, 20);
    for (int i = 0; i < MANY; i++) {
        cop_future_release(asks[i]);
    }
    stop(store);
    forget_data();
}

TEST(a_batch_has_at_most_1024_operations)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    static cop_future *many[3 * 1024];
    hold(store);
    for (int i = 0; i < 3 * 1024; i++) {
        many[i] = cop_durable_create_async(store, ID);
    }
    let_go();
    ck_assert_int_eq(cop_await_all(many, 3 * 1024, NULL, 0, SOON), 0);
    for (int i = 0; i < 3 * 1024; i++) {
        cop_future_release(many[i]);
    }
    ck_assert_uint_le(atomic_load(&largest), 1024 + 2); /* and the store's own */
    ck_assert_uint_ge(atomic_load(&largest), 1000);
    stop(store);
    forget_data();
}

TEST(a_batch_has_at_most_a_mebibyte_unless_it_is_one_operation)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    static char bytes[1536 * 1024];
    cop_future *large[8];
    hold(store);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(id_of[i], sizeof id_of[i], "p%d", i);
        large[i] = cop_durable_create_async(store, id_of[i],
                                            .param = {bytes, i == 0 ? sizeof bytes : 300 * 1024});
    }
    unsigned before = atomic_load(&runs);
    let_go();
    ck_assert_int_eq(cop_await_all(large, 8, NULL, 0, SOON), 0);
    ck_assert_uint_ge(atomic_load(&runs) - before, 4); /* 1, 3, 3, 1 */
    for (int i = 0; i < 8; i++) {
        cop_future_release(large[i]);
    }
    stop(store);
    forget_data();
}

/* ---------------------------------------------------------------- the order of steps */

static _Atomic(const char *) stop_at; /* NULL: nowhere */
static atomic_bool has_stopped, may_go;

static void
stop_there(const char *step, void *env)
{
    (void)env;
    const char *where = atomic_load(&stop_at);
    if (where && strcmp(step, where) == 0) {
        atomic_store(&stop_at, NULL);
        atomic_store(&has_stopped, true);
        while (!atomic_load(&may_go)) {
            (void)cop_sleep(COP_US(100));
        }
    }
}

static void
check_nothing_is_seen_at(const char *step)
{
    cop_pid store = a_faulty_store((cop_store_opts){.trace = stop_there});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&stop_at, step);
    cop_future *settle = cop_durable_resolve_async(store, ID, COP_STR("x"));
    EVENTUALLY(atomic_load(&has_stopped));
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_get(store, ID, &record, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    ck_assert_int_eq(cop_future_state(settle, NULL), -EINPROGRESS);
    atomic_store(&may_go, true);
    ck_assert_int_eq(cop_await(settle, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_future_state(future, NULL), 0); /* published before it is answered */
    cop_future_release(future);
    cop_future_release(settle);
    stop(store);
    forget_data();
}

/* DP09 */
TEST(before_the_batch_has_run_nobody_sees_the_settle)
{
    check_nothing_is_seen_at("begin");
}

TEST(before_it_is_published_nobody_sees_the_settle)
{
    check_nothing_is_seen_at("committed");
}

TEST(when_it_is_published_futures_are_settled_and_nobody_is_answered)
{
    cop_pid store = a_faulty_store((cop_store_opts){.trace = stop_there});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    atomic_store(&stop_at, "published");
    cop_future *settle = cop_durable_resolve_async(store, ID, (cop_bytes){0});
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_future_state(settle, NULL), -EINPROGRESS);
    atomic_store(&may_go, true);
    ck_assert_int_eq(cop_await(settle, NULL, 0, SOON), 0);
    cop_future_release(future);
    cop_future_release(settle);
    stop(store);
    forget_data();
}

static atomic_uint recoverers;

static int
recover_and_wait(cop_bytes arg)
{
    atomic_fetch_add(&recoverers, 1);
    cop_future *future = recovered(*(const cop_pid *)arg.data, ID);
    int r = cop_await(future, NULL, 0, SOON);
    cop_future_release(future);
    return r;
}

static cop_ref
spawn_recoverer(cop_pid store)
{
    cop_pid pid;
    cop_ref ended;
    unsigned before = atomic_load(&recoverers);
    ck_assert_int_eq(cop_spawn(&pid, recover_and_wait, .arg = COP_BYTES(store), .monitor = &ended),
                     0);
    EVENTUALLY(atomic_load(&recoverers) > before);
    cop_sleep(COP_MS(1)); /* it most likely asks meanwhile; in any order all must be settled */
    return ended;
}

TEST(recoveries_before_and_behind_a_settle_in_one_batch_are_both_settled)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    hold(store);
    cop_ref before = spawn_recoverer(store);
    cop_future *settle = cop_durable_resolve_async(store, ID, (cop_bytes){0});
    cop_ref behind = spawn_recoverer(store);
    let_go();
    ck_assert_int_eq(test_down(before).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(behind).kind, COP_NORMAL);
    cop_future_release(settle);
    stop(store);
    forget_data();
}

/* ---------------------------------------------------------------- company */

enum {
    COMPANY = 32
};

static atomic_uint pauses;
static atomic_bool is_over;
static _Atomic(int) unexpected; /* what somebody was told, other than that the store has gone */

static void
take_time(const char *step, void *env)
{
    stop_there(step, env);
    if (strcmp(step, "begin") == 0) {
        (void)cop_sleep(COP_MS(20));
    }
    if (strcmp(step, "pause") == 0) {
        atomic_fetch_add(&pauses, 1);
    }
}

static int
create_again_and_again(cop_bytes arg, void *unused)
{
    (void)unused;
    int r = 0;
    while (r == 0 && !atomic_load(&is_over)) {
        r = cop_durable_create(*(const cop_pid *)arg.data, ID);
    }
    if (r && r != -ESRCH) {
        atomic_store(&unexpected, r);
    }
    return 0;
}

static void
begin_company(cop_pid store, cop_future *company[COMPANY])
{
    for (int i = 0; i < COMPANY; i++) {
        company[i] = cop_async(create_again_and_again, .arg = COP_BYTES(store));
    }
}

static void
end_company(cop_future *company[COMPANY])
{
    ck_assert_int_eq(cop_await_all(company, COMPANY, NULL, 0, SOON), 0);
    for (int i = 0; i < COMPANY; i++) {
        cop_future_release(company[i]);
    }
    ck_assert_int_eq(atomic_load(&unexpected), 0);
}

TEST(many_who_wait_and_ask_again_are_waited_for)
{
    cop_future *company[COMPANY];
    cop_pid store = a_faulty_store((cop_store_opts){.trace = take_time});
    begin_company(store, company);
    EVENTUALLY(atomic_load(&pauses) > 1);
    atomic_store(&is_over, true);
    end_company(company);
    stop(store);
    forget_data();
}

static atomic_bool is_stopping;

static int
stop_it(cop_bytes arg, void *unused)
{
    (void)unused;
    atomic_store(&is_stopping, true);
    return cop_stop_process(*(const cop_pid *)arg.data, COP_REASON_NORMAL, SOON);
}

TEST(a_store_that_is_stopped_while_it_pauses_answers_the_batch)
{
    cop_future *company[COMPANY];
    cop_pid store = a_faulty_store((cop_store_opts){.trace = take_time});
    atomic_store(&stop_at, "pause");
    begin_company(store, company);
    EVENTUALLY(atomic_load(&has_stopped));
    cop_future *stopped = cop_async(stop_it, .arg = COP_BYTES(store));
    EVENTUALLY(atomic_load(&is_stopping));
    atomic_store(&may_go, true);
    ck_assert_int_eq(cop_await(stopped, NULL, 0, SOON), 0);
    end_company(company);
    cop_future_release(stopped);
    forget_data();
}

TEST(nobody_waits_for_company_that_there_is_not)
{
    cop_future *outstanding[COMPANY];
    cop_pid store = a_faulty_store((cop_store_opts){.trace = take_time});
    for (int i = 0; i < 5 * COMPANY; i++) {
        if (i >= COMPANY) {
            ck_assert_int_eq(cop_await(outstanding[i % COMPANY], NULL, 0, SOON), 0);
            cop_future_release(outstanding[i % COMPANY]);
        }
        if (i < 4 * COMPANY) {
            outstanding[i % COMPANY] = cop_durable_create_async(store, ID);
        }
    }
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_uint_eq(atomic_load(&pauses), 0);
    stop(store);
    forget_data();
}

/* ---------------------------------------------------------------- overdue */

static _Atomic int64_t the_time = 1700000000000;

static int64_t
clock_of_test(void *env)
{
    (void)env;
    return atomic_load(&the_time);
}

/* DP16 */
TEST(who_finds_a_promise_overdue_is_answered_when_that_is_stored)
{
    cop_pid store = a_faulty_store((cop_store_opts){.clock = clock_of_test});
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = COP_SEC(1000)), 0);
    ck_assert_int_eq(cop_durable_create(store, "late", .expires_in = COP_SEC(1000)), 0);
    cop_future *future = recovered(store, ID);
    atomic_fetch_add(&the_time, 1000 * 1000);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.cause, COP_DURABLE_DEADLINE);
    cop_durable_release(&record);
    ck_assert_int_eq(cop_future_state(future, NULL), -ETIME);
    cop_future_release(future);
    atomic_fetch_sub(&the_time, 1000 * 1000); /* a clock that is set back revives nobody */
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_REJECTED);
    ck_assert_int_eq(cop_durable_resolve(store, "late", COP_STR("x")), -EALREADY);
    stop(store);
    forget_data();
}

TEST(what_is_overdue_and_cannot_be_stored_is_not_shown)
{
    cop_pid store =
        a_faulty_store((cop_store_opts){.clock = clock_of_test, .reopen_after = COP_FOREVER});
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = COP_SEC(1000)), 0);
    atomic_store(&run_fails, -EIO);
    ck_assert_int_eq(cop_durable_create(store, "closed"), -EIO);
    atomic_store(&run_fails, 0);
    atomic_fetch_add(&the_time, 1000 * 1000);
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_get(store, ID, &record, SOON), -EROFS);
    stop(store);
    forget_data();
}

SUITE("store_batch")
