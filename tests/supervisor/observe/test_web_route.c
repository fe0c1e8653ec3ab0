/*
 * tests/supervisor/observe/test_web_route.c - what is asked for, whether it may be, and the answer. More of it
 * is tried with curl: tests/web/test_http.sh.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web.h"
#include "tests/supervisor/observe/web.h"
#include "tests/support/wrap.h"

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

TEST(who_does_not_say_whom_he_asks_is_refused)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    up();
    int fd = connect_to(port);
    ck_assert_int_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    char *answer = read_all(fd);
    ck_assert_ptr_nonnull(strstr(answer, " 400 "));
    ck_assert_ptr_nonnull(strstr(answer, "a Host header is wanted\n"));
    free(answer);
    down();
}

TEST(without_a_token_there_are_no_actions)
{
    test_catch_stderr();
    tree = start_page(&port, .port = COP_WEB_ANY_PORT);
    char *answer = ask(port, "POST /processes/1.1/crash", BEARER);
    ck_assert_ptr_nonnull(strstr(answer, " 403 "));
    ck_assert_ptr_nonnull(strstr(answer, "this daemon allows no actions\n"));
    free(answer);
    down();
}

static atomic_bool has_no_memory;

int real_take(cop_picture **out) REAL(cop_picture_take);
int take_if_there_is_memory(cop_picture **out) WRAP(cop_picture_take);
int
take_if_there_is_memory(cop_picture **out)
{
    return has_no_memory ? -ENOMEM : real_take(out);
}

enum MHD_Result real_add(struct MHD_Response *response, const char *name, const char *value)
    REAL(MHD_add_response_header);
enum MHD_Result add_if_there_is_memory(struct MHD_Response *response, const char *name,
                                       const char *value) WRAP(MHD_add_response_header);
enum MHD_Result
add_if_there_is_memory(struct MHD_Response *response, const char *name, const char *value)
{
    bool is_lost = has_no_memory && strcmp(name, "WWW-Authenticate") == 0;
    return is_lost ? MHD_NO : real_add(response, name, value);
}

TEST(without_memory_the_tree_is_to_be_asked_for_again)
{
    up();
    has_no_memory = true;
    char *answer = ask(port, "GET /tree.json", "");
    ck_assert_ptr_nonnull(strstr(answer, " 503 "));
    ck_assert_ptr_nonnull(strstr(answer, "Retry-After: 1\r\n"));
    free(answer);
    has_no_memory = false;
    ck_assert_int_eq(status_of(port, "GET /tree.json", ""), 200);
    down();
}

TEST(without_memory_for_all_of_a_refusal_the_connection_ends)
{
    up();
    has_no_memory = true;
    ck_assert_int_eq(status_of(port, "POST /processes/1.1/crash", ""), 0);
    has_no_memory = false;
    ck_assert_int_eq(status_of(port, "POST /processes/1.1/crash", ""), 401);
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
