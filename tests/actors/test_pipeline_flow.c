/*
 * tests/actors/test_pipeline_flow.c - where items are and where they may go: decisions, without threads.
 *
 * Room: tests/.
 */
#include "actors/pipeline_flow.h"
#include "tests/support/support.h"

struct item {
    struct copi_flow_item flow;
    unsigned number;
};

static struct item items[64];
static struct copi_flow_stage stages[3];
static struct copi_flow flow;

static void
begin(size_t count, size_t width, size_t bound, bool is_unordered)
{
    for (size_t i = 0; i < count; i++) {
        stages[i] =
            (struct copi_flow_stage){.width = width, .bound = bound, .is_unordered = is_unordered};
    }
    copi_flow_init(&flow, stages, count);
    for (unsigned i = 0; i < 64; i++) {
        items[i].number = i;
    }
}

static unsigned
number_of(const struct copi_flow_item *item)
{
    return ((const struct item *)(const void *)item)->number;
}

static void
put(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ck_assert(copi_flow_has_room(&flow));
        copi_flow_put(&flow, &items[first + i].flow);
    }
}

/* The next one that the stage takes must be this. */
static void
take(size_t stage, unsigned number)
{
    struct copi_flow_item *item = copi_flow_take(&flow, stage);
    ck_assert_ptr_nonnull(item);
    ck_assert_uint_eq(number_of(item), number);
}

static void
do_one(size_t stage, unsigned number)
{
    copi_flow_done(&flow, stage, &items[number].flow);
    copi_flow_advance(&flow);
}

/* ---------------------------------------------------------------- bounds */

TEST(a_queue_has_room_up_to_its_bound)
{
    begin(1, 1, 3, false);
    put(0, 3);
    ck_assert(!copi_flow_has_room(&flow));
    ck_assert_uint_eq(stages[0].most_queued, 3);
    take(0, 0);
    ck_assert(copi_flow_has_room(&flow));
    ck_assert_uint_eq(stages[0].most_queued, 3);
}

TEST(the_oldest_in_the_first_queue_is_evicted)
{
    begin(1, 1, 2, false);
    put(0, 2);
    ck_assert_uint_eq(number_of(copi_flow_evict(&flow)), 0);
    put(2, 1);
    take(0, 1);
}

TEST(a_stage_takes_no_more_than_it_is_wide)
{
    begin(1, 2, 8, false);
    put(0, 5);
    ck_assert_uint_eq(copi_flow_takeable(&flow, 0), 2);
    take(0, 0);
    take(0, 1);
    ck_assert_uint_eq(copi_flow_takeable(&flow, 0), 0);
    ck_assert_ptr_null(copi_flow_take(&flow, 0));
}

TEST(what_is_done_and_cannot_go_on_keeps_its_place)
{
    begin(2, 1, 1, false);
    put(0, 1);
    take(0, 0);
    do_one(0, 0);
    put(1, 1);
    take(0, 1);
    do_one(0, 1); /* the next queue is full */
    put(2, 1);
    ck_assert_ptr_null(copi_flow_take(&flow, 0));
    take(1, 0);
    copi_flow_advance(&flow);
    take(0, 2);
}

/* ---------------------------------------------------------------- order */

TEST(in_an_ordered_stage_the_first_that_was_taken_is_the_first_to_go_on)
{
    begin(2, 3, 8, false);
    put(0, 3);
    take(0, 0);
    take(0, 1);
    take(0, 2);
    do_one(0, 2);
    do_one(0, 1);
    ck_assert_uint_eq(stages[1].queue.count, 0);
    do_one(0, 0);
    take(1, 0);
    take(1, 1);
    take(1, 2);
}

TEST(the_window_of_an_ordered_stage_is_as_large_as_it_is_wide)
{
    begin(2, 3, 8, false);
    put(0, 8);
    take(0, 0);
    take(0, 1);
    take(0, 2);
    do_one(0, 1);
    do_one(0, 2);
    ck_assert_ptr_null(copi_flow_take(&flow, 0)); /* two wait for the first */
    do_one(0, 0);
    ck_assert_uint_eq(copi_flow_takeable(&flow, 0), 3);
}

TEST(in_an_unordered_stage_what_is_done_goes_on)
{
    begin(2, 3, 8, true);
    put(0, 3);
    take(0, 0);
    take(0, 1);
    take(0, 2);
    do_one(0, 2);
    do_one(0, 0);
    take(1, 2);
    take(1, 0);
}

TEST(what_goes_no_further_holds_up_nobody)
{
    begin(2, 3, 8, false);
    put(0, 3);
    take(0, 0);
    take(0, 1);
    take(0, 2);
    do_one(0, 2);
    copi_flow_out(&flow, 0, &items[0].flow);
    do_one(0, 1);
    take(1, 1);
    take(1, 2);
    ck_assert_uint_eq(stages[0].inside, 0);
}

TEST(the_last_that_goes_no_further_leaves_a_list_that_still_works)
{
    begin(2, 2, 8, false);
    put(0, 4);
    take(0, 0);
    take(0, 1);
    copi_flow_out(&flow, 0, &items[1].flow);
    take(0, 2);
    do_one(0, 2);
    do_one(0, 0);
    take(1, 0);
    take(1, 2);
}

/* ---------------------------------------------------------------- leaving */

TEST(who_leaves_the_last_stage_is_inside_until_it_has)
{
    begin(1, 1, 8, false);
    put(0, 2);
    take(0, 0);
    do_one(0, 0);
    ck_assert_uint_eq(number_of(copi_flow_next_to_leave(&flow)), 0);
    ck_assert_ptr_null(copi_flow_take(&flow, 0));
    copi_flow_left(&flow);
    take(0, 1);
    ck_assert_ptr_null(copi_flow_next_to_leave(&flow));
}

TEST(when_it_is_emptied_those_that_are_worked_on_stay)
{
    begin(2, 3, 8, false);
    put(0, 6);
    take(0, 0);
    take(0, 1);
    take(0, 2);
    do_one(0, 0); /* in the second queue */
    do_one(0, 2); /* waits for its turn */
    unsigned seen = 0, count = 0;
    for (struct copi_flow_item *item = copi_flow_empty(&flow); item; item = item->next) {
        seen |= 1U << number_of(item);
        count++;
    }
    ck_assert_uint_eq(count, 5);
    ck_assert_uint_eq(seen, 0x3d); /* all but 1 */
    ck_assert_uint_eq(stages[0].inside, 1);
    copi_flow_out(&flow, 0, &items[1].flow);
    ck_assert_uint_eq(stages[0].inside, 0);
    ck_assert_ptr_null(copi_flow_empty(&flow));
}

/* ---------------------------------------------------------------- whatever the order of events */

static uint32_t chance_state;

static unsigned
chance(unsigned n)
{
    chance_state = chance_state * 1664525 + 1013904223;
    return (chance_state >> 16) % n;
}

static unsigned in_work[3], working[3][8]; /* numbers */

static void
assert_is_within_bounds(size_t alive)
{
    size_t found = 0;
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_le(stages[i].queue.count, stages[i].bound);
        ck_assert_uint_le(stages[i].inside, stages[i].width);
        found += stages[i].queue.count + stages[i].inside;
    }
    ck_assert_uint_eq(found, alive);
}

static void
let_one_take(size_t stage)
{
    struct copi_flow_item *item = copi_flow_take(&flow, stage);
    if (item) {
        working[stage][in_work[stage]++] = number_of(item);
    }
}

static void
let_one_be_done(size_t stage)
{
    if (in_work[stage] > 0) {
        unsigned which = chance(in_work[stage]);
        unsigned number = working[stage][which];
        working[stage][which] = working[stage][--in_work[stage]];
        copi_flow_done(&flow, stage, &items[number].flow);
    }
}

/* _i: the seed, and whether it is ordered. */
TEST_TIMES(16, in_any_order_of_events_nothing_is_lost_and_no_bound_is_passed)
{
    bool is_unordered = _i % 2;
    unsigned next_in = 0, out = 0, seen[64] = {0};
    chance_state = (uint32_t)_i;
    begin(3, 1 + chance(4), 1 + chance(4), is_unordered);
    for (int step = 0; step < 100000 && out < 64; step++) {
        size_t stage = chance(3);
        switch (chance(3)) {
        case 0:
            if (next_in < 64 && copi_flow_has_room(&flow)) {
                put(next_in++, 1);
            }
            break;
        case 1:
            let_one_take(stage);
            break;
        default:
            let_one_be_done(stage);
        }
        copi_flow_advance(&flow);
        struct copi_flow_item *item = copi_flow_next_to_leave(&flow);
        if (item) {
            copi_flow_left(&flow);
            seen[number_of(item)]++;
            ck_assert(is_unordered || number_of(item) == out);
            out++;
        }
        assert_is_within_bounds(next_in - out);
    }
    for (unsigned i = 0; i < 64; i++) {
        ck_assert_uint_eq(seen[i], 1);
    }
}

SUITE("pipeline_flow")
