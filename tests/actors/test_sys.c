/*
 * tests/actors/test_sys.c - looking at servers, and holding them still.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server that hold here.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#define NO_ARG ((cop_bytes){0})

/* ---------------------------------------------------------------- the server */

enum {
    ADD = 1,
    VALUE,
    STAY, /* until told */
    STOP_IDLE,
    IDLE_A_WHILE,
    IDLE_0,
    TRAP,
};

struct counter {
    int value, infos, timeouts;
    int *itself; /* points into the state: it must not move */
};

static atomic_bool go;
static atomic_uint terminated, entered;
static cop_reason last_reason;

static cop_step
init(void *state, cop_bytes arg)
{
    struct counter *counter = state;
    (void)arg;
    counter->itself = &counter->value;
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct counter *counter = state;
    switch (request.tag) {
    case VALUE:
        return cop_reply(from, COP_MSG_OF(VALUE, counter->value));
    case TRAP:
        cop_trap_exits(true);
        break;
    case STAY:
        atomic_fetch_add(&entered, 1);
        while (!go) {
            cop_sleep(COP_US(200));
        }
        break;
    }
    return cop_reply(from, COP_TAG(0));
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct counter *counter = state;
    switch (msg.tag) {
    case ADD:
        counter->value += *COP_BODY(msg, int);
        break;
    case STAY:
        atomic_fetch_add(&entered, 1);
        while (!go) {
            cop_sleep(COP_US(200));
        }
        break;
    case IDLE_A_WHILE:
        return cop_ok_timeout(IN_TIME);
    case IDLE_0:
        return cop_ok_timeout(0);
    }
    return cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct counter *counter = state;
    if (msg.tag == COP_MSG_TIMEOUT) {
        counter->timeouts++;
    } else {
        counter->infos++;
    }
    return cop_ok();
}

static void
terminate(void *state, cop_reason reason)
{
    (void)state;
    last_reason = reason;
    atomic_fetch_add(&terminated, 1);
}

static const cop_genserver server = {
    .type = "counter",
    .state_size = sizeof(struct counter),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .terminate = terminate,
};

static const cop_genserver bare = {.type = "bare", .handle_call = handle_call};

static cop_pid
start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "counter"), 0);
    return pid;
}

static void
add(cop_pid pid, int number)
{
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(ADD, number)), 0);
}

static int
value_of(cop_pid pid)
{
    int value;
    ck_assert_int_eq(cop_call(pid, COP_TAG(VALUE), COP_OUT(value), SOON), 0);
    return value;
}

static struct counter
state_of(cop_pid pid)
{
    struct counter counter;
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(counter), SOON), 0);
    return counter;
}

static void
suspend(cop_pid pid)
{
    ck_assert_int_eq(cop_sys_suspend(pid, SOON), 0);
}

static void
resume(cop_pid pid)
{
    ck_assert_int_eq(cop_sys_resume(pid, SOON), 0);
}

static int
set_to_7(void *state, cop_bytes arg)
{
    struct counter *counter = state;
    (void)arg;
    counter->value = 7;
    return 0;
}

/* ---------------------------------------------------------------- what is refused */

TEST(nobody_is_asked_in_vain)
{
    int state;
    cop_sys_status status;
    cop_pid gone = start();
    ck_assert_int_eq(cop_stop_process(gone, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(cop_sys_get_state(gone, COP_OUT(state), SOON), -ESRCH);
    ck_assert_int_eq(cop_sys_replace_state(gone, set_to_7, NO_ARG, SOON), -ESRCH);
    ck_assert_int_eq(cop_sys_suspend(gone, SOON), -ESRCH);
    ck_assert_int_eq(cop_sys_resume(cop_named("nobody"), SOON), -ESRCH);
    ck_assert_int_eq(cop_sys_terminate(COP_NOBODY, COP_REASON_NORMAL, SOON), -ESRCH);
    ck_assert_int_eq(cop_sys_get_status(gone, &status, SOON), -ESRCH);
}

static int
receive_for_ever(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

TEST(a_process_that_is_no_server_says_so)
{
    cop_pid pid;
    int state;
    ck_assert_int_eq(cop_spawn(&pid, receive_for_ever, .link = false), 0);
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(state), SOON), -EOPNOTSUPP);
    ck_assert_int_eq(cop_sys_suspend(pid, SOON), -EOPNOTSUPP);
}

static cop_step
look_at_oneself(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    int r = cop_sys_suspend(cop_self(), SOON);
    return cop_reply(from, COP_MSG_OF(VALUE, r));
}

TEST(a_server_that_suspends_itself_is_refused)
{
    static const cop_genserver narcissus = {.type = "narcissus", .handle_call = look_at_oneself};
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &narcissus, .link = false), 0);
    ck_assert_int_eq(value_of(pid), -EDEADLK);
}

TEST(a_state_of_another_size_is_refused_and_nothing_written)
{
    char small = 42;
    cop_pid pid = start();
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(small), SOON), -EMSGSIZE);
    ck_assert_int_eq(small, 42);
    ck_assert_int_eq(value_of(pid), 0);
}

TEST(a_question_without_its_function_or_data_is_refused)
{
    cop_pid pid = start();
    cop_bytes nothing = {NULL, 4};
    ck_assert_int_eq(cop_sys_replace_state(pid, NULL, NO_ARG, SOON), -EINVAL);
    ck_assert_int_eq(cop_sys_replace_state(pid, set_to_7, nothing, SOON), -EINVAL);
    ck_assert_int_eq(cop_sys_install(pid, NULL, NO_ARG, SOON), -EINVAL);
    ck_assert_int_eq(cop_sys_remove(pid, NULL, SOON), -EINVAL);
    ck_assert_int_eq(cop_sys_terminate(pid, COP_REASON_KILLED, SOON), -EINVAL);
    ck_assert_int_eq(value_of(pid), 0);
}

TEST(a_server_that_is_busy_is_not_waited_for_longer_than_asked)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(STAY)), 0);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_sys_suspend(pid, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    go = true;
    resume(pid); /* it may have been suspended after all */
    ck_assert_int_eq(value_of(pid), 0);
}

TEST(a_question_in_the_mailbox_of_a_server_that_ends_fails)
{
    cop_sys_status status;
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(STAY)), 0);
    EVENTUALLY(entered == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(cop_sys_get_status(pid, &status, SOON), -ESRCH);
}

/* It has none, and so cannot be asked for it by mistake. */
TEST(a_user_cannot_make_up_a_question)
{
    cop_pid pid = start();
    for (uint32_t tag = 0xffff0200u; tag < 0xffff0210u; tag++) {
        ck_assert_int_eq(cop_call(pid, COP_TAG(tag), NULL, 0, SOON), -EINVAL);
    }
}

static int
ask_all(void *arg)
{
    static struct {
        char bytes[5000]; /* so that requests and answers have memory of their own */
    } large;
    const cop_pid *pid = arg;
    cop_sys_event events[40];
    size_t count;
    int r = cop_sys_replace_state(*pid, set_to_7, COP_BYTES(large), SOON);
    r = r ? r : cop_sys_trace(*pid, true, SOON);
    r = r ? r : cop_sys_log(*pid, 40, SOON);
    r = r ? r : cop_sys_get_log(*pid, events, 40, &count, SOON);
    return r ? r : cop_sys_no_debug(*pid, SOON);
}

static bool
none_is_asked(void)
{
    cop_sys_status status;
    return cop_sys_get_status(cop_self(), &status, SOON) == -EPERM
           && cop_sys_suspend(cop_self(), SOON) == -EPERM;
}

TEST(in_the_child_of_a_fork_no_server_is_asked)
{
    cop_self();
    ck_assert(test_in_child(none_is_asked));
}

TEST(of_who_has_ended_there_is_no_log)
{
    cop_sys_event events[2];
    size_t count = 17;
    ck_assert_int_eq(cop_sys_get_log(COP_NOBODY, events, 2, &count, SOON), -ESRCH);
    ck_assert_int_eq(cop_why().code, -ESRCH);
    ck_assert_uint_eq(count, 17);
}

TEST(questions_without_memory_are_errors_and_harm_nobody)
{
    cop_pid pid = start();
    int r;
    ck_assert_uint_gt(test_out_of_memory(ask_all, &pid, &r), 3);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(value_of(pid), 7);
}

/* ---------------------------------------------------------------- the state */

/* GEN-059 */
TEST(the_state_of_a_server_can_be_read)
{
    cop_pid pid = start();
    add(pid, 5);
    ck_assert_int_eq(state_of(pid).value, 5);
    ck_assert_int_eq(state_of(cop_named("counter")).value, 5);
}

TEST(a_server_without_a_state_has_one_of_no_bytes)
{
    cop_pid pid;
    int state;
    ck_assert_int_eq(cop_genserver_start(&pid, &bare, .link = false), 0);
    ck_assert_int_eq(cop_sys_get_state(pid, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(state), SOON), -EMSGSIZE);
}

TEST(a_large_state_can_be_read)
{
    static char bytes[100000], read[sizeof bytes];
    cop_pid pid;
    bytes[99999] = 42;
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(bytes), .link = false), 0);
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(read), SOON), 0);
    ck_assert_int_eq(read[99999], 42);
}

static int
add_arg(void *state, cop_bytes arg)
{
    struct counter *counter = state;
    *counter->itself += *(const int *)arg.data;
    return 0;
}

/* GEN-059 */
TEST(the_state_of_a_server_can_be_replaced)
{
    cop_pid pid = start();
    int five = 5;
    ck_assert_int_eq(cop_sys_replace_state(pid, set_to_7, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_sys_replace_state(pid, add_arg, COP_BYTES(five), SOON), 0);
    ck_assert_int_eq(value_of(pid), 12);
}

static int
spoil_and_fail(void *state, cop_bytes arg)
{
    memset(state, 0x55, sizeof(struct counter));
    return *(const int *)arg.data;
}

static atomic_uint deferred;

static void
note_deferred(void *arg)
{
    (void)arg;
    atomic_fetch_add(&deferred, 1);
}

static int
spoil_and_exit(void *state, cop_bytes arg)
{
    (void)arg;
    cop_defer(note_deferred, NULL);
    memset(state, 0x55, sizeof(struct counter));
    cop_exit(cop_failed(-42, "no good"));
}

/* GEN-059 */
TEST(a_replacement_that_fails_leaves_the_state_as_it_was)
{
    cop_pid pid = start();
    int negative = -EDOM, positive = 3;
    add(pid, 5);
    ck_assert_int_eq(cop_sys_replace_state(pid, spoil_and_fail, COP_BYTES(negative), SOON), -EDOM);
    ck_assert_int_eq(value_of(pid), 5);
    ck_assert_int_eq(cop_sys_replace_state(pid, spoil_and_fail, COP_BYTES(positive), SOON),
                     -EINVAL);
    ck_assert_int_eq(value_of(pid), 5);
    ck_assert_uint_eq(terminated, 0);
}

/* GEN-059 */
TEST(a_replacement_that_crashes_leaves_the_state_and_the_server_as_they_were)
{
    cop_pid pid = start();
    add(pid, 5);
    ck_assert_int_eq(cop_sys_replace_state(pid, spoil_and_exit, NO_ARG, SOON), -42);
    ck_assert_str_eq(cop_why().text, "no good");
    ck_assert_uint_eq(deferred, 1);
    ck_assert_int_eq(value_of(pid), 5);
    ck_assert_ptr_eq(state_of(pid).itself, state_of(pid).itself);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(terminated, 1);
    ck_assert_int_eq(last_reason.kind, COP_NORMAL);
}

TEST(a_replacement_that_crashed_is_not_the_server_s_own_decision_to_end)
{
    cop_pid pid = start();
    cop_ref ended = cop_monitor(pid);
    ck_assert_int_eq(cop_sys_replace_state(pid, spoil_and_exit, NO_ARG, SOON), -42);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    ck_assert_uint_eq(terminated, 0);
}

TEST(a_replacement_leaves_no_memory_with_the_server)
{
    cop_pid pid = start();
    cop_process_info before, after;
    ck_assert_int_eq(cop_inspect(pid, &before), 0);
    ck_assert_int_eq(cop_sys_replace_state(pid, set_to_7, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_sys_replace_state(pid, spoil_and_exit, NO_ARG, SOON), -42);
    ck_assert_int_eq(value_of(pid), 7);
    ck_assert_int_eq(cop_inspect(pid, &after), 0);
    ck_assert_uint_eq(after.owned_bytes, before.owned_bytes);
}

static int
sleep_in_it(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    atomic_fetch_add(&entered, 1);
    return cop_sleep(COP_FOREVER);
}

TEST(a_kill_reaches_a_replacement_that_waits)
{
    cop_pid pid = start();
    cop_ref ended = cop_monitor(pid);
    ck_assert_int_eq(cop_sys_replace_state(pid, sleep_in_it, NO_ARG, COP_MS(10)), -ETIMEDOUT);
    EVENTUALLY(entered == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_uint_eq(terminated, 0);
}

static int
increment(void *state, cop_bytes arg)
{
    (void)arg;
    ++*(int *)state;
    return 0;
}

TEST(an_agent_shows_the_state_that_its_users_know)
{
    cop_pid pid;
    int value = 41;
    ck_assert_int_eq(cop_agent_start(&pid, COP_BYTES(value), .link = false), 0);
    ck_assert_int_eq(cop_sys_replace_state(pid, increment, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(value), SOON), 0);
    ck_assert_int_eq(value, 42);
    ck_assert_int_eq(cop_agent_get(pid, COP_OUT(value), SOON), 0);
    ck_assert_int_eq(value, 42);
    ck_assert_str_eq(test_status(pid).kind, "agent");
}

TEST(a_supervisor_s_state_is_not_for_users)
{
    cop_pid pid;
    char byte;
    ck_assert_int_eq(
        cop_supervisor_start(&pid, &(cop_supervisor_spec){COP_CHILDREN(
                                       {.id = "child", .name = "child", .genserver = &server})}),
        0);
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(byte), SOON), -EOPNOTSUPP);
    ck_assert_int_eq(cop_sys_replace_state(pid, increment, NO_ARG, SOON), -EOPNOTSUPP);
    ck_assert(!test_status(pid).has_state);
    ck_assert_str_eq(test_status(pid).type, "supervisor");
    ck_assert(cop_pid_eq(test_status(cop_named("child")).parent, pid));
}

/* ---------------------------------------------------------------- suspension */

TEST(a_suspended_server_serves_nobody_until_it_resumes)
{
    cop_pid pid = start();
    int value = 42;
    suspend(pid);
    add(pid, 5);
    ck_assert_int_eq(cop_call(pid, COP_TAG(VALUE), COP_OUT(value), COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_eq(value, 42);
    ck_assert_int_eq(state_of(pid).value, 0);
    resume(pid);
    ck_assert_int_eq(value_of(pid), 5);
}

static atomic_int answered;

static int
ask_for_value(cop_bytes arg)
{
    (void)arg;
    int value;
    int r = cop_call(cop_named("counter"), COP_TAG(VALUE), COP_OUT(value), SOON);
    atomic_store(&answered, r ? r : value);
    return r;
}

TEST(what_waited_is_served_in_order_after_the_server_resumes)
{
    cop_pid pid = start();
    cop_ref ended;
    suspend(pid);
    add(pid, 5);
    ck_assert_int_eq(cop_spawn(NULL, ask_for_value, .monitor = &ended), 0);
    EVENTUALLY(test_status(pid).mailbox == 2);
    add(pid, 6);
    resume(pid);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    ck_assert_int_eq(answered, 5); /* after the one cast and before the other */
    ck_assert_int_eq(value_of(pid), 11);
}

TEST(suspending_twice_is_as_once_and_so_is_resuming)
{
    cop_pid pid = start();
    suspend(pid);
    suspend(pid);
    resume(pid);
    ck_assert_int_eq(value_of(pid), 0);
    resume(pid);
    ck_assert_int_eq(value_of(pid), 0);
}

/* GEN-059 */
TEST(the_state_can_be_read_and_replaced_while_the_server_is_suspended)
{
    cop_pid pid = start();
    suspend(pid);
    add(pid, 5); /* before the questions, and yet after them */
    ck_assert_int_eq(cop_sys_replace_state(pid, set_to_7, NO_ARG, SOON), 0);
    ck_assert_int_eq(cop_sys_replace_state(pid, spoil_and_exit, NO_ARG, SOON), -42);
    ck_assert_int_eq(state_of(pid).value, 7);
    resume(pid);
    ck_assert_int_eq(value_of(pid), 12);
}

TEST(a_question_waits_its_turn_behind_what_was_sent_before)
{
    cop_pid pid = start();
    for (int i = 0; i < 100; i++) {
        add(pid, 1);
    }
    ck_assert_int_eq(state_of(pid).value, 100);
    add(pid, 1);
    suspend(pid);
    ck_assert_int_eq(state_of(pid).value, 101);
}

TEST(a_suspended_server_with_a_full_mailbox_can_be_told_to_go_on)
{
    const cop_when_full ways[] = {COP_FULL_REJECT, COP_FULL_BLOCK, COP_FULL_DROP_NEW,
                                  COP_FULL_DROP_OLD};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        cop_pid pid;
        ck_assert_int_eq(
            cop_genserver_start(&pid, &server, .mailbox = {.limit = 2, .when_full = ways[i]}), 0);
        suspend(pid);
        add(pid, 1);
        add(pid, 1);
        ck_assert_uint_eq(test_status(pid).mailbox, 2);
        if (ways[i] == COP_FULL_DROP_OLD) {
            add(pid, 10);
            add(pid, 10); /* now the oldest are gone; the search goes on */
        }
        ck_assert_int_eq(state_of(pid).value, 0);
        resume(pid);
        ck_assert_int_eq(state_of(pid).value, ways[i] == COP_FULL_DROP_OLD ? 20 : 2);
        ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    }
}

/* As in OTP, where to stop a server is a system message. */
TEST(a_suspended_server_can_be_stopped)
{
    cop_pid pid = start();
    suspend(pid);
    add(pid, 5);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(terminated, 1);
}

TEST(a_suspended_server_can_be_killed_and_exit_signals_act)
{
    const cop_reason reasons[] = {COP_REASON_KILLED, COP_REASON_SHUTDOWN, cop_failed(-42, "x")};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        cop_pid pid = start();
        cop_ref ended = cop_monitor(pid);
        suspend(pid);
        cop_exit_signal(pid, reasons[i]);
        ck_assert_int_eq(test_down(ended).kind, reasons[i].kind);
    }
    ck_assert_uint_eq(terminated, 0);
}

static void
trap_exits(cop_pid pid)
{
    ck_assert_int_eq(cop_call(pid, COP_TAG(TRAP), NULL, 0, SOON), 0);
}

TEST(a_stranger_s_exit_signal_waits_for_a_suspended_server_that_traps)
{
    cop_pid pid = start();
    trap_exits(pid);
    suspend(pid);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    EVENTUALLY(test_status(pid).mailbox == 1);
    ck_assert_int_eq(state_of(pid).infos, 0);
    resume(pid);
    ck_assert_int_eq(state_of(pid).infos, 1);
}

TEST(the_end_of_its_parent_ends_a_suspended_server_that_traps)
{
    cop_pid pid;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = true), 0);
    trap_exits(pid);
    suspend(pid);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN); /* from its parent */
    ck_assert_int_eq(COP_BODY(test_receive(COP_MSG_EXIT), struct cop_exited)->reason.kind,
                     COP_SHUTDOWN);
    ck_assert_uint_eq(terminated, 1);
}

TEST(a_server_that_is_left_suspended_does_not_hold_up_the_end)
{
    cop_pid pid = start();
    suspend(pid);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(terminated, 1);
}

TEST(a_suspended_supervisor_restarts_when_it_resumes)
{
    cop_pid pid, child = cop_named("child");
    ck_assert_int_eq(
        cop_supervisor_start(&pid, &(cop_supervisor_spec){COP_CHILDREN(
                                       {.id = "child", .name = "child", .genserver = &server})}),
        0);
    suspend(pid);
    ck_assert_int_eq(cop_stop_process(child, cop_failed(-42, "x"), SOON), 0);
    EVENTUALLY(test_status(pid).mailbox == 1);
    ck_assert(!cop_alive(child));
    resume(pid);
    EVENTUALLY(cop_alive(child));
    suspend(pid);
    ck_assert_int_eq(cop_supervisor_stop(pid, SOON), 0);
    ck_assert(!cop_alive(child));
}

TEST(a_context_that_is_cancelled_ends_a_suspended_server)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_pid pid;
    cop_ref ended;
    ck_assert_ptr_nonnull(context);
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .context = context, .monitor = &ended), 0);
    suspend(pid);
    cop_context_cancel(context, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    cop_context_free(context);
}

/* ---------------------------------------------------------------- idle timeouts */

/* GEN-045 */
TEST(a_question_does_not_cancel_an_idle_timeout_nor_put_it_off)
{
    cop_pid pid = start();
    cop_time before = cop_now();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(IDLE_A_WHILE)), 0);
    while (state_of(pid).timeouts == 0) { /* more often than every IN_TIME */
        ck_assert_int_lt(cop_now() - before, SOON);
        cop_sleep(COP_MS(1));
    }
    ck_assert_int_ge(cop_now() - before, IN_TIME);
    ck_assert_int_eq(state_of(pid).timeouts, 1);
}

TEST(an_idle_timeout_that_passes_in_suspension_comes_after_it)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(IDLE_0)), 0);
    EVENTUALLY(state_of(pid).timeouts == 1);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(IDLE_A_WHILE)), 0);
    suspend(pid);
    cop_sleep(IN_TIME + COP_MS(10));
    ck_assert_int_eq(state_of(pid).timeouts, 1);
    resume(pid);
    EVENTUALLY(state_of(pid).timeouts == 2);
}

TEST(a_message_that_came_in_suspension_cancels_an_idle_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(IDLE_A_WHILE)), 0);
    suspend(pid);
    add(pid, 5);
    cop_sleep(IN_TIME + COP_MS(10));
    resume(pid);
    ck_assert_int_eq(value_of(pid), 5);
    cop_sleep(IN_TIME + COP_MS(10));
    ck_assert_int_eq(state_of(pid).timeouts, 0);
}

/* ---------------------------------------------------------------- terminate, status */

TEST(terminate_ends_a_server_with_the_reason)
{
    for (int suspended = 0; suspended < 2; suspended++) {
        cop_pid pid = start();
        cop_ref ended = cop_monitor(pid);
        if (suspended) {
            suspend(pid);
            add(pid, 5);
        }
        ck_assert_int_eq(cop_sys_terminate(pid, cop_failed(-42, "enough"), SOON), 0);
        ck_assert_int_eq(test_down(ended).code, -42);
        ck_assert_str_eq(last_reason.text, "enough");
    }
    ck_assert_uint_eq(terminated, 2);
}

TEST(the_status_says_how_a_server_is)
{
    cop_pid pid = start();
    cop_sys_status status = test_status(pid);
    ck_assert(cop_pid_eq(status.pid, pid));
    ck_assert(cop_pid_eq(status.parent, COP_NOBODY));
    ck_assert_str_eq(status.name, "counter");
    ck_assert_str_eq(status.kind, "genserver");
    ck_assert_str_eq(status.type, "counter");
    ck_assert_ptr_null(status.state_name);
    ck_assert(!status.is_suspended && !status.traps_exits && status.has_state);
    ck_assert(!status.is_traced && !status.has_statistics);
    ck_assert_uint_eq(status.log_size + status.functions, 0);
    ck_assert_uint_eq(status.state_size, sizeof(struct counter));
    ck_assert_uint_eq(status.mailbox, 0);
    trap_exits(pid);
    suspend(pid);
    add(pid, 5);
    status = test_status(pid);
    ck_assert(status.is_suspended && status.traps_exits);
    ck_assert_uint_eq(status.mailbox, 1);
    resume(pid);
    ck_assert(!test_status(pid).is_suspended);
}

TEST(the_parent_of_a_linked_server_is_its_starter)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &bare, .link = true), 0);
    ck_assert(cop_pid_eq(test_status(pid).parent, cop_self()));
}

/* ---------------------------------------------------------------- many at once */

enum {
    ADDERS = 3,
    ADDS = 2000,
};

static int
add_many(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        add(cop_named("counter"), 1);
    }
    return 0;
}

TEST(nothing_is_lost_while_a_server_is_suspended_again_and_again)
{
    cop_pid pid = start();
    cop_ref ended[ADDERS];
    for (size_t i = 0; i < ADDERS; i++) {
        ck_assert_int_eq(cop_spawn(NULL, add_many, .monitor = &ended[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        suspend(pid);
        int value = state_of(pid).value;
        ck_assert_int_eq(state_of(pid).value, value);
        resume(pid);
    }
    for (size_t i = 0; i < ADDERS; i++) {
        ck_assert_int_eq(test_down(ended[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(value_of(pid), ADDERS * ADDS);
}

SUITE("sys")
