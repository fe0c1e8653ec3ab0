/*
 * tests/supervisor/test_ask.c - what a supervisor is asked: who asks.
 *
 * Room: tests/. Case ids (SUP-052) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/requests.h"
#include "tests/supervisor/tree.h"

#define CHILD(...) (&(const cop_child_spec){__VA_ARGS__})

static void
refused(int r, int code, const char *why)
{
    ck_assert_int_eq(r, code);
    ck_assert_str_eq(why_text(), why);
}

/* ---------------------------------------------------------------- refused */

TEST(a_supervisor_that_is_not_there_is_no_process) /* SUP-052 */
{
    cop_pid sup = start_tree(TREE(.name = "sup"));
    stop_tree(sup);
    cop_child_counts counted;
    size_t count;
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), NULL), -ESRCH);
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), -ESRCH);
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "a", NULL), -ESRCH);
    ck_assert_int_eq(cop_supervisor_delete_child(cop_named("sup"), "a"), -ESRCH);
    ck_assert_int_eq(cop_supervisor_count(sup, &counted), -ESRCH);
    ck_assert_int_eq(cop_supervisor_children(sup, NULL, 0, &count), -ESRCH);
    ck_assert_int_eq(cop_supervisor_child(sup, "a", NULL), -ESRCH);
    ck_assert_int_eq(cop_supervisor_terminate(sup, cop_self()), -ESRCH);
    ck_assert_int_eq(cop_supervisor_start_instance(sup, (cop_bytes){0}, NULL), -ESRCH);
}

TEST(a_specification_that_is_none_is_refused_before_the_supervisor_is_asked) /* SUP-028 */
{
    cop_pid sup = start_tree(TREE(.name = "sup"));
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("a"), .shutdown = -7), NULL), -EINVAL,
            "a: shutdown: -7 is no time");
    refused(cop_supervisor_start_child(sup, CHILD(.genserver = &box), NULL), -EINVAL,
            "child: id: it has 1 to 63 bytes");
    ck_assert_int_eq(cop_supervisor_start_child(sup, NULL, NULL), -EINVAL);
    ck_assert_uint_eq(counts(sup).specs, 0);
}

TEST(a_request_made_by_hand_is_refused_before_the_supervisor_is_asked)
{
    static const uint32_t tags[] = {COPI_START_CHILD, COPI_TERMINATE, COPI_INSTANCE, COPI_COUNT};
    cop_pid sup = start_tree(TREE(.strategy = COP_DYNAMIC));
    struct copi_answer answer;
    cop_msg reply;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        cop_msg request = COP_TAG(tags[i]); /* without what it should carry */
        ck_assert_int_eq(cop_call(sup, request, &answer, sizeof answer, COP_FOREVER), -EINVAL);
        ck_assert_int_eq(cop_call_any(sup, request, &reply, COP_FOREVER), -EINVAL);
        ck_assert_int_eq(cop_cast(sup, request), -EINVAL);
    }
    ck_assert_uint_eq(counts(sup).specs, 0);
}

TEST(who_gives_no_id_is_refused_before_the_supervisor_is_asked)
{
    cop_child_info info = {.restarts = 9};
    cop_pid pid = {9}, nobody = COP_NOBODY;
    ck_assert_int_eq(cop_supervisor_terminate_child(nobody, NULL), -EINVAL);
    ck_assert_int_eq(cop_supervisor_restart_child(nobody, NULL, &pid), -EINVAL);
    ck_assert_int_eq(cop_supervisor_delete_child(nobody, NULL), -EINVAL);
    ck_assert_int_eq(cop_supervisor_child(nobody, NULL, &info), -EINVAL);
    ck_assert_uint_eq(pid.id, 9);
    ck_assert_uint_eq(info.restarts, 9);
}

/* Answers everything with one number, as no supervisor does. */
static cop_step
answer_a_number(void *state, cop_from from, cop_msg request)
{
    int number = 7;
    (void)state, (void)request;
    return cop_reply(from, COP_MSG_OF(7, number));
}
static const cop_genserver impostor = {.type = "impostor", .handle_call = answer_a_number};

TEST(an_answer_of_another_size_is_none)
{
    cop_pid pid;
    cop_child_counts counted;
    cop_child_info info = {.restarts = 9};
    size_t count = 9;
    ck_assert_int_eq(cop_genserver_start(&pid, &impostor), 0);
    ck_assert_int_eq(cop_supervisor_count(pid, &counted), -EMSGSIZE);
    ck_assert_int_eq(cop_supervisor_terminate_child(pid, "a"), -EMSGSIZE);
    ck_assert_int_eq(cop_supervisor_child(pid, "a", &info), -EMSGSIZE);
    ck_assert_int_eq(cop_supervisor_children(pid, &info, 1, &count), -EMSGSIZE);
    ck_assert_uint_eq(count, 9);
    ck_assert_uint_eq(info.restarts, 9);
    ck_assert_int_eq(cop_supervisor_start_child(pid, CHILD(BOX_IS("a")), NULL), -EMSGSIZE);
}

TEST(a_name_that_is_taken_tells_by_whom)
{
    cop_pid sup = start_tree(TREE(.name = "sup")), who = COP_NOBODY;
    ck_assert_int_eq(cop_register("a", cop_self()), 0);
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &who), -EEXIST);
    ck_assert(cop_pid_eq(who, cop_self()));
    ck_assert_uint_eq(counts(sup).specs, 0);
}

TEST(who_is_no_supervisor_cannot_answer)
{
    cop_agent_spec spec = {.state_size = 4};
    cop_pid agent;
    cop_child_counts counted;
    ck_assert_int_eq(
        cop_agent_start_spec(&agent, &spec, &(cop_start_opts){.size = sizeof(cop_start_opts)}), 0);
    ck_assert_int_eq(cop_supervisor_count(agent, &counted), -EOPNOTSUPP);
}

static int
ask_everything(void *arg)
{
    const cop_pid *sup = arg;
    cop_child_counts counted;
    cop_child_info info;
    size_t count;
    int r = cop_supervisor_start_child(*sup, CHILD(BOX_IS("a")), NULL);
    if (r == 0 || r == -EEXIST) {
        r = cop_supervisor_count(*sup, &counted);
    }
    return r ? r : cop_supervisor_children(*sup, &info, 1, &count);
}

TEST(without_memory_a_request_is_refused_and_nothing_has_changed)
{
    cop_pid sup = start_tree(TREE(.name = "sup"));
    int result;
    ck_assert_uint_ge(test_out_of_memory(ask_everything, &sup, &result), 3);
    ck_assert_int_eq(result, 0);
    ck_assert_str_eq(listed(sup), "a=up");
}

static int
ask_for_children(void *arg)
{
    const cop_pid *sup = arg;
    cop_child_info info;
    size_t count;
    return cop_supervisor_children(*sup, &info, 1, &count);
}

TEST(without_memory_there_is_no_list_and_the_next_request_has_one)
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    int result;
    counts(sup);
    ck_assert_uint_ge(test_out_of_memory(ask_for_children, &sup, &result), 1);
    ck_assert_int_eq(result, 0);
    ck_assert_str_eq(listed(sup), "a=up");
}

/* ---------------------------------------------------------------- granted */

TEST(a_list_that_is_too_short_gets_as_many_as_fit)
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"), BOX("b"), BOX("c"))));
    cop_child_info infos[2];
    size_t count = 0;
    ck_assert_int_eq(cop_supervisor_children(sup, infos, 2, &count), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(infos[0].id, "c");
    ck_assert_str_eq(infos[1].id, "b");
    ck_assert(cop_pid_eq(infos[1].pid, cop_whereis("b")));
    ck_assert_int_eq(cop_supervisor_children(sup, NULL, 0, &count), 0);
    ck_assert_uint_eq(count, 3);
}

SUITE("ask")
