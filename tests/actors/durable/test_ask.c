/*
 * tests/actors/durable/test_ask.c - an operation on its way to a store, and its outcome.
 */
#include "tests/actors/durable/asking.h"
#include "tests/actors/durable/faulty.h"

static const cop_store_op get = {.kind = COP_STORE_GET, .id = ID};

TEST(what_is_asked_of_nobody_was_not_done)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    stop(store);
    ck_assert_int_eq(result_of(store, get), -ESRCH);
    ck_assert_int_eq(result_of(cop_named("nobody"), get), -ESRCH);
    ck_assert_int_eq(cop_durable_create(cop_named("nobody"), ID), -ESRCH);
    forget_data();
}

TEST(a_process_that_is_no_store_does_not_answer_wrongly)
{
    cop_pid other;
    ck_assert_int_eq(cop_spawn(&other, test_wait_for_end), 0);
    struct copi_ask *answer;
    ck_assert_int_lt(
        copi_ask_and_wait(&answer, other, &get, &(struct copi_ask_opts){0}, IN_TIME / 10), 0);
    if (answer) {
        over(answer);
    }
    ck_assert_int_eq(cop_stop_process(other, COP_REASON_SHUTDOWN, SOON), 0);
}

TEST(what_is_none_is_refused_before_it_is_sent)
{
    ck_assert_int_eq(cop_durable_create(COP_NOBODY, ""), -EINVAL);
    ck_assert_str_eq(cop_why().text, "an id is missing");
}

TEST(who_gives_up_waiting_has_asked_all_the_same)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    hold(store);
    ck_assert_int_eq(cop_durable_create(store, ID, .timeout = COP_MS(1)), -ETIMEDOUT);
    let_go();
    EVENTUALLY(result_of(store, get) == 0);
    stop(store);
    forget_data();
}

static atomic_bool has_asked;

static int
create_and_end(cop_bytes arg)
{
    const cop_pid store = *(const cop_pid *)arg.data;
    cop_future_release(cop_durable_create_async(store, ID));
    atomic_store(&has_asked, true);
    return cop_durable_create(store, ID);
}

TEST(who_ends_while_waiting_has_asked_all_the_same)
{
    cop_pid store = a_faulty_store((cop_store_opts){0}), asker;
    cop_ref ended;
    hold(store);
    ck_assert_int_eq(cop_spawn(&asker, create_and_end, .arg = COP_BYTES(store), .monitor = &ended),
                     0);
    EVENTUALLY(atomic_load(&has_asked));
    ck_assert_int_eq(cop_exit_signal(asker, COP_REASON_KILLED), 0);
    test_down(ended);
    let_go();
    EVENTUALLY(result_of(store, get) == 0);
    stop(store);
    forget_data();
}

TEST(what_a_killed_store_had_begun_may_have_been_done_and_the_rest_was_not)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    atomic_store(&is_held, true);
    cop_future *begun = cop_durable_create_async(store, "begun");
    EVENTUALLY(atomic_load(&held_runs) == 1);
    cop_future *waiting = cop_durable_create_async(store, "waiting");
    ck_assert_int_eq(cop_exit_signal(store, COP_REASON_KILLED), 0);
    ck_assert_int_eq(cop_await(begun, NULL, 0, SOON), -EREMOTEIO);
    ck_assert_int_eq(cop_await(waiting, NULL, 0, SOON), -ESRCH);
    cop_future_release(begun);
    cop_future_release(waiting);
    let_go();
    forget_data();
}

TEST(a_settle_under_a_lease_has_the_lease_as_its_key)
{
    cop_pid store = a_faulty_store((cop_store_opts){0});
    ck_assert_int_eq(cop_durable_create(store, ID), 0);
    over(asked(store,
               ASK(.kind = COP_STORE_ACQUIRE, .id = ID, .owner = OWNER('a'), .time = COP_SEC(9))));
    ck_assert_int_eq(cop_durable_resolve(store, ID, COP_STR("x"), .owner = OWNER('a'), .epoch = 1),
                     0);
    cop_durable_record record = stored(store, ID);
    static const unsigned char key[24] = {'a', 1, [23] = 1};
    ck_assert_uint_eq(record.settle_key.size, sizeof key);
    ck_assert_mem_eq(record.settle_key.data, key, sizeof key);
    cop_durable_release(&record);
    stop(store);
    forget_data();
}

TEST(a_full_mailbox_refuses)
{
    cop_pid store;
    const cop_store_opts opts = {.size = sizeof opts, .backend = &faulty, .name = "small"};
    cop_child_spec spec = cop_store_spec_with(NULL, &opts);
    spec.mailbox.limit = 2;
    cop_pid top;
    ck_assert_int_eq(cop_supervisor_start(&top, &(cop_supervisor_spec){COP_CHILDREN(spec)}), 0);
    store = cop_whereis("small");
    hold(store);
    cop_future *asks[4];
    for (int i = 0; i < 4; i++) {
        asks[i] = cop_durable_create_async(store, ID);
    }
    ck_assert_int_eq(cop_await(asks[3], NULL, 0, SOON), -EAGAIN);
    let_go();
    ck_assert_int_eq(cop_await(asks[0], NULL, 0, SOON), 0);
    for (int i = 0; i < 4; i++) {
        cop_future_release(asks[i]);
    }
    ck_assert_int_eq(cop_supervisor_stop(top, SOON), 0);
    forget_data();
}

TEST(what_is_posted_to_a_name_comes_to_who_has_it)
{
    cop_pid store;
    ck_assert_int_eq(cop_store_start(&store, .name = "store"), 0);
    ck_assert_int_eq(copi_ask_post(cop_named("store"), &ASK(.kind = COP_STORE_CREATE, .id = ID)),
                     0);
    EVENTUALLY(result_of(store, ASK(.kind = COP_STORE_GET, .id = ID)) == 0);
    ck_assert_int_eq(copi_ask_post(cop_named("nobody"), &ASK(.kind = COP_STORE_GET, .id = ID)), 0);
    stop(store);
}

SUITE("ask")
