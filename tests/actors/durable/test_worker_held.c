/*
 * tests/actors/durable/test_worker_held.c - leases are kept, lost, and given back.
 *
 * Room: tests/. Over the store in memory.
 */
#include "actors/durable/worker.h"
#include "tests/actors/durable/jobs.h"

/* ---------------------------------------------------------------- keeping */

TEST(a_lease_is_renewed_for_as_long_as_it_takes)
{
    begin();
    create(ID);
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = wait_inside, .ttl = SHORT});
    (void)start_worker("other", (cop_worker_opts){.work = wait_inside, .ttl = SHORT});
    EVENTUALLY(running == 1);
    cop_time until = cop_now() + 3 * SHORT;
    while (cop_now() < until) {
        cop_sleep(COP_MS(20));
        cop_durable_record record = stored(store, ID);
        if (record.epoch != 1) { /* the machine stood still for longer than a lease */
            may_return = true;
            cop_durable_release(&record);
            break;
        }
        cop_durable_release(&record);
    }
    may_return = true;
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    (void)worker;
    end();
}

TEST(a_job_whose_promise_another_has_settled_is_cancelled_with_the_reason)
{
    begin();
    create(ID);
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = wait_inside, .ttl = SHORT});
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("elsewhere")), 0);
    EVENTUALLY(running == 0);
    ck_assert_uint_ge(stale, 1); /* once more, if the machine stood still for longer than a lease */
    EVENTUALLY(counts_of(worker).held == 0);
    ck_assert_uint_ge(counts_of(worker).stale, 1);
    check_resolved(store, ID, "elsewhere");
    end();
}

TEST(a_job_is_cancelled_when_the_lease_cannot_be_renewed_in_time)
{
    begin();
    create(ID);
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = wait_inside, .ttl = SHORT});
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_sys_suspend(store, SOON), 0);
    EVENTUALLY(running == 0);
    ck_assert_uint_ge(stale, 1); /* once more, if the machine stood still for longer than a lease */
    ck_assert_int_eq(cop_sys_resume(store, SOON), 0);
    (void)worker;
    may_return = true;
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    end();
}

static int
crash(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)value;
    (void)env;
    runs++;
    cop_exit(cop_failed(-EDOM, "broken"));
}

/* PG17 */
TEST(a_promise_at_which_every_worker_dies_is_abandoned)
{
    begin();
    test_catch_stderr();
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q", .max_attempts = 2), 0);
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = crash, .ttl = COP_MS(50)});
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_REJECTED);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.cause, COP_DURABLE_ATTEMPTS);
    ck_assert_int_eq(record.code, -EOWNERDEAD);
    cop_durable_release(&record);
    ck_assert_uint_eq(runs, 2);
    EVENTUALLY(counts_of(worker).crashed == 2);
    end();
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- stopping */

/* PG15, in one program */
TEST(who_stops_gives_back_what_is_unfinished)
{
    begin();
    create(ID);
    cop_pid worker =
        start_worker("worker", (cop_worker_opts){.work = wait_inside, .ttl = COP_SEC(3600)});
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_supervisor_terminate_child(tree, "worker"), 0);
    ck_assert(!cop_alive(worker));
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.state, COP_DURABLE_PENDING);
    ck_assert_int_eq(record.lease_left, 0);
    ck_assert_uint_eq(record.attempts, 0);
    ck_assert_uint_eq(record.epoch, 1);
    cop_durable_release(&record);
    may_return = true;
    (void)start_worker("other", (cop_worker_opts){.work = wait_inside});
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    record = stored(store, ID);
    ck_assert_uint_eq(record.epoch, 2);
    cop_durable_release(&record);
    end();
}

static int
hear_nothing(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)env;
    running++;
    while (!may_return) {
        cop_shield(true);
        cop_sleep(COP_MS(1));
        cop_shield(false);
    }
    *value = COP_STR("too late");
    return 0;
}

TEST(what_has_not_returned_in_time_is_given_back_all_the_same)
{
    begin();
    create(ID);
    (void)start_worker("worker", (cop_worker_opts){.work = hear_nothing,
                                                   .ttl = COP_SEC(3600),
                                                   .grace = COP_MS(20)});
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_supervisor_terminate_child(tree, "worker"), 0);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.state, COP_DURABLE_PENDING);
    ck_assert_int_eq(record.lease_left, 0);
    cop_durable_release(&record);
    may_return = true;
    end();
}

TEST(what_returns_in_time_is_settled_before_the_worker_ends)
{
    begin();
    create(ID);
    (void)start_worker("worker", (cop_worker_opts){.work = hear_nothing, .grace = SOON});
    EVENTUALLY(running == 1);
    may_return = true;
    ck_assert_int_eq(cop_supervisor_terminate_child(tree, "worker"), 0);
    check_resolved(store, ID, "too late");
    end();
}

SUITE("leases of workers")
