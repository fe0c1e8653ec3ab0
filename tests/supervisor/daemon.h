/*
 * tests/supervisor/daemon.h - a daemon, and who watches it.
 *
 * Room: tests/. The daemon is a child of the test, forked before the library is touched; what runs in
 * it tells the test through a pipe, which is also its commands' standard output.
 */
#ifndef COPI_TESTS_DAEMON_H
#define COPI_TESTS_DAEMON_H

#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_MS ((int)(SOON / COP_MS(1)))

#define SH(script) ((const char *const[]){"/bin/sh", "-c", (script), NULL})
#define TREE(...)  (&(const cop_supervisor_spec){__VA_ARGS__})

struct daemon {
    pid_t pid;
    int told;
};

static inline struct daemon
run_after(void (*prepare)(void), const cop_supervisor_spec *root)
{
    int pipe_fd[2];
    ck_assert_int_eq(pipe2(pipe_fd, O_CLOEXEC), 0);
    (void)fflush(stdout);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(pipe_fd[1], STDOUT_FILENO);
        close(pipe_fd[0]);
        close(pipe_fd[1]);
        if (prepare) {
            prepare();
        }
        _exit(cop_run(root));
    }
    /* In the place of what is not read otherwise, so that not one more is open. */
    dup2(pipe_fd[0], STDIN_FILENO);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return (struct daemon){.pid = pid, .told = STDIN_FILENO};
}

static inline struct daemon
run(const cop_supervisor_spec *root)
{
    return run_after(NULL, root);
}

static inline void
tell(const char *what)
{
    ssize_t written = write(STDOUT_FILENO, what, strlen(what));
    (void)written;
}

/* '\0': it has closed its end, and so have its commands. */
static inline char
hear(const struct daemon *daemon)
{
    char c = '\0';
    struct pollfd polled = {.fd = daemon->told, .events = POLLIN};
    ck_assert_int_eq(poll(&polled, 1, MOST_MS), 1);
    ck_assert_int_ge(read(daemon->told, &c, 1), 0);
    return c;
}

static inline pid_t
hear_pid(const struct daemon *daemon)
{
    char text[16] = {0};
    for (size_t i = 0; i < sizeof text - 1 && (text[i] = hear(daemon)) != '\n'; i++) {
        ck_assert_int_ne(text[i], '\0');
    }
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    ck_assert_int_gt(pid, 1);
    return pid;
}

static inline int
status_of(const struct daemon *daemon)
{
    int status;
    ck_assert_int_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline int
status_after(const struct daemon *daemon, int signal)
{
    ck_assert_int_eq(kill(daemon->pid, signal), 0);
    return status_of(daemon);
}

#endif
