/*
 * tests/actors/test_result.c - what a user's function makes: its place, how it is kept, and that what it
 * owns is dropped once on every way through a chain.
 *
 * Room: tests/. What owns memory is a pointer to a number on the heap; a leak checker sees to it that
 * it is not forgotten.
 */
#include "actors/result.h"
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <coppice/chain.h>

#include <errno.h>

/* ---------------------------------------------------------------- a cell to make results for */

static void
free_nothing(cop_future *future)
{
    (void)future;
}

static const struct copi_source still = {.free = free_nothing};

static cop_future
cell(size_t size)
{
    cop_future future;
    copi_future_init(&future, &(struct copi_future_init){.source = &still, .value_size = size});
    return future;
}

static atomic_uint drops;

static void
count_drop(void *value)
{
    (void)value;
    drops++;
}

/* ---------------------------------------------------------------- the parts */

TEST(a_result_of_known_size_is_made_in_its_room)
{
    uint64_t room;
    struct copi_result result = {.inside = &room};
    cop_future future = cell(sizeof room);
    ck_assert_ptr_eq(copi_result_place(&result, &future), &room);
    ck_assert_int_eq(copi_result_keep(&result, &future), 0);
    ck_assert_ptr_null(result.copy);
    cop_future_release(&future);
}

TEST(a_result_of_no_size_has_no_place)
{
    struct copi_result result = {0};
    cop_future future = cell(0);
    ck_assert_ptr_null(copi_result_place(&result, &future));
    ck_assert_int_eq(copi_result_keep(&result, &future), 0);
    copi_result_drop(&result, &future);
    cop_future_release(&future);
}

TEST(bytes_are_copied_when_they_are_kept)
{
    char bytes[] = "bytes";
    struct copi_result result = {0};
    cop_future future = cell(COP_ANY);
    cop_bytes *place = copi_result_place(&result, &future);
    ck_assert_ptr_null(place->data);
    ck_assert_uint_eq(place->size, 0);
    *place = (cop_bytes){bytes, sizeof bytes};
    ck_assert_int_eq(copi_result_keep(&result, &future), 0);
    bytes[0] = 'x';
    ck_assert_str_eq(result.any.data, "bytes");
    copi_result_drop(&result, &future);
    ck_assert_ptr_null(result.copy);
    cop_future_release(&future);
}

TEST(bytes_that_cannot_be_copied_are_no_memory)
{
    struct copi_result result = {.any = {"bytes", 5}};
    cop_future future = cell(COP_ANY);
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_result_keep(&result, &future), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_ptr_null(result.copy);
    copi_result_drop(&result, &future);
    cop_future_release(&future);
}

TEST(no_bytes_at_all_can_be_kept)
{
    struct copi_result result = {0};
    cop_future future = cell(COP_ANY);
    ck_assert_int_eq(copi_result_keep(&result, &future), 0);
    copi_result_drop(&result, &future);
    cop_future_release(&future);
}

TEST(bytes_with_a_drop_function_are_taken_over)
{
    static const char bytes[] = "bytes";
    struct copi_result result = {.drop = count_drop, .any = {bytes, sizeof bytes}};
    cop_future future = cell(COP_ANY);
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_result_keep(&result, &future), 0);
    copi_alloc_fail_after(-1);
    ck_assert_ptr_eq(result.any.data, bytes);
    copi_result_drop(&result, &future);
    ck_assert_uint_eq(drops, 1);
    cop_future_release(&future);
}

TEST(what_is_published_is_the_futures)
{
    struct copi_result result = {.any = {"bytes", 5}};
    cop_future future = cell(COP_ANY);
    ck_assert_int_eq(copi_result_keep(&result, &future), 0);
    ck_assert(copi_future_claim(&future));
    copi_result_publish(&result, &future);
    ck_assert_int_eq(copi_future_outcome(&future), 0);
    ck_assert_uint_eq(future.value.size, 5);
    ck_assert_mem_eq(future.value.data, "bytes", 5);
    ck_assert_ptr_eq(future.outside, result.copy);
    cop_future_release(&future);
}

static void *dropped;

static void
note_drop(void *value)
{
    dropped = value;
}

TEST(the_drop_function_gets_the_place_or_the_bytes_themselves)
{
    uint64_t room;
    static const char bytes[] = "bytes";
    struct copi_result known = {.drop = note_drop, .inside = &room};
    struct copi_result any = {.drop = note_drop, .any = {bytes, sizeof bytes}};
    cop_future future = cell(sizeof room), future_of_any = cell(COP_ANY);
    copi_result_drop(&known, &future);
    ck_assert_ptr_eq(dropped, &room);
    copi_result_drop(&any, &future_of_any);
    ck_assert_ptr_eq(dropped, bytes);
    cop_future_release(&future);
    cop_future_release(&future_of_any);
}

/* ---------------------------------------------------------------- through chains */

static struct {
    cop_future *future;
    cop_resolver *resolver;
} source;

static void
begin(void)
{
    ck_assert_int_eq(cop_promise_new(&source.future, &source.resolver, 0), 0);
}

static void
settle(bool fails)
{
    int r = fails ? cop_reject(source.resolver, cop_failed(-EBADMSG, NULL))
                  : cop_resolve(source.resolver, (cop_bytes){NULL, 0});
    ck_assert_int_eq(r, 0);
}

static void
let_go(void)
{
    cop_resolver_free(source.resolver);
    cop_future_release(source.future);
}

/* A result of known size that owns a number. */
static void
drop_number(void *result)
{
    uint64_t *number;
    memcpy(&number, result, sizeof number);
    free(number);
    drops++;
}

static atomic_bool is_inside, may_return;

static uint64_t *
make_number(void)
{
    uint64_t *number = malloc(sizeof *number);
    ck_assert_ptr_nonnull(number);
    *number = 42;
    is_inside = true;
    while (!may_return) {
        cop_sleep(COP_US(200));
    }
    return number;
}

static int
map_number(const void *value, void *result, void *env)
{
    (void)value, (void)env;
    uint64_t *number = make_number();
    memcpy(result, &number, sizeof number);
    return 0;
}

static int
recover_number(cop_reason why, void *result, void *env)
{
    (void)why;
    return map_number(NULL, result, env);
}

static int
map_bytes(const void *value, void *result, void *env)
{
    (void)value, (void)env;
    *(cop_bytes *)result = (cop_bytes){make_number(), sizeof(uint64_t)};
    return 0;
}

static int
recover_bytes(cop_reason why, void *result, void *env)
{
    (void)why;
    return map_bytes(NULL, result, env);
}

static void
drop_bytes(void *data)
{
    free(data);
    drops++;
}

enum {
    MAP,
    MAP_ANY,
    RECOVER,
    RECOVER_ANY,
    WAYS,
};

static cop_future *
make(int way)
{
    const cop_chain_opts known = {.result_size = sizeof(uint64_t *), .drop = drop_number};
    const cop_chain_opts any = {.result_size = COP_ANY, .drop = drop_bytes};
    switch (way) {
    case MAP:
        return cop_map_with(source.future, map_number, &known);
    case MAP_ANY:
        return cop_map_with(source.future, map_bytes, &any);
    case RECOVER:
        return cop_recover_with(source.future, recover_number, &known);
    default:
        return cop_recover_with(source.future, recover_bytes, &any);
    }
}

static bool
needs_failure(int way)
{
    return way >= RECOVER;
}

static void
assert_value(cop_future *child, int way)
{
    cop_bytes bytes;
    ck_assert_int_eq(cop_await_bytes(child, &bytes, SOON), 0);
    const uint64_t *number = bytes.data;
    if (way == MAP || way == RECOVER) {
        memcpy(&number, bytes.data, sizeof number);
    }
    ck_assert_uint_eq(*number, 42);
}

static void
assert_dropped_once(void)
{
    EVENTUALLY(drops > 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(drops, 1);
}

TEST_TIMES(WAYS, what_a_result_owns_goes_with_the_last_handle)
{
    may_return = true;
    begin();
    cop_future *child = make(_i);
    settle(needs_failure(_i));
    assert_value(child, _i);
    cop_future_retain(child);
    cop_future_release(child);
    ck_assert_uint_eq(drops, 0);
    assert_value(child, _i);
    cop_future_release(child);
    assert_dropped_once();
    let_go();
}

TEST_TIMES(WAYS, what_a_result_owns_goes_when_nobody_wants_it)
{
    may_return = true;
    begin();
    cop_future_release(make(_i));
    settle(needs_failure(_i));
    let_go();
    assert_dropped_once();
}

TEST_TIMES(WAYS, what_a_result_owns_goes_when_the_child_was_cancelled_meanwhile)
{
    begin();
    cop_future *child = make(_i);
    settle(needs_failure(_i));
    EVENTUALLY(is_inside);
    ck_assert_int_eq(cop_future_cancel(child, COP_REASON_SHUTDOWN), 0);
    may_return = true;
    EVENTUALLY(drops == 1); /* although there is a handle */
    cop_future_release(child);
    let_go();
    assert_dropped_once();
}

TEST_TIMES(WAYS, nothing_is_dropped_of_what_was_not_made)
{
    begin();
    cop_future *child = make(_i), *cancelled = make(_i);
    cop_future_cancel(cancelled, COP_REASON_SHUTDOWN);
    settle(!needs_failure(_i)); /* what the function is not for */
    cop_bytes bytes;
    cop_await_bytes(child, &bytes, SOON);
    cop_future_release(child);
    cop_future_release(cancelled);
    let_go();
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(drops, 0);
    ck_assert(!is_inside);
}

static cop_future *
give(const void *value, void *env)
{
    (void)value;
    return cop_future_retain(env);
}

static int
pass_on(cop_reason why, void *result, void *env)
{
    (void)why, (void)result, (void)env;
    return -EDOM;
}

static void
look(void *env)
{
    (void)env;
}

/* Through recover, finally and then, of which each shows it in its turn. */
TEST_TIMES(WAYS, what_a_result_owns_is_dropped_once_after_all_that_showed_it)
{
    const size_t size = _i == MAP || _i == RECOVER ? sizeof(uint64_t *) : COP_ANY;
    may_return = true;
    begin();
    cop_future *made = make(_i);
    cop_future *recovered = cop_recover(made, pass_on, NULL, size);
    cop_future *looked_at = cop_finally(recovered, look, NULL);
    cop_future *given = cop_then(looked_at, give, looked_at, size);
    settle(needs_failure(_i));
    assert_value(given, _i);
    cop_future_release(made);
    cop_future_release(looked_at);
    cop_future_release(recovered);
    ck_assert_uint_eq(drops, 0);
    assert_value(given, _i);
    cop_future_release(given);
    let_go();
    assert_dropped_once();
}

TEST_TIMES(WAYS, what_nobody_can_show_for_its_size_is_dropped_once)
{
    may_return = true;
    begin();
    cop_future *made = make(_i);
    cop_future *recovered = cop_recover(made, pass_on, NULL, 3);
    cop_future *given = cop_then(made, give, made, 5);
    settle(needs_failure(_i));
    cop_bytes bytes;
    ck_assert_int_eq(cop_await_bytes(recovered, &bytes, SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_await_bytes(given, &bytes, SOON), -EMSGSIZE);
    cop_future_release(recovered);
    cop_future_release(given);
    EVENTUALLY(cop_future_state(made, NULL) == 0);
    ck_assert_uint_eq(drops, 0);
    cop_future_release(made);
    let_go();
    assert_dropped_once();
}

TEST_TIMES(WAYS, what_is_shown_by_a_cancelled_child_is_dropped_once)
{
    begin();
    cop_future *made = make(_i);
    cop_future *looked_at = cop_finally(made, look, NULL);
    cop_future *given = cop_then(made, give, made, COP_ANY);
    settle(needs_failure(_i));
    EVENTUALLY(is_inside);
    cop_future_cancel(looked_at, COP_REASON_SHUTDOWN);
    cop_future_cancel(given, COP_REASON_SHUTDOWN);
    may_return = true;
    assert_value(made, _i);
    cop_future_release(looked_at);
    cop_future_release(given);
    cop_future_release(made);
    let_go();
    assert_dropped_once();
}

static int
make_and_fail(const void *value, void *result, void *env)
{
    (void)value, (void)result, (void)env;
    return -EDOM;
}

TEST(what_a_function_that_fails_has_left_in_the_place_is_its_own_affair)
{
    begin();
    cop_future *child =
        cop_map_with(source.future, make_and_fail,
                     &(cop_chain_opts){.result_size = sizeof(uint64_t *), .drop = drop_number});
    settle(false);
    cop_bytes bytes;
    ck_assert_int_eq(cop_await_bytes(child, &bytes, SOON), -EDOM);
    cop_future_release(child);
    let_go();
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(drops, 0);
}

static void
exit_in_drop(void *data)
{
    drop_bytes(data);
    cop_exit(COP_REASON_NORMAL);
}

TEST(an_exit_in_the_drop_function_harms_nobody)
{
    may_return = true;
    begin();
    cop_future_release(cop_map_with(
        source.future, map_bytes, &(cop_chain_opts){.result_size = COP_ANY, .drop = exit_in_drop}));
    cop_future *other = cop_finally(source.future, look, NULL);
    settle(false);
    let_go();
    ck_assert_int_eq(cop_await(other, NULL, 0, SOON), 0);
    cop_future_release(other);
    assert_dropped_once();
}

SUITE("result")
