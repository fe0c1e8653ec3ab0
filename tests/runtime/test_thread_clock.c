/*
 * tests/runtime/test_thread_clock.c - clocks, deadlines, randomness, cores.
 *
 * Room: tests/.
 */
#include "runtime/thread.h"
#include "tests/support/support.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

TEST(without_entropy_two_random_values_still_differ)
{
    test_refuse_system_call(SYS_getrandom, EAGAIN);
    uint64_t a = copi_random(), b = copi_random();
    ck_assert(a != b);
}

TEST(a_deadline_that_would_overflow_is_never)
{
    ck_assert(copi_deadline(COP_FOREVER) == COP_FOREVER);
    ck_assert(copi_deadline(COP_FOREVER - 1) == COP_FOREVER);
    ck_assert(copi_deadline(COP_FOREVER - copi_clock()) == COP_FOREVER);
}

TEST(a_timeout_of_nothing_or_less_is_now)
{
    cop_time before = copi_clock();
    cop_time zero = copi_deadline(0), negative = copi_deadline(-COP_SEC(5)),
             least = copi_deadline(INT64_MIN);
    cop_time after = copi_clock();
    ck_assert(before <= zero && zero <= negative && negative <= least && least <= after);
}

TEST(a_deadline_is_never_earlier_than_asked)
{
    cop_time before = copi_clock(), deadline = copi_deadline(COP_MS(50));
    ck_assert(deadline >= before + COP_MS(50));
    ck_assert(deadline <= copi_clock() + COP_MS(50));
}

TEST(the_clock_never_goes_back)
{
    cop_time last = copi_clock();
    for (int i = 0; i < 10000; i++) {
        cop_time now = copi_clock();
        if (now < last) {
            ck_abort_msg("it went back");
        }
        last = now;
    }
    ck_assert(cop_now() >= last);
}

TEST(the_coarse_clock_is_the_same_one_and_never_ahead)
{
    cop_time coarse = copi_clock_coarse(), exact = copi_clock();
    ck_assert(coarse <= exact);
    EVENTUALLY(copi_clock_coarse() >= exact);
}

TEST(the_wall_clock_tells_the_time_of_day)
{
    time_t before = time(NULL); /* a coarse clock: up to a tick behind */
    cop_time wall = copi_clock_wall();
    ck_assert(wall >= before * COP_SEC(1));
    ck_assert(cop_system_time() >= before * COP_SEC(1));
    EVENTUALLY(wall <= (time(NULL) + 1) * COP_SEC(1));
}

TEST(random_values_do_not_repeat)
{
    enum {
        VALUES = 100
    };
    uint64_t values[VALUES];
    for (int i = 0; i < VALUES; i++) {
        values[i] = copi_random();
        for (int k = 0; k < i; k++) {
            if (values[k] == values[i]) {
                ck_abort_msg("%d and %d", k, i);
            }
        }
    }
}

TEST(bytes_are_refused_while_the_system_has_none)
{
    char bytes[16];
    test_refuse_system_call(SYS_getrandom, EAGAIN);
    ck_assert_int_eq(copi_random_bytes(bytes, sizeof bytes), -EAGAIN);
    ck_assert_int_eq(copi_random_bytes(bytes, 0), 0);
}

TEST(the_cores_are_those_that_the_program_may_use)
{
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    ck_assert_uint_eq(copi_cores(), (unsigned)CPU_COUNT(&all));
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all)) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(copi_cores(), 1);
}

TEST(where_affinity_cannot_be_read_there_is_still_a_core)
{
    test_refuse_system_call(SYS_sched_getaffinity, EINVAL);
    ck_assert_uint_ge(copi_cores(), 1);
}

SUITE("thread_clock")
