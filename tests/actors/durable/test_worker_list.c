/*
 * tests/actors/durable/test_worker_list.c - who is woken.
 *
 * Room: tests/. Over the store in memory.
 */
#include "actors/durable/worker.h"
#include "tests/actors/durable/jobs.h"

TEST(what_is_created_is_not_left_for_the_poll)
{
    begin();
    cop_pid worker =
        start_worker("worker", (cop_worker_opts){.work = triple, .poll = COP_SEC(3600)});
    (void)counts_of(worker);
    create(ID);
    EVENTUALLY(state_of(store, ID) == COP_DURABLE_RESOLVED);
    end();
}

/* As a worker of this queue, in the test's own process. */
static struct copi_worker
a_worker_of(const char *queue)
{
    return (struct copi_worker){.opts = {.queue = queue}};
}

static unsigned
times_woken(void)
{
    unsigned times = 0;
    cop_msg msg;
    while (cop_receive(&msg, 0) == 0) {
        ck_assert_uint_eq(msg.tag, COPI_WORKER_WAKE);
        times++;
    }
    return times;
}

static unsigned
woken_by(const char *queue)
{
    cop_worker_wake(queue);
    return times_woken();
}

TEST(waking_nobody_does_no_harm)
{
    ck_assert_uint_eq(woken_by("q"), 0);
    ck_assert_uint_eq(woken_by(NULL), 0);
}

TEST(who_computes_for_a_queue_is_woken_by_its_name_and_without_one_everybody_is)
{
    struct copi_worker one = a_worker_of("q"), two = a_worker_of("q"), other = a_worker_of("");
    copi_worker_enter_list(&one);
    copi_worker_enter_list(&two);
    copi_worker_enter_list(&other);
    ck_assert_uint_eq(woken_by("q"), 2);
    ck_assert_uint_eq(woken_by(""), 1);
    ck_assert_uint_eq(woken_by("r"), 0);
    ck_assert_uint_eq(woken_by(NULL), 3);
    copi_worker_leave_list(&one);
    copi_worker_leave_list(&two);
    copi_worker_leave_list(&other);
}

TEST(those_that_have_left_are_not_woken_in_whatever_order_they_left)
{
    enum {
        WORKERS = 5
    };
    static const int order[WORKERS] = {2, 0, 4, 1, 3}; /* the middle, both ends, what is left */
    struct copi_worker workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = a_worker_of("q");
        copi_worker_enter_list(&workers[i]);
    }
    for (unsigned left = WORKERS; left-- > 0;) {
        copi_worker_leave_list(&workers[order[WORKERS - 1 - left]]);
        ck_assert_uint_eq(woken_by("q"), left);
    }
}

SUITE("workers that are woken")
