/*
 * tests/actors/durable/test_redis_record.c - an outcome as it is stored.
 *
 * Room: tests/.
 */
#include "actors/durable/redis_record.h"
#include "tests/support/support.h"

static void
comes_back(int code, cop_bytes body)
{
    struct copi_redis_record before = {.code = code, .token = copi_redis_token_new(), .body = body},
                             after;
    size_t size;
    void *bytes = copi_redis_record_write(&before, &size);
    ck_assert_int_eq(copi_redis_record_read(&after, (cop_bytes){bytes, size}), 0);
    ck_assert_int_eq(after.code, code);
    ck_assert_mem_eq(&after.token, &before.token, sizeof before.token);
    ck_assert_uint_eq(after.body.size, body.size);
    ck_assert_mem_eq(after.body.data, body.data, body.size);
    free(bytes);
}

TEST(values_and_failures_come_back_as_they_were)
{
    comes_back(0, (cop_bytes){"", 0});
    comes_back(0, (cop_bytes){"a\0b", 3});
    comes_back(-1, (cop_bytes){"", 0});
    comes_back(-ENODATA, COP_TEXT("nothing in stock"));
    comes_back(-99999999, COP_TEXT("an application's own"));
}

TEST(a_code_that_has_no_room_is_still_a_failure)
{
    struct copi_redis_record record = {.code = INT32_MIN, .body = {"", 0}}, after;
    size_t size;
    void *bytes = copi_redis_record_write(&record, &size);
    ck_assert_int_eq(copi_redis_record_read(&after, (cop_bytes){bytes, size}), 0);
    ck_assert_int_eq(after.code, -99999999);
    free(bytes);
}

#define TOKEN "0123456789abcdef0123456789abcdef"

TEST(the_form_is_one_that_other_versions_can_read)
{
    struct copi_redis_record record;
    ck_assert_int_eq(copi_redis_record_read(&record, COP_TEXT("COP1v00000000" TOKEN "text")), 0);
    ck_assert_int_eq(record.code, 0);
    ck_assert_uint_eq(record.body.size, 4);
    ck_assert_int_eq(copi_redis_record_read(&record, COP_TEXT("COP1f00000061" TOKEN)), 0);
    ck_assert_int_eq(record.code, -61);
}

TEST(what_is_none_is_refused_and_nothing_is_written)
{
    static const char *const wrong[] = {
        "",
        "hello",
        "COP1v00000000",
        "COP2v00000000" TOKEN,
        "COP1x00000000" TOKEN,
        "COP1v00000001" TOKEN,
        "COP1f00000000" TOKEN,
        "COP1f000-0001" TOKEN,
        "COP1f 0000001" TOKEN,
    };
    struct copi_redis_record record = {.code = 17};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(copi_redis_record_read(&record, COP_TEXT(wrong[i])), -EBADMSG);
    }
    ck_assert_int_eq(copi_redis_record_read(&record, (cop_bytes){NULL, 0}), -EBADMSG);
    ck_assert_int_eq(record.code, 17);
}

TEST(no_two_tokens_are_alike)
{
    struct copi_redis_token one = copi_redis_token_new(), other = copi_redis_token_new();
    ck_assert_mem_ne(&one, &other, sizeof one);
    for (size_t i = 0; i < COPI_REDIS_TOKEN; i++) {
        ck_assert_ptr_nonnull(strchr("0123456789abcdef", one.text[i]));
    }
}

SUITE("stored outcomes")
