/*
 * tests/actors/test_genserver_timeouts.c - idle timeouts that carry a message of their own.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server that hold here.
 * Plain ones are in test_genserver_step.c.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

enum {
    PLAN = 1, /* its body: what to return */
    WORD,
    LATE, /* the message of a timeout */
    CHECK,
};

/* ---------------------------------------------------------------- the server */

enum how {
    WITH,
    AT,
    FIRST_WITH, /* a continuation that then returns WITH */
};

struct plan {
    enum how how;
    cop_time time;
    bool sends_first, moves;
};

struct state {
    unsigned late, words, plain;
    cop_time late_at;
};

static atomic_uint drops;

static void
count_drop(void *body)
{
    atomic_fetch_add(&drops, 1);
    free(body);
}

static cop_msg
late_message(bool moves)
{
    static const int number = 42;
    if (!moves) {
        return COP_MSG_OF(LATE, number);
    }
    int *body = malloc(sizeof *body);
    ck_assert_ptr_nonnull(body);
    *body = number;
    return COP_MSG_MOVE(LATE, body, sizeof *body, count_drop);
}

static cop_step
follow(struct plan plan)
{
    if (plan.sends_first) {
        cop_send(cop_self(), COP_TAG(WORD));
    }
    switch (plan.how) {
    case WITH:
        return cop_ok_timeout_with(plan.time, late_message(plan.moves));
    case AT:
        return cop_ok_timeout_at(plan.time == COP_FOREVER ? plan.time : cop_now() + plan.time,
                                 late_message(plan.moves));
    case FIRST_WITH:
        plan.how = WITH;
        return cop_ok_continue(COP_MSG_OF(PLAN, plan));
    }
    return cop_ok();
}

static cop_step
init(void *state, cop_bytes arg)
{
    (void)state;
    return arg.size ? follow(*(const struct plan *)arg.data) : cop_ok();
}

static cop_step
handle(struct state *state, cop_msg msg)
{
    switch (msg.tag) {
    case PLAN:
        return follow(*COP_BODY(msg, struct plan));
    case LATE:
        ck_assert_int_eq(*COP_BODY(msg, int), 42);
        state->late_at = cop_now();
        state->late++;
        break;
    case WORD:
        state->words++;
        break;
    case COP_MSG_TIMEOUT:
        state->plain++;
        break;
    }
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    cop_reply(from, COP_TAG(0));
    return handle(state, request);
}

static cop_step
handle_other(void *state, cop_msg msg)
{
    return handle(state, msg);
}

static const cop_genserver server = {
    .type = "server",
    .state_size = sizeof(struct state),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_other,
    .handle_info = handle_other,
    .handle_continue = handle_other,
};

static cop_pid
start_with(cop_bytes arg)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .arg = arg), 0);
    return pid;
}

static cop_pid
start(void)
{
    return start_with((cop_bytes){0});
}

static struct state
state_of(cop_pid pid)
{
    struct state state;
    ck_assert_int_eq(cop_sys_get_state(pid, COP_OUT(state), SOON), 0);
    return state;
}

static void
cast(cop_pid pid, struct plan plan)
{
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(PLAN, plan)), 0);
}

/* ---------------------------------------------------------------- what goes wrong */

static int
start_anew(void *arg)
{
    struct plan plan = {.how = WITH, .time = COP_FOREVER, .moves = true};
    int r = cop_genserver_start(arg, &server, .arg = COP_BYTES(plan));
    copi_alloc_fail_after(-1);
    return r;
}

TEST(without_memory_for_the_message_the_start_fails_and_it_is_dropped)
{
    cop_pid pid;
    int r;
    cop_self();
    unsigned failed = test_out_of_memory(start_anew, &pid, &r);
    ck_assert_uint_gt(failed, 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_ge(drops, 1);
    ck_assert_uint_le(drops, failed + 1);
}

static cop_step
wait_with_a_reserved_tag(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_ok_timeout_with(0, COP_TAG(COP_MSG_TIMEOUT));
}

TEST(a_message_with_a_tag_of_the_library_stops_the_server)
{
    static const cop_genserver wrong = {.type = "wrong", .handle_cast = wait_with_a_reserved_tag};
    cop_pid pid;
    cop_ref ended;
    ck_assert_int_eq(cop_genserver_start(&pid, &wrong, .monitor = &ended), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -EINVAL);
    ck_assert_str_eq(reason.text, "timeout");
}

/* ---------------------------------------------------------------- what comes */

/* GEN-046 */
TEST(a_timeout_carries_its_own_message_after_its_time_and_once)
{
    const enum how ways[] = {WITH, AT, FIRST_WITH};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        cop_pid pid = start();
        cop_time before = cop_now();
        cast(pid, (struct plan){.how = ways[i], .time = COP_MS(20)});
        EVENTUALLY(state_of(pid).late == 1);
        ck_assert_int_ge(state_of(pid).late_at - before, COP_MS(20));
        cop_sleep(COP_MS(30)); /* time enough for one that should not come */
        ck_assert_uint_eq(state_of(pid).late, 1);
        ck_assert_uint_eq(state_of(pid).plain, 0);
    }
}

/* GEN-046 */
TEST(every_callback_may_set_one)
{
    struct plan plan = {.how = WITH};
    cop_pid pid = start_with(COP_BYTES(plan)); /* init */
    EVENTUALLY(state_of(pid).late == 1);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(PLAN, plan), NULL, 0, SOON), 0);
    EVENTUALLY(state_of(pid).late == 2);
    cast(pid, plan);
    EVENTUALLY(state_of(pid).late == 3);
    ck_assert_int_eq(cop_send(pid, COP_MSG_OF(PLAN, plan)), 0);
    EVENTUALLY(state_of(pid).late == 4);
    plan.how = FIRST_WITH;
    cast(pid, plan); /* handle_continue */
    EVENTUALLY(state_of(pid).late == 5);
}

/* GEN-046 */
TEST(a_message_cancels_it_and_it_never_comes)
{
    cop_pid pid = start();
    cast(pid, (struct plan){.how = WITH, .time = COP_MS(20), .sends_first = true});
    cop_sleep(COP_MS(40)); /* time enough for one that should not come */
    ck_assert_uint_eq(state_of(pid).words, 1);
    cast(pid, (struct plan){.how = WITH, .time = 0, .sends_first = true});
    EVENTUALLY(state_of(pid).words == 2);
    ck_assert_uint_eq(state_of(pid).late, 0);
}

/* GEN-046 */
TEST(one_of_for_ever_never_comes)
{
    const enum how ways[] = {WITH, AT};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        cop_pid pid = start();
        cast(pid, (struct plan){.how = ways[i], .time = COP_FOREVER});
        ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
        EVENTUALLY(state_of(pid).words == 1);
        ck_assert_uint_eq(state_of(pid).late, 0);
    }
}

/* GEN-046 */
TEST(a_point_in_time_that_has_passed_comes_at_once)
{
    cop_pid pid = start();
    cast(pid, (struct plan){.how = AT, .time = -COP_SEC(1)});
    EVENTUALLY(state_of(pid).late == 1);
}

TEST(a_question_from_outside_does_not_cancel_it)
{
    cop_pid pid = start();
    cast(pid, (struct plan){.how = WITH, .time = IN_TIME});
    ck_assert_int_eq(cop_sys_suspend(pid, SOON), 0);
    cop_sleep(IN_TIME + COP_MS(10));
    ck_assert_uint_eq(state_of(pid).late, 0);
    ck_assert_int_eq(cop_sys_resume(pid, SOON), 0);
    EVENTUALLY(state_of(pid).late == 1);
}

/* ---------------------------------------------------------------- moved messages */

TEST(a_moved_message_is_dropped_once_when_it_came)
{
    cop_pid pid = start();
    cast(pid, (struct plan){.how = WITH, .moves = true});
    EVENTUALLY(state_of(pid).late == 1);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_message_is_dropped_once_when_another_came_first)
{
    cop_pid pid = start();
    cast(pid, (struct plan){.how = WITH, .time = COP_FOREVER, .moves = true});
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), 0);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_message_is_dropped_once_when_the_server_ends)
{
    for (unsigned i = 0; i < 3; i++) {
        cop_pid pid = start();
        cop_ref ended = cop_monitor(pid);
        cast(pid, (struct plan){.how = WITH, .time = COP_FOREVER, .moves = true});
        ck_assert_uint_eq(state_of(pid).late, 0);
        if (i == 0) {
            cop_exit_signal(pid, COP_REASON_KILLED);
        } else if (i == 1) {
            ck_assert_int_eq(cop_sys_terminate(pid, COP_REASON_NORMAL, SOON), 0);
        } else {
            ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
        }
        test_down(ended);
        ck_assert_uint_eq(drops, i + 1);
    }
}

SUITE("genserver_timeouts")
