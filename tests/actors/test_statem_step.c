/*
 * tests/actors/test_statem_step.c - from event to event: how states are entered, what is no transition.
 *
 * Room: tests/. Whole runs are held against a model in test_statem_model.c.
 */
#include "tests/actors/statem.h"

/* ---------------------------------------------------------------- entering */

TEST(a_change_of_state_enters_the_new_one)
{
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    tell(pid, 'y', go_to_c);
    wait_for(pid);
    happened(">a(a) a.x >b(a) b.y >c(b)");
}

TEST(the_same_state_as_the_next_one_is_not_entered)
{
    cop_pid pid = start();
    tell(pid, 'x', go_to_a);
    wait_for(pid);
    happened(">a(a) a.x");
}

TEST(a_repeated_state_is_entered_from_itself)
{
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    tell(pid, 'y', repeat);
    wait_for(pid);
    happened(">a(a) a.x >b(a) b.y >b(b)");
}

static cop_transition
go_to_b_and_insert(const cop_statem_event *event)
{
    (void)event;
    cop_statem_next_event(TELL('i', NULL));
    return cop_statem_next_state(&b);
}

TEST(entering_comes_before_any_event)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', go_to_b_and_insert);
    wait_for(pid);
    happened(">a(a) a.p a.x >b(a) b.i b.p");
}

static unsigned repeats;

static cop_transition
repeat_twice(const cop_statem_event *event)
{
    (void)event;
    return here == &b && repeats++ < 2 ? cop_statem_repeat_state() : cop_statem_keep_state();
}

TEST(a_state_may_be_repeated_from_its_enter_and_sees_where_it_came_from)
{
    enter_deed = repeat_twice;
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', go_to_b);
    wait_for(pid);
    happened(">a(a) a.p a.x >b(a) >b(a) >b(a) b.p");
}

static cop_transition
name_itself(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_next_state(here);
}

TEST(a_state_may_name_itself_in_its_enter)
{
    enter_deed = name_itself;
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    wait_for(pid);
    happened(">a(a) a.x >b(a)");
}

static cop_from waiting;

static cop_transition
go_to_b_owing(const cop_statem_event *event)
{
    waiting = event->from;
    return cop_statem_next_state(&b);
}

static cop_transition
answer_in_b(const cop_statem_event *event)
{
    (void)event;
    if (here == &b) {
        cop_reply(waiting, COP_TAG(0));
    }
    return cop_statem_keep_state();
}

TEST(an_answer_may_be_given_on_entering)
{
    enter_deed = answer_in_b;
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', go_to_b_owing), 0);
    happened(">a(a) a.x >b(a)");
}

/* Start, go from a to b, and fail there. */
static cop_reason
enter_b_with(deed what)
{
    cop_ref ended;
    enter_deed = what;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', go_to_b);
    cop_reason reason = test_down(ended);
    happened(">a(a) a.x >b(a) end");
    ck_assert_ptr_eq(last_state, &b);
    return reason;
}

static cop_transition
postpone_in_b(const cop_statem_event *event)
{
    (void)event;
    if (here == &b) {
        ck_assert_int_eq(cop_statem_postpone(), -EINVAL);
    }
    return cop_statem_keep_state();
}

TEST(to_postpone_on_entering_fails_the_machine)
{
    cop_reason reason = enter_b_with(postpone_in_b);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_state_enter_action_from_state_function,postpone}");
}

static cop_transition
insert_in_b(const cop_statem_event *event)
{
    (void)event;
    if (here == &b) {
        ck_assert_int_eq(cop_statem_next_event(COP_TAG(1)), -EINVAL);
        ck_assert_int_eq(cop_why().code, -EINVAL);
    }
    return cop_statem_keep_state();
}

TEST(to_insert_on_entering_fails_the_machine)
{
    cop_reason reason = enter_b_with(insert_in_b);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_state_enter_action_from_state_function,next_event}");
}

static cop_transition
go_on_to_c(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_next_state(here == &b ? &c : here);
}

TEST(another_state_on_entering_fails_the_machine)
{
    cop_reason reason = enter_b_with(go_on_to_c);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_state_enter_return_from_state_function,{next_state,c}}");
}

static cop_transition
exit_in_b(const cop_statem_event *event)
{
    (void)event;
    if (here == &b) {
        cop_exit(cop_failed(-9, "left"));
    }
    return cop_statem_keep_state();
}

TEST(a_state_may_be_left_by_cop_exit_on_entering)
{
    cop_reason reason = enter_b_with(exit_in_b);
    ck_assert_int_eq(reason.code, -9);
    ck_assert_str_eq(reason.text, "left");
}

/* ---------------------------------------------------------------- what is no transition */

TEST(what_nobody_made_is_no_transition)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', make_nothing);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_return_from_state_function,0}");
}

TEST(to_ignore_after_the_start_is_no_transition)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', ignore);
    ck_assert_int_eq(test_down(ended).code, -EINVAL);
}

TEST(no_state_is_no_next_state)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', go_nowhere);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_return_from_state_function,{next_state,NULL}}");
}

TEST(a_state_that_handles_nothing_fails_with_the_first_event)
{
    static const cop_state silent = {.name = "silent"};
    static const cop_statem quiet = {.initial = &silent};
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &quiet, .link = false), 0);
    ck_assert_int_eq(ask(pid, 'x', NULL), -EPIPE);
    ck_assert_int_eq(cop_why().code, -ENOSYS);
    ck_assert_str_eq(cop_why().text, "{undef,silent}");
}

/* ---------------------------------------------------------------- without end */

static cop_transition
feed_itself(const cop_statem_event *event)
{
    cop_statem_next_event(event->msg);
    atomic_fetch_add(&holds, 1);
    pthread_mutex_lock(&record.lock);
    record.text[0] = '\0';
    pthread_mutex_unlock(&record.lock);
    return cop_statem_keep_state();
}

TEST(a_machine_that_feeds_itself_without_end_can_be_killed)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', feed_itself);
    wait_until_held();
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert(!has_happened("end"));
}

SUITE("statem_step")
