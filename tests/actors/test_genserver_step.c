/*
 * tests/actors/test_genserver_step.c - what a callback says: answers, and how the server goes on.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server and Elixir's
 * GenServer that hold here.
 */
#include "runtime/alloc.h"
#include "tests/actors/deeds.h"

/* ---------------------------------------------------------------- answers */

/* GEN-016 */
TEST(a_call_returns_the_answer_and_the_state_stays)
{
    cop_pid pid;
    int start_at = 0, reply;
    ck_assert_int_eq(cop_genserver_start(&pid, &counting, .arg = COP_BYTES(start_at)), 0);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(cop_call(pid, COP_MSG(ADD, int, 10), COP_OUT(reply), SOON), 0);
        ck_assert_int_eq(reply / 10, i);
    }
}

static cop_step
answer_the_kept_one(cop_from from)
{
    (void)from;
    return cop_reply(kept_from, COP_TAG(0));
}

static cop_step
say_kept(cop_from from)
{
    kept_from = from;
    say("kept");
    return cop_ok();
}

/* GEN-017 */
TEST(an_answer_may_come_from_another_callback)
{
    cop_ref ended;
    cop_pid pid = start();
    request_from_another(pid, say_kept, COP_FOREVER, &ended);
    EVENTUALLY(has_said("kept"));
    ck_assert_int_eq(cast(pid, answer_the_kept_one), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

static int
answer_from_here(cop_bytes arg)
{
    (void)arg;
    cop_reply(kept_from, COP_TAG(0));
    return 0;
}

TEST(an_answer_may_come_from_another_process)
{
    cop_ref ended;
    cop_pid pid = start();
    request_from_another(pid, say_kept, COP_FOREVER, &ended);
    EVENTUALLY(has_said("kept"));
    ck_assert_int_eq(cop_spawn(NULL, answer_from_here, .link = false), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    wait_for(pid);
}

static cop_step
answer_both(cop_from from)
{
    cop_reply(kept_from, COP_TAG(0));
    cop_reply(from, COP_TAG(0));
    return cop_ok();
}

TEST(one_callback_may_answer_several_callers)
{
    cop_ref first, second;
    cop_pid pid = start();
    request_from_another(pid, say_kept, COP_FOREVER, &first);
    EVENTUALLY(has_said("kept"));
    request_from_another(pid, answer_both, COP_FOREVER, &second);
    ck_assert_int_eq(test_down(first).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(second).kind, COP_NORMAL);
}

static cop_step
answer_twice(cop_from from)
{
    int first = 1, second = 2;
    cop_reply(from, COP_MSG_OF(NUMBER, first));
    return cop_reply(from, COP_MSG_OF(NUMBER, second));
}

TEST(a_second_answer_to_the_same_request_is_dropped)
{
    deed what = answer_twice, honest = answer_number;
    cop_pid pid = start();
    int reply;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 1);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, honest), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 42);
}

static cop_step
answer_nobody_with_a_move(cop_from from)
{
    cop_reply(kept_from, moved(NUMBER));
    return cop_reply(from, COP_TAG(0));
}

TEST(a_moved_answer_that_nobody_waits_for_is_dropped)
{
    cop_ref ended;
    cop_pid pid = start();
    cop_pid client = request_from_another(pid, say_kept, COP_FOREVER, &ended);
    EVENTUALLY(has_said("kept"));
    cop_exit_signal(client, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_int_eq(call(pid, answer_nobody_with_a_move), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 1);
}

enum {
    MUCH = 100000
};

static cop_step
answer_much(cop_from from)
{
    char *body = malloc(MUCH);
    if (!body) {
        return cop_stop(cop_failed(-ENOMEM, NULL));
    }
    memset(body, 'm', MUCH);
    cop_step step = cop_reply(from, (cop_msg){.tag = NUMBER, .body = {body, MUCH}});
    free(body);
    return step;
}

TEST(call_any_gets_an_answer_of_any_size)
{
    deed much = answer_much, little = answer;
    cop_pid pid = start();
    cop_msg reply;
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, much), &reply, SOON), 0);
    ck_assert_uint_eq(reply.tag, NUMBER);
    ck_assert_uint_eq(reply.body.size, MUCH);
    ck_assert_int_eq(((const char *)reply.body.data)[MUCH - 1], 'm');
    cop_msg_release(&reply);
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, little), &reply, SOON), 0);
    ck_assert_uint_eq(reply.body.size, 0);
    cop_msg_release(&reply);
    cop_msg_release(&reply); /* twice is safe */
}

static cop_step
answer_with_a_move(cop_from from)
{
    return cop_reply(from, moved(NUMBER));
}

TEST(call_any_gets_a_moved_answer_to_keep)
{
    deed what = answer_with_a_move;
    cop_pid pid = start();
    cop_msg reply;
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, what), &reply, SOON), 0);
    ck_assert_uint_eq(drops, 0);
    cop_msg_release(&reply);
    ck_assert_uint_eq(drops, 1);
}

TEST(call_any_takes_a_moved_request_when_it_fails)
{
    cop_msg reply = {.tag = 7};
    ck_assert_int_eq(cop_call_any(COP_NOBODY, moved(WORD), &reply, SOON), -ESRCH);
    ck_assert_uint_eq(drops, 1);
    ck_assert_uint_eq(reply.tag, 7);
}

TEST(a_moved_answer_is_copied_out_and_dropped_by_a_plain_call)
{
    deed what = answer_with_a_move;
    cop_pid pid = start();
    char reply[16] = {7};
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply[0], 0);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- steps that are none */

static cop_step
return_nonsense(cop_from from)
{
    (void)from;
    return (cop_step){.next = 77};
}

static cop_step
return_zero(cop_from from)
{
    (void)from;
    return (cop_step){0};
}

static cop_step
ignore_late(cop_from from)
{
    (void)from;
    return cop_ignore();
}

/* GEN-024 */
TEST(a_step_that_is_none_ends_the_server_and_fails_the_caller)
{
    const deed deeds[] = {return_nonsense, return_zero, ignore_late};
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        forget_what_was_said();
        cop_pid pid = start();
        ck_assert_int_eq(call(pid, deeds[i]), -EPIPE);
        ck_assert_int_eq(cop_why().code, -EINVAL);
        ck_assert_uint_eq(test_count(cop_why().text, "{bad_return_value,"), 1);
        ck_assert(!cop_alive(pid));
        assert_said("terminate");
    }
}

/* ---------------------------------------------------------------- continuing */

/* Something that is in the mailbox before the continuation is asked for. */
static void
send_to_myself(void)
{
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(WORD)), 0);
}

static cop_step
init_continues(void)
{
    send_to_myself();
    return cop_ok_continue(COP_TAG(WORD));
}

/* GEN-041 */
TEST(init_can_be_continued_before_any_message)
{
    beginning begin = init_continues;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .arg = COP_BYTES(begin)), 0);
    wait_for(pid);
    assert_said("continue info");
}

static cop_step
answer_and_continue(cop_from from)
{
    send_to_myself();
    if (from.ref.id) {
        cop_reply(from, COP_TAG(0));
    }
    return cop_ok_continue(COP_TAG(WORD));
}

/* GEN-041 */
TEST(a_call_can_be_answered_and_continued)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer_and_continue), 0);
    wait_for(pid);
    assert_said("continue info");
}

static cop_step
answer_kept_and_stop(cop_from from)
{
    (void)from;
    cop_reply(kept_from, COP_TAG(0));
    return cop_ok();
}

static cop_step
continue_without_an_answer(cop_from from)
{
    deed what = answer_kept_and_stop;
    kept_from = from;
    send_to_myself();
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

/* GEN-041 */
TEST(a_call_can_be_continued_and_answered_there)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, continue_without_an_answer), 0);
    wait_for(pid);
    assert_said("continue info");
}

/* GEN-041 */
TEST(casts_and_plain_messages_can_be_continued)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, answer_and_continue), 0);
    EVENTUALLY(has_said("continue info"));
    ck_assert_int_eq(send(pid, answer_and_continue), 0);
    EVENTUALLY(has_said("continue info continue info"));
}

static cop_step
continue_once_more(cop_from from)
{
    (void)from;
    return cop_ok_continue(COP_TAG(WORD));
}

static cop_step
continue_twice(cop_from from)
{
    deed what = continue_once_more;
    (void)from;
    send_to_myself();
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

/* GEN-041 */
TEST(a_continuation_can_be_continued)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, continue_twice), 0);
    EVENTUALLY(has_said("continue continue info"));
}

static cop_step
continue_by_timeout(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag != COP_MSG_TIMEOUT) {
        say("info");
        return cop_ok();
    }
    say("timeout");
    send_to_myself();
    return cop_ok_continue(COP_TAG(WORD));
}

static cop_step
begin_with_a_timeout(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_ok_timeout(0);
}

TEST(a_timeout_can_be_continued)
{
    static const cop_genserver timed = {
        .type = "timed",
        .init = begin_with_a_timeout,
        .handle_info = continue_by_timeout,
        .handle_continue = on_continue,
    };
    start_as(&timed);
    EVENTUALLY(has_said("timeout continue info"));
}

static cop_step
continue_with_a_move(cop_from from)
{
    (void)from;
    return cop_ok_continue(moved(WORD));
}

static cop_step
change_the_mind(cop_from from)
{
    cop_ok_continue(moved(WORD));
    cop_ok_continue(moved(WORD));
    return cop_reply(from, COP_TAG(0));
}

TEST(a_moved_token_is_dropped_once_after_the_continuation)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, continue_with_a_move), 0);
    wait_for(pid);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_token_that_is_not_returned_is_dropped_before_the_end_is_told)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, change_the_mind), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 2);
    assert_said("terminate"); /* and did not continue */
}

static cop_step
continue_without_memory(cop_from from)
{
    static char token[5000];
    (void)from;
    copi_alloc_fail_after(0);
    cop_step step = cop_ok_continue(COP_MSG_OF(WORD, token));
    copi_alloc_fail_after(-1);
    return step;
}

TEST(a_continuation_without_memory_stops_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, continue_without_memory), 0);
    ck_assert_int_eq(test_down(ended).code, -ENOMEM);
    assert_said("terminate");
}

static cop_step
continue_and_sleep(cop_from from)
{
    deed what = sleep_for_ever;
    (void)from;
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

TEST(a_kill_reaches_a_continuation)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, continue_and_sleep), 0);
    EVENTUALLY(has_said("continue asleep"));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
}

/* ---------------------------------------------------------------- idle timeouts */

static cop_time asked_at, timed_out_at;

static cop_step
wait_20ms(cop_from from)
{
    if (from.ref.id) {
        cop_reply(from, COP_TAG(0));
    }
    asked_at = cop_now();
    return cop_ok_timeout(COP_MS(20));
}

static cop_step
note_the_time(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag == COP_MSG_TIMEOUT) {
        timed_out_at = cop_now();
        say("timeout");
        return cop_ok();
    }
    return do_it(msg, (cop_from){0});
}

static const cop_genserver timed_server = {
    .type = "timed",
    .handle_call = on_call,
    .handle_cast = on_cast,
    .handle_info = note_the_time,
};

/* GEN-044 */
TEST(an_idle_timeout_comes_after_its_time_and_once)
{
    cop_pid pid = start_as(&timed_server);
    ck_assert_int_eq(call(pid, wait_20ms), 0);
    EVENTUALLY(has_said("timeout"));
    wait_for(pid);
    ck_assert_int_ge(timed_out_at - asked_at, COP_MS(20));
    cop_sleep(COP_MS(40)); /* time enough for one that should not come */
    assert_said("timeout");
}

/* The message is there before the timeout is set, so that nothing depends on the machine's speed. */
static cop_step
send_to_myself_and_wait_20ms(cop_from from)
{
    (void)from;
    send_to_myself();
    return cop_ok_timeout(COP_MS(20));
}

static cop_step
cast_to_myself_and_wait_20ms(cop_from from)
{
    (void)from;
    ck_assert_int_eq(cop_cast(cop_self(), COP_TAG(WORD)), 0);
    return cop_ok_timeout(COP_MS(20));
}

/* GEN-044 */
TEST(any_message_cancels_an_idle_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, send_to_myself_and_wait_20ms), 0);
    EVENTUALLY(has_said("info"));
    cop_sleep(COP_MS(40)); /* time enough for one that should not come */
    assert_said("info");
    ck_assert_int_eq(cast(pid, cast_to_myself_and_wait_20ms), 0);
    EVENTUALLY(has_said("info cast"));
    cop_sleep(COP_MS(40));
    assert_said("info cast");
}

static cop_step
wait_200ms(cop_from from)
{
    (void)from;
    return cop_ok_timeout(COP_MS(200));
}

static cop_step
send_to_myself_and_wait_0(cop_from from)
{
    (void)from;
    send_to_myself();
    return cop_ok_timeout(0);
}

/* GEN-044 */
TEST(a_message_that_is_there_cancels_even_a_timeout_of_0)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, send_to_myself_and_wait_0), 0);
    EVENTUALLY(has_said("info"));
    wait_for(pid);
    assert_said("info");
}

static cop_step
wait_0(cop_from from)
{
    (void)from;
    return cop_ok_timeout(0);
}

static cop_step
answer_and_wait_0(cop_from from)
{
    cop_reply(from, COP_TAG(0));
    return cop_ok_timeout(0);
}

TEST(a_timeout_of_0_comes_at_once_when_the_mailbox_is_empty)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_0), 0);
    EVENTUALLY(has_said("timeout"));
    wait_for(pid);
}

static cop_step
wait_for_ever_idle(cop_from from)
{
    (void)from;
    return cop_ok_timeout(COP_FOREVER);
}

/* GEN-046 */
TEST(a_timeout_of_for_ever_never_comes)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_for_ever_idle), 0);
    EVENTUALLY(test_is_waiting(pid));
    wait_for(pid);
    assert_said("");
}

static cop_step
init_waits_0(void)
{
    return cop_ok_timeout(0);
}

TEST(init_can_set_a_timeout)
{
    beginning begin = init_waits_0;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .arg = COP_BYTES(begin)), 0);
    EVENTUALLY(has_said("timeout"));
}

/* GEN-037, GEN-039 */
TEST(calls_casts_and_plain_messages_can_set_a_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer_and_wait_0), 0);
    EVENTUALLY(has_said("timeout"));
    ck_assert_int_eq(cast(pid, wait_0), 0);
    EVENTUALLY(has_said("timeout timeout"));
    ck_assert_int_eq(send(pid, wait_0), 0);
    EVENTUALLY(has_said("timeout timeout timeout"));
}

static cop_step
continue_and_wait_0(cop_from from)
{
    deed what = wait_0;
    (void)from;
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

TEST(a_continuation_can_set_a_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, continue_and_wait_0), 0);
    EVENTUALLY(has_said("continue timeout"));
}

/* What only the library sees is no message: a call's late answer, an exit signal that is ignored. */
TEST(what_is_no_message_does_not_cancel_a_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_200ms), 0);
    EVENTUALLY(test_is_waiting(pid));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_NORMAL), 0);
    EVENTUALLY(has_said("timeout"));
}

TEST(without_handle_info_a_timeout_passes_in_silence)
{
    static const cop_genserver silent = {
        .type = "silent", .init = begin_with_a_timeout, .handle_call = on_call};
    test_catch_stderr();
    cop_pid pid = start_as(&silent);
    EVENTUALLY(test_is_waiting(pid));
    wait_for(pid);
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

SUITE("genserver_step")
