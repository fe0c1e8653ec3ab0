/*
 * tests/actors/durable/test_recover.c - all that is pending, page by page, while others change it.
 */
#include "tests/actors/durable/faulty.h"

static cop_pid store;

static int
settle_each(const cop_durable_record *record, void *env)
{
    ++*(int *)env;
    return cop_durable_resolve(store, record->id, (cop_bytes){0});
}

/* DP14 */
TEST(who_settles_what_he_is_shown_sees_each_once)
{
    int seen = 0;
    char id[16];
    store = a_faulty_store((cop_store_opts){0});
    for (int i = 0; i < 30; i++) {
        (void)snprintf(id, sizeof id, "p%02d", i);
        ck_assert_int_eq(cop_durable_create(store, id), 0);
    }
    ck_assert_int_eq(cop_durable_recover_all(store, settle_each, &seen, .page = 4), 0);
    ck_assert_int_eq(seen, 30);
    ck_assert_int_eq(cop_durable_recover_all(store, settle_each, &seen), 0);
    ck_assert_int_eq(seen, 30);
    stop(store);
    forget_data();
}

static int
end_at_the_second(const cop_durable_record *record, void *env)
{
    (void)record;
    if (++*(int *)env == 2) {
        cop_exit(COP_REASON_NORMAL);
    }
    return 0;
}

static int
recover_and_end(cop_bytes arg)
{
    int seen = 0;
    (void)arg;
    return cop_durable_recover_all(store, end_at_the_second, &seen, .page = 3);
}

TEST(who_ends_in_the_middle_leaves_nothing_behind)
{
    cop_pid pid;
    cop_ref ended;
    store = a_faulty_store((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, "a"), 0);
    ck_assert_int_eq(cop_durable_create(store, "b"), 0);
    ck_assert_int_eq(cop_spawn(&pid, recover_and_end, .monitor = &ended), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    stop(store);
    forget_data();
}

TEST(a_failure_ends_it)
{
    int seen = 0;
    store = a_faulty_store((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, "a"), 0);
    atomic_store(&run_fails, -EBUSY);
    ck_assert_int_eq(cop_durable_recover_all(store, settle_each, &seen), -EBUSY);
    atomic_store(&run_fails, 0);
    ck_assert_int_eq(seen, 0);
    stop(store);
    forget_data();
}

SUITE("recover")
