/*
 * tests/runtime/test_signals.c - links and monitors.
 *
 * Room: tests/. Case ids (LNK-001, MON-001) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/send.h"
#include "tests/runtime/partners.h"
#include "tests/support/wrap.h"

#include <unistd.h>

/* ---------------------------------------------------------------- helpers */

static int
end_at_once(cop_bytes arg)
{
    (void)arg;
    return 0;
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_link_or_a_signal_to_a_name_that_nobody_has_is_refused)
{
    ck_assert_int_eq(cop_link(cop_named("nobody")), -ESRCH);
    ck_assert_int_eq(cop_exit_signal(cop_named("nobody"), crash()), -ESRCH);
    ck_assert(!test_has_mail());
}

static int
try_link(void *pid)
{
    return cop_link(*(cop_pid *)pid);
}

TEST(a_link_for_which_there_is_no_memory_links_nobody)
{
    int r;
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    copi_alloc_fail_after(0);
    int first = cop_link(pid);
    copi_alloc_fail_after(-1);
    if (first == -ENOMEM) { /* else the pool had room */
        cop_pid other = start_waiting(NULL);
        ck_assert_int_eq(cop_exit_signal(other, crash()), 0);
        ck_assert_int_eq(cop_why().code, -ENOMEM);
    }
    test_out_of_memory(try_link, &pid, &r);
    ck_assert_int_eq(r, 0);
    cop_exit_signal(pid, crash());
    test_down(monitor);
    test_receive(COP_MSG_EXIT); /* one, however many attempts it took */
    ck_assert(!test_has_mail());
}

/* Take nodes from the pool until it has none, so that the next one needs memory. */
static void
empty_the_pool(cop_pid keeper)
{
    for (int r = 0; r == 0;) {
        r = cop_send(keeper, COP_MSG(HELLO, struct cop_exited, .pid = keeper));
    }
}

static int
keep_all(cop_bytes arg)
{
    (void)arg;
    return cop_sleep(COP_FOREVER);
}

TEST(without_memory_links_monitors_and_signals_fail_and_change_nothing)
{
    cop_pid pid, keeper;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&keeper, keep_all, .link = false), 0);
    pid = start_waiting(&monitor);
    copi_alloc_fail_after(0);
    empty_the_pool(keeper);
    int linked = cop_link(pid), signalled = cop_exit_signal(pid, crash());
    cop_ref failed = cop_monitor(pid);
    int why = cop_why().code;
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(linked, -ENOMEM);
    ck_assert_int_eq(signalled, -ENOMEM);
    ck_assert_uint_eq(failed.id, 0);
    ck_assert_int_eq(why, -ENOMEM);
    ck_assert(cop_alive(pid));

    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert(!test_has_mail());
}

TEST(an_end_needs_no_memory_to_be_told)
{
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    ck_assert_int_eq(cop_link(pid), 0);
    EVENTUALLY(cop_send(pid, COP_TAG(GO)) == 0);
    cop_exit_signal(pid, crash());
    copi_alloc_fail_after(0);
    cop_msg msg;
    int r = cop_receive(&msg, SOON), s = cop_receive(&msg, SOON);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(s, 0);
}

TEST(demonitor_of_what_is_no_monitor_is_an_error_and_harmless) /* MON-006 */
{
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    cop_ref timer = cop_send_after(pid, COP_TAG(GO), COP_SEC(3600));
    ck_assert_int_eq(cop_demonitor((cop_ref){0}), -ENOENT);
    ck_assert_int_eq(cop_demonitor((cop_ref){monitor.id + 12345}), -ENOENT);
    ck_assert_int_eq(cop_demonitor(timer), -ENOENT);
    ck_assert_int_eq(cop_why().code, -ENOENT);
    cop_exit_signal(pid, crash());
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert_int_eq(cop_demonitor(monitor), -ENOENT); /* it fired and was received */
}

static int
try_to_demonitor(cop_bytes arg)
{
    return cop_demonitor(*(const cop_ref *)arg.data);
}

TEST(demonitor_of_anothers_monitor_changes_nothing) /* MON-009 */
{
    cop_ref monitor, thief;
    cop_pid pid = start_waiting(&monitor);
    ck_assert_int_eq(
        cop_spawn(NULL, try_to_demonitor, .arg = COP_BYTES(monitor), .monitor = &thief), 0);
    ck_assert_int_eq(test_down(thief).code, -ENOENT);
    cop_exit_signal(pid, crash());
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

/* ---------------------------------------------------------------- links */

TEST(a_crash_takes_a_linked_partner_along_with_the_same_reason) /* LNK-001, LNK-006 */
{
    cop_ref monitor;
    cop_pid a = start_waiting(NULL);
    start_partner(a, false, &monitor);
    cop_exit_signal(a, crash());
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "crash");
}

TEST(a_link_works_both_ways)
{
    cop_ref monitor;
    cop_pid a = start_waiting(&monitor), b = start_partner(a, false, NULL);
    cop_exit_signal(b, crash());
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

static int
end_on_demand(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    int r = cop_receive(&msg, COP_FOREVER);
    return r;
}

TEST(a_normal_end_leaves_a_linked_partner_alone) /* LNK-001 */
{
    cop_pid a;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&a, end_on_demand, .monitor = &monitor), 0);
    cop_pid b = start_partner(a, false, NULL);
    cop_send(a, COP_TAG(GO));
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_send(b, COP_TAG(GO));
    cop_process_info info;
    EVENTUALLY(cop_inspect(b, &info) == 0 && info.messages_handled == 1);
}

TEST(a_partner_that_traps_exits_gets_a_message) /* LNK-002 */
{
    cop_pid a = start_waiting(NULL);
    start_partner(a, true, NULL);
    cop_exit_signal(a, crash());
    struct cop_exited exited = told();
    ck_assert(cop_pid_eq(exited.pid, a));
    ck_assert_str_eq(exited.reason.text, "crash");
    kill_all();
}

TEST(a_partner_that_traps_exits_is_told_of_a_normal_end_too) /* LNK-002 */
{
    cop_pid a;
    ck_assert_int_eq(cop_spawn(&a, end_on_demand, .link = false), 0);
    start_partner(a, true, NULL);
    cop_send(a, COP_TAG(GO));
    struct cop_exited exited = told();
    ck_assert(cop_pid_eq(exited.pid, a));
    ck_assert_int_eq(exited.reason.kind, COP_NORMAL);
    kill_all();
}

TEST(a_link_to_a_process_that_is_gone_is_an_exit_signal_NOPROC)
{
    cop_pid dead = test_start_dead();
    ck_assert_int_eq(cop_link(dead), 0); /* a foreign thread traps by nature */
    const struct cop_exited *exited = COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited);
    ck_assert(cop_pid_eq(exited->pid, dead));
    ck_assert_int_eq(exited->reason.kind, COP_NOPROC);
}

static int
link_to_the_dead(cop_bytes arg)
{
    int r = cop_link(*(const cop_pid *)arg.data);
    return r ? r : cop_sleep(COP_FOREVER);
}

TEST(a_link_to_a_process_that_is_gone_ends_the_caller)
{
    cop_pid dead = test_start_dead();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, link_to_the_dead, .arg = COP_BYTES(dead), .monitor = &monitor),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NOPROC);
}

TEST(linking_twice_or_to_oneself_changes_nothing)
{
    cop_pid pid = start_waiting(NULL);
    ck_assert_int_eq(cop_link(cop_self()), 0);
    ck_assert_int_eq(cop_link(pid), 0);
    ck_assert_int_eq(cop_link(pid), 0);
    cop_exit_signal(pid, crash());
    test_receive(COP_MSG_EXIT);
    EVENTUALLY(!cop_alive(pid));
    ck_assert(!test_has_mail());
}

TEST(one_unlink_undoes_two_links)
{
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    ck_assert_int_eq(cop_link(pid), 0);
    ck_assert_int_eq(cop_link(pid), 0);
    ck_assert_int_eq(cop_unlink(pid), 0);
    cop_exit_signal(pid, crash());
    test_down(monitor);
    ck_assert(!test_has_mail());
}

TEST(unlink_without_a_link_is_no_error)
{
    ck_assert_int_eq(cop_unlink(start_waiting(NULL)), 0);
    ck_assert_int_eq(cop_unlink(test_start_dead()), 0);
    ck_assert_int_eq(cop_unlink(COP_NOBODY), 0);
    ck_assert_int_eq(cop_unlink(cop_self()), 0);
}

TEST(unlink_removes_an_exit_message_that_was_taken_in_already)
{
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    ck_assert_int_eq(cop_link(pid), 0);
    cop_exit_signal(pid, crash());
    test_down(monitor); /* takes in what came with it */
    EVENTUALLY(!cop_alive(pid));
    cop_sleep(COP_MS(1));
    ck_assert_int_eq(cop_unlink(pid), 0);
    ck_assert(!test_has_mail());
}

TEST_TIMES(5, after_unlink_no_exit_comes_however_close_the_end)
{
    for (int i = 0; i < 200; i++) {
        cop_pid pid;
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(&pid, end_at_once, .link = true, .monitor = &monitor), 0);
        for (volatile int pause = 0; pause < i * 20; pause++) {
        }
        ck_assert_int_eq(cop_unlink(pid), 0);
        test_down(monitor);
        ck_assert(!test_has_mail());
    }
}

TEST_TIMES(5, a_link_made_while_the_other_ends_gives_one_signal_and_no_more)
{
    for (int i = 0; i < 200; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, end_at_once, .link = false), 0);
        for (volatile int pause = 0; pause < i * 20; pause++) {
        }
        ck_assert_int_eq(cop_link(pid), 0);
        const struct cop_exited *exited = COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited);
        ck_assert(cop_pid_eq(exited->pid, pid));
        ck_assert(exited->reason.kind == COP_NORMAL || exited->reason.kind == COP_NOPROC);
        ck_assert(!test_has_mail());
    }
}

TEST(a_link_is_gone_when_its_signal_has_come) /* LNK-015 */
{
    cop_pid pid = start_waiting(NULL);
    ck_assert_int_eq(cop_link(pid), 0);
    cop_exit_signal(pid, crash());
    test_receive(COP_MSG_EXIT);
    ck_assert_int_eq(cop_unlink(pid), 0);
    ck_assert_int_eq(cop_link(pid), 0); /* a new one, to the dead */
    ck_assert_int_eq(COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited)->reason.kind,
                     COP_NOPROC);
}

TEST(a_crash_travels_along_a_chain_of_links)
{
    enum {
        LENGTH = 50
    };
    cop_ref last;
    cop_pid first = start_waiting(NULL), pid = first;
    for (int i = 0; i < LENGTH; i++) {
        pid = start_partner(pid, false, i == LENGTH - 1 ? &last : NULL);
    }
    cop_exit_signal(first, crash());
    ck_assert_str_eq(test_down(last).text, "crash");
}

TEST(trap_exits_returns_the_old_setting)
{
    ck_assert(!cop_trap_exits(true));
    ck_assert(cop_trap_exits(true));
    ck_assert(cop_trap_exits(false));
    ck_assert(!cop_trap_exits(false));
}

/* ---------------------------------------------------------------- monitors */

TEST(a_monitor_fires_once_whatever_the_reason) /* MON-001 */
{
    const cop_reason reasons[] = {
        COP_REASON_SHUTDOWN,      COP_REASON_KILLED,
        cop_failed(-EIO, "text"), {.kind = COP_FAULTED, .code = 11},
        {.kind = COP_NOPROC},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        cop_ref monitor;
        cop_pid pid = start_waiting(&monitor);
        cop_exit_signal(pid, reasons[i]);
        const struct cop_down *down = COP_BODY(test_receive(COP_MSG_DOWN), struct cop_down);
        ck_assert_uint_eq(down->ref.id, monitor.id);
        ck_assert(cop_pid_eq(down->pid, pid));
        ck_assert_int_eq(down->reason.kind, reasons[i].kind);
        ck_assert_str_eq(down->reason.text, reasons[i].text);
        ck_assert(!test_has_mail());
    }
}

TEST(a_monitor_of_a_process_that_is_gone_fires_at_once_with_NOPROC) /* MON-002 */
{
    cop_pid dead = test_start_dead();
    const cop_pid gone[] = {dead, COP_NOBODY, cop_named("nobody")};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        cop_ref monitor = cop_monitor(gone[i]);
        ck_assert_uint_ne(monitor.id, 0);
        ck_assert_int_eq(test_down(monitor).kind, COP_NOPROC);
        ck_assert_int_eq(cop_demonitor(monitor), -ENOENT);
    }
}

TEST(a_name_is_watched_as_its_holder_of_now)
{
    cop_pid pid = start_waiting(NULL), heir = start_waiting(NULL);
    ck_assert_int_eq(cop_register("name", pid), 0);
    cop_ref monitor = cop_monitor(cop_named("name"));
    ck_assert_int_eq(cop_unregister("name"), 0);
    ck_assert_int_eq(cop_register("name", heir), 0);
    cop_exit_signal(pid, crash());
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

TEST(each_monitor_of_one_process_fires)
{
    enum {
        MONITORS = 20
    };
    cop_pid pid = start_waiting(NULL);
    cop_ref monitor[MONITORS];
    for (int i = 0; i < MONITORS; i++) {
        monitor[i] = cop_monitor(pid);
    }
    ck_assert_int_eq(cop_demonitor(monitor[7]), 0);
    cop_exit_signal(pid, crash());
    for (int i = 0; i < MONITORS; i++) {
        if (i != 7) {
            ck_assert_int_eq(test_down(monitor[i]).code, -EIO);
        }
    }
    ck_assert(!test_has_mail());
}

TEST(after_demonitor_no_notice_comes) /* MON-006 */
{
    cop_ref monitor, other;
    cop_pid pid = start_waiting(&monitor);
    other = cop_monitor(pid);
    ck_assert_int_eq(cop_demonitor(monitor), 0);
    ck_assert_int_eq(cop_demonitor(monitor), -ENOENT);
    cop_exit_signal(pid, crash());
    test_down(other);
    ck_assert(!test_has_mail());
}

TEST(demonitor_removes_a_notice_that_is_queued)
{
    cop_ref monitor, other;
    cop_pid pid = start_waiting(&monitor);
    other = cop_monitor(pid);
    cop_exit_signal(pid, crash());
    test_down(other);
    EVENTUALLY(!cop_alive(pid));
    cop_sleep(COP_MS(1)); /* takes in the first one's, too */
    ck_assert_int_eq(cop_demonitor(monitor), 0);
    ck_assert(!test_has_mail());
}

TEST_TIMES(5, after_demonitor_no_notice_comes_however_close_the_end)
{
    for (int i = 0; i < 200; i++) {
        cop_pid pid;
        cop_ref monitor, other;
        ck_assert_int_eq(cop_spawn(&pid, end_at_once, .monitor = &monitor), 0);
        other = cop_monitor(pid);
        for (volatile int pause = 0; pause < i * 20; pause++) {
        }
        ck_assert_int_eq(cop_demonitor(monitor), 0);
        test_down(other);
        ck_assert(!test_has_mail());
    }
}

TEST_TIMES(5, a_monitor_made_while_the_other_ends_fires_once)
{
    for (int i = 0; i < 200; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, end_at_once, .link = false), 0);
        for (volatile int pause = 0; pause < i * 20; pause++) {
        }
        cop_reason reason = test_down(cop_monitor(pid));
        ck_assert(reason.kind == COP_NORMAL || reason.kind == COP_NOPROC);
        ck_assert(!test_has_mail());
    }
}

static int
monitor_oneself(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_ref monitor = cop_monitor(cop_self());
    int r = cop_demonitor(monitor);
    return r ? r : cop_receive(&msg, 0) == 0 ? -EINVAL : 0;
}

static int
keep_monitoring_oneself(cop_bytes arg)
{
    (void)arg;
    return cop_monitor(cop_self()).id ? 0 : -EINVAL;
}

/* 1: who tells of its end next stays there; 2: it does; 3: it may go on. */
static atomic_int telling;

void real_post_signal(cop_pid to, struct copi_message *message) REAL(copi_post_signal);
void hold_signal(cop_pid to, struct copi_message *message) WRAP(copi_post_signal);
void
hold_signal(cop_pid to, struct copi_message *message)
{
    int waits = 1;
    bool is_end = message->kind == COPI_DOWN;
    if (is_end && atomic_compare_exchange_strong(&telling, &waits, 2)) {
        while (atomic_load(&telling) == 2) {
            usleep(100);
        }
    }
    real_post_signal(to, message);
}

/* Who has not heard yet may watch it again, and hears why it ended; among others whom it watches. */
TEST(a_monitor_made_while_the_others_are_told_is_told_the_same)
{
    cop_ref before, monitor, after;
    start_waiting(&before);
    cop_pid pid = start_waiting(&monitor);
    start_waiting(&after);
    atomic_store(&telling, 1);
    ck_assert_int_eq(cop_exit_signal(pid, crash()), 0);
    EVENTUALLY(atomic_load(&telling) == 2);
    cop_ref again = cop_monitor(pid);
    ck_assert_uint_ne(again.id, 0);
    ck_assert(!test_has_mail());
    atomic_store(&telling, 3);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert_int_eq(test_down(again).code, -EIO);
    kill_all();
}

TEST(monitoring_oneself_and_removing_it_leaves_nothing) /* MON-010 */
{
    ck_assert_int_eq(end_of(monitor_oneself).kind, COP_NORMAL);
    ck_assert_int_eq(end_of(keep_monitoring_oneself).kind, COP_NORMAL);
}

static int
kill_and_end(cop_bytes arg)
{
    cop_exit_signal(*(const cop_pid *)arg.data, COP_REASON_KILLED);
    return 0;
}

static int
monitor_and_wait(cop_bytes arg)
{
    cop_pid starter = *(const cop_pid *)arg.data, self = cop_self(), pid;
    cop_ref monitor;
    (void)starter;
    int r = cop_spawn(&pid, kill_and_end, .arg = COP_BYTES(self), .monitor = &monitor);
    return r ? r : cop_sleep(COP_FOREVER);
}

TEST(who_is_watched_may_kill_the_watcher_and_end) /* MON-012 */
{
    cop_pid self = cop_self();
    for (int i = 0; i < 200; i++) {
        cop_ref monitor;
        ck_assert_int_eq(
            cop_spawn(NULL, monitor_and_wait, .arg = COP_BYTES(self), .monitor = &monitor), 0);
        ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    }
}

static int
monitor_and_end(cop_bytes arg)
{
    return cop_monitor(*(const cop_pid *)arg.data).id ? -EIO : -EINVAL;
}

TEST(monitors_do_not_link) /* MON-013 */
{
    cop_pid pid = start_waiting(NULL);
    cop_ref watcher;
    cop_process_info info;
    ck_assert_int_eq(cop_spawn(NULL, monitor_and_end, .arg = COP_BYTES(pid), .monitor = &watcher),
                     0);
    ck_assert_int_eq(test_down(watcher).code, -EIO); /* the watcher's end harms nobody */
    cop_send(pid, COP_TAG(GO));
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.messages_handled == 1);
}

/* ---------------------------------------------------------------- order */

static int
send_and_end(cop_bytes arg)
{
    cop_pid to = *(const cop_pid *)arg.data;
    for (int i = 0; i < 3; i++) {
        cop_send(to, COP_MSG_OF(HELLO, i));
    }
    return 0;
}

TEST(what_a_process_sent_is_seen_before_its_DOWN_and_its_EXIT)
{
    cop_pid self = cop_self();
    for (int round = 0; round < 300; round++) {
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(NULL, send_and_end, .arg = COP_BYTES(self), .link = true,
                                   .monitor = &monitor),
                         0);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(*COP_BODY(test_receive(HELLO), int), i);
        }
        for (int i = 0; i < 2; i++) {
            cop_msg msg;
            ck_assert_int_eq(cop_receive(&msg, SOON), 0);
            ck_assert(msg.tag == COP_MSG_DOWN || msg.tag == COP_MSG_EXIT);
        }
    }
}

static cop_step
answer_and_stop(void *state, cop_from from, cop_msg msg)
{
    (void)state, (void)msg;
    cop_reply(from, COP_TAG(0));
    return cop_stop(COP_REASON_NORMAL);
}

static const cop_genserver answering_server = {.type = "answers", .handle_call = answer_and_stop};

TEST(an_answer_is_seen_before_the_DOWN_of_who_gave_it)
{
    for (int i = 0; i < 300; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_genserver_start(&pid, &answering_server, .link = false), 0);
        cop_ref monitor = cop_monitor(pid);
        ck_assert_int_eq(cop_call(pid, COP_TAG(GO), NULL, 0, SOON), 0);
        ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    }
}

TEST(a_message_sent_before_an_exit_signal_is_not_lost_to_who_traps_exits)
{
    cop_pid pid = start_partner(COP_NOBODY, true, NULL);
    for (int i = 0; i < 100; i++) {
        cop_send(pid, COP_TAG(GO));
    }
    cop_exit_signal(pid, crash());
    told();
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    ck_assert_uint_eq(info.messages_handled, 101);
    kill_all();
}

/* ---------------------------------------------------------------- many */

enum {
    MANY = 1000
};
static _Atomic unsigned watching, notified;

static int
watch_the_one(cop_bytes arg)
{
    cop_ref monitor = cop_monitor(*(const cop_pid *)arg.data);
    atomic_fetch_add(&watching, 1);
    cop_reason reason = test_down(monitor);
    atomic_fetch_add(&notified, reason.code == -EIO);
    return 0;
}

TEST(a_thousand_processes_that_watch_one_are_all_told)
{
    cop_pid pid = start_waiting(NULL);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_spawn(NULL, watch_the_one, .arg = COP_BYTES(pid)), 0);
    }
    EVENTUALLY(atomic_load(&watching) == MANY);
    cop_exit_signal(pid, crash());
    EVENTUALLY(atomic_load(&notified) == MANY);
}

TEST(one_that_watches_a_thousand_is_told_of_each)
{
    static cop_pid pids[MANY];
    static cop_ref monitors[MANY];
    for (int i = 0; i < MANY; i++) {
        pids[i] = start_waiting(&monitors[i]);
    }
    for (int i = 0; i < MANY; i++) {
        cop_exit_signal(pids[i], cop_failed(-i - 1, NULL));
    }
    for (int i = MANY; i-- > 0;) {
        ck_assert_int_eq(test_down(monitors[i]).code, -i - 1);
    }
    ck_assert(!test_has_mail());
}

static int
watch_each_other(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    int r = cop_receive(&msg, SOON);
    if (r == 0) {
        cop_pid other = *COP_BODY(msg, cop_pid);
        cop_monitor(other);
        cop_link(other);
        r = cop_sleep(COP_FOREVER);
    }
    return r;
}

TEST_TIMES(3, target_and_watcher_that_die_at_the_same_moment_are_both_buried)
{
    for (int i = 0; i < 150; i++) {
        cop_pid a, b;
        cop_ref of_a, of_b;
        ck_assert_int_eq(cop_spawn(&a, watch_each_other, .monitor = &of_a), 0);
        ck_assert_int_eq(cop_spawn(&b, watch_each_other, .monitor = &of_b), 0);
        cop_send(a, COP_MSG_OF(GO, b));
        cop_send(b, COP_MSG_OF(GO, a));
        cop_sleep(COP_US(i));
        cop_exit_signal(a, i % 2 ? COP_REASON_KILLED : crash());
        cop_exit_signal(b, i % 3 ? COP_REASON_KILLED : crash());
        ck_assert(cop_is_crash(test_down(of_a)));
        ck_assert(cop_is_crash(test_down(of_b)));
        ck_assert(!test_has_mail());
    }
}

SUITE("signals")
