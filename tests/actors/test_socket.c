/*
 * tests/actors/test_socket.c - connecting.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/actors/late_close.h"
#include "tests/actors/sockets.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum {
    DONE = 1,
};

static void
address_of(cop_socket socket, char address[128])
{
    ck_assert_int_eq(cop_socket_address(socket, address, 128), 0);
}

/* An address at which nobody listens, though somebody did a moment ago. */
static void
free_address(char address[128])
{
    cop_socket listener = listening(NULL);
    address_of(listener, address);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

/* ---------------------------------------------------------------- what is refused */

TEST(what_is_no_address_cannot_be_connected_to)
{
    cop_socket ours = {17};
    ck_assert_int_eq(cop_connect(&ours, "nonsense", SOON), -EINVAL);
    ck_assert_int_eq(cop_connect(&ours, "127.0.0.1:0", -1), -EINVAL);
    ck_assert_int_eq(cop_connect(&ours, "127.0.0.1:0", SOON, .framing = (cop_framing)9), -EINVAL);
    ck_assert_int_eq(cop_connect(&ours, "unix:/no/such/folder/socket", SOON), -ENOENT);
    ck_assert_int_eq(cop_why().code, -ENOENT);
    ck_assert_uint_eq(ours.id, 17);
}

TEST(where_nobody_listens_the_connection_is_refused)
{
    char address[128];
    cop_socket ours = {17};
    free_address(address);
    unsigned open_before = test_descriptors();
    ck_assert_int_eq(cop_connect(&ours, address, SOON), -ECONNREFUSED);
    ck_assert_int_eq(cop_why().code, -ECONNREFUSED);
    ck_assert_uint_le(test_descriptors(), open_before + 1); /* what it waited with stays */
    ck_assert_uint_eq(ours.id, 17);
}

struct connect_env {
    char address[128];
    cop_socket ours;
};

static int
try_to_connect(void *arg)
{
    struct connect_env *env = arg;
    return cop_connect(&env->ours, env->address, SOON);
}

TEST(without_memory_nobody_is_connected_and_nothing_is_left_open)
{
    cop_socket listener = listening(NULL);
    struct connect_env env;
    int r;
    address_of(listener, env.address);
    for (int i = 0; i < 127; i++) { /* the next one needs another block of records */
        ck_assert_int_eq(try_to_connect(&env), 0);
    }
    unsigned open_before = test_descriptors();
    test_fill_deferred();
    ck_assert_uint_gt(test_out_of_memory(try_to_connect, &env, &r), 1);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(test_descriptors(), open_before + 1);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    test_leaves_things_behind(); /* this thread's sockets, which end with it */
}

TEST(without_a_descriptor_nobody_is_connected)
{
    cop_socket listener = listening(NULL), ours;
    char address[128];
    struct rlimit before, none;
    address_of(listener, address);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(cop_connect(&ours, address, SOON), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(cop_connect(&ours, address, SOON), 0);
    cop_socket_close(ours);
    cop_socket_close(listener);
}

/* ---------------------------------------------------------------- waiting */

/* A Unix listener that accepts nobody, and whose backlog is full. */
static cop_socket
make_full(char address[64], cop_socket waiting[2])
{
    cop_socket listener;
    (void)snprintf(address, 64, "unix:@coppice-socket-%d", (int)getpid());
    ck_assert_int_eq(cop_listen(&listener, address, .backlog = 1), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_connect(&waiting[i], address, SOON), 0);
    }
    return listener;
}

TEST(a_connection_that_is_not_made_in_time_is_given_up)
{
    char address[64];
    cop_socket waiting[2], ours, listener = make_full(address, waiting);
    cop_time begun = cop_now();
    ck_assert_int_eq(cop_connect(&ours, address, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    ck_assert_int_eq(cop_connect(&ours, address, 0), -ETIMEDOUT);
    cop_context *context = cop_context_new(COP_MS(20));
    cop_context_enter(context);
    ck_assert_int_eq(cop_connect(&ours, address, COP_FOREVER), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    cop_socket_close(waiting[0]);
    cop_socket_close(waiting[1]);
    cop_socket_close(listener);
}

static int
connect_for_ever(cop_bytes arg)
{
    cop_socket ours;
    cop_send(cop_named("main"), COP_TAG(DONE));
    return cop_connect(&ours, arg.data, COP_FOREVER);
}

TEST_TIMES(2, who_waits_for_a_connection_can_be_ended_and_leaves_nothing_open)
{
    char address[64];
    cop_socket waiting[2], listener = make_full(address, waiting);
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    unsigned open_before = test_descriptors();
    ck_assert_int_eq(
        cop_spawn(&pid, connect_for_ever, .arg = COP_STR(address), .monitor = &monitor), 0);
    test_receive(DONE);
    EVENTUALLY(test_descriptors() > open_before);
    cop_exit_signal(pid, _i ? COP_REASON_KILLED : COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, _i ? COP_KILLED : COP_SHUTDOWN);
    ck_assert_uint_eq(test_descriptors(), open_before);
    cop_socket_close(waiting[0]);
    cop_socket_close(waiting[1]);
    cop_socket_close(listener);
}

TEST(a_backlog_that_was_full_lets_the_next_one_in)
{
    char address[64];
    cop_socket waiting[2], listener = make_full(address, waiting);
    cop_ref monitor;
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(
        cop_spawn(NULL, connect_for_ever, .arg = COP_STR(address), .monitor = &monitor), 0);
    test_receive(DONE);
    for (int i = 0; i < 3; i++) {
        cop_socket_close(accepted(listener));
    }
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_socket_close(waiting[0]);
    cop_socket_close(waiting[1]);
    cop_socket_close(listener);
}

/* ---------------------------------------------------------------- connected */

TEST(both_ends_of_a_connection_talk)
{
    cop_socket listener = listening(&(cop_socket_opts){
        .size = sizeof(cop_socket_opts),
        .framing = COP_FRAME_SIZE_2,
    });
    char address[128];
    cop_socket ours, theirs;
    address_of(listener, address);
    ck_assert_int_eq(cop_connect(&ours, address, SOON, .framing = COP_FRAME_SIZE_2), 0);
    theirs = accepted(listener);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_send_bytes(ours, COP_TEXT("there"), 0), 0);
        ck_assert_int_eq(cop_send_bytes(ours, COP_TEXT("and"), 0), 0);
        next_text(theirs, "there");
        ck_assert_int_eq(cop_send_bytes(theirs, COP_TEXT("back"), 0), 0);
        next_text(ours, "back");
        next_text(theirs, "and");
    }
    ck_assert_int_eq(cop_socket_close(ours), 0);
    ck_assert_int_eq(next_error(theirs), 0);
    ck_assert_int_eq(cop_socket_close(theirs), 0);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(what_its_owners_end_is_about_to_close_is_closed_by_nobody_else)
{
    struct ends ends = CONNECTED();
    is_about_to_end = true;
    ck_assert_int_eq(cop_socket_close(ends.ours), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
    is_about_to_end = false;
    peer_says(ends, "here", 4);
    next_text(ends.ours, "here");
    close_ends(ends);
}

TEST(what_is_no_news_of_a_socket_is_not_taken_for_one)
{
    cop_socket socket = {17};
    cop_bytes bytes = {NULL, 17};
    cop_msg msg = COP_TAG(COP_MSG_CLOSED);
    ck_assert(!cop_data_of(msg, &socket, &bytes));
    ck_assert(!cop_accepted_of(msg, &socket));
    ck_assert_uint_eq(socket.id, 17);
    ck_assert_uint_eq(bytes.size, 17);
}

TEST(in_the_child_of_a_fork_no_socket_is_touched)
{
    struct ends ends = CONNECTED();
    pid_t child = fork();
    if (child == 0) {
        cop_socket made;
        char text[64];
        size_t size;
        bool refused = cop_socket_close(ends.ours) == -EPERM
                       && cop_send_bytes(ends.ours, COP_TEXT("a"), 0) == -EPERM
                       && cop_listen(&made, ANY_PORT) == -EPERM
                       && cop_connect(&made, ANY_PORT, 0) == -EPERM
                       && cop_accept(ends.ours, &made, 0) == -EPERM
                       && cop_receive_bytes(ends.ours, &made, 1, &size, 0) == -EPERM
                       && cop_socket_address(ends.ours, text, sizeof text) == -EPERM;
        _exit(refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("alive"), 0), 0);
    peer_hears_text(ends, "alive");
    close_ends(ends);
}

SUITE("socket")
