/*
 * tests/supervisor/test_child_via.c - children and supervisors under keys of a registry.
 *
 * Room: tests/. Case ids (SUP-021) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/child.h"
#include "supervisor/spec.h"
#include "tests/supervisor/tree.h"

#define KEY(key_) (&(const cop_via){"r", COP_BYTES_INIT(key_), {NULL, 0}})

static void
start_registry(cop_registry_kind kind)
{
    cop_registry_spec spec = {.name = "r", .kind = kind, .partitions = 2};
    ck_assert_int_eq(cop_registry_start(NULL, &spec), 0);
}

static cop_pid
who_has(const char *key)
{
    return cop_registry_whereis("r", (cop_bytes){key, strlen(key) + 1});
}

static bool
has_key(const char *key)
{
    return who_has(key).id != 0;
}

static int
until_asked(cop_bytes arg)
{
    (void)arg;
    while (cop_sleep(COP_SEC(60)) == 0) {
    }
    return 0;
}

static cop_transition
stay(void *data, const cop_statem_event *event)
{
    (void)data, (void)event;
    return cop_statem_keep_state();
}

static const cop_state only = {.name = "only", .handle = stay};
static const cop_statem machine = {.type = "machine", .initial = &only};
static const cop_agent_spec agent = {.state_size = 4};
static const char *const sleep_long[] = {"/bin/sleep", "60", NULL};
static const cop_supervisor_spec nobody = {.max_restarts = 1};

/* One of each kind that has no name of its own, under its id. */
static const cop_child_spec kinds[] = {
    {.id = "genserver", .genserver = &box, .arg = {"a", 1}},
    {.id = "statem", .statem = &machine},
    {.id = "worker", .worker = until_asked},
    {.id = "supervisor", .supervisor = &nobody},
    {.id = "command", .command = sleep_long},
    {.id = "agent", .agent = &agent},
};
enum {
    KINDS = sizeof kinds / sizeof *kinds
};

/* ---------------------------------------------------------------- starts that fail */

TEST(a_key_that_is_taken_tells_by_whom)
{
    start_registry(COP_REGISTRY_UNIQUE);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), 0);
    cop_pid sup = start_tree(TREE(.name = "sup"));
    for (size_t i = 0; i < KINDS; i++) {
        cop_child_spec child = kinds[i];
        cop_pid who = COP_NOBODY;
        child.via = KEY("k");
        ck_assert_int_eq(cop_supervisor_start_child(sup, &child, &who), -EEXIST);
        ck_assert_str_eq(why_text(), "already_started");
        ck_assert(cop_pid_eq(who, cop_self()));
    }
    ck_assert_uint_eq(counts(sup).specs, 0);
}

TEST(a_supervisor_whose_key_is_taken_starts_no_children)
{
    start_registry(COP_REGISTRY_UNIQUE);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), 0);
    cop_pid who = COP_NOBODY;
    ck_assert_int_eq(cop_supervisor_start(&who, TREE(.via = KEY("k"), COP_CHILDREN(BOX("a")))),
                     -EEXIST);
    ck_assert(cop_pid_eq(who, cop_self()));
    HAPPENED("");
}

TEST(without_its_registry_nobody_starts)
{
    cop_pid who = {9};
    ck_assert_int_eq(cop_supervisor_start(&who, TREE(.via = KEY("k"))), -ESRCH);
    ck_assert_str_eq(why_text(), "unknown registry: r");
    ck_assert_int_eq(cop_supervisor_start(
                         &who,
                         TREE(COP_CHILDREN({.id = "a", .worker = until_asked, .via = KEY("k")}))),
                     -ESRCH);
    ck_assert_str_eq(why_text(), "{shutdown,{failed_to_start_child,a,unknown registry: r}}");
    start_registry(COP_REGISTRY_DUPLICATE);
    ck_assert_int_eq(cop_supervisor_start(&who, TREE(.via = KEY("k"))), -EOPNOTSUPP);
    ck_assert_uint_eq(who.id, 9);
}

static int
start_and_stop(void *arg)
{
    struct copi_child_spec spec;
    cop_pid pid;
    cop_reason why;
    int r = copi_child_spec_copy(&spec, arg);
    if (r) {
        return r;
    }
    r = copi_child_start(&spec, (cop_bytes){spec.arg.data, spec.arg.size}, &pid, &why);
    if (r == 0) {
        copi_alloc_fail_after(-1);
        ck_assert(cop_pid_eq(who_has("k"), pid) || !cop_alive(pid)); /* it lacked memory, too */
        copi_child_stop(&spec, pid, &why);
    }
    copi_child_spec_clear(&spec);
    return r;
}

TEST(without_memory_a_start_fails_and_leaves_the_key_free)
{
    start_registry(COP_REGISTRY_UNIQUE);
    for (size_t i = 0; i < KINDS; i++) {
        cop_child_spec child = kinds[i];
        int result;
        child.via = KEY("k");
        ck_assert_uint_ge(test_out_of_memory(start_and_stop, &child, &result), 4);
        ck_assert_int_eq(result, 0);
        ck_assert(!has_key("k"));
    }
}

static int
start_and_stop_tree(void *arg)
{
    (void)arg;
    cop_pid pid;
    int r = cop_supervisor_start(&pid, TREE(.via = KEY("k")));
    if (r == 0) {
        copi_alloc_fail_after(-1);
        stop_tree(pid);
    }
    return r;
}

TEST(without_memory_a_supervisor_does_not_start_under_its_key)
{
    int result;
    start_registry(COP_REGISTRY_UNIQUE);
    ck_assert_uint_ge(test_out_of_memory(start_and_stop_tree, NULL, &result), 4);
    ck_assert_int_eq(result, 0);
    ck_assert(!has_key("k"));
}

/* ---------------------------------------------------------------- under its key */

/* All that the caller has is gone by the time that the first of them ends. */
static cop_pid
start_under_keys(void)
{
    char keys[KINDS][16], registry[] = "r";
    cop_via vias[KINDS];
    cop_child_spec children[KINDS];
    for (size_t i = 0; i < KINDS; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%s", kinds[i].id);
        vias[i] = (cop_via){registry, {keys[i], strlen(keys[i]) + 1}, {keys[i], 3}};
        children[i] = kinds[i];
        children[i].via = &vias[i];
    }
    cop_pid sup =
        start_tree(TREE(.children = children, .child_count = KINDS, .max_restarts = KINDS));
    memset(keys, '!', sizeof keys);
    memset(registry, '!', sizeof registry);
    memset(vias, 0, sizeof vias);
    memset(children, 0, sizeof children);
    return sup;
}

TEST(each_kind_of_child_is_restarted_under_its_key) /* SUP-022 */
{
    start_registry(COP_REGISTRY_UNIQUE);
    cop_pid sup = start_under_keys();
    for (size_t i = 0; i < KINDS; i++) {
        char value[3];
        cop_pid before = who_has(kinds[i].id);
        ck_assert(cop_alive(before));
        ck_assert_int_eq(cop_exit_signal(before, COP_REASON_KILLED), 0);
        EVENTUALLY(test_is_another(who_has(kinds[i].id), before));
        ck_assert_int_eq(cop_registry_value("r", (cop_bytes){kinds[i].id, strlen(kinds[i].id) + 1},
                                            value, sizeof value),
                         0);
        ck_assert_mem_eq(value, kinds[i].id, sizeof value);
    }
    stop_tree(sup);
    for (size_t i = 0; i < KINDS; i++) {
        ck_assert(!has_key(kinds[i].id));
    }
}

TEST(a_child_started_by_request_is_found_by_its_key)
{
    start_registry(COP_REGISTRY_UNIQUE);
    cop_pid dynamic = start_tree(TREE(.strategy = COP_DYNAMIC)), pid;
    const cop_child_spec child = {.genserver = &box, .arg = {"a", 1}, .via = KEY("k")};
    ck_assert_int_eq(cop_supervisor_start_child(dynamic, &child, &pid), 0);
    ck_assert(cop_pid_eq(who_has("k"), pid));
    ck_assert_int_eq(cop_supervisor_terminate(dynamic, pid), 0);
    ck_assert(!has_key("k"));
}

/* ---------------------------------------------------------------- supervisors */

TEST(a_supervisor_is_asked_by_its_key) /* SUP-021 */
{
    start_registry(COP_REGISTRY_UNIQUE);
    char key[] = "k";
    cop_via via = {"r", {key, 2}, {NULL, 0}};
    cop_pid sup = start_tree(TREE(.via = &via, COP_CHILDREN(BOX("a"))));
    memset(key, '!', sizeof key);
    ck_assert(cop_pid_eq(who_has("k"), sup));
    ck_assert_uint_eq(counts(who_has("k")).active, 1);
    ck_assert_int_eq(cop_supervisor_start_child(who_has("k"), &(cop_child_spec)BOX("b"), NULL), 0);
    ck_assert_str_eq(listed(who_has("k")), "b=up a=up");
    stop_tree(who_has("k"));
    ck_assert(!has_key("k"));
    HAPPENED("+a +b -b -a");
}

TEST_TIMES(2, a_nested_supervisor_has_the_key_of_either_specification)
{
    start_registry(COP_REGISTRY_UNIQUE);
    const cop_supervisor_spec inner = {.via = _i ? KEY("k") : NULL,
                                       COP_CHILDREN({.id = "w", .worker = until_asked})};
    start_tree(
        TREE(COP_CHILDREN({.id = "inner", .supervisor = &inner, .via = _i ? NULL : KEY("k")})));
    cop_pid first = who_has("k");
    ck_assert_str_eq(listed(first), "w=up");
    ck_assert_int_eq(cop_exit_signal(first, COP_REASON_KILLED), 0);
    EVENTUALLY(test_is_another(who_has("k"), first));
    ck_assert_str_eq(listed(who_has("k")), "w=up");
}

static const cop_via nonsense = {NULL, {NULL, 9}, {NULL, 0}};

static int
write_over_it(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)arg;
    ck_assert_str_eq(spec->via->registry, "r");
    ck_assert_str_eq(spec->via->key.data, "k");
    spec->via = &nonsense;
    spec->name = "other";
    return 0;
}

TEST(the_key_is_settled_before_an_init_is_asked)
{
    start_registry(COP_REGISTRY_UNIQUE);
    cop_pid sup = start_tree(TREE(.via = KEY("k"), .init = write_over_it));
    ck_assert(cop_pid_eq(who_has("k"), sup));
    ck_assert(cop_pid_eq(cop_whereis("other"), COP_NOBODY));
}

SUITE("child_via")
