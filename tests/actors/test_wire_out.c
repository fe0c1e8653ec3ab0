/*
 * tests/actors/test_wire_out.c - what goes: as much as the system takes, and the rest later.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/reactor.h"
#include "tests/actors/sockets.h"
#include "tests/support/no_messages.h"
#include "tests/support/wrap.h"

#include <pthread.h>

enum {
    GO = 1,
    DONE,
    LIMIT = 20000,
};

/* How many bytes the system takes at a time; negative: as many as it does. Then what the reactor says to
 * whoever waits for more room; 0: what it does. */
static atomic_int taken_at_a_time = -1, reactor_says;

ssize_t real_sendmsg(int fd, const struct msghdr *message, int flags) REAL(sendmsg);
ssize_t send_some(int fd, const struct msghdr *message, int flags) WRAP(sendmsg);
ssize_t
send_some(int fd, const struct msghdr *message, int flags)
{
    int most = taken_at_a_time;
    if (most == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (most < 0) {
        return real_sendmsg(fd, message, flags);
    }
    const struct iovec *part = message->msg_iov;
    while (part->iov_len == 0) {
        part++;
    }
    return send(fd, part->iov_base, (size_t)most < part->iov_len ? (size_t)most : part->iov_len,
                flags);
}

int real_arm(struct copi_interest *interest, int fd, int events) REAL(copi_reactor_arm);
int arm_or_say_why(struct copi_interest *interest, int fd, int events) WRAP(copi_reactor_arm);
int
arm_or_say_why(struct copi_interest *interest, int fd, int events)
{
    return reactor_says ? reactor_says : real_arm(interest, fd, events);
}

/* ---------------------------------------------------------------- what is refused */

TEST(what_can_never_be_sent_is_refused)
{
    struct ends ends = CONNECTED_LOCALLY(.framing = COP_FRAME_SIZE_1, .send_limit = 100);
    static const char bytes[256];
    ck_assert_int_eq(cop_send_bytes(ends.ours, (cop_bytes){bytes, 100}, 0), -EMSGSIZE);
    ck_assert_int_eq(cop_why().code, -EMSGSIZE);
    ck_assert_int_eq(cop_send_bytes(ends.ours, (cop_bytes){bytes, SIZE_MAX}, 0), -EMSGSIZE);
    ck_assert_int_eq(cop_send_bytes(ends.ours, (cop_bytes){bytes, 256}, COP_FOREVER), -EMSGSIZE);
    ck_assert_int_eq(cop_send_bytes(ends.ours, (cop_bytes){NULL, 1}, 0), -EINVAL);
    ck_assert_int_eq(cop_send_bytes(ends.ours, (cop_bytes){bytes, 1}, -1), -EINVAL);
    ck_assert_int_eq(cop_send_bytes(ends.ours, (cop_bytes){bytes, 99}, 0), 0);
    close_ends(ends);
}

TEST(to_a_peer_that_has_left_nothing_can_be_sent)
{
    struct ends ends = CONNECTED_LOCALLY();
    close(ends.peer);
    EVENTUALLY(cop_send_bytes(ends.ours, COP_TEXT("a"), 0) != 0);
    int r = cop_send_bytes(ends.ours, COP_TEXT("a"), COP_FOREVER);
    ck_assert(r == -EPIPE || r == -ECONNRESET);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

TEST(after_shutting_down_nothing_can_be_sent)
{
    struct ends ends = CONNECTED_LOCALLY();
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("last words"), 0), 0);
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("more"), 0), -EPIPE);
    peer_hears_text(ends, "last words");
    peer_hears_the_end(ends);
    peer_says(ends, "I see", 5); /* the other direction goes on */
    next_text(ends.ours, "I see");
    close_ends(ends);
}

/* Without memory. */
static int
send_text(cop_socket socket, const char *text)
{
    copi_alloc_fail_after(0);
    int r = cop_send_bytes(socket, (cop_bytes){text, strlen(text)}, 0);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_why().code, r);
    return r;
}

TEST(without_memory_what_does_not_go_at_once_is_not_sent_at_all)
{
    struct ends ends = CONNECTED_LOCALLY();
    taken_at_a_time = 0;
    ck_assert_int_eq(send_text(ends.ours, "not sent"), -ENOMEM);
    taken_at_a_time = -1;
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("sent"), 0), 0);
    peer_hears_text(ends, "sent");
    close_ends(ends);
}

TEST(without_memory_what_has_to_wait_behind_other_bytes_is_not_sent_at_all)
{
    struct ends ends = CONNECTED_LOCALLY(.framing = COP_FRAME_SIZE_2);
    char more[10000] = "more";
    memset(more, 'm', sizeof more - 1);
    taken_at_a_time = 0;
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("first"), 0), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("next"), 0), 0); /* and room for a header */
    ck_assert_int_eq(send_text(ends.ours, more), -ENOMEM);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("last"), 0), 0);
    taken_at_a_time = -1;
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    static const char expected[] = "\0\5first\0\4next\0\4last";
    char heard[sizeof expected - 1];
    ck_assert_uint_eq(peer_hears(ends, heard, sizeof heard), sizeof heard);
    ck_assert_mem_eq(heard, expected, sizeof heard);
    peer_hears_the_end(ends);
    close_ends(ends);
}

TEST(without_memory_for_the_rest_of_what_has_gone_in_part_the_connection_breaks)
{
    struct ends ends = CONNECTED_LOCALLY();
    taken_at_a_time = 3;
    ck_assert_int_eq(send_text(ends.ours, "abcdef"), -ENOMEM);
    taken_at_a_time = -1;
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("g"), SOON), -ENOMEM);
    peer_hears_text(ends, "abc");
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    peer_hears_the_end(ends);
    close(ends.peer);
}

TEST(what_the_reactor_cannot_send_breaks_the_connection)
{
    struct ends ends = CONNECTED_LOCALLY();
    taken_at_a_time = 3;
    reactor_says = -ENOSPC;
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("abcdef"), 0), -ENOSPC);
    ck_assert_int_eq(cop_why().code, -ENOSPC);
    taken_at_a_time = -1;
    reactor_says = 0;
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("g"), SOON), -ENOSPC);
    ck_assert_int_eq(cop_socket_writable_once(ends.ours), 0); /* no room will come any more */
    test_receive(COP_MSG_WRITABLE);
    peer_hears_text(ends, "abc");
    close_ends(ends);
}

TEST(without_memory_nobody_is_told_of_room)
{
    struct ends ends = CONNECTED_LOCALLY();
    has_no_messages = true;
    ck_assert_int_eq(cop_socket_writable_once(ends.ours), -ENOMEM);
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    has_no_messages = false;
    ck_assert(!test_has_mail());
    ck_assert_int_eq(cop_socket_writable_once(ends.ours), 0);
    test_receive(COP_MSG_WRITABLE);
    close_ends(ends);
}

/* ---------------------------------------------------------------- sending */

TEST_TIMES(3, what_is_sent_goes_with_its_size_before_it)
{
    const cop_framing framings[] = {COP_FRAME_SIZE_1, COP_FRAME_SIZE_2, COP_FRAME_SIZE_4};
    struct ends ends = CONNECTED(.framing = framings[_i]);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("abc"), 0), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT(""), 0), 0);
    const char *expected[] = {"\3abc\0", "\0\3abc\0\0", "\0\0\0\3abc\0\0\0\0"};
    const size_t sizes[] = {5, 7, 11};
    char heard[16];
    ck_assert_uint_eq(peer_hears(ends, heard, sizes[_i]), sizes[_i]);
    ck_assert_mem_eq(heard, expected[_i], sizes[_i]);
    close_ends(ends);
}

TEST(lines_and_raw_bytes_go_as_they_are)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("a line\n"), 0), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT(""), 0), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("none"), 0), 0);
    peer_hears_text(ends, "a line\nnone");
    close_ends(ends);
}

TEST(a_slow_reader_costs_its_bound_and_no_more)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    fill(ends.ours);
    size_t before = test_allocated();
    static const char block[4096];
    for (int i = 0; i < 4000; i++) {
        ck_assert_int_eq(cop_send_bytes(ends.ours, COP_BYTES(block), 0), -EAGAIN);
        ck_assert_int_eq(cop_why().code, -EAGAIN);
        ck_assert_int_eq(cop_send_bytes(ends.ours, COP_BYTES(block), 1), -ETIMEDOUT);
    }
    ck_assert_uint_lt(test_allocated(), before + 2 * LIMIT);
    close_ends(ends);
}

TEST(all_that_was_taken_arrives_in_order)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    struct {
        uint32_t number, filler[250];
    } block = {0}, heard;
    int r;
    while ((r = cop_send_bytes(ends.ours, COP_BYTES(block), 0)) == 0) {
        block.number++;
    }
    ck_assert_int_eq(r, -EAGAIN);
    for (uint32_t i = 0; i < block.number; i++) {
        ck_assert_uint_eq(peer_hears(ends, &heard, sizeof heard), sizeof heard);
        ck_assert_uint_eq(heard.number, i);
    }
    close_ends(ends);
}

/* ---------------------------------------------------------------- room as a message */

TEST(room_that_is_there_is_told_at_once)
{
    struct ends ends = CONNECTED_LOCALLY();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_socket_writable_once(ends.ours), 0);
        cop_socket socket = *COP_BODY(test_receive(COP_MSG_WRITABLE), cop_socket);
        ck_assert_uint_eq(socket.id, ends.ours.id);
    }
    close_ends(ends);
}

TEST(room_is_told_once_when_half_has_gone)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    pthread_t thread;
    fill(ends.ours);
    ck_assert_int_eq(cop_socket_writable_once(ends.ours), 0);
    ck_assert_int_eq(cop_socket_writable_once(ends.ours), -EALREADY);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(pthread_create(&thread, NULL, hear_everything, &ends), 0);
    test_receive(COP_MSG_WRITABLE);
    static const char half[LIMIT / 2];
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_BYTES(half), 0), 0);
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    pthread_join(thread, NULL);
    close_ends(ends);
}

TEST(a_connection_that_breaks_has_room)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    fill(ends.ours);
    ck_assert_int_eq(cop_socket_writable_once(ends.ours), 0);
    close(ends.peer);
    test_receive(COP_MSG_WRITABLE);
    ck_assert_int_lt(cop_send_bytes(ends.ours, COP_TEXT("a"), 0), 0);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
}

TEST(after_a_shutdown_of_the_library_what_waited_goes_on_to_be_sent)
{
    struct ends ends = CONNECTED_LOCALLY(.send_limit = LIMIT);
    size_t sent = fill(ends.ours);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    static const char block[LIMIT];
    pthread_t thread;
    void *heard;
    ck_assert_int_eq(pthread_create(&thread, NULL, hear_everything, &ends), 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_BYTES(block), SOON), 0);
    ck_assert_int_eq(cop_socket_shutdown_write(ends.ours), 0);
    pthread_join(thread, &heard);
    ck_assert_uint_eq((size_t)heard, sent + sizeof block);
    close_ends(ends);
}

SUITE("wire_out")
