/*
 * tests/actors/durable/test_worker.c - workers: what they take, keep, give back, and leave to others.
 *
 * Room: tests/. Over the store in memory; test_postgres_kills.c has many programs, and one server.
 */
#include "actors/durable/ask.h"
#include "tests/actors/durable/stored.h"

#include <coppice/worker.h>

#define SHORT COP_MS(300) /* a lease that a test waits for the end of */

static cop_pid store, tree;
static _Atomic unsigned running, most, runs, stale;
static _Atomic bool may_return;

static void
begin(void)
{
    ck_assert_int_eq(cop_store_start(&store, .name = "jobs"), 0);
}

static cop_pid
start_worker(const char *name, cop_worker_opts opts)
{
    opts.size = sizeof opts;
    opts.name = name;
    opts.store = "jobs";
    opts.queue = "q";
    cop_child_spec child = cop_worker_spec_with(name, &opts);
    if (cop_pid_eq(tree, COP_NOBODY)) {
        ck_assert_int_eq(cop_supervisor_start(&tree, &(cop_supervisor_spec){.max_restarts = 0,
                                                                            .max_seconds = 1}),
                         0);
    }
    cop_pid pid;
    ck_assert_int_eq(cop_supervisor_start_child(tree, &child, &pid), 0);
    return pid;
}

static void
end(void)
{
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    stop(store);
}

static const char *
number(int i)
{
    static char id[32];
    (void)snprintf(id, sizeof id, "order-%d", i);
    return id;
}

static void
create(const char *id)
{
    ck_assert_int_eq(cop_durable_create(store, id, .param = COP_STR("3"), .queue = "q"), 0);
}

static cop_worker_counts
counts_of(cop_pid worker)
{
    cop_worker_counts counts;
    ck_assert_int_eq(cop_worker_count(worker, &counts, SOON), 0);
    return counts;
}

static int
triple(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    int *result = cop_alloc(sizeof *result);
    *result = 3 * (int)strtol(lease->param.data, NULL, 10);
    *value = COP_BYTES(*result);
    runs++;
    return 0;
}

static int
wait_inside(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    unsigned now = ++running;
    runs++;
    if (now > most) {
        most = now;
    }
    int error = 0;
    while (!may_return && error == 0) {
        error = cop_sleep(COP_MS(1));
    }
    if (error && cop_why().code == -ESTALE) {
        stale++;
    }
    running--;
    *value = COP_STR(lease->attempts == 1 ? "first" : "again");
    return error;
}

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

TEST(what_is_created_is_not_left_for_the_poll)
{
    begin();
    cop_pid worker =
        start_worker("worker", (cop_worker_opts){.work = triple, .poll = COP_SEC(3600)});
    (void)counts_of(worker);
    create(ID);
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    end();
}

TEST(other_queues_are_left_alone)
{
    begin();
    (void)start_worker("worker", (cop_worker_opts){.work = triple});
    ck_assert_int_eq(cop_durable_create(store, "other", .queue = "r"), 0);
    create(ID);
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    ck_assert_int_eq(state_of(store, "other"), COP_DURABLE_PENDING);
    end();
}

TEST(no_more_run_at_a_time_than_there_are_places)
{
    begin();
    for (int i = 0; i < 10; i++) {
        create(number(i));
    }
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = wait_inside, .places = 3});
    EVENTUALLY(running == 3);
    ck_assert_uint_eq(counts_of(worker).held, 3);
    may_return = true;
    EVENTUALLY(counts_of(worker).settled == 10);
    ck_assert_uint_le(most, 3);
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
    ck_assert_uint_eq(stale, 1);
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
    ck_assert_uint_eq(stale, 1);
    ck_assert_int_eq(cop_sys_resume(store, SOON), 0);
    (void)worker;
    may_return = true;
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    end();
}

/* ---------------------------------------------------------------- what others take over */

static int
never_return(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)value;
    (void)env;
    runs++;
    int error = 0;
    while (error == 0) {
        error = cop_sleep(COP_MS(1));
    }
    return error;
}

/* PG04, in one program. What the killed one computes may live a moment longer than it, so it must not return. */
TEST(the_promise_of_a_worker_that_was_killed_is_inherited_when_its_lease_is_over)
{
    begin();
    create(ID);
    cop_time since = cop_now();
    cop_worker_opts opts = {
        .size = sizeof opts, .store = "jobs", .queue = "q", .work = never_return, .ttl = SHORT};
    cop_pid lonely;
    cop_child_spec child = cop_worker_spec_with("lonely", &opts);
    ck_assert_int_eq(cop_genserver_start(&lonely, child.genserver, .arg = child.arg), 0);
    EVENTUALLY(runs >= 1);
    cop_ref down = cop_monitor(lonely);
    ck_assert_int_eq(cop_exit_signal(lonely, COP_REASON_KILLED), 0);
    (void)test_down(down);
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = triple, .ttl = SHORT});
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    ck_assert_int_ge(cop_now() - since,
                     SHORT - COP_MS(2)); /* the store's clock counts milliseconds */
    EVENTUALLY(counts_of(worker).inherited >= 1);
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
