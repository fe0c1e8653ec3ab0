/*
 * actors/durable/postgres_value.c - parameters of statements, as PostgreSQL reads them from the wire.
 *
 * Room: actors/durable/, libcoppice-postgres. Arithmetic and memory only.
 *
 * Strings never become part of a statement: what comes from users travels beside it, in the binary format, in
 * which nothing needs to be quoted. An array is
 *
 *     int32 dimensions, int32 whether there are NULLs, int32 the elements' type,
 *     int32 how many, int32 the index of the first,
 *     and for each element: int32 its size, or -1 for NULL, and its bytes
 *
 * with the most significant byte first. That NULLs may be there is said in any case; it commits to nothing.
 */
#include "actors/durable/postgres_value.h"

#include <endian.h>
#include <stdlib.h>

enum {
    HEADER = 5 * 4,
    WHERE_COUNT_IS = 3 * 4,
    ROOM_AT_FIRST = 256,
    MESSAGE_MOST = 1000 * 1000 * 1000, /* bytes; PostgreSQL takes a little more */
};

static void
add(struct copi_postgres_value *value, const void *data, size_t size)
{
    if (size > MESSAGE_MOST || value->size > MESSAGE_MOST - size) {
        value->failed = true;
        return;
    }
    if (value->room - value->size <= size) { /* an empty one has memory, too: it is not NULL */
        size_t room = 2 * (value->size + size) + ROOM_AT_FIRST;
        char *bigger = value->failed ? NULL : realloc(value->data, room);
        if (!bigger) {
            value->failed = true;
            return;
        }
        value->data = bigger;
        value->room = room;
    }
    memcpy(value->data + value->size, data, size);
    value->size += size;
}

static void
add_int32(struct copi_postgres_value *value, int32_t number)
{
    uint32_t wire = htobe32((uint32_t)number);
    add(value, &wire, sizeof wire);
}

static int32_t
type_of_elements(Oid array)
{
    switch (array) {
    case COPI_POSTGRES_BYTEA_ARRAY:
        return COPI_POSTGRES_BYTEA;
    case COPI_POSTGRES_TEXT_ARRAY:
        return COPI_POSTGRES_TEXT;
    case COPI_POSTGRES_UUID_ARRAY:
        return COPI_POSTGRES_UUID;
    default:
        return COPI_POSTGRES_INT8;
    }
}

void
copi_postgres_array(struct copi_postgres_value *array, Oid type)
{
    *array = (struct copi_postgres_value){.type = type};
    add_int32(array, 1);
    add_int32(array, 1);
    add_int32(array, type_of_elements(type));
    add_int32(array, 0);
    add_int32(array, 1);
}

static void
count_element(struct copi_postgres_value *array)
{
    array->elements++;
    if (array->size >= HEADER) {
        uint32_t wire = htobe32((uint32_t)array->elements);
        memcpy(array->data + WHERE_COUNT_IS, &wire, sizeof wire);
    }
}

void
copi_postgres_add_bytes(struct copi_postgres_value *array, cop_bytes bytes)
{
    add_int32(array, bytes.data ? (int32_t)bytes.size : -1);
    if (bytes.data) {
        add(array, bytes.data, bytes.size);
    }
    count_element(array);
}

void
copi_postgres_add_number(struct copi_postgres_value *array, int64_t number)
{
    uint64_t wire = htobe64((uint64_t)number);
    copi_postgres_add_bytes(array, COP_BYTES(wire));
}

void
copi_postgres_bytes(struct copi_postgres_value *value, Oid type, cop_bytes bytes)
{
    *value = (struct copi_postgres_value){.type = type};
    if (bytes.data) {
        add(value, bytes.data, bytes.size);
    }
}

void
copi_postgres_number(struct copi_postgres_value *value, int64_t number)
{
    uint64_t wire = htobe64((uint64_t)number);
    copi_postgres_bytes(value, COPI_POSTGRES_INT8, COP_BYTES(wire));
}

void
copi_postgres_values_free(struct copi_postgres_value values[], int count)
{
    for (int i = 0; i < count; i++) {
        free(values[i].data);
        values[i] = (struct copi_postgres_value){0};
    }
}

int64_t
copi_postgres_field_number(const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column)) {
        return 0;
    }
    const unsigned char *byte = (const unsigned char *)PQgetvalue(rows, row, column);
    int size = PQgetlength(rows, row, column);
    int64_t number = size > 0 && (byte[0] & 0x80) != 0 && size > 1 ? -1 : 0;
    for (int i = 0; i < size; i++) {
        number = (int64_t)((uint64_t)number << 8 | byte[i]);
    }
    return number;
}

cop_time
copi_postgres_field_time(const PGresult *rows, int row, int column)
{
    int64_t us = copi_postgres_field_number(rows, row, column);
    return us < COP_FOREVER / COP_US(1) ? COP_US(us) : COP_FOREVER;
}

cop_bytes
copi_postgres_field(const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column)) {
        return (cop_bytes){0};
    }
    return (cop_bytes){PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column)};
}
