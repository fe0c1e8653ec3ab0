/*
 * tests/runtime/test_timer_heap.c - timers in the order in which they are due, held against a sorted list.
 *
 * Room: tests/. Needs no process.
 */
#include "runtime/timer_heap.h"
#include "tests/support/support.h"

enum {
    MANY = 500
};

static struct copi_timer_heap heap;
static struct copi_timer timers[MANY];

/* The same numbers in each run. */
static unsigned
random_number(void)
{
    static unsigned seed = 1;
    seed = seed * 1103515245u + 12345u;
    return seed >> 16 & 0x7fff;
}

static struct copi_timer *
make(int i, cop_time deadline)
{
    timers[i] = (struct copi_timer){.order = (uint64_t)i, .plan.deadline = deadline};
    return &timers[i];
}

static void
add(struct copi_timer *timer)
{
    struct copi_timer *list = NULL;
    copi_timer_list(&list, timer);
    copi_timer_heap_add(&heap, list);
}

/* The links, and that nobody is due before who is above him: how many there are below this link. */
static int
check_from(struct copi_timer *const *link, const struct copi_timer *above)
{
    int count = 0;
    for (; *link; link = &(*link)->sibling) {
        const struct copi_timer *timer = *link;
        ck_assert_ptr_eq(timer->link, link);
        ck_assert(!above || above->plan.deadline <= timer->plan.deadline);
        count += 1 + check_from(&timer->child, timer);
    }
    return count;
}

static struct copi_timer *
take_first(void)
{
    struct copi_timer *first = heap.first;
    copi_timer_heap_take_out(&heap, first);
    return first;
}

/* All of them, in their order. */
static void
check_order(int count)
{
    const struct copi_timer *before = take_first();
    for (int i = 1; i < count; i++) {
        const struct copi_timer *timer = take_first();
        ck_assert_int_le(before->plan.deadline, timer->plan.deadline);
        ck_assert(before->plan.deadline < timer->plan.deadline || before->order < timer->order);
        before = timer;
    }
    ck_assert_ptr_null(heap.first);
}

TEST(nothing_added_is_nothing)
{
    copi_timer_heap_add(&heap, NULL);
    ck_assert_ptr_null(heap.first);
}

TEST(one_is_the_first_and_then_there_is_none)
{
    add(make(0, 7));
    ck_assert_ptr_eq(heap.first, &timers[0]);
    copi_timer_heap_take_out(&heap, &timers[0]);
    ck_assert_ptr_null(heap.first);
    ck_assert_ptr_null(timers[0].child);
}

TEST(timers_come_out_in_the_order_of_their_times_and_then_in_which_they_were_set)
{
    for (int i = 0; i < MANY; i++) {
        add(make(i, random_number() % 50));
    }
    ck_assert_int_eq(check_from(&heap.first, NULL), MANY);
    check_order(MANY);
}

TEST(a_list_is_added_as_a_whole)
{
    struct copi_timer *list = NULL;
    for (int i = 0; i < MANY; i++) {
        copi_timer_list(&list, make(i, random_number() % 50));
        ck_assert_ptr_eq(list->link, &list);
    }
    copi_timer_heap_add(&heap, list);
    ck_assert_int_eq(check_from(&heap.first, NULL), MANY);
    check_order(MANY);
}

TEST(those_that_are_taken_out_from_anywhere_leave_the_others_in_their_order)
{
    int left = 0;
    for (int i = 0; i < MANY; i++) {
        add(make(i, random_number() % 50));
    }
    add(make((int)(take_first() - timers), 3)); /* so that it is deep */
    for (int i = 0; i < MANY; i++) {
        if (random_number() % 3 != 0) {
            copi_timer_heap_take_out(&heap, &timers[i]);
        } else {
            left++;
        }
    }
    ck_assert_int_eq(check_from(&heap.first, NULL), left);
    check_order(left);
}

TEST(one_is_taken_out_of_a_list_that_is_not_in_the_heap_yet)
{
    struct copi_timer *list = NULL;
    add(make(3, 9));
    for (int i = 0; i < 3; i++) {
        copi_timer_list(&list, make(i, 5 + i));
    }
    copi_timer_heap_take_out(&heap, &timers[1]);
    ck_assert_ptr_eq(list, &timers[2]);
    ck_assert_ptr_eq(list->sibling, &timers[0]);
    ck_assert_ptr_eq(timers[0].link, &list->sibling);
    copi_timer_heap_take_out(&heap, list);
    ck_assert_ptr_eq(list, &timers[0]);
    ck_assert_ptr_eq(heap.first, &timers[3]);
    copi_timer_heap_add(&heap, list);
    ck_assert_int_eq(check_from(&heap.first, NULL), 2);
    check_order(2);
}

SUITE("timer_heap")
