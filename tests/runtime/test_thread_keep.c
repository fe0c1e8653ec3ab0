/*
 * tests/runtime/test_thread_keep.c - keeping a core awake while a chain of wake-ups is on.
 *
 * Room: tests/. On two cores only somebody keeps. No test says that somebody keeps within a time: a chain that the
 * machine has interrupted is none.
 */
#include "runtime/thread_keep.h"
#include "tests/support/support.h"

#include <pthread.h>

enum {
    CHAIN = 4,
    CHANCES = 200,
};

static struct copi_parker parker; /* all zero is a parker that nobody has unparked */

#define NEEDS_TWO_CORES             \
 do {                               \
  if (copi_cores() != 2) {          \
   return; /* nobody keeps there */ \
  }                                 \
 } while (0)

/* ---------------------------------------------------------------- whether a chain is on */

TEST(wake_ups_that_come_closely_are_a_chain)
{
    struct copi_chain chain = {0};
    copi_chain_is_on(&chain, 10, COP_SEC(1));
    ck_assert(!copi_chain_is_on(&chain, 13, COP_SEC(1) + COP_US(10)));
    ck_assert(copi_chain_is_on(&chain, 14, COP_SEC(1) + COP_US(20)));
}

TEST(wake_ups_that_come_slowly_are_none)
{
    struct copi_chain chain = {0};
    copi_chain_is_on(&chain, 10, COP_SEC(1));
    ck_assert(!copi_chain_is_on(&chain, 14, COP_SEC(1) + COP_MS(1)));
    for (unsigned i = 1; i < CHANCES; i++) {
        ck_assert(!copi_chain_is_on(&chain, 14 + i, COP_SEC(1) + COP_MS(1) * (i + 1)));
    }
}

TEST(a_chain_is_looked_for_anew_after_a_pause)
{
    struct copi_chain chain = {0};
    copi_chain_is_on(&chain, 10, COP_SEC(1));
    ck_assert(!copi_chain_is_on(&chain, 12, COP_SEC(2)));
    ck_assert(!copi_chain_is_on(&chain, 15, COP_SEC(2) + COP_US(10)));
    ck_assert(copi_chain_is_on(&chain, 16, COP_SEC(2) + COP_US(20)));
}

TEST(the_count_of_wake_ups_may_wrap)
{
    struct copi_chain chain = {0};
    copi_chain_is_on(&chain, UINT32_MAX, COP_SEC(1));
    copi_chain_is_on(&chain, UINT32_MAX, COP_SEC(2));
    ck_assert(copi_chain_is_on(&chain, CHAIN - 1, COP_SEC(2) + COP_US(10)));
}

/* ---------------------------------------------------------------- for how long */

TEST(one_keeps_for_a_moment_when_nothing_happens)
{
    struct copi_keep keep;
    copi_keep_begin(&keep, 7, COP_SEC(1));
    ck_assert(copi_keep_goes_on(&keep, 7, COP_SEC(1) + COP_US(49)));
    ck_assert(!copi_keep_goes_on(&keep, 7, COP_SEC(1) + COP_US(50)));
}

TEST(each_wake_up_adds_to_it)
{
    struct copi_keep keep;
    copi_keep_begin(&keep, UINT32_MAX, COP_SEC(1));
    ck_assert(copi_keep_goes_on(&keep, 0, COP_SEC(1) + COP_US(40)));
    ck_assert(copi_keep_goes_on(&keep, 0, COP_SEC(1) + COP_US(74)));
    ck_assert(!copi_keep_goes_on(&keep, 0, COP_SEC(1) + COP_US(75)));
}

TEST(many_wake_ups_add_no_more_than_a_moment)
{
    struct copi_keep keep;
    copi_keep_begin(&keep, 0, COP_SEC(1));
    ck_assert(copi_keep_goes_on(&keep, 1000, COP_SEC(1) + COP_US(10)));
    ck_assert(copi_keep_goes_on(&keep, 1000, COP_SEC(1) + COP_US(59)));
    ck_assert(!copi_keep_goes_on(&keep, 1000, COP_SEC(1) + COP_US(60)));
}

/* ---------------------------------------------------------------- who keeps */

static void
make_chain(void)
{
    for (int i = 0; i < CHAIN; i++) {
        copi_keep_count();
    }
}

/* How many of so many parks keep, in vain. */
static uint32_t
keeps_in_vain(cop_time deadline)
{
    uint32_t before = copi_keeps();
    for (int i = 0; i < CHANCES; i++) {
        make_chain();
        copi_keep_core(&parker, deadline);
    }
    ck_assert_uint_eq(copi_keepers(), 0);
    return copi_keeps() - before;
}

/* As often as it takes until somebody has kept. */
static void
keep_once(void)
{
    uint32_t before = copi_keeps();
    while (copi_keeps() == before) {
        make_chain();
        copi_keep_core(&parker, COP_FOREVER);
    }
}

/* More are awake than may be while somebody keeps. */
static void
crowd(bool begins)
{
    for (unsigned i = 0; i < CHANCES; i++) {
        if (begins) {
            copi_blocking_end();
        } else {
            copi_blocking_begin();
        }
    }
}

TEST(who_parks_while_no_chain_is_on_does_not_keep)
{
    uint32_t before = copi_keeps();
    for (int i = 0; i < CHANCES; i++) {
        copi_keep_core(&parker, COP_FOREVER);
    }
    ck_assert_uint_eq(copi_keeps(), before);
}

TEST(who_parks_while_a_chain_is_on_keeps_and_gives_up)
{
    NEEDS_TWO_CORES;
    uint32_t awake = copi_threads_awake();
    keep_once();
    ck_assert_uint_eq(copi_keepers(), 0);
    ck_assert_uint_eq(copi_threads_awake(), awake);
}

TEST(on_other_than_two_cores_nobody_keeps)
{
    if (copi_cores() != 2) {
        ck_assert_uint_eq(keeps_in_vain(COP_FOREVER), 0);
    }
}

TEST(what_has_not_paid_becomes_rarer)
{
    NEEDS_TWO_CORES;
    ck_assert_uint_le(keeps_in_vain(COP_FOREVER), 8); /* after 1, 3, 7 chances and so on */
    ck_assert_uint_le(keeps_in_vain(COP_FOREVER), 4);
}

TEST(nobody_keeps_while_many_are_awake)
{
    crowd(true);
    uint32_t keeps = keeps_in_vain(COP_FOREVER);
    crowd(false);
    ck_assert_uint_eq(keeps, 0);
}

TEST(nobody_keeps_who_has_a_deadline_soon)
{
    ck_assert_uint_eq(keeps_in_vain(copi_clock() + COP_US(500)), 0);
    ck_assert_uint_eq(keeps_in_vain(0), 0);
    ck_assert_uint_eq(keeps_in_vain(INT64_MIN), 0);
}

TEST(nobody_keeps_when_nobody_is_to_look_any_more)
{
    copi_spin_decline();
    ck_assert_uint_eq(keeps_in_vain(COP_FOREVER), 0);
}

TEST(a_keeper_that_is_woken_leaves_the_wake_up_to_the_park)
{
    NEEDS_TWO_CORES;
    copi_unpark(&parker);
    keep_once();
    ck_assert(copi_parker_notified(&parker));
    copi_park(&parker, COP_FOREVER);
    ck_assert(!copi_parker_notified(&parker));
}

/* ---------------------------------------------------------------- several */

enum {
    RING = 8,
    ROUNDS = 500,
};

static struct copi_parker ring[RING];
static unsigned counter; /* by turns */

static void *
pass_on(void *arg)
{
    unsigned self = (unsigned)((struct copi_parker *)arg - ring);
    copi_blocking_end();
    for (unsigned i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&counter, __ATOMIC_ACQUIRE) % RING != self) {
            copi_park(&ring[self], COP_FOREVER);
        }
        __atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
        copi_unpark(&ring[(self + 1) % RING]);
    }
    copi_blocking_begin();
    return NULL;
}

TEST(a_token_goes_round_and_no_keeper_is_left)
{
    uint32_t awake = copi_threads_awake();
    pthread_t threads[RING];
    for (int i = 0; i < RING; i++) {
        copi_parker_init(&ring[i]);
    }
    for (int i = 0; i < RING; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, pass_on, &ring[i]), 0);
    }
    for (int i = 0; i < RING; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(counter, RING * ROUNDS);
    ck_assert_uint_eq(copi_keepers(), 0);
    ck_assert_uint_eq(copi_threads_awake(), awake);
}

SUITE("thread_keep")
