/*
 * tests/supervisor/test_daemon_service.c - cop_run below a service manager, which is the test: what it
 * is told of, and when.
 *
 * Room: tests/.
 */
#include "tests/supervisor/daemon.h"
#include "tests/support/support.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

static int heard; /* the manager's socket */

static void
begin_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path, sizeof address.sun_path, "@coppice-service-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    address.sun_path[0] = '\0';
    heard = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(heard, 0);
    ck_assert_int_eq(bind(heard, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                     0);
}

/* The next that it is told. */
static const char *
told(void)
{
    static char text[1024];
    struct pollfd polled = {.fd = heard, .events = POLLIN};
    ck_assert_int_eq(poll(&polled, 1, MOST_MS), 1);
    ssize_t size = recv(heard, text, sizeof text - 1, 0);
    ck_assert_int_ge(size, 0);
    text[size] = '\0';
    return text;
}

/* What is told until that is, at last. */
static void
told_at_last(const char *what)
{
    while (strcmp(told(), what) != 0) {
    }
}

/* Its exit status, and the end of the manager. */
static int
status_at_end(const struct daemon *daemon)
{
    int status = status_of(daemon);
    close(heard);
    return status;
}

static int
status_when_stopped(const struct daemon *daemon)
{
    ck_assert_int_eq(kill(daemon->pid, SIGTERM), 0);
    return status_at_end(daemon);
}

static bool
is_ready(const char *text)
{
    return strncmp(text, "READY=1\n", strlen("READY=1\n")) == 0;
}

/* ---------------------------------------------------------------- a tree that fails */

static cop_step
fail_to_begin(void *state, cop_bytes arg)
{
    (void)state;
    (void)arg;
    return cop_stop(cop_failed(-EADDRINUSE, "the port is taken"));
}
static const cop_genserver failing = {.type = "failing", .init = fail_to_begin};

TEST(a_tree_that_does_not_start_is_never_ready_and_says_why)
{
    begin_manager();
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "bad", .genserver = &failing})));
    const char *text = told();
    ck_assert_ptr_eq(strstr(text, "STOPPING=1\nSTATUS=the tree did not start: "), text);
    ck_assert_ptr_nonnull(strstr(text, "the port is taken"));
    ck_assert_int_eq(status_at_end(&daemon), 1);
}

static int
crash(cop_bytes arg)
{
    (void)arg;
    return -EIO;
}

TEST(a_tree_that_gives_up_says_so)
{
    begin_manager();
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "bad", .worker = crash, .restart = COP_PERMANENT})));
    ck_assert(is_ready(told()));
    told_at_last("STOPPING=1\nSTATUS=the tree gave up: reached_max_restart_intensity");
    ck_assert_int_eq(status_at_end(&daemon), 1);
}

/* ---------------------------------------------------------------- up and down */

static cop_step
begin_slowly(void *state, cop_bytes arg)
{
    (void)state;
    (void)arg;
    cop_sleep(COP_MS(100));
    tell("u");
    return cop_ok();
}
static const cop_genserver slow = {.type = "slow", .init = begin_slowly};

TEST(it_is_ready_when_the_tree_is_up_and_not_before)
{
    begin_manager();
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "slow", .genserver = &slow})));
    ck_assert(is_ready(told()));
    struct pollfd polled = {.fd = daemon.told, .events = POLLIN};
    ck_assert_int_eq(poll(&polled, 1, 0), 1);
    ck_assert_int_eq(hear(&daemon), 'u');
    ck_assert_int_eq(kill(daemon.pid, SIGTERM), 0);
    ck_assert_str_eq(told(), "STOPPING=1\nSTATUS=stopping");
    ck_assert_int_eq(status_at_end(&daemon), 0);
}

static int
crash_once(cop_bytes arg)
{
    static atomic_bool has_crashed;
    (void)arg;
    if (!atomic_exchange(&has_crashed, true)) {
        return -EIO;
    }
    tell("r");
    return test_wait_for_end((cop_bytes){0});
}

TEST(the_status_tells_of_restarts)
{
    begin_manager();
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "a", .worker = crash_once, .restart = COP_PERMANENT})));
    while (!strstr(told(), " processes, 1 restarts, 0 disowned")) { /* when it is ready, or later */
    }
    ck_assert_int_eq(status_when_stopped(&daemon), 0);
}

/* ---------------------------------------------------------------- SIGHUP, SIGUSR1 */

enum {
    LOAD = 1,
};

static cop_step
listen_to_hangups(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_on_hangup(LOAD) == 0 ? cop_ok() : cop_stop(cop_why());
}

static cop_step
load(void *state, cop_msg msg)
{
    (void)state;
    tell(msg.tag == LOAD ? "l" : "?");
    return cop_ok();
}
static const cop_genserver loader = {
    .type = "loader", .init = listen_to_hangups, .handle_info = load};

TEST(SIGHUP_is_a_message_and_a_reload)
{
    begin_manager();
    struct daemon daemon = run(TREE(COP_CHILDREN({.id = "loader", .genserver = &loader})));
    ck_assert(is_ready(told()));
    ck_assert_int_eq(kill(daemon.pid, SIGHUP), 0);
    ck_assert_int_eq(hear(&daemon), 'l');
    const char *text = told();
    ck_assert_ptr_eq(strstr(text, "RELOADING=1\nMONOTONIC_USEC="), text);
    ck_assert(is_ready(told()));
    ck_assert_int_eq(kill(daemon.pid, SIGHUP), 0);
    ck_assert_int_eq(hear(&daemon), 'l');
    ck_assert_int_eq(status_when_stopped(&daemon), 0);
}

static void
say_all_on_stdout(void)
{
    dup2(STDOUT_FILENO, STDERR_FILENO);
}

TEST(SIGUSR1_shows_the_tree)
{
    begin_manager();
    struct daemon daemon =
        run_after(say_all_on_stdout,
                  TREE(.name = "root", COP_CHILDREN({.id = "loader", .genserver = &loader})));
    ck_assert(is_ready(told()));
    ck_assert_int_eq(kill(daemon.pid, SIGUSR1), 0);
    char said[512] = "";
    for (size_t i = 0; i < sizeof said - 1 && !strstr(said, "loader<"); i++) {
        said[i] = hear(&daemon);
    }
    ck_assert_ptr_nonnull(strstr(said, "3 processes, 0 restarts, 0 disowned"));
    ck_assert_ptr_nonnull(strstr(said, "root: waiting"));
    ck_assert_int_eq(status_when_stopped(&daemon), 0);
}

/* ---------------------------------------------------------------- the watchdog */

static cop_step
be_watched(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_watchdog(COP_MS(100)) == 0 ? cop_ok() : cop_stop(cop_why());
}

/* Until it is asked to stop. */
static cop_step
hang(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    tell("h");
    while (poll(NULL, 0, 1) == 0 && cop_cancelled() == 0) {
    }
    return cop_ok();
}

static cop_step
begin_hanging(void *state, cop_bytes arg)
{
    cop_step step = be_watched(state, arg);
    cop_on_hangup(LOAD);
    return step;
}
static const cop_genserver hanging = {
    .type = "hanging", .init = begin_hanging, .handle_info = hang};

TEST(the_watchdog_is_fed_while_all_make_progress)
{
    begin_manager();
    setenv("WATCHDOG_USEC", "200000", 1);
    struct daemon daemon =
        run(TREE(COP_CHILDREN({.id = "hanging", .genserver = &hanging, .shutdown = COP_MS(10)})));
    for (int i = 0; i < 3; i++) {
        told_at_last("WATCHDOG=1");
    }
    ck_assert_int_eq(kill(daemon.pid, SIGHUP), 0);
    ck_assert_int_eq(hear(&daemon), 'h');
    struct pollfd polled = {.fd = heard, .events = POLLIN};
    while (poll(&polled, 1, 1000) == 1) {
        (void)told(); /* until the manager has not heard of it for five times its time */
    }
    ck_assert_int_eq(status_when_stopped(&daemon), 0);
}

SUITE("daemon_service")
