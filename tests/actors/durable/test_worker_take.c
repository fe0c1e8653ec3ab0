/*
 * tests/actors/durable/test_worker_take.c - what workers take, and what they leave to others.
 *
 * Room: tests/. Over the store in memory.
 */
#include "actors/durable/worker.h"
#include "runtime/message.h"
#include "runtime/send.h"
#include "tests/actors/durable/jobs.h"

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

TEST(an_answer_that_was_not_asked_for_is_passed_over)
{
    begin();
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = triple});
    const struct cop_settled settled = {0};
    struct copi_message *message = copi_message_new(COPI_SEND, COPI_WORKER_TAKEN, sizeof settled);
    memcpy(message->body, &settled, sizeof settled);
    copi_post(worker, message);
    create(ID);
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    ck_assert_uint_eq(counts_of(worker).claimed, 1);
    end();
}

SUITE("what workers take")
