/*
 * tests/supervisor/observe/test_web_guard.c - who may ask.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_guard.h"
#include "tests/support/support.h"

TEST(a_foreign_name_is_refused)
{
    static const char *const foreign[] = {
        "evil.example",
        "evil.example:7380",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        ":80",
        "[",
        "[]",
        "[::1",
        "[::1]x",
        "[evil.example]",
        "::1",
        "127.0.0.1:80x",
        "127.0.0.1:80:80",
        "127.1",
        "0x7f000001",
        "2130706433",
        "localhost@evil.example",
        " localhost",
        "localhost/",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        ck_assert_msg(!copi_web_is_our_host(foreign[i], NULL), "%s", foreign[i]);
    }
}

TEST(a_name_without_end_is_refused)
{
    char name[10000];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    ck_assert(!copi_web_is_our_host(name, NULL));
}

TEST(addresses_and_localhost_are_ours_whatever_the_port)
{
    static const char *const ours[] = {"localhost",      "LocalHost:9",    "127.0.0.1",
                                       "127.0.0.1:7380", "192.0.2.7:80",   "[::1]",
                                       "[::1]:7380",     "[2001:db8::1]:1"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        ck_assert_msg(copi_web_is_our_host(ours[i], NULL), "%s", ours[i]);
    }
}

TEST(further_names_are_ours_when_they_are_given)
{
    const char *const hosts[] = {"daemon.example", "other.example", NULL};
    ck_assert(copi_web_is_our_host("other.example:80", hosts));
    ck_assert(copi_web_is_our_host("Daemon.Example", hosts));
    ck_assert(!copi_web_is_our_host("another.example", hosts));
}

TEST(only_the_page_itself_has_our_origin)
{
    ck_assert(copi_web_is_our_origin("http://localhost:7380", "localhost:7380"));
    ck_assert(copi_web_is_our_origin("https://daemon.example", "daemon.example"));
    ck_assert(!copi_web_is_our_origin("http://localhost:80", "localhost:7380"));
    ck_assert(!copi_web_is_our_origin("http://evil.example", "localhost:7380"));
    ck_assert(!copi_web_is_our_origin("http://localhost:7380.evil.example", "localhost:7380"));
    ck_assert(!copi_web_is_our_origin("file://localhost:7380", "localhost:7380"));
    ck_assert(!copi_web_is_our_origin("null", "localhost:7380"));
    ck_assert(!copi_web_is_our_origin("", ""));
}

TEST(only_the_whole_token_is_the_token)
{
    ck_assert(copi_web_has_token("Bearer secret", "secret"));
    ck_assert(copi_web_has_token("bearer secret", "secret"));
    ck_assert(!copi_web_has_token("Bearer secre", "secret"));
    ck_assert(!copi_web_has_token("Bearer secrets", "secret"));
    ck_assert(!copi_web_has_token("Bearer secretsecret", "secret"));
    ck_assert(!copi_web_has_token("Bearer Secret", "secret"));
    ck_assert(!copi_web_has_token("Bearer  secret", "secret"));
    ck_assert(!copi_web_has_token("Bearer ", "secret"));
    ck_assert(!copi_web_has_token("Bearer", "secret"));
    ck_assert(!copi_web_has_token("Basic secret", "secret"));
    ck_assert(!copi_web_has_token("", "secret"));
}

TEST(no_token_is_nobodys)
{
    ck_assert(!copi_web_has_token("Bearer ", ""));
    ck_assert(!copi_web_has_token("Bearer x", ""));
}

SUITE("web_guard")
