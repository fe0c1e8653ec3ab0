/*
 * tests/actors/test_wire_wait.c - who waits until something can be done with a wire.
 *
 * Room: tests/. Waiting for a connection: test_accept.c.
 */
#include "runtime/table.h"
#include "tests/actors/sockets.h"
#include "tests/support/no_messages.h"

#include <pthread.h>

enum {
    LIMIT = 20000,
};

static bool
waits_for_room(cop_pid pid)
{
    const struct copi_process *process = copi_table_find(pid);
    return process && copi_load_relaxed_64(&process->noticed) != 0;
}

TEST(who_waits_for_room_is_woken_when_there_is_some)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    pthread_t thread;
    void *heard;
    size_t sent = fill(ends.ours);
    ck_assert_int_eq(pthread_create(&thread, NULL, hear_everything, &ends), 0);
    static const char block[LIMIT];
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(cop_send_bytes(ends.ours, COP_BYTES(block), SOON), 0);
        sent += sizeof block;
    }
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    pthread_join(thread, &heard);
    ck_assert_uint_eq((size_t)heard, sent);
    close_ends(ends);
}

static int
send_much(cop_bytes arg)
{
    static const char block[1000];
    for (int i = 0; i < 200; i++) {
        int r = cop_send_bytes(*(const cop_socket *)arg.data, COP_BYTES(block), COP_FOREVER);
        if (r) {
            return r;
        }
    }
    return 0;
}

TEST(many_may_wait_for_room_at_once)
{
    enum {
        SENDERS = 8
    };
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    cop_ref monitors[SENDERS];
    pthread_t thread;
    void *heard;
    for (int i = 0; i < SENDERS; i++) {
        ck_assert_int_eq(
            cop_spawn(NULL, send_much, .arg = COP_BYTES(ends.ours), .monitor = &monitors[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, hear_everything, &ends), 0);
    for (int i = 0; i < SENDERS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    pthread_join(thread, &heard);
    ck_assert_uint_eq((size_t)heard, SENDERS * 200 * 1000);
    close_ends(ends);
}

static int
send_for_ever(cop_bytes arg)
{
    int r = 0;
    while (r == 0) {
        r = send_much(arg);
    }
    return r;
}

TEST_TIMES(2, who_waits_for_room_can_be_ended)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    fill(ends.ours);
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(
        cop_spawn(&pid, send_for_ever, .arg = COP_BYTES(ends.ours), .monitor = &monitor), 0);
    EVENTUALLY(waits_for_room(pid));
    cop_exit_signal(pid, _i ? COP_REASON_KILLED : COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, _i ? COP_KILLED : COP_SHUTDOWN);
    close_ends(ends);
}

TEST(who_waits_for_room_learns_that_the_socket_was_closed)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT, .linger = -1);
    fill(ends.ours);
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(
        cop_spawn(&pid, send_for_ever, .arg = COP_BYTES(ends.ours), .monitor = &monitor), 0);
    EVENTUALLY(waits_for_room(pid));
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    ck_assert_int_eq(test_down(monitor).code, -EBADF);
    close(ends.peer);
}

TEST(who_waits_for_room_learns_that_the_peer_has_left)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    fill(ends.ours);
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(
        cop_spawn(&pid, send_for_ever, .arg = COP_BYTES(ends.ours), .monitor = &monitor), 0);
    EVENTUALLY(waits_for_room(pid));
    close(ends.peer);
    int code = test_down(monitor).code;
    ck_assert(code == -EPIPE || code == -ECONNRESET);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

TEST(waits_that_are_over_leave_nothing_behind)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT, .linger = -1);
    static const char block[LIMIT];
    fill(ends.ours);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_send_bytes(ends.ours, COP_BYTES(block), COP_US(10)), -ETIMEDOUT);
    }
    close_ends(ends);
}

static int
wait_for_room(void *arg)
{
    static const char block[LIMIT];
    int r = cop_send_bytes(*(const cop_socket *)arg, COP_BYTES(block), COP_US(10));
    return r == -ETIMEDOUT ? 0 : r;
}

TEST(without_memory_nobody_waits)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT, .linger = -1);
    fill(ends.ours);
    has_no_messages = true;
    ck_assert_int_eq(wait_for_room(&ends.ours), -ENOMEM);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    has_no_messages = false;
    ck_assert_int_eq(wait_for_room(&ends.ours), 0);
    close_ends(ends);
}

SUITE("wire_wait")
