/*
 * tests/actors/test_wire.c - the life of a socket: whose it is, and how it ends.
 *
 * Room: tests/.
 */
#include "actors/wire.h"
#include "runtime/alloc.h"
#include "tests/actors/late_close.h"
#include "tests/actors/sockets.h"
#include "tests/support/wrap.h"

#include <pthread.h>
#include <sys/resource.h>

enum {
    GO = 1,
    DONE,
};

/* The next so many find nobody to belong to. */
static atomic_int joins_refused;

int real_join(struct copi_belonging *owned, cop_pid pid) REAL(copi_belonging_join);
int join(struct copi_belonging *owned, cop_pid pid) WRAP(copi_belonging_join);
int
join(struct copi_belonging *owned, cop_pid pid)
{
    return joins_refused > 0 && joins_refused-- ? -ESRCH : real_join(owned, pid);
}

/* ---------------------------------------------------------------- what is refused */

static void
is_no_socket(cop_socket socket)
{
    char text[128];
    ck_assert_int_eq(cop_socket_active_once(socket), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
    ck_assert_int_eq(cop_socket_writable_once(socket), -EBADF);
    ck_assert_int_eq(cop_socket_set_framing(socket, COP_FRAME_RAW, 0), -EBADF);
    ck_assert_int_eq(cop_send_bytes(socket, COP_TEXT("a"), 0), -EBADF);
    ck_assert_int_eq(cop_send_bytes(socket, COP_TEXT("a"), COP_FOREVER), -EBADF);
    ck_assert_int_eq(cop_socket_shutdown_write(socket), -EBADF);
    ck_assert_int_eq(cop_socket_give(socket, cop_self()), -EBADF);
    ck_assert_int_eq(cop_socket_address(socket, text, sizeof text), -EBADF);
    ck_assert_int_eq(cop_socket_peer(socket, text, sizeof text), -EBADF);
    ck_assert_int_eq(cop_socket_close(socket), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
}

TEST(what_is_no_socket_any_more_or_never_was_is_safe_to_use)
{
    struct ends ends = CONNECTED();
    const cop_socket none[] = {{0}, {1}, {UINT64_MAX}, {ends.ours.id + 1}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        is_no_socket(none[i]);
    }
    close_ends(ends);
    is_no_socket(ends.ours);
}

TEST(a_handle_does_not_name_the_next_socket)
{
    struct ends old = CONNECTED();
    close_ends(old);
    for (int i = 0; i < 300; i++) {
        struct ends ends = CONNECTED();
        ck_assert_int_eq(cop_socket_close(old.ours), -EBADF);
        close_ends(ends);
    }
}

static int
use_anothers(cop_bytes arg)
{
    cop_socket socket = *(const cop_socket *)arg.data;
    ck_assert_int_eq(cop_socket_active_once(socket), -EPERM);
    ck_assert_int_eq(cop_why().code, -EPERM);
    ck_assert_int_eq(cop_socket_writable_once(socket), -EPERM);
    ck_assert_int_eq(cop_socket_set_framing(socket, COP_FRAME_LINE, 0), -EPERM);
    ck_assert_int_eq(cop_socket_give(socket, cop_self()), -EPERM);
    return cop_send_bytes(socket, COP_TEXT("hello"), 0);
}

TEST(anybody_may_send_but_only_the_owner_hears_and_gives)
{
    struct ends ends = CONNECTED();
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(NULL, use_anothers, .arg = COP_BYTES(ends.ours), .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    peer_hears_text(ends, "hello");
    close_ends(ends);
}

/* ---------------------------------------------------------------- the owner's end */

/* Waits for a message, and does what that says. */
static int
own(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    if (cop_receive(&msg, COP_FOREVER) != 0) {
        return 0;
    }
    cop_exit(*COP_BODY(msg, cop_reason));
}

static cop_pid
start_owner(cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, own, .monitor = monitor), 0);
    return pid;
}

TEST_TIMES(5, whatever_ends_the_owner_closes_what_it_owns)
{
    const cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, cop_failed(-EIO, "crash"),
                                  COP_REASON_KILLED, COP_REASON_SHUTDOWN};
    struct ends ends = CONNECTED();
    cop_ref monitor;
    cop_pid owner = start_owner(&monitor);
    ck_assert_int_eq(cop_socket_give(ends.ours, owner), 0);
    if (_i < 3) {
        cop_send(owner, COP_MSG_OF(GO, reasons[_i]));
    } else {
        cop_exit_signal(owner, reasons[_i]);
    }
    test_down(monitor);
    is_no_socket(ends.ours); /* already */
    peer_hears_the_end(ends);
    close(ends.peer);
}

static int
own_and_be_deaf(cop_bytes arg)
{
    (void)arg;
    for (cop_time until = cop_now() + SOON; cop_now() < until;) {
        if (atomic_load((_Atomic int *)*(void *const *)arg.data)) {
            break;
        }
    }
    return 0;
}

TEST(an_owner_that_had_to_be_disowned_closes_nothing_itself_and_needs_not)
{
    cop_config config = {.size = sizeof config, .kill_grace = COP_MS(10)};
    ck_assert_int_eq(cop_configure(&config), 0);
    struct ends ends = CONNECTED();
    static _Atomic int may_end;
    void *flag = &may_end;
    cop_ref monitor;
    cop_pid owner;
    ck_assert_int_eq(
        cop_spawn(&owner, own_and_be_deaf, .arg = COP_BYTES(flag), .monitor = &monitor), 0);
    ck_assert_int_eq(cop_socket_give(ends.ours, owner), 0);
    cop_exit_signal(owner, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    is_no_socket(ends.ours);
    peer_hears_the_end(ends);
    close(ends.peer);
    atomic_store(&may_end, 1);
    EVENTUALLY(cop_disowned() == 0);
}

TEST(a_listener_whose_owner_ended_leaves_its_address_free)
{
    cop_ref monitor;
    cop_pid owner = start_owner(&monitor);
    cop_socket listener = listening(NULL);
    char address[128];
    ck_assert_int_eq(cop_socket_address(listener, address, sizeof address), 0);
    ck_assert_int_eq(cop_socket_give(listener, owner), 0);
    cop_exit_signal(owner, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_int_eq(cop_listen(&listener, address), 0);
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

static void *
connect_and_leave(void *arg)
{
    cop_socket ours;
    char address[128];
    ck_assert_int_eq(cop_socket_address(*(cop_socket *)arg, address, sizeof address), 0);
    ck_assert_int_eq(cop_connect(&ours, address, SOON), 0);
    return NULL;
}

TEST(a_foreign_threads_sockets_are_closed_with_it)
{
    cop_socket listener = listening(NULL);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, connect_and_leave, &listener), 0);
    cop_socket connection = accepted(listener);
    ck_assert_int_eq(next_error(connection), 0);
    pthread_join(thread, NULL);
    cop_socket_close(connection);
    cop_socket_close(listener);
}

/* ---------------------------------------------------------------- giving */

TEST(to_who_is_not_there_nothing_is_given)
{
    struct ends ends = CONNECTED();
    cop_ref monitor;
    cop_pid gone = start_owner(&monitor);
    cop_exit_signal(gone, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_int_eq(cop_socket_give(ends.ours, gone), -ESRCH);
    ck_assert_int_eq(cop_socket_give(ends.ours, COP_NOBODY), -ESRCH);
    ck_assert_int_eq(cop_socket_give(ends.ours, cop_named("nobody")), -ESRCH);
    peer_says(ends, "still mine", 10);
    next_text(ends.ours, "still mine");
    close_ends(ends);
}

static int
echo_one(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    cop_socket socket;
    cop_bytes bytes;
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert(cop_data_of(msg, &socket, &bytes));
    ck_assert_int_eq(cop_send_bytes(socket, bytes, 0), 0);
    return 0;
}

TEST(what_its_owners_end_is_about_to_close_is_not_given)
{
    struct ends ends = CONNECTED();
    is_about_to_end = true;
    ck_assert_int_eq(cop_socket_give(ends.ours, cop_self()), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
    is_about_to_end = false;
    peer_says(ends, "here", 4);
    next_text(ends.ours, "here");
    close_ends(ends);
}

TEST(what_can_be_nobodys_is_closed_at_once)
{
    struct ends ends = CONNECTED();
    peer_says(ends, "unread", 6);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    test_receive(COP_MSG_DATA);
    joins_refused = 2; /* neither whom it is given to, nor whose it was */
    ck_assert_int_eq(cop_socket_give(ends.ours, cop_self()), -EBADF);
    ck_assert_int_eq(cop_why().code, -EBADF);
    is_no_socket(ends.ours);
    peer_hears_the_end(ends);
    close(ends.peer);
}

TEST(a_request_goes_with_the_socket)
{
    struct ends ends = CONNECTED();
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, echo_one), 0);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    ck_assert_int_eq(cop_socket_give(ends.ours, pid), 0);
    ck_assert_int_eq(cop_socket_active_once(ends.ours), -EPERM);
    peer_says(ends, "hello", 5);
    peer_hears_text(ends, "hello");
    peer_hears_the_end(ends);
    close(ends.peer);
    ck_assert(!test_has_mail());
}

TEST(a_socket_is_given_from_one_to_the_next)
{
    struct ends ends = CONNECTED();
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_socket_give(ends.ours, cop_named("main")), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(cop_socket_give(ends.ours, cop_self()), 0);
    }
    peer_says(ends, "mine", 4);
    next_text(ends.ours, "mine");
    close_ends(ends);
}

/* ---------------------------------------------------------------- closing */

TEST(what_was_sent_before_a_close_arrives)
{
    struct ends ends = CONNECTED_LOCALLY();
    size_t sent = fill(ends.ours), heard = 0;
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    is_no_socket(ends.ours);
    static char block[65536];
    for (size_t n; (n = peer_hears(ends, block, sizeof block)) > 0;) {
        heard += n;
    }
    ck_assert_uint_eq(heard, sent);
    close(ends.peer);
}

static size_t
heard_to_the_end(struct ends ends)
{
    static char block[65536];
    size_t heard = 0;
    ssize_t n;
    while ((n = recv(ends.peer, block, sizeof block, 0)) > 0) {
        heard += (size_t)n;
    }
    return heard;
}

TEST_TIMES(2, what_was_sent_before_an_orderly_end_arrives_and_before_a_crash_it_may_not)
{
    struct ends ends = CONNECTED_LOCALLY(.linger = COP_FOREVER);
    cop_ref monitor;
    cop_pid owner = start_owner(&monitor);
    size_t sent = fill(ends.ours);
    cop_reason reason = _i ? cop_failed(-EIO, "crash") : COP_REASON_NORMAL;
    ck_assert_int_eq(cop_socket_give(ends.ours, owner), 0);
    cop_send(owner, COP_MSG_OF(GO, reason));
    test_down(monitor);
    size_t heard = heard_to_the_end(ends);
    if (_i) {
        ck_assert_uint_lt(heard, sent);
    } else {
        ck_assert_uint_eq(heard, sent);
    }
    close(ends.peer);
}

TEST(a_peer_that_does_not_read_is_waited_for_as_long_as_was_said)
{
    struct ends ends = CONNECTED_LOCALLY(.linger = COP_MS(20));
    size_t sent = fill(ends.ours);
    unsigned open_before = test_descriptors();
    cop_time begun = cop_now();
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    EVENTUALLY(test_descriptors() < open_before);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    ck_assert_uint_lt(heard_to_the_end(ends), sent);
    close(ends.peer);
}

TEST(a_shutdown_waits_for_no_peer)
{
    struct ends ends = CONNECTED_LOCALLY(.linger = COP_FOREVER);
    size_t sent = fill(ends.ours);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_lt(heard_to_the_end(ends), sent);
    close(ends.peer);
}

static size_t
alive(const char *kind)
{
    cop_live_count counts[64];
    size_t n = cop_live(counts, 64);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(counts[i].kind, kind) == 0) {
            return counts[i].count;
        }
    }
    ck_abort_msg("no kind %s", kind);
}

TEST(a_peer_that_leaves_ends_the_lingering_and_its_timer)
{
    struct ends ends = CONNECTED_LOCALLY(.linger = COP_FOREVER);
    fill(ends.ours);
    unsigned open_before = test_descriptors();
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    ck_assert_uint_eq(alive("timers"), 1);
    ck_assert_uint_eq(alive("sockets and ports"), 1);
    close(ends.peer);
    EVENTUALLY(test_descriptors() == open_before - 2);
    EVENTUALLY(alive("timers") == 0);
    EVENTUALLY(alive("sockets and ports") == 0);
}

TEST(the_last_words_to_a_peer_that_was_not_heard_out_arrive)
{
    struct ends ends = CONNECTED(.framing = COP_FRAME_LINE, .max_frame = 10);
    static const char much[100000];
    peer_says(ends, much, sizeof much);
    ck_assert_int_eq(next_error(ends.ours), -EMSGSIZE);
    ck_assert_int_eq(cop_send_bytes(ends.ours, COP_TEXT("too long\n"), 0), 0);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    peer_says(ends, much, sizeof much);
    peer_hears_text(ends, "too long\n");
    peer_hears_the_end(ends);
    unsigned open_before = test_descriptors();
    close(ends.peer);
    EVENTUALLY(test_descriptors() == open_before - 2);
}

TEST(a_peer_that_never_stops_talking_is_heard_out_as_long_as_was_said)
{
    struct ends ends = CONNECTED(.linger = COP_MS(20));
    peer_says(ends, "unread", 6);
    cop_io_cancel(cop_io_watch(ends.peer, COP_IO_READ)); /* the reactor's own are open */
    unsigned open_before = test_descriptors();
    cop_time begun = cop_now();
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    while (test_descriptors() >= open_before) {
        send(ends.peer, "more", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
        ck_assert(cop_now() - begun < SOON);
    }
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    close(ends.peer);
}

TEST(a_request_that_is_open_when_the_socket_is_closed_is_not_answered)
{
    struct ends ends = CONNECTED();
    ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
    ck_assert_int_eq(cop_socket_close(ends.ours), 0);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    close(ends.peer);
}

/* ---------------------------------------------------------------- memory */

struct start_env {
    struct copi_wire_start start;
    uint64_t id;
};

static int
open_one(void *arg)
{
    struct start_env *env = arg;
    return copi_wire_open(&env->id, &env->start);
}

TEST(without_memory_nothing_is_opened_and_the_descriptor_stays_the_callers)
{
    const struct copi_wire_options options = {.framing.max = 1};
    struct start_env env = {
        .start = {.kind = &copi_wire_stream, .options = &options, .owner = cop_self()},
    };
    env.start.fd = dup(STDIN_FILENO);
    int r;
    ck_assert_uint_eq(test_out_of_memory(open_one, &env, &r), 1);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_socket_close((cop_socket){env.id}), 0);
    ck_assert_int_eq(close(env.start.fd), -1);
}

TEST(for_who_has_ended_nothing_is_opened)
{
    cop_ref monitor;
    cop_pid gone = start_owner(&monitor);
    cop_exit_signal(gone, COP_REASON_KILLED);
    test_down(monitor);
    const struct copi_wire_options options = {.framing.max = 1};
    struct start_env env = {
        .start = {.kind = &copi_wire_stream, .options = &options, .fd = 77, .owner = gone},
    };
    ck_assert_int_eq(open_one(&env), -ECANCELED);
}

/* ---------------------------------------------------------------- many, and races */

static int
serve(cop_bytes unused)
{
    (void)unused;
    for (;;) {
        cop_msg msg;
        cop_socket socket;
        cop_bytes bytes;
        int r = cop_receive(&msg, COP_FOREVER);
        if (r || !cop_data_of(msg, &socket, &bytes)) {
            return r;
        }
        if (cop_send_bytes(socket, bytes, COP_FOREVER) != 0
            || cop_socket_active_once(socket) != 0) {
            return 0;
        }
    }
}

TEST(processes_that_are_killed_at_any_moment_leave_nothing)
{
    cop_socket listener = listening(&(cop_socket_opts){
        .size = sizeof(cop_socket_opts),
        .framing = COP_FRAME_LINE,
    });
    for (int i = 0; i < 200; i++) {
        cop_ref monitor;
        cop_pid pid;
        struct ends ends = {.peer = peer_of(listener)};
        ends.ours = accepted(listener);
        ck_assert_int_eq(cop_spawn(&pid, serve, .monitor = &monitor), 0);
        ck_assert_int_eq(cop_socket_active_once(ends.ours), 0);
        ck_assert_int_eq(cop_socket_give(ends.ours, pid), 0);
        peer_says(ends, "a\nb\nc\n", 6);
        if (i % 4 == 0) {
            peer_hears_text(ends, "a\nb\n");
        }
        cop_exit_signal(pid, COP_REASON_KILLED);
        if (i % 3 == 0) {
            cop_socket_close(ends.ours); /* anybody's, at the same time */
        }
        test_down(monitor);
        ck_assert_int_eq(cop_socket_close(ends.ours), -EBADF);
        close(ends.peer);
    }
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

TEST(a_thousand_connections_are_served_by_one_process)
{
    enum {
        CONNECTIONS = 1000,
        FOR_OTHERS = 100
    };
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 2 * CONNECTIONS + FOR_OTHERS ? limit.rlim_max
                                                                   : 2 * CONNECTIONS + FOR_OTHERS;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int count = ((int)limit.rlim_cur - FOR_OTHERS) / 2;
    static struct ends all[CONNECTIONS];
    cop_socket listener = listening(&(cop_socket_opts){
        .size = sizeof(cop_socket_opts),
        .framing = COP_FRAME_LINE,
    });
    cop_ref monitor;
    cop_pid server;
    ck_assert_int_eq(cop_spawn(&server, serve, .monitor = &monitor), 0);
    for (int i = 0; i < count; i++) {
        all[i].peer = peer_of(listener);
        all[i].ours = accepted(listener);
        ck_assert_int_eq(cop_socket_active_once(all[i].ours), 0);
        ck_assert_int_eq(cop_socket_give(all[i].ours, server), 0);
    }
    size_t before = test_allocated();
    for (int i = 0; i < count; i++) {
        peer_says(all[i], "half a line", 11);
    }
    for (int i = 0; i < count; i++) {
        peer_says(all[i], "\n", 1);
        peer_hears_text(all[i], "half a line\n");
    }
    printf("%d connections; half a line of each: %zd bytes\n", count,
           (ssize_t)(test_allocated() - before));
    cop_exit_signal(server, COP_REASON_KILLED);
    test_down(monitor);
    for (int i = 0; i < count; i++) {
        peer_hears_the_end(all[i]);
        close(all[i].peer);
    }
    ck_assert_int_eq(cop_socket_close(listener), 0);
}

SUITE("wire")
