/*
 * tests/actors/durable/test_postgres_batch.c - operations as statements: leases, fences, turns, lost answers.
 *
 * Room: tests/. The backend alone, without a store's process; what holds of all stores is in test_postgres.c. The
 * numbers (PG…) are those of the conformance cases.
 */
#include "tests/actors/durable/postgres_session.h"

#include <coppice/group.h>

/* ---------------------------------------------------------------- leases */

struct contest {
    struct session *session;
    cop_owner owner;
};

static _Atomic unsigned winners, losers;

static int
try_to_acquire_each(cop_bytes arg, void *result)
{
    const struct contest *contest = arg.data;
    (void)result;
    for (int i = 0; i < 100; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "contested-%d", i);
        cop_store_op op = {
            .kind = COP_STORE_ACQUIRE, .id = id, .owner = contest->owner, .time = COP_SEC(60)};
        do_all(contest->session, &op, 1);
        if (op.result == 0) {
            ck_assert_uint_eq(op.first->epoch, 1);
            winners++;
        } else {
            ck_assert_int_eq(op.result, -EBUSY);
            ck_assert_int_gt(op.left, 0);
            ck_assert_int_le(op.left, COP_SEC(60));
            losers++;
        }
        forget(&op, 1);
    }
    return 0;
}

/* PG01: of two who want the same, one gets it; a thousand times with the suite's other rounds. */
TEST_TIMES(10, of_two_who_acquire_at_once_one_is_told_that_it_is_held_and_how_long)
{
    begin();
    for (int i = 0; i < 100; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "contested-%d", i);
        ck_assert_int_eq(create(id), 0);
    }
    cop_group *group = cop_group_new(0);
    ck_assert_int_eq(
        cop_group_go(group, try_to_acquire_each, COP_BYTES(((struct contest){&ours, us}))), 0);
    ck_assert_int_eq(
        cop_group_go(group, try_to_acquire_each, COP_BYTES(((struct contest){&theirs, them}))), 0);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_group_free(group);
    ck_assert_uint_eq(winners, 100);
    ck_assert_uint_eq(losers, 100);
    end();
}

/* PG04: not before its time, and under the next epoch. */
TEST(a_lease_is_anothers_when_it_is_over_and_not_before)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    cop_time since = cop_now();
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(200)), 1);
    uint64_t epoch = 0;
    EVENTUALLY((epoch = acquire(&theirs, ID, them, COP_SEC(60))) != 0);
    ck_assert_int_ge(cop_now() - since, COP_MS(200));
    ck_assert_uint_eq(epoch, 2);
    end();
}

/* PG05 */
TEST(who_was_overtaken_is_refused_and_changes_nothing)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(1)), 1);
    uint64_t epoch = 0;
    EVENTUALLY((epoch = acquire(&theirs, ID, them, COP_SEC(60))) != 0);
    ck_assert_int_eq(settle(&ours, ID, us, 1, "stale"), -ESTALE);
    ck_assert_int_eq(settle(&ours, ID, us, epoch, "stale"), -ESTALE);
    ck_assert_int_eq(settle(&ours, ID, them, 1, "stale"), -ESTALE);
    ck_assert_int_eq(settle(&theirs, ID, them, epoch, "right"), 0);
    expect_value("right");
    ck_assert_int_eq(settle(&ours, ID, us, 1, "stale"), -EALREADY);
    expect_value("right");
    end();
}

/* PG05: the control. Without the fence the same story overwrites. */
TEST(without_the_fence_who_was_overtaken_settles)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(1)), 1);
    EVENTUALLY(acquire(&theirs, ID, them, COP_SEC(60)) != 0);
    ck_assert_int_eq(settle(&ours, ID, (cop_owner){{0}}, 0, "stale"), 0);
    expect_value("stale");
    end();
}

TEST(who_is_late_and_was_not_missed_settles)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(1)), 1);
    EVENTUALLY(lease_left() == 0);
    ck_assert_int_eq(settle(&ours, ID, us, 1, "late"), 0);
    expect_value("late");
    end();
}

/* PG06 */
TEST(a_settle_that_is_said_again_is_a_duplicate)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_SEC(60)), 1);
    ck_assert_int_eq(settle(&ours, ID, us, 1, "once"), 0);
    cop_store_op again = settle_op(ID, us, 1, "once");
    do_all(&theirs, &again, 1);
    ck_assert_int_eq(again.result, 0);
    ck_assert(again.is_duplicate);
    forget(&again, 1);
    end();
}

/* PG07 */
TEST(who_was_overtaken_cannot_renew_and_lengthens_nothing)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(1)), 1);
    uint64_t epoch = 0;
    EVENTUALLY((epoch = acquire(&theirs, ID, them, COP_SEC(60))) != 0);
    ck_assert_int_eq(lease_op(&ours, COP_STORE_RENEW, us, 1, COP_SEC(3600)), -ESTALE);
    ck_assert_int_eq(lease_op(&ours, COP_STORE_RELEASE, us, 1, 0), -ESTALE);
    cop_store_op get = {.kind = COP_STORE_GET, .id = ID};
    do_all(&ours, &get, 1);
    ck_assert_int_le(get.first->lease_left, COP_SEC(60));
    ck_assert_uint_eq(get.first->epoch, epoch);
    ck_assert_mem_eq(&get.first->owner, &them, sizeof them);
    forget(&get, 1);
    end();
}

TEST(a_lease_that_is_over_is_not_renewed_though_nobody_took_it)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(1)), 1);
    EVENTUALLY(lease_left() == 0);
    ck_assert_int_eq(lease_op(&ours, COP_STORE_RENEW, us, 1, COP_SEC(1)), -ESTALE);
    end();
}

TEST(a_renewal_says_how_long_it_lasts)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_SEC(5)), 1);
    cop_store_op renew = {
        .kind = COP_STORE_RENEW, .id = ID, .owner = us, .epoch = 1, .time = COP_SEC(60)};
    do_all(&ours, &renew, 1);
    ck_assert_int_eq(renew.result, 0);
    ck_assert_int_gt(renew.left, COP_SEC(5));
    ck_assert_int_le(renew.left, COP_SEC(60));
    end();
}

/* PG15 */
TEST(what_is_released_is_anothers_at_once_under_the_next_epoch)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_SEC(3600)), 1);
    ck_assert_int_eq(lease_op(&ours, COP_STORE_RELEASE, us, 1, 0), 0);
    ck_assert_int_eq(lease_op(&ours, COP_STORE_RELEASE, us, 1, 0), 0); /* a duplicate */
    cop_store_op claim = {
        .kind = COP_STORE_CLAIM, .queue = "q", .owner = them, .time = COP_SEC(60), .limit = 5};
    do_all(&theirs, &claim, 1);
    ck_assert_uint_eq(claim.count, 1);
    ck_assert_uint_eq(claim.first->epoch, 2);
    ck_assert_uint_eq(claim.first->attempts, 1);
    forget(&claim, 1);
    ck_assert_int_eq(lease_op(&ours, COP_STORE_RELEASE, us, 1, 0), -ESTALE);
    ck_assert_int_eq(settle(&ours, ID, us, 1, "stale"), -ESTALE);
    end();
}

/* PG17 */
TEST(when_the_attempts_are_used_up_nobody_gets_it_and_it_is_abandoned)
{
    begin();
    cop_store_op created = {.kind = COP_STORE_CREATE, .id = ID, .queue = "q", .max_attempts = 1};
    ck_assert_int_eq(result_of(&ours, created), 0);
    ck_assert_uint_eq(acquire(&ours, ID, us, COP_MS(50)), 1);
    cop_store_op expire = {.kind = COP_STORE_EXPIRE, .limit = 10};
    cop_time until = cop_now() + SOON;
    while (expire.count == 0 && cop_now() < until) {
        forget(&expire, 1);
        do_all(&ours, &expire, 1);
        ck_assert_int_le(expire.left, expire.count == 0 ? COP_MS(50) : COP_FOREVER);
        cop_store_op inherit = {.kind = COP_STORE_INHERIT,
                                .queue = "q",
                                .owner = them,
                                .time = COP_SEC(60),
                                .limit = 5};
        do_all(&theirs, &inherit, 1);
        ck_assert_uint_eq(inherit.count, 0);
        forget(&inherit, 1);
    }
    ck_assert_uint_eq(expire.count, 1);
    ck_assert_int_eq(expire.first->cause, COP_DURABLE_ATTEMPTS);
    ck_assert_int_eq(expire.first->code, -EOWNERDEAD);
    forget(&expire, 1);
    ck_assert_uint_eq(acquire(&theirs, ID, them, COP_SEC(1)), 0);
    end();
}

/* PG21 */
TEST(a_lease_ends_at_the_deadline_at_the_latest)
{
    begin();
    cop_store_op created = {.kind = COP_STORE_CREATE, .id = ID, .queue = "q", .time = COP_SEC(10)};
    ck_assert_int_eq(result_of(&ours, created), 0);
    cop_store_op op = {.kind = COP_STORE_ACQUIRE, .id = ID, .owner = us, .time = COP_SEC(3600)};
    do_all(&ours, &op, 1);
    ck_assert_int_le(op.first->lease_left, COP_SEC(10));
    forget(&op, 1);
    cop_store_op renew = {
        .kind = COP_STORE_RENEW, .id = ID, .owner = us, .epoch = 1, .time = COP_SEC(3600)};
    do_all(&ours, &renew, 1);
    ck_assert_int_eq(renew.result, 0);
    ck_assert_int_le(renew.left, COP_SEC(10));
    end();
}

/* ---------------------------------------------------------------- claims */

static int
claim_all(cop_bytes arg, void *result)
{
    struct session *session = *(struct session *const *)arg.data;
    (void)result;
    for (size_t got = 1; got > 0;) {
        cop_store_op claim = {
            .kind = COP_STORE_CLAIM, .queue = "q", .owner = us, .time = COP_SEC(600), .limit = 37};
        do_all(session, &claim, 1);
        got = claim.count;
        ck_assert_uint_le(got, 37); /* PG03 */
        winners += (unsigned)got;
        forget(&claim, 1);
    }
    return 0;
}

/* PG02 */
TEST(eight_who_claim_from_one_queue_get_each_promise_once)
{
    begin();
    unsigned all = TEST_SANITIZED ? 2000 : 10000;
    PGconn *other = look_in();
    char statement[128];
    (void)snprintf(statement, sizeof statement,
                   "INSERT INTO cop_future (id, queue) SELECT 'o-' || n, 'q' "
                   "FROM generate_series(1, %u) n",
                   all);
    (void)number_with(other, statement);
    static struct session sessions[8];
    cop_group *group = cop_group_new(0);
    for (int i = 0; i < 8; i++) {
        open_session(&sessions[i], server.url);
        struct session *session = &sessions[i];
        ck_assert_int_eq(cop_group_go(group, claim_all, COP_BYTES(session)), 0);
    }
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_group_free(group);
    for (int i = 0; i < 8; i++) {
        close_session(&sessions[i]);
    }
    ck_assert_uint_eq(winners, all);
    ck_assert_int_eq(
        number_with(other, "SELECT count(*) FROM cop_future WHERE epoch = 1 AND attempts = 1"),
        all);
    PQfinish(other);
    end();
}

TEST(who_is_first_in_the_queue_is_claimed_first)
{
    begin();
    ck_assert_int_eq(create("b"), 0);
    cop_sleep(COP_MS(2)); /* of one millisecond the first id is first */
    ck_assert_int_eq(create("c"), 0);
    cop_sleep(COP_MS(2));
    ck_assert_int_eq(create("a"), 0);
    cop_store_op claim = {
        .kind = COP_STORE_CLAIM, .queue = "q", .owner = us, .time = COP_SEC(60), .limit = 2};
    do_all(&ours, &claim, 1);
    ck_assert_uint_eq(claim.count, 2);
    ck_assert_str_eq(claim.first->id, "b");
    ck_assert_str_eq(claim.first->next->id, "c");
    forget(&claim, 1);
    end();
}

/* ---------------------------------------------------------------- batches */

TEST(operations_of_one_id_are_done_in_their_order)
{
    begin();
    cop_store_op ops[] = {
        settle_op(ID, (cop_owner){{0}}, 0, "too early"),
        {.kind = COP_STORE_CREATE, .id = ID, .queue = "q"},
        {.kind = COP_STORE_GET, .id = ID},
        settle_op(ID, (cop_owner){{0}}, 0, "first"),
        settle_op(ID, (cop_owner){{0}}, 0, "second"),
        {.kind = COP_STORE_GET, .id = ID},
        {.kind = COP_STORE_GET, .id = "other"},
    };
    enum {
        COUNT = sizeof ops / sizeof ops[0]
    };
    do_all(&ours, ops, COUNT);
    ck_assert_int_eq(ops[0].result, -ENOENT);
    ck_assert_int_eq(ops[1].result, 0);
    ck_assert_int_eq(ops[2].first->state, COP_DURABLE_PENDING);
    ck_assert_int_eq(ops[3].result, 0);
    ck_assert_int_eq(ops[4].result, -EALREADY);
    ck_assert_int_eq(ops[5].first->state, COP_DURABLE_RESOLVED);
    ck_assert_int_eq(ops[6].result, -ENOENT);
    forget(ops, COUNT);
    expect_value("first");
    end();
}

/* PG16: a settle that waits for somebody's row lock past the deadline is too late. */
TEST(a_settle_that_had_to_wait_is_judged_by_the_time_at_which_it_gets_the_row)
{
    begin();
    cop_store_op created = {.kind = COP_STORE_CREATE, .id = ID, .time = COP_MS(300)};
    ck_assert_int_eq(result_of(&ours, created), 0);
    PGconn *other = look_in();
    PQclear(look_at(other, "BEGIN; SELECT 1 FROM cop_future FOR UPDATE"));
    ck_assert_int_eq(PQsendQuery(other, "SELECT pg_sleep(0.5); COMMIT"), 1);
    cop_store_op late = settle_op(ID, (cop_owner){{0}}, 0, "late");
    do_all(&ours, &late, 1);
    ck_assert_int_eq(late.result, -EALREADY);
    ck_assert_int_eq(late.first->cause, COP_DURABLE_DEADLINE);
    ck_assert_int_eq(late.first->code, -ETIME);
    ck_assert_int_eq(late.first->settled_ms, late.first->deadline_ms);
    forget(&late, 1);
    PQfinish(other);
    end();
}

struct settling {
    struct session *session;
    bool expires;
};

static int
settle_or_expire(cop_bytes arg, void *result)
{
    const struct settling *settling = arg.data;
    (void)result;
    int all = TEST_SANITIZED ? 1000 : 5000;
    for (int i = 0; i < all; i += 50) {
        cop_store_op ops[50];
        static _Thread_local char ids[50][32];
        for (int k = 0; k < 50; k++) {
            (void)snprintf(ids[k], sizeof ids[k], "o-%d", i + k + 1);
            ops[k] = settle_op(ids[k], (cop_owner){{0}}, 0, "x");
        }
        cop_store_op expire = {.kind = COP_STORE_EXPIRE, .limit = 100};
        do_all(settling->session, settling->expires ? &expire : ops, settling->expires ? 1 : 50);
        settling->expires ? forget(&expire, 1) : forget(ops, 50);
    }
    return 0;
}

/* PG16: one outcome each, and none resolved after its deadline. */
TEST(settles_and_deadlines_that_meet_have_one_outcome_each)
{
    begin();
    int all = TEST_SANITIZED ? 1000 : 5000;
    PGconn *other = look_in();
    char statement[1000];
    (void)snprintf(
        statement, sizeof statement,
        "INSERT INTO cop_future (id, expires_at) SELECT 'o-' || n, "
        "clock_timestamp() + random() * interval '400 ms' FROM generate_series(1, %d) n;"
        "CREATE TABLE audit (id text);"
        "CREATE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
        "IF OLD.state = 0 AND NEW.state <> 0 THEN INSERT INTO audit VALUES (NEW.id); END IF; "
        "RETURN NEW; END';"
        "CREATE TRIGGER note AFTER UPDATE ON cop_future FOR EACH ROW "
        "EXECUTE FUNCTION pg_temp.note()",
        all);
    (void)number_with(other, statement);
    cop_group *group = cop_group_new(0);
    struct settling settling = {&ours, false}, expiring = {&theirs, true};
    ck_assert_int_eq(cop_group_go(group, settle_or_expire, COP_BYTES(settling)), 0);
    ck_assert_int_eq(cop_group_go(group, settle_or_expire, COP_BYTES(expiring)), 0);
    ck_assert_int_eq(cop_group_wait(group, NULL), 0);
    cop_group_free(group);
    ck_assert_int_eq(number_with(other, "SELECT count(*) FROM cop_future WHERE state = 0"), 0);
    ck_assert_int_eq(number_with(other, "SELECT count(*) FROM audit"), all);
    ck_assert_int_eq(number_with(other, "SELECT count(DISTINCT id) FROM audit"), all);
    ck_assert_int_eq(
        number_with(other, "SELECT count(*) FROM cop_future WHERE settled_at > expires_at"), 0);
    ck_assert_int_eq(
        number_with(other, "SELECT count(*) FROM cop_future WHERE state = 2 AND cause <> 3"), 0);
    PQfinish(other);
    end();
}

/* ---------------------------------------------------------------- lost answers */

static char through[256];

static struct proxy *
through_a_line(void)
{
    struct proxy *line = line_to_server(through);
    open_session(&theirs, through);
    return line;
}

/* Over the new connection, as the backend does it. */
static void
ask_again(struct session *session)
{
    session->link.next_attempt = 0;
    ck_assert_int_eq(copi_postgres_connect(&session->link, cop_now() + SOON), 0);
    ck_assert_int_eq(copi_postgres_batch_run(&session->batch, &session->link, cop_now() + SOON), 0);
}

/* PG06: cut at every byte of the answer, a batch that is asked again says what it has done. */
TEST_TIMES(6, a_batch_whose_answer_is_lost_is_done_once)
{
    begin_anew();
    open_session(&ours, server.url);
    struct proxy *line = through_a_line();
    for (size_t at = (size_t)_i * 7; at < 120; at += 42) {
        (void)number_of("DELETE FROM cop_future");
        ck_assert_int_eq(create(ID), 0);
        uint64_t epoch = acquire(&ours, ID, us, COP_SEC(60));
        cop_store_op ops[] = {
            settle_op(ID, us, epoch, "value"),
            {.kind = COP_STORE_CREATE, .id = "new", .param = COP_TEXT("p")},
            {.kind = COP_STORE_GET, .id = "nobody"},
        };
        proxy_cut_after(line, PROXY_ANSWERS, at);
        int error = try_all(&theirs, ops, 3);
        if (error) {
            ck_assert_int_eq(error, -EREMOTEIO);
            ask_again(&theirs);
        }
        ck_assert_int_eq(ops[0].result, 0);
        ck_assert_int_eq(ops[1].result, 0);
        ck_assert_int_eq(ops[2].result, -ENOENT);
        forget(ops, 3);
        expect_value("value");
    }
    end();
    proxy_free(line);
}

TEST(a_claim_whose_answer_is_lost_gets_what_it_has_got)
{
    begin_anew();
    open_session(&ours, server.url);
    struct proxy *line = through_a_line();
    ck_assert_int_eq(create("a"), 0);
    ck_assert_int_eq(create("b"), 0);
    proxy_cut_after(line, PROXY_ANSWERS, 3);
    cop_store_op claim = {
        .kind = COP_STORE_CLAIM, .queue = "q", .owner = them, .time = COP_SEC(60), .limit = 1};
    ck_assert_int_eq(try_all(&theirs, &claim, 1), -EREMOTEIO);
    EVENTUALLY(number_of("SELECT count(*) FROM cop_future WHERE owner IS NOT NULL") == 1);
    ask_again(&theirs);
    ck_assert_int_eq(claim.result, 0);
    ck_assert_uint_eq(claim.count, 1);
    ck_assert_uint_eq(claim.first->epoch, 1);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future WHERE owner IS NOT NULL"), 1);
    forget(&claim, 1);
    end();
    proxy_free(line);
}

static int
run_one(void *unused)
{
    (void)unused;
    cop_store_op op = {.kind = COP_STORE_GET, .id = ID};
    int error = copi_postgres_connect(&ours.link, cop_now() + SOON);
    error = error ? error : try_all(&ours, &op, 1);
    forget(&op, 1);
    return error;
}

TEST(without_memory_a_batch_fails_and_the_next_does_not)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    int result = -1;
    ck_assert_uint_gt(test_out_of_memory(run_one, NULL, &result), 0);
    ck_assert_int_eq(result, 0);
    end();
}

SUITE_AROUND("PostgreSQL's batches", start_server, end_server)
