/*
 * tests/actors/test_statem_events.c - events that are postponed and inserted: their order, and who has
 * their bodies.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/actors/statem.h"

/* ---------------------------------------------------------------- postponed */

TEST(postponed_events_wait_while_the_state_is_kept)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', NULL);
    tell(pid, 'y', go_to_a);
    tell(pid, 'z', repeat);
    wait_for(pid);
    happened(">a(a) a.p a.x a.y a.z >a(a)");
}

TEST(postponed_events_are_retried_in_order_after_a_change_before_newer_ones)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'q', not_in_a);
    tell(pid, 'x', NULL);
    tell(pid, 'r', not_in_a);
    tell_and_hold(pid);
    tell(pid, 'y', go_to_b);
    tell(pid, 'z', NULL); /* is in the mailbox when b is entered */
    let_go();
    wait_for(pid);
    happened(">a(a) a.p a.q a.x a.r a.h a.y >b(a) b.p b.q b.r b.z");
}

static cop_transition
only_in_c(const cop_statem_event *event)
{
    (void)event;
    if (here != &c) {
        cop_statem_postpone();
    }
    return cop_statem_keep_state();
}

TEST(events_that_are_postponed_again_keep_their_order)
{
    cop_pid pid = start();
    tell(pid, 'p', only_in_c);
    tell(pid, 'q', only_in_c);
    tell(pid, 'x', go_to_b);
    tell(pid, 'r', only_in_c);
    tell(pid, 'y', go_to_c);
    wait_for(pid);
    happened(">a(a) a.p a.q a.x >b(a) b.p b.q b.r b.y >c(b) c.p c.q c.r");
}

static cop_transition
postpone_and_go_to_b(const cop_statem_event *event)
{
    (void)event;
    if (here == &b) {
        return cop_statem_keep_state();
    }
    cop_statem_postpone();
    return cop_statem_next_state(&b);
}

TEST(an_event_that_is_postponed_while_the_state_changes_is_retried_last)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', postpone_and_go_to_b);
    wait_for(pid);
    happened(">a(a) a.p a.x >b(a) b.p b.x");
}

static cop_transition
change_on_retry(const cop_statem_event *event)
{
    (void)event;
    if (here == &a) {
        cop_statem_postpone();
        return cop_statem_keep_state();
    }
    return cop_statem_next_state(here == &b ? &c : &b);
}

/* The rest of those that are retried stands before what is postponed now, as in OTP. */
TEST(a_change_while_events_are_retried_puts_newly_postponed_ones_first)
{
    cop_pid pid = start();
    tell(pid, 'p', only_in_c);
    tell(pid, 'q', change_on_retry);
    tell(pid, 'r', only_in_c);
    tell(pid, 'x', go_to_b);
    wait_for(pid);
    happened(">a(a) a.p a.q a.r a.x >b(a) b.p b.q >c(b) c.p c.r");
}

TEST(a_postponed_call_is_answered_when_it_is_retried)
{
    cop_pid pid = start();
    cop_ref asked = ask_from_another(pid, 'p', not_in_a);
    EVENTUALLY(has_happened("a.p"));
    tell(pid, 'x', go_to_b);
    ck_assert_int_eq(test_down(asked).kind, COP_NORMAL);
    happened(">a(a) a.p a.x >b(a) b.p");
}

/* How a call that the machine has postponed ends, when the machine does. */
static cop_reason
postpone_and_end(deed end)
{
    cop_pid pid = start();
    cop_ref asked = ask_from_another(pid, 'p', not_in_a);
    EVENTUALLY(has_happened("a.p"));
    if (end) {
        tell(pid, 'x', end);
    } else {
        ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    }
    return test_down(asked);
}

TEST(a_postponed_call_learns_that_the_machine_has_stopped)
{
    cop_reason reason = postpone_and_end(stop_with_42);
    ck_assert_int_eq(reason.code, -EPIPE);
    ck_assert_str_eq(reason.text, "forty-two");
}

static cop_transition
crash(const cop_statem_event *event)
{
    cop_assert(event->kind == COP_STATEM_CALL);
    return cop_statem_keep_state();
}

TEST(a_postponed_call_learns_that_the_machine_has_crashed)
{
    cop_reason reason = postpone_and_end(crash);
    ck_assert_int_eq(reason.code, -EPIPE);
    ck_assert_ptr_nonnull(strstr(reason.text, "event->kind == COP_STATEM_CALL"));
}

TEST(a_postponed_call_learns_that_the_machine_was_killed)
{
    ck_assert_int_eq(postpone_and_end(NULL).code, -EPIPE);
}

TEST(a_postponed_call_whose_caller_has_given_up_is_retried_for_nothing)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_call(pid, TELL('p', not_in_a), NULL, 0, COP_MS(10)), -ETIMEDOUT);
    tell(pid, 'x', go_to_b);
    wait_for(pid);
    happened(">a(a) a.p a.x >b(a) b.p");
}

static cop_from owed;

static cop_transition
owe(const cop_statem_event *event)
{
    owed = event->from;
    return not_in_a(event);
}

static cop_transition
pay(const cop_statem_event *event)
{
    (void)event;
    cop_reply(owed, COP_TAG(0));
    return cop_statem_next_state(&b);
}

TEST(a_postponed_call_may_be_answered_by_another_event_and_is_retried_all_the_same)
{
    cop_pid pid = start();
    cop_ref asked = ask_from_another(pid, 'p', owe);
    EVENTUALLY(has_happened("a.p"));
    tell(pid, 'x', pay);
    ck_assert_int_eq(test_down(asked).kind, COP_NORMAL);
    wait_for(pid);
    happened(">a(a) a.p a.x >b(a) b.p");
}

static int
pay_from_another(cop_bytes arg)
{
    (void)arg;
    cop_reply(owed, COP_TAG(0));
    return 0;
}

TEST(a_postponed_call_may_be_answered_by_another_process)
{
    cop_pid pid = start();
    cop_ref asked = ask_from_another(pid, 'p', owe);
    EVENTUALLY(has_happened("a.p"));
    wait_for(pid);
    ck_assert_int_eq(cop_spawn(NULL, pay_from_another, .link = false), 0);
    ck_assert_int_eq(test_down(asked).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- their bodies */

/* A machine for bodies: in `shut` it postpones what comes, in `ajar` it notes it. */
static const cop_state shut, ajar;
static const void *taken;
static bool takes;
static atomic_uint handled;

enum {
    OPEN = 100,
};

static cop_transition
shut_handle(void *data, const cop_statem_event *event)
{
    (void)data;
    atomic_fetch_add(&handled, 1);
    if (event->msg.tag == OPEN) {
        return cop_statem_next_state(&ajar);
    }
    cop_statem_postpone();
    return cop_statem_keep_state();
}

static cop_transition
ajar_handle(void *data, const cop_statem_event *event)
{
    (void)data;
    cop_msg msg = event->msg;
    if (event->msg.tag == PING) {
        cop_reply(event->from, COP_TAG(0));
        return cop_statem_keep_state();
    }
    note("%u:%zu", msg.tag, msg.body.size);
    if (msg.tag == THING) {
        ck_assert_int_eq(memcmp(msg.body.data, "moved or copied", 16), 0);
        taken = takes ? cop_msg_take(&msg) : NULL;
    }
    return cop_statem_keep_state();
}

static const cop_state shut = {"shut", shut_handle, NULL, {NULL}};
static const cop_state ajar = {"ajar", ajar_handle, NULL, {NULL}};
static const cop_statem box = {.initial = &shut};

static cop_pid
start_box(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &box, .name = "box"), 0);
    return pid;
}

static void
open_box(cop_pid pid)
{
    ck_assert_int_eq(cop_cast(pid, COP_TAG(OPEN)), 0);
    wait_for(pid);
}

TEST(a_copied_body_is_there_when_its_event_is_retried)
{
    cop_pid pid = start_box();
    char text[16] = "moved or copied";
    takes = true;
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(THING, text)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(7)), 0);
    memset(text, 0, sizeof text);
    open_box(pid);
    happened("3:16 7:0");
    ck_assert_ptr_null(taken); /* it was not moved */
}

TEST(a_large_copied_body_is_there_when_its_event_is_retried)
{
    static char large[100000];
    cop_pid pid = start_box();
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(8, large)), 0);
    open_box(pid);
    happened("8:100000");
}

TEST(a_moved_body_is_there_when_its_event_is_retried_and_dropped_once_afterwards)
{
    cop_pid pid = start_box();
    ck_assert_int_eq(cop_cast(pid, thing()), 0);
    EVENTUALLY(atomic_load(&handled) == 1);
    EVENTUALLY(test_is_waiting(pid));
    ck_assert_uint_eq(drops, 0);
    open_box(pid);
    happened("3:16");
    ck_assert_uint_eq(drops, 1);
}

static int
call_with_thing(cop_bytes arg)
{
    (void)arg;
    return cop_call(cop_named("box"), thing(), NULL, 0, SOON) == -EPIPE ? 0 : -EINVAL;
}

TEST(the_moved_body_of_a_call_is_there_when_it_is_retried)
{
    cop_ref ended;
    cop_pid pid = start_box();
    ck_assert_int_eq(cop_spawn(NULL, call_with_thing, .monitor = &ended), 0);
    EVENTUALLY(atomic_load(&handled) == 1);
    open_box(pid);
    happened("3:16");
    ck_assert_uint_eq(drops, 1);
    stop(pid);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

TEST(a_moved_body_may_be_taken_when_its_event_is_retried)
{
    cop_pid pid = start_box();
    takes = true;
    ck_assert_int_eq(cop_send(pid, thing()), 0);
    open_box(pid);
    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(drops, 0);
    stop(pid);
    ck_assert_uint_eq(drops, 0);
    union {
        const void *in;
        void *out;
    } body = {.in = taken};
    free(body.out);
}

TEST(a_moved_body_that_is_postponed_is_dropped_once_when_the_machine_stops)
{
    cop_pid pid = start_box();
    ck_assert_int_eq(cop_cast(pid, thing()), 0);
    ck_assert_int_eq(cop_send(pid, thing()), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_moved_body_that_is_postponed_is_dropped_once_when_the_machine_is_killed)
{
    cop_pid pid = start_box();
    cop_ref ended = cop_monitor(pid);
    ck_assert_int_eq(cop_cast(pid, thing()), 0);
    EVENTUALLY(atomic_load(&handled) == 1 && test_is_waiting(pid));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_uint_eq(drops, 1);
}

static void
exit_when_dropped(void *body)
{
    count_drop(body);
    cop_exit(cop_failed(-3, "in a drop"));
}

TEST(a_drop_function_that_exits_does_not_keep_the_others_from_being_dropped)
{
    cop_pid pid = start_box();
    for (int i = 0; i < 3; i++) {
        cop_msg msg = thing();
        msg.drop = exit_when_dropped;
        ck_assert_int_eq(cop_cast(pid, msg), 0);
    }
    stop(pid);
    ck_assert_uint_eq(drops, 3);
}

TEST(a_body_may_be_postponed_through_many_states)
{
    cop_pid pid = start_box();
    ck_assert_int_eq(cop_cast(pid, thing()), 0);
    open_box(pid);
    ck_assert_uint_eq(drops, 1);
    stop(pid);

    enter_deed = NULL;
    pid = start();
    struct order *order = malloc(sizeof *order);
    ck_assert_ptr_nonnull(order);
    *order = (struct order){only_in_c, 'p'};
    ck_assert_int_eq(cop_cast(pid, COP_MSG_MOVE(ORDER, order, sizeof *order, count_drop)), 0);
    tell(pid, 'x', go_to_b);
    tell(pid, 'y', go_to_a);
    tell(pid, 'z', go_to_c);
    wait_for(pid);
    ck_assert(has_happened("a.p a.x >b(a) b.p b.y >a(b) a.p a.z >c(a) c.p"));
    ck_assert_uint_eq(drops, 2);
}

static cop_transition
take_and_postpone(const cop_statem_event *event)
{
    cop_msg msg = event->msg;
    count_drop(cop_msg_take(&msg));
    cop_statem_postpone();
    return cop_statem_keep_state();
}

TEST(an_event_whose_body_was_taken_cannot_be_postponed)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    struct order *order = malloc(sizeof *order);
    ck_assert_ptr_nonnull(order);
    *order = (struct order){take_and_postpone, 'p'};
    ck_assert_int_eq(cop_cast(pid, COP_MSG_MOVE(ORDER, order, sizeof *order, count_drop)), 0);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "{bad_action_from_state_function,postpone}");
    ck_assert_uint_eq(drops, 1);
}

static int
end_at_once(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static cop_pid watcher_of;

static cop_transition
watch_another(const cop_statem_event *event)
{
    (void)event;
    cop_ref ref = cop_monitor(watcher_of);
    return ref.id ? cop_statem_keep_state() : stop_with_42(event);
}

static cop_transition down_handle(void *data, const cop_statem_event *event);
static const cop_state down_waits = {"waits", down_handle, NULL, {NULL}};
static const cop_state down_looks = {"looks", down_handle, NULL, {NULL}};
static bool is_looking;

static cop_transition
down_handle(void *data, const cop_statem_event *event)
{
    (void)data;
    if (event->msg.tag == COP_MSG_DOWN) {
        note("%s %d", is_looking ? "looks" : "waits",
             cop_pid_eq(COP_BODY(event->msg, struct cop_down)->pid, watcher_of));
        if (!is_looking) {
            cop_statem_postpone();
        }
        return cop_statem_keep_state();
    }
    if (event->msg.tag == OPEN) {
        is_looking = true;
        return cop_statem_next_state(&down_looks);
    }
    if (event->msg.tag == PING) {
        return reply(event);
    }
    return watch_another(event);
}

TEST(a_message_of_the_librarys_may_be_postponed)
{
    static const cop_statem watcher = {.initial = &down_waits};
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&watcher_of, end_at_once, .link = false), 0);
    ck_assert_int_eq(cop_statem_start(&pid, &watcher, .link = false), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(ORDER)), 0);
    EVENTUALLY(has_happened("waits 1"));
    open_box(pid);
    happened("waits 1 looks 1");
}

static cop_transition
postpone_without_memory(const cop_statem_event *event)
{
    (void)event;
    cop_statem_postpone();
    copi_alloc_fail_after(0);
    return cop_statem_keep_state();
}

TEST(without_memory_to_postpone_the_machine_fails_and_its_caller_is_told)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    wait_for(pid);
    int r = ask(pid, 'p', postpone_without_memory);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -EPIPE);
    ck_assert_int_eq(test_down(ended).code, -ENOMEM);
}

/* ---------------------------------------------------------------- inserted */

static cop_transition
insert_two(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_next_event(TELL('i', NULL)), 0);
    ck_assert_int_eq(cop_statem_next_event(TELL('j', NULL)), 0);
    return here == &a ? cop_statem_next_state(&b) : cop_statem_keep_state();
}

TEST(inserted_events_come_in_order_before_retried_ones_and_those_before_what_was_sent)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'q', not_in_a);
    tell_and_hold(pid);
    tell(pid, 'x', insert_two);
    tell(pid, 'y', NULL);
    let_go();
    wait_for(pid);
    happened(">a(a) a.p a.q a.h a.x >b(a) b.i b.j b.p b.q b.y");
}

static cop_transition
insert_nested(const cop_statem_event *event)
{
    (void)event;
    cop_statem_next_event(TELL('i', insert_two));
    cop_statem_next_event(TELL('k', NULL));
    return cop_statem_keep_state();
}

/* The rest of the inserted ones stands behind what is retried, as in OTP. */
TEST(what_an_inserted_event_inserts_comes_first_and_then_what_its_change_of_state_retries)
{
    cop_pid pid = start();
    tell(pid, 'p', not_in_a);
    tell(pid, 'x', insert_nested);
    wait_for(pid);
    happened(">a(a) a.p a.x a.i >b(a) b.i b.j b.p b.k");
}

static cop_transition
insert_and_postpone(const cop_statem_event *event)
{
    if (here == &b) {
        return cop_statem_keep_state();
    }
    if (event->kind == COP_STATEM_CAST) {
        cop_statem_next_event(event->msg);
    }
    cop_statem_postpone();
    return cop_statem_keep_state();
}

TEST(an_inserted_event_may_be_postponed)
{
    cop_pid pid = start();
    tell(pid, 'p', insert_and_postpone);
    tell(pid, 'x', go_to_b);
    wait_for(pid);
    happened(">a(a) a.p a.p a.x >b(a) b.p b.p");
}

static cop_statem_event last_event;

static cop_transition
look_at_event(const cop_statem_event *event)
{
    last_event = *event;
    return cop_statem_keep_state();
}

static cop_transition
insert_looker(const cop_statem_event *event)
{
    (void)event;
    cop_statem_next_event(TELL('i', look_at_event));
    return cop_statem_keep_state();
}

TEST(an_event_tells_how_it_came)
{
    cop_pid pid = start();
    tell(pid, 'x', look_at_event);
    wait_for(pid);
    ck_assert_int_eq(last_event.kind, COP_STATEM_CAST);
    ck_assert(cop_pid_eq(last_event.msg.from, cop_self()));
    ck_assert_int_eq(cop_send(pid, TELL('y', look_at_event)), 0);
    wait_for(pid);
    ck_assert_int_eq(last_event.kind, COP_STATEM_INFO);
    tell(pid, 'z', insert_looker);
    wait_for(pid);
    ck_assert_int_eq(last_event.kind, COP_STATEM_INTERNAL);
    ck_assert_uint_eq(last_event.from.pid.id, 0);
    ck_assert_int_eq(cop_call(pid, TELL('c', look_at_event), NULL, 0, COP_MS(1)), -ETIMEDOUT);
    wait_for(pid);
    ck_assert_int_eq(last_event.kind, COP_STATEM_CALL);
    ck_assert(cop_pid_eq(last_event.from.pid, cop_self()));
}

static cop_transition
pass_on_as_call(const cop_statem_event *event)
{
    cop_statem_event again = *event;
    again.msg = TELL('r', reply);
    cop_statem_next_event_as(&again);
    return cop_statem_keep_state();
}

TEST(a_call_may_be_inserted_again_as_another_and_be_answered_there)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', pass_on_as_call), 0);
    happened(">a(a) a.x a.r");
}

static cop_transition
insert_itself(const cop_statem_event *event)
{
    if (event->kind == COP_STATEM_CAST) {
        ck_assert_int_eq(cop_statem_next_event(event->msg), 0);
    }
    return cop_statem_keep_state();
}

TEST(an_event_may_insert_its_own_moved_body)
{
    cop_pid pid = start();
    struct order *order = malloc(sizeof *order);
    ck_assert_ptr_nonnull(order);
    *order = (struct order){insert_itself, 'm'};
    ck_assert_int_eq(cop_cast(pid, COP_MSG_MOVE(ORDER, order, sizeof *order, count_drop)), 0);
    wait_for(pid);
    happened(">a(a) a.m a.m");
    ck_assert_uint_eq(drops, 1);
}

static cop_transition
insert_a_moved_body_and_stop(const cop_statem_event *event)
{
    cop_statem_next_event(thing());
    return stop_with_42(event);
}

TEST(an_inserted_body_is_dropped_when_the_machine_stops_first)
{
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, 'x', insert_a_moved_body_and_stop), -EPIPE);
    EVENTUALLY(!cop_alive(pid));
    ck_assert_uint_eq(drops, 1);
}

/* An answer's body comes with a drop function of the library's. */
static cop_pid helper;

static cop_transition
answer_with_order(const cop_statem_event *event)
{
    cop_reply(event->from, TELL('o', not_in_a));
    return cop_statem_keep_state();
}

static cop_transition
insert_an_answer(const cop_statem_event *event)
{
    (void)event;
    cop_msg answer;
    if (cop_call_any(helper, TELL('q', answer_with_order), &answer, SOON) == 0) {
        cop_statem_next_event(answer);
    }
    return cop_statem_keep_state();
}

TEST(an_answer_may_be_inserted_and_postponed)
{
    helper = start();
    wait_for(helper);
    cop_pid pid = start();
    tell(pid, 'x', insert_an_answer);
    tell(pid, 'y', go_to_b);
    wait_for(pid);
    ck_assert(has_happened("a.x a.q a.o a.y >b(a) b.o"));
}

static cop_transition
pass_an_answer_on(const cop_statem_event *event)
{
    (void)event;
    cop_msg answer;
    if (cop_call_any(helper, TELL('q', answer_with_order), &answer, SOON) == 0) {
        cop_cast(cop_self(), answer);
    }
    return cop_statem_keep_state();
}

TEST(an_answer_that_was_passed_on_may_be_postponed)
{
    helper = start();
    wait_for(helper);
    cop_pid pid = start();
    tell(pid, 'x', pass_an_answer_on);
    EVENTUALLY(has_happened("a.o"));
    tell(pid, 'y', go_to_b);
    wait_for(pid);
    ck_assert(has_happened("a.x a.q a.o a.y >b(a) b.o"));
}

static void
note_end(void *word)
{
    note("%s", (const char *)word);
}

static char end_of_event[] = "over";

static cop_transition
defer_a_word(const cop_statem_event *event)
{
    (void)event;
    cop_defer(note_end, end_of_event);
    return cop_statem_next_state(&b);
}

static cop_transition
insert_deferring(const cop_statem_event *event)
{
    (void)event;
    cop_statem_next_event(TELL('i', defer_a_word));
    cop_statem_next_event(TELL('j', NULL));
    return cop_statem_keep_state();
}

TEST(a_deferred_call_runs_at_the_end_of_its_event)
{
    cop_pid pid = start();
    tell(pid, 'x', insert_deferring);
    wait_for(pid);
    happened(">a(a) a.x a.i >b(a) over b.j");
}

SUITE("statem_events")
