/*
 * tests/supervisor/test_init.c - what an init of the user's makes of a specification.
 *
 * Room: tests/. Case ids (SUP-006) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/init.h"
#include "tests/supervisor/dynamic.h"

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

static int
write_name_and_link(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)arg;
    spec->name = "";
    spec->link = true;
    return 0;
}

TEST(an_init_cannot_write_a_name_where_there_was_none)
{
    cop_pid sup = start_tree(TREE(.init = write_name_and_link, COP_CHILDREN(BOX("a"))));
    ck_assert_int_eq(cop_exit_signal(sup, COP_REASON_SHUTDOWN), 0); /* of a stranger: ignored */
    ck_assert_uint_eq(counts(sup).active, 1);
}

TEST(an_init_makes_a_template_of_what_it_finds)
{
    cop_pid sup = start_tree(
        TREE(.init = make_it_a_template, COP_CHILDREN({.id = "w", .worker = until_asked})));
    ck_assert(cop_alive(instance(sup, "x")));
}

SUITE("init")
