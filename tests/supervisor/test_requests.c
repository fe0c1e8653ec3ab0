/*
 * tests/supervisor/test_requests.c - what a supervisor is asked: what it does, and what it answers.
 *
 * Room: tests/. Case ids (SUP-040) are those of the conformance list.
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

TEST(an_unknown_id_is_not_found) /* SUP-044 */
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    refused(cop_supervisor_terminate_child(sup, "nobody"), -ENOENT, "not_found");
    refused(cop_supervisor_restart_child(sup, "nobody", NULL), -ENOENT, "not_found");
    refused(cop_supervisor_delete_child(sup, ""), -ENOENT, "not_found");
}

TEST(the_specification_of_nobody_is_not_found) /* SUP-025 */
{
    cop_child_info info = {.restarts = 9};
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    refused(cop_supervisor_child(sup, "b", &info), -ENOENT, "not_found");
    ck_assert_uint_eq(info.restarts, 9); /* as it was */
}

TEST(a_child_that_runs_is_not_started_again) /* SUP-040 */
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a")))), who = COP_NOBODY;
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &who), -EEXIST, "already_started");
    ck_assert(cop_pid_eq(who, cop_whereis("a")));
    HAPPENED("+a");
}

TEST(a_child_that_is_known_is_not_added_again) /* SUP-041 */
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), NULL), -EALREADY,
            "already_present");
}

TEST(a_child_that_runs_is_neither_restarted_nor_deleted) /* SUP-047, SUP-049 */
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    refused(cop_supervisor_restart_child(sup, "a", NULL), -EBUSY, "running");
    refused(cop_supervisor_delete_child(sup, "a"), -EBUSY, "running");
    HAPPENED("+a");
}

TEST(a_significant_child_needs_the_right_supervisor) /* SUP-034 */
{
    cop_pid sup = start_tree(TREE(.name = "sup"));
    refused(cop_supervisor_start_child(
                sup, CHILD(BOX_IS("a"), .significant = true, .restart = COP_TRANSIENT), NULL),
            -EINVAL, "{bad_combination,[{auto_shutdown,never},{significant,true}]}");
    ck_assert_uint_eq(counts(sup).specs, 0);
}

TEST(a_start_that_fails_is_answered_and_not_kept) /* SUP-013, SUP-133 */
{
    record_reports();
    boxes[0].plan = "f+";
    cop_pid sup = start_tree(TREE(.name = "sup")), pid = {9};
    refused(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &pid), -EBUSY, "busy");
    ck_assert_uint_eq(pid.id, 9);
    ck_assert_uint_eq(counts(sup).specs, 0);
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &pid), 0);
    HAPPENED("!a +a"); /* and no report */
}

TEST(a_restart_that_fails_leaves_the_child_as_it_was) /* SUP-014 */
{
    boxes[0].plan = "+f+";
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a")))), pid;
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    refused(cop_supervisor_restart_child(sup, "a", &pid), -EBUSY, "busy");
    ck_assert_str_eq(listed(sup), "a=down");
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "a", &pid), 0);
    ck_assert(cop_pid_eq(pid, cop_whereis("a")));
}

TEST(a_call_that_is_no_request_is_refused_and_reported)
{
    record_reports();
    cop_pid sup = start_tree(TREE(.name = "sup"));
    int answer;
    ck_assert_int_eq(cop_call(sup, COP_TAG(7), COP_OUT(answer), SOON), -EMSGSIZE);
    HAPPENED("unexpected(- message 7 of 0 bytes)");
}

/* ---------------------------------------------------------------- asked from inside */

static cop_step
ask_in_init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_child_counts counted;
    note("%s", cop_supervisor_count(cop_named("sup"), &counted) == -EDEADLK ? "refused" : "hm");
    return cop_ok();
}
static const cop_genserver asks = {.type = "asks", .init = ask_in_init};

TEST(a_child_that_asks_while_it_is_started_is_refused)
{
    start_tree(TREE(.name = "sup", COP_CHILDREN({.id = "a", .genserver = &asks})));
    HAPPENED("refused");
}

static int
ask_own_supervisor(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    cop_child_counts counted;
    *out = COP_NOBODY;
    return cop_supervisor_count(cop_self(), &counted);
}

TEST(a_start_function_that_asks_its_own_supervisor_is_refused)
{
    cop_pid sup = start_tree(TREE(.name = "sup"));
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(.id = "a", .start = ask_own_supervisor),
                                                NULL),
                     -EDEADLK);
}

static int
stop_myself(cop_bytes arg)
{
    (void)arg;
    int r = cop_supervisor_terminate_child(cop_named("sup"), "a");
    note("%s", r == -ECANCELED ? "asked" : "hm");
    return r;
}

TEST(a_child_that_has_itself_stopped_is_stopped)
{
    cop_pid sup = start_tree(TREE(.name = "sup", COP_CHILDREN({.id = "a", .worker = stop_myself})));
    EVENTUALLY(counts(sup).active == 0);
    HAPPENED("asked");
    ck_assert_str_eq(listed(sup), "a=down");
}

/* ---------------------------------------------------------------- granted */

TEST(the_life_of_a_child_by_request) /* SUP-042, SUP-043, SUP-046, SUP-049, SUP-060 */
{
    cop_pid sup = start_tree(TREE(.name = "sup")), first, second;
    ck_assert_str_eq(listed(sup), "");
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &first), 0);
    ck_assert_str_eq(listed(sup), "a=up");
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    ck_assert(!cop_alive(first));
    ck_assert_str_eq(listed(sup), "a=down");
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "a", &second), 0);
    ck_assert(cop_alive(second) && !cop_pid_eq(first, second));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    ck_assert_int_eq(cop_supervisor_delete_child(sup, "a"), 0);
    refused(cop_supervisor_restart_child(sup, "a", NULL), -ENOENT, "not_found");
    HAPPENED("+a -a +a -a");
}

TEST(a_child_keeps_its_place_when_it_is_restarted) /* SUP-046, SUP-053 */
{
    cop_pid sup = start_tree(TREE(COP_CHILDREN(BOX("a"), BOX("b"))));
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("c")), NULL), 0);
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "b"), 0);
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "b", NULL), 0);
    ck_assert_str_eq(listed(sup), "c=up b=up a=up");
}

TEST(a_child_that_declines_is_kept_unless_it_is_temporary) /* SUP-012 */
{
    boxes[0].plan = "i+";
    boxes[1].plan = "i+";
    cop_pid sup = start_tree(TREE(.name = "sup")), pid = {9};
    ck_assert_int_eq(cop_supervisor_start_child(sup, CHILD(BOX_IS("a")), &pid), 0);
    ck_assert(cop_pid_eq(pid, COP_NOBODY));
    ck_assert_int_eq(
        cop_supervisor_start_child(sup, CHILD(BOX_IS("b"), .restart = COP_TEMPORARY), NULL), 0);
    cop_child_counts counted = counts(sup);
    ck_assert_uint_eq(counted.specs, 1);
    ck_assert_uint_eq(counted.active, 0);
    ck_assert_uint_eq(counted.workers, 1);
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "a", &pid), 0);
    ck_assert(cop_alive(pid));
}

static int
start_box(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)why;
    return cop_genserver_start(out, &box, .arg = arg, .link = true);
}

TEST(a_child_tells_its_specification) /* SUP-024 */
{
    cop_child_info info;
    cop_pid sup = start_tree(
        TREE(.auto_shutdown = COP_ANY_SIGNIFICANT,
             COP_CHILDREN(BOX("a"),
                          BOX_WITH("b", .restart = COP_TEMPORARY, .shutdown = COP_BRUTAL_KILL,
                                   .significant = true),
                          {.id = "c", .start = start_box, .arg = {"c", 1}, .supervises = true})));
    ck_assert_int_eq(cop_supervisor_child(sup, "a", &info), 0);
    ck_assert_str_eq(info.id, "a");
    ck_assert(cop_pid_eq(info.pid, cop_whereis("a")));
    ck_assert_int_eq(info.restart, COP_PERMANENT);
    ck_assert_int_eq(info.shutdown, COP_SEC(5));
    ck_assert(!info.is_supervisor && !info.significant && !info.restarting);
    ck_assert_int_eq(cop_supervisor_child(sup, "b", &info), 0);
    ck_assert_int_eq(info.restart, COP_TEMPORARY);
    ck_assert_int_eq(info.shutdown, COP_BRUTAL_KILL);
    ck_assert(info.significant);
    ck_assert_int_eq(cop_supervisor_child(sup, "c", &info), 0);
    ck_assert(info.is_supervisor);
    ck_assert_int_eq(info.shutdown, COP_FOREVER);
    ck_assert_uint_eq(counts(sup).supervisors, 1);
}

/* What a library offers to its users in place of a module that generates a child_spec. */
static cop_child_spec
box_spec(const char *letter)
{
    return (cop_child_spec)BOX(letter);
}

TEST(a_specification_is_made_by_a_function_and_changed_by_assignment) /* SUP-038 */
{
    cop_child_info info;
    cop_pid sup = start_tree(TREE(.name = "sup"));
    cop_child_spec spec = box_spec("a");
    spec.id = "another";
    spec.restart = COP_TEMPORARY;
    spec.shutdown = COP_MS(7);
    ck_assert_int_eq(cop_supervisor_start_child(sup, &spec, NULL), 0);
    ck_assert_int_eq(cop_supervisor_child(sup, "another", &info), 0);
    ck_assert_int_eq(info.restart, COP_TEMPORARY);
    ck_assert_int_eq(info.shutdown, COP_MS(7));
    HAPPENED("+a");
}

static int
end_in_its_own_way(cop_bytes arg)
{
    (void)arg;
    note("up");
    while (cop_sleep(COP_SEC(60)) == 0) {
    }
    cop_exit(cop_failed(-EIO, "own_way"));
}

TEST(who_is_asked_to_stop_and_ends_in_its_own_way_is_judged_by_that) /* SUP-076 */
{
    record_reports();
    cop_pid sup = start_tree(TREE(COP_CHILDREN({.id = "a", .worker = end_in_its_own_way})));
    EVENTUALLY(has_happened("up"));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    HAPPENED("up shutdown_error(a own_way)");
}

TEST(a_temporary_child_is_forgotten_when_it_is_terminated) /* SUP-070 */
{
    cop_pid sup = start_tree(TREE(.name = "sup"));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            cop_supervisor_start_child(sup, CHILD(BOX_IS("a"), .restart = COP_TEMPORARY), NULL), 0);
        ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
        refused(cop_supervisor_restart_child(sup, "a", NULL), -ENOENT, "not_found");
    }
    HAPPENED("+a -a +a -a");
}

TEST(a_permanent_child_that_was_added_is_restarted_with_its_argument) /* SUP-073 */
{
    char letter[] = "a";
    cop_pid sup = start_tree(TREE(.name = "sup"));
    ck_assert_int_eq(
        cop_supervisor_start_child(
            sup, CHILD(.id = letter, .name = letter, .genserver = &box, .arg = {letter, 1}), NULL),
        0);
    letter[0] = 'z';
    end_box_of(sup, "a", BOOM);
    HAPPENED("+a +a");
}

TEST(children_are_counted_by_what_they_are) /* SUP-056 */
{
    cop_pid sup = start_tree(
        TREE(COP_CHILDREN(BOX("a"), BOX("b"), {.id = "s", .supervisor = TREE(.name = "inner")})));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    cop_child_counts counted = counts(sup);
    ck_assert_uint_eq(counted.specs, 3);
    ck_assert_uint_eq(counted.active, 2);
    ck_assert_uint_eq(counted.supervisors, 1);
    ck_assert_uint_eq(counted.workers, 2);
}

/* ---------------------------------------------------------------- between two attempts */

static _Atomic bool gate_is_open;
static _Atomic int tries;

/* The second start waits at a gate and then fails. */
static int
gated_start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg;
    int number = ++tries;
    if (number == 2) {
        EVENTUALLY(gate_is_open);
        *why = cop_failed(-EIO, "no");
        return -EIO;
    }
    return cop_genserver_start(out, &box, .name = "b", .arg = {"b", 1}, .link = true);
}

struct asked {
    cop_pid sup;
    int (*ask)(cop_pid sup);
    const char *as;
};

static int
ask_and_note(cop_bytes arg)
{
    const struct asked *asked = arg.data;
    int r = asked->ask(asked->sup);
    note("%s:%s", asked->as, r ? why_text() : "ok");
    return 0;
}

static int
ask_start(cop_pid sup)
{
    return cop_supervisor_start_child(sup, CHILD(BOX_IS("b")), NULL);
}

static int
ask_restart(cop_pid sup)
{
    return cop_supervisor_restart_child(sup, "b", NULL);
}

static int
ask_delete(cop_pid sup)
{
    return cop_supervisor_delete_child(sup, "b");
}

static int
ask_list(cop_pid sup)
{
    cop_child_info infos[3];
    size_t count;
    int r = cop_supervisor_children(sup, infos, 3, &count);
    ck_assert(r == 0 && count == 3);
    ck_assert(infos[1].restarting && cop_pid_eq(infos[1].pid, COP_NOBODY));
    ck_assert(!infos[0].restarting && cop_pid_eq(infos[0].pid, COP_NOBODY)); /* c: SUP-086 */
    return 0;
}

static int
ask_terminate(cop_pid sup)
{
    return cop_supervisor_terminate_child(sup, "b");
}

static void
ask_behind_the_others(cop_pid sup, int (*ask)(cop_pid sup), const char *as)
{
    struct asked asked = {sup, ask, as};
    cop_process_info before, info;
    cop_pid pid;
    ck_assert_int_eq(cop_inspect(sup, &before), 0);
    ck_assert_int_eq(cop_spawn(&pid, ask_and_note, .arg = COP_BYTES(asked)), 0);
    EVENTUALLY(cop_inspect(sup, &info) == 0 && info.mailbox == before.mailbox + 1);
}

TEST(
    between_two_attempts_requests_find_the_child_restarting) /* SUP-050, SUP-051, SUP-061, SUP-100 */
{
    cop_pid sup =
        start_tree(TREE(.strategy = COP_REST_FOR_ONE,
                        COP_CHILDREN(BOX("a"), {.id = "b", .start = gated_start}, BOX("c"))));
    end_box("b", BOOM);
    EVENTUALLY(tries == 2);
    happened();
    ask_behind_the_others(sup, ask_start, "start");
    ask_behind_the_others(sup, ask_restart, "restart");
    ask_behind_the_others(sup, ask_delete, "delete");
    ask_behind_the_others(sup, ask_list, "list");
    ask_behind_the_others(sup, ask_terminate, "terminate");
    gate_is_open = true;
    EVENTUALLY(has_happened("terminate"));
    EVENTUALLY(has_happened("start:already_present"));
    EVENTUALLY(has_happened("restart:restarting"));
    EVENTUALLY(has_happened("delete:restarting"));
    EVENTUALLY(has_happened("list:ok"));
    EVENTUALLY(has_happened("terminate:ok"));
    ck_assert_str_eq(listed(sup), "c=down b=down a=up"); /* no more attempts */
    ck_assert_int_eq(tries, 2);
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "b", NULL), 0);
    ck_assert_str_eq(listed(sup), "c=down b=up a=up");
}

SUITE("requests")
