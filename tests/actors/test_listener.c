/*
 * tests/actors/test_listener.c - sockets that listen.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/actors/sockets.h"
#include "tests/support/wrap.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A folder of this test's own, and a path in it. */
static char folder[] = "/tmp/coppice-listener-XXXXXX", path[64], at_path[80];

static void
make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(at_path, sizeof at_path, "unix:%s", path);
}

static void
remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static bool
is_there(void)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static int listen_fails_with;

int real_listen(int fd, int backlog) REAL(listen);
int fail_listen(int fd, int backlog) WRAP(listen);
int
fail_listen(int fd, int backlog)
{
    errno = listen_fails_with;
    return listen_fails_with ? -1 : real_listen(fd, backlog);
}

/* ---------------------------------------------------------------- what is refused */

TEST(what_is_no_address_cannot_be_listened_at)
{
    cop_socket listener = {17};
    ck_assert_int_eq(cop_listen(&listener, "nonsense"), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_int_eq(cop_listen(&listener, "192.0.2.1:0"), -EADDRNOTAVAIL);
    ck_assert_int_eq(cop_listen(&listener, "unix:/no/such/folder/socket"), -ENOENT);
    char text[200] = "unix:";
    memset(text + 5, 'p', 108);
    ck_assert_int_eq(cop_listen(&listener, text), -ENAMETOOLONG);
    ck_assert_uint_eq(listener.id, 17);
}

TEST(options_out_of_range_are_refused)
{
    cop_socket listener;
    ck_assert_int_eq(cop_listen(&listener, ANY_PORT, .framing = (cop_framing)9), -EINVAL);
    ck_assert_int_eq(cop_listen(&listener, ANY_PORT, .framing = COP_FRAME_SIZE_1, .max_frame = 256),
                     -EINVAL);
    ck_assert_int_eq(cop_listen(&listener, ANY_PORT, .backlog = -1), -EINVAL);
    ck_assert_int_eq(cop_listen(&listener, ANY_PORT, .mode = 01000), -EINVAL);
    ck_assert_int_eq(cop_listen(&listener, ANY_PORT, .send_limit = SIZE_MAX), -EINVAL);
}

TEST(an_address_at_which_somebody_listens_is_taken)
{
    cop_socket first = listening(NULL), second;
    char address[128];
    ck_assert_int_eq(cop_socket_address(first, address, sizeof address), 0);
    ck_assert_int_eq(cop_listen(&second, address), -EADDRINUSE);
    ck_assert_int_eq(cop_socket_close(first), 0);
    ck_assert_int_eq(cop_listen(&second, address), 0);
    ck_assert_int_eq(cop_socket_close(second), 0);
}

TEST(an_address_that_somebody_else_took_after_it_was_bound_is_taken)
{
    cop_socket ours = {17};
    cop_self();
    unsigned open_before = test_descriptors();
    listen_fails_with = EADDRINUSE;
    ck_assert_int_eq(cop_listen(&ours, ANY_PORT), -EADDRINUSE);
    ck_assert_int_eq(cop_why().code, -EADDRINUSE);
    ck_assert_uint_eq(ours.id, 17);
    ck_assert_uint_eq(test_descriptors(), open_before);
}

TEST(what_only_a_connection_can_do_is_refused)
{
    cop_socket listener = listening(NULL);
    char text[64];
    ck_assert_int_eq(cop_send_bytes(listener, COP_TEXT("a"), 0), -EOPNOTSUPP);
    ck_assert_int_eq(cop_send_bytes(listener, COP_TEXT("a"), COP_FOREVER), -EOPNOTSUPP);
    ck_assert_int_eq(cop_socket_shutdown_write(listener), -EOPNOTSUPP);
    ck_assert_int_eq(cop_socket_writable_once(listener), -EOPNOTSUPP);
    ck_assert_int_eq(cop_socket_set_framing(listener, COP_FRAME_RAW, 0), -EOPNOTSUPP);
    ck_assert_int_eq(cop_socket_peer(listener, text, sizeof text), -ENOTCONN);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

static int
try_to_listen(void *out)
{
    return cop_listen(out, ANY_PORT);
}

TEST(without_memory_nobody_listens_and_nothing_is_left_open)
{
    cop_socket listener;
    int r;
    cop_self();
    unsigned open_before = test_descriptors();
    ck_assert_uint_gt(test_out_of_memory(try_to_listen, &listener, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(test_descriptors(), open_before + 1);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

/* ---------------------------------------------------------------- what a connection has of it */

TEST(a_connection_has_its_listeners_options)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE, .max_frame = 4, .send_limit = 5);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("123456"), 0), -EMSGSIZE);
    peer_says(ends, "abc\nabcdef", 10);
    next_text(ends.ours, "abc\n");
    ck_assert_int_eq(next_error(ends.ours), -EMSGSIZE);
    close_ends(ends);
}

TEST(addresses_are_told_of_both_ends)
{
    cop_socket listener = listening(NULL);
    struct ends ends = {.peer = peer_of(listener)};
    char text[128], expected[128], small[5];
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    ends.ours = accepted(listener);
    ck_assert_int_eq(getsockname(ends.peer, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%d", ntohs(address.sin_port));
    ck_assert_int_eq(cop_socket_peer(ends.ours, text, sizeof text), 0);
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(cop_socket_peer(ends.ours, small, sizeof small), -ENOSPC);
    ck_assert_int_eq(cop_socket_address(listener, expected, sizeof expected), 0);
    ck_assert_int_eq(cop_socket_address(ends.ours, text, sizeof text), 0);
    ck_assert_str_eq(text, expected);
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

/* ---------------------------------------------------------------- Unix paths */

TEST(a_unix_path_is_listened_at_and_removed_at_the_close)
{
    make_folder();
    cop_socket listener, ours, theirs;
    char text[128];
    ck_assert_int_eq(cop_listen(&listener, at_path), 0);
    ck_assert(is_there());
    ck_assert_int_eq(cop_socket_address(listener, text, sizeof text), 0);
    ck_assert_str_eq(text, at_path);
    ck_assert_int_eq(cop_connect(&ours, at_path, SOON), 0);
    theirs = accepted(listener);
    ck_assert_int_eq(cop_send_bytes(ours, COP_TEXT("hello"), 0), 0);
    next_text(theirs, "hello");
    ck_assert_int_eq(cop_socket_peer(ours, text, sizeof text), 0);
    ck_assert_str_eq(text, at_path);
    ck_assert_int_eq(cop_socket_peer(theirs, text, sizeof text), 0);
    ck_assert_str_eq(text, "unix:");
    cop_socket_close(ours);
    cop_socket_close(theirs);
    ck_assert(is_there());
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert(!is_there());
    remove_folder();
}

TEST(a_path_at_which_nobody_listens_any_more_is_taken_over)
{
    make_folder();
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(stale, (struct sockaddr *)&name, sizeof name), 0);
    close(stale);
    cop_socket listener, second;
    ck_assert_int_eq(cop_listen(&listener, at_path), 0);
    ck_assert_int_eq(cop_listen(&second, at_path), -EADDRINUSE);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    remove_folder();
}

static mode_t
mode_of_path(void)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode & 0777;
}

TEST(a_path_has_the_mode_that_was_asked_for_less_the_umask)
{
    cop_socket listener;
    make_folder();
    umask(002);
    ck_assert_int_eq(cop_listen(&listener, at_path), 0);
    ck_assert_uint_eq(mode_of_path(), 0775);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert_int_eq(cop_listen(&listener, at_path, .mode = 0622), 0);
    ck_assert_uint_eq(mode_of_path(), 0620);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    remove_folder();
}

TEST(a_file_that_is_no_socket_is_left_alone)
{
    make_folder();
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    cop_socket listener;
    ck_assert_int_eq(cop_listen(&listener, at_path), -EADDRINUSE);
    ck_assert(is_there());
    remove_folder();
}

TEST(what_somebody_else_has_put_at_the_path_is_not_removed)
{
    make_folder();
    cop_socket listener;
    ck_assert_int_eq(cop_listen(&listener, at_path), 0);
    char aside[80];
    (void)snprintf(aside, sizeof aside, "%s.old", path); /* so that its number is not used again */
    ck_assert_int_eq(rename(path, aside), 0);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert(is_there());
    unlink(aside);
    remove_folder();
}

TEST(an_abstract_name_is_listened_at)
{
    char name[64];
    (void)snprintf(name, sizeof name, "unix:@coppice-listener-%d", (int)getpid());
    cop_socket listener, second, ours;
    ck_assert_int_eq(cop_listen(&listener, name), 0);
    ck_assert_int_eq(cop_listen(&second, name), -EADDRINUSE);
    ck_assert_int_eq(cop_connect(&ours, name, SOON), 0);
    cop_socket theirs = accepted(listener);
    cop_socket_close(theirs);
    cop_socket_close(ours);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert_int_eq(cop_connect(&ours, name, SOON), -ECONNREFUSED);
}

/* ---------------------------------------------------------------- the owner */

static int
accept_for_ever(cop_bytes arg)
{
    cop_socket listener, connection;
    int r = cop_listen(&listener, arg.data);
    while (r == 0 && (r = cop_socket_active_once(listener)) == 0) {
        cop_msg msg;
        r = cop_receive(&msg, COP_FOREVER);
        cop_accepted_of(msg, &connection);
    }
    return r;
}

TEST(an_acceptor_that_is_killed_closes_what_it_has_accepted_and_its_path)
{
    make_folder();
    cop_ref monitor;
    cop_pid acceptor;
    cop_socket ours[10];
    ck_assert_int_eq(
        cop_spawn(&acceptor, accept_for_ever, .arg = COP_STR(at_path), .monitor = &monitor), 0);
    for (int i = 0; i < 10; i++) {
        EVENTUALLY(cop_connect(&ours[i], at_path, SOON) == 0);
        ck_assert_int_eq(cop_socket_active_once(ours[i]), 0);
    }
    cop_exit_signal(acceptor, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert(!is_there());
    for (int i = 0; i < 10; i++) {
        struct cop_closed closed = *COP_BODY(test_receive(COP_MSG_CLOSED), struct cop_closed);
        cop_socket_close(closed.socket);
    }
    remove_folder();
}

SUITE("listener")
