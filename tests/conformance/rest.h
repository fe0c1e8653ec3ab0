/*
 * tests/conformance/rest.h - waiting until nothing moves any more.
 */
#ifndef COPI_TESTS_CONFORMANCE_REST_H
#define COPI_TESTS_CONFORMANCE_REST_H

#include "tests/conformance/cast.h"

/* False: not within a minute. By main. */
bool rest(void);

/* Held at the gate: its start function waits there, or for one that does. Lock held. */
bool is_held_locked(const struct player *supervisor);

/* It waits for a message, as far as one sees from outside. Lock held. */
bool looks_idle_locked(const struct player *it);

#endif
