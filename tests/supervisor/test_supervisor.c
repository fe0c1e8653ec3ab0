/*
 * tests/supervisor/test_supervisor.c - who restarts what: a supervisor's beginning and its end.
 *
 * Room: tests/. Case ids (SUP-003) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "supervisor/offer.h"
#include "supervisor/supervisor.h"
#include "tests/supervisor/tree.h"
#include "tests/support/wrap.h"

static void
does_not_start(const cop_supervisor_spec *spec, int code, const char *why)
{
    cop_pid pid = {9};
    ck_assert_int_eq(cop_supervisor_start(&pid, spec), code);
    ck_assert_str_eq(why_text(), why);
    ck_assert_uint_eq(pid.id, 9);
    EVENTUALLY(cop_processes(NULL, 0) == 1); /* the test itself */
}

static cop_reason
reason_after(cop_pid supervisor, cop_reason signal)
{
    cop_ref monitor = cop_monitor(supervisor);
    ck_assert_int_eq(cop_exit_signal(supervisor, signal), 0);
    return test_down(monitor);
}

/* ---------------------------------------------------------------- starts that fail */

TEST(a_specification_that_is_none_starts_no_process) /* SUP-030, SUP-032 */
{
    does_not_start(TREE(COP_CHILDREN(BOX("a"), BOX("a"))), -EINVAL,
                   "{start_spec,{duplicate_child_name,a}}");
    does_not_start(NULL, -EINVAL, cop_strerror(-EINVAL));
    HAPPENED("");
}

TEST(a_child_that_does_not_start_stops_those_before_it_in_reverse) /* SUP-003, SUP-005 */
{
    record_reports();
    boxes[2].plan = "f";
    does_not_start(TREE(COP_CHILDREN(BOX("a"), BOX("b"), BOX("c"), BOX("d"))), -EBUSY,
                   "{shutdown,{failed_to_start_child,c,busy}}");
    HAPPENED("+a +b !c start_error(c busy) -b -a");
    ck_assert_int_eq(cop_why().kind, COP_SHUTDOWN);
}

TEST(reasons_nest_as_supervisors_do) /* SUP-004 */
{
    record_reports();
    boxes[1].plan = "f";
    const cop_supervisor_spec low = {COP_CHILDREN(BOX("a"), BOX("b"))};
    const cop_supervisor_spec mid = {COP_CHILDREN({.id = "low", .supervisor = &low})};
    does_not_start(TREE(COP_CHILDREN({.id = "mid", .supervisor = &mid})), -EBUSY,
                   "{shutdown,{failed_to_start_child,mid,"
                   "{shutdown,{failed_to_start_child,low,"
                   "{shutdown,{failed_to_start_child,b,busy}}}}}}");
}

TEST(a_reason_without_words_is_told_in_those_of_its_code)
{
    ck_assert_int_eq(cop_register("a", cop_self()), 0);
    does_not_start(TREE(COP_CHILDREN(BOX("a"))), -EEXIST,
                   "{shutdown,{failed_to_start_child,a,the name or id is taken}}");
}

TEST(a_supervisor_whose_name_is_taken_starts_no_children)
{
    ck_assert_int_eq(cop_register("sup", cop_self()), 0);
    cop_pid who = COP_NOBODY;
    ck_assert_int_eq(cop_supervisor_start(&who, TREE(.name = "sup", COP_CHILDREN(BOX("a")))),
                     -EEXIST);
    ck_assert(cop_pid_eq(who, cop_self()));
    HAPPENED("");
}

static cop_step
hang(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    note("hangs");
    cop_sleep(COP_FOREVER);
    return cop_ok();
}
static const cop_genserver hangs = {.type = "hangs", .init = hang};

TEST(a_child_that_hangs_in_its_init_fails_by_its_timeout)
{
    does_not_start(
        TREE(COP_CHILDREN(BOX("a"), {.id = "h", .genserver = &hangs, .init_timeout = COP_MS(20)})),
        -ETIMEDOUT, "{shutdown,{failed_to_start_child,h,not in time}}");
    HAPPENED("+a hangs -a");
}

static _Atomic bool is_released;

static cop_step
wait_for_release(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    note("waits");
    EVENTUALLY(is_released);
    return cop_ok();
}
static const cop_genserver waits = {.type = "waits", .init = wait_for_release};

static int
start_and_wait(cop_bytes arg)
{
    (void)arg;
    return cop_supervisor_start(
        NULL, TREE(.name = "sup", COP_CHILDREN(BOX("a"), {.id = "w", .genserver = &waits})));
}

TEST(a_supervisor_is_not_affected_by_the_end_of_who_starts_it)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, start_and_wait, .monitor = &monitor), 0);
    EVENTUALLY(has_happened("waits"));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    is_released = true;
    cop_pid sup = cop_whereis("sup");
    ck_assert_uint_eq(counts(sup).active, 2); /* its specification was not the starter's any more */
    stop_tree(sup);
}

static int
try_to_start(void *spec)
{
    cop_pid pid;
    int r = cop_supervisor_start(&pid, spec);
    if (r == 0) {
        copi_alloc_fail_after(-1);
        stop_tree(pid);
    }
    return r;
}

TEST(without_memory_a_start_fails_and_leaves_nothing)
{
    cop_supervisor_spec spec = {
        .name = "sup",
        COP_CHILDREN(BOX("a"), {.id = "s", .supervisor = TREE(COP_CHILDREN(BOX("b")))})};
    int result;
    ck_assert_uint_ge(test_out_of_memory(try_to_start, &spec, &result), 10);
    ck_assert_int_eq(result, 0);
    EVENTUALLY(cop_processes(NULL, 0) == 1);
    const char *what = happened();
    ck_assert_uint_eq(test_count(what, "+a"), test_count(what, "-a"));
    ck_assert_uint_eq(test_count(what, "+b"), test_count(what, "-b"));
}

static int
try_to_start_with_much_deferred(void *spec)
{
    test_fill_deferred();
    return try_to_start(spec);
}

TEST(without_memory_for_what_is_deferred_a_start_fails_and_leaves_nothing)
{
    cop_supervisor_spec spec = {.name = "sup", COP_CHILDREN(BOX("a"))};
    int result;
    ck_assert_uint_ge(test_out_of_memory_afresh(try_to_start_with_much_deferred, &spec, &result),
                      10);
    ck_assert_int_eq(result, 0);
    const char *what = happened();
    ck_assert_uint_eq(test_count(what, "+a"), test_count(what, "-a"));
}

static bool is_withdrawn;

struct copi_spec *real_take(uint64_t number) REAL(copi_offer_take);
struct copi_spec *take_unless_withdrawn(uint64_t number) WRAP(copi_offer_take);
struct copi_spec *
take_unless_withdrawn(uint64_t number)
{
    return is_withdrawn ? NULL : real_take(number);
}

/* As if who starts it had ended just before. */
TEST(a_supervisor_whose_start_was_withdrawn_starts_nobody)
{
    cop_pid pid = {9};
    is_withdrawn = true;
    ck_assert_int_eq(cop_supervisor_start(&pid, TREE(.name = "sup", COP_CHILDREN(BOX("a")))),
                     -ECANCELED);
    ck_assert_uint_eq(pid.id, 9);
    ck_assert_uint_eq(cop_whereis("sup").id, 0);
    HAPPENED("");
}

/* ---------------------------------------------------------------- starts */

TEST(a_supervisor_without_children_starts_and_stops) /* SUP-001 */
{
    cop_pid pid = start_tree(TREE(.name = "sup"));
    ck_assert(cop_pid_eq(cop_whereis("sup"), pid)); /* SUP-019 */
    stop_tree(pid);
    stop_tree(pid); /* twice is safe */
    ck_assert(!cop_alive(pid));
    ck_assert_int_eq(cop_supervisor_start(NULL, TREE(.name = "sup")), 0);
}

TEST(children_start_in_order_and_stop_in_reverse) /* SUP-002, SUP-018, SUP-105, SUP-119 */
{
    cop_pid pid = start_tree(TREE(COP_CHILDREN(
        BOX("a"), {.id = "s", .supervisor = TREE(COP_CHILDREN(BOX("b"), BOX("c")))}, BOX("d"))));
    HAPPENED("+a +b +c +d");
    stop_tree(pid);
    HAPPENED("-d -c -b -a");
}

TEST(a_child_that_declines_is_kept_unless_it_is_temporary) /* SUP-009, SUP-010 */
{
    boxes[0].plan = boxes[2].plan = "i";
    cop_pid pid =
        start_tree(TREE(COP_CHILDREN(BOX("a"), BOX("b"), BOX_WITH("c", .restart = COP_TEMPORARY))));
    ck_assert_str_eq(listed(pid), "b=up a=down");
}

/* ---------------------------------------------------------------- ends */

TEST(exits_of_strangers_are_ignored) /* SUP-110 */
{
    cop_pid pid = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    cop_reason boom = BOOM;
    ck_assert_int_eq(cop_exit_signal(pid, boom), 0);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_NORMAL), 0);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_uint_eq(counts(pid).active, 1);
}

TEST(the_end_of_its_parent_is_its_own) /* SUP-001 */
{
    cop_pid pid = start_tree(TREE(.link = true, COP_CHILDREN(BOX("a"))));
    ck_assert_int_eq(reason_after(pid, COP_REASON_SHUTDOWN).kind, COP_SHUTDOWN);
    HAPPENED("+a -a");
}

TEST(the_reason_of_its_parent_is_its_own)
{
    cop_pid pid = start_tree(TREE(.link = true, COP_CHILDREN(BOX("a"))));
    ck_assert_str_eq(reason_after(pid, BOOM).text, "boom");
    HAPPENED("+a -a");
}

TEST(a_stop_ends_it_with_the_reason_that_was_asked_for) /* SUP-112 */
{
    cop_pid pid = start_tree(TREE(COP_CHILDREN(BOX("a"), BOX("b"))));
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    HAPPENED("+a +b -b -a");
}

TEST(a_killed_supervisor_stops_nobody_but_nobody_is_left) /* SUP-120 */
{
    record_reports();
    boxes[0].plan = "t";
    cop_pid pid = start_tree(
        TREE(COP_CHILDREN(BOX("a"), {.id = "s", .supervisor = TREE(COP_CHILDREN(BOX("b")))})));
    ck_assert_int_eq(reason_after(pid, COP_REASON_KILLED).kind, COP_KILLED);
    EVENTUALLY(cop_processes(NULL, 0) == 1);
    HAPPENED("+a +b -b"); /* the inner one was not killed, and stops its own */
}

/* Takes no notice of a shutdown. */
static int
be_stubborn(cop_bytes unused)
{
    (void)unused;
    cop_trap_exits(true);
    cop_reason reason = COP_REASON_SHUTDOWN;
    char words[sizeof reason.text];
    while (reason.kind == COP_SHUTDOWN) {
        reason = COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited)->reason;
        note("%s", cop_reason_string(reason, words, sizeof words));
    }
    return 0;
}

TEST_TIMES(2, a_supervisor_that_is_killed_while_it_stops_its_children_was_killed)
{
    const cop_child_spec stubborn = {.id = "s", .worker = be_stubborn, .shutdown = COP_FOREVER};
    cop_pid pid = start_tree(TREE(.strategy = _i ? COP_DYNAMIC : COP_ONE_FOR_ONE));
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_supervisor_start_child(pid, &stubborn, NULL), 0);
    ck_assert_int_eq(cop_supervisor_stop(pid, COP_MS(1)), -ETIMEDOUT);
    EVENTUALLY(has_happened("shutdown"));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    EVENTUALLY(has_happened("killed")); /* and its child is told so */
}

TEST(an_unexpected_message_is_reported_and_dropped) /* SUP-111 */
{
    record_reports();
    cop_pid pid = start_tree(TREE(COP_CHILDREN(BOX("a"))));
    ck_assert_int_eq(cop_send(pid, COP_TAG(5)), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(6)), 0);
    ck_assert_uint_eq(counts(pid).active, 1);
    HAPPENED("+a unexpected(- message 5 of 0 bytes) unexpected(- message 6 of 0 bytes)");
}

TEST(a_child_supervisor_that_gives_up_is_restarted_with_its_own_list) /* SUP-059, SUP-102 */
{
    const cop_supervisor_spec inner = {
        .name = "inner", .max_restarts = 1, COP_CHILDREN(BOX("a"), BOX("b"))};
    record_reports();
    cop_pid pid = start_tree(TREE(COP_CHILDREN({.id = "inner", .supervisor = &inner}, BOX("z"))));
    ck_assert_int_eq(
        cop_supervisor_start_child(cop_named("inner"), &(cop_child_spec)BOX("x"), NULL), 0);
    end_box_of(cop_whereis("inner"), "a", BOOM);
    happened();
    end_box("a", BOOM);
    EVENTUALLY(has_happened("+b"));
    HAPPENED("terminated(a boom) gave_up(a reached_max_restart_intensity) -x -b "
             "terminated(inner shutdown) +a +b");
    ck_assert_str_eq(listed(cop_whereis("inner")), "b=up a=up");
    ck_assert_str_eq(listed(pid), "z=up inner=up"); /* SUP-139 */
}

TEST_TIMES(2, a_child_supervisor_that_gives_up_may_be_let_go) /* SUP-102 */
{
    const cop_supervisor_spec inner = {.max_seconds = 5, COP_CHILDREN(BOX("a"))};
    record_reports();
    cop_pid pid = start_tree(TREE(COP_CHILDREN(
        {.id = "inner", .supervisor = &inner, .restart = _i ? COP_TRANSIENT : COP_TEMPORARY})));
    end_box("a", BOOM);
    EVENTUALLY(counts(pid).active == 0);
    ck_assert_str_eq(listed(pid), _i ? "inner=down" : "");
    HAPPENED("+a terminated(a boom) gave_up(a reached_max_restart_intensity)");
}

static int
deaf(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_trap_exits(true);
    note("deaf");
    int r = 0;
    while (r == 0) {
        r = cop_receive(&msg, COP_FOREVER);
    }
    return r;
}

TEST(a_child_that_will_not_stop_is_killed_and_reported) /* SUP-107, SUP-136 */
{
    record_reports();
    cop_pid pid = start_tree(TREE(
        COP_CHILDREN(BOX("a"), {.id = "d", .worker = deaf, .shutdown = COP_MS(20)}, BOX("c"))));
    EVENTUALLY(has_happened("deaf"));
    happened();
    cop_time before = cop_now();
    stop_tree(pid);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    HAPPENED("-c shutdown_error(d killed) -a");
}

/* ---------------------------------------------------------------- a tree in use */

enum {
    MANY = 2000
};

static const cop_genserver idle = {.type = "idle"};

TEST(many_children_start_and_stop) /* SUP-143 */
{
    static char ids[MANY][16];
    static cop_child_spec list[MANY];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "child-%d", i);
        list[i] = (cop_child_spec){.id = ids[i], .genserver = &idle};
    }
    cop_pid pid = start_tree(&(cop_supervisor_spec){.children = list, .child_count = MANY});
    ck_assert_uint_eq(counts(pid).active, MANY);
    stop_tree(pid);
}

static _Atomic bool stop_crashing;

static int
crash_boxes(cop_bytes arg)
{
    unsigned seed = *(const unsigned *)arg.data;
    cop_reason boom = BOOM;
    while (!stop_crashing) {
        seed = seed * 1103515245u + 12345u;
        const char *const ids[] = {"a", "b", "c", "d"};
        cop_pid victim = cop_whereis(ids[(seed >> 16) % 4]);
        if (seed >> 31) {
            cop_exit_signal(victim, COP_REASON_KILLED);
        } else if (victim.id) {
            cop_cast(victim, COP_MSG_OF(BOX_END, boom));
        }
        int r = cop_sleep(COP_US((seed >> 20) % 300));
        if (r) {
            return r;
        }
    }
    return 0;
}

/* The last crashes may still be in the mailboxes, and `d` may be down by request. */
static bool
is_whole(cop_pid top)
{
    cop_child_counts upper, lower;
    cop_supervisor_restart_child(cop_named("inner"), "d", NULL);
    return cop_supervisor_count(top, &upper) == 0 && upper.active == 3
           && cop_supervisor_count(cop_named("inner"), &lower) == 0 && lower.active == 2;
}

TEST_TIMES(3, a_tree_whose_children_crash_all_the_time_is_whole_in_the_end)
{
    static const cop_strategy strategies[] = {COP_ONE_FOR_ONE, COP_ONE_FOR_ALL, COP_REST_FOR_ONE};
    const cop_supervisor_spec inner = {.name = "inner",
                                       .strategy = strategies[_i],
                                       .max_restarts = 1000000,
                                       COP_CHILDREN(BOX("c"), BOX("d"))};
    cop_pid pid =
        start_tree(TREE(.strategy = strategies[_i], .max_restarts = 1000000,
                        COP_CHILDREN(BOX("a"), {.id = "inner", .supervisor = &inner}, BOX("b"))));
    cop_ref monitors[2];
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_spawn(NULL, crash_boxes, .arg = COP_BYTES(i), .monitor = &monitors[i]),
                         0);
    }
    for (int i = 0; i < 200; i++) {
        cop_supervisor_terminate_child(cop_named("inner"), "d");
        cop_supervisor_restart_child(cop_named("inner"), "d", NULL);
        counts(pid);
    }
    stop_crashing = true;
    test_down(monitors[0]);
    test_down(monitors[1]);
    EVENTUALLY(is_whole(pid));
    stop_tree(pid);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
}

SUITE("supervisor")
