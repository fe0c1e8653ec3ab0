/*
 * tests/actors/test_statem_actions.c - what a machine's functions ask for where they may not, or wrongly.
 *
 * Room: tests/. What is asked for rightly is in test_statem_events.c and test_statem_timeouts.c.
 */
#include "runtime/alloc.h"
#include "tests/actors/statem.h"

/* ---------------------------------------------------------------- failing */

TEST(an_action_that_fails_fails_the_machine)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', ask_for_a_wrong_time);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_action_from_state_function,state_timeout}");
}

TEST(a_stop_has_the_last_word_over_an_action_that_fails)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', ask_for_a_wrong_time_and_stop);
    ck_assert_int_eq(test_down(ended).code, -42);
}

TEST(actions_elsewhere_are_refused)
{
    ck_assert_int_eq(cop_statem_postpone(), -EPERM);
    ck_assert_int_eq(cop_statem_next_event(COP_TAG(1)), -EPERM);
    ck_assert_int_eq(cop_statem_state_timeout(0, COP_TAG(1)), -EPERM);
    ck_assert_int_eq(cop_statem_event_timeout(0, COP_TAG(1)), -EPERM);
    ck_assert_int_eq(cop_statem_timeout("t", 0, COP_TAG(1)), -EPERM);
    ck_assert_int_eq(cop_why().code, -EPERM);
    void *body = calloc(1, 16);
    cop_statem_next_event(COP_MSG_MOVE(THING, body, 16, count_drop));
    ck_assert_uint_eq(drops, 1);
}

static int postpone_after_the_end;

static void
try_to_postpone(void *unused)
{
    (void)unused;
    postpone_after_the_end = cop_statem_postpone();
}

static cop_transition
try_at_the_end_of_the_event(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_defer(try_to_postpone, NULL), 0);
    return cop_statem_keep_state();
}

TEST(actions_in_deferred_calls_are_refused)
{
    cop_pid pid = start();
    tell(pid, 'x', try_at_the_end_of_the_event);
    wait_for(pid);
    ck_assert_int_eq(postpone_after_the_end, -EPERM);
}

/* ---------------------------------------------------------------- inserted wrongly */

static cop_statem_event wrong;

static cop_transition
insert_wrong(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_next_event_as(&wrong), -EINVAL);
    return cop_statem_keep_state();
}

static void
is_refused(cop_statem_event event)
{
    cop_ref ended;
    wrong = event;
    cop_pid pid = start_monitored(&ended);
    tell(pid, 'x', insert_wrong);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_action_from_state_function,next_event}");
}

TEST(an_event_of_no_kind_is_refused)
{
    is_refused((cop_statem_event){0});
    is_refused((cop_statem_event){.kind = (cop_statem_kind)(COP_STATEM_TIMEOUT + 1)});
}

TEST(a_named_timeout_without_a_name_is_refused)
{
    is_refused((cop_statem_event){.kind = COP_STATEM_TIMEOUT});
}

TEST(a_body_without_data_is_refused)
{
    is_refused((cop_statem_event){.kind = COP_STATEM_CAST, .msg.body.size = 4});
    is_refused((cop_statem_event){.kind = COP_STATEM_CAST, .msg.drop = count_drop});
    ck_assert_uint_eq(drops, 0);
}

TEST(the_body_of_a_refused_event_is_dropped)
{
    is_refused((cop_statem_event){.msg = thing()});
    ck_assert_uint_eq(drops, 1);
}

static cop_transition
insert_without_memory(const cop_statem_event *event)
{
    (void)event;
    cop_msg msg = thing();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(cop_statem_next_event(msg), -ENOMEM);
    copi_alloc_fail_after(-1);
    return cop_statem_keep_state();
}

TEST(without_memory_to_insert_the_machine_fails_and_the_body_is_dropped)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', insert_without_memory), -EPIPE);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    ck_assert_uint_eq(drops, 1);
}

SUITE("statem_actions")
