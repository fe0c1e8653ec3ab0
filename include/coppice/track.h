/*
 * coppice/track.h - futures that were never settled, and failures that nobody looked at: where they
 * were made, and how long ago.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_TRACK_H
#define COPPICE_TRACK_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Keep account of the futures that are made from now on. So does COPPICE_TRACK=1 in the environment, from
 * the first one on. Off, it costs the reading of one word for each future.
 *
 * When the program exits, what is still unsettled is reported, as by cop_report_unsettled; and as soon as
 * the last handle of a rejected future goes that nobody has awaited, chained to, or asked for its state,
 * that is.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_track_futures(bool on);

typedef struct cop_leak {
    uint64_t id; /* increasing, in the order of making */
    const char *file;
    int line;
    cop_time age;
} cop_leak;

/*
 * The futures that are tracked and not settled, and at least so old; oldest first.
 *
 *   out, capacity   where they go, as many as fit
 *
 * Returns how many there are. Threads: any.  Does not block.  Exit point: no.
 */
COP_API size_t cop_unsettled(cop_leak *out, size_t capacity, cop_time older_than);

/* Write a line for each place where such futures were made: how many, and the age of the oldest. cop_run
 * does so at SIGUSR1. */
COP_API void cop_report_unsettled(void);

#ifdef __cplusplus
}
#endif
#endif
