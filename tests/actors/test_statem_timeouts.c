/*
 * tests/actors/test_statem_timeouts.c - timeouts of states, of events, and with names.
 *
 * Room: tests/. Those that are to fire are short, those that are not are longer than any test. Where
 * a timeout must not come although its timer has fired, the machine is held until it has.
 */
#include "runtime/alloc.h"
#include "tests/actors/statem.h"

#define NEVER COP_SEC(1000)

/* ---------------------------------------------------------------- what is asked for */

/* Deeds have no arguments, so what they ask for stands here. */
static struct {
    cop_time after, again;
    const cop_state *to;
    deed what;
} wish = {.after = COP_MS(5), .again = NEVER};

static cop_transition
and_go(void)
{
    return wish.to ? cop_statem_next_state(wish.to) : cop_statem_keep_state();
}

static cop_transition
set_state_timeout(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_state_timeout(wish.after, TELL('S', wish.what)), 0);
    return and_go();
}

static cop_transition
set_event_timeout(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_event_timeout(wish.after, TELL('E', wish.what)), 0);
    return and_go();
}

static cop_transition
set_named_timeout(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_timeout("n", wish.after, TELL('N', wish.what)), 0);
    return and_go();
}

static cop_statem_event last_event;
static cop_time last_time;
static char last_name[32];

static cop_transition
look_at_event(const cop_statem_event *event)
{
    last_event = *event;
    last_time = cop_now();
    (void)snprintf(last_name, sizeof last_name, "%s", event->name ? event->name : "");
    return cop_statem_keep_state();
}

/* ---------------------------------------------------------------- of the state */

TEST(a_state_timeout_comes_after_its_time_with_its_content)
{
    wish.what = look_at_event;
    cop_time before = cop_now();
    cop_pid pid = start();
    tell(pid, 'x', set_state_timeout);
    EVENTUALLY(has_happened("a.S"));
    wait_for(pid);
    happened(">a(a) a.x a.S");
    ck_assert_int_eq(last_event.kind, COP_STATEM_STATE_TIMEOUT);
    ck_assert_ptr_null(last_event.name);
    ck_assert_int_ge(last_time - before, COP_MS(5));
}

TEST(a_state_timeout_survives_events_that_keep_the_state)
{
    cop_pid pid = start();
    tell(pid, 'x', set_state_timeout);
    tell(pid, 'y', NULL);
    tell(pid, 'z', go_to_a);
    tell(pid, 'r', repeat);
    EVENTUALLY(has_happened("a.S"));
}

TEST(a_state_timeout_that_is_set_with_a_change_belongs_to_the_new_state)
{
    wish.to = &b;
    cop_pid pid = start();
    tell(pid, 'x', set_state_timeout);
    EVENTUALLY(has_happened("b.S"));
    wait_for(pid);
    happened(">a(a) a.x >b(a) b.S");
}

static cop_transition
set_on_entering_b(const cop_statem_event *event)
{
    return here == &b ? set_state_timeout(event) : cop_statem_keep_state();
}

TEST(a_state_timeout_may_be_set_on_entering)
{
    enter_deed = set_on_entering_b;
    cop_pid pid = start();
    tell(pid, 'x', go_to_b);
    EVENTUALLY(has_happened("b.S"));
}

TEST(a_timeout_may_be_postponed)
{
    wish.what = not_in_a;
    cop_pid pid = start();
    tell(pid, 'x', set_state_timeout);
    EVENTUALLY(has_happened("a.S"));
    tell(pid, 'y', go_to_b);
    wait_for(pid);
    happened(">a(a) a.x a.S a.y >b(a) b.S");
}

static cop_transition
set_two(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(0, TELL('S', NULL));
    cop_statem_state_timeout(wish.after, TELL('T', NULL));
    return cop_statem_keep_state();
}

TEST(of_several_in_one_transition_the_last_counts)
{
    cop_pid pid = start();
    tell(pid, 'x', set_two);
    EVENTUALLY(has_happened("a.T"));
    wait_for(pid);
    happened(">a(a) a.x a.T");
}

/* ---------------------------------------------------------------- too late */

static deed late_deed;

static cop_transition
be_held_and_late(const cop_statem_event *event)
{
    be_held();
    return late_deed(event);
}

/* The machine sets a timeout in x, and is held in k until its timer has fired. Then it does `late`. */
static cop_pid
fire_too_late(deed set, deed late)
{
    cop_process_info info;
    cop_pid pid = start();
    late_deed = late;
    wish.after = COP_US(100);
    tell_and_hold(pid);
    tell(pid, 'x', set);
    tell(pid, 'k', be_held_and_late);
    let_go();
    EVENTUALLY(atomic_load(&holds) == 2);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    wish.after = wish.again;
    let_go();
    wait_for(pid);
    return pid;
}

TEST(a_change_of_state_ends_the_state_timeout_however_late)
{
    fire_too_late(set_state_timeout, go_to_b);
    happened(">a(a) a.h a.x a.k >b(a)");
}

static cop_transition
end_state_timeout(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(COP_FOREVER, COP_TAG(0));
    return cop_statem_keep_state();
}

TEST(a_state_timeout_that_is_to_last_for_ever_is_ended_however_late)
{
    fire_too_late(set_state_timeout, end_state_timeout);
    happened(">a(a) a.h a.x a.k");
}

TEST(a_state_timeout_that_is_set_again_starts_anew_however_late)
{
    wish.again = NEVER;
    fire_too_late(set_state_timeout, set_state_timeout);
    happened(">a(a) a.h a.x a.k");
}

TEST(a_state_timeout_that_is_set_again_comes_once)
{
    wish.again = COP_MS(5);
    cop_pid pid = fire_too_late(set_state_timeout, set_state_timeout);
    EVENTUALLY(has_happened("a.S"));
    wait_for(pid);
    happened(">a(a) a.h a.x a.k a.S");
}

TEST(an_event_ends_the_event_timeout_however_late)
{
    fire_too_late(set_event_timeout, go_to_a);
    happened(">a(a) a.h a.x a.k");
}

TEST(an_event_timeout_that_is_set_again_starts_anew_however_late)
{
    wish.again = NEVER;
    fire_too_late(set_event_timeout, set_event_timeout);
    happened(">a(a) a.h a.x a.k");
}

static cop_transition
end_named_timeout(const cop_statem_event *event)
{
    (void)event;
    cop_statem_timeout("n", COP_FOREVER, COP_TAG(0));
    return cop_statem_keep_state();
}

TEST(a_named_timeout_is_ended_however_late)
{
    fire_too_late(set_named_timeout, end_named_timeout);
    happened(">a(a) a.h a.x a.k");
}

TEST(a_named_timeout_survives_changes_of_state)
{
    fire_too_late(set_named_timeout, go_to_b);
    happened(">a(a) a.h a.x a.k >b(a) b.N");
}

static cop_transition
update_state_timeout(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(COP_STATEM_UPDATE, TELL('U', NULL));
    return cop_statem_keep_state();
}

TEST(a_timeout_that_has_fired_but_not_come_may_be_updated)
{
    fire_too_late(set_state_timeout, update_state_timeout);
    happened(">a(a) a.h a.x a.k a.U");
}

static cop_reason why_seen;

static cop_transition
fail_and_end_named_timeout(const cop_statem_event *event)
{
    cop_send(cop_named("nobody has this name"), COP_TAG(1));
    return end_named_timeout(event);
}

static cop_transition
look_why(const cop_statem_event *event)
{
    (void)event;
    why_seen = cop_why();
    return cop_statem_keep_state();
}

TEST(to_end_a_timeout_too_late_is_no_failure)
{
    cop_pid pid = fire_too_late(set_named_timeout, fail_and_end_named_timeout);
    tell(pid, 'w', look_why);
    wait_for(pid);
    ck_assert_int_eq(why_seen.code, -ESRCH);
}

static cop_transition
set_and_insert_change(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(COP_MS(300), TELL('S', NULL));
    cop_statem_timeout("n", COP_MS(310), TELL('N', NULL));
    cop_statem_next_event(TELL('i', go_to_b));
    return cop_statem_keep_state();
}

TEST(a_timeout_that_is_ended_in_time_has_no_timer_any_more)
{
    cop_process_info info;
    cop_pid pid = start();
    tell(pid, 'x', set_and_insert_change);
    EVENTUALLY(has_happened("b.N"));
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    ck_assert_uint_eq(info.messages_handled, 2); /* x, and the timer of N */
    happened(">a(a) a.x a.i >b(a) b.N");
}

/* ---------------------------------------------------------------- of events */

TEST(an_event_timeout_comes_when_no_event_does)
{
    wish.what = look_at_event;
    cop_pid pid = start();
    tell(pid, 'x', set_event_timeout);
    EVENTUALLY(has_happened("a.E"));
    wait_for(pid);
    happened(">a(a) a.x a.E");
    ck_assert_int_eq(last_event.kind, COP_STATEM_EVENT_TIMEOUT);
}

TEST(an_event_timeout_survives_the_change_of_state_that_it_is_set_with)
{
    wish.to = &b;
    cop_pid pid = start();
    tell(pid, 'x', set_event_timeout);
    EVENTUALLY(has_happened("b.E"));
}

static cop_transition
set_event_timeout_and_insert(const cop_statem_event *event)
{
    (void)event;
    cop_statem_event_timeout(0, TELL('E', NULL));
    cop_statem_next_event(TELL('i', NULL));
    return cop_statem_keep_state();
}

TEST(an_inserted_event_ends_the_event_timeout)
{
    cop_pid pid = start();
    tell(pid, 'x', set_event_timeout_and_insert);
    wait_for(pid);
    happened(">a(a) a.x a.i");
}

TEST(a_retried_event_ends_the_event_timeout)
{
    wish.after = 0;
    wish.to = &b;
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', set_event_timeout);
    wait_for(pid);
    happened(">a(a) a.p a.x >b(a) b.p");
}

/* ---------------------------------------------------------------- with names */

static cop_transition
set_many(const cop_statem_event *event)
{
    (void)event;
    char name[] = "slow";
    cop_statem_timeout(name, IN_TIME, TELL('s', look_at_event));
    memcpy(name, "fast", sizeof name);
    cop_statem_timeout(name, COP_MS(1), TELL('f', look_at_event));
    memset(name, 0, sizeof name);
    return cop_statem_keep_state();
}

TEST(timeouts_with_names_run_beside_each_other)
{
    cop_pid pid = start();
    tell(pid, 'x', set_many);
    EVENTUALLY(has_happened("a.s"));
    wait_for(pid);
    happened(">a(a) a.x a.f a.s");
    ck_assert_int_eq(last_event.kind, COP_STATEM_TIMEOUT);
    ck_assert_str_eq(last_name, "slow");
}

static cop_transition
end_the_fast_one(const cop_statem_event *event)
{
    set_many(event);
    cop_statem_timeout("fast", COP_FOREVER, COP_TAG(0));
    cop_statem_timeout("unknown", COP_FOREVER, COP_TAG(0));
    return cop_statem_keep_state();
}

TEST(the_end_of_one_timeout_leaves_the_others)
{
    cop_pid pid = start();
    tell(pid, 'x', end_the_fast_one);
    EVENTUALLY(has_happened("a.s"));
    wait_for(pid);
    happened(">a(a) a.x a.s");
}

static cop_transition
set_hundreds(const cop_statem_event *event)
{
    (void)event;
    for (int i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d", i);
        cop_statem_timeout(name, COP_MS(1 + i % 7), TELL('t', NULL));
    }
    return cop_statem_keep_state();
}

static unsigned
times(const char *word)
{
    pthread_mutex_lock(&record.lock);
    unsigned count = test_count(record.text, word);
    pthread_mutex_unlock(&record.lock);
    return count;
}

TEST(hundreds_of_timeouts_come_once_each)
{
    cop_pid pid = start();
    tell(pid, 'x', set_hundreds);
    EVENTUALLY(times("a.t") == 300);
    wait_for(pid);
    ck_assert_uint_eq(times("a.t"), 300);
}

/* ---------------------------------------------------------------- updated */

TEST(an_update_changes_what_comes_and_not_when)
{
    wish.after = IN_TIME;
    cop_time before = cop_now();
    cop_pid pid = start();
    tell(pid, 'x', set_state_timeout);
    tell(pid, 'y', update_state_timeout);
    EVENTUALLY(has_happened("a.U"));
    ck_assert_int_ge(cop_now() - before, IN_TIME);
    wait_for(pid);
    happened(">a(a) a.x a.y a.U");
}

TEST(an_update_of_a_timeout_that_does_not_run_lets_it_come_at_once)
{
    cop_pid pid = start();
    tell(pid, 'y', update_state_timeout);
    wait_for(pid);
    happened(">a(a) a.y a.U");
}

static cop_transition
set_and_update(const cop_statem_event *event)
{
    cop_statem_state_timeout(NEVER, TELL('S', NULL));
    return update_state_timeout(event);
}

TEST(an_update_in_the_same_transition_is_the_last_that_counts)
{
    cop_pid pid = start();
    tell(pid, 'x', set_and_update);
    wait_for(pid);
    happened(">a(a) a.x a.U");
}

static cop_transition
insert_update(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(0, TELL('S', NULL));
    cop_statem_timeout("n", 0, TELL('N', NULL));
    cop_statem_next_event(TELL('i', update_state_timeout));
    return cop_statem_keep_state();
}

TEST(an_update_of_one_that_is_due_keeps_its_place)
{
    cop_pid pid = start();
    tell(pid, 'x', insert_update);
    wait_for(pid);
    happened(">a(a) a.x a.i a.U a.N");
}

/* ---------------------------------------------------------------- at once */

static cop_transition
set_all_to_zero(const cop_statem_event *event)
{
    (void)event;
    cop_statem_timeout("n", 0, TELL('N', NULL));
    cop_statem_state_timeout(0, TELL('S', NULL));
    cop_statem_next_event(TELL('i', NULL));
    return cop_statem_next_state(&b);
}

TEST(timeouts_of_zero_come_after_inserted_and_retried_events_and_before_what_was_sent)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell_and_hold(pid);
    tell(pid, 'x', set_all_to_zero);
    tell(pid, 'y', NULL);
    let_go();
    wait_for(pid);
    happened(">a(a) a.p a.h a.x >b(a) b.i b.p b.N b.S b.y");
}

static cop_transition
set_zero_and_insert_change(const cop_statem_event *event)
{
    (void)event;
    cop_statem_timeout("n", 0, TELL('N', NULL));
    cop_statem_state_timeout(0, TELL('S', NULL));
    cop_statem_next_event(TELL('i', go_to_b));
    return cop_statem_keep_state();
}

TEST(a_change_of_state_ends_a_state_timeout_of_zero)
{
    cop_pid pid = start();
    tell(pid, 'x', set_zero_and_insert_change);
    wait_for(pid);
    happened(">a(a) a.x a.i >b(a) b.N");
}

static cop_transition
set_zero_and_insert_another(const cop_statem_event *event)
{
    (void)event;
    wish.after = NEVER;
    cop_statem_state_timeout(0, TELL('S', NULL));
    cop_statem_next_event(TELL('i', set_state_timeout));
    return cop_statem_keep_state();
}

TEST(a_timeout_of_zero_that_is_set_again_with_a_time_waits)
{
    cop_pid pid = start();
    tell(pid, 'x', set_zero_and_insert_another);
    wait_for(pid);
    happened(">a(a) a.x a.i");
}

static cop_transition
set_two_and_insert_again(const cop_statem_event *event)
{
    (void)event;
    wish.after = 0;
    cop_statem_state_timeout(0, TELL('T', NULL));
    cop_statem_timeout("n", 0, TELL('N', NULL));
    cop_statem_next_event(TELL('i', set_state_timeout));
    return cop_statem_keep_state();
}

TEST(a_timeout_of_zero_that_is_set_again_comes_last)
{
    cop_pid pid = start();
    tell(pid, 'x', set_two_and_insert_again);
    wait_for(pid);
    happened(">a(a) a.x a.i a.N a.S");
}

static cop_transition
set_event_before_state(const cop_statem_event *event)
{
    (void)event;
    cop_statem_event_timeout(0, TELL('E', NULL));
    cop_statem_state_timeout(0, TELL('S', NULL));
    return cop_statem_keep_state();
}

static cop_transition
set_event_after_state(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(0, TELL('S', NULL));
    cop_statem_event_timeout(0, TELL('E', NULL));
    return cop_statem_keep_state();
}

TEST(another_timeout_is_an_event_that_ends_the_event_timeout)
{
    cop_pid pid = start();
    tell(pid, 'x', set_event_before_state);
    tell(pid, 'y', set_event_after_state);
    wait_for(pid);
    happened(">a(a) a.x a.E a.S a.y a.S");
}

/* ---------------------------------------------------------------- contents */

static cop_transition
set_to_thing(const cop_statem_event *event)
{
    (void)event;
    cop_statem_state_timeout(wish.after, thing());
    return cop_statem_keep_state();
}

TEST(a_moved_content_is_dropped_once_when_it_has_come)
{
    cop_pid pid = start();
    tell(pid, 'x', set_to_thing);
    EVENTUALLY(has_happened("a.?"));
    wait_for(pid);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_content_is_dropped_when_its_timeout_is_ended_updated_or_set_again)
{
    wish.after = NEVER;
    cop_pid pid = start();
    tell(pid, 'x', set_to_thing);
    tell(pid, 'y', set_to_thing);
    wait_for(pid);
    ck_assert_uint_eq(drops, 1);
    tell(pid, 'u', update_state_timeout);
    wait_for(pid);
    ck_assert_uint_eq(drops, 2);
    tell(pid, 'z', set_to_thing);
    tell(pid, 'b', go_to_b);
    wait_for(pid);
    ck_assert_uint_eq(drops, 3);
}

TEST(a_moved_content_is_dropped_once_when_the_machine_ends)
{
    wish.after = NEVER;
    cop_pid pid = start();
    tell(pid, 'x', set_to_thing);
    stop(pid);
    ck_assert_uint_eq(drops, 1);
}

static cop_transition
set_twice_to_thing_for_ever(const cop_statem_event *event)
{
    set_to_thing(event);
    cop_statem_state_timeout(COP_FOREVER, thing());
    return cop_statem_keep_state();
}

TEST(a_moved_content_that_is_never_to_come_is_dropped)
{
    cop_pid pid = start();
    tell(pid, 'x', set_twice_to_thing_for_ever);
    wait_for(pid);
    ck_assert_uint_eq(drops, 2);
}

static cop_transition
take_thing(void *data, const cop_statem_event *event)
{
    (void)data;
    cop_msg msg = event->msg;
    if (event->kind == COP_STATEM_TIMEOUT) {
        free(cop_msg_take(&msg));
        note("taken");
        return cop_statem_keep_state();
    }
    cop_statem_timeout("t", COP_MS(1), thing());
    return cop_statem_keep_state();
}

TEST(a_moved_content_may_be_taken)
{
    static const cop_state taker = {"taker", take_thing, NULL, {NULL}};
    static const cop_statem takes = {.initial = &taker};
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &takes, .link = false), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0);
    EVENTUALLY(has_happened("taken"));
    stop(pid);
    ck_assert_uint_eq(drops, 0);
}

/* ---------------------------------------------------------------- what fails */

static cop_transition
set_without_a_name(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_timeout(NULL, 0, thing()), -EINVAL);
    return cop_statem_keep_state();
}

TEST(a_timeout_without_a_name_fails_the_machine)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', set_without_a_name), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_action_from_state_function,timeout}");
    ck_assert_uint_eq(drops, 1);
}

static cop_transition
set_to_a_wrong_time(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_event_timeout(-2, COP_TAG(0)), -EINVAL);
    return cop_statem_keep_state();
}

TEST(a_time_that_is_none_fails_the_machine)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', set_to_a_wrong_time), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EINVAL);
}

static long allocations;

/* The first is for the record, the second for the timer. */
static cop_transition
set_without_memory(const cop_statem_event *event)
{
    cop_msg content = thing();
    copi_alloc_fail_after(allocations);
    int r = cop_statem_state_timeout(wish.after, content);
    ck_assert_int_eq(r, allocations == 0 ? -ENOMEM : 0);
    cop_reply(event->from, COP_TAG(0));
    return cop_statem_keep_state();
}

TEST_TIMES(2, without_memory_for_a_timeout_the_machine_fails_and_the_content_is_dropped)
{
    cop_ref ended;
    allocations = _i;
    cop_pid pid = start_monitored(&ended);
    wait_for(pid);
    ck_assert_int_eq(ask(pid, 'x', set_without_memory), 0);
    cop_reason reason = test_down(ended);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(reason.code, -ENOMEM);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- strangers */

enum {
    TICK = 0x7f0f0f71 /* statem_timeouts.c's tag for timers */
};

static cop_transition
send_itself_a_tick(const cop_statem_event *event)
{
    (void)event;
    const uint64_t tick[2] = {1, 1};
    cop_send(cop_self(), COP_TAG(TICK));
    cop_send(cop_self(), COP_MSG_OF(TICK, tick));
    return cop_statem_keep_state();
}

TEST(a_message_that_looks_like_a_timer_is_an_event)
{
    const uint64_t tick[2] = {1, 1};
    cop_pid pid = start();
    ck_assert_int_eq(cop_send(pid, COP_MSG_OF(TICK, tick)), 0);
    tell(pid, 'x', send_itself_a_tick);
    wait_for(pid);
    wait_for(pid);
    happened(">a(a) a.? a.x a.? a.?");
}

SUITE("statem_timeouts")
