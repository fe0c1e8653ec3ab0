/*
 * tests/actors/durable/test_check.c - whether an operation is one.
 */
#include "actors/durable/check.h"
#include "tests/support/support.h"

static int
checked(cop_store_op op)
{
    const char *what = NULL;
    int r = copi_store_check(&op, &what);
    ck_assert((r == 0) == (what == NULL)); /* a refusal says why */
    return r;
}

static int
get(const char *id)
{
    return checked((cop_store_op){.kind = COP_STORE_GET, .id = id});
}

TEST(an_id_has_1_to_255_bytes)
{
    char id[257];
    memset(id, 'a', sizeof id);
    id[256] = 0;
    ck_assert_int_eq(get(NULL), -EINVAL);
    ck_assert_int_eq(get(""), -EINVAL);
    ck_assert_int_eq(get(id), -EINVAL);
    ck_assert_int_eq(get(id + 1), 0);
}

TEST(an_id_is_utf_8)
{
    static const char *const good[] = {"a",           "ä", "€", "𝄞", "\x7f", "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf"};
    static const char *const bad[] = {
        "\x80",         "\xc3",         "\xc3(",     "\xc0\xaf",         "\xe2\x82",
        "\xed\xa0\x80", "\xe0\x80\x80", "\xff",      "\xf4\x90\x80\x80", "\xf0\x80\x80\x80",
        "a\xe2\x82",    "\xf5\x80",     "\xe2(\xa1", "ok\xf0\x9d\x84"};
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_int_eq(get(good[i]), 0);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(get(bad[i]) == -EINVAL, "%u", i);
    }
}

static int
create_with_tags(const char *tags)
{
    return checked((cop_store_op){.kind = COP_STORE_CREATE, .id = "a", .tags = tags});
}

TEST(tags_are_words_with_one_space_between_them)
{
    ck_assert_int_eq(create_with_tags(NULL), 0);
    ck_assert_int_eq(create_with_tags(""), 0);
    ck_assert_int_eq(create_with_tags("one"), 0);
    ck_assert_int_eq(create_with_tags("one two"), 0);
    ck_assert_int_eq(create_with_tags("one  two"), -EINVAL);
    ck_assert_int_eq(create_with_tags(" one"), -EINVAL);
    ck_assert_int_eq(create_with_tags("one "), -EINVAL);
    ck_assert_int_eq(create_with_tags(" "), -EINVAL);
}

TEST(a_settle_says_how_and_a_rejection_why)
{
    cop_store_op op = {.kind = COP_STORE_SETTLE, .id = "a"};
    ck_assert_int_eq(checked(op), -EINVAL);
    op.state = COP_DURABLE_RESOLVED;
    ck_assert_int_eq(checked(op), 0);
    op.code = -EIO;
    ck_assert_int_eq(checked(op), -EINVAL);
    op.state = COP_DURABLE_REJECTED;
    ck_assert_int_eq(checked(op), -EINVAL);
    op.cause = COP_DURABLE_FAILED;
    ck_assert_int_eq(checked(op), 0);
    op.code = 0;
    ck_assert_int_eq(checked(op), -EINVAL);
}

TEST(a_lease_has_a_time)
{
    cop_store_op op = {.kind = COP_STORE_CLAIM};
    ck_assert_int_eq(checked(op), -EINVAL);
    op.time = 1;
    ck_assert_int_eq(checked(op), 0);
}

TEST(bytes_have_data_and_keys_and_texts_a_limit)
{
    static char text[COP_DURABLE_TEXT_MOST + 2];
    memset(text, 'a', sizeof text - 1);
    cop_store_op op = {.kind = COP_STORE_CREATE, .id = "a", .key = {NULL, 1}};
    ck_assert_int_eq(checked(op), -EINVAL);
    op.key = (cop_bytes){text, COP_DURABLE_KEY_MOST};
    ck_assert_int_eq(checked(op), 0);
    op.key.size++;
    ck_assert_int_eq(checked(op), -EMSGSIZE);
    op.key.size = 0;
    op.text = text + 1;
    ck_assert_int_eq(checked(op), 0);
    op.text = text;
    ck_assert_int_eq(checked(op), -EMSGSIZE);
}

TEST(what_a_list_begins_behind_need_be_nobodys_id)
{
    static char long_id[2 * COP_DURABLE_ID_MOST];
    const char *what;
    memset(long_id, 'x', sizeof long_id - 1);
    ck_assert_int_eq(
        copi_store_check(&(cop_store_op){.kind = COP_STORE_LIST, .id = long_id, .limit = 1}, &what),
        0);
    ck_assert_int_eq(copi_store_check(&(cop_store_op){.kind = COP_STORE_GET, .id = long_id}, &what),
                     -EINVAL);
}

SUITE("check")
