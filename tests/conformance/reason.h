/*
 * tests/conformance/reason.h - reasons as the language writes them.
 */
#ifndef COPI_TESTS_CONFORMANCE_REASON_H
#define COPI_TESTS_CONFORMANCE_REASON_H

#include <coppice.h>

enum {
    REASON_SIZE = sizeof((cop_reason *)0)->text
};

cop_reason reason_of(const char *text);
const char *reason_text(cop_reason reason, char out[REASON_SIZE]);

#endif
