/*
 * tests/supervisor/test_manager.c - what the service manager is told.
 *
 * Room: tests/. The test is the manager: it reads what comes at its address.
 */
#include "runtime/thread.h"
#include "supervisor/manager.h"
#include "supervisor/status.h"
#include "tests/support/support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int heard = -1; /* the manager's socket */

/* Its end, under a name of the abstract kind that no other test has. */
static void
listen_as(const char *name, socklen_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, length);
    heard = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(heard, 0);
    length += (socklen_t)offsetof(struct sockaddr_un, sun_path);
    ck_assert_int_eq(bind(heard, (struct sockaddr *)&address, length), 0);
}

static void
begin_manager(void)
{
    char name[64];
    int length = snprintf(name, sizeof name, "@coppice-test-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    listen_as(name, (socklen_t)length);
}

/* The next that it is told; "": nothing is there. */
static const char *
told(void)
{
    static char text[1024];
    ssize_t size = recv(heard, text, sizeof text - 1, MSG_DONTWAIT);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void
end_manager(void)
{
    copi_manager_close();
    close(heard);
}

/* ---------------------------------------------------------------- none, or a bad one */

TEST(without_a_manager_nothing_is_told_and_nothing_is_due)
{
    unsetenv("NOTIFY_SOCKET");
    copi_manager_open();
    copi_manager_ready();
    copi_manager_reloading();
    copi_manager_stopping();
    copi_manager_failed("x");
    ck_assert_int_eq(copi_manager_attend(), COP_FOREVER);
    copi_manager_close();
}

TEST(an_address_that_is_none_is_reported)
{
    char too_long[256];
    memset(too_long, 'x', sizeof too_long);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    const char *const none[] = {"relative", "@", "/", too_long};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        setenv("NOTIFY_SOCKET", none[i], 1);
        test_catch_stderr();
        copi_manager_open();
        char *said = test_caught_stderr();
        ck_assert_uint_eq(test_count(said, "is no address"), 1);
        free(said);
        ck_assert_int_eq(copi_manager_attend(), COP_FOREVER);
        copi_manager_close();
    }
}

TEST(without_a_socket_the_manager_is_not_told_and_that_is_reported)
{
    setenv("NOTIFY_SOCKET", "@coppice-test", 1);
    test_refuse_system_call(SYS_socket, EMFILE);
    test_catch_stderr();
    copi_manager_open();
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "warning: the service manager is not told: "), 1);
    free(said);
    copi_manager_ready();
    ck_assert_int_eq(copi_manager_attend(), COP_FOREVER);
    copi_manager_close();
}

TEST(a_manager_that_is_gone_costs_nothing)
{
    begin_manager();
    copi_manager_open();
    close(heard);
    copi_manager_ready();
    copi_manager_stopping();
    copi_manager_close();
}

TEST(a_manager_that_does_not_read_costs_a_moment)
{
    begin_manager();
    copi_manager_open();
    cop_time before = cop_now();
    while (cop_now() - before < COP_MS(900)) {
        copi_manager_ready(); /* one of them finds no room, and goes on after a second */
    }
    ck_assert_int_ge(cop_now() - before, COP_MS(900));
    end_manager();
}

static void
hear_signal(int number)
{
    (void)number;
}

TEST(signals_do_not_make_that_moment_longer_and_longer)
{
    const struct itimerval often = {{.tv_usec = 20000}, {.tv_usec = 20000}}, never = {0};
    const struct sigaction heard_by = {.sa_handler = hear_signal};
    struct sigaction before;
    begin_manager();
    copi_manager_open();
    ck_assert_int_eq(sigaction(SIGALRM, &heard_by, &before), 0);
    setitimer(ITIMER_REAL, &often, NULL);
    cop_time begin = cop_now();
    while (cop_now() - begin < COP_MS(900)) {
        copi_manager_ready();
    }
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_int_eq(sigaction(SIGALRM, &before, NULL), 0);
    end_manager();
}

/* ---------------------------------------------------------------- up, and not */

TEST(it_is_told_when_the_tree_is_up)
{
    begin_manager();
    copi_manager_open();
    copi_manager_attend();
    ck_assert_str_eq(told(), "");
    copi_manager_ready();
    ck_assert_str_eq(told(), "READY=1\nSTATUS=0 processes, 0 restarts, 0 disowned");
    end_manager();
}

TEST(its_address_may_be_a_path)
{
    char path[64];
    int length = snprintf(path, sizeof path, "/tmp/coppice-test-%d", (int)getpid());
    unlink(path);
    setenv("NOTIFY_SOCKET", path, 1);
    listen_as(path, (socklen_t)length + 1);
    copi_manager_open();
    copi_manager_stopping();
    ck_assert_str_eq(told(), "STOPPING=1\nSTATUS=stopping");
    end_manager();
    unlink(path);
}

TEST(it_is_told_why_the_tree_has_ended)
{
    begin_manager();
    copi_manager_open();
    copi_manager_failed("the tree gave up: x");
    ck_assert_str_eq(told(), "STOPPING=1\nSTATUS=the tree gave up: x");
    end_manager();
}

TEST(what_is_being_stopped_is_not_up_again)
{
    begin_manager();
    copi_manager_open();
    copi_manager_stopping();
    ck_assert_str_ne(told(), "");
    copi_status_restarted();
    copi_manager_reloading();
    copi_manager_ready();
    copi_manager_attend();
    ck_assert_str_eq(told(), "");
    end_manager();
}

TEST(a_reload_is_told_with_its_time)
{
    begin_manager();
    copi_manager_open();
    copi_manager_ready();
    told();
    cop_time before = copi_clock();
    copi_manager_reloading();
    static const char words[] = "RELOADING=1\nMONOTONIC_USEC=";
    const char *text = told();
    ck_assert_int_eq(strncmp(text, words, sizeof words - 1), 0);
    long long us = strtoll(text + sizeof words - 1, NULL, 10);
    ck_assert_int_ge(us, before / COP_US(1));
    ck_assert_int_le(us, copi_clock() / COP_US(1));
    end_manager();
}

/* ---------------------------------------------------------------- the status */

TEST(a_status_is_told_when_it_has_changed_and_after_a_pause)
{
    begin_manager();
    copi_manager_open();
    copi_manager_ready();
    told();
    ck_assert_int_eq(copi_manager_attend(), COP_FOREVER); /* as it was told */
    ck_assert_str_eq(told(), "");
    copi_status_restarted();
    ck_assert_int_gt(copi_manager_attend(), 0);
    ck_assert_str_eq(told(), "STATUS=0 processes, 1 restarts, 0 disowned");
    cop_time begin = cop_now();
    copi_status_restarted();
    copi_status_restarted();
    cop_time left;
    while (strcmp(told(), "STATUS=0 processes, 3 restarts, 0 disowned") != 0) {
        left = copi_manager_attend();
        ck_assert_int_le(left, COP_SEC(1));
        poll(NULL, 0, (int)(left / COP_MS(1)) + 1);
    }
    ck_assert_int_ge(cop_now() - begin, COP_MS(900));
    end_manager();
}

/* ---------------------------------------------------------------- the watchdog */

static void
begin_watchdog(const char *usec, const char *pid)
{
    begin_manager();
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid) {
        setenv("WATCHDOG_PID", pid, 1);
    }
    copi_manager_open();
}

TEST(a_watchdog_that_is_none_is_not_fed)
{
    const char *const none[] = {"", "0", "1", "x", "5s", "99999999999999999999"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        begin_watchdog(none[i], NULL);
        ck_assert_int_eq(copi_manager_attend(), COP_FOREVER);
        ck_assert_str_eq(told(), "");
        end_manager();
    }
}

TEST(another_process_s_watchdog_is_not_fed)
{
    begin_watchdog("1000000", "1");
    ck_assert_int_eq(copi_manager_attend(), COP_FOREVER);
    ck_assert_str_eq(told(), "");
    end_manager();
}

TEST(the_watchdog_is_fed_twice_in_its_time)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    begin_watchdog("400000", pid);
    cop_time begin = cop_now();
    cop_time left = copi_manager_attend();
    ck_assert_str_eq(told(), "WATCHDOG=1");
    ck_assert_int_le(left, COP_MS(200));
    ck_assert_int_gt(left, 0);
    while (strcmp(told(), "WATCHDOG=1") != 0) {
        left = copi_manager_attend();
        poll(NULL, 0, (int)(left / COP_MS(1)) + 1);
    }
    ck_assert_int_ge(cop_now() - begin, COP_MS(200));
    end_manager();
}

SUITE("manager")
