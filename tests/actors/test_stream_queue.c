/*
 * tests/actors/test_stream_queue.c - elements that wait, up to a bound.
 *
 * Room: tests/.
 */
#include "actors/stream_queue.h"
#include "runtime/alloc.h"
#include "tests/actors/stream.h"

static const struct copi_elements numbers = {sizeof(int), NULL};
static const struct copi_elements owners = {sizeof(int *), owner_drop};
static const struct copi_elements lent = {COP_ANY, NULL};

static struct copi_queue queue;

static void
begin(const struct copi_elements *elements, size_t bound)
{
    ck_assert_int_eq(copi_queue_init(&queue, elements, bound), 0);
}

TEST(a_bound_that_cannot_be_had_is_refused)
{
    ck_assert_int_eq(copi_queue_init(&queue, &numbers, 0), -EINVAL);
    ck_assert_int_eq(copi_queue_init(&queue, &numbers, SIZE_MAX / 2), -EINVAL);
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_queue_init(&queue, &numbers, 1), -ENOMEM);
    copi_alloc_fail_after(-1);
}

TEST(elements_leave_in_the_order_in_which_they_came)
{
    begin(&numbers, 3);
    int next = 0, out;
    for (int i = 0; i < 50; i++) {
        copi_queue_push(&queue, &i);
        if (copi_queue_is_full(&queue)) {
            copi_queue_pop(&queue, &out);
            ck_assert_int_eq(out, next++);
        }
    }
    ck_assert_uint_eq(queue.count, 2);
    ck_assert_uint_eq(queue.most, 3);
    copi_queue_skip(&queue);
    copi_queue_pop(&queue, &out);
    ck_assert_int_eq(out, 49);
    copi_queue_fini(&queue);
}

TEST(what_nobody_gets_is_dropped)
{
    struct source source = {.count = ENDLESS};
    begin(&owners, 4);
    for (int i = 0; i < 4; i++) {
        int *own;
        owner_next(&own, &source);
        copi_queue_push(&queue, &own);
    }
    copi_queue_clear(&queue);
    ck_assert_uint_eq(unmade, 4);
    ck_assert_uint_eq(queue.count, 0);
    copi_queue_fini(&queue);
    ck_assert_uint_eq(unmade, 4);
}

TEST(bytes_that_were_copied_are_freed)
{
    begin(&lent, 2);
    cop_bytes room = COP_STR("these");
    ck_assert_int_eq(copi_element_keep(&lent, &room), 0);
    copi_queue_push(&queue, &room);
    copi_queue_fini(&queue);
}

TEST(elements_of_no_bytes_are_counted)
{
    const struct copi_elements ticks = {0, NULL};
    begin(&ticks, 2);
    copi_queue_push(&queue, NULL);
    copi_queue_push(&queue, NULL);
    ck_assert(copi_queue_is_full(&queue));
    copi_queue_pop(&queue, NULL);
    ck_assert_uint_eq(queue.count, 1);
    copi_queue_fini(&queue);
}

SUITE("stream queue")
