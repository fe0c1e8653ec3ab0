/*
 * tests/conformance/gate.h - where a start function waits until it is let go on.
 */
#ifndef COPI_TESTS_CONFORMANCE_GATE_H
#define COPI_TESTS_CONFORMANCE_GATE_H

#include "tests/conformance/cast.h"

/* In a start function: write down that it waits, and wait. An exit point. */
void gate_wait(const struct label *label, unsigned number);

/* Let the one go that has waited longest. False: nobody waits. */
bool gate_open(void);

/* With the lock of cast.h held. */
bool gate_is_closed_locked(void);

#endif
