/*
 * tests/runtime/blocking.h - each call that blocks, in something that never comes.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_BLOCKING_H
#define COPI_TESTS_BLOCKING_H

#include "tests/support/support.h"

#include <poll.h>
#include <unistd.h>

enum call {
    RECEIVE,
    RECEIVE_MATCH,
    SLEEP,
    WAIT_FD,
    SEND_TO_FULL,
    CALL,
    STOP,
    START,
    AGENT,
    CALLS,
};

static cop_pid full, silent;
static int idle[2]; /* a pipe in which nothing ever comes */

static inline int
keep_all_mail(cop_bytes arg)
{
    (void)arg;
    return cop_sleep(COP_FOREVER);
}

static inline bool
never(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    return false;
}

static inline cop_step
never_answer(void *state, cop_from from, cop_msg msg)
{
    (void)state, (void)from, (void)msg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

static inline cop_step
never_begin(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

static const cop_genserver silent_server = {.type = "silent", .handle_call = never_answer};
static const cop_genserver slow_server = {.type = "slow", .init = never_begin};

/* One of the calls, for as long as nobody ends that. */
static inline int
block_in(enum call call)
{
    cop_msg msg;
    int state;
    switch (call) {
    case RECEIVE:
        return cop_receive(&msg, COP_FOREVER);
    case RECEIVE_MATCH:
        return cop_receive_match(&msg, never, NULL, COP_FOREVER);
    case SLEEP:
        return cop_sleep(COP_FOREVER);
    case WAIT_FD:
        return cop_wait_fd(idle[0], POLLIN, COP_FOREVER);
    case SEND_TO_FULL:
        return cop_send(full, COP_TAG(1));
    case CALL:
        return cop_call(silent, COP_TAG(1), NULL, 0, COP_FOREVER);
    case STOP:
        return cop_stop_process(silent, COP_REASON_NORMAL, COP_FOREVER);
    case START:
        return cop_genserver_start(NULL, &slow_server, .link = false);
    case AGENT:
        return cop_agent_get(silent, &state, sizeof state, COP_FOREVER);
    case CALLS:
        break;
    }
    return -EINVAL;
}

static inline void
start_what_blocks(void)
{
    ck_assert_int_eq(pipe(idle), 0);
    ck_assert_int_eq(cop_spawn(&full, keep_all_mail, .mailbox = {1, COP_FULL_BLOCK}), 0);
    ck_assert_int_eq(cop_send(full, COP_TAG(1)), 0);
    ck_assert_int_eq(cop_genserver_start(&silent, &silent_server, .link = false), 0);
    ck_assert_int_eq(cop_call(silent, COP_TAG(1), NULL, 0, COP_MS(1)), -ETIMEDOUT);
}

static inline void
end_what_blocks(void)
{
    cop_exit_signal(silent, COP_REASON_KILLED);
    close(idle[0]);
    close(idle[1]);
}

#endif
