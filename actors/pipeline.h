/*
 * actors/pipeline.h - a pipeline, as its parts know it.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_PIPELINE_H
#define COPI_ACTORS_PIPELINE_H

#include "actors/future.h"
#include "actors/pipeline_flow.h"
#include "actors/pipeline_item.h"
#include "runtime/process.h"

#include <coppice/pipeline.h>

struct copi_pipeline_worker {
    cop_pipeline *pipeline; /* held */
    size_t stage;
    cop_pid pid; /* the maker's */
    /* guarded by the pipeline's lock */
    struct copi_process *process;    /* while it lives */
    struct copi_pipeline_item *item; /* in its hands */
    struct copi_pipeline_worker *next_idle;
    bool is_idle, is_woken; /* woken: on its way to look for an item */
    bool is_gone;           /* disowned: what it has in its hands is its own from then on */
};

struct copi_pipeline_stage {
    /* constant */
    cop_stage what;
    struct copi_pipeline_worker *workers; /* what.width of them */
    /* guarded by the pipeline's lock */
    struct copi_pipeline_worker *idle;
    size_t woken;
};

struct cop_pipeline {
    cop_future future; /* its own; its holds are those on all of this */
    /* constant */
    cop_context *context;
    struct copi_pipeline_stage *stages;
    struct copi_flow_stage *flow_stages;
    size_t item_size, largest; /* of what is submitted; of that and of all results */
    void (*drop)(void *item);
    cop_pipeline_full when_full;
    bool keep_going;
    copi_lock lock;
    /* guarded by it */
    struct copi_flow flow;
    cop_pipeline_counts counts;
    size_t workers; /* that have not ended; and one while they are being started */
    bool is_closed, has_failed, has_ended;
    bool is_delivering; /* somebody brings items out of the last stage, one by one */
    cop_reason failure;
    struct copi_list for_place; /* who waits for a place in the first queue: waiters.c */
    struct copi_pipeline_room *rooms;
};

/*
 * The pipeline is a monitor: whoever changes anything enters, and leaves; and leaving does all that has become
 * possible: items go on, idle workers are woken, and so is who waits for a place, and the pipeline ends if
 * that was the last of it. No user code runs inside. The caller has a hold.
 */
void copi_pipeline_enter(cop_pipeline *pipeline);
void copi_pipeline_leave(cop_pipeline *pipeline);

/* Inside: whether workers have nothing more to do. */
bool copi_pipeline_is_over(const cop_pipeline *pipeline);

/* What became of an item. */
enum copi_pipeline_outcome {
    COPI_PIPELINE_DELIVERED,
    COPI_PIPELINE_FAILED,
    COPI_PIPELINE_DROPPED,
};

/* Inside: an item is in flight no longer. */
void copi_pipeline_count_out(cop_pipeline *pipeline, enum copi_pipeline_outcome how);

/* An item that is nowhere any more: its future gets the reason, what it owns is dropped, it is counted. */
void copi_pipeline_discard(cop_pipeline *pipeline, struct copi_pipeline_item *item,
                           enum copi_pipeline_outcome how, const cop_reason *why);

/* Let those that are done leave the last stage. */
void copi_pipeline_deliver(cop_pipeline *pipeline);

/* It ends with this failure, if it is the first, and there is still something to be ended: then true. */
bool copi_pipeline_fail(cop_pipeline *pipeline, const cop_reason *why);

/* Start the workers of all stages. An error is one of copi_spawn, and then some may run. */
int copi_pipeline_start_workers(cop_pipeline *pipeline);

/* Whether the calling process is one of its workers. */
bool copi_pipeline_is_inside(const cop_pipeline *pipeline);

/* Inside: wake as many workers as there are items for, or all when it is over. */
void copi_pipeline_wake_workers(cop_pipeline *pipeline);

/* A future that waits for a place. */
struct copi_pipeline_room {
    cop_future future;
    struct copi_pipeline_room *next;
};

/* Tell a chain of them how it is now: there is room, or the pipeline takes nothing in. Lets go of them. */
void copi_pipeline_tell_rooms(cop_pipeline *pipeline, struct copi_pipeline_room *rooms);

#endif
