/*
 * tests/actors/test_waiters.c - who waits for something that a lock guards: woken once, and never forgotten.
 *
 * Room: tests/.
 */
#include "actors/waiters.h"
#include "runtime/alloc.h"
#include "runtime/inbox.h"
#include "tests/support/support.h"

#include <errno.h>

/* A number of places under a lock, as whoever uses this has it. */
static struct {
    copi_lock lock;
    int places;
    struct copi_list waiters;
} room = {.lock = COPI_LOCK_INIT};

static atomic_int tries, held, dropped;
static int made_of_nothing;

static void
begin(int places)
{
    copi_list_init(&room.waiters);
    room.places = places;
}

static int
try(struct copi_process *self, void *env, cop_ref ref)
{
    ck_assert_ptr_eq(env, &made_of_nothing);
    copi_lock_take(&room.lock);
    int r = room.places > 0 ? 0 : copi_waiters_add(&room.waiters, self, ref);
    room.places -= r == 0;
    copi_lock_give(&room.lock);
    tries++;
    return r;
}

static int
wait_for_place(cop_time timeout)
{
    struct copi_process *self;
    ck_assert_int_eq(copi_enter(&self), 0);
    return copi_waiters_wait(self, timeout, try, &made_of_nothing);
}

static void *
hold(void *env)
{
    held++;
    return env;
}

static void wake_one(void);

/* Wherever the node ends up. */
static void
look_again(void *env)
{
    ck_assert_ptr_eq(env, &made_of_nothing);
    dropped++;
    wake_one();
}

static void
wake_one(void)
{
    copi_lock_take(&room.lock);
    struct copi_message *node = room.places > 0 ? copi_waiters_take_one(&room.waiters) : NULL;
    copi_lock_give(&room.lock);
    copi_waiters_tell(node, hold, look_again, &made_of_nothing);
}

static void
give_places(int count)
{
    copi_lock_take(&room.lock);
    room.places += count;
    copi_lock_give(&room.lock);
    wake_one();
}

static int
wait_for_ever(cop_bytes arg)
{
    (void)arg;
    return wait_for_place(COP_FOREVER);
}

static void
start_waiting(int count, cop_pid pids[], cop_ref monitors[])
{
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(cop_spawn(&pids[i], wait_for_ever, .monitor = &monitors[i]), 0);
    }
    EVENTUALLY(tries == count);
}

TEST(without_memory_nobody_waits)
{
    begin(0);
    cop_self();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(wait_for_place(COP_FOREVER), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_uint_eq(room.waiters.count, 0);
}

TEST(who_need_not_wait_leaves_nothing)
{
    begin(1);
    ck_assert_int_eq(wait_for_place(0), 0);
    ck_assert_uint_eq(room.waiters.count, 0);
}

TEST(nodes_of_waits_that_are_over_go_when_another_comes)
{
    begin(0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(wait_for_place(0), -ETIMEDOUT);
        ck_assert_uint_eq(room.waiters.count, 1);
    }
    copi_waiters_free(&room.waiters);
    ck_assert_uint_eq(room.waiters.count, 0);
}

TEST(nodes_of_waits_that_are_over_are_not_taken)
{
    begin(0);
    ck_assert_int_eq(wait_for_place(0), -ETIMEDOUT);
    ck_assert_ptr_null(copi_waiters_take_one(&room.waiters));
}

TEST(each_who_waits_gets_a_place_also_when_many_become_free_at_once)
{
    cop_pid pids[10];
    cop_ref monitors[10];
    begin(0);
    start_waiting(10, pids, monitors);
    give_places(10);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    EVENTUALLY(held == dropped);
    ck_assert_int_eq(room.places, 0);
}

TEST(a_wake_up_for_one_who_is_gone_is_not_lost)
{
    cop_pid pids[10];
    cop_ref monitors[10];
    begin(0);
    start_waiting(10, pids, monitors);
    for (int i = 0; i < 9; i++) {
        cop_exit_signal(pids[i], COP_REASON_KILLED);
    }
    give_places(1); /* whoever gets it: another is given for each that was killed with one */
    cop_reason last = test_down(monitors[9]);
    for (int i = 0; i < 9; i++) {
        bool has_place = test_down(monitors[i]).kind == COP_NORMAL;
        if (has_place) {
            give_places(1);
        }
    }
    ck_assert_int_eq(last.kind, COP_NORMAL);
    EVENTUALLY(held == dropped);
    copi_waiters_free(&room.waiters);
}

TEST(all_can_be_taken_and_told)
{
    cop_pid pids[5];
    cop_ref monitors[5];
    begin(0);
    start_waiting(5, pids, monitors);
    copi_lock_take(&room.lock);
    room.places = 5;
    struct copi_message *nodes = copi_waiters_take_all(&room.waiters);
    copi_lock_give(&room.lock);
    ck_assert_uint_eq(room.waiters.count, 0);
    copi_waiters_tell(nodes, hold, look_again, &made_of_nothing);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(held, 5);
    EVENTUALLY(dropped == 5);
}

SUITE("waiters")
