/*
 * tests/actors/test_genserver_start_outcome.c - starting a server is one step for its starter: it is up, or it
 * has failed with a reason, and nothing in between is seen.
 *
 * Room: tests/. Case ids (PRL-001) are those of the conformance list.
 */
#include "tests/support/support.h"

/* How a start is asked for. */
struct form {
    bool link, monitor;
    cop_time timeout;
};

static const struct form forms[] = {
    {0},
    {.link = true},
    {.monitor = true},
    {.link = true, .monitor = true},
    {.timeout = SOON},
    {.link = true, .timeout = SOON},
    {.monitor = true, .timeout = SOON},
};
enum {
    FORMS = sizeof forms / sizeof *forms,
    GO = 1,
};

static int
start(const struct form *form, const cop_genserver *behaviour, cop_pid *pid, cop_ref *down)
{
    return cop_genserver_start(pid, behaviour, .name = "new", .link = form->link,
                               .monitor = form->monitor ? down : NULL,
                               .init_timeout = form->timeout);
}

static void
nothing_is_in_the_mailbox(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

/* ---------------------------------------------------------------- up */

static atomic_bool is_up;

static cop_step
wait_for_go(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_FOREVER), 0);
    ck_assert_uint_eq(msg.tag, GO);
    atomic_store(&is_up, true);
    return cop_ok();
}

static const cop_genserver waits_for_go = {.init = wait_for_go};

/* Lets the server go on only when its starter is seen to wait for it. */
static int
let_go(cop_bytes arg)
{
    cop_pid starter;
    memcpy(&starter, arg.data, sizeof starter);
    cop_process_info info;
    do {
        EVENTUALLY(cop_inspect(starter, &info) == 0);
    } while (info.waits_for.id == 0);
    ck_assert(!atomic_load(&is_up));
    return cop_send(info.waits_for, COP_TAG(GO));
}

TEST_TIMES(FORMS, a_start_returns_when_the_new_process_says_so) /* PRL-001 */
{
    const struct form *form = &forms[_i];
    cop_pid self = cop_self(), pid = COP_NOBODY;
    cop_ref down = {0};
    cop_trap_exits(true);
    ck_assert_int_eq(cop_spawn(NULL, let_go, .arg = COP_BYTES(self)), 0);
    ck_assert_int_eq(start(form, &waits_for_go, &pid, &down), 0);
    ck_assert(atomic_load(&is_up));
    ck_assert(cop_pid_eq(cop_whereis("new"), pid));

    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    EVENTUALLY(!cop_alive(pid));
    if (form->monitor) {
        ck_assert_int_eq(test_down(down).kind, COP_KILLED);
    }
    if (form->link) {
        cop_msg msg = test_receive(COP_MSG_EXIT);
        ck_assert(cop_pid_eq(COP_BODY(msg, struct cop_exited)->pid, pid));
    }
    nothing_is_in_the_mailbox();
}

/* ---------------------------------------------------------------- failed */

/* The start has told it: no link does so again. A monitor is told, as it is of every end. */
static void
only_a_monitor_is_told(const struct form *form, cop_ref down, cop_exit_kind kind)
{
    if (form->monitor) {
        ck_assert_int_eq(test_down(down).kind, kind);
    }
    nothing_is_in_the_mailbox();
}

static cop_step
stop_with_reason(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_stop(cop_failed(-ENODATA, "no data"));
}

static cop_step
leave_with_reason(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_exit(cop_failed(-ENODATA, "no data"));
}

static cop_step
be_signalled(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    ck_assert_int_eq(cop_exit_signal(cop_self(), cop_failed(-ENODATA, "no data")), 0);
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

static const cop_genserver failures[] = {
    {.init = stop_with_reason},
    {.init = leave_with_reason},
    {.init = be_signalled},
};
enum {
    FAILURES = sizeof failures / sizeof *failures
};

TEST_TIMES(FORMS *FAILURES, a_process_that_fails_before_it_is_up_fails_its_start) /* PRL-004 */
{
    const struct form *form = &forms[_i / FAILURES];
    cop_pid pid = {7};
    cop_ref down = {0};
    cop_trap_exits(true);
    ck_assert_int_eq(start(form, &failures[_i % FAILURES], &pid, &down), -ENODATA);
    ck_assert_str_eq(cop_why().text, "no data");
    ck_assert_uint_eq(pid.id, 7);
    ck_assert_uint_eq(cop_whereis("new").id, 0);
    only_a_monitor_is_told(form, down, COP_FAILED);
}

static cop_step
be_killed(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    ck_assert_int_eq(cop_exit_signal(cop_self(), COP_REASON_KILLED), 0);
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

TEST_TIMES(FORMS, a_process_that_is_killed_before_it_is_up_fails_its_start) /* PRL-004 */
{
    static const cop_genserver killed = {.init = be_killed};
    cop_ref down = {0};
    cop_trap_exits(true);
    ck_assert_int_eq(start(&forms[_i], &killed, NULL, &down), -ECANCELED);
    ck_assert_int_eq(cop_why().kind, COP_KILLED);
    ck_assert_uint_eq(cop_whereis("new").id, 0);
    only_a_monitor_is_told(&forms[_i], down, COP_KILLED);
}

SUITE("genserver_start_outcome")
