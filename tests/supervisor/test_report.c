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

/* "%s" stands for the calling process's number. */
static void
said(const char *line)
{
    char *text = test_caught_stderr(), pid[COP_PID_TEXT], expected[512];
    const char *mark = strstr(line, "%s");
    (void)snprintf(expected, sizeof expected, "%.*s%s%s", mark ? (int)(mark - line) : 0, line,
                   mark ? cop_pid_text(cop_self(), pid) : "", mark ? mark + 2 : line);
    ck_assert_str_eq(text, expected);
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
    said("coppice: error: supervisor sup: child db ended: boom pid=%s child_pid=<7.0>\n");
}

TEST(an_end_that_is_no_crash_is_a_notice)
{
    begin();
    copi_report_child(COP_EVENT_CHILD_TERMINATED, "db", (cop_pid){7}, &COP_REASON_NORMAL);
    said("coppice: notice: supervisor sup: child db ended: normal pid=%s child_pid=<7.0>\n");
}

TEST(every_kind_has_its_words)
{
    begin();
    cop_reason busy = cop_failed(-EBUSY, "busy");
    copi_report_child(COP_EVENT_START_ERROR, "db", COP_NOBODY, &busy);
    ck_assert_int_eq(last.kind, COP_EVENT_START_ERROR);
    copi_report_child(COP_EVENT_SHUTDOWN_ERROR, "db", COP_NOBODY, &COP_REASON_KILLED);
    ck_assert_int_eq(last.kind, COP_EVENT_SHUTDOWN_ERROR);
    char *text = test_caught_stderr();
    ck_assert_ptr_nonnull(
        strstr(text, "coppice: error: supervisor sup: child db did not start: busy pid=<"));
    ck_assert_ptr_nonnull(strstr(
        text, "coppice: error: supervisor sup: child db did not stop as asked: killed pid=<"));
    free(text);
}

TEST(giving_up_is_said_in_the_words_of_otp)
{
    begin();
    copi_report_gave_up("db", cop_self());
    ck_assert_int_eq(last.kind, COP_EVENT_GAVE_UP);
    ck_assert_str_eq(last.reason.text, "reached_max_restart_intensity");
    ck_assert_str_eq(last_child, "db");
    said("coppice: error: supervisor sup: child db was restarted too often, giving up: "
         "reached_max_restart_intensity pid=%s child_pid=<1.1>\n");
}

TEST(a_child_without_an_id_is_told_by_its_pid)
{
    begin();
    copi_report_child(COP_EVENT_SHUTDOWN_ERROR, "", cop_self(), &COP_REASON_KILLED);
    ck_assert_str_eq(last_child, "");
    said("coppice: error: supervisor sup: child sup did not stop as asked: killed pid=%s\n");
}

TEST(children_that_ended_for_one_reason_are_counted)
{
    begin();
    copi_report_stops("db", 3, &COP_REASON_KILLED);
    ck_assert_int_eq(last.kind, COP_EVENT_SHUTDOWN_ERROR);
    ck_assert_uint_eq(last.count, 3);
    ck_assert_uint_eq(last.pid.id, 0);
    ck_assert_str_eq(last_child, "db");
    said(
        "coppice: error: supervisor sup: 3 of the children db did not stop as asked: killed pid=%s\n");
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

/* ---------------------------------------------------------------- of real supervisors */

#define WORKER(word)                                                                  \
 {                                                                                    \
  .id = (word), .name = (word), .worker = test_wait_for_end, .restart = COP_PERMANENT \
 }

static cop_pid
start_three(cop_strategy strategy)
{
    static cop_child_spec children[] = {WORKER("a"), WORKER("b"), WORKER("c")};
    const cop_supervisor_spec spec = {
        .name = "sup",
        .strategy = strategy,
        .children = children,
        .child_count = 3,
        .max_restarts = 7,
        .max_seconds = 3600,
    };
    cop_pid sup;
    ck_assert_int_eq(cop_supervisor_start(&sup, &spec), 0);
    return sup;
}

static void
end_child(const char *name, cop_reason reason)
{
    cop_pid pid = cop_whereis(name);
    cop_exit_signal(pid, reason);
    EVENTUALLY(test_is_another(cop_whereis(name), pid));
}

static char *
text_of_end(cop_strategy strategy, const char *child)
{
    cop_pid sup = start_three(strategy);
    test_catch_stderr();
    end_child(child, cop_failed(-EIO, "boom"));
    ck_assert_int_eq(cop_stop_process(sup, COP_REASON_NORMAL, SOON), 0);
    return test_caught_stderr();
}

static void
assert_told(char *text, const char *fields)
{
    const char *line = strstr(text, "supervisor sup: child ");
    ck_assert_msg(line && strstr(line, fields), "%s", text);
    ck_assert_uint_eq(test_count(text, "supervisor sup"), 1); /* one event, one entry */
    free(text);
}

TEST(an_end_tells_how_many_restarts_that_makes_of_how_many_allowed)
{
    assert_told(text_of_end(COP_ONE_FOR_ONE, "b"), " restarts=1 allowed=7 within=3600s\n");
}

TEST(an_end_tells_who_is_restarted_with_it)
{
    assert_told(text_of_end(COP_ONE_FOR_ALL, "b"), " within=3600s with=a,c\n");
}

TEST(an_end_tells_who_comes_after_it_and_is_restarted_with_it)
{
    assert_told(text_of_end(COP_REST_FOR_ONE, "b"), " within=3600s with=c\n");
}

TEST(restarts_are_counted_on)
{
    cop_pid sup = start_three(COP_ONE_FOR_ONE);
    for (int i = 0; i < 3; i++) {
        test_catch_stderr();
        end_child("a", cop_failed(-EIO, "boom"));
        cop_child_counts counts;
        ck_assert_int_eq(cop_supervisor_count(sup, &counts), 0); /* it has told of it before */
        char *text = test_caught_stderr(), expected[32];
        (void)snprintf(expected, sizeof expected, " restarts=%d allowed=7 ", i + 1);
        ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
        free(text);
    }
    ck_assert_int_eq(cop_stop_process(sup, COP_REASON_NORMAL, SOON), 0);
}

TEST(an_end_of_many_siblings_names_as_many_as_fit)
{
    enum {
        MANY = 200
    };
    static char ids[MANY][16];
    static cop_child_spec children[MANY];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "child%d", i);
        children[i] = (cop_child_spec){
            .id = ids[i], .name = ids[i], .worker = test_wait_for_end, .restart = COP_PERMANENT};
    }
    const cop_supervisor_spec spec = {
        .name = "sup", .strategy = COP_ONE_FOR_ALL, .children = children, .child_count = MANY};
    cop_pid sup;
    ck_assert_int_eq(cop_supervisor_start(&sup, &spec), 0);
    test_catch_stderr();
    end_child("child7", cop_failed(-EIO, "boom"));
    EVENTUALLY(cop_whereis("child199").id != 0);
    ck_assert_int_eq(cop_stop_process(sup, COP_REASON_NORMAL, SOON), 0);
    char *text = test_caught_stderr(), *with = strstr(text, " with=");
    unsigned more = 0;
    ck_assert_ptr_nonnull(with);
    *strchr(with, '\n') = '\0';
    more = test_number_after(with, "(+");
    ck_assert_uint_eq(test_count(with, "child") + more, MANY - 1);
    free(text);
}

TEST(a_child_that_is_not_restarted_is_told_as_such)
{
    const cop_child_spec child = {
        .id = "once", .name = "once", .worker = test_wait_for_end, .restart = COP_TEMPORARY};
    const cop_supervisor_spec spec = {.name = "sup", .children = &child, .child_count = 1};
    cop_pid sup;
    ck_assert_int_eq(cop_supervisor_start(&sup, &spec), 0);
    test_catch_stderr();
    cop_exit_signal(cop_whereis("once"), cop_failed(-EIO, "boom"));
    cop_child_counts counts = {.specs = 1};
    EVENTUALLY(cop_supervisor_count(sup, &counts) == 0 && counts.specs == 0); /* it is forgotten */
    ck_assert_int_eq(cop_stop_process(sup, COP_REASON_NORMAL, SOON), 0);
    assert_told(test_caught_stderr(), " restarted=false\n");
}

TEST(starts_are_told_only_to_whoever_wants_to_debug)
{
    test_catch_stderr();
    ck_assert_int_eq(cop_stop_process(start_three(COP_ONE_FOR_ONE), COP_REASON_NORMAL, SOON), 0);
    said("");
    cop_log_set_level(COP_LOG_DEBUG);
    test_catch_stderr();
    ck_assert_int_eq(cop_stop_process(start_three(COP_ONE_FOR_ONE), COP_REASON_NORMAL, SOON), 0);
    char *text = test_caught_stderr();
    ck_assert_uint_eq(test_count(text, "coppice: debug: supervisor sup: child "), 3);
    ck_assert_uint_eq(test_count(text, "child b started pid=<"), 1);
    free(text);
}

TEST(nothing_is_told_where_the_level_is_off)
{
    cop_log_set_level(COP_LOG_CRITICAL);
    char *text = text_of_end(COP_ONE_FOR_ALL, "b");
    ck_assert_str_eq(text, "");
    free(text);
}

SUITE("report")
