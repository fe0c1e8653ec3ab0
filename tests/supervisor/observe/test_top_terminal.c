/*
 * tests/supervisor/observe/test_top_terminal.c - coppice-top before a daemon that does what daemons do not.
 *
 * Room: tests/. The daemon is the test; the terminal is one whose other end the test has. What coppice-top does
 * with a real daemon, and with keys: test_top.sh.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define GREETING "coppice-observer\t1\tkv\t42\tcrash\n"
#define PICTURE  "ok\ncolumns\tdepth\tpid\tname\nprocess\t0\t<2.1>\tthe-root\n\n"

static char folder[] = "/tmp/coppice-top-XXXXXX", path[64], program[256];
static int listener, top_end; /* of the terminal, or of the pipe that it writes to */
static pid_t top;

/* ---------------------------------------------------------------- the daemon */

static void
begin(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *build = getenv("BUILD");
    (void)snprintf(program, sizeof program, "%s/coppice-top", build ? build : "build");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
}

static void
leave(void)
{
    close(listener);
    unlink(path);
}

static int
meet(void)
{
    int daemon = accept(listener, NULL, NULL);
    ck_assert_int_ge(daemon, 0);
    ck_assert_int_eq(send(daemon, GREETING, strlen(GREETING), MSG_NOSIGNAL), strlen(GREETING));
    return daemon;
}

static void
answer(int daemon, const char *words)
{
    char question[64];
    ck_assert_int_gt(recv(daemon, question, sizeof question, 0), 0);
    ck_assert_int_eq(send(daemon, words, strlen(words), MSG_NOSIGNAL), (ssize_t)strlen(words));
}

/* ---------------------------------------------------------------- coppice-top */

/* With `out` for everything that it writes, and reads if that is a terminal. */
static void
start_top(int out, const char *option)
{
    top = fork();
    ck_assert_int_ge(top, 0);
    if (top == 0) {
        setsid(); /* the terminal is not the one that sends it signals */
        dup2(out, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        setenv("TERM", "xterm", 1);
        execl(program, program, "--interval", "0.1", path, option, (char *)NULL);
        _exit(127);
    }
    close(out);
}

static void
start_on_terminal(void)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 120};
    top_end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(top_end, 0);
    ck_assert_int_eq(grantpt(top_end), 0);
    ck_assert_int_eq(unlockpt(top_end), 0);
    int its_end = open(ptsname(top_end), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(its_end, 0);
    ck_assert_int_eq(ioctl(its_end, TIOCSWINSZ, &size), 0);
    start_top(its_end, NULL);
}

/* Until it has written that: all that it has written since the last time. */
static void
shows(const char *words)
{
    static char seen[1 << 20];
    size_t size = 0;
    struct pollfd news = {.fd = top_end, .events = POLLIN};
    while (poll(&news, 1, (int)(SOON / COP_MS(1))) == 1) {
        ssize_t n = read(top_end, seen + size, sizeof seen - 1 - size);
        ck_assert_int_gt(n, 0);
        size += (size_t)n;
        seen[size] = '\0';
        if (strstr(seen, words)) {
            return;
        }
    }
    ck_abort_msg("\"%s\" is not in: %s", words, seen);
}

static int
status_of_top(void)
{
    int status;
    ck_assert_int_eq(waitpid(top, &status, 0), top);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
quit(void)
{
    ck_assert_int_eq(write(top_end, "q", 1), 1);
    ck_assert_int_eq(status_of_top(), 0);
    close(top_end);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* ---------------------------------------------------------------- tests */

TEST(an_answer_that_is_no_picture_is_one_line_and_a_status)
{
    int both[2];
    begin();
    ck_assert_int_eq(pipe2(both, O_CLOEXEC), 0);
    top_end = both[0];
    start_top(both[1], "--once");
    int daemon = meet();
    answer(daemon, "error\tno pictures today\n\n");
    shows("no observer that this program understands");
    ck_assert_int_eq(status_of_top(), 1);
    close(top_end);
    close(daemon);
    leave();
    rmdir(folder);
}

TEST(a_refusal_is_shown_in_the_daemons_words_and_asked_about_again)
{
    begin();
    start_on_terminal();
    int daemon = meet();
    answer(daemon, "error\tno pictures today\n\n");
    shows("no pictures today");
    answer(daemon, PICTURE);
    shows("the-root");
    leave();
    quit();
    close(daemon);
}

TEST(where_there_is_no_daemon_yet_one_is_waited_for)
{
    begin();
    leave();
    start_on_terminal();
    shows("No such file or directory; trying again");
    quit();
}

TEST(a_daemon_that_hears_no_questions_has_gone)
{
    begin();
    start_on_terminal();
    int daemon = accept(listener, NULL, NULL);
    ck_assert_int_ge(daemon, 0);
    ck_assert_int_eq(shutdown(daemon, SHUT_RD), 0);
    ck_assert_int_eq(send(daemon, GREETING, strlen(GREETING), MSG_NOSIGNAL), strlen(GREETING));
    shows("it has gone; trying again");
    int next = meet();
    answer(next, PICTURE);
    shows("the-root");
    leave();
    quit();
    close(daemon);
    close(next);
}

TEST(it_ends_with_its_terminal)
{
    begin();
    start_on_terminal();
    int daemon = meet();
    answer(daemon, PICTURE);
    shows("the-root");
    close(top_end);
    ck_assert_int_eq(status_of_top(), 0);
    close(daemon);
    leave();
    rmdir(folder);
}

SUITE("top_terminal")
