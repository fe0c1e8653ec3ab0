/*
 * tests/supervisor/observe/test_web_events.c - the last events of a process as JSON.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_events.h"
#include "tests/support/support.h"

#include <unistd.h>

static char *
events_of(cop_pid pid)
{
    struct copi_json json;
    char *out;
    size_t size;
    ck_assert_int_eq(copi_json_begin(&json), 0);
    copi_json_open(&json, NULL, '{');
    copi_web_events_put(&json, pid);
    copi_json_close(&json, '}');
    ck_assert_int_eq(copi_json_take(&json, &out, &size), 0);
    return out;
}

TEST(without_a_recorder_that_is_said)
{
    char *json = events_of(cop_self());
    ck_assert_str_eq(json, "{\"is_recorded\":false,\"events\":[]}");
    free(json);
}

static void
turn_recorder_on(char path[64])
{
    (void)snprintf(path, 64, "/tmp/test_web_events.%d", (int)getpid());
    ck_assert_int_eq(setenv("COPPICE_RECORDER", path, 1),
                     0); /* NOLINT(concurrency-mt-unsafe): before all threads */
}

TEST(who_is_not_there_has_none)
{
    char path[64];
    turn_recorder_on(path);
    cop_self();
    char *json = events_of((cop_pid){12345});
    ck_assert_str_eq(json, "{\"is_recorded\":true,\"events\":[]}");
    free(json);
    unlink(path);
}

TEST(a_process_that_was_sent_something_has_some)
{
    char path[64];
    cop_pid pid;
    turn_recorder_on(path);
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(7)), 0);
    EVENTUALLY(test_is_waiting(pid));
    char *json = events_of(pid);
    ck_assert_ptr_nonnull(strstr(json, "\"is_recorded\":true"));
    ck_assert_ptr_nonnull(strstr(json, "\"ago_ms\":"));
    free(json);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    unlink(path);
}

SUITE("web_events")
