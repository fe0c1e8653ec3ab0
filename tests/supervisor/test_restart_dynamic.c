/*
 * tests/supervisor/test_restart_dynamic.c - restarts of children that were started by request.
 *
 * Room: tests/. Case ids (SOF-008) are those of the conformance list.
 */
#include "supervisor/restart.h"
#include "tests/supervisor/dynamic.h"

#define LONG  .max_seconds = 3600
#define A_BOX CHILD_OF(.id = "w", .genserver = &box, .restart = COP_TRANSIENT)
#define BOXES .strategy = COP_SIMPLE_ONE_FOR_ONE, .children = A_BOX, .child_count = 1
#define ANY_BOX(letter, ...) \
 CHILD_OF(.id = (letter), .genserver = &box, .arg = {(letter), 1}, __VA_ARGS__)

static cop_pid
start_recorded(const cop_supervisor_spec *spec)
{
    record_reports();
    return start_tree(spec);
}

static void
then(cop_pid supervisor, const char *expected)
{
    EVENTUALLY(is_at_rest(supervisor));
    HAPPENED(expected);
}

/* ---------------------------------------------------------------- attempts that fail */

TEST(a_failed_instance_is_restarted_alone_with_its_own_argument) /* SOF-008 */
{
    cop_pid sup = start_recorded(TREE(BOXES, .max_restarts = 2, LONG));
    cop_pid a = instance(sup, "a"), b = instance(sup, "b");
    end_child(sup, a, BOOM);
    then(sup, "+a +b terminated(w boom) +a");
    ck_assert(cop_alive(b));
    end_child(sup, b, BOOM);
    then(sup, "terminated(w boom) +b");
    cop_ref monitor = cop_monitor(sup);
    end_pid(youngest(sup), BOOM); /* the third, of whomever: the intensity is shared */
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    ck_assert_int_eq(reason.code, -ENOTRECOVERABLE);
    HAPPENED("terminated(w boom) gave_up(w reached_max_restart_intensity) -a");
}

TEST(an_instance_that_cannot_be_started_again_uses_up_the_intensity) /* SOF-009 */
{
    boxes[1].plan = "+ffff";
    cop_pid sup = start_recorded(TREE(BOXES, .max_restarts = 2, LONG));
    instance(sup, "a");
    cop_pid b = instance(sup, "b");
    cop_ref monitor = cop_monitor(sup);
    end_pid(b, BOOM);
    test_down(monitor);
    HAPPENED("+a +b terminated(w boom) !b start_error(w busy) !b start_error(w busy) "
             "gave_up(w reached_max_restart_intensity) -a");
}

TEST(a_failed_attempt_is_repeated_through_the_mailbox) /* DYN-019 */
{
    boxes[0].plan = "+f+";
    cop_pid sup = start_recorded(DYNAMIC(.max_restarts = 3, LONG));
    cop_pid a = started(sup, ANY_BOX("a", .restart = COP_PERMANENT));
    end_child(sup, a, COP_REASON_NORMAL);
    then(sup, "+a terminated(a normal) !a start_error(a busy) +a");
    ck_assert_str_eq(listed(sup), "=up");
    ck_assert_uint_eq(counts(sup).active, 1);
}

TEST(between_two_attempts_it_is_known_but_not_active) /* DYN-019, DYN-021 */
{
    cop_pid sup = start_recorded(DYNAMIC(.backoff_min = COP_SEC(60)));
    cop_pid a = started(sup, ANY_BOX("a", .restart = COP_PERMANENT));
    end_pid(a, BOOM);
    EVENTUALLY(strcmp(listed(sup), "=restarting") == 0);
    cop_child_counts counted = counts(sup);
    ck_assert_uint_eq(counted.specs, 1);
    ck_assert_uint_eq(counted.workers, 1);
    ck_assert_uint_eq(counted.active, 0);
}

TEST_TIMES(2, between_two_attempts_its_last_pid_stands_for_it)
{
    cop_supervisor_spec spec = {BOXES, .backoff_min = COP_MS(500)};
    if (_i == 1) {
        spec = *DYNAMIC(.backoff_min = COP_MS(500));
    }
    cop_pid sup = start_recorded(&spec);
    cop_pid a = _i ? started(sup, ANY_BOX("a", .restart = COP_PERMANENT)) : instance(sup, "a");
    end_pid(a, BOOM);
    EVENTUALLY(strcmp(listed(sup), "=restarting") == 0);
    ck_assert_int_eq(cop_supervisor_terminate(sup, a), 0);
    ck_assert_str_eq(listed(sup), "");
    cop_sleep(COP_MS(700)); /* were the timer left, it would have come by now */
    ck_assert_str_eq(listed(sup), "");
    HAPPENED(_i ? "+a terminated(a boom)" : "+a terminated(w boom)");
}

/* The event, besides its words: which process it was. */
static cop_pid told_of[3];

static void
keep_pids(const cop_event *event, void *env)
{
    (void)env;
    if (event->kind >= COP_EVENT_CHILD_TERMINATED && event->kind <= COP_EVENT_GAVE_UP) {
        told_of[event->kind == COP_EVENT_CHILD_TERMINATED ? 0
                : event->kind == COP_EVENT_START_ERROR    ? 1
                                                          : 2] = event->pid;
    }
}

TEST(reports_of_a_failed_attempt_tell_who_it_was)
{
    cop_config config = {.size = sizeof config, .observe = keep_pids};
    ck_assert_int_eq(cop_configure(&config), 0);
    boxes[0].plan = "+ff";
    cop_pid sup = start_tree(DYNAMIC(.max_restarts = 1, LONG));
    cop_pid a = started(sup, ANY_BOX("a", .restart = COP_PERMANENT));
    cop_ref monitor = cop_monitor(sup);
    end_pid(a, BOOM);
    test_down(monitor);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(cop_pid_eq(told_of[i], a));
    }
}

/* ---------------------------------------------------------------- which ends are the last */

TEST_TIMES(2, one_that_declines_its_restart_is_forgotten) /* SOF-010, DYN-018 */
{
    boxes[0].plan = "+i";
    cop_supervisor_spec spec = {BOXES, .max_children = 1};
    if (_i == 1) {
        spec = *DYNAMIC(.max_children = 1);
    }
    cop_pid sup = start_recorded(&spec);
    cop_pid a = _i ? started(sup, ANY_BOX("a", .restart = COP_PERMANENT)) : instance(sup, "a");
    end_child(sup, a, BOOM);
    EVENTUALLY(has_happened("?a"));
    ck_assert_str_eq(listed(sup), "");
    cop_pid b = _i ? started(sup, ANY_BOX("b", .restart = COP_PERMANENT))
                   : instance(sup, "b"); /* its place is free */
    ck_assert(cop_alive(b));
}

TEST(temporary_ones_are_forgotten_whatever_their_end) /* DYN-015 */
{
    cop_pid sup = start_recorded(DYNAMIC());
    const cop_reason ends[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, COP_REASON_KILLED, BOOM};
    for (size_t i = 0; i < 4; i++) {
        end_child(sup, started(sup, ANY_BOX("a", .restart = COP_TEMPORARY)), ends[i]);
        ck_assert_str_eq(listed(sup), "");
    }
    HAPPENED("+a +a +a terminated(a killed) +a terminated(a boom)");
}

TEST(transient_ones_are_forgotten_unless_they_crash)
{
    cop_pid sup = start_recorded(DYNAMIC());
    end_child(sup, started(sup, ANY_BOX("a", .restart = COP_TRANSIENT)), COP_REASON_NORMAL);
    end_child(sup, started(sup, ANY_BOX("b", .restart = COP_TRANSIENT)), COP_REASON_SHUTDOWN);
    ck_assert_str_eq(listed(sup), "");
    end_child(sup, started(sup, ANY_BOX("c", .restart = COP_TRANSIENT)), COP_REASON_KILLED);
    ck_assert_str_eq(listed(sup), "=up");
    HAPPENED("+a +b +c terminated(c killed) +c");
}

TEST(permanent_ones_are_restarted_whatever_their_end) /* DYN-017 */
{
    cop_pid sup = start_recorded(DYNAMIC(.max_restarts = 4, LONG));
    started(sup, ANY_BOX("a", .restart = COP_PERMANENT));
    const cop_reason ends[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, COP_REASON_KILLED, BOOM};
    for (size_t i = 0; i < 4; i++) {
        end_child(sup, youngest(sup), ends[i]);
    }
    then(sup, "+a terminated(a normal) +a terminated(a shutdown) +a terminated(a killed) +a "
              "terminated(a boom) +a");
}

TEST(extra_is_there_at_restarts_too) /* DYN-008 */
{
    cop_pid sup = start_recorded(DYNAMIC(.extra = {"e", 1}));
    cop_pid e =
        started(sup, ANY_BOX("a", .restart = COP_PERMANENT)); /* the box looks at one letter */
    end_child(sup, e, BOOM);
    then(sup, "+e terminated(a boom) +e");
}

TEST(an_instance_that_is_stopped_and_ends_otherwise_is_reported)
{
    record_reports();
    cop_pid sup = start_tree(INSTANCES(WORKER(end_with_arg, .id = "w")));
    cop_pid pid = instance(sup, "oops");
    EVENTUALLY(heard == 1);
    ck_assert_int_eq(cop_supervisor_terminate(sup, pid), 0);
    HAPPENED("shutdown_error(w oops)");
}

TEST(a_significant_instance_ends_its_supervisor)
{
    cop_pid sup = start_recorded(
        TREE(.strategy = COP_SIMPLE_ONE_FOR_ONE, .auto_shutdown = COP_ALL_SIGNIFICANT,
             .children = CHILD_OF(.id = "w", .genserver = &box, .restart = COP_TRANSIENT,
                                  .significant = true),
             .child_count = 1));
    cop_pid a = instance(sup, "a"), b = instance(sup, "b");
    cop_ref monitor = cop_monitor(sup);
    end_child(sup, a, COP_REASON_NORMAL);
    ck_assert(cop_alive(sup));
    end_pid(b, COP_REASON_NORMAL);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

/* ---------------------------------------------------------------- many */

static void
start_and_stop_one_by_one(cop_pid sup, int count)
{
    cop_pid *pids = calloc((size_t)count, sizeof *pids);
    for (int i = 0; i < count; i++) {
        pids[i] = instance(sup, "x");
    }
    ck_assert_uint_eq(counts(sup).active, (size_t)count); /* SOF-016 */
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(cop_supervisor_terminate(sup, pids[i]), 0);
    }
    ck_assert_uint_eq(counts(sup).active, 0);
    free(pids);
}

TEST(counts_follow_a_thousand_starts_and_stops) /* SOF-016, SOF-019 */
{
    cop_pid sup = start_tree(INSTANCES(WORKER(until_asked, .id = "w", .restart = COP_TEMPORARY)));
    start_and_stop_one_by_one(sup, 1000);
    start_and_stop_one_by_one(sup, 2000);
}

TEST(instances_that_are_supervisors_are_counted_there) /* SOF-016 */
{
    cop_pid sup = start_tree(INSTANCES(CHILD_OF(.id = "s", .supervisor = DYNAMIC())));
    instance(sup, "");
    instance(sup, "");
    ck_assert_uint_eq(counts(sup).supervisors, 2);
    ck_assert_uint_eq(counts(sup).specs, 1);
}

SUITE("restart_dynamic")
