/*
 * tests/supervisor/dynamic.h - dynamic children, and a gate to hold a supervisor at.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_DYNAMIC_H
#define COPI_TESTS_DYNAMIC_H

#include "tests/supervisor/tree.h"

#define DYNAMIC(...) (&(const cop_supervisor_spec){.strategy = COP_DYNAMIC, __VA_ARGS__})
#define INSTANCES(template)              \
 (&(const cop_supervisor_spec){          \
     .strategy = COP_SIMPLE_ONE_FOR_ONE, \
     .children = (template),             \
     .child_count = 1,                   \
 })
#define WORKER(...)   (&(const cop_child_spec){.worker = __VA_ARGS__})
#define CHILD_OF(...) (&(const cop_child_spec){__VA_ARGS__})

static inline cop_pid
started(cop_pid supervisor, const cop_child_spec *spec)
{
    cop_pid pid = COP_NOBODY;
    ck_assert_int_eq(cop_supervisor_start_child(supervisor, spec, &pid), 0);
    return pid;
}

static inline cop_pid
instance(cop_pid supervisor, const char *arg)
{
    cop_pid pid = COP_NOBODY;
    ck_assert_int_eq(cop_supervisor_start_instance(supervisor, COP_STR(arg), &pid), 0);
    return pid;
}

/* The box ends by itself; returns when it has. */
static inline void
end_pid(cop_pid pid, cop_reason reason)
{
    cop_ref monitor = cop_monitor(pid);
    if (reason.kind == COP_KILLED) {
        ck_assert_int_eq(cop_exit_signal(pid, reason), 0);
    } else {
        ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(BOX_END, reason)), 0);
    }
    test_down(monitor);
}

/* The same, and its supervisor has seen to it, further attempts included. */
static inline void
end_child(cop_pid supervisor, cop_pid pid, cop_reason reason)
{
    end_pid(pid, reason);
    EVENTUALLY(is_at_rest_without(supervisor, pid));
}

/* Of the youngest. */
static inline cop_pid
youngest(cop_pid supervisor)
{
    size_t count;
    const cop_child_info *infos = children(supervisor, &count);
    return count ? infos[0].pid : COP_NOBODY;
}

/* ---------------------------------------------------------------- what children do */

static _Atomic int heard, asked; /* how many are at work; have been asked to stop */

static inline void
work_until_asked(void)
{
    heard++;
    while (cop_sleep(COP_SEC(60)) == 0) {
    }
    asked++;
}

static inline int
until_asked(cop_bytes arg)
{
    (void)arg;
    work_until_asked();
    return 0;
}

/* Ends with the argument as its reason. */
static inline int
end_with_arg(cop_bytes arg)
{
    work_until_asked();
    cop_exit(cop_failed(-EIO, "%s", (const char *)arg.data));
}

/* By a kill only. */
static inline int
deaf(cop_bytes arg)
{
    (void)arg;
    cop_trap_exits(true);
    heard++;
    cop_msg msg;
    while (cop_receive(&msg, COP_FOREVER) == 0) {
    }
    return 0;
}

/* ---------------------------------------------------------------- the gate */

static _Atomic int waiting_at_gate, gate_is_open;

static inline int
wait_at_gate(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)arg, (void)why;
    waiting_at_gate++;
    EVENTUALLY(gate_is_open);
    *out = COP_NOBODY;
    return 0;
}

static inline int
go_to_gate(cop_bytes arg)
{
    return cop_supervisor_start_child(*(const cop_pid *)arg.data,
                                      CHILD_OF(.id = "gate", .start = wait_at_gate), NULL);
}

/* The supervisor is busy with a start until release(). */
static inline void
hold(cop_pid supervisor)
{
    gate_is_open = 0;
    ck_assert_int_eq(cop_spawn(NULL, go_to_gate, .arg = COP_BYTES(supervisor)), 0);
    EVENTUALLY(waiting_at_gate > 0);
}

static inline void
release(void)
{
    gate_is_open = 1;
}

#endif
