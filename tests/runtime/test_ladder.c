/*
 * tests/runtime/test_ladder.c - the stop that always finishes: asked, interrupted, disowned.
 *
 * Room: tests/. What a test leaves stuck it lets go at its end, so that every thread comes home: also
 * this is the ladder's business.
 */
#include "runtime/inspect.h"
#include "runtime/table.h"
#include "tests/runtime/no_timers.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_bool begun, released, went_on;
static atomic_int interrupted, result;

static void
configure(cop_time kill_grace)
{
    ck_assert_int_eq(
        cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = kill_grace}), 0);
}

/* A pipe that a process reads from, by read(2) of its own. */
static int ends[2];

static void
open_pipe(void)
{
    ck_assert_int_eq(pipe(ends), 0);
}

static void
close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* Whether it was interrupted. */
static bool
read_byte(void)
{
    char byte;
    atomic_store(&begun, true);
    if (read(ends[0], &byte, 1) < 0) {
        ck_assert_int_eq(errno, EINTR);
        atomic_fetch_add(&interrupted, 1);
        return true;
    }
    return false;
}

static void
spin(void)
{
    atomic_store(&begun, true);
    while (!atomic_load(&released)) {
        sched_yield();
    }
}

static cop_pid
spawn(cop_process_fn run, cop_ref *ended)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, run, .monitor = ended), 0);
    EVENTUALLY(begun);
    return pid;
}

static int
spin_in_process(cop_bytes arg)
{
    (void)arg;
    spin();
    return cop_cancelled();
}

static void
let_go(void)
{
    atomic_store(&released, true);
    EVENTUALLY(cop_disowned() == 0);
}

/* ---------------------------------------------------------------- asked */

static int
read_until_stopped(cop_bytes arg)
{
    (void)arg;
    while (read_byte() && cop_cancelled() == 0) {
    }
    return cop_cancelled();
}

TEST(a_system_call_of_its_own_is_interrupted_when_a_process_is_asked_to_stop)
{
    cop_ref ended;
    open_pipe();
    cop_pid pid = spawn(read_until_stopped, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    ck_assert_int_ge(interrupted, 1);
    close_pipe();
}

/* Ten that are stopped one after another: the timer thread is not to be woken for each. */
TEST(steps_are_whole_milliseconds_from_one_on)
{
    cop_ref ended;
    open_pipe();
    for (int i = 0; i < 10; i++) {
        atomic_store(&begun, false);
        cop_pid pid = spawn(read_until_stopped, &ended);
        cop_time before = cop_now();
        ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
        ck_assert_int_eq(atomic_load(&last_deadline) % COP_MS(1), 0);
        ck_assert_int_ge(atomic_load(&last_deadline), before + COP_MS(1));
        test_down(ended);
    }
    close_pipe();
}

static int
poll_until_stopped(cop_bytes arg)
{
    (void)arg;
    atomic_store(&begun, true);
    while (cop_cancelled() == 0) {
        struct pollfd polled = {.fd = ends[0], .events = POLLIN};
        if (poll(&polled, 1, -1) < 0 && errno == EINTR) {
            atomic_fetch_add(&interrupted, 1);
        }
    }
    return -ECANCELED;
}

static int
read_until_ended(cop_bytes arg)
{
    (void)arg;
    while (read_byte()) {
        cop_checkpoint();
    }
    return 0;
}

TEST(a_system_call_of_its_own_is_interrupted_by_any_exit_signal)
{
    cop_ref ended;
    open_pipe();
    cop_pid pid = spawn(read_until_ended, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(test_down(ended).code, -EIO);
    close_pipe();
}

static int
link_and_read(cop_bytes arg)
{
    ck_assert_int_eq(cop_link(*(const cop_pid *)arg.data), 0);
    return read_until_ended(arg);
}

TEST(a_system_call_of_its_own_is_interrupted_when_a_link_ends)
{
    cop_ref ended;
    cop_pid other, pid;
    open_pipe();
    ck_assert_int_eq(cop_spawn(&other, test_wait_for_end), 0);
    ck_assert_int_eq(cop_spawn(&pid, link_and_read, .arg = COP_BYTES(other), .monitor = &ended), 0);
    EVENTUALLY(begun);
    ck_assert_int_eq(cop_exit_signal(other, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    close_pipe();
}

TEST(a_poll_is_interrupted_also_when_it_begins_after_the_request)
{
    cop_ref ended;
    open_pipe();
    for (int i = 0; i < 20; i++) { /* the request comes before, in and after the call */
        atomic_store(&begun, false);
        cop_pid pid = spawn(poll_until_stopped, &ended);
        ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
        ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    }
    close_pipe();
}

static int
read_stubbornly(cop_bytes arg)
{
    (void)arg;
    while (read_byte()) {
    }
    return cop_cancelled();
}

TEST(who_does_not_listen_is_interrupted_again_and_again)
{
    cop_ref ended;
    open_pipe();
    cop_pid pid = spawn(read_stubbornly, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    EVENTUALLY(interrupted >= 3);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    close_pipe();
}

TEST(who_is_only_asked_is_never_disowned)
{
    cop_ref ended;
    configure(COP_MS(10));
    cop_pid pid = spawn(spin_in_process, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    cop_sleep(COP_MS(50)); /* several graces */
    ck_assert(cop_alive(pid));
    ck_assert_uint_eq(cop_disowned(), 0);
    atomic_store(&released, true);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
}

static int
read_and_trap(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_trap_exits(true);
    if (!read_byte()) {
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        ck_assert_uint_eq(msg.tag, COP_MSG_EXIT);
    }
    cop_checkpoint();
    return 0;
}

TEST(who_traps_exits_is_asked_by_a_message_and_not_interrupted)
{
    cop_ref ended;
    open_pipe();
    cop_pid pid = spawn(read_and_trap, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    cop_sleep(COP_MS(30)); /* time enough for an interrupt that should not come */
    ck_assert_int_eq(interrupted, 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    close_pipe();
}

TEST(who_traps_exits_is_interrupted_when_it_is_killed)
{
    cop_ref ended;
    open_pipe();
    cop_pid pid = spawn(read_and_trap, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_int_eq(interrupted, 1);
    ck_assert_uint_eq(cop_disowned(), 0);
    close_pipe();
}

static void
read_in_terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    while (!read_byte()) {
    }
}

static const cop_genserver slow_to_end = {.type = "slow", .terminate = read_in_terminate};

TEST(who_is_in_terminate_is_left_alone_until_it_is_killed)
{
    cop_ref ended;
    cop_pid pid;
    open_pipe();
    ck_assert_int_eq(cop_genserver_start(&pid, &slow_to_end, .monitor = &ended), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, 0), -ETIMEDOUT);
    EVENTUALLY(begun);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    cop_sleep(COP_MS(30)); /* time enough for an interrupt that should not come */
    ck_assert_int_eq(interrupted, 0);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    test_down(ended);
    ck_assert_int_eq(interrupted, 1);
    ck_assert_uint_eq(cop_disowned(), 0);
    close_pipe();
}

static int
read_shielded(cop_bytes arg)
{
    (void)arg;
    cop_shield(true);
    read_byte();
    atomic_store(&result, cop_sleep(COP_FOREVER));
    cop_shield(false);
    cop_checkpoint();
    atomic_store(&went_on, true);
    return 0;
}

TEST(who_is_shielded_is_interrupted_and_ends_behind_the_shield)
{
    cop_ref ended;
    open_pipe();
    cop_pid pid = spawn(read_shielded, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_int_eq(interrupted, 1);
    ck_assert_int_eq(result, -ECANCELED);
    ck_assert(!went_on);
    close_pipe();
}

TEST(another_signal_can_be_chosen_for_interrupts)
{
    cop_ref ended;
    struct sigaction before, after;
    open_pipe();
    ck_assert_int_eq(sigaction(SIGURG, NULL, &before), 0);
    ck_assert_int_eq(
        cop_configure(&(cop_config){.size = sizeof(cop_config), .interrupt_signal = SIGUSR2}), 0);
    cop_pid pid = spawn(read_until_stopped, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    ck_assert_int_ge(interrupted, 1);
    ck_assert_int_eq(sigaction(SIGURG, NULL, &after), 0);
    ck_assert(before.sa_handler == after.sa_handler);
    close_pipe();
}

/* ---------------------------------------------------------------- nobody else */

static int
read_in_peace(cop_bytes arg)
{
    (void)arg;
    read_byte();
    return 0;
}

TEST(an_interrupt_does_not_hit_another_process)
{
    cop_ref stubborn_ended, peaceful_ended;
    open_pipe();
    spawn(read_in_peace, &peaceful_ended);
    atomic_store(&begun, false);
    cop_pid stubborn = spawn(spin_in_process, &stubborn_ended);
    ck_assert_int_eq(cop_exit_signal(stubborn, COP_REASON_SHUTDOWN), 0);
    cop_sleep(COP_MS(30)); /* it is interrupted several times meanwhile */
    atomic_store(&released, true);
    test_down(stubborn_ended);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(test_down(peaceful_ended).kind, COP_NORMAL);
    ck_assert_int_eq(interrupted, 0);
    close_pipe();
}

static int
wait_a_little(cop_bytes arg)
{
    (void)arg;
    if (poll(NULL, 0, 2) < 0) {
        atomic_fetch_add(&interrupted, 1);
    }
    return 0;
}

static int
return_at_once_when_stopped(cop_bytes arg)
{
    (void)arg;
    atomic_store(&begun, true);
    return cop_sleep(COP_FOREVER);
}

/* The next process is on the same thread by then, and the next step of the ladder still to come. */
TEST(an_interrupt_does_not_hit_who_comes_after_on_the_thread)
{
    for (int i = 0; i < 100; i++) {
        cop_ref first, second;
        atomic_store(&begun, false);
        cop_pid pid = spawn(return_at_once_when_stopped, &first);
        ck_assert_int_eq(cop_exit_signal(pid, i % 2 ? COP_REASON_SHUTDOWN : COP_REASON_KILLED), 0);
        test_down(first);
        ck_assert_int_eq(cop_spawn(NULL, wait_a_little, .monitor = &second), 0);
        ck_assert_int_eq(test_down(second).kind, COP_NORMAL);
    }
    ck_assert_int_eq(interrupted, 0);
}

/* ---------------------------------------------------------------- disowned */

static void *
body_of_its_own(void)
{
    void *body = malloc(16);
    ck_assert_ptr_nonnull(body);
    return body;
}

static void
note_deferred(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

static atomic_bool deferred_ran;

static int
spin_send_and_wait(cop_bytes arg)
{
    cop_pid test;
    memcpy(&test, arg.data, sizeof test);
    ck_assert_ptr_nonnull(cop_alloc(100)); /* its own, freed when it ends at last */
    ck_assert_int_eq(cop_defer(note_deferred, &deferred_ran), 0);
    spin();
    void *body = body_of_its_own();
    atomic_store(&result, cop_send(test, COP_MSG_MOVE(1, body, 16, free)));
    free(body);                                     /* on an error it is still the sender's */
    if (cop_send(test, COP_TAG(1)) != -ECANCELED) { /* no exit point: it goes on */
        atomic_store(&result, 0);
    }
    if (cop_monitor(test).id || cop_why().code != -ECANCELED) {
        atomic_store(&result, 0);
    }
    cop_sleep(0);
    atomic_store(&went_on, true);
    return 0;
}

TEST(who_does_not_end_within_the_grace_of_a_kill_is_disowned)
{
    cop_ref ended;
    cop_pid pid;
    configure(COP_MS(30));
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(&pid, spin_in_process, .name = "stuck", .monitor = &ended), 0);
    EVENTUALLY(begun);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(cop_whereis("stuck").id, 0);
    ck_assert_int_eq(cop_spawn(NULL, wait_a_little, .name = "stuck"), 0); /* its name is free */
    EVENTUALLY(cop_disowned() == 1);
    let_go();
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "stuck did not stop and was disowned: in run for "), 1);
    ck_assert_uint_eq(test_count(report, "; 1 threads are disowned now\n"), 1);
    free(report);
}

/* Who ends while it is being called by its name: for the report of its disowning. */
static _Atomic(uint64_t) ends_meanwhile;

const char *real_label(struct copi_process *process, char out[COPI_LABEL_SIZE]) REAL(copi_label);
const char *label_and_end(struct copi_process *process, char out[COPI_LABEL_SIZE]) WRAP(copi_label);
const char *
label_and_end(struct copi_process *process, char out[COPI_LABEL_SIZE])
{
    const char *label = real_label(process, out);
    uint64_t pid = copi_pid(process).id;
    if (pid != 0 && atomic_compare_exchange_strong(&ends_meanwhile, &pid, 0)) {
        atomic_store(&released, true);
        while (copi_table_find((cop_pid){pid})) {
            sched_yield();
        }
    }
    return label;
}

TEST(who_ends_at_the_last_moment_is_not_disowned)
{
    cop_ref ended;
    configure(COP_MS(10));
    cop_pid pid = spawn(spin_in_process, &ended);
    test_catch_stderr();
    atomic_store(&ends_meanwhile, pid.id);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_uint_eq(ends_meanwhile, 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0); /* joins who would have disowned it */
    ck_assert_uint_eq(cop_disowned(), 0);
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

TEST(who_has_come_where_another_was_to_be_disowned_lives)
{
    cop_ref ended;
    cop_pid pid = spawn(spin_in_process, &ended), other = {pid.id ^ (uint64_t)1 << 63};
    struct copi_process *process = copi_table_find(pid);
    ck_assert_uint_eq(copi_process_disown(process, other), 0);
    ck_assert(cop_alive(pid));
    ck_assert_uint_eq(cop_disowned(), 0);
    ck_assert_uint_eq(copi_process_disown(process, pid), 1);
    ck_assert_uint_eq(copi_process_disown(process, pid), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_uint_eq(cop_disowned(), 1);
    let_go();
}

TEST(who_could_not_be_disowned_for_want_of_memory_is_disowned_when_it_is_killed_again)
{
    cop_ref ended;
    configure(COP_MS(10));
    cop_pid pid = spawn(spin_in_process, &ended);
    atomic_store(&has_no_timers, true);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    atomic_store(&has_no_timers, false);
    ck_assert(cop_alive(pid));
    test_catch_stderr();
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    EVENTUALLY(cop_disowned() == 1);
    let_go();
    free(test_caught_stderr());
}

TEST(who_is_disowned_can_send_no_more_and_ends_where_it_next_may)
{
    cop_ref ended;
    cop_msg msg;
    configure(COP_MS(10));
    cop_pid pid, self = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, spin_send_and_wait, .arg = COP_BYTES(self), .monitor = &ended),
                     0);
    EVENTUALLY(begun);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    EVENTUALLY(cop_disowned() == 1);
    let_go();
    ck_assert_int_eq(result, -ECANCELED);
    ck_assert(!went_on);
    ck_assert(deferred_ran);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* not even late */
}

TEST(who_returns_after_it_was_disowned_is_counted_back)
{
    cop_ref ended;
    configure(COP_MS(10));
    cop_pid pid = spawn(spin_in_process, &ended);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    test_down(ended);
    EVENTUALLY(cop_disowned() == 1);
    let_go();
    ck_assert_int_eq(cop_spawn(NULL, wait_a_little, .monitor = &ended), 0); /* all goes on */
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

TEST(a_link_to_who_is_disowned_is_told)
{
    cop_pid pid;
    cop_msg msg;
    configure(COP_MS(10));
    cop_trap_exits(true);
    ck_assert_int_eq(cop_spawn(&pid, spin_in_process, .link = true), 0);
    EVENTUALLY(begun);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert_uint_eq(msg.tag, COP_MSG_EXIT);
    ck_assert_int_eq(COP_BODY(msg, struct cop_exited)->reason.kind, COP_KILLED);
    let_go();
}

static cop_step
spin_in_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    spin();
    return cop_reply(from, COP_TAG(0));
}

static const cop_genserver spinning = {.type = "spinning", .handle_call = spin_in_call};

static int
make_call(cop_bytes arg)
{
    cop_pid pid;
    memcpy(&pid, arg.data, sizeof pid);
    int r = cop_call(pid, COP_TAG(1), NULL, 0, COP_FOREVER);
    cop_exit(cop_failed(r, cop_why().kind == COP_KILLED ? "killed" : "?"));
}

TEST(callers_of_who_is_disowned_are_told)
{
    cop_ref in_hand, waiting;
    cop_pid pid;
    cop_process_info info;
    configure(COP_MS(30));
    ck_assert_int_eq(cop_genserver_start(&pid, &spinning, .link = false), 0);
    ck_assert_int_eq(cop_spawn(NULL, make_call, .arg = COP_BYTES(pid), .monitor = &in_hand), 0);
    EVENTUALLY(begun);
    ck_assert_int_eq(cop_spawn(NULL, make_call, .arg = COP_BYTES(pid), .monitor = &waiting), 0);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    cop_reason reason = test_down(in_hand);
    ck_assert_int_eq(reason.code, -EPIPE);
    ck_assert_str_eq(reason.text, "killed");
    ck_assert_int_eq(test_down(waiting).code, -ESRCH);
    ck_assert_int_eq(cop_call(pid, COP_TAG(1), NULL, 0, SOON), -ESRCH);
    let_go();
}

static cop_step
spin_in_init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    spin();
    return cop_ok();
}

TEST(init_that_cannot_be_interrupted_is_disowned_after_init_timeout)
{
    static const cop_genserver stuck = {.type = "stuck", .init = spin_in_init};
    configure(COP_MS(20));
    cop_time before = cop_now();
    ck_assert_int_eq(cop_genserver_start(NULL, &stuck, .name = "stuck", .init_timeout = COP_MS(10)),
                     -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
    ck_assert_uint_eq(cop_whereis("stuck").id, 0);
    EVENTUALLY(cop_disowned() == 1);
    let_go();
}

TEST(who_waits_for_the_end_of_who_is_disowned_goes_on)
{
    cop_ref ended;
    configure(COP_MS(20));
    cop_pid pid = spawn(spin_in_process, &ended);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, COP_MS(10)), -ETIMEDOUT);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), -ECANCELED);
    ck_assert_int_eq(cop_why().kind, COP_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    let_go();
}

TEST(a_supervisor_stops_a_child_that_cannot_be_interrupted)
{
    cop_pid supervisor;
    configure(COP_MS(20));
    ck_assert_int_eq(cop_supervisor_start(
                         &supervisor,
                         &(cop_supervisor_spec){COP_CHILDREN(
                             {.id = "stuck", .worker = spin_in_process, .shutdown = COP_MS(10)})}),
                     0);
    EVENTUALLY(begun);
    ck_assert_int_eq(cop_supervisor_terminate_child(supervisor, "stuck"), 0);
    EVENTUALLY(cop_disowned() == 1);
    ck_assert_int_eq(cop_supervisor_stop(supervisor, SOON), 0);
    let_go();
}

TEST(a_shutdown_disowns_what_does_not_end_and_returns)
{
    cop_ref ended;
    configure(COP_MS(20));
    spawn(spin_in_process, &ended);
    ck_assert_int_eq(cop_shutdown(COP_MS(20)), -ETIMEDOUT);
    ck_assert_uint_eq(cop_disowned(), 1);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    let_go();
}

/* ---------------------------------------------------------------- too many */

static void
disown_two(void)
{
    if (cop_configure(
            &(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(10), .max_disowned = 1})
        != 0) {
        _exit(1);
    }
    for (int i = 0; i < 2; i++) {
        cop_pid pid;
        cop_spawn(&pid, spin_in_process, .link = false);
        cop_exit_signal(pid, COP_REASON_KILLED);
    }
    cop_sleep(SOON);
    _exit(2);
}

TEST(more_than_max_disowned_end_the_program_with_status_70)
{
    int status;
    test_catch_stderr();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        disown_two();
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    char *report = test_caught_stderr();
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 70);
    ck_assert_uint_eq(test_count(report, "more than 1 threads are disowned: the program ends"), 1);
    free(report);
}

SUITE("ladder")
