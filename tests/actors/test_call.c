/*
 * tests/actors/test_call.c - calls and casts: what fails them, and who has the body then.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server and Elixir's
 * GenServer that hold here.
 */
#include "runtime/alloc.h"
#include "tests/actors/deeds.h"

/* ---------------------------------------------------------------- calls that fail */

/* GEN-020 */
TEST(a_call_to_nobody_finds_no_process)
{
    cop_pid gone = start();
    stop(gone);
    ck_assert_int_eq(call(gone, answer), -ESRCH);
    ck_assert_int_eq(call(COP_NOBODY, answer), -ESRCH);
    ck_assert_int_eq(call(cop_named("nobody_has_it"), answer), -ESRCH);
}

static int
wait_for_ever(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

TEST(a_call_to_a_process_that_is_no_server_says_so)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_ever, .link = false), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), -EOPNOTSUPP);
    ck_assert(cop_alive(pid));
}

TEST(a_call_with_a_tag_of_the_library_is_refused)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_call(pid, COP_TAG(COP_MSG_RESERVED), NULL, 0, SOON), -EINVAL);
    ck_assert_int_eq(cop_call(pid, COP_TAG(COP_MSG_DOWN), NULL, 0, SOON), -EINVAL);
    assert_said("");
}

TEST(a_call_with_bytes_but_no_data_is_refused)
{
    cop_pid pid = start();
    cop_msg msg = {.tag = WORD, .body = {NULL, 4}};
    ck_assert_int_eq(cop_call(pid, msg, NULL, 0, SOON), -EINVAL);
    assert_said("");
}

/* ---------------------------------------------------------------- by reference */

static cop_step
answer_by_reference(cop_from from)
{
    int number = 7;
    cop_msg reply = COP_MSG_OF(NUMBER, number);
    return cop_reply_by(from, &reply);
}

TEST(a_request_and_its_answer_may_be_passed_by_reference)
{
    deed what = answer_by_reference;
    cop_msg request = COP_MSG_OF(DO, what), word = COP_TAG(WORD);
    cop_pid pid = start();
    int number = 0;
    ck_assert_int_eq(cop_call_by(pid, &request, COP_OUT(number), SOON), 0);
    ck_assert_int_eq(number, 7);
    ck_assert_int_eq(cop_cast_by(pid, &word), 0);
    EVENTUALLY(has_said("cast"));
}

TEST(a_body_that_is_passed_by_reference_is_dropped_when_nobody_gets_it)
{
    cop_pid nobody = cop_named("nobody_has_it");
    cop_msg request = moved(WORD), cast = moved(WORD);
    ck_assert_int_eq(cop_call_by(nobody, &request, NULL, 0, SOON), -ESRCH);
    ck_assert_uint_eq(drops, 1);
    ck_assert_int_eq(cop_cast_by(nobody, &cast), 0);
    ck_assert_uint_eq(drops, 2);
    cop_msg refused = moved(WORD);
    refused.tag = COP_MSG_DOWN;
    ck_assert_int_eq(cop_call_by(nobody, &refused, NULL, 0, SOON), -EINVAL);
    ck_assert_uint_eq(drops, 3);
}

TEST(calls_casts_and_answers_can_be_made_through_a_pointer)
{
    int (*volatile ask)(cop_pid, cop_msg, void *, size_t, cop_time) = cop_call;
    int (*volatile tell)(cop_pid, cop_msg) = cop_cast;
    cop_step (*volatile reply)(cop_from, cop_msg) = cop_reply;
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, COP_TAG(WORD), NULL, 0, SOON), 0);
    ck_assert_int_eq(tell(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(reply((cop_from){0}, COP_TAG(WORD)).next, cop_ok().next);
    EVENTUALLY(has_said("call cast"));
}

/* ---------------------------------------------------------------- circles */

static cop_step
call_myself(cop_from from)
{
    int r = call(cop_self(), answer);
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(a_server_that_calls_itself_is_refused)
{
    deed what = call_myself;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
}

static cop_pid ping, pong;

static cop_step
call_ping(cop_from from)
{
    int r = call(ping, answer);
    ck_assert_int_eq(r, -EDEADLK);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "ping"));
    ck_assert_ptr_nonnull(strstr(cop_why().text, "pong"));
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

static cop_step
call_pong(cop_from from)
{
    deed what = call_ping;
    int r, inner = 0;
    r = cop_call(pong, COP_MSG_OF(DO, what), COP_OUT(inner), SOON);
    ck_assert_int_eq(r, 0);
    return cop_reply(from, COP_MSG_OF(NUMBER, inner));
}

TEST(a_circle_of_two_calls_is_refused_and_shown)
{
    deed what = call_pong;
    int r;
    ck_assert_int_eq(cop_genserver_start(&ping, &server, .name = "ping"), 0);
    ck_assert_int_eq(cop_genserver_start(&pong, &server, .name = "pong"), 0);
    ck_assert_int_eq(cop_call(ping, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    wait_for(ping);
    wait_for(pong);
}

/* GEN-018 */
TEST(a_call_without_an_answer_in_time_gives_up_and_the_server_goes_on)
{
    deed what = keep_quiet;
    cop_pid pid = start();
    cop_time before = cop_now();
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    wait_for(pid);
    assert_said("quiet");
}

static cop_step
answer_the_first(cop_from from)
{
    int first = 1, second = 2;
    cop_reply(kept_from, COP_MSG_OF(NUMBER, first));
    return cop_reply(from, COP_MSG_OF(NUMBER, second));
}

TEST(a_late_answer_is_never_handed_to_another_call)
{
    deed keep = keep_from, what = answer_the_first;
    cop_pid pid = start();
    int reply = 0;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, keep), COP_OUT(reply), 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 2);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

TEST(an_answer_of_another_size_is_refused_and_nothing_written)
{
    deed what = answer_number;
    cop_pid pid = start();
    char small = 7, large[8] = {7};
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(small), SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(large), SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, SOON), -EMSGSIZE);
    ck_assert_int_eq(small, 7);
    ck_assert_int_eq(large[0], 7);
}

/* GEN-023 */
TEST(a_request_in_the_hands_of_a_server_that_stops_fails_with_its_reason)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, stop_with_42), -EPIPE);
    ck_assert_int_eq(cop_why().code, -42);
    ck_assert_str_eq(cop_why().text, "forty-two");
    assert_said("terminate");
}

TEST(a_request_in_the_hands_of_a_server_that_exits_fails_with_its_reason)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, exit_with_42), -EPIPE);
    ck_assert_int_eq(cop_why().code, -42);
}

TEST(a_request_in_the_hands_of_a_server_that_is_killed_fails)
{
    cop_ref failed;
    cop_pid pid = start();
    request_from_another(pid, sleep_for_ever, COP_FOREVER, &failed);
    EVENTUALLY(has_said("asleep"));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(failed).code, -EPIPE);
}

TEST(a_request_that_the_server_had_not_taken_is_safe_to_repeat)
{
    cop_ref in_hand, waiting;
    cop_process_info info;
    cop_pid pid = start();
    request_from_another(pid, sleep_for_ever, COP_FOREVER, &in_hand);
    EVENTUALLY(has_said("asleep"));
    request_from_another(pid, answer, COP_FOREVER, &waiting);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(waiting).code, -ESRCH);
    ck_assert_int_eq(test_down(in_hand).code, -EPIPE);
}

TEST(a_request_that_was_put_off_fails_when_the_server_ends)
{
    cop_ref failed;
    cop_pid pid = start();
    request_from_another(pid, keep_quiet, COP_FOREVER, &failed);
    EVENTUALLY(has_said("quiet"));
    ck_assert_int_eq(call(pid, stop_with_42), -EPIPE);
    cop_reason reason = test_down(failed);
    ck_assert_int_eq(reason.code, -EPIPE);
    ck_assert_str_eq(reason.text, "forty-two");
}

TEST(a_call_to_a_full_mailbox_is_refused)
{
    cop_pid pid;
    cop_process_info info;
    cop_ref ended;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .mailbox = {.limit = 1}), 0);
    request_from_another(pid, sleep_for_ever, COP_FOREVER, &ended);
    EVENTUALLY(has_said("asleep") && cop_inspect(pid, &info) == 0 && info.mailbox == 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(call(pid, answer), -EAGAIN);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).code, -EPIPE);
}

TEST(a_caller_that_is_asked_to_stop_gives_up)
{
    cop_ref ended;
    cop_pid pid = start();
    cop_pid client = request_from_another(pid, keep_quiet, COP_FOREVER, &ended);
    EVENTUALLY(has_said("quiet"));
    cop_exit_signal(client, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).code, -ECANCELED);
    wait_for(pid);
}

TEST(a_call_does_not_outlast_the_deadline_of_its_context)
{
    cop_pid pid = start();
    cop_time before = cop_now();
    cop_context *context = cop_context_new(COP_MS(20));
    ck_assert_int_eq(cop_context_enter(context), 0);
    ck_assert_int_eq(call(pid, keep_quiet), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
}

static int
call_large(void *arg)
{
    static char body[5000]; /* so that it needs memory of its own */
    const cop_pid *pid = arg;
    return cop_call(*pid, COP_MSG_OF(WORD, body), NULL, 0, SOON);
}

TEST(a_call_without_memory_sends_nothing)
{
    cop_pid pid = start();
    int r;
    wait_for(pid);
    unsigned refused = test_out_of_memory(call_large, &pid, &r);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_gt(refused, 0);
    assert_said("call");
}

static cop_step
answer_without_memory(cop_from from)
{
    copi_alloc_fail_after(0);
    cop_step step = cop_reply(from, COP_TAG(0));
    copi_alloc_fail_after(-1);
    return step;
}

TEST(an_answer_for_which_there_is_no_memory_at_all_is_an_error_to_the_caller)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer_without_memory), -ENOMEM);
    wait_for(pid);
}

static cop_step
answer_much_without_memory(cop_from from)
{
    static char body[5000];
    copi_alloc_fail_after(0);
    cop_step step = cop_reply(from, COP_MSG_OF(0, body));
    copi_alloc_fail_after(-1);
    return step;
}

TEST(an_answer_that_is_too_large_for_the_memory_is_an_error_to_the_caller)
{
    cop_pid pid = start();
    wait_for(pid); /* now it has room for a small message */
    ck_assert_int_eq(call(pid, answer_much_without_memory), -ENOMEM);
    wait_for(pid);
}

/* ---------------------------------------------------------------- moved requests */

TEST(a_moved_request_is_taken_when_it_is_answered)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, SOON), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_request_is_taken_when_nobody_is_there)
{
    ck_assert_int_eq(cop_call(COP_NOBODY, moved(WORD), NULL, 0, SOON), -ESRCH);
    ck_assert_int_eq(cop_call(cop_named("nobody"), moved(WORD), NULL, 0, SOON), -ESRCH);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_moved_request_is_taken_when_it_is_refused)
{
    cop_pid pid = start(), plain;
    ck_assert_int_eq(cop_call(pid, moved(COP_MSG_DOWN), NULL, 0, SOON), -EINVAL);
    ck_assert_uint_eq(drops, 1);
    ck_assert_int_eq(cop_spawn(&plain, wait_for_ever, .link = false), 0);
    ck_assert_int_eq(cop_call(plain, moved(WORD), NULL, 0, SOON), -EOPNOTSUPP);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_moved_request_is_taken_when_the_time_is_up)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, sleep_for_ever), 0);
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, COP_MS(1)), -ETIMEDOUT);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(drops == 1);
}

static cop_step
call_myself_with_a_move(cop_from from)
{
    int r = cop_call(cop_self(), moved(WORD), NULL, 0, SOON);
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(a_moved_request_is_taken_when_it_would_close_a_circle)
{
    deed what = call_myself_with_a_move;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_request_is_taken_when_the_mailbox_is_full)
{
    cop_pid pid;
    cop_process_info info;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .mailbox = {.limit = 1}), 0);
    ck_assert_int_eq(cast(pid, sleep_for_ever), 0);
    EVENTUALLY(has_said("asleep") && cop_inspect(pid, &info) == 0 && info.mailbox == 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, SOON), -EAGAIN);
    ck_assert_uint_eq(drops, 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
}

static unsigned moves;

static int
call_moved(void *arg)
{
    cop_pid *pid = arg;
    moves++;
    return cop_call(*pid, moved(WORD), NULL, 0, SOON);
}

/* In a process that has not sent before, so that there is something to allocate. */
static int
call_moved_without_memory(cop_bytes arg)
{
    cop_pid pid;
    int r;
    memcpy(&pid, arg.data, sizeof pid);
    ck_assert_uint_gt(test_out_of_memory(call_moved, &pid, &r), 0);
    return r;
}

TEST(a_moved_request_is_taken_when_there_is_no_memory)
{
    cop_ref ended;
    cop_pid pid = start();
    wait_for(pid);
    ck_assert_int_eq(
        cop_spawn(NULL, call_moved_without_memory, .arg = COP_BYTES(pid), .monitor = &ended), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    stop(pid);
    ck_assert_uint_eq(drops, moves);
}

static cop_step
stop_by_any_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)from, (void)request;
    return cop_stop(cop_failed(-42, "forty-two"));
}

TEST(a_moved_request_is_taken_when_the_server_ends_with_it_in_its_hands)
{
    static const cop_genserver stopping = {.type = "stopping", .handle_call = stop_by_any_call};
    cop_pid pid = start_as(&stopping);
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, SOON), -EPIPE);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- typed messages */

struct sum {
    int a, b;
};
COP_MESSAGE(add, ADD, struct sum)

static cop_step
typed_call(void *state, cop_from from, cop_msg request)
{
    (void)state;
    const struct sum *sum = add_of(request);
    if (!sum) {
        say("another");
        return cop_reply(from, COP_TAG(0));
    }
    int total = sum->a + sum->b;
    return cop_reply(from, COP_MSG_OF(NUMBER, total));
}

static const cop_genserver typed = {.type = "typed", .handle_call = typed_call};

TEST(a_typed_message_carries_its_body)
{
    cop_pid pid = start_as(&typed);
    int total;
    ck_assert_int_eq(cop_call(pid, add_msg(&(struct sum){2, 3}), COP_OUT(total), SOON), 0);
    ck_assert_int_eq(total, 5);
}

TEST(a_typed_message_is_told_from_another)
{
    cop_pid pid = start_as(&typed);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), 0);
    assert_said("another");
}

TEST(a_body_of_the_wrong_size_crashes_the_receiver)
{
    cop_pid pid = start_as(&typed);
    int small = 1;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(ADD, small), NULL, 0, SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EMSGSIZE);
    ck_assert(!cop_alive(pid));
}

/* ---------------------------------------------------------------- order */

static cop_step
say_1(cop_from from)
{
    say("1");
    return from.ref.id ? cop_reply(from, COP_TAG(0)) : cop_ok();
}

static cop_step
say_2(cop_from from)
{
    say("2");
    return from.ref.id ? cop_reply(from, COP_TAG(0)) : cop_ok();
}

static cop_step
say_3(cop_from from)
{
    say("3");
    return from.ref.id ? cop_reply(from, COP_TAG(0)) : cop_ok();
}

/* GEN-029 */
TEST(what_one_sender_says_is_heard_in_order)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, say_1), 0);
    ck_assert_int_eq(send(pid, say_2), 0);
    ck_assert_int_eq(call(pid, say_3), 0);
    ck_assert_int_eq(send(pid, say_1), 0);
    ck_assert_int_eq(cast(pid, say_2), 0);
    ck_assert_int_eq(call(pid, say_3), 0);
    assert_said("1 2 3 1 2 3");
}

/* ---------------------------------------------------------------- casts and plain messages */

TEST(a_cast_to_nobody_is_no_error_and_takes_the_body)
{
    cop_pid gone = start();
    stop(gone);
    ck_assert_int_eq(cop_cast(gone, moved(WORD)), 0);
    ck_assert_int_eq(cop_cast(cop_named("nobody"), moved(WORD)), 0);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_cast_that_is_refused_leaves_the_body_to_the_sender)
{
    cop_pid pid = start();
    cop_msg msg = moved(COP_MSG_TIMEOUT);
    ck_assert_int_eq(cop_cast(pid, msg), -EINVAL);
    ck_assert_uint_eq(drops, 0);
    cop_msg_release(&msg);
    ck_assert_uint_eq(drops, 1);
}

/* GEN-037 */
TEST(a_cast_is_handled_and_may_stop_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    assert_said("cast terminate");
}

/* GEN-039 */
TEST(a_plain_message_is_handled_and_may_stop_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(send(pid, stop_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    assert_said("info terminate");
}

static cop_pid other;

static cop_step
monitor_and_trap(cop_from from)
{
    cop_trap_exits(true);
    ck_assert_uint_ne(cop_monitor(other).id, 0);
    ck_assert_int_eq(cop_link(other), 0);
    return cop_reply(from, COP_TAG(0));
}

TEST(the_ends_of_others_are_plain_messages_to_a_server_that_traps)
{
    other = start();
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, monitor_and_trap), 0);
    cop_exit_signal(other, COP_REASON_KILLED);
    EVENTUALLY(has_said("down exit") || has_said("exit down"));
    wait_for(pid);
}

static bool
is_any(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    return true;
}

/* Two plain messages, by either way, whatever else is there. */
static cop_step
receive_two(cop_from from)
{
    (void)from;
    cop_msg msg;
    say("receiving");
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert_uint_eq(msg.tag, ADD);
    ck_assert_int_eq(cop_receive_match(&msg, is_any, NULL, SOON), 0);
    ck_assert_uint_eq(msg.tag, NUMBER);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    say("received");
    return cop_ok();
}

TEST(a_callback_receives_plain_messages_and_leaves_requests_casts_and_stops_to_others)
{
    cop_ref called, ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, receive_two), 0);
    EVENTUALLY(has_said("receiving"));
    request_from_another(pid, answer, SOON, &called);
    cop_process_info info;
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_send(pid, COP_TAG(ADD)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(NUMBER)), 0);
    ck_assert_int_eq(test_down(called).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    assert_said("receiving received cast terminate");
}

/* GEN-040 */
TEST(without_handle_info_a_message_is_dropped_and_reported)
{
    static const cop_genserver deaf = {.type = "deaf", .handle_call = on_call};
    cop_pid pid = start_as(&deaf);
    test_catch_stderr();
    ck_assert_int_eq(cop_send(pid, moved(77)), 0);
    wait_for(pid);
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "no handle_info for message 77"), 1);
    free(report);
    ck_assert_uint_eq(drops, 1);
}

/* GEN-040 */
TEST(without_handle_call_a_call_ends_the_server)
{
    cop_pid pid = start_as(&bare);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -ENOSYS);
    ck_assert_str_eq(cop_why().text, "{undef,handle_call}");
    ck_assert(!cop_alive(pid));
}

/* GEN-040 */
TEST(without_handle_cast_a_cast_ends_the_server)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &bare, .monitor = &ended), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_str_eq(test_down(ended).text, "{undef,handle_cast}");
}

static cop_step
continue_anyway(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_ok_continue(COP_TAG(WORD));
}

/* GEN-040 */
TEST(without_handle_continue_a_continuation_ends_the_server)
{
    static const cop_genserver stuck = {
        .type = "stuck", .handle_cast = continue_anyway, .terminate = on_terminate};
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &stuck, .monitor = &ended), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_str_eq(test_down(ended).text, "{undef,handle_continue}");
    assert_said("terminate");
}

SUITE("call")
