/*
 * tests/supervisor/test_supervisor_dynamic.c - dynamic supervisors as a whole, and ways of giving up.
 *
 * Room: tests/. Case ids (DYN-001) are those of the conformance list.
 */
#include "supervisor/supervisor.h"
#include "tests/supervisor/dynamic.h"

#include <sys/wait.h>
#include <unistd.h>

static const cop_child_spec a_child = BOX("a"), b_child = BOX("b");

/* ---------------------------------------------------------------- a dynamic one */

TEST(a_dynamic_supervisor_starts_with_no_children) /* DYN-001, DYN-002, DYN-004 */
{
    cop_pid sup = start_tree(DYNAMIC(.name = "pool", .link = true));
    ck_assert(cop_pid_eq(cop_whereis("pool"), sup));
    ck_assert_uint_eq(counts(sup).specs, 0);
    for (int i = 0; i < 300; i++) { /* there is no limit of children */
        started(sup, WORKER(until_asked));
    }
    stop_tree(sup);
    ck_assert(cop_pid_eq(cop_whereis("pool"), COP_NOBODY));
}

TEST(a_dynamic_supervisor_may_be_a_child) /* DYN-001 */
{
    cop_pid top = start_tree(
        TREE(COP_CHILDREN({.id = "one", .supervisor = DYNAMIC(.name = "one")},
                          {.id = "two", .supervisor = INSTANCES(WORKER(until_asked, .id = "w"))})));
    ck_assert_str_eq(listed(top), "two=up one=up");
    ck_assert_uint_eq(counts(top).supervisors, 2);
    started(cop_named("one"), &a_child);
    ck_assert_int_eq(cop_exit_signal(cop_whereis("one"), COP_REASON_KILLED), 0);
    EVENTUALLY(cop_supervisor_count(cop_named("one"), &(cop_child_counts){0}) == 0
               && cop_whereis("a").id == 0);
    ck_assert_uint_eq(counts(cop_named("one")).specs, 0); /* its children are lost: scenario 32 */
}

/* ---------------------------------------------------------------- giving up */

#define NO_RESTARTS .max_seconds = 3600

TEST(giving_up_as_a_crash_lets_a_transient_supervisor_be_restarted)
{
    const cop_supervisor_spec inner = {
        .give_up = COP_GIVE_UP_CRASH, NO_RESTARTS, COP_CHILDREN(BOX("a"), BOX("b"))};
    record_reports();
    cop_pid sup =
        start_tree(TREE(COP_CHILDREN({.id = "s", .supervisor = &inner, .restart = COP_TRANSIENT})));
    happened();
    end_box("a", BOOM);
    EVENTUALLY(has_happened("+b"));
    EVENTUALLY(is_at_rest(sup));
    HAPPENED("terminated(a boom) gave_up(a reached_max_restart_intensity) -b "
             "terminated(s reached_max_restart_intensity) +a +b");
}

TEST(giving_up_as_a_crash_is_told_by_kind_and_code)
{
    cop_pid sup =
        start_tree(TREE(.give_up = COP_GIVE_UP_CRASH, NO_RESTARTS, COP_CHILDREN(BOX("a"))));
    cop_ref monitor = cop_monitor(sup);
    end_box("a", BOOM);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ENOTRECOVERABLE);
    ck_assert_str_eq(reason.text, "reached_max_restart_intensity");
}

TEST(giving_up_a_child_leaves_it_down_and_its_siblings_alone)
{
    record_reports();
    cop_pid sup = start_tree(
        TREE(.give_up = COP_GIVE_UP_CHILD, NO_RESTARTS, COP_CHILDREN(BOX("a"), BOX("b"))));
    end_box_of(sup, "a", BOOM);
    ck_assert_str_eq(listed(sup), "b=up a=down");
    end_box_of(sup, "b", BOOM);
    ck_assert_str_eq(listed(sup), "b=down a=down");
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "a", NULL), 0);
    HAPPENED("+a +b terminated(a boom) gave_up(a reached_max_restart_intensity) "
             "terminated(b boom) gave_up(b reached_max_restart_intensity) +a");
}

TEST(giving_up_a_child_whose_restart_fails_ends_the_attempts)
{
    boxes[0].plan = "+ff";
    record_reports();
    cop_pid sup = start_tree(TREE(.give_up = COP_GIVE_UP_CHILD, .max_restarts = 2,
                                  .max_seconds = 3600, COP_CHILDREN(BOX("a"), BOX("b"))));
    end_box_of(sup, "a", BOOM);
    HAPPENED("+a +b terminated(a boom) !a start_error(a busy) !a start_error(a busy) "
             "gave_up(a reached_max_restart_intensity)");
    ck_assert_str_eq(listed(sup), "b=up a=down");
}

TEST(giving_up_a_dynamic_child_forgets_it)
{
    cop_pid sup = start_tree(DYNAMIC(.give_up = COP_GIVE_UP_CHILD, NO_RESTARTS));
    cop_pid other = started(sup, &b_child);
    started(sup, &a_child);
    end_box_of(sup, "a", BOOM);
    ck_assert_str_eq(listed(sup), "=up");
    ck_assert(cop_alive(other));
}

TEST(giving_up_a_significant_child_is_its_end)
{
    cop_pid sup = start_tree(
        TREE(.give_up = COP_GIVE_UP_CHILD, NO_RESTARTS, .auto_shutdown = COP_ANY_SIGNIFICANT,
             COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT, .significant = true))));
    cop_ref monitor = cop_monitor(sup);
    end_box("a", BOOM);
    cop_reason reason = test_down(monitor);
    ck_assert(reason.kind == COP_SHUTDOWN && reason.code == 0);
}

enum {
    WENT_ON = 78
};

static void
tell_how_far(void)
{
    (void)dprintf(STDERR_FILENO, "at exit: %s\n", happened());
}

static _Noreturn void
give_up_the_program(void)
{
    if (atexit(tell_how_far) == 0) {
        record_reports();
        start_tree(
            TREE(.give_up = COP_GIVE_UP_PROGRAM, NO_RESTARTS, COP_CHILDREN(BOX("a"), BOX("b"))));
        end_box("a", BOOM);
        cop_sleep(SOON);
    }
    _exit(WENT_ON);
}

TEST(giving_up_the_program_ends_it_when_the_children_have_stopped)
{
    test_catch_stderr();
    pid_t program = fork();
    if (program == 0) {
        give_up_the_program();
    }
    int status;
    ck_assert_int_eq(waitpid(program, &status, 0), program);
    char *said = test_caught_stderr();
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    ck_assert_ptr_nonnull(strstr(said, "a supervisor gave up: reached_max_restart_intensity"));
    ck_assert_ptr_nonnull(strstr(said, "at exit: +a +b terminated(a boom) "
                                       "gave_up(a reached_max_restart_intensity) -b\n"));
    free(said);
}

/* ---------------------------------------------------------------- from all sides */

/* Starts, stops and kills, and leaves every fourth to itself. */
static int
come_and_go(cop_bytes arg)
{
    cop_pid sup = *(const cop_pid *)arg.data, pid;
    for (int i = 0; i < 100; i++) {
        int r = cop_supervisor_start_instance(sup, COP_STR("x"), &pid);
        if (r == 0 && i % 4 < 2) {
            r = cop_supervisor_terminate(sup, pid);
        } else if (r == 0 && i % 4 == 2) {
            r = cop_exit_signal(pid, COP_REASON_KILLED);
        }
        if (r) {
            return r;
        }
    }
    return 0;
}

TEST_TIMES(2, instances_that_come_and_go_from_all_sides_are_none_too_many)
{
    enum {
        SIDES = 4
    };
    const cop_child_spec worker = {
        .id = "w",
        .worker = until_asked,
        .restart = _i == 0 ? COP_TEMPORARY : COP_PERMANENT,
    };
    cop_pid sup = start_tree(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, .max_restarts = 1000000,
                                  .children = &worker, .child_count = 1));
    cop_ref monitors[SIDES];
    for (int i = 0; i < SIDES; i++) {
        ck_assert_int_eq(
            cop_spawn(NULL, come_and_go, .arg = COP_BYTES(sup), .monitor = &monitors[i]), 0);
    }
    for (int i = 0; i < SIDES; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    /* Those that were let be, and of permanent ones those that were killed. */
    EVENTUALLY(counts(sup).active == SIDES * (_i == 0 ? 25 : 50));
    stop_tree(sup);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
}

SUITE("supervisor_dynamic")
