/*
 * tests/actors/durable/test_awaited.c - the futures of pending promises that somebody here awaits.
 */
#include "actors/durable/awaited.h"
#include "runtime/alloc.h"
#include "tests/actors/durable/stored.h"

static cop_future *
future_of(struct copi_awaited *awaited, const char *id)
{
    return copi_awaited_future(awaited, COP_NOBODY, &(cop_durable_record){.id = id}, __FILE__,
                               __LINE__);
}

static void
resolve(struct copi_awaited *awaited, const char *id)
{
    copi_awaited_settle(awaited, &(cop_durable_record){
                                     .id = id,
                                     .state = COP_DURABLE_RESOLVED,
                                     .value = COP_STR("value"),
                                 });
}

TEST(a_promise_has_one_future_however_often_it_is_recovered)
{
    struct copi_awaited awaited;
    copi_awaited_init(&awaited);
    cop_future *one = future_of(&awaited, "a"), *other = future_of(&awaited, "a");
    ck_assert_ptr_eq(one, other);
    ck_assert_uint_eq(copi_awaited_count(&awaited), 1);
    resolve(&awaited, "a");
    ck_assert_int_eq(cop_future_state(one, NULL), 0);
    ck_assert_uint_eq(copi_awaited_count(&awaited), 0);
    cop_future_release(one);
    cop_future_release(other);
    copi_awaited_clear(&awaited);
}

TEST(what_is_not_settled_when_the_store_ends_is_rejected)
{
    struct copi_awaited awaited;
    copi_awaited_init(&awaited);
    cop_future *future = future_of(&awaited, "a");
    copi_awaited_clear(&awaited);
    ck_assert_int_eq(cop_future_state(future, NULL), -EPIPE);
    cop_future_release(future);
}

TEST(futures_that_nobody_holds_are_let_go_and_others_are_not)
{
    struct copi_awaited awaited;
    char id[16];
    copi_awaited_init(&awaited);
    cop_future *held = future_of(&awaited, "held");
    cop_future *told = future_of(&awaited, "told");
    ck_assert_uint_ne(cop_future_notify(told, 7).id, 0);
    cop_future_release(told); /* a message was asked for */
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        cop_future_release(future_of(&awaited, id));
    }
    ck_assert_uint_lt(copi_awaited_count(&awaited), 200);
    resolve(&awaited, "held");
    ck_assert_int_eq(cop_future_state(held, NULL), 0);
    resolve(&awaited, "told");
    (void)test_receive(7);
    cop_future_release(held);
    copi_awaited_clear(&awaited);
}

TEST(what_is_hinted_at_is_taken_once)
{
    struct copi_awaited awaited;
    const char *ids[4];
    copi_awaited_init(&awaited);
    cop_future *a = future_of(&awaited, "a"), *b = future_of(&awaited, "b");
    ck_assert(!copi_awaited_is_hinted(&awaited));
    copi_awaited_hint(&awaited, "unknown");
    ck_assert(!copi_awaited_is_hinted(&awaited));
    copi_awaited_hint(&awaited, "a");
    copi_awaited_hint(&awaited, "a");
    ck_assert_uint_eq(copi_awaited_take(&awaited, ids, 4), 1);
    ck_assert_str_eq(ids[0], "a");
    copi_awaited_hint(&awaited, NULL);
    ck_assert_uint_eq(copi_awaited_take(&awaited, ids, 1), 1);
    ck_assert_uint_eq(copi_awaited_take(&awaited, ids, 4), 1);
    ck_assert(!copi_awaited_is_hinted(&awaited));
    copi_awaited_hint(&awaited, "b");
    resolve(&awaited, "b"); /* nothing is left to look at */
    ck_assert(!copi_awaited_is_hinted(&awaited));
    cop_future_release(a);
    cop_future_release(b);
    copi_awaited_clear(&awaited);
}

TEST(without_memory_for_the_value_it_stays_pending_and_is_looked_at_again)
{
    struct copi_awaited awaited;
    copi_awaited_init(&awaited);
    cop_future *future = future_of(&awaited, "a");
    copi_alloc_fail_after(0);
    resolve(&awaited, "a");
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    ck_assert(copi_awaited_is_hinted(&awaited));
    resolve(&awaited, "a");
    ck_assert_int_eq(cop_future_state(future, NULL), 0);
    cop_future_release(future);
    copi_awaited_clear(&awaited);
}

static int
make_one(void *arg)
{
    cop_future *future = future_of(arg, "a");
    cop_future_release(future);
    return future ? 0 : -ENOMEM;
}

TEST(without_memory_there_is_no_future)
{
    struct copi_awaited awaited;
    int r;
    copi_awaited_init(&awaited);
    ck_assert_uint_gt(test_out_of_memory(make_one, &awaited, &r), 0);
    ck_assert_int_eq(r, 0);
    copi_awaited_clear(&awaited);
}

SUITE("awaited")
