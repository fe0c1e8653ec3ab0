/*
 * tests/demos/test_doctor.c - who finds cells that hang.
 *
 * Room: tests/. Linked with demos/chaos.
 */
#include "demos/chaos/cell.h"
#include "demos/chaos/doctor.h"
#include "tests/support/support.h"

static cop_pid tree;

static void
start(cop_time patience)
{
    const cop_supervisor_spec spec = {
        COP_CHILDREN(cell_child(0), cell_child(1),
                     {.id = "doctor",
                      .worker = doctor_run,
                      .arg = COP_BYTES(patience),
                      .restart = COP_PERMANENT}),
    };
    ck_assert_int_eq(cop_supervisor_start(&tree, &spec), 0);
}

static cop_pid
answering(size_t cell)
{
    cop_pid pid = cop_whereis(cell_names[cell]);
    bool is_there = cop_call(pid, COP_TAG(CELL_PING), NULL, 0, SOON) == 0;
    return is_there ? pid : COP_NOBODY;
}

TEST(who_hangs_is_killed_and_grown_again)
{
    start(COP_MS(40));
    cop_pid hung = answering(0), other = answering(1), now;
    ck_assert_int_eq(cop_cast(hung, COP_TAG(CELL_HANG)), 0);
    test_catch_stderr();
    EVENTUALLY(!cop_pid_eq(now = answering(0), COP_NOBODY) && !cop_pid_eq(now, hung));
    free(test_caught_stderr());
    ck_assert(cop_pid_eq(answering(1), other));
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

TEST(a_flood_is_refused_beyond_the_room_and_who_was_flooded_goes_on)
{
    start(COP_SEC(60));
    cop_pid busy = answering(0);
    unsigned refused = 0;
    for (int i = 0; i < 3 * CELL_ROOM; i++) {
        refused += cop_cast(busy, COP_TAG(CELL_WORK)) == -EAGAIN;
    }
    ck_assert_uint_lt(refused, 2 * CELL_ROOM + 1);
    cop_pid now;
    EVENTUALLY(
        !cop_pid_eq(now = answering(0), COP_NOBODY)); /* there was room for the question, too */
    ck_assert(cop_pid_eq(now, busy));
    ck_assert_int_eq(cop_supervisor_stop(tree, SOON), 0);
}

SUITE("doctor")
