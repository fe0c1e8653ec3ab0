/*
 * tests/supervisor/observe/test_web.c - the live page: a child like others.
 *
 * Room: tests/.
 */
#include "runtime/process.h"
#include "tests/supervisor/observe/web.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* ---------------------------------------------------------------- starts that fail */

static int
start_alone(const cop_web_opts *opts)
{
    test_catch_stderr();
    int r =
        cop_supervisor_start(NULL, &(cop_supervisor_spec){COP_CHILDREN(cop_web_spec_with(opts))});
    free(test_caught_stderr());
    return r;
}

TEST(no_options_are_the_defaults)
{
    ck_assert_str_eq(cop_web_spec_with(NULL).name, "coppice_web");
    ck_assert_uint_eq(cop_web_spec_with(NULL).arg.size, sizeof(cop_web_opts));
}

TEST(options_that_cannot_be_fail_the_start)
{
    ck_assert_int_eq(start_alone(&(cop_web_opts){.size = sizeof(cop_web_opts), .port = 65537}),
                     -EINVAL);
    ck_assert_int_eq(start_alone(&(cop_web_opts){
                         .size = sizeof(cop_web_opts), .port = COP_WEB_ANY_PORT, .patience = -1}),
                     -EINVAL);
    ck_assert_int_eq(start_alone(&(cop_web_opts){.size = sizeof(cop_web_opts),
                                                 .port = COP_WEB_ANY_PORT,
                                                 .address = "localhost"}),
                     -EINVAL);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "the page cannot listen"));
}

TEST(a_port_that_is_taken_fails_the_start_and_nothing_is_left)
{
    unsigned port;
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT);
    unsigned before = test_descriptors();
    ck_assert_int_eq(
        start_alone(&(cop_web_opts){.size = sizeof(cop_web_opts), .port = port, .name = "other"}),
        -EADDRINUSE);
    ck_assert_uint_eq(test_descriptors(), before);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

TEST(without_what_libmicrohttpd_waits_with_the_start_fails_and_nothing_is_left)
{
    unsigned port;
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT);
    unsigned before = test_descriptors();
    test_refuse_system_call(SYS_epoll_create1, EMFILE);
    ck_assert_int_eq(start_alone(&(cop_web_opts){
                         .size = sizeof(cop_web_opts), .port = COP_WEB_ANY_PORT, .name = "other"}),
                     -ENOMEM);
    ck_assert_uint_eq(test_descriptors(), before);
    ck_assert_int_eq(status_of(port, "GET /metrics", ""), 200);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

/* ---------------------------------------------------------------- ends */

static atomic_int refused; /* how often readiness is still to be refused */

static bool
is_of_libmicrohttpd(int fd)
{
    char link[32], what[64] = "";
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, what, sizeof what - 1);
    return size > 0 && strstr(what, "eventpoll");
}

cop_ref real_watch(int fd, int events) REAL(cop_io_watch);
cop_ref watch_unless_refused(int fd, int events) WRAP(cop_io_watch);
cop_ref
watch_unless_refused(int fd, int events)
{
    if (refused > 0 && is_of_libmicrohttpd(fd)) {
        refused--;
        copi_fail(-ENOMEM);
        return (cop_ref){0};
    }
    return real_watch(fd, events);
}

/* Whoever says something to it lets libmicrohttpd hear. */
static bool
is_another_after(int guest, cop_pid before)
{
    (void)send(guest, "x", 1, MSG_NOSIGNAL);
    return test_is_another(cop_whereis("coppice_web"), before);
}

TEST(a_page_that_cannot_hear_any_more_is_started_again)
{
    unsigned port, again;
    test_catch_stderr();
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT), before = cop_whereis("coppice_web");
    refused = 1;
    int guest = connect_to(port);
    EVENTUALLY(is_another_after(guest, before));
    EVENTUALLY(cop_web_port(cop_named("coppice_web"), &again, SOON) == 0);
    ck_assert_int_eq(status_of(again, "GET /tree.json", ""), 200);
    close(guest);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    char *said = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(said, "no readiness to be had"));
    free(said);
}

TEST(a_stop_closes_everything_with_guests_in_the_house)
{
    unsigned port;
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT);
    int idle = connect_to(port), half = connect_to(port);
    ck_assert_int_eq(write(half, "GET / HT", 8), 8);
    ck_assert_int_eq(status_of(port, "GET /tree.json", ""), 200);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    free(read_all(idle));
    free(read_all(half));
}

static void
crashes_and_comes_back(cop_reason reason)
{
    unsigned port, again;
    test_catch_stderr();
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT), before = cop_whereis("coppice_web");
    int guest = connect_to(port);
    ck_assert_int_eq(status_of(port, "GET /metrics", ""), 200);
    ck_assert_int_eq(cop_exit_signal(before, reason), 0);
    EVENTUALLY(test_is_another(cop_whereis("coppice_web"), before));
    EVENTUALLY(cop_web_port(cop_named("coppice_web"), &again, SOON) == 0);
    free(read_all(guest));
    ck_assert_int_eq(status_of(again, "GET /tree.json", ""), 200);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    free(test_caught_stderr());
}

TEST(a_crash_closes_everything_too)
{
    crashes_and_comes_back(cop_failed(-EIO, "crashed"));
}

TEST(and_so_does_a_kill)
{
    crashes_and_comes_back(COP_REASON_KILLED);
}

/* ---------------------------------------------------------------- manners */

TEST(a_shortage_of_descriptors_passes)
{
    unsigned port;
    struct rlimit was, few;
    test_catch_stderr();
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT);
    ck_assert_int_eq(status_of(port, "GET /icon.svg", ""), 200);
    int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = was;
    few.rlim_cur = (rlim_t)waiting + 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    int fill[64], filled = 0;
    while (filled < 64 && (fill[filled] = dup(waiting)) >= 0) {
        filled++;
    }
    ck_assert_int_eq(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    static const char request[] =
        "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(write(waiting, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    cop_sleep(COP_MS(20)); /* so that it is seen to fail, mostly */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    while (filled > 0) {
        close(fill[--filled]);
    }
    char *answer = read_all(waiting);
    ck_assert_int_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    free(answer);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    free(test_caught_stderr());
}

static atomic_int breaks_with; /* what accept4 says; 0: it goes as it goes */
static atomic_uint attempts;

int real_accept(int fd, struct sockaddr *name, socklen_t *size, int flags) REAL(accept4);
int accept_unless_broken(int fd, struct sockaddr *name, socklen_t *size, int flags) WRAP(accept4);
int
accept_unless_broken(int fd, struct sockaddr *name, socklen_t *size, int flags)
{
    int error = breaks_with;
    attempts++;
    if (error) {
        errno = error;
        return -1;
    }
    return real_accept(fd, name, size, flags);
}

TEST(a_door_at_which_nobody_can_be_let_in_keeps_the_page_from_nothing)
{
    unsigned port, attempts_once;
    test_catch_stderr();
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT);
    breaks_with = EPERM; /* as a policy of the system's may answer */
    int waiting = connect_to(port);
    EVENTUALLY(attempts > 0);
    ck_assert_int_eq(cop_web_port(cop_named("coppice_web"), &port, SOON), 0);
    attempts_once = attempts;
    EVENTUALLY(attempts > attempts_once); /* after a pause */
    breaks_with = 0;
    ck_assert_int_eq(status_of(port, "GET /icon.svg", ""), 200);
    close(waiting);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, cop_strerror(-EPERM)), 1);
    free(said);
}

TEST(who_is_slow_is_shown_out_and_that_is_said_once)
{
    unsigned port;
    test_catch_stderr();
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT, .patience = COP_MS(50));
    for (int i = 0; i < 3; i++) {
        char *answer = read_all(connect_to(port));
        ck_assert_int_eq(strncmp(answer, "HTTP/1.1 408 ", 13), 0);
        free(answer);
    }
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "a request was refused"), 1);
    free(said);
}

TEST(strange_messages_harm_nobody)
{
    unsigned port;
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT), web = cop_whereis("coppice_web");
    for (uint32_t tag = 0x636f7000; tag < 0x636f7020; tag++) {
        if (tag != 0x636f7012) { /* its own, about a door */
            cop_send(web, COP_TAG(tag));
            cop_cast(web, COP_TAG(tag));
        }
    }
    ck_assert_int_eq(cop_call(web, COP_TAG(1), NULL, 0, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_eq(status_of(port, "GET /tree.json", ""), 200);
    ck_assert(cop_pid_eq(cop_whereis("coppice_web"), web));
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

TEST(suspended_it_answers_when_it_goes_on)
{
    unsigned port;
    cop_pid tree = start_page(&port, .port = COP_WEB_ANY_PORT), web = cop_whereis("coppice_web");
    ck_assert_int_eq(cop_sys_suspend(web, SOON), 0);
    int fd = connect_to(port);
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(write(fd, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    ck_assert_int_eq(cop_sys_resume(web, SOON), 0);
    char *answer = read_all(fd);
    ck_assert_int_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    free(answer);
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

SUITE("web")
