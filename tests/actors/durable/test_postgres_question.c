/*
 * tests/actors/durable/test_postgres_question.c - operations as a statement, and its parameters.
 *
 * Room: tests/. The numbers (PG…) are those of the conformance cases.
 */
#include "actors/durable/postgres_question.h"
#include "tests/actors/durable/postgres_session.h"

TEST(what_users_say_is_never_a_part_of_a_statement)
{
    begin();
    static const char nasty[] = "x'); DROP TABLE cop_future; -- \\ \" $1 {a,b} \xc3\xa4";
    cop_store_op ops[] = {
        {.kind = COP_STORE_CREATE,
         .id = nasty,
         .queue = nasty,
         .tags = "{a,b} NULL",
         .param = COP_BYTES(nasty),
         .key = COP_BYTES(nasty)},
        {.kind = COP_STORE_CREATE, .id = "NULL"},
    };
    do_all(&ours, ops, 2);
    ck_assert_int_eq(ops[0].result, 0);
    ck_assert_int_eq(ops[1].result, 0);
    forget(ops, 2);
    cop_store_op reject = {.kind = COP_STORE_SETTLE,
                           .id = nasty,
                           .state = COP_DURABLE_REJECTED,
                           .cause = COP_DURABLE_FAILED,
                           .code = -EIO,
                           .text = nasty,
                           .key = COP_BYTES(nasty)};
    ck_assert_int_eq(result_of(&ours, reject), 0);
    cop_store_op get = {.kind = COP_STORE_GET, .id = nasty};
    do_all(&ours, &get, 1);
    ck_assert_str_eq(get.first->id, nasty);
    ck_assert_str_eq(get.first->queue, nasty);
    ck_assert_str_eq(get.first->text, nasty);
    ck_assert_uint_eq(get.first->param.size, sizeof nasty);
    ck_assert_mem_eq(get.first->param.data, nasty, sizeof nasty);
    forget(&get, 1);
    end();
}

/* PG20: a round of a thousand is one statement, and none is lost. */
TEST(a_thousand_leases_are_renewed_by_one_statement)
{
    begin();
    PGconn *other = look_in();
    (void)number_with(other, "INSERT INTO cop_future (id, queue) SELECT 'o-' || n, 'q' "
                             "FROM generate_series(1, 1000) n");
    cop_store_op claim = {
        .kind = COP_STORE_CLAIM, .queue = "q", .owner = us, .time = COP_SEC(60), .limit = 1000};
    do_all(&ours, &claim, 1);
    ck_assert_uint_eq(claim.count, 1000);
    static cop_store_op renewals[1000];
    size_t n = 0;
    for (const cop_durable_record *found = claim.first; found; found = found->next) {
        renewals[n++] = (cop_store_op){.kind = COP_STORE_RENEW,
                                       .id = found->id,
                                       .owner = us,
                                       .epoch = found->epoch,
                                       .time = COP_SEC(60)};
    }
    for (int round = 0; round < 10; round++) {
        do_all(&ours, renewals, n);
        ck_assert_uint_eq(ours.batch.asked, 0); /* nothing had to be looked at again */
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_eq(renewals[i].result, 0);
            ck_assert_int_gt(renewals[i].left, COP_SEC(30));
        }
    }
    ck_assert_int_eq(number_with(other, "SELECT count(*) FROM cop_future WHERE epoch = 1"), 1000);
    forget(&claim, 1);
    PQfinish(other);
    end();
}

SUITE_AROUND("PostgreSQL's questions", start_server, end_server)
