/*
 * tests/actors/test_receive.c - waiting for bytes, as others read.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/table.h"
#include "runtime/wait.h"
#include "tests/actors/sockets.h"
#include "tests/support/wrap.h"

#include <sys/syscall.h>

enum {
    WORD = 1,
    BYTE,
    END,
};

/* Closed by somebody else when its owner is about to wait for it, and lacks a descriptor for that. */
static cop_socket to_close;

int real_pause(struct copi_process *self, struct copi_wait *wait, int fd, short events)
    REAL(copi_pause_fd);
int close_before_pause(struct copi_process *self, struct copi_wait *wait, int fd, short events)
    WRAP(copi_pause_fd);
int
close_before_pause(struct copi_process *self, struct copi_wait *wait, int fd, short events)
{
    if (to_close.id == 0) {
        return real_pause(self, wait, fd, events);
    }
    ck_assert_int_eq(cop_socket_close(to_close), 0);
    return -EMFILE;
}

static void
receives(cop_socket socket, size_t room, const char *expected)
{
    char text[64] = {0};
    size_t n = 0;
    ck_assert_uint_lt(room, sizeof text);
    ck_assert_int_eq(cop_receive_bytes(socket, text, room, &n, SOON), 0);
    ck_assert_uint_eq(n, strlen(expected));
    ck_assert_mem_eq(text, expected, n);
}

static int
error_of(cop_socket socket)
{
    char text[64];
    size_t n = 17;
    int r = cop_receive_bytes(socket, text, sizeof text, &n, COP_FOREVER);
    ck_assert_uint_eq(n, 17);
    ck_assert_int_eq(cop_why().code, r);
    return r;
}

static bool
sleeps(cop_pid pid)
{
    const struct copi_process *process = copi_table_find(pid);
    return process && (copi_load_relaxed_64(&process->mailbox.word) & COPI_MAILBOX_ASLEEP);
}

/* Says to main what it hears, byte by byte, and how it ended. */
static int
tell_what_comes(cop_bytes arg)
{
    cop_socket socket = *(const cop_socket *)arg.data;
    cop_msg given;
    char c;
    size_t n;
    int r = cop_receive(&given, COP_FOREVER);
    while (r == 0 && (r = cop_receive_bytes(socket, &c, 1, &n, COP_FOREVER)) == 0) {
        cop_send(cop_named("main"), COP_MSG_OF(BYTE, c));
    }
    cop_send(cop_named("main"), COP_MSG_OF(END, r));
    return r;
}

static cop_pid
listener_to(struct ends ends, cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(
        cop_spawn(&pid, tell_what_comes, .arg = COP_BYTES(ends.ours), .monitor = monitor), 0);
    ck_assert_int_eq(cop_socket_give(ends.ours, pid), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    EVENTUALLY(sleeps(pid));
    return pid;
}

static void
it_heard(char c)
{
    ck_assert_int_eq(*COP_BODY(test_receive(BYTE), char), c);
}

static int
it_ended_with(void)
{
    return *COP_BODY(test_receive(END), int);
}

/* ---------------------------------------------------------------- what is refused */

static int
receive_anothers(cop_bytes arg)
{
    char c;
    size_t n;
    return cop_receive_bytes(*(const cop_socket *)arg.data, &c, 1, &n, SOON);
}

TEST(what_cannot_be_received_is_refused)
{
    struct ends ends = CONNECTED();
    cop_socket listener = listening(NULL);
    cop_ref monitor;
    char c;
    size_t n;
    ck_assert_int_eq(error_of(listener), -EOPNOTSUPP);
    ck_assert_int_eq(cop_receive_bytes(ends.ours, &c, 1, &n, -1), -EINVAL);
    ck_assert_int_eq(cop_receive_bytes(ends.ours, NULL, 1, &n, 0), -EINVAL);
    ck_assert_int_eq(cop_receive_bytes(ends.ours, &c, 0, &n, 0), -EINVAL);
    ck_assert_int_eq(
        cop_spawn(NULL, receive_anothers, .arg = COP_BYTES(ends.ours), .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EPERM);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    ck_assert_int_eq(error_of(ends.ours), -EALREADY);
    close_ends(ends);
    ck_assert_int_eq(error_of(ends.ours), -EBADF);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(what_does_not_come_is_waited_for_no_longer_than_was_said)
{
    struct ends ends = CONNECTED();
    char c;
    size_t n;
    cop_time begun = cop_now();
    ck_assert_int_eq(cop_receive_bytes(ends.ours, &c, 1, &n, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_receive_bytes(ends.ours, &c, 1, &n, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    cop_context *context = cop_context_new(COP_MS(20));
    cop_context_enter(context);
    ck_assert_int_eq(cop_receive_bytes(ends.ours, &c, 1, &n, COP_FOREVER), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    peer_says(ends, "a", 1);
    receives(ends.ours, 8, "a");
    close_ends(ends);
}

/* ---------------------------------------------------------------- what comes */

TEST(raw_bytes_are_taken_as_there_is_room)
{
    struct ends ends = CONNECTED();
    peer_says(ends, "abcdef", 6);
    receives(ends.ours, 4, "abcd");
    receives(ends.ours, 4, "ef");
    peer_says(ends, "g", 1);
    receives(ends.ours, 4, "g");
    close_ends(ends);
}

TEST(what_is_there_is_received_without_waiting)
{
    struct ends ends = CONNECTED_LOCALLY();
    char text[8];
    size_t n;
    for (int i = 0; i < 3; i++) {
        peer_says(ends, "abc", 3);
        ck_assert_int_eq(cop_receive_bytes(ends.ours, text, sizeof text, &n, 0), 0);
        ck_assert_uint_eq(n, 3);
        ck_assert_int_eq(cop_receive_bytes(ends.ours, text, sizeof text, &n, 0), -ETIMEDOUT);
    }
    close_ends(ends);
}

TEST(lines_are_received_whole)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    peer_says(ends, "one\ntwo\nthr", 11);
    receives(ends.ours, 8, "one\n");
    receives(ends.ours, 4, "two\n");
    peer_says(ends, "ee\n", 3);
    receives(ends.ours, 8, "three\n");
    close_ends(ends);
}

TEST(a_frame_for_which_there_is_no_room_waits)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_SIZE_2);
    char text[8];
    size_t n = 0;
    peer_says(ends, "\0\0\0\5seven", 9);
    receives(ends.ours, 8, "");
    ck_assert_int_eq(cop_receive_bytes(ends.ours, text, 4, &n, SOON), -ENOBUFS);
    ck_assert_uint_eq(n, 5);
    receives(ends.ours, 5, "seven");
    close_ends(ends);
}

TEST(what_was_read_for_a_message_is_received_first)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    peer_says(ends, "head\nbodyrest", 13);
    next_text(ends.ours, "head\n");
    ck_assert_int_eq(cop_socket_set_framing(ends.ours, COP_FRAME_RAW, 0), 0);
    receives(ends.ours, 4, "body");
    receives(ends.ours, 8, "rest");
    peer_says(ends, "more", 4);
    receives(ends.ours, 8, "more");
    close_ends(ends);
}

TEST(much_is_received_in_order)
{
    enum {
        NUMBERS = 200000
    };
    struct ends ends = CONNECTED();
    if (fork() == 0) {
        for (uint32_t i = 0; i < NUMBERS; i++) {
            if (send(ends.peer, &i, sizeof i, MSG_NOSIGNAL | (i % 256 ? MSG_MORE : 0)) < 0) {
                _exit(1);
            }
        }
        _exit(0);
    }
    shutdown(ends.peer, SHUT_RD);
    close(ends.peer);
    uint32_t expected = 0;
    unsigned char bytes[4096];
    size_t held = 0, n;
    int r;
    while ((r = cop_receive_bytes(ends.ours, bytes + held, sizeof bytes - held, &n, SOON)) == 0) {
        size_t used = 0;
        for (held += n; held - used >= sizeof expected; used += sizeof expected, expected++) {
            ck_assert_mem_eq(bytes + used, &expected, sizeof expected);
        }
        held -= used;
        memmove(bytes, bytes + used, held);
    }
    ck_assert_int_eq(r, -ENODATA);
    ck_assert_uint_eq(expected, NUMBERS);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

/* ---------------------------------------------------------------- ends */

TEST(an_end_is_told_after_all_that_came_before_it_and_at_each_call)
{
    struct ends ends = CONNECTED();
    peer_says(ends, "last", 4);
    shutdown(ends.peer, SHUT_WR);
    receives(ends.ours, 8, "last");
    ck_assert_int_eq(error_of(ends.ours), -ENODATA);
    ck_assert_int_eq(error_of(ends.ours), -ENODATA);
    ck_assert_int_eq(next_error(ends.ours), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("goodbye"), 0), 0);
    peer_hears_text(ends, "goodbye");
    close_ends(ends);
}

TEST(a_connection_that_breaks_is_told_as_an_error)
{
    struct ends ends = CONNECTED();
    const struct linger none = {.l_onoff = 1};
    setsockopt(ends.peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(ends.peer);
    ck_assert_int_eq(error_of(ends.ours), -ECONNRESET);
    ck_assert_int_eq(error_of(ends.ours), -ECONNRESET);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

TEST(what_is_against_the_framing_is_told_as_an_error)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE, .max_frame = 4);
    peer_says(ends, "ab\ntoo long\n", 12);
    receives(ends.ours, 8, "ab\n");
    ck_assert_int_eq(error_of(ends.ours), -EMSGSIZE);
    ck_assert_int_eq(error_of(ends.ours), -EMSGSIZE);
    close_ends(ends);
    ends = CONNECTED(.framing = COP_FRAME_SIZE_1);
    peer_says(ends, "\5four", 5);
    shutdown(ends.peer, SHUT_WR);
    ck_assert_int_eq(error_of(ends.ours), -EBADMSG);
    close_ends(ends);
}

TEST(a_socket_that_is_closed_before_the_reactor_could_tell_is_none)
{
    struct ends ends = CONNECTED();
    to_close = ends.ours;
    ck_assert_int_eq(error_of(ends.ours), -EBADF);
    peer_hears_the_end(ends);
    close(ends.peer);
}

TEST(without_memory_for_a_frame_nothing_more_is_received)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    peer_says(ends, "line\n", 5);
    copi_alloc_fail_after(0);
    int r = error_of(ends.ours);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_eq(error_of(ends.ours), -ENOMEM);
    close_ends(ends);
}

/* ---------------------------------------------------------------- waiting */

TEST(who_waits_hears_what_comes_when_it_comes)
{
    struct ends ends = CONNECTED();
    cop_ref monitor;
    cop_pid pid = listener_to(ends, &monitor);
    for (const char *c = "abcd"; *c; c++) {
        peer_says(ends, c, 1);
        it_heard(*c);
        EVENTUALLY(sleeps(pid));
    }
    close(ends.peer);
    ck_assert_int_eq(it_ended_with(), -ENODATA);
    test_down(monitor);
}

TEST(messages_do_not_end_the_wait_and_stay)
{
    struct ends ends = CONNECTED();
    cop_send(cop_self(), COP_TAG(WORD));
    char c;
    size_t n;
    ck_assert_int_eq(cop_receive_bytes(ends.ours, &c, 1, &n, COP_MS(5)), -ETIMEDOUT);
    test_receive(WORD);
    cop_pid pid = listener_to(ends, NULL);
    cop_send(pid, COP_TAG(WORD));
    EVENTUALLY(sleeps(pid));
    peer_says(ends, "x", 1);
    it_heard('x');
    close(ends.peer);
    ck_assert_int_eq(it_ended_with(), -ENODATA);
}

TEST_TIMES(2, who_waits_for_bytes_can_be_ended)
{
    struct ends ends = CONNECTED();
    cop_ref monitor;
    cop_exit_signal(listener_to(ends, &monitor), _i ? COP_REASON_KILLED : COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, _i ? COP_KILLED : COP_SHUTDOWN);
    peer_hears_the_end(ends);
    close(ends.peer);
}

TEST(who_waits_for_bytes_learns_that_the_socket_was_closed)
{
    struct ends ends = CONNECTED();
    cop_ref monitor;
    listener_to(ends, &monitor);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    ck_assert_int_eq(it_ended_with(), -EBADF);
    test_down(monitor);
    close(ends.peer);
}

TEST(without_a_descriptor_for_the_wait_the_reactor_tells)
{
    struct ends ends = CONNECTED(), other = CONNECTED();
    ck_assert_int_eq(cop_socket_active_once(other.ours), 0); /* it runs */
    test_refuse_system_call(SYS_eventfd2, EMFILE);
    cop_ref monitor;
    cop_pid pid = listener_to(ends, &monitor);
    for (const char *c = "abcd"; *c; c++) {
        peer_says(ends, c, 1);
        it_heard(*c);
        EVENTUALLY(sleeps(pid));
    }
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    test_down(monitor);
    close(ends.peer);
    close_ends(other);
}

SUITE("receive")
