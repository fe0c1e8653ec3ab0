/*
 * tests/runtime/test_request.c - requests and their answers: every request has an outcome.
 *
 * Room: tests/. There is one server; each request brings a deed, a function that the server runs in
 * the callback that got it, so that a test shows what its server does next to what it expects.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "runtime/wait.h"
#include "tests/runtime/no_timers.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <pthread.h>
#include <unistd.h>

enum {
    DO = 1,
    GO,
    RESULT,
};

struct request;
typedef cop_step (*deed)(cop_from from, const struct request *request);
struct request {
    deed deed;
    uint64_t number;
};

struct result {
    int code;
    cop_reason why;
    uint64_t answer;
};

/* ---------------------------------------------------------------- the server */

static cop_step
on_call(void *state, cop_from from, cop_msg msg)
{
    (void)state;
    struct request request;
    ck_assert_uint_ge(msg.body.size, sizeof request);
    memcpy(&request, msg.body.data, sizeof request);
    return request.deed(from, &request);
}

/* A request that is not a call does its deed for nobody. */
static cop_step
on_info(void *state, cop_msg msg)
{
    return msg.tag == DO ? on_call(state, (cop_from){0}, msg) : cop_ok();
}

static const cop_genserver server = {
    .type = "server",
    .handle_call = on_call,
    .handle_cast = on_info,
    .handle_info = on_info,
};

static cop_pid
start_server(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
    return pid;
}

static int
ask(cop_pid pid, deed what, uint64_t number, uint64_t *answer, cop_time timeout)
{
    return cop_call(pid, COP_MSG(DO, struct request, what, number), answer, sizeof *answer,
                    timeout);
}

static void
tell(cop_pid pid, deed what)
{
    ck_assert_int_eq(cop_send(pid, COP_MSG(DO, struct request, what, 0)), 0);
}

/* ---------------------------------------------------------------- deeds */

static cop_step
echo(cop_from from, const struct request *request)
{
    return cop_reply(from, COP_MSG_OF(RESULT, request->number));
}

static _Atomic bool is_busy, may_go_on;

/* In its callback until may_go_on; other requests wait in the mailbox meanwhile. */
static cop_step
be_busy(cop_from from, const struct request *request)
{
    (void)from;
    (void)request;
    atomic_store(&is_busy, true);
    while (!atomic_load(&may_go_on)) {
        cop_sleep(COP_US(100));
    }
    return cop_ok();
}

enum {
    CALLERS = 1000
};
static struct {
    cop_from from[CALLERS];
    uint64_t number[CALLERS];
    _Atomic unsigned count;
} deferred;

static cop_step
defer(cop_from from, const struct request *request)
{
    unsigned at = atomic_load(&deferred.count);
    ck_assert_uint_lt(at, CALLERS);
    deferred.from[at] = from;
    deferred.number[at] = request->number;
    atomic_store(&deferred.count, at + 1);
    return cop_ok();
}

static cop_step
answer_deferred(cop_from from, const struct request *request)
{
    (void)request;
    unsigned count = atomic_load(&deferred.count);
    for (unsigned i = 0; i < count; i++) {
        cop_reply(deferred.from[i], COP_MSG_OF(RESULT, deferred.number[i]));
    }
    atomic_store(&deferred.count, 0);
    return from.pid.id ? cop_reply(from, COP_MSG(RESULT, uint64_t, count)) : cop_ok();
}

/* How many requests the server still owes an answer: of its own record, so on its own thread. */
static cop_step
count_debts(cop_from from, const struct request *request)
{
    (void)request;
    struct copi_process *self = copi_table_find(cop_self());
    uint64_t count = 0;
    for (struct copi_message *m = self->deferred_requests.first; m; m = m->next) {
        count++;
    }
    return cop_reply(from, COP_MSG_OF(RESULT, count));
}

static uint64_t
debts(cop_pid pid)
{
    uint64_t count = UINT64_MAX;
    ck_assert_int_eq(ask(pid, count_debts, 0, &count, SOON), 0);
    return count;
}

static cop_step
crash(cop_from from, const struct request *request)
{
    (void)from;
    (void)request;
    cop_exit(cop_failed(-EXDEV, "dropped it"));
}

static cop_step
stop_without_an_answer(cop_from from, const struct request *request)
{
    (void)from;
    (void)request;
    return cop_stop((cop_reason){.kind = COP_SHUTDOWN, .text = "closing time"});
}

/* ---------------------------------------------------------------- callers */

struct caller {
    cop_pid starter, server;
    deed deed;
    uint64_t number;
    cop_time timeout;
};

static int
call_once(cop_bytes arg)
{
    const struct caller *caller = arg.data;
    struct result result = {0};
    result.code =
        ask(caller->server, caller->deed, caller->number, &result.answer, caller->timeout);
    result.why = cop_why();
    cop_send(caller->starter, COP_MSG_OF(RESULT, result));
    return 0;
}

static cop_pid
start_caller(cop_pid to, deed what, uint64_t number, cop_time timeout, cop_context *context)
{
    struct caller caller = {cop_self(), to, what, number, timeout};
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, call_once, .arg = COP_BYTES(caller), .context = context), 0);
    return pid;
}

static struct result
result(void)
{
    cop_msg msg = test_receive(RESULT);
    return *COP_BODY(msg, struct result);
}

static bool
waits_for(cop_pid who, cop_pid other)
{
    cop_process_info info;
    return cop_inspect(who, &info) == 0 && cop_pid_eq(info.waits_for, other);
}

static size_t
mailbox_of(cop_pid pid)
{
    cop_process_info info = {.mailbox = 0};
    cop_inspect(pid, &info);
    return info.mailbox;
}

static int
wait_for_end(cop_bytes arg)
{
    (void)arg;
    return cop_sleep(COP_FOREVER);
}

static atomic_uint drops;

static void
count_drop(void *body)
{
    atomic_fetch_add(&drops, 1);
    free(body);
}

/* A request whose body is moved. */
static cop_msg
moved(deed what, size_t size)
{
    struct request *request = calloc(1, size);
    ck_assert_ptr_nonnull(request);
    request->deed = what;
    request->number = size;
    return COP_MSG_MOVE(DO, request, size, count_drop);
}

/* ---------------------------------------------------------------- nobody takes it */

TEST(a_request_to_nobody_is_refused)
{
    uint64_t answer = 42;
    ck_assert_int_eq(ask(COP_NOBODY, echo, 1, &answer, COP_FOREVER), -ESRCH);
    ck_assert_int_eq(ask(test_start_dead(), echo, 1, &answer, COP_FOREVER), -ESRCH);
    ck_assert_int_eq(ask(cop_named("nobody"), echo, 1, &answer, COP_FOREVER), -ESRCH);
    ck_assert_int_eq(cop_why().code, -ESRCH);
    ck_assert_uint_eq(answer, 42);
}

TEST(a_request_to_what_is_no_server_is_refused)
{
    uint64_t answer = 42;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_end, .link = false), 0);
    ck_assert_int_eq(ask(pid, echo, 1, &answer, COP_FOREVER), -EOPNOTSUPP);
    ck_assert_int_eq(cop_why().code, -EOPNOTSUPP);
    ck_assert_uint_eq(answer, 42);
    cop_exit_signal(pid, COP_REASON_KILLED);
}

TEST(a_request_with_a_reserved_tag_or_bytes_without_data_is_refused)
{
    cop_pid pid = start_server();
    cop_msg no_data = {.tag = DO, .body = {NULL, 8}};
    ck_assert_int_eq(cop_call(pid, COP_TAG(COP_MSG_RESERVED), NULL, 0, COP_FOREVER), -EINVAL);
    ck_assert_int_eq(cop_call(pid, COP_TAG(UINT32_MAX), NULL, 0, COP_FOREVER), -EINVAL);
    ck_assert_int_eq(cop_call(pid, no_data, NULL, 0, COP_FOREVER), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
}

TEST(a_request_that_was_queued_when_its_server_ended_was_not_begun)
{
    cop_pid pid = start_server();
    tell(pid, be_busy);
    EVENTUALLY(atomic_load(&is_busy));
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    EVENTUALLY(mailbox_of(pid) == 1);
    cop_exit_signal(pid, cop_failed(-EXDEV, NULL));
    ck_assert_int_eq(result().code, -ESRCH);
}

/* ---------------------------------------------------------------- it ends with it in its hands */

TEST(a_request_in_hand_when_its_server_crashes_is_told_the_servers_reason)
{
    uint64_t answer = 42;
    ck_assert_int_eq(ask(start_server(), crash, 1, &answer, COP_FOREVER), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EXDEV);
    ck_assert_str_eq(cop_why().text, "dropped it");
    ck_assert_uint_eq(answer, 42);
}

TEST(a_request_in_hand_when_its_server_stops_is_told_the_servers_reason)
{
    uint64_t answer;
    ck_assert_int_eq(ask(start_server(), stop_without_an_answer, 1, &answer, COP_FOREVER), -EPIPE);
    ck_assert_int_eq(cop_why().kind, COP_SHUTDOWN);
    ck_assert_str_eq(cop_why().text, "closing time");
}

TEST(a_request_in_hand_when_its_server_is_killed_is_told_so)
{
    cop_pid pid = start_server();
    start_caller(pid, be_busy, 1, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&is_busy));
    cop_exit_signal(pid, COP_REASON_KILLED);
    struct result got = result();
    ck_assert_int_eq(got.code, -EPIPE);
    ck_assert_int_eq(got.why.kind, COP_KILLED);
}

TEST(a_deferred_request_is_told_the_servers_reason_when_it_ends)
{
    cop_pid pid = start_server();
    for (uint64_t i = 0; i < 3; i++) {
        start_caller(pid, defer, i, COP_FOREVER, NULL);
    }
    EVENTUALLY(atomic_load(&deferred.count) == 3);
    tell(pid, crash);
    for (int i = 0; i < 3; i++) {
        struct result got = result();
        ck_assert_int_eq(got.code, -EPIPE);
        ck_assert_int_eq(got.why.code, -EXDEV);
        ck_assert_str_eq(got.why.text, "dropped it");
    }
}

static cop_step
answer_and_crash(cop_from from, const struct request *request)
{
    echo(from, request);
    return crash(from, request);
}

TEST(an_answer_that_was_given_counts_although_the_server_crashes_at_once)
{
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t answer = 0;
        ck_assert_int_eq(ask(start_server(), answer_and_crash, i, &answer, COP_FOREVER), 0);
        ck_assert_uint_eq(answer, i);
    }
}

TEST(every_request_has_an_outcome_when_the_server_is_killed_among_them)
{
    enum {
        ROUNDS = 50,
        EACH = 8
    };
    for (int i = 0; i < ROUNDS; i++) {
        cop_pid pid = start_server();
        for (uint64_t j = 0; j < EACH; j++) {
            atomic_store(&deferred.count, 0);
            start_caller(pid, j % 3 ? echo : defer, j, COP_FOREVER, NULL);
        }
        cop_exit_signal(pid, cop_failed(-EXDEV, NULL));
        for (int j = 0; j < EACH; j++) {
            int code = result().code;
            ck_assert(code == 0 || code == -ESRCH || code == -EPIPE);
        }
    }
}

/* ---------------------------------------------------------------- the caller gives up */

TEST(a_call_gives_up_at_its_deadline_and_not_before)
{
    cop_pid pid = start_server();
    uint64_t answer = 42;
    cop_time begin = cop_now();
    ck_assert_int_eq(ask(pid, defer, 1, &answer, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begin, COP_MS(20));
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    ck_assert_uint_eq(answer, 42);
}

TEST(a_call_gives_up_at_the_contexts_deadline)
{
    cop_pid pid = start_server();
    uint64_t answer;
    cop_time begin = cop_now();
    cop_context *context = cop_context_new(COP_MS(10));
    ck_assert_int_eq(cop_context_enter(context), 0);
    ck_assert_int_eq(ask(pid, defer, 1, &answer, COP_FOREVER), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begin, COP_MS(10));
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
    ck_assert_uint_eq(debts(pid), 0);
}

TEST(in_a_cancelled_context_nothing_is_sent)
{
    cop_pid pid = start_server();
    uint64_t answer;
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_cancel(context, cop_failed(-EDOM, "no more"));
    ck_assert_int_eq(cop_context_enter(context), 0);
    ck_assert_int_eq(ask(pid, defer, 1, &answer, COP_FOREVER), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "no more");
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
    ck_assert_uint_eq(debts(pid), 0);
    ck_assert_uint_eq(atomic_load(&deferred.count), 0);
}

TEST(a_call_ends_when_its_context_is_cancelled_and_the_server_forgets_it)
{
    cop_pid pid = start_server();
    cop_context *context = cop_context_new(COP_FOREVER);
    start_caller(pid, defer, 1, COP_FOREVER, context);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    cop_context_cancel(context, cop_failed(-EDOM, NULL));
    struct result got = result();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq(got.why.code, -EDOM);
    cop_context_free(context);
    ck_assert_uint_eq(debts(pid), 0);
}

TEST(a_call_ends_when_its_caller_is_asked_to_stop_and_the_server_forgets_it)
{
    cop_pid pid = start_server();
    cop_pid caller = start_caller(pid, defer, 1, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    cop_exit_signal(caller, COP_REASON_SHUTDOWN);
    struct result got = result();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq(got.why.kind, COP_SHUTDOWN);
    ck_assert_uint_eq(debts(pid), 0);
}

TEST(a_caller_that_times_out_is_forgotten_by_the_server)
{
    cop_pid pid = start_server();
    uint64_t answer;
    for (uint64_t i = 0; i < 10; i++) {
        ck_assert_int_eq(ask(pid, defer, i, &answer, COP_MS(1)), -ETIMEDOUT);
    }
    EVENTUALLY(atomic_load(&deferred.count) == 10);
    ck_assert_uint_eq(debts(pid), 0);
    ck_assert_int_eq(ask(pid, answer_deferred, 0, &answer, SOON), 0); /* for nobody now */
    ck_assert_int_eq(ask(pid, echo, 7, &answer, SOON), 0);
    ck_assert_uint_eq(answer, 7);
}

TEST(a_caller_that_times_out_before_its_callback_ends_leaves_no_debt)
{
    cop_pid pid = start_server();
    uint64_t answer;
    ck_assert_int_eq(ask(pid, be_busy, 1, &answer, COP_MS(1)), -ETIMEDOUT);
    EVENTUALLY(atomic_load(&is_busy));
    ck_assert_int_eq(ask(pid, defer, 1, &answer, COP_MS(1)), -ETIMEDOUT); /* still queued */
    atomic_store(&may_go_on, true);
    ck_assert_uint_eq(debts(pid), 0);
}

TEST(a_caller_that_dies_is_forgotten_by_the_server)
{
    cop_pid pid = start_server();
    cop_pid caller = start_caller(pid, defer, 1, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    cop_exit_signal(caller, COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(caller));
    ck_assert_uint_eq(debts(pid), 0);
    uint64_t answer;
    ck_assert_int_eq(ask(pid, answer_deferred, 0, &answer, SOON), 0); /* to the dead: nothing */
}

TEST(a_caller_that_dies_before_its_callback_ends_leaves_no_debt)
{
    cop_pid pid = start_server();
    cop_pid caller = start_caller(pid, be_busy, 1, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&is_busy));
    cop_pid queued = start_caller(pid, defer, 1, COP_FOREVER, NULL);
    EVENTUALLY(waits_for(queued, pid));
    cop_exit_signal(caller, COP_REASON_KILLED);
    cop_exit_signal(queued, COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(caller) && !cop_alive(queued));
    atomic_store(&may_go_on, true);
    ck_assert_uint_eq(debts(pid), 0);
}

/* ---------------------------------------------------------------- late and double answers */

TEST(a_late_answer_is_never_seen)
{
    cop_pid pid = start_server();
    uint64_t answer;
    cop_msg msg;
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert_int_eq(ask(pid, defer, 1000 + i, &answer, COP_US(1)), -ETIMEDOUT);
        EVENTUALLY(atomic_load(&deferred.count) == 1);
        ck_assert_int_eq(ask(pid, answer_deferred, 0, &answer, SOON), 0);
        ck_assert_uint_eq(answer, 1);
        ck_assert_int_eq(ask(pid, echo, i, &answer, SOON), 0);
        ck_assert_uint_eq(answer, i);
    }
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

/* The answer is on its way at the moment the caller gives up: it gets this answer or none. */
TEST(an_answer_that_races_with_the_end_of_the_wait_is_this_calls_or_nobodys)
{
    enum {
        ROUNDS = 3000
    };
    cop_pid pid = start_server();
    uint64_t answer = 0;
    cop_msg msg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        int r = ask(pid, echo, i, &answer, COP_US(i % 40));
        ck_assert(r == 0 || r == -ETIMEDOUT);
        if (r == 0) {
            ck_assert_uint_eq(answer, i);
        }
    }
    ck_assert_uint_eq(debts(pid), 0);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

static cop_step
answer_twice(cop_from from, const struct request *request)
{
    echo(from, request);
    return cop_reply(from, COP_MSG(RESULT, uint64_t, 666));
}

TEST(a_second_answer_is_dropped)
{
    cop_pid pid = start_server();
    cop_msg msg;
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t answer = 0;
        ck_assert_int_eq(ask(pid, answer_twice, i, &answer, SOON), 0);
        ck_assert_uint_eq(answer, i);
    }
    ck_assert_int_eq(cop_receive(&msg, COP_MS(1)), -ETIMEDOUT);
}

static cop_step
answer_the_first_again(cop_from from, const struct request *request)
{
    cop_reply(deferred.from[0], COP_MSG(RESULT, uint64_t, 666));
    return echo(from, request);
}

TEST(a_second_answer_to_a_deferred_request_is_dropped)
{
    cop_pid pid = start_server();
    uint64_t answer;
    start_caller(pid, defer, 5, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    ck_assert_int_eq(ask(pid, answer_deferred, 0, &answer, SOON), 0);
    ck_assert_uint_eq(result().answer, 5);
    ck_assert_int_eq(ask(pid, answer_the_first_again, 6, &answer, SOON), 0);
    ck_assert_uint_eq(answer, 6);
    ck_assert_uint_eq(debts(pid), 0);
}

/* ---------------------------------------------------------------- answered by another process */

struct errand {
    cop_from from;
    uint64_t number;
};

static int
answer_for_another(cop_bytes arg)
{
    const struct errand *errand = arg.data;
    cop_reply(errand->from, COP_MSG_OF(RESULT, errand->number));
    cop_reply(errand->from, COP_MSG(RESULT, uint64_t, 666)); /* one too many */
    return 0;
}

static cop_step
let_another_answer(cop_from from, const struct request *request)
{
    struct errand errand = {from, request->number};
    ck_assert_int_eq(cop_spawn(NULL, answer_for_another, .arg = COP_BYTES(errand)), 0);
    return cop_ok();
}

static cop_step
let_another_answer_and_wait(cop_from from, const struct request *request)
{
    cop_pid pid;
    cop_ref monitor;
    struct errand errand = {from, request->number};
    ck_assert_int_eq(
        cop_spawn(&pid, answer_for_another, .arg = COP_BYTES(errand), .monitor = &monitor), 0);
    EVENTUALLY(!cop_alive(pid));
    cop_demonitor(monitor);
    return cop_ok();
}

TEST(another_process_may_answer_and_the_server_strikes_the_request_off)
{
    cop_pid pid = start_server();
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t answer = 0;
        ck_assert_int_eq(ask(pid, let_another_answer, i, &answer, SOON), 0);
        ck_assert_uint_eq(answer, i);
    }
    EVENTUALLY(debts(pid) == 0);
}

TEST(another_process_may_answer_while_the_callback_runs)
{
    cop_pid pid = start_server();
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t answer = 0;
        ck_assert_int_eq(ask(pid, let_another_answer_and_wait, i, &answer, SOON), 0);
        ck_assert_uint_eq(answer, i);
    }
    EVENTUALLY(debts(pid) == 0);
}

TEST(an_answer_by_another_process_counts_although_the_server_is_gone)
{
    cop_pid pid = start_server();
    start_caller(pid, defer, 9, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    cop_reply(deferred.from[0], COP_MSG(RESULT, uint64_t, 9)); /* we are the other process */
    cop_exit_signal(pid, COP_REASON_KILLED);
    struct result got = result();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.answer, 9);
}

static void *
answer_as_a_thread(void *arg)
{
    const struct errand *errand = arg;
    cop_reply(errand->from, COP_MSG_OF(RESULT, errand->number));
    return NULL;
}

TEST(a_thread_of_the_application_may_answer)
{
    cop_pid pid = start_server();
    start_caller(pid, defer, 9, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    struct errand errand = {deferred.from[0], 9};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_as_a_thread, &errand), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(result().answer, 9);
    EVENTUALLY(debts(pid) == 0);
}

/* ---------------------------------------------------------------- many deferred */

static unsigned order[CALLERS];

static void
make_order(int which)
{
    uint32_t random = 12345;
    for (unsigned i = 0; i < CALLERS; i++) {
        order[i] = which == 1 ? CALLERS - 1 - i : i;
    }
    for (unsigned i = CALLERS - 1; which == 2 && i > 0; i--) {
        random = random * 1664525 + 1013904223;
        unsigned j = (random >> 8) % (i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static cop_step
answer_in_order(cop_from from, const struct request *request)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        cop_reply(deferred.from[order[i]], COP_MSG_OF(RESULT, deferred.number[order[i]]));
    }
    atomic_store(&deferred.count, 0);
    return echo(from, request);
}

/* In order, in reverse, at random. */
TEST_TIMES(3, a_thousand_deferred_requests_are_each_answered_with_their_own)
{
    static bool seen[CALLERS];
    cop_pid pid = start_server();
    uint64_t answer;
    make_order(_i);
    for (uint64_t i = 0; i < CALLERS; i++) {
        start_caller(pid, defer, i, COP_FOREVER, NULL);
    }
    EVENTUALLY(atomic_load(&deferred.count) == CALLERS);
    ck_assert_uint_eq(debts(pid), CALLERS);
    ck_assert_int_eq(ask(pid, answer_in_order, 0, &answer, SOON), 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        struct result got = result();
        ck_assert_int_eq(got.code, 0);
        ck_assert_uint_lt(got.answer, CALLERS);
        ck_assert(!seen[got.answer]);
        seen[got.answer] = true;
    }
    ck_assert_uint_eq(debts(pid), 0);

    start_caller(pid, defer, 7, COP_FOREVER, NULL); /* and it goes on deferring */
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    ck_assert_int_eq(ask(pid, answer_deferred, 0, &answer, SOON), 0);
    ck_assert_uint_eq(result().answer, 7);
}

/* ---------------------------------------------------------------- sizes */

/* So many bytes, all told by the size. */
static cop_step
answer_with_bytes(cop_from from, const struct request *request)
{
    size_t size = request->number;
    unsigned char *bytes = malloc(size + 1);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 7 + size);
    }
    cop_reply(from, (cop_msg){.tag = RESULT, .body = {bytes, size}});
    free(bytes);
    return cop_ok();
}

static void
check_bytes(const unsigned char *bytes, size_t size)
{
    size_t right = 0; /* an assertion for each byte would take seconds */
    while (right < size && bytes[right] == (unsigned char)(right * 7 + size)) {
        right++;
    }
    ck_assert_uint_eq(right, size);
}

static const size_t sizes[] = {0,    1,    7,     8,     23,    24,     25,     63,
                               64,   65,   87,    88,    89,    128,    343,    344,
                               345,  384,  983,   984,   985,   1024,   1025,   4095,
                               4096, 4097, 65535, 65536, 65537, 100000, 1 << 20};

TEST(answers_of_every_size_arrive_whole)
{
    static unsigned char out[(1 << 20) + 1];
    cop_pid pid = start_server();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct request request = {answer_with_bytes, sizes[i]};
        out[sizes[i]] = 0xa5;
        ck_assert_int_eq(
            cop_call(pid, COP_MSG_OF(DO, request), sizes[i] ? out : NULL, sizes[i], SOON), 0);
        check_bytes(out, sizes[i]);
        ck_assert_uint_eq(out[sizes[i]], 0xa5); /* exactly the answer's bytes */
    }
}

TEST(answers_of_any_size_are_the_callers_until_released)
{
    cop_pid pid = start_server();
    cop_msg kept[sizeof sizes / sizeof *sizes];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct request request = {answer_with_bytes, sizes[i]};
        ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, request), &kept[i], SOON), 0);
        ck_assert_uint_eq(kept[i].tag, RESULT);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_uint_eq(kept[i].body.size, sizes[i]);
        check_bytes(kept[i].body.data, sizes[i]);
        cop_msg_release(&kept[i]);
        ck_assert_ptr_null(kept[i].body.data);
        cop_msg_release(&kept[i]); /* twice is safe */
    }
}

TEST(requests_of_every_size_arrive)
{
    cop_pid pid = start_server();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i] < sizeof(struct request) ? sizeof(struct request) : sizes[i];
        uint64_t answer = 0;
        cop_msg copied = moved(echo, size);
        void *body = (void *)(uintptr_t)copied.body.data;
        copied.drop = NULL;
        ck_assert_int_eq(cop_call(pid, copied, COP_OUT(answer), SOON), 0);
        ck_assert_uint_eq(answer, size);
        free(body);
    }
}

TEST(an_answer_of_another_size_is_an_error_and_nothing_is_written)
{
    unsigned char out[64];
    cop_pid pid = start_server();
    for (size_t i = 0; i < 60; i++) {
        struct request request = {answer_with_bytes, i};
        memset(out, 0xa5, sizeof out);
        ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, request), out, i + 1, SOON), -EMSGSIZE);
        ck_assert_int_eq(cop_why().code, -EMSGSIZE);
        if (i > 0) {
            ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, request), out, i - 1, SOON), -EMSGSIZE);
            ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, request), NULL, 0, SOON), -EMSGSIZE);
        }
        for (size_t j = 0; j < sizeof out; j++) {
            ck_assert_uint_eq(out[j], 0xa5);
        }
    }
}

/* ---------------------------------------------------------------- moved bodies */

TEST(a_moved_request_is_taken_on_every_outcome)
{
    enum {
        SIZE = 64
    };
    unsigned expected = 0;
    uint64_t answer;
    cop_pid pid = start_server(), plain;
    ck_assert_int_eq(cop_spawn(&plain, wait_for_end, .link = false), 0);

    ck_assert_int_eq(cop_call(test_start_dead(), moved(echo, SIZE), COP_OUT(answer), SOON), -ESRCH);
    ck_assert_uint_eq(atomic_load(&drops), ++expected);
    ck_assert_int_eq(cop_call(plain, moved(echo, SIZE), COP_OUT(answer), SOON), -EOPNOTSUPP);
    ck_assert_uint_eq(atomic_load(&drops), ++expected);
    cop_msg reserved = moved(echo, SIZE);
    reserved.tag = COP_MSG_DOWN;
    ck_assert_int_eq(cop_call(pid, reserved, COP_OUT(answer), SOON), -EINVAL);
    ck_assert_uint_eq(atomic_load(&drops), ++expected);
    ck_assert_int_eq(cop_call(pid, moved(echo, SIZE), COP_OUT(answer), SOON), 0);
    expected++;
    EVENTUALLY(atomic_load(&drops) == expected); /* when the callback has returned */
    ck_assert_int_eq(cop_call(pid, moved(defer, SIZE), COP_OUT(answer), COP_MS(1)), -ETIMEDOUT);
    expected++;
    EVENTUALLY(atomic_load(&drops) == expected);
    ck_assert_int_eq(cop_call(pid, moved(crash, SIZE), COP_OUT(answer), SOON), -EPIPE);
    expected++;
    EVENTUALLY(atomic_load(&drops) == expected);
    cop_exit_signal(plain, COP_REASON_KILLED);
}

static cop_step
answer_with_a_moved_body(cop_from from, const struct request *request)
{
    uint64_t *number = malloc(sizeof *number);
    ck_assert_ptr_nonnull(number);
    *number = request->number;
    return cop_reply(from, COP_MSG_MOVE(RESULT, number, sizeof *number, count_drop));
}

static cop_step
answer_late_with_a_moved_body(cop_from from, const struct request *request)
{
    be_busy(from, request);
    return answer_with_a_moved_body(from, request);
}

TEST(a_moved_answer_is_dropped_once_whether_it_is_copied_out_or_too_large_or_late)
{
    cop_pid pid = start_server();
    uint64_t answer;
    uint32_t small;
    ck_assert_int_eq(ask(pid, answer_with_a_moved_body, 7, &answer, SOON), 0);
    ck_assert_uint_eq(answer, 7);
    ck_assert_uint_eq(atomic_load(&drops), 1);
    struct request request = {answer_with_a_moved_body, 8};
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, request), COP_OUT(small), SOON), -EMSGSIZE);
    ck_assert_uint_eq(atomic_load(&drops), 2);
    ck_assert_int_eq(ask(pid, answer_late_with_a_moved_body, 9, &answer, COP_MS(1)), -ETIMEDOUT);
    atomic_store(&may_go_on, true);
    ck_assert_int_eq(ask(pid, echo, 1, &answer, SOON), 0);
    EVENTUALLY(atomic_load(&drops) == 3);
}

TEST(a_moved_answer_of_any_size_is_the_callers_to_keep)
{
    cop_pid pid = start_server();
    struct request request = {answer_with_a_moved_body, 7};
    cop_msg reply;
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, request), &reply, SOON), 0);
    uint64_t *kept = cop_msg_take(&reply);
    ck_assert_ptr_nonnull(kept);
    cop_msg_release(&reply);
    ck_assert_uint_eq(atomic_load(&drops), 0);
    ck_assert_uint_eq(*kept, 7);
    count_drop(kept);
}

TEST(an_answer_that_was_copied_cannot_be_taken_small_or_large)
{
    cop_pid pid = start_server();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct request request = {answer_with_bytes, sizes[i]};
        cop_msg reply;
        ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, request), &reply, SOON), 0);
        ck_assert_ptr_null(cop_msg_take(&reply));
        ck_assert_uint_eq(reply.body.size, sizes[i]); /* as it was */
        check_bytes(reply.body.data, sizes[i]);
        cop_msg_release(&reply);
    }
}

/* ---------------------------------------------------------------- bounds */

static cop_pid
start_bounded(cop_when_full when_full)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .mailbox = {1, when_full}), 0);
    tell(pid, be_busy);
    EVENTUALLY(atomic_load(&is_busy));
    return pid;
}

static const cop_when_full refusing[] = {COP_FULL_REJECT, COP_FULL_DROP_NEW};

TEST_TIMES(2, a_request_to_a_full_mailbox_that_does_not_block_is_told_so)
{
    uint64_t answer;
    cop_pid pid = start_bounded(refusing[_i]);
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    EVENTUALLY(mailbox_of(pid) == 1);
    ck_assert_int_eq(ask(pid, echo, 2, &answer, COP_FOREVER), -EAGAIN);
    ck_assert_int_eq(cop_why().code, -EAGAIN);
    atomic_store(&may_go_on, true);
    struct result got = result();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.answer, 1);
    ck_assert_int_eq(ask(pid, echo, 2, &answer, COP_FOREVER), 0); /* there is room again */
}

TEST(a_request_that_is_evicted_is_told_so)
{
    cop_pid pid = start_bounded(COP_FULL_DROP_OLD);
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    /* It looks at its mailbox between sleeps, so the first may have been taken in, or not. */
    EVENTUALLY(mailbox_of(pid) == 1);
    start_caller(pid, echo, 2, COP_FOREVER, NULL);
    struct result first = result();
    ck_assert_int_eq(first.code, -EAGAIN);
    atomic_store(&may_go_on, true);
    struct result second = result();
    ck_assert_int_eq(second.code, 0);
    ck_assert_uint_eq(second.answer, 2);
}

TEST(a_request_waits_for_room_where_senders_wait)
{
    cop_pid pid = start_bounded(COP_FULL_BLOCK);
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    EVENTUALLY(mailbox_of(pid) == 1);
    cop_pid blocked = start_caller(pid, echo, 2, COP_FOREVER, NULL);
    EVENTUALLY(waits_for(blocked, pid));
    ck_assert_uint_eq(mailbox_of(pid), 1);
    atomic_store(&may_go_on, true);
    uint64_t sum = 0;
    for (int i = 0; i < 2; i++) {
        struct result got = result();
        ck_assert_int_eq(got.code, 0);
        sum += got.answer;
    }
    ck_assert_uint_eq(sum, 3);
}

TEST(a_request_that_waits_for_room_gives_up_at_its_deadline_and_not_before)
{
    cop_pid pid = start_bounded(COP_FULL_BLOCK);
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    EVENTUALLY(mailbox_of(pid) == 1);
    cop_time begin = cop_now();
    start_caller(pid, echo, 2, COP_MS(10), NULL);
    ck_assert_int_eq(result().code, -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begin, COP_MS(10));
    atomic_store(&may_go_on, true);
    ck_assert_uint_eq(result().answer, 1); /* and the second was never sent */
    ck_assert_uint_eq(debts(pid), 0);
}

TEST(a_request_that_waits_for_room_ends_when_its_context_is_cancelled)
{
    cop_pid pid = start_bounded(COP_FULL_BLOCK);
    cop_context *context = cop_context_new(COP_FOREVER);
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    EVENTUALLY(mailbox_of(pid) == 1);
    cop_pid blocked = start_caller(pid, echo, 2, COP_FOREVER, context);
    EVENTUALLY(waits_for(blocked, pid));
    cop_context_cancel(context, cop_failed(-EDOM, NULL));
    struct result got = result();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq(got.why.code, -EDOM);
    atomic_store(&may_go_on, true);
    ck_assert_uint_eq(result().answer, 1);
    cop_context_free(context);
}

TEST(a_request_that_waits_for_room_is_refused_when_the_server_ends)
{
    cop_pid pid = start_bounded(COP_FULL_BLOCK);
    start_caller(pid, echo, 1, COP_FOREVER, NULL);
    EVENTUALLY(mailbox_of(pid) == 1);
    cop_pid blocked = start_caller(pid, echo, 2, COP_FOREVER, NULL);
    EVENTUALLY(waits_for(blocked, pid));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(result().code, -ESRCH);
    ck_assert_int_eq(result().code, -ESRCH);
}

static int
call_with_a_full_mailbox(cop_bytes arg)
{
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(GO)), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(GO)), -EAGAIN);
    return call_once(arg);
}

TEST(an_answer_is_never_refused_by_the_callers_full_mailbox)
{
    struct caller caller = {cop_self(), start_server(), echo, 3, COP_FOREVER};
    ck_assert_int_eq(cop_spawn(NULL, call_with_a_full_mailbox, .arg = COP_BYTES(caller),
                               .mailbox = {1, COP_FULL_REJECT}),
                     0);
    struct result got = result();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.answer, 3);
}

/* ---------------------------------------------------------------- beside other messages */

static cop_step
send_and_answer(cop_from from, const struct request *request)
{
    for (uint32_t i = 100; i < 110; i++) {
        cop_send(from.pid, COP_TAG(i));
    }
    return echo(from, request);
}

TEST(messages_that_come_during_a_call_stay_in_order)
{
    cop_pid pid = start_server();
    uint64_t answer;
    cop_send(cop_self(), COP_TAG(99));
    ck_assert_int_eq(ask(pid, send_and_answer, 3, &answer, SOON), 0);
    ck_assert_uint_eq(answer, 3);
    for (uint32_t i = 99; i < 110; i++) {
        test_receive(i);
    }
}

TEST(a_received_body_outlives_calls_and_sleeps)
{
    cop_pid pid = start_server();
    uint64_t answer;
    ck_assert_int_eq(cop_send(cop_self(), COP_MSG(GO, uint64_t, 0x1234)), 0);
    ck_assert_int_eq(cop_send(cop_self(), moved(echo, 64)), 0);
    cop_msg msg = test_receive(GO);
    for (uint64_t i = 0; i < 200; i++) {
        ck_assert_int_eq(ask(pid, i % 2 ? echo : send_and_answer, i, &answer, SOON), 0);
        cop_sleep(i % 50 ? 0 : COP_US(100));
    }
    ck_assert_uint_eq(*COP_BODY(msg, uint64_t), 0x1234);
    msg = test_receive(DO);
    ck_assert_int_eq(ask(pid, echo, 1, &answer, SOON), 0);
    ck_assert_uint_eq(atomic_load(&drops), 0);
    ck_assert_uint_eq(((const struct request *)msg.body.data)->number, 64);
    while (cop_receive(&msg, 0) == 0) {
    }
    ck_assert_uint_eq(atomic_load(&drops), 1);
}

TEST(an_exit_signal_ends_the_caller_in_its_call)
{
    cop_pid pid = start_server();
    cop_pid caller = start_caller(pid, defer, 1, COP_FOREVER, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    cop_ref monitor = cop_monitor(caller);
    cop_exit_signal(caller, cop_failed(-EDOM, NULL));
    ck_assert_int_eq(test_down(monitor).code, -EDOM);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* its call did not return */
}

/* Who waits under this pid takes nothing in before there are two: the answer, and what ends it. */
static _Atomic(uint64_t) waits_for_two;

int real_pause(struct copi_process *self, struct copi_wait *wait) REAL(copi_pause);
int pause_for_two(struct copi_process *self, struct copi_wait *wait) WRAP(copi_pause);
int
pause_for_two(struct copi_process *self, struct copi_wait *wait)
{
    uint64_t pid = copi_pid(self).id;
    if (!atomic_compare_exchange_strong(&waits_for_two, &pid, 0)) {
        return real_pause(self, wait);
    }
    while (copi_mailbox_count(copi_load_relaxed_64(&self->mailbox.word)) < 2) {
        usleep(100);
    }
    return 0;
}

static _Atomic(uint64_t) last_answer;

static void
ask_once_more(void *server_pid)
{
    uint64_t answer = 0;
    int r = ask(*(cop_pid *)server_pid, echo, 4711, &answer, SOON);
    atomic_store(&last_answer, r == 0 ? answer : 0);
}

static int
ask_and_end(cop_bytes arg)
{
    cop_pid pid = *(const cop_pid *)arg.data;
    uint64_t answer;
    ck_assert_int_eq(cop_defer(ask_once_more, &pid), 0);
    atomic_store(&waits_for_two, cop_self().id);
    ask(pid, defer, 1, &answer, COP_FOREVER);
    return 0;
}

TEST(an_answer_that_comes_with_the_end_is_not_taken_for_that_to_another_call)
{
    cop_pid pid = start_server(), caller;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&caller, ask_and_end, .arg = COP_BYTES(pid), .monitor = &monitor),
                     0);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    tell(pid, answer_deferred);
    ck_assert_int_eq(cop_exit_signal(caller, cop_failed(-EDOM, NULL)), 0);
    ck_assert_int_eq(test_down(monitor).code, -EDOM);
    ck_assert_uint_eq(atomic_load(&last_answer), 4711);
}

/* ---------------------------------------------------------------- without memory */

enum {
    AS_BYTES,
    LARGE,
    DEFERRED,
    CRASHING,
    OUTCOMES,
};

static cop_step
answer_later(cop_from from, const struct request *request)
{
    atomic_store(&deferred.count, 0);
    defer(from, request);
    return answer_deferred((cop_from){0}, request);
}

static _Atomic long fail_after;

/* On a thread of its own, so with no message of before to use again. */
static int
call_without_memory(cop_bytes arg)
{
    const struct caller *caller = arg.data;
    struct result result = {0};
    cop_msg reply = {0};
    struct request request = {caller->deed, caller->number};
    copi_alloc_fail_after(atomic_load(&fail_after));
    result.code = cop_call_any(caller->server, COP_MSG_OF(DO, request), &reply, SOON);
    copi_alloc_fail_after(-1);
    cop_msg_release(&reply);
    cop_send(caller->starter, COP_MSG_OF(RESULT, result));
    return 0;
}

TEST_TIMES(OUTCOMES, without_memory_nothing_hangs)
{
    static const deed deeds[] = {
        [AS_BYTES] = echo,
        [LARGE] = answer_with_bytes,
        [DEFERRED] = answer_later,
        [CRASHING] = crash,
    };
    unsigned failures = 0;
    for (long n = 0; n < 100; n++) {
        cop_pid pid;
        ck_assert_int_eq(cop_genserver_start(&pid, &server, .fresh_thread = true), 0);
        struct caller caller = {cop_self(), pid, deeds[_i], 100000, SOON};
        atomic_store(&fail_after, n);
        ck_assert_int_eq(cop_spawn(NULL, call_without_memory, .arg = COP_BYTES(caller),
                                   .fresh_thread = true),
                         0);
        int code = result().code;
        cop_exit_signal(pid, COP_REASON_KILLED);
        if (code == -ENOMEM) {
            failures++;
            continue;
        }
        ck_assert_int_eq(code, _i == CRASHING ? -EPIPE : 0);
    }
    ck_assert_uint_gt(failures, 0);
}

/* On a thread of its own, for the same reason. */
static int
answer_for_another_without_memory(cop_bytes arg)
{
    const struct errand *errand = arg.data;
    copi_alloc_fail_after(0);
    cop_reply(errand->from, COP_MSG_OF(RESULT, errand->number));
    copi_alloc_fail_after(-1);
    return 0;
}

static void
have_it_answered_without_memory(cop_pid pid, cop_time patience)
{
    cop_ref monitor;
    start_caller(pid, defer, 9, patience, NULL);
    EVENTUALLY(atomic_load(&deferred.count) == 1);
    struct errand errand = {deferred.from[0], 9};
    ck_assert_int_eq(cop_spawn(NULL, answer_for_another_without_memory, .arg = COP_BYTES(errand),
                               .monitor = &monitor, .fresh_thread = true),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(what_another_process_has_no_memory_to_answer_is_a_failure)
{
    cop_pid pid = start_server();
    cop_cancel_timer(cop_start_timer(cop_self(), GO, SOON),
                     NULL); /* there is one to try again with */
    have_it_answered_without_memory(pid, SOON);
    ck_assert_int_eq(result().code, -ENOMEM);
    EVENTUALLY(debts(pid) == 0);
}

TEST(what_cannot_even_be_refused_is_reported_and_its_caller_waits_on)
{
    cop_pid pid = start_server();
    test_catch_stderr();
    has_no_timers = true;
    have_it_answered_without_memory(pid, COP_MS(50));
    ck_assert_int_eq(result().code, -ETIMEDOUT);
    has_no_timers = false;
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "no memory to answer for another process"), 1);
    free(said);
}

SUITE("request")
