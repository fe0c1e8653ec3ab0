/*
 * tests/runtime/test_log.c - what a program has to say, and where it goes.
 *
 * Room: tests/.
 */
#include "runtime/log.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* As if the program had begun with it. */
static void
set_environment(const char *words)
{
    setenv("COPPICE_LOG", words, true);
}

static void
configure(cop_config config)
{
    config.size = sizeof config;
    ck_assert_int_eq(cop_configure(&config), 0);
}

static void
said(const char *expected)
{
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, expected);
    free(lines);
}

static void
say_all(void)
{
    for (cop_log_level level = COP_LOG_EMERGENCY; level <= COP_LOG_DEBUG; level++) {
        cop_log(level, "m");
    }
}

static unsigned
count_levels(void)
{
    test_catch_stderr();
    say_all();
    char *lines = test_caught_stderr();
    unsigned count = test_count(lines, "\n");
    free(lines);
    return count;
}

/* ---------------------------------------------------------------- levels */

static int evaluated;

static int
evaluate(void)
{
    return ++evaluated;
}

TEST(a_level_that_is_off_writes_nothing_and_evaluates_nothing)
{
    test_catch_stderr();
    cop_log_set_level(COP_LOG_INFO);
    cop_log(COP_LOG_DEBUG, "m", COP_KV("k", evaluate()));
    cop_logf(COP_LOG_DEBUG, "%d", evaluate());
    said("");
    ck_assert_int_eq(evaluated, 0);
}

/* The first look of all comes before the environment was looked at. */
TEST(the_first_line_of_all_may_be_one_that_is_off)
{
    test_catch_stderr();
    cop_log(COP_LOG_DEBUG, "m");
    cop_logf(COP_LOG_DEBUG, "m");
    said("");
}

TEST(info_is_on_by_itself_and_debug_is_not)
{
    ck_assert_uint_eq(count_levels(), COP_LOG_INFO);
}

TEST(a_level_can_be_set_while_the_program_runs)
{
    ck_assert_int_eq(cop_log_set_level(COP_LOG_ERROR), COP_LOG_INFO);
    ck_assert_uint_eq(count_levels(), COP_LOG_ERROR);
    ck_assert_int_eq(cop_log_set_level(COP_LOG_DEBUG), COP_LOG_ERROR);
    ck_assert_uint_eq(count_levels(), COP_LOG_DEBUG);
}

TEST(a_level_can_be_configured)
{
    configure((cop_config){.log_level = COP_LOG_WARNING});
    ck_assert_uint_eq(count_levels(), COP_LOG_WARNING);
}

TEST(a_level_that_is_none_is_refused)
{
    cop_config config = {.size = sizeof config, .log_level = (cop_log_level)9};
    ck_assert_int_eq(cop_configure(&config), -EINVAL);
    config.log_level = (cop_log_level)-1;
    ck_assert_int_eq(cop_configure(&config), -EINVAL);
}

TEST(whoever_runs_the_program_has_the_last_word)
{
    set_environment("notime,debug");
    configure((cop_config){.log_level = COP_LOG_WARNING});
    ck_assert_uint_eq(count_levels(), COP_LOG_DEBUG);
}

static const char there_are[] =
    "; there are: emergency, alert, critical, error, warning, notice, info, debug, json, text, notime, all\n";

TEST(an_unknown_word_in_the_environment_is_named_once_and_the_others_are_used)
{
    char expected[256];
    set_environment(",,bogus,debugging,notime,,error,=,");
    test_catch_stderr();
    cop_log(COP_LOG_DEBUG, "m");
    configure((cop_config){0});
    (void)snprintf(expected, sizeof expected,
                   "coppice: warning: COPPICE_LOG: there is no word \"bogus\"%s", there_are);
    said(expected);
    ck_assert_uint_eq(count_levels(), COP_LOG_ERROR);
}

TEST(of_an_unknown_word_that_is_long_the_beginning_is_named)
{
    char words[1001];
    memset(words, '\n', 1000);
    words[1000] = '\0';
    set_environment(words);
    test_catch_stderr();
    configure((cop_config){.log_level = COP_LOG_EMERGENCY});
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "\n"), 1);
    ck_assert_uint_eq(test_count(lines, "\\n"), 40);
    free(lines);
}

TEST(words_that_are_there_are_not_complained_about)
{
    set_environment(",emergency,alert,critical,error,warning,notice,debug,info,text,,notime,all");
    test_catch_stderr();
    cop_log(COP_LOG_DEBUG, "m");
    said("");
}

TEST(whoever_runs_the_program_may_ask_for_all_lines)
{
    set_environment("notime,all");
    configure((cop_config){.log_limit = 2});
    test_catch_stderr();
    for (int i = 0; i < 1000; i++) {
        cop_log(COP_LOG_INFO, "m");
    }
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "info: m\n"), 1000);
    free(lines);
}

/* ---------------------------------------------------------------- lines */

TEST(a_line_has_a_time_of_now)
{
    set_environment("");
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    char *lines = test_caught_stderr(), today[16];
    time_t now = time(NULL);
    struct tm parts;
    strftime(today, sizeof today, "%Y-%m-", gmtime_r(&now, &parts));
    ck_assert_int_eq(strncmp(lines, today, strlen(today)), 0);
    ck_assert_ptr_nonnull(strstr(lines, "Z test_log: info: m\n"));
    free(lines);
}

TEST(a_thread_that_is_no_process_goes_by_the_programs_name_and_stays_one)
{
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m", COP_KV("k", 1));
    said("test_log: info: m k=1\n");
    ck_assert_uint_eq(cop_processes(NULL, 0), 0);
}

TEST(a_process_has_its_name_and_its_number)
{
    char expected[64];
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    (void)snprintf(expected, sizeof expected, "teller<%u.%u>: info: m\n",
                   (unsigned)(cop_self().id & 0xfffff), (unsigned)(cop_self().id >> 20));
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    said(expected);
}

static int
say_something(cop_bytes unused)
{
    (void)unused;
    cop_log(COP_LOG_INFO, "m");
    return 0;
}

TEST(a_process_without_a_name_has_its_label)
{
    cop_ref monitor;
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, say_something, .label = "pool", .monitor = &monitor), 0);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_int_eq(strncmp(lines, "pool<", 5), 0);
    free(lines);
}

TEST(a_formatted_line_is_one)
{
    test_catch_stderr();
    cop_logf(COP_LOG_INFO, "%d of %s", 3, "a\nb");
    said("test_log: info: 3 of a\\nb\n");
}

TEST(json_can_be_configured)
{
    configure((cop_config){.log_json = true});
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m", COP_KV("k", "v"));
    char *lines = test_caught_stderr();
    ck_assert_int_eq(strncmp(lines, "{\"time\":\"20", 11), 0);
    ck_assert_ptr_nonnull(strstr(lines, "\"level\":\"info\",\"message\":\"m\",\"k\":\"v\"}\n"));
    free(lines);
}

TEST(json_can_be_asked_for_by_the_environment_and_declined)
{
    set_environment("json");
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    char *lines = test_caught_stderr();
    ck_assert_int_eq(lines[0], '{');
    free(lines);
    set_environment("text,notime");
    configure((cop_config){.log_json = true});
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    said("test_log: info: m\n");
}

TEST(errno_and_why_are_left_alone)
{
    ck_assert_int_eq(cop_cancel_timer((cop_ref){77}, NULL), -ENOENT);
    cop_reason why = cop_why();
    test_catch_stderr();
    errno = EXDEV;
    cop_log(COP_LOG_INFO, "m", COP_KV("who", (cop_pid){77}));
    cop_logf(COP_LOG_INFO, "m");
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(cop_why().code, why.code);
    free(test_caught_stderr());
}

TEST(the_child_of_a_fork_may_speak)
{
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    test_catch_stderr();
    pid_t child = fork();
    if (child == 0) {
        cop_log(COP_LOG_INFO, "m", COP_KV("parent", (cop_pid){(1 << 20) + 1}));
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    said("test_log: info: m parent=<1.1>\n");
}

static void
say_dropped(void *unused)
{
    (void)unused;
    cop_log(COP_LOG_INFO, "dropped");
}

static cop_step
say_terminated(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    cop_defer(say_dropped, NULL);
    return cop_stop(COP_REASON_NORMAL);
}

static void
terminated(void *state, cop_reason reason)
{
    (void)state;
    cop_log(COP_LOG_INFO, "terminated", COP_KV("reason", reason));
}

TEST(drop_functions_deferred_calls_and_terminate_may_speak)
{
    static const cop_genserver speaker = {.handle_info = say_terminated, .terminate = terminated};
    static int body;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &speaker, .name = "speaker"), 0);
    cop_ref monitor = cop_monitor(pid);
    test_catch_stderr();
    ck_assert_int_eq(cop_send(pid, COP_MSG_MOVE(1, &body, sizeof body, say_dropped)), 0);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "info: dropped\n"), 2);
    ck_assert_uint_eq(test_count(lines, "info: terminated reason=normal\n"), 1);
    free(lines);
}

SUITE("log")
