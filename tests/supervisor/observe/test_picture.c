/*
 * tests/supervisor/observe/test_picture.c - all processes, as the tree in which they stand.
 *
 * Room: tests/.
 */
#include "runtime/inspect.h"
#include "runtime/process.h"
#include "tests/supervisor/long_chain.h"
#include "tests/supervisor/tree.h"
#include "tests/support/support.h"

#include <sys/wait.h>
#include <unistd.h>

static cop_picture *
take(void)
{
    cop_picture *picture;
    ck_assert_int_eq(cop_picture_take(&picture), 0);
    return picture;
}

static size_t
index_of(const cop_picture *picture, cop_pid pid)
{
    size_t i = 0;
    while (i < picture->count && !cop_pid_eq(picture->nodes[i].pid, pid)) {
        i++;
    }
    ck_assert_uint_lt(i, picture->count);
    return i;
}

static const cop_picture_node *
node_of(const cop_picture *picture, cop_pid pid)
{
    return &picture->nodes[index_of(picture, pid)];
}

static cop_pid
above(const cop_picture *picture, cop_pid pid)
{
    const cop_picture_node *node = node_of(picture, pid);
    return node->depth == 0 ? COP_NOBODY : picture->nodes[node->parent].pid;
}

/* What holds of every picture. */
static void
is_a_tree(const cop_picture *picture)
{
    for (size_t i = 0; i < picture->count; i++) {
        const cop_picture_node *node = &picture->nodes[i];
        if (node->depth == 0) {
            ck_assert_uint_eq(node->parent, i);
        } else {
            ck_assert_uint_lt(node->parent, i);
            ck_assert_uint_eq(node->depth, picture->nodes[node->parent].depth + 1);
            /* and between the two there are only such as are below the parent */
            for (size_t j = node->parent + 1; j < i; j++) {
                ck_assert_uint_ge(picture->nodes[j].depth, node->depth);
            }
        }
    }
}

/* ---------------------------------------------------------------- unhappy things */

static int
attempt(void *arg)
{
    return cop_picture_take(arg);
}

TEST(without_memory_there_is_none)
{
    cop_self();
    cop_picture *picture = NULL;
    int r;
    ck_assert_uint_eq(test_out_of_memory(attempt, &picture, &r), 6);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(picture->count, 1);
    cop_picture_free(picture);
}

TEST(nothing_is_given_back_without_harm)
{
    cop_picture_free(NULL);
}

TEST(in_the_child_of_a_fork_there_is_none)
{
    cop_self();
    pid_t child = fork();
    if (child == 0) {
        cop_picture *picture;
        _exit(cop_picture_take(&picture) == -EPERM ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* ---------------------------------------------------------------- order */

TEST(a_thread_that_only_looks_is_a_process_of_its_own_or_none)
{
    cop_picture *picture = take();
    ck_assert_uint_le(picture->count, 1);
    is_a_tree(picture);
    cop_picture_free(picture);
}

TEST(children_stand_below_their_supervisor_in_the_order_of_their_places)
{
    cop_pid sup = start_tree(TREE(.name = "root", COP_CHILDREN(BOX("a"), BOX("b"), BOX("c"))));
    cop_picture *picture = take();
    is_a_tree(picture);
    size_t root = index_of(picture, sup);
    const char *ids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        const cop_picture_node *child = &picture->nodes[root + 1 + i];
        ck_assert_str_eq(child->info.child_id, ids[i]);
        ck_assert(cop_pid_eq(child->info.supervisor, sup));
        ck_assert_uint_eq(child->parent, root);
        ck_assert_uint_eq(child->info.restarts, 0);
    }
    ck_assert_str_eq(picture->nodes[root].info.kind, "supervisor");
    ck_assert_str_eq(picture->nodes[root].info.strategy, "one_for_one");
    cop_picture_free(picture);
}

TEST(a_restarted_child_keeps_its_place_and_has_been_restarted)
{
    cop_pid sup = start_tree(TREE(.name = "root", COP_CHILDREN(BOX("a"), BOX("b"))));
    end_box_of(sup, "a", BOOM);
    cop_picture *picture = take();
    size_t root = index_of(picture, sup);
    ck_assert_str_eq(picture->nodes[root + 1].info.child_id, "a");
    ck_assert_uint_eq(picture->nodes[root + 1].info.restarts, 1);
    ck_assert_uint_eq(picture->nodes[root + 2].info.restarts, 0);
    ck_assert_uint_eq(picture->restarts, 1);
    cop_picture_free(picture);
}

TEST(those_restarted_for_a_siblings_sake_have_been_restarted_too)
{
    cop_pid sup = start_tree(
        TREE(.name = "root", .strategy = COP_ONE_FOR_ALL, COP_CHILDREN(BOX("a"), BOX("b"))));
    end_box_of(sup, "a", BOOM);
    cop_picture *picture = take();
    ck_assert_uint_eq(node_of(picture, cop_whereis("a"))->info.restarts, 1);
    ck_assert_uint_eq(node_of(picture, cop_whereis("b"))->info.restarts, 1);
    ck_assert_str_eq(node_of(picture, sup)->info.strategy, "one_for_all");
    ck_assert_uint_eq(picture->restarts, 1);
    cop_picture_free(picture);
}

static _Atomic uint64_t below;

static int
be_above(cop_bytes unused)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .link = true), 0);
    atomic_store(&below, pid.id);
    return test_wait_for_end(unused);
}

TEST(others_stand_below_who_started_them_with_a_link)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, be_above), 0);
    EVENTUALLY(atomic_load(&below) != 0);
    cop_picture *picture = take();
    is_a_tree(picture);
    ck_assert(cop_pid_eq(above(picture, (cop_pid){atomic_load(&below)}), pid));
    ck_assert(cop_pid_eq(above(picture, pid), COP_NOBODY));
    cop_picture_free(picture);
}

static int
start_alone(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    int r = cop_spawn(out, test_wait_for_end);
    return r ? r : cop_link(*out);
}

TEST(a_child_that_was_started_without_a_link_stands_below_its_supervisor)
{
    cop_pid sup =
        start_tree(TREE(.name = "root", COP_CHILDREN({.id = "alone", .start = start_alone})));
    cop_child_info child;
    ck_assert_int_eq(cop_supervisor_child(sup, "alone", &child), 0);
    cop_picture *picture = take();
    is_a_tree(picture);
    ck_assert_uint_eq(node_of(picture, child.pid)->info.parent.id, 0);
    ck_assert(cop_pid_eq(above(picture, child.pid), sup));
    cop_picture_free(picture);
}

static int
survive(cop_bytes unused)
{
    cop_trap_exits(true);
    return test_wait_for_end(unused);
}

TEST(whose_supervisor_has_been_killed_is_a_root)
{
    cop_pid sup =
        start_tree(TREE(.name = "root", COP_CHILDREN({.id = "a", .name = "a", .worker = survive})));
    cop_pid child = cop_whereis("a");
    cop_process_info info;
    EVENTUALLY(cop_inspect(child, &info) == 0 && info.traps_exits);
    cop_ref down = cop_monitor(sup);
    cop_exit_signal(sup, COP_REASON_KILLED);
    test_down(down);
    cop_picture *picture = take();
    is_a_tree(picture);
    ck_assert(cop_pid_eq(above(picture, child), COP_NOBODY));
    ck_assert(cop_pid_eq(node_of(picture, child)->info.supervisor, sup));
    cop_picture_free(picture);
    down = cop_monitor(child);
    cop_exit_signal(child, COP_REASON_KILLED);
    test_down(down);
}

/* ---------------------------------------------------------------- what is no tree */

static cop_pid ring;

static int
give_who_is_above(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    *out = ring;
    return 0;
}

static int
be_in_a_ring(cop_bytes unused)
{
    ring = cop_self();
    cop_pid sup;
    ck_assert_int_eq(
        cop_supervisor_start(&sup, TREE(.name = "root", .link = true,
                                        COP_CHILDREN({.id = "above", .start = give_who_is_above}))),
        0);
    return test_wait_for_end(unused);
}

TEST(a_ring_is_drawn_once_and_in_full)
{
    cop_pid pid;
    cop_process_info info;
    ck_assert_int_eq(cop_spawn(&pid, be_in_a_ring), 0);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.supervisor.id);
    cop_picture *picture = take();
    is_a_tree(picture);
    ck_assert_uint_eq(picture->count, 3); /* and this test */
    index_of(picture, pid);
    index_of(picture, cop_whereis("root"));
    cop_picture_free(picture);
}

TEST(a_long_chain_is_drawn_to_its_end)
{
    start_long_chain();
    cop_picture *picture = take();
    is_a_tree(picture);
    ck_assert_uint_eq(picture->count, LONG_CHAIN + 2);
    ck_assert_uint_eq(picture->nodes[LONG_CHAIN + 1].depth, LONG_CHAIN);
    cop_picture_free(picture);
}

static atomic_bool enough;

static int
come_and_go(cop_bytes unused)
{
    (void)unused;
    while (!atomic_load(&enough)) {
        cop_ref monitor;
        cop_pid pid;
        if (cop_spawn(&pid, test_wait_for_end, .link = true, .monitor = &monitor) == 0) {
            cop_unlink(pid);
            cop_exit_signal(pid, COP_REASON_KILLED);
            test_down(monitor);
        }
    }
    return 0;
}

TEST(while_processes_come_and_go_it_is_a_tree)
{
    enum {
        COUNT = 4
    };
    cop_ref down[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(cop_spawn(NULL, come_and_go, .monitor = &down[i]), 0);
    }
    for (int i = 0; i < (TEST_SANITIZED ? 200 : 2000); i++) {
        cop_picture *picture = take();
        is_a_tree(picture);
        ck_assert_uint_ge(picture->count, COUNT);
        cop_picture_free(picture);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < COUNT; i++) {
        test_down(down[i]);
    }
}

/* ---------------------------------------------------------------- the whole */

TEST(it_says_whose_it_is_and_how_the_program_is_doing)
{
    cop_time before = cop_now();
    cop_self();
    cop_picture *picture = take();
    ck_assert_int_eq(picture->os_pid, getpid());
    ck_assert(strstr(picture->program, "test_picture"));
    ck_assert(picture->taken >= before);
    ck_assert(picture->uptime >= 0 && picture->uptime <= picture->taken);
    ck_assert_uint_eq(picture->disowned, 0);
    ck_assert_uint_eq(picture->tainted, 0);
    ck_assert_uint_eq(picture->live_count, cop_live(NULL, 0));
    ck_assert_str_eq(picture->live[0].kind, "processes");
    cop_picture_free(picture);
}

SUITE("picture")
