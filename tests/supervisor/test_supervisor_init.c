/*
 * tests/supervisor/test_supervisor_init.c - what a supervisor is told by its init, and how it gives up.
 *
 * Room: tests/. Case ids (SUP-006) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/supervisor.h"
#include "tests/supervisor/dynamic.h"

#include <sys/wait.h>
#include <unistd.h>

static const cop_child_spec a_child = BOX("a"), b_child = BOX("b");
static _Atomic int inits;

static void
fails(const cop_supervisor_spec *spec, int code, const char *why)
{
    cop_pid pid = {9};
    ck_assert_int_eq(cop_supervisor_start(&pid, spec), code);
    ck_assert_str_eq(why_text(), why);
    ck_assert_uint_eq(pid.id, 9);
    EVENTUALLY(cop_processes(NULL, 0) <= 1);
}

/* Answers with its argument. */
static int
answer(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec;
    inits++;
    return *(const int *)arg.data;
}

#define ANSWERS(number) .init = answer, .arg = COP_BYTES(number)

/* ---------------------------------------------------------------- unhappy */

TEST(an_init_that_fails_fails_the_start)
{
    int code = -EIO;
    fails(TREE(ANSWERS(code), COP_CHILDREN(BOX("a"))), -EIO, cop_strerror(-EIO));
    HAPPENED("");
}

TEST(an_answer_that_is_none_is_refused_and_told) /* SUP-007 */
{
    int code = 2;
    fails(TREE(ANSWERS(code), COP_CHILDREN(BOX("a"))), -EINVAL, "{bad_return_value,2}");
    HAPPENED("");
}

static int
make_nonsense(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)arg;
    spec->max_restarts = 7000000;
    return 0;
}

static int
make_it_a_template(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)arg;
    spec->strategy = COP_SIMPLE_ONE_FOR_ONE;
    return 0;
}

TEST(what_it_makes_has_to_be_a_specification)
{
    fails(TREE(.init = make_nonsense), -EINVAL, "max_restarts: 7000000 is more than 1000000");
    fails(TREE(.init = make_it_a_template), -EINVAL,
          "children: bad_start_spec: one template is wanted, not 0");
}

static int
end_it(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec, (void)arg;
    cop_exit(BOOM);
}

TEST(an_init_may_end_the_supervisor)
{
    fails(TREE(.init = end_it, .arg = COP_STR("x"), COP_CHILDREN(BOX("a"))), -EIO, "boom");
}

static int
start_with_init(void *arg)
{
    const cop_supervisor_spec inner = {
        .init = make_it_a_template, .arg = COP_STR("one"), COP_CHILDREN(BOX("a"))};
    cop_pid pid, outer = *(const cop_pid *)arg;
    int r = cop_supervisor_start_child(outer, CHILD_OF(.supervisor = &inner, .arg = COP_STR("two")),
                                       &pid);
    if (r == 0) {
        copi_alloc_fail_after(-1);
        ck_assert_int_eq(cop_supervisor_terminate(outer, pid), 0);
    }
    return r;
}

TEST(without_memory_it_does_not_start)
{
    cop_pid sup = start_tree(DYNAMIC());
    int result;
    ck_assert_uint_ge(test_out_of_memory(start_with_init, &sup, &result), 10);
    ck_assert_int_eq(result, 0);
}

TEST(an_init_may_decline) /* SUP-006 */
{
    int code = COP_IGNORE;
    cop_pid pid = {9};
    cop_trap_exits(true);
    ck_assert_int_eq(
        cop_supervisor_start(&pid, TREE(ANSWERS(code), .link = true, COP_CHILDREN(BOX("a")))), 0);
    ck_assert(cop_pid_eq(pid, COP_NOBODY));
    EVENTUALLY(cop_processes(NULL, 0) <= 1);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* nor is its end told, as since OTP 26 */
    HAPPENED("");                                       /* no child has started */
    const cop_supervisor_spec inner = {ANSWERS(code)};
    cop_pid sup = start_tree(TREE(COP_CHILDREN({.id = "s", .supervisor = &inner})));
    ck_assert_str_eq(listed(sup), "s=down"); /* SUP-009 */
}

/* ---------------------------------------------------------------- all is well */

static int
fill(cop_supervisor_spec *spec, cop_bytes arg)
{
    inits++;
    note("init(%.*s)", (int)arg.size, (const char *)arg.data);
    spec->children = inits == 1 ? &a_child : &b_child;
    spec->child_count = 1;
    return 0;
}

TEST(an_init_fills_the_specification_at_each_start_and_restart)
{
    const cop_supervisor_spec inner = {.name = "inner", .init = fill, .arg = {"first-", 6}};
    cop_pid sup =
        start_tree(TREE(COP_CHILDREN({.id = "s", .supervisor = &inner, .arg = {"second", 6}})));
    HAPPENED("init(first-second) +a");
    cop_pid before = cop_whereis("inner");
    ck_assert_int_eq(cop_exit_signal(before, COP_REASON_KILLED), 0);
    EVENTUALLY(has_happened("+b"));
    EVENTUALLY(cop_whereis("b").id != 0 && is_at_rest(sup));
    ck_assert(!cop_pid_eq(cop_whereis("inner"), before));
    ck_assert_str_eq(listed(cop_named("inner")), "b=up");
}

static int
see_what_was_written(cop_supervisor_spec *spec, cop_bytes arg)
{
    ck_assert_uint_eq(arg.size, 0);
    ck_assert_str_eq(spec->name, "sup");
    ck_assert_uint_eq(spec->child_count, 2);
    ck_assert_str_eq(spec->children[1].id, "b");
    cop_child_spec *first = cop_alloc(sizeof *first); /* lives as long as the supervisor */
    *first = spec->children[0];
    first->restart = COP_TEMPORARY;
    spec->children = first;
    spec->child_count = 1;
    spec->name = ""; /* is not even looked at */
    return 0;
}

TEST(an_init_changes_what_was_written)
{
    cop_child_info info;
    cop_pid sup = start_tree(
        TREE(.name = "sup", .init = see_what_was_written, COP_CHILDREN(BOX("a"), BOX("b"))));
    ck_assert_int_eq(cop_supervisor_child(sup, "a", &info), 0);
    ck_assert_int_eq(info.restart, COP_TEMPORARY);
    ck_assert(cop_pid_eq(cop_whereis("sup"), sup));
    HAPPENED("+a");
}

TEST(an_init_makes_a_template_of_what_it_finds)
{
    cop_pid sup = start_tree(
        TREE(.init = make_it_a_template, COP_CHILDREN({.id = "w", .worker = until_asked})));
    ck_assert(cop_alive(instance(sup, "x")));
}

/* ---------------------------------------------------------------- a dynamic one */

TEST(a_dynamic_supervisor_starts_with_no_children) /* DYN-001, DYN-002, DYN-004 */
{
    cop_pid sup = start_tree(DYNAMIC(.name = "pool", .link = true));
    ck_assert(cop_pid_eq(cop_whereis("pool"), sup));
    ck_assert_uint_eq(counts(sup).specs, 0);
    for (int i = 0; i < 1000; i++) { /* there is no limit of children */
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

static void
give_up_the_program(void)
{
    cop_pid sup = start_tree(
        TREE(.give_up = COP_GIVE_UP_PROGRAM, NO_RESTARTS, COP_CHILDREN(BOX("a"), BOX("b"))));
    (void)sup;
    end_box("a", BOOM);
    EVENTUALLY(false);
}

static void
tell_how_far(void)
{
    if (!has_happened("-b")) {
        _exit(77); /* its children are stopped before it ends */
    }
}

TEST(giving_up_the_program_ends_it_when_the_children_have_stopped)
{
    pid_t child = fork();
    if (child == 0) {
        if (atexit(tell_how_far) == 0) {
            give_up_the_program();
        }
        _exit(78);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
}

SUITE("supervisor_init")
