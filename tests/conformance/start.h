/*
 * tests/conformance/start.h - the start functions of a scenario, and the workers that they start.
 */
#ifndef COPI_TESTS_CONFORMANCE_START_H
#define COPI_TESTS_CONFORMANCE_START_H

#include "tests/conformance/cast.h"

/* What a start function is to start, and for whom. The instances of a template have a name of their
 * own, which follows as text. */
struct role {
    const struct declaration *who;
    const struct declaration *parent; /* NULL: of the root */
};

/* Before anything is started: where declarations are looked up. */
void start_from(const struct scenario *scenario);

/* A specification by which `parent` starts that. `role` is where its argument goes. */
cop_child_spec start_spec(const struct declaration *who, const struct declaration *parent,
                          struct role *role);

/* The start function itself, as the library calls it. In a process. */
int start(cop_pid *out, cop_bytes arg, cop_reason *why);

#endif
