/*
 * tests/supervisor/observe/test_web_actions.c - what is done to a process because somebody has asked for it.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_actions.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

static struct copi_web_actions actions;

/* Until it is told, and then of that action. */
static struct copi_web_outcome
outcome(void)
{
    uint64_t before = actions.count;
    cop_msg msg;
    while (actions.count == before) {
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        ck_assert(copi_web_action_told(&actions, msg));
    }
    return actions.outcomes[before % COPI_WEB_OUTCOMES];
}

static void
all_places_are_free(void)
{
    cop_msg msg;
    for (size_t i = 0; i < COPI_WEB_AT_ONCE; i++) {
        while (actions.running[i].id != 0) {
            ck_assert_int_eq(cop_receive(&msg, SOON), 0);
            ck_assert(copi_web_action_told(&actions, msg));
        }
    }
}

static cop_step
hang(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

static const cop_genserver server = {.type = "target", .handle_cast = hang};

static cop_pid
start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server), 0);
    return pid;
}

TEST(who_is_gone_is_refused_at_once)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(copi_web_action_begin(&actions, "crash", pid), -ESRCH);
    ck_assert_uint_eq(actions.running[0].id, 0);
}

static atomic_bool is_gone; /* to everybody but the test */
static cop_pid test_itself;

int real_inspect(cop_pid pid, cop_process_info *info) REAL(cop_inspect);
int inspect_unless_gone(cop_pid pid, cop_process_info *info) WRAP(cop_inspect);
int
inspect_unless_gone(cop_pid pid, cop_process_info *info)
{
    bool is_asked_late = is_gone && !cop_pid_eq(cop_self(), test_itself);
    return is_asked_late ? -ESRCH : real_inspect(pid, info);
}

TEST(who_ends_before_it_can_be_crashed_is_told_of)
{
    cop_pid pid = start();
    test_itself = cop_self();
    is_gone = true;
    ck_assert_int_eq(copi_web_action_begin(&actions, "crash", pid), 0);
    ck_assert_int_eq(outcome().code, -ESRCH);
    is_gone = false;
    ck_assert(cop_alive(pid));
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    all_places_are_free();
}

TEST(only_so_many_run_at_a_time)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0); /* hangs: suspending waits */
    for (int i = 0; i < COPI_WEB_AT_ONCE; i++) {
        ck_assert_int_eq(copi_web_action_begin(&actions, "suspend", pid), 0);
    }
    ck_assert_int_eq(copi_web_action_begin(&actions, "suspend", pid), -EBUSY);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    for (int i = 0; i < COPI_WEB_AT_ONCE; i++) {
        ck_assert_int_ne(outcome().code, 0);
    }
    all_places_are_free();
}

TEST(what_is_no_server_cannot_be_suspended_and_that_is_told)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .name = "plain"), 0);
    ck_assert_int_eq(copi_web_action_begin(&actions, "suspend", pid), 0);
    struct copi_web_outcome told = outcome();
    ck_assert_int_eq(told.code, -EOPNOTSUPP);
    ck_assert_str_eq(told.word, "suspend");
    ck_assert_str_eq(told.name, "plain");
    ck_assert_str_eq(told.text, cop_strerror(-EOPNOTSUPP));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    all_places_are_free();
}

static int
trap(cop_bytes arg)
{
    cop_trap_exits(true);
    return test_wait_for_end(arg);
}

TEST(a_crash_ends_also_who_traps_exits)
{
    cop_pid pid;
    cop_ref monitor;
    cop_process_info info;
    ck_assert_int_eq(cop_spawn(&pid, trap, .monitor = &monitor), 0);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.traps_exits);
    ck_assert_int_eq(copi_web_action_begin(&actions, "crash", pid), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    ck_assert_int_eq(outcome().code, 0);
    all_places_are_free();
}

TEST(a_crash_is_a_failure)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .monitor = &monitor), 0);
    ck_assert_int_eq(copi_web_action_begin(&actions, "crash", pid), 0);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_str_eq(reason.text, "crashed by hand");
    ck_assert_int_eq(outcome().code, 0);
    all_places_are_free();
}

TEST(suspended_resumed_stopped)
{
    static const char *const words[] = {"suspend", "resume", "stop"};
    cop_pid pid = start();
    for (size_t i = 0; i < 3; i++) {
        ck_assert(copi_web_is_action(words[i]));
        ck_assert_int_eq(copi_web_action_begin(&actions, words[i], pid), 0);
        ck_assert_int_eq(outcome().code, 0);
        ck_assert(i == 2 || test_status(pid).is_suspended == (i == 0));
    }
    ck_assert(!cop_alive(pid));
    all_places_are_free();
}

TEST(there_are_no_others)
{
    ck_assert(!copi_web_is_action("explode"));
    ck_assert(!copi_web_is_action(""));
}

TEST(other_messages_are_not_about_it)
{
    const int body = 1;
    ck_assert(!copi_web_action_told(&actions, COP_MSG_OF(COPI_WEB_OUTCOME, body)));
    ck_assert(!copi_web_action_told(&actions, COP_TAG(7)));
    const struct cop_down down = {.pid = {1}};
    ck_assert(!copi_web_action_told(&actions, COP_MSG_OF(COP_MSG_DOWN, down)));
}

TEST(the_newest_outcomes_are_told_first)
{
    struct copi_web_outcome one = {.pid = {1}, .word = "stop"};
    for (int i = 0; i < COPI_WEB_OUTCOMES + 3; i++) {
        (void)snprintf(one.name, sizeof one.name, "n%d", i);
        ck_assert(copi_web_action_told(&actions, COP_MSG_OF(COPI_WEB_OUTCOME, one)));
    }
    struct copi_json json;
    char *out;
    size_t size;
    ck_assert_int_eq(copi_json_begin(&json), 0);
    copi_web_outcomes_put(&json, &actions);
    ck_assert_int_eq(copi_json_take(&json, &out, &size), 0);
    ck_assert_ptr_nonnull(
        strstr(out, "\"number\":19,\"pid\":\"\\u003c1.0\\u003e\",\"name\":\"n18\""));
    ck_assert_ptr_nonnull(strstr(out, "\"number\":4,"));
    ck_assert_ptr_null(strstr(out, "\"number\":3,"));
    free(out);
}

SUITE("web_actions")
