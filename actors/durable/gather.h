/*
 * actors/durable/gather.h - whether a store waits a moment for those whom it has just answered.
 *
 * Room: actors/durable/. The store's process.
 */
#ifndef COPI_ACTORS_DURABLE_GATHER_H
#define COPI_ACTORS_DURABLE_GATHER_H

#include <coppice/base.h>

#include <stdbool.h>
#include <stddef.h>

#define COPI_GATHER_PAUSE COP_US(50) /* the kernel makes about twice as much of it */

/* Zero: nobody has been answered yet. */
struct copi_gather {
    size_t company; /* how many ask again and again */
    size_t seen;    /* of the batch, at the last pause */
    cop_time until; /* when it begins at the latest */
};

/* A batch that has taken so long was answered `now`, to so many who waited. */
void copi_gather_answered(struct copi_gather *gather, size_t waited, cop_time lasted, cop_time now);

/* Whether to pause once more before a batch of so many operations is run. */
bool copi_gather_pauses(struct copi_gather *gather, size_t count, cop_time now);

#endif
