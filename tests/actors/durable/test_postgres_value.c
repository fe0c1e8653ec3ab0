/*
 * tests/actors/durable/test_postgres_value.c - parameters, as PostgreSQL reads them, and fields, as it writes them.
 *
 * Room: tests/. What the server itself makes of them is in test_postgres_link.c.
 */
#include "actors/durable/postgres_value.h"
#include "tests/support/support.h"

#include <limits.h>

static struct copi_postgres_value value;

static void
expect(const void *bytes, size_t size)
{
    ck_assert_uint_eq(value.size, size);
    ck_assert_mem_eq(value.data, bytes, size);
    copi_postgres_values_free(&value, 1);
}

TEST(an_array_without_elements_has_a_count_of_none)
{
    copi_postgres_array(&value, COPI_POSTGRES_TEXT_ARRAY);
    expect("\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\0\0\0\0\1", 20);
}

TEST(elements_follow_with_their_sizes)
{
    copi_postgres_array(&value, COPI_POSTGRES_BYTEA_ARRAY);
    copi_postgres_add_bytes(&value, COP_TEXT("ab"));
    copi_postgres_add_bytes(&value, COP_TEXT(""));
    copi_postgres_add_bytes(&value, (cop_bytes){0});
    expect("\0\0\0\1\0\0\0\1\0\0\0\21\0\0\0\3\0\0\0\1"
           "\0\0\0\2ab\0\0\0\0\377\377\377\377",
           34);
}

TEST(numbers_have_their_most_significant_byte_first)
{
    copi_postgres_array(&value, COPI_POSTGRES_INT8_ARRAY);
    copi_postgres_add_number(&value, 258);
    copi_postgres_add_number(&value, -1);
    expect("\0\0\0\1\0\0\0\1\0\0\0\24\0\0\0\2\0\0\0\1"
           "\0\0\0\10\0\0\0\0\0\0\1\2\0\0\0\10\377\377\377\377\377\377\377\377",
           44);
}

TEST(an_empty_value_is_not_null)
{
    copi_postgres_bytes(&value, COPI_POSTGRES_BYTEA, COP_TEXT(""));
    ck_assert_ptr_nonnull(value.data);
    ck_assert_uint_eq(value.size, 0);
    copi_postgres_values_free(&value, 1);
    copi_postgres_bytes(&value, COPI_POSTGRES_BYTEA, (cop_bytes){0});
    ck_assert_ptr_null(value.data);
}

TEST(an_array_grows_as_far_as_it_has_to)
{
    static char large[100000];
    copi_postgres_array(&value, COPI_POSTGRES_BYTEA_ARRAY);
    for (int i = 0; i < 50; i++) {
        copi_postgres_add_bytes(&value, COP_BYTES(large));
    }
    ck_assert(!value.failed);
    ck_assert_int_eq(value.elements, 50);
    ck_assert_uint_eq(value.size, 20 + 50 * (4 + sizeof large));
    copi_postgres_values_free(&value, 1);
    ck_assert_ptr_null(value.data);
}

TEST(more_than_a_message_can_have_has_failed_and_is_not_cut)
{
    copi_postgres_array(&value, COPI_POSTGRES_BYTEA_ARRAY);
    copi_postgres_add_bytes(&value, (cop_bytes){"x", (size_t)INT_MAX + 1});
    ck_assert(value.failed);
    copi_postgres_values_free(&value, 1);
}

static PGresult *
row_of(const char *bytes, int size)
{
    PGresult *row = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc column = {.name = (char[]){"x"}, .format = 1};
    char copy[16];
    memcpy(copy, bytes ? bytes : "", bytes ? (size_t)size : 0);
    ck_assert_int_eq(PQsetResultAttrs(row, 1, &column), 1);
    ck_assert_int_eq(PQsetvalue(row, 0, 0, bytes ? copy : NULL, bytes ? size : -1), 1);
    return row;
}

static int64_t
number_in(const char *bytes, int size)
{
    PGresult *row = row_of(bytes, size);
    int64_t number = copi_postgres_field_number(row, 0, 0);
    PQclear(row);
    return number;
}

TEST(integers_of_any_width_are_read_with_their_sign)
{
    ck_assert_int_eq(number_in("\1", 1), 1);
    ck_assert_int_eq(number_in("\0\2", 2), 2);
    ck_assert_int_eq(number_in("\377\376", 2), -2);
    ck_assert_int_eq(number_in("\377\377\377\302", 4), -62);
    ck_assert_int_eq(number_in("\0\0\1\0\0\0\0\0", 8), INT64_C(1) << 40);
    ck_assert_int_eq(number_in("\200\0\0\0\0\0\0\0", 8), INT64_MIN);
    ck_assert_int_eq(number_in(NULL, 0), 0);
}

TEST(bytes_are_read_with_their_length_and_null_as_none)
{
    PGresult *row = row_of("a\0b", 3);
    cop_bytes field = copi_postgres_field(row, 0, 0);
    ck_assert_uint_eq(field.size, 3);
    ck_assert_mem_eq(field.data, "a\0b", 3);
    PQclear(row);
    row = row_of("", 0);
    ck_assert_ptr_nonnull(copi_postgres_field(row, 0, 0).data);
    PQclear(row);
    row = row_of(NULL, 0);
    ck_assert_ptr_null(copi_postgres_field(row, 0, 0).data);
    PQclear(row);
}

SUITE("PostgreSQL's values")
