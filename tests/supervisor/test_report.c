/*
 * tests/supervisor/test_report.c - what a supervisor says about its children.
 *
 * Room: tests/.
 */
#include "supervisor/report.h"
#include "tests/support/support.h"

static cop_event last;
static char last_child[64];

static void
keep(const cop_event *event, void *env)
{
    (void)env;
    last = *event;
    snprintf(last_child, sizeof last_child, "%s", event->child ? event->child : "");
}

static void
begin(void)
{
    cop_config config = {.size = sizeof config, .observe = keep};
    ck_assert_int_eq(cop_configure(&config), 0);
    ck_assert_int_eq(cop_register("sup", cop_self()), 0);
    test_catch_stderr();
}

static void
said(const char *line)
{
    char *text = test_caught_stderr();
    ck_assert_str_eq(text, line);
    free(text);
}

TEST(the_event_names_child_supervisor_and_reason)
{
    begin();
    cop_reason boom = cop_failed(-EIO, "boom");
    copi_report_child(COP_EVENT_CHILD_TERMINATED, "db", (cop_pid){7}, &boom);
    ck_assert_int_eq(last.kind, COP_EVENT_CHILD_TERMINATED);
    ck_assert_uint_eq(last.pid.id, 7);
    ck_assert(cop_pid_eq(last.supervisor, cop_self()));
    ck_assert_str_eq(last_child, "db");
    ck_assert_str_eq(last.reason.text, "boom");
    said("coppice: error: supervisor sup: child db ended: boom\n");
}

TEST(an_end_that_is_no_crash_is_a_notice)
{
    begin();
    copi_report_child(COP_EVENT_CHILD_TERMINATED, "db", (cop_pid){7}, &COP_REASON_NORMAL);
    said("coppice: notice: supervisor sup: child db ended: normal\n");
}

TEST(every_kind_has_its_words)
{
    begin();
    cop_reason busy = cop_failed(-EBUSY, "busy");
    copi_report_child(COP_EVENT_START_ERROR, "db", COP_NOBODY, &busy);
    ck_assert_int_eq(last.kind, COP_EVENT_START_ERROR);
    copi_report_child(COP_EVENT_SHUTDOWN_ERROR, "db", COP_NOBODY, &COP_REASON_KILLED);
    ck_assert_int_eq(last.kind, COP_EVENT_SHUTDOWN_ERROR);
    said("coppice: error: supervisor sup: child db did not start: busy\n"
         "coppice: error: supervisor sup: child db did not stop as asked: killed\n");
}

TEST(giving_up_is_said_in_the_words_of_otp)
{
    begin();
    copi_report_gave_up("db", cop_self());
    ck_assert_int_eq(last.kind, COP_EVENT_GAVE_UP);
    ck_assert_str_eq(last.reason.text, "reached_max_restart_intensity");
    ck_assert_str_eq(last_child, "db");
    said("coppice: error: supervisor sup: child db was restarted too often, giving up: "
         "reached_max_restart_intensity\n");
}

TEST(a_child_without_an_id_is_told_by_its_pid)
{
    begin();
    copi_report_child(COP_EVENT_SHUTDOWN_ERROR, "", cop_self(), &COP_REASON_KILLED);
    ck_assert_str_eq(last_child, "");
    said("coppice: error: supervisor sup: child sup did not stop as asked: killed\n");
}

TEST(children_that_ended_for_one_reason_are_counted)
{
    begin();
    copi_report_stops("db", 3, &COP_REASON_KILLED);
    ck_assert_int_eq(last.kind, COP_EVENT_SHUTDOWN_ERROR);
    ck_assert_uint_eq(last.count, 3);
    ck_assert_uint_eq(last.pid.id, 0);
    ck_assert_str_eq(last_child, "db");
    said("coppice: error: supervisor sup: 3 of the children db did not stop as asked: killed\n");
}

TEST(an_unexpected_message_is_told_with_its_tag_and_sender) /* SUP-111 */
{
    begin();
    copi_report_unexpected((cop_msg){.tag = 42, .body = COP_STR("hello"), .from = cop_self()});
    ck_assert_int_eq(last.kind, COP_EVENT_UNEXPECTED_MESSAGE);
    ck_assert_int_eq(last.reason.code, 42);
    ck_assert(cop_pid_eq(last.pid, cop_self()));
    said("coppice: warning: supervisor sup: dropped message 42 from sup\n");
}

SUITE("report")
