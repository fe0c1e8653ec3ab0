/*
 * tests/conformance/worker.h - the workers of a scenario: they do nothing by themselves.
 */
#ifndef COPI_TESTS_CONFORMANCE_WORKER_H
#define COPI_TESTS_CONFORMANCE_WORKER_H

#include "tests/conformance/cast.h"

/* In a start function: returns when it is up, linked to the caller, and that is written down. */
int worker_start(struct player player, cop_pid *out, cop_reason *why);

/* In a start function: have it end, and wait until it is gone and its exit signal is here. */
void worker_die(cop_pid worker, const char *reason);

/* By main: have it end, or remove its link to its supervisor. Neither waits. */
void worker_exit(cop_pid worker, const char *reason);
void worker_unlink(cop_pid worker);

#endif
