/*
 * tests/actors/test_agent.c - agents: state that one process owns, and functions that visit it.
 *
 * Room: tests/. The numbers (AGT-…) are those of the behaviours of Elixir's Agent that hold here.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#define NO_ARG ((cop_bytes){0})

static atomic_uint drops;
static atomic_int dropped_value;

static void
note_drop(void *state)
{
    atomic_store(&dropped_value, *(int *)state);
    atomic_fetch_add(&drops, 1);
}

static cop_pid
start(int value)
{
    cop_pid pid;
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(value), .link = false), 0);
    return pid;
}

static cop_pid
start_with_drop(int value, cop_ref *ended)
{
    cop_pid pid;
    ck_assert_int_eq(
        cop_agent_start_with(&pid, COP_BYTES(value), note_drop,
                             &(cop_start_opts){.size = sizeof(cop_start_opts), .monitor = ended}),
        0);
    return pid;
}

static int
value_of(cop_pid pid)
{
    int value;
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(value), SOON), 0);
    return value;
}

/* ---------------------------------------------------------------- functions that visit */

static void
add(void *state, cop_bytes arg)
{
    int change;
    memcpy(&change, arg.data, sizeof change);
    *(int *)state += change;
}

static void
increment(void *state, cop_bytes arg)
{
    ck_assert_ptr_null(arg.data);
    ck_assert_uint_eq(arg.size, 0);
    ++*(int *)state;
}

static void
get_sum(const void *state, cop_bytes arg, void *out)
{
    int other;
    memcpy(&other, arg.data, sizeof other);
    *(int *)out = *(const int *)state + other;
}

static void
get_nothing(const void *state, cop_bytes arg, void *out)
{
    (void)state, (void)arg, (void)out;
}

static void
swap(void *state, cop_bytes arg, void *out)
{
    *(int *)out = *(int *)state;
    memcpy(state, arg.data, sizeof(int));
}

static void
crash(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_exit(cop_failed(-42, "forty-two"));
}

static void
crash_in_get(const void *state, cop_bytes arg, void *out)
{
    (void)state, (void)arg, (void)out;
    cop_exit(cop_failed(-42, "forty-two"));
}

static atomic_bool visited;

static void
sleep_for_ever(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    atomic_store(&visited, true);
    cop_sleep(COP_FOREVER);
}

static void
visit_the_agent_itself(void *state, cop_bytes arg)
{
    (void)arg;
    int value;
    *(int *)state = cop_agent_get(cop_self(), COP_OUT(value), SOON);
}

/* ---------------------------------------------------------------- starts that fail */

TEST(an_initial_state_without_data_is_refused)
{
    cop_pid pid = {7};
    ck_assert_int_eq(cop_agent_start(&pid, ((cop_bytes){NULL, 4}), .link = false), -EINVAL);
    ck_assert_uint_eq(pid.id, 7);
}

TEST(an_argument_without_data_is_refused)
{
    cop_agent_spec spec = {.state_size = sizeof(int)};
    cop_start_opts opts = {.size = sizeof opts, .arg = {NULL, 4}};
    ck_assert_int_eq(cop_agent_start_spec(NULL, &spec, &opts), -EINVAL);
}

TEST(a_specification_that_is_not_there_is_refused)
{
    cop_start_opts opts = {.size = sizeof opts};
    ck_assert_int_eq(cop_agent_start_spec(NULL, NULL, &opts), -EINVAL);
}

TEST(a_name_that_is_taken_is_refused_and_nothing_dropped)
{
    int value = 1;
    cop_pid first, second = COP_NOBODY;
    cop_start_opts opts = {.size = sizeof opts, .name = "taken"};
    ck_assert_int_eq(cop_agent_start(&first, COP_BYTES(value), .name = "taken"), 0);
    ck_assert_int_eq(cop_agent_start_with(&second, COP_BYTES(value), note_drop, &opts), -EEXIST);
    ck_assert_uint_eq(second.id, first.id);
    ck_assert_uint_eq(drops, 0);
}

static int
init_fails(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return -ECONNREFUSED;
}

TEST(init_that_fails_fails_the_start_and_nothing_is_dropped)
{
    cop_agent_spec spec = {.state_size = sizeof(int), .init = init_fails, .drop = note_drop};
    cop_start_opts opts = {.size = sizeof opts, .name = "n"};
    cop_pid pid = {7};
    ck_assert_int_eq(cop_agent_start_spec(&pid, &spec, &opts), -ECONNREFUSED);
    ck_assert_uint_eq(pid.id, 7);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1); /* the test itself */
    ck_assert_uint_eq(drops, 0);
}

static int
init_returns_7(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return 7;
}

TEST(init_that_returns_a_positive_number_fails_the_start)
{
    cop_agent_spec spec = {.state_size = sizeof(int), .init = init_returns_7};
    cop_start_opts opts = {.size = sizeof opts};
    ck_assert_int_eq(cop_agent_start_spec(NULL, &spec, &opts), -EINVAL);
}

static int
init_exits(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_exit(cop_failed(-EIO, "no disk"));
}

TEST(init_that_crashes_fails_the_start_with_its_reason)
{
    cop_agent_spec spec = {.state_size = sizeof(int), .init = init_exits, .drop = note_drop};
    cop_start_opts opts = {.size = sizeof opts};
    ck_assert_int_eq(cop_agent_start_spec(NULL, &spec, &opts), -EIO);
    ck_assert_str_eq(cop_why().text, "no disk");
    ck_assert_uint_eq(drops, 0);
}

static int
init_hangs(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_sleep(COP_FOREVER);
}

TEST(init_that_hangs_is_killed_after_init_timeout)
{
    cop_agent_spec spec = {.state_size = sizeof(int), .init = init_hangs, .drop = note_drop};
    cop_start_opts opts = {.size = sizeof opts, .init_timeout = COP_MS(20)};
    cop_time before = cop_now();
    ck_assert_int_eq(cop_agent_start_spec(NULL, &spec, &opts), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    ck_assert_uint_eq(drops, 0);
}

static int
start_named(void *arg)
{
    int value = 42;
    cop_start_opts opts = {.size = sizeof opts, .name = "n"};
    int r = cop_agent_start_with(arg, COP_BYTES(value), note_drop, &opts);
    copi_alloc_fail_after(-1);
    if (r == -ENOMEM) {
        ck_assert_uint_eq(cop_whereis("n").id, 0);
        ck_assert_uint_eq(cop_processes(NULL, 0), 1);
        ck_assert_uint_eq(drops, 0);
    }
    return r;
}

TEST(a_start_without_memory_leaves_nothing_behind)
{
    cop_pid pid;
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(start_named, &pid, &r), 3);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(value_of(pid), 42);
}

/* ---------------------------------------------------------------- starts */

static void
do_nothing(void *arg)
{
    (void)arg;
}

TEST(a_start_leaves_the_deferred_calls_of_its_caller_as_they_were)
{
    int value = 1;
    ck_assert_int_eq(cop_defer(do_nothing, &value), 0);
    start(1);
    ck_assert_int_eq(cop_undefer(do_nothing, &value, false), 0);
    ck_assert_int_eq(cop_undefer(do_nothing, &value, false), -ENOENT);
    ck_assert_int_eq(cop_undefer(free, NULL, false), -ENOENT);
}

/* AGT-001 */
TEST(an_agent_holds_a_copy_of_its_initial_state)
{
    int value = 42;
    cop_pid pid;
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(value), .link = false), 0);
    value = 0;
    ck_assert_int_eq(value_of(pid), 42);
}

struct record {
    int first;
    char rest[60];
    int from_arg;
};

static int
init_record(void *state, cop_bytes arg)
{
    struct record *record = state;
    for (size_t i = 0; i < sizeof record->rest; i++) {
        if (record->rest[i] != 0) {
            return -EINVAL;
        }
    }
    memcpy(&record->from_arg, arg.data, sizeof record->from_arg);
    return 0;
}

/* AGT-001 */
TEST(init_runs_before_the_start_returns_on_the_initial_bytes_and_zeros)
{
    int first = 1, arg = 2;
    cop_agent_spec spec = {
        .initial = COP_BYTES(first), .init = init_record, .state_size = sizeof(struct record)};
    cop_start_opts opts = {.size = sizeof opts, .arg = COP_BYTES(arg)};
    cop_pid pid;
    struct record record;
    ck_assert_int_eq(cop_agent_start_spec(&pid, &spec, &opts), 0);
    arg = 0;
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(record), SOON), 0);
    ck_assert_int_eq(record.first, 1);
    ck_assert_int_eq(record.from_arg, 2);
}

TEST(a_state_size_below_the_initial_bytes_does_not_cut_them)
{
    int pair[2] = {1, 2}, read[2];
    cop_agent_spec spec = {.initial = COP_BYTES(pair), .state_size = sizeof(int)};
    cop_start_opts opts = {.size = sizeof opts};
    cop_pid pid;
    ck_assert_int_eq(cop_agent_start_spec(&pid, &spec, &opts), 0);
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(read), SOON), 0);
    ck_assert_int_eq(read[1], 2);
}

TEST(an_agent_may_have_no_state_at_all)
{
    cop_pid pid;
    ck_assert_int_eq(cop_agent_start(&pid, NO_ARG, .link = false), 0);
    ck_assert_int_eq(cop_agent_get(pid, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_agent_stop(pid, SOON), 0);
}

/* AGT-001 */
TEST(a_linked_agent_tells_its_starter_of_its_end)
{
    int value = 1;
    cop_pid pid;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(value), .link = true), 0);
    ck_assert_int_eq(cop_agent_cast(pid, crash, NO_ARG), 0);
    cop_msg msg = test_receive(COP_MSG_EXIT);
    ck_assert_int_eq(COP_BODY(msg, struct cop_exited)->reason.code, -42);
}

TEST(an_agent_is_found_by_its_name)
{
    int value = 42;
    ck_assert_int_eq(cop_agent_start(NULL, COP_BYTES(value), .name = "settings"), 0);
    ck_assert_int_eq(value_of(cop_named("settings")), 42);
    ck_assert_int_eq(cop_agent_update(cop_named("settings"), increment, NO_ARG, SOON), 0);
    ck_assert_int_eq(value_of(cop_named("settings")), 43);
}

/* AGT-007 */
TEST(an_agent_is_a_child_that_is_started_again)
{
    int value = 42;
    cop_pid supervisor, name = cop_named("child");
    cop_agent_spec agent = {.initial = COP_BYTES(value), .drop = note_drop};
    ck_assert_int_eq(cop_supervisor_start(&supervisor,
                                          &(cop_supervisor_spec){COP_CHILDREN(
                                              {.id = "child", .name = "child", .agent = &agent})}),
                     0);
    cop_pid first = cop_whereis("child");
    ck_assert_int_eq(cop_agent_update(name, increment, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_agent_update(name, crash, NO_ARG, SOON), -EPIPE);
    EVENTUALLY(test_is_another(cop_whereis("child"), first));
    ck_assert_int_eq(value_of(name), 42);
    ck_assert_uint_eq(drops, 1);
    ck_assert_int_eq(cop_supervisor_stop(supervisor, SOON), 0);
    ck_assert_uint_eq(drops, 2);
}

/* ---------------------------------------------------------------- visits that fail */

/* AGT-008 */
TEST(a_visit_to_nobody_finds_no_process)
{
    int value = 7;
    cop_pid gone = start(1);
    ck_assert_int_eq(cop_agent_stop(gone, SOON), 0);
    ck_assert_int_eq(cop_agent_get(gone, COP_OUT(value), SOON), -ESRCH);
    ck_assert_int_eq(cop_agent_update(gone, increment, NO_ARG, SOON), -ESRCH);
    ck_assert_int_eq(cop_agent_get_with(gone, get_sum, COP_BYTES(value), COP_OUT(value), SOON),
                     -ESRCH);
    ck_assert_int_eq(cop_agent_get_and_update(gone, swap, COP_BYTES(value), COP_OUT(value), SOON),
                     -ESRCH);
    ck_assert_int_eq(value, 7);
}

TEST(a_cast_to_nobody_is_no_error)
{
    cop_pid gone = start(1);
    ck_assert_int_eq(cop_agent_stop(gone, SOON), 0);
    ck_assert_int_eq(cop_agent_cast(gone, increment, NO_ARG), 0);
    ck_assert_int_eq(cop_agent_cast(cop_named("nobody"), increment, NO_ARG), 0);
}

TEST(an_argument_of_a_visit_without_data_is_refused)
{
    cop_pid pid = start(1);
    cop_bytes nothing = {NULL, 4};
    int out;
    ck_assert_int_eq(cop_agent_update(pid, add, nothing, SOON), -EINVAL);
    ck_assert_int_eq(cop_agent_cast(pid, add, nothing), -EINVAL);
    ck_assert_int_eq(cop_agent_get_with(pid, get_sum, nothing, COP_OUT(out), SOON), -EINVAL);
    ck_assert_int_eq(value_of(pid), 1);
}

TEST(the_state_read_with_another_size_is_refused_and_nothing_written)
{
    cop_pid pid = start(42);
    char small = 7;
    char large[8] = {7};
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(small), SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(large), SOON), -EMSGSIZE);
    ck_assert_int_eq(small, 7);
    ck_assert_int_eq(large[0], 7);
    ck_assert_int_eq(value_of(pid), 42);
}

/* AGT-008 */
TEST(a_visit_that_does_not_end_in_time_gives_up)
{
    int value;
    cop_pid pid = start(1);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_agent_update(pid, sleep_for_ever, NO_ARG, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(value), COP_MS(1)), -ETIMEDOUT);
    cop_exit_signal(pid, COP_REASON_KILLED);
}

/* AGT-008 */
TEST(a_function_that_crashes_takes_the_agent_with_it_and_fails_its_caller)
{
    cop_ref ended;
    cop_pid pid = start_with_drop(42, &ended);
    ck_assert_int_eq(cop_agent_update(pid, crash, NO_ARG, SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -42);
    ck_assert_str_eq(cop_why().text, "forty-two");
    ck_assert_int_eq(test_down(ended).code, -42);
}

TEST(a_function_that_crashes_while_its_answer_is_being_made_leaks_nothing)
{
    static char out[5000]; /* so that the answer has memory of its own */
    cop_pid pid = start(1);
    ck_assert_int_eq(cop_agent_get_with(pid, crash_in_get, NO_ARG, COP_OUT(out), SOON), -EPIPE);
    ck_assert(!cop_alive(pid));
}

TEST(an_agent_that_visits_itself_is_refused)
{
    cop_pid pid = start(1);
    ck_assert_int_eq(cop_agent_update(pid, visit_the_agent_itself, NO_ARG, SOON), 0);
    ck_assert_int_eq(value_of(pid), -EDEADLK);
}

TEST(a_stranger_s_call_is_refused_and_the_agent_lives)
{
    cop_pid pid = start(42);
    char body[64] = "not a visit";
    ck_assert_int_eq(cop_call(pid, COP_TAG(1), NULL, 0, SOON), -EOPNOTSUPP);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(2, body), NULL, 0, SOON), -EOPNOTSUPP);
    ck_assert_int_eq(value_of(pid), 42);
}

TEST(a_stranger_s_messages_are_ignored)
{
    cop_pid pid = start(42);
    char body[64] = "not a visit";
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(1, body)), 0);
    ck_assert_int_eq(cop_send(pid, COP_MSG_OF(1, body)), 0);
    ck_assert_int_eq(value_of(pid), 42);
}

TEST(nobody_can_make_up_a_visit)
{
    cop_pid pid = start(42);
    char body[64] = "";
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(0xffff0103u, body), NULL, 0, SOON), -EINVAL);
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(0xffff0103u, body)), -EINVAL);
    ck_assert_int_eq(value_of(pid), 42);
}

static int
update_much(void *arg)
{
    static char large[5000]; /* so that the request has memory of its own */
    const cop_pid *pid = arg;
    large[0] = 1;
    return cop_agent_update(*pid, add, COP_BYTES(large), SOON);
}

TEST(a_visit_without_memory_is_not_made)
{
    cop_pid pid = start(0);
    int r;
    ck_assert_int_eq(value_of(pid), 0);
    ck_assert_uint_gt(test_out_of_memory(update_much, &pid, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(value_of(pid), 1);
}

static int
cast_much(void *arg)
{
    static char large[5000];
    const cop_pid *pid = arg;
    large[0] = 1;
    return cop_agent_cast(*pid, add, COP_BYTES(large));
}

TEST(a_cast_without_memory_is_not_made)
{
    cop_pid pid = start(0);
    int r;
    ck_assert_uint_gt(test_out_of_memory(cast_much, &pid, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(value_of(pid), 1);
}

/* ---------------------------------------------------------------- visits */

/* AGT-002, AGT-005 */
TEST(get_update_and_get_and_update_do_as_they_say)
{
    cop_pid pid = start(1);
    int change = 10, out;
    ck_assert_int_eq(cop_agent_update(pid, add, COP_BYTES(change), SOON), 0);
    ck_assert_int_eq(value_of(pid), 11);
    ck_assert_int_eq(cop_agent_get_with(pid, get_sum, COP_BYTES(change), COP_OUT(out), SOON), 0);
    ck_assert_int_eq(out, 21);
    ck_assert_int_eq(cop_agent_get_and_update(pid, swap, COP_BYTES(change), COP_OUT(out), SOON), 0);
    ck_assert_int_eq(out, 11);
    ck_assert_int_eq(value_of(pid), 10);
}

/* AGT-002 */
TEST(a_cast_is_done_before_what_is_asked_after_it)
{
    cop_pid pid = start(0);
    int change = 10;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_agent_cast(pid, add, COP_BYTES(change)), 0);
    }
    ck_assert_int_eq(value_of(pid), 1000);
}

TEST(what_a_function_does_not_write_is_zero)
{
    cop_pid pid = start(1);
    int out = 7;
    ck_assert_int_eq(cop_agent_get_with(pid, get_nothing, NO_ARG, COP_OUT(out), SOON), 0);
    ck_assert_int_eq(out, 0);
}

enum {
    MUCH = 100000
};

static void
set_all(void *state, cop_bytes arg)
{
    memcpy(state, arg.data, arg.size);
}

static void
swap_all(void *state, cop_bytes arg, void *out)
{
    memcpy(out, state, MUCH);
    memcpy(state, arg.data, arg.size);
}

TEST(arguments_and_results_may_be_large)
{
    static char a[MUCH], b[MUCH], out[MUCH];
    cop_agent_spec spec = {.state_size = MUCH};
    cop_start_opts opts = {.size = sizeof opts};
    cop_pid pid;
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    ck_assert_int_eq(cop_agent_start_spec(&pid, &spec, &opts), 0);
    ck_assert_int_eq(cop_agent_update(pid, set_all, COP_BYTES(a), SOON), 0);
    ck_assert_int_eq(cop_agent_get_and_update(pid, swap_all, COP_BYTES(b), COP_OUT(out), SOON), 0);
    ck_assert_mem_eq(out, a, MUCH);
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(out), SOON), 0);
    ck_assert_mem_eq(out, b, MUCH);
}

struct aligned {
    int64_t words[2];
};

static void
check_alignment(void *state, cop_bytes arg)
{
    *(int *)state = (uintptr_t)arg.data % 8 == 0 && (uintptr_t)state % 8 == 0;
}

TEST(what_a_function_gets_is_aligned_for_any_type)
{
    cop_pid pid = start(0);
    struct aligned arg = {{1, 2}};
    ck_assert_int_eq(cop_agent_update(pid, check_alignment, COP_BYTES(arg), SOON), 0);
    ck_assert_int_eq(value_of(pid), 1);
}

enum {
    CLIENTS = 4,
    UPDATES = 1000,
    ALL_UPDATES = CLIENTS * UPDATES,
};

static int
update_often(cop_bytes arg)
{
    cop_pid pid;
    memcpy(&pid, arg.data, sizeof pid);
    for (int i = 0; i < UPDATES; i++) {
        ck_assert_int_eq(cop_agent_update(pid, increment, NO_ARG, COP_FOREVER), 0);
    }
    return 0;
}

TEST(visits_of_several_clients_come_one_at_a_time)
{
    cop_pid pid = start(0);
    cop_ref ended[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(cop_spawn(NULL, update_often, .arg = COP_BYTES(pid), .monitor = &ended[i]),
                         0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(test_down(ended[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(value_of(pid), ALL_UPDATES);
}

/* ---------------------------------------------------------------- the end */

TEST(a_stop_returns_when_the_agent_is_gone_and_twice_is_safe)
{
    cop_ref ended;
    cop_pid pid = start_with_drop(42, &ended);
    ck_assert_int_eq(cop_agent_stop(pid, SOON), 0);
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(drops, 1);
    ck_assert_int_eq(dropped_value, 42);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    ck_assert_int_eq(cop_agent_stop(pid, SOON), 0);
}

TEST(the_state_is_dropped_once_after_a_crash)
{
    cop_ref ended;
    cop_pid pid = start_with_drop(42, &ended);
    ck_assert_int_eq(cop_agent_cast(pid, increment, NO_ARG), 0);
    ck_assert_int_eq(cop_agent_cast(pid, crash, NO_ARG), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    ck_assert_uint_eq(drops, 1);
    ck_assert_int_eq(dropped_value, 43);
}

TEST(the_state_is_dropped_once_after_an_exit_signal)
{
    const cop_reason reasons[] = {COP_REASON_SHUTDOWN, COP_REASON_KILLED, cop_failed(-42, "x")};
    for (unsigned i = 0; i < 3; i++) {
        cop_ref ended;
        cop_pid pid = start_with_drop(42, &ended);
        ck_assert_int_eq(cop_exit_signal(pid, reasons[i]), 0);
        ck_assert_int_eq(test_down(ended).kind, reasons[i].kind);
        ck_assert_uint_eq(drops, i + 1);
    }
}

TEST(the_state_is_dropped_once_when_the_agent_is_killed_in_a_visit)
{
    cop_ref ended;
    cop_pid pid = start_with_drop(42, &ended);
    ck_assert_int_eq(cop_agent_cast(pid, sleep_for_ever, NO_ARG), 0);
    EVENTUALLY(visited);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_uint_eq(drops, 1);
}

TEST(the_state_is_dropped_when_the_library_shuts_down)
{
    cop_ref ended;
    start_with_drop(42, &ended);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(drops, 1);
}

static void
drop_badly(void *state)
{
    note_drop(state);
    cop_exit(cop_failed(-EIO, "could not close"));
}

TEST(a_drop_that_crashes_runs_once_and_the_agent_ends)
{
    int value = 1;
    cop_ref ended;
    cop_pid pid;
    cop_start_opts opts = {.size = sizeof opts, .monitor = &ended};
    ck_assert_int_eq(cop_agent_start_with(&pid, COP_BYTES(value), drop_badly, &opts), 0);
    cop_agent_stop(pid, SOON);
    test_down(ended);
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(drops, 1);
}

SUITE("agent")
