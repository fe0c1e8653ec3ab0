/*
 * tests/conformance/record.h - what is written down, and by whom.
 */
#ifndef COPI_TESTS_CONFORMANCE_RECORD_H
#define COPI_TESTS_CONFORMANCE_RECORD_H

#include "tests/conformance/cast.h"

/* The library's observer: ends of processes and the supervisors' reports. */
void record_observed(const cop_event *event, void *env);

/* A start function, inside a supervisor: how it is going to return. */
void record_start(const struct label *label, unsigned number, const char *outcome);
void record_start_locked(const struct label *label, unsigned number, const char *outcome);

/* The same of one that is up: a new worker, or a supervisor, which has been a player since its init. */
struct player *record_worker(struct player worker);
void record_supervisor(cop_pid pid, const struct label *label, unsigned number);

/* The word of an unexpected message travels as its tag. */
uint32_t tag_of_word(const char *word);

#endif
