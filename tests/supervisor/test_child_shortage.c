/*
 * tests/supervisor/test_child_shortage.c - children are stopped though there is no memory to watch or ask them.
 *
 * Room: tests/. The memory that is short is that of one process's monitors and signals.
 */
#include "runtime/process.h"
#include "tests/supervisor/dynamic.h"
#include "tests/support/wrap.h"

/* Who has none, and how often it has been refused; nobody else notices. */
static _Atomic uint64_t without_monitors, without_signals;
static atomic_int refused, most_refused = 1000000;

static bool
is_refused(const _Atomic uint64_t *who)
{
    return *who != 0 && copi_here.process && copi_here.process->pid.id == *who
           && refused < most_refused && ++refused;
}

cop_ref real_monitor(cop_pid pid) REAL(cop_monitor);
cop_ref monitor_if_there_is_memory(cop_pid pid) WRAP(cop_monitor);
cop_ref
monitor_if_there_is_memory(cop_pid pid)
{
    if (is_refused(&without_monitors)) {
        copi_fail(-ENOMEM);
        return (cop_ref){0};
    }
    return real_monitor(pid);
}

int real_signal(cop_pid pid, cop_reason reason) REAL(cop_exit_signal);
int signal_if_there_is_memory(cop_pid pid, cop_reason reason) WRAP(cop_exit_signal);
int
signal_if_there_is_memory(cop_pid pid, cop_reason reason)
{
    return is_refused(&without_signals) ? copi_fail(-ENOMEM) : real_signal(pid, reason);
}

/* Of the processes' own memory. */
static atomic_bool without_memory;

void *real_alloc(size_t size) REAL(cop_alloc);
void *alloc_if_there_is_memory(size_t size) WRAP(cop_alloc);
void *
alloc_if_there_is_memory(size_t size)
{
    return without_memory ? NULL : real_alloc(size);
}

TEST(a_command_that_has_no_memory_for_its_words_crashes)
{
    record_reports();
    cop_pid sup = start_tree(DYNAMIC());
    without_memory = true;
    started(sup, CHILD_OF(.id = "a", .command = (const char *const[]){"/bin/true", NULL},
                          .restart = COP_TEMPORARY));
    EVENTUALLY(has_happened("terminated("));
    without_memory = false;
    HAPPENED("terminated(a out of memory)");
    EVENTUALLY(counts(sup).specs == 0);
}

static cop_pid
start(bool dynamic, const cop_child_spec *child, cop_pid *pid)
{
    cop_pid sup = start_tree(dynamic ? DYNAMIC() : TREE(.name = "static"));
    *pid = started(sup, child);
    EVENTUALLY(heard == 1);
    return sup;
}

TEST_TIMES(2, a_stop_waits_for_memory_to_watch_and_to_ask)
{
    cop_pid child, sup = start(_i, CHILD_OF(.id = "a", .worker = until_asked), &child);
    most_refused = 5;
    without_monitors = without_signals = sup.id;
    stop_tree(sup);
    ck_assert_int_eq(refused, 5);
    ck_assert_int_eq(asked, 1);
    ck_assert(!cop_alive(child));
}

/* It is at its own stop, so a kill does not end it in the middle of a call. */
static void
kill_while_it_has_none(cop_pid sup, cop_pid child)
{
    cop_ref end = cop_monitor(sup);
    ck_assert_int_eq(cop_supervisor_stop(sup, COP_MS(20)), -ETIMEDOUT);
    EVENTUALLY(refused > 3);
    ck_assert_int_eq(cop_exit_signal(sup, COP_REASON_KILLED), 0);
    test_down(end);
    ck_assert(cop_alive(child));
    ck_assert_int_eq(cop_exit_signal(child, COP_REASON_KILLED), 0);
}

TEST_TIMES(2, who_is_killed_while_it_cannot_watch_a_child_lets_it_be)
{
    cop_pid child, sup = start(_i, CHILD_OF(.id = "a", .worker = deaf), &child);
    without_monitors = sup.id;
    kill_while_it_has_none(sup, child);
}

TEST_TIMES(2, who_is_killed_while_it_cannot_ask_a_child_lets_it_be)
{
    cop_pid child, sup = start(_i, CHILD_OF(.id = "a", .worker = deaf), &child);
    without_signals = sup.id;
    kill_while_it_has_none(sup, child);
}

static int
deaf_and_then_short(cop_bytes arg)
{
    cop_msg msg;
    cop_trap_exits(true);
    heard++;
    test_receive(COP_MSG_EXIT);
    without_signals = *(const uint64_t *)arg.data;
    while (cop_receive(&msg, COP_FOREVER) == 0) {
    }
    return 0;
}

TEST_TIMES(2, who_is_killed_while_it_cannot_kill_a_child_that_is_late_lets_it_be)
{
    cop_pid child, sup = start_tree(_i ? DYNAMIC() : TREE(.name = "static"));
    child = started(sup, CHILD_OF(.id = "a", .worker = deaf_and_then_short, .shutdown = COP_MS(50),
                                  .arg = COP_BYTES(sup.id)));
    EVENTUALLY(heard == 1);
    kill_while_it_has_none(sup, child);
}

TEST(who_is_killed_while_it_waits_for_a_child_lets_it_and_the_older_ones_be)
{
    cop_pid deaf_one, older, sup = start_tree(TREE(.name = "static"));
    older = started(sup, CHILD_OF(.id = "older", .worker = deaf));
    deaf_one = started(sup, CHILD_OF(.id = "deaf", .worker = deaf, .shutdown = COP_FOREVER));
    EVENTUALLY(heard == 2);
    refused = 4;
    kill_while_it_has_none(sup, deaf_one);
    ck_assert(cop_alive(older));
    ck_assert_int_eq(cop_exit_signal(older, COP_REASON_KILLED), 0);
}

SUITE("child_shortage")
