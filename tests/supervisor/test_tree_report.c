/*
 * tests/supervisor/test_tree_report.c - a picture of all processes, as a tree, in lines of a log.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "tests/supervisor/long_chain.h"
#include "tests/supervisor/tree.h"
#include "tests/support/support.h"

#include <unistd.h>

static char *
picture(void)
{
    test_catch_stderr();
    cop_report_tree();
    return test_caught_stderr();
}

static void
shows(const char *picture, const char *line)
{
    ck_assert_msg(strstr(picture, line), "no \"%s\" in:\n%s", line, picture);
}

TEST(without_memory_it_says_so)
{
    cop_self();
    test_catch_stderr();
    copi_alloc_fail_after(0);
    cop_report_tree();
    copi_alloc_fail_after(-1);
    char *said = test_caught_stderr();
    shows(said, "error: no memory for a picture of the tree\n");
    free(said);
}

TEST(children_stand_below_their_supervisor)
{
    cop_pid sup = start_tree(TREE(.name = "root", COP_CHILDREN(BOX("a"), BOX("b"))));
    EVENTUALLY(is_at_rest(sup));
    char *said = picture();
    shows(said, "notice: 4 processes, 0 restarts, 0 disowned\n");
    shows(said, "notice:   root: ");
    shows(said, "notice:     a: ");
    ck_assert(strstr(said, " a: ") < strstr(said, " b: "));
    free(said);
}

TEST(a_child_is_shown_with_how_often_it_was_restarted)
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    end_box_of(sup, "a", BOOM);
    char *said = picture();
    shows(said, "notice:     a: waiting, restarted 1 times\n");
    free(said);
}

static atomic_bool let_go;

static int
hang(cop_bytes unused)
{
    (void)unused;
    while (!atomic_load(&let_go)) {
        usleep(1000);
    }
    return 0;
}

TEST(who_is_stuck_is_shown_with_its_time_and_its_mail)
{
    cop_pid pid;
    cop_ref down;
    ck_assert_int_eq(cop_spawn(&pid, hang, .name = "stuck", .monitor = &down), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(1)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(2)), 0);
    cop_process_info info;
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.callback);
    char *said = picture();
    shows(said, "  stuck: in run for 0.");
    shows(said, ", 2 messages, the oldest for 0.");
    free(said);
    atomic_store(&let_go, true);
    test_down(down);
}

static int
call_stuck(cop_bytes unused)
{
    (void)unused;
    cop_call(cop_named("server"), COP_TAG(1), NULL, 0, COP_FOREVER);
    return 0;
}

static cop_step
hang_in_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    hang((cop_bytes){0});
    return cop_reply(from, COP_TAG(0));
}

TEST(who_waits_for_another_is_shown_with_whom)
{
    static const cop_genserver server = {.type = "server", .handle_call = hang_in_call};
    cop_pid pid, client;
    cop_ref down;
    cop_process_info info;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "server"), 0);
    ck_assert_int_eq(cop_spawn(&client, call_stuck, .name = "client", .monitor = &down), 0);
    EVENTUALLY(cop_inspect(client, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    char *said = picture();
    shows(said, ", for server\n");
    free(said);
    atomic_store(&let_go, true);
    test_down(down);
}

static int
be_a_parent(cop_bytes unused)
{
    (void)unused;
    return cop_spawn(NULL, test_wait_for_end, .name = "orphan");
}

TEST(whose_parent_has_ended_is_a_root)
{
    cop_ref down;
    ck_assert_int_eq(cop_spawn(NULL, be_a_parent, .monitor = &down), 0);
    test_down(down);
    char *said = picture();
    shows(said, "notice:   orphan: waiting\n");
    free(said);
}

TEST(a_long_chain_is_cut_off)
{
    start_long_chain();
    char *said = picture();
    ck_assert_uint_gt(test_count(said, "waiting"), 60);
    ck_assert_uint_lt(test_count(said, "waiting"), 80);
    free(said);
}

SUITE("tree_report")
