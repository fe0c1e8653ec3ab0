/*
 * tests/conformance/option.h - the options of a declaration, such as restart=transient.
 */
#ifndef COPI_TESTS_CONFORMANCE_OPTION_H
#define COPI_TESTS_CONFORMANCE_OPTION_H

#include "tests/conformance/language.h"

/* What holds for one of its kind if nothing is said. */
void set_defaults(struct declaration *it);

/* Reads the word, which is changed; see words.h. */
void read_option(struct declaration *it, char *word);

#endif
