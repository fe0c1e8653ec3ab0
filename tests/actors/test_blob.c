/*
 * tests/actors/test_blob.c - bytes that many hold and nobody changes.
 *
 * Room: tests/.
 */
#include "actors/blob.h"
#include "runtime/alloc.h"
#include "tests/support/support.h"

TEST(without_memory_there_is_no_blob)
{
    copi_alloc_fail_after(0);
    ck_assert_ptr_null(copi_blob_new(COP_STR("bytes")));
    copi_blob_release(NULL);
}

TEST(a_blob_is_a_copy_and_aligned)
{
    char bytes[] = "bytes", out[6];
    struct copi_blob *blob = copi_blob_new(COP_BYTES(bytes));
    bytes[0] = 'B';
    cop_bytes view = copi_blob_view(blob);
    ck_assert_str_eq(view.data, "bytes");
    ck_assert_uint_eq(view.size, 6);
    ck_assert_uint_eq((uintptr_t)view.data % 16, 0);
    ck_assert_ptr_eq(copi_blob_of(view), blob);
    ck_assert_int_eq(copi_blob_copy(blob, out, 5), -EMSGSIZE);
    ck_assert_int_eq(copi_blob_copy(blob, out, 6), 0);
    ck_assert_str_eq(out, "bytes");
    copi_blob_release(blob);
}

TEST(an_empty_blob_has_a_place)
{
    struct copi_blob *blob = copi_blob_new((cop_bytes){0});
    ck_assert_ptr_nonnull(copi_blob_view(blob).data);
    ck_assert_uint_eq(copi_blob_view(blob).size, 0);
    ck_assert_int_eq(copi_blob_copy(blob, NULL, 0), 0);
    ck_assert_int_eq(copi_blob_copy(blob, NULL, 1), -EMSGSIZE);
    copi_blob_release(blob);
}

static int
read_and_let_go(cop_bytes arg)
{
    struct copi_blob *blob = *(struct copi_blob *const *)arg.data;
    int sum = 0;
    for (size_t i = 0; i < blob->size; i++) {
        sum += blob->bytes[i];
    }
    copi_blob_release(blob);
    return sum == 6 ? 0 : -EBADMSG;
}

TEST(whoever_lets_go_last_frees_it)
{
    cop_ref monitors[4];
    unsigned char bytes[] = {1, 2, 3};
    struct copi_blob *blob = copi_blob_new(COP_BYTES(bytes));
    for (int i = 0; i < 4; i++) {
        copi_blob_hold(blob);
        ck_assert_int_eq(
            cop_spawn(NULL, read_and_let_go, .arg = COP_BYTES(blob), .monitor = &monitors[i]), 0);
    }
    copi_blob_release(blob);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
}

SUITE("blob")
