/*
 * tests/supervisor/observe/test_observer.c - lets tools outside look at the program, over a Unix socket.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/send.h"
#include "tests/supervisor/tree.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---------------------------------------------------------------- helpers */

static char folder[] = "/tmp/coppice-observer-XXXXXX", path[64];

static const char *
make_path(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    return path;
}

static void
remove_path(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static cop_observer_spec observed;

static cop_pid
start(void)
{
    observed.path = observed.path ? observed.path : make_path();
    return start_tree(TREE(.name = "root", .max_restarts = 10,
                           COP_CHILDREN(cop_observer_child(&observed), BOX("a"))));
}

static void
stop(cop_pid sup)
{
    stop_tree(sup);
    ck_assert_int_eq(access(path, F_OK), -1);
    remove_path();
}

/* How a tree starts with such an observer. */
static int
outcome(const cop_observer_spec *spec)
{
    cop_pid pid;
    return cop_supervisor_start(&pid, TREE(COP_CHILDREN(cop_observer_child(spec))));
}

static int
try_to_connect(void)
{
    const struct timeval limit = {.tv_sec = 15};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int r = connect(fd, (struct sockaddr *)&name, sizeof name);
    fcntl(fd, F_SETFL, 0);
    if (r != 0) {
        close(fd);
    }
    return r == 0 ? fd : -1;
}

/* The next line, with its end; empty: there is no more. Until the next call. */
static const char *
line(int fd)
{
    static char text[4096];
    size_t n = 0;
    while (n < sizeof text - 1 && TEMP_FAILURE_RETRY(recv(fd, text + n, 1, 0)) == 1
           && text[n++] != '\n') {
    }
    text[n] = '\0';
    return text;
}

static int
connected(void)
{
    int fd = try_to_connect();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(strncmp(line(fd), "coppice-observer\t1\t", 19), 0);
    return fd;
}

/* Not one who is just ending. */
static bool
is_served(int *fd)
{
    *fd = try_to_connect();
    if (*fd < 0 || strncmp(line(*fd), "coppice-observer", 16) == 0) {
        return *fd >= 0;
    }
    close(*fd);
    return false;
}

static void
ask(int fd, const char *question)
{
    ck_assert_int_eq(send(fd, question, strlen(question), MSG_NOSIGNAL), (ssize_t)strlen(question));
}

/* An answer's first line, and how many come after it; the empty one is taken, too. */
static const char *
answer(int fd, unsigned *more)
{
    static char first[4096];
    unsigned count = 0;
    (void)snprintf(first, sizeof first, "%s", line(fd));
    const char *next = first;
    while (next[0] && strcmp(next = line(fd), "\n") != 0) {
        count++;
    }
    if (more) {
        *more = count;
    }
    return first;
}

#define ANSWERS(fd, question, expected)             \
 do {                                               \
  ask((fd), (question));                            \
  ck_assert_str_eq(answer((fd), NULL), (expected)); \
 } while (0)

static bool
is_over(int fd)
{
    char c;
    return recv(fd, &c, 1, 0) <= 0;
}

#define UNKNOWN "error\tnot one of: picture, events PID [N]\n"

/* ---------------------------------------------------------------- what does not start */

TEST(what_is_no_path_is_refused)
{
    char long_path[200];
    memset(long_path, 'p', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    ck_assert_int_eq(outcome(&(cop_observer_spec){0}), -EINVAL);
    ck_assert_int_eq(outcome(&(cop_observer_spec){.path = "@abstract"}), -EINVAL);
    ck_assert_int_eq(outcome(&(cop_observer_spec){.path = "x", .max_connections = 257}), -EINVAL);
    ck_assert_int_eq(outcome(&(cop_observer_spec){.path = "x", .patience = -1}), -EINVAL);
    ck_assert_int_eq(outcome(&(cop_observer_spec){.path = "/no/such/folder/socket"}), -ENOENT);
    ck_assert_int_eq(outcome(&(cop_observer_spec){.path = long_path}), -ENAMETOOLONG);
}

TEST(where_somebody_listens_it_does_not_start_and_leaves_him_alone)
{
    cop_pid sup = start();
    ck_assert_int_eq(outcome(&observed), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(cop_why().text, path));
    ck_assert_ptr_nonnull(strstr(cop_why().text, cop_strerror(-EADDRINUSE)));
    close(connected());
    stop(sup);
}

TEST(a_file_that_is_no_socket_is_left_alone)
{
    observed.path = make_path();
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ck_assert_int_eq(outcome(&observed), -EADDRINUSE);
    ck_assert_int_eq(access(path, F_OK), 0);
    remove_path();
}

TEST(a_socket_that_was_left_behind_is_replaced)
{
    observed.path = make_path();
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(stale, (struct sockaddr *)&name, sizeof name), 0);
    close(stale);
    cop_pid sup = start();
    close(connected());
    stop(sup);
}

TEST(it_is_for_its_own_user_only)
{
    cop_pid sup = start();
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    stop(sup);
}

/* ---------------------------------------------------------------- bad questions */

TEST(what_it_does_not_answer_is_refused_in_one_line)
{
    static const char *const bad[] = {
        "\n",
        "pictures\n",
        "picture now\n",
        "PICTURE\n",
        "GET / HTTP/1.1\r\n",
        "crash a\n",
        "\x01\x02\xff\n",
        "a b c d e f\n",
        "%s%n\n",
        "picture\tx\n",
        "picture a b c\n",
    };
    test_catch_stderr();
    cop_pid sup = start();
    int fd = connected();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned more;
        ask(fd, bad[i]);
        ck_assert_str_eq(answer(fd, &more), UNKNOWN);
        ck_assert_uint_eq(more, 0);
    }
    ck_assert_int_eq(send(fd, "picture\0\n", 9, 0), 9);
    ck_assert_str_eq(answer(fd, NULL), UNKNOWN);
    ANSWERS(fd, "picture\n", "ok\n");
    close(fd);
    stop(sup);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "the observer is asked what it does not answer"), 1);
    free(said);
}

TEST(a_question_that_is_too_long_ends_the_connection)
{
    test_catch_stderr();
    cop_pid sup = start();
    char question[256];
    memset(question, 'q', 255);
    question[255] = '\0';
    int fd = connected();
    ask(fd, question);
    ask(fd, "q\n");
    ck_assert_str_eq(answer(fd, NULL), "error\ta question has at most 255 bytes\n");
    ck_assert(is_over(fd));
    close(fd);
    question[254] = '\n';
    fd = connected();
    ANSWERS(fd, question, UNKNOWN);
    close(fd);
    stop(sup);
    free(test_caught_stderr());
}

TEST(who_leaves_in_the_middle_disturbs_nobody)
{
    cop_pid sup = start();
    cop_pid pid = counts(sup).active ? cop_whereis("a") : COP_NOBODY;
    int other = connected();
    for (int i = 0; i < 50; i++) {
        int fd = connected();
        ask(fd, i % 2 ? "picture\n" : "pic");
        close(fd);
    }
    ANSWERS(other, "picture\n", "ok\n");
    close(other);
    ck_assert(cop_pid_eq(cop_whereis("a"), pid));
    stop(sup);
}

TEST(a_number_of_events_that_is_none_is_refused)
{
    static const char *const bad[] = {"events\n",
                                      "events a 0\n",
                                      "events a 201\n",
                                      "events a -1\n",
                                      "events a x\n",
                                      "events a 1x\n",
                                      "events a 99999999999999999999\n",
                                      "events a 1 1\n"};
    test_catch_stderr();
    cop_pid sup = start();
    int fd = connected();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ANSWERS(fd, bad[i], UNKNOWN);
    }
    ANSWERS(fd, "events a\n", "error\tnothing is recorded\n");
    ANSWERS(fd, "events nobody 200\n", "error\tnothing is recorded\n");
    close(fd);
    stop(sup);
    free(test_caught_stderr());
}

TEST(what_is_recorded_is_told_the_oldest_first)
{
    char file[80];
    const char *at = make_path();
    (void)snprintf(file, sizeof file, "%s.recorder", at);
    ck_assert_int_eq(cop_configure(&(cop_config){.size = sizeof(cop_config), .recorder = file}), 0);
    observed.path = path;
    cop_pid sup = start();
    unsigned more;
    int fd = connected(), count;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_call(cop_named("a"), COP_TAG(77), &count, sizeof count, SOON), 0);
    }
    ask(fd, "events a 2\n");
    ck_assert_str_eq(answer(fd, &more), "ok\n");
    ck_assert_uint_eq(more, 2);
    ask(fd, "events a\n");
    ck_assert_str_eq(line(fd), "ok\n");
    ck_assert_int_eq(strncmp(line(fd), "event\t", 6), 0);
    bool has_call = false;
    const char *text;
    while (strcmp(text = line(fd), "\n") != 0 && text[0]) {
        has_call |= strstr(text, "\tcall 77") != NULL;
    }
    ck_assert(has_call);
    ANSWERS(fd, "events <9.9>\n", "error\tof that process nothing is recorded\n");
    close(fd);
    stop_tree(sup);
    unlink(file);
    remove_path();
}

/* ---------------------------------------------------------------- pictures */

TEST(a_picture_shows_all_processes)
{
    cop_pid sup = start();
    int fd = connected();
    ask(fd, "picture\n");
    bool has_root = false, has_a = false, has_total = false;
    const char *text;
    ck_assert_str_eq(line(fd), "ok\n");
    while (strcmp(text = line(fd), "\n") != 0 && text[0]) {
        has_root |= strstr(text, "\troot\t") && strncmp(text, "process\t0\t", 10) == 0;
        has_a |= strstr(text, "\ta\ta\t") && strncmp(text, "process\t1\t", 10) == 0;
        has_total |= strcmp(text, "total\tprocesses\t4\n") == 0;
    }
    ck_assert(has_root && has_a && has_total);
    close(fd);
    stop(sup);
}

TEST(questions_may_be_sent_before_the_answers_have_come)
{
    cop_pid sup = start();
    int fd = connected();
    ask(fd, "picture\nx\npicture\r\n");
    ck_assert_str_eq(answer(fd, NULL), "ok\n");
    ck_assert_str_eq(answer(fd, NULL), UNKNOWN);
    ck_assert_str_eq(answer(fd, NULL), "ok\n");
    close(fd);
    stop(sup);
}

enum {
    MANY = 150, /* processes: a picture is longer than a piece */
    OFTEN = 40, /* and so many are more than a socket holds */
};

static void
start_many(void)
{
    for (int i = 0; i < MANY; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "a process with a name that is rather long, number %d",
                       i);
        ck_assert_int_eq(cop_spawn(NULL, test_wait_for_end, .name = name, .label = name), 0);
    }
}

TEST(long_answers_come_whole_while_another_is_answered)
{
    cop_pid sup = start();
    int slow = connected(), other = connected();
    unsigned more;
    start_many();
    for (int i = 0; i < OFTEN; i++) {
        ask(slow, "picture\n");
    }
    ANSWERS(other, "picture\n", "ok\n");
    for (int i = 0; i < OFTEN; i++) {
        ck_assert_str_eq(answer(slow, &more), "ok\n");
        ck_assert_uint_gt(more, MANY);
    }
    close(slow);
    close(other);
    stop(sup);
}

/* ---------------------------------------------------------------- many, and slow ones */

TEST(there_are_so_many_places_and_who_leaves_makes_room)
{
    observed.max_connections = 2;
    cop_pid sup = start();
    int first = connected(), second = connected(), third = try_to_connect();
    ck_assert_int_ge(third, 0); /* the system lets it wait */
    ANSWERS(first, "picture\n", "ok\n");
    struct pollfd waits = {.fd = third, .events = POLLIN};
    ck_assert_int_eq(poll(&waits, 1, 0), 0);
    close(first);
    ck_assert_int_eq(strncmp(line(third), "coppice-observer", 16), 0);
    ANSWERS(second, "picture\n", "ok\n");
    close(second);
    close(third);
    stop(sup);
}

TEST(a_crowd_costs_no_more_than_its_places)
{
    enum {
        CROWD = 2000
    };
    cop_pid sup = start();
    unsigned before = test_descriptors();
    int connected_to = 0;
    static int fds[CROWD];
    for (int i = 0; i < CROWD; i++) {
        fds[i] = try_to_connect();
        if (fds[i] < 0) {
            ck_assert_int_eq(errno, EAGAIN);
        }
        connected_to += fds[i] >= 0;
        if (connected_to > 400) { /* this program has as many ends as they */
            break;
        }
    }
    ck_assert_uint_le(test_descriptors(), before + (unsigned)connected_to + 16);
    ck_assert_int_eq(cop_supervisor_count(sup, &(cop_child_counts){0}), 0);
    for (int i = 0; i < CROWD; i++) {
        if (fds[i] > 0) {
            close(fds[i]);
        }
    }
    int fd;
    EVENTUALLY(is_served(&fd));
    close(fd);
    stop(sup);
}

TEST(who_connects_and_leaves_at_once_leaves_nothing)
{
    cop_pid sup = start();
    for (int i = 0; i < 2000; i++) {
        int fd = try_to_connect();
        if (fd >= 0) {
            close(fd);
        }
    }
    int fd;
    EVENTUALLY(is_served(&fd));
    ANSWERS(fd, "picture\n", "ok\n");
    close(fd);
    stop(sup);
}

TEST(who_asks_nothing_gives_way_when_all_places_are_taken)
{
    observed.max_connections = 1;
    observed.patience = COP_MS(20);
    cop_pid sup = start();
    int idle = connected(), next = try_to_connect();
    ck_assert_int_eq(strncmp(line(next), "coppice-observer", 16), 0);
    ck_assert(is_over(idle));
    ANSWERS(next, "picture\n", "ok\n");
    close(idle);
    close(next);
    stop(sup);
}

TEST(while_there_is_room_who_asks_nothing_may_stay)
{
    observed.max_connections = 2;
    observed.patience = COP_MS(1);
    cop_pid sup = start();
    int fd = connected();
    cop_sleep(COP_MS(20));
    struct pollfd is_open = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&is_open, 1, 0), 0);
    close(fd);
    stop(sup);
}

TEST(who_does_not_read_is_closed)
{
    observed.patience = COP_MS(100);
    cop_pid sup = start();
    start_many();
    int fd = connected();
    for (int i = 0; i < OFTEN; i++) {
        ask(fd, "picture\n");
    }
    struct pollfd gone = {.fd = fd}; /* POLLHUP, with all that is still to be read */
    ck_assert_int_eq(poll(&gone, 1, 15000), 1);
    close(fd);
    stop(sup);
}

static cop_pid
observer_of(cop_pid sup)
{
    cop_child_info info;
    ck_assert_int_eq(cop_supervisor_child(sup, "observer", &info), 0);
    return info.pid;
}

static _Atomic uint64_t listener; /* the socket that was first asked for whoever comes */
static atomic_bool has_no_way_to_wait;
static atomic_bool cannot_listen, cannot_tick; /* the next time */

int real_active_once(cop_socket socket) REAL(cop_socket_active_once);
int active_once_and_remember(cop_socket socket) WRAP(cop_socket_active_once);
int
active_once_and_remember(cop_socket socket)
{
    uint64_t none = 0;
    atomic_compare_exchange_strong(&listener, &none, socket.id);
    bool fails = socket.id == listener && atomic_exchange(&cannot_listen, false);
    return fails ? copi_fail(-ENOMEM) : real_active_once(socket);
}

cop_ref real_send_after(cop_pid to, cop_msg msg, cop_time delay) REAL(cop_send_after);
cop_ref send_after_if_it_can(cop_pid to, cop_msg msg, cop_time delay) WRAP(cop_send_after);
cop_ref
send_after_if_it_can(cop_pid to, cop_msg msg, cop_time delay)
{
    bool fails = msg.tag == 0xfffe0602u && atomic_exchange(&cannot_tick, false);
    return fails ? (cop_ref){0} : real_send_after(to, msg, delay);
}

int real_writable_once(cop_socket socket) REAL(cop_socket_writable_once);
int writable_once_if_it_can_wait(cop_socket socket) WRAP(cop_socket_writable_once);
int
writable_once_if_it_can_wait(cop_socket socket)
{
    return has_no_way_to_wait ? copi_fail(-ENOMEM) : real_writable_once(socket);
}

TEST(who_reads_slowly_is_closed_when_there_is_no_memory_to_wait_for_him)
{
    has_no_way_to_wait = true;
    cop_pid sup = start();
    start_many();
    int fd = connected();
    for (int i = 0; i < OFTEN; i++) {
        ask(fd, "picture\n");
    }
    struct pollfd gone = {.fd = fd};
    ck_assert_int_eq(poll(&gone, 1, 15000), 1);
    close(fd);
    has_no_way_to_wait = false;
    ck_assert(is_served(&fd));
    ANSWERS(fd, "picture\n", "ok\n");
    close(fd);
    stop(sup);
}

TEST(what_makes_no_sense_to_it_is_passed_over)
{
    cop_pid sup = start(), observer = observer_of(sup);
    ck_assert_int_eq(cop_send(observer, COP_TAG(77)), 0);
    int fd = connected();
    ANSWERS(fd, "picture\n", "ok\n");
    ck_assert(cop_alive(observer));
    close(fd);
    stop(sup);
}

TEST(an_observer_that_cannot_listen_any_more_is_started_again)
{
    test_catch_stderr();
    cop_pid sup = start(), before = observer_of(sup);
    EVENTUALLY(listener != 0);
    const struct cop_closed closed = {.socket = {listener}, .error = -EIO};
    struct copi_message *message = copi_message_new(COPI_SEND, COP_MSG_CLOSED, sizeof closed);
    memcpy(message->body, &closed, sizeof closed);
    copi_post(before, message);
    EVENTUALLY(test_is_another(observer_of(sup), before));
    int fd;
    EVENTUALLY(is_served(&fd));
    ANSWERS(fd, "picture\n", "ok\n");
    close(fd);
    stop(sup);
    char *said = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(said, "the observer cannot listen any more"));
    free(said);
}

TEST(an_observer_that_can_neither_listen_nor_try_it_later_is_started_again)
{
    test_catch_stderr();
    cop_pid sup = start(), before = observer_of(sup);
    EVENTUALLY(listener != 0);
    cannot_listen = cannot_tick = true;
    int fd = try_to_connect();
    ck_assert_int_ge(fd, 0);
    EVENTUALLY(test_is_another(observer_of(sup), before));
    ck_assert(!cannot_listen && !cannot_tick);
    close(fd);
    EVENTUALLY(is_served(&fd));
    ANSWERS(fd, "picture\n", "ok\n");
    close(fd);
    stop(sup);
    char *said = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(said, "no memory to listen on"));
    free(said);
}

/* ---------------------------------------------------------------- deeds */

#define DEEDS \
 "error\tnot one of: picture, events PID [N], crash PID, stop PID, suspend PID, resume PID\n"

static bool
is_another(cop_pid than)
{
    cop_pid now = cop_whereis("a");
    return now.id && !cop_pid_eq(now, than);
}

TEST(a_deed_is_done_if_the_program_allows_it)
{
    test_catch_stderr();
    observed.actions = true;
    cop_pid sup = start();
    cop_pid a = cop_whereis("a");
    char text[COP_PID_TEXT], question[64];
    (void)snprintf(question, sizeof question, "crash %s\n", cop_pid_text(a, text));
    int fd = try_to_connect();
    ck_assert_ptr_nonnull(strstr(line(fd), "\tcrash\tstop\tsuspend\tresume\n"));
    ANSWERS(fd, question, "ok\n");
    EVENTUALLY(is_another(a));
    a = cop_whereis("a");
    ANSWERS(fd, "suspend a\n", "ok\n");
    ck_assert(test_status(a).is_suspended);
    ANSWERS(fd, "resume a\n", "ok\n");
    ck_assert(!test_status(a).is_suspended);
    ANSWERS(fd, "stop a\n", "ok\n");
    EVENTUALLY(is_another(a));
    close(fd);
    stop(sup);
    char *said = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(said, "the observer is asked: crash a\n"));
    free(said);
}

TEST(a_deed_that_cannot_be_done_is_refused_with_the_reason)
{
    observed.actions = true;
    test_catch_stderr();
    cop_pid sup = start();
    int fd = connected();
    ANSWERS(fd, "crash nobody\n", "error\tno such process\n");
    ANSWERS(fd, "crash <0.0>\n", "error\tno such process\n");
    ANSWERS(fd, "crash\n", DEEDS);
    ANSWERS(fd, "crash a a\n", DEEDS);
    ANSWERS(fd, "explode a\n", DEEDS);
    close(fd);
    stop(sup);
    free(test_caught_stderr());
}

static atomic_bool is_held_by_another;

int real_resume(cop_pid pid, cop_time timeout) REAL(cop_sys_resume);
int resume_unless_held(cop_pid pid, cop_time timeout) WRAP(cop_sys_resume);
int
resume_unless_held(cop_pid pid, cop_time timeout)
{
    const cop_reason why = cop_failed(-EPERM, "somebody else holds it");
    return is_held_by_another ? copi_fail_why(&why, -EPERM) : real_resume(pid, timeout);
}

TEST(a_deed_that_has_failed_is_told_with_the_reason_and_the_next_may_be_done)
{
    observed.actions = true;
    test_catch_stderr();
    cop_pid sup = start();
    int fd = connected();
    is_held_by_another = true;
    ANSWERS(fd, "resume a\n", "error\tsomebody else holds it\n");
    is_held_by_another = false;
    ANSWERS(fd, "resume a\n", "ok\n");
    close(fd);
    stop(sup);
    free(test_caught_stderr());
}

TEST(the_observer_itself_crashes_and_comes_back)
{
    observed.actions = true;
    test_catch_stderr();
    cop_pid sup = start();
    cop_child_info info;
    char text[COP_PID_TEXT], question[64];
    ck_assert_int_eq(cop_supervisor_child(sup, "observer", &info), 0);
    int fd = connected();
    (void)snprintf(question, sizeof question, "suspend %s\n", cop_pid_text(info.pid, text));
    ANSWERS(fd, question, "error\tnobody could let the observer go on\n");
    (void)snprintf(question, sizeof question, "crash %s\n", cop_pid_text(info.pid, text));
    ask(fd, question);
    while (!is_over(fd)) {
    }
    close(fd);
    EVENTUALLY(is_served(&fd));
    close(fd);
    stop(sup);
    free(test_caught_stderr());
}

static atomic_bool stuck, let_go;

static cop_step
be_stuck(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    atomic_store(&stuck, true);
    while (!atomic_load(&let_go)) {
        usleep(500);
    }
    return cop_ok();
}

static const cop_genserver stuck_server = {.type = "stuck", .handle_info = be_stuck};

static void
start_stuck(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &stuck_server, .name = "stuck"), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(1)), 0);
    EVENTUALLY(atomic_load(&stuck));
}

TEST(a_deed_keeps_its_place_until_it_is_done)
{
    observed.actions = true;
    observed.max_connections = 1;
    observed.patience = COP_SEC(1); /* what is asked at once is heard before that */
    test_catch_stderr();
    cop_pid sup = start();
    start_stuck();
    int leaves = connected(), next = try_to_connect();
    ask(leaves, "suspend stuck\n");
    close(leaves);
    struct pollfd waits = {.fd = next, .events = POLLIN};
    ck_assert_int_eq(poll(&waits, 1, 1100), 0);
    atomic_store(&let_go, true);
    ck_assert_int_eq(strncmp(line(next), "coppice-observer", 16), 0);
    close(next);
    stop(sup);
    free(test_caught_stderr());
}

TEST(nobody_waits_for_a_deed_to_who_is_stuck)
{
    observed.actions = true;
    test_catch_stderr();
    cop_pid sup = start();
    start_stuck();
    int waits = connected(), other = connected(), leaves = connected();
    ask(waits, "suspend stuck\n");
    ask(leaves, "suspend stuck\n");
    ANSWERS(other, "picture\n", "ok\n");
    close(leaves);
    atomic_store(&let_go, true);
    ck_assert_str_eq(answer(waits, NULL), "ok\n");
    ANSWERS(waits, "resume stuck\n", "ok\n");
    close(waits);
    close(other);
    stop(sup);
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- memory */

TEST(without_memory_a_connection_ends_and_the_next_is_served)
{
    cop_pid sup = start();
    for (int n = 0; n < 30; n++) {
        int fd = try_to_connect();
        ck_assert_int_ge(fd, 0);
        copi_alloc_fail_after(n);
        if (send(fd, "picture\n", 8, MSG_NOSIGNAL) == 8) {
            answer(fd, NULL); /* or the end */
        }
        copi_alloc_fail_after(-1);
        close(fd);
    }
    int fd;
    EVENTUALLY(is_served(&fd));
    ANSWERS(fd, "picture\n", "ok\n");
    close(fd);
    stop(sup);
}

SUITE("observer")
