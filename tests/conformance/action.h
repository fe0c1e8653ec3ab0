/*
 * tests/conformance/action.h - what is done to the tree, one thing after the other.
 */
#ifndef COPI_TESTS_CONFORMANCE_ACTION_H
#define COPI_TESTS_CONFORMANCE_ACTION_H

#include "tests/conformance/language.h"

/* Start the root, do every action, stop the root; print the trace. False: it did not come to rest. */
bool play(const struct scenario *scenario);

#endif
