/*
 * tests/actors/test_debug.c - what is noted of a server's messages.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#define NO_ARG ((cop_bytes){0})

enum {
    HELLO = 1,
    CONTINUE,
    CONTINUE_TOKEN,
    ANSWER_LATER,
    ANSWER_NOW,
    TIME_OUT,
    STOP_WITH_ANSWER,
};

/* ---------------------------------------------------------------- the server */

struct state {
    int handled;
    cop_from later;
};

static cop_step
handle_call(void *data, cop_from from, cop_msg request)
{
    struct state *state = data;
    state->handled++;
    switch (request.tag) {
    case CONTINUE:
        cop_reply(from, COP_TAG(CONTINUE));
        return cop_ok_continue(COP_TAG(CONTINUE_TOKEN));
    case ANSWER_LATER:
        state->later = from;
        return cop_ok();
    case STOP_WITH_ANSWER:
        return cop_reply_stop(from, COP_TAG(STOP_WITH_ANSWER), COP_REASON_NORMAL);
    default:
        return cop_reply(from, COP_MSG_OF(HELLO, state->handled));
    }
}

static cop_step
handle_cast(void *data, cop_msg msg)
{
    struct state *state = data;
    state->handled++;
    switch (msg.tag) {
    case ANSWER_NOW:
        return cop_reply(state->later, COP_TAG(ANSWER_LATER));
    case TIME_OUT:
        return cop_ok_timeout(0);
    default:
        return cop_ok();
    }
}

static cop_step
handle_other(void *data, cop_msg msg)
{
    struct state *state = data;
    (void)msg;
    state->handled++;
    return cop_ok();
}

static const cop_genserver server = {
    .type = "server",
    .state_size = sizeof(struct state),
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_other,
    .handle_continue = handle_other,
};

static cop_pid
start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "server"), 0);
    return pid;
}

static int
hello(cop_pid pid)
{
    int handled;
    ck_assert_int_eq(cop_call(pid, COP_TAG(HELLO), COP_OUT(handled), SOON), 0);
    return handled;
}

/* One of each: a call, a cast, a plain message, a timeout, a call that goes on with a token. */
static void
say_all(cop_pid pid)
{
    ck_assert_int_eq(hello(pid), 1);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(HELLO)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(HELLO)), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(CONTINUE), NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(TIME_OUT)), 0);
    struct state state;
    do {
        ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(state), SOON), 0);
    } while (state.handled < 7);
}

static size_t
owned_by(cop_pid pid)
{
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    return info.owned_bytes;
}

/* ---------------------------------------------------------------- without memory */

static bool
do_nothing(void *own, const cop_sys_event *event)
{
    (void)own, (void)event;
    return true;
}

static int
watch_in_all_ways(void *arg)
{
    const cop_pid *pid = arg;
    int r = cop_sys_statistics(*pid, true, SOON);
    r = r ? r : cop_sys_log(*pid, 3, SOON);
    r = r ? r : cop_sys_install(*pid, do_nothing, NO_ARG, SOON);
    r = r ? r : cop_sys_trace(*pid, true, SOON);
    copi_alloc_fail_after(-1);
    cop_sys_no_debug(*pid, SOON);
    return r;
}

TEST(watching_without_memory_changes_nothing)
{
    cop_pid pid = start();
    int r;
    size_t before = owned_by(pid);
    ck_assert_uint_ge(test_out_of_memory(watch_in_all_ways, &pid, &r), 3);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(owned_by(pid), before);
}

TEST(a_log_of_more_than_a_million_is_refused)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_log(pid, SIZE_MAX, SOON), -EINVAL);
    ck_assert_int_eq(cop_sys_log(pid, 1000001, SOON), -EINVAL);
    ck_assert_uint_eq(test_status(pid).log_size, 0);
    ck_assert_int_eq(cop_sys_log(pid, 1000000, SOON), 0);
    ck_assert_uint_eq(test_status(pid).log_size, 1000000);
}

/* ---------------------------------------------------------------- statistics */

TEST(statistics_that_are_off_are_an_error)
{
    cop_sys_counts counts = {.messages_in = 42};
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), -ENODATA);
    ck_assert_int_eq(cop_sys_statistics(pid, false, SOON), 0);
    ck_assert_uint_eq(counts.messages_in, 42);
}

TEST(statistics_count_messages_in_and_answers_out)
{
    cop_sys_counts counts;
    cop_pid pid = start();
    cop_time before = cop_now();
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    say_all(pid);
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), 0);
    ck_assert_uint_eq(counts.messages_in, 6);
    ck_assert_uint_eq(counts.messages_out, 2);
    ck_assert_int_ge(counts.since, before);
    ck_assert_int_ge(counts.now, counts.since);
    ck_assert_int_le(counts.now, cop_now());
}

TEST(statistics_go_on_when_they_are_turned_on_again_and_begin_anew_when_off)
{
    cop_sys_counts counts;
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    hello(pid);
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), 0);
    ck_assert_uint_eq(counts.messages_in, 1);
    ck_assert_int_eq(cop_sys_statistics(pid, false, SOON), 0);
    hello(pid);
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), 0);
    ck_assert_uint_eq(counts.messages_in, 0);
}

static void
increment(void *state, cop_bytes arg)
{
    (void)arg;
    ++*(int *)state;
}

TEST(an_agent_s_answers_are_counted_too)
{
    cop_sys_counts counts;
    cop_pid pid;
    int value = 1;
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(value), .link = false), 0);
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(value), SOON), 0);
    ck_assert_int_eq(cop_agent_cast(pid, increment, NO_ARG), 0);
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), 0);
    ck_assert_uint_eq(counts.messages_in, 2);
    ck_assert_uint_eq(counts.messages_out, 1);
}

/* ---------------------------------------------------------------- the log */

static size_t
read_log(cop_pid pid, cop_sys_event *out, size_t capacity)
{
    size_t count;
    ck_assert_int_eq(cop_sys_get_log(pid, out, capacity, &count, SOON), 0);
    return count;
}

TEST(without_a_log_there_is_nothing_in_it)
{
    cop_sys_event event;
    cop_pid pid = start();
    hello(pid);
    ck_assert_uint_eq(read_log(pid, &event, 1), 0);
    ck_assert_int_eq(cop_sys_log(pid, 0, SOON), 0);
    ck_assert_uint_eq(read_log(pid, NULL, 0), 0);
}

TEST(a_log_keeps_the_last_messages_oldest_first)
{
    static const struct {
        cop_sys_event_kind kind;
        uint32_t tag;
    } expected[] = {
        {COP_SYS_CALL, HELLO},
        {COP_SYS_REPLY, HELLO},
        {COP_SYS_CAST, HELLO},
        {COP_SYS_INFO, HELLO},
        {COP_SYS_CALL, CONTINUE},
        {COP_SYS_REPLY, CONTINUE},
        {COP_SYS_CONTINUE, CONTINUE_TOKEN},
        {COP_SYS_CAST, TIME_OUT},
        {COP_SYS_INFO, COP_MSG_TIMEOUT},
    };
    enum {
        ALL = sizeof expected / sizeof *expected
    };
    for (size_t places = 1; places < 12; places++) {
        cop_sys_event log[12];
        cop_pid pid = start();
        ck_assert_int_eq(cop_sys_log(pid, places, SOON), 0);
        ck_assert_uint_eq(test_status(pid).log_size, places);
        say_all(pid);
        size_t count = places < ALL ? places : (size_t)ALL;
        ck_assert_uint_eq(read_log(pid, log, 12), count);
        for (size_t i = 0; i < count; i++) {
            ck_assert_int_eq(log[i].kind, expected[ALL - count + i].kind);
            ck_assert_uint_eq(log[i].tag, expected[ALL - count + i].tag);
            ck_assert_ptr_null(log[i].body.data);
            ck_assert_ptr_null(log[i].state.data);
            ck_assert(i == 0 || log[i].when >= log[i - 1].when);
        }
        ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    }
}

TEST(a_log_says_with_whom_and_how_much)
{
    cop_sys_event log[2];
    int body = 42;
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_log(pid, 2, SOON), 0);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(HELLO, body), COP_OUT(body), SOON), 0);
    ck_assert_uint_eq(read_log(pid, log, 2), 2);
    ck_assert(cop_pid_eq(log[0].peer, cop_self()));
    ck_assert(cop_pid_eq(log[1].peer, cop_self()));
    ck_assert_uint_eq(log[0].body.size, sizeof(int));
    ck_assert_uint_eq(log[0].state.size, sizeof(struct state));
}

TEST(of_a_log_the_newest_are_read_where_not_all_fit)
{
    cop_sys_event log[2];
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_log(pid, 5, SOON), 0);
    for (uint32_t tag = 101; tag <= 107; tag++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(tag)), 0);
    }
    ck_assert_uint_eq(read_log(pid, log, 2), 5);
    ck_assert_uint_eq(log[0].tag, 106);
    ck_assert_uint_eq(log[1].tag, 107);
}

TEST(a_log_of_another_size_keeps_the_newest)
{
    static const struct {
        size_t places, count;
        uint32_t first;
    } steps[] = {{3, 3, 105}, {8, 3, 106}, {5, 4, 106}};
    cop_sys_event log[10];
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_log(pid, 5, SOON), 0);
    for (uint32_t tag = 101; tag <= 107; tag++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(tag)), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_sys_log(pid, steps[i].places, SOON), 0);
        ck_assert_uint_eq(read_log(pid, log, 10), steps[i].count);
        ck_assert_uint_eq(log[0].tag, steps[i].first);
        ck_assert_uint_eq(log[steps[i].count - 1].tag, 107 + i);
        ck_assert_int_eq(cop_cast(pid, COP_TAG((uint32_t)(108 + i))), 0);
    }
}

TEST(a_late_answer_and_one_that_ends_the_server_are_seen)
{
    cop_sys_counts counts;
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(ANSWER_LATER), NULL, 0, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(ANSWER_NOW)), 0);
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), 0);
    ck_assert_uint_eq(counts.messages_out, 1);
    test_catch_stderr();
    ck_assert_int_eq(cop_sys_trace(pid, true, SOON), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(STOP_WITH_ANSWER), NULL, 0, SOON), 0);
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "answered 7 (0 bytes) to "), 1);
    free(report);
}

/* ---------------------------------------------------------------- the trace */

TEST(a_trace_is_a_line_for_each_message)
{
    cop_pid pid = start();
    cop_register("tester", cop_self());
    test_catch_stderr();
    ck_assert_int_eq(cop_sys_trace(pid, true, SOON), 0);
    say_all(pid);
    ck_assert_int_eq(cop_sys_trace(pid, false, SOON), 0);
    hello(pid);
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "coppice: notice: server got call 1 (0 bytes) from tester\n"
                             "coppice: notice: server answered 1 (4 bytes) to tester\n"
                             "coppice: notice: server got cast 1 (0 bytes) from tester\n"
                             "coppice: notice: server got 1 (0 bytes) from tester\n"
                             "coppice: notice: server got call 2 (0 bytes) from tester\n"
                             "coppice: notice: server answered 2 (0 bytes) to tester\n"
                             "coppice: notice: server continues with 3 (0 bytes)\n"
                             "coppice: notice: server got cast 6 (0 bytes) from tester\n"
                             "coppice: notice: server got TIMEOUT (0 bytes)\n");
    free(report);
}

/* ---------------------------------------------------------------- functions */

struct record {
    cop_pid tell;
    unsigned seen, until;
};

static bool
tell(void *own, const cop_sys_event *event)
{
    struct record *record = own;
    cop_send(record->tell, COP_MSG_OF((uint32_t)event->kind, event->tag));
    return ++record->seen != record->until;
}

static void
assert_told(cop_sys_event_kind kind, uint32_t tag)
{
    ck_assert_uint_eq(*COP_BODY(test_receive(kind), uint32_t), tag);
}

static void
assert_told_nothing(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

TEST(a_function_sees_each_event_in_order)
{
    cop_pid pid = start();
    struct record record = {.tell = cop_self()};
    ck_assert_int_eq(cop_sys_install(pid, tell, COP_BYTES(record), SOON), 0);
    ck_assert_uint_eq(test_status(pid).functions, 1);
    say_all(pid);
    assert_told(COP_SYS_CALL, HELLO);
    assert_told(COP_SYS_REPLY, HELLO);
    assert_told(COP_SYS_HANDLED, HELLO);
    assert_told(COP_SYS_CAST, HELLO);
    assert_told(COP_SYS_HANDLED, HELLO);
    assert_told(COP_SYS_INFO, HELLO);
    assert_told(COP_SYS_HANDLED, HELLO);
    assert_told(COP_SYS_CALL, CONTINUE);
    assert_told(COP_SYS_REPLY, CONTINUE);
    assert_told(COP_SYS_HANDLED, CONTINUE);
    assert_told(COP_SYS_CONTINUE, CONTINUE_TOKEN);
    assert_told(COP_SYS_HANDLED, CONTINUE_TOKEN);
    assert_told(COP_SYS_CAST, TIME_OUT);
    assert_told(COP_SYS_HANDLED, TIME_OUT);
    assert_told(COP_SYS_INFO, COP_MSG_TIMEOUT);
    assert_told(COP_SYS_HANDLED, COP_MSG_TIMEOUT);
    assert_told_nothing();
}

TEST(a_function_that_is_done_is_removed)
{
    cop_pid pid = start();
    size_t before = owned_by(pid);
    struct record record = {.tell = cop_self(), .until = 2};
    ck_assert_int_eq(cop_sys_install(pid, tell, COP_BYTES(record), SOON), 0);
    hello(pid);
    assert_told(COP_SYS_CALL, HELLO);
    assert_told(COP_SYS_REPLY, HELLO);
    hello(pid);
    assert_told_nothing();
    ck_assert_uint_eq(test_status(pid).functions, 0);
    ck_assert_uint_eq(owned_by(pid), before);
}

TEST(a_function_is_installed_once_and_removed_once)
{
    cop_pid pid = start();
    struct record record = {.tell = cop_self(), .until = 1}, other = {.tell = cop_self()};
    ck_assert_int_eq(cop_sys_install(pid, tell, COP_BYTES(other), SOON), 0);
    ck_assert_int_eq(cop_sys_install(pid, tell, COP_BYTES(record), SOON), 0);
    hello(pid);
    assert_told(COP_SYS_CALL, HELLO);
    assert_told(COP_SYS_REPLY, HELLO);
    assert_told(COP_SYS_HANDLED, HELLO);
    ck_assert_int_eq(cop_sys_remove(pid, tell, SOON), 0);
    ck_assert_int_eq(cop_sys_remove(pid, tell, SOON), 0);
    ck_assert_int_eq(cop_sys_remove(pid, do_nothing, SOON), 0);
    hello(pid);
    assert_told_nothing();
}

static bool
crash(void *own, const cop_sys_event *event)
{
    (void)own, (void)event;
    cop_exit(cop_failed(-42, "no good"));
}

TEST(a_function_that_crashes_is_removed_and_the_server_and_the_others_go_on)
{
    cop_pid pid = start();
    struct record record = {.tell = cop_self()};
    ck_assert_int_eq(cop_sys_install(pid, tell, COP_BYTES(record), SOON), 0);
    ck_assert_int_eq(cop_sys_install(pid, crash, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_sys_install(pid, do_nothing, NO_ARG, SOON), 0);
    ck_assert_uint_eq(test_status(pid).functions, 3);
    hello(pid);
    assert_told(COP_SYS_CALL, HELLO);
    ck_assert_uint_eq(test_status(pid).functions, 2);
    ck_assert_int_eq(hello(pid), 2);
}

static bool
see_the_newest(void *own, const cop_sys_event *event)
{
    const cop_pid *to = own;
    if (event->kind == COP_SYS_HANDLED) {
        const struct state *state = event->state.data;
        cop_send(*to, COP_MSG_OF(HELLO, state->handled));
    }
    return true;
}

TEST(a_function_sees_the_state_after_each_callback)
{
    cop_pid pid = start(), me = cop_self();
    ck_assert_int_eq(cop_sys_install(pid, see_the_newest, COP_BYTES(me), SOON), 0);
    hello(pid);
    hello(pid);
    for (int handled = 1; handled <= 2; handled++) {
        ck_assert_int_eq(*COP_BODY(test_receive(HELLO), int), handled);
    }
}

static bool
see_the_body(void *own, const cop_sys_event *event)
{
    const cop_pid *to = own;
    if (event->kind == COP_SYS_CAST) {
        cop_send(*to, (cop_msg){.tag = event->tag, .body = event->body});
    }
    return true;
}

TEST(a_function_sees_the_body)
{
    cop_pid pid = start(), me = cop_self();
    int body = 42;
    ck_assert_int_eq(cop_sys_install(pid, see_the_body, COP_BYTES(me), SOON), 0);
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(HELLO, body)), 0);
    ck_assert_int_eq(*COP_BODY(test_receive(HELLO), int), 42);
}

static cop_from waiting;

static cop_step
put_off(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    waiting = from;
    return cop_ok();
}

static bool
answer_for_it(void *own, const cop_sys_event *event)
{
    unsigned *seen = own;
    if (event->kind == COP_SYS_HANDLED) {
        cop_reply(waiting, COP_MSG_OF(HELLO, *seen));
    }
    ++*seen;
    return true;
}

TEST(a_function_does_not_see_what_it_does_itself)
{
    static const cop_genserver patient = {.type = "patient", .handle_call = put_off};
    cop_pid pid;
    unsigned seen = 0;
    ck_assert_int_eq(cop_genserver_start(&pid, &patient, .link = false), 0);
    ck_assert_int_eq(cop_sys_install(pid, answer_for_it, COP_BYTES(seen), SOON), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(HELLO), COP_OUT(seen), SOON), 0);
    ck_assert_uint_eq(seen, 1); /* the call, and not the answer */
    ck_assert_int_eq(cop_call(pid, COP_TAG(HELLO), COP_OUT(seen), SOON), 0);
    ck_assert_uint_eq(seen, 3);
}

static atomic_bool is_there;

static bool
stay_there(void *own, const cop_sys_event *event)
{
    (void)own, (void)event;
    is_there = true;
    cop_sleep(COP_FOREVER);
    return true;
}

TEST(a_kill_reaches_a_function_that_waits)
{
    cop_pid pid = start();
    cop_ref ended = cop_monitor(pid);
    ck_assert_int_eq(cop_sys_install(pid, stay_there, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(HELLO)), 0);
    EVENTUALLY(is_there);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
}

TEST(a_supervisor_s_messages_are_seen_but_not_its_state)
{
    static const cop_child_spec child = {.id = "child", .name = "server", .genserver = &server};
    cop_pid pid, me = cop_self();
    ck_assert_int_eq(
        cop_supervisor_start(&pid, &(cop_supervisor_spec){.children = &child, .child_count = 1}),
        0);
    cop_sys_event log[2];
    cop_child_counts counts;
    ck_assert_int_eq(cop_sys_install(pid, see_the_body, COP_BYTES(me), SOON), 0);
    ck_assert_int_eq(cop_sys_log(pid, 2, SOON), 0);
    ck_assert_int_eq(cop_supervisor_count(pid, &counts), 0);
    ck_assert_uint_eq(read_log(pid, log, 2), 2);
    ck_assert_uint_eq(log[0].state.size, 0);
    ck_assert_uint_eq(log[1].body.size, sizeof counts);
}

TEST(all_is_off_after_no_debug)
{
    cop_sys_counts counts;
    cop_pid pid = start();
    size_t before = owned_by(pid);
    struct record record = {.tell = cop_self()};
    test_catch_stderr();
    ck_assert_int_eq(cop_sys_trace(pid, true, SOON), 0);
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    ck_assert_int_eq(cop_sys_log(pid, 10, SOON), 0);
    ck_assert_int_eq(cop_sys_install(pid, tell, COP_BYTES(record), SOON), 0);
    cop_sys_status status = test_status(pid);
    ck_assert(status.is_traced && status.has_statistics);
    ck_assert_uint_eq(status.log_size, 10);
    ck_assert_int_eq(cop_sys_no_debug(pid, SOON), 0);
    ck_assert_int_eq(cop_sys_no_debug(pid, SOON), 0);
    hello(pid);
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
    assert_told_nothing();
    ck_assert_int_eq(cop_sys_get_statistics(pid, &counts, SOON), -ENODATA);
    ck_assert_uint_eq(owned_by(pid), before);
}

TEST(what_is_turned_off_one_by_one_leaves_no_memory_with_the_server)
{
    cop_pid pid = start();
    size_t before = owned_by(pid);
    ck_assert_int_eq(cop_sys_log(pid, 10, SOON), 0);
    ck_assert_int_eq(cop_sys_log(pid, 0, SOON), 0);
    ck_assert_uint_eq(owned_by(pid), before);
    ck_assert_int_eq(cop_sys_statistics(pid, true, SOON), 0);
    ck_assert_int_eq(cop_sys_statistics(pid, false, SOON), 0);
    ck_assert_uint_eq(owned_by(pid), before);
    ck_assert_int_eq(cop_sys_trace(pid, true, SOON), 0);
    ck_assert_int_eq(cop_sys_trace(pid, false, SOON), 0);
    ck_assert_uint_eq(owned_by(pid), before);
    ck_assert_int_eq(cop_sys_install(pid, do_nothing, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_sys_remove(pid, do_nothing, SOON), 0);
    ck_assert_uint_eq(owned_by(pid), before);
}

TEST(who_ends_while_all_is_on_leaves_nothing_behind)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_log(pid, 1000, SOON), 0);
    ck_assert_int_eq(cop_sys_install(pid, do_nothing, NO_ARG, SOON), 0);
    hello(pid);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(pid));
}

SUITE("debug")
