/*
 * tests/runtime/test_library.c - the library as a whole: its settings, its beginning, its end.
 *
 * Room: tests/.
 */
#include "runtime/library.h"
#include "runtime/table.h"
#include "runtime/thread.h"
#include "tests/supervisor/tree.h"
#include "tests/support/wrap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GO = 1,
};
#define SHORT COP_MS(50) /* for what will not happen */

/* ---------------------------------------------------------------- helpers */

static cop_pid
start(cop_process_fn run)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, run, .link = false), 0);
    return pid;
}

/* Those that trap exits have said so when this returns. */
static _Atomic unsigned trapping;

static cop_pid
start_trapping(cop_process_fn run)
{
    unsigned before = atomic_load(&trapping);
    cop_pid pid = start(run);
    EVENTUALLY(atomic_load(&trapping) > before);
    return pid;
}

static void
trap_exits(void)
{
    cop_trap_exits(true);
    atomic_fetch_add(&trapping, 1);
}

static int
return_zero(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static int
wait_for_exit_message(cop_bytes arg)
{
    (void)arg;
    trap_exits();
    cop_msg msg = {0};
    while (msg.tag != COP_MSG_EXIT) {
        if (cop_receive(&msg, COP_FOREVER) != 0) {
            return -EIO;
        }
    }
    return 0;
}

static int
obey_nobody(cop_bytes arg)
{
    (void)arg;
    trap_exits();
    for (;;) {
        cop_msg msg;
        cop_receive(&msg, COP_FOREVER);
    }
    return 0;
}

/* What the observer sees of ends, by the index of the process's record. */
static struct {
    _Atomic unsigned starts, ends;
    _Atomic int kind[64]; /* of the reason, plus one; 0: has not ended */
} observed;

static void
observe_ends(const cop_event *event, void *env)
{
    (void)env;
    atomic_fetch_add(&observed.starts, event->kind == COP_EVENT_START);
    if (event->kind == COP_EVENT_EXIT) {
        atomic_fetch_add(&observed.ends, 1);
        atomic_store(&observed.kind[event->pid.id % 64], (int)event->reason.kind + 1);
    }
}

static void
observe_all_ends(void)
{
    cop_config config = {.size = sizeof config, .observe = observe_ends};
    ck_assert_int_eq(cop_configure(&config), 0);
}

/* -1: it has not ended. */
static int
how_it_ended(cop_pid pid)
{
    return atomic_load(&observed.kind[pid.id % 64]) - 1;
}

static void
check_threads(unsigned wanted)
{
    EVENTUALLY(test_threads() == wanted); /* a joined thread may be listed a moment longer */
}

/* ---------------------------------------------------------------- before the first call */

static bool
is_default(int signal)
{
    struct sigaction action;
    ck_assert_int_eq(sigaction(signal, NULL, &action), 0);
    return !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

TEST(before_the_first_process_no_thread_is_started_and_no_disposition_is_touched)
{
    unsigned threads = test_threads(), descriptors = test_descriptors();
    cop_config config = {.size = sizeof config};
    ck_assert_int_eq(cop_configure(&config), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    cop_trim();
    ck_assert_uint_eq(cop_whereis("nobody").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 0);
    ck_assert_uint_eq(cop_disowned(), 0);
    ck_assert_int_eq(cop_why().kind, COP_NORMAL);
    ck_assert_uint_eq(test_threads(), threads);
    ck_assert_uint_eq(test_descriptors(), descriptors);
    ck_assert(is_default(SIGURG));
    ck_assert(is_default(SIGCHLD));
#if !TEST_SANITIZED
    ck_assert(is_default(SIGSEGV));
    cop_self();
    ck_assert(!is_default(SIGSEGV)); /* so that the lines above say something */
#endif
}

TEST(the_first_call_of_a_thread_starts_none)
{
    unsigned threads = test_threads();
    cop_self();
    ck_assert_uint_eq(test_threads(), threads);
    ck_assert(is_default(SIGURG)); /* nobody to interrupt yet */
}

/* ---------------------------------------------------------------- settings */

TEST(settings_are_refused_once_the_library_is_in_use)
{
    cop_config config = {.size = sizeof config, .observe = observe_ends};
    cop_self();
    ck_assert_int_eq(cop_configure(&config), -EBUSY);
    start(return_zero);
    ck_assert_uint_eq(atomic_load(&observed.starts), 0);
}

TEST(a_value_out_of_range_is_refused_and_changes_nothing)
{
    const cop_config wrong[] = {
        {.size = 0, .observe = observe_ends},
        {.size = sizeof *wrong, .observe = observe_ends, .kill_grace = -1},
        {.size = sizeof *wrong, .observe = observe_ends, .interrupt_signal = -1},
        {.size = sizeof *wrong, .observe = observe_ends, .interrupt_signal = NSIG},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(cop_configure(&wrong[i]), -EINVAL);
    }
    start(return_zero);
    ck_assert_uint_eq(atomic_load(&observed.starts), 0);
}

/* The first process that does not stop at once would take the program with it. */
TEST(a_signal_that_cannot_be_handled_is_refused_as_interrupt)
{
    const int unfit[] = {SIGKILL, SIGSTOP};
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        cop_config config = {.size = sizeof config, .interrupt_signal = unfit[i]};
        ck_assert_int_eq(cop_configure(&config), -EINVAL);
    }
}

TEST(a_callers_older_and_shorter_struct_is_understood)
{
    cop_config config = {
        .size = offsetof(cop_config, kill_grace),
        .max_processes = 2,
        .kill_grace = -1, /* not known to that caller: */
        .interrupt_signal = -1,
        .observe = observe_ends, /* whatever stands there is not ours to read */
    };
    ck_assert_int_eq(cop_configure(&config), 0);
    start(test_wait_for_end);
    test_catch_stderr();
    int r = cop_spawn(NULL, return_zero, .link = false);
    free(test_caught_stderr());
    ck_assert_int_eq(r, -EAGAIN); /* the caller is the other one */
    ck_assert_uint_eq(atomic_load(&observed.starts), 0);
}

TEST(a_callers_newer_and_longer_struct_is_understood)
{
    struct {
        cop_config known;
        char more[64];
    } config = {.known = {.size = sizeof config, .observe = observe_ends}};
    memset(config.more, 0xff, sizeof config.more);
    ck_assert_int_eq(cop_configure(&config.known), 0);
    start(return_zero);
    ck_assert_uint_eq(atomic_load(&observed.starts), 1);
}

TEST(of_two_settings_before_the_first_process_the_later_one_counts)
{
    cop_config config = {.size = sizeof config, .observe = observe_ends};
    ck_assert_int_eq(cop_configure(&config), 0);
    config.observe = NULL;
    ck_assert_int_eq(cop_configure(&config), 0);
    start(return_zero);
    ck_assert_uint_eq(atomic_load(&observed.starts), 0);
}

TEST(another_interrupt_signal_leaves_the_default_one_alone)
{
    cop_config config = {.size = sizeof config, .interrupt_signal = SIGUSR2};
    ck_assert_int_eq(cop_configure(&config), 0);
    start(return_zero);
    ck_assert(!is_default(SIGUSR2));
    ck_assert(is_default(SIGURG));
}

#if !TEST_SANITIZED
TEST(fault_handlers_that_were_declined_are_not_installed)
{
    cop_config config = {.size = sizeof config, .no_fault_handlers = true};
    ck_assert_int_eq(cop_configure(&config), 0);
    start(return_zero);
    ck_assert(is_default(SIGSEGV));
    ck_assert(is_default(SIGBUS));
    ck_assert(is_default(SIGFPE));
    ck_assert(is_default(SIGILL));
}
#endif

/* ---------------------------------------------------------------- the end, refused or late */

static int
shut_down_from_inside(cop_bytes arg)
{
    (void)arg;
    int r = cop_shutdown(SOON);
    return r == -EDEADLK && cop_why().code == -EDEADLK ? 0 : -EIO;
}

TEST(a_process_cannot_shut_the_library_down)
{
    cop_pid other = start(test_wait_for_end);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, shut_down_from_inside, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(cop_alive(other));
}

TEST(what_does_not_end_in_time_is_killed_and_that_is_said)
{
    observe_all_ends();
    unsigned threads = test_threads();
    cop_pid obedient = start(test_wait_for_end), deaf = start_trapping(obey_nobody);
    cop_time began = cop_now();
    ck_assert_int_eq(cop_shutdown(SHORT), -ETIMEDOUT);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - began, SHORT);
    ck_assert_int_eq(how_it_ended(obedient), COP_SHUTDOWN);
    ck_assert_int_eq(how_it_ended(deaf), COP_KILLED);
    check_threads(threads);
}

TEST(without_any_time_everything_is_asked_and_then_killed)
{
    cop_pid deaf = start_trapping(obey_nobody);
    ck_assert_int_eq(cop_shutdown(0), -ETIMEDOUT);
    ck_assert(!cop_alive(deaf));
}

static _Atomic bool spinning, released;

static int
never_come_back(cop_bytes arg)
{
    (void)arg;
    atomic_store(&spinning, true);
    while (!atomic_load(&released)) {
        usleep(100);
    }
    return 0;
}

TEST(a_thread_that_does_not_come_back_is_disowned_and_does_not_hold_the_shutdown_up)
{
    cop_config config = {.size = sizeof config, .kill_grace = SHORT};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid stuck;
    ck_assert_int_eq(cop_spawn(&stuck, never_come_back, .link = false), 0);
    EVENTUALLY(atomic_load(&spinning));
    test_catch_stderr();
    int r = cop_shutdown(SHORT);
    char *report = test_caught_stderr();
    ck_assert_int_eq(r, -ETIMEDOUT);
    ck_assert_uint_eq(test_count(report, "disowned"), 2); /* it was, and how many there are */
    free(report);
    ck_assert(!cop_alive(stuck));
    ck_assert_uint_eq(cop_disowned(), 1);
    atomic_store(&released, true);
    EVENTUALLY(cop_disowned() == 0); /* and the next shutdown joins it */
}

/* ---------------------------------------------------------------- the end of plain processes */

TEST(a_plain_process_is_asked_to_stop)
{
    observe_all_ends();
    cop_pid pid = start(test_wait_for_end);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(how_it_ended(pid), COP_SHUTDOWN);
}

static atomic_uint refused_signals; /* so many fail */

int real_exit_signal(cop_pid to, cop_reason reason) REAL(cop_exit_signal);
int fail_exit_signal(cop_pid to, cop_reason reason) WRAP(cop_exit_signal);
int
fail_exit_signal(cop_pid to, cop_reason reason)
{
    unsigned left = atomic_load(&refused_signals);
    if (left > 0) {
        atomic_store(&refused_signals, left - 1);
        return -ENOMEM;
    }
    return real_exit_signal(to, reason);
}

TEST(who_could_not_be_asked_for_want_of_memory_is_asked_again)
{
    observe_all_ends();
    cop_pid pid = start(test_wait_for_end);
    atomic_store(&refused_signals, 2);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(atomic_load(&refused_signals), 0);
    ck_assert_int_eq(how_it_ended(pid), COP_SHUTDOWN);
}

static atomic_bool has_no_processes;

int real_adopt(struct copi_process *process) REAL(copi_thread_adopt);
int fail_adopt(struct copi_process *process) WRAP(copi_thread_adopt);
int
fail_adopt(struct copi_process *process)
{
    return has_no_processes ? -ENOMEM : real_adopt(process);
}

TEST(who_cannot_become_a_process_shuts_nothing_down_and_takes_nothing)
{
    copi_library_begin();
    has_no_processes = true;
    ck_assert_int_eq(cop_shutdown(SOON), -ENOMEM);
    ck_assert_uint_eq(cop_self().id, 0);
    ck_assert_uint_eq(copi_table_used(), 0);
    has_no_processes = false;
    ck_assert_uint_ne(cop_self().id, 0);
    ck_assert_uint_eq(copi_table_used(), 1);
}

TEST(a_plain_process_that_traps_exits_gets_the_request_as_a_message)
{
    observe_all_ends();
    cop_pid pid = start_trapping(wait_for_exit_message);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(how_it_ended(pid), COP_NORMAL);
}

static int
have_a_child_and_wait(cop_bytes arg)
{
    (void)arg;
    int r = cop_spawn(NULL, test_wait_for_end, .name = "child", .link = true);
    return r ? r : test_wait_for_end(arg);
}

TEST(the_child_of_a_process_ends_with_it)
{
    observe_all_ends();
    cop_pid parent = start(have_a_child_and_wait), child;
    EVENTUALLY((child = cop_whereis("child")).id != 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(how_it_ended(parent), COP_SHUTDOWN);
    ck_assert_int_eq(how_it_ended(child), COP_SHUTDOWN);
}

static int
have_a_child_and_end_normally(cop_bytes arg)
{
    int r = cop_spawn(NULL, test_wait_for_end, .name = "child", .link = true);
    return r ? r : wait_for_exit_message(arg);
}

/* A normal end is no exit signal to its links: nobody but the shutdown is left to ask the child. */
TEST(the_child_of_a_process_that_ends_normally_is_asked_after_it)
{
    observe_all_ends();
    start_trapping(have_a_child_and_end_normally);
    cop_pid child = cop_whereis("child");
    ck_assert(cop_alive(child));
    ck_assert_int_eq(cop_shutdown(COP_SEC(3)), 0);
    ck_assert_int_eq(how_it_ended(child), COP_SHUTDOWN);
}

static void
start_another(void *arg)
{
    (void)arg;
    cop_sleep(COP_MS(20)); /* until everybody has been asked */
    cop_spawn(NULL, test_wait_for_end, .name = "late");
}

static _Atomic bool prepared;

static int
start_another_at_the_end(cop_bytes arg)
{
    int r = cop_at_exit(start_another, NULL);
    atomic_store(&prepared, true);
    return r ? r : test_wait_for_end(arg);
}

TEST(what_starts_while_the_library_ends_is_asked_too)
{
    observe_all_ends();
    start(start_another_at_the_end);
    EVENTUALLY(atomic_load(&prepared));
    ck_assert_int_eq(cop_shutdown(COP_SEC(3)), 0);
    ck_assert_uint_eq(atomic_load(&observed.starts), 2);
    ck_assert_uint_eq(atomic_load(&observed.ends), 2);
    ck_assert_uint_eq(cop_whereis("late").id, 0);
}

TEST(a_thousand_processes_end_and_all_threads_are_joined)
{
    enum {
        MANY = TEST_SANITIZED ? 200 : 1000
    };
    unsigned threads = test_threads(), descriptors = test_descriptors();
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_spawn(NULL, test_wait_for_end, .link = false), 0);
    }
    ck_assert_uint_gt(test_threads(), threads);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1); /* the caller */
    check_threads(threads);
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

/* ---------------------------------------------------------------- the end of servers and trees */

TEST(a_server_that_traps_exits_terminates)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &box, .arg = {"a", 1}), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    HAPPENED("+a -a");
}

TEST(a_server_handles_what_it_was_sent_before)
{
    cop_pid pid;
    cop_reason reason = cop_failed(-EIO, "boom");
    observe_all_ends();
    ck_assert_int_eq(cop_genserver_start(&pid, &box, .arg = {"a", 1}), 0);
    test_catch_stderr();
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(BOX_END, reason)), 0);
    int r = cop_shutdown(SOON);
    free(test_caught_stderr());
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(how_it_ended(pid), COP_FAILED);
}

#define TREE_OF_FIVE(...)                                                                   \
 TREE(COP_CHILDREN(BOX("a"),                                                                \
                   {.id = "below",                                                          \
                    .supervisor = TREE(.name = "below", COP_CHILDREN(BOX("b"), BOX("c")))}, \
                   BOX("d"), BOX("e")),                                                     \
      __VA_ARGS__)

TEST(a_tree_ends_in_reverse_order_depth_first)
{
    start_tree(TREE_OF_FIVE(.name = "root"));
    HAPPENED("+a +b +c +d +e");
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    HAPPENED("-e -d -c -b -a");
}

TEST(a_tree_that_is_linked_to_the_caller_ends_in_its_order)
{
    start_tree(TREE_OF_FIVE(.link = true));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    HAPPENED("+a +b +c +d +e -e -d -c -b -a");
}

static _Atomic bool has_a_tree;

static int
have_a_tree(cop_bytes arg)
{
    bool link;
    memcpy(&link, arg.data, sizeof link);
    start_tree(TREE_OF_FIVE(.link = link));
    atomic_store(&has_a_tree, true);
    return test_wait_for_end(arg);
}

static void
shut_down_a_process_with_a_tree(bool link)
{
    ck_assert_int_eq(cop_spawn(NULL, have_a_tree, .arg = COP_BYTES(link)), 0);
    EVENTUALLY(atomic_load(&has_a_tree)); /* and not only its last child */
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    HAPPENED("+a +b +c +d +e -e -d -c -b -a");
}

TEST(a_tree_that_a_process_has_linked_to_itself_ends_in_its_order)
{
    shut_down_a_process_with_a_tree(true);
}

TEST(a_tree_that_a_process_has_started_without_a_link_ends_in_its_order)
{
    shut_down_a_process_with_a_tree(false);
}

TEST(children_that_do_not_trap_exits_end_with_their_tree)
{
    observe_all_ends();
    boxes[0].plan = boxes[1].plan = "t";
    start_tree(TREE(COP_CHILDREN(BOX("a"), BOX("b"))));
    cop_pid a = cop_whereis("a"), b = cop_whereis("b");
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(how_it_ended(a), COP_SHUTDOWN);
    ck_assert_int_eq(how_it_ended(b), COP_SHUTDOWN);
}

TEST(a_tree_whose_child_ends_while_the_library_does_restarts_nothing)
{
    start_tree(TREE(COP_CHILDREN(
        {.id = "worker", .worker = test_wait_for_end, .restart = COP_PERMANENT}, BOX("a"))));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    HAPPENED("+a -a");
    ck_assert_uint_eq(boxes[0].starts, 1);
}

TEST(a_command_ends_with_its_tree_and_leaves_no_descriptor)
{
    static const char *const sleep_long[] = {"sleep", "1000", NULL};
    unsigned threads = test_threads(), descriptors = test_descriptors();
    start_tree(TREE(COP_CHILDREN({.id = "sleep", .command = sleep_long})));
    EVENTUALLY(test_descriptors() > descriptors); /* it runs */
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(test_descriptors(), descriptors);
    check_threads(threads);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

/* ---------------------------------------------------------------- what stays */

TEST(the_timer_thread_is_joined_too)
{
    unsigned threads = test_threads();
    ck_assert_uint_ne(cop_send_after(cop_self(), COP_TAG(GO), COP_SEC(1000)).id, 0);
    ck_assert_uint_eq(test_threads(), threads + 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    check_threads(threads);
}

TEST(the_caller_remains_who_it_was_and_keeps_its_mail)
{
    cop_pid self = cop_self();
    start(test_wait_for_end);
    cop_send(self, COP_TAG(GO));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert(cop_pid_eq(cop_self(), self));
    test_receive(GO);
}

static void *
wait_in_the_library(void *pid)
{
    *(_Atomic uint64_t *)pid = cop_self().id;
    test_receive(GO);
    return NULL;
}

TEST(a_thread_that_the_library_did_not_start_goes_on)
{
    _Atomic uint64_t other = 0;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_the_library, &other), 0);
    EVENTUALLY(atomic_load(&other) != 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert(cop_alive((cop_pid){other}));
    cop_send((cop_pid){other}, COP_TAG(GO));
    pthread_join(thread, NULL);
}

TEST(twice_is_safe)
{
    start(test_wait_for_end);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_shutdown(0), 0);
}

TEST(afterwards_the_library_may_be_used_again_and_again)
{
    unsigned threads = test_threads(), descriptors = test_descriptors();
    for (int round = 0; round < 5; round++) {
        ck_assert_int_eq(cop_spawn(NULL, test_wait_for_end, .name = "again"), 0);
        start_tree(TREE_OF_FIVE(.name = "root"));
        cop_send_after(cop_self(), COP_TAG(GO), 0);
        test_receive(GO);
        HAPPENED("+a +b +c +d +e");
        ck_assert_int_eq(cop_shutdown(SOON), 0);
        HAPPENED("-e -d -c -b -a");
        check_threads(threads);
        ck_assert_uint_eq(test_descriptors(), descriptors);
    }
}

static void *
shut_down(void *result)
{
    *(int *)result = cop_shutdown(SOON);
    return NULL;
}

TEST_TIMES(10, two_threads_may_shut_down_at_once)
{
    pthread_t thread[2];
    int result[2] = {-EIO, -EIO};
    unsigned threads = test_threads();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(cop_spawn(NULL, test_wait_for_end, .link = false), 0);
    }
    cop_send_after(cop_self(), COP_TAG(GO), COP_SEC(1000)); /* so that there is a timer thread */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, shut_down, &result[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(result[i], 0);
    }
    check_threads(threads);
}

static _Atomic bool enough;

static int
start_others_all_the_time(cop_bytes arg)
{
    (void)arg;
    int r = 0;
    while (r == 0 && !atomic_load(&enough)) {
        cop_spawn(NULL, test_wait_for_end, .link = true);
        r = cop_sleep(COP_US(50));
    }
    return r;
}

TEST(a_process_that_starts_others_all_the_time_ends_with_them)
{
    start(start_others_all_the_time);
    EVENTUALLY(cop_processes(NULL, 0) > 10);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    atomic_store(&enough, true);
}

/* ---------------------------------------------------------------- caches */

TEST(a_trim_leaves_no_idle_thread)
{
    enum {
        SOME = 10
    };
    unsigned threads = test_threads();
    cop_pid pid[SOME];
    cop_ref monitor[SOME];
    for (int i = 0; i < SOME; i++) {
        pid[i] = start_trapping(wait_for_exit_message);
        monitor[i] = cop_monitor(pid[i]);
    }
    for (int i = 0; i < SOME; i++) {
        cop_exit_signal(pid[i], cop_failed(-EIO, NULL));
        test_down(monitor[i]);
    }
    cop_pid busy = start(test_wait_for_end);
    EVENTUALLY((cop_trim(), copi_thread_count() == 1)); /* those on their way into the cache, too */
    EVENTUALLY(test_threads() <= threads + 2);          /* and perhaps the timers' */
    ck_assert(cop_alive(busy));
}

TEST(a_trim_by_a_process_that_runs_is_harmless)
{
    cop_trim();
    cop_send(cop_self(), COP_MSG(GO, int, 7));
    cop_trim();
    ck_assert_int_eq(*COP_BODY(test_receive(GO), int), 7);
    cop_trim();
    cop_send(cop_self(), COP_MSG(GO, int, 8));
    ck_assert_int_eq(*COP_BODY(test_receive(GO), int), 8);
}

enum {
    MANY_MESSAGES = 10000,
    BODY = 300,
    MUCH = MANY_MESSAGES * BODY,
    LITTLE = MUCH / 10,
};

static int
send_many(cop_bytes to)
{
    static const char body[BODY];
    for (int i = 0; i < MANY_MESSAGES; i++) {
        int r = cop_send(*(const cop_pid *)to.data, COP_MSG_OF(GO, body));
        if (r) {
            return r;
        }
    }
    return 0;
}

static void
receive_many(void)
{
    for (int i = 0; i < MANY_MESSAGES; i++) {
        test_receive(GO);
    }
}

/* A received message lives until the next is looked for. */
static void
let_the_last_one_go(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

TEST(a_trim_gives_a_threads_own_pooled_messages_back)
{
    cop_pid self = cop_self();
    test_catch_stderr(); /* so long a mailbox is reported */
    size_t before = test_allocated();
    ck_assert_int_eq(send_many(COP_BYTES(self)), 0);
    receive_many();
    let_the_last_one_go();
    ck_assert_uint_ge(test_allocated(),
                      before + MUCH); /* cached: there is something to give back */
    cop_trim();
    ck_assert_uint_le(test_allocated(), before + LITTLE);
    free(test_caught_stderr());
}

TEST(a_trim_gives_the_pooled_messages_of_ended_threads_back)
{
    cop_pid self = cop_self();
    test_catch_stderr();
    size_t before = test_allocated();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, send_many, .arg = COP_BYTES(self), .monitor = &monitor), 0);
    receive_many();
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    let_the_last_one_go();
    EVENTUALLY((cop_trim(), test_allocated() <= before + LITTLE));
    free(test_caught_stderr());
}

static int
talk_to_itself_and_hibernate(cop_bytes arg)
{
    size_t before = *(const size_t *)arg.data;
    cop_pid self = cop_self();
    cop_assert(send_many(COP_BYTES(self)) == 0);
    receive_many();
    let_the_last_one_go();
    cop_assert(test_allocated() >= before + MUCH);
    cop_hibernate();
    cop_assert(test_allocated() <= before + LITTLE);
    cop_assert(send_many(COP_BYTES(self)) == 0); /* and what is needed comes again */
    receive_many();
    return 0;
}

TEST(who_hibernates_gives_its_own_pooled_messages_back)
{
    cop_ref monitor;
    cop_self();
    test_catch_stderr();
    size_t before = test_allocated();
    ck_assert_int_eq(cop_spawn(NULL, talk_to_itself_and_hibernate, .arg = COP_BYTES(before),
                               .monitor = &monitor),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    free(test_caught_stderr());
}

enum {
    SLEEPERS = 32,
    DEEP = 192 * 1024,
};

static atomic_uint deep, hibernating;

__attribute__((noinline)) static int
use_much_stack(void)
{
    volatile char frame[DEEP];
    for (size_t i = 0; i < DEEP; i += 512) {
        frame[i] = 1;
    }
    return frame[DEEP / 2];
}

static int
sleep_after_a_deep_call(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    volatile int mine = 17;
    cop_assert(use_much_stack() == 1);
    atomic_fetch_add(&deep, 1);
    cop_receive(&msg, COP_FOREVER);
    cop_hibernate();
    atomic_fetch_add(&hibernating, 1);
    cop_receive(&msg, COP_FOREVER);
    cop_assert(mine == 17 && use_much_stack() == 1);
    return 0;
}

static size_t
resident(void)
{
    size_t size = 0, pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%zu %zu", &size, &pages), 2); /* NOLINT(cert-err34-c) */
    (void)fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(who_hibernates_gives_the_stack_back_that_it_does_not_use)
{
    cop_pid pids[SLEEPERS];
    cop_ref monitors[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) {
        ck_assert_int_eq(cop_spawn(&pids[i], sleep_after_a_deep_call, .monitor = &monitors[i]), 0);
    }
    EVENTUALLY(deep == SLEEPERS);
    size_t before = resident();
    for (int i = 0; i < SLEEPERS; i++) {
        ck_assert_int_eq(cop_send(pids[i], COP_TAG(GO)), 0);
    }
    EVENTUALLY(hibernating == SLEEPERS);
    size_t after = resident();
    ck_assert_msg(after + (size_t)SLEEPERS * DEEP * 3 / 4 <= before, "%zu KiB resident, %zu before",
                  after / 1024, before / 1024);
    for (int i = 0; i < SLEEPERS; i++) {
        cop_send(pids[i], COP_TAG(GO));
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
}

TEST(a_thread_of_the_programs_own_does_not_hibernate)
{
    cop_hibernate(); /* before its first call, too */
    cop_pid self = cop_self();
    size_t before = test_allocated();
    ck_assert_int_eq(cop_send(self, COP_TAG(GO)), 0);
    test_receive(GO);
    cop_hibernate();
    ck_assert_uint_ge(test_allocated(), before);
}

TEST(a_trim_keeps_messages_that_somebody_still_uses)
{
    cop_pid self = cop_self();
    test_catch_stderr();
    ck_assert_int_eq(send_many(COP_BYTES(self)), 0);
    size_t full = test_allocated();
    cop_trim();
    ck_assert_uint_ge(test_allocated(), full - LITTLE);
    receive_many();
    free(test_caught_stderr());
}

static void *
trim_all_the_time(void *unused)
{
    while (!atomic_load(&enough)) {
        cop_trim();
    }
    return unused;
}

TEST(a_trim_may_come_while_processes_start_end_and_talk)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, trim_all_the_time, NULL), 0);
    for (int i = 0; i < 300; i++) {
        cop_ref monitor;
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
        for (int sent = 0; sent < 20; sent++) {
            cop_send(pid, COP_TAG(GO));
        }
        cop_exit_signal(pid, COP_REASON_KILLED);
        ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
}

/* Processes, names, timers, contexts, memory and a long mailbox, all given back. */
static void
use_everything(void)
{
    cop_pid self = cop_self(), pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .name = "user", .monitor = &monitor), 0);
    for (int i = 0; i < 1000; i++) {
        cop_send_after(pid, COP_MSG_OF(GO, i), COP_SEC(1000));
    }
    ck_assert_int_eq(send_many(COP_BYTES(self)), 0);
    receive_many();
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_int_eq(cop_context_enter(context), 0);
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
    cop_free(cop_alloc(100));
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    let_the_last_one_go();
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    cop_trim();
}

TEST(after_a_shutdown_and_a_trim_no_more_is_left_than_the_first_time)
{
    test_catch_stderr();
    for (int i = 0; i < 10; i++) {
        use_everything(); /* until the allocator's own caches are full */
    }
    size_t before = test_allocated();
    for (int i = 0; i < 10; i++) {
        use_everything();
    }
    EVENTUALLY(test_allocated() <= before + 1024);
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- the child of a fork */

/* How the child ends; one that hangs is killed, and that is its status. */
static int
status_of(pid_t child)
{
    int status = 0;
    ck_assert_int_gt(child, 0);
    for (cop_time until = cop_now() + COP_SEC(5); waitpid(child, &status, WNOHANG) == 0;) {
        if (cop_now() >= until) {
            kill(child, SIGKILL);
        }
        usleep(200);
    }
    return status;
}

static int
start_nobody(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)out, (void)arg, (void)why;
    return 0;
}

static void
do_nothing(void *arg)
{
    (void)arg;
}

static bool
want_any(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    return true;
}

static void
get_nothing(const void *state, cop_bytes arg, void *out)
{
    (void)state, (void)arg, (void)out;
}

static void
change_nothing(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
}

static void
swap_nothing(void *state, cop_bytes arg, void *out)
{
    (void)state, (void)arg, (void)out;
}

static struct {
    cop_pid server, out;
    cop_ref ref;
    cop_context *context;
    cop_msg msg;
    cop_process_info info;
    cop_child_counts counts;
    cop_child_spec child;
    size_t count;
    cop_time left;
    int fd;
    char bytes[8];
} at_fork;

static const cop_child_spec one_child = {.id = "x", .start = start_nobody};
static const cop_supervisor_spec empty_tree;
static const cop_partition_spec partitions = {.name = "x"};
static const cop_agent_spec agent_spec = {.state_size = 1};

#define IS_NOBODY(pid) ((pid).id == 0)
#define F              at_fork
#define NO_BYTES       ((cop_bytes){0})

/* What each call says in the child of a fork. The ones left out cannot fail: they know nothing of
 * processes. */
#define CALLS(X)                                                                           \
 X(cop_sleep(0) == -EPERM)                                                                 \
 X(cop_cancelled() == -EPERM)                                                              \
 X(cop_context_enter(F.context) == -EPERM)                                                 \
 X(cop_context_leave(F.context) != 0)                                                      \
 X((cop_context_cancel(F.context, COP_REASON_NORMAL), true))                               \
 X((cop_context_free(F.context), true))                                                    \
 X(IS_NOBODY(cop_self()))                                                                  \
 X(cop_spawn(&F.out, return_zero, .link = false) == -EPERM)                                \
 X(!cop_alive(F.server))                                                                   \
 X(cop_exit_signal(F.server, COP_REASON_KILLED) == -EPERM)                                 \
 X(cop_defer(do_nothing, NULL) == -EPERM)                                                  \
 X(cop_at_exit(do_nothing, NULL) == -EPERM)                                                \
 X(cop_undefer(do_nothing, NULL, false) == -EPERM)                                         \
 X(!cop_shield(true))                                                                      \
 X((cop_checkpoint(), true))                                                               \
 X((cop_hibernate(), true))                                                                \
 X(cop_put(&F, &F, do_nothing) == -EPERM)                                                  \
 X(cop_get(&F) == NULL)                                                                    \
 X(cop_erase(&F) == NULL)                                                                  \
 X(cop_stop_process(F.server, COP_REASON_NORMAL, SOON) == -EPERM)                          \
 X(cop_wait_fd(F.fd, 0, SOON) == -EPERM)                                                   \
 X(cop_send(F.server, COP_TAG(GO)) == -EPERM)                                              \
 X(cop_receive(&F.msg, SOON) == -EPERM)                                                    \
 X(cop_receive_match(&F.msg, want_any, NULL, SOON) == -EPERM)                              \
 X(cop_register("child", F.server) == -EPERM)                                              \
 X(cop_unregister("parent") == -EPERM)                                                     \
 X(IS_NOBODY(cop_whereis("parent")))                                                       \
 X(cop_link(F.server) == -EPERM)                                                           \
 X(cop_unlink(F.server) == -EPERM)                                                         \
 X(!cop_trap_exits(true))                                                                  \
 X(IS_NOBODY(cop_monitor(F.server)))                                                       \
 X(cop_demonitor(F.ref) == -EPERM)                                                         \
 X(IS_NOBODY(cop_send_after(F.server, COP_TAG(GO), 0)))                                    \
 X(IS_NOBODY(cop_send_at(F.server, COP_TAG(GO), 0)))                                       \
 X(IS_NOBODY(cop_start_timer(F.server, GO, 0)))                                            \
 X(IS_NOBODY(cop_send_interval(F.server, COP_TAG(GO), 1)))                                 \
 X(IS_NOBODY(cop_exit_after(F.server, COP_REASON_KILLED, 0)))                              \
 X(cop_cancel_timer(F.ref, &F.left) == -EPERM)                                             \
 X(cop_read_timer(F.ref, &F.left) == -EPERM)                                               \
 X(cop_inspect(F.server, &F.info) == -EPERM)                                               \
 X(cop_processes(&F.out, 1) == 0)                                                          \
 X(cop_alloc(1) == NULL)                                                                   \
 X((cop_free(NULL), true))                                                                 \
 X(cop_disown(F.bytes) == NULL)                                                            \
 X(cop_why().kind == COP_NORMAL)                                                           \
 X(cop_genserver_start(&F.out, &box, .arg = {"z", 1}) == -EPERM)                           \
 X(cop_call(F.server, COP_TAG(GO), NULL, 0, SOON) == -EPERM)                               \
 X(cop_call_any(F.server, COP_TAG(GO), &F.msg, SOON) == -EPERM)                            \
 X(cop_cast(F.server, COP_TAG(GO)) == -EPERM)                                              \
 X((cop_reply((cop_from){F.server, F.ref}, COP_TAG(GO)), true))                            \
 X((cop_reply_stop((cop_from){F.server, F.ref}, COP_TAG(GO), COP_REASON_NORMAL), true))    \
 X((cop_ok_continue(COP_TAG(GO)), true))                                                   \
 X(cop_agent_start(&F.out, COP_STR("x"), .link = false) == -EPERM)                         \
 X(cop_agent_start_spec(&F.out, &agent_spec, NULL) == -EPERM)                              \
 X(cop_agent_get(F.server, F.bytes, 1, SOON) == -EPERM)                                    \
 X(cop_agent_get_with(F.server, get_nothing, NO_BYTES, F.bytes, 1, SOON) == -EPERM)        \
 X(cop_agent_update(F.server, change_nothing, NO_BYTES, SOON) == -EPERM)                   \
 X(cop_agent_get_and_update(F.server, swap_nothing, NO_BYTES, F.bytes, 1, SOON) == -EPERM) \
 X(cop_agent_cast(F.server, change_nothing, NO_BYTES) == -EPERM)                           \
 X(cop_agent_stop(F.server, SOON) == -EPERM)                                               \
 X(cop_supervisor_start(&F.out, &empty_tree) == -EPERM)                                    \
 X(cop_partition_supervisor_start(&F.out, &partitions) == -EPERM)                          \
 X(cop_partition_supervisor_child(&F.child, &partitions) == -EPERM)                        \
 X((cop_partition_supervisor_child_free(&F.child), true))                                  \
 X(IS_NOBODY(cop_partition("parent", COP_STR("x"))))                                       \
 X(IS_NOBODY(cop_partition_at("parent", 0)))                                               \
 X(cop_partition_resize("parent", 1) == -EPERM)                                            \
 X(cop_partition_count("parent") == 0)                                                     \
 X(cop_supervisor_stop(F.server, SOON) == -EPERM)                                          \
 X(cop_supervisor_start_child(F.server, &one_child, &F.out) == -EPERM)                     \
 X(cop_supervisor_terminate_child(F.server, "x") == -EPERM)                                \
 X(cop_supervisor_restart_child(F.server, "x", &F.out) == -EPERM)                          \
 X(cop_supervisor_delete_child(F.server, "x") == -EPERM)                                   \
 X(cop_supervisor_count(F.server, &F.counts) == -EPERM)                                    \
 X(cop_supervisor_children(F.server, NULL, 0, &F.count) == -EPERM)                         \
 X(cop_run(&empty_tree) == 1)                                                              \
 X(cop_configure(&(cop_config){.size = sizeof(cop_config)}) == -EBUSY)                     \
 X(cop_shutdown(SOON) == -EPERM)                                                           \
 X((cop_trim(), true))                                                                     \
 X((cop_contain_faults(true), true))                                                       \
 X(cop_tainted() == 0)                                                                     \
 X(cop_disowned() == 0)

#define AS_TEXT(call) #call,
static const char *const calls[] = {CALLS(AS_TEXT)};

static bool
says_what_it_should(int which)
{
    int i = 0;
#define WHEN_ASKED(call) \
 if (which == i++) {     \
  return call;           \
 }
    CALLS(WHEN_ASKED)
    return false;
}

/* A server, a name, a timer, idle threads: all that a child could stumble over. */
static void
prepare_fork(void)
{
    ck_assert_int_eq(cop_genserver_start(&at_fork.server, &box, .arg = {"a", 1}, .name = "parent"),
                     0);
    at_fork.ref = cop_send_after(cop_self(), COP_TAG(GO), COP_SEC(1000));
    at_fork.context = cop_context_new(COP_FOREVER);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .monitor = &monitor), 0);
    test_down(monitor);
}

TEST_TIMES(sizeof calls / sizeof *calls, in_the_child_of_a_fork_a_call_is_refused_and_does_not_hang)
{
    prepare_fork();
    pid_t child = fork();
    if (child == 0) {
        _exit(says_what_it_should(_i) ? 0 : 1);
    }
    int status = status_of(child);
    ck_assert_msg(status == 0, "in the child: not %s (status %#x)", calls[_i], (unsigned)status);
    cop_context_free(at_fork.context);
    ck_assert(cop_alive(at_fork.server)); /* nothing that the child does reaches the parent */
    ck_assert(cop_pid_eq(cop_whereis("parent"), at_fork.server));
}

TEST(the_child_of_a_fork_can_exit)
{
    prepare_fork();
    pid_t child = fork();
    if (child == 0) {
        cop_shutdown(SOON);
        exit(0);
    }
    ck_assert_int_eq(status_of(child), 0);
    cop_context_free(at_fork.context);
}

TEST(the_child_of_a_fork_can_run_another_program)
{
    prepare_fork();
    pid_t child = fork();
    if (child == 0) {
        execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    ck_assert_int_eq(status_of(child), 0);
    cop_context_free(at_fork.context);
}

/* Here in a process of the library's own, whose record and jump point the child has in its hands. A
 * leak checker at the child's exit would miss the first thread's stack, and what hangs on it. */
static int
fork_here(cop_bytes arg)
{
    (void)arg;
    pid_t child = fork();
    if (child == 0) {
        bool refused = cop_self().id == 0 && cop_send(at_fork.server, COP_TAG(GO)) == -EPERM
                       && cop_spawn(NULL, return_zero, .link = false) == -EPERM
                       && cop_shutdown(SOON) == -EPERM && cop_sleep(0) == -EPERM;
        (TEST_SANITIZED ? _exit : exit)(refused ? 0 : 1);
    }
    return status_of(child) == 0 ? 0 : -EIO;
}

TEST(a_process_may_fork_and_its_child_is_refused_and_can_exit)
{
    prepare_fork();
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, fork_here, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_context_free(at_fork.context);
}

TEST(cop_exit_ends_the_child_of_a_fork)
{
    prepare_fork();
    pid_t child = fork();
    if (child == 0) {
        test_catch_stderr();
        cop_exit(COP_REASON_NORMAL);
    }
    ck_assert_int_eq(WEXITSTATUS(status_of(child)), 1);
    cop_context_free(at_fork.context);
}

#if !defined(__SANITIZE_THREAD__) /* which allows no thread after a fork */
static void *
start_from_a_new_thread(void *refused)
{
    *(bool *)refused = cop_self().id == 0 && cop_spawn(NULL, return_zero, .link = false) == -EPERM;
    return NULL;
}

TEST(a_thread_that_the_child_of_a_fork_starts_is_refused_too)
{
    prepare_fork();
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        bool refused = false;
        pthread_create(&thread, NULL, start_from_a_new_thread, &refused);
        pthread_join(thread, NULL);
        _exit(refused ? 0 : 1);
    }
    ck_assert_int_eq(status_of(child), 0);
    cop_context_free(at_fork.context);
}
#endif

TEST(a_child_of_a_fork_before_the_first_call_may_use_the_library)
{
    pid_t child = fork();
    if (child == 0) {
        cop_ref monitor;
        bool works = cop_spawn(NULL, return_zero, .monitor = &monitor) == 0
                     && test_down(monitor).kind == COP_NORMAL && cop_shutdown(SOON) == 0;
        _exit(works ? 0 : 1);
    }
    ck_assert_int_eq(status_of(child), 0);
}

SUITE("library")
