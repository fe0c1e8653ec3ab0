/*
 * tests/actors/test_group.c - tasks that succeed together.
 *
 * Room: tests/. Case ids (EG01) are those of the list of futures' cases.
 */
#include "runtime/process.h"
#include "tests/actors/full.h"
#include "tests/actors/tasks.h"
#include "tests/support/support.h"

#include <errno.h>

static atomic_int running, most, ended, cancelled, gate, calls;

static int
count(cop_bytes arg, void *result)
{
    (void)arg;
    int now = ++running, seen = most;
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {
    }
    cop_assert(!result);
    calls++;
    running--;
    return 0;
}

static int
wait_to_be_cancelled(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    int r = cop_sleep(COP_FOREVER);
    cancelled += r == -ECANCELED;
    ended++;
    return r;
}

static int
wait_at_the_gate(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    EVENTUALLY(gate);
    ended++;
    return 0;
}

static cop_future *door;

static int
wait_at_the_door(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    running++;
    int r = cop_await(door, NULL, 0, COP_FOREVER);
    ended++;
    return r;
}

static int
fail_when_all_run(cop_bytes arg, void *result)
{
    EVENTUALLY(running == 7);
    return fail_with(arg, result);
}

static int
crash(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    cop_exit(cop_failed(-EIO, "lost"));
}

static const cop_bytes nothing;

static cop_group *
make(size_t limit)
{
    cop_group *group = cop_group_new(limit);
    ck_assert_ptr_nonnull(group);
    return group;
}

static void
go(cop_group *group, cop_task_fn fn)
{
    ck_assert_int_eq(cop_group_go(group, fn, nothing), 0);
}

static void
go_and_fail(cop_group *group, cop_task_fn fn, int code)
{
    ck_assert_int_eq(cop_group_go(group, fn, COP_BYTES(code)), 0);
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_member_without_a_function_is_refused)
{
    cop_group *group = make(0);
    ck_assert_int_eq(cop_group_go(group, NULL, nothing), -EINVAL);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_group_free(group);
    cop_group_free(NULL);
}

static int
try_to_go(void *arg)
{
    (void)arg;
    cop_group *group = cop_group_new(1);
    if (!group) {
        return -ENOMEM;
    }
    int r = cop_group_go(group, count, nothing);
    r = r ? r : cop_group_go(group, count, nothing);
    int waited = cop_group_wait(group, NULL);
    cop_group_free(group);
    return r ? r : waited;
}

TEST(without_memory_a_group_fails_and_leaves_nothing)
{
    int r;
    ck_assert_uint_gt(test_out_of_memory(try_to_go, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
}

TEST(at_the_limit_try_go_refuses_without_waiting) /* EG03 EG04 */
{
    cop_group *group = make(1);
    go(group, wait_at_the_gate);
    for (int i = 0; i < 1024; i++) {
        ck_assert_int_eq(cop_group_try_go(group, count, nothing), -EAGAIN);
    }
    gate = 1;
    EVENTUALLY(cop_group_try_go(group, count, nothing) == 0);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(calls, 1);
    cop_group_free(group);
}

TEST(who_waits_for_a_place_waits_no_longer_than_its_context) /* EG04 */
{
    cop_group *group = make(1);
    go(group, wait_at_the_gate);
    cop_context *context = cop_context_new(COP_MS(5));
    cop_context_enter(context);
    ck_assert_int_eq(cop_group_go(group, count, nothing), -ETIMEDOUT);
    ck_assert_int_eq(cop_group_go(group, count, nothing), -ETIMEDOUT); /* without waiting, now */
    cop_context_leave(context);
    cop_context_free(context);
    gate = 1;
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(calls, 0);
    cop_group_free(group);
}

/* ---------------------------------------------------------------- all is well */

TEST(a_group_without_members_has_succeeded)
{
    cop_group *group = make(3);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_group_free(group);
}

TEST(a_group_that_has_ended_is_cancelled) /* EG01 */
{
    cop_group *group = make(0);
    go(group, count);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(cop_group_go(group, count, nothing), -ECANCELED);
    ck_assert_int_eq(calls, 1);
    cop_group_free(group);
}

TEST(a_group_without_a_limit_runs_all_at_once) /* EG04 */
{
    /* Under a sanitizer a thread costs fifty times as much. */
    int many = TEST_SANITIZED ? 100 : full_or(10000, 1000);
    cop_resolver *opener;
    ck_assert_int_eq(cop_promise_new(&door, &opener, 0), 0);
    cop_group *group = make(0);
    for (int i = 0; i < many; i++) {
        go(group, wait_at_the_door);
    }
    EVENTUALLY(running == many);
    ck_assert_int_eq(cop_resolve(opener, nothing), 0);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(ended, many);
    cop_resolver_free(opener);
    cop_future_release(door);
    cop_group_free(group);
}

TEST(no_more_run_at_a_time_than_the_limit) /* GO06 */
{
    int many = full_or(10000, 2000);
    cop_group *group = make(16);
    for (int i = 0; i < many; i++) {
        go(group, count);
    }
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(calls, many);
    ck_assert_int_le(most, 16);
    cop_group_free(group);
}

static cop_group *theirs;

static int
add_many(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        cop_assert(cop_group_go(theirs, count, nothing) == 0);
    }
    return 0;
}

TEST(many_may_add_members_at_the_same_time)
{
    theirs = make(2);
    cop_ref monitors[8];
    for (int i = 0; i < 8; i++) {
        cop_spawn(NULL, add_many, .monitor = &monitors[i]);
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(cop_group_wait(theirs, NULL), 0);
    ck_assert_int_eq(calls, 800);
    ck_assert_int_le(most, 2);
    cop_group_free(theirs);
}

static int
add_another(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    return cop_group_try_go(theirs, count, nothing);
}

TEST(a_member_may_add_a_member)
{
    theirs = make(2);
    go(theirs, add_another);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_group_wait(theirs, NULL), 0);
    cop_group_free(theirs);
}

/* ---------------------------------------------------------------- a failure */

TEST(the_first_failure_cancels_the_others_and_is_the_result) /* GO04 EG02 EG05 */
{
    cop_group *group = make(0);
    for (int i = 0; i < 7; i++) {
        go(group, wait_to_be_cancelled);
    }
    go_and_fail(group, fail_when_all_run, -EHOSTDOWN);
    cop_reason why;
    ck_assert_int_eq(cop_group_wait(group, &why), -EHOSTDOWN);
    ck_assert_int_eq(why.code, -EHOSTDOWN);
    ck_assert_int_eq(cancelled, 7);
    ck_assert_int_eq(ended, 7); /* it has waited for all */
    ck_assert_int_eq(cop_group_wait(group, NULL), -EHOSTDOWN);
    ck_assert_int_eq(cop_group_go(group, count, nothing), -ECANCELED);
    cop_group_free(group);
}

TEST(a_crash_of_a_member_is_a_failure)
{
    cop_group *group = make(0);
    go(group, wait_to_be_cancelled);
    go(group, crash);
    cop_reason why;
    ck_assert_int_eq(cop_group_wait(group, &why), -EIO);
    ck_assert_str_eq(why.text, "lost");
    cop_group_free(group);
}

static cop_pid member;

static int
say_who(cop_bytes arg, void *result)
{
    member = cop_self();
    return wait_to_be_cancelled(arg, result);
}

TEST(a_member_that_is_killed_is_a_failure)
{
    cop_group *group = make(0);
    go(group, say_who);
    EVENTUALLY(running == 1);
    cop_exit_signal(member, COP_REASON_KILLED);
    cop_reason why;
    ck_assert_int_eq(cop_group_wait(group, &why), -ECANCELED);
    ck_assert_int_eq(why.kind, COP_KILLED);
    cop_group_free(group);
}

static int
spin(cop_bytes arg, void *result)
{
    (void)result;
    member = cop_self();
    const volatile char *bytes = arg.data;
    for (running++; !gate; (void)bytes[0]) {
    }
    return 0;
}

TEST(a_member_that_is_disowned_is_a_failure)
{
    test_leaves_things_behind(); /* its thread */
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    cop_group *group = make(1);
    int value = 1;
    ck_assert_int_eq(cop_group_go(group, spin, COP_BYTES(value)), 0);
    EVENTUALLY(running == 1);
    cop_exit_signal(member, COP_REASON_KILLED);
    ck_assert_int_eq(cop_group_wait(group, NULL), -ECANCELED);
    cop_group_free(group);
}

static int
add_one(cop_bytes arg)
{
    (void)arg;
    running++;
    int r = cop_group_go(theirs, count, nothing);
    ended++;
    return r;
}

TEST(who_waits_for_a_place_learns_of_a_failure)
{
    theirs = make(1);
    cop_ref monitor;
    go(theirs, say_who);
    EVENTUALLY(running == 1);
    cop_pid adder;
    cop_spawn(&adder, add_one, .monitor = &monitor);
    EVENTUALLY(running == 2);
    cop_group_cancel(theirs, cop_failed(-EIO, "enough"));
    cop_reason why = test_down(monitor);
    ck_assert_int_eq(cop_reason_error(why), -ECANCELED);
    ck_assert_int_eq(cop_group_wait(theirs, &why), -ECANCELED);
    ck_assert_int_eq(calls, 0);
    cop_group_free(theirs);
}

TEST(a_place_is_passed_on_when_who_waited_for_it_is_gone)
{
    theirs = make(1);
    cop_pid adders[20];
    cop_ref monitors[20];
    go(theirs, wait_at_the_gate);
    for (int i = 0; i < 20; i++) {
        cop_spawn(&adders[i], add_one, .monitor = &monitors[i]);
    }
    EVENTUALLY(running == 21);
    for (int i = 0; i < 20; i += 2) {
        cop_exit_signal(adders[i], COP_REASON_KILLED); /* while they are woken, perhaps */
        gate = i >= 10;
    }
    for (int i = 0; i < 20; i++) {
        test_down(monitors[i]);
    }
    ck_assert_int_eq(cop_group_wait(theirs, NULL), 0);
    ck_assert_int_ge(calls, 10);
    cop_group_free(theirs);
}

/* ---------------------------------------------------------------- contexts */

TEST(an_outer_cancellation_reaches_members_and_is_told_with_its_cause) /* EG05 */
{
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    cop_group *group = make(0);
    cop_context_leave(context);
    go(group, wait_to_be_cancelled);
    EVENTUALLY(running == 1);
    cop_context_cancel(context, cop_failed(-EIO, "the house is on fire"));
    cop_reason why;
    ck_assert_int_eq(cop_group_wait(group, &why), -ECANCELED);
    ck_assert_str_eq(why.text, "the house is on fire");
    cop_context_free(context);
    cop_group_free(group);
}

TEST(a_wait_whose_context_ends_leaves_the_members_alone)
{
    cop_group *group = make(0);
    go(group, wait_at_the_gate);
    cop_context *context = cop_context_new(COP_MS(3));
    cop_context_enter(context);
    ck_assert_int_eq(cop_group_wait(group, NULL), -ETIMEDOUT);
    cop_context_leave(context);
    cop_context_free(context);
    gate = 1;
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    ck_assert_int_eq(ended, 1);
    cop_group_free(group);
}

TEST(a_group_that_is_given_back_stops_its_members) /* CB14 */
{
    cop_group *group = make(0);
    for (int i = 0; i < 16; i++) {
        go(group, wait_to_be_cancelled);
    }
    EVENTUALLY(running == 16);
    cop_group_free(group);
    EVENTUALLY(cancelled == 16);
}

static int
wait_and_be_killed(cop_bytes arg)
{
    (void)arg;
    running++;
    return cop_group_wait(theirs, NULL);
}

TEST(who_is_killed_while_it_waits_leaves_nothing)
{
    theirs = make(0);
    cop_pid pid;
    cop_ref monitor;
    go(theirs, wait_at_the_gate);
    cop_spawn(&pid, wait_and_be_killed, .monitor = &monitor);
    EVENTUALLY(running == 2);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    gate = 1;
    ck_assert_int_eq(cop_group_wait(theirs, NULL), 0);
    cop_group_free(theirs);
}

SUITE("group")
