/*
 * tests/actors/durable/stored.h - what is in a store, for tests.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_STORED_H
#define COPI_TESTS_STORED_H

#include "tests/support/support.h"

#define ID     "order-17"
#define UNUSED __attribute__((unused))

UNUSED static void
stop(cop_pid store)
{
    ck_assert_int_eq(cop_stop_process(store, COP_REASON_NORMAL, SOON), 0);
}

UNUSED static cop_durable_record
stored(cop_pid store, const char *id)
{
    cop_durable_record record;
    ck_assert_int_eq(cop_durable_get(store, id, &record, SOON), 0);
    return record;
}

UNUSED static void
check_bytes(cop_bytes bytes, const char *expected)
{
    ck_assert_uint_eq(bytes.size, strlen(expected) + 1);
    ck_assert_str_eq(bytes.data, expected);
}

/* That it is resolved with these bytes. */
UNUSED static void
check_resolved(cop_pid store, const char *id, const char *expected)
{
    cop_durable_record record = stored(store, id);
    ck_assert_int_eq(record.state, COP_DURABLE_RESOLVED);
    check_bytes(record.value, expected);
    cop_durable_release(&record);
}

UNUSED static cop_durable_state
state_of(cop_pid store, const char *id)
{
    cop_durable_record record = stored(store, id);
    cop_durable_state state = record.state;
    cop_durable_release(&record);
    return state;
}

UNUSED static cop_future *
recovered(cop_pid store, const char *id)
{
    cop_future *future;
    ck_assert_int_eq(cop_durable_recover(store, id, &future, SOON), 0);
    return future;
}

#endif
