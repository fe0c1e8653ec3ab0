/*
 * tests/runtime/test_tag.c - tags that have names.
 *
 * Room: tests/.
 */
#include "runtime/inspect.h"
#include "runtime/tag.h"
#include "tests/support/support.h"

TEST(what_is_no_name_or_no_tag_is_refused)
{
    ck_assert_int_eq(cop_tag_name(1, NULL), -EINVAL);
    ck_assert_int_eq(cop_tag_name(1, ""), -EINVAL);
    ck_assert_int_eq(cop_tag_name(1, "123456789012345678901234"), -EINVAL);
    ck_assert_int_eq(cop_tag_name(COP_MSG_DOWN, "down"), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_ptr_null(copi_tag_name(1));
}

TEST(a_tag_keeps_its_name)
{
    ck_assert_int_eq(cop_tag_name(1, "12345678901234567890123"), 0);
    ck_assert_int_eq(cop_tag_name(1, "12345678901234567890123"), 0);
    ck_assert_int_eq(cop_tag_name(1, "other"), -EEXIST);
    ck_assert_int_eq(cop_tag_name(0, "nought"), 0);
    ck_assert_str_eq(copi_tag_name(1), "12345678901234567890123");
    ck_assert_str_eq(copi_tag_name(0), "nought");
}

TEST(there_is_room_for_so_many_and_no_more)
{
    char name[COPI_TAG_NAME_SIZE];
    uint32_t tag = 0;
    for (unsigned i = 0; i < COPI_TAG_NAMES; i++) {
        snprintf(name, sizeof name, "tag %u", i);
        ck_assert_int_eq(cop_tag_name(1000 + i, name), 0);
    }
    ck_assert_int_eq(cop_tag_name(1, "one more"), -ENOSPC);
    ck_assert_int_eq(cop_tag_name(1000, "tag 0"), 0);
    ck_assert_str_eq(copi_tag_name_at(7, &tag), "tag 7");
    ck_assert_uint_eq(tag, 1007);
    ck_assert_ptr_null(copi_tag_name_at(COPI_TAG_NAMES, &tag));
}

TEST(reports_have_the_name)
{
    char out[COPI_TAG_SIZE];
    ck_assert_str_eq(copi_tag_in_words(5, out), "5");
    cop_tag_name(5, "deposit");
    ck_assert_str_eq(copi_tag_in_words(5, out), "deposit");
    ck_assert_str_eq(copi_tag_in_words(COP_MSG_DOWN, out), "DOWN");
}

SUITE("tag")
