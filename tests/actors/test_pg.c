/*
 * tests/actors/test_pg.c - groups of processes.
 *
 * Room: tests/. Each test runs with a scope of one partition, and with one of eight.
 */
#include "actors/registry_partition.h"
#include "runtime/alloc.h"
#include "tests/actors/worker.h"
#include "tests/support/no_messages.h"

static cop_pid
scope_start(int eight)
{
    cop_pid pid;
    ck_assert_int_eq(cop_pg_start(&pid, &(cop_pg_spec){.partitions = eight ? 8 : 1}), 0);
    return pid;
}

static int
join_now(void *group)
{
    return cop_pg_join(NULL, COP_STR((const char *)group));
}

static int
leave_now(void *group)
{
    return cop_pg_leave(NULL, COP_STR((const char *)group));
}

static char group_g[] = "g", group_h[] = "h";

static size_t
members(const char *group)
{
    size_t count = 4711;
    ck_assert_int_eq(cop_pg_members(NULL, COP_STR(group), NULL, 0, &count), 0);
    return count;
}

static void
next_change(cop_ref ref, cop_pid pid, bool joined)
{
    struct cop_pg_change change = *COP_BODY(test_receive(COP_MSG_PG), struct cop_pg_change);
    ck_assert_uint_eq(change.ref.id, ref.id);
    ck_assert(cop_pid_eq(change.pid, pid));
    ck_assert_int_eq(change.joined, joined);
}

static void
no_more_changes(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(20)), -ETIMEDOUT);
}

/* ---------------------------------------------------------------- what is refused */

static bool
never(cop_bytes group, void *env)
{
    (void)group, (void)env;
    abort();
}

TEST(a_scope_that_was_not_started_is_unknown)
{
    cop_ref ref;
    size_t count;
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), -ESRCH);
    ck_assert_str_eq(cop_why().text, "unknown registry: pg");
    ck_assert_int_eq(cop_pg_leave("other", COP_STR("g")), -ESRCH);
    ck_assert_int_eq(cop_pg_members(NULL, COP_STR("g"), NULL, 0, &count), -ESRCH);
    ck_assert_int_eq(cop_pg_groups(NULL, never, NULL), -ESRCH);
    ck_assert_int_eq(cop_pg_broadcast(NULL, COP_STR("g"), COP_TAG(1)), -ESRCH);
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &ref, NULL, 0, NULL), -ESRCH);
    ck_assert_int_eq(cop_pg_demonitor(NULL, (cop_ref){1}), -ESRCH);
}

TEST_TIMES(2, who_has_not_joined_cannot_leave)
{
    scope_start(_i);
    ck_assert_int_eq(cop_pg_leave(NULL, COP_STR("g")), -ENOENT);
    ck_assert_str_eq(cop_why().text, "not_joined");
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(worker_do(worker_start(), leave_now, group_g), -ENOENT);
    ck_assert_uint_eq(members("g"), 1);
}

TEST_TIMES(2, a_unique_registry_is_no_scope)
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_pg_join("r", COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_join("r", COP_STR("g")), -EOPNOTSUPP);
}

static int
monitor_now(void *env)
{
    return cop_pg_monitor(NULL, COP_STR("g"), env, NULL, 0, NULL);
}

TEST_TIMES(2, without_memory_nobody_joins_or_watches)
{
    int result;
    cop_ref ref = {0};
    scope_start(_i);
    for (int i = 0; i < 12; i++) {
        test_out_of_memory(join_now, group_g, &result);
        ck_assert_int_eq(result, 0);
    }
    ck_assert_uint_eq(members("g"), 12);
    ck_assert_uint_ge(test_out_of_memory(monitor_now, &ref, &result), 4);
    ck_assert_int_eq(result, 0);
    ck_assert_uint_ne(ref.id, 0);
    ck_assert_int_eq(cop_pg_demonitor(NULL, ref), 0);
    no_more_changes();
}

TEST_TIMES(2, a_change_that_there_is_no_memory_to_tell_is_lost_and_reported)
{
    cop_ref ref;
    scope_start(_i);
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &ref, NULL, 0, NULL), 0);
    test_catch_stderr();
    has_no_messages = true;
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    has_no_messages = false;
    char *reports = test_caught_stderr();
    ck_assert_uint_eq(test_count(reports, "no memory to tell of a change in a group"), 1);
    free(reports);
    ck_assert_uint_eq(members("g"), 1);
    ck_assert_int_eq(cop_pg_leave(NULL, COP_STR("g")), 0);
    next_change(ref, cop_self(), false);
    ck_assert_int_eq(cop_pg_demonitor(NULL, ref), 0);
}

/* ---------------------------------------------------------------- members */

TEST_TIMES(2, a_process_joins_as_often_as_it_likes_and_leaves_once_at_a_time)
{
    scope_start(_i);
    cop_pid pid = worker_start(), out[4];
    size_t count;
    ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
    ck_assert_int_eq(cop_pg_members(NULL, COP_STR("g"), out, 4, &count), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert(cop_pid_eq(out[0], pid) && cop_pid_eq(out[1], cop_self()));
    ck_assert(cop_pid_eq(out[2], pid));
    ck_assert_int_eq(worker_do(pid, leave_now, group_g), 0);
    ck_assert_uint_eq(members("g"), 2);
    ck_assert_int_eq(worker_do(pid, leave_now, group_g), 0);
    ck_assert_int_eq(worker_do(pid, leave_now, group_g), -ENOENT);
    ck_assert_uint_eq(members("g"), 1);
}

TEST_TIMES(2, a_member_leaves_with_its_end)
{
    scope_start(_i);
    cop_pid pid = worker_start();
    ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
    ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
    ck_assert_int_eq(worker_do(pid, join_now, group_h), 0);
    worker_kill(pid);
    ck_assert_uint_eq(members("g"), 0);
    ck_assert_uint_eq(members("h"), 0);
    ck_assert_int_eq(cop_pg_groups(NULL, never, NULL), 0);
}

struct groups {
    unsigned count;
    char names[4][8];
};

static bool
note_group(cop_bytes group, void *env)
{
    struct groups *groups = env;
    memcpy(groups->names[groups->count++], group.data, group.size);
    return groups->count < 4;
}

TEST_TIMES(2, each_group_with_members_is_visited_once)
{
    struct groups groups = {0};
    scope_start(_i);
    cop_pid pid = worker_start();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
        ck_assert_int_eq(worker_do(pid, join_now, group_h), 0);
        ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    }
    ck_assert_int_eq(cop_pg_groups(NULL, note_group, &groups), 0);
    ck_assert_uint_eq(groups.count, 2);
    ck_assert_int_ne(strcmp(groups.names[0], groups.names[1]), 0);
}

TEST_TIMES(2, a_broadcast_reaches_each_member_as_often_as_it_joined)
{
    scope_start(_i);
    ck_assert_int_eq(cop_pg_broadcast(NULL, COP_STR("g"), COP_TAG(7)), 0);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_broadcast(NULL, COP_STR("g"), COP_TAG(7)), 0);
    test_receive(7);
    test_receive(7);
    no_more_changes();
}

TEST(scopes_do_not_know_each_other)
{
    scope_start(0);
    ck_assert_int_eq(cop_pg_start(NULL, &(cop_pg_spec){.scope = "other"}), 0);
    ck_assert_int_eq(cop_pg_join("other", COP_STR("g")), 0);
    ck_assert_uint_eq(members("g"), 0);
    ck_assert_int_eq(cop_pg_start(NULL, NULL), -EEXIST);
}

/* ---------------------------------------------------------------- watching */

TEST_TIMES(2, who_watches_a_group_is_told_who_joins_and_leaves)
{
    scope_start(_i);
    cop_ref ref;
    cop_pid pid = worker_start(), out[2];
    size_t count;
    ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &ref, out, 2, &count), 0);
    ck_assert_uint_eq(count, 1);
    ck_assert(cop_pid_eq(out[0], pid));
    ck_assert_int_eq(worker_do(pid, join_now, group_g), 0);
    ck_assert_int_eq(worker_do(pid, join_now, group_h), 0); /* nobody asked for that */
    ck_assert_int_eq(worker_do(pid, leave_now, group_g), 0);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    next_change(ref, pid, true);
    next_change(ref, pid, false);
    next_change(ref, cop_self(), true);
    worker_kill(pid);
    next_change(ref, pid, false);
    no_more_changes();
    ck_assert_uint_eq(members("g"), 1); /* a watcher is no member */
}

TEST_TIMES(2, what_was_told_and_not_received_is_gone_when_nobody_watches)
{
    scope_start(_i);
    cop_ref first, second;
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &first, NULL, 0, NULL), 0);
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &second, NULL, 0, NULL), 0);
    ck_assert_uint_ne(first.id, second.id);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_leave(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_demonitor(NULL, first), 0);
    ck_assert_int_eq(cop_pg_demonitor(NULL, first), -ENOENT);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    next_change(second, cop_self(), true);
    next_change(second, cop_self(), false);
    next_change(second, cop_self(), true);
    ck_assert_int_eq(cop_pg_demonitor(NULL, second), 0);
    ck_assert_int_eq(cop_pg_leave(NULL, COP_STR("g")), 0);
    no_more_changes();
}

TEST_TIMES(2, with_what_was_told_of_a_group_nothing_else_is_taken_from_the_mailbox)
{
    cop_ref ref;
    scope_start(_i);
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &ref, NULL, 0, NULL), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(1)), 0);
    cop_monitor(COP_NOBODY);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_demonitor(NULL, ref), 0);
    test_receive(1);
    test_receive(COP_MSG_DOWN);
    ck_assert(!test_has_mail());
    ck_assert_int_eq(cop_pg_leave(NULL, COP_STR("g")), 0);
}

/* How many watch anything in the partition of the group. */
static size_t
watchers(const char *group)
{
    struct copi_place place;
    ck_assert_int_eq(copi_place_find(&place, "pg", COP_STR(group)), 0);
    ck_assert_int_eq(copi_place_enter(&place), 0);
    size_t count = place.partition->watching.holders.count;
    copi_place_leave(&place);
    return count;
}

TEST_TIMES(2, a_watchers_end_is_the_end_of_its_watching)
{
    cop_ref ref;
    scope_start(_i);
    cop_pid pid = worker_start();
    ck_assert_int_eq(worker_do(pid, monitor_now, &ref), 0);
    ck_assert_int_eq(cop_pg_demonitor(NULL, ref), -ENOENT); /* not ours */
    ck_assert_uint_eq(watchers("g"), 1);
    worker_kill(pid);
    EVENTUALLY(watchers("g") == 0);
    ck_assert_int_eq(cop_pg_join(NULL, COP_STR("g")), 0);
    ck_assert_int_eq(cop_pg_leave(NULL, COP_STR("g")), 0);
}

TEST_TIMES(2, members_and_watchers_go_with_their_scope)
{
    cop_ref ref;
    cop_pid scope = scope_start(_i), member = worker_start(), watcher = worker_start();
    ck_assert_int_eq(worker_do(member, join_now, group_g), 0);
    ck_assert_int_eq(worker_do(watcher, monitor_now, &ref), 0);
    cop_ref of_member = cop_monitor(member), of_watcher = cop_monitor(watcher);
    ck_assert_int_eq(cop_supervisor_stop(scope, SOON), 0);
    ck_assert_int_eq(test_down(of_member).kind, COP_SHUTDOWN);
    ck_assert_int_eq(test_down(of_watcher).kind, COP_SHUTDOWN);
    scope_start(_i);
    ck_assert_uint_eq(members("g"), 0);
}

/* ---------------------------------------------------------------- many at once */

static int
come_and_go(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        int r = cop_pg_join(NULL, COP_STR("g"));
        if (r || (i % 3 && (r = cop_pg_leave(NULL, COP_STR("g"))))) {
            return r;
        }
    }
    return 0;
}

TEST_TIMES(2, what_is_told_adds_up_to_who_is_there)
{
    enum {
        CROWD = 4
    };
    cop_ref ref, monitors[CROWD];
    long total = 0;
    scope_start(_i);
    ck_assert_int_eq(cop_pg_monitor(NULL, COP_STR("g"), &ref, NULL, 0, NULL), 0);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(cop_spawn(NULL, come_and_go, .monitor = &monitors[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    for (int i = 0; i < 2 * 50 * CROWD; i++) { /* each join has its end */
        total += COP_BODY(test_receive(COP_MSG_PG), struct cop_pg_change)->joined ? 1 : -1;
        ck_assert_int_ge(total, 0);
    }
    ck_assert_int_eq(total, 0);
    ck_assert_uint_eq(members("g"), 0);
}

SUITE("pg")
