/*
 * tests/actors/test_chain_then.c - cop_then: an outcome that is another future's.
 *
 * Room: tests/.
 */
#include "actors/future.h"
#include "tests/actors/full.h"
#include "tests/actors/outcome.h"
#include "tests/actors/promise.h"
#include "tests/support/support.h"

#include <coppice/chain.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum when {
    BEFORE,
    RIGHT_AFTER,
    LATER,
    ALL_THREE,
};

static const uint64_t VALUE = 40;

static struct promise outer, inner;

static cop_reason
failure(void)
{
    return cop_failed(-EBADMSG, "{these,are,the,words}");
}

static void
resolve(struct promise promise)
{
    ck_assert_int_eq(cop_resolve(promise.resolver, COP_BYTES(VALUE)), 0);
}

static void
begin(void)
{
    outer = promise_of(sizeof VALUE);
    inner = promise_of(sizeof VALUE);
}

static void
end(void)
{
    let_go(outer);
    let_go(inner);
}

/* ---------------------------------------------------------------- functions */

static atomic_uint calls;

/* The future at env, of which the handle is taken over. */
static cop_future *
give(const void *value, void *env)
{
    (void)value;
    calls++;
    return *(cop_future **)env;
}

/* One more handle on it. */
static cop_future *
share(const void *value, void *env)
{
    (void)value;
    calls++;
    return cop_future_retain(*(cop_future **)env);
}

static atomic_bool may_return;

static cop_future *
share_when_told(const void *value, void *env)
{
    while (!may_return) {
        cop_sleep(COP_US(200));
    }
    return share(value, env);
}

static cop_future *
give_nothing(const void *value, void *env)
{
    (void)value, (void)env;
    return NULL;
}

static int
add_two(const void *value, void *result, void *env)
{
    uint64_t number;
    (void)env;
    memcpy(&number, value, sizeof number);
    number += 2;
    memcpy(result, &number, sizeof number);
    return 0;
}

static void
do_nothing(void *env)
{
    (void)env;
}

/* ---------------------------------------------------------------- what cannot be adopted */

TEST(no_future_at_all_rejects)
{
    begin();
    resolve(outer);
    assert_code(cop_then(outer.future, give_nothing, NULL, sizeof VALUE), -EINVAL);
    end();
}

TEST_TIMES(2, a_child_that_is_to_be_itself_is_rejected) /* PA38 */
{
    static cop_future *child;
    begin();
    if (_i == 0) {
        resolve(outer);
    }
    child = cop_then(outer.future, share_when_told, &child, sizeof VALUE);
    if (_i == 1) {
        resolve(outer);
    }
    may_return = true;
    assert_code(child, -EDEADLK);
    end();
}

static int
make_up(cop_reason why, void *result, void *env)
{
    (void)env;
    ck_assert_int_eq(why.code, -EDEADLK);
    memcpy(result, &VALUE, sizeof VALUE);
    return 0;
}

static cop_future *
stand_on(cop_future *future, int how)
{
    switch (how) {
    case 0:
        return cop_map(future, add_two, NULL, sizeof VALUE);
    case 1:
        return cop_then(future, share, &inner.future, sizeof VALUE);
    case 2:
        return cop_recover(future, make_up, NULL, sizeof VALUE);
    default:
        return cop_finally(future, do_nothing, NULL);
    }
}

TEST_TIMES(4, a_child_that_is_to_be_what_waits_for_it_is_rejected)
{
    static cop_future *far;
    begin();
    cop_future *child = cop_then(outer.future, share, &far, sizeof VALUE);
    cop_future *near = stand_on(child, _i);
    far = cop_finally(near, do_nothing, NULL);
    resolve(outer);
    assert_code(child, -EDEADLK);
    cop_future_release(near);
    if (_i == 2) {
        assert_value(far, VALUE);
    } else {
        assert_code(far, -EDEADLK);
    }
    end();
}

TEST(two_children_that_are_to_be_each_other_do_not_both_wait)
{
    for (int round = 0; round < 200; round++) {
        static cop_future *children[2];
        struct promise sources[2] = {promise_of(sizeof VALUE), promise_of(sizeof VALUE)};
        children[0] = cop_then(sources[0].future, share, &children[1], sizeof VALUE);
        children[1] = cop_then(sources[1].future, share, &children[0], sizeof VALUE);
        resolve(sources[0]);
        resolve(sources[1]);
        assert_code(cop_future_retain(children[0]), -EDEADLK);
        assert_code(cop_future_retain(children[1]), -EDEADLK);
        for (int i = 0; i < 2; i++) {
            cop_future_release(children[i]);
            let_go(sources[i]);
        }
    }
}

TEST(a_long_circle_is_refused_where_it_would_close)
{
    enum {
        LENGTH = 1000
    };
    static cop_future *child, *last;
    begin();
    child = cop_then(outer.future, share, &last, sizeof VALUE);
    last = cop_future_retain(child);
    for (int i = 0; i < LENGTH; i++) {
        cop_future *next = cop_map(last, add_two, NULL, sizeof VALUE);
        cop_future_release(last);
        last = next;
    }
    resolve(outer);
    assert_code(child, -EDEADLK);
    assert_code(last, -EDEADLK);
    end();
}

TEST(what_does_not_wait_for_the_child_any_more_is_no_circle)
{
    static cop_future *waiter;
    begin();
    cop_future *child = cop_then(outer.future, share, &waiter, sizeof VALUE);
    waiter = cop_map(child, add_two, NULL, sizeof VALUE);
    ck_assert_int_eq(cop_future_cancel(waiter, cop_failed(-EBADF, "enough")), 0);
    resolve(outer);
    assert_rejected(child, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    cop_future_release(waiter);
    end();
}

TEST(what_waits_for_the_same_source_is_no_circle)
{
    static cop_future *brother;
    begin();
    brother = cop_map(outer.future, add_two, NULL, sizeof VALUE);
    cop_future *child = cop_then(outer.future, share, &brother, sizeof VALUE);
    resolve(outer);
    assert_value(child, VALUE + 2);
    assert_value(brother, VALUE + 2);
    end();
}

TEST(the_source_itself_may_be_given)
{
    begin();
    cop_future *child = cop_then(outer.future, share, &outer.future, sizeof VALUE);
    resolve(outer);
    assert_value(child, VALUE);
    end();
}

TEST_TIMES(3, a_value_of_another_size_is_not_adopted)
{
    const size_t sizes[] = {0, sizeof VALUE - 1, sizeof VALUE + 1};
    begin();
    resolve(outer);
    cop_future *child = cop_then(outer.future, share, &inner.future, sizes[_i]);
    if (_i == 1) {
        resolve(inner);
    }
    cop_future *any = cop_then(outer.future, share, &inner.future, COP_ANY);
    if (_i != 1) {
        resolve(inner);
    }
    assert_code(child, -EMSGSIZE);
    assert_value(any, VALUE);
    end();
}

TEST(a_failure_is_adopted_whatever_its_size)
{
    begin();
    resolve(outer);
    cop_future *child = cop_then(outer.future, share, &inner.future, 3);
    ck_assert_int_eq(cop_reject(inner.resolver, failure()), 0);
    assert_rejected(child, failure());
    end();
}

TEST(the_future_that_stands_for_no_memory_is_adopted)
{
    cop_future *none = copi_future_no_memory();
    begin();
    resolve(outer);
    assert_code(cop_then(outer.future, give, &none, sizeof VALUE), -ENOMEM);
    end();
}

/* ---------------------------------------------------------------- what is adopted */

TEST(a_child_is_pending_as_long_as_what_was_given) /* PA39 */
{
    begin();
    resolve(outer);
    cop_future *child = cop_then(outer.future, share, &inner.future, sizeof VALUE);
    EVENTUALLY(calls == 1);
    cop_sleep(COP_MS(100));
    ck_assert_int_eq(cop_future_state(child, NULL), -EINPROGRESS);
    resolve(inner);
    assert_value(child, VALUE);
    end();
}

TEST_TIMES(2, what_is_settled_already_is_adopted) /* PA40, PA42 */
{
    begin();
    resolve(outer);
    if (_i == 0) {
        resolve(inner);
    } else {
        cop_reject(inner.resolver, failure());
    }
    cop_future *child = cop_then(outer.future, share, &inner.future, sizeof VALUE);
    if (_i == 0) {
        assert_value(child, VALUE);
    } else {
        assert_rejected(child, failure());
    }
    end();
}

static void *
settle_inner(void *fails)
{
    usleep(50000);
    if (*(const bool *)fails) {
        cop_reject(inner.resolver, failure());
    } else {
        resolve(inner);
    }
    return NULL;
}

TEST_TIMES(2, what_is_settled_later_is_adopted) /* PA41, PA43 */
{
    pthread_t thread;
    bool fails = _i == 1;
    begin();
    resolve(outer);
    cop_future *child = cop_then(outer.future, share, &inner.future, sizeof VALUE);
    ck_assert_int_eq(pthread_create(&thread, NULL, settle_inner, &fails), 0);
    if (fails) {
        assert_rejected(child, failure());
    } else {
        assert_value(child, VALUE);
    }
    pthread_join(thread, NULL);
    end();
}

static cop_future *
three_levels(const void *value, void *env)
{
    int *levels = env;
    uint64_t number;
    memcpy(&number, value, sizeof number);
    ck_assert_uint_eq(number, VALUE);
    return (*levels)-- > 0 ? cop_then(outer.future, three_levels, env, sizeof VALUE)
                           : cop_future_retain(inner.future);
}

TEST_TIMES(2, three_levels_become_one_value) /* PA44 */
{
    int levels = 3;
    begin();
    resolve(outer);
    if (_i == 0) {
        resolve(inner);
    }
    cop_future *child = cop_then(outer.future, three_levels, &levels, sizeof VALUE);
    if (_i == 1) {
        resolve(inner);
    }
    assert_value(child, VALUE);
    end();
}

static int
answer(cop_bytes arg, void *result)
{
    (void)arg;
    memcpy(result, &VALUE, sizeof VALUE);
    return 0;
}

static cop_future *
give_lazy(const void *value, void *env)
{
    (void)value, (void)env;
    return cop_async(answer, .result_size = sizeof VALUE, .lazy = true);
}

TEST(a_lazy_task_that_was_given_is_started)
{
    begin();
    resolve(outer);
    assert_value(cop_then(outer.future, give_lazy, NULL, sizeof VALUE), VALUE);
    end();
}

TEST(the_handle_of_what_was_given_is_taken_over)
{
    begin();
    cop_future_retain(inner.future);
    cop_future *child = cop_then(outer.future, give, &inner.future, sizeof VALUE);
    resolve(outer);
    resolve(inner);
    assert_value(child, VALUE);
    end(); /* which a leak, or one release too many, would spoil */
}

static int
return_a_number(cop_bytes arg, void *result)
{
    memcpy(result, arg.data, sizeof VALUE);
    return 0;
}

static cop_future *
start_task(const void *value, void *env)
{
    (void)env;
    return cop_async(return_a_number, .arg = {value, sizeof VALUE}, .result_size = sizeof VALUE);
}

TEST(a_task_may_be_given_and_its_handle_is_no_affair_of_ours)
{
    begin();
    cop_future *child = cop_then(outer.future, start_task, NULL, sizeof VALUE);
    resolve(outer);
    assert_value(child, VALUE);
    end();
}

TEST(a_child_that_is_cancelled_while_it_waits_leaves_what_it_waits_for_alone)
{
    begin();
    resolve(outer);
    cop_future *child = cop_then(outer.future, share, &inner.future, sizeof VALUE);
    EVENTUALLY(calls == 1);
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EBADF, "enough")), 0);
    ck_assert_int_eq(cop_future_state(inner.future, NULL), -EINPROGRESS);
    resolve(inner);
    assert_rejected(child, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
    end();
}

TEST_TIMES(ALL_THREE, what_was_given_may_have_lost_all_other_handles)
{
    begin();
    cop_future *made = inner.future;
    if (_i == BEFORE) {
        resolve(inner);
    }
    cop_future *child = cop_then(outer.future, give, &made, sizeof VALUE);
    resolve(outer);
    if (_i == RIGHT_AFTER) {
        resolve(inner);
    } else if (_i == LATER) {
        EVENTUALLY(calls == 1);
        cop_sleep(COP_MS(20));
        resolve(inner);
    }
    cop_resolver_free(inner.resolver);
    assert_value(child, VALUE);
    let_go(outer);
}

/* ---------------------------------------------------------------- many stages */

/* Of a sanitizer's memory they would take too much. */
static int
stages(void)
{
    return TEST_SANITIZED ? 5000 : full_or(1000000, 30000);
}

/* For as long as so many need. */
static void
assert_value_comes(cop_future *child, uint64_t expected)
{
    cop_bytes value;
    ck_assert_int_eq(cop_await_bytes(child, &value, COP_FOREVER), 0);
    assert_value(child, expected);
}

static cop_future *
next_number(const void *value, void *env)
{
    struct promise promise = promise_of(sizeof VALUE);
    uint64_t number;
    (void)env;
    memcpy(&number, value, sizeof number);
    number++;
    ck_assert_int_eq(cop_resolve(promise.resolver, COP_BYTES(number)), 0);
    cop_resolver_free(promise.resolver);
    return promise.future;
}

static int
build_and_await(cop_bytes arg)
{
    cop_future *at = cop_future_retain(outer.future);
    (void)arg;
    for (int i = stages(); i > 0; i--) {
        cop_future *next = cop_then(at, next_number, NULL, sizeof VALUE);
        cop_future_release(at);
        at = next;
    }
    resolve(outer);
    assert_value_comes(at, VALUE + (uint64_t)stages());
    return 0;
}

TEST(a_chain_of_very_many_stages_settles_with_a_small_stack) /* PA48 */
{
    cop_ref monitor;
    begin();
    ck_assert_int_eq(cop_spawn(NULL, build_and_await, .monitor = &monitor, .stack_size = 256 << 10),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    end();
}

static cop_future *
go_down(const void *value, void *env)
{
    int *left = env;
    (void)value;
    return --*left > 0 ? cop_then(outer.future, go_down, env, sizeof VALUE)
                       : cop_future_retain(inner.future);
}

static int
go_down_and_await(cop_bytes arg)
{
    int left = stages();
    (void)arg;
    cop_future *child = cop_then(outer.future, go_down, &left, sizeof VALUE);
    resolve(outer);
    resolve(inner);
    assert_value_comes(child, VALUE);
    return 0;
}

TEST(very_many_levels_become_one_value_with_a_small_stack) /* PA44, PA48 */
{
    cop_ref monitor;
    begin();
    ck_assert_int_eq(
        cop_spawn(NULL, go_down_and_await, .monitor = &monitor, .stack_size = 256 << 10), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    end();
}

SUITE("chain_then")
