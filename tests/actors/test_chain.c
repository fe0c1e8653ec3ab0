/*
 * tests/actors/test_chain.c - futures made of futures by map, recover and finally; of cop_then, what it
 * has in common with them.
 *
 * Room: tests/. Cases that run three times have a source that is settled before the call, right after
 * it on the same thread, or later on another one.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "tests/actors/outcome.h"
#include "tests/actors/source.h"
#include "tests/support/support.h"

#include <coppice/chain.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

/* ---------------------------------------------------------------- functions */

static atomic_uint calls;

static int
add(const void *value, void *result, void *env)
{
    uint64_t number;
    memcpy(&number, value, sizeof number);
    number += *(const uint64_t *)env;
    memcpy(result, &number, sizeof number);
    calls++;
    return 0;
}

static int
fail_map(const void *value, void *result, void *env)
{
    (void)value, (void)result;
    calls++;
    return *(const int *)env;
}

static int
crash_map(const void *value, void *result, void *env)
{
    (void)value, (void)result;
    calls++;
    cop_exit(*(const cop_reason *)env);
}

static int
make_up(cop_reason why, void *result, void *env)
{
    uint64_t number = (uint64_t)-why.code + *(const uint64_t *)env;
    memcpy(result, &number, sizeof number);
    calls++;
    return 0;
}

static int
fail_recover(cop_reason why, void *result, void *env)
{
    (void)why, (void)result;
    calls++;
    return *(const int *)env;
}

static int
crash_recover(cop_reason why, void *result, void *env)
{
    (void)why, (void)result;
    calls++;
    cop_exit(*(const cop_reason *)env);
}

static cop_future *
crash_then(const void *value, void *env)
{
    (void)value;
    calls++;
    cop_exit(*(const cop_reason *)env);
}

static cop_future *
then_a_value(const void *value, void *env)
{
    cop_future *future;
    cop_resolver *resolver;
    uint64_t number;
    memcpy(&number, value, sizeof number);
    number += *(const uint64_t *)env;
    calls++;
    ck_assert_int_eq(cop_promise_new(&future, &resolver, sizeof number), 0);
    ck_assert_int_eq(cop_resolve(resolver, COP_BYTES(number)), 0);
    cop_resolver_free(resolver);
    return future;
}

static void
look(void *env)
{
    (void)env;
    calls++;
}

static void
crash_finally(void *env)
{
    calls++;
    cop_exit(*(const cop_reason *)env);
}

static uint64_t two = 2;

/* Each of the four with a function that is called for this outcome, and makes a number of it. */
enum kind {
    MAP,
    THEN,
    RECOVER,
    FINALLY,
    KINDS,
};

static cop_future *
make(int kind, cop_chain_opts opts)
{
    opts.result_size = sizeof VALUE;
    opts.env = opts.env ? opts.env : &two;
    switch ((enum kind)kind) {
    case MAP:
        return cop_map_with(source.future, add, &opts);
    case THEN:
        return cop_then_with(source.future, then_a_value, &opts);
    case RECOVER:
        return cop_recover_with(source.future, make_up, &opts);
    case FINALLY:
    case KINDS:
        break;
    }
    return cop_finally_with(source.future, look, &opts);
}

static cop_future *
make_crash(int kind, cop_reason *with)
{
    switch ((enum kind)kind) {
    case MAP:
        return cop_map(source.future, crash_map, with, sizeof VALUE);
    case THEN:
        return cop_then(source.future, crash_then, with, sizeof VALUE);
    case RECOVER:
        return cop_recover(source.future, crash_recover, with, sizeof VALUE);
    case FINALLY:
    case KINDS:
        break;
    }
    return cop_finally(source.future, crash_finally, with);
}

static atomic_uint envs;

static void
drop_env(void *env)
{
    ck_assert_ptr_eq(env, &two);
    envs++;
}

static cop_chain_opts
counted(void)
{
    return (cop_chain_opts){.env = &two, .drop_env = drop_env};
}

/* ---------------------------------------------------------------- without memory */

static int
make_one(void *kind)
{
    cop_future *child = make(*(int *)kind, counted());
    ck_assert_ptr_nonnull(child);
    int r = cop_future_state(child, NULL);
    cop_future_release(child);
    return r;
}

TEST_TIMES(KINDS, without_memory_a_child_is_rejected_already_and_the_environment_dropped)
{
    int r, kind = _i;
    begin(LATER, false);
    ck_assert_uint_eq(test_out_of_memory(make_one, &kind, &r), 1);
    ck_assert_int_eq(r, -EINPROGRESS);
    ck_assert_uint_eq(envs, 1);
    ck_assert_uint_eq(calls, 0);
    settle();
    EVENTUALLY(envs == 2);
    let_go();
}

TEST_TIMES(2, a_size_that_cannot_be_is_no_memory)
{
    const size_t sizes[] = {COP_ANY - 1, SIZE_MAX / 2 + 1};
    begin(BEFORE, false);
    assert_code(cop_map(source.future, add, &two, sizes[_i]), -ENOMEM);
    ck_assert_uint_eq(calls, 0);
    let_go();
}

static int
fill_in_bytes(const void *value, void *result, void *env)
{
    (void)value;
    *(cop_bytes *)result = (cop_bytes){env, 4};
    copi_alloc_fail_after(0);
    return 0;
}

TEST(bytes_that_find_no_memory_reject)
{
    char bytes[] = "four";
    begin(BEFORE, false);
    assert_value(cop_map(source.future, add, &two, sizeof VALUE), VALUE + two); /* a worker is up */
    cop_future *child = cop_map(source.future, fill_in_bytes, bytes, COP_ANY);
    EVENTUALLY(cop_future_state(child, NULL) != -EINPROGRESS);
    copi_alloc_fail_after(-1);
    assert_code(child, -ENOMEM);
    let_go();
}

TEST(a_child_of_the_future_that_stands_for_no_memory_is_rejected_so)
{
    cop_future *none = copi_future_no_memory();
    assert_code(cop_map(none, add, &two, sizeof VALUE), -ENOMEM);
    assert_value(cop_recover(none, make_up, &two, sizeof VALUE), ENOMEM + two);
}

/* ---------------------------------------------------------------- functions that fail */

TEST_TIMES(ALL_THREE, a_function_of_map_that_fails_rejects_with_its_code) /* PA35 */
{
    int code = -EDOM;
    begin(_i, false);
    cop_future *child = cop_map(source.future, fail_map, &code, sizeof VALUE);
    proceed();
    assert_code(child, -EDOM);
    let_go();
}

TEST_TIMES(ALL_THREE, a_function_of_then_that_crashes_rejects_with_its_code) /* PA35 */
{
    cop_reason why = cop_failed(-EDOM, NULL);
    begin(_i, false);
    cop_future *child = cop_then(source.future, crash_then, &why, sizeof VALUE);
    proceed();
    assert_code(child, -EDOM);
    let_go();
}

TEST_TIMES(ALL_THREE, a_function_of_recover_that_fails_rejects_with_the_new_code) /* PA36 */
{
    int code = -EDOM;
    begin(_i, true);
    cop_future *child = cop_recover(source.future, fail_recover, &code, sizeof VALUE);
    proceed();
    assert_code(child, -EDOM);
    let_go();
}

TEST_TIMES(2, a_positive_code_is_a_crash)
{
    int code = 7;
    begin(BEFORE, _i == 1);
    cop_future *child = _i == 1 ? cop_recover(source.future, fail_recover, &code, sizeof VALUE)
                                : cop_map(source.future, fail_map, &code, sizeof VALUE);
    assert_rejected(child, cop_failed(-EINVAL, "{bad_return_value,7}"));
    let_go();
}

TEST_TIMES(KINDS, a_function_that_exits_rejects_its_own_child_and_harms_nobody_else)
{
    cop_reason crash = cop_failed(-EBADF, "{a,very,own,crash}");
    cop_chain_opts opts = counted();
    begin(RIGHT_AFTER, _i == RECOVER);
    cop_future *before = make(_i, opts), *child = make_crash(_i, &crash), *after = make(_i, opts);
    proceed();
    uint64_t expected = _i == RECOVER ? EBADMSG + two : _i == FINALLY ? VALUE : VALUE + two;
    assert_rejected(child, crash);
    assert_value(before, expected);
    assert_value(after, expected);
    ck_assert_uint_eq(calls, 3);
    let_go();
}

TEST_TIMES(KINDS, a_function_that_exits_normally_gives_no_value)
{
    cop_reason normal = COP_REASON_NORMAL;
    begin(BEFORE, _i == RECOVER);
    assert_rejected(make_crash(_i, &normal), normal);
    let_go();
}

static int
assert_false(const void *value, void *result, void *env)
{
    (void)result, (void)env;
    cop_assert(value == NULL);
    return 0;
}

TEST(a_failed_assertion_rejects_with_its_words)
{
    cop_reason why;
    begin(BEFORE, false);
    cop_future *child = cop_map(source.future, assert_false, NULL, 0);
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), -ENOTRECOVERABLE);
    cop_future_state(child, &why);
    ck_assert_ptr_nonnull(strstr(why.text, "value == NULL"));
    cop_future_release(child);
    let_go();
}

TEST_TIMES(ALL_THREE, of_three_children_the_second_fails_alone) /* PA28 */
{
    int code = -EDOM;
    begin(_i, false);
    cop_future *first = cop_map(source.future, add, &two, sizeof VALUE);
    cop_future *second = cop_map(source.future, fail_map, &code, sizeof VALUE);
    cop_future *third = cop_map(source.future, add, &two, sizeof VALUE);
    proceed();
    assert_code(second, -EDOM);
    assert_value(first, VALUE + two);
    assert_value(third, VALUE + two);
    ck_assert_uint_eq(calls, 3);
    let_go();
}

/* ---------------------------------------------------------------- outcomes that pass by unchanged */

TEST_TIMES(ALL_THREE, a_value_passes_by_recover) /* PA09 */
{
    begin(_i, false);
    cop_future *child = cop_recover(source.future, make_up, &two, sizeof VALUE);
    proceed();
    assert_value(child, VALUE);
    ck_assert_uint_eq(calls, 0);
    let_go();
}

TEST_TIMES(2 * ALL_THREE, a_failure_passes_by_map_and_then) /* PA09 */
{
    begin(_i % ALL_THREE, true);
    cop_future *child = make(_i < ALL_THREE ? MAP : THEN, (cop_chain_opts){0});
    proceed();
    assert_rejected(child, failure());
    ck_assert_uint_eq(calls, 0);
    let_go();
}

TEST(a_value_passes_by_ten_recovers_and_a_failure_by_ten_maps) /* PA37 */
{
    for (int fails = 0; fails < 2; fails++) {
        begin(LATER, fails);
        cop_future *at = cop_future_retain(source.future);
        for (int i = 0; i < 10; i++) {
            cop_future *next = fails ? cop_map(at, add, &two, sizeof VALUE)
                                     : cop_recover(at, make_up, &two, sizeof VALUE);
            cop_future_release(at);
            at = next;
        }
        settle();
        if (fails) {
            assert_rejected(at, failure());
        } else {
            assert_value(at, VALUE);
        }
        let_go();
    }
    ck_assert_uint_eq(calls, 0);
}

TEST_TIMES(2 * ALL_THREE, any_outcome_passes_by_finally_after_its_function_has_run)
{
    begin(_i % ALL_THREE, _i >= ALL_THREE);
    cop_future *child = cop_finally(source.future, look, NULL);
    proceed();
    if (source.fails) {
        assert_rejected(child, failure());
    } else {
        assert_value(child, VALUE);
    }
    ck_assert_uint_eq(calls, 1);
    let_go();
}

TEST_TIMES(2, a_function_of_finally_that_exits_replaces_the_outcome)
{
    cop_reason crash = cop_failed(-EBADF, "{a,very,own,crash}");
    begin(BEFORE, _i == 1);
    assert_rejected(cop_finally(source.future, crash_finally, &crash), crash);
    let_go();
}

TEST(a_value_that_passes_by_is_shown_and_not_copied)
{
    cop_bytes from, to;
    begin(BEFORE, false);
    cop_future *recovered = cop_recover(source.future, make_up, &two, sizeof VALUE);
    cop_future *child = cop_finally(recovered, look, NULL);
    ck_assert_int_eq(cop_await_bytes(source.future, &from, SOON), 0);
    ck_assert_int_eq(cop_await_bytes(child, &to, SOON), 0);
    ck_assert_ptr_eq(to.data, from.data);
    ck_assert_uint_eq(to.size, from.size);
    cop_future_release(recovered);
    let_go(); /* it is the child's now */
    assert_value(child, VALUE);
}

TEST(what_comes_after_finally_gets_the_value_as_before_it)
{
    begin(BEFORE, false);
    cop_future *child = cop_finally(source.future, look, NULL);
    assert_value(cop_map(child, add, &two, sizeof VALUE), VALUE + two);
    cop_future_release(child);
    let_go();
}

TEST(finally_does_not_look_at_size_and_drop)
{
    begin(BEFORE, false);
    assert_value(cop_finally_with(source.future, look,
                                  &(cop_chain_opts){.result_size = 3, .drop = drop_env}),
                 VALUE);
    let_go();
}

TEST(a_value_of_another_size_does_not_pass_by_recover)
{
    begin(BEFORE, false);
    assert_code(cop_recover(source.future, make_up, &two, sizeof VALUE + 1), -EMSGSIZE);
    assert_code(cop_recover(source.future, make_up, &two, 0), -EMSGSIZE);
    assert_value(cop_recover(source.future, make_up, &two, COP_ANY), VALUE);
    let_go();
}

TEST(a_failure_passes_by_whatever_the_size)
{
    begin(BEFORE, true);
    assert_rejected(cop_map(source.future, add, &two, 3), failure());
    assert_rejected(cop_then(source.future, then_a_value, &two, 3), failure());
    assert_rejected(cop_finally(source.future, look, NULL), failure());
    let_go();
}

/* ---------------------------------------------------------------- values that functions make */

TEST_TIMES(ALL_THREE, the_value_that_a_function_of_map_writes_resolves_the_child) /* PA33 */
{
    begin(_i, false);
    cop_future *child = cop_map(source.future, add, &two, sizeof VALUE);
    proceed();
    assert_value(child, VALUE + two);
    ck_assert_uint_eq(calls, 1);
    let_go();
}

TEST_TIMES(ALL_THREE, the_value_that_a_function_of_recover_writes_resolves_the_child) /* PA34 */
{
    begin(_i, true);
    cop_future *child = cop_recover(source.future, make_up, &two, sizeof VALUE);
    proceed();
    assert_value(child, EBADMSG + two);
    ck_assert_uint_eq(calls, 1);
    let_go();
}

static atomic_bool got_the_reason;

static int
compare_reason(cop_reason why, void *result, void *env)
{
    const cop_reason *expected = env;
    got_the_reason = why.kind == expected->kind && why.code == expected->code
                     && strcmp(why.text, expected->text) == 0;
    ck_assert_ptr_null(result);
    return 0;
}

TEST_TIMES(ALL_THREE, a_function_of_recover_gets_the_very_rejection) /* PA11 */
{
    cop_reason why = failure();
    begin(_i, true);
    cop_future *child = cop_recover(source.future, compare_reason, &why, 0);
    proceed();
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), 0);
    ck_assert(got_the_reason);
    cop_future_release(child);
    let_go();
}

TEST(three_branches_each_have_a_result_of_their_own) /* PA31 */
{
    uint64_t numbers[] = {1, 10, 100};
    cop_future *children[3];
    begin(LATER, false);
    for (int i = 0; i < 3; i++) {
        cop_future *first = cop_map(source.future, add, &numbers[i], sizeof VALUE);
        children[i] = cop_map(first, add, &numbers[i], sizeof VALUE);
        cop_future_release(first);
    }
    settle();
    for (int i = 0; i < 3; i++) {
        assert_value(children[i], VALUE + 2 * numbers[i]);
    }
    let_go();
}

static int
write_nothing(const void *value, void *result, void *env)
{
    (void)value;
    *(bool *)env = result == NULL;
    return 0;
}

TEST(a_result_of_no_size_has_no_place) /* PA47 */
{
    bool had_no_place = false;
    begin(BEFORE, false);
    cop_future *child = cop_map(source.future, write_nothing, &had_no_place, 0);
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), 0);
    ck_assert(had_no_place);
    cop_future_release(child);
    let_go();
}

enum {
    MEGABYTE = 1 << 20
};

static int
write_a_megabyte(const void *value, void *result, void *env)
{
    static const unsigned char zeroed[MEGABYTE];
    (void)value, (void)env;
    ck_assert(memcmp(result, zeroed, MEGABYTE) == 0);
    memset(result, 0x5a, MEGABYTE);
    return 0;
}

TEST(a_large_result_arrives_whole_in_a_place_that_is_zeroed) /* PA47 */
{
    static unsigned char bytes[MEGABYTE], expected[MEGABYTE];
    begin(BEFORE, false);
    cop_future *child = cop_map(source.future, write_a_megabyte, NULL, MEGABYTE);
    ck_assert_int_eq(cop_await(child, bytes, MEGABYTE, SOON), 0);
    memset(expected, 0x5a, MEGABYTE);
    ck_assert(memcmp(bytes, expected, MEGABYTE) == 0);
    ck_assert_int_eq(cop_await(child, bytes, MEGABYTE - 1, SOON), -EMSGSIZE);
    cop_future_release(child);
    let_go();
}

static int
write_zero(const void *value, void *result, void *env)
{
    (void)value, (void)env;
    *(uint64_t *)result = 0;
    return 0;
}

TEST(zero_is_a_value) /* PA47 */
{
    begin(BEFORE, false);
    assert_value(cop_map(source.future, write_zero, NULL, sizeof VALUE), 0);
    let_go();
}

static int
upper_bytes(const void *value, void *result, void *env)
{
    const cop_bytes *from = value;
    char *to = cop_alloc(from->size);
    (void)env;
    ck_assert_ptr_nonnull(to);
    for (size_t i = 0; i < from->size; i++) {
        to[i] = (char)(((const char *)from->data)[i] - 'a' + 'A');
    }
    *(cop_bytes *)result = (cop_bytes){to, from->size};
    return 0;
}

TEST(values_of_any_size_come_and_go_as_bytes)
{
    cop_bytes out;
    ck_assert_int_eq(cop_promise_new(&source.future, &source.resolver, COP_ANY), 0);
    cop_future *child = cop_map(source.future, upper_bytes, NULL, COP_ANY);
    ck_assert_int_eq(cop_resolve(source.resolver, (cop_bytes){"coppice", 7}), 0);
    ck_assert_int_eq(cop_await_bytes(child, &out, SOON), 0);
    ck_assert_uint_eq(out.size, 7);
    ck_assert_mem_eq(out.data, "COPPICE", 7);
    cop_future_release(child);
    let_go();
}

static int
fill_in_nothing(const void *value, void *result, void *env)
{
    (void)value, (void)result, (void)env;
    return 0;
}

TEST(bytes_that_were_not_filled_in_are_none)
{
    cop_bytes out;
    begin(BEFORE, false);
    cop_future *child = cop_map(source.future, fill_in_nothing, NULL, COP_ANY);
    ck_assert_int_eq(cop_await_bytes(child, &out, SOON), 0);
    ck_assert_uint_eq(out.size, 0);
    cop_future_release(child);
    let_go();
}

/* ---------------------------------------------------------------- the child as a future */

TEST_TIMES(KINDS, a_child_is_another_future_that_needs_no_handle_of_its_source) /* PA32 */
{
    begin(LATER, _i == RECOVER);
    cop_future *child = make(_i, (cop_chain_opts){0});
    ck_assert_ptr_ne(child, source.future);
    ck_assert_int_eq(cop_future_state(child, NULL), -EINPROGRESS);
    ck_assert_uint_eq(cop_future_pid(child).id, COP_NOBODY.id);
    cop_future_release(source.future);
    settle();
    cop_resolver_free(source.resolver);
    assert_value(child, _i == RECOVER ? EBADMSG + two : _i == FINALLY ? VALUE : VALUE + two);
}

TEST_TIMES(KINDS *ALL_THREE, a_child_that_nobody_holds_has_its_function_run_all_the_same)
{
    begin(_i % ALL_THREE, _i / ALL_THREE == RECOVER);
    cop_future_release(make(_i / ALL_THREE, counted()));
    cop_future_release(source.future);
    proceed();
    cop_resolver_free(source.resolver);
    EVENTUALLY(envs == 1);
    ck_assert_uint_eq(calls, 1);
}

TEST_TIMES(KINDS, it_is_known_where_a_child_was_made)
{
    cop_future *child = NULL;
    int line = 0;
    begin(LATER, false);
    switch ((enum kind)_i) {
    case MAP:
        line = __LINE__ + 1;
        child = cop_map(source.future, add, &two, sizeof VALUE);
        break;
    case THEN:
        line = __LINE__ + 1;
        child = cop_then(source.future, then_a_value, &two, sizeof VALUE);
        break;
    case RECOVER:
        line = __LINE__ + 1;
        child = cop_recover(source.future, make_up, &two, sizeof VALUE);
        break;
    case FINALLY:
        line = __LINE__ + 1;
        child = cop_finally(source.future, look, NULL);
        break;
    case KINDS:
        break;
    }
    ck_assert_ptr_nonnull(child);
    ck_assert_int_eq(child->line, line);
    ck_assert_str_eq(child->file, __FILE__);
    cop_future_release(child);
    let_go();
}

TEST(who_wants_to_be_told_of_a_child_is_told)
{
    enum {
        SETTLED = 1
    };
    begin(LATER, false);
    cop_future *child = cop_map(source.future, add, &two, sizeof VALUE);
    cop_ref ref = cop_future_notify(child, SETTLED);
    settle();
    cop_msg msg = test_receive(SETTLED);
    const struct cop_settled *settled = COP_BODY(msg, struct cop_settled);
    ck_assert_uint_eq(settled->ref.id, ref.id);
    ck_assert_int_eq(settled->code, 0);
    cop_future_release(child);
    let_go();
}

/* ---------------------------------------------------------------- cancelled children */

static void
assert_cancelled(cop_future *child)
{
    assert_rejected(child, (cop_reason){COP_SHUTDOWN, -ECANCELED, "enough"});
}

TEST_TIMES(FINALLY, the_function_of_a_child_that_has_been_cancelled_is_not_called)
{
    begin(LATER, _i == RECOVER);
    cop_future *child = make(_i, counted()), *after = make(_i, counted());
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EBADF, "enough")), 0);
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EBADF, "again")), -EALREADY);
    ck_assert_int_eq(cop_future_state(source.future, NULL), -EINPROGRESS);
    settle();
    assert_value(after, _i == RECOVER ? EBADMSG + two : VALUE + two);
    assert_cancelled(child);
    EVENTUALLY(envs == 2);
    ck_assert_uint_eq(calls, 1);
    let_go();
}

static atomic_bool is_inside, may_return;

static int
add_when_told(const void *value, void *result, void *env)
{
    is_inside = true;
    while (!may_return) {
        cop_sleep(COP_US(200));
    }
    return add(value, result, env);
}

TEST(a_child_that_is_cancelled_while_its_function_runs_stays_so)
{
    begin(BEFORE, false);
    cop_future *child = cop_map_with(
        source.future, add_when_told,
        &(cop_chain_opts){.result_size = sizeof VALUE, .env = &two, .drop_env = drop_env});
    EVENTUALLY(is_inside);
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EBADF, "enough")), 0);
    may_return = true;
    EVENTUALLY(envs == 1);
    assert_cancelled(child);
    let_go();
}

TEST(what_stands_on_a_cancelled_child_is_rejected_so)
{
    begin(LATER, false);
    cop_future *child = cop_map(source.future, add, &two, sizeof VALUE);
    cop_future *grandchild = cop_map(child, add, &two, sizeof VALUE);
    ck_assert_int_eq(cop_future_cancel(child, cop_failed(-EBADF, "enough")), 0);
    assert_cancelled(grandchild); /* though the source is pending */
    cop_future_release(child);
    let_go();
}

/* ---------------------------------------------------------------- the environment */

TEST_TIMES(2 * KINDS, the_environment_is_dropped_once_whether_the_function_is_called_or_not)
{
    begin(RIGHT_AFTER, _i >= KINDS);
    cop_future *child = make(_i % KINDS, counted());
    proceed();
    EVENTUALLY(envs == 1);
    EVENTUALLY(cop_future_state(child, NULL) != -EINPROGRESS);
    cop_future_release(child);
    let_go();
}

static void
free_env(void *env)
{
    ck_assert_uint_eq(calls, 1); /* not before */
    free(env);
    envs++;
}

TEST(the_environment_is_dropped_after_the_function_also_when_it_exits)
{
    cop_reason *why = malloc(sizeof *why);
    ck_assert_ptr_nonnull(why);
    *why = cop_failed(-EBADF, "{a,very,own,crash}");
    begin(BEFORE, false);
    cop_future *child = cop_map_with(
        source.future, crash_map,
        &(cop_chain_opts){.result_size = sizeof VALUE, .env = why, .drop_env = free_env});
    assert_rejected(child, cop_failed(-EBADF, "{a,very,own,crash}"));
    EVENTUALLY(envs == 1);
    let_go();
}

/* ---------------------------------------------------------------- long chains */

TEST_TIMES(ALL_THREE, a_thousand_stages_come_to_their_value)
{
    begin(_i, false);
    cop_future *at = cop_future_retain(source.future);
    for (int i = 0; i < 1000; i++) {
        cop_future *next = cop_map(at, add, &two, sizeof VALUE);
        cop_future_release(at);
        at = next;
    }
    proceed();
    assert_value(at, VALUE + 1000 * two);
    ck_assert_uint_eq(calls, 1000);
    let_go();
}

static int
release_last(cop_bytes arg)
{
    cop_future_release(*(cop_future *const *)arg.data);
    return 0;
}

/* Given back by a process with a small stack, as the only handle. */
static void
release_in_small_process(cop_future *future)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, release_last, .arg = COP_BYTES(future), .monitor = &monitor,
                               .stack_size = 64 << 10),
                     0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(a_value_that_passes_by_many_stages_is_given_back_without_much_stack)
{
    begin(BEFORE, false);
    cop_future *at = cop_future_retain(source.future);
    for (int i = 0; i < 5000; i++) {
        cop_future *next = cop_recover(at, make_up, &two, sizeof VALUE);
        uint64_t value;
        ck_assert_int_eq(cop_await(next, COP_OUT(value), SOON), 0);
        cop_future_release(at);
        at = next;
    }
    let_go();
    cop_sleep(COP_MS(1)); /* the worker's own hold goes, too */
    release_in_small_process(at);
}

/* ---------------------------------------------------------------- other sources */

static int
return_two(cop_bytes arg, void *result)
{
    (void)arg;
    *(uint64_t *)result = 2;
    return 0;
}

TEST(a_task_is_a_source_like_any_other)
{
    cop_future *task = cop_async(return_two, .result_size = sizeof VALUE);
    cop_future *child = cop_map(task, add, &two, sizeof VALUE);
    cop_future_release(task);
    assert_value(child, 4);
}

static int
never_answer(cop_bytes arg)
{
    (void)arg;
    cop_sleep(COP_FOREVER);
    return 0;
}

TEST(a_call_that_is_late_is_a_source_that_has_failed)
{
    cop_pid server;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&server, never_answer, .monitor = &monitor), 0);
    cop_future *call = cop_call_async(server, COP_MSG_OF(1, VALUE), sizeof VALUE, COP_MS(1));
    cop_future *child = cop_recover(call, make_up, &two, sizeof VALUE);
    uint64_t value = 0;
    ck_assert_int_eq(cop_await(child, COP_OUT(value), SOON), 0);
    cop_reason why;
    ck_assert_uint_eq(value, (uint64_t)-cop_future_state(call, &why) + two);
    cop_future_release(call);
    cop_future_release(child);
    cop_exit_signal(server, COP_REASON_SHUTDOWN);
    test_down(monitor);
}

TEST(a_promise_whose_resolver_goes_is_a_source_that_has_failed)
{
    begin(LATER, false);
    cop_future *child = cop_recover(source.future, make_up, &two, sizeof VALUE);
    let_go();
    assert_value(child, EPIPE + two);
}

static int
forty_two(cop_bytes arg, void *result)
{
    (void)arg;
    *(int *)result = 42;
    return 0;
}

static int
copy_number(const void *value, void *result, void *env)
{
    (void)env;
    *(int *)result = *(const int *)value;
    return 0;
}

TEST(what_is_chained_to_a_lazy_task_starts_it)
{
    cop_future *lazy = cop_async(forty_two, .result_size = sizeof(int), .lazy = true);
    cop_future *child = cop_map(lazy, copy_number, NULL, sizeof(int));
    int n = 0;
    ck_assert_int_eq(cop_await(child, COP_OUT(n), SOON), 0);
    ck_assert_int_eq(n, 42);
    cop_future_release(child);
    cop_future_release(lazy);
}

TEST(without_a_function_a_child_is_a_rejection)
{
    cop_future *task = cop_async(forty_two, .result_size = sizeof(int));
    cop_future *children[] = {cop_map_with(task, NULL, NULL), cop_then_with(task, NULL, NULL),
                              cop_recover_with(task, NULL, NULL),
                              cop_finally_with(task, NULL, NULL)};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(cop_future_state(children[i], NULL), -EINVAL);
        cop_future_release(children[i]);
    }
    cop_future_release(task);
}

SUITE("chain")
