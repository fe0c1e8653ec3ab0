/*
 * tests/actors/durable/test_worker_shortage.c - workers that cannot begin what they have taken, or not settle it, give it back;
 * nothing is lost.
 *
 * Room: tests/. Over the store in memory.
 */
#include "actors/durable/worker.h"
#include "tests/actors/durable/jobs.h"
#include "tests/support/wrap.h"

#include <errno.h>

static atomic_int starts_fail, contexts_fail, notices_fail, exits_fail; /* so often, from now on */

static bool
fails(atomic_int *left)
{
    return atomic_load(left) > 0 && atomic_fetch_sub(left, 1) > 0;
}

cop_future *real_start(const cop_worker_opts *opts, const cop_durable_record *record,
                       cop_context *context) REAL(copi_job_start);
cop_future *our_start(const cop_worker_opts *opts, const cop_durable_record *record,
                      cop_context *context) WRAP(copi_job_start);
cop_future *
our_start(const cop_worker_opts *opts, const cop_durable_record *record, cop_context *context)
{
    return fails(&starts_fail) ? NULL : real_start(opts, record, context);
}

cop_context *real_context(cop_time timeout) REAL(cop_context_new);
cop_context *our_context(cop_time timeout) WRAP(cop_context_new);
cop_context *
our_context(cop_time timeout)
{
    return fails(&contexts_fail) ? NULL : real_context(timeout);
}

cop_context *real_detached(cop_time timeout) REAL(cop_context_detached);
cop_context *our_detached(cop_time timeout) WRAP(cop_context_detached);
cop_context *
our_detached(cop_time timeout)
{
    return fails(&contexts_fail) ? NULL : real_detached(timeout);
}

cop_ref real_notify(cop_future *future, uint32_t tag) REAL(cop_future_notify);
cop_ref our_notify(cop_future *future, uint32_t tag) WRAP(cop_future_notify);
cop_ref
our_notify(cop_future *future, uint32_t tag)
{
    return fails(&notices_fail) ? (cop_ref){0} : real_notify(future, tag);
}

int real_at_exit(void (*fn)(void *), void *arg) REAL(cop_at_exit);
int our_at_exit(void (*fn)(void *), void *arg) WRAP(cop_at_exit);
int
our_at_exit(void (*fn)(void *), void *arg)
{
    return fails(&exits_fail) ? -ENOMEM : real_at_exit(fn, arg);
}

/* ---------------------------------------------------------------- what they are given is done in the end */

static cop_pid
begin_with_worker(void)
{
    begin();
    return start_worker("worker", (cop_worker_opts){.work = triple, .poll = COP_MS(20)});
}

static void
check_is_done(void)
{
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    cop_durable_record record = stored(store, ID);
    ck_assert_uint_eq(record.attempts, 1); /* what was given back was none */
    cop_durable_release(&record);
}

TEST(a_job_that_does_not_start_is_given_back)
{
    cop_pid worker = begin_with_worker();
    starts_fail = 3;
    create(ID);
    check_is_done();
    ck_assert_uint_eq(counts_of(worker).released, 3);
    end();
}

TEST(without_a_context_a_job_does_not_start)
{
    cop_pid worker = begin_with_worker();
    contexts_fail = 1;
    create(ID);
    check_is_done();
    ck_assert_uint_eq(counts_of(worker).released, 1);
    ck_assert_uint_eq(runs, 1);
    end();
}

static int
fail_to_settle(const cop_lease *lease, cop_bytes *value, void *env)
{
    contexts_fail = runs == 0; /* of the settle */
    return triple(lease, value, env);
}

TEST(what_was_computed_and_not_settled_is_given_back_and_computed_again)
{
    begin();
    cop_pid worker =
        start_worker("worker",
                     (cop_worker_opts){.work = fail_to_settle, .poll = COP_MS(20), .places = 1});
    create(ID);
    check_is_done();
    ck_assert_uint_eq(counts_of(worker).released, 1);
    ck_assert_uint_eq(runs, 2);
    end();
}

TEST(a_job_that_another_has_overtaken_is_stale)
{
    begin();
    cop_pid worker = start_worker("worker", (cop_worker_opts){.work = wait_inside});
    create(ID);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("elsewhere")), 0);
    may_return = true;
    EVENTUALLY(counts_of(worker).stale == 1);
    check_resolved(store, ID, "elsewhere");
    end();
}

/* Claims and inheritances, in turn. */
TEST(who_cannot_be_told_asks_again)
{
    cop_pid worker = begin_with_worker();
    notices_fail = 6;
    EVENTUALLY(notices_fail <= 0);
    create(ID);
    check_is_done();
    ck_assert_uint_eq(counts_of(worker).claimed, 1);
    end();
}

/* ---------------------------------------------------------------- not at all */

static int
start_with(const cop_worker_opts *opts, size_t size)
{
    cop_pid worker;
    cop_child_spec child = cop_worker_spec_with("worker", opts);
    return cop_genserver_start(&worker, child.genserver, .arg = {opts, size});
}

TEST(a_worker_of_no_sense_or_without_memory_does_not_start)
{
    const cop_worker_opts opts = {
        .size = sizeof opts, .store = "jobs", .queue = "q", .work = triple};
    ck_assert_int_eq(start_with(&opts, sizeof opts - 1), -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_option,worker}");
    exits_fail = 1;
    ck_assert_int_eq(start_with(&opts, sizeof opts), -ENOMEM);
    cop_worker_wake("q"); /* it is on no list */
}

SUITE("worker_shortage")
