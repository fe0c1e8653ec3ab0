/*
 * tests/actors/test_accept.c - how a listener accepts: for its owner, who has asked, or for whoever waits.
 *
 * Room: tests/.
 */
#include "actors/wire.h"
#include "runtime/alloc.h"
#include "runtime/table.h"
#include "tests/actors/sockets.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <sys/resource.h>

enum {
    TRIES = 100
};

/* What a listener's call fails with; 0: it goes as it goes. */
static atomic_int breaks_with;

int real_accept(int fd, struct sockaddr *from, socklen_t *size, int flags) REAL(accept4);
int break_accept(int fd, struct sockaddr *from, socklen_t *size, int flags) WRAP(accept4);
int
break_accept(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
    int error = breaks_with;
    if (error) {
        errno = error;
        return -1;
    }
    return real_accept(fd, from, size, flags);
}

/* There is no place for another connection: each comes to the listener that is asked, and to no record. */
static atomic_bool is_crowded;

int real_take(struct copi_wire **record) REAL(copi_wire_take);
int take_if_there_is_one(struct copi_wire **record) WRAP(copi_wire_take);
int
take_if_there_is_one(struct copi_wire **record)
{
    return is_crowded ? -EAGAIN : real_take(record);
}

/* What was accepted is held back before it is somebody's. */
static atomic_bool holds_back, is_held_back;

int real_begin(uint64_t *id, struct copi_wire *wire, const struct copi_wire_start *start)
    REAL(copi_wire_begin);
int hold_back(uint64_t *id, struct copi_wire *wire, const struct copi_wire_start *start)
    WRAP(copi_wire_begin);
int
hold_back(uint64_t *id, struct copi_wire *wire, const struct copi_wire_start *start)
{
    is_held_back = holds_back;
    while (holds_back) {
        usleep(100);
    }
    return real_begin(id, wire, start);
}

static bool
waits(cop_pid pid)
{
    const struct copi_process *process = copi_table_find(pid);
    return process && copi_load_relaxed_64(&process->noticed) != 0;
}

static struct rlimit
take_all_descriptors(void)
{
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

/* Says "a", is heard, and stays until the peer leaves. */
static int
accept_and_greet(cop_bytes arg)
{
    cop_socket connection;
    char c;
    size_t n;
    int r = cop_accept(*(const cop_socket *)arg.data, &connection, COP_FOREVER);
    r = r ? r : cop_send_bytes(connection, COP_TEXT("a"), 0);
    while (r == 0) {
        r = cop_receive_bytes(connection, &c, 1, &n, COP_FOREVER);
    }
    return r == -ENODATA ? 0 : r;
}

static cop_pid
acceptor_of(cop_socket *listener, cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(
        cop_spawn(&pid, accept_and_greet, .arg = COP_BYTES(*listener), .monitor = monitor), 0);
    EVENTUALLY(waits(pid));
    return pid;
}

static void
is_greeted(int peer)
{
    char c = 0;
    ck_assert_int_eq(recv(peer, &c, 1, 0), 1);
    ck_assert_int_eq(c, 'a');
    close(peer);
}

/* ---------------------------------------------------------------- what is refused */

TEST(where_nobody_listens_nobody_is_accepted)
{
    struct ends ends = CONNECTED();
    cop_socket connection = {17}, listener = listening(NULL);
    ck_assert_int_eq(cop_accept(ends.ours, &connection, SOON), -EOPNOTSUPP);
    ck_assert_int_eq(cop_accept(listener, &connection, -1), -EINVAL);
    ck_assert_int_eq(cop_accept(listener, &connection, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert_int_eq(cop_accept(listener, &connection, SOON), -EBADF);
    ck_assert_uint_eq(connection.id, 17);
    close_ends(ends);
}

TEST(who_waits_for_nobody_waits_no_longer_than_was_said)
{
    cop_socket connection, listener = listening(NULL);
    cop_time begun = cop_now();
    ck_assert_int_eq(cop_accept(listener, &connection, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    cop_context *context = cop_context_new(COP_MS(20));
    cop_context_enter(context);
    ck_assert_int_eq(cop_accept(listener, &connection, COP_FOREVER), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

/* ---------------------------------------------------------------- for its owner, who has asked */

TEST(each_request_accepts_one)
{
    cop_socket listener = listening(NULL);
    struct ends ends[3] = {{.peer = -1}};
    for (int i = 0; i < 3; i++) {
        ends[i].peer = peer_of(listener);
    }
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        ends[i].ours = accepted(listener);
    }
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    ck_assert_int_eq(cop_socket_active_once(listener), -EALREADY);
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) { /* in the order in which they came */
        char c = (char)('a' + i);
        peer_says(ends[i], &c, 1);
        ck_assert_int_eq(*(const char *)next_data(ends[i].ours).data, c);
        close_ends(ends[i]);
    }
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(who_has_left_before_being_accepted_disturbs_nobody)
{
    cop_socket listener = listening(NULL);
    const struct linger none = {.l_onoff = 1};
    for (int i = 0; i < 5; i++) {
        int peer = peer_of(listener);
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        close(peer);
    }
    struct ends ends = {.peer = peer_of(listener)};
    peer_says(ends, "here", 4);
    do {
        ends.ours = accepted(listener);
        ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
        cop_msg msg;
        cop_bytes bytes;
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        if (cop_data_of(msg, NULL, &bytes)) {
            break;
        }
        cop_socket_close(ends.ours);
    } while (true);
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(a_connection_whose_owner_has_ended_while_it_was_made_is_closed)
{
    cop_socket listener = listening(NULL);
    cop_pid owner;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&owner, test_wait_for_end, .monitor = &monitor), 0);
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    ck_assert_int_eq(cop_socket_give(listener, owner), 0);
    holds_back = true;
    struct ends ends = {.peer = peer_of(listener)};
    EVENTUALLY(is_held_back);
    cop_exit_signal(owner, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED); /* who accepts keeps it from nothing */
    ck_assert_int_eq(cop_socket_close(listener), -EBADF);
    holds_back = false;
    peer_hears_the_end(ends);
    close(ends.peer);
}

/* ---------------------------------------------------------------- for whoever waits */

TEST(who_is_there_already_is_accepted_without_waiting)
{
    cop_socket listener = listening(NULL);
    struct ends ends = {.peer = peer_of(listener)};
    ck_assert_int_eq(cop_accept(listener, &ends.ours, 0), 0);
    peer_says(ends, "here", 4);
    next_text(ends.ours, "here");
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(anybody_may_wait_and_each_connection_is_of_one)
{
    enum {
        ACCEPTORS = 5
    };
    cop_socket listener = listening(NULL);
    cop_ref monitors[ACCEPTORS];
    for (int i = 0; i < ACCEPTORS; i++) {
        acceptor_of(&listener, &monitors[i]);
    }
    for (int i = 0; i < ACCEPTORS; i++) {
        is_greeted(peer_of(listener));
    }
    for (int i = 0; i < ACCEPTORS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(who_has_ended_keeps_nobody_else_waiting)
{
    cop_socket listener = listening(NULL);
    cop_ref killed, served;
    cop_pid first = acceptor_of(&listener, &killed);
    acceptor_of(&listener, &served);
    cop_exit_signal(first, COP_REASON_KILLED);
    test_down(killed);
    is_greeted(peer_of(listener));
    test_down(served);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST_TIMES(2, who_waits_for_a_connection_can_be_ended)
{
    cop_socket listener = listening(NULL);
    cop_ref monitor;
    cop_exit_signal(acceptor_of(&listener, &monitor), _i ? COP_REASON_KILLED : COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, _i ? COP_KILLED : COP_SHUTDOWN);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(who_waits_for_a_connection_learns_that_the_listener_was_closed)
{
    cop_socket listener = listening(NULL);
    cop_ref monitor;
    acceptor_of(&listener, &monitor);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert_int_eq(test_down(monitor).code, -EBADF);
}

TEST(what_was_accepted_ends_with_who_has_accepted_it)
{
    cop_socket listener = listening(NULL);
    cop_ref monitor;
    cop_pid pid = acceptor_of(&listener, &monitor);
    struct ends ends = {.peer = peer_of(listener)};
    peer_hears_text(ends, "a");
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    peer_hears_the_end(ends);
    close(ends.peer);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(an_owner_who_asked_and_another_who_waits_are_both_served)
{
    cop_socket listener = listening(NULL);
    cop_ref monitor;
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    acceptor_of(&listener, &monitor);
    int peers[2] = {peer_of(listener), peer_of(listener)};
    cop_socket ours;
    ck_assert(cop_accepted_of(test_receive(COP_MSG_ACCEPTED), &ours));
    ck_assert_int_eq(cop_send_bytes(ours, COP_TEXT("a"), 0), 0);
    is_greeted(peers[0]);
    is_greeted(peers[1]);
    test_down(monitor);
    ck_assert_int_eq(cop_socket_close(ours), 0);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

/* ---------------------------------------------------------------- shortages */

TEST(without_descriptors_a_listener_pauses_reports_it_once_and_goes_on)
{
    cop_socket listener = listening(NULL);
    cop_msg msg;
    ck_assert_int_eq(cop_socket_active_once(listener), 0); /* the reactor runs */
    struct ends ends = {.peer = peer_of(listener)};
    ck_assert(cop_accepted_of(test_receive(COP_MSG_ACCEPTED), &ends.ours));
    close_ends(ends);

    ends.peer = peer_of(listener);
    test_catch_stderr();
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    ck_assert_int_eq(cop_receive(&msg, COP_MS(350)), -ETIMEDOUT); /* it tries a few times */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(cop_accepted_of(test_receive(COP_MSG_ACCEPTED), &ends.ours));
    char *reports = test_caught_stderr();
    ck_assert_uint_eq(test_count(reports, "a listener pauses"), 1);
    free(reports);
    peer_says(ends, "patient", 7);
    next_text(ends.ours, "patient");
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(without_memory_for_a_connection_it_goes_on_to_wait)
{
    enum {
        CONNECTIONS = 130 /* past what one block of records holds */
    };
    cop_socket listener = listening(NULL);
    struct ends ends[CONNECTIONS];
    test_catch_stderr();
    unsigned refused = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        ends[i].peer = peer_of(listener);
        copi_alloc_fail_after(0);
        int r = cop_socket_active_once(listener);
        copi_alloc_fail_after(-1);
        ck_assert(r == 0 || r == -ENOMEM);
        if (r) {
            refused++;
            ck_assert_int_eq(cop_socket_active_once(listener), 0);
        }
        ck_assert(cop_accepted_of(test_receive(COP_MSG_ACCEPTED), &ends[i].ours));
        peer_says(ends[i], "patient", 7);
        next_text(ends[i].ours, "patient");
    }
    free(test_caught_stderr());
    ck_assert_uint_gt(refused, 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        close_ends(ends[i]);
    }
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(a_listener_that_is_closed_while_it_pauses_is_forgotten)
{
    cop_socket listener = listening(NULL);
    int peer = peer_of(listener);
    struct rlimit before, none;
    test_catch_stderr();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    ck_assert_int_eq(cop_socket_close(listener), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    free(test_caught_stderr());
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(150)), -ETIMEDOUT);
    close(peer);
}

TEST(those_who_wait_wait_out_a_shortage_of_descriptors)
{
    enum {
        ACCEPTORS = 8
    };
    cop_socket listener = listening(NULL);
    cop_ref monitors[ACCEPTORS];
    for (int i = 0; i < ACCEPTORS; i++) {
        acceptor_of(&listener, &monitors[i]);
    }
    int peers[ACCEPTORS];
    for (int i = 0; i < ACCEPTORS; i++) { /* the system has accepted them; nobody else has */
        peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    char text[128];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(cop_socket_address(listener, text, sizeof text), 0);
    address.sin_port = htons((uint16_t)strtoul(strrchr(text, ':') + 1, NULL, 10));
    test_catch_stderr();
    struct rlimit before = take_all_descriptors();
    for (int i = 0; i < ACCEPTORS; i++) {
        ck_assert_int_eq(connect(peers[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    cop_sleep(COP_MS(250)); /* they try a few times */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < ACCEPTORS; i++) {
        is_greeted(peers[i]);
    }
    for (int i = 0; i < ACCEPTORS; i++) {
        test_down(monitors[i]);
    }
    char *reports = test_caught_stderr();
    ck_assert_uint_ge(test_count(reports, "a listener pauses"), 1);
    free(reports);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(who_comes_to_wait_in_a_shortage_waits_it_out)
{
    cop_socket listener = listening(NULL);
    struct ends ends = {.peer = peer_of(listener)};
    ck_assert_int_eq(cop_accept(listener, &ends.ours, 0), 0);
    close_ends(ends);
    ends.peer = peer_of(listener);
    test_catch_stderr();
    struct rlimit before = take_all_descriptors();
    ck_assert_int_eq(cop_accept(listener, &ends.ours, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_accept(listener, &ends.ours, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(cop_accept(listener, &ends.ours, SOON), 0);
    free(test_caught_stderr());
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(when_there_are_too_many_sockets_a_listener_pauses_and_goes_on)
{
    cop_socket listener = listening(NULL);
    struct ends ends = {.peer = peer_of(listener)};
    test_catch_stderr();
    is_crowded = true;
    ck_assert_int_eq(cop_accept(listener, &ends.ours, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    is_crowded = false;
    ck_assert(cop_accepted_of(test_receive(COP_MSG_ACCEPTED), &ends.ours));
    char *reports = test_caught_stderr();
    ck_assert_uint_eq(test_count(reports, "a listener pauses"), 1);
    free(reports);
    close_ends(ends);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

struct accepting {
    cop_socket listener, connection;
};

static int
try_to_accept(void *arg)
{
    struct accepting *accepting = arg;
    return cop_accept(accepting->listener, &accepting->connection, COP_MS(1));
}

TEST(without_memory_nobody_is_accepted_and_nobody_is_lost)
{
    struct accepting accepting = {.listener = listening(NULL)};
    int peers[TRIES], r;
    test_catch_stderr();
    for (int i = 0; i < TRIES; i++) {
        peers[i] = peer_of(accepting.listener);
        test_out_of_memory(try_to_accept, &accepting, &r);
        while (r == -ETIMEDOUT) { /* it waited for memory */
            r = cop_accept(accepting.listener, &accepting.connection, SOON);
        }
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(cop_socket_close(accepting.connection), 0);
        close(peers[i]);
    }
    free(test_caught_stderr());
    ck_assert_int_eq(cop_socket_close(accepting.listener), 0);
}

/* ---------------------------------------------------------------- what is broken */

TEST(a_listener_that_is_broken_cannot_be_asked)
{
    cop_socket listener = listening(NULL);
    const int errors[] = {EINVAL, EPERM,
                          ENOSYS}; /* of the socket; what a policy of the system's answers */
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        breaks_with = errors[i];
        ck_assert_int_eq(cop_socket_active_once(listener), -errors[i]);
        ck_assert_int_eq(cop_why().code, -errors[i]);
        ck_assert(!test_has_mail());
    }
    breaks_with = 0;
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(a_listener_that_breaks_is_told_to_who_has_asked)
{
    cop_socket listener = listening(NULL);
    ck_assert_int_eq(cop_socket_active_once(listener), 0);
    breaks_with = EBADF;
    int peer = peer_of(listener);
    cop_msg msg = test_receive(COP_MSG_CLOSED);
    const struct cop_closed *closed = COP_BODY(msg, struct cop_closed);
    ck_assert_uint_eq(closed->socket.id, listener.id);
    ck_assert_int_eq(closed->error, -EBADF);
    ck_assert(!test_has_mail());
    ck_assert_int_eq(cop_socket_close(listener), 0);
    close(peer);
}

TEST(who_waits_at_a_listener_that_is_broken_is_told)
{
    cop_socket connection = {17}, listener = listening(NULL);
    breaks_with = ENOTSOCK;
    ck_assert_int_eq(cop_accept(listener, &connection, SOON), -ENOTSOCK);
    ck_assert_int_eq(cop_why().code, -ENOTSOCK);
    ck_assert_uint_eq(connection.id, 17);
    breaks_with = 0;
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

SUITE("accept")
