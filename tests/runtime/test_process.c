/*
 * tests/runtime/test_process.c - a process's life: spawned, run, ended.
 *
 * Room: tests/. Case ids (PRL-002) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GO = 1,
    LATER,
    NEVER_READ,
};
#define NO_SUCH_STACK (SIZE_MAX / 2)

/* ---------------------------------------------------------------- helpers */

static int
return_zero(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static int
return_int(cop_bytes arg)
{
    int code;
    memcpy(&code, arg.data, sizeof code);
    return code;
}

/* How a process ends that returns `code`. */
static cop_reason
end_with(int code)
{
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, return_int, .arg = COP_BYTES(code), .monitor = &monitor), 0);
    return test_down(monitor);
}

/* What happened, in order. Several threads write, one after the other. */
static struct {
    _Atomic unsigned count;
    const char *_Atomic what[32];
} seen;

static void
note(const char *what)
{
    unsigned at = atomic_fetch_add(&seen.count, 1);
    ck_assert_uint_lt(at, 32);
    atomic_store(&seen.what[at], what);
}

static int
when(const char *what)
{
    for (int i = 0; i < (int)atomic_load(&seen.count); i++) {
        if (strcmp(atomic_load(&seen.what[i]), what) == 0) {
            return i;
        }
    }
    ck_abort_msg("\"%s\" did not happen", what);
    return -1;
}

static void
note_arg(void *arg)
{
    note(arg);
}

static char as_body[][16] = {"timer",        "mailbox",       "first defer",
                             "second defer", "first at_exit", "second at_exit"};
#define TIMER          as_body[0]
#define MAILBOX        as_body[1]
#define FIRST_DEFER    as_body[2]
#define SECOND_DEFER   as_body[3]
#define FIRST_AT_EXIT  as_body[4]
#define SECOND_AT_EXIT as_body[5]

/* ---------------------------------------------------------------- starts that fail */

TEST(a_start_without_a_function_is_refused)
{
    cop_pid pid = {17};
    ck_assert_int_eq(cop_spawn(&pid, NULL, .link = false), -EINVAL);
    ck_assert_uint_eq(pid.id, 17);
    ck_assert_int_eq(cop_why().code, -EINVAL);
}

TEST(a_name_that_is_none_is_refused)
{
    char name[65];
    memset(name, 'n', sizeof name);
    name[64] = '\0';
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .name = ""), -EINVAL);
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .name = name), -EINVAL);
    name[63] = '\0';
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .name = name), 0);
}

TEST(an_argument_without_data_is_refused)
{
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .arg = {NULL, 1}), -EINVAL);
}

TEST(a_taken_name_fails_the_start_and_leaves_nothing)
{
    cop_pid holder, pid = {17};
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&holder, test_wait_for_end, .name = "taken"), 0);
    size_t before = cop_processes(NULL, 0);
    ck_assert_int_eq(
        cop_spawn(&pid, return_zero, .name = "taken", .link = true, .monitor = &monitor), -EEXIST);
    ck_assert_uint_eq(pid.id, 17);
    ck_assert_uint_eq(cop_processes(NULL, 0), before);
    ck_assert(cop_pid_eq(cop_whereis("taken"), holder));
    ck_assert(!test_has_mail());
}

TEST(a_start_for_which_there_is_no_memory_leaves_nothing)
{
    static char large[4096];
    cop_self();
    size_t before = cop_processes(NULL, 0);
    int r = -ENOMEM;
    unsigned failures = 0;
    for (long n = 0; r != 0; n++) {
        cop_pid pid = {17};
        cop_ref monitor = {0};
        copi_alloc_fail_after(n);
        r = cop_spawn(&pid, test_wait_for_end, .name = "unlucky", .arg = {large, sizeof large},
                      .link = true, .monitor = &monitor);
        copi_alloc_fail_after(-1);
        if (r == 0) {
            cop_exit_signal(pid, cop_failed(-EIO, NULL));
            ck_assert_int_eq(test_down(monitor).code, -EIO);
            ck_assert_int_eq(COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited)->reason.code,
                             -EIO);
            break;
        }
        failures++;
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_int_eq(cop_why().code, -ENOMEM);
        ck_assert_uint_eq(pid.id, 17);
        ck_assert_uint_eq(cop_whereis("unlucky").id, 0);
        ck_assert_uint_eq(cop_processes(NULL, 0), before);
        ck_assert(!test_has_mail());
        ck_assert_int_lt(n, 1000);
    }
    ck_assert_uint_gt(failures, 3); /* the argument, the name, a message, the thread */
}

TEST(a_start_for_which_there_is_no_thread_leaves_nothing)
{
    cop_pid pid = {17};
    cop_ref monitor;
    size_t before = cop_processes(NULL, 0);
    test_catch_stderr();
    int r = cop_spawn(&pid, return_zero, .name = "unlucky", .link = true, .monitor = &monitor,
                      .stack_size = NO_SUCH_STACK);
    char *report = test_caught_stderr();
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_uint_eq(test_count(report, "limit"), 1);
    free(report);
    ck_assert_uint_eq(pid.id, 17);
    ck_assert_uint_eq(cop_whereis("unlucky").id, 0);
    ck_assert_uint_le(cop_processes(NULL, 0), before + 1); /* the test itself was adopted */
    ck_assert(!test_has_mail());
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .name = "unlucky"), 0);
}

/*
 * Between its publication and the failure of its thread a process can be found by its name: whoever
 * watches it then must learn that nothing came of it, as of any process that is not there.
 */
static struct {
    _Atomic bool armed, published, watched;
} doomed;

static void
hold_the_start_up(const cop_event *event, void *env)
{
    (void)env;
    if (event->kind == COP_EVENT_START && atomic_load(&doomed.armed)) {
        atomic_store(&doomed.armed, false);
        atomic_store(&doomed.published, true);
        for (cop_time until = cop_now() + SOON;
             !atomic_load(&doomed.watched) && cop_now() < until;) {
            usleep(100);
        }
    }
}

static int
watch_the_doomed(cop_bytes arg)
{
    (void)arg;
    cop_trap_exits(true);
    EVENTUALLY(atomic_load(&doomed.published));
    cop_pid pid = cop_whereis("doomed");
    ck_assert_uint_ne(pid.id, 0);
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_link(pid), 0);
    atomic_store(&doomed.watched, true);

    bool down = false, exited = false;
    while (!down || !exited) {
        cop_msg msg;
        int r = cop_receive(&msg, COP_SEC(3));
        if (r) {
            return r;
        }
        down |= msg.tag == COP_MSG_DOWN && COP_BODY(msg, struct cop_down)->ref.id == monitor.id;
        exited |= msg.tag == COP_MSG_EXIT;
    }
    return 0;
}

TEST(who_watches_a_process_whose_start_then_fails_is_told)
{
    cop_config config = {.size = sizeof config, .observe = hold_the_start_up};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_ref watcher;
    ck_assert_int_eq(cop_spawn(NULL, watch_the_doomed, .monitor = &watcher), 0);
    atomic_store(&doomed.armed, true);
    ck_assert_int_eq(cop_spawn(NULL, return_zero, .name = "doomed", .stack_size = NO_SUCH_STACK),
                     -EAGAIN);
    cop_reason reason = test_down(watcher);
    ck_assert_msg(reason.kind == COP_NORMAL, "the watcher ended with %d: it was not told",
                  reason.code);
}

TEST(past_the_configured_number_of_processes_a_start_is_refused_until_one_has_ended)
{
    enum {
        MOST = 4
    };
    cop_config config = {.size = sizeof config, .max_processes = MOST};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid pid[MOST];
    cop_ref monitor;
    test_catch_stderr();
    cop_self(); /* counts, too */
    for (int i = 1; i < MOST; i++) {
        ck_assert_int_eq(cop_spawn(&pid[i], test_wait_for_end, .monitor = &monitor), 0);
    }
    ck_assert_int_eq(cop_spawn(&pid[0], test_wait_for_end, .link = false), -EAGAIN);
    ck_assert_int_eq(cop_spawn(&pid[0], test_wait_for_end, .link = false), -EAGAIN);
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "max_processes"), 1); /* said once */
    free(report);

    cop_exit_signal(pid[MOST - 1], COP_REASON_KILLED);
    test_down(monitor);
    EVENTUALLY(cop_spawn(&pid[0], test_wait_for_end, .link = false) == 0);
}

/* ---------------------------------------------------------------- any allocation */

static bool
keep(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == GO;
}

static int
or_why(bool done)
{
    return done ? 0 : cop_why().code;
}

/* All that needs memory, as far as it gets. What it returns is the first error. */
static int
live(cop_bytes arg)
{
    char body[2000] = "";
    cop_msg msg;
    cop_pid pid, self = cop_self();
    cop_ref monitor;
    int r, number = 0;
    (void)arg;
    for (int i = 0; i < 10; i++) {
        if ((r = cop_defer(note_arg, NULL)) || (r = cop_undefer(note_arg, NULL, false))
            || (r = or_why(cop_alloc(100)))) {
            return r;
        }
    }
    cop_context *context = cop_context_new(COP_FOREVER);
    if ((r = or_why(context)) || (r = cop_context_enter(context))) {
        cop_context_free(context);
        return r;
    }
    cop_context_free(context);
    if ((r = or_why(cop_send_after(self, COP_MSG_OF(LATER, body), 0).id))
        || (r = or_why(cop_send_after(self, COP_TAG(LATER), COP_SEC(3600)).id))
        || (r = cop_send(self, COP_MSG_OF(GO, body)))
        || (r = cop_receive_match(&msg, keep, NULL, COP_FOREVER))
        || (r = cop_register("whole life", self))
        || (r = cop_spawn(&pid, test_wait_for_end, .name = "other life", .arg = {body, sizeof body},
                          .link = true, .monitor = &monitor))
        || (r = or_why(cop_monitor(pid).id)) || (r = cop_unlink(pid)) || (r = cop_link(pid))
        || (r = cop_unlink(pid)) /* its SHUTDOWN would be ours */
        || (r = cop_stop_process(pid, COP_REASON_NORMAL, SOON))
        || (r = cop_agent_start(&pid, COP_BYTES(number), .link = true))
        || (r = cop_agent_get(pid, COP_OUT(number), SOON)) || (r = cop_agent_stop(pid, SOON))) {
        return r;
    }
    return 0;
}

TEST(whichever_allocation_fails_there_is_an_error_or_an_orderly_end)
{
    cop_self();
    size_t before = cop_processes(NULL, 0);
    test_catch_stderr();
    bool lived = false;
    unsigned failures = 0;
    for (long n = 0; !lived; n++) {
        cop_ref monitor = {0};
        copi_alloc_fail_after(n);
        int r = cop_spawn(NULL, live, .monitor = &monitor);
        cop_reason reason = r ? cop_failed(r, NULL) : test_down(monitor);
        copi_alloc_fail_after(-1);
        lived = reason.kind == COP_NORMAL;
        ck_assert_msg(lived || (reason.kind == COP_FAILED && reason.code == -ENOMEM),
                      "allocation %ld: kind %d, code %d", n, (int)reason.kind, reason.code);
        EVENTUALLY(cop_processes(NULL, 0) == before); /* those that were linked end with it */
        ck_assert_uint_eq(cop_whereis("whole life").id, 0);
        failures += !lived;
        ck_assert_int_lt(n, 1000);
    }
    ck_assert_uint_gt(failures, 5);
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- starts */

TEST(a_callers_older_and_shorter_options_are_understood)
{
    cop_pid pid;
    cop_start_opts opts = {
        .size = offsetof(cop_start_opts, link),
        .name = "old",
        .link = true,                /* not known to that caller: */
        .stack_size = NO_SUCH_STACK, /* whatever stands there is not ours to read */
    };
    ck_assert_int_eq(cop_spawn_with(&pid, test_wait_for_end, &opts), 0);
    ck_assert(cop_pid_eq(cop_whereis("old"), pid));
    cop_exit_signal(pid, cop_failed(-EIO, NULL));
    EVENTUALLY(!cop_alive(pid));
    ck_assert(!test_has_mail());
}

static int
compare_self(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    int r = cop_receive(&msg, SOON);
    if (r) {
        return r;
    }
    return cop_pid_eq(*COP_BODY(msg, cop_pid), cop_self()) ? 0 : -EINVAL;
}

TEST(self_is_the_pid_that_the_starter_got)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, compare_self, .monitor = &monitor), 0);
    cop_send(pid, COP_MSG_OF(GO, pid));
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(cop_pid_eq(cop_self(), cop_self()));
    ck_assert(!cop_pid_eq(cop_self(), pid));
}

static int
find_own_name(cop_bytes arg)
{
    (void)arg;
    return cop_pid_eq(cop_whereis("early"), cop_self()) ? 0 : -ENOENT;
}

TEST(the_name_is_registered_before_the_function_runs)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, find_own_name, .name = "early", .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(a_process_that_ends_at_once_is_monitored_all_the_same) /* MON-005 */
{
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(end_with(-EIO).code, -EIO);
    }
}

TEST(a_process_that_ends_at_once_is_linked_all_the_same)
{
    for (int i = 0; i < 300; i++) {
        cop_pid pid;
        int code = -EIO;
        ck_assert_int_eq(cop_spawn(&pid, return_int, .arg = COP_BYTES(code), .link = true), 0);
        const struct cop_exited *exited = COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited);
        ck_assert(cop_pid_eq(exited->pid, pid));
        ck_assert_int_eq(exited->reason.code, -EIO);
    }
}

TEST(a_monitored_start_adds_no_link) /* PRL-002 */
{
    ck_assert_int_eq(end_with(-EIO).code, -EIO);
    ck_assert(!test_has_mail());
}

TEST(a_start_with_link_and_monitor_is_told_twice) /* PRL-002 */
{
    int code = -EIO;
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(NULL, return_int, .arg = COP_BYTES(code), .link = true, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    test_receive(COP_MSG_EXIT);
    ck_assert(!test_has_mail());
}

static cop_bytes argument;

static void
sum_argument(void *sum)
{
    const unsigned char *byte = argument.data;
    for (size_t i = 0; i < argument.size; i++) {
        *(unsigned *)sum += byte[i];
    }
}

static unsigned argument_sum;

static int
use_argument_at_the_end(cop_bytes arg)
{
    argument = arg;
    cop_at_exit(sum_argument, &argument_sum);
    return 0;
}

TEST(the_argument_is_copied_and_lives_until_the_process_ends)
{
    unsigned char bytes[1000];
    memset(bytes, 1, sizeof bytes);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, use_argument_at_the_end, .arg = {bytes, sizeof bytes},
                               .monitor = &monitor),
                     0);
    memset(bytes, 9, sizeof bytes);
    test_down(monitor);
    ck_assert_uint_eq(argument_sum, sizeof bytes);
}

enum {
    MUCH = 4 << 20
};

static int
use_much_stack(cop_bytes arg)
{
    (void)arg;
    volatile char frame[MUCH];
    for (size_t i = 0; i < sizeof frame; i += 1024) {
        frame[i] = 1;
    }
    return frame[0] == 1 ? 0 : -EIO;
}

TEST(a_process_gets_the_stack_that_it_asks_for) /* DYN-005 */
{
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(NULL, use_much_stack, .stack_size = MUCH + 65536, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

static int
be_nicest(cop_bytes arg)
{
    const int normal = *(const int *)arg.data, nicest = 19;
    cop_assert(getpriority(PRIO_PROCESS, 0) == normal);
    cop_assert(setpriority(PRIO_PROCESS, 0, nicest) == 0);
    cop_assert(getpriority(PRIO_PROCESS, 0) == nicest);
    return 0;
}

/* Also when the thread cannot be made as it was, and is not used again. */
TEST(a_process_sets_the_niceness_of_its_own_thread_and_of_no_other) /* DYN-005, PRC-003 */
{
    int normal = getpriority(PRIO_PROCESS, 0);
    for (int i = 0; i < 5; i++) {
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(NULL, be_nicest, .arg = COP_BYTES(normal), .monitor = &monitor),
                         0);
        ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
        ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), normal);
    }
}

static pthread_key_t specific;
static _Atomic unsigned destroyed;

static void
count_destroyed(void *value)
{
    (void)value;
    atomic_fetch_add(&destroyed, 1);
}

static int
set_specific(cop_bytes arg)
{
    (void)arg;
    return -pthread_setspecific(specific, &destroyed);
}

TEST(on_a_fresh_thread_destructors_of_thread_specific_data_run_at_the_end)
{
    ck_assert_int_eq(pthread_key_create(&specific, count_destroyed), 0);
    ck_assert_int_eq(cop_spawn(NULL, set_specific, .fresh_thread = true), 0);
    EVENTUALLY(atomic_load(&destroyed) == 1);
}

/* ---------------------------------------------------------------- how it ended */

TEST(zero_is_a_normal_end)
{
    ck_assert_int_eq(end_with(0).kind, COP_NORMAL);
}

TEST(a_negative_return_is_a_crash_with_that_code)
{
    cop_reason reason = end_with(-ENOSPC);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ENOSPC);
}

TEST(a_positive_return_is_a_crash_with_EINVAL)
{
    cop_reason reason = end_with(3);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EINVAL);
}

TEST(ECANCELED_without_having_been_asked_to_stop_is_a_crash)
{
    cop_reason reason = end_with(-ECANCELED);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -ECANCELED);
}

/* ---------------------------------------------------------------- the order of the end */

static void
observe_exit(const cop_event *event, void *pid)
{
    if (event->kind == COP_EVENT_EXIT && event->pid.id == atomic_load((_Atomic uint64_t *)pid)) {
        note("observer");
    }
}

static _Atomic uint64_t observed;

/* What is common to both kinds: things that are let go, each with a mark. */
static void
prepare_to_end(void)
{
    static char mail[] = "mail";
    cop_at_exit(note_arg, FIRST_AT_EXIT);
    cop_at_exit(note_arg, SECOND_AT_EXIT);
    cop_defer(note_arg, FIRST_DEFER);
    cop_defer(note_arg, SECOND_DEFER);
    cop_send_after(cop_self(), COP_MSG_MOVE(LATER, TIMER, sizeof TIMER, note_arg), COP_SEC(3600));
    cop_send(cop_self(), COP_MSG_MOVE(NEVER_READ, MAILBOX, sizeof mail, note_arg));
}

static cop_step
end_in_a_callback(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    prepare_to_end();
    cop_exit(cop_failed(-EIO, NULL));
}

static void
note_terminate(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    note("terminate");
}

static const cop_genserver ending_server = {
    .type = "ending",
    .handle_info = end_in_a_callback,
    .terminate = note_terminate,
};

static int
end_in_a_function(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_receive(&msg, SOON);
    prepare_to_end();
    cop_exit(cop_failed(-EIO, NULL));
}

static void
check_order(cop_pid pid, cop_ref monitor)
{
    atomic_store(&observed, pid.id);
    cop_send(pid, COP_TAG(GO));
    test_down(monitor);
    note("down");
    ck_assert_int_eq(when(SECOND_DEFER), 0);
    ck_assert_int_eq(when(FIRST_DEFER), 1);
    ck_assert_int_gt(when(SECOND_AT_EXIT), when(FIRST_DEFER));
    ck_assert_int_eq(when(FIRST_AT_EXIT), when(SECOND_AT_EXIT) + 1);
    ck_assert_int_gt(when(TIMER), when(FIRST_AT_EXIT));
    ck_assert_int_gt(when(MAILBOX), when(FIRST_AT_EXIT));
    ck_assert_int_gt(when("observer"), when(TIMER));
    ck_assert_int_gt(when("observer"), when(MAILBOX));
    ck_assert_int_gt(when("down"), when("observer"));
}

TEST(a_process_ends_in_the_order_that_is_promised)
{
    cop_config config = {.size = sizeof config, .observe = observe_exit, .observe_env = &observed};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, end_in_a_function, .monitor = &monitor), 0);
    check_order(pid, monitor);
}

TEST(a_server_terminates_between_its_callbacks_deferred_calls_and_its_own)
{
    cop_config config = {.size = sizeof config, .observe = observe_exit, .observe_env = &observed};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &ending_server, .link = false), 0);
    check_order(pid, cop_monitor(pid));
    ck_assert_int_gt(when("terminate"), when(FIRST_DEFER));
    ck_assert_int_lt(when("terminate"), when(SECOND_AT_EXIT));
}

static bool *left_for_the_end;
static _Atomic bool memory_was_there, name_was_there, was_alive;

static void
look_at_what_is_left(void *unused)
{
    (void)unused;
    atomic_store(&memory_was_there, *left_for_the_end);
    atomic_store(&name_was_there, cop_whereis("ending").id != 0);
    atomic_store(&was_alive, cop_alive(cop_self()));
}

static int
end_with_memory_and_name(cop_bytes arg)
{
    (void)arg;
    left_for_the_end = cop_alloc(1);
    *left_for_the_end = true;
    cop_at_exit(look_at_what_is_left, NULL);
    cop_exit(COP_REASON_NORMAL);
}

TEST(the_processes_deferred_calls_find_its_memory_and_its_name)
{
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(NULL, end_with_memory_and_name, .name = "ending", .monitor = &monitor), 0);
    test_down(monitor);
    ck_assert(atomic_load(&memory_was_there));
    ck_assert(atomic_load(&name_was_there));
    ck_assert(atomic_load(&was_alive));
}

TEST(when_DOWN_arrives_nobody_finds_the_process_any_more) /* NAM-002, NAM-004 */
{
    for (int i = 0; i < 200; i++) {
        cop_pid pid;
        cop_ref monitor;
        cop_process_info info;
        ck_assert_int_eq(cop_spawn(&pid, return_zero, .name = "gone", .monitor = &monitor), 0);
        test_down(monitor);
        ck_assert_uint_eq(cop_whereis("gone").id, 0);
        ck_assert(!cop_alive(pid));
        ck_assert(!cop_alive(cop_named("gone")));
        ck_assert_int_eq(cop_inspect(pid, &info), -ESRCH);
        ck_assert_int_eq(cop_unregister("gone"), -ENOENT);
    }
}

TEST(a_stale_pid_finds_nobody_when_its_place_is_used_again)
{
    cop_pid old = COP_NOBODY;
    for (int i = 0; i < COPI_TABLE_CHUNK * 4; i++) {
        cop_pid pid;
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
        if (i == 0) {
            old = pid;
        }
        if ((pid.id & COPI_INDEX_MASK) == (old.id & COPI_INDEX_MASK) && i > 0) {
            static char body[] = "stale";
            ck_assert(!cop_alive(old));
            ck_assert_int_eq(cop_exit_signal(old, COP_REASON_KILLED), 0);
            ck_assert_int_eq(cop_send(old, COP_MSG_MOVE(GO, body, sizeof body, note_arg)), 0);
            ck_assert_uint_eq(atomic_load(&seen.count), 1);
            ck_assert_int_eq(test_down(cop_monitor(old)).kind, COP_NOPROC);
            ck_assert(cop_alive(pid));
            return;
        }
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
    }
    ck_abort_msg("the place was never used again");
}

/* ---------------------------------------------------------------- where it does not end */

static _Atomic bool came_through;

static int
call_what_is_no_exit_point(cop_bytes arg)
{
    (void)arg;
    cop_pid self = cop_self(), pid = COP_NOBODY;
    cop_process_info info;
    cop_exit_signal(self, cop_failed(-EIO, NULL));
    cop_spawn(&pid, return_zero, .link = false);
    cop_send(pid, COP_TAG(GO));
    cop_free(cop_alloc(8));
    cop_demonitor(cop_monitor(pid));
    cop_link(pid);
    cop_unlink(pid);
    cop_register("brief", self);
    cop_unregister("brief");
    cop_alive(self);
    cop_inspect(self, &info);
    cop_cancel_timer(cop_send_after(self, COP_TAG(LATER), COP_SEC(9)), NULL);
    cop_defer(note_arg, FIRST_DEFER);
    cop_undefer(note_arg, FIRST_DEFER, false);
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    cop_context_leave(context);
    cop_context_free(context);
    cop_cancelled();
    cop_cancelled();
    atomic_store(&came_through, true);
    cop_checkpoint();
    return 0;
}

TEST(a_process_does_not_end_in_a_call_that_is_no_exit_point)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, call_what_is_no_exit_point, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert(atomic_load(&came_through));
}

/* ---------------------------------------------------------------- foreign threads */

static cop_pid adopted;
static _Atomic bool is_adopted, may_end;

static void *
be_adopted(void *deferred)
{
    adopted = cop_self();
    if (deferred) {
        cop_at_exit(note_arg, FIRST_AT_EXIT);
        cop_defer(note_arg, FIRST_DEFER);
    }
    atomic_store(&is_adopted, true);
    while (!atomic_load(&may_end)) {
        usleep(100);
    }
    return NULL;
}

TEST(a_foreign_thread_ends_normally_with_its_thread)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, be_adopted, NULL), 0);
    EVENTUALLY(atomic_load(&is_adopted));
    ck_assert(cop_alive(adopted));
    cop_ref monitor = cop_monitor(adopted);
    atomic_store(&may_end, true);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(!cop_alive(adopted));
    pthread_join(thread, NULL);
}

TEST(a_foreign_threads_deferred_calls_run_when_it_ends)
{
    pthread_t thread;
    atomic_store(&may_end, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, be_adopted, &adopted), 0);
    pthread_join(thread, NULL);
    ck_assert_int_lt(when(FIRST_DEFER), when(FIRST_AT_EXIT));
}

TEST(a_foreign_thread_gets_every_exit_signal_as_a_message)
{
    const cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, COP_REASON_KILLED,
                                  cop_failed(-EIO, "text")};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        ck_assert_int_eq(cop_exit_signal(cop_self(), reasons[i]), 0);
        const struct cop_exited *exited = COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited);
        ck_assert(cop_pid_eq(exited->pid, cop_self()));
        ck_assert_int_eq(exited->reason.kind, reasons[i].kind);
        ck_assert_str_eq(exited->reason.text, reasons[i].text);
    }
    ck_assert_int_eq(cop_sleep(COP_MS(1)), 0); /* and is not asked to stop by any of them */
}

/* What a program says and how it ends that runs `fn` first thing. */
static int
status_of_a_program(void (*fn)(void), char said[1024])
{
    int out[2], status = 0;
    ck_assert_int_eq(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        close(out[1]);
        fn();
        _exit(0);
    }
    close(out[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(out[0], said + length, 1023 - length)) > 0;) {
        length += (size_t)got;
    }
    said[length] = '\0';
    close(out[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
exit_as_foreigner(void)
{
    cop_exit(cop_failed(-EIO, "no way out"));
}

static void
assert_as_foreigner(void)
{
    cop_assert(1 + 1 == 3);
}

TEST(cop_exit_in_a_foreign_thread_ends_the_program_with_status_1)
{
    char said[1024];
    ck_assert_int_eq(status_of_a_program(exit_as_foreigner, said), 1);
    ck_assert_uint_eq(test_count(said, "no way out"), 1);
}

TEST(a_failed_assertion_in_a_foreign_thread_ends_the_program_with_status_1)
{
    char said[1024];
    ck_assert_int_eq(status_of_a_program(assert_as_foreigner, said), 1);
    ck_assert_uint_eq(test_count(said, "1 + 1 == 3"), 1);
}

static void *
try_without_memory(void *result)
{
    copi_alloc_fail_after(0);
    cop_pid self = cop_self();
    int r = cop_sleep(0);
    copi_alloc_fail_after(-1);
    *(int *)result = self.id == 0 ? r : 0;
    return NULL;
}

TEST(a_foreign_thread_for_which_there_is_no_memory_gets_an_error)
{
    pthread_t thread;
    int result = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, try_without_memory, &result), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(result, -ENOMEM); /* the table's first chunk */
}

SUITE("process")
