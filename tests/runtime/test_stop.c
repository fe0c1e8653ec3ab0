/*
 * tests/runtime/test_stop.c - ending another process and waiting for it.
 *
 * Room: tests/. Case ids (PRL-007) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/stop.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <time.h>
#include <unistd.h>

enum {
    GO = 1,
    COUNT,
    HOLD,
    STOP_OTHER,
    END,
};
#define SHORT COP_MS(30) /* for what will not happen */

/* ---------------------------------------------------------------- a server and plain processes */

static struct {
    _Atomic unsigned counted, terminated;
    _Atomic int reason_kind, reason_code;
    _Atomic bool held, released;
} seen;

struct state {
    cop_pid other;
};

static cop_step
handle_cast(void *state, cop_msg msg)
{
    (void)state;
    switch (msg.tag) {
    case COUNT:
        atomic_fetch_add(&seen.counted, 1);
        break;
    case HOLD:
        atomic_store(&seen.held, true);
        EVENTUALLY(atomic_load(&seen.released));
        break;
    case END:
        return cop_stop(*COP_BODY(msg, cop_reason));
    default:
        break;
    }
    return cop_ok();
}

/* Stop the other one, in a callback, and answer with what came of it. */
static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    (void)state;
    cop_pid other = *COP_BODY(request, cop_pid);
    int r = cop_stop_process(other, COP_REASON_NORMAL, SOON);
    return cop_reply(from, COP_MSG_OF(STOP_OTHER, r));
}

static void
terminate(void *state, cop_reason reason)
{
    (void)state;
    atomic_fetch_add(&seen.terminated, 1);
    atomic_store(&seen.reason_kind, reason.kind);
    atomic_store(&seen.reason_code, reason.code);
}

static const cop_genserver server = {
    .type = "server",
    .state_size = sizeof(struct state),
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .terminate = terminate,
};

static cop_pid
start_server(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
    return pid;
}

/* A server that handles nothing more until it is released. */
static cop_pid
start_held_server(void)
{
    cop_pid pid = start_server();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(HOLD)), 0);
    EVENTUALLY(atomic_load(&seen.held));
    return pid;
}

static void
release(void)
{
    atomic_store(&seen.released, true);
}

static int
return_zero(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static _Atomic bool trapping;

/* Its own last word, whatever it was asked for: an int. */
static int
end_on_request_with(cop_bytes arg)
{
    int code;
    memcpy(&code, arg.data, sizeof code);
    cop_trap_exits(true);
    atomic_store(&trapping, true);
    cop_msg msg = {0};
    while (msg.tag != COP_MSG_EXIT) {
        if (cop_receive(&msg, COP_FOREVER) != 0) {
            return -EXDEV;
        }
    }
    return code;
}

static int
obey_nobody(cop_bytes arg)
{
    (void)arg;
    cop_trap_exits(true);
    atomic_store(&trapping, true);
    for (;;) {
        cop_msg msg;
        cop_receive(&msg, COP_FOREVER);
    }
    return 0;
}

static cop_pid
start(cop_process_fn run, cop_bytes arg)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, run, .arg = arg), 0);
    return pid;
}

static cop_pid
start_trapping(cop_process_fn run, int code)
{
    cop_pid pid = start(run, COP_BYTES(code));
    EVENTUALLY(atomic_load(&trapping));
    return pid;
}

static cop_pid
start_ended(void)
{
    cop_pid pid = start(return_zero, (cop_bytes){0});
    EVENTUALLY(!cop_alive(pid));
    return pid;
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_negative_timeout_is_refused_and_nobody_is_asked)
{
    cop_pid pid = start_server();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, -1), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(COUNT)), 0);
    EVENTUALLY(atomic_load(&seen.counted) == 1);
}

TEST(a_reason_that_nobody_can_end_with_is_refused)
{
    cop_pid pid = start(test_wait_for_end, (cop_bytes){0});
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_KILLED, SOON), -EINVAL);
    ck_assert_int_eq(cop_stop_process(pid, (cop_reason){.kind = COP_FAULTED}, SOON), -EINVAL);
    ck_assert_int_eq(cop_stop_process(pid, (cop_reason){.kind = COP_NOPROC}, SOON), -EINVAL);
    ck_assert(cop_alive(pid));
}

TEST(a_thread_cannot_stop_itself)
{
    ck_assert_int_eq(cop_stop_process(cop_self(), COP_REASON_NORMAL, SOON), -EDEADLK);
    ck_assert_int_eq(cop_why().code, -EDEADLK);
    ck_assert_int_eq(cop_register("me", cop_self()), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("me"), COP_REASON_NORMAL, SOON), -EDEADLK);
}

static int
stop_oneself(cop_bytes arg)
{
    (void)arg;
    return cop_stop_process(cop_self(), COP_REASON_NORMAL, SOON) == -EDEADLK ? 0 : -EIO;
}

TEST(a_process_cannot_stop_itself_and_goes_on)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, stop_oneself, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(a_server_cannot_stop_itself_in_a_callback)
{
    cop_pid pid = start_server();
    int r = 0;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(STOP_OTHER, pid), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    ck_assert(cop_alive(pid));
}

static int
call_the_server(cop_bytes arg)
{
    cop_pid callee = *(const cop_pid *)arg.data, self = cop_self();
    int r = 0, called = cop_call(callee, COP_MSG_OF(STOP_OTHER, self), COP_OUT(r), SOON);
    return called == 0 && r == -EDEADLK ? 0 : -EIO;
}

TEST(a_server_cannot_stop_the_caller_that_waits_for_its_answer)
{
    cop_ref monitor;
    cop_pid pid = start_server();
    ck_assert_int_eq(cop_spawn(NULL, call_the_server, .arg = COP_BYTES(pid), .monitor = &monitor),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

/* Two that stop each other: at least one is told, so neither waits for ever. */
static cop_step
stop_the_partner(void *state, cop_msg msg)
{
    (void)state;
    cop_pid partner = *COP_BODY(msg, cop_pid);
    EVENTUALLY(atomic_load(&seen.released));
    int r = cop_stop_process(partner, COP_REASON_NORMAL, COP_FOREVER);
    atomic_fetch_add(&seen.counted, r == -EDEADLK);
    return cop_ok();
}

TEST_TIMES(20, of_two_servers_that_stop_each_other_at_least_one_is_refused)
{
    static const cop_genserver partner = {.type = "partner", .handle_cast = stop_the_partner};
    cop_pid a, b;
    ck_assert_int_eq(cop_genserver_start(&a, &partner, .link = false), 0);
    ck_assert_int_eq(cop_genserver_start(&b, &partner, .link = false), 0);
    ck_assert_int_eq(cop_cast(a, COP_MSG_OF(GO, b)), 0);
    ck_assert_int_eq(cop_cast(b, COP_MSG_OF(GO, a)), 0);
    release();
    EVENTUALLY(atomic_load(&seen.counted) > 0);
}

/* The caller waits for the server, which would wait for the caller. */
static cop_step
stop_the_caller(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    cop_stop_process(from.pid, COP_REASON_NORMAL, SOON);
    cop_reason why = cop_why();
    return cop_reply(from, COP_MSG_OF(GO, why));
}

TEST(a_circle_is_drawn_in_why)
{
    static const cop_genserver stopper = {.type = "stopper", .handle_call = stop_the_caller};
    cop_pid pid;
    cop_reason why;
    ck_assert_int_eq(cop_register("caller", cop_self()), 0);
    ck_assert_int_eq(cop_genserver_start(&pid, &stopper, .name = "stopper"), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(GO), COP_OUT(why), SOON), 0);
    ck_assert_int_eq(why.code, -EDEADLK);
    ck_assert_str_eq(why.text, "stopper -> caller -> stopper");
}

/* On a thread that has sent nothing yet, so that it has no message in store. */
static int
stop_without_memory(cop_bytes arg)
{
    cop_pid pid = *(const cop_pid *)arg.data;
    int refused = 0, r;
    do {
        copi_alloc_fail_after(refused);
        r = cop_stop_process(pid, COP_REASON_NORMAL, SOON);
        copi_alloc_fail_after(-1);
        cop_process_info info;
        bool clean = r == 0
                     || (cop_alive(pid) && cop_why().code == -ENOMEM
                         && cop_inspect(cop_self(), &info) == 0 && info.waits_for.id == 0);
        if (!clean) {
            return -EIO;
        }
    } while (r == -ENOMEM && ++refused < 100);
    return refused > 0 && r == 0 && !test_has_mail() ? 0 : -EXDEV;
}

TEST(a_stop_for_which_there_is_no_memory_asks_nobody)
{
    cop_pid pid = start_server();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, stop_without_memory, .arg = COP_BYTES(pid),
                               .monitor = &monitor, .fresh_thread = true),
                     0);
    ck_assert_int_eq(test_down(monitor).code, 0);
}

static atomic_bool has_no_signals, has_no_monitors, has_no_requests;

int real_exit_signal(cop_pid to, cop_reason reason) REAL(cop_exit_signal);
int fail_exit_signal(cop_pid to, cop_reason reason) WRAP(cop_exit_signal);
int
fail_exit_signal(cop_pid to, cop_reason reason)
{
    return has_no_signals ? -ENOMEM : real_exit_signal(to, reason);
}

cop_ref real_monitor(cop_pid pid) REAL(cop_monitor);
cop_ref fail_monitor(cop_pid pid) WRAP(cop_monitor);
cop_ref
fail_monitor(cop_pid pid)
{
    return has_no_monitors ? (cop_ref){0} : real_monitor(pid);
}

struct copi_message *real_message(enum copi_kind kind, uint32_t tag, size_t size)
    REAL(copi_message_new);
struct copi_message *fail_message(enum copi_kind kind, uint32_t tag, size_t size)
    WRAP(copi_message_new);
struct copi_message *
fail_message(enum copi_kind kind, uint32_t tag, size_t size)
{
    return has_no_requests && kind == COPI_STOP ? NULL : real_message(kind, tag, size);
}

static struct copi_process *
myself(void)
{
    struct copi_process *self;
    ck_assert_int_eq(copi_enter(&self), 0);
    return self;
}

TEST(who_cannot_be_asked_for_want_of_memory_is_not_waited_for_either)
{
    cop_pid pid = start_server();
    cop_process_info info;
    has_no_requests = true;
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), -ENOMEM);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    has_no_requests = false;
    ck_assert(cop_alive(pid));
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    ck_assert_uint_eq(info.waits_for.id, 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert(!test_has_mail()); /* nor a DOWN of the first attempt */
}

TEST(who_cannot_be_killed_for_want_of_memory_is_not_heard_of_later)
{
    cop_pid pid = start_server();
    cop_ref monitor = cop_monitor(pid);
    has_no_signals = true;
    copi_kill_and_wait(myself(), pid);
    has_no_signals = false;
    ck_assert(cop_alive(pid));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert(!test_has_mail());
}

TEST(who_cannot_be_waited_for_is_killed_all_the_same)
{
    cop_pid pid = start_server();
    cop_ref monitor = cop_monitor(pid);
    has_no_monitors = true;
    copi_kill_and_wait(myself(), pid);
    has_no_monitors = false;
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert(!test_has_mail());
}

/* ---------------------------------------------------------------- what is gone */

/* PRL-007; here 0, so that twice is safe. */
TEST(a_process_that_is_gone_needs_no_stop)
{
    cop_pid pid = start_ended();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, 0), 0);
    ck_assert_int_eq(cop_stop_process(COP_NOBODY, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("nobody"), COP_REASON_NORMAL, SOON), 0);
}

TEST(a_second_stop_finds_nothing_to_do)
{
    cop_pid pid = start_server();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(atomic_load(&seen.terminated), 1);
    ck_assert(!test_has_mail());
}

static _Atomic int results[2];

static int
stop_it_too(cop_bytes arg)
{
    int r = cop_stop_process(*(const cop_pid *)arg.data, COP_REASON_NORMAL, SOON);
    atomic_store(&results[0], r);
    return 0;
}

TEST_TIMES(10, two_that_stop_a_server_at_once_both_succeed_and_it_terminates_once)
{
    cop_pid pid = start_held_server();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, stop_it_too, .arg = COP_BYTES(pid), .monitor = &monitor), 0);
    release();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    test_down(monitor);
    ck_assert_int_eq(atomic_load(&results[0]), 0);
    ck_assert_uint_eq(atomic_load(&seen.terminated), 1);
}

/* ---------------------------------------------------------------- servers */

/* PRL-007 */
TEST(a_server_ends_with_the_reason_that_was_asked_for)
{
    cop_pid pid = start_server();
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    ck_assert_int_eq(atomic_load(&seen.reason_kind), COP_SHUTDOWN);
    ck_assert(!cop_alive(pid)); /* it is gone when the stop returns */
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

/* PRL-007 */
TEST(a_server_that_is_asked_to_fail_does_and_that_is_a_success)
{
    cop_pid pid = start_server();
    cop_ref monitor = cop_monitor(pid);
    test_catch_stderr();
    int r = cop_stop_process(pid, cop_failed(-EIO, "as asked"), SOON);
    free(test_caught_stderr());
    ck_assert_int_eq(r, 0);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "as asked");
}

TEST(a_server_handles_first_what_it_was_sent_before)
{
    cop_pid pid = start_held_server();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(COUNT)), 0);
    }
    release();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(atomic_load(&seen.counted), 100);
}

/* PRL-007: with another reason stop fails with that. */
TEST(a_server_that_ends_with_another_reason_first_fails_the_stop)
{
    cop_pid pid = start_held_server();
    cop_reason boom = cop_failed(-EXDEV, "boom");
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(END, boom)), 0);
    test_catch_stderr();
    release();
    int r = cop_stop_process(pid, COP_REASON_NORMAL, SOON);
    free(test_caught_stderr());
    ck_assert_int_eq(r, -EXDEV);
    ck_assert_int_eq(cop_why().kind, COP_FAILED);
    ck_assert_str_eq(cop_why().text, "boom");
}

TEST(a_server_that_is_killed_meanwhile_fails_the_stop)
{
    cop_pid pid = start_held_server(), stopper = start(stop_it_too, COP_BYTES(pid));
    cop_process_info info = {0};
    EVENTUALLY(cop_inspect(stopper, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    EVENTUALLY(atomic_load(&results[0]) == -ECANCELED);
}

/* PRL-007: also when it happened to end with that reason by itself meanwhile. */
TEST(a_server_that_ends_by_itself_with_the_reason_asked_for_is_a_success)
{
    cop_pid pid = start_held_server();
    cop_reason boom = cop_failed(-EXDEV, "its own");
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(END, boom)), 0);
    test_catch_stderr();
    release();
    int r = cop_stop_process(pid, cop_failed(-EXDEV, "asked"), SOON);
    free(test_caught_stderr());
    ck_assert_int_eq(r, 0);
}

TEST(a_server_that_is_stopped_by_name_ends)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "named"), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("named"), COP_REASON_NORMAL, SOON), 0);
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(cop_whereis("named").id, 0);
}

/* ---------------------------------------------------------------- plain processes */

TEST(a_plain_process_is_asked_by_an_exit_signal)
{
    cop_pid pid = start(test_wait_for_end, (cop_bytes){0});
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

/* An exit signal NORMAL would be ignored, and the stop would never end. */
TEST(a_plain_process_that_is_stopped_with_normal_ends)
{
    cop_pid pid = start(test_wait_for_end, (cop_bytes){0});
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert(!cop_alive(pid));
}

static _Atomic int next;

/* Takes ten messages in, and looks at its mailbox again when the stop is there. */
static int
receive_twice(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (!atomic_load(&seen.held)) {
        usleep(100);
    }
    int r = cop_receive(&msg, SOON);
    atomic_fetch_add(&seen.counted, r == 0);
    while (!atomic_load(&seen.released)) {
        usleep(100);
    }
    r = cop_receive(&msg, SOON);
    atomic_store(&next, r);
    return r;
}

TEST(a_plain_process_learns_of_it_before_the_messages_that_wait)
{
    enum {
        SOME = 10
    };
    atomic_store(&next, 1);
    cop_pid pid = start(receive_twice, (cop_bytes){0});
    for (int i = 0; i < SOME; i++) {
        cop_send(pid, COP_TAG(GO));
    }
    atomic_store(&seen.held, true);
    EVENTUALLY(atomic_load(&seen.counted) == 1);
    cop_pid stopper = start(stop_it_too, COP_BYTES(pid));
    cop_process_info info = {0};
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == SOME); /* one less, and the stop */
    release();
    EVENTUALLY(!cop_alive(stopper));
    ck_assert_int_eq(atomic_load(&next), -ECANCELED);
}

TEST(a_plain_process_that_is_stopped_with_a_failure_ends_with_it)
{
    cop_pid pid = start(test_wait_for_end, (cop_bytes){0});
    cop_ref monitor = cop_monitor(pid);
    test_catch_stderr();
    int r = cop_stop_process(pid, cop_failed(-EIO, "as asked"), SOON);
    free(test_caught_stderr());
    ck_assert_int_eq(r, 0);
    ck_assert_str_eq(test_down(monitor).text, "as asked");
}

TEST(a_plain_process_that_traps_exits_gets_a_message_and_may_end_normally)
{
    cop_pid pid = start_trapping(end_on_request_with, 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    ck_assert(!cop_alive(pid));
}

TEST(a_plain_process_that_traps_exits_and_fails_fails_the_stop)
{
    cop_pid pid = start_trapping(end_on_request_with, -EXDEV);
    test_catch_stderr();
    int r = cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON);
    free(test_caught_stderr());
    ck_assert_int_eq(r, -EXDEV);
}

/* A failure was asked for and a normal end came: that is another reason. */
TEST(a_process_that_ends_well_although_it_was_asked_to_fail_fails_the_stop)
{
    cop_pid pid = start_trapping(end_on_request_with, 0);
    ck_assert_int_eq(cop_stop_process(pid, cop_failed(-EIO, NULL), SOON), -EPIPE);
    ck_assert_int_eq(cop_why().kind, COP_NORMAL);
}

static int
wait_in_a_system_call(cop_bytes arg)
{
    (void)arg;
    atomic_store(&seen.held, true);
    struct timespec long_time = {.tv_sec = 1000};
    nanosleep(&long_time, NULL);
    return cop_cancelled() == -ECANCELED ? 0 : -EIO;
}

TEST(a_plain_process_in_a_system_call_is_interrupted)
{
    cop_pid pid = start(wait_in_a_system_call, (cop_bytes){0});
    EVENTUALLY(atomic_load(&seen.held));
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
}

/* ---------------------------------------------------------------- waiting */

TEST(a_stop_that_takes_too_long_times_out_and_leaves_no_trace)
{
    cop_pid pid = start_trapping(obey_nobody, 0);
    cop_time began = cop_now();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SHORT), -ETIMEDOUT);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - began, SHORT);
    ck_assert(cop_alive(pid));
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(cop_self(), &info), 0);
    ck_assert_uint_eq(info.waits_for.id, 0);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(pid));
    ck_assert(!test_has_mail()); /* no DOWN of the stop's own monitor */
}

TEST(a_stop_without_any_time_asks_all_the_same)
{
    cop_pid pid = start_held_server();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, 0), -ETIMEDOUT);
    release();
    EVENTUALLY(!cop_alive(pid));
    ck_assert_int_eq(atomic_load(&seen.terminated), 1);
}

TEST(a_server_that_was_given_up_on_still_ends)
{
    cop_pid pid = start_held_server();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SHORT), -ETIMEDOUT);
    release();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(atomic_load(&seen.terminated), 1);
}

TEST(whom_a_stop_waits_for_is_seen)
{
    cop_pid pid = start_held_server(), stopper = start(stop_it_too, COP_BYTES(pid));
    cop_process_info info = {0};
    EVENTUALLY(cop_inspect(stopper, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    release();
    EVENTUALLY(!cop_alive(stopper));
}

TEST(messages_that_come_meanwhile_stay)
{
    cop_pid pid = start_held_server();
    cop_send(cop_self(), COP_TAG(GO));
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SHORT), -ETIMEDOUT);
    release();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    test_receive(GO);
    ck_assert(!test_has_mail());
}

/* ---------------------------------------------------------------- a caller that is stopped itself */

TEST(a_caller_whose_context_is_cancelled_gives_up)
{
    cop_pid pid = start_held_server(), stopper;
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_int_eq(cop_spawn(&stopper, stop_it_too, .arg = COP_BYTES(pid), .context = context),
                     0);
    cop_process_info info = {0};
    EVENTUALLY(cop_inspect(stopper, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    cop_context_cancel(context, COP_REASON_SHUTDOWN);
    EVENTUALLY(atomic_load(&results[0]) == -ECANCELED);
    ck_assert(cop_alive(pid));
    cop_context_free(context);
    release();
}

TEST(a_caller_whose_context_has_a_deadline_gives_up_in_time)
{
    cop_pid pid = start_held_server();
    cop_time began = cop_now();
    cop_context *context = cop_context_new(SHORT);
    ck_assert_int_eq(cop_context_enter(context), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, COP_FOREVER), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - began, SHORT);
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
    release();
}

TEST(a_caller_that_is_asked_to_stop_gives_up)
{
    cop_pid pid = start_held_server(), stopper = start(stop_it_too, COP_BYTES(pid));
    cop_ref monitor = cop_monitor(stopper);
    cop_process_info info = {0};
    EVENTUALLY(cop_inspect(stopper, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    ck_assert_int_eq(cop_exit_signal(stopper, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    ck_assert_int_eq(atomic_load(&results[0]), -ECANCELED);
    release();
}

TEST(a_caller_that_is_killed_ends_in_the_stop)
{
    atomic_store(&results[0], 1);
    cop_pid pid = start_held_server(), stopper = start(stop_it_too, COP_BYTES(pid));
    cop_ref monitor = cop_monitor(stopper);
    cop_process_info info = {0};
    EVENTUALLY(cop_inspect(stopper, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    ck_assert_int_eq(cop_exit_signal(stopper, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert_int_eq(atomic_load(&results[0]), 1); /* it did not return */
    release();
}

/* ---------------------------------------------------------------- for the runtime */

static int
wait_in_the_kernel(cop_bytes arg)
{
    (void)arg;
    cop_trap_exits(true);
    atomic_store(&trapping, true);
    cop_shield(true);
    cop_sleep(COP_FOREVER);
    return 0;
}

static int
kill_although_asked_to_stop(cop_bytes arg)
{
    cop_pid pid = *(const cop_pid *)arg.data;
    cop_sleep(COP_FOREVER); /* until it is asked to stop */
    struct copi_process *self;
    if (copi_enter(&self) != 0) {
        return -EIO;
    }
    copi_kill_and_wait(self, pid);
    atomic_store(&results[0], cop_alive(pid));
    atomic_store(&results[1], cop_sleep(SOON));
    return 0;
}

TEST(a_kill_is_waited_for_by_a_caller_that_is_cancelled_and_remains_so)
{
    cop_pid victim = start_trapping(wait_in_the_kernel, 0);
    cop_pid killer = start(kill_although_asked_to_stop, COP_BYTES(victim));
    cop_ref monitor = cop_monitor(killer);
    ck_assert_int_eq(cop_exit_signal(killer, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    ck_assert_int_eq(atomic_load(&results[0]), false);
    ck_assert_int_eq(atomic_load(&results[1]), -ECANCELED);
}

SUITE("stop")
