/*
 * tests/conformance/call.h - the requests to a supervisor, each made by a process of its own.
 */
#ifndef COPI_TESTS_CONFORMANCE_CALL_H
#define COPI_TESTS_CONFORMANCE_CALL_H

#include "tests/conformance/cast.h"

/* NULL: it is on its way, and a request is open. Else the answer, for which nobody has to be asked. */
const char *call(const struct scenario *scenario, const struct action *action);

/* A failed start in words: `error R`. On the heap. */
char *error_in_words(cop_reason why);

#endif
