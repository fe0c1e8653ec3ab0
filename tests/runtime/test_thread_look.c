/*
 * tests/runtime/test_thread_look.c - looking for a moment before parking.
 *
 * Room: tests/. What is looked for is a counter: it says how often somebody looked.
 */
#include "runtime/thread.h"
#include "tests/support/support.h"

#include <sched.h>
#include <unistd.h>

/* What is looked for: there from the look with this number on; each look after the first may be slow. */
struct wanted {
    unsigned looks, there_at; /* 0: never */
    useconds_t slow;
};

static bool
is_there(void *arg)
{
    struct wanted *wanted = arg;
    if (wanted->slow && wanted->looks > 0) {
        usleep(wanted->slow);
    }
    return ++wanted->looks >= wanted->there_at && wanted->there_at > 0;
}

/* How many looks a wait for something that never comes takes. */
static unsigned
looks_in_vain(struct copi_spin *spin)
{
    struct wanted never = {0};
    ck_assert(!copi_spin_for(spin, is_there, &never));
    return never.looks;
}

static bool
is_found(struct copi_spin *spin, unsigned there_at, useconds_t slow)
{
    struct wanted wanted = {.there_at = there_at, .slow = slow};
    return copi_spin_for(spin, is_there, &wanted);
}

/* More are awake than there are cores, whatever the tests' own threads do. */
static void
crowd(bool begins)
{
    for (unsigned i = 0; i <= copi_cores(); i++) {
        if (begins) {
            copi_blocking_end();
        } else {
            copi_blocking_begin();
        }
    }
}

#define NEEDS_TWO_CORES             \
 do {                               \
  if (copi_cores() == 1) {          \
   return; /* nobody looks there */ \
  }                                 \
 } while (0)

enum {
    WAITS = 64,
    CROWDED = 3, /* looks: at once, and after each of two yields */
};

/* Of the two ways to wait while too many are awake, one alone. */
#define YIELDS_ONLY               \
 {                                \
  .glance = {.rest = UINT32_MAX } \
 }
#define GLANCES_ONLY             \
 {                               \
  .yield = {.rest = UINT32_MAX } \
 }

/* ---------------------------------------------------------------- a core is free */

TEST(what_is_there_is_seen_at_once)
{
    struct copi_spin spin = {0};
    struct wanted wanted = {.there_at = 1};
    ck_assert(copi_spin_for(&spin, is_there, &wanted));
    ck_assert_uint_eq(wanted.looks, 1);
    ck_assert_uint_eq(spin.looks, 0);
}

TEST(what_never_comes_is_looked_for_for_a_while_only)
{
    struct copi_spin spin = {0};
    for (int i = 0; i < WAITS; i++) {
        ck_assert_uint_ge(looks_in_vain(&spin), 1);
    }
}

TEST(what_comes_within_a_moment_is_found)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {0};
    for (int i = 0; i < WAITS; i++) {
        ck_assert(is_found(&spin, 10, 0));
    }
}

TEST(looking_gets_longer_when_it_pays_and_shorter_when_not_and_has_bounds)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {.budget = COP_US(2)};
    ck_assert(is_found(&spin, 2, 0));
    cop_time most = spin.budget;
    ck_assert_int_gt(most, COP_US(2));
    ck_assert(is_found(&spin, 2, 0));
    ck_assert_int_eq(spin.budget, most);
    ck_assert_int_le(most, COP_US(20));
    looks_in_vain(&spin);
    ck_assert_int_lt(spin.budget, most);
    for (int i = 0; i < WAITS; i++) {
        looks_in_vain(&spin);
    }
    ck_assert_int_lt(spin.budget, COP_US(1));
}

TEST(who_waits_for_what_takes_longer_than_a_wake_up_looks_for_longer)
{
    NEEDS_TWO_CORES;
    struct copi_spin brief = {0}, patient = {.most = COPI_LOOK_FOR_THREAD};
    ck_assert(is_found(&brief, 2, 0));
    ck_assert(is_found(&patient, 2, 0));
    ck_assert_int_eq(patient.budget, COPI_LOOK_FOR_THREAD);
    ck_assert_int_gt(patient.budget, brief.budget);
    for (int i = 0; i < WAITS; i++) {
        looks_in_vain(&patient);
    }
    ck_assert_int_lt(patient.budget, COP_US(1));
}

TEST(a_new_one_looks_for_longer_than_a_moment)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {0};
    looks_in_vain(&spin);
    ck_assert_int_gt(spin.budget, COP_US(1));
}

/* Two that wait for each other would else never find out. The library's other threads may be awake for
 * a moment, so one of several is enough. */
TEST(now_and_then_one_looks_for_long_though_it_did_not_pay)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {0};
    for (int i = 0; i < WAITS; i++) {
        looks_in_vain(&spin);
    }
    unsigned least = UINT32_MAX, most = 0;
    for (int i = 0; i < WAITS; i++) {
        unsigned looks = looks_in_vain(&spin);
        least = looks < least ? looks : least;
        most = looks > most ? looks : most;
    }
    ck_assert_uint_gt(most, least);
}

static bool
takes_long_after_a_moment(void *looks)
{
    if (++*(unsigned *)looks > 100) {
        usleep(10);
    }
    return false;
}

/* As in the test above, one of several is enough; so it is in these. */
TEST(yields_that_lead_to_somebody_else_are_counted)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {.most = COP_MS(1)};
    for (int i = 0; i < WAITS && spin.shared == 0; i++) {
        unsigned looks = 0;
        spin.budget = spin.most;
        copi_spin_for(&spin, takes_long_after_a_moment, &looks);
    }
    ck_assert_uint_gt(spin.shared, 0);
}

TEST(after_too_many_of_them_one_parks_after_a_moment_and_counts_anew)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {0};
    unsigned looks = UINT32_MAX;
    for (int i = 0; i < WAITS && (i == 0 || spin.shared > 0); i++) {
        spin.shared = UINT32_MAX / 2;
        spin.budget = COP_MS(1);
        looks = looks_in_vain(&spin);
    }
    ck_assert_uint_eq(spin.shared, 0);
    ck_assert_uint_le(looks, 100);
    ck_assert_int_eq(spin.budget, COP_MS(1)); /* nothing has been found out about it */
}

TEST(what_comes_within_a_moment_ends_the_count)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = {.shared = 1};
    for (int i = 0; i < WAITS && spin.shared > 0; i++) {
        is_found(&spin, 10, 0);
    }
    ck_assert_uint_eq(spin.shared, 0);
}

/* ---------------------------------------------------------------- all cores are busy */

TEST(nobody_looks_for_long_when_more_are_awake_than_there_are_cores)
{
    crowd(true);
    ck_assert(!copi_spin_allowed());
    struct copi_spin spin = YIELDS_ONLY;
    spin.budget = COP_US(20);
    ck_assert_uint_eq(looks_in_vain(&spin), CROWDED);
    crowd(false);
    ck_assert(copi_spin_allowed() == (copi_cores() > 1));
}

TEST(but_for_a_moment_as_long_as_that_pays)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = GLANCES_ONLY;
    crowd(true);
    for (int i = 0; i < WAITS; i++) {
        ck_assert(is_found(&spin, 10, 0));
    }
    crowd(false);
}

/* How many of the first, and of the last 2,000 waits had more looks than the one that each has. */
static void
count_tries(struct copi_spin *spin, unsigned tried[2])
{
    crowd(true);
    for (int i = 0; i < 4000; i++) {
        tried[i >= 2000] += looks_in_vain(spin) > 1;
    }
    crowd(false);
}

TEST(a_moment_that_does_not_pay_is_tried_less_and_less_but_never_given_up)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = GLANCES_ONLY;
    unsigned tried[2] = {0};
    count_tries(&spin, tried);
    ck_assert_uint_gt(tried[0], tried[1]);
    ck_assert_uint_gt(tried[1], 0);
    ck_assert_uint_lt(tried[0], 200);
}

TEST(and_is_tried_each_time_again_when_it_has_paid)
{
    NEEDS_TWO_CORES;
    struct copi_spin spin = GLANCES_ONLY;
    unsigned tried[2] = {0};
    count_tries(&spin, tried);
    crowd(true);
    unsigned found = 0;
    for (int i = 0; i < 4000; i++) {
        found += is_found(&spin, 10, 0);
    }
    crowd(false);
    ck_assert_uint_gt(found, 3000);
}

TEST(yielding_that_does_not_pay_is_tried_less_and_less_but_never_given_up)
{
    struct copi_spin spin = YIELDS_ONLY;
    unsigned tried[2] = {0};
    count_tries(&spin, tried);
    ck_assert_uint_gt(tried[0], tried[1]);
    ck_assert_uint_gt(tried[1], 0);
    ck_assert_uint_lt(tried[0], 20);
}

/* On a busy machine each may be long, and then does not pay: nothing is to be seen there. */
TEST(yielding_that_pays_is_tried_each_time)
{
    struct copi_spin spin = YIELDS_ONLY;
    crowd(true);
    for (int i = 0; i < 300; i++) {
        cop_time begin = cop_now();
        bool found = is_found(&spin, 2, 0);
        if (found && cop_now() - begin < COP_US(200)) {
            ck_assert_uint_eq(spin.yield.failed, 0);
            ck_assert_uint_eq(spin.yield.rest, 0);
        }
    }
    crowd(false);
}

TEST(a_yield_that_was_long_does_not_pay_though_what_was_wanted_has_come)
{
    struct copi_spin spin = YIELDS_ONLY;
    crowd(true);
    ck_assert(is_found(&spin, 2, 1000));
    ck_assert(!is_found(&spin, 2, 1000));
    crowd(false);
}

/* ---------------------------------------------------------------- one core */

TEST(on_one_core_nobody_looks_for_even_a_moment)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    struct copi_spin spin = {0};
    ck_assert_uint_eq(looks_in_vain(&spin), 1);
    crowd(true);
    ck_assert_uint_eq(looks_in_vain(&spin), CROWDED);
    crowd(false);
}

/* ---------------------------------------------------------------- declined */

TEST(who_declines_busy_waiting_gets_none)
{
    cop_config config = {.size = sizeof config, .no_busy_waiting = true};
    ck_assert_int_eq(cop_configure(&config), 0);
    struct copi_spin spin = {.budget = COP_US(20)};
    ck_assert(!copi_spin_allowed());
    ck_assert_uint_eq(looks_in_vain(&spin), 1);
    crowd(true);
    ck_assert_uint_eq(looks_in_vain(&spin), 1);
    crowd(false);
    ck_assert(is_found(&spin, 1, 0));
}

static int
echo(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    while (cop_receive(&msg, COP_FOREVER) == 0 && cop_send(msg.from, COP_TAG(msg.tag)) == 0) {
    }
    return 0;
}

TEST(and_is_served_all_the_same)
{
    cop_config config = {.size = sizeof config, .no_busy_waiting = true};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid other;
    ck_assert_int_eq(cop_spawn(&other, echo), 0);
    for (uint32_t i = 1; i <= 100; i++) {
        ck_assert_int_eq(cop_send(other, COP_TAG(i)), 0);
        test_receive(i);
    }
}

SUITE("thread_look")
