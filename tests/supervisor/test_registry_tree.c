/*
 * tests/supervisor/test_registry_tree.c - how registries and scopes of groups start.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/actors/worker.h"

/* ---------------------------------------------------------------- what is refused */

static void
refused(const cop_registry_spec *spec, const char *why)
{
    cop_pid pid = {42};
    ck_assert_int_eq(cop_registry_start(&pid, spec), -EINVAL);
    ck_assert_str_eq(cop_why().text, why);
    ck_assert_uint_eq(pid.id, 42);
}

TEST(what_is_no_registry_is_refused_at_the_start) /* REG-002 */
{
    char long_name[65];
    memset(long_name, 'n', 64);
    long_name[64] = '\0';
    const char *name = "a registry needs a name of 1 to 63 bytes";
    refused(NULL, name);
    refused(&(cop_registry_spec){.kind = COP_REGISTRY_UNIQUE}, name);
    refused(&(cop_registry_spec){.name = ""}, name);
    refused(&(cop_registry_spec){.name = long_name}, name);
    refused(&(cop_registry_spec){.name = "r", .kind = (cop_registry_kind)2},
            "a registry is unique or duplicate");
    refused(&(cop_registry_spec){.name = "r", .partitions = COP_REGISTRY_PARTITIONS_MAX + 1},
            "a registry has at most 256 partitions");
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), -ESRCH);
}

TEST(a_name_that_is_taken_is_no_registrys)
{
    cop_pid pid = {42}, other = registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_registry_start(&pid, &(cop_registry_spec){.name = "r", .partitions = 8}),
                     -EEXIST);
    ck_assert(cop_pid_eq(pid, other));
    ck_assert_uint_eq(registry_count(), 1); /* the first is as it was */
}

static int
start_r(void *env)
{
    return cop_registry_start(env, &(cop_registry_spec){.name = "r", .partitions = 2});
}

TEST(without_memory_no_registry_starts)
{
    int result;
    cop_pid pid;
    ck_assert_uint_ge(test_out_of_memory(start_r, &pid, &result), 5);
    ck_assert_int_eq(result, 0);
    ck_assert(cop_alive(pid));
    ck_assert_uint_eq(registry_count(), 0);
}

/* ---------------------------------------------------------------- a tree */

static int
start_r_with_much_deferred(void *env)
{
    test_fill_deferred();
    return start_r(env);
}

/* What has been made of a registry before is there when it starts again. */
TEST(without_memory_a_registry_does_not_start_again)
{
    int result;
    cop_pid pid;
    ck_assert_int_eq(start_r(&pid), 0);
    ck_assert_int_eq(cop_supervisor_stop(pid, SOON), 0);
    ck_assert_uint_ge(test_out_of_memory_afresh(start_r_with_much_deferred, &pid, &result), 5);
    ck_assert_int_eq(result, 0);
    ck_assert(cop_alive(pid));
    ck_assert_int_eq(cop_supervisor_stop(pid, SOON), 0);
}

TEST_TIMES(4, partitions_are_visible_as_that_many_children) /* REG-001 */
{
    static const size_t asked[] = {0, 1, 8, COP_REGISTRY_PARTITIONS_MAX};
    cop_pid pid;
    cop_child_counts counts;
    size_t wanted = asked[_i] ? asked[_i] : 1;
    ck_assert_int_eq(
        cop_registry_start(&pid, &(cop_registry_spec){.name = "r", .partitions = asked[_i]}), 0);
    ck_assert_int_eq(cop_supervisor_count(pid, &counts), 0);
    ck_assert_uint_eq(counts.specs, wanted);
    ck_assert_uint_eq(counts.active, wanted);
    ck_assert(cop_pid_eq(cop_whereis("r"), pid));
}

TEST(a_registry_is_a_child_with_its_name_as_id) /* REG-003 */
{
    static const cop_registry_spec spec = {.name = "r", .partitions = 8};
    static const cop_pg_spec scope = {.partitions = 2};
    cop_child_spec child = cop_registry_child(&spec);
    cop_pid supervisor, registry;
    ck_assert_str_eq(child.id, "r");
    ck_assert_str_eq(cop_pg_child(&scope).id, "pg");
    ck_assert_int_eq(cop_supervisor_start(&supervisor, &(cop_supervisor_spec){COP_CHILDREN(child)}),
                     0);
    ck_assert_int_eq(cop_supervisor_start_child(supervisor, &(cop_child_spec){.id = "x"}, NULL),
                     -EINVAL);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_registry_unregister("r", COP_STR("k")), 0);
    registry = cop_whereis("r");
    worker_kill(registry);
    EVENTUALLY(test_is_another(cop_whereis("r"), registry));
    EVENTUALLY(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}) == 0);
    child = cop_pg_child(&scope);
    ck_assert_int_eq(cop_supervisor_start_child(supervisor, &child, NULL), 0);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_registry_start(NULL, &spec), -EEXIST);
    child = cop_registry_child(&spec);
    ck_assert_int_eq(cop_supervisor_start_child(supervisor, &child, &registry), -EEXIST);
    ck_assert(cop_pid_eq(registry, cop_whereis("r")));
    ck_assert_int_eq(cop_supervisor_stop(supervisor, SOON), 0);
    ck_assert(!cop_alive(registry));
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), -ESRCH);
}

TEST(a_child_that_finds_its_name_taken_says_so)
{
    static const cop_registry_spec spec = {.name = "r"};
    cop_pid supervisor;
    registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_int_eq(cop_supervisor_start(&supervisor, &(cop_supervisor_spec){COP_CHILDREN(
                                                           cop_registry_child(&spec))}),
                     -EEXIST);
}

static int
start_linked_and_fail(cop_bytes arg)
{
    (void)arg;
    int r = cop_registry_start(NULL, &(cop_registry_spec){.name = "r", .link = true});
    return r ? r : -EBADMSG;
}

TEST(a_linked_registry_goes_with_who_started_it)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, start_linked_and_fail, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EBADMSG);
    EVENTUALLY(cop_whereis("r").id == 0);
    registry_start(COP_REGISTRY_UNIQUE, 1);
    ck_assert_uint_eq(registry_count(), 0);
}

TEST(all_partitions_start_again_when_one_has_crashed) /* REG-001 */
{
    cop_pid registry = registry_start(COP_REGISTRY_DUPLICATE, 1);
    cop_child_info before[8], after[8];
    size_t count;
    ck_assert_int_eq(cop_supervisor_children(registry, before, 8, &count), 0);
    worker_kill(before[3].pid);
    EVENTUALLY(cop_registry_count("r", &count) == 0
               && cop_supervisor_children(registry, after, 8, &count) == 0
               && after[3].pid.id != before[3].pid.id && after[0].pid.id != 0);
    for (size_t i = 0; i < 8; i++) {
        ck_assert(!cop_pid_eq(before[i].pid, after[i].pid));
    }
}

SUITE("registry tree")
