/*
 * tests/actors/durable/test_record.c - a durable promise as it is stored, copied.
 */
#include "actors/durable/record.h"
#include "runtime/alloc.h"
#include "tests/actors/durable/stored.h"

static const cop_durable_record whole = {
    .id = "id",
    .queue = "queue",
    .tags = "a b",
    .state = COP_DURABLE_REJECTED,
    .cause = COP_DURABLE_FAILED,
    .code = -EIO,
    .text = "text",
    .param = {"param", 6},
    .value = {"value", 6},
    .create_key = {"create", 7},
    .settle_key = {"settle", 7},
    .epoch = 7,
};

TEST(a_copy_has_all_that_the_record_points_to)
{
    char id[] = "id";
    cop_durable_record record = whole;
    record.id = id;
    cop_durable_record *copy = copi_record_copy(&record);
    id[0] = '?';
    ck_assert_str_eq(copy->id, "id");
    ck_assert_str_eq(copy->queue, "queue");
    ck_assert_str_eq(copy->tags, "a b");
    ck_assert_str_eq(copy->text, "text");
    check_bytes(copy->param, "param");
    check_bytes(copy->value, "value");
    check_bytes(copy->create_key, "create");
    check_bytes(copy->settle_key, "settle");
    ck_assert_uint_eq(copy->epoch, 7);
    free(copy);
}

TEST(strings_that_are_missing_are_empty_in_a_copy)
{
    cop_durable_record *copy = copi_record_copy(&(cop_durable_record){.id = "id"});
    ck_assert_str_eq(copy->queue, "");
    ck_assert_str_eq(copy->tags, "");
    ck_assert_str_eq(copy->text, "");
    ck_assert_uint_eq(copy->value.size, 0);
    free(copy);
}

TEST(without_memory_nothing_is_found)
{
    cop_store_op op = {.kind = COP_STORE_GET};
    copi_alloc_fail_after(0);
    int r = cop_store_found(&op, &whole);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_ptr_null(op.first);
    ck_assert_uint_eq(op.count, 0);
}

TEST(what_is_found_stays_in_order_until_it_is_forgotten)
{
    cop_store_op op = {.kind = COP_STORE_LIST, .result = -EIO, .is_duplicate = true};
    ck_assert_int_eq(cop_store_found(&op, &(cop_durable_record){.id = "a"}), 0);
    ck_assert_int_eq(cop_store_found(&op, &(cop_durable_record){.id = "b"}), 0);
    ck_assert_uint_eq(op.count, 2);
    ck_assert_str_eq(op.first->id, "a");
    ck_assert_str_eq(op.first->next->id, "b");
    ck_assert_ptr_eq(op.first->next, op.last);
    cop_store_forget(&op);
    ck_assert_ptr_null(op.first);
    ck_assert(op.count == 0 && op.result == 0 && !op.is_duplicate);
}

/* Each in its own way; test_sqlite_damage.c and test_postgres_damage.c have them in databases. */
TEST(what_no_store_can_have_written_is_not_sound)
{
    static char text[COP_DURABLE_TEXT_MOST + 2];
    cop_durable_record damaged[12];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 12; i++) {
        damaged[i] = whole;
    }
    damaged[0].id = NULL;
    damaged[1].id = "";
    damaged[2].id = text;
    damaged[3].text = text;
    damaged[4].state = (cop_durable_state)3;
    damaged[5].cause = (cop_durable_cause)-1;
    damaged[6].code = 0;
    damaged[7].state = COP_DURABLE_RESOLVED;
    damaged[8].deadline_ms = INT64_MIN;
    damaged[9].epoch = UINT64_MAX;
    damaged[10].create_key.size = COP_DURABLE_KEY_MOST + 1;
    damaged[11].lease_left = -1;
    ck_assert(copi_record_is_sound(&whole));
    for (int i = 0; i < 12; i++) {
        ck_assert_msg(!copi_record_is_sound(&damaged[i]), "%d", i);
    }
}

TEST(of_what_is_damaged_one_finds_nothing_and_many_its_id)
{
    cop_durable_record damaged = whole;
    damaged.code = 0;
    cop_store_op one = {.kind = COP_STORE_ACQUIRE}, many = {.kind = COP_STORE_CLAIM};
    ck_assert_int_eq(cop_store_found(&one, &damaged), 0);
    ck_assert_int_eq(one.result, -EBADMSG);
    ck_assert_ptr_null(one.first);
    ck_assert_int_eq(cop_store_found(&many, &damaged), 0);
    ck_assert_int_eq(cop_store_found(&many, &whole), 0);
    ck_assert_int_eq(many.result, 0);
    ck_assert_uint_eq(many.count, 2);
    ck_assert(many.first->is_damaged && !many.last->is_damaged);
    ck_assert_str_eq(many.first->id, whole.id);
    ck_assert_uint_eq(many.first->value.size, 0);
    cop_store_forget(&many);
}

TEST(what_is_overdue_is_rejected_by_its_deadline)
{
    cop_store_op op = {.kind = COP_STORE_GET};
    ck_assert_int_eq(cop_store_found(&op, &(cop_durable_record){.id = "a",
                                                                .deadline_ms = 5,
                                                                .lease_left = 1,
                                                                .is_overdue = true}),
                     0);
    ck_assert_int_eq(op.first->state, COP_DURABLE_REJECTED);
    ck_assert_int_eq(op.first->cause, COP_DURABLE_DEADLINE);
    ck_assert_int_eq(op.first->code, -ETIME);
    ck_assert_int_eq(op.first->settled_ms, 5);
    ck_assert_int_eq(op.first->lease_left, 0);
    ck_assert(op.first->is_overdue);
    cop_store_forget(&op);
}

TEST(a_rejection_without_words_has_those_of_its_cause_or_none)
{
    cop_durable_record record = whole;
    record.text = "";
    ck_assert_str_eq(copi_record_reason(&record).text, "");
    record.text = NULL;
    ck_assert_str_eq(copi_record_reason(&record).text, "");
}

TEST(a_rejection_is_a_reason_with_its_code_and_words)
{
    cop_durable_record record = whole;
    cop_reason why = copi_record_reason(&record);
    ck_assert_int_eq(why.kind, COP_FAILED);
    ck_assert_int_eq(why.code, -EIO);
    ck_assert_str_eq(why.text, "text");
    record.cause = COP_DURABLE_CANCELLED;
    record.text = "";
    why = copi_record_reason(&record);
    ck_assert_int_eq(why.kind, COP_SHUTDOWN);
    ck_assert_str_eq(why.text, "it was cancelled");
    record.cause = COP_DURABLE_ATTEMPTS;
    ck_assert_str_eq(copi_record_reason(&record).text, "all who tried were lost");
    record.cause = COP_DURABLE_DEADLINE;
    ck_assert_str_eq(copi_record_reason(&record).text, "its deadline passed");
}

SUITE("record")
