/*
 * tests/support/test_server.c - servers of a suite's own come, stand still, go, and leave nothing.
 *
 * Room: tests/.
 */
#include "tests/support/server.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server redis, postgres;

static void
start_both(void)
{
    server_redis(&redis, (const char *const[]){"--appendonly", "no", NULL});
    server_postgres(&postgres, NULL);
}

static void
end_both(void)
{
    server_end(&redis);
    server_end(&postgres);
}

static int
connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

/* What it says, in that time, to "are you there": Redis's PING, PostgreSQL's question for TLS. */
static char
ask(const struct server *server, int fd, time_t seconds, suseconds_t microseconds)
{
    static const char ssl_request[] = {0, 0, 0, 8, 4, (char)210, 22, 47};
    bool is_redis = server == &redis;
    char answer = '?';
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){seconds, microseconds},
               sizeof(struct timeval));
    ck_assert_int_gt(send(fd, is_redis ? "PING\r\n" : ssl_request, is_redis ? 6 : 8, MSG_NOSIGNAL),
                     0);
    recv(fd, &answer, 1, 0);
    return answer;
}

static char
answer_within(const struct server *server, time_t seconds, suseconds_t microseconds)
{
    int fd = connect_to(server->port);
    if (fd < 0) {
        return '-';
    }
    char answer = ask(server, fd, seconds, microseconds);
    close(fd);
    return answer;
}

static char
answer_of(const struct server *server)
{
    return answer_within(server, 4, 0);
}

static char
wanted_of(const struct server *server)
{
    return server == &redis ? '+' : 'N';
}

static struct server *const both[] = {&redis, &postgres};

TEST_TIMES(2, it_answers)
{
    ck_assert_int_eq(answer_of(both[_i]), wanted_of(both[_i]));
}

TEST_TIMES(2, one_that_is_paused_takes_connections_and_says_nothing_until_it_goes_on)
{
    server_pause(both[_i]);
    ck_assert_int_eq(answer_within(both[_i], 0, 200000), '?');
    server_continue(both[_i]);
    ck_assert_int_eq(answer_of(both[_i]), wanted_of(both[_i]));
}

TEST_TIMES(2, one_that_is_killed_is_gone_and_comes_back_at_the_same_port)
{
    server_kill(both[_i]);
    ck_assert_int_eq(answer_of(both[_i]), '-');
    server_kill(both[_i]);
    server_start(both[_i]);
    ck_assert_int_eq(answer_of(both[_i]), wanted_of(both[_i]));
}

TEST_TIMES(2, one_that_is_paused_can_be_killed_and_stopped)
{
    server_pause(both[_i]);
    server_kill(both[_i]);
    server_start(both[_i]);
    server_pause(both[_i]);
    server_restart(both[_i]);
    ck_assert_int_eq(answer_of(both[_i]), wanted_of(both[_i]));
}

TEST_TIMES(2, a_connection_does_not_keep_it_from_stopping)
{
    char bytes[64];
    int fd = connect_to(both[_i]->port);
    ck_assert_int_eq(ask(both[_i], fd, 4, 0), wanted_of(both[_i]));
    server_stop(both[_i]);
    while (recv(fd, bytes, sizeof bytes, 0) > 0) { /* the rest of the answer */
    }
    close(fd);
    server_start(both[_i]);
}

TEST(a_start_lets_what_is_paused_go_on)
{
    server_pause(&redis);
    server_start(&redis);
    ck_assert_int_eq(answer_of(&redis), '+');
}

static bool
is_gone(const char *folder)
{
    return access(folder, F_OK) != 0;
}

/* A suite of its own, which is killed: what is asked is what is left then. */
TEST(a_server_ends_with_the_suite_that_is_killed_and_leaves_nothing)
{
    struct server theirs;
    int pipe_ends[2];
    ck_assert_int_eq(pipe(pipe_ends), 0);
    pid_t suite = fork();
    if (suite == 0) {
        server_redis(&theirs, NULL);
        write(pipe_ends[1], &theirs, sizeof theirs);
        pause();
    }
    ck_assert_int_eq(read(pipe_ends[0], &theirs, sizeof theirs), sizeof theirs);
    ck_assert(!is_gone(theirs.folder));
    kill(suite, SIGKILL);
    waitpid(suite, NULL, 0);
    EVENTUALLY(is_gone(theirs.folder));
    ck_assert_int_lt(connect_to(theirs.port), 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

SUITE_AROUND("server", start_both, end_both)
