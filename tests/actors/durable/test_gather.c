/*
 * tests/actors/durable/test_gather.c - whether a store waits a moment for those whom it has just answered.
 *
 * Room: tests/.
 */
#include "actors/durable/gather.h"
#include "tests/support/support.h"

#define BATCH COP_MS(2)
#define NOW   COP_SEC(1)

/* A hundred have waited for a batch. */
static struct copi_gather
a_company(void)
{
    struct copi_gather gather = {0};
    copi_gather_answered(&gather, 100, BATCH, NOW);
    return gather;
}

TEST(before_anybody_was_answered_nothing_pauses)
{
    struct copi_gather gather = {0};
    ck_assert(!copi_gather_pauses(&gather, 0, NOW));
    ck_assert(!copi_gather_pauses(&gather, 1, NOW));
}

TEST(one_at_a_time_is_no_company)
{
    struct copi_gather gather = {0};
    for (int i = 0; i < 100; i++) {
        copi_gather_answered(&gather, 1, COP_SEC(1), NOW);
        ck_assert(!copi_gather_pauses(&gather, 1, NOW));
    }
}

TEST(seven_are_no_company_and_eight_are)
{
    struct copi_gather gather = {0};
    copi_gather_answered(&gather, 7, BATCH, NOW);
    ck_assert(!copi_gather_pauses(&gather, 1, NOW));
    copi_gather_answered(&gather, 8, BATCH, NOW);
    ck_assert(copi_gather_pauses(&gather, 1, NOW));
}

TEST(what_nobody_waits_for_is_no_reason_to_pause)
{
    struct copi_gather gather = {0};
    copi_gather_answered(&gather, 0, BATCH, NOW);
    ck_assert(!copi_gather_pauses(&gather, 255, NOW));
}

TEST(an_empty_batch_does_not_pause)
{
    struct copi_gather gather = a_company();
    ck_assert(!copi_gather_pauses(&gather, 0, NOW));
}

TEST(it_pauses_as_long_as_each_pause_brings_somebody)
{
    struct copi_gather gather = a_company();
    ck_assert(copi_gather_pauses(&gather, 1, NOW));
    ck_assert(copi_gather_pauses(&gather, 60, NOW));
    ck_assert(!copi_gather_pauses(&gather, 60, NOW));
}

TEST(when_all_are_there_it_begins)
{
    struct copi_gather gather = a_company();
    ck_assert(copi_gather_pauses(&gather, 99, NOW));
    ck_assert(!copi_gather_pauses(&gather, 100, NOW));
}

TEST(pauses_take_an_eighth_of_what_a_batch_takes)
{
    struct copi_gather gather = a_company();
    ck_assert(copi_gather_pauses(&gather, 1, NOW + BATCH / 8 - 1));
    ck_assert(!copi_gather_pauses(&gather, 2, NOW + BATCH / 8));
}

TEST(where_an_eighth_is_less_than_a_pause_there_is_none)
{
    struct copi_gather gather = {0};
    copi_gather_answered(&gather, 100, 8 * COPI_GATHER_PAUSE - 1, NOW);
    ck_assert(!copi_gather_pauses(&gather, 1, NOW));
    copi_gather_answered(&gather, 100, 8 * COPI_GATHER_PAUSE, NOW);
    ck_assert(copi_gather_pauses(&gather, 1, NOW));
}

TEST(those_who_missed_one_batch_are_waited_for_in_the_next)
{
    struct copi_gather gather = a_company();
    copi_gather_answered(&gather, 90, BATCH, NOW);
    ck_assert(copi_gather_pauses(&gather, 95, NOW));
}

TEST(a_company_that_has_gone_is_soon_forgotten)
{
    struct copi_gather gather = a_company();
    int batches = 0;
    do {
        copi_gather_answered(&gather, 1, BATCH, NOW);
        batches++;
    } while (copi_gather_pauses(&gather, 1, NOW));
    ck_assert_int_le(batches, 30);
    ck_assert_int_ge(batches, 2);
}

SUITE("gather")
