/*
 * tests/actors/test_port.c - a command's input and output as messages.
 *
 * Room: tests/.
 */
#include "actors/wire.h"
#include "runtime/alloc.h"
#include "tests/actors/late_close.h"
#include "tests/support/programs.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GO = 1,
    DONE,
};

/* A port that is closed as soon as it is open, as by its owner's end. */
static bool closes_at_once;

int real_open(uint64_t *id, const struct copi_wire_start *start) REAL(copi_wire_open);
int open_and_close(uint64_t *id, const struct copi_wire_start *start) WRAP(copi_wire_open);
int
open_and_close(uint64_t *id, const struct copi_wire_start *start)
{
    int r = real_open(id, start);
    if (r == 0 && closes_at_once) {
        ck_assert_int_eq(cop_port_close((cop_port){*id}), 0);
    }
    return r;
}

#define OPENED(argv, ...) \
 opened((argv), &(cop_port_opts){.size = sizeof(cop_port_opts), __VA_ARGS__})

static cop_port
opened(const char *const argv[], const cop_port_opts *opts)
{
    cop_port port;
    ck_assert_int_eq(cop_port_open_with(&port, argv, opts), 0);
    return port;
}

static cop_bytes
next_data(cop_port from)
{
    cop_port port;
    cop_bytes bytes;
    ck_assert_int_eq(cop_port_active_once(from), 0);
    ck_assert(cop_port_data_of(test_receive(COP_MSG_PORT_DATA), &port, &bytes));
    ck_assert_uint_eq(port.id, from.id);
    ck_assert_int_eq(((const char *)bytes.data)[bytes.size], '\0');
    return bytes;
}

static void
next_text(cop_port port, const char *text)
{
    ck_assert_str_eq(next_data(port).data, text);
}

static struct cop_port_end
next_end(cop_port from)
{
    ck_assert_int_eq(cop_port_active_once(from), 0);
    struct cop_port_end end = *COP_BODY(test_receive(COP_MSG_PORT_END), struct cop_port_end);
    ck_assert_uint_eq(end.port.id, from.id);
    return end;
}

static void
ends_with_status(cop_port port, int status)
{
    struct cop_port_end end = next_end(port);
    ck_assert_int_eq(end.error, 0);
    ck_assert_int_eq(end.signal, 0);
    ck_assert_int_eq(end.status, status);
    ck_assert_int_eq(cop_port_close(port), 0);
}

/* A number that the program says; nobody of that number is there any more, or it is a zombie that
 * somebody else will reap. */
static int
number_of(cop_port port)
{
    return (int)strtol(next_data(port).data, NULL, 10);
}

static bool
is_gone(int pid)
{
    char path[64], text[256] = {0};
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    bool is_there = file && fgets(text, sizeof text, file);
    if (file) {
        (void)fclose(file);
    }
    return !is_there || strstr(text, ") Z ");
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_program_that_cannot_be_run_is_told_of_and_leaves_nothing)
{
    cop_port port = {17};
    cop_self();
    ck_assert_int_eq(cop_port_open(&port, ARGV("true")), 0);
    ends_with_status(port, 0);
    unsigned open_before = test_descriptors();
    port.id = 17;
    ck_assert_int_eq(cop_port_open(&port, ARGV("no-such-program-anywhere")), -ENOENT);
    ck_assert_int_eq(cop_why().code, -ENOENT);
    ck_assert_int_eq(cop_port_open(&port, ARGV("/tmp")), -EACCES);
    ck_assert_int_eq(cop_port_open(&port, (const char *const[]){NULL}), -EINVAL);
    ck_assert_int_eq(cop_port_open(&port, NULL), -EINVAL);
    ck_assert_int_eq(cop_port_open(&port, ARGV("true"), .framing = (cop_framing)9), -EINVAL);
    ck_assert_uint_eq(port.id, 17);
    ck_assert_uint_eq(test_descriptors(), open_before);
    EVENTUALLY(!has_children());
}

static int
try_to_open(void *port)
{
    return cop_port_open(port, ARGV("cat"));
}

TEST(without_memory_no_program_is_left_running)
{
    cop_port port;
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(try_to_open, &port, &r), 1);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_port_close(port), 0);
    EVENTUALLY(!has_children());
}

TEST(without_descriptors_no_program_is_left_running)
{
    struct rlimit before, few;
    cop_port port;
    int r = -EMFILE;
    cop_self();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    for (few.rlim_cur = 3; r == -EMFILE; few.rlim_cur++) {
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        r = cop_port_open(&port, ARGV("cat"));
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_port_close(port), 0);
    EVENTUALLY(!has_children());
}

TEST(a_port_whose_owner_ends_as_it_is_opened_leaves_no_program_running)
{
    cop_port port = {17};
    closes_at_once = true;
    ck_assert_int_eq(cop_port_open(&port, ARGV("cat")), -ECANCELED);
    ck_assert_uint_eq(port.id, 17);
    EVENTUALLY(!has_children());
}

TEST(what_its_owners_end_is_about_to_close_is_closed_by_nobody_else)
{
    cop_port port = OPENED(ARGV("cat"), .framing = COP_FRAME_LINE);
    is_about_to_end = true;
    ck_assert_int_eq(cop_port_close(port), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
    is_about_to_end = false;
    ck_assert_int_eq(cop_port_send(port, COP_TEXT("goes on\n"), 0), 0);
    next_text(port, "goes on\n");
    ck_assert_int_eq(cop_port_close(port), 0);
}

static void
close_standard_descriptors(int kept[2])
{
    for (int fd = 0; fd < 2; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        ck_assert_int_ge(kept[fd], 10);
        close(fd);
    }
}

static void
open_standard_descriptors(const int kept[2])
{
    for (int fd = 0; fd < 2; fd++) {
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1); /* a port has not left it open */
        ck_assert_int_eq(dup2(kept[fd], fd), fd);
        close(kept[fd]);
    }
}

TEST(a_daemon_without_standard_descriptors_runs_programs_that_have_them)
{
    int kept[2];
    cop_port port = OPENED(ARGV("true"), 0); /* the reactor and whoever starts programs run */
    ends_with_status(port, 0);
    close_standard_descriptors(kept);
    port = OPENED(ARGV("cat"), .framing = COP_FRAME_LINE);
    ck_assert_int_eq(cop_port_send(port, COP_TEXT("said and heard\n"), 0), 0);
    next_text(port, "said and heard\n");
    ck_assert_int_eq(cop_port_close_input(port), 0);
    ends_with_status(port, 0);
    open_standard_descriptors(kept);
}

TEST(a_daemon_with_room_for_standard_descriptors_only_runs_nothing)
{
    enum {
        MOST = 40
    };
    int kept[2], taken[MOST], n = 0;
    struct rlimit before, few;
    cop_port port = OPENED(ARGV("true"), 0); /* the reactor and whoever starts programs run */
    ends_with_status(port, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = MOST;
    close_standard_descriptors(kept);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((taken[n] = fcntl(kept[0], F_DUPFD_CLOEXEC, 3)) >= 0) {
        n++;
    }
    int r = cop_port_open(&port, ARGV("true"));
    int why = cop_why().code;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (n-- > 0) {
        close(taken[n]);
    }
    open_standard_descriptors(kept);
    ck_assert_int_eq(r, -EMFILE);
    ck_assert_int_eq(why, -EMFILE);
}

TEST(what_is_no_port_is_safe_to_use)
{
    cop_port port = OPENED(ARGV("cat"), 0);
    cop_socket listener;
    ck_assert_int_eq(cop_listen(&listener, "127.0.0.1:0"), 0);
    ck_assert_int_eq(cop_socket_close((cop_socket){port.id}), -EBADF); /* nor is it a socket */
    ck_assert_int_eq(cop_send_bytes((cop_socket){port.id}, COP_TEXT("a"), 0), -EBADF);
    ck_assert_int_eq(cop_port_close(port), 0);
    const cop_port none[] = {{0}, {UINT64_MAX}, port, {listener.id}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int pid;
        ck_assert_int_eq(cop_port_active_once(none[i]), -EBADF);
        ck_assert_int_eq(cop_port_writable_once(none[i]), -EBADF);
        ck_assert_int_eq(cop_port_send(none[i], COP_TEXT("a"), 0), -EBADF);
        ck_assert_int_eq(cop_port_close_input(none[i]), -EBADF);
        ck_assert_int_eq(cop_port_give(none[i], cop_self()), -EBADF);
        ck_assert_int_eq(cop_port_signal(none[i], SIGTERM), -EBADF);
        ck_assert_int_eq(cop_port_os_pid(none[i], &pid), -EBADF);
        ck_assert_int_eq(cop_port_close(none[i]), -EBADF);
    }
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(a_line_that_is_too_long_is_told_while_the_program_runs)
{
    cop_port port = OPENED(SH("echo short; echo much too long; exec sleep 1000"),
                           .framing = COP_FRAME_LINE, .max_frame = 10);
    next_text(port, "short\n");
    ck_assert_int_eq(next_end(port).error, -EMSGSIZE);
    ck_assert_int_eq(next_end(port).error, -EMSGSIZE);
    ck_assert_int_eq(cop_port_close(port), 0);
}

/* ---------------------------------------------------------------- talking */

TEST(a_filter_is_fed_and_heard)
{
    cop_port port = OPENED(ARGV("sort", "-n"), .framing = COP_FRAME_LINE);
    ck_assert_int_eq(cop_port_send(port, COP_TEXT("10\n9\n8\n"), 0), 0);
    ck_assert_int_eq(cop_port_close_input(port), 0);
    ck_assert_int_eq(cop_port_send(port, COP_TEXT("7\n"), 0), -EPIPE);
    next_text(port, "8\n");
    next_text(port, "9\n");
    next_text(port, "10\n");
    ends_with_status(port, 0);
}

TEST(what_is_said_and_heard_can_be_framed)
{
    cop_port port = OPENED(ARGV("cat"), .framing = COP_FRAME_SIZE_2);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_port_send(port, COP_TEXT("there and back"), 0), 0);
        next_text(port, "there and back");
    }
    ck_assert_int_eq(cop_port_close_input(port), 0);
    ends_with_status(port, 0);
}

TEST(all_that_was_said_comes_before_the_end)
{
    for (int i = 0; i < 20; i++) {
        cop_port port =
            OPENED(SH("echo one; echo two; printf three; exit 7"), .framing = COP_FRAME_LINE);
        next_text(port, "one\n");
        next_text(port, "two\n");
        next_text(port, "three");
        ends_with_status(port, 7);
    }
}

TEST(standard_error_comes_too_if_that_was_asked)
{
    cop_port port = OPENED(SH("echo error >&2"), .merge_stderr = true);
    next_text(port, "error\n");
    ends_with_status(port, 0);
    test_catch_stderr();
    port = OPENED(SH("echo error >&2"), 0);
    ends_with_status(port, 0);
    char *ours = test_caught_stderr();
    ck_assert_str_eq(ours, "error\n");
    free(ours);
}

TEST(a_program_that_says_more_than_is_asked_for_waits)
{
    cop_port port = OPENED(SH("yes | head -c 1000000"), 0);
    size_t heard = 0;
    while (heard < 1000000) {
        heard += next_data(port).size;
    }
    ck_assert_uint_eq(heard, 1000000);
    ends_with_status(port, 0);
}

TEST(a_program_that_does_not_read_costs_its_bound)
{
    cop_port port = OPENED(ARGV("sleep", "1000"), .send_limit = 10000);
    static const char block[1000];
    int r;
    while ((r = cop_port_send(port, COP_BYTES(block), 0)) == 0) {
    }
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_int_eq(cop_port_send(port, COP_BYTES(block), COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(cop_port_writable_once(port), 0);
    ck_assert_int_eq(cop_port_signal(port, SIGTERM), 0);
    test_receive(COP_MSG_PORT_WRITABLE); /* there is no reader any more */
    ck_assert_int_eq(cop_port_send(port, COP_BYTES(block), COP_FOREVER), -EPIPE);
    ck_assert_int_eq(next_end(port).signal, SIGTERM);
    ck_assert_int_eq(cop_port_close(port), 0);
}

/* ---------------------------------------------------------------- ends */

TEST(an_end_is_told_at_each_request)
{
    cop_port port = OPENED(SH("exit 3"), 0);
    int pid;
    for (int i = 0; i < 3; i++) {
        struct cop_port_end end = next_end(port);
        ck_assert_int_eq(end.status, 3);
        ck_assert_int_eq(end.error, 0);
    }
    ck_assert_int_eq(cop_port_signal(port, SIGTERM), -ESRCH);
    ck_assert_int_eq(cop_port_os_pid(port, &pid), -ESRCH);
    ends_with_status(port, 3);
    EVENTUALLY(!has_children());
}

TEST(a_program_that_closes_its_output_is_waited_for)
{
    cop_port port =
        OPENED(SH("echo here; exec >&- <&-; exec sleep 1000"), .framing = COP_FRAME_LINE);
    next_text(port, "here\n");
    ck_assert_int_eq(cop_port_active_once(port), 0);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_eq(cop_port_signal(port, 0), -EINVAL);
    ck_assert_int_eq(cop_port_signal(port, SIGKILL), 0);
    msg = test_receive(COP_MSG_PORT_END);
    ck_assert_int_eq(COP_BODY(msg, struct cop_port_end)->signal, SIGKILL);
    ck_assert_int_eq(cop_port_close(port), 0);
}

TEST(who_holds_its_output_after_its_end_is_not_waited_for)
{
    cop_port port = OPENED(SH("setsid sleep 1000 & echo $!; exit 4"), .framing = COP_FRAME_LINE);
    int left = number_of(port);
    ends_with_status(port, 4);
    kill(left, SIGKILL); /* it has left the group */
    port = OPENED(SH("sleep 1000 & echo $!; exit 5"), .framing = COP_FRAME_LINE);
    left = number_of(port);
    ends_with_status(port, 5);
    EVENTUALLY(is_gone(left)); /* it had not */
}

TEST(closing_kills_the_program_and_its_group)
{
    cop_port port = OPENED(SH("sleep 1000 & echo $!; wait"), .framing = COP_FRAME_LINE);
    int child = number_of(port), pid;
    ck_assert_int_eq(cop_port_os_pid(port, &pid), 0);
    ck_assert(!is_gone(pid));
    ck_assert_int_eq(cop_port_close(port), 0);
    ck_assert_int_eq(cop_port_close(port), -EBADF);
    EVENTUALLY(is_gone(pid) && is_gone(child));
    EVENTUALLY(!has_children());
}

static int
own_one(cop_bytes unused)
{
    (void)unused;
    cop_port port;
    int pid;
    cop_msg msg;
    ck_assert_int_eq(cop_port_open(&port, ARGV("sleep", "1000")), 0);
    ck_assert_int_eq(cop_port_os_pid(port, &pid), 0);
    cop_send(cop_named("main"), COP_MSG_OF(DONE, pid));
    return cop_receive(&msg, COP_FOREVER);
}

TEST_TIMES(2, whatever_ends_the_owner_ends_the_program)
{
    cop_pid owner;
    cop_ref monitor;
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_spawn(&owner, own_one, .monitor = &monitor), 0);
    int pid = *COP_BODY(test_receive(DONE), int);
    cop_exit_signal(owner, _i ? COP_REASON_KILLED : COP_REASON_SHUTDOWN);
    test_down(monitor);
    EVENTUALLY(is_gone(pid));
    EVENTUALLY(!has_children());
}

static int
hear_the_end(cop_bytes unused)
{
    (void)unused;
    cop_msg msg = test_receive(COP_MSG_PORT_END);
    return COP_BODY(msg, struct cop_port_end)->status == 6 ? 0 : -EINVAL;
}

TEST(a_port_is_given_to_another)
{
    cop_pid pid;
    cop_ref monitor;
    cop_port port = OPENED(SH("read line; exit 6"), 0);
    ck_assert_int_eq(cop_spawn(&pid, hear_the_end, .monitor = &monitor), 0);
    ck_assert_int_eq(cop_port_give(port, COP_NOBODY), -ESRCH);
    ck_assert_int_eq(cop_port_active_once(port), 0);
    ck_assert_int_eq(cop_port_give(port, pid), 0);
    ck_assert_int_eq(cop_port_active_once(port), -EPERM);
    ck_assert_int_eq(cop_port_send(port, COP_TEXT("line\n"), 0), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(cop_port_close(port), -EBADF);
}

TEST(a_shutdown_ends_programs_and_their_end_can_still_be_heard)
{
    cop_port port = OPENED(ARGV("sleep", "1000"), 0);
    ck_assert_int_eq(cop_port_active_once(port), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    int r = cop_port_active_once(port); /* it has been told, or is about to be */
    ck_assert(r == 0 || r == -EALREADY);
    ck_assert_int_eq(COP_BODY(test_receive(COP_MSG_PORT_END), struct cop_port_end)->signal,
                     SIGKILL);
    ck_assert_int_eq(cop_port_close(port), 0);
    port = OPENED(ARGV("sleep", "1000"), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_port_close(port), 0);
    ck_assert(!has_children());
}

TEST_TIMES(10, an_end_that_somebody_else_has_seen_is_not_made_up)
{
    cop_port port = OPENED(SH("read line"), 0);
    int pid, status;
    ck_assert_int_eq(cop_port_os_pid(port, &pid), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0); /* which kills it; and then one of two sees it first */
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    struct cop_port_end end = next_end(port);
    ck_assert(end.error == -ECHILD || (end.error == 0 && end.signal == SIGKILL));
    ck_assert_int_eq(cop_port_close(port), 0);
}

TEST(many_programs_come_and_go)
{
    for (int round = 0; round < 10; round++) {
        cop_port ports[10];
        for (int i = 0; i < 10; i++) {
            ports[i] = OPENED(SH("read line; echo $line"), .framing = COP_FRAME_LINE);
            ck_assert_int_eq(cop_port_send(ports[i], COP_TEXT("word\n"), 0), 0);
        }
        for (int i = 0; i < 10; i++) {
            if (i % 3 == 0) {
                ck_assert_int_eq(cop_port_close(ports[i]), 0);
            } else {
                next_text(ports[i], "word\n");
                ends_with_status(ports[i], 0);
            }
        }
    }
    EVENTUALLY(!has_children());
}

SUITE("port")
