/*
 * tests/actors/test_genserver_enter.c - processes that turn themselves into servers.
 *
 * Room: tests/. The number (GEN-…) is that of the behaviour of OTP's gen_server that holds here.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

enum {
    VALUE = 1,
    ADD,
    CRASH,
    ENTER,
    GO,
};

struct counter {
    int value, timeouts, continued;
};

/* What has run, in order: a letter each. */
static atomic_uint marks;
static char letters[16];

static void
mark(char letter)
{
    letters[atomic_fetch_add(&marks, 1)] = letter;
}

static void
mark_deferred(void *letter)
{
    mark(*(char *)letter);
}

static char a = 'a', b = 'b', c = 'c';

static cop_step
never_init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    mark('i');
    return cop_ok();
}

static const cop_genserver server;

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct counter *counter = state;
    switch (request.tag) {
    case CRASH:
        cop_exit(cop_failed(-42, "forty-two"));
    case ENTER:
        counter->value = cop_genserver_enter(&server, (cop_bytes){0}, cop_ok());
        break;
    }
    return cop_reply(from, COP_MSG_OF(VALUE, *counter));
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct counter *counter = state;
    counter->value += *COP_BODY(msg, int);
    return cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct counter *counter = state;
    if (msg.tag == COP_MSG_TIMEOUT) {
        counter->timeouts++;
    } else {
        counter->value += 100;
    }
    return cop_ok();
}

static cop_step
handle_continue(void *state, cop_msg token)
{
    struct counter *counter = state;
    (void)token;
    counter->continued++;
    return cop_ok();
}

static void
terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    mark('t');
}

static const cop_genserver server = {
    .type = "counter",
    .state_size = sizeof(struct counter),
    .init = never_init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .handle_continue = handle_continue,
    .terminate = terminate,
};

static const cop_genserver stateless = {.type = "stateless", .handle_call = handle_call};

static cop_pid
start(cop_process_fn run, cop_ref *ended)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, run, .name = "counter", .monitor = ended), 0);
    return pid;
}

static bool
is_server(cop_pid pid)
{
    cop_sys_status status;
    return cop_sys_get_status(pid, &status, SOON) == 0;
}

/* Until it is one, a call is refused. */
static cop_pid
start_server(cop_process_fn run, cop_ref *ended)
{
    cop_pid pid = start(run, ended);
    EVENTUALLY(is_server(pid));
    return pid;
}

static struct counter
ask(cop_pid pid, uint32_t tag)
{
    struct counter counter;
    ck_assert_int_eq(cop_call(pid, COP_TAG(tag), COP_OUT(counter), SOON), 0);
    return counter;
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_thread_of_the_user_s_is_refused)
{
    ck_assert_int_eq(cop_genserver_enter(&server, (cop_bytes){0}, cop_ok()), -EPERM);
}

static int
enter_badly(cop_bytes arg)
{
    (void)arg;
    int number = 1;
    ck_assert_int_eq(cop_genserver_enter(NULL, (cop_bytes){0}, cop_ok()), -EINVAL);
    ck_assert_int_eq(cop_genserver_enter(&server, COP_BYTES(number), cop_ok()), -EINVAL);
    ck_assert_int_eq(cop_genserver_enter(&stateless, COP_BYTES(number), cop_ok()), -EINVAL);
    ck_assert_int_eq(
        cop_genserver_enter(&server, (cop_bytes){NULL, sizeof(struct counter)}, cop_ok()), -EINVAL);
    ck_assert_int_eq(cop_genserver_enter(&server, (cop_bytes){0}, cop_ignore()), -EINVAL);
    ck_assert_int_eq(cop_genserver_enter(&server, (cop_bytes){0}, cop_stop(COP_REASON_NORMAL)),
                     -EINVAL);
    cop_exit(cop_failed(-7, "as before"));
}

TEST(a_wrong_entry_is_refused_and_the_process_goes_on)
{
    cop_ref ended;
    start(enter_badly, &ended);
    ck_assert_str_eq(test_down(ended).text, "as before");
    ck_assert_uint_eq(marks, 0);
}

static int
enter_empty(cop_bytes arg)
{
    (void)arg;
    return cop_genserver_enter(&server, (cop_bytes){0}, cop_ok());
}

TEST(a_server_cannot_enter_again)
{
    cop_pid pid = start_server(enter_empty, NULL);
    ck_assert_int_eq(ask(pid, ENTER).value, -EPERM);
}

static int
enter_as_a_task(cop_bytes arg, void *out)
{
    (void)arg;
    *(int *)out = cop_genserver_enter(&server, (cop_bytes){0}, cop_ok());
    return 0;
}

TEST(a_task_cannot_enter_since_it_owes_a_result)
{
    int result = 0;
    cop_future *future = cop_async(enter_as_a_task, .result_size = sizeof result);
    ck_assert_int_eq(cop_await(future, COP_OUT(result), SOON), 0);
    ck_assert_int_eq(result, -EPERM);
    cop_future_release(future);
}

static void
enter_deferred(void *result)
{
    *(int *)result = cop_genserver_enter(&server, (cop_bytes){0}, cop_ok());
}

static int deferred_result;

static int
enter_at_the_end(cop_bytes arg)
{
    (void)arg;
    return cop_defer(enter_deferred, &deferred_result);
}

TEST(a_deferred_call_cannot_enter)
{
    cop_ref ended;
    start(enter_at_the_end, &ended);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    ck_assert_int_eq(deferred_result, -EPERM);
}

/* handle_continue is the first thing that it does: from there on there is memory. */
static cop_step
end_the_shortage(void *state, cop_msg token)
{
    copi_alloc_fail_after(-1);
    return handle_continue(state, token);
}

static cop_genserver frugal;
static atomic_uint refused;

static int
enter_in_the_end(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        cop_at_exit(mark_deferred, &a);
    }
    for (int i = 0; i < 4; i++) {
        cop_defer(mark_deferred, &b);
    }
    int r = -ENOMEM;
    for (long n = 0; r == -ENOMEM; n++) {
        cop_step first = cop_ok_continue(COP_TAG(GO));
        copi_alloc_fail_after(n);
        r = cop_genserver_enter(&frugal, (cop_bytes){0}, first);
        atomic_fetch_add(&refused, 1);
        copi_alloc_fail_after(-1);
    }
    return r;
}

static bool
nobody_enters(void)
{
    return cop_genserver_enter(NULL, (cop_bytes){0}, cop_ok()) == -EPERM;
}

TEST(in_the_child_of_a_fork_nobody_becomes_a_server)
{
    cop_self();
    ck_assert(test_in_child(nobody_enters));
}

TEST(without_memory_nothing_has_changed)
{
    frugal = server;
    frugal.handle_continue = end_the_shortage;
    cop_ref ended;
    cop_pid pid = start_server(enter_in_the_end, &ended);
    ck_assert_uint_gt(refused, 1);
    ck_assert_int_eq(ask(pid, VALUE).continued, 1);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    ck_assert_str_eq(letters, "tbbbbaaaa"); /* each once */
}

/* ---------------------------------------------------------------- a server from then on */

static int
enter(cop_bytes arg)
{
    (void)arg;
    struct counter counter = {.value = 5};
    return cop_genserver_enter(&server, COP_BYTES(counter), cop_ok());
}

/* GEN-013 */
TEST(a_process_becomes_a_server_with_the_state_that_it_gives)
{
    cop_pid pid = start_server(enter, NULL);
    ck_assert_int_eq(ask(pid, VALUE).value, 5);
    ck_assert_int_eq(ask(cop_named("counter"), VALUE).value, 5);
    ck_assert_uint_eq(marks, 0); /* init did not run */
    int three = 3;
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(ADD, three)), 0);
    ck_assert_int_eq(ask(pid, VALUE).value, 8);
}

TEST(a_state_that_is_not_given_is_zeroed)
{
    cop_pid pid = start_server(enter_empty, NULL);
    struct counter counter = ask(pid, VALUE);
    ck_assert_int_eq(counter.value + counter.timeouts + counter.continued, 0);
}

static bool
is_go(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == GO;
}

static int
receive_and_enter(cop_bytes arg)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive_match(&msg, is_go, NULL, SOON), 0);
    return enter(arg);
}

/* GEN-013 */
TEST(what_is_in_the_mailbox_is_handled_then)
{
    cop_pid pid = start(receive_and_enter, NULL);
    int one = 1;
    ck_assert_int_eq(cop_send(pid, COP_TAG(VALUE)), 0);
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(ADD, one)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(GO)), 0);
    EVENTUALLY(is_server(pid));
    ck_assert_int_eq(ask(pid, VALUE).value, 106);
}

TEST(before_it_is_a_server_a_request_is_refused)
{
    struct counter counter;
    cop_pid pid = start(receive_and_enter, NULL);
    ck_assert_int_eq(cop_call(pid, COP_TAG(VALUE), COP_OUT(counter), SOON), -EOPNOTSUPP);
    ck_assert_int_eq(cop_send(pid, COP_TAG(GO)), 0);
    EVENTUALLY(is_server(pid));
    ck_assert_int_eq(ask(pid, VALUE).value, 5);
}

static int
enter_timed(cop_bytes arg)
{
    (void)arg;
    return cop_genserver_enter(&server, (cop_bytes){0}, cop_ok_timeout(0));
}

static int
enter_continued(cop_bytes arg)
{
    (void)arg;
    return cop_genserver_enter(&server, (cop_bytes){0}, cop_ok_continue(COP_TAG(GO)));
}

/* GEN-013 */
TEST(the_first_step_may_be_a_timeout_or_a_continuation)
{
    cop_pid pid = start_server(enter_timed, NULL);
    struct counter counter;
    do {
        ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(counter), SOON), 0);
    } while (counter.timeouts == 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    pid = start_server(enter_continued, NULL);
    ck_assert_int_eq(ask(pid, VALUE).continued, 1);
}

/* ---------------------------------------------------------------- its end */

static int
defer_and_enter(cop_bytes arg)
{
    cop_at_exit(mark_deferred, &c);
    cop_defer(mark_deferred, &b);
    cop_defer(mark_deferred, &a);
    return enter(arg);
}

TEST(what_it_deferred_runs_at_its_end_after_terminate)
{
    cop_ref ended;
    cop_pid pid = start_server(defer_and_enter, &ended);
    ask(pid, VALUE);
    ck_assert_uint_eq(marks, 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    ck_assert_str_eq(letters, "tabc");
}

TEST(a_crash_in_a_callback_ends_it_with_terminate_and_a_report)
{
    struct counter counter;
    cop_ref ended;
    cop_pid pid = start_server(defer_and_enter, &ended);
    test_catch_stderr();
    ck_assert_int_eq(cop_call(pid, COP_TAG(CRASH), COP_OUT(counter), SOON), -EPIPE);
    ck_assert_int_eq(test_down(ended).code, -42);
    ck_assert_str_eq(letters, "tabc");
    char *report = test_caught_stderr();
    ck_assert_uint_eq(
        test_count(report, "coppice: error: genserver counter crashed: forty-two pid=<"), 1);
    free(report);
}

TEST(a_kill_ends_it_without_terminate)
{
    cop_ref ended;
    cop_pid pid = start_server(defer_and_enter, &ended);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_str_eq(letters, "abc");
}

TEST(a_supervisor_restarts_a_worker_that_has_become_a_server)
{
    struct counter counter;
    cop_pid supervisor, child = cop_named("counter");
    ck_assert_int_eq(cop_supervisor_start(
                         &supervisor, &(cop_supervisor_spec){COP_CHILDREN(
                                          {.id = "counter", .name = "counter", .worker = enter})}),
                     0);
    EVENTUALLY(is_server(child));
    cop_pid first = cop_whereis("counter");
    ck_assert_int_eq(cop_call(child, COP_TAG(CRASH), COP_OUT(counter), SOON), -EPIPE);
    EVENTUALLY(!cop_pid_eq(cop_whereis("counter"), first) && is_server(child));
    ck_assert_int_eq(ask(child, VALUE).value, 5);
    ck_assert_int_eq(cop_supervisor_stop(supervisor, SOON), 0);
}

SUITE("genserver_enter")
