/*
 * tests/actors/durable/damage.h - rows that no store has written: each fails what is asked about it, and nothing else.
 *
 * Room: tests/. Included by a suite of each database, once, after it has defined
 *
 *     static cop_pid a_store(void);                       an empty one of the test's own
 *     static void damage(const char *id, const char *so); as "UPDATE … SET so WHERE id=…", whatever the table checks
 *     static const char *const damages[];                 of a pending row
 */
#ifndef COPI_TESTS_DAMAGE_H
#define COPI_TESTS_DAMAGE_H

#include "tests/actors/durable/asking.h"

#define DAMAGES ((int)(sizeof damages / sizeof *damages))

static cop_pid
a_store_with_three(void)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, "before", .queue = "q"), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .queue = "q"), 0);
    ck_assert_int_eq(cop_durable_create(store, "within", .queue = "q"), 0);
    return store;
}

static void
check_damaged(int r)
{
    ck_assert_int_eq(r, -EBADMSG);
    ck_assert_str_eq(cop_why().text, "damaged");
}

/* ---------------------------------------------------------------- about one */

TEST_TIMES(DAMAGES, what_is_asked_about_a_damaged_row_fails_alone)
{
    cop_durable_record record = {0};
    cop_future *future;
    cop_pid store = a_store_with_three();
    damage(ID, damages[_i]);
    check_damaged(cop_durable_get(store, ID, &record, SOON));
    check_damaged(cop_durable_create(store, ID, .record = &record));
    check_damaged(cop_durable_recover(store, ID, &future, SOON));
    ck_assert_ptr_null(record.held);
    ck_assert_int_eq(cop_durable_resolve(store, "before", COP_STR("x")), 0); /* it is open */
    check_resolved(store, "before", "x");
    stop(store);
}

static cop_future *
ask_for(cop_pid store, const char *id)
{
    cop_future *asked = copi_ask(store, &(cop_store_op){.kind = COP_STORE_GET, .id = id},
                                 &(struct copi_ask_opts){0});
    ck_assert_ptr_nonnull(asked);
    return asked;
}

TEST(those_of_a_batch_are_answered_each_for_itself)
{
    static const char *const ids[] = {"before", ID, "within", "nobody"};
    static const int expected[] = {0, -EBADMSG, 0, -ENOENT};
    cop_future *asks[4 * 20];
    cop_pid store = a_store_with_three();
    damage(ID, damages[0]);
    for (int i = 0; i < 4 * 20; i++) {
        asks[i] = ask_for(store, ids[i % 4]);
    }
    for (int i = 0; i < 4 * 20; i++) {
        cop_bytes unused;
        ck_assert_int_eq(cop_await_bytes(asks[i], &unused, SOON), expected[i % 4]);
        cop_future_release(asks[i]);
    }
    stop(store);
}

TEST(a_damaged_row_is_leased_to_nobody)
{
    cop_pid store = a_store_with_three();
    damage(ID, "attempts=-7");
    ck_assert_int_eq(result_of(store, ASK(.kind = COP_STORE_ACQUIRE, .id = ID, .owner = OWNER('a'),
                                          .time = COP_SEC(100))),
                     -EBADMSG);
    ck_assert_int_eq(result_of(store, ASK(.kind = COP_STORE_ACQUIRE, .id = "within",
                                          .owner = OWNER('a'), .time = COP_SEC(100))),
                     0);
    stop(store);
}

/* ---------------------------------------------------------------- about many */

static int
see(const cop_durable_record *record, void *env)
{
    ck_assert_str_ne(record->id, ID);
    ck_assert(!record->is_damaged);
    ++*(int *)env;
    return 0;
}

TEST(who_recovers_all_is_shown_the_others_whatever_the_page)
{
    cop_pid store = a_store_with_three();
    damage(ID, "attempts=-7");
    for (size_t page = 1; page <= 4; page++) {
        int seen = 0;
        test_catch_stderr();
        ck_assert_int_eq(cop_durable_recover_all(store, see, &seen, .page = page), 0);
        char *said = test_caught_stderr();
        ck_assert_int_eq(seen, 2);
        ck_assert_ptr_nonnull(strstr(said, "a stored promise is damaged"));
        ck_assert_ptr_nonnull(strstr(said, ID));
        free(said);
    }
    stop(store);
}

TEST(who_claims_gets_the_others)
{
    cop_pid store = a_store_with_three();
    damage(ID, "attempts=-7");
    struct copi_ask *claimed = asked(store, ASK(.kind = COP_STORE_CLAIM, .queue = "q", .limit = 9,
                                                .owner = OWNER('a'), .time = COP_SEC(100)));
    ck_assert_int_eq(claimed->op.result, 0);
    unsigned sound = 0;
    for (const cop_durable_record *record = claimed->op.first; record; record = record->next) {
        ck_assert_int_eq(record->is_damaged, strcmp(record->id, ID) == 0);
        sound += !record->is_damaged;
    }
    ck_assert_uint_eq(sound, 2);
    over(claimed);
    stop(store);
}

/* ---------------------------------------------------------------- awaited */

TEST(who_awaits_one_that_is_damaged_meanwhile_is_told)
{
    cop_reason why;
    cop_pid store = a_store_with_three();
    cop_future *damaged = recovered(store, ID), *other = recovered(store, "within");
    damage(ID, damages[0]);
    ck_assert_int_eq(cop_await(damaged, NULL, 0, SOON), -EBADMSG);
    ck_assert_int_eq(cop_future_state(damaged, &why), -EBADMSG);
    ck_assert_str_eq(why.text, "what is stored of it is damaged");
    ck_assert_int_eq(cop_future_state(other, NULL), -EINPROGRESS);
    ck_assert_int_eq(cop_durable_resolve(store, "within", (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await(other, NULL, 0, SOON), 0);
    cop_future_release(damaged);
    cop_future_release(other);
    stop(store);
}

#endif
