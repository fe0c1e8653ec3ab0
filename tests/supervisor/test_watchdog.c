/*
 * tests/supervisor/test_watchdog.c - whether those who asked to be watched make progress.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/watchdog.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum {
    HANG = 1,
};

static atomic_bool let_go;
static cop_time limit = COP_MS(50);

static cop_step
init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    ck_assert_int_eq(cop_watchdog(limit), 0);
    return cop_ok();
}

static cop_step
hang(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    while (!atomic_load(&let_go)) {
        usleep(1000);
    }
    return cop_ok();
}

static const cop_genserver server = {.type = "watched", .init = init, .handle_cast = hang};

static cop_pid
start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "watched"), 0);
    return pid;
}

static void
stop(cop_pid pid)
{
    atomic_store(&let_go, true);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
}

/* ---------------------------------------------------------------- refused */

TEST(a_limit_that_is_none_is_refused)
{
    ck_assert_int_eq(cop_watchdog(-1), -EINVAL);
    ck_assert(copi_watchdog_is_content());
}

static void *
ask_without_memory(void *result)
{
    copi_alloc_fail_after(0);
    *(int *)result = cop_watchdog(COP_SEC(1));
    copi_alloc_fail_after(-1);
    return NULL;
}

TEST(a_thread_that_cannot_become_a_process_is_not_watched)
{
    int r = 0;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_without_memory, &r), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(r, -ENOMEM);
}

TEST(without_memory_nobody_is_watched)
{
    ck_assert_int_eq(cop_watchdog(0), 0); /* a process by now */
    copi_alloc_fail_after(0);
    ck_assert_int_eq(cop_watchdog(COP_SEC(1)), -ENOMEM);
    copi_alloc_fail_after(-1);
}

/* ---------------------------------------------------------------- progress */

TEST(who_has_nothing_to_do_makes_progress)
{
    limit = 1;
    cop_pid pid = start();
    EVENTUALLY(test_is_waiting(pid));
    cop_sleep(COP_MS(20));
    ck_assert(copi_watchdog_is_content());
    stop(pid);
}

TEST(a_callback_that_lasts_too_long_is_no_progress_and_named_once)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(HANG)), 0);
    test_catch_stderr();
    EVENTUALLY(!copi_watchdog_is_content());
    ck_assert(!copi_watchdog_is_content());
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "watched makes no progress: in handle_cast for"), 1);
    free(said);
    atomic_store(&let_go, true);
    EVENTUALLY(copi_watchdog_is_content());
    stop(pid);
}

TEST(a_message_that_waits_too_long_is_no_progress)
{
    ck_assert_int_eq(cop_watchdog(COP_MS(20)), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(1)), 0);
    test_catch_stderr();
    EVENTUALLY(!copi_watchdog_is_content());
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "1 messages wait, the oldest for"), 1);
    free(said);
    test_receive(1);
    ck_assert(copi_watchdog_is_content());
}

TEST(who_is_not_watched_any_more_may_hang)
{
    ck_assert_int_eq(cop_watchdog(1), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(1)), 0);
    ck_assert_int_eq(cop_watchdog(0), 0);
    cop_sleep(COP_MS(10));
    ck_assert(copi_watchdog_is_content());
    test_receive(1);
}

static bool is_gone;
static const cop_process_info *pretended;

int real_inspect(cop_pid pid, cop_process_info *info) REAL(cop_inspect);
int inspect_otherwise(cop_pid pid, cop_process_info *info) WRAP(cop_inspect);
int
inspect_otherwise(cop_pid pid, cop_process_info *info)
{
    if (pretended) {
        *info = *pretended;
        return 0;
    }
    return is_gone ? -ESRCH : real_inspect(pid, info);
}

TEST(who_handles_one_message_after_the_other_is_not_taken_to_hang_by_the_date_of_the_first)
{
    cop_process_info info = {.callback = "handle_cast", .since = cop_now() - COP_SEC(60)};
    pretended = &info;
    ck_assert_int_eq(cop_watchdog(COP_MS(1)), 0);
    for (int i = 0; i < 3; i++) {
        info.messages_handled++;
        ck_assert(copi_watchdog_is_content());
        cop_sleep(COP_MS(2));
    }
    pretended = NULL;
}

TEST(whose_callback_has_a_date_of_its_own_hangs_at_the_first_look)
{
    cop_process_info info = {
        .callback = "handle_cast", .since = cop_now() - COP_SEC(60), .since_is_exact = true};
    pretended = &info;
    ck_assert_int_eq(cop_watchdog(COP_SEC(30)), 0);
    test_catch_stderr();
    for (int i = 0; i < 3; i++) {
        info.messages_handled++;
        ck_assert(!copi_watchdog_is_content());
    }
    free(test_caught_stderr());
    pretended = NULL;
}

TEST(who_is_found_in_the_same_callback_for_too_long_hangs_whenever_that_is_said_to_have_begun)
{
    cop_process_info info = {.callback = "handle_cast", .since = 1, .messages_handled = 7};
    pretended = &info;
    ck_assert_int_eq(cop_watchdog(COP_MS(1)), 0);
    ck_assert(copi_watchdog_is_content());
    cop_sleep(COP_MS(2));
    test_catch_stderr();
    ck_assert(!copi_watchdog_is_content());
    free(test_caught_stderr());
    info.messages_handled++;
    ck_assert(copi_watchdog_is_content());
    pretended = NULL;
}

TEST(who_ends_while_it_is_looked_at_is_no_reason_to_be_discontent)
{
    ck_assert_int_eq(cop_watchdog(1), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(1)), 0);
    test_catch_stderr();
    EVENTUALLY(!copi_watchdog_is_content());
    is_gone = true;
    ck_assert(copi_watchdog_is_content());
    free(test_caught_stderr());
    test_receive(1);
}

TEST(who_has_ended_is_not_watched)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(HANG)), 0);
    test_catch_stderr();
    EVENTUALLY(!copi_watchdog_is_content());
    free(test_caught_stderr());
    stop(pid);
    ck_assert(copi_watchdog_is_content());
}

SUITE("watchdog")
