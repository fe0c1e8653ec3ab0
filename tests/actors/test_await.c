/*
 * tests/actors/test_await.c - waiting for futures: one, all, the first, every outcome.
 *
 * Room: tests/. A value that is moved in is a number on the heap, whose drop function is counted; a
 * leak checker sees to it that it is not forgotten. Waits that are to be disturbed run in processes of
 * their own, each by an order that says what it waits for and how.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "tests/actors/promise.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <unistd.h>

enum {
    OUTCOME = 1,
    READY,
    ASK,
    MANY = 1000,
    UNTOUCHED = 77,
};

/* ---------------------------------------------------------------- helpers */

/* So many promises of a number, and their futures side by side. */
static struct promise promises[MANY];
static cop_future *futures[MANY];
static uint64_t numbers[MANY];
static int status[MANY];

static void
make_promises(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        promises[i] = promise_of(sizeof(uint64_t));
        futures[i] = promises[i].future;
        numbers[i] = UNTOUCHED;
        status[i] = UNTOUCHED;
    }
}

static void
free_promises(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        let_go(promises[i]);
    }
}

static void
assert_nothing_was_written(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(numbers[i], UNTOUCHED);
        ck_assert_int_eq(status[i], UNTOUCHED);
    }
}

static void
resolve(size_t i, uint64_t number)
{
    ck_assert_int_eq(cop_resolve(promises[i].resolver, COP_BYTES(number)), 0);
}

static void
reject(size_t i, int code, const char *text)
{
    ck_assert_int_eq(cop_reject(promises[i].resolver, cop_failed(code, "%s", text)), 0);
}

static void
assert_state(size_t i, int code)
{
    ck_assert_int_eq(cop_future_state(futures[i], NULL), code);
}

static atomic_uint drops;

static void
drop(void *data)
{
    atomic_fetch_add(&drops, 1);
    free(data);
}

static void
move_in(struct promise promise, uint64_t number)
{
    uint64_t *data = malloc(sizeof *data);
    ck_assert_ptr_nonnull(data);
    *data = number;
    ck_assert_int_eq(cop_resolve_move(promise.resolver, data, sizeof *data, drop), 0);
}

/* ---------------------------------------------------------------- waits in processes of their own */

struct wait {
    size_t n;
    cop_time timeout;
};

static int
wait_for_one(const struct wait *wait)
{
    return cop_await(futures[0], numbers, 8, wait->timeout);
}

static int
wait_for_bytes(const struct wait *wait)
{
    cop_bytes bytes;
    int r = cop_await_bytes(futures[0], &bytes, wait->timeout);
    if (r == 0) {
        ck_assert_uint_eq(bytes.size, sizeof(uint64_t));
        memcpy(numbers, bytes.data, sizeof(uint64_t));
    }
    return r;
}

static int
wait_for_all(const struct wait *wait)
{
    return cop_await_all(futures, wait->n, numbers, 8, wait->timeout);
}

static int
wait_for_first(const struct wait *wait)
{
    return cop_await_first(futures, wait->n, numbers, 8, NULL, wait->timeout);
}

static int
wait_in_race(const struct wait *wait)
{
    return cop_race(futures, wait->n, numbers, 8, NULL, wait->timeout);
}

static int
wait_for_outcomes(const struct wait *wait)
{
    return cop_await_settled(futures, wait->n, numbers, 8, status, wait->timeout);
}

static int
wait_for_any(const struct wait *wait)
{
    return copi_await_any(futures, wait->n, wait->timeout);
}

static int (*const waits[])(const struct wait *wait) = {
    wait_for_one, wait_for_bytes,    wait_for_all, wait_for_first,
    wait_in_race, wait_for_outcomes, wait_for_any,
};
enum {
    WAITS = sizeof waits / sizeof *waits,
    RACE = 4, /* their places */
    OUTCOMES = 5,
};

struct outcome {
    int code;
    cop_reason why;
    cop_time took;
};

struct order {
    cop_pid starter;
    int which; /* of waits */
    struct wait wait;
    cop_context *context; /* to be entered; NULL: none */
};

static struct outcome
carry_out(const struct order *order)
{
    if (order->context) {
        ck_assert_int_eq(cop_context_enter(order->context), 0);
    }
    cop_time begin = cop_now();
    struct outcome outcome = {.code = waits[order->which](&order->wait)};
    outcome.took = cop_now() - begin;
    outcome.why = cop_why();
    if (order->context) {
        ck_assert_int_eq(cop_context_leave(order->context), 0);
    }
    return outcome;
}

static int
wait_once(cop_bytes arg)
{
    const struct order *order = arg.data;
    struct outcome outcome = carry_out(order);
    return cop_send(order->starter, COP_MSG_OF(OUTCOME, outcome));
}

static cop_pid
start_waiter(struct order order, cop_ref *monitor)
{
    cop_pid pid;
    order.starter = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, wait_once, .arg = COP_BYTES(order), .monitor = monitor), 0);
    EVENTUALLY(is_awaiting(pid));
    return pid;
}

static struct outcome
outcome(void)
{
    cop_msg msg = test_receive(OUTCOME);
    return *COP_BODY(msg, struct outcome);
}

/* ---------------------------------------------------------------- one: what is refused */

TEST(a_value_of_another_size_is_refused_and_nothing_is_written)
{
    struct promise number = promise_of(8), any = promise_of(COP_ANY);
    unsigned char out[16] = {1, 2};
    ck_assert_int_eq(cop_await(number.future, out, 7, SOON), -EMSGSIZE); /* it need not wait */
    ck_assert_int_eq(cop_why().code, -EMSGSIZE);
    ck_assert_int_eq(cop_resolve(any.resolver, (cop_bytes){"abc", 3}), 0);
    ck_assert_int_eq(cop_await(any.future, out, 4, SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_await(any.future, out, 0, SOON), -EMSGSIZE);
    ck_assert_int_eq(out[0], 1);
    ck_assert_int_eq(cop_await(any.future, out, 3, SOON), 0);
    ck_assert_int_eq(out[2], 'c');
    let_go(number);
    let_go(any);
}

struct attempt {
    int which;
    size_t n;
};

static int
try_to_wait(void *arg)
{
    const struct attempt *attempt = arg;
    int r = waits[attempt->which](&(struct wait){attempt->n, 0});
    if (r == -ENOMEM) {
        ck_assert_int_eq(cop_why().code, -ENOMEM);
        assert_nothing_was_written(attempt->n);
        ck_assert_uint_eq(copi_load_relaxed_64(&copi_table_find(cop_self())->noticed), 0);
    }
    return r;
}

/* Of several, memory ends in the middle: an earlier wait has used a part of what is at hand. */
TEST_TIMES(WAITS, without_memory_no_wait_begins_and_nothing_is_written)
{
    struct attempt attempt = {_i, MANY};
    int r;
    cop_self();
    make_promises(MANY);
    if (_i >= 2) {
        ck_assert_int_eq(cop_await_all(futures, MANY / 2, numbers, 8, 0), -ETIMEDOUT);
    }
    ck_assert_uint_gt(test_out_of_memory(try_to_wait, &attempt, &r), 0);
    ck_assert_int_eq(r, -ETIMEDOUT); /* there was enough, and nothing to wait for */
    free_promises(MANY);
}

TEST(a_wait_that_failed_for_want_of_memory_leaves_the_future_usable)
{
    struct attempt attempt = {0, 1};
    cop_self();
    make_promises(1);
    copi_alloc_fail_after(0);
    ck_assert_int_eq(try_to_wait(&attempt), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, 0), -ETIMEDOUT);
    resolve(0, 4);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, 0), 0);
    ck_assert_uint_eq(numbers[0], 4);
    free_promises(1);
}

TEST(the_first_of_none_is_refused_and_all_of_none_are_there)
{
    size_t winner = UNTOUCHED;
    ck_assert_int_eq(cop_await_first(NULL, 0, NULL, 8, &winner, SOON), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_int_eq(cop_race(NULL, 0, NULL, 8, &winner, SOON), -EINVAL);
    ck_assert_uint_eq(winner, UNTOUCHED);
    ck_assert_int_eq(cop_await_all(NULL, 0, NULL, 8, COP_FOREVER), 0); /* CB01 */
    ck_assert_int_eq(cop_await_settled(NULL, 0, NULL, 8, NULL, COP_FOREVER), 0);
}

TEST(none_of_several_may_have_another_size)
{
    size_t winner = UNTOUCHED;
    make_promises(2);
    struct promise odd = promise_of(4);
    cop_future *mixed[] = {futures[0], odd.future, futures[1]};
    ck_assert_int_eq(cop_await_all(mixed, 3, numbers, 8, SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_await_first(mixed, 3, numbers, 8, &winner, SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_race(mixed, 3, numbers, 8, &winner, SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_await_settled(mixed, 3, numbers, 8, status, SOON), -EMSGSIZE);
    assert_nothing_was_written(2);
    ck_assert_uint_eq(winner, UNTOUCHED);
    assert_state(0, -EINPROGRESS);
    let_go(odd);
    free_promises(2);
}

/* ---------------------------------------------------------------- one */

TEST(a_settled_future_is_not_waited_for)
{
    make_promises(2);
    resolve(0, 5);
    reject(1, -EIO, "no");
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, 0), 0);
    ck_assert_uint_eq(numbers[0], 5);
    ck_assert_int_eq(cop_await(futures[0], numbers + 1, 8, -1), 0); /* as often as one likes */
    ck_assert_uint_eq(numbers[1], 5);
    ck_assert_int_eq(cop_await(futures[1], numbers, 8, 0), -EIO);
    ck_assert_str_eq(cop_why().text, "no");
    ck_assert_uint_eq(numbers[0], 5);
    free_promises(2);
}

TEST(a_value_without_bytes_is_awaited_like_any_other)
{
    struct promise promise = promise_of(0);
    cop_bytes bytes = {"x", 1};
    ck_assert_int_eq(cop_resolve(promise.resolver, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await(promise.future, NULL, 0, 0), 0);
    ck_assert_int_eq(cop_await_bytes(promise.future, &bytes, 0), 0);
    ck_assert_uint_eq(bytes.size, 0);
    let_go(promise);
}

TEST(a_wait_that_is_over_too_early_leaves_the_future_usable) /* CB12 */
{
    make_promises(1);
    cop_time begin = cop_now();
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() - begin >= COP_MS(20));
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, -5), -ETIMEDOUT);
    assert_nothing_was_written(1);
    assert_state(0, -EINPROGRESS);
    resolve(0, 9);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, 0), 0);
    ck_assert_uint_eq(numbers[0], 9);
    free_promises(1);
}

TEST(a_notice_of_a_wait_that_is_over_does_not_end_the_next_one)
{
    make_promises(2);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, 0), -ETIMEDOUT);
    resolve(0, 9);
    ck_assert_int_eq(cop_await(futures[1], numbers, 8, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_await_all(futures, 2, numbers, 8, COP_MS(1)), -ETIMEDOUT);
    assert_nothing_was_written(2);
    free_promises(2);
}

static void *
resolve_when_it_is_awaited(void *pid)
{
    while (!is_awaiting(*(cop_pid *)pid)) {
        usleep(100);
    }
    resolve(0, 9);
    return NULL;
}

TEST(messages_that_wait_stay_while_a_future_is_awaited)
{
    cop_pid self = cop_self();
    pthread_t thread;
    make_promises(1);
    ck_assert_int_eq(cop_send(self, COP_TAG(READY)), 0);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_send(self, COP_TAG(ASK)), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, resolve_when_it_is_awaited, &self), 0);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, SOON), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    test_receive(READY);
    test_receive(ASK);
    free_promises(1);
}

TEST(the_bytes_of_any_value_are_lent_until_the_handle_goes)
{
    struct promise promise = promise_of(COP_ANY);
    cop_bytes bytes = {0}, again = {0};
    ck_assert_int_eq(cop_await_bytes(promise.future, &bytes, COP_MS(1)), -ETIMEDOUT);
    ck_assert_ptr_null(bytes.data);
    ck_assert_int_eq(cop_resolve(promise.resolver, COP_STR("a text")), 0);
    cop_resolver_free(promise.resolver);
    ck_assert_int_eq(cop_await_bytes(promise.future, &bytes, 0), 0);
    ck_assert_int_eq(cop_await_bytes(promise.future, &again, 0), 0);
    ck_assert_str_eq(bytes.data, "a text");
    ck_assert_uint_eq(bytes.size, sizeof "a text");
    ck_assert_ptr_eq(bytes.data, again.data);
    cop_future_release(promise.future);
}

TEST(bytes_of_a_rejected_future_are_not_written)
{
    cop_bytes bytes = {"x", 1};
    make_promises(1);
    reject(0, -EIO, "no");
    ck_assert_int_eq(cop_await_bytes(futures[0], &bytes, 0), -EIO);
    ck_assert_str_eq(cop_why().text, "no");
    ck_assert_uint_eq(bytes.size, 1);
    free_promises(1);
}

/* ---------------------------------------------------------------- or crash */

static int
must_await(cop_bytes arg)
{
    uint64_t number;
    cop_must_await(futures[0], COP_OUT(number));
    return number == *(const uint64_t *)arg.data ? 0 : -EIO;
}

static cop_reason
end_of_who_must(cop_time before, void (*settle_it)(void))
{
    uint64_t wanted = 6;
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, must_await, .arg = COP_BYTES(wanted), .monitor = &monitor), 0);
    if (before) {
        EVENTUALLY(is_awaiting(pid));
    }
    settle_it();
    return test_down(monitor);
}

static void
resolve_with_six(void)
{
    resolve(0, 6);
}

static void
reject_it(void)
{
    reject(0, -EIO, "no");
}

static void
do_nothing(void)
{
}

TEST(who_must_have_a_value_gets_it_or_crashes_with_the_rejections_reason)
{
    make_promises(1);
    ck_assert_int_eq((int)end_of_who_must(1, resolve_with_six).kind, COP_NORMAL);
    ck_assert_int_eq((int)end_of_who_must(0, do_nothing).kind, COP_NORMAL);
    free_promises(1);
    make_promises(1);
    cop_reason reason = end_of_who_must(1, reject_it);
    ck_assert_int_eq((int)reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "no");
    free_promises(1);
    promises[0] = promise_of(3);
    futures[0] = promises[0].future;
    reason = end_of_who_must(0, do_nothing);
    ck_assert_int_eq(reason.code, -EMSGSIZE);
    free_promises(1);
}

/* ---------------------------------------------------------------- what ends any wait */

TEST_TIMES(WAITS, every_wait_ends_when_its_time_is_over)
{
    struct order order = {.which = _i, .wait = {3, COP_MS(20)}};
    make_promises(3);
    struct outcome got = carry_out(&order);
    ck_assert_int_eq(got.code, -ETIMEDOUT);
    ck_assert_int_eq(got.why.code, -ETIMEDOUT);
    ck_assert(got.took >= COP_MS(20));
    for (size_t i = 0; i < 3; i++) {
        assert_state(i, -EINPROGRESS);
        ck_assert_uint_eq(numbers[i], UNTOUCHED);
        ck_assert_int_eq(status[i], _i == OUTCOMES ? -EINPROGRESS : UNTOUCHED);
    }
    free_promises(3);
}

TEST_TIMES(WAITS, every_wait_ends_at_the_deadline_of_the_context)
{
    cop_time begin = cop_now();
    cop_context *context = cop_context_new(COP_MS(20));
    struct order order = {.which = _i, .wait = {3, COP_FOREVER}, .context = context};
    make_promises(3);
    struct outcome got = carry_out(&order);
    ck_assert_int_eq(got.code, -ETIMEDOUT);
    ck_assert(cop_now() - begin >= COP_MS(20));
    ck_assert_uint_eq(numbers[0], UNTOUCHED);
    cop_context_free(context);
    free_promises(3);
}

TEST_TIMES(WAITS, every_wait_ends_when_the_context_is_cancelled)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    struct order order = {.which = _i, .wait = {3, COP_FOREVER}, .context = context};
    make_promises(3);
    start_waiter(order, NULL);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_str_eq(got.why.text, "enough");
    got = carry_out(&order); /* and none begins in it */
    ck_assert_int_eq(got.code, -ECANCELED);
    assert_nothing_was_written(3);
    assert_state(0, -EINPROGRESS);
    cop_context_free(context);
    free_promises(3);
}

TEST_TIMES(WAITS, every_wait_ends_when_the_process_is_asked_to_stop)
{
    struct order order = {.which = _i, .wait = {3, COP_FOREVER}};
    make_promises(3);
    cop_pid pid = start_waiter(order, NULL);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_SHUTDOWN), 0);
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq((int)got.why.kind, COP_SHUTDOWN);
    assert_nothing_was_written(3);
    assert_state(0, -EINPROGRESS);
    free_promises(3);
}

TEST_TIMES(WAITS, who_is_killed_in_a_wait_keeps_nothing)
{
    struct order order = {.which = _i, .wait = {3, COP_FOREVER}};
    cop_ref monitor;
    make_promises(3);
    cop_pid pid = start_waiter(order, &monitor);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq((int)test_down(monitor).kind, COP_KILLED);
    assert_nothing_was_written(3);
    for (size_t i = 0; i < 3; i++) {
        move_in(promises[i], i);
    }
    free_promises(3);
    ck_assert_uint_eq(drops, 3);
}

/* Some notices have come, and hold their futures, which nobody else does any more. */
static int
await_two_more(cop_bytes arg)
{
    (void)arg;
    return cop_await_all(futures, 3, numbers, 8, COP_FOREVER);
}

TEST(who_is_killed_when_some_values_have_come_drops_them_once)
{
    cop_ref monitor;
    cop_pid pid;
    make_promises(3);
    ck_assert_int_eq(cop_spawn(&pid, await_two_more, .monitor = &monitor), 0);
    EVENTUALLY(is_awaiting(pid));
    move_in(promises[0], 1);
    move_in(promises[2], 1);
    let_go(promises[0]);
    let_go(promises[2]);
    EVENTUALLY(is_awaiting(pid)); /* it waits on, for the other */
    ck_assert_uint_eq(drops, 0);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    test_down(monitor);
    ck_assert_uint_eq(drops, 2);
    let_go(promises[1]);
}

static void
note_end(void *flag)
{
    cop_bytes bytes;
    ck_assert_int_eq(cop_await_bytes(futures[1], &bytes, 0), 0); /* what is there, is there */
    ck_assert_int_eq(cop_await_bytes(futures[2], &bytes, COP_FOREVER), -ECANCELED);
    *(atomic_bool *)flag = true;
}

static int
await_with_a_last_word(cop_bytes arg)
{
    atomic_bool **flag = (atomic_bool **)(uintptr_t)arg.data;
    uint64_t number;
    cop_defer(note_end, *flag);
    return cop_await(futures[0], COP_OUT(number), COP_FOREVER);
}

TEST(who_is_killed_in_a_wait_may_look_at_futures_in_its_deferred_calls)
{
    static atomic_bool noted;
    atomic_bool *flag = &noted;
    cop_ref monitor;
    cop_pid pid;
    make_promises(3);
    resolve(1, 1);
    ck_assert_int_eq(
        cop_spawn(&pid, await_with_a_last_word, .arg = COP_BYTES(flag), .monitor = &monitor), 0);
    EVENTUALLY(is_awaiting(pid));
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    ck_assert(noted);
    free_promises(3);
}

static atomic_bool goes_on;

static int
kill_often(cop_bytes arg)
{
    (void)arg;
    for (int round = 0; goes_on; round++) {
        struct order order = {.starter = cop_self(), .which = round % RACE, .wait = {3, SOON}};
        cop_ref monitor;
        cop_pid pid;
        if (cop_spawn(&pid, wait_once, .arg = COP_BYTES(order), .monitor = &monitor)) {
            continue;
        }
        for (int i = round % 50 * 100; i > 0; i--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
        cop_msg msg;
        while (cop_receive(&msg, 0) == 0) {
        }
    }
    return 0;
}

/* At any moment of the wait, while the futures are settled. A leak checker sees to the rest. */
TEST(who_is_killed_while_the_future_is_settled_keeps_nothing)
{
    cop_ref monitor;
    for (unsigned round = 0; round < 100; round++) {
        make_promises(3);
        goes_on = true;
        ck_assert_int_eq(cop_spawn(NULL, kill_often, .monitor = &monitor), 0);
        usleep(round * 20);
        for (size_t i = 0; i < 3; i++) {
            move_in(promises[i], i);
        }
        usleep(200);
        goes_on = false;
        ck_assert_int_eq((int)test_down(monitor).kind, COP_NORMAL);
        free_promises(3);
        ck_assert_uint_eq(drops, 3 * (round + 1));
    }
}

/* ---------------------------------------------------------------- handles */

TEST(a_value_may_be_read_although_another_has_released_the_last_handle_meanwhile)
{
    cop_time forever = COP_FOREVER;
    make_promises(1);
    start_waiter((struct order){.which = 0, .wait.timeout = forever}, NULL);
    cop_future_release(futures[0]);
    move_in(promises[0], 12);
    cop_resolver_free(promises[0].resolver);
    ck_assert_int_eq(outcome().code, 0);
    ck_assert_uint_eq(numbers[0], 12);
    EVENTUALLY(drops == 1);
}

TEST(a_rejection_may_be_read_although_another_has_released_the_last_handle_meanwhile)
{
    make_promises(1);
    start_waiter((struct order){.which = 0, .wait.timeout = COP_FOREVER}, NULL);
    cop_future_release(futures[0]);
    cop_resolver_free(promises[0].resolver);
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -EPIPE);
    ck_assert_str_eq(got.why.text, "the resolver is gone");
}

/* ---------------------------------------------------------------- foreign threads */

static void *
wait_on_a_thread(void *arg)
{
    const struct order *order = arg;
    cop_msg msg;
    for (int i = 0; i < WAITS; i++) {
        struct order mine = *order;
        mine.which = i;
        ck_assert_int_eq(carry_out(&mine).code, 0);
    }
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* no notice is a message */
    return NULL;
}

TEST(a_thread_that_the_library_did_not_start_may_wait_in_every_way)
{
    struct order order = {.wait = {3, SOON}};
    pthread_t thread;
    make_promises(3);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_on_a_thread, &order), 0);
    usleep(2000);
    for (size_t i = 0; i < 3; i++) {
        resolve(i, i);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(status[i], 0);
    }
    free_promises(3);
}

/* ---------------------------------------------------------------- all */

static int
settle_in_turns(cop_bytes arg)
{
    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        resolve(i * 7 % MANY, i * 7 % MANY); /* each once: 7 and MANY have no common divisor */
    }
    return 0;
}

TEST(all_values_come_in_the_order_of_the_futures_whatever_the_order_of_time) /* CB01 */
{
    make_promises(MANY);
    ck_assert_int_eq(cop_spawn(NULL, settle_in_turns, .link = false), 0);
    ck_assert_int_eq(cop_await_all(futures, MANY, numbers, 8, SOON), 0);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_uint_eq(numbers[i], i);
    }
    free_promises(MANY);
}

TEST(all_values_are_there_at_once_when_all_are_settled)
{
    make_promises(MANY);
    for (size_t i = 0; i < MANY; i++) {
        resolve(i, i);
    }
    ck_assert_int_eq(cop_await_all(futures, MANY, numbers, 8, 0), 0);
    ck_assert_uint_eq(numbers[MANY - 1], MANY - 1);
    free_promises(MANY);
}

TEST(one_future_may_stand_several_times_among_many)
{
    make_promises(2);
    cop_future *twice[] = {futures[0], futures[1], futures[0]};
    resolve(0, 1);
    resolve(1, 2);
    ck_assert_int_eq(cop_await_all(twice, 3, numbers, 8, 0), 0);
    ck_assert_uint_eq(numbers[0], 1);
    ck_assert_uint_eq(numbers[1], 2);
    ck_assert_uint_eq(numbers[2], 1);
    free_promises(2);
}

TEST(all_fail_as_soon_as_one_does_and_what_comes_late_is_dropped_once) /* CB02 */
{
    make_promises(4);
    start_waiter((struct order){.which = 2, .wait = {4, COP_FOREVER}}, NULL);
    move_in(promises[1], 5);
    reject(3, -EIO, "the first in time");
    reject(0, -EPERM, "the first in place");
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -EIO);
    ck_assert_str_eq(got.why.text, "the first in time");
    assert_nothing_was_written(4);
    move_in(promises[2], 6);
    free_promises(4);
    EVENTUALLY(drops == 2);
}

TEST(of_several_that_have_failed_before_the_first_in_place_is_told)
{
    make_promises(3);
    reject(2, -EIO, "two");
    reject(1, -EPERM, "one");
    ck_assert_int_eq(cop_await_all(futures, 3, numbers, 8, SOON), -EPERM);
    assert_nothing_was_written(3);
    free_promises(3);
}

TEST(all_fail_when_one_has_another_size_and_nothing_is_written)
{
    make_promises(1);
    struct promise any = promise_of(COP_ANY);
    cop_future *both[] = {futures[0], any.future};
    resolve(0, 1);
    ck_assert_int_eq(cop_resolve(any.resolver, COP_STR("three")), 0);
    ck_assert_int_eq(cop_await_all(both, 2, numbers, 8, SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_why().code, -EMSGSIZE);
    assert_nothing_was_written(1);
    let_go(any);
    free_promises(1);
}

TEST(values_without_bytes_are_awaited_together_too)
{
    struct promise one = promise_of(0), other = promise_of(COP_ANY);
    cop_future *both[] = {one.future, other.future};
    int codes[2] = {UNTOUCHED, UNTOUCHED};
    size_t winner = UNTOUCHED;
    ck_assert_int_eq(cop_resolve(one.resolver, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_resolve(other.resolver, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await_all(both, 2, NULL, 0, 0), 0);
    ck_assert_int_eq(cop_await_settled(both, 2, NULL, 0, codes, 0), 0);
    ck_assert_int_eq(codes[0] | codes[1], 0);
    ck_assert_int_eq(cop_await_first(both, 2, NULL, 0, &winner, 0), 0);
    ck_assert_uint_eq(winner, 0);
    let_go(one);
    let_go(other);
}

/* ---------------------------------------------------------------- the first */

struct winner {
    int code;
    size_t winner;
    uint64_t number;
    cop_reason why;
};

struct contest {
    cop_pid starter;
    size_t n;
    bool race;
};

static int
await_winner(cop_bytes arg)
{
    const struct contest *contest = arg.data;
    struct winner got = {.winner = UNTOUCHED, .number = UNTOUCHED};
    got.code =
        (contest->race ? cop_race : cop_await_first)(futures, contest->n, COP_OUT(got.number),
                                                     &got.winner, COP_FOREVER);
    got.why = cop_why();
    return cop_send(contest->starter, COP_MSG_OF(OUTCOME, got));
}

static void
start_contest(size_t n, bool race)
{
    struct contest contest = {cop_self(), n, race};
    cop_pid pid;
    make_promises(n);
    ck_assert_int_eq(cop_spawn(&pid, await_winner, .arg = COP_BYTES(contest)), 0);
    EVENTUALLY(is_awaiting(pid));
}

static struct winner
winner(void)
{
    cop_msg msg = test_receive(OUTCOME);
    return *COP_BODY(msg, struct winner);
}

TEST(the_first_value_wins_and_failures_before_it_do_not_matter) /* CB04 */
{
    start_contest(5, false);
    reject(0, -EIO, "no");
    reject(4, -EPERM, "no");
    resolve(2, 22);
    resolve(1, 11);
    struct winner got = winner();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.winner, 2);
    ck_assert_uint_eq(got.number, 22);
    assert_state(3, -EINPROGRESS);
    free_promises(5);
}

TEST(when_all_fail_the_first_is_the_last_failure) /* CB04 */
{
    start_contest(3, false);
    reject(1, -EIO, "one");
    reject(2, -EPERM, "two");
    reject(0, -EXDEV, "the last");
    struct winner got = winner();
    ck_assert_int_eq(got.code, -EXDEV);
    ck_assert_str_eq(got.why.text, "the last");
    ck_assert_uint_eq(got.winner, UNTOUCHED);
    ck_assert_uint_eq(got.number, UNTOUCHED);
    free_promises(3);
}

TEST(the_slow_ones_of_a_first_are_dropped_once_when_they_come) /* CB05 */
{
    start_contest(3, false);
    move_in(promises[1], 11);
    struct winner got = winner();
    ck_assert_uint_eq(got.winner, 1);
    for (size_t i = 0; i < 3; i++) {
        cop_future_release(futures[i]);
    }
    move_in(promises[0], 1);
    move_in(promises[2], 1);
    for (size_t i = 0; i < 3; i++) {
        cop_resolver_free(promises[i].resolver);
    }
    EVENTUALLY(drops == 3);
}

TEST(a_first_value_of_another_size_is_refused)
{
    struct promise any = promise_of(COP_ANY);
    size_t who = UNTOUCHED;
    uint64_t number = UNTOUCHED;
    ck_assert_int_eq(cop_resolve(any.resolver, COP_STR("three")), 0);
    ck_assert_int_eq(cop_await_first(&any.future, 1, COP_OUT(number), &who, 0), -EMSGSIZE);
    ck_assert_int_eq(cop_race(&any.future, 1, COP_OUT(number), &who, 0), -EMSGSIZE);
    ck_assert_uint_eq(number, UNTOUCHED);
    ck_assert_uint_eq(who, UNTOUCHED);
    let_go(any);
}

static atomic_uint cancellations;

static void
count_cancellation(cop_reason cause, void *env)
{
    ck_assert_str_eq(cause.text, "another was first");
    ck_assert_ptr_null(env);
    atomic_fetch_add(&cancellations, 1);
}

TEST(a_race_cancels_those_that_have_lost_and_no_other)
{
    start_contest(5, true);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_resolver_on_cancel(promises[i].resolver, count_cancellation, NULL), 0);
    }
    reject(3, -EIO, "no");
    resolve(2, 22);
    struct winner got = winner();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.winner, 2);
    ck_assert_uint_eq(got.number, 22);
    ck_assert_uint_eq(cancellations, 3);
    const int states[] = {-ECANCELED, -ECANCELED, 0, -EIO, -ECANCELED};
    for (size_t i = 0; i < 5; i++) {
        assert_state(i, states[i]);
    }
    free_promises(5);
}

TEST(a_race_that_nobody_wins_cancels_nobody)
{
    make_promises(3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_resolver_on_cancel(promises[i].resolver, count_cancellation, NULL), 0);
    }
    ck_assert_int_eq(cop_race(futures, 3, numbers, 8, NULL, COP_MS(1)), -ETIMEDOUT);
    reject(0, -EIO, "no");
    ck_assert_int_eq(cop_race(futures, 3, numbers, 8, NULL, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_race(futures, 1, numbers, 8, NULL, COP_MS(1)), -EIO);
    assert_state(1, -EINPROGRESS);
    free_promises(3);
    ck_assert_uint_eq(cancellations, 0);
}

static int
sleep_for_ever(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    return cop_sleep(COP_FOREVER);
}

static int
return_at_once(cop_bytes arg, void *result)
{
    (void)arg;
    *(uint64_t *)result = 3;
    return 0;
}

TEST(tasks_that_lose_a_race_end)
{
    cop_future *tasks[] = {
        cop_async(sleep_for_ever, .result_size = 8),
        cop_async(return_at_once, .result_size = 8),
        cop_async(sleep_for_ever, .result_size = 8),
    };
    size_t who;
    ck_assert_int_eq(cop_race(tasks, 3, numbers, 8, &who, SOON), 0);
    ck_assert_uint_eq(who, 1);
    ck_assert_uint_eq(numbers[0], 3);
    EVENTUALLY(!cop_alive(cop_future_pid(tasks[0])) && !cop_alive(cop_future_pid(tasks[2])));
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_await(tasks[i], numbers, 8, SOON), i == 1 ? 0 : -ECANCELED);
        cop_future_release(tasks[i]);
    }
}

/* ---------------------------------------------------------------- every outcome */

TEST(every_outcome_is_reported_in_its_place) /* CB03 */
{
    make_promises(4);
    start_waiter((struct order){.which = OUTCOMES, .wait = {4, COP_FOREVER}}, NULL);
    cop_resolver_free(promises[3].resolver);
    promises[3].resolver = NULL;
    resolve(2, 22);
    ck_assert_int_eq(cop_future_cancel(futures[1], COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, COP_MS(5)), -ETIMEDOUT);
    assert_nothing_was_written(4); /* it waits for the slowest */
    resolve(0, 11);
    ck_assert_int_eq(outcome().code, 0);
    const int codes[] = {0, -ECANCELED, 0, -EPIPE};
    const uint64_t values[] = {11, UNTOUCHED, 22, UNTOUCHED};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(status[i], codes[i]);
        ck_assert_uint_eq(numbers[i], values[i]);
    }
    free_promises(4);
}

TEST(when_the_time_is_over_what_is_there_is_reported_and_the_rest_is_in_progress)
{
    make_promises(4);
    struct promise any = promise_of(COP_ANY);
    cop_future_release(futures[3]);
    cop_resolver_free(promises[3].resolver);
    promises[3] = any;
    futures[3] = any.future;
    resolve(0, 11);
    reject(2, -EIO, "no");
    cop_time begin = cop_now();
    ck_assert_int_eq(cop_await_settled(futures, 4, numbers, 8, status, COP_MS(10)), -ETIMEDOUT);
    ck_assert(cop_now() - begin >= COP_MS(10));
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    const int codes[] = {0, -EINPROGRESS, -EIO, -EINPROGRESS};
    const uint64_t values[] = {11, UNTOUCHED, UNTOUCHED, UNTOUCHED};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(status[i], codes[i]);
        ck_assert_uint_eq(numbers[i], values[i]);
    }
    free_promises(4);
}

TEST(an_outcome_of_another_size_is_reported_in_its_place)
{
    make_promises(2);
    struct promise any = promise_of(COP_ANY);
    cop_future *mixed[] = {futures[0], any.future, futures[1]};
    resolve(0, 1);
    resolve(1, 2);
    ck_assert_int_eq(cop_resolve(any.resolver, COP_STR("three")), 0);
    ck_assert_int_eq(cop_await_settled(mixed, 3, numbers, 8, status, SOON), 0);
    ck_assert_int_eq(status[0], 0);
    ck_assert_int_eq(status[1], -EMSGSIZE);
    ck_assert_int_eq(status[2], 0);
    ck_assert_uint_eq(numbers[0], 1);
    ck_assert_uint_eq(numbers[1], UNTOUCHED);
    ck_assert_uint_eq(numbers[2], 2);
    let_go(any);
    free_promises(2);
}

TEST(a_thousand_outcomes_are_each_in_their_place)
{
    make_promises(MANY);
    for (size_t i = MANY; i-- > 0;) {
        if (i % 3 == 0) {
            reject(i, -EIO, "no");
        } else {
            resolve(i, i);
        }
    }
    ck_assert_int_eq(cop_await_settled(futures, MANY, numbers, 8, status, SOON), 0);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(status[i], i % 3 == 0 ? -EIO : 0);
        ck_assert_uint_eq(numbers[i], i % 3 == 0 ? UNTOUCHED : i);
    }
    free_promises(MANY);
}

/* ---------------------------------------------------------------- any of them */

TEST(a_wait_for_any_ends_with_a_failure_as_with_a_value)
{
    make_promises(3);
    start_waiter((struct order){.which = WAITS - 1, .wait = {3, COP_FOREVER}}, NULL);
    reject(1, -EIO, "no");
    ck_assert_int_eq(outcome().code, 0);
    ck_assert_int_eq(copi_await_any(futures, 3, 0), 0);
    ck_assert_int_eq(copi_await_any(futures, 1, 0), -ETIMEDOUT);
    assert_nothing_was_written(3);
    free_promises(3);
}

/* ---------------------------------------------------------------- circles */

static struct {
    cop_future *mine, *other;
    atomic_bool are_known;
    atomic_int refused;
} circle;

static void
wait_until_they_are_known(void)
{
    while (!circle.are_known) {
        usleep(100);
    }
}

static int
await_itself(cop_bytes arg, void *result)
{
    (void)arg;
    wait_until_they_are_known();
    int code, r = cop_await(circle.mine, COP_OUT(code), COP_FOREVER);
    cop_bytes bytes;
    ck_assert_int_eq(cop_why().code, r);
    ck_assert_int_eq(cop_await_bytes(circle.mine, &bytes, COP_FOREVER), r);
    ck_assert_int_eq(cop_await_all(&circle.mine, 1, COP_OUT(code), COP_FOREVER), r);
    ck_assert_int_eq(cop_await_first(&circle.mine, 1, COP_OUT(code), NULL, COP_FOREVER), r);
    ck_assert_int_eq(cop_race(&circle.mine, 1, COP_OUT(code), NULL, COP_FOREVER), r);
    ck_assert_int_eq(cop_await_settled(&circle.mine, 1, COP_OUT(code), &code, COP_FOREVER), r);
    *(int *)result = r;
    return 0;
}

TEST(a_task_that_awaits_itself_is_refused_in_every_way)
{
    int code = 0;
    circle.mine = cop_async(await_itself, .result_size = sizeof code);
    circle.are_known = true;
    ck_assert_int_eq(cop_await(circle.mine, COP_OUT(code), SOON), 0);
    ck_assert_int_eq(code, -EDEADLK);
    cop_future_release(circle.mine);
}

static int
await_the_other(cop_bytes arg, void *result)
{
    bool first = *(const bool *)arg.data;
    (void)result;
    wait_until_they_are_known();
    int r = cop_await(first ? circle.other : circle.mine, NULL, 0, COP_FOREVER);
    if (r == -EDEADLK && cop_why().text[0]) { /* it shows the circle */
        atomic_fetch_add(&circle.refused, 1);
    }
    return r;
}

/* In a circle of two either side may be the one that is refused, or both. */
TEST(of_two_tasks_that_await_each_other_one_is_refused)
{
    for (int round = 0; round < 50; round++) {
        bool first = true, second = false;
        circle.are_known = false;
        circle.refused = 0;
        circle.mine = cop_async(await_the_other, .arg = COP_BYTES(first));
        circle.other = cop_async(await_the_other, .arg = COP_BYTES(second));
        circle.are_known = true;
        ck_assert_int_eq(cop_await(circle.mine, NULL, 0, SOON), -EDEADLK);
        ck_assert_int_eq(cop_await(circle.other, NULL, 0, SOON), -EDEADLK);
        ck_assert_int_ge(circle.refused, 1);
        cop_future_release(circle.mine);
        cop_future_release(circle.other);
    }
}

static int
call_the_server(cop_bytes arg, void *result)
{
    const cop_pid *server = arg.data;
    (void)result;
    wait_until_they_are_known();
    return cop_call(*server, COP_TAG(ASK), NULL, 0, COP_FOREVER);
}

static cop_step
await_a_task(void *state, cop_from from, cop_msg request)
{
    (void)state;
    (void)request;
    cop_pid self = cop_self();
    cop_future *task = cop_async(call_the_server, .arg = COP_BYTES(self));
    circle.are_known = true;
    int code = cop_await(task, NULL, 0, SOON);
    cop_future_release(task);
    return cop_reply(from, COP_MSG_OF(OUTCOME, code));
}

TEST(a_server_that_awaits_a_task_that_calls_it_is_no_deadlock_for_ever)
{
    static const cop_genserver server = {.type = "server", .handle_call = await_a_task};
    cop_pid pid;
    int code = 0;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(ASK), COP_OUT(code), SOON), 0);
    ck_assert_int_eq(code, -EDEADLK);
}

/* The edge goes with the wait, however that ends: later calls the other way are no circle. */
static int
answer(cop_bytes arg, void *result)
{
    (void)arg;
    cop_msg msg;
    *(uint64_t *)result = 1;
    return cop_receive(&msg, SOON);
}

static cop_pid
waits_for(cop_pid pid)
{
    cop_process_info info = {.waits_for = COP_NOBODY};
    cop_inspect(pid, &info);
    return info.waits_for;
}

TEST(whom_a_process_awaits_can_be_seen_while_it_does_and_no_longer)
{
    futures[0] = cop_async(answer, .result_size = 8);
    cop_pid task = cop_future_pid(futures[0]);
    cop_pid pid = start_waiter((struct order){.which = 0, .wait.timeout = SOON}, NULL);
    ck_assert_uint_eq(waits_for(pid).id, task.id);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, COP_MS(1)), -ETIMEDOUT);
    ck_assert_uint_eq(waits_for(cop_self()).id, COP_NOBODY.id);
    ck_assert_int_eq(cop_send(task, COP_TAG(READY)), 0);
    ck_assert_int_eq(outcome().code, 0);
    ck_assert_int_eq(cop_await(futures[0], numbers, 8, SOON), 0);
    ck_assert_uint_eq(waits_for(cop_self()).id, COP_NOBODY.id);
    cop_future_release(futures[0]);
}

static int
wait_for_starter(cop_bytes arg, void *result)
{
    const cop_pid *starter = arg.data;
    (void)result;
    wait_until_they_are_known();
    return cop_call(*starter, COP_TAG(ASK), NULL, 0, COP_MS(50));
}

static cop_step
give_up_and_look(void *state, cop_from from, cop_msg request)
{
    (void)state;
    (void)request;
    if (circle.are_known) {
        return cop_ok(); /* the task's own request, which it has given up */
    }
    cop_pid self = cop_self();
    cop_future *task = cop_async(wait_for_starter, .arg = COP_BYTES(self));
    int code = cop_await(task, NULL, 0, 0);
    ck_assert_int_eq(code, -ETIMEDOUT);
    circle.are_known = true; /* now it calls, and nobody waits for it any more */
    while (cop_alive(cop_future_pid(task))) {
        usleep(500);
    }
    code = cop_await(task, NULL, 0, SOON);
    cop_future_release(task);
    return cop_reply(from, COP_MSG_OF(OUTCOME, code));
}

TEST(a_wait_that_is_over_closes_no_circle)
{
    static const cop_genserver server = {.type = "server", .handle_call = give_up_and_look};
    cop_pid pid;
    int code = 0;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(ASK), COP_OUT(code), SOON), 0);
    ck_assert_int_eq(code, -ETIMEDOUT);
}

SUITE("await")
