/*
 * tests/supervisor/test_intensity.c - how many restarts are too many.
 *
 * Room: tests/.
 */
#include "supervisor/intensity.h"
#include "tests/support/support.h"

#define PERIOD COP_SEC(5)

TEST(admits_max_restarts_inside_the_period)
{
    cop_time times[3];
    struct copi_intensity intensity = {.times = times, .max_restarts = 3, .period = PERIOD};
    for (int i = 0; i < 3; i++) {
        ck_assert(copi_intensity_admit(&intensity, COP_SEC(100)));
    }
}

TEST(refuses_one_more)
{
    cop_time times[3];
    struct copi_intensity intensity = {.times = times, .max_restarts = 3, .period = PERIOD};
    for (int i = 0; i < 3; i++) {
        ck_assert(copi_intensity_admit(&intensity, COP_SEC(i)));
    }
    ck_assert(!copi_intensity_admit(&intensity, COP_SEC(3)));
}

TEST(counts_both_ends_of_the_period)
{
    cop_time times[1];
    struct copi_intensity intensity = {.times = times, .max_restarts = 1, .period = PERIOD};
    ck_assert(copi_intensity_admit(&intensity, 7));
    ck_assert(!copi_intensity_admit(&intensity, 7 + PERIOD));
}

TEST(forgets_what_is_older_than_the_period)
{
    cop_time times[1];
    struct copi_intensity intensity = {.times = times, .max_restarts = 1, .period = PERIOD};
    for (cop_time now = 7, i = 0; i < 1000; i++, now += PERIOD + 1) {
        ck_assert(copi_intensity_admit(&intensity, now)); /* SUP-093 */
    }
}

TEST(zero_means_never_restart)
{
    struct copi_intensity intensity = {.max_restarts = 0, .period = PERIOD};
    ck_assert(!copi_intensity_admit(&intensity, 0)); /* SUP-096 */
}

TEST(a_refused_restart_is_not_remembered)
{
    cop_time times[1];
    struct copi_intensity intensity = {.times = times, .max_restarts = 1, .period = PERIOD};
    ck_assert(copi_intensity_admit(&intensity, 0));
    ck_assert(!copi_intensity_admit(&intensity, PERIOD));
    ck_assert(copi_intensity_admit(&intensity, PERIOD + 1));
}

/* The definition, by looking at all that ever was. */
static unsigned
count_inside(const cop_time *admitted, unsigned count, cop_time now)
{
    unsigned inside = 0;
    for (unsigned i = 0; i < count; i++) {
        inside += now - admitted[i] <= PERIOD;
    }
    return inside;
}

static bool
is_admitted(const cop_time *admitted, unsigned count, unsigned max_restarts, cop_time now)
{
    return count_inside(admitted, count, now) < max_restarts;
}

TEST(agrees_with_the_definition_whatever_the_times)
{
    enum {
        STEPS = 400
    };
    unsigned seed = 1;
    for (unsigned max_restarts = 0; max_restarts < 8; max_restarts++) {
        cop_time times[8], admitted[STEPS], now = 0;
        struct copi_intensity intensity = {
            .times = times, .max_restarts = max_restarts, .period = PERIOD};
        unsigned count = 0;
        for (int i = 0; i < STEPS; i++) {
            seed = seed * 1103515245u + 12345u;
            now += seed % 5 == 0 ? PERIOD : (cop_time)(seed >> 8) % COP_SEC(3);
            bool expected = is_admitted(admitted, count, max_restarts, now);
            ck_assert_uint_eq(copi_intensity_recent(&intensity, now),
                              count_inside(admitted, count, now));
            ck_assert_int_eq(copi_intensity_admit(&intensity, now), expected);
            if (expected) {
                admitted[count++] = now;
            }
        }
    }
}

SUITE("intensity")
