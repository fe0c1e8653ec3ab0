/*
 * tests/actors/test_flight.c - callers with the same key share one computation.
 *
 * Room: tests/. Case ids (SF01) are those of the list of futures' cases.
 */
#include "tests/actors/full.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>

static atomic_int calls, arrived, gate, cancelled, drops, shared_count, finished;
static cop_flight *flight;
static const cop_bytes nothing;

static int
answer_at_the_gate(cop_bytes arg, void *result)
{
    (void)arg;
    calls++;
    while (!gate) {
        int r = cop_sleep(COP_US(200));
        if (r) {
            cancelled++;
            return r;
        }
    }
    *(int *)result = 42;
    return 0;
}

static int
count(cop_bytes arg, void *result)
{
    (void)arg;
    *(int *)result = ++calls;
    return 0;
}

static int
fail_once(cop_bytes arg, void *result)
{
    (void)arg;
    *(int *)result = 7;
    return calls++ == 0 ? -EHOSTDOWN : 0;
}

static int
crash(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    calls++;
    EVENTUALLY(gate);
    cop_exit(cop_failed(-EIO, "lost"));
}

static int
load(cop_bytes arg)
{
    int n = 0;
    bool shared = false;
    cop_task_fn fn = *(const cop_task_fn *)arg.data;
    arrived++;
    int r = cop_flight_do(flight, "alice", fn, nothing, &n, &shared, SOON);
    shared_count += shared;
    finished++;
    return r ? r : n == 42 ? 0 : -EINVAL;
}

static void
start(cop_task_fn fn, int n, cop_pid pids[], cop_ref monitors[])
{
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(cop_spawn(&pids[i], load, .arg = COP_BYTES(fn), .monitor = &monitors[i]),
                         0);
    }
}

/* So many are in the flight, as good as: they have arrived and wait. */
static void
await_arrivals(int n, const cop_pid pids[])
{
    cop_process_info info;
    EVENTUALLY(arrived == n && calls > 0);
    for (int i = 0; i < n; i++) {
        EVENTUALLY(cop_inspect(pids[i], &info) != 0 || info.monitors == 0);
    }
    cop_sleep(COP_MS(20));
}

/* ---------------------------------------------------------------- what is refused */

TEST(what_is_no_flight_is_refused)
{
    ck_assert_ptr_null(cop_flight_new(COP_ANY));
    ck_assert_int_eq(cop_why().code, -EINVAL);
    flight = cop_flight_new(sizeof(int));
    int n;
    ck_assert_int_eq(cop_flight_do(flight, NULL, count, nothing, &n, NULL, SOON), -EINVAL);
    ck_assert_int_eq(cop_flight_do(flight, "key", NULL, nothing, &n, NULL, SOON), -EINVAL);
    cop_flight_free(flight);
    cop_flight_free(NULL);
}

static int
try_to_fly(void *arg)
{
    (void)arg;
    cop_flight *one = cop_flight_new(sizeof(int));
    if (!one) {
        return -ENOMEM;
    }
    int n;
    int r = cop_flight_do(one, "key", count, nothing, &n, NULL, SOON);
    cop_flight_free(one);
    return r;
}

TEST(without_memory_a_flight_fails_and_leaves_nothing)
{
    int r;
    test_fill_deferred();
    ck_assert_uint_gt(test_out_of_memory(try_to_fly, NULL, &r), 4);
    ck_assert_int_eq(r, 0);
}

static int
try_to_join(void *unused)
{
    int n;
    (void)unused;
    return cop_flight_do(flight, "key", answer_at_the_gate, nothing, &n, NULL, COP_MS(1));
}

TEST(who_cannot_see_to_its_own_end_leaves_what_it_has_begun)
{
    int r;
    flight = cop_flight_new(sizeof(int));
    test_fill_deferred();
    test_out_of_memory(try_to_join, NULL, &r);
    ck_assert_int_eq(r, -ETIMEDOUT);
    EVENTUALLY(cop_processes(NULL, 0) == 1); /* nobody wants it any more */
    ck_assert_int_eq(cancelled, calls);
    cop_flight_free(flight);
}

static _Thread_local bool defers_nothing;

int real_defer(void (*fn)(void *arg), void *arg) REAL(cop_defer);
int defer_if_there_is_room(void (*fn)(void *arg), void *arg) WRAP(cop_defer);
int
defer_if_there_is_room(void (*fn)(void *arg), void *arg)
{
    return defers_nothing ? -ENOMEM : real_defer(fn, arg);
}

TEST(who_cannot_see_to_its_own_end_does_not_wait_with_others)
{
    cop_pid pid;
    cop_ref monitor;
    int n;
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, 1, &pid, &monitor);
    await_arrivals(1, &pid);
    defers_nothing = true;
    int r = cop_flight_do(flight, "alice", answer_at_the_gate, nothing, &n, NULL, COP_MS(1));
    defers_nothing = false;
    ck_assert_int_eq(r, -ENOMEM);
    gate = 1;
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL); /* it has what it came for */
    ck_assert_int_eq(calls, 1);
    cop_flight_free(flight);
}

/* ---------------------------------------------------------------- sharing */

TEST(many_callers_of_one_key_make_one_call) /* GO05 */
{
    enum {
        MOST = 1000
    };
    static cop_pid pids[MOST];
    static cop_ref monitors[MOST];
    int many = full_or(MOST, 200);
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, many, pids, monitors);
    await_arrivals(many, pids);
    gate = 1;
    for (int i = 0; i < many; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(shared_count, many - 1);
    cop_flight_free(flight);
}

TEST(nothing_is_kept_for_the_next_caller)
{
    flight = cop_flight_new(sizeof(int));
    for (int i = 1; i <= 100; i++) {
        int n = 0;
        bool shared = true;
        ck_assert_int_eq(cop_flight_do(flight, "alice", count, nothing, &n, &shared, SOON), 0);
        ck_assert_int_eq(n, i);
        ck_assert(!shared);
    }
    cop_flight_free(flight);
}

static int
load_bob(cop_bytes arg)
{
    int n;
    (void)arg;
    return cop_flight_do(flight, "bob", count, nothing, &n, NULL, SOON);
}

TEST(different_keys_are_computed_side_by_side) /* SF02 */
{
    cop_pid pid;
    cop_ref alice, bob;
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, 1, &pid, &alice);
    EVENTUALLY(calls == 1);
    cop_spawn(NULL, load_bob, .monitor = &bob);
    ck_assert_int_eq(test_down(bob).kind, COP_NORMAL);
    gate = 1;
    ck_assert_int_eq(test_down(alice).kind, COP_NORMAL);
    cop_flight_free(flight);
}

/* ---------------------------------------------------------------- failures */

TEST(a_failure_reaches_the_caller_and_the_next_computes_again) /* SF01 */
{
    int n = 1;
    flight = cop_flight_new(sizeof(int));
    ck_assert_int_eq(cop_flight_do(flight, "alice", fail_once, nothing, &n, NULL, SOON),
                     -EHOSTDOWN);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(cop_flight_do(flight, "alice", fail_once, nothing, &n, NULL, SOON), 0);
    ck_assert_int_eq(n, 7);
    cop_flight_free(flight);
}

TEST(a_crash_reaches_all_who_wait) /* SF03 */
{
    cop_pid pids[10];
    cop_ref monitors[10];
    flight = cop_flight_new(sizeof(int));
    start(crash, 10, pids, monitors);
    await_arrivals(10, pids);
    gate = 1;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(test_down(monitors[i]).code, -EIO);
    }
    ck_assert_int_eq(calls, 1);
    cop_flight_free(flight);
}

static int
call_oneself(cop_bytes arg, void *result)
{
    (void)arg;
    return cop_flight_do(flight, "alice", call_oneself, nothing, result, NULL, SOON);
}

TEST(a_computation_that_asks_for_its_own_key_is_refused)
{
    int n;
    flight = cop_flight_new(sizeof(int));
    ck_assert_int_eq(cop_flight_do(flight, "alice", call_oneself, nothing, &n, NULL, SOON),
                     -EDEADLK);
    cop_flight_free(flight);
}

/* ---------------------------------------------------------------- leaving */

TEST(who_leaves_leaves_alone) /* SF04 */
{
    cop_pid pids[3];
    cop_ref monitors[3];
    int n = 1;
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, 3, pids, monitors);
    await_arrivals(3, pids);
    ck_assert_int_eq(cop_flight_do(flight, "alice", answer_at_the_gate, nothing, &n, NULL,
                                   COP_MS(2)),
                     -ETIMEDOUT);
    cop_exit_signal(pids[0], COP_REASON_KILLED); /* maybe the one who has started it */
    ck_assert_int_eq(test_down(monitors[0]).kind, COP_KILLED);
    ck_assert_int_eq(cancelled, 0);
    gate = 1;
    ck_assert_int_eq(test_down(monitors[1]).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(monitors[2]).kind, COP_NORMAL);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(n, 1);
    cop_flight_free(flight);
}

TEST(when_all_have_left_the_computation_is_cancelled)
{
    cop_pid pids[5];
    cop_ref monitors[5];
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, 5, pids, monitors);
    await_arrivals(5, pids);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(cancelled, 0);
        cop_exit_signal(pids[i], COP_REASON_KILLED);
        test_down(monitors[i]);
    }
    EVENTUALLY(cancelled == 1);
    cop_flight_free(flight);
}

TEST(a_context_of_the_first_caller_does_not_end_the_others)
{
    cop_pid pid;
    cop_ref monitor;
    flight = cop_flight_new(sizeof(int));
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_spawn(&pid, load, .arg = COP_BYTES((cop_task_fn){answer_at_the_gate}), .context = context,
              .monitor = &monitor);
    EVENTUALLY(calls == 1);
    cop_pid other;
    cop_ref others;
    start(answer_at_the_gate, 1, &other, &others);
    EVENTUALLY(arrived == 2);
    cop_sleep(COP_MS(20));
    cop_context_cancel(context, cop_failed(-EIO, "the first is gone"));
    ck_assert_int_eq(test_down(monitor).code, -ECANCELED);
    gate = 1;
    ck_assert_int_eq(test_down(others).kind, COP_NORMAL);
    cop_context_free(context);
    cop_flight_free(flight);
}

/* ---------------------------------------------------------------- forgetting */

TEST(after_forget_the_next_caller_computes_anew_and_the_first_flight_lands) /* SF05 */
{
    cop_pid pids[2];
    cop_ref monitors[2];
    int n = 0;
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, 2, pids, monitors);
    await_arrivals(2, pids);
    cop_flight_forget(flight, "alice");
    cop_flight_forget(flight, "nobody");
    bool shared = true;
    ck_assert_int_eq(cop_flight_do(flight, "alice", count, nothing, &n, &shared, SOON), 0);
    ck_assert_int_eq(n, 2);
    ck_assert(!shared);
    gate = 1;
    ck_assert_int_eq(test_down(monitors[0]).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(monitors[1]).kind, COP_NORMAL);
    cop_flight_free(flight);
}

TEST(a_flight_that_is_given_back_serves_those_who_are_in_it)
{
    cop_pid pids[3];
    cop_ref monitors[3];
    flight = cop_flight_new(sizeof(int));
    start(answer_at_the_gate, 3, pids, monitors);
    await_arrivals(3, pids);
    cop_flight_free(flight);
    gate = 1;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
}

/* ---------------------------------------------------------------- results that own memory */

static int
give_words(cop_bytes arg, void *result)
{
    (void)arg;
    EVENTUALLY(gate);
    *(char **)result = strdup("words");
    calls++;
    return 0;
}

static int
share_words(const void *result, void *out)
{
    *(char **)out = strdup(*(char *const *)result);
    return *(char **)out ? 0 : -ENOMEM;
}

static void
drop_words(void *result)
{
    drops++;
    free(*(char **)result);
}

static int
load_words(cop_bytes arg)
{
    char *words = NULL;
    (void)arg;
    arrived++;
    int r = cop_flight_do(flight, "words", give_words, nothing, &words, NULL, SOON);
    cop_assert(r == 0 && strcmp(words, "words") == 0);
    free(words);
    return 0;
}

TEST(each_caller_has_its_own_share_and_the_result_is_dropped_once) /* SF06 */
{
    cop_ref monitors[8];
    flight = cop_flight_new_with(&(
        cop_flight_opts){.result_size = sizeof(char *), .share = share_words, .drop = drop_words});
    for (int i = 0; i < 8; i++) {
        cop_spawn(NULL, load_words, .monitor = &monitors[i]);
    }
    EVENTUALLY(arrived == 8);
    gate = 1;
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    EVENTUALLY(drops == calls);
    cop_flight_free(flight);
}

static int
refuse_to_share(const void *result, void *out)
{
    (void)result, (void)out;
    return -EACCES;
}

TEST(who_gets_no_share_is_told)
{
    int n = 5;
    flight = cop_flight_new_with(
        &(cop_flight_opts){.result_size = sizeof(int), .share = refuse_to_share});
    ck_assert_int_eq(cop_flight_do(flight, "alice", count, nothing, &n, NULL, SOON), -EACCES);
    ck_assert_int_eq(n, 5);
    cop_flight_free(flight);
}

SUITE("flight")
