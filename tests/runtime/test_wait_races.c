/*
 * tests/runtime/test_wait_races.c - what comes at the moment in which a process goes to sleep.
 *
 * Room: tests/. Three waits share what can end them: a sleep, a wait for a descriptor that stays
 * silent, and a receive of what nobody sends. Each is met by each of what ends it, a moment before
 * it begins, in the middle, or somewhere between: a wake-up that is missed leaves it asleep for ever.
 */
#include "runtime/process.h"
#include "runtime/table.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum {
    PLACE = 1,
    NUMBER,
    OUTCOME,
    STOP,
};

/* ---------------------------------------------------------------- helpers */

static int ends[2];

static void
open_pipe(void)
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

static void
close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static int
wait_asleep(cop_time timeout)
{
    return cop_sleep(timeout);
}

static int
wait_for_descriptor(cop_time timeout)
{
    return cop_wait_fd(ends[0], POLLIN, timeout);
}

static bool
never(const cop_msg *msg, void *env)
{
    (void)msg;
    (void)env;
    return false;
}

static int
wait_for_message(cop_time timeout)
{
    cop_msg msg;
    return cop_receive_match(&msg, never, NULL, timeout);
}

static int (*const waits[])(cop_time timeout) = {
    wait_asleep,
    wait_for_descriptor,
    wait_for_message,
};
enum {
    WAITS = sizeof waits / sizeof *waits
};

struct outcome {
    int code;
    cop_time took;
    cop_reason why;
};

struct order {
    cop_pid starter;
    int which; /* of waits */
    cop_time timeout;
    bool traps, shields;
};

static int
wait_once(cop_bytes arg)
{
    struct order order;
    memcpy(&order, arg.data, sizeof order);
    cop_trap_exits(order.traps);
    cop_shield(order.shields);
    cop_time begin = cop_now();
    struct outcome outcome = {.code = waits[order.which](order.timeout)};
    outcome.took = cop_now() - begin;
    outcome.why = cop_why();
    cop_send(order.starter, COP_MSG_OF(OUTCOME, outcome));
    cop_shield(false);
    cop_checkpoint();
    return outcome.code == -ETIMEDOUT ? 0 : outcome.code;
}

static cop_pid
start(struct order order, cop_ref *monitor)
{
    cop_pid pid;
    order.starter = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, wait_once, .arg = COP_BYTES(order), .monitor = monitor), 0);
    return pid;
}

/* Its word says so. */
static bool
sleeps(cop_pid pid)
{
    struct copi_process *process = copi_table_find(pid);
    return process && copi_load_relaxed_64(&process->mailbox.word) & COPI_MAILBOX_ASLEEP;
}

static cop_pid
start_asleep(struct order order, cop_ref *monitor)
{
    cop_pid pid = start(order, monitor);
    EVENTUALLY(sleeps(pid));
    return pid;
}

static struct outcome
outcome(void)
{
    cop_msg msg = test_receive(OUTCOME);
    return *COP_BODY(msg, struct outcome);
}

/* Another moment in each round. */
static void
dawdle(int round)
{
    for (int i = round % 64 * 20; i > 0; i--) {
        atomic_signal_fence(memory_order_seq_cst);
    }
}

/* ---------------------------------------------------------------- messages */

static int
echo(cop_bytes arg)
{
    cop_pid to = *(const cop_pid *)arg.data;
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0 && msg.tag == NUMBER) {
        cop_send(to, msg);
    }
    return r;
}

/* Each side parks while the other sends: a race between the last look and the push in each round. */
TEST(a_message_that_comes_just_before_the_receiver_sleeps_is_never_missed)
{
    cop_pid self = cop_self(), pid;
    ck_assert_int_eq(cop_spawn(&pid, echo, .arg = COP_BYTES(self)), 0);
    for (uint32_t i = 0; i < 20000; i++) {
        ck_assert_int_eq(cop_send(pid, COP_MSG_OF(NUMBER, i)), 0);
        dawdle((int)i);
        cop_msg msg = test_receive(NUMBER);
        ck_assert_uint_eq(*COP_BODY(msg, uint32_t), i);
    }
    cop_send(pid, COP_TAG(STOP));
}

static int
read_and_receive(cop_bytes arg)
{
    cop_pid to = *(const cop_pid *)arg.data;
    cop_msg msg;
    char byte;
    int r;
    while ((r = cop_wait_fd(ends[0], POLLIN, COP_FOREVER)) == 0 && read(ends[0], &byte, 1) == 1) {
        if (cop_receive(&msg, SOON) == 0) {
            cop_send(to, msg);
        }
    }
    return r;
}

/* Both wake it, in either order: neither may swallow the other. */
TEST(of_readiness_and_a_message_at_the_same_moment_neither_is_missed)
{
    cop_pid self = cop_self(), pid;
    cop_ref monitor;
    open_pipe();
    ck_assert_int_eq(cop_spawn(&pid, read_and_receive, .arg = COP_BYTES(self), .monitor = &monitor),
                     0);
    for (uint32_t i = 0; i < 5000; i++) {
        bool first = i % 2;
        ck_assert_int_eq((int)write(ends[1], "x", first), first);
        ck_assert_int_eq(cop_send(pid, COP_MSG_OF(NUMBER, i)), 0);
        ck_assert_int_eq((int)write(ends[1], "x", !first), !first);
        cop_msg msg = test_receive(NUMBER);
        ck_assert_uint_eq(*COP_BODY(msg, uint32_t), i);
    }
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    close_pipe();
}

TEST_TIMES(WAITS, messages_that_come_in_the_middle_neither_end_nor_shorten_a_wait)
{
    open_pipe();
    cop_pid pid = start_asleep((struct order){.which = _i, .timeout = COP_MS(20)}, NULL);
    while (cop_alive(pid)) {
        cop_send(pid, COP_TAG(NUMBER));
        cop_sleep(COP_US(100));
    }
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, waits[_i] == wait_asleep ? 0 : -ETIMEDOUT);
    ck_assert_int_ge(got.took, COP_MS(20));
    close_pipe();
}

/* ---------------------------------------------------------------- exit signals */

TEST_TIMES(WAITS, an_exit_signal_that_comes_just_before_a_wait_is_never_missed)
{
    open_pipe();
    for (int i = 0; i < 500; i++) {
        cop_ref monitor;
        cop_pid pid = start((struct order){.which = _i, .timeout = COP_FOREVER}, &monitor);
        dawdle(i);
        cop_exit_signal(pid, cop_failed(-EXDEV, NULL));
        ck_assert_int_eq(test_down(monitor).code, -EXDEV);
    }
    close_pipe();
}

TEST_TIMES(WAITS, an_exit_signal_ends_the_process_in_the_middle_of_its_wait)
{
    cop_ref monitor;
    cop_msg msg;
    open_pipe();
    cop_pid pid = start_asleep((struct order){.which = _i, .timeout = COP_FOREVER}, &monitor);
    cop_exit_signal(pid, cop_failed(-EXDEV, "enough"));
    ck_assert_str_eq(test_down(monitor).text, "enough");
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* the wait did not return */
    close_pipe();
}

TEST_TIMES(WAITS, shutdown_ends_the_wait_and_tells_its_cause)
{
    cop_ref monitor;
    open_pipe();
    cop_pid pid = start_asleep((struct order){.which = _i, .timeout = COP_FOREVER}, &monitor);
    cop_exit_signal(pid, (cop_reason){.kind = COP_SHUTDOWN, .text = "closing time"});
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq(got.why.kind, COP_SHUTDOWN);
    ck_assert_str_eq(got.why.text, "closing time");
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
    close_pipe();
}

TEST_TIMES(WAITS, behind_a_shield_an_exit_signal_ends_the_wait_and_the_process_afterwards)
{
    cop_ref monitor;
    open_pipe();
    cop_pid pid = start_asleep((struct order){.which = _i, .timeout = COP_FOREVER, .shields = true},
                               &monitor);
    cop_exit_signal(pid, cop_failed(-EXDEV, NULL));
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq(got.why.code, -EXDEV);
    ck_assert_int_eq(test_down(monitor).code, -EXDEV);
    close_pipe();
}

TEST_TIMES(WAITS, who_traps_exits_goes_on_waiting)
{
    cop_ref monitor;
    open_pipe();
    cop_pid pid =
        start_asleep((struct order){.which = _i, .timeout = COP_MS(20), .traps = true}, &monitor);
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    cop_exit_signal(pid, cop_failed(-EIO, NULL));
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, waits[_i] == wait_asleep ? 0 : -ETIMEDOUT);
    ck_assert_int_ge(got.took, COP_MS(20));
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    close_pipe();
}

/* ---------------------------------------------------------------- contexts */

struct place {
    cop_context *context;
    int which;
};

/* Waits in each context that it is sent. */
static int
wait_in_contexts(cop_bytes arg)
{
    cop_pid starter = *(const cop_pid *)arg.data;
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0 && msg.tag == PLACE) {
        struct place place = *COP_BODY(msg, struct place);
        ck_assert_int_eq(cop_context_enter(place.context), 0);
        struct outcome woken = {.code = waits[place.which](COP_FOREVER)};
        ck_assert_int_eq(cop_context_leave(place.context), 0);
        cop_send(starter, COP_MSG_OF(OUTCOME, woken));
    }
    return r;
}

TEST_TIMES(WAITS, a_cancellation_that_comes_just_before_a_wait_is_never_missed)
{
    cop_pid self = cop_self(), pid;
    open_pipe();
    ck_assert_int_eq(cop_spawn(&pid, wait_in_contexts, .arg = COP_BYTES(self)), 0);
    for (int i = 0; i < 2000; i++) {
        cop_context *context = cop_context_detached(COP_FOREVER);
        cop_send(pid, COP_MSG(PLACE, struct place, context, _i));
        dawdle(i);
        cop_context_cancel(context, COP_REASON_SHUTDOWN);
        ck_assert_int_eq(outcome().code, -ECANCELED);
        cop_context_free(context);
    }
    cop_send(pid, COP_TAG(STOP));
    EVENTUALLY(!cop_alive(pid));
    close_pipe();
}

TEST_TIMES(WAITS, a_contexts_deadline_ends_every_wait_and_none_before)
{
    cop_pid self = cop_self(), pid;
    open_pipe();
    ck_assert_int_eq(cop_spawn(&pid, wait_in_contexts, .arg = COP_BYTES(self)), 0);
    for (int i = 0; i < 20; i++) {
        cop_time begin = cop_now();
        cop_context *context = cop_context_detached(COP_US(100) * i);
        cop_send(pid, COP_MSG(PLACE, struct place, context, _i));
        ck_assert_int_eq(outcome().code, -ETIMEDOUT);
        ck_assert_int_ge(cop_now() - begin, COP_US(100) * i);
        cop_context_free(context);
    }
    cop_send(pid, COP_TAG(STOP));
    EVENTUALLY(!cop_alive(pid));
    close_pipe();
}

static struct outcome while_ending;

static void
sleep_while_ending(void *arg)
{
    (void)arg;
    cop_time begin = cop_now();
    while_ending.code = cop_sleep(COP_MS(5));
    while_ending.took = cop_now() - begin;
}

static int
defer_a_sleep(cop_bytes arg)
{
    (void)arg;
    cop_defer(sleep_while_ending, NULL);
    return cop_sleep(COP_FOREVER);
}

TEST(a_deferred_call_sleeps_its_time_although_the_deadline_has_passed)
{
    cop_ref monitor;
    cop_context *context = cop_context_new(COP_MS(1));
    ck_assert_int_eq(cop_spawn(NULL, defer_a_sleep, .context = context, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -ETIMEDOUT);
    ck_assert_int_eq(while_ending.code, 0);
    ck_assert_int_ge(while_ending.took, COP_MS(5));
    cop_context_free(context);
}

SUITE("wait_races")
