/*
 * tests/runtime/test_cycle.c - who waits for whom: a circle is refused, not endured, and nothing else
 * is.
 *
 * Room: tests/. There are servers of one kind; each request brings a deed, a function that the server
 * runs in the callback that got it, and a path of servers for deeds that call on.
 */
#include "runtime/cycle.h"
#include "tests/support/support.h"

#include <sched.h>

enum {
    DO = 1,
    ANSWER,
    DONE,
    LONGEST_PATH = 8,
};

struct request;
typedef cop_step (*deed)(cop_from from, const struct request *request);
struct request {
    deed deed;
    cop_pid path[LONGEST_PATH]; /* whom to call, one after the other; then COP_NOBODY */
    unsigned at;
    int number;
};

/* How the last call of a path ended, passed back by all of them. */
struct answer {
    int code;
    cop_reason why;
};

/* ---------------------------------------------------------------- the servers */

static cop_step
on_call(void *state, cop_from from, cop_msg msg)
{
    (void)state;
    struct request request = *COP_BODY(msg, struct request);
    return request.deed(from, &request);
}

static cop_step
on_message(void *state, cop_msg msg)
{
    return msg.tag == DO ? on_call(state, (cop_from){0}, msg) : cop_ok();
}

static const cop_genserver server = {
    .type = "server",
    .handle_call = on_call,
    .handle_cast = on_message,
    .handle_info = on_message,
};

static cop_pid
start_server(const char *name)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = name), 0);
    return pid;
}

static struct answer
ask(cop_pid pid, const struct request *request, cop_time timeout)
{
    struct answer answer = {0};
    int r = cop_call(pid, COP_MSG_OF(DO, *request), COP_OUT(answer), timeout);
    return r ? (struct answer){r, cop_why()} : answer;
}

static void
tell(cop_pid pid, const struct request *request)
{
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(DO, *request)), 0);
}

static void
note(const struct answer *answer, cop_pid whom)
{
    ck_assert_int_eq(cop_send(whom, COP_MSG_OF(DONE, *answer)), 0);
}

static struct answer
noted(void)
{
    cop_msg msg = test_receive(DONE);
    return *COP_BODY(msg, struct answer);
}

static bool
waits_for(cop_pid who, cop_pid other)
{
    cop_process_info info;
    return cop_inspect(who, &info) == 0 && cop_pid_eq(info.waits_for, other);
}

/* ---------------------------------------------------------------- deeds */

static atomic_uint calls_taken;

static cop_step
relay(cop_from from, const struct request *request)
{
    atomic_fetch_add(&calls_taken, 1);
    struct answer answer = {0};
    cop_pid next = request->path[request->at];
    if (next.id != 0) {
        struct request onward = *request;
        onward.at++;
        answer = ask(next, &onward, SOON);
    }
    return cop_reply(from, COP_MSG_OF(ANSWER, answer));
}

/* ---------------------------------------------------------------- circles */

static void
assert_refused(const struct answer *answer, const char *circle)
{
    ck_assert_int_eq(answer->code, -EDEADLK);
    ck_assert_int_eq(answer->why.kind, COP_FAILED);
    ck_assert_int_eq(answer->why.code, -EDEADLK);
    ck_assert_str_eq(answer->why.text, circle);
}

TEST(a_server_that_calls_itself_is_refused)
{
    cop_pid a = start_server("a");
    struct answer got = ask(a, &(struct request){.deed = relay, .path = {a}}, SOON);
    assert_refused(&got, "a -> a");
}

TEST(two_that_call_each_other_are_refused)
{
    cop_pid a = start_server("a"), b = start_server("b");
    struct answer got = ask(a, &(struct request){.deed = relay, .path = {b, a}}, SOON);
    assert_refused(&got, "b -> a -> b");
}

TEST(three_that_call_each_other_in_a_circle_are_refused)
{
    cop_pid a = start_server("a"), b = start_server("b"), c = start_server("c");
    struct answer got = ask(a, &(struct request){.deed = relay, .path = {b, c, a}}, SOON);
    assert_refused(&got, "c -> a -> b -> c");
}

TEST(a_circle_that_a_chain_leads_into_shows_itself_and_not_the_chain)
{
    cop_pid a = start_server("a"), b = start_server("b"), c = start_server("c");
    struct answer got = ask(a, &(struct request){.deed = relay, .path = {b, c, b}}, SOON);
    assert_refused(&got, "c -> b -> c");
}

TEST(a_caller_that_is_no_server_closes_a_circle_too)
{
    cop_pid a = start_server("a");
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    struct answer got = ask(a, &(struct request){.deed = relay, .path = {cop_self()}}, SOON);
    assert_refused(&got, "a -> main -> a");
    ck_assert_int_eq(cop_unregister("main"), 0);
}

TEST(a_circle_through_names_is_a_circle)
{
    cop_pid a = start_server("a");
    start_server("b");
    struct answer got =
        ask(a, &(struct request){.deed = relay, .path = {cop_named("b"), cop_named("a")}}, SOON);
    assert_refused(&got, "b -> a -> b");
}

TEST(a_circle_of_those_without_names_is_shown_too)
{
    cop_pid a = start_server(NULL), b = start_server(NULL);
    struct answer got = ask(a, &(struct request){.deed = relay, .path = {b, a}}, SOON);
    ck_assert_int_eq(got.code, -EDEADLK);
    ck_assert_uint_eq(test_count(got.why.text, " -> "), 2);
}

TEST(a_circle_that_does_not_fit_is_cut)
{
    char name[LONGEST_PATH][64];
    struct request request = {.deed = relay};
    for (int i = 0; i < LONGEST_PATH - 1; i++) {
        snprintf(name[i], sizeof name[i], "%d-%061d", i, i); /* 63 bytes, the longest there is */
        request.path[i] = start_server(name[i]);
    }
    cop_pid first = start_server("first");
    request.path[LONGEST_PATH - 2] = first;
    struct answer got = ask(first, &request, SOON);
    ck_assert_int_eq(got.code, -EDEADLK);
    ck_assert_uint_lt(strnlen(got.why.text, sizeof got.why.text), sizeof got.why.text);
    ck_assert_uint_gt(strlen(got.why.text), 180);
    ck_assert_int_eq(got.why.text[0], '5');
}

TEST(of_a_refused_call_nothing_was_sent)
{
    cop_pid a = start_server("a"), b = start_server("b");
    ask(a, &(struct request){.deed = relay, .path = {b, a}}, SOON);
    ck_assert_int_eq(ask(a, &(struct request){.deed = relay}, SOON).code, 0); /* comes after it */
    ck_assert_uint_eq(atomic_load(&calls_taken), 3);
}

TEST(a_refused_call_leaves_no_edge_behind)
{
    cop_pid a = start_server("a"), b = start_server("b");
    for (int i = 0; i < 500; i++) {
        struct answer got = ask(a, &(struct request){.deed = relay, .path = {b, a}}, SOON);
        ck_assert_int_eq(got.code, -EDEADLK);
        ck_assert(waits_for(b, COP_NOBODY)); /* it was b that was refused */
        ck_assert_int_eq(ask(a, &(struct request){.deed = relay, .path = {b}}, SOON).code, 0);
        ck_assert_int_eq(ask(b, &(struct request){.deed = relay, .path = {a}}, SOON).code, 0);
    }
    ck_assert(waits_for(a, COP_NOBODY));
    ck_assert(waits_for(b, COP_NOBODY));
}

/* ---------------------------------------------------------------- races */

static struct {
    cop_pid tester, server[3];
    unsigned parties;
    atomic_uint arrived;
} gate;

static cop_step
reply_nothing(cop_from from, const struct request *request)
{
    (void)request;
    return cop_reply(from, COP_MSG(ANSWER, struct answer, .code = 0));
}

/* All parties call their neighbour at the same moment. */
static cop_step
call_neighbour_at_the_gate(cop_from from, const struct request *request)
{
    (void)from;
    unsigned me = (unsigned)request->number;
    cop_pid neighbour = gate.server[(me + 1) % gate.parties];
    atomic_fetch_add(&gate.arrived, 1);
    for (int i = 0; atomic_load(&gate.arrived) < gate.parties; i++) {
        if (i > 10000) {
            sched_yield(); /* there may be fewer cores than parties */
        }
    }
    struct answer got = ask(neighbour, &(struct request){.deed = reply_nothing}, SOON);
    note(&got, gate.tester);
    return cop_ok();
}

TEST_TIMES(2, those_that_close_a_circle_at_the_same_moment_are_never_all_let_through)
{
    enum {
        ROUNDS = 1000
    };
    gate.tester = cop_self();
    gate.parties = 2 + (unsigned)_i;
    for (unsigned i = 0; i < gate.parties; i++) {
        gate.server[i] = start_server(NULL);
    }
    for (int round = 0; round < ROUNDS; round++) {
        atomic_store(&gate.arrived, 0);
        for (unsigned i = 0; i < gate.parties; i++) {
            tell(gate.server[i], &(struct request){
                                     .deed = call_neighbour_at_the_gate,
                                     .number = (int)i,
                                 });
        }
        for (unsigned i = 0; i < gate.parties; i++) {
            int code = noted().code;
            ck_assert(code == 0 || code == -EDEADLK); /* a circle that was missed times out */
        }
    }
}

/* ---------------------------------------------------------------- edges that go away */

static cop_from deferred_from;
static _Atomic bool is_deferred, may_go_on;

static cop_step
defer(cop_from from, const struct request *request)
{
    (void)request;
    deferred_from = from;
    atomic_store(&is_deferred, true);
    return cop_ok();
}

/* Calls the first of the path with the deed `defer`, and notes how that ended. */
static cop_step
call_to_be_deferred(cop_from from, const struct request *request)
{
    (void)from;
    struct answer got = ask(request->path[0], &(struct request){.deed = defer}, SOON);
    note(&got, gate.tester);
    return cop_ok();
}

static cop_step
call_and_note(cop_from from, const struct request *request)
{
    (void)from;
    struct answer got = ask(request->path[0], &(struct request){.deed = reply_nothing}, SOON);
    note(&got, gate.tester);
    return cop_ok();
}

TEST(a_deferred_answer_takes_the_edge_away)
{
    cop_pid a = start_server("a"), b = start_server("b");
    gate.tester = cop_self();
    tell(b, &(struct request){.deed = call_to_be_deferred, .path = {a}});
    EVENTUALLY(atomic_load(&is_deferred));
    tell(a, &(struct request){.deed = call_and_note, .path = {b}});
    EVENTUALLY(waits_for(a, b)); /* it was not refused, though b waits for a's answer */
    cop_reply(deferred_from, COP_MSG(ANSWER, struct answer, .code = 0));
    ck_assert_int_eq(noted().code, 0);
    ck_assert_int_eq(noted().code, 0);
}

static cop_step
answer_and_call_back(cop_from from, const struct request *request)
{
    (void)request;
    cop_reply(from, COP_MSG(ANSWER, struct answer, .code = 0));
    struct answer got = ask(from.pid, &(struct request){.deed = reply_nothing}, SOON);
    note(&got, gate.tester);
    return cop_ok();
}

static cop_step
call_who_calls_back(cop_from from, const struct request *request)
{
    (void)from;
    struct answer got =
        ask(request->path[0], &(struct request){.deed = answer_and_call_back}, SOON);
    note(&got, gate.tester);
    return cop_ok();
}

/* The caller may not have woken yet: the answer has taken its edge away all the same. */
TEST(who_has_answered_may_call_its_caller_back_at_once)
{
    cop_pid a = start_server("a"), b = start_server("b");
    gate.tester = cop_self();
    for (int i = 0; i < 2000; i++) {
        tell(b, &(struct request){.deed = call_who_calls_back, .path = {a}});
        ck_assert_int_eq(noted().code, 0);
        ck_assert_int_eq(noted().code, 0);
    }
}

static cop_step
be_busy_then_call(cop_from from, const struct request *request)
{
    (void)from;
    atomic_store(&is_deferred, true);
    while (!atomic_load(&may_go_on)) {
        cop_sleep(COP_US(100));
    }
    return call_and_note(from, request);
}

static cop_step
give_up_soon(cop_from from, const struct request *request)
{
    (void)from;
    struct request busy = {.deed = be_busy_then_call, .path = {cop_self()}};
    struct answer got = ask(request->path[0], &busy, COP_MS(1));
    note(&got, gate.tester);
    return cop_ok();
}

TEST(a_caller_that_has_given_up_waits_for_nobody)
{
    cop_pid a = start_server("a"), b = start_server("b");
    gate.tester = cop_self();
    tell(b, &(struct request){.deed = give_up_soon, .path = {a}});
    ck_assert_int_eq(noted().code, -ETIMEDOUT);
    EVENTUALLY(atomic_load(&is_deferred));
    atomic_store(&may_go_on, true); /* still in the callback of b's request, a calls b */
    ck_assert_int_eq(noted().code, 0);
}

TEST(two_may_call_each_other_one_after_the_other)
{
    cop_pid a = start_server("a"), b = start_server("b");
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(ask(a, &(struct request){.deed = relay, .path = {b}}, SOON).code, 0);
        ck_assert_int_eq(ask(b, &(struct request){.deed = relay, .path = {a}}, SOON).code, 0);
    }
}

/* ---------------------------------------------------------------- blocking sends */

static atomic_uint drops;

static void
count_drop(void *body)
{
    atomic_fetch_add(&drops, 1);
    free(body);
}

/* Sends to the last of the path, whose mailbox is full. */
static cop_step
send_to_a_full_mailbox(cop_from from, const struct request *request)
{
    void *body = malloc(8);
    struct answer got = {0};
    got.code = cop_send(request->path[0], COP_MSG_MOVE(DONE, body, 8, count_drop));
    got.why = cop_why();
    if (got.code) {
        free(body); /* it is still ours */
    }
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

static cop_step
call_a_full_mailbox(cop_from from, const struct request *request)
{
    struct answer got = ask(request->path[0], &(struct request){.deed = reply_nothing}, SOON);
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

static deed deed_of_the_other;

/* Fills its own mailbox, and then calls somebody who wants to get into it. */
static cop_step
fill_up_and_call(cop_from from, const struct request *request)
{
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(DONE)), 0);
    struct request onward = {.deed = deed_of_the_other, .path = {cop_self()}};
    struct answer got = ask(request->path[0], &onward, SOON);
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

static struct answer
meet_a_full_mailbox(deed what)
{
    cop_pid a = start_server("a"), b;
    ck_assert_int_eq(cop_genserver_start(&b, &server, .name = "b", .mailbox = {1, COP_FULL_BLOCK}),
                     0);
    deed_of_the_other = what;
    return ask(b, &(struct request){.deed = fill_up_and_call, .path = {a}}, SOON);
}

TEST(a_send_that_would_wait_for_who_waits_for_the_sender_is_refused)
{
    struct answer got = meet_a_full_mailbox(send_to_a_full_mailbox);
    assert_refused(&got, "a -> b -> a");
    ck_assert_uint_eq(atomic_load(&drops), 0);
}

TEST(a_request_that_would_wait_for_room_of_who_waits_for_it_is_refused)
{
    struct answer got = meet_a_full_mailbox(call_a_full_mailbox);
    assert_refused(&got, "a -> b -> a");
}

static int
send_until_it_blocks(cop_bytes arg)
{
    cop_pid to = *(const cop_pid *)arg.data;
    int r = 0;
    while (r == 0) {
        r = cop_send(to, COP_TAG(ANSWER));
    }
    struct answer got = {r, cop_why()};
    note(&got, gate.tester);
    return 0;
}

static cop_step
call_first_of_path(cop_from from, const struct request *request)
{
    struct answer got = ask(request->path[0], &(struct request){.deed = reply_nothing}, SOON);
    note(&got, gate.tester);
    return from.pid.id ? cop_reply(from, COP_MSG_OF(ANSWER, got)) : cop_ok();
}

static cop_step
wait_then_call(cop_from from, const struct request *request)
{
    EVENTUALLY(waits_for(request->path[0], cop_self()));
    return call_first_of_path(from, request);
}

/* The other way round: the send waits first, and the call would close the circle. */
TEST(a_blocked_sender_cannot_be_called_by_whom_it_waits_for)
{
    cop_pid b, sender;
    gate.tester = cop_self();
    ck_assert_int_eq(cop_genserver_start(&b, &server, .name = "b", .mailbox = {1, COP_FULL_BLOCK}),
                     0);
    struct request request = {.deed = wait_then_call};
    ck_assert_int_eq(
        cop_spawn(&sender, send_until_it_blocks, .arg = COP_BYTES(b), .name = "sender"), 0);
    request.path[0] = sender;
    tell(b, &request); /* waits for its turn among the sender's messages */
    struct answer got = noted();
    /* A place may have become free for the sender meanwhile: then it is its next send that is refused. */
    bool is_senders = strcmp(got.why.text, "sender -> b -> sender") == 0;
    assert_refused(&got, is_senders ? got.why.text : "b -> sender -> b");
    cop_exit_signal(sender, COP_REASON_KILLED);
}

/* ---------------------------------------------------------------- starts */

static cop_step
init_calls_starter(void *state, cop_bytes arg)
{
    (void)state;
    cop_pid starter = *(const cop_pid *)arg.data;
    struct answer got = ask(starter, &(struct request){.deed = reply_nothing}, SOON);
    return got.code ? cop_stop(got.why) : cop_ok();
}

static const cop_genserver calls_its_starter = {.type = "child", .init = init_calls_starter};

static cop_step
start_child(cop_from from, const struct request *request)
{
    (void)request;
    cop_pid self = cop_self();
    struct answer got = {0};
    got.code =
        cop_genserver_start(NULL, &calls_its_starter, .name = "child", .arg = COP_BYTES(self));
    got.why = cop_why();
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

TEST(an_init_that_calls_its_starter_is_refused)
{
    cop_pid a = start_server("a");
    struct answer got = ask(a, &(struct request){.deed = start_child}, SOON);
    assert_refused(&got, "child -> a -> child");
}

static cop_step
init_calls_through_another(void *state, cop_bytes arg)
{
    (void)state;
    const cop_pid *pids = arg.data; /* whom to call, and the starter */
    struct answer got = ask(pids[0], &(struct request){.deed = relay, .path = {pids[1]}}, SOON);
    return got.code ? cop_stop(got.why) : cop_ok();
}

static const cop_genserver calls_through_another = {
    .type = "child",
    .init = init_calls_through_another,
};

static cop_step
start_child_with_another(cop_from from, const struct request *request)
{
    cop_pid pids[] = {request->path[0], cop_self()};
    struct answer got = {0};
    got.code =
        cop_genserver_start(NULL, &calls_through_another, .name = "child", .arg = COP_BYTES(pids));
    got.why = cop_why();
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

TEST(an_init_that_calls_its_starter_through_another_is_refused)
{
    cop_pid a = start_server("a"), b = start_server("b");
    struct answer got =
        ask(a, &(struct request){.deed = start_child_with_another, .path = {b}}, SOON);
    assert_refused(&got, "b -> a -> child -> b");
}

/* ---------------------------------------------------------------- all children at once */

static _Atomic bool waits_for_all, has_waited;

static int
ask_and_note(cop_bytes arg)
{
    struct answer got =
        ask(*(const cop_pid *)arg.data, &(struct request){.deed = reply_nothing}, SOON);
    note(&got, gate.tester);
    return 0;
}

static cop_step
wait_for_children(cop_from from, const struct request *request)
{
    struct copi_process *self;
    cop_pid parent = cop_self();
    (void)from, (void)request;
    ck_assert_int_eq(copi_enter(&self), 0);
    copi_cycle_begin_children(self);
    cop_spawn(NULL, ask_and_note, .arg = COP_BYTES(parent), .link = true, .name = "child");
    waits_for_all = true;
    EVENTUALLY(has_waited);
    copi_cycle_end(self);
    return cop_ok();
}

static cop_pid
start_waiting_for_children(void)
{
    gate.tester = cop_self();
    cop_pid a = start_server("a");
    tell(a, &(struct request){.deed = wait_for_children});
    EVENTUALLY(waits_for_all);
    return a;
}

TEST(a_child_of_one_that_waits_for_all_of_them_is_refused)
{
    start_waiting_for_children();
    struct answer got = noted();
    assert_refused(&got, "child -> a -> child");
    has_waited = true;
}

TEST(a_stranger_is_not_refused_by_one_that_waits_for_its_children)
{
    cop_pid stranger, a = start_waiting_for_children();
    noted(); /* its child's */
    ck_assert_int_eq(cop_spawn(&stranger, ask_and_note, .arg = COP_BYTES(a)), 0);
    EVENTUALLY(waits_for(stranger, a));
    has_waited = true;
    ck_assert_int_eq(noted().code, 0);
}

/* ---------------------------------------------------------------- starts that go on */

static cop_step
init_goes_on(void *state, cop_bytes arg)
{
    (void)state;
    struct request request = {.deed = call_and_note, .path = {*(const cop_pid *)arg.data}};
    return cop_ok_continue(COP_MSG_OF(DO, request));
}

static const cop_genserver calls_when_it_is_up = {
    .type = "child",
    .init = init_goes_on,
    .handle_continue = on_message,
};

static cop_step
start_child_that_goes_on(cop_from from, const struct request *request)
{
    (void)request;
    cop_pid self = cop_self();
    struct answer got = {0};
    got.code = cop_genserver_start(NULL, &calls_when_it_is_up, .arg = COP_BYTES(self));
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

TEST(once_it_is_up_a_server_may_call_its_starter)
{
    cop_pid a = start_server("a");
    gate.tester = cop_self();
    for (int i = 0; i < 200; i++) {
        struct answer got = ask(a, &(struct request){.deed = start_child_that_goes_on}, SOON);
        ck_assert_int_eq(got.code, 0);
        ck_assert_int_eq(noted().code, 0);
    }
}

/* ---------------------------------------------------------------- stops */

static cop_step
stop_first_of_path(cop_from from, const struct request *request)
{
    struct answer got = {0};
    got.code = cop_stop_process(request->path[0], COP_REASON_NORMAL, SOON);
    got.why = cop_why();
    return cop_reply(from, COP_MSG_OF(ANSWER, got));
}

TEST(a_server_that_stops_itself_by_waiting_is_refused)
{
    cop_pid a = start_server("a");
    struct answer got = ask(a, &(struct request){.deed = stop_first_of_path, .path = {a}}, SOON);
    ck_assert_int_eq(got.code, -EDEADLK);
    ck_assert(cop_alive(a));
}

TEST(who_waits_for_the_stopper_cannot_be_stopped_by_it)
{
    cop_pid a = start_server("a"), b = start_server("b");
    deed_of_the_other = stop_first_of_path;
    struct answer got = ask(b, &(struct request){.deed = fill_up_and_call, .path = {a}}, SOON);
    assert_refused(&got, "a -> b -> a");
    ck_assert(cop_alive(b));
}

static cop_pid whom_terminate_calls;

static void
terminate_calls(void *state, cop_reason reason)
{
    (void)state;
    (void)reason;
    struct answer got = ask(whom_terminate_calls, &(struct request){.deed = reply_nothing}, SOON);
    note(&got, gate.tester);
}

static const cop_genserver calls_at_its_end = {.type = "last", .terminate = terminate_calls};

TEST(a_terminate_that_calls_the_stopper_is_refused_and_the_stop_goes_on)
{
    cop_pid a = start_server("a"), last;
    gate.tester = cop_self();
    whom_terminate_calls = a;
    ck_assert_int_eq(cop_genserver_start(&last, &calls_at_its_end, .name = "last"), 0);
    struct answer got = ask(a, &(struct request){.deed = stop_first_of_path, .path = {last}}, SOON);
    ck_assert_int_eq(got.code, 0);
    got = noted();
    assert_refused(&got, "last -> a -> last");
    ck_assert(!cop_alive(last));
}

/* ---------------------------------------------------------------- nothing else is refused */

enum {
    SERVERS = 15, /* a tree: i's children are 2i + 1 and 2i + 2 */
    CLIENTS = 5,
    CALLS = 2000,
};
static cop_pid tree[SERVERS];

static uint32_t
next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

/* A way down from somewhere, as long as chance has it. */
static cop_pid
random_path(uint32_t *random, struct request *request)
{
    unsigned top = next_random(random) % SERVERS, at = top;
    *request = (struct request){.deed = relay};
    for (unsigned i = 0; i < LONGEST_PATH - 1 && next_random(random) % 8 != 0; i++) {
        at = 2 * at + 1 + next_random(random) % 2;
        if (at >= SERVERS) {
            break;
        }
        request->path[i] = tree[at];
    }
    return tree[top];
}

static int
call_downwards(cop_bytes arg)
{
    uint32_t random = *(const uint32_t *)arg.data;
    struct answer worst = {0};
    for (int i = 0; i < CALLS; i++) {
        struct request request;
        cop_pid top = random_path(&random, &request);
        struct answer got = ask(top, &request, SOON);
        worst = got.code ? got : worst;
    }
    note(&worst, gate.tester);
    return 0;
}

TEST(servers_that_only_call_downwards_are_never_refused)
{
    gate.tester = cop_self();
    for (int i = 0; i < SERVERS; i++) {
        tree[i] = start_server(NULL);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(cop_spawn(NULL, call_downwards, .arg = COP_BYTES(i)), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct answer worst = noted();
        ck_assert_msg(worst.code == 0, "%d: %s", worst.code, worst.why.text);
    }
}

SUITE("cycle")
