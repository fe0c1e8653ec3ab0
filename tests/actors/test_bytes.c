/*
 * tests/actors/test_bytes.c - bytes that wait.
 *
 * Room: tests/.
 */
#include "actors/bytes.h"
#include "runtime/alloc.h"
#include "tests/support/support.h"

static struct copi_waiting_bytes bytes;

static void
add(const char *text)
{
    ck_assert_int_eq(copi_bytes_add(&bytes, (cop_bytes){text, strlen(text)}), 0);
}

static void
waits(const char *text)
{
    cop_bytes view = copi_bytes_view(&bytes);
    ck_assert_uint_eq(view.size, strlen(text));
    ck_assert_mem_eq(view.data ? view.data : "", text, view.size);
}

TEST(without_memory_what_waits_stays_as_it_was)
{
    add("abc");
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_bytes_add(&bytes, COP_BYTES("0123456789012345678901234567890")), -ENOMEM);
    ck_assert_ptr_null(copi_bytes_reserve(&bytes, 1000));
    copi_alloc_fail_after(-1);
    waits("abc");
    copi_bytes_clear(&bytes);
}

TEST(more_than_there_can_be_is_refused)
{
    add("abc");
    ck_assert_ptr_null(copi_bytes_reserve(&bytes, SIZE_MAX));
    ck_assert_ptr_null(copi_bytes_reserve(&bytes, SIZE_MAX / 4));
    waits("abc");
    copi_bytes_clear(&bytes);
}

TEST(none_need_no_memory)
{
    ck_assert_int_eq(copi_bytes_add(&bytes, (cop_bytes){0}), 0);
    waits("");
    copi_bytes_fit(&bytes);
    copi_bytes_clear(&bytes);
    ck_assert_ptr_null(bytes.memory);
}

TEST(they_come_out_as_they_went_in)
{
    add("abc");
    add("def");
    waits("abcdef");
    copi_bytes_remove(&bytes, 2);
    waits("cdef");
    add("gh");
    waits("cdefgh");
    copi_bytes_remove(&bytes, 6);
    waits("");
    add("i");
    waits("i");
    copi_bytes_clear(&bytes);
}

TEST(what_is_written_into_reserved_room_is_behind_the_rest)
{
    add("abc");
    unsigned char *end = copi_bytes_reserve(&bytes, 100);
    const unsigned char more[] = {'d', 'e', 'f'};
    memcpy(end, more, sizeof more);
    copi_bytes_added(&bytes, 3);
    waits("abcdef");
    copi_bytes_clear(&bytes);
}

TEST(memory_that_is_not_needed_is_given_back)
{
    copi_bytes_reserve(&bytes, 1 << 20);
    add("abc");
    copi_bytes_remove(&bytes, 1);
    copi_bytes_fit(&bytes);
    ck_assert_uint_lt(bytes.capacity, 100);
    waits("bc");
    copi_bytes_remove(&bytes, 2);
    copi_bytes_fit(&bytes);
    ck_assert_ptr_null(bytes.memory);
}

TEST(a_queue_of_bounded_length_takes_bounded_memory_however_much_passes)
{
    enum {
        MOST = 1000
    };
    unsigned char in = 0, out = 0;
    bool in_order = true;
    for (int i = 0; i < 20000; i++) {
        size_t room = MOST - bytes.used, size = (size_t)i * 7 % 97;
        size = size < room ? size : room;
        unsigned char more[97];
        for (size_t k = 0; k < size; k++) {
            more[k] = in++;
        }
        ck_assert_int_eq(copi_bytes_add(&bytes, (cop_bytes){more, size}), 0);
        size_t gone = (size_t)i * 5 % 89;
        gone = gone < bytes.used ? gone : bytes.used;
        const unsigned char *first = copi_bytes_view(&bytes).data;
        for (size_t k = 0; k < gone; k++) {
            in_order = in_order && first && first[k] == out++;
        }
        copi_bytes_remove(&bytes, gone);
        ck_assert_uint_le(bytes.capacity, 2 * MOST);
    }
    ck_assert(in_order);
    copi_bytes_clear(&bytes);
}

SUITE("bytes")
