/*
 * tests/runtime/test_inspect.c - what a process is doing, seen without its help.
 *
 * Room: tests/.
 */
#include "runtime/inspect.h"
#include "runtime/table.h"
#include "tests/support/support.h"

#include <poll.h>
#include <unistd.h>

enum {
    GO = 1,
    STUCK,
};

/* ---------------------------------------------------------------- helpers */

static cop_pid
start_waiting(cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = monitor), 0);
    return pid;
}

static cop_process_info
look_at(cop_pid pid)
{
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    return info;
}

static _Atomic bool stuck, free_again;

/* Neither waits nor calls the library. */
static void
be_stuck(void)
{
    atomic_store(&stuck, true);
    while (!atomic_load(&free_again)) {
        usleep(100);
    }
    atomic_store(&stuck, false);
}

static cop_step
answer_slowly(void *state, cop_from from, cop_msg msg)
{
    (void)state, (void)msg;
    be_stuck();
    cop_reply(from, COP_TAG(0));
    return cop_ok();
}

static cop_step
hear_slowly(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag == STUCK) {
        be_stuck();
    }
    return cop_ok();
}

static const cop_genserver slow_server = {
    .type = "slow",
    .handle_call = answer_slowly,
    .handle_info = hear_slowly,
    .handle_cast = hear_slowly,
};

static cop_pid
start_server(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &slow_server, .name = "slow"), 0);
    return pid;
}

/* ---------------------------------------------------------------- those who are not there */

TEST(a_stale_pid_or_a_free_name_is_ESRCH_and_writes_nothing) /* NAM-004, PRC-003 */
{
    cop_process_info info = {.name = "untouched", .mailbox = 17};
    cop_ref monitor;
    cop_pid pid = start_waiting(&monitor);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    const cop_pid gone[] = {pid, COP_NOBODY, cop_named("nobody"), {UINT64_MAX >> 8}};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        ck_assert_int_eq(cop_inspect(gone[i], &info), -ESRCH);
        ck_assert_int_eq(cop_why().code, -ESRCH);
        ck_assert_str_eq(info.name, "untouched");
        ck_assert_uint_eq(info.mailbox, 17);
        ck_assert(!cop_alive(gone[i]));
    }
}

/* ---------------------------------------------------------------- what is seen */

TEST(a_process_that_waits_is_in_no_callback)
{
    cop_pid plain = start_waiting(NULL), server = start_server();
    EVENTUALLY(look_at(plain).callback == NULL);
    EVENTUALLY(look_at(server).callback == NULL);
}

TEST(a_process_is_found_by_name_and_tells_its_name) /* NAM-003, PRC-003 */
{
    cop_pid pid = start_server();
    ck_assert_str_eq(look_at(pid).name, "slow");
    ck_assert_str_eq(look_at(cop_named("slow")).name, "slow");
    ck_assert_str_eq(look_at(start_waiting(NULL)).name, "");
    ck_assert_int_eq(cop_unregister("slow"), 0);
    ck_assert_str_eq(look_at(pid).name, "");
}

TEST(a_stuck_server_is_seen_in_its_callback_and_since_when)
{
    cop_time before = cop_now() - COP_MS(20); /* to a few milliseconds */
    cop_pid pid = start_server();
    cop_send(pid, COP_TAG(STUCK));
    EVENTUALLY(atomic_load(&stuck));
    cop_process_info info = look_at(pid);
    ck_assert_str_eq(info.callback, "handle_info");
    ck_assert_int_ge(info.since, before);
    ck_assert_int_le(info.since, cop_now());
    cop_time since = info.since;
    cop_sleep(COP_MS(10));
    ck_assert_int_eq(look_at(pid).since, since); /* it is still the same callback */

    atomic_store(&free_again, true);
    EVENTUALLY(look_at(pid).callback == NULL);
    cop_cast(pid, COP_TAG(GO));
    EVENTUALLY(look_at(pid).messages_handled == 2);
}

TEST(the_mailbox_of_a_stuck_process_is_counted)
{
    cop_pid pid = start_server();
    cop_send(pid, COP_TAG(STUCK));
    EVENTUALLY(atomic_load(&stuck));
    ck_assert_uint_eq(look_at(pid).mailbox, 0);
    ck_assert_int_eq(look_at(pid).oldest, 0);
    for (size_t i = 1; i <= 50; i++) {
        cop_send(pid, COP_TAG(GO));
        ck_assert_uint_eq(look_at(pid).mailbox, i);
    }
    ck_assert_int_gt(look_at(pid).oldest, 0);
    cop_sleep(COP_MS(30));
    ck_assert_int_ge(look_at(pid).oldest, COP_MS(15)); /* the clock is a coarse one */

    atomic_store(&free_again, true);
    EVENTUALLY(look_at(pid).messages_handled == 51);
    ck_assert_uint_eq(look_at(pid).mailbox, 0);
    ck_assert_int_eq(look_at(pid).oldest, 0);
}

static bool
is_go(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == GO;
}

TEST(messages_that_were_passed_over_still_count)
{
    cop_msg msg;
    for (int i = 0; i < 10; i++) {
        cop_send(cop_self(), COP_TAG(STUCK));
    }
    cop_send(cop_self(), COP_TAG(GO));
    ck_assert_uint_eq(look_at(cop_self()).mailbox, 11);
    ck_assert_int_eq(cop_receive_match(&msg, is_go, NULL, 0), 0);
    ck_assert_uint_eq(look_at(cop_self()).mailbox, 10);
    cop_send(cop_self(), COP_TAG(STUCK));
    ck_assert_uint_eq(look_at(cop_self()).mailbox, 11);
    ck_assert_uint_eq(look_at(cop_self()).messages_handled, 1);
}

TEST(what_a_full_mailbox_drops_is_counted)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &slow_server, .mailbox = {2, COP_FULL_DROP_NEW}), 0);
    cop_send(pid, COP_TAG(STUCK));
    EVENTUALLY(atomic_load(&stuck));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_send(pid, COP_TAG(GO)), 0);
    }
    ck_assert_uint_eq(look_at(pid).mailbox, 2);
    ck_assert_uint_eq(look_at(pid).dropped, 3);
    atomic_store(&free_again, true);
}

static int
own_and_wait(cop_bytes arg)
{
    cop_alloc(1000);
    cop_alloc(234);
    return test_wait_for_end(arg);
}

TEST(owned_bytes_are_seen_from_outside)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, own_and_wait, .link = false), 0);
    EVENTUALLY(look_at(pid).owned_bytes == 1234);
}

/* ---------------------------------------------------------------- whom it is tied to */

static int
link_monitor_and_wait(cop_bytes arg)
{
    cop_pid other = *(const cop_pid *)arg.data;
    cop_trap_exits(true);
    cop_link(other);
    cop_monitor(other);
    cop_monitor(other);
    return test_wait_for_end(arg);
}

#define HAS(pid, links_, monitors_, monitored_by_)                       \
 (look_at(pid).links == (links_) && look_at(pid).monitors == (monitors_) \
  && look_at(pid).monitored_by == (monitored_by_))

TEST(links_and_monitors_are_counted_on_both_sides_until_they_have_told) /* PRC-003 */
{
    cop_pid other = start_waiting(NULL), pid;
    ck_assert_int_eq(cop_spawn(&pid, link_monitor_and_wait, .arg = COP_BYTES(other)), 0);
    EVENTUALLY(HAS(pid, 1, 2, 0));
    ck_assert(HAS(other, 1, 0, 2));
    ck_assert(look_at(pid).traps_exits);
    ck_assert(!look_at(other).traps_exits);

    cop_exit_signal(other, COP_REASON_KILLED);
    EVENTUALLY(look_at(pid).messages_handled == 3);
    ck_assert(HAS(pid, 0, 0, 0));
    cop_exit_signal(pid, COP_REASON_KILLED); /* it heeds nothing less */
}

TEST(what_is_unlinked_and_demonitored_does_not_count)
{
    cop_pid self = cop_self(), other = start_waiting(NULL);
    cop_link(other);
    cop_link(other); /* changes nothing */
    cop_ref monitor = cop_monitor(other);
    ck_assert(HAS(self, 1, 1, 0));
    cop_unlink(other);
    ck_assert(HAS(self, 0, 1, 0));
    ck_assert(HAS(other, 0, 0, 1));
    cop_demonitor(monitor);
    ck_assert(HAS(self, 0, 0, 0));
    ck_assert(HAS(other, 0, 0, 0));
}

/* The news is in the mailbox, and not wanted any more. */
TEST(what_is_unlinked_and_demonitored_after_the_others_end_does_not_count)
{
    cop_pid self = cop_self(), other = start_waiting(NULL);
    cop_link(other);
    cop_ref monitor = cop_monitor(other);
    cop_exit_signal(other, COP_REASON_KILLED);
    while (cop_alive(other) || look_at(self).mailbox < 2) {
        usleep(100); /* nothing is taken in */
    }
    ck_assert(HAS(self, 1, 1, 0));
    cop_unlink(other);
    ck_assert_int_eq(cop_demonitor(monitor), 0);
    ck_assert(HAS(self, 0, 0, 0));
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert(HAS(self, 0, 0, 0));
}

TEST(who_ties_itself_to_the_dead_is_tied_until_it_hears)
{
    cop_msg msg;
    cop_pid self = cop_self();
    cop_monitor(COP_NOBODY);
    ck_assert(HAS(self, 0, 1, 0));
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert(HAS(self, 0, 0, 0));
}

TEST(who_started_a_process_with_a_link_is_its_parent)
{
    cop_pid self = cop_self(), child;
    ck_assert_int_eq(cop_spawn(&child, test_wait_for_end, .link = true), 0);
    ck_assert(cop_pid_eq(look_at(child).parent, self));
    ck_assert(cop_pid_eq(look_at(start_waiting(NULL)).parent, COP_NOBODY));
    ck_assert(HAS(child, 1, 0, 0));
    cop_unlink(child);
}

TEST(whoever_comes_next_is_tied_to_nobody)
{
    for (int i = 0; i < 50; i++) {
        cop_ref monitor;
        cop_pid other = start_waiting(NULL), pid;
        ck_assert_int_eq(cop_spawn(&pid, link_monitor_and_wait, .arg = COP_BYTES(other),
                                   .monitor = &monitor),
                         0);
        EVENTUALLY(HAS(pid, 1, 2, 1));
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
        EVENTUALLY(!cop_alive(other));
    }
    cop_pid fresh = start_waiting(NULL);
    ck_assert(HAS(fresh, 0, 0, 0));
    ck_assert(HAS(cop_self(), 0, 0, 0));
}

/* ---------------------------------------------------------------- whom it waits for */

enum wait {
    IN_CALL,
    IN_STOP,
    IN_SEND,
    IN_START,
};

struct waiter {
    enum wait wait;
    cop_pid other;
};

static _Atomic uint64_t being_started;

static cop_step
begin_slowly(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    atomic_store(&being_started, cop_self().id);
    be_stuck();
    return cop_ok();
}

static const cop_genserver slow_to_start = {.type = "starting", .init = begin_slowly};

static int
wait_for_another(cop_bytes arg)
{
    const struct waiter *waiter = arg.data;
    switch (waiter->wait) {
    case IN_CALL:
        return cop_call(waiter->other, COP_TAG(GO), NULL, 0, COP_FOREVER);
    case IN_STOP:
        return cop_stop_process(waiter->other, COP_REASON_NORMAL, COP_FOREVER);
    case IN_SEND:
        return cop_send(waiter->other, COP_TAG(GO));
    case IN_START:
        return cop_genserver_start(NULL, &slow_to_start, .link = false);
    }
    return 0;
}

TEST_TIMES(3, whom_a_process_waits_for_is_seen_and_nobody_afterwards)
{
    struct waiter waiter = {.wait = (enum wait)_i};
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(
        cop_genserver_start(&waiter.other, &slow_server, .mailbox = {1, COP_FULL_BLOCK}), 0);
    cop_send(waiter.other, COP_TAG(STUCK));
    EVENTUALLY(atomic_load(&stuck));
    if (waiter.wait == IN_SEND) {
        ck_assert_int_eq(cop_send(waiter.other, COP_TAG(GO)), 0); /* now it is full */
    }
    ck_assert_int_eq(
        cop_spawn(&pid, wait_for_another, .arg = COP_BYTES(waiter), .monitor = &monitor), 0);
    EVENTUALLY(cop_pid_eq(look_at(pid).waits_for, waiter.other));
    atomic_store(&free_again, true);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(cop_pid_eq(look_at(cop_self()).waits_for, COP_NOBODY));
}

TEST(who_waits_for_a_start_is_seen_to_wait_for_the_new_process)
{
    struct waiter waiter = {.wait = IN_START};
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(&pid, wait_for_another, .arg = COP_BYTES(waiter), .monitor = &monitor), 0);
    EVENTUALLY(atomic_load(&being_started) != 0);
    cop_pid server = {atomic_load(&being_started)};
    EVENTUALLY(cop_pid_eq(look_at(pid).waits_for, server));
    ck_assert_str_eq(look_at(server).callback, "init");
    atomic_store(&free_again, true);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- what it waits in */

static int
sleep_long(cop_bytes unused)
{
    (void)unused;
    return cop_sleep(COP_FOREVER);
}

static int
await_long(cop_bytes arg)
{
    return cop_await(*(cop_future *const *)arg.data, NULL, 0, COP_FOREVER);
}

static int
wait_for_descriptor(cop_bytes arg)
{
    return cop_wait_fd(*(const int *)arg.data, POLLIN, COP_FOREVER);
}

static bool
waits_in(cop_pid pid, const char *word)
{
    cop_process_info info;
    return cop_inspect(pid, &info) == 0 && info.waits_in && strcmp(info.waits_in, word) == 0;
}

TEST(who_runs_waits_in_nothing)
{
    ck_assert_ptr_null(look_at(cop_self()).waits_in);
    cop_pid server = start_server();
    EVENTUALLY(waits_in(server, "receive"));
    cop_send(server, COP_TAG(STUCK));
    EVENTUALLY(atomic_load(&stuck));
    ck_assert_ptr_null(look_at(server).waits_in);
    atomic_store(&free_again, true);
    EVENTUALLY(waits_in(server, "receive"));
}

TEST(in_what_a_process_waits_is_seen)
{
    int ends[2];
    cop_pid receiver = start_waiting(NULL), sleeper, reader, awaiter;
    cop_resolver *resolver;
    cop_future *future;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(cop_promise_new(&future, &resolver, 0), 0);
    ck_assert_int_eq(cop_spawn(&sleeper, sleep_long), 0);
    ck_assert_int_eq(cop_spawn(&reader, wait_for_descriptor, .arg = COP_BYTES(ends[0])), 0);
    ck_assert_int_eq(cop_spawn(&awaiter, await_long, .arg = COP_BYTES(future)), 0);
    EVENTUALLY(waits_in(receiver, "receive"));
    EVENTUALLY(waits_in(sleeper, "sleep"));
    EVENTUALLY(waits_in(reader, "descriptor"));
    EVENTUALLY(waits_in(awaiter, "await"));
    cop_ref down = cop_monitor(reader);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    test_down(down);
    down = cop_monitor(awaiter);
    ck_assert_int_eq(cop_resolve(resolver, (cop_bytes){0}), 0);
    test_down(down);
    cop_resolver_free(resolver);
    cop_future_release(future);
    close(ends[0]);
    close(ends[1]);
}

TEST(whose_call_waits_waits_in_it)
{
    struct waiter waiter = {.wait = IN_CALL, .other = start_server()};
    cop_pid pid;
    cop_ref monitor;
    cop_send(waiter.other, COP_TAG(STUCK));
    EVENTUALLY(atomic_load(&stuck));
    ck_assert_int_eq(
        cop_spawn(&pid, wait_for_another, .arg = COP_BYTES(waiter), .monitor = &monitor), 0);
    EVENTUALLY(waits_in(pid, "call"));
    ck_assert_str_eq(look_at(pid).callback, "run");
    atomic_store(&free_again, true);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(who_is_held_is_seen_to_be_until_he_is_let_go)
{
    cop_pid server = start_server();
    ck_assert(!look_at(server).is_suspended);
    ck_assert_int_eq(cop_sys_suspend(server, SOON), 0);
    ck_assert_int_eq(cop_sys_suspend(server, SOON), 0);
    ck_assert(look_at(server).is_suspended);
    ck_assert_int_eq(cop_sys_resume(server, SOON), 0);
    EVENTUALLY(!look_at(server).is_suspended);
}

/* ---------------------------------------------------------------- what it is, since when */

TEST(each_kind_of_process_is_called_by_its_word)
{
    ck_assert_str_eq(look_at(cop_self()).kind, "thread");
    ck_assert_str_eq(look_at(start_waiting(NULL)).kind, "process");
    cop_pid server = start_server();
    ck_assert_str_eq(look_at(server).kind, "genserver");
    ck_assert_ptr_null(look_at(server).strategy);
    cop_pid sup;
    const cop_supervisor_spec spec = {.strategy = COP_REST_FOR_ONE};
    ck_assert_int_eq(cop_supervisor_start(&sup, &spec), 0);
    ck_assert_str_eq(look_at(sup).kind, "supervisor");
    ck_assert_str_eq(look_at(sup).strategy, "rest_for_one");
}

TEST(the_time_of_its_start_is_known)
{
    cop_time before = cop_now() - COP_MS(50); /* a coarse clock's */
    cop_pid pid = start_waiting(NULL);
    cop_time started = look_at(pid).started;
    ck_assert(started >= before && started <= cop_now());
}

/* ---------------------------------------------------------------- its place in a tree */

TEST(who_is_nobodys_child_has_no_place)
{
    cop_process_info info = look_at(start_waiting(NULL));
    ck_assert_uint_eq(info.supervisor.id, 0);
    ck_assert_str_eq(info.child_id, "");
    ck_assert_uint_eq(info.child_number, 0);
    ck_assert_uint_eq(info.restarts, 0);
}

TEST(a_place_is_not_written_over_whoever_comes_next)
{
    cop_ref monitor;
    cop_pid gone = start_waiting(&monitor), next;
    const struct copi_position position = {.supervisor = cop_self(), .id = "x", .restarts = 7};
    copi_show_position(gone, &position);
    ck_assert_uint_eq(look_at(gone).restarts, 7);
    cop_exit_signal(gone, COP_REASON_KILLED);
    test_down(monitor);
    do { /* records are handed out in turn */
        ck_assert_int_eq(cop_spawn(&next, test_wait_for_end, .monitor = &monitor), 0);
        copi_show_position(gone, &position);
        ck_assert_uint_eq(look_at(next).supervisor.id, 0);
        copi_show_position(next, &position);
        ck_assert_uint_eq(look_at(next).restarts, 7);
        cop_exit_signal(next, COP_REASON_KILLED);
        test_down(monitor);
    } while ((next.id & COPI_INDEX_MASK) != (gone.id & COPI_INDEX_MASK));
    copi_show_position(COP_NOBODY, &position);
}

/* ---------------------------------------------------------------- pids as text */

TEST(what_is_no_pid_is_refused_and_nothing_is_written)
{
    static const char *const wrong[] = {"",
                                        "<",
                                        "<1",
                                        "<1.>",
                                        "<.1>",
                                        "1.1",
                                        "<1.1",
                                        "<1.1>x",
                                        " <1.1>",
                                        "<-1.1>",
                                        "<+1.1>",
                                        "<1. 1>",
                                        "<0x1.1>",
                                        "<1048576.1>",
                                        "<1.4294967296>",
                                        "<99999999999999999999999.1>"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cop_pid pid = {9};
        ck_assert_msg(cop_pid_parse(wrong[i], &pid) == -EINVAL, "%s", wrong[i]);
        ck_assert_uint_eq(pid.id, 9);
    }
}

TEST(a_pid_as_text_is_the_same_pid)
{
    const cop_pid pids[] = {COP_NOBODY, start_waiting(NULL), {UINT64_MAX >> 12}};
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++) {
        char text[COP_PID_TEXT];
        cop_pid pid = {9};
        ck_assert_ptr_eq(cop_pid_text(pids[i], text), text);
        ck_assert_int_eq(cop_pid_parse(text, &pid), 0);
        ck_assert(cop_pid_eq(pid, pids[i]));
    }
}

TEST(a_name_is_as_text_the_pid_of_who_has_it)
{
    char named[COP_PID_TEXT], direct[COP_PID_TEXT];
    ck_assert_str_eq(cop_pid_text(cop_named("nobody"), named), "<0.0>");
    cop_pid server = start_server();
    ck_assert_str_eq(cop_pid_text(cop_named("slow"), named), cop_pid_text(server, direct));
}

/* ---------------------------------------------------------------- all of them */

TEST(the_list_has_all_that_live_and_nobody_else)
{
    enum {
        COUNT = 20
    };
    cop_pid pids[COUNT], all[COUNT + 10];
    cop_ref monitor;
    for (int i = 0; i < COUNT; i++) {
        pids[i] = start_waiting(&monitor);
    }
    ck_assert_uint_eq(cop_processes(all, COUNT + 10), COUNT + 1); /* and the test itself */
    ck_assert_uint_eq(cop_processes(NULL, 0), COUNT + 1);

    cop_exit_signal(pids[COUNT - 1], COP_REASON_KILLED);
    test_down(monitor);
    memset(all, 0, sizeof all);
    ck_assert_uint_eq(cop_processes(all, 5), COUNT); /* as many as fit, and how many there are */
    ck_assert_uint_eq(all[5].id, 0);
    cop_processes(all, COUNT + 10);
    for (int i = 0; i < COUNT - 1; i++) {
        unsigned found = 0;
        for (int j = 0; j < COUNT; j++) {
            found += cop_pid_eq(all[j], pids[i]);
        }
        ck_assert_uint_eq(found, 1);
    }
}

static _Atomic bool enough;

static int
come_and_go(cop_bytes arg)
{
    (void)arg;
    while (!atomic_load(&enough)) {
        cop_ref monitor;
        if (cop_spawn(NULL, test_wait_for_end, .name = "brief", .monitor = &monitor) == 0) {
            cop_exit_signal(cop_named("brief"), COP_REASON_KILLED);
            test_down(monitor);
        }
    }
    return 0;
}

TEST(looking_at_processes_that_come_and_go_shows_one_or_none)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, come_and_go, .monitor = &monitor), 0);
    unsigned seen = 0;
    for (int i = 0; i < 20000 || (seen == 0 && i < 2000000); i++) {
        cop_process_info info;
        int r = cop_inspect(cop_named("brief"), &info);
        ck_assert(r == 0 || r == -ESRCH);
        seen += r == 0;
    }
    ck_assert_uint_gt(seen, 0);
    atomic_store(&enough, true);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(a_label_is_the_name_or_the_number)
{
    char label[COPI_LABEL_SIZE];
    cop_pid named = start_server(), plain = start_waiting(NULL);
    ck_assert_str_eq(copi_label_pid(named, label), "slow");
    ck_assert_int_eq(copi_label_pid(plain, label)[0], '<');
    ck_assert_str_eq(copi_label_pid(COP_NOBODY, label), "<nobody>");
}

TEST(who_has_ended_is_called_by_its_number)
{
    char before[COPI_LABEL_SIZE], after[COPI_LABEL_SIZE];
    cop_pid pid = start_waiting(NULL);
    cop_ref monitor = cop_monitor(pid);
    copi_label_pid(pid, before);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert_str_eq(copi_label_pid(pid, after), before);
}

/* ---------------------------------------------------------------- labels */

static cop_pid
start_labelled(const char *label, const char *name)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .label = label, .name = name), 0);
    return pid;
}

TEST(a_label_of_more_than_63_bytes_is_refused)
{
    char label[65];
    memset(label, 'x', 64);
    label[64] = '\0';
    cop_pid pid = {9};
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .label = label), -EINVAL);
    ck_assert_uint_eq(pid.id, 9);
    label[63] = '\0';
    ck_assert_str_eq(look_at(start_labelled(label, NULL)).label, label);
}

TEST(who_has_no_name_is_shown_by_its_label_and_number)
{
    char given[] = "pool", shown[COPI_LABEL_SIZE], number[COPI_LABEL_SIZE];
    cop_pid labelled = start_labelled(given, NULL), empty = start_labelled("", NULL);
    memset(given, '!', sizeof given);
    copi_label_pid(labelled, shown);
    ck_assert_int_eq(strncmp(shown, "pool<", 5), 0);
    ck_assert_int_eq(shown[strlen(shown) - 1], '>');
    ck_assert_str_eq(look_at(labelled).label, "pool");
    ck_assert_str_eq(look_at(labelled).name, "");
    ck_assert_int_eq(copi_label_pid(empty, number)[0], '<');
    ck_assert_str_eq(look_at(cop_self()).label, "");
}

TEST(a_name_comes_before_a_label)
{
    char shown[COPI_LABEL_SIZE];
    cop_pid pid = start_labelled("pool", "boss");
    ck_assert_str_eq(copi_label_pid(pid, shown), "boss");
    ck_assert_str_eq(look_at(pid).label, "pool");
    ck_assert_int_eq(cop_unregister("boss"), 0);
    ck_assert_int_eq(strncmp(copi_label_pid(pid, shown), "pool<", 5), 0);
}

TEST(the_longest_label_is_shown_whole_and_with_its_number)
{
    char label[64], shown[COPI_LABEL_SIZE];
    memset(label, 'x', 63);
    label[63] = '\0';
    copi_label_pid(start_labelled(label, NULL), shown);
    ck_assert_uint_eq(strspn(shown, "x"), 63);
    ck_assert_int_eq(shown[63], '<');
    ck_assert_int_eq(shown[strlen(shown) - 1], '>');
}

/* Records are handed out in turn. */
TEST(the_next_process_in_a_record_has_no_label)
{
    cop_ref monitor;
    cop_pid first = start_labelled("pool", NULL), next;
    do {
        ck_assert_int_eq(cop_spawn(&next, test_wait_for_end, .monitor = &monitor), 0);
        ck_assert_str_eq(look_at(next).label, "");
        cop_exit_signal(first, COP_REASON_KILLED);
        cop_exit_signal(next, COP_REASON_KILLED);
        test_down(monitor);
    } while ((next.id & COPI_INDEX_MASK) != (first.id & COPI_INDEX_MASK));
}

static _Atomic bool no_more;

/* Two labels, one after the other in one record: what is read is one of them, or none. */
static int
read_labels(cop_bytes arg)
{
    (void)arg;
    while (!atomic_load(&no_more)) {
        cop_pid all[64];
        size_t count = cop_processes(all, 64);
        for (size_t i = 0; i < count && i < 64; i++) {
            cop_process_info info = {0};
            cop_inspect(all[i], &info);
            size_t length = strlen(info.label);
            ck_assert(length == strspn(info.label, "a") || length == strspn(info.label, "b"));
        }
    }
    return 0;
}

TEST(labels_are_read_while_processes_come_and_go)
{
    cop_ref reader, monitor;
    ck_assert_int_eq(cop_spawn(NULL, read_labels, .monitor = &reader), 0);
    for (int i = 0; i < 500; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor,
                                   .label = i % 2 ? "aaaaaaaaaaaaaaaaaaaaaaa" : "bbbbbbbbb"),
                         0);
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
    }
    atomic_store(&no_more, true);
    ck_assert_int_eq(test_down(reader).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- tags */

TEST(a_tag_of_the_librarys_is_called_by_what_it_is_for)
{
    static const struct {
        uint32_t tag;
        const char *words;
    } known[] = {
        {COP_MSG_DOWN, "DOWN"},      {0xffff0103u, "UPDATE"},     {0xffff0201u, "SYS"},
        {0xffff0301u, "LOCK"},       {0xffff0401u, "ASYNC_CALL"}, {0xffff0501u, "SUPERVISOR"},
        {0xffff7701u, "0xffff7701"},
    };
    char words[COPI_TAG_SIZE];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ck_assert_str_eq(copi_tag_in_words(known[i].tag, words), known[i].words);
    }
}

SUITE("inspect")
