/*
 * tests/actors/test_statem.c - state machines: how they start and end, and what others see of them.
 *
 * Room: tests/. What happens in between is in test_statem_step.c, test_statem_actions.c,
 * test_statem_events.c and test_statem_timeouts.c.
 */
#include "tests/actors/statem.h"

/* ---------------------------------------------------------------- starts that fail */

TEST(a_start_without_a_machine_is_refused)
{
    cop_pid pid = {7};
    ck_assert_int_eq(cop_statem_start(&pid, NULL, .link = false), -EINVAL);
    ck_assert_uint_eq(pid.id, 7);
}

TEST(a_machine_without_a_first_state_is_refused)
{
    static const cop_statem nowhere = {.type = "nowhere"};
    ck_assert_int_eq(cop_statem_start(NULL, &nowhere, .link = false), -EINVAL);
}

TEST(an_argument_without_data_is_refused)
{
    ck_assert_int_eq(cop_statem_start(NULL, &machine, .arg = {NULL, 4}), -EINVAL);
}

TEST(a_name_that_is_taken_is_refused_with_its_holder)
{
    cop_pid first, second = COP_NOBODY;
    ck_assert_int_eq(cop_statem_start(&first, &machine, .name = "taken"), 0);
    ck_assert_int_eq(cop_statem_start(&second, &machine, .name = "taken"), -EEXIST);
    ck_assert_uint_eq(second.id, first.id);
}

static int
start_with_deed(deed init)
{
    return cop_statem_start(NULL, &machine, .arg = COP_BYTES(init));
}

TEST(init_that_stops_fails_the_start_without_terminate)
{
    ck_assert_int_eq(start_with_deed(stop_with_42), -42);
    ck_assert_str_eq(cop_why().text, "forty-two");
    happened("");
}

TEST(init_that_repeats_a_state_fails_the_start)
{
    ck_assert_int_eq(start_with_deed(repeat), -EINVAL);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "{bad_return_from_init,"));
}

TEST(init_that_names_no_state_fails_the_start)
{
    ck_assert_int_eq(start_with_deed(go_nowhere), -EINVAL);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "{bad_return_from_init,"));
}

static cop_transition
keep_state(void *data, cop_bytes arg)
{
    (void)data, (void)arg;
    return cop_statem_keep_state();
}

TEST(init_that_relies_on_an_initial_state_that_is_not_there_fails_the_start)
{
    static const cop_statem no_initial = {.init = keep_state};
    ck_assert_int_eq(cop_statem_start(NULL, &no_initial, .link = false), -EINVAL);
}

TEST(init_that_returns_what_nobody_made_fails_the_start)
{
    ck_assert_int_eq(start_with_deed(make_nothing), -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_return_from_init,0}");
}

TEST(init_with_an_action_that_fails_fails_the_start)
{
    ck_assert_int_eq(start_with_deed(ask_for_a_wrong_time), -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_action_from_state_function,state_timeout}");
}

TEST(init_that_stops_has_the_last_word)
{
    ck_assert_int_eq(start_with_deed(ask_for_a_wrong_time_and_stop), -42);
}

TEST(init_that_ignores_is_no_failure_and_no_process)
{
    deed init = ignore;
    cop_pid pid = {7};
    ck_assert_int_eq(cop_statem_start(&pid, &machine, .arg = COP_BYTES(init)), 0);
    ck_assert_uint_eq(pid.id, 0);
    happened("");
}

static cop_transition
ask_for_everything(const cop_statem_event *event)
{
    (void)event;
    cop_statem_next_event(TELL('i', NULL));
    cop_statem_state_timeout(0, TELL('s', NULL));
    cop_statem_timeout("named", 0, TELL('n', NULL));
    cop_statem_event_timeout(COP_SEC(100), TELL('e', NULL));
    return cop_statem_keep_state();
}

static int
try_to_start(void *pid)
{
    deed init = ask_for_everything;
    return cop_statem_start(pid, &machine, .arg = COP_BYTES(init));
}

TEST(a_start_without_memory_fails_and_leaves_nothing)
{
    cop_pid pid;
    int r;
    stop(start()); /* what is made once is there */
    ck_assert_uint_ge(test_out_of_memory(try_to_start, &pid, &r), 3);
    ck_assert_int_eq(r, 0);
}

/* ---------------------------------------------------------------- starts */

struct seen {
    bool is_zeroed;
    char argument[8];
};

static cop_transition
look_at_data(void *data, cop_bytes arg)
{
    struct seen *seen = data;
    static const struct seen zero;
    seen->is_zeroed = memcmp(seen, &zero, sizeof zero) == 0;
    memcpy(seen->argument, arg.data, arg.size);
    return cop_statem_next_state(&b);
}

static cop_transition
tell_of_data(const cop_statem_event *event)
{
    const struct seen *seen = here_data;
    cop_reply(event->from, COP_MSG_OF(NUMBER, *seen));
    return cop_statem_keep_state();
}

TEST(init_gets_zeroed_data_and_the_argument_and_says_where_to_start)
{
    static const cop_statem looker = {.data_size = sizeof(struct seen), .init = look_at_data};
    cop_pid pid;
    struct seen seen;
    ck_assert_int_eq(cop_statem_start(&pid, &looker, .arg = COP_STR("hello")), 0);
    ck_assert_int_eq(cop_call(pid, TELL('x', tell_of_data), COP_OUT(seen), SOON), 0);
    ck_assert(seen.is_zeroed);
    ck_assert_str_eq(seen.argument, "hello");
    happened(">b(b) b.x");
}

TEST(without_init_and_data_it_starts_in_its_initial_state)
{
    static const cop_statem simple = {.initial = &c};
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &simple, .link = false), 0);
    tell(pid, 'x', NULL);
    wait_for(pid);
    happened(">c(c) c.x");
    ck_assert_ptr_null(here_data);
}

TEST(a_start_without_options_works)
{
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start_with(&pid, &machine, NULL), 0);
    wait_for(pid);
}

TEST(what_init_asks_for_comes_after_the_first_state_is_entered)
{
    cop_pid pid = start_with(ask_for_everything);
    tell(pid, 'x', NULL);
    wait_for(pid);
    happened(">a(a) a.i a.s a.n a.x");
}

static cop_transition
postpone(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_postpone(), 0);
    return cop_statem_keep_state();
}

TEST(init_has_no_event_to_postpone)
{
    cop_pid pid = start_with(postpone);
    tell(pid, 'x', go_to_b);
    wait_for(pid);
    happened(">a(a) a.x >b(a)");
}

static cop_transition
stop_on_entering(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_stop(cop_failed(-7, "not in here"));
}

TEST(the_first_state_is_entered_when_the_start_has_returned)
{
    enter_deed = stop_on_entering;
    cop_ref ended;
    start_monitored(&ended); /* is a success */
    ck_assert_int_eq(test_down(ended).code, -7);
    happened(">a(a) end");
}

/* ---------------------------------------------------------------- ending */

TEST(a_machine_that_stops_terminates_in_its_state_with_its_reason)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', go_to_b);
    tell(pid, 'y', stop_with_42);
    ck_assert_int_eq(test_down(ended).code, -42);
    happened(">a(a) a.x >b(a) b.y end");
    ck_assert_ptr_eq(last_state, &b);
    ck_assert_str_eq(last_reason.text, "forty-two");
}

static cop_transition
reply_and_stop(const cop_statem_event *event)
{
    int number = 42;
    cop_reply(event->from, COP_MSG_OF(NUMBER, number));
    return cop_statem_stop(COP_REASON_NORMAL);
}

TEST(an_answer_before_a_stop_is_received)
{
    cop_ref ended;
    int number = 0;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_call(pid, TELL('x', reply_and_stop), COP_OUT(number), SOON), 0);
    ck_assert_int_eq(number, 42);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

TEST(a_call_that_stops_the_machine_without_an_answer_gets_its_reason)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', stop_with_42), -EPIPE);
    ck_assert_int_eq(cop_why().code, -42);
}

TEST(a_machine_that_is_asked_to_stop_does_what_it_was_told_before)
{
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    stop(pid);
    happened(">a(a) a.x >b(a) end");
    ck_assert_int_eq(last_reason.kind, COP_NORMAL);
}

static cop_transition
exit_with_9(const cop_statem_event *event)
{
    (void)event;
    cop_exit(cop_failed(-9, "left"));
}

TEST(a_machine_that_leaves_by_cop_exit_terminates)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', exit_with_9), -EPIPE);
    ck_assert_int_eq(cop_why().code, -9);
    happened(">a(a) a.x end");
}

/* ---------------------------------------------------------------- what others see */

TEST(the_state_is_seen_from_outside_while_its_function_runs)
{
    cop_process_info info;
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    tell_and_hold(pid);
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    ck_assert_str_eq(info.callback, "b");
    let_go();
    wait_for(pid);
    EVENTUALLY(test_is_waiting(pid));
}

/* ---------------------------------------------------------------- through cop_sys */

struct data {
    int count;
    char rest[60];
};

static int
count_in(cop_pid pid)
{
    struct data data = {0};
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(data), SOON), 0);
    return data.count;
}

static cop_transition
count_up(const cop_statem_event *event)
{
    (void)event;
    ((struct data *)here_data)->count++;
    return cop_statem_keep_state();
}

static int
add_to_count(void *data, cop_bytes arg)
{
    ((struct data *)data)->count += *(const int *)arg.data;
    return *(const int *)arg.data < 0 ? -ERANGE : 0;
}

static int
add(cop_pid pid, int number)
{
    return cop_sys_replace_state(pid, add_to_count, COP_BYTES(number), SOON);
}

TEST(a_machine_shows_its_data_its_type_and_the_state_that_it_is_in)
{
    cop_pid pid = start();
    tell(pid, 'x', count_up);
    ck_assert_int_eq(count_in(pid), 1);
    ck_assert_str_eq(test_status(pid).kind, "state machine");
    ck_assert_str_eq(test_status(pid).type, "machine");
    ck_assert_uint_eq(test_status(pid).state_size, machine.data_size);
    ck_assert_str_eq(test_status(pid).state_name, "a");
    tell(pid, 'y', go_to_b);
    ck_assert_str_eq(test_status(pid).state_name, "b");
}

TEST(a_machine_without_data_type_and_names_shows_that)
{
    static const cop_state nameless = {.handle = NULL};
    static const cop_statem plain = {.initial = &nameless};
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &plain, .link = false), 0);
    ck_assert_int_eq(cop_sys_get_state(pid, NULL, 0, SOON), 0);
    ck_assert_ptr_null(test_status(pid).type);
    ck_assert_uint_eq(test_status(pid).state_size, 0);
    ck_assert_str_eq(test_status(pid).state_name, "state");
}

TEST(a_replacement_that_fails_leaves_a_machine_s_data)
{
    cop_pid pid = start();
    ck_assert_int_eq(add(pid, -5), -ERANGE);
    ck_assert_int_eq(count_in(pid), 0);
    tell(pid, 'x', count_up);
    ck_assert_int_eq(count_in(pid), 1);
}

TEST(a_machine_s_data_may_be_replaced_and_it_stays_in_its_state)
{
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    ck_assert_int_eq(add(pid, 41), 0);
    tell(pid, 'y', count_up);
    ck_assert_int_eq(count_in(pid), 42);
    happened(">a(a) a.x >b(a) b.y");
}

static int
try_actions(void *data, cop_bytes arg)
{
    (void)data, (void)arg;
    bool refused = cop_statem_postpone() == -EPERM
                   && cop_statem_next_event(TELL('i', NULL)) == -EPERM
                   && cop_statem_state_timeout(0, TELL('s', NULL)) == -EPERM;
    return refused ? 0 : -EINVAL;
}

TEST(actions_in_a_replacement_are_refused)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_replace_state(pid, try_actions, (cop_bytes){NULL, 0}, SOON), 0);
    wait_for(pid);
    happened(">a(a)");
}

static cop_transition
be_held_and_time_out_soon(const cop_statem_event *event)
{
    (void)event;
    be_held();
    cop_statem_state_timeout(COP_US(100), TELL('s', go_to_b));
    return cop_statem_keep_state();
}

static int
suspend(cop_bytes arg)
{
    return cop_sys_suspend(*(const cop_pid *)arg.data, SOON);
}

/* The machine finds the request in its mailbox before its timeout can come. */
static void
suspend_before_the_timeout(cop_pid pid)
{
    cop_process_info info;
    cop_ref ended;
    tell(pid, 't', be_held_and_time_out_soon);
    wait_until_held();
    ck_assert_int_eq(cop_spawn(NULL, suspend, .arg = COP_BYTES(pid), .monitor = &ended), 0);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    let_go();
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

TEST(a_suspended_machine_shows_and_replaces_its_data_and_handles_nothing)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', count_up);
    suspend_before_the_timeout(pid);
    tell(pid, 'y', count_up);
    EVENTUALLY(test_status(pid).mailbox == 2); /* y, and the timer's */
    ck_assert_int_eq(count_in(pid), 1);
    ck_assert_int_eq(add(pid, 40), 0);
    ck_assert_int_eq(add(pid, -5), -ERANGE);
    ck_assert_int_eq(count_in(pid), 41);
    ck_assert(test_status(pid).is_suspended);
    ck_assert_str_eq(test_status(pid).state_name, "a");
    happened(">a(a) a.p a.x a.t");
    ck_assert_int_eq(cop_sys_resume(pid, SOON), 0);
    EVENTUALLY(has_happened("b.p"));
    wait_for(pid);
    ck_assert_int_eq(count_in(pid), 42);
    ck_assert_str_eq(test_status(pid).state_name, "b");
}

/* ---------------------------------------------------------------- in reports and trees */

TEST(a_crash_is_reported_with_the_state_and_what_was_postponed)
{
    cop_ref ended;
    test_catch_stderr();
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &machine, .name = "door", .monitor = &ended), 0);
    tell(pid, 'p', not_in_a);
    tell(pid, 'q', not_in_a);
    tell(pid, 'x', stop_with_42);
    test_down(ended);
    char *text = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(text, "state machine door crashed: forty-two"));
    ck_assert_ptr_nonnull(strstr(text, " state=a postponed=2 "));
    ck_assert_uint_eq(test_count(text, "\n"), 1);
    free(text);
}

TEST(a_normal_end_is_not_reported)
{
    test_catch_stderr();
    stop(start());
    char *text = test_caught_stderr();
    ck_assert_str_eq(text, "");
    free(text);
}

static int
start_machine(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)why;
    return cop_statem_start(out, &machine, .name = "supervised", .arg = arg, .link = true);
}

TEST(a_supervised_machine_grows_back_in_its_first_state)
{
    cop_pid supervisor;
    ck_assert_int_eq(cop_supervisor_start(&supervisor, &(cop_supervisor_spec){COP_CHILDREN(
                                                           {.id = "m", .start = start_machine})}),
                     0);
    cop_pid first = cop_whereis("supervised");
    tell(first, 'x', go_to_b);
    ck_assert_int_eq(ask(first, 'y', stop_with_42), -EPIPE);
    EVENTUALLY(test_is_another(cop_whereis("supervised"), first));
    tell(cop_named("supervised"), 'z', NULL);
    wait_for(cop_named("supervised"));
    happened(">a(a) a.x >b(a) b.y end >a(a) a.z");
    ck_assert_int_eq(cop_supervisor_stop(supervisor, SOON), 0);
}

static cop_transition
trap_exits(const cop_statem_event *event)
{
    (void)event;
    cop_trap_exits(true);
    return cop_statem_keep_state();
}

static int
be_a_parent(cop_bytes arg)
{
    (void)arg;
    deed init = trap_exits;
    return cop_statem_start(NULL, &machine, .name = "child", .arg = COP_BYTES(init), .link = true);
}

TEST(a_machine_that_traps_exits_ends_with_its_parent)
{
    cop_ref ended;
    ck_assert_int_eq(cop_spawn(NULL, be_a_parent, .monitor = &ended), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    EVENTUALLY(cop_whereis("child").id == 0);
    EVENTUALLY(has_happened("end"));
}

SUITE("statem")
