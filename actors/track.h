/*
 * actors/track.h - keeping account of futures: what their cell tells.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_TRACK_H
#define COPI_ACTORS_TRACK_H

#include "actors/future.h"

/* It was made. */
void copi_track_begin(cop_future *future);

/* Its account; the others are called only if it has one. */
static inline bool
copi_is_tracked(const cop_future *future)
{
    return future->account != NULL;
}

void copi_track_settled(cop_future *future);
void copi_track_observed(cop_future *future);
void copi_track_end(cop_future *future);

#endif
