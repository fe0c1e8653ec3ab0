/*
 * actors/durable/postgres_value.h - parameters of statements, as PostgreSQL reads them from the wire.
 *
 * Room: actors/durable/, libcoppice-postgres. Touches nothing but what it is given.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_VALUE_H
#define COPI_ACTORS_DURABLE_POSTGRES_VALUE_H

#include <coppice.h>

#include <libpq-fe.h>

enum {
    COPI_POSTGRES_BYTEA = 17,
    COPI_POSTGRES_INT8 = 20,
    COPI_POSTGRES_INT4 = 23,
    COPI_POSTGRES_TEXT = 25,
    COPI_POSTGRES_UUID = 2950,
    COPI_POSTGRES_BYTEA_ARRAY = 1001,
    COPI_POSTGRES_TEXT_ARRAY = 1009,
    COPI_POSTGRES_INT8_ARRAY = 1016,
    COPI_POSTGRES_UUID_ARRAY = 2951,
};

/* One parameter: bytes, or an array that grows by what is added to it. Zeroed, it is empty; `data` is NULL for
 * SQL's NULL. */
struct copi_postgres_value {
    Oid type;
    char *data;
    size_t size, room;
    int elements;
    bool failed; /* there was no memory for all of it */
};

/* An array without elements; then its elements. NULL data is SQL's NULL. */
void copi_postgres_array(struct copi_postgres_value *array, Oid type);
void copi_postgres_add_bytes(struct copi_postgres_value *array, cop_bytes bytes);
void copi_postgres_add_number(struct copi_postgres_value *array, int64_t number);

/* A single value. */
void copi_postgres_bytes(struct copi_postgres_value *value, Oid type, cop_bytes bytes);
void copi_postgres_number(struct copi_postgres_value *value, int64_t number);

/* Frees what they hold; they are empty again. */
void copi_postgres_values_free(struct copi_postgres_value values[], int count);

/* A field of an answer in binary format: an integer of any width (0 for NULL), or bytes. */
int64_t copi_postgres_field_number(const PGresult *rows, int row, int column);
/* The same as so many microseconds. */
cop_time copi_postgres_field_time(const PGresult *rows, int row, int column);
cop_bytes copi_postgres_field(const PGresult *rows, int row, int column);

#endif
