/*
 * actors/pipeline_flow.h - where the items of a pipeline are, and where they may go.
 *
 * Room: actors/. Under the pipeline's lock.
 */
#ifndef COPI_ACTORS_PIPELINE_FLOW_H
#define COPI_ACTORS_PIPELINE_FLOW_H

#include <stdbool.h>
#include <stddef.h>

/* The beginning of an item. */
struct copi_flow_item {
    struct copi_flow_item *next;
    bool is_done; /* with the stage that it is in */
};

/* First in, first out. */
struct copi_flow_list {
    struct copi_flow_item *first, **end;
    size_t count;
};

struct copi_flow_stage {
    size_t width, bound;
    bool is_unordered;
    struct copi_flow_list queue; /* at most `bound` */
    /* In the order in which they go on: as they were taken, or as they were done */
    struct copi_flow_list window;
    size_t inside; /* taken, and neither gone on nor out: at most `width` */
    size_t most_queued;
};

struct copi_flow {
    struct copi_flow_stage *stages;
    size_t count;
};

/* With widths, bounds and orders as they stand there. */
void copi_flow_init(struct copi_flow *flow, struct copi_flow_stage *stages, size_t count);

/* A place in the first queue; a new item for it. */
bool copi_flow_has_room(const struct copi_flow *flow);
void copi_flow_put(struct copi_flow *flow, struct copi_flow_item *item);

/* The oldest in the first queue is out. There is one. */
struct copi_flow_item *copi_flow_evict(struct copi_flow *flow);

/* How many a stage could take now; the next one for it, or NULL. */
size_t copi_flow_takeable(const struct copi_flow *flow, size_t stage);
struct copi_flow_item *copi_flow_take(struct copi_flow *flow, size_t stage);

/* What a stage has taken is done and may go on; or goes no further, and is out. */
void copi_flow_done(struct copi_flow *flow, size_t stage, struct copi_flow_item *item);
void copi_flow_out(struct copi_flow *flow, size_t stage, const struct copi_flow_item *item);

/* Let everything go on that can, as far as the last stage. */
void copi_flow_advance(struct copi_flow *flow);

/* The next that may leave the last stage, or NULL; it counts as inside until it has left. */
struct copi_flow_item *copi_flow_next_to_leave(struct copi_flow *flow);
void copi_flow_left(struct copi_flow *flow);

/* All that nobody works on are out: a chain. */
struct copi_flow_item *copi_flow_empty(struct copi_flow *flow);

#endif
