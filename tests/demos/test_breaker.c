/*
 * tests/demos/test_breaker.c - a circuit breaker, with callers that fail, crash, come late and
 * never.
 *
 * Room: tests/. Linked with demos/circuitbreaker/breaker.c.
 */
#include "demos/circuitbreaker/breaker.h"
#include "tests/support/support.h"

#define AN_HOUR COP_SEC(3600)

static cop_pid breaker;
static atomic_int calls; /* that were let through */
static atomic_bool gate; /* what waits_at_the_gate waits for */

static void
start(unsigned limit, cop_time pause)
{
    struct breaker_opts opts = {.limit = limit, .pause = pause};
    ck_assert_int_eq(cop_genserver_start(&breaker, &circuit_breaker, .arg = COP_BYTES(opts)), 0);
}

/* ---------------------------------------------------------------- what is called */

static int
succeeds(void *unused)
{
    (void)unused;
    calls++;
    return 0;
}

static int
fails(void *unused)
{
    (void)unused;
    calls++;
    return -EHOSTDOWN;
}

static int
crashes(void *unused)
{
    (void)unused;
    calls++;
    cop_exit(cop_failed(-EIO, "crashed"));
}

static int
leaves(void *unused)
{
    (void)unused;
    calls++;
    cop_exit(COP_REASON_NORMAL);
}

static int
waits_at_the_gate(void *unused)
{
    (void)unused;
    calls++;
    EVENTUALLY(gate);
    return 0;
}

static int
fails_at_the_gate(void *unused)
{
    (void)waits_at_the_gate(unused);
    return -EHOSTDOWN;
}

/* ---------------------------------------------------------------- who calls */

static int
call(int (*fn)(void *env))
{
    cop_time wait = -1;
    int r = breaker_call(breaker, fn, NULL, &wait);
    ck_assert((r == -ECONNREFUSED) == (wait > 0));
    return r;
}

typedef int (*called_fn)(void *env);

static int
caller(cop_bytes arg)
{
    (void)call(*(const called_fn *)arg.data);
    return 0;
}

/* A process that calls it; wait for its end with test_down. */
static cop_ref
call_elsewhere(called_fn fn)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, caller, .arg = COP_BYTES(fn), .monitor = &monitor), 0);
    return monitor;
}

/* ---------------------------------------------------------------- tests */

TEST(without_a_breaker_nothing_is_called)
{
    ck_assert_int_eq(call(succeeds), -ESRCH);
    ck_assert_int_eq(calls, 0);
}

TEST(a_breaker_trips_at_the_last_failure_and_refuses_from_then_on)
{
    start(3, AN_HOUR);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(call(fails), -EHOSTDOWN);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(call(succeeds), -ECONNREFUSED);
    }
    ck_assert_int_eq(calls, 3);
}

TEST(who_is_refused_is_told_for_how_long)
{
    start(1, AN_HOUR);
    cop_time before = cop_now(), wait = 0;
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    ck_assert_int_eq(breaker_call(breaker, succeeds, NULL, &wait), -ECONNREFUSED);
    ck_assert_int_le(wait, AN_HOUR);
    ck_assert_int_ge(wait, AN_HOUR - (cop_now() - before));
}

TEST(only_failures_in_a_row_trip_it)
{
    start(3, AN_HOUR);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(call(fails), -EHOSTDOWN);
        ck_assert_int_eq(call(fails), -EHOSTDOWN);
        ck_assert_int_eq(call(succeeds), 0);
    }
}

TEST(a_crash_of_the_caller_is_a_failure)
{
    start(1, AN_HOUR);
    ck_assert_int_eq(test_down(call_elsewhere(crashes)).code, -EIO);
    EVENTUALLY(call(succeeds) == -ECONNREFUSED);
}

TEST(an_orderly_end_of_the_caller_is_none)
{
    start(1, AN_HOUR);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(test_down(call_elsewhere(leaves)).kind, COP_NORMAL);
    }
    ck_assert_int_eq(call(succeeds), 0);
    ck_assert_int_eq(calls, 11);
}

TEST(a_probe_that_succeeds_closes_it)
{
    start(2, COP_MS(50));
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    EVENTUALLY(call(succeeds) == 0);
    for (int i = 0; i < 3; i++) { /* one failure alone would only trip it as a probe's */
        ck_assert_int_eq(call(fails), -EHOSTDOWN);
        ck_assert_int_eq(call(succeeds), 0);
    }
}

TEST(no_probe_goes_before_its_pause_is_over)
{
    start(1, COP_MS(50));
    for (int i = 0; i < 3; i++) {
        cop_time before = cop_now(); /* i > 0: of another probe */
        EVENTUALLY(call(fails) == -EHOSTDOWN);
        EVENTUALLY(call(fails) == -EHOSTDOWN);
        ck_assert_int_ge(cop_now() - before, COP_MS(50));
    }
}

static int
insists(cop_bytes unused)
{
    (void)unused;
    while (call(waits_at_the_gate) == -ECONNREFUSED) {
        cop_sleep(COP_MS(1));
    }
    return 0;
}

TEST(one_probe_goes_in_each_pause_however_many_ask)
{
    enum {
        CALLERS = 8
    };
    cop_ref monitors[CALLERS];
    start(1, COP_MS(100));
    cop_time before = cop_now();
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(cop_spawn(NULL, insists, .monitor = &monitors[i]), 0);
    }
    EVENTUALLY(calls > 3);
    int probes = calls - 1;
    ck_assert_int_le(probes, (cop_now() - before) / COP_MS(100));
    gate = true; /* the last one closes it, and the others go, too */
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(calls, 1 + CALLERS);
}

TEST(a_success_from_before_it_tripped_does_not_close_it)
{
    start(1, AN_HOUR);
    cop_ref late = call_elsewhere(waits_at_the_gate);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    gate = true;
    ck_assert_int_eq(test_down(late).kind, COP_NORMAL);
    ck_assert_int_eq(call(succeeds), -ECONNREFUSED);
}

TEST(a_failure_from_before_it_tripped_does_not_prolong_the_pause)
{
    start(1, AN_HOUR);
    cop_ref late = call_elsewhere(fails_at_the_gate);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    cop_time wait = 0;
    ck_assert_int_eq(breaker_call(breaker, succeeds, NULL, &wait), -ECONNREFUSED);
    cop_time retry_at = cop_now() + wait; /* or a little earlier */
    cop_sleep(COP_MS(20));
    gate = true;
    ck_assert_int_eq(test_down(late).kind, COP_NORMAL);
    cop_time now = cop_now();
    ck_assert_int_eq(breaker_call(breaker, succeeds, NULL, &wait), -ECONNREFUSED);
    ck_assert_int_le(now + wait, retry_at);
}

static cop_ref late;

/* The probe that follows one which is late, and lets it end. */
static int
fails_after_the_late_one(void *unused)
{
    gate = true;
    ck_assert_int_eq(test_down(late).kind, COP_NORMAL);
    return fails(unused);
}

TEST(a_success_of_a_probe_that_another_has_followed_does_not_close_it)
{
    cop_time before;
    start(2, COP_MS(100));
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    ck_assert_int_eq(call(fails), -EHOSTDOWN);
    ck_assert_int_eq(cop_spawn(NULL, insists, .monitor = &late), 0);
    EVENTUALLY(calls == 3);
    EVENTUALLY((before = cop_now(), call(fails_after_the_late_one) == -EHOSTDOWN));
    EVENTUALLY(call(succeeds) == 0);
    ck_assert_int_ge(cop_now() - before, COP_MS(100));
}

SUITE("breaker")
