/*
 * tests/actors/test_continuation_stuck.c - a child whose outcome is another future's, when the library's
 * process that copies it does not come back.
 *
 * Room: tests/. Nothing of the user's runs there, so that only a machine that stands still can do that; here
 * the copying is wrapped.
 */
#include "actors/future.h"
#include "tests/actors/promise.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <coppice/chain.h>

#include <unistd.h>

static cop_pid stuck;
static atomic_bool is_stuck, gets_stuck;
static int pipe_ends[2];

void real_adopt(cop_future *child, cop_future *settled) REAL(copi_future_adopt);
void adopt_or_get_stuck(cop_future *child, cop_future *settled) WRAP(copi_future_adopt);
void
adopt_or_get_stuck(cop_future *child, cop_future *settled)
{
    char byte;
    if (gets_stuck) {
        stuck = cop_self();
        is_stuck = true;
        while (read(pipe_ends[0], &byte, 1) < 0) {
        }
    }
    real_adopt(child, settled);
}

static atomic_uint given;

static cop_future *
share(const void *value, void *env)
{
    (void)value;
    given++;
    return cop_future_retain(env);
}

static void
count(const void *value, void *counter)
{
    (void)value;
    (*(atomic_uint *)counter)++;
}

/* Whoever copies is killed in it, and disowned; comes back, and ends. */
static void
is_rejected_when_the_copying_is_stuck(cop_future *child, struct promise source)
{
    cop_reason why;
    atomic_uint after = 0;
    gets_stuck = true;
    settle(source);
    EVENTUALLY(is_stuck);
    gets_stuck = false;
    ck_assert_int_eq(cop_on_settled(source.future, count, NULL, &after), 0);
    cop_exit_signal(stuck, COP_REASON_KILLED);
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(cop_future_state(child, &why), -ECANCELED);
    ck_assert_int_eq(why.kind, COP_KILLED);
    EVENTUALLY(after == 1); /* what is behind it goes on */
    EVENTUALLY(cop_disowned() == 1);
    ck_assert_int_eq(write(pipe_ends[1], "x", 1), 1);
    EVENTUALLY(cop_disowned() == 0);
    ck_assert_int_eq(cop_future_state(child, NULL), -ECANCELED);
}

static void
begin(void)
{
    ck_assert_int_eq(
        cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(50)}), 0);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    test_catch_stderr(); /* the report of who was disowned */
}

static void
end(void)
{
    free(test_caught_stderr());
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST(a_child_with_a_limit_is_rejected)
{
    begin();
    struct promise source = promise_of(0);
    cop_future *child = cop_within(source.future, COP_SEC(3600));
    is_rejected_when_the_copying_is_stuck(child, source);
    cop_future_release(child);
    let_go(source);
    end();
}

TEST(a_child_that_is_to_be_what_was_given_is_rejected)
{
    begin();
    struct promise outer = promise_of(0), inner = promise_of(0);
    cop_future *child = cop_then(outer.future, share, inner.future, 0);
    settle(outer);
    EVENTUALLY(given == 1);
    is_rejected_when_the_copying_is_stuck(child, inner);
    cop_future_release(child);
    let_go(outer);
    let_go(inner);
    end();
}

SUITE("continuation, stuck")
