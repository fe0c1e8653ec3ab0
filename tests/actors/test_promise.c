/*
 * tests/actors/test_promise.c - a future with a resolver: settled once, by whoever is first.
 *
 * Room: tests/. A value that is moved in is a number on the heap, whose drop function is counted; a
 * leak checker sees to it that it is not forgotten.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "runtime/timer.h"
#include "tests/actors/full.h"
#include "tests/actors/promise.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <unistd.h>

enum {
    OUTCOME = 1,
    SETTLED,
    MIB = 1 << 20,
};

/* ---------------------------------------------------------------- helpers */

static struct promise
promise_of_number(void)
{
    return promise_of(sizeof(uint64_t));
}

static int
resolve(struct promise promise, uint64_t number)
{
    return cop_resolve(promise.resolver, COP_BYTES(number));
}

static uint64_t
value_of(struct promise promise)
{
    uint64_t number = 0;
    ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), SOON), 0);
    return number;
}

static void
assert_resolved(struct promise promise, uint64_t number)
{
    ck_assert_int_eq(cop_future_state(promise.future, NULL), 0);
    ck_assert_uint_eq(value_of(promise), number);
}

static void
assert_rejected(struct promise promise, int code, const char *text)
{
    cop_reason reason = COP_REASON_NORMAL;
    uint64_t number = 7;
    ck_assert_int_eq(cop_future_state(promise.future, &reason), code);
    ck_assert_str_eq(reason.text, text);
    ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), SOON), code);
    ck_assert_str_eq(cop_why().text, text);
    ck_assert_uint_eq(number, 7);
}

static void
assert_pending(struct promise promise)
{
    ck_assert_int_eq(cop_future_state(promise.future, NULL), -EINPROGRESS);
}

static atomic_uint drops;
static pthread_t dropper;

static void
drop(void *data)
{
    dropper = pthread_self();
    atomic_fetch_add(&drops, 1);
    free(data);
}

static uint64_t *
number_on_the_heap(uint64_t number)
{
    uint64_t *data = malloc(sizeof *data);
    ck_assert_ptr_nonnull(data);
    *data = number;
    return data;
}

static int
move_in(struct promise promise, uint64_t *data)
{
    return cop_resolve_move(promise.resolver, data, sizeof *data, drop);
}

/* On a thread that the library does not know, and over when this returns. */
static void *
on_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    void *result;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    return result;
}

struct outcome {
    int code;
    cop_reason why;
    uint64_t number;
};

struct waiter {
    cop_pid starter;
    cop_future *future;
};

static int
await_once(cop_bytes arg)
{
    const struct waiter *waiter = arg.data;
    struct outcome outcome = {0};
    outcome.code = cop_await(waiter->future, COP_OUT(outcome.number), COP_FOREVER);
    outcome.why = cop_why();
    return cop_send(waiter->starter, COP_MSG_OF(OUTCOME, outcome));
}

static void
start_waiter(struct promise promise)
{
    struct waiter waiter = {cop_self(), promise.future};
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, await_once, .arg = COP_BYTES(waiter)), 0);
    EVENTUALLY(is_awaiting(pid));
}

static struct outcome
outcome(void)
{
    cop_msg msg = test_receive(OUTCOME);
    return *COP_BODY(msg, struct outcome);
}

/* ---------------------------------------------------------------- when it cannot be made */

static int
try_to_make(void *arg)
{
    struct promise *promise = arg;
    int r = cop_promise_new(&promise->future, &promise->resolver, sizeof(uint64_t));
    if (r) {
        ck_assert_ptr_null(promise->future);
        ck_assert_ptr_null(promise->resolver);
        ck_assert_int_eq(cop_why().code, -ENOMEM);
    }
    return r;
}

TEST(without_memory_there_is_no_promise_and_nothing_is_written)
{
    struct promise promise = {0};
    int r;
    cop_self();
    ck_assert_uint_eq(test_out_of_memory(try_to_make, &promise, &r), 1); /* both ends in one */
    ck_assert_int_eq(r, 0);
    let_go(promise);
}

TEST(a_size_that_cannot_be_is_no_memory)
{
    struct promise promise = {0};
    ck_assert_int_eq(cop_promise_new(&promise.future, &promise.resolver, COP_ANY - 1), -ENOMEM);
    ck_assert_ptr_null(promise.future);
    ck_assert_ptr_null(promise.resolver);
}

TEST(it_is_known_where_a_promise_was_made)
{
    struct promise promise;
    int line = __LINE__ + 1;
    ck_assert_int_eq(cop_promise_new(&promise.future, &promise.resolver, 0), 0);
    ck_assert_str_eq(promise.future->file, __FILE__);
    ck_assert_int_eq(promise.future->line, line);
    let_go(promise);
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_value_of_the_wrong_size_is_refused_and_the_promise_stays_pending) /* PA47 */
{
    struct promise promise = promise_of_number();
    uint64_t *data = number_on_the_heap(1);
    uint64_t numbers[2] = {0};
    ck_assert_int_eq(cop_resolve(promise.resolver, (cop_bytes){numbers, 7}), -EMSGSIZE);
    ck_assert_int_eq(cop_resolve(promise.resolver, COP_BYTES(numbers)), -EMSGSIZE);
    ck_assert_int_eq(cop_resolve(promise.resolver, (cop_bytes){0}), -EMSGSIZE);
    ck_assert_int_eq(cop_resolve_move(promise.resolver, data, 7, drop), -EMSGSIZE);
    assert_pending(promise);
    ck_assert_uint_eq(drops, 0);
    ck_assert_uint_eq(*data, 1); /* still the caller's */
    ck_assert_int_eq(move_in(promise, data), 0);
    assert_resolved(promise, 1);
    let_go(promise);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_value_without_data_or_without_a_drop_function_is_refused)
{
    struct promise promise = promise_of_number();
    uint64_t number = 1;
    ck_assert_int_eq(cop_resolve_move(promise.resolver, NULL, sizeof number, drop), -EINVAL);
    ck_assert_int_eq(cop_resolve_move(promise.resolver, &number, sizeof number, NULL), -EINVAL);
    assert_pending(promise);
    let_go(promise);
    ck_assert_uint_eq(drops, 0);
}

struct attempt {
    struct promise promise;
    cop_bytes value;
};

static int
try_to_resolve(void *arg)
{
    const struct attempt *attempt = arg;
    int r = cop_resolve(attempt->promise.resolver, attempt->value);
    if (r) {
        assert_pending(attempt->promise);
    }
    return r;
}

TEST(a_copy_of_any_size_needs_memory_and_without_it_nothing_has_changed)
{
    uint64_t number = 5;
    struct attempt attempt = {promise_of(COP_ANY), COP_BYTES(number)};
    int r;
    ck_assert_uint_eq(test_out_of_memory(try_to_resolve, &attempt, &r), 1);
    ck_assert_int_eq(r, 0);
    assert_resolved(attempt.promise, 5);
    let_go(attempt.promise);
}

TEST(nothing_else_that_settles_needs_memory)
{
    struct promise copied = promise_of_number(), moved = promise_of(COP_ANY),
                   rejected = promise_of_number(), broken = promise_of_number(),
                   cancelled = promise_of_number();
    uint64_t *data = number_on_the_heap(2);
    cop_future *futures[] = {copied.future, moved.future, rejected.future, broken.future,
                             cancelled.future};
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_ne(cop_future_notify(futures[i], SETTLED).id, 0);
    }
    copi_alloc_fail_after(0);
    int r[] = {
        resolve(copied, 1),
        move_in(moved, data),
        cop_reject(rejected.resolver, cop_failed(-EIO, NULL)),
        cop_future_cancel(cancelled.future, COP_REASON_SHUTDOWN),
    };
    cop_resolver_free(broken.resolver);
    copi_alloc_fail_after(-1);
    for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
        ck_assert_int_eq(r[i], 0);
    }
    const int codes[] = {0, 0, -EIO, -ECANCELED, -EPIPE}; /* in the order of settling */
    for (int i = 0; i < 5; i++) {
        cop_msg msg = test_receive(SETTLED);
        ck_assert_int_eq(COP_BODY(msg, struct cop_settled)->code, codes[i]);
    }
    cop_future_release(broken.future);
    let_go(copied);
    let_go(moved);
    let_go(rejected);
    let_go(cancelled);
}

/* ---------------------------------------------------------------- the first one settles */

static void *
reject_later(void *promise)
{
    usleep(50000);
    return (void *)(intptr_t)cop_reject(((struct promise *)promise)->resolver,
                                        cop_failed(-EIO, "late"));
}

static void *
resolve_later(void *promise)
{
    usleep(50000);
    return (void *)(intptr_t)resolve(*(struct promise *)promise, 9);
}

TEST(what_is_resolved_cannot_be_rejected) /* PA01 */
{
    struct promise promise = promise_of_number();
    start_waiter(promise);
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, "late")), -EALREADY);
    assert_resolved(promise, 1);
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.number, 1);
    let_go(promise);
}

TEST(what_is_resolved_cannot_be_rejected_by_another_thread_later) /* PA02 */
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq((int)(intptr_t)on_thread(reject_later, &promise), -EALREADY);
    assert_resolved(promise, 1);
    let_go(promise);
}

TEST(what_is_rejected_cannot_be_resolved) /* PA04 */
{
    struct promise promise = promise_of_number();
    start_waiter(promise);
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, "no")), 0);
    ck_assert_int_eq(resolve(promise, 1), -EALREADY);
    assert_rejected(promise, -EIO, "no");
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -EIO);
    ck_assert_str_eq(got.why.text, "no");
    ck_assert_uint_eq(got.number, 0);
    let_go(promise);
}

TEST(what_is_rejected_cannot_be_resolved_by_another_thread_later) /* PA05 */
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, "no")), 0);
    ck_assert_int_eq((int)(intptr_t)on_thread(resolve_later, &promise), -EALREADY);
    assert_rejected(promise, -EIO, "no");
    let_go(promise);
}

/* Both from one callback of a timer: on the timer thread itself, or in a process to which a timer has sent
 * a message, which is what a program can have. */
static struct {
    struct promise promise;
    bool resolves_first;
    atomic_int first, second; /* what they have returned */
} both;

static void
settle_twice(uint64_t arg)
{
    const cop_reason why = cop_failed(-EIO, "no");
    (void)arg;
    both.first =
        both.resolves_first ? resolve(both.promise, 1) : cop_reject(both.promise.resolver, why);
    both.second =
        both.resolves_first ? cop_reject(both.promise.resolver, why) : resolve(both.promise, 1);
}

static int
settle_twice_when_it_is_time(cop_bytes arg)
{
    cop_msg msg;
    (void)arg;
    ck_assert_uint_ne(cop_send_after(cop_self(), COP_TAG(OUTCOME), COP_MS(2)).id, 0);
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    settle_twice(0);
    return 0;
}

static void
settle_twice_later(bool resolves_first, bool on_timer_thread)
{
    both.promise = promise_of_number();
    both.resolves_first = resolves_first;
    both.first = both.second = 1;
    start_waiter(both.promise);
    if (on_timer_thread) {
        ck_assert_int_eq(copi_timer_call(cop_now() + COP_MS(2), settle_twice, 0), 0);
    } else {
        ck_assert_int_eq(cop_spawn(NULL, settle_twice_when_it_is_time), 0);
    }
    EVENTUALLY(both.second != 1);
    ck_assert_int_eq(both.first, 0);
    ck_assert_int_eq(both.second, -EALREADY);
}

TEST_TIMES(2, what_a_timer_resolves_and_rejects_at_once_is_resolved) /* PA03 */
{
    settle_twice_later(true, _i == 0);
    assert_resolved(both.promise, 1);
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.number, 1);
    let_go(both.promise);
}

TEST_TIMES(2, what_a_timer_rejects_and_resolves_at_once_is_rejected) /* PA06 */
{
    settle_twice_later(false, _i == 0);
    assert_rejected(both.promise, -EIO, "no");
    ck_assert_int_eq(outcome().code, -EIO);
    let_go(both.promise);
}

TEST(of_two_values_the_first_one_stays) /* PA16 */
{
    struct promise promise = promise_of_number(), any = promise_of(COP_ANY);
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(resolve(promise, 2), -EALREADY);
    assert_resolved(promise, 1);
    ck_assert_int_eq(resolve(any, 1), 0);
    ck_assert_int_eq(resolve(any, 2), -EALREADY);
    assert_resolved(any, 1);
    let_go(promise);
    let_go(any);
}

TEST(of_two_values_the_first_one_stays_when_the_second_comes_later_from_another_thread) /* PA17 */
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq((int)(intptr_t)on_thread(resolve_later, &promise), -EALREADY);
    assert_resolved(promise, 1);
    let_go(promise);
}

TEST(of_two_reasons_the_first_one_stays) /* PA18 */
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, "one")), 0);
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EPERM, "two")), -EALREADY);
    assert_rejected(promise, -EIO, "one");
    let_go(promise);
}

TEST(a_moved_value_that_comes_too_late_is_still_the_callers)
{
    struct promise promise = promise_of_number();
    uint64_t *data = number_on_the_heap(2);
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(move_in(promise, data), -EALREADY);
    let_go(promise);
    ck_assert_uint_eq(drops, 0);
    free(data);
}

TEST(what_is_cancelled_can_neither_be_resolved_nor_rejected)
{
    struct promise promise = promise_of_number();
    uint64_t *data = number_on_the_heap(2);
    ck_assert_int_eq(cop_future_cancel(promise.future, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(resolve(promise, 1), -EALREADY);
    ck_assert_int_eq(move_in(promise, data), -EALREADY);
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, NULL)), -EALREADY);
    assert_rejected(promise, -ECANCELED, "enough");
    let_go(promise);
    ck_assert_uint_eq(drops, 0);
    free(data);
}

TEST(a_reason_of_any_kind_rejects)
{
    const struct {
        cop_reason reason;
        int code;
    } cases[] = {
        {COP_REASON_NORMAL, -EPIPE},
        {COP_REASON_SHUTDOWN, -ECANCELED},
        {COP_REASON_KILLED, -ECANCELED},
        {{.kind = COP_FAULTED, .code = 11}, -EFAULT},
        {{.kind = COP_NOPROC}, -ESRCH},
        {{.kind = COP_FAILED, .code = 42, .text = "ours"}, -ENOTRECOVERABLE},
        {{.kind = COP_FAILED, .code = 0}, -ENOTRECOVERABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promise promise = promise_of_number();
        cop_reason reason = {0};
        ck_assert_int_eq(cop_reject(promise.resolver, cases[i].reason), 0);
        ck_assert_int_eq(cop_future_state(promise.future, &reason), cases[i].code);
        ck_assert_int_eq((int)reason.kind, (int)cases[i].reason.kind);
        ck_assert_int_eq(reason.code, cases[i].reason.code);
        assert_rejected(promise, cases[i].code, cases[i].reason.text);
        let_go(promise);
    }
}

/* ---------------------------------------------------------------- values */

static void
assert_bytes_arrive(size_t promised, cop_bytes value, bool moved)
{
    struct promise promise = promise_of(promised);
    void *data = malloc(value.size + 1), *out = malloc(value.size + 1);
    cop_bytes got = {0};
    ck_assert_ptr_nonnull(data);
    ck_assert_ptr_nonnull(out);
    memset(data, 0, value.size + 1);
    if (value.size > 0) {
        memcpy(data, value.data, value.size);
    }
    ck_assert_int_eq(moved ? cop_resolve_move(promise.resolver, data, value.size, drop)
                           : cop_resolve(promise.resolver, (cop_bytes){data, value.size}),
                     0);
    if (!moved) { /* a copy: what it was made of does not matter any more */
        memset(data, 0xff, value.size + 1);
        free(data);
    }
    cop_resolver_free(promise.resolver);
    ck_assert_int_eq(cop_await(promise.future, out, value.size, 0), 0);
    ck_assert_int_eq(memcmp(out, value.size ? value.data : out, value.size), 0);
    ck_assert_int_eq(cop_await_bytes(promise.future, &got, 0), 0);
    ck_assert_uint_eq(got.size, value.size);
    ck_assert_int_eq(memcmp(out, got.data, value.size), 0);
    ck_assert_int_eq(moved && got.data != data, 0);
    cop_future_release(promise.future);
    free(out);
}

TEST(a_promise_is_resolved_with_those_very_bytes) /* PA47 */
{
    uint64_t zero = 0;
    unsigned char *large = malloc(MIB);
    ck_assert_ptr_nonnull(large);
    for (size_t i = 0; i < MIB; i++) {
        large[i] = (unsigned char)(i * 31 >> 3);
    }
    const cop_bytes values[] = {{NULL, 0}, COP_BYTES(zero), {large, MIB}, {large, 1}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_bytes_arrive(values[i].size, values[i], false);
        assert_bytes_arrive(COP_ANY, values[i], false);
        assert_bytes_arrive(values[i].size, values[i], true);
        assert_bytes_arrive(COP_ANY, values[i], true);
    }
    ck_assert_uint_eq(drops, 2 * sizeof values / sizeof *values);
    free(large);
}

TEST(a_value_in_place_is_aligned_for_anything)
{
    long double number = 1.5L;
    struct promise promise = promise_of(sizeof number);
    cop_bytes got;
    ck_assert_int_eq(cop_resolve(promise.resolver, COP_BYTES(number)), 0);
    ck_assert_int_eq(cop_await_bytes(promise.future, &got, 0), 0);
    ck_assert_uint_eq((uintptr_t)got.data % _Alignof(max_align_t), 0);
    ck_assert(*(const long double *)got.data == number);
    let_go(promise);
}

/* ---------------------------------------------------------------- who drops a value, and when */

TEST(a_moved_value_is_dropped_once_with_the_last_handle)
{
    struct promise promise = promise_of_number();
    cop_future *second = cop_future_retain(promise.future);
    ck_assert_int_eq(move_in(promise, number_on_the_heap(3)), 0);
    cop_resolver_free(promise.resolver);
    assert_resolved(promise, 3);
    cop_future_release(promise.future);
    ck_assert_uint_eq(drops, 0);
    assert_resolved((struct promise){.future = second}, 3);
    cop_future_release(second);
    ck_assert_uint_eq(drops, 1);
}

static void *
release(void *future)
{
    cop_future_release(future);
    return NULL;
}

TEST(a_moved_value_is_dropped_on_the_thread_that_lets_go_of_it)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(move_in(promise, number_on_the_heap(3)), 0);
    cop_resolver_free(promise.resolver);
    on_thread(release, promise.future);
    ck_assert_uint_eq(drops, 1);
    ck_assert(!pthread_equal(dropper, pthread_self()));
}

TEST(a_promise_that_nobody_holds_any_more_can_be_resolved_and_drops_the_value_once) /* CB07 */
{
    struct promise moved = promise_of_number(), copied = promise_of(COP_ANY);
    cop_future_release(moved.future);
    cop_future_release(copied.future);
    ck_assert_int_eq(move_in(moved, number_on_the_heap(3)), 0);
    ck_assert_int_eq(resolve(copied, 3), 0);
    ck_assert_uint_eq(drops, 0); /* the resolver is a handle, too: it may be asked again */
    ck_assert_int_eq(resolve(moved, 4), -EALREADY);
    cop_resolver_free(moved.resolver);
    cop_resolver_free(copied.resolver);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- the resolver goes */

TEST(without_its_resolver_a_promise_is_broken_and_nobody_waits_for_ever) /* CB06 */
{
    struct promise promise = promise_of_number();
    start_waiter(promise);
    start_waiter(promise);
    cop_resolver_free(promise.resolver);
    assert_rejected(promise, -EPIPE, "the resolver is gone");
    for (int i = 0; i < 2; i++) {
        struct outcome got = outcome();
        ck_assert_int_eq(got.code, -EPIPE);
        ck_assert_str_eq(got.why.text, "the resolver is gone");
    }
    cop_future_release(promise.future);
}

TEST(a_resolver_that_has_settled_leaves_the_promise_as_it_is)
{
    struct promise resolved = promise_of_number(), rejected = promise_of_number();
    ck_assert_int_eq(resolve(resolved, 1), 0);
    ck_assert_int_eq(cop_reject(rejected.resolver, cop_failed(-EIO, "no")), 0);
    cop_resolver_free(resolved.resolver);
    cop_resolver_free(rejected.resolver);
    assert_resolved(resolved, 1);
    assert_rejected(rejected, -EIO, "no");
    cop_future_release(resolved.future);
    cop_future_release(rejected.future);
}

TEST(no_resolver_is_freed_without_ado)
{
    cop_resolver_free(NULL);
}

/* ---------------------------------------------------------------- being told of a cancellation */

static struct {
    atomic_uint calls;
    cop_reason cause;
    void *env;
    pthread_t thread;
    int state; /* of the future, as the function saw it */
    cop_future *future;
} told;

static void
tell(cop_reason cause, void *env)
{
    told.cause = cause;
    told.env = env;
    told.thread = pthread_self();
    if (told.future) {
        told.state = cop_future_state(told.future, NULL);
    }
    atomic_fetch_add(&told.calls, 1);
}

static void *
cancel(void *future)
{
    return (void *)(intptr_t)cop_future_cancel(future, cop_failed(-EIO, "enough"));
}

TEST(a_second_function_is_refused)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, NULL), 0);
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, &told), -EALREADY);
    ck_assert_int_eq(cop_future_cancel(promise.future, COP_REASON_SHUTDOWN), 0);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert_ptr_null(told.env);
    let_go(promise);
}

TEST(the_function_is_told_the_cause_on_the_thread_that_cancels_when_it_has_happened)
{
    struct promise promise = promise_of_number();
    told.future = promise.future;
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, &promise), 0);
    ck_assert_uint_eq(told.calls, 0);
    ck_assert_int_eq((int)(intptr_t)on_thread(cancel, promise.future), 0);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert(!pthread_equal(told.thread, pthread_self()));
    ck_assert_ptr_eq(told.env, &promise);
    ck_assert_int_eq(told.state, -ECANCELED);
    ck_assert_str_eq(told.cause.text, "enough");
    assert_rejected(promise, -ECANCELED, "enough");
    let_go(promise);
}

TEST(a_function_that_is_set_after_the_cancellation_is_called_at_once) /* CB08 */
{
    struct promise promise = promise_of_number();
    on_thread(cancel, promise.future);
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, &promise), 0);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert(pthread_equal(told.thread, pthread_self()));
    ck_assert_ptr_eq(told.env, &promise);
    ck_assert_str_eq(told.cause.text, "enough");
    let_go(promise);
}

TEST(the_function_is_not_called_for_what_is_settled) /* CB09 */
{
    struct promise resolved = promise_of_number(), rejected = promise_of_number();
    ck_assert_int_eq(cop_resolver_on_cancel(resolved.resolver, tell, NULL), 0);
    ck_assert_int_eq(cop_resolver_on_cancel(rejected.resolver, tell, NULL), 0);
    ck_assert_int_eq(resolve(resolved, 1), 0);
    ck_assert_int_eq(cop_reject(rejected.resolver, cop_failed(-EIO, "no")), 0);
    ck_assert_int_eq(cop_future_cancel(resolved.future, COP_REASON_SHUTDOWN), -EALREADY);
    ck_assert_int_eq(cop_future_cancel(rejected.future, COP_REASON_SHUTDOWN), -EALREADY);
    assert_resolved(resolved, 1);
    assert_rejected(rejected, -EIO, "no");
    let_go(resolved);
    let_go(rejected);
    ck_assert_uint_eq(told.calls, 0);
}

TEST(a_function_that_is_set_when_the_promise_is_settled_is_not_called)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, NULL), 0);
    ck_assert_int_eq(cop_future_cancel(promise.future, COP_REASON_SHUTDOWN), -EALREADY);
    let_go(promise);
    ck_assert_uint_eq(told.calls, 0);
}

TEST(who_cancels_twice_calls_the_function_once) /* CB10 */
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, NULL), 0);
    ck_assert_int_eq(cop_future_cancel(promise.future, cop_failed(-EIO, "one")), 0);
    ck_assert_int_eq(cop_future_cancel(promise.future, cop_failed(-EIO, "two")), -EALREADY);
    ck_assert_uint_eq(told.calls, 1);
    assert_rejected(promise, -ECANCELED, "one");
    let_go(promise);
    ck_assert_uint_eq(told.calls, 1);
}

TEST(a_resolver_that_goes_is_no_cancellation)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, NULL), 0);
    cop_resolver_free(promise.resolver);
    ck_assert_int_eq(cop_future_cancel(promise.future, COP_REASON_SHUTDOWN), -EALREADY);
    cop_future_release(promise.future);
    ck_assert_uint_eq(told.calls, 0);
}

TEST(a_promise_may_be_cancelled_when_its_function_is_all_that_uses_the_resolver)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(cop_resolver_on_cancel(promise.resolver, tell, NULL), 0);
    ck_assert_int_eq(cop_future_cancel(promise.future, cop_failed(-EIO, NULL)), 0);
    ck_assert_str_eq(told.cause.text, cop_strerror(-EIO)); /* a cause without a text */
    cop_resolver_free(promise.resolver);
    assert_rejected(promise, -ECANCELED, cop_strerror(-EIO));
    cop_future_release(promise.future);
}

/* ---------------------------------------------------------------- races */

/* Threads that go off together, again and again. */
struct crowd {
    pthread_barrier_t start, end;
    struct promise promise;
    unsigned rounds;
    atomic_uint successes, places;
    _Atomic uint64_t winner;
    void (*act)(struct crowd *crowd, unsigned place);
};

static void *
run_rounds(void *arg)
{
    struct crowd *crowd = arg;
    unsigned place = atomic_fetch_add(&crowd->places, 1);
    for (unsigned round = 0; round < crowd->rounds; round++) {
        pthread_barrier_wait(&crowd->start);
        crowd->act(crowd, place);
        pthread_barrier_wait(&crowd->end);
    }
    return NULL;
}

static void
run_crowd(struct crowd *crowd, unsigned count, void (*before)(struct crowd *crowd),
          void (*after)(struct crowd *crowd))
{
    pthread_t *threads = calloc(count, sizeof *threads);
    ck_assert_ptr_nonnull(threads);
    pthread_barrier_init(&crowd->start, NULL, count + 1);
    pthread_barrier_init(&crowd->end, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rounds, crowd), 0);
    }
    for (unsigned round = 0; round < crowd->rounds; round++) {
        atomic_store(&crowd->successes, 0);
        atomic_store(&told.calls, 0);
        crowd->promise = promise_of_number();
        if (before) {
            before(crowd);
        }
        pthread_barrier_wait(&crowd->start);
        pthread_barrier_wait(&crowd->end);
        after(crowd);
        let_go(crowd->promise);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&crowd->start);
    pthread_barrier_destroy(&crowd->end);
    free(threads);
}

static void
resolve_and_look(struct crowd *crowd, unsigned place)
{
    int r = resolve(crowd->promise, place);
    if (r == 0) {
        atomic_fetch_add(&crowd->successes, 1);
        atomic_store(&crowd->winner, place);
    } else {
        ck_assert_int_eq(r, -EALREADY);
    }
    uint64_t seen = value_of(crowd->promise), again = value_of(crowd->promise);
    ck_assert_uint_eq(seen, again);
    if (r == 0) {
        ck_assert_uint_eq(seen, place);
    }
}

static void
one_has_won(struct crowd *crowd)
{
    ck_assert_uint_eq(crowd->successes, 1);
    assert_resolved(crowd->promise, crowd->winner);
}

TEST(of_many_that_resolve_together_one_does_and_all_see_its_value) /* GO01 */
{
    struct crowd crowd = {.rounds = (unsigned)full_or(100, 10), .act = resolve_and_look};
    run_crowd(&crowd, (unsigned)full_or(1000, 100), NULL, one_has_won);
}

enum {
    A_ROW = 20000
};
static struct promise row[A_ROW];
static pthread_barrier_t row_start;

static void *
resolve_the_row(void *arg)
{
    uintptr_t successes = 0;
    uint64_t mine = (uintptr_t)arg;
    pthread_barrier_wait(&row_start);
    for (int i = 0; i < A_ROW; i++) {
        successes += resolve(row[i], mine) == 0;
    }
    return (void *)successes;
}

/* Side by side along a row, they meet at many of them. */
TEST(of_two_that_hurry_each_promise_is_resolved_by_one) /* GO01 */
{
    pthread_t threads[2];
    uintptr_t sum = 0, seen[2] = {0}, successes[2];
    void *result;
    for (int i = 0; i < A_ROW; i++) {
        row[i] = promise_of_number();
    }
    pthread_barrier_init(&row_start, NULL, 2);
    for (uintptr_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, resolve_the_row, (void *)i), 0);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        successes[i] = (uintptr_t)result;
        sum += successes[i];
    }
    ck_assert_uint_eq(sum, A_ROW);
    for (int i = 0; i < A_ROW; i++) {
        seen[value_of(row[i])]++;
        let_go(row[i]);
    }
    ck_assert_uint_eq(seen[0], successes[0]);
    ck_assert_uint_eq(seen[1], successes[1]);
    pthread_barrier_destroy(&row_start);
}

static void
settle_somehow(struct crowd *crowd, unsigned place)
{
    int r = -EALREADY;
    switch (place % 4) {
    case 0:
        r = resolve(crowd->promise, 1);
        break;
    case 1:
        r = cop_reject(crowd->promise.resolver, cop_failed(-EIO, "no"));
        break;
    case 2:
        r = cop_future_cancel(crowd->promise.future, COP_REASON_SHUTDOWN);
        break;
    default: {
        uint64_t *data = number_on_the_heap(3);
        r = move_in(crowd->promise, data);
        if (r) {
            free(data);
        }
    }
    }
    if (r == 0) {
        atomic_fetch_add(&crowd->successes, 1);
        atomic_store(&crowd->winner, place % 4);
    } else {
        ck_assert_int_eq(r, -EALREADY);
    }
}

static void
set_function(struct crowd *crowd)
{
    ck_assert_int_eq(cop_resolver_on_cancel(crowd->promise.resolver, tell, NULL), 0);
}

static void
it_ended_as_the_winner_wanted(struct crowd *crowd)
{
    const int codes[] = {0, -EIO, -ECANCELED, 0};
    ck_assert_uint_eq(crowd->successes, 1);
    ck_assert_int_eq(cop_future_state(crowd->promise.future, NULL), codes[crowd->winner]);
    ck_assert_uint_eq(told.calls, crowd->winner == 2);
}

TEST(of_those_that_settle_in_different_ways_one_does)
{
    struct crowd crowd = {.rounds = 500, .act = settle_somehow};
    run_crowd(&crowd, 8, set_function, it_ended_as_the_winner_wanted);
}

static void
cancel_or_set_function(struct crowd *crowd, unsigned place)
{
    if (place == 0) {
        ck_assert_int_eq(cop_resolver_on_cancel(crowd->promise.resolver, tell, crowd), 0);
    } else if (cop_future_cancel(crowd->promise.future, COP_REASON_SHUTDOWN) == 0) {
        atomic_fetch_add(&crowd->successes, 1);
    }
}

static void
the_function_was_called_once(struct crowd *crowd)
{
    ck_assert_uint_eq(crowd->successes, 1);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert_ptr_eq(told.env, crowd);
}

TEST(a_function_that_is_set_while_others_cancel_is_called_once) /* CB08, CB10 */
{
    struct crowd crowd = {.rounds = 3000, .act = cancel_or_set_function};
    run_crowd(&crowd, 3, NULL, the_function_was_called_once);
}

static void
let_one_end_go(struct crowd *crowd, unsigned place)
{
    if (place == 0) {
        cop_resolver_free(crowd->promise.resolver);
    } else {
        cop_future_release(crowd->promise.future);
    }
}

static void
move_one_in(struct crowd *crowd)
{
    ck_assert_int_eq(move_in(crowd->promise, number_on_the_heap(1)), 0);
}

static void
it_is_gone(struct crowd *crowd)
{
    ck_assert_uint_eq(atomic_exchange(&drops, 0), 1);
    crowd->promise = (struct promise){0};
}

TEST(both_ends_may_go_at_the_same_moment_and_the_value_is_dropped_once)
{
    struct crowd crowd = {.rounds = 3000, .act = let_one_end_go};
    run_crowd(&crowd, 2, move_one_in, it_is_gone);
}

SUITE("promise")
