/*
 * tests/supervisor/observe/test_top_link.c - coppice-top: the line to the daemon's observer.
 *
 * Room: tests/.
 */
#include "supervisor/observe/top_link.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING "coppice-observer\t1\tkv\t42\tcrash\n"

static char folder[] = "/tmp/coppice-top-XXXXXX", path[64];

/* A daemon that says what the test says. */
static struct ends {
    struct top_link link;
    int listener, daemon;
} ends;

static void
begin(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    ends.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(ends.listener, (struct sockaddr *)&name, sizeof name), 0);
    ck_assert_int_eq(listen(ends.listener, 1), 0);
    top_link_init(&ends.link, path);
    ck_assert_int_eq(top_link_connect(&ends.link), 0);
    ends.daemon = accept(ends.listener, NULL, NULL);
    ck_assert_int_ge(ends.daemon, 0);
}

static void
end(void)
{
    top_link_close(&ends.link);
    close(ends.daemon);
    close(ends.listener);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void
say_bytes(const char *text, size_t size)
{
    ck_assert_int_eq(send(ends.daemon, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void
say(const char *text)
{
    say_bytes(text, strlen(text));
}

static int
hear(char **answer)
{
    return top_link_read(&ends.link, answer);
}

static bool has_no_memory;

void *real_realloc(void *memory, size_t size) REAL(realloc);
void *realloc_if_there_is_memory(void *memory, size_t size) WRAP(realloc);
void *
realloc_if_there_is_memory(void *memory, size_t size)
{
    return has_no_memory ? NULL : real_realloc(memory, size);
}

static bool has_no_memory_for_copies;

char *real_strndup(const char *text, size_t size) REAL(strndup);
char *strndup_if_there_is_memory(const char *text, size_t size) WRAP(strndup);
char *
strndup_if_there_is_memory(const char *text, size_t size)
{
    return has_no_memory_for_copies ? NULL : real_strndup(text, size);
}

static int
outcome_of(const char *text)
{
    char *answer;
    begin();
    say(text);
    int r = hear(&answer);
    ck_assert(r < 0 ? ends.link.fd < 0 : ends.link.fd >= 0);
    end();
    (void)snprintf(folder, sizeof folder, "/tmp/coppice-top-XXXXXX");
    return r;
}

TEST(where_nobody_listens_nothing_is_connected)
{
    struct top_link link;
    char long_path[200];
    memset(long_path, 'p', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    top_link_init(&link, "/no/such/socket");
    ck_assert_int_eq(top_link_connect(&link), -ENOENT);
    ck_assert_int_eq(link.fd, -1);
    link.path = long_path;
    ck_assert_int_eq(top_link_connect(&link), -ENAMETOOLONG);
    ck_assert_int_eq(top_link_ask(&link, "picture\n"), -ENOTCONN);
    top_link_close(&link);
}

TEST(who_is_no_observer_or_a_newer_one_is_left)
{
    ck_assert_int_eq(outcome_of("HTTP/1.1 400 Bad Request\r\n"), -EPROTO);
    ck_assert_int_eq(outcome_of("\n"), -EPROTO);
    ck_assert_int_eq(outcome_of("coppice-observer\n"), -EPROTO);
    ck_assert_int_eq(outcome_of("coppice-observer\t2\tkv\t42\n"), -EPROTO);
    ck_assert_int_eq(outcome_of("coppice-observer\t1\n"), 0);
    ck_assert_int_eq(outcome_of(GREETING), 0);
}

TEST(without_memory_the_line_is_closed_and_can_be_opened_again)
{
    char *answer;
    has_no_memory = true;
    ck_assert_int_eq(outcome_of(GREETING), -ENOMEM);
    has_no_memory = false;
    has_no_memory_for_copies = true;
    ck_assert_int_eq(outcome_of(GREETING "ok\n\n"), -ENOMEM);
    has_no_memory_for_copies = false;
    begin();
    say(GREETING "ok\n\n");
    ck_assert_int_eq(hear(&answer), 1);
    ck_assert_str_eq(answer, "ok\n\n");
    free(answer);
    end();
}

TEST(a_greeting_without_an_end_is_none)
{
    char *answer, text[5000];
    begin();
    memset(text, 'x', sizeof text);
    say_bytes(text, sizeof text);
    ck_assert_int_eq(hear(&answer), -EPROTO);
    end();
}

TEST(a_greeting_may_come_in_parts_and_says_who_it_is)
{
    char *answer;
    begin();
    for (const char *at = GREETING; *at; at++) {
        ck_assert(!ends.link.is_greeted);
        ck_assert_int_eq(top_link_ask(&ends.link, "picture\n"), -ENOTCONN);
        say_bytes(at, 1);
        ck_assert_int_eq(hear(&answer), 0);
    }
    ck_assert(ends.link.is_greeted);
    ck_assert_str_eq(ends.link.program, "kv");
    ck_assert_str_eq(ends.link.os_pid, "42");
    end();
}

TEST(one_thing_is_asked_at_a_time_and_answered)
{
    char *answer, question[16] = "";
    begin();
    say(GREETING);
    ck_assert_int_eq(hear(&answer), 0);
    ck_assert_int_eq(top_link_ask(&ends.link, "picture\n"), 0);
    ck_assert_int_eq(top_link_ask(&ends.link, "picture\n"), -EBUSY);
    ck_assert_int_eq(recv(ends.daemon, question, sizeof question, 0), 8);
    ck_assert_str_eq(question, "picture\n");
    say("ok\na");
    ck_assert_int_eq(hear(&answer), 0);
    say("\n\nok\nb\n\n");
    ck_assert_int_eq(hear(&answer), 1);
    ck_assert_str_eq(answer, "ok\na\n\n");
    free(answer);
    ck_assert(!ends.link.is_asked);
    ck_assert_int_eq(hear(&answer), 1);
    ck_assert_str_eq(answer, "ok\nb\n\n");
    free(answer);
    end();
}

TEST(a_long_answer_is_put_together)
{
    enum {
        PIECES = 200
    };
    char *answer, piece[4096];
    begin();
    say(GREETING);
    ck_assert_int_eq(hear(&answer), 0);
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < PIECES; i++) {
        say_bytes(piece, sizeof piece);
        ck_assert_int_eq(hear(&answer), 0);
    }
    say("\n\n");
    ck_assert_int_eq(hear(&answer), 1);
    ck_assert_uint_eq(strlen(answer), PIECES * sizeof piece + 2);
    free(answer);
    end();
}

TEST(who_leaves_is_noticed_and_may_come_back)
{
    char *answer;
    begin();
    say(GREETING "ok\nhalf");
    ck_assert_int_eq(hear(&answer), 0);
    close(ends.daemon);
    ck_assert_int_eq(hear(&answer), -ECONNRESET);
    ck_assert_int_eq(ends.link.fd, -1);
    ck_assert_str_eq(ends.link.program, "kv"); /* who it was */
    ck_assert_int_eq(top_link_connect(&ends.link), 0);
    ends.daemon = accept(ends.listener, NULL, NULL);
    say(GREETING "ok\n\n");
    ck_assert_int_eq(hear(&answer), 1);
    ck_assert_str_eq(answer, "ok\n\n");
    free(answer);
    end();
}

TEST(a_question_to_who_has_left_is_an_error)
{
    char *answer;
    begin();
    say(GREETING);
    ck_assert_int_eq(hear(&answer), 0);
    close(ends.daemon);
    ck_assert_int_eq(top_link_ask(&ends.link, "picture\n"), -ECONNRESET);
    ck_assert_int_eq(ends.link.fd, -1);
    end();
}

SUITE("top_link")
