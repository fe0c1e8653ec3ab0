/*
 * tests/actors/durable/test_sqlite.c - the store in a file: what holds of every store.
 */
#include "tests/actors/durable/file.h"
#include "tests/actors/durable/promises.h"

SUITE("sqlite")
