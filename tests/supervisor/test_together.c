/*
 * tests/supervisor/test_together.c - stopping all children at the same time.
 *
 * Room: tests/. Case ids (DYN-024) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/supervisor.h"
#include "supervisor/together.h"
#include "tests/supervisor/dynamic.h"

enum {
    MANY = 100
};

static void
start_many(cop_pid sup, const cop_child_spec *spec)
{
    for (int i = 0; i < MANY; i++) {
        started(sup, spec);
    }
}

static int
end_slowly(cop_bytes arg)
{
    until_asked(arg);
    EVENTUALLY(asked == 3);
    note("slowly");
    return 0;
}

static int
end_after_a_while(cop_bytes arg)
{
    until_asked(arg);
    cop_time end = cop_now() + COP_MS(100);
    EVENTUALLY(cop_now() >= end);
    note("ended");
    return 0;
}

static int
until_the_others_are_gone(cop_bytes arg)
{
    until_asked(arg);
    EVENTUALLY(cop_whereis("one").id == 0 && cop_whereis("two").id == 0);
    return 0;
}

static atomic_bool no_memory;

static int
end_with_arg_without_memory(cop_bytes arg)
{
    until_asked(arg);
    EVENTUALLY(no_memory);
    cop_exit(cop_failed(-EIO, "%s", (const char *)arg.data));
}

static int
no_memory_and_end_slowly(cop_bytes arg)
{
    until_asked(arg);
    copi_alloc_fail_after(0);
    no_memory = true;
    EVENTUALLY(has_happened("oops"));
    return 0;
}

static int
unlink_arg(cop_bytes arg)
{
    cop_unlink(*(const cop_pid *)arg.data);
    return until_asked(arg);
}

static int
until_all_are_asked(cop_bytes arg)
{
    until_asked(arg);
    EVENTUALLY(asked == 3);
    return 0;
}

static int
stop_arg(cop_bytes arg)
{
    return cop_supervisor_stop(*(const cop_pid *)arg.data, SOON);
}

/* ---------------------------------------------------------------- unhappy */

TEST(without_children_there_is_nothing_to_wait_for)
{
    struct copi_spec spec = {.strategy = COP_DYNAMIC};
    struct copi_supervisor sup = {.spec = &spec};
    copi_stop_together(&sup);
    ck_assert_uint_eq(sup.children.count, 0);
}

TEST(one_that_hangs_is_killed_at_its_own_deadline_and_reported) /* SOF-013, DYN-024 */
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    cop_time before = cop_now();
    started(sup, WORKER(deaf, .id = "deaf", .shutdown = COP_MS(50)));
    started(sup, WORKER(deaf, .id = "brutal", .shutdown = COP_BRUTAL_KILL));
    started(sup, WORKER(until_asked, .id = "forever", .shutdown = COP_FOREVER));
    started(sup, WORKER(until_asked, .id = "good"));
    EVENTUALLY(heard == 4);
    stop_tree(sup);
    ck_assert_int_ge(cop_now() - before, COP_MS(50));
    HAPPENED("shutdown_error(deaf killed)");
    ck_assert_int_eq(asked, 2);
}

TEST(nobody_has_longer_because_another_has)
{
    cop_pid sup = start_tree(DYNAMIC());
    started(sup, WORKER(deaf, .name = "two", .shutdown = COP_MS(40)));
    started(sup, WORKER(deaf, .name = "one", .shutdown = COP_MS(10)));
    started(sup, WORKER(until_the_others_are_gone, .shutdown = COP_SEC(3600)));
    EVENTUALLY(heard == 3);
    stop_tree(sup);
    ck_assert_int_eq(asked, 1);
}

TEST(one_that_has_for_ever_is_not_killed)
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    started(sup, WORKER(end_after_a_while, .shutdown = COP_FOREVER));
    EVENTUALLY(heard == 1);
    stop_tree(sup);
    HAPPENED("ended");
}

TEST(ends_of_instances_are_reported_by_reason_and_number)
{
    record_reports();
    cop_pid sup = start_tree(INSTANCES(WORKER(end_with_arg, .id = "w")));
    instance(sup, "oops");
    instance(sup, "ouch");
    instance(sup, "oops");
    EVENTUALLY(heard == 3);
    stop_tree(sup);
    const char *said = happened();
    ck_assert_ptr_nonnull(strstr(said, "shutdown_error(w 2 oops)"));
    ck_assert_ptr_nonnull(strstr(said, "shutdown_error(w 1 ouch)"));
    ck_assert_uint_eq(test_count(said, "shutdown_error"), 2);
}

TEST(ends_of_dynamic_children_are_reported_one_by_one_when_all_are_gone) /* DYN-026 */
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    started(sup, WORKER(end_with_arg, .id = "a", .arg = COP_STR("oops")));
    started(sup, WORKER(end_with_arg, .id = "b", .arg = COP_STR("oops")));
    started(sup, WORKER(end_slowly, .id = "c"));
    EVENTUALLY(heard == 3);
    cop_ref monitor = cop_monitor(sup);
    stop_tree(sup);
    const char *said = happened();
    ck_assert_ptr_eq(strstr(said, "slowly "), said);
    ck_assert_ptr_nonnull(strstr(said, "shutdown_error(a oops)"));
    ck_assert_ptr_nonnull(strstr(said, "shutdown_error(b oops)"));
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN); /* its own, whatever theirs are */
}

TEST(without_memory_to_remember_it_an_end_is_reported_at_once)
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    started(sup, WORKER(end_with_arg_without_memory, .id = "a", .arg = COP_STR("oops")));
    started(sup, WORKER(no_memory_and_end_slowly, .id = "b"));
    EVENTUALLY(heard == 2);
    stop_tree(sup);
    copi_alloc_fail_after(-1);
    ck_assert(has_happened("shutdown_error(a oops)"));
}

TEST(a_child_that_has_removed_its_link_is_waited_for_all_the_same)
{
    cop_pid sup = start_tree(DYNAMIC());
    cop_pid child = started(sup, WORKER(unlink_arg, .arg = COP_BYTES(sup)));
    EVENTUALLY(heard == 1);
    stop_tree(sup);
    ck_assert(!cop_alive(child));
    ck_assert_int_eq(asked, 1);
}

TEST(children_that_have_ended_before_they_are_asked_are_heard_of)
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    cop_pid child = started(sup, WORKER(end_with_arg, .id = "a", .arg = COP_STR("oops")));
    EVENTUALLY(heard == 1);
    cop_ref monitor = cop_monitor(child);
    cop_process_info info;
    hold(sup);
    ck_assert_int_eq(cop_spawn(NULL, stop_arg, .arg = COP_BYTES(sup)), 0);
    EVENTUALLY(cop_inspect(sup, &info) == 0 && info.mailbox == 1); /* it is asked to stop first */
    ck_assert_int_eq(cop_exit_signal(child, COP_REASON_SHUTDOWN), 0);
    test_down(monitor);
    release();
    stop_tree(sup);
    HAPPENED("shutdown_error(a oops)");
}

static cop_step
keep_pid(void *state, cop_bytes arg)
{
    cop_trap_exits(true);
    *(cop_pid *)state = *(const cop_pid *)arg.data;
    return cop_ok();
}

static void
ask_supervisor(void *state, cop_reason reason)
{
    cop_child_counts counted;
    (void)reason;
    note("asked:%d", cop_supervisor_count(*(const cop_pid *)state, &counted));
}

static const cop_genserver asks_at_its_end = {
    .type = "asks",
    .state_size = sizeof(cop_pid),
    .init = keep_pid,
    .terminate = ask_supervisor,
};

TEST(a_child_that_asks_its_supervisor_while_it_is_stopped_is_refused)
{
    cop_pid sup = start_tree(DYNAMIC());
    for (int i = 0; i < 2; i++) {
        started(sup, CHILD_OF(.genserver = &asks_at_its_end, .arg = COP_BYTES(sup),
                              .shutdown = COP_FOREVER));
    }
    stop_tree(sup);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "asked:%d asked:%d", -EDEADLK, -EDEADLK);
    HAPPENED(expected);
}

TEST(a_supervisor_that_is_killed_meanwhile_lets_everything_be)
{
    cop_pid sup = start_tree(DYNAMIC());
    cop_pid child = started(sup, WORKER(deaf, .shutdown = COP_FOREVER));
    EVENTUALLY(heard == 1);
    ck_assert_int_eq(cop_supervisor_stop(sup, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_eq(cop_exit_signal(sup, COP_REASON_KILLED), 0);
    EVENTUALLY(!cop_alive(sup));
    ck_assert(cop_alive(child));
    ck_assert_int_eq(cop_exit_signal(child, COP_REASON_KILLED), 0);
}

TEST(one_between_two_attempts_is_not_waited_for)
{
    record_reports();
    boxes[0].plan = "+f";
    cop_pid sup = start_tree(DYNAMIC(.backoff_min = COP_SEC(60)));
    started(sup, &(cop_child_spec)BOX("a"));
    end_box("a", BOOM);
    EVENTUALLY(has_happened("terminated(a boom)"));
    stop_tree(sup);
    HAPPENED("+a terminated(a boom)");
}

/* ---------------------------------------------------------------- all is well */

TEST(all_are_asked_before_any_end_is_waited_for) /* DYN-024 */
{
    cop_pid sup = start_tree(INSTANCES(WORKER(until_all_are_asked, .id = "w")));
    for (int i = 0; i < 3; i++) {
        instance(sup, "3");
    }
    EVENTUALLY(heard == 3);
    stop_tree(sup);
    ck_assert_int_eq(asked, 3);
}

TEST(many_end_quietly) /* SOF-014, DYN-025 */
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    start_many(sup, WORKER(until_asked, .restart = COP_PERMANENT));
    start_many(sup, WORKER(until_asked, .shutdown = COP_BRUTAL_KILL));
    cop_ref monitor = cop_monitor(sup);
    stop_tree(sup);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    HAPPENED("");
}

SUITE("together")
