/*
 * tests/supervisor/test_spec.c - specifications, copied so that nothing of the user's is needed.
 *
 * Room: tests/. Case ids (SUP-026) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/spec.h"
#include "tests/supervisor/kinds.h"
#include "tests/supervisor/tree.h"

static struct copi_spec *
copy_of(const cop_supervisor_spec *spec)
{
    struct copi_spec *copy = NULL;
    ck_assert_int_eq(copi_spec_new(&copy, spec), 0);
    return copy;
}

static const cop_via key_of_r = {"r", COP_BYTES_INIT("key"), {NULL, 0}};

static int
any_init(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec, (void)arg;
    return 0;
}

/* ---------------------------------------------------------------- refused */

TEST(what_is_none_is_not_copied)
{
    struct copi_spec *copy = NULL;
    struct copi_child_spec child;
    cop_self();
    ck_assert_int_eq(copi_spec_new(&copy, NULL), -EINVAL);
    ck_assert_int_eq(copi_spec_new(&copy, TREE(COP_CHILDREN({.id = "a"}))), -EINVAL);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(copi_child_spec_copy(&child, &(cop_child_spec){.id = "a"}), -EINVAL);
    ck_assert_str_eq(child.id, "");
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

TEST(a_nested_supervisors_name_is_its_childs)
{
    static const cop_supervisor_spec named = {.name = "inner"};
    struct copi_spec *copy = copy_of(TREE(COP_CHILDREN({.id = "a", .supervisor = &named})));
    ck_assert_str_eq(copy->children[0].name, "inner");
    copi_spec_release(copy);
}

TEST(the_longest_id_is_copied_whole)
{
    char id[64];
    memset(id, 'x', 63);
    id[63] = '\0';
    struct copi_spec *copy = copy_of(TREE(COP_CHILDREN({.id = id, .worker = work})));
    ck_assert_str_eq(copy->children[0].id, id);
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

SUITE("spec")
