/*
 * tests/supervisor/test_subscribers.c - processes that have asked to be thought of.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/subscribers.h"
#include "tests/support/support.h"

#include <errno.h>

static struct copi_subscribers list = COPI_SUBSCRIBERS_INIT;

static void
add_up(struct copi_subscriber *subscriber, void *sum)
{
    *(int64_t *)sum += subscriber->word;
}

static int64_t
sum(void)
{
    int64_t words = 0;
    copi_subscribers_visit(&list, add_up, &words);
    return words;
}

static cop_pid
process(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end), 0);
    return pid;
}

static void
end(cop_pid pid)
{
    cop_ref down = cop_monitor(pid);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(down);
}

TEST(without_memory_nothing_is_noted)
{
    cop_pid pid = process();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_subscribers_add(&list, pid, 1), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(sum(), 0);
}

TEST(who_asks_again_has_a_new_word)
{
    cop_pid pid = process();
    ck_assert_int_eq(copi_subscribers_add(&list, pid, 1), 0);
    ck_assert_int_eq(copi_subscribers_add(&list, pid, 40), 0);
    ck_assert_int_eq(sum(), 40);
}

TEST(who_has_ended_is_forgotten)
{
    cop_pid one = process(), other = process();
    ck_assert_int_eq(copi_subscribers_add(&list, one, 1), 0);
    ck_assert_int_eq(copi_subscribers_add(&list, other, 2), 0);
    end(one);
    ck_assert_int_eq(sum(), 2);
    end(other);
    ck_assert_int_eq(sum(), 0);
    ck_assert_ptr_null(list.all);
}

TEST(any_number_may_ask_and_each_may_leave)
{
    enum {
        MANY = 100
    };
    cop_pid pids[MANY];
    for (int i = 0; i < MANY; i++) {
        pids[i] = process();
        ck_assert_int_eq(copi_subscribers_add(&list, pids[i], 1), 0);
    }
    ck_assert_int_eq(sum(), MANY);
    for (int i = 0; i < MANY; i += 2) {
        copi_subscribers_remove(&list, pids[i]);
    }
    copi_subscribers_remove(&list, pids[0]); /* it is not there any more */
    ck_assert_int_eq(sum(), MANY / 2);
    for (int i = 1; i < MANY; i += 2) {
        copi_subscribers_remove(&list, pids[i]);
    }
    ck_assert_ptr_null(list.all);
}

SUITE("subscribers")
