/*
 * tests/actors/durable/test_worker_job.c - one promise computed: which outcome settles, and which does not.
 *
 * Room: tests/.
 */
#include "actors/durable/worker.h"
#include "tests/actors/durable/stored.h"

static cop_pid store;
static cop_worker_opts opts;
static cop_durable_record record;
static cop_context *context;
static _Atomic bool is_in, may_return;

static const cop_owner us = {{1, 2, 3}};

static void
begin(cop_work_fn work)
{
    ck_assert_int_eq(cop_store_start(&store, .name = "jobs"), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("3 apples"), .queue = "q",
                                        .tags = "red"),
                     0);
    struct copi_ask *answer;
    cop_store_op acquire = {.kind = COP_STORE_ACQUIRE, .id = ID, .owner = us, .time = COP_SEC(60)};
    ck_assert_int_eq(copi_ask_and_wait(&answer, store, &acquire, &(struct copi_ask_opts){0}, SOON),
                     0);
    cop_future_release(&answer->future);
    record = stored(store, ID);
    opts = (cop_worker_opts){.store = "jobs", .work = work, .ttl = COP_MS(300)};
    context = cop_context_new(COP_FOREVER);
}

static int
end_of(cop_future *task)
{
    int end = 0;
    (void)cop_trap_exits(true);
    int error = cop_await(task, &end, sizeof end, SOON);
    cop_future_release(task);
    return error ? error : end;
}

static void
end(void)
{
    cop_context_free(context);
    cop_durable_release(&record);
    if (cop_alive(store)) {
        stop(store);
    }
}

static int
count_apples(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    ck_assert_str_eq(lease->id, ID);
    ck_assert_str_eq(lease->queue, "q");
    ck_assert_str_eq(lease->tags, "red");
    ck_assert_uint_eq(lease->epoch, 1);
    ck_assert_uint_eq(lease->attempts, 1);
    ck_assert_mem_eq(&lease->owner, &us, sizeof us);
    ck_assert_uint_eq((uintptr_t)lease->param.data % 8, 0);
    check_bytes(lease->param, "3 apples");
    char *text = cop_alloc(8);
    memcpy(text, "counted", 8);
    *value = (cop_bytes){text, 8};
    return 0;
}

TEST(a_function_gets_what_was_stored_and_resolves)
{
    begin(count_apples);
    ck_assert_int_eq(end_of(copi_job_start(&opts, &record, context)), COPI_JOB_SETTLED);
    check_resolved(store, ID, "counted");
    end();
}

static int
fail_with(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)value;
    return *(const int *)env;
}

TEST(a_negative_code_rejects)
{
    begin(fail_with);
    opts.env = &(int){-ENOTSUP};
    ck_assert_int_eq(end_of(copi_job_start(&opts, &record, context)), COPI_JOB_SETTLED);
    cop_durable_record now = stored(store, ID);
    ck_assert_int_eq(now.state, COP_DURABLE_REJECTED);
    ck_assert_int_eq(now.code, -ENOTSUP);
    cop_durable_release(&now);
    end();
}

TEST(a_positive_number_settles_nothing)
{
    begin(fail_with);
    opts.env = &(int){7};
    ck_assert_int_eq(end_of(copi_job_start(&opts, &record, context)), COPI_JOB_CRASHED);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    end();
}

static int
crash(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)value;
    (void)env;
    cop_exit(cop_failed(-EDOM, "broken"));
}

TEST(a_crash_settles_nothing)
{
    begin(crash);
    test_catch_stderr();
    ck_assert_int_eq(end_of(copi_job_start(&opts, &record, context)), -EDOM);
    free(test_caught_stderr());
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    end();
}

static int
wait_and_count(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)lease;
    (void)env;
    is_in = true;
    int error = 0;
    while (!may_return && error == 0) {
        error = cop_sleep(COP_MS(1));
    }
    *value = COP_STR("late");
    return error;
}

TEST(who_was_cancelled_and_gave_up_settles_nothing)
{
    begin(wait_and_count);
    cop_future *task = copi_job_start(&opts, &record, context);
    EVENTUALLY(is_in);
    cop_context_cancel(context, cop_failed(-ESTALE, "lease_lost"));
    ck_assert_int_eq(end_of(task), COPI_JOB_UNFINISHED);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    end();
}

static int
finish_all_the_same(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)wait_and_count(lease, value, env);
    return 0;
}

TEST(who_was_cancelled_and_finished_all_the_same_settles_if_nobody_else_has_it)
{
    begin(finish_all_the_same);
    cop_future *task = copi_job_start(&opts, &record, context);
    EVENTUALLY(is_in);
    cop_context_cancel(context, cop_failed(-ESTALE, "lease_lost"));
    ck_assert_int_eq(end_of(task), COPI_JOB_SETTLED);
    check_resolved(store, ID, "late");
    end();
}

TEST(who_is_late_and_was_missed_is_refused)
{
    begin(wait_and_count);
    cop_future *task = copi_job_start(&opts, &record, context);
    EVENTUALLY(is_in);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("first")), 0);
    may_return = true;
    ck_assert_int_eq(end_of(task), COPI_JOB_STALE);
    check_resolved(store, ID, "first");
    end();
}

TEST(without_a_store_it_is_tried_for_a_while_and_given_up)
{
    begin(wait_and_count);
    cop_future *task = copi_job_start(&opts, &record, context);
    EVENTUALLY(is_in);
    stop(store);
    cop_time since = cop_now();
    may_return = true;
    ck_assert_int_eq(end_of(task), COPI_JOB_UNFINISHED);
    ck_assert_int_ge(cop_now() - since, COP_MS(200));
    end();
}

static int
start_one(void *unused)
{
    (void)unused;
    cop_future *task = copi_job_start(&opts, &record, context);
    if (!task) {
        return -ENOMEM;
    }
    int code = cop_future_state(task, NULL);
    if (code == -ENOMEM) {
        cop_future_release(task);
        return code;
    }
    return end_of(task) == COPI_JOB_CRASHED ? 0 : -ENOMEM;
}

TEST(without_memory_nothing_is_started)
{
    begin(fail_with);
    opts.env = &(int){7};
    int result = -1;
    ck_assert_uint_gt(test_out_of_memory(start_one, NULL, &result), 0);
    ck_assert_int_eq(result, 0);
    end();
}

SUITE("a worker's jobs")
