/*
 * tests/bench/count.h - what a bench's operations need besides time: mallocs, parks, wake-ups, looks.
 *
 * Room: tests/.
 *
 * These functions are only in the program that counts (`make bench COUNT=1`); in the one that measures
 * they are NULL, and nothing of it is there: the library is the same in both.
 */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdint.h>

/* Forget what was counted; keep what was counted since for each of the operations; tell what was kept. */
void __attribute__((weak)) count_begin(void);
void __attribute__((weak)) count_end(int64_t operations);
void __attribute__((weak)) count_tell(void (*tell)(const char *what, double count));

#endif
