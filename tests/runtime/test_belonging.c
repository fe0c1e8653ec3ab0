/*
 * tests/runtime/test_belonging.c - things of the library's that end with a process.
 *
 * Room: tests/.
 */
#include "runtime/belonging.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "tests/support/support.h"

enum {
    GO = 1,
    THINGS = 5,
};

struct thing {
    struct copi_belonging owned;
    _Atomic unsigned orphaned;
    cop_reason reason;
    cop_pid owner;
    bool found_owner;
};

static void
note(struct copi_belonging *owned, const cop_reason *reason)
{
    struct thing *thing = (struct thing *)(void *)owned;
    thing->reason = *reason;
    thing->found_owner = cop_alive(thing->owner);
    atomic_fetch_add(&thing->orphaned, 1);
}

static struct thing things[THINGS];

static void
prepare(cop_pid owner)
{
    for (int i = 0; i < THINGS; i++) {
        things[i].owned.orphaned = note;
        things[i].owner = owner;
    }
}

static int
end_as_told(cop_bytes unused)
{
    (void)unused;
    cop_exit(*COP_BODY(test_receive(GO), cop_reason));
}

static cop_pid
start(cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, end_as_told, .monitor = monitor), 0);
    prepare(pid);
    return pid;
}

static void
end(cop_pid pid, cop_ref monitor, cop_reason reason)
{
    ck_assert_int_eq(cop_send(pid, COP_MSG_OF(GO, reason)), 0);
    test_down(monitor);
}

TEST(who_has_ended_owns_nothing)
{
    cop_ref monitor;
    cop_pid pid = start(&monitor);
    end(pid, monitor, COP_REASON_NORMAL);
    ck_assert_int_eq(copi_belonging_join(&things[0].owned, pid), -ESRCH);
    ck_assert_int_eq(copi_belonging_join(&things[0].owned, COP_NOBODY), -ESRCH);
    ck_assert_ptr_null(things[0].owned.link);
}

TEST(a_thing_is_told_before_the_monitors_are_and_why_its_owner_ended)
{
    cop_ref monitor;
    cop_pid pid = start(&monitor);
    for (int i = 0; i < THINGS; i++) {
        ck_assert_int_eq(copi_belonging_join(&things[i].owned, pid), 0);
    }
    end(pid, monitor, cop_failed(-EIO, "broken"));
    for (int i = 0; i < THINGS; i++) {
        ck_assert_uint_eq(atomic_load(&things[i].orphaned), 1);
        ck_assert_int_eq(things[i].reason.code, -EIO);
        ck_assert(!things[i].found_owner);
        ck_assert(!copi_belonging_leave(&things[i].owned));
    }
}

TEST(what_has_left_is_not_told)
{
    cop_ref monitor;
    cop_pid pid = start(&monitor);
    for (int i = 0; i < THINGS; i++) {
        ck_assert_int_eq(copi_belonging_join(&things[i].owned, pid), 0);
    }
    ck_assert(copi_belonging_leave(&things[THINGS - 1].owned)); /* the list's ends and its middle */
    ck_assert(copi_belonging_leave(&things[2].owned));
    ck_assert(copi_belonging_leave(&things[0].owned));
    ck_assert(!copi_belonging_leave(&things[0].owned));
    end(pid, monitor, COP_REASON_NORMAL);
    const unsigned told[THINGS] = {0, 1, 0, 1, 0};
    for (int i = 0; i < THINGS; i++) {
        ck_assert_uint_eq(atomic_load(&things[i].orphaned), told[i]);
    }
}

TEST(it_can_go_from_one_owner_to_the_next)
{
    cop_ref first_monitor, second_monitor;
    cop_pid first = start(&first_monitor), second = start(&second_monitor);
    ck_assert_int_eq(copi_belonging_join(&things[0].owned, first), 0);
    ck_assert(copi_belonging_leave(&things[0].owned));
    ck_assert_int_eq(copi_belonging_join(&things[0].owned, second), 0);
    end(first, first_monitor, COP_REASON_NORMAL);
    ck_assert_uint_eq(atomic_load(&things[0].orphaned), 0);
    end(second, second_monitor, COP_REASON_NORMAL);
    ck_assert_uint_eq(atomic_load(&things[0].orphaned), 1);
}

static int
join_for_itself(cop_bytes unused)
{
    (void)unused;
    return copi_belonging_join(&things[0].owned, cop_self());
}

TEST(the_next_process_in_a_record_inherits_nothing)
{
    for (int i = 0; i < 200; i++) {
        cop_ref monitor;
        cop_pid pid;
        atomic_store(&things[0].orphaned, 0);
        prepare(COP_NOBODY);
        ck_assert_int_eq(cop_spawn(&pid, join_for_itself, .monitor = &monitor), 0);
        ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
        ck_assert_uint_eq(atomic_load(&things[0].orphaned), 1);
    }
}

SUITE("belonging")
