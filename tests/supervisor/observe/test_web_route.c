/*
 * tests/supervisor/observe/test_web_route.c - what is asked for, whether it may be, and the answer. More of it
 * is tried with curl: tests/web/test_http.sh.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web.h"
#include "tests/supervisor/observe/web.h"

#define BEARER "Authorization: Bearer secret\r\n"

static unsigned port;
static cop_pid tree;

static void
up(void)
{
    test_catch_stderr();
    tree = start_page(&port, .port = COP_WEB_ANY_PORT, .token = "secret");
}

static void
down(void)
{
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
    free(test_caught_stderr());
}

TEST(refusals_have_their_status)
{
    up();
    ck_assert_int_eq(status_of(port, "GET /nothing", ""), 404);
    ck_assert_int_eq(status_of(port, "POST /", ""), 405);
    ck_assert_int_eq(status_of(port, "GET /processes/1.1/crash", ""), 405);
    ck_assert_int_eq(status_of(port, "GET /", "Origin: http://evil.example\r\n"), 403);
    ck_assert_int_eq(status_of(port, "POST /processes/1.1/crash", ""), 401);
    ck_assert_int_eq(status_of(port, "POST /processes/1.1/crash", "Authorization: Bearer x\r\n"),
                     401);
    ck_assert_int_eq(status_of(port, "POST /processes/4000.1/crash", BEARER), 404);
    ck_assert_int_eq(status_of(port, "POST /processes/1.1/crash", BEARER "Content-Length: 1\r\n"),
                     413);
    ck_assert_int_eq(
        status_of(port, "POST /processes/1.1/crash", BEARER "Transfer-Encoding: chunked\r\n"), 413);
    down();
}

TEST(pids_that_are_none_lead_nowhere)
{
    static const char *const lines[] = {
        "GET /processes/",
        "GET /processes//events",
        "GET /processes/1/events",
        "GET /processes/1.1",
        "GET /processes/1.1/",
        "GET /processes/1.1/event",
        "GET /processes/a.b/events",
        "GET /processes/-1.1/events",
        "GET /processes/1.1>/events",
        "GET /processes/99999999999999999999999999999999999999.1/events",
    };
    up();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ck_assert_msg(status_of(port, lines[i], "") == 404, "%s", lines[i]);
    }
    down();
}

TEST(what_is_there_is_answered)
{
    static const char *const lines[] = {"GET /",
                                        "HEAD /",
                                        "GET /tree.json",
                                        "HEAD /tree.json",
                                        "GET /metrics",
                                        "GET /page.js",
                                        "GET /processes/1.1/events",
                                        "GET /tree.json?x=1"};
    up();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ck_assert_msg(status_of(port, lines[i], "Content-Length: 0\r\n") == 200, "%s", lines[i]);
    }
    down();
}

static cop_step
hang(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

TEST(an_action_is_accepted_before_it_is_done)
{
    static const cop_genserver server = {.type = "hanging", .handle_cast = hang};
    cop_pid pid;
    char line[64], text[COP_PID_TEXT];
    up();
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "hanging"), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0);
    cop_pid_text(pid, text);
    (void)snprintf(line, sizeof line, "POST /processes/%.*s/suspend", (int)strlen(text) - 2,
                   text + 1);
    for (int i = 0; i < COPI_WEB_AT_ONCE; i++) {
        ck_assert_int_eq(status_of(port, line, BEARER), 202);
    }
    ck_assert_int_eq(status_of(port, line, BEARER), 503);
    ck_assert_int_eq(status_of(port, "GET /", ""), 200); /* it waits for nobody */
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    down();
}

SUITE("web_route")
