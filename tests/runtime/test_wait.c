/*
 * tests/runtime/test_wait.c - how a process waits: for time, for descriptors.
 *
 * Room: tests/.
 */
#include "runtime/process.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static int ends[2];

static void
open_pipe(void)
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

static void
close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static cop_context *
enter(cop_time timeout)
{
    cop_context *context = cop_context_new(timeout);
    ck_assert_int_eq(cop_context_enter(context), 0);
    return context;
}

static void
leave(cop_context *context)
{
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
}

/* ---------------------------------------------------------------- sleeping */

TEST(a_sleep_in_a_cancelled_context_does_not_begin)
{
    cop_context *context = enter(COP_FOREVER);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "enough");
    ck_assert_int_eq(cop_sleep(0), -ECANCELED);
    leave(context);
    ck_assert_int_eq(cop_sleep(0), 0);
}

TEST(the_contexts_deadline_ends_a_sleep_and_not_before)
{
    cop_time before = cop_now();
    cop_context *context = enter(COP_MS(20));
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    ck_assert_int_eq(cop_sleep(COP_SEC(1)), -ETIMEDOUT);
    leave(context);
}

TEST(a_sleep_lasts_at_least_as_long_as_asked)
{
    const cop_time lengths[] = {1, COP_US(1), COP_US(300), COP_MS(1), COP_MS(20)};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        cop_time before = cop_now();
        ck_assert_int_eq(cop_sleep(lengths[i]), 0);
        ck_assert(cop_now() >= before + lengths[i]);
    }
    ck_assert_int_eq(cop_sleep(0), 0);
    ck_assert_int_eq(cop_sleep(-COP_SEC(1)), 0);
}

TEST(a_sleep_that_ends_before_the_contexts_deadline_is_no_error)
{
    cop_context *context = enter(COP_SEC(100));
    ck_assert_int_eq(cop_sleep(COP_MS(2)), 0);
    leave(context);
}

/* Such a wake-up comes from a sender that has found a sleeper, which its deadline then woke first. */
TEST(a_wake_up_that_came_too_late_for_one_sleep_does_not_keep_the_next_from_ending)
{
    cop_self();
    copi_unpark(&copi_here.process->parker);
    ck_assert_int_eq(cop_sleep(COP_MS(5)), 0);
}

TEST(messages_neither_shorten_a_sleep_nor_are_lost_in_it)
{
    for (uint32_t i = 1; i <= 5; i++) {
        cop_send_after(cop_self(), COP_TAG(i), COP_MS(i));
    }
    cop_time before = cop_now();
    ck_assert_int_eq(cop_sleep(COP_MS(20)), 0);
    ck_assert(cop_now() >= before + COP_MS(20));
    for (uint32_t i = 1; i <= 5; i++) {
        test_receive(i);
    }
}

/* ---------------------------------------------------------------- what is learnt of waiting */

enum {
    MANY_LOOKS = 1 << 20
};
static _Atomic(struct copi_thread *) learner;
static atomic_uint looks_of_next; /* process that the learner ran; 0: it has run none */

static int
learn(cop_bytes arg)
{
    (void)arg;
    copi_here.spin.looks = MANY_LOOKS;
    atomic_store(&learner, copi_here.thread);
    return 0;
}

static int
go_on_from_there(cop_bytes arg)
{
    (void)arg;
    if (atomic_load(&learner) == copi_here.thread) {
        atomic_store(&looks_of_next, copi_here.spin.looks);
    }
    return 0;
}

static void
run_to_the_end(cop_process_fn run)
{
    cop_pid pid;
    cop_ref ended;
    ck_assert_int_eq(cop_spawn(&pid, run, .monitor = &ended), 0);
    test_down(ended);
}

static bool
is_run_by_learner(void)
{
    run_to_the_end(go_on_from_there);
    return atomic_load(&looks_of_next) > 0;
}

TEST(the_next_process_of_a_thread_knows_how_looking_has_paid)
{
    run_to_the_end(learn);
    EVENTUALLY(is_run_by_learner());
    ck_assert_uint_ge(atomic_load(&looks_of_next), MANY_LOOKS);
}

static int
sleep_for_ever(cop_bytes arg)
{
    (void)arg;
    return cop_sleep(COP_FOREVER);
}

static void
nothing(int signal)
{
    (void)signal;
}

static pthread_t main_thread;
static atomic_bool is_over;

static void *
send_signals(void *arg)
{
    (void)arg;
    while (!atomic_load(&is_over)) {
        pthread_kill(main_thread, SIGUSR1);
        usleep(500);
    }
    return NULL;
}

TEST(signals_neither_shorten_a_wait_nor_fail_it)
{
    struct sigaction action = {.sa_handler = nothing}; /* without SA_RESTART */
    pthread_t sender;
    cop_msg msg;
    sigaction(SIGUSR1, &action, NULL);
    open_pipe();
    main_thread = pthread_self();
    ck_assert_int_eq(pthread_create(&sender, NULL, send_signals, NULL), 0);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_sleep(COP_MS(20)), 0);
    ck_assert(cop_now() >= before + COP_MS(20));
    before = cop_now();
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    before = cop_now();
    ck_assert_int_eq(cop_receive(&msg, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    atomic_store(&is_over, true);
    pthread_join(sender, NULL);
    close_pipe();
}

TEST(who_sleeps_for_ever_ends_when_it_is_told_to)
{
    const cop_reason reasons[] = {COP_REASON_SHUTDOWN, COP_REASON_KILLED, cop_failed(-EIO, NULL)};
    for (size_t i = 0; i < 3; i++) {
        cop_pid pid;
        cop_ref monitor;
        cop_spawn(&pid, sleep_for_ever, .monitor = &monitor);
        cop_exit_signal(pid, reasons[i]);
        ck_assert_int_eq(test_down(monitor).kind, reasons[i].kind);
    }
}

/* ---------------------------------------------------------------- an exit before a cancellation */

static int
wait_with_everything(cop_bytes arg)
{
    (void)arg;
    cop_context *context = cop_context_new(0);
    cop_context_enter(context);
    cop_context_free(context);
    cop_assert(cop_sleep(COP_FOREVER) == -ETIMEDOUT);
    cop_context_cancel(context, cop_failed(-EIO, NULL));
    cop_assert(cop_sleep(COP_FOREVER) == -ECANCELED);
    cop_exit_signal(cop_self(), cop_failed(-EBUSY, NULL));
    cop_sleep(COP_FOREVER);
    return -1;
}

TEST(an_exit_comes_before_a_cancellation_and_that_before_a_deadline)
{
    cop_ref monitor;
    cop_spawn(NULL, wait_with_everything, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).code, -EBUSY);
}

static atomic_int results[4];

static int
wait_behind_a_shield(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_shield(true);
    cop_exit_signal(cop_self(), COP_REASON_KILLED);
    results[0] = cop_sleep(COP_FOREVER);
    results[1] = cop_receive(&msg, COP_FOREVER);
    results[2] = cop_wait_fd(0, POLLIN, COP_FOREVER);
    cop_shield(false);
    results[3] = 1;
    cop_checkpoint();
    results[3] = 2;
    return 0;
}

TEST(after_a_kill_nothing_blocks_behind_a_shield)
{
    cop_ref monitor;
    cop_spawn(NULL, wait_behind_a_shield, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert_int_eq(results[0], -ECANCELED);
    ck_assert_int_eq(results[1], -ECANCELED);
    ck_assert_int_eq(results[2], -ECANCELED);
    ck_assert_int_eq(results[3], 1);
}

/* ---------------------------------------------------------------- descriptors */

TEST(what_is_no_open_descriptor_is_an_error)
{
    const cop_time timeouts[] = {0, COP_MS(10), COP_FOREVER};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_wait_fd(12345, POLLIN, timeouts[i]), -EBADF);
        ck_assert_int_eq(cop_wait_fd(-1, POLLIN, timeouts[i]), -EBADF);
        ck_assert_int_eq(cop_why().code, -EBADF);
    }
}

TEST(a_wait_for_a_descriptor_that_was_just_closed_fails_though_its_number_is_the_next_to_be_used)
{
    open_pipe();
    close_pipe();
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, COP_MS(20)), -EBADF);
}

TEST(when_no_descriptor_is_left_for_the_wait_it_fails)
{
    struct rlimit before, none = {.rlim_cur = 3}; /* as many are open */
    open_pipe();
    cop_self();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    int r = cop_wait_fd(ends[0], POLLIN, COP_SEC(1));
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_eq(r, -EMFILE);
    ck_assert_int_eq(cop_why().code, -EMFILE);
    close_pipe();
}

TEST(a_wait_for_a_descriptor_gives_up_at_its_deadline_and_not_before)
{
    open_pipe();
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, -1), -ETIMEDOUT);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    close_pipe();
}

TEST(the_contexts_deadline_ends_a_wait_for_a_descriptor)
{
    open_pipe();
    cop_time before = cop_now();
    cop_context *context = enter(COP_MS(20));
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, COP_FOREVER), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    leave(context);
    close_pipe();
}

TEST(who_is_cancelled_is_told_so_also_when_it_only_looks)
{
    open_pipe();
    cop_context *context = enter(COP_FOREVER);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, COP_FOREVER), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "enough");
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, 0), -ECANCELED);
    leave(context);
    close_pipe();
}

static atomic_int result_of_wait;

static int
wait_for_pipe(cop_bytes arg)
{
    (void)arg;
    atomic_store(&result_of_wait, 1);
    int r = cop_wait_fd(ends[0], POLLIN, COP_FOREVER);
    atomic_store(&result_of_wait, r);
    return r;
}

TEST(a_cancellation_ends_a_wait_for_a_descriptor)
{
    cop_ref monitor;
    open_pipe();
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_spawn(NULL, wait_for_pipe, .monitor = &monitor, .context = context);
    EVENTUALLY(result_of_wait == 1);
    cop_context_cancel(context, cop_failed(-EIO, NULL));
    test_down(monitor);
    ck_assert_int_eq(result_of_wait, -ECANCELED);
    cop_context_free(context);
    close_pipe();
}

TEST(a_request_to_stop_ends_a_wait_for_a_descriptor)
{
    cop_pid pid;
    cop_ref monitor;
    open_pipe();
    cop_spawn(&pid, wait_for_pipe, .monitor = &monitor);
    EVENTUALLY(result_of_wait == 1);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    ck_assert_int_eq(result_of_wait, -ECANCELED);
    close_pipe();
}

TEST(a_kill_ends_a_wait_for_a_descriptor)
{
    cop_pid pid;
    cop_ref monitor;
    open_pipe();
    cop_spawn(&pid, wait_for_pipe, .monitor = &monitor);
    EVENTUALLY(result_of_wait == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert_int_eq(result_of_wait, 1);
    close_pipe();
}

TEST(messages_do_not_end_a_wait_for_a_descriptor)
{
    cop_pid pid;
    cop_ref monitor;
    open_pipe();
    cop_spawn(&pid, wait_for_pipe, .monitor = &monitor);
    EVENTUALLY(result_of_wait == 1);
    for (int i = 0; i < 100; i++) {
        cop_send(pid, COP_TAG(1));
        cop_sleep(COP_US(100));
    }
    ck_assert_int_eq(result_of_wait, 1);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(result_of_wait, 0);
    close_pipe();
}

TEST(a_descriptor_that_is_ready_is_ready_at_once)
{
    open_pipe();
    ck_assert_int_eq(cop_wait_fd(ends[1], POLLOUT, COP_FOREVER), 0);
    ck_assert_int_eq(cop_wait_fd(ends[1], POLLOUT, 0), 0);
    close_pipe();
}

TEST(a_hang_up_or_an_error_counts_as_ready_whatever_was_asked)
{
    open_pipe();
    close(ends[1]);
    ck_assert_int_eq(cop_wait_fd(ends[0], 0, COP_FOREVER), 0);
    ck_assert_int_eq(cop_wait_fd(ends[0], POLLIN, 0), 0);
    close(ends[0]);
    open_pipe();
    close(ends[0]);
    ck_assert_int_eq(cop_wait_fd(ends[1], 0, COP_FOREVER), 0);
    close(ends[1]);
}

TEST(a_file_is_always_ready)
{
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(cop_wait_fd(fd, POLLIN, COP_FOREVER), 0);
    close(fd);
}

/* ---------------------------------------------------------------- cop_cancelled */

TEST(whether_one_should_stop_can_be_asked_without_blocking)
{
    ck_assert_int_eq(cop_cancelled(), 0);
    cop_context *context = enter(COP_FOREVER);
    ck_assert_int_eq(cop_cancelled(), 0);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    ck_assert_int_eq(cop_cancelled(), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "enough");
    leave(context);
    context = enter(0);
    ck_assert_int_eq(cop_cancelled(), -ETIMEDOUT);
    leave(context);
    ck_assert_int_eq(cop_cancelled(), 0);
}

static int
ask_until_told(cop_bytes arg)
{
    (void)arg;
    atomic_store(&result_of_wait, 1);
    int r;
    while ((r = cop_cancelled()) == 0) {
    }
    return r;
}

TEST(a_loop_that_asks_is_told_to_stop)
{
    cop_pid pid;
    cop_ref monitor;
    cop_spawn(&pid, ask_until_told, .monitor = &monitor);
    EVENTUALLY(result_of_wait == 1);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

SUITE("wait")
