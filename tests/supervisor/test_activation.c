/*
 * tests/supervisor/test_activation.c - descriptors that the service manager has opened for us.
 *
 * Room: tests/. What a service manager passes begins at descriptor 3, where the test has its own: so
 * each test asks in a child of its own, which says by its status what it saw.
 */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that was started with `count` descriptors, so named; for this process or for another. */
static int
status_of_one_with(int count, const char *names, bool is_for_another, int (*ask)(void))
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char text[16];
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int i = 0; i < count; i++) {
            dup2(null, 3 + i);
        }
        (void)snprintf(text, sizeof text, "%d", is_for_another ? 1 : (int)getpid());
        setenv("LISTEN_PID", text, 1);
        (void)snprintf(text, sizeof text, "%d", count);
        setenv("LISTEN_FDS", text, 1);
        if (names) {
            setenv("LISTEN_FDNAMES", names, 1);
        }
        _exit(ask());
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
finds_none(void)
{
    int fd = -1;
    return cop_activated_fd(NULL, &fd) == -ENOENT && fd == -1;
}

static int
takes_two_in_order(void)
{
    int first = -1, second = -1, third = -1;
    return cop_activated_fd(NULL, &first) == 0 && first == 3 && cop_activated_fd(NULL, &second) == 0
           && second == 4 && cop_activated_fd(NULL, &third) == -ENOENT && third == -1;
}

static int
takes_by_name(void)
{
    int web = -1, other = -1, none = -1;
    return cop_activated_fd("web", &web) == 0 && web == 4
           && cop_activated_fd("web", &none) == -ENOENT && cop_activated_fd("we", &none) == -ENOENT
           && cop_activated_fd(NULL, &other) == 0 && other == 3
           && cop_activated_fd("control", &none) == -ENOENT && none == -1;
}

static int
are_closed_in_commands(void)
{
    int fd = -1;
    return cop_activated_fd("control", &fd) == 0 && (fcntl(3, F_GETFD) & FD_CLOEXEC)
           && (fcntl(4, F_GETFD) & FD_CLOEXEC);
}

static int
finds_the_one_that_is_open(void)
{
    int fd = -1;
    close(3);
    return cop_activated_fd(NULL, &fd) == 0 && fd == 4;
}

TEST(without_a_manager_there_is_none)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    int fd = -1;
    ck_assert_int_eq(cop_activated_fd(NULL, &fd), -ENOENT);
    ck_assert_int_eq(fd, -1);
}

TEST(what_is_meant_for_another_process_is_left_alone)
{
    ck_assert_int_eq(status_of_one_with(2, NULL, true, finds_none), 1);
}

TEST(words_that_are_no_numbers_mean_none)
{
    ck_assert_int_eq(status_of_one_with(-3, NULL, false, finds_none), 1);
    setenv("LISTEN_PID", "12x", 1);
    setenv("LISTEN_FDS", "", 1);
    int fd;
    ck_assert_int_eq(cop_activated_fd(NULL, &fd), -ENOENT);
}

TEST(one_that_was_closed_is_not_given)
{
    ck_assert_int_eq(status_of_one_with(2, NULL, false, finds_the_one_that_is_open), 1);
}

TEST(each_is_given_once_in_order)
{
    ck_assert_int_eq(status_of_one_with(2, NULL, false, takes_two_in_order), 1);
}

TEST(one_is_found_by_its_name)
{
    ck_assert_int_eq(status_of_one_with(2, "control:web", false, takes_by_name), 1);
}

TEST(all_are_closed_in_commands)
{
    ck_assert_int_eq(status_of_one_with(2, "control:web", false, are_closed_in_commands), 1);
}

SUITE("activation")
