/*
 * actors/pipeline_item.h - an item of a pipeline, and the future of its outcome.
 *
 * Room: actors/. Whoever owns the item.
 */
#ifndef COPI_ACTORS_PIPELINE_ITEM_H
#define COPI_ACTORS_PIPELINE_ITEM_H

#include "actors/future.h"
#include "actors/pipeline_flow.h"

#include <coppice/pipeline.h>

struct copi_pipeline_item {
    struct copi_flow_item flow;
    cop_future *outcome;          /* held; NULL: nobody wants to know */
    void (*drop)(void *value);    /* of what it owns now; NULL: nothing */
    unsigned char *value, *spare; /* in `room`; each has place for the largest */
    _Alignas(max_align_t) unsigned char room[];
};

/*
 * An item whose value is a copy of `size` bytes; no value of it will be larger than `largest`. NULL: out of
 * memory.
 */
struct copi_pipeline_item *copi_pipeline_item_new(const void *bytes, size_t size, size_t largest,
                                                  void (*drop)(void *value));

/* Give it a future, for a last value of `size` bytes, of which the caller has a hold, too. -ENOMEM. */
int copi_pipeline_item_promise(struct copi_pipeline_item *item, size_t size, const char *file,
                               int line);

/* Whether somebody may still want what becomes of it. */
bool copi_pipeline_item_is_wanted(const struct copi_pipeline_item *item);

/*
 * Let the stage's function make a new value out of the item's; a process's cop_exit in it is caught. true: the
 * new value has taken the old one's place, which was dropped. false: *why is what it failed with.
 */
bool copi_pipeline_item_work(struct copi_pipeline_item *item, const cop_stage *stage,
                             cop_reason *why);

/* Free it: the future gets the value, if that has `size` bytes and was not cancelled: true. */
bool copi_pipeline_item_deliver(struct copi_pipeline_item *item, size_t size);

/* Free it: what it owns is dropped, and then the future is rejected. */
void copi_pipeline_item_reject(struct copi_pipeline_item *item, const cop_reason *why);

/* Free it, and it alone: it was never submitted. */
void copi_pipeline_item_free(struct copi_pipeline_item *item);

#endif
