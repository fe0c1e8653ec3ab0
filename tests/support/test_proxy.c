/*
 * tests/support/test_proxy.c - a line passes everything on, until it is told what fault to have.
 *
 * Room: tests/. The test is both ends.
 */
#include "tests/support/proxy.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct line {
    int listener, client, server;
    struct proxy *proxy;
};

static struct sockaddr_in
loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((in_port_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int
connect_to(struct proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy_port(proxy));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void
hang_up(struct line *line)
{
    close(line->client);
    close(line->server);
}

static void
call_again(struct line *line)
{
    hang_up(line);
    line->client = connect_to(line->proxy);
    line->server = accept(line->listener, NULL, NULL);
    ck_assert_int_ge(line->server, 0);
}

static struct line
begin(void)
{
    struct line line = {
        .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .client = -1, .server = -1};
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    ck_assert_int_eq(bind(line.listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(line.listener, 8), 0);
    ck_assert_int_eq(getsockname(line.listener, (struct sockaddr *)&address, &length), 0);
    line.proxy = proxy_new(ntohs(address.sin_port));
    call_again(&line);
    return line;
}

static void
end(struct line *line)
{
    hang_up(line);
    close(line->listener);
    proxy_free(line->proxy);
}

static void
say(int fd, const char *words)
{
    ck_assert_int_eq(send(fd, words, strlen(words), MSG_NOSIGNAL), (ssize_t)strlen(words));
}

static void
hears(int fd, const char *words)
{
    char heard[64] = "";
    ck_assert_int_eq(recv(fd, heard, strlen(words), MSG_WAITALL), (ssize_t)strlen(words));
    ck_assert_str_eq(heard, words);
}

static void
hears_the_end(int fd)
{
    char byte;
    ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
}

static void
hears_nothing(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&polled, 1, 20), 0);
}

TEST(both_ways_are_open_and_counted)
{
    struct line line = begin();
    say(line.client, "question");
    hears(line.server, "question");
    say(line.server, "no");
    hears(line.client, "no");
    EVENTUALLY(proxy_passed(line.proxy, PROXY_REQUESTS) == 8);
    EVENTUALLY(proxy_passed(line.proxy, PROXY_ANSWERS) == 2);
    ck_assert_uint_eq(proxy_connections(line.proxy), 1);
    end(&line);
}

TEST(who_hangs_up_is_heard_at_the_other_end)
{
    struct line line = begin();
    shutdown(line.client, SHUT_WR);
    hears_the_end(line.server);
    end(&line);
}

TEST(a_cut_is_heard_at_both_ends_and_the_next_connection_passes)
{
    struct line line = begin();
    proxy_cut(line.proxy);
    hears_the_end(line.server);
    hears_the_end(line.client);
    call_again(&line);
    say(line.client, "again");
    hears(line.server, "again");
    end(&line);
}

TEST_TIMES(4, a_cut_at_a_byte_lets_those_before_it_pass_and_no_other)
{
    struct line line = begin();
    proxy_cut_after(line.proxy, PROXY_ANSWERS, (size_t)_i);
    say(line.client, "any number of bytes the other way");
    hears(line.server, "any number of bytes the other way");
    say(line.server, "abcdef");
    hears(line.client, (const char *[]){"", "a", "ab", "abc"}[_i]);
    hears_the_end(line.client);
    call_again(&line);
    say(line.server, "abcdef");
    hears(line.client, "abcdef");
    end(&line);
}

TEST(what_is_swallowed_does_not_come_later)
{
    struct line line = begin();
    proxy_swallow(line.proxy, PROXY_ANSWERS, true);
    say(line.server, "lost");
    say(line.client, "not lost");
    hears(line.server, "not lost");
    hears_nothing(line.client);
    proxy_swallow(line.proxy, PROXY_ANSWERS, false);
    say(line.server, "found");
    hears(line.client, "found");
    end(&line);
}

TEST(one_end_may_hang_up_and_the_other_not_hear_of_it)
{
    struct line line = begin();
    proxy_swallow(line.proxy, PROXY_ANSWERS, true);
    shutdown(line.server, SHUT_RDWR);
    hears_nothing(line.client);
    end(&line);
}

TEST(what_is_held_comes_when_it_is_let_go)
{
    struct line line = begin();
    proxy_hold(line.proxy, PROXY_REQUESTS, true);
    say(line.client, "patience");
    hears_nothing(line.server);
    proxy_hold(line.proxy, PROXY_REQUESTS, false);
    hears(line.server, "patience");
    end(&line);
}

TEST(what_is_delayed_does_not_come_early)
{
    struct line line = begin();
    proxy_delay(line.proxy, PROXY_REQUESTS, COP_MS(30));
    cop_time before = cop_now();
    say(line.client, "late");
    hears(line.server, "late");
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
    end(&line);
}

TEST(what_is_split_is_whole_in_the_end)
{
    struct line line = begin();
    proxy_split(line.proxy, PROXY_REQUESTS, true);
    say(line.client, "one byte after the other");
    hears(line.server, "one byte after the other");
    end(&line);
}

TEST(who_is_refused_is_shown_out)
{
    struct line line = begin();
    proxy_refuse(line.proxy, true);
    int fd = connect_to(line.proxy);
    hears_the_end(fd);
    close(fd);
    proxy_refuse(line.proxy, false);
    call_again(&line);
    end(&line);
}

TEST(where_nobody_listens_connections_end_at_once)
{
    struct line line = begin();
    close(line.listener);
    int fd = connect_to(line.proxy);
    hears_the_end(fd);
    close(fd);
    line.listener = -1;
    end(&line);
}

TEST(its_end_cuts_what_is_open)
{
    struct line line = begin();
    proxy_free(line.proxy);
    line.proxy = NULL;
    hears_the_end(line.client);
    hears_the_end(line.server);
    end(&line);
}

SUITE("proxy")
