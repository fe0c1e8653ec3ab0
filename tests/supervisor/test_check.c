/*
 * tests/supervisor/test_check.c - what is a specification, and what is none.
 *
 * Room: tests/. Case ids (SUP-026) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/check.h"
#include "supervisor/spec.h"
#include "tests/supervisor/kinds.h"
#include "tests/supervisor/tree.h"

static void
refuses(const cop_supervisor_spec *spec, const char *why)
{
    cop_self();
    ck_assert_int_eq(copi_check_spec(spec), -EINVAL);
    ck_assert_str_eq(why_text(), why);
    ck_assert_int_eq(cop_why().code, -EINVAL);
}

static void
accepts(const cop_supervisor_spec *spec)
{
    ck_assert_int_eq(copi_check_spec(spec), 0);
}

/* ---------------------------------------------------------------- refused: children */

TEST(refuses_a_child_without_an_id) /* SUP-026 */
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work}, {.worker = work})),
            "children[1]: id: it has 1 to 63 bytes");
    refuses(TREE(COP_CHILDREN({.id = "", .worker = work})),
            "children[0]: id: it has 1 to 63 bytes");
}

TEST(refuses_an_id_that_is_too_long)
{
    char id[65];
    memset(id, 'x', 64);
    id[64] = '\0';
    refuses(
        TREE(COP_CHILDREN({.id = id, .worker = work})),
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: id: it has 1 to 63 bytes");
    id[63] = '\0';
    accepts(TREE(COP_CHILDREN({.id = id, .worker = work})));
}

TEST(a_child_alone_may_have_no_id)
{
    cop_self();
    ck_assert_int_eq(copi_check_child(&(cop_child_spec){.worker = work}), 0);
    ck_assert_int_eq(copi_check_child(&(cop_child_spec){.worker = work, .id = ""}), -EINVAL);
    ck_assert_str_eq(why_text(), "child: id: it has 1 to 63 bytes");
    ck_assert_int_eq(copi_check_child(&(cop_child_spec){0}), -EINVAL);
    ck_assert_str_eq(why_text(), "child: it is no genserver, statem, worker, supervisor, command, "
                                 "agent or start");
}

TEST(a_child_without_an_id_is_for_dynamic_supervisors_only)
{
    struct copi_spec sup = {.strategy = COP_ONE_FOR_ONE};
    struct copi_child_spec spec = {.restart = COP_PERMANENT};
    cop_self();
    ck_assert_int_eq(copi_check_child_of(&sup, &spec), -EINVAL);
    ck_assert_str_eq(why_text(), "child: id: it has 1 to 63 bytes");
    sup.strategy = COP_DYNAMIC;
    ck_assert_int_eq(copi_check_child_of(&sup, &spec), 0);
}

TEST(refuses_a_child_that_is_nothing) /* SUP-026 */
{
    refuses(TREE(COP_CHILDREN({.id = "a"})),
            "a: it is no genserver, statem, worker, supervisor, command, agent or start");
}

TEST(refuses_a_child_that_is_two_things)
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .genserver = &box})),
            "a: it is more than one kind of child");
    refuses(TREE(COP_CHILDREN({.id = "a", .statem = &machine, .genserver = &box})),
            "a: it is more than one kind of child");
}

TEST(a_child_is_exactly_one_thing)
{
    for (unsigned set = 0; set < 1U << KINDS; set++) {
        cop_child_spec child = child_of_kinds(set);
        bool is_one = set != 0 && (set & (set - 1)) == 0;
        int r = cop_supervisor_check(TREE(.children = &child, .child_count = 1));
        ck_assert_msg(r == (is_one ? 0 : -EINVAL), "%d for the kinds 0x%x", r, set);
    }
}

TEST(refuses_rules_that_are_none) /* SUP-028, DYN-030 */
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .restart = (cop_restart)9})),
            "a: restart: 9 is no rule");
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .restart = (cop_restart)-1})),
            "a: restart: -1 is no rule");
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .restart = COP_TEMPORARY + 1})),
            "a: restart: 4 is no rule");
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .shutdown = -2})),
            "a: shutdown: -2 is no time");
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .init_timeout = -1})),
            "a: init_timeout: -1 is no time");
    refuses(
        TREE(COP_CHILDREN({.id = "a", .worker = work, .mailbox = {.when_full = (cop_when_full)7}})),
        "a: mailbox.when_full: 7 is no policy");
    refuses(TREE(COP_CHILDREN(
                {.id = "a", .worker = work, .mailbox = {.when_full = COP_FULL_DROP_OLD + 1}})),
            "a: mailbox.when_full: 4 is no policy");
    refuses(TREE(COP_CHILDREN(
                {.id = "a", .worker = work, .mailbox = {.when_full = (cop_when_full)-1}})),
            "a: mailbox.when_full: -1 is no policy");
}

TEST(only_a_start_function_starts_a_supervisor_unknown_to_us)
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .supervises = true})),
            "a: supervises: only what a start function starts can");
}

TEST(refuses_names_that_are_none)
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .name = ""})),
            "a: name: it has 1 to 63 bytes");
    refuses(TREE(.name = ""), "name: it has 1 to 63 bytes"); /* SUP-020 */
    refuses(TREE(COP_CHILDREN({.id = "a", .start = start, .name = "a"})),
            "a: name: the process of a start function has its own");
}

static const cop_via key_of_r = {"r", COP_BYTES_INIT("key"), {NULL, 0}};

static void
refuses_via(cop_via via, const char *why)
{
    char of_child[128];
    (void)snprintf(of_child, sizeof of_child, "a: %s", why);
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .via = &via})), of_child);
    refuses(TREE(.via = &via), why);
}

TEST(refuses_keys_that_are_none)
{
    char long_name[65];
    memset(long_name, 'n', 64);
    long_name[64] = '\0';
    refuses_via((cop_via){0}, "via.registry: it has 1 to 63 bytes");
    refuses_via((cop_via){.registry = ""}, "via.registry: it has 1 to 63 bytes");
    refuses_via((cop_via){.registry = long_name}, "via.registry: it has 1 to 63 bytes");
    refuses_via((cop_via){"r", {NULL, 3}, {NULL, 0}}, "via.key: 3 bytes at NULL");
    refuses_via((cop_via){"r", COP_STR("k"), {NULL, 4}}, "via.value: 4 bytes at NULL");
}

TEST(refuses_a_key_beside_a_name)
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .name = "a", .via = &key_of_r})),
            "a: via: not with a name");
    refuses(TREE(.name = "sup", .via = &key_of_r), "via: not with a name");
    refuses(TREE(COP_CHILDREN({.id = "a", .start = start, .via = &key_of_r})),
            "a: via: the process of a start function has its own");
}

TEST(a_nested_supervisor_has_one_name_or_one_key)
{
    static const cop_supervisor_spec named = {.name = "inner"}, keyed = {.via = &key_of_r};
    refuses(TREE(COP_CHILDREN({.id = "a", .supervisor = &named, .via = &key_of_r})),
            "a: via: not with a name");
    refuses(TREE(COP_CHILDREN({.id = "a", .supervisor = &keyed, .name = "a"})),
            "a: via: not with a name");
    refuses(TREE(COP_CHILDREN({.id = "a", .supervisor = &keyed, .via = &key_of_r})),
            "a: via: the supervisor has one of its own");
}

static int
check_name(const char *name)
{
    cop_child_spec child = {.id = "a", .worker = work, .name = name};
    return cop_supervisor_check(TREE(.children = &child, .child_count = 1));
}

TEST(a_name_has_up_to_63_bytes)
{
    char name[65];
    memset(name, 'x', 64);
    name[64] = '\0';
    ck_assert_int_eq(check_name(name), -EINVAL);
    ck_assert_str_eq(why_text(), "a: name: it has 1 to 63 bytes");
    name[63] = '\0';
    ck_assert_int_eq(check_name(name), 0);
}

TEST(refuses_bytes_at_null)
{
    refuses(TREE(COP_CHILDREN({.id = "a", .worker = work, .arg = {NULL, 3}})),
            "a: arg: 3 bytes at NULL");
    refuses(TREE(COP_CHILDREN({.id = "a", .agent = &(cop_agent_spec){.initial = {NULL, 4}}})),
            "a: agent.initial: 4 bytes at NULL");
    refuses(TREE(.child_count = 2), "children: 2 at NULL");
}

TEST(refuses_a_command_without_a_program)
{
    refuses(TREE(COP_CHILDREN({.id = "a", .command = (const char *const[]){NULL}})),
            "a: command: it names no program");
    refuses(TREE(COP_CHILDREN({.id = "a", .command = (const char *const[]){"", NULL}})),
            "a: command: it names no program");
}

TEST(two_children_with_one_id_are_refused_in_the_words_of_otp) /* SUP-030 */
{
    refuses(TREE(COP_CHILDREN(BOX("c"), BOX("b"), BOX("a"), BOX("b"), BOX("c"))),
            "{start_spec,{duplicate_child_name,b}}"); /* the first that is met twice */
}

TEST(a_significant_child_needs_a_supervisor_that_shuts_itself_down) /* SUP-034 */
{
    refuses(TREE(COP_CHILDREN(BOX_WITH("a", .significant = true, .restart = COP_TRANSIENT))),
            "{start_spec,{bad_combination,[{auto_shutdown,never},{significant,true}]}}");
    refuses(TREE(.auto_shutdown = COP_ANY_SIGNIFICANT,
                 COP_CHILDREN(BOX_WITH("a", .significant = true))),
            "{start_spec,{bad_combination,[{restart,permanent},{significant,true}]}}");
}

TEST(a_significant_child_alone_is_refused_without_the_wrapping)
{
    struct copi_spec sup = {.auto_shutdown = COP_NEVER};
    struct copi_child_spec spec = {.id = "a", .significant = true, .restart = COP_TEMPORARY};
    cop_self();
    ck_assert_int_eq(copi_check_child_of(&sup, &spec), -EINVAL);
    ck_assert_str_eq(why_text(), "{bad_combination,[{auto_shutdown,never},{significant,true}]}");
    sup.auto_shutdown = COP_ALL_SIGNIFICANT;
    ck_assert_int_eq(copi_check_child_of(&sup, &spec), 0);
    sup.auto_shutdown = COP_ANY_SIGNIFICANT;
    spec.restart = COP_PERMANENT;
    ck_assert_int_eq(copi_check_child_of(&sup, &spec), -EINVAL);
    ck_assert_str_eq(why_text(), "{bad_combination,[{restart,permanent},{significant,true}]}");
}

/* ---------------------------------------------------------------- refused: supervisors */

TEST(refuses_flags_that_are_none) /* SUP-032 */
{
    refuses(TREE(.strategy = (cop_strategy)5), "strategy: 5 is none");
    refuses(TREE(.strategy = (cop_strategy)-1), "strategy: -1 is none");
    refuses(TREE(.auto_shutdown = (cop_auto_shutdown)-1), "auto_shutdown: -1 is no mode");
    refuses(TREE(.give_up = (cop_give_up)-1), "give_up: -1 is no way to");
    refuses(TREE(.auto_shutdown = (cop_auto_shutdown)3), "auto_shutdown: 3 is no mode");
    refuses(TREE(.max_restarts = COPI_MAX_RESTARTS + 1),
            "max_restarts: 1000001 is more than 1000000");
    refuses(TREE(.backoff_min = -1), "backoff_min, backoff_max: -1 to 0 is no range");
    refuses(TREE(.backoff_min = 5, .backoff_max = 4),
            "backoff_min, backoff_max: 5 to 4 is no range");
    refuses(TREE(.backoff_max = 4), "backoff_min, backoff_max: 0 to 4 is no range");
    refuses(TREE(.give_up = (cop_give_up)4), "give_up: 4 is no way to");
    refuses(NULL, cop_strerror(-EINVAL));
}

TEST(a_template_is_exactly_one) /* SOF-002 */
{
    refuses(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE),
            "children: bad_start_spec: one template is wanted, not 0");
    refuses(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, COP_CHILDREN(BOX("a"), BOX("b"))),
            "children: bad_start_spec: one template is wanted, not 2");
    refuses(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, COP_CHILDREN({.worker = work})),
            "children[0]: id: it has 1 to 63 bytes");
}

TEST(refuses_what_does_not_go_with_the_strategy)
{
    refuses(TREE(.strategy = COP_DYNAMIC, COP_CHILDREN(BOX("a"))),
            "children: dynamic ones are started by request, not with the supervisor");
    refuses(TREE(.strategy = COP_DYNAMIC, .auto_shutdown = COP_ANY_SIGNIFICANT),
            "auto_shutdown: not with dynamic children");
    refuses(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, .extra = COP_STR("x"), COP_CHILDREN(BOX("a"))),
            "extra: not with simple_one_for_one");
    refuses(TREE(.extra = COP_STR("x")), "extra: not with one_for_one");
    refuses(TREE(.max_children = 1), "max_children: not with one_for_one");
    refuses(TREE(.max_children = COP_NO_CHILDREN), "max_children: not with one_for_one");
    refuses(TREE(.strategy = COP_ONE_FOR_ALL, .give_up = COP_GIVE_UP_CHILD),
            "give_up: with one_for_all no child is given up alone");
    refuses(TREE(.strategy = COP_REST_FOR_ONE, .give_up = COP_GIVE_UP_CHILD),
            "give_up: with rest_for_one no child is given up alone");
    refuses(TREE(
                COP_CHILDREN({.id = "p", .supervisor = &(cop_supervisor_spec){.max_children = 1}})),
            "p: max_children: not with one_for_one");
    refuses(TREE(.strategy = COP_DYNAMIC, .extra = {NULL, 3}), "extra: 3 bytes at NULL");
    refuses(TREE(.arg = {NULL, 3}), "arg: 3 bytes at NULL");
}

static int
any_init(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec, (void)arg;
    return 0;
}

TEST(what_an_init_may_still_change_is_not_refused)
{
    accepts(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, .init = any_init));
}

TEST(specifications_are_checked_without_any_supervisor) /* SUP-029 */
{
    ck_assert_int_eq(cop_supervisor_check(TREE(COP_CHILDREN(BOX("a"), BOX("b")))), 0);
    ck_assert_int_eq(cop_supervisor_check(TREE(COP_CHILDREN(BOX("a"), BOX("a")))), -EINVAL);
    ck_assert_str_eq(why_text(), "{start_spec,{duplicate_child_name,a}}");
    ck_assert_int_eq(cop_supervisor_check(NULL), -EINVAL);
    ck_assert_uint_le(cop_processes(NULL, 0), 1);
    HAPPENED("");
}

static int
check(void *spec)
{
    return cop_supervisor_check(spec);
}

TEST(a_check_needs_memory)
{
    cop_supervisor_spec spec = {COP_CHILDREN(BOX("a"))};
    int result;
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(check, &spec, &result), 1);
    ck_assert_int_eq(result, 0);
}

TEST(more_children_than_memory_can_hold_are_not_looked_at)
{
    const cop_child_spec one = BOX("a");
    cop_self();
    ck_assert_int_eq(copi_check_spec(
                         &(cop_supervisor_spec){.children = &one, .child_count = SIZE_MAX}),
                     -ENOMEM);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
}

static const cop_supervisor_spec low = {
    COP_CHILDREN({.id = "ok", .worker = work}, {.id = "deep", .worker = work, .shutdown = -9})};
static const cop_supervisor_spec mid = {COP_CHILDREN({.id = "low", .supervisor = &low})};

TEST(says_where_in_the_tree_the_mistake_is)
{
    refuses(TREE(COP_CHILDREN({.id = "mid", .supervisor = &mid})),
            "mid/low/deep: shutdown: -9 is no time");
}

TEST(refuses_a_supervisor_in_itself)
{
    cop_child_spec child = {.id = "again"};
    cop_supervisor_spec endless = {.children = &child, .child_count = 1};
    child.supervisor = &endless;
    refuses(&endless, "supervisor: more than 64 of them, one in the other");
}

TEST(supervisors_may_be_64_deep)
{
    cop_child_spec children[COPI_DEEPEST_SPEC];
    cop_supervisor_spec specs[COPI_DEEPEST_SPEC + 1] = {{.name = NULL}};
    for (size_t i = 0; i < COPI_DEEPEST_SPEC; i++) { /* each is in the one after it */
        children[i] = (cop_child_spec){.id = "in", .supervisor = &specs[i]};
        specs[i + 1] = (cop_supervisor_spec){.children = &children[i], .child_count = 1};
    }
    accepts(&specs[COPI_DEEPEST_SPEC - 1]);
    refuses(&specs[COPI_DEEPEST_SPEC], "supervisor: more than 64 of them, one in the other");
}

TEST(a_nested_supervisor_has_one_name)
{
    static const cop_supervisor_spec named = {.name = "inner"};
    refuses(TREE(COP_CHILDREN({.id = "a", .supervisor = &named, .name = "other"})),
            "a: name: the supervisor's own is inner");
    accepts(TREE(COP_CHILDREN({.id = "a", .supervisor = &named, .name = "inner"})));
    accepts(TREE(COP_CHILDREN({.id = "a", .supervisor = &named})));
}

TEST(a_supervisor_may_not_have_a_bounded_mailbox)
{
    refuses(TREE(COP_CHILDREN(
                {.id = "a", .supervisor = &(cop_supervisor_spec){0}, .mailbox = {.limit = 8}})),
            "a: mailbox.limit: a supervisor must not lose what it tells itself");
}

TEST(a_key_and_a_value_may_be_empty)
{
    accepts(TREE(.via = &(cop_via){.registry = "r"}));
}

TEST(ten_thousand_children_are_compared_in_no_time)
{
    enum {
        COUNT = 10000
    };
    static char ids[COUNT][16];
    static cop_child_spec list[COUNT];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "child-%d", i);
        list[i] = (cop_child_spec){.id = ids[i], .worker = work};
    }
    list[COUNT - 1].id = ids[17];
    refuses(&(cop_supervisor_spec){.children = list, .child_count = COUNT},
            "{start_spec,{duplicate_child_name,child-17}}");
}

SUITE("check")
