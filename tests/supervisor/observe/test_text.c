/*
 * tests/supervisor/observe/test_text.c - a text that grows.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/text.h"
#include "tests/support/support.h"

static char *
take(struct copi_text *text)
{
    char *out;
    size_t size;
    ck_assert_int_eq(copi_text_take(text, &out, &size), 0);
    ck_assert_uint_eq(strlen(out), size);
    return out;
}

static int
write_much(void *result)
{
    struct copi_text text = {0};
    size_t size;
    for (int i = 0; i < 1000; i++) {
        copi_text_format(&text, "%d,", i);
        copi_text_string(&text, "and ");
    }
    return copi_text_take(&text, result, &size);
}

TEST(without_memory_it_is_said_once_at_the_end)
{
    char *all = NULL;
    int result;
    ck_assert_uint_gt(test_out_of_memory(write_much, &all, &result), 1);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(strncmp(all, "0,and 1,and 2,and ", 18), 0);
    ck_assert_ptr_nonnull(strstr(all, "999,and "));
    free(all);
}

TEST(what_comes_after_a_failure_is_not_written)
{
    struct copi_text text = {0};
    char *out;
    size_t size;
    copi_alloc_fail_after(0);
    copi_text_string(&text, "lost");
    copi_alloc_fail_after(-1);
    copi_text_string(&text, "late");
    ck_assert_int_eq(copi_text_take(&text, &out, &size), -ENOMEM);
    free(take(&text)); /* it is empty, and good for another */
}

TEST(an_empty_text_is_a_text)
{
    struct copi_text text = {0};
    char *out = take(&text);
    ck_assert_str_eq(out, "");
    free(out);
}

TEST(parts_come_one_after_the_other)
{
    struct copi_text text = {0};
    copi_text_string(&text, "a");
    copi_text_char(&text, 'b');
    copi_text_put(&text, (cop_bytes){NULL, 0});
    copi_text_format(&text, "%s%d", "c", 4);
    char *out = take(&text);
    ck_assert_str_eq(out, "abc4");
    free(out);
}

SUITE("text")
