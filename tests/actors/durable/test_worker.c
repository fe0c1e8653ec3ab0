/*
 * tests/actors/durable/test_worker.c - workers, from outside.
 *
 * Room: tests/. Over the store in memory. test_postgres_kills.c has many programs, and one server.
 */
#include "actors/durable/worker.h"
#include "tests/actors/durable/jobs.h"

/* ---------------------------------------------------------------- options */

TEST(options_that_are_none_are_refused)
{
    static const cop_worker_opts wrong[] = {
        {.size = sizeof wrong[0], .work = triple},
        {.size = sizeof wrong[0], .store = "jobs"},
        {.size = sizeof wrong[0], .store = "jobs", .work = triple, .ttl = COP_MS(9)},
        {.size = sizeof wrong[0], .store = "jobs", .work = triple, .ttl = -1},
        {.size = sizeof wrong[0], .store = "jobs", .work = triple, .poll = -1},
        {.size = sizeof wrong[0], .store = "jobs", .work = triple, .grace = -1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cop_child_spec child = cop_worker_spec_with("worker", &wrong[i]);
        ck_assert_int_eq(cop_supervisor_start(NULL, &(cop_supervisor_spec){COP_CHILDREN(child)}),
                         -EINVAL);
    }
}

TEST(a_worker_waits_for_its_store)
{
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = triple, .poll = COP_MS(10)});
    ck_assert_uint_eq(counts_of(worker).held, 0);
    begin();
    create(ID);
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    end();
}

/* ---------------------------------------------------------------- computing */

TEST(each_promise_is_computed_and_resolved_once)
{
    begin();
    for (int i = 0; i < 40; i++) {
        create(number(i));
    }
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = triple, .places = 4});
    for (int i = 0; i < 40; i++) {
        int value = 0;
        cop_future *future = recovered(store, number(i));
        ck_assert_int_eq(cop_await(future, COP_OUT(value), SOON), 0);
        ck_assert_int_eq(value, 9);
        cop_future_release(future);
    }
    ck_assert_uint_eq(runs, 40);
    EVENTUALLY(counts_of(worker).settled == 40 && counts_of(worker).held == 0);
    ck_assert_uint_eq(counts_of(worker).claimed, 40);
    end();
}

static int
refuse(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)value;
    (void)env;
    cop_reason why = cop_failed(-EDOM, "not today");
    ck_assert_int_eq(cop_durable_reject(lease->store, lease->id, why, .owner = lease->owner,
                                        .epoch = lease->epoch),
                     0);
    return -EDOM;
}

TEST(a_function_may_settle_by_itself_and_say_more)
{
    begin();
    create(ID);
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = refuse});
    EVENTUALLY(counts_of(worker).settled == 1);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.code, -EDOM);
    ck_assert_str_eq(record.text, "not today");
    cop_durable_release(&record);
    end();
}

/* ---------------------------------------------------------------- the end */

TEST(a_worker_that_is_killed_leaves_nothing_in_this_program)
{
    begin();
    create(ID);
    cop_worker_opts opts = {
        .size = sizeof opts, .store = "jobs", .queue = "q", .work = wait_inside};
    cop_child_spec child = cop_worker_spec_with("worker", &opts);
    cop_pid worker;
    ck_assert_int_eq(cop_genserver_start(&worker, child.genserver, .arg = child.arg), 0);
    EVENTUALLY(running == 1);
    cop_ref down = cop_monitor(worker);
    ck_assert_int_eq(cop_exit_signal(worker, COP_REASON_KILLED), 0);
    (void)test_down(down);
    cop_worker_wake("q");
    cop_worker_wake(NULL);
    stop(store);
}

SUITE("workers")
