/*
 * tests/supervisor/test_daemon.c - cop_run: what signals do, and what the exit status says.
 *
 * Room: tests/. The daemon is a child of the test, forked before the library is touched; what runs in
 * it tells the test through a pipe, which is also its commands' standard output.
 */
#include "runtime/process.h"
#include "tests/supervisor/daemon.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
eventually_gone(pid_t pid)
{
    for (int left = MOST_MS; left > 0 && kill(pid, 0) == 0; left--) {
        poll(NULL, 0, 1);
    }
    return kill(pid, 0) != 0;
}

static int
signal_that_ended(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* ---------------------------------------------------------------- what runs in it */

/* Says "u" when it is up and its name when it was asked to stop. */
static int
serve(cop_bytes arg)
{
    tell("u");
    while (cop_sleep(COP_SEC(60)) == 0) {
    }
    tell(arg.data ? arg.data : "d");
    return 0;
}

/* Ignores every request; only a kill ends it. */
static int
hang(cop_bytes arg)
{
    (void)arg;
    tell("u");
    while (cop_sleep(COP_MS(1)) <= 0) {
    }
    return 0;
}

static int
crash(cop_bytes arg)
{
    (void)arg;
    return -EIO;
}

static int
finish(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static int
stop_the_tree(cop_bytes arg)
{
    (void)arg;
    return cop_supervisor_stop(cop_named("root"), COP_FOREVER);
}

static int
have_the_tree_stopped(cop_bytes arg)
{
    int r = cop_spawn(NULL, stop_the_tree);
    return r ? r : serve(arg);
}

static int
kill_the_tree(cop_bytes arg)
{
    cop_exit_signal(cop_named("root"), COP_REASON_KILLED);
    return serve(arg);
}

static int
run_another(cop_bytes arg)
{
    (void)arg;
    tell(cop_run(TREE(.name = "another")) == 1 ? "1" : "0");
    return serve(arg);
}

static cop_step
fail_to_begin(void *state, cop_bytes arg)
{
    (void)state;
    (void)arg;
    return cop_stop(cop_failed(-EADDRINUSE, NULL));
}
static const cop_genserver failing = {.type = "failing", .init = fail_to_begin};

static cop_step
begin_slowly(void *state, cop_bytes arg)
{
    (void)state;
    (void)arg;
    tell("i");
    cop_sleep(COP_MS(100));
    tell("u");
    return cop_ok();
}
static const cop_genserver slow = {.type = "slow", .init = begin_slowly};

/* ---------------------------------------------------------------- status 1 */

TEST(returns_1_when_the_tree_does_not_start)
{
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "bad", .genserver = &failing})));
    ck_assert_int_eq(status_of(&daemon), 1);
    daemon = run(TREE(COP_CHILDREN({.id = "nothing"})));
    ck_assert_int_eq(status_of(&daemon), 1);
}

TEST(returns_1_when_the_tree_gives_up)
{
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "bad", .worker = crash, .restart = COP_PERMANENT})));
    ck_assert_int_eq(status_of(&daemon), 1);
}

TEST(returns_1_when_a_command_does_not_exist)
{
    const char *const argv[] = {"no-such-program-anywhere", NULL};
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "bad", .command = argv})));
    ck_assert_int_eq(status_of(&daemon), 1);
}

TEST(returns_1_when_there_is_no_tree)
{
    struct daemon daemon = run(NULL);
    ck_assert_int_eq(status_of(&daemon), 1);
}

TEST(returns_1_when_the_root_is_killed)
{
    struct daemon daemon =
        run(TREE(.name = "root", COP_CHILDREN({.id = "killer", .worker = kill_the_tree})));
    ck_assert_int_eq(status_of(&daemon), 1);
}

TEST(returns_1_in_a_process_that_the_library_started)
{
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "another", .worker = run_another})));
    ck_assert_int_eq(hear(&daemon), '1');
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
}

static void *
run_beside(void *unused)
{
    (void)unused;
    tell(cop_run(TREE(.name = "another")) == 1 ? "1" : "0");
    return NULL;
}

static int
run_another_in_a_thread(cop_bytes arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_beside, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    return serve(arg);
}

TEST(returns_1_while_another_one_runs_which_goes_on)
{
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "another", .worker = run_another_in_a_thread})));
    ck_assert_int_eq(hear(&daemon), '1');
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
}

TEST(returns_1_in_the_child_of_a_fork)
{
    ck_assert_uint_ne(cop_self().id, 0);
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "serve", .worker = serve})));
    ck_assert_int_eq(status_of(&daemon), 1);
}

static void
leave_no_descriptor(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NOFILE, &none);
}

TEST(returns_1_when_no_descriptor_is_left)
{
    struct daemon daemon =
        run_after(leave_no_descriptor, TREE(COP_CHILDREN({.id = "serve", .worker = serve})));
    ck_assert_int_eq(status_of(&daemon), 1);
    ck_assert_int_eq(hear(&daemon), '\0'); /* nothing of it ran */
}

static void
have_no_eventfd(void)
{
    test_refuse_system_call(SYS_eventfd2, ENFILE);
}

TEST(returns_1_when_there_is_nothing_to_be_woken_by)
{
    struct daemon daemon =
        run_after(have_no_eventfd, TREE(COP_CHILDREN({.id = "serve", .worker = serve})));
    ck_assert_int_eq(status_of(&daemon), 1);
    ck_assert_int_eq(hear(&daemon), '\0');
}

/* ---------------------------------------------------------------- signals */

/* Two at the same time are one, so there has to be time between them, however busy the machine is. */
static int
status_after_more_SIGINTs(const struct daemon *daemon)
{
    int status;
    pid_t ended;
    while ((ended = waitpid(daemon->pid, &status, WNOHANG)) == 0) {
        ck_assert_int_eq(kill(daemon->pid, SIGINT), 0);
        poll(NULL, 0, 20);
    }
    ck_assert_int_eq(ended, daemon->pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(ends_at_once_with_130_on_the_second_SIGINT)
{
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "hang", .worker = hang, .shutdown = COP_FOREVER})));
    ck_assert_int_eq(hear(&daemon), 'u');
    kill(daemon.pid, SIGINT);
    poll(NULL, 0, 20);
    ck_assert_int_eq(waitpid(daemon.pid, NULL, WNOHANG), 0);
    ck_assert_int_eq(status_after_more_SIGINTs(&daemon), 130);
}

static void
stops_in_reverse_order(int signal)
{
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "a", .worker = serve, .arg = COP_STR("a")},
                              {.id = "b", .worker = serve, .arg = COP_STR("b")})));
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(status_after(&daemon, signal), 0);
    ck_assert_int_eq(hear(&daemon), 'b');
    ck_assert_int_eq(hear(&daemon), 'a');
}

TEST(stops_the_tree_in_order_on_SIGTERM)
{
    stops_in_reverse_order(SIGTERM);
}

TEST(stops_the_tree_in_order_on_SIGINT)
{
    stops_in_reverse_order(SIGINT);
}

TEST(kills_what_does_not_stop_in_its_time)
{
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "hang", .worker = hang, .shutdown = COP_MS(20)})));
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
}

static int signals_without_memory; /* so many of the next */

int real_signal(cop_pid to, cop_reason reason) REAL(cop_exit_signal);
int signal_if_there_is_memory(cop_pid to, cop_reason reason) WRAP(cop_exit_signal);
int
signal_if_there_is_memory(cop_pid to, cop_reason reason)
{
    if (signals_without_memory > 0) {
        signals_without_memory--;
        return copi_fail(-ENOMEM);
    }
    return real_signal(to, reason);
}

static void
be_short_of_memory(void)
{
    signals_without_memory = 3;
}

TEST(stops_the_tree_in_order_although_there_is_no_memory_to_ask_it)
{
    struct daemon daemon =
        run_after(be_short_of_memory, TREE(COP_CHILDREN({.id = "s", .worker = serve})));
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
    ck_assert_int_eq(hear(&daemon), 'd');
}

TEST(stops_the_tree_when_SIGTERM_came_while_it_started)
{
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "slow", .genserver = &slow})));
    ck_assert_int_eq(hear(&daemon), 'i');
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
    ck_assert_int_eq(hear(&daemon), 'u'); /* the start is not cut short */
}

TEST(goes_on_after_SIGHUP_SIGUSR1_and_SIGPIPE)
{
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "serve", .worker = serve})));
    ck_assert_int_eq(hear(&daemon), 'u');
    kill(daemon.pid, SIGHUP);
    kill(daemon.pid, SIGUSR1);
    kill(daemon.pid, SIGPIPE);
    poll(NULL, 0, 20);
    ck_assert_int_eq(waitpid(daemon.pid, NULL, WNOHANG), 0);
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
    ck_assert_int_eq(hear(&daemon), 'd');
}

static void
block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

TEST(hears_signals_that_its_parent_had_blocked)
{
    struct daemon daemon =
        run_after(block_signals, TREE(COP_CHILDREN({.id = "serve", .worker = serve})));
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
}

/* ---------------------------------------------------------------- an end from inside */

TEST(returns_0_when_the_tree_was_stopped_from_inside)
{
    struct daemon daemon =
        run(TREE(.name = "root", COP_CHILDREN({.id = "stop", .worker = have_the_tree_stopped})));
    ck_assert_int_eq(status_of(&daemon), 0);
}

static int
decline(cop_supervisor_spec *spec, cop_bytes arg)
{
    (void)spec, (void)arg;
    return COP_IGNORE;
}

TEST(returns_0_when_its_init_declines)
{
    struct daemon daemon = run(TREE(.init = decline));
    ck_assert_int_eq(status_of(&daemon), 0);
}

TEST(returns_0_after_an_automatic_shutdown)
{
    struct daemon daemon = run(
        TREE(.auto_shutdown = COP_ANY_SIGNIFICANT,
             COP_CHILDREN(
                 {.id = "job", .worker = finish, .restart = COP_TRANSIENT, .significant = true})));
    ck_assert_int_eq(status_of(&daemon), 0);
}

static void
ignore(int signal)
{
    (void)signal;
}

static void
set_handler(int number, void (*handler)(int signal))
{
    struct sigaction action = {.sa_handler = handler};
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

static const cop_supervisor_spec one_job = {
    .auto_shutdown = COP_ANY_SIGNIFICANT,
    COP_CHILDREN(
        {.id = "job", .command = SH("exit 0"), .restart = COP_TRANSIENT, .significant = true}),
};

TEST(puts_dispositions_and_mask_back)
{
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE, SIGCHLD};
    sigset_t mask;
    block_signals();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        set_handler(numbers[i], ignore);
    }
    ck_assert_int_eq(cop_run(&one_job), 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction now;
        ck_assert_int_eq(sigaction(numbers[i], NULL, &now), 0);
        ck_assert(now.sa_handler == ignore);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert(sigismember(&mask, SIGTERM));
    ck_assert(sigismember(&mask, SIGCHLD));
}

/* Each is a folder in it. */
static nlink_t
threads(void)
{
    struct stat tasks;
    ck_assert_int_eq(stat("/proc/self/task", &tasks), 0);
    return tasks.st_nlink;
}

/* One that has been joined may be listed for another moment. */
static bool
threads_come_down_to(nlink_t count)
{
    for (int left = MOST_MS; left > 0 && threads() > count; left--) {
        poll(NULL, 0, 1);
    }
    return threads() <= count;
}

TEST(leaves_nothing_behind_and_can_be_run_again)
{
    ck_assert_int_eq(cop_run(&one_job), 0);
    int never[2]; /* this thread keeps a descriptor to be woken by, once it has had to wait */
    ck_assert_int_eq(pipe(never), 0);
    cop_wait_fd(never[0], POLLIN, 1);
    close(never[0]);
    close(never[1]);
    unsigned descriptors = test_descriptors();
    nlink_t threads_before = threads();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_run(&one_job), 0);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        ck_assert_uint_eq(test_descriptors(), descriptors);
        ck_assert(threads_come_down_to(threads_before));
    }
}

/* ---------------------------------------------------------------- commands */

TEST(takes_its_commands_along_when_it_is_killed)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "sleep", .command = SH("echo $$; exec sleep 1000")})));
    pid_t command = hear_pid(&daemon);
    kill(daemon.pid, SIGKILL);
    ck_assert_int_eq(signal_that_ended(daemon.pid), SIGKILL);
    ck_assert_int_eq(signal_that_ended(command), SIGKILL);
}

TEST(restarts_a_command_that_was_killed)
{
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "sleep", .command = SH("echo $$; exec sleep 1000")})));
    pid_t first = hear_pid(&daemon);
    kill(first, SIGKILL);
    pid_t second = hear_pid(&daemon);
    ck_assert_int_ne(first, second);
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
    ck_assert_int_ne(kill(second, 0), 0);
}

TEST(kills_a_command_that_ignores_SIGTERM_and_what_it_started)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct daemon daemon = run(TREE(COP_CHILDREN({
        .id = "stubborn",
        .command = SH("trap '' TERM; sleep 1000 & echo $!; wait"),
        .shutdown = COP_MS(20),
    })));
    pid_t grandchild = hear_pid(&daemon);
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
    ck_assert_int_eq(signal_that_ended(grandchild), SIGKILL);
    ck_assert_int_eq(hear(&daemon), '\0');
}

/* Both are taken here, one after the other, so that none is lost. */
static int
interrupt_twice(cop_bytes arg)
{
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    (void)raise(SIGINT);
    (void)raise(SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, NULL);
    return serve(arg);
}

/* On a machine that stops the program for so long between the two, they are two. */
TEST(a_SIGINT_that_comes_twice_at_once_stops_the_tree_in_order)
{
    int status = 130;
    for (int tries = 0; status == 130 && tries < 10; tries++) {
        struct daemon daemon =
            run(TREE(COP_CHILDREN({.id = "impatient", .worker = interrupt_twice})));
        status = status_of(&daemon);
    }
    ck_assert_int_eq(status, 0);
}

TEST(takes_its_commands_along_on_the_second_SIGINT)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct daemon daemon = run(TREE(COP_CHILDREN({
        .id = "stubborn",
        .command = SH("trap '' TERM; echo $$; while :; do sleep 0.01; done"),
        .shutdown = COP_FOREVER,
    })));
    pid_t command = hear_pid(&daemon);
    ck_assert_int_eq(status_after_more_SIGINTs(&daemon), 130);
    ck_assert_int_eq(signal_that_ended(command), SIGKILL);
}

static void
ignore_children(void)
{
    set_handler(SIGCHLD, SIG_IGN);
}

TEST(knows_how_commands_end_although_its_parent_ignored_SIGCHLD)
{
    struct daemon daemon = run_after(ignore_children, &one_job);
    ck_assert_int_eq(status_of(&daemon), 0);
}

static void
adopt_orphans(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

TEST(reaps_orphans_if_they_are_handed_to_it)
{
    struct daemon daemon =
        run_after(adopt_orphans, TREE(COP_CHILDREN({
                                     .id = "parent",
                                     .command = SH("(sleep 0.02 & echo $!); exec sleep 1000"),
                                 })));
    pid_t orphan = hear_pid(&daemon);
    ck_assert(eventually_gone(orphan));
    ck_assert_int_eq(status_after(&daemon, SIGTERM), 0);
}

/* Where the daemon is process 1, nobody else can start once it has ended: not even this test's end. */
static int
status_of_process_1(void)
{
    if (unshare(CLONE_NEWPID) != 0) {
        return 0; /* only root may */
    }
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "sleep", .command = SH("echo $PPID; exec sleep 1000")})));
    ck_assert_int_eq(hear(&daemon), '1');
    ck_assert_int_eq(hear(&daemon), '\n');
    return status_after(&daemon, SIGTERM);
}

TEST(stops_on_SIGTERM_also_as_process_1)
{
    pid_t outside = fork();
    if (outside == 0) {
        _exit(status_of_process_1());
    }
    int status;
    ck_assert_int_eq(waitpid(outside, &status, 0), outside);
    ck_assert_int_eq(status, 0);
}

SUITE("daemon")
