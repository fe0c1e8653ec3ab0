/*
 * runtime/spawner.c - the one thread that makes processes of the operating system.
 *
 * Room: runtime/. Knows the seam only. The spawner's thread, and whoever asks it.
 * Touch freely: what a program inherits. Ask first: the order of the steps between fork and exec.
 *
 * A parent-death signal is sent when the thread that forked ends, not when its process does. So one
 * thread makes all programs and lives until the library is shut down.
 *
 * The child of a vfork runs on this thread's stack, in everybody's memory, while every other thread
 * goes on: it may call only what is async-signal-safe, and it allocates, locks and frees nothing.
 * The signal handlers of the application must not run in it: this thread blocks all signals, as every
 * library thread does, and the child unblocks them when no handler is left.
 *
 * Under ThreadSanitizer and valgrind a vfork is a fork. Then the child has memory of its own, and its
 * parent goes on at once. `shares_memory`, set by the child, tells the parent which one it was; the
 * pipe, which exec closes, is what it learns the child's error by after a fork. After a vfork it must
 * not wait for the pipe: an unrelated fork of the application's may hold the other end for ever.
 *
 * A program is waited for by its pidfd and stays a zombie until it is buried. As long as it is one,
 * its number belongs to it and to its group, so no signal can hit a stranger.
 */
#include "runtime/spawner.h"

#include "runtime/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_PRIVATE_FD = STDERR_FILENO + 1,
    STATUS_NOT_STARTED = 127, /* a shell's; nobody sees it */
};

/* On the stack of who asks. */
struct request {
    const char *path;
    const char *const *argv;
    struct copi_program_io io;
    struct copi_parker parker;
    /* guarded by the spawner's lock */
    struct request *next;
    bool is_done;
    /* the spawner's until is_done */
    int result;
    struct copi_program program;
};

static struct {
    copi_lock lock;
    struct copi_parker parker; /* the thread's */
    struct copi_library_thread thread;
    /* guarded by lock */
    enum {
        IDLE,
        STARTING,
        RUNNING,
        STOPPING,
    } state;
    struct request *first, **end;
} spawner = {
    .lock = COPI_LOCK_INIT,
    .parker = {.wake_fd = -1},
    .end = &spawner.first,
};

/* ---------------------------------------------------------------- in the child */

/* What the child needs to know, and what it says. */
struct birth {
    const char *path;
    char *const *argv;
    struct copi_program_io io;
    pid_t parent;
    int report; /* the end of the pipe that it writes to: FIRST_PRIVATE_FD or above */
    /* written by the child, between the two returns of vfork, unseen by the compiler */
    volatile bool shares_memory;
    volatile int error;
};

static int
die_with_parent(pid_t parent)
{
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return -1;
    }
    if (getppid() != parent) { /* it died before the kernel knew what to do about it */
        errno = ESRCH;
        return -1;
    }
    return 0;
}

/*
 * Standard input is nobody's to share. The group is not the terminal's foreground group either: a
 * read would stop the program, and nobody would continue it.
 */
static void
take_empty_input(void)
{
    int null = open("/dev/null", O_RDONLY);
    if (null > STDIN_FILENO) {
        dup2(null, STDIN_FILENO);
    }
}

/* 0: it has what it has. */
static bool
take_as(int fd, int number)
{
    return fd == 0 || dup2(fd, number) >= 0;
}

static int
take_given(const struct copi_program_io *io)
{
    return take_as(io->input, STDIN_FILENO) && take_as(io->output, STDOUT_FILENO)
                   && take_as(io->error, STDERR_FILENO)
               ? 0
               : -1;
}

/* All but the report, which exec closes. */
static int
close_private(int report)
{
    if (report > FIRST_PRIVATE_FD
        && syscall(SYS_close_range, FIRST_PRIVATE_FD, (unsigned)report - 1, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_close_range, (unsigned)report + 1, ~0U, 0);
}

/* Handlers first: none of them may run here. An ignored signal would stay ignored over exec. */
static void
reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset(&action.sa_mask);
    for (int signal = 1; signal < NSIG; signal++) {
        sigaction(signal, &action, NULL); /* some refuse, and they are as they should be */
    }
    pthread_sigmask(SIG_SETMASK, &action.sa_mask, NULL);
}

static _Noreturn void
be_born(struct birth *birth)
{
    birth->shares_memory = true;
    if (die_with_parent(birth->parent) == 0 && take_given(&birth->io) == 0
        && close_private(birth->report) == 0) {
        if (birth->io.input == 0) {
            take_empty_input();
        }
        reset_signals();
        execve(birth->path, birth->argv, environ);
    }
    int error = errno;
    birth->error = error;
    ssize_t written = write(birth->report, &error, sizeof error);
    (void)written; /* nobody is left to tell */
    _exit(STATUS_NOT_STARTED);
}

/* ---------------------------------------------------------------- the spawner's thread */

static pid_t
fork_and_exec(struct birth *birth)
{
    copi_blocking_begin();
    /* What makes it safe stands at the top of this file. */
    /* cppcheck-suppress vforkCalled */
    pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
    if (pid == 0) {
        be_born(birth); /* NOLINT(clang-analyzer-unix.Vfork) */
    }
    copi_blocking_end();
    return pid;
}

/* Why the program did not start, or 0. */
static int
hear(const struct birth *birth, int report)
{
    if (birth->shares_memory) {
        return -birth->error;
    }
    int error = 0;
    copi_blocking_begin();
    ssize_t size = read(report, &error, sizeof error);
    copi_blocking_end();
    return size == (ssize_t)sizeof error ? -error : 0;
}

/* The child will have its own idea of 0, 1 and 2. */
static int
make_report(int report[2])
{
    if (pipe2(report, O_CLOEXEC) != 0) {
        return -errno;
    }
    if (report[1] < FIRST_PRIVATE_FD) {
        int moved = fcntl(report[1], F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD);
        int r = moved < 0 ? -errno : 0;
        close(report[1]);
        report[1] = moved;
        if (r) {
            close(report[0]);
        }
        return r;
    }
    return 0;
}

/* EINTR: an actor thread that does not stop is interrupted again and again. */
static int
wait_for(idtype_t type, id_t id, siginfo_t *info, int options)
{
    int r;
    do {
        r = waitid(type, id, info, options);
    } while (r != 0 && errno == EINTR);
    return r ? -errno : 0;
}

static void
undo(struct copi_program *program)
{
    siginfo_t info;
    if (program->pidfd >= 0) {
        copi_spawner_bury(program);
        return;
    }
    copi_spawner_signal(program, SIGKILL);
    copi_blocking_begin();
    wait_for(P_PID, (id_t)program->pid, &info, WEXITED);
    copi_blocking_end();
}

/* The pipe's end is closed first, so that there is a descriptor left for the pidfd. */
static int
adopt(const struct birth *birth, pid_t pid, const int report[2], struct copi_program *program)
{
    close(report[1]);
    program->pid = pid;
    program->pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* CLOEXEC by nature */
    int unwatched = program->pidfd < 0 ? -errno : 0;
    int r = hear(birth, report[0]);
    close(report[0]);
    if (unwatched == -ESRCH) { /* it has ended, and somebody else has reaped it */
        return r ? r : -ECHILD;
    }
    if (r || unwatched) {
        undo(program);
    }
    return r ? r : unwatched;
}

static int
serve(struct request *request)
{
    union {
        const char *const *in; /* cppcheck-suppress unusedStructMember */
        char *const *out;      /* execve's type is older than const */
    } argv = {.in = request->argv};
    int report[2];
    int r = make_report(report);
    if (r) {
        return r;
    }
    struct birth birth = {
        .path = request->path,
        .argv = argv.out,
        .io = request->io,
        .parent = getpid(),
        .report = report[1],
    };
    pid_t pid = fork_and_exec(&birth);
    if (pid < 0) {
        r = -errno;
        close(report[0]);
        close(report[1]);
        return r;
    }
    return adopt(&birth, pid, report, &request->program);
}

/* Under the lock to the end: who asked takes it to see the result, and then its request is gone. */
static void
finish_locked(struct request *request, int result)
{
    request->result = result;
    request->is_done = true;
    copi_unpark(&request->parker);
}

static struct request *
take_first_locked(void)
{
    struct request *request = spawner.first;
    if (request && !(spawner.first = request->next)) {
        spawner.end = &spawner.first;
    }
    return request;
}

/* NULL: it is to stop, and nobody waits. */
static struct request *
next_request(void)
{
    struct request *request;
    copi_lock_take(&spawner.lock);
    while (!(request = take_first_locked()) && spawner.state != STOPPING) {
        copi_lock_give(&spawner.lock);
        copi_park(&spawner.parker, COP_FOREVER);
        copi_lock_take(&spawner.lock);
    }
    copi_lock_give(&spawner.lock);
    return request;
}

static void
run(void *unused)
{
    (void)unused;
    for (struct request *request; (request = next_request());) {
        int result = serve(request);
        copi_lock_take(&spawner.lock);
        finish_locked(request, result);
        copi_lock_give(&spawner.lock);
    }
}

/* ---------------------------------------------------------------- asking it */

static void
start_thread(void)
{
    int r = copi_library_thread_start(&spawner.thread, "cop:spawner", run, NULL);
    copi_lock_take(&spawner.lock);
    spawner.state = r ? IDLE : RUNNING;
    for (struct request *request; r && (request = take_first_locked());) {
        finish_locked(request, r);
    }
    copi_lock_give(&spawner.lock);
}

/* Whoever finds no thread starts it, for all who ask meanwhile. */
static void
submit(struct request *request)
{
    copi_lock_take(&spawner.lock);
    bool must_start = spawner.state == IDLE;
    if (spawner.state == STOPPING) {
        finish_locked(request, -ECANCELED);
    } else {
        spawner.state = must_start ? STARTING : spawner.state;
        *spawner.end = request;
        spawner.end = &request->next;
    }
    copi_lock_give(&spawner.lock);
    if (must_start) {
        start_thread();
    } else {
        copi_unpark(&spawner.parker);
    }
}

static void
await(struct request *request)
{
    bool is_done;
    do {
        copi_park(&request->parker, COP_FOREVER); /* kept, if the wake-up came first */
        copi_lock_take(&spawner.lock);
        is_done = request->is_done;
        copi_lock_give(&spawner.lock);
    } while (!is_done);
}

/* What execve would say of a file, as far as it can be told without running it. */
static int
check_program(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) {
        return -errno;
    }
    return S_ISREG(status.st_mode) ? 0 : -EACCES;
}

/* As a shell does: the first that can be run; else -EACCES if there was one at all. */
static int
search(const char *directories, const char *name, char path[PATH_MAX])
{
    int r = -ENOENT;
    for (const char *at = directories, *end; at; at = *end ? end + 1 : NULL) {
        end = strchrnul(at, ':');
        const char *separator = end > at ? "/" : ""; /* an empty one is the working directory */
        int length = snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - at), at, separator, name);
        int found = length < PATH_MAX ? check_program(path) : -ENAMETOOLONG;
        if (found == 0) {
            return 0;
        }
        r = found == -EACCES ? found : r;
    }
    return r;
}

static int
find_program(const char *name, char path[PATH_MAX])
{
    if (strchr(name, '/')) { /* execve will tell what is wrong with it */
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX ? 0 : -ENAMETOOLONG;
    }
    const char *directories = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): as execvp does */
    copi_blocking_begin();
    int r = *name ? search(directories ? directories : "/bin:/usr/bin", name, path) : -ENOENT;
    copi_blocking_end();
    return r;
}

int
copi_spawner_run(const char *const argv[], struct copi_program *program)
{
    return copi_spawner_run_with(argv, &(struct copi_program_io){0}, program);
}

int
copi_spawner_run_with(const char *const argv[], const struct copi_program_io *io,
                      struct copi_program *program)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    if (!argv || !argv[0]) {
        return -EINVAL;
    }
    char path[PATH_MAX];
    int r = find_program(argv[0], path);
    if (r) {
        return r;
    }
    struct request request = {.path = path, .argv = argv, .io = *io};
    copi_parker_init(&request.parker);
    submit(&request);
    await(&request);
    copi_parker_fini(&request.parker);
    if (request.result == 0) {
        *program = request.program;
    }
    return request.result;
}

void
copi_spawner_stop(void)
{
    copi_lock_take(&spawner.lock);
    bool is_running = spawner.state == RUNNING;
    if (is_running) {
        spawner.state = STOPPING;
    }
    copi_lock_give(&spawner.lock);
    if (!is_running) {
        return;
    }
    copi_unpark(&spawner.parker);
    copi_library_thread_join(&spawner.thread);
    copi_lock_take(&spawner.lock);
    spawner.state = IDLE;
    copi_lock_give(&spawner.lock);
}

/* ---------------------------------------------------------------- a program's life */

/* A program can leave its group; then it has to be addressed by itself. */
void
copi_spawner_signal(const struct copi_program *program, int signal)
{
    if (kill(-program->pid, signal) != 0) {
        kill(program->pid, signal);
    }
}

int
copi_spawner_status(const struct copi_program *program, struct copi_program_end *end)
{
    siginfo_t info = {0};
    int r = wait_for(P_PIDFD, (id_t)program->pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
    if (r || info.si_pid == 0) {
        return r ? r : -EAGAIN;
    }
    bool exited = info.si_code == CLD_EXITED;
    *end = (struct copi_program_end){
        .status = exited ? info.si_status : 0,
        .signal = exited ? 0 : info.si_status,
    };
    return 0;
}

void
copi_spawner_bury(struct copi_program *program)
{
    struct copi_program_end end;
    siginfo_t info;
    if (copi_spawner_status(program, &end) != -ECHILD) { /* else its number may be another's */
        copi_spawner_signal(program, SIGKILL);
        copi_blocking_begin();
        wait_for(P_PIDFD, (id_t)program->pidfd, &info, WEXITED);
        copi_blocking_end();
    }
    close(program->pidfd);
    program->pidfd = -1;
}

/*
 * Orphans are handed to the main thread of whoever adopts them, and wait looks at one thread's
 * children if asked to: so the programs of this file, and what other threads have forked, are left to
 * those who wait for them.
 */
void
copi_spawner_reap_orphans(void)
{
    siginfo_t info;
    do {
        info.si_pid = 0;
    } while (wait_for(P_ALL, 0, &info, WEXITED | WNOHANG | __WNOTHREAD) == 0 && info.si_pid != 0);
}
