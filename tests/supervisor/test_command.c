/*
 * tests/supervisor/test_command.c - children that are programs, without a supervisor: the test asks,
 * kills and watches as one would.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/command.h"
#include "tests/support/programs.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- helpers */

/* A process that stands for a program, and its monitor. */
struct child {
    cop_pid pid;
    cop_ref monitor;
};

static struct child
start(const char *const argv[], cop_time shutdown)
{
    struct child child;
    struct copi_command command = {.argv = argv, .shutdown = shutdown};
    ck_assert_int_eq(cop_spawn(&child.pid, copi_command_run, .arg = COP_BYTES(command),
                               .monitor = &child.monitor),
                     0);
    return child;
}

static cop_reason
end_of(struct child child)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert_uint_eq(msg.tag, COP_MSG_DOWN);
    const struct cop_down *down = COP_BODY(msg, struct cop_down);
    ck_assert_uint_eq(down->ref.id, child.monitor.id);
    return down->reason;
}

static cop_reason
end_by(const char *const argv[])
{
    return end_of(start(argv, 0));
}

/* Where programs tell the numbers of processes; in the place of what is not read otherwise, so that no more
 * is open after a test than before. */
#define TOLD STDIN_FILENO

static pid_t
hear(void)
{
    char text[16] = {0};
    for (size_t i = 0; i < sizeof text - 1; i++) {
        ck_assert_int_eq(cop_wait_fd(TOLD, POLLIN, SOON), 0);
        ck_assert_int_eq(read(TOLD, &text[i], 1), 1);
        if (text[i] == '\n') {
            break;
        }
    }
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    ck_assert_int_gt(pid, 1);
    return pid;
}

/* A program's standard output is what we are told, and everybody's orphans come to us. */
static void
listen_to_programs(void)
{
    int told[2];
    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(told[0], TOLD), TOLD);
    close(told[0]);
    (void)fflush(stdout);
    ck_assert_int_eq(dup2(told[1], STDOUT_FILENO), STDOUT_FILENO);
    close(told[1]);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int
signal_that_ended(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* How many there are before the first command: one of them is for this thread to be woken by. */
static unsigned
descriptors_before(void)
{
    int never[2];
    ck_assert_int_eq(pipe(never), 0);
    cop_wait_fd(never[0], POLLIN, 1); /* one that is ready at once would need no waking */
    close(never[0]);
    close(never[1]);
    return test_descriptors();
}

static void
left_nothing(unsigned descriptors)
{
    ck_assert(!has_children());
    cop_trim(); /* idle threads keep a descriptor each, to be woken by */
    for (cop_time until = cop_now() + SOON;
         test_descriptors() > descriptors && cop_now() < until;) {
        cop_sleep(COP_MS(1));
        cop_trim();
    }
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

/* ---------------------------------------------------------------- what does not start */

TEST(crashes_when_the_program_does_not_exist)
{
    unsigned descriptors = descriptors_before();
    cop_reason reason = end_by(ARGV("no-such-program-anywhere"));
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ENOENT);
    ck_assert_ptr_nonnull(strstr(reason.text, "no-such-program-anywhere"));
    left_nothing(descriptors);
}

TEST(what_did_not_start_was_nowhere_in_the_program)
{
    test_catch_stderr();
    end_by(ARGV("no-such-program-anywhere"));
    char *lines = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(lines, "crashed: {spawn,"));
    ck_assert_ptr_null(strstr(lines, "stack="));
    free(lines);
}

TEST(crashes_when_the_program_may_not_be_run)
{
    ck_assert_int_eq(end_by(ARGV("/etc/passwd")).code, -EACCES);
}

TEST(crashes_without_words)
{
    const char *const none[] = {NULL};
    ck_assert_int_eq(end_by(none).code, -EINVAL);
    ck_assert_int_eq(end_by(NULL).code, -EINVAL);
}

TEST(crashes_when_no_descriptor_is_left)
{
    struct rlimit before, none;
    unsigned descriptors = descriptors_before();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* None for the pipe; one end of it; none for the pidfd's wait. */
    int free_fd = dup(STDIN_FILENO);
    close(free_fd);
    for (rlim_t room = 0; room <= 2; room++) {
        none = (struct rlimit){.rlim_cur = (rlim_t)free_fd + room, .rlim_max = before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        struct child child = start(ARGV("sleep", "1000"), 0);
        if (room == 2) { /* a pidfd and a descriptor to be woken by: it has all it needs */
            ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
        }
        cop_reason reason = end_of(child);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_int_eq(reason.kind, room == 2 ? COP_SHUTDOWN : COP_FAILED);
        ck_assert_int_eq(reason.code, room == 2 ? 0 : -EMFILE);
    }
    left_nothing(descriptors);
}

static int
run_without_memory(cop_bytes arg)
{
    copi_alloc_fail_after(0);
    int r = copi_command_run(arg);
    copi_alloc_fail_after(-1);
    return r;
}

TEST(crashes_without_memory_and_starts_no_program)
{
    struct child child;
    const struct copi_command command = {.argv = ARGV("sleep", "1000")};
    ck_assert_int_eq(cop_spawn(&child.pid, run_without_memory, .arg = COP_BYTES(command),
                               .monitor = &child.monitor, .fresh_thread = true),
                     0);
    cop_reason reason = end_of(child);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ENOMEM);
    ck_assert(!has_children());
}

/* ---------------------------------------------------------------- how it ends by itself */

TEST(ends_normally_with_status_0)
{
    cop_reason reason = end_by(ARGV("true"));
    ck_assert_int_eq(reason.kind, COP_NORMAL);
}

TEST(fails_with_another_status)
{
    cop_reason reason = end_by(SH("exit 3"));
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, 3);
    ck_assert_str_eq(reason.text, "{exit_status,3}");
}

TEST(fails_with_a_signal)
{
    cop_reason reason = end_by(SH("kill -SEGV $$"));
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, 128 + SIGSEGV);
    ck_assert_str_eq(reason.text, "{signal,11}");
}

TEST(fails_with_SIGTERM_when_nobody_asked_it_to_stop)
{
    cop_reason reason = end_by(SH("kill -TERM $$"));
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, 128 + SIGTERM);
}

TEST(fails_when_somebody_else_has_reaped_the_program)
{
    struct sigaction action = {.sa_handler = SIG_IGN}; /* the kernel has */
    ck_assert_int_eq(sigaction(SIGCHLD, &action, NULL), 0);
    cop_reason reason = end_by(SH("sleep 0.05; exit 3"));
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ECHILD);
}

TEST(takes_along_what_the_leader_has_left_behind)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child = start(SH("trap '' TERM; sleep 1000 & echo $!"), 0);
    pid_t left_behind = hear();
    ck_assert_int_eq(end_of(child).kind, COP_NORMAL);
    ck_assert_int_eq(signal_that_ended(left_behind), SIGKILL);
    left_nothing(descriptors);
}

/* ---------------------------------------------------------------- how it is stopped */

TEST(kills_a_program_that_ignores_the_request_after_the_shutdown_time)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child =
        start(SH("trap '' TERM; echo $$; while :; do sleep 1000; done"), COP_MS(50));
    pid_t program = hear();
    cop_time asked = cop_now();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
    cop_reason reason = end_of(child);
    ck_assert_int_eq(reason.kind, COP_KILLED);
    ck_assert_int_ge(cop_now() - asked, COP_MS(50));
    ck_assert_int_eq(kill(program, 0), -1);
    while (waitpid(-1, NULL, 0) > 0) { /* its sleep has become ours */
    }
    left_nothing(descriptors);
}

TEST(kills_at_once_what_is_killed_brutally)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child = start(SH("trap '' TERM; sleep 1000 & echo $!; wait"), COP_BRUTAL_KILL);
    pid_t grandchild = hear();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(end_of(child).kind, COP_KILLED);
    ck_assert_int_eq(signal_that_ended(grandchild), SIGKILL);
    left_nothing(descriptors);
}

/* As a supervisor does when its shutdown time is up. */
TEST(kills_the_program_when_it_is_killed_while_it_waits)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child =
        start(SH("trap 'echo $$' TERM; echo $$; while :; do sleep 0.01; done"), COP_FOREVER);
    pid_t program = hear();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(hear(), program); /* asked, and it goes on */
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(end_of(child).kind, COP_KILLED);
    ck_assert_int_eq(kill(program, 0), -1);
    while (waitpid(-1, NULL, 0) > 0) { /* its sleep has become ours */
    }
    left_nothing(descriptors);
}

TEST(takes_the_program_along_when_a_link_of_it_crashes)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child = start(SH("echo $$; exec sleep 1000"), 0);
    pid_t program = hear();
    ck_assert_int_eq(cop_exit_signal(child.pid, cop_failed(-EIO, "crashed")), 0);
    cop_reason reason = end_of(child);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_str_eq(reason.text, "crashed");
    ck_assert_int_eq(kill(program, 0), -1);
    left_nothing(descriptors);
}

TEST(counts_an_end_by_the_request_as_a_shutdown)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child = start(SH("sleep 1000 & echo $!; wait"), 0);
    pid_t grandchild = hear();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(end_of(child).kind, COP_SHUTDOWN);
    ck_assert_int_ne(signal_that_ended(grandchild), 0); /* SIGTERM goes to the group */
    left_nothing(descriptors);
}

TEST(lets_a_program_finish_and_counts_status_0_as_a_shutdown)
{
    listen_to_programs();
    struct child child =
        start(SH("trap 'sleep 0.05; echo 7; exit 0' TERM; echo $$; while :; do sleep 0.01; done"),
              0);
    hear();
    cop_time asked = cop_now();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(end_of(child).kind, COP_SHUTDOWN);
    ck_assert_int_ge(cop_now() - asked, COP_MS(50));
    ck_assert_int_eq(hear(), 7);
}

TEST(tells_of_a_failure_on_the_way_out)
{
    listen_to_programs();
    struct child child = start(SH("trap 'exit 3' TERM; echo $$; while :; do sleep 0.01; done"), 0);
    hear();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
    cop_reason reason = end_of(child);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, 3);
}

TEST(fails_with_another_signal_than_it_was_asked_by)
{
    listen_to_programs();
    struct child child =
        start(SH("trap 'kill -KILL $$' TERM; echo $$; while :; do sleep 0.01; done"), 0);
    hear();
    ck_assert_int_eq(cop_exit_signal(child.pid, COP_REASON_SHUTDOWN), 0);
    cop_reason reason = end_of(child);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, 128 + SIGKILL);
}

TEST(stops_the_program_when_the_context_is_cancelled)
{
    listen_to_programs();
    unsigned descriptors = descriptors_before();
    struct child child;
    struct copi_command command = {.argv = SH("echo $$; exec sleep 1000")};
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_int_eq(cop_spawn(&child.pid, copi_command_run, .arg = COP_BYTES(command),
                               .monitor = &child.monitor, .context = context),
                     0);
    pid_t program = hear();
    cop_context_cancel(context, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(end_of(child).code, -ECANCELED);
    ck_assert_int_eq(kill(program, 0), -1);
    cop_context_free(context);
    left_nothing(descriptors);
}

/* ---------------------------------------------------------------- many */

TEST(leaves_nothing_behind_after_many)
{
    enum {
        MANY = 60
    };
    const char *const *const quick = ARGV("true");
    const char *const *const slow = ARGV("sleep", "1000");
    unsigned descriptors = descriptors_before();
    for (int i = 0; i < MANY; i++) {
        struct child child = start(i % 3 == 0 ? quick : slow, COP_SEC(5));
        if (i % 3 == 1) {
            cop_exit_signal(child.pid, COP_REASON_SHUTDOWN);
        } else if (i % 3 == 2) {
            cop_exit_signal(child.pid, COP_REASON_KILLED);
        }
    }
    for (int i = 0; i < MANY; i++) {
        cop_msg msg;
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        ck_assert_uint_eq(msg.tag, COP_MSG_DOWN);
        cop_exit_kind kind = COP_BODY(msg, struct cop_down)->reason.kind;
        ck_assert(kind == COP_NORMAL || kind == COP_SHUTDOWN || kind == COP_KILLED);
    }
    left_nothing(descriptors);
}

TEST(ends_with_the_library)
{
    listen_to_programs();
    start(SH("echo $$; exec sleep 1000"), 0);
    pid_t program = hear();
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(kill(program, 0), -1);
    ck_assert(!has_children());
}

SUITE("command")
