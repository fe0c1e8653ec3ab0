/*
 * tests/actors/durable/promises.h - what holds of durable promises, whatever they are kept in.
 *
 * Room: tests/. Included by the suite of each backend, once, after it has defined
 *
 *     static cop_pid a_store_with(cop_store_opts opts);    an empty one of the test's own
 *
 * The numbers (DP…) are those of the conformance cases.
 */
#ifndef COPI_TESTS_PROMISES_H
#define COPI_TESTS_PROMISES_H

#include "tests/actors/durable/stored.h"

static cop_pid
a_store(void)
{
    return a_store_with((cop_store_opts){0});
}

/* ---------------------------------------------------------------- creating */

/* DP01 */
TEST(a_promise_is_stored_as_it_was_created)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("3 apples"), .queue = "fruit",
                                        .tags = "red urgent", .key = COP_STR("k"),
                                        .max_attempts = 4),
                     0);
    cop_durable_record record = stored(store, ID);
    ck_assert_str_eq(record.id, ID);
    ck_assert_int_eq(record.state, COP_DURABLE_PENDING);
    check_bytes(record.param, "3 apples");
    check_bytes(record.create_key, "k");
    ck_assert_str_eq(record.queue, "fruit");
    ck_assert_str_eq(record.tags, "red urgent");
    ck_assert_uint_eq(record.max_attempts, 4);
    ck_assert_int_gt(record.created_ms, 1500000000000);
    ck_assert_int_eq(record.settled_ms, 0);
    ck_assert_int_eq(record.deadline_ms, 0);
    cop_durable_release(&record);
    stop(store);
}

/* DP02 */
TEST(creating_again_and_saying_the_same_changes_nothing)
{
    cop_pid store = a_store();
    cop_durable_record first, again;
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("a"), .tags = "t",
                                        .expires_in = COP_SEC(100), .record = &first),
                     0);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("a"), .tags = "t",
                                        .expires_in = COP_SEC(100), .record = &again),
                     0);
    ck_assert(!first.is_duplicate && again.is_duplicate);
    ck_assert_int_eq(again.created_ms, first.created_ms);
    ck_assert_int_eq(again.deadline_ms, first.deadline_ms);
    cop_durable_release(&first);
    cop_durable_release(&again);
    stop(store);
}

/* DP02 */
TEST(with_equal_keys_two_creates_say_the_same_whatever_they_say)
{
    cop_pid store = a_store();
    const cop_bytes key = COP_STR("once");
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("a"), .key = key), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("b"), .key = key), 0);
    cop_durable_record record = stored(store, ID);
    check_bytes(record.param, "a");
    cop_durable_release(&record);
    stop(store);
}

/* DP03 */
TEST(creating_again_and_saying_otherwise_is_a_conflict)
{
    cop_pid store = a_store();
    const cop_bytes a = COP_STR("a"), key = COP_STR("k");
    ck_assert_int_eq(cop_durable_create(store, ID, .param = a), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = COP_STR("b")), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, ID), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = a, .queue = "q"), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = a, .tags = "t"), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = a, .expires_in = COP_SEC(9)), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = a, .max_attempts = 1), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = a, .key = key), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, "other", .key = key), 0);
    ck_assert_int_eq(cop_durable_create(store, "other", .key = COP_STR("l")), -EEXIST);
    ck_assert_int_eq(cop_durable_create(store, "other"), -EEXIST); /* a key on one side only */
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_create(store, ID, .record = &record), -EEXIST);
    check_bytes(record.param, "a");
    cop_durable_release(&record);
    stop(store);
}

TEST(more_attempts_than_a_store_counts_are_as_many_as_it_does_and_the_same_again)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID, .max_attempts = UINT32_MAX), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .max_attempts = UINT32_MAX), 0);
    cop_durable_record record = stored(store, ID);
    ck_assert_uint_eq(record.max_attempts, INT32_MAX);
    cop_durable_release(&record);
    stop(store);
}

/* DP04 */
TEST(creating_what_is_settled_gives_what_came_of_it)
{
    cop_pid store = a_store();
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("done")), 0);
    ck_assert_int_eq(cop_durable_create(store, ID, .record = &record), 0);
    ck_assert(record.is_duplicate);
    ck_assert_int_eq(record.state, COP_DURABLE_RESOLVED);
    check_bytes(record.value, "done");
    cop_durable_release(&record);
    ck_assert_int_eq(cop_durable_create(store, ID, .strict = true), -EEXIST);
    stop(store);
}

/* ---------------------------------------------------------------- settling */

/* DP05 */
TEST(what_nobody_has_created_cannot_be_settled)
{
    cop_pid store = a_store();
    cop_durable_record record;
    cop_future *future;
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -ENOENT);
    ck_assert_int_eq(cop_durable_reject(store, ID, cop_failed(-EIO, "no")), -ENOENT);
    ck_assert_int_eq(cop_durable_cancel(store, ID, NULL), -ENOENT);
    ck_assert_int_eq(cop_durable_get(store, ID, &record, SOON), -ENOENT);
    ck_assert_int_eq(cop_durable_recover(store, ID, &future, SOON), -ENOENT);
    stop(store);
}

/* DP06 */
TEST(resolving_again_and_saying_the_same_is_a_duplicate)
{
    cop_pid store = a_store();
    cop_durable_record first, again;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .record = &first), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .record = &again), 0);
    ck_assert(!first.is_duplicate && again.is_duplicate);
    ck_assert_int_eq(first.settled_ms, again.settled_ms);
    cop_durable_release(&first);
    cop_durable_release(&again);
    stop(store);
}

/* DP06 */
TEST(resolving_again_with_other_bytes_is_refused_and_shows_the_winner)
{
    cop_pid store = a_store();
    cop_durable_record winner;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("b"), .record = &winner), -EALREADY);
    ck_assert_str_eq(cop_why().text, "resolved");
    check_bytes(winner.value, "a");
    cop_durable_release(&winner);
    check_resolved(store, ID, "a");
    stop(store);
}

/* DP06 */
TEST(with_equal_keys_the_first_bytes_stay)
{
    cop_pid store = a_store();
    const cop_bytes key = COP_STR("once");
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .key = key), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("b"), .key = key), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EALREADY);
    check_resolved(store, ID, "a");
    stop(store);
}

/* DP07 */
TEST(resolving_what_is_rejected_is_refused_and_tells_why_it_was)
{
    cop_pid store = a_store();
    cop_durable_record winner;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(
        cop_durable_reject(store, ID, cop_failed(-EPROTO, "bad address"), .key = COP_STR("k")), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EALREADY);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .key = COP_STR("l"),
                                         .record = &winner),
                     -EALREADY);
    ck_assert_int_eq(winner.state, COP_DURABLE_REJECTED);
    ck_assert_int_eq(winner.cause, COP_DURABLE_FAILED);
    ck_assert_int_eq(winner.code, -EPROTO);
    ck_assert_str_eq(winner.text, "bad address");
    cop_durable_release(&winner);
    stop(store);
}

/* DP08 */
TEST(rejecting_with_the_key_that_resolved_is_a_duplicate_unless_it_is_strict)
{
    cop_pid store = a_store();
    const cop_bytes key = COP_STR("once");
    const cop_reason no = cop_failed(-EIO, "no");
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a"), .key = key), 0);
    ck_assert_int_eq(cop_durable_reject(store, ID, no, .key = key, .record = &record), 0);
    ck_assert_int_eq(record.state, COP_DURABLE_RESOLVED);
    cop_durable_release(&record);
    ck_assert_int_eq(cop_durable_reject(store, ID, no, .key = key, .strict = true), -EALREADY);
    stop(store);
}

TEST(rejections_say_the_same_only_with_the_same_code_and_text)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_reject(store, ID, cop_failed(-EIO, "disk")), 0);
    ck_assert_int_eq(cop_durable_reject(store, ID, cop_failed(-EIO, "disk")), 0);
    ck_assert_int_eq(cop_durable_reject(store, ID, cop_failed(-EIO, "other")), -EALREADY);
    ck_assert_int_eq(cop_durable_reject(store, ID, cop_failed(-EPERM, "disk")), -EALREADY);
    ck_assert_int_eq(cop_durable_cancel(store, ID, "disk"), -EALREADY);
    stop(store);
}

TEST(a_rejection_needs_a_code)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    ck_assert_int_eq(cop_durable_reject(store, ID, cop_failed(0, "nothing")), -EINVAL);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_durable_reject(store, ID, COP_REASON_KILLED), 0);
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.code, -ECANCELED);
    cop_durable_release(&record);
    stop(store);
}

/* ---------------------------------------------------------------- futures */

/* DP12 */
TEST(the_future_of_what_is_settled_is_settled)
{
    cop_pid store = a_store();
    cop_bytes value;
    cop_reason why;
    ck_assert_int_eq(cop_durable_create(store, "good"), 0);
    ck_assert_int_eq(cop_durable_create(store, "bad"), 0);
    ck_assert_int_eq(cop_durable_resolve(store, "good", COP_STR("a")), 0);
    ck_assert_int_eq(cop_durable_reject(store, "bad", cop_failed(7, "seven")), 0);
    cop_future *good = recovered(store, "good"), *bad = recovered(store, "bad");
    ck_assert_int_eq(cop_future_state(good, NULL), 0);
    ck_assert_int_eq(cop_await_bytes(good, &value, 0), 0);
    check_bytes(value, "a");
    ck_assert_int_eq(cop_future_state(bad, &why), -ENOTRECOVERABLE);
    ck_assert_int_eq(why.code, 7);
    ck_assert_str_eq(why.text, "seven");
    cop_future_release(good);
    cop_future_release(bad);
    stop(store);
}

/* DP12 */
TEST(the_future_of_what_is_pending_is_settled_with_it)
{
    cop_pid store = a_store();
    cop_bytes value;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *one = recovered(store, ID), *other = recovered(store, ID);
    ck_assert_int_eq(cop_future_state(one, NULL), -EINPROGRESS);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), 0);
    ck_assert_int_eq(cop_await_bytes(one, &value, SOON), 0);
    check_bytes(value, "a");
    ck_assert_int_eq(cop_future_state(other, NULL), 0);
    cop_future_release(one);
    cop_future_release(other);
    stop(store);
}

TEST(an_empty_value_is_a_value)
{
    cop_pid store = a_store();
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, (cop_bytes){0}), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("")), -EALREADY);
    cop_future_release(future);
    stop(store);
}

TEST(cancelling_the_future_cancels_the_promise)
{
    cop_pid store = a_store();
    cop_reason why;
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    cop_future *future = recovered(store, ID);
    ck_assert_int_eq(cop_future_cancel(future, cop_failed(-EPERM, "not wanted")), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(cop_future_state(future, &why), -ECANCELED);
    ck_assert_str_eq(why.text, "not wanted");
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.cause, COP_DURABLE_CANCELLED);
    ck_assert_int_eq(record.code, -ECANCELED);
    cop_durable_release(&record);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EALREADY);
    cop_future_release(future);
    stop(store);
}

TEST(a_settle_that_is_not_waited_for_is_awaited_later)
{
    cop_pid store = a_store();
    int status[4];
    ck_assert_int_eq(cop_durable_create(store, "a"), 0);
    ck_assert_int_eq(cop_durable_create(store, "b"), 0);
    cop_future *settles[] = {
        cop_durable_resolve_async(store, "a", COP_STR("1")),
        cop_durable_reject_async(store, "b", cop_failed(-EIO, "no")),
        cop_durable_resolve_async(store, "b", COP_STR("2")),
        cop_durable_resolve_async(store, "c", COP_STR("3")),
    };
    ck_assert_int_eq(cop_await_settled(settles, 4, NULL, 0, status, SOON), 0);
    ck_assert_int_eq(status[0], 0);
    ck_assert_int_eq(status[1], 0);
    ck_assert_int_eq(status[2], -EALREADY);
    ck_assert_int_eq(status[3], -ENOENT);
    for (unsigned i = 0; i < 4; i++) {
        cop_future_release(settles[i]);
    }
    check_resolved(store, "a", "1");
    stop(store);
}

/* ---------------------------------------------------------------- deadlines */

/* DP15 */
TEST(a_deadline_that_has_passed_at_creation_settles_it)
{
    cop_pid store = a_store();
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = -COP_SEC(1), .record = &record),
                     0);
    ck_assert_int_eq(record.state, COP_DURABLE_REJECTED);
    ck_assert_int_eq(record.cause, COP_DURABLE_DEADLINE);
    ck_assert_int_eq(record.code, -ETIME);
    ck_assert_int_eq(record.settled_ms, record.deadline_ms);
    ck_assert_int_eq(record.deadline_ms, record.created_ms - 1000);
    cop_durable_release(&record);
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("a")), -EALREADY);
    stop(store);
}

TEST(a_future_is_rejected_when_the_deadline_has_passed)
{
    cop_pid store = a_store();
    cop_time began = cop_now();
    ck_assert_int_eq(cop_durable_create(store, ID, .expires_in = COP_MS(30)), 0);
    cop_future *future = recovered(store, ID);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ETIME);
    ck_assert_int_ge(cop_now() - began, COP_MS(28)); /* the store's clock counts milliseconds */
    cop_durable_record record = stored(store, ID);
    ck_assert_int_eq(record.settled_ms, record.deadline_ms);
    cop_durable_release(&record);
    cop_future_release(future);
    stop(store);
}

/* Where each of them is a round trip to a server there are fewer. */
#ifndef PROMISE_RACES
# define PROMISE_RACES (TEST_SANITIZED ? 200 : 1000)
#endif

/* DP17: 10,000 of them, in ten tests */
TEST_TIMES(10, settles_and_deadlines_race_and_each_promise_has_one_outcome)
{
    enum {
        RACES = PROMISE_RACES
    };
    static cop_future *creates[RACES], *settles[RACES];
    static char ids[RACES][16];
    cop_pid store = a_store();
    for (int i = 0; i < RACES; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "race-%d", i);
        creates[i] = cop_durable_create_async(store, ids[i], .expires_in = COP_MS(1 + i % 20));
    }
    for (int i = 0; i < RACES; i++) {
        settles[i] = cop_durable_resolve_async(store, ids[i], COP_STR("in time"));
    }
    for (int i = 0; i < RACES; i++) {
        ck_assert_int_eq(cop_await(creates[i], NULL, 0, SOON), 0);
        int r = cop_await(settles[i], NULL, 0, SOON);
        cop_durable_record record = stored(store, ids[i]);
        bool is_late = record.cause == COP_DURABLE_DEADLINE;
        ck_assert_int_eq(r, is_late ? -EALREADY : 0);
        ck_assert(is_late ? record.settled_ms == record.deadline_ms
                          : record.settled_ms < record.deadline_ms);
        cop_durable_release(&record);
        cop_future_release(creates[i]);
        cop_future_release(settles[i]);
    }
    stop(store);
}

/* ---------------------------------------------------------------- recovering all */

struct seen {
    size_t count, stop_at;
    char last[64];
};

static int
see(const cop_durable_record *record, void *env)
{
    struct seen *seen = env;
    ck_assert_int_lt(strcmp(seen->last, record->id), 0); /* in order, so each once */
    (void)snprintf(seen->last, sizeof seen->last, "%s", record->id);
    return ++seen->count == seen->stop_at ? 42 : 0;
}

static size_t
count_pending(cop_pid store, const char *queue, const char *tag, size_t page)
{
    struct seen seen = {0};
    ck_assert_int_eq(
        cop_durable_recover_all(store, see, &seen, .queue = queue, .tag = tag, .page = page), 0);
    return seen.count;
}

/* DP13, in small */
TEST(all_that_is_pending_is_recovered_once_page_by_page)
{
    cop_pid store = a_store();
    char id[16];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(id, sizeof id, "p%02d", i);
        ck_assert_int_eq(cop_durable_create(store, id, .queue = i % 2 ? "odd" : NULL,
                                            .tags = i % 5 ? "some" : "some fifth"),
                         0);
        if (i % 10 == 0) {
            ck_assert_int_eq(cop_durable_cancel(store, id, NULL), 0);
        }
    }
    ck_assert_uint_eq(count_pending(store, NULL, NULL, 0), 45);
    ck_assert_uint_eq(count_pending(store, NULL, NULL, 7), 45);
    ck_assert_uint_eq(count_pending(store, NULL, NULL, 45), 45);
    ck_assert_uint_eq(count_pending(store, "odd", NULL, 7), 25);
    ck_assert_uint_eq(count_pending(store, "", NULL, 7), 20);
    ck_assert_uint_eq(count_pending(store, NULL, "some", 7), 45);
    ck_assert_uint_eq(count_pending(store, NULL, "fifth", 7), 5);
    ck_assert_uint_eq(count_pending(store, NULL, "fif", 7), 0);
    struct seen seen = {.stop_at = 3};
    ck_assert_int_eq(cop_durable_recover_all(store, see, &seen, .page = 2), 42);
    ck_assert_uint_eq(seen.count, 3);
    stop(store);
}

/* ---------------------------------------------------------------- what is refused, and what is not */

/* DP21 */
TEST(a_value_that_is_one_byte_too_long_is_refused)
{
    cop_pid store = a_store_with((cop_store_opts){.value_most = 1000});
    static const char bytes[1001];
    const cop_bytes fits = {bytes, 1000}, too_long = {bytes, 1001};
    ck_assert_int_eq(cop_durable_create(store, ID, .param = too_long), -EMSGSIZE);
    ck_assert_int_eq(cop_durable_create(store, ID, .param = fits), 0);
    ck_assert_int_eq(cop_durable_resolve(store, ID, too_long), -EMSGSIZE);
    ck_assert_int_eq(state_of(store, ID), COP_DURABLE_PENDING);
    ck_assert_int_eq(cop_durable_resolve(store, ID, fits), 0);
    stop(store);
}

TEST(strings_are_parameters_whatever_is_in_them)
{
    static const char *const nasty[] = {
        "'; DROP TABLE promise; --", "\"", "%", "_", "\\", "a\nb", "ä€𝄞", "$1", "?1", "NULL"};
    cop_pid store = a_store();
    for (unsigned i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        const cop_reason why = cop_failed(-EIO, "%s", nasty[i]);
        ck_assert_int_eq(cop_durable_create(store, nasty[i], .queue = nasty[i]), 0);
        ck_assert_int_eq(cop_durable_reject(store, nasty[i], why), 0);
    }
    for (unsigned i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        cop_durable_record record = stored(store, nasty[i]);
        ck_assert_str_eq(record.queue, nasty[i]);
        ck_assert_str_eq(record.text, nasty[i]);
        cop_durable_release(&record);
    }
    stop(store);
}

#endif
