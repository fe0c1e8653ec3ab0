/*
 * tests/bench/bench.h - what the benches share.
 *
 * Room: tests/.
 *
 * A bench runs in a process of its own of the library's, in a program of its own, so that no bench
 * finds warm threads or grown pools that it did not warm or grow itself.
 */
#ifndef BENCH_H
#define BENCH_H

#include <coppice.h>

struct bench {
    const char *name, *what;
    void (*run)(double scale);
};

/* Tables that end with a bench without a name. */
extern const struct bench bench_messages[], bench_processes[];

/* How many, for this scale; at least one. */
int64_t bench_count(int64_t base, double scale);

/* How many to warm up with: a tenth. */
int64_t bench_warmup(int64_t count);

/* Say what was measured; a bench may have several figures. */
void bench_result(const char *name, const char *unit, double value);

/* A figure of a program that did something else than it should is worth nothing: these end it. */
void bench_check(const char *what, int64_t got, int64_t want);
void bench_must(const char *what, int code);

/* A zeroed array, or the end: the caller frees it. */
void *bench_array(size_t count, size_t size) __attribute__((returns_nonnull));

/* Reports of the library go nowhere from here on: for benches that crash on purpose. */
void bench_silence_reports(void);

#endif
