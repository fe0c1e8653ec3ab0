/*
 * tests/supervisor/test_child.c - starting and stopping one child, of any kind.
 *
 * Room: tests/. Case ids (SUP-107) are those of the conformance list. The test's own thread stands
 * where the supervisor would: exits of what it is linked to reach it as messages.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "supervisor/child.h"
#include "supervisor/spec.h"
#include "tests/supervisor/tree.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define SH(script) ((const char *const[]){"/bin/sh", "-c", (script), NULL})

/* ---------------------------------------------------------------- helpers */

static struct copi_child_spec *
spec_of(cop_child_spec from)
{
    static struct copi_child_spec spec;
    cop_self();
    ck_assert_int_eq(copi_child_spec_copy(&spec, &from), 0);
    return &spec;
}
#define SPEC(...) spec_of((cop_child_spec){__VA_ARGS__})

static struct started {
    int code;
    cop_pid pid;
    cop_reason why;
} started;

static int
start(struct copi_child_spec *spec)
{
    started.pid = (cop_pid){99};
    started.code = copi_child_start(spec, (cop_bytes){spec->arg.data, spec->arg.size}, &started.pid,
                                    &started.why);
    copi_child_spec_clear(spec);
    return started.code;
}

static cop_pid
started_child(struct copi_child_spec *spec)
{
    ck_assert_int_eq(start(spec), 0);
    ck_assert(cop_alive(started.pid));
    return started.pid;
}

static cop_reason
stop(cop_pid pid, cop_time shutdown)
{
    cop_reason reason;
    ck_assert_int_eq(copi_child_stop(&(struct copi_child_spec){.shutdown = shutdown}, pid, &reason),
                     0);
    ck_assert(!cop_alive(pid));
    return reason;
}

static bool
has_mail(void)
{
    cop_msg msg;
    return cop_receive(&msg, 0) == 0;
}

static cop_reason
exit_of(cop_pid pid)
{
    cop_msg msg = test_receive(COP_MSG_EXIT);
    const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
    ck_assert(cop_pid_eq(exited->pid, pid));
    return exited->reason;
}

static void
why_is(const char *words)
{
    char text[sizeof started.why.text];
    ck_assert_str_eq(cop_reason_string(started.why, text, sizeof text), words);
}

/* ---------------------------------------------------------------- what the children do */

static int
until_asked(cop_bytes arg)
{
    (void)arg;
    int r = 0;
    while (r == 0) {
        r = cop_sleep(COP_SEC(60));
    }
    note("asked");
    return r == -ECANCELED ? 0 : r;
}

static bool
is_killed_parent(cop_msg msg)
{
    return msg.tag == COP_MSG_EXIT && COP_BODY(msg, struct cop_exited)->reason.kind == COP_KILLED;
}

/* Hears nothing but that its parent was killed. */
static int
deaf(cop_bytes arg)
{
    (void)arg;
    cop_msg msg = {0};
    cop_trap_exits(true);
    note("deaf");
    while (!is_killed_parent(msg)) {
        cop_receive(&msg, COP_FOREVER);
    }
    note("orphan");
    return 0;
}

static int
fail_at_once(cop_bytes arg)
{
    (void)arg;
    cop_exit(BOOM);
}

static int
unlink_parent(cop_bytes arg)
{
    cop_unlink(*(const cop_pid *)arg.data);
    note("unlinked");
    return until_asked(arg);
}

static int
check_argument(cop_bytes arg)
{
    cop_exit(cop_failed(-EIO, "%s", (const char *)arg.data));
}

static cop_step
hang_in_init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}
static const cop_genserver hangs = {.type = "hangs", .init = hang_in_init};

/* ---------------------------------------------------------------- starting */

TEST(a_server_is_up_linked_and_named)
{
    cop_pid pid = started_child(SPEC(BOX_IS("a")));
    HAPPENED("+a");
    ck_assert(cop_pid_eq(cop_whereis("a"), pid));
    cop_reason boom = BOOM;
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(BOX_END, boom)), 0);
    ck_assert_str_eq(exit_of(pid).text, "boom");
}

TEST(a_server_whose_init_fails_is_an_error_with_its_reason)
{
    boxes[0].plan = "f";
    ck_assert_int_eq(start(SPEC(BOX_IS("a"))), -EBUSY);
    why_is("busy");
    ck_assert_uint_eq(started.pid.id, 99); /* as it was */
    ck_assert(cop_pid_eq(cop_whereis("a"), COP_NOBODY));
}

TEST(a_server_that_declines_is_nobody)
{
    boxes[0].plan = "i";
    ck_assert_int_eq(start(SPEC(BOX_IS("a"))), 0);
    ck_assert(cop_pid_eq(started.pid, COP_NOBODY));
}

TEST(a_server_whose_init_hangs_is_killed_after_its_time)
{
    cop_time before = cop_now();
    ck_assert_int_eq(
        start(SPEC(.id = "a", .name = "a", .genserver = &hangs, .init_timeout = COP_MS(30))),
        -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
    ck_assert(cop_pid_eq(cop_whereis("a"), COP_NOBODY));
}

TEST(a_name_that_is_taken_tells_by_whom)
{
    ck_assert_int_eq(cop_register("a", cop_self()), 0);
    ck_assert_int_eq(start(SPEC(BOX_IS("a"))), -EEXIST);
    ck_assert(cop_pid_eq(started.pid, cop_self()));
    HAPPENED("");
}

static int
write_state(void *state, cop_bytes arg)
{
    (void)arg;
    memcpy(state, "made", sizeof "made");
    return 0;
}

static void
note_state(void *state)
{
    note("dropped(%s)", (const char *)state);
}

TEST(an_agent_has_its_own_beginning_and_end)
{
    cop_agent_spec agent = {.init = write_state, .drop = note_state, .state_size = 8};
    stop(started_child(SPEC(.id = "a", .agent = &agent)), SOON);
    HAPPENED("dropped(made)");
}

static cop_transition
count_events(void *data, const cop_statem_event *event)
{
    int *count = data;
    ++*count;
    if (event->kind == COP_STATEM_CALL) {
        cop_reply(event->from, COP_MSG_OF(0, *count));
    }
    return event->kind == COP_STATEM_CAST ? cop_statem_stop(BOOM) : cop_statem_keep_state();
}
static const cop_state counting = {.name = "counting", .handle = count_events};

static cop_transition
take_count(void *data, cop_bytes arg)
{
    memcpy(data, arg.data, sizeof(int));
    return cop_statem_next_state(&counting);
}
static const cop_statem counter = {
    .type = "counter",
    .data_size = sizeof(int),
    .init = take_count,
};

/* The specification is gone by the time that the child is looked at. */
TEST(a_child_is_known_to_people_by_its_id)
{
    test_catch_stderr();
    cop_pid pid = started_child(SPEC(.id = "pool", .genserver = &box, .arg = {"a", 1}));
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    ck_assert_str_eq(info.label, "pool");
    cop_reason boom = BOOM;
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(BOX_END, boom)), 0);
    exit_of(pid);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "genserver pool<"), 1);
    free(lines);
}

static int
say_thread_name(cop_bytes arg)
{
    (void)arg;
    char name[16];
    ck_assert_int_eq(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    name[5] = '\0';
    note("%s", name);
    return until_asked(arg);
}

TEST(each_kind_of_child_has_its_id_as_label)
{
    static const cop_agent_spec agent = {.state_size = 4};
    const cop_child_spec kinds[] = {
        {.id = "kind", .worker = say_thread_name},
        {.id = "kind", .statem = &counter, .arg = COP_BYTES_INIT("0123")},
        {.id = "kind", .agent = &agent},
        {.id = "kind", .command = SH("exec sleep 60")},
        {.id = "kind", .supervisor = &(cop_supervisor_spec){0}},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cop_process_info info;
        cop_pid pid = started_child(spec_of(kinds[i]));
        ck_assert_int_eq(cop_inspect(pid, &info), 0);
        ck_assert_str_eq(info.label, "kind");
        if (i == 0) {
            EVENTUALLY(has_happened("kind<"));
        }
        stop(pid, SOON);
    }
}

TEST(a_worker_gets_its_argument_and_name)
{
    cop_pid pid = started_child(
        SPEC(.id = "a", .name = "w", .worker = until_asked, .arg = COP_STR("unused")));
    ck_assert(cop_pid_eq(cop_whereis("w"), pid));
    stop(pid, SOON);
    ck_assert_int_eq(start(SPEC(.id = "a", .worker = check_argument, .arg = COP_STR("hello"))), 0);
    ck_assert_str_eq(exit_of(started.pid).text, "hello");
}

TEST(an_agent_has_its_state) /* SUP-022 */
{
    cop_agent_spec agent = {.initial = COP_STR("state"), .state_size = 8};
    cop_pid pid = started_child(SPEC(.id = "a", .agent = &agent));
    char state[8];
    ck_assert_int_eq(cop_agent_get(pid, state, sizeof state, SOON), 0);
    ck_assert_str_eq(state, "state");
    stop(pid, SOON);
}

TEST(a_state_machine_is_up_linked_and_named_with_its_argument) /* SUP-022 */
{
    int count = 40;
    cop_pid pid =
        started_child(SPEC(.id = "m", .name = "m", .statem = &counter, .arg = COP_BYTES(count)));
    ck_assert_int_eq(cop_call(cop_named("m"), COP_TAG(1), COP_OUT(count), SOON), 0);
    ck_assert_int_eq(count, 41);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0);
    ck_assert_str_eq(exit_of(pid).text, "boom");
}

TEST(a_state_machine_that_has_no_state_does_not_start)
{
    static const cop_statem stateless = {.type = "stateless"};
    ck_assert_int_eq(start(SPEC(.id = "m", .statem = &stateless)), -EINVAL);
    why_is(cop_strerror(-EINVAL));
}

TEST(a_supervisor_is_up_with_its_children) /* SUP-018 */
{
    cop_pid pid = started_child(
        SPEC(.id = "s", .name = "s", .supervisor = TREE(COP_CHILDREN(BOX("a"), BOX("b")))));
    ck_assert(cop_pid_eq(cop_whereis("s"), pid));
    HAPPENED("+a +b");
    stop(pid, SOON);
    HAPPENED("-b -a"); /* SUP-105 */
}

TEST(a_supervisor_that_does_not_start_says_whose_fault_it_was) /* SUP-004 */
{
    boxes[1].plan = "f";
    cop_supervisor_spec inner = {COP_CHILDREN(BOX("a"), BOX("b"))};
    ck_assert_int_eq(start(SPEC(.id = "s", .supervisor = &inner)), -EBUSY);
    why_is("{shutdown,{failed_to_start_child,b,busy}}");
    ck_assert_int_eq(started.why.kind, COP_SHUTDOWN);
}

TEST(a_command_runs_with_all_its_words)
{
    const char *const argv[] = {"/bin/sh", "-c", "test \"$0-$1-$2\" = 'a--b c' && exit 4", "a", "",
                                "b c",     NULL};
    ck_assert_int_eq(start(SPEC(.id = "c", .command = argv)), 0);
    ck_assert_str_eq(exit_of(started.pid).text, "{exit_status,4}");
}

TEST(a_command_gets_its_argument_as_further_words)
{
    const char *const argv[] = {"/bin/sh", "-c", "test \"$0-$1-$2\" = 'a--b c' && exit 4", "a",
                                NULL};
    ck_assert_int_eq(start(SPEC(.id = "c", .command = argv, .arg = {"\0b c", 5})), 0);
    ck_assert_str_eq(exit_of(started.pid).text, "{exit_status,4}");
}

TEST(a_command_does_not_start_with_half_a_word)
{
    ck_assert_int_eq(start(SPEC(.id = "c", .command = SH("exit 4"), .arg = {"half", 4})), -EINVAL);
    why_is(cop_strerror(-EINVAL));
}

TEST(a_command_stops_by_sigterm_within_its_shutdown_time)
{
    cop_pid pid = started_child(SPEC(.id = "c", .command = SH("exec sleep 60")));
    ck_assert_int_eq(stop(pid, COP_SEC(5)).kind, COP_SHUTDOWN);
}

static volatile sig_atomic_t is_ready;

static void
note_ready(int signal)
{
    (void)signal;
    is_ready = 1;
}

/* A command that says when it is ready, which it does by this signal. */
static cop_pid
ready_command(const char *script, cop_time shutdown)
{
    struct sigaction ready = {.sa_handler = note_ready};
    ck_assert_int_eq(sigaction(SIGUSR1, &ready, NULL), 0);
    cop_pid pid = started_child(SPEC(.id = "c", .command = SH(script), .shutdown = shutdown));
    EVENTUALLY(is_ready);
    return pid;
}

#define READY "; kill -USR1 $PPID; while :; do sleep 0.01; done"

TEST(a_command_has_its_shutdown_time_whoever_asks_it)
{
    cop_trap_exits(true);
    cop_pid pid = ready_command("trap '' TERM" READY, COP_MS(50));
    cop_time before = cop_now();
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(exit_of(pid).kind, COP_KILLED);
    ck_assert_int_ge(cop_now() - before, COP_MS(50));
}

TEST(a_command_that_has_for_ever_is_let_finish)
{
    cop_pid pid = ready_command("trap 'sleep 0.1; exit 0' TERM" READY, COP_FOREVER);
    ck_assert_int_eq(stop(pid, COP_FOREVER).kind, COP_SHUTDOWN);
}

/* ---------------------------------------------------------------- a start function of the user's */

static int
user_start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    switch (*(const char *)arg.data) {
    case 's':
        return cop_spawn(out, until_asked, .link = true);
    case 'd':
        *out = COP_NOBODY;
        return 0;
    case 'w':
        *why = cop_failed(-EIO, "no_disk");
        return -ENOSPC;
    case 'c':
        return -ENOSPC;
    default:
        return 3;
    }
}

static int
start_by_user(const char *how)
{
    return start(SPEC(.id = "u", .start = user_start, .arg = {how, 1}));
}

TEST(a_start_function_starts_what_it_likes)
{
    ck_assert_int_eq(start_by_user("s"), 0);
    stop(started.pid, SOON);
}

TEST(a_start_function_may_decline)
{
    ck_assert_int_eq(start_by_user("d"), 0);
    ck_assert(cop_pid_eq(started.pid, COP_NOBODY));
}

TEST(a_start_function_fails_with_its_code_and_its_reason)
{
    ck_assert_int_eq(start_by_user("w"), -ENOSPC);
    why_is("no_disk");
}

TEST(a_start_function_that_gives_no_reason_has_its_code_for_one)
{
    ck_assert_int_eq(start_by_user("c"), -ENOSPC);
    ck_assert_int_eq(started.why.kind, COP_FAILED);
    ck_assert_int_eq(started.why.code, -ENOSPC);
}

TEST(a_start_function_that_returns_a_positive_number_has_failed) /* SUP-013 */
{
    ck_assert_int_eq(start_by_user("p"), -EINVAL);
    why_is("{bad_return_value,3}");
}

/* ---------------------------------------------------------------- what a child has */

TEST(a_child_has_the_mailbox_that_it_is_given)
{
    enum {
        FIRST = 1,
        SECOND
    };
    cop_pid rejects =
        started_child(SPEC(.id = "r", .worker = until_asked, .mailbox = {.limit = 1}));
    ck_assert_int_eq(cop_send(rejects, COP_TAG(FIRST)), 0);
    ck_assert_int_eq(cop_send(rejects, COP_TAG(SECOND)), -EAGAIN);
    cop_pid drops =
        started_child(SPEC(.id = "d", .worker = until_asked, .mailbox = {1, COP_FULL_DROP_NEW}));
    ck_assert_int_eq(cop_send(drops, COP_TAG(FIRST)), 0);
    ck_assert_int_eq(cop_send(drops, COP_TAG(SECOND)), 0);
    stop(rejects, SOON);
    stop(drops, SOON);
}

TEST(a_child_has_the_stack_that_it_is_given)
{
    test_catch_stderr(); /* that there is no such stack */
    int r = start(SPEC(.id = "a", .worker = until_asked, .stack_size = SIZE_MAX / 2));
    free(test_caught_stderr());
    ck_assert_int_eq(r, -EAGAIN);
}

static int
tell_containment(cop_bytes arg)
{
    struct copi_process *self;
    (void)arg;
    ck_assert_int_eq(copi_enter(&self), 0);
    note(self->contain_faults ? "contained" : "not contained");
    return 0;
}

TEST_TIMES(2, the_faults_of_a_child_are_contained_if_that_is_asked_for)
{
    ck_assert_int_eq(start(SPEC(.id = "a", .worker = tell_containment, .contain_faults = _i == 1)),
                     0);
    exit_of(started.pid);
    HAPPENED(_i == 1 ? "contained" : "not contained");
}

/* ---------------------------------------------------------------- where a child runs */

static int
start_in_a_context(cop_bytes arg)
{
    (void)arg;
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_int_eq(cop_context_enter(context), 0);
    struct copi_child_spec spec;
    ck_assert_int_eq(
        copi_child_spec_copy(&spec, &(cop_child_spec){.id = "a", .worker = until_asked}), 0);
    cop_pid pid;
    cop_reason why;
    ck_assert_int_eq(copi_child_start(&spec, (cop_bytes){0}, &pid, &why), 0);
    cop_context_cancel(context, COP_REASON_SHUTDOWN);
    cop_context_leave(context);
    cop_context_free(context);
    cop_ref monitor = cop_monitor(pid);
    test_down(monitor);
    return 0;
}

TEST(a_child_runs_in_the_scope_of_its_supervisor)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, start_in_a_context, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    HAPPENED("asked"); /* by its context: it was sent nothing */
}

static int
try_to_start(void *arg)
{
    const struct copi_child_spec *spec = arg;
    cop_pid pid;
    cop_reason why, reason;
    int r = copi_child_start(spec, (cop_bytes){spec->arg.data, spec->arg.size}, &pid, &why);
    if (r == 0) {
        copi_alloc_fail_after(-1);
        copi_child_stop(spec, pid, &reason);
    } else {
        ck_assert_int_eq(why.code, -ENOMEM);
    }
    return r;
}

TEST(without_memory_a_start_fails_and_leaves_nothing)
{
    static const cop_agent_spec agent = {.initial = {"state", 6}};
    cop_child_spec kinds[] = {
        {.id = "w", .worker = until_asked},
        {.id = "c", .command = SH("exec sleep 60")},
        {.id = "a", .agent = &agent},
        BOX("g"),
        {.id = "m", .statem = &counter, .arg = COP_BYTES_INIT("0123")},
        {.id = "s", .supervisor = TREE(COP_CHILDREN({.id = "w", .worker = until_asked}))},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int result;
        struct copi_child_spec *spec = spec_of(kinds[i]);
        test_out_of_memory(try_to_start, spec, &result);
        ck_assert_int_eq(result, 0);
        copi_child_spec_clear(spec);
    }
}

/* ---------------------------------------------------------------- stopping */

TEST(a_child_is_asked_to_stop_and_waited_for) /* SUP-106 */
{
    cop_pid pid = started_child(SPEC(.id = "a", .worker = until_asked));
    cop_reason reason = stop(pid, COP_FOREVER);
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    HAPPENED("asked");
}

TEST(a_child_that_does_not_stop_is_killed_when_its_time_is_over) /* SUP-107 */
{
    cop_pid pid = started_child(SPEC(.id = "a", .worker = deaf));
    EVENTUALLY(has_happened("deaf"));
    cop_time before = cop_now();
    ck_assert_int_eq(stop(pid, COP_MS(30)).kind, COP_KILLED);
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
}

static int
end_after_a_while(cop_bytes arg)
{
    until_asked(arg);
    cop_time end = cop_now() + COP_MS(100);
    EVENTUALLY(cop_now() >= end);
    note("ended");
    return 0;
}

TEST(a_child_that_has_for_ever_is_not_killed)
{
    cop_pid pid = started_child(SPEC(.id = "a", .worker = end_after_a_while));
    ck_assert_int_eq(stop(pid, COP_FOREVER).kind, COP_SHUTDOWN);
    HAPPENED("asked ended");
}

TEST(a_brutal_stop_does_not_ask) /* SUP-108 */
{
    cop_pid pid = started_child(SPEC(.id = "a", .worker = until_asked));
    ck_assert_int_eq(stop(pid, COP_BRUTAL_KILL).kind, COP_KILLED);
    HAPPENED("");
}

TEST(the_reason_of_a_child_that_had_ended_is_that_of_its_exit)
{
    ck_assert_int_eq(start(SPEC(.id = "a", .worker = fail_at_once)), 0);
    EVENTUALLY(!cop_alive(started.pid));
    ck_assert_str_eq(stop(started.pid, SOON).text, "boom");
    ck_assert(!has_mail());
}

TEST_TIMES(50, the_reason_is_known_however_close_the_end_and_the_stop_are)
{
    ck_assert_int_eq(start(SPEC(.id = "a", .worker = fail_at_once)), 0);
    cop_reason reason = stop(started.pid, SOON);
    ck_assert_msg(reason.kind == COP_FAILED || reason.kind == COP_SHUTDOWN,
                  "it ended with kind %d, %s", reason.kind, reason.text);
    ck_assert(!has_mail());
}

static atomic_bool is_deaf, hears_again;
static atomic_int watched;

/* As a supervisor is whose terminate calls what hangs. */
static int
watch_when_disowned(cop_bytes arg)
{
    cop_pid other;
    cop_ref monitor;
    memcpy(&other, arg.data, sizeof other);
    is_deaf = true;
    while (!hears_again) {
        sched_yield();
    }
    watched = copi_child_watch(other, &monitor);
    return 0;
}

TEST(who_is_disowned_watches_nobody)
{
    const cop_config config = {.size = sizeof config, .kill_grace = COP_MS(10)};
    ck_assert_int_eq(cop_configure(&config), 0);
    cop_pid pid, self = cop_self();
    cop_ref monitor;
    test_catch_stderr();
    ck_assert_int_eq(
        cop_spawn(&pid, watch_when_disowned, .arg = COP_BYTES(self), .monitor = &monitor), 0);
    EVENTUALLY(is_deaf);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    test_down(monitor);
    ck_assert_uint_eq(cop_disowned(), 1);
    hears_again = true;
    EVENTUALLY(watched != 0);
    ck_assert_int_eq(watched, -ECANCELED);
    EVENTUALLY(cop_disowned() == 0);
    free(test_caught_stderr());
}

TEST(a_child_that_has_removed_its_link_can_be_stopped) /* SUP-115 */
{
    cop_pid self = cop_self();
    cop_pid pid = started_child(SPEC(.id = "a", .worker = unlink_parent, .arg = COP_BYTES(self)));
    EVENTUALLY(has_happened("unlinked"));
    ck_assert_int_eq(stop(pid, SOON).kind, COP_SHUTDOWN);
}

TEST(a_child_that_has_removed_its_link_and_ended_was_not_there)
{
    cop_pid self = cop_self();
    cop_pid pid = started_child(SPEC(.id = "a", .worker = unlink_parent, .arg = COP_BYTES(self)));
    EVENTUALLY(has_happened("unlinked"));
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    test_down(monitor);
    ck_assert_int_eq(stop(pid, SOON).kind, COP_NOPROC);
}

TEST(nothing_but_the_ends_is_taken_from_the_mailbox)
{
    enum {
        FIRST = 1,
        SECOND
    };
    cop_pid pid = started_child(SPEC(.id = "a", .worker = until_asked));
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(FIRST)), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(SECOND)), 0);
    stop(pid, SOON);
    test_receive(FIRST);
    test_receive(SECOND);
    ck_assert(!has_mail());
}

static int
stop_when_cancelled(cop_bytes arg)
{
    (void)arg;
    cop_pid pid;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_genserver_start(&pid, &box, .link = true, .arg = {"a", 1}), 0);
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_int_eq(cop_context_enter(context), 0);
    cop_context_cancel(context, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(cop_sleep(COP_SEC(60)), -ECANCELED);
    ck_assert_int_eq(stop(pid, COP_FOREVER).kind, COP_SHUTDOWN);
    ck_assert_int_eq(cop_sleep(COP_SEC(60)), -ECANCELED); /* and is so still */
    cop_context_leave(context);
    cop_context_free(context);
    return 0;
}

TEST(who_is_cancelled_waits_for_its_children_all_the_same)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, stop_when_cancelled, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    HAPPENED("+a -a");
}

static cop_step
ask_parent_init(void *state, cop_bytes arg)
{
    *(cop_pid *)state = *(const cop_pid *)arg.data;
    cop_trap_exits(true);
    return cop_ok();
}

static void
ask_parent_terminate(void *state, cop_reason reason)
{
    (void)reason;
    cop_child_counts ignored;
    note("%s", cop_supervisor_count(*(cop_pid *)state, &ignored) == -EDEADLK ? "refused" : "hm");
}

static const cop_genserver asks_parent = {
    .type = "asks",
    .state_size = sizeof(cop_pid),
    .init = ask_parent_init,
    .terminate = ask_parent_terminate,
};

TEST(a_child_that_asks_its_supervisor_while_it_is_stopped_is_refused)
{
    cop_pid self = cop_self();
    cop_pid pid = started_child(SPEC(.id = "a", .genserver = &asks_parent, .arg = COP_BYTES(self)));
    ck_assert_int_eq(stop(pid, COP_FOREVER).kind, COP_SHUTDOWN);
    HAPPENED("refused");
}

static int
call_parent(cop_bytes arg)
{
    note("calling");
    int answer;
    return cop_call(*(const cop_pid *)arg.data, COP_TAG(1), COP_OUT(answer), COP_FOREVER);
}

/* A server, which the requests of its child reach while it stops it. */
static cop_step
stopper_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    cop_trap_exits(true);
    cop_pid self = cop_self(), pid;
    cop_process_info info;
    ck_assert_int_eq(cop_spawn(&pid, call_parent, .link = true, .arg = COP_BYTES(self)), 0);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && cop_pid_eq(info.waits_for, self));
    int kind = (int)stop(pid, COP_FOREVER).kind;
    return cop_reply(from, COP_MSG_OF(0, kind));
}
static const cop_genserver stopper = {.type = "stopper", .handle_call = stopper_call};

TEST(a_child_that_had_asked_its_supervisor_before_is_stopped_all_the_same)
{
    cop_pid pid;
    int kind;
    ck_assert_int_eq(cop_genserver_start(&pid, &stopper), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(0), COP_OUT(kind), SOON), 0);
    ck_assert_int_eq(kind, COP_SHUTDOWN);
}

static void *
bring_memory_back(void *arg)
{
    (void)arg;
    usleep(20000);
    copi_alloc_fail_after(-1);
    return NULL;
}

TEST(without_memory_a_stop_waits_for_some)
{
    pthread_t thread;
    cop_pid pid = started_child(SPEC(.id = "a", .worker = until_asked));
    ck_assert_int_eq(pthread_create(&thread, NULL, bring_memory_back, NULL), 0);
    cop_trim();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(stop(pid, SOON).kind, COP_SHUTDOWN);
    pthread_join(thread, NULL);
}

static int
stop_the_deaf(cop_bytes arg)
{
    (void)arg;
    cop_pid pid;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_spawn(&pid, deaf, .link = true), 0);
    EVENTUALLY(has_happened("deaf"));
    note("stopping");
    stop(pid, COP_FOREVER);
    note("not reached");
    return 0;
}

TEST(who_is_killed_while_it_waits_ends_and_the_child_with_it) /* SUP-120 */
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, stop_the_deaf, .monitor = &monitor), 0);
    EVENTUALLY(has_happened("stopping"));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    EVENTUALLY(has_happened("deaf stopping orphan"));
}

SUITE("child")
