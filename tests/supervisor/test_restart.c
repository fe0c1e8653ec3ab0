/*
 * tests/supervisor/test_restart.c - what a supervisor does with its children, one and many.
 *
 * Room: tests/. Case ids (SUP-077) are those of the conformance list. The record is in tree.h; a
 * crash reads "terminated(b boom)", then what is stopped, then what is started.
 */
#include "runtime/alloc.h"
#include "supervisor/restart.h"
#include "tests/supervisor/tree.h"

#define ABC BOX("a"), BOX("b"), BOX("c")

static cop_pid
start_recorded(const cop_supervisor_spec *spec)
{
    record_reports();
    cop_pid sup = start_tree(spec);
    happened();
    return sup;
}

/* What has happened when the supervisor has nothing left to do. */
static void
then(cop_pid supervisor, const char *expected)
{
    EVENTUALLY(is_at_rest(supervisor));
    HAPPENED(expected);
}

static cop_reason
end_of(cop_ref monitor)
{
    cop_reason reason = test_down(monitor);
    EVENTUALLY(cop_processes(NULL, 0) <= 1); /* what it stopped is gone: the test itself is left */
    return reason;
}

/* ---------------------------------------------------------------- attempts that fail */

TEST(a_restart_that_fails_is_tried_again_and_counted) /* SUP-097 */
{
    boxes[1].plan = "+ff+";
    cop_pid sup = start_recorded(TREE(.max_restarts = 3, .max_seconds = 3600, COP_CHILDREN(ABC)));
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom) !b start_error(b busy) !b start_error(b busy) +b");
    cop_ref monitor = cop_monitor(sup);
    end_box("a", BOOM); /* the fourth */
    ck_assert_int_eq(end_of(monitor).kind, COP_SHUTDOWN);
    HAPPENED("terminated(a boom) gave_up(a reached_max_restart_intensity) -c -b");
}

TEST(a_restart_that_keeps_failing_ends_the_supervisor) /* SUP-098, SUP-134 */
{
    boxes[0].plan = "+fffff";
    cop_pid sup = start_recorded(TREE(.max_restarts = 2, .max_seconds = 3600, COP_CHILDREN(ABC)));
    cop_ref monitor = cop_monitor(sup);
    end_box("a", BOOM);
    cop_reason reason = end_of(monitor);
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    ck_assert_int_eq(reason.code, -ENOTRECOVERABLE);
    ck_assert_str_eq(reason.text, "");
    HAPPENED("terminated(a boom) !a start_error(a busy) !a start_error(a busy) "
             "gave_up(a reached_max_restart_intensity) -c -b");
}

TEST(all_of_a_group_are_stopped_again_before_the_next_attempt) /* SUP-084 */
{
    boxes[1].plan = "+f+";
    cop_pid sup = start_recorded(TREE(.strategy = COP_ONE_FOR_ALL, COP_CHILDREN(ABC)));
    end_box_of(sup, "a", BOOM);
    then(sup, "terminated(a boom) -c -b +a !b start_error(b busy) -a +a +b +c");
}

TEST(the_elder_ones_are_left_alone_when_the_rest_is_tried_again) /* SUP-086 */
{
    boxes[2].plan = "+f+";
    cop_pid sup = start_recorded(TREE(.strategy = COP_REST_FOR_ONE, COP_CHILDREN(ABC, BOX("d"))));
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom) -d -c +b !c start_error(c busy) +c +d");
}

TEST(a_child_that_declines_its_restart_is_down)
{
    boxes[0].plan = "+i";
    cop_pid sup = start_recorded(TREE(COP_CHILDREN(ABC)));
    end_box_of(sup, "a", BOOM);
    then(sup, "terminated(a boom) ?a");
    ck_assert_str_eq(listed(sup), "c=up b=up a=down");
}

static _Atomic int starts;

/* The first works, the next three fail and leave no memory for a message, and then all is well. */
static int
start_without_memory(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg;
    int number = ++starts;
    copi_alloc_fail_after(number > 1 && number < 5 ? 0 : -1);
    if (number > 1 && number < 5) {
        *why = cop_failed(-ENOMEM, "no_memory");
        return -ENOMEM;
    }
    return cop_genserver_start(out, &box, .name = "a", .arg = {"a", 1}, .link = true);
}

TEST(a_message_to_itself_that_finds_no_memory_does_not_leave_a_child_restarting)
{
    start_recorded(TREE(.max_restarts = 4, .max_seconds = 3600,
                        COP_CHILDREN({.id = "a", .start = start_without_memory})));
    end_box("a", BOOM);
    EVENTUALLY(has_happened("+a"));
    HAPPENED("terminated(a boom) start_error(a no_memory) start_error(a no_memory) "
             "start_error(a no_memory) +a");
}

TEST(failures_below_are_counted_at_each_supervisor_above) /* SUP-104: scenario 34 */
{
#define LOW_FAILS \
 "+b !c start_error(c busy) -b start_error(low {shutdown,{failed_to_start_child,c,busy}}) "
#define MID_FAILS                                \
 "+a " LOW_FAILS "-a start_error(mid {shutdown," \
 "{failed_to_start_child,low,{shutdown,{failed_to_start_child,c,busy}}}}) "
    boxes[2].plan = "+fffffff";
    const cop_supervisor_spec low = {.max_seconds = 3600, COP_CHILDREN(BOX("b"), BOX("c"))};
    const cop_supervisor_spec mid = {.max_restarts = 1,
                                     .max_seconds = 3600,
                                     COP_CHILDREN(BOX("a"), {.id = "low", .supervisor = &low})};
    cop_pid sup = start_recorded(TREE(.max_restarts = 2, .max_seconds = 3600,
                                      COP_CHILDREN(BOX("d"), {.id = "mid", .supervisor = &mid})));
    cop_ref monitor = cop_monitor(sup);
    end_box("b", BOOM);
    ck_assert_int_eq(end_of(monitor).code, -ENOTRECOVERABLE);
    HAPPENED("terminated(b boom) gave_up(b reached_max_restart_intensity) -c "
             "terminated(low shutdown) " LOW_FAILS
             "gave_up(low reached_max_restart_intensity) -a terminated(mid shutdown) " MID_FAILS
                 MID_FAILS "gave_up(mid reached_max_restart_intensity) -d");
}

static _Atomic int seen_starts;

static void
count_starts(const cop_event *event, void *env)
{
    (void)env;
    seen_starts += event->kind == COP_EVENT_START;
}

TEST(each_start_and_restart_is_seen_by_the_observer) /* SUP-137 */
{
    cop_config config = {.size = sizeof config, .observe = count_starts};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid sup = start_tree(TREE(COP_CHILDREN(ABC)));
    ck_assert_int_eq(seen_starts, 1 + 3);
    end_box_of(sup, "a", BOOM);
    ck_assert_int_eq(seen_starts, 1 + 3 + 1);
}

TEST(an_attempt_for_a_child_that_was_deleted_meanwhile_is_none)
{
    struct copi_supervisor sup = {.spec = NULL};
    ck_assert_int_eq(copi_try_again(&sup, 1), COPI_GO_ON);
}

/* ---------------------------------------------------------------- strategies */

TEST(one_for_one_restarts_only_the_crashed_child) /* SUP-077 */
{
    cop_pid sup = start_recorded(TREE(COP_CHILDREN(ABC)));
    cop_pid a = cop_whereis("a"), b = cop_whereis("b"), c = cop_whereis("c");
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom) +b");
    ck_assert(cop_pid_eq(cop_whereis("a"), a) && cop_pid_eq(cop_whereis("c"), c));
    ck_assert(!cop_pid_eq(cop_whereis("b"), b) && cop_alive(cop_whereis("b")));
    ck_assert_str_eq(listed(sup), "c=up b=up a=up"); /* in its place: SUP-073 */
}

TEST(one_for_all_stops_all_youngest_first_and_starts_all_oldest_first) /* SUP-078, SUP-090 */
{
    cop_pid sup = start_recorded(TREE(.strategy = COP_ONE_FOR_ALL, COP_CHILDREN(ABC)));
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom) -c -a +a +b +c");
}

TEST(rest_for_one_restarts_those_started_after_it) /* SUP-079 */
{
    cop_pid sup = start_recorded(TREE(.strategy = COP_REST_FOR_ONE, COP_CHILDREN(ABC, BOX("d"))));
    cop_pid a = cop_whereis("a");
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom) -d -c +b +c +d");
    ck_assert(cop_pid_eq(cop_whereis("a"), a));
}

static const cop_strategy strategies[] = {COP_ONE_FOR_ONE, COP_ONE_FOR_ALL, COP_REST_FOR_ONE};

TEST_TIMES(3, an_end_without_restart_leaves_the_siblings_alone) /* SUP-080 */
{
    cop_pid sup =
        start_recorded(TREE(.strategy = strategies[_i],
                            COP_CHILDREN(BOX("a"), BOX_WITH("b", .restart = COP_TRANSIENT),
                                         BOX_WITH("c", .restart = COP_TEMPORARY), BOX("d"))));
    end_box_of(sup, "b", COP_REASON_NORMAL);
    end_box_of(sup, "c", BOOM);
    then(sup, "terminated(c boom)");
    ck_assert_str_eq(listed(sup), "d=up b=down a=up");
}

TEST(a_group_restart_starts_those_that_were_down_too)
{
    cop_pid sup = start_recorded(TREE(.strategy = COP_ONE_FOR_ALL, COP_CHILDREN(ABC)));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    end_box_of(sup, "c", BOOM);
    then(sup, "-a terminated(c boom) -b +a +b +c");
}

TEST(a_temporary_sibling_of_a_group_is_stopped_and_forgotten) /* SUP-083 */
{
    cop_pid sup =
        start_recorded(TREE(.strategy = COP_ONE_FOR_ALL,
                            COP_CHILDREN(BOX_WITH("a", .restart = COP_TEMPORARY), BOX("b"),
                                         BOX_WITH("c", .restart = COP_TEMPORARY))));
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom) -c -a +b");
    ck_assert_str_eq(listed(sup), "b=up");
}

TEST(each_sibling_of_a_group_is_stopped_by_its_own_rule) /* SUP-091 */
{
    cop_pid sup = start_recorded(
        TREE(.strategy = COP_ONE_FOR_ALL,
             COP_CHILDREN(BOX("a"), BOX_WITH("b", .shutdown = COP_BRUTAL_KILL), BOX("c"))));
    end_box_of(sup, "a", BOOM);
    then(sup, "terminated(a boom) -c +a +b +c"); /* b was not asked, nor is that reported */
}

TEST(the_restarts_of_each_child_are_counted)
{
    cop_pid sup =
        start_recorded(TREE(.strategy = COP_REST_FOR_ONE, .max_restarts = 9, COP_CHILDREN(ABC)));
    end_box_of(sup, "b", BOOM);
    end_box_of(sup, "c", BOOM);
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    ck_assert_int_eq(cop_supervisor_restart_child(sup, "a", NULL), 0); /* by request: not counted */
    size_t count;
    const cop_child_info *infos = children(sup, &count);
    ck_assert_uint_eq(infos[0].restarts, 2);
    ck_assert_uint_eq(infos[1].restarts, 1);
    ck_assert_uint_eq(infos[2].restarts, 0);
}

/* ---------------------------------------------------------------- restart rules */

static const char *const ends[] = {"normal", "shutdown", "{shutdown,bye}", "boom", "killed"};

static cop_reason
end_number(int i)
{
    cop_reason bye = {.kind = COP_SHUTDOWN, .text = "{shutdown,bye}"};
    const cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, bye, BOOM,
                                  COP_REASON_KILLED};
    return reasons[i];
}

TEST_TIMES(5, a_permanent_child_is_restarted_whatever_its_reason) /* SUP-063 to SUP-065 */
{
    char expected[64];
    cop_pid sup = start_recorded(TREE(COP_CHILDREN(BOX("a"))));
    end_box_of(sup, "a", end_number(_i));
    (void)snprintf(expected, sizeof expected, "terminated(a %s) +a", ends[_i]);
    then(sup, expected);
}

TEST_TIMES(5, a_transient_child_is_restarted_after_a_crash) /* SUP-066 to SUP-068 */
{
    char expected[64] = "";
    cop_pid sup = start_recorded(TREE(COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT))));
    end_box_of(sup, "a", end_number(_i));
    if (_i >= 3) {
        (void)snprintf(expected, sizeof expected, "terminated(a %s) +a", ends[_i]);
    }
    then(sup, expected);
    ck_assert_str_eq(listed(sup), _i >= 3 ? "a=up" : "a=down");
}

TEST_TIMES(5, a_temporary_child_is_forgotten_whatever_its_reason) /* SUP-069 */
{
    char expected[64] = "";
    cop_pid sup = start_recorded(TREE(COP_CHILDREN(BOX_WITH("a", .restart = COP_TEMPORARY))));
    end_box_of(sup, "a", end_number(_i));
    if (_i >= 3) {
        (void)snprintf(expected, sizeof expected, "terminated(a %s)", ends[_i]);
    }
    then(sup, expected);
    ck_assert_str_eq(listed(sup), "");
}

/* ---------------------------------------------------------------- intensity */

TEST(the_intensity_is_the_supervisors_and_not_a_childs) /* SUP-092, SUP-095 */
{
    cop_pid sup = start_recorded(TREE(.max_restarts = 2, .max_seconds = 3600, COP_CHILDREN(ABC)));
    cop_ref monitor = cop_monitor(sup);
    end_box_of(sup, "a", BOOM);
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(a boom) +a terminated(b boom) +b");
    end_box("c", BOOM);
    ck_assert_int_eq(end_of(monitor).kind, COP_SHUTDOWN);
    HAPPENED("terminated(c boom) gave_up(c reached_max_restart_intensity) -b -a");
}

TEST(no_restarts_at_all_can_be_asked_for) /* SUP-096 */
{
    cop_pid sup =
        start_recorded(TREE(.max_restarts = 0, .max_seconds = 1,
                            COP_CHILDREN(BOX("a"), BOX_WITH("b", .restart = COP_TRANSIENT))));
    cop_ref monitor = cop_monitor(sup);
    end_box_of(sup, "b", COP_REASON_NORMAL); /* calls for none */
    end_box("a", BOOM);
    ck_assert_int_eq(end_of(monitor).kind, COP_SHUTDOWN);
    HAPPENED("terminated(a boom) gave_up(a reached_max_restart_intensity)");
}

TEST(restarts_further_apart_than_the_period_do_not_add_up) /* SUP-093 */
{
    cop_pid sup = start_recorded(TREE(.max_restarts = 1, .max_seconds = 1, COP_CHILDREN(ABC)));
    for (int i = 0; i < 3; i++) {
        cop_sleep(i ? COP_MS(1100) : 0);
        end_box_of(sup, "a", BOOM);
    }
    ck_assert(cop_alive(sup));
}

static _Atomic bool is_watched;

static int
crash_at_once(cop_bytes arg)
{
    (void)arg;
    EVENTUALLY(is_watched);
    return -EIO;
}

TEST(a_child_that_dies_right_after_each_start_is_an_ordinary_failure) /* SUP-075 */
{
    record_reports();
    cop_pid sup = start_tree(TREE(.max_restarts = 2, .max_seconds = 3600,
                                  COP_CHILDREN(BOX("a"), {.id = "bad", .worker = crash_at_once})));
    cop_ref monitor = cop_monitor(sup);
    is_watched = true;
    ck_assert_int_eq(end_of(monitor).kind, COP_SHUTDOWN);
    const char *what = happened();
    ck_assert_uint_eq(test_count(what, "terminated(bad"), 3);
    ck_assert_uint_eq(test_count(what, "gave_up(bad"), 1);
}

/* ---------------------------------------------------------------- auto shutdown */

TEST(the_end_of_any_significant_child_ends_the_supervisor) /* SUP-124 */
{
    cop_pid sup = start_recorded(
        TREE(.auto_shutdown = COP_ANY_SIGNIFICANT,
             COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT, .significant = true), BOX("b"))));
    cop_ref monitor = cop_monitor(sup);
    end_box_of(sup, "a", BOOM); /* is restarted */
    then(sup, "terminated(a boom) +a");
    end_box("a", COP_REASON_NORMAL);
    cop_reason reason = end_of(monitor);
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    ck_assert_int_eq(reason.code, 0);
    HAPPENED("-b");
}

TEST(the_end_of_the_last_significant_child_ends_the_supervisor) /* SUP-126 */
{
    cop_pid sup = start_recorded(
        TREE(.auto_shutdown = COP_ALL_SIGNIFICANT,
             COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT, .significant = true),
                          BOX_WITH("b", .restart = COP_TEMPORARY, .significant = true), BOX("c"))));
    cop_ref monitor = cop_monitor(sup);
    end_box_of(sup, "b", BOOM);
    then(sup, "terminated(b boom)");
    end_box("a", COP_REASON_NORMAL);
    ck_assert_int_eq(end_of(monitor).kind, COP_SHUTDOWN);
    HAPPENED("-c");
}

TEST(an_end_by_request_does_not_end_the_supervisor) /* SUP-125 */
{
    cop_pid sup = start_recorded(
        TREE(.auto_shutdown = COP_ANY_SIGNIFICANT,
             COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT, .significant = true))));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    ck_assert_uint_eq(counts(sup).specs, 1);
}

TEST(other_ends_do_not_end_the_supervisor) /* SUP-121, SUP-122 */
{
    cop_pid sup = start_recorded(TREE(.auto_shutdown = COP_ANY_SIGNIFICANT,
                                      COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT),
                                                   BOX_WITH("b", .restart = COP_TEMPORARY))));
    end_box_of(sup, "a", COP_REASON_NORMAL);
    end_box_of(sup, "b", COP_REASON_KILLED);
    ck_assert_uint_eq(counts(sup).specs, 1);
}

TEST(an_auto_shutdown_is_an_end_for_the_supervisor_above) /* SUP-129 */
{
    const cop_supervisor_spec inner = {
        .auto_shutdown = COP_ANY_SIGNIFICANT,
        COP_CHILDREN(BOX_WITH("a", .restart = COP_TRANSIENT, .significant = true))};
    cop_pid sup = start_recorded(
        TREE(.auto_shutdown = COP_ALL_SIGNIFICANT, COP_CHILDREN({.id = "inner",
                                                                 .supervisor = &inner,
                                                                 .restart = COP_TRANSIENT,
                                                                 .significant = true},
                                                                BOX("b"))));
    cop_ref monitor = cop_monitor(sup);
    end_box("a", COP_REASON_NORMAL);
    ck_assert_int_eq(end_of(monitor).kind, COP_SHUTDOWN);
    HAPPENED("-b");
}

/* ---------------------------------------------------------------- backoff */

static bool
is_listed(cop_pid supervisor, const char *expected)
{
    return strcmp(listed(supervisor), expected) == 0;
}

TEST(a_restart_with_backoff_comes_no_earlier_than_its_minimum)
{
    cop_pid sup = start_recorded(
        TREE(.strategy = COP_ONE_FOR_ALL, .backoff_min = COP_MS(500), COP_CHILDREN(ABC)));
    cop_time before = cop_now();
    end_box("b", BOOM);
    EVENTUALLY(is_listed(sup, "c=up b=restarting a=up")); /* the siblings go on */
    HAPPENED("terminated(b boom)");
    then(sup, "-c -a +a +b +c");
    ck_assert_int_ge(cop_now() - before, COP_MS(500));
}

TEST(attempts_that_fail_pause_again_and_are_counted)
{
    boxes[0].plan = "+ffffff";
    cop_pid sup =
        start_recorded(TREE(.backoff_min = COP_MS(5), .max_restarts = 2, COP_CHILDREN(ABC)));
    cop_ref monitor = cop_monitor(sup);
    cop_time before = cop_now();
    end_box("a", BOOM);
    ck_assert_int_eq(end_of(monitor).code, -ENOTRECOVERABLE);
    ck_assert_int_ge(cop_now() - before, COP_MS(10));
    HAPPENED("terminated(a boom) !a start_error(a busy) !a start_error(a busy) "
             "gave_up(a reached_max_restart_intensity) -c -b");
}

TEST(a_request_to_stop_ends_the_pause)
{
    cop_pid sup = start_recorded(
        TREE(.backoff_min = COP_MS(500), .backoff_max = COP_MS(500), COP_CHILDREN(ABC)));
    end_box("a", BOOM);
    EVENTUALLY(is_listed(sup, "c=up b=up a=restarting"));
    ck_assert_int_eq(cop_supervisor_terminate_child(sup, "a"), 0);
    ck_assert_str_eq(listed(sup), "c=up b=up a=down");
    cop_sleep(COP_MS(700)); /* were the timer left, it would have come by now */
    ck_assert_str_eq(listed(sup), "c=up b=up a=down");
    HAPPENED("terminated(a boom)");
}

TEST_TIMES(2, a_healthy_life_lets_the_pauses_begin_anew)
{
    enum {
        PAUSES = 5
    };
    cop_time times[4];
    struct copi_child_spec specs[] = {{.id = "a", .restart = COP_PERMANENT}};
    struct copi_spec spec = {.backoff = {COP_SEC(60), COP_SEC(100)}};
    struct copi_supervisor sup = {
        .spec = &spec,
        .intensity = {.times = times, .max_restarts = 4, .period = COP_SEC(5)},
    };
    struct copi_child *child = copi_child_new(specs, NULL);
    const cop_pid pid = {77};
    const cop_time lived = _i == 0 ? COP_SEC(100) : COP_SEC(99);
    const cop_reason boom = BOOM;
    copi_siblings_append(&sup.children, child);
    copi_siblings_set(&sup.children, child, COPI_CHILD_RUNNING, pid);
    child->attempts = PAUSES;
    child->started = cop_now() - lived;
    ck_assert_int_eq(copi_process_ended(&sup, pid, &boom), COPI_GO_ON);
    ck_assert_int_eq(child->state, COPI_CHILD_RESTARTING);
    ck_assert_uint_eq(child->attempts, _i == 0 ? 1 : PAUSES + 1);
    copi_forget_child(&sup, child);
    copi_siblings_clear(&sup.children);
}

/* It ends as soon as it has started, after so many pauses in a row. */
static void
fall(struct copi_supervisor *sup, struct copi_child *child, unsigned attempts)
{
    const cop_pid pid = {77};
    const cop_reason boom = BOOM;
    copi_siblings_set(&sup->children, child, COPI_CHILD_RUNNING, pid);
    child->attempts = attempts;
    child->started = cop_now();
    ck_assert_int_eq(copi_process_ended(sup, pid, &boom), COPI_GO_ON);
}

/* The longest of many. */
static cop_time
pause_after(unsigned attempts)
{
    enum {
        MANY = 16
    };
    cop_time times[MANY], longest = 0, pause;
    struct copi_child_spec specs[] = {{.id = "a", .restart = COP_PERMANENT}};
    struct copi_spec spec = {.backoff = {COP_SEC(1), COP_SEC(1000000)}};
    struct copi_supervisor sup = {
        .spec = &spec,
        .intensity = {.times = times, .max_restarts = MANY, .period = COP_SEC(5)},
    };
    struct copi_child *child = copi_child_new(specs, NULL);
    copi_siblings_append(&sup.children, child);
    for (int i = 0; i < MANY; i++) {
        fall(&sup, child, attempts);
        ck_assert_int_eq(cop_cancel_timer(child->timer, &pause), 0);
        longest = pause > longest ? pause : longest;
    }
    copi_siblings_clear(&sup.children);
    return longest;
}

TEST(the_pauses_of_a_child_are_its_own)
{
    cop_time times[1];
    struct copi_child_spec specs[] = {{.id = "a", .restart = COP_PERMANENT}, {.id = "b"}};
    struct copi_spec spec = {.backoff = {COP_SEC(60), COP_SEC(100)}};
    struct copi_supervisor sup = {
        .spec = &spec,
        .intensity = {.times = times, .max_restarts = 1, .period = COP_SEC(5)},
    };
    struct copi_child *a = copi_child_new(&specs[0], NULL), *b = copi_child_new(&specs[1], NULL);
    copi_siblings_append(&sup.children, a);
    copi_siblings_append(&sup.children, b);
    fall(&sup, a, 3);
    ck_assert_uint_eq(a->attempts, 4);
    ck_assert_uint_eq(b->attempts, 0);
    copi_forget_child(&sup, a);
    copi_siblings_clear(&sup.children);
}

TEST(pauses_grow_with_the_attempts_and_are_left_to_chance)
{
    ck_assert_int_le(pause_after(0), COP_SEC(2));
    ck_assert_int_gt(pause_after(19), COP_SEC(2)); /* by chance once in 10^96 */
}

/* The test itself is the supervisor. */
static struct copi_child *
start_alone(struct copi_supervisor *sup, const cop_child_spec *from)
{
    struct copi_child_spec *spec = copi_alloc(sizeof *spec);
    cop_reason why;
    cop_trap_exits(true);
    ck_assert_int_eq(copi_child_spec_copy(spec, from), 0);
    struct copi_child *child = copi_child_new(spec, spec);
    copi_siblings_append(&sup->children, child);
    ck_assert_int_eq(copi_start_child(sup, child, NULL, &why), 0);
    return child;
}

TEST(a_life_begins_with_its_start)
{
    struct copi_spec spec = {.strategy = COP_ONE_FOR_ONE};
    struct copi_supervisor sup = {.spec = &spec};
    cop_time before = cop_now();
    struct copi_child *child = start_alone(&sup, &(cop_child_spec)BOX("a"));
    ck_assert_int_ge(child->started, before);
    ck_assert_int_le(child->started, cop_now());
    ck_assert_int_eq(copi_stop_child(&sup, child), 0);
    copi_siblings_clear(&sup.children);
}

TEST_TIMES(2, what_is_not_started_again_needs_no_argument_any_more) /* SUP-072 */
{
    struct copi_spec spec = {.strategy = COP_ONE_FOR_ONE};
    struct copi_supervisor sup = {.spec = &spec};
    struct copi_child *child = start_alone(
        &sup, &(cop_child_spec)BOX_WITH("a", .restart = _i == 0 ? COP_PERMANENT : COP_TEMPORARY));
    ck_assert_int_eq(child->own->arg.data == NULL, _i == 1);
    ck_assert_int_eq(copi_stop_child(&sup, child), 0);
    copi_siblings_clear(&sup.children);
}

TEST(the_pause_of_another_incarnation_starts_nothing)
{
    struct copi_child_spec specs[] = {{.id = "a"}};
    struct copi_spec spec = {.backoff = {COP_SEC(1), COP_SEC(1)}};
    struct copi_supervisor sup = {.spec = &spec};
    struct copi_child *child = copi_child_new(specs, NULL);
    copi_siblings_append(&sup.children, child);
    copi_siblings_set(&sup.children, child, COPI_CHILD_RESTARTING, COP_NOBODY);
    uint64_t earlier = child->ticket;
    copi_siblings_set(&sup.children, child, COPI_CHILD_DOWN, COP_NOBODY);
    copi_siblings_set(&sup.children, child, COPI_CHILD_RESTARTING, COP_NOBODY);
    ck_assert_int_eq(copi_pause_is_over(&sup, earlier), COPI_GO_ON);
    ck_assert_int_eq(child->state, COPI_CHILD_RESTARTING);
    copi_siblings_clear(&sup.children);
}

SUITE("restart")
