/*
 * tests/actors/test_registry_partition.c - the parts of which registries are made: their places, their ends,
 * what they tell.
 *
 * Room: tests/. Each test runs with a registry of one partition, and with one of eight.
 */
#include "actors/registry_partition.h"
#include "runtime/alloc.h"
#include "tests/actors/worker.h"
#include "tests/support/wrap.h"

enum {
    MOST = 8
};

/* The processes of the partitions, oldest first. */
static size_t
partitions(cop_pid registry, cop_pid out[MOST])
{
    cop_child_info infos[MOST];
    size_t count;
    ck_assert_int_eq(cop_supervisor_children(registry, infos, MOST, &count), 0);
    for (size_t i = 0; i < count; i++) {
        out[count - 1 - i] = infos[i].pid;
    }
    return count;
}

/* The partition that has this key. */
static unsigned
index_of(const char *key)
{
    struct copi_place of_key, at;
    unsigned i = 0;
    ck_assert_int_eq(copi_place_find(&of_key, "r", COP_STR(key)), 0);
    while (copi_place_at(&at, "r", i) == 0 && at.partition != of_key.partition) {
        i++;
    }
    return i;
}

/* ---------------------------------------------------------------- places */

/* A registry that ends when a place in it has been found, and has not been entered. */
static _Atomic uint64_t to_end; /* its pid, once; 0: none */

static void
end_registry(void)
{
    cop_pid pid = {atomic_exchange(&to_end, 0)};
    if (pid.id) {
        ck_assert_int_eq(cop_supervisor_stop(pid, SOON), 0);
    }
}

int real_find(struct copi_place *out, const char *registry, cop_bytes key) REAL(copi_place_find);
int find_and_end(struct copi_place *out, const char *registry, cop_bytes key) WRAP(copi_place_find);
int
find_and_end(struct copi_place *out, const char *registry, cop_bytes key)
{
    int r = real_find(out, registry, key);
    end_registry();
    return r;
}

int real_at(struct copi_place *out, const char *registry, unsigned i) REAL(copi_place_at);
int at_and_end(struct copi_place *out, const char *registry, unsigned i) WRAP(copi_place_at);
int
at_and_end(struct copi_place *out, const char *registry, unsigned i)
{
    int r = real_at(out, registry, i);
    end_registry();
    return r;
}

static void
never(void *env)
{
    (void)env;
    abort();
}

static int
use_key(int how)
{
    cop_pid pid = {17};
    size_t count = 17;
    int value = 17;
    switch (how) {
    case 0:
        return cop_registry_register("r", COP_STR("k"), COP_STR("v"));
    case 1:
        return cop_registry_unregister("r", COP_STR("k"));
    case 2:
        return cop_registry_update_value("r", COP_STR("k"), COP_STR("v"));
    case 3:
        return cop_registry_lock("r", COP_STR("k"), never, NULL, SOON);
    case 4:
        return cop_registry_put_meta("r", COP_STR("k"), COP_STR("v"));
    case 5:
        return cop_registry_meta("r", COP_STR("k"), &value, sizeof value);
    case 6:
        return cop_registry_delete_meta("r", COP_STR("k"));
    case 7:
        return cop_registry_lookup("r", COP_STR("k"), &pid, 1, &count);
    case 8:
        return cop_registry_count("r", &count);
    case 9:
        return cop_pg_demonitor("r", (cop_ref){1});
    default:
        return cop_registry_broadcast("r", COP_STR("k"), COP_TAG(1));
    }
}

TEST_TIMES(11, in_a_registry_that_ended_after_it_was_found_nothing_is_done)
{
    to_end = registry_start(COP_REGISTRY_UNIQUE, 0).id;
    ck_assert_int_eq(use_key(_i), -ESRCH);
    ck_assert_str_eq(cop_why().text, "unknown registry: r");
    ck_assert_uint_eq(to_end, 0);
    ck_assert(!test_has_mail());
}

static int
make_another(void *env)
{
    (void)env;
    return copi_registry_make("another", 3) ? 0 : -ENOMEM;
}

TEST(without_memory_there_is_no_place)
{
    int result;
    ck_assert_uint_eq(test_out_of_memory(make_another, NULL, &result), 3); /* what was made stays */
    ck_assert_ptr_eq(copi_registry_make("another", 2), copi_registry_make("another", 3));
    ck_assert_ptr_ne(copi_registry_make("another", 1), copi_registry_make("one", 1));
}

TEST(a_place_where_no_registry_has_started_is_unknown)
{
    struct copi_place place;
    copi_registry_make("r", 1);
    ck_assert_int_eq(copi_place_find(&place, "r", COP_STR("k")), -ESRCH);
    ck_assert_int_eq(copi_place_at(&place, "r", 0), -ESRCH);
    ck_assert_int_eq(copi_place_find(&place, NULL, COP_STR("k")), -EINVAL);
}

TEST_TIMES(2, keys_are_spread_over_the_partitions)
{
    struct copi_place place;
    bool used[MOST] = {0};
    registry_start(COP_REGISTRY_UNIQUE, _i);
    for (int i = 0; i < 200; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "%d", i);
        unsigned index = index_of(key);
        ck_assert_uint_lt(index, _i ? 8 : 1);
        used[index] = true;
    }
    for (unsigned i = 0; i < (_i ? 8 : 1); i++) {
        ck_assert(used[i]);
    }
    ck_assert_int_eq(copi_place_at(&place, "r", _i ? 8 : 1), -ENOENT);
}

TEST(a_place_found_in_a_registry_of_another_size_is_closed)
{
    struct copi_place place;
    cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, 1);
    ck_assert_int_eq(copi_place_at(&place, "r", 0), 0);
    ck_assert_int_eq(copi_place_enter(&place), 0);
    copi_place_leave(&place);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_int_eq(copi_place_enter(&place), -ESRCH);
    registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_int_eq(copi_place_enter(&place), -ESRCH);
}

static void
add_one_of_nobody(struct copi_partition *partition)
{
    struct copi_blob *bytes = copi_blob_new(COP_STR("k"));
    ck_assert_int_eq(copi_registrations_add(&partition->held, 1, bytes, cop_self(), bytes), 0);
    copi_blob_release(bytes);
}

TEST(what_an_owner_was_late_to_close_is_emptied_by_the_next)
{
    struct copi_place place;
    cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_int_eq(copi_place_at(&place, "r", 0), 0);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    place.partition->owner.id = 4711; /* it has ended, and its thread is somewhere */
    add_one_of_nobody(place.partition);
    ck_assert_uint_eq(registry_count(), 1);
    registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_uint_eq(registry_count(), 0);
}

TEST(an_owner_that_is_late_does_not_close_what_is_anothers)
{
    struct copi_place place;
    cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_int_eq(copi_place_at(&place, "r", 0), 0);
    ck_assert_int_eq(copi_place_enter(&place), 0);
    place.partition->owner.id = 4711; /* of the next incarnation */
    copi_place_leave(&place);
    add_one_of_nobody(place.partition);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_uint_eq(registry_count(), 1);
    registry_start(COP_REGISTRY_UNIQUE, 0); /* and that one closes it */
}

/* ---------------------------------------------------------------- the process */

TEST_TIMES(2, a_partition_answers_nobody_and_ignores_what_it_does_not_know)
{
    cop_pid all[MOST] = {{0}};
    size_t count = partitions(registry_start(COP_REGISTRY_UNIQUE, _i), all);
    ck_assert_uint_eq(count, _i ? 8 : 1);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), (cop_bytes){0}), 0);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(cop_call(all[i], COP_TAG(1), NULL, 0, SOON), -EOPNOTSUPP);
        ck_assert_int_eq(cop_cast(all[i], COP_TAG(1)), 0);
        ck_assert_int_eq(cop_send(all[i], COP_TAG(1)), 0);
        ck_assert_int_eq(cop_exit_signal(all[i], cop_failed(-EBADMSG, NULL)), 0);
        ck_assert_int_eq(cop_call(all[i], COP_TAG(1), NULL, 0, SOON), -EOPNOTSUPP);
    }
    ck_assert_uint_eq(registry_count(), 0); /* a signal in our name is our end to it */
}

TEST_TIMES(2, a_partition_that_is_killed_takes_those_registered_with_it_along)
{
    cop_pid all[MOST] = {{0}}, registry = registry_start(COP_REGISTRY_UNIQUE, _i);
    cop_pid pid = worker_start(), bystander = worker_start();
    partitions(registry, all);
    ck_assert_int_eq(worker_register(pid, "k", NULL), 0);
    cop_ref monitor = cop_monitor(pid);
    worker_kill(all[index_of("k")]);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    EVENTUALLY(cop_alive(registry) && cop_registry_count("r", &(size_t){0}) == 0);
    ck_assert_uint_eq(registry_count(), 0);
    ck_assert(cop_alive(bystander));
    ck_assert_int_eq(worker_register(bystander, "k", NULL), 0);
}

static int
register_and_wait_for_the_end(void *env)
{
    cop_msg msg;
    cop_trap_exits(true);
    int r = cop_registry_register("r", COP_STR("k"), (cop_bytes){0});
    r = r ? r : cop_receive(&msg, SOON);
    if (r == 0 && msg.tag == COP_MSG_EXIT) {
        *(cop_reason *)env = COP_BODY(msg, struct cop_exited)->reason;
    }
    return r;
}

TEST_TIMES(2, who_traps_exits_is_told_that_it_is_registered_no_more)
{
    cop_reason why = COP_REASON_NORMAL;
    cop_msg msg;
    cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, _i), pid = worker_start();
    worker_begin(pid, register_and_wait_for_the_end, &why);
    EVENTUALLY(registry_under("k") == 1);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_int_eq(cop_receive_match(&msg, worker_is_done, NULL, SOON), 0);
    ck_assert_int_eq(*COP_BODY(msg, int), 0);
    ck_assert_int_eq(why.kind, COP_SHUTDOWN);
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_uint_eq(registry_count(), 0);
    ck_assert_int_eq(worker_register(pid, "k", NULL), 0);
    worker_kill(pid); /* nothing else ends it */
}

static atomic_bool enough;

static int
register_again_and_again(cop_bytes arg)
{
    int number = *(const int *)arg.data;
    cop_trap_exits(true);
    while (!enough) {
        cop_msg msg;
        int r = cop_registry_register("r", COP_BYTES(number), (cop_bytes){0});
        cop_assert(r == 0 || r == -ESRCH || r == -EEXIST);
        if (r || cop_registry_unregister("r", COP_BYTES(number)) == -ESRCH) {
            cop_receive(&msg, COP_US(100)); /* its end is on its way, or was taken back */
        }
    }
    return 0;
}

TEST_TIMES(4, a_registry_that_comes_and_goes_while_it_is_used_forgets_nobodys_links)
{
    enum {
        CROWD = 4
    };
    cop_ref monitors[CROWD];
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(cop_spawn(NULL, register_again_and_again, .arg = COP_BYTES(i),
                                   .monitor = &monitors[i]),
                         0);
    }
    for (int i = 0; i < 6; i++) {
        cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, (_i + i) % 2);
        cop_sleep(COP_US(500));
        ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    }
    enough = true;
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    registry_start(COP_REGISTRY_UNIQUE, _i % 2);
    ck_assert_uint_eq(registry_count(), 0);
}

/* ---------------------------------------------------------------- listeners */

static void
start_with_listeners(cop_registry_kind kind, int eight)
{
    static const char *const listeners[] = {"main", "nobody", NULL};
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_registry_start(NULL, &(cop_registry_spec){.name = "r",
                                                                   .kind = kind,
                                                                   .partitions = eight ? 8 : 1,
                                                                   .listeners = listeners}),
                     0);
}

static void
next_event(cop_pid pid, bool registered, const char *key, const char *value)
{
    cop_msg msg = test_receive(COP_MSG_REGISTRY);
    const struct cop_registry_event *event = msg.body.data;
    ck_assert(cop_pid_eq(event->pid, pid));
    ck_assert(cop_pid_eq(msg.from, pid));
    ck_assert_int_eq(event->registered, registered);
    ck_assert_uint_eq(cop_registry_event_key(msg).size, strlen(key) + 1);
    ck_assert_str_eq(cop_registry_event_key(msg).data, key);
    ck_assert_uint_eq(cop_registry_event_value(msg).size, strlen(value) + 1);
    ck_assert_str_eq(cop_registry_event_value(msg).data, value);
}

TEST_TIMES(2, listeners_are_told_who_registers_and_unregisters)
{
    start_with_listeners(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("a"), COP_STR("1")), 0);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("a"), COP_STR("2")), -EEXIST);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("b"), COP_STR("a longer value")), 0);
    ck_assert_int_eq(cop_registry_unregister("r", COP_STR("a")), 0);
    ck_assert_int_eq(cop_registry_unregister("r", COP_STR("a")), 0);
    next_event(cop_self(), true, "a", "1");
    next_event(cop_self(), true, "b", "a longer value");
    next_event(cop_self(), false, "a", "1");
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

static int
register_here(cop_bytes arg)
{
    return cop_registry_register("r", arg, COP_STR("v"));
}

TEST_TIMES(2, listeners_are_told_of_an_end_after_all_else)
{
    start_with_listeners(COP_REGISTRY_UNIQUE, _i);
    for (int i = 0; i < 100; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, register_here, .arg = COP_STR("k")), 0);
        next_event(pid, true, "k", "v");
        next_event(pid, false, "k", "v");
    }
}

/* Not even the last that a start needs. */
static atomic_bool has_no_blobs;

struct copi_blob *real_blob(cop_bytes bytes) REAL(copi_blob_new);
struct copi_blob *fail_blob(cop_bytes bytes) WRAP(copi_blob_new);
struct copi_blob *
fail_blob(cop_bytes bytes)
{
    return has_no_blobs ? NULL : real_blob(bytes);
}

static int
start_another(void *listeners)
{
    return cop_registry_start(NULL,
                              &(cop_registry_spec){.name = "another",
                                                   .partitions = 1,
                                                   .listeners = (const char *const *)listeners});
}

TEST(without_memory_for_its_listeners_no_registry_starts)
{
    static const char *listeners[] = {"main", "nobody", NULL};
    int result;
    ck_assert_uint_ge(test_out_of_memory(start_another, listeners, &result), 4);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(cop_supervisor_stop(cop_whereis("another"), SOON), 0);
    test_catch_stderr();
    has_no_blobs = true;
    ck_assert_int_eq(start_another(listeners), -ENOMEM);
    has_no_blobs = false;
    free(test_caught_stderr());
    ck_assert_int_eq(cop_registry_register("another", COP_STR("k"), COP_STR("v")), -ESRCH);
}

static char large[2000];

static int
register_large(void *env)
{
    (void)env;
    return cop_registry_register("r", COP_STR("k"), COP_BYTES(large));
}

TEST_TIMES(2, an_event_without_memory_is_lost_and_reported)
{
    start_with_listeners(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_register("r", COP_STR("large"), COP_BYTES(large)), 0);
    test_receive(COP_MSG_REGISTRY);
    test_catch_stderr();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(cop_registry_unregister("r", COP_STR("large")), 0); /* it needs none itself */
    copi_alloc_fail_after(-1);
    char *reports = test_caught_stderr();
    ck_assert_uint_eq(test_count(reports, "no memory for an event of a registry to main"), 1);
    free(reports);
    ck_assert_uint_eq(registry_count(), 0);
    ck_assert_int_eq(register_large(NULL), 0);
    ck_assert_uint_eq(cop_registry_event_value(test_receive(COP_MSG_REGISTRY)).size, sizeof large);
}

SUITE("registry_partition")
