/*
 * tests/runtime/test_spawner_fork.c - programs where a vfork is a fork, and where the system refuses.
 *
 * Room: tests/.
 *
 * Under ThreadSanitizer and valgrind a vfork is a fork: the child has memory of its own, and what became of it is
 * heard through a pipe. Here it is one for everybody. What the system refuses it refuses once.
 */
#include "runtime/library.h"
#include "runtime/spawner.h"
#include "runtime/thread.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---------------------------------------------------------------- what the system does */

static struct {
    atomic_int fork, pidfd, moved; /* the error with which the next one fails; 0: it does not */
    atomic_int thread;             /* the same, negative */
    atomic_bool has_lost_parent, may_lead_no_group, may_close_nothing; /* every child */
    atomic_bool has_left_its_group;
    atomic_bool is_patient; /* nobody kills a child before it has ended by itself */
    atomic_int ended_with;  /* such a child's status */
} system_;

static int
take(atomic_int *error)
{
    errno = atomic_exchange(error, 0);
    return errno;
}

pid_t make_child(void) WRAP(vfork);
pid_t
make_child(void)
{
    return take(&system_.fork) ? -1 : fork();
}

pid_t real_getppid(void) REAL(getppid);
pid_t parent_of_it(void) WRAP(getppid);
pid_t
parent_of_it(void)
{
    return atomic_load(&system_.has_lost_parent) ? 1 : real_getppid();
}

/* A child that somebody else has reaped is no process, nor a child, for anybody. */
static int
fail_to_watch(pid_t pid)
{
    int error = take(&system_.pidfd);
    if (error == ESRCH) {
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    }
    errno = error;
    return error ? -1 : 0;
}

int real_setpgid(pid_t pid, pid_t group) REAL(setpgid);
int lead(pid_t pid, pid_t group) WRAP(setpgid);
int
lead(pid_t pid, pid_t group)
{
    errno = EPERM;
    return atomic_load(&system_.may_lead_no_group) ? -1 : real_setpgid(pid, group);
}

static void
await_end(pid_t pid)
{
    siginfo_t info;
    ck_assert_int_eq(TEMP_FAILURE_RETRY(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT)), 0);
    ck_assert_int_eq(info.si_code, CLD_EXITED);
    atomic_store(&system_.ended_with, info.si_status);
}

int real_kill(pid_t pid, int signal) REAL(kill);
int send_signal(pid_t pid, int signal) WRAP(kill);
int
send_signal(pid_t pid, int signal)
{
    if (pid < 0 && atomic_load(&system_.is_patient)) {
        await_end(-pid);
    }
    errno = ESRCH;
    return pid < 0 && atomic_load(&system_.has_left_its_group) ? -1 : real_kill(pid, signal);
}

long real_syscall(long number, long a, long b, long c, long d, long e, long f) REAL(syscall);
long call_system(long number, long a, long b, long c, long d, long e, long f) WRAP(syscall);
long
call_system(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_pidfd_open && fail_to_watch((pid_t)a) != 0) {
        return -1;
    }
    if (number == SYS_close_range && atomic_load(&system_.may_close_nothing)) {
        errno = ENOSYS;
        return -1;
    }
    return real_syscall(number, a, b, c, d, e, f);
}

int real_fcntl(int fd, int what, long argument) REAL(fcntl);
int control(int fd, int what, long argument) WRAP(fcntl);
int
control(int fd, int what, long argument)
{
    return what == F_DUPFD_CLOEXEC && take(&system_.moved) ? -1 : real_fcntl(fd, what, argument);
}

int real_start(struct copi_library_thread *thread, const char *name, void (*fn)(void *arg),
               void *arg) REAL(copi_library_thread_start);
int start(struct copi_library_thread *thread, const char *name, void (*fn)(void *arg), void *arg)
    WRAP(copi_library_thread_start);
int
start(struct copi_library_thread *thread, const char *name, void (*fn)(void *arg), void *arg)
{
    int error = atomic_exchange(&system_.thread, 0);
    return error ? error : real_start(thread, name, fn, arg);
}

static void (*while_it_stops)(void);

void real_join(struct copi_library_thread *thread) REAL(copi_library_thread_join);
void join(struct copi_library_thread *thread) WRAP(copi_library_thread_join);
void
join(struct copi_library_thread *thread)
{
    if (while_it_stops) {
        while_it_stops();
    }
    real_join(thread);
}

/* ---------------------------------------------------------------- helpers */

static int
try_to_run(const char *const argv[], struct copi_program *program)
{
    copi_library_begin();
    return copi_spawner_run(argv, program);
}

static bool
is_over(const struct copi_program *program)
{
    struct pollfd polled = {.fd = program->pidfd, .events = POLLIN};
    return poll(&polled, 1, (int)(SOON / COP_MS(1))) == 1;
}

static int
status_of(const char *const argv[])
{
    struct copi_program program;
    struct copi_program_end end;
    ck_assert_int_eq(try_to_run(argv, &program), 0);
    ck_assert(is_over(&program));
    ck_assert_int_eq(copi_spawner_status(&program, &end), 0);
    ck_assert_int_eq(end.signal, 0);
    copi_spawner_bury(&program);
    return end.status;
}

static bool
has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* With that error, nothing is written, and nothing is left behind: neither a child nor a descriptor. */
static void
fails_with(const char *const argv[], int error)
{
    struct copi_program program = {.pid = 7, .pidfd = 7};
    unsigned descriptors = test_descriptors();
    ck_assert_int_eq(try_to_run(argv, &program), error);
    ck_assert_int_eq(program.pid, 7);
    ck_assert_int_eq(program.pidfd, 7);
    ck_assert(!has_children());
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

/* The same, and the child has ended before anybody has killed it. */
static void
gives_up_with(int error)
{
    atomic_store(&system_.is_patient, true);
    fails_with(ARGV("true"), error);
    atomic_store(&system_.is_patient, false);
    ck_assert_int_eq(atomic_load(&system_.ended_with), 127);
}

/* The spawner's thread is there, and so are its descriptors. */
static void
begin(void)
{
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

/* ---------------------------------------------------------------- a child with memory of its own */

TEST(what_a_program_leaves_with_is_heard)
{
    ck_assert_int_eq(status_of(ARGV("/bin/sh", "-c", "exit 3")), 3);
}

TEST(why_a_program_did_not_start_is_heard_through_the_pipe)
{
    begin();
    fails_with(ARGV("/no/such/program"), -ENOENT);
    fails_with(ARGV("/tmp"), -EACCES);
}

TEST(a_program_whose_parent_is_gone_before_it_begins_does_not_begin)
{
    begin();
    atomic_store(&system_.has_lost_parent, true);
    gives_up_with(-ESRCH);
    atomic_store(&system_.has_lost_parent, false);
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

/* ---------------------------------------------------------------- what the system refuses */

TEST(a_fork_that_is_refused_is_an_error)
{
    begin();
    atomic_store(&system_.fork, EAGAIN);
    fails_with(ARGV("true"), -EAGAIN);
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

TEST(a_program_that_cannot_be_watched_does_not_stay)
{
    begin();
    atomic_store(&system_.pidfd, EMFILE);
    fails_with(ARGV("sleep", "1000"), -EMFILE);
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

TEST(a_program_that_can_neither_be_watched_nor_started_says_why_it_did_not_start)
{
    begin();
    atomic_store(&system_.pidfd, EMFILE);
    fails_with(ARGV("/no/such/program"), -ENOENT);
}

TEST(a_program_that_somebody_else_has_reaped_is_nobodys)
{
    begin();
    atomic_store(&system_.pidfd, ESRCH);
    fails_with(ARGV("true"), -ECHILD);
    atomic_store(&system_.pidfd, ESRCH);
    fails_with(ARGV("/no/such/program"), -ENOENT);
}

TEST(a_pipe_that_cannot_be_moved_away_from_the_standard_descriptors_is_an_error)
{
    begin();
    int before = dup(STDOUT_FILENO), input = dup(STDIN_FILENO);
    (void)fflush(stdout);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    struct copi_program program;
    unsigned descriptors = test_descriptors();
    atomic_store(&system_.moved, EMFILE);
    int r = try_to_run(ARGV("true"), &program);
    unsigned left = test_descriptors();
    dup2(before, STDOUT_FILENO);
    dup2(input, STDIN_FILENO);
    close(before);
    close(input);
    ck_assert_int_eq(r, -EMFILE);
    ck_assert_uint_eq(left, descriptors);
    ck_assert(!has_children());
}

TEST(a_program_that_cannot_lead_a_group_does_not_begin)
{
    begin();
    atomic_store(&system_.may_lead_no_group, true);
    gives_up_with(-EPERM);
}

TEST(a_program_that_would_have_our_descriptors_does_not_begin)
{
    begin();
    atomic_store(&system_.may_close_nothing, true);
    gives_up_with(-ENOSYS);
}

TEST(a_program_that_has_left_its_group_is_signalled_by_itself)
{
    struct copi_program program;
    struct copi_program_end end;
    ck_assert_int_eq(try_to_run(ARGV("sleep", "1000"), &program), 0);
    atomic_store(&system_.has_left_its_group, true);
    copi_spawner_signal(&program, SIGTERM);
    ck_assert(is_over(&program));
    ck_assert_int_eq(copi_spawner_status(&program, &end), 0);
    ck_assert_int_eq(end.signal, SIGTERM);
    copi_spawner_bury(&program);
    ck_assert(!has_children());
}

/* ---------------------------------------------------------------- its thread */

TEST(without_a_thread_to_make_it_a_program_does_not_start_and_the_next_one_does)
{
    copi_library_begin();
    atomic_store(&system_.thread, -EAGAIN);
    fails_with(ARGV("true"), -EAGAIN);
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

static void
run_late(void)
{
    struct copi_program program;
    while_it_stops = NULL;
    ck_assert_int_eq(try_to_run(ARGV("true"), &program), -ECANCELED);
}

TEST(who_asks_while_it_stops_is_told_so)
{
    begin();
    while_it_stops = run_late;
    copi_spawner_stop();
    ck_assert(!while_it_stops);
    ck_assert(!has_children());
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

SUITE("programs by fork")
