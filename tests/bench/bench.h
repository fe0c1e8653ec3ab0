/*
 * tests/bench/bench.h - what the benches share.
 *
 * Room: tests/.
 *
 * What each bench measures is defined in peers/README.md, for the peers and for us, to the letter. A
 * bench runs in a process of its own of the library's, in a program of its own, so that no bench finds
 * warm threads or grown pools that it did not warm or grow itself.
 */
#ifndef BENCH_H
#define BENCH_H

#include <coppice.h>

enum {
    BENCH_FIGURES = 3 /* of one bench, at most */
};

struct bench {
    const char *name, *what;
    struct bench_figure {
        const char *name, *unit;
    } figures[BENCH_FIGURES]; /* all of them are told, once each */
    void (*run)(double scale);
};

extern const struct bench bench_call, bench_call_raw, bench_call_4to1, bench_cast, bench_cast_4to1,
    bench_ring_100, bench_ring_1000, bench_task, bench_await_all, bench_idle, bench_idle_100k,
    bench_restart, bench_one_for_all_100, bench_agent_update, bench_timers, bench_pipeline_5,
    bench_skynet, bench_backlog;

/* ---------------------------------------------------------------- one run */

/* Run it here and now, in this program, which must not have entered the library: a JSON line for each
 * figure goes to `file`, descriptor of the caller's. Ends the program when a check fails. */
void bench_run(const struct bench *bench, double scale, int file);

/* Every check of this program finds one more than there is: to see them fail. */
void bench_miscount(void);

/* ---------------------------------------------------------------- in a bench */

/* How many, for this scale; at least one. */
int64_t bench_count(int64_t base, double scale);

/* How many to warm up with: a tenth. */
int64_t bench_warmup(int64_t count);

/* The time, and from here on a program that counts does so (count.h); until bench_end, which says how
 * long `operations` of whatever is measured took. */
cop_time bench_begin(void);
cop_time bench_end(cop_time begin, int64_t operations);

/* Say what was measured. */
void bench_result(const char *figure, double value);
void bench_result_per(const char *figure, cop_time wall, int64_t operations);

/* A figure of a program that did something else than it should is worth nothing: these end it. */
void bench_check(const char *what, int64_t got, int64_t want);
void bench_must(const char *what, int code);

/* A process was to be started: -EAGAIN is no mistake of anybody's, but this machine is too small. */
void bench_must_start(const char *what, int code);

/* So many processes are about to be started. If that is more than half of what the kernel has for all
 * programs, it is not even tried. */
void bench_must_fit(int64_t processes);

/* A zeroed array, or the end: the caller frees it. */
void *bench_array(size_t count, size_t size) __attribute__((returns_nonnull));

/* The middle one, or between the two in the middle; sorts. */
double bench_median(cop_time *times, int64_t count);

/* So much of them is not above it; sorts. */
cop_time bench_percentile(cop_time *times, int64_t count, int percent);

/* Reports of the library go nowhere from here on: for benches that crash on purpose. */
void bench_silence_reports(void);

#endif
