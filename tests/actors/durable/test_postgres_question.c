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

static void
get_and_expect(const char *value)
{
    ck_assert_int_eq(copi_postgres_prepare(&ours.link, copi_postgres_get_one, cop_now() + SOON), 0);
    cop_store_op op = {.kind = COP_STORE_GET, .id = ID};
    do_all(&ours, &op, 1);
    ck_assert_int_eq(op.result, 0);
    ck_assert_mem_eq(op.first->value.data, value, strlen(value));
    forget(&op, 1);
}

/* A session that has forgotten it, a table that is another's: each costs a round, and nobody notices. */
TEST(one_promise_is_read_by_a_prepared_statement_for_as_long_as_there_is_one)
{
    begin();
    ck_assert_int_eq(create(ID), 0);
    ck_assert_int_eq(settle(&ours, ID, (cop_owner){{0}}, 0, "value"), 0);
    get_and_expect("value");
    ck_assert_ptr_eq(ours.link.prepared, copi_postgres_get_one);
    ck_assert_int_eq(copi_postgres_run(&ours.link, "DEALLOCATE ALL", cop_now() + SOON), 0);
    get_and_expect("value");
    ck_assert_ptr_null(ours.link.prepared);
    copi_postgres_close(&ours.link);
    ck_assert_int_eq(copi_postgres_connect(&ours.link, cop_now() + SOON), 0);
    get_and_expect("value");
    (void)number_of("ALTER TABLE cop_future ALTER COLUMN attempts TYPE bigint");
    get_and_expect("value");
    ck_assert_ptr_null(ours.link.prepared);
    end();
}

SUITE_AROUND("PostgreSQL's questions", start_server, end_server)
