/*
 * tests/actors/durable/test_sqlite.c - the store in a file: what holds of every store.
 */
#include "tests/actors/durable/file.h"
#include "tests/actors/durable/leases.h"
#include "tests/actors/durable/promises.h"

static const cop_store_backend *
the_backend(void)
{
    return cop_sqlite();
}

static const void *
its_place(void)
{
    return a_path();
}

#include "tests/actors/durable/model.h"

SUITE("sqlite")
