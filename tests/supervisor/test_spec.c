/*
 * tests/supervisor/test_spec.c - specifications: what is refused, and that nothing of the user's is
 * needed afterwards.
 *
 * Room: tests/. Case ids (SUP-026) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/spec.h"
#include "tests/supervisor/tree.h"

static int
work(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static const cop_statem machine = {.type = "machine"};

static int
start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)out, (void)arg, (void)why;
    return 0;
}

static void
refuses(const cop_supervisor_spec *spec, const char *why)
{
    struct copi_spec *copy = NULL;
    cop_self();
    ck_assert_int_eq(copi_spec_new(&copy, spec), -EINVAL);
    ck_assert_ptr_null(copy);
    ck_assert_str_eq(why_text(), why);
    ck_assert_int_eq(cop_why().code, -EINVAL);
}

static struct copi_spec *
copy_of(const cop_supervisor_spec *spec)
{
    struct copi_spec *copy = NULL;
    ck_assert_int_eq(copi_spec_new(&copy, spec), 0);
    return copy;
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
    struct copi_spec *copy;
    cop_self();
    ck_assert_int_eq(copi_spec_new(&copy, TREE(COP_CHILDREN({.id = id, .worker = work}))), -EINVAL);
    id[63] = '\0';
    ck_assert_int_eq(copi_spec_new(&copy, TREE(COP_CHILDREN({.id = id, .worker = work}))), 0);
    ck_assert_str_eq(copy->children[0].id, id);
    copi_spec_release(copy);
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

enum {
    KINDS = 7
};

/* Each bit of `set` is a kind. */
static cop_child_spec
child_of_kinds(unsigned set)
{
    static const char *const argv[] = {"true", NULL};
    static const cop_agent_spec agent;
    static const cop_supervisor_spec inner;
    return (cop_child_spec){
        .id = "a",
        .genserver = set & 1 ? &box : NULL,
        .worker = set & 2 ? work : NULL,
        .supervisor = set & 4 ? &inner : NULL,
        .command = set & 8 ? argv : NULL,
        .agent = set & 16 ? &agent : NULL,
        .start = set & 32 ? start : NULL,
        .statem = set & 64 ? &machine : NULL,
    };
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
    ck_assert_int_eq(copi_spec_check_child(&sup, &spec), -EINVAL);
    ck_assert_str_eq(why_text(), "{bad_combination,[{auto_shutdown,never},{significant,true}]}");
    sup.auto_shutdown = COP_ALL_SIGNIFICANT;
    ck_assert_int_eq(copi_spec_check_child(&sup, &spec), 0);
    sup.auto_shutdown = COP_ANY_SIGNIFICANT;
    spec.restart = COP_PERMANENT;
    ck_assert_int_eq(copi_spec_check_child(&sup, &spec), -EINVAL);
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
    copi_spec_release(copy_of(TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, .init = any_init)));
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
    ck_assert_uint_ge(test_out_of_memory(check, &spec, &result), 3);
    ck_assert_int_eq(result, 0);
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
    ck_assert_int_eq(cop_supervisor_check(&specs[COPI_DEEPEST_SPEC - 1]), 0);
    ck_assert_int_eq(cop_supervisor_check(&specs[COPI_DEEPEST_SPEC]), -EINVAL);
}

TEST(a_nested_supervisor_has_one_name)
{
    static const cop_supervisor_spec named = {.name = "inner"};
    refuses(TREE(COP_CHILDREN({.id = "a", .supervisor = &named, .name = "other"})),
            "a: name: the supervisor's own is inner");
    struct copi_spec *copy =
        copy_of(TREE(COP_CHILDREN({.id = "a", .supervisor = &named},
                                  {.id = "b", .supervisor = &named, .name = "inner"},
                                  {.id = "c", .supervisor = TREE(.name = NULL), .name = "c"})));
    ck_assert_str_eq(copy->children[0].name, "inner");
    ck_assert_str_eq(copy->children[1].name, "inner");
    ck_assert_str_eq(copy->children[2].name, "c");
    copi_spec_release(copy);
}

TEST(a_supervisor_may_not_have_a_bounded_mailbox)
{
    refuses(TREE(COP_CHILDREN(
                {.id = "a", .supervisor = &(cop_supervisor_spec){0}, .mailbox = {.limit = 8}})),
            "a: mailbox.limit: a supervisor must not lose what it tells itself");
}

static int
try_to_copy(void *spec)
{
    struct copi_spec *copy;
    int r = copi_spec_new(&copy, spec);
    if (r == 0) {
        copi_spec_release(copy);
    }
    return r;
}

TEST(without_memory_nothing_is_left_behind)
{
    const char *const argv[] = {"true", NULL};
    cop_supervisor_spec spec = {
        COP_CHILDREN(BOX("a"), {.id = "b", .command = argv},
                     {.id = "c", .agent = &(cop_agent_spec){.initial = COP_STR("state")}},
                     {.id = "d", .supervisor = TREE(COP_CHILDREN(BOX("x")))},
                     {.id = "e", .statem = &machine, .via = &key_of_r}),
        .via = &key_of_r};
    int result;
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(try_to_copy, &spec, &result), 10);
    ck_assert_int_eq(result, 0); /* the leak checker sees the rest */
}

/* ---------------------------------------------------------------- copied */

TEST(what_is_not_said_has_otps_defaults) /* SUP-024 */
{
    const char *const argv[] = {"true", NULL};
    struct copi_spec *copy =
        copy_of(TREE(COP_CHILDREN(BOX("g"), {.id = "w", .worker = work},
                                  {.id = "s", .supervisor = &(cop_supervisor_spec){0}},
                                  {.id = "c", .command = argv}, {.id = "f", .start = start},
                                  {.id = "a", .agent = &(cop_agent_spec){.state_size = 8}},
                                  {.id = "m", .statem = &machine})));
    static const cop_restart restarts[] = {COP_PERMANENT, COP_TRANSIENT, COP_PERMANENT,
                                           COP_PERMANENT, COP_PERMANENT, COP_PERMANENT,
                                           COP_PERMANENT};
    for (size_t i = 0; i < 7; i++) {
        const struct copi_child_spec *child = &copy->children[i];
        ck_assert_int_eq(child->restart, restarts[i]);
        ck_assert_int_eq(child->shutdown, i == 2 ? COP_FOREVER : COP_SEC(5));
        ck_assert(!child->significant);
        ck_assert_int_eq(copi_child_spec_is_supervisor(child), i == 2);
    }
    copi_spec_release(copy);
}

TEST(what_is_said_is_kept) /* SUP-024 */
{
    struct copi_spec *copy = copy_of(
        TREE(.name = "top", .strategy = COP_REST_FOR_ONE, .auto_shutdown = COP_ALL_SIGNIFICANT,
             .backoff_min = 3, .backoff_max = 4,
             COP_CHILDREN(BOX_WITH("a", .restart = COP_TEMPORARY, .shutdown = COP_BRUTAL_KILL,
                                   .significant = true, .contain_faults = true, .init_timeout = 7,
                                   .stack_size = 9, .mailbox = {.limit = 5}))));
    const struct copi_child_spec *a = &copy->children[0];
    ck_assert_str_eq(copy->name, "top");
    ck_assert_int_eq(copy->strategy, COP_REST_FOR_ONE);
    ck_assert_int_eq(copy->auto_shutdown, COP_ALL_SIGNIFICANT);
    ck_assert_int_eq(copy->backoff.min, 3);
    ck_assert_int_eq(copy->backoff.max, 4);
    ck_assert_int_eq(a->restart, COP_TEMPORARY);
    ck_assert_int_eq(a->shutdown, COP_BRUTAL_KILL);
    ck_assert(a->significant && a->contain_faults);
    ck_assert_int_eq(a->init_timeout, 7);
    ck_assert_uint_eq(a->stack_size, 9);
    ck_assert_uint_eq(a->mailbox.limit, 5);
    copi_spec_release(copy);
}

static void
has_intensity(const cop_supervisor_spec *spec, unsigned max_restarts, cop_time period)
{
    struct copi_spec *copy = copy_of(spec);
    ck_assert_uint_eq(copy->max_restarts, max_restarts);
    ck_assert_int_eq(copy->period, period);
    copi_spec_release(copy);
}

TEST(every_rule_and_policy_is_kept)
{
    for (cop_restart rule = COP_PERMANENT; rule <= COP_TEMPORARY; rule++) {
        struct copi_spec *copy =
            copy_of(TREE(COP_CHILDREN({.id = "w", .worker = work, .restart = rule},
                                      {.id = "g", .genserver = &box, .restart = rule})));
        ck_assert_int_eq(copy->children[0].restart, rule);
        ck_assert_int_eq(copy->children[1].restart, rule);
        copi_spec_release(copy);
    }
    for (cop_when_full policy = COP_FULL_REJECT; policy <= COP_FULL_DROP_OLD; policy++) {
        struct copi_spec *copy =
            copy_of(TREE(COP_CHILDREN({.id = "w", .worker = work, .mailbox = {1, policy}})));
        ck_assert_int_eq(copy->children[0].mailbox.when_full, policy);
        copi_spec_release(copy);
    }
}

TEST(every_mode_is_kept)
{
    for (cop_strategy strategy = COP_ONE_FOR_ONE; strategy <= COP_REST_FOR_ONE; strategy++) {
        struct copi_spec *copy = copy_of(TREE(.strategy = strategy));
        ck_assert_int_eq(copy->strategy, strategy);
        copi_spec_release(copy);
    }
    for (cop_auto_shutdown mode = COP_NEVER; mode <= COP_ALL_SIGNIFICANT; mode++) {
        struct copi_spec *copy = copy_of(TREE(.auto_shutdown = mode));
        ck_assert_int_eq(copy->auto_shutdown, mode);
        copi_spec_release(copy);
    }
    for (cop_give_up way = COP_GIVE_UP_SHUTDOWN; way <= COP_GIVE_UP_PROGRAM; way++) {
        struct copi_spec *copy = copy_of(
            TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, .give_up = way, COP_CHILDREN(BOX("a"))));
        ck_assert_int_eq(copy->strategy, COP_SIMPLE_ONE_FOR_ONE);
        ck_assert_int_eq(copy->give_up, way);
        copi_spec_release(copy);
    }
}

TEST(each_kind_keeps_the_shutdown_time_that_it_is_given)
{
    for (int kind = 0; kind < KINDS; kind++) {
        cop_child_spec child = child_of_kinds(1U << kind);
        const cop_time times[] = {COP_BRUTAL_KILL, COP_MS(1), COP_FOREVER};
        for (size_t i = 0; i < 3; i++) {
            child.shutdown = times[i];
            struct copi_spec *copy = copy_of(TREE(.children = &child, .child_count = 1));
            ck_assert_int_eq(copy->children[0].shutdown, times[i]);
            copi_spec_release(copy);
        }
    }
}

TEST(a_supervisor_may_say_that_it_supervises)
{
    cop_child_spec child = {.id = "a", .supervisor = TREE(.name = NULL), .supervises = true};
    ck_assert_int_eq(cop_supervisor_check(TREE(.children = &child, .child_count = 1)), 0);
}

TEST(what_a_start_function_starts_may_be_a_supervisor) /* SUP-024 */
{
    struct copi_spec *copy =
        copy_of(TREE(COP_CHILDREN({.id = "a", .start = start, .supervises = true},
                                  {.id = "b", .start = start, .supervises = true, .shutdown = 7})));
    ck_assert(copi_child_spec_is_supervisor(&copy->children[0]));
    ck_assert_int_eq(copy->children[0].shutdown, COP_FOREVER);
    ck_assert_int_eq(copy->children[1].shutdown, 7);
    copi_spec_release(copy);
}

TEST(what_is_said_of_dynamic_children_is_kept)
{
    struct copi_spec *copy =
        copy_of(TREE(.strategy = COP_DYNAMIC, .max_children = 3, .give_up = COP_GIVE_UP_CRASH,
                     .extra = COP_STR("extra"), .arg = COP_STR("arg"), .init = any_init));
    ck_assert_uint_eq(copy->max_children, 3);
    ck_assert_int_eq(copy->give_up, COP_GIVE_UP_CRASH);
    ck_assert_str_eq(copy->extra.data, "extra");
    ck_assert_str_eq(copy->arg.data, "arg");
    ck_assert(copy->init == any_init);
    copi_spec_release(copy);
}

TEST(there_are_no_pauses_and_no_limits_unless_they_are_asked_for) /* DYN-002 */
{
    struct copi_spec *copy = copy_of(TREE(.strategy = COP_DYNAMIC));
    ck_assert_int_eq(copy->backoff.min, 0);
    ck_assert_uint_eq(copy->max_children, SIZE_MAX);
    ck_assert_int_eq(copy->give_up, COP_GIVE_UP_SHUTDOWN);
    copi_spec_release(copy);
}

TEST(an_intensity_that_is_not_given_is_three_in_five_seconds)
{
    has_intensity(TREE(.name = NULL), 3, COP_SEC(5));
    has_intensity(TREE(.max_restarts = 7), 7, COP_SEC(5));
    has_intensity(TREE(.max_restarts = 7, .max_seconds = 2), 7, COP_SEC(2));
}

TEST(no_restarts_at_all_are_asked_for_with_a_period)
{
    has_intensity(TREE(.max_seconds = 2), 0, COP_SEC(2));
}

TEST(a_backoff_without_a_maximum_goes_up_to_a_minute)
{
    struct copi_spec *copy = copy_of(TREE(.backoff_min = COP_MS(1)));
    ck_assert_int_eq(copy->backoff.max, COP_SEC(60));
    copi_spec_release(copy);
    copy = copy_of(TREE(.backoff_min = COP_SEC(100)));
    ck_assert_int_eq(copy->backoff.max, COP_SEC(100));
    copi_spec_release(copy);
}

static void
is_via(const cop_via *via, const char *registry, const char *key, const char *value)
{
    ck_assert_str_eq(via->registry, registry);
    ck_assert_str_eq(via->key.data, key);
    ck_assert_str_eq(via->value.data, value);
    ck_assert_uint_eq((uintptr_t)via->key.data % 8, 0);
    ck_assert_uint_eq((uintptr_t)via->value.data % 8, 0);
}

TEST(a_key_and_a_value_may_be_empty)
{
    struct copi_spec *copy = copy_of(TREE(.via = &(cop_via){.registry = "r"}));
    ck_assert_str_eq(copy->via->registry, "r");
    ck_assert_uint_eq(copy->via->key.size + copy->via->value.size, 0);
    copi_spec_release(copy);
}

TEST(needs_nothing_of_the_users_afterwards)
{
    char id[] = "id", name[] = "name", arg[] = "arg", word[] = "word", state[] = "state";
    char registry[] = "registry", key[] = "key", value[] = "value";
    cop_via via = {registry, {key, sizeof key}, {value, sizeof value}};
    const char *argv[] = {word, "", "last", NULL};
    cop_agent_spec agent = {.initial = {state, sizeof state}, .state_size = 99};
    cop_supervisor_spec inner = {
        COP_CHILDREN({.id = id, .worker = work, .arg = {arg, sizeof arg}})};
    cop_child_spec list[] = {
        {.id = id, .name = name, .command = argv},
        {.id = "agent", .agent = &agent, .via = &via},
        {.id = "inner", .supervisor = &inner},
    };
    struct copi_spec *copy =
        copy_of(&(cop_supervisor_spec){.via = &via, .children = list, .child_count = 3});
    memset(id, '!', sizeof id - 1);
    memset(name, '!', sizeof name - 1);
    memset(arg, '!', sizeof arg - 1);
    memset(word, '!', sizeof word - 1);
    memset(state, '!', sizeof state - 1);
    memset(registry, '!', sizeof registry - 1);
    memset(key, '!', sizeof key - 1);
    memset(value, '!', sizeof value - 1);
    memset(&via, 0, sizeof via);
    memset(argv, 0, sizeof argv);
    memset(list, 0, sizeof list);
    memset(&agent, 0, sizeof agent);
    memset(&inner, 0, sizeof inner);
    const struct copi_child_spec *children = copy->children;
    ck_assert_str_eq(children[0].id, "id");
    ck_assert_str_eq(children[0].name, "name");
    ck_assert_uint_eq(children[0].words.size, sizeof "word" + sizeof "" + sizeof "last");
    ck_assert_mem_eq(children[0].words.data, "word\0\0last", children[0].words.size);
    ck_assert_mem_eq(children[1].initial.data, "state", 6);
    is_via(children[1].via, "registry", "key", "value");
    is_via(copy->via, "registry", "key", "value");
    ck_assert_ptr_null(children[0].via);
    ck_assert_uint_eq(children[1].agent.state_size, 99);
    ck_assert_str_eq(children[2].supervisor->children[0].id, "id");
    ck_assert_mem_eq(children[2].supervisor->children[0].arg.data, "arg", 4);
    copi_spec_release(copy);
}

TEST(a_nested_specification_lives_as_long_as_somebody_holds_it)
{
    struct copi_spec *copy = copy_of(TREE(
        COP_CHILDREN({.id = "mid", .supervisor = &(cop_supervisor_spec){COP_CHILDREN(BOX("a"))}})));
    struct copi_spec *nested = copi_spec_hold(copy->children[0].supervisor);
    copi_spec_release(copy);
    ck_assert_str_eq(nested->children[0].id, "a");
    copi_spec_release(nested);
    copi_spec_release(NULL);
}

TEST(an_argument_that_is_not_needed_any_more_can_be_dropped) /* SUP-072 */
{
    struct copi_child_spec spec;
    ck_assert_int_eq(copi_child_spec_copy(&spec, &(cop_child_spec)BOX("a")), 0);
    copi_child_spec_drop_argument(&spec);
    ck_assert_ptr_null(spec.arg.data);
    ck_assert_uint_eq(spec.arg.size, 0);
    ck_assert_str_eq(spec.id, "a");
    copi_child_spec_clear(&spec);
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

SUITE("spec")
