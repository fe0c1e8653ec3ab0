/*
 * tests/actors/test_genserver.c - servers: what they handle, and how they end.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server and Elixir's
 * GenServer that hold here.
 */
#include "runtime/thread.h"
#include "tests/actors/deeds.h"

/* ---------------------------------------------------------------- stopping */

/* GEN-051 */
TEST(a_stop_with_a_negative_timeout_is_refused_and_the_server_lives)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, -1), -EINVAL);
    wait_for(pid);
}

TEST(a_stop_with_a_reason_that_is_none_to_ask_with_is_refused)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_KILLED, SOON), -EINVAL);
    wait_for(pid);
}

static cop_step
stop_myself(cop_from from)
{
    int r = cop_stop_process(cop_self(), COP_REASON_NORMAL, SOON);
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(a_server_that_stops_itself_so_is_refused)
{
    deed what = stop_myself;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
}

TEST(a_stop_of_a_server_that_does_not_end_in_time_says_so)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, sleep_for_ever), 0);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    cop_msg msg;
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(pid));
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* no DOWN is left over */
}

/* GEN-049 */
TEST(a_stop_returns_when_the_server_is_gone_and_twice_is_safe)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .monitor = &ended), 0);
    stop(pid);
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    assert_said("terminate");
    ck_assert_int_eq(last_reason.kind, COP_NORMAL);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    stop(pid);
    ck_assert_int_eq(cop_stop_process(cop_named("n"), COP_REASON_NORMAL, SOON), 0);
}

/* GEN-049 */
TEST(a_server_can_be_stopped_by_its_name)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = "n"), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("n"), COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    assert_said("terminate");
}

TEST(a_stop_lets_the_server_do_first_what_it_was_asked_before)
{
    cop_pid pid = start();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    }
    stop(pid);
    assert_said("cast cast cast terminate");
}

/* GEN-050 */
TEST(a_stop_with_another_reason_ends_with_it_and_is_no_error)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_stop_process(pid, cop_failed(-42, "enough"), SOON), 0);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -42);
    ck_assert_str_eq(reason.text, "enough");
    ck_assert_int_eq(last_reason.code, -42);
}

/* GEN-056 */
TEST(without_terminate_a_server_simply_ends_with_the_reason)
{
    const cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, cop_failed(-42, "x")};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        cop_ref ended;
        cop_pid pid;
        ck_assert_int_eq(cop_genserver_start(&pid, &bare, .monitor = &ended), 0);
        ck_assert_int_eq(cop_stop_process(pid, reasons[i], SOON), 0);
        ck_assert_int_eq(test_down(ended).kind, reasons[i].kind);
    }
}

static void
terminate_badly(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    say("terminate");
    cop_exit(cop_failed(-EIO, "could not save"));
}

static const cop_genserver clumsy = {
    .type = "clumsy",
    .init = on_init,
    .handle_call = on_call,
    .handle_cast = on_cast,
    .terminate = terminate_badly,
};

/* GEN-057 */
TEST(a_terminate_that_crashes_replaces_the_reason_and_fails_the_stop)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &clumsy, .monitor = &ended), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), -EIO);
    ck_assert_str_eq(cop_why().text, "could not save");
    ck_assert_int_eq(test_down(ended).code, -EIO);
    assert_said("terminate"); /* once */
}

TEST(a_terminate_that_crashes_after_a_crash_replaces_that_reason)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &clumsy, .monitor = &ended), 0);
    ck_assert_int_eq(cast(pid, exit_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -EIO);
    assert_said("terminate");
}

static cop_step
answer_42_and_stop(cop_from from)
{
    int number = 42;
    say("stop");
    return cop_reply_stop(from, COP_MSG_OF(NUMBER, number), COP_REASON_NORMAL);
}

static void
terminate_slowly(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    cop_sleep(COP_MS(20));
    say("terminate");
}

/* GEN-023 */
TEST(the_answer_of_reply_stop_comes_after_terminate)
{
    static const cop_genserver slow = {
        .type = "slow", .handle_call = on_call, .terminate = terminate_slowly};
    deed what = answer_42_and_stop;
    cop_pid pid = start_as(&slow);
    int reply;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 42);
    assert_said("stop terminate");
    EVENTUALLY(!cop_alive(pid));
}

TEST(the_answer_of_reply_stop_is_lost_when_terminate_crashes)
{
    deed what = answer_42_and_stop;
    cop_pid pid = start_as(&clumsy);
    int reply = 7;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EIO);
    ck_assert_int_eq(reply, 7);
}

static cop_step
answer_a_move_and_stop(cop_from from)
{
    return cop_reply_stop(from, moved(NUMBER), COP_REASON_NORMAL);
}

TEST(a_moved_answer_of_reply_stop_is_dropped_once_whatever_comes_of_it)
{
    deed what = answer_a_move_and_stop;
    cop_pid pid = start();
    char reply[16];
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_uint_eq(drops, 1);
    pid = start_as(&clumsy);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), -EPIPE);
    EVENTUALLY(drops == 2);
}

/* GEN-058 */
TEST(an_orderly_end_is_not_reported_and_a_crash_is)
{
    cop_ref ended;
    test_catch_stderr();
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    pid = start_monitored(&ended);
    stop(pid);
    pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    test_down(ended);
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "\n"), 1);
    ck_assert_uint_eq(test_count(report, "crashed: forty-two"), 1);
    free(report);
}

/* GEN-058 */
TEST(a_crash_is_reported_with_the_last_message_and_the_caller)
{
    const deed deeds[] = {stop_with_42, exit_with_42};
    ck_assert_int_eq(cop_register("caller", cop_self()), 0);
    for (size_t i = 0; i < 2; i++) {
        test_catch_stderr();
        cop_ref ended;
        cop_pid pid = start_monitored(&ended);
        deed what = deeds[i];
        ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, SOON), -EPIPE);
        test_down(ended);
        char *report = test_caught_stderr();
        ck_assert_uint_eq(test_count(report, " in_hand=1 from=caller "), 1);
        free(report);
    }
}

static cop_reason
shutdown_and_why(void)
{
    cop_reason reason = cop_failed(-ENOSPC, "{shutdown,full}");
    reason.kind = COP_SHUTDOWN;
    return reason;
}

static cop_step
stop_by_shutdown(cop_from from)
{
    (void)from;
    return cop_stop(shutdown_and_why());
}

static cop_step
exit_by_shutdown(cop_from from)
{
    (void)from;
    cop_exit(shutdown_and_why());
}

/* GEN-058 */
TEST(an_end_by_shutdown_is_not_reported_be_it_by_return_or_by_exit)
{
    const deed deeds[] = {stop_by_shutdown, exit_by_shutdown};
    test_catch_stderr();
    for (size_t i = 0; i < 2; i++) {
        cop_ref ended;
        cop_pid pid = start_monitored(&ended);
        ck_assert_int_eq(cast(pid, deeds[i]), 0);
        ck_assert_str_eq(test_down(ended).text, "{shutdown,full}");
        ck_assert_int_eq(last_reason.kind, COP_SHUTDOWN);
    }
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

/* ---------------------------------------------------------------- when terminate runs */

TEST(terminate_runs_when_a_callback_stops_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    test_down(ended);
    assert_said("terminate");
    ck_assert_int_eq(last_reason.code, -42);
}

TEST(terminate_runs_when_a_callback_is_left_by_cop_exit)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, exit_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    assert_said("terminate");
    ck_assert_int_eq(last_reason.code, -42);
}

TEST(terminate_does_not_run_after_a_kill)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    assert_said("");
}

TEST(terminate_does_not_run_after_an_exit_signal_that_is_not_trapped)
{
    const cop_reason reasons[] = {cop_failed(-42, "x"), COP_REASON_SHUTDOWN};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        cop_ref ended;
        cop_pid pid = start_monitored(&ended);
        cop_exit_signal(pid, reasons[i]);
        ck_assert_int_eq(test_down(ended).kind, reasons[i].kind);
        assert_said("");
    }
}

static cop_step
call_slowly(cop_from from)
{
    (void)from;
    say("asleep");
    int r = cop_sleep(COP_FOREVER);
    say(r == -ECANCELED ? "canceled" : "woken");
    return cop_stop(cop_failed(r, "gave up"));
}

TEST(a_callback_that_a_shutdown_wakes_may_return_but_terminate_does_not_run)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, call_slowly), 0);
    EVENTUALLY(has_said("asleep"));
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    assert_said("asleep canceled");
}

static cop_step
trap(cop_from from)
{
    cop_trap_exits(true);
    return cop_reply(from, COP_TAG(0));
}

TEST(a_stranger_s_exit_signal_is_a_message_to_a_server_that_traps)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, trap), 0);
    ck_assert_int_eq(cop_exit_signal(pid, cop_failed(-42, "x")), 0);
    wait_for(pid);
    assert_said("exit");
}

/* A parent, whose end is asked for by a message. */
struct parent {
    cop_pid tell;
    bool child_traps;
    cop_reason ends_with, asks_with; /* asks_with: not NORMAL: it asks its child, and goes on */
};

static cop_step
init_traps(void)
{
    cop_trap_exits(true);
    return cop_ok();
}

static int
be_a_parent(cop_bytes arg)
{
    const struct parent *parent = arg.data;
    beginning begin = parent->child_traps ? init_traps : NULL;
    cop_pid child;
    cop_msg msg;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_genserver_start(&child, &server, .link = true, .arg = COP_BYTES(begin)),
                     0);
    ck_assert_int_eq(cop_send(parent->tell, COP_MSG_OF(NUMBER, child)), 0);
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    if (parent->asks_with.kind != COP_NORMAL) {
        ck_assert_int_eq(cop_exit_signal(child, parent->asks_with), 0);
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    }
    cop_exit(parent->ends_with);
}

static cop_reason
end_with_parent(struct parent parent)
{
    cop_pid pid, child;
    parent.tell = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, be_a_parent, .arg = COP_BYTES(parent)), 0);
    child = *COP_BODY(test_receive(NUMBER), cop_pid);
    cop_ref ended = cop_monitor(child);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    return test_down(ended);
}

TEST(terminate_runs_when_the_parent_of_a_server_that_traps_ends)
{
    cop_reason reason = end_with_parent(
        (struct parent){.child_traps = true, .ends_with = cop_failed(-42, "parent")});
    ck_assert_int_eq(reason.code, -42);
    assert_said("terminate"); /* handle_info did not see it */
    ck_assert_str_eq(last_reason.text, "parent");
}

TEST(terminate_runs_when_the_parent_of_a_server_that_traps_ends_normally)
{
    cop_reason reason = end_with_parent((struct parent){.child_traps = true});
    ck_assert_int_eq(reason.kind, COP_NORMAL);
    assert_said("terminate");
}

TEST(terminate_runs_when_the_parent_of_a_server_that_traps_asks_it)
{
    cop_reason reason =
        end_with_parent((struct parent){.child_traps = true, .asks_with = COP_REASON_SHUTDOWN});
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    assert_said("terminate");
}

TEST(terminate_does_not_run_when_the_parent_of_a_server_that_does_not_trap_crashes)
{
    cop_reason reason = end_with_parent((struct parent){.ends_with = cop_failed(-42, "parent")});
    ck_assert_int_eq(reason.code, -42);
    assert_said("");
}

TEST(a_server_that_does_not_trap_survives_the_normal_end_of_its_parent)
{
    struct parent parent = {.tell = cop_self()};
    cop_pid pid, child;
    cop_ref ended;
    ck_assert_int_eq(cop_spawn(&pid, be_a_parent, .arg = COP_BYTES(parent), .monitor = &ended), 0);
    child = *COP_BODY(test_receive(NUMBER), cop_pid);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    wait_for(child);
    assert_said("");
}

static cop_pid other;

static void
terminate_with_calls(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    say(cop_sleep(COP_MS(1)) == 0 ? "slept" : "canceled");
    say(cop_call(other, COP_TAG(WORD), NULL, 0, SOON) == 0 ? "called" : "refused");
}

TEST(blocking_calls_in_terminate_are_not_cancelled)
{
    static const cop_genserver careful = {
        .type = "careful", .init = on_init, .terminate = terminate_with_calls};
    static const cop_genserver quiet = {.type = "quiet", .handle_call = on_call};
    beginning begin = init_traps;
    cop_pid pid;
    other = start_as(&quiet);
    ck_assert_int_eq(cop_genserver_start(&pid, &careful, .arg = COP_BYTES(begin)), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    assert_said("slept call called");
}

static void
say_deferred(void *word)
{
    say(word);
}

static cop_step
defer_and_exit(cop_from from)
{
    (void)from;
    static char callback[] = "callback", process[] = "process";
    ck_assert_int_eq(cop_at_exit(say_deferred, process), 0);
    ck_assert_int_eq(cop_defer(say_deferred, callback), 0);
    cop_exit(cop_failed(-42, NULL));
}

TEST(terminate_comes_between_the_deferred_calls_of_the_callback_and_of_the_process)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, defer_and_exit), 0);
    test_down(ended);
    assert_said("callback terminate process");
}

/* ---------------------------------------------------------------- since when it is in a callback */

enum {
    FEW = 8, /* callbacks may count as begun with those before them */
    CALLBACKS = 3 * FEW
};
static struct {
    cop_time since, end; /* by the coarse clock */
    bool is_exact;
} callbacks[CALLBACKS];
static atomic_uint callbacks_over;

static void
until_the_clock_moves(void)
{
    cop_time before = copi_clock_coarse();
    while (copi_clock_coarse() == before) {
    }
}

static cop_step
note_since(bool is_slow)
{
    cop_process_info info;
    unsigned i = atomic_load(&callbacks_over);
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    callbacks[i].since = info.since;
    callbacks[i].is_exact = info.since_is_exact;
    if (is_slow) {
        until_the_clock_moves();
    }
    callbacks[i].end = copi_clock_coarse();
    atomic_store(&callbacks_over, i + 1);
    return cop_ok();
}

static cop_step
be_slow(cop_from from)
{
    (void)from;
    return note_since(true);
}

static cop_step
be_quick(cop_from from)
{
    (void)from;
    return note_since(false);
}

static cop_step
wait_for_a_message(cop_from from)
{
    cop_msg go;
    (void)from;
    ck_assert_int_eq(cop_receive(&go, SOON), 0);
    return cop_ok();
}

static bool
sleeps(cop_pid pid)
{
    cop_process_info info;
    return cop_inspect(pid, &info) == 0 && info.waits_in && strcmp(info.waits_in, "receive") == 0;
}

TEST(a_callback_after_a_pause_counts_from_its_beginning)
{
    cop_pid pid = start();
    for (unsigned quick = 1; quick <= FEW; quick++) {
        atomic_store(&callbacks_over, 0);
        ck_assert_int_eq(cast(pid, wait_for_a_message), 0); /* so that they come at once */
        for (unsigned i = 0; i < quick; i++) {
            ck_assert_int_eq(cast(pid, be_quick), 0);
        }
        ck_assert_int_eq(cop_send(pid, COP_TAG(NUMBER)), 0);
        EVENTUALLY(atomic_load(&callbacks_over) == quick && sleeps(pid));
        until_the_clock_moves();
        cop_time before = copi_clock_coarse();
        ck_assert_int_eq(cast(pid, be_quick), 0);
        EVENTUALLY(atomic_load(&callbacks_over) == quick + 1);
        ck_assert_int_ge(callbacks[quick].since, before);
    }
}

TEST(of_slow_callbacks_without_a_pause_all_but_a_few_count_from_their_beginning)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_for_a_message), 0); /* so that they come without a pause */
    for (unsigned i = 0; i < CALLBACKS; i++) {
        ck_assert_int_eq(cast(pid, i < FEW ? be_quick : be_slow), 0);
    }
    ck_assert_int_eq(cop_send(pid, COP_TAG(NUMBER)), 0);
    EVENTUALLY(atomic_load(&callbacks_over) == CALLBACKS);
    for (unsigned i = 0; i < CALLBACKS; i++) {
        ck_assert_int_gt(callbacks[i].since, 0);
        ck_assert_int_le(callbacks[i].since, callbacks[i].end);
    }
    for (unsigned i = 1; i < CALLBACKS; i++) {
        ck_assert(!callbacks[i].is_exact || callbacks[i].since >= callbacks[i - 1].end);
    }
    for (unsigned i = 2 * FEW; i < CALLBACKS; i++) {
        ck_assert(callbacks[i].is_exact);
        ck_assert_int_ge(callbacks[i].since, callbacks[i - 1].end);
    }
}

SUITE("genserver")
