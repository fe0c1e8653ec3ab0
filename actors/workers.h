/*
 * actors/workers.h - the library's own processes that run continuations.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_WORKERS_H
#define COPI_ACTORS_WORKERS_H

#include <coppice/future.h>

/* Have one of them call copi_continuations_run for it, soon, and then release it. Takes a hold. */
void copi_workers_submit(cop_future *future);

#endif
