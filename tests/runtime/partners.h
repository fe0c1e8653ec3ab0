/*
 * tests/runtime/partners.h - processes that are linked, signalled and watched, and what they are told.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_PARTNERS_H
#define COPI_TESTS_PARTNERS_H

#include "tests/support/support.h"

#include <errno.h>

enum {
    GO = 1,
    HELLO,
    LAST,
};

/* Links to the process in the argument, says so to the starter, and waits. */
struct partner {
    cop_pid starter, other;
    bool traps;
    cop_reason told; /* written when an EXIT message came */
};

static inline int
be_partner(cop_bytes arg)
{
    const struct partner *partner = arg.data;
    cop_trap_exits(partner->traps);
    if (partner->other.id) {
        ck_assert_int_eq(cop_link(partner->other), 0);
    }
    cop_send(partner->starter, COP_TAG(HELLO));
    for (;;) {
        cop_msg msg;
        int r = cop_receive(&msg, COP_FOREVER);
        if (r) {
            return r;
        }
        if (msg.tag == COP_MSG_EXIT) {
            cop_send(partner->starter, COP_MSG_OF(LAST, *COP_BODY(msg, struct cop_exited)));
        }
    }
}

static inline bool
is_hello(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == HELLO;
}

static inline cop_pid
start_partner(cop_pid other, bool traps, cop_ref *monitor)
{
    struct partner partner = {.starter = cop_self(), .other = other, .traps = traps};
    cop_pid pid;
    cop_msg msg;
    ck_assert_int_eq(cop_spawn(&pid, be_partner, .arg = COP_BYTES(partner), .monitor = monitor), 0);
    ck_assert_int_eq(cop_receive_match(&msg, is_hello, NULL, SOON), 0);
    return pid;
}

static inline cop_pid
start_waiting(cop_ref *monitor)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = monitor), 0);
    return pid;
}

static inline bool
is_exit_told(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == LAST;
}

/* What a trapping partner was told. */
static inline struct cop_exited
told(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive_match(&msg, is_exit_told, NULL, SOON), 0);
    return *COP_BODY(msg, struct cop_exited);
}

/* For those who would not end when asked to: at the end of a test all are. */
static inline void
kill_all(void)
{
    cop_pid pids[64];
    size_t count = cop_processes(pids, 64);
    for (size_t i = 0; i < count && i < 64; i++) {
        if (!cop_pid_eq(pids[i], cop_self())) {
            cop_exit_signal(pids[i], COP_REASON_KILLED);
        }
    }
}

static inline cop_reason
crash(void)
{
    return cop_failed(-EIO, "crash");
}

static inline cop_reason
end_of(cop_process_fn run)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, run, .monitor = &monitor), 0);
    return test_down(monitor);
}

#endif
