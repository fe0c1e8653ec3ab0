/*
 * tests/actors/test_registry_via.c - keys of a registry as names of processes.
 *
 * Room: tests/. Each test runs with a registry of one partition, and with one of eight.
 */
#include "runtime/alloc.h"
#include "tests/actors/worker.h"

#include <stdatomic.h>

enum {
    GET = 1,
    SET,
};

static const char key_k[] = "k", value_v[] = "v";
static const cop_via via = {"r", COP_BYTES_INIT(key_k), {NULL, 0}};
static const cop_via via_with_value = {"r", COP_BYTES_INIT(key_k), COP_BYTES_INIT(value_v)};

static cop_pid
where(void)
{
    return cop_registry_whereis("r", COP_STR("k"));
}

static cop_pid found_in_init;

static cop_step
init(void *state, cop_bytes arg)
{
    found_in_init = where();
    if (arg.size > 0) {
        return *(const int *)arg.data ? cop_stop(cop_failed(*(const int *)arg.data, "init"))
                                      : cop_ignore();
    }
    *(int *)state = 1;
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    (void)request;
    return cop_reply(from, COP_MSG_OF(GET, *(int *)state));
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    *(int *)state = *COP_BODY(msg, int);
    return cop_ok();
}

static const cop_genserver counter = {
    .type = "counter",
    .state_size = sizeof(int),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
};

/* ---------------------------------------------------------------- what is refused */

TEST_TIMES(2, a_key_of_a_duplicate_registry_is_no_name) /* REG-025 */
{
    cop_pid pid = {42};
    registry_start(COP_REGISTRY_DUPLICATE, _i);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via), -EOPNOTSUPP);
    ck_assert_str_eq(cop_why().text, "a key of a duplicate registry is no name");
    ck_assert_int_eq(cop_spawn(&pid, worker_run, .via = &via), -EOPNOTSUPP);
    ck_assert_int_eq(cop_agent_start(&pid, COP_STR("state"), .via = &via), -EOPNOTSUPP);
    ck_assert_uint_eq(pid.id, 42);
    ck_assert_uint_eq(registry_count(), 0);
}

TEST_TIMES(2, nobody_starts_under_a_key_of_an_unknown_registry) /* REG-022, REG-023 */
{
    cop_pid pid = {42};
    cop_via nowhere = {"unknown", COP_STR("k"), {NULL, 0}}, nameless = {0};
    cop_via no_data = {"r", {NULL, 1}, {NULL, 0}}, no_value = {"r", {NULL, 0}, {NULL, 1}};
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &nowhere), -ESRCH);
    ck_assert_str_eq(cop_why().text, "unknown registry: unknown");
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &nameless), -EINVAL);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &no_data), -EINVAL);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &no_value), -EINVAL);
    ck_assert_uint_eq(pid.id, 42);
}

TEST_TIMES(2, calls_to_a_key_that_nobody_has_find_nobody) /* REG-023 */
{
    int count;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_call(where(), COP_TAG(GET), COP_OUT(count), SOON), -ESRCH);
    ck_assert_int_eq(cop_cast(where(), COP_TAG(SET)), 0);
    ck_assert_int_eq(cop_send(where(), COP_TAG(SET)), 0);
    ck_assert_int_eq(cop_stop_process(where(), COP_REASON_NORMAL, SOON), 0);
}

/* ---------------------------------------------------------------- as a name */

TEST_TIMES(2, a_server_starts_under_a_key_and_is_called_by_it) /* REG-023, GEN-011 */
{
    cop_pid pid, other = COP_NOBODY;
    int count, nine = 9;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via), 0);
    ck_assert(cop_pid_eq(found_in_init, pid)); /* it has the key before init runs */
    ck_assert(cop_pid_eq(where(), pid));
    ck_assert_int_eq(cop_call(where(), COP_TAG(GET), COP_OUT(count), SOON), 0);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(cop_cast(where(), COP_MSG_OF(SET, nine)), 0);
    ck_assert_int_eq(cop_call(where(), COP_TAG(GET), COP_OUT(count), SOON), 0);
    ck_assert_int_eq(count, 9);
    ck_assert_int_eq(cop_genserver_start(&other, &counter, .via = &via), -EEXIST);
    ck_assert_str_eq(cop_why().text, "already_started");
    ck_assert(cop_pid_eq(other, pid));
    ck_assert_uint_eq(registry_count(), 1);
}

TEST_TIMES(2, a_server_starts_with_a_value) /* REG-023 */
{
    char value[2];
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_genserver_start(NULL, &counter, .via = &via_with_value), 0);
    ck_assert_int_eq(cop_registry_value("r", COP_STR("k"), COP_OUT(value)), 0);
    ck_assert_str_eq(value, "v");
}

TEST_TIMES(2, plain_processes_and_agents_start_under_keys_too) /* REG-023 */
{
    cop_pid pid, other;
    int state = 5, out;
    cop_via agents = {"r", COP_STR("agent"), {NULL, 0}};
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_spawn(&pid, worker_run, .via = &via), 0);
    ck_assert(cop_pid_eq(where(), pid)); /* at once */
    ck_assert_int_eq(cop_spawn(&other, worker_run, .via = &via), -EEXIST);
    ck_assert_str_eq(cop_why().text, "already_started");
    ck_assert(cop_pid_eq(other, pid));
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(state), .via = &agents), 0);
    ck_assert_int_eq(cop_agent_get(cop_registry_whereis("r", COP_STR("agent")), COP_OUT(out), SOON),
                     0);
    ck_assert_int_eq(out, 5);
    ck_assert_int_eq(cop_agent_start(&other, COP_BYTES(state), .via = &agents), -EEXIST);
    ck_assert(cop_pid_eq(other, pid));
}

TEST_TIMES(2, a_supervisor_is_found_by_the_key_of_whoever_started_it) /* SUP-021 */
{
    cop_child_counts counts;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    cop_pid supervisor;
    ck_assert_int_eq(cop_supervisor_start(&supervisor, &(cop_supervisor_spec){COP_CHILDREN({
                                                           .id = "counter",
                                                           .genserver = &counter,
                                                       })}),
                     0);
    /* a registry as lookup: the value says who */
    ck_assert_int_eq(cop_registry_register("r", COP_STR("k"), COP_BYTES(supervisor)), 0);
    cop_pid found;
    ck_assert_int_eq(cop_registry_value("r", COP_STR("k"), COP_OUT(found)), 0);
    ck_assert_int_eq(cop_supervisor_count(found, &counts), 0);
    ck_assert_uint_eq(counts.active, 1);
    ck_assert_int_eq(cop_supervisor_stop(found, SOON), 0);
    ck_assert_int_eq(cop_supervisor_count(found, &counts), -ESRCH);
}

TEST_TIMES(2, a_server_is_stopped_by_its_key) /* GEN-052 */
{
    cop_pid pid;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via), 0);
    ck_assert_int_eq(cop_stop_process(where(), COP_REASON_NORMAL, SOON), 0);
    ck_assert(!cop_alive(pid));
    ck_assert(cop_pid_eq(where(), COP_NOBODY));
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via), 0);
    ck_assert(cop_pid_eq(where(), pid));
}

/* ---------------------------------------------------------------- starts that fail */

TEST_TIMES(2, a_start_that_fails_leaves_the_key_free) /* REG-023 */
{
    int bad = -EBADMSG, ignore = 0;
    cop_pid pid;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via, .arg = COP_BYTES(bad)),
                         -EBADMSG);
        ck_assert_uint_eq(registry_count(), 0);
        ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via, .arg = COP_BYTES(ignore)),
                         0);
        ck_assert(cop_pid_eq(pid, COP_NOBODY));
        ck_assert_uint_eq(registry_count(), 0);
    }
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via), 0);
}

static int
start_one(void *env)
{
    return cop_genserver_start(env, &counter, .via = &via_with_value, .link = true,
                               .arg = {NULL, 0});
}

TEST_TIMES(2, without_memory_nobody_starts_under_a_key)
{
    int result;
    cop_pid pid;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_uint_ge(test_out_of_memory(start_one, &pid, &result), 5);
    ck_assert_int_eq(result, 0);
    ck_assert(cop_pid_eq(where(), pid));
    ck_assert_uint_eq(registry_count(), 1);
}

TEST_TIMES(2, without_a_thread_nobody_starts_under_a_key)
{
    cop_pid pid;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    cop_trim();
    ck_assert_int_eq(cop_spawn(&pid, worker_run, .stack_size = SIZE_MAX / 4, .via = &via,
                               .fresh_thread = true),
                     -EAGAIN);
    ck_assert_uint_eq(registry_count(), 0);
    ck_assert_int_eq(cop_spawn(&pid, worker_run, .via = &via), 0);
}

TEST_TIMES(2, a_server_under_a_key_goes_with_its_registry)
{
    cop_pid pid, registry = registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_genserver_start(&pid, &counter, .via = &via), 0);
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

/* ---------------------------------------------------------------- many at once */

enum {
    STARTERS = 4,
    ROUNDS = 100
};
static atomic_int started, running, wrong;

static int
start_and_stop(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        cop_pid pid = COP_NOBODY;
        int r = cop_genserver_start(&pid, &counter, .via = &via);
        wrong += (r != 0 && r != -EEXIST) || pid.id == 0;
        if (r == 0) {
            started++;
            wrong += ++running != 1;
            running--;
            wrong += cop_stop_process(pid, COP_REASON_NORMAL, SOON) != 0;
        }
    }
    return 0;
}

TEST_TIMES(2, of_many_that_start_under_a_key_one_does) /* REG-023 */
{
    cop_ref monitors[STARTERS];
    registry_start(COP_REGISTRY_UNIQUE, _i);
    for (int i = 0; i < STARTERS; i++) {
        ck_assert_int_eq(cop_spawn(NULL, start_and_stop, .monitor = &monitors[i]), 0);
    }
    for (int i = 0; i < STARTERS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_ge(started, 1);
    ck_assert_uint_eq(registry_count(), 0);
}

SUITE("registry via")
