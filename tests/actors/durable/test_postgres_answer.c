/*
 * tests/actors/durable/test_postgres_answer.c - rows as records, and what they say of the operations.
 *
 * Room: tests/.
 */
#include "actors/durable/postgres_answer.h"
#include "tests/actors/durable/postgres_session.h"

TEST(bytes_that_are_no_text_harm_nobody_else)
{
    begin();
    cop_store_op ops[] = {
        {.kind = COP_STORE_CREATE, .id = "a"},
        {.kind = COP_STORE_CREATE, .id = "b\xff\xfe"},
        {.kind = COP_STORE_CREATE, .id = "c"},
    };
    do_all(&ours, ops, 3);
    ck_assert_int_eq(ops[0].result, 0);
    ck_assert_int_eq(ops[1].result, -EINVAL);
    ck_assert_int_eq(ops[2].result, 0);
    forget(ops, 3);
    ck_assert_int_eq(number_of("SELECT count(*) FROM cop_future"), 2);
    end();
}

TEST(a_batch_of_all_kinds_is_told_for_others)
{
    begin();
    cop_store_op ops[] = {
        {.kind = COP_STORE_CREATE, .id = "a", .queue = "q"},
        {.kind = COP_STORE_CREATE, .id = "b"},
        settle_op("a", (cop_owner){{0}}, 0, "x"),
        {.kind = COP_STORE_LIST, .limit = 10},
        {.kind = COP_STORE_PRUNE, .time = COP_SEC(1), .limit = 10},
    };
    do_all(&ours, ops, 5);
    ck_assert_uint_eq(ops[3].count, 1);
    ck_assert_str_eq(ops[3].first->id, "b");
    ck_assert_uint_eq(ops[4].count, 0);
    ck_assert_str_eq(ours.batch.settled.text, "1:a,");
    ck_assert_str_eq(ours.batch.queues.text, "1:q,");
    forget(ops, 5);
    end();
}

TEST(a_table_that_has_gone_is_the_stores_affair_and_not_the_callers)
{
    begin();
    (void)number_of("DROP TABLE cop_future");
    cop_store_op op = {.kind = COP_STORE_GET, .id = ID};
    ck_assert_int_eq(try_all(&ours, &op, 1), -EIO);
    forget(&op, 1);
    end();
}

/* Nothing is read of an answer that has not come as a whole. */
TEST(an_answer_that_does_not_come_in_time_is_none)
{
    begin();
    cop_store_op op = {.kind = COP_STORE_GET, .id = ID};
    struct copi_postgres_item item = {.op = &op}, *members[] = {&item};
    struct copi_postgres_question question = {
        .kind = COP_STORE_GET, .members = members, .count = 1};
    PGconn *other = look_in();
    PQclear(look_at(other, "BEGIN; LOCK TABLE cop_future"));
    ck_assert_int_eq(copi_postgres_question_ask(&question, &ours.link), 0);
    ck_assert_int_eq(copi_postgres_hear(&ours.batch, &ours.link, &question, cop_now() + COP_MS(20)),
                     -EREMOTEIO);
    ck_assert_int_eq(item.progress, COPI_POSTGRES_TO_DO);
    ck_assert_ptr_null(ours.batch.rows);
    PQfinish(other);
    end();
}

TEST(what_is_in_no_row_is_not_there_or_still_to_be_done)
{
    begin();
    cop_store_op get = {.kind = COP_STORE_GET, .id = "nobody"},
                 made = {.kind = COP_STORE_CREATE, .id = "pruned"};
    struct copi_postgres_item items[] = {{.op = &get}, {.op = &made}},
                              *members[] = {&items[0], &items[1]};
    struct copi_postgres_question question = {
        .kind = COP_STORE_GET, .is_second_look = true, .members = members, .count = 2};
    ck_assert_int_eq(copi_postgres_question_ask(&question, &ours.link), 0);
    ck_assert_int_eq(copi_postgres_hear(&ours.batch, &ours.link, &question, cop_now() + SOON), 0);
    ck_assert_int_eq(get.result, -ENOENT);
    ck_assert_int_eq(items[0].progress, COPI_POSTGRES_DONE);
    ck_assert_int_eq(items[1].progress, COPI_POSTGRES_TO_DO);
    end();
}

/* Its connection was lost, and what it holds is looked for. */
TEST(a_claim_that_was_never_heard_is_made_again)
{
    begin();
    cop_store_op claim = {
        .kind = COP_STORE_CLAIM, .queue = "q", .owner = us, .time = COP_SEC(9), .limit = 1};
    struct copi_postgres_item item = {.op = &claim, .asked = true}, *members[] = {&item};
    struct copi_postgres_question question = {
        .kind = COP_STORE_CLAIM, .members = members, .count = 1};
    ck_assert_int_eq(create(ID), 0);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(copi_postgres_question_ask(&question, &ours.link), 0);
        ck_assert_int_eq(copi_postgres_hear(&ours.batch, &ours.link, &question, cop_now() + SOON),
                         0);
        ck_assert_int_eq(item.progress, i == 0 ? COPI_POSTGRES_TO_DO : COPI_POSTGRES_DONE);
        ck_assert_uint_eq(claim.count, i);
    }
    forget(&claim, 1);
    end();
}

/* Both answers of what is asked in two are heard, and the connection goes on. */
TEST(what_a_lock_does_not_let_expire_expires_when_it_is_gone)
{
    begin();
    struct session impatient = {.link = {.where = server.url, .call_timeout = COP_MS(30)}};
    PGconn *other = look_in();
    ck_assert_int_eq(copi_postgres_connect(&impatient.link, cop_now() + SOON), 0);
    ck_assert_int_eq(
        result_of(&ours, (cop_store_op){.kind = COP_STORE_CREATE, .id = ID, .time = COP_MS(1)}), 0);
    PQclear(look_at(other, "BEGIN; LOCK TABLE cop_future"));
    ck_assert_int_eq(PQsendQuery(other, "SELECT pg_sleep(0.2); COMMIT"), 1);
    int backend = PQbackendPID(impatient.link.connection);
    cop_store_op expire = {.kind = COP_STORE_EXPIRE, .limit = 10};
    do_all(&impatient, &expire, 1);
    ck_assert_int_eq(expire.result, 0);
    ck_assert_uint_eq(expire.count, 1);
    ck_assert_int_eq(PQbackendPID(impatient.link.connection), backend);
    forget(&expire, 1);
    PQfinish(other);
    close_session(&impatient);
    end();
}

SUITE_AROUND("PostgreSQL's answers", start_server, end_server)
