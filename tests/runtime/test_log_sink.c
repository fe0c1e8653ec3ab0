/*
 * tests/runtime/test_log_sink.c - a process that takes the log's entries.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/log.h"
#include "runtime/report.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CRASH = 1,
    SPEAK,
    BLOCK,
    MOST_BEHIND = 4000,
};

/* What the sink has got, a line each. */
static struct {
    char lines[1 << 20];
    atomic_size_t used;
    atomic_uint entries;
    atomic_bool is_open;
} got;

static void
take(const cop_log_entry *entry)
{
    size_t used = atomic_load(&got.used);
    char line[COP_LOG_LINE + 1];
    size_t size = cop_log_line(entry, false, line, sizeof line);
    const char *behind_time = strchr(line, ' ') + 1;
    size -= (size_t)(behind_time - line);
    if (used + size < sizeof got.lines) {
        memcpy(got.lines + used, behind_time, size);
        atomic_store(&got.used, used + size);
    }
    atomic_fetch_add(&got.entries, 1);
}

static cop_step
handle(void *state, cop_msg msg)
{
    (void)state;
    switch (msg.tag) {
    case COP_MSG_LOG:
        take(COP_BODY(msg, cop_log_entry));
        break;
    case CRASH:
        return cop_stop(cop_failed(-EIO, "sunk"));
    case SPEAK:
        cop_log(COP_LOG_INFO, "said by the sink");
        break;
    case BLOCK:
        while (!atomic_load(&got.is_open)) {
            usleep(100);
        }
        break;
    }
    return cop_ok();
}

static cop_step
take_over(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_log_to(cop_self()) == 0 ? cop_ok() : cop_stop(cop_why());
}

static const cop_genserver file_sink = {.type = "sink", .init = take_over, .handle_info = handle};

static cop_pid
start_sink(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &file_sink, .name = "sink"), 0);
    return pid;
}

static void
stop_sink(cop_pid pid)
{
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
}

static unsigned
entries(void)
{
    return atomic_load(&got.entries);
}

/* ---------------------------------------------------------------- when it is not there */

TEST(a_sink_that_has_ended_is_refused)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_int_eq(cop_log_to(pid), -ESRCH);
}

TEST(a_name_that_nobody_has_yet_means_standard_error)
{
    ck_assert_int_eq(cop_log_to(cop_named("sink")), 0);
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    char *lines = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(lines, "info: m\n"));
    free(lines);
}

TEST(after_its_end_entries_go_to_standard_error)
{
    stop_sink(start_sink());
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    char *lines = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(lines, "info: m\n"));
    free(lines);
}

TEST(what_it_has_not_handled_when_it_ends_goes_to_standard_error)
{
    cop_pid pid = start_sink();
    cop_ref monitor = cop_monitor(pid);
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "before");
    ck_assert_int_eq(cop_send(pid, COP_TAG(BLOCK)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(CRASH)), 0);
    cop_log(COP_LOG_INFO, "after", COP_KV("k", "v"));
    atomic_store(&got.is_open, true);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "info: after k=v\n"), 1);
    ck_assert_uint_eq(test_count(lines, "before"), 0);
    ck_assert_uint_eq(test_count(lines, "genserver sink crashed: sunk"), 1); /* by itself */
    free(lines);
    ck_assert_uint_eq(entries(), 1);
}

TEST(a_sink_that_is_killed_loses_nothing)
{
    cop_pid pid = start_sink();
    cop_ref monitor = cop_monitor(pid);
    test_catch_stderr();
    ck_assert_int_eq(cop_send(pid, COP_TAG(BLOCK)), 0);
    cop_log(COP_LOG_INFO, "m");
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    atomic_store(&got.is_open, true);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "info: m\n") + entries(), 1);
    free(lines);
}

TEST(the_next_one_of_its_name_gets_what_comes_then)
{
    ck_assert_int_eq(cop_log_to(cop_named("sink")), 0);
    static const cop_genserver by_name = {.type = "sink", .handle_info = handle};
    for (unsigned i = 1; i <= 2; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_genserver_start(&pid, &by_name, .name = "sink"), 0);
        cop_log(COP_LOG_INFO, "m");
        EVENTUALLY(entries() == i);
        stop_sink(pid);
    }
}

TEST(without_memory_entries_go_to_standard_error)
{
    cop_pid pid = start_sink();
    test_catch_stderr();
    for (long after = 0; after < 3; after++) {
        copi_alloc_fail_after(after);
        cop_log(COP_LOG_INFO, "m");
        copi_alloc_fail_after(-1);
    }
    cop_log(COP_LOG_INFO, "m");
    EVENTUALLY(entries() > 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    char *lines = test_caught_stderr();
    ck_assert_uint_ge(test_count(lines, "info: m\n"), 1);
    ck_assert_uint_eq(test_count(lines, "info: m\n") + entries(), 4);
    free(lines);
}

TEST(a_sink_never_feeds_itself)
{
    cop_pid pid = start_sink();
    test_catch_stderr();
    ck_assert_int_eq(cop_send(pid, COP_TAG(SPEAK)), 0);
    stop_sink(pid);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "info: said by the sink\n"), 1);
    ck_assert_uint_eq(entries(), 0);
    free(lines);
}

static cop_pid
start_blocked_sink(void)
{
    cop_log_set_level(COP_LOG_INFO);
    cop_pid pid = start_sink();
    ck_assert_int_eq(cop_send(pid, COP_TAG(BLOCK)), 0);
    return pid;
}

/* Of a kind each: not limited. */
static void
log_many(int count)
{
    for (int i = 0; i < count; i++) {
        char message[32];
        (void)snprintf(message, sizeof message, "m%d", i);
        cop_log(COP_LOG_INFO, message);
    }
}

TEST(a_sink_that_does_not_look_hangs_nobody_and_what_is_dropped_is_counted)
{
    enum {
        MANY = 10000
    };
    test_catch_stderr();
    cop_pid pid = start_blocked_sink();
    log_many(MANY);
    atomic_store(&got.is_open, true);
    EVENTUALLY(entries() == MOST_BEHIND);
    cop_log(COP_LOG_INFO, "n");
    stop_sink(pid);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "\n"), 1);
    ck_assert_uint_eq(test_count(lines, "coppice: warning: the log's sink is behind"), 1);
    ck_assert_uint_eq(entries(), MOST_BEHIND + 2);
    ck_assert_ptr_nonnull(
        strstr(got.lines,
               "coppice: warning: entries were dropped: the log's sink was behind entries=6000\n"));
    free(lines);
}

#define DROPPED "coppice: warning: entries were dropped: the log's sink was behind entries=10\n"

TEST(how_many_were_dropped_is_told_without_memory_too)
{
    test_catch_stderr();
    cop_pid pid = start_blocked_sink();
    log_many(MOST_BEHIND + 10);
    atomic_store(&got.is_open, true);
    EVENTUALLY(entries() == MOST_BEHIND);
    copi_alloc_fail_after(0);
    cop_log(COP_LOG_INFO, "n");
    copi_alloc_fail_after(-1);
    stop_sink(pid);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, DROPPED), 1);
    ck_assert_uint_eq(test_count(lines, "info: n\n"), 1);
    ck_assert_uint_eq(entries(), MOST_BEHIND);
    free(lines);
}

TEST(how_many_were_dropped_is_told_before_the_end)
{
    test_catch_stderr();
    start_blocked_sink();
    log_many(MOST_BEHIND + 10);
    atomic_store(&got.is_open, true);
    EVENTUALLY(entries() == MOST_BEHIND);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, DROPPED) + test_count(got.lines, DROPPED), 1);
    free(lines);
}

/* ---------------------------------------------------------------- when it is there */

TEST(entries_come_whole_and_in_order)
{
    const cop_reason boom = cop_failed(-EIO, "boom");
    cop_pid pid = start_sink();
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    cop_log(COP_LOG_WARNING, "one", COP_KV("text", "a b"), COP_KV("n", 7),
            COP_KV("pid", cop_self()), COP_KV("reason", boom), COP_KV_TIME("t", COP_MS(2)),
            COP_KV("none", (const char *)NULL));
    cop_logf(COP_LOG_INFO, "two %d", 2);
    copi_report(COPI_ERROR, "three");
    stop_sink(pid);
    const char *one =
        strstr(got.lines,
               "warning: one text=\"a b\" n=7 pid=teller reason=boom t=2ms none=(null)\n");
    const char *two = strstr(got.lines, "info: two 2\n");
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_nonnull(two);
    ck_assert(one < two && two < strstr(got.lines, "coppice: error: three\n"));
}

TEST(long_texts_come_as_far_as_a_line_could_show_them)
{
    static char text[100001];
    memset(text, 'v', sizeof text - 1);
    cop_pid pid = start_sink();
    cop_log(COP_LOG_INFO, text, COP_KV(text, text), COP_KV("k", (cop_bytes){text, sizeof text}));
    stop_sink(pid);
    ck_assert_uint_eq(entries(), 1);
}

static void *
speak(void *unused)
{
    for (int i = 0; i < 20; i++) {
        cop_log(COP_LOG_INFO, "m");
    }
    return unused;
}

TEST(any_thread_may_speak_to_it)
{
    enum {
        THREADS = 50
    };
    cop_config config = {.size = sizeof config, .log_limit = COP_LOG_NO_LIMIT};
    ck_assert_int_eq(cop_configure(&config), 0);
    pthread_t thread[THREADS];
    cop_pid pid = start_sink();
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, speak, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    stop_sink(pid);
    ck_assert_uint_eq(entries(), THREADS * 20);
}

TEST(a_shutdown_lets_it_handle_what_was_logged_before)
{
    cop_config config = {.size = sizeof config, .log_limit = COP_LOG_NO_LIMIT};
    ck_assert_int_eq(cop_configure(&config), 0);
    start_sink();
    for (int i = 0; i < 1000; i++) {
        cop_log(COP_LOG_INFO, "m");
    }
    test_catch_stderr();
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(entries() + test_count(lines, "\n"), 1000);
    printf("%u of 1000 were handled\n", entries());
    free(lines);
}

TEST(it_can_be_let_go)
{
    cop_pid pid = start_sink();
    ck_assert_int_eq(cop_log_to(COP_NOBODY), 0);
    test_catch_stderr();
    cop_log(COP_LOG_INFO, "m");
    char *lines = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(lines, "info: m\n"));
    free(lines);
    stop_sink(pid);
}

TEST(the_child_of_a_fork_changes_no_sink)
{
    cop_pid pid = start_sink();
    pid_t child = fork();
    if (child == 0) {
        _exit(cop_log_to(COP_NOBODY) == -EPERM ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    stop_sink(pid);
}

SUITE("log_sink")
