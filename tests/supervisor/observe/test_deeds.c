/*
 * tests/supervisor/observe/test_deeds.c - what the observer does to a process that somebody has pointed at.
 *
 * Room: tests/.
 */
#include "supervisor/observe/deeds.h"
#include "tests/supervisor/tree.h"
#include "tests/support/support.h"

#include <unistd.h>

static int
begin(const char *name, cop_pid to)
{
    cop_pid doer = {9};
    int r = copi_deed_begin(name, to, &doer);
    ck_assert(r == 0 || doer.id == 9);
    return r;
}

static bool
tells(const cop_msg *msg, void *unused)
{
    (void)unused;
    return msg->tag == COPI_DEED_DONE;
}

/* The ends of those who did it come as well. */
static struct copi_deed_done
done(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive_match(&msg, tells, NULL, SOON), 0);
    return *COP_BODY(msg, struct copi_deed_done);
}

static int
outcome(const char *name, cop_pid to)
{
    ck_assert_int_eq(begin(name, to), 0);
    return done().code;
}

TEST(what_is_no_deed_is_refused)
{
    ck_assert_int_eq(begin("explode", cop_self()), -ENOENT);
    ck_assert_int_eq(begin("", cop_self()), -ENOENT);
}

TEST(nobody_and_who_has_ended_are_left_alone)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
    ck_assert_int_eq(outcome("crash", pid), 0);
    test_down(monitor);
    ck_assert_int_eq(begin("crash", pid), -ESRCH);
    ck_assert_int_eq(begin("crash", COP_NOBODY), -ESRCH);
}

TEST(a_thread_of_the_programs_is_left_alone)
{
    ck_assert_int_eq(begin("crash", cop_self()), -EOPNOTSUPP);
}

static int
try_to_suspend_itself(cop_bytes unused)
{
    (void)unused;
    ck_assert_int_eq(begin("suspend", cop_self()), -EDEADLK);
    return 0;
}

TEST(who_would_have_to_let_itself_go_on_is_not_suspended)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, try_to_suspend_itself, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(what_is_no_server_cannot_be_suspended)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end), 0);
    ck_assert_int_eq(begin("suspend", pid), 0);
    struct copi_deed_done it = done();
    ck_assert_int_eq(it.code, -EOPNOTSUPP);
    ck_assert_int_eq(it.why.code, -EOPNOTSUPP);
}

TEST(a_server_is_suspended_and_resumed)
{
    cop_pid sup = start_tree(TREE(.name = "root", COP_CHILDREN(BOX("a"))));
    cop_pid pid = cop_whereis("a");
    ck_assert_int_eq(outcome("suspend", pid), 0);
    ck_assert(test_status(pid).is_suspended);
    ck_assert_int_eq(outcome("resume", pid), 0);
    ck_assert(!test_status(pid).is_suspended);
    stop_tree(sup);
}

TEST(who_crashes_and_who_is_stopped_is_restarted)
{
    cop_pid sup = start_tree(TREE(.name = "root", COP_CHILDREN(BOX("a"))));
    cop_pid first = cop_whereis("a");
    ck_assert_int_eq(outcome("crash", first), 0);
    EVENTUALLY(!cop_alive(first) && is_at_rest_without(sup, first));
    cop_pid second = cop_whereis("a");
    ck_assert_int_eq(outcome("stop", second), 0);
    EVENTUALLY(!cop_alive(second) && is_at_rest_without(sup, second));
    ck_assert(cop_alive(cop_whereis("a")));
    stop_tree(sup);
}

SUITE("deeds")
