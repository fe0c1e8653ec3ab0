/*
 * tests/runtime/test_limit.c - no more processes than the machine, or the user, has room for.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/limit.h"
#include "tests/support/support.h"

#include <sys/syscall.h>

enum {
    MOST = 10 /* the test's own thread is one */
};

static int
wait_to_be_told(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

static void
allow(unsigned processes)
{
    ck_assert_int_eq(
        cop_configure(&(cop_config){.size = sizeof(cop_config), .max_processes = processes}), 0);
    cop_self();
}

static cop_pid pids[MOST];

static void
fill(void)
{
    for (int i = 1; i < MOST; i++) {
        ck_assert_int_eq(cop_spawn(&pids[i], wait_to_be_told), 0);
    }
}

static void
end(cop_pid pid)
{
    cop_ref monitor = cop_monitor(pid);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
}

TEST(one_more_than_configured_is_refused_and_the_limit_is_named_once)
{
    allow(MOST);
    fill();
    cop_pid out = {42};
    test_catch_stderr();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_spawn(&out, wait_to_be_told), -EAGAIN);
        ck_assert_int_eq(cop_why().code, -EAGAIN);
    }
    char *said = test_caught_stderr();
    ck_assert_uint_eq(out.id, 42);
    ck_assert_uint_eq(test_count(said, "\n"), 1);
    ck_assert_uint_eq(test_count(said, "max_processes"), 1);
    ck_assert_uint_eq(test_count(said, "10 live"), 1);
    free(said);
}

TEST(the_program_goes_on_when_the_limit_is_reached)
{
    cop_ref monitor;
    allow(MOST);
    fill();
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, wait_to_be_told), -EAGAIN);
    free(test_caught_stderr());
    monitor = cop_monitor(pids[1]);
    ck_assert_int_eq(cop_send(pids[1], COP_TAG(1)), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(whoever_ends_makes_room)
{
    allow(MOST);
    fill();
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, wait_to_be_told), -EAGAIN);
    end(pids[3]);
    int r = cop_spawn(NULL, wait_to_be_told); /* at once, when its monitors have been told */
    ck_assert_int_eq(cop_spawn(NULL, wait_to_be_told), -EAGAIN);
    free(test_caught_stderr());
    ck_assert_int_eq(r, 0);
}

TEST(the_limit_is_named_again_when_there_has_been_room_meanwhile)
{
    allow(MOST);
    test_catch_stderr();
    for (int i = 0; i < 2; i++) {
        fill();
        ck_assert_int_eq(cop_spawn(NULL, wait_to_be_told), -EAGAIN);
        for (int k = 1; k < MOST; k++) {
            end(pids[k]);
        }
    }
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "max_processes"), 2);
    free(said);
}

TEST(a_limit_above_the_machines_changes_nothing)
{
    ck_assert_int_eq(copi_limit_admit(1), 0);
    copi_limit_configure(UINT32_MAX);
    ck_assert_int_eq(copi_limit_admit(1), 0);
    test_catch_stderr();
    ck_assert_int_eq(copi_limit_admit(1000000), -EAGAIN);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "\n"), 1);
    ck_assert_uint_eq(test_count(said, "max_processes"), 0);
    free(said);
}

TEST(without_a_limit_of_the_users_the_nearest_of_the_machines_counts)
{
    unsigned few = 100, most = 1000001;
    test_catch_stderr();
    while (most - few > 1) { /* where it begins to refuse */
        unsigned middle = few + (most - few) / 2;
        *(copi_limit_admit(middle) == 0 ? &few : &most) = middle;
    }
    char *said = test_caught_stderr();
    ck_assert_uint_ge(few, 1000); /* what any machine has room for */
    ck_assert_uint_ge(test_count(said, "no new process"), 1);
    free(said);
}

#if !defined(__SANITIZE_ADDRESS__) /* whose look for leaks needs a thread */
TEST(a_thread_that_the_system_refuses_is_the_same_error_and_a_report)
{
    cop_self();
    test_refuse_system_call(SYS_clone3, EAGAIN);
    test_refuse_system_call(SYS_clone, EAGAIN);
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, wait_to_be_told), -EAGAIN);
    ck_assert_int_eq(cop_spawn(NULL, wait_to_be_told), -EAGAIN);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "the system refused a thread"), 1);
    free(said);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
}
#endif

static int
start_one(void *arg)
{
    (void)arg;
    return cop_spawn(NULL, wait_to_be_told);
}

TEST(a_want_of_memory_is_blamed_on_no_limit)
{
    int result;
    cop_self();
    test_catch_stderr();
    ck_assert_uint_ge(test_out_of_memory(start_one, NULL, &result), 1);
    ck_assert_int_eq(result, 0);
    char *said = test_caught_stderr();
    ck_assert_str_eq(said, "");
    free(said);
}

SUITE("limit")
