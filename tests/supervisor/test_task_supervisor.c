/*
 * tests/supervisor/test_task_supervisor.c - tasks below a supervisor.
 *
 * Room: tests/. Case ids (TSP-001) are those of the conformance list.
 */
#include "runtime/process.h"
#include "tests/actors/tasks.h"
#include "tests/supervisor/dynamic.h"
#include "tests/support/support.h"

#include <errno.h>

static atomic_int running, ended;

static int
wait_to_be_asked(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    int r = cop_sleep(COP_FOREVER);
    ended++;
    return r;
}

static cop_pid
start_tasks(size_t max)
{
    cop_pid pid;
    const cop_supervisor_spec tasks = {
        .name = "tasks", .strategy = COP_DYNAMIC, .max_children = max};
    ck_assert_int_eq(cop_supervisor_start(&pid, &tasks), 0);
    return pid;
}

static cop_child_counts
count(cop_pid supervisor)
{
    cop_child_counts counts;
    ck_assert_int_eq(cop_supervisor_count(supervisor, &counts), 0);
    return counts;
}

/* ---------------------------------------------------------------- what cannot start */

TEST(a_task_below_nobody_is_a_rejected_future)
{
    cop_future *f = cop_async_under(COP_NOBODY, twice, .result_size = 4);
    ck_assert_int_eq(cop_future_state(f, NULL), -ESRCH);
    cop_future_release(f);
    cop_pid pid = start_tasks(0);
    cop_supervisor_stop(pid, SOON);
    f = cop_async_under(pid, twice, .result_size = 4);
    ck_assert_int_eq(cop_future_state(f, NULL), -ESRCH);
    cop_future_release(f);
    ck_assert_int_eq(cop_task_start_child(pid, twice, (cop_bytes){0}, &pid), -ESRCH);
}

TEST(a_task_below_a_static_supervisor_is_a_rejected_future)
{
    cop_pid pid;
    ck_assert_int_eq(cop_supervisor_start(&pid, &(cop_supervisor_spec){.name = "static"}), 0);
    cop_future *f = cop_async_under(pid, twice, .result_size = 4);
    ck_assert_int_eq(cop_future_state(f, NULL), -EINVAL);
    cop_future_release(f);
}

TEST(a_task_is_started_whatever_its_supervisor_puts_before_arguments)
{
    int value = 21, result = 0;
    cop_pid pid = start_tree(DYNAMIC(.extra = COP_STR("of another use")));
    cop_future *f = cop_async_under(pid, twice, .arg = COP_BYTES(value), .result_size = 4);
    ck_assert_int_eq(cop_await(f, COP_OUT(result), SOON), 0);
    ck_assert_int_eq(result, 42);
    cop_future_release(f);
}

TEST(when_all_places_are_taken_a_task_is_a_rejected_future_and_nothing_starts) /* TSP-008 */
{
    cop_pid pid = start_tasks(1);
    cop_future *first = cop_async_under(pid, wait_to_be_asked);
    cop_future *second = cop_async_under(pid, wait_to_be_asked);
    ck_assert_int_eq(cop_future_state(second, NULL), -EAGAIN);
    ck_assert_int_eq(cop_task_start_child(pid, wait_to_be_asked, (cop_bytes){0}, NULL), -EAGAIN);
    ck_assert_uint_eq(count(pid).active, 1);
    EVENTUALLY(running == 1);
    cop_future_release(first);
    cop_future_release(second);
}

TEST(a_task_that_cannot_start_says_why)
{
    cop_pid pid = start_tasks(0);
    cop_future *f = cop_async_under(pid, twice, .name = "tasks"); /* is taken */
    ck_assert_int_eq(cop_future_state(f, NULL), -EEXIST);
    cop_future_release(f);
    ck_assert_uint_eq(count(pid).specs, 0);
    f = cop_async_under(pid, NULL);
    ck_assert_int_eq(cop_future_state(f, NULL), -EINVAL);
    cop_future_release(f);
    cop_reason why;
    f = cop_async_under(pid, wait_to_be_asked, .lazy = true, .retry = true);
    ck_assert_int_eq(cop_future_state(f, &why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "a lazy task"));
    cop_future_release(f);
    f = cop_async_under(pid, wait_to_be_asked, .retry = true);
    ck_assert_int_eq(cop_future_state(f, NULL), -EINVAL);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- handlers */

static atomic_int successes, failures, envs, code_seen;

static void
see_success(const void *value, void *env)
{
    (void)value, (void)env;
    successes++;
}

static void
see_failure(cop_reason reason, void *env)
{
    (void)env;
    code_seen = cop_reason_error(reason);
    failures++;
}

static void
drop_env(void *env)
{
    (void)env;
    envs++;
}

static cop_future *
start_told(cop_pid supervisor, bool lazy)
{
    return cop_async_under(supervisor, wait_to_be_asked, .lazy = lazy, .on_success = see_success,
                           .on_failure = see_failure, .drop_env = drop_env);
}

TEST_TIMES(2, a_task_that_cannot_start_has_its_failure_told)
{
    bool is_lazy = _i;
    cop_future *f = start_told(is_lazy ? start_tasks(0) : cop_self(), is_lazy);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(code_seen, cop_future_state(f, NULL));
    cop_future_release(f);
}

TEST(a_task_that_its_supervisor_stops_has_its_failure_told)
{
    cop_pid pid = start_tasks(0);
    cop_future *f = start_told(pid, false);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_supervisor_terminate(pid, cop_future_pid(f)), 0);
    EVENTUALLY(envs == 1);
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(successes, 0);
    ck_assert_int_eq(code_seen, -ECANCELED);
    cop_future_release(f);
}

static int
try_to_start(void *arg)
{
    const cop_pid *pid = arg;
    int n = 4;
    cop_future *f = cop_async_under(*pid, twice, .arg = COP_BYTES(n), .result_size = sizeof n);
    int r = cop_await(f, COP_OUT(n), SOON);
    cop_future_release(f);
    return r;
}

TEST(without_memory_a_task_below_a_supervisor_is_a_rejection_and_nothing_is_left)
{
    cop_pid pid = start_tasks(0);
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_to_start, &pid, &r), 2);
    ck_assert_int_eq(r, 0);
    EVENTUALLY(count(pid).specs == 0);
}

TEST(without_memory_for_what_is_deferred_a_task_is_a_rejection_and_nothing_is_left)
{
    cop_pid pid = start_tasks(0);
    int r;
    ck_assert_int_eq(try_to_start(&pid), 0); /* its messages find memory, later */
    test_fill_deferred();
    ck_assert_uint_gt(test_out_of_memory(try_to_start, &pid, &r), 2);
    ck_assert_int_eq(r, 0);
    EVENTUALLY(count(pid).specs == 0);
}

/* ---------------------------------------------------------------- tasks as children */

TEST(a_task_supervisor_has_no_children_at_first_and_is_found_by_its_name) /* TSP-001 */
{
    cop_pid pid = start_tasks(0);
    ck_assert(cop_pid_eq(cop_whereis("tasks"), pid));
    cop_child_counts counts = count(cop_named("tasks"));
    ck_assert_uint_eq(counts.specs + counts.active + counts.supervisors + counts.workers, 0);
}

TEST(a_task_supervisor_is_a_child_like_any_other) /* TSP-001 */
{
    static const cop_supervisor_spec tasks = {.name = "tasks", .strategy = COP_DYNAMIC};
    cop_pid root;
    ck_assert_int_eq(cop_supervisor_start(&root, &(cop_supervisor_spec){COP_CHILDREN(
                                                     {.id = "tasks", .supervisor = &tasks})}),
                     0);
    int six = 6, n = 0;
    cop_future *f =
        cop_async_under(cop_named("tasks"), twice, .arg = COP_BYTES(six), .result_size = 4);
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), 0);
    ck_assert_int_eq(n, 12);
    cop_future_release(f);
}

TEST(a_task_below_a_supervisor_is_its_child_until_it_ends) /* TSP-002 TSK-006 */
{
    cop_pid pid = start_tasks(0);
    cop_future *f = cop_async_under(pid, wait_to_be_asked);
    cop_child_info child;
    size_t there;
    ck_assert_int_eq(cop_supervisor_children(pid, &child, 1, &there), 0);
    ck_assert_uint_eq(there, 1);
    ck_assert(cop_pid_eq(child.pid, cop_future_pid(f)));
    ck_assert_int_eq(child.restart, COP_TEMPORARY);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_task_shutdown(f, SOON), -ECANCELED);
    EVENTUALLY(count(pid).specs == 0);
    cop_future_release(f);
}

TEST(a_failure_below_a_supervisor_is_a_rejection_and_no_restart) /* TSP-002 */
{
    cop_pid pid = start_tasks(0);
    int code = -EACCES;
    for (int i = 0; i < 10; i++) {
        cop_future *f = cop_async_under(pid, fail_with, .arg = COP_BYTES(code));
        ck_assert_int_eq(cop_await(f, NULL, 0, SOON), -EACCES);
        cop_future_release(f);
    }
    ck_assert(cop_alive(pid));
}

static cop_future *theirs;

static int
start_linked(cop_bytes arg)
{
    int code = -EIO;
    (void)arg;
    theirs = cop_async_under(cop_named("tasks"), fail_with, .arg = COP_BYTES(code), .link = true);
    return cop_sleep(COP_FOREVER);
}

TEST(a_crash_of_a_linked_task_reaches_the_caller_and_not_the_supervisor) /* TSP-002 */
{
    cop_pid pid = start_tasks(0);
    cop_ref monitor;
    cop_spawn(NULL, start_linked, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert(cop_alive(pid));
    cop_future_release(theirs);
}

static int
start_and_end(cop_bytes arg)
{
    bool link = *(const bool *)arg.data;
    theirs = cop_async_under(cop_named("tasks"), wait_to_be_asked, .link = link);
    EVENTUALLY(running == 1);
    return -EIO;
}

TEST_TIMES(2, a_linked_task_ends_with_the_caller_and_another_goes_on) /* TSP-002 */
{
    cop_pid pid = start_tasks(0);
    cop_ref monitor;
    bool link = _i == 1;
    cop_spawn(NULL, start_and_end, .arg = COP_BYTES(link), .monitor = &monitor);
    test_down(monitor);
    if (link) {
        ck_assert_int_eq(cop_await(theirs, NULL, 0, SOON), -EIO);
    } else {
        ck_assert_uint_eq(count(pid).active, 1);
        ck_assert_int_eq(cop_future_state(theirs, NULL), -EINPROGRESS);
    }
    cop_future_release(theirs);
}

TEST(a_started_child_is_not_linked_and_listed_until_it_ends) /* TSP-004 */
{
    cop_pid pid = start_tasks(0), task;
    ck_assert_int_eq(cop_task_start_child(pid, wait_to_be_asked, (cop_bytes){0}, &task), 0);
    EVENTUALLY(running == 1);
    ck_assert_uint_eq(count(pid).active, 1);
    cop_exit_signal(task, cop_failed(-EIO, NULL));
    EVENTUALLY(count(pid).specs == 0);
}

TEST(a_task_is_terminated_by_its_pid) /* TSP-007 */
{
    cop_pid pid = start_tasks(0), task;
    ck_assert_int_eq(cop_task_start_child(pid, wait_to_be_asked, (cop_bytes){0}, &task), 0);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_supervisor_terminate(pid, task), 0);
    ck_assert(!cop_alive(task));
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(cop_supervisor_terminate(pid, task), -ENOENT);
    ck_assert_int_eq(cop_supervisor_terminate(pid, cop_self()), -ENOENT);
}

TEST(tasks_end_with_their_supervisor)
{
    cop_pid pid = start_tasks(0);
    cop_future *fs[5];
    for (int i = 0; i < 5; i++) {
        fs[i] = cop_async_under(pid, wait_to_be_asked);
    }
    EVENTUALLY(running == 5);
    ck_assert_int_eq(cop_supervisor_stop(pid, SOON), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_future_state(fs[i], NULL), -ECANCELED);
        cop_future_release(fs[i]);
    }
}

static int
never_ends(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    for (running++; running;) {
        cop_sleep(COP_MS(1));
    }
    return 0;
}

TEST(a_task_is_stopped_by_its_own_shutdown_rule)
{
    cop_pid pid = start_tasks(0);
    cop_future *f = cop_async_under(pid, never_ends, .shutdown = COP_MS(5));
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_supervisor_stop(pid, SOON), 0);
    cop_reason why;
    cop_future_state(f, &why);
    ck_assert_int_eq(why.kind, COP_KILLED);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- a supervisor that is busy */

static atomic_int is_held, gate;

static int
start_at_the_gate(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    is_held = 1;
    while (!gate) {
        struct timespec pause = {.tv_nsec = 100000};
        nanosleep(&pause, NULL);
    }
    *out = COP_NOBODY;
    return 0;
}

static int
hold_supervisor(cop_bytes arg)
{
    return cop_supervisor_start_child(*(const cop_pid *)arg.data,
                                      &(cop_child_spec){.start = start_at_the_gate}, NULL);
}

static int
ask_for_task(cop_bytes arg)
{
    running++;
    theirs = cop_async_under(*(const cop_pid *)arg.data, wait_to_be_asked);
    return 0;
}

TEST(a_caller_that_ends_while_it_asks_leaves_no_task) /* run under a leak checker, too */
{
    cop_pid pid = start_tasks(0), asker;
    cop_ref monitor, held;
    cop_spawn(NULL, hold_supervisor, .arg = COP_BYTES(pid), .monitor = &held);
    EVENTUALLY(is_held);
    cop_spawn(&asker, ask_for_task, .arg = COP_BYTES(pid), .monitor = &monitor);
    cop_process_info info;
    EVENTUALLY(cop_inspect(asker, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    cop_exit_signal(asker, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    gate = 1;
    test_down(held);
    ck_assert_uint_eq(count(pid).specs, 0);
    ck_assert_int_eq(running, 1);
}

TEST(a_caller_whose_context_ends_while_it_asks_has_a_rejected_future_and_no_task)
{
    cop_pid pid = start_tasks(0);
    cop_ref held;
    cop_spawn(NULL, hold_supervisor, .arg = COP_BYTES(pid), .monitor = &held);
    EVENTUALLY(is_held);
    cop_context *context = cop_context_new(COP_MS(3));
    cop_context_enter(context);
    cop_future *f = cop_async_under(pid, wait_to_be_asked);
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_int_eq(cop_future_state(f, NULL), -ETIMEDOUT);
    gate = 1;
    test_down(held);
    ck_assert_uint_eq(count(pid).specs, 0);
    ck_assert_int_eq(running, 0);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- streams */

enum {
    MANY = 12
};

static int
twice_or_crash(cop_bytes arg, void *result)
{
    int n = *(const int *)arg.data;
    cop_sleep(COP_MS(1) * (MANY - n) / 4); /* the first take longest */
    if (n == 5) {
        cop_exit(cop_failed(-EIO, "five"));
    }
    return twice(arg, result);
}

TEST(a_stream_below_a_supervisor_yields_as_without) /* TSP-009 */
{
    cop_pid pid = start_tasks(0);
    int values[MANY];
    cop_bytes items[MANY];
    for (int i = 0; i < MANY; i++) {
        values[i] = i;
        items[i] = COP_BYTES(values[i]);
    }
    cop_async_stream *stream;
    cop_async_item item;
    ck_assert_int_eq(cop_async_stream_under(
                         &stream, pid, twice_or_crash,
                         &(cop_async_stream_opts){
                             .items = items, .count = MANY, .limit = 4, .task.result_size = 4}),
                     0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
        ck_assert_int_eq(item.code, i == 5 ? -EIO : 0);
        if (i != 5) {
            ck_assert_int_eq(*(const int *)item.value.data, 2 * i);
        }
    }
    ck_assert_int_eq(cop_async_stream_next(stream, &item), -ENODATA);
    cop_async_stream_free(stream);
    EVENTUALLY(count(pid).specs == 0);
}

static int
wait_unless_first(cop_bytes arg, void *result)
{
    return *(const int *)arg.data ? wait_to_be_asked(arg, result) : 0;
}

TEST_TIMES(2, a_stream_below_a_supervisor_that_stops_early_leaves_nothing) /* TSP-011 */
{
    cop_pid pid = start_tasks(0);
    int values[] = {0, 1, 2, 3};
    cop_bytes items[] = {COP_BYTES(values[0]), COP_BYTES(values[1]), COP_BYTES(values[2]),
                         COP_BYTES(values[3])};
    cop_async_stream *stream;
    cop_async_item item;
    ck_assert_int_eq(
        cop_async_stream_under(
            &stream, pid, wait_unless_first,
            &(cop_async_stream_opts){.items = items, .count = 4, .limit = 4, .task.link = _i == 1}),
        0);
    ck_assert_int_eq(cop_async_stream_next(stream, &item), 0);
    ck_assert_int_eq(item.code, 0);
    EVENTUALLY(running == 3);
    cop_async_stream_free(stream);
    ck_assert_int_eq(ended, 3);
    EVENTUALLY(count(pid).specs == 0);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(1)), -ETIMEDOUT);
}

SUITE("task_supervisor")
