/*
 * tests/supervisor/test_requests_dynamic.c - what a supervisor of a dynamic kind is asked.
 *
 * Room: tests/. Case ids (SOF-001) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/requests.h"
#include "supervisor/spec.h"
#include "tests/supervisor/dynamic.h"

#define CHILD(...) CHILD_OF(__VA_ARGS__)

static void
refused(int r, int code, const char *why)
{
    ck_assert_int_eq(r, code);
    ck_assert_str_eq(why_text(), why);
}

/* ---------------------------------------------------------------- a template and its instances */

/* Starts nobody and takes no notice of it. */
static int
decline(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    *out = COP_NOBODY;
    return 0;
}

static int
fail_with_arg(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)out;
    *why = cop_failed(-EIO, "%s", (const char *)arg.data);
    return -EIO;
}

TEST(a_template_has_no_requests_by_id) /* SOF-007 */
{
    cop_pid sup = start_tree(INSTANCES(WORKER(until_asked, .id = "w")));
    static const char word[] = "simple_one_for_one";
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), NULL), -EOPNOTSUPP, word);
    refused(cop_supervisor_terminate_child(sup, "w"), -EOPNOTSUPP, word);
    refused(cop_supervisor_restart_child(sup, "w", NULL), -EOPNOTSUPP, word);
    refused(cop_supervisor_delete_child(sup, "w"), -EOPNOTSUPP, word);
}

TEST(static_children_have_no_requests_by_pid)
{
    for (cop_strategy strategy = COP_ONE_FOR_ONE; strategy <= COP_REST_FOR_ONE; strategy++) {
        cop_pid sup = start_tree(TREE(.strategy = strategy, COP_CHILDREN(BOX("a")))), pid = {9};
        const char *word = copi_strategy_name(strategy);
        refused(cop_supervisor_start_instance(sup, (cop_bytes){0}, &pid), -EOPNOTSUPP, word);
        refused(cop_supervisor_terminate(sup, cop_whereis("a")), -EOPNOTSUPP, word);
        ck_assert_uint_eq(pid.id, 9);
        stop_tree(sup);
    }
}

TEST(an_instance_is_found_by_its_pid) /* SOF-017 */
{
    static const cop_child_spec template = {.id = "t", .worker = until_asked};
    cop_child_info info;
    cop_pid sup = start_tree(INSTANCES(&template)), pid = instance(sup, "x");
    ck_assert_int_eq(cop_supervisor_instance(sup, pid, &info), 0);
    ck_assert(cop_pid_eq(info.pid, pid));
    ck_assert_str_eq(info.id, "t");
    ck_assert_int_eq(cop_supervisor_instance(sup, cop_self(), &info), -ENOENT);
    ck_assert_int_eq(cop_supervisor_terminate(sup, pid), 0);
    ck_assert_int_eq(cop_supervisor_instance(sup, pid, &info), -ENOENT);
    ck_assert_int_eq(cop_supervisor_instance(sup, COP_NOBODY, &info), -ENOENT);
    cop_pid other = start_tree(TREE(.name = NULL));
    ck_assert_int_eq(cop_supervisor_instance(other, pid, &info), -EOPNOTSUPP);
    stop_tree(other);
    stop_tree(sup);
}

TEST(a_template_alone_is_known_but_runs_nothing) /* SOF-001 */
{
    cop_pid sup = start_tree(INSTANCES(WORKER(until_asked, .id = "w")));
    cop_child_counts counted = counts(sup);
    ck_assert_uint_eq(counted.specs, 1);
    ck_assert_uint_eq(counted.active + counted.workers + counted.supervisors, 0);
    ck_assert_str_eq(listed(sup), "");
}

TEST(an_instance_that_declines_is_not_kept) /* SOF-004 */
{
    for (cop_restart rule = COP_PERMANENT; rule <= COP_TEMPORARY; rule++) {
        cop_pid sup = start_tree(INSTANCES(CHILD(.id = "w", .start = decline, .restart = rule)));
        ck_assert(cop_pid_eq(instance(sup, "x"), COP_NOBODY));
        ck_assert_str_eq(listed(sup), "");
        stop_tree(sup);
    }
}

TEST(an_instance_whose_start_fails_is_answered_and_not_kept) /* SOF-005 */
{
    record_reports();
    cop_pid sup = start_tree(INSTANCES(CHILD(.id = "w", .start = fail_with_arg))), pid = {9};
    refused(cop_supervisor_start_instance(sup, COP_STR("oops"), &pid), -EIO, "oops");
    ck_assert_uint_eq(pid.id, 9);
    ck_assert_str_eq(listed(sup), "");
    HAPPENED("");
}

TEST(an_instance_needs_bytes_where_it_says_so)
{
    cop_pid sup = start_tree(INSTANCES(WORKER(until_asked, .id = "w")));
    ck_assert_int_eq(cop_supervisor_start_instance(sup, (cop_bytes){NULL, 3}, NULL), -EINVAL);
    ck_assert_int_eq(cop_supervisor_start_instance(sup, (cop_bytes){0}, NULL), 0);
}

static int
note_arg(cop_bytes arg)
{
    note("%.*s", (int)arg.size, (const char *)arg.data);
    return until_asked(arg);
}

TEST(an_instance_gets_the_template_s_argument_and_its_own) /* SOF-001 */
{
    cop_pid sup = start_tree(INSTANCES(WORKER(note_arg, .id = "w", .arg = {"left-", 5})));
    instance(sup, "right");
    EVENTUALLY(heard == 1);
    HAPPENED("left-right");
    ck_assert_int_eq(cop_supervisor_start_instance(sup, (cop_bytes){0}, NULL), 0);
    EVENTUALLY(heard == 2);
    HAPPENED("left-");
}

TEST(a_template_shows_its_specification)
{
    cop_child_info info;
    cop_pid sup = start_tree(
        INSTANCES(WORKER(until_asked, .id = "w", .restart = COP_TEMPORARY, .shutdown = 7)));
    instance(sup, "x");
    ck_assert_int_eq(cop_supervisor_child(sup, "w", &info), 0);
    ck_assert_str_eq(info.id, "w");
    ck_assert_int_eq(info.restart, COP_TEMPORARY);
    ck_assert_int_eq(info.shutdown, 7);
    ck_assert(cop_pid_eq(info.pid, COP_NOBODY));
    refused(cop_supervisor_child(sup, "x", &info), -ENOENT, "not_found");
}

TEST(a_dead_instance_is_as_good_as_stopped_but_a_stranger_is_none)
{
    cop_pid sup = start_tree(INSTANCES(WORKER(until_asked, .id = "w")));
    cop_pid pid = instance(sup, "x");
    ck_assert_int_eq(cop_supervisor_terminate(sup, pid), 0);
    ck_assert(!cop_alive(pid));
    ck_assert_int_eq(cop_supervisor_terminate(sup, pid), 0);
    refused(cop_supervisor_terminate(sup, cop_self()), -ENOENT, "not_found");
    ck_assert_int_eq(cop_supervisor_terminate(sup, COP_NOBODY), 0);
}

/* ---------------------------------------------------------------- dynamic children */

TEST(dynamic_children_have_no_requests_by_id)
{
    cop_child_info info;
    cop_pid sup = start_tree(DYNAMIC());
    refused(cop_supervisor_start_instance(sup, (cop_bytes){0}, NULL), -EOPNOTSUPP, "dynamic");
    refused(cop_supervisor_terminate_child(sup, "a"), -EOPNOTSUPP, "dynamic");
    refused(cop_supervisor_restart_child(sup, "a", NULL), -EOPNOTSUPP, "dynamic");
    refused(cop_supervisor_delete_child(sup, "a"), -EOPNOTSUPP, "dynamic");
    refused(cop_supervisor_child(sup, "a", &info), -EOPNOTSUPP, "dynamic");
}

TEST(who_is_no_child_or_no_longer_one_is_not_found) /* DYN-022 */
{
    cop_pid sup = start_tree(DYNAMIC());
    cop_pid pid = started(sup, WORKER(until_asked));
    ck_assert_int_eq(cop_supervisor_terminate(sup, pid), 0);
    ck_assert(!cop_alive(pid));
    refused(cop_supervisor_terminate(sup, pid), -ENOENT, "not_found");
    refused(cop_supervisor_terminate(sup, cop_self()), -ENOENT, "not_found");
    refused(cop_supervisor_terminate(sup, COP_NOBODY), -ENOENT, "not_found");
}

TEST(a_child_may_be_terminated_by_its_name)
{
    cop_pid sup = start_tree(DYNAMIC());
    cop_pid pid = started(sup, &(cop_child_spec)BOX("a"));
    ck_assert_int_eq(cop_supervisor_terminate(sup, cop_named("a")), 0);
    ck_assert(!cop_alive(pid));
    refused(cop_supervisor_terminate(sup, cop_named("a")), -ENOENT, "not_found");
    HAPPENED("+a -a");
}

TEST(one_too_many_is_refused_before_it_starts) /* DYN-012 */
{
    cop_pid sup = start_tree(DYNAMIC(.max_children = 2)), pid = {9};
    cop_pid first = started(sup, &(cop_child_spec)BOX("a"));
    started(sup, &(cop_child_spec)BOX("b"));
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("c")), &pid), -EAGAIN, "max_children");
    ck_assert_uint_eq(pid.id, 9);
    HAPPENED("+a +b");
    ck_assert_int_eq(cop_supervisor_terminate(sup, first), 0);
    started(sup, &(cop_child_spec)BOX("c"));
}

TEST(one_between_two_attempts_takes_up_room) /* DYN-012 */
{
    cop_pid sup = start_tree(DYNAMIC(.max_children = 1, .backoff_min = COP_SEC(60)));
    end_pid(started(sup, CHILD(BOX_IS("a"))), BOOM);
    EVENTUALLY(strcmp(listed(sup), "=restarting") == 0);
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("b")), NULL), -EAGAIN, "max_children");
}

TEST(none_is_a_limit_too) /* DYN-012 */
{
    cop_supervisor_spec spec = *INSTANCES(WORKER(until_asked, .id = "w"));
    spec.max_children = COP_NO_CHILDREN;
    cop_pid sup = start_tree(DYNAMIC(.max_children = COP_NO_CHILDREN));
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("c")), NULL), -EAGAIN, "max_children");
    sup = start_tree(&spec);
    refused(cop_supervisor_start_instance(sup, (cop_bytes){0}, NULL), -EAGAIN, "max_children");
    ck_assert_int_eq(heard, 0);
}

TEST(a_dynamic_child_cannot_be_significant)
{
    cop_pid sup = start_tree(DYNAMIC());
    refused(cop_supervisor_start_child(
                sup, WORKER(until_asked, .restart = COP_TEMPORARY, .significant = true), NULL),
            -EINVAL, "{bad_combination,[{auto_shutdown,never},{significant,true}]}");
}

TEST(only_a_dynamic_child_that_started_is_kept) /* DYN-010 */
{
    boxes[0].plan = "if";
    cop_pid sup = start_tree(DYNAMIC(.max_children = 1)), pid = {9};
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &pid), 0);
    ck_assert(cop_pid_eq(pid, COP_NOBODY));
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &pid), -EBUSY, "busy");
    ck_assert_str_eq(listed(sup), "");
    started(sup, &(cop_child_spec)BOX("a"));
    ck_assert_str_eq(listed(sup), "=up");
}

TEST(dynamic_children_need_no_ids_and_may_share_them) /* DYN-007 */
{
    cop_pid sup = start_tree(DYNAMIC());
    started(sup, WORKER(until_asked));
    started(sup, WORKER(until_asked, .id = "same"));
    started(sup, WORKER(until_asked, .id = "same"));
    ck_assert_str_eq(listed(sup), "=up =up =up");
    refused(cop_supervisor_start_child(sup, WORKER(until_asked, .id = ""), NULL), -EINVAL,
            "child: id: it has 1 to 63 bytes");
}

TEST(extra_comes_before_the_argument) /* DYN-008 */
{
    cop_pid sup = start_tree(DYNAMIC(.extra = {"all-", 4}));
    started(sup, WORKER(note_arg, .arg = COP_STR("own"), .restart = COP_TEMPORARY));
    EVENTUALLY(heard == 1);
    HAPPENED("all-own");
    started(sup, WORKER(note_arg));
    EVENTUALLY(heard == 2);
    HAPPENED("all-");
}

TEST(dynamic_children_are_counted_by_what_they_are) /* DYN-021 */
{
    cop_pid sup = start_tree(DYNAMIC());
    started(sup, WORKER(until_asked));
    started(sup, CHILD(.supervisor = DYNAMIC()));
    cop_child_counts counted = counts(sup);
    ck_assert_uint_eq(counted.specs, 2);
    ck_assert_uint_eq(counted.active, 2);
    ck_assert_uint_eq(counted.supervisors, 1);
    ck_assert_uint_eq(counted.workers, 1);
}

static int
start_dynamically(void *arg)
{
    const cop_pid *sup = arg;
    cop_pid pid;
    int r = sup[0].id ? cop_supervisor_start_child(sup[0], WORKER(until_asked), &pid)
                      : cop_supervisor_start_instance(sup[1], COP_STR("x"), &pid);
    if (r == 0) {
        copi_alloc_fail_after(-1);
        ck_assert_int_eq(cop_supervisor_terminate(sup[0].id ? sup[0] : sup[1], pid), 0);
    }
    return r;
}

TEST_TIMES(2, without_memory_a_dynamic_child_is_not_started_and_not_kept)
{
    cop_pid sup[2] = {COP_NOBODY, COP_NOBODY};
    sup[_i] = start_tree(_i ? INSTANCES(WORKER(until_asked, .id = "w", .arg = COP_STR("y")))
                            : DYNAMIC(.extra = COP_STR("x")));
    int result;
    ck_assert_uint_ge(test_out_of_memory(start_dynamically, sup, &result), 3);
    ck_assert_int_eq(result, 0);
    ck_assert_str_eq(listed(sup[_i]), "");
}

SUITE("requests_dynamic")
