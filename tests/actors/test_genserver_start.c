/*
 * tests/actors/test_genserver_start.c - starting a server: what fails, and what is there when it has started.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server and Elixir's
 * GenServer that hold here.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "tests/actors/deeds.h"

/* ---------------------------------------------------------------- starts that fail */

TEST(a_start_without_a_behaviour_is_refused)
{
    cop_pid pid = {7};
    ck_assert_int_eq(cop_genserver_start(&pid, NULL, .link = false), -EINVAL);
    ck_assert_uint_eq(pid.id, 7);
}

/* GEN-012 */
TEST(a_name_that_is_none_is_refused)
{
    char long_name[65] = "";
    memset(long_name, 'n', 64);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = ""), -EINVAL);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = long_name), -EINVAL);
}

TEST(an_argument_without_data_is_refused)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = {NULL, 4}), -EINVAL);
}

TEST(a_negative_init_timeout_is_refused)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .init_timeout = -1), -EINVAL);
}

/* GEN-010 */
TEST(a_name_that_is_taken_is_refused_with_its_holder)
{
    cop_pid first, second = COP_NOBODY, third = COP_NOBODY;
    ck_assert_int_eq(cop_genserver_start(&first, &server, .name = "taken"), 0);
    ck_assert_int_eq(cop_genserver_start(&second, &server, .name = "taken"), -EEXIST);
    ck_assert_uint_eq(second.id, first.id);
    ck_assert_int_eq(cop_genserver_start(&third, &bare, .name = "taken", .link = true), -EEXIST);
    ck_assert_uint_eq(third.id, first.id);
    wait_for(cop_named("taken"));
}

static int
return_at_once(cop_bytes arg)
{
    (void)arg;
    return 0;
}

/* GEN-010 */
TEST(a_name_that_is_taken_is_refused_whatever_is_started)
{
    cop_pid first, agent = COP_NOBODY;
    int value = 1;
    ck_assert_int_eq(cop_genserver_start(&first, &server, .name = "taken"), 0);
    ck_assert_int_eq(cop_agent_start(&agent, COP_BYTES(value), .name = "taken"), -EEXIST);
    ck_assert_uint_eq(agent.id, first.id);
    ck_assert_int_eq(cop_spawn(NULL, return_at_once, .name = "taken"), -EEXIST);
    wait_for(cop_named("taken"));
}

TEST(a_name_that_is_taken_does_not_even_run_init)
{
    beginning begin = NULL;
    cop_pid first = start();
    ck_assert_int_eq(cop_register("taken", first), 0);
    cop_process_info info;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = "taken", .arg = COP_BYTES(begin)),
                     -EEXIST);
    ck_assert_int_eq(cop_inspect(first, &info), 0);
    assert_said("");
}

static cop_step
init_stops(void)
{
    say("init");
    return cop_stop(cop_failed(-ECONNREFUSED, "no database"));
}

/* GEN-006 */
TEST(init_that_stops_fails_the_start_with_its_reason)
{
    beginning begin = init_stops;
    cop_pid pid = {7};
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .arg = COP_BYTES(begin)),
                     -ECONNREFUSED);
    cop_reason why = cop_why();
    ck_assert_int_eq(why.kind, COP_FAILED);
    ck_assert_str_eq(why.text, "no database");
    ck_assert_uint_eq(pid.id, 7);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1); /* the test itself: it is gone already */
    assert_said("init");                          /* and terminate did not run */
}

static cop_step
init_exits(void)
{
    cop_exit(cop_failed(-ECONNREFUSED, "no database"));
}

TEST(init_that_leaves_by_cop_exit_fails_the_start_without_terminate)
{
    beginning begin = init_exits;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin)), -ECONNREFUSED);
    ck_assert_str_eq(cop_why().text, "no database");
    assert_said("");
}

static cop_step
init_stops_with_7(void)
{
    return cop_stop(cop_failed(7, "seven"));
}

static cop_step
init_stops_normally(void)
{
    return cop_stop(COP_REASON_NORMAL);
}

static cop_step
init_shuts_down(void)
{
    return cop_stop(COP_REASON_SHUTDOWN);
}

TEST(each_reason_of_init_has_its_code)
{
    beginning positive = init_stops_with_7, normal = init_stops_normally, down = init_shuts_down;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(positive)),
                     -ENOTRECOVERABLE);
    ck_assert_int_eq(cop_why().code, 7);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(normal)), -EPIPE);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(down)), -ECANCELED);
    ck_assert_int_eq(cop_why().kind, COP_SHUTDOWN);
}

static cop_step
init_returns_nonsense(void)
{
    return (cop_step){.next = 12345};
}

TEST(init_with_a_step_that_is_none_fails_the_start)
{
    beginning begin = init_returns_nonsense;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin)), -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_return_value,12345}");
    assert_said("");
}

static cop_step
init_ignores(void)
{
    return cop_ignore();
}

/* GEN-006 */
TEST(init_that_ignores_is_no_error_and_no_process)
{
    beginning begin = init_ignores;
    cop_pid pid = {7};
    test_catch_stderr();
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .arg = COP_BYTES(begin)), 0);
    ck_assert_uint_eq(pid.id, 0);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    assert_said("");
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

static cop_step
init_hangs(void)
{
    say("hanging");
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

TEST(init_that_hangs_is_killed_after_init_timeout)
{
    beginning begin = init_hangs;
    cop_pid pid = {7};
    cop_time before = cop_now();
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .init_timeout = COP_MS(30),
                                         .arg = COP_BYTES(begin)),
                     -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
    ck_assert_uint_eq(pid.id, 7);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    assert_said("hanging");
}

static cop_step
init_hangs_and_traps(void)
{
    cop_trap_exits(true);
    return init_hangs();
}

TEST(init_that_traps_exits_is_killed_after_init_timeout_all_the_same)
{
    beginning begin = init_hangs_and_traps;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .init_timeout = COP_MS(10),
                                         .arg = COP_BYTES(begin)),
                     -ETIMEDOUT);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
}

static cop_pid starter;

static cop_step
init_calls_its_starter(void)
{
    int r = cop_call(starter, COP_TAG(WORD), NULL, 0, SOON);
    return cop_stop(cop_failed(r, NULL));
}

static cop_step
start_one_that_calls_me(cop_from from)
{
    beginning begin = init_calls_its_starter;
    starter = cop_self();
    int r = cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin));
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(init_that_calls_its_starter_is_refused_and_not_endured)
{
    deed what = start_one_that_calls_me;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    wait_for(pid);
}

static int
start_one_that_hangs(cop_bytes arg)
{
    beginning begin = init_hangs;
    (void)arg;
    int r = cop_genserver_start(NULL, &server, .name = "child", .arg = COP_BYTES(begin));
    ck_assert_int_eq(r, -ECANCELED);
    ck_assert_uint_eq(cop_whereis("child").id, 0);
    say("gave up");
    return r;
}

TEST(a_start_is_given_up_when_its_starter_is_asked_to_stop)
{
    cop_pid pid;
    cop_ref ended;
    ck_assert_int_eq(cop_spawn(&pid, start_one_that_hangs, .monitor = &ended), 0);
    EVENTUALLY(has_said("hanging"));
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    assert_said("hanging gave up");
}

static cop_step
note_init(void *state, cop_bytes arg)
{
    static const unsigned char zeroed[3000];
    (void)arg;
    ck_assert_mem_eq(state, zeroed, sizeof zeroed);
    say("init");
    return cop_ok();
}

static int
start_one_with_a_state(void *pid)
{
    static const cop_genserver large = {.type = "large", .state_size = 3000, .init = note_init};
    int r = cop_genserver_start(pid, &large, .link = false);
    copi_alloc_fail_after(-1);
    if (r) {
        ck_assert_int_eq(cop_why().code, r);
        assert_said("");
    }
    return r;
}

TEST(a_server_for_whose_state_there_is_no_memory_does_not_even_run_init)
{
    cop_pid pid;
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(start_one_with_a_state, &pid, &r), 1);
    ck_assert_int_eq(r, 0);
    assert_said("init");
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    ck_assert_uint_eq(info.owned_bytes, 3000);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
}

static int
start_named(void *arg)
{
    cop_pid *pid = arg;
    int r = cop_genserver_start(pid, &server, .name = "n", .link = true);
    copi_alloc_fail_after(-1);
    if (r == -ENOMEM) {
        ck_assert_uint_eq(cop_whereis("n").id, 0);
        ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    }
    return r;
}

TEST(a_start_without_memory_leaves_nothing_behind)
{
    cop_pid pid;
    int r;
    cop_self();
    cop_trap_exits(true);
    test_out_of_memory(start_named, &pid, &r);
    ck_assert_int_eq(r, 0);
    wait_for(pid);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* no link told of one that never was */
}

/* ---------------------------------------------------------------- starts */

static cop_step
init_takes_its_time(void)
{
    cop_sleep(COP_MS(20));
    say("init");
    return cop_ok();
}

/* GEN-004 */
TEST(a_start_returns_when_init_has)
{
    beginning begin = init_takes_its_time;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin)), 0);
    assert_said("init");
}

TEST(options_are_read_as_far_as_an_older_program_knows_them)
{
    beginning begin = init_takes_its_time;
    const cop_start_opts old = {
        .size = offsetof(cop_start_opts, init_timeout),
        .arg = COP_BYTES(begin),
        .init_timeout = COP_US(1),
    };
    ck_assert_int_eq(cop_genserver_start_with(NULL, &server, &old), 0);
    assert_said("init");
}

/* GEN-001 */
TEST(a_server_answers_until_it_is_stopped)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer), 0);
    stop(pid);
    ck_assert(!cop_alive(pid));
    ck_assert_int_eq(call(pid, answer), -ESRCH);
}

/* GEN-002 */
TEST(a_linked_server_tells_its_starter_of_its_end)
{
    cop_pid pid;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = true), 0);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    cop_msg msg = test_receive(COP_MSG_EXIT);
    const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
    ck_assert_uint_eq(exited->pid.id, pid.id);
    ck_assert_int_eq(exited->reason.code, -42);
    ck_assert_str_eq(exited->reason.text, "forty-two");
}

TEST(a_monitor_that_the_start_sets_tells_of_the_end)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
}

/* GEN-010, GEN-014 */
TEST(a_server_is_found_and_called_by_its_name)
{
    cop_pid pid;
    ck_assert_uint_eq(cop_whereis("by_name").id, 0);
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "by_name"), 0);
    ck_assert_uint_eq(cop_whereis("by_name").id, pid.id);
    ck_assert_int_eq(call(cop_named("by_name"), answer), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("by_name"), COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(cop_whereis("by_name").id, 0);
}

TEST(a_behaviour_without_callbacks_starts_and_stops)
{
    cop_pid pid = start_as(&bare);
    stop(pid);
}

TEST(each_incarnation_begins_with_a_zeroed_state_and_the_argument)
{
    for (int i = 0; i < 3; i++) {
        cop_pid pid;
        int one = 1, reply;
        ck_assert_int_eq(cop_genserver_start(&pid, &counting, .arg = COP_BYTES(i)), 0);
        ck_assert_int_eq(cop_call(pid, COP_MSG_OF(ADD, one), COP_OUT(reply), SOON), 0);
        ck_assert_int_eq(reply, i + 1);
        stop(pid);
    }
}

static cop_bytes kept_argument;

static cop_step
argument_init(void *state, cop_bytes arg)
{
    (void)state;
    kept_argument = arg;
    return cop_ok();
}

static cop_step
argument_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    int first;
    memcpy(&first, kept_argument.data, sizeof first);
    return cop_reply(from, COP_MSG_OF(NUMBER, first));
}

TEST(the_argument_is_copied_and_valid_until_the_end)
{
    static const cop_genserver keeper = {
        .type = "keeper", .init = argument_init, .handle_call = argument_call};
    cop_pid pid;
    int argument = 42, reply;
    ck_assert_int_eq(cop_genserver_start(&pid, &keeper, .arg = COP_BYTES(argument)), 0);
    argument = 0;
    ck_assert_int_eq(cop_call(pid, COP_TAG(NUMBER), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 42);
}

/* ---------------------------------------------------------------- how long it looks */

/* Whose answers come quickly would else be parked for, because starts take their time. */
TEST(a_wait_for_a_start_teaches_nothing_about_waits_for_messages)
{
    cop_pid pid = cop_self();
    const struct copi_spin *messages = &copi_here.spin, kept = *messages;
    for (int i = 0; i < 16; i++) {
        ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
        ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    }
    ck_assert_int_eq(messages->budget, kept.budget);
    ck_assert_uint_eq(messages->looks, kept.looks);
    ck_assert_uint_eq(messages->glance.failed, kept.glance.failed);
    ck_assert_uint_eq(messages->yield.failed, kept.yield.failed);
}

SUITE("genserver_start")
