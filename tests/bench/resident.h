/*
 * tests/bench/resident.h - how much memory the program has resident.
 *
 * Room: tests/.
 */
#ifndef BENCH_RESIDENT_H
#define BENCH_RESIDENT_H

/* VmRSS of /proc/self/status. */
double resident_bytes(void);

#endif
