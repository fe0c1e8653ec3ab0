/*
 * tests/runtime/test_thread_clean.c - what every thread of ours comes back to.
 *
 * Room: tests/. On the test's own thread; test_thread.c has the same from job to job.
 */
#include "runtime/thread_clean.h"
#include "tests/support/support.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
use_one_core(void)
{
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all)) {
        cpu++;
    }
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

static void
refuse_to_set_anything(void)
{
    test_refuse_system_call(SYS_sched_setaffinity, EPERM);
    test_refuse_system_call(SYS_sched_setscheduler, EPERM);
    test_refuse_system_call(SYS_setpriority, EPERM);
}

TEST(what_cannot_be_undone_is_told)
{
    copi_clean_remember();
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1), 0);
    refuse_to_set_anything();
    ck_assert(!copi_clean_scheduling());
}

TEST(what_nobody_has_changed_is_not_set_again)
{
    copi_clean_remember();
    refuse_to_set_anything();
    ck_assert(copi_clean_scheduling());
}

TEST(where_looking_is_refused_it_is_set)
{
    copi_clean_remember();
    test_refuse_system_call(SYS_sched_getattr, EPERM);
    const struct sched_param none = {0};
    ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    ck_assert(copi_clean_scheduling());
    ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER);
}

TEST(a_program_that_cannot_look_at_its_niceness_in_one_call_keeps_it_all_the_same)
{
    int niceness = getpriority(PRIO_PROCESS, 0) + 1;
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, niceness), 0);
    test_refuse_system_call(SYS_sched_getattr, EPERM);
    copi_clean_remember();
    ck_assert(copi_clean_scheduling());
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), niceness);
}

TEST(a_thread_gets_all_the_cores_back_that_the_program_had)
{
    cpu_set_t before, now;
    sched_getaffinity(0, sizeof before, &before);
    copi_clean_remember();
    use_one_core();
    ck_assert(copi_clean_scheduling());
    sched_getaffinity(0, sizeof now, &now);
    ck_assert(CPU_EQUAL(&now, &before));
}

TEST(a_program_that_was_given_few_cores_keeps_to_them)
{
    cpu_set_t now;
    use_one_core();
    copi_clean_remember();
    ck_assert(copi_clean_scheduling());
    sched_getaffinity(0, sizeof now, &now);
    ck_assert_int_eq(CPU_COUNT(&now), 1);
}

TEST(the_policy_the_niceness_and_whether_they_are_inherited_come_back)
{
    int niceness = getpriority(PRIO_PROCESS, 0);
    const struct sched_param none = {0};
    copi_clean_remember();
    if (geteuid() != 0) {
        return; /* nobody else may take a niceness back */
    }
    ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none), 0);
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, niceness + 1), 0);
    ck_assert(copi_clean_scheduling());
    ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER); /* the flag would show, too */
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), niceness);
}

TEST(that_children_do_not_inherit_it_comes_back_alone)
{
    const struct sched_param none = {0};
    copi_clean_remember();
    if (geteuid() != 0) {
        return; /* nor this */
    }
    ck_assert_int_eq(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none), 0);
    ck_assert(copi_clean_scheduling());
    ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER);
}

TEST(errno_and_rounding_come_back)
{
    errno = E2BIG;
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(0x5f80); /* rounds up */
#endif
    copi_clean_rest();
    ck_assert_int_eq(errno, 0);
#if defined(__x86_64__)
    ck_assert_uint_eq(__builtin_ia32_stmxcsr(), 0x1f80);
#endif
}

SUITE("thread_clean")
