/*
 * tests/actors/test_registry.c - registries: what one asks of them.
 *
 * Room: tests/. Each test runs with a registry of one partition, and with one of eight.
 */
#include "runtime/alloc.h"
#include "tests/actors/worker.h"

#define UNIQUE    COP_REGISTRY_UNIQUE
#define DUPLICATE COP_REGISTRY_DUPLICATE
#define NOTHING   ((cop_bytes){0})

static void
must_not_be_called(const cop_registry_entry *entries, size_t count, void *env)
{
    (void)entries, (void)count, (void)env;
    abort();
}

static bool
all(const cop_registry_entry *entry, void *env)
{
    (void)entry, (void)env;
    return true;
}

/* ---------------------------------------------------------------- what is refused */

TEST(an_unknown_registry_is_refused_as_such) /* REG-022 */
{
    size_t count = 4711;
    int out;
    ck_assert_int_eq(cop_registry_register("unknown", COP_STR("k"), NOTHING), -ESRCH);
    ck_assert_str_eq(cop_why().text, "unknown registry: unknown");
    ck_assert_int_eq(cop_registry_unregister("unknown", COP_STR("k")), -ESRCH);
    ck_assert_int_eq(cop_registry_update_value("unknown", COP_STR("k"), NOTHING), -ESRCH);
    ck_assert_int_eq(cop_registry_lookup("unknown", COP_STR("k"), NULL, 0, &count), -ESRCH);
    ck_assert_int_eq(cop_registry_each("unknown", COP_STR("k"), see, NULL), -ESRCH);
    ck_assert_int_eq(cop_registry_values("unknown", COP_STR("k"), cop_self(), see, NULL), -ESRCH);
    ck_assert_int_eq(cop_registry_keys("unknown", cop_self(), see, NULL), -ESRCH);
    ck_assert_int_eq(cop_registry_select("unknown", see, NULL), -ESRCH);
    ck_assert_int_eq(cop_registry_count("unknown", &count), -ESRCH);
    ck_assert_int_eq(cop_registry_count_match("unknown", COP_STR("k"), all, NULL, &count), -ESRCH);
    ck_assert_int_eq(cop_registry_count_select("unknown", all, NULL, &count), -ESRCH);
    ck_assert_int_eq(cop_registry_unregister_match("unknown", COP_STR("k"), all, NULL), -ESRCH);
    ck_assert_int_eq(cop_registry_dispatch("unknown", COP_STR("k"), must_not_be_called, NULL),
                     -ESRCH);
    ck_assert_int_eq(cop_registry_broadcast("unknown", COP_STR("k"), COP_TAG(1)), -ESRCH);
    ck_assert_int_eq(cop_registry_value("unknown", COP_STR("k"), COP_OUT(out)), -ESRCH);
    ck_assert(cop_pid_eq(cop_registry_whereis("unknown", COP_STR("k")), COP_NOBODY));
    ck_assert_int_eq(cop_why().code, -ESRCH);
    ck_assert_uint_eq(count, 4711);
}

TEST_TIMES(2, a_registry_that_was_stopped_is_unknown) /* REG-022 */
{
    cop_pid registry = registry_start(UNIQUE, _i);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    size_t count;
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), -ESRCH);
    ck_assert_int_eq(cop_registry_count("r", &count), -ESRCH);
    registry_start(DUPLICATE, !_i); /* of another kind, and of another size */
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(cop_registry_register("r", COP_BYTES(i), NOTHING), 0);
        ck_assert_int_eq(cop_registry_register("r", COP_BYTES(i), NOTHING), 0);
    }
    ck_assert_uint_eq(registry_count(), 40);
}

TEST_TIMES(2, bytes_without_data_are_refused)
{
    registry_start(UNIQUE, _i);
    cop_bytes none = {NULL, 1};
    ck_assert_int_eq(cop_registry_register(NULL, COP_STR("k"), NOTHING), -EINVAL);
    ck_assert_int_eq(cop_registry_register("r", none, NOTHING), -EINVAL);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), none), -EINVAL);
    ck_assert_int_eq(cop_registry_lookup("r", none, NULL, 0, NULL), -EINVAL);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), 0);
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("k"), none), -EINVAL);
    ck_assert_int_eq(cop_registry_broadcast("r", COP_STR("k"), (cop_msg){.tag = COP_MSG_DOWN}),
                     -EINVAL);
    ck_assert_int_eq(cop_registry_broadcast("r", COP_STR("k"), (cop_msg){.body = none}), -EINVAL);
    ck_assert_uint_eq(registry_count(), 1);
}

static int
register_long(void *env)
{
    static char value[1000];
    return cop_registry_register("r", *(cop_bytes *)env, COP_BYTES(value));
}

TEST_TIMES(2, without_memory_nobody_is_registered)
{
    int result;
    cop_pid worker = worker_start();
    cop_bytes key = COP_STR("short of memory");
    registry_start(UNIQUE, _i);
    ck_assert_uint_ge(test_out_of_memory(register_long, &key, &result), 4);
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(registry_count(), 1);
    ck_assert(cop_pid_eq(cop_registry_whereis("r", key), cop_self()));
    ck_assert(cop_alive(worker));
}

static int
register_short_of_memory(void *allocations)
{
    copi_alloc_fail_after(*(long *)allocations);
    int r = cop_registry_register("r", COP_STR("k"), NOTHING);
    copi_alloc_fail_after(-1);
    return r;
}

TEST_TIMES(2, who_was_not_registered_for_want_of_memory_is_not_linked_to_the_registry)
{
    cop_pid pids[32] = {{0}}, registry = registry_start(COP_REGISTRY_UNIQUE, _i);
    long failed = -1;
    do {
        ck_assert_int_lt(++failed, 32);
        pids[failed] = worker_start();
    } while (worker_do(pids[failed], register_short_of_memory, &failed) == -ENOMEM);
    ck_assert_int_ge(failed, 3);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    for (long i = 0; i < failed; i++) {
        ck_assert_int_eq(worker_unregister(pids[i], "k"), -ESRCH); /* it is still there */
    }
    EVENTUALLY(!cop_alive(pids[failed]));
}

static int
look_at_everything(void *env)
{
    struct seen seen = {0};
    size_t count;
    (void)env;
    int r = cop_registry_select("r", see, &seen);
    r = r ? r : cop_registry_each("r", COP_STR("k"), see, &seen);
    r = r ? r : cop_registry_keys("r", cop_self(), see, &seen);
    r = r ? r : cop_registry_count_match("r", COP_STR("k"), all, NULL, &count);
    return r ? r : cop_registry_lookup("r", COP_STR("k"), NULL, 0, &count);
}

TEST_TIMES(2, without_memory_nobody_looks_and_nothing_is_lost)
{
    int result;
    registry_start(DUPLICATE, _i);
    for (int i = 0; i < 20; i++) { /* more than a picture has room for inside */
        ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_BYTES(i)), 0);
    }
    ck_assert_uint_ge(test_out_of_memory(look_at_everything, NULL, &result), 3);
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(registry_under("k"), 20);
}

/* ---------------------------------------------------------------- unique keys */

TEST_TIMES(2, a_unique_key_has_one_holder) /* REG-005 */
{
    registry_start(UNIQUE, _i);
    cop_pid first = worker_start(), second = worker_start();
    ck_assert_int_eq(worker_register(first, "k", "v"), 0);
    ck_assert_int_eq(worker_register(second, "k", "w"), -EEXIST);
    ck_assert_int_eq(worker_register(first, "k", "w"), -EEXIST);
    ck_assert(cop_pid_eq(cop_registry_whereis("r", COP_STR("k")), first));
    char value[2];
    ck_assert_int_eq(cop_registry_value("r", COP_STR("k"), COP_OUT(value)), 0);
    ck_assert_str_eq(value, "v");
    ck_assert_uint_eq(registry_count(), 1);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), -EEXIST);
    ck_assert_str_eq(cop_why().text, "already_registered");
    ck_assert_int_eq(worker_register(second, "l", "w"), 0);
}

TEST_TIMES(2, a_process_that_was_refused_is_not_linked_to_the_registry) /* REG-005 */
{
    cop_pid registry = registry_start(UNIQUE, _i), bystander = worker_start();
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), 0);
    ck_assert_int_eq(worker_register(bystander, "k", NULL), -EEXIST);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_int_eq(worker_unregister(bystander, "k"), -ESRCH); /* it is still there */
}

TEST_TIMES(2, a_process_holds_many_keys_with_a_value_each) /* REG-006 */
{
    registry_start(UNIQUE, _i);
    cop_pid pid = worker_start(), other = worker_start();
    struct seen seen = {0};
    ck_assert_int_eq(cop_registry_keys("r", pid, see, &seen), 0);
    ck_assert_int_eq(cop_registry_values("r", COP_STR("a"), pid, see, &seen), 0);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_int_eq(worker_register(pid, "a", "1"), 0);
    ck_assert_int_eq(worker_register(pid, "b", "2"), 0);
    ck_assert_int_eq(worker_register(other, "c", "3"), 0);
    ck_assert_int_eq(cop_registry_keys("r", pid, see, &seen), 0);
    ck_assert_uint_eq(seen.count, 2);
    bool a_first = strcmp(seen.keys[0], "a") == 0;
    ck_assert_str_eq(seen.keys[a_first ? 1 : 0], "b");
    ck_assert_str_eq(seen.values[a_first ? 0 : 1], "1");
    seen = (struct seen){0};
    ck_assert_int_eq(cop_registry_values("r", COP_STR("b"), pid, see, &seen), 0);
    ck_assert_int_eq(cop_registry_values("r", COP_STR("c"), pid, see, &seen), 0);
    ck_assert_int_eq(cop_registry_values("r", COP_STR("b"), COP_NOBODY, see, &seen), 0);
    ck_assert_int_eq(cop_registry_values("r", COP_STR("b"), cop_named("no"), see, &seen), 0);
    ck_assert_int_eq(cop_registry_keys("r", COP_NOBODY, see, &seen), 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_str_eq(seen.values[0], "2");
}

/* ---------------------------------------------------------------- duplicate keys */

TEST_TIMES(2, a_duplicate_key_has_any_number_any_number_of_times) /* REG-004, REG-007 */
{
    registry_start(DUPLICATE, _i);
    cop_pid pid = worker_start(), other = worker_start(), out[2];
    size_t count;
    struct seen seen = {0};
    ck_assert_int_eq(worker_register(pid, "k", "1"), 0);
    ck_assert_int_eq(worker_register(other, "k", "2"), 0);
    ck_assert_int_eq(worker_register(pid, "k", "3"), 0);
    ck_assert_int_eq(worker_register(pid, "k", "3"), 0);
    ck_assert_uint_eq(registry_count(), 4);
    ck_assert_int_eq(cop_registry_each("r", COP_STR("k"), see, &seen), 0);
    ck_assert_uint_eq(seen.count, 4);
    ck_assert_str_eq(seen.values[0], "1"); /* oldest first */
    ck_assert_str_eq(seen.values[1], "2");
    ck_assert_str_eq(seen.values[3], "3");
    ck_assert_int_eq(cop_registry_lookup("r", COP_STR("k"), out, 2, &count), 0);
    ck_assert_uint_eq(count, 4);
    ck_assert(cop_pid_eq(out[0], pid) && cop_pid_eq(out[1], other));
    seen = (struct seen){0};
    ck_assert_int_eq(cop_registry_values("r", COP_STR("k"), pid, see, &seen), 0);
    ck_assert_uint_eq(seen.count, 3);
    seen = (struct seen){0};
    ck_assert_int_eq(cop_registry_keys("r", pid, see, &seen), 0);
    ck_assert_uint_eq(seen.count, 3);
}

TEST_TIMES(2, there_is_no_such_thing_as_the_one_of_a_duplicate_key) /* REG-028 */
{
    int out;
    registry_start(DUPLICATE, _i);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_STR("v")), 0);
    ck_assert(cop_pid_eq(cop_registry_whereis("r", COP_STR("k")), COP_NOBODY));
    ck_assert_int_eq(cop_why().code, -EOPNOTSUPP);
    ck_assert_int_eq(cop_registry_value("r", COP_STR("k"), COP_OUT(out)), -EOPNOTSUPP);
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("k"), COP_STR("w")), -EOPNOTSUPP);
    struct seen seen = {0};
    ck_assert_int_eq(cop_registry_each("r", COP_STR("k"), see, &seen), 0);
    ck_assert_str_eq(seen.values[0], "v");
}

/* ---------------------------------------------------------------- keys and values are bytes */

TEST_TIMES(2, keys_are_the_same_when_their_bytes_are) /* REG-013, REG-014, REG-028 */
{
    registry_start(UNIQUE, _i);
    int one = 1;
    double one_too = 1;
    struct {
        int a, b;
    } pair = {1, 2}, other_pair = {1, 3};
    ck_assert_int_eq(cop_registry_register("r", COP_BYTES(one), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_BYTES(one_too), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_BYTES(pair), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_BYTES(other_pair), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", NOTHING, NOTHING), 0); /* empty is a key, too */
    ck_assert_int_eq(cop_registry_register("r", COP_STR("_"), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("$1"), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", ((cop_bytes){"a\0b", 3}), NOTHING), 0);
    ck_assert_int_eq(cop_registry_register("r", ((cop_bytes){"a\0c", 3}), NOTHING), 0);
    ck_assert_uint_eq(registry_count(), 9);
    ck_assert_int_eq(cop_registry_register("r", COP_BYTES(pair), NOTHING), -EEXIST);
    ck_assert_int_eq(cop_registry_unregister("r", COP_STR("_")), 0);
    ck_assert_int_eq(cop_registry_unregister("r", COP_STR("$1")), 0);
    ck_assert_int_eq(cop_registry_unregister("r", NOTHING), 0);
    ck_assert_uint_eq(registry_count(), 6);
}

TEST_TIMES(2, keys_and_values_are_copied_whatever_their_size)
{
    enum {
        SIZE = 1 << 20
    };
    registry_start(UNIQUE, _i);
    char *bytes = malloc(SIZE), *out = malloc(SIZE);
    memset(bytes, 7, SIZE);
    ck_assert_int_eq(cop_registry_register("r", (cop_bytes){bytes, SIZE}, (cop_bytes){bytes, SIZE}),
                     0);
    ck_assert_int_eq(cop_registry_value("r", (cop_bytes){bytes, SIZE}, out, SIZE), 0);
    ck_assert_int_eq(memcmp(out, bytes, SIZE), 0);
    ck_assert_int_eq(cop_registry_value("r", (cop_bytes){bytes, SIZE}, out, SIZE - 1), -EMSGSIZE);
    ck_assert_int_eq(cop_registry_value("r", (cop_bytes){bytes, SIZE - 1}, out, SIZE), -ENOENT);
    bytes[SIZE - 1] = 8;
    ck_assert_int_eq(cop_registry_value("r", (cop_bytes){bytes, SIZE}, out, SIZE), -ENOENT);
    free(bytes);
    free(out);
}

static bool
check_alignment(const cop_registry_entry *entry, void *env)
{
    *(bool *)env &= (uintptr_t)entry->key.data % 8 == 0 && (uintptr_t)entry->value.data % 8 == 0;
    return true;
}

TEST_TIMES(2, what_a_visitor_sees_is_aligned)
{
    bool aligned = true;
    registry_start(UNIQUE, _i);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("abc"), COP_STR("v")), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("a"), NOTHING), 0);
    ck_assert_int_eq(cop_registry_select("r", check_alignment, &aligned), 0);
    ck_assert(aligned);
}

TEST_TIMES(2, a_value_changes_for_its_owner_only) /* REG-028 */
{
    char value[4];
    registry_start(UNIQUE, _i);
    cop_pid other = worker_start();
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("k"), COP_STR("new")), -ENOENT);
    ck_assert_int_eq(worker_register(other, "k", "his"), 0);
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("k"), COP_STR("new")), -ENOENT);
    ck_assert_int_eq(cop_registry_value("r", COP_STR("k"), COP_OUT(value)), 0);
    ck_assert_str_eq(value, "his");
    ck_assert_int_eq(cop_registry_register("r", COP_STR("l"), NOTHING), 0);
    copi_alloc_fail_after(0);
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("l"), COP_STR("new")), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    ck_assert_int_eq(cop_registry_value("r", COP_STR("l"), NULL, 0), 0); /* it has none still */
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("l"), COP_STR("new")), 0);
    ck_assert_int_eq(cop_registry_value("r", COP_STR("l"), COP_OUT(value)), 0);
    ck_assert_str_eq(value, "new");
    ck_assert_int_eq(cop_registry_update_value("r", COP_STR("l"), NOTHING), 0);
    ck_assert_int_eq(cop_registry_value("r", COP_STR("l"), NULL, 0), 0);
}

/* ---------------------------------------------------------------- counting, looking up */

TEST_TIMES(4, count_is_of_registrations) /* REG-004 */
{
    registry_start(_i < 2 ? UNIQUE : DUPLICATE, _i % 2);
    ck_assert_uint_eq(registry_count(), 0);
    cop_pid pid = worker_start();
    ck_assert_int_eq(worker_register(pid, "a", NULL), 0);
    ck_assert_int_eq(worker_register(pid, "b", NULL), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("c"), NOTHING), 0);
    ck_assert_uint_eq(registry_count(), 3);
}

TEST_TIMES(4, an_unknown_key_has_nobody) /* REG-009 */
{
    registry_start(_i < 2 ? UNIQUE : DUPLICATE, _i % 2);
    struct seen seen = {0};
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_STR("v")), 0);
    ck_assert_int_eq(cop_registry_each("r", COP_STR("unknown"), see, &seen), 0);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_uint_eq(registry_under("unknown"), 0);
    ck_assert_int_eq(cop_registry_each("r", COP_STR("k"), see, &seen), 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert(cop_pid_eq(seen.pids[0], cop_self()));
    ck_assert_str_eq(seen.keys[0], "k");
    ck_assert_str_eq(seen.values[0], "v");
}

static bool
see_one(const cop_registry_entry *entry, void *env)
{
    see(entry, env);
    return false;
}

static bool
has_odd_value(const cop_registry_entry *entry, void *env)
{
    (void)env;
    return *(const int *)entry->value.data % 2;
}

TEST_TIMES(2, selection_goes_through_everything_until_the_visitor_has_enough) /* REG-020 */
{
    enum {
        KEYS = 50
    };
    static struct seen seen;
    size_t count;
    registry_start(DUPLICATE, _i);
    ck_assert_int_eq(cop_registry_select("r", see, &seen), 0);
    ck_assert_uint_eq(seen.count, 0);
    bool found[KEYS] = {0};
    for (int i = 0; i < KEYS; i++) {
        ck_assert_int_eq(cop_registry_register("r", COP_BYTES(i), COP_BYTES(i)), 0);
    }
    ck_assert_int_eq(cop_registry_select("r", see, &seen), 0);
    ck_assert_uint_eq(seen.count, KEYS);
    for (int i = 0, key; i < KEYS; i++) {
        memcpy(&key, seen.keys[i], sizeof key);
        ck_assert(!found[key]);
        found[key] = true;
    }
    seen.count = 0;
    ck_assert_int_eq(cop_registry_select("r", see_one, &seen), 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_int_eq(cop_registry_count_select("r", has_odd_value, NULL, &count), 0);
    ck_assert_uint_eq(count, KEYS / 2);
}

/* ---------------------------------------------------------------- unregistering */

TEST_TIMES(4, unregistering_removes_the_callers_under_that_key_alone) /* REG-012 */
{
    bool duplicate = _i >= 2;
    registry_start(duplicate ? DUPLICATE : UNIQUE, _i % 2);
    cop_pid pid = worker_start(), other = worker_start();
    ck_assert_int_eq(worker_unregister(pid, "a"), 0);
    ck_assert_int_eq(worker_register(pid, "a", "1"), 0);
    ck_assert_int_eq(worker_register(pid, "b", "2"), 0);
    ck_assert_int_eq(worker_register(other, duplicate ? "a" : "c", "3"), 0);
    if (duplicate) {
        ck_assert_int_eq(worker_register(pid, "a", "4"), 0);
    }
    ck_assert_int_eq(worker_unregister(other, "b"), 0);
    ck_assert_uint_eq(registry_count(), duplicate ? 4 : 3);
    ck_assert_int_eq(worker_unregister(pid, "a"), 0);
    ck_assert_uint_eq(registry_count(), 2);
    ck_assert_uint_eq(registry_under("a"), duplicate ? 1 : 0);
    ck_assert_uint_eq(registry_under("b"), 1);
    ck_assert_int_eq(worker_register(pid, "a", "5"), 0);
}

TEST_TIMES(2, who_is_registered_no_more_survives_the_registry)
{
    cop_pid registry = registry_start(UNIQUE, _i), pid = worker_start();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(worker_register(pid, "a", NULL), 0);
        ck_assert_int_eq(worker_register(pid, "b", NULL), 0);
        ck_assert_int_eq(worker_unregister(pid, "a"), 0);
        ck_assert_int_eq(worker_unregister(pid, "b"), 0);
    }
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_int_eq(worker_unregister(pid, "a"), -ESRCH);
}

static bool
is_large(const cop_registry_entry *entry, void *env)
{
    int limit = *(int *)env;
    return *(const int *)entry->value.data > limit;
}

static bool
is_ours_and_large(const cop_registry_entry *entry, void *env)
{
    ck_assert(cop_pid_eq(entry->pid, cop_self()));
    return is_large(entry, env);
}

static int
register_three(void *env)
{
    (void)env;
    for (int i = 1; i <= 3; i++) {
        cop_registry_register("r", COP_STR("k"), COP_BYTES(i));
    }
    return 0;
}

TEST_TIMES(2, what_matches_is_counted_and_unregistered) /* REG-018, REG-013 */
{
    registry_start(DUPLICATE, _i);
    cop_pid other = worker_start();
    size_t count;
    int one = 1, nine = 9;
    register_three(NULL);
    worker_do(other, register_three, NULL);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("_"), COP_BYTES(nine)), 0);
    ck_assert_int_eq(cop_registry_count_match("r", COP_STR("k"), is_large, &one, &count), 0);
    ck_assert_uint_eq(count, 4);
    ck_assert_int_eq(cop_registry_count_match("r", COP_STR("k"), is_large, &nine, &count), 0);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(cop_registry_count_match("r", COP_STR("l"), all, NULL, &count), 0);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(cop_registry_unregister_match("r", COP_STR("k"), is_ours_and_large, &nine), 0);
    ck_assert_uint_eq(registry_count(), 7);
    ck_assert_int_eq(cop_registry_unregister_match("r", COP_STR("k"), is_ours_and_large, &one), 0);
    ck_assert_uint_eq(registry_count(), 5); /* the other's stay */
    struct seen seen = {0};
    ck_assert_int_eq(cop_registry_values("r", COP_STR("k"), cop_self(), see, &seen), 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_mem_eq(seen.values[0], &one, sizeof one);
    ck_assert_int_eq(cop_registry_unregister_match("r", COP_STR("_"), all, NULL), 0);
    ck_assert_uint_eq(registry_count(), 4);
}

static bool
unregister_all_and_match(const cop_registry_entry *entry, void *env)
{
    (void)env;
    cop_registry_unregister("r", entry->key);
    cop_registry_register("r", entry->key, entry->value);
    return true;
}

TEST_TIMES(2, what_a_predicate_registers_anew_does_not_go_with_the_old)
{
    int value = 1;
    registry_start(UNIQUE, _i);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_BYTES(value)), 0);
    ck_assert_int_eq(
        cop_registry_unregister_match("r", COP_STR("k"), unregister_all_and_match, NULL), 0);
    ck_assert_uint_eq(registry_under("k"), 1);
}

/* ---------------------------------------------------------------- telling */

static void
note_entries(const cop_registry_entry *entries, size_t count, void *env)
{
    for (size_t i = 0; i < count; i++) {
        see(&entries[i], env);
    }
}

TEST_TIMES(2, dispatch_gives_all_under_a_key_to_a_function_in_the_caller) /* REG-016 */
{
    registry_start(DUPLICATE, _i);
    cop_pid pid = worker_start();
    struct seen seen = {0};
    ck_assert_int_eq(cop_registry_dispatch("r", COP_STR("k"), must_not_be_called, NULL), 0);
    ck_assert_int_eq(worker_register(pid, "k", "1"), 0);
    ck_assert_int_eq(worker_register(pid, "l", "2"), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_STR("3")), 0);
    ck_assert_int_eq(cop_registry_dispatch("r", COP_STR("k"), note_entries, &seen), 0);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert(cop_pid_eq(seen.pids[0], pid) && cop_pid_eq(seen.pids[1], cop_self()));
    ck_assert_str_eq(seen.values[1], "3");
    ck_assert_int_eq(cop_registry_dispatch("r", COP_STR("l"), note_entries, &seen), 0);
    ck_assert_uint_eq(seen.count, 3);
}

static bool
change_the_registry(const cop_registry_entry *entry, void *env)
{
    (void)env;
    ck_assert_int_eq(cop_registry_unregister("r", entry->key), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("another"), NOTHING), 0);
    ck_assert_str_eq(entry->value.data, "v"); /* still there */
    return true;
}

TEST_TIMES(2, a_visitor_may_change_what_it_visits)
{
    registry_start(DUPLICATE, _i);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_STR("v")), 0);
    }
    ck_assert_int_eq(cop_registry_each("r", COP_STR("k"), change_the_registry, NULL), 0);
    ck_assert_uint_eq(registry_under("k"), 0);
    ck_assert_uint_eq(registry_under("another"), 12);
}

static bool
leave(const cop_registry_entry *entry, void *env)
{
    (void)entry, (void)env;
    cop_exit(cop_failed(-EBADMSG, NULL));
}

static int
look_and_leave(void *env)
{
    (void)env;
    return cop_registry_each("r", COP_STR("k"), leave, NULL);
}

TEST_TIMES(2, a_visitor_that_ends_its_process_leaves_nothing_behind)
{
    registry_start(DUPLICATE, _i);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_STR("v")), 0);
    }
    cop_pid pid = worker_start();
    cop_ref monitor = cop_monitor(pid);
    worker_begin(pid, look_and_leave, NULL);
    ck_assert_int_eq(test_down(monitor).code, -EBADMSG);
    ck_assert_uint_eq(registry_under("k"), 12);
}

static void
must_not_drop(void *data)
{
    (void)data;
    abort();
}

TEST_TIMES(2, a_broadcast_reaches_each_registration)
{
    registry_start(DUPLICATE, _i);
    int body = 42;
    ck_assert_int_eq(cop_registry_broadcast("r", COP_STR("k"), COP_TAG(7)), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), 0);
    }
    ck_assert_int_eq(cop_registry_register("r", COP_STR("l"), NOTHING), 0);
    ck_assert_int_eq(cop_registry_broadcast("r", COP_STR("k"),
                                            COP_MSG_MOVE(7, &body, sizeof body, must_not_drop)),
                     -EINVAL);
    ck_assert_int_eq(cop_registry_broadcast("r", COP_STR("k"), COP_MSG_OF(7, body)), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(*COP_BODY(test_receive(7), int), 42);
    }
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

static int
register_and_wait(cop_bytes arg)
{
    cop_msg msg;
    int r = cop_registry_register("r", arg, NOTHING);
    cop_send(cop_named("main"), COP_TAG(1));
    return r ? r : cop_receive_match(&msg, worker_is_done, NULL, COP_FOREVER);
}

TEST_TIMES(2, a_full_mailbox_does_not_stop_a_broadcast)
{
    registry_start(DUPLICATE, _i);
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    for (int i = 0; i < 2; i++) { /* one between us, and one at the end */
        ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), 0);
        ck_assert_int_eq(
            cop_spawn(NULL, register_and_wait, .arg = COP_STR("k"), .mailbox.limit = 1), 0);
        test_receive(1);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_registry_broadcast("r", COP_STR("k"), COP_TAG(7)), 0);
        test_receive(7);
        test_receive(7);
    }
}

/* ---------------------------------------------------------------- ends */

static int
crash(void *env)
{
    (void)env;
    cop_exit(cop_failed(-EBADMSG, NULL));
}

static void
end_somehow(cop_pid pid, int how)
{
    cop_ref monitor = cop_monitor(pid);
    if (how == 0) {
        cop_send(pid, COP_TAG(0)); /* NORMAL */
    } else if (how == 1) {
        worker_begin(pid, crash, NULL);
    } else if (how == 2) {
        cop_exit_signal(pid, COP_REASON_KILLED);
    } else {
        cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    }
    test_down(monitor);
}

TEST_TIMES(8, nothing_of_a_process_is_given_out_once_its_end_is_known)
{
    struct seen seen = {0};
    int how = _i / 2;
    registry_start(UNIQUE, _i % 2);
    for (int i = 0; i < 50; i++) {
        cop_pid pid = worker_start();
        ck_assert_int_eq(worker_register(pid, "a", NULL), 0);
        ck_assert_int_eq(worker_register(pid, "b", NULL), 0);
        end_somehow(pid, how);
        ck_assert(cop_pid_eq(cop_registry_whereis("r", COP_STR("a")), COP_NOBODY));
        ck_assert_uint_eq(registry_count(), 0);
        ck_assert_uint_eq(registry_under("b"), 0);
        ck_assert_int_eq(cop_registry_keys("r", pid, see, &seen), 0);
        ck_assert_int_eq(cop_registry_select("r", see, &seen), 0);
        ck_assert_uint_eq(seen.count, 0);
    }
    ck_assert_int_eq(cop_registry_register("r", COP_STR("a"), NOTHING), 0);
}

static int
stay_away(cop_bytes arg)
{
    (void)arg;
    int r = cop_registry_register("r", COP_STR("k"), NOTHING);
    cop_send(cop_named("main"), COP_TAG(1));
    while (r == 0 && cop_alive(cop_self())) { /* a loop that nothing interrupts */
    }
    cop_registry_register("r", COP_STR("too late"), NOTHING);
    return r;
}

TEST_TIMES(2, a_disowned_process_is_registered_no_more_and_never_again)
{
    cop_config config = {.size = sizeof config, .kill_grace = COP_MS(20)};
    ck_assert_int_eq(cop_configure(&config), 0);
    test_catch_stderr();
    cop_pid pid;
    cop_ref monitor;
    registry_start(UNIQUE, _i);
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_spawn(&pid, stay_away, .monitor = &monitor), 0);
    test_receive(1);
    ck_assert(cop_pid_eq(cop_registry_whereis("r", COP_STR("k")), pid));
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_uint_eq(registry_count(), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), NOTHING), 0);
    EVENTUALLY(cop_disowned() == 0);
    ck_assert_uint_eq(registry_count(), 1);
    free(test_caught_stderr());
}

static int
divide(void *env)
{
    volatile int *nothing = env;
    return *nothing;
}

TEST_TIMES(2, a_contained_fault_unregisters_too)
{
    cop_contain_faults(true);
    test_catch_stderr();
    registry_start(UNIQUE, _i);
    cop_pid pid = worker_start();
    ck_assert_int_eq(worker_register(pid, "k", NULL), 0);
    cop_ref monitor = cop_monitor(pid);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    worker_begin(pid, crash, NULL); /* a sanitizer has its own idea of faults */
    (void)divide;
#else
    worker_begin(pid, divide, NULL);
#endif
    cop_reason why = test_down(monitor);
    ck_assert(why.kind == COP_FAULTED || why.code == -EBADMSG);
    ck_assert_uint_eq(registry_count(), 0);
    free(test_caught_stderr());
    test_leaves_things_behind(); /* a contained fault does */
}

/* ---------------------------------------------------------------- many at once */

enum {
    CROWD = 6,
    ROUNDS = 300
};
static atomic_int holders[4], wrong;

static int
contend(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int key = i % 4;
        int r = cop_registry_register("r", COP_BYTES(key), COP_BYTES(i));
        if (r == 0) {
            wrong += atomic_fetch_add(&holders[key], 1) != 0;
            wrong += !cop_pid_eq(cop_registry_whereis("r", COP_BYTES(key)), cop_self());
            atomic_fetch_sub(&holders[key], 1);
            cop_registry_unregister("r", COP_BYTES(key));
        } else if (r != -EEXIST) {
            wrong++;
        }
    }
    return 0;
}

TEST_TIMES(2, of_many_that_want_a_key_one_has_it) /* REG-005 */
{
    cop_ref monitors[CROWD];
    registry_start(UNIQUE, _i);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(cop_spawn(NULL, contend, .monitor = &monitors[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_uint_eq(registry_count(), 0);
}

static int
register_and_end(cop_bytes arg)
{
    (void)arg;
    for (int key = 0; key < 4; key++) {
        cop_registry_register("r", COP_BYTES(key), NOTHING);
    }
    return 0;
}

static bool
is_known_to_be_dead(const cop_registry_entry *entry, void *env)
{
    (void)env;
    return entry->pid.id == 0 || entry->value.size != 0;
}

TEST_TIMES(2, readers_and_writers_and_the_dead_get_along)
{
    registry_start(DUPLICATE, _i);
    for (int i = 0; i < ROUNDS; i++) {
        cop_ref monitor;
        size_t count;
        int key = i % 4;
        ck_assert_int_eq(cop_spawn(NULL, register_and_end, .monitor = &monitor), 0);
        ck_assert_int_eq(
            cop_registry_count_match("r", COP_BYTES(key), is_known_to_be_dead, NULL, &count), 0);
        ck_assert_uint_eq(count, 0);
        ck_assert_int_eq(cop_registry_count_select("r", is_known_to_be_dead, NULL, &count), 0);
        ck_assert_uint_eq(count, 0);
        test_down(monitor);
    }
    ck_assert_uint_eq(registry_count(), 0);
}

SUITE("registry")
