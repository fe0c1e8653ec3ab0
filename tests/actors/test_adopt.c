/*
 * tests/actors/test_adopt.c - sockets that somebody else has opened.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/actors/sockets.h"

#include <fcntl.h>

/* ---------------------------------------------------------------- what is refused */

TEST(what_is_no_stream_socket_stays_the_callers)
{
    int ends[2], datagrams[2];
    cop_socket socket = {17};
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
    ck_assert_int_eq(cop_socket_adopt(&socket, -1), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
    ck_assert_int_eq(cop_socket_adopt(&socket, ends[0]), -ENOTSOCK);
    ck_assert_int_eq(cop_socket_adopt(&socket, datagrams[0]), -EINVAL);
    ck_assert_int_eq(cop_socket_adopt(&socket, datagrams[0], .backlog = -1), -EINVAL);
    ck_assert_uint_eq(socket.id, 17);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(close(ends[i]), 0);
        ck_assert_int_eq(close(datagrams[i]), 0);
    }
}

struct adopting {
    cop_socket socket;
    int fd;
};

static int
try_to_adopt(void *arg)
{
    struct adopting *adopting = arg;
    return cop_socket_adopt(&adopting->socket, adopting->fd);
}

TEST(without_memory_the_descriptor_stays_the_callers)
{
    struct adopting adopting;
    int pair[2], r;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    adopting.fd = pair[0];
    unsigned open_before = test_descriptors();
    ck_assert_uint_gt(test_out_of_memory(try_to_adopt, &adopting, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(test_descriptors(), open_before);
    ck_assert_int_eq(cop_socket_close(adopting.socket), 0);
    close(pair[1]);
}

/* ---------------------------------------------------------------- what it can do */

TEST(one_end_of_a_pair_talks)
{
    struct ends ends;
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(cop_socket_adopt(&ends.ours, pair[0], .framing = COP_FRAME_LINE), 0);
    ends.peer = pair[1];
    ck_assert_int_eq(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    ck_assert_int_ne(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    peer_says(ends, "one\ntwo\n", 8);
    next_text(ends.ours, "one\n");
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("three"), 0), 0);
    peer_hears_text(ends, "three");
    close_ends(ends);
}

static int
opened_elsewhere(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, address, size), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    return fd;
}

TEST(one_that_listens_accepts)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cop_socket listener, ours;
    int fd = opened_elsewhere((const struct sockaddr *)&address, sizeof address);
    ck_assert_int_eq(cop_socket_adopt(&listener, fd, .framing = COP_FRAME_LINE), 0);
    ck_assert_int_eq(cop_accept(listener, &ours, 0), -ETIMEDOUT);
    struct ends ends = {.peer = peer_of(listener)};
    ends.ours = accepted(listener);
    peer_says(ends, "one\ntwo\n", 8);
    next_text(ends.ours, "one\n");
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(a_path_that_somebody_else_listens_at_stays)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cop_socket listener;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/tmp/coppice-adopt-%d",
                   (int)getpid());
    int fd = opened_elsewhere((const struct sockaddr *)&address, sizeof address);
    ck_assert_int_eq(cop_socket_adopt(&listener, fd), 0);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert_int_eq(unlink(address.sun_path), 0);
}

SUITE("adopt")
