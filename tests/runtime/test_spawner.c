/*
 * tests/runtime/test_spawner.c - programs: started, watched, killed, buried.
 *
 * Room: tests/.
 */
#include "runtime/library.h"
#include "runtime/spawner.h"
#include "tests/support/programs.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- helpers */

static bool
is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, (int)(SOON / COP_MS(1))) == 1;
}

static int
try_to_run(const char *const argv[], struct copi_program *program)
{
    copi_library_begin();
    return copi_spawner_run(argv, program);
}

static struct copi_program
run(const char *const argv[])
{
    struct copi_program program;
    ck_assert_int_eq(try_to_run(argv, &program), 0);
    return program;
}

static struct copi_program_end
end_of(const struct copi_program *program)
{
    struct copi_program_end end;
    ck_assert(is_readable(program->pidfd));
    ck_assert_int_eq(copi_spawner_status(program, &end), 0);
    return end;
}

static int
status_of(const char *const argv[])
{
    struct copi_program program = run(argv);
    struct copi_program_end end = end_of(&program);
    ck_assert_int_eq(end.signal, 0);
    copi_spawner_bury(&program);
    return end.status;
}

/* A script that prints the number of a process: what it leaves running, say. */
static struct copi_program
run_with_child(const char *script, pid_t *child)
{
    int pipe_fd[2];
    ck_assert_int_eq(pipe(pipe_fd), 0);
    int stdout_before = dup(STDOUT_FILENO);
    (void)fflush(stdout);
    dup2(pipe_fd[1], STDOUT_FILENO);
    struct copi_program program = run(SH(script));
    dup2(stdout_before, STDOUT_FILENO);
    close(stdout_before);
    close(pipe_fd[1]);

    char text[32] = {0};
    ck_assert(is_readable(pipe_fd[0]));
    ck_assert_int_gt(read(pipe_fd[0], text, sizeof text - 1), 0);
    close(pipe_fd[0]);
    *child = (pid_t)strtol(text, NULL, 10);
    ck_assert_int_gt(*child, 1);
    return program;
}

/* What ended a process that has become our child, because its parent has ended. */
static int
signal_that_ended(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* A folder with two more in it, to put into PATH. */
static char folder[] = "/tmp/coppice-spawner-XXXXXX";

static void
make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("a", 0755), 0);
    ck_assert_int_eq(mkdir("b", 0755), 0);
}

static void
set_path(const char *path)
{
    int r = path ? setenv("PATH", path, 1) /* NOLINT(concurrency-mt-unsafe): no other thread yet */
                 : unsetenv("PATH");       /* NOLINT(concurrency-mt-unsafe) */
    ck_assert_int_eq(r, 0);
}

static void
remove_folder(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "/bin/rm -rf %s", folder);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(status_of(SH(command)), 0);
}

/* ---------------------------------------------------------------- what does not start */

TEST(says_that_a_program_does_not_exist)
{
    struct copi_program program = {.pid = 7, .pidfd = 7};
    ck_assert_int_eq(try_to_run(ARGV("no-such-program-anywhere"), &program), -ENOENT);
    ck_assert_int_eq(try_to_run(ARGV("/no/such/program"), &program), -ENOENT);
    ck_assert_int_eq(try_to_run(ARGV("/bin/sh/program"), &program), -ENOTDIR);
    ck_assert_int_eq(try_to_run(ARGV(""), &program), -ENOENT);
    ck_assert_int_eq(program.pid, 7);
    ck_assert_int_eq(program.pidfd, 7);
}

TEST(refuses_arguments_without_a_name)
{
    struct copi_program program;
    const char *const none[] = {NULL};
    ck_assert_int_eq(try_to_run(NULL, &program), -EINVAL);
    ck_assert_int_eq(try_to_run(none, &program), -EINVAL);
}

TEST(says_that_a_program_may_not_be_run)
{
    struct copi_program program;
    make_folder();
    write_file("a/plain", "#!/bin/sh\n", 0644);
    set_path("a");
    ck_assert_int_eq(try_to_run(ARGV("a/plain"), &program), -EACCES);
    ck_assert_int_eq(try_to_run(ARGV("plain"), &program), -EACCES);
    ck_assert_int_eq(try_to_run(ARGV("/tmp"), &program), -EACCES);
    remove_folder();
}

TEST(says_that_a_file_is_no_program)
{
    struct copi_program program;
    make_folder();
    write_file("a/words", "words\n", 0755);
    ck_assert_int_eq(try_to_run(ARGV("a/words"), &program), -ENOEXEC);
    remove_folder();
}

TEST(says_that_a_name_is_too_long)
{
    struct copi_program program;
    char name[PATH_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(try_to_run(ARGV(name), &program), -ENOENT);
    name[0] = '/';
    ck_assert_int_eq(try_to_run(ARGV(name), &program), -ENAMETOOLONG);
}

TEST(says_that_no_descriptor_is_left)
{
    struct copi_program program;
    struct rlimit before, none;
    ck_assert_int_eq(status_of(ARGV("true")), 0);
    unsigned descriptors = test_descriptors();

    int highest = dup(STDIN_FILENO);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    for (rlim_t room = 0; room < 2; room++) { /* none at all, and one for a pipe's two ends */
        none.rlim_cur = (rlim_t)highest + room;
        close(highest);
        int held = room ? -1 : dup(STDIN_FILENO);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        ck_assert_int_eq(try_to_run(ARGV("true"), &program), -EMFILE);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        close(held);
    }
    ck_assert(!has_children());
    ck_assert_uint_eq(test_descriptors(), descriptors);
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

TEST(says_that_no_process_is_left)
{
    struct copi_program program;
    ck_assert_int_eq(status_of(ARGV("true")), 0);
    if (getuid() == 0) {             /* who is not limited */
        test_leaves_things_behind(); /* whoever it is from here on may not look */
        ck_assert_int_eq(setuid(65534), 0);
    }
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
    ck_assert_int_eq(try_to_run(ARGV("true"), &program), -EAGAIN);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
    ck_assert_int_eq(status_of(ARGV("true")), 0);
}

TEST(refuses_to_work_in_the_child_of_a_fork)
{
    struct copi_program program;
    int status;
    copi_library_begin();
    pid_t child = fork();
    if (child == 0) {
        _exit(-copi_spawner_run(ARGV("true"), &program));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), EPERM);
}

TEST(leaves_nothing_behind_what_did_not_start)
{
    struct copi_program program;
    ck_assert_int_eq(status_of(ARGV("true")), 0);
    unsigned descriptors = test_descriptors();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(try_to_run(ARGV("/no/such/program"), &program), -ENOENT);
    }
    ck_assert(!has_children());
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

/* ---------------------------------------------------------------- the search */

TEST(takes_the_first_in_PATH_that_can_be_run)
{
    make_folder();
    ck_assert_int_eq(mkdir("both", 0755), 0);
    ck_assert_int_eq(mkdir("both/it", 0755), 0);
    write_file("a/it", "#!/bin/sh\nexit 1\n", 0644);
    write_file("b/it", "#!/bin/sh\nexit 7\n", 0755);
    set_path("/no/such/folder:both:a:b:/bin");
    ck_assert_int_eq(status_of(ARGV("it")), 7);
    remove_folder();
}

TEST(takes_an_empty_entry_for_the_working_directory)
{
    make_folder();
    write_file("here", "#!/bin/sh\nexit 5\n", 0755);
    set_path("/no/such/folder:");
    ck_assert_int_eq(status_of(ARGV("here")), 5);
    remove_folder();
}

TEST(searches_the_usual_places_without_PATH)
{
    set_path(NULL);
    ck_assert_int_eq(status_of(ARGV("sh", "-c", "exit 4")), 4);
}

/* ---------------------------------------------------------------- what a program finds */

TEST(gives_the_arguments_and_the_environment)
{
    ck_assert_int_eq(setenv("COPPICE_TEST", "there", 1), 0); /* NOLINT(concurrency-mt-unsafe) */
    ck_assert_int_eq(status_of(ARGV("/bin/sh", "-c",
                                    "test \"$COPPICE_TEST\" = there -a \"$1\" = 'a b' -a $# = 2",
                                    "sh", "a b", "")),
                     0);
}

TEST(gives_it_a_group_of_its_own)
{
    struct copi_program program = run(ARGV("sleep", "1000"));
    ck_assert_int_eq(getpgid(program.pid), program.pid);
    copi_spawner_bury(&program);
}

static void
on_signal(int signal)
{
    (void)signal;
}

static void
set_handler(int number, void (*handler)(int signal))
{
    struct sigaction action = {.sa_handler = handler};
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

TEST(gives_it_signals_as_in_a_fresh_process)
{
    sigset_t all;
    sigfillset(&all);
    set_handler(SIGUSR1, on_signal);
    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGINT, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    ck_assert_int_eq(status_of(ARGV("grep", "-q", "^SigBlk:[[:space:]]*0*$", "/proc/self/status")),
                     0);
    /* But for the two that libc keeps for itself and lets nobody set: make's children have them. */
    ck_assert_int_eq(status_of(ARGV("grep", "-q", "^SigIgn:[[:space:]]*0*[01][08]0000000$",
                                    "/proc/self/status")),
                     0);
}

/* Without O_CLOEXEC, below and above those that the spawner makes for itself. */
TEST(gives_it_no_descriptor_of_ours)
{
    char lowest[12];
    int low = open("/dev/null", O_RDONLY);
    ck_assert_int_ge(low, 3);
    for (int fd = 198; fd <= 200; fd++) {
        ck_assert_int_eq(dup2(low, fd), fd);
    }
    (void)snprintf(lowest, sizeof lowest, "%d", low);
    ck_assert_int_eq(status_of(ARGV("/bin/sh", "-c",
                                    "for fd; do test ! -e /proc/$$/fd/$fd || exit 1; done", "sh",
                                    lowest, "198", "199", "200")),
                     0);
    close(low);
    for (int fd = 198; fd <= 200; fd++) {
        close(fd);
    }
}

TEST(gives_it_an_empty_standard_input)
{
    ck_assert_int_eq(status_of(SH("test \"$(readlink /proc/$$/fd/0)\" = /dev/null")), 0);
    ck_assert_int_eq(status_of(SH("read line")), 1);
}

TEST(gives_it_the_descriptors_that_it_is_to_have)
{
    int in[2], out[2];
    struct copi_program program;
    char text[16] = {0};
    copi_library_begin();
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    const struct copi_program_io io = {.input = in[0], .output = out[1], .error = out[1]};
    ck_assert_int_eq(copi_spawner_run_with(SH("cat; echo end >&2; exit 3"), &io, &program), 0);
    close(in[0]);
    close(out[1]);
    ck_assert_int_eq(write(in[1], "words ", 6), 6);
    close(in[1]);
    ck_assert_int_eq(end_of(&program).status, 3);
    ck_assert_int_gt(read(out[0], text, sizeof text - 1), 0);
    ck_assert_str_eq(text, "words end\n");
    close(out[0]);
    copi_spawner_bury(&program);
}

TEST(says_that_it_cannot_have_what_is_no_descriptor)
{
    struct copi_program program;
    const struct copi_program_io io = {.output = 900};
    copi_library_begin();
    ck_assert_int_eq(copi_spawner_run_with(ARGV("true"), &io, &program), -EBADF);
    ck_assert(!has_children());
}

/* Then a pipe of the spawner's own gets their numbers. */
TEST(works_when_the_standard_descriptors_are_closed)
{
    struct copi_program program;
    int kept[3];
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        close(fd);
    }
    int missing = try_to_run(ARGV("/no/such/program"), &program);
    int there = try_to_run(ARGV("true"), &program);
    for (int fd = 2; there == 0 && fd >= 0; fd--) {
        if (program.pidfd == fd) { /* out of the way of what comes back */
            program.pidfd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        }
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
    ck_assert_int_eq(missing, -ENOENT);
    ck_assert_int_eq(there, 0);
    ck_assert_int_eq(end_of(&program).status, 0);
    copi_spawner_bury(&program);
}

/* ---------------------------------------------------------------- how it ends */

TEST(says_that_it_still_runs)
{
    struct copi_program_end end;
    struct copi_program program = run(ARGV("sleep", "1000"));
    ck_assert_int_eq(copi_spawner_status(&program, &end), -EAGAIN);
    copi_spawner_bury(&program);
    ck_assert(!has_children());
}

TEST(tells_the_exit_status)
{
    ck_assert_int_eq(status_of(SH("exit 3")), 3);
    ck_assert_int_eq(status_of(SH("exit 255")), 255);
}

TEST(tells_the_signal)
{
    struct copi_program program = run(SH("kill -SEGV $$"));
    struct copi_program_end end = end_of(&program);
    ck_assert_int_eq(end.signal, SIGSEGV);
    ck_assert_int_eq(end.status, 0);
    copi_spawner_bury(&program);
}

TEST(tells_the_end_as_often_as_it_is_asked)
{
    struct copi_program program = run(SH("exit 3"));
    ck_assert_int_eq(end_of(&program).status, 3);
    ck_assert_int_eq(end_of(&program).status, 3);
    copi_spawner_bury(&program);
    ck_assert_int_eq(program.pidfd, -1);
}

TEST(admits_that_somebody_else_has_reaped_it)
{
    struct copi_program_end end;
    struct copi_program program = run(SH("exit 3"));
    ck_assert_int_eq(waitpid(-1, NULL, 0), program.pid);
    ck_assert(is_readable(program.pidfd));
    ck_assert_int_eq(copi_spawner_status(&program, &end), -ECHILD);
    copi_spawner_bury(&program);
}

TEST(buries_one_that_ignores_every_request)
{
    pid_t itself;
    struct copi_program program =
        run_with_child("trap '' TERM INT HUP; echo $$; while :; do sleep 1; done", &itself);
    copi_spawner_signal(&program, SIGTERM);
    copi_spawner_bury(&program);
    ck_assert_int_eq(kill(itself, 0), -1);
    ck_assert(!has_children());
}

TEST(buries_what_a_dead_leader_has_left_in_its_group)
{
    pid_t child;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct copi_program program = run_with_child("trap '' TERM; sleep 1000 & echo $!", &child);
    ck_assert_int_eq(end_of(&program).status, 0);
    ck_assert_int_eq(kill(child, 0), 0);
    copi_spawner_signal(&program, SIGTERM); /* which it ignores */
    copi_spawner_bury(&program);
    ck_assert_int_eq(signal_that_ended(child), SIGKILL);
    ck_assert(!has_children());
}

TEST(signals_the_whole_group)
{
    pid_t child;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct copi_program program = run_with_child("sleep 1000 & echo $!; wait", &child);
    copi_spawner_signal(&program, SIGTERM);
    ck_assert_int_eq(end_of(&program).signal, SIGTERM);
    ck_assert_int_eq(signal_that_ended(child), SIGTERM);
    copi_spawner_bury(&program);
}

/* ---------------------------------------------------------------- the thread */

TEST(kills_its_programs_when_it_stops)
{
    struct copi_program program = run(ARGV("sleep", "1000"));
    copi_spawner_stop();
    ck_assert_int_eq(end_of(&program).signal, SIGKILL);
    copi_spawner_bury(&program);
    ck_assert(!has_children());
}

TEST(starts_again_after_it_was_stopped)
{
    copi_spawner_stop();
    unsigned descriptors = test_descriptors();
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(status_of(ARGV("true")), 0);
        copi_spawner_stop();
        copi_spawner_stop();
    }
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

static void *
run_some(void *unused)
{
    for (int i = 0; i < 25; i++) {
        char script[16];
        (void)snprintf(script, sizeof script, "exit %d", i);
        ck_assert_int_eq(status_of(SH(script)), i);
    }
    return unused;
}

TEST(serves_many_threads_at_once)
{
    pthread_t threads[8];
    unsigned descriptors = test_descriptors();
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_some, NULL), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert(!has_children());
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

static void __attribute__((noreturn)) be_a_daemon(int told)
{
    struct copi_program program;
    copi_library_begin();
    if (copi_spawner_run(ARGV("sleep", "1000"), &program) != 0
        || write(told, &program.pid, sizeof program.pid) < 0) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

TEST(takes_its_programs_along_when_it_is_killed)
{
    int pipe_fd[2];
    pid_t child = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    ck_assert_int_eq(pipe(pipe_fd), 0);
    pid_t daemon_pid = fork();
    if (daemon_pid == 0) {
        be_a_daemon(pipe_fd[1]);
    }
    close(pipe_fd[1]);
    ck_assert_int_eq(read(pipe_fd[0], &child, sizeof child), (ssize_t)sizeof child);
    ck_assert_int_eq(kill(daemon_pid, SIGKILL), 0);
    ck_assert_int_eq(signal_that_ended(daemon_pid), SIGKILL);
    ck_assert_int_eq(signal_that_ended(child), SIGKILL);
    close(pipe_fd[0]);
}

static bool
eventually_gone(pid_t pid)
{
    for (cop_time left = SOON; left > 0 && kill(pid, 0) == 0; left -= COP_MS(1)) {
        copi_spawner_reap_orphans();
        poll(NULL, 0, 1);
    }
    return kill(pid, 0) != 0;
}

TEST(reaps_orphans_and_leaves_its_programs_alone)
{
    pid_t orphan;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct copi_program program = run_with_child("sleep 0.01 & echo $!; exit 3", &orphan);
    ck_assert(is_readable(program.pidfd));
    ck_assert(eventually_gone(orphan));
    ck_assert_int_eq(end_of(&program).status, 3);
    copi_spawner_bury(&program);
    ck_assert(!has_children());
}

SUITE("spawner")
