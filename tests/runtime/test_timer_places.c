/*
 * tests/runtime/test_timer_places.c - where timers lie, and how they are found again.
 *
 * Room: tests/. Needs no process: the places are the test's own.
 */
#include "runtime/alloc.h"
#include "runtime/timer_places.h"
#include "tests/support/support.h"

#include <errno.h>

static struct copi_timer_places places;

static void
do_nothing(uint64_t arg)
{
    (void)arg;
}

/* A call's needs no reference, a message's has one. */
static const struct copi_timer_plan call = {.deadline = 1, .fn = do_nothing};
static const struct copi_timer_plan message = {.deadline = 2};

static struct copi_timer *
take(const struct copi_timer_plan *plan)
{
    struct copi_timer *timer;
    ck_assert_int_eq(copi_timer_places_take(&places, plan, &timer), 0);
    ck_assert_int_eq(timer->plan.deadline, plan->deadline);
    ck_assert_ptr_null(timer->child);
    ck_assert_ptr_null(timer->process_link);
    return timer;
}

TEST(without_memory_there_is_no_place_for_what_has_a_reference)
{
    struct copi_timer *timer = NULL;
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_timer_places_take(&places, &message, &timer), -ENOMEM);
    copi_alloc_fail_after(1);
    ck_assert_int_eq(copi_timer_places_take(&places, &message, &timer), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_ptr_null(timer);
    take(&message);
    copi_timer_places_trim(&places);
}

/* A reference has no room for the number of another. */
TEST(when_all_places_are_taken_there_is_none_for_what_has_a_reference)
{
    struct copi_timer *timer = NULL;
    const uint32_t all = (1u << (64 - COPI_TIMER_COUNT_BITS)) / 64;
    places.chunk_count = places.chunk_room = all;
    ck_assert_int_eq(copi_timer_places_take(&places, &message, &timer), -EAGAIN);
    ck_assert_ptr_null(timer);
    take(&call); /* a spare one */
    places.chunk_count = places.chunk_room = 0;
}

TEST(without_memory_a_few_calls_find_one_and_again_when_they_are_over)
{
    static struct copi_timer *taken[COPI_TIMER_SPARE];
    struct copi_timer *one_more;
    copi_alloc_fail_after(0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COPI_TIMER_SPARE; i++) {
            taken[i] = take(&call);
        }
        ck_assert_int_eq(copi_timer_places_take(&places, &call, &one_more), -ENOMEM);
        for (int i = 0; i < COPI_TIMER_SPARE; i++) {
            copi_timer_places_give(&places, taken[i]);
        }
    }
    copi_alloc_fail_after(-1);
}

TEST(what_is_no_reference_finds_nothing)
{
    ck_assert_ptr_null(copi_timer_places_find(&places, (cop_ref){0}));
    ck_assert_ptr_null(copi_timer_places_find(&places, (cop_ref){UINT64_MAX}));
    cop_ref ref = copi_timer_reference(take(&message));
    ck_assert_ptr_null(copi_timer_places_find(&places, (cop_ref){0}));
    ck_assert_ptr_null(copi_timer_places_find(&places, (cop_ref){1}));
    ck_assert_ptr_null(copi_timer_places_find(&places, (cop_ref){UINT64_MAX}));
    ck_assert_ptr_null(copi_timer_places_find(&places, (cop_ref){ref.id + 1}));
    copi_timer_places_trim(&places);
}

TEST(a_place_that_is_taken_again_has_another_reference)
{
    struct copi_timer *timer = take(&message);
    cop_ref old = copi_timer_reference(timer);
    ck_assert_ptr_eq(copi_timer_places_find(&places, old), timer);
    copi_timer_places_give(&places, timer);
    ck_assert_ptr_null(copi_timer_places_find(&places, old));
    ck_assert_ptr_eq(take(&message), timer);
    ck_assert_ptr_null(copi_timer_places_find(&places, old));
    ck_assert_ptr_eq(copi_timer_places_find(&places, copi_timer_reference(timer)), timer);
    copi_timer_places_trim(&places);
}

TEST(a_reference_from_before_trimming_finds_nothing_after_it)
{
    cop_ref old = copi_timer_reference(take(&message));
    copi_timer_places_trim(&places);
    ck_assert_ptr_null(copi_timer_places_find(&places, old));
    take(&message);
    ck_assert_ptr_null(copi_timer_places_find(&places, old));
    copi_timer_places_trim(&places);
}

TEST(a_place_that_is_given_back_needs_no_memory_when_it_is_taken_again)
{
    copi_timer_places_give(&places, take(&message));
    copi_alloc_fail_after(0);
    take(&message);
    copi_alloc_fail_after(-1);
    copi_timer_places_trim(&places);
}

TEST(thousands_of_timers_lie_apart_and_each_is_found)
{
    enum {
        MANY = 5000
    };
    static struct copi_timer *taken[MANY];
    static cop_ref refs[MANY];
    for (int i = 0; i < MANY; i++) {
        taken[i] = take(&message);
        refs[i] = copi_timer_reference(taken[i]);
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(copi_timer_places_find(&places, refs[i]), taken[i]);
    }
    copi_timer_places_trim(&places);
}

SUITE("timer_places")
